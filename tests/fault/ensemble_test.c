/* Three servers under load: killed, stopped, started again, the leader among them, in a random order.
 * Each change takes effect exactly once or is reported as unknown (I3), no function sees a torn state
 * (I4), no client sees anything go back, whichever server it is connected to (I6), and everybody goes
 * on when the servers are back.
 * Test-tags: single slow serial */
#include <stdlib.h>

#include "support/ledger.h"
#include "support/zookeeper.h"

enum { SERVERS = 3, WORKERS = 3, THREADS = 3, SECONDS = 14 };

static ledger_book *book;
static const avout_options options = {.session_timeout_ms = 4000, .timeout_ms = 30000};
static const char *url;

static const char *url_of_ensemble(void)
{
    return url;
}

static void work(int number)
{
    ledger_live(book, number, THREADS, &options);
}

static void watch(int number)
{
    (void)number;
    ledger_watch(book, &options);
}

/* One thing that happens to one server, and its end. */
static void trouble(test_zk *zk)
{
    int server = crowd_random(3) ? (int)crowd_random(SERVERS) : test_zk_leader(zk);
    int ms = 100 + (int)crowd_random(1500);
    bool kills = crowd_random(2);
    fprintf(stderr, "# server %d %s for %d ms\n", server, kills ? "killed" : "stopped", ms);
    if (kills) test_zk_kill(zk, server);
    else test_zk_pause(zk, server);
    test_pause_ms(ms);
    if (kills) test_zk_restart(zk, server);
    else test_zk_resume(zk, server);
    /* Sometimes the next one goes before this one is back. */
    if (crowd_random(3)) test_zk_wait(zk, server);
}

static void trouble_of_all(test_zk *zk)
{
    fprintf(stderr, "# all killed\n");
    for (int i = 0; i < SERVERS; i++) test_zk_kill(zk, i);
    for (int i = 0; i < SERVERS; i++) test_zk_restart(zk, i);
    for (int i = 0; i < SERVERS; i++) test_zk_wait(zk, i);
}

TEST_WITHIN(servers_come_and_go, 150)
{
    crowd_process all[WORKERS + 1];
    test_zk *zk = test_zk_start(SERVERS);
    url = test_zk_url(zk);
    suite_use(url_of_ensemble);
    book = crowd_share(sizeof *book);
    ledger_create();
    for (int i = 0; i < WORKERS; i++) crowd_start(&all[i], work, i);
    crowd_start(&all[WORKERS], watch, WORKERS);
    ledger_await_progress(book, WORKERS, 20, all, WORKERS + 1);
    int64_t end = crowd_now_ms() + SECONDS * 1000;
    while (crowd_now_ms() < end) {
        trouble(zk);
        crowd_check(all, WORKERS + 1);
        test_pause_ms((int)crowd_random(800));
    }
    trouble_of_all(zk);
    int64_t confirmed = ledger_confirmed(book), back = crowd_now_ms();
    ledger_await_progress(book, WORKERS, 30, all, WORKERS + 1);
    back = crowd_now_ms() - back;
    atomic_store(&book->over, true);
    crowd_finish(all, WORKERS + 1, 40);
    fprintf(stderr,
            "# %" PRId64 " changes confirmed under trouble, all went on after %" PRId64
            " ms, %" PRId64 " looks, %" PRId64 " fences, %" PRId64 " unknown, %" PRId64
            " without effect\n",
            confirmed, back, atomic_load(&book->looks), atomic_load(&book->fences),
            ledger_unknown(book), ledger_refused(book));
    ledger_audit(book);
}
