#include "stm/held_round.h"

#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/interrupt.h"
#include "base/banned.h"

/* How long it is waited before a value is written again, at first and at most; how long who is done works for
 * others. */
enum { PAUSE_MS = 20, LONG_PAUSE_MS = 320, MOMENT_MS = 100, OVER_NS = 2000000 };

typedef avout__held_driver driver;
typedef avout__held_round round_of;

static avout__held *held_by(const driver *by)
{
    return avout__held_of(by->cell->container);
}

/* ---- functions ------------------------------------------------------------------------------------------ */

/* The changes in whose functions this thread is, the innermost first. */
typedef struct frame {
    const avout__held_queue *queue;
    const struct frame *outer;
} frame;
static _Thread_local const frame *inside;

bool avout__held_is_inside(const avout__held_queue *queue)
{
    const frame *at = inside;
    while (at && at->queue != queue) at = at->outer;
    return at;
}

void avout__held_run_function(avout__held_job *job, avout__held_queue *queue, avout__cell *cell)
{
    frame this = {.queue = queue, .outer = inside};
    inside = &this;
    avout_value changed = avout_share(job->before);
    job->status = job->change ? job->change(&changed, job->payload) : AVOUT_OK;
    if (!job->status && avout_is_none(changed)) job->status = avout_none_status();
    if (!job->status) job->status = avout__validator_check(cell, changed);
    if (job->status) {
        snprintf(job->detail, sizeof job->detail, "%s", avout_error_detail());
        avout_release(changed);
    } else {
        job->after = changed;
    }
    inside = this.outer;
    avout__held_has_run(queue, job);
}

/* Q4. AVOUT_ETIMEOUT, AVOUT_ECANCELLED. */
static avout_status call_functions(driver *by)
{
    avout__held_queue *queue = by->queue;
    for (avout__held_job *next; !queue->round.spoiled && (next = avout__held_next_turn(queue));) {
        if (next == by->own) {
            avout__held_run_function(next, queue, by->cell);
        } else if (!avout__latch_wait(&queue->ran, by->patience_ns)) {
            avout__held_lose_turn(queue);
            return avout_fail(avout__late(), "%s",
                              avout__late_text("others' functions took until the deadline"));
        }
    }
    return AVOUT_OK;
}

/* ---- the beginning ---------------------------------------------------------------------------------------- */

/* Dirty; *base is what was there before. */
static avout_status mark_dirty(driver *by, avout__record **base, bool creates)
{
    avout__marking dirty = {.cell = by->cell,
                            .check = by->check,
                            .token = by->token,
                            .dirty = true,
                            .creates = creates};
    avout_status status = avout__held_mark(&dirty, by->patience_ns);
    *base = dirty.base;
    by->queue->round.change = dirty.change;
    if (status != AVOUT_UNKNOWN) return status;
    /* A mark that is dirty for nothing changes nothing. */
    return avout_fail(avout__late(), "%s: the store did not answer before the deadline",
                      by->cell->name);
}

/* What the atom's value is, now that nobody else writes it. */
static avout_status find_value(driver *by, const avout__record *base)
{
    round_of *round = &by->queue->round;
    avout_value value = {0};
    if (base->kind == AVOUT__RECORD_VALUE && !base->dirty)
        value.bits = atomic_load_explicit(&base->value, memory_order_acquire);
    avout_status status = AVOUT_OK;
    bool initial = false;
    /* What a destroyed one has left is not its value. */
    if (value.bits) value = avout_share(value);
    else if (base->kind == AVOUT__RECORD_TOMBSTONE) status = AVOUT_ENOTFOUND;
    else status = avout__held_get(&value, held_by(by), by->patience_ns);
    if (status == AVOUT_ENOTFOUND) initial = avout__held_initial(&value, by->queue);
    if (initial) status = AVOUT_OK;
    if (status == AVOUT_ENOTFOUND && base->kind == AVOUT__RECORD_TOMBSTONE)
        status = avout__record_none(base->kind, by->cell->name);
    if (status) return status;
    round->value = value;
    round->old = initial ? AVOUT_NONE : avout_share(value);
    return AVOUT_OK;
}

/* ---- the end ------------------------------------------------------------------------------------------------ */

static avout_status unknown(const driver *by, const char *what)
{
    char why[400];
    snprintf(why, sizeof why, "%s", avout_error_detail());
    return avout_fail(AVOUT_UNKNOWN, "%s: %s: %s", by->cell->name, what, why);
}

/* Times of calls are in whole milliseconds: what is over so soon is over. */
static bool is_late(const driver *by)
{
    return avout__interrupted() || avout__now_ns() + OVER_NS >= by->patience_ns;
}

/* The driver's own change is done, or its time is over: the others are not to suffer from that (Q3). */
static void leave(driver *by, avout_status status)
{
    avout__held_finish(by->queue, by->own, status);
}

static avout_status mark_clean(driver *by)
{
    avout__marking clean = {
        .cell = by->cell, .check = by->check, .token = by->token, .value = by->queue->round.value};
    avout_status status = avout__held_mark(&clean, by->patience_ns);
    avout__record_unref(clean.base);
    return status;
}

static void close_round(driver *by)
{
    by->queue->round.stage = AVOUT__HELD_MARKING;
    avout_status status = mark_clean(by);
    for (; status == AVOUT_ENOMEM && !is_late(by); status = mark_clean(by))
        avout__pause_ms(PAUSE_MS, by->patience_ns);
    if (status == AVOUT_ELOST) return; /* T2 finds out, with another hold */
    if (status) status = unknown(by, "written, but not marked as written");
    if (status && is_late(by)) leave(by, status);
    else avout__held_finish_all(by->queue, status);
}

/* The container has refused it, so the old value is there. */
static void refused_by_container(driver *by, avout_status status)
{
    avout__held_queue *queue = by->queue;
    char detail[512];
    snprintf(detail, sizeof detail, "%s", avout_error_detail());
    avout_release(queue->round.value);
    queue->round.value = avout_share(queue->round.old);
    /* Else, and where there was none, it stays dirty, which is true as well. */
    if (!avout_is_none(queue->round.old)) (void)mark_clean(by);
    if (avout__held_count(queue) > 1) {
        avout__held_put_back(queue);
        queue->alone = true;
    } else {
        avout__fail_text(status, detail);
        avout__held_finish_all(queue, status);
    }
}

/* The round's mark is still there, or (*finished) became clean by it. */
static avout_status mark_again(bool *finished, driver *by)
{
    avout__marking again = {.cell = by->cell,
                            .check = by->check,
                            .token = by->token,
                            .dirty = true,
                            .again = true,
                            .change = by->queue->round.change};
    avout_status status = avout__held_mark(&again, by->patience_ns);
    avout__record_unref(again.base);
    *finished = again.finished;
    return status;
}

/* Mostly the lock is lost, and all wait again. If it is not, its token is the greatest that this store has given. */
static void refused_by_token(driver *by)
{
    char why[512];
    bool finished;
    snprintf(why, sizeof why, "%s", avout_error_detail());
    avout_status status = mark_again(&finished, by);
    if (status) avout__held_put_back(by->queue);
    else
        refused_by_container(by, avout_fail(AVOUT_EIO,
                                            "%s; the store has never given that token: it was "
                                            "begun anew, or another wrote there",
                                            why));
}

/* The same value may be written again, but not without asking for the lock: others may have got it meanwhile. */
static void write_round(driver *by)
{
    round_of *round = &by->queue->round;
    round->stage = AVOUT__HELD_WRITING;
    avout_status status = avout__held_set(held_by(by), round->value, by->token, by->patience_ns);
    round->maybe = round->maybe || !status || status == AVOUT_UNKNOWN;
    if (!status) {
        close_round(by);
    } else if (!round->maybe && status == AVOUT_EVERSION) {
        refused_by_token(by);
    } else if (!round->maybe) {
        refused_by_container(by, status);
    } else if (status == AVOUT_EVERSION) {
        avout__held_finish_all(by->queue, unknown(by, "others have written it since"));
    } else if (is_late(by)) {
        leave(by, unknown(by, "the container did not answer"));
    } else {
        by->once_more = true;
    }
}

/* ---- rounds --------------------------------------------------------------------------------------------------- */

static void begin_round(driver *by)
{
    avout__held_queue *queue = by->queue;
    avout__record *base = NULL;
    avout__held_take(queue);
    queue->round.stage = AVOUT__HELD_CALLING;
    avout_status status = mark_dirty(by, &base, avout__held_creates(queue));
    if (!status) status = find_value(by, base);
    avout__record_unref(base);
    if (!status) status = call_functions(by);
    if (status == AVOUT_ELOST) {
        avout__held_put_back(queue);
    } else if (status == AVOUT_ETIMEOUT || status == AVOUT_ECANCELLED) {
        /* A container may have less patience than its caller. */
        if (is_late(by)) leave(by, status);
        else avout__pause_ms(PAUSE_MS, by->patience_ns);
        avout__held_put_back(queue);
    } else if (status) {
        avout__held_finish_all(queue, status);
    } else {
        avout__held_finish_failed(queue);
        if (queue->round.spoiled) {
            avout__held_put_back(queue);
            return;
        }
        if (avout__held_state_of(queue, by->own) == AVOUT__HELD_DONE)
            by->patience_ns = avout__deadline_in_ms(MOMENT_MS);
        if (queue->round.changed) write_round(by);
        else close_round(by);
    }
}

/* T2 */
static void resume_round(driver *by)
{
    round_of *round = &by->queue->round;
    bool finished;
    avout_status status = mark_again(&finished, by);
    if (status == AVOUT_ELOST) return; /* once more, with another hold */
    if (status == AVOUT_ENOMEM && !is_late(by)) {
        avout__pause_ms(PAUSE_MS, by->patience_ns);
        return;
    }
    if (status == AVOUT_ECONFLICT)
        avout__held_finish_all(by->queue, unknown(by, "it was left before it was done"));
    else if (status && is_late(by))
        leave(by, unknown(by, "the store did not answer before the deadline"));
    else if (status)
        avout__held_finish_all(by->queue, unknown(by, "it was left before it was done"));
    else if (finished) avout__held_finish_all(by->queue, AVOUT_OK);
    else if (round->stage == AVOUT__HELD_WRITING) write_round(by);
    else close_round(by);
}

void avout__held_make_round(driver *by)
{
    by->once_more = false;
    if (by->queue->round.stage == AVOUT__HELD_NOTHING) begin_round(by);
    else resume_round(by);
    for (int pause_ms = PAUSE_MS; by->once_more; pause_ms *= pause_ms < LONG_PAUSE_MS ? 2 : 1) {
        by->once_more = false;
        avout__pause_ms(pause_ms, by->patience_ns);
        resume_round(by);
    }
}
