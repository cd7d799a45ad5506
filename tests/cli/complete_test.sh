# avout complete, and the completions of bash, zsh and fish, in a terminal.
. tests/support/tap.sh
. tests/cli/cli.sh

LC_ALL=C.UTF-8
TMUX_TMPDIR=$scratch
PATH=$built/bin:$PATH
export LC_ALL TMUX_TMPDIR PATH
places=$PWD/completions

# ---- what there is to complete ------------------------------------------------------------------

# offers CANDIDATES WORD...: exactly those, in their order, without what stands behind tabs.
offers() { check "$where$1" offered "$@"; }
offered()
{
    wanted=$2
    shift 2
    "$avout" complete -- "$@" >"$scratch/offered" 2>"$scratch/err" || return 1
    cut -f 1 "$scratch/offered" | tr '\n' ' ' | sed 's/ $//' >"$scratch/out"
    cat "$scratch/err" "$scratch/out"
    [ ! -s "$scratch/err" ] && [ "$(cat "$scratch/out")" = "$wanted" ]
}
completes()
{
    "$avout" reset /c/config 1 && "$avout" reset /c/count 2 && "$avout" reset /c/gone 3 && "$avout" rm /c/gone &&
        "$avout" reset /c/deep/er 4 && "$avout" reset '/c/a:b c' 5 && "$avout" reset /top 6 &&
        "$avout" lock /k/one -- true || return 1
    offers names '/c/config /c/count' get /c/co
    offers names_and_directories '/c/a:b c /c/config /c/count /c/deep/' rm /x /c/
    offers names_at_the_top '/top' get /t
    offers names_of_no_word '/c/ /top' get ''
    offers directories '/c/deep/' tree /c/
    offers directories_of_top '/c/' top /
    offers locks '/k/one' lock /k/
    offers locks_are_no_names '' get /k/
    offers nothing_where_nothing_is '' get /none/x
}
on_each_store completes "${AVOUT_TEST_ZOOKEEPER:-}"

AVOUT_STORE=lmdb:$scratch/lmdb
export AVOUT_STORE
offers commands 'lock locks' lo
offers functions 'assoc assoc-in' swap /c/config ass
offers options '--initial' watch --in
offers options_of_every_command '--strict --store' get --st
offers options_before_the_command '--verbose --version' --ver
offers letters_take_arguments '/c/config' -s "lmdb:$scratch/lmdb" get -q /c/conf
offers orders 'watchers' top --sort w
offers containers 'file:' gc --container f
offers all_containers 'file: http: mongo: postgres: redis:' gc --container ''
offers codecs 'edn json bytes' get --codec ''
offers the_option_of_codecs '--codec' swap /c/config --cod
offers acls 'owner owner-writes' --acl ow
offers topics 'swap' help sw
offers another_command ':commands' lock /k/one --
offers another_command_2 ':commands' lock /k/one ''
offers another_commands_words ':files' lock /k/one -- tar --f
offers a_shells_command ':commands' watch /c/config --exec ''
offers files ':files' eval -f ''
offers no_values '' reset /c/config ''
offers nothing_for_what_is_unknown '' frobnicate ''
offers nothing_without_a_store '' -s zk://127.0.0.1:1 -t 100ms get /c
AVOUT_STORE=nowhere://x
offers options_need_no_store '--json' get --js
AVOUT_STORE=lmdb:$scratch/lmdb
all_commands()
{
    "$avout" complete -- '' | cut -f 1 >"$scratch/offered"
    "$avout" help | sed -nE 's/^  ([a-z]+)( .*)?$/\1/p' | diff - "$scratch/offered" && [ "$(wc -l <"$scratch/offered")" -ge 15 ]
}
check all_commands all_commands

# ---- the shells ---------------------------------------------------------------------------------------

term() { tmux -L "complete-$$" "$@"; }
tmux -L "complete-$$" -f /dev/null start-server \; set-option -s exit-empty off
screen() { term capture-pane -p -J; }
shown() { screen | grep -qF -e "$1"; }
shows() { eventually shown "$1" || { screen; return 1; }; }

# Starts a shell that has the completion, and waits for its prompt.
shell() # COMMAND SETUP
{
    mkdir -p "$scratch/home/files"
    : >"$scratch/home/files/program.clj"
    term new-session -d -x 120 -y 20 "cd '$scratch/home' && HOME=$scratch/home AVOUT_STORE='$AVOUT_STORE' PATH='$PATH' $1"
    term send-keys "$2; echo ready''-42" Enter
    shows ready-42
}
# Types it and a tab, and waits for that on the command line.
typed() # WHAT LINE
{
    term send-keys C-u
    term send-keys -l "$1"
    term send-keys Tab
    shows "$2"
}
# The same with two tabs: what there is to choose from.
listed() # WHAT TEXT...
{
    term send-keys C-u
    term send-keys -l "$1"
    term send-keys Tab Tab
    shift
    for text in "$@"; do shows "$text" || return 1; done
}
works_in()
{
    name=$1
    shift
    check "$name" shell "$@"
    check "${name}_commands" typed 'avout res' 'avout reset '
    check "${name}_options" typed 'avout get --pre' 'avout get --pretty '
    check "${name}_names" typed 'avout get /c/conf' 'avout get /c/config '
    check "${name}_directories" typed 'avout get /c/de' 'avout get /c/deep/'
    check "${name}_below_them" typed 'avout get /c/deep/e' 'avout get /c/deep/er '
    check "${name}_functions" typed 'avout swap /c/config updat' 'avout swap /c/config update'
    check "${name}_files" typed 'avout eval -f files/pro' 'avout eval -f files/program.clj'
    check "${name}_other_commands" typed 'avout lock /k/one -- tmu' 'avout lock /k/one -- tmux'
    check "${name}_another_store" typed "avout -s lmdb:$scratch/lmdb get /c/cou" "get /c/count "
    check "${name}_choices" listed 'avout get /c/co' /c/config /c/count
    term kill-session 2>"$scratch/err" || true
}
works_in bash 'bash --norc --noprofile -i' "PS1='% '; bind 'set bell-style none'; . '$places/avout.bash'"
if command -v zsh >"$scratch/found"; then
    check zsh_syntax zsh -n completions/_avout
    works_in zsh 'zsh -f -i' "fpath=('$places' \$fpath); autoload -U compinit; compinit -D -u"
else
    skip zsh 'there is no zsh; install it'
fi
if command -v fish >"$scratch/found"; then
    check fish_syntax fish -n completions/avout.fish
    works_in fish 'fish --no-config -i' "source '$places/avout.fish'"
else
    skip fish 'there is no fish; install it'
fi
term kill-server

# bash takes a line apart at colons; the function has to put it together again.
colons()
{
    # shellcheck disable=SC2016
    bash -c '. "$1"; COMP_LINE="avout get /c/a:b" COMP_POINT=16 COMP_WORDS=(avout get /c/a : b) COMP_CWORD=4
        _avout avout; [ "${#COMPREPLY[@]}" = 1 ] && [ "${COMPREPLY[0]}" = "b\\ c" ] || { declare -p COMPREPLY; exit 1; }
        COMP_LINE="avout get --js x" COMP_POINT=14 COMP_WORDS=(avout get --js x) COMP_CWORD=2
        _avout avout; [ "${COMPREPLY[*]}" = --json ] || { declare -p COMPREPLY; exit 1; }' bash "$places/avout.bash"
}
check bash_colons colons

finish
