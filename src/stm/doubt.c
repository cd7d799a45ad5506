/* Doubt: what transactions may still read while something newer than it stands on arrives (E4).
 *
 * A batch in flight stands on states that were the newest when it was sent. When an event says that
 * one of them is not any more, either the batch itself has changed it (its reply comes next, with
 * nothing in between but the events of the same multi) or somebody else has, and the batch will be
 * refused. Its writes must not be read together with what that somebody wrote. The same holds of what
 * was in flight when the connection broke: what happened meanwhile is told in any order.
 *
 *   sent --event of what it writes--> suspect --its reply--> settled
 *     |                                  |
 *     | event of what it checks,         | anything else
 *     | connection lost                  v
 *     +-------------------------------> veiled --its reply, or a fence's--> settled
 */
#include "stm/stm.h"

#include "base/banned.h"

static void veil_txn(avout_txn *txn, bool veiled)
{
    for (size_t i = 0; !veiled && i < txn->count; i++)
        veiled = txn->entries[i].base && txn->entries[i].base->veiled;
    for (size_t i = 0; i < txn->count; i++)
        if (txn->entries[i].written) txn->entries[i].written->veiled = veiled;
}

static void recover_heads(avout_txn *txn)
{
    for (size_t i = 0; i < txn->count; i++)
        if (txn->entries[i].written) avout__head_recover(txn->entries[i].cell);
}

/* Which records stand on veiled batches: those in flight share no cell, and pending is in order. */
void avout__veils_spread(avout__stm *stm)
{
    AVOUT__LIST_EACH(link, &stm->batches)
    {
        avout__batch *batch = AVOUT__LINK_OF(link, avout__batch, link);
        AVOUT__LIST_EACH(txn_link, &batch->txns)
        veil_txn(AVOUT__LINK_OF(txn_link, avout_txn, link), batch->veiled);
    }
    AVOUT__LIST_EACH(later, &stm->pending)
    veil_txn(AVOUT__LINK_OF(later, avout_txn, link), false);
    avout__tick_begin(stm);
    AVOUT__LIST_EACH(again, &stm->batches)
    {
        avout__batch *batch = AVOUT__LINK_OF(again, avout__batch, link);
        AVOUT__LIST_EACH(txn_link, &batch->txns)
        recover_heads(AVOUT__LINK_OF(txn_link, avout_txn, link));
    }
    AVOUT__LIST_EACH(waiting, &stm->pending)
    recover_heads(AVOUT__LINK_OF(waiting, avout_txn, link));
    avout__tick_end(stm);
}

static void batch_veil(avout__batch *batch)
{
    if (batch->veiled) return;
    batch->veiled = true;
    avout__veils_spread(batch->stm);
}

void avout__batches_veil(avout__stm *stm)
{
    AVOUT__LIST_EACH(link, &stm->batches) AVOUT__LINK_OF(link, avout__batch, link)->veiled = true;
    stm->suspect = NULL;
    avout__veils_spread(stm);
}

void avout__batch_doubt(avout__stm *stm)
{
    if (!stm->suspect) return;
    avout__batch *suspect = stm->suspect;
    stm->suspect = NULL;
    batch_veil(suspect);
}

/* The event of our own write comes right before the reply. Any other refutes what stands on the
 * state it takes away. */
void avout__batch_event(avout__cell *cell)
{
    avout__stm *stm = cell->stm;
    avout__batch *batch = cell->in_flight;
    if (stm->suspect != batch) avout__batch_doubt(stm);
    if (batch && batch->cells[cell->place].written) {
        /* Whatever is pending on the cell stands on what the batch writes. */
        if (!batch->veiled) stm->suspect = batch;
        return;
    }
    if (batch) batch_veil(batch);
    avout__pending_fail_lost(stm, cell);
}

/* ---- trust ------------------------------------------------------------------------------------------ */

void avout__cell_trust(avout__cell *cell)
{
    if (cell->trusted || cell->armed) return;
    cell->trusted = true;
    avout__list_append(&cell->stm->trusted, &cell->armed_link);
}

void avout__cell_untrust(avout__cell *cell)
{
    if (!cell->trusted) return;
    cell->trusted = false;
    avout__link_remove(&cell->armed_link);
}

/* Whatever is in flight on the cell stands on a state that is no longer the newest, or on one of which
 * nobody would tell us when it is not any more. */
static void refute(avout__cell *cell)
{
    avout__cell_untrust(cell);
    avout__confirmed_lost(cell);
    if (cell->in_flight) batch_veil(cell->in_flight);
    avout__pending_fail_lost(cell->stm, cell);
}

/* The gets of one multi have been answered up to this one's: if others changed something in between,
 * the cells whose answers are still to come may have changed with it. */
void avout__cell_refuted(avout__cell *cell)
{
    avout__stm *stm = cell->stm;
    refute(cell);
    while (!avout__list_empty(&stm->trusted))
        refute(AVOUT__LINK_OF(stm->trusted.next, avout__cell, armed_link));
}
