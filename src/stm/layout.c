/* Where things lie in the store.
 *
 *   /avout                 "avout 1": the format
 *   /avout/cells/a:/b:/c   the atom or ref "/a/b/c": its value as the container writes it; nothing: a
 *                          tombstone. Directories end in a colon, so that the children of a cell's
 *                          node are never other cells: "/a" and "/a/b" may both exist, and a cell's
 *                          children are the queue of who wants to write it.
 *   /avout/chunks/...      what does not fit into its node (chunks.c)
 *   /avout/slots/ID-N      commit record slots of client ID (slot.c)
 */
#include "stm/stm.h"

#include <string.h>

#include "base/clock.h"
#include "base/interrupt.h"
#include "base/banned.h"

#define FORMAT "avout 1"

size_t avout__layout_path(char path[AVOUT__PATH_MAX], const char *name)
{
    return avout__node_path(path, AVOUT__CELLS, name);
}

bool avout__layout_name(char name[AVOUT__PATH_MAX], const char *path)
{
    return avout__node_name(name, AVOUT__CELLS, path);
}

/* One node of our own; there already is as good. */
static avout_status create_node(avout_store *store, const char *path, const char *text,
                                int64_t deadline_ns)
{
    avout_op op = {.kind = AVOUT_OP_CREATE, .path = path, .bytes = text, .length = strlen(text)};
    avout_request request = {.kind = AVOUT_REQUEST_MULTI, .ops = &op, .op_count = 1};
    avout_status status = avout__store_call(NULL, store, &request, deadline_ns);
    return status == AVOUT_EEXISTS ? AVOUT_OK : status;
}

/* A connection that breaks is waited for: these requests may be repeated. */
bool avout__call_again(avout_status status, int64_t deadline_ns)
{
    if (status != AVOUT_ECONNECTION && status != AVOUT_ESESSION) return false;
    if (avout__deadline_passed(deadline_ns)) return false;
    avout__pause_ms(20, deadline_ns);
    return true;
}

avout_status avout__call_repeated(avout__reply *reply, avout_store *store,
                                  const avout_request *request, const char *about,
                                  int64_t deadline_ns)
{
    for (;;) {
        avout_status status = avout__store_call(reply, store, request, deadline_ns);
        bool unanswered =
            status == AVOUT_UNKNOWN || status == AVOUT_ECONNECTION || status == AVOUT_ESESSION;
        if (!avout__call_again(status, deadline_ns))
            return unanswered ? avout_fail(avout__late(), "%s: %s", about,
                                           avout__late_text(
                                               "no answer from the store before the deadline"))
                              : status;
        if (reply) avout__reply_release(reply);
    }
}

static avout_status check_format(avout_store *store, bool *present, int64_t deadline_ns)
{
    avout_request request = {.kind = AVOUT_REQUEST_GET, .path = AVOUT__ROOT};
    avout__reply reply;
    avout_status status = avout__store_call(&reply, store, &request, deadline_ns);
    *present = status == AVOUT_OK;
    if (status == AVOUT_ENOTFOUND) status = AVOUT_OK;
    if (*present &&
        (reply.is.length != strlen(FORMAT) || memcmp(reply.is.bytes, FORMAT, reply.is.length)))
        status = avout_fail(AVOUT_EFORMAT,
                            "%s says \"%.*s\", this library knows \"%s\": the store is of another "
                            "version or not ours",
                            AVOUT__ROOT, (int)(reply.is.length < 40 ? reply.is.length : 40),
                            (const char *)reply.is.bytes, FORMAT);
    avout__reply_release(&reply);
    return status;
}

avout_status avout__layout_create(avout_store *store, int64_t deadline_ns)
{
    for (;;) {
        bool present = false;
        avout_status status = check_format(store, &present, deadline_ns);
        if (!status && !present) status = create_node(store, AVOUT__ROOT, FORMAT, deadline_ns);
        if (!status && !present) status = create_node(store, AVOUT__CELLS, "", deadline_ns);
        if (!status && !present) status = create_node(store, AVOUT__SLOTS_PATH, "", deadline_ns);
        if (!status && present) {
            /* Who made the root may have died before the rest. */
            avout_request request = {.kind = AVOUT_REQUEST_EXISTS, .path = AVOUT__SLOTS_PATH};
            status = avout__store_call(NULL, store, &request, deadline_ns);
            if (status == AVOUT_ENOTFOUND) {
                status = create_node(store, AVOUT__CELLS, "", deadline_ns);
                if (!status) status = create_node(store, AVOUT__SLOTS_PATH, "", deadline_ns);
            }
        }
        if (!avout__call_again(status, deadline_ns)) return status;
    }
}

avout_status avout__layout_parents(avout__stm *stm, const char *name, int64_t deadline_ns)
{
    char path[AVOUT__PATH_MAX];
    avout__layout_path(path, name);
    for (char *slash = strchr(path + strlen(AVOUT__CELLS) + 1, '/'); slash;
         slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        avout_op op = {.kind = AVOUT_OP_CREATE, .path = path};
        avout_request request = {.kind = AVOUT_REQUEST_MULTI, .ops = &op, .op_count = 1};
        avout_status status = avout__call_repeated(NULL, &stm->door, &request, name, deadline_ns);
        if (status && status != AVOUT_EEXISTS) return status;
        *slash = '/';
    }
    return AVOUT_OK;
}
