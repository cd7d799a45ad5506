/* What the tests of collections share. */
#ifndef TESTS_UNIT_COLLECTION_SUPPORT_H
#define TESTS_UNIT_COLLECTION_SUPPORT_H

#include "support/test.h"

#include "avout/memory.h"
#include "avout/value.h"

/* Makers from arguments: V(I(1), K("a")). */
#define ITEMS_(...) ((const avout_value[]){__VA_ARGS__})
#define COUNT_(...) (sizeof ITEMS_(__VA_ARGS__) / sizeof(avout_value))
#define V(...) avout_vector(COUNT_(__VA_ARGS__), ITEMS_(__VA_ARGS__))
#define L(...) avout_list(COUNT_(__VA_ARGS__), ITEMS_(__VA_ARGS__))
#define S(...) avout_set(COUNT_(__VA_ARGS__), ITEMS_(__VA_ARGS__))
#define M(...) avout_map(COUNT_(__VA_ARGS__) / 2, ITEMS_(__VA_ARGS__))
#define I(n) avout_int(n)
#define K(name) avout_keyword(name)
#define STR(text) avout_string(text)
#define NIL avout_nil()
#define V0 avout_vector(0, NULL)
#define L0 avout_list(0, NULL)
#define S0 avout_set(0, NULL)
#define M0 avout_map(0, NULL)

/* Equal both ways, of one type, with one hash. Releases both. */
static inline bool same_and_release(avout_value a, avout_value b)
{
    bool equal = avout_value_equal(a, b) && avout_value_equal(b, a) &&
                 avout_value_hash(a) == avout_value_hash(b) &&
                 avout_value_type(a) == avout_value_type(b);
    avout_release(a);
    avout_release(b);
    return equal;
}
#define CHECK_SAME(expected, got) CHECK(same_and_release(expected, got))

static inline int64_t int_of(avout_value value)
{
    int64_t number;
    CHECK_OK(avout_value_to_int(&number, value));
    return number;
}

static inline size_t count_of(avout_value value)
{
    size_t count;
    CHECK_OK(avout_value_count(&count, value));
    return count;
}

/* The same numbers in every run. */
static inline uint32_t next_random(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*state >> 33);
}

/* ---- keys of a wanted hash: the mixing function of integers run backwards --------------------- */

static inline uint64_t inverse(uint64_t odd)
{
    uint64_t x = odd;
    for (int i = 0; i < 6; i++) x *= 2 - odd * x;
    return x;
}

/* The `nth` positive INT with that hash. */
static inline int64_t int_with_hash(uint32_t hash, uint32_t nth)
{
    for (uint64_t high = 0;; high++) {
        uint64_t bits = high << 32 | (uint32_t)(hash ^ (uint32_t)high);
        bits *= inverse(0xd6e8feb86659fd93u);
        bits = bits ^ bits >> 29 ^ bits >> 58;
        bits *= inverse(0x9e3779b97f4a7c15u);
        bits ^= bits >> 32;
        if ((int64_t)bits >= 0 && !nth--) return (int64_t)bits;
    }
}

#endif
