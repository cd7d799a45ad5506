/* The engine's life: opening, the end of critical sections, closing. */
#include <string.h>

#include "stm/stm.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/fork.h"
#include "base/banned.h"

#define DEFAULT_TIMEOUT_MS 30000
#define DEFAULT_CONNECT_TIMEOUT_MS 10000
/* How long close waits for what is on its way. */
#define CLOSE_WAIT_MS 2000

void avout__stm_unlock(avout__stm *stm)
{
    avout__link finished;
    avout__list_init(&finished);
    avout__list_splice(&finished, &stm->finished);
    stm->gathering.callers = 0;
    if (avout__store_delivering && avout__epoch_due()) avout__keeper_wake(stm);
    pthread_mutex_unlock(&stm->lock);
    while (!avout__list_empty(&finished)) {
        avout_txn *txn = AVOUT__LINK_OF(finished.next, avout_txn, link);
        avout__link_remove(&txn->link);
        avout__latch_open(&txn->latch);
        avout__txn_drop(txn);
    }
}

avout_status avout__submit(avout__stm *stm, const avout_request *requests, size_t count)
{
    if (stm->shut) return avout_fail(AVOUT_ECLOSED, "the client is closed");
    return stm->store->ops->submit(stm->store, requests, count);
}

/* Callers that wait hold no lock, and the store may be closed and freed between two of their calls. */
static avout_status door_submit(avout_store *door, const avout_request *requests, size_t count)
{
    avout__stm *stm = (avout__stm *)(void *)((char *)door - offsetof(avout__stm, door));
    if (avout__stm_forked(stm)) return avout__stm_usable(stm);
    avout__stm_lock(stm);
    avout_status status = atomic_load(&stm->closed)
                              ? avout_fail(AVOUT_ECLOSED, "the client is closed")
                              : avout__submit(stm, requests, count);
    avout__stm_unlock(stm);
    return status;
}

/* The same until the store goes. */
static avout_status back_door_submit(avout_store *door, const avout_request *requests, size_t count)
{
    avout__stm *stm = (avout__stm *)(void *)((char *)door - offsetof(avout__stm, back_door));
    if (avout__stm_forked(stm)) return avout__stm_usable(stm);
    avout__stm_lock(stm);
    avout_status status = avout__submit(stm, requests, count);
    avout__stm_unlock(stm);
    return status;
}

static void door_info(avout_store *door, avout_store_info *info)
{
    avout__stm *stm = (avout__stm *)(void *)((char *)door - offsetof(avout__stm, door));
    avout__stm_lock(stm);
    if (!stm->shut) stm->store->ops->info(stm->store, info);
    avout__stm_unlock(stm);
}

static const avout_store_ops door_ops = {.submit = door_submit, .info = door_info};
static const avout_store_ops back_door_ops = {.submit = back_door_submit};

void avout__stm_ref(avout__stm *stm)
{
    atomic_fetch_add_explicit(&stm->refs, 1, memory_order_relaxed);
}

void avout__stm_unref(avout__stm *stm)
{
    if (atomic_fetch_sub(&stm->refs, 1) != 1) return;
    avout__free(stm->buckets);
    avout__coded_free(stm);
    avout__sweeper_free(stm);
    pthread_mutex_destroy(&stm->lock);
    avout__free(stm);
    /* The last handle takes its records along (I10). */
    if (!avout__epoch_mine.nested) avout__epoch_drain();
}

static avout__stm *stm_new(const avout_options *options)
{
    avout__stm *stm = avout__calloc(1, sizeof *stm);
    if (!stm) return NULL;
    atomic_init(&stm->refs, 1);
    pthread_mutex_init(&stm->lock, NULL);
    avout__forks_watch();
    stm->forks = atomic_load(&avout__forks);
    stm->door.ops = &door_ops;
    stm->back_door.ops = &back_door_ops;
    stm->options = *options;
    stm->timeout_ms = options->timeout_ms ? options->timeout_ms : DEFAULT_TIMEOUT_MS;
    stm->max_staleness_ms = options->max_staleness_ms;
    avout__link *lists[] = {&stm->armed,  &stm->trusted, &stm->pending,  &stm->batches,
                            &stm->active, &stm->past,    &stm->finished, &stm->sleepers,
                            &stm->queues, &stm->orphans};
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) avout__list_init(lists[i]);
    snprintf(stm->client_id, sizeof stm->client_id, "%016llx%016llx",
             (unsigned long long)avout__random64(), (unsigned long long)avout__random64());
    stm->slots_of_mine.client = stm->client_id;
    for (size_t i = 0; i < AVOUT__SLOTS; i++) avout__slot_init(&stm->slots[i], &stm->slots_of_mine);
    return stm;
}

void avout__stm_learn(avout__stm *stm)
{
    stm->store->ops->info(stm->store, &stm->info);
    atomic_store_explicit(&stm->max_request, stm->info.max_request, memory_order_relaxed);
    atomic_store_explicit(&stm->op_overhead, stm->info.op_overhead, memory_order_relaxed);
}

static avout_status open_store(avout__stm *stm, const char *url, const avout_options *options)
{
    avout_listener listener = avout__view_listener;
    listener.payload = stm;
    avout_store *store = NULL;
    avout_status status = avout__store_open(&store, url, options, &listener);
    if (status) return status;
    avout__stm_lock(stm);
    stm->store = store;
    avout__stm_learn(stm);
    avout__stm_unlock(stm);
    int64_t timeout_ms =
        options->connect_timeout_ms ? options->connect_timeout_ms : DEFAULT_CONNECT_TIMEOUT_MS;
    int64_t deadline_ns = avout__deadline_in_ms(timeout_ms);
    status = avout__layout_create(store, deadline_ns);
    if (!status) avout__slots_sweep(store, deadline_ns);
    return status;
}

avout_status avout__stm_open(avout__stm **out, const char *url, const avout_options *options,
                             const avout_listener *companion)
{
    avout__stm *stm = stm_new(options);
    if (!stm) return AVOUT_ENOMEM;
    stm->companion = *companion;
    avout_status status = avout__notifier_start(stm);
    if (!status) status = avout__keeper_start(stm);
    if (!status) status = open_store(stm, url, options);
    if (!status) {
        *out = stm;
        return AVOUT_OK;
    }
    atomic_store(&stm->closed, true);
    char detail[512];
    snprintf(detail, sizeof detail, "%s", avout_error_detail());
    if (stm->store) avout__store_close(stm->store);
    avout__keeper_stop(stm);
    avout__notifier_stop(stm);
    avout__stm_unref(stm);
    return avout__fail_text(status, detail);
}

/* ---- closing ----------------------------------------------------------------------------------------------------- */

static void wake_everybody(avout__stm *stm)
{
    for (size_t i = 0; i < stm->bucket_count; i++)
        for (avout__cell *cell = stm->buckets[i]; cell; cell = cell->next)
            avout__wake_waiters(cell);
    while (!avout__list_empty(&stm->sleepers)) {
        avout__waiter *waiter = AVOUT__LINK_OF(stm->sleepers.next, avout__waiter, link);
        avout__link_remove(&waiter->link);
        waiter->wake(waiter);
    }
}

static void fail_pending(avout__stm *stm)
{
    while (!avout__list_empty(&stm->pending))
        avout__txn_fail(AVOUT__LINK_OF(stm->pending.prev, avout_txn, link), AVOUT__FAILED,
                        AVOUT_ECLOSED, "the client was closed", NULL);
}

static void await_landing(avout__stm *stm)
{
    int64_t deadline_ns = avout__deadline_in_ms(CLOSE_WAIT_MS);
    for (;;) {
        uint32_t landed = atomic_load(&stm->landed);
        avout__stm_lock(stm);
        bool done = avout__list_empty(&stm->batches) || !stm->connected;
        fail_pending(stm);
        avout__stm_unlock(stm);
        if (done || !avout__futex_wait(&stm->landed, landed, deadline_ns, false)) return;
    }
}

static void abandon_rest(avout__stm *stm)
{
    avout__stm_lock(stm);
    while (!avout__list_empty(&stm->batches))
        avout__batch_abandon(AVOUT__LINK_OF(stm->batches.next, avout__batch, link), AVOUT_UNKNOWN,
                             "the client was closed before the outcome was known");
    fail_pending(stm);
    wake_everybody(stm);
    avout__stm_unlock(stm);
}

/* The threads are the parent's, and its lock may have been held at the fork: only the adapter knows
 * how to leave quietly. */
static void close_in_child(avout__stm *stm)
{
    if (stm->store) avout__store_close(stm->store);
    stm->store = NULL;
    pthread_mutex_init(&stm->lock, NULL);
}

void avout__stm_close(avout__stm *stm)
{
    bool child = atomic_load(&avout__forks) != stm->forks;
    atomic_store(&stm->closed, true);
    atomic_store(&stm->degraded, 1);
    if (child) {
        close_in_child(stm);
        return;
    }
    avout__stm_lock(stm);
    fail_pending(stm);
    wake_everybody(stm);
    avout__stm_unlock(stm);
    await_landing(stm);
    /* It still submits requests: it must have ended before the store is gone. */
    avout__keeper_stop(stm);
    avout__epoch_drain(); /* transactions that have ended leave versions to delete */
    avout__sweeper_end(stm);
    avout__slots_remove(stm);
    avout__stm_lock(stm);
    stm->shut = true;
    avout__stm_unlock(stm);
    avout__store_close(stm->store);
    abandon_rest(stm);
    avout__executor_stop(stm);
    avout__notifier_stop(stm);
    avout__epoch_drain();
    avout__sweeper_stop(stm);
    avout__orphans_free(stm);
    avout__epoch_drain();
}
