/* What the public read-write lock promises, on every store. */
#include "support/locks.h"

enum { CLIENTS = 3, THREADS = 3, ROUNDS = 40 };

TEST(one_thread_reads_and_writes)
{
    avout_client *client = suite_connect();
    avout_rwlock *lock = locks_open_rw(client, "/rw");
    avout_token first, again;
    CHECK_TEXT("/rw", avout_rwlock_name(lock));
    CHECK_STATUS(AVOUT_ENOTHELD, avout_rwlock_token(&first, lock));
    CHECK_OK(avout_rwlock_read(&first, lock, NULL));
    CHECK(avout_rwlock_is_read(lock) && !avout_rwlock_is_written(lock));
    CHECK_STATUS(AVOUT_EDEADLOCK, avout_rwlock_write(NULL, lock, NULL));
    CHECK_CONTAINS("/rw", avout_error_detail());
    CHECK_STATUS(AVOUT_EDEADLOCK, avout_rwlock_try_write(NULL, lock));
    CHECK_STATUS(AVOUT_ENOTHELD, avout_rwlock_release_write(lock));
    CHECK_OK(avout_rwlock_read(&again, lock, NULL));
    CHECK_INT(0, avout_token_compare(first, again));
    CHECK_INT(2, avout_rwlock_read_count(lock));
    CHECK_OK(avout_rwlock_release_read(lock));
    CHECK_OK(avout_rwlock_token(&again, lock));
    CHECK_INT(0, avout_token_compare(first, again));
    CHECK_OK(avout_rwlock_release_read(lock));
    CHECK_STATUS(AVOUT_ENOTHELD, avout_rwlock_release_read(lock));

    CHECK_OK(avout_rwlock_write(&again, lock, NULL));
    CHECK(avout_token_compare(first, again) < 0);
    CHECK_OK(avout_rwlock_read(&first, lock, NULL));
    CHECK_INT(0, avout_token_compare(first, again));
    CHECK_OK(avout_rwlock_try_read(NULL, lock));
    CHECK_INT(1, avout_rwlock_write_count(lock));
    CHECK_INT(2, avout_rwlock_read_count(lock));
    CHECK_OK(avout_rwlock_release_write(lock));
    CHECK(avout_rwlock_is_read(lock) && !avout_rwlock_is_written(lock));
    /* Others are kept out until it has released both. */
    avout_client *other = suite_connect();
    avout_rwlock *theirs = locks_open_rw(other, "/rw");
    CHECK_STATUS(AVOUT_EBUSY, avout_rwlock_try_read(NULL, theirs));
    CHECK_OK(avout_rwlock_release_read(lock));
    CHECK_OK(avout_rwlock_release_read(lock));
    CHECK_OK(avout_rwlock_try_read(NULL, theirs));
    avout_rwlock_close(theirs);
    avout_rwlock_close(lock);
    avout_rwlock_close(NULL);
    suite_close(other);
    suite_close(client);
    suite_check_memory();
}

static void *try_to_read(void *payload)
{
    for (int i = 0; i < 40; i++) {
        CHECK_OK(avout_rwlock_try_read(NULL, payload));
        CHECK_OK(avout_rwlock_release_read(payload));
    }
    return NULL;
}

/* However often: nobody writes, nobody waits to. */
TEST(readers_keep_no_reader_out)
{
    avout_client *client = suite_connect(), *other = suite_connect();
    avout_rwlock *lock = locks_open_rw(client, "/rw"), *theirs = locks_open_rw(other, "/rw");
    pthread_t thread;
    CHECK_OK(avout_rwlock_read(NULL, lock, NULL));
    CHECK(!pthread_create(&thread, NULL, try_to_read, lock));
    pthread_join(thread, NULL);
    try_to_read(theirs);
    CHECK_STATUS(AVOUT_EBUSY, avout_rwlock_try_write(NULL, theirs));
    CHECK_OK(avout_rwlock_release_read(lock));
    CHECK_OK(avout_rwlock_try_write(NULL, theirs));
    CHECK_STATUS(AVOUT_EBUSY, avout_rwlock_try_read(NULL, lock));
    avout_rwlock_close(theirs);
    avout_rwlock_close(lock);
    suite_close(other);
    suite_close(client);
    suite_check_memory();
}

typedef struct rw_waiter {
    avout_rwlock *lock;
    bool writes;
    avout_status status;
    avout_token token;
    _Atomic int *order; /* counts those who had it */
    int place;
    _Atomic bool has, let_go;
    pthread_t thread;
} rw_waiter;

static void *rw_wait(void *payload)
{
    rw_waiter *w = payload;
    avout_wait_options patient = {.timeout_ms = 50000};
    w->status = w->writes ? avout_rwlock_write(&w->token, w->lock, &patient)
                          : avout_rwlock_read(&w->token, w->lock, &patient);
    CHECK_OK(w->status);
    w->place = atomic_fetch_add(w->order, 1);
    w->has = true;
    TEST_AWAIT(w->let_go);
    CHECK_OK(w->writes ? avout_rwlock_release_write(w->lock) : avout_rwlock_release_read(w->lock));
    return NULL;
}

/* r r | w | r r | w, from a client each: in this order, the readers between writers together. */
TEST(readers_share_and_writers_wait_their_turn)
{
    static const bool writes[] = {false, false, true, false, false, true};
    enum { COUNT = 6 };
    avout_client *clients[COUNT];
    avout_rwlock *locks[COUNT];
    rw_waiter w[COUNT];
    _Atomic int order = 0;
    for (int i = 0; i < COUNT; i++) {
        clients[i] = suite_connect();
        locks[i] = locks_open_rw(clients[i], "/rw");
        w[i] = (rw_waiter){.lock = locks[i], .writes = writes[i], .order = &order};
        CHECK(!pthread_create(&w[i].thread, NULL, rw_wait, &w[i]));
        locks_await_queue(clients[0], "/rw", (size_t)i + 1);
    }
    TEST_AWAIT(w[0].has);
    TEST_AWAIT(w[1].has);
    avout_lock_report *report;
    CHECK_OK(avout_lock_inspect(&report, clients[0], "/rw"));
    for (int i = 0; i < COUNT; i++) {
        CHECK_INT(!writes[i], report->entries[i].shared);
        CHECK_INT(i < 2, report->entries[i].holds);
    }
    avout_lock_report_free(report);
    CHECK_STATUS(AVOUT_EBUSY, avout_rwlock_try_read(NULL, locks[5])); /* a writer waits */
    CHECK_STATUS(AVOUT_EBUSY, avout_rwlock_try_write(NULL, locks[1]));
    w[1].let_go = true;
    locks_await_queue(clients[0], "/rw", COUNT - 1);
    CHECK(!w[2].has); /* the first still reads */
    w[0].let_go = true;
    TEST_AWAIT(w[2].has);
    CHECK_INT(3, order);
    w[2].let_go = true;
    TEST_AWAIT(w[3].has);
    TEST_AWAIT(w[4].has);
    CHECK_INT(5, order);
    w[3].let_go = w[4].let_go = true;
    TEST_AWAIT(w[5].has);
    w[5].let_go = true;
    for (int i = 0; i < COUNT; i++) pthread_join(w[i].thread, NULL);
    CHECK_INT(2, w[2].place);
    CHECK_INT(5, w[5].place);
    for (int i = 0; i < COUNT; i++)
        for (int j = 0; j < i; j++)
            if (writes[i] || writes[j]) CHECK(avout_token_compare(w[j].token, w[i].token) < 0);
    CHECK_INT(0, locks_queue(clients[0], "/rw"));
    for (int i = 0; i < COUNT; i++) {
        avout_rwlock_close(locks[i]);
        suite_close(clients[i]);
    }
    suite_check_memory();
}

typedef struct rw_worker {
    avout_rwlock *lock;
    _Atomic int *readers, *writers;
    int number;
    pthread_t thread;
} rw_worker;

static void *rw_work(void *payload)
{
    rw_worker *w = payload;
    avout_wait_options patient = {.timeout_ms = 50000};
    for (int i = 0; i < ROUNDS; i++) {
        if ((i + w->number) % 4 == 0) {
            CHECK_OK(avout_rwlock_write(NULL, w->lock, &patient));
            CHECK_INT(0, atomic_fetch_add(w->writers, 1));
            CHECK_INT(0, *w->readers);
            sched_yield();
            CHECK_INT(1, atomic_fetch_sub(w->writers, 1));
            CHECK_OK(avout_rwlock_release_write(w->lock));
        } else {
            CHECK_OK(avout_rwlock_read(NULL, w->lock, &patient));
            atomic_fetch_add(w->readers, 1);
            CHECK_INT(0, *w->writers);
            sched_yield();
            atomic_fetch_sub(w->readers, 1);
            CHECK_OK(avout_rwlock_release_read(w->lock));
        }
    }
    return NULL;
}

TEST(writers_are_alone)
{
    avout_client *clients[CLIENTS];
    avout_rwlock *locks[CLIENTS];
    rw_worker workers[CLIENTS * THREADS];
    _Atomic int readers = 0, writers = 0;
    for (int i = 0; i < CLIENTS; i++) {
        clients[i] = suite_connect();
        locks[i] = locks_open_rw(clients[i], "/busy");
    }
    for (int i = 0; i < CLIENTS * THREADS; i++) {
        workers[i] = (rw_worker){locks[i % CLIENTS], &readers, &writers, i, 0};
        CHECK(!pthread_create(&workers[i].thread, NULL, rw_work, &workers[i]));
    }
    for (int i = 0; i < CLIENTS * THREADS; i++) pthread_join(workers[i].thread, NULL);
    CHECK_INT(0, locks_queue(clients[0], "/busy"));
    for (int i = 0; i < CLIENTS; i++) {
        avout_rwlock_close(locks[i]);
        suite_close(clients[i]);
    }
    suite_check_memory();
}
