/* The engine in bad times: every fault at every request of a client's life, from its connection to
 * its end. Whatever happens, what was confirmed is there, what failed is not, nothing is half done,
 * nothing waits beyond its deadline and no memory is left (I1, I2, I3, I10, I12).
 * Test-tags: waits */
#include "engine_support.h"
#include "excuse.h"

enum { SUM = 100, TIMES = 4 };

typedef struct trial {
    avout_client *witness, *client;
    avout_ref *x, *y, *count, *local;
    avout_call_options options;
    int confirmed, unknown;
    excuse excuse;
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
    t->unknown += status == AVOUT_UNKNOWN;
    return !EXCUSED(&t->excuse, status);
}

static bool create(trial *t, avout_ref **ref, const char *name, int64_t initial)
{
    for (int i = 0; i < 3; i++)
        if (done(t, avout_ref_create(ref, t->client, name, avout_int(initial), NULL))) return true;
    return false;
}

static bool begin(trial *t)
{
    avout_options patient = {.timeout_ms = t->excuse.may_time_out ? 40 : 20000,
                             .connect_timeout_ms = t->excuse.may_time_out ? 60 : 20000};
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
    engine_calm(1); /* the fault may have been meant for a request that never came */
}

static void judge(trial *t, bool begun)
{
    if (!begun) return;
    CHECK_OK(avout_ref_open(&t->x, t->witness, "/dir/x"));
    CHECK_OK(avout_ref_open(&t->y, t->witness, "/y"));
    CHECK_OK(avout_ref_open(&t->count, t->witness, "/count"));
    int64_t moved = suite_ref_strict_int(t->y);
    CHECK_INT(SUM, suite_ref_strict_int(t->x) + moved);
    CHECK_INT(moved, suite_ref_strict_int(t->count));
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
    trial t = {.witness = suite_connect(), .excuse = excuse_of(&fault)};
    avout_store *store = engine_store(0);
    engine_fault_of_all(fault, n);
    bool begun = begin(&t);
    /* Who creates is told of a conflict that cannot be; nobody else is told of any. */
    if (t.excuse.may_fail_with == AVOUT_EVERSION) t.excuse.may_fail_with = AVOUT_OK;
    if (begun) transact(&t);
    bool happened = !avout__mem_faults_left(store);
    end(&t);
    judge(&t, begun);
    suite_close(t.witness);
    suite_check_memory();
    return happened;
}

enum { REQUESTS = 20, BOTH_REFUSALS = 1 };

#include "suites/every_request.c"

/* Also of the connection, which is a part of these lives. */
TEST(every_request_is_refused_for_want_of_credentials)
{
    for (int whole = 0; whole < 2; whole++)
        sweep((avout__mem_fault){.kind = AVOUT__MEM_FAIL,
                                 .status = AVOUT_EAUTH,
                                 .failed_op = whole ? SIZE_MAX : 0},
              REQUESTS);
}

/* As if somebody else had been there: no transaction fails because of it. */
TEST(every_multi_is_refused_by_a_conflict)
{
    for (size_t op = 0; op < 4; op++)
        sweep(
            (avout__mem_fault){
                .kind = AVOUT__MEM_FAIL, .multis = true, .status = AVOUT_EVERSION, .failed_op = op},
            6);
}
