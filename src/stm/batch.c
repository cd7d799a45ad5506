/* Group commit: what is pending travels together.
 *
 * A batch is one multi:
 *
 *     check  every node read and not written, at the version read
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
#include "stm/stm.h"

#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/banned.h"

enum {
    BATCH_TXNS = 8192, /* keeps multis of thousands of waiting transactions at a sane size */
    GET_MAX = 1024,    /* larger values are armed by exists: we know the bytes */
    OPS_A_CELL = 2,
    FIXED_BYTES = 512, /* slot operation and request header */
};

static bool writes_store(const avout__batch_cell *cell)
{
    return cell->written && cell->cell->container->in_store;
}

/* ---- gathering --------------------------------------------------------------------------------------------- */

static bool entry_counts(const avout__entry *entry)
{
    return entry->written || entry->checked || entry->dependent;
}

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
        if (entry_counts(&txn->entries[i])) bytes += entry_bytes(stm, &txn->entries[i]);
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
    for (size_t i = 0; i < txn->count; i++) {
        const avout__entry *entry = &txn->entries[i];
        const avout__cell *cell = entry->cell;
        if (!entry_counts(entry)) continue;
        if (cell->in_flight || cell->scan == scan) return false;
        if (cell->container->in_store && !to_store) return false;
        queued = queued || (entry->written && cell->extra && cell->extra->queue);
    }
    return !queued || turns_taken(txn);
}

static void block_cells(avout_txn *txn, uint64_t scan)
{
    for (size_t i = 0; i < txn->count; i++)
        if (entry_counts(&txn->entries[i])) txn->entries[i].cell->scan = scan;
}

/* Reserves first, changes after. */
static avout_status batch_add(avout__batch *batch, avout_txn *txn)
{
    avout_status status = AVOUT__GROW(&batch->cells, &batch->capacity, batch->count + txn->count);
    if (status) return status;
    for (size_t i = 0; i < txn->count; i++) {
        avout__entry *entry = &txn->entries[i];
        avout__cell *cell = entry->cell;
        if (!entry_counts(entry)) continue;
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

static void batch_free(avout__batch *batch)
{
    avout__link_remove(&batch->link);
    if (batch->stm->suspect == batch) batch->stm->suspect = NULL;
    if (batch->slot) batch->slot->busy = false;
    atomic_fetch_add(&batch->stm->landed, 1);
    if (atomic_load(&batch->stm->closed)) avout__futex_wake(&batch->stm->landed, INT32_MAX, false);
    avout__free(batch->cells);
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
        batch_free(batch);
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
    char number[24];
    char slot_path[64 + sizeof AVOUT__SLOTS_PATH];
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
    if (!batch->slot) return;
    snprintf(draft->number, sizeof draft->number, "%llu", (unsigned long long)batch->number);
    avout__slot_path(draft->slot_path, sizeof draft->slot_path, batch->stm, batch->slot);
    batch->slot_op = draft->op_count;
    draft_op(draft, (avout_op){.kind = batch->slot->exists ? AVOUT_OP_SET : AVOUT_OP_CREATE,
                               .path = draft->slot_path,
                               .version = batch->slot->version,
                               .bytes = draft->number,
                               .length = strlen(draft->number)});
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
        if (!writes_store(cell)) continue;
        avout__fetch_order *order = avout__fetch_order_new(cell->cell);
        if (!order) continue;
        avout__fetch_order_fill(&draft->requests[draft->request_count++], order,
                                draft->paths.data + draft->path_at[i], is_large(cell));
    }
}

static void batch_done(const avout_reply *reply, void *payload);

/* Not AVOUT_OK: nothing was sent. */
static avout_status batch_submit(avout__batch *batch)
{
    avout__stm *stm = batch->stm;
    multi_draft draft = {0};
    avout_status status = AVOUT_ENOMEM;
    draft.ops = avout__calloc(OPS_A_CELL * batch->count + 1, sizeof *draft.ops);
    draft.requests = avout__calloc(batch->count + 1, sizeof *draft.requests);
    draft.path_at = avout__calloc(batch->count, sizeof *draft.path_at);
    if (draft.ops && draft.requests && draft.path_at) status = draft_paths(&draft, batch);
    if (!status) {
        draft_ops(&draft, batch);
        draft.requests[draft.request_count++] = (avout_request){.kind = AVOUT_REQUEST_MULTI,
                                                                .ops = draft.ops,
                                                                .op_count = draft.op_count,
                                                                .done = batch_done,
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
        if (writes_store(&batch->cells[i])) return true;
    return false;
}

static bool needs_store(const avout__batch *batch)
{
    for (size_t i = 0; i < batch->count; i++)
        if (writes_store(&batch->cells[i]) ||
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
    bool to_store = false;
    for (size_t i = 0; i < txn->count; i++) {
        const avout__entry *entry = &txn->entries[i];
        if (!entry_counts(entry)) continue;
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

/* ---- outcomes -------------------------------------------------------------------------------------------------- */

static void land(avout__batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) batch->cells[i].cell->in_flight = NULL;
}

static void settle_versions(avout__batch *batch, const avout_reply *reply, avout_point point)
{
    for (size_t i = 0; i < batch->count; i++) {
        avout__batch_cell *cell = &batch->cells[i];
        avout__record *record = cell->written;
        if (!record) continue;
        record->point = point;
        record->version = cell->base->kind == AVOUT__RECORD_ABSENT
                              ? 0
                              : cell->base->version + (int64_t)cell->op_count;
        if (!cell->cell->container->in_store) record->version = cell->base->version + 1;
        if (!reply || !cell->op_count || cell->op + cell->op_count > reply->result_count) continue;
        const avout_op_result *result = &reply->results[cell->op + cell->op_count - 1];
        if (!result->has_stat) continue;
        record->version = result->stat.version;
        record->point = result->stat.changed;
    }
}

/* Whether what is known of the cell is not older than what the batch wrote: its outcome was unclear
 * for a while. */
static bool overtaken(const avout__batch_cell *written)
{
    const avout__record *last = written->cell->last, *ours = written->written;
    if (!last || last->kind == AVOUT__RECORD_ABSENT) return false;
    return last->point && ours->point ? last->point >= ours->point : last->version >= ours->version;
}

/* All that was written is taken out of sight before any new state shows (I2). */
static void show_written(avout__batch *batch, bool live)
{
    avout__stm *stm = batch->stm;
    avout__cut_begin(stm);
    for (size_t i = 0; i < batch->count; i++)
        if (batch->cells[i].written && !(batch->unclear && overtaken(&batch->cells[i])))
            atomic_store_explicit(&batch->cells[i].cell->live, NULL, memory_order_seq_cst);
    for (size_t i = 0; i < batch->count; i++) {
        avout__record *record = batch->cells[i].written;
        avout__cell *cell = batch->cells[i].cell;
        if (!record) continue;
        if (batch->unclear && overtaken(&batch->cells[i])) {
            avout__record_retire(record);
            continue;
        }
        avout__record *old = cell->last;
        cell->last = record;
        /* Without the get behind it nobody would tell of its next change. */
        if ((live && cell->fetching) || !cell->container->in_store)
            atomic_store_explicit(&cell->live, record, memory_order_release);
        if (live && cell->fetching) avout__cell_trust(cell);
        avout__record_retire(old);
    }
    avout__cut_end(stm);
}

/* Heads that are no longer pending and not live must not be read. The tick does not move when all is
 * as it was: then nobody needs to look again at what was read. */
static void settle_head(avout__cell *cell)
{
    avout__stm *stm = cell->stm;
    avout__record *head = atomic_load_explicit(&cell->head, memory_order_relaxed);
    if (cell->top && cell->top->fate == AVOUT__FATE_SETTLED) cell->top = NULL;
    if (cell->top ? head == cell->top
                  : head == atomic_load_explicit(&cell->live, memory_order_relaxed))
        return;
    avout__tick_begin(stm);
    avout__head_recover(cell);
    avout__tick_end(stm);
}

/* Answers whether all that was written is live now, so that what is pending may stand on it. */
static bool settle_heads(avout__batch *batch)
{
    bool all = true;
    for (size_t i = 0; i < batch->count; i++) {
        avout__cell *cell = batch->cells[i].cell;
        if (!batch->cells[i].written) continue;
        settle_head(cell);
        avout__record *live = atomic_load_explicit(&cell->live, memory_order_relaxed);
        all = all && live == batch->cells[i].written;
        if (live) {
            avout__wake_waiters(cell);
            avout__notify_cell(cell);
        } else {
            avout__fetch(cell);
        }
    }
    return all;
}

static void settle_records(avout__batch *batch, avout_txn *txn)
{
    for (size_t i = 0; i < txn->count; i++) {
        avout__record *written = txn->entries[i].written;
        if (!written) continue;
        written->fate = AVOUT__FATE_SETTLED;
        written->settled = atomic_load_explicit(&batch->stm->tick, memory_order_relaxed);
        written->veiled = false;
        avout__record_drop(written->under);
        written->under = NULL;
        avout__record_drop_bytes(written);
        /* One that another of the batch wrote over was never seen in the store. */
        if (batch->cells[txn->entries[i].cell->place].written != written)
            avout__record_retire(written);
    }
}

static void tell_queue(avout__batch *batch, const avout_reply *reply)
{
    for (size_t i = 0; i < batch->count; i++) {
        avout__batch_cell *cell = &batch->cells[i];
        if (!writes_store(cell)) continue;
        const avout_stat *stat = NULL;
        if (reply && cell->op_count && cell->op + cell->op_count <= reply->result_count &&
            reply->results[cell->op + cell->op_count - 1].has_stat)
            stat = &reply->results[cell->op + cell->op_count - 1].stat;
        avout__turn_won(cell->cell, stat);
    }
}

static void commit_with(avout__batch *batch, const avout_reply *reply, avout_point point, bool live)
{
    avout__stm *stm = batch->stm;
    if (batch->slot) {
        const avout_op_result *result =
            reply && batch->slot_op < reply->result_count ? &reply->results[batch->slot_op] : NULL;
        if (!batch->slot->exists) batch->slot->version = 0;
        else batch->slot->version++;
        if (result && result->has_stat) {
            batch->slot->version = result->stat.version;
            if (!point) point = result->stat.changed;
        }
        batch->slot->exists = true;
    }
    settle_versions(batch, reply, point);
    avout__tick_begin(stm);
    show_written(batch, live);
    AVOUT__LIST_EACH(link, &batch->txns)
    settle_records(batch, AVOUT__LINK_OF(link, avout_txn, link));
    avout__tick_end(stm);
    bool all_live = settle_heads(batch);
    land(batch);
    tell_queue(batch, reply);
    AVOUT__LIST_EACH(txn_link, &batch->txns)
    {
        avout_txn *txn = AVOUT__LINK_OF(txn_link, avout_txn, link);
        avout__link_remove(&txn->link);
        stm->statistics.commits += txn->has_writes;
        avout__txn_finish(txn, AVOUT__CONFIRMED);
        avout__txn_drop(txn);
    }
    bool veiled = batch->veiled;
    batch_free(batch);
    if (!all_live) avout__pending_fail_lost(stm, NULL);
    if (veiled) avout__veils_spread(stm);
}

void avout__batch_committed(avout__batch *batch, const avout_reply *reply)
{
    commit_with(batch, reply, reply ? reply->point : 0, reply != NULL);
}

void avout__batch_found_committed(avout__batch *batch, const avout_stat *slot)
{
    avout__slot *used = batch->slot;
    commit_with(batch, NULL, slot->changed, false);
    used->version = slot->version;
    used->exists = true;
}

/* Takes the transactions back to the front of pending, in order. Answers whether they were veiled. */
static bool give_back(avout__batch *batch)
{
    bool veiled = batch->veiled;
    avout__stm *stm = batch->stm;
    avout__link back;
    avout__list_init(&back);
    avout__list_splice(&back, &batch->txns);
    land(batch);
    batch_free(batch);
    AVOUT__LIST_EACH(link, &back) AVOUT__LINK_OF(link, avout_txn, link)->phase = AVOUT__PENDING;
    avout__list_splice(&back, &stm->pending);
    avout__list_splice(&stm->pending, &back);
    return veiled;
}

/* What came back and cannot travel again ends: transactions whose callers have given up, and those
 * that stand on states that have changed meanwhile. Only what is left may show. Later ones have to be
 * gone before this. */
static void look_through(avout__stm *stm, bool veiled)
{
    for (bool found = true; found;) {
        found = false;
        AVOUT__LIST_EACH(link, &stm->pending)
        {
            avout_txn *txn = AVOUT__LINK_OF(link, avout_txn, link);
            if (!txn->abandoned) continue;
            avout__txn_fail(txn, AVOUT__FAILED, AVOUT_ETIMEOUT, NULL, NULL);
            found = true;
            break;
        }
    }
    avout__pending_fail_lost(stm, NULL);
    if (veiled) avout__veils_spread(stm);
}

void avout__batch_return(avout__batch *batch)
{
    avout__stm *stm = batch->stm;
    look_through(stm, give_back(batch));
}

void avout__batch_abandon(avout__batch *batch, avout_status status, const char *detail)
{
    avout__stm *stm = batch->stm;
    char reason[512];
    snprintf(reason, sizeof reason, "%s", detail ? detail : avout_status_text(status));
    bool veiled = batch->veiled;
    avout__link failed;
    avout__list_init(&failed);
    avout__list_splice(&failed, &batch->txns);
    land(batch);
    batch_free(batch);
    /* All of them end with this status, not only the first of those that build on each other: so
     * their records die last to first, when nothing stands on them any more. */
    while (!avout__list_empty(&failed)) {
        avout_txn *txn = AVOUT__LINK_OF(failed.prev, avout_txn, link);
        /* Who only read has changed nothing, whatever became of the others. */
        if (status != AVOUT_UNKNOWN || txn->has_writes)
            avout__txn_fail(txn, AVOUT__FAILED, status, reason, NULL);
        else if (atomic_load(&stm->closed))
            avout__txn_fail(txn, AVOUT__FAILED, AVOUT_ECLOSED, "the client was closed", NULL);
        else avout__txn_fail(txn, AVOUT__AGAIN, AVOUT_RETRY, NULL, NULL);
    }
    if (veiled) avout__veils_spread(stm);
}

/* ---- refusals ---------------------------------------------------------------------------------------------------- */

static avout__batch_cell *cell_of_op(avout__batch *batch, size_t op)
{
    for (size_t i = 0; i < batch->count; i++) {
        avout__batch_cell *cell = &batch->cells[i];
        if (cell->op != SIZE_MAX && cell->op <= op && op < cell->op + cell->op_count) return cell;
    }
    return NULL;
}

static bool touches(const avout_txn *txn, const avout__cell *cell)
{
    for (size_t i = 0; i < txn->count; i++)
        if (txn->entries[i].cell == cell && entry_counts(&txn->entries[i])) return true;
    return false;
}

/* The transactions of the batch that touched the cell get the verdict, those that stand on them run
 * again, the others are in pending again. */
static void refuse_cell(avout__batch *batch, avout__cell *cell, avout__verdict verdict,
                        avout_status status, const char *detail)
{
    avout__stm *stm = batch->stm;
    avout__link touched;
    avout__list_init(&touched);
    avout__cell_ref(cell);
    AVOUT__LIST_EACH(link, &batch->txns)
    {
        avout_txn *txn = AVOUT__LINK_OF(link, avout_txn, link);
        if (!touches(txn, cell)) continue;
        avout__link_remove(&txn->link);
        avout__list_append(&touched, &txn->link);
    }
    if (verdict == AVOUT__AGAIN) avout__confirmed_lost(cell);
    bool veiled = give_back(batch);
    /* While they are in no list nothing else may fail: what stands on it would not be found among
     * them, and the way from their records down to those that stay would be cut. */
    while (!avout__list_empty(&touched)) {
        avout_txn *txn = AVOUT__LINK_OF(touched.prev, avout_txn, link);
        txn->refusals++;
        avout__txn_fail(txn, verdict, status, detail, verdict == AVOUT__AGAIN ? cell : NULL);
    }
    look_through(stm, veiled);
    if (verdict == AVOUT__AGAIN) {
        stm->statistics.refused++;
        avout__turn_lost(cell);
        avout__fetch(cell);
    }
    atomic_fetch_sub(&cell->refs, 1); /* the transactions' callers have theirs */
}

static void refused(avout__batch *batch, const avout_reply *reply)
{
    bool conflict = reply->status == AVOUT_EVERSION || reply->status == AVOUT_EEXISTS ||
                    reply->status == AVOUT_ENOTFOUND;
    if (batch->slot && reply->failed_op == batch->slot_op && conflict) {
        /* Somebody removed our slot, or a fence of an earlier life got there: begin a new one. */
        avout__slot_renew(batch->slot);
        avout__batch_return(batch);
        return;
    }
    avout__batch_cell *cell = cell_of_op(batch, reply->failed_op);
    if (!cell) {
        avout__batch_abandon(batch, reply->status, reply->detail);
        return;
    }
    char detail[512];
    snprintf(detail, sizeof detail, "%s: %s", cell->cell->name,
             reply->detail ? reply->detail : avout_status_text(reply->status));
    refuse_cell(batch, cell->cell, conflict ? AVOUT__AGAIN : AVOUT__FAILED, reply->status, detail);
}

static void batch_done(const avout_reply *reply, void *payload)
{
    avout__batch *batch = payload;
    avout__stm *stm = batch->stm;
    avout__stm_lock(stm);
    if (stm->suspect != batch) avout__batch_doubt(stm);
    if (!reply->status) {
        avout__gather_measured(stm, batch->sent_ns);
        avout__batch_committed(batch, reply);
    } else if (reply->maybe_done && batch->slot) {
        batch->unclear = true;
        if (stm->connected) avout__slots_settle(stm);
    } else if (reply->maybe_done || reply->status == AVOUT_ECONNECTION ||
               reply->status == AVOUT_ESESSION) {
        if (atomic_load(&stm->closed)) avout__batch_abandon(batch, AVOUT_ECLOSED, NULL);
        else avout__batch_return(batch);
    } else {
        refused(batch, reply);
    }
    bool gathers = avout__gather_begin(stm);
    if (!gathers) avout__send_ready(stm);
    avout__stm_unlock(stm);
    if (gathers) avout__gather_end(stm);
}
