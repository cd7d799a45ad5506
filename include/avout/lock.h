/* Distributed locks: a reentrant lock, a read-write lock, conditions, for the threads, processes and
 * machines of one store.
 *
 *     avout_lock *lock;
 *     avout_token token;
 *     avout_status st = avout_lock_open(&lock, client, "/site/report");
 *     if (!st) st = avout_lock_acquire(&token, lock, NULL);
 *     if (!st) {
 *         ... what only one may do at a time; hand `token` to whatever can refuse an old one ...
 *         st = avout_lock_release(lock);
 *     }
 *     avout_lock_close(lock);
 *
 * A lock is where its name says ("/site/report"; names as those of atoms, in a space of their own):
 * programs that open the same name on the same store mean the same lock. It is first come, first
 * served, across processes; the threads of one process are served in their order, too, and may hand
 * the lock to each other a few times (sixteen, or for 50 ms) before others have their turn.
 *
 * A lock is held by a *thread* of a client: the one that acquired it has to release it. The same
 * thread may acquire again what it holds; it is free after as many releases. A thread that ends
 * without releasing leaves the lock held until the client is closed.
 *
 * What a lock can promise and what not. The store frees what a dead process held: at once on the
 * embedded store, when the session times out on ZooKeeper. So a holder that is cut off from
 * ZooKeeper, or is stopped (SIGSTOP, a debugger, a machine that sleeps) for longer than the session's
 * timeout, loses the lock while it believes to have it: no lock service can prevent that. It is told
 * as early as can be known (avout_lock_is_held, avout_lock_on_lost, AVOUT_ELOST from the next call),
 * and there are two ways to be safe nevertheless:
 *   - a transaction with avout_txn_require changes nothing unless the lock is still held;
 *   - every acquisition has a token greater than all before it: whoever keeps what the lock guards
 *     refuses a token smaller than the greatest it has seen.
 * On the embedded store a stopped process loses nothing: it stops the others as well.
 *
 * All functions: any thread, none of the library's locks held while user code runs. A handle is used
 * until its close function is called, which nobody may do at the same time. Beside their own statuses
 * all that take a handle or a client answer AVOUT_ECLOSED (the client is closed), AVOUT_EFORK (opened
 * before fork), AVOUT_ENOMEM, AVOUT_EPERM, AVOUT_EAUTH, AVOUT_EIO, AVOUT_ENOSPACE. */
#ifndef AVOUT_LOCK_H
#define AVOUT_LOCK_H

#include "txn.h"

AVOUT_BEGIN

/* ---- fencing tokens ----------------------------------------------------------------------------
 * The token of an acquisition: the point of the store at which the client's request was made, and how
 * many times the lock was handed on within the client since. Of one lock's exclusive acquisitions the
 * later has the greater token; two acquisitions never have the same. Acquiring again what the thread
 * holds gives the same. {0, 0} is no lock's and smaller than all. */
typedef struct avout_token {
    uint64_t point;
    uint64_t count;
} avout_token;

/* < 0, 0, > 0: a is older than, equal to, newer than b. */
AVOUT_API int avout_token_compare(avout_token a, avout_token b);
/* Writes "POINT-COUNT", both as 16 digits in hexadecimal: such texts sort as their tokens do.
 * Returns `text`. */
#define AVOUT_TOKEN_SIZE 34
AVOUT_API const char *avout_token_text(char text[AVOUT_TOKEN_SIZE], avout_token token);
/* And back. AVOUT_ESYNTAX. */
AVOUT_API avout_status avout_token_parse(avout_token *token, const char *text);

/* ---- waiting -----------------------------------------------------------------------------------*/

/* Ends waits from another thread. One token may serve any number of waits, one after the other or at
 * the same time; once cancelled it stays so. */
typedef struct avout_cancel avout_cancel;
AVOUT_API avout_status avout_cancel_new(avout_cancel **cancel);
/* Waits with this token, those under way and those to come, end with AVOUT_ECANCELLED. Any thread,
 * not in a signal handler. Does not block. NULL is accepted. */
AVOUT_API void avout_cancel_set(avout_cancel *cancel);
AVOUT_API bool avout_cancel_is_set(const avout_cancel *cancel);
/* When no wait uses it any more. NULL is accepted. */
AVOUT_API void avout_cancel_free(avout_cancel *cancel);

/* How long to wait. NULL or zero-initialised: the client's timeout_ms. */
typedef struct avout_wait_options {
    int64_t timeout_ms; /* 0: the client's timeout_ms; AVOUT_FOREVER */
    int64_t
        until_unix_ms; /* a deadline on the wall clock, in place of timeout_ms; 0: none. The clock
                              is read once, when the wait begins */
    avout_cancel *cancel; /* borrowed for the time of the call; NULL: none */
    int64_t reacquire_ms; /* conditions: how long to wait for the lock after the wait has ended;
                              0 and AVOUT_FOREVER: as long as it takes */
} avout_wait_options;

/* ---- the lock ----------------------------------------------------------------------------------*/

typedef struct avout_lock avout_lock;

/* Opens a handle; asks nobody. All handles of a client on one name are one lock: what a thread
 * acquired through one it may release through another. AVOUT_ENAME, AVOUT_EINVAL. */
AVOUT_API avout_status avout_lock_open(avout_lock **lock, avout_client *client, const char *name);
/* Gives the handle back, with its callback; waits for one that runs (unless it is the caller). What is
 * held stays held. NULL is accepted. */
AVOUT_API void avout_lock_close(avout_lock *lock);
/* Borrowed, as long as the handle. */
AVOUT_API const char *avout_lock_name(const avout_lock *lock);

/* Waits until this thread holds the lock. One round trip to the store when nobody has it, none when
 * this thread has it, or another thread of the client hands it over. *token (may be NULL) is the
 * acquisition's. `options` may be NULL.
 * AVOUT_ETIMEOUT, AVOUT_ECANCELLED: not obtained, and nothing is left behind (the request is taken
 * back in the background where that needs the store). AVOUT_ELOST: this thread held the lock and lost
 * it; it has to release it first. AVOUT_EDEADLOCK: the thread holds the read lock of that name. A lost
 * connection or session is no error: the wait goes on, after a lost session at the queue's end. */
AVOUT_API avout_status avout_lock_acquire(avout_token *token, avout_lock *lock,
                                          const avout_wait_options *options);
/* The same without waiting for other holders: AVOUT_EBUSY if there is one, or somebody waits. Waits
 * for the store's answer, at most the client's timeout_ms (AVOUT_ETIMEOUT). */
AVOUT_API avout_status avout_lock_try(avout_token *token, avout_lock *lock);
/* Gives up one acquisition of this thread; the last one frees the lock: for the next thread of this
 * client at once, else with one round trip, which is waited for.
 * AVOUT_ENOTHELD: this thread does not hold it; nothing was changed. AVOUT_ELOST: it had been lost
 * before this call: what was done under it since may have met another holder. AVOUT_UNKNOWN: the
 * store did not answer within the client's timeout_ms; the lock is given up, in the background, as
 * soon as the store can be told. In all these cases but the first the acquisition is given up. */
AVOUT_API avout_status avout_lock_release(avout_lock *lock);

/* Whether this thread holds the lock, as far as can be known here: no, from the moment when the
 * session's timeout has passed since the last request was sent that the store has answered, connected
 * or not; and never yes again for the same acquisition. Asks nobody, does not block. A process can be
 * stopped right behind the answer: see above what helps. */
AVOUT_API bool avout_lock_is_held(avout_lock *lock);
/* How many times this thread has acquired it and not released, lost or not. */
AVOUT_API uint32_t avout_lock_hold_count(avout_lock *lock);
/* The token of this thread's acquisition. AVOUT_ENOTHELD, AVOUT_ELOST. */
AVOUT_API avout_status avout_lock_token(avout_token *token, avout_lock *lock);

/* The acquisition with that token was lost before it was released. Called once for each, on a thread of
 * the client's, outside locks, never concurrently with itself; may call the library but not
 * avout_close. `name` is borrowed. */
typedef void (*avout_lost_fn)(const char *name, avout_token token, void *payload);
/* Sets what is called for acquisitions made through this handle from now on; NULL: nothing. So it is set
 * before the lock is acquired: of acquisitions made earlier nobody is told any more. The one before is not
 * running any more when this returns (unless it is the caller). */
AVOUT_API avout_status avout_lock_on_lost(avout_lock *lock, avout_lost_fn lost, void *payload);

/* ---- the read-write lock -----------------------------------------------------------------------
 * Any number of readers or one writer. It is the same lock as the avout_lock of that name, which is its
 * writer: one queue, first come, first served. A reader waits for every writer that came before it, a
 * writer for everybody; readers next to each other in the queue have the lock at the same time.
 *
 * What a thread holds for writing it may acquire for reading, too; it keeps others out until both are
 * released. The other way round is refused with AVOUT_EDEADLOCK: two readers that both wait to become
 * the writer would wait for each other. Whoever reads may read again without queueing; and for a moment (50
 * ms, sixteen times) threads of a client join those of it that read already, though a writer waits. */
typedef struct avout_rwlock avout_rwlock;

AVOUT_API avout_status avout_rwlock_open(avout_rwlock **lock, avout_client *client,
                                         const char *name);        /* as avout_lock_open */
AVOUT_API void avout_rwlock_close(avout_rwlock *lock);             /* as avout_lock_close */
AVOUT_API const char *avout_rwlock_name(const avout_rwlock *lock); /* as avout_lock_name */

/* As avout_lock_acquire and avout_lock_try. A reader's token is greater than those of all writers before
 * it and smaller than those of all writers after it; those of readers at the same time differ, and say
 * nothing else. Trying to read answers AVOUT_EBUSY where a writer has it or waits. */
AVOUT_API avout_status avout_rwlock_read(avout_token *token, avout_rwlock *lock,
                                         const avout_wait_options *options);
AVOUT_API avout_status avout_rwlock_write(avout_token *token, avout_rwlock *lock,
                                          const avout_wait_options *options);
AVOUT_API avout_status avout_rwlock_try_read(avout_token *token, avout_rwlock *lock);
AVOUT_API avout_status avout_rwlock_try_write(avout_token *token, avout_rwlock *lock);
/* As avout_lock_release. AVOUT_ENOTHELD: this thread does not hold it in this way. */
AVOUT_API avout_status avout_rwlock_release_read(avout_rwlock *lock);
AVOUT_API avout_status avout_rwlock_release_write(avout_rwlock *lock);

/* As the functions of avout_lock. */
AVOUT_API bool avout_rwlock_is_read(avout_rwlock *lock);    /* this thread holds it for reading */
AVOUT_API bool avout_rwlock_is_written(avout_rwlock *lock); /* for writing */
AVOUT_API uint32_t avout_rwlock_read_count(avout_rwlock *lock);
AVOUT_API uint32_t avout_rwlock_write_count(avout_rwlock *lock);
AVOUT_API avout_status avout_rwlock_token(avout_token *token, avout_rwlock *lock);
AVOUT_API avout_status avout_rwlock_on_lost(avout_rwlock *lock, avout_lost_fn lost, void *payload);

/* ---- conditions ----------------------------------------------------------------------------------
 * Waiting, with the lock given up meanwhile, until somebody who changed something says so:
 *
 *     avout_lock_acquire(NULL, lock, NULL);
 *     while (there is nothing to do) st = avout_condition_wait(condition, &options);
 *     ...
 *     avout_lock_release(lock);
 *
 * A condition belongs to a lock and has a name of its own there ("not-empty"): whoever opens that lock and
 * that name, in whatever process, means the same condition. Signals wake in the order of waiting; one
 * meant for a waiter who dies, gives up, or cannot have the lock back goes to the next of those who waited
 * when it was sent. A wait may also end without a signal: look again at what was waited for, in a loop. */
typedef struct avout_condition avout_condition;

/* `lock` must stay open until the condition is closed. `name` is one segment of a name, without a slash;
 * AVOUT_ENAME. Asks nobody. */
AVOUT_API avout_status avout_condition_open(avout_condition **condition, avout_lock *lock,
                                            const char *name);
/* When no thread waits through it any more. NULL is accepted. */
AVOUT_API void avout_condition_close(avout_condition *condition);

/* Gives the lock up, however many times this thread has acquired it, waits for a signal, and has the lock
 * again when it returns, as many times, with another token. The time limit is that of the wait for the
 * signal; the lock is waited for as long as options->reacquire_ms says. AVOUT_OK (somebody signalled, or
 * not); AVOUT_ETIMEOUT, AVOUT_ECANCELLED: the lock is held, too. AVOUT_ENOTHELD: it was not to begin with.
 * AVOUT_ELOST: it had been lost before the wait, and has to be released; or it could not be had back in
 * time, and needs not. With that and any other status avout_lock_hold_count tells what there is to release.
 * A lost session ends the wait with AVOUT_OK: signals may have been missed. AVOUT_ELIMIT: 2^31 waits and
 * signals have used the condition's numbers up, with never nobody waiting; the lock is held. */
AVOUT_API avout_status avout_condition_wait(avout_condition *condition,
                                            const avout_wait_options *options);
/* Wakes one of those who wait now, if there is one; the second all of them. The calling thread holds the
 * lock (AVOUT_ENOTHELD, AVOUT_ELOST). Two round trips, one if nobody waits; at most the client's
 * timeout_ms: AVOUT_ETIMEOUT (no effect), AVOUT_UNKNOWN. A waiter goes on when it has the lock: not
 * before this thread has released it. */
AVOUT_API avout_status avout_condition_signal(avout_condition *condition);
AVOUT_API avout_status avout_condition_signal_all(avout_condition *condition);

/* ---- transactions ----------------------------------------------------------------------------------
 * Inside a body: the transaction commits only if the acquisition of `lock` with this token, by whichever
 * thread of the client, is still in force at the point where it does: the store checks that together with
 * all else. If it is not, the transaction changes nothing and avout_dosync answers AVOUT_ELOST. So what is
 * written in such transactions alone is safe from a holder that was stopped and goes on too late, without
 * anybody comparing tokens. One that only reads asks the store, too. To be called each time the body runs;
 * any number of locks.
 * AVOUT_ELOST: it is known already; AVOUT_ENOTHELD: released, or no token of this lock in this client;
 * AVOUT_EINVAL: a lock of another client. Does not block. */
AVOUT_API avout_status avout_txn_require(avout_txn *txn, avout_lock *lock, avout_token token);
AVOUT_API avout_status avout_txn_require_rw(avout_txn *txn, avout_rwlock *lock, avout_token token);

/* ---- inspection --------------------------------------------------------------------------------*/

/* A request for a lock, as it stands in the store's queue. */
typedef struct avout_lock_entry {
    bool shared;       /* for reading */
    bool holds;        /* has the lock; else it waits */
    bool mine;         /* made by this client */
    int64_t pid;       /* 0: not known (a foreign node) */
    const char *host;  /* of the process; "" where not known */
    int64_t since_ms;  /* made then; the store's wall clock, Unix time */
    int64_t session;   /* of the client that made it */
    avout_token token; /* its point; what was handed on within the client is not known here: 0 */
} avout_lock_entry;

typedef struct avout_lock_report {
    const avout_lock_entry *entries; /* in the queue's order, holders first */
    size_t count;
    const char *const *foreign; /* names of nodes below the lock's that are not this library's */
    size_t foreign_count;
} avout_lock_report;

/* Who has the lock of that name and who waits. Asks the store: one round trip for the list and one for
 * all entries; entries that go meanwhile are left out. Empty where nobody has ever asked for it.
 * AVOUT_ENAME, AVOUT_ETIMEOUT. Free the report with avout_lock_report_free. */
AVOUT_API avout_status avout_lock_inspect(avout_lock_report **report, avout_client *client,
                                          const char *name);
AVOUT_API void avout_lock_report_free(avout_lock_report *report); /* NULL is accepted */

/* Calls `each`, on this thread, in the order of the names, for the locks right below `directory` ("/"
 * for the top) and the directories there. A name can be both. Locks are listed until they are removed,
 * held or not. What `each` answers other than AVOUT_OK ends the call and is its answer. AVOUT_ENAME,
 * AVOUT_ETIMEOUT, AVOUT_ENOTFOUND (there is no such directory; never for "/"). */
typedef avout_status (*avout_lock_each_fn)(const char *name, bool directory, void *payload);
AVOUT_API avout_status avout_locks_each(avout_client *client, const char *directory,
                                        avout_lock_each_fn each, void *payload);
/* Removes the lock's node from the store. AVOUT_ENOTFOUND; AVOUT_EBUSY: somebody has it, waits for it,
 * or for one of its conditions; AVOUT_ENOTEMPTY: there are nodes below it that are not this library's
 * (the detail names one): nothing is removed. AVOUT_ETIMEOUT; AVOUT_UNKNOWN: the store has not answered in time. */
AVOUT_API avout_status avout_lock_remove(avout_client *client, const char *name);

AVOUT_END

#endif
