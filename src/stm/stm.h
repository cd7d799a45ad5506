/* The engine of one client: cells, their cached states, local commits, and what is on its way.
 *
 *   caller's thread                                   delivery thread (of the store)
 *   ---------------                                   ------------------------------
 *   runs.c    runs the body until it is done          view.c    events and fetched states
 *   txn.c     what a run reads and writes
 *   commit.c  commutes, validates, joins `pending`    outcome.c replies of multis: settle or refuse
 *   batch.c   sends what is ready                     slot.c    fences: settles unclear outcomes
 *   foreign.c stages and reads values elsewhere       sweep.c   (a thread) deletes old versions
 *   chunks.c  elsewhere in the store: what is large      held*.c   in containers that overwrite
 *   blocks on the transaction's latch                 opens the latches
 *
 * What a cell shows, and to whom:
 *
 *   live   the confirmed state, while we would be told of a change; NULL otherwise. Derefs read it.
 *   head   what transactions read: live, with local commits that are still on their way on top.
 *   last   the newest confirmed state known, live or not.
 *
 * Invariants of the engine (those of the system are I1 to I12 in docs/design.md):
 *
 *  E1  Everything mutable is changed under `lock`, except where its comment says otherwise. No user
 *      code and no wait under it. Lock order: lock -> the adapter's own; nothing is taken under both.
 *  E2  head changes only between two increments of `tick` (odd meanwhile), live of `cut`: who reads
 *      several cells and finds the counter even and unmoved has read one state of all.
 *  E3  All live records together are one cut of the store's history, that of the last delivery: an
 *      event takes live away before any later state is delivered (port promise P1); the states of
 *      our own multi are shown at its reply, where they are the newest, and are trusted until the
 *      gets right behind it (P2) have armed their watches. Others' changes may come in between: then
 *      one of these gets tells, and none of those still trusted is shown any longer.
 *  E4  Transactions in `pending` are in the order in which they committed locally. Batches in flight
 *      at the same time share no cell, local and merely read ones included: so whatever a
 *      transaction has read from another is settled before it is sent.
 *     What is pending stands on live records or on what others of `pending` and in flight have
 *     written: once one of these records is live no longer, it runs again. Of what is in flight it
 *     cannot be known at once (our own writes bring events, too); before anything newer shows,
 *     everything that stands on a batch in doubt is veiled: it is head of nothing until the batch is
 *     settled. So heads are one confirmed cut with own commits on top of it (I4).
 *  E5  A batch with writes is sent with a write of its number into a slot at the slot's version; the
 *      slot is used again only when that batch's outcome is known (slot.c).
 */
#ifndef AVOUT_STM_STM_H
#define AVOUT_STM_STM_H

#include <pthread.h>
#include <stdatomic.h>

#include "avout/ref.h"
#include "avout/sys/store.h"
#include "base/futex.h"
#include "base/list.h"
#include "state/container.h"
#include "state/foreign.h"
#include "state/held.h"
#include "stm/record.h"
#include "store/check.h"
#include "store/fence.h"
#include "store/store.h"

typedef struct avout__stm avout__stm;
typedef struct avout__cell avout__cell;
typedef struct avout__batch avout__batch;
typedef struct avout__watch avout__watch;
typedef struct avout__queue avout__queue;

/* Who waits for a cell: to become live (reads), or to change (retry). Under the engine's lock. */
typedef struct avout__waiter {
    avout__link link;
    void (*wake)(struct avout__waiter *waiter); /* called with the lock held; waiter is unlinked */
} avout__waiter;

/* What few cells have. */
typedef struct avout__cell_extra {
    struct avout__cell *cell;
    avout__link history; /* of avout__past, oldest first: heads that an active snapshot may need */
    avout__link watches; /* of avout__watch */
    avout__link notify;  /* in stm->notify while a change is to be told */
    bool loading; /* the sweeper has a job for the cell's value, and tells the watches afterwards */
    struct avout__validator *validator; /* counted; NULL: none */
    avout__queue *queue;                /* contention.c */
} avout__cell_extra;

/* A former head, kept for transactions that read at an older tick. */
typedef struct avout__past {
    avout__link link;   /* in its cell's history */
    avout__link oldest; /* in stm->past, oldest first */
    avout__record *record;
} avout__past;

struct avout__cell {
    avout__stm *stm;
    avout__record *_Atomic live;
    avout__record *_Atomic head;
    avout__record *top; /* the last local commit that is on its way; NULL: none */
    avout__record *last;
    const avout__container *container;
    bool armed;   /* a watch is set and has not fired */
    bool trusted; /* live by our own write; the answer that arms its watch is still to come */
    bool wanted;  /* fetch as soon as there is a connection */
    bool closed;  /* left the table */
    uint32_t hash;
    /* Those that are changed without the lock, in words of their own. */
    _Atomic uint32_t refs; /* handles and transactions' entries; at 0 the cell leaves the table */
    _Atomic uint32_t handles; /* of them, the users': at 0 watches and validator end */
    _Atomic bool validated;   /* there is a validator */
    _Atomic uint8_t used;     /* read since the last sweep: set by readers */
    int32_t fetching;         /* gets on their way */
    int32_t readers;          /* derefs that wait for it to become live */
    avout_status failure;     /* why the last fetch brought nothing; AVOUT_OK when it did */
    avout__batch *in_flight;
    uint64_t scan;     /* stamps of batch.c: the scan that found the cell blocked, */
    uint64_t gathered; /* and the batch that has it, at index `place` */
    uint32_t place;
    uint32_t name_length;
    avout__cell *next; /* in its bucket */
    avout__link waiters;
    avout__link orphan;     /* in stm->orphans: the keeper is to give up a reference */
    avout__link armed_link; /* in stm->armed, oldest use first, or in stm->trusted */
    avout__cell_extra *extra;
    avout__foreign *_Atomic chunks; /* chunks.c; NULL until a value does not fit into the node */
    char name[];                    /* "" for local cells */
};

/* ---- transactions ---------------------------------------------------------------------------- */

typedef struct avout__commute {
    struct avout__commute *next;
    avout_change_fn change;
    void *payload;
} avout__commute;

enum {
    AVOUT__ENTRY_READ = 1,  /* base was seen by the body */
    AVOUT__ENTRY_WRITE = 2, /* value is what it becomes */
    AVOUT__ENTRY_ENSURE = 4,
    AVOUT__ENTRY_COMMUTE = 8,
    AVOUT__ENTRY_DESTROY = 16, /* with WRITE: becomes a tombstone */
    AVOUT__ENTRY_CREATE = 32,  /* with WRITE: allowed where nothing is */
    AVOUT__ENTRY_SPILL = 64,   /* at commit: the value goes elsewhere in the store, in pieces */
    AVOUT__ENTRY_DIRTY = 128,  /* held: a dirty mark is written, the value is none */
};

/* What a transaction has to do with one cell. */
typedef struct avout__entry {
    avout__cell *cell;      /* counted */
    avout__record *base;    /* what was read, or at commit what is written over; counted */
    avout_value value;      /* WRITE */
    avout__blob *blob;      /* value encoded, until `written` takes it */
    avout__record *written; /* the pending record; counted */
    avout__commute *commutes;
    uint8_t flags;
    bool dependent; /* in snapshot isolation: only until base is settled */
    bool checked;   /* base must still be the newest when the store commits */
} avout__entry;

typedef struct avout__hook {
    void (*call)(void *payload);
    void *payload;
} avout__hook;

typedef enum avout__phase {
    AVOUT__RUNNING, /* the body, or the commit before it joins pending */
    AVOUT__PENDING, /* committed here, in stm->pending */
    AVOUT__SENT,    /* in a batch */
    AVOUT__DONE,    /* `outcome` is known */
} avout__phase;

typedef enum avout__verdict {
    AVOUT__CONFIRMED,
    AVOUT__AGAIN,  /* run again */
    AVOUT__FAILED, /* failure_status, failure_detail */
} avout__verdict;

enum { AVOUT__INLINE_ENTRIES = 3 };

struct avout_txn {
    avout__retired retired; /* first: see avout__txn_drop */
    avout__stm *stm;
    _Atomic uint32_t refs; /* the caller, and pending or the batch */
    avout_isolation isolation;
    bool strict;
    bool updates;    /* an earlier run wrote: reads must be the newest */
    bool has_writes; /* this run */
    bool doomed;     /* this run saw a conflict */
    bool sleeps;     /* doomed: it met a dirty mark, and runs again when that has moved */
    bool in_past;    /* this run reads at `snap` from histories: it may not write */
    bool keeps_past; /* has been thrown away before: registers its snapshot */
    bool asynchronous;
    bool wants_container; /* asynchronous: the run has to wait for a container ... */
    bool has_porter;      /* ... and is where it may */
    uint32_t runs, recommits, max_retries;
    uint32_t grants;     /* aging.c: runs as the elder */
    int64_t again_ns;    /* and when it was first run again; 0: not yet */
    avout_status result; /* what the caller gets once confirmed */
    int64_t deadline_ns;
    uint64_t snap;      /* the tick at which everything read is valid; 0: nothing read yet */
    avout__link active; /* in stm->active while registered, ordered by snap; engine's lock */
    bool registered;    /* the running thread's */

    avout__entry *entries;
    size_t count, capacity;
    avout__entry inline_entries[AVOUT__INLINE_ENTRIES];
    avout__hook *hooks;
    size_t hook_count, hook_capacity;
    avout__node_check **checks; /* nodes it is conditional on; counted */
    size_t check_count, check_capacity;
    avout__cell *missing; /* asynchronous: the cell the run has to wait for; counted */

    /* from joining pending on, under the engine's lock */
    avout__phase phase;
    avout__verdict verdict;
    avout_status failure_status;
    char *failure_detail;   /* may be NULL */
    avout__cell *contended; /* verdict AGAIN because the store refused: where; not counted */
    avout__link link;       /* in pending or the batch */
    avout__latch latch;
    bool abandoned; /* the caller's deadline passed while it was sent: it does not travel again */
    uint32_t refusals;
    void (*on_done)(avout_txn *txn); /* asynchronous; called with the lock held */
    void *owner;                     /* of on_done */
};

/* ---- batches and slots ------------------------------------------------------------------------ */

typedef struct avout__batch_cell {
    avout__cell *cell;
    avout__record *base;    /* borrowed from the first transaction that has it */
    avout__record *written; /* the last one; NULL: only checked; borrowed */
    bool checked;
    size_t op; /* index of its first operation in the multi; SIZE_MAX: none */
    size_t op_count;
} avout__batch_cell;

struct avout__batch {
    avout__stm *stm;
    avout__link link; /* in stm->batches */
    avout__link txns; /* in order */
    avout__batch_cell *cells;
    size_t count, capacity;
    avout__node_check **checks; /* its transactions', each once; borrowed */
    size_t check_count, check_capacity;
    size_t check_op; /* index of the first one's operation */
    uint64_t number;
    avout__slot *slot; /* NULL: nothing is written in the store */
    size_t slot_op;    /* its first operation; they are the last ones */
    int64_t sent_ns;
    bool unclear; /* the connection broke: to be fenced */
    bool veiled;  /* E4 */
    bool fencing;
};

enum { AVOUT__SLOTS = 4 };

/* See gather.c. Under the lock but for `arrived`. */
typedef struct avout__gathering {
    bool on;
    uint32_t callers;  /* transactions in stm->finished */
    uint32_t expected; /* commits to wait for */
    _Atomic uint32_t arrived;
    uint32_t returns; /* how many of the expected came, on average */
    uint32_t skipped;
    int64_t round_ns; /* what a batch takes, on average */
} avout__gathering;

struct avout__stm {
    avout_store *store;
    avout_store door;      /* to the same, for avout__store_call: shut when the client is closed */
    avout_store back_door; /* open a little longer, for what is put away then */
    avout_listener
        companion; /* told after the engine, without its lock: of sessions, and of nodes that
                                 are no cell's; functions may be NULL */
    bool shut;     /* the store is gone, or going */
    _Atomic uint32_t refs; /* the client, and each cell */
    pthread_mutex_t lock;
    _Atomic uint64_t tick; /* see E2 */
    _Atomic uint64_t cut;
    _Atomic uint32_t degraded; /* 1: derefs look at `closed`, fork and staleness first */

    /* session */
    bool connected;
    _Atomic bool closed;
    uint32_t forks;       /* avout__forks when opened */
    int64_t suspended_ns; /* since when; 0: connected */
    int64_t max_staleness_ms;
    int64_t timeout_ms;
    avout_store_info info;
    _Atomic size_t max_request, op_overhead; /* of info, for who does not hold the lock */

    /* cells by name */
    avout__cell **buckets;
    size_t bucket_count, cell_count;
    avout__link armed;
    size_t armed_bytes;
    avout__link trusted;

    /* commits */
    avout__link pending;
    avout__link batches;
    avout__batch *suspect;   /* an event came of what it writes; its reply must be next */
    avout__link queues;      /* of cells that wait for a turn or have it (contention.c) */
    avout__link orphans;     /* cells whose last reference was the delivery thread's */
    avout__link sleepers;    /* of avout__waiter: blocked transactions, to be woken at close */
    _Atomic uint32_t landed; /* counts batches that ended; a futex word for close */
    avout__gathering gathering;
    avout__link finished; /* transactions whose callers unlock will wake */
    avout__link active;   /* transactions that may need the past, by snap */
    avout__link past;
    size_t past_count;
    uint64_t scans, batch_number, lineages;
    avout__slots slots_of_mine;
    avout__slot slots[AVOUT__SLOTS];
    char client_id[33];

    /* aging.c; read without the lock, `elder` as an address only */
    avout_txn *_Atomic elder;
    _Atomic int64_t elder_until_ns;
    _Atomic uint32_t elders; /* a futex word: counts those that are it no more */

    int64_t retry_ns;                 /* when what failed is tried again; 0: nothing did */
    struct avout__notifier *notifier; /* watches and session events (notify.c) */
    struct avout__keeper *keeper;     /* turns, memory (keeper.c) */
    struct avout__executor *executor; /* asynchronous transactions (async.c); NULL until used */
    struct avout__executor *porter;   /* those that wait for containers */
    struct avout__coded *coded;       /* codecs in use (coded.c); they stay */
    struct avout__sweeper *_Atomic sweepers; /* sweep.c; one for each kind of container in use */
    _Atomic uint64_t versions;               /* counts those that this client has made */

    avout_options options;       /* callbacks only */
    avout_statistics statistics; /* under lock, but for: */
    _Atomic uint64_t retries;
};

/* Opens the engine on an address: store, layout, threads. */
avout_status avout__stm_open(avout__stm **stm, const char *url, const avout_options *options,
                             const avout_listener *companion);
/* Fails everything under way and ends session and threads. The memory stays for the cells' handles:
 * freed with the last reference (avout__stm_unref). */
void avout__stm_close(avout__stm *stm);

void avout__stm_ref(avout__stm *stm);
void avout__stm_unref(avout__stm *stm);

/* The store's submit; AVOUT_ECLOSED once it is being closed. Lock held. */
avout_status avout__submit(avout__stm *stm, const avout_request *requests, size_t count);
/* Asks the store for its limits. Lock held. */
void avout__stm_learn(avout__stm *stm);

/* AVOUT_OK, AVOUT_ECLOSED or AVOUT_EFORK. */
avout_status avout__stm_usable(avout__stm *stm);
/* The same, or AVOUT_ECONNECTION: what is cached is older than the user wants it. Without the lock. */
avout_status avout__stm_fresh(avout__stm *stm);

/* In a forked child of the process that opened it: the lock may be held for ever, by a thread that is
 * not here, and what it guards be half changed. */
bool avout__stm_forked(const avout__stm *stm);

static inline void avout__stm_lock(avout__stm *stm)
{
    pthread_mutex_lock(&stm->lock);
}
/* Unlocks, then wakes the callers of the transactions that ended meanwhile: not before, or they
 * would run straight into the lock. */
void avout__stm_unlock(avout__stm *stm);

/* ---- head.c: records in and out, with the lock held -------------------------------------------- */

static inline void avout__tick_begin(avout__stm *stm)
{
    atomic_fetch_add(&stm->tick, 1);
}
static inline void avout__tick_end(avout__stm *stm)
{
    atomic_fetch_add(&stm->tick, 1);
}
static inline void avout__cut_begin(avout__stm *stm)
{
    atomic_fetch_add(&stm->cut, 1);
}
static inline void avout__cut_end(avout__stm *stm)
{
    atomic_fetch_add(&stm->cut, 1);
}

/* Sets head, keeping the old one for active snapshots, and wakes who waits for the cell. Between
 * tick_begin and tick_end. `record` may be NULL. */
void avout__head_set(avout__cell *cell, avout__record *record);
/* Takes records that are dead or settled off the top, and sets the head that remains. Between
 * tick_begin and tick_end. */
void avout__head_recover(avout__cell *cell);
/* A confirmed state replaces last; live and, unless local commits are on top, head. Takes over the
 * reference. Does both counters itself. */
void avout__confirmed_set(avout__cell *cell, avout__record *record, bool live);
/* The state is no longer known to be the newest: live goes, head too unless pending. */
void avout__confirmed_lost(avout__cell *cell);
/* The head of tick `snap`, if it is still known; borrowed under the lock. */
avout__record *avout__past_find(avout__cell *cell, uint64_t snap);
/* Forgets what no active transaction can need; all of a cell's with `cell`. */
void avout__past_trim(avout__stm *stm);
void avout__past_clear(avout__cell *cell);

/* Fails transactions that can no longer commit: the given one, and everything pending that stands on
 * what it wrote. `verdict` for the given; the others run again. */
void avout__txn_fail(avout_txn *txn, avout__verdict verdict, avout_status status,
                     const char *detail, avout__cell *contended);
/* The transactions of pending that stand on confirmed states that are not live any more, of this cell
 * or (NULL) of any. */
void avout__pending_fail_lost(avout__stm *stm, const avout__cell *cell);
/* Ends a transaction that is in no list any more; its latch opens at avout__stm_unlock. */
void avout__txn_finish(avout_txn *txn, avout__verdict verdict);
void avout__wake_waiters(avout__cell *cell);

/* ---- view.c ------------------------------------------------------------------------------------ */

extern const avout_listener avout__view_listener;
/* Fetches, fences and sends all that waits for it. Lock held, connected. */
void avout__resume(avout__stm *stm);
/* Starts a get unless one is on its way or there is no connection (then as soon as there is). With
 * the lock held. */
void avout__fetch(avout__cell *cell);
/* Adds the get (or exists) that arms the watch of a cell just written. With the lock held. */
typedef struct avout__fetch_order avout__fetch_order;
avout__fetch_order *avout__fetch_order_new(avout__cell *cell);
/* Fills in the request; `path` must stay until submit. Counts as on its way from now on: to be
 * submitted, or taken back by avout__fetch_order_cancel. */
void avout__fetch_order_fill(avout_request *request, avout__fetch_order *order, const char *path,
                             bool exists);
void avout__fetch_order_cancel(avout__fetch_order *order);
/* Waits until the cell has a head (`for_txn`) or is live, or until the deadline. AVOUT_OK: look
 * again. Without the lock. */
avout_status avout__cell_wait(avout__cell *cell, bool for_txn, int64_t deadline_ns);
/* Whether to cache the cell another one would have to go. Without the lock. */
bool avout__view_full(avout__cell *cell);

/* ---- cell.c ------------------------------------------------------------------------------------ */

/* `container`: where its values are to be, else AVOUT_ESTATE; NULL: as it is open, or inline. Takes over
 * nothing, counts one that is foreign. */
avout_status avout__cell_open(avout__cell **cell, avout__stm *stm, const char *name,
                              const avout__container *container);
avout_status avout__cell_local(avout__cell **cell, avout__stm *stm, avout_value initial);
static inline avout__cell *avout__cell_ref(avout__cell *cell)
{
    atomic_fetch_add_explicit(&cell->refs, 1, memory_order_relaxed);
    return cell;
}
/* Not with the lock held. On the delivery thread the last one is left to the keeper: watches and the
 * validator go with the cell, and their payloads are the user's. */
void avout__cell_unref(avout__cell *cell);
void avout__orphans_free(avout__stm *stm);
avout__cell *avout__cell_find(avout__stm *stm, const char *path); /* by node path; lock held */
avout__cell_extra *avout__cell_extra_get(avout__cell *cell);      /* lock held; NULL: no memory */
avout_status avout__cell_deref(avout_value *value, avout__cell *cell, int64_t deadline_ns);
avout_status avout__cell_deref_within(avout_value *value, avout__cell *cell, int64_t timeout_ms);

/* ---- txn.c --------------------------------------------------------------------------- */

avout_status avout__txn_new(avout_txn **txn, avout__stm *stm, const avout_call_options *options);
void avout__txn_unref(avout_txn *txn);
/* The same under the lock and on the delivery thread, where neither cells nor the user's values may
 * be let go: if it was the last reference, that is left to the next collection. */
void avout__txn_drop(avout_txn *txn);
/* Forgets the run: entries, hooks, flags. */
void avout__txn_reset(avout_txn *txn);
/* The past is no longer needed: leaves stm->active. The second with the lock held. */
void avout__txn_end_run(avout_txn *txn);
void avout__txn_unregister(avout_txn *txn);
/* The entry of the cell, with its base read. */
avout_status avout__txn_read(avout__entry **entry, avout_txn *txn, avout__cell *cell);
avout_status avout__txn_entry_value(avout_value *value, avout_txn *txn, avout__entry *entry);
avout_status avout__txn_write(avout_txn *txn, avout__cell *cell, avout_value value, uint8_t flags);
avout_status avout__txn_change(avout_txn *txn, avout__cell *cell, avout_change_fn change,
                               void *payload);
avout__entry *avout__txn_find(avout_txn *txn, avout__cell *cell);
/* Everything read is still the head. Lock held. */
bool avout__txn_valid(avout_txn *txn);

avout_status avout__txn_commute(avout_txn *txn, avout__cell *cell, avout_change_fn change,
                                void *payload);
/* What the commutes make of the base's value; owned. They may use the transaction. */
avout_status avout__commutes_apply(avout_value *changed, avout_txn *txn,
                                   const avout__commute *commutes, avout__record *base,
                                   avout__cell *cell);
avout_status avout__txn_or_else(avout_txn *txn, avout_txn_fn first, void *first_payload,
                                avout_txn_fn second, void *second_payload);
avout_status avout__txn_hook(avout_txn *txn, void (*call)(void *payload), void *payload);
/* It commits only if the node is as the check says when it does: else it fails with the check's status. A
 * transaction that only reads asks the store for it. */
avout_status avout__txn_require(avout_txn *txn, avout__node_check *check);
void avout__txn_drop_checks(avout_txn *txn, size_t keep); /* all but the first so many */
void avout__txn_run_hooks(avout_txn *txn);

/* ---- runs.c; commit and recommit are in commit.c -------------------------------------------------- */

typedef enum avout__step {
    AVOUT__STEP_FINAL,     /* *status is the result */
    AVOUT__STEP_AGAIN,     /* run the body again */
    AVOUT__STEP_BLOCKED,   /* the body waits for a change of what it read */
    AVOUT__STEP_PENDING,   /* wait for the latch, then ask for the verdict */
    AVOUT__STEP_RECOMPUTE, /* within commit.c */
} avout__step;

/* Runs a body to its end: all runs, commit, waiting, hooks. */
avout_status avout__txn_run(avout_txn *txn, avout_txn_fn body, void *payload);
/* The parts of it, for those who must not wait. */
avout__step avout__txn_attempt(avout_status *status, avout_txn *txn, avout_txn_fn body,
                               void *payload);
avout__step avout__txn_commit(avout_status *status, avout_txn *txn, avout_status result);
avout__step avout__txn_verdict(avout_status *status, avout_txn *txn, avout_status result);
/* After the verdict AGAIN: commits once more without the body if all it read is still current. */
avout__step avout__txn_recommit(avout_status *status, avout_txn *txn);
/* AVOUT_ETIMEOUT: conflicts until the deadline. */
avout_status avout__txn_too_late(void);
/* Prepares the next run; not AVOUT_OK: no more runs. */
avout_status avout__txn_again(avout_txn *txn);
avout_txn *avout__txn_current(avout__stm *stm); /* the one whose body runs on this thread */
avout_txn *avout__txn_enter(avout_txn *txn);    /* returns the one before, for leave */
void avout__txn_leave(avout_txn *before);

/* ---- foreign.c: values in containers; without the lock, but for what says so --------------------- */

/* The record's value, borrowed as long as the record; as avout__record_value, and for one that is
 * elsewhere what its container answers. AVOUT_RETRY: the version was replaced and is gone; look at the cell again. */
avout_status avout__cell_value(avout_value *value, avout__cell *cell, avout__record *record,
                               int64_t deadline_ns);
/* Asks the store whether the record is still the newest. If it is not, its event has been delivered
 * before the answer (P1; for a state that is trusted, the answer that arms its watch, P2): AVOUT_RETRY.
 * A connection that breaks is waited for. AVOUT_ETIMEOUT, AVOUT_ECANCELLED: no answer in time. */
avout_status avout__cell_still(avout__cell *cell, const avout__record *record, int64_t deadline_ns);
/* Within a transaction: AVOUT_RETRY dooms it. */
avout_status avout__txn_value(avout_value *value, avout_txn *txn, avout__cell *cell,
                              avout__record *record);
/* Where the cell's values are when they are not in its node; NULL: none has been seen. Lock or not. */
avout__foreign *avout__cell_foreign(const avout__cell *cell);
/* Whether such bytes of the cell's node are a pointer that it can follow. Lock or not. */
bool avout__is_elsewhere(const avout__cell *cell, const void *bytes, size_t length);
/* Writes what the transaction writes to foreign cells under fresh versions, side by side, and makes
 * the records. Everything else is prepared, bases are known (F1). */
avout_status avout__txn_stage(avout_txn *txn);
/* The record is not to be used: its version goes. Lock or not. */
void avout__stage_discard(avout__entry *entry);
/* A batch's outcome is not known: its versions stay. Lock held. */
void avout__stage_keep(avout_txn *txn);
/* The versions that a confirmed batch has replaced go, in a while. Lock held. */
void avout__stage_replaced(avout__batch *batch);
/* Looks for versions that nothing leads to, and with `remove` deletes them. */
avout_status avout__foreign_collect(size_t *orphans, avout__stm *stm, avout__foreign *foreign,
                                    bool remove, int64_t deadline_ns);

/* ---- chunks.c: values that do not fit into their node ------------------------------------------------ */

/* The container of what does not fit, of a cell whose values lie in the store; lives as long as the
 * cell. Without the lock. */
avout_status avout__cell_chunks(avout__foreign **foreign, avout__cell *cell);
/* Takes back what was made of the largest values, and marks them to be staged as chunks, until the
 * transaction, which needs so many bytes of a multi, needs no more than `most`, or nothing helps. */
void avout__txn_spill(avout_txn *txn, size_t needed, size_t most);

/* ---- coded.c: values in other formats ------------------------------------------------------------------ */

void avout__coded_free(avout__stm *stm);

/* ---- sweep.c: a thread that waits for containers, for what nobody waits for ----------------------- */

/* `kind`: the container's table, as avout__foreign_kind and avout__held_kind say it. */
avout_status avout__sweeper_start(avout__stm *stm, const void *kind);
/* Ends the thread and deletes what there still is to delete, for a bounded time: while the store is
 * open, for what is in the store, and once more for what came after that; then nothing is taken. */
void avout__sweeper_end(avout__stm *stm);
void avout__sweeper_stop(avout__stm *stm);
void avout__sweeper_free(avout__stm *stm);
/* Best effort: what is not taken for want of memory is the collector's. Lock or not. */
typedef enum avout__delay {
    AVOUT__AT_ONCE,
    AVOUT__AFTER_A_SECOND,
    AVOUT__AFTER_GRACE, /* for those who are about to read it */
    AVOUT__LATER,       /* collections: the first after opening, */
    AVOUT__MUCH_LATER,  /* and the next ones */
    AVOUT__DELAYS,
} avout__delay;
void avout__sweep_version(avout__stm *stm, avout__foreign *foreign, const char *version,
                          avout__delay delay);
/* A collection; with `destroyed` the place goes as well, else it comes again. */
void avout__sweep_orphans(avout__stm *stm, avout__foreign *foreign, bool destroyed,
                          avout__delay delay);
/* Reads the live value and tells the cell's watches again: one that has watches. There is one such job of a
 * cell at a time. False: no memory. Lock held. */
bool avout__sweep_load(avout__cell *cell, avout__delay delay);

/* ---- aging.c --------------------------------------------------------------------------------------- */

/* Before the next run: makes an old transaction the elder, for whom others wait. */
void avout__elder_consider(avout_txn *txn);
/* Its run is over. Lock held. */
void avout__elder_leave(avout_txn *txn);
/* Before a commit that changes something: waits while there is an elder, for a bounded time. */
void avout__elder_respect(avout_txn *txn);

/* ---- batch.c, outcome.c, slot.c ----------------------------------------------------------------------------- */

/* Sends what can be sent. Lock held. */
void avout__send_ready(avout__stm *stm);
/* The same right after this transaction has joined pending. */
void avout__send_joined(avout_txn *txn);
/* The outcome of a batch is known. Lock held; frees the batch. */
void avout__batch_committed(avout__batch *batch, const avout_reply *reply);
void avout__batch_found_committed(avout__batch *batch, avout_point point);
void avout__batch_return(avout__batch *batch); /* certainly without effect: travels again */
void avout__batch_abandon(avout__batch *batch, avout_status status, const char *detail);
avout__slot *avout__slot_take(avout__stm *stm); /* one that is free, or NULL */
/* Fences the batches whose outcome is unclear. Lock held, connected. */
void avout__slots_settle(avout__stm *stm);
/* Removes this client's slots, as far as they are not needed, waiting a second at most. */
void avout__slots_remove(avout__stm *stm);

/* ---- doubt.c, lock held ---------------------------------------------------------------------------- */

/* Nobody reads any more what stands on any batch in flight, until it is settled. */
void avout__batches_veil(avout__stm *stm);
/* After a veiled batch was settled: what stands on no other shows again. */
void avout__veils_spread(avout__stm *stm);
/* An event of a cell was delivered, which is not live any more. */
void avout__batch_event(avout__cell *cell);
/* An answer of the store tells that what the cell shows is not the newest, or fails to tell that it
 * is. The cell is not live afterwards, and nothing stands on it visibly. */
void avout__cell_refuted(avout__cell *cell);
/* Live by our own write: shown until an answer refutes that. */
void avout__cell_trust(avout__cell *cell);
void avout__cell_untrust(avout__cell *cell);
/* Something newer than the reply of the suspect is about to show. */
void avout__batch_doubt(avout__stm *stm);

/* ---- layout.c: the store's own nodes --------------------------------------------------------------- */

#define AVOUT__ROOT "/avout"
#define AVOUT__CELLS AVOUT__ROOT "/cells"
#define AVOUT__CHUNKS AVOUT__ROOT "/chunks"
enum { AVOUT__PATH_MAX = 4096 };

/* Node path of a name (checked before); the length, always < AVOUT__PATH_MAX. */
size_t avout__layout_path(char path[AVOUT__PATH_MAX], const char *name);
/* And back; false for a path that is no cell's. */
bool avout__layout_name(char name[AVOUT__PATH_MAX], const char *path);
/* After a call that is safe to repeat: whether there is no connection, but time left; waits a little. */
bool avout__call_again(avout_status status, int64_t deadline_ns);
/* A request that is safe to repeat and whose outcome nobody depends on until it is known (a read; a node of
 * ours more or less): again while there is no connection. AVOUT_ETIMEOUT, AVOUT_ECANCELLED: no answer
 * in time, of what is in the detail. As avout__store_call otherwise. */
avout_status avout__call_repeated(avout__reply *reply, avout_store *store,
                                  const avout_request *request, const char *about,
                                  int64_t deadline_ns);
avout_status avout__layout_create(avout_store *store, int64_t deadline_ns);
/* Creates the directories above a cell. */
avout_status avout__layout_parents(avout__stm *stm, const char *name, int64_t deadline_ns);

/* ---- notify.c ---------------------------------------------------------------------------------------- */

avout_status avout__notifier_start(avout__stm *stm);
void avout__notifier_stop(avout__stm *stm);
void avout__notify_cell(avout__cell *cell); /* lock held */
void avout__notify_again(avout__stm *stm);  /* what there was no memory for; lock held */
void avout__notify_session(avout__stm *stm, avout_event event); /* lock held */
/* Without the lock; from any thread. */
void avout__notify_log(avout__stm *stm, avout_log_level level, const char *message);
bool avout__notifier_is_me(avout__stm *stm);
avout_status avout__watch_add(avout__cell *cell, const char *key, avout_watch_fn watch,
                              void *payload, void (*destroy)(void *payload));
avout_status avout__watch_remove(avout__cell *cell, const char *key);
/* A user's handle takes over a reference, and gives it back. */
void avout__cell_hold(avout__cell *cell);
void avout__cell_let_go(avout__cell *cell);
void avout__extra_free(avout__cell *cell); /* watches, validator; without the lock */
avout_status avout__validator_set(avout__cell *cell, avout_validator_fn validator, void *payload,
                                  void (*destroy)(void *payload));
avout_status avout__validator_check(avout__cell *cell, avout_value value);

/* ---- gather.c: lock held, but for end ------------------------------------------------------------------ */

/* Whether sending is to be held back for the callers that are about to be woken. Who began it calls end
 * after waking them, without the lock. */
bool avout__gather_begin(avout__stm *stm);
void avout__gather_arrived(avout__stm *stm);
void avout__gather_end(avout__stm *stm);
void avout__gather_measured(avout__stm *stm, int64_t sent_ns);

/* ---- keeper.c: the client's housekeeping ----------------------------------------------------------------- */

avout_status avout__keeper_start(avout__stm *stm);
void avout__keeper_stop(avout__stm *stm);
void avout__keeper_wake(avout__stm *stm); /* lock held */
bool avout__keeper_is_me(avout__stm *stm);
/* Something failed that nobody else will ask for again (no memory, a store in trouble): avout__resume is
 * called in a while. Lock held. */
void avout__try_later(avout__stm *stm);

/* ---- async.c: asynchronous transactions ----------------------------------------------------------------------------------------- */

/* What is done instead of returning; called on the executor's thread. */
typedef struct avout__job avout__job;
struct avout__job {
    avout_txn *txn; /* counted */
    avout_txn_fn body;
    void *payload;
    /* Reports the end; frees the job. */
    void (*finish)(avout__job *job, avout_status status);
    struct avout__executor *executor;
    avout__link link;  /* in the executor's ready queue */
    avout__link every; /* in its list of all */
    bool
        commits; /* the body has run: when the cell that was missing is there, only the commit is to */
    struct avout__job_waiter *waiters;
    size_t waiter_count;
};
/* Takes over the job unless it fails. */
avout_status avout__executor_submit(avout__job *job);
void avout__executor_stop(avout__stm *stm);
bool avout__executor_is_me(avout__stm *stm);

/* ---- contention.c ------------------------------------------------------------------------------------- */

/* Whether a batch has to wait with writing the cell for its turn in the store's queue. */
bool avout__turn_blocks(avout__cell *cell);
bool avout__turn_waits(const avout__cell *cell);                 /* the same, changing nothing */
void avout__turn_lost(avout__cell *cell);                        /* a multi was refused */
void avout__turn_won(avout__cell *cell, const avout_stat *stat); /* a multi was accepted */
void avout__turn_session_lost(avout__cell *cell);
void avout__turn_event(avout__stm *stm, const char *path);
/* Looks after turns that are over and waits that are too long; false: there are none. */
bool avout__turns_tick(avout__stm *stm);
void avout__turn_free(avout__cell *cell);

#endif
