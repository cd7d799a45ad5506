/* One round: what waits is made of the atom's value by its functions, written once, under one acquisition of the
 * lock (H1, H3, H4 in held.h).
 *
 *     mark dirty --> CALLING --> WRITING --> MARKING clean --> all are told
 *         |             |           |            |
 *         +-- too late: all but     +------------+-- too late: the driver leaves what there is to the next one,
 *             the driver wait again                  which goes on if the mark is still the round's
 *
 *  T1  Each round has a token of its own. What was written under it and comes late is refused by a container that
 *      checks tokens, also while the same client goes on.
 *  T2  A round that is left has perhaps been written. Who goes on with it has the lock anew: if the mark is
 *      as it was left, nobody has changed anything since, and the same value is written again (it is the same);
 *      if it has become clean, that was the round's own; else nobody can tell any more. */
#ifndef AVOUT_STM_HELD_ROUND_H
#define AVOUT_STM_HELD_ROUND_H

#include "stm/held_queue.h"

typedef struct avout__held_driver {
    avout__cell *cell;
    avout__held_queue *queue;
    avout__held_job *own;
    avout__node_check *check;
    avout_token token;
    int64_t patience_ns; /* until then it works for the round */
    bool once_more; /* the container has not answered: as T2, by the same hold while it is one */
} avout__held_driver;

/* The round that was left, else a new one of those that wait; with the lock, on the driver's thread. Its own job is
 * DONE afterwards, or the lock was lost and all wait again. */
void avout__held_make_round(avout__held_driver *by);
/* The job's function, on its caller's thread. */
void avout__held_run_function(avout__held_job *job, avout__held_queue *queue, avout__cell *cell);
/* This thread is in a function of the queue's. */
bool avout__held_is_inside(const avout__held_queue *queue);

#endif
