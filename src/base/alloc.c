#include "base/alloc.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"

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

/* Counted per thread group of cache lines: one shared counter would make every allocation of every
 * thread fight for one line. A block may be freed by another thread than its maker's: only the sum
 * means something. */
enum { SHARDS = 16 };
static struct {
    _Atomic int64_t blocks;
    char padding[64 - sizeof(int64_t)];
} shards[SHARDS];
static _Atomic uint32_t next_shard;
static _Thread_local uint32_t my_shard __attribute__((tls_model("initial-exec")));

static void count(int64_t change)
{
    if (!my_shard) my_shard = 1 + atomic_fetch_add(&next_shard, 1) % SHARDS;
    atomic_fetch_add_explicit(&shards[my_shard - 1].blocks, change, memory_order_relaxed);
}

size_t avout_memory_blocks(void)
{
    int64_t sum = 0;
    for (int i = 0; i < SHARDS; i++)
        sum += atomic_load_explicit(&shards[i].blocks, memory_order_relaxed);
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
    return AVOUT_OK;
}

static void *no_memory(size_t size)
{
    avout_fail(AVOUT_ENOMEM, "out of memory: %zu bytes", size);
    return NULL;
}

void *avout__alloc(size_t size)
{
    if (!size) size = 1;
    void *block = allocator.allocate(size, allocator.payload);
    if (!block) return no_memory(size);
    count(1);
    return block;
}

void *avout__calloc(size_t items, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(items, size, &bytes)) return no_memory(SIZE_MAX);
    void *block = avout__alloc(bytes);
    if (block) memset(block, 0, bytes);
    return block;
}

void *avout__realloc(void *block, size_t size)
{
    if (!block) return avout__alloc(size);
    if (!size) size = 1;
    void *moved = allocator.reallocate(block, size, allocator.payload);
    return moved ? moved : no_memory(size);
}

void avout__free(void *block)
{
    if (!block) return;
    count(-1);
    allocator.release(block, allocator.payload);
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
