/* The tree of nodes, its multi and its watches. A multi is applied operation by operation, each
 * leaving in itself what undoes it; events are queued only when all of them took effect. */
#include "store/mem/world.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/text.h"
#include "base/banned.h"

/* ---- blobs and tables -------------------------------------------------------------------------- */

mem_blob *avout__mem_blob_new(const void *bytes, size_t length)
{
    mem_blob *blob = avout__alloc(sizeof *blob + length + 1);
    if (!blob) return NULL;
    atomic_init(&blob->references, 1);
    blob->length = length;
    if (length) memcpy(blob->bytes, bytes, length);
    blob->bytes[length] = '\0';
    return blob;
}

void avout__mem_blob_unref(mem_blob *blob)
{
    if (blob && atomic_fetch_sub(&blob->references, 1) == 1) avout__free(blob);
}

static avout_status table_init(mem_table *table)
{
    enum { FIRST = 64 };
    table->buckets = avout__calloc(FIRST, sizeof *table->buckets);
    if (!table->buckets) return AVOUT_ENOMEM;
    table->bucket_count = FIRST;
    return AVOUT_OK;
}

/* Without memory the chains just grow longer. */
static void table_grow(mem_table *table)
{
    size_t wanted = table->bucket_count * 4;
    mem_entry **larger = avout__calloc(wanted, sizeof *larger);
    if (!larger) return;
    for (size_t i = 0; i < table->bucket_count; i++) {
        for (mem_entry *entry = table->buckets[i], *next; entry; entry = next) {
            next = entry->next;
            entry->next = larger[entry->hash & (wanted - 1)];
            larger[entry->hash & (wanted - 1)] = entry;
        }
    }
    avout__free(table->buckets);
    table->buckets = larger;
    table->bucket_count = wanted;
}

static void table_add(mem_table *table, mem_entry *entry)
{
    if (table->count > table->bucket_count) table_grow(table);
    entry->hash = avout__hash_text(entry->path, strlen(entry->path));
    mem_entry **bucket = &table->buckets[entry->hash & (table->bucket_count - 1)];
    entry->next = *bucket;
    *bucket = entry;
    table->count++;
}

static void table_remove(mem_table *table, mem_entry *entry)
{
    mem_entry **at = &table->buckets[entry->hash & (table->bucket_count - 1)];
    while (*at != entry) at = &(*at)->next;
    *at = entry->next;
    table->count--;
}

static mem_entry *table_chain(const mem_table *table, const char *path, size_t length,
                              uint32_t *hash)
{
    *hash = avout__hash_text(path, length);
    return table->buckets[*hash & (table->bucket_count - 1)];
}

/* ---- nodes --------------------------------------------------------------------------------------- */

mem_node *avout__mem_node_new(const char *path, size_t room)
{
    mem_node *node = avout__calloc(1, sizeof *node + strlen(path) + room + 1);
    if (!node) return NULL;
    node->entry.path = (char *)(node + 1);
    memcpy(node->entry.path, path, strlen(path) + 1);
    avout__list_init(&node->children);
    return node;
}

void avout__mem_node_free(mem_node *node)
{
    if (!node) return;
    avout__mem_blob_unref(node->blob);
    avout__free(node);
}

static mem_node *find(mem_world *world, const char *path, size_t length)
{
    uint32_t hash;
    for (mem_entry *entry = table_chain(&world->nodes, path, length, &hash); entry;
         entry = entry->next)
        if (entry->hash == hash && !strncmp(entry->path, path, length) && !entry->path[length])
            return (mem_node *)entry;
    return NULL;
}

mem_node *avout__mem_find(mem_world *world, const char *path)
{
    return find(world, path, strlen(path));
}

/* Length of the parent's path. */
static size_t parent_length(const char *path)
{
    size_t length = (size_t)(strrchr(path, '/') - path);
    return length ? length : 1;
}

void avout__mem_stat(const mem_node *node, avout_stat *stat)
{
    *stat = (avout_stat){
        .version = node->version,
        .created = node->created,
        .changed = node->changed,
        .changed_ms = node->changed_ms,
        .owner = node->owner,
        .children = node->child_count,
        .length = node->blob ? node->blob->length : 0,
        .watchers = -1,
    };
}

static void attach(mem_world *world, mem_node *node, mem_node *parent)
{
    node->parent = parent;
    avout__list_append(&parent->children, &node->sibling);
    parent->child_count++;
    table_add(&world->nodes, &node->entry);
}

static void detach(mem_world *world, mem_node *node)
{
    table_remove(&world->nodes, &node->entry);
    avout__link_remove(&node->sibling);
    node->parent->child_count--;
}

avout_status avout__mem_tree_init(mem_world *world)
{
    mem_node *root = NULL;
    if (table_init(&world->nodes) || table_init(&world->watches) ||
        !(root = avout__mem_node_new("/", 0)) || !(root->blob = avout__mem_blob_new("", 0))) {
        avout__mem_node_free(root);
        avout__mem_tree_release(world);
        return AVOUT_ENOMEM;
    }
    table_add(&world->nodes, &root->entry);
    return AVOUT_OK;
}

void avout__mem_tree_release(mem_world *world)
{
    for (size_t i = 0; i < world->nodes.bucket_count; i++) {
        for (mem_entry *entry = world->nodes.buckets[i], *next; entry; entry = next) {
            next = entry->next;
            avout__mem_node_free((mem_node *)entry);
        }
    }
    avout__free(world->nodes.buckets);
    avout__free(world->watches.buckets);
    world->nodes = world->watches = (mem_table){0};
}

/* ---- watches --------------------------------------------------------------------------------------- */

mem_watch *avout__mem_armed(mem_handle *handle, const char *path, bool children)
{
    uint32_t hash;
    for (mem_entry *entry = table_chain(&handle->world->watches, path, strlen(path), &hash); entry;
         entry = entry->next) {
        mem_watch *watch = AVOUT__LINK_OF(entry, mem_watch, entry);
        if (watch->handle == handle && watch->children == children && entry->hash == hash &&
            !strcmp(entry->path, path))
            return watch;
    }
    return NULL;
}

int64_t avout__mem_watchers(mem_world *world, const char *path)
{
    uint32_t hash;
    int64_t count = 0;
    for (mem_entry *entry = table_chain(&world->watches, path, strlen(path), &hash); entry;
         entry = entry->next) {
        const mem_watch *watch = AVOUT__LINK_OF(entry, mem_watch, entry);
        count += !watch->children && entry->hash == hash && !strcmp(entry->path, path);
    }
    return count;
}

void avout__mem_arm(mem_handle *handle, mem_watch *watch)
{
    if (avout__mem_armed(handle, watch->entry.path, watch->children)) {
        avout__mem_item_free(&watch->item);
        return;
    }
    watch->handle = handle;
    table_add(&handle->world->watches, &watch->entry);
    avout__list_append(&handle->watches, &watch->link);
    avout__mem_counters *counters = &handle->counters;
    counters->armed++;
    counters->armed_bytes += strlen(watch->entry.path);
    if (counters->armed_bytes > counters->armed_bytes_most)
        counters->armed_bytes_most = counters->armed_bytes;
}

void avout__mem_disarm(mem_watch *watch)
{
    mem_handle *handle = watch->handle;
    table_remove(&handle->world->watches, &watch->entry);
    avout__link_remove(&watch->link);
    handle->counters.armed--;
    handle->counters.armed_bytes -= strlen(watch->entry.path);
}

/* What a client that is cut off misses waits for its return. */
static void fire(mem_world *world, const char *path, size_t length, bool children,
                 avout_node_event event)
{
    uint32_t hash;
    mem_entry *next;
    for (mem_entry *entry = table_chain(&world->watches, path, length, &hash); entry;
         entry = next) {
        next = entry->next;
        mem_watch *watch = AVOUT__LINK_OF(entry, mem_watch, entry);
        if (watch->children != children || entry->hash != hash ||
            strncmp(entry->path, path, length) || entry->path[length])
            continue;
        mem_handle *handle = watch->handle;
        avout__mem_disarm(watch);
        watch->event = event;
        handle->counters.events++;
        if (handle->state == MEM_CONNECTED) avout__mem_enqueue(handle, &watch->item);
        else avout__list_append(&handle->missed, &watch->item.link);
    }
}

static void fire_around(mem_world *world, const char *path, avout_node_event event)
{
    size_t length = strlen(path);
    fire(world, path, length, false, event);
    if (event == AVOUT_NODE_CHANGED) return;
    if (event == AVOUT_NODE_DELETED) fire(world, path, length, true, event);
    fire(world, path, parent_length(path), true, AVOUT_NODE_CHILDREN);
}

/* ---- the multi --------------------------------------------------------------------------------------- */

static bool version_fits(int64_t expected, const mem_node *node)
{
    return expected == AVOUT_VERSION_ANY || expected == node->version;
}

static avout_status apply_create(mem_world *world, const mem_body *body, mem_op *op)
{
    mem_node *parent = find(world, op->path, parent_length(op->path));
    if (!parent) return AVOUT_ENOTFOUND;
    if (op->sequential) {
        size_t room = MEM_SEQUENCE_DIGITS + 1;
        snprintf(op->path + op->base_length, room, "%010" PRIi32, parent->sequence);
        memcpy(op->fresh->entry.path, op->path, op->base_length + room);
    }
    if (avout__mem_find(world, op->path)) return AVOUT_EEXISTS;
    if (parent->owner) return AVOUT_EEPHEMERAL;
    /* At the end of its range it stays: as ZooKeeper 3.8 does it. */
    if (op->sequential && parent->sequence < INT32_MAX) parent->sequence++;
    mem_node *node = op->target = op->fresh;
    op->fresh = NULL;
    node->blob = op->blob;
    op->blob = NULL;
    node->version = 0;
    node->created = node->changed = world->point;
    node->changed_ms = avout__unix_ms();
    node->owner = op->ephemeral ? body->session : 0;
    attach(world, node, parent);
    return AVOUT_OK;
}

/* Versions wrap through -1, which then cannot be told from "any": as ZooKeeper 3.8 does it. */
static int32_t next_version(int32_t version)
{
    return (int32_t)((uint32_t)version + 1);
}

static void swap_blobs(mem_op *op)
{
    mem_blob *other = op->target->blob;
    op->target->blob = op->blob;
    op->blob = other;
}

static avout_status apply_set(mem_world *world, mem_op *op, mem_node *node)
{
    op->target = node;
    op->old_version = node->version;
    op->old_changed = node->changed;
    op->old_changed_ms = node->changed_ms;
    swap_blobs(op);
    node->version = next_version(node->version);
    node->changed = world->point;
    node->changed_ms = avout__unix_ms();
    return AVOUT_OK;
}

static avout_status apply_delete(mem_world *world, mem_op *op, mem_node *node)
{
    if (node->child_count || !node->parent) return AVOUT_ENOTEMPTY;
    op->target = node;
    detach(world, node);
    return AVOUT_OK;
}

static avout_status apply_op(mem_world *world, const mem_body *body, mem_op *op)
{
    op->target = NULL;
    if (op->kind == AVOUT_OP_CREATE) return apply_create(world, body, op);
    mem_node *node = avout__mem_find(world, op->path);
    if (!node) return AVOUT_ENOTFOUND;
    if (!version_fits(op->version, node)) return AVOUT_EVERSION;
    if (op->kind == AVOUT_OP_SET) return apply_set(world, op, node);
    if (op->kind == AVOUT_OP_DELETE) return apply_delete(world, op, node);
    return AVOUT_OK;
}

static void undo_op(mem_world *world, mem_op *op)
{
    mem_node *node = op->target;
    switch (op->kind) {
    case AVOUT_OP_CREATE:
        detach(world, node);
        op->fresh = node;
        op->blob = node->blob;
        node->blob = NULL;
        /* A number once given is not given again: engines differ, none promises it. */
        break;
    case AVOUT_OP_SET:
        swap_blobs(op);
        node->version = op->old_version;
        node->changed = op->old_changed;
        node->changed_ms = op->old_changed_ms;
        break;
    case AVOUT_OP_DELETE: attach(world, node, node->parent); break;
    case AVOUT_OP_CHECK: break;
    }
}

static char *refusal(mem_world *world, const mem_op *op, avout_status status)
{
    mem_node *node = avout__mem_find(world, op->path);
    switch (status) {
    case AVOUT_ENOTFOUND:
        if (op->kind == AVOUT_OP_CREATE)
            return avout__format("%s: the parent %.*s does not exist", op->path,
                                 (int)parent_length(op->path), op->path);
        return avout__format("%s: does not exist", op->path);
    case AVOUT_EVERSION:
        return avout__format("%s: version is %" PRId32 ", expected %" PRId64, op->path,
                             node ? node->version : -1, op->version);
    default: return avout__format("%s: %s", op->path, avout_status_text(status));
    }
}

/* Stats are as of each operation, so they are taken before the next one is applied. */
static void note_result(mem_op *op, avout_op_result *result)
{
    *result = (avout_op_result){0};
    if (op->kind == AVOUT_OP_CREATE) result->path = op->path;
    if (op->kind != AVOUT_OP_SET) return;
    result->has_stat = true;
    avout__mem_stat(op->target, &result->stat);
}

static bool session_alive(const mem_world *world, int64_t session)
{
    AVOUT__LIST_EACH(link, &world->handles)
    if (AVOUT__LINK_OF(link, mem_handle, link)->session == session) return true;
    return false;
}

static void finish_op(mem_world *world, mem_op *op)
{
    switch (op->kind) {
    case AVOUT_OP_CREATE: fire_around(world, op->path, AVOUT_NODE_CREATED); break;
    case AVOUT_OP_SET: fire_around(world, op->path, AVOUT_NODE_CHANGED); break;
    case AVOUT_OP_DELETE:
        fire_around(world, op->path, AVOUT_NODE_DELETED);
        avout__mem_node_free(op->target);
        break;
    case AVOUT_OP_CHECK: break;
    }
}

avout_status avout__mem_apply(mem_world *world, mem_body *body, size_t *failed_op, char **detail)
{
    avout_status status = AVOUT_OK;
    size_t done = 0;
    *failed_op = SIZE_MAX;
    world->point++;
    for (; done < body->op_count; done++) {
        mem_op *op = &body->ops[done];
        if (op->ephemeral && !session_alive(world, body->session)) status = AVOUT_ESESSION;
        if (!status) status = apply_op(world, body, op);
        if (status) break;
        note_result(op, &body->results[done]);
    }
    if (!status) {
        for (size_t i = 0; i < body->op_count; i++) finish_op(world, &body->ops[i]);
        return AVOUT_OK;
    }
    *failed_op = done;
    *detail = refusal(world, &body->ops[done], status);
    while (done--) undo_op(world, &body->ops[done]);
    return status;
}

/* Ephemeral nodes have no children: any order will do. */
void avout__mem_end_session(mem_world *world, int64_t session)
{
    bool any = false;
    for (size_t i = 0; i < world->nodes.bucket_count; i++) {
        for (mem_entry *entry = world->nodes.buckets[i], *next; entry; entry = next) {
            next = entry->next;
            mem_node *node = (mem_node *)entry;
            if (node->owner != session) continue;
            if (!any) world->point++;
            any = true;
            detach(world, node);
            fire_around(world, node->entry.path, AVOUT_NODE_DELETED);
            avout__mem_node_free(node);
        }
    }
}
