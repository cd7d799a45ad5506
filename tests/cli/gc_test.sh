# avout gc: what dead writers have left in containers and in the store is found, and deleted when asked.
. tests/support/tap.sh
. tests/cli/cli.sh

gc() { "$avout" gc "$@" >"$scratch/out" 2>"$scratch/err"; }
# told LINE...: these lines, in order, and nothing on standard error.
told()
{
    cat "$scratch/out" "$scratch/err"
    [ ! -s "$scratch/err" ] || return 1
    printf '%s\n' "$@" | diff - "$scratch/out"
}
in_files() # NAME VALUE: a ref with its values in $files
{
    "$avout" eval "(reset!! (distributed-atom (connect) \"$1\" (file-container \"$files\") 0) $2)" >"$scratch/eval"
}
files_with() { find "$files" -name "*$1*" | wc -l; }

says_what_is_missing()
{
    files=$scratch/$where/files
    mkdir -p "$scratch/$where"
    in_files /in/files 7 && "$avout" reset /plain 1 || return 1
    gc && told "-  file  /in/files  (to look there: --container file:PLACE)" '0 in all'
}
counts_and_deletes()
{
    version=$(basename "$files"/*)
    cp "$files/$version" "$files/${version%-*}-feed1" && cp "$files/$version" "$files/${version%-*}-feed2.new" || return 1
    gc --container "file:$files" && told '2  file  /in/files' '2 in all' && [ "$(files_with feed)" = 2 ] &&
        gc --container "file:$files" --delete /in && told '2  file  /in/files' '2 in all, deleted' &&
        [ "$(files_with feed)" = 0 ] && gc --container "file:$files" /in/files &&
        told '0  file  /in/files' '0 in all' &&
        said 0 7 eval '@(distributed-atom (connect) "/in/files" (file-container "'"$files"'"))'
}
# In one that is not the name's everything would look like an orphan.
another_place_is_refused()
{
    mkdir -p "$scratch/$where/wrong"
    version=$(basename "$files"/*)
    cp "$files/$version" "$scratch/$where/wrong/${version%-*}-feed1"
    gc --delete --container "file:$scratch/$where/wrong" /in
    [ $? = 5 ] && grep -qF 'this is not its place' "$scratch/err" && grep -qx -e '-  file  /in/files' "$scratch/out" &&
        [ -e "$scratch/$where/wrong/${version%-*}-feed1" ] || { cat "$scratch/out" "$scratch/err"; return 1; }
    # Of several it is the one that has the version that counts.
    gc --container "file:$scratch/$where/wrong" --container "file:$files" /in && told '0  file  /in/files' '0 in all'
}
# Who removes a name without its container leaves its value there.
destroyed_names()
{
    "$avout" rm /in/files && gc --container "file:$files" /in/files && told '1  file  /in/files' '1 in all' &&
        gc --container "file:$files" --delete && told '1  file  /in/files' '1 in all, deleted' &&
        [ "$(find "$files" -type f | wc -l)" = 0 ]
}
as_json()
{
    in_files /in/files 8 && version=$(basename "$files"/*) && cp "$files/$version" "$files/${version%-*}-feed1" &&
        gc --json --container "file:$files" && jq -e '.names == [{name: "/in/files", kind: "file", orphans: 1,
            missing: false, error: null}] and .gone == 0 and .orphans == 1 and .deleted == false' "$scratch/out" &&
        gc --json /in && jq -e '.names == [{name: "/in/files", kind: "file", orphans: null, missing: true,
            error: null}] and .gone == null' "$scratch/out" &&
        gc --json /plain && jq -e '.names == []' "$scratch/out" &&
        gc --json --delete --container "file:$files" && jq -e '.deleted and .orphans == 1' "$scratch/out"
}
# Adds to the atom, thirty at a time, until there is enough; the file holds how many that were.
write_until_enough()
{
    wrote=0
    until [ -e "$scratch/enough" ]; do
        "$avout" eval "(let [a (distributed-atom (connect) \"/in/files\" (file-container \"$files\"))]
            (dotimes [i 30] (swap!! a inc)))" || return 1
        wrote=$((wrote + 30))
        echo $wrote >"$1"
    done
}
# Writers whose values are staged when the collector comes stage them again.
beside_writers()
{
    "$avout" eval '(reset!! (distributed-atom (connect) "/in/files" (file-container "'"$files"'")) 0)' || return 1
    rm -f "$scratch/enough" "$scratch"/wrote?
    pids=
    for writer in 1 2; do
        write_until_enough "$scratch/wrote$writer" >"$scratch/writer$writer" 2>&1 &
        pids="$pids $!"
    done
    # shellcheck disable=SC2086 # several numbers
    until [ -s "$scratch/wrote1" ] && [ -s "$scratch/wrote2" ]; do
        kill -0 $pids || { cat "$scratch"/writer?; return 1; }
        sleep 0.02
    done
    collected=0
    for round in 1 2 3; do
        gc --delete --container "file:$files" /in || { collected=$?; cat "$scratch/err"; echo "in round $round"; }
    done
    : >"$scratch/enough"
    wait
    cat "$scratch"/writer?
    [ $collected = 0 ] && said 0 "$(($(cat "$scratch/wrote1") + $(cat "$scratch/wrote2")))" \
        eval '@(distributed-atom (connect) "/in/files" (file-container "'"$files"'"))'
}
# A writer that is killed while the pieces of its value are on their way.
pieces()
{
    "$avout" reset /large 0 || return 1
    { printf '"' && head -c 20000000 /dev/zero | tr '\0' x && printf '"'; } >"$scratch/large"
    tries=0
    until gc --json /large && jq -e '.orphans == 1' "$scratch/out"; do
        tries=$((tries + 1))
        [ $tries -lt 20 ] || return 1
        "$avout" reset /large - <"$scratch/large" &
        writer=$!
        until gc --json /large && jq -e '.orphans > 0' "$scratch/out" || ! kill -0 $writer; do :; done
        kill -9 $writer
        wait $writer
    done
    gc --delete && grep -qx '1  chunks  /large' "$scratch/out" && gc /large && told '0 in all'
}
collects()
{
    check "${where}says_what_is_missing" says_what_is_missing
    check "${where}counts_and_deletes" counts_and_deletes
    check "${where}another_place_is_refused" another_place_is_refused
    check "${where}destroyed_names" destroyed_names
    check "${where}as_json" as_json
    check "${where}beside_writers" beside_writers
    # On the embedded store it would be a great one.
    [ "$where" = lmdb_ ] || check "${where}pieces_of_a_killed_writer" pieces
    fails no_such_name 3 'no such name' gc /nowhere
    fails a_name_whose_beginning_is_one 3 'no such name' gc /in/files2
}
on_each_store collects "${AVOUT_TEST_ZOOKEEPER:-}"

AVOUT_STORE=lmdb:$scratch/lmdb
fails a_container_without_a_place 2 'file:/srv/plans' gc --container file
not_told() { ! "$avout" gc --container :mongodb://ann:secret@h 2>&1 | grep secret; }
check its_place_is_not_repeated not_told
fails no_number 2 'a time' gc --older soon
# Also where no name needs it, and before anything else.
fails an_unknown_kind 2 'kind "foo": file, http, mongo, postgres, redis' gc --container file:"$scratch/x" --container foo:bar
fails no_kind 2 'kind "../x": file' gc --container ../x:y
not_installed()
{
    mkdir -p "$scratch/bin" "$scratch/lib" && cp "$avout" "$scratch/bin" && cp -P "$built"/lib/libavout.so* "$scratch/lib" &&
        (avout=$scratch/bin/avout && failed 2 'libavout-redis.so.0' gc --container redis:redis://h)
}
check a_container_that_is_not_installed not_installed
# What another codec has written is found and deleted all the same.
coded()
{
    files=$scratch/coded
    "$avout" eval "(distributed-ref (connect) \"/coded\" (file-container \"$files\" :codec :json) {\"a\" 1})" || return 1
    version=$(basename "$files"/*)
    cp "$files/$version" "$files/${version%-*}-feed1" && gc --container "file:$files" --delete /coded &&
        told '1  file  /coded' '1 in all, deleted' && [ "$(ls "$files")" = "$version" ]
}
check values_of_any_codec coded
finish
