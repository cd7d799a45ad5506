/* What the store tells of names without their values. */
#include "avout/client.h"

#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/interrupt.h"
#include "stm/handles.h"
#include "store/store.h"
#include "base/banned.h"

enum { TOGETHER = 512 }; /* names asked for in one run */

/* A cell's node that holds nothing is a tombstone; nodes below it are of those who queue to write it. */
static void take(avout_name_stat *out, const avout__look *look)
{
    bool gone = look->status == AVOUT_ENOTFOUND || (!look->status && !look->stat.length);
    *out = (avout_name_stat){.status = gone ? AVOUT_ENOTFOUND : look->status, .watchers = -1};
    if (out->status) return;
    out->version = look->stat.version;
    out->created = look->stat.created;
    out->changed = look->stat.changed;
    out->changed_ms = look->stat.changed_ms;
    out->size = look->stat.length;
    out->queued = look->stat.children;
    out->watchers = look->stat.watchers;
}

/* The first failure that is of the connection, not of one name. */
static avout_status broken(const avout__looks *looks, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        avout_status status = looks->items[i].status;
        if (status == AVOUT_ECONNECTION || status == AVOUT_ESESSION || status == AVOUT_ECLOSED)
            return status;
    }
    return AVOUT_OK;
}

static avout_status stat_some(avout_name_stat *stats, avout__stm *stm, const char *const *paths,
                              size_t count, int64_t deadline_ns)
{
    avout__looks *looks = NULL;
    avout_status status;
    do {
        avout__looks_unref(looks);
        looks = NULL;
        status =
            avout__store_look(&looks, &stm->door, AVOUT_REQUEST_EXISTS, paths, count, deadline_ns);
        if (!status) status = broken(looks, count);
    } while (avout__call_again(status, deadline_ns));
    for (size_t i = 0; !status && i < count; i++) take(&stats[i], &looks->items[i]);
    avout__looks_unref(looks);
    if (status == AVOUT_ECONNECTION || status == AVOUT_ESESSION)
        return avout_fail(avout__late(), "%s",
                          avout__late_text("no connection to the store before the deadline"));
    if (status == AVOUT_ECLOSED) return avout_fail(status, "the client is closed");
    return status;
}

/* The nodes' paths, in one block with the texts. */
static avout_status make_paths(const char ***out, const char *const *names, size_t count)
{
    char path[AVOUT__PATH_MAX];
    size_t texts = 1;
    for (size_t i = 0; i < count; i++) {
        avout_status status =
            names[i] ? avout__name_check(names[i]) : avout_fail(AVOUT_EINVAL, "a name is NULL");
        if (status) return status;
        texts += avout__layout_path(path, names[i]) + 1;
    }
    const char **paths = avout__alloc(count * sizeof *paths + texts);
    if (!paths) return AVOUT_ENOMEM;
    char *at = (char *)(paths + count);
    for (size_t i = 0; i < count; i++) {
        size_t size = avout__layout_path(path, names[i]) + 1;
        paths[i] = memcpy(at, path, size);
        at += size;
    }
    *out = paths;
    return AVOUT_OK;
}

avout_status avout_stat_names(avout_name_stat *stats, avout_client *client,
                              const char *const *names, size_t count, int64_t timeout_ms)
{
    avout__stm *stm = client->stm;
    int64_t deadline_ns = avout__deadline_in_ms(timeout_ms ? timeout_ms : stm->timeout_ms);
    avout_status status = avout__stm_usable(stm);
    for (size_t done = 0; !status && done < count;) {
        size_t some = count - done < TOGETHER ? count - done : TOGETHER;
        const char **paths = NULL;
        status = make_paths(&paths, names + done, some);
        if (!status) status = stat_some(stats + done, stm, paths, some, deadline_ns);
        avout__free(paths);
        done += some;
    }
    return status;
}
