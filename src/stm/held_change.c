/* Changing what is in an unversioned container, by the thread of one of those that want to: it takes the lock and
 * makes rounds (held_round.h) until its own change is done. */
#include "stm/held_round.h"

#include "base/clock.h"
#include "base/error.h"
#include "stm/update.h"
#include "base/banned.h"

static void close_queue(void *payload)
{
    avout__held_queue_free(payload);
}

avout_status avout__held_guarded(avout__held *held, avout__guard *guard)
{
    avout__held_queue *queue = NULL;
    avout_status status = avout__held_queue_new(&queue, guard);
    if (status) {
        guard->ops->close(guard);
        return status;
    }
    held->guard = queue;
    held->close_guard = close_queue;
    return AVOUT_OK;
}

/* ---- driving ------------------------------------------------------------------------------------------ */

/* Without the lock nothing can be done for it; of a round that was left it is not known what became of it. */
static avout_status no_lock(const avout__held_driver *by, avout_status status)
{
    char why[400];
    if (by->queue->round.stage == AVOUT__HELD_NOTHING) return status;
    snprintf(why, sizeof why, "%s", avout_error_detail());
    return avout_fail(AVOUT_UNKNOWN, "%s: it was left before it was done: %s", by->cell->name, why);
}

/* One hold of the lock is one round. */
static void drive(avout__cell *cell, avout__held_queue *queue, avout__held_job *own)
{
    const avout__guard_ops *lock = queue->guard->ops;
    avout__held_driver by = {.cell = cell, .queue = queue, .own = own};
    while (avout__held_state_of(queue, own) != AVOUT__HELD_DONE) {
        by.patience_ns = own->deadline_ns;
        avout_status status = lock->acquire(&by.check, &by.token, queue->guard, own->deadline_ns);
        if (status) {
            avout__held_finish(queue, own, no_lock(&by, status));
            break;
        }
        avout__held_make_round(&by);
        avout__node_check_unref(by.check);
        lock->release(queue->guard);
    }
    avout__held_hand_on(queue);
}

static void await(avout__cell *cell, avout__held_queue *queue, avout__held_job *own)
{
    for (;;) {
        if (!avout__latch_wait(&own->moved, own->deadline_ns)) {
            if (avout__held_leave(queue, own)) return;
            avout__held_surely_wait(&own->moved);
        }
        switch (avout__held_state_of(queue, own)) {
        case AVOUT__HELD_DRIVING: drive(cell, queue, own); return;
        case AVOUT__HELD_TURN:
        case AVOUT__HELD_LOST:
            own->moved = (avout__latch)AVOUT__LATCH_INIT;
            avout__held_run_function(own, queue, cell);
            break;
        default: return;
        }
    }
}

static avout_status change(avout__cell *cell, avout__held_job *own, int64_t timeout_ms)
{
    avout__stm *stm = cell->stm;
    avout__held_queue *queue = avout__held_of(cell->container)->guard;
    avout_status status = avout__stm_usable(stm);
    if (status) return status;
    if (avout__held_is_inside(queue))
        return avout_fail(AVOUT_EDEADLOCK, "%s: it is being changed by this thread", cell->name);
    own->deadline_ns = avout__deadline_in_ms(timeout_ms ? timeout_ms : stm->timeout_ms);
    if (avout__held_enqueue(queue, own)) drive(cell, queue, own);
    else await(cell, queue, own);
    avout__held_surely_wait(&own->done);
    return own->status ? avout__fail_text(own->status, own->detail) : AVOUT_OK;
}

avout_status avout__held_swap(avout__cell *cell, avout_change_fn function, void *payload,
                              avout_value *old_value, avout_value *new_value, int64_t timeout_ms)
{
    avout__held_job own = {.change = function, .payload = payload};
    avout_status status = change(cell, &own, timeout_ms);
    if (!status && old_value) *old_value = avout_share(own.before);
    if (!status && new_value) *new_value = avout_share(own.after);
    avout_release(own.before);
    avout_release(own.after);
    return status;
}

avout_status avout__held_open(avout__cell *cell, avout_value initial, bool *created)
{
    bool there;
    avout_status status = avout__held_look(&there, cell);
    *created = false;
    if (status || there) return status;
    avout__held_job own = {.payload = &initial};
    status = change(cell, &own, 0);
    avout_release(own.before);
    avout_release(own.after);
    *created = own.created;
    return status;
}

/* ---- the end ------------------------------------------------------------------------------------------ */

typedef struct ending {
    avout__cell *cell;
    avout__node_check *check;
} ending;

static avout_status bury(avout_txn *txn, void *payload)
{
    ending *wanted = payload;
    avout__entry *entry;
    avout_status status = avout__txn_read(&entry, txn, wanted->cell);
    if (!status && entry->base->kind != AVOUT__RECORD_VALUE)
        status = avout__record_none(entry->base->kind, wanted->cell->name);
    if (!status) status = avout__txn_require(txn, wanted->check);
    if (status) return status;
    return avout__txn_write(txn, wanted->cell, AVOUT_NONE, AVOUT__ENTRY_DESTROY);
}

avout_status avout__held_end(avout__cell *cell)
{
    avout__held *held = avout__held_of(cell->container);
    avout__held_queue *queue = held->guard;
    ending wanted = {.cell = cell};
    avout_token token;
    int64_t deadline_ns = avout__deadline_in_ms(cell->stm->timeout_ms);
    if (avout__held_is_inside(queue))
        return avout_fail(AVOUT_EDEADLOCK, "%s: it is being changed by this thread", cell->name);
    for (;;) {
        avout_status status =
            queue->guard->ops->acquire(&wanted.check, &token, queue->guard, deadline_ns);
        if (status) return status;
        status = avout__update_run(cell, bury, &wanted, NULL);
        /* Whatever it leaves behind is not taken for a value any more. */
        if (!status) (void)avout__held_destroy(held, deadline_ns);
        avout__node_check_unref(wanted.check);
        queue->guard->ops->release(queue->guard);
        if (status != AVOUT_ELOST) return status;
    }
}
