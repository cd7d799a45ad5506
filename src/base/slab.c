#include "base/slab.h"

#include <pthread.h>

#include "base/error.h"
#include "base/banned.h"

enum {
    /* What a thread keeps of a class: up to this many blocks or bytes. */
    KEPT_BLOCKS = 128,
    KEPT_BYTES = 16 << 10,
    LOCKS = 16,
    /* Slab lies behind slab in malloc's memory, whose own header fits between; and what malloc looks
     * for to align one is still below 128 KiB, from where on it would map pages for each. */
    LENGTH = AVOUT__SLAB_BYTES - 128
};

_Static_assert(sizeof(avout__slab) == 64, "a slab's header fills its line of the cache");
_Static_assert(AVOUT__SLAB_CLASSES *AVOUT__SLAB_STEP == AVOUT__SLAB_LARGEST, "classes");

/* Of each class the slabs that have a block to give. A lock serves four classes that are not
 * neighbours: fewer to be taken for a fork, and seldom two threads at one. */
static struct {
    _Alignas(64) pthread_mutex_t lock;
} locks[LOCKS];
static avout__slab *lists[AVOUT__SLAB_CLASSES];

static struct {
    pthread_mutex_t lock;
    avout__slab *first;
    size_t count;
} pool = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* ---- fork (S3) -------------------------------------------------------------------------------- */

static void before_fork(void)
{
    for (int i = 0; i < LOCKS; i++) pthread_mutex_lock(&locks[i].lock);
    pthread_mutex_lock(&pool.lock);
}

static void after_fork(void)
{
    pthread_mutex_unlock(&pool.lock);
    for (int i = LOCKS; i-- > 0;) pthread_mutex_unlock(&locks[i].lock);
}

__attribute__((constructor)) static void begin(void)
{
    for (int i = 0; i < LOCKS; i++) pthread_mutex_init(&locks[i].lock, NULL);
    pthread_atfork(before_fork, after_fork, after_fork);
}

/* ---- slabs ------------------------------------------------------------------------------------ */

static char *start_of(avout__slab *slab)
{
    return (char *)((uintptr_t)slab & ~(uintptr_t)(AVOUT__SLAB_BYTES - 1));
}

static void cut(avout__slab *slab, uint32_t class)
{
    uint32_t size = (class + 1) * AVOUT__SLAB_STEP, limit = KEPT_BYTES / size;
    size_t room = (size_t)(start_of(slab) + LENGTH - (char *)(slab + 1)) - 8;
    *slab = (avout__slab){.class = (uint16_t) class, .count = (uint32_t)(room / size)};
    slab->limit = limit < KEPT_BLOCKS ? (uint16_t)limit : KEPT_BLOCKS;
}

static avout__slab *slab_new(uint32_t class)
{
    pthread_mutex_lock(&pool.lock);
    avout__slab *slab = pool.first;
    if (slab) {
        pool.first = slab->next;
        pool.count--;
    }
    pthread_mutex_unlock(&pool.lock);
    if (!slab) {
        void *memory = avout__slab_memory(LENGTH);
        if (!memory) return NULL;
        slab = avout__slab_of(memory);
    }
    cut(slab, class);
    return slab;
}

static void slab_free(avout__slab *slab)
{
    pthread_mutex_lock(&pool.lock);
    bool kept = pool.count < AVOUT__SLAB_POOLED;
    if (kept) {
        slab->next = pool.first;
        pool.first = slab;
        pool.count++;
    }
    pthread_mutex_unlock(&pool.lock);
    if (!kept) avout__slab_memory_free(start_of(slab));
}

size_t avout__slab_pooled(void)
{
    pthread_mutex_lock(&pool.lock);
    size_t count = pool.count;
    pthread_mutex_unlock(&pool.lock);
    return count;
}

/* ---- the lists of classes; their lock is held ------------------------------------------------- */

static pthread_mutex_t *lock_of(uint32_t class)
{
    return &locks[class % LOCKS].lock;
}

static void list_add(avout__slab *slab)
{
    avout__slab **first = &lists[slab->class];
    slab->before = NULL;
    slab->next = *first;
    if (slab->next) slab->next->before = slab;
    *first = slab;
}

static void list_remove(avout__slab *slab)
{
    if (slab->before) slab->before->next = slab->next;
    else lists[slab->class] = slab->next;
    if (slab->next) slab->next->before = slab->before;
}

static bool has_room(const avout__slab *slab)
{
    return slab->back || slab->fresh < slab->count;
}

static avout__slab_block *pop(avout__slab *slab)
{
    avout__slab_block *block = slab->back;
    slab->used++;
    if (block) {
        slab->back = block->next;
        return block;
    }
    size_t offset = slab->fresh++ * (slab->class + (size_t)1) * AVOUT__SLAB_STEP;
    return (avout__slab_block *)(void *)((char *)(slab + 1) + 8 + offset); /* S1 */
}

static void push(avout__slab_block *block)
{
    avout__slab *slab = avout__slab_of(block);
    AVOUT__ASSERT(slab->used);
    if (!has_room(slab)) list_add(slab);
    block->next = slab->back;
    slab->back = block;
    if (--slab->used) return;
    list_remove(slab);
    slab_free(slab);
}

/* ---- between threads and lists ---------------------------------------------------------------- */

void *avout__slab_fetch(avout__slab_cache *cache, uint32_t class)
{
    avout__slab_block *first = NULL, **last = &first;
    pthread_mutex_lock(lock_of(class));
    if (!lists[class]) {
        avout__slab *fresh = slab_new(class);
        if (fresh) list_add(fresh);
    }
    avout__slab *slab = lists[class];
    uint32_t wanted = slab && cache ? slab->limit / 2 : 1, got = 0;
    for (; slab && got < wanted;
         got++) { /* from one slab: what is asked for together lies together */
        *last = pop(slab);
        last = &(*last)->next;
        if (has_room(slab)) continue;
        list_remove(slab);
        slab = NULL;
    }
    pthread_mutex_unlock(lock_of(class));
    if (!first) return NULL;
    *last = NULL;
    if (cache) {
        cache->classes[class].first = first->next;
        cache->classes[class].count = got - 1;
    }
    return first;
}

void avout__slab_return(avout__slab_block *block)
{
    uint32_t class = avout__slab_of(block)->class;
    pthread_mutex_lock(lock_of(class));
    push(block);
    pthread_mutex_unlock(lock_of(class));
}

void avout__slab_give_back(avout__slab_cache *cache, uint32_t class, uint32_t count)
{
    avout__slab_block *block = cache->classes[class].first;
    AVOUT__ASSERT(count <= cache->classes[class].count);
    cache->classes[class].count -= count;
    pthread_mutex_lock(lock_of(class));
    while (count--) {
        avout__slab_block *next = block->next;
        push(block);
        block = next;
    }
    pthread_mutex_unlock(lock_of(class));
    cache->classes[class].first = block;
}

void avout__slab_leave(avout__slab_cache *cache)
{
    for (uint32_t class = 0; class < AVOUT__SLAB_CLASSES; class ++)
        if (cache->classes[class].count)
            avout__slab_give_back(cache, class, cache->classes[class].count);
}
