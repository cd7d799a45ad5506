/* Promises, futures and delays: values that come later.
 *
 * A future runs on a thread of its environment's crew. Threads come and go with the work: there are as many
 * as MOST_BUSY that do not wait and MOST_WORKERS altogether; futures beyond the first wait in a queue,
 * those beyond the second are refused. Its steps are those of the evaluation that started it: together they
 * have as many as one. An interruption of the environment does not reach it; future-cancel does, and the
 * environment's end, which no future outlives.
 *
 * All of them can come to hold themselves (a promise is delivered what holds it), which would be a circle:
 * environments know theirs and empty them at their end. */
#ifndef AVOUT_LANG_FUTURE_H
#define AVOUT_LANG_FUTURE_H

#include "lang/core.h"

typedef struct lang_later {
    lang_object object;
    avout__link link; /* in its environment's list; under the lock of all lists */
    pthread_mutex_t lock;
    /* Under the lock: */
    avout_value function; /* that makes the value; AVOUT_NONE: it was called, or there is none */
    avout_value value, error;
} lang_later;

typedef struct lang_promise {
    lang_later later;
    avout__latch delivered;
} lang_promise;

typedef struct lang_delay {
    lang_later later;
    /* Under its lock: */
    bool busy; /* `owner` calls the function, the others wait */
    pthread_t owner;
    avout__link waiting;
} lang_delay;

typedef enum lang_progress {
    FUTURE_WAITS, /* in the queue */
    FUTURE_RUNS,
    FUTURE_DONE,      /* with a value or an error */
    FUTURE_CANCELLED, /* whatever it still does */
} lang_progress;

typedef struct lang_future {
    lang_later later;
    avout__link link; /* in the queue or among those that run; under the crew's lock */
    avout_lang *lang; /* as long as it waits or runs */
    lang_pool *pool;
    avout_value self; /* borrowed; the crew holds a reference of its own while it waits or runs */
    avout__interrupts interrupts;
    atomic_int progress;
    avout__latch over;
    /* Of its error; written before FUTURE_DONE, then only read: */
    avout_status status;
    bool fatal, ended;
} lang_future;

/* Something that will have a value, with everything empty. NULL: no memory. */
void *avout__lang_later_new(avout_lang *lang, size_t size, lang_kind kind);
/* Its value or its error is there, and the function needed no more; consumes both. */
void avout__lang_later_set(lang_later *later, avout_value value, avout_value error);
/* The value in it, or AVOUT_NONE; then, perhaps, the error. Both owned. */
avout_value avout__lang_later_get(lang_later *later, avout_value *error);
avout_value avout__lang_later_function(lang_later *later);
void avout__lang_later_destroy(lang_later *later);

void avout__lang_future_destroy(lang_future *future);

/* Starts it, when its turn comes. False: the error is set. Consumes nothing. */
bool avout__lang_future_start(lang_run *run, lang_future *future);
/* False: it was over already. */
bool avout__lang_future_cancel(lang_future *future);

void avout__lang_crew_init(lang_crew *crew);
/* Cancels all futures and waits until their threads have ended. */
void avout__lang_crew_end(lang_crew *crew);
void avout__lang_crew_release(lang_crew *crew);

/* This thread waits for others from now on, and goes on: of interest if it is one of the crew's. */
void avout__lang_crew_pause(avout_lang *lang);
void avout__lang_crew_resume(avout_lang *lang);
/* Whether it is one. */
bool avout__lang_hired(const avout_lang *lang);
/* And whether it has to end, so that finally gets no chance to wait. */
bool avout__lang_leaving(avout_lang *lang);

/* All values that came later are given up. */
void avout__lang_empty_later(avout_lang *lang);

#endif
