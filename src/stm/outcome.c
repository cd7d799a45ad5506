/* What became of a batch: settled, refused, returned or abandoned (the picture is in batch.c).
 *
 * However it ends, in one go under the lock: records that were confirmed become their cells' confirmed
 * states before any of them shows, records that were not die before anything that stands on them shows,
 * and only then the callers are woken. */
#include "stm/batch.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/banned.h"

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
        if (!written->elsewhere) avout__record_drop_bytes(written);
        /* One that another of the batch wrote over was never seen in the store. */
        if (batch->cells[txn->entries[i].cell->place].written != written)
            avout__record_retire(written);
        else written->staged = false;
    }
}

static void tell_queue(avout__batch *batch, const avout_reply *reply)
{
    for (size_t i = 0; i < batch->count; i++) {
        avout__batch_cell *cell = &batch->cells[i];
        if (!avout__writes_store(cell)) continue;
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
    if (batch->slot && reply) point = avout__slot_written(batch->slot, reply);
    settle_versions(batch, reply, point);
    avout__tick_begin(stm);
    show_written(batch, live);
    AVOUT__LIST_EACH(link, &batch->txns)
    settle_records(batch, AVOUT__LINK_OF(link, avout_txn, link));
    avout__tick_end(stm);
    bool all_live = settle_heads(batch);
    avout__stage_replaced(batch);
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
    avout__batch_free(batch);
    if (!all_live) avout__pending_fail_lost(stm, NULL);
    if (veiled) avout__veils_spread(stm);
}

void avout__batch_committed(avout__batch *batch, const avout_reply *reply)
{
    commit_with(batch, reply, reply ? reply->point : 0, reply != NULL);
}

void avout__batch_found_committed(avout__batch *batch, avout_point point)
{
    commit_with(batch, NULL, point, false);
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
    avout__batch_free(batch);
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
    avout__batch_free(batch);
    /* All of them end with this status, not only the first of those that build on each other: so
     * their records die last to first, when nothing stands on them any more. */
    while (!avout__list_empty(&failed)) {
        avout_txn *txn = AVOUT__LINK_OF(failed.prev, avout_txn, link);
        if (status == AVOUT_UNKNOWN) avout__stage_keep(txn);
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
        if (txn->entries[i].cell == cell && avout__entry_counts(&txn->entries[i])) return true;
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

/* Its transactions fail; those that stand on them run again, the others are in pending again. */
static void refuse_check(avout__batch *batch, const avout__node_check *check)
{
    avout__stm *stm = batch->stm;
    avout__link touched;
    avout__list_init(&touched);
    AVOUT__LIST_EACH(link, &batch->txns)
    {
        avout_txn *txn = AVOUT__LINK_OF(link, avout_txn, link);
        bool conditional = false;
        for (size_t i = 0; i < txn->check_count; i++)
            conditional = conditional || txn->checks[i] == check;
        if (!conditional) continue;
        avout__link_remove(&txn->link);
        avout__list_append(&touched, &txn->link);
    }
    bool veiled = give_back(batch);
    while (!avout__list_empty(&touched)) { /* as in refuse_cell */
        avout_txn *txn = AVOUT__LINK_OF(touched.prev, avout_txn, link);
        avout__txn_fail(txn, AVOUT__FAILED, check->status, check->detail, NULL);
    }
    look_through(stm, veiled);
}

static avout__node_check *check_of_op(avout__batch *batch, size_t op)
{
    if (op < batch->check_op || op - batch->check_op >= batch->check_count) return NULL;
    return batch->checks[op - batch->check_op];
}

static void refused(avout__batch *batch, const avout_reply *reply)
{
    bool conflict = reply->status == AVOUT_EVERSION || reply->status == AVOUT_EEXISTS ||
                    reply->status == AVOUT_ENOTFOUND;
    if (batch->slot && reply->failed_op != SIZE_MAX && reply->failed_op >= batch->slot_op) {
        char why[AVOUT__SLOT_DETAIL];
        if (avout__slot_refused(why, batch->slot, reply->failed_op - batch->slot_op, reply))
            avout__batch_return(batch);
        else avout__batch_abandon(batch, reply->status, why);
        return;
    }
    avout__node_check *check = check_of_op(batch, reply->failed_op);
    if (check && conflict) {
        refuse_check(batch, check);
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

void avout__batch_done(const avout_reply *reply, void *payload)
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
