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

/* Blocks are counted by each thread in a counter of its own: an atomic addition for each block would
 * cost as much as a third of making one. A block may be freed by another thread than its maker's:
 * only the sum means something. Counters are never freed; the next thread goes on with one whose
 * thread has ended. */
typedef struct counter {
    _Alignas(64) _Atomic int64_t blocks;
    _Atomic bool owned;
    struct counter *next;
} counter;

static _Atomic(counter *) counters;
static counter shared_counter; /* of threads that have none: while they end, and without memory */
static _Thread_local counter *my_counter __attribute__((tls_model("initial-exec")));
static pthread_once_t counter_once = PTHREAD_ONCE_INIT;
static pthread_key_t counter_key;
static bool counter_key_made;

static void leave_counter(void *left)
{
    my_counter = &shared_counter;
    atomic_store_explicit(&((counter *)left)->owned, false, memory_order_release);
}

static void make_counter_key(void)
{
    counter_key_made = !pthread_key_create(&counter_key, leave_counter);
}

static counter *take_counter(void)
{
    for (counter *c = atomic_load(&counters); c; c = c->next) {
        if (!atomic_load_explicit(&c->owned, memory_order_relaxed) &&
            !atomic_exchange_explicit(&c->owned, true, memory_order_acquire))
            return c;
    }
    counter *fresh = aligned_alloc(_Alignof(counter), sizeof *fresh);
    if (!fresh) return NULL;
    *fresh = (counter){.owned = true, .next = atomic_load(&counters)};
    while (!atomic_compare_exchange_weak(&counters, &fresh->next, fresh)) continue;
    return fresh;
}

static counter *first_count(void)
{
    pthread_once(&counter_once, make_counter_key);
    counter *taken = counter_key_made ? take_counter() : NULL;
    if (taken && pthread_setspecific(counter_key, taken)) {
        atomic_store_explicit(&taken->owned, false, memory_order_release);
        taken = NULL;
    }
    return my_counter = taken ? taken : &shared_counter;
}

static inline void count(int64_t change)
{
    counter *mine = my_counter;
    if (__builtin_expect(!mine, 0)) mine = first_count();
    if (__builtin_expect(mine == &shared_counter, 0)) {
        atomic_fetch_add_explicit(&mine->blocks, change, memory_order_relaxed);
        return;
    }
    int64_t blocks = atomic_load_explicit(&mine->blocks, memory_order_relaxed);
    atomic_store_explicit(&mine->blocks, blocks + change, memory_order_relaxed);
}

size_t avout_memory_blocks(void)
{
    int64_t sum = atomic_load_explicit(&shared_counter.blocks, memory_order_relaxed);
    for (counter *c = atomic_load(&counters); c; c = c->next)
        sum += atomic_load_explicit(&c->blocks, memory_order_relaxed);
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
