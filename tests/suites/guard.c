/* Processes and threads that contend for one lock, with something outside the lock to guard: one holder
 * at a time, no writer beside a reader, tokens that grow with every acquisition (I8), whoever is killed,
 * stopped, or gives up; nobody waits for ever (I12), and no request is left behind. */
#include "support/guard.h"

enum { WORKERS = 4, SESSION_MS = 1500 };

/* Sessions end while their process is stopped: not those of the embedded store. */
static bool sessions_expire;

static guard *shared;

static void work(int number)
{
    guard_live(shared, number, NULL);
}

static void begin(void)
{
    shared = guard_new();
    suite_url();
}

static void start(crowd_process *workers, int count)
{
    for (int i = 0; i < count; i++) crowd_start(&workers[i], work, i);
    guard_await_progress(shared, count, 40, workers);
}

static void finish(crowd_process *workers, int count)
{
    guard_await_progress(shared, count, 40, workers);
    atomic_store(&shared->over, true);
    crowd_finish(workers, (size_t)count, 30);
    guard_audit(shared);
}

static void contend(int seconds)
{
    crowd_process workers[WORKERS];
    start(workers, WORKERS);
    test_pause_ms(1000 * seconds);
    finish(workers, WORKERS);
    CHECK_INT(0, atomic_load(&shared->refused));
}

TEST(one_holder_at_a_time)
{
    begin();
    shared->threads = 3;
    shared->hold_ms = 2;
    contend(3);
}

TEST(one_holder_at_a_time_with_waits_given_up)
{
    begin();
    shared->threads = 3;
    shared->gives_up = true;
    contend(3);
    CHECK(atomic_load(&shared->given_up) > 0);
}

TEST(no_writer_beside_a_reader)
{
    begin();
    shared->threads = 4;
    shared->readers = 7;
    shared->hold_ms = 3;
    shared->gives_up = true;
    contend(3);
    CHECK(atomic_load(&shared->beside) > 0);
}

/* ---- the dead ------------------------------------------------------------------------------------ */

TEST(holders_and_waiters_are_killed)
{
    crowd_process workers[WORKERS];
    begin();
    shared->readers = 3;
    shared->hold_ms = 8;
    shared->gives_up = true;
    shared->loses = sessions_expire;
    shared->options.session_timeout_ms = SESSION_MS;
    start(workers, WORKERS);
    int64_t end = crowd_now_ms() + 6000;
    int killed = 0;
    for (; crowd_now_ms() < end; killed++) {
        test_pause_ms((int)crowd_random(sessions_expire ? 700 : 150));
        crowd_check(workers, WORKERS);
        crowd_replace(&workers[crowd_random(WORKERS)]);
    }
    finish(workers, WORKERS);
    fprintf(stderr, "# %d killed\n", killed);
}

/* ---- the stopped --------------------------------------------------------------------------------- */

static crowd_process *somebody(crowd_process *workers)
{
    return &workers[crowd_random(WORKERS)];
}

/* Most likely: it may go at any time. */
static crowd_process *who_is_inside(crowd_process *workers)
{
    for (;;) {
        crowd_process *one = somebody(workers);
        for (int i = 0; i < shared->threads; i++)
            if (shared->entries[one->number][i].inside) return one;
    }
}

/* Sometimes for longer than a session lasts. Where sessions expire the others go on meanwhile; on the
 * embedded store they may have to wait, and go on after. */
TEST(holders_and_waiters_are_stopped)
{
    crowd_process workers[WORKERS];
    begin();
    shared->readers = 3;
    shared->hold_ms = 8;
    shared->loses = sessions_expire;
    shared->options.session_timeout_ms = SESSION_MS;
    start(workers, WORKERS);
    for (int i = 0; i < 8; i++) {
        test_pause_ms((int)crowd_random(50));
        crowd_process *one = i % 4 == 1 ? who_is_inside(workers) : somebody(workers);
        crowd_stop(one);
        test_pause_ms(i % 2 ? SESSION_MS * 2 : (int)crowd_random(300));
        crowd_go_on(one);
        guard_await_progress(shared, WORKERS, 20, workers);
    }
    finish(workers, WORKERS);
}

/* ---- fairness ------------------------------------------------------------------------------------ */

enum { PROCESSES = 16, SECONDS = 4, WINDOWS = 4 };

/* The slowest's part of the mean, since the counts were those. */
static double slowest_share(const int64_t before[PROCESSES])
{
    int64_t total = 0, least = INT64_MAX;
    for (int i = 0; i < PROCESSES; i++) {
        int64_t count = atomic_load(&shared->acquired[i]) - before[i];
        total += count;
        if (count < least) least = count;
    }
    double share = total ? (double)least * PROCESSES / (double)total : 0;
    fprintf(stderr, "# %" PRId64 " acquisitions, the slowest process %.2f of the mean\n", total,
            share);
    return share;
}

/* Held for a moment, so that the other thread of the process waits for its turn already. On a loaded
 * machine a process may not even be run for a while: then it takes longer to see. */
TEST(sixteen_processes_get_their_shares)
{
    crowd_process workers[PROCESSES];
    int64_t before[PROCESSES];
    double share = 0;
    begin();
    shared->hold_ms = 2;
    start(workers, PROCESSES);
    for (int i = 0; i < PROCESSES; i++) before[i] = atomic_load(&shared->acquired[i]);
    for (int i = 0; share < 0.5 && i < WINDOWS; i++) {
        test_pause_ms(SECONDS * 1000);
        share = slowest_share(before);
    }
    CHECK(share >= 0.5);
    finish(workers, PROCESSES);
    CHECK_INT(0, atomic_load(&shared->refused));
}

/* ---- waits that are given up ---------------------------------------------------------------------- */

static struct stage {
    _Atomic bool held, over;
} * stage;

static void hold_it(int number)
{
    (void)number;
    guard_hold(&stage->held, &stage->over);
}

typedef struct quitter {
    avout_lock *lock;
    avout_rwlock *rwlock;
    uint64_t random;
} quitter;

static void *give_up(void *payload)
{
    quitter *q = payload;
    enum { WAITS = 50 };
    for (int i = 0; i < WAITS; i++) {
        avout_cancel *cancel;
        uint32_t how = crowd_random_of(&q->random, 3);
        if (i == WAITS - 1) how = 1;
        CHECK_OK(avout_cancel_new(&cancel));
        if (how == 0) avout_cancel_set(cancel);
        /* Most while the request is being made, the last one when it has its place. */
        int64_t ms = i < WAITS - 1 ? 1 + crowd_random_of(&q->random, 12) : 400;
        avout_wait_options options = {.timeout_ms = ms, .cancel = cancel};
        avout_status status = how == 2 ? avout_rwlock_read(NULL, q->rwlock, &options)
                                       : avout_lock_acquire(NULL, q->lock, &options);
        CHECK_STATUS(how == 0 ? AVOUT_ECANCELLED : AVOUT_ETIMEOUT, status);
        avout_cancel_free(cancel);
    }
    return NULL;
}

/* Stays connected: what it has left behind would not go with its session. */
static void wait_in_vain(int number)
{
    enum { THREADS = 3 };
    avout_client *client = suite_connect();
    pthread_t threads[THREADS];
    quitter q[THREADS];
    for (int i = 0; i < THREADS; i++) {
        q[i].random = crowd_thread_seed();
        CHECK_OK(avout_lock_open(&q[i].lock, client, GUARD_LOCK));
        CHECK_OK(avout_rwlock_open(&q[i].rwlock, client, GUARD_LOCK));
        CHECK(!pthread_create(&threads[i], NULL, give_up, &q[i]));
    }
    for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
    atomic_fetch_add(&shared->tried[number], 1);
    while (!atomic_load(&stage->over)) test_pause_ms(2);
    for (int i = 0; i < THREADS; i++) {
        avout_lock_close(q[i].lock);
        avout_rwlock_close(q[i].rwlock);
    }
    suite_close(client);
}

TEST(waits_that_are_given_up_leave_no_request)
{
    enum { QUITTERS = 3 };
    crowd_process holder, quitters[QUITTERS];
    begin();
    stage = crowd_share(sizeof *stage);
    crowd_start(&holder, hold_it, 0);
    while (!atomic_load(&stage->held)) test_pause_ms(1);
    for (int i = 0; i < QUITTERS; i++) crowd_start(&quitters[i], wait_in_vain, i);
    for (int i = 0; i < QUITTERS; i++)
        while (!atomic_load(&shared->tried[i])) {
            crowd_check(quitters, QUITTERS);
            test_pause_ms(2);
        }
    guard_await_queue(1, 10);
    crowd_check(&holder, 1);
    atomic_store(&stage->over, true);
    crowd_finish(&holder, 1, 20);
    crowd_finish(quitters, QUITTERS, 20);
    guard_await_queue(0, 10);
}
