/* Connections that break while changes are on their way: each call takes effect exactly once (I3),
 * whatever became of the request or of its reply. What is unclear is settled by fences; nobody is
 * told "unknown" whose deadline has not passed.
 * Test-tags: single slow waits */
#include "support/ledger.h"
#include "support/proxy.h"
#include "support/zookeeper.h"

enum { WORKERS = 3, THREADS = 3 };

static ledger_book *book;
static char url[128];
static const avout_options options = {.session_timeout_ms = 3000, .timeout_ms = 60000};

static const char *url_of_test(void)
{
    return url;
}

static void use_port(int port)
{
    snprintf(url, sizeof url, "zk://127.0.0.1:%d/once", port);
    suite_use(url_of_test);
    book = crowd_share(sizeof *book);
    ledger_create();
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

static void start(crowd_process all[WORKERS + 1])
{
    for (int i = 0; i < WORKERS; i++) crowd_start(&all[i], work, i);
    crowd_start(&all[WORKERS], watch, WORKERS);
    ledger_await_progress(book, WORKERS, 20, all, WORKERS + 1);
}

static void finish(crowd_process all[WORKERS + 1])
{
    int64_t confirmed = ledger_confirmed(book);
    ledger_await_progress(book, WORKERS, 30, all, WORKERS + 1);
    atomic_store(&book->over, true);
    crowd_finish(all, WORKERS + 1, 30);
    fprintf(stderr,
            "# %" PRId64 " changes confirmed until peace, %" PRId64 " looks, %" PRId64 " fences\n",
            confirmed, atomic_load(&book->looks), atomic_load(&book->fences));
    ledger_audit(book);
    CHECK_INT(0, ledger_refused(book) + ledger_unknown(book));
    CHECK(atomic_load(&book->fences) > 0);
}

TEST(connections_break_anywhere)
{
    crowd_process all[WORKERS + 1];
    test_zk *zk = test_zk_start(1);
    test_proxy *proxy = proxy_start(test_zk_port(zk, 0));
    use_port(proxy_port(proxy));
    start(all);
    int64_t end = crowd_now_ms() + 5000;
    while (crowd_now_ms() < end) {
        proxy_set(proxy, PROXY_CHAOS);
        test_pause_ms(300 + (int)crowd_random(1000));
        crowd_check(all, WORKERS + 1);
        proxy_set(proxy, PROXY_PASS);
        test_pause_ms((int)crowd_random(200));
    }
    fprintf(stderr, "# %" PRId64 " connections broken\n", proxy_broken(proxy));
    CHECK(proxy_broken(proxy) > 0);
    finish(all);
}

TEST(the_only_server_is_killed_and_comes_back)
{
    crowd_process all[WORKERS + 1];
    test_zk *zk = test_zk_start(1);
    use_port(test_zk_port(zk, 0));
    start(all);
    for (int i = 0; i < 1 || (i < 4 && !atomic_load(&book->fences)); i++) {
        test_zk_kill(zk, 0);
        test_pause_ms((int)crowd_random(300));
        test_zk_restart(zk, 0);
        test_zk_wait(zk, 0);
        ledger_await_progress(book, WORKERS, 30, all, WORKERS + 1);
    }
    finish(all);
}
