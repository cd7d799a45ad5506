#include "stm/update.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/fork.h"
#include "base/banned.h"

avout_status avout__update_run(avout__cell *cell, avout_txn_fn body, void *payload,
                               const avout_call_options *options)
{
    avout_txn *txn;
    avout_status status = avout__txn_new(&txn, cell->stm, options);
    if (status) return status;
    status = avout__txn_run(txn, body, payload);
    avout__txn_unref(txn);
    return status;
}

/* ---- opening ---------------------------------------------------------------------------------------------------------- */

/* Asks without caching what comes: it would drive out a cell that may be in use, for one that is not
 * used yet. */
static avout_status look(avout__cell *cell, int64_t deadline_ns)
{
    char path[AVOUT__PATH_MAX];
    avout__layout_path(path, cell->name);
    avout_request request = {.kind = AVOUT_REQUEST_EXISTS, .path = path};
    avout__reply reply;
    avout_status status =
        avout__call_repeated(&reply, &cell->stm->door, &request, cell->name, deadline_ns);
    bool destroyed = !status && reply.is.stat.length == 0;
    avout__reply_release(&reply);
    if (destroyed) return avout__record_none(AVOUT__RECORD_TOMBSTONE, cell->name);
    if (status == AVOUT_ENOTFOUND) return avout__record_none(AVOUT__RECORD_ABSENT, cell->name);
    return status;
}

avout_status avout__update_open(avout__cell **out, avout__stm *stm, const char *name,
                                const avout__container *container)
{
    avout__cell *cell;
    avout_status status = avout__cell_open(&cell, stm, name, container);
    if (status) return status;
    int64_t deadline_ns = avout__deadline_in_ms(stm->timeout_ms);
    avout_value value = AVOUT_NONE;
    if (avout__view_full(cell)) status = look(cell, deadline_ns);
    else status = avout__cell_deref(&value, cell, deadline_ns);
    if (!status) avout_release(value);
    /* Bytes that are no value can be reset: opening does not stand in the way. */
    if (!status || status == AVOUT_EDATA) {
        *out = cell;
        return AVOUT_OK;
    }
    avout__cell_unref(cell);
    return status;
}

typedef struct creation {
    avout__cell *cell;
    avout_value value;
    bool reset;
    bool created;
} creation;

/* What is there has to be in the container that it is opened with. */
static avout_status check_pointer(const avout__entry *entry)
{
    const avout__foreign *foreign = avout__foreign_of(entry->cell->container);
    const void *bytes;
    size_t length;
    if (!foreign) return AVOUT_OK;
    avout__record_bytes(entry->base, &bytes, &length);
    return avout__pointer_check(foreign, bytes, length);
}

static avout_status create(avout_txn *txn, void *payload)
{
    creation *wanted = payload;
    avout__entry *entry;
    avout_status status = avout__txn_read(&entry, txn, wanted->cell);
    if (status) return status;
    wanted->created = entry->base->kind != AVOUT__RECORD_VALUE;
    if (!wanted->created && !wanted->reset) return check_pointer(entry);
    return avout__txn_write(txn, wanted->cell, avout_share(wanted->value), AVOUT__ENTRY_CREATE);
}

avout_status avout__update_create(avout__cell **out, avout__stm *stm, const char *name,
                                  const avout__container *container, avout_value value, bool reset,
                                  bool *created)
{
    if (avout_is_none(value)) return avout_none_status();
    creation wanted = {.value = value, .reset = reset};
    avout_status status = avout__cell_open(&wanted.cell, stm, name, container);
    if (!status) {
        status = avout__update_run(wanted.cell, create, &wanted, NULL);
        if (status) avout__cell_unref(wanted.cell);
    }
    avout_release(wanted.value);
    if (status) return status;
    *out = wanted.cell;
    if (created) *created = wanted.created;
    return AVOUT_OK;
}

/* ---- destroying --------------------------------------------------------------------------------------------------------- */

static avout_status destroy(avout_txn *txn, void *payload)
{
    avout__cell *cell = payload;
    avout__entry *entry;
    avout_status status = avout__txn_read(&entry, txn, cell);
    if (status) return status;
    if (entry->base->kind != AVOUT__RECORD_VALUE) {
        avout_value none;
        return avout__record_value(&none, entry->base, cell->container, cell->name);
    }
    return avout__txn_write(txn, cell, AVOUT_NONE, AVOUT__ENTRY_DESTROY);
}

avout_status avout__update_destroy(avout__cell *cell)
{
    return avout__update_run(cell, destroy, cell, NULL);
}

/* ---- reading -------------------------------------------------------------------------------------------------------------- */

typedef struct reading {
    avout__cell *cell;
    avout_value value;
} reading;

static avout_status read_one(avout_txn *txn, void *payload)
{
    reading *wanted = payload;
    avout__entry *entry;
    avout_value value;
    avout_release(wanted->value);
    wanted->value = AVOUT_NONE;
    avout_status status = avout__txn_read(&entry, txn, wanted->cell);
    if (!status) status = avout__txn_entry_value(&value, txn, entry);
    if (!status) wanted->value = avout_share(value);
    return status;
}

avout_status avout__update_deref_strict(avout_value *value, avout__cell *cell, int64_t timeout_ms)
{
    reading wanted = {.cell = cell};
    avout_call_options options = {.timeout_ms = timeout_ms, .strict = true};
    avout_status status = avout__update_run(cell, read_one, &wanted, &options);
    if (!status) *value = wanted.value;
    else avout_release(wanted.value);
    return status;
}

avout_status avout__update_deref(avout_value *value, avout__cell *cell, int64_t timeout_ms)
{
    avout_txn *txn = avout__txn_current(cell->stm);
    if (txn) {
        reading wanted = {.cell = cell};
        avout_status status = read_one(txn, &wanted);
        if (!status) *value = wanted.value;
        return status;
    }
    return avout__cell_deref_within(value, cell, timeout_ms ? timeout_ms : cell->stm->timeout_ms);
}

avout_value avout__update_peek(avout__cell *cell)
{
    if (atomic_load_explicit(&cell->stm->degraded, memory_order_relaxed) ||
        atomic_load_explicit(&avout__forks, memory_order_relaxed) != cell->stm->forks)
        return AVOUT_NONE;
    if (!atomic_load_explicit(&cell->used, memory_order_relaxed))
        atomic_store_explicit(&cell->used, 1, memory_order_relaxed);
    avout__record *record = atomic_load_explicit(&cell->live, memory_order_acquire);
    if (!record) return AVOUT_NONE;
    return (avout_value){atomic_load_explicit(&record->value, memory_order_acquire)};
}
