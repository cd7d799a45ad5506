/* Atoms: identities that change one at a time. A swap is a transaction on one cell. */
#include "stm/handles.h"
#include "stm/held.h"
#include "stm/update.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/banned.h"

avout_status avout_atom_open(avout_atom **atom, avout_client *client, const char *name)
{
    avout__handle *handle;
    avout_status status = avout__handle_open(&handle, client->stm, name, NULL);
    if (!status) *atom = (avout_atom *)handle;
    return status;
}

avout_status avout_atom_create(avout_atom **atom, avout_client *client, const char *name,
                               avout_value initial, bool *created)
{
    avout__handle *handle;
    avout_status status =
        avout__handle_create(&handle, client->stm, name, NULL, initial, false, created);
    if (!status) *atom = (avout_atom *)handle;
    return status;
}

avout_status avout_atom_create_or_reset(avout_atom **atom, avout_client *client, const char *name,
                                        avout_value value)
{
    avout__handle *handle;
    avout_status status = avout__handle_create(&handle, client->stm, name, NULL, value, true, NULL);
    if (!status) *atom = (avout_atom *)handle;
    return status;
}

void avout_atom_close(avout_atom *atom)
{
    if (atom) avout__handle_close(&atom->is);
}

avout_status avout_atom_destroy(avout_atom *atom)
{
    if (atom->is.cell->container->held) return avout__held_end(atom->is.cell);
    return avout__update_destroy(atom->is.cell);
}

const char *avout_atom_name(const avout_atom *atom)
{
    return atom->is.cell->name;
}

avout_status avout_atom_deref(avout_value *value, avout_atom *atom)
{
    return avout__update_deref(value, atom->is.cell, 0);
}

avout_status avout_atom_deref_within(avout_value *value, avout_atom *atom, int64_t timeout_ms)
{
    return avout__update_deref(value, atom->is.cell, timeout_ms);
}

avout_status avout_atom_deref_strict(avout_value *value, avout_atom *atom, int64_t timeout_ms)
{
    if (atom->is.cell->container->held) return avout__held_strict(value, atom->is.cell, timeout_ms);
    return avout__update_deref_strict(value, atom->is.cell, timeout_ms);
}

avout_value avout_atom_peek(avout_atom *atom)
{
    return avout__update_peek(atom->is.cell);
}

avout_status avout_atom_set_validator(avout_atom *atom, avout_validator_fn validator, void *payload,
                                      void (*destroy)(void *payload))
{
    return avout__validator_set(atom->is.cell, validator, payload, destroy);
}

avout_status avout_atom_add_watch(avout_atom *atom, const char *key, avout_watch_fn watch,
                                  void *payload, void (*destroy)(void *payload))
{
    return avout__watch_add(atom->is.cell, key, watch, payload, destroy);
}

avout_status avout_atom_remove_watch(avout_atom *atom, const char *key)
{
    return avout__watch_remove(atom->is.cell, key);
}

/* ---- changing ------------------------------------------------------------------------------------------------------------ */

typedef struct swap {
    avout__cell *cell;
    avout_change_fn change;
    void *payload;
    avout_value before, after; /* of the run that counted; owned */
} swap;

static void swap_forget(swap *done)
{
    avout_release(done->before);
    avout_release(done->after);
    done->before = done->after = AVOUT_NONE;
}

static avout_status swap_body(avout_txn *txn, void *payload)
{
    swap *wanted = payload;
    avout__entry *entry;
    avout_value value;
    swap_forget(wanted);
    avout_status status = avout__txn_read(&entry, txn, wanted->cell);
    if (!status) status = avout__txn_entry_value(&value, txn, entry);
    if (status) return status;
    wanted->before = avout_share(value);
    avout_value changed = avout_share(value);
    status = wanted->change(&changed, wanted->payload);
    if (!status && avout_is_none(changed)) status = avout_none_status();
    if (status) {
        avout_release(changed);
        return status;
    }
    wanted->after = avout_share(changed);
    return avout__txn_write(txn, wanted->cell, changed, 0);
}

static void swap_results(swap *done, avout_status status, avout_value *old_value,
                         avout_value *new_value)
{
    if (!status && old_value) {
        *old_value = done->before;
        done->before = AVOUT_NONE;
    }
    if (!status && new_value) {
        *new_value = done->after;
        done->after = AVOUT_NONE;
    }
    swap_forget(done);
}

avout_status avout_swap(avout_atom *atom, avout_change_fn change, void *payload,
                        avout_value *old_value, avout_value *new_value,
                        const avout_call_options *options)
{
    if (atom->is.cell->container->held)
        return avout__held_swap(atom->is.cell, change, payload, old_value, new_value,
                                options ? options->timeout_ms : 0);
    swap wanted = {.cell = atom->is.cell, .change = change, .payload = payload};
    avout_status status = avout__update_run(atom->is.cell, swap_body, &wanted, options);
    swap_results(&wanted, status, old_value, new_value);
    return status;
}

typedef struct assignment {
    avout__cell *cell;
    avout_value value;
    avout_value expected; /* AVOUT_NONE: whatever is there */
} assignment;

static avout_status not_expected(const avout__cell *cell)
{
    return avout_fail(AVOUT_ECONFLICT, "%s: the value is not the expected one", cell->name);
}

static avout_status assign(avout_txn *txn, void *payload)
{
    assignment *wanted = payload;
    return avout__txn_write(txn, wanted->cell, avout_share(wanted->value), 0);
}

/* The same as functions, for those that are changed by functions alone. */
static avout_status put(avout_value *value, void *payload)
{
    const assignment *wanted = payload;
    return avout_put(value, avout_share(wanted->value));
}

static avout_status put_if(avout_value *value, void *payload)
{
    const assignment *wanted = payload;
    if (avout_value_equal(*value, wanted->expected)) return put(value, payload);
    return not_expected(wanted->cell);
}

static avout_status run_assignment(avout_txn_fn body, avout_change_fn function, assignment *wanted,
                                   const avout_call_options *options)
{
    if (wanted->cell->container->held)
        return avout__held_swap(wanted->cell, function, wanted, NULL, NULL,
                                options ? options->timeout_ms : 0);
    return avout__update_run(wanted->cell, body, wanted, options);
}

avout_status avout_reset(avout_atom *atom, avout_value value, const avout_call_options *options)
{
    if (avout_is_none(value)) return avout_none_status();
    assignment wanted = {.cell = atom->is.cell, .value = value};
    avout_status status = run_assignment(assign, put, &wanted, options);
    avout_release(value);
    return status;
}

static avout_status assign_if(avout_txn *txn, void *payload)
{
    assignment *wanted = payload;
    avout__entry *entry;
    avout_value value;
    avout_status status = avout__txn_read(&entry, txn, wanted->cell);
    if (!status) status = avout__txn_entry_value(&value, txn, entry);
    if (status) return status;
    if (!avout_value_equal(value, wanted->expected)) return not_expected(wanted->cell);
    return assign(txn, wanted);
}

avout_status avout_compare_and_set(avout_atom *atom, avout_value expected, avout_value value,
                                   const avout_call_options *options)
{
    if (avout_is_none(value)) return avout_none_status();
    assignment wanted = {.cell = atom->is.cell, .value = value, .expected = expected};
    avout_status status = run_assignment(assign_if, put_if, &wanted, options);
    avout_release(value);
    return status;
}

/* ---- asynchronous ---------------------------------------------------------------------------------------------------------- */

typedef struct swap_job {
    avout__job job;
    swap swap;
    avout_swapped_fn finished;
    void *finished_payload;
} swap_job;

static void swap_finish(avout__job *base, avout_status status)
{
    swap_job *job = (swap_job *)(void *)base;
    bool ok = !status;
    job->finished(status, ok ? job->swap.before : AVOUT_NONE, ok ? job->swap.after : AVOUT_NONE,
                  ok ? "" : avout_error_detail(), job->finished_payload);
    swap_forget(&job->swap);
    avout__cell *cell = job->swap.cell;
    avout__txn_unref(base->txn);
    avout__free(job);
    avout__cell_unref(cell);
}

avout_status avout_swap_async(avout_atom *atom, avout_change_fn change, void *payload,
                              const avout_call_options *options, avout_swapped_fn finished,
                              void *finished_payload)
{
    if (atom->is.cell->container->held)
        return avout_fail(AVOUT_ENOTSUP,
                          "%s: its value is in an unversioned container, whose changes wait",
                          atom->is.cell->name);
    swap_job *job = avout__calloc(1, sizeof *job);
    if (!job) return AVOUT_ENOMEM;
    avout_status status = avout__txn_new(&job->job.txn, atom->is.cell->stm, options);
    if (!status) {
        job->swap =
            (swap){.cell = avout__cell_ref(atom->is.cell), .change = change, .payload = payload};
        job->job.body = swap_body;
        job->job.payload = &job->swap;
        job->job.finish = swap_finish;
        job->finished = finished;
        job->finished_payload = finished_payload;
        status = avout__executor_submit(&job->job);
        if (!status) return AVOUT_OK;
        avout__txn_unref(job->job.txn);
        avout__cell_unref(atom->is.cell);
    }
    avout__free(job);
    return status;
}
