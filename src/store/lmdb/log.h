/* The log of changes: a ring of records, one a change (multi), by which every process learns in
 * order what the others did. A record is overwritten when the ring comes round; who fell behind by
 * more than that has lost track.
 *
 * Record: sequence number (8), flags (4), then the events: kind (1), length (2), path with a NUL.
 * A sequence number that is not the expected one means that the ring has come round. */
#ifndef AVOUT_STORE_LMDB_LOG_H
#define AVOUT_STORE_LMDB_LOG_H

#include "base/buffer.h"
#include "store/lmdb/environment.h"

enum {
    AVOUT__LMDB_LOG_OVERFLOW = 1, /* more changed than a record may hold */
    AVOUT__LMDB_LOG_SESSIONS = 2, /* a session made its first ephemeral node or lost its last */
    AVOUT__LMDB_LOG_RECORD_MOST = 64 * 1024,
};

/* Adds an event; kinds are CREATED, CHANGED and DELETED (who watches the parent's children is told
 * by the path). */
avout_status avout__lmdb_event_add(avout__buffer *events, avout_node_event kind, const char *path);
/* Reads the event at *position and moves on; false at the end. *path is borrowed from `events`. */
bool avout__lmdb_event_next(avout_node_event *kind, const char **path, const char *events,
                            size_t length, size_t *position);

/* Writes the record of the change `head->sequence`. LMDB's code. */
int avout__lmdb_log_put(avout__lmdb_env *env, MDB_txn *txn, const avout__lmdb_head *head,
                        uint32_t flags, const char *events, size_t length);
/* Appends the events of the changes after `seen` up to head->sequence, unless `events` is NULL;
 * *flags collects the records' flags, AVOUT__LMDB_LOG_OVERFLOW when some events are not known (then
 * those in `events` mean nothing). */
void avout__lmdb_log_replay(avout__lmdb_env *env, MDB_txn *txn, const avout__lmdb_head *head,
                            uint64_t seen, avout__buffer *events, uint32_t *flags);

#endif
