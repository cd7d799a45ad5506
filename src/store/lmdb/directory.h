/* The store's directory: created, refused when it is not ours, locked while it is being opened.
 *
 *     avout.format   "avout embedded store, format N"
 *     data.mdb       LMDB's data
 *     lock.mdb       LMDB's locks
 *     sessions       empty; byte 0 is locked while somebody opens, byte 1 + id for a session's life
 *     wake           shared memory (wake.h)
 */
#ifndef AVOUT_STORE_LMDB_DIRECTORY_H
#define AVOUT_STORE_LMDB_DIRECTORY_H

#include <sys/types.h>

#include "avout/status.h"

enum { AVOUT__LMDB_FORMAT = 1 };

typedef struct avout__lmdb_directory {
    int file; /* -1: closed */
    dev_t device;
    ino_t inode;
    char *path;
} avout__lmdb_directory;

#define AVOUT__LMDB_DIRECTORY_INIT                                                                 \
    {                                                                                              \
        .file = -1                                                                                 \
    }

/* Creates the directory if absent and refuses what cannot be a store: not a directory, a network
 * file system, foreign content, a newer format. */
avout_status avout__lmdb_directory_open(avout__lmdb_directory *directory, const char *path);
/* Writes the format file if it is absent; under the opening lock. */
avout_status avout__lmdb_directory_format(const avout__lmdb_directory *directory);
void avout__lmdb_directory_close(avout__lmdb_directory *directory);

#endif
