/* The memory all processes of one store share (file "wake" of its directory): the word each handle
 * sleeps on, and the timed lock around LMDB's own write mutex, which knows no deadline.
 *
 * Nothing in it is needed to understand the store: it is set up anew by the first opening after
 * nobody had the store open. A process that dies in the middle of anything here leaves at worst a
 * wake-up undone, which the bound on every sleep repairs, or the lock, which is robust. */
#ifndef AVOUT_STORE_LMDB_WAKE_H
#define AVOUT_STORE_LMDB_WAKE_H

#include <pthread.h>
#include <stdatomic.h>

#include "avout/status.h"

enum { AVOUT__LMDB_SLOTS = 1024 }; /* handles that can be open at a time */

/* One a handle; a cache line of its own. */
typedef struct avout__lmdb_slot {
    _Atomic uint32_t word;        /* grows with everything the handle should look at */
    _Atomic uint32_t asleep;      /* spares others the system call while it is awake */
    _Atomic uint32_t wants_write; /* waits for the write lock */
    uint32_t reserved;
    _Atomic int64_t session; /* 0: free */
    char padding[40];
} avout__lmdb_slot;

typedef struct avout__lmdb_shared {
    char magic[8];
    uint32_t layout;
    uint32_t mutex_size;          /* differs between ABIs that could meet here */
    _Atomic uint32_t slot_limit;  /* slots in use are below it */
    _Atomic uint32_t last_writer; /* slot that held the write lock last */
    _Atomic uint32_t turn;        /* grows each time the lock is taken */
    uint32_t reserved;
    char padding[32];
    union {
        pthread_mutex_t mutex;
        char bytes[64];
    } write;
    avout__lmdb_slot slots[AVOUT__LMDB_SLOTS];
} avout__lmdb_shared;

/* Maps the file, creating it when absent. `alone`: nobody else has the store open, so what the file
 * holds is stale and is set up anew. Called under the opening lock. */
avout_status avout__lmdb_shared_map(avout__lmdb_shared **shared, int directory, const char *path,
                                    bool alone);
void avout__lmdb_shared_unmap(avout__lmdb_shared *shared);

/* A free slot for the session; `is_dead` tells whether a slot's session has ended without giving it
 * back. Called under the opening lock. AVOUT_ELIMIT when all are taken. */
avout_status avout__lmdb_slot_claim(avout__lmdb_slot **slot, avout__lmdb_shared *shared,
                                    int64_t session, bool (*is_dead)(int64_t, void *),
                                    void *payload);
void avout__lmdb_slot_release(avout__lmdb_slot *slot);

/* Sleeps until the word differs from `seen`, at most until the deadline. The word is read before
 * looking for work, so that work that comes in between is not slept over. */
void avout__lmdb_slot_wait(avout__lmdb_slot *slot, uint32_t seen, int64_t deadline_ns);
void avout__lmdb_slot_wake(avout__lmdb_slot *slot);
/* Wakes every handle but `mine` (may be NULL). */
void avout__lmdb_wake_all(avout__lmdb_shared *shared, const avout__lmdb_slot *mine);

/* The store-wide write lock. AVOUT_ETIMEOUT past the deadline, however stopped the holder is. */
avout_status avout__lmdb_write_lock(avout__lmdb_shared *shared, avout__lmdb_slot *slot,
                                    int64_t deadline_ns);
void avout__lmdb_write_unlock(avout__lmdb_shared *shared);

#endif
