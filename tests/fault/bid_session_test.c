/* Semaphores and elections and their sessions, on command: what is lost and who is told, what waits on, who
 * wakes whom, what it costs.
 * Test-tags: threads */
#include <sys/wait.h>
#include <unistd.h>

#include "engine_support.h"

#define S "/dir/permits"
#define NODE "/avout/semaphores/dir:/permits"
#define E "/dir/term"

static const avout_wait_options patient = {.timeout_ms = 20000};

typedef struct side {
    avout_client *client;
    avout_store *store;
    avout_semaphore *semaphore;
    avout_election *election;
} side;

static side open_side(size_t index, uint32_t permits)
{
    side s = {0};
    CHECK_OK(avout_connect(engine_url(), NULL, &s.client));
    s.store = engine_store(index);
    CHECK_OK(avout_semaphore_open(&s.semaphore, s.client, S, permits));
    CHECK_OK(avout_election_open(&s.election, s.client, E));
    return s;
}

static void close_side(side *s)
{
    avout_semaphore_close(s->semaphore);
    avout_election_close(s->election);
    avout_close(s->client);
}

static avout__mem_counters counters(side *s)
{
    avout__mem_counters c;
    avout__mem_counters_of(s->store, &c);
    return c;
}

static size_t queue_length(side *s)
{
    avout_semaphore_report *report;
    CHECK_OK(avout_semaphore_inspect(&report, s->client, S));
    size_t count = report->count;
    avout_semaphore_report_free(report);
    return count;
}

static size_t candidates(side *s)
{
    avout_election_report *report;
    CHECK_OK(avout_election_inspect(&report, s->client, E));
    size_t count = report->count;
    avout_election_report_free(report);
    return count;
}

typedef struct waiter {
    side *side;
    uint32_t permits;
    avout_lease *lease;
    _Atomic bool has;
    pthread_t thread;
} waiter;

static void *wait_for_permits(void *payload)
{
    waiter *w = payload;
    CHECK_OK(avout_semaphore_acquire(&w->lease, w->side->semaphore, w->permits, &patient));
    w->has = true;
    return NULL;
}

static void start(waiter *w, side *s, uint32_t permits)
{
    *w = (waiter){.side = s, .permits = permits};
    CHECK(!pthread_create(&w->thread, NULL, wait_for_permits, w));
}

static void finish(waiter *w)
{
    pthread_join(w->thread, NULL);
    CHECK_OK(avout_lease_release(w->lease));
}

typedef struct changer {
    side *side;
    uint32_t permits;
    int64_t timeout_ms;
    avout_status status;
    pthread_t thread;
} changer;

static void *change_permits(void *payload)
{
    changer *c = payload;
    c->status = avout_semaphore_set_permits(c->side->semaphore, c->permits,
                                            &(avout_wait_options){.timeout_ms = c->timeout_ms});
    return NULL;
}

typedef struct told {
    _Atomic int calls;
    _Atomic bool elected;
    avout_token token;
} told;

static void on_lost(const char *name, avout_token token, void *payload)
{
    told *t = payload;
    CHECK_TEXT(S, name);
    t->token = token;
    t->calls++;
}

static void on_term(const char *name, bool elected, avout_token token, void *payload)
{
    told *t = payload;
    CHECK_TEXT(E, name);
    t->token = token;
    t->elected = elected;
    t->calls++;
}

/* ---- sessions ---------------------------------------------------------------------------------------- */

TEST(a_lease_is_lost_with_its_session)
{
    side a = open_side(0, 2), b = open_side(1, 2);
    told t = {0};
    avout_lease *first, *second, *all, *released;
    CHECK_OK(avout_semaphore_on_lost(a.semaphore, on_lost, &t));
    CHECK_OK(avout_semaphore_acquire(&released, a.semaphore, 1, NULL));
    CHECK_OK(avout_lease_release(released));
    CHECK_OK(avout_semaphore_acquire(&first, a.semaphore, 1, NULL));
    CHECK_OK(avout_semaphore_acquire(&second, b.semaphore, 1, NULL));
    waiter w, mine;
    start(&w, &b, 1);
    TEST_AWAIT(queue_length(&a) == 3);
    start(&mine, &a, 1); /* this one waits on, in its next session */
    TEST_AWAIT(queue_length(&a) == 4);
    CHECK_OK(avout__mem_expire(a.store));
    TEST_AWAIT(w.has);
    TEST_AWAIT(t.calls == 1);
    CHECK_INT(0, avout_token_compare(t.token, avout_lease_token(first)));
    CHECK(!avout_lease_is_held(first));
    CHECK(avout_lease_is_held(second));
    CHECK_STATUS(AVOUT_ELOST, avout_lease_release(first));
    CHECK_CONTAINS(S, avout_error_detail());
    TEST_AWAIT(queue_length(&b) == 3);
    CHECK(!mine.has);
    CHECK_OK(avout_lease_release(second));
    finish(&mine);
    finish(&w);
    TEST_AWAIT(!queue_length(&b));
    CHECK_OK(avout_semaphore_acquire(&all, a.semaphore, 2, NULL));
    CHECK_OK(avout_semaphore_on_lost(a.semaphore, NULL, NULL));
    CHECK_OK(avout__mem_expire(a.store));
    TEST_AWAIT(!avout_lease_is_held(all));
    CHECK_STATUS(AVOUT_ELOST, avout_lease_release(all));
    CHECK_INT(1, t.calls);
    close_side(&a);
    close_side(&b);
    suite_check_memory();
}

TEST(a_leader_is_deposed_with_its_session_and_enrolled_again)
{
    side a = open_side(0, 1), b = open_side(1, 1);
    told t = {0};
    avout_token first, second, again;
    CHECK_OK(avout_election_on_term(a.election, on_term, &t));
    CHECK_OK(avout_election_enrol(a.election, "a", 1));
    CHECK_OK(avout_election_await_term(&first, a.election, &patient));
    CHECK_OK(avout_election_enrol(b.election, "b", 1));
    TEST_AWAIT(t.calls == 1 && t.elected);
    CHECK_OK(avout__mem_expire(a.store));
    CHECK_OK(avout_election_await_term(&second, b.election, &patient));
    CHECK(avout_token_compare(first, second) < 0);
    TEST_AWAIT(t.calls == 2 && !t.elected);
    CHECK_INT(0, avout_token_compare(first, t.token));
    CHECK(!avout_election_leads(a.election));
    TEST_AWAIT(candidates(&b) == 2);
    CHECK_OK(avout__mem_expire(b.store));
    CHECK_OK(avout_election_await_term(&again, a.election, &patient));
    CHECK(avout_token_compare(second, again) < 0);
    TEST_AWAIT(t.calls == 3 && t.elected);
    CHECK_INT(0, avout_token_compare(again, t.token));
    TEST_AWAIT(candidates(&b) == 2);
    /* The node was removed meanwhile: it is made again. */
    CHECK_OK(avout_election_resign(b.election));
    avout__mem_reconnect_after(a.store, AVOUT_FOREVER);
    CHECK_OK(avout__mem_expire(a.store));
    TEST_AWAIT(!avout_election_leads(a.election));
    CHECK_OK(avout_election_remove(b.client, E));
    CHECK_OK(avout__mem_reconnect(a.store));
    CHECK_OK(avout_election_await_term(NULL, a.election, &patient));
    close_side(&a);
    close_side(&b);
    suite_check_memory();
}

/* ---- who wakes whom ------------------------------------------------------------------------------------ */

/* Two come to fit by one release, and stay: the second hears of it from the first, whatever happens to what that
 * one sends. */
static bool chain_with(avout__mem_fault fault, size_t n)
{
    side a = open_side(0, 2), b = open_side(1, 2), c = open_side(2, 2);
    avout_lease *both;
    waiter w[2];
    CHECK_OK(avout_semaphore_acquire(&both, a.semaphore, 2, NULL));
    start(&w[0], &b, 1);
    TEST_AWAIT(queue_length(&a) == 2);
    start(&w[1], &c, 1);
    TEST_AWAIT(queue_length(&a) == 3);
    TEST_AWAIT(counters(&b).armed >= 2 && counters(&c).armed >= 1);
    fault.nth = n;
    engine_fault(b.store, fault);
    CHECK_OK(avout_lease_release(both));
    TEST_AWAIT(w[0].has && w[1].has);
    bool happened = !avout__mem_faults_left(b.store);
    avout__mem_faults_clear(b.store);
    finish(&w[0]);
    finish(&w[1]);
    close_side(&a);
    close_side(&b);
    close_side(&c);
    suite_check_memory();
    return happened;
}

TEST(the_next_one_is_told)
{
    avout__mem_fault faults[] = {
        {.kind = AVOUT__MEM_LOSE_BEFORE},
        {.kind = AVOUT__MEM_LOSE_AFTER},
        {.kind = AVOUT__MEM_FAIL, .status = AVOUT_EIO, .failed_op = SIZE_MAX},
        {.kind = AVOUT__MEM_LOSE_LATE, .late = AVOUT__MEM_LATE_ON_COMMAND},
    };
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        size_t n = 1;
        while (chain_with(faults[i], n)) n++;
        CHECK(n > 2);
    }
}

/* ---- what it costs ----------------------------------------------------------------------------------------- */

TEST(one_round_trip_each)
{
    side a = open_side(0, 2);
    avout_lease *lease;
    for (int i = 0; i < 4; i++) {
        avout__mem_counters before = counters(&a), after;
        CHECK_OK(avout_semaphore_acquire(&lease, a.semaphore, 1, NULL));
        after = counters(&a);
        CHECK_INT(1, after.multis - before.multis);
        CHECK_INT(1, after.lists - before.lists);
        if (i) CHECK_INT(2, after.requests - before.requests); /* sent together */
        CHECK_OK(avout_lease_release(lease));
        CHECK_INT(1, counters(&a).requests - after.requests);
    }
    close_side(&a);
    suite_check_memory();
}

static void settle(side *sides, size_t count)
{
    for (size_t i = 0; i < count; i++) suite_settle(sides[i].client);
}

/* A release wakes one of many that wait; so does a leader that goes. */
TEST(no_herd)
{
    enum { COUNT = 12 };
    side holder = open_side(0, 1), sides[COUNT];
    avout_lease *lease;
    waiter w[COUNT];
    CHECK_OK(avout_semaphore_acquire(&lease, holder.semaphore, 1, NULL));
    CHECK_OK(avout_election_enrol(holder.election, "x", 1));
    CHECK_OK(avout_election_await_term(NULL, holder.election, &patient));
    for (size_t i = 0; i < COUNT; i++) {
        sides[i] = open_side(i + 1, 1);
        start(&w[i], &sides[i], 1);
        TEST_AWAIT(queue_length(&holder) == i + 2);
        CHECK_OK(avout_election_enrol(sides[i].election, "x", 1));
        TEST_AWAIT(counters(&sides[i]).armed >= 2);
    }
    uint64_t before[COUNT];
    settle(sides, COUNT); /* what arrivals have caused is over */
    for (size_t i = 0; i < COUNT; i++) before[i] = counters(&sides[i]).requests;
    CHECK_OK(avout_lease_release(lease));
    TEST_AWAIT(w[0].has);
    CHECK_OK(avout_election_resign(holder.election));
    CHECK_OK(avout_election_await_term(NULL, sides[0].election, &patient));
    settle(sides, COUNT);
    for (size_t i = 0; i < COUNT; i++) before[i] += SUITE_SETTLE_REQUESTS;
    /* The first has its permit and tells the next, which is the first waiter from now on. */
    CHECK(counters(&sides[0]).requests - before[0] <= 5);
    CHECK(counters(&sides[1]).requests - before[1] <= 5);
    for (size_t i = 2; i < COUNT; i++) CHECK_INT(before[i], counters(&sides[i]).requests);
    for (size_t i = 0; i < COUNT; i++) {
        finish(&w[i]);
        close_side(&sides[i]);
    }
    close_side(&holder);
    suite_check_memory();
}

/* ---- at the end of the store's numbers ----------------------------------------------------------------------- */

TEST(numbers_begin_anew_long_before_they_end)
{
    side a = open_side(0, 3);
    avout_lease *lease, *other;
    uint32_t permits;
    CHECK_OK(avout__mem_set_sequence(a.store, NODE, 1 << 30));
    CHECK_OK(avout_semaphore_acquire(&lease, a.semaphore, 1, NULL));
    avout_token token = avout_lease_token(lease);
    CHECK_OK(avout_lease_release(lease));
    CHECK_OK(avout_semaphore_acquire(&lease, a.semaphore, 3, NULL));
    CHECK(avout_token_compare(token, avout_lease_token(lease)) < 0);
    char path[RAW_PATH];
    raw_child(path, a.store, NODE, RAW_ONLY);
    CHECK_CONTAINS("-0000000000", path);
    CHECK_OK(avout_semaphore_permits(&permits, a.semaphore));
    CHECK_INT(3, permits); /* what is kept in the node stays */
    CHECK_OK(avout_lease_release(lease));
    /* A stranger's node keeps it from being made anew: numbers repeat, and better nobody than too many. */
    CHECK_OK(raw_do(a.store, (avout_op){.kind = AVOUT_OP_CREATE, .path = NODE "/notes"}));
    CHECK_OK(avout__mem_set_sequence(a.store, NODE, INT32_MAX));
    CHECK_OK(avout_semaphore_acquire(&lease, a.semaphore, 1, NULL));
    CHECK_STATUS(AVOUT_ELIMIT, avout_semaphore_try(&other, a.semaphore, 1));
    CHECK_CONTAINS("used up", avout_error_detail());
    CHECK_OK(avout_lease_release(lease));
    close_side(&a);
    suite_check_memory();
}

/* Changed before: what tells of that tells of no more, until it is watched again. */
static void remove_only_child(side *s, const char *node)
{
    char path[RAW_PATH];
    raw_child(path, s->store, node, RAW_ONLY);
    avout_op change = {.kind = AVOUT_OP_SET, .path = path, .version = -1, .bytes = "x"};
    CHECK_OK(raw_do(s->store, change));
    CHECK_OK(raw_delete(s->store, path));
}

/* ---- another semaphore of the same name ------------------------------------------------------------------------ */

typedef enum meanwhile {
    MADE_ANEW,        /* removed when the number has been read for the first time */
    MADE_ANEW_BEHIND, /* or for the second time, with a place in the queue; which goes, too */
    RAISED,           /* then, too */
} meanwhile;

/* What was read is not so any more: nothing is written because of it. */
static void change_of_another(uint32_t permits, meanwhile what)
{
    side a = open_side(0, 8), b = open_side(1, 8);
    avout_lease *lease;
    uint32_t there;
    engine_fault(a.store,
                 (avout__mem_fault){.kind = AVOUT__MEM_HOLD_REPLY,
                                    .nth = what == MADE_ANEW ? 1 : 3, /* list and get, behind it */
                                    .path = NODE});
    changer c = {.side = &a, .permits = permits, .timeout_ms = 400};
    CHECK(!pthread_create(&c.thread, NULL, change_permits, &c));
    TEST_AWAIT(!avout__mem_faults_left(a.store));
    if (what == MADE_ANEW_BEHIND) remove_only_child(&b, NODE);
    if (what == RAISED) {
        CHECK_OK(avout_semaphore_set_permits(b.semaphore, 100, NULL));
    } else {
        avout_semaphore_close(b.semaphore);
        CHECK_OK(avout_semaphore_remove(b.client, S));
        CHECK_OK(avout_semaphore_open(&b.semaphore, b.client, S, 100));
    }
    CHECK_OK(avout_semaphore_acquire(&lease, b.semaphore, 90, NULL));
    avout__mem_release(a.store);
    pthread_join(c.thread, NULL);
    CHECK_STATUS(AVOUT_ETIMEOUT, c.status); /* so many are out */
    CHECK_OK(avout_semaphore_permits(&there, b.semaphore));
    CHECK_INT(100, there);
    CHECK_OK(avout_lease_release(lease));
    CHECK_OK(avout_semaphore_set_permits(a.semaphore, permits, &patient));
    CHECK_OK(avout_semaphore_permits(&there, b.semaphore));
    CHECK_INT(permits, there);
    TEST_AWAIT(!queue_length(&a));
    close_side(&a);
    close_side(&b);
    suite_check_memory();
}

TEST(fewer_permits_of_one_that_was_made_anew)
{
    change_of_another(3, MADE_ANEW);
}

TEST(more_permits_of_one_that_was_made_anew)
{
    change_of_another(9, MADE_ANEW);
}

/* The version is the same. */
TEST(fewer_permits_of_one_that_is_made_anew_after_the_last_look)
{
    change_of_another(3, MADE_ANEW_BEHIND);
}

TEST(fewer_permits_of_one_that_has_more_since_the_last_look)
{
    change_of_another(3, RAISED);
}

/* Who raises the number waits for nobody, and a wait that it has woken goes on. The lease that it takes for it is
 * not one whose loss anybody is told of. */
TEST(more_permits_while_others_wait)
{
    side a = open_side(0, 2), b = open_side(1, 2);
    avout_lease *both;
    waiter w, large;
    told t = {0};
    CHECK_OK(avout_semaphore_on_lost(b.semaphore, on_lost, &t));
    CHECK_OK(avout_semaphore_acquire(&both, a.semaphore, 2, NULL));
    start(&large, &a, 2);
    TEST_AWAIT(queue_length(&a) == 2);
    start(&w, &a, 1);
    TEST_AWAIT(queue_length(&a) == 3);
    CHECK_OK(avout_semaphore_set_permits(b.semaphore, 4, NULL));
    TEST_AWAIT(large.has);
    CHECK(!w.has);
    engine_fault(b.store, (avout__mem_fault){
                              .kind = AVOUT__MEM_EXPIRE_BEFORE, .multis = true, .path = NODE});
    CHECK_OK(avout_semaphore_set_permits(b.semaphore, 5, NULL));
    TEST_AWAIT(w.has);
    finish(&large);
    finish(&w);
    CHECK_OK(avout_lease_release(both));
    TEST_AWAIT(!queue_length(&a));
    close_side(&a);
    close_side(&b);
    CHECK_INT(0, t.calls);
    suite_check_memory();
}

/* ---- strangers ---------------------------------------------------------------------------------------------- */

/* Who has permits, or leads, for more than a moment learns it. */
TEST(nodes_of_those_who_have_it_are_removed)
{
    side a = open_side(0, 2), b = open_side(1, 2);
    told lease = {0}, term = {0};
    avout_lease *two, *again;
    CHECK_OK(avout_semaphore_on_lost(a.semaphore, on_lost, &lease));
    CHECK_OK(avout_semaphore_acquire(&two, a.semaphore, 2, NULL));
    CHECK_OK(avout_election_on_term(a.election, on_term, &term));
    CHECK_OK(avout_election_enrol(a.election, NULL, 0));
    TEST_AWAIT(term.elected);
    remove_only_child(&b, NODE);
    remove_only_child(&b, "/avout/elections/dir:/term");
    TEST_AWAIT(lease.calls == 1);
    CHECK(!avout_lease_is_held(two));
    CHECK_STATUS(AVOUT_ELOST, avout_lease_release(two));
    TEST_AWAIT(term.calls == 3 && term.elected); /* deposed, and elected again */
    CHECK_OK(avout_semaphore_acquire(&two, a.semaphore, 1, NULL));
    CHECK_OK(avout_semaphore_acquire(&again, b.semaphore, 1, NULL));
    CHECK_OK(avout_lease_release(again));
    TEST_AWAIT(counters(&a).armed == 4); /* two for nodes that were not there any more */
    remove_only_child(&b, NODE);
    TEST_AWAIT(lease.calls == 2);
    CHECK_STATUS(AVOUT_ELOST, avout_lease_release(two));
    CHECK_OK(avout_election_resign(a.election));
    close_side(&a);
    close_side(&b);
    suite_check_memory();
}

/* A candidate that is refused goes on being one, and asks more and more seldom. */
TEST(a_candidate_that_is_refused_is_patient)
{
    enum { REFUSALS = 40 };
    side a = open_side(0, 1);
    CHECK_OK(avout_election_enrol(a.election, NULL, 0));
    CHECK_OK(avout_election_await_term(NULL, a.election, &patient));
    for (int i = 0; i < REFUSALS; i++)
        engine_fault(a.store, (avout__mem_fault){.kind = AVOUT__MEM_FAIL,
                                                 .multis = true,
                                                 .status = AVOUT_EPERM,
                                                 .failed_op = 0});
    int64_t until = avout__deadline_in_ms(900);
    CHECK_OK(avout__mem_expire(a.store));
    TEST_AWAIT(avout__now_ns() > until);
    size_t refused = REFUSALS - avout__mem_faults_left(a.store);
    fprintf(stderr, "# %zu times\n", refused);
    CHECK(refused >= 2 && refused <= 6);
    avout__mem_faults_clear(a.store);
    CHECK_OK(avout_election_await_term(NULL, a.election, &patient));
    CHECK_OK(avout_election_resign(a.election));
    close_side(&a);
    suite_check_memory();
}

/* ---- fork -------------------------------------------------------------------------------------------------- */

typedef struct parents {
    side s;
    avout_lease *lease;
    avout_latch *latch;
    avout_barrier *barrier;
} parents;

/* Which call answers something else in the child; 0: none. */
static int child_of(parents *p)
{
    avout_semaphore *semaphore;
    avout_lease *lease;
    avout_election *election;
    avout_candidate *leader;
    avout_latch *latch;
    avout_barrier *barrier;
    avout_token token;
    uint32_t number;
    const avout_status answers[] = {
        avout_semaphore_open(&semaphore, p->s.client, S, 0),
        avout_semaphore_acquire(&lease, p->s.semaphore, 1, NULL),
        avout_semaphore_try(&lease, p->s.semaphore, 1),
        avout_semaphore_permits(&number, p->s.semaphore),
        avout_semaphore_set_permits(p->s.semaphore, 5, NULL),
        avout_semaphore_on_lost(p->s.semaphore, on_lost, NULL),
        avout_semaphore_remove(p->s.client, S),
        avout_lease_release(p->lease),
        avout_election_open(&election, p->s.client, E),
        avout_election_enrol(p->s.election, NULL, 0),
        avout_election_resign(p->s.election),
        avout_election_token(&token, p->s.election),
        avout_election_await_term(&token, p->s.election, NULL),
        avout_election_leader(&leader, p->s.election),
        avout_election_await_leader(&leader, p->s.election, NULL),
        avout_election_on_term(p->s.election, on_term, NULL),
        avout_election_remove(p->s.client, E),
        avout_latch_create(&latch, p->s.client, "/l", 1),
        avout_latch_open(&latch, p->s.client, "/l"),
        avout_latch_count_down(&number, p->latch, 1),
        avout_latch_count(&number, p->latch),
        avout_latch_await(p->latch, NULL),
        avout_latch_remove(p->s.client, "/l"),
        avout_barrier_create(&barrier, p->s.client, "/b", 1),
        avout_barrier_open(&barrier, p->s.client, "/b"),
        avout_barrier_await(NULL, p->barrier, NULL),
        avout_barrier_reset(p->barrier),
        avout_barrier_remove(p->s.client, "/b"),
    };
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++)
        if (answers[i] != AVOUT_EFORK) return (int)i + 1;
    if (avout_lease_is_held(p->lease) || avout_election_leads(p->s.election)) return 100;
    avout_latch_close(p->latch);
    avout_barrier_close(p->barrier);
    close_side(&p->s);
    return 0;
}

TEST(in_a_forked_child)
{
    parents p = {.s = open_side(0, 2)};
    int status;
    CHECK_OK(avout_semaphore_acquire(&p.lease, p.s.semaphore, 1, NULL));
    CHECK_OK(avout_election_enrol(p.s.election, NULL, 0));
    CHECK_OK(avout_election_await_term(NULL, p.s.election, &patient));
    CHECK_OK(avout_latch_create(&p.latch, p.s.client, "/l", 1));
    CHECK_OK(avout_barrier_create(&p.barrier, p.s.client, "/b", 1));
    pid_t child = fork();
    CHECK(child >= 0);
    if (!child) _exit(child_of(&p));
    CHECK_INT(child, waitpid(child, &status, 0));
    CHECK_INT(0, status);
    /* It has taken nothing along. */
    CHECK(avout_lease_is_held(p.lease) && avout_election_leads(p.s.election));
    CHECK_OK(avout_lease_release(p.lease));
    CHECK_OK(avout_election_resign(p.s.election));
    CHECK_OK(avout_latch_count_down(NULL, p.latch, 1));
    CHECK_OK(avout_barrier_await(NULL, p.barrier, NULL));
    avout_latch_close(p.latch);
    avout_barrier_close(p.barrier);
    close_side(&p.s);
    suite_check_memory();
}
