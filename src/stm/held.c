#include "stm/held.h"

#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "stm/update.h"
#include "base/banned.h"

/* ---- reading -------------------------------------------------------------------------------------- */

avout_status avout__held_read(avout_value *value, avout__cell *cell, const avout__record *record,
                              int64_t deadline_ns)
{
    avout_value read;
    avout_status status = avout__held_get(&read, avout__held_of(cell->container), deadline_ns);
    if (status) return status;
    /* Else it may be newer than what this client shows next (I6). */
    status = avout__cell_still(cell, record, deadline_ns);
    if (status) avout_release(read);
    else *value = read;
    return status;
}

avout_status avout__held_load(avout_value *value, avout__cell *cell, avout__record *record,
                              int64_t deadline_ns)
{
    const void *bytes;
    size_t length;
    avout__mark mark;
    avout__held *held = avout__held_of(cell->container);
    avout__record_bytes(record, &bytes, &length);
    if (!avout__mark_read(&mark, held, bytes, length))
        return avout__mark_refused(held, bytes, length);
    if (mark.dirty) return AVOUT_RETRY;
    avout_value loaded;
    avout_status status = avout__held_get(&loaded, held, deadline_ns);
    bool nothing = status == AVOUT_ENOTFOUND;
    if (status && !nothing) return status;
    char missing[512];
    snprintf(missing, sizeof missing, "%s", nothing ? avout_error_detail() : "");
    if (nothing) loaded = AVOUT_NONE;
    status = avout__cell_still(cell, record, deadline_ns); /* H2 */
    if (!status && nothing)
        status = avout_fail(AVOUT_EIO, "%s, though the mark of %s is clean", missing, cell->name);
    if (status) {
        avout_release(loaded);
        return status;
    }
    uintptr_t none = 0;
    if (!atomic_compare_exchange_strong(&record->value, &none, loaded.bits)) {
        avout_release(loaded); /* somebody else was first */
        loaded.bits = none;
    }
    *value = loaded;
    return AVOUT_OK;
}

/* The newest record that this client knows; counted. */
static avout_status newest(avout__record **record, avout__cell *cell, int64_t deadline_ns)
{
    for (;;) {
        avout__epoch_enter();
        *record = atomic_load_explicit(&cell->live, memory_order_acquire);
        if (*record) avout__record_ref(*record);
        avout__epoch_leave();
        if (*record) return AVOUT_OK;
        avout_status status = avout__cell_wait(cell, false, deadline_ns);
        if (status) return status;
    }
}

avout_status avout__held_strict(avout_value *value, avout__cell *cell, int64_t timeout_ms)
{
    avout__stm *stm = cell->stm;
    int64_t deadline_ns = avout__deadline_in_ms(timeout_ms ? timeout_ms : stm->timeout_ms);
    for (;;) {
        avout__record *record;
        avout_status status = newest(&record, cell, deadline_ns);
        if (status) return status;
        if (!record->dirty) status = avout__cell_still(cell, record, deadline_ns);
        if (record->dirty) {
            status = avout__held_read(value, cell, record, deadline_ns);
        } else if (!status) {
            status = avout__cell_value(value, cell, record, deadline_ns);
            if (!status) *value = avout_share(*value);
        }
        avout__record_unref(record);
        if (status != AVOUT_RETRY) return status;
    }
}

/* A dirty one may be of a creation that was not finished. */
avout_status avout__held_look(bool *there, avout__cell *cell)
{
    avout__record *record;
    avout_status status = newest(&record, cell, avout__deadline_in_ms(cell->stm->timeout_ms));
    if (status) return status;
    const void *bytes;
    size_t length;
    avout__mark mark;
    avout__held *held = avout__held_of(cell->container);
    *there = record->kind == AVOUT__RECORD_VALUE && !record->dirty;
    avout__record_bytes(record, &bytes, &length);
    if (*there && !avout__mark_read(&mark, held, bytes, length))
        status = avout__mark_refused(held, bytes, length);
    avout__record_unref(record);
    return status;
}

/* ---- marking -------------------------------------------------------------------------------------- */

static avout_status moved_on(const avout__cell *cell)
{
    return avout_fail(AVOUT_ECONFLICT, "%s: others have changed it since", cell->name);
}

/* An atom that is made again goes on counting, so that a mark of it is never taken for one of the destroyed
 * one's: each change, the destruction too, has moved the node's version. */
static uint64_t count_of_destroyed(avout__stm *stm, const avout__record *base)
{
    uint64_t count = 0;
    if (base->kind != AVOUT__RECORD_TOMBSTONE) return 0;
    avout__stm_lock(stm);
    for (; base->fate == AVOUT__FATE_PENDING && base->under; base = base->under) count++;
    if (base->version > 0) count += (uint64_t)base->version;
    avout__stm_unlock(stm);
    return count;
}

static avout_status read_base(avout__mark *mark, avout__marking *wanted, const avout__record *base)
{
    const void *bytes;
    size_t length;
    avout__held *held = avout__held_of(wanted->cell->container);
    mark->change = count_of_destroyed(wanted->cell->stm, base);
    if (base->kind != AVOUT__RECORD_VALUE) {
        if (wanted->again) return moved_on(wanted->cell);
        return wanted->creates ? AVOUT_OK : avout__record_none(base->kind, wanted->cell->name);
    }
    avout__record_bytes(base, &bytes, &length);
    if (!avout__mark_read(mark, held, bytes, length))
        return avout__mark_refused(held, bytes, length);
    if (!wanted->again) return AVOUT_OK;
    wanted->finished = !mark->dirty;
    return mark->change == wanted->change ? AVOUT_OK : moved_on(wanted->cell);
}

static avout_status move_mark(avout_txn *txn, void *payload)
{
    avout__marking *wanted = payload;
    avout__held *held = avout__held_of(wanted->cell->container);
    avout__entry *entry;
    avout__mark mark;
    avout_status status = avout__txn_read(&entry, txn, wanted->cell);
    if (!status) status = read_base(&mark, wanted, entry->base);
    if (!status) status = avout__txn_require(txn, wanted->check);
    if (status) return status;
    avout__record_unref(wanted->base);
    wanted->base = avout__record_ref(entry->base);
    if (wanted->again && wanted->finished) return AVOUT_OK;
    if (wanted->dirty && !wanted->again) wanted->change = mark.change + 1;
    uint8_t flags = wanted->creates ? AVOUT__ENTRY_CREATE : 0;
    if (wanted->dirty) {
        flags |= AVOUT__ENTRY_DIRTY;
        avout__mark_dirty(&mark, held, wanted->change, wanted->token);
    } else {
        avout__mark_clean(&mark, held, mark.change);
    }
    avout_value value = wanted->dirty ? avout_nil() : avout_share(wanted->value);
    status = avout__txn_write(txn, wanted->cell, value, flags);
    if (status) return status;
    entry = avout__txn_find(txn, wanted->cell);
    entry->blob = avout__blob_new(mark.text, strlen(mark.text));
    return entry->blob ? AVOUT_OK : AVOUT_ENOMEM;
}

avout_status avout__held_mark(avout__marking *wanted, int64_t deadline_ns)
{
    int64_t left_ms = avout__deadline_left_ms(deadline_ns);
    avout_call_options options = {.timeout_ms = left_ms == INT64_MAX ? AVOUT_FOREVER : left_ms};
    if (!left_ms) return avout_fail(AVOUT_ETIMEOUT, "%s: no time left", wanted->cell->name);
    return avout__update_run(wanted->cell, move_mark, wanted, &options);
}
