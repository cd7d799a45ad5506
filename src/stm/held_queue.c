#include "stm/held_queue.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/interrupt.h"
#include "base/banned.h"

typedef avout__held_queue queue_of;
typedef avout__held_job job;

#define JOB_OF(at) AVOUT__LINK_OF(at, job, link)

void avout__held_surely_wait(avout__latch *latch)
{
    avout__interruptible before = avout__interrupt_use((avout__interruptible){0});
    while (!avout__latch_wait(latch, AVOUT__NEVER)) continue;
    avout__interrupt_use(before);
}

avout_status avout__held_queue_new(queue_of **queue, avout__guard *guard)
{
    queue_of *made = avout__calloc(1, sizeof *made);
    if (!made) return AVOUT_ENOMEM;
    made->guard = guard;
    pthread_mutex_init(&made->lock, NULL);
    avout__list_init(&made->waiting);
    avout__list_init(&made->round.jobs);
    *queue = made;
    return AVOUT_OK;
}

/* ---- with the lock held ------------------------------------------------------------------------------ */

/* Values that are to be released without it: with the last reference goes what is the user's. */
typedef struct pair {
    avout_value one, other;
} pair;

static void release_both(pair values)
{
    avout_release(values.one);
    avout_release(values.other);
}

static pair forget_round(queue_of *queue)
{
    avout__held_round *round = &queue->round;
    pair left = {round->old, round->value};
    round->old = round->value = AVOUT_NONE;
    round->stage = AVOUT__HELD_NOTHING;
    round->changed = round->maybe = round->spoiled = false;
    return left;
}

static pair forget_run(job *one)
{
    pair left = {one->before, one->after};
    one->before = one->after = AVOUT_NONE;
    one->status = AVOUT_OK;
    one->created = false;
    return left;
}

static void drop(job *one)
{
    avout__link_remove(&one->link);
    one->state = AVOUT__HELD_DONE;
    avout__latch_open(&one->moved);
    avout__latch_open(&one->done);
}

/* An error of its own function stays: that one's change has not happened, whatever becomes of the others'. */
static void drop_with(job *one, avout_status status)
{
    if (!one->status && status)
        snprintf(one->detail, sizeof one->detail, "%s", avout_error_detail());
    if (!one->status) one->status = status;
    drop(one);
}

static void drive(job *one)
{
    one->state = AVOUT__HELD_DRIVING;
    avout__latch_open(&one->moved);
}

/* ---- in and out ---------------------------------------------------------------------------------------- */

void avout__held_queue_free(queue_of *queue)
{
    release_both(forget_round(queue));
    queue->guard->ops->close(queue->guard);
    pthread_mutex_destroy(&queue->lock);
    avout__free(queue);
}

bool avout__held_enqueue(queue_of *queue, job *one)
{
    pthread_mutex_lock(&queue->lock);
    avout__list_append(&queue->waiting, &one->link);
    bool drives = !queue->driven;
    if (drives) one->state = AVOUT__HELD_DRIVING;
    queue->driven = true;
    pthread_mutex_unlock(&queue->lock);
    return drives;
}

void avout__held_take(queue_of *queue)
{
    pthread_mutex_lock(&queue->lock);
    while (!avout__list_empty(&queue->waiting)) {
        job *one = JOB_OF(queue->waiting.next);
        avout__link_remove(&one->link);
        avout__list_append(&queue->round.jobs, &one->link);
        one->state = AVOUT__HELD_TAKEN;
        if (queue->alone) break;
    }
    if (avout__list_empty(&queue->waiting)) queue->alone = false;
    pthread_mutex_unlock(&queue->lock);
}

void avout__held_put_back(queue_of *queue)
{
    for (bool all = false; !all;) {
        pair left;
        pthread_mutex_lock(&queue->lock);
        all = avout__list_empty(&queue->round.jobs);
        if (all) {
            left = forget_round(queue);
        } else {
            job *one = JOB_OF(queue->round.jobs.prev);
            avout__link_remove(&one->link);
            left = forget_run(one);
            one->state = AVOUT__HELD_WAITING;
            avout__list_prepend(&queue->waiting, &one->link);
        }
        pthread_mutex_unlock(&queue->lock);
        release_both(left);
    }
}

void avout__held_finish(queue_of *queue, job *one, avout_status status)
{
    pthread_mutex_lock(&queue->lock);
    if (one->state != AVOUT__HELD_DONE) drop_with(one, status);
    pthread_mutex_unlock(&queue->lock);
}

void avout__held_finish_all(queue_of *queue, avout_status status)
{
    pthread_mutex_lock(&queue->lock);
    while (!avout__list_empty(&queue->round.jobs))
        drop_with(JOB_OF(queue->round.jobs.next), status);
    pair left = forget_round(queue);
    pthread_mutex_unlock(&queue->lock);
    release_both(left);
}

void avout__held_finish_failed(queue_of *queue)
{
    uintptr_t old = queue->round.old.bits;
    pthread_mutex_lock(&queue->lock);
    AVOUT__LIST_EACH(link, &queue->round.jobs)
    {
        job *one = JOB_OF(link);
        if (one->status && (one->created || one->before.bits == old)) drop(one);
    }
    pthread_mutex_unlock(&queue->lock);
}

size_t avout__held_count(queue_of *queue)
{
    size_t count = 0;
    pthread_mutex_lock(&queue->lock);
    AVOUT__LIST_EACH(link, &queue->round.jobs) count++;
    pthread_mutex_unlock(&queue->lock);
    return count;
}

bool avout__held_creates(queue_of *queue)
{
    bool creates = false;
    pthread_mutex_lock(&queue->lock);
    AVOUT__LIST_EACH(link, &queue->round.jobs) creates = creates || !JOB_OF(link)->change;
    pthread_mutex_unlock(&queue->lock);
    return creates;
}

/* ---- functions ----------------------------------------------------------------------------------------- */

bool avout__held_initial(avout_value *value, queue_of *queue)
{
    bool found = false;
    pthread_mutex_lock(&queue->lock);
    AVOUT__LIST_EACH(link, &queue->round.jobs)
    {
        job *one = JOB_OF(link);
        if (one->change || found) continue;
        found = one->created = true;
        *value = avout_share(*(avout_value *)one->payload);
    }
    pthread_mutex_unlock(&queue->lock);
    return found;
}

/* What creates the atom comes first: the others' functions are called with that. */
job *avout__held_next_turn(queue_of *queue)
{
    job *next = NULL;
    pthread_mutex_lock(&queue->lock);
    AVOUT__LIST_EACH(link, &queue->round.jobs)
    {
        job *one = JOB_OF(link);
        if (one->state == AVOUT__HELD_TAKEN && (!next || one->created)) next = one;
    }
    if (next) {
        next->state = AVOUT__HELD_TURN;
        next->before = avout_share(queue->round.value);
        queue->ran = (avout__latch)AVOUT__LATCH_INIT;
        avout__latch_open(&next->moved);
    }
    pthread_mutex_unlock(&queue->lock);
    return next;
}

void avout__held_has_run(queue_of *queue, job *one)
{
    avout__held_round *round = &queue->round;
    pair left = {AVOUT_NONE, AVOUT_NONE};
    pthread_mutex_lock(&queue->lock);
    if (one->state == AVOUT__HELD_TURN) {
        one->state = AVOUT__HELD_RAN;
        if (!one->status) {
            left.one = round->value;
            round->value = avout_share(one->after);
            round->changed = true;
        }
        round->spoiled = round->spoiled || (one->status && one->created);
        avout__latch_open(&queue->ran);
    } else {
        left = forget_run(one);
        one->state = AVOUT__HELD_WAITING;
        avout__list_append(&queue->waiting, &one->link);
        if (!queue->driven) drive(one);
        queue->driven = true;
    }
    pthread_mutex_unlock(&queue->lock);
    release_both(left);
}

void avout__held_lose_turn(queue_of *queue)
{
    pthread_mutex_lock(&queue->lock);
    AVOUT__LIST_EACH(link, &queue->round.jobs)
    {
        job *one = JOB_OF(link);
        if (one->state != AVOUT__HELD_TURN) continue;
        avout__link_remove(&one->link);
        one->state = AVOUT__HELD_LOST;
    }
    pthread_mutex_unlock(&queue->lock);
}

/* ---- leaving -------------------------------------------------------------------------------------------- */

/* Q2. What a creation has brought may be what the others went on from, too. */
bool avout__held_leave(queue_of *queue, job *one)
{
    pthread_mutex_lock(&queue->lock);
    bool unknown = one->state == AVOUT__HELD_RAN;
    bool nothing =
        one->state == AVOUT__HELD_WAITING || (one->state == AVOUT__HELD_TAKEN && !one->created);
    if (nothing)
        drop_with(one, avout_fail(avout__late(), "%s",
                                  avout__late_text("others' changes took until the deadline")));
    else if (unknown)
        drop_with(one, avout_fail(AVOUT_UNKNOWN,
                                  "%s; the change may or may not have been written with others'",
                                  avout__late_text("the deadline passed")));
    pthread_mutex_unlock(&queue->lock);
    return nothing || unknown;
}

void avout__held_hand_on(queue_of *queue)
{
    pair left = {AVOUT_NONE, AVOUT_NONE};
    pthread_mutex_lock(&queue->lock);
    if (avout__list_empty(&queue->round.jobs)) left = forget_round(queue);
    if (!avout__list_empty(&queue->round.jobs)) drive(JOB_OF(queue->round.jobs.next));
    else if (!avout__list_empty(&queue->waiting)) drive(JOB_OF(queue->waiting.next));
    else queue->driven = false;
    pthread_mutex_unlock(&queue->lock);
    release_both(left);
}

avout__held_state avout__held_state_of(queue_of *queue, const job *one)
{
    pthread_mutex_lock(&queue->lock);
    avout__held_state state = one->state;
    pthread_mutex_unlock(&queue->lock);
    return state;
}
