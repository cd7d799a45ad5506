/* Transactions that are conditional on a lock, on every store. */
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "stm/handles.h"
#include "store/store.h"
#include "support/locks.h"
#include "support/raw.h"

/* Takes the claim out of the queue, as its session's end would, without the client's knowing. */
static void remove_claim(avout_client *client, const char *name)
{
    char queue[256], path[RAW_PATH];
    snprintf(queue, sizeof queue, "/avout/locks%s", name);
    raw_child(path, &client->stm->door, queue, RAW_ONLY);
    CHECK_OK(raw_delete(&client->stm->door, path));
}

typedef struct guarded_write {
    avout_ref *ref;
    avout_lock *lock;
    avout_token token;
    bool writes, first_blocks;
    int runs;
} guarded_write;

static avout_status write_guarded(avout_txn *txn, void *payload)
{
    guarded_write *g = payload;
    g->runs++;
    avout_status status = avout_txn_require(txn, g->lock, g->token);
    if (!status) status = avout_txn_require(txn, g->lock, g->token); /* twice is once */
    if (!status && g->writes) status = avout_alter(txn, g->ref, suite_plus, &suite_one);
    int64_t number;
    if (!status) status = suite_txn_int(&number, txn, g->ref);
    return status;
}

static avout_status require_and_block(avout_txn *txn, void *payload)
{
    guarded_write *g = payload;
    avout_status status = avout_txn_require(txn, g->lock, g->token);
    return status ? status : avout_retry(txn);
}

static avout_status write_only(avout_txn *txn, void *payload)
{
    guarded_write *g = payload;
    return avout_alter(txn, g->ref, suite_plus, &suite_one);
}

static avout_status write_or_else(avout_txn *txn, void *payload)
{
    return avout_or_else(txn, require_and_block, payload, write_only, payload);
}

static avout_status fail_guarded(avout_txn *txn, void *payload)
{
    avout_status status = write_guarded(txn, payload);
    return status ? status : 7;
}

/* Runs the body with a lock that is lost, of which the store knows and the client does not yet. It soon hears
 * of it: another acquisition then. */
static avout_status run_lost(guarded_write *g, avout_client *client, avout_client *other,
                             avout_txn_fn body, avout_isolation isolation)
{
    avout_status status;
    bool known;
    do {
        CHECK_OK(avout_lock_acquire(&g->token, g->lock, NULL));
        remove_claim(other, "/g");
        status = avout_dosync(client, body, g, &(avout_call_options){.isolation = isolation});
        char detail[512];
        snprintf(detail, sizeof detail, "%s", avout_error_detail());
        known = !avout_lock_is_held(g->lock);
        CHECK_STATUS(AVOUT_ELOST, avout_lock_release(g->lock));
        if (!known && status) avout_fail(status, "%s", detail);
    } while (known && status == AVOUT_ELOST);
    return status;
}

TEST(transactions_while_a_lock_is_held)
{
    avout_client *client = suite_connect(), *other = suite_connect();
    avout_lock *lock = locks_open(client, "/g"), *theirs = locks_open(other, "/g");
    guarded_write g = {.lock = lock, .writes = true};
    CHECK_OK(avout_ref_create(&g.ref, client, "/guarded", avout_int(0), NULL));
    CHECK_STATUS(AVOUT_ENOTHELD, avout_dosync(client, write_guarded, &g, NULL));
    CHECK_OK(avout_lock_acquire(&g.token, lock, NULL));
    for (int i = 1; i <= 3; i++) {
        CHECK_OK(avout_dosync(client, write_guarded, &g, NULL));
        CHECK_INT(i, suite_ref_int(g.ref));
    }
    g.writes = false;
    CHECK_OK(avout_dosync(client, write_guarded, &g, NULL));
    CHECK_INT(7, avout_dosync(client, fail_guarded, &g, NULL));
    avout_ref *local = NULL, *shared = g.ref;
    CHECK_OK(avout_ref_local(&local, client, avout_int(0)));
    g.ref = local;
    g.writes = true;
    CHECK_OK(avout_dosync(client, write_guarded, &g, NULL));
    CHECK_INT(1, suite_ref_int(local));
    /* The other client's lock of that name. */
    g.lock = theirs;
    CHECK_STATUS(AVOUT_EINVAL, avout_dosync(client, write_guarded, &g, NULL));
    g.lock = lock;

    CHECK_OK(avout_lock_release(lock));
    CHECK_STATUS(AVOUT_ELOST, run_lost(&g, client, other, write_guarded, AVOUT_SERIALIZABLE));
    CHECK_CONTAINS("/g", avout_error_detail());
    CHECK_INT(1, suite_ref_int(local));
    g.ref = shared;
    CHECK_STATUS(AVOUT_ELOST, run_lost(&g, client, other, write_guarded, AVOUT_SERIALIZABLE));
    CHECK_STATUS(AVOUT_ELOST, run_lost(&g, client, other, write_guarded, AVOUT_SNAPSHOT));
    g.writes = false;
    CHECK_STATUS(AVOUT_ELOST, run_lost(&g, client, other, write_guarded, AVOUT_SERIALIZABLE));
    /* Nothing to be conditional about. */
    CHECK_INT(7, run_lost(&g, client, other, fail_guarded, AVOUT_SERIALIZABLE));
    CHECK_INT(3, suite_ref_int(g.ref));
    /* What was required in a branch that is given up is not required. */
    CHECK_OK(run_lost(&g, client, other, write_or_else, AVOUT_SERIALIZABLE));
    CHECK_OK(avout_dosync(client, write_only, &g, NULL));
    CHECK_INT(5, suite_ref_int(g.ref));
    CHECK_STATUS(AVOUT_ENOTHELD, avout_dosync(client, write_guarded, &g, NULL));
    CHECK_OK(avout_lock_acquire(NULL, lock, NULL));
    CHECK_STATUS(AVOUT_ENOTHELD, avout_dosync(client, write_guarded, &g, NULL)); /* an old token */
    CHECK_OK(avout_lock_release(lock));
    avout_ref_close(local);
    avout_ref_close(shared);
    avout_lock_close(lock);
    avout_lock_close(theirs);
    suite_close(client);
    suite_close(other);
    suite_check_memory();
}

/* Transactions that travel together: who is conditional on a lost lock fails, the others do not notice. */
typedef struct finished {
    _Atomic int count;
    avout_status status;
} finished;

static void note_end(avout_status status, const char *detail, void *payload)
{
    (void)detail;
    finished *f = payload;
    f->status = status;
    f->count++;
}

TEST(a_lost_lock_refuses_its_own_transactions_only)
{
    enum { COUNT = 40 };
    avout_client *client = suite_connect(), *other = suite_connect();
    avout_lock *lock = locks_open(client, "/g"), *kept = locks_open(client, "/kept");
    guarded_write lost = {.lock = lock, .writes = true}, fine = {.lock = kept, .writes = true};
    CHECK_OK(avout_ref_create(&lost.ref, client, "/a", avout_int(0), NULL));
    CHECK_OK(avout_ref_create(&fine.ref, client, "/b", avout_int(0), NULL));
    CHECK_OK(avout_lock_acquire(&lost.token, lock, NULL));
    CHECK_OK(avout_lock_acquire(&fine.token, kept, NULL));
    remove_claim(other, "/g");
    finished ends[COUNT] = {0};
    for (int i = 0; i < COUNT; i++)
        CHECK_OK(avout_dosync_async(client, write_guarded, i % 2 ? &lost : &fine, NULL, note_end,
                                    &ends[i]));
    for (int i = 0; i < COUNT; i++) {
        int64_t until = locks_now_ms() + 20000;
        while (!ends[i].count && locks_now_ms() < until) sched_yield();
        CHECK_INT(i % 2 ? AVOUT_ELOST : AVOUT_OK, ends[i].status);
    }
    CHECK_INT(0, suite_ref_int(lost.ref));
    CHECK_INT(COUNT / 2, suite_ref_int(fine.ref));
    CHECK_OK(avout_lock_release(kept));
    CHECK_STATUS(AVOUT_ELOST, avout_lock_release(lock));
    avout_ref_close(lost.ref);
    avout_ref_close(fine.ref);
    avout_lock_close(lock);
    avout_lock_close(kept);
    suite_close(client);
    suite_close(other);
    suite_check_memory();
}

/* A transaction on its way when its lock is released: in effect before the next holder has it, or never.
 * Each holder counts, and looks whether anybody counted since it has the lock. */
TEST(a_released_lock_refuses_late_transactions)
{
    enum { TIMES = 60 };
    avout_client *client = suite_connect();
    avout_lock *lock = locks_open(client, "/g");
    guarded_write g = {.lock = lock, .writes = true};
    CHECK_OK(avout_ref_create(&g.ref, client, "/a", avout_int(0), NULL));
    int64_t confirmed = 0;
    for (int i = 0; i < TIMES; i++) {
        finished f = {0};
        locks_waiter w;
        CHECK_OK(avout_lock_acquire(&g.token, lock, NULL));
        locks_start(&w, lock, (avout_wait_options){.timeout_ms = 50000});
        CHECK_OK(avout_dosync_async(client, write_guarded, &g, NULL, note_end, &f));
        if (i % 3) sched_yield();
        CHECK_OK(avout_lock_release(lock));
        CHECK_OK(avout_lock_acquire(NULL, lock, NULL));
        avout_value value;
        int64_t before;
        CHECK_OK(avout_ref_deref_strict(&value, g.ref, 20000));
        CHECK_OK(avout_value_to_int(&before, value));
        int64_t until = locks_now_ms() + 20000;
        while (!f.count && locks_now_ms() < until) sched_yield();
        CHECK(f.status == AVOUT_OK || f.status == AVOUT_ELOST || f.status == AVOUT_ENOTHELD);
        confirmed += f.status == AVOUT_OK;
        CHECK_INT(before, suite_ref_int(g.ref));
        CHECK_INT(confirmed, before);
        CHECK_OK(avout_lock_release(lock));
        CHECK_OK(locks_finish(&w));
    }
    avout_ref_close(g.ref);
    avout_lock_close(lock);
    suite_close(client);
    suite_check_memory();
}

/* Given up by the body itself, with another thread of the client next: what it required does not pass to
 * that one. */
static avout_status write_and_release(avout_txn *txn, void *payload)
{
    guarded_write *g = payload;
    avout_status status = write_guarded(txn, g);
    if (!status) CHECK_OK(avout_lock_release(g->lock));
    return status;
}

TEST(what_is_handed_on_is_another_acquisition)
{
    avout_client *client = suite_connect();
    avout_lock *lock = locks_open(client, "/g");
    guarded_write g = {.lock = lock, .writes = true};
    locks_waiter w;
    CHECK_OK(avout_ref_create(&g.ref, client, "/a", avout_int(0), NULL));
    CHECK_OK(avout_lock_acquire(&g.token, lock, NULL));
    locks_start(&w, lock, (avout_wait_options){.timeout_ms = 50000});
    locks_await_waiting(lock, 1);
    CHECK_STATUS(AVOUT_ELOST, avout_dosync(client, write_and_release, &g, NULL));
    CHECK_INT(1, g.runs);
    CHECK_OK(locks_finish(&w));
    CHECK(w.token.point > g.token.point);
    CHECK_INT(0, suite_ref_int(g.ref));
    avout_ref_close(g.ref);
    avout_lock_close(lock);
    suite_close(client);
    suite_check_memory();
}
