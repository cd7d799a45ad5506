/* Semaphores and elections in bad times: every fault at every request of two clients that have permits, wait
 * for them in vain, change their number, lead and observe. Whatever happens, never more are inside than there
 * are permits, no two lead whose tokens would be accepted, no request is left in a queue while its client lives,
 * observers know in the end who leads, nothing waits beyond its deadline and no memory is left (I8, I10, I12).
 * Test-tags: threads slow */
#include "engine_support.h"
#include "excuse.h"

enum { PERMITS = 2 };

#define S "/dir/permits"
#define E "/dir/term"

typedef struct side {
    avout_client *client;
    avout_semaphore *semaphore;
    avout_election *election;
} side;

typedef struct trial {
    side theirs, mine;
    excuse excuse;
    _Atomic int inside;
    /* What the leader has: refuses old tokens. */
    pthread_mutex_t mutex;
    avout_token greatest;
    int leaders;
    _Atomic bool somebody; /* leads, as the observer has it */
} trial;

/* ---- permits --------------------------------------------------------------------------------------- */

static void once(trial *t, avout_semaphore *semaphore, int permits)
{
    avout_lease *lease;
    avout_wait_options patient = excuse_patience(&t->excuse);
    if (EXCUSED(&t->excuse,
                avout_semaphore_acquire(&lease, semaphore, (uint32_t)permits, &patient)))
        return;
    int now = atomic_fetch_add(&t->inside, permits) + permits;
    if (!t->excuse.may_lose && now > PERMITS) test_failed(__FILE__, __LINE__, "%d are inside", now);
    sched_yield();
    atomic_fetch_sub(&t->inside, permits);
    EXCUSED(&t->excuse, avout_lease_release(lease));
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
    avout_wait_options patient = excuse_patience(&t->excuse);
    if (EXCUSED(&t->excuse, avout_semaphore_acquire(&all, t->theirs.semaphore, PERMITS, &patient)))
        return;
    avout_status status = avout_semaphore_try(&none, t->mine.semaphore, 1);
    if (status != AVOUT_EBUSY) EXCUSED(&t->excuse, status);
    if (!status) EXCUSED(&t->excuse, avout_lease_release(none)); /* the other has lost them */
    status = avout_semaphore_acquire(&none, t->mine.semaphore, 1,
                                     &(avout_wait_options){.timeout_ms = 2});
    if (status != AVOUT_ETIMEOUT) EXCUSED(&t->excuse, status);
    if (!status) EXCUSED(&t->excuse, avout_lease_release(none));
    EXCUSED(&t->excuse, avout_lease_release(all));
}

/* More, which wakes who waits, and back. */
static void change(trial *t)
{
    pthread_t thread;
    avout_lease *all;
    helper h = {t, &t->mine, 1};
    avout_wait_options patient = excuse_patience(&t->excuse);
    atomic_fetch_sub(&t->inside, 1); /* there may be one more */
    if (!EXCUSED(&t->excuse,
                 avout_semaphore_acquire(&all, t->theirs.semaphore, PERMITS, &patient))) {
        atomic_fetch_add(&t->inside, PERMITS);
        CHECK(!pthread_create(&thread, NULL, once_in_thread, &h));
        avout_status status;
        do
            status = EXCUSED(&t->excuse, avout_semaphore_set_permits(t->theirs.semaphore,
                                                                     PERMITS + 1, &patient));
        while (status && !t->excuse.may_time_out);
        pthread_join(thread, NULL);
        atomic_fetch_sub(&t->inside, PERMITS);
        EXCUSED(&t->excuse, avout_lease_release(all));
    }
    avout_status status;
    do
        status =
            EXCUSED(&t->excuse, avout_semaphore_set_permits(t->mine.semaphore, PERMITS, &patient));
    while (status && !t->excuse.may_time_out);
    atomic_fetch_add(&t->inside, 1);
}

/* ---- terms -------------------------------------------------------------------------------------------- */

static void lead(trial *t, avout_election *election)
{
    avout_token token;
    avout_wait_options patient = excuse_patience(&t->excuse);
    if (EXCUSED(&t->excuse, avout_election_enrol(election, "x", 1))) return;
    if (!EXCUSED(&t->excuse, avout_election_await_term(&token, election, &patient))) {
        pthread_mutex_lock(&t->mutex);
        bool accepted = avout_token_compare(t->greatest, token) < 0;
        if (accepted) t->greatest = token;
        if (!t->excuse.may_lose && (!accepted || t->leaders))
            test_failed(__FILE__, __LINE__, "two lead, or a token that is too old");
        t->leaders++;
        pthread_mutex_unlock(&t->mutex);
        sched_yield();
        pthread_mutex_lock(&t->mutex);
        t->leaders--;
        pthread_mutex_unlock(&t->mutex);
    }
    EXCUSED(&t->excuse, avout_election_resign(election));
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
    avout_options patient = excuse_options(&t->excuse);
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
    trial all = {.excuse = excuse_of(&fault), .mutex = PTHREAD_MUTEX_INITIALIZER}, *t = &all;
    t->excuse.of_holds = true;
    avout_client *auditor = suite_connect();
    open_side(&t->theirs, t);
    open_side(&t->mine, t);
    CHECK_OK(avout_election_on_leader(t->theirs.election, on_leader, t));
    avout_store *store = engine_store(0);
    engine_fault_of_all(fault, n);
    once(t, t->mine.semaphore, 1);
    contend(t);
    wait_in_vain(t);
    change(t);
    lead_both(t);
    bool happened = !avout__mem_faults_left(store);
    engine_calm(3);
    /* The clients live: what they do not want any more has to go without their end. */
    TEST_AWAIT(nothing_left(auditor));
    TEST_AWAIT(!t->somebody);
    /* Short deadlines may still pass on a busy machine; the auditor has long ones. */
    t->excuse.may_lose = false;
    t->excuse.may_fail_with = AVOUT_OK;
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
    while (avout_election_enrol(t->mine.election, "x", 1)) CHECK(t->excuse.may_time_out);
    TEST_AWAIT(t->somebody); /* the observer observes */
    EXCUSED(&t->excuse, avout_election_resign(t->mine.election));
    TEST_AWAIT(!t->somebody);
    lead(t, t->theirs.election);
    close_side(&t->mine);
    close_side(&t->theirs);
    suite_close(auditor);
    suite_check_memory();
    return happened;
}

enum { REQUESTS = 40, BOTH_REFUSALS = 0 };

#include "suites/every_request.c"
