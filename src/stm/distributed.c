/* Atoms and refs whose values are in containers: opening them, and collecting on request. */
#include "stm/handles.h"
#include "stm/update.h"

#include <string.h>

#include "avout/sys/container.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/banned.h"

/* The name is part of the versions' names, so it is looked at first. */
static avout_status new_foreign(avout__foreign **foreign, avout__stm *stm, const char *name,
                                avout_versioned_container *container, int64_t deadline_ns)
{
    avout_status status = avout__foreign_new(foreign, container, name ? name : "");
    if (status) return status;
    status = avout__stm_usable(stm);
    if (!status) status = avout__name_check(name);
    if (!status && !strcmp((*foreign)->is.name, AVOUT__CHUNKS_KIND))
        status = avout_fail(AVOUT_EINVAL,
                            "container: the kind " AVOUT__CHUNKS_KIND " is the store's own");
    if (!status) status = avout__sweeper_start(stm, avout__foreign_kind(*foreign));
    if (!status) status = avout__foreign_init(*foreign, deadline_ns);
    return status;
}

static avout_status open_distributed(avout__handle **handle, avout__stm *stm, const char *name,
                                     avout_versioned_container *container, avout_value initial,
                                     bool *created)
{
    avout__foreign *foreign = NULL;
    avout_status status = avout_is_none(initial) ? avout_none_status() : AVOUT_OK;
    avout_status made =
        new_foreign(&foreign, stm, name, container, avout__deadline_in_ms(stm->timeout_ms));
    if (!status) status = made;
    if (status) avout_release(initial);
    else status = avout__handle_create(handle, stm, name, &foreign->is, initial, false, created);
    /* The cell has one of its own, unless it was open before. */
    if (!status && avout__foreign_of((*handle)->cell->container) == foreign)
        avout__sweep_orphans(stm, foreign, false, AVOUT__LATER);
    avout__foreign_unref(foreign);
    return status;
}

avout_status avout_distributed_ref(avout_ref **ref, avout_client *client, const char *name,
                                   avout_versioned_container *container, avout_value initial,
                                   bool *created)
{
    avout__handle *handle;
    avout_status status = open_distributed(&handle, client->stm, name, container, initial, created);
    if (!status) *ref = (avout_ref *)handle;
    return status;
}

avout_status avout_distributed_atom(avout_atom **atom, avout_client *client, const char *name,
                                    avout_versioned_container *container, avout_value initial,
                                    bool *created)
{
    avout__handle *handle;
    avout_status status = open_distributed(&handle, client->stm, name, container, initial, created);
    if (!status) *atom = (avout_atom *)handle;
    return status;
}

avout_status avout_distributed_collect(size_t *orphans, avout_client *client, const char *name,
                                       bool remove, int64_t timeout_ms)
{
    avout__stm *stm = client->stm;
    avout__cell *cell;
    size_t found = 0;
    avout_status status = avout__cell_open(&cell, stm, name, NULL);
    if (status) return status;
    avout__foreign *foreign = avout__foreign_of(cell->container);
    if (!foreign) status = avout__cell_chunks(&foreign, cell);
    if (!status)
        status = avout__foreign_collect(
            &found, stm, foreign, remove,
            avout__deadline_in_ms(timeout_ms ? timeout_ms : stm->timeout_ms));
    avout__cell_unref(cell);
    if (!status && orphans) *orphans = found;
    return status;
}

avout_status avout_distributed_collect_in(size_t *orphans, avout_client *client, const char *name,
                                          avout_versioned_container *container, bool remove,
                                          int64_t timeout_ms)
{
    avout__stm *stm = client->stm;
    avout__foreign *foreign = NULL;
    size_t found = 0;
    int64_t deadline_ns = avout__deadline_in_ms(timeout_ms ? timeout_ms : stm->timeout_ms);
    avout_status status = new_foreign(&foreign, stm, name, container, deadline_ns);
    if (!status) status = avout__foreign_collect(&found, stm, foreign, remove, deadline_ns);
    avout__foreign_unref(foreign);
    if (!status && orphans) *orphans = found;
    return status;
}

avout_status avout_distributed_kind(char kind[AVOUT_KIND_SIZE], bool *versioned,
                                    avout_client *client, const char *name, int64_t timeout_ms)
{
    avout__stm *stm = client->stm;
    int64_t deadline_ns = avout__deadline_in_ms(timeout_ms ? timeout_ms : stm->timeout_ms);
    avout_status status = avout__stm_usable(stm);
    if (!status) status = avout__name_check(name);
    if (status) return status;
    char path[AVOUT__PATH_MAX];
    avout__layout_path(path, name);
    avout_request get = {.kind = AVOUT_REQUEST_GET, .path = path};
    avout__reply reply = AVOUT__REPLY_INIT;
    status = avout__call_repeated(&reply, &stm->door, &get, name, deadline_ns);
    if (status == AVOUT_ENOTFOUND || (!status && !reply.is.length))
        status = avout_fail(AVOUT_ENOTFOUND, "%s: does not exist", name);
    bool has_versions = false;
    if (!status) has_versions = avout__pointer_kind(kind, reply.is.bytes, reply.is.length);
    if (!status && versioned) *versioned = has_versions;
    avout__reply_release(&reply);
    return status;
}
