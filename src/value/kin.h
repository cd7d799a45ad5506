/* Versions of one node of a collection, and which of them counts what they have in common.
 *
 * A changed copy of a node holds nearly all that the node holds. Counting a reference to each, and
 * giving it up when the old version dies, which it often does soon, takes two atomic operations for
 * each child; Clojure, which collects its garbage, copies the array and is done. So a copy counts only
 * what differs from the node it was made of, its origin; for everything else it relies on the count
 * that the origin has, or its origin before it. Who dies leaves its counts to its heir, the copy made
 * of it, and gives up only what the heir does not have. So a change costs the same for a node of two
 * children and of thirty-two, and everything dies as early as if each had counted for itself.
 *
 * A node has up to 32 places; what is said of a place is said of all values in it. Three versions of a
 * node, each made of the one before it; in brackets what each has counted:
 *
 *     A   [a] [b] [c] [d]    has no origin
 *     B    a  [x]  c   d     relies on A for a, c and d
 *     C    a   x   c  [y]    relies on B for x, through it on A for a and c
 *
 * A dies: B has a, c and d counted from then on; b, which B does not have, is dropped. Had B died first,
 * C would have x counted, and nothing would be dropped: d, which C does not have, is A's to drop.
 * B's owner wants to change a in place, and a has one reference: settling counts it for B and for C too,
 * so that it has three, and B's owner sees that it has to copy.
 *
 *   K1  Origins and heirs are mutual, and form a chain from the oldest to the newest. A node has at
 *       most one heir: who copies it again while the heir lives counts everything.
 *   K2  A place is in `own`, or the origin has the same in it (the same pointers). Without an origin
 *       all places are the node's own, whatever `own` says.
 *   K3  A node has counted what is in its own places, once, and nothing else.
 *   K4  Who changes a place, or changes in place what is in it, settles it first: then the node has
 *       counted it for itself and the heir for itself, so that what has one reference has one owner.
 *   K5  Links and `own` change under the lock of the chain only, which all its members have. A node
 *       whose last reference is gone, or that is known to have one owner, gets no new links: there,
 *       finding none is enough.
 *
 * The locks are held for a few instructions, never while memory is taken or given back or anything is
 * dropped, and over fork. */
#ifndef AVOUT_VALUE_KIN_H
#define AVOUT_VALUE_KIN_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { AVOUT__KIN_LOCKS = 64 };

typedef struct avout__kin avout__kin;
struct avout__kin {
    _Atomic(avout__kin *) origin, heir;
    uint32_t own;
    uint32_t lock;
};

static inline void avout__kin_init(avout__kin *kin)
{
    atomic_init(&kin->origin, NULL);
    atomic_init(&kin->heir, NULL);
    kin->own = UINT32_MAX;
    kin->lock = (uint32_t)((uintptr_t)kin >> 6);
}

static inline bool avout__kin_alone(const avout__kin *kin)
{
    return !atomic_load_explicit(&kin->origin, memory_order_acquire) &&
           !atomic_load_explicit(&kin->heir, memory_order_acquire);
}

/* A new node that belongs to one that is there: a change of both takes one lock. */
static inline void avout__kin_adopt(avout__kin *kin, const avout__kin *relative)
{
    kin->lock = relative->lock;
}

static inline bool avout__kin_near(const avout__kin *a, const avout__kin *b)
{
    return a->lock % AVOUT__KIN_LOCKS == b->lock % AVOUT__KIN_LOCKS;
}

/* A copy that is ready and differs from the node in some places, whose contents it has counted; the
 * caller holds the node. */
typedef struct avout__kin_step {
    avout__kin *node, *copy;
    uint32_t different;
    bool joined; /* out; false: the node has an heir, and the caller counts all other places */
} avout__kin_step;

/* Makes each copy its node's heir. */
void avout__kin_join(avout__kin_step *steps, uint32_t count);

/* A node whose last reference is gone leaves its chain: answers the places whose contents are to be
 * dropped (all of them for a node that is alone, which needs no lock). */
uint32_t avout__kin_leave(avout__kin *kin);
void avout__kin_lock(const avout__kin *kin);
void avout__kin_unlock(const avout__kin *kin);

/* K4, of a node with one owner. Answers how many references are to be added to what is in the place;
 * if any, the lock is held and the caller gives it back. */
uint32_t avout__kin_settle(avout__kin *kin, uint32_t place);

/* The node, of one owner, lies in another block of memory from now on: `to`, which is ready else. */
void avout__kin_move(avout__kin *from, avout__kin *to);

#endif
