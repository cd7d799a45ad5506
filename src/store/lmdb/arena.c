#include "store/lmdb/arena.h"

#include <stdalign.h>
#include <string.h>

#include "base/alloc.h"
#include "base/banned.h"

enum { CHUNK = 64 * 1024, ALIGN = 16 };

struct avout__lmdb_chunk {
    avout__lmdb_chunk *next;
    size_t size, used;
    alignas(ALIGN) char bytes[];
};

void *avout__lmdb_arena_take(avout__lmdb_arena *arena, size_t size)
{
    if (size > SIZE_MAX - CHUNK) return NULL;
    size = (size + ALIGN - 1) / ALIGN * ALIGN;
    avout__lmdb_chunk *chunk = arena->chunks;
    if (!chunk || chunk->size - chunk->used < size) {
        size_t room = size > CHUNK ? size : CHUNK;
        chunk = avout__alloc(sizeof *chunk + room);
        if (!chunk) return NULL;
        *chunk = (avout__lmdb_chunk){.next = arena->chunks, .size = room};
        arena->chunks = chunk;
    }
    void *block = chunk->bytes + chunk->used;
    chunk->used += size;
    arena->size += size;
    return block;
}

void *avout__lmdb_arena_copy(avout__lmdb_arena *arena, const void *bytes, size_t length)
{
    char *block = avout__lmdb_arena_take(arena, length + 1);
    if (!block) return NULL;
    if (length) memcpy(block, bytes, length);
    block[length] = '\0';
    return block;
}

void avout__lmdb_arena_reset(avout__lmdb_arena *arena)
{
    avout__lmdb_chunk *kept = NULL;
    for (avout__lmdb_chunk *chunk = arena->chunks, *next; chunk; chunk = next) {
        next = chunk->next;
        if (!kept && chunk->size == CHUNK) {
            kept = chunk;
        } else {
            avout__free(chunk);
        }
    }
    if (kept) kept->next = NULL, kept->used = 0;
    arena->chunks = kept;
    arena->size = 0;
}

void avout__lmdb_arena_release(avout__lmdb_arena *arena)
{
    avout__lmdb_arena_reset(arena);
    avout__free(arena->chunks);
    *arena = (avout__lmdb_arena)AVOUT__LMDB_ARENA_INIT;
}
