# The commands that change and read values: what they print, and their exit statuses.
. tests/support/tap.sh
. tests/cli/cli.sh

with_input() # INPUT COMMAND...
{
    input=$1
    shift
    printf '%s' "$input" | "$@"
}

values()
{
    says reset_creates 0 '' reset /t/a '{:b 1, :c ["x" nil]}'
    says get 0 '{:b 1, :c ["x" nil]}' get /t/a
    says get_json 0 '{"b":1,"c":["x",null]}' get --json /t/a
    says reset_again 0 '' reset /t/a 7
    says get_several 0 '7
7' get /t/a /t/a
    says get_strict 0 7 get --strict /t/a
    says reset_existing 0 '' reset --existing /t/a '"text"'
    says get_quotes 0 '"text"' get /t/a
    says get_raw 0 'text' get --raw /t/a
    says raw_is_edn_for_others 0 '' reset /t/raw '[:a "b"]'
    says get_raw_vector 0 '[:a "b"]' get --raw /t/raw
    says get_pretty 0 '[:a "b"]' get --pretty /t/raw
    says reset_new 0 '' reset --new /t/new nil
    fails reset_new_again 1 '/t/new' reset --new /t/new 5
    says new_kept_the_value 0 nil get /t/new
    fails reset_existing_absent 3 '/t/absent' reset --existing /t/absent 1
    fails get_absent 3 '/t/absent' get /t/absent
    fails get_one_absent_prints_nothing 3 '/t/absent' get /t/a /t/absent
    fails reset_garbage 2 'line 1, column 5' reset /t/a '{:a ]'
    fails reset_map_without_value 2 'line 1' reset /t/a '{:a}'
    fails reset_two_values 2 'line 1, column 3' reset /t/a '1 2'
    fails reset_nothing 2 'line 1' reset /t/a ''
    fails reset_duplicate_key 2 'line 1' reset /t/a '{:a 1 :a 2}'
    says garbage_changed_nothing 0 '"text"' get /t/a
    fails name_not_absolute 2 't/a' get t/a
    fails name_with_dots 2 '/t/../a' reset /t/../a 1
    fails name_with_empty_segment 2 '/t//a' reset /t//a 1

    check "${where}reset_from_stdin" with_input '
[1 ; one
 2]' "$avout" reset /t/in -
    says from_stdin_read 0 '[1 2]' get /t/in
    check "${where}garbage_from_stdin" with_input '[1
 2 }' failed 2 'standard input: line 2, column 4' reset /t/in -
}

# How values lie in the store is chosen by who uses the name.
codecs()
{
    says json_creates 0 '' reset --codec json /t/json '{"port" 8080}'
    says json_get 0 '{"port" 8080}' get --codec json /t/json
    says json_swap 0 '{"port" 8081}' swap --codec json /t/json update-in '["port"]' inc
    says json_cas 0 '' cas --codec json /t/json '{"port" 8081}' '[1 {"a" {}}]'
    says json_swap_init 0 '[1]' swap --codec json /t/json2 conj 1 --init '[]'
    says json_reset 0 '' reset --codec json /t/json '["a" {}]'
    says json_existing 0 '' reset --codec json --existing /t/json '{"a" {}}'
    fails json_new 1 '/t/json' reset --codec json --new /t/json 1
    fails json_refuses 4 'codec json: encoding: a keyword' reset --codec json /t/json :k
    says json_is_what_it_was 0 '{"a" {}}' get --codec json --strict /t/json
    fails json_is_no_edn 4 'not EDN' get /t/json
    says bytes 0 '' reset --codec bytes /t/bytes '#avout/bytes "AAH/"'
    says bytes_get 0 '#avout/bytes "AAH/"' get --codec bytes /t/bytes
    fails bytes_refuse 4 'codec bytes: encoding: ' reset --codec bytes /t/bytes '"text"'
    fails bytes_are_no_json 4 'codec json: decoding: ' get --codec json /t/bytes
    says bytes_elsewhere 0 '' reset --codec bytes /c/bytes '#avout/bytes "/w=="'
    says edn_is_the_default 0 '' reset --codec edn /t/edn :k
    says edn_get 0 ':k' get /t/edn
    says names_only_of_any_codec 0 '/c
└── bytes' tree --no-values /c
    check "${where}bytes_as_they_are" bytes_as_they_are
    check "${where}watch_with_a_codec" watch_with_a_codec
}
bytes_as_they_are()
{
    printf '\0\377 \n\n' >"$scratch/bytes"
    "$avout" reset --codec bytes /t/raw-bytes - <"$scratch/bytes" &&
        "$avout" get --codec bytes --raw /t/raw-bytes | cmp - "$scratch/bytes" &&
        : >"$scratch/bytes" && "$avout" reset --codec bytes /t/raw-bytes - <"$scratch/bytes" &&
        "$avout" get --codec bytes --raw /t/raw-bytes | cmp - "$scratch/bytes"
}
watch_with_a_codec()
{
    printf '\0\377\n' >"$scratch/first" && printf 'next' >"$scratch/second" &&
        "$avout" reset --codec bytes /t/watched - <"$scratch/first" || return 1
    timeout 60 "$avout" watch --codec bytes --raw --initial --count 1 /t/watched >"$scratch/watched" 2>&1 &
    watcher=$!
    eventually cmp "$scratch/first" "$scratch/watched" &&
        "$avout" reset --codec bytes /t/watched - <"$scratch/second" && wait $watcher &&
        cat "$scratch/first" "$scratch/second" | cmp - "$scratch/watched" &&
        { timeout 60 "$avout" watch --codec bytes --raw --initial --count 1 /t/watched --exec "cat >'$scratch/run'" & watcher=$!; } &&
        eventually cmp "$scratch/second" "$scratch/run" &&
        "$avout" reset --codec bytes /t/watched - <"$scratch/first" && wait $watcher && cmp "$scratch/first" "$scratch/run"
}

swaps()
{
    says swap_init 0 1 swap /t/n inc --init 0
    says swap_init_once 0 2 swap --init 0 /t/n inc
    says swap_negative_number 0 -3 swap /t/n + -5
    says swap_minus 0 -10 swap /t/n - 7
    says swap_old 0 -10 swap /t/n inc --old
    says swap_not_twice 0 -9 get /t/n
    says swap_collections 0 '' reset /t/m '{:a {:b [1]}}'
    says swap_assoc_in 0 '{:a {:b [1], :c 5}}' swap /t/m assoc-in '[:a :c]' 5
    says swap_update_in 0 '{:a {:b [1], :c 6}}' swap /t/m update-in '[:a :c]' inc
    says swap_json 0 '{"a":{"b":[1],"c":7}}' swap --json /t/m update-in '[:a :c]' inc
    says conj_value 0 '' reset /t/v '[1]'
    says swap_conj 0 '[1 5]' swap /t/v conj 5
    check "${where}swap_from_stdin" with_input '[6 7]' said 0 '[1 5 6 7]' swap /t/v into -
    fails swap_absent 3 '/t/none' swap /t/none inc
    fails swap_wrong_type 4 'inc' swap /t/v inc
    fails swap_too_few_arguments 2 'assoc' swap /t/v assoc 1
    fails swap_too_many_arguments 2 'inc' swap /t/n inc 1 2
    says failures_changed_nothing 0 '[1 5 6 7]' get /t/v
    says largest 0 '' reset /t/big 9223372036854775807
    fails swap_overflow 4 'inc' swap /t/big inc
    fails swap_divide_by_zero 4 'zero' swap /t/n / 0
    fails swap_unknown_function 2 'did you mean inc?' swap /t/n icn
    fails swap_unknown_without_guess 2 'avout help functions' swap /t/n frobnicate
    fails swap_garbage 2 'line 1' swap /t/v conj '#{1 1}'
    fails swap_stdin_twice 2 'standard input' swap /t/v assoc - -

    many_swaps()
    {
        pids=
        for i in 1 2 3 4; do
            (for j in 1 2 3 4 5; do "$avout" swap /t/many inc --init 0 >/dev/null || exit 1; done) &
            pids="$pids $!"
        done
        for pid in $pids; do wait "$pid" || return 1; done
        [ "$("$avout" get /t/many)" = 20 ]
    }
    check "${where}swaps_of_several_processes_all_count" many_swaps
}

compares()
{
    says cas_value 0 '' reset /t/c '[1]'
    says cas 0 '' cas /t/c '(1)' 2
    says cas_set 0 2 get /t/c
    fails cas_mismatch 1 '/t/c' cas /t/c 3 4
    says cas_quiet 1 '' cas -q /t/c 3 4
    says cas_mismatch_sets_nothing 0 2 get /t/c
    fails cas_absent 3 '/t/none' cas /t/none nil 1
    fails cas_garbage 2 'line 1' cas /t/c 2 '('
    check "${where}cas_from_stdin" with_input 2 said 0 '' cas /t/c - 5
}

removes()
{
    says rm_value 0 '' reset /r/a/x 1
    says rm_value_2 0 '' reset /r/a/y 2
    says rm_value_3 0 '' reset /r/b 3
    says rm 0 '' rm /r/b
    fails removed 3 '/r/b' get /r/b
    fails rm_absent 3 '/r/b' rm /r/b
    says rm_force 0 '' rm -f /r/b
    fails rm_directory 2 '-r' rm /r/a
    says rm_dry 0 '/r/a/x
/r/a/y' rm -rn /r/a
    says rm_dry_removed_nothing 0 1 get /r/a/x
    fails rm_top 2 'top directory' rm -r /
    fails rm_name_not_absolute 2 'r/a' rm r/a
    says rm_recursive 0 '/r/a/x
/r/a/y' rm -r /r/a/
    fails rm_recursive_removed 3 '/r/a/x' get /r/a/x
    says after_rm_create 0 '' reset /r/b '"again"'
    says after_rm_get 0 '"again"' get /r/b
    goes_on()
    {
        "$avout" rm /r/none /r/b
        [ $? = 3 ] && failed 3 /r/b get /r/b
    }
    check "${where}rm_goes_on_after_a_failure" goes_on
}

lists()
{
    says list_values 0 '' reset /l/b/c 1
    says list_values_2 0 '' reset /l/a '"x"'
    says list_values_3 0 '' reset /l/z ':k'
    says ls 0 'a
b/
z' ls /l
    says ls_slash 0 'c' ls /l/b/
    says ls_json 0 '["a","b/","z"]' ls --json /l
    fails ls_absent 3 '/none' ls /none
    check "${where}ls_top" sh -c "'$avout' ls | grep -qx l/"
    says tree 0 '/l
├── a  "x"
├── b/
│   └── c  1
└── z  :k' tree /l
    says tree_names 0 '/l
├── a
├── b/
│   └── c
└── z' tree --no-values /l
    says tree_json 0 '{"/l/a":"x","/l/b/c":1,"/l/z":"k"}' tree --json /l
    says tree_names_json 0 '["/l/a","/l/b/c","/l/z"]' tree --json --no-values /l
    says rm_for_list 0 '' rm /l/b/c
    says ls_without_removed 0 'a
z' ls /l
    says tree_without_removed 0 '/l
├── a  "x"
└── z  :k' tree /l
    ascii() { LC_ALL=C said 0 '/l
|-- a  "x"
`-- z  :k' tree /l; }
    check "${where}tree_in_ascii" ascii
}

for part in values swaps codecs compares removes lists; do
    on_each_store "$part" "${AVOUT_TEST_ZOOKEEPER:-}"
done

finish
