/* Ending the waits of a thread from outside, also from a signal handler: for evaluations that somebody
 * at a terminal wants to end.
 *
 * A thread that names a source (avout__interrupt_use) waits, in all calls of the library, only until the
 * source is triggered: every wait then ends as if its deadline had passed, and so do the loops that ask
 * avout__deadline_passed. What a call does when it is late is what it does when interrupted: a change
 * that was not sent yet is withdrawn, one on its way is AVOUT_UNKNOWN; only the status in place of
 * AVOUT_ETIMEOUT is AVOUT_ECANCELLED (avout__late). The interruption lasts until the thread names the
 * source anew: it ends the waits that begin later, too.
 *
 * Threads without a source, the library's own among them, are not concerned. */
#ifndef AVOUT_BASE_INTERRUPT_H
#define AVOUT_BASE_INTERRUPT_H

#include <stdatomic.h>

#include "avout/status.h"
#include "base/futex.h"
#include "base/list.h"

typedef struct avout__interrupts {
    atomic_uint count;
    atomic_flag busy; /* guards `waits`; taken with all signals blocked, for moments */
    avout__link waits;
} avout__interrupts;

void avout__interrupts_init(avout__interrupts *source);
/* Ends the waits of all threads that use it now. Any thread, any signal handler. */
void avout__interrupt(avout__interrupts *source);

/* What may end this thread's waits: the source, once its count is not `seen` any more. */
typedef struct avout__interruptible {
    avout__interrupts *source; /* NULL: nothing */
    unsigned seen;
} avout__interruptible;

/* From now on, for this thread; answers what it was before, to be put back. The source must live as long
 * as it is used. */
avout__interruptible avout__interrupt_use(avout__interruptible by);
/* Triggered from now on. */
avout__interruptible avout__interruptible_by(avout__interrupts *source);
/* What this thread uses now. */
avout__interruptible avout__interruptible_now(void);

/* Interrupted by the next trigger, not by those until now: for what has to be finished nevertheless. Answers
 * what it was before, to be put back. */
avout__interruptible avout__interrupt_again(void);

/* This thread's source has been triggered. */
bool avout__interrupted(void);
/* The deadline has passed, or this thread is interrupted. */
bool avout__deadline_passed(int64_t deadline_ns);
/* Why a wait of this thread ended early: AVOUT_ECANCELLED when it is interrupted, else AVOUT_ETIMEOUT. */
avout_status avout__late(void);
/* The same for people: "interrupted", else `late`. */
const char *avout__late_text(const char *late);
/* Waits until then, or the interruption (false). */
bool avout__sleep_until(int64_t deadline_ns);
/* Waits so long, but not beyond the deadline or an interruption. */
void avout__pause_ms(int64_t ms, int64_t deadline_ns);

/* For the latch: while entered, an interruption sets its state from "somebody waits" back to "not yet" and
 * wakes, so that who waits on it looks again. */
typedef struct avout__interrupt_wait {
    avout__link link;
    avout__latch *latch;
} avout__interrupt_wait;
void avout__interrupt_enter(avout__interrupt_wait *wait, avout__latch *latch);
void avout__interrupt_leave(avout__interrupt_wait *wait);

#endif
