/* Callers' threads that wait for nodes. The rules:
 *
 *  W1  What a thread waits for is looked at under the room's mutex after its latch was closed, and whoever
 *      changes it opens the latch after: no waking is lost. Opened for nothing it costs a look.
 *  W2  `changed` is set to false before a look is sent. An event that is told after the look's reply belongs to
 *      what came after it; one that is told before costs a look more. */
#include "lock/watcher.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/interrupt.h"
#include "base/banned.h"

enum { MOMENT_MS = 20 };

/* ---- life ---------------------------------------------------------------------------------------- */

avout_status avout__watcher_needs(avout__locks *room)
{
    avout__locks_lock(room);
    avout_status status = avout__tender_need(room);
    avout__locks_unlock(room);
    return status;
}

void avout__watcher_begin(avout__watcher *watcher, avout__locks *room, const char *path,
                          const char *name, avout_cancel *cancel, int64_t deadline_ns)
{
    AVOUT__ASSERT(!avout__store_delivering);
    *watcher = (avout__watcher){
        .room = room, .path = path, .name = name, .cancel = cancel, .deadline_ns = deadline_ns};
    atomic_fetch_add(&room->refs, 1);
    avout__locks_lock(room);
    avout__list_append(&room->watchers, &watcher->link);
    avout__locks_unlock(room);
    avout__cancel_enter(cancel, &watcher->entry, &watcher->latch);
}

static void forget_cancel(avout__watcher *watcher)
{
    avout__cancel_leave(watcher->cancel, &watcher->entry);
    watcher->cancel = NULL;
}

void avout__watcher_end(avout__watcher *watcher)
{
    avout__locks *room = watcher->room;
    forget_cancel(watcher);
    avout__locks_lock(room);
    avout__link_remove(&watcher->link);
    avout__locks_unlock(room);
    avout__locks_unref(room);
}

void avout__watcher_extend(avout__watcher *watcher, int64_t deadline_ns)
{
    forget_cancel(watcher);
    watcher->deadline_ns = deadline_ns;
}

/* ---- waiting --------------------------------------------------------------------------------------- */

static avout_status too_late(const avout__watcher *watcher, bool connected)
{
    return avout_fail(avout__late(), "%s: %s", watcher->name,
                      avout__late_text(connected ? "the deadline passed"
                                                 : "no connection to the store before the "
                                                   "deadline"));
}

static bool sleep_until(avout__watcher *watcher, int64_t until_ns)
{
    avout__locks_unlock(watcher->room);
    bool told = avout__latch_wait(&watcher->latch, until_ns);
    avout__locks_lock(watcher->room);
    return told;
}

avout_status avout__watcher_pause(avout__watcher *watcher)
{
    atomic_store(&watcher->latch.state, 0);
    if (atomic_load(&watcher->room->closed))
        return avout_fail(AVOUT_ECLOSED, "the client is closed");
    if (avout_cancel_is_set(watcher->cancel))
        return avout_fail(AVOUT_ECANCELLED, "%s: the wait was cancelled", watcher->name);
    if (sleep_until(watcher, watcher->deadline_ns)) return AVOUT_OK;
    return too_late(watcher, watcher->room->connected);
}

avout_status avout__watcher_wait(avout__watcher *watcher)
{
    avout_status status = AVOUT_OK;
    avout__locks_lock(watcher->room);
    while (!watcher->changed && !status) status = avout__watcher_pause(watcher);
    avout__locks_unlock(watcher->room);
    return status;
}

void avout__watcher_rest(avout__watcher *watcher, int64_t at_most_ms)
{
    int64_t until_ns = avout__deadline_in_ms(at_most_ms);
    if (until_ns > watcher->deadline_ns) until_ns = watcher->deadline_ns;
    avout__locks_lock(watcher->room);
    atomic_store(&watcher->latch.state, 0);
    if (!atomic_load(&watcher->room->closed) && !avout_cancel_is_set(watcher->cancel))
        sleep_until(watcher, until_ns);
    avout__locks_unlock(watcher->room);
}

bool avout__watcher_again(avout__watcher *watcher, avout_status *status)
{
    if (*status != AVOUT_ECONNECTION && *status != AVOUT_ESESSION) return false;
    avout__locks *room = watcher->room;
    avout__locks_lock(room);
    bool connected = room->connected;
    *status = connected ? AVOUT_OK : avout__watcher_pause(watcher);
    avout__locks_unlock(room);
    if (*status) return false;
    if (!connected) return true;
    avout__watcher_rest(watcher, MOMENT_MS); /* its loss is about to be told */
    if (avout_cancel_is_set(watcher->cancel))
        *status = avout_fail(AVOUT_ECANCELLED, "%s: the wait was cancelled", watcher->name);
    else if (avout__now_ns() >= watcher->deadline_ns) *status = too_late(watcher, false);
    return !*status;
}

/* ---- calls ------------------------------------------------------------------------------------------- */

avout_status avout__watcher_call(avout__watcher *watcher, avout__reply *reply,
                                 const avout_request *request)
{
    avout_status status;
    do {
        avout__reply_release(reply);
        status = avout__store_call(reply, &watcher->room->door, request, watcher->deadline_ns);
    } while (avout__watcher_again(watcher, &status));
    return status;
}

avout_status avout__watcher_look(avout__watcher *watcher, avout__reply *reply)
{
    avout_request get = {.kind = AVOUT_REQUEST_GET, .watch = true, .path = watcher->path};
    avout_status status;
    do {
        avout__locks_lock(watcher->room);
        watcher->changed = false;
        avout__locks_unlock(watcher->room);
        avout__reply_release(reply);
        status = avout__store_call(reply, &watcher->room->door, &get, watcher->deadline_ns);
    } while (avout__watcher_again(watcher, &status));
    return status;
}

avout_status avout__watcher_multi(avout__watcher *watcher, const avout_op *ops, size_t count,
                                  size_t *failed_op)
{
    avout_request multi = {.kind = AVOUT_REQUEST_MULTI, .ops = ops, .op_count = count};
    avout__reply reply = AVOUT__REPLY_INIT;
    avout_status status =
        avout__store_call(&reply, &watcher->room->door, &multi, watcher->deadline_ns);
    *failed_op = reply.is.failed_op;
    avout__reply_release(&reply);
    return status;
}

static avout_status make_directories(avout__watcher *watcher, const char *root)
{
    char *part = avout__strdup(watcher->path);
    if (!part) return AVOUT_ENOMEM;
    avout_op op = {.kind = AVOUT_OP_CREATE, .path = part};
    avout_status status = AVOUT_OK;
    for (char *slash = part + strlen(root); slash && !status; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        size_t failed;
        do status = avout__watcher_multi(watcher, &op, 1, &failed);
        while (avout__watcher_again(watcher, &status));
        if (status == AVOUT_EEXISTS) status = AVOUT_OK;
        *slash = '/';
    }
    avout__free(part);
    return status;
}

avout_status avout__watcher_make(avout__watcher *watcher, const char *root, const avout_op *ops,
                                 size_t count, size_t *failed_op)
{
    for (;;) {
        avout_status status = avout__watcher_multi(watcher, ops, count, failed_op);
        if (status == AVOUT_ENOTFOUND) status = make_directories(watcher, root);
        else if (!avout__watcher_again(watcher, &status)) return status;
        if (status) return status;
    }
}

/* ---- what the room tells ------------------------------------------------------------------------------- */

static void wake(avout__watcher *watcher, bool changed)
{
    watcher->changed = watcher->changed || changed;
    avout__latch_open(&watcher->latch);
}

static void watchers_event(avout__locks *room, avout_node_event event, const char *path)
{
    (void)event;
    AVOUT__LIST_EACH(link, &room->watchers)
    {
        avout__watcher *watcher = AVOUT__LINK_OF(link, avout__watcher, link);
        if (!strcmp(watcher->path, path)) wake(watcher, true);
    }
}

static void watchers_resume(avout__locks *room)
{
    AVOUT__LIST_EACH(link, &room->watchers) wake(AVOUT__LINK_OF(link, avout__watcher, link), false);
    avout__litter_resume(room);
}

static void watchers_session_lost(avout__locks *room)
{
    AVOUT__LIST_EACH(link, &room->watchers)
    {
        avout__watcher *watcher = AVOUT__LINK_OF(link, avout__watcher, link);
        watcher->lost = true;
        wake(watcher, true); /* the watch has gone as well */
    }
    avout__litter_gone(room);
}

static void watchers_close(avout__locks *room)
{
    AVOUT__LIST_EACH(link, &room->watchers) wake(AVOUT__LINK_OF(link, avout__watcher, link), false);
    avout__litter_gone(room);
}

static void nothing(avout__locks *room)
{
    (void)room;
}

const avout__guest avout__watchers_guest = {.event = watchers_event,
                                            .resume = watchers_resume,
                                            .mind = nothing,
                                            .session_lost = watchers_session_lost,
                                            .lease_over = nothing, /* nothing is held */
                                            .close = watchers_close,
                                            .end = nothing};
