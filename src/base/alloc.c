#include "base/alloc.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/slab.h"

/* Small blocks come from slabs, unless the program has an allocator of its own or is built to have
 * every block watched. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SLABS false
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) ||                         \
    __has_feature(memory_sanitizer)
#define SLABS false
#endif
#endif
#ifndef SLABS
#define SLABS true
#endif

static void *default_allocate(size_t size, void *payload)
{
    (void)payload;
    return malloc(size);
}

static void *default_reallocate(void *block, size_t size, void *payload)
{
    (void)payload;
    return realloc(block, size);
}

static void default_release(void *block, void *payload)
{
    (void)payload;
    free(block);
}

static const avout_allocator default_allocator = {default_allocate, default_reallocate,
                                                  default_release, NULL};
static avout_allocator allocator = {default_allocate, default_reallocate, default_release, NULL};

static bool slabs = SLABS;

void *avout__slab_memory(size_t length)
{
    void *memory = NULL;
    return posix_memalign(&memory, AVOUT__SLAB_BYTES, length) ? NULL : memory;
}

void avout__slab_memory_free(void *memory)
{
    free(memory);
}

/* What a thread has of its own: a counter of blocks, as an atomic addition for each would cost as much
 * as a third of making one, and free blocks (slab.h). A block may be freed by another thread than its
 * maker's: of the counts only the sum means something. These structures are never freed; the next
 * thread goes on with one whose thread has ended. */
typedef struct heap {
    _Alignas(64) _Atomic int64_t blocks;
    _Atomic bool owned;
    struct heap *next;
    avout__slab_cache cache;
} heap;

static _Atomic(heap *) heaps;
static heap shared_heap; /* of threads that have none: while they end, and without memory */
static heap no_heap;     /* of threads that have not asked yet */
static _Thread_local heap *my_heap __attribute__((tls_model("initial-exec"))) = &no_heap;
static pthread_once_t heap_once = PTHREAD_ONCE_INIT;
static pthread_key_t heap_key;
static bool heap_key_made;

static void leave_heap(void *left)
{
    heap *mine = left;
    my_heap = &shared_heap;
    avout__slab_leave(&mine->cache);
    atomic_store_explicit(&mine->owned, false, memory_order_release);
}

static void make_heap_key(void)
{
    heap_key_made = !pthread_key_create(&heap_key, leave_heap);
}

static heap *take_heap(void)
{
    for (heap *h = atomic_load(&heaps); h; h = h->next) {
        if (!atomic_load_explicit(&h->owned, memory_order_relaxed) &&
            !atomic_exchange_explicit(&h->owned, true, memory_order_acquire))
            return h;
    }
    heap *fresh = aligned_alloc(_Alignof(heap), sizeof *fresh);
    if (!fresh) return NULL;
    *fresh = (heap){.owned = true, .next = atomic_load(&heaps)};
    while (!atomic_compare_exchange_weak(&heaps, &fresh->next, fresh)) continue;
    return fresh;
}

static heap *first_heap(void)
{
    pthread_once(&heap_once, make_heap_key);
    heap *taken = heap_key_made ? take_heap() : NULL;
    if (taken && pthread_setspecific(heap_key, taken)) {
        atomic_store_explicit(&taken->owned, false, memory_order_release);
        taken = NULL;
    }
    return my_heap = taken ? taken : &shared_heap;
}

static inline heap *get_heap(void)
{
    heap *mine = my_heap;
    return __builtin_expect(mine == &no_heap, 0) ? first_heap() : mine;
}

static inline avout__slab_cache *cache_of(heap *mine)
{
    return __builtin_expect(mine == &shared_heap, 0) ? NULL : &mine->cache;
}

static inline void count_own(heap *mine, int64_t change)
{
    int64_t blocks = atomic_load_explicit(&mine->blocks, memory_order_relaxed);
    atomic_store_explicit(&mine->blocks, blocks + change, memory_order_relaxed);
}

static inline void count(heap *mine, int64_t change)
{
    if (__builtin_expect(mine != &shared_heap, 1)) count_own(mine, change);
    else atomic_fetch_add_explicit(&mine->blocks, change, memory_order_relaxed);
}

size_t avout_memory_blocks(void)
{
    int64_t sum = atomic_load_explicit(&shared_heap.blocks, memory_order_relaxed);
    for (heap *h = atomic_load(&heaps); h; h = h->next)
        sum += atomic_load_explicit(&h->blocks, memory_order_relaxed);
    return sum < 0 ? 0 : (size_t)sum;
}

avout_status avout_allocator_set(const avout_allocator *wanted)
{
    if (!wanted) wanted = &default_allocator;
    if (!wanted->allocate || !wanted->reallocate || !wanted->release)
        return avout_fail(AVOUT_EINVAL, "allocator: a function is missing");
    if (wanted->allocate == allocator.allocate && wanted->reallocate == allocator.reallocate &&
        wanted->release == allocator.release && wanted->payload == allocator.payload)
        return AVOUT_OK;
    size_t blocks = avout_memory_blocks();
    if (blocks)
        return avout_fail(AVOUT_ESTATE, "allocator: cannot change while %zu blocks are in use",
                          blocks);
    allocator = *wanted;
    slabs = SLABS && allocator.allocate == default_allocate;
    return AVOUT_OK;
}

static void *no_memory(size_t size)
{
    avout_fail(AVOUT_ENOMEM, "out of memory: %zu bytes", size);
    return NULL;
}

__attribute__((noinline)) static void *alloc_slowly(size_t size)
{
    heap *mine = get_heap();
    void *block;
    if (!size) size = 1;
    if (slabs && size <= AVOUT__SLAB_LARGEST) block = avout__slab_take(cache_of(mine), size);
    else block = allocator.allocate(size, allocator.payload);
    if (!block) return no_memory(size);
    count(mine, 1);
    return block;
}

/* Nearly always a block is at hand; of threads without a heap of their own there is none. */
void *avout__alloc(size_t size)
{
    heap *mine = my_heap;
    if (!slabs || size - 1 >= AVOUT__SLAB_LARGEST || !avout__slab_at_hand(&mine->cache, size))
        return alloc_slowly(size);
    count_own(mine, 1);
    return avout__slab_take(&mine->cache, size);
}

void *avout__calloc(size_t items, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(items, size, &bytes)) return no_memory(SIZE_MAX);
    void *block = avout__alloc(bytes);
    if (block) memset(block, 0, bytes);
    return block;
}

/* A small block that changes its size. A much smaller one moves, too: what is kept of a vector that
 * was cut should not cost what the vector did. */
static void *move_small(void *block, size_t size)
{
    size_t room = avout__slab_size(block);
    if (size <= room && size > room / 2) return block;
    void *moved = avout__alloc(size);
    if (!moved) return NULL;
    memcpy(moved, block, size < room ? size : room);
    avout__free(block);
    return moved;
}

void *avout__realloc(void *block, size_t size)
{
    if (!block) return avout__alloc(size);
    if (!size) size = 1;
    if (slabs && avout__slab_owns(block)) return move_small(block, size);
    void *moved = allocator.reallocate(block, size, allocator.payload);
    return moved ? moved : no_memory(size);
}

void avout__free(void *block)
{
    if (!block) return;
    heap *mine = get_heap();
    count(mine, -1);
    if (slabs && avout__slab_owns(block)) avout__slab_give(cache_of(mine), block);
    else allocator.release(block, allocator.payload);
}

void *avout__memdup(const void *bytes, size_t length)
{
    void *copy = avout__alloc(length);
    if (copy && length) memcpy(copy, bytes, length);
    return copy;
}

char *avout__strdup(const char *text)
{
    return avout__memdup(text, strlen(text) + 1);
}

char *avout__format(const char *format, ...)
{
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, arguments);
    char *text = length < 0 ? NULL : avout__alloc((size_t)length + 1);
    if (text) vsnprintf(text, (size_t)length + 1, format, again);
    va_end(again);
    va_end(arguments);
    return text;
}

avout_status avout__grow(void **items, size_t *capacity, size_t needed, size_t size)
{
    if (needed <= *capacity) return AVOUT_OK;
    size_t wanted = *capacity ? *capacity : 8;
    while (wanted < needed) {
        if (wanted > SIZE_MAX / 2) wanted = needed;
        else wanted *= 2;
    }
    size_t bytes;
    if (__builtin_mul_overflow(wanted, size, &bytes))
        return avout_fail(AVOUT_ENOMEM, "out of memory: %zu items of %zu bytes", wanted, size);
    void *moved = avout__realloc(*items, bytes);
    if (!moved) return AVOUT_ENOMEM;
    *items = moved;
    *capacity = wanted;
    return AVOUT_OK;
}

avout_status avout__grow_out(void **items, const void *few, size_t *capacity, size_t size)
{
    if (*items != few) return avout__grow(items, capacity, *capacity + 1, size);
    void *more = avout__alloc(2 * *capacity * size);
    if (!more) return AVOUT_ENOMEM;
    memcpy(more, few, *capacity * size);
    *items = more;
    *capacity *= 2;
    return AVOUT_OK;
}
