#include "stm/record.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "state/foreign.h"
#include "base/banned.h"

avout__blob *avout__blob_new(const void *bytes, size_t length)
{
    avout__blob *blob = avout__alloc(sizeof *blob + length);
    if (!blob) return NULL;
    blob->length = length;
    if (length) memcpy(blob->data, bytes, length);
    return blob;
}

static void blob_destroy(avout__retired *retired)
{
    avout__free(retired);
}

avout__record *avout__record_new(avout__record_kind kind, avout_value value, avout__blob *blob)
{
    avout__record *record = avout__calloc(1, sizeof *record);
    if (!record) {
        avout_release(value);
        avout__free(blob);
        return NULL;
    }
    atomic_init(&record->refs, 1);
    atomic_init(&record->value, value.bits);
    atomic_init(&record->blob, blob);
    record->kind = (uint8_t)kind;
    record->version = -1;
    record->until = UINT64_MAX;
    return record;
}

static void record_free(avout__record *record)
{
    avout_release((avout_value){atomic_load_explicit(&record->value, memory_order_relaxed)});
    avout__free(atomic_load_explicit(&record->blob, memory_order_relaxed));
    avout__record_unref(record->under);
    avout__free(record);
}

static bool was_last(avout__record *record)
{
    return atomic_fetch_sub_explicit(&record->refs, 1, memory_order_acq_rel) == 1;
}

void avout__record_unref(avout__record *record)
{
    if (record && was_last(record)) record_free(record);
}

static void record_collected(avout__retired *retired)
{
    record_free((avout__record *)(void *)retired);
}

/* The link cannot be in use: what the cell retired counted as a reference. */
void avout__record_drop(avout__record *record)
{
    if (record && was_last(record)) avout__epoch_retire(&record->retired, record_collected);
}

static void record_destroy(avout__retired *retired)
{
    avout__record_unref((avout__record *)(void *)retired);
}

void avout__record_retire(avout__record *record)
{
    if (record) avout__epoch_retire(&record->retired, record_destroy);
}

void avout__record_bytes(const avout__record *record, const void **bytes, size_t *length)
{
    const avout__blob *blob = atomic_load_explicit(&record->blob, memory_order_acquire);
    *bytes = blob ? blob->data : NULL;
    *length = blob ? blob->length : 0;
}

void avout__record_drop_bytes(avout__record *record)
{
    avout__blob *blob = atomic_exchange(&record->blob, NULL);
    if (blob) avout__epoch_retire(&blob->retired, blob_destroy);
}

/* Two readers may decode at once; one result is kept. The guard keeps the bytes in place. */
static avout_status record_decode(avout__record *record, const avout__container *container,
                                  const char *name)
{
    avout_value decoded = AVOUT_NONE;
    avout_status status = AVOUT_OK;
    avout__epoch_enter();
    avout__blob *blob = atomic_load_explicit(&record->blob, memory_order_acquire);
    if (blob && avout__pointer_is(blob->data, blob->length))
        status = avout__pointer_refused(blob->data, blob->length);
    else if (blob) status = container->decode(&decoded, blob->data, blob->length, container);
    avout__epoch_leave();
    if (status == AVOUT_EDATA) {
        char why[512];
        snprintf(why, sizeof why, "%s", avout_error_detail());
        return avout_fail(status, "%s: %s", name, why);
    }
    if (status || avout_is_none(decoded)) return status;
    uintptr_t none = 0;
    if (atomic_compare_exchange_strong(&record->value, &none, decoded.bits))
        avout__record_drop_bytes(record);
    else avout_release(decoded);
    return AVOUT_OK;
}

avout_status avout__record_none(avout__record_kind kind, const char *name)
{
    return avout_fail(AVOUT_ENOTFOUND,
                      kind == AVOUT__RECORD_TOMBSTONE ? "%s: was destroyed"
                                                      : "%s: there is no atom or ref of that name",
                      name);
}

avout_status avout__record_value(avout_value *value, avout__record *record,
                                 const avout__container *container, const char *name)
{
    for (;;) {
        value->bits = atomic_load_explicit(&record->value, memory_order_acquire);
        if (value->bits) return AVOUT_OK;
        if (record->kind != AVOUT__RECORD_VALUE) return avout__record_none(record->kind, name);
        avout_status status = record_decode(record, container, name);
        if (status) return status;
    }
}
