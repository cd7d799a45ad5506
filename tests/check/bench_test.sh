# The benchmark: that it runs, that what it prints has its shape, and that it leaves nothing behind.
# No test looks at a time.
. tests/support/tap.sh

bench=$built/bin/avout-bench
run() { "$bench" --store "$scratch" --seconds 0.2 "$@"; }

lists_rows() { [ "$("$bench" --list | grep -cE '^(swap|dosync|edn|values)$')" = 4 ]; }
check lists_rows lists_rows
refuse unknown_row 'there is no such row' "$bench" --row no-such-row
refuse unknown_option 'is no option' "$bench" --no-such-option 1
refuse missing_argument 'its argument is missing' "$bench" --row
refuse wrong_seconds 'is no number of seconds' "$bench" --seconds soon
refuse missing_place 'No such file or directory' "$bench" --store "$scratch/none" --row deref
refuse nobody_there 'nobody answers there' "$bench" --store zk://127.0.0.1:1 --row swap

table()
{
    run --row embedded-swap --row deref >"$scratch/table" && cat "$scratch/table" &&
        grep -qE '^embedded-swap +lmdb: .* [0-9.]+ ms +[0-9.]+ ms +[0-9.]+ +<= 1.25 x +(yes|NO)$' "$scratch/table" &&
        [ "$(grep -cE '^deref .* [0-9.]+ ns +[0-9.]+ ns +[0-9.]+ +<= (2|0.5) x +(yes|NO)$' "$scratch/table")" = 2 ] &&
        grep -qE '^fsync of this disk: [0-9.]+ ms' "$scratch/table"
}
check table table
json()
{
    run --row edn --json >"$scratch/json" && cat "$scratch/json" &&
        [ "$(grep -cE '"row": "edn".*"ours": [0-9.e+]+,.*"met": (true|false)}' "$scratch/json")" = 2 ] &&
        [ "$(tr -d '[:space:]' <"$scratch/json" | sed 's/\(.\).*\(.\)/\1\2/')" = '{}' ]
}
check json json
contenders()
{
    run --row embedded-hand-overs >"$scratch/contenders" && cat "$scratch/contenders" &&
        [ "$(grep -cE '^embedded-hand-overs +lmdb: .* among [0-9]+ processes .* [0-9.]+/s ' "$scratch/contenders")" = 3 ] &&
        [ "$(grep -cE '^embedded-hand-overs +lmdb: slowest .* >= 0.5 x +(yes|NO)$' "$scratch/contenders")" = 3 ]
}
check contenders contenders
containers()
{
    run --row containers >"$scratch/containers" && cat "$scratch/containers" &&
        grep -qE '^containers +zk \+ file: .* [0-9.]+ ms +[0-9.]+ ms ' "$scratch/containers" &&
        grep -qE '^containers +zk \+ mongo: .* ms |^containers: mongo: not measured' "$scratch/containers"
}
check containers containers
check leaves_nothing_behind sh -c "! ls -d $scratch/avout-bench-* 2>/dev/null"

# The signal must end it where it waits, and what it made must go with it.
interrupted()
{
    "$bench" --store "$scratch" --seconds 60 --row embedded-swap &
    pid=$!
    until ls -d "$scratch"/avout-bench-*/embedded-swap >/dev/null 2>&1; do kill -0 $pid || return; done
    kill -TERM $pid
    wait $pid
    [ $? = 143 ] && ! ls -d "$scratch"/avout-bench-* 2>/dev/null
}
check interrupted interrupted

finish
