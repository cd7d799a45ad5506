/* Known outcome: what became of a multi whose reply was lost.
 *
 * A client has *slots*: nodes of its own, each in one multi at a time. Every multi that has to be known of
 * also writes its number into a slot, at the version the client knows.
 *
 *   free --sent--> busy --reply--> free
 *                   |
 *                   +--connection lost--> unclear --fence--> free, the multi done or not
 *
 * Reading the slot would prove nothing while unclear: the multi may still be on its way. So the client
 * writes a *fence*, "!NUMBER", at the version the multi was sent with. One of the two got there first and
 * the other is refused for ever (versions only grow): behind the fence's reply, whatever it is, the
 * slot's content tells which:
 *
 *   "NUMBER"         it took effect, at the point of the slot's last change
 *   "!NUMBER"        it did not and never will
 *   anything else    the slot was removed or overwritten by a stranger, or because the client was stopped
 *                    for longer than slots are kept: nobody can tell
 *
 * This is the settling of a transaction's status by whoever needs to know it, as in Percolator (Peng and
 * Dabek, 2010), with the slot as the primary. Who uses it serializes the calls (under a lock of its own)
 * and submits what is drafted here. */
#ifndef AVOUT_STORE_FENCE_H
#define AVOUT_STORE_FENCE_H

#include "avout/sys/store.h"

#define AVOUT__SLOTS_PATH "/avout/slots"

/* All slots of one owner. */
typedef struct avout__slots {
    const char *client; /* in their names: no other owner's, ever */
    uint32_t made;
    bool homeless; /* the node above them has been removed: made again with the next slot */
} avout__slots;

typedef struct avout__slot {
    avout__slots *all;
    bool busy; /* the owner's: a multi with it is on its way or unclear */
    bool exists;
    bool doubted;   /* its creation was fenced: if it went, a late multi could create it */
    bool with_home; /* what was drafted last makes the node above as well */
    int64_t version;
    uint32_t index;
} avout__slot;

enum { AVOUT__SLOT_PATH = 64, AVOUT__SLOT_OPS = 3, AVOUT__FENCE_REQUESTS = 3 };

void avout__slot_init(avout__slot *slot, avout__slots *all);
/* Before it is used again: makes it another node long before its version comes round to -1, which would
 * mean "any". */
void avout__slot_refresh(avout__slot *slot);
/* Goes on with another node: this one cannot be relied on any more. */
void avout__slot_renew(avout__slot *slot);

/* ---- the multi ----------------------------------------------------------------------------------- */

/* What the operations point to: good until they are submitted. */
typedef struct avout__slot_draft {
    char path[AVOUT__SLOT_PATH], text[24];
} avout__slot_draft;

/* The operations that belong at the end of a multi with that number; how many. The last one is a set in
 * any case: its stat tells the multi's point. */
size_t avout__slot_ops(avout_op ops[AVOUT__SLOT_OPS], avout__slot_draft *draft, avout__slot *slot,
                       uint64_t number);
/* It took effect; its point, 0 where the engine does not tell. */
avout_point avout__slot_written(avout__slot *slot, const avout_reply *reply);
/* It was refused because of the slot's operation number `op`. True: it can be sent again, with what the
 * slot is now. False: for a lasting reason, of which `detail` tells then. */
enum { AVOUT__SLOT_DETAIL = 256 };
bool avout__slot_refused(char detail[AVOUT__SLOT_DETAIL], avout__slot *slot, size_t op,
                         const avout_reply *reply);

/* ---- the fence ------------------------------------------------------------------------------------- */

typedef struct avout__fence {
    avout__slot_draft draft;
    avout_op home, mark;
} avout__fence;

/* The run that settles the multi with that number; how many requests. The last one is the get whose reply
 * is for avout__fence_verdict: its `done` and `payload` are the caller's to set. */
size_t avout__fence_requests(avout_request requests[AVOUT__FENCE_REQUESTS], avout__fence *fence,
                             avout__slot *slot, uint64_t number);

typedef enum avout__fenced {
    AVOUT__FENCED_DONE, /* at the point reply->stat.changed */
    AVOUT__FENCED_NOT,
    AVOUT__FENCED_GONE, /* nobody can tell; the slot is another from now on */
    AVOUT__FENCED_NONE, /* the fence itself failed: to be sent again */
} avout__fenced;
avout__fenced avout__fence_verdict(avout__slot *slot, uint64_t number, const avout_reply *reply);

/* ---- the end --------------------------------------------------------------------------------------- */

/* Removes it where nothing can need it any more. Waits, never on a delivery thread. */
void avout__slot_remove(avout_store *store, const avout__slot *slot, int64_t deadline_ns);
/* Removes a few of those that clients left behind which died long ago. Waits. */
void avout__slots_sweep(avout_store *store, int64_t deadline_ns);

#endif
