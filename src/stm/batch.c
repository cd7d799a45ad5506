/* Group commit: what is pending travels together.
 *
 * A batch is one multi:
 *
 *     check  every node read and not written, at the version read; nodes that transactions are
 *            conditional on beside their cells (store/check.h)
 *     set    every node written, at its base version (create where there was none)
 *     set    a slot of this client's := the batch's number, at the slot's version
 *
 * and right behind it, in the same run on the wire, the gets that arm the watches of what it wrote.
 *
 *   pending --send_ready--> sent --ok----------> settled: own states shown, callers woken
 *      ^                     |  |
 *      |                     |  +--refused-----> who touched the refused node runs again (or fails, if
 *      +---the others--------+  |                the error is a lasting one); the others travel again
 *      +---without effect-------+--unclear-----> slot.c settles it with a fence
 *
 * E4: pending is in commit order; a transaction is ready when none of its cells is in flight nor
 * touched by an earlier one that is not ready. So batches in flight share no cell.
 *
 * A node's version must not come to rest at -1, which means "any" to ZooKeeper: from -2 the node is
 * set twice in the same multi. "Absent" is checked by creating the node and deleting it again. */
#include "stm/batch.h"

#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/banned.h"

enum {
    BATCH_TXNS = 8192, /* keeps multis of thousands of waiting transactions at a sane size */
    GET_MAX = 1024,    /* larger values are armed by exists: we know the bytes */
    OPS_A_CELL = 2,
    FIXED_BYTES = 512, /* slot operations and request header */
};

/* ---- gathering --------------------------------------------------------------------------------------------- */

static size_t entry_bytes(const avout__stm *stm, const avout__entry *entry)
{
    if (!entry->cell->container->in_store) return 0;
    const void *bytes;
    size_t length = 0;
    if (entry->written) avout__record_bytes(entry->written, &bytes, &length);
    return length + OPS_A_CELL * (stm->info.op_overhead + 3 * entry->cell->name_length +
                                  sizeof AVOUT__CELLS);
}

static size_t txn_bytes(const avout__stm *stm, const avout_txn *txn)
{
    size_t bytes = 0;
    for (size_t i = 0; i < txn->count; i++)
        if (avout__entry_counts(&txn->entries[i])) bytes += entry_bytes(stm, &txn->entries[i]);
    for (size_t i = 0; i < txn->check_count; i++)
        bytes += stm->info.op_overhead + strlen(txn->checks[i]->path);
    return bytes;
}

/* Whether it has the turn of every cell it writes and others want too; if not, it queues for the next
 * one in the order of their names. */
static bool turns_taken(const avout_txn *txn)
{
    for (const char *last = "";;) {
        avout__cell *next = NULL;
        for (size_t i = 0; i < txn->count; i++) {
            avout__cell *cell = txn->entries[i].cell;
            if (!txn->entries[i].written || !cell->extra || !cell->extra->queue) continue;
            if (strcmp(cell->name, last) > 0 && (!next || strcmp(cell->name, next->name) < 0))
                next = cell;
        }
        if (!next) return true;
        if (avout__turn_blocks(next)) return false;
        last = next->name;
    }
}

static bool txn_ready(const avout_txn *txn, uint64_t scan, bool to_store)
{
    bool queued = false;
    if (txn->check_count && !to_store) return false;
    for (size_t i = 0; i < txn->count; i++) {
        const avout__entry *entry = &txn->entries[i];
        const avout__cell *cell = entry->cell;
        if (!avout__entry_counts(entry)) continue;
        if (cell->in_flight || cell->scan == scan) return false;
        if (cell->container->in_store && !to_store) return false;
        queued = queued || (entry->written && cell->extra && cell->extra->queue);
    }
    return !queued || turns_taken(txn);
}

static void block_cells(avout_txn *txn, uint64_t scan)
{
    for (size_t i = 0; i < txn->count; i++)
        if (avout__entry_counts(&txn->entries[i])) txn->entries[i].cell->scan = scan;
}

static void batch_add_checks(avout__batch *batch, const avout_txn *txn)
{
    for (size_t i = 0; i < txn->check_count; i++) {
        bool there = false;
        for (size_t j = 0; !there && j < batch->check_count; j++)
            there = batch->checks[j] == txn->checks[i];
        if (!there) batch->checks[batch->check_count++] = txn->checks[i];
    }
}

/* Reserves first, changes after. */
static avout_status batch_add(avout__batch *batch, avout_txn *txn)
{
    avout_status status = AVOUT__GROW(&batch->cells, &batch->capacity, batch->count + txn->count);
    if (!status && txn->check_count)
        status = AVOUT__GROW(&batch->checks, &batch->check_capacity,
                             batch->check_count + txn->check_count);
    if (status) return status;
    batch_add_checks(batch, txn);
    for (size_t i = 0; i < txn->count; i++) {
        avout__entry *entry = &txn->entries[i];
        avout__cell *cell = entry->cell;
        if (!avout__entry_counts(entry)) continue;
        if (cell->gathered != batch->number) {
            cell->gathered = batch->number;
            cell->place = (uint32_t)batch->count;
            batch->cells[batch->count++] =
                (avout__batch_cell){.cell = cell, .base = entry->base, .op = SIZE_MAX};
        }
        avout__batch_cell *place = &batch->cells[cell->place];
        if (entry->written) place->written = entry->written;
        /* What an earlier one of the batch wrote needs no check: its set has one. */
        else if (entry->checked && !place->written) place->checked = true;
    }
    avout__link_remove(&txn->link);
    avout__list_append(&batch->txns, &txn->link);
    txn->phase = AVOUT__SENT;
    return AVOUT_OK;
}

static avout__batch *batch_new(avout__stm *stm)
{
    avout__batch *batch = avout__calloc(1, sizeof *batch);
    if (!batch) return NULL;
    batch->stm = stm;
    batch->number = ++stm->batch_number;
    avout__list_init(&batch->txns);
    return batch;
}

void avout__batch_free(avout__batch *batch)
{
    avout__link_remove(&batch->link);
    if (batch->stm->suspect == batch) batch->stm->suspect = NULL;
    if (batch->slot) batch->slot->busy = false;
    atomic_fetch_add(&batch->stm->landed, 1);
    if (atomic_load(&batch->stm->closed)) avout__futex_wake(&batch->stm->landed, INT32_MAX, false);
    avout__free(batch->cells);
    avout__free(batch->checks);
    avout__free(batch);
}

/* NULL: nothing is ready, or no memory (then it is tried again soon). Without `to_store` only what needs
 * no store is. */
static avout__batch *gather(avout__stm *stm, bool to_store)
{
    avout__batch *batch = NULL;
    uint64_t scan = ++stm->scans;
    size_t bytes = FIXED_BYTES, txns = 0;
    AVOUT__LIST_EACH(link, &stm->pending)
    {
        avout_txn *txn = AVOUT__LINK_OF(link, avout_txn, link);
        size_t more = txn_bytes(stm, txn);
        bool fits = !batch || (bytes + more <= stm->info.max_request && txns < BATCH_TXNS);
        if (!fits || !txn_ready(txn, scan, to_store)) {
            block_cells(txn, scan);
            continue;
        }
        if ((!batch && !(batch = batch_new(stm))) || batch_add(batch, txn)) {
            avout__try_later(stm);
            break;
        }
        bytes += more;
        txns++;
    }
    if (batch && avout__list_empty(&batch->txns)) {
        avout__batch_free(batch);
        return NULL;
    }
    return batch;
}

/* ---- sending ------------------------------------------------------------------------------------------------- */

/* Everything a multi is made of, for the time of the submit. */
typedef struct multi_draft {
    avout_op *ops;
    size_t op_count;
    avout_request *requests;
    size_t request_count;
    avout__buffer paths; /* NUL-terminated, one behind the other */
    size_t *path_at;     /* by batch cell */
    avout__slot_draft slot;
} multi_draft;

static void draft_release(multi_draft *draft)
{
    avout__free(draft->ops);
    avout__free(draft->requests);
    avout__free(draft->path_at);
    avout__buffer_release(&draft->paths);
}

static avout_status draft_paths(multi_draft *draft, const avout__batch *batch)
{
    char path[AVOUT__PATH_MAX];
    for (size_t i = 0; i < batch->count; i++) {
        draft->path_at[i] = draft->paths.length;
        if (!batch->cells[i].cell->container->in_store) continue;
        size_t length = avout__layout_path(path, batch->cells[i].cell->name);
        avout_status status = avout__buffer_add(&draft->paths, path, length + 1);
        if (status) return status;
    }
    return AVOUT_OK;
}

static void draft_op(multi_draft *draft, avout_op op)
{
    draft->ops[draft->op_count++] = op;
}

static void draft_write(multi_draft *draft, const avout__batch_cell *cell, const char *path)
{
    avout_op op = {.kind = AVOUT_OP_SET, .path = path, .version = cell->base->version};
    avout__record_bytes(cell->written, &op.bytes, &op.length);
    if (cell->base->kind == AVOUT__RECORD_ABSENT) op.kind = AVOUT_OP_CREATE;
    if (op.kind == AVOUT_OP_SET && op.version == -2) {
        avout_op step = op; /* nobody sees its bytes: none are sent */
        step.length = 0;
        draft_op(draft, step);
        op.version = AVOUT_VERSION_ANY; /* which is what it is now, inside the multi */
    }
    draft_op(draft, op);
}

static void draft_check(multi_draft *draft, const avout__batch_cell *cell, const char *path)
{
    avout_op op = {.kind = AVOUT_OP_CHECK, .path = path, .version = cell->base->version};
    if (cell->base->kind != AVOUT__RECORD_ABSENT) {
        draft_op(draft, op);
        return;
    }
    op.kind = AVOUT_OP_CREATE;
    op.version = 0;
    draft_op(draft, op);
    op.kind = AVOUT_OP_DELETE;
    op.version = AVOUT_VERSION_ANY;
    draft_op(draft, op);
}

static void draft_ops(multi_draft *draft, avout__batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        avout__batch_cell *cell = &batch->cells[i];
        if (!cell->cell->container->in_store) continue;
        const char *path = draft->paths.data + draft->path_at[i];
        cell->op = draft->op_count;
        if (cell->written) draft_write(draft, cell, path);
        else if (cell->checked) draft_check(draft, cell, path);
        cell->op_count = draft->op_count - cell->op;
    }
    batch->check_op = draft->op_count;
    for (size_t i = 0; i < batch->check_count; i++)
        draft_op(draft, (avout_op){.kind = AVOUT_OP_CHECK,
                                   .path = batch->checks[i]->path,
                                   .version = batch->checks[i]->version});
    if (!batch->slot) return;
    batch->slot_op = draft->op_count;
    draft->op_count +=
        avout__slot_ops(draft->ops + draft->op_count, &draft->slot, batch->slot, batch->number);
}

static bool is_large(const avout__batch_cell *cell)
{
    const void *bytes;
    size_t length;
    avout__record_bytes(cell->written, &bytes, &length);
    return length > GET_MAX;
}

/* A get that cannot be ordered for want of memory is left out: the cell is then fetched later. */
static void draft_gets(multi_draft *draft, const avout__batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        const avout__batch_cell *cell = &batch->cells[i];
        if (!avout__writes_store(cell)) continue;
        avout__fetch_order *order = avout__fetch_order_new(cell->cell);
        if (!order) continue;
        avout__fetch_order_fill(&draft->requests[draft->request_count++], order,
                                draft->paths.data + draft->path_at[i], is_large(cell));
    }
}

/* Not AVOUT_OK: nothing was sent. */
static avout_status batch_submit(avout__batch *batch)
{
    avout__stm *stm = batch->stm;
    multi_draft draft = {0};
    avout_status status = AVOUT_ENOMEM;
    draft.ops = avout__calloc(OPS_A_CELL * batch->count + batch->check_count + AVOUT__SLOT_OPS,
                              sizeof *draft.ops);
    draft.requests = avout__calloc(batch->count + 1, sizeof *draft.requests);
    draft.path_at = avout__calloc(batch->count, sizeof *draft.path_at);
    if (draft.ops && draft.requests && draft.path_at) status = draft_paths(&draft, batch);
    if (!status) {
        draft_ops(&draft, batch);
        draft.requests[draft.request_count++] = (avout_request){.kind = AVOUT_REQUEST_MULTI,
                                                                .ops = draft.ops,
                                                                .op_count = draft.op_count,
                                                                .done = avout__batch_done,
                                                                .payload = batch};
        draft_gets(&draft, batch);
        status = avout__submit(stm, draft.requests, draft.request_count);
        for (size_t i = 1; status && i < draft.request_count; i++)
            avout__fetch_order_cancel(draft.requests[i].payload);
    }
    draft_release(&draft);
    return status;
}

static bool needs_slot(const avout__batch *batch)
{
    for (size_t i = 0; i < batch->count; i++)
        if (avout__writes_store(&batch->cells[i])) return true;
    return false;
}

static bool needs_store(const avout__batch *batch)
{
    if (batch->check_count) return true;
    for (size_t i = 0; i < batch->count; i++)
        if (avout__writes_store(&batch->cells[i]) ||
            (batch->cells[i].checked && batch->cells[i].cell->container->in_store))
            return true;
    return false;
}

static void send(avout__stm *stm, avout__batch *batch, avout__slot *slot)
{
    avout__list_append(&stm->batches, &batch->link);
    for (size_t i = 0; i < batch->count; i++) batch->cells[i].cell->in_flight = batch;
    if (!needs_store(batch)) {
        avout__batch_committed(batch, NULL);
        return;
    }
    if (needs_slot(batch)) {
        batch->slot = slot;
        slot->busy = true;
    }
    batch->sent_ns = avout__now_ns();
    avout_status status = batch_submit(batch);
    if (status) avout__batch_abandon(batch, status, avout_error_detail());
    else stm->statistics.multis++;
}

/* Without a connection only what needs no store; without a free slot nothing: the next reply brings
 * one, and local transactions that wait for none of those in flight are not here (see send_joined). */
void avout__send_ready(avout__stm *stm)
{
    if (stm->gathering.on) return;
    while (!avout__list_empty(&stm->pending)) {
        avout__slot *slot = avout__slot_take(stm);
        if (stm->connected && !slot) return;
        avout__batch *batch = gather(stm, stm->connected);
        if (!batch) return;
        send(stm, batch, slot);
    }
}

/* Nothing has changed but that this transaction is pending: it is all that may be ready. */
void avout__send_joined(avout_txn *txn)
{
    avout__stm *stm = txn->stm;
    bool to_store = txn->check_count;
    for (size_t i = 0; i < txn->count; i++) {
        const avout__entry *entry = &txn->entries[i];
        if (!avout__entry_counts(entry)) continue;
        if (entry->cell->in_flight) return;
        to_store = to_store || entry->cell->container->in_store;
    }
    if (to_store) {
        avout__send_ready(stm);
        return;
    }
    avout__batch *batch = gather(stm, false);
    if (batch) send(stm, batch, NULL);
}
