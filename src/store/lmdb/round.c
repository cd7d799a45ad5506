/* How requests are carried out. A round takes requests from the front of the list, carries them out
 * in one LMDB transaction, ends it, releases the locks, and only then delivers: first what others
 * had changed before, then reply after reply in order, each multi's events in front of its reply.
 *
 * A write round serves several multis with one commit (one fsync). Reads between and behind them
 * see what a transaction of their own would have shown: the multis in front of them, no others. */
#include "store/lmdb/handle.h"

#include "base/clock.h"
#include "base/error.h"
#include "store/lmdb/log.h"
#include "store/lmdb/multi.h"
#include "base/banned.h"

enum {
    ROUND_ITEMS = 1024,
    ROUND_BYTES = 8 << 20,
    LOCK_SLICE_MS = 100, /* how long the handle is deaf to others while it waits for the lock */
    REDOS = 4,
};

bool avout__lmdb_only_reads(const avout__lmdb_item *item)
{
    return item->request.kind != AVOUT_REQUEST_MULTI || !avout__lmdb_multi_writes(&item->request);
}

static void forget_events(avout__lmdb_handle *handle)
{
    handle->round_events.length = 0;
    handle->foreign_events.length = 0;
    handle->foreign_flags = 0;
}

static void begin_round(avout__lmdb_handle *handle)
{
    avout__lmdb_arena_reset(&handle->arena);
    forget_events(handle);
}

static void replay(avout__lmdb_handle *handle, MDB_txn *txn, const avout__lmdb_head *head)
{
    if (head->sequence == handle->seen) return;
    avout__lmdb_log_replay(handle->env, txn, head, handle->seen,
                           handle->armed.count ? &handle->foreign_events : NULL,
                           &handle->foreign_flags);
}

/* Carries out one item. True when it was refused after it had changed something. */
static bool execute(avout__lmdb_handle *handle, avout__lmdb_tree *tree, avout__lmdb_item *item)
{
    bool partial = false;
    avout_status status = AVOUT_OK;
    avout_reply *reply = &item->reply;
    *reply = (avout_reply){0};
    item->events_from = handle->round_events.length;
    switch ((int)item->request.kind) {
    case AVOUT_REQUEST_MULTI:
        status = avout__lmdb_multi(tree, &item->request, reply, &partial);
        break;
    case AVOUT_REQUEST_GET:
        status = avout__lmdb_tree_get(tree, item->request.path, reply, true);
        break;
    case AVOUT_REQUEST_EXISTS:
        status = avout__lmdb_tree_get(tree, item->request.path, reply, false);
        break;
    case AVOUT_REQUEST_LIST: status = avout__lmdb_tree_list(tree, item->request.path, reply); break;
    case AVOUT_REQUEST_SYNC:
    case AVOUT__LMDB_UNWATCH: break;
    default:
        status = avout_fail(AVOUT_EINVAL, "unknown kind of request: %d", (int)item->request.kind);
    }
    item->events_to = handle->round_events.length;
    if (status) avout__lmdb_item_fail(handle, item, status, reply->failed_op);
    return partial;
}

/* ---- reads ---------------------------------------------------------------------------------- */

void avout__lmdb_read_round(avout__lmdb_handle *handle)
{
    begin_round(handle);
    avout__lmdb_tree tree = {
        .env = handle->env, .session = handle->session.id, .arena = &handle->arena};
    avout_status status = avout__lmdb_read_begin(handle->env, &handle->reader);
    if (!status) {
        tree.txn = handle->reader;
        status = avout__lmdb_head_get(handle->env, tree.txn, &tree.head);
        if (status) avout__lmdb_read_end(handle->env, tree.txn);
    }
    avout__lmdb_item *item = handle->first;
    if (status) {
        if (item) avout__lmdb_item_fail(handle, item, status, SIZE_MAX);
        avout__lmdb_deliver_until(handle, item ? item->next : NULL);
        return;
    }
    replay(handle, tree.txn, &tree.head);
    for (int count = 0; item && count < ROUND_ITEMS && handle->arena.size < ROUND_BYTES; count++) {
        if (!avout__lmdb_only_reads(item)) break;
        execute(handle, &tree, item);
        tree.broken = AVOUT_OK;
        item = item->next;
    }
    avout__lmdb_read_end(handle->env, tree.txn);
    handle->seen = tree.head.sequence;
    avout__lmdb_deliver_foreign(handle);
    avout__lmdb_deliver_until(handle, item);
}

/* ---- writes --------------------------------------------------------------------------------- */

typedef struct attempt {
    avout__lmdb_tree tree;
    avout__lmdb_item *end; /* behind the last one carried out */
    uint64_t base;         /* sequence number before it */
    int multis;
} attempt;

typedef enum verdict { READY, AGAIN, BROKEN } verdict;

/* Carries out the items from the front on; `alone`: at most one multi. */
static verdict try_round(avout__lmdb_handle *handle, attempt *try, bool alone)
{
    size_t bytes = 0;
    int count = 0;
    try->multis = 0;
    avout__lmdb_item *item = handle->first;
    for (; item && count < ROUND_ITEMS; count++) {
        if (count && bytes + handle->arena.size > ROUND_BYTES) break;
        bool writes = !avout__lmdb_only_reads(item);
        if (writes && alone && try->multis) break;
        try->multis += writes;
        if (!item->decided && execute(handle, &try->tree, item) && !try->tree.broken) {
            item->decided = true;
            try->end = item->next;
            return AGAIN;
        }
        if (try->tree.broken) {
            try->end = item->next;
            return BROKEN;
        }
        for (size_t i = 0; writes && i < item->request.op_count; i++)
            bytes += item->request.ops[i].length;
        item = item->next;
    }
    try->end = item;
    return READY;
}

static void forget_decisions(avout__lmdb_handle *handle, const avout__lmdb_item *end)
{
    for (avout__lmdb_item *item = handle->first; item != end; item = item->next)
        item->decided = false;
}

/* The round as a whole failed: what it would have changed is not changed (or, maybe_done, perhaps).
 * Reads in it saw what is not there and fail with it. */
static void fail_round(avout__lmdb_handle *handle, const attempt *try, avout_status status)
{
    bool maybe = status == AVOUT_EIO;
    for (avout__lmdb_item *item = handle->first; item != try->end; item = item->next) {
        bool done = !avout__lmdb_only_reads(item) && !item->reply.status;
        if (item->request.kind == (avout_request_kind)AVOUT__LMDB_UNWATCH) continue;
        avout__lmdb_item_fail(handle, item, status, SIZE_MAX);
        item->reply.maybe_done = maybe && done;
        item->events_to = item->events_from;
    }
}

static avout_status begin_attempt(avout__lmdb_handle *handle, attempt *try)
{
    forget_events(handle);
    *try = (attempt){.tree = {.env = handle->env,
                              .session = handle->session.id,
                              .now_ms = avout__unix_ms(),
                              .events = &handle->round_events,
                              .arena = &handle->arena},
                     .end = handle->first->next,
                     .base = handle->seen};
    avout_status status = avout__lmdb_write_begin(handle->env, &try->tree.txn);
    if (status) return status;
    status = avout__lmdb_head_get(handle->env, try->tree.txn, &try->tree.head);
    if (status) {
        avout__lmdb_write_abort(handle->env, try->tree.txn);
        return status;
    }
    try->base = try->tree.head.sequence;
    replay(handle, try->tree.txn, &try->tree.head);
    return AVOUT_OK;
}

/* Ends the transaction: commits what has changed. */
static avout_status end_attempt(avout__lmdb_handle *handle, attempt *try)
{
    avout__lmdb_tree *tree = &try->tree;
    if (tree->head.sequence == try->base) {
        avout__lmdb_write_abort(handle->env, tree->txn);
        return AVOUT_OK;
    }
    int code = avout__lmdb_head_put(handle->env, tree->txn, &tree->head);
    if (code) {
        avout__lmdb_write_abort(handle->env, tree->txn);
        return avout__lmdb_fail(code, "cannot write to the store");
    }
    return avout__lmdb_write_commit(handle->env, tree->txn);
}

static bool not_done(avout_status status)
{
    return status == AVOUT_ENOSPACE || status == AVOUT_ENOMEM || status == AVOUT_ELIMIT;
}

/* Inside the write lock. Fills in the outcomes of the items in front of try->end. */
static void run_attempts(avout__lmdb_handle *handle, attempt *try)
{
    avout_status status;
    bool alone = false;
    for (int redos = 0;; redos++) {
        if (redos == REDOS && !alone) {
            /* Too many multis that spoil it for the others: one at a time. */
            alone = true;
            forget_decisions(handle, NULL);
        }
        status = begin_attempt(handle, try);
        if (status) break;
        verdict outcome = try_round(handle, try, alone);
        if (outcome != READY) avout__lmdb_write_abort(handle->env, try->tree.txn);
        if (outcome == AGAIN) continue;
        status = outcome == BROKEN ? try->tree.broken : end_attempt(handle, try);
        if (outcome == READY && !status) {
            handle->seen = try->tree.head.sequence;
            forget_decisions(handle, try->end);
            return;
        }
        handle->seen = try->base;
        /* Perhaps one of several asked for too much: each gets its own outcome. */
        if (alone || try->multis < 2 || (outcome == READY && !not_done(status))) break;
        redos = REDOS - 1;
    }
    fail_round(handle, try, status);
    forget_decisions(handle, try->end);
}

/* Waits for the write lock in slices, so that events of others go on being delivered and a closing
 * handle is not held up by a stopped process. */
static avout_status lock(avout__lmdb_handle *handle, int64_t deadline_ns)
{
    for (;;) {
        int64_t slice = avout__deadline_in_ms(LOCK_SLICE_MS);
        if (slice > deadline_ns) slice = deadline_ns;
        avout_status status = avout__lmdb_write_lock(handle->env->shared, handle->slot, slice);
        if (status != AVOUT_ETIMEOUT) return status;
        if (avout__lmdb_closing(handle))
            return avout_fail(AVOUT_ECLOSED, "the embedded store is closed");
        if (avout__now_ns() >= deadline_ns) return status;
    }
}

void avout__lmdb_write_round(avout__lmdb_handle *handle)
{
    attempt try;
    avout__lmdb_item *front = handle->first;
    begin_round(handle);
    avout_status status = lock(handle, front->deadline_ns);
    if (status) {
        avout__lmdb_item_fail(handle, front, status, SIZE_MAX);
        avout__lmdb_deliver_until(handle, front->next);
        return;
    }
    run_attempts(handle, &try);
    avout__lmdb_write_unlock(handle->env->shared);
    if (try.base != handle->seen) avout__lmdb_wake_all(handle->env->shared, handle->slot);
    avout__lmdb_deliver_foreign(handle);
    avout__lmdb_deliver_until(handle, try.end);
}
