/* Something outside a lock that only its holder may change, and many processes that want to.
 *
 * The guard lies in memory that all processes share. It keeps the greatest tokens it has seen and refuses
 * smaller ones (I8). So of two holders at a time the older is refused from the moment when the younger
 * has come; whoever was refused must have lost the lock, and learns it from the lock as well: when the
 * release of a refused holder succeeds there were two holders. Who is killed inside is never heard of
 * again, so the guard needs not know who is dead.
 *
 * What is guarded is a number that everybody increments by reading it, waiting, and writing it back: it
 * is the count of increments in the end. */
#ifndef TESTS_SUPPORT_GUARD_H
#define TESTS_SUPPORT_GUARD_H

#include <pthread.h>

#include "support/crowd.h"
#include "support/suite.h"

#define GUARD_LOCK "/guarded/lock"

enum { GUARD_WORKERS = 16, GUARD_THREADS = 4 };

typedef struct guard_entry {
    avout_token token;
    _Atomic bool inside;
    bool shared;
    bool superseded; /* somebody came in with a greater token who must not be beside it */
    int64_t read;
} guard_entry;

/* What the processes do, how, and what came of it. In shared memory. */
typedef struct guard {
    pthread_mutex_t mutex; /* survives whoever is killed with it */
    avout_token greatest, greatest_writer;
    int64_t number, increments;
    guard_entry entries[GUARD_WORKERS][GUARD_THREADS];

    /* Set before the processes are started. */
    avout_options options;
    int threads;
    int readers;   /* so many of ten acquisitions are readers' */
    int hold_ms;   /* held for less than that; 0: released at once */
    bool gives_up; /* some waits are short or cancelled, some only try */
    bool loses;    /* sessions may end: who is refused must be told AVOUT_ELOST */

    _Atomic bool over;
    _Atomic int64_t acquired[GUARD_WORKERS];
    _Atomic int64_t tried[GUARD_WORKERS];            /* waits given up count, too */
    _Atomic int64_t given_up, refused, lost, beside; /* beside: readers next to another */
} guard;

guard *guard_new(void);

/* The holder comes: false if its token is refused. `worker` and `thread` say who; nobody else uses those
 * numbers at the same time, but for dead ones. */
bool guard_enter(guard *g, int worker, int thread, avout_token token, bool shared);
/* The holder goes, writing the number if it is a writer: false if its token is refused by now. */
bool guard_leave(guard *g, int worker, int thread);

/* A process's whole life: opens a client on `url` (NULL: the suite's), acquires, looks and releases with
 * so many threads until g->over. Ends the test when the lock breaks a promise. */
void guard_live(guard *g, int worker, const char *url);

/* A process's life: has the lock and says so, until it is over. */
void guard_hold(_Atomic bool *held, _Atomic bool *over);

/* Each of the first `count` workers has got the lock once more; fails when that takes longer. */
void guard_await_progress(guard *g, int count, int seconds, crowd_process *processes);
/* Requests in the lock's queue, asked by a process of its own. */
void guard_await_queue(size_t length, int seconds);
/* When all have ended: nothing is left behind, nothing was lost. */
void guard_audit(guard *g);

#endif
