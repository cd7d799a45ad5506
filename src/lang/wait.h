/* Waiting, and being interrupted in it.
 *
 * Whatever a program can wait for, it waits in one of two ways. Where the language itself says when it
 * is over (a promise, a future, a time), all waiting threads of the process sleep on one word, the bell,
 * which is rung when anything of that kind has happened or somebody was interrupted: each looks then
 * whether it was meant. Where the library waits (a lock, retry!!), the wait is registered with the
 * environment, whose warden, a thread of its own that is started when it is first needed, sleeps on the
 * bell for it and ends the wait in the library's own way.
 *
 * In calls of the store, the environment is what interrupts the thread (base/interrupt.h): they end as if their
 * deadline had passed.
 *
 * So an interruption is an atomic addition and a system call, which a signal handler may do. */
#ifndef AVOUT_LANG_WAIT_H
#define AVOUT_LANG_WAIT_H

#include "base/list.h"
#include "lang/lang.h"

/* Something has happened that somebody may wait for. */
void avout__lang_ring(void);

typedef enum lang_waited { WAIT_OVER, WAIT_LATE, WAIT_FAILED } lang_waited;

/* Waits until `ready` (NULL: never) answers true, or the deadline. WAIT_FAILED: interrupted, or longer
 * than an evaluation may wait; the error is set. `ready` is called often, and must not block. */
lang_waited avout__lang_wait(lang_run *run, int64_t deadline_ns, bool (*ready)(void *payload),
                             void *payload);

/* Whether the evaluation is to end, as far as interruptions go. True: the error is set. */
bool avout__lang_stopped(lang_run *run);

/* A wait of the library's. `stop` is called once, on the warden's thread, when the evaluation is
 * interrupted between enter and leave; it must not block. */
typedef struct lang_guard {
    avout__link link;
    const lang_run *run;
    void (*stop)(void *payload);
    void *payload;
    bool told;
} lang_guard;

/* False: the error is set. */
bool avout__lang_guard_enter(lang_run *run, lang_guard *guard, void (*stop)(void *payload),
                             void *payload);
void avout__lang_guard_leave(lang_run *run, lang_guard *guard);

void avout__lang_warden_init(lang_warden *warden);
/* Ends its thread; who waits from now on is refused. */
void avout__lang_warden_end(lang_warden *warden);
void avout__lang_warden_release(lang_warden *warden);

/* What an evaluation may still wait (max_wait_ms): a deadline, no later than the given one. */
int64_t avout__lang_wait_limit(const lang_run *run, int64_t deadline_ns);
/* It has waited since then. */
void avout__lang_wait_spent(lang_run *run, int64_t began_ns);
/* It has waited as long as it may. Sets the error. */
void avout__lang_wait_exceeded(lang_run *run);

#endif
