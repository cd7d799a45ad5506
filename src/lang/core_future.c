/* Promises, futures, delays. */
#include "lang/future.h"

#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "lang/wait.h"
#include "base/banned.h"

/* ---- what will have a value ---------------------------------------------------------------------------------- */

/* Of the lists of all environments: what is in them may live longer than its own. */
static pthread_mutex_t lists = PTHREAD_MUTEX_INITIALIZER;

void *avout__lang_later_new(avout_lang *lang, size_t size, lang_kind kind)
{
    lang_later *later = avout__calloc(1, size);
    if (!later) return NULL;
    later->object.kind = kind;
    pthread_mutex_init(&later->lock, NULL);
    pthread_mutex_lock(&lists);
    avout__list_append(&lang->later, &later->link);
    pthread_mutex_unlock(&lists);
    return later;
}

void avout__lang_later_set(lang_later *later, avout_value value, avout_value error)
{
    pthread_mutex_lock(&later->lock);
    avout_value function = lang_take(&later->function);
    later->value = value;
    later->error = error;
    pthread_mutex_unlock(&later->lock);
    avout_release(function);
}

avout_value avout__lang_later_get(lang_later *later, avout_value *error)
{
    pthread_mutex_lock(&later->lock);
    avout_value value = avout_share(later->value);
    *error = avout_share(later->error);
    pthread_mutex_unlock(&later->lock);
    return value;
}

avout_value avout__lang_later_function(lang_later *later)
{
    pthread_mutex_lock(&later->lock);
    avout_value function = avout_share(later->function);
    pthread_mutex_unlock(&later->lock);
    return function;
}

void avout__lang_later_destroy(lang_later *later)
{
    pthread_mutex_lock(&lists);
    avout__link_remove(&later->link);
    pthread_mutex_unlock(&lists);
    avout_release(later->function);
    avout_release(later->value);
    avout_release(later->error);
    pthread_mutex_destroy(&later->lock);
}

/* What is taken is released without the locks: it may be the last reference to others in the list. */
void avout__lang_empty_later(avout_lang *lang)
{
    for (bool more = true; more;) {
        avout_value taken[3] = {AVOUT_NONE, AVOUT_NONE, AVOUT_NONE};
        pthread_mutex_lock(&lists);
        more = !avout__list_empty(&lang->later);
        if (more) {
            lang_later *later = AVOUT__LINK_OF(lang->later.next, lang_later, link);
            avout__link_remove(&later->link);
            pthread_mutex_lock(&later->lock);
            taken[0] = lang_take(&later->function);
            taken[1] = lang_take(&later->value);
            taken[2] = lang_take(&later->error);
            pthread_mutex_unlock(&later->lock);
        }
        pthread_mutex_unlock(&lists);
        for (size_t i = 0; i < 3; i++) avout_release(taken[i]);
    }
}

/* ---- promises ------------------------------------------------------------------------------------------------ */

CORE(new_promise)
{
    lang_promise *promise = avout__lang_later_new(run->lang, sizeof *promise, LANG_PROMISE);
    if (!promise) return avout__lang_failed(run, AVOUT_ENOMEM);
    return avout__lang_made(run, avout__lang_box(promise));
}

/* (deliver promise value): the promise; nil if it has a value already */
CORE(deliver)
{
    lang_promise *promise = avout__lang_object_of(args[0], LANG_PROMISE);
    if (!promise) return avout__lang_wrong(run, "deliver", "a promise", args[0]);
    pthread_mutex_lock(&promise->later.lock);
    bool first = !avout__latch_is_open(&promise->delivered);
    if (first) {
        promise->later.value = lang_take(&args[1]);
        avout__latch_open(&promise->delivered);
    }
    pthread_mutex_unlock(&promise->later.lock);
    return first ? lang_take(&args[0]) : avout_nil();
}

/* ---- futures ------------------------------------------------------------------------------------------------- */

void avout__lang_future_destroy(lang_future *future)
{
    avout__lang_pool_unref(future->pool);
    avout__lang_later_destroy(&future->later);
}

static lang_future *new_future(lang_run *run, avout_value function)
{
    lang_future *future = avout__lang_later_new(run->lang, sizeof *future, LANG_FUTURE);
    if (!future) {
        avout__lang_failed(run, AVOUT_ENOMEM);
        return NULL;
    }
    future->lang = run->lang;
    avout__interrupts_init(&future->interrupts);
    future->later.function = avout_share(function);
    avout_value self = avout__lang_made(run, avout__lang_box(future));
    if (!self.bits) return NULL;
    future->self = self;
    return future;
}

/* A transaction may run again, and the future of the run before would go on. */
CORE(future_call)
{
    if (run->txn || run->repeats)
        return avout__lang_fail(run, AVOUT_ESTATE,
                                "future: inside of a transaction or an update function it would be "
                                "started each time that runs; start it before or behind");
    lang_future *future = new_future(run, args[0]);
    if (!future) return AVOUT_NONE;
    if (avout__lang_share_steps(run, &future->pool) && avout__lang_future_start(run, future))
        return future->self;
    avout_release(future->self);
    return AVOUT_NONE;
}

static bool is_over(const lang_future *future)
{
    int progress = atomic_load(&future->progress);
    return progress == FUTURE_DONE || progress == FUTURE_CANCELLED;
}

static avout_value emptied(lang_run *run)
{
    return avout__lang_fail(run, AVOUT_ECLOSED, "deref: the environment is closed");
}

/* The error as it comes out of deref: one around it (consumed), with its message and place. */
static avout_value throw_again(lang_run *run, const lang_future *future, avout_value cause)
{
    const lang_error *error = avout__lang_object_of(cause, LANG_ERROR);
    if (!error) return future->status ? avout__lang_failed(run, future->status) : emptied(run);
    avout_value box = avout__lang_error_new("ExecutionException", error->message,
                                            strlen(error->message), AVOUT_NONE, cause);
    lang_error *around = avout__lang_object_of(box, LANG_ERROR);
    if (!around) return avout__lang_failed(run, AVOUT_ENOMEM);
    around->status = error->status;
    around->place = error->place;
    if (error->form && !(around->form = avout__strdup(error->form))) {
        avout_release(box);
        return avout__lang_failed(run, AVOUT_ENOMEM);
    }
    avout__lang_throw(run, box);
    run->fatal = future->fatal;
    run->ended = future->ended;
    return AVOUT_NONE;
}

static avout_value future_value(lang_run *run, lang_future *future)
{
    static const char text[] = "the future was cancelled";
    avout_value error, value;
    if (atomic_load(&future->progress) == FUTURE_CANCELLED) {
        error = avout__lang_error_new("CancellationException", text, sizeof text - 1, AVOUT_NONE,
                                      avout_nil());
        return error.bits ? avout__lang_throw(run, error) : avout__lang_failed(run, AVOUT_ENOMEM);
    }
    value = avout__lang_later_get(&future->later, &error);
    if (!value.bits) return throw_again(run, future, error);
    avout_release(error);
    return value;
}

static lang_future *future_of(lang_run *run, const char *name, avout_value value)
{
    lang_future *future = avout__lang_object_of(value, LANG_FUTURE);
    if (!future) avout__lang_wrong(run, name, "a future", value);
    return future;
}

CORE(cancel_future)
{
    lang_future *future = future_of(run, "future-cancel", args[0]);
    return future ? avout_bool(avout__lang_future_cancel(future)) : AVOUT_NONE;
}

CORE(is_done)
{
    const lang_future *future = future_of(run, "future-done?", args[0]);
    return future ? avout_bool(is_over(future)) : AVOUT_NONE;
}

CORE(is_cancelled)
{
    lang_future *future = future_of(run, "future-cancelled?", args[0]);
    return future ? avout_bool(atomic_load(&future->progress) == FUTURE_CANCELLED) : AVOUT_NONE;
}

CORE(is_future)
{
    return avout_bool(avout__lang_object_of(args[0], LANG_FUTURE) != NULL);
}

/* ---- delays -------------------------------------------------------------------------------------------------- */

/* Who waits until nobody calls the function. */
typedef struct delay_wait {
    avout__link link;
    avout__latch latch;
} delay_wait;

CORE(new_delay)
{
    lang_delay *delay = avout__lang_later_new(run->lang, sizeof *delay, LANG_DELAY);
    if (!delay) return avout__lang_failed(run, AVOUT_ENOMEM);
    avout__list_init(&delay->waiting);
    delay->later.function = lang_take(&args[0]);
    return avout__lang_made(run, avout__lang_box(delay));
}

static bool await_other(lang_run *run, lang_delay *delay, delay_wait *wait)
{
    lang_waited waited = avout__lang_wait(run, &wait->latch, AVOUT__NEVER);
    pthread_mutex_lock(&delay->later.lock);
    avout__link_remove(&wait->link);
    pthread_mutex_unlock(&delay->later.lock);
    return waited == WAIT_OVER;
}

/* The function, to be called by this thread; AVOUT_NONE: it was called, or (*fine is false) the error is
 * set. */
static avout_value take_on(lang_run *run, lang_delay *delay, bool *fine)
{
    avout_value function = AVOUT_NONE;
    for (*fine = true; *fine;) {
        delay_wait wait = {.latch = AVOUT__LATCH_INIT};
        pthread_mutex_lock(&delay->later.lock);
        bool busy = delay->busy, mine = busy && pthread_equal(delay->owner, pthread_self());
        if (!busy) {
            function = avout_share(delay->later.function);
            delay->busy = function.bits != 0;
            delay->owner = pthread_self();
        } else if (!mine) {
            avout__list_append(&delay->waiting, &wait.link);
        }
        pthread_mutex_unlock(&delay->later.lock);
        if (!busy) return function;
        if (mine) *fine = avout__lang_fail(run, AVOUT_ESTATE, "a delay needs its own value").bits;
        else *fine = await_other(run, delay, &wait);
    }
    return AVOUT_NONE;
}

/* The function runs once, without the lock: who comes meanwhile waits. What it throws stays as a value
 * does; only what ended from outside is begun again by the next. */
static bool call_delayed(lang_run *run, lang_delay *delay, avout_value function)
{
    avout_value value = avout__lang_call(run, function, 0, NULL), error = AVOUT_NONE;
    avout_release(function);
    if (!value.bits && !run->fatal) error = avout__lang_catch(run);
    bool over = value.bits || error.bits;
    if (over) avout__lang_later_set(&delay->later, value, error);
    pthread_mutex_lock(&delay->later.lock);
    delay->busy = false;
    AVOUT__LIST_EACH(link, &delay->waiting)
    avout__latch_open(&AVOUT__LINK_OF(link, delay_wait, link)->latch);
    pthread_mutex_unlock(&delay->later.lock);
    return over;
}

static avout_value force_delay(lang_run *run, lang_delay *delay)
{
    bool fine;
    avout_value function = take_on(run, delay, &fine), error;
    if (!fine || (function.bits && !call_delayed(run, delay, function))) return AVOUT_NONE;
    avout_value value = avout__lang_later_get(&delay->later, &error);
    if (value.bits) {
        avout_release(error);
        return value;
    }
    return error.bits ? avout__lang_throw(run, error) : emptied(run);
}

CORE(is_delay)
{
    return avout_bool(avout__lang_object_of(args[0], LANG_DELAY) != NULL);
}

CORE(force)
{
    lang_delay *delay = avout__lang_object_of(args[0], LANG_DELAY);
    return delay ? force_delay(run, delay) : lang_take(&args[0]);
}

/* ---- volatiles ------------------------------------------------------------------------------------------------- */

/* What has a value from the beginning, and another later: the state of transducers. */
CORE(new_volatile)
{
    lang_later *cell = avout__lang_later_new(run->lang, sizeof *cell, LANG_VOLATILE);
    if (!cell) return avout__lang_failed(run, AVOUT_ENOMEM);
    cell->value = lang_take(&args[0]);
    return avout__lang_made(run, avout__lang_box(cell));
}

CORE(set_volatile)
{
    lang_later *cell = avout__lang_object_of(args[0], LANG_VOLATILE);
    if (!cell) return avout__lang_wrong(run, "vreset!", "a volatile", args[0]);
    pthread_mutex_lock(&cell->lock);
    avout_value before = cell->value;
    cell->value = avout_share(args[1]);
    pthread_mutex_unlock(&cell->lock);
    avout_release(before);
    return lang_take(&args[1]);
}

static avout_value volatile_value(lang_run *run, lang_later *cell)
{
    avout_value error, value = avout__lang_later_get(cell, &error);
    avout_release(error);
    return value.bits ? value : emptied(run);
}

CORE(is_volatile)
{
    return avout_bool(avout__lang_object_of(args[0], LANG_VOLATILE) != NULL);
}

/* ---- all of them ----------------------------------------------------------------------------------------------- */

bool avout__lang_comes_later(avout_value value)
{
    return avout__lang_object_of(value, LANG_PROMISE) ||
           avout__lang_object_of(value, LANG_FUTURE) || avout__lang_object_of(value, LANG_DELAY) ||
           avout__lang_object_of(value, LANG_VOLATILE);
}

avout_value avout__lang_await(lang_run *run, avout_value value, const int64_t *timeout_ms,
                              avout_value otherwise)
{
    lang_promise *promise = avout__lang_object_of(value, LANG_PROMISE);
    lang_future *future = avout__lang_object_of(value, LANG_FUTURE);
    lang_later *cell = avout__lang_object_of(value, LANG_VOLATILE);
    if (cell) return volatile_value(run, cell);
    if (!promise && !future) return force_delay(run, avout__lang_object_of(value, LANG_DELAY));
    int64_t deadline = AVOUT__NEVER;
    if (timeout_ms) deadline = avout__deadline_in_ms(*timeout_ms > 0 ? *timeout_ms : 0);
    lang_waited waited =
        avout__lang_wait(run, promise ? &promise->delivered : &future->over, deadline);
    if (waited == WAIT_FAILED) return AVOUT_NONE;
    if (waited == WAIT_LATE) return avout_share(otherwise);
    if (future) return future_value(run, future);
    avout_value error, found = avout__lang_later_get(&promise->later, &error);
    avout_release(error);
    return found.bits ? found : emptied(run);
}

CORE(is_realized)
{
    lang_object *object = avout__lang_object(args[0]);
    void *all = object;
    switch (object ? object->kind : LANG_CORE) {
    case LANG_PROMISE: return avout_bool(avout__latch_is_open(&((lang_promise *)all)->delivered));
    case LANG_FUTURE: return avout_bool(is_over(all));
    case LANG_DELAY: {
        avout_value function = avout__lang_later_function(all);
        avout_release(function);
        return avout_bool(!function.bits);
    }
    case LANG_LAZY: {
        lang_lazy *lazy = all;
        pthread_mutex_lock(&lazy->lock);
        bool made = !lazy->make.bits;
        pthread_mutex_unlock(&lazy->lock);
        return avout_bool(made);
    }
    default:
        return avout__lang_wrong(run, "realized?", "a promise, future, delay or lazy sequence",
                                 args[0]);
    }
}

const lang_core avout__lang_futures[] = {
    {"promise", "", "a value that deliver gives it later, once; deref waits for it", 0, 0,
     new_promise, NULL},
    {"deliver", "promise value", "gives a promise its value, if it has none", 2, 2, deliver, NULL},
    {"future-call", "f", "calls f on another thread; deref waits for its value or error", 1, 1,
     future_call, NULL},
    {"future-cancel", "future", "ends it, unless it is over, and answers whether", 1, 1,
     cancel_future, NULL},
    {"future-done?", "future", "whether it has a value or an error, or was cancelled", 1, 1,
     is_done, NULL},
    {"future-cancelled?", "future", "whether it was cancelled", 1, 1, is_cancelled, NULL},
    {"future?", "x", "whether it is a future", 1, 1, is_future, NULL},
    {"realized?", "x", "whether a promise, future, delay or lazy sequence has its value", 1, 1,
     is_realized, NULL},
    {"delay*", "f", "", 1, 1, new_delay, NULL},
    {"delay?", "x", "whether it is a delay", 1, 1, is_delay, NULL},
    {"force", "x", "the value of a delay; others are their own", 1, 1, force, NULL},
    {"volatile!", "x", "a place whose value vreset! and vswap! change, for one thread", 1, 1,
     new_volatile, NULL},
    {"vreset!", "volatile x", "gives it another value", 2, 2, set_volatile, NULL},
    {"volatile?", "x", "whether it is a volatile", 1, 1, is_volatile, NULL},
    LANG_END,
};
