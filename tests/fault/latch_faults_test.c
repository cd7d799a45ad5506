/* Latches and barriers in bad times: every fault at every request of all who take part. Whatever happens, each
 * count counts once or its caller was told otherwise; a generation is released with each place once or not at
 * all; no entry is left while its client lives; nothing waits beyond its deadline and no memory is left.
 * Test-tags: threads slow */
#include "engine_support.h"
#include "excuse.h"

#define LATCH "/dir/latch"
#define GATE "/dir/gate"
#define BARRIER "/dir/barrier"

enum { TOTAL = 1000, COUNTS = 3, PARTIES = 3, GENERATIONS = 3, GENERATIONS_MAX = 200 };

typedef struct trial {
    avout_client *clients[2];
    avout_latch *latches[2];
    avout_latch *gates[2]; /* one count */
    avout_barrier *barriers[2];
    excuse excuse;
    _Atomic int opened;
    _Atomic uint32_t counted, unclear;
    _Atomic bool through; /* the gate may be open */
    _Atomic bool over;    /* somebody has given up: the others would wait in vain */
    _Atomic int released[GENERATIONS_MAX], doubtful;
} trial;

/* ---- latches ----------------------------------------------------------------------------------- */

typedef struct helper {
    trial *t;
    int side;
    pthread_t thread;
} helper;

static void *count(void *payload)
{
    helper *h = payload;
    trial *t = h->t;
    for (int i = 0; i < COUNTS; i++) {
        avout_status status =
            EXCUSED(&t->excuse, avout_latch_count_down(NULL, t->latches[h->side], 1));
        t->counted += !status;
        t->unclear += status == AVOUT_UNKNOWN;
    }
    return NULL;
}

/* Waits until the other half has counted as well. */
static void *await(void *payload)
{
    helper *h = payload;
    trial *t = h->t;
    avout_wait_options options = excuse_patience(&t->excuse);
    avout_status status = EXCUSED(&t->excuse, avout_latch_await(t->gates[h->side], &options));
    if (!status) CHECK(t->through);
    return NULL;
}

static void start(helper *h, trial *t, int side, void *(*run)(void *))
{
    *h = (helper){.t = t, .side = side};
    CHECK(!pthread_create(&h->thread, NULL, run, h));
}

/* Made by both at once, whoever is first; tried again where it failed. */
static void *open_both(void *payload)
{
    helper *h = payload;
    trial *t = h->t;
    avout_client *client = t->clients[h->side];
    avout_latch **latch = &t->latches[h->side];
    avout_barrier **barrier = &t->barriers[h->side];
    while (EXCUSED(&t->excuse, avout_latch_create(&t->gates[h->side], client, GATE, 1)) &&
           !t->over) {}
    while (EXCUSED(&t->excuse, avout_latch_create(latch, client, LATCH, TOTAL)) && !t->over) {}
    while (EXCUSED(&t->excuse, avout_barrier_create(barrier, client, BARRIER, PARTIES)) &&
           !t->over) {}
    t->opened++;
    return NULL;
}

static void count_down(trial *t)
{
    helper helpers[7];
    for (int i = 0; i < 3; i++) start(&helpers[i], t, i % 2, await);
    for (int i = 3; i < 7; i++) start(&helpers[i], t, i % 2, count);
    for (int i = 3; i < 7; i++) pthread_join(helpers[i].thread, NULL);
    t->through = true;
    while (EXCUSED(&t->excuse, avout_latch_count_down(NULL, t->gates[1], 1)) &&
           !t->excuse.may_time_out) {}
    for (int i = 0; i < 3; i++) pthread_join(helpers[i].thread, NULL);
}

/* ---- barriers ------------------------------------------------------------------------------------- */

static bool all_done(trial *t, int side, bool *broken)
{
    avout_barrier_report *report;
    avout_status status =
        EXCUSED(&t->excuse, avout_barrier_inspect(&report, t->clients[side], BARRIER));
    *broken = false;
    if (status) return false;
    bool done = report->generation >= GENERATIONS;
    *broken = report->broken;
    avout_barrier_report_free(report);
    return done;
}

static void *take_part(void *payload)
{
    helper *h = payload;
    trial *t = h->t;
    for (int attempts = 0; !t->over; attempts++) {
        avout_pass pass;
        bool broken;
        avout_wait_options options = excuse_patience(&t->excuse);
        avout_status status = avout_barrier_await(&pass, t->barriers[h->side], &options);
        if (!status) {
            CHECK(pass.generation < GENERATIONS_MAX);
            int bit = 1 << pass.arrival;
            CHECK(!(atomic_fetch_or(&t->released[pass.generation], bit) & bit));
            if (pass.generation >= GENERATIONS) break;
            continue;
        }
        t->doubtful += status == AVOUT_UNKNOWN || status == AVOUT_ELOST;
        bool expected =
            (status == AVOUT_ELOST && t->excuse.may_lose) ||
            (status == AVOUT_EBROKEN && (t->excuse.may_time_out || t->excuse.may_fail_with));
        if (!expected) EXCUSED(&t->excuse, status);
        if (all_done(t, h->side, &broken)) break;
        if (broken) EXCUSED(&t->excuse, avout_barrier_reset(t->barriers[h->side]));
        if (t->excuse.may_time_out && attempts >= 2) t->over = true;
    }
    return NULL;
}

static void go_rounds(trial *t)
{
    helper helpers[PARTIES];
    for (int i = 0; i < PARTIES; i++) start(&helpers[i], t, i % 2, take_part);
    for (int i = 0; i < PARTIES; i++) pthread_join(helpers[i].thread, NULL);
}

static int missing_places(trial *t)
{
    int missing = 0;
    for (int i = 0; i < GENERATIONS_MAX; i++)
        for (int place = 0; t->released[i] && place < PARTIES; place++)
            missing += !(t->released[i] >> place & 1);
    return missing;
}

/* ---- lives ------------------------------------------------------------------------------------------ */

static void open_clients(trial *t)
{
    avout_options options = excuse_options(&t->excuse);
    for (int i = 0; i < 2; i++) CHECK_OK(avout_connect(engine_url(), &options, &t->clients[i]));
}

static bool no_entries(avout_store *store)
{
    return raw_children(store, "/avout/barriers/dir:/barrier") <= 0;
}

/* What is left, as the store has it by now: between what is known and what may be. */
static void check_counts(trial *t, avout_client *auditor)
{
    avout_latch *latch;
    uint32_t left;
    CHECK_OK(avout_latch_create(&latch, auditor, LATCH, TOTAL));
    CHECK_OK(avout_latch_count(&left, latch));
    CHECK(TOTAL - left >= t->counted);
    CHECK(TOTAL - left <= t->counted + t->unclear);
    avout_latch_close(latch);
}

static void end_well(trial *t, avout_client *auditor, avout_store *store)
{
    TEST_AWAIT(no_entries(store));
    CHECK(missing_places(t) <= t->doubtful);
    avout_barrier *last;
    CHECK_OK(avout_barrier_create(&last, auditor, BARRIER, PARTIES));
    avout_barrier_report *report;
    CHECK_OK(avout_barrier_inspect(&report, auditor, BARRIER));
    if (report->broken) CHECK_OK(avout_barrier_reset(last));
    avout_barrier_report_free(report);
    avout_barrier_close(last);
    CHECK_OK(avout_barrier_remove(auditor, BARRIER));
    CHECK_OK(avout_latch_remove(auditor, LATCH));
}

/* One life with the fault at request n of all that everybody sends. False: they do not send as many. */
static bool live_with(avout__mem_fault fault, size_t n)
{
    trial all = {.excuse = excuse_of(&fault)}, *t = &all;
    avout_client *auditor = suite_connect();
    open_clients(t);
    avout_store *store = engine_store(0);
    engine_fault_of_all(fault, n);
    helper helpers[2];
    bool happened = false;
    for (int i = 0; i < 2; i++) start(&helpers[i], t, i, open_both);
    if (t->excuse.may_time_out) { /* who is stuck here gets on only without the fault */
        TEST_AWAIT(t->opened == 2 || !avout__mem_faults_left(store));
        int64_t patience_ns = avout__deadline_in_ms(100);
        while (t->opened < 2 && avout__now_ns() < patience_ns) sched_yield();
        happened = t->opened < 2;
        if (happened) engine_calm(3);
    }
    for (int i = 0; i < 2; i++) pthread_join(helpers[i].thread, NULL);
    count_down(t);
    go_rounds(t);
    happened = happened || !avout__mem_faults_left(store);
    engine_calm(3);
    TEST_AWAIT(avout_latch_count(&(uint32_t){0}, t->latches[0]) == AVOUT_OK);
    check_counts(t, auditor);
    end_well(t, auditor, store);
    for (int i = 0; i < 2; i++) {
        avout_latch_close(t->latches[i]);
        avout_latch_close(t->gates[i]);
        avout_barrier_close(t->barriers[i]);
        avout_close(t->clients[i]);
    }
    suite_close(auditor);
    suite_check_memory();
    return happened;
}

enum { REQUESTS = 40, BOTH_REFUSALS = 0 };

#include "suites/every_request.c"
