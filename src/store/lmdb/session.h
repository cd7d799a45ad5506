/* A session's life is a lock on one byte of the file "sessions", which the kernel frees when the
 * process dies however it dies. The byte is locked before the session owns anything, so an id found
 * in the store whose byte is free belongs to nobody.
 *
 * The locks belong to open file descriptions (OFD locks): two handles of one process are two
 * sessions. A forked child shares them and must close the file (lmdb.c). */
#ifndef AVOUT_STORE_LMDB_SESSION_H
#define AVOUT_STORE_LMDB_SESSION_H

#include "store/lmdb/directory.h"

typedef struct avout__lmdb_session {
    int file;        /* -1: closed */
    int sentry_file; /* the same file opened again, for waiting (sentry.h) */
    int64_t id;
} avout__lmdb_session;

#define AVOUT__LMDB_SESSION_INIT                                                                   \
    {                                                                                              \
        .file = -1, .sentry_file = -1                                                              \
    }

avout_status avout__lmdb_session_open(avout__lmdb_session *session,
                                      const avout__lmdb_directory *directory);
/* Openings exclude each other, within a process too. AVOUT_ETIMEOUT past the deadline. */
avout_status avout__lmdb_opening_lock(const avout__lmdb_session *session, int64_t deadline_ns);
void avout__lmdb_opening_unlock(const avout__lmdb_session *session);
/* True when no session lives but, perhaps, this one. Under the opening lock. */
bool avout__lmdb_session_alone(const avout__lmdb_session *session);
/* Where the byte of a session's life is in the file. */
int64_t avout__lmdb_session_byte(int64_t id);
/* Chooses an id and locks its byte. */
avout_status avout__lmdb_session_enter(avout__lmdb_session *session);
/* True when nobody lives behind the id. Never for the session's own. */
bool avout__lmdb_session_dead(int64_t id, void *session);
/* Ends the session: its byte is free from now on. */
void avout__lmdb_session_close(avout__lmdb_session *session);

#endif
