/* An open store handle of the embedded adapter and how its parts share it.
 *
 * submit() (any thread) copies requests into a batch, pushes it on `queue` and wakes the delivery
 * thread, which does everything else: it takes the batches in order, carries requests out in rounds
 * (round.c), and calls back. What only that thread touches needs no lock. */
#ifndef AVOUT_STORE_LMDB_HANDLE_H
#define AVOUT_STORE_LMDB_HANDLE_H

#include "base/buffer.h"
#include "store/lmdb/arena.h"
#include "store/lmdb/armed.h"
#include "store/lmdb/environment.h"
#include "store/lmdb/sentry.h"
#include "store/lmdb/session.h"

/* A request of our own beside the port's: unwatch, which is to stay in order with the rest. */
enum { AVOUT__LMDB_UNWATCH = 100 };

enum {
    AVOUT__LMDB_PATH_MOST = 4096,
    AVOUT__LMDB_REQUEST_MOST = 64 << 20,
    AVOUT__LMDB_OP_OVERHEAD = 128,
};

typedef struct avout__lmdb_batch avout__lmdb_batch;

typedef struct avout__lmdb_item {
    struct avout__lmdb_item *next;
    avout__lmdb_batch *batch;
    avout_request request; /* pointing into the batch */
    int64_t deadline_ns;
    /* The outcome, from the round to the delivery. */
    avout_reply reply;
    size_t events_from, events_to; /* in round_events */
    bool decided;                  /* refused in an attempt of this round that had to be undone */
} avout__lmdb_item;

/* What one submit() brought: one block of memory with all that belongs to it. */
struct avout__lmdb_batch {
    avout__lmdb_batch *next;
    size_t undelivered;
    size_t count;
    avout__lmdb_item items[];
};

typedef struct avout__lmdb_handle {
    avout_store base;
    avout_listener listener;
    avout__lmdb_env *env;
    avout__lmdb_session session;
    avout__lmdb_slot *slot;
    int64_t timeout_ms;
    avout__link link; /* among the process's handles, for fork */
    _Atomic bool forked;
    pthread_t thread;

    _Atomic(avout__lmdb_batch *) queue; /* newest first; avout__lmdb_queue_closed: no more */
    _Atomic bool closing;

    /* Of the delivery thread. */
    avout__lmdb_item *first, **last; /* taken from the queue, in order */
    MDB_txn *reader;
    uint64_t seen; /* sequence number up to which events have been delivered */
    avout__lmdb_armed armed;
    avout__lmdb_arena arena;
    avout__buffer round_events;   /* of this handle's own multis */
    avout__buffer foreign_events; /* of everybody else's */
    uint32_t foreign_flags;
    bool sessions_changed; /* somebody has become worth watching */
    avout__lmdb_sentry sentry;
} avout__lmdb_handle;

/* ---- queue.c: any thread */

extern avout__lmdb_batch avout__lmdb_queue_closed;

avout_status avout__lmdb_submit(avout_store *store, const avout_request *requests, size_t count);
void avout__lmdb_unwatch(avout_store *store, const char *path);
/* Tells the delivery thread to close the queue. */
void avout__lmdb_queue_close(avout__lmdb_handle *handle);
/* The delivery thread's: appends what is in the queue to the list. False when it has been closed:
 * what is in the list then is the last. */
bool avout__lmdb_queue_take(avout__lmdb_handle *handle);

/* ---- round.c: the delivery thread's */

/* Reads what others changed and delivers it, then serves the reads at the front of the list. */
void avout__lmdb_read_round(avout__lmdb_handle *handle);
/* Serves the multi at the front of the list, and what is behind it as far as it fits into one
 * transaction. */
void avout__lmdb_write_round(avout__lmdb_handle *handle);
/* True when the request can be served without writing. */
bool avout__lmdb_only_reads(const avout__lmdb_item *item);

/* ---- reap.c: the delivery thread's */

/* Removes the ephemeral nodes of sessions that have ended, and watches the next living one. */
void avout__lmdb_reap_dead(avout__lmdb_handle *handle);
/* Removes the handle's own, at its end. */
void avout__lmdb_reap_own(avout__lmdb_handle *handle);

/* ---- delivery.c */

void *avout__lmdb_delivery(void *handle);
void avout__lmdb_deliver_foreign(avout__lmdb_handle *handle);
/* Delivers the items in front of `end` and removes them from the list. */
void avout__lmdb_deliver_until(avout__lmdb_handle *handle, const avout__lmdb_item *end);
/* Fills in a failed outcome with the thread's detail; failed_op as in avout_reply. */
void avout__lmdb_item_fail(avout__lmdb_handle *handle, avout__lmdb_item *item, avout_status status,
                           size_t failed_op);
bool avout__lmdb_closing(avout__lmdb_handle *handle);
void avout__lmdb_log_message(avout__lmdb_handle *handle, avout_log_level level, const char *text);

#endif
