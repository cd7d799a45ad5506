/* Waiting. Calls of the library, and the waits here, end when the evaluation is interrupted
 * (base/interrupt.h): as if their deadline had passed, with AVOUT_ECANCELLED. */
#ifndef AVOUT_LANG_WAIT_H
#define AVOUT_LANG_WAIT_H

#include "lang/lang.h"

/* Whether the evaluation is to end, as far as interruptions go. True: the error is set. */
bool avout__lang_stopped(lang_run *run);

/* A wait for others: what max_wait_ms bounds, and what lets a future in the queue have a thread meanwhile. */
typedef struct lang_wait {
    int64_t began_ns;
    int64_t limit_ns; /* the deadline, or what is left of max_wait_ms if that is less */
    bool limited;     /* the latter */
} lang_wait;
void avout__lang_wait_begin(lang_run *run, lang_wait *wait, int64_t deadline_ns);

typedef enum lang_waited { WAIT_OVER, WAIT_LATE, WAIT_FAILED } lang_waited;

/* `status` is what came of it: AVOUT_ETIMEOUT is WAIT_LATE, unless the evaluation may not wait any longer;
 * with WAIT_FAILED the error is set. */
lang_waited avout__lang_wait_end(lang_run *run, const lang_wait *wait, avout_status status);

/* Waits for the latch. */
lang_waited avout__lang_wait(lang_run *run, avout__latch *latch, int64_t deadline_ns);

#endif
