# Options that the other tests do not touch: what they change in what is printed, read and allowed.
. tests/support/tap.sh
. tests/cli/cli.sh

# prints_with_notes OUTPUT NOTE ARGUMENT...: succeeds, prints OUTPUT, and NOTE on standard error.
prints_with_notes()
{
    wanted=$1
    note=$2
    shift 2
    "$avout" "$@" >"$scratch/out" 2>"$scratch/err" || { cat "$scratch/err"; return 1; }
    cat "$scratch/err"
    printf '%s\n' "$wanted" | diff - "$scratch/out" && grep -q "$note" "$scratch/err"
}

outputs()
{
    long=$(awk 'BEGIN { for (i = 0; i < 60; i++) printf "x" }')
    says wide 0 '' reset /o/wide "{:a [1 2], :b {:c \"$long\", :d :$long}}"
    says pretty 0 "{:a [1 2],
 :b {:c \"$long\",
     :d :$long}}" get --pretty /o/wide
    says json_letter 0 "{\"a\":[1,2],\"b\":{\"c\":\"$long\",\"d\":\"$long\"}}" get -j /o/wide
    says swap_pretty 0 "{:a [1 2],
 :b {:c \"$long\",
     :d :$long},
 :e nil}" swap --pretty /o/wide assoc :e nil
    says swap_raw 0 'a string' swap --raw /o/s first --init '["a string"]'
    says swap_json_letter 0 '["a string",null]' swap -j /o/j conj nil --init '["a string"]'
    says swap_old_of_init 0 1 swap --old /o/n inc --init 1
    says ls_json_letter 0 '["j","n","s","wide"]' ls -j /o
    says tree_json_letter 0 '["/o/j","/o/n","/o/s","/o/wide"]' tree -j --no-values /o
}

removals()
{
    says value 0 '' reset /x/a 1
    says value_2 0 '' reset /x/b 2
    says dry_run 0 '/x/a
/x/b' rm --recursive --dry-run /x
    says dry_run_removed_nothing 0 'a
b' ls /x
    says recursive 0 '/x/a
/x/b' rm --recursive /x
    says removed_are_not_listed 0 '' ls /x
    says all_lists_removed 0 'a
b' ls --all /x
    says all_letter 0 '["a","b"]' ls -a -j /x
    says force 0 '' rm --force /x/a
    fails quiet_is_for_cas_alone 2 '--quiet' rm --quiet /x/a
    says cas_value 0 '' reset /x/c 1
    says quiet 1 '' cas --quiet /x/c 2 3
}

reads()
{
    says strict_value 0 '' reset /s/a 1
    says strict_value_2 0 '' reset /s/b '[2]'
    says strict_several 0 '1
[2]
1' get --strict /s/a /s/b /s/a
    says strict_json 0 '[2]' get --strict --json /s/b
    fails strict_absent 3 '/s/none' get --strict /s/a /s/none
    check "${where}verbose" prints_with_notes 1 'avout: connection: connected' get --verbose /s/a
    check "${where}verbose_letter" prints_with_notes 1 'avout: connection: connected' get -v /s/a
    says quiet_without_verbose 0 1 get /s/a
}

follows()
{
    "$avout" reset /f/a 0
    "$avout" watch -i -c 1 --pretty /f/a >"$scratch/followed" &
    follower=$!
    eventually grep -qx 0 "$scratch/followed" && "$avout" reset /f/a '[1]' && wait $follower &&
        printf '0\n[1]\n' | diff - "$scratch/followed"
}

everywhere()
{
    outputs
    removals
    reads
    check "${where}watch_letters" follows
}
on_each_store everywhere "${AVOUT_TEST_ZOOKEEPER:-}"

# ---- users ------------------------------------------------------------------------------------

as() # PASSWORD COMMAND...
{
    AVOUT_PASSWORD=$1
    export AVOUT_PASSWORD
    shift
    "$@"
    result=$?
    unset AVOUT_PASSWORD
    return $result
}
unchanged() { as right said 0 "$1" -u ann get /p/a; }

AVOUT_STORE=lmdb:$scratch/users
export AVOUT_STORE
check embedded_knows_no_users as right failed 5 'permissions of its directory' -u ann reset /p/a 1
fails embedded_knows_no_acl 5 'permissions of its directory' --acl owner-writes reset /p/a 1
check embedded_was_not_made [ ! -d "$scratch/users" ]

users()
{
    fails acl_without_user 2 'user' --acl owner reset /p/a 1
    check "${where}owner_creates" as right said 0 '' --user ann --acl owner reset /p/a 1
    check "${where}owner_reads" as right said 0 1 -u ann get /p/a
    check "${where}owner_reads_verbosely" as right prints_with_notes 1 'connection: connected' -v -u ann get /p/a
    check "${where}password_is_not_shown" eval '! grep -q right "$scratch/err"'
    fails others_do_not_get_in 5 'credentials' get /p/a
    fails others_do_not_write 5 'credentials' reset /p/a 2
    check "${where}wrong_password" as wrong failed 5 'ann' -u ann get /p/a
    check "${where}wrong_password_is_not_shown" eval '! grep -q wrong "$scratch/err"'
    check "${where}another_user" as right failed 5 'bob' -u bob get /p/a
    check "${where}nothing_changed" unchanged 1
}

readers()
{
    check "${where}owner_creates_for_readers" as right said 0 '' -u ann --acl owner-writes reset /p/a 1
    says others_read 0 1 get /p/a
    fails others_may_not_write 5 '/p/a' reset /p/a 2
    fails others_may_not_swap 5 '/p/a' swap /p/a inc
    fails others_may_not_remove 5 '/p/a' rm /p/a
    check "${where}readers_changed_nothing" unchanged 1
    check "${where}owner_writes" as right said 0 2 -u ann swap /p/a inc
    says others_read_again 0 2 get --strict /p/a
}

opened()
{
    check "${where}user_creates_for_all" as right said 0 '' -u ann --acl open reset /p/a 1
    says others_swap 0 2 swap /p/a inc
}

if [ -n "${AVOUT_TEST_ZOOKEEPER:-}" ]; then
    for part in users readers opened; do
        where=zk_
        AVOUT_STORE=zk://$AVOUT_TEST_ZOOKEEPER/cli-$part-$$-$(date +%s)
        "$part"
    done
fi

finish
