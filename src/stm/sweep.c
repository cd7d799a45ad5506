/* What waits for containers though nobody waits for it: deleting versions, collecting orphans, reading
 * values that only watches want. One thread for each kind of container that a client uses, so that a
 * database that does not answer holds up nobody else; what fails is tried again a few times and then left to
 * the collector.
 *
 * Jobs lie in one list for each delay, which are constant: so each list is in the order in which its jobs
 * are due. Locks: the engine's may be held when a job is added; the thread holds its own alone, and none
 * while it works. */
#include "stm/stm.h"

#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/thread.h"
#include "base/banned.h"

enum {
    CALL_MS = 3000,
    COLLECT_MS = 4000, /* closing the client waits for it */
    CLOSE_MS = 2000,   /* for all that is left when the client is closed */
    TRIES = 5,
    SECOND_MS = 1000,
    GRACE_MS = 10000,
    FIRST_COLLECTION_MS = 60000, /* after opening; these two and as much again at random */
    NEXT_COLLECTION_MS = 15 * 60000,
};

typedef enum job_kind { DELETE, COLLECT, LOAD } job_kind;

typedef struct sweep_job {
    avout__link link;
    job_kind kind;
    int64_t due_ns;
    avout__foreign *foreign; /* counted; DELETE, COLLECT */
    avout__cell *cell;       /* counted; LOAD */
    bool destroyed;
    uint8_t tries;
    char version[];
} sweep_job;

typedef struct avout__sweeper {
    struct avout__sweeper *next; /* of the client's */
    avout__stm *stm;
    const void *kind;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    avout__link lists[AVOUT__DELAYS];
    int64_t delays_ms[AVOUT__DELAYS];
    bool stop;    /* the thread is to end */
    bool stopped; /* it has: nothing is added any more */
} avout__sweeper;

/* ---- jobs ------------------------------------------------------------------------------------------ */

static sweep_job *job_new(job_kind kind, avout__foreign *foreign, avout__cell *cell,
                          const char *version)
{
    size_t length = strlen(version);
    sweep_job *job = avout__calloc(1, sizeof *job + length + 1);
    if (!job) return NULL;
    job->kind = kind;
    job->foreign = foreign ? avout__foreign_ref(foreign) : NULL;
    job->cell = cell ? avout__cell_ref(cell) : NULL;
    memcpy(job->version, version, length + 1);
    return job;
}

/* On the sweeper's thread, or where the caller has other references: the last one of a container closes
 * it, and the last one of a cell frees watches. */
static void job_free(sweep_job *job)
{
    avout__foreign_unref(job->foreign);
    avout__cell_unref(job->cell);
    avout__free(job);
}

/* Takes over the job; false: the thread has ended, the job is still the caller's. */
static bool add(avout__sweeper *sweeper, sweep_job *job, avout__delay delay)
{
    job->due_ns = avout__deadline_in_ms(sweeper->delays_ms[delay]);
    pthread_mutex_lock(&sweeper->lock);
    bool added = !sweeper->stopped;
    if (added) avout__list_append(&sweeper->lists[delay], &job->link);
    if (added && sweeper->lists[delay].next == &job->link) pthread_cond_signal(&sweeper->wake);
    pthread_mutex_unlock(&sweeper->lock);
    return added;
}

/* Gives up references that are not the last: for who must not free. */
static void job_cancel(sweep_job *job)
{
    if (job->foreign) atomic_fetch_sub(&job->foreign->refs, 1);
    if (job->cell) atomic_fetch_sub(&job->cell->refs, 1);
    avout__free(job);
}

/* They only become more, until the client is freed. */
static avout__sweeper *sweeper_of(avout__stm *stm, const void *kind)
{
    avout__sweeper *sweeper = atomic_load(&stm->sweepers);
    while (sweeper && sweeper->kind != kind) sweeper = sweeper->next;
    return sweeper;
}

static const void *kind_of(const avout__cell *cell)
{
    const avout__held *held = avout__held_of(cell->container);
    const avout__foreign *foreign = avout__cell_foreign(cell);
    return held ? avout__held_kind(held) : foreign ? avout__foreign_kind(foreign) : NULL;
}

static bool submit(avout__stm *stm, job_kind kind, avout__foreign *foreign, avout__cell *cell,
                   const char *version, bool destroyed, avout__delay delay)
{
    avout__sweeper *sweeper =
        sweeper_of(stm, foreign ? avout__foreign_kind(foreign) : kind_of(cell));
    sweep_job *job = sweeper ? job_new(kind, foreign, cell, version) : NULL;
    if (!job) return false;
    job->destroyed = destroyed;
    if (add(sweeper, job, delay)) return true;
    job_cancel(job);
    return false;
}

void avout__sweep_version(avout__stm *stm, avout__foreign *foreign, const char *version,
                          avout__delay delay)
{
    (void)submit(stm, DELETE, foreign, NULL, version, false, delay);
}

void avout__sweep_orphans(avout__stm *stm, avout__foreign *foreign, bool destroyed,
                          avout__delay delay)
{
    (void)submit(stm, COLLECT, foreign, NULL, "", destroyed, delay);
}

bool avout__sweep_load(avout__cell *cell, avout__delay delay)
{
    if (cell->extra->loading) return true;
    cell->extra->loading = submit(cell->stm, LOAD, NULL, cell, "", false, delay);
    return cell->extra->loading;
}

/* ---- working ------------------------------------------------------------------------------------------ */

/* Whether to read it once more may bring it. AVOUT_RETRY: there is another one by now. */
static bool may_come(avout_status status)
{
    return status && status != AVOUT_RETRY && status != AVOUT_ECLOSED && status != AVOUT_EDATA &&
           status != AVOUT_ENOTFOUND;
}

/* Reads the live value, then tells the watches, which have been waiting for it or for the one that has come
 * since. */
static avout_status load(avout__cell *cell)
{
    avout__stm *stm = cell->stm;
    avout_status status = AVOUT_OK;
    avout_value value;
    avout__stm_lock(stm);
    avout__record *live = atomic_load_explicit(&cell->live, memory_order_relaxed);
    if (live) avout__record_ref(live);
    avout__stm_unlock(stm);
    if (live) status = avout__cell_value(&value, cell, live, avout__deadline_in_ms(CALL_MS));
    if (live && status == AVOUT_EDATA) atomic_store(&live->no_value, true);
    avout__record_unref(live);
    if (may_come(status)) return status;
    avout__stm_lock(stm);
    cell->extra->loading = false;
    avout__notify_cell(cell);
    avout__stm_unlock(stm);
    return AVOUT_OK;
}

static avout_status collect(avout__sweeper *sweeper, sweep_job *job)
{
    size_t orphans;
    int64_t deadline_ns = avout__deadline_in_ms(job->destroyed ? CALL_MS : COLLECT_MS);
    avout_status status =
        avout__foreign_collect(&orphans, sweeper->stm, job->foreign, true, deadline_ns);
    if (!status && job->destroyed) status = avout__foreign_destroy(job->foreign, deadline_ns);
    return status;
}

/* Whether the job is to come again, and when. */
static bool again(avout__delay *delay, sweep_job *job, avout_status status)
{
    *delay = AVOUT__AFTER_A_SECOND;
    switch (job->kind) {
    case DELETE: return status && ++job->tries < TRIES;
    case LOAD: return status;
    case COLLECT:
        *delay = AVOUT__MUCH_LATER;
        if (job->destroyed || status == AVOUT_ENOTSUP) return false;
        return atomic_load(&job->foreign->refs) > 1; /* somebody has it open */
    }
    return false;
}

static void work(avout__sweeper *sweeper, sweep_job *job)
{
    avout_status status = AVOUT_OK;
    switch (job->kind) {
    case DELETE:
        status = avout__foreign_delete(job->foreign, job->version, avout__deadline_in_ms(CALL_MS));
        break;
    case COLLECT: status = collect(sweeper, job); break;
    case LOAD: status = load(job->cell); break;
    }
    avout__delay delay;
    if (!again(&delay, job, status) || !add(sweeper, job, delay)) job_free(job);
}

/* The next job that is due; else NULL and when to look again. Lock held. */
static sweep_job *next_due(int64_t *when_ns, avout__sweeper *sweeper)
{
    sweep_job *first = NULL;
    for (int i = 0; i < AVOUT__DELAYS; i++) {
        if (avout__list_empty(&sweeper->lists[i])) continue;
        sweep_job *job = AVOUT__LINK_OF(sweeper->lists[i].next, sweep_job, link);
        if (!first || job->due_ns < first->due_ns) first = job;
    }
    *when_ns = first ? first->due_ns : AVOUT__NEVER;
    if (!first || first->due_ns > avout__now_ns()) return NULL;
    avout__link_remove(&first->link);
    return first;
}

static void rest(avout__sweeper *sweeper, int64_t until_ns)
{
    if (until_ns == AVOUT__NEVER) {
        pthread_cond_wait(&sweeper->wake, &sweeper->lock);
        return;
    }
    struct timespec until = {(time_t)(until_ns / 1000000000), (long)(until_ns % 1000000000)};
    pthread_cond_timedwait(&sweeper->wake, &sweeper->lock, &until);
}

static void *sweeper_main(void *payload)
{
    avout__sweeper *sweeper = payload;
    pthread_mutex_lock(&sweeper->lock);
    while (!sweeper->stop) {
        int64_t when_ns;
        sweep_job *job = next_due(&when_ns, sweeper);
        if (!job) {
            rest(sweeper, when_ns);
            continue;
        }
        pthread_mutex_unlock(&sweeper->lock);
        work(sweeper, job);
        pthread_mutex_lock(&sweeper->lock);
    }
    pthread_mutex_unlock(&sweeper->lock);
    return NULL;
}

/* ---- life ----------------------------------------------------------------------------------------------- */

static avout__sweeper *sweeper_new(avout__stm *stm, const void *kind)
{
    avout__sweeper *sweeper = avout__calloc(1, sizeof *sweeper);
    if (!sweeper) return NULL;
    sweeper->stm = stm;
    sweeper->kind = kind;
    pthread_mutex_init(&sweeper->lock, NULL);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&sweeper->wake, &monotonic);
    pthread_condattr_destroy(&monotonic);
    /* Clients that were started together do not collect together. */
    int64_t spread = (int64_t)(avout__random64() % 1000);
    for (int i = 0; i < AVOUT__DELAYS; i++) avout__list_init(&sweeper->lists[i]);
    sweeper->delays_ms[AVOUT__AFTER_A_SECOND] = SECOND_MS;
    sweeper->delays_ms[AVOUT__AFTER_GRACE] = GRACE_MS;
    sweeper->delays_ms[AVOUT__LATER] = FIRST_COLLECTION_MS + FIRST_COLLECTION_MS * spread / 1000;
    sweeper->delays_ms[AVOUT__MUCH_LATER] = NEXT_COLLECTION_MS + NEXT_COLLECTION_MS * spread / 1000;
    return sweeper;
}

static void sweeper_destroy(avout__sweeper *sweeper)
{
    pthread_mutex_destroy(&sweeper->lock);
    pthread_cond_destroy(&sweeper->wake);
    avout__free(sweeper);
}

avout_status avout__sweeper_start(avout__stm *stm, const void *kind)
{
    avout_status status = AVOUT_OK;
    avout__stm_lock(stm);
    if (atomic_load(&stm->closed)) {
        status = avout_fail(AVOUT_ECLOSED, "the client is closed");
    } else if (!sweeper_of(stm, kind)) {
        avout__sweeper *sweeper = sweeper_new(stm, kind);
        status =
            sweeper ? avout__thread_start(&sweeper->thread, sweeper_main, sweeper) : AVOUT_ENOMEM;
        if (!status) {
            sweeper->next = atomic_load(&stm->sweepers);
            atomic_store(&stm->sweepers, sweeper);
        } else if (sweeper) {
            sweeper_destroy(sweeper);
        }
    }
    avout__stm_unlock(stm);
    return status;
}

/* Takes the jobs of one kind out of the lists; others may be adding more. */
static void take_jobs(avout__link *taken, avout__sweeper *sweeper, bool destroying)
{
    pthread_mutex_lock(&sweeper->lock);
    for (int i = 0; i < AVOUT__DELAYS; i++) AVOUT__LIST_EACH(link, &sweeper->lists[i])
        {
            const sweep_job *job = AVOUT__LINK_OF(link, sweep_job, link);
            if (destroying != (job->kind == COLLECT && job->destroyed)) continue;
            avout__link_remove(link);
            avout__list_append(taken, link);
        }
    pthread_mutex_unlock(&sweeper->lock);
}

/* Readers do not depend on the grace (F3), and nobody knows when this client's next life begins. The
 * places of what was destroyed come last, when they are empty. */
static void finish(avout__sweeper *sweeper, int64_t deadline_ns)
{
    for (int pass = 0; pass < 2; pass++) {
        avout__link jobs;
        avout__list_init(&jobs);
        take_jobs(&jobs, sweeper, pass == 1);
        while (!avout__list_empty(&jobs)) {
            sweep_job *job = AVOUT__LINK_OF(jobs.next, sweep_job, link);
            avout__link_remove(&job->link);
            if (job->kind == DELETE)
                (void)avout__foreign_delete(job->foreign, job->version, deadline_ns);
            else if (pass == 1) (void)avout__foreign_destroy(job->foreign, deadline_ns);
            job_free(job);
        }
    }
}

void avout__sweeper_end(avout__stm *stm)
{
    avout__sweeper *first = atomic_load(&stm->sweepers);
    for (avout__sweeper *sweeper = first; sweeper; sweeper = sweeper->next) {
        pthread_mutex_lock(&sweeper->lock);
        sweeper->stop = true;
        pthread_cond_signal(&sweeper->wake);
        pthread_mutex_unlock(&sweeper->lock);
    }
    for (avout__sweeper *sweeper = first; sweeper; sweeper = sweeper->next)
        pthread_join(sweeper->thread, NULL);
    int64_t deadline_ns = avout__deadline_in_ms(CLOSE_MS);
    for (avout__sweeper *sweeper = first; sweeper; sweeper = sweeper->next)
        finish(sweeper, deadline_ns);
}

void avout__sweeper_stop(avout__stm *stm)
{
    int64_t deadline_ns = avout__deadline_in_ms(CLOSE_MS);
    for (avout__sweeper *sweeper = atomic_load(&stm->sweepers); sweeper; sweeper = sweeper->next) {
        pthread_mutex_lock(&sweeper->lock);
        sweeper->stopped = true;
        pthread_mutex_unlock(&sweeper->lock);
        finish(sweeper, deadline_ns);
    }
}

void avout__sweeper_free(avout__stm *stm)
{
    avout__sweeper *sweeper = atomic_load(&stm->sweepers);
    /* In a forked child the thread that is waiting here is the parent's: destroying would wait for it. */
    if (avout__stm_forked(stm)) return;
    while (sweeper) {
        avout__sweeper *next = sweeper->next;
        sweeper_destroy(sweeper);
        sweeper = next;
    }
}
