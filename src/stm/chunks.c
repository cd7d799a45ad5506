/* Values that do not fit into their node: in pieces, below a node of the store's own.
 *
 *   /avout/chunks/HASH/CLIENT-N    {:chunks 3, :bytes 2500000}
 *   /avout/chunks/HASH/CLIENT-N.I  piece I of it, from 0 on
 *
 * To the rest of the engine this is a versioned container (F1 to F3 in foreign.c) which every cell has
 * whose values lie in the store, though most never use it: HASH is that of the cell's name, and
 * HASH-CLIENT-N the version, as with all containers. The pieces are created first and the node that
 * counts them last: where it is, all of the value is. A version is written by one thread, once, so a node
 * that is there already is one's own, from an attempt whose answer got lost.
 *
 * Whether a value is put here is decided when its transaction is prepared (avout__txn_spill). */
#include "stm/stm.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/text.h"
#include "base/banned.h"

enum { CHUNKS_MOST = 100000, HASH_LENGTH = 16, HEAD_SIZE = 80 };

#define HEAD "{:chunks %zu, :bytes %zu}"

typedef struct chunks {
    avout_versioned_container is;
    avout__stm *stm; /* lives as long as the cell whose values these are */
    const avout__container *format;
    char directory[sizeof AVOUT__CHUNKS + 1 + HASH_LENGTH];
} chunks;

/* ---- nodes ------------------------------------------------------------------------------------------ */

typedef struct node_path {
    char text[sizeof(((chunks *)0)->directory) + 1 + AVOUT__VERSION_SIZE + 8];
} node_path;

static node_path head_path(const chunks *at, const char *version)
{
    node_path path;
    snprintf(path.text, sizeof path.text, "%s/%s", at->directory, version + HASH_LENGTH + 1);
    return path;
}

static node_path chunk_path(const chunks *at, const char *version, size_t index)
{
    node_path path;
    snprintf(path.text, sizeof path.text, "%s/%s.%zu", at->directory, version + HASH_LENGTH + 1,
             index);
    return path;
}

static avout_status create(const chunks *at, const char *path, const char *bytes, size_t length,
                           int64_t deadline_ns)
{
    avout_op op = {.kind = AVOUT_OP_CREATE, .path = path, .bytes = bytes, .length = length};
    avout_request request = {.kind = AVOUT_REQUEST_MULTI, .ops = &op, .op_count = 1};
    avout_status status = avout__call_repeated(NULL, &at->stm->door, &request, path, deadline_ns);
    return status == AVOUT_EEXISTS ? AVOUT_OK : status;
}

static avout_status delete_node(const chunks *at, const char *path, int64_t deadline_ns)
{
    avout_op op = {.kind = AVOUT_OP_DELETE, .path = path, .version = AVOUT_VERSION_ANY};
    avout_request request = {.kind = AVOUT_REQUEST_MULTI, .ops = &op, .op_count = 1};
    avout_status status =
        avout__call_repeated(NULL, &at->stm->back_door, &request, path, deadline_ns);
    return status == AVOUT_ENOTFOUND ? AVOUT_OK : status;
}

/* ---- writing ---------------------------------------------------------------------------------------- */

static avout_status init_by(const chunks *at, int64_t deadline_ns)
{
    avout_status status = create(at, AVOUT__CHUNKS, "", 0, deadline_ns);
    return status ? status : create(at, at->directory, "", 0, deadline_ns);
}

static avout_status init(avout_versioned_container *container, int64_t timeout_ms)
{
    return init_by((chunks *)container, avout__deadline_in_ms(timeout_ms));
}

/* Most values need no place: it is made when the first one does. Somebody may take it away again. */
static avout_status create_in_place(const chunks *at, const char *path, const char *bytes,
                                    size_t length, int64_t deadline_ns)
{
    for (;;) {
        avout_status status = create(at, path, bytes, length, deadline_ns);
        if (status != AVOUT_ENOTFOUND) return status;
        status = init_by(at, deadline_ns);
        if (status) return status;
    }
}

static avout_status write_chunks(const chunks *at, const char *version, const avout__buffer *bytes,
                                 size_t chunk, int64_t deadline_ns)
{
    size_t count = 0;
    avout_status status = AVOUT_OK;
    for (size_t from = 0; !status && from < bytes->length; from += chunk, count++) {
        size_t length = bytes->length - from < chunk ? bytes->length - from : chunk;
        node_path path = chunk_path(at, version, count);
        status = create_in_place(at, path.text, bytes->data + from, length, deadline_ns);
    }
    if (status) return status;
    char head[HEAD_SIZE];
    int length = snprintf(head, sizeof head, HEAD, count, bytes->length);
    return create_in_place(at, head_path(at, version).text, head, (size_t)length, deadline_ns);
}

static avout_status set_state_at(avout_versioned_container *container, const char *version,
                                 avout_value value, int64_t timeout_ms)
{
    const chunks *at = (chunks *)container;
    int64_t deadline_ns = avout__deadline_in_ms(timeout_ms);
    size_t most = atomic_load_explicit(&at->stm->max_request, memory_order_relaxed);
    size_t overhead = 1024 + atomic_load_explicit(&at->stm->op_overhead, memory_order_relaxed);
    size_t chunk = most > 2 * overhead ? most - overhead : most / 2;
    avout__buffer bytes = AVOUT__BUFFER_INIT;
    avout_status status = at->format->encode(&bytes, value, at->format);
    if (!status && bytes.length / chunk >= CHUNKS_MOST)
        status = avout_fail(AVOUT_ELIMIT, "the value has %zu bytes, the limit is %zu", bytes.length,
                            CHUNKS_MOST * chunk);
    if (!status) status = write_chunks(at, version, &bytes, chunk, deadline_ns);
    avout__buffer_release(&bytes);
    return status;
}

/* ---- reading ---------------------------------------------------------------------------------------- */

static avout_status get(avout__reply *reply, const chunks *at, const node_path *path,
                        int64_t deadline_ns)
{
    avout_request request = {.kind = AVOUT_REQUEST_GET, .path = path->text};
    return avout__call_repeated(reply, &at->stm->door, &request, path->text, deadline_ns);
}

static avout_status read_head(size_t *count, size_t *length, const avout__reply *reply,
                              const node_path *path)
{
    char text[HEAD_SIZE], again[HEAD_SIZE];
    size_t size = reply->is.length < sizeof text ? reply->is.length : sizeof text - 1;
    if (size) memcpy(text, reply->is.bytes, size);
    text[size] = '\0';
    /* What was understood must be what is there, byte by byte. */
    *count = *length = 0;
    const char *at = strncmp(text, "{:chunks ", 9) ? NULL : text + 9;
    char *end = NULL;
    if (at) *count = strtoull(at, &end, 10);
    if (end && !strncmp(end, ", :bytes ", 9)) *length = strtoull(end + 9, NULL, 10);
    snprintf(again, sizeof again, HEAD, *count, *length);
    if (!strcmp(text, again) && *count <= CHUNKS_MOST) return AVOUT_OK;
    return avout_fail(AVOUT_EDATA, "%s: is not what this library writes there", path->text);
}

static avout_status read_chunks(avout__buffer *bytes, const chunks *at, const char *version,
                                size_t count, int64_t deadline_ns)
{
    for (size_t i = 0; i < count; i++) {
        node_path path = chunk_path(at, version, i);
        avout__reply reply = AVOUT__REPLY_INIT;
        avout_status status = get(&reply, at, &path, deadline_ns);
        if (!status) status = avout__buffer_add(bytes, reply.is.bytes, reply.is.length);
        avout__reply_release(&reply);
        if (status) return status;
    }
    return AVOUT_OK;
}

static avout_status get_state_at(avout_value *value, avout_versioned_container *container,
                                 const char *version, int64_t timeout_ms)
{
    const chunks *at = (chunks *)container;
    int64_t deadline_ns = avout__deadline_in_ms(timeout_ms);
    node_path path = head_path(at, version);
    avout__reply reply = AVOUT__REPLY_INIT;
    size_t count = 0, length = 0;
    avout_status status = get(&reply, at, &path, deadline_ns);
    if (!status) status = read_head(&count, &length, &reply, &path);
    avout__reply_release(&reply);
    avout__buffer bytes = AVOUT__BUFFER_INIT;
    if (!status) status = read_chunks(&bytes, at, version, count, deadline_ns);
    if (!status && bytes.length != length)
        status = avout_fail(AVOUT_EDATA, "%s: %zu bytes are there of %zu", path.text, bytes.length,
                            length);
    if (!status) status = at->format->decode(value, bytes.data, bytes.length, at->format);
    avout__buffer_release(&bytes);
    return status;
}

/* ---- listing, deleting ------------------------------------------------------------------------------ */

static avout_status list(avout__reply *reply, const chunks *at, int64_t deadline_ns)
{
    avout_request request = {.kind = AVOUT_REQUEST_LIST, .path = at->directory};
    return avout__call_repeated(reply, &at->stm->back_door, &request, at->directory, deadline_ns);
}

/* The node that counts goes first: what is left is no value any more, but is still listed. */
static avout_status delete_state_at(avout_versioned_container *container, const char *version,
                                    int64_t timeout_ms)
{
    const chunks *at = (chunks *)container;
    int64_t deadline_ns = avout__deadline_in_ms(timeout_ms);
    const char *name = version + HASH_LENGTH + 1;
    size_t length = strlen(name);
    avout_status status = delete_node(at, head_path(at, version).text, deadline_ns);
    avout__reply reply = AVOUT__REPLY_INIT;
    if (!status) status = list(&reply, at, deadline_ns);
    for (size_t i = 0; !status && i < reply.is.name_count; i++) {
        const char *found = reply.is.names[i];
        if (strncmp(found, name, length) || found[length] != '.') continue;
        char path[AVOUT__PATH_MAX];
        snprintf(path, sizeof path, "%s/%s", at->directory, found);
        status = delete_node(at, path, deadline_ns);
    }
    avout__reply_release(&reply);
    return status == AVOUT_ENOTFOUND ? AVOUT_OK : status;
}

/* Each once, whether it is whole or not. Sorted, "7", "7.0" and "7.1" lie side by side: '.' is less than
 * all that names are made of, but for '-', of which each has one. */
static avout_status list_versions(avout_versioned_container *container, avout_version_fn found,
                                  void *payload, int64_t timeout_ms)
{
    const chunks *at = (chunks *)container;
    avout__reply reply = AVOUT__REPLY_INIT;
    avout_status status = list(&reply, at, avout__deadline_in_ms(timeout_ms));
    const char *hash = strrchr(at->directory, '/') + 1;
    if (!status)
        qsort((void *)(uintptr_t)reply.is.names, reply.is.name_count, sizeof(char *),
              avout__by_text);
    char last[AVOUT__VERSION_SIZE] = "";
    for (size_t i = 0; !status && i < reply.is.name_count; i++) {
        char version[AVOUT__VERSION_SIZE];
        const char *name = reply.is.names[i];
        int length = (int)strcspn(name, ".");
        if (length > AVOUT_VERSION_MAX - HASH_LENGTH - 1) continue;
        snprintf(version, sizeof version, "%s-%.*s", hash, length, name);
        if (!strcmp(version, last)) continue;
        memcpy(last, version, sizeof last);
        status = found(version, payload);
    }
    avout__reply_release(&reply);
    return status == AVOUT_ENOTFOUND ? AVOUT_OK : status;
}

static avout_status destroy(avout_versioned_container *container, int64_t timeout_ms)
{
    const chunks *at = (chunks *)container;
    avout_status status = delete_node(at, at->directory, avout__deadline_in_ms(timeout_ms));
    return status == AVOUT_ENOTEMPTY ? AVOUT_OK : status;
}

static void close_chunks(avout_versioned_container *container)
{
    avout__free(container);
}

static const avout_versioned_container_ops ops = {
    .version = AVOUT_VERSIONED_CONTAINER_OPS_VERSION,
    .size = sizeof ops,
    .kind = AVOUT__CHUNKS_KIND,
    .init = init,
    .destroy = destroy,
    .get_state_at = get_state_at,
    .set_state_at = set_state_at,
    .delete_state_at = delete_state_at,
    .list_versions = list_versions,
    .close = close_chunks,
};

/* ---- a cell's --------------------------------------------------------------------------------------- */

static avout_status chunks_new(avout__foreign **foreign, avout__cell *cell)
{
    chunks *at = avout__calloc(1, sizeof *at);
    if (!at) return AVOUT_ENOMEM;
    snprintf(at->directory, sizeof at->directory, AVOUT__CHUNKS "/%016llx",
             (unsigned long long)avout__foreign_hash(cell->name));
    at->is = (avout_versioned_container){&ops, at->directory};
    at->stm = cell->stm;
    at->format = cell->container;
    return avout__foreign_new(foreign, &at->is, cell->name);
}

avout_status avout__cell_chunks(avout__foreign **foreign, avout__cell *cell)
{
    avout__foreign *none = NULL;
    *foreign = atomic_load_explicit(&cell->chunks, memory_order_acquire);
    if (*foreign) return AVOUT_OK;
    avout_status status = avout__sweeper_start(cell->stm, &ops);
    if (!status) status = chunks_new(foreign, cell);
    if (status) return status;
    if (atomic_compare_exchange_strong(&cell->chunks, &none, *foreign)) {
        /* Who uses it looks after it: the orphans of those who died here. */
        avout__sweep_orphans(cell->stm, *foreign, false, AVOUT__LATER);
        return AVOUT_OK;
    }
    avout__foreign_unref(*foreign);
    *foreign = none;
    return AVOUT_OK;
}

/* ---- what goes there -------------------------------------------------------------------------------- */

static bool may_spill(const avout__entry *entry)
{
    const avout__container *container = entry->cell->container;
    return entry->written && container->in_store && !container->foreign &&
           entry->written->kind == AVOUT__RECORD_VALUE && !entry->written->elsewhere;
}

static size_t bytes_of(const avout__entry *entry)
{
    const void *bytes;
    size_t length = 0;
    if (entry->written) avout__record_bytes(entry->written, &bytes, &length);
    return length;
}

/* The bytes would be taken for something else: for a tombstone, or for a pointer. */
static bool cannot_lie_in_its_node(const avout__entry *entry)
{
    const void *bytes;
    size_t length;
    avout__record_bytes(entry->written, &bytes, &length);
    return !length || avout__pointer_is(bytes, length);
}

static void spill(avout__entry *entry)
{
    avout__record_unref(entry->written);
    entry->written = NULL;
    entry->flags |= AVOUT__ENTRY_SPILL;
}

void avout__txn_spill(avout_txn *txn, size_t needed, size_t most)
{
    for (size_t i = 0; i < txn->count; i++)
        if (may_spill(&txn->entries[i]) && cannot_lie_in_its_node(&txn->entries[i]))
            spill(&txn->entries[i]);
    while (needed > most) {
        avout__entry *largest = NULL;
        for (size_t i = 0; i < txn->count; i++) {
            avout__entry *entry = &txn->entries[i];
            if (may_spill(entry) && (!largest || bytes_of(entry) > bytes_of(largest)))
                largest = entry;
        }
        size_t gain = largest ? bytes_of(largest) : 0;
        if (gain <= AVOUT__POINTER_MOST) return; /* its pointer would be no smaller */
        needed -= gain - AVOUT__POINTER_MOST;
        spill(largest);
    }
}
