#include "store/lmdb/multi.h"

#include "base/alloc.h"
#include "base/error.h"
#include "store/lmdb/log.h"
#include "base/text.h"
#include "base/banned.h"

/* A refused multi that has already changed something costs the whole transaction, with everybody
 * else's multis in it. So the operations are looked at before any is done, as far as their outcome
 * can be told without doing the ones before: not when those touched the same nodes. What they touch
 * is kept as hashes; two that are equal by chance only make us look less far ahead. */

enum { ALIVE = 1, VERSION = 2, CHILDREN = 3 }; /* aspects of a node an operation depends on */

typedef struct touched {
    uint64_t *hashes;
    size_t mask;
} touched;

static uint64_t hash_of(const char *path, size_t length, uint64_t aspect)
{
    uint64_t basis = AVOUT__HASH64_BASIS ^ aspect * 0x9e3779b97f4a7c15u;
    uint64_t hash = avout__hash64_text(basis, path, length);
    return hash ? hash : 1;
}

static bool is_touched(const touched *set, uint64_t hash)
{
    for (size_t i = (hash ^ hash >> 32) & set->mask; set->hashes[i]; i = (i + 1) & set->mask)
        if (set->hashes[i] == hash) return true;
    return false;
}

static void touch(touched *set, uint64_t hash)
{
    size_t i = (hash ^ hash >> 32) & set->mask;
    while (set->hashes[i] && set->hashes[i] != hash) i = (i + 1) & set->mask;
    set->hashes[i] = hash;
}

static size_t parent_length(const char *path)
{
    const char *slash = strrchr(path, '/');
    return !slash || slash == path ? 1 : (size_t)(slash - path);
}

static bool can_be_told(const touched *set, const avout_op *op)
{
    size_t length = strlen(op->path);
    if (op->kind == AVOUT_OP_CREATE)
        return !is_touched(set, hash_of(op->path, length, ALIVE)) &&
               !is_touched(set, hash_of(op->path, parent_length(op->path), ALIVE));
    if (is_touched(set, hash_of(op->path, length, VERSION))) return false;
    return op->kind != AVOUT_OP_DELETE || !is_touched(set, hash_of(op->path, length, CHILDREN));
}

static void note(touched *set, const avout_op *op)
{
    size_t length = strlen(op->path);
    if (op->kind == AVOUT_OP_CHECK) return;
    touch(set, hash_of(op->path, length, VERSION));
    if (op->kind == AVOUT_OP_SET) return;
    touch(set, hash_of(op->path, length, ALIVE));
    touch(set, hash_of(op->path, parent_length(op->path), CHILDREN));
}

static avout_status look_ahead(avout__lmdb_tree *tree, const avout_request *request, size_t *failed)
{
    size_t size = 16;
    while (size < request->op_count * 6) size *= 2;
    touched set = {avout__lmdb_arena_take(tree->arena, size * sizeof(uint64_t)), size - 1};
    if (!set.hashes) return tree->broken = AVOUT_ENOMEM;
    memset(set.hashes, 0, size * sizeof(uint64_t));
    for (size_t i = 0; i < request->op_count; i++) {
        if (!can_be_told(&set, &request->ops[i])) return AVOUT_OK;
        avout_status status = avout__lmdb_tree_foresee(tree, &request->ops[i]);
        if (status) {
            *failed = i;
            return status;
        }
        note(&set, &request->ops[i]);
    }
    return AVOUT_OK;
}

bool avout__lmdb_multi_writes(const avout_request *request)
{
    for (size_t i = 0; i < request->op_count; i++)
        if (request->ops[i].kind != AVOUT_OP_CHECK) return true;
    return false;
}

static avout_status apply(avout__lmdb_tree *tree, const avout_request *request,
                          avout_op_result *results, size_t *failed)
{
    for (size_t i = 0; i < request->op_count; i++) {
        avout_status status = avout__lmdb_tree_apply(tree, &request->ops[i], &results[i]);
        if (!status) continue;
        if (!tree->broken) *failed = i;
        return status;
    }
    return AVOUT_OK;
}

avout_status avout__lmdb_multi(avout__lmdb_tree *tree, const avout_request *request,
                               avout_reply *reply, bool *partial)
{
    bool writes = avout__lmdb_multi_writes(request);
    size_t events = tree->events ? tree->events->length : 0;
    avout_status status = AVOUT_OK;
    tree->changed = false;
    tree->log_flags = 0;
    reply->failed_op = SIZE_MAX;
    avout_op_result *results =
        avout__lmdb_arena_take(tree->arena, (request->op_count + 1) * sizeof *results);
    if (!results) return tree->broken = AVOUT_ENOMEM;
    tree->head.sequence += writes; /* what it changes carries its own point */
    /* A single operation that is refused has changed nothing anyway. */
    if (writes && request->op_count > 1) status = look_ahead(tree, request, &reply->failed_op);
    if (!status) status = apply(tree, request, results, &reply->failed_op);
    if (!status && writes) {
        int code = avout__lmdb_log_put(tree->env, tree->txn, &tree->head, tree->log_flags,
                                       tree->events->data + events, tree->events->length - events);
        if (code) status = tree->broken = avout__lmdb_fail(code, "cannot write to the store");
    }
    if (status) {
        tree->head.sequence -= writes;
        if (tree->events) tree->events->length = events;
        *partial = tree->changed;
        return status;
    }
    reply->results = results;
    reply->result_count = request->op_count;
    reply->point = avout__lmdb_point(&tree->head);
    return AVOUT_OK;
}
