/* Atoms whose value is in an unversioned container: read through the mark in their node, and changed under a
 * lock that somebody else offers (src/client: the rooms of transactions and of locks do not know each
 * other).
 *
 *  H1  The container is written by who holds the lock, and the mark in the node is dirty before and clean
 *      after; both moves of the mark are transactions that fail without the lock.
 *  H2  So what is read while a mark is clean, and found to be still there afterwards, is that mark's value,
 *      and is kept with its record. While it is dirty every read goes to the container, and counts if the mark is still there
 *      afterwards: so what a client reads is never newer than its picture of the mark.
 *  H3  Who finds a dirty mark under the lock goes on from what the container has: the one who left it so is
 *      dead, or has lost the lock. If his writing still gets there, it is lost or overwrites (a container
 *      that refuses old tokens closes that hole).
 *  H4  Local changes that wait are made in one round, each function on its caller's thread: the value
 *      goes from one to the next, and is written once (held_queue.h, held_round.h). */
#ifndef AVOUT_STM_HELD_H
#define AVOUT_STM_HELD_H

#include "stm/stm.h"

/* What a held cell's lock can do. Without locks; may block. */
typedef struct avout__guard avout__guard;
typedef struct avout__guard_ops {
    /* *check, counted for the caller: fails with AVOUT_ELOST what is not under this acquisition. What a
     * lock answers. */
    avout_status (*acquire)(avout__node_check **check, avout_token *token, avout__guard *guard,
                            int64_t deadline_ns);
    void (*release)(avout__guard *guard); /* by the thread that acquired it */
    void (*close)(avout__guard *guard);
} avout__guard_ops;
struct avout__guard {
    const avout__guard_ops *ops;
};

/* Makes the changes of the object possible; takes over the guard, on failure too. */
avout_status avout__held_guarded(avout__held *held, avout__guard *guard);

/* A record's value, as avout__cell_value; of a dirty one AVOUT_RETRY. */
avout_status avout__held_load(avout_value *value, avout__cell *cell, avout__record *record,
                              int64_t deadline_ns);
/* What the container has now, for a dirty mark; owned. AVOUT_RETRY: the mark has moved meanwhile. */
avout_status avout__held_read(avout_value *value, avout__cell *cell, const avout__record *record,
                              int64_t deadline_ns);
/* Not older than anything confirmed to anybody before; owned. */
avout_status avout__held_strict(avout_value *value, avout__cell *cell, int64_t timeout_ms);

/* Whether there is a value, for all that is known; a dirty mark may be of a creation that was not
 * finished. AVOUT_EDATA. */
avout_status avout__held_look(bool *there, avout__cell *cell);

/* What a move of the mark needs, and what it finds. */
typedef struct avout__marking {
    avout__cell *cell;
    avout__node_check *check;
    avout_token token;
    bool dirty;          /* else clean */
    bool creates;        /* where nothing is */
    bool again;          /* dirty still, of `change`; else AVOUT_ECONFLICT */
    bool finished;       /* again: it is clean by now, of that change: nothing is written */
    uint64_t change;     /* dirty: the mark's; set unless `again` */
    avout_value value;   /* clean: borrowed */
    avout__record *base; /* what was there; counted */
} avout__marking;
/* A transaction. AVOUT_ELOST: the lock is. */
avout_status avout__held_mark(avout__marking *wanted, int64_t deadline_ns);

/* ---- held_change.c */

/* As avout_swap. AVOUT_EDEADLOCK: in a function of a change of the same atom. */
avout_status avout__held_swap(avout__cell *cell, avout_change_fn change, void *payload,
                              avout_value *old_value, avout_value *new_value, int64_t timeout_ms);
/* Looks whether the atom is there. If it is not, takes over what the container has where there never was
 * a mark, else sets `initial` (borrowed); *created tells. AVOUT_EDATA. */
avout_status avout__held_open(avout__cell *cell, avout_value initial, bool *created);
/* Destroys the atom and what the container has. */
avout_status avout__held_end(avout__cell *cell);

#endif
