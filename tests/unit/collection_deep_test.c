/* Values nested a hundred thousand times, on a thread of a small stack: made, hashed, compared and
 * released without recursion; also when there is no memory for a stack of our own. The thread is
 * alone: nothing for the thread sanitizer. Test-tags: single */
#include "unit/collection_support.h"

#include <pthread.h>
#include <stdlib.h>

enum { DEPTH = 100000, STACK = 128 * 1024 };

typedef enum shape { VECTORS, LISTS, MAP_ITEMS, MAP_KEYS, SETS, TAGGED, TAGGED_KEYS, MIXED } shape;

static avout_value wrap(shape s, avout_value inside, int level)
{
    switch (s) {
    case VECTORS: return V(inside, I(level));
    case LISTS: return L(inside);
    case MAP_ITEMS: return M(K("k"), inside, I(level), I(1));
    case MAP_KEYS: return M(inside, I(level));
    case SETS: return S(I(level), inside);
    case TAGGED: return avout_tagged("my/tag", V(I(level), avout_tagged("other", inside)));
    case TAGGED_KEYS: return S(avout_tagged("my/tag", inside), I(level));
    case MIXED: break;
    }
    return wrap((shape)(level % MIXED), inside, level);
}

static avout_value nest(shape s, int depth, int64_t seed)
{
    avout_value value = I(seed);
    for (int i = 0; i < depth; i++) value = wrap(s, value, i % 1000);
    return value;
}

static void *everything(void *unused)
{
    (void)unused;
    for (shape s = VECTORS; s <= MIXED; s++) {
        avout_value a = nest(s, DEPTH, 1), b = nest(s, DEPTH, 1), c = nest(s, DEPTH, 2);
        CHECK(avout_value_equal(a, b));
        CHECK(!avout_value_equal(a, c));
        CHECK_INT(avout_value_hash(a), avout_value_hash(b));
        CHECK(avout_value_hash(a) != avout_value_hash(c));
        CHECK(avout_value_equal(a, b));
        CHECK(!avout_value_equal(a, c));
        int order = 0;
        if (s == VECTORS) CHECK_OK(avout_value_compare(&order, a, c));
        if (s == VECTORS) CHECK(order < 0);
        avout_release(a);
        avout_release(b);
        avout_release(c);
        CHECK_INT(0, avout_memory_blocks());
    }
    return NULL;
}

static void on_small_stack(void *(*function)(void *))
{
    pthread_t thread;
    pthread_attr_t attributes;
    CHECK(!pthread_attr_init(&attributes));
    CHECK(!pthread_attr_setstacksize(&attributes, STACK));
    CHECK(!pthread_create(&thread, &attributes, function, NULL));
    CHECK(!pthread_join(thread, NULL));
    pthread_attr_destroy(&attributes);
}

TEST(deep_values_need_no_deep_stack)
{
    on_small_stack(everything);
}

/* ---- without memory --------------------------------------------------------------------------- */

static bool refuse;

static void *maybe_allocate(size_t size, void *payload)
{
    (void)payload;
    return refuse ? NULL : malloc(size);
}

static void *maybe_reallocate(void *block, size_t size, void *payload)
{
    (void)payload;
    return refuse ? NULL : realloc(block, size);
}

static void maybe_release(void *block, void *payload)
{
    (void)payload;
    free(block);
}

TEST(hash_and_equality_work_without_memory)
{
    static const avout_allocator scarce = {maybe_allocate, maybe_reallocate, maybe_release, NULL};
    CHECK_OK(avout_allocator_set(&scarce));
    for (shape s = VECTORS; s <= MIXED; s++) {
        for (int depth = 3; depth < 500; depth = depth * 5 / 4 + 1) {
            avout_value a = nest(s, depth, 1), b = nest(s, depth, 1), c = nest(s, depth, 2);
            refuse = true;
            if (s < MAP_ITEMS) { /* the others hash on their way */
                CHECK(avout_value_equal(a, b));
                CHECK(!avout_value_equal(a, c));
            }
            uint32_t hash = avout_value_hash(a);
            CHECK_INT(hash, avout_value_hash(b));
            CHECK(avout_value_equal(a, b));
            CHECK(!avout_value_equal(a, c));
            refuse = false;
            avout_release(b);
            b = nest(s, depth, 1);
            CHECK_INT(hash, avout_value_hash(b));
            avout_release(a);
            avout_release(b);
            avout_release(c);
        }
    }
    CHECK_OK(avout_allocator_set(NULL));
}

/* ---- equality --------------------------------------------------------------------------------- */

TEST(lists_and_vectors_are_equal_by_elements)
{
    avout_value list = L(I(1), V(I(2), L0), STR("x")), vector = V(I(1), L(I(2), V0), STR("x"));
    CHECK(avout_value_equal(list, vector));
    CHECK(avout_value_equal(vector, list));
    CHECK_INT(avout_value_hash(list), avout_value_hash(vector));
    CHECK_OK(avout_conj(&list, I(0)));
    CHECK(!avout_value_equal(list, vector));
    avout_release(list);
    avout_release(vector);
    avout_value a[] = {L0, V0, M0, S0, NIL};
    for (int i = 0; i < 5; i++) {
        for (int j = 0; j < 5; j++)
            CHECK_INT(i == j || (i < 2 && j < 2), avout_value_equal(a[i], a[j]));
    }
    for (int i = 0; i < 5; i++) avout_release(a[i]);
}

TEST(long_lists_and_vectors_are_compared_to_their_end)
{
    for (int count = 30; count < 140; count += 3) {
        avout_value vector = V0, list = L0;
        for (int i = 0; i < count; i++) {
            CHECK_OK(avout_conj(&vector, I(i)));
            CHECK_OK(avout_conj(&list, I(count - 1 - i)));
        }
        CHECK(avout_value_equal(vector, list));
        for (int i = 0; i < count; i++) {
            avout_value other = avout_share(vector);
            CHECK_OK(avout_assoc(&other, I(i), I(-1)));
            CHECK(!avout_value_equal(other, vector));
            CHECK(!avout_value_equal(list, other));
            avout_release(other);
        }
        avout_release(vector);
        avout_release(list);
    }
}

TEST(maps_and_sets_are_equal_in_any_order)
{
    avout_value a = M0, b = M0, c = S0, d = S0;
    for (int i = 0; i < 100; i++) {
        CHECK_OK(avout_assoc(&a, V(I(i)), S(I(i))));
        CHECK_OK(avout_assoc(&b, L(I(99 - i)), S(I(99 - i))));
        CHECK_OK(avout_conj(&c, V(I(i), I(1))));
        CHECK_OK(avout_conj(&d, L(I(99 - i), I(1))));
        CHECK_INT(i == 99, avout_value_equal(a, b));
        CHECK_INT(i == 99, avout_value_equal(c, d));
    }
    CHECK_INT(avout_value_hash(a), avout_value_hash(b));
    CHECK_INT(avout_value_hash(c), avout_value_hash(d));
    CHECK(!avout_value_equal(a, c));
    CHECK_OK(avout_assoc(&b, V(I(50)), S(I(51))));
    CHECK(!avout_value_equal(a, b));
    avout_release(a);
    avout_release(b);
    avout_release(c);
    avout_release(d);
}

/* Keys that are collections of one hash: which of them is the equal one shows only deep inside. */
TEST(equality_finds_the_right_one_among_keys_of_one_hash)
{
    for (int count = 2; count < 14; count++) {
        avout_value a = S0, b = S0, ma = M0, mb = M0;
        for (int i = 0; i < count; i++) {
            int64_t x = int_with_hash(5, (uint32_t)i),
                    y = int_with_hash(5, (uint32_t)(count - 1 - i));
            CHECK_OK(avout_conj(&a, V(V(I(1), V(I(x))))));
            CHECK_OK(avout_conj(&b, V(V(I(1), V(I(y))))));
            CHECK_OK(avout_assoc(&ma, S(V(I(x)), I(1)), V(I(x))));
            CHECK_OK(avout_assoc(&mb, S(V(I(y)), I(1)), V(I(y))));
            CHECK_INT(i == count - 1, avout_value_equal(a, b));
            CHECK_INT(i == count - 1, avout_value_equal(ma, mb));
        }
        CHECK(avout_value_equal(b, a));
        /* One hash, one count, and not equal: every candidate must be refuted. */
        CHECK_OK(avout_disj(&b, V(V(I(1), V(I(int_with_hash(5, 0)))))));
        CHECK_OK(avout_conj(&b, V(V(I(1), V(I(int_with_hash(5, 99)))))));
        CHECK_INT(avout_value_hash(a), avout_value_hash(b));
        CHECK(!avout_value_equal(a, b));
        CHECK(!avout_value_equal(b, a));
        CHECK_OK(avout_assoc(&mb, S(V(I(int_with_hash(5, 1))), I(1)), V(I(int_with_hash(5, 0)))));
        CHECK_INT(avout_value_hash(ma), avout_value_hash(mb));
        CHECK(!avout_value_equal(ma, mb));
        avout_release(a);
        avout_release(b);
        avout_release(ma);
        avout_release(mb);
    }
}

/* Clojure: (= [##NaN] [##NaN]) is false, and what is identical is equal. */
TEST(nan_makes_collections_unequal_but_to_themselves)
{
    avout_value nan = avout_float(0.0 / 0.0);
    avout_value a = V(avout_share(nan)), b = V(avout_share(nan));
    CHECK(!avout_value_equal(a, b));
    CHECK(avout_value_equal(a, a));
    avout_release(a);
    avout_release(b);
    avout_release(nan);
}
TEST(integers_are_equal_across_their_types_inside_too)
{
    avout_value a = V(I(1)), b = V(avout_float(1.0)), s = S(I(1));
    CHECK(!avout_value_equal(a, b));
    CHECK(avout_is_none(avout_value_get(s, avout_value_nth(b, 0))));
    avout_value big = avout_bigint("1", 1, 10), c = V(avout_share(big));
    CHECK(avout_value_equal(a, c));
    CHECK_INT(avout_value_hash(a), avout_value_hash(c));
    CHECK(!avout_is_none(avout_value_get(s, big)));
    avout_release(a);
    avout_release(b);
    avout_release(c);
    avout_release(s);
    avout_release(big);
}

TEST(vectors_are_ordered_by_length_then_elements)
{
    avout_value a[] = {V0, V(I(5)), V(I(1), I(2)), V(I(1), I(3)), V(I(1), V(I(0)))};
    int order;
    for (int i = 0; i < 4; i++) {
        for (int j = 0; j < 4; j++) {
            CHECK_OK(avout_value_compare(&order, a[i], a[j]));
            CHECK_INT((i > j) - (i < j), (order > 0) - (order < 0));
        }
    }
    CHECK_STATUS(AVOUT_ETYPE, avout_value_compare(&order, a[3], a[4]));
    avout_value b[] = {V(V0, I(9)), V(V(I(7)), I(1)), V(V(I(1), V(I(2))), I(1)),
                       V(V(I(1), V(I(3))), I(0))};
    for (int i = 0; i < 4; i++) {
        for (int j = 0; j < 4; j++) {
            CHECK_OK(avout_value_compare(&order, b[i], b[j]));
            CHECK_INT((i > j) - (i < j), (order > 0) - (order < 0));
        }
    }
    for (int i = 0; i < 4; i++) avout_release(b[i]);
    for (int i = 0; i < 5; i++) avout_release(a[i]);
}
