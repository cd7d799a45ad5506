# avout watch: every change in a line, at once; how it ends.
# Test-tags: slow
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
    sleep 1 # to fill the pipe: it is stuck in writing when the signal comes
    kill -0 $watcher || return 1
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
}
on_each_store watches "${AVOUT_TEST_ZOOKEEPER:-}"

finish
