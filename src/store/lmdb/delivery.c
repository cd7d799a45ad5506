/* The thread of a handle: takes requests, has them carried out, and calls back. While there is
 * nothing to do it sleeps on the handle's word, which both submit() and other processes' commits
 * change; at most TICK_MS, because a process may die between its commit and the waking. */
#include "store/lmdb/handle.h"

#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "store/lmdb/log.h"
#include "store/store.h"
#include "base/banned.h"

enum { TICK_MS = 100 };

void avout__lmdb_log_message(avout__lmdb_handle *handle, avout_log_level level, const char *text)
{
    if (handle->listener.on_log) handle->listener.on_log(level, text, handle->listener.payload);
}

void avout__lmdb_item_fail(avout__lmdb_handle *handle, avout__lmdb_item *item, avout_status status,
                           size_t failed_op)
{
    const char *detail = avout_error_detail();
    item->reply = (avout_reply){.status = status, .failed_op = failed_op};
    item->reply.detail = avout__lmdb_arena_copy(&handle->arena, detail, strlen(detail));
}

/* ---- events --------------------------------------------------------------------------------- */

static void tell(avout__lmdb_handle *handle, avout_node_event kind, const char *path)
{
    handle->listener.on_node(kind, path, handle->listener.payload);
}

static void fire(avout__lmdb_handle *handle, avout_node_event kind, const char *path)
{
    uint32_t kinds = kind == AVOUT_NODE_DELETED
                         ? AVOUT__LMDB_WATCH_NODE | AVOUT__LMDB_WATCH_CHILDREN
                         : AVOUT__LMDB_WATCH_NODE;
    if (avout__lmdb_armed_take(&handle->armed, path, strlen(path), kinds)) tell(handle, kind, path);
    if (kind == AVOUT_NODE_CHANGED) return;
    const char *slash = strrchr(path, '/');
    size_t length = slash == path ? 1 : (size_t)(slash - path);
    if (!avout__lmdb_armed_take(&handle->armed, path, length, AVOUT__LMDB_WATCH_CHILDREN)) return;
    char parent[AVOUT__LMDB_PATH_MOST + 32];
    if (length >= sizeof parent) return; /* submit() lets no such path in */
    memcpy(parent, path, length);
    parent[length] = '\0';
    tell(handle, AVOUT_NODE_CHILDREN, parent);
}

static void fire_range(avout__lmdb_handle *handle, const avout__buffer *events, size_t from,
                       size_t to)
{
    avout_node_event kind;
    const char *path;
    while (handle->armed.count && avout__lmdb_event_next(&kind, &path, events->data, to, &from))
        fire(handle, kind, path);
}

void avout__lmdb_deliver_foreign(avout__lmdb_handle *handle)
{
    if (handle->foreign_flags & AVOUT__LMDB_LOG_SESSIONS) handle->sessions_changed = true;
    if (handle->foreign_flags & AVOUT__LMDB_LOG_OVERFLOW) {
        avout__lmdb_watch *watch = avout__lmdb_armed_take_all(&handle->armed);
        while (watch) {
            avout__lmdb_watch *next = watch->next;
            tell(handle, AVOUT_NODE_UNKNOWN, watch->path);
            avout__free(watch);
            watch = next;
        }
    } else {
        fire_range(handle, &handle->foreign_events, 0, handle->foreign_events.length);
    }
    handle->foreign_events.length = 0;
    handle->foreign_flags = 0;
}

/* ---- replies -------------------------------------------------------------------------------- */

/* Arms what the request asks for, which must not fail silently: without memory the request fails. */
static void arm(avout__lmdb_handle *handle, avout__lmdb_item *item)
{
    const avout_request *request = &item->request;
    avout_status status = item->reply.status;
    uint32_t kind =
        request->kind == AVOUT_REQUEST_LIST ? AVOUT__LMDB_WATCH_CHILDREN : AVOUT__LMDB_WATCH_NODE;
    if (request->kind == AVOUT_REQUEST_MULTI || request->kind == AVOUT_REQUEST_SYNC) return;
    if (status && !(status == AVOUT_ENOTFOUND && request->kind == AVOUT_REQUEST_EXISTS)) return;
    if (avout__lmdb_armed_add(&handle->armed, request->path, kind))
        avout__lmdb_item_fail(handle, item, AVOUT_ENOMEM, SIZE_MAX);
}

static void deliver(avout__lmdb_handle *handle, avout__lmdb_item *item)
{
    avout__lmdb_batch *batch = item->batch;
    if (item->request.kind == (avout_request_kind)AVOUT__LMDB_UNWATCH) {
        avout__lmdb_armed_take(&handle->armed, item->request.path, strlen(item->request.path),
                               AVOUT__LMDB_WATCH_NODE | AVOUT__LMDB_WATCH_CHILDREN);
    } else {
        fire_range(handle, &handle->round_events, item->events_from, item->events_to);
        if (item->request.watch) arm(handle, item);
        item->request.done(&item->reply, item->request.payload);
    }
    if (--batch->undelivered == 0) avout__free(batch);
}

void avout__lmdb_deliver_until(avout__lmdb_handle *handle, const avout__lmdb_item *end)
{
    while (handle->first != end) {
        avout__lmdb_item *item = handle->first;
        handle->first = item->next;
        if (!handle->first) handle->last = &handle->first;
        deliver(handle, item);
    }
}

/* ---- the thread ----------------------------------------------------------------------------- */

/* At once when the sentry says so; now and then in any case, for it may not have seen all. */
static void look_after_the_dead(avout__lmdb_handle *handle, int64_t *due_ns)
{
    bool now = avout__lmdb_sentry_ended(&handle->sentry) || handle->sessions_changed;
    if (!now && avout__now_ns() < *due_ns) return;
    handle->sessions_changed = false;
    avout__lmdb_reap_dead(handle);
    *due_ns = avout__deadline_in_ms(TICK_MS);
}

static void serve(avout__lmdb_handle *handle)
{
    int64_t reap_ns = 0;
    for (;;) {
        uint32_t seen = atomic_load(&handle->slot->word);
        look_after_the_dead(handle, &reap_ns);
        if (!avout__lmdb_queue_take(handle)) return;
        if (handle->first && !avout__lmdb_only_reads(handle->first)) {
            avout__lmdb_write_round(handle);
            continue;
        }
        avout__lmdb_read_round(handle);
        if (!handle->first && !handle->sessions_changed)
            avout__lmdb_slot_wait(handle->slot, seen, reap_ns);
    }
}

static void fail_outstanding(avout__lmdb_handle *handle)
{
    avout__lmdb_arena_reset(&handle->arena);
    handle->round_events.length = 0;
    for (avout__lmdb_item *item = handle->first; item; item = item->next) {
        avout_fail(AVOUT_ECLOSED, "the embedded store was closed");
        item->events_from = item->events_to = 0;
        avout__lmdb_item_fail(handle, item, AVOUT_ECLOSED, SIZE_MAX);
    }
    avout__lmdb_deliver_until(handle, NULL);
}

void *avout__lmdb_delivery(void *payload)
{
    avout__lmdb_handle *handle = payload;
    avout__store_delivering = true;
    handle->listener.on_session(AVOUT_EVENT_CONNECTED, handle->listener.payload);
    serve(handle);
    fail_outstanding(handle);
    avout__lmdb_reap_own(handle);
    avout__lmdb_read_free(handle->reader);
    handle->reader = NULL;
    return NULL;
}
