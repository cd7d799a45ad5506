# The runner counts what programs print and notices programs that crash, hang, say nothing or leave
# something behind.
. tests/support/tap.sh

# Absolute, because the programs below live in the scratch folder.
runner=$(cd "$built/.." && pwd)/run-tests
cd "$scratch" || exit 1
mkdir programs

program() # NAME TEXT
{
    printf '%s\n' "$2" >"programs/$1_test.sh"
}

# Runs programs (names before --) with the options behind it and compares the last line.
run()
{
    wanted=$1
    shift
    sources=
    while [ $# -gt 0 ] && [ "$1" != -- ]; do
        sources="$sources release:programs/$1_test.sh"
        shift
    done
    [ $# = 0 ] || shift
    # shellcheck disable=SC2086
    CI='' "$runner" "$@" $sources >run.log 2>&1
    status=$?
    cat run.log
    [ "$(tail -n 1 run.log)" = "$wanted" ] || { echo "wanted as last line: $wanted"; return 1; }
    case $wanted in
    *', 0 failed'*) [ $status = 0 ] ;;
    *) [ $status = 1 ] ;;
    esac
}

program good 'echo ok 1 a; echo ok 2 b; echo 1..2'
program talk 'echo 1..1; echo okay; echo not okay; echo "okra 7"; echo ok 1 a; printf "ok 2 half" >&2'
program bad 'echo ok 1 a; echo why >&2; echo not ok 2 b; echo 1..2; exit 1'
program crash 'echo ok 1 a; kill -SEGV $$'
program hang 'echo ok 1 a; sleep 1000 & sleep 1000'
program silent 'exit 0'
program planless 'echo ok 1 a'
program short 'echo 1..4; echo ok 1 a'
program long 'echo 1..1; echo ok 1 a; echo ok 2 b'
program liar 'echo ok 1 a; echo 1..1; exit 3'
program skip 'echo "ok 1 a # SKIP no server here"; echo ok 2 b; echo 1..2'
program leave "setsid sleep 1000 & echo \$! >$scratch/left; echo ok 1 a; echo 1..1"
program half 'printf "half a line" >&2; echo ok 1 a; echo 1..1'
program tagged '# Test-tags: serial
mkdir alone || exit 1; sleep 0.2; rmdir alone; echo ok 1 a; echo 1..1'
cp programs/tagged_test.sh programs/tagged2_test.sh
program shared 'echo "# server at $SERVER"; [ "$SERVER" = here ] && echo ok 1 a; echo 1..1'
program folder '[ -d "$TMPDIR" ] && echo "$TMPDIR" >folder && echo ok 1 a; echo 1..1'

check passing run '2 passed, 0 failed' good
check talk_is_no_result run '1 passed, 0 failed' talk
check failing run '1 passed, 1 failed' bad
check output_of_a_failing_program_is_shown grep -qx why run.log
check crashing run '1 passed, 1 failed' crash
check hanging run '1 passed, 1 failed' hang -- -l 1
check silent run '0 passed, 1 failed' silent
check without_a_plan run '1 passed, 1 failed' planless
check too_few_results run '1 passed, 3 failed' short
check too_many_results run '2 passed, 1 failed' long
check exit_status_without_a_failure run '1 passed, 1 failed' liar
check skipping run '1 passed, 0 failed, 1 skipped' skip
check skips_can_be_refused run '1 passed, 1 failed' skip -- -s
check half_a_line_spoils_no_result run '1 passed, 0 failed' half
check many run '7 passed, 6 failed, 1 skipped' good bad crash planless short skip -- -j 3
check a_serial_program_is_alone run '2 passed, 0 failed' tagged tagged2
check a_server_for_all run '1 passed, 0 failed' shared -- -e 'SERVER=echo here; sleep 1000'
check a_folder_for_all run '1 passed, 0 failed' folder
check the_folder_is_removed test ! -e "$(cat folder)"
check leaving_a_process_behind run '1 passed, 0 failed' leave
check what_was_left_is_ended sh -c '! kill -0 "$(cat left)"'

# Each ends when the other has begun.
program waiting '# Test-tags: waits
mkdir begun_waiting; until [ -d begun_working ]; do sleep 0.01; done; echo ok 1 a; echo 1..1'
program working 'mkdir begun_working; until [ -d begun_waiting ]; do sleep 0.01; done; echo ok 1 a; echo 1..1'
check what_waits_runs_beside_what_works run '2 passed, 0 failed' working waiting -- -j 1 -l 20

# More programs than the table of costs shows, one of them costly, none of them worth a second.
costly=
for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
    program "cheap$i" 'echo ok 1 a; echo 1..1'
    costly="$costly cheap$i"
done
program dear 'i=0; while [ $i -lt 100000 ]; do i=$((i + 1)); done & wait; echo ok 1 a; echo 1..1'
costs_most() { grep -A 1 '^most processor time' run.log | grep -q " programs/$1_test "; }
# shellcheck disable=SC2086
check with_costs run '21 passed, 0 failed' $costly dear
check what_children_cost_is_counted costs_most dear
check there_is_a_sum grep -q '^ *all programs  *[0-9.]*[1-9]  *[0-9.]*  *[0-9.]*$' run.log

# Of many, those that failed are run once more, alone.
program busy 'mkdir was_here 2>/dev/null && { echo what was missed; echo not ok 1 a; } || echo ok 1 a; echo 1..1'
# shellcheck disable=SC2086
check late_once run '21 passed, 0 failed' $costly busy
check what_it_said_first_is_shown grep -qx 'what was missed' run.log
check that_it_failed_is_said grep -qx '1 of the programs failed beside the others, and passed alone' run.log
# shellcheck disable=SC2086
check failing_twice run '21 passed, 1 failed' $costly bad
rm -rf was_here
check of_few_none_is_run_again run '0 passed, 1 failed' busy
for i in 1 2 3; do cp programs/bad_test.sh "programs/bad${i}_test.sh"; done
rm -rf was_here
# shellcheck disable=SC2086
check nor_where_many_fail run '23 passed, 4 failed' $costly bad1 bad2 bad3 busy
program reported 'mkdir reported || { echo ok 1 a; echo 1..1; exit; }
echo "==1==ERROR: AddressSanitizer: heap-use-after-free"; echo not ok 1 a; echo 1..1'
# shellcheck disable=SC2086
check nor_what_a_sanitizer_reported run '20 passed, 1 failed' $costly reported

refuse a_program_that_does_not_exist 'No such file' "$runner" release:programs/none_test.sh
refuse nothing_to_run 'usage' "$runner"

refused_in_ci() { CI=true "$runner" release:programs/skip_test.sh; }
refuse skips_are_refused_in_ci '1 passed, 1 failed' refused_in_ci

# The program ends up in `sleep` and has written its id before: then we interrupt.
program interrupted "sleep 1000 & echo \$! >$scratch/child; mv $scratch/child $scratch/ready; wait"
interrupt() # SIGNAL STATUS
{
    rm -f ready
    "$runner" release:programs/interrupted_test.sh &
    pid=$!
    while [ ! -e ready ] && kill -0 $pid; do sleep 0.02; done
    kill "-$1" $pid
    wait $pid
    [ $? = "$2" ] || return 1
    # Nobody waits for the keepers of a runner that was killed.
    for attempt in 1 2 3 4 5 6 7 8 9 10; do
        kill -0 "$(cat ready)" || return 0
        sleep 0.1
    done
    echo "still there after attempt $attempt"
    return 1
}
check an_interrupted_run_ends_everything interrupt TERM 130
check a_killed_runner_ends_everything interrupt KILL 137

finish
