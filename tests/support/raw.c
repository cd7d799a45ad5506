#include "support/raw.h"

#include "base/clock.h"
#include "support/test.h"

enum { WAIT_MS = 20000 };

avout_status raw_do(avout_store *store, avout_op op)
{
    if (op.bytes && !op.length) op.length = strlen(op.bytes);
    avout_request multi = {.kind = AVOUT_REQUEST_MULTI, .ops = &op, .op_count = 1};
    return avout__store_call(NULL, store, &multi, avout__deadline_in_ms(WAIT_MS));
}

avout_status raw_delete(avout_store *store, const char *path)
{
    return raw_do(store,
                  (avout_op){.kind = AVOUT_OP_DELETE, .path = path, .version = AVOUT_VERSION_ANY});
}

int64_t raw_children(avout_store *store, const char *path)
{
    avout_request look = {.kind = AVOUT_REQUEST_EXISTS, .path = path};
    avout__reply reply = AVOUT__REPLY_INIT;
    avout_status status = avout__store_call(&reply, store, &look, avout__deadline_in_ms(WAIT_MS));
    int64_t children = status ? -1 : reply.is.stat.children;
    if (status != AVOUT_ENOTFOUND) CHECK_OK(status);
    avout__reply_release(&reply);
    return children;
}

size_t raw_list(avout__reply *reply, avout_store *store, const char *path)
{
    avout_request list = {.kind = AVOUT_REQUEST_LIST, .path = path};
    *reply = (avout__reply)AVOUT__REPLY_INIT;
    avout_status status = avout__store_call(reply, store, &list, avout__deadline_in_ms(WAIT_MS));
    if (status != AVOUT_ENOTFOUND) CHECK_OK(status);
    return reply->is.name_count;
}

void raw_child(char path[RAW_PATH], avout_store *store, const char *parent, raw_which which)
{
    avout__reply names;
    size_t count = raw_list(&names, store, parent);
    CHECK(which == RAW_ONLY ? count == 1 : count > 0);
    const char *found = names.is.names[0];
    for (size_t i = 1; i < count; i++) {
        int order = strcmp(strrchr(names.is.names[i], '-'), strrchr(found, '-'));
        if (which == RAW_LAST ? order > 0 : order < 0) found = names.is.names[i];
    }
    snprintf(path, RAW_PATH, "%s/%s", parent, found);
    avout__reply_release(&names);
}
