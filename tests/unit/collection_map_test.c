/* Maps and sets against a plain array: thousands of random steps over keys that collide in all of
 * their hash, in part of it and not at all, with old versions kept. */
#include "unit/collection_support.h"

#include <stdlib.h>

#include "value/build.h"
#include "value/collection.h"

TEST(keys_of_a_wanted_hash_have_it)
{
    for (uint32_t i = 1; i < 50; i++) {
        avout_value key = I(int_with_hash(i * 0x1234567, i));
        CHECK_INT(i * 0x1234567, avout_value_hash(key));
        avout_release(key);
    }
    CHECK(int_with_hash(7, 1) != int_with_hash(7, 2));
}

enum { KEYS = 240, KEPT = 10 };
static avout_value keys[KEYS];

static void make_keys(void)
{
    for (uint32_t i = 0; i < KEYS; i++) {
        char text[32];
        snprintf(text, sizeof text, "key-%u", i);
        if (i < 30) keys[i] = I(int_with_hash(0xabcdef12, i));
        else if (i < 60) keys[i] = I(int_with_hash(0xabcdef12 ^ (i << 30), i)); /* last digit */
        else if (i < 90) keys[i] = I(int_with_hash((i << 20) | 0xdef12, i));    /* upper digits */
        else if (i < 120) keys[i] = STR(text);
        else if (i < 150) keys[i] = K(text);
        else if (i < 180) keys[i] = V(I(i), STR(text));
        else keys[i] = I(i);
    }
}

/* ---- the model -------------------------------------------------------------------------------- */

typedef struct version {
    avout_value value;
    bool present[KEYS];
    int64_t items[KEYS];
    size_t count;
} version;

static version current, kept[KEPT];
static uint32_t width;

static size_t check_node(const avout__champ *node, uint32_t shift, uint32_t prefix)
{
    uint32_t entries = avout__champ_entries(node), children = avout__champ_children(node);
    size_t count = entries;
    CHECK_INT(width, node->width);
    CHECK(entries * width + children <= node->capacity);
    if (shift) CHECK(children || entries > 1); /* invariant 2 */
    if (node->collision) {
        CHECK(shift > AVOUT__CHAMP_LAST_SHIFT && !children && entries > 1);
        return count;
    }
    CHECK(!(node->datamap & node->nodemap));
    uint32_t entry = 0, child = 0;
    for (uint32_t digit = 0; digit < 32; digit++) {
        uint32_t here = prefix | (digit << shift);
        if (node->datamap >> digit & 1) {
            uint32_t hash = avout_value_hash(node->slots[entry++ * width].value);
            CHECK_INT(here, shift < 27 ? hash & ((1u << (shift + 5)) - 1) : hash);
        }
        if (node->nodemap >> digit & 1)
            count += check_node(avout__champ_child(node, child++), shift + 5, here);
    }
    return count;
}

static void check_map(const version *v)
{
    const avout__hashed *hashed = avout__hashed_of(v->value);
    CHECK_INT(v->count, count_of(v->value));
    CHECK_INT(v->count <= AVOUT__SMALL_COUNT, !hashed->root);
    if (hashed->root) CHECK_INT(v->count, check_node(hashed->root, 0, 0));
    for (int i = 0; i < KEYS; i++) {
        avout_value found = avout_value_get(v->value, keys[i]);
        bool contains = !v->present[i];
        CHECK_OK(avout_value_contains(&contains, v->value, keys[i]));
        CHECK_INT(v->present[i], contains);
        CHECK_INT(v->present[i], !avout_is_none(found));
        if (!v->present[i]) continue;
        if (width == 2) CHECK_INT(v->items[i], int_of(found));
        else CHECK(avout_value_equal(found, keys[i]));
    }
    size_t seen = 0;
    avout_iterator it = avout_value_iterate(v->value);
    while (avout_iterator_next(&it)) {
        seen++;
        CHECK_INT(width == 2, !avout_is_none(it.key));
        avout_value found = avout_value_get(v->value, width == 2 ? it.key : it.item);
        CHECK(found.bits == it.item.bits);
    }
    CHECK_INT(v->count, seen);
    CHECK(!avout_iterator_next(&it));
}

/* Made in one go, from the last key to the first: equal, and in one order once it is a trie. */
static void check_built(const version *v)
{
    avout_value items[2 * KEYS];
    size_t used = 0;
    for (int i = KEYS - 1; i >= 0; i--) {
        if (!v->present[i]) continue;
        items[used++] = avout_share(keys[i]);
        if (width == 2) items[used++] = I(v->items[i]);
    }
    avout_value built = width == 2 ? avout_map(v->count, items) : avout_set(v->count, items);
    CHECK(!avout_is_none(built));
    if (avout__hashed_of(built)->root)
        CHECK_INT(v->count, check_node(avout__hashed_of(built)->root, 0, 0));
    CHECK_SAME(built, avout_share(v->value));
}

static void put(int i, int64_t number)
{
    if (width == 2) CHECK_OK(avout_assoc(&current.value, avout_share(keys[i]), I(number)));
    else CHECK_OK(avout_conj(&current.value, avout_share(keys[i])));
    current.count += !current.present[i];
    current.present[i] = true;
    current.items[i] = number;
}

static void take(int i)
{
    if (width == 2) CHECK_OK(avout_dissoc(&current.value, avout_share(keys[i])));
    else CHECK_OK(avout_disj(&current.value, avout_share(keys[i])));
    current.count -= current.present[i];
    current.present[i] = false;
}

static void run(int steps, uint64_t random)
{
    uint32_t towards_more = 70;
    for (int step = 0; step < steps; step++) {
        if (next_random(&random) % 500 == 0) towards_more = towards_more == 70 ? 25 : 70;
        int i = (int)(next_random(&random) % KEYS);
        if (next_random(&random) % 100 < towards_more) put(i, next_random(&random));
        else take(i);
        if (next_random(&random) % 40 == 0) {
            version *slot = &kept[next_random(&random) % KEPT];
            if (slot->value.bits) {
                check_map(slot);
                avout_release(slot->value);
            }
            *slot = current;
            avout_share(slot->value);
        }
        if (step % 37 == 0) check_map(&current);
        if (step % 101 == 0) check_built(&current);
    }
    for (int i = 0; i < KEPT; i++) {
        if (!kept[i].value.bits) continue;
        check_map(&kept[i]);
        check_built(&kept[i]);
        avout_release(kept[i].value);
    }
    for (int i = 0; i < KEYS; i++) take(i);
    check_map(&current);
    avout_release(current.value);
    for (int i = 0; i < KEYS; i++) avout_release(keys[i]);
    CHECK_INT(0, avout_memory_blocks());
}

TEST(maps_do_what_arrays_do)
{
    make_keys();
    width = 2;
    current.value = M0;
    run(20000, 3);
}

TEST(sets_do_what_arrays_do)
{
    make_keys();
    width = 1;
    current.value = S0;
    run(20000, 4);
}

/* Around the turn from array to trie and back, in every order of insertion of colliding keys. */
TEST(small_maps_turn_into_tries_and_back)
{
    make_keys();
    width = 2;
    current.value = M0;
    for (int round = 0; round < 200; round++) {
        for (int i = 0; i < 11; i++) put((round + i * 29) % KEYS, i);
        check_map(&current);
        check_built(&current);
        avout_value before = avout_share(current.value);
        for (int i = 0; i < 11; i++) {
            take((round + i * 29) % KEYS);
            check_map(&current);
        }
        CHECK_INT(11, count_of(before));
        avout_release(before);
    }
    avout_release(current.value);
    for (int i = 0; i < KEYS; i++) avout_release(keys[i]);
    CHECK_INT(0, avout_memory_blocks());
}

TEST(an_entry_given_twice_is_refused)
{
    for (size_t count = 2; count < 400; count = count * 3 / 2 + 1) {
        avout_value items[400];
        for (size_t i = 0; i < count; i++) items[i] = STR(i % 2 ? "odd" : "even");
        for (size_t i = 0; i < count - 1; i++) {
            avout_release(items[i]);
            items[i] = i % 3 ? I((int64_t)i) : I(int_with_hash(99, (uint32_t)i));
        }
        avout_release(items[count - 1]);
        size_t twice = count / 2, duplicate = 0;
        items[count - 1] = avout_share(items[0]);
        if (twice && twice < count - 1) {
            avout_release(items[twice]);
            items[twice] = avout_share(items[0]);
        } else {
            twice = count - 1;
        }
        for (size_t i = 0; i < count; i++) avout_share(items[i]);
        CHECK(avout_is_none(avout_set(count, items)));
        CHECK_STATUS(AVOUT_EEXISTS, avout_none_status());
        CHECK(avout_is_none(avout__set_from_owned(items, count, &duplicate)));
        CHECK_INT(twice, duplicate);
    }
    CHECK(avout_is_none(M(K("a"), I(1), K("b"), I(2), K("a"), I(3))));
    CHECK_STATUS(AVOUT_EEXISTS, avout_none_status());
    CHECK_INT(0, avout_memory_blocks());
}

TEST(small_maps_keep_the_order_of_insertion)
{
    avout_value map = M0;
    for (int i = 8; i > 0; i--) CHECK_OK(avout_assoc(&map, I(i), I(-i)));
    CHECK_OK(avout_assoc(&map, I(5), I(50)));
    CHECK_OK(avout_dissoc(&map, I(7)));
    static const int64_t order[] = {8, 6, 5, 4, 3, 2, 1};
    avout_iterator it = avout_value_iterate(map);
    for (int i = 0; i < 7; i++) {
        CHECK(avout_iterator_next(&it));
        CHECK_INT(order[i], int_of(it.key));
    }
    avout_release(map);
}

/* Clojure's: the key that is there stays, the item is replaced. */
TEST(a_key_that_is_there_stays)
{
    for (int size = 1; size < 30; size += 28) {
        avout_value key = STR("k"), equal_key = STR("k"), map = M0, set = S0;
        for (int i = 1; i < size; i++) {
            CHECK_OK(avout_assoc(&map, I(i), I(i)));
            CHECK_OK(avout_conj(&set, I(i)));
        }
        CHECK_OK(avout_assoc(&map, avout_share(key), I(1)));
        CHECK_OK(avout_conj(&set, avout_share(key)));
        CHECK_OK(avout_assoc(&map, avout_share(equal_key), I(2)));
        CHECK_OK(avout_conj(&set, avout_share(equal_key)));
        CHECK(avout_value_get(set, equal_key).bits == key.bits);
        CHECK_INT(2, int_of(avout_value_get(map, key)));
        CHECK_INT(size, count_of(map));
        avout_release(key);
        avout_release(equal_key);
        avout_release(map);
        avout_release(set);
    }
    CHECK_INT(0, avout_memory_blocks());
}

TEST(updates_of_an_only_owner_happen_in_place)
{
    avout_value map = M0;
    for (int i = 0; i < 2000; i++) CHECK_OK(avout_assoc(&map, I(i), I(i)));
    uintptr_t bits = map.bits;
    const void *root = avout__hashed_of(map)->root;
    size_t blocks = avout_memory_blocks();
    for (int i = 0; i < 2000; i++) CHECK_OK(avout_assoc(&map, I(i), I(-i)));
    CHECK(map.bits == bits && avout__hashed_of(map)->root == root);
    CHECK_INT(blocks, avout_memory_blocks());
    avout_value old = avout_share(map);
    CHECK_OK(avout_assoc(&map, I(7), I(7)));
    CHECK(map.bits != bits);
    CHECK_INT(-7, int_of(avout_value_get(old, I(7))));
    CHECK_INT(7, int_of(avout_value_get(map, I(7))));
    CHECK_OK(avout_dissoc(&map, I(7)));
    CHECK_INT(-7, int_of(avout_value_get(old, I(7))));
    /* What changes nothing copies nothing. */
    avout_value again = avout_share(old);
    CHECK_OK(avout_assoc(&again, I(8), I(-8)));
    CHECK_OK(avout_dissoc(&again, I(5000)));
    CHECK(again.bits == old.bits);
    avout_release(again);
    avout_release(old);
    avout_release(map);
    CHECK_INT(0, avout_memory_blocks());
}
