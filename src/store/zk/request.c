/* Requests as the client library wants them, and its answers as replies of the port.
 *
 * Everything a request points to is copied into one block, since it may have to wait for its turn.
 * The library's multi has no create2, so a create brings no stat; a set's stat carries the point of
 * the whole multi (mzxid). Versions are 32 bits wide there and 64 in the port: a version that no
 * node can have must fail as such, and never be cut to -1, which means "any". */
#include "store/zk/internal.h"

#include <limits.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/banned.h"

/* What the server appends to a sequential name: "%010d", of an int that may have wrapped. */
enum { SEQUENCE_LENGTH = 11 };

/* Sizes in the jute encoding. */
enum { WIRE_INT = 4, WIRE_OP_HEADER = 9 /* type, done, err */ };

static size_t acl_size(const struct ACL_vector *acl)
{
    size_t size = WIRE_INT;
    for (int i = 0; i < acl->count; i++)
        size += 3 * WIRE_INT + strlen(acl->data[i].id.scheme) + strlen(acl->data[i].id.id);
    return size;
}

size_t avout__zk_op_overhead(const avout__zk *zk)
{
    /* A create's: lengths of path and bytes, ACL, flags. */
    return WIRE_OP_HEADER + zk->chroot_length + 3 * WIRE_INT + acl_size(zk->acl);
}

size_t avout__zk_request_size(const avout__zk *zk, const avout_request *request)
{
    if (request->kind != AVOUT_REQUEST_MULTI)
        return avout__zk_op_overhead(zk) + strlen(request->path);
    size_t size = 0;
    for (size_t i = 0; i < request->op_count; i++) {
        const avout_op *op = &request->ops[i];
        size += avout__zk_op_overhead(zk) + strlen(op->path);
        if (op->kind == AVOUT_OP_CREATE || op->kind == AVOUT_OP_SET) size += op->length;
    }
    return size;
}

const char *avout__zk_strip(const avout__zk *zk, const char *path)
{
    if (!zk->chroot_length || strncmp(path, zk->chroot, zk->chroot_length)) return path;
    const char *rest = path + zk->chroot_length;
    return *rest ? rest : "/";
}

/* ---- making ------------------------------------------------------------------------------------ */

static size_t path_room(const avout__zk *zk, const char *path)
{
    return zk->chroot_length + strlen(path) + 1;
}

static char *put_path(const avout__zk *zk, char **cursor, const char *path, bool whole)
{
    char *start = *cursor, *at = start;
    if (!whole && zk->chroot_length) {
        memcpy(at, zk->chroot, zk->chroot_length);
        at += zk->chroot_length;
        if (!strcmp(path, "/")) path = "";
    }
    size_t length = strlen(path) + 1;
    memcpy(at, path, length);
    *cursor = at + length;
    return start;
}

static char *put_bytes(char **cursor, const void *bytes, size_t length)
{
    char *start = *cursor;
    if (length) memcpy(start, bytes, length);
    *cursor = start + length;
    return start;
}

static int narrow_version(int64_t version)
{
    return version < -1 || version > INT32_MAX ? INT32_MIN : (int)version;
}

static void put_op(zk_entry *entry, size_t i, const avout_op *op, char **cursor, bool whole)
{
    const avout__zk *zk = entry->zk;
    char *path = put_path(zk, cursor, op->path, whole);
    char *bytes = *cursor;
    if (op->kind == AVOUT_OP_CREATE || op->kind == AVOUT_OP_SET)
        bytes = put_bytes(cursor, op->bytes, op->length);
    switch (op->kind) {
    case AVOUT_OP_CREATE: {
        int room = op->sequential ? (int)strlen(path) + SEQUENCE_LENGTH + 1 : 0;
        int flags = (op->ephemeral ? ZOO_EPHEMERAL : 0) | (op->sequential ? ZOO_SEQUENCE : 0);
        zoo_create_op_init(&entry->ops[i], path, bytes, (int)op->length, zk->acl, flags,
                           room ? *cursor : NULL, room);
        *cursor += room;
        entry->results[i].path = path;
        break;
    }
    case AVOUT_OP_SET:
        zoo_set_op_init(&entry->ops[i], path, bytes, (int)op->length, narrow_version(op->version),
                        &entry->stats[i]);
        break;
    case AVOUT_OP_DELETE:
        zoo_delete_op_init(&entry->ops[i], path, narrow_version(op->version));
        break;
    case AVOUT_OP_CHECK:
        zoo_check_op_init(&entry->ops[i], path, narrow_version(op->version));
        break;
    }
}

static size_t text_room(const avout__zk *zk, const avout_request *request)
{
    if (request->kind != AVOUT_REQUEST_MULTI) return path_room(zk, request->path);
    size_t room = 0;
    for (size_t i = 0; i < request->op_count; i++) {
        const avout_op *op = &request->ops[i];
        room += path_room(zk, op->path);
        if (op->kind == AVOUT_OP_CREATE || op->kind == AVOUT_OP_SET) room += op->length;
        if (op->kind == AVOUT_OP_CREATE && op->sequential)
            room += path_room(zk, op->path) + SEQUENCE_LENGTH;
    }
    return room;
}

zk_entry *avout__zk_entry_new(avout__zk *zk, const avout_request *request, bool whole)
{
    size_t count = request->kind == AVOUT_REQUEST_MULTI ? request->op_count : 0;
    size_t records = sizeof(zk_entry) + count * (sizeof(zoo_op_t) + sizeof(struct Stat) +
                                                 sizeof(avout_op_result) + sizeof(zoo_op_result_t));
    zk_entry *entry = avout__alloc(records + text_room(zk, request));
    if (!entry) return NULL;
    memset(entry, 0, records);
    *entry = (zk_entry){.zk = zk,
                        .kind = request->kind,
                        .state = ZK_WAITING,
                        .watch = request->watch,
                        .done = request->done,
                        .payload = request->payload,
                        .op_count = count};
    entry->ops = (zoo_op_t *)(entry + 1);
    entry->stats = (struct Stat *)(entry->ops + count);
    entry->results = (avout_op_result *)(entry->stats + count);
    entry->outcomes = (zoo_op_result_t *)(entry->results + count);
    char *cursor = (char *)(entry->outcomes + count);
    if (request->kind != AVOUT_REQUEST_MULTI)
        entry->path = put_path(zk, &cursor, request->path, whole);
    for (size_t i = 0; i < count; i++) put_op(entry, i, &request->ops[i], &cursor, whole);
    return entry;
}

/* ---- answers ----------------------------------------------------------------------------------- */

static zk_entry *entry_of(const void *data)
{
    return (zk_entry *)(uintptr_t)data;
}

static avout_stat stat_of(const struct Stat *from)
{
    return (avout_stat){.version = from->version,
                        .created = (avout_point)from->czxid,
                        .changed = (avout_point)from->mzxid,
                        .changed_ms = from->mtime,
                        .owner = from->ephemeralOwner,
                        .children = from->numChildren,
                        .length = from->dataLength < 0 ? 0 : (size_t)from->dataLength,
                        .watchers = -1};
}

enum { DETAIL_SIZE = 1400 };

static void fail_reply(avout_reply *reply, char *detail, int code, const zk_entry *entry,
                       const char *path)
{
    reply->status = avout__zk_status(code);
    reply->failed_op = SIZE_MAX;
    reply->detail = detail;
    /* The server takes another connection for the session's: only a new one ends that. */
    if (code == ZSESSIONMOVED) avout__zk_link_break(entry->zk);
    if (path)
        snprintf(detail, DETAIL_SIZE, "%s: %s", avout__zk_strip(entry->zk, path),
                 avout__zk_reason(code));
    else
        snprintf(detail, DETAIL_SIZE, "ZooKeeper (%s): %s", entry->zk->servers,
                 avout__zk_reason(code));
}

static void on_data(int code, const char *bytes, int length, const struct Stat *stat,
                    const void *data)
{
    zk_entry *entry = entry_of(data);
    char detail[DETAIL_SIZE];
    avout_reply reply = {0};
    if (code) {
        fail_reply(&reply, detail, code, entry, entry->path);
    } else {
        reply.stat = stat_of(stat);
        reply.bytes = length > 0 ? bytes : "";
        reply.length = length > 0 ? (size_t)length : 0;
    }
    avout__zk_answer(entry, &reply);
}

static void on_stat(int code, const struct Stat *stat, const void *data)
{
    zk_entry *entry = entry_of(data);
    char detail[DETAIL_SIZE];
    avout_reply reply = {0};
    if (code) fail_reply(&reply, detail, code, entry, entry->path);
    else reply.stat = stat_of(stat);
    avout__zk_answer(entry, &reply);
}

static void on_children(int code, const struct String_vector *names, const struct Stat *stat,
                        const void *data)
{
    zk_entry *entry = entry_of(data);
    char detail[DETAIL_SIZE];
    avout_reply reply = {0};
    if (code) {
        fail_reply(&reply, detail, code, entry, entry->path);
    } else {
        reply.stat = stat_of(stat);
        reply.names = (const char *const *)names->data;
        reply.name_count = names->count < 0 ? 0 : (size_t)names->count;
    }
    avout__zk_answer(entry, &reply);
}

static void on_text(int code, const char *text, const void *data)
{
    (void)text;
    zk_entry *entry = entry_of(data);
    char detail[DETAIL_SIZE];
    avout_reply reply = {0};
    if (code) fail_reply(&reply, detail, code, entry, entry->path);
    avout__zk_answer(entry, &reply);
}

static void on_nothing(int code, const void *data)
{
    on_text(code, NULL, data);
}

static const char *op_path(const zoo_op_t *op)
{
    switch (op->type) {
    case ZOO_DELETE_OP: return op->delete_op.path;
    case ZOO_SETDATA_OP: return op->set_op.path;
    case ZOO_CHECK_OP: return op->check_op.path;
    default: return op->create_op.path;
    }
}

/* The server marks what it had accepted before the refused operation with 0, and what came after
 * with ZRUNTIMEINCONSISTENCY. When the request failed as a whole the library gives its code to all. */
static size_t find_refused(const zk_entry *entry, int code)
{
    if (!avout__zk_refuses_operation(code)) return SIZE_MAX;
    size_t i = 0;
    while (i < entry->op_count &&
           (!entry->outcomes[i].err || entry->outcomes[i].err == ZRUNTIMEINCONSISTENCY))
        i++;
    if (i == entry->op_count) return SIZE_MAX;
    bool all = i + 1 < entry->op_count && entry->outcomes[i + 1].err == code;
    return all ? SIZE_MAX : i;
}

static void accept_results(zk_entry *entry, avout_reply *reply)
{
    for (size_t i = 0; i < entry->op_count; i++) {
        avout_op_result *result = &entry->results[i];
        if (entry->ops[i].type == ZOO_SETDATA_OP) {
            result->has_stat = true;
            result->stat = stat_of(&entry->stats[i]);
            reply->point = result->stat.changed;
        } else if (result->path) {
            const char *told = entry->outcomes[i].value;
            result->path = avout__zk_strip(entry->zk, told ? told : result->path);
        }
    }
    reply->results = entry->results;
    reply->result_count = entry->op_count;
}

static void on_multi(int code, const void *data)
{
    zk_entry *entry = entry_of(data);
    char detail[DETAIL_SIZE];
    avout_reply reply = {.failed_op = SIZE_MAX};
    if (code) {
        size_t refused = find_refused(entry, code);
        const char *path = refused == SIZE_MAX ? NULL : op_path(&entry->ops[refused]);
        fail_reply(&reply, detail, code, entry, path);
        reply.failed_op = refused;
        reply.maybe_done = avout__zk_maybe_done(code);
    } else {
        accept_results(entry, &reply);
    }
    avout__zk_answer(entry, &reply);
}

/* ---- sending ----------------------------------------------------------------------------------- */

/* The library declares this parameter as a pointer to a pointer and uses it as the function. */
static void_completion_t *odd_pointer(void_completion_t function)
{
    return (void_completion_t *)(uintptr_t)function;
}

int avout__zk_entry_send(zk_entry *entry, zhandle_t *zh)
{
    watcher_fn watcher = entry->watch ? avout__zk_watcher : NULL;
    entry->sent_ns = avout__now_ns();
    if (entry->special == ZK_UNWATCH)
        return zoo_aremove_all_watches(zh, entry->path, ZWATCHTYPE_ANY, 0, odd_pointer(on_nothing),
                                       entry);
    if (entry->special == ZK_PROBE)
        return zoo_acreate(zh, entry->path, "", 0, entry->zk->acl, ZOO_EPHEMERAL, on_text, entry);
    switch (entry->kind) {
    case AVOUT_REQUEST_MULTI:
        return zoo_amulti(zh, (int)entry->op_count, entry->ops, entry->outcomes, on_multi, entry);
    case AVOUT_REQUEST_GET: return zoo_awget(zh, entry->path, watcher, entry->zk, on_data, entry);
    case AVOUT_REQUEST_EXISTS:
        return zoo_awexists(zh, entry->path, watcher, entry->zk, on_stat, entry);
    case AVOUT_REQUEST_LIST:
        return zoo_awget_children2(zh, entry->path, watcher, entry->zk, on_children, entry);
    case AVOUT_REQUEST_SYNC: return zoo_async(zh, entry->path, on_text, entry);
    }
    return ZUNIMPLEMENTED;
}
