/* Committing, on the caller's thread: commutes, validators, encoding outside the lock; then one short
 * critical section that validates against the heads, shows the writes as heads and joins pending.
 *
 * Nothing that comes out of a run is released before what it saw is confirmed (I4): a run that saw
 * pending records, whatever it ended with, joins pending with its reads alone and travels with the
 * group it depends on. */
#include "stm/stm.h"

#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/interrupt.h"
#include "base/banned.h"

/* ---- outside the lock ------------------------------------------------------------------------------------------- */

/* Waits for a head of a cell that is written without having been read. */
static avout_status await_head(avout_txn *txn, avout__entry *entry)
{
    for (;;) {
        avout__epoch_enter();
        avout__record *head = atomic_load_explicit(&entry->cell->head, memory_order_acquire);
        if (head) avout__record_ref(head);
        avout__epoch_leave();
        if (head) {
            avout__record_unref(entry->base);
            entry->base = head;
            return AVOUT_OK;
        }
        if (txn->asynchronous) {
            if (!txn->missing) txn->missing = avout__cell_ref(entry->cell);
            return AVOUT_RETRY;
        }
        avout_status status = avout__cell_wait(entry->cell, true, txn->deadline_ns);
        if (status) return status;
    }
}

static avout_status apply_commutes(avout_txn *txn, avout__entry *entry)
{
    avout_value changed;
    avout_status status =
        avout__commutes_apply(&changed, txn, entry->commutes, entry->base, entry->cell);
    if (status) return status;
    avout_release(entry->value);
    entry->value = changed;
    avout__free(entry->blob);
    entry->blob = NULL;
    return AVOUT_OK;
}

/* A value that is elsewhere is not lost by one that is written in the place of its pointer. */
static avout_status check_pointer(const avout__entry *entry)
{
    const void *bytes;
    size_t length;
    if (entry->cell->container->foreign || entry->cell->container->held) return AVOUT_OK;
    /* What is written over is to be deleted. */
    avout__foreign *chunks;
    if (entry->base->elsewhere) return avout__cell_chunks(&chunks, entry->cell);
    if (entry->flags & AVOUT__ENTRY_DESTROY) return AVOUT_OK;
    /* Bytes that were decoded are no pointer: that has been looked at. */
    if (atomic_load_explicit(&entry->base->value, memory_order_acquire)) return AVOUT_OK;
    avout__epoch_enter();
    avout__record_bytes(entry->base, &bytes, &length);
    avout_status status = AVOUT_OK;
    if (bytes && avout__pointer_is(bytes, length)) status = avout__pointer_refused(bytes, length);
    avout__epoch_leave();
    if (!status) return AVOUT_OK;
    char why[256];
    snprintf(why, sizeof why, "%s", avout_error_detail());
    return avout_fail(status, "%s: %s", entry->cell->name, why);
}

/* Where nothing is, only a creation may write; its directories come first. */
static avout_status check_base(avout_txn *txn, avout__entry *entry)
{
    if (entry->base->kind == AVOUT__RECORD_VALUE) return check_pointer(entry);
    avout_value none;
    if (!(entry->flags & AVOUT__ENTRY_CREATE))
        return avout__record_value(&none, entry->base, entry->cell->container, entry->cell->name);
    if (entry->base->kind == AVOUT__RECORD_TOMBSTONE) return AVOUT_OK;
    return avout__layout_parents(txn->stm, entry->cell->name, txn->deadline_ns);
}

static avout_status encode(avout__entry *entry)
{
    if (entry->blob || entry->written || !entry->cell->container->in_store) return AVOUT_OK;
    avout__buffer bytes = AVOUT__BUFFER_INIT;
    avout_status status = AVOUT_OK;
    if (!(entry->flags & AVOUT__ENTRY_DESTROY))
        status = entry->cell->container->encode(&bytes, entry->value, entry->cell->container);
    if (!status) {
        entry->blob = avout__blob_new(bytes.data, bytes.length);
        if (!entry->blob) status = AVOUT_ENOMEM;
    }
    avout__buffer_release(&bytes);
    return status;
}

static avout_status prepare_entry(avout_txn *txn, avout__entry *entry)
{
    avout_status status = AVOUT_OK;
    if (!(entry->flags & AVOUT__ENTRY_READ)) status = await_head(txn, entry);
    if (!status) status = check_base(txn, entry);
    if (!status && (entry->flags & AVOUT__ENTRY_COMMUTE)) status = apply_commutes(txn, entry);
    /* Of a held one the validator has been asked before the container was. */
    if (!status && !(entry->flags & AVOUT__ENTRY_DESTROY) && !entry->cell->container->held)
        status = avout__validator_check(entry->cell, entry->value);
    /* What is staged is staged at last: whatever else fails leaves nothing behind. */
    bool stages = entry->cell->container->foreign && !(entry->flags & AVOUT__ENTRY_DESTROY);
    if (!status && !stages) status = encode(entry);
    if (status || entry->written || stages) return status;
    avout__record_kind kind =
        entry->flags & AVOUT__ENTRY_DESTROY ? AVOUT__RECORD_TOMBSTONE : AVOUT__RECORD_VALUE;
    avout__blob *blob = entry->blob;
    entry->blob = NULL;
    bool dirty = entry->flags & AVOUT__ENTRY_DIRTY;
    bool shown = kind == AVOUT__RECORD_VALUE && !dirty;
    entry->written = avout__record_new(kind, shown ? avout_share(entry->value) : AVOUT_NONE, blob);
    if (!entry->written) return AVOUT_ENOMEM;
    entry->written->dirty = dirty;
    entry->written->elsewhere = entry->cell->container->held && kind == AVOUT__RECORD_VALUE;
    return AVOUT_OK;
}

static void unprepare_entry(avout__entry *entry)
{
    avout__stage_discard(entry);
    avout__record_unref(entry->written);
    entry->written = NULL;
    avout__free(entry->blob);
    entry->blob = NULL;
    entry->flags &= (uint8_t)~AVOUT__ENTRY_SPILL;
    if (!(entry->flags & AVOUT__ENTRY_READ)) {
        avout__record_unref(entry->base);
        entry->base = NULL;
    }
}

static bool is_written(const avout__entry *entry)
{
    return entry->flags & (AVOUT__ENTRY_WRITE | AVOUT__ENTRY_COMMUTE);
}

/* What the transaction needs of a multi; *name: whose value is the largest. */
static size_t size_of(const char **name, size_t *largest, const avout_txn *txn)
{
    size_t overhead = atomic_load_explicit(&txn->stm->op_overhead, memory_order_relaxed);
    size_t bytes = 512;
    *largest = 0;
    *name = "";
    for (size_t i = 0; i < txn->count; i++) {
        const avout__entry *entry = &txn->entries[i];
        if (!entry->cell->container->in_store) continue;
        const void *data;
        size_t length = is_written(entry) ? AVOUT__POINTER_MOST : 0;
        if (entry->written) avout__record_bytes(entry->written, &data, &length);
        if (length > *largest) *largest = length, *name = entry->cell->name;
        bytes += length + 2 * (overhead + 3 * entry->cell->name_length + 16);
    }
    for (size_t i = 0; i < txn->check_count; i++) bytes += overhead + strlen(txn->checks[i]->path);
    return bytes;
}

/* What does not fit goes elsewhere. */
static avout_status stage(avout_txn *txn)
{
    const char *name;
    size_t most = atomic_load_explicit(&txn->stm->max_request, memory_order_relaxed), largest;
    avout__txn_spill(txn, size_of(&name, &largest, txn), most);
    avout_status status = avout__txn_stage(txn);
    if (status) return status;
    size_t bytes = size_of(&name, &largest, txn);
    if (bytes <= most) return AVOUT_OK;
    return avout_fail(
        AVOUT_ELIMIT,
        "%s: the transaction needs %zu bytes (this value %zu), the store's limit is %zu", name,
        bytes, largest, most);
}

static avout_status prepare(avout_txn *txn)
{
    for (size_t i = 0; i < txn->count; i++) {
        avout__entry *entry = &txn->entries[i];
        if (!is_written(entry)) continue;
        avout_status status = prepare_entry(txn, entry);
        if (!status) continue;
        /* What a commute or a validator refuses comes from the base: it counts as read (I4). */
        if (entry->base) entry->flags |= AVOUT__ENTRY_READ;
        return status;
    }
    return stage(txn);
}

static void drop_writes(avout_txn *txn)
{
    for (size_t i = 0; i < txn->count; i++) {
        unprepare_entry(&txn->entries[i]);
        txn->entries[i].flags &= AVOUT__ENTRY_READ | AVOUT__ENTRY_ENSURE;
    }
    txn->has_writes = false;
    txn->hook_count = 0;
    avout__txn_drop_checks(txn, 0);
}

/* ---- under the lock ---------------------------------------------------------------------------------------------- */

typedef enum judgement { VALID, CONFLICT, RECOMPUTE } judgement;

static judgement judge_read(avout_txn *txn, avout__entry *entry, avout__record *head)
{
    bool must_be_newest = txn->isolation == AVOUT_SERIALIZABLE || txn->strict ||
                          is_written(entry) || (entry->flags & AVOUT__ENTRY_ENSURE);
    entry->checked = entry->dependent = false;
    if (must_be_newest) {
        entry->checked = true;
        return head == entry->base ? VALID : CONFLICT;
    }
    if (entry->base->fate == AVOUT__FATE_DEAD || entry->base->veiled) return CONFLICT;
    entry->dependent = entry->base->fate == AVOUT__FATE_PENDING;
    return VALID;
}

/* Others' pointers are looked at before anything is written over them (check_pointer). */
static bool is_pointer(const avout__record *record)
{
    const void *bytes;
    size_t length;
    avout__record_bytes(record, &bytes, &length);
    return record->elsewhere || (bytes && avout__pointer_is(bytes, length));
}

/* A write without a read stands on whatever is there now; what was staged, on what has come of its base
 * by our own commits alone (F1). */
static judgement judge_blind(avout__entry *entry, avout__record *head)
{
    entry->checked = entry->dependent = false;
    if (head == entry->base) return VALID;
    if (!head || (entry->flags & AVOUT__ENTRY_COMMUTE) || head->kind != entry->base->kind)
        return RECOMPUTE;
    if (head->lineage != entry->base->lineage && (entry->written->staged || is_pointer(head)))
        return RECOMPUTE;
    avout__record_drop(entry->base);
    entry->base = avout__record_ref(head);
    return VALID;
}

static judgement judge(avout_txn *txn)
{
    if (txn->in_past && txn->has_writes && txn->isolation == AVOUT_SERIALIZABLE) return CONFLICT;
    judgement worst = VALID;
    for (size_t i = 0; i < txn->count; i++) {
        avout__entry *entry = &txn->entries[i];
        avout__record *head = atomic_load_explicit(&entry->cell->head, memory_order_relaxed);
        judgement one = VALID;
        if (entry->flags & AVOUT__ENTRY_READ) one = judge_read(txn, entry, head);
        else if (is_written(entry)) one = judge_blind(entry, head);
        if (one == CONFLICT) return CONFLICT;
        if (one == RECOMPUTE) worst = RECOMPUTE;
    }
    return worst;
}

/* Whether something read was pending at tick `snap`, or is now (UINT64_MAX). */
static bool saw_pending(const avout_txn *txn, uint64_t snap)
{
    for (size_t i = 0; i < txn->count; i++) {
        const avout__entry *entry = &txn->entries[i];
        if (!(entry->flags & AVOUT__ENTRY_READ)) continue;
        if (entry->base->fate != AVOUT__FATE_SETTLED || entry->base->settled > snap) return true;
    }
    return false;
}

/* A record has one reference of its entry and one of its cell. */
static void show_writes(avout_txn *txn)
{
    avout__stm *stm = txn->stm;
    avout__tick_begin(stm);
    for (size_t i = 0; i < txn->count; i++) {
        avout__entry *entry = &txn->entries[i];
        if (!is_written(entry)) continue;
        avout__record *record = avout__record_ref(entry->written);
        record->fate = AVOUT__FATE_PENDING;
        record->lineage = entry->base->lineage;
        record->under = avout__record_ref(entry->base);
        entry->cell->top = record;
        avout__head_set(entry->cell, record);
    }
    avout__tick_end(stm);
}

static void join(avout_txn *txn)
{
    avout__stm *stm = txn->stm;
    avout__elder_leave(txn);
    avout__txn_unregister(txn);
    if (txn->has_writes) show_writes(txn);
    txn->latch = (avout__latch)AVOUT__LATCH_INIT;
    txn->phase = AVOUT__PENDING;
    txn->contended = NULL;
    atomic_fetch_add(&txn->refs, 1); /* given up by who finishes it */
    avout__list_append(&stm->pending, &txn->link);
    avout__gather_arrived(stm);
    avout__send_joined(txn);
}

static avout_status closed_now(avout__stm *stm)
{
    return atomic_load(&stm->closed) ? avout_fail(AVOUT_ECLOSED, "the client is closed") : AVOUT_OK;
}

/* ---- commit ------------------------------------------------------------------------------------------------------- */

/* The executor runs others while this one waits: the detail of its error goes with it. */
static void keep_detail(avout_txn *txn)
{
    avout__free(txn->failure_detail);
    txn->failure_detail = avout__strdup(avout_error_detail());
}

/* What is written is prepared; anything that went wrong is in `result`. */
static avout__step commit_prepared(avout_status *status, avout_txn *txn, avout_status result)
{
    avout__stm *stm = txn->stm;
    avout__step step;
    if (txn->has_writes) avout__elder_respect(txn);
    avout__stm_lock(stm);
    /* What was pending when it was read belongs to a later point of the store's history than what was
     * settled, and others may have changed the latter before that point: even if all is confirmed by
     * now it is one cut only if it is still the newest. */
    bool asks = txn->has_writes || txn->strict || txn->check_count;
    bool judges = asks || saw_pending(txn, txn->snap);
    judgement judged = judges ? judge(txn) : VALID;
    bool travels = asks || (judges && (judged != VALID || saw_pending(txn, UINT64_MAX)));
    avout_status closed = travels ? closed_now(stm) : AVOUT_OK;
    if (closed) {
        *status = closed;
        step = AVOUT__STEP_FINAL;
    } else if (!travels) {
        *status = result;
        step = AVOUT__STEP_FINAL;
    } else if (judged == VALID) {
        txn->result = result;
        if (result && txn->asynchronous) keep_detail(txn);
        join(txn);
        step = AVOUT__STEP_PENDING;
    } else {
        step = judged == CONFLICT ? AVOUT__STEP_AGAIN : AVOUT__STEP_RECOMPUTE;
    }
    avout__stm_unlock(stm);
    /* What nobody has confirmed just now may be as old as the connection's loss. */
    if (!travels && !result && atomic_load_explicit(&stm->degraded, memory_order_relaxed))
        *status = avout__stm_fresh(stm);
    return step;
}

avout__step avout__txn_commit(avout_status *status, avout_txn *txn, avout_status result)
{
    for (;;) {
        if (!result && txn->has_writes) {
            result = prepare(txn);
            if (result == AVOUT_RETRY) return AVOUT__STEP_AGAIN;
        }
        /* The detail is kept over the wait: it goes with the result. */
        if (result) drop_writes(txn);
        avout__step step = commit_prepared(status, txn, result);
        if (step != AVOUT__STEP_RECOMPUTE) return step;
        for (size_t i = 0; i < txn->count; i++)
            if (!(txn->entries[i].flags & AVOUT__ENTRY_READ)) unprepare_entry(&txn->entries[i]);
        if (!avout__deadline_passed(txn->deadline_ns)) continue;
        *status = avout__txn_too_late();
        return AVOUT__STEP_FINAL;
    }
}

avout__step avout__txn_recommit(avout_status *status, avout_txn *txn)
{
    if (txn->result || avout__deadline_passed(txn->deadline_ns)) return AVOUT__STEP_AGAIN;
    /* A mark is made by the body. */
    for (size_t i = 0; i < txn->count; i++)
        if (txn->entries[i].cell->container->held) return AVOUT__STEP_AGAIN;
    avout__stm_lock(txn->stm);
    bool valid = avout__txn_valid(txn);
    avout__stm_unlock(txn->stm);
    if (!valid) return AVOUT__STEP_AGAIN;
    for (size_t i = 0; i < txn->count; i++) unprepare_entry(&txn->entries[i]);
    txn->recommits++;
    return avout__txn_commit(status, txn, AVOUT_OK);
}
