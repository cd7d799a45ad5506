# avout watch: every change in a line, at once; how it ends.
# Test-tags: slow waits
# shellcheck disable=SC2016 # what is between single quotes is the command's
. tests/support/tap.sh
. tests/cli/cli.sh

set_to() { "$avout" reset /w/a "$1"; }
lines() { [ "$(wc -l <"$scratch/watched")" -ge "$1" ]; }
watched() { cat "$scratch/watched"; printf '%s\n' "$@" | diff - "$scratch/watched"; }

# Starts a watch in the background whose first line tells that it is there; $watcher is its process.
start()
{
    : >"$scratch/watched"
    "$avout" watch --initial "$@" >"$scratch/watched" 2>"$scratch/watched.err" &
    watcher=$!
    eventually lines 1 || { cat "$scratch/watched.err"; return 1; }
}
dead() { [ "$(sed 's/.*) \(.\).*/\1/' "/proc/$1/stat" 2>/dev/null || echo Z)" = Z ]; }
ended() # STATUS
{
    eventually dead "$watcher" || kill -9 "$watcher"
    wait "$watcher"
    status=$?
    [ $status = "$1" ] || { echo "status $status"; cat "$scratch/watched.err"; return 1; }
}

counts()
{
    set_to 0 && start --count 2 /w/a && set_to '[1]' && eventually lines 2 && set_to nil &&
        ended 0 && watched 0 '[1]' nil
}
as_json()
{
    set_to :a && start --json --count 1 /w/a && set_to '{:b "c"}' && ended 0 &&
        watched '"a"' '{"b":"c"}'
}
as_raw()
{
    set_to '"a b"' && start --raw --count 1 /w/a && set_to '"c"' && ended 0 && watched 'a b' c
}
without_initial()
{
    set_to 0
    "$avout" watch --count 1 /w/a >"$scratch/watched" &
    watcher=$!
    n=0
    while kill -0 $watcher 2>/dev/null && [ $n -lt 100 ]; do
        n=$((n + 1))
        set_to $n || return 1
        sleep 0.05
    done
    ended 0 && [ "$(wc -l <"$scratch/watched")" = 1 ] && ! grep -qx 0 "$scratch/watched"
}
last_is_shown()
{
    set_to 0 && start /w/a || return 1
    n=1
    while [ $n -le 30 ]; do
        set_to $n || return 1
        n=$((n + 1))
    done
    eventually grep -qx 30 "$scratch/watched" || { cat "$scratch/watched"; return 1; }
    kill -TERM "$watcher"
    ended 0 && sort -nc "$scratch/watched"
}
ends_on() # SIGNAL
{
    set_to 0 && start /w/a && kill "-$1" "$watcher" && ended 0 && [ ! -s "$scratch/watched.err" ]
}
interrupted()
{
    # A shell starts background processes with SIGINT ignored; env gives it back.
    set_to 0
    # What an earlier watch has printed must not be taken for this one's: the signal would come while
    # it is still ignored.
    rm -f "$scratch/watched"
    env --default-signal=INT "$avout" watch --initial /w/a >"$scratch/watched" &
    watcher=$!
    eventually lines 1 && kill -INT $watcher && ended 0
}
reader_gone_while_quiet()
{
    mkfifo "$scratch/pipe"
    "$avout" watch --initial /w/a >"$scratch/pipe" 2>"$scratch/watched.err" &
    watcher=$!
    head -n 1 <"$scratch/pipe" >/dev/null
    rm "$scratch/pipe"
    ended 0 && [ ! -s "$scratch/watched.err" ]
}
# At several looks in a row: then it waits.
asleep() # PID
{
    for look in 1 2 3 4 5; do
        [ "$(cut -d ' ' -f 3 "/proc/$1/stat")" = S ] || { echo "not at look $look"; return 1; }
        sleep 0.01
    done
}
slow_reader_can_end()
{
    # More than a pipe holds, and nobody reads: a signal must still end it.
    long=$(awk 'BEGIN { for (i = 0; i < 30000; i++) printf "%d ", 1000000 + i }')
    printf '[%s]' "$long" | "$avout" reset /w/long - || return 1
    mkfifo "$scratch/pipe"
    {
        dd bs=1 count=1 of="$scratch/begun" 2>"$scratch/dd.err"
        exec sleep 60
    } <"$scratch/pipe" &
    reader=$!
    "$avout" watch --initial /w/long >"$scratch/pipe" 2>"$scratch/watched.err" &
    watcher=$!
    eventually [ -s "$scratch/begun" ] || return 1
    eventually asleep $watcher || return 1 # the pipe is full: it is stuck in writing when the signal comes
    kill -TERM $watcher
    ended 0
    result=$?
    kill $reader
    rm "$scratch/pipe"
    return $result
}
removed_and_back()
{
    set_to 1 && start --count 1 /w/a && "$avout" rm /w/a &&
        eventually grep -q 'was removed' "$scratch/watched.err" && set_to 2 && ended 0 && watched 1 2
}


# ---- --exec: a command for each change ----------------------------------------------------------

# Starts a watch in the background that runs the command, first for the present value.
run() # [OPTION...] COMMAND [ARGUMENT...]
{
    : >"$scratch/ran"
    rm -f "$scratch/go"
    (
        cd "$scratch" || exit
        # What these say in our own environment is not what the command is told.
        exec env --default-signal=INT AVOUT_OLD=ours AVOUT_VALUE=ours "$avout" watch --initial /w/a "$@"
    ) 2>"$scratch/watched.err" &
    watcher=$!
}
ran_lines() { [ "$(wc -l <"$scratch/ran")" -ge "$1" ]; }
ran() { eventually ran_lines $# && printf '%s\n' "$@" | diff - "$scratch/ran"; }
told() { grep -qF -e "$1" "$scratch/watched.err" || { cat "$scratch/watched.err"; return 1; }; }
gone() { ! kill -0 "$1" 2>"$scratch/kill.err"; }

runs_for_each()
{
    set_to '"a b"' && run --count 3 --exec 'echo "$0:$1:${AVOUT_OLD-none}:$AVOUT_NAME:$AVOUT_VALUE:$(cat)" >>ran' x &&
        ran '/w/a:x:none:/w/a:"a b":"a b"' && set_to '{:b 1}' && eventually ran_lines 2 && "$avout" rm /w/a &&
        eventually told 'was removed' && set_to 5 && eventually ran_lines 3 && set_to 6 && ended 0 &&
        ran '/w/a:x:none:/w/a:"a b":"a b"' '/w/a:x:"a b":/w/a:{:b 1}:{:b 1}' '/w/a:x:none:/w/a:5:5' \
            '/w/a:x:5:/w/a:6:6'
}
runs_with_json()
{
    set_to '"a"' && run --json --count 1 --exec 'echo "$AVOUT_OLD$AVOUT_VALUE$(cat)" >>ran' && eventually ran_lines 1 &&
        set_to '[:k]' && ended 0 && ran '"a""a"' '"a"["k"]["k"]' &&
        set_to '"a b"' && run --raw --count 1 --exec 'echo "$AVOUT_OLD|$AVOUT_VALUE|$(cat)" >>ran' &&
        eventually ran_lines 1 && set_to '"c"' && ended 0 && ran '|a b|a b' 'a b|c|c'
}
# While one run waits for the file, changes gather: they come one after the other, the last one too.
runs_one_at_a_time()
{
    set_to 0 && run --exec 'mkdir one || echo two >>ran; until [ -e go ]; do sleep 0.02; done; cat >>ran; rmdir one' &&
        eventually [ -d "$scratch/one" ] || return 1
    n=1
    while [ $n -le 12 ]; do
        set_to $n || return 1
        n=$((n + 1))
    done
    touch "$scratch/go"
    eventually grep -qx 12 "$scratch/ran" && eventually [ ! -d "$scratch/one" ] && kill -TERM "$watcher" && ended 0 && sort -nc "$scratch/ran" &&
        grep -qx 0 "$scratch/ran" && ! grep -q two "$scratch/ran" && [ ! -s "$scratch/watched.err" ]
}
failures_do_not_end_it()
{
    set_to 3 && run --count 2 --exec 'read -r n; echo $n >>ran; [ $n != 9 ] || kill -9 $$; exit $n' && ran 3 &&
        set_to 9 && eventually ran_lines 2 && set_to 0 && ended 1 && ran 3 9 0 && told '/w/a: the command ended with status 3' &&
        told '/w/a: the command was ended by signal 9' && [ "$(wc -l <"$scratch/watched.err")" = 2 ]
}
# More than a pipe holds and a variable may have, for a command that does not read and one that does.
runs_with_large_values()
{
    long=$(awk 'BEGIN { for (i = 0; i < 30000; i++) printf "%d ", 1000000 + i }')
    printf '"%s"' "$long" | "$avout" reset /w/a - &&
        run --count 1 --exec 'echo "${AVOUT_VALUE-none} ${#AVOUT_OLD}" >>ran; [ -n "$AVOUT_VALUE" ] || wc -c >>ran' &&
        ran 'none 0' 240003 && set_to 1 && ended 0 && ran 'none 0' 240003 '1 0'
}
hangs='echo $$ >pids; sleep 300 & echo $! >>pids; echo on >>ran; wait'
ends_what_hangs() # SIGNAL
{
    set_to 0 && run --exec "$hangs" && eventually ran_lines 1 && kill "-$1" "$watcher" && ended 0 &&
        [ ! -s "$scratch/watched.err" ] || return 1
    while read -r process; do eventually gone "$process" || return 1; done <"$scratch/pids"
}
ends_what_does_not_want_to()
{
    set_to 0 && run --kill-after 100ms --exec "trap 'echo told >>ran' TERM; (trap '' TERM; exec sleep 300) & echo \$! >pids
        echo on >>ran; while :; do wait; done" && eventually ran_lines 1 && kill -TERM "$watcher" && ended 0 &&
        ran on told && eventually gone "$(cat "$scratch/pids")"
}
takes_its_time()
{
    set_to 0 && run --exec "trap 'until [ -e go ]; do sleep 0.02; done; echo done >>ran; exit 0' TERM; echo on >>ran; while :; do sleep 0.02; done" &&
        eventually ran_lines 1 && kill -TERM "$watcher" && kill -TERM "$watcher" && ! dead "$watcher" && touch "$scratch/go" &&
        ended 0 && ran on done
}
passes_signals_on()
{
    set_to 0 && run --count 1 --exec "trap 'echo usr >>ran' USR1; echo on >>ran; until [ -e go ]; do sleep 0.02; done" &&
        eventually ran_lines 1 && kill -USR1 "$watcher" && ran on usr && touch "$scratch/go" && set_to 1 && ended 0 && ran on usr on
}
killed_takes_it_along()
{
    set_to 0 && run --exec 'echo $$ >pids; echo on >>ran; exec sleep 300' && eventually ran_lines 1 &&
        kill -9 "$watcher" && eventually gone "$(cat "$scratch/pids")" && ended 137
}

watches()
{
    check "${where}counts" counts
    check "${where}json" as_json
    check "${where}raw" as_raw
    check "${where}without_initial" without_initial
    check "${where}last_change_is_shown" last_is_shown
    check "${where}ends_on_TERM" ends_on TERM
    check "${where}ends_on_HUP" ends_on HUP
    check "${where}ends_on_INT" interrupted
    check "${where}ends_when_its_reader_is_gone" reader_gone_while_quiet
    check "${where}ends_while_its_reader_is_slow" slow_reader_can_end
    check "${where}goes_on_after_removal" removed_and_back
    fails absent 3 /w/none watch /w/none
    check "${where}runs_a_command_for_each_change" runs_for_each
    check "${where}runs_it_one_at_a_time_the_last_change_too" runs_one_at_a_time
    check "${where}failures_of_the_command_do_not_end_it" failures_do_not_end_it
    check "${where}ends_a_command_that_hangs_on_TERM" ends_what_hangs TERM
}
on_each_store watches "${AVOUT_TEST_ZOOKEEPER:-}"

AVOUT_STORE=lmdb:$scratch/lmdb
check runs_with_other_outputs runs_with_json
check runs_with_large_values runs_with_large_values
check ends_a_command_that_hangs_on_INT ends_what_hangs INT
check ends_a_command_that_does_not_want_to ends_what_does_not_want_to
check leaves_the_command_time_to_end takes_its_time
check passes_signals_on passes_signals_on
check its_end_is_the_commands killed_takes_it_along
fails arguments_of_nothing 2 '--exec' watch /w/a b
fails kill_after_of_nothing 2 '--exec' watch --kill-after 1s /w/a

finish
