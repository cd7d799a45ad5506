/* What countdown latches promise, on every store. */
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

#define NAME "/job/ready"
#define NODE "/avout/latches/job:/ready"

static avout_latch *make(avout_client *client, const char *name, uint32_t count)
{
    avout_latch *latch;
    CHECK_OK(avout_latch_create(&latch, client, name, count));
    return latch;
}

static uint32_t left_of(avout_latch *latch)
{
    uint32_t left;
    CHECK_OK(avout_latch_count(&left, latch));
    return left;
}

typedef struct waiter {
    avout_latch *latch;
    avout_wait_options options;
    avout_status status;
    _Atomic bool ended;
    _Atomic int task;
    pthread_t thread;
} waiter;

static void *await(void *payload)
{
    waiter *w = payload;
    w->task = test_task();
    w->status = avout_latch_await(w->latch, &w->options);
    w->ended = true;
    return NULL;
}

static void start(waiter *w, avout_latch *latch, avout_wait_options options)
{
    *w = (waiter){.latch = latch, .options = options};
    CHECK(!pthread_create(&w->thread, NULL, await, w));
    test_await_asleep(&w->task);
}

static avout_status finish(waiter *w)
{
    pthread_join(w->thread, NULL);
    return w->status;
}

static const avout_wait_options forever = {.timeout_ms = AVOUT_FOREVER};

TEST(a_latch_from_opening_to_closing)
{
    avout_client *client = suite_connect(), *other = suite_connect();
    avout_latch *mine = make(client, NAME, 3), *theirs, *same, *open, *none = NULL;
    uint32_t left = 99;
    CHECK_TEXT(NAME, avout_latch_name(mine));
    CHECK_INT(3, avout_latch_total(mine));
    CHECK_INT(3, left_of(mine));
    CHECK_OK(avout_latch_open(&theirs, other, NAME));
    CHECK_INT(3, avout_latch_total(theirs));
    same = make(other, NAME, 3);
    CHECK_STATUS(AVOUT_ECONFLICT, avout_latch_create(&none, other, NAME, 4));
    CHECK_CONTAINS("began with 3, not 4", avout_error_detail());
    CHECK_STATUS(AVOUT_ENOTFOUND, avout_latch_open(&none, other, "/job/none"));
    CHECK_CONTAINS("/job/none", avout_error_detail());

    CHECK_OK(avout_latch_count_down(&left, mine, 1));
    CHECK_INT(2, left);
    CHECK_OK(avout_latch_count_down(&left, theirs, 0));
    CHECK_INT(2, left);
    CHECK_STATUS(AVOUT_ETIMEOUT, avout_latch_await(same, &(avout_wait_options){.timeout_ms = 20}));
    CHECK_OK(avout_latch_count_down(NULL, theirs, 1));
    CHECK_INT(1, left_of(mine));
    same = (avout_latch_close(same), make(other, NAME, 3)); /* what is left does not matter */
    CHECK_OK(avout_latch_count_down(&left, mine, 5));
    CHECK_INT(0, left);
    CHECK_OK(avout_latch_await(theirs, NULL));
    CHECK_OK(avout_latch_await(mine, &(avout_wait_options){.timeout_ms = 1}));
    CHECK_OK(avout_latch_count_down(&left, theirs, UINT32_MAX));
    CHECK_INT(0, left);
    CHECK_INT(0, left_of(same));
    CHECK_OK(avout_latch_open(&open, client, NAME));
    CHECK_OK(avout_latch_await(open, NULL));
    avout_latch_close(open);
    avout_latch_close(NULL);
    open = make(client, "/open", 0);
    CHECK_OK(avout_latch_await(open, NULL));
    CHECK_INT(0, left_of(open));
    avout_latch_close(open);
    avout_latch_close(mine);
    avout_latch_close(theirs);
    avout_latch_close(same);
    suite_close(client);
    suite_close(other);
    suite_check_memory();
}

TEST(bad_arguments)
{
    avout_client *client = suite_connect();
    avout_latch *latch = NULL;
    CHECK_STATUS(AVOUT_EINVAL, avout_latch_create(&latch, client, NULL, 1));
    CHECK_STATUS(AVOUT_EINVAL, avout_latch_open(&latch, client, NULL));
    CHECK_STATUS(AVOUT_EINVAL, avout_latch_remove(client, NULL));
    for (size_t i = 0; i < SUITE_NO_NAMES; i++) {
        CHECK_STATUS(AVOUT_ENAME, avout_latch_create(&latch, client, suite_no_names[i], 1));
        CHECK_STATUS(AVOUT_ENAME, avout_latch_open(&latch, client, suite_no_names[i]));
        CHECK_STATUS(AVOUT_ENAME, avout_latch_remove(client, suite_no_names[i]));
    }
    CHECK_STATUS(AVOUT_ERANGE, avout_latch_create(&latch, client, "/a", UINT32_MAX));
    latch = make(client, "/a/b:/%", INT32_MAX);
    CHECK_STATUS(AVOUT_EINVAL, avout_latch_await(latch, &(avout_wait_options){.timeout_ms = -2}));
    uint32_t left;
    CHECK_OK(avout_latch_count_down(&left, latch, INT32_MAX - 1));
    CHECK_INT(1, left);
    avout_latch_close(latch);
    suite_close(client);
    suite_check_memory();
}

TEST(waiters_are_let_go_together_and_for_ever)
{
    avout_client *client = suite_connect(), *other = suite_connect();
    avout_latch *mine = make(client, NAME, 2), *theirs = make(other, NAME, 2);
    waiter w[6];
    for (int i = 0; i < 6; i++) start(&w[i], i % 2 ? mine : theirs, forever);
    CHECK_OK(avout_latch_count_down(NULL, mine, 1));
    suite_settle(client);
    suite_settle(other);
    for (int i = 0; i < 6; i++) CHECK(!w[i].ended);
    CHECK_OK(avout_latch_count_down(NULL, theirs, 1));
    for (int i = 0; i < 6; i++) CHECK_INT(AVOUT_OK, finish(&w[i]));
    avout_latch_close(mine);
    avout_latch_close(theirs);
    suite_close(client);
    suite_close(other);
    suite_check_memory();
}

TEST(waits_end_when_they_have_to)
{
    avout_client *client = suite_connect(), *other = suite_connect();
    avout_latch *mine = make(client, NAME, 1), *theirs = make(other, NAME, 1);
    avout_cancel *cancel;
    CHECK_OK(avout_cancel_new(&cancel));
    int64_t begun = crowd_now_ms();
    CHECK_STATUS(AVOUT_ETIMEOUT, avout_latch_await(mine, &(avout_wait_options){.timeout_ms = 50}));
    CHECK(crowd_now_ms() - begun >= 49);
    CHECK_CONTAINS(NAME, avout_error_detail());
    waiter w[4];
    for (int i = 0; i < 3; i++)
        start(&w[i], mine, (avout_wait_options){.timeout_ms = AVOUT_FOREVER, .cancel = cancel});
    start(&w[3], theirs, forever);
    avout_cancel_set(cancel);
    for (int i = 0; i < 3; i++) CHECK_INT(AVOUT_ECANCELLED, finish(&w[i]));
    CHECK_STATUS(AVOUT_ECANCELLED,
                 avout_latch_await(mine, &(avout_wait_options){.cancel = cancel}));
    CHECK(!w[3].ended);
    suite_close(other);
    CHECK_INT(AVOUT_ECLOSED, finish(&w[3]));
    uint32_t left;
    CHECK_STATUS(AVOUT_ECLOSED, avout_latch_await(theirs, NULL));
    CHECK_STATUS(AVOUT_ECLOSED, avout_latch_count(&left, theirs));
    CHECK_STATUS(AVOUT_ECLOSED, avout_latch_count_down(&left, theirs, 1));
    CHECK_INT(1, left_of(mine));
    avout_latch_close(theirs);
    avout_latch_close(mine);
    avout_cancel_free(cancel);
    suite_close(client);
    suite_check_memory();
}

/* ---- many that count ---------------------------------------------------------------------------- */

enum { CLIENTS = 4, THREADS = 4, COUNTS = 20 };

typedef struct counter {
    avout_latch *latch;
    pthread_t thread;
} counter;

static void *count(void *payload)
{
    counter *c = payload;
    for (int i = 0; i < COUNTS; i++) CHECK_OK(avout_latch_count_down(NULL, c->latch, 1));
    return NULL;
}

/* Exactly once each: not one more is left than was never counted. */
TEST(threads_and_clients_count_at_the_same_time)
{
    avout_client *clients[CLIENTS];
    avout_latch *latches[CLIENTS];
    counter counters[CLIENTS * THREADS];
    for (int i = 0; i < CLIENTS; i++) {
        clients[i] = suite_connect();
        latches[i] = make(clients[i], NAME, CLIENTS * THREADS * COUNTS + 1);
    }
    for (int i = 0; i < CLIENTS * THREADS; i++) {
        counters[i] = (counter){.latch = latches[i % CLIENTS]};
        CHECK(!pthread_create(&counters[i].thread, NULL, count, &counters[i]));
    }
    for (int i = 0; i < CLIENTS * THREADS; i++) pthread_join(counters[i].thread, NULL);
    CHECK_INT(1, left_of(latches[0]));
    CHECK_OK(avout_latch_count_down(NULL, latches[1], 1));
    CHECK_OK(avout_latch_await(latches[2], NULL));
    for (int i = 0; i < CLIENTS; i++) {
        avout_latch_close(latches[i]);
        suite_close(clients[i]);
    }
    suite_check_memory();
}

/* ---- removal ---------------------------------------------------------------------------------------- */

TEST(a_removed_latch_is_another_from_then_on)
{
    avout_client *client = suite_connect(), *other = suite_connect();
    avout_latch *old = make(client, NAME, 2), *theirs = make(other, NAME, 2), *again;
    uint32_t left;
    waiter w[2];
    start(&w[0], old, forever);
    start(&w[1], theirs, forever);
    CHECK_OK(avout_latch_count_down(NULL, old, 1));
    CHECK_OK(avout_latch_remove(other, NAME));
    for (int i = 0; i < 2; i++) CHECK_INT(AVOUT_ENOTFOUND, finish(&w[i]));
    CHECK_STATUS(AVOUT_ENOTFOUND, avout_latch_remove(client, NAME));
    again = make(client, NAME, 5);
    CHECK_STATUS(AVOUT_ENOTFOUND, avout_latch_count_down(NULL, old, 1));
    CHECK_STATUS(AVOUT_ENOTFOUND, avout_latch_count_down(NULL, theirs, 1));
    CHECK_STATUS(AVOUT_ENOTFOUND, avout_latch_count(&left, theirs));
    CHECK_STATUS(AVOUT_ENOTFOUND, avout_latch_await(theirs, NULL));
    CHECK_INT(5, left_of(again));
    avout_latch_close(old);
    avout_latch_close(theirs);
    avout_latch_close(again);
    CHECK_OK(avout_latch_remove(client, NAME));
    suite_close(client);
    suite_close(other);
    suite_check_memory();
}

/* I11: what somebody else has written there is told of, and left alone. */
TEST(foreign_nodes)
{
    avout_client *client = suite_connect();
    avout_latch *latch = make(client, NAME, 2), *none;
    static const char *bad[] = {"",
                                "x",
                                "{:count 2}",
                                "{:count 2, :id \"0123456789abcdeg\"}",
                                "{:count 2, :id \"0123456789abcdef\"} ",
                                "{:count 99999999999, :id \"0123456789abcdef\"}"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        CHECK_OK(raw_do(&client->stm->door, (avout_op){.kind = AVOUT_OP_SET,
                                                       .path = NODE,
                                                       .version = AVOUT_VERSION_ANY,
                                                       .bytes = bad[i]}));
        CHECK_STATUS(AVOUT_EDATA, avout_latch_create(&none, client, NAME, 2));
        CHECK_STATUS(AVOUT_EDATA, avout_latch_open(&none, client, NAME));
        CHECK_STATUS(AVOUT_EDATA, avout_latch_await(latch, NULL));
        CHECK_STATUS(AVOUT_EDATA, avout_latch_remove(client, NAME));
    }
    avout_latch_close(latch);
    latch = make(client, "/tidy", 2);
    CHECK_OK(raw_do(&client->stm->door,
                    (avout_op){.kind = AVOUT_OP_CREATE, .path = "/avout/latches/tidy/x"}));
    CHECK_STATUS(AVOUT_ENOTEMPTY, avout_latch_remove(client, "/tidy"));
    CHECK_INT(2, left_of(latch));
    avout_latch_close(latch);
    suite_close(client);
    suite_check_memory();
}

/* ---- processes ----------------------------------------------------------------------------------------- */

enum { PROCESSES = 4, EACH = 10 };

typedef struct shared {
    _Atomic int let_go;
    _Atomic int64_t counted;
} shared;

static shared *common;

static void count_and_wait(int number)
{
    (void)number;
    avout_client *client = suite_connect();
    avout_latch *latch = make(client, NAME, PROCESSES * EACH);
    for (int i = 0; i < EACH; i++) {
        common->counted++;
        CHECK_OK(avout_latch_count_down(NULL, latch, 1));
    }
    CHECK_OK(avout_latch_await(latch, &(avout_wait_options){.timeout_ms = 40000}));
    CHECK_INT(PROCESSES * EACH, common->counted);
    common->let_go++;
    avout_latch_close(latch);
    suite_close(client);
}

TEST(processes)
{
    if (!strncmp(suite_url(), "mem:", 4)) return; /* one process only */
    common = crowd_share(sizeof *common);
    crowd_process processes[PROCESSES] = {0};
    for (int i = 0; i < PROCESSES; i++) crowd_start(&processes[i], count_and_wait, i);
    crowd_finish(processes, PROCESSES, 45);
    CHECK_INT(PROCESSES, common->let_go);
}

/* Counts for ever; killed at random moments. */
static void count_on(int number)
{
    (void)number;
    avout_client *client = suite_connect();
    avout_latch *latch = make(client, NAME, 1000000);
    for (;;) {
        CHECK_OK(avout_latch_count_down(NULL, latch, 1));
        common->counted++;
    }
}

/* Who is killed had at most one count on its way: neither is one lost nor does any count twice. */
TEST(killed_counters)
{
    if (!strncmp(suite_url(), "mem:", 4)) return;
    enum { KILLS = 12 };
    common = crowd_share(sizeof *common);
    crowd_process processes[3] = {0};
    for (int i = 0; i < 3; i++) crowd_start(&processes[i], count_on, i);
    for (int i = 0; i < KILLS; i++) {
        int64_t before = common->counted, until = crowd_now_ms() + 20000;
        while (common->counted < before + 5 && crowd_now_ms() < until) test_pause_ms(1);
        CHECK(common->counted >= before + 5);
        crowd_replace(&processes[i % 3]);
    }
    for (int i = 0; i < 3; i++) crowd_kill(&processes[i]);
    avout_client *client = suite_connect();
    avout_latch *latch = make(client, NAME, 1000000);
    int64_t in_store = 1000000 - (int64_t)left_of(latch);
    CHECK(in_store >= common->counted);
    CHECK(in_store <= common->counted + KILLS + 3);
    avout_latch_close(latch);
    suite_close(client);
}
