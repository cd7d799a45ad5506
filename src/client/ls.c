/* Listing names. */
#include "avout/client.h"

#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/interrupt.h"
#include "stm/handles.h"
#include "store/store.h"
#include "base/text.h"
#include "base/banned.h"

/* The last segment of a node's path as the user knows it: "b" for a cell, "b/" for a directory. */
static avout_status add_name(avout_value *names, const char *node)
{
    char path[AVOUT__PATH_MAX], name[AVOUT__PATH_MAX + 1];
    size_t length = strlen(node);
    bool directory = length > 1 && node[length - 1] == ':';
    if (length > AVOUT__PATH_MAX / 4) return AVOUT_OK; /* nothing of ours */
    snprintf(path, sizeof path, "%s/%s%s", AVOUT__CELLS, node, directory ? "/" : "");
    if (!avout__layout_name(name, path)) return AVOUT_OK;
    return avout_conj(names, avout_string(name + 1));
}

static avout_status collect(avout_value *names, const avout_reply *reply)
{
    avout_value found = avout_vector(0, NULL);
    if (avout_is_none(found)) return avout_none_status();
    const char **sorted = avout__calloc(reply->name_count + 1, sizeof *sorted);
    avout_status status = sorted ? AVOUT_OK : AVOUT_ENOMEM;
    if (sorted && reply->name_count) {
        memcpy(sorted, reply->names, reply->name_count * sizeof *sorted);
        qsort(sorted, reply->name_count, sizeof *sorted, avout__by_text);
    }
    for (size_t i = 0; !status && i < reply->name_count; i++) status = add_name(&found, sorted[i]);
    avout__free(sorted);
    if (status) avout_release(found);
    else *names = found;
    return status;
}

avout_status avout_ls(avout_value *names, avout_client *client, const char *directory)
{
    avout__stm *stm = client->stm;
    avout_status status = avout__stm_usable(stm);
    if (!status && !directory) status = avout_fail(AVOUT_EINVAL, "directory is NULL");
    bool top = !status && !strcmp(directory, "/");
    if (!status && !top) status = avout__name_check(directory);
    if (status) return status;
    char path[AVOUT__PATH_MAX + 2] = AVOUT__CELLS;
    if (!top) {
        /* A directory is where the cells below it would be. */
        char below[AVOUT__PATH_MAX];
        snprintf(below, sizeof below, "%s/x", directory);
        size_t length = avout__layout_path(path, below);
        path[length - 2] = '\0';
    }
    avout_request request = {.kind = AVOUT_REQUEST_LIST, .path = path};
    avout__reply reply = AVOUT__REPLY_INIT;
    int64_t deadline_ns = avout__deadline_in_ms(stm->timeout_ms);
    do {
        avout__reply_release(&reply);
        status = avout__store_call(&reply, &stm->door, &request, deadline_ns);
    } while (avout__call_again(status, deadline_ns));
    if (status == AVOUT_ECONNECTION || status == AVOUT_ESESSION)
        status = avout_fail(avout__late(), "%s: %s", directory,
                            avout__late_text("no connection to the store before the deadline"));
    if (!status) status = collect(names, &reply.is);
    else if (status == AVOUT_ENOTFOUND)
        avout_fail(status, "%s: there is no atom or ref below it", directory);
    avout__reply_release(&reply);
    return status;
}
