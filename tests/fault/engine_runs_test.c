/* What a run of a transaction sees, and what is left of it when it is thrown away, fails, or comes to
 * its commit when everything has changed around it (I3, I4, I12).
 * Test-tags: threads */
#include "engine_support.h"

enum { TIMEOUT_MS = 20000, SOON_MS = 5000 };

typedef struct deed {
    void (*call)(world *w);
    world *w;
} deed;

static void *beside_main(void *payload)
{
    deed *mine = payload;
    mine->call(mine->w);
    return NULL;
}

static void beside(void (*call)(world *w), world *w)
{
    pthread_t thread;
    deed mine = {call, w};
    CHECK(!pthread_create(&thread, NULL, beside_main, &mine));
    CHECK(!pthread_join(thread, NULL));
}

static void change_x(world *w)
{
    CHECK_OK(add_to(w, w->x));
}

static void change_both(world *w)
{
    CHECK_OK(add_to(w, w->x));
    CHECK_OK(add_to(w, w->y));
}

static void close_client(world *w)
{
    avout_close(w->client);
    w->client = NULL;
}

/* The body's answer, asynchronously or not. */
static avout_status run(world *w, avout_txn_fn body, bool asynchronous)
{
    avout_call_options options = {.timeout_ms = TIMEOUT_MS};
    if (!asynchronous) return avout_dosync(w->client, body, w, &options);
    w->ends = 0;
    CHECK_OK(avout_dosync_async(w->client, body, w, &options, world_finish, w));
    TEST_AWAIT(w->ends);
    return w->answer;
}

/* ---- changes of one ref in a row ---------------------------------------------------------------- */

static avout_status commute_then_set(avout_txn *txn, void *payload)
{
    world *w = payload;
    avout_status status = avout_commute(txn, w->x, suite_plus, &suite_one);
    if (!status) status = avout_ref_set(txn, w->x, avout_int(10));
    return status;
}

static avout_status set_then_commute(avout_txn *txn, void *payload)
{
    world *w = payload;
    avout_status status = avout_ref_set(txn, w->x, avout_int(20));
    if (!status) status = avout_commute(txn, w->x, suite_plus, &suite_one);
    return status;
}

TEST(commutes_and_sets_of_one_ref_count_in_order)
{
    world w;
    world_open(&w);
    CHECK_OK(avout_dosync(w.client, commute_then_set, &w, NULL));
    CHECK_INT(10, suite_ref_int(w.x));
    CHECK_OK(avout_dosync(w.client, set_then_commute, &w, NULL));
    CHECK_INT(21, suite_ref_int(w.x));
    world_close(&w);
}

/* A change that answers AVOUT_OK and leaves nothing, as after avout_string without memory. */
static avout_status leave_none(avout_value *value, void *payload)
{
    (void)payload;
    avout_release(*value);
    *value = AVOUT_NONE;
    return AVOUT_OK;
}

static avout_status alter_to_none(avout_txn *txn, void *payload)
{
    return avout_alter(txn, payload, leave_none, NULL);
}

static avout_status commute_to_none(avout_txn *txn, void *payload)
{
    return avout_commute(txn, payload, leave_none, NULL);
}

static avout_status commute_to_none_and_read(avout_txn *txn, void *payload)
{
    int64_t seen;
    avout_status status = avout_commute(txn, payload, leave_none, NULL);
    return status ? status : suite_txn_int(&seen, txn, payload);
}

TEST(a_change_that_leaves_nothing_is_refused)
{
    static const avout_txn_fn bodies[] = {alter_to_none, commute_to_none, commute_to_none_and_read};
    world w;
    world_open(&w);
    avout_ref *local, *refs[2];
    CHECK_OK(avout_ref_local(&local, w.client, avout_int(0)));
    refs[0] = w.x;
    refs[1] = local;
    for (int i = 0; i < 2; i++) {
        for (int j = 0; j < 3; j++) CHECK(avout_dosync(w.client, bodies[j], refs[i], NULL));
        CHECK_INT(0, suite_ref_int(refs[i]));
    }
    CHECK(avout_swap(w.atom, leave_none, NULL, NULL, NULL, NULL));
    CHECK_INT(0, suite_atom_int(w.atom));
    avout_ref_close(local);
    world_close(&w);
}

static avout_status set_to_none(avout_txn *txn, void *payload)
{
    return avout_ref_set(txn, payload, AVOUT_NONE);
}

TEST(nothing_is_no_value)
{
    world w;
    world_open(&w);
    avout_ref *ref;
    CHECK(avout_ref_local(&ref, w.client, AVOUT_NONE));
    CHECK(avout_ref_create(&ref, w.client, "/none", AVOUT_NONE, NULL));
    CHECK(avout_ref_create_or_reset(&ref, w.client, "/x", AVOUT_NONE));
    CHECK_STATUS(AVOUT_ENOTFOUND, avout_ref_open(&ref, w.client, "/none"));
    CHECK(avout_dosync(w.client, set_to_none, w.x, NULL));
    CHECK_INT(0, suite_ref_int(w.x));
    CHECK(avout_reset(w.atom, AVOUT_NONE, NULL));
    CHECK(avout_compare_and_set(w.atom, avout_int(0), AVOUT_NONE, NULL));
    CHECK_INT(0, suite_atom_int(w.atom));
    world_close(&w);
}

static avout_status refuse(avout_value *value, void *payload)
{
    (void)value, (void)payload;
    return avout_fail(7, "not today");
}

static avout_status ignore_a_refused_commute(avout_txn *txn, void *payload)
{
    world *w = payload;
    int64_t seen;
    avout_status status = avout_commute(txn, w->x, refuse, NULL);
    if (!status) CHECK_STATUS(7, suite_txn_int(&seen, txn, w->x));
    return plus_one(txn, w->y);
}

TEST(a_commute_that_fails_when_it_is_read_fails_at_commit)
{
    world w;
    world_open(&w);
    CHECK_STATUS(7, avout_dosync(w.client, ignore_a_refused_commute, &w, NULL));
    CHECK_CONTAINS("not today", avout_error_detail());
    CHECK_INT(0, suite_ref_int(w.y));
    world_close(&w);
}

/* ---- what nothing is sent for --------------------------------------------------------------------- */

static avout_status write_and_block(avout_txn *txn, void *payload)
{
    world *w = payload;
    avout_status status = plus_one(txn, w->x);
    return status ? status : avout_retry(txn);
}

static avout_status read_y(avout_txn *txn, void *payload)
{
    int64_t seen;
    return suite_txn_int(&seen, txn, ((world *)payload)->y);
}

static avout_status write_or_read(avout_txn *txn, void *payload)
{
    return avout_or_else(txn, write_and_block, payload, read_y, payload);
}

/* Writes in its first run, which is thrown away, and only reads in the second. */
static avout_status write_at_first(avout_txn *txn, void *payload)
{
    world *w = payload;
    int64_t seen;
    avout_status status = suite_txn_int(&seen, txn, w->x);
    if (status || w->calls++) return status;
    status = plus_one(txn, w->x);
    beside(change_x, w);
    return status;
}

static avout_status write_and_fail(avout_txn *txn, void *payload)
{
    avout_status status = plus_one(txn, ((world *)payload)->x);
    return status ? status : avout_fail(3, "no");
}

TEST(what_was_undone_is_not_sent)
{
    world w;
    world_open(&w);
    uint64_t before = world_multis(&w);
    CHECK_OK(avout_dosync(w.client, write_or_read, &w, NULL));
    CHECK_STATUS(3, avout_dosync(w.client, write_and_fail, &w, NULL));
    CHECK_INT(before, world_multis(&w));
    CHECK_OK(avout_dosync(w.client, write_at_first, &w, NULL));
    CHECK_INT(2, w.calls);
    CHECK_INT(1, suite_ref_int(w.x));
    CHECK_INT(before + 1, world_multis(&w)); /* of change_x */
    world_close(&w);
}

/* ---- hooks ------------------------------------------------------------------------------------------ */

static void hook(void *payload)
{
    ((world *)payload)->ends++;
}

static avout_status overtaken_with_hook(avout_txn *txn, void *payload)
{
    world *w = payload;
    avout_status status = avout_on_commit(txn, hook, w);
    if (!status) status = plus_one(txn, w->x);
    if (!w->calls++) beside(change_x, w);
    return status;
}

static avout_status add_with_hook(avout_txn *txn, void *payload)
{
    world *w = payload;
    avout_status status = avout_on_commit(txn, hook, w);
    return status ? status : plus_one(txn, w->x);
}

TEST(hooks_of_what_did_not_commit_are_not_called)
{
    world w;
    world_open(&w);
    CHECK_OK(avout_dosync(w.client, overtaken_with_hook, &w, NULL));
    CHECK_INT(2, w.calls);
    CHECK_INT(1, w.ends);
    CHECK_INT(2, suite_ref_int(w.x));
    engine_fault(w.store, (avout__mem_fault){.kind = AVOUT__MEM_FAIL,
                                             .multis = true,
                                             .path = "/avout/cells/x",
                                             .status = AVOUT_EPERM});
    CHECK_STATUS(AVOUT_EPERM, avout_dosync(w.client, add_with_hook, &w, NULL));
    CHECK_INT(1, w.ends);
    avout__mem_reconnect_after(w.store, AVOUT_FOREVER);
    CHECK_OK(avout__mem_suspend(w.store));
    avout_call_options soon = {.timeout_ms = 40};
    CHECK_STATUS(AVOUT_ETIMEOUT, avout_dosync(w.client, add_with_hook, &w, &soon));
    CHECK_INT(1, w.ends);
    CHECK_OK(avout__mem_reconnect(w.store));
    CHECK_OK(avout_dosync(w.client, add_with_hook, &w, NULL));
    CHECK_INT(2, w.ends);
    CHECK_INT(3, suite_ref_int(w.x));
    world_close(&w);
}

/* ---- retry ------------------------------------------------------------------------------------------- */

/* What it read changes after it was read, before it sleeps: nobody else would wake it. */
static avout_status read_and_block(avout_txn *txn, void *payload)
{
    world *w = payload;
    int64_t seen;
    avout_status status = suite_txn_int(&seen, txn, w->x);
    if (status || seen) return status;
    if (!w->calls++) beside(change_x, w);
    return avout_retry(txn);
}

TEST(a_change_between_reading_and_sleeping_wakes)
{
    for (int asynchronous = 0; asynchronous < 2; asynchronous++) {
        world w;
        world_open(&w);
        int64_t begin_ns = avout__now_ns();
        CHECK_OK(run(&w, read_and_block, asynchronous));
        CHECK(avout__now_ns() - begin_ns < (int64_t)SOON_MS * 1000000);
        world_close(&w);
    }
}

static avout_status block_at_once(avout_txn *txn, void *payload)
{
    ((world *)payload)->calls++;
    return avout_retry(txn);
}

static avout_status close_and_block(avout_txn *txn, void *payload)
{
    world *w = payload;
    int64_t seen;
    avout_status status = suite_txn_int(&seen, txn, w->x);
    if (!status) beside(close_client, w);
    return status ? status : avout_retry(txn);
}

static avout_status close_and_write(avout_txn *txn, void *payload)
{
    world *w = payload;
    avout_status status = plus_one(txn, w->x);
    if (!status) beside(close_client, w);
    return status;
}

static void world_forget(world *w)
{
    avout_ref_close(w->x);
    avout_ref_close(w->y);
    avout_ref_close(w->z);
    avout_atom_close(w->atom);
    suite_check_memory();
}

static void *block_without_reading(void *payload)
{
    world *w = payload;
    avout_call_options options = {.timeout_ms = TIMEOUT_MS};
    w->answer = avout_dosync(w->client, block_at_once, w, &options);
    return NULL;
}

TEST(closing_ends_those_that_wait_commit_or_are_about_to)
{
    static const avout_txn_fn bodies[] = {close_and_block, close_and_write};
    for (int i = 0; i < 2; i++) {
        world w;
        world_open(&w);
        int64_t begin_ns = avout__now_ns();
        avout_call_options options = {.timeout_ms = TIMEOUT_MS};
        CHECK_STATUS(AVOUT_ECLOSED, avout_dosync(w.client, bodies[i], &w, &options));
        CHECK(avout__now_ns() - begin_ns < (int64_t)SOON_MS * 1000000);
        world_forget(&w);
    }
    world w;
    world_open(&w);
    pthread_t thread;
    CHECK(!pthread_create(&thread, NULL, block_without_reading, &w));
    TEST_AWAIT(w.calls);
    int64_t begin_ns = avout__now_ns();
    close_client(&w);
    pthread_join(thread, NULL);
    CHECK_STATUS(AVOUT_ECLOSED, w.answer);
    CHECK(avout__now_ns() - begin_ns < (int64_t)SOON_MS * 1000000);
    world_forget(&w);
}

/* ---- conflicts ------------------------------------------------------------------------------------------ */

/* Swallows what tells it that it has seen two states. */
static avout_status ignore_the_conflict(avout_txn *txn, void *payload)
{
    world *w = payload;
    int64_t x = 0, y = 0;
    avout_status status = suite_txn_int(&x, txn, w->x);
    if (status) return status;
    if (!w->calls++) beside(change_both, w);
    (void)suite_txn_int(&y, txn, w->y);
    w->answer = x == y ? AVOUT_OK : 1;
    return AVOUT_OK;
}

TEST(a_body_that_ignores_a_conflict_is_run_again)
{
    world w;
    world_open(&w);
    CHECK_OK(avout_dosync(w.client, ignore_the_conflict, &w, NULL));
    CHECK_INT(2, w.calls);
    CHECK_OK(w.answer);
    world_close(&w);
}

static avout_status commute_x(avout_txn *txn, void *payload)
{
    world *w = payload;
    w->calls++;
    avout_status status = avout_commute(txn, w->x, suite_plus, &suite_one);
    return status ? status : plus_one(txn, w->y);
}

/* Refused by the store as if another client had been there: the commute is applied again, no more. */
TEST(a_refused_commute_does_not_run_the_body_again)
{
    for (int asynchronous = 0; asynchronous < 2; asynchronous++) {
        world w;
        world_open(&w);
        engine_fault(w.store, (avout__mem_fault){.kind = AVOUT__MEM_FAIL,
                                                 .multis = true,
                                                 .path = "/avout/cells/x",
                                                 .status = AVOUT_EVERSION});
        CHECK_OK(run(&w, commute_x, asynchronous));
        CHECK_INT(1, w.calls);
        CHECK_INT(1, suite_ref_int(w.x));
        CHECK_INT(1, suite_ref_int(w.y));
        world_close(&w);
    }
}

/* Somebody has changed it, and the newest value is on its way: a job does not wait for it on its thread, but
 * what waits is the commit, not the body. */
TEST(a_commute_of_what_is_being_fetched_does_not_run_the_body_again)
{
    world w;
    world_open(&w);
    avout_client *other = suite_connect();
    avout_ref *x;
    avout_value seen;
    CHECK_OK(avout_ref_open(&x, other, "/x"));
    engine_fault(w.store,
                 (avout__mem_fault){.kind = AVOUT__MEM_HOLD_REQUEST, .path = "/avout/cells/x"});
    CHECK_OK(avout_dosync(other, plus_one, x, NULL));
    CHECK(avout__mem_wait_held(w.store, avout__deadline_in_ms(20000)));
    CHECK_STATUS(AVOUT_ETIMEOUT, avout_ref_deref_within(&seen, w.x, 1)); /* nothing is live */
    CHECK_OK(avout_dosync_async(w.client, commute_x, &w, NULL, world_finish, &w));
    TEST_AWAIT(w.calls);
    avout__mem_release(w.store);
    TEST_AWAIT(w.ends);
    CHECK_OK(w.answer);
    CHECK_INT(1, w.calls);
    CHECK_INT(2, suite_ref_strict_int(w.x));
    avout_ref_close(x);
    avout_close(other);
    world_close(&w);
}

static avout_status destroy_x(avout_value value, void *payload)
{
    (void)value;
    world *w = payload;
    return w->calls++ ? AVOUT_OK : avout_ref_destroy(w->x);
}

static avout_status set_x(avout_txn *txn, void *payload)
{
    return avout_ref_set(txn, ((world *)payload)->x, avout_int(5));
}

/* Between the preparation of its write and the critical section: the validator is between them. */
TEST(a_write_without_a_read_does_not_bring_back_what_was_destroyed)
{
    world w;
    world_open(&w);
    w.calls = 1; /* setting it asks it */
    CHECK_OK(avout_ref_set_validator(w.x, destroy_x, &w, NULL));
    w.calls = 0;
    CHECK_STATUS(AVOUT_ENOTFOUND, avout_dosync(w.client, set_x, &w, NULL));
    CHECK_INT(1, w.calls);
    avout_value value;
    CHECK_STATUS(AVOUT_ENOTFOUND, avout_ref_deref_strict(&value, w.x, 0));
    world_close(&w);
}
