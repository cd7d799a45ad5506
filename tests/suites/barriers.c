/* What barriers promise, on every store. */
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "base/clock.h"
#include "stm/handles.h"
#include "store/store.h"
#include "support/await.h"
#include "support/crowd.h"
#include "support/raw.h"
#include "support/suite.h"

#define NAME "/job/round"
#define NODE "/avout/barriers/job:/round"

static avout_barrier *make(avout_client *client, uint32_t parties)
{
    avout_barrier *barrier;
    CHECK_OK(avout_barrier_create(&barrier, client, NAME, parties));
    return barrier;
}

typedef struct looked {
    size_t count, mine;
    uint64_t generation;
    bool broken;
} looked;

static looked look(avout_client *client)
{
    avout_barrier_report *report;
    CHECK_OK(avout_barrier_inspect(&report, client, NAME));
    looked seen = {
        .count = report->count, .generation = report->generation, .broken = report->broken};
    for (size_t i = 0; i < report->count; i++) seen.mine += report->entries[i].mine;
    avout_barrier_report_free(report);
    return seen;
}

static void await_waiting(avout_client *client, size_t count)
{
    TEST_AWAIT(look(client).count == count);
}

/* What parties leave is taken away in the background. */
static void await_nodes(avout_client *client, int64_t count)
{
    TEST_AWAIT(raw_children(&client->stm->door, NODE) == count);
}

typedef struct party {
    avout_barrier *barrier;
    avout_wait_options options;
    avout_pass pass;
    avout_status status;
    _Atomic bool ended;
    pthread_t thread;
} party;

static void *await(void *payload)
{
    party *p = payload;
    p->status = avout_barrier_await(&p->pass, p->barrier, &p->options);
    p->ended = true;
    return NULL;
}

static void start(party *p, avout_barrier *barrier, avout_wait_options options)
{
    *p = (party){.barrier = barrier, .options = options};
    CHECK(!pthread_create(&p->thread, NULL, await, p));
}

static avout_status finish(party *p)
{
    pthread_join(p->thread, NULL);
    return p->status;
}

static const avout_wait_options forever = {.timeout_ms = AVOUT_FOREVER};

TEST(a_barrier_from_opening_to_closing)
{
    avout_client *client = suite_connect(), *other = suite_connect();
    avout_barrier *mine = make(client, 3), *theirs, *none = NULL;
    avout_barrier_report *report;
    CHECK_TEXT(NAME, avout_barrier_name(mine));
    CHECK_INT(3, avout_barrier_parties(mine));
    CHECK_OK(avout_barrier_open(&theirs, other, NAME));
    CHECK_INT(3, avout_barrier_parties(theirs));
    CHECK_STATUS(AVOUT_ECONFLICT, avout_barrier_create(&none, other, NAME, 2));
    CHECK_CONTAINS("3 parties, not 2", avout_error_detail());
    CHECK_STATUS(AVOUT_ENOTFOUND, avout_barrier_open(&none, other, "/job/none"));
    CHECK_STATUS(AVOUT_ENOTFOUND, avout_barrier_inspect(&report, other, "/job/none"));
    party p[3];
    for (uint32_t i = 0; i < 3; i++) {
        await_waiting(client, i);
        CHECK_INT(i == 2 ? 1 : i ? 1 : 0, look(client).mine);
        start(&p[i], i == 1 ? theirs : mine, forever);
    }
    for (uint32_t i = 0; i < 3; i++) {
        CHECK_INT(AVOUT_OK, finish(&p[i]));
        CHECK_INT(1, p[i].pass.generation);
        CHECK_INT(i, p[i].pass.arrival); /* in the order of their arrival */
    }
    await_nodes(client, 0);
    looked seen = look(other);
    CHECK(!seen.count && !seen.broken && seen.generation == 1);
    CHECK_OK(avout_barrier_reset(mine)); /* changes nothing */
    avout_barrier_close(NULL);
    avout_barrier_close(mine);
    avout_barrier_close(theirs);
    suite_close(client);
    suite_close(other);
    suite_check_memory();
}

TEST(bad_arguments)
{
    avout_client *client = suite_connect();
    avout_barrier *barrier = NULL;
    avout_barrier_report *report;
    CHECK_STATUS(AVOUT_EINVAL, avout_barrier_create(&barrier, client, NULL, 1));
    CHECK_STATUS(AVOUT_EINVAL, avout_barrier_open(&barrier, client, NULL));
    for (size_t i = 0; i < SUITE_NO_NAMES; i++) {
        CHECK_STATUS(AVOUT_ENAME, avout_barrier_create(&barrier, client, suite_no_names[i], 1));
        CHECK_STATUS(AVOUT_ENAME, avout_barrier_open(&barrier, client, suite_no_names[i]));
        CHECK_STATUS(AVOUT_ENAME, avout_barrier_inspect(&report, client, suite_no_names[i]));
        CHECK_STATUS(AVOUT_ENAME, avout_barrier_remove(client, suite_no_names[i]));
    }
    CHECK_STATUS(AVOUT_ERANGE, avout_barrier_create(&barrier, client, NAME, 0));
    CHECK_STATUS(AVOUT_ELIMIT, avout_barrier_create(&barrier, client, NAME, UINT32_MAX));
    CHECK_STATUS(AVOUT_ENOTFOUND, avout_barrier_remove(client, NAME));
    barrier = make(client, 1);
    CHECK_STATUS(AVOUT_EINVAL,
                 avout_barrier_await(NULL, barrier, &(avout_wait_options){.timeout_ms = -2}));
    for (uint64_t i = 1; i <= 3; i++) { /* one party waits for nobody */
        avout_pass pass;
        CHECK_OK(avout_barrier_await(&pass, barrier, NULL));
        CHECK(pass.generation == i && pass.arrival == 0);
    }
    await_nodes(client, 0);
    CHECK_OK(avout_barrier_remove(client, NAME));
    CHECK_STATUS(AVOUT_ENOTFOUND, avout_barrier_await(NULL, barrier, NULL));
    CHECK_STATUS(AVOUT_ENOTFOUND, avout_barrier_reset(barrier));
    avout_barrier_close(barrier);
    suite_close(client);
    suite_check_memory();
}

/* ---- who leaves --------------------------------------------------------------------------------- */

TEST(who_leaves_breaks_it_for_all_until_it_is_reset)
{
    avout_client *client = suite_connect(), *other = suite_connect();
    avout_barrier *mine = make(client, 3), *theirs = make(other, 3);
    party p[3];
    start(&p[0], mine, forever);
    await_waiting(client, 1);
    start(&p[1], theirs, (avout_wait_options){.timeout_ms = 50});
    CHECK_INT(AVOUT_ETIMEOUT, finish(&p[1]));
    CHECK_INT(AVOUT_EBROKEN, finish(&p[0]));
    CHECK_STATUS(AVOUT_EBROKEN, avout_barrier_await(NULL, mine, NULL));
    CHECK_CONTAINS(NAME, avout_error_detail());
    CHECK_STATUS(AVOUT_EBROKEN, avout_barrier_await(NULL, theirs, NULL));
    CHECK(look(client).broken);
    await_nodes(client, 0);
    CHECK_OK(avout_barrier_reset(theirs));
    CHECK(!look(client).broken);
    for (int i = 0; i < 3; i++) start(&p[i], i % 2 ? mine : theirs, forever);
    for (int i = 0; i < 3; i++) {
        CHECK_INT(AVOUT_OK, finish(&p[i]));
        CHECK_INT(1, p[i].pass.generation);
    }

    avout_cancel *cancel;
    CHECK_OK(avout_cancel_new(&cancel));
    start(&p[0], mine, forever);
    start(&p[1], theirs, (avout_wait_options){.timeout_ms = AVOUT_FOREVER, .cancel = cancel});
    await_waiting(client, 2);
    avout_cancel_set(cancel);
    CHECK_INT(AVOUT_ECANCELLED, finish(&p[1]));
    CHECK_INT(AVOUT_EBROKEN, finish(&p[0]));
    avout_cancel_free(cancel);
    CHECK_OK(avout_barrier_reset(mine));

    start(&p[0], mine, forever);
    start(&p[1], theirs, forever);
    await_waiting(client, 2);
    CHECK_OK(avout_barrier_reset(mine)); /* those who wait did not come for what begins now */
    for (int i = 0; i < 2; i++) CHECK_INT(AVOUT_EBROKEN, finish(&p[i]));
    CHECK(!look(client).broken);
    await_nodes(client, 0);
    avout_barrier_close(mine);
    avout_barrier_close(theirs);
    suite_close(client);
    suite_close(other);
    suite_check_memory();
}

TEST(a_place_ends_with_its_client_and_is_free_again)
{
    avout_client *client = suite_connect(), *other = suite_connect();
    avout_barrier *mine = make(client, 3), *theirs = make(other, 3);
    party p[4];
    start(&p[0], mine, forever);
    start(&p[1], theirs, forever);
    await_waiting(client, 2);
    suite_close(other);
    CHECK_INT(AVOUT_ECLOSED, finish(&p[1]));
    CHECK_STATUS(AVOUT_ECLOSED, avout_barrier_await(NULL, theirs, NULL));
    CHECK_STATUS(AVOUT_ECLOSED, avout_barrier_reset(theirs));
    await_waiting(client, 1);
    start(&p[2], mine, forever);
    await_waiting(client, 2);
    suite_settle(client);
    CHECK(!p[0].ended && !p[2].ended);
    start(&p[3], mine, forever);
    CHECK_INT(AVOUT_OK, finish(&p[0]));
    CHECK_INT(AVOUT_OK, finish(&p[2]));
    CHECK_INT(AVOUT_OK, finish(&p[3]));
    avout_barrier_close(theirs);
    avout_barrier_close(mine);
    suite_close(client);
    suite_check_memory();
}

TEST(more_than_are_needed)
{
    avout_client *client = suite_connect(), *other = suite_connect();
    avout_barrier *mine = make(client, 2), *theirs = make(other, 2);
    enum { MANY = 12 };
    party p[MANY + 1];
    int released[MANY] = {0};
    for (int i = 0; i < MANY; i++) start(&p[i], i % 2 ? mine : theirs, forever);
    for (int i = 0; i < MANY; i++) {
        CHECK_INT(AVOUT_OK, finish(&p[i]));
        CHECK(p[i].pass.generation >= 1 && p[i].pass.generation <= MANY / 2);
        released[(p[i].pass.generation - 1) * 2 + p[i].pass.arrival]++;
    }
    for (int i = 0; i < MANY; i++) CHECK_INT(1, released[i]); /* each place once */
    start(&p[MANY], mine, forever);
    await_waiting(client, 1);
    CHECK_STATUS(AVOUT_EBUSY, avout_barrier_remove(other, NAME));
    CHECK_OK(avout_barrier_await(NULL, theirs, NULL));
    CHECK_INT(AVOUT_OK, finish(&p[MANY]));
    await_nodes(client, 0);
    CHECK_OK(
        raw_do(&client->stm->door, (avout_op){.kind = AVOUT_OP_CREATE, .path = NODE "/stranger"}));
    CHECK_STATUS(AVOUT_ENOTEMPTY, avout_barrier_remove(other, NAME));
    CHECK_CONTAINS("stranger", avout_error_detail());
    start(&p[0], mine, forever); /* it does no harm */
    CHECK_OK(avout_barrier_await(NULL, theirs, NULL));
    CHECK_INT(AVOUT_OK, finish(&p[0]));
    avout_barrier_close(mine);
    avout_barrier_close(theirs);
    suite_close(client);
    suite_close(other);
    suite_check_memory();
}

TEST(foreign_bytes)
{
    avout_client *client = suite_connect();
    avout_barrier *barrier = make(client, 2), *none;
    avout_barrier_report *report;
    static const char *bad[] = {"",
                                "x",
                                "{:parties 2}",
                                "{:parties 0, :generation 0, :through -1}",
                                "{:parties 2, :generation 0, :through -2}",
                                "{:parties 2, :generation 0, :through 99999999999}",
                                "{:parties 2, :generation 0, :through -1} "};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        CHECK_OK(raw_do(&client->stm->door, (avout_op){.kind = AVOUT_OP_SET,
                                                       .path = NODE,
                                                       .version = AVOUT_VERSION_ANY,
                                                       .bytes = bad[i]}));
        CHECK_STATUS(AVOUT_EDATA, avout_barrier_create(&none, client, NAME, 2));
        CHECK_STATUS(AVOUT_EDATA, avout_barrier_open(&none, client, NAME));
        CHECK_STATUS(AVOUT_EDATA, avout_barrier_await(NULL, barrier, NULL));
        CHECK_STATUS(AVOUT_EDATA, avout_barrier_reset(barrier));
        CHECK_STATUS(AVOUT_EDATA, avout_barrier_inspect(&report, client, NAME));
        CHECK_STATUS(AVOUT_EDATA, avout_barrier_remove(client, NAME));
    }
    await_nodes(client, 0);
    avout_barrier_close(barrier);
    suite_close(client);
    suite_check_memory();
}

/* ---- many rounds -------------------------------------------------------------------------------- */

enum { CLIENTS = 3, THREADS = 3, PARTIES = CLIENTS * THREADS, ROUNDS = 25 };

typedef struct worker {
    avout_barrier *barrier;
    _Atomic int64_t *rounds; /* of all */
    int number;
    pthread_t thread;
} worker;

/* Nobody begins a round before all have ended the one before. */
static void *work(void *payload)
{
    worker *w = payload;
    for (int64_t round = 1; round <= ROUNDS; round++) {
        avout_pass pass;
        w->rounds[w->number] = round;
        CHECK_OK(avout_barrier_await(&pass, w->barrier, &forever));
        CHECK_INT(round, pass.generation);
        CHECK(pass.arrival < PARTIES);
        for (int i = 0; i < PARTIES; i++) CHECK(w->rounds[i] >= round);
    }
    return NULL;
}

TEST(rounds)
{
    avout_client *clients[CLIENTS];
    avout_barrier *barriers[CLIENTS];
    _Atomic int64_t rounds[PARTIES] = {0};
    worker workers[PARTIES];
    for (int i = 0; i < CLIENTS; i++) {
        clients[i] = suite_connect();
        barriers[i] = make(clients[i], PARTIES);
    }
    for (int i = 0; i < PARTIES; i++) {
        workers[i] = (worker){.barrier = barriers[i % CLIENTS], .rounds = rounds, .number = i};
        CHECK(!pthread_create(&workers[i].thread, NULL, work, &workers[i]));
    }
    for (int i = 0; i < PARTIES; i++) pthread_join(workers[i].thread, NULL);
    await_nodes(clients[0], 0);
    CHECK_INT(ROUNDS, look(clients[0]).generation);
    for (int i = 0; i < CLIENTS; i++) {
        avout_barrier_close(barriers[i]);
        suite_close(clients[i]);
    }
    suite_check_memory();
}

/* Some have little patience: whoever is released is released with all the others of its generation, whoever
 * is not has company as well. */
typedef struct roamer {
    avout_barrier *barrier;
    _Atomic int *released; /* by generation */
    _Atomic bool *over;
    _Atomic int *left;
    uint64_t state;
    pthread_t thread;
} roamer;

enum { GENERATIONS_MAX = 20000 };

static void *roam(void *payload)
{
    roamer *r = payload;
    while (!*r->over) {
        avout_pass pass;
        avout_wait_options options = {.timeout_ms = 1 + crowd_random_of(&r->state, 12)};
        /* On a fast store nobody would have to wait for long enough to leave. */
        if (!crowd_random_of(&r->state, 2)) test_pause_ms(crowd_random_of(&r->state, 8));
        avout_status status = avout_barrier_await(&pass, r->barrier, &options);
        if (status == AVOUT_OK) {
            CHECK(pass.generation < GENERATIONS_MAX);
            r->released[pass.generation]++;
        } else if (status == AVOUT_EBROKEN) {
            if (!crowd_random_of(&r->state, 3)) CHECK_OK(avout_barrier_reset(r->barrier));
        } else {
            CHECK_INT(AVOUT_ETIMEOUT, status);
            ++*r->left;
        }
    }
    return NULL;
}

TEST(impatient_parties)
{
    enum { ROAMERS = 6, NEEDED = 3 };
    avout_client *clients[2];
    avout_barrier *barriers[2];
    static _Atomic int released[GENERATIONS_MAX];
    _Atomic bool over = false;
    _Atomic int left = 0;
    roamer roamers[ROAMERS];
    for (int i = 0; i < 2; i++) {
        clients[i] = suite_connect();
        barriers[i] = make(clients[i], NEEDED);
    }
    for (int i = 0; i < ROAMERS; i++) {
        roamers[i] = (roamer){.barrier = barriers[i % 2],
                              .released = released,
                              .over = &over,
                              .left = &left,
                              .state = crowd_thread_seed()};
        CHECK(!pthread_create(&roamers[i].thread, NULL, roam, &roamers[i]));
    }
    int64_t until = crowd_now_ms() + 15000;
    while ((look(clients[0]).generation < 20 || left < 10) && crowd_now_ms() < until)
        test_pause_ms(5);
    over = true;
    for (int i = 0; i < ROAMERS; i++) pthread_join(roamers[i].thread, NULL);
    uint64_t generations = look(clients[0]).generation;
    CHECK(generations >= 3 && generations < GENERATIONS_MAX);
    CHECK(left >= 1);
    for (uint64_t i = 1; i <= generations; i++) CHECK_INT(NEEDED, released[i]);
    await_nodes(clients[0], 0);
    for (int i = 0; i < 2; i++) {
        avout_barrier_close(barriers[i]);
        suite_close(clients[i]);
    }
    suite_check_memory();
}

/* ---- processes -------------------------------------------------------------------------------------- */

enum { PROCESSES = 4, GOAL = 30 };

typedef struct shared {
    _Atomic int arrived[GENERATIONS_MAX]; /* places of a generation, as bits */
    _Atomic int64_t generation;
} shared;

static shared *common;

static void take_rounds(int number)
{
    (void)number;
    avout_options options = {.durability = AVOUT_DURABLE_NONE, .session_timeout_ms = 2000};
    avout_client *client = suite_connect_with(&options);
    avout_barrier *barrier = make(client, PROCESSES);
    for (;;) {
        avout_pass pass;
        avout_status status =
            avout_barrier_await(&pass, barrier, &(avout_wait_options){.timeout_ms = 60000});
        if (status == AVOUT_ELOST) continue; /* on a slow machine the session may end */
        CHECK_OK(status);
        int bit = 1 << pass.arrival;
        CHECK(pass.generation < GENERATIONS_MAX);
        CHECK(!(atomic_fetch_or(&common->arrived[pass.generation], bit) & bit));
        common->generation = (int64_t)pass.generation;
    }
}

/* Processes are killed while they wait and while they are released; others take their places, and every generation
 * has each place at most once. */
TEST_WITHIN(killed_parties, 90)
{
    if (!strncmp(suite_url(), "mem:", 4)) return; /* one process only */
    common = crowd_share(sizeof *common);
    crowd_process processes[PROCESSES] = {0};
    for (int i = 0; i < PROCESSES; i++) crowd_start(&processes[i], take_rounds, i);
    enum { KILLS = 6 };
    for (int i = 0; i < KILLS; i++) {
        int64_t before = common->generation, until = crowd_now_ms() + 20000;
        while (common->generation < before + 2 && crowd_now_ms() < until) test_pause_ms(1);
        CHECK(common->generation >= before + 2);
        test_pause_ms((int)crowd_random(5));
        crowd_replace(&processes[i % PROCESSES]);
    }
    int64_t before = common->generation, until = crowd_now_ms() + 20000;
    while (common->generation < before + GOAL && crowd_now_ms() < until) test_pause_ms(1);
    CHECK(common->generation >= before + 2);
    for (int i = 0; i < PROCESSES; i++) crowd_kill(&processes[i]);
    int incomplete = 0;
    for (int64_t i = 1; i < common->generation; i++)
        incomplete += common->arrived[i] != (1 << PROCESSES) - 1;
    /* Only the killed were released without saying so. */
    CHECK(incomplete <= KILLS);
}
