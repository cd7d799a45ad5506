/* Deeds that a thread waits for, and nodes that nobody wants any more. An errand belongs to its thread until
 * that leaves it, then to its deed; litter to the room. */
#include "lock/watcher.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/banned.h"

/* ---- errands ------------------------------------------------------------------------------------- */

static void learn(avout__errand *errand, const avout_reply *reply)
{
    const char *path = reply->results[0].path;
    errand->replied = true;
    if (reply->results[0].has_stat) errand->version = reply->results[0].stat.version;
    if (path) snprintf(errand->created, sizeof errand->created, "%s", strrchr(path, '/') + 1);
}

/* Its thread has left. */
static void put_away(avout__errand *errand)
{
    if (errand->litter && errand->end == AVOUT__DEED_DONE)
        avout__litter_drop(errand->litter, errand->number, errand->created);
    else avout__free(errand->litter);
    avout__free(errand);
}

static void ended(avout__deed *deed, avout__deed_end end, const avout_reply *reply,
                  avout_point point)
{
    (void)point;
    avout__errand *errand = AVOUT__LINK_OF(deed, avout__errand, deed);
    errand->ended = true;
    errand->end = end;
    if (end == AVOUT__DEED_DONE && reply) learn(errand, reply);
    if (end == AVOUT__DEED_REFUSED) {
        errand->status = reply->status;
        errand->failed_op = reply->failed_op;
        snprintf(errand->detail, sizeof errand->detail, "%s",
                 reply->detail ? reply->detail : avout_status_text(reply->status));
    }
    if (!errand->watcher) {
        put_away(errand);
        return;
    }
    /* The session's end that is told before a reply was not the end of the session that gave it (P7): what was
     * sent when that was still to be told may be the new one's. */
    if (end == AVOUT__DEED_DONE) errand->watcher->lost = false;
    avout__latch_open(&errand->watcher->latch);
}

avout_status avout__errand_wait(avout__errand *errand)
{
    avout__watcher *watcher = errand->watcher;
    avout_status status = AVOUT_OK;
    avout__locks_lock(watcher->room);
    while (!errand->ended && !status) status = avout__watcher_pause(watcher);
    if (errand->ended) status = AVOUT_OK;
    avout__locks_unlock(watcher->room);
    return status;
}

avout_status avout__errand_send(avout__errand *errand, avout__watcher *watcher, const avout_op *ops,
                                size_t count, bool *sent)
{
    avout__locks *room = watcher->room;
    avout_status status = AVOUT_OK;
    *sent = false;
    errand->watcher = watcher;
    errand->deed.ended = ended;
    avout__locks_lock(room);
    while (!room->connected && !status) status = avout__watcher_pause(watcher);
    if (!status) status = avout__deed_send(&errand->deed, room, ops, count, NULL, 0, NULL, 0);
    *sent = !status;
    avout__locks_unlock(room);
    return status ? status : avout__errand_wait(errand);
}

void avout__errand_leave(avout__errand *errand)
{
    avout__locks *room = errand->watcher->room;
    avout__locks_lock(room);
    errand->watcher = NULL;
    if (errand->ended) put_away(errand);
    avout__locks_unlock(room);
}

/* ---- litter ---------------------------------------------------------------------------------------- */

avout__litter *avout__litter_new(avout__locks *room, const char *directory)
{
    size_t length = strlen(directory);
    avout__litter *litter = avout__calloc(1, sizeof *litter + length + 2 + AVOUT__CLAIM_NAME);
    if (!litter) return NULL;
    litter->room = room;
    litter->length = length;
    memcpy(litter->path, directory, length);
    return litter;
}

const char *avout__entry_find(avout__claim_name *parsed, const avout_reply *list,
                              const char *client, uint64_t number)
{
    for (size_t i = 0; i < list->name_count; i++)
        if (avout__name_parse(parsed, 'p', list->names[i]) && parsed->number == number &&
            !strcmp(parsed->client, client))
            return list->names[i];
    return NULL;
}

static void set_name(avout__litter *litter, const char *name)
{
    litter->path[litter->length] = '/';
    snprintf(litter->path + litter->length + 1, AVOUT__CLAIM_NAME, "%s", name);
    litter->named = true;
}

static void litter_send(avout__litter *litter);

static void litter_replied(const avout_reply *reply, void *payload)
{
    avout__litter *litter = payload;
    avout__locks *room = litter->room;
    avout__claim_name parsed;
    avout__locks_lock(room);
    litter->asked = false;
    const char *found = reply->status || litter->named
                            ? NULL
                            : avout__entry_find(&parsed, reply, room->client_id, litter->number);
    bool gone = !found && (!reply->status || reply->status == AVOUT_ENOTFOUND);
    if (gone || !avout__link_linked(&litter->link)) {
        avout__link_remove(&litter->link);
        avout__free(litter);
    } else if (found) {
        set_name(litter, found);
        litter_send(litter);
    } else if (room->connected) {
        avout__retry_later(room, &litter->retry);
    }
    avout__locks_unlock(room);
    avout__locks_unref(room);
}

static void litter_send(avout__litter *litter)
{
    avout__locks *room = litter->room;
    avout_op op = {.kind = AVOUT_OP_DELETE, .path = litter->path, .version = AVOUT_VERSION_ANY};
    avout_request request = {.kind = AVOUT_REQUEST_LIST,
                             .path = litter->path,
                             .done = litter_replied,
                             .payload = litter};
    if (litter->asked || !room->connected) return;
    if (litter->named) {
        request.kind = AVOUT_REQUEST_MULTI;
        request.ops = &op;
        request.op_count = 1;
    }
    atomic_fetch_add(&room->refs, 1);
    litter->asked = !avout__locks_submit(room, &request, 1);
    if (litter->asked) return;
    atomic_fetch_sub(&room->refs, 1); /* never the last: the caller has one */
    avout__retry_later(room, &litter->retry);
}

void avout__litter_drop(avout__litter *litter, uint64_t number, const char *name)
{
    if (atomic_load(&litter->room->closed)) {
        avout__free(litter); /* the session takes it along */
        return;
    }
    litter->number = number;
    if (*name) set_name(litter, name);
    avout__list_append(&litter->room->litter, &litter->link);
    litter_send(litter);
}

void avout__litter_resume(avout__locks *room)
{
    AVOUT__LIST_EACH(link, &room->litter)
    {
        avout__litter *litter = AVOUT__LINK_OF(link, avout__litter, link);
        if (avout__retry_now(room, &litter->retry)) litter_send(litter);
    }
}

void avout__litter_gone(avout__locks *room)
{
    AVOUT__LIST_EACH(link, &room->litter)
    {
        avout__litter *litter = AVOUT__LINK_OF(link, avout__litter, link);
        avout__link_remove(link);
        if (!litter->asked) avout__free(litter); /* else its reply does */
    }
}
