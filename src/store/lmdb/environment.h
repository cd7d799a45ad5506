/* The LMDB environment of a store, one a directory and process: LMDB forbids opening one twice (the
 * second closing would drop the first one's locks), so they are kept by device and inode.
 *
 * Tables (integers in the machine's byte order, as LMDB's own):
 *     main    "head" -> avout__lmdb_head, beside LMDB's own entries for the others
 *     node    id -> avout__lmdb_node, then the bytes
 *     child   parent's id (big endian), name -> id of the child (tree.c)
 *     eph     session (big endian), id of the node (big endian) -> its path with a NUL
 *     log     slot of a ring -> what one change changed (log.c)
 *
 * Points. Each multi that changes something gets the next sequence number; several multis may share
 * an LMDB transaction (and its fsync), so LMDB's own ids would not tell them apart. After a power
 * loss in the lazy modes numbers that were given out may be given again: a point has the store's
 * epoch in front, which grows at the first opening after nobody had the store open where that could
 * have happened: the machine was started anew, the files are others, or the mode was a lazy one. */
#ifndef AVOUT_STORE_LMDB_ENVIRONMENT_H
#define AVOUT_STORE_LMDB_ENVIRONMENT_H

#include <lmdb.h>
#include <pthread.h>

#include "avout/sys/store.h"
#include "base/list.h"
#include "store/lmdb/directory.h"
#include "store/lmdb/wake.h"

enum { AVOUT__LMDB_ROOT = 1, AVOUT__LMDB_SEQUENCE_BITS = 40 };

typedef struct avout__lmdb_head {
    uint64_t format;
    uint64_t epoch;
    uint64_t sequence; /* of the last change */
    uint64_t next_id;  /* of nodes; never given twice */
    uint64_t log_slots;
    uint64_t lazy; /* written by a lazy process since the epoch began */
    uint64_t hash_key[2];
    uint64_t device, inode; /* of data.mdb, and */
    char boot[40];          /* the kernel's boot id when the epoch began */
} avout__lmdb_head;

/* The beginning of a node's record. */
typedef struct avout__lmdb_node {
    int64_t version;
    avout_point created, changed;
    int64_t changed_ms;
    int64_t owner;          /* session; 0: persistent */
    uint64_t next_sequence; /* of its sequential children; never goes back */
    uint64_t children;
} avout__lmdb_node;

typedef struct avout__lmdb_env {
    MDB_env *env;
    MDB_dbi main, node, child, eph, log;
    avout__lmdb_shared *shared;
    pthread_rwlock_t map_lock; /* shared: a transaction is open; exclusive: the map is replaced */
    _Atomic int durability;    /* avout_durability; of the process's handles the strongest */
    avout__link link;          /* in the registry, under its lock: */
    unsigned references;
    dev_t device;
    ino_t inode;
} avout__lmdb_env;

/* The process's environment of the directory, opened (and the store created) if need be. Called
 * under the store's opening lock; `alone`: no session lives. */
avout_status avout__lmdb_env_ref(avout__lmdb_env **env, const avout__lmdb_directory *directory,
                                 const avout_options *options, bool alone);
void avout__lmdb_env_unref(avout__lmdb_env *env);
/* Gives all handles of the process at least this durability. Inside the write lock. */
void avout__lmdb_env_strengthen(avout__lmdb_env *env, avout_durability durability);

/* A read transaction: *txn is NULL the first time and kept by the caller between begin and end, so
 * that beginning again costs no more than a look at the newest state. */
avout_status avout__lmdb_read_begin(avout__lmdb_env *env, MDB_txn **txn);
void avout__lmdb_read_end(avout__lmdb_env *env, MDB_txn *txn);
/* Frees a transaction that is not begun. */
void avout__lmdb_read_free(MDB_txn *txn);

/* A write transaction, inside the write lock (wake.h). Commit and abort end it. */
avout_status avout__lmdb_write_begin(avout__lmdb_env *env, MDB_txn **txn);
/* AVOUT_ENOSPACE, AVOUT_ENOMEM: certainly not done. AVOUT_EIO: perhaps. */
avout_status avout__lmdb_write_commit(avout__lmdb_env *env, MDB_txn *txn);
void avout__lmdb_write_abort(avout__lmdb_env *env, MDB_txn *txn);

avout_status avout__lmdb_head_get(avout__lmdb_env *env, MDB_txn *txn, avout__lmdb_head *head);
/* LMDB's code of the failure, or 0. */
int avout__lmdb_head_put(avout__lmdb_env *env, MDB_txn *txn, const avout__lmdb_head *head);

static inline avout_point avout__lmdb_point(const avout__lmdb_head *head)
{
    return head->epoch << AVOUT__LMDB_SEQUENCE_BITS | head->sequence;
}

/* The port's status for a code of LMDB's, with the detail set. */
avout_status avout__lmdb_fail(int code, const char *what);

/* Around fork: the registry's lock must not be held by a thread that the child does not have. */
void avout__lmdb_env_fork_prepare(void);
void avout__lmdb_env_fork_parent(void);
/* The child forgets the parent's environments: it must neither use nor close them. */
void avout__lmdb_env_fork_child(void);

#endif
