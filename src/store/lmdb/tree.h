/* The tree of nodes inside one LMDB transaction: what multis, gets and lists do to it.
 *
 * A call answers AVOUT_OK, or a refusal (AVOUT_ENOTFOUND, EEXISTS, EVERSION ...: the transaction is
 * as it was before the operation), or sets `broken`: the transaction can only be aborted. */
#ifndef AVOUT_STORE_LMDB_TREE_H
#define AVOUT_STORE_LMDB_TREE_H

#include "base/buffer.h"
#include "store/lmdb/arena.h"
#include "store/lmdb/environment.h"

typedef struct avout__lmdb_tree {
    avout__lmdb_env *env;
    MDB_txn *txn;
    avout__lmdb_head head;
    int64_t session; /* owner of the ephemeral nodes it creates */
    int64_t now_ms;
    avout__buffer *events;    /* of the multis so far, in the log's form (writers only) */
    avout__lmdb_arena *arena; /* where replies live */
    uint32_t log_flags;       /* of the multi in hand */
    bool changed;             /* the multi in hand has changed something */
    avout_status broken;
} avout__lmdb_tree;

avout_status avout__lmdb_tree_get(avout__lmdb_tree *tree, const char *path, avout_reply *reply,
                                  bool with_bytes);
avout_status avout__lmdb_tree_list(avout__lmdb_tree *tree, const char *path, avout_reply *reply);

/* One operation of a multi. `result` may be NULL. */
avout_status avout__lmdb_tree_apply(avout__lmdb_tree *tree, const avout_op *op,
                                    avout_op_result *result);
/* The outcome the operation would have now, without having it. */
avout_status avout__lmdb_tree_foresee(avout__lmdb_tree *tree, const avout_op *op);

/* A session found by avout__lmdb_tree_next_session: the smallest id above `after` that owns
 * ephemeral nodes; 0: none. */
int64_t avout__lmdb_tree_next_session(avout__lmdb_tree *tree, int64_t after);
/* Deletes the ephemeral nodes of a session. */
avout_status avout__lmdb_tree_reap(avout__lmdb_tree *tree, int64_t session);

#endif
