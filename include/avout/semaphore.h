/* Semaphores: at most so many at a time, among the threads, processes and machines of one store.
 *
 *     avout_semaphore *workers;
 *     avout_lease *lease;
 *     avout_status st = avout_semaphore_open(&workers, client, "/site/workers", 8);
 *     if (!st) st = avout_semaphore_acquire(&lease, workers, 1, NULL);
 *     if (!st) {
 *         ... what at most eight may do at a time ...
 *         st = avout_lease_release(lease);
 *     }
 *     avout_semaphore_close(workers);
 *
 * A semaphore has a number of permits, which is kept in the store. Who acquires some of them gets a
 * *lease*: it belongs to no thread, any thread may give it back, and it dies with its client. Requests are
 * served in the order in which they came, across processes: a small one does not overtake a large one that
 * waits before it. Names are as those of atoms, in a space of their own.
 *
 * What is said of locks in lock.h is true of leases, too: on ZooKeeper one can be lost while its holder
 * believes to have it, which avout_lease_is_held, the callback and avout_txn_require_lease are for; the token
 * of a lease tells it from all others, and of two the greater was asked for later.
 *
 * All functions: as those of locks (lock.h). */
#ifndef AVOUT_SEMAPHORE_H
#define AVOUT_SEMAPHORE_H

#include "lock.h"

AVOUT_BEGIN

typedef struct avout_semaphore avout_semaphore;
typedef struct avout_lease avout_lease;

#define AVOUT_PERMITS_MAX 1000000

/* Opens a handle on the semaphore of that name, which is made, with so many permits, if there is none yet.
 * `permits` 0: however many it has; AVOUT_ENOTFOUND then if there is none. AVOUT_ECONFLICT: it has another
 * number of permits; AVOUT_EINVAL: more than AVOUT_PERMITS_MAX; AVOUT_ENAME; AVOUT_EDATA: what the store has
 * under that name is no semaphore of this library's. Asks the store: AVOUT_ETIMEOUT after the client's
 * timeout_ms. */
AVOUT_API avout_status avout_semaphore_open(avout_semaphore **semaphore, avout_client *client,
                                            const char *name, uint32_t permits);
/* Gives the handle back, with its callback; waits for one that runs (unless it is the caller). Leases stay
 * as they are. When no thread waits through it any more. NULL is accepted. */
AVOUT_API void avout_semaphore_close(avout_semaphore *semaphore);
/* Borrowed, as long as the handle. */
AVOUT_API const char *avout_semaphore_name(const avout_semaphore *semaphore);

/* How many permits it has in all, as the store says now. AVOUT_ENOTFOUND: it has been removed;
 * AVOUT_EDATA; AVOUT_ETIMEOUT. */
AVOUT_API avout_status avout_semaphore_permits(uint32_t *permits, avout_semaphore *semaphore);
/* Changes that number, for everybody. More are there at once. Fewer: the difference is acquired first, in
 * its turn, and then taken away, so that never more are out than there are; that is what `options` are
 * for. AVOUT_ETIMEOUT, AVOUT_ECANCELLED: not changed. AVOUT_EINVAL: 0, or more than AVOUT_PERMITS_MAX;
 * AVOUT_ENOTFOUND, AVOUT_EDATA; AVOUT_UNKNOWN: the store did not answer in time, or the session was lost
 * meanwhile: it may have been changed, avout_semaphore_permits tells. */
AVOUT_API avout_status avout_semaphore_set_permits(avout_semaphore *semaphore, uint32_t permits,
                                                   const avout_wait_options *options);

/* Waits until so many permits are this lease's, all at once. One round trip to the store when they are
 * there and nobody waits. `options` may be NULL.
 * AVOUT_ETIMEOUT, AVOUT_ECANCELLED: not obtained, and nothing is left behind (the request is taken back in the
 * background where that needs the store). AVOUT_EINVAL: 0 permits, or more than AVOUT_PERMITS_MAX;
 * AVOUT_ELIMIT: more than the semaphore has. AVOUT_ENOTFOUND: it has been removed: open it anew. A lost
 * connection or session is no error: the wait goes on, after a lost session at the queue's end. */
AVOUT_API avout_status avout_semaphore_acquire(avout_lease **lease, avout_semaphore *semaphore,
                                               uint32_t permits, const avout_wait_options *options);
/* The same without waiting for others: AVOUT_EBUSY if there are not enough, or somebody waits. Waits for the
 * store's answer, at most the client's timeout_ms (AVOUT_ETIMEOUT). */
AVOUT_API avout_status avout_semaphore_try(avout_lease **lease, avout_semaphore *semaphore,
                                           uint32_t permits);

/* Gives the permits back, with one round trip, which is waited for, and frees the lease, whatever is
 * answered. AVOUT_ELOST: it had been lost before this call. AVOUT_UNKNOWN: the store did not answer within
 * the client's timeout_ms; they are given back, in the background, as soon as the store can be told.
 * AVOUT_ECLOSED: the client was closed before, which gave them back. To be called for every lease, in any
 * case but in a forked child. NULL is accepted. */
AVOUT_API avout_status avout_lease_release(avout_lease *lease);
/* Whether the permits are this lease's, as far as can be known here: as avout_lock_is_held. */
AVOUT_API bool avout_lease_is_held(avout_lease *lease);
AVOUT_API uint32_t avout_lease_permits(const avout_lease *lease);
AVOUT_API avout_token avout_lease_token(const avout_lease *lease);

/* Sets what is called for leases acquired through this handle that are lost before they are given back, and
 * are lost from now on; NULL: nothing. As avout_lock_on_lost. */
AVOUT_API avout_status avout_semaphore_on_lost(avout_semaphore *semaphore, avout_lost_fn lost,
                                               void *payload);

/* Inside a transaction's body: it commits only if the lease is still in force at the point where it does. As
 * avout_txn_require. AVOUT_ELOST: it is known to be lost; AVOUT_EINVAL: a lease of another client. */
AVOUT_API avout_status avout_txn_require_lease(avout_txn *txn, avout_lease *lease);

/* ---- inspection --------------------------------------------------------------------------------*/

/* A request for permits, as it stands in the store's queue. */
typedef struct avout_semaphore_entry {
    uint32_t permits;
    bool holds;        /* has them; else it waits */
    bool mine;         /* made by this client */
    int64_t pid;       /* 0: not known */
    const char *host;  /* of the process; "" where not known */
    int64_t since_ms;  /* last changed then (made, or served): the store's wall clock, Unix time */
    int64_t session;   /* of the client that made it */
    avout_token token; /* of the lease */
} avout_semaphore_entry;

typedef struct avout_semaphore_report {
    uint32_t permits;                     /* in all */
    uint32_t taken;                       /* by holders */
    const avout_semaphore_entry *entries; /* in the queue's order, holders first */
    size_t count;
    const char *const
        *foreign; /* names of nodes below the semaphore's that are not this library's */
    size_t foreign_count;
} avout_semaphore_report;

/* Who has permits and who waits. Asks the store: three round trips. Entries that go meanwhile are left
 * out. AVOUT_ENOTFOUND, AVOUT_ENAME, AVOUT_EDATA, AVOUT_ETIMEOUT. Free the report with
 * avout_semaphore_report_free. */
AVOUT_API avout_status avout_semaphore_inspect(avout_semaphore_report **report,
                                               avout_client *client, const char *name);
AVOUT_API void avout_semaphore_report_free(avout_semaphore_report *report); /* NULL is accepted */
/* As avout_locks_each, for semaphores. */
AVOUT_API avout_status avout_semaphores_each(avout_client *client, const char *directory,
                                             avout_lock_each_fn each, void *payload);
/* Removes the semaphore from the store. AVOUT_ENOTFOUND; AVOUT_EBUSY: somebody has permits, or waits for
 * some; AVOUT_ENOTEMPTY: there are nodes below it that are not this library's (the detail names one); AVOUT_ETIMEOUT;
 * AVOUT_UNKNOWN: the store has not answered in time. */
AVOUT_API avout_status avout_semaphore_remove(avout_client *client, const char *name);

AVOUT_END

#endif
