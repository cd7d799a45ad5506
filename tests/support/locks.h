/* What tests of locks share: handles that are there, queues as the store has them, threads that wait. */
#ifndef TESTS_SUPPORT_LOCKS_H
#define TESTS_SUPPORT_LOCKS_H

#include <pthread.h>
#include <stdatomic.h>

#include "support/await.h"
#include "support/suite.h"

int64_t locks_now_ms(void);

/* The test ends where they cannot be opened. */
avout_lock *locks_open(avout_client *client, const char *name);
avout_rwlock *locks_open_rw(avout_client *client, const char *name);
avout_condition *locks_open_condition(avout_lock *lock, const char *name);

/* Requests in the queue of a lock. */
size_t locks_queue(avout_client *client, const char *name);
/* Waits until there are so many: what is given up is taken back in the background. */
void locks_await_queue(avout_client *client, const char *name, size_t length);
/* Waits until so many threads of its client wait to have the lock. */
void locks_await_waiting(avout_lock *lock, size_t count);

/* A thread that acquires the lock and, if it has got it, releases it. */
typedef struct locks_waiter {
    avout_lock *lock;
    avout_wait_options options;
    avout_token token;
    avout_status status, released;
    _Atomic bool begun;
    pthread_t thread;
} locks_waiter;
/* Returns when the thread is about to acquire it. */
void locks_start(locks_waiter *w, avout_lock *lock, avout_wait_options options);
avout_status locks_finish(locks_waiter *w); /* of acquiring; waits for the thread */

#endif
