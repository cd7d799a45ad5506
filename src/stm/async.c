/* Asynchronous transactions: one thread per client, started with the first of them, runs bodies and
 * reports ends; it never waits for the store. Nor for containers: a run that has to is given up, and
 * its job goes over to a second thread of the same kind, the porter, which does wait. A job is in one of these states:
 *
 *   ready ----run----> waiting for the store's answer (transaction pending or sent)
 *     ^                waiting for a cell to be fetched, or, blocked, to change
 *     +-----------------+   each wakes it up into ready; so does its deadline
 */
#include "stm/stm.h"

#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/thread.h"
#include "base/banned.h"

typedef struct avout__job_waiter {
    avout__waiter waiter;
    avout__job *job;
    avout__cell *cell; /* counted */
} job_waiter;

typedef struct avout__executor {
    avout__stm *stm;
    pthread_t thread;
    pthread_cond_t wake;
    avout__link ready;
    avout__link every;
    int64_t next_deadline_ns;
    bool stop;
} avout__executor;

/* ---- with the lock held ------------------------------------------------------------------------------------------- */

static void make_ready(avout__job *job)
{
    avout__executor *executor = job->executor;
    if (avout__link_linked(&job->link)) return;
    avout__list_append(&executor->ready, &job->link);
    pthread_cond_signal(&executor->wake);
}

static void txn_done(avout_txn *txn)
{
    make_ready(txn->owner);
}

static void wake_job(avout__waiter *waiter)
{
    make_ready(((job_waiter *)(void *)waiter)->job);
}

static void note_deadline(avout__executor *executor, const avout__job *job)
{
    if (job->txn->deadline_ns < executor->next_deadline_ns)
        executor->next_deadline_ns = job->txn->deadline_ns;
}

/* Jobs whose time is over become ready; run_job looks at the clock. */
static void ready_late_jobs(avout__executor *executor)
{
    int64_t now = avout__now_ns();
    if (now < executor->next_deadline_ns) return;
    executor->next_deadline_ns = AVOUT__NEVER;
    AVOUT__LIST_EACH(link, &executor->every)
    {
        avout__job *job = AVOUT__LINK_OF(link, avout__job, every);
        if (job->txn->deadline_ns <= now) make_ready(job);
        else note_deadline(executor, job);
    }
}

/* ---- waiting for cells --------------------------------------------------------------------------------------------- */

static void stop_waiting(avout__job *job)
{
    avout__stm *stm = job->txn->stm;
    if (!job->waiters) return;
    avout__stm_lock(stm);
    for (size_t i = 0; i < job->waiter_count; i++) avout__link_remove(&job->waiters[i].waiter.link);
    avout__stm_unlock(stm);
    for (size_t i = 0; i < job->waiter_count; i++) avout__cell_unref(job->waiters[i].cell);
    avout__free(job->waiters);
    job->waiters = NULL;
    job->waiter_count = 0;
}

/* For one missing cell, or for a change of anything the run read. */
static avout_status start_waiting(avout__job *job, avout__cell *missing)
{
    avout_txn *txn = job->txn;
    avout__stm *stm = txn->stm;
    size_t count = missing ? 1 : txn->count;
    job->waiters = avout__calloc(count ? count : 1, sizeof *job->waiters);
    if (!job->waiters) return AVOUT_ENOMEM;
    avout__stm_lock(stm);
    bool wait = missing ? !atomic_load(&missing->head) : avout__txn_valid(txn);
    for (size_t i = 0; wait && i < count; i++) {
        avout__cell *cell = missing ? missing : txn->entries[i].cell;
        if (!missing && !(txn->entries[i].flags & AVOUT__ENTRY_READ)) continue;
        job_waiter *waiter = &job->waiters[job->waiter_count++];
        *waiter = (job_waiter){{.wake = wake_job}, job, avout__cell_ref(cell)};
        avout__list_append(&cell->waiters, &waiter->waiter.link);
        cell->failure = AVOUT_OK;
        if (missing) avout__fetch(cell);
    }
    if (!wait) make_ready(job);
    avout__stm_unlock(stm);
    return AVOUT_OK;
}

static avout_status waiting_failed(const avout__job *job)
{
    for (size_t i = 0; i < job->waiter_count; i++) {
        avout__cell *cell = job->waiters[i].cell;
        avout__stm_lock(cell->stm);
        avout_status status = cell->failure;
        avout__stm_unlock(cell->stm);
        if (status)
            return avout_fail(status, "%s: reading: %s", cell->name, avout_status_text(status));
    }
    return AVOUT_OK;
}

/* ---- running ----------------------------------------------------------------------------------------------------------- */

static void finish_job(avout__job *job, avout_status status)
{
    avout_txn *txn = job->txn;
    avout__stm *stm = txn->stm;
    stop_waiting(job);
    avout__txn_end_run(txn);
    avout__stm_lock(stm);
    avout__link_remove(&job->every);
    avout__link_remove(&job->link);
    avout__stm_unlock(stm);
    if (!status) avout__txn_run_hooks(txn);
    job->finish(job, status);
}

/* One run, or the end of one; whatever has to be waited for is arranged, not waited for. */
static avout__step advance(avout_status *status, avout__job *job, avout__phase phase)
{
    avout_txn *txn = job->txn;
    bool commits = job->commits;
    job->commits = false;
    if (commits) return avout__txn_recommit(status, txn);
    if (phase == AVOUT__RUNNING) return avout__txn_attempt(status, txn, job->body, job->payload);
    avout__step step = avout__txn_verdict(status, txn, txn->result);
    return step == AVOUT__STEP_AGAIN ? avout__txn_recommit(status, txn) : step;
}

static avout_status executor_start(avout__executor **started, avout__stm *stm);

/* To the thread that may wait for containers. */
static avout_status go_over(avout__job *job)
{
    avout_txn *txn = job->txn;
    avout__stm *stm = txn->stm;
    avout_status status = AVOUT_OK;
    txn->wants_container = false;
    avout__stm_lock(stm);
    if (!stm->porter) status = executor_start(&stm->porter, stm);
    if (!status) {
        avout__link_remove(&job->link);
        avout__link_remove(&job->every);
        txn->has_porter = true;
        job->executor = stm->porter;
        avout__list_append(&job->executor->every, &job->every);
        note_deadline(job->executor, job);
    }
    avout__stm_unlock(stm);
    return status;
}

/* Of what is written without having been read the head was not there: the body need not run again. */
static avout_status commit_later(avout__job *job)
{
    avout__cell *missing = job->txn->missing;
    job->txn->missing = NULL;
    job->commits = true;
    avout_status status = start_waiting(job, missing);
    avout__cell_unref(missing);
    return status;
}

static avout_status again(avout__job *job)
{
    avout_txn *txn = job->txn;
    if (txn->missing && !txn->doomed) return commit_later(job);
    avout__cell *missing = txn->missing;
    txn->missing = NULL;
    avout_status status = avout__txn_again(txn);
    if (!status && txn->wants_container) status = go_over(job);
    if (!status && missing) status = start_waiting(job, missing);
    avout__cell_unref(missing);
    if (status || missing) return status;
    avout__stm_lock(txn->stm);
    make_ready(job);
    avout__stm_unlock(txn->stm);
    return AVOUT_OK;
}

/* A job whose deadline has passed is withdrawn, or, on its way, its outcome is unknown. Lock held. */
static avout_status give_up(avout_txn *txn)
{
    txn->on_done = NULL; /* nobody is left to be told */
    if (txn->phase == AVOUT__PENDING) {
        avout__txn_fail(txn, AVOUT__FAILED, AVOUT_ETIMEOUT, NULL, NULL);
        avout__send_ready(txn->stm); /* others may have waited behind it */
    } else if (txn->phase == AVOUT__SENT) {
        txn->abandoned = true;
        if (txn->has_writes)
            return avout_fail(AVOUT_UNKNOWN, "the store did not answer before the deadline; the "
                                             "change may or may not have taken effect");
    }
    return avout_fail(AVOUT_ETIMEOUT, "not done before the deadline; nothing was changed");
}

/* Why the job is to end before it goes on, if so; else AVOUT_OK and its phase. */
static avout_status look(avout__phase *phase, avout__job *job)
{
    avout_txn *txn = job->txn;
    avout_status status = waiting_failed(job);
    stop_waiting(job);
    avout__stm_lock(txn->stm);
    *phase = txn->phase;
    if (!status && *phase != AVOUT__DONE && avout__now_ns() >= txn->deadline_ns)
        status = give_up(txn);
    avout__stm_unlock(txn->stm);
    if (!status && *phase == AVOUT__RUNNING) status = avout__stm_usable(txn->stm);
    return status;
}

static void run_job(avout__job *job)
{
    avout__phase phase;
    avout_status status = look(&phase, job);
    if (!status && (phase == AVOUT__PENDING || phase == AVOUT__SENT)) return; /* not yet */
    avout__step step = status ? AVOUT__STEP_FINAL : advance(&status, job, phase);
    switch (step) {
    case AVOUT__STEP_FINAL: break;
    case AVOUT__STEP_PENDING: return; /* txn_done makes it ready, perhaps already has */
    case AVOUT__STEP_BLOCKED:
        status = start_waiting(job, NULL);
        if (!status) status = avout__txn_again(job->txn);
        if (!status) return;
        break;
    default:
        status = again(job);
        if (!status) return;
    }
    finish_job(job, status);
}

static void timed_wait(avout__executor *executor, avout__stm *stm)
{
    if (executor->next_deadline_ns == AVOUT__NEVER) {
        pthread_cond_wait(&executor->wake, &stm->lock);
        return;
    }
    struct timespec until = {(time_t)(executor->next_deadline_ns / 1000000000),
                             (long)(executor->next_deadline_ns % 1000000000)};
    pthread_cond_timedwait(&executor->wake, &stm->lock, &until);
}

static void *executor_main(void *payload)
{
    avout__executor *executor = payload;
    avout__stm *stm = executor->stm;
    avout__stm_lock(stm);
    for (;;) {
        ready_late_jobs(executor);
        if (atomic_load(&stm->closed)) /* bodies end with AVOUT_ECLOSED */
            AVOUT__LIST_EACH(link, &executor->every)
            {
                avout__job *job = AVOUT__LINK_OF(link, avout__job, every);
                if (job->txn->phase == AVOUT__RUNNING) make_ready(job);
            }
        if (!avout__list_empty(&executor->ready)) {
            avout__job *job = AVOUT__LINK_OF(executor->ready.next, avout__job, link);
            avout__link_remove(&job->link);
            avout__stm_unlock(stm);
            run_job(job);
            avout__stm_lock(stm);
        } else if (executor->stop && avout__list_empty(&executor->every)) {
            break;
        } else {
            timed_wait(executor, stm);
        }
    }
    avout__stm_unlock(stm);
    return NULL;
}

static avout_status executor_start(avout__executor **started, avout__stm *stm)
{
    avout__executor *executor = avout__calloc(1, sizeof *executor);
    if (!executor) return AVOUT_ENOMEM;
    executor->stm = stm;
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&executor->wake, &monotonic);
    pthread_condattr_destroy(&monotonic);
    avout__list_init(&executor->ready);
    avout__list_init(&executor->every);
    executor->next_deadline_ns = AVOUT__NEVER;
    *started = executor;
    avout_status status = avout__thread_start(&executor->thread, executor_main, executor);
    if (!status) return AVOUT_OK;
    *started = NULL;
    pthread_cond_destroy(&executor->wake);
    avout__free(executor);
    return status;
}

avout_status avout__executor_submit(avout__job *job)
{
    avout_txn *txn = job->txn;
    avout__stm *stm = txn->stm;
    txn->asynchronous = true;
    txn->on_done = txn_done;
    txn->owner = job;
    avout__stm_lock(stm);
    avout_status status = AVOUT_OK;
    if (atomic_load(&stm->closed)) status = avout_fail(AVOUT_ECLOSED, "the client is closed");
    else if (!stm->executor) status = executor_start(&stm->executor, stm);
    if (!status) {
        job->executor = stm->executor;
        avout__list_append(&stm->executor->every, &job->every);
        note_deadline(stm->executor, job);
        make_ready(job);
    }
    avout__stm_unlock(stm);
    return status;
}

bool avout__executor_is_me(avout__stm *stm)
{
    return (stm->executor && pthread_equal(stm->executor->thread, pthread_self())) ||
           (stm->porter && pthread_equal(stm->porter->thread, pthread_self()));
}

static void executor_stop(avout__executor **stopped, avout__stm *stm)
{
    avout__stm_lock(stm);
    avout__executor *executor = *stopped;
    if (executor) {
        executor->stop = true;
        pthread_cond_signal(&executor->wake);
    }
    avout__stm_unlock(stm);
    if (!executor) return;
    pthread_join(executor->thread, NULL);
    *stopped = NULL;
    pthread_cond_destroy(&executor->wake);
    avout__free(executor);
}

/* In this order: jobs go over from the first to the second. */
void avout__executor_stop(avout__stm *stm)
{
    executor_stop(&stm->executor, stm);
    executor_stop(&stm->porter, stm);
}
