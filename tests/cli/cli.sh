# What the tests of the command share: `. tests/cli/cli.sh` after tap.sh.
# shellcheck shell=sh
# shellcheck disable=SC2154 # scratch, built: tap.sh

avout=$built/bin/avout
unset AVOUT_PASSWORD

# says NAME STATUS OUTPUT ARGUMENT...: ends with STATUS, prints exactly OUTPUT and no error.
says()
{
    says_name=$1
    says_status=$2
    says_output=$3
    shift 3
    check "$where$says_name" said "$says_status" "$says_output" "$@"
}
said()
{
    wanted_status=$1
    wanted=$2
    shift 2
    "$avout" "$@" >"$scratch/out" 2>"$scratch/err"
    status=$?
    printf '%s' "$wanted" >"$scratch/wanted"
    [ -z "$wanted" ] || echo >>"$scratch/wanted"
    cat "$scratch/err"
    [ "$status" = "$wanted_status" ] || { echo "avout $*: status $status"; return 1; }
    [ ! -s "$scratch/err" ] || return 1
    diff "$scratch/wanted" "$scratch/out"
}

# fails NAME STATUS TEXT ARGUMENT...: ends with STATUS, prints nothing but one line on standard error,
# "avout: what: why", with TEXT in it.
fails()
{
    fails_name=$1
    fails_status=$2
    fails_text=$3
    shift 3
    check "$where$fails_name" failed "$fails_status" "$fails_text" "$@"
}
failed()
{
    wanted_status=$1
    wanted=$2
    shift 2
    "$avout" "$@" >"$scratch/out" 2>"$scratch/err"
    status=$?
    cat "$scratch/out" "$scratch/err"
    [ "$status" = "$wanted_status" ] || { echo "avout $*: status $status"; return 1; }
    [ ! -s "$scratch/out" ] || { echo 'it should print nothing'; return 1; }
    [ "$(wc -l <"$scratch/err")" = 1 ] || { echo 'it should be one line'; return 1; }
    grep -q '^avout: ' "$scratch/err" && grep -qF -e "$wanted" "$scratch/err" ||
        { echo "it should say: $wanted"; return 1; }
}

# Runs the function once on each store there is, with $where before the names of its tests.
on_each_store() # FUNCTION ZOOKEEPER (host:port; empty: none)
{
    where=lmdb_
    AVOUT_STORE=lmdb:$scratch/lmdb
    export AVOUT_STORE
    "$1"
    where=zk_
    if [ -n "$2" ]; then
        AVOUT_STORE=zk://$2/cli-$$-$(date +%s)
        "$1"
    fi
    where=
}

# Waits, at most forty seconds, until the command succeeds.
eventually()
{
    tries=0
    until "$@"; do
        tries=$((tries + 1))
        [ $tries -lt 800 ] || { echo "this never came true: $*"; return 1; }
        sleep 0.05
    done
}
