/* Latches and barriers in bad times: every fault at every request of all who take part. Whatever happens, each
 * count counts once or its caller was told otherwise; a generation is released with each place once or not at
 * all; no entry is left while its client lives; nothing waits beyond its deadline and no memory is left.
 * Test-tags: threads slow */
#include "engine_support.h"
#include "support/crowd.h"

#define LATCH "/dir/latch"
#define GATE "/dir/gate"
#define BARRIER "/dir/barrier"

enum { LATE = 3, TOTAL = 1000, COUNTS = 3, PARTIES = 3, GENERATIONS = 3, GENERATIONS_MAX = 200 };

typedef struct trial {
    avout_client *clients[2];
    avout_latch *latches[2];
    avout_latch *gates[2]; /* one count */
    avout_barrier *barriers[2];
    bool may_time_out, may_lose;
    avout_status may_fail_with;
    _Atomic int opened;
    _Atomic uint32_t counted, unclear;
    _Atomic bool through; /* the gate may be open */
    _Atomic bool over;    /* somebody has given up: the others would wait in vain */
    _Atomic int released[GENERATIONS_MAX], doubtful;
} trial;

/* AVOUT_OK, or what the fault explains. */
static avout_status explained(trial *t, avout_status status, int line)
{
    bool fits = !status || (t->may_fail_with && status == t->may_fail_with) ||
                (t->may_time_out && (status == AVOUT_ETIMEOUT || status == AVOUT_UNKNOWN));
    if (!fits)
        test_failed(__FILE__, line, "%s (%s)", avout_status_name(status), avout_error_detail());
    return status;
}
#define EXPLAINED(call) explained(t, (call), __LINE__)

static avout_wait_options patience(const trial *t)
{
    return (avout_wait_options){.timeout_ms = t->may_time_out ? 60 : 20000};
}

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
        avout_status status = EXPLAINED(avout_latch_count_down(NULL, t->latches[h->side], 1));
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
    avout_wait_options options = patience(t);
    avout_status status = EXPLAINED(avout_latch_await(t->gates[h->side], &options));
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
    while (EXPLAINED(avout_latch_create(&t->gates[h->side], client, GATE, 1)) && !t->over) {}
    while (EXPLAINED(avout_latch_create(latch, client, LATCH, TOTAL)) && !t->over) {}
    while (EXPLAINED(avout_barrier_create(barrier, client, BARRIER, PARTIES)) && !t->over) {}
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
    while (EXPLAINED(avout_latch_count_down(NULL, t->gates[1], 1)) && !t->may_time_out) {}
    for (int i = 0; i < 3; i++) pthread_join(helpers[i].thread, NULL);
}

/* ---- barriers ------------------------------------------------------------------------------------- */

static bool all_done(trial *t, int side, bool *broken)
{
    avout_barrier_report *report;
    avout_status status = EXPLAINED(avout_barrier_inspect(&report, t->clients[side], BARRIER));
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
        avout_wait_options options = patience(t);
        avout_status status = avout_barrier_await(&pass, t->barriers[h->side], &options);
        if (!status) {
            CHECK(pass.generation < GENERATIONS_MAX);
            int bit = 1 << pass.arrival;
            CHECK(!(atomic_fetch_or(&t->released[pass.generation], bit) & bit));
            if (pass.generation >= GENERATIONS) break;
            continue;
        }
        t->doubtful += status == AVOUT_UNKNOWN || status == AVOUT_ELOST;
        bool expected = (status == AVOUT_ELOST && t->may_lose) ||
                        (status == AVOUT_EBROKEN && (t->may_time_out || t->may_fail_with));
        if (!expected) EXPLAINED(status);
        if (all_done(t, h->side, &broken)) break;
        if (broken) EXPLAINED(avout_barrier_reset(t->barriers[h->side]));
        if (t->may_time_out && attempts >= 2) t->over = true;
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
    avout_options options = {.timeout_ms = t->may_time_out ? 60 : 20000,
                             .connect_timeout_ms = 20000};
    for (int i = 0; i < 2; i++) CHECK_OK(avout_connect(engine_url(), &options, &t->clients[i]));
}

static int32_t entries(avout_store *store)
{
    avout_request request = {.kind = AVOUT_REQUEST_EXISTS, .path = "/avout/barriers/dir:/barrier"};
    avout__reply reply = AVOUT__REPLY_INIT;
    avout_status status = avout__store_call(&reply, store, &request, avout__deadline_in_ms(20000));
    int32_t count = status == AVOUT_ENOTFOUND ? 0 : status ? -1 : reply.is.stat.children;
    avout__reply_release(&reply);
    return count;
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

static void settle(avout_store *store)
{
    avout__mem_faults_clear(store);
    avout__mem_release_late(store);
    for (size_t i = 0; i < 3; i++) avout__mem_release(engine_store(i));
}

static void end_well(trial *t, avout_client *auditor, avout_store *store)
{
    ENGINE_AWAIT(!entries(store));
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
    trial all = {0}, *t = &all;
    t->may_time_out = fault.kind == AVOUT__MEM_HOLD_REQUEST || fault.kind == AVOUT__MEM_HOLD_REPLY;
    t->may_lose = fault.kind == AVOUT__MEM_EXPIRE_BEFORE || fault.kind == AVOUT__MEM_EXPIRE_AFTER;
    if (fault.kind == AVOUT__MEM_FAIL) t->may_fail_with = fault.status;
    avout_client *auditor = suite_connect();
    open_clients(t);
    avout_store *store = engine_store(0);
    fault.everybody = true;
    fault.nth = n;
    engine_fault(store, fault);
    helper helpers[2];
    bool happened = false;
    for (int i = 0; i < 2; i++) start(&helpers[i], t, i, open_both);
    if (t->may_time_out) { /* who is stuck here gets on only without the fault */
        ENGINE_AWAIT(t->opened == 2 || !avout__mem_faults_left(store));
        int64_t patience_ns = avout__deadline_in_ms(100);
        while (t->opened < 2 && avout__now_ns() < patience_ns) sched_yield();
        happened = t->opened < 2;
        if (happened) settle(store);
    }
    for (int i = 0; i < 2; i++) pthread_join(helpers[i].thread, NULL);
    count_down(t);
    go_rounds(t);
    happened = happened || !avout__mem_faults_left(store);
    settle(store);
    ENGINE_AWAIT(avout_latch_count(&(uint32_t){0}, t->latches[0]) == AVOUT_OK);
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

/* Lives mostly wait: processes live them side by side, each every STRANDS-th one. */
enum { STRANDS = 8 };

static avout__mem_fault strand_fault;

static void strand(int number)
{
    size_t n = 1 + (size_t)number, quiet = 0;
    /* How many there are differs from life to life. */
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

TEST(every_request_is_delayed)
{
    sweep((avout__mem_fault){.kind = AVOUT__MEM_DELAY, .delay_ms = 3});
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
