/* The watches a handle has armed: path -> what is watched. Used by its delivery thread alone. */
#ifndef AVOUT_STORE_LMDB_ARMED_H
#define AVOUT_STORE_LMDB_ARMED_H

#include "avout/status.h"

enum { AVOUT__LMDB_WATCH_NODE = 1, AVOUT__LMDB_WATCH_CHILDREN = 2 };

typedef struct avout__lmdb_watch {
    struct avout__lmdb_watch *next;
    uint32_t hash;
    uint32_t kinds;
    char path[];
} avout__lmdb_watch;

typedef struct avout__lmdb_armed {
    avout__lmdb_watch **buckets;
    size_t bucket_count; /* a power of two, or 0 */
    size_t count;
} avout__lmdb_armed;

#define AVOUT__LMDB_ARMED_INIT                                                                     \
    {                                                                                              \
        0                                                                                          \
    }

avout_status avout__lmdb_armed_add(avout__lmdb_armed *armed, const char *path, uint32_t kind);
/* Disarms those of `kinds` the path is watched for; answers them (0: none). */
uint32_t avout__lmdb_armed_take(avout__lmdb_armed *armed, const char *path, size_t length,
                                uint32_t kinds);
/* Disarms all: a list, to be freed by the caller one by one with avout__free. */
avout__lmdb_watch *avout__lmdb_armed_take_all(avout__lmdb_armed *armed);
void avout__lmdb_armed_release(avout__lmdb_armed *armed);

#endif
