/* Threads that share values: each changes its own variable, all of them start from the same
 * collections, whose nodes and cached hashes they meet. Run with the thread sanitizer. */
#include "unit/collection_support.h"

#include <pthread.h>

enum { THREADS = 4, ROUNDS = 30, SIZE = 300 };

static avout_value shared_map, shared_vector, shared_list;
static pthread_barrier_t barrier;

static void work(int64_t mine)
{
    const avout_value path[] = {I(-1 - mine)};
    avout_value map = avout_share(shared_map), vector = avout_share(shared_vector),
                list = avout_share(shared_list), number = I(mine);
    uint32_t hash = avout_value_hash(map) + avout_value_hash(vector);
    CHECK(avout_value_equal(vector, list));
    for (int64_t i = 0; i < SIZE; i += 7) {
        CHECK_OK(avout_assoc(&map, I(i), V(I(mine))));
        CHECK_OK(avout_assoc(&vector, I(i), V(I(mine))));
        CHECK_OK(avout_dissoc(&map, I(i + 1)));
        CHECK_OK(avout_conj(&vector, I(i)));
        CHECK_OK(avout_pop(&list));
        CHECK_OK(avout_conj(&list, I(mine)));
    }
    CHECK_OK(avout_update_in(&map, 1, path, avout_conj_fn, &number));
    for (int64_t i = 0; i < SIZE; i += 7) {
        avout_value at = avout_value_nth(vector, (size_t)i);
        CHECK_INT(mine, int_of(avout_value_nth(at, 0)));
        CHECK_INT(mine, int_of(avout_value_nth(avout_value_get(map, I(i)), 0)));
        CHECK(avout_is_none(avout_value_get(map, I(i + 1))));
    }
    avout_release(map);
    avout_release(vector);
    avout_release(list);
    CHECK_INT(hash, avout_value_hash(shared_map) + avout_value_hash(shared_vector));
}

static void *run(void *number)
{
    int64_t mine = *(const int64_t *)number;
    for (int i = 0; i < ROUNDS; i++) {
        pthread_barrier_wait(&barrier);
        work(mine);
        /* The last to let go frees what all have shared. */
        pthread_barrier_wait(&barrier);
        if (mine) continue;
        for (int64_t k = 0; k < SIZE; k++) CHECK_OK(avout_assoc(&shared_map, I(k), V(I(k), I(i))));
        CHECK_OK(avout_assoc(&shared_vector, I(5), avout_share(avout_value_nth(shared_list, 5))));
    }
    return NULL;
}

TEST(threads_share_values)
{
    pthread_t threads[THREADS];
    int64_t numbers[THREADS];
    shared_map = M0;
    shared_vector = V0;
    shared_list = L0;
    for (int64_t i = 0; i < SIZE; i++) {
        CHECK_OK(avout_assoc(&shared_map, I(i), V(I(i))));
        CHECK_OK(avout_conj(&shared_vector, I(i)));
        CHECK_OK(avout_conj(&shared_list, I(SIZE - 1 - i)));
    }
    CHECK(!pthread_barrier_init(&barrier, NULL, THREADS));
    for (int64_t i = 0; i < THREADS; i++) {
        numbers[i] = i;
        CHECK(!pthread_create(&threads[i], NULL, run, &numbers[i]));
    }
    for (int i = 0; i < THREADS; i++) CHECK(!pthread_join(threads[i], NULL));
    pthread_barrier_destroy(&barrier);
    avout_release(shared_map);
    avout_release(shared_vector);
    avout_release(shared_list);
    CHECK_INT(0, avout_memory_blocks());
}

/* The last two owners of a large collection let go at the same time. */
static void *let_go(void *value)
{
    pthread_barrier_wait(&barrier);
    avout_release(*(avout_value *)value);
    return NULL;
}

TEST(the_last_owners_let_go_together)
{
    CHECK(!pthread_barrier_init(&barrier, NULL, 2));
    for (int round = 0; round < 200; round++) {
        avout_value versions[2] = {M0, AVOUT_NONE};
        for (int64_t i = 0; i < 40; i++) CHECK_OK(avout_assoc(&versions[0], I(i), V(I(i))));
        versions[1] = avout_share(versions[0]);
        CHECK_OK(avout_assoc(&versions[1], I(3), I(4)));
        pthread_t threads[2];
        for (int i = 0; i < 2; i++) CHECK(!pthread_create(&threads[i], NULL, let_go, &versions[i]));
        for (int i = 0; i < 2; i++) CHECK(!pthread_join(threads[i], NULL));
        CHECK_INT(0, avout_memory_blocks());
    }
    pthread_barrier_destroy(&barrier);
}
