/* What the public barrier (avout/barrier.h) is made of. */
#ifndef AVOUT_LOCK_BARRIER_H
#define AVOUT_LOCK_BARRIER_H

#include "avout/barrier.h"
#include "lock/named.h"

#define AVOUT__BARRIERS_PATH "/avout/barriers"

avout_status avout__barrier_create(avout_barrier **barrier, avout__locks *room, const char *name,
                                   uint32_t parties);
avout_status avout__barrier_open(avout_barrier **barrier, avout__locks *room, const char *name);
avout_status avout__barrier_inspect(avout_barrier_report **report, avout__locks *room,
                                    const char *name);
avout_status avout__barrier_remove(avout__locks *room, const char *name);

struct avout_barrier {
    avout__named is;
    uint32_t parties;
    uint64_t generation; /* the last that was seen; under the room's mutex */
};

/* ---- barrier_node.c: what the nodes say ------------------------------------------------------------ */

enum { AVOUT__BARRIER_TEXT = 128 };

/* Of a barrier's node. */
typedef struct avout__barrier_state {
    uint32_t parties;
    uint64_t generation; /* so many were released */
    int64_t through;     /* entries up to that number are decided */
    bool broken;
    int64_t version; /* of the node */
    int32_t children;
} avout__barrier_state;

void avout__barrier_write(char text[AVOUT__BARRIER_TEXT], const avout__barrier_state *state);
avout_status avout__barrier_parse(avout__barrier_state *state, const avout_reply *reply,
                                  const char *name);
/* What the node says now, and waits for its next change (avout__watcher_wait). AVOUT_ENOTFOUND, AVOUT_EDATA, and as
 * avout__watcher_call. */
avout_status avout__barrier_look(avout__barrier_state *state, avout__watcher *watcher);
/* An entry's, once it is released. */
void avout__pass_write(char text[AVOUT__BARRIER_TEXT], const avout_pass *pass);
bool avout__pass_parse(avout_pass *pass, const avout_reply *reply);

/* The entries in a list that are not decided yet, in the order of their arrival. */
typedef struct avout__arrival {
    int64_t sequence;
    const char *name; /* in the list */
} avout__arrival;
/* *arrivals is to be freed. AVOUT_ENOMEM. */
avout_status avout__barrier_arrivals(avout__arrival **arrivals, size_t *count,
                                     const avout_reply *list, int64_t through);
/* Node and list at one point. AVOUT_ENOTFOUND (with what it means), AVOUT_EDATA ... */
avout_status avout__barrier_read(avout__barrier_state *state, avout__reply *list,
                                 avout__watcher *watcher);
avout_status avout__barrier_removed(const char *name);
extern const avout__named_kind avout__barriers;

#endif
