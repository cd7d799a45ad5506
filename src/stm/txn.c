/* What a transaction has read and written: entries, reads that are one state, writes, savepoints.
 *
 * Reads are validated as in NOrec (Dalessandro, Spear, Scott, 2010): a global counter, the tick,
 * moves with every change of a head; while it stands still, nothing that was read has changed. When
 * it has moved the read set is looked through and, if it is still current, the snapshot moves up to
 * now (as in LSA; Riegel, Felber, Fetzer, 2006). If it is not, a transaction that has not written may
 * go on in the past: it reads the heads of its tick, which are kept while somebody may need them, and
 * ends as a transaction that only read. */
#include "stm/stm.h"

#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/banned.h"

/* ---- life ------------------------------------------------------------------------------------------------------- */

avout_status avout__txn_new(avout_txn **out, avout__stm *stm, const avout_call_options *options)
{
    static const avout_call_options defaults = {0};
    if (!options) options = &defaults;
    avout_status status = avout__stm_usable(stm);
    if (status) return status;
    if (options->isolation != AVOUT_SERIALIZABLE && options->isolation != AVOUT_SNAPSHOT)
        return avout_fail(AVOUT_EINVAL, "isolation: %d is none", (int)options->isolation);
    avout_txn *txn = avout__alloc(sizeof *txn);
    if (!txn) return AVOUT_ENOMEM;
    memset(txn, 0, offsetof(avout_txn, inline_entries));
    memset(&txn->hooks, 0, sizeof *txn - offsetof(avout_txn, hooks));
    txn->stm = stm;
    avout__stm_ref(stm);
    atomic_init(&txn->refs, 1);
    txn->isolation = options->isolation;
    txn->strict = options->strict;
    txn->max_retries = options->max_retries;
    txn->deadline_ns =
        avout__deadline_in_ms(options->timeout_ms ? options->timeout_ms : stm->timeout_ms);
    txn->entries = txn->inline_entries;
    txn->capacity = AVOUT__INLINE_ENTRIES;
    *out = txn;
    return AVOUT_OK;
}

static void commutes_drop(avout__commute *commutes)
{
    while (commutes) {
        avout__commute *next = commutes->next;
        avout__free(commutes);
        commutes = next;
    }
}

static void commutes_free(avout__entry *entry)
{
    commutes_drop(entry->commutes);
    entry->commutes = NULL;
}

static void entry_release(avout__entry *entry)
{
    commutes_free(entry);
    avout_release(entry->value);
    avout__free(entry->blob);
    avout__stage_discard(entry);
    avout__record_unref(entry->written);
    avout__record_unref(entry->base);
    avout__cell_unref(entry->cell);
}

void avout__txn_end_run(avout_txn *txn)
{
    avout__stm *stm = txn->stm;
    if (!txn->registered && atomic_load_explicit(&stm->elder, memory_order_relaxed) != txn) return;
    avout__stm_lock(stm);
    avout__txn_unregister(txn);
    avout__elder_leave(txn);
    avout__stm_unlock(stm);
}

void avout__txn_unregister(avout_txn *txn)
{
    if (!txn->registered) return;
    avout__link_remove(&txn->active);
    txn->registered = false;
    avout__past_trim(txn->stm);
}

void avout__txn_reset(avout_txn *txn)
{
    avout__txn_end_run(txn);
    for (size_t i = 0; i < txn->count; i++) entry_release(&txn->entries[i]);
    txn->count = 0;
    txn->hook_count = 0;
    avout__txn_drop_checks(txn, 0);
    txn->doomed = txn->sleeps = txn->in_past = txn->has_writes = false;
    txn->snap = 0;
    txn->phase = AVOUT__RUNNING;
}

static void txn_destroy(avout__retired *retired)
{
    avout_txn *txn = (avout_txn *)(void *)retired;
    avout__txn_reset(txn);
    if (txn->entries != txn->inline_entries) avout__free(txn->entries);
    avout__free(txn->hooks);
    avout__free(txn->checks);
    avout__free(txn->failure_detail);
    avout__stm *stm = txn->stm;
    avout__free(txn);
    avout__stm_unref(stm);
}

void avout__txn_unref(avout_txn *txn)
{
    if (atomic_fetch_sub(&txn->refs, 1) == 1) txn_destroy(&txn->retired);
}

void avout__txn_drop(avout_txn *txn)
{
    if (atomic_fetch_sub(&txn->refs, 1) == 1) avout__epoch_retire(&txn->retired, txn_destroy);
}

/* ---- entries ------------------------------------------------------------------------------------------------------ */

avout__entry *avout__txn_find(avout_txn *txn, avout__cell *cell)
{
    for (size_t i = 0; i < txn->count; i++)
        if (txn->entries[i].cell == cell) return &txn->entries[i];
    return NULL;
}

static avout_status entry_add(avout__entry **entry, avout_txn *txn, avout__cell *cell)
{
    if (cell->stm != txn->stm)
        return avout_fail(AVOUT_EINVAL, "%s: belongs to another client than the transaction",
                          cell->name);
    if (txn->count == txn->capacity) {
        size_t capacity = 2 * txn->capacity;
        avout__entry *entries = avout__alloc(capacity * sizeof *entries);
        if (!entries) return AVOUT_ENOMEM;
        memcpy(entries, txn->entries, txn->count * sizeof *entries);
        if (txn->entries != txn->inline_entries) avout__free(txn->entries);
        txn->entries = entries;
        txn->capacity = capacity;
    }
    *entry = &txn->entries[txn->count++];
    **entry = (avout__entry){.cell = avout__cell_ref(cell)};
    return AVOUT_OK;
}

static avout_status entry_get(avout__entry **entry, avout_txn *txn, avout__cell *cell)
{
    *entry = avout__txn_find(txn, cell);
    return *entry ? AVOUT_OK : entry_add(entry, txn, cell);
}

static avout_status doom(avout_txn *txn)
{
    txn->doomed = true;
    return AVOUT_RETRY;
}

/* ---- reading ------------------------------------------------------------------------------------------------------ */

bool avout__txn_valid(avout_txn *txn)
{
    for (size_t i = 0; i < txn->count; i++) {
        const avout__entry *entry = &txn->entries[i];
        if ((entry->flags & AVOUT__ENTRY_READ) &&
            atomic_load_explicit(&entry->cell->head, memory_order_relaxed) != entry->base)
            return false;
    }
    return true;
}

static avout__record *head_ref(avout__cell *cell)
{
    avout__epoch_enter();
    avout__record *record = atomic_load_explicit(&cell->head, memory_order_acquire);
    if (record) avout__record_ref(record);
    avout__epoch_leave();
    return record;
}

/* Without the lock: a head that belongs to the transaction's tick, or NULL. */
static avout__record *read_fast(avout_txn *txn, avout__cell *cell)
{
    if (txn->in_past || (!txn->snap && txn->keeps_past)) return NULL;
    uint64_t before = atomic_load(&txn->stm->tick);
    if (before & 1 || (txn->snap && txn->snap != before)) return NULL;
    avout__record *record = head_ref(cell);
    if (record && atomic_load(&txn->stm->tick) == before) {
        if (!txn->snap) txn->snap = before; /* registered ones change it under the lock only */
        return record;
    }
    avout__record_unref(record);
    return NULL;
}

static void move_up(avout_txn *txn)
{
    avout__stm *stm = txn->stm;
    txn->snap = atomic_load(&stm->tick);
    if (!txn->keeps_past) return;
    avout__link_remove(&txn->active);
    avout__list_append(&stm->active, &txn->active);
    txn->registered = true;
    avout__past_trim(stm);
}

/* Under the lock. AVOUT_RETRY: a conflict; AVOUT_BLOCK: the cell has no head now. */
static avout_status read_slow(avout__record **record, avout_txn *txn, avout__cell *cell)
{
    if (!txn->in_past && avout__txn_valid(txn)) {
        *record = atomic_load_explicit(&cell->head, memory_order_relaxed);
        if (!*record) return AVOUT_BLOCK;
        move_up(txn);
        return AVOUT_OK;
    }
    bool may_look_back = txn->isolation == AVOUT_SNAPSHOT || (!txn->has_writes && !txn->updates);
    *record = may_look_back ? avout__past_find(cell, txn->snap) : NULL;
    if (!*record) return AVOUT_RETRY;
    txn->in_past = true;
    return AVOUT_OK;
}

/* Reads the head into a new or blind entry. */
static avout_status read_base(avout_txn *txn, avout__entry *entry)
{
    avout__cell *cell = entry->cell;
    avout__stm *stm = txn->stm;
    for (;;) {
        if (!atomic_load_explicit(&cell->used, memory_order_relaxed))
            atomic_store_explicit(&cell->used, 1, memory_order_relaxed);
        avout__record *record = read_fast(txn, cell);
        avout_status status = AVOUT_OK;
        if (!record) {
            avout__stm_lock(stm);
            status = read_slow(&record, txn, cell);
            if (!status) avout__record_ref(record);
            avout__stm_unlock(stm);
        }
        if (!status) {
            avout__record_unref(entry->base);
            entry->base = record;
            entry->flags |= AVOUT__ENTRY_READ;
            return AVOUT_OK;
        }
        if (status == AVOUT_RETRY) return doom(txn);
        if (txn->asynchronous) {
            if (!txn->missing) txn->missing = avout__cell_ref(cell);
            return doom(txn);
        }
        status = avout__cell_wait(cell, true, txn->deadline_ns);
        if (status) return status;
    }
}

avout_status avout__commutes_apply(avout_value *changed, avout_txn *txn,
                                   const avout__commute *commutes, avout__record *base,
                                   avout__cell *cell)
{
    avout_value value;
    avout_status status = avout__txn_value(&value, txn, cell, base);
    if (status) return status;
    *changed = avout_share(value);
    for (; !status && commutes; commutes = commutes->next)
        status = commutes->change(changed, commutes->payload);
    if (!status && avout_is_none(*changed)) status = avout_none_status();
    if (status) avout_release(*changed);
    return status;
}

/* A commuted ref that is read becomes an altered one: what was read is what the changes build on. */
static avout_status settle_commutes(avout__entry **at, avout_txn *txn)
{
    avout__entry *entry = *at;
    avout__cell *cell = entry->cell;
    /* They may use the transaction, which may move the entries, and this very ref. */
    avout__commute *commutes = entry->commutes;
    entry->commutes = NULL;
    entry->flags &= (uint8_t)~AVOUT__ENTRY_COMMUTE;
    avout_value changed;
    avout_status status = avout__commutes_apply(&changed, txn, commutes, entry->base, cell);
    *at = entry = avout__txn_find(txn, cell);
    commutes_free(entry);
    if (status) {
        entry->commutes = commutes;
        entry->flags |= AVOUT__ENTRY_COMMUTE;
        return status;
    }
    commutes_drop(commutes);
    avout_release(entry->value);
    entry->value = changed;
    entry->flags = (uint8_t)((entry->flags & ~AVOUT__ENTRY_COMMUTE) | AVOUT__ENTRY_WRITE);
    return AVOUT_OK;
}

avout_status avout__txn_read(avout__entry **out, avout_txn *txn, avout__cell *cell)
{
    if (txn->doomed) return AVOUT_RETRY;
    avout__entry *entry = avout__txn_find(txn, cell);
    bool known = entry != NULL;
    avout_status status = AVOUT_OK;
    if (!entry) status = entry_add(&entry, txn, cell);
    if (status) return status;
    /* A ref that was set without being read is not read either: its value is the transaction's. */
    if (!(entry->flags & (AVOUT__ENTRY_READ | AVOUT__ENTRY_WRITE))) {
        status = read_base(txn, entry);
        if (status && !known) {
            entry_release(entry);
            txn->count--;
        }
    }
    if (!status && (entry->flags & AVOUT__ENTRY_COMMUTE)) status = settle_commutes(&entry, txn);
    if (!status) *out = entry;
    return status;
}

avout_status avout__txn_entry_value(avout_value *value, avout_txn *txn, avout__entry *entry)
{
    if (entry->flags & AVOUT__ENTRY_WRITE) {
        *value = entry->value;
        if (!(entry->flags & AVOUT__ENTRY_DESTROY)) return AVOUT_OK;
        return avout_fail(AVOUT_ENOTFOUND, "%s: is destroyed in this transaction",
                          entry->cell->name);
    }
    return avout__txn_value(value, txn, entry->cell, entry->base);
}

/* ---- writing ------------------------------------------------------------------------------------------------------ */

static avout_status begin_write(avout_txn *txn)
{
    if (txn->doomed) return AVOUT_RETRY;
    txn->updates = true;
    if (txn->in_past && txn->isolation == AVOUT_SERIALIZABLE) return doom(txn);
    txn->has_writes = true;
    return AVOUT_OK;
}

avout_status avout__txn_write(avout_txn *txn, avout__cell *cell, avout_value value, uint8_t flags)
{
    if (avout_is_none(value) && !(flags & AVOUT__ENTRY_DESTROY)) return avout_none_status();
    avout__entry *entry = NULL;
    avout_status status = begin_write(txn);
    if (!status) status = entry_get(&entry, txn, cell);
    if (status) {
        avout_release(value);
        return status;
    }
    commutes_free(entry);
    avout_release(entry->value);
    entry->value = value;
    entry->flags &= (uint8_t) ~(AVOUT__ENTRY_COMMUTE | AVOUT__ENTRY_DESTROY);
    entry->flags |= AVOUT__ENTRY_WRITE | flags;
    return AVOUT_OK;
}

avout_status avout__txn_change(avout_txn *txn, avout__cell *cell, avout_change_fn change,
                               void *payload)
{
    avout__entry *entry;
    avout_value value;
    avout_status status = begin_write(txn);
    if (!status) status = avout__txn_read(&entry, txn, cell);
    if (!status) status = avout__txn_entry_value(&value, txn, entry);
    if (status) return status;
    /* `change` may use the transaction, which may move the entries. */
    avout_value changed = avout_share(value);
    status = change(&changed, payload);
    if (!status && avout_is_none(changed)) status = avout_none_status();
    if (status) {
        avout_release(changed);
        return status;
    }
    return avout__txn_write(txn, cell, changed, 0);
}

avout_status avout__txn_commute(avout_txn *txn, avout__cell *cell, avout_change_fn change,
                                void *payload)
{
    avout__entry *entry = NULL;
    avout_status status = begin_write(txn);
    if (!status) status = entry_get(&entry, txn, cell);
    if (status) return status;
    if (entry->flags & (AVOUT__ENTRY_READ | AVOUT__ENTRY_WRITE))
        return avout__txn_change(txn, cell, change, payload);
    avout__commute *commute = avout__alloc(sizeof *commute);
    if (!commute) return AVOUT_ENOMEM;
    *commute = (avout__commute){NULL, change, payload};
    avout__commute **end = &entry->commutes;
    while (*end) end = &(*end)->next;
    *end = commute;
    entry->flags |= AVOUT__ENTRY_COMMUTE;
    return AVOUT_OK;
}

/* ---- savepoints: or-else -------------------------------------------------------------------------------------------- */

typedef struct savepoint {
    size_t count, hook_count, check_count;
    bool has_writes;
    struct saved {
        avout_value value;
        uint8_t flags;
        avout__commute *commutes; /* a copy: reading the ref uses the list up */
    } * entries;
} savepoint;

static avout_status commutes_copy(avout__commute **copy, const avout__commute *commutes)
{
    for (*copy = NULL; commutes; commutes = commutes->next, copy = &(*copy)->next) {
        *copy = avout__alloc(sizeof **copy);
        if (!*copy) return AVOUT_ENOMEM;
        **copy = (avout__commute){NULL, commutes->change, commutes->payload};
    }
    return AVOUT_OK;
}

static void savepoint_release(savepoint *point)
{
    for (size_t i = 0; i < point->count; i++) {
        avout_release(point->entries[i].value);
        commutes_drop(point->entries[i].commutes);
    }
    avout__free(point->entries);
}

static avout_status savepoint_set(savepoint *point, avout_txn *txn)
{
    *point = (savepoint){txn->count, txn->hook_count, txn->check_count, txn->has_writes, NULL};
    point->entries = avout__calloc(txn->count ? txn->count : 1, sizeof *point->entries);
    if (!point->entries) return AVOUT_ENOMEM;
    avout_status status = AVOUT_OK;
    for (size_t i = 0; !status && i < txn->count; i++) {
        point->entries[i].value = avout_share(txn->entries[i].value);
        point->entries[i].flags = txn->entries[i].flags;
        status = commutes_copy(&point->entries[i].commutes, txn->entries[i].commutes);
    }
    if (status) savepoint_release(point);
    return status;
}

enum { WRITE_FLAGS = AVOUT__ENTRY_WRITE | AVOUT__ENTRY_DESTROY | AVOUT__ENTRY_CREATE };

/* What was read since stays read: the decision to go back came from it. So a ref that is commuted
 * again may have been read as well: its commutes then build on what was read. */
static void savepoint_return(savepoint *point, avout_txn *txn)
{
    for (size_t i = 0; i < txn->count; i++) {
        avout__entry *entry = &txn->entries[i];
        struct saved none = {AVOUT_NONE, 0, NULL}, *saved = &none;
        if (i < point->count) saved = &point->entries[i];
        uint8_t flags = saved->flags;
        commutes_free(entry);
        entry->commutes = saved->commutes;
        saved->commutes = NULL;
        avout_release(entry->value);
        entry->value = saved->value;
        saved->value = AVOUT_NONE;
        uint8_t kept = (uint8_t)(entry->flags & ~(WRITE_FLAGS | AVOUT__ENTRY_COMMUTE));
        entry->flags = (uint8_t)(kept | (flags & (WRITE_FLAGS | AVOUT__ENTRY_COMMUTE)));
    }
    txn->hook_count = point->hook_count;
    avout__txn_drop_checks(txn, point->check_count);
    txn->has_writes = point->has_writes;
}

avout_status avout__txn_or_else(avout_txn *txn, avout_txn_fn first, void *first_payload,
                                avout_txn_fn second, void *second_payload)
{
    savepoint point;
    avout_status status = savepoint_set(&point, txn);
    if (status) return status;
    status = first(txn, first_payload);
    if (status == AVOUT_BLOCK && !txn->doomed) {
        savepoint_return(&point, txn);
        status = second(txn, second_payload);
    }
    savepoint_release(&point);
    return txn->doomed ? AVOUT_RETRY : status;
}

/* ---- hooks ------------------------------------------------------------------------------------------------------------ */

avout_status avout__txn_hook(avout_txn *txn, void (*call)(void *payload), void *payload)
{
    avout_status status = AVOUT__GROW(&txn->hooks, &txn->hook_capacity, txn->hook_count + 1);
    if (status) return status;
    txn->hooks[txn->hook_count++] = (avout__hook){call, payload};
    return AVOUT_OK;
}

avout_status avout__txn_require(avout_txn *txn, avout__node_check *check)
{
    for (size_t i = 0; i < txn->check_count; i++)
        if (txn->checks[i] == check) return AVOUT_OK;
    avout_status status = AVOUT__GROW(&txn->checks, &txn->check_capacity, txn->check_count + 1);
    if (status) return status;
    txn->checks[txn->check_count++] = avout__node_check_ref(check);
    return AVOUT_OK;
}

void avout__txn_drop_checks(avout_txn *txn, size_t keep)
{
    while (txn->check_count > keep) avout__node_check_unref(txn->checks[--txn->check_count]);
}

void avout__txn_run_hooks(avout_txn *txn)
{
    for (size_t i = 0; i < txn->hook_count; i++) txn->hooks[i].call(txn->hooks[i].payload);
}
