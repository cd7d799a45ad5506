# avout eval: programs from the command line, files and scripts.
. tests/support/tap.sh
. tests/cli/cli.sh

where=
AVOUT_STORE=lmdb:$scratch/store
export AVOUT_STORE

says value_of_the_last_form 0 55 eval '(def n 10) (reduce + (range (inc n)))'
says nil_is_not_printed 0 '' eval '(if false 1)'
says nothing 0 '' eval ''
says quotes 0 '"a\nb"' eval '(str "a" \newline "b")'
says raw 0 'a b' eval --raw '"a b"'
says json 0 '{"a":[1,null]}' eval --json '{:a [1 nil]}'
says pretty 0 '[1 2]' eval --pretty '[1 2]'
says function 0 '#function[inc]' eval inc
says lazy 0 '(0 1 2)' eval '(take-while #(< % 3) (range))'
says printing 0 'a 1
2' eval '(println "a" 1) (+ 1 1)'
says arguments 0 '("x" "-y" "--json" "--")' eval '*command-line-args*' x -y --json --
says dashes_before_arguments 0 '("a")' eval '*command-line-args*' -- a
says no_arguments 0 true eval '(nil? *command-line-args*)'
says negative_number 0 -5 eval -5
says exit_status 0 '' eval '(System/exit 0) (println 1)'
says exit_from_inside 7 x eval '(println "x") (try (System/exit 7) (catch Throwable e (println e)) (finally (println 1)))'
says exit_from_a_future 7 '' eval '(future (Thread/sleep 20) (System/exit 7)) @(promise)'
says steps_that_are_enough 0 499500 eval --steps 100000 '(reduce + (range 1000))'
fails steps_that_are_not 4 'more than 1000 steps' eval --steps 1000 '(loop [] (recur))'
says steps_of_each_form 0 '' eval --steps 1000 '(dotimes [_ 200]) (dotimes [_ 200]) (dotimes [_ 200])'
fails no_steps 2 'whole number from 1 on' eval --steps 0 1

# What was printed is there when somebody asks for it, not only at the end.
flushed()
{
    mkfifo "$scratch/fifo" || return 1
    "$avout" eval '(print "early") (flush) (Thread/sleep 60000)' >"$scratch/fifo" &
    pid=$!
    early=$(dd bs=5 count=1 2>/dev/null <"$scratch/fifo")
    kill $pid
    wait $pid
    [ "$early" = early ]
}
check flush flushed

says spit_and_slurp 0 '"a {:b [1]}"' eval '(let [f (first *command-line-args*)]
  (spit f "a ") (spit f {:b [1]} :append true) (slurp f))' "$scratch/spat"
says spit_replaces 0 '""' eval '(let [f (first *command-line-args*)] (spit f nil) (slurp f))' "$scratch/spat"
fails slurp_nothing 3 'slurp: /no/file: No such file or directory' eval '(slurp "/no/file")'
fails slurp_a_directory 5 'slurp: /: Is a directory' eval '(slurp "/")'
fails slurp_no_name 4 'expected a name' eval '(slurp 5)'
fails spit_nowhere 3 'spit: /no/file: No such file' eval '(spit "/no/file" 1)'
fails spit_on_a_full_disk 5 'spit: /dev/full: No space left' eval '(spit "/dev/full" 1)'
fails spit_wrong_options 2 'perhaps :append true' eval '(spit "/no/file" 1 :encoding "x")'
fails slurp_bytes 2 'no UTF-8' eval '(slurp "/proc/self/exe")'
standard_input()
{
    [ "$(echo '{:a 5}' | "$avout" eval '(:a (read-string (slurp "-")))')" = 5 ]
}
check slurp_standard_input standard_input
environment()
{
    [ "$(AVOUT_TEST=x "$avout" eval '[(System/getenv "AVOUT_TEST") (get (System/getenv) "AVOUT_TEST") (System/getenv "AVOUT_NO")]')" = '["x" "x" nil]' ]
}
check environment environment
# What is no text cannot be said, and is not there.
environment_of_bytes()
{
    byte=$(printf '\377')
    [ "$(env -i "$byte=1" "B=$byte" A=2 "$avout" eval '(System/getenv)')" = '{"A" "2"}' ]
}
check environment_of_bytes environment_of_bytes
fails no_files_in_swap 2 'slurp is not part of this language' swap /n '(fn [x] (slurp "x"))'

fails exit_status_too_large 2 '0 to 255' eval '(System/exit 256)'
fails syntax 2 'eval: line 1, column 1: the form that begins here has no end: expected )' eval '(+ 1'
fails unknown_name 2 'eval: line 2, column 2: unknown name: foo (did you mean for?), in foo' eval '
[foo]'
fails wrong_type 4 'inc: expected a number, got "x" (string), in (inc "x")' eval '(inc "x")'
fails wrong_number_of_arguments 2 'expected (inc n)' eval '(inc)'
fails thrown 4 'eval: line 1, column 1: no luck, in (throw' eval '(throw (ex-info "no luck" {}))'
fails endless_recursion 4 'nested too deeply' eval '((fn f [n] (inc (f n))) 1)'
fails json_of_a_function 4 'box' eval --json inc
fails two_outputs 2 'exclude' eval --json --raw 1
fails nothing_given 2 'usage: avout eval' eval

# ---- files ----------------------------------------------------------------------------------

cat >"$scratch/file" <<'END'
#!/usr/bin/env -S avout eval -f
; sums its arguments
(defn sum [xs]
  (reduce + xs))
(println (sum (map parse-long *command-line-args*)))
(when (some #{"bad"} *command-line-args*)
  (inc :bad))
:not-printed
END
says file 0 6 eval -f "$scratch/file" 1 2 3
says file_long_option 0 6 eval --file "$scratch/file" 1 2 3
says option_before_the_command 0 3 --file eval "$scratch/file" 1 2
script()
{
    mkdir -p "$scratch/bin"
    cp "$scratch/file" "$scratch/bin/sum" && chmod +x "$scratch/bin/sum" || return 1
    sum=$(PATH=$(dirname "$avout"):$PATH "$scratch/bin/sum" 4 5) || return 1
    [ "$sum" = 9 ]
}
check script script
from_stdin()
{
    printf '(println (+ 1 2) *command-line-args*)' | said 0 '3 (a -f)' eval -f - a -f
}
check program_on_standard_input from_stdin
error_in_file()
{
    "$avout" eval -f "$scratch/file" bad 2>"$scratch/err" >"$scratch/out"
    [ $? = 4 ] || return 1
    cat "$scratch/err"
    grep -qF "avout: eval: $scratch/file:7:3: inc: expected a number, got :bad (keyword), in (inc :bad)" "$scratch/err"
}
check error_in_a_file_is_named error_in_file
fails file_absent 2 "$scratch/absent: No such file" eval -f "$scratch/absent"
fails file_is_a_directory 2 "$scratch: " eval -f "$scratch"
full()
{
    "$avout" eval '(println 1)' >/dev/full 2>"$scratch/err"
    [ $? = 8 ] && grep -q '^avout: standard output: No space' "$scratch/err"
}
check output_full full
interrupted()
{
    timeout -s INT 1 "$avout" eval '(loop [] (recur))'
    [ $? = 124 ]
}
check interrupt_ends_it interrupted
no_store() { [ ! -e "$scratch/store" ]; }
check needs_no_store no_store
fails steps_of_a_transaction 4 'more than 1000 steps' dosync --steps 1000 \
    '(dotimes [_ 200]) (dotimes [_ 200]) (dotimes [_ 200])'

# ---- with a store -----------------------------------------------------------------------------

state()
{
    says eval_makes_an_atom 0 5 eval '@(atom "/e/a" 5)'
    says eval_swaps 0 6 eval '(swap!! (atom "/e/a") inc)'
    says get_sees_it 0 6 get /e/a
    says dosync 0 '[90 10]' dosync '(ref "/e/x" 100) (ref "/e/y" 0)
[(alter!! (ref "/e/x") - 10) (alter!! (ref "/e/y") + 10)]'
    says dosync_reads_what_it_wrote 0 '[89 89]' dosync '(alter!! (ref "/e/x") dec) (ref-set!! (ref "/e/y") @(ref "/e/x")) [@(ref "/e/x") @(ref "/e/y")]'
    fails dosync_error 4 'dosync: line 2, column 1: inc: expected a number' dosync '(alter!! (ref "/e/x") dec)
(inc :no)'
    fails dosync_thrown 4 'line 1, column 28: no' dosync '(alter!! (ref "/e/x") dec) (throw (ex-info "no" {}))'
    fails dosync_syntax 2 'dosync: line 1, column 1: the form that begins here has no end' dosync '(+ 1'
    fails dosync_absent 3 /e/none dosync '(alter!! (ref "/e/none") inc)'
    says errors_changed_nothing 0 '89
89' get /e/x /e/y
    says dosync_json 0 '{"x":89}' dosync --json '{:x @(ref "/e/x")}'
    says dosync_arguments 0 '("5" "-x")' dosync '*command-line-args*' 5 -x
    says swap_written 0 42 swap /e/a '(fn [n] (* n 7))'
    says swap_written_short 0 '{:n 1}' swap --init '{}' /e/m '#(update % :n (fnil inc 0))'
    says swap_written_with_arguments 0 '{:n 6}' swap /e/m '(fn [m k n] (update m k + n))' :n 5
    says swap_keyword 0 6 swap /e/m :n
    fails swap_written_wrong 2 'swap: line 1, column 9: unknown name: foo' swap /e/a '(fn [n] foo)'
    fails swap_written_unread 2 'no end' swap /e/a '(fn [n] n'
    fails swap_written_type 4 'inc: expected a number' swap /e/a '(fn [n] (inc "x"))'
    fails swap_written_no_function 4 'expected a function' swap /e/a '(+ 1 2)'
    fails swap_written_endless 4 'steps' swap /e/a '(fn [n] (recur n))'
    says errors_changed_no_atom 0 42 get /e/a
    fails value_that_cannot_be_stored 4 'box' swap /e/a '(fn [n] inc)'
    fails eval_absent 3 /e/none eval '(atom "/e/none")'
    says eval_catches 0 :none eval '(try (atom "/e/none") (catch Exception e :none))'
}
on_each_store state ''

watches()
{
    "$avout" eval '(def a (atom "/e/w" 0))
        (add-watch a :k (fn [k x old new] (println k old new)))
        (swap!! a inc)
        (loop [] (when (< @a 2) (recur)))' >"$scratch/watched" &
    pid=$!
    eventually seen_value 1 && "$avout" swap /e/w inc && wait $pid
    head -n 1 "$scratch/watched" | grep -q '^:k 0 [12]$'
}
seen_value() { [ "$("$avout" get /e/w)" = "$1" ]; }
AVOUT_STORE=lmdb:$scratch/lmdb
check watches_print watches
finish
