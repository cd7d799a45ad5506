/* Locks on three servers, with something outside the lock to guard (I8): the leader is killed, and
 * another takes over, or stopped for a while. Nobody has the lock beside another, nobody waits for ever.
 * Test-tags: single slow serial */
#include "support/guard.h"
#include "support/zookeeper.h"

enum { SERVERS = 3, WORKERS = 4 };

static guard *shared;
static const char *url;

static const char *url_of_ensemble(void)
{
    return url;
}

static void work(int number)
{
    guard_live(shared, number, NULL);
}

TEST_WITHIN(leaders_are_killed_and_stopped, 150)
{
    crowd_process all[WORKERS];
    test_zk *zk = test_zk_start(SERVERS);
    url = test_zk_url(zk);
    suite_use(url_of_ensemble);
    shared = guard_new();
    shared->readers = 3;
    shared->threads = 3;
    shared->hold_ms = 4;
    shared->gives_up = true;
    shared->loses = true;
    shared->options.session_timeout_ms = 4000;
    for (int i = 0; i < WORKERS; i++) crowd_start(&all[i], work, i);
    guard_await_progress(shared, WORKERS, 30, all);
    for (int i = 0; i < 4; i++) {
        int leader = test_zk_leader(zk);
        bool kills = i % 2 == 0;
        fprintf(stderr, "# leader %d %s\n", leader, kills ? "killed" : "stopped");
        if (kills) {
            test_zk_kill(zk, leader);
            guard_await_progress(shared, WORKERS, 40, all); /* without it */
            test_zk_restart(zk, leader);
        } else {
            test_zk_pause(zk, leader); /* for too short a time to be replaced */
            test_pause_ms(200 + (int)crowd_random(2000));
            test_zk_resume(zk, leader);
        }
        test_zk_wait(zk, leader);
        guard_await_progress(shared, WORKERS, 40, all);
    }
    atomic_store(&shared->over, true);
    crowd_finish(all, WORKERS, 30);
    guard_audit(shared);
}
