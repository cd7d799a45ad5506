# The frame of tests written in sh: `. tests/support/tap.sh`, then check and refuse, last finish.
# They run in the top folder of the sources. $scratch is a folder of their own, removed at the end;
# $built is the build folder of the variant that is tested.
# shellcheck shell=sh

set -u
number=0
failures=0
built=${AVOUT_TEST_BUILD:-$PWD/build/release}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
trap 'exit 1' INT TERM HUP

result() # PASSED(0) NAME
{
    number=$((number + 1))
    if [ "$1" = 0 ]; then
        echo "ok $number $2"
    else
        sed 's/^/# /' "$scratch/output" >&2
        echo "not ok $number $2"
        failures=$((failures + 1))
    fi
}

# check NAME COMMAND...: the command succeeds.
check()
{
    name=$1
    shift
    "$@" >"$scratch/output" 2>&1 </dev/null
    result $? "$name"
}

# refuse NAME TEXT COMMAND...: the command fails and says TEXT (a fixed string).
refuse()
{
    name=$1
    text=$2
    shift 2
    if "$@" >"$scratch/output" 2>&1 </dev/null; then
        echo "it should have failed: $*" >>"$scratch/output"
        result 1 "$name"
    elif grep -qF -e "$text" "$scratch/output"; then
        result 0 "$name"
    else
        echo "it should have said: $text" >>"$scratch/output"
        result 1 "$name"
    fi
}

# skip NAME REASON: only where the machine cannot run it.
skip()
{
    number=$((number + 1))
    echo "ok $number $1 # SKIP $2"
}

finish()
{
    echo "1..$number"
    [ "$failures" = 0 ]
    exit
}
