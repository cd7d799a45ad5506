/* Cells whose values are in containers: staging, reading, and what becomes of versions.
 *
 * The node of such a cell holds a pointer; moving it is an ordinary write of the engine's. What is new
 * is that a value must be in its container before the multi is sent, and that versions have to go when
 * nothing leads to them any more, without ever taking one that counts:
 *
 *  F1  Lineage. A fetched state begins a lineage; what this client commits on top of it continues it.
 *      A version is staged after its base is known, and is committed on a state of the base's lineage
 *      only. So between the moment the root of the lineage was the pointer in the store and the commit,
 *      nobody else has moved the pointer: each of the commits between was accepted at the version the
 *      one before it made.
 *  F2  Collecting. The collector reads the pointer (content, version), lists the versions, sets the
 *      pointer to the same content at that version (the bump), and then deletes what was listed and is
 *      not named. Let one of those, S, be committed after the bump: S was listed before the bump, so it
 *      was staged, and its root known, before the bump; then the bump is a move by somebody else between
 *      root and commit, and the store has refused the commit (F1). Was S committed before the pointer
 *      was read, it has been replaced since, or is named. Between reading and bump it was not: the bump
 *      would have been refused.
 *      Where there is no node, versions are staged for its creation. The collector does nothing then,
 *      and once there is a node a creation is refused for ever: nodes are not removed.
 *  F3  A version that this client has staged is deleted by it when it is certain that it is not named
 *      and will not be: it was never sent, or its multi was refused, or it was written over within one
 *      multi (`staged` in the record). Where the outcome stayed unknown it is left to the collector.
 *      A replaced version is deleted by who replaced it. That is done after a grace, for the sake of
 *      those who are about to read it; but who does not find a version asks for the pointer again, so
 *      no grace is needed for anything to be right.
 */
#include "stm/held.h"

#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/interrupt.h"
#include "base/thread.h"
#include "base/banned.h"

/* How long it is waited before a version that must be there is looked for again: from, to. */
enum { PAUSE_MS = 5, PAUSE_MOST_MS = 200 };

/* ---- where ---------------------------------------------------------------------------------------- */

avout__foreign *avout__cell_foreign(const avout__cell *cell)
{
    avout__foreign *foreign = avout__foreign_of(cell->container);
    return foreign ? foreign : atomic_load_explicit(&cell->chunks, memory_order_acquire);
}

bool avout__is_elsewhere(const avout__cell *cell, const void *bytes, size_t length)
{
    return cell->container->foreign || cell->container->held ||
           avout__pointer_is_of(bytes, length, AVOUT__CHUNKS_KIND);
}

/* ---- reading -------------------------------------------------------------------------------------- */

avout_status avout__cell_still(avout__cell *cell, const avout__record *record, int64_t deadline_ns)
{
    char path[AVOUT__PATH_MAX];
    avout__layout_path(path, cell->name);
    avout_op op = {.kind = AVOUT_OP_CHECK, .path = path, .version = record->version};
    avout_request request = {.kind = AVOUT_REQUEST_MULTI, .ops = &op, .op_count = 1};
    avout_status status =
        avout__call_repeated(NULL, &cell->stm->door, &request, cell->name, deadline_ns);
    return status == AVOUT_EVERSION || status == AVOUT_ENOTFOUND ? AVOUT_RETRY : status;
}

static avout_status load(avout_value *value, avout__cell *cell, const avout__record *record,
                         int64_t deadline_ns)
{
    const void *bytes;
    size_t length;
    avout__record_bytes(record, &bytes, &length);
    avout__foreign *foreign = avout__foreign_of(cell->container);
    avout_status opened = foreign ? AVOUT_OK : avout__cell_chunks(&foreign, cell);
    if (opened) return opened;
    for (int64_t pause = PAUSE_MS;; pause = pause < PAUSE_MOST_MS ? 2 * pause : pause) {
        avout_status status = avout__foreign_load(value, foreign, bytes, length, deadline_ns);
        if (status != AVOUT_ENOTFOUND) return status;
        char missing[512];
        snprintf(missing, sizeof missing, "%s", avout_error_detail());
        status = avout__cell_still(cell, record, deadline_ns);
        if (status == AVOUT_RETRY || status == AVOUT_ECLOSED || status == AVOUT_EFORK)
            return status;
        if (avout__deadline_left_ms(deadline_ns) > pause && !avout__interrupted()) {
            avout__pause_ms(pause, deadline_ns);
            continue;
        }
        if (!status && !avout__interrupted())
            return avout_fail(AVOUT_EIO, "%s, though the store's pointer names it", missing);
        return avout_fail(avout__late(), "%s: %s", missing,
                          avout__late_text("no answer of the store whether its pointer still "
                                           "names it"));
    }
}

avout_status avout__cell_value(avout_value *value, avout__cell *cell, avout__record *record,
                               int64_t deadline_ns)
{
    value->bits = atomic_load_explicit(&record->value, memory_order_acquire);
    if (value->bits) return AVOUT_OK;
    if (cell->container->held && record->elsewhere)
        return avout__held_load(value, cell, record, deadline_ns);
    if (!record->elsewhere) return avout__record_value(value, record, cell->container, cell->name);
    avout_value loaded;
    avout_status status = load(&loaded, cell, record, deadline_ns);
    if (status) return status;
    uintptr_t none = 0;
    if (!atomic_compare_exchange_strong(&record->value, &none, loaded.bits)) {
        avout_release(loaded); /* somebody else was first */
        loaded.bits = none;
    }
    *value = loaded;
    return AVOUT_OK;
}

/* Before a transaction waits for a container: the thread that runs asynchronous ones does not. */
static avout_status may_wait(avout_txn *txn)
{
    if (!txn->asynchronous || txn->has_porter) return AVOUT_OK;
    txn->wants_container = true;
    txn->doomed = true;
    return AVOUT_RETRY;
}

avout_status avout__txn_value(avout_value *value, avout_txn *txn, avout__cell *cell,
                              avout__record *record)
{
    value->bits = atomic_load_explicit(&record->value, memory_order_acquire);
    if (value->bits) return AVOUT_OK;
    avout_status status = AVOUT_OK;
    if (record->elsewhere) status = may_wait(txn);
    if (!status) status = avout__cell_value(value, cell, record, txn->deadline_ns);
    if (status == AVOUT_RETRY) {
        txn->doomed = true;
        txn->sleeps = record->dirty;
    }
    return status;
}

/* ---- staging --------------------------------------------------------------------------------------- */

typedef struct staging {
    avout_txn *txn;
    avout__entry *entry;
    avout_status status;
    char detail[640];
    avout__interruptible by; /* the caller's */
    pthread_t thread;
    bool started;
} staging;

static void discard_bytes(avout__cell *cell, const void *bytes, size_t length, avout__delay delay)
{
    char version[AVOUT__VERSION_SIZE];
    avout__foreign *foreign = avout__cell_foreign(cell);
    if (foreign && avout__pointer_version(version, foreign, bytes, length))
        avout__sweep_version(cell->stm, foreign, version, delay);
}

static avout_status make_record(avout__entry *entry, const avout__buffer *bytes)
{
    avout__blob *blob = avout__blob_new(bytes->data, bytes->length);
    if (!blob) return AVOUT_ENOMEM;
    entry->written = avout__record_new(AVOUT__RECORD_VALUE, avout_share(entry->value), blob);
    if (!entry->written) return AVOUT_ENOMEM;
    entry->written->staged = entry->written->elsewhere = true;
    return AVOUT_OK;
}

static void stage(staging *job)
{
    avout__entry *entry = job->entry;
    avout__stm *stm = job->txn->stm;
    avout__buffer bytes = AVOUT__BUFFER_INIT;
    avout__foreign *foreign = avout__foreign_of(entry->cell->container);
    if (!foreign) job->status = avout__cell_chunks(&foreign, entry->cell);
    if (!job->status)
        job->status =
            avout__foreign_stage(&bytes, foreign, entry->value, stm->client_id,
                                 atomic_fetch_add(&stm->versions, 1), job->txn->deadline_ns);
    /* After a failure it may be there, or get there late. */
    avout__delay delay = job->status ? AVOUT__AFTER_GRACE : AVOUT__AT_ONCE;
    if (!job->status) job->status = make_record(entry, &bytes);
    if (job->status) {
        snprintf(job->detail, sizeof job->detail, "%s", avout_error_detail());
        discard_bytes(entry->cell, bytes.data, bytes.length, delay);
    }
    avout__buffer_release(&bytes);
}

static void *stage_main(void *payload)
{
    avout__interrupt_use(((staging *)payload)->by);
    stage(payload);
    return NULL;
}

static bool is_staged(const avout__entry *entry)
{
    bool elsewhere = entry->cell->container->foreign || (entry->flags & AVOUT__ENTRY_SPILL);
    return elsewhere && !entry->written &&
           (entry->flags & (AVOUT__ENTRY_WRITE | AVOUT__ENTRY_COMMUTE)) &&
           !(entry->flags & AVOUT__ENTRY_DESTROY);
}

/* The first on this thread, each other on one of its own. */
static avout_status stage_all(staging *jobs, size_t count)
{
    for (size_t i = 1; i < count; i++)
        jobs[i].started = !avout__thread_start(&jobs[i].thread, stage_main, &jobs[i]);
    stage(&jobs[0]);
    const staging *failed = jobs[0].status ? &jobs[0] : NULL;
    for (size_t i = 1; i < count; i++) {
        if (jobs[i].started) pthread_join(jobs[i].thread, NULL);
        else stage(&jobs[i]);
        if (!failed && jobs[i].status) failed = &jobs[i];
    }
    return failed ? avout__fail_text(failed->status, failed->detail) : AVOUT_OK;
}

avout_status avout__txn_stage(avout_txn *txn)
{
    size_t count = 0;
    for (size_t i = 0; i < txn->count; i++) count += is_staged(&txn->entries[i]);
    if (!count) return AVOUT_OK;
    avout_status status = may_wait(txn);
    if (status) return status;
    staging *jobs = avout__calloc(count, sizeof *jobs);
    if (!jobs) return AVOUT_ENOMEM;
    for (size_t i = 0, at = 0; i < txn->count; i++)
        if (is_staged(&txn->entries[i]))
            jobs[at++] =
                (staging){.txn = txn, .entry = &txn->entries[i], .by = avout__interruptible_now()};
    status = stage_all(jobs, count);
    avout__free(jobs);
    return status;
}

/* ---- what becomes of versions (F3) ---------------------------------------------------------------------- */

static void discard_record(avout__cell *cell, const avout__record *record, avout__delay delay)
{
    const void *bytes;
    size_t length;
    avout__record_bytes(record, &bytes, &length);
    if (bytes) discard_bytes(cell, bytes, length, delay);
}

void avout__stage_discard(avout__entry *entry)
{
    if (!entry->written || !entry->written->staged) return;
    entry->written->staged = false;
    discard_record(entry->cell, entry->written, AVOUT__AT_ONCE);
}

void avout__stage_keep(avout_txn *txn)
{
    for (size_t i = 0; i < txn->count; i++)
        if (txn->entries[i].written) txn->entries[i].written->staged = false;
}

void avout__stage_replaced(avout__batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        const avout__batch_cell *at = &batch->cells[i];
        avout__foreign *foreign = avout__cell_foreign(at->cell);
        if (!foreign || !at->written) continue;
        if (at->base->elsewhere) discard_record(at->cell, at->base, AVOUT__AFTER_GRACE);
        if (at->written->kind == AVOUT__RECORD_TOMBSTONE)
            avout__sweep_orphans(batch->stm, foreign, true, AVOUT__AFTER_GRACE);
    }
}

/* ---- collecting (F2) ------------------------------------------------------------------------------------- */

typedef struct collection {
    avout__buffer names; /* NUL-terminated, one behind the other */
    size_t count;
    const char *named; /* what the pointer names: not among them */
    bool seen;         /* it was found, too */
} collection;

static avout_status collect_version(const char *version, void *payload)
{
    collection *found = payload;
    if (!strcmp(version, found->named)) {
        found->seen = true;
        return AVOUT_OK;
    }
    found->count++;
    return avout__buffer_add(&found->names, version, strlen(version) + 1);
}

/* The same content at the next version. From -2 twice: see batch.c. */
static avout_status bump(avout__stm *stm, const char *path, const avout__reply *pointer,
                         int64_t deadline_ns)
{
    avout_op ops[2] = {{.kind = AVOUT_OP_SET,
                        .path = path,
                        .version = pointer->is.stat.version,
                        .bytes = pointer->is.bytes,
                        .length = pointer->is.length}};
    ops[1] = ops[0];
    ops[1].version = AVOUT_VERSION_ANY;
    avout_request request = {.kind = AVOUT_REQUEST_MULTI,
                             .ops = ops,
                             .op_count = pointer->is.stat.version == -2 ? 2 : 1};
    avout_status status = avout__store_call(NULL, &stm->door, &request, deadline_ns);
    if (status != AVOUT_UNKNOWN) return status;
    return avout_fail(AVOUT_ETIMEOUT, "the store did not answer before the deadline; nothing was "
                                      "deleted");
}

/* The version that counts was there all the time, unless the pointer was moved meanwhile. */
static avout_status not_its_place(avout__stm *stm, const avout__foreign *foreign, const char *path,
                                  const avout__reply *pointer, int64_t deadline_ns)
{
    avout_op op = {.kind = AVOUT_OP_CHECK, .path = path, .version = pointer->is.stat.version};
    avout_request request = {.kind = AVOUT_REQUEST_MULTI, .ops = &op, .op_count = 1};
    avout_status status = avout__store_call(NULL, &stm->door, &request, deadline_ns);
    if (status) return status;
    return avout_fail(AVOUT_EIO,
                      "%s: container %s at %s: the version that counts is not there: this is not "
                      "its place, or it was deleted by other means",
                      foreign->name, foreign->is.name, foreign->container->place);
}

static avout_status delete_all(avout__foreign *foreign, const collection *found,
                               int64_t deadline_ns)
{
    const char *version = found->names.data;
    for (size_t i = 0; i < found->count; i++, version += strlen(version) + 1) {
        avout_status status = avout__foreign_delete(foreign, version, deadline_ns);
        if (status) return status;
    }
    return AVOUT_OK;
}

/* One round. AVOUT_EVERSION: the pointer was moved meanwhile. */
static avout_status collect(size_t *orphans, avout__stm *stm, avout__foreign *foreign, bool remove,
                            int64_t deadline_ns)
{
    char path[AVOUT__PATH_MAX], named[AVOUT__VERSION_SIZE] = "";
    avout__layout_path(path, foreign->name);
    avout_request get = {.kind = AVOUT_REQUEST_GET, .path = path};
    avout__reply pointer = AVOUT__REPLY_INIT;
    collection found = {.named = named};
    *orphans = 0;
    avout_status status = avout__store_call(&pointer, &stm->door, &get, deadline_ns);
    if (!status && pointer.is.length &&
        !avout__pointer_version(named, foreign, pointer.is.bytes, pointer.is.length) &&
        /* Where values are in pieces, most are in the node. */
        (strcmp(foreign->is.name, AVOUT__CHUNKS_KIND) ||
         avout__pointer_is(pointer.is.bytes, pointer.is.length)))
        status = avout__pointer_check(foreign, pointer.is.bytes, pointer.is.length);
    if (!status) status = avout__foreign_list(foreign, collect_version, &found, deadline_ns);
    if (!status && *named && !found.seen)
        status = not_its_place(stm, foreign, path, &pointer, deadline_ns);
    *orphans = found.count;
    if (!status && remove && found.count) {
        status = bump(stm, path, &pointer, deadline_ns);
        if (!status) status = delete_all(foreign, &found, deadline_ns);
    }
    avout__buffer_release(&found.names);
    avout__reply_release(&pointer);
    return status == AVOUT_ENOTFOUND ? AVOUT_OK : status;
}

avout_status avout__foreign_collect(size_t *orphans, avout__stm *stm, avout__foreign *foreign,
                                    bool remove, int64_t deadline_ns)
{
    for (;;) {
        avout_status status = collect(orphans, stm, foreign, remove, deadline_ns);
        if (status == AVOUT_EVERSION) {
            if (avout__now_ns() < deadline_ns) continue;
            return avout_fail(AVOUT_ETIMEOUT, "%s: others kept changing it until the deadline",
                              foreign->name);
        }
        if (!avout__call_again(status, deadline_ns)) return status;
    }
}
