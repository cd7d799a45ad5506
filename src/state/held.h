/* A user's unversioned container as the container of one cell, and the mark that the cell's node holds:
 *
 *     #avout/state {:kind "file", :held :clean, :change 7}
 *     #avout/state {:kind "file", :held :dirty, :change 8, :token "POINT-COUNT"}
 *
 * exactly so, byte by byte. Clean: the container has the value of change 7, and no other will be there
 * before the mark has become dirty. Dirty: it has the value of the change before or of this one; who has
 * that token is writing it, or has died.
 *
 * Calls may block for the container, up to the deadline, and are made without locks and not on the delivery
 * thread. Failures carry the name, the kind and the place. */
#ifndef AVOUT_STATE_HELD_H
#define AVOUT_STATE_HELD_H

#include <stdatomic.h>

#include "avout/sys/container.h"
#include "state/container.h"

enum { AVOUT__MARK_SIZE = 160 };

typedef struct avout__mark {
    bool dirty;
    uint64_t change;
    char text[AVOUT__MARK_SIZE];
} avout__mark;

typedef struct avout__held {
    avout__container is; /* first */
    _Atomic uint32_t refs;
    avout_container *container; /* owned */
    void *guard;                /* stm/held.c's; see close_guard */
    void (*close_guard)(void *guard);
    char name[];
} avout__held;

/* Takes over the container, on failure too. AVOUT_EINVAL: its table. */
avout_status avout__held_new(avout__held **held, avout_container *container, const char *name);
avout__held *avout__held_ref(avout__held *held);
void avout__held_unref(avout__held *held); /* the last one closes container and guard; NULL */
/* Of a cell's container; NULL: it is not held. Any thread, locks. */
avout__held *avout__held_of(const avout__container *container);
const void *avout__held_kind(const avout__held *held); /* as avout__foreign_kind */
bool avout__held_same(const avout__held *one, const avout__held *other);

avout_status avout__held_init(avout__held *held, int64_t deadline_ns);
avout_status avout__held_destroy(avout__held *held, int64_t deadline_ns);
/* Owned. AVOUT_ENOTFOUND: none was ever set. */
avout_status avout__held_get(avout_value *value, avout__held *held, int64_t deadline_ns);
/* AVOUT_UNKNOWN: it may have had effect. AVOUT_EVERSION: a greater token has been there. */
avout_status avout__held_set(avout__held *held, avout_value value, avout_token token,
                             int64_t deadline_ns);

/* Any thread, locks. False: the bytes are no mark of this container's kind. */
bool avout__mark_read(avout__mark *mark, const avout__held *held, const void *bytes, size_t length);
void avout__mark_clean(avout__mark *mark, const avout__held *held, uint64_t change);
void avout__mark_dirty(avout__mark *mark, const avout__held *held, uint64_t change,
                       avout_token token);
bool avout__mark_is_dirty(const avout__held *held, const void *bytes, size_t length);
/* AVOUT_EDATA, for bytes that are no mark. */
avout_status avout__mark_refused(const avout__held *held, const void *bytes, size_t length);

#endif
