/* Test-tags: single slow waits */
#include "support/suite.h"
#include "suites/guard.c"

__attribute__((constructor)) static void use(void)
{
    suite_use(suite_lmdb_url);
}

/* A stopped process keeps its session here, for as long as it is stopped: the others wait, and go on
 * behind it. */
TEST(a_stopped_holder_stops_the_others)
{
    crowd_process holder, worker;
    begin();
    stage = crowd_share(sizeof *stage);
    crowd_start(&holder, hold_it, 1);
    while (!atomic_load(&stage->held)) test_pause_ms(1);
    crowd_stop(&holder);
    atomic_store(&stage->over, true); /* it releases as soon as it can */
    crowd_start(&worker, work, 0);
    guard_await_queue(2, 20);
    test_pause_ms(2 * SESSION_MS);
    CHECK_INT(0, atomic_load(&shared->acquired[0]));
    crowd_check(&worker, 1);
    crowd_go_on(&holder);
    crowd_finish(&holder, 1, 20);
    finish(&worker, 1);
}
