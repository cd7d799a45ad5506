/* Vectors and lists against a plain array: thousands of random steps, with old versions kept. */
#include "unit/collection_support.h"

#include <stdlib.h>

#include "value/collection.h"

enum { MOST = 3000, KEPT = 12 };

typedef struct version {
    avout_value value;
    int64_t items[MOST];
    size_t count;
} version;

static version current, kept[KEPT];

static void check_vector(const version *v)
{
    CHECK_INT(v->count, count_of(v->value));
    avout_iterator it = avout_value_iterate(v->value);
    for (size_t i = 0; i < v->count; i++) {
        CHECK(avout_iterator_next(&it));
        CHECK_INT(v->items[i], int_of(it.item));
        CHECK_INT(v->items[i], int_of(avout_value_nth(v->value, i)));
    }
    CHECK(!avout_iterator_next(&it));
    CHECK(!avout_iterator_next(&it));
    CHECK(avout_is_none(avout_value_nth(v->value, v->count)));
}

/* Built in one go it must be equal: both ways of making agree, and so do their hashes. */
static void check_built(const version *v)
{
    avout_value items[MOST];
    for (size_t i = 0; i < v->count; i++) items[i] = avout_int(v->items[i]);
    bool list = avout_value_type(v->value) == AVOUT_TYPE_LIST;
    CHECK_SAME(list ? avout_list(v->count, items) : avout_vector(v->count, items),
               avout_share(v->value));
}

static void keep(uint64_t *random)
{
    version *slot = &kept[next_random(random) % KEPT];
    if (slot->value.bits) {
        check_vector(slot);
        avout_release(slot->value);
    }
    *slot = current;
    avout_share(slot->value);
}

static void finish(void)
{
    for (int i = 0; i < KEPT; i++) {
        if (!kept[i].value.bits) continue;
        check_vector(&kept[i]);
        check_built(&kept[i]);
        avout_release(kept[i].value);
    }
    avout_release(current.value);
    CHECK_INT(0, avout_memory_blocks());
}

/* Grows and shrinks in long runs, so that every height of the trie is met both ways. */
TEST(vectors_do_what_arrays_do)
{
    uint64_t random = 1;
    current.value = V0;
    bool grow = true;
    for (int step = 0; step < 60000; step++) {
        uint32_t dice = next_random(&random) % 100;
        if (current.count == MOST) grow = false;
        if (!current.count || next_random(&random) % 3000 == 0) grow = true;
        int64_t number = next_random(&random);
        if (dice < 70 && grow) {
            CHECK_OK(avout_conj(&current.value, I(number)));
            current.items[current.count++] = number;
        } else if (dice < 70) {
            CHECK_INT(current.items[current.count - 1], int_of(avout_value_peek(current.value)));
            CHECK_OK(avout_pop(&current.value));
            current.count--;
        } else if (dice < 95) {
            size_t index = next_random(&random) % (current.count + 1);
            CHECK_OK(avout_assoc(&current.value, I((int64_t)index), I(number)));
            current.items[index] = number;
            current.count += index == current.count;
            if (current.count > MOST - 1) grow = false;
        } else if (dice < 97) {
            keep(&random);
        }
        if (step % 997 == 0) {
            check_vector(&current);
            check_built(&current);
        }
        if (current.count == MOST) grow = false;
    }
    finish();
}

/* 32^2, 32^3 and what is next to them: where the trie grows and shrinks by a level. */
TEST(vectors_grow_and_shrink_at_the_edges_of_levels)
{
    static const int64_t edges[] = {32, 64, 1024, 1056, 1088, 32768, 32800, 32832};
    for (size_t e = 0; e < sizeof edges / sizeof *edges; e++) {
        for (int64_t count = edges[e] - 1; count <= edges[e] + 1; count++) {
            avout_value *items = malloc(sizeof *items * (size_t)count), grown = V0;
            for (int64_t i = 0; i < count; i++) items[i] = I(i);
            avout_value built = avout_vector((size_t)count, items);
            for (int64_t i = 0; i < count; i++) CHECK_OK(avout_conj(&grown, I(i)));
            CHECK(avout_value_equal(built, grown));
            for (int64_t i = 0; i < count; i++)
                CHECK_INT(i, int_of(avout_value_nth(built, (size_t)i)));
            avout_value old = avout_share(built);
            for (int i = 0; i < 70 && count_of(built); i++) {
                CHECK_OK(avout_pop(&built));
                CHECK_OK(avout_pop(&grown));
                CHECK(avout_value_equal(built, grown));
            }
            for (int64_t i = (int64_t)count_of(built); i < count; i++)
                CHECK_OK(avout_conj(&built, I(i)));
            CHECK(avout_value_equal(old, built));
            avout_release(old);
            avout_release(built);
            avout_release(grown);
            free(items);
        }
    }
    CHECK_INT(0, avout_memory_blocks());
}

TEST(lists_do_what_arrays_do)
{
    uint64_t random = 2;
    current.value = L0;
    bool grow = true;
    for (int step = 0; step < 20000; step++) {
        uint32_t dice = next_random(&random) % 100;
        if (current.count >= 300) grow = false;
        if (!current.count || next_random(&random) % 300 == 0) grow = true;
        if (dice < 90 && grow) {
            int64_t number = next_random(&random);
            CHECK_OK(avout_conj(&current.value, I(number)));
            memmove(current.items + 1, current.items, current.count++ * sizeof *current.items);
            current.items[0] = number;
        } else if (dice < 90) {
            CHECK_INT(current.items[0], int_of(avout_value_peek(current.value)));
            CHECK_OK(dice % 2 ? avout_pop(&current.value) : avout_rest(&current.value));
            memmove(current.items, current.items + 1, --current.count * sizeof *current.items);
        } else {
            keep(&random);
        }
        if (step % 499 == 0) {
            check_vector(&current);
            check_built(&current);
        }
    }
    finish();
}

/* Who is the only owner keeps the object: nothing is copied. */
TEST(updates_of_an_only_owner_happen_in_place)
{
    avout_value vector = V0;
    for (int i = 0; i < 100; i++) CHECK_OK(avout_conj(&vector, I(i)));
    uintptr_t root = vector.bits;
    const void *node = ((avout__vector *)vector.bits)->root;
    size_t blocks = avout_memory_blocks();
    for (int i = 0; i < 100; i++) CHECK_OK(avout_assoc(&vector, I(i), I(i + 1)));
    for (int i = 0; i < 28; i++) CHECK_OK(avout_conj(&vector, I(i)));
    CHECK(vector.bits == root);
    CHECK(((avout__vector *)vector.bits)->root == node);
    CHECK_INT(blocks, avout_memory_blocks());
    avout_value old = avout_share(vector);
    CHECK_OK(avout_assoc(&vector, I(0), I(-1)));
    CHECK(vector.bits != root);
    CHECK_INT(1, int_of(avout_value_nth(old, 0)));
    CHECK_INT(-1, int_of(avout_value_nth(vector, 0)));
    avout_release(old);
    avout_release(vector);

    avout_value list = L(I(1), I(2), I(3));
    CHECK_OK(avout_conj(&list, I(0)));
    root = list.bits;
    CHECK_OK(avout_conj(&list, I(-1)));
    CHECK_OK(avout_pop(&list));
    CHECK_OK(avout_rest(&list));
    CHECK(list.bits == root);
    CHECK_SAME(L(I(1), I(2), I(3)), list);
    CHECK_INT(0, avout_memory_blocks());
}

/* A hash that was asked for must not outlive a change in place. */
TEST(a_change_in_place_forgets_the_hash)
{
    avout_value v = V(I(1)), l = L(I(1));
    avout_value_hash(v);
    avout_value_hash(l);
    CHECK_OK(avout_conj(&v, I(2)));
    CHECK_OK(avout_conj(&l, I(2)));
    CHECK_INT(0, avout_value_hash(v) == avout_value_hash(l));
    CHECK_OK(avout_assoc(&v, I(0), I(2)));
    CHECK_OK(avout_assoc(&v, I(1), I(1)));
    CHECK_INT(avout_value_hash(v), avout_value_hash(l));
    CHECK_OK(avout_pop(&v));
    CHECK_OK(avout_pop(&l));
    CHECK(avout_value_hash(v) != avout_value_hash(l));
    CHECK_SAME(V(I(2)), v);
    CHECK_SAME(L(I(1)), l);
}
