/* Locks in bad times: every fault at every request of acquiring and releasing, of holder and waiter.
 * Whatever happens, nobody is inside together with another whose token would be accepted, no request is
 * left in the queue while its client lives, nothing waits beyond its deadline and no memory is left (I8,
 * I10, I12).
 * Test-tags: threads slow */
#include "engine_support.h"
#include "excuse.h"
#include "support/locks.h"

typedef struct trial {
    avout_client *witness, *client;
    avout_lock *theirs, *mine;
    avout_rwlock *rw;
    excuse excuse;
    /* What the lock guards: refuses old tokens. */
    pthread_mutex_t mutex;
    avout_token greatest;
    int inside;
} trial;

/* Enters what is guarded; false: the token is too old. */
static bool enter(trial *t, avout_token token)
{
    pthread_mutex_lock(&t->mutex);
    bool accepted = avout_token_compare(t->greatest, token) <= 0;
    if (accepted) t->greatest = token;
    if (accepted && t->inside++ && !t->excuse.may_lose)
        test_failed(__FILE__, __LINE__, "two are inside");
    pthread_mutex_unlock(&t->mutex);
    if (!accepted && !t->excuse.may_lose)
        test_failed(__FILE__, __LINE__, "a token that is too old");
    return accepted;
}

static void leave(trial *t, bool entered)
{
    pthread_mutex_lock(&t->mutex);
    t->inside -= entered;
    pthread_mutex_unlock(&t->mutex);
}

/* Gives up until this thread has nothing more. */
static void release(trial *t, avout_lock *lock)
{
    while (avout_lock_hold_count(lock)) EXCUSED(&t->excuse, avout_lock_release(lock));
}

static void once(trial *t, avout_lock *lock)
{
    avout_token token;
    avout_wait_options patient = excuse_patience(&t->excuse);
    if (EXCUSED(&t->excuse, avout_lock_acquire(&token, lock, &patient))) return;
    bool entered = enter(t, token);
    if (EXCUSED(&t->excuse, avout_lock_acquire(NULL, lock, &patient)) == AVOUT_OK)
        EXCUSED(&t->excuse, avout_lock_release(lock));
    leave(t, entered);
    release(t, lock);
}

typedef struct helper {
    trial *t;
    avout_lock *lock;
} helper;

static void *once_in_thread(void *payload)
{
    helper *h = payload;
    once(h->t, h->lock);
    return NULL;
}

/* Two threads of each client at the same time. */
static void contend(trial *t)
{
    pthread_t threads[4];
    helper helpers[4];
    for (int i = 0; i < 4; i++) {
        helpers[i] = (helper){t, i % 2 ? t->mine : t->theirs};
        CHECK(!pthread_create(&threads[i], NULL, once_in_thread, &helpers[i]));
    }
    for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
}

/* Waits that end without the lock. */
static void wait_in_vain(trial *t)
{
    avout_wait_options patient = excuse_patience(&t->excuse);
    if (EXCUSED(&t->excuse, avout_lock_acquire(NULL, t->theirs, &patient))) return;
    avout_status status = avout_lock_try(NULL, t->mine);
    if (status != AVOUT_EBUSY) EXCUSED(&t->excuse, status);
    if (!status) release(t, t->mine); /* the other has lost it */
    status = avout_lock_acquire(NULL, t->mine, &(avout_wait_options){.timeout_ms = 2});
    if (status != AVOUT_ETIMEOUT) EXCUSED(&t->excuse, status);
    if (!status) release(t, t->mine);
    release(t, t->theirs);
}

static void read_and_write(trial *t)
{
    avout_wait_options patient = excuse_patience(&t->excuse);
    if (!EXCUSED(&t->excuse, avout_rwlock_read(NULL, t->rw, &patient)))
        EXCUSED(&t->excuse, avout_rwlock_release_read(t->rw));
    if (!EXCUSED(&t->excuse, avout_rwlock_write(NULL, t->rw, &patient)))
        EXCUSED(&t->excuse, avout_rwlock_release_write(t->rw));
}

/* A signal reaches one of those who wait, whatever happens, or a wait ends without one: nobody sleeps on.
 * One of two sleepers is a thread of the signaller's own client. */
typedef struct beds {
    trial *t;
    _Atomic int given, taken, waiting;
} beds;

typedef struct sleeper {
    beds *beds;
    avout_lock *lock;
    avout_condition *condition;
    pthread_t thread;
} sleeper;

static void *sleep_for_ticket(void *payload)
{
    sleeper *s = payload;
    beds *b = s->beds;
    trial *t = b->t;
    avout_wait_options patient = excuse_patience(&t->excuse);
    avout_status status = EXCUSED(&t->excuse, avout_lock_acquire(NULL, s->lock, &patient));
    b->waiting++;
    while (!status && b->taken >= b->given)
        status = EXCUSED(&t->excuse, avout_condition_wait(s->condition, &patient));
    if (!status) b->taken++;
    release(t, s->lock);
    return NULL;
}

/* What failed has woken nobody: somebody has to try again. */
static void give_ticket(beds *b, int number, avout_condition *condition)
{
    trial *t = b->t;
    avout_wait_options patient = excuse_patience(&t->excuse);
    avout_status status;
    do {
        status = EXCUSED(&t->excuse, avout_lock_acquire(NULL, t->theirs, &patient));
        b->given = number;
        if (status) continue;
        status = EXCUSED(&t->excuse, avout_condition_signal(condition));
        release(t, t->theirs);
    } while (status && !t->excuse.may_time_out);
}

static void sleep_and_wake(trial *t)
{
    beds b = {.t = t};
    sleeper s[2] = {{.beds = &b, .lock = t->mine}, {.beds = &b, .lock = t->theirs}};
    for (int i = 0; i < 2; i++) {
        CHECK_OK(avout_condition_open(&s[i].condition, s[i].lock, "ticket"));
        CHECK(!pthread_create(&s[i].thread, NULL, sleep_for_ticket, &s[i]));
    }
    TEST_AWAIT(b.waiting == 2);
    for (int i = 0; i < 2; i++) give_ticket(&b, i + 1, s[1].condition);
    for (int i = 0; i < 2; i++) pthread_join(s[i].thread, NULL);
    for (int i = 0; i < 2; i++) avout_condition_close(s[i].condition);
}

static avout_status open_client(trial *t, avout_client **client)
{
    avout_options patient = excuse_options(&t->excuse);
    return avout_connect(engine_url(), &patient, client);
}

/* One life with the fault at request n of all that both send. False: they do not send as many. */
static bool live_with(avout__mem_fault fault, size_t n)
{
    trial all = {.excuse = excuse_of(&fault), .mutex = PTHREAD_MUTEX_INITIALIZER}, *t = &all;
    t->excuse.of_holds = true;
    avout_client *auditor = suite_connect();
    CHECK_OK(open_client(t, &t->witness));
    CHECK_OK(open_client(t, &t->client));
    CHECK_OK(avout_lock_open(&t->theirs, t->witness, "/dir/lock"));
    CHECK_OK(avout_lock_open(&t->mine, t->client, "/dir/lock"));
    CHECK_OK(avout_rwlock_open(&t->rw, t->client, "/dir/lock"));
    avout_store *store = engine_store(0);
    engine_fault_of_all(fault, n);
    once(t, t->mine);
    contend(t);
    wait_in_vain(t);
    read_and_write(t);
    sleep_and_wake(t);
    bool happened = !avout__mem_faults_left(store);
    engine_calm(3);
    /* The clients live: what they do not want any more has to go without their end. */
    TEST_AWAIT(!locks_queue(auditor, "/dir/lock"));
    /* Short deadlines may still pass on a busy machine; the auditor has long ones. */
    t->excuse.may_lose = false;
    t->excuse.may_fail_with = AVOUT_OK;
    once(t, t->mine);
    once(t, t->theirs);
    avout_lock *last;
    CHECK_OK(avout_lock_open(&last, auditor, "/dir/lock"));
    CHECK_OK(avout_lock_acquire(NULL, last, &(avout_wait_options){.timeout_ms = 20000}));
    CHECK_OK(avout_lock_release(last));
    avout_lock_close(last);
    avout_lock_close(t->mine);
    avout_lock_close(t->theirs);
    avout_rwlock_close(t->rw);
    avout_close(t->client);
    avout_close(t->witness);
    suite_close(auditor);
    suite_check_memory();
    return happened;
}

enum { REQUESTS = 30, BOTH_REFUSALS = 1 };

#include "suites/every_request.c"
