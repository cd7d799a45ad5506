/* Locks without memory, at each allocation in turn, on whatever thread it is made. A call succeeds or
 * answers AVOUT_ENOMEM; nobody hangs, nobody is inside with another, no request is left in the queue, and
 * the client goes on as if nothing had been (I8, I10, I12).
 * Test-tags: single */
#include "engine_support.h"
#include "support/locks.h"
#include "support/no_memory.h"

/* ---- lives ----------------------------------------------------------------------------------------- */

typedef struct scene {
    avout_client *witness, *client;
    avout_lock *theirs, *mine;
    avout_rwlock *rw;
    avout_store *store; /* the client's */
    no_memory_calls calls;
    _Atomic int inside;
} scene;

#define DONE(call) NO_MEMORY_DONE(&s->calls, call)

static void once(scene *s, avout_lock *lock)
{
    if (!DONE(avout_lock_acquire(NULL, lock, NULL))) return;
    int others = atomic_fetch_add(&s->inside, 1);
    if (!s->calls.may_lose) CHECK_INT(0, others);
    if (DONE(avout_lock_acquire(NULL, lock, NULL))) DONE(avout_lock_release(lock));
    atomic_fetch_sub(&s->inside, 1);
    DONE(avout_lock_release(lock));
    CHECK_INT(0, avout_lock_hold_count(lock));
}

typedef struct helper {
    scene *s;
    avout_lock *lock;
    bool reads;
} helper;

static void *live(void *payload)
{
    helper *h = payload;
    scene *s = h->s;
    if (!h->reads) once(s, h->lock);
    else if (DONE(avout_rwlock_read(NULL, s->rw, NULL))) {
        if (!s->calls.may_lose) CHECK_INT(0, s->inside);
        DONE(avout_rwlock_release_read(s->rw));
    }
    return NULL;
}

static void alone(scene *s)
{
    once(s, s->mine);
    avout_lock *another;
    if (!DONE(avout_lock_open(&another, s->client, "/another/lock"))) return;
    once(s, another);
    avout_lock_close(another);
}

static void together(scene *s)
{
    enum { THREADS = 6 };
    pthread_t threads[THREADS];
    helper helpers[THREADS];
    for (int i = 0; i < THREADS; i++) {
        helpers[i] = (helper){s, i % 3 ? s->mine : s->theirs, i >= 4};
        CHECK(!pthread_create(&threads[i], NULL, live, &helpers[i]));
    }
    for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
}

static void *signal_once(void *payload)
{
    scene *s = payload;
    avout_condition *condition;
    if (!DONE(avout_condition_open(&condition, s->theirs, "ready"))) return NULL;
    if (DONE(avout_lock_acquire(NULL, s->theirs, NULL))) {
        DONE(avout_condition_signal(condition));
        DONE(avout_lock_release(s->theirs));
    }
    avout_condition_close(condition);
    return NULL;
}

/* Whether the signal comes or not; whatever the wait answers, the count tells what is held. */
static void with_a_condition(scene *s)
{
    pthread_t thread;
    avout_condition *condition;
    avout_wait_options shortly = {.timeout_ms = 5};
    if (!DONE(avout_condition_open(&condition, s->mine, "ready"))) return;
    CHECK(!pthread_create(&thread, NULL, signal_once, s));
    if (DONE(avout_lock_acquire(NULL, s->mine, NULL))) {
        for (int i = 0; i < 2 && avout_lock_is_held(s->mine); i++) {
            avout_status status = avout_condition_wait(condition, &shortly);
            if (status != AVOUT_ETIMEOUT) DONE(status);
            CHECK_INT(avout_lock_hold_count(s->mine), avout_lock_is_held(s->mine));
        }
        if (avout_lock_hold_count(s->mine)) CHECK_OK(avout_lock_release(s->mine));
    }
    pthread_join(thread, NULL);
    avout_condition_close(condition);
}

static void over_broken_connections(scene *s)
{
    once(s, s->mine);
    together(s);
}

typedef void (*part)(scene *s);

static bool play(int64_t n, int64_t count, void *payload)
{
    part act = *(part *)payload;
    scene all = {.witness = suite_connect()}, *s = &all;
    s->client = suite_connect();
    s->store = engine_store(1);
    CHECK_OK(avout_lock_open(&s->theirs, s->witness, "/dir/lock"));
    CHECK_OK(avout_lock_open(&s->mine, s->client, "/dir/lock"));
    CHECK_OK(avout_rwlock_open(&s->rw, s->client, "/dir/lock"));
    s->calls.may_lose = act == over_broken_connections;
    if (s->calls.may_lose) engine_lose_session(s->store, 4, 8);
    no_memory_begin(n, count);
    act(s);
    int64_t happened = no_memory_end();
    avout__mem_faults_clear(s->store);
    s->calls.may_lose = false;
    if (!happened) CHECK_INT(0, s->calls.refused);
    TEST_AWAIT(!locks_queue(s->witness, "/dir/lock"));
    TEST_AWAIT(!locks_queue(s->witness, "/another/lock"));
    int refused = s->calls.refused;
    once(s, s->mine);
    once(s, s->theirs);
    CHECK_INT(refused, s->calls.refused);
    avout_lock_close(s->mine);
    avout_lock_close(s->theirs);
    avout_rwlock_close(s->rw);
    suite_close(s->client);
    suite_close(s->witness);
    no_memory_check(n);
    return happened;
}

static void sweep(part act, int64_t least)
{
    no_memory_sweep(play, &act, least);
}

TEST(one_thread_alone)
{
    sweep(alone, 30);
}

TEST(threads_and_clients)
{
    sweep(together, 60);
}

TEST_WITHIN(waiting_for_a_signal, 90)
{
    sweep(with_a_condition, 60);
}

TEST_WITHIN(over_lost_connections, 90)
{
    sweep(over_broken_connections, 60);
}
