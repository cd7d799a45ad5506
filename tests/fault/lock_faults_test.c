/* Locks in bad times: every fault at every request of acquiring and releasing, of holder and waiter.
 * Whatever happens, nobody is inside together with another whose token would be accepted, no request is
 * left in the queue while its client lives, nothing waits beyond its deadline and no memory is left (I8,
 * I10, I12).
 * Test-tags: threads slow */
#include "engine_support.h"
#include "support/crowd.h"
#include "support/locks.h"

enum { LATE = 3 };

typedef struct trial {
    avout_client *witness, *client;
    avout_lock *theirs, *mine;
    avout_rwlock *rw;
    bool may_time_out, may_lose;
    avout_status may_fail_with;
    /* What the lock guards: refuses old tokens. */
    pthread_mutex_t mutex;
    avout_token greatest;
    int inside;
} trial;

/* AVOUT_OK, or what the fault explains. */
static avout_status explained(trial *t, avout_status status, int line)
{
    bool fits = !status || (t->may_fail_with && status == t->may_fail_with) ||
                (t->may_time_out && (status == AVOUT_ETIMEOUT || status == AVOUT_UNKNOWN)) ||
                ((t->may_lose || t->may_time_out) && status == AVOUT_ELOST);
    if (!fits)
        test_failed(__FILE__, line, "%s (%s)", avout_status_name(status), avout_error_detail());
    return status;
}
#define EXPLAINED(call) explained(t, (call), __LINE__)

/* Enters what is guarded; false: the token is too old. */
static bool enter(trial *t, avout_token token)
{
    pthread_mutex_lock(&t->mutex);
    bool accepted = avout_token_compare(t->greatest, token) <= 0;
    if (accepted) t->greatest = token;
    if (accepted && t->inside++ && !t->may_lose) test_failed(__FILE__, __LINE__, "two are inside");
    pthread_mutex_unlock(&t->mutex);
    if (!accepted && !t->may_lose) test_failed(__FILE__, __LINE__, "a token that is too old");
    return accepted;
}

static void leave(trial *t, bool entered)
{
    pthread_mutex_lock(&t->mutex);
    t->inside -= entered;
    pthread_mutex_unlock(&t->mutex);
}

static avout_wait_options patience(trial *t)
{
    return (avout_wait_options){.timeout_ms = t->may_time_out ? 60 : 20000,
                                .reacquire_ms = t->may_time_out ? 60 : 20000};
}

/* Gives up until this thread has nothing more. */
static void release(trial *t, avout_lock *lock)
{
    while (avout_lock_hold_count(lock)) EXPLAINED(avout_lock_release(lock));
}

static void once(trial *t, avout_lock *lock)
{
    avout_token token;
    avout_wait_options patient = patience(t);
    if (EXPLAINED(avout_lock_acquire(&token, lock, &patient))) return;
    bool entered = enter(t, token);
    if (EXPLAINED(avout_lock_acquire(NULL, lock, &patient)) == AVOUT_OK)
        EXPLAINED(avout_lock_release(lock));
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
    avout_wait_options patient = patience(t);
    if (EXPLAINED(avout_lock_acquire(NULL, t->theirs, &patient))) return;
    avout_status status = avout_lock_try(NULL, t->mine);
    if (status != AVOUT_EBUSY) EXPLAINED(status);
    if (!status) release(t, t->mine); /* the other has lost it */
    status = avout_lock_acquire(NULL, t->mine, &(avout_wait_options){.timeout_ms = 2});
    if (status != AVOUT_ETIMEOUT) EXPLAINED(status);
    if (!status) release(t, t->mine);
    release(t, t->theirs);
}

static void read_and_write(trial *t)
{
    avout_wait_options patient = patience(t);
    if (!EXPLAINED(avout_rwlock_read(NULL, t->rw, &patient)))
        EXPLAINED(avout_rwlock_release_read(t->rw));
    if (!EXPLAINED(avout_rwlock_write(NULL, t->rw, &patient)))
        EXPLAINED(avout_rwlock_release_write(t->rw));
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
    avout_wait_options patient = patience(t);
    avout_status status = EXPLAINED(avout_lock_acquire(NULL, s->lock, &patient));
    b->waiting++;
    while (!status && b->taken >= b->given)
        status = EXPLAINED(avout_condition_wait(s->condition, &patient));
    if (!status) b->taken++;
    release(t, s->lock);
    return NULL;
}

/* What failed has woken nobody: somebody has to try again. */
static void give_ticket(beds *b, int number, avout_condition *condition)
{
    trial *t = b->t;
    avout_wait_options patient = patience(t);
    avout_status status;
    do {
        status = EXPLAINED(avout_lock_acquire(NULL, t->theirs, &patient));
        b->given = number;
        if (status) continue;
        status = EXPLAINED(avout_condition_signal(condition));
        release(t, t->theirs);
    } while (status && !t->may_time_out);
}

static void sleep_and_wake(trial *t)
{
    beds b = {.t = t};
    sleeper s[2] = {{.beds = &b, .lock = t->mine}, {.beds = &b, .lock = t->theirs}};
    for (int i = 0; i < 2; i++) {
        CHECK_OK(avout_condition_open(&s[i].condition, s[i].lock, "ticket"));
        CHECK(!pthread_create(&s[i].thread, NULL, sleep_for_ticket, &s[i]));
    }
    while (b.waiting < 2) nanosleep(&(struct timespec){0, 10000}, NULL);
    for (int i = 0; i < 2; i++) give_ticket(&b, i + 1, s[1].condition);
    for (int i = 0; i < 2; i++) pthread_join(s[i].thread, NULL);
    for (int i = 0; i < 2; i++) avout_condition_close(s[i].condition);
}

static avout_status open_client(trial *t, avout_client **client)
{
    avout_options patient = {.timeout_ms = t->may_time_out ? 60 : 20000,
                             .connect_timeout_ms = 20000};
    return avout_connect(engine_url(), &patient, client);
}

/* One life with the fault at request n of all that both send. False: they do not send as many. */
static bool live_with(avout__mem_fault fault, size_t n)
{
    trial all = {.mutex = PTHREAD_MUTEX_INITIALIZER}, *t = &all;
    t->may_time_out = fault.kind == AVOUT__MEM_HOLD_REQUEST || fault.kind == AVOUT__MEM_HOLD_REPLY;
    t->may_lose = fault.kind == AVOUT__MEM_EXPIRE_BEFORE || fault.kind == AVOUT__MEM_EXPIRE_AFTER;
    if (fault.kind == AVOUT__MEM_FAIL) t->may_fail_with = fault.status;
    avout_client *auditor = suite_connect();
    CHECK_OK(open_client(t, &t->witness));
    CHECK_OK(open_client(t, &t->client));
    CHECK_OK(avout_lock_open(&t->theirs, t->witness, "/dir/lock"));
    CHECK_OK(avout_lock_open(&t->mine, t->client, "/dir/lock"));
    CHECK_OK(avout_rwlock_open(&t->rw, t->client, "/dir/lock"));
    avout_store *store = engine_store(0);
    fault.everybody = true;
    fault.nth = n;
    engine_fault(store, fault);
    once(t, t->mine);
    contend(t);
    wait_in_vain(t);
    read_and_write(t);
    sleep_and_wake(t);
    bool happened = !avout__mem_faults_left(store);
    avout__mem_faults_clear(store);
    avout__mem_release_late(store);
    for (size_t i = 0; i < 3; i++) avout__mem_release(engine_store(i));
    /* The clients live: what they do not want any more has to go without their end. */
    ENGINE_AWAIT(!locks_queue(auditor, "/dir/lock"));
    /* Short deadlines may still pass on a busy machine; the auditor has long ones. */
    t->may_lose = false;
    t->may_fail_with = AVOUT_OK;
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

/* Lives mostly wait: processes live them side by side, each every STRANDS-th one. */
enum { STRANDS = 8 };

static avout__mem_fault strand_fault;

static void strand(int number)
{
    size_t n = 1 + (size_t)number, quiet = 0;
    /* How many requests there are differs from life to life. */
    for (; quiet < 2; n += STRANDS) quiet = live_with(strand_fault, n) ? 0 : quiet + 1;
    if (!number) fprintf(stderr, "# %zu requests\n", n);
    CHECK(n > (strand_fault.multis ? 20 : 30));
}

static void sweep(avout__mem_fault fault)
{
    crowd_process strands[STRANDS];
    strand_fault = fault;
    for (int i = 0; i < STRANDS; i++) crowd_start(&strands[i], strand, i);
    crowd_finish(strands, STRANDS, 100);
}

TEST(every_request_is_delayed)
{
    sweep((avout__mem_fault){.kind = AVOUT__MEM_DELAY, .delay_ms = 3});
}

static const avout_status lasting[] = {AVOUT_EIO, AVOUT_EPERM, AVOUT_ENOSPACE, AVOUT_ENOMEM};

TEST_WITHIN(every_request_is_refused_for_good, 120)
{
    for (size_t i = 0; i < sizeof lasting / sizeof *lasting; i++)
        for (int whole = 0; whole < 2; whole++)
            sweep((avout__mem_fault){
                .kind = AVOUT__MEM_FAIL, .status = lasting[i], .failed_op = whole ? SIZE_MAX : 0});
}

TEST_WITHIN(the_connection_is_lost_before_every_request, 120)
{
    sweep((avout__mem_fault){.kind = AVOUT__MEM_LOSE_BEFORE});
}

TEST_WITHIN(the_connection_is_lost_after_every_request, 120)
{
    for (int behind = 0; behind < 2; behind++)
        sweep((avout__mem_fault){.kind = AVOUT__MEM_LOSE_AFTER, .behind = behind});
}

TEST_WITHIN(every_request_arrives_late, 120)
{
    for (int late = 0; late < LATE; late++)
        sweep((avout__mem_fault){.kind = AVOUT__MEM_LOSE_LATE, .late = (avout__mem_late)late});
}

TEST_WITHIN(the_session_ends_before_every_request, 120)
{
    sweep((avout__mem_fault){.kind = AVOUT__MEM_EXPIRE_BEFORE});
}

TEST_WITHIN(the_session_ends_after_every_request, 120)
{
    for (int behind = 0; behind < 2; behind++)
        sweep((avout__mem_fault){.kind = AVOUT__MEM_EXPIRE_AFTER, .behind = behind});
}

TEST_WITHIN(every_request_gets_stuck, 120)
{
    sweep((avout__mem_fault){.kind = AVOUT__MEM_HOLD_REQUEST});
}

TEST_WITHIN(every_reply_gets_stuck, 120)
{
    sweep((avout__mem_fault){.kind = AVOUT__MEM_HOLD_REPLY});
}
