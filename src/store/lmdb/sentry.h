/* A thread that waits for the end of one other session, so that it is noticed at once and not at the
 * next tick. Every handle watches the next one in the ring of sessions that own ephemeral nodes:
 * whoever is left when others die comes to all of them, one after the other.
 *
 * It waits for a read lock on the session's byte. Such a wait has no end of its own; it is a
 * cancellation point, which is how it is given up. */
#ifndef AVOUT_STORE_LMDB_SENTRY_H
#define AVOUT_STORE_LMDB_SENTRY_H

#include <pthread.h>
#include <stdatomic.h>

#include "store/lmdb/session.h"
#include "store/lmdb/wake.h"

typedef struct avout__lmdb_sentry {
    int file;
    int64_t watched; /* 0: nobody, and no thread */
    pthread_t thread;
    avout__lmdb_slot *slot; /* woken when the session has ended */
    _Atomic bool ended;
} avout__lmdb_sentry;

/* Watches that session from now on (0: none). Without memory for a thread it watches nobody. */
void avout__lmdb_sentry_post(avout__lmdb_sentry *sentry, const avout__lmdb_session *session,
                             avout__lmdb_slot *slot, int64_t watched);
/* True, once, when the watched session has ended. */
bool avout__lmdb_sentry_ended(avout__lmdb_sentry *sentry);

#endif
