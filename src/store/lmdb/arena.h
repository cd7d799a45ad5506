/* Memory that is given up all at once: where the replies of one round of the delivery thread live. */
#ifndef AVOUT_STORE_LMDB_ARENA_H
#define AVOUT_STORE_LMDB_ARENA_H

#include "avout/status.h"

typedef struct avout__lmdb_chunk avout__lmdb_chunk;

typedef struct avout__lmdb_arena {
    avout__lmdb_chunk *chunks;
    size_t size; /* given out since the last reset */
} avout__lmdb_arena;

#define AVOUT__LMDB_ARENA_INIT                                                                     \
    {                                                                                              \
        0                                                                                          \
    }

/* Aligned for anything; NULL when there is no memory. */
void *avout__lmdb_arena_take(avout__lmdb_arena *arena, size_t size);
/* A copy of the bytes, followed by a NUL. */
void *avout__lmdb_arena_copy(avout__lmdb_arena *arena, const void *bytes, size_t length);
/* Gives all up but one ordinary chunk. */
void avout__lmdb_arena_reset(avout__lmdb_arena *arena);
void avout__lmdb_arena_release(avout__lmdb_arena *arena);

#endif
