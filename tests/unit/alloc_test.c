/* The count of blocks: exact whoever makes and frees them, and whichever threads have ended. */
#include "base/alloc.h"

#include <pthread.h>

#include "avout/memory.h"
#include "support/test.h"

enum { THREADS = 8, BLOCKS = 2000, ROUNDS = 50 };

struct work {
    pthread_t thread;
    void *blocks[BLOCKS];
};

static void *make_blocks(void *payload)
{
    struct work *mine = payload;
    for (int i = 0; i < BLOCKS; i++) mine->blocks[i] = avout__alloc(16);
    return NULL;
}

static void *free_blocks(void *payload)
{
    struct work *mine = payload;
    for (int i = 0; i < BLOCKS; i++) avout__free(mine->blocks[i]);
    return NULL;
}

static void run_on_threads(struct work *works, void *(*run)(void *payload))
{
    for (int i = 0; i < THREADS; i++)
        CHECK_INT(0, pthread_create(&works[i].thread, NULL, run, &works[i]));
    for (int i = 0; i < THREADS; i++) CHECK_INT(0, pthread_join(works[i].thread, NULL));
}

TEST(blocks_are_counted_over_threads_that_come_and_go)
{
    static struct work works[THREADS];
    for (int round = 0; round < ROUNDS; round++) {
        run_on_threads(works, make_blocks);
        CHECK_INT(THREADS * BLOCKS, avout_memory_blocks());
        run_on_threads(works, free_blocks);
        CHECK_INT(0, avout_memory_blocks());
    }
}

static pthread_key_t late_key;

static void allocate_late(void *block)
{
    avout__free(block);
    avout__free(avout__alloc(1));
    /* Again, behind the destructors of other keys. */
    static _Thread_local int times;
    if (++times < 2) pthread_setspecific(late_key, avout__alloc(1));
}

static void *end_late(void *payload)
{
    pthread_setspecific(late_key, avout__alloc(1));
    return payload;
}

TEST(blocks_are_counted_while_a_thread_ends)
{
    pthread_t thread;
    CHECK_INT(0, pthread_key_create(&late_key, allocate_late));
    for (int i = 0; i < 20; i++) {
        CHECK_INT(0, pthread_create(&thread, NULL, end_late, NULL));
        CHECK_INT(0, pthread_join(thread, NULL));
    }
    CHECK_INT(0, avout_memory_blocks());
}

typedef struct stack {
    int few[3], *items;
    size_t capacity;
} stack;

static avout_status fill(void *payload)
{
    stack s = {.few = {0, 1, 2}, .items = s.few, .capacity = 3};
    avout_status status = AVOUT_OK;
    (void)payload;
    for (int i = 3; !status && i < 100; i++) {
        if ((size_t)i == s.capacity) status = AVOUT__GROW_OUT(&s.items, s.few, &s.capacity);
        if (!status) s.items[i] = i;
        for (int j = 0; j < i; j++) CHECK_INT(j, s.items[j]); /* on failure, too */
    }
    if (!status) CHECK_INT(192, s.capacity);
    for (int i = 0; i < 3; i++) CHECK_INT(i, s.few[i]);
    if (s.items != s.few) avout__free(s.items);
    return status;
}

TEST(an_owners_own_few_grow_out_of_it)
{
    test_each_allocation_fails(fill, NULL);
}
