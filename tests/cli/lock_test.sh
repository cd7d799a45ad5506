# avout lock and avout locks: one holder at a time, whatever ends it; statuses that scripts can rely on.
# Test-tags: slow waits
# shellcheck disable=SC2016 # what is between single quotes is the command's
. tests/support/tap.sh
. tests/cli/cli.sh

# Holds /l/NAME in the background until $scratch/go is there; $holder is its process.
hold() # NAME [OPTION...]
{
    rm -f "$scratch/go" "$scratch/held"
    held_name=$1
    shift
    "$avout" lock "$@" "/l/$held_name" -- sh -c "echo \$\$ >'$scratch/held'; until [ -e '$scratch/go' ]; do sleep 0.02; done" \
        2>"$scratch/holder.err" &
    holder=$!
    eventually [ -s "$scratch/held" ] || { cat "$scratch/holder.err"; return 1; }
}
let_go() { touch "$scratch/go"; ended_with 0 "$holder"; }
ended_with() # STATUS PROCESS
{
    wait "$2"
    status=$?
    [ $status = "$1" ] || { echo "status $status"; cat "$scratch"/*.err; return 1; }
}
status_of() # STATUS COMMAND...
{
    wanted_status=$1
    shift
    "$@" >"$scratch/out" 2>"$scratch/err"
    status=$?
    cat "$scratch/out" "$scratch/err"
    [ $status = "$wanted_status" ] || { echo "status $status"; return 1; }
}
told() { grep -qF -e "$1" "$scratch/err" || { echo "it should say: $1"; return 1; }; }

# ---- running a command -------------------------------------------------------------------------

passes_on()
{
    status_of 7 "$avout" lock /l/a -- sh -c 'echo out; exit 7' && [ "$(cat "$scratch/out")" = out ] &&
        status_of 0 "$avout" lock /l/a true && status_of 3 "$avout" lock /l/a sh -c 'exit 3' &&
        status_of 0 "$avout" lock /l/a -- cat </dev/null
}
own_options() { status_of 0 "$avout" lock /l/a echo --try -s x && [ "$(cat "$scratch/out")" = '--try -s x' ]; }
token() { "$avout" lock "$@" -- sh -c 'echo "$AVOUT_LOCK_TOKEN"'; }
tokens_grow()
{
    one=$(token /l/t) && two=$(token /l/t) && three=$(token --read /l/t) || return 1
    printf '%s\n' "$one" "$two" "$three" | tee /dev/stderr | LC_ALL=C sort -cu &&
        echo "$one" | grep -Exq '[0-9a-f]{16}-[0-9a-f]{16}'
}
no_command() { status_of 127 "$avout" lock /l/a -- /no/such/command && told 'No such file'; }
no_exec() { status_of 126 "$avout" lock /l/a -- "$scratch" && told 'Permission denied'; }
killed_command() { status_of 137 "$avout" lock /l/a -- sh -c 'kill -9 $$'; }

# ---- who does not get it -----------------------------------------------------------------------

busy()
{
    hold b && status_of 75 "$avout" lock --try /l/b -- true && told '/l/b: is held' &&
        told "$(hostname)" && status_of 3 "$avout" lock --try -E 3 /l/b -- true &&
        status_of 75 "$avout" lock --timeout 200ms /l/b -- true && told 'not obtained within 0.2 s' &&
        let_go && status_of 0 "$avout" lock --try /l/b -- true
}
waits()
{
    hold w || return 1
    "$avout" lock --timeout 30s /l/w -- true 2>"$scratch/waiter.err" &
    waiter=$!
    eventually waiting /l/w 1 && let_go && ended_with 0 $waiter
}
waiting() { [ "$("$avout" locks --json "$1" | grep -o '"waiting":.*' | grep -o '"pid"' | wc -l)" = "$2" ]; }
readers_share()
{
    hold r --read && status_of 0 "$avout" lock --read --try /l/r -- true &&
        status_of 75 "$avout" lock --write --try /l/r -- true && let_go
}
one_at_a_time()
{
    echo 0 >"$scratch/count"
    rm -f "$scratch/inside"
    pids=
    for process in 1 2 3 4 5 6; do
        for round in 1 2 3 4 5; do
            # The directory is there while somebody is inside: mkdir fails for a second one.
            "$avout" lock /l/one -- sh -c "mkdir '$scratch/inside' && read -r n <'$scratch/count' &&
                echo \$((n + 1)) >'$scratch/count' && rmdir '$scratch/inside'" || exit 1
        done 2>>"$scratch/one.err" &
        pids="$pids $!"
    done
    for pid in $pids; do ended_with 0 "$pid" || return 1; done
    [ "$(cat "$scratch/count")" = 30 ]
}

# ---- signals -----------------------------------------------------------------------------------

goes_on()
{
    hold s || return 1
    kill -TERM $holder
    ended_with 143 $holder && status_of 0 "$avout" lock --try /l/s -- true
}
trapped()
{
    rm -f "$scratch/ready"
    "$avout" lock /l/s -- sh -c "trap 'exit 5' USR1; echo x >'$scratch/ready'; while :; do sleep 0.02; done" &
    holder=$!
    eventually [ -s "$scratch/ready" ] && kill -USR1 $holder && ended_with 5 $holder
}
interrupted_wait()
{
    hold i || return 1
    "$avout" lock /l/i -- true 2>"$scratch/waiter.err" &
    waiter=$!
    eventually waiting /l/i 1 && kill -TERM $waiter && ended_with 143 $waiter &&
        eventually waiting /l/i 0 && let_go
}
killed_holder()
{
    hold k || return 1
    kill -9 $holder
    ended_with 137 $holder
    # The command goes with it.
    eventually gone "$(cat "$scratch/held")" && status_of 0 "$avout" lock --timeout 30s /l/k -- true
}
gone() { ! kill -0 "$1" 2>/dev/null; }

# A holder that is stopped for longer than its session lives: whoever waits gets the lock, and the
# command of the stopped one, with all it has started, is ended as soon as it goes on.
overtaken()
{
    AVOUT_STORE=$lost_store
    rm -f "$scratch/held"
    "$avout" lock --kill-after 200ms /l/lost -- sh -c "
        trap '' TERM
        sh -c 'echo \$\$ >\"$scratch/grandchild\"; exec sleep 1000' &
        echo x >'$scratch/held'; while :; do sleep 0.1; done" 2>"$scratch/holder.err" &
    holder=$!
    eventually [ -s "$scratch/held" ] && eventually [ -s "$scratch/grandchild" ] &&
        kill -STOP $holder && status_of 0 "$avout" lock --timeout 60s /l/lost -- true
    got=$?
    kill -CONT $holder
    ended_with 76 $holder && grep -q 'was lost; ending sh' "$scratch/holder.err" &&
        eventually gone "$(cat "$scratch/grandchild")" && [ $got = 0 ]
}

# ---- looking -----------------------------------------------------------------------------------

listed()
{
    hold x || return 1
    "$avout" locks /l/x >"$scratch/out"
    cat "$scratch/out"
    grep -qx /l/x "$scratch/out" && grep -q "^  held by process $holder on $(hostname), since 2" "$scratch/out" || return 1
    "$avout" locks --json >"$scratch/out"
    cat "$scratch/out"
    grep -q "\"name\":\"/l/x\",\"holders\":\[{\"host\":\"$(hostname)\",\"pid\":$holder,\"shared\":false" \
        "$scratch/out" && let_go && status_of 0 "$avout" locks /l/x && [ ! -s "$scratch/out" ] &&
        status_of 0 "$avout" locks --all /l/x && grep -qx '/l/x  free' "$scratch/out" &&
        status_of 0 "$avout" locks --json /l/x && [ "$(cat "$scratch/out")" = '[]' ]
}

run_on_store()
{
    check "${where}passes_on_what_the_command_does" passes_on
    check "${where}options_behind_the_name_are_the_commands" own_options
    check "${where}tokens_grow" tokens_grow
    check "${where}no_such_command" no_command
    check "${where}a_command_that_cannot_run" no_exec
    check "${where}a_killed_command" killed_command
    check "${where}not_obtained" busy
    check "${where}waits_for_its_turn" waits
    check "${where}readers_share" readers_share
    check "${where}one_at_a_time" one_at_a_time
    check "${where}signals_go_on_to_the_command" goes_on
    check "${where}a_trapped_signal" trapped
    check "${where}a_wait_that_is_interrupted_leaves_nothing" interrupted_wait
    check "${where}listed" listed
    fails absent 3 '/never: there is no lock of that name' locks /never
}
on_each_store run_on_store "${AVOUT_TEST_ZOOKEEPER:-}"

AVOUT_STORE=lmdb:$scratch/lmdb
export AVOUT_STORE
check killed_with_its_command killed_holder
if [ -n "${AVOUT_TEST_ZOOKEEPER:-}" ]; then
    lost_store=zk://$AVOUT_TEST_ZOOKEEPER/cli-lost-$$-$(date +%s)
    check lost_locks_end_the_command overtaken
fi
check no_store status_of 125 "$avout" lock -t 0.2 -s zk://127.0.0.1:1 /l/a -- true
fails exclusive_options 2 'exclude each other' lock --read --write /l/a -- true
fails no_duration 2 'is not a time' lock --timeout 3parsecs /l/a -- true
fails nothing_to_run 2 'something is missing' lock /l/a
fails bad_name 125 '"l"' lock l -- true
finish
