/* No memory in bad times: multis refused, connections and sessions lost with a batch on its way, blocked
 * transactions, closing. The promises are those of engine_memory_test.c.
 * Test-tags: single */
#include "engine_memory.h"

/* ---- bad times ------------------------------------------------------------------------------------------ */

static void refuse_next(scene *s)
{
    engine_fault(s->store, (avout__mem_fault){.kind = AVOUT__MEM_FAIL,
                                              .multis = true,
                                              .status = AVOUT_EVERSION,
                                              .failed_op = 0});
    engine_fault(s->store, (avout__mem_fault){.kind = AVOUT__MEM_FAIL,
                                              .multis = true,
                                              .nth = 2,
                                              .status = AVOUT_EVERSION,
                                              .failed_op = 1});
}

static void forget_faults(scene *s)
{
    avout__mem_faults_clear(s->store);
}

TEST(a_refused_multi)
{
    sweep(refuse_next, dosync, forget_faults, 40);
    sweep(refuse_next, dosync_together, forget_faults, 60);
}

/* Somebody else changes x, and nobody tells before the commit is on its way. */
static avout_status add_overtaken(avout_txn *txn, void *payload)
{
    scene *s = payload;
    if (!s->runs++) {
        avout__mem_hold(s->store, AVOUT__MEM_REPLIES);
        s->x_is += done(s, avout_dosync(s->witness, plus_one, s->witness_x, NULL));
    }
    avout_status status = set_x(txn, s);
    if (!status) status = avout_alter(txn, s->y, suite_plus, &suite_one);
    return status;
}

static void overtake(scene *s)
{
    avout__mem_counters before, now;
    avout__mem_counters_of(s->store, &before);
    int jobs = done(s, avout_dosync_async(s->client, add_overtaken, s, NULL, finished, s));
    while (s->finished < jobs) {
        avout__mem_counters_of(s->store, &now);
        if (now.multis > before.multis) avout__mem_release(s->store);
        test_pause_us(50); /* between two looks */
    }
    avout__mem_release(s->store);
    s->x_is += s->finished_ok;
    s->y_is += s->finished_ok;
    s->calls.refused += jobs - s->finished_ok;
}

static void open_for_witness(scene *s)
{
    CHECK_OK(avout_ref_open(&s->witness_x, s->witness, "/x"));
}

TEST(a_conflict_with_another_client)
{
    sweep(open_for_witness, overtake, NULL, 40);
}

static avout__mem_fault loss;

static void lose_next(scene *s)
{
    engine_fault(s->store, loss);
}

static void sweep_loss(avout__mem_fault fault)
{
    loss = fault;
    loss.multis = true;
    sweep(lose_next, dosync, forget_faults, 40);
}

TEST(the_connection_lost_before_a_batch)
{
    sweep_loss((avout__mem_fault){.kind = AVOUT__MEM_LOSE_BEFORE});
}

TEST(the_connection_lost_after_a_batch)
{
    sweep_loss((avout__mem_fault){.kind = AVOUT__MEM_LOSE_AFTER});
}

TEST(a_batch_that_arrives_late)
{
    sweep_loss(
        (avout__mem_fault){.kind = AVOUT__MEM_LOSE_LATE, .late = AVOUT__MEM_LATE_BEFORE_NEXT});
    sweep_loss(
        (avout__mem_fault){.kind = AVOUT__MEM_LOSE_LATE, .late = AVOUT__MEM_LATE_AFTER_NEXT});
}

TEST(the_session_lost_with_a_batch)
{
    sweep_loss((avout__mem_fault){.kind = AVOUT__MEM_EXPIRE_BEFORE});
    sweep_loss((avout__mem_fault){.kind = AVOUT__MEM_EXPIRE_AFTER});
}

/* ---- blocking, closing ------------------------------------------------------------------------------------ */

static avout_status wait_for_x(avout_txn *txn, void *payload)
{
    scene *s = payload;
    int64_t seen;
    s->runs++;
    avout_status status = suite_txn_int(&seen, txn, s->x);
    if (!status && !seen) return avout_retry(txn);
    return status ? status : avout_alter(txn, s->y, suite_plus, &suite_one);
}

static void *block_beside(void *payload)
{
    scene *s = payload;
    finished(avout_dosync(s->client, wait_for_x, s, NULL), avout_error_detail(), s);
    return NULL;
}

/* One blocks on a thread of its own, one asynchronously; another client changes what they wait for. */
static void block_both(scene *s)
{
    pthread_t blocked;
    CHECK(!pthread_create(&blocked, NULL, block_beside, s));
    int jobs = 1 + done(s, avout_dosync_async(s->client, wait_for_x, s, NULL, finished, s));
    TEST_AWAIT(s->runs + s->finished >= jobs);
    while (!done(s, avout_dosync(s->witness, plus_one, s->witness_x, NULL)))
        no_memory_end(); /* they would wait for it for ever */
    s->x_is++;
    CHECK(!pthread_join(blocked, NULL));
    TEST_AWAIT(s->finished == jobs);
    s->y_is += s->finished_ok;
    s->calls.refused += jobs - s->finished_ok;
}

TEST(blocked_transactions)
{
    sweep(open_for_witness, block_both, NULL, 30);
}

static void finished_or_closed(avout_status status, const char *detail, void *payload)
{
    scene *s = payload;
    if (status == AVOUT_UNKNOWN) s->unknown++;
    else if (status && status != AVOUT_ENOMEM && status != AVOUT_ECLOSED)
        test_failed(__FILE__, __LINE__, "%s (%s)", avout_status_name(status), detail);
    s->finished_ok += !status;
    s->finished++;
}

static int closing_jobs;

static void start_before_close(scene *s)
{
    closing_jobs = 0;
    for (int i = 0; i < 3; i++)
        closing_jobs += !avout_dosync_async(s->client, add_to_both, s, NULL, finished_or_closed, s);
}

static void close_client(scene *s)
{
    avout_close(s->client);
    s->client = NULL;
    CHECK_INT(closing_jobs, s->finished);
}

static void judge_closed(scene *s)
{
    s->x_is = s->y_is = s->expected_hooks = s->finished_ok;
}

TEST(closing)
{
    sweep(start_before_close, close_client, judge_closed, 1);
}
