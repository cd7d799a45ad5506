/* The changes of one client that wait to be made of one held atom, and whose turn it is.
 *
 *   WAITING ---> TAKEN ---> TURN ---> RAN ---> DONE
 *    |   ^         |          |         |
 *    |   +---------+----------+---------+  the round is put back: nothing of it has happened
 *    v
 *  DRIVING: one of those that wait, or that have run, takes the lock and makes the round (held_round.c)
 *
 *  Q1  A job lies on its caller's stack. It is under the queue's lock, but for what its own thread writes while
 *      it has the TURN; it may be gone once it is in no list and `done` is open. Values are released without the
 *      lock (I9).
 *  Q2  Each caller looks after its own time. Who has not had its turn leaves, and nothing has happened. Who has
 *      run leaves as AVOUT_UNKNOWN: its change is in the value that the others have gone on from; but for who has
 *      failed, which leaves with its own error.
 *  Q3  There is one driver at a time (`driven`), and it is one of those whose change is being made: nobody works for
 *      others when his own change is done, but for moments. The driver that leaves in the middle leaves the round
 *      behind, with those that have run; the next driver is one of them. It is always the first: of
 *      the round that was left, else of those that wait.
 *  Q4  A function that runs longer than the driver waits is left alone: its job is LOST to the round, which begins
 *      again without it, and waits again when the function has returned. */
#ifndef AVOUT_STM_HELD_QUEUE_H
#define AVOUT_STM_HELD_QUEUE_H

#include <pthread.h>

#include "stm/held.h"

typedef enum avout__held_state {
    AVOUT__HELD_WAITING, /* in the queue */
    AVOUT__HELD_DRIVING, /* it is to make a round */
    AVOUT__HELD_TAKEN,   /* in the round */
    AVOUT__HELD_TURN,    /* in the round; its function is to run, or runs */
    AVOUT__HELD_LOST,    /* its function runs, and nobody waits for it */
    AVOUT__HELD_RAN,     /* in the round; `after` is part of its value, or `status` says why not */
    AVOUT__HELD_DONE,
} avout__held_state;

typedef struct avout__held_job {
    avout__link link;
    avout_change_fn change; /* NULL: of a creation */
    void *payload;          /* of a creation: avout_value *, borrowed */
    bool created;           /* the creation's value is the atom's */
    int64_t deadline_ns;
    avout__held_state state;
    avout__latch moved; /* it is DRIVING, has its TURN, or is DONE */
    avout__latch done;
    avout_value before, after; /* of the run that counted */
    avout_status status;
    char detail[512];
} avout__held_job;

/* What is left to do for a round. */
typedef enum avout__held_stage {
    AVOUT__HELD_NOTHING, /* there is none */
    AVOUT__HELD_CALLING, /* the functions run: nothing has happened to the container */
    AVOUT__HELD_WRITING, /* the value is to be written, or written again */
    AVOUT__HELD_MARKING, /* the mark is to be made clean */
} avout__held_stage;

typedef struct avout__held_round {
    avout__link jobs; /* in order */
    avout__held_stage stage;
    uint64_t change;   /* of its mark */
    avout_value old;   /* what the container has; none: nothing, the atom is being created */
    avout_value value; /* behind all functions that have run */
    bool spoiled;      /* the creation's own value is refused: there is nothing to go on from */
    bool changed;      /* a function has succeeded */
    bool maybe;        /* the container may have the value */
} avout__held_round;

typedef struct avout__held_queue {
    avout__guard *guard;
    pthread_mutex_t lock;
    avout__link waiting;
    bool driven; /* somebody is the driver */
    bool alone;  /* what was written together failed: one at a time, until nobody waits */
    avout__held_round round;
    avout__latch ran; /* whose TURN it was has run */
} avout__held_queue;

avout_status avout__held_queue_new(avout__held_queue **queue, avout__guard *guard);
void avout__held_queue_free(avout__held_queue *queue); /* nobody waits */

/* True: it is to drive. */
bool avout__held_enqueue(avout__held_queue *queue, avout__held_job *job);
/* Who waits goes into the round, those that have run first. */
void avout__held_take(avout__held_queue *queue);
/* Back, at the front and in order: nothing of the round has happened, nothing is left of it. */
void avout__held_put_back(avout__held_queue *queue);
/* With the thread's error detail; whose function has failed, with its own error. */
void avout__held_finish(avout__held_queue *queue, avout__held_job *job, avout_status status);
void avout__held_finish_all(avout__held_queue *queue, avout_status status); /* of the round */
/* Whose functions have failed, for what is confirmed. Who has failed for what others in the round have made of it
 * waits until that is written, and is called again if it never will be. */
void avout__held_finish_failed(avout__held_queue *queue);
size_t avout__held_count(avout__held_queue *queue); /* how many are in the round */
bool avout__held_creates(avout__held_queue *queue); /* one of them is a creation */
/* The value that a creation of the round brings, shared; from now on it counts as the atom's. False: there is none. */
bool avout__held_initial(avout_value *value, avout__held_queue *queue);
/* Whose function is next, and from what; NULL: none any more. */
avout__held_job *avout__held_next_turn(avout__held_queue *queue);
/* Its function has returned, and what it has made is the round's value now; by its own thread. */
void avout__held_has_run(avout__held_queue *queue, avout__held_job *job);
/* Nobody waits for the function that runs any longer, if there is one. */
void avout__held_lose_turn(avout__held_queue *queue);
/* Its time is over, or it was interrupted. False: it has its turn, is to drive or is done by now. */
bool avout__held_leave(avout__held_queue *queue, avout__held_job *job);
/* The driver drives no more; the next one does. */
void avout__held_hand_on(avout__held_queue *queue);
avout__held_state avout__held_state_of(avout__held_queue *queue, const avout__held_job *job);
/* For what others answer for, soon; not to be interrupted. */
void avout__held_surely_wait(avout__latch *latch);

#endif
