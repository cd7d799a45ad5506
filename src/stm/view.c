/* The view: what the delivery thread does to the cells. See E3 in stm.h for why the live records are
 * always one cut of the store's history.
 *
 *                 get, exists                event, eviction, loss of session
 *   unknown ---------------------> live ----------------------------------+
 *      ^                            ^                                     |
 *      |                            | reply of our own multi (batch.c)    |
 *      +----------------------------+-------------------------------------+
 *
 * A cell that lost its state is fetched again at once if somebody uses it, else by its next reader.
 */
#include "stm/stm.h"

#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/interrupt.h"
#include "base/banned.h"

struct avout__fetch_order {
    avout__cell *cell; /* counted */
    bool synced;       /* a sync went before it: what it brings is as new as can be */
};

static void fetch_with(avout__cell *cell, avout_request_kind kind, bool sync);

/* ---- arming ----------------------------------------------------------------------------------------- */

static size_t armed_cost(const avout__cell *cell)
{
    return cell->name_length + sizeof AVOUT__CELLS + 8;
}

static void disarm(avout__cell *cell)
{
    avout__cell_untrust(cell);
    if (!cell->armed) return;
    cell->armed = false;
    cell->stm->armed_bytes -= armed_cost(cell);
    avout__link_remove(&cell->armed_link);
}

/* A get on its way would arm the watch again after it was given up, or already has. */
static bool must_stay_armed(const avout__cell *cell)
{
    return cell->in_flight || cell->top || cell->fetching || !avout__list_empty(&cell->waiters) ||
           (cell->extra && !avout__list_empty(&cell->extra->watches));
}

/* Gives up the watches of cells that were not read lately (second chance), until the armed paths fit
 * into what the engine can carry through a reconnection. Never that of `fresh`: its state is about to
 * be shown. */
static void evict(avout__stm *stm, const avout__cell *fresh)
{
    char path[AVOUT__PATH_MAX];
    for (size_t tries = 2 * stm->cell_count; tries && stm->armed_bytes > stm->info.max_armed;
         tries--) {
        avout__cell *cell = AVOUT__LINK_OF(stm->armed.next, avout__cell, armed_link);
        if (cell == fresh || must_stay_armed(cell) ||
            atomic_exchange_explicit(&cell->used, 0, memory_order_relaxed)) {
            avout__link_remove(&cell->armed_link);
            avout__list_append(&stm->armed, &cell->armed_link);
            continue;
        }
        disarm(cell);
        avout__confirmed_lost(cell);
        avout__pending_fail_lost(stm, cell);
        avout__layout_path(path, cell->name);
        if (stm->store->ops->unwatch) stm->store->ops->unwatch(stm->store, path);
    }
}

bool avout__view_full(avout__cell *cell)
{
    avout__stm *stm = cell->stm;
    avout__stm_lock(stm);
    bool full = !cell->armed && stm->info.max_armed &&
                stm->armed_bytes + armed_cost(cell) > stm->info.max_armed;
    avout__stm_unlock(stm);
    return full;
}

static void arm(avout__cell *cell)
{
    avout__stm *stm = cell->stm;
    if (cell->armed || cell->closed) return;
    avout__cell_untrust(cell);
    cell->armed = true;
    stm->armed_bytes += armed_cost(cell);
    avout__list_append(&stm->armed, &cell->armed_link);
    if (stm->info.max_armed && stm->armed_bytes > stm->info.max_armed) evict(stm, cell);
}

/* ---- fetched states ------------------------------------------------------------------------------------ */

static bool same_state(const avout__record *known, const avout_stat *stat)
{
    if (!known || known->kind == AVOUT__RECORD_ABSENT || known->version != stat->version)
        return false;
    if ((known->kind == AVOUT__RECORD_TOMBSTONE) != (stat->length == 0)) return false;
    return !known->point || !stat->changed || known->point == stat->changed;
}

/* What a server that lags behind (after a new session) could bring: older than what we have shown. */
static bool goes_back(const avout__record *known, const avout_stat *stat)
{
    if (!known || known->kind == AVOUT__RECORD_ABSENT || !known->point) return false;
    return !stat || (stat->changed && stat->changed < known->point);
}

/* What is shown may be out of date: it was this answer that would have told (E3). Who only watches
 * asks nobody again, so the engine does. */
static void fetch_failed(avout__cell *cell, avout_status status)
{
    cell->failure = status;
    avout__cell_refuted(cell);
    avout__wake_waiters(cell);
    if (!cell->extra || avout__list_empty(&cell->extra->watches)) return;
    cell->wanted = true;
    avout__try_later(cell->stm);
}

/* The answer told of another state but did not bring it: the one shown is no longer of the cut. */
static void fetch_more(avout__cell *cell, avout_request_kind kind, bool sync)
{
    avout__cell_refuted(cell);
    fetch_with(cell, kind, sync);
}

static void state_same(avout__cell *cell, const avout_stat *stat)
{
    if (!cell->last->point) cell->last->point = stat->changed;
    if (!atomic_load_explicit(&cell->live, memory_order_relaxed))
        avout__confirmed_set(cell, cell->last, true);
}

static void state_new(avout__cell *cell, avout__record_kind kind, const avout_reply *reply)
{
    avout__cell_refuted(cell); /* what it showed, before it shows anything newer */
    avout__blob *blob = NULL;
    if (kind == AVOUT__RECORD_VALUE) {
        blob = avout__blob_new(reply->bytes, reply->length);
        if (!blob) {
            fetch_failed(cell, AVOUT_ENOMEM);
            return;
        }
    }
    avout__record *record = avout__record_new(kind, AVOUT_NONE, blob);
    if (!record) {
        fetch_failed(cell, AVOUT_ENOMEM);
        return;
    }
    record->lineage = ++cell->stm->lineages;
    if (blob) record->elsewhere = avout__is_elsewhere(cell, blob->data, blob->length);
    if (blob && cell->container->held)
        record->dirty =
            avout__mark_is_dirty(avout__held_of(cell->container), blob->data, blob->length);
    if (kind != AVOUT__RECORD_ABSENT) {
        record->version = reply->stat.version;
        record->point = reply->stat.changed;
    }
    avout__confirmed_set(cell, record, true);
}

static void state_present(avout__cell *cell, const avout__fetch_order *order,
                          const avout_reply *reply, bool has_bytes)
{
    if (same_state(cell->last, &reply->stat)) {
        arm(cell);
        state_same(cell, &reply->stat);
    } else if (!order->synced && goes_back(cell->last, &reply->stat)) {
        fetch_more(cell, AVOUT_REQUEST_GET, true);
    } else if (!has_bytes) {
        fetch_more(cell, AVOUT_REQUEST_GET, false);
    } else {
        arm(cell);
        state_new(cell, reply->length ? AVOUT__RECORD_VALUE : AVOUT__RECORD_TOMBSTONE, reply);
    }
}

/* A get that finds nothing arms nothing: only an exists that finds nothing tells us of the creation. */
static void state_absent(avout__cell *cell, const avout__fetch_order *order, bool armed)
{
    if (!armed || (!order->synced && goes_back(cell->last, NULL))) {
        fetch_more(cell, AVOUT_REQUEST_EXISTS, goes_back(cell->last, NULL));
        return;
    }
    arm(cell);
    if (cell->last && cell->last->kind == AVOUT__RECORD_ABSENT) {
        if (!atomic_load_explicit(&cell->live, memory_order_relaxed))
            avout__confirmed_set(cell, cell->last, true);
    } else {
        state_new(cell, AVOUT__RECORD_ABSENT, NULL);
    }
}

static void fetched(avout__fetch_order *order, const avout_reply *reply, bool exists)
{
    avout__cell *cell = order->cell;
    avout__stm *stm = cell->stm;
    avout__stm_lock(stm);
    cell->fetching--;
    avout__batch_doubt(stm);
    switch (reply->status) {
    case AVOUT_OK:
        cell->failure = AVOUT_OK;
        state_present(cell, order, reply, !exists);
        break;
    case AVOUT_ENOTFOUND:
        cell->failure = AVOUT_OK;
        state_absent(cell, order, exists);
        break;
    case AVOUT_ECONNECTION:
    case AVOUT_ESESSION:
        cell->wanted = true;
        if (cell->trusted) avout__cell_refuted(cell);
        /* Told only after the connection has come back: nobody else will ask. */
        if (stm->connected) avout__try_later(stm);
        break;
    default: fetch_failed(cell, reply->status);
    }
    avout__stm_unlock(stm);
    avout__cell_unref(cell);
    avout__free(order);
}

static void get_done(const avout_reply *reply, void *payload)
{
    fetched(payload, reply, false);
}

static void exists_done(const avout_reply *reply, void *payload)
{
    fetched(payload, reply, true);
}

/* ---- asking ---------------------------------------------------------------------------------------------- */

avout__fetch_order *avout__fetch_order_new(avout__cell *cell)
{
    avout__fetch_order *order = avout__calloc(1, sizeof *order);
    if (order) order->cell = cell;
    return order;
}

void avout__fetch_order_fill(avout_request *request, avout__fetch_order *order, const char *path,
                             bool exists)
{
    *request = (avout_request){.kind = exists ? AVOUT_REQUEST_EXISTS : AVOUT_REQUEST_GET,
                               .watch = true,
                               .path = path,
                               .done = exists ? exists_done : get_done,
                               .payload = order};
    avout__cell_ref(order->cell);
    order->cell->fetching++;
    order->cell->wanted = false;
    order->cell->stm->statistics.fetches++;
}

void avout__fetch_order_cancel(avout__fetch_order *order)
{
    order->cell->fetching--;
    /* Never the last reference: whoever cancels has one. */
    atomic_fetch_sub(&order->cell->refs, 1);
    avout__free(order);
}

static void fetch_with(avout__cell *cell, avout_request_kind kind, bool sync)
{
    avout__stm *stm = cell->stm;
    if (!cell->container->in_store || cell->closed) return;
    if (!stm->connected) {
        cell->wanted = true;
        return;
    }
    avout__fetch_order *order = avout__fetch_order_new(cell);
    if (!order) {
        fetch_failed(cell, AVOUT_ENOMEM);
        return;
    }
    order->synced = sync;
    char path[AVOUT__PATH_MAX];
    avout__layout_path(path, cell->name);
    avout_request requests[2] = {
        {.kind = AVOUT_REQUEST_SYNC, .path = AVOUT__ROOT, .done = avout__reply_ignored}};
    avout__fetch_order_fill(&requests[1], order, path, kind == AVOUT_REQUEST_EXISTS);
    avout_status status =
        sync ? avout__submit(stm, requests, 2) : avout__submit(stm, requests + 1, 1);
    if (!status) return;
    avout__fetch_order_cancel(order);
    fetch_failed(cell, status);
}

void avout__fetch(avout__cell *cell)
{
    if (!cell->fetching) fetch_with(cell, AVOUT_REQUEST_GET, false);
}

/* ---- waiting ------------------------------------------------------------------------------------------------ */

typedef struct latch_waiter {
    avout__waiter waiter;
    avout__latch latch;
} latch_waiter;

static void wake_latch(avout__waiter *waiter)
{
    avout__latch_open(&((latch_waiter *)(void *)waiter)->latch);
}

avout_status avout__cell_wait(avout__cell *cell, bool for_txn, int64_t deadline_ns)
{
    avout__stm *stm = cell->stm;
    avout_status status = avout__stm_usable(stm);
    if (status) return status;
    latch_waiter mine = {.waiter = {.wake = wake_latch}, .latch = AVOUT__LATCH_INIT};
    avout__stm_lock(stm);
    avout__record *_Atomic *shown = for_txn ? &cell->head : &cell->live;
    if (atomic_load_explicit(shown, memory_order_relaxed)) {
        avout__stm_unlock(stm);
        return AVOUT_OK;
    }
    cell->failure = AVOUT_OK;
    avout__list_append(&cell->waiters, &mine.waiter.link);
    if (!for_txn) cell->readers++;
    /* Who queues for a turn reads when it has it. */
    bool veiled = for_txn && cell->top; /* the batch's reply will show one */
    if (!veiled && (!for_txn || !avout__turn_waits(cell))) avout__fetch(cell);
    avout__stm_unlock(stm);
    bool woken = avout__latch_wait(&mine.latch, deadline_ns);
    avout__stm_lock(stm);
    avout__link_remove(&mine.waiter.link);
    if (!for_txn) cell->readers--;
    status = atomic_load(&stm->closed) ? AVOUT_ECLOSED : cell->failure;
    bool connected = stm->connected;
    avout__stm_unlock(stm);
    if (status == AVOUT_ECLOSED) return avout_fail(status, "%s: the client is closed", cell->name);
    if (status) return avout_fail(status, "%s: reading: %s", cell->name, avout_status_text(status));
    if (woken || !avout__deadline_passed(deadline_ns)) return AVOUT_OK;
    return avout_fail(avout__late(), "%s: reading: %s", cell->name,
                      avout__late_text(connected
                                           ? "no answer before the deadline"
                                           : "no connection to the store before the deadline"));
}

/* ---- events --------------------------------------------------------------------------------------------------- */

static bool in_use(avout__cell *cell)
{
    if (avout__turn_waits(cell)) return cell->readers || !avout__list_empty(&cell->extra->watches);
    return !avout__list_empty(&cell->waiters) ||
           (cell->extra && !avout__list_empty(&cell->extra->watches)) ||
           atomic_exchange_explicit(&cell->used, 0, memory_order_relaxed);
}

static void on_node(avout_node_event event, const char *path, void *payload)
{
    (void)event; /* whatever it was, the state we show is no longer the newest */
    avout__stm *stm = payload;
    avout__stm_lock(stm);
    avout__cell *cell = avout__cell_find(stm, path);
    if (cell) {
        disarm(cell);
        avout__confirmed_lost(cell);
        avout__batch_event(cell);
        /* A get that is on its way was not answered before the change: it brings the new state. */
        if (!cell->fetching && in_use(cell)) avout__fetch(cell);
    } else {
        avout__turn_event(stm, path);
    }
    avout__stm_unlock(stm);
    if (!cell && stm->companion.on_node)
        stm->companion.on_node(event, path, stm->companion.payload);
}

static void each_cell(avout__stm *stm, void (*call)(avout__cell *cell))
{
    for (size_t i = 0; i < stm->bucket_count; i++)
        for (avout__cell *cell = stm->buckets[i]; cell; cell = cell->next) call(cell);
}

/* What happens to them while there is no connection nobody would tell us. */
static void lose_trusted(avout__stm *stm)
{
    while (!avout__list_empty(&stm->trusted)) {
        avout__cell *cell = AVOUT__LINK_OF(stm->trusted.next, avout__cell, armed_link);
        avout__cell_refuted(cell);
        cell->wanted = true;
    }
}

static void lose_cell(avout__cell *cell)
{
    disarm(cell);
    if (in_use(cell)) cell->wanted = true;
    avout__confirmed_lost(cell);
    avout__turn_session_lost(cell);
}

static void resume_cell(avout__cell *cell)
{
    if (cell->wanted || !avout__list_empty(&cell->waiters)) avout__fetch(cell);
}

void avout__resume(avout__stm *stm)
{
    avout__slots_settle(stm);
    each_cell(stm, resume_cell);
    avout__send_ready(stm);
}

/* The server of a new session may lag behind what the old one has shown us, and a cell that is opened
 * now has nothing to compare with: what is fetched behind a sync is not older (I5). Without memory for
 * it the comparison in state_present is what is left. */
static void catch_up(avout__stm *stm)
{
    avout_request request = {
        .kind = AVOUT_REQUEST_SYNC, .path = AVOUT__ROOT, .done = avout__reply_ignored};
    (void)avout__submit(stm, &request, 1);
}

static void on_session(avout_event event, void *payload)
{
    avout__stm *stm = payload;
    avout__stm_lock(stm);
    switch (event) {
    case AVOUT_EVENT_CONNECTED: stm->connected = true; break;
    case AVOUT_EVENT_SUSPENDED:
        stm->connected = false;
        stm->suspended_ns = avout__now_ns();
        if (stm->max_staleness_ms) atomic_store(&stm->degraded, 1);
        lose_trusted(stm);
        avout__batches_veil(stm);
        avout__pending_fail_lost(stm, NULL);
        break;
    case AVOUT_EVENT_LOST:
        stm->connected = false;
        each_cell(stm, lose_cell);
        avout__batches_veil(stm);
        avout__pending_fail_lost(stm, NULL);
        break;
    case AVOUT_EVENT_RESUMED:
    case AVOUT_EVENT_REESTABLISHED:
        stm->connected = true;
        stm->suspended_ns = 0;
        if (!stm->store) break; /* still opening: nothing is on its way */
        if (!atomic_load(&stm->closed)) atomic_store(&stm->degraded, 0);
        avout__stm_learn(stm);
        if (event == AVOUT_EVENT_REESTABLISHED) catch_up(stm);
        avout__resume(stm);
        break;
    }
    avout__notify_session(stm, event);
    avout__stm_unlock(stm);
    if (stm->companion.on_session) stm->companion.on_session(event, stm->companion.payload);
}

static void on_log(avout_log_level level, const char *message, void *payload)
{
    avout__notify_log(payload, level, message);
}

const avout_listener avout__view_listener = {on_node, on_session, on_log, NULL};
