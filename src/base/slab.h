/* Small blocks of memory, cheaper than malloc's: what values are made of. For base/alloc.c only.
 *
 * A slab is 64 KiB from malloc, cut into blocks of one size (a class). Each thread keeps a few free
 * blocks of each class at hand, and fetches and gives back many at a time: any thread may free what
 * another has made, and a thread that only waits holds a bounded amount. A slab that is wholly free
 * goes to a pool that all classes share, and beyond a bound back to malloc.
 *
 *   S1  A block's address is 8 more than a multiple of 16; malloc hands out multiples of 16. So an
 *       address tells whose a block is, and blocks are aligned for everything but 16-byte types,
 *       which nobody here uses.
 *   S2  slab.used counts its blocks that are in use or in a thread's cache; a slab is on its class's
 *       list exactly while it has a block to give.
 *   S3  Lock order: a class's lock, the pool's, malloc's. All are held over fork, so that the child
 *       finds them free and what they guard whole. */
#ifndef AVOUT_BASE_SLAB_H
#define AVOUT_BASE_SLAB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { AVOUT__SLAB_STEP = 16, AVOUT__SLAB_CLASSES = 64, AVOUT__SLAB_LARGEST = 1024 };

/* Free slabs that are kept for the next who needs one: 8 MiB, about what reading and dropping a text
 * of 2 MB takes. */
enum { AVOUT__SLAB_POOLED = 128 };

typedef struct avout__slab_block {
    struct avout__slab_block *next;
} avout__slab_block;

/* A thread's free blocks; zero at first. Ends empty (avout__slab_leave). */
typedef struct avout__slab_cache {
    struct {
        avout__slab_block *first;
        uint32_t count;
    } classes[AVOUT__SLAB_CLASSES];
} avout__slab_cache;

typedef struct avout__slab avout__slab;
struct avout__slab {
    _Alignas(64) avout__slab *next; /* in the list of its class, or the pool */
    avout__slab *before;
    avout__slab_block *back; /* blocks that came back */
    uint32_t used;           /* S2 */
    uint32_t fresh;          /* blocks from this one on were never handed out */
    uint32_t count;          /* of blocks */
    uint16_t class;
    uint16_t limit; /* how many of its blocks a thread keeps at most */
};

/* The slow halves of the two below. */
void *avout__slab_fetch(avout__slab_cache *cache, uint32_t class);
void avout__slab_return(avout__slab_block *block);
/* Gives back `count` of the blocks that the cache holds of a class. */
void avout__slab_give_back(avout__slab_cache *cache, uint32_t class, uint32_t count);

/* Gives back all blocks that the cache holds. */
void avout__slab_leave(avout__slab_cache *cache);

/* malloc's and free's memory for slabs, which begins at a multiple of AVOUT__SLAB_BYTES; in alloc.c,
 * the one place that calls them. */
void *avout__slab_memory(size_t length);
void avout__slab_memory_free(void *memory);

/* Slabs that nobody uses and malloc has not got back. For tests. */
size_t avout__slab_pooled(void);

enum { AVOUT__SLAB_BYTES = 1 << 16 };

/* Where a slab's header lies differs from slab to slab: at one place it would always fall into the
 * same few lines of the processor's caches. */
static inline avout__slab *avout__slab_of(void *block)
{
    uintptr_t start = (uintptr_t)block & ~(uintptr_t)(AVOUT__SLAB_BYTES - 1);
    return (avout__slab *)(start + (start / AVOUT__SLAB_BYTES & 15) * 64);
}

static inline bool avout__slab_owns(void *block)
{
    return (uintptr_t)block & 8;
}

static inline size_t avout__slab_size(void *block)
{
    return (size_t)(avout__slab_of(block)->class + 1) * AVOUT__SLAB_STEP;
}

/* Whether the cache has a block for that size. */
static inline bool avout__slab_at_hand(const avout__slab_cache *cache, size_t size)
{
    return cache->classes[(uint32_t)(size - 1) / AVOUT__SLAB_STEP].first;
}

/* 1 to AVOUT__SLAB_LARGEST bytes; NULL: no memory. Without a cache each block is fetched by itself. */
static inline void *avout__slab_take(avout__slab_cache *cache, size_t size)
{
    uint32_t class = (uint32_t)(size - 1) / AVOUT__SLAB_STEP;
    avout__slab_block *block = cache ? cache->classes[class].first : NULL;
    if (__builtin_expect(!block, 0)) return avout__slab_fetch(cache, class);
    cache->classes[class].first = block->next;
    cache->classes[class].count--;
    return block;
}

static inline void avout__slab_give(avout__slab_cache *cache, void *freed)
{
    avout__slab_block *block = freed;
    const avout__slab *slab = avout__slab_of(block);
    uint32_t class = slab->class;
    if (__builtin_expect(!cache, 0)) {
        avout__slab_return(block);
        return;
    }
    block->next = cache->classes[class].first;
    cache->classes[class].first = block;
    if (__builtin_expect(++cache->classes[class].count >= slab->limit, 0))
        avout__slab_give_back(cache, class, slab->limit / 2);
}

#endif
