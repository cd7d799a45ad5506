/* Semaphores and elections without memory, at each allocation in turn, on whatever thread it is made. A call
 * succeeds or answers AVOUT_ENOMEM; nobody hangs, never more are inside than there are permits, no request is
 * left in a queue, a candidate stays one, and the client goes on as if nothing had been (I8, I10, I12).
 * Test-tags: single slow */
#include "engine_support.h"
#include "support/no_memory.h"

enum { PERMITS = 2 };

#define S "/dir/permits"
#define E "/dir/term"

typedef struct scene {
    avout_client *witness, *client;
    avout_semaphore *theirs, *mine;
    avout_election *first, *second;
    avout_store *store; /* the client's */
    no_memory_calls calls;
    _Atomic int inside;
    _Atomic bool somebody;
} scene;

#define DONE(call) NO_MEMORY_DONE(&s->calls, call)

static void once(scene *s, avout_semaphore *semaphore, int permits)
{
    avout_lease *lease;
    if (!DONE(avout_semaphore_acquire(&lease, semaphore, (uint32_t)permits, NULL))) return;
    int inside = atomic_fetch_add(&s->inside, permits) + permits;
    if (!s->calls.may_lose) CHECK(inside <= PERMITS);
    sched_yield();
    atomic_fetch_sub(&s->inside, permits);
    avout_status status = avout_lease_release(lease);
    if (status != AVOUT_ELOST || !s->calls.may_lose) CHECK_OK(status); /* needs none */
}

typedef struct helper {
    scene *s;
    int number;
} helper;

static void *live(void *payload)
{
    helper *h = payload;
    once(h->s, h->number % 2 ? h->s->mine : h->s->theirs, h->number == 2 ? 2 : 1);
    return NULL;
}

static void permits(scene *s)
{
    enum { THREADS = 5 };
    pthread_t threads[THREADS];
    helper helpers[THREADS];
    avout_semaphore *another;
    if (DONE(avout_semaphore_open(&another, s->client, "/another", 3))) {
        DONE(avout_semaphore_set_permits(another, 1, NULL));
        avout_semaphore_close(another);
    }
    for (int i = 0; i < THREADS; i++) {
        helpers[i] = (helper){s, i};
        CHECK(!pthread_create(&threads[i], NULL, live, &helpers[i]));
    }
    for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
}

/* Who is enrolled stays it, and leads in the end. */
static void terms(scene *s)
{
    avout_candidate *leader;
    avout_token token;
    bool first = DONE(avout_election_enrol(s->first, "1", 1));
    bool second = DONE(avout_election_enrol(s->second, "2", 1));
    if (first || second) {
        if (!s->calls.may_lose && DONE(avout_election_leader(&leader, s->first)))
            avout_candidate_free(leader);
        while (s->calls.may_lose && avout__mem_expire(s->store)) sched_yield();
        CHECK_OK(avout_election_await_leader(NULL, s->second, NULL));
    }
    if (first && !second) CHECK_OK(avout_election_await_term(&token, s->first, NULL));
    if (first) CHECK_OK(avout_election_resign(s->first));
    if (second) {
        CHECK_OK(avout_election_await_term(&token, s->second, NULL));
        CHECK_OK(avout_election_resign(s->second));
    }
}

static void over_sessions(scene *s)
{
    once(s, s->mine, 1);
    terms(s);
}

static void on_leader(const char *name, const avout_candidate *leader, void *payload)
{
    scene *s = payload;
    CHECK_TEXT(E, name);
    s->somebody = leader != NULL;
}

static bool nothing_left(scene *s)
{
    avout_semaphore_report *permits;
    avout_election_report *terms;
    CHECK_OK(avout_semaphore_inspect(&permits, s->witness, S));
    CHECK_OK(avout_election_inspect(&terms, s->witness, E));
    bool nothing = !permits->count && !terms->count;
    avout_semaphore_report_free(permits);
    avout_election_report_free(terms);
    return nothing;
}

typedef void (*part)(scene *s);

static bool play(int64_t n, int64_t count, void *payload)
{
    part act = *(part *)payload;
    scene all = {.witness = suite_connect()}, *s = &all;
    s->client = suite_connect();
    s->store = engine_store(1);
    CHECK_OK(avout_semaphore_open(&s->theirs, s->witness, S, PERMITS));
    CHECK_OK(avout_semaphore_open(&s->mine, s->client, S, PERMITS));
    CHECK_OK(avout_election_open(&s->first, s->client, E));
    CHECK_OK(avout_election_open(&s->second, s->witness, E));
    CHECK_OK(avout_election_on_leader(s->second, on_leader, s));
    s->calls.may_lose = act == over_sessions;
    if (s->calls.may_lose) engine_lose_session(s->store, 4, 6);
    no_memory_begin(n, count);
    act(s);
    int64_t happened = no_memory_end();
    avout__mem_faults_clear(s->store);
    s->calls.may_lose = false;
    if (!happened) CHECK_INT(0, s->calls.refused);
    TEST_AWAIT(nothing_left(s));
    int refused = s->calls.refused;
    once(s, s->mine, 2);
    once(s, s->theirs, 1);
    CHECK_OK(avout_election_enrol(s->first, "1", 1));
    TEST_AWAIT(s->somebody);
    CHECK_OK(avout_election_resign(s->first));
    TEST_AWAIT(!s->somebody);
    CHECK_INT(refused, s->calls.refused);
    avout_semaphore_close(s->mine);
    avout_semaphore_close(s->theirs);
    avout_election_close(s->first);
    avout_election_close(s->second);
    suite_close(s->client);
    suite_close(s->witness);
    no_memory_check(n);
    return happened;
}

static void sweep(part act, int64_t least)
{
    no_memory_sweep(play, &act, least);
}

TEST_WITHIN(of_permits, 90)
{
    sweep(permits, 60);
}

TEST_WITHIN(of_a_term, 90)
{
    sweep(terms, 30);
}

TEST_WITHIN(over_lost_sessions, 90)
{
    sweep(over_sessions, 90);
}
