/* The engine in bad times: every fault at every request of a client's life, from its connection to
 * its end. Whatever happens, what was confirmed is there, what failed is not, nothing is half done,
 * nothing waits beyond its deadline and no memory is left (I1, I2, I3, I10, I12). */
#include "engine_support.h"
#include "support/crowd.h"

enum { SUM = 100, TIMES = 4, LATE = 3 };

typedef struct trial {
    avout_client *witness, *client;
    avout_ref *x, *y, *count, *local;
    avout_call_options options;
    int confirmed, unknown;
    bool may_time_out;          /* the fault is a silence */
    avout_status may_fail_with; /* the fault is this refusal */
} trial;

static avout_status move_one(avout_txn *txn, void *payload)
{
    trial *t = payload;
    int64_t x, y;
    avout_status status = suite_txn_int(&x, txn, t->x);
    if (!status) status = suite_txn_int(&y, txn, t->y);
    if (!status) CHECK_INT(SUM, x + y); /* I4 */
    if (!status) status = avout_commute(txn, t->count, suite_plus, &suite_one);
    if (!status) status = avout_alter(txn, t->x, suite_plus, &suite_minus_one);
    if (!status) status = avout_alter(txn, t->local, suite_plus, &suite_one);
    if (!status) status = avout_alter(txn, t->y, suite_plus, &suite_one);
    return status;
}

/* Whether the call had its effect; anything but success must be what the fault explains. */
static bool done(trial *t, avout_status status)
{
    if (!status) return true;
    if (status == AVOUT_UNKNOWN && t->may_time_out) {
        t->unknown++;
        return false;
    }
    if (status == AVOUT_ETIMEOUT && t->may_time_out) return false;
    if (status != t->may_fail_with)
        test_failed(__FILE__, __LINE__, "%s (%s)", avout_status_name(status), avout_error_detail());
    return false;
}

static bool create(trial *t, avout_ref **ref, const char *name, int64_t initial)
{
    for (int i = 0; i < 3; i++)
        if (done(t, avout_ref_create(ref, t->client, name, avout_int(initial), NULL))) return true;
    return false;
}

static bool begin(trial *t)
{
    avout_options patient = {.timeout_ms = t->may_time_out ? 40 : 20000,
                             .connect_timeout_ms = t->may_time_out ? 60 : 20000};
    for (int i = 0; !t->client && i < 3; i++)
        if (!done(t, avout_connect(engine_url(), &patient, &t->client))) t->client = NULL;
    if (!t->client) return false;
    if (!create(t, &t->x, "/dir/x", SUM) || !create(t, &t->y, "/y", 0)) return false;
    if (!create(t, &t->count, "/count", 0)) return false;
    CHECK_OK(avout_ref_local(&t->local, t->client, avout_int(0)));
    return true;
}

static void transact(trial *t)
{
    int64_t local = 0;
    for (int i = 0; i < TIMES; i++) {
        t->options.isolation = i % 2 ? AVOUT_SNAPSHOT : AVOUT_SERIALIZABLE;
        t->confirmed += done(t, avout_dosync(t->client, move_one, t, &t->options));
        avout_value values[2];
        if (!done(t, avout_refs_deref(values, (avout_ref *[]){t->x, t->y}, 2))) continue;
        int64_t x, y;
        CHECK_OK(avout_value_to_int(&x, values[0]));
        CHECK_OK(avout_value_to_int(&y, values[1]));
        CHECK_INT(SUM, x + y); /* I2 */
        /* Own changes are seen (I6). */
        CHECK(y >= t->confirmed && y <= t->confirmed + t->unknown);
        local = suite_ref_int(t->local);
        CHECK(local >= t->confirmed && local <= t->confirmed + t->unknown);
    }
}

static void end(trial *t)
{
    avout_ref_close(t->local);
    avout_ref_close(t->x);
    avout_ref_close(t->y);
    avout_ref_close(t->count);
    avout_close(t->client);
    t->x = t->y = t->count = NULL;
    /* The fault may have been meant for a request that never came. */
    avout__mem_faults_clear(engine_store(0));
    avout__mem_release_late(engine_store(0));
}

static void judge(trial *t, bool begun)
{
    if (!begun) return;
    CHECK_OK(avout_ref_open(&t->x, t->witness, "/dir/x"));
    CHECK_OK(avout_ref_open(&t->y, t->witness, "/y"));
    CHECK_OK(avout_ref_open(&t->count, t->witness, "/count"));
    int64_t moved = engine_strict_int(t->y);
    CHECK_INT(SUM, engine_strict_int(t->x) + moved);
    CHECK_INT(moved, engine_strict_int(t->count));
    if (moved < t->confirmed || moved > t->confirmed + t->unknown)
        test_failed(__FILE__, __LINE__, "%d confirmed, %d unknown, done: %d", t->confirmed,
                    t->unknown, (int)moved);
    avout_ref_close(t->x);
    avout_ref_close(t->y);
    avout_ref_close(t->count);
}

/* One life with the fault at request n of all that the client sends. False: it does not send as
 * many. */
static bool live_with(avout__mem_fault fault, size_t n)
{
    trial t = {.witness = suite_connect()};
    avout_store *store = engine_store(0);
    t.may_time_out = fault.kind == AVOUT__MEM_HOLD_REQUEST || fault.kind == AVOUT__MEM_HOLD_REPLY;
    if (fault.kind == AVOUT__MEM_FAIL) t.may_fail_with = fault.status;
    fault.everybody = true;
    fault.nth = n;
    engine_fault(store, fault);
    bool begun = begin(&t);
    if (begun) transact(&t);
    bool happened = !avout__mem_faults_left(store);
    end(&t);
    judge(&t, begun);
    suite_close(t.witness);
    suite_check_memory();
    return happened;
}

static void sweep(avout__mem_fault fault)
{
    size_t n = 1;
    while (live_with(fault, n)) n++;
    fprintf(stderr, "# %zu requests\n", n - 1);
    CHECK(n > (fault.multis ? 6 : 20));
}

/* Lives that mostly wait: several at a time, each in a process of its own. */
enum { STRANDS = 8 };

static avout__mem_fault strand_fault;

static void strand(int number)
{
    size_t n = 1 + (size_t)number;
    while (live_with(strand_fault, n)) n += STRANDS;
    CHECK(n > 20);
}

static void sweep_waiting(avout__mem_fault fault)
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

static const avout_status lasting[] = {AVOUT_EIO, AVOUT_EPERM, AVOUT_ENOSPACE, AVOUT_EAUTH,
                                       AVOUT_ENOMEM};

TEST_WITHIN(every_request_is_refused_for_good, 120)
{
    for (size_t i = 0; i < sizeof lasting / sizeof *lasting; i++)
        for (int whole = 0; whole < 2; whole++)
            sweep((avout__mem_fault){
                .kind = AVOUT__MEM_FAIL, .status = lasting[i], .failed_op = whole ? SIZE_MAX : 0});
}

/* As if somebody else had been there: no call fails because of it. */
TEST(every_multi_is_refused_by_a_conflict)
{
    for (size_t op = 0; op < 4; op++)
        sweep((avout__mem_fault){
            .kind = AVOUT__MEM_FAIL, .multis = true, .status = AVOUT_EVERSION, .failed_op = op});
}

TEST(the_connection_is_lost_before_every_request)
{
    sweep((avout__mem_fault){.kind = AVOUT__MEM_LOSE_BEFORE});
}

TEST(the_connection_is_lost_after_every_request)
{
    for (int behind = 0; behind < 2; behind++)
        sweep((avout__mem_fault){.kind = AVOUT__MEM_LOSE_AFTER, .behind = behind});
}

TEST(every_request_arrives_late)
{
    for (int late = 0; late < LATE; late++)
        sweep((avout__mem_fault){.kind = AVOUT__MEM_LOSE_LATE, .late = (avout__mem_late)late});
}

TEST(the_session_ends_before_every_request)
{
    sweep((avout__mem_fault){.kind = AVOUT__MEM_EXPIRE_BEFORE});
}

TEST(the_session_ends_after_every_request)
{
    for (int behind = 0; behind < 2; behind++)
        sweep((avout__mem_fault){.kind = AVOUT__MEM_EXPIRE_AFTER, .behind = behind});
}

TEST_WITHIN(every_request_gets_stuck, 120)
{
    sweep_waiting((avout__mem_fault){.kind = AVOUT__MEM_HOLD_REQUEST});
}

TEST_WITHIN(every_reply_gets_stuck, 120)
{
    sweep_waiting((avout__mem_fault){.kind = AVOUT__MEM_HOLD_REPLY});
}
