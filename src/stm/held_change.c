/* Changing what is in an unversioned container (H1, H3, H4 in held.h): the queue of the client's changes, and
 * the driver, the thread of one of them, which holds the lock and makes them in rounds. */
#include "stm/held.h"

#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/interrupt.h"
#include "stm/update.h"
#include "base/banned.h"

/* Changes of one hold: others' clients wait meanwhile. */
enum { ROUNDS = 16, HOLD_MS = 50, PAUSE_MS = 20 };
/* What is over so soon is over: timeouts are in whole milliseconds. */
enum { OVER_NS = 2000000 };

/* ---- changes that wait ------------------------------------------------------------------------------ */

typedef enum job_state {
    WAITING, /* in the queue */
    DRIVING, /* it is to make the changes of the queue */
    TAKEN,   /* out of the queue: the driver answers for it */
    TURN,    /* its function is to run */
    DONE,
} job_state;

typedef struct job {
    avout__link link;
    avout_change_fn change; /* NULL: of a creation */
    void *payload;
    bool created;
    int64_t deadline_ns;
    job_state state;
    avout__latch moved; /* no longer WAITING */
    avout__latch ran, done;
    avout_value before, after; /* of the run that counted */
    avout_status status;
    char detail[512];
} job;

typedef struct changes {
    avout__guard *guard;
    pthread_mutex_t lock;
    avout__link queue;
    bool driven;  /* somebody is the driver */
    bool alone;   /* what was written together failed: one at a time, until the queue is empty */
    bool calling; /* functions run: who was taken and has not had its turn may withdraw */
} changes;

/* For what others answer for, soon. */
static void surely_wait(avout__latch *latch)
{
    avout__interruptible before = avout__interrupt_use((avout__interruptible){0});
    while (!avout__latch_wait(latch, AVOUT__NEVER)) continue;
    avout__interrupt_use(before);
}

/* The changes in whose functions this thread is. */
static _Thread_local const changes *inside;

static void close_changes(void *payload)
{
    changes *at = payload;
    at->guard->ops->close(at->guard);
    pthread_mutex_destroy(&at->lock);
    avout__free(at);
}

avout_status avout__held_guarded(avout__held *held, avout__guard *guard)
{
    changes *at = avout__calloc(1, sizeof *at);
    if (!at) {
        guard->ops->close(guard);
        return AVOUT_ENOMEM;
    }
    at->guard = guard;
    pthread_mutex_init(&at->lock, NULL);
    avout__list_init(&at->queue);
    held->guard = at;
    held->close_guard = close_changes;
    return AVOUT_OK;
}

/* Its status is known. The job is its caller's, and gone once `done` is open. */
static void let_go(changes *at, job *one)
{
    pthread_mutex_lock(&at->lock);
    avout__link_remove(&one->link);
    one->state = DONE;
    pthread_mutex_unlock(&at->lock);
    avout__latch_open(&one->moved);
    avout__latch_open(&one->done);
}

static void finish(changes *at, job *one, avout_status status)
{
    one->status = status;
    if (status) snprintf(one->detail, sizeof one->detail, "%s", avout_error_detail());
    let_go(at, one);
}

static void finish_all(changes *at, avout__link *taken, avout_status status)
{
    while (!avout__list_empty(taken)) finish(at, AVOUT__LINK_OF(taken->next, job, link), status);
}

/* On the caller's own thread. */
static void run_function(job *one, const changes *at, avout__cell *cell)
{
    const changes *outer = inside;
    inside = at;
    avout_value changed = avout_share(one->before);
    one->status = one->change ? one->change(&changed, one->payload) : AVOUT_OK;
    if (!one->status && avout_is_none(changed)) one->status = avout_none_status();
    if (!one->status) one->status = avout__validator_check(cell, changed);
    if (one->status) {
        snprintf(one->detail, sizeof one->detail, "%s", avout_error_detail());
        avout_release(changed);
    } else {
        one->after = changed;
    }
    inside = outer;
}

static void forget(job *one)
{
    avout_release(one->before);
    avout_release(one->after);
    one->before = one->after = AVOUT_NONE;
    one->status = AVOUT_OK;
}

/* Back into the queue, at its front and in order: nothing of them has happened. */
static void put_back(changes *at, avout__link *taken)
{
    pthread_mutex_lock(&at->lock);
    while (!avout__list_empty(taken)) {
        job *one = AVOUT__LINK_OF(taken->prev, job, link);
        avout__link_remove(&one->link);
        forget(one);
        one->state = WAITING;
        one->ran = (avout__latch)AVOUT__LATCH_INIT;
        avout__list_prepend(&at->queue, &one->link);
    }
    pthread_mutex_unlock(&at->lock);
}

/* Who is not the driver has to be told of its second turn. */
static int64_t take(avout__link *taken, changes *at)
{
    int64_t deadline_ns = AVOUT__NEVER;
    pthread_mutex_lock(&at->lock);
    while (!avout__list_empty(&at->queue)) {
        job *one = AVOUT__LINK_OF(at->queue.next, job, link);
        avout__link_remove(&one->link);
        avout__list_append(taken, &one->link);
        one->state = TAKEN;
        if (one->deadline_ns < deadline_ns) deadline_ns = one->deadline_ns;
        if (at->alone) break;
    }
    if (avout__list_empty(&at->queue)) at->alone = false;
    pthread_mutex_unlock(&at->lock);
    return deadline_ns;
}

/* ---- one round -------------------------------------------------------------------------------------- */

typedef struct round {
    avout__cell *cell;
    changes *at;
    job *own; /* the driver's */
    avout__node_check *check;
    avout_token token;
    avout__link taken;
    int64_t deadline_ns;
    avout_value value;
    size_t changed; /* functions that have changed it */
    bool lost;      /* the lock is: what was taken is in the queue again */
} round_of;

static void run_job(round_of *round, job *one)
{
    one->before = avout_share(round->value);
    if (one == round->own) {
        run_function(one, round->at, round->cell);
    } else {
        avout__latch_open(&one->moved);
        surely_wait(&one->ran);
    }
    if (one->status) return;
    avout_release(round->value);
    round->value = avout_share(one->after);
    round->changed++;
}

/* Whose function is next; NULL: none any more. */
static job *next_turn(round_of *round)
{
    changes *at = round->at;
    job *next = NULL;
    pthread_mutex_lock(&at->lock);
    AVOUT__LIST_EACH(link, &round->taken)
    {
        job *one = AVOUT__LINK_OF(link, job, link);
        if (one->state != TAKEN) continue;
        one->state = TURN;
        next = one;
        break;
    }
    at->calling = next != NULL;
    pthread_mutex_unlock(&at->lock);
    return next;
}

/* Those whose functions have failed are done. */
static void finish_failed(round_of *round)
{
    AVOUT__LIST_EACH(link, &round->taken)
    {
        job *one = AVOUT__LINK_OF(link, job, link);
        if (one->status) let_go(round->at, one);
    }
}

static job *creation_of(round_of *round)
{
    AVOUT__LIST_EACH(link, &round->taken)
    {
        job *one = AVOUT__LINK_OF(link, job, link);
        if (!one->change) return one;
    }
    return NULL;
}

/* What the atom's value is, now that nobody else writes it. */
static avout_status find_value(round_of *round, const avout__record *base, job *creation)
{
    if (base->kind == AVOUT__RECORD_VALUE && !base->dirty) {
        avout_value known = {atomic_load_explicit(&base->value, memory_order_acquire)};
        if (known.bits) {
            round->value = avout_share(known);
            return AVOUT_OK;
        }
    }
    avout_status status = AVOUT_ENOTFOUND;
    /* What a destroyed one has left is not its value. */
    if (base->kind != AVOUT__RECORD_TOMBSTONE)
        status = avout__held_get(&round->value, avout__held_of(round->cell->container),
                                 round->deadline_ns);
    if (status != AVOUT_ENOTFOUND || !creation) return status;
    round->value = avout_share(*(avout_value *)creation->payload);
    creation->created = true;
    round->changed++;
    return AVOUT_OK;
}

static avout_status unknown(const round_of *round, const char *what)
{
    char why[400];
    snprintf(why, sizeof why, "%s", avout_error_detail());
    return avout_fail(AVOUT_UNKNOWN, "%s: %s: %s", round->cell->name, what, why);
}

static bool is_over(const job *one)
{
    return one->deadline_ns <= avout__now_ns() + OVER_NS;
}

/* It was too late for the first of those that were taken; nothing of them has happened. The others are still
 * in time, and need not know that the driver was interrupted. */
static void too_late(round_of *round, avout_status status)
{
    bool told = false;
    AVOUT__LIST_EACH(link, &round->taken)
    {
        job *one = AVOUT__LINK_OF(link, job, link);
        if (status == AVOUT_ECANCELLED ? one != round->own : !is_over(one)) continue;
        finish(round->at, one, status);
        told = true;
    }
    if (status == AVOUT_ECANCELLED) round->lost = true; /* none of its waits is one any more */
    else if (!told) finish_all(round->at, &round->taken, status);
    put_back(round->at, &round->taken);
}

/* The same after functions have run: whose time is over is told `status`. False: nobody is left, or it is
 * the driver itself who does not wait any longer. */
static bool goes_on(round_of *round, avout_status status)
{
    bool told = false;
    if (avout__interrupted()) return false;
    AVOUT__LIST_EACH(link, &round->taken)
    {
        job *one = AVOUT__LINK_OF(link, job, link);
        if (one == round->own && is_over(one)) return false;
    }
    round->deadline_ns = AVOUT__NEVER;
    AVOUT__LIST_EACH(link, &round->taken)
    {
        job *one = AVOUT__LINK_OF(link, job, link);
        if (is_over(one)) {
            finish(round->at, one, status);
            told = true;
        } else if (one->deadline_ns < round->deadline_ns) {
            round->deadline_ns = one->deadline_ns;
        }
    }
    return told && !avout__list_empty(&round->taken);
}

/* The same value with the same token may be written again. *refused: it had no effect. */
static avout_status write_value(bool *refused, round_of *round)
{
    avout__held *held = avout__held_of(round->cell->container);
    for (*refused = true;; avout__pause_ms(PAUSE_MS, round->deadline_ns)) {
        avout_status status = avout__held_set(held, round->value, round->token, round->deadline_ns);
        if (!status) return AVOUT_OK;
        if (status == AVOUT_UNKNOWN) *refused = false;
        if (*refused) return status;
        if (!avout__deadline_passed(round->deadline_ns)) continue;
        status = unknown(round, "the container did not answer");
        if (!goes_on(round, status)) return status;
    }
}

/* Dirty; *base is what was there before. */
static avout_status open_round(round_of *round, avout__record **base, bool creates)
{
    avout__marking dirty = {.cell = round->cell,
                            .check = round->check,
                            .token = round->token,
                            .dirty = true,
                            .creates = creates};
    avout_status status = avout__held_mark(&dirty, round->deadline_ns);
    *base = dirty.base;
    if (status != AVOUT_UNKNOWN) return status;
    /* A mark that is dirty for nothing changes nothing. */
    return avout_fail(avout__late(), "%s: the store did not answer before the deadline",
                      round->cell->name);
}

static avout_status mark_clean(round_of *round)
{
    avout__marking clean = {
        .cell = round->cell, .check = round->check, .token = round->token, .value = round->value};
    avout_status status = avout__held_mark(&clean, round->deadline_ns);
    avout__record_unref(clean.base);
    return status;
}

static avout_status close_round(round_of *round)
{
    for (;;) {
        avout_status status = mark_clean(round);
        if (status == AVOUT_OK || status == AVOUT_ELOST) return status;
        bool late = status == AVOUT_UNKNOWN || status == AVOUT_ETIMEOUT;
        if (round->changed) status = unknown(round, "written, but not marked as written");
        if (!late || !goes_on(round, status)) return status;
    }
}

static void give_up(round_of *round)
{
    put_back(round->at, &round->taken);
    round->lost = true;
}

/* The container has refused it, so the old value is there. */
static void refused_by_container(round_of *round, avout_status status, avout_value old)
{
    char detail[512];
    snprintf(detail, sizeof detail, "%s", avout_error_detail());
    avout_release(round->value);
    round->value = avout_share(old);
    (void)mark_clean(round); /* else it stays dirty, which is true as well */
    bool many = round->taken.next->next != &round->taken;
    if (many) {
        put_back(round->at, &round->taken);
        pthread_mutex_lock(&round->at->lock);
        round->at->alone = true;
        pthread_mutex_unlock(&round->at->lock);
    } else {
        avout__fail_text(status, detail);
        finish_all(round->at, &round->taken, status);
    }
}

static void commit_round(round_of *round, avout_value old)
{
    bool refused = true;
    avout_status status = round->changed ? write_value(&refused, round) : AVOUT_OK;
    if (status == AVOUT_EVERSION && refused) {
        give_up(round);
    } else if (status && refused) {
        refused_by_container(round, status, old);
    } else if (status) {
        finish_all(round->at, &round->taken, status);
    } else {
        status = close_round(round);
        round->lost = status == AVOUT_ELOST;
        if (round->lost && round->changed)
            status = unknown(round, "written, but not marked as written");
        finish_all(round->at, &round->taken, status);
    }
}

static void one_round(round_of *round)
{
    avout__record *base = NULL;
    job *creation = creation_of(round);
    avout_status status = open_round(round, &base, creation != NULL);
    if (!status) status = find_value(round, base, creation);
    avout__record_unref(base);
    if (status == AVOUT_ELOST) {
        give_up(round);
    } else if (status == AVOUT_ETIMEOUT || status == AVOUT_ECANCELLED) {
        too_late(round, status);
    } else if (status) {
        finish_all(round->at, &round->taken, status);
    } else {
        avout_value old = avout_share(round->value);
        for (job *one; (one = next_turn(round));) run_job(round, one);
        finish_failed(round);
        commit_round(round, old);
        avout_release(old);
    }
    avout_release(round->value);
    round->value = AVOUT_NONE;
}

/* ---- driving ------------------------------------------------------------------------------------------ */

static bool has_more(changes *at)
{
    pthread_mutex_lock(&at->lock);
    bool more = !avout__list_empty(&at->queue);
    pthread_mutex_unlock(&at->lock);
    return more;
}

/* One hold of the lock. */
static void drive(avout__cell *cell, changes *at, job *own)
{
    round_of round = {.cell = cell, .at = at, .own = own};
    avout_status status =
        at->guard->ops->acquire(&round.check, &round.token, at->guard, own->deadline_ns);
    if (status) {
        finish(at, own, status);
        return;
    }
    int64_t until_ns = avout__deadline_in_ms(HOLD_MS);
    for (int i = 0; i < ROUNDS && !round.lost && has_more(at); i++) {
        if (i && avout__now_ns() > until_ns) break;
        avout__list_init(&round.taken);
        round.changed = 0;
        round.deadline_ns = take(&round.taken, at);
        one_round(&round);
    }
    avout__node_check_unref(round.check);
    at->guard->ops->release(at->guard);
}

/* The next in the queue drives, if there is one. */
static void hand_on(changes *at)
{
    pthread_mutex_lock(&at->lock);
    if (avout__list_empty(&at->queue)) {
        at->driven = false;
    } else {
        job *next = AVOUT__LINK_OF(at->queue.next, job, link);
        next->state = DRIVING;
        avout__latch_open(&next->moved);
    }
    pthread_mutex_unlock(&at->lock);
}

static bool enqueue(changes *at, job *own)
{
    pthread_mutex_lock(&at->lock);
    avout__list_append(&at->queue, &own->link);
    bool drives = !at->driven;
    if (drives) own->state = DRIVING;
    at->driven = true;
    pthread_mutex_unlock(&at->lock);
    return drives;
}

/* Gives up if it is still waiting, be it for others' functions; else somebody answers for it. */
static bool withdraw(changes *at, job *own)
{
    pthread_mutex_lock(&at->lock);
    bool waiting =
        own->state == WAITING || (own->state == TAKEN && at->calling && own->change != NULL);
    if (waiting) {
        avout__link_remove(&own->link);
        own->state = DONE;
    }
    pthread_mutex_unlock(&at->lock);
    if (waiting)
        finish(at, own,
               avout_fail(avout__late(), "%s",
                          avout__late_text("others' changes took until the deadline")));
    return waiting;
}

static job_state state_of(changes *at, const job *own)
{
    pthread_mutex_lock(&at->lock);
    job_state state = own->state;
    pthread_mutex_unlock(&at->lock);
    return state;
}

static void await(avout__cell *cell, changes *at, job *own)
{
    for (;;) {
        if (!avout__latch_wait(&own->moved, own->deadline_ns)) {
            if (withdraw(at, own)) return;
            surely_wait(&own->moved);
        }
        switch (state_of(at, own)) {
        case DRIVING:
            while (own->state == DRIVING || own->state == WAITING) drive(cell, at, own);
            hand_on(at);
            return;
        case TURN:
            own->moved = (avout__latch)AVOUT__LATCH_INIT;
            run_function(own, at, cell);
            avout__latch_open(&own->ran);
            break;
        default: return;
        }
    }
}

static avout_status change(avout__cell *cell, job *own, int64_t timeout_ms)
{
    avout__stm *stm = cell->stm;
    changes *at = avout__held_of(cell->container)->guard;
    avout_status status = avout__stm_usable(stm);
    if (status) return status;
    if (inside == at)
        return avout_fail(AVOUT_EDEADLOCK, "%s: it is being changed by this thread", cell->name);
    own->deadline_ns = avout__deadline_in_ms(timeout_ms ? timeout_ms : stm->timeout_ms);
    if (enqueue(at, own)) {
        while (own->state != DONE) drive(cell, at, own);
        hand_on(at);
    } else {
        await(cell, at, own);
    }
    surely_wait(&own->done);
    return own->status ? avout__fail_text(own->status, own->detail) : AVOUT_OK;
}

avout_status avout__held_swap(avout__cell *cell, avout_change_fn function, void *payload,
                              avout_value *old_value, avout_value *new_value, int64_t timeout_ms)
{
    job own = {.change = function, .payload = payload};
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
    job own = {.payload = &initial};
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
    changes *at = held->guard;
    ending wanted = {.cell = cell};
    avout_token token;
    int64_t deadline_ns = avout__deadline_in_ms(cell->stm->timeout_ms);
    if (inside == at)
        return avout_fail(AVOUT_EDEADLOCK, "%s: it is being changed by this thread", cell->name);
    for (;;) {
        avout_status status =
            at->guard->ops->acquire(&wanted.check, &token, at->guard, deadline_ns);
        if (status) return status;
        status = avout__update_run(cell, bury, &wanted, NULL);
        /* Whatever it leaves behind is not taken for a value any more. */
        if (!status) (void)avout__held_destroy(held, deadline_ns);
        avout__node_check_unref(wanted.check);
        at->guard->ops->release(at->guard);
        if (status != AVOUT_ELOST) return status;
    }
}
