/* Telling the user: watches, session events. One thread per client calls them, so that they come in
 * order, never concurrently, and never on the delivery thread (I7, I9). Also validators, which are
 * called by whoever changes a cell. */
#include "stm/stm.h"

#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/thread.h"
#include "base/banned.h"

struct avout__watch {
    avout__link link;
    avout_watch_fn call;
    void *payload;
    void (*destroy)(void *payload);
    avout__record *seen; /* what the watch was last told; counted; NULL: nothing yet */
    bool running;
    bool removed; /* by its own call: freed when that returns */
    char key[];
};

typedef struct avout__validator {
    uint32_t refs; /* the cell, and calls under way; under the engine's lock */
    avout_validator_fn call;
    void *payload;
    void (*destroy)(void *payload);
} avout__validator;

enum { EVENTS = 64, LINES = 256 };

typedef struct log_line {
    avout__link link;
    avout_log_level level;
    char text[];
} log_line;

typedef struct avout__notifier {
    pthread_t thread;
    pthread_cond_t wake;   /* something to tell, or the end */
    pthread_cond_t called; /* a watch's call has returned */
    avout__link cells;     /* of avout__cell_extra.notify */
    avout__link untold;    /* of the same, for which there was no memory */
    avout_event events[EVENTS];
    uint32_t first, count;
    avout__link lines; /* of log_line */
    uint32_t line_count, lines_lost;
    bool stop;
} avout__notifier;

/* ---- calling -------------------------------------------------------------------------------------------------------- */

static void watch_free(avout__watch *watch)
{
    if (watch->destroy) watch->destroy(watch->payload);
    avout__record_unref(watch->seen);
    avout__free(watch);
}

/* What a watch is shown of a record: AVOUT_NONE for what is no value. AVOUT_ENOMEM: nothing yet. */
static avout_status shown(avout_value *value, avout__record *record, avout__cell *cell)
{
    *value = AVOUT_NONE;
    if (!record || record->dirty) return AVOUT_OK;
    /* What is in a container has been read before (value_is_here). */
    avout_status status = avout__record_value(value, record, cell->container, cell->name);
    if (status) *value = AVOUT_NONE;
    return status == AVOUT_ENOMEM ? status : AVOUT_OK;
}

/* A pointer may move and name the same version. */
static bool same_value(const avout__record *one, const avout__record *other)
{
    const void *bytes, *others;
    size_t length, others_length;
    if (!one || !one->elsewhere || !other->elsewhere) return false;
    avout__record_bytes(one, &bytes, &length);
    avout__record_bytes(other, &others, &others_length);
    return length == others_length && (!length || !memcmp(bytes, others, length));
}

/* A watch of the cell that has not seen the live record. */
static avout__watch *behind(avout__cell *cell)
{
    avout__record *live = atomic_load_explicit(&cell->live, memory_order_relaxed);
    if (!live || live->dirty) return NULL; /* it will be told when it is known */
    AVOUT__LIST_EACH(link, &cell->extra->watches)
    {
        avout__watch *watch = AVOUT__LINK_OF(link, avout__watch, link);
        if (watch->seen == live) continue;
        if (!same_value(watch->seen, live)) return watch;
        avout__record_drop(watch->seen);
        watch->seen = avout__record_ref(live);
    }
    return NULL;
}

/* This thread does not wait for containers: values that are in one are read by the sweeper first. */
static bool value_is_here(const avout__record *record)
{
    return !record->elsewhere || record->dirty || atomic_load(&record->no_value) ||
           atomic_load_explicit(&record->value, memory_order_acquire);
}

/* Lock held; it is given back where the first large value of the cell is met. AVOUT_ENOMEM: the watch is still
 * behind. AVOUT_BLOCK: it is told when the value has been read. */
static avout_status may_call(avout__cell *cell)
{
    avout__foreign *chunks;
    avout__record *live = atomic_load_explicit(&cell->live, memory_order_relaxed);
    if (value_is_here(live)) return AVOUT_OK;
    if (!cell->container->held && !avout__cell_foreign(cell)) {
        avout__stm_unlock(cell->stm);
        avout_status status = avout__cell_chunks(&chunks, cell);
        avout__stm_lock(cell->stm);
        if (status) return AVOUT_ENOMEM;
        live = atomic_load_explicit(&cell->live, memory_order_relaxed);
        if (live && value_is_here(live)) return AVOUT_RETRY;
    }
    return avout__sweep_load(cell, AVOUT__AT_ONCE) ? AVOUT_BLOCK : AVOUT_ENOMEM;
}

/* Lock held; it is given back for the call. AVOUT_ENOMEM: the watch is still behind. */
static avout_status call_watch(avout__notifier *notifier, avout__cell *cell, avout__watch *watch)
{
    avout__stm *stm = cell->stm;
    avout__record *old = watch->seen;
    avout__record *fresh = atomic_load_explicit(&cell->live, memory_order_relaxed);
    watch->seen = avout__record_ref(fresh);
    avout__record_ref(fresh);
    watch->running = true;
    avout__stm_unlock(stm);
    avout_value before, after;
    avout_status status = shown(&before, old, cell);
    if (!status) status = shown(&after, fresh, cell);
    if (!status) {
        watch->call(watch->key, before, after, watch->payload);
        avout__record_unref(old);
    }
    avout__record_unref(fresh);
    avout__stm_lock(stm);
    if (status) {
        watch->seen = old;
        avout__record_drop(fresh);
    }
    watch->running = false;
    pthread_cond_broadcast(&notifier->called);
    if (!watch->removed) return status;
    avout__stm_unlock(stm);
    watch_free(watch);
    avout__stm_lock(stm);
    return status;
}

/* One watch at a time: a cell that changes all the time must not keep the others waiting. */
static void tell_cell(avout__notifier *notifier, avout__cell_extra *extra)
{
    avout__cell *cell = extra->cell;
    avout__stm *stm = cell->stm;
    avout__link_remove(&extra->notify);
    avout__cell_ref(cell);
    avout__watch *watch = behind(cell);
    avout_status status = watch ? may_call(cell) : AVOUT_OK;
    if (status == AVOUT_RETRY) status = AVOUT_OK, watch = NULL; /* it may be another one's turn */
    if (watch && !status) status = call_watch(notifier, cell, watch);
    if (status == AVOUT_BLOCK) {
        /* nothing: the sweeper does */
    } else if (status) {
        avout__link_remove(&extra->notify); /* it may have changed again meanwhile */
        avout__list_append(&notifier->untold, &extra->notify);
        avout__try_later(stm);
    } else if (behind(cell)) {
        avout__notify_cell(cell);
    }
    avout__stm_unlock(stm);
    avout__cell_unref(cell);
    avout__stm_lock(stm);
}

static void tell_event(avout__notifier *notifier, avout__stm *stm)
{
    avout_event event = notifier->events[notifier->first];
    notifier->first = (notifier->first + 1) % EVENTS;
    notifier->count--;
    if (!stm->options.on_event) return;
    avout__stm_unlock(stm);
    stm->options.on_event(event, stm->options.on_event_payload);
    avout__stm_lock(stm);
}

static void tell_line(avout__notifier *notifier, avout__stm *stm)
{
    log_line *line = AVOUT__LINK_OF(notifier->lines.next, log_line, link);
    avout__link_remove(&line->link);
    notifier->line_count--;
    uint32_t lost = notifier->lines_lost;
    notifier->lines_lost = 0;
    avout__stm_unlock(stm);
    char missing[64];
    snprintf(missing, sizeof missing, "%u lines before this one are lost", lost);
    if (lost) stm->options.on_log(AVOUT_LOG_WARNING, missing, stm->options.on_log_payload);
    stm->options.on_log(line->level, line->text, stm->options.on_log_payload);
    avout__free(line);
    avout__stm_lock(stm);
}

static void *notifier_main(void *payload)
{
    avout__stm *stm = payload;
    avout__notifier *notifier = stm->notifier;
    avout__stm_lock(stm);
    for (;;) {
        if (notifier->count) {
            tell_event(notifier, stm);
        } else if (notifier->line_count) {
            tell_line(notifier, stm);
        } else if (notifier->stop) {
            break;
        } else if (!avout__list_empty(&notifier->cells)) {
            tell_cell(notifier, AVOUT__LINK_OF(notifier->cells.next, avout__cell_extra, notify));
        } else {
            pthread_cond_wait(&notifier->wake, &stm->lock);
        }
    }
    avout__list_splice(&notifier->cells, &notifier->untold);
    while (!avout__list_empty(&notifier->cells)) avout__link_remove(notifier->cells.next);
    avout__stm_unlock(stm);
    return NULL;
}

avout_status avout__notifier_start(avout__stm *stm)
{
    avout__notifier *notifier = avout__calloc(1, sizeof *notifier);
    if (!notifier) return AVOUT_ENOMEM;
    pthread_cond_init(&notifier->wake, NULL);
    pthread_cond_init(&notifier->called, NULL);
    avout__list_init(&notifier->cells);
    avout__list_init(&notifier->untold);
    avout__list_init(&notifier->lines);
    stm->notifier = notifier;
    avout_status status = avout__thread_start(&notifier->thread, notifier_main, stm);
    if (!status) return AVOUT_OK;
    stm->notifier = NULL;
    pthread_cond_destroy(&notifier->wake);
    pthread_cond_destroy(&notifier->called);
    avout__free(notifier);
    return status;
}

void avout__notifier_stop(avout__stm *stm)
{
    avout__notifier *notifier = stm->notifier;
    if (!notifier) return;
    avout__stm_lock(stm);
    notifier->stop = true;
    pthread_cond_signal(&notifier->wake);
    avout__stm_unlock(stm);
    pthread_join(notifier->thread, NULL);
    avout__stm_lock(stm);
    stm->notifier = NULL;
    avout__stm_unlock(stm);
    pthread_cond_destroy(&notifier->wake);
    pthread_cond_destroy(&notifier->called);
    avout__free(notifier);
}

bool avout__notifier_is_me(avout__stm *stm)
{
    return stm->notifier && pthread_equal(stm->notifier->thread, pthread_self());
}

void avout__notify_cell(avout__cell *cell)
{
    avout__cell_extra *extra = cell->extra;
    avout__notifier *notifier = cell->stm->notifier;
    if (!extra || !notifier || avout__list_empty(&extra->watches)) return;
    if (avout__link_linked(&extra->notify)) return;
    avout__list_append(&notifier->cells, &extra->notify);
    pthread_cond_signal(&notifier->wake);
}

void avout__notify_again(avout__stm *stm)
{
    avout__notifier *notifier = stm->notifier;
    if (!notifier || avout__list_empty(&notifier->untold)) return;
    avout__list_splice(&notifier->cells, &notifier->untold);
    pthread_cond_signal(&notifier->wake);
}

void avout__notify_log(avout__stm *stm, avout_log_level level, const char *message)
{
    if (!stm->options.on_log) return;
    size_t size = strlen(message) + 1;
    log_line *line = avout__alloc(sizeof *line + size);
    avout__stm_lock(stm);
    avout__notifier *notifier = stm->notifier;
    if (line && notifier && notifier->line_count < LINES) {
        line->link = (avout__link){NULL, NULL};
        line->level = level;
        memcpy(line->text, message, size);
        avout__list_append(&notifier->lines, &line->link);
        notifier->line_count++;
        pthread_cond_signal(&notifier->wake);
        line = NULL;
    } else if (notifier) {
        notifier->lines_lost++;
    }
    avout__stm_unlock(stm);
    avout__free(line);
}

/* Events beyond the ring's size push out the oldest: the last one is what counts. */
void avout__notify_session(avout__stm *stm, avout_event event)
{
    avout__notifier *notifier = stm->notifier;
    if (!notifier) return;
    if (notifier->count == EVENTS) {
        notifier->first = (notifier->first + 1) % EVENTS;
        notifier->count--;
    }
    notifier->events[(notifier->first + notifier->count++) % EVENTS] = event;
    pthread_cond_signal(&notifier->wake);
}

/* ---- watches ---------------------------------------------------------------------------------------------------------- */

static avout__watch *watch_find(avout__cell *cell, const char *key)
{
    if (!cell->extra) return NULL;
    AVOUT__LIST_EACH(link, &cell->extra->watches)
    {
        avout__watch *watch = AVOUT__LINK_OF(link, avout__watch, link);
        if (!strcmp(watch->key, key)) return watch;
    }
    return NULL;
}

/* Takes the watch out and waits until its call has returned. The lock is held, and given back for a
 * while. */
static void watch_take_out(avout__cell *cell, avout__watch *watch)
{
    avout__stm *stm = cell->stm;
    avout__link_remove(&watch->link);
    if (watch->running && avout__notifier_is_me(stm)) {
        watch->removed = true;
        return;
    }
    while (watch->running) pthread_cond_wait(&stm->notifier->called, &stm->lock);
    avout__stm_unlock(stm);
    watch_free(watch);
    avout__stm_lock(stm);
}

/* What the watch starts from may be gone from its container when it is first called. */
static avout_status read_first(avout__cell *cell, int64_t deadline_ns)
{
    avout_value value;
    avout_status status = avout__cell_deref(&value, cell, deadline_ns);
    if (!status) avout_release(value);
    return status == AVOUT_ENOTFOUND ? AVOUT_OK : status;
}

avout_status avout__watch_add(avout__cell *cell, const char *key, avout_watch_fn call,
                              void *payload, void (*destroy)(void *payload))
{
    avout__stm *stm = cell->stm;
    int64_t deadline_ns = avout__deadline_in_ms(stm->timeout_ms);
    size_t length = key ? strlen(key) : 0;
    avout_status status =
        key && call ? AVOUT_OK : avout_fail(AVOUT_EINVAL, "watch: key or function is NULL");
    avout__watch *watch = status ? NULL : avout__calloc(1, sizeof *watch + length + 1);
    if (!status && !watch) status = AVOUT_ENOMEM;
    avout__record *live = NULL;
    bool elsewhere = false;
    while (!status && !live) {
        status =
            elsewhere ? read_first(cell, deadline_ns) : avout__cell_wait(cell, false, deadline_ns);
        if (status) break;
        avout__stm_lock(stm);
        live = atomic_load_explicit(&cell->live, memory_order_relaxed);
        elsewhere = live && !value_is_here(live);
        if (elsewhere) live = NULL;
        avout__cell_extra *extra = live ? avout__cell_extra_get(cell) : NULL;
        if (live && !extra) {
            status = AVOUT_ENOMEM;
        } else if (live) {
            *watch = (avout__watch){.call = call, .payload = payload, .destroy = destroy};
            memcpy(watch->key, key, length + 1);
            avout__watch *old = watch_find(cell, key);
            watch->seen = avout__record_ref(live);
            avout__list_append(&extra->watches, &watch->link);
            if (old) watch_take_out(cell, old);
            avout__notify_cell(cell); /* taking out may have given the lock back */
        }
        avout__stm_unlock(stm);
    }
    if (!status) return AVOUT_OK;
    avout__free(watch);
    if (destroy) destroy(payload);
    return status;
}

avout_status avout__watch_remove(avout__cell *cell, const char *key)
{
    avout__stm *stm = cell->stm;
    if (!key) return avout_fail(AVOUT_EINVAL, "watch: key is NULL");
    if (avout__stm_forked(stm)) return avout__stm_usable(stm);
    avout__stm_lock(stm);
    avout__watch *watch = watch_find(cell, key);
    if (watch) watch_take_out(cell, watch);
    avout__stm_unlock(stm);
    if (watch) return AVOUT_OK;
    return avout_fail(AVOUT_ENOTFOUND, "%s: there is no watch \"%s\"", cell->name, key);
}

/* ---- validators --------------------------------------------------------------------------------------------------------- */

static void validator_unref(avout__stm *stm, avout__validator *validator)
{
    if (!validator) return;
    avout__stm_lock(stm);
    bool last = --validator->refs == 0;
    avout__stm_unlock(stm);
    if (!last) return;
    if (validator->destroy) validator->destroy(validator->payload);
    avout__free(validator);
}

static avout_status run_validator(avout__validator *validator, const char *name, avout_value value)
{
    avout__error_clear();
    avout_status status = validator->call(value, validator->payload);
    if (!status) return AVOUT_OK;
    char why[512];
    snprintf(why, sizeof why, "%s", avout_error_detail());
    return avout_fail(status, "%s: refused by the validator%s%s", *name ? name : "local ref",
                      *why ? ": " : "", why);
}

avout_status avout__validator_check(avout__cell *cell, avout_value value)
{
    if (!atomic_load_explicit(&cell->validated, memory_order_acquire)) return AVOUT_OK;
    avout__stm *stm = cell->stm;
    avout__stm_lock(stm);
    avout__validator *validator = cell->extra ? cell->extra->validator : NULL;
    if (validator) validator->refs++;
    avout__stm_unlock(stm);
    if (!validator) return AVOUT_OK;
    avout_status status = run_validator(validator, cell->name, value);
    validator_unref(stm, validator);
    return status;
}

static avout_status validator_accepts_now(avout__cell *cell, avout__validator *validator)
{
    avout_value value;
    int64_t deadline_ns = avout__deadline_in_ms(cell->stm->timeout_ms);
    avout_status status = avout__cell_deref(&value, cell, deadline_ns);
    if (status) return status;
    status = run_validator(validator, cell->name, value);
    avout_release(value);
    return status;
}

avout_status avout__validator_set(avout__cell *cell, avout_validator_fn call, void *payload,
                                  void (*destroy)(void *payload))
{
    avout__stm *stm = cell->stm;
    avout__validator *validator = NULL;
    if (call) {
        validator = avout__alloc(sizeof *validator);
        if (!validator) {
            if (destroy) destroy(payload);
            return AVOUT_ENOMEM;
        }
        *validator = (avout__validator){1, call, payload, destroy};
    }
    avout_status status = call ? validator_accepts_now(cell, validator) : avout__stm_usable(stm);
    avout__validator *gone = validator;
    if (!status) {
        avout__stm_lock(stm);
        avout__cell_extra *extra = avout__cell_extra_get(cell);
        if (extra) {
            gone = extra->validator;
            extra->validator = validator;
            atomic_store_explicit(&cell->validated, validator != NULL, memory_order_release);
        } else {
            status = AVOUT_ENOMEM;
        }
        avout__stm_unlock(stm);
    }
    validator_unref(stm, gone);
    return status;
}

/* ---- the end of a cell ----------------------------------------------------------------------------------------------------- */

void avout__cell_hold(avout__cell *cell)
{
    atomic_fetch_add(&cell->handles, 1);
}

/* The cell itself may stay for a while: transactions that have ended are freed in their time. Who has
 * opened the name again meanwhile has other watches yet to set. */
static void end_watches(avout__cell *cell)
{
    avout__stm *stm = cell->stm;
    avout__validator *validator = NULL;
    avout__stm_lock(stm);
    avout__cell_extra *extra = cell->extra;
    while (extra && !atomic_load(&cell->handles) && !avout__list_empty(&extra->watches))
        watch_take_out(cell, AVOUT__LINK_OF(extra->watches.next, avout__watch, link));
    if (extra && !atomic_load(&cell->handles)) {
        validator = extra->validator;
        extra->validator = NULL;
        atomic_store_explicit(&cell->validated, false, memory_order_release);
    }
    avout__stm_unlock(stm);
    validator_unref(stm, validator);
}

void avout__cell_let_go(avout__cell *cell)
{
    bool last = atomic_fetch_sub(&cell->handles, 1) == 1;
    if (last && !avout__stm_forked(cell->stm)) end_watches(cell);
    avout__cell_unref(cell);
}

void avout__extra_free(avout__cell *cell)
{
    avout__cell_extra *extra = cell->extra;
    AVOUT__LIST_EACH(link, &extra->watches)
    {
        avout__watch *watch = AVOUT__LINK_OF(link, avout__watch, link);
        avout__link_remove(&watch->link);
        watch_free(watch);
    }
    validator_unref(cell->stm, extra->validator);
    avout__free(extra);
    cell->extra = NULL;
}
