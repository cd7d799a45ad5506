/* Connecting: the one place that knows every adapter. */
#include "avout/client.h"

#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/epoch.h"
#include "base/error.h"
#include "lock/lock.h"
#include "stm/handles.h"
#include "stm/update.h"
#include "store/lmdb/lmdb.h"
#include "store/mem/mem.h"
#include "store/store.h"
#include "store/zk/zk.h"
#include "base/banned.h"

const char *avout_event_name(avout_event event)
{
    switch (event) {
    case AVOUT_EVENT_CONNECTED: return "connected";
    case AVOUT_EVENT_SUSPENDED: return "suspended";
    case AVOUT_EVENT_RESUMED: return "resumed";
    case AVOUT_EVENT_LOST: return "lost";
    case AVOUT_EVENT_REESTABLISHED: return "re-established";
    }
    return "?";
}

static avout_status register_adapters(void)
{
    avout_status status = avout__store_register(&avout__lmdb_ops);
    if (!status) status = avout__store_register(&avout__zk_ops);
    if (!status) status = avout__store_register(&avout__mem_ops);
    return status;
}

static avout_status resolve(char **text, const char *url)
{
    avout__url parsed;
    avout_status status = avout__url_parse(&parsed, url);
    if (status) return status;
    *text = avout__format("%s:%s%s", parsed.scheme, strcmp(parsed.scheme, "zk") ? "" : "//",
                          parsed.address);
    avout__url_release(&parsed);
    return *text ? AVOUT_OK : AVOUT_ENOMEM;
}

avout_status avout_connect(const char *url, const avout_options *options, avout_client **out)
{
    static const avout_options defaults = AVOUT_OPTIONS_INIT;
    if (!options) options = &defaults;
    if (options->allocator) {
        avout_status set = avout_allocator_set(options->allocator);
        if (set) return set;
    }
    avout_client *client = avout__calloc(1, sizeof *client);
    if (!client) return AVOUT_ENOMEM;
    avout_listener locks = avout__locks_listener;
    avout_status status = register_adapters();
    if (!status) status = resolve(&client->url, url);
    if (!status) status = avout__locks_new(&client->locks, options->timeout_ms);
    locks.payload = client->locks;
    if (!status) status = avout__stm_open(&client->stm, client->url, options, &locks);
    if (!status) {
        avout__locks_start(client->locks, &client->stm->door);
        *out = client;
        return AVOUT_OK;
    }
    avout__locks_unref(client->locks);
    avout__free(client->url);
    avout__free(client);
    return status;
}

void avout_close(avout_client *client)
{
    if (!client) return;
    avout__stm *stm = client->stm;
    if (avout__notifier_is_me(stm) || avout__executor_is_me(stm) || avout__keeper_is_me(stm) ||
        avout__locks_is_me(client->locks)) {
        avout__notify_log(stm, AVOUT_LOG_ERROR,
                          "avout_close was called by a callback of the client: nothing done");
        return;
    }
    avout__locks_close(client->locks);
    avout__stm_close(stm);
    avout__locks_unref(client->locks); /* the store may have called there until now */
    avout__stm_unref(stm);
    avout__free(client->url);
    avout__free(client);
}

const char *avout_client_url(avout_client *client)
{
    return client->url;
}

void avout_client_statistics(avout_client *client, avout_statistics *statistics)
{
    avout__stm *stm = client->stm;
    *statistics = (avout_statistics){0};
    if (avout__stm_forked(stm)) return;
    avout__stm_lock(stm);
    *statistics = stm->statistics;
    statistics->retries = atomic_load(&stm->retries);
    statistics->cells = stm->cell_count;
    statistics->live = 0;
    for (size_t i = 0; i < stm->bucket_count; i++)
        for (avout__cell *cell = stm->buckets[i]; cell; cell = cell->next)
            statistics->live += atomic_load(&cell->live) != NULL;
    avout__stm_unlock(stm);
}

avout_status avout_destroy(avout_client *client, const char *name)
{
    avout__cell *cell;
    avout_status status = avout__cell_open(&cell, client->stm, name, NULL);
    if (status) return status;
    status = avout__update_destroy(cell);
    avout__cell_unref(cell);
    return status;
}

void avout_guard_enter(void)
{
    avout__epoch_enter();
}

void avout_guard_leave(void)
{
    avout__epoch_leave();
}
