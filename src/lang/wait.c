#include "lang/wait.h"

#include <errno.h>
#include <limits.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/futex.h"
#include "base/thread.h"
#include "base/banned.h"

/* ---- the bell -------------------------------------------------------------------------------------------- */

static _Atomic uint32_t bell;

void avout__lang_ring(void)
{
    int before = errno;
    atomic_fetch_add(&bell, 1);
    avout__futex_wake(&bell, INT_MAX, false);
    errno = before;
}

static bool interrupted(const lang_run *run)
{
    return atomic_load(run->stop) != run->interrupts;
}

bool avout__lang_stopped(lang_run *run)
{
    if (!interrupted(run)) return false;
    avout__lang_fail(run, AVOUT_ECANCELLED, "interrupted");
    return true;
}

/* ---- waiting ----------------------------------------------------------------------------------------------- */

int64_t avout__lang_wait_limit(const lang_run *run, int64_t deadline_ns)
{
    if (run->wait_left_ns == AVOUT__NEVER) return deadline_ns;
    int64_t last = avout__now_ns() + run->wait_left_ns;
    return last < deadline_ns ? last : deadline_ns;
}

void avout__lang_wait_spent(lang_run *run, int64_t began_ns)
{
    if (run->wait_left_ns == AVOUT__NEVER) return;
    int64_t spent = avout__now_ns() - began_ns;
    run->wait_left_ns = spent < run->wait_left_ns ? run->wait_left_ns - spent : 0;
}

void avout__lang_wait_exceeded(lang_run *run)
{
    avout__lang_fail(run, AVOUT_ELIMIT, "waited for more than %lld ms",
                     (long long)run->lang->options.max_wait_ms);
    run->fatal = true;
}

static lang_waited wait_until(lang_run *run, int64_t limit, bool (*ready)(void *payload),
                              void *payload)
{
    for (;;) {
        /* Read before looking: what happens from here on changes it. */
        uint32_t seen = atomic_load(&bell);
        if (ready && ready(payload)) return WAIT_OVER;
        if (avout__lang_stopped(run)) return WAIT_FAILED;
        if (limit != AVOUT__NEVER && avout__now_ns() >= limit) return WAIT_LATE;
        avout__futex_wait(&bell, seen, limit, false);
    }
}

lang_waited avout__lang_wait(lang_run *run, int64_t deadline_ns, bool (*ready)(void *payload),
                             void *payload)
{
    int64_t began = avout__now_ns(), limit = avout__lang_wait_limit(run, deadline_ns);
    lang_waited waited = wait_until(run, limit, ready, payload);
    avout__lang_wait_spent(run, began);
    if (waited != WAIT_LATE || limit == deadline_ns) return waited;
    avout__lang_wait_exceeded(run);
    return WAIT_FAILED;
}

/* ---- the warden -------------------------------------------------------------------------------------------- */

void avout__lang_warden_init(lang_warden *warden)
{
    pthread_mutex_init(&warden->lock, NULL);
    avout__list_init(&warden->guards);
}

static void *watch_over(void *payload)
{
    lang_warden *warden = payload;
    while (!atomic_load(&warden->ends)) {
        uint32_t seen = atomic_load(&bell);
        pthread_mutex_lock(&warden->lock);
        AVOUT__LIST_EACH(link, &warden->guards)
        {
            lang_guard *guard = AVOUT__LINK_OF(link, lang_guard, link);
            if (guard->told || !interrupted(guard->run)) continue;
            guard->told = true;
            guard->stop(guard->payload);
        }
        pthread_mutex_unlock(&warden->lock);
        if (!atomic_load(&warden->ends)) avout__futex_wait(&bell, seen, AVOUT__NEVER, false);
    }
    return NULL;
}

void avout__lang_warden_end(lang_warden *warden)
{
    pthread_mutex_lock(&warden->lock);
    atomic_store(&warden->ends, true);
    bool running = warden->running;
    warden->running = false;
    pthread_mutex_unlock(&warden->lock);
    if (!running) return;
    avout__lang_ring();
    pthread_join(warden->thread, NULL);
}

void avout__lang_warden_release(lang_warden *warden)
{
    pthread_mutex_destroy(&warden->lock);
}

bool avout__lang_guard_enter(lang_run *run, lang_guard *guard, void (*stop)(void *payload),
                             void *payload)
{
    lang_warden *warden = &run->lang->warden;
    avout_status status = AVOUT_OK;
    *guard = (lang_guard){.run = run, .stop = stop, .payload = payload};
    pthread_mutex_lock(&warden->lock);
    if (atomic_load(&warden->ends)) {
        status = avout_fail(AVOUT_ECLOSED, "the environment is closed");
    } else if (!warden->running) {
        status = avout__thread_start(&warden->thread, watch_over, warden);
        warden->running = !status;
    }
    if (!status) avout__list_append(&warden->guards, &guard->link);
    pthread_mutex_unlock(&warden->lock);
    if (status) avout__lang_failed(run, status);
    /* One that was interrupted before the warden knew of it. */
    else if (interrupted(run)) avout__lang_ring();
    return !status;
}

void avout__lang_guard_leave(lang_run *run, lang_guard *guard)
{
    lang_warden *warden = &run->lang->warden;
    pthread_mutex_lock(&warden->lock);
    avout__link_remove(&guard->link);
    pthread_mutex_unlock(&warden->lock);
}
