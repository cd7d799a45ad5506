/* Barriers and latches on command: what they cost, what the end of a session does, and the end of the numbers.
 * Test-tags: threads */
#include "engine_support.h"

#define NAME "/round"
#define NODE "/avout/barriers/round"

typedef struct party {
    avout_barrier *barrier;
    avout_latch *latch;
    avout_pass pass;
    avout_status status;
    _Atomic bool ended;
    pthread_t thread;
} party;

static const avout_wait_options patient = {.timeout_ms = 20000};

static void *await(void *payload)
{
    party *p = payload;
    p->status = p->latch ? avout_latch_await(p->latch, &patient)
                         : avout_barrier_await(&p->pass, p->barrier, &patient);
    p->ended = true;
    return NULL;
}

static void start(party *p, avout_barrier *barrier, avout_latch *latch)
{
    *p = (party){.barrier = barrier, .latch = latch};
    CHECK(!pthread_create(&p->thread, NULL, await, p));
}

static avout_status finish(party *p)
{
    pthread_join(p->thread, NULL);
    return p->status;
}

static size_t waiting(avout_client *client)
{
    avout_barrier_report *report;
    CHECK_OK(avout_barrier_inspect(&report, client, NAME));
    size_t count = report->count;
    avout_barrier_report_free(report);
    return count;
}

static avout__mem_counters counters(size_t index)
{
    avout__mem_counters c;
    avout__mem_counters_of(engine_store(index), &c);
    return c;
}

static avout_barrier *make(avout_client *client, uint32_t parties)
{
    avout_barrier *barrier;
    CHECK_OK(avout_barrier_create(&barrier, client, NAME, parties));
    return barrier;
}

/* ---- cost -------------------------------------------------------------------------------------- */

/* B4, B5: not one list for each party, nor a read for each arrival of another. */
TEST(a_generation_costs_each_party_a_few_requests)
{
    enum { CLIENTS = 8, EACH = 8, PARTIES = CLIENTS * EACH };
    avout_client *clients[CLIENTS];
    avout_barrier *barriers[CLIENTS];
    party p[PARTIES];
    uint64_t requests = 0, lists = 0;
    for (size_t i = 0; i < CLIENTS; i++) {
        clients[i] = suite_connect();
        barriers[i] = make(clients[i], PARTIES);
    }
    for (size_t i = 0; i < CLIENTS; i++) {
        requests -= counters(i).requests;
        lists -= counters(i).lists;
    }
    for (int i = 0; i < PARTIES; i++) start(&p[i], barriers[i % CLIENTS], NULL);
    for (int i = 0; i < PARTIES; i++) CHECK_INT(AVOUT_OK, finish(&p[i]));
    for (size_t i = 0; i < CLIENTS; i++) {
        requests += counters(i).requests;
        lists += counters(i).lists;
    }
    fprintf(stderr, "# %d requests, %d lists\n", (int)requests, (int)lists);
    CHECK(lists <= 2);
    CHECK(requests <= 6 * PARTIES);
    for (size_t i = 0; i < CLIENTS; i++) {
        avout_barrier_close(barriers[i]);
        suite_close(clients[i]);
    }
    suite_check_memory();
}

/* C2: counting wakes nobody but the last count. */
TEST(counts_do_not_wake_waiters)
{
    enum { WAITERS = 5, COUNTS = 50 };
    avout_client *counting = suite_connect(), *waiting_one = suite_connect();
    avout_latch *mine, *theirs;
    party p[WAITERS];
    CHECK_OK(avout_latch_create(&mine, counting, NAME, COUNTS));
    CHECK_OK(avout_latch_create(&theirs, waiting_one, NAME, COUNTS));
    uint64_t before = counters(1).reads;
    for (int i = 0; i < WAITERS; i++) start(&p[i], NULL, theirs);
    TEST_AWAIT(counters(1).reads == before + 2 * WAITERS);
    for (int i = 0; i < COUNTS; i++) CHECK_OK(avout_latch_count_down(NULL, mine, 1));
    for (int i = 0; i < WAITERS; i++) CHECK_INT(AVOUT_OK, finish(&p[i]));
    CHECK_INT(before + 3 * WAITERS, counters(1).reads);
    CHECK_INT(1, counters(1).events);
    CHECK_INT(0, counters(1).armed);
    avout_latch_close(mine);
    avout_latch_close(theirs);
    suite_close(counting);
    suite_close(waiting_one);
    suite_check_memory();
}

/* Nothing would ever take it away. */
TEST(who_finds_a_latch_open_leaves_no_watch)
{
    avout_client *counting = suite_connect(), *waiting_one = suite_connect();
    avout_latch *mine, *theirs;
    CHECK_OK(avout_latch_create(&mine, counting, NAME, 1));
    CHECK_OK(avout_latch_open(&theirs, waiting_one, NAME));
    size_t armed = counters(1).armed;
    CHECK_OK(avout_latch_count_down(NULL, mine, 1));
    CHECK_OK(avout_latch_await(theirs, &patient));
    CHECK_INT(armed, counters(1).armed);
    avout_latch_close(mine);
    avout_latch_close(theirs);
    suite_close(counting);
    suite_close(waiting_one);
    suite_check_memory();
}

/* ---- sessions ------------------------------------------------------------------------------------- */

TEST(who_loses_its_session_arrives_again)
{
    avout_client *client = suite_connect(), *other = suite_connect();
    avout_barrier *mine = make(client, 3), *theirs = make(other, 3);
    party p[3];
    start(&p[0], mine, NULL);
    start(&p[1], theirs, NULL);
    TEST_AWAIT(waiting(client) == 2);
    CHECK_OK(avout__mem_expire(engine_store(0)));
    TEST_AWAIT(waiting(other) == 2);
    CHECK(!p[0].ended && !p[1].ended);
    start(&p[2], theirs, NULL);
    for (int i = 0; i < 3; i++) {
        CHECK_INT(AVOUT_OK, finish(&p[i]));
        CHECK_INT(1, p[i].pass.generation);
    }
    TEST_AWAIT(!raw_children(engine_store(0), NODE));
    avout_barrier_close(mine);
    avout_barrier_close(theirs);
    suite_close(client);
    suite_close(other);
    suite_check_memory();
}

TEST(whose_place_was_taken_meanwhile_is_told_so)
{
    avout_client *client = suite_connect(), *other = suite_connect();
    avout_barrier *mine = make(client, 2), *theirs = make(other, 2);
    party p[3];
    avout_store *store = engine_store(0);
    start(&p[0], mine, NULL);
    TEST_AWAIT(waiting(other) == 1);
    avout__mem_reconnect_after(store, AVOUT_FOREVER);
    CHECK_OK(avout__mem_expire(store));
    TEST_AWAIT(waiting(other) == 0);
    start(&p[1], theirs, NULL);
    start(&p[2], theirs, NULL);
    CHECK_INT(AVOUT_OK, finish(&p[1]));
    CHECK_INT(AVOUT_OK, finish(&p[2]));
    CHECK(!p[0].ended);
    /* As many arrivals later as tell it that it was passed over: it may go on. */
    CHECK_OK(avout__mem_reconnect(store));
    CHECK_INT(AVOUT_ELOST, finish(&p[0]));
    TEST_AWAIT(!raw_children(store, NODE));
    avout_barrier_close(mine);
    avout_barrier_close(theirs);
    suite_close(client);
    suite_close(other);
    suite_check_memory();
}

/* A party that waits until it is cancelled. */
typedef struct leaver {
    avout_barrier *barrier;
    avout_cancel *cancel;
    avout_status status;
    pthread_t thread;
} leaver;

static void *await_cancelled(void *payload)
{
    leaver *l = payload;
    avout_wait_options options = {.timeout_ms = 20000, .cancel = l->cancel};
    l->status = avout_barrier_await(NULL, l->barrier, &options);
    return NULL;
}

static void start_leaver(leaver *l, avout_barrier *barrier)
{
    l->barrier = barrier;
    CHECK_OK(avout_cancel_new(&l->cancel));
    CHECK(!pthread_create(&l->thread, NULL, await_cancelled, l));
}

static avout_status finish_leaver(leaver *l)
{
    pthread_join(l->thread, NULL);
    avout_cancel_free(l->cancel);
    return l->status;
}

/* B3: the others were released counting on it, and it has not heard of that before its session ended. */
TEST(who_was_counted_is_not_told_that_it_left)
{
    avout_client *client = suite_connect(), *other = suite_connect();
    avout_barrier *mine = make(client, 2), *theirs = make(other, 2);
    avout_store *store = engine_store(0);
    leaver l;
    start_leaver(&l, mine);
    TEST_AWAIT(counters(0).armed == 1 && waiting(other) == 1);
    avout__mem_hold(store, AVOUT__MEM_REPLIES);
    CHECK_OK(avout_barrier_await(NULL, theirs, &patient));
    avout__mem_reconnect_after(store, AVOUT_FOREVER);
    CHECK_OK(avout__mem_expire(store));
    avout__mem_release(store);
    TEST_AWAIT(!raw_children(engine_store(1), NODE));
    avout_cancel_set(l.cancel);
    CHECK_OK(avout__mem_reconnect(store));
    CHECK_INT(AVOUT_ELOST, finish_leaver(&l));
    avout_barrier_close(mine);
    avout_barrier_close(theirs);
    suite_close(client);
    suite_close(other);
    suite_check_memory();
}

/* All or none: the others do not wait for one that has left, though its session took its place along. */
TEST(who_leaves_without_a_session_breaks_it)
{
    avout_client *client = suite_connect(), *other = suite_connect();
    avout_barrier *mine = make(client, 3), *theirs = make(other, 3);
    avout_store *store = engine_store(0);
    leaver l;
    party p;
    start_leaver(&l, mine);
    start(&p, theirs, NULL);
    TEST_AWAIT(waiting(other) == 2);
    avout__mem_reconnect_after(store, AVOUT_FOREVER);
    CHECK_OK(avout__mem_expire(store));
    TEST_AWAIT(waiting(other) == 1);
    avout_cancel_set(l.cancel);
    CHECK_OK(avout__mem_reconnect(store));
    CHECK_INT(AVOUT_ECANCELLED, finish_leaver(&l));
    CHECK_INT(AVOUT_EBROKEN, finish(&p));
    avout_barrier_close(mine);
    avout_barrier_close(theirs);
    suite_close(client);
    suite_close(other);
    suite_check_memory();
}

/* It has left, and not heard of it; meanwhile the others have begun anew and met without it. */
TEST(who_has_left_unheard_is_not_told_of_the_others)
{
    avout_client *client = suite_connect(), *other = suite_connect();
    avout_barrier *mine = make(client, 2), *theirs = make(other, 2);
    avout_store *store = engine_store(0);
    leaver l;
    party p;
    start_leaver(&l, mine);
    TEST_AWAIT(counters(0).armed == 1 && waiting(other) == 1);
    avout__mem_reconnect_after(store, AVOUT_FOREVER);
    engine_fault(store,
                 (avout__mem_fault){.kind = AVOUT__MEM_LOSE_AFTER, .multis = true, .path = NODE});
    avout_cancel_set(l.cancel);
    TEST_AWAIT(!raw_children(engine_store(1), NODE));
    CHECK_STATUS(AVOUT_EBROKEN, avout_barrier_await(NULL, theirs, &patient));
    CHECK_OK(avout_barrier_reset(theirs));
    start(&p, theirs, NULL);
    CHECK_OK(avout_barrier_await(NULL, theirs, &patient));
    CHECK_INT(AVOUT_OK, finish(&p));
    CHECK_OK(avout__mem_reconnect(store));
    CHECK_INT(AVOUT_ECANCELLED, finish_leaver(&l));
    start(&p, mine, NULL); /* it is whole */
    CHECK_OK(avout_barrier_await(NULL, theirs, &patient));
    CHECK_INT(AVOUT_OK, finish(&p));
    avout_barrier_close(mine);
    avout_barrier_close(theirs);
    suite_close(client);
    suite_close(other);
    suite_check_memory();
}

/* B1: who has counted and hears of nothing since releases what it has counted, or nobody. */
TEST(a_count_that_a_reset_has_overtaken_releases_nobody)
{
    avout_client *client = suite_connect(), *other = suite_connect(), *third = suite_connect();
    avout_barrier *mine = make(client, 2), *theirs = make(other, 2), *again = make(third, 2);
    party p, counting;
    start(&p, mine, NULL);
    TEST_AWAIT(counters(0).armed == 1 && waiting(third) == 1);
    avout__mem_hold(engine_store(0), AVOUT__MEM_REPLIES); /* it keeps its place */
    engine_fault(engine_store(1),
                 (avout__mem_fault){.kind = AVOUT__MEM_HOLD_REPLY, .nth = 2, .path = NODE});
    start(&counting, theirs, NULL);
    TEST_AWAIT(!avout__mem_faults_left(engine_store(1))); /* the list, behind the look */
    CHECK_OK(avout_barrier_reset(again));
    avout__mem_release(engine_store(1));
    CHECK_INT(AVOUT_EBROKEN, finish(&counting));
    avout__mem_release(engine_store(0));
    CHECK_INT(AVOUT_EBROKEN, finish(&p));
    avout_barrier_close(mine);
    avout_barrier_close(theirs);
    avout_barrier_close(again);
    suite_close(client);
    suite_close(other);
    suite_close(third);
    suite_check_memory();
}

/* ---- the end of the numbers ------------------------------------------------------------------------- */

TEST(numbers_begin_anew_before_they_are_used_up)
{
    avout_client *client = suite_connect(), *other = suite_connect();
    avout_barrier *mine = make(client, 2), *theirs = make(other, 2);
    avout_store *store = engine_store(0);
    CHECK_OK(avout__mem_set_sequence(store, NODE, (1 << 30) + 5));
    bool anew = false;
    for (uint64_t round = 1; round <= 100 && !anew; round++) {
        party p;
        avout_pass pass;
        start(&p, mine, NULL);
        CHECK_OK(avout_barrier_await(&pass, theirs, &patient));
        CHECK_INT(AVOUT_OK, finish(&p));
        CHECK_INT(round, pass.generation);
        CHECK_INT(round, p.pass.generation);
        TEST_AWAIT(!raw_children(store, NODE));
        avout_request get = {.kind = AVOUT_REQUEST_GET, .path = NODE};
        avout__reply reply = AVOUT__REPLY_INIT;
        CHECK_OK(avout__store_call(&reply, store, &get, avout__deadline_in_ms(20000)));
        anew = strstr(reply.is.bytes, ":through -1") != NULL;
        avout__reply_release(&reply);
    }
    CHECK(anew);
    party p;
    start(&p, mine, NULL);
    CHECK_OK(avout_barrier_await(NULL, theirs, &patient));
    CHECK_INT(AVOUT_OK, finish(&p));
    avout_barrier_close(mine);
    avout_barrier_close(theirs);

    CHECK_OK(avout__mem_set_sequence(store, NODE, INT32_MAX));
    mine = make(client, 2);
    CHECK_STATUS(AVOUT_ELIMIT, avout_barrier_await(NULL, mine, &patient));
    avout_barrier_close(mine);
    suite_close(client);
    suite_close(other);
    suite_check_memory();
}
