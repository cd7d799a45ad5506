/* A caller's thread that waits for a node, a deed, and what is left to be taken away.
 *
 * Latches and barriers run on their callers' threads, as a sequence of looks, deeds and waits; nothing of them
 * happens on the delivery thread but the waking. A *watcher* is such a thread while it is inside: it knows one
 * node, and is woken by its events, by the session's, by a cancel token and by the ends of its deeds. */
#ifndef AVOUT_LOCK_WATCHER_H
#define AVOUT_LOCK_WATCHER_H

#include "lock/lock.h"

typedef struct avout__watcher {
    avout__link link; /* in room->watchers */
    avout__locks *room;
    const char *path; /* of its node */
    const char *name; /* what the caller calls it, for messages */
    bool changed;     /* something was told of the node since the last look was sent, */
    bool lost;        /* the session has ended since its last errand was done */
    avout_cancel *cancel;
    avout__cancel_entry entry;
    int64_t deadline_ns;
    avout__latch latch;
} avout__watcher;

/* Starts the thread that tries again what failed (tender.c), unless it runs. */
avout_status avout__watcher_needs(avout__locks *room);
/* `path`, `name` and `cancel` (may be NULL) stay until the end. */
void avout__watcher_begin(avout__watcher *watcher, avout__locks *room, const char *path,
                          const char *name, avout_cancel *cancel, int64_t deadline_ns);
void avout__watcher_end(avout__watcher *watcher);
/* From now on only until this deadline, and not to be cancelled any more. */
void avout__watcher_extend(avout__watcher *watcher, int64_t deadline_ns);

/* Reads the node and watches it, over broken connections. AVOUT_ENOTFOUND, ETIMEOUT, ECANCELLED, ECLOSED. The
 * reply is overwritten, to be released always. */
avout_status avout__watcher_look(avout__watcher *watcher, avout__reply *reply);
/* Waits until something is told of the node, or the session has been lost, since the last look was sent. */
avout_status avout__watcher_wait(avout__watcher *watcher);
/* Waits until its latch is opened. AVOUT_OK: something may have happened. Mutex held, but while it waits. */
avout_status avout__watcher_pause(avout__watcher *watcher);
/* A request that may be repeated, over broken connections. */
avout_status avout__watcher_call(avout__watcher *watcher, avout__reply *reply,
                                 const avout_request *request);
/* A multi, sent once. AVOUT_ECONNECTION, AVOUT_ESESSION and AVOUT_UNKNOWN are the caller's to judge. */
avout_status avout__watcher_multi(avout__watcher *watcher, const avout_op *ops, size_t count,
                                  size_t *failed_op);
/* Whether another try is worth it after a call that answered that: waits a moment, or for the connection, if
 * so. *status becomes what the caller is told if not. */
bool avout__watcher_again(avout__watcher *watcher, avout_status *status);
/* Waits a moment, `at_most_ms`, unless something happens. */
void avout__watcher_rest(avout__watcher *watcher, int64_t at_most_ms);

/* ---- errands: deeds that a thread waits for ------------------------------------------------------ */

typedef struct avout__errand {
    avout__deed deed;
    avout__watcher *watcher; /* NULL: its thread has not waited for the end */
    bool ended;
    avout__deed_end end;
    avout_status status; /* REFUSED */
    size_t failed_op;
    uint64_t number;                 /* of what it makes, for the litter */
    bool replied;                    /* DONE: by its own reply, which told the next two */
    int64_t version;                 /* of the node the first operation has set */
    char created[AVOUT__CLAIM_NAME]; /* the last segment of the one it has created */
    char detail[256];
    struct avout__litter
        *litter; /* if its thread has left: takes away what it has made. NULL: nothing */
} avout__errand;

/* Sends it as soon as there is a connection, and waits for its end. Other than AVOUT_OK: it was not sent, or (with
 * *sent) has not ended yet: wait on, or leave it. */
avout_status avout__errand_send(avout__errand *errand, avout__watcher *watcher, const avout_op *ops,
                                size_t count, bool *sent);
avout_status avout__errand_wait(avout__errand *errand);
/* Nobody waits for it any more; not to be touched after. */
void avout__errand_leave(avout__errand *errand);

/* ---- litter: nodes of this session's that nobody wants any more ----------------------------------- */

/* A node "p-CLIENT-NUMBER-SEQUENCE". Made beforehand: taking away must not want memory. */
typedef struct avout__litter {
    avout__link link; /* in room->litter */
    avout__locks *room;
    uint64_t number;
    bool named; /* else it is searched by its number */
    bool asked;
    avout__retry retry;
    size_t length; /* of its directory */
    char path[];   /* that, or the node's */
} avout__litter;

avout__litter *avout__litter_new(avout__locks *room, const char *directory);
/* Has it deleted, in the background; the session's end does as well. Takes it over. `name` may be "": not known.
 * Mutex held. */
void avout__litter_drop(avout__litter *litter, uint64_t number, const char *name);
void avout__litter_resume(avout__locks *room);
void avout__litter_gone(avout__locks *room); /* with the session */
/* The name in the list that is this client's with that number; NULL: none. */
const char *avout__entry_find(avout__claim_name *parsed, const avout_reply *list,
                              const char *client, uint64_t number);

/* ---- nodes with missing directories ---------------------------------------------------------------- */

/* Carries the multi out; if it answers that a directory is missing, makes those above `path` below `root` and
 * tries again. AVOUT_EEXISTS after an unclear outcome may be its own. */
avout_status avout__watcher_make(avout__watcher *watcher, const char *root, const avout_op *ops,
                                 size_t count, size_t *failed_op);

extern const avout__guest avout__watchers_guest;

#endif
