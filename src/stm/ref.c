/* Refs: identities that change together; and the transaction's public operations on them. */
#include "stm/handles.h"
#include "stm/update.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/banned.h"

avout_status avout_ref_open(avout_ref **ref, avout_client *client, const char *name)
{
    avout__handle *handle;
    avout_status status = avout__handle_open(&handle, client->stm, name, NULL);
    if (!status) *ref = (avout_ref *)handle;
    return status;
}

avout_status avout_ref_create(avout_ref **ref, avout_client *client, const char *name,
                              avout_value initial, bool *created)
{
    avout__handle *handle;
    avout_status status =
        avout__handle_create(&handle, client->stm, name, NULL, initial, false, created);
    if (!status) *ref = (avout_ref *)handle;
    return status;
}

avout_status avout_ref_create_or_reset(avout_ref **ref, avout_client *client, const char *name,
                                       avout_value value)
{
    avout__handle *handle;
    avout_status status = avout__handle_create(&handle, client->stm, name, NULL, value, true, NULL);
    if (!status) *ref = (avout_ref *)handle;
    return status;
}

void avout_ref_close(avout_ref *ref)
{
    if (ref) avout__handle_close(&ref->is);
}

avout_status avout_ref_destroy(avout_ref *ref)
{
    return avout__update_destroy(ref->is.cell);
}

const char *avout_ref_name(const avout_ref *ref)
{
    return ref->is.cell->name;
}

avout_status avout_ref_deref(avout_value *value, avout_ref *ref)
{
    return avout__update_deref(value, ref->is.cell, 0);
}

avout_status avout_ref_deref_within(avout_value *value, avout_ref *ref, int64_t timeout_ms)
{
    return avout__update_deref(value, ref->is.cell, timeout_ms);
}

avout_status avout_ref_deref_strict(avout_value *value, avout_ref *ref, int64_t timeout_ms)
{
    return avout__update_deref_strict(value, ref->is.cell, timeout_ms);
}

avout_value avout_ref_peek(avout_ref *ref)
{
    return avout__update_peek(ref->is.cell);
}

avout_status avout_ref_set_validator(avout_ref *ref, avout_validator_fn validator, void *payload,
                                     void (*destroy)(void *payload))
{
    return avout__validator_set(ref->is.cell, validator, payload, destroy);
}

avout_status avout_ref_add_watch(avout_ref *ref, const char *key, avout_watch_fn watch,
                                 void *payload, void (*destroy)(void *payload))
{
    return avout__watch_add(ref->is.cell, key, watch, payload, destroy);
}

avout_status avout_ref_remove_watch(avout_ref *ref, const char *key)
{
    return avout__watch_remove(ref->is.cell, key);
}

avout_status avout_ref_local(avout_ref **ref, avout_client *client, avout_value initial)
{
    avout__handle *handle;
    avout_status status = avout__handle_local(&handle, client->stm, initial);
    if (!status) *ref = (avout_ref *)handle;
    return status;
}

/* ---- several at one point -------------------------------------------------------------------------------------------------- */

typedef struct several {
    avout_ref *const *refs;
    size_t count;
    avout_value *values;
} several;

static void forget(several *wanted)
{
    for (size_t i = 0; i < wanted->count; i++) {
        avout_release(wanted->values[i]);
        wanted->values[i] = AVOUT_NONE;
    }
}

static avout_status read_several(avout_txn *txn, void *payload)
{
    several *wanted = payload;
    forget(wanted);
    for (size_t i = 0; i < wanted->count; i++) {
        avout_status status = avout_txn_deref(&wanted->values[i], txn, wanted->refs[i]);
        if (status) return status;
    }
    return AVOUT_OK;
}

avout_status avout_refs_deref(avout_value *values, avout_ref *const *refs, size_t count)
{
    if (!count) return AVOUT_OK;
    several wanted = {refs, count, avout__calloc(count, sizeof *values)};
    if (!wanted.values) return AVOUT_ENOMEM;
    avout_txn *outer = avout__txn_current(refs[0]->is.cell->stm);
    avout_status status = outer ? read_several(outer, &wanted)
                                : avout__update_run(refs[0]->is.cell, read_several, &wanted, NULL);
    if (status) forget(&wanted);
    else memcpy(values, wanted.values, count * sizeof *values);
    avout__free(wanted.values);
    return status;
}

/* ---- dosync -------------------------------------------------------------------------------------------------------------------- */

avout_status avout_dosync(avout_client *client, avout_txn_fn body, void *payload,
                          const avout_call_options *options)
{
    avout__stm *stm = client->stm;
    avout_txn *txn = avout__txn_current(stm);
    if (txn) {
        avout_status status = body(txn, payload);
        return txn->doomed ? AVOUT_RETRY : status;
    }
    avout_status status = avout__txn_new(&txn, stm, options);
    if (status) return status;
    status = avout__txn_run(txn, body, payload);
    avout__txn_unref(txn);
    return status;
}

typedef struct dosync_job {
    avout__job job;
    avout_finished_fn finished;
    void *finished_payload;
} dosync_job;

static void dosync_finish(avout__job *base, avout_status status)
{
    dosync_job *job = (dosync_job *)(void *)base;
    job->finished(status, status ? avout_error_detail() : "", job->finished_payload);
    avout__txn_unref(base->txn);
    avout__free(job);
}

avout_status avout_dosync_async(avout_client *client, avout_txn_fn body, void *payload,
                                const avout_call_options *options, avout_finished_fn finished,
                                void *finished_payload)
{
    dosync_job *job = avout__calloc(1, sizeof *job);
    if (!job) return AVOUT_ENOMEM;
    avout_status status = avout__txn_new(&job->job.txn, client->stm, options);
    if (!status) {
        job->job.body = body;
        job->job.payload = payload;
        job->job.finish = dosync_finish;
        job->finished = finished;
        job->finished_payload = finished_payload;
        status = avout__executor_submit(&job->job);
        if (!status) return AVOUT_OK;
        avout__txn_unref(job->job.txn);
    }
    avout__free(job);
    return status;
}

/* ---- inside a body --------------------------------------------------------------------------------------------------------------- */

avout_status avout_txn_deref(avout_value *value, avout_txn *txn, avout_ref *ref)
{
    avout__entry *entry;
    avout_value seen;
    avout_status status = avout__txn_read(&entry, txn, ref->is.cell);
    if (!status) status = avout__txn_entry_value(&seen, txn, entry);
    if (!status) *value = avout_share(seen);
    return status;
}

avout_status avout_ref_set(avout_txn *txn, avout_ref *ref, avout_value value)
{
    return avout__txn_write(txn, ref->is.cell, value, 0);
}

avout_status avout_alter(avout_txn *txn, avout_ref *ref, avout_change_fn change, void *payload)
{
    return avout__txn_change(txn, ref->is.cell, change, payload);
}

avout_status avout_commute(avout_txn *txn, avout_ref *ref, avout_change_fn change, void *payload)
{
    return avout__txn_commute(txn, ref->is.cell, change, payload);
}

avout_status avout_ensure(avout_txn *txn, avout_ref *ref)
{
    avout__entry *entry;
    avout_status status = avout__txn_read(&entry, txn, ref->is.cell);
    if (!status) entry->flags |= AVOUT__ENTRY_ENSURE;
    return status;
}

avout_status avout_retry(avout_txn *txn)
{
    (void)txn;
    return AVOUT_BLOCK;
}

avout_status avout_or_else(avout_txn *txn, avout_txn_fn first, void *first_payload,
                           avout_txn_fn second, void *second_payload)
{
    return avout__txn_or_else(txn, first, first_payload, second, second_payload);
}

avout_status avout_on_commit(avout_txn *txn, void (*hook)(void *payload), void *payload)
{
    return avout__txn_hook(txn, hook, payload);
}
