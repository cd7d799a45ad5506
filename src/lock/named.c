#include "lock/named.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/banned.h"

avout_status avout__named_begin(avout__watcher *watcher, char path[AVOUT__NODE_MAX],
                                avout__locks *room, const avout__named_kind *kind, const char *name)
{
    avout_status status = avout__locks_usable(room);
    if (!status && !name) status = avout_fail(AVOUT_EINVAL, "the %s's name is NULL", kind->what);
    if (!status) status = avout__name_check(name);
    if (!status) status = avout__watcher_needs(room);
    if (status) return status;
    avout__node_path(path, kind->root, name);
    avout__watcher_begin(watcher, room, path, name, NULL, avout__deadline_in_ms(room->timeout_ms));
    return AVOUT_OK;
}

avout_status avout__named_make(void *is, bool *made, avout__watcher *watcher,
                               const avout__named_kind *kind, const avout_op *ops, size_t count)
{
    for (;;) {
        size_t failed;
        avout_point created;
        avout_status status = avout__watcher_make(watcher, kind->root, ops, count, &failed);
        *made = !status;
        if (status == AVOUT_UNKNOWN)
            return avout_fail(AVOUT_ETIMEOUT, "%s: could not be made before the deadline",
                              watcher->name);
        if (status != AVOUT_EEXISTS) return status;
        status = kind->read(is, &created, watcher);
        if (status != AVOUT_ENOTFOUND) return status; /* else it was removed meanwhile */
    }
}

avout_status avout__named_read(void *is, avout__watcher *watcher, const avout__named_kind *kind)
{
    avout_point created;
    avout_status status = kind->read(is, &created, watcher);
    if (status != AVOUT_ENOTFOUND) return status;
    return avout_fail(status, "%s: there is no such %s", watcher->name, kind->what);
}

avout_status avout__named_remove(void *is, avout__watcher *watcher, const avout__named_kind *kind,
                                 avout_status (*remove)(void *is, avout__watcher *watcher))
{
    avout_point created, tried = 0;
    avout_status status;
    do {
        status = kind->read(is, &created, watcher);
        bool gone = status == AVOUT_ENOTFOUND || (!status && tried && created != tried);
        if (gone && tried) return AVOUT_OK; /* it was us */
        if (gone) return avout_fail(status, "%s: there is no such %s", watcher->name, kind->what);
        if (status) continue;
        status = remove(is, watcher);
        if (status == AVOUT_ENOTFOUND && tried) return AVOUT_OK; /* it was late */
        if (status == AVOUT_ECONNECTION || status == AVOUT_ESESSION) tried = created;
    } while (avout__watcher_again(watcher, &status));
    return status;
}

void *avout__named_new(size_t size, const avout__watcher *watcher)
{
    size_t path = strlen(watcher->path) + 1, name = strlen(watcher->name) + 1;
    avout__named *named = avout__calloc(1, size + path + name);
    if (!named) return NULL;
    char *texts = (char *)named + size;
    named->room = watcher->room;
    named->path = memcpy(texts, watcher->path, path);
    named->name = memcpy(texts + path, watcher->name, name);
    atomic_fetch_add(&named->room->refs, 1);
    return named;
}

void avout__named_free(avout__named *named)
{
    avout__locks_unref(named->room);
    avout__free(named);
}

bool avout__reply_says(const avout_reply *reply, const char *text)
{
    return reply->length == strlen(text) && !memcmp(reply->bytes, text, reply->length);
}
