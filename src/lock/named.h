/* What lies in the store under a name and has handles that only know where: latches and barriers. Opening, making,
 * removing, on the caller's thread. */
#ifndef AVOUT_LOCK_NAMED_H
#define AVOUT_LOCK_NAMED_H

#include "lock/watcher.h"

typedef struct avout__named_kind {
    const char *root; /* "/avout/latches" */
    const char *what; /* "latch" */
    /* Reads its node into what the kind keeps of it, and when that was created. AVOUT_ENOTFOUND, AVOUT_EDATA, as
     * avout__watcher_call. */
    avout_status (*read)(void *is, avout_point *created, avout__watcher *watcher);
} avout__named_kind;

/* A watcher of the thing of that name, for a call with the client's deadline. `path` becomes its node's. AVOUT_EINVAL,
 * AVOUT_ENAME, and what makes the room unusable. */
avout_status avout__named_begin(avout__watcher *watcher, char path[AVOUT__NODE_MAX],
                                avout__locks *room, const avout__named_kind *kind,
                                const char *name);
/* Makes it with that multi, the first operation of which creates its node, or reads the one that is there into `is`.
 * AVOUT_ETIMEOUT: it may have been made. */
avout_status avout__named_make(void *is, bool *made, avout__watcher *watcher,
                               const avout__named_kind *kind, const avout_op *ops, size_t count);
/* As kind->read, for who opens it: says what is not there. */
avout_status avout__named_read(void *is, avout__watcher *watcher, const avout__named_kind *kind);
/* Removes it with what `remove` does, once it was read into `is`: tried again while the connection breaks, but never on
 * one that was made after an attempt that may have succeeded. */
avout_status avout__named_remove(void *is, avout__watcher *watcher, const avout__named_kind *kind,
                                 avout_status (*remove)(void *is, avout__watcher *watcher));

/* What a handle begins with. */
typedef struct avout__named {
    avout__locks *room; /* counted */
    const char *path;   /* of its node; both behind the handle */
    const char *name;
} avout__named;
/* A handle of that size on what the watcher is for, zero behind its beginning. NULL: no memory. */
void *avout__named_new(size_t size, const avout__watcher *watcher);
void avout__named_free(avout__named *named);

/* The reply's bytes are exactly that text. */
bool avout__reply_says(const avout_reply *reply, const char *text);

#endif
