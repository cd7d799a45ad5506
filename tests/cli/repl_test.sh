# avout repl where standard input is no terminal: each form's value in a line, errors, the end.
. tests/support/tap.sh
. tests/cli/cli.sh

where=
AVOUT_STORE=lmdb:$scratch/store
HOME=$scratch/home
export AVOUT_STORE HOME

# prints NAME STATUS INPUT OUTPUT [ERROR] [OPTION...]: standard error is exactly ERROR, if not empty with a
# newline at its end.
prints()
{
    prints_name=$1
    shift
    check "$prints_name" printed "$@"
}
printed()
{
    wanted_status=$1
    input=$2
    wanted=$3
    wanted_error=${4-}
    [ $# -lt 4 ] && shift 3 || shift 4
    printf '%b' "$input" | "$avout" repl "$@" >"$scratch/out" 2>"$scratch/err"
    status=$?
    cat "$scratch/out" "$scratch/err"
    [ "$status" = "$wanted_status" ] || { echo "status $status"; return 1; }
    { [ -z "$wanted" ] || printf '%b\n' "$wanted"; } | diff - "$scratch/out" || return 1
    { [ -z "$wanted_error" ] || printf '%s\n' "$wanted_error"; } | diff - "$scratch/err"
}

prints values 0 '(+ 1 2)\n"a b"\n:k nil' '3\n"a b"\n:k\nnil'
prints nothing 0 '' ''
prints only_a_comment 0 '; nothing\n' ''
prints several_lines 0 '(let [x 1\n      y 2]\n  (+ x y)) [\n]' '3\n[]'
prints what_is_defined 0 '(def n 10)\n(defn f [x] (* x n))\n(f 4)' "#'user/n\n#'user/f\n40"
prints no_newline_at_the_end 0 '12' 12
prints printing 0 '(println "a") (print "b")' 'a\nnil\nbnil'
prints functions_and_sequences 0 'inc (map inc [1 2])' '#function[inc]\n(2 3)'
prints no_greeting_and_no_prompt 0 '1' 1 '' -q
prints an_error_ends_it 1 '1\n (inc "x")\n2' 1 \
    'avout: repl: line 2, column 2: inc: expected a number, got "x" (string), in (inc "x")'
prints an_unfinished_form 1 '1\n(+ 1\n' 1 \
    'avout: repl: line 2, column 1: the form that begins here has no end: expected )'
prints keep_going 1 '(inc :a) 1\n)\n2' '1\n2' \
    'avout: repl: line 1, column 1: inc: expected a number, got :a (keyword), in (inc :a)
avout: repl: line 2, column 1: unmatched )' --keep-going
prints keep_going_without_an_error 0 '1\n2' '1\n2' '' -k
prints the_line_is_that_of_the_input 1 '1\n[2\n3]\n4 5 (foo bar)\n' '1\n[2 3]\n4\n5' \
    'avout: repl: line 4, column 6: unknown name: foo (did you mean for?), in foo'
prints steps_of_each_form 1 '(dotimes [_ 200])\n(dotimes [_ 200]) (loop [] (recur)) 3' 'nil\nnil' \
    'avout: repl: line 2, column 19: more than 600 steps: a loop without an end?, in (loop [] (recur))' \
    --steps 600
prints steps_and_going_on 1 '(loop [] (recur)) 3' 3 \
    'avout: repl: line 1, column 1: more than 600 steps: a loop without an end?, in (loop [] (recur))' \
    --steps 600 -k
prints exit_with_a_status 7 '1 (System/exit 7) 2' 1
prints exit_ends_it 0 '1 (exit) 2' 1
prints did_you_mean 1 '(redcue + [1])' '' \
    'avout: repl: line 1, column 2: unknown name: redcue (did you mean reduce?), in redcue'
fails words_are_not_taken 2 'too many arguments' repl x
fails other_options_are_not_taken 2 'takes no option --json' repl --json
fails nearest_command 2 'did you mean repl?' rpel

# Values come as the forms do, not at the end of the input.
answered() { [ "$(wc -l <"$scratch/answers")" -ge "$1" ]; }
conversation()
{
    mkfifo "$scratch/questions" || return 1
    : >"$scratch/answers"
    "$avout" repl <"$scratch/questions" >"$scratch/answers" &
    pid=$!
    exec 3>"$scratch/questions"
    printf '(def a (atom "/c/a" 0))\n(+ 20' >&3
    eventually answered 1 || return 1
    printf ' 22)\n' >&3
    eventually answered 2 || return 1
    "$avout" reset /c/a 5 || return 1
    # Reads are behind what others do, a moment.
    printf '(loop [] (if (zero? @a) (recur) @a))\n' >&3
    eventually answered 3 || return 1
    exec 3>&-
    wait $pid || return 1
    printf '%s\n' "#'user/a" 42 5 | diff - "$scratch/answers"
}
check a_conversation conversation

long()
{
    awk 'BEGIN { printf "(count ["; for (i = 0; i < 200000; i++) printf "%d\n", i; print "])" }' |
        "$avout" repl >"$scratch/out" && [ "$(cat "$scratch/out")" = 200000 ]
}
check a_long_form long
many() { seq 1 5000 | "$avout" repl | diff - "$scratch/seq"; }
seq 1 5000 >"$scratch/seq"
check many_forms many
full()
{
    echo 1 | "$avout" repl >/dev/full 2>"$scratch/err"
    [ $? = 8 ] && grep -q '^avout: standard output: No space' "$scratch/err"
}
check output_full full
gone()
{
    [ "$(yes '(+ 1 2)' | "$avout" repl 2>"$scratch/err" | head -n 1)" = 3 ] && [ ! -s "$scratch/err" ]
}
check a_reader_that_goes_away_ends_it gone
check no_history_is_kept test ! -e "$HOME/.local/state/avout/history"

# The tutorial of the original, typed in as it stands there but for the address.
state()
{
    prints "${where}tutorial" 0 '(use (quote avout.core))
(def client (connect))
(def r0 (zk-ref client "/repl/r0" 0 :validator number?))
(def r1 (zk-ref client "/repl/r1" [] :validator vector?))
(dosync!! client
  (alter!! r0 inc)
  (alter!! r1 conj @r0))
@r0
@r1
(def a0 (zk-atom client "/repl/a0" {:a 1}))
(swap!! a0 assoc :c 3)
(swap!! a0 update-in [:a] inc)' "nil
#'user/client
#'user/r0
#'user/r1
[1]
1
[1]
#'user/a0
{:a 1, :c 3}
{:a 2, :c 3}"
}
on_each_store state "${AVOUT_TEST_ZOOKEEPER:-}"
finish
