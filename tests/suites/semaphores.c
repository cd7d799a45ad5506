/* What the public operations of semaphores promise, one by one, on every store. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "stm/handles.h"
#include "store/store.h"
#include "support/await.h"
#include "support/crowd.h"
#include "support/raw.h"
#include "support/suite.h"

static avout_semaphore *open_semaphore(avout_client *client, const char *name, uint32_t permits)
{
    avout_semaphore *semaphore;
    CHECK_OK(avout_semaphore_open(&semaphore, client, name, permits));
    return semaphore;
}

static size_t queue_length(avout_client *client, const char *name)
{
    avout_semaphore_report *report;
    CHECK_OK(avout_semaphore_inspect(&report, client, name));
    size_t count = report->count;
    avout_semaphore_report_free(report);
    return count;
}

static uint32_t taken(avout_client *client, const char *name)
{
    avout_semaphore_report *report;
    CHECK_OK(avout_semaphore_inspect(&report, client, name));
    uint32_t count = report->taken;
    avout_semaphore_report_free(report);
    return count;
}

/* What left requests behind takes them back in the background. */
static void await_queue(avout_client *client, const char *name, size_t length)
{
    TEST_AWAIT(queue_length(client, name) == length);
}

/* ---- opening ---------------------------------------------------------------------------------- */

TEST(all_who_open_it_agree)
{
    avout_client *client = suite_connect(), *other = suite_connect();
    avout_semaphore *mine, *theirs;
    uint32_t permits;
    CHECK_STATUS(AVOUT_ENOTFOUND, avout_semaphore_open(&mine, client, "/a/b", 0));
    CHECK_CONTAINS("/a/b", avout_error_detail());
    mine = open_semaphore(client, "/a/b", 3);
    CHECK_TEXT("/a/b", avout_semaphore_name(mine));
    theirs = open_semaphore(other, "/a/b", 3);
    CHECK_OK(avout_semaphore_permits(&permits, theirs));
    CHECK_INT(3, permits);
    avout_semaphore_close(theirs);
    CHECK_STATUS(AVOUT_ECONFLICT, avout_semaphore_open(&theirs, other, "/a/b", 4));
    CHECK_CONTAINS("3 permits", avout_error_detail());
    theirs = open_semaphore(other, "/a/b", 0);
    CHECK_STATUS(AVOUT_EINVAL, avout_semaphore_open(&theirs, other, "/c", AVOUT_PERMITS_MAX + 1));
    CHECK_STATUS(AVOUT_EINVAL, avout_semaphore_open(&theirs, other, NULL, 1));
    for (size_t i = 0; i < SUITE_NO_NAMES; i++) {
        avout_semaphore_report *report;
        avout_semaphore *none;
        CHECK_STATUS(AVOUT_ENAME, avout_semaphore_open(&none, client, suite_no_names[i], 1));
        CHECK_STATUS(AVOUT_ENAME, avout_semaphore_inspect(&report, client, suite_no_names[i]));
        CHECK_STATUS(AVOUT_ENAME, avout_semaphore_remove(client, suite_no_names[i]));
    }
    avout_semaphore_close(mine);
    avout_semaphore_close(theirs);
    avout_semaphore_close(NULL);
    suite_close(client);
    suite_close(other);
    suite_check_memory();
}

TEST(one_thread)
{
    avout_client *client = suite_connect();
    avout_semaphore *semaphore = open_semaphore(client, "/s", 3);
    avout_lease *first, *second, *none;
    CHECK_OK(avout_semaphore_acquire(&first, semaphore, 1, NULL));
    CHECK(avout_lease_is_held(first));
    CHECK_INT(1, avout_lease_permits(first));
    CHECK_OK(avout_semaphore_try(&second, semaphore, 2));
    CHECK(avout_token_compare(avout_lease_token(first), avout_lease_token(second)) < 0);
    CHECK(avout_lease_token(first).point > 0);
    CHECK_INT(3, taken(client, "/s"));
    CHECK_STATUS(AVOUT_EBUSY, avout_semaphore_try(&none, semaphore, 1));
    int64_t begun = crowd_now_ms();
    CHECK_STATUS(AVOUT_ETIMEOUT, avout_semaphore_acquire(&none, semaphore, 1,
                                                         &(avout_wait_options){.timeout_ms = 50}));
    CHECK(crowd_now_ms() - begun >= 50);
    await_queue(client, "/s", 2);
    CHECK_OK(avout_lease_release(second));
    CHECK_OK(avout_semaphore_try(&second, semaphore, 1));
    CHECK_STATUS(AVOUT_EBUSY, avout_semaphore_try(&none, semaphore, 2));
    CHECK_STATUS(AVOUT_ELIMIT, avout_semaphore_try(&none, semaphore, 4));
    CHECK_STATUS(AVOUT_EINVAL, avout_semaphore_try(&none, semaphore, 0));
    CHECK_STATUS(AVOUT_EINVAL, avout_semaphore_try(&none, semaphore, AVOUT_PERMITS_MAX + 1));
    CHECK_STATUS(AVOUT_EINVAL, avout_semaphore_acquire(&none, semaphore, 1,
                                                       &(avout_wait_options){.timeout_ms = -2}));
    CHECK_OK(avout_lease_release(first));
    avout_semaphore_close(semaphore); /* leases stay */
    CHECK(avout_lease_is_held(second));
    CHECK_INT(1, taken(client, "/s"));
    CHECK_OK(avout_lease_release(second));
    CHECK_OK(avout_lease_release(NULL));
    await_queue(client, "/s", 0);
    suite_close(client);
    suite_check_memory();
}

TEST(a_closed_client_gives_back_what_it_had)
{
    avout_client *client = suite_connect(), *other = suite_connect();
    avout_semaphore *mine = open_semaphore(client, "/s", 2),
                    *theirs = open_semaphore(other, "/s", 2);
    avout_lease *lease, *all;
    CHECK_OK(avout_semaphore_acquire(&lease, theirs, 1, NULL));
    CHECK_STATUS(AVOUT_EBUSY, avout_semaphore_try(&all, mine, 2));
    suite_close(other);
    CHECK(!avout_lease_is_held(lease));
    CHECK_STATUS(AVOUT_ECLOSED, avout_lease_release(lease));
    CHECK_STATUS(AVOUT_ECLOSED, avout_semaphore_acquire(&lease, theirs, 1, NULL));
    CHECK_STATUS(AVOUT_ECLOSED, avout_semaphore_on_lost(theirs, NULL, NULL));
    CHECK_OK(avout_semaphore_acquire(&all, mine, 2, NULL));
    avout_semaphore_close(theirs);
    avout_semaphore_close(mine);
    suite_close(client);
    CHECK_STATUS(AVOUT_ECLOSED, avout_lease_release(all));
    suite_check_memory();
}

/* ---- waiting ---------------------------------------------------------------------------------- */

typedef struct waiter {
    avout_semaphore *semaphore;
    uint32_t permits;
    avout_wait_options options;
    avout_status status;
    avout_token token;
    _Atomic bool ended, let_go;
    pthread_t thread;
} waiter;

static void *wait_for_permits(void *payload)
{
    waiter *w = payload;
    avout_lease *lease;
    w->status = avout_semaphore_acquire(&lease, w->semaphore, w->permits, &w->options);
    if (!w->status) w->token = avout_lease_token(lease);
    w->ended = true;
    if (w->status) return NULL;
    TEST_AWAIT(w->let_go);
    CHECK_OK(avout_lease_release(lease));
    return NULL;
}

static void start(waiter *w, avout_semaphore *semaphore, uint32_t permits,
                  avout_wait_options options)
{
    *w = (waiter){.semaphore = semaphore, .permits = permits, .options = options};
    CHECK(!pthread_create(&w->thread, NULL, wait_for_permits, w));
}

static avout_status finish(waiter *w)
{
    w->let_go = true;
    pthread_join(w->thread, NULL);
    return w->status;
}

static const avout_wait_options patient = {.timeout_ms = 50000};

/* In the order of their coming, each when there is enough; nobody overtakes. */
TEST(first_come_first_served)
{
    enum { COUNT = 5 };
    static const uint32_t permits[COUNT] = {2, 1, 3, 1, 1};
    avout_client *clients[COUNT];
    avout_semaphore *semaphores[COUNT];
    waiter w[COUNT];
    for (int i = 0; i < COUNT; i++) {
        clients[i] = suite_connect();
        semaphores[i] = open_semaphore(clients[i], "/s", 3);
        start(&w[i], semaphores[i], permits[i], patient);
        await_queue(clients[0], "/s", (size_t)i + 1);
    }
    TEST_AWAIT(w[0].ended);
    TEST_AWAIT(w[1].ended);
    CHECK(!w[2].ended);
    avout_semaphore_report *report;
    CHECK_OK(avout_semaphore_inspect(&report, clients[1], "/s"));
    CHECK_INT(3, report->permits);
    CHECK_INT(3, report->taken);
    CHECK_INT(COUNT, report->count);
    for (int i = 0; i < COUNT; i++) {
        const avout_semaphore_entry *entry = &report->entries[i];
        CHECK_INT(permits[i], entry->permits);
        CHECK_INT(i < 2, entry->holds);
        CHECK_INT(i == 1, entry->mine);
        CHECK_INT(getpid(), entry->pid);
        CHECK(*entry->host && entry->since_ms > 0 && entry->session);
        if (i < 2) CHECK_INT(0, avout_token_compare(w[i].token, entry->token));
    }
    avout_semaphore_report_free(report);
    avout_lease *none;
    CHECK_STATUS(AVOUT_EBUSY, avout_semaphore_try(&none, semaphores[0], 1));
    CHECK_INT(AVOUT_OK, finish(&w[1]));
    for (int i = 2; i < COUNT; i++) suite_settle(clients[i]);
    CHECK(!w[2].ended && !w[3].ended); /* one is there, but the third is the next */
    CHECK_INT(AVOUT_OK, finish(&w[0]));
    TEST_AWAIT(w[2].ended);
    CHECK(!w[3].ended && !w[4].ended);
    CHECK_INT(AVOUT_OK, finish(&w[2]));
    TEST_AWAIT(w[3].ended);
    TEST_AWAIT(w[4].ended); /* whom the fourth tells */
    for (int i = 3; i < COUNT; i++) CHECK_INT(AVOUT_OK, finish(&w[i]));
    for (int i = 1; i < COUNT; i++) CHECK(avout_token_compare(w[i - 1].token, w[i].token) < 0);
    await_queue(clients[0], "/s", 0);
    for (int i = 0; i < COUNT; i++) {
        avout_semaphore_close(semaphores[i]);
        suite_close(clients[i]);
    }
    suite_check_memory();
}

/* Who waits behind one that gives up, dies, or asks for too much goes on. */
TEST(those_behind_one_that_goes)
{
    enum { COUNT = 4 };
    avout_client *client = suite_connect(), *clients[COUNT];
    avout_semaphore *semaphore = open_semaphore(client, "/s", 2), *semaphores[COUNT];
    avout_cancel *cancel;
    avout_lease *lease;
    waiter w[COUNT];
    CHECK_OK(avout_cancel_new(&cancel));
    CHECK_OK(avout_semaphore_acquire(&lease, semaphore, 1, NULL));
    for (int i = 0; i < COUNT; i++) {
        clients[i] = suite_connect();
        semaphores[i] = open_semaphore(clients[i], "/s", 2);
        avout_wait_options options = patient;
        if (i == 0) options.cancel = cancel;
        start(&w[i], semaphores[i], i < 3 ? 2 : 1, options);
        await_queue(client, "/s", (size_t)i + 2);
    }
    suite_close(clients[1]);
    CHECK_INT(AVOUT_ECLOSED, finish(&w[1]));
    await_queue(client, "/s", 4);
    avout_cancel_set(cancel);
    CHECK_INT(AVOUT_ECANCELLED, finish(&w[0]));
    await_queue(client, "/s", 3);
    CHECK(!w[2].ended && !w[3].ended);
    suite_close(clients[2]);
    CHECK_INT(AVOUT_ECLOSED, finish(&w[2]));
    TEST_AWAIT(w[3].ended); /* there was enough for it all the time */
    CHECK_INT(AVOUT_OK, finish(&w[3]));
    CHECK_OK(avout_lease_release(lease));
    await_queue(client, "/s", 0);
    avout_cancel_free(cancel);
    for (int i = 0; i < COUNT; i++) avout_semaphore_close(semaphores[i]);
    avout_semaphore_close(semaphore);
    suite_close(clients[0]);
    suite_close(clients[3]);
    suite_close(client);
    suite_check_memory();
}

/* ---- the number of permits -------------------------------------------------------------------- */

typedef struct changer {
    avout_semaphore *semaphore;
    uint32_t permits;
    avout_wait_options options;
    avout_status status;
    _Atomic bool ended;
    pthread_t thread;
} changer;

static void *change_permits(void *payload)
{
    changer *c = payload;
    c->status = avout_semaphore_set_permits(c->semaphore, c->permits, &c->options);
    c->ended = true;
    return NULL;
}

TEST(more_permits_and_fewer)
{
    avout_client *client = suite_connect(), *other = suite_connect();
    avout_semaphore *mine = open_semaphore(client, "/s", 2),
                    *theirs = open_semaphore(other, "/s", 2);
    avout_lease *first, *second, *none;
    uint32_t permits;
    CHECK_OK(avout_semaphore_acquire(&first, mine, 2, NULL));
    waiter w;
    start(&w, theirs, 1, patient);
    await_queue(client, "/s", 2);
    CHECK_OK(avout_semaphore_set_permits(mine, 3, NULL));
    TEST_AWAIT(w.ended); /* woken by that alone */
    CHECK_OK(avout_semaphore_permits(&permits, theirs));
    CHECK_INT(3, permits);
    CHECK_OK(avout_semaphore_set_permits(theirs, 3, NULL)); /* it is so already */
    CHECK_STATUS(AVOUT_EINVAL, avout_semaphore_set_permits(mine, 0, NULL));
    CHECK_STATUS(AVOUT_EINVAL, avout_semaphore_set_permits(mine, AVOUT_PERMITS_MAX + 1, NULL));
    /* Fewer only when they are not out any more. */
    CHECK_STATUS(AVOUT_ETIMEOUT,
                 avout_semaphore_set_permits(mine, 1, &(avout_wait_options){.timeout_ms = 30}));
    CHECK_OK(avout_semaphore_permits(&permits, theirs));
    CHECK_INT(3, permits);
    await_queue(client, "/s", 2);
    changer c = {.semaphore = theirs, .permits = 2, .options = patient};
    CHECK(!pthread_create(&c.thread, NULL, change_permits, &c));
    await_queue(client, "/s", 3);
    CHECK(!c.ended);
    CHECK_STATUS(AVOUT_EBUSY, avout_semaphore_try(&none, mine, 1)); /* it has its turn */
    CHECK_OK(avout_lease_release(first));
    pthread_join(c.thread, NULL);
    CHECK_OK(c.status);
    CHECK_OK(avout_semaphore_permits(&permits, mine));
    CHECK_INT(2, permits);
    CHECK_OK(avout_semaphore_try(&second, mine, 1));
    CHECK_STATUS(AVOUT_EBUSY, avout_semaphore_try(&none, mine, 1));
    CHECK_STATUS(AVOUT_ELIMIT, avout_semaphore_try(&none, mine, 3));
    /* Who waits for more than there are going to be is told so. */
    waiter late;
    start(&late, mine, 2, patient);
    await_queue(client, "/s", 3);
    CHECK_INT(AVOUT_OK, finish(&w));
    CHECK_OK(avout_lease_release(second));
    TEST_AWAIT(late.ended);
    CHECK_INT(AVOUT_OK, finish(&late));
    CHECK_OK(avout_semaphore_set_permits(theirs, 1, NULL));
    CHECK_STATUS(AVOUT_ELIMIT, avout_semaphore_acquire(&none, mine, 2, NULL));
    await_queue(client, "/s", 0);
    avout_semaphore_close(mine);
    avout_semaphore_close(theirs);
    suite_close(client);
    suite_close(other);
    suite_check_memory();
}

/* ---- removal, strangers ------------------------------------------------------------------------- */

TEST(removal)
{
    avout_client *client = suite_connect();
    avout_semaphore *semaphore = open_semaphore(client, "/a/s", 1), *again;
    avout_lease *lease;
    uint32_t permits;
    char names[64] = "";
    CHECK_STATUS(AVOUT_ENOTFOUND, avout_semaphore_remove(client, "/b"));
    CHECK_OK(avout_semaphores_each(client, "/", suite_add_name, names));
    CHECK_OK(avout_semaphores_each(client, "/a", suite_add_name, names));
    CHECK_TEXT("/a/ /a/s ", names);
    names[0] = '\0';
    CHECK_OK(avout_locks_each(client, "/", suite_add_name, names));
    CHECK_TEXT("", names);
    CHECK_OK(avout_semaphore_acquire(&lease, semaphore, 1, NULL));
    CHECK_STATUS(AVOUT_EBUSY, avout_semaphore_remove(client, "/a/s"));
    CHECK_OK(avout_lease_release(lease));
    CHECK_OK(avout_semaphore_remove(client, "/a/s"));
    CHECK_STATUS(AVOUT_ENOTFOUND, avout_semaphore_acquire(&lease, semaphore, 1, NULL));
    CHECK_CONTAINS("/a/s", avout_error_detail());
    CHECK_STATUS(AVOUT_ENOTFOUND, avout_semaphore_permits(&permits, semaphore));
    CHECK_STATUS(AVOUT_ENOTFOUND, avout_semaphore_set_permits(semaphore, 2, NULL));
    again = open_semaphore(client, "/a/s", 2);
    avout_lease *both;
    CHECK_OK(avout_semaphore_acquire(&both, semaphore, 2, NULL)); /* with the new number */
    CHECK_OK(avout_lease_release(both));
    avout_semaphore_close(again);
    avout_semaphore_close(semaphore);
    suite_close(client);
    suite_check_memory();
}

/* The first one's, or the last one's, behind its back. */
static void remove_request(avout_client *client, bool last)
{
    char path[RAW_PATH];
    raw_child(path, &client->stm->door, "/avout/semaphores/s", last ? RAW_LAST : RAW_FIRST);
    CHECK_OK(raw_delete(&client->stm->door, path));
}

TEST(what_strangers_leave)
{
    avout_client *client = suite_connect(), *other = suite_connect();
    avout_semaphore *semaphore = open_semaphore(client, "/s", 1), *none;
    static const char *strange[] = {"x",
                                    "p-0123456789abcdef-1-0000000001",
                                    "0p-0123456789abcdef-1-0000000001",
                                    "01p-0123456789abcdef-1-0000000001",
                                    "1000001p-0123456789abcdef-1-0000000001",
                                    "1p-0123456789ABCDEF-1-0000000001",
                                    "1p-",
                                    "1",
                                    "\xc3\xa4"};
    avout_semaphore_report *report;
    avout_lease *lease;
    for (size_t i = 0; i < sizeof strange / sizeof *strange; i++) {
        char path[256];
        snprintf(path, sizeof path, "/avout/semaphores/s/%s", strange[i]);
        CHECK_OK(raw_do(&client->stm->door,
                        (avout_op){.kind = AVOUT_OP_CREATE, .path = path, .bytes = "x"}));
        CHECK_OK(avout_semaphore_acquire(&lease, semaphore, 1, NULL));
        CHECK_OK(avout_semaphore_inspect(&report, client, "/s"));
        CHECK_INT(1, report->count);
        CHECK_INT(1, report->foreign_count);
        CHECK_TEXT(strange[i], report->foreign[0]);
        avout_semaphore_report_free(report);
        CHECK_OK(avout_lease_release(lease));
        CHECK_STATUS(AVOUT_ENOTEMPTY, avout_semaphore_remove(client, "/s"));
        CHECK_OK(raw_delete(&client->stm->door, path));
    }
    /* A request that a stranger removes is made again, a lease is found lost. */
    waiter w;
    CHECK_OK(avout_semaphore_acquire(&lease, semaphore, 1, NULL));
    avout_semaphore *theirs = open_semaphore(other, "/s", 1);
    start(&w, theirs, 1, patient);
    await_queue(client, "/s", 2);
    remove_request(client, true);
    await_queue(client, "/s", 2);
    CHECK(!w.ended);
    remove_request(client, false);
    TEST_AWAIT(w.ended);
    CHECK_STATUS(AVOUT_ELOST, avout_lease_release(lease));
    CHECK_INT(AVOUT_OK, finish(&w));
    avout_semaphore_close(theirs);
    /* Bytes that say nothing of permits. */
    static const char *bad[] = {"",
                                "{:permits 0}",
                                "{:permits 01}",
                                "{:permits 1000001}",
                                "{:permits -1}",
                                "x",
                                "{:permits 1} ",
                                "{:permits 99999999999999999999}"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        CHECK_OK(raw_do(&client->stm->door, (avout_op){.kind = AVOUT_OP_SET,
                                                       .path = "/avout/semaphores/s",
                                                       .version = AVOUT_VERSION_ANY,
                                                       .bytes = bad[i]}));
        CHECK_STATUS(AVOUT_EDATA, avout_semaphore_open(&none, client, "/s", 1));
        CHECK_STATUS(AVOUT_EDATA, avout_semaphore_try(&lease, semaphore, 1));
        CHECK_STATUS(AVOUT_EDATA, avout_semaphore_set_permits(semaphore, 1, NULL));
        CHECK_STATUS(AVOUT_EDATA, avout_semaphore_inspect(&report, client, "/s"));
    }
    CHECK_OK(raw_do(&client->stm->door, (avout_op){.kind = AVOUT_OP_SET,
                                                   .path = "/avout/semaphores/s",
                                                   .version = AVOUT_VERSION_ANY,
                                                   .bytes = "{:permits 1}"}));
    CHECK_OK(avout_semaphore_try(&lease, semaphore, 1));
    CHECK_OK(avout_lease_release(lease));
    avout_semaphore_close(semaphore);
    suite_close(client);
    suite_close(other);
    suite_check_memory();
}

/* ---- many ----------------------------------------------------------------------------------------- */

enum { CLIENTS = 3, THREADS = 3, ROUNDS = 30, PERMITS = 4 };

/* What the semaphore guards lies outside of it: more than there are permits shows. */
typedef struct worker {
    avout_semaphore *semaphore;
    _Atomic int *inside, *most;
    uint64_t seed;
    pthread_t thread;
} worker;

static void *work(void *payload)
{
    worker *w = payload;
    for (int i = 0; i < ROUNDS; i++) {
        avout_lease *lease;
        int permits = 1 + (int)crowd_random_of(&w->seed, PERMITS - 1);
        CHECK_OK(avout_semaphore_acquire(&lease, w->semaphore, (uint32_t)permits, &patient));
        int now = atomic_fetch_add(w->inside, permits) + permits;
        CHECK(now <= PERMITS);
        int most = *w->most;
        while (now > most && !atomic_compare_exchange_weak(w->most, &most, now)) continue;
        if (i % 4 == 0) sched_yield();
        CHECK(avout_lease_is_held(lease));
        atomic_fetch_sub(w->inside, permits);
        CHECK_OK(avout_lease_release(lease));
    }
    return NULL;
}

TEST(never_more_than_there_are)
{
    avout_client *clients[CLIENTS];
    avout_semaphore *semaphores[CLIENTS];
    worker workers[CLIENTS * THREADS];
    _Atomic int inside = 0, most = 0;
    for (int i = 0; i < CLIENTS; i++) {
        clients[i] = suite_connect();
        semaphores[i] = open_semaphore(clients[i], "/busy", PERMITS);
    }
    for (int i = 0; i < CLIENTS * THREADS; i++) {
        workers[i] = (worker){.semaphore = semaphores[i % CLIENTS],
                              .inside = &inside,
                              .most = &most,
                              .seed = crowd_thread_seed()};
        CHECK(!pthread_create(&workers[i].thread, NULL, work, &workers[i]));
    }
    for (int i = 0; i < CLIENTS * THREADS; i++) pthread_join(workers[i].thread, NULL);
    CHECK(most > 1);
    await_queue(clients[0], "/busy", 0);
    for (int i = 0; i < CLIENTS; i++) {
        avout_semaphore_close(semaphores[i]);
        suite_close(clients[i]);
    }
    suite_check_memory();
}

/* ---- transactions ----------------------------------------------------------------------------------- */

typedef struct conditional {
    avout_lease *lease;
    avout_ref *ref;
} conditional;

static avout_status write_conditional(avout_txn *txn, void *payload)
{
    conditional *c = payload;
    avout_status status = avout_txn_require_lease(txn, c->lease);
    return status ? status : avout_ref_set(txn, c->ref, avout_int(1));
}

TEST(transactions_conditional_on_a_lease)
{
    avout_client *client = suite_connect(), *other = suite_connect();
    avout_semaphore *semaphore = open_semaphore(client, "/s", 2);
    conditional c;
    CHECK_OK(avout_ref_create(&c.ref, client, "/r", avout_int(0), NULL));
    CHECK_OK(avout_semaphore_acquire(&c.lease, semaphore, 1, NULL));
    CHECK_OK(avout_dosync(client, write_conditional, &c, NULL));
    CHECK_STATUS(AVOUT_EINVAL, avout_dosync(other, write_conditional, &c, NULL));
    /* Removed behind its back: the store finds out. */
    remove_request(other, true);
    CHECK_STATUS(AVOUT_ELOST, avout_dosync(client, write_conditional, &c, NULL));
    CHECK_STATUS(AVOUT_ELOST, avout_lease_release(c.lease));
    /* Known here already: it does not get that far, even if it is the first that needs the lease. */
    CHECK_OK(avout_semaphore_acquire(&c.lease, semaphore, 1, NULL));
    remove_request(other, true);
    TEST_AWAIT(!avout_lease_is_held(c.lease));
    CHECK_STATUS(AVOUT_ELOST, avout_dosync(client, write_conditional, &c, NULL));
    CHECK_STATUS(AVOUT_ELOST, avout_lease_release(c.lease));
    avout_ref_close(c.ref);
    avout_semaphore_close(semaphore);
    suite_close(client);
    suite_close(other);
    suite_check_memory();
}
