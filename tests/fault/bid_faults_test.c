/* Semaphores and elections in bad times: every fault at every request of two clients that have permits, wait
 * for them in vain, change their number, lead and observe. Whatever happens, never more are inside than there
 * are permits, no two lead whose tokens would be accepted, no request is left in a queue while its client lives,
 * observers know in the end who leads, nothing waits beyond its deadline and no memory is left (I8, I10, I12).
 * Test-tags: threads slow */
#include "engine_support.h"
#include "support/crowd.h"

enum { LATE = 3, PERMITS = 2 };

#define S "/dir/permits"
#define E "/dir/term"

typedef struct side {
    avout_client *client;
    avout_semaphore *semaphore;
    avout_election *election;
} side;

typedef struct trial {
    side theirs, mine;
    bool may_time_out, may_lose;
    avout_status may_fail_with;
    _Atomic int inside;
    /* What the leader has: refuses old tokens. */
    pthread_mutex_t mutex;
    avout_token greatest;
    int leaders;
    _Atomic bool somebody; /* leads, as the observer has it */
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

static avout_wait_options patience(trial *t)
{
    return (avout_wait_options){.timeout_ms = t->may_time_out ? 60 : 20000};
}

/* ---- permits --------------------------------------------------------------------------------------- */

static void once(trial *t, avout_semaphore *semaphore, int permits)
{
    avout_lease *lease;
    avout_wait_options patient = patience(t);
    if (EXPLAINED(avout_semaphore_acquire(&lease, semaphore, (uint32_t)permits, &patient))) return;
    int now = atomic_fetch_add(&t->inside, permits) + permits;
    if (!t->may_lose && now > PERMITS) test_failed(__FILE__, __LINE__, "%d are inside", now);
    sched_yield();
    atomic_fetch_sub(&t->inside, permits);
    EXPLAINED(avout_lease_release(lease));
}

typedef struct helper {
    trial *t;
    side *side;
    int permits;
} helper;

static void *once_in_thread(void *payload)
{
    helper *h = payload;
    once(h->t, h->side->semaphore, h->permits);
    return NULL;
}

/* Threads of each client at the same time, some of which want all. */
static void contend(trial *t)
{
    enum { THREADS = 5 };
    pthread_t threads[THREADS];
    helper helpers[THREADS];
    for (int i = 0; i < THREADS; i++) {
        helpers[i] = (helper){t, i % 2 ? &t->mine : &t->theirs, i == 2 ? 2 : 1};
        CHECK(!pthread_create(&threads[i], NULL, once_in_thread, &helpers[i]));
    }
    for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
}

/* Waits that end without permits. */
static void wait_in_vain(trial *t)
{
    avout_lease *all, *none;
    avout_wait_options patient = patience(t);
    if (EXPLAINED(avout_semaphore_acquire(&all, t->theirs.semaphore, PERMITS, &patient))) return;
    avout_status status = avout_semaphore_try(&none, t->mine.semaphore, 1);
    if (status != AVOUT_EBUSY) EXPLAINED(status);
    if (!status) EXPLAINED(avout_lease_release(none)); /* the other has lost them */
    status = avout_semaphore_acquire(&none, t->mine.semaphore, 1,
                                     &(avout_wait_options){.timeout_ms = 2});
    if (status != AVOUT_ETIMEOUT) EXPLAINED(status);
    if (!status) EXPLAINED(avout_lease_release(none));
    EXPLAINED(avout_lease_release(all));
}

/* More, which wakes who waits, and back. */
static void change(trial *t)
{
    pthread_t thread;
    avout_lease *all;
    helper h = {t, &t->mine, 1};
    avout_wait_options patient = patience(t);
    atomic_fetch_sub(&t->inside, 1); /* there may be one more */
    if (!EXPLAINED(avout_semaphore_acquire(&all, t->theirs.semaphore, PERMITS, &patient))) {
        atomic_fetch_add(&t->inside, PERMITS);
        CHECK(!pthread_create(&thread, NULL, once_in_thread, &h));
        avout_status status;
        do
            status =
                EXPLAINED(avout_semaphore_set_permits(t->theirs.semaphore, PERMITS + 1, &patient));
        while (status && !t->may_time_out);
        pthread_join(thread, NULL);
        atomic_fetch_sub(&t->inside, PERMITS);
        EXPLAINED(avout_lease_release(all));
    }
    avout_status status;
    do status = EXPLAINED(avout_semaphore_set_permits(t->mine.semaphore, PERMITS, &patient));
    while (status && !t->may_time_out);
    atomic_fetch_add(&t->inside, 1);
}

/* ---- terms -------------------------------------------------------------------------------------------- */

static void lead(trial *t, avout_election *election)
{
    avout_token token;
    avout_wait_options patient = patience(t);
    if (EXPLAINED(avout_election_enrol(election, "x", 1))) return;
    if (!EXPLAINED(avout_election_await_term(&token, election, &patient))) {
        pthread_mutex_lock(&t->mutex);
        bool accepted = avout_token_compare(t->greatest, token) < 0;
        if (accepted) t->greatest = token;
        if (!t->may_lose && (!accepted || t->leaders))
            test_failed(__FILE__, __LINE__, "two lead, or a token that is too old");
        t->leaders++;
        pthread_mutex_unlock(&t->mutex);
        sched_yield();
        pthread_mutex_lock(&t->mutex);
        t->leaders--;
        pthread_mutex_unlock(&t->mutex);
    }
    EXPLAINED(avout_election_resign(election));
}

static void *lead_in_thread(void *payload)
{
    helper *h = payload;
    lead(h->t, h->side->election);
    return NULL;
}

static void lead_both(trial *t)
{
    pthread_t threads[2];
    helper helpers[2] = {{t, &t->mine, 0}, {t, &t->theirs, 0}};
    for (int i = 0; i < 2; i++)
        CHECK(!pthread_create(&threads[i], NULL, lead_in_thread, &helpers[i]));
    for (int i = 0; i < 2; i++) pthread_join(threads[i], NULL);
}

static void on_leader(const char *name, const avout_candidate *leader, void *payload)
{
    trial *t = payload;
    CHECK_TEXT(E, name);
    if (leader) CHECK_TEXT("x", leader->data);
    t->somebody = leader != NULL;
}

/* ---- lives ---------------------------------------------------------------------------------------------- */

static void open_side(side *s, trial *t)
{
    avout_options patient = {.timeout_ms = t->may_time_out ? 60 : 20000,
                             .connect_timeout_ms = 20000};
    CHECK_OK(avout_connect(engine_url(), &patient, &s->client));
    CHECK_OK(avout_semaphore_open(&s->semaphore, s->client, S, PERMITS));
    CHECK_OK(avout_election_open(&s->election, s->client, E));
}

static void close_side(side *s)
{
    avout_semaphore_close(s->semaphore);
    avout_election_close(s->election);
    avout_close(s->client);
}

static bool nothing_left(avout_client *auditor)
{
    avout_semaphore_report *permits;
    avout_election_report *terms;
    CHECK_OK(avout_semaphore_inspect(&permits, auditor, S));
    CHECK_OK(avout_election_inspect(&terms, auditor, E));
    bool nothing = !permits->count && !terms->count;
    avout_semaphore_report_free(permits);
    avout_election_report_free(terms);
    return nothing;
}

/* One life with the fault at request n of all that both send. False: they do not send as many. */
static bool live_with(avout__mem_fault fault, size_t n)
{
    trial all = {.mutex = PTHREAD_MUTEX_INITIALIZER}, *t = &all;
    t->may_time_out = fault.kind == AVOUT__MEM_HOLD_REQUEST || fault.kind == AVOUT__MEM_HOLD_REPLY;
    avout_client *auditor = suite_connect();
    open_side(&t->theirs, t);
    open_side(&t->mine, t);
    CHECK_OK(avout_election_on_leader(t->theirs.election, on_leader, t));
    t->may_lose = fault.kind == AVOUT__MEM_EXPIRE_BEFORE || fault.kind == AVOUT__MEM_EXPIRE_AFTER;
    if (fault.kind == AVOUT__MEM_FAIL) t->may_fail_with = fault.status;
    avout_store *store = engine_store(0);
    fault.everybody = true;
    fault.nth = n;
    engine_fault(store, fault);
    once(t, t->mine.semaphore, 1);
    contend(t);
    wait_in_vain(t);
    change(t);
    lead_both(t);
    bool happened = !avout__mem_faults_left(store);
    avout__mem_faults_clear(store);
    avout__mem_release_late(store);
    for (size_t i = 0; i < 3; i++) avout__mem_release(engine_store(i));
    /* The clients live: what they do not want any more has to go without their end. */
    ENGINE_AWAIT(nothing_left(auditor));
    ENGINE_AWAIT(!t->somebody);
    /* Short deadlines may still pass on a busy machine; the auditor has long ones. */
    t->may_lose = false;
    t->may_fail_with = AVOUT_OK;
    avout_semaphore *last;
    avout_lease *lease;
    avout_wait_options patient = {.timeout_ms = 20000};
    CHECK_OK(avout_semaphore_open(&last, auditor, S, 0));
    CHECK_OK(avout_semaphore_set_permits(last, PERMITS, &patient));
    CHECK_OK(avout_semaphore_acquire(&lease, last, PERMITS, &patient));
    CHECK_OK(avout_lease_release(lease));
    avout_semaphore_close(last);
    once(t, t->mine.semaphore, 1);
    once(t, t->theirs.semaphore, PERMITS);
    while (avout_election_enrol(t->mine.election, "x", 1)) CHECK(t->may_time_out);
    ENGINE_AWAIT(t->somebody); /* the observer observes */
    EXPLAINED(avout_election_resign(t->mine.election));
    ENGINE_AWAIT(!t->somebody);
    lead(t, t->theirs.election);
    close_side(&t->mine);
    close_side(&t->theirs);
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
    CHECK(n > 40);
}

static void sweep(avout__mem_fault fault)
{
    crowd_process strands[STRANDS];
    strand_fault = fault;
    for (int i = 0; i < STRANDS; i++) crowd_start(&strands[i], strand, i);
    crowd_finish(strands, STRANDS, 100);
}

static const avout_status lasting[] = {AVOUT_EIO, AVOUT_EPERM, AVOUT_ENOSPACE, AVOUT_ENOMEM};

TEST_WITHIN(every_request_is_refused_for_good, 120)
{
    for (size_t i = 0; i < sizeof lasting / sizeof *lasting; i++)
        sweep((avout__mem_fault){
            .kind = AVOUT__MEM_FAIL, .status = lasting[i], .failed_op = i % 2 ? SIZE_MAX : 0});
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
