/* Removing a lock: its node, and those of its conditions with what nobody waits for. Asks the store and waits
 * on the caller's thread. */
#include "lock/inspect.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/interrupt.h"
#include "lock/condition.h"
#include "lock/look.h"
#include "base/banned.h"

typedef struct removal {
    avout__locks *room;
    const char *name;
    int64_t deadline_ns;
    char path[AVOUT__NODE_MAX];
    char **nodes; /* to be deleted, as one, in this order */
    size_t count, capacity;
} removal;

static void forget(removal *r)
{
    while (r->count) avout__free(r->nodes[--r->count]);
}

/* Takes `node` over; NULL: there was no memory for it. */
static avout_status add_take(removal *r, char *node)
{
    if (!node || AVOUT__GROW(&r->nodes, &r->capacity, r->count + 1)) {
        avout__free(node);
        return AVOUT_ENOMEM;
    }
    r->nodes[r->count++] = node;
    return AVOUT_OK;
}

static avout_status busy(const removal *r)
{
    return avout_fail(AVOUT_EBUSY, "%s: somebody has it, or waits for it", r->name);
}

static avout_status foreign(const removal *r, const char *node)
{
    char quoted[AVOUT__QUOTE_SIZE];
    return avout_fail(AVOUT_ENOTEMPTY, "%s: there is a node that is not ours below it: %s", r->name,
                      avout__quote(quoted, node));
}

/* *there: whether there is such a node. */
static avout_status list(avout__reply *reply, bool *there, removal *r, const char *path)
{
    avout_status status = avout__room_list(reply, r->room, r->name, path, r->deadline_ns);
    *there = !status;
    return status == AVOUT_ENOTFOUND ? AVOUT_OK : status;
}

static avout_status add_lock(removal *r)
{
    avout__reply reply = AVOUT__REPLY_INIT;
    bool there;
    avout_status status = list(&reply, &there, r, r->path);
    size_t count = there ? reply.is.name_count : 0;
    for (size_t i = 0; !status && i < count; i++)
        if (avout__lock_foreign(reply.is.names[i])) status = foreign(r, reply.is.names[i]);
    if (!status && count) status = busy(r);
    if (!status && there) status = add_take(r, avout__strdup(r->path));
    avout__reply_release(&reply);
    return status;
}

/* Signals that nobody waits for are in nobody's way. */
static avout_status add_condition(removal *r, const char *path)
{
    avout__reply reply = AVOUT__REPLY_INIT;
    bool there;
    avout_status status = list(&reply, &there, r, path);
    size_t count = there ? reply.is.name_count : 0;
    for (size_t i = 0; !status && i < count; i++) {
        avout__claim_name waiter;
        int64_t sequence;
        const char *node = reply.is.names[i];
        if (avout__name_parse(&waiter, 't', node)) status = busy(r);
        else if (!avout__signal_parse(&sequence, node)) status = foreign(r, node);
        else status = add_take(r, avout__format("%s/%s", path, node));
    }
    if (!status && there) status = add_take(r, avout__strdup(path));
    avout__reply_release(&reply);
    return status;
}

static avout_status add_conditions(removal *r)
{
    char directory[AVOUT__NODE_MAX], path[AVOUT__CONDITION_PATH];
    size_t length = (size_t)(strrchr(r->path, '/') - r->path);
    memcpy(directory, r->path, length);
    directory[length] = '\0';
    size_t prefix = strlen(r->path + length + 1), mark = strlen(AVOUT__CONDITION_MARK);
    avout__reply reply = AVOUT__REPLY_INIT;
    bool there;
    avout_status status = list(&reply, &there, r, directory);
    size_t count = there ? reply.is.name_count : 0;
    for (size_t i = 0; !status && i < count; i++) {
        const char *node = reply.is.names[i];
        if (strncmp(node, r->path + length + 1, prefix) ||
            strncmp(node + prefix, AVOUT__CONDITION_MARK, mark))
            continue;
        if (snprintf(path, sizeof path, "%s/%s", directory, node) < (int)sizeof path)
            status = add_condition(r, path);
    }
    avout__reply_release(&reply);
    return status;
}

/* As one: refused if anybody is there by then. */
static avout_status delete_all(removal *r)
{
    avout_op *ops = avout__calloc(r->count, sizeof *ops);
    if (!ops) return AVOUT_ENOMEM;
    for (size_t i = 0; i < r->count; i++)
        ops[i] =
            (avout_op){.kind = AVOUT_OP_DELETE, .path = r->nodes[i], .version = AVOUT_VERSION_ANY};
    avout_request request = {.kind = AVOUT_REQUEST_MULTI, .ops = ops, .op_count = r->count};
    avout_status status = avout__store_call(NULL, &r->room->door, &request, r->deadline_ns);
    avout__free(ops);
    return status == AVOUT_ENOTEMPTY ? busy(r) : status;
}

static avout_status remove_all(removal *r)
{
    for (bool unclear = false;;) {
        forget(r);
        avout_status status = add_lock(r);
        if (!status) status = add_conditions(r);
        if (!status && !r->count)
            return unclear ? AVOUT_OK /* it was us */
                           : avout_fail(AVOUT_ENOTFOUND, "%s: there is no such lock", r->name);
        bool asked = !status;
        if (!status) status = delete_all(r);
        /* Who was there when it was listed may have gone; a node gone without us is as good. */
        if (asked && status == AVOUT_ENOTFOUND && !avout__deadline_passed(r->deadline_ns)) continue;
        if (!avout__try_again(status, r->deadline_ns)) return avout__no_connection(status, r->name);
        unclear = unclear || asked;
    }
}

avout_status avout__lock_remove(avout__locks *room, const char *name)
{
    avout_status status = avout__locks_usable(room);
    if (!status && !name) status = avout_fail(AVOUT_EINVAL, "the lock's name is NULL");
    if (!status) status = avout__name_check(name);
    if (status) return status;
    removal r = {.room = room, .name = name};
    r.deadline_ns = avout__deadline_in_ms(room->timeout_ms);
    avout__node_path(r.path, AVOUT__LOCKS_PATH, name);
    status = remove_all(&r);
    forget(&r);
    avout__free(r.nodes);
    return status;
}
