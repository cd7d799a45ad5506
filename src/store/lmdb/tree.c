#include "store/lmdb/tree.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "store/lmdb/log.h"
#include "store/lmdb/name.h"
#include "base/banned.h"

/* Where a path leads. */
typedef struct place {
    uint64_t parent, id;
    const char *name;
    size_t name_length, parent_length; /* of the parent's path, without the slash but for "/" */
    avout__lmdb_node node;
    const char *bytes; /* in LMDB's page: until the next write */
    size_t length;
} place;

static avout_status broken(avout__lmdb_tree *tree, int code)
{
    tree->broken = avout__lmdb_fail(code, "cannot access the store");
    return tree->broken;
}

static avout_status damaged(avout__lmdb_tree *tree, const char *path)
{
    tree->broken = avout_fail(AVOUT_EIO, "the store is damaged at %s", path);
    return tree->broken;
}

/* ---- finding -------------------------------------------------------------------------------- */

/* AVOUT_ENOTFOUND without detail. */
static avout_status find_child(avout__lmdb_tree *tree, uint64_t parent, const char *name,
                               size_t length, uint64_t *id)
{
    avout__lmdb_child_key built;
    avout__lmdb_child_key_make(&built, parent, name, length, tree->head.hash_key);
    MDB_val key = {built.length, built.bytes}, value;
    int code = mdb_get(tree->txn, tree->env->child, &key, &value);
    if (code == MDB_NOTFOUND) return AVOUT_ENOTFOUND;
    if (code) return broken(tree, code);
    if (value.mv_size < sizeof *id) return damaged(tree, name);
    if (built.is_long && (value.mv_size - sizeof *id != length ||
                          memcmp((char *)value.mv_data + sizeof *id, name, length)))
        return AVOUT_ENOTFOUND;
    memcpy(id, value.mv_data, sizeof *id);
    return AVOUT_OK;
}

static avout_status load(avout__lmdb_tree *tree, uint64_t id, place *at, const char *path)
{
    MDB_val key = {sizeof id, &id}, value;
    int code = mdb_get(tree->txn, tree->env->node, &key, &value);
    if (code == MDB_NOTFOUND) return damaged(tree, path);
    if (code) return broken(tree, code);
    if (value.mv_size < sizeof at->node) return damaged(tree, path);
    memcpy(&at->node, value.mv_data, sizeof at->node);
    at->bytes = (char *)value.mv_data + sizeof at->node;
    at->length = value.mv_size - sizeof at->node;
    return AVOUT_OK;
}

/* Fills in what the path itself tells and the parent's id. AVOUT_ENOTFOUND: no parent. */
static avout_status find_parent(avout__lmdb_tree *tree, const char *path, place *at)
{
    const char *slash = strrchr(path, '/');
    if (!slash) return avout_fail(AVOUT_ENAME, "%s is not an absolute path", path);
    at->name = slash + 1;
    at->name_length = strlen(at->name);
    at->parent_length = slash == path ? 1 : (size_t)(slash - path);
    uint64_t id = AVOUT__LMDB_ROOT;
    for (const char *segment = path + 1; segment <= slash;) {
        const char *end = strchr(segment, '/');
        avout_status status = find_child(tree, id, segment, (size_t)(end - segment), &id);
        if (status) return status;
        segment = end + 1;
    }
    at->parent = id;
    return AVOUT_OK;
}

/* AVOUT_ENOTFOUND with the path as detail. */
static avout_status find(avout__lmdb_tree *tree, const char *path, place *at)
{
    avout_status status;
    if (!strcmp(path, "/")) {
        *at = (place){.id = AVOUT__LMDB_ROOT, .name = path + 1, .parent_length = 1};
    } else {
        status = find_parent(tree, path, at);
        if (!status) status = find_child(tree, at->parent, at->name, at->name_length, &at->id);
        if (status == AVOUT_ENOTFOUND) return avout_fail(status, "%s does not exist", path);
        if (status) return status;
    }
    return load(tree, at->id, at, path);
}

static void describe(avout_stat *stat, const avout__lmdb_node *node, size_t length)
{
    *stat = (avout_stat){
        .version = node->version,
        .created = node->created,
        .changed = node->changed,
        .changed_ms = node->changed_ms,
        .owner = node->owner,
        .children = node->children > INT32_MAX ? INT32_MAX : (int32_t)node->children,
        .length = length,
        .watchers = -1, /* armed watches are each handle's own */
    };
}

/* ---- reading -------------------------------------------------------------------------------- */

avout_status avout__lmdb_tree_get(avout__lmdb_tree *tree, const char *path, avout_reply *reply,
                                  bool with_bytes)
{
    place at;
    avout_status status = find(tree, path, &at);
    if (status) return status;
    if (with_bytes) {
        reply->bytes = avout__lmdb_arena_copy(tree->arena, at.bytes, at.length);
        if (!reply->bytes) return AVOUT_ENOMEM;
        reply->length = at.length;
    }
    describe(&reply->stat, &at.node, at.length);
    return AVOUT_OK;
}

static const char *name_of(avout__lmdb_tree *tree, const MDB_val *key, const MDB_val *value)
{
    bool is_long = key->mv_size == AVOUT__LMDB_KEY_MOST;
    const MDB_val *from = is_long ? value : key;
    return avout__lmdb_arena_copy(tree->arena, (char *)from->mv_data + 8, from->mv_size - 8);
}

avout_status avout__lmdb_tree_list(avout__lmdb_tree *tree, const char *path, avout_reply *reply)
{
    place at;
    avout_status status = find(tree, path, &at);
    if (status) return status;
    describe(&reply->stat, &at.node, at.length);
    const char **names =
        avout__lmdb_arena_take(tree->arena, (at.node.children + 1) * sizeof *names);
    if (!names) return AVOUT_ENOMEM;
    MDB_cursor *cursor = NULL;
    int code = mdb_cursor_open(tree->txn, tree->env->child, &cursor);
    if (code) return broken(tree, code);
    unsigned char prefix[8];
    avout__lmdb_put_big_endian(prefix, at.id);
    MDB_val key = {sizeof prefix, prefix}, value;
    size_t count = 0;
    code = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
    while (!code && count < at.node.children && key.mv_size > sizeof prefix &&
           !memcmp(key.mv_data, prefix, sizeof prefix) && value.mv_size >= 8) {
        names[count] = name_of(tree, &key, &value);
        if (!names[count]) {
            status = AVOUT_ENOMEM;
            break;
        }
        count++;
        code = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
    }
    mdb_cursor_close(cursor);
    if (code && code != MDB_NOTFOUND) return broken(tree, code);
    reply->names = names;
    reply->name_count = count;
    return status;
}

/* ---- writing -------------------------------------------------------------------------------- */

static avout_status store(avout__lmdb_tree *tree, uint64_t id, const avout__lmdb_node *node,
                          const void *bytes, size_t length)
{
    MDB_val key = {sizeof id, &id}, value = {sizeof *node + length, NULL};
    int code = mdb_put(tree->txn, tree->env->node, &key, &value, MDB_RESERVE);
    if (code) return broken(tree, code);
    memcpy(value.mv_data, node, sizeof *node);
    if (length) memcpy((char *)value.mv_data + sizeof *node, bytes, length);
    return AVOUT_OK;
}

/* Writes the node's record with its bytes as they are: they lie in a page that the writing may
 * move, so they are copied first. */
static avout_status store_header(avout__lmdb_tree *tree, uint64_t id, const place *at)
{
    char small[1024] = "", *copy = small;
    if (at->length > sizeof small && !(copy = avout__alloc(at->length)))
        return tree->broken = AVOUT_ENOMEM;
    if (at->length) memcpy(copy, at->bytes, at->length);
    avout_status status = store(tree, id, &at->node, copy, at->length);
    if (copy != small) avout__free(copy);
    return status;
}

static avout_status event(avout__lmdb_tree *tree, avout_node_event kind, const char *path)
{
    tree->changed = true;
    if (!avout__lmdb_event_add(tree->events, kind, path)) return AVOUT_OK;
    return tree->broken = AVOUT_ENOMEM;
}

static avout_status put_child(avout__lmdb_tree *tree, const place *at, const char *name,
                              size_t length)
{
    avout__lmdb_child_key built;
    avout__lmdb_child_key_make(&built, at->parent, name, length, tree->head.hash_key);
    MDB_val key = {built.length, built.bytes};
    MDB_val value = {sizeof at->id + (built.is_long ? length : 0), NULL};
    int code = mdb_put(tree->txn, tree->env->child, &key, &value, MDB_RESERVE | MDB_NOOVERWRITE);
    if (code == MDB_KEYEXIST)
        return tree->broken = avout_fail(AVOUT_EIO, "two names have one hash: %s", name);
    if (code) return broken(tree, code);
    memcpy(value.mv_data, &at->id, sizeof at->id);
    if (built.is_long) memcpy((char *)value.mv_data + sizeof at->id, name, length);
    return AVOUT_OK;
}

static void session_key(unsigned char bytes[16], int64_t session, uint64_t id)
{
    avout__lmdb_put_big_endian(bytes, (uint64_t)session);
    avout__lmdb_put_big_endian(bytes + 8, id);
}

static avout_status put_ephemeral(avout__lmdb_tree *tree, uint64_t id, const char *path)
{
    unsigned char bytes[16];
    if (avout__lmdb_tree_next_session(tree, tree->session - 1) != tree->session)
        tree->log_flags |= AVOUT__LMDB_LOG_SESSIONS;
    session_key(bytes, tree->session, id);
    char *copy = avout__lmdb_arena_copy(tree->arena, path, strlen(path));
    if (!copy) return tree->broken = AVOUT_ENOMEM;
    MDB_val key = {sizeof bytes, bytes}, value = {strlen(path) + 1, copy};
    int code = mdb_put(tree->txn, tree->env->eph, &key, &value, 0);
    return code ? broken(tree, code) : AVOUT_OK;
}

static avout_status check_parent(const place *parent, const char *path)
{
    if (!parent->node.owner) return AVOUT_OK;
    return avout_fail(AVOUT_EEPHEMERAL, "%s: its parent is ephemeral and can have no children",
                      path);
}

static avout_status no_parent(const char *path)
{
    return avout_fail(AVOUT_ENOTFOUND, "%s: its parent does not exist", path);
}

static avout_status exists(const char *path)
{
    return avout_fail(AVOUT_EEXISTS, "%s exists already", path);
}

/* The path to create, with the next free number behind it if the operation asks for one. */
static avout_status choose_name(avout__lmdb_tree *tree, const avout_op *op, place *at,
                                place *parent, const char **path)
{
    uint64_t other;
    size_t length = strlen(op->path);
    if (!op->sequential) {
        *path = op->path;
        avout_status status = find_child(tree, at->parent, at->name, at->name_length, &other);
        return status == AVOUT_ENOTFOUND ? AVOUT_OK : status ? status : exists(op->path);
    }
    char *chosen = avout__lmdb_arena_take(tree->arena, length + 21);
    if (!chosen) return tree->broken = AVOUT_ENOMEM;
    memcpy(chosen, op->path, length);
    at->name = chosen + (at->name - op->path);
    avout_status status;
    do {
        /* A name that somebody gave without asking for a number is passed over. */
        snprintf(chosen + length, 21, "%010llu", (unsigned long long)parent->node.next_sequence++);
        at->name_length = strlen(at->name);
        status = find_child(tree, at->parent, at->name, at->name_length, &other);
    } while (!status);
    *path = chosen;
    return status == AVOUT_ENOTFOUND ? AVOUT_OK : status;
}

static avout_status create(avout__lmdb_tree *tree, const avout_op *op, avout_op_result *result)
{
    place at = {0}, parent = {0};
    const char *path;
    if (!op->sequential && !strcmp(op->path, "/")) return exists(op->path);
    avout_status status = find_parent(tree, op->path, &at);
    if (status == AVOUT_ENOTFOUND) return no_parent(op->path);
    if (!status) status = load(tree, at.parent, &parent, op->path);
    if (!status) status = check_parent(&parent, op->path);
    if (!status) status = choose_name(tree, op, &at, &parent, &path);
    if (status) return status;

    at.id = tree->head.next_id++;
    avout_point now = avout__lmdb_point(&tree->head);
    at.node = (avout__lmdb_node){.created = now,
                                 .changed = now,
                                 .changed_ms = tree->now_ms,
                                 .owner = op->ephemeral ? tree->session : 0};
    parent.node.children++;
    tree->changed = true;
    status = store_header(tree, at.parent, &parent);
    if (!status) status = put_child(tree, &at, at.name, at.name_length);
    if (!status) status = store(tree, at.id, &at.node, op->bytes, op->length);
    if (!status && op->ephemeral) status = put_ephemeral(tree, at.id, path);
    if (!status) status = event(tree, AVOUT_NODE_CREATED, path);
    if (status || !result) return status;
    *result = (avout_op_result){.path = path, .has_stat = true};
    describe(&result->stat, &at.node, op->length);
    return AVOUT_OK;
}

static avout_status check_version(const place *at, const avout_op *op)
{
    if (op->version == AVOUT_VERSION_ANY || op->version == at->node.version) return AVOUT_OK;
    return avout_fail(AVOUT_EVERSION, "%s has version %lld, not %lld", op->path,
                      (long long)at->node.version, (long long)op->version);
}

static avout_status check_delete(const place *at, const avout_op *op)
{
    avout_status status = check_version(at, op);
    if (status) return status;
    if (at->id == AVOUT__LMDB_ROOT) return avout_fail(AVOUT_EPERM, "the root cannot be deleted");
    if (at->node.children) return avout_fail(AVOUT_ENOTEMPTY, "%s has children", op->path);
    return AVOUT_OK;
}

static int delete_key(avout__lmdb_tree *tree, MDB_dbi table, void *bytes, size_t length)
{
    MDB_val key = {length, bytes};
    return mdb_del(tree->txn, table, &key, NULL);
}

static avout_status remove_node(avout__lmdb_tree *tree, const avout_op *op)
{
    place at, parent = {0};
    avout_status status = find(tree, op->path, &at);
    if (!status) status = check_delete(&at, op);
    if (!status) status = load(tree, at.parent, &parent, op->path);
    if (status) return status;
    tree->changed = true;
    parent.node.children--;
    status = store_header(tree, at.parent, &parent);
    if (status) return status;
    avout__lmdb_child_key built;
    avout__lmdb_child_key_make(&built, at.parent, at.name, at.name_length, tree->head.hash_key);
    int code = delete_key(tree, tree->env->child, built.bytes, built.length);
    if (!code) code = delete_key(tree, tree->env->node, &at.id, sizeof at.id);
    if (!code && at.node.owner) {
        unsigned char bytes[16];
        session_key(bytes, at.node.owner, at.id);
        code = delete_key(tree, tree->env->eph, bytes, sizeof bytes);
    }
    return code ? broken(tree, code) : event(tree, AVOUT_NODE_DELETED, op->path);
}

static avout_status set(avout__lmdb_tree *tree, const avout_op *op, avout_op_result *result)
{
    place at;
    avout_status status = find(tree, op->path, &at);
    if (!status) status = check_version(&at, op);
    if (status) return status;
    tree->changed = true;
    at.node.version++;
    at.node.changed = avout__lmdb_point(&tree->head);
    at.node.changed_ms = tree->now_ms;
    status = store(tree, at.id, &at.node, op->bytes, op->length);
    if (!status) status = event(tree, AVOUT_NODE_CHANGED, op->path);
    if (status || !result) return status;
    *result = (avout_op_result){.has_stat = true};
    describe(&result->stat, &at.node, op->length);
    return AVOUT_OK;
}

static avout_status check(avout__lmdb_tree *tree, const avout_op *op)
{
    place at;
    avout_status status = find(tree, op->path, &at);
    return status ? status : check_version(&at, op);
}

avout_status avout__lmdb_tree_apply(avout__lmdb_tree *tree, const avout_op *op,
                                    avout_op_result *result)
{
    if (result) *result = (avout_op_result){0};
    switch (op->kind) {
    case AVOUT_OP_CREATE: return create(tree, op, result);
    case AVOUT_OP_DELETE: return remove_node(tree, op);
    case AVOUT_OP_SET: return set(tree, op, result);
    case AVOUT_OP_CHECK: return check(tree, op);
    }
    return avout_fail(AVOUT_EINVAL, "unknown kind of operation: %d", (int)op->kind);
}

avout_status avout__lmdb_tree_foresee(avout__lmdb_tree *tree, const avout_op *op)
{
    place at = {0}, parent = {0};
    uint64_t other;
    if (op->kind != AVOUT_OP_CREATE) {
        avout_status status = find(tree, op->path, &at);
        if (status) return status;
        return op->kind == AVOUT_OP_DELETE ? check_delete(&at, op) : check_version(&at, op);
    }
    if (!op->sequential && !strcmp(op->path, "/")) return exists(op->path);
    avout_status status = find_parent(tree, op->path, &at);
    if (status == AVOUT_ENOTFOUND) return no_parent(op->path);
    if (!status) status = load(tree, at.parent, &parent, op->path);
    if (!status) status = check_parent(&parent, op->path);
    if (status || op->sequential) return status;
    status = find_child(tree, at.parent, at.name, at.name_length, &other);
    return status == AVOUT_ENOTFOUND ? AVOUT_OK : status ? status : exists(op->path);
}

/* ---- sessions ------------------------------------------------------------------------------- */

/* The first entry of the table of ephemeral nodes at or behind (session, 0). */
static int first_ephemeral(avout__lmdb_tree *tree, int64_t session, MDB_val *key, MDB_val *value)
{
    unsigned char bytes[16];
    MDB_cursor *cursor = NULL;
    session_key(bytes, session, 0);
    *key = (MDB_val){sizeof bytes, bytes};
    int code = mdb_cursor_open(tree->txn, tree->env->eph, &cursor);
    if (code) return code;
    code = mdb_cursor_get(cursor, key, value, MDB_SET_RANGE);
    mdb_cursor_close(cursor);
    return code;
}

int64_t avout__lmdb_tree_next_session(avout__lmdb_tree *tree, int64_t after)
{
    MDB_val key, value;
    int code = first_ephemeral(tree, after + 1, &key, &value);
    if (code && code != MDB_NOTFOUND) broken(tree, code);
    if (code || key.mv_size != 16) return 0;
    return (int64_t)avout__lmdb_get_big_endian(key.mv_data);
}

avout_status avout__lmdb_tree_reap(avout__lmdb_tree *tree, int64_t session)
{
    for (;;) {
        MDB_val key, value;
        int code = first_ephemeral(tree, session, &key, &value);
        if (code && code != MDB_NOTFOUND) return broken(tree, code);
        if (code || key.mv_size != 16 ||
            (int64_t)avout__lmdb_get_big_endian(key.mv_data) != session)
            return AVOUT_OK;
        char *path = value.mv_size
                         ? avout__lmdb_arena_copy(tree->arena, value.mv_data, value.mv_size - 1)
                         : NULL;
        if (!path) return tree->broken = AVOUT_ENOMEM;
        avout_op op = {.kind = AVOUT_OP_DELETE, .path = path, .version = AVOUT_VERSION_ANY};
        avout_status status = remove_node(tree, &op);
        if (status) return tree->broken = status;
        tree->log_flags |= AVOUT__LMDB_LOG_SESSIONS;
    }
}
