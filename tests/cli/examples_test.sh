# Every example of the manual page, run as it stands there, on a store that has what they speak of.
. tests/support/tap.sh
. tests/cli/cli.sh

AVOUT_STORE=lmdb:$scratch/store
AVOUT_HISTORY=
AVOUT=$(realpath "$avout")
export AVOUT_STORE AVOUT_HISTORY AVOUT
page=$PWD/man/avout.1

# What they call besides; each tells that it was called.
mkdir "$scratch/bin" "$scratch/here"
for command in start reload systemctl run-the-job deploy.sh backup.sh; do
    printf '#!/bin/sh\necho "called %s"\n' "$command" >"$scratch/bin/$command"
done
# No server stands behind the one example that names one.
# shellcheck disable=SC2016 # for later
printf '#!/bin/sh\ncase $1 in -s) shift 2 ;; esac\nexec "$AVOUT" "$@"\n' >"$scratch/bin/avout"
chmod +x "$scratch"/bin/*
PATH=$scratch/bin:$PATH
cd "$scratch/here" || exit 1
ln -s ../bin/start ../bin/deploy.sh ../bin/backup.sh .
mkdir data
echo '{:port 1}' >config.edn
printf '\0\377' >logo.png
echo '(println *command-line-args*)' >report.clj

# An example a file, without troff: what begins a command, with the lines that go on with it.
sed -n '/^\.EX/,/^\.EE/p' "$page" | sed 's/\\(aq/'"'"'/g; s/\\(dq/"/g; s/\\-/-/g; s/\\e/\\/g; s|/srv/plans|'"$scratch"'/plans|g' |
    awk -v to="$scratch/example" '/^\.EX/ || /^#!/ { next } /^\.EE/ { open = ""; next }
        /^ / && open { print >open; next }
        { open = sprintf("%s-%03d", to, ++n); print >open }'

prepare()
{
    avout reset /app/config '{:port 8080, :limits {}}' && avout reset /app/counter 1 && avout reset /app/queue '[]' &&
        avout reset /app/leader nil && avout reset /app/state :idle && avout reset /app/ready false &&
        avout reset /app/n 1 && avout reset /bank/ann 100 && avout reset /bank/bob 100 &&
        avout reset /app/old-counter 1 && avout reset /app/jobs/one 1 &&
        avout reset --codec json /app/public '{"port" 1}' && avout reset --codec bytes /app/logo - <logo.png
}
# Changes what is watched, again and again.
stir() { while sleep 0.2; do avout swap /app/ready not && avout swap /app/config assoc :t 1; done >"$scratch/stir" 2>&1; }
# Some follow until they are ended, some need a terminal, one another machine.
run_example() # FILE
(
    example=$(cat "$1")
    echo "$example"
    status=0
    limit=40
    follows=false
    terminal=
    case $example in
    *zk1:2181* | 'avout watch -i /build/state'* | 'make && avout'*) return 0 ;;
    'avout top --once'*) ;;
    'avout top'*) terminal='script -qec' follows=true ;;
    *'--count 1'*) ;;
    'avout watch'*) follows=true ;;
    esac
    $follows && limit=0.7
    case $example in
    'avout reset --new'*) avout rm /app/counter ;;
    # Names that were removed would be looked for where no server is.
    'avout gc '*) export AVOUT_STORE="lmdb:$scratch/fresh" && avout reset /app/config 1 ;;
    esac
    stirrer=
    case $example in 'avout watch'*) stir & stirrer=$! ;; esac
    if [ -n "$terminal" ]; then
        TERM=xterm timeout $limit script -qec "$example" /dev/null >"$scratch/out" 2>&1 </dev/null || status=$?
    else
        timeout $limit sh -eu "$1" >"$scratch/out" 2>&1 </dev/null || status=$?
    fi
    [ -z "$stirrer" ] || kill "$stirrer"
    cat "$scratch/out"
    [ $status = 0 ] || { $follows && [ $status = 124 ]; }
)
prepare >/dev/null || exit 1
for example in "$scratch"/example-*; do
    check "$(head -c 60 "$example" | head -n 1 | tr -cs 'a-zA-Z0-9' _)" run_example "$example"
done
check there_are_many [ "$number" -ge 60 ]
cd "$OLDPWD" || exit 1
finish
