# The command line: help, options, mistakes, stores that cannot be used, output that cannot be written.
. tests/support/tap.sh
. tests/cli/cli.sh

where=
AVOUT_STORE=lmdb:$scratch/store
export AVOUT_STORE

# ---- help -------------------------------------------------------------------------------------

commands=$("$avout" help | sed -nE 's/^  ([a-z]+)( .*)?$/\1/p')
check there_are_commands [ "$(echo "$commands" | wc -l)" -ge 16 ]
prints() # TEXT ARGUMENT...
{
    wanted=$1
    shift
    "$avout" "$@" >"$scratch/out" 2>"$scratch/err" && [ ! -s "$scratch/err" ] &&
        grep -qF -e "$wanted" "$scratch/out" || { cat "$scratch/out" "$scratch/err"; return 1; }
}
check version prints 'avout 0.' --version
check help_option prints 'usage: avout' --help
check help_command prints 'usage: avout' help
check functions prints 'assoc-in' help functions
for command in $commands; do
    check "overview_names_$command" prints "  $command " help
    check "help_$command" prints "avout $command" help "$command"
    check "help_option_of_$command" prints "usage: avout [-s URL] $command" "$command" --help
    check "manual_has_an_example_of_$command" grep -q "^avout $command" man/avout.1
done
[ -d "$scratch/store" ] && made=1 || made=0
check help_needs_no_store [ $made = 0 ]

# ---- mistakes that have misled ------------------------------------------------------------------

fails time_of_nothing 2 '"0" is not a time of a millisecond or more' get --timeout 0 /n
fails empty_command 2 'the command is empty' watch /n --exec ' '
fails name_of_an_atom 4 'atom: expected a name, as "/app/name", got 0' eval '(atom 0)'
fails one_argument 2 'inc: 1 argument given, expected 2' eval '((fn inc [a b] a) 1)'
fails not_held 4 'this thread does not hold it' eval '(.unlock (distributed-lock (connect)))'
fails no_directory 5 "cannot open the directory /etc/passwd: Not a directory" -s /etc/passwd get /n
fails function_as_a_value 4 'of this process only' eval '(reset!! (atom "/n" 0) inc)'
behind_the_name()
{
    "$avout" lock /l --try true 2>"$scratch/err"
    [ $? = 127 ] && grep -q "^avout: --try: No such file.*avout's own options stand before NAME" "$scratch/err"
}
check options_behind_the_name behind_the_name
no_head()
{
    "$avout" tree /nope >"$scratch/out" 2>"$scratch/err"
    [ $? = 3 ] && [ ! -s "$scratch/out" ]
}
check tree_of_nothing no_head

# The three places that tell the exit statuses tell the same.
statuses() { sed -nE "$1" "$2" | sed 's/`//g' | sort >"$scratch/$3"; }
same_statuses()
{
    "$avout" help >"$scratch/help"
    statuses 's/^  ([0-8])  (.*)$/\1 \2/p' "$scratch/help" statuses.help
    statuses 's/^\| ([0-8]) \| (.*) \|$/\1 \2/p' docs/errors.md statuses.docs
    sed -n '/^.SH EXIT/,/^.PP/p' man/avout.1 | sed 's/\\-/-/g' |
        awk '/^\.B [0-8]/ { n = $2; getline; print n, $0 }' | sort >"$scratch/statuses.man"
    [ "$(wc -l <"$scratch/statuses.help")" = 9 ] &&
        diff "$scratch/statuses.help" "$scratch/statuses.docs" &&
        diff "$scratch/statuses.help" "$scratch/statuses.man"
}
check exit_statuses_are_the_same_everywhere same_statuses

all_options_in_manual()
{
    for command in $commands; do "$avout" help "$command"; done |
        sed -nE 's/^  .{4}(--[a-z-]+).*/\1/p' | sort -u >"$scratch/options"
    [ "$(wc -l <"$scratch/options")" -gt 15 ] || return 1
    sed 's/\\-/-/g' man/avout.1 >"$scratch/manual"
    while read -r option; do
        grep -qF -e "$option" "$scratch/manual" || { echo "$option"; return 1; }
    done <"$scratch/options"
}
check options_are_in_the_manual all_options_in_manual

all_statuses_documented()
{
    sed -nE 's/^ *X\((AVOUT_[A-Z0-9]+), .*/\1/p' include/avout/status.h >"$scratch/names"
    [ "$(wc -l <"$scratch/names")" -gt 30 ] || return 1
    while read -r status; do
        grep -q "\`$status\`" docs/errors.md || { echo "$status"; return 1; }
    done <"$scratch/names"
}
check statuses_are_documented all_statuses_documented

# ---- mistakes ---------------------------------------------------------------------------------

nothing()
{
    "$avout" >"$scratch/out" 2>"$scratch/err"
    [ $? = 2 ] && [ ! -s "$scratch/out" ] && grep -q '^usage: avout' "$scratch/err"
}
check nothing_at_all nothing
fails unknown_command 2 'did you mean swap?' sawp /t/a inc
fails unknown_command_2 2 'did you mean watch?' wat /t/a
fails unknown_command_without_guess 2 'avout help' frobnicate
fails help_about_nothing 2 'did you mean get?' help gte
fails unknown_option 2 'did you mean --json?' get --jsn /t/a
fails unknown_letter 2 '-x' get -x /t/a
fails option_of_another_command 2 '--old' get --old /t/a
fails option_without_argument 2 '--timeout' get /t/a --timeout
fails option_with_argument 2 '--json' get --json=yes /t/a
fails bad_timeout 2 'soon' get --timeout soon /t/a
fails timeout_zero 2 '"0"' get --timeout 0 /t/a
fails timeout_negative 2 '"-1"' get -t -1 /t/a
fails bad_count 2 '"-1"' watch --count=-1 /t/a
fails no_codec 2 '"xml" is not a codec: edn, json or bytes' get --codec xml /t/a
fails codec_of_another_command 2 '--codec' ls --codec json /t
fails two_outputs 2 'exclude' get --json --raw /t/a
fails new_and_existing 2 'exclude' reset --new --existing /t/a 1
fails missing_argument 2 'usage: avout reset' reset /t/a
fails too_many_arguments 2 'usage: avout reset' reset /t/a 1 2
fails no_name 2 'usage: avout get' get
fails control_characters_stay_one_line 2 'no such command' "$(printf 'a\nb')"
says attached_argument 0 '' -slmdb:"$scratch/other" reset /t/a 1
says equals_argument 0 1 get /t/a --store=lmdb:"$scratch/other"
says options_before_the_command 0 1 -s lmdb:"$scratch/other" --json get /t/a
says dashes 0 '' -s lmdb:"$scratch/other" reset -- /t/a -x
says dashes_read 0 -x -s lmdb:"$scratch/other" get /t/a

# ---- stores -----------------------------------------------------------------------------------

fails bad_url 2 '"nowhere"' -s nowhere://x get /t/a
fails user_without_password 2 AVOUT_PASSWORD -u ann get /t/a
fails bad_acl 2 everybody --acl everybody get /t/a
touch "$scratch/file"
fails store_is_a_file 5 "$scratch/file" -s lmdb:"$scratch/file" get /t/a
mkdir "$scratch/foreign" && echo stranger >"$scratch/foreign/data"
port=$(awk 'BEGIN { srand(); print 20000 + int(rand() * 10000) }')
quick()
{
    began=$(date +%s)
    failed 5 "127.0.0.1:$port" -s "zk://127.0.0.1:$port" --timeout 1 get /t/a || return 1
    [ $(($(date +%s) - began)) -le 5 ]
}
check no_server_within_the_deadline quick
default_store()
{
    unset AVOUT_STORE
    XDG_STATE_HOME=$scratch/state
    export XDG_STATE_HOME
    "$avout" reset /t/a 5 && said 0 5 get /t/a && [ -d "$scratch/state/avout" ]
}
check default_store_is_in_the_state_directory eval '(default_store)'

# ---- output -----------------------------------------------------------------------------------

"$avout" reset /t/a 1
full()
{
    "$avout" get /t/a >/dev/full 2>"$scratch/err"
    [ $? = 8 ] && grep -q '^avout: standard output: No space' "$scratch/err"
}
check output_full full
# The reader is gone before anything is written: a fifo with its only reader closed.
gone()
{
    mkfifo "$scratch/gone"
    sh -c 'exec 3<"$1"; exec 3<&-' sh "$scratch/gone" &
    exec 4>"$scratch/gone"
    wait $!
    "$avout" "$@" >&4 2>"$scratch/err"
    status=$?
    exec 4>&-
    rm "$scratch/gone"
    [ $status = 0 ] && [ ! -s "$scratch/err" ]
}
check output_closed gone get /t/a
check help_closed gone help

finish
