/* Heads, confirmed states and the past: how records come into a cell and go out of it, and what
 * becomes of the transactions that stand on them. Everything here runs with the engine's lock held. */
#include "stm/stm.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/banned.h"

enum { PAST_MAX = 4096 };

/* ---- the past ---------------------------------------------------------------------------------- */

static void past_free(avout__past *past)
{
    avout__link_remove(&past->link);
    avout__link_remove(&past->oldest);
    avout__record_drop(past->record);
    avout__free(past);
}

void avout__past_trim(avout__stm *stm)
{
    uint64_t needed = UINT64_MAX;
    if (!avout__list_empty(&stm->active))
        needed = AVOUT__LINK_OF(stm->active.next, avout_txn, active)->snap;
    while (!avout__list_empty(&stm->past)) {
        avout__past *past = AVOUT__LINK_OF(stm->past.next, avout__past, oldest);
        if (past->record->until > needed && stm->past_count <= PAST_MAX) return;
        stm->past_count--;
        past_free(past);
    }
}

void avout__past_clear(avout__cell *cell)
{
    if (!cell->extra) return;
    AVOUT__LIST_EACH(link, &cell->extra->history)
    {
        cell->stm->past_count--;
        past_free(AVOUT__LINK_OF(link, avout__past, link));
    }
}

/* Best effort: a past that could not be kept makes a reader start again. */
static void past_keep(avout__cell *cell, avout__record *record)
{
    avout__stm *stm = cell->stm;
    if (avout__list_empty(&stm->active) || record->fate == AVOUT__FATE_DEAD) return;
    avout__cell_extra *extra = avout__cell_extra_get(cell);
    avout__past *past = extra ? avout__calloc(1, sizeof *past) : NULL;
    if (!past) return;
    past->record = avout__record_ref(record);
    avout__list_append(&extra->history, &past->link);
    avout__list_append(&stm->past, &past->oldest);
    stm->past_count++;
    avout__past_trim(stm);
}

avout__record *avout__past_find(avout__cell *cell, uint64_t snap)
{
    avout__record *head = atomic_load_explicit(&cell->head, memory_order_relaxed);
    if (head && head->from <= snap) return head;
    if (!cell->extra) return NULL;
    AVOUT__LIST_EACH(link, &cell->extra->history)
    {
        avout__record *record = AVOUT__LINK_OF(link, avout__past, link)->record;
        if (record->from <= snap && snap < record->until && record->fate != AVOUT__FATE_DEAD)
            return record;
    }
    return NULL;
}

/* ---- heads --------------------------------------------------------------------------------------- */

void avout__wake_waiters(avout__cell *cell)
{
    while (!avout__list_empty(&cell->waiters)) {
        avout__waiter *waiter = AVOUT__LINK_OF(cell->waiters.next, avout__waiter, link);
        avout__link_remove(&waiter->link);
        waiter->wake(waiter);
    }
}

void avout__head_set(avout__cell *cell, avout__record *record)
{
    avout__record *old = atomic_load_explicit(&cell->head, memory_order_relaxed);
    if (old == record) return;
    uint64_t tick = atomic_load_explicit(&cell->stm->tick, memory_order_relaxed);
    AVOUT__DEBUG_ASSERT(tick & 1);
    if (old) {
        old->until = tick;
        past_keep(cell, old);
    }
    if (record) {
        record->from = tick;
        record->until = UINT64_MAX;
    }
    atomic_store_explicit(&cell->head, record, memory_order_release);
    avout__wake_waiters(cell);
}

void avout__head_recover(avout__cell *cell)
{
    while (cell->top && cell->top->fate == AVOUT__FATE_DEAD) cell->top = cell->top->under;
    if (cell->top && cell->top->fate == AVOUT__FATE_SETTLED) cell->top = NULL;
    if (!cell->top) avout__head_set(cell, atomic_load_explicit(&cell->live, memory_order_relaxed));
    else avout__head_set(cell, cell->top->veiled ? NULL : cell->top);
}

void avout__confirmed_set(avout__cell *cell, avout__record *record, bool live)
{
    avout__stm *stm = cell->stm;
    avout__record *old = cell->last;
    avout__record *shown = live ? record : NULL;
    /* Who has seen live must not find an older head at an even tick (I6). */
    avout__tick_begin(stm);
    avout__cut_begin(stm);
    atomic_store_explicit(&cell->live, shown, memory_order_release);
    cell->last = record;
    avout__cut_end(stm);
    if (!cell->top) avout__head_set(cell, shown);
    avout__tick_end(stm);
    if (old != record) avout__record_retire(old);
    if (live) {
        avout__wake_waiters(cell);
        avout__notify_cell(cell);
    }
}

void avout__confirmed_lost(avout__cell *cell)
{
    avout__stm *stm = cell->stm;
    if (!atomic_load_explicit(&cell->live, memory_order_relaxed)) return;
    avout__cut_begin(stm);
    atomic_store_explicit(&cell->live, NULL, memory_order_release);
    avout__cut_end(stm);
    if (cell->top) return;
    avout__tick_begin(stm);
    avout__head_set(cell, NULL);
    avout__tick_end(stm);
}

/* ---- the end of transactions ----------------------------------------------------------------------- */

void avout__txn_finish(avout_txn *txn, avout__verdict verdict)
{
    AVOUT__DEBUG_ASSERT(!avout__link_linked(&txn->link));
    txn->verdict = verdict;
    txn->phase = AVOUT__DONE;
    if (txn->on_done) {
        txn->on_done(txn);
        return;
    }
    atomic_fetch_add(&txn->refs, 1);
    avout__list_append(&txn->stm->finished, &txn->link);
    txn->stm->gathering.callers++;
}

static bool stands_on_dead(const avout_txn *txn)
{
    for (size_t i = 0; i < txn->count; i++)
        if (txn->entries[i].base && txn->entries[i].base->fate == AVOUT__FATE_DEAD) return true;
    return false;
}

static void kill_records(avout_txn *txn)
{
    for (size_t i = 0; i < txn->count; i++)
        if (txn->entries[i].written) txn->entries[i].written->fate = AVOUT__FATE_DEAD;
}

/* Takes the dead records of a failed transaction out of their cells. */
static void bury_records(avout_txn *txn)
{
    for (size_t i = 0; i < txn->count; i++) {
        avout__entry *entry = &txn->entries[i];
        if (!entry->written) continue;
        avout__head_recover(entry->cell);
        avout__record_retire(entry->written);
    }
}

static void drop_under(avout_txn *txn)
{
    for (size_t i = 0; i < txn->count; i++) {
        avout__record *written = txn->entries[i].written;
        if (!written) continue;
        avout__record_drop(written->under);
        written->under = NULL;
    }
}

static void finish_list(avout__link *failed, avout__verdict verdict)
{
    AVOUT__LIST_EACH(link, failed)
    {
        avout_txn *txn = AVOUT__LINK_OF(link, avout_txn, link);
        avout__link_remove(&txn->link);
        drop_under(txn);
        avout__txn_finish(txn, verdict);
        avout__txn_drop(txn);
    }
}

void avout__txn_fail(avout_txn *txn, avout__verdict verdict, avout_status status,
                     const char *detail, avout__cell *contended)
{
    avout__stm *stm = txn->stm;
    avout__link others;
    avout__list_init(&others);
    avout__link_remove(&txn->link);
    kill_records(txn);
    /* In the order of their commits, so that one pass finds all that stand on others. */
    AVOUT__LIST_EACH(link, &stm->pending)
    {
        avout_txn *later = AVOUT__LINK_OF(link, avout_txn, link);
        if (!stands_on_dead(later)) continue;
        kill_records(later);
        avout__link_remove(&later->link);
        avout__list_append(&others, &later->link);
    }
    avout__tick_begin(stm);
    bury_records(txn);
    AVOUT__LIST_EACH(link, &others) bury_records(AVOUT__LINK_OF(link, avout_txn, link));
    avout__tick_end(stm);
    txn->failure_status = status;
    avout__free(txn->failure_detail);
    txn->failure_detail = verdict == AVOUT__FAILED && detail ? avout__strdup(detail) : NULL;
    txn->contended = contended;
    drop_under(txn);
    avout__txn_finish(txn, verdict);
    avout__txn_drop(txn);
    finish_list(&others, AVOUT__AGAIN);
}

static bool stands_on_lost(const avout_txn *txn, const avout__cell *cell)
{
    for (size_t i = 0; i < txn->count; i++) {
        const avout__entry *entry = &txn->entries[i];
        if ((!cell || entry->cell == cell) && entry->base &&
            entry->base->fate == AVOUT__FATE_SETTLED && (entry->checked || entry->written) &&
            entry->base != atomic_load_explicit(&entry->cell->live, memory_order_relaxed))
            return true;
    }
    return false;
}

void avout__pending_fail_lost(avout__stm *stm, const avout__cell *cell)
{
    bool failed = false;
    for (bool found = true; found;) {
        found = false;
        AVOUT__LIST_EACH(link, &stm->pending)
        {
            avout_txn *txn = AVOUT__LINK_OF(link, avout_txn, link);
            if (!stands_on_lost(txn, cell)) continue;
            avout__txn_fail(txn, AVOUT__AGAIN, AVOUT_RETRY, NULL, NULL);
            found = failed = true; /* the list may have lost others too */
            break;
        }
    }
    if (failed) avout__send_ready(stm); /* others may have waited behind them */
}
