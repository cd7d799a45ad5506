/* The runs of a transaction: the body, the commit, the wait for the outcome, and the next run. On the thread of
 * the caller; asynchronous ones take the same steps one by one (async.c).
 *
 *     attempt --body--> commit --joined--> PENDING --> verdict --confirmed, failed--> FINAL
 *        ^        |        |                              |
 *        |        |        +--conflict--> AGAIN <---------+ refused, and cannot be committed once more
 *        |        +--retry, a dirty mark--> BLOCKED       |   as it is (recommit)
 *        |                                    |           |
 *        +------------- again <---------------+-----------+
 *
 *  - Nothing comes out of a run but by FINAL, and FINAL of a run that read what was pending comes by a verdict (I4).
 *  - The deadline, and an interruption, end a transaction that is not sent with no effect; of one that is sent the
 *    outcome is unknown to its caller, and the engine does not send it again (I3, I12).
 *  - No epoch guard and no lock is held while the body runs; what it has read is counted (I9). */
#include "stm/stm.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/interrupt.h"
#include "base/banned.h"

/* What an interrupted thread waits for the outcome of what it has sent. */
enum { OUTCOME_MS = 1000 };

static _Thread_local avout_txn *current;

avout_txn *avout__txn_current(avout__stm *stm)
{
    return current && current->stm == stm ? current : NULL;
}

avout_txn *avout__txn_enter(avout_txn *txn)
{
    avout_txn *before = current;
    current = txn;
    return before;
}

void avout__txn_leave(avout_txn *before)
{
    current = before;
}

/* ---- blocking: retry ---------------------------------------------------------------------------------------------------- */

typedef struct block_waiter {
    avout__waiter waiter;
    avout__latch *latch;
} block_waiter;

static void wake_block(avout__waiter *waiter)
{
    avout__latch_open(((block_waiter *)(void *)waiter)->latch);
}

/* Sleeps until something the run read has changed. */
static avout_status block(avout_txn *txn)
{
    avout__stm *stm = txn->stm;
    avout__latch latch = AVOUT__LATCH_INIT;
    block_waiter *waiters = avout__calloc(txn->count + 1, sizeof *waiters);
    if (!waiters) return AVOUT_ENOMEM;
    avout__stm_lock(stm);
    avout__elder_leave(txn); /* it waits for others */
    txn->again_ns = 0;
    bool wait = avout__txn_valid(txn) && !atomic_load(&stm->closed);
    block_waiter *closing = &waiters[txn->count];
    *closing = (block_waiter){{.wake = wake_block}, &latch};
    if (wait) avout__list_append(&stm->sleepers, &closing->waiter.link);
    for (size_t i = 0; wait && i < txn->count; i++) {
        if (!(txn->entries[i].flags & AVOUT__ENTRY_READ)) continue;
        waiters[i] = (block_waiter){{.wake = wake_block}, &latch};
        avout__list_append(&txn->entries[i].cell->waiters, &waiters[i].waiter.link);
    }
    avout__stm_unlock(stm);
    bool woken = !wait || avout__latch_wait(&latch, txn->deadline_ns);
    avout__stm_lock(stm);
    for (size_t i = 0; i <= txn->count; i++) avout__link_remove(&waiters[i].waiter.link);
    avout__stm_unlock(stm);
    avout__free(waiters);
    if (woken) return avout__stm_usable(stm);
    return avout_fail(avout__late(), "waited until %s for a change of what was read",
                      avout__late_text("the deadline"));
}

/* ---- runs ------------------------------------------------------------------------------------------------------------------ */

avout__step avout__txn_attempt(avout_status *status, avout_txn *txn, avout_txn_fn body,
                               void *payload)
{
    avout_txn *before = avout__txn_enter(txn);
    avout_status result = body(txn, payload);
    avout__txn_leave(before);
    if (txn->sleeps) return AVOUT__STEP_BLOCKED;
    if (txn->doomed || result == AVOUT_RETRY) return AVOUT__STEP_AGAIN;
    if (result == AVOUT_BLOCK) return AVOUT__STEP_BLOCKED;
    return avout__txn_commit(status, txn, result);
}

avout__step avout__txn_verdict(avout_status *status, avout_txn *txn, avout_status result)
{
    switch (txn->verdict) {
    case AVOUT__CONFIRMED:
        *status = result;
        /* The thread's own detail is another job's by now. */
        if (result && txn->asynchronous)
            avout__fail_text(result,
                             txn->failure_detail ? txn->failure_detail : avout_status_text(result));
        return AVOUT__STEP_FINAL;
    case AVOUT__FAILED:
        *status = txn->failure_status;
        if (txn->failure_detail) avout__fail_text(*status, txn->failure_detail);
        else avout__fail_text(*status, avout_status_text(*status));
        return AVOUT__STEP_FINAL;
    case AVOUT__AGAIN: break;
    }
    return AVOUT__STEP_AGAIN;
}

/* The deadline passed, or an interruption came, while the commit was waiting for the store. */
static avout_status give_up(avout_txn *txn, avout_status result)
{
    avout__stm *stm = txn->stm;
    avout_status status = AVOUT_OK;
    bool interrupted = avout__interrupted();
    avout__stm_lock(stm);
    if (txn->phase == AVOUT__PENDING) {
        avout__txn_fail(txn, AVOUT__FAILED, avout__late(),
                        interrupted ? "interrupted; nothing was changed"
                        : stm->connected
                            ? "not sent before the deadline; nothing was changed"
                            : "no connection to the store before the deadline; nothing "
                              "was changed",
                        NULL);
        avout__send_ready(stm);
    } else if (txn->phase == AVOUT__SENT) {
        txn->abandoned = true;
        status = txn->has_writes ? AVOUT_UNKNOWN : avout__late();
    }
    avout__stm_unlock(stm);
    const char *when = interrupted ? "when it was interrupted" : "before the deadline";
    if (status == AVOUT_UNKNOWN)
        return avout_fail(
            status, "the store had not answered %s; the change may or may not have taken effect",
            when);
    if (status) return avout_fail(status, "the store had not answered %s", when);
    if (avout__txn_verdict(&status, txn, result) == AVOUT__STEP_AGAIN) return avout__txn_too_late();
    return status;
}

avout_status avout__txn_too_late(void)
{
    return avout_fail(avout__late(), "conflicts until %s; nothing was changed",
                      avout__late_text("the deadline"));
}

static avout_status retries_used_up(avout_txn *txn)
{
    if (txn->max_retries && txn->runs > txn->max_retries)
        return avout_fail(AVOUT_ERETRIES, "gave up after %u runs because of conflicts", txn->runs);
    return avout__deadline_passed(txn->deadline_ns) ? avout__txn_too_late() : AVOUT_OK;
}

avout_status avout__txn_again(avout_txn *txn)
{
    txn->runs++;
    txn->keeps_past = true;
    atomic_fetch_add_explicit(&txn->stm->retries, 1, memory_order_relaxed);
    avout__txn_reset(txn);
    avout_status status = retries_used_up(txn);
    if (!status) avout__elder_consider(txn);
    return status;
}

/* Waits for the verdict; false: it is too late. A commit that is on its way when the thread is interrupted
 * has a moment more, as mostly its outcome is known then. */
static bool await_verdict(avout_txn *txn)
{
    avout__stm *stm = txn->stm;
    if (avout__latch_wait(&txn->latch, txn->deadline_ns)) return true;
    if (!avout__interrupted()) return false;
    avout__stm_lock(stm);
    bool sent = txn->phase == AVOUT__SENT;
    avout__stm_unlock(stm);
    if (!sent) return avout__latch_is_open(&txn->latch);
    int64_t until_ns = avout__deadline_in_ms(OUTCOME_MS);
    avout__interruptible by = avout__interrupt_again();
    bool told =
        avout__latch_wait(&txn->latch, until_ns < txn->deadline_ns ? until_ns : txn->deadline_ns);
    avout__interrupt_use(by);
    return told;
}

avout_status avout__txn_run(avout_txn *txn, avout_txn_fn body, void *payload)
{
    avout_status status = AVOUT_OK;
    for (;;) {
        avout__step step = avout__txn_attempt(&status, txn, body, payload);
        while (step == AVOUT__STEP_PENDING) {
            if (!await_verdict(txn)) {
                status = give_up(txn, txn->result); /* which may find it confirmed after all */
                step = AVOUT__STEP_FINAL;
                break;
            }
            step = avout__txn_verdict(&status, txn, txn->result);
            if (step == AVOUT__STEP_AGAIN) step = avout__txn_recommit(&status, txn);
        }
        if (step == AVOUT__STEP_FINAL) break;
        if (step == AVOUT__STEP_BLOCKED) {
            status = block(txn);
            if (status) break;
        }
        status = avout__txn_again(txn);
        if (status) break;
    }
    avout__txn_end_run(txn);
    if (avout__epoch_due()) avout__epoch_collect();
    if (!status) avout__txn_run_hooks(txn);
    return status;
}
