/* Removing the ephemeral nodes of sessions that have ended: whoever notices does it, in one write
 * transaction and as one change. */
#include "store/lmdb/handle.h"

#include "base/clock.h"
#include "base/error.h"
#include "store/lmdb/log.h"
#include "store/lmdb/tree.h"
#include "base/banned.h"

enum { LOCK_MS = 1000 };

/* Inside the write lock. All of them are one change; a session that has none is passed over. */
static avout_status reap(avout__lmdb_handle *handle, bool (*chosen)(avout__lmdb_handle *, int64_t))
{
    avout__buffer events = AVOUT__BUFFER_INIT;
    avout__lmdb_tree tree = {.env = handle->env, .events = &events, .arena = &handle->arena};
    avout__lmdb_arena_reset(&handle->arena);
    avout_status status = avout__lmdb_write_begin(handle->env, &tree.txn);
    if (status) return status;
    status = avout__lmdb_head_get(handle->env, tree.txn, &tree.head);
    tree.head.sequence++;
    for (int64_t id = 0; !status;) {
        id = avout__lmdb_tree_next_session(&tree, id);
        if (id == 0) break;
        if (chosen(handle, id)) status = avout__lmdb_tree_reap(&tree, id);
    }
    if (!status) status = tree.broken;
    int code = 0;
    bool changed = !status && tree.changed;
    if (changed) {
        code = avout__lmdb_log_put(handle->env, tree.txn, &tree.head, tree.log_flags, events.data,
                                   events.length);
        if (!code) code = avout__lmdb_head_put(handle->env, tree.txn, &tree.head);
        if (code) status = avout__lmdb_fail(code, "cannot remove ephemeral nodes");
    }
    if (changed && !status) {
        status = avout__lmdb_write_commit(handle->env, tree.txn);
    } else {
        avout__lmdb_write_abort(handle->env, tree.txn);
    }
    avout__buffer_release(&events);
    return status;
}

static bool is_dead(avout__lmdb_handle *handle, int64_t id)
{
    return avout__lmdb_session_dead(id, &handle->session);
}

static bool is_mine(avout__lmdb_handle *handle, int64_t id)
{
    return id == handle->session.id;
}

/* What the table of ephemeral nodes tells: whether a session in it is chosen, and which of the
 * others comes next behind our own, in the ring. */
typedef struct census {
    bool any;
    int64_t next, smallest;
} census;

static avout_status take_census(census *found, avout__lmdb_handle *handle,
                                bool (*chosen)(avout__lmdb_handle *, int64_t))
{
    avout__lmdb_tree tree = {.env = handle->env};
    avout_status status = avout__lmdb_read_begin(handle->env, &handle->reader);
    if (status) return status;
    tree.txn = handle->reader;
    for (int64_t id = 0; (id = avout__lmdb_tree_next_session(&tree, id)) != 0;) {
        if (chosen(handle, id)) {
            found->any = true;
            continue;
        }
        if (id == handle->session.id) continue;
        if (!found->smallest) found->smallest = id;
        if (!found->next && id > handle->session.id) found->next = id;
    }
    avout__lmdb_read_end(handle->env, handle->reader);
    if (!found->next) found->next = found->smallest;
    return tree.broken;
}

static void reap_chosen(avout__lmdb_handle *handle, bool (*chosen)(avout__lmdb_handle *, int64_t))
{
    avout_status status =
        avout__lmdb_write_lock(handle->env->shared, handle->slot, avout__deadline_in_ms(LOCK_MS));
    if (!status) {
        status = reap(handle, chosen);
        avout__lmdb_write_unlock(handle->env->shared);
        avout__lmdb_wake_all(handle->env->shared, NULL);
    }
    /* Not for ever: it is tried again at the next tick, or by somebody else. */
    if (status) avout__lmdb_log_message(handle, AVOUT_LOG_WARNING, avout_error_detail());
}

void avout__lmdb_reap_dead(avout__lmdb_handle *handle)
{
    census found = {0};
    if (take_census(&found, handle, is_dead)) return;
    avout__lmdb_sentry_post(&handle->sentry, &handle->session, handle->slot, found.next);
    if (found.any) reap_chosen(handle, is_dead);
}

void avout__lmdb_reap_own(avout__lmdb_handle *handle)
{
    census found = {0};
    avout__lmdb_sentry_post(&handle->sentry, &handle->session, handle->slot, 0);
    if (take_census(&found, handle, is_mine)) return;
    if (found.any) reap_chosen(handle, is_mine);
}
