/* Locks on ZooKeeper in bad times, with something outside the lock to guard (I8): holders stopped for
 * longer than their session, connections that break anywhere, servers that are killed. And what a release
 * costs when many wait.
 * Test-tags: single slow waits */
#include <stdlib.h>

#include "support/guard.h"
#include "support/proxy.h"
#include "support/zookeeper.h"

enum { WORKERS = 4, SESSION_MS = 1200 };

static guard *shared;
static test_zk *zk;
static const char *url;
static char proxied[160];

static const char *url_of_test(void)
{
    return url;
}

static void begin(void)
{
    zk = test_zk_start(1);
    url = test_zk_url(zk);
    suite_use(url_of_test);
    shared = guard_new();
}

/* ---- a holder that is stopped --------------------------------------------------------------------- */

static struct stage {
    bool shared;
    _Atomic bool held, taken, over;
    _Atomic int told;
    avout_token first, second, told_token;
} * stage;

static avout_client *connect_shortly(void)
{
    return suite_connect_with(
        &(avout_options){.session_timeout_ms = SESSION_MS, .timeout_ms = 20000});
}

static void count_loss(const char *name, avout_token token, void *payload)
{
    (void)payload;
    CHECK_TEXT(GUARD_LOCK, name);
    stage->told_token = token;
    atomic_fetch_add(&stage->told, 1);
}

static void hold_and_lose(avout_rwlock *lock)
{
    avout_token token;
    CHECK(guard_enter(shared, 0, 0, stage->first, stage->shared));
    atomic_store(&stage->held, true);
    TEST_AWAIT(atomic_load(&stage->taken)); /* stopped meanwhile */
    /* The first call after the stop. */
    CHECK(!(stage->shared ? avout_rwlock_is_read(lock) : avout_rwlock_is_written(lock)));
    CHECK(!guard_leave(shared, 0, 0));
    CHECK(!guard_enter(shared, 0, 0, stage->first, stage->shared));
    CHECK_STATUS(AVOUT_ELOST, avout_rwlock_token(&token, lock));
    CHECK_STATUS(AVOUT_ELOST, avout_rwlock_write(&token, lock, NULL));
    CHECK_STATUS(AVOUT_ELOST, stage->shared ? avout_rwlock_release_read(lock)
                                            : avout_rwlock_release_write(lock));
}

static void be_stopped(int number)
{
    avout_client *client = connect_shortly();
    avout_rwlock *lock;
    avout_token again;
    (void)number;
    CHECK_OK(avout_rwlock_open(&lock, client, GUARD_LOCK));
    CHECK_OK(avout_rwlock_on_lost(lock, count_loss, NULL));
    if (stage->shared) CHECK_OK(avout_rwlock_read(&stage->first, lock, NULL));
    else CHECK_OK(avout_rwlock_write(&stage->first, lock, NULL));
    hold_and_lose(lock);
    atomic_store(&stage->over, true);
    /* Behind the other, with a greater token. */
    CHECK_OK(avout_rwlock_write(&again, lock, NULL));
    CHECK(avout_token_compare(stage->second, again) < 0);
    CHECK(guard_enter(shared, 0, 0, again, false));
    CHECK(guard_leave(shared, 0, 0));
    CHECK_OK(avout_rwlock_release_write(lock));
    for (int i = 0; !atomic_load(&stage->told) && i < 5000; i++) test_pause_ms(1);
    avout_rwlock_close(lock);
    CHECK_INT(1, atomic_load(&stage->told));
    CHECK_INT(0, avout_token_compare(stage->first, stage->told_token));
    suite_close(client);
}

static void take_over(int number)
{
    avout_client *client = connect_shortly();
    avout_lock *lock;
    (void)number;
    CHECK_OK(avout_lock_open(&lock, client, GUARD_LOCK));
    CHECK_OK(avout_lock_acquire(&stage->second, lock, NULL));
    CHECK(guard_enter(shared, 1, 0, stage->second, false));
    atomic_store(&stage->taken, true);
    TEST_AWAIT(atomic_load(&stage->over));
    CHECK(avout_lock_is_held(lock));
    CHECK(guard_leave(shared, 1, 0));
    CHECK_OK(avout_lock_release(lock));
    avout_lock_close(lock);
    suite_close(client);
}

static void stop_past_the_session(bool reads)
{
    crowd_process both[2];
    begin();
    stage = crowd_share(sizeof *stage);
    stage->shared = reads;
    crowd_start(&both[0], be_stopped, 0);
    TEST_AWAIT((crowd_check(both, 1), atomic_load(&stage->held)));
    crowd_stop(&both[0]);
    crowd_start(&both[1], take_over, 1);
    TEST_AWAIT((crowd_check(&both[1], 1), atomic_load(&stage->taken)));
    crowd_go_on(&both[0]);
    crowd_finish(both, 2, 30);
    guard_await_queue(0, 10);
}

TEST(a_writer_stopped_past_its_session_is_refused)
{
    stop_past_the_session(false);
}

TEST(a_reader_stopped_past_its_session_is_refused)
{
    stop_past_the_session(true);
}

/* ---- connections and servers ------------------------------------------------------------------------ */

static void work(int number)
{
    guard_live(shared, number, *proxied ? proxied : NULL);
}

static void start(crowd_process all[WORKERS])
{
    shared->gives_up = true;
    shared->readers = 3;
    shared->threads = 3;
    shared->hold_ms = 4;
    shared->loses = true;
    if (!shared->options.session_timeout_ms) shared->options.session_timeout_ms = 3000;
    for (int i = 0; i < WORKERS; i++) crowd_start(&all[i], work, i);
    guard_await_progress(shared, WORKERS, 20, all);
}

static void finish(crowd_process all[WORKERS])
{
    guard_await_progress(shared, WORKERS, 30, all);
    guard_await_progress(shared, WORKERS, 30, all);
    atomic_store(&shared->over, true);
    crowd_finish(all, WORKERS, 30);
    guard_audit(shared);
}

static test_proxy *begin_with_proxy(void)
{
    begin();
    test_proxy *proxy = proxy_start(test_zk_port(zk, 0));
    snprintf(proxied, sizeof proxied, "zk://127.0.0.1:%d%s", proxy_port(proxy), strrchr(url, '/'));
    return proxy;
}

TEST_WITHIN(connections_break_anywhere, 90)
{
    crowd_process all[WORKERS];
    test_proxy *proxy = begin_with_proxy();
    start(all);
    int64_t end = crowd_now_ms() + 8000;
    while (crowd_now_ms() < end) {
        proxy_set(proxy, PROXY_CHAOS);
        test_pause_ms(300 + (int)crowd_random(1000));
        crowd_check(all, WORKERS);
        proxy_set(proxy, PROXY_PASS);
        test_pause_ms((int)crowd_random(200));
    }
    fprintf(stderr, "# %" PRId64 " connections broken\n", proxy_broken(proxy));
    CHECK(proxy_broken(proxy) > 0);
    finish(all);
}

/* For longer than a session: all that was asked for and held has to be made anew. */
TEST_WITHIN(connections_are_gone_for_longer_than_sessions, 90)
{
    crowd_process all[WORKERS];
    test_proxy *proxy = begin_with_proxy();
    shared->options.session_timeout_ms = SESSION_MS;
    start(all);
    for (int i = 0; i < 3; i++) {
        proxy_set(proxy, PROXY_CUT);
        test_pause_ms(SESSION_MS * 2);
        proxy_set(proxy, PROXY_PASS);
        guard_await_progress(shared, WORKERS, 30, all);
    }
    finish(all);
}

TEST_WITHIN(the_only_server_is_killed_and_comes_back, 90)
{
    crowd_process all[WORKERS];
    begin();
    start(all);
    for (int i = 0; i < 3; i++) {
        test_zk_kill(zk, 0);
        test_pause_ms((int)crowd_random(300));
        test_zk_restart(zk, 0);
        test_zk_wait(zk, 0);
        guard_await_progress(shared, WORKERS, 30, all);
        test_pause_ms((int)crowd_random(300));
    }
    finish(all);
}

/* ---- waits given up while the connection is lost ----------------------------------------------------- */

static void *give_up(void *payload)
{
    avout_lock *lock = payload;
    uint64_t random = crowd_thread_seed();
    for (int i = 0; i < 300; i++) {
        avout_cancel *cancel;
        bool cancelled = crowd_random_of(&random, 4) == 0;
        CHECK_OK(avout_cancel_new(&cancel));
        if (cancelled) avout_cancel_set(cancel);
        avout_wait_options options = {.timeout_ms = 1 + crowd_random_of(&random, 40),
                                      .cancel = cancel};
        CHECK_STATUS(cancelled ? AVOUT_ECANCELLED : AVOUT_ETIMEOUT,
                     avout_lock_acquire(NULL, lock, &options));
        avout_cancel_free(cancel);
    }
    return NULL;
}

/* Its session is longer than anybody waits: what is left behind would stay. */
static void wait_in_vain(int number)
{
    enum { THREADS = 3 };
    avout_client *client;
    avout_lock *lock;
    pthread_t threads[THREADS];
    avout_options options = {.session_timeout_ms = 20000};
    CHECK_OK(avout_connect(proxied, &options, &client));
    CHECK_OK(avout_lock_open(&lock, client, GUARD_LOCK));
    atomic_store(&stage->held, true);
    for (int i = 0; i < THREADS; i++) CHECK(!pthread_create(&threads[i], NULL, give_up, lock));
    for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
    atomic_fetch_add(&shared->tried[number], 1);
    TEST_AWAIT(atomic_load(&stage->over));
    avout_lock_close(lock);
    suite_close(client);
}

static void hold_it(int number)
{
    (void)number;
    guard_hold(&stage->taken, &stage->over);
}

TEST(waits_given_up_without_a_connection_leave_no_request)
{
    crowd_process holder, quitter;
    test_proxy *proxy = begin_with_proxy();
    stage = crowd_share(sizeof *stage);
    crowd_start(&holder, hold_it, 1);
    TEST_AWAIT(atomic_load(&stage->taken));
    crowd_start(&quitter, wait_in_vain, 0);
    TEST_AWAIT(atomic_load(&stage->held));
    while (!atomic_load(&shared->tried[0])) {
        crowd_check(&quitter, 1);
        proxy_set(proxy, crowd_random(2) ? PROXY_CHAOS : PROXY_CUT);
        test_pause_ms((int)crowd_random(200));
        proxy_set(proxy, PROXY_PASS);
        test_pause_ms((int)crowd_random(500));
    }
    fprintf(stderr, "# %" PRId64 " connections broken\n", proxy_broken(proxy));
    CHECK(proxy_broken(proxy) > 1);
    guard_await_queue(1, 8);
    crowd_check(&quitter, 1);
    crowd_check(&holder, 1);
    atomic_store(&stage->over, true);
    crowd_finish(&holder, 1, 20);
    crowd_finish(&quitter, 1, 20);
    guard_await_queue(0, 10);
}

/* ---- no herd ------------------------------------------------------------------------------------------ */

enum { HERD = 10 };

/* The server's own count. */
static int64_t counted(const char *name)
{
    static char answer[1 << 16];
    CHECK(test_zk_ask(zk, 0, "mntr", answer, sizeof answer));
    const char *at = strstr(answer, name);
    CHECK(at != NULL);
    return strtoll(at + strlen(name), NULL, 10);
}

static void queue_up(int number)
{
    avout_client *client = suite_connect();
    avout_rwlock *lock;
    bool reads = number < shared->readers;
    avout_token token;
    CHECK_OK(avout_rwlock_open(&lock, client, GUARD_LOCK));
    CHECK_OK(reads ? avout_rwlock_read(&token, lock, NULL)
                   : avout_rwlock_write(&token, lock, NULL));
    CHECK(guard_enter(shared, number, 0, token, reads));
    atomic_fetch_add(&shared->acquired[0], 1);
    TEST_AWAIT(atomic_load(&shared->over));
    CHECK(guard_leave(shared, number, 0));
    CHECK_OK(reads ? avout_rwlock_release_read(lock) : avout_rwlock_release_write(lock));
    avout_rwlock_close(lock);
    suite_close(client);
}

static void await_queue_of(int length)
{
    guard_await_queue((size_t)length, 10);
    /* Each that waits watches one other, and itself; so does, after a moment, the holder. */
    TEST_AWAIT(counted("zk_watch_count\t") == 2 * (length - 1) + 1);
}

/* HERD wait behind a holder in an order of arrival; the first `readers` of them read. Answers how many
 * packets the server sent for the release. */
static int64_t cost_of_a_release(int readers)
{
    crowd_process holder, herd[HERD];
    begin();
    stage = crowd_share(sizeof *stage);
    shared->readers = readers;
    crowd_start(&holder, hold_it, 1);
    TEST_AWAIT(atomic_load(&stage->taken));
    for (int i = 0; i < HERD; i++) {
        crowd_start(&herd[i], queue_up, i);
        await_queue_of(2 + i);
    }
    int woken = readers ? readers : 1;
    int64_t before = counted("zk_packets_sent\t");
    atomic_store(&stage->over, true);
    TEST_AWAIT(atomic_load(&shared->acquired[0]) >= woken);
    crowd_finish(&holder, 1, 20);
    int64_t cost = counted("zk_packets_sent\t") - before;
    guard_await_queue(HERD, 10);
    CHECK_INT(woken, atomic_load(&shared->acquired[0]));
    CHECK_INT(2 * (HERD - woken) + woken, counted("zk_watch_count\t"));
    for (int i = 0; i < HERD; i++) crowd_kill(&herd[i]);
    return cost;
}

/* One event for each that is woken; the release, the end of its client, and a ping now and then are
 * answered. With a herd everybody would get an event and ask for the queue. */
TEST(a_release_wakes_one_writer)
{
    int64_t cost = cost_of_a_release(0);
    fprintf(stderr, "# %" PRId64 " packets\n", cost);
    CHECK(cost < HERD);
}

TEST(a_release_wakes_the_readers_in_a_row)
{
    enum { READERS = 4 };
    int64_t cost = cost_of_a_release(READERS);
    fprintf(stderr, "# %" PRId64 " packets\n", cost);
    CHECK(cost < READERS + HERD);
}
