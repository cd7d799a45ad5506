/* The threads on which futures run. */
#include "lang/future.h"

#include <errno.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/fork.h"
#include "base/thread.h"
#include "base/banned.h"

enum { MOST_BUSY = 64, MOST_WORKERS = 1024 };

typedef struct worker {
    avout__link link; /* among those that have ended and are to be joined */
    lang_crew *crew;
    pthread_t thread;
} worker;

/* ---- what one runs ---------------------------------------------------------------------------------------- */

static bool move_to(lang_future *future, int from, lang_progress to)
{
    return atomic_compare_exchange_strong(&future->progress, &from, to);
}

static void run_one(lang_future *future)
{
    lang_run run;
    /* From the beginning, not from now on: it may be cancelled already. */
    avout__interrupt_use((avout__interruptible){&future->interrupts, 0});
    avout__lang_run_start(&run, future->lang);
    avout__lang_run_pool(&run, future->pool);
    avout_value value = AVOUT_NONE;
    if (move_to(future, FUTURE_WAITS, FUTURE_RUNS)) {
        avout_value function = avout__lang_later_function(&future->later);
        value = avout__lang_call(&run, function, 0, NULL);
        avout_release(function);
    }
    future->status = run.status;
    future->fatal = run.fatal;
    future->ended = run.ended;
    /* One that is cancelled now has a value that nobody gets. */
    avout__lang_later_set(&future->later, value, lang_take(&run.thrown));
    move_to(future, FUTURE_RUNS, FUTURE_DONE);
    avout__lang_run_end(&run);
    avout__interrupt_use((avout__interruptible){NULL, 0});
    avout__latch_open(&future->over);
}

/* Whose thread this is; NULL: nobody's. */
static _Thread_local const lang_crew *employer;

bool avout__lang_hired(const avout_lang *lang)
{
    return employer == &lang->crew;
}

/* ---- workers ------------------------------------------------------------------------------------------------- */

void avout__lang_crew_init(lang_crew *crew)
{
    avout__forks_watch();
    crew->forks = atomic_load(&avout__forks);
    pthread_mutex_init(&crew->lock, NULL);
    pthread_cond_init(&crew->idle, NULL);
    avout__list_init(&crew->queue);
    avout__list_init(&crew->running);
    avout__list_init(&crew->gone);
}

void avout__lang_crew_release(lang_crew *crew)
{
    pthread_cond_destroy(&crew->idle);
    pthread_mutex_destroy(&crew->lock);
}

/* There the threads are not, and the lock may be held by one of them. */
static bool in_child(const lang_crew *crew)
{
    return atomic_load(&avout__forks) != crew->forks;
}

static void *work(void *payload)
{
    worker *w = payload;
    lang_crew *crew = w->crew;
    employer = crew;
    pthread_mutex_lock(&crew->lock);
    while (!avout__list_empty(&crew->queue)) {
        lang_future *future = AVOUT__LINK_OF(crew->queue.next, lang_future, link);
        avout__link_remove(&future->link);
        avout__list_append(&crew->running, &future->link);
        pthread_mutex_unlock(&crew->lock);
        run_one(future);
        pthread_mutex_lock(&crew->lock);
        avout__link_remove(&future->link);
        avout_value self = future->self;
        pthread_mutex_unlock(&crew->lock);
        avout_release(self);
        pthread_mutex_lock(&crew->lock);
    }
    crew->workers--;
    avout__list_append(&crew->gone, &w->link);
    pthread_cond_broadcast(&crew->idle);
    pthread_mutex_unlock(&crew->lock);
    return NULL;
}

/* Without the crew's lock. */
static void join_all(avout__link *gone)
{
    AVOUT__LIST_EACH(link, gone)
    {
        worker *w = AVOUT__LINK_OF(link, worker, link);
        avout__link_remove(link);
        pthread_join(w->thread, NULL);
        avout__free(w);
    }
}

/* Under the crew's lock. */
static avout_status start_worker(lang_crew *crew)
{
    worker *w = avout__calloc(1, sizeof *w);
    if (!w) return AVOUT_ENOMEM;
    w->crew = crew;
    avout_status status = avout__thread_start(&w->thread, work, w);
    if (status) avout__free(w);
    else crew->workers++;
    return status;
}

bool avout__lang_future_start(lang_run *run, lang_future *future)
{
    lang_crew *crew = &run->lang->crew;
    avout_status status = AVOUT_OK;
    avout__link gone;
    avout__list_init(&gone);
    if (in_child(crew)) {
        avout__lang_fail(run, AVOUT_EFORK, "future: the environment was opened before fork");
        return false;
    }
    pthread_mutex_lock(&crew->lock);
    if (crew->ends) status = avout_fail(AVOUT_ECLOSED, "future: the environment is closed");
    else if (crew->workers >= MOST_WORKERS)
        status = avout_fail(AVOUT_ELIMIT, "future: %d are running or waiting", MOST_WORKERS);
    else if (crew->workers - crew->paused < MOST_BUSY) status = start_worker(crew);
    if (!status) {
        avout_share(future->self);
        avout__list_append(&crew->queue, &future->link);
    }
    avout__list_splice(&gone, &crew->gone);
    pthread_mutex_unlock(&crew->lock);
    join_all(&gone);
    if (status) avout__lang_failed(run, status);
    return !status;
}

/* Whom it waits for may be in the queue. */
void avout__lang_crew_pause(avout_lang *lang)
{
    lang_crew *crew = &lang->crew;
    if (!avout__lang_hired(lang)) return;
    pthread_mutex_lock(&crew->lock);
    crew->paused++;
    /* Where no thread can be had, one that is there takes it later. */
    if (!avout__list_empty(&crew->queue) && crew->workers < MOST_WORKERS) (void)start_worker(crew);
    pthread_mutex_unlock(&crew->lock);
}

void avout__lang_crew_resume(avout_lang *lang)
{
    if (!avout__lang_hired(lang)) return;
    pthread_mutex_lock(&lang->crew.lock);
    lang->crew.paused--;
    pthread_mutex_unlock(&lang->crew.lock);
}

bool avout__lang_leaving(avout_lang *lang)
{
    if (!avout__lang_hired(lang)) return false;
    pthread_mutex_lock(&lang->crew.lock);
    bool ends = lang->crew.ends;
    pthread_mutex_unlock(&lang->crew.lock);
    return ends;
}

bool avout__lang_future_cancel(lang_future *future)
{
    bool cancelled = move_to(future, FUTURE_WAITS, FUTURE_CANCELLED) ||
                     move_to(future, FUTURE_RUNS, FUTURE_CANCELLED);
    if (!cancelled) return false;
    avout__interrupt(&future->interrupts);
    avout__latch_open(&future->over);
    return true;
}

/* What waits is taken from the queue by the workers, which find it cancelled. */
static void cancel_list(const avout__link *list)
{
    AVOUT__LIST_EACH(link, list)
    {
        lang_future *future = AVOUT__LINK_OF(link, lang_future, link);
        /* One that was cancelled before may be in its finally. */
        if (!avout__lang_future_cancel(future)) avout__interrupt(&future->interrupts);
    }
}

void avout__lang_crew_end(lang_crew *crew)
{
    avout__link gone;
    avout__list_init(&gone);
    if (in_child(crew)) return;
    pthread_mutex_lock(&crew->lock);
    crew->ends = true;
    cancel_list(&crew->queue);
    cancel_list(&crew->running);
    while (crew->workers) pthread_cond_wait(&crew->idle, &crew->lock);
    avout__list_splice(&gone, &crew->gone);
    pthread_mutex_unlock(&crew->lock);
    join_all(&gone);
}
