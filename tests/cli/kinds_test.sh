# Containers by the names of their kinds, as programs of the language open them: libraries that are loaded
# when they are asked for.
. tests/support/tap.sh
. tests/cli/cli.sh

where=
AVOUT_STORE=lmdb:$scratch/store
export AVOUT_STORE
files=$scratch/values

says a_ref_in_files_takes_part_in_transactions 0 '[1 {:n 2} {:n 2} #ref[/in-files]]' eval "
  (def c (connect))
  (def r (distributed-ref c \"/in-files\" (file-container \"$files\") {:n 1}))
  (def z (zk-ref c \"/in-store\" 0))
  [(dosync!! c (alter!! r update :n inc) (alter!! z inc)) @r (dosync!! c @r) r]"
check its_values_are_there sh -c "[ \"\$(ls '$files' | wc -l)\" -ge 1 ]"
says it_is_there_the_next_time 0 '[{:n 2} 1]' eval "
  [@(distributed-ref (connect) \"/in-files\" (container \"file\" \"$files\") {:n 7}) @(ref \"/in-store\")]"
says an_atom_is_nil_where_nothing_is_said 0 '[nil 5]' eval "
  (let [a (distributed-atom (connect) \"/fresh\" (file-container \"$files\"))] [@a (reset!! a 5)])"
says a_validator_holds_there_too 0 '[:refused 5 :refused]' eval "
  (let [c (connect) f (file-container \"$files\")
        a (distributed-atom c \"/fresh\" f 6 :validator pos?)
        t #(try (%) (catch Exception e :refused))]
    [(t #(reset!! a -1)) @a (t #(distributed-atom c \"/other\" f -1 :validator pos?))])"
fails and_nothing_is_made_of_what_it_refuses 3 '/other' eval '@(atom "/other")'
fails as_an_ordinary_ref_it_is_refused 4 'in-files' eval '@(ref "/in-files")'
fails no_container 4 'expected a container' eval '(distributed-ref (connect) "/x" 5)'
fails no_kind 2 'a kind is' eval '(distributed-ref (connect) "/x" (container "../../tmp/x" "y"))'
fails no_library 5 'libavout-none.so.0' eval '(distributed-ref (connect) "/x" (container "none" "y"))'
fails no_mongo_without_a_value 3 'give an initial value' eval '(mongo-ref (connect) "/nothing")'
says connections 0 '[#container[mongo] #container[mongo]]' eval '
  [(make-connection "statedb" :host "127.0.0.1" :port 27017) (mongo-container "mongodb://u:p@h/d")]'
fails a_connection_to_nowhere 2 'a port from 1' eval '(make-connection "d" :port 0)'

# ---- codecs ---------------------------------------------------------------------------------------

json=$scratch/json
says a_ref_in_json_files 0 '{"n" 2}' eval "
  (let [c (connect) r (distributed-ref c \"/json\" (file-container \"$json\" :codec :json) {\"n\" 1})]
    (dosync!! c (alter!! r update \"n\" inc)) @r)"
check it_is_json sh -c "[ \"\$(cat '$json'/* | jq -c .)\" = '{\"n\":2}' ] || [ -n \"\$(cat '$json'/* | grep -F '{\"n\":2}')\" ]"
says the_kind_by_its_name 0 '{"n" 2}' eval "@(distributed-ref (connect) \"/json\" (container \"file\" \"$json\" :codec \"json\"))"
fails another_codec 4 "container file at $json: reading: codec edn: decoding: " eval "
  @(distributed-ref (connect) \"/brace\" (file-container \"$json\" :codec :json) {\"a\" {}})
  (def c (connect (str \"lmdb:\" \"$scratch/store\")))
  @(distributed-ref c \"/brace\" (file-container \"$json\"))"
fails what_json_does_not_keep 4 'codec json: encoding: a keyword' eval "
  (distributed-ref (connect) \"/kw\" (file-container \"$json\" :codec :json) :kw)"
says one_value_in_a_file 0 '[1 2 3]' eval "
  (let [a (distributed-atom (connect) \"/one\" (file-value-container \"$json/one.json\" :codec :json) [1 2])]
    (swap!! a conj 3))"
check the_file_is_json sh -c "[ \"\$(cat '$json/one.json')\" = '[1,2,3]' ]"
says one_value_by_its_kind 0 '[1 2 3]' eval "
  @(distributed-atom (connect) \"/one\" (value-container \"file\" \"$json/one.json\" :codec :json))"
fails one_value_is_no_refs 2 'is for distributed-atom' eval "
  (distributed-ref (connect) \"/one\" (file-value-container \"$json/one.json\"))"
fails no_codec_for_mongo 5 'container "mongo": it takes no codec' eval '
  (distributed-ref (connect) "/x" (container "mongo" "mongodb://h/d" :codec :json) 1)'
fails no_codec_for_postgres 5 'container "postgres": it takes no codec' eval '
  (distributed-ref (connect) "/x" (container "postgres" "postgres://h" :codec :bytes) 1)'
fails no_one_value_in_mongo 5 'none for one value' eval '
  (distributed-atom (connect) "/x" (value-container "mongo" "mongodb://h/d") 1)'
fails a_codec_without_a_name 2 'file-container: expected a place, perhaps :codec c' eval '(file-container "/x" :json 1)'
fails an_unknown_codec 4 'file-container: expected a codec (:edn, :json or :bytes), got :xml' eval '(file-container "/x" :codec :xml)'
fails the_codec_is_the_containers 2 'distributed-ref: no :codec here: the container has one' eval "
  (distributed-ref (connect) \"/json\" (file-container \"$json\") 1 :codec :json)"

# What is not there, or cannot be loaded, or is no container, or would be linked with another copy.
mkdir "$scratch/lib"
cp -P "$built"/lib/libavout.so* "$scratch/lib"
echo 'this is no library' >"$scratch/lib/libavout-broken.so.0"
echo 'int nothing;' >"$scratch/empty.c"
"${CC:-cc}" -shared -fPIC "$scratch/empty.c" -o "$scratch/lib/libavout-em-pty.so.0"
mkdir "$scratch/bin"
cp "$avout" "$scratch/bin"
avout=$scratch/bin/avout
fails a_library_that_is_none 5 'broken.so.0: file too short' eval '(distributed-ref (connect) "/x" (container "broken" ""))'
fails a_library_without_the_function 5 'avout_em_pty_container' eval '(distributed-ref (connect) "/x" (container "em-pty" ""))'
fails not_beside_this_copy 5 'libavout-file.so.0' eval '(distributed-ref (connect) "/x" (file-container "x"))'
LD_LIBRARY_PATH=$built/lib
export LD_LIBRARY_PATH
says but_where_the_loader_looks 0 '{:n 2}' eval "@(distributed-ref (connect) \"/in-files\" (file-container \"$files\"))"

case $built in */release)
    cat >"$scratch/alone.c" <<'END'
#include <avout.h>
#include <stdio.h>

int main(void)
{
    avout_versioned_container *container;
    avout_status status = avout_container_open(&container, "file", "/tmp");
    puts(avout_error_detail());
    return status != AVOUT_ENOTSUP;
}
END
    check a_program_with_the_static_library_compiles "${CC:-cc}" -std=c17 -Iinclude "$scratch/alone.c" \
        "$built/libavout.a" -lzookeeper_mt -llmdb -lgmp -lm -pthread -o "$scratch/alone"
    check and_is_told_what_it_lacks sh -c "'$scratch/alone' | grep -q 'libavout.a in it'" ;;
esac

finish
