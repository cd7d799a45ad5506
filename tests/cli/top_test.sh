# avout top: the table, live in a terminal (tmux is one) and once.
# Test-tags: slow waits
. tests/support/tap.sh
. tests/cli/cli.sh

LC_ALL=C.UTF-8
TMUX_TMPDIR=$scratch
export LC_ALL TMUX_TMPDIR
term() { tmux -L "top-$$" "$@"; }
# It stays between two terminals: its end would be met by the next one's beginning.
tmux -L "top-$$" -f /dev/null start-server \; set-option -s exit-empty off

# ---- a terminal ---------------------------------------------------------------------------------

# Runs `avout top ARGUMENT...` in a new terminal of 100 x 12; its status is in $scratch/ended.
top()
{
    rm -f "$scratch/ended" "$scratch/top.err"
    term new-session -d -x 100 -y 12 "trap : INT
        AVOUT_STORE='$AVOUT_STORE' '$avout' top $* 2>'$scratch/top.err'; echo \$? >'$scratch/ended'; echo over; sleep 300"
}
screen() { term capture-pane -p; }
key() { term send-keys "$@"; }
shown() { screen | grep -qE -e "$1"; }
shows() { eventually shown "$1" || { screen; cat "$scratch/top.err"; return 1; }; }
not_shown() { ! shown "$1"; }
hides() { eventually not_shown "$1" || { screen; return 1; }; }
# The first row of the table begins with that.
first_is() { [ "$(screen | sed -n 4p | awk '{ print $1 }')" = "$1" ]; }
first() { eventually first_is "$1" || { screen; return 1; }; }
over()
{
    eventually [ -s "$scratch/ended" ] && [ "$(cat "$scratch/ended")" = "${1:-0}" ] && shows '^over' ||
        { screen; cat "$scratch/ended" "$scratch/top.err"; return 1; }
    term kill-session
}
# Whatever became of a test, the next one has a terminal of its own.
live()
{
    check "$where$(echo "$@" | tr " " _)" "$@"
    term kill-session 2>"$scratch/kill.err" || true
}

set_to() { "$avout" reset "$1" "$2"; }
follows_changes()
{
    set_to /t/ann 1 && set_to /t/bob '{:text "h\nello", :k ["ä" 世]}' && top --interval 100ms /t &&
        shows '^/t/ann .* 1$' && shows '^/t/bob .* \{:text "h\\nello", :k \["ä" 世\]\}$' &&
        shows '^NAME +CHANGES/S +LAST CHANGE +WATCHERS +QUEUE +LOCK +VALUE$' && shows '^q end' &&
        set_to /t/ann 27 && shows '^/t/ann .* 27$' &&
        set_to /t/new/one :x && shows '^/t/new/one .* :x$' &&
        "$avout" rm /t/new/one && hides '^/t/new/one' && key q && over
}
# While it is changed without an end the rate shows; then it is none again.
counts_changes()
{
    set_to /t/ann 1 && top --interval 200ms /t && shows '^/t/ann +0' || return 1
    while [ ! -e "$scratch/enough" ]; do set_to /t/ann 1; done &
    writer=$!
    shows '^/t/ann +[1-9]' && shows ' [1-9][0-9.]* changes/s'
    result=$?
    touch "$scratch/enough"
    wait $writer
    rm "$scratch/enough"
    [ $result = 0 ] && shows '^/t/ann +0 ' && key q && over
}
sorts_and_filters()
{
    set_to /t/ann 1 && set_to /t/bob 2 && top --interval 100ms /t && first /t/ann && key r &&
        first /t/bob && shows 'by name reversed' && key n && first /t/ann && key t && first /t/bob &&
        shows 'by time' && set_to /t/ann 5 && first /t/ann && key / && shows '^filter: _' && key B O &&
        first /t/bob && hides '^/t/ann' && key BSpace BSpace && shows '^/t/ann' && key x x &&
        hides '^/t/' && shows '^nothing to show' && key Escape && shows '^/t/ann' && key q && over
}
moves() 
{
    [ "$("$avout" ls /many 2>"$scratch/ls.err" | wc -l)" = 30 ] ||
        "$avout" eval '(doseq [i (range 10 40)] (ref (str "/many/n" i) i))' && top /many &&
        first /many/n10 && shows '^/many/n17 .* 17$' && not_shown n18 && key Down && first /many/n11 &&
        shows '^/many/n18 .* 18$' && key NPage && first /many/n19 && shows ' 26$' && key End &&
        first /many/n32 && shows '^/many/n39 .* 39$' && key Up && first /many/n31 && key Home &&
        first /many/n10 && shows ' 10$' && key End && shows n39 && term resize-window -x 100 -y 44 &&
        first /many/n10 && shows '^/many/n39 .* 39$' && term resize-window -x 40 -y 6 && hides n12 && first /many/n10 &&
        [ "$(screen | awk '{ if (length > 42) print }')" = '' ] && key q && over
}
locks_are_shown()
{
    set_to /t/ann 1 || return 1
    mkfifo "$scratch/hold"
    "$avout" lock /t/ann -- cat "$scratch/hold" &
    "$avout" lock /t/only -- cat "$scratch/hold" &
    top --interval 100ms /t && shows '^/t/ann .* 1 +1$' && shows '^/t/only .* 1$' || return 1
    "$avout" lock /t/ann -- true &
    waiter=$!
    shows '^/t/ann .* 1\+1 +1$' && key l && first /t/ann
    result=$?
    : >"$scratch/hold" # both see the end of it
    rm "$scratch/hold"
    wait $waiter && [ $result = 0 ] && shows '^/t/ann .* free +1$' && hides '^/t/only' && key q && over
}
ends_on() # SIGNAL
{
    top /t && shows '^/t/ann' || return 1
    for process in /proc/[0-9]*; do
        tr '\0' ' ' 2>"$scratch/tr.err" <"$process/cmdline" | grep -q "^$avout top " &&
            grep -q "$scratch" "$process/environ" && kill "-$1" "${process#/proc/}"
    done
    over
}
interrupted() { top /t && shows '^/t/ann' && key C-c && over; }
on_a_strange_terminal()
{
    rm -f "$scratch/ended"
    term new-session -d -x 80 -y 12 "TERM=nonsense AVOUT_STORE='$AVOUT_STORE' '$avout' top 2>'$scratch/top.err'; echo \$? >'$scratch/ended'; echo over; sleep 300"
    over 8 && grep -q 'nonsense' "$scratch/top.err"
}

# ---- once --------------------------------------------------------------------------------------------

once_as_table()
{
    set_to /t/ann 1 && set_to /t/bob '"two words"' && "$avout" rm -r /t/new 2>"$scratch/rm.err"
    "$avout" top --once --interval 10ms /t >"$scratch/out" || return 1
    cat "$scratch/out"
    [ "$(sed -n '1s/  */ /gp' "$scratch/out")" = 'NAME CHANGES/S LAST CHANGE WATCHERS QUEUE LOCK VALUE' ] &&
        grep -qE '^/t/ann +0 +2[0-9]{3}-[0-9-]{5} [0-9:]{8} +- +0 +(-|free) +1$' "$scratch/out" &&
        grep -qE ' "two words"$' "$scratch/out" && [ "$(wc -l <"$scratch/out")" = 3 ] &&
        [ "$("$avout" top --once --interval 10ms --rows 1 --filter BOB /t | tail -n +2 | cut -c 1-7)" = '/t/bob ' ]
}
json() { "$avout" top --once --json --interval 20ms "$@" >"$scratch/json" && jq -e . "$scratch/json" >"$scratch/jq"; }
# is FILTER: jq's answer about the document is true.
is() { jq -e "$1" "$scratch/json" >"$scratch/jq" || { cat "$scratch/json"; echo "not so: $1"; return 1; }; }
once_as_json()
{
    set_to /t/ann 1 && set_to /t/bob '{:a [1 2.5 nil "q\"\\\n"]}' && set_to '/t/o"dd ä' nil && json /t &&
        is '.names | map(.name) == ["/t/ann", "/t/bob", "/t/o\"dd ä"]' &&
        is '.names[1].value == {a: [1, 2.5, null, "q\"\\\n"]}' &&
        is '[.names[] | keys_unsorted] | unique == [["name", "value", "error", "version", "changes_per_second",
            "changed_ms", "size", "watchers", "queue", "lock"]]' &&
        is '.names[0] | .version >= 0 and .changes_per_second == 0 and .watchers == null and .queue == 0 and
            .error == null and .size == 1' &&
        is '[.store, .directory, .interval_ms] == [env.AVOUT_STORE, "/t", 20] and .time_ms > 1e12' &&
        is '.time_ms - .names[0].changed_ms | . > -60000 and . < 600000' &&
        json --no-values /t && is '[.names[].value] == [null, null, null]' &&
        json --sort time --rows 1 /t && is '.names | map(.name) == ["/t/o\"dd ä"]' &&
        "$avout" rm '/t/o"dd ä'
}
once_counts()
{
    set_to /t/ann 1 && set_to /t/bob 2 || return 1
    while [ ! -e "$scratch/enough" ]; do set_to /t/ann 1; done &
    writer=$!
    json --interval 1s --sort changes /t
    result=$?
    touch "$scratch/enough"
    wait $writer
    rm "$scratch/enough"
    [ $result = 0 ] && is '.names | map(.name) == ["/t/ann", "/t/bob"]' &&
        is '.names | .[0].changes_per_second > 0 and .[1].changes_per_second == 0'
}
once_with_locks()
{
    set_to /t/ann 1 && "$avout" lock /t/ann -- "$avout" lock --read /t/only -- \
        "$avout" top --once --json --interval 20ms /t >"$scratch/json" &&
        is '.names[0] | .name == "/t/ann" and .value == 1 and .lock == {holders: 1, waiting: 0, shared: false}' &&
        is '.names[-1] | .name == "/t/only" and .value == null and .version == null and
            .lock == {holders: 1, waiting: 0, shared: true}' || return 1
    # What is asked for may be a name itself, and a lock.
    "$avout" lock /t/ann -- "$avout" top --once --json --interval 20ms /t/ann >"$scratch/json" &&
        is '.names | map([.name, .value, .lock.holders]) == [["/t/ann", 1, 1]]'
}
# ZooKeeper: who may not read a value is told so, in its place.
once_with_secrets()
{
    set_to /t/ann 1 && AVOUT_PASSWORD=x "$avout" -u ann --acl owner reset /t/secret 1 && json /t &&
        is '.names | map(select(.name == "/t/secret")) | .[0].value == null and (.[0].error | length) > 5' &&
        is '.names[0] | .value == 1 and .error == null' && "$avout" top --once --interval 10ms /t >"$scratch/out" &&
        grep -q '^/t/secret .* ? ' "$scratch/out"
}
nothing() { json && is '.names == []' && [ "$("$avout" top --once --interval 10ms | wc -l)" = 1 ]; }
# More than are asked for at a time, in several directories.
many_at_once()
{
    "$avout" eval '(doseq [i (range 2500)] (ref (str "/bulk/d" (mod i 7) "/n" i) i))' && json /bulk &&
        is '.names | length == 2500 and (map(.value) | sort) == [range(2500)]' && "$avout" rm -r /bulk
}

tops()
{
    check "${where}once_with_nothing" nothing
    live follows_changes
    live counts_changes
    live sorts_and_filters
    live moves
    live locks_are_shown
    live ends_on TERM
    live ends_on HUP
    live interrupted
    check "${where}once_as_a_table" once_as_table
    check "${where}once_as_json" once_as_json
    check "${where}once_counts_changes" once_counts
    check "${where}once_with_locks" once_with_locks
    fails absent_directory 3 '/no/where' top --once /no/where
}
on_each_store tops "${AVOUT_TEST_ZOOKEEPER:-}"

AVOUT_STORE=lmdb:$scratch/lmdb
check once_with_many many_at_once
live on_a_strange_terminal
fails no_terminal 2 '--once' top
fails json_of_what_lives 2 '--once' top --json
fails unknown_order 2 'name, changes' top --once --sort size
fails no_interval 2 '"0"' top --once --interval 0
fails filter_too_long 2 '--filter' top --once --filter "$(printf %200s x)"

# ---- a store that goes and comes back ---------------------------------------------------------------------

# A server of its own: it is stopped, which is what a network that is cut looks like.
server=
stop_server() { for child in $(cat /proc/"$server"/task/*/children); do kill "-$1" "$child"; done; }
serves() { [ -s "$scratch/server" ] && grep -q : "$scratch/server"; }
comes_back()
{
    "$built/../zookeeper-server" --here serve >"$scratch/server" 2>"$scratch/server.err" &
    server=$!
    eventually serves || { cat "$scratch/server.err"; return 1; }
    AVOUT_STORE=zk://$(cat "$scratch/server")/top
    set_to /t/ann 1 && top --interval 100ms --timeout 1s && shows '^/t/ann .* 1$' && stop_server STOP &&
        shows 'THE STORE (IS AWAY|DOES NOT ANSWER)' && shows '^/t/ann .* 1$' && key r &&
        shows 'by name reversed' && stop_server CONT && hides 'THE STORE' && set_to /t/ann 2 &&
        shows '^/t/ann .* 2$' && stop_server STOP && shows 'THE STORE' && key q && over
    result=$?
    stop_server CONT
    kill $server
    return $result
}
if [ -n "${AVOUT_TEST_ZOOKEEPER:-}" ]; then live comes_back; fi

if [ -n "${AVOUT_TEST_ZOOKEEPER:-}" ]; then
    AVOUT_STORE=zk://$AVOUT_TEST_ZOOKEEPER/cli-secrets-$$
    check once_with_secrets once_with_secrets
fi

# Only what is on the screen is watched: the server says how many watches there are.
if [ -n "${AVOUT_TEST_ZOOKEEPER:-}" ]; then
    AVOUT_STORE=zk://$AVOUT_TEST_ZOOKEEPER/cli-watched-$$
    watches()
    {
        bash -c 'exec 3<>"/dev/tcp/${0%:*}/${0##*:}" && echo wchp >&3 && cat <&3' "$AVOUT_TEST_ZOOKEEPER" |
            grep -c "^/cli-watched-$$/.*/many:/"
    }
    watches_that_many() { [ "$(watches)" = "$1" ]; }
    only_what_is_shown()
    {
        moves && top --interval 100ms /many && shows '^/many/n17 .* 17$' && eventually watches_that_many 8 &&
            key End && shows '^/many/n39' && eventually watches_that_many 8 && key / && key 3 9 &&
            hides '^/many/n3[0-8]' && eventually watches_that_many 1 && key Enter && key q && over &&
            eventually watches_that_many 0
    }
    live only_what_is_shown
fi

term kill-server
finish
