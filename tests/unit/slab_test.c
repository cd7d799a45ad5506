/* Small blocks: they keep what is written into them, come and go on any thread, and go back. The
 * functions are called directly: in builds with sanitizers the library itself does without slabs. */
#include "base/slab.h"

#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/test.h"

enum { BLOCKS = 20000, THREADS = 4, ROUNDS = 30 };

typedef struct held {
    unsigned char *block;
    size_t size;
} held;

static size_t size_at(size_t i)
{
    return i * 37 % AVOUT__SLAB_LARGEST + 1;
}

static void make(avout__slab_cache *cache, held *blocks, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        size_t size = size_at(i);
        blocks[i] = (held){avout__slab_take(cache, size), size};
        CHECK(blocks[i].block && avout__slab_owns(blocks[i].block));
        CHECK_INT(8, (uintptr_t)blocks[i].block % 16);
        CHECK(avout__slab_size(blocks[i].block) >= size);
        CHECK(avout__slab_size(blocks[i].block) < size + AVOUT__SLAB_STEP);
        memset(blocks[i].block, (int)(i % 251), size);
    }
}

static void drop(avout__slab_cache *cache, held *blocks, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        for (size_t at = 0; at < blocks[i].size; at++)
            if (blocks[i].block[at] != i % 251) CHECK_INT((int)(i % 251), blocks[i].block[at]);
        avout__slab_give(cache, blocks[i].block);
    }
}

TEST(blocks_of_all_sizes_keep_what_is_in_them)
{
    static held blocks[BLOCKS];
    avout__slab_cache cache = {0};
    for (int round = 0; round < 3; round++) {
        make(&cache, blocks, BLOCKS);
        drop(&cache, blocks, BLOCKS);
    }
    make(NULL, blocks, 2000);
    drop(&cache, blocks, 1000);
    for (size_t i = 1000; i < 2000; i++) avout__slab_give(NULL, blocks[i].block);
    avout__slab_leave(&cache);
    for (int class = 0; class < AVOUT__SLAB_CLASSES; class ++)
        CHECK(!cache.classes[class].first && !cache.classes[class].count);
}

static size_t in_use(void)
{
    struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
}

/* 40 MB of values in use, and none: no more than the pool stays. */
TEST(what_nobody_uses_goes_back_to_malloc)
{
    enum { MANY = 40000 };
    static void *blocks[MANY];
    avout__slab_cache cache = {0}, other = {0};
    size_t before = in_use();
    for (int i = 0; i < MANY; i++) CHECK((blocks[i] = avout__slab_take(&cache, 1000)));
    for (int i = 0; i < MANY; i++) {
        avout__slab_give(&other, blocks[i]);
        for (int class = 0; class < AVOUT__SLAB_CLASSES; class ++)
            CHECK(other.classes[class].count * (size_t)(class + 1) * 16 <= 16384);
    }
    avout__slab_leave(&cache);
    avout__slab_leave(&other);
    CHECK_INT(AVOUT__SLAB_POOLED, avout__slab_pooled());
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    CHECK(in_use() <= before + (AVOUT__SLAB_POOLED + 1) * (size_t)AVOUT__SLAB_BYTES);
#endif
    (void)before;
}

/* Each thread frees what the one before it has made. */
typedef struct work {
    pthread_t thread;
    struct work *from;
    _Atomic(held *) made;
} work;

static void *hand_on(void *payload)
{
    work *mine = payload;
    avout__slab_cache cache = {0};
    for (int round = 0; round < ROUNDS; round++) {
        held *blocks = malloc(1000 * sizeof *blocks), *none = NULL, *taken;
        make(&cache, blocks, 1000);
        while (!atomic_compare_exchange_weak(&mine->made, &none, blocks)) {
            none = NULL;
            taken = atomic_exchange(&mine->from->made, NULL);
            if (!taken) taken = atomic_exchange(&mine->made, NULL); /* nobody may come for it */
            if (taken) drop(&cache, taken, 1000);
            free(taken);
        }
    }
    avout__slab_leave(&cache);
    return NULL;
}

TEST(threads_free_what_others_have_made)
{
    static work works[THREADS];
    for (int i = 0; i < THREADS; i++) works[i].from = &works[(i + 1) % THREADS];
    for (int i = 0; i < THREADS; i++)
        CHECK_INT(0, pthread_create(&works[i].thread, NULL, hand_on, &works[i]));
    for (int i = 0; i < THREADS; i++) CHECK_INT(0, pthread_join(works[i].thread, NULL));
    avout__slab_cache cache = {0};
    for (int i = 0; i < THREADS; i++) {
        held *left = atomic_exchange(&works[i].made, NULL);
        if (left) drop(&cache, left, 1000);
        free(left);
    }
    avout__slab_leave(&cache);
}

static _Atomic bool enough;

static void *keep_busy(void *payload)
{
    while (!atomic_load(&enough)) {
        void *block = avout__slab_take(NULL, 64);
        avout__slab_give(NULL, block);
    }
    return payload;
}

TEST(a_forked_child_finds_no_lock_held)
{
    pthread_t thread;
    CHECK_INT(0, pthread_create(&thread, NULL, keep_busy, NULL));
    for (int i = 0; i < 100; i++) {
        pid_t child = fork();
        CHECK(child >= 0);
        if (!child) {
            alarm(60);
            void *block = avout__slab_take(NULL, 64);
            if (block) avout__slab_give(NULL, block);
            _exit(block ? 0 : 1);
        }
        int status;
        CHECK_INT(child, waitpid(child, &status, 0));
        CHECK_INT(0, status);
    }
    atomic_store(&enough, true);
    CHECK_INT(0, pthread_join(thread, NULL));
}
