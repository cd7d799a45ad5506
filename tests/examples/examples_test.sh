# The examples run, twice each, and the demo holds what it promises, also when processes are killed.
# Test-tags: slow
. tests/support/tap.sh
. tests/cli/cli.sh

demo=$built/bin/avout-demo

small_ones()
{
    for source in examples/*.c; do
        example=$(basename "$source" .c)
        check "$where$example" "$built/examples/$example" "$AVOUT_STORE"
        check "$where${example}_again" "$built/examples/$example" "$AVOUT_STORE"
    done
}
is_short() { [ "$(wc -l <"$1")" -le "${2:-61}" ] || wc -l "$1"; }

children() { cat "/proc/$1/task/$1/children"; }
has_children() { [ "$(children "$1" | wc -w)" -gt 3 ]; }
moves() { "$avout" get /avout-demo/moves 2>&1; }
moved_since() { [ "$(moves)" != "$1" ]; }
# Waits until the demo's processes are there and change things.
at_work() # PROCESS
{
    eventually has_children "$1" && before=$(moves) && eventually moved_since "$before"
}

run_demo()
{
    "$demo" "$@" >"$scratch/demo" 2>&1
    status=$?
    cat "$scratch/demo"
    return $status
}
says_ok()
{
    grep -c '   ok ' "$scratch/demo" | grep -qx 3 && ! grep -q FAILED "$scratch/demo"
}
short_demo() { run_demo --seconds 1 && says_ok; }
demo_kills_one() { run_demo --seconds 2 --kill && says_ok && grep -q 'kill -9' "$scratch/demo"; }
goes_on()
{
    "$avout" get /avout-demo/r0 >"$scratch/r0" && short_demo &&
        [ "$("$avout" get /avout-demo/r0)" = $(($(cat "$scratch/r0") + 1)) ]
}
child_killed_from_outside()
{
    "$demo" --seconds 5 >"$scratch/demo" 2>&1 &
    parent=$!
    at_work $parent || return 1
    kill -9 "$(children $parent | cut -d " " -f 1)"
    wait $parent && says_ok && grep -q 'killed from outside' "$scratch/demo"
}
interrupted()
{
    env --default-signal=INT "$demo" --seconds 60 >"$scratch/demo" 2>&1 &
    parent=$!
    at_work $parent || return 1
    kill -INT $parent
    wait $parent
    [ $? = 130 ] && says_ok
}
parent_killed()
{
    "$demo" --seconds 60 >"$scratch/demo" 2>&1 &
    parent=$!
    at_work $parent || return 1
    children=$(children $parent)
    kill -9 $parent
    wait $parent
    for child in $children; do eventually sh -c "! kill -0 $child 2>/dev/null" || return 1; done
}
two_at_a_time()
{
    "$demo" --seconds 2 >"$scratch/demo.other" 2>&1 &
    other=$!
    short_demo
    result=$?
    wait $other && [ $result = 0 ]
}
# Somebody takes a member away behind the demo's back: it must notice, everywhere.
sabotage()
{
    "$demo" --seconds 20 >"$scratch/demo" 2>&1 &
    parent=$!
    at_work $parent || return 1
    # It may be moved from a group we come to into one we have been at: then it is still there.
    while kill -0 $parent 2>/dev/null; do
        for group in red green blue; do "$avout" swap /avout-demo/$group disj 7 >/dev/null; done
    done
    wait $parent
    status=$?
    cat "$scratch/demo"
    [ $status = 1 ] && grep -q 'member 7 is in no group' "$scratch/demo" &&
        grep -q 'FAILED' "$scratch/demo"
}
starts_over()
{
    "$demo" --seconds 1 >"$scratch/demo" 2>&1 && return 1
    grep -q -- --fresh "$scratch/demo" && run_demo --seconds 1 --fresh && says_ok
}

demos()
{
    check "${where}demo" short_demo
    check "${where}demo_goes_on" goes_on
    check "${where}demo_kills_one" demo_kills_one
    check "${where}demo_child_killed_from_outside" child_killed_from_outside
    check "${where}demo_interrupted" interrupted
    check "${where}demo_parent_killed" parent_killed
    check "${where}two_demos_at_a_time" two_at_a_time
    check "${where}demo_notices_a_lost_member" sabotage
    check "${where}demo_starts_over" starts_over
}

for source in examples/*.c; do
    limit=61
    [ "$source" = examples/container.c ] && limit=80 # a table of functions takes its lines
    check "$(basename "$source" .c)_is_short" is_short "$source" $limit
done
on_each_store small_ones "${AVOUT_TEST_ZOOKEEPER:-}"
on_each_store demos "${AVOUT_TEST_ZOOKEEPER:-}"
refuse demo_wants_a_number 'usage: avout-demo' "$demo" --seconds many
refuse demo_wants_some_processes 'usage: avout-demo' "$demo" --processes 0

finish
