/* Memory that runs out at every possible place, NONE handed on, wrong types: what was there stays,
 * and nothing leaks. */
#include "unit/collection_support.h"

#include <stdlib.h>

typedef avout_status (*step)(avout_value *value);

static avout_value number_vector(int count)
{
    avout_value items[2000];
    for (int i = 0; i < count; i++) items[i] = I(i);
    return avout_vector((size_t)count, items);
}

static avout_value number_list(int count)
{
    avout_value items[2000];
    for (int i = 0; i < count; i++) items[i] = I(i);
    return avout_list((size_t)count, items);
}

static avout_value number_set(int count)
{
    avout_value items[2000];
    for (int i = 0; i < count; i++) items[i] = I(i);
    return avout_set((size_t)count, items);
}

static avout_value number_map(int count)
{
    avout_value items[4000];
    for (int i = 0; i < count; i++) {
        items[2 * i] = I(i);
        items[2 * i + 1] = V(I(i));
    }
    return avout_map((size_t)count, items);
}

static avout_status conj_string(avout_value *value)
{
    return avout_conj(value, STR("a string that is not immediate"));
}

static avout_status conj_pair(avout_value *value)
{
    return avout_conj(value, V(STR("key"), STR("item")));
}

static avout_status conj_map(avout_value *value)
{
    return avout_conj(value, M(STR("key"), STR("item"), I(3), STR("other"), K("x"), I(3)));
}

static avout_status disj_one(avout_value *value)
{
    return avout_disj(value, I(7));
}

static avout_status assoc_string(avout_value *value)
{
    return avout_assoc(value, I(5), STR("item"));
}

static avout_status assoc_key(avout_value *value)
{
    return avout_assoc(value, STR("key"), STR("item"));
}

static avout_status dissoc_one(avout_value *value)
{
    return avout_dissoc(value, I(7));
}

static avout_status assoc_in(avout_value *value)
{
    const avout_value path[] = {I(5), I(0), I(3)};
    avout_status status = avout_assoc(value, I(5), V(M(I(3), I(4))));
    if (!status) status = avout_assoc_in(value, 3, path, STR("item"));
    return status;
}

static avout_status deepen(avout_value *value)
{
    const avout_value path[] = {I(5), I(1), I(3), I(4)};
    return avout_assoc_in(value, 4, path, STR("item"));
}

static avout_status conj_inside(avout_value *value)
{
    const avout_value path[] = {I(5)}, item = I(9);
    return avout_update_in(value, 1, path, avout_conj_fn, &(avout_value){item.bits});
}

static avout_status into_it(avout_value *value)
{
    return avout_into(value, V(V(I(1), I(2)), V(STR("a"), I(2)), V(I(3), V0), V(K("k"), I(2))));
}

static avout_status merge_it(avout_value *value)
{
    return avout_merge(value, M(I(1), STR("x"), STR("y"), I(2), I(3), I(4)));
}

/* What is run on what: `old` is checked to be unchanged after a failure and for its other owner. */
static const struct {
    avout_value (*make)(int count);
    int count;
    step run;
} table[] = {
    {number_vector, 0, conj_string},
    {number_vector, 4, conj_string},
    {number_vector, 32, conj_string},
    {number_vector, 64, conj_string},
    {number_vector, 1056, conj_string},
    {number_vector, 1088, avout_pop},
    {number_vector, 33, avout_pop},
    {number_vector, 1057, avout_pop},
    {number_vector, 40, assoc_string},
    {number_vector, 1200, assoc_string},
    {number_vector, 5, assoc_string},
    {number_vector, 40, avout_rest},
    {number_vector, 40, avout_seq},
    {number_vector, 1000, avout_seq},
    {number_vector, 64, into_it},
    {number_list, 0, conj_string},
    {number_list, 4, conj_string},
    {number_list, 32, conj_string},
    {number_list, 70, avout_rest},
    {number_list, 20, avout_pop},
    {number_list, 40, into_it},
    {number_set, 0, conj_string},
    {number_set, 4, conj_string},
    {number_set, 8, conj_string},
    {number_set, 500, conj_string},
    {number_set, 9, disj_one},
    {number_set, 8, disj_one},
    {number_set, 500, disj_one},
    {number_set, 40, avout_rest},
    {number_set, 9, into_it},
    {number_map, 0, assoc_key},
    {number_map, 4, assoc_key},
    {number_map, 8, assoc_key},
    {number_map, 500, assoc_key},
    {number_map, 8, assoc_string},
    {number_map, 500, assoc_string},
    {number_map, 8, conj_pair},
    {number_map, 8, conj_map},
    {number_map, 30, conj_map},
    {number_map, 9, dissoc_one},
    {number_map, 8, dissoc_one},
    {number_map, 500, dissoc_one},
    {number_map, 8, assoc_in},
    {number_map, 600, assoc_in},
    {number_map, 8, deepen},
    {number_map, 600, deepen},
    {number_map, 8, conj_inside},
    {number_map, 600, conj_inside},
    {number_map, 7, into_it},
    {number_map, 100, into_it},
    {number_map, 7, merge_it},
    {number_map, 100, merge_it},
    {number_map, 30, avout_keys},
    {number_map, 30, avout_vals},
    {number_map, 30, avout_first},
    {number_map, 30, avout_rest},
    {number_map, 30, avout_seq},
};
enum { CASES = sizeof table / sizeof *table };

static size_t at;
static bool shared;

static avout_status one_case(void *payload)
{
    (void)payload;
    avout_value value = table[at].make(table[at].count);
    if (avout_is_none(value)) return avout_none_status();
    avout_value other = shared ? avout_share(value) : table[at].make(table[at].count);
    avout_status status = avout_is_none(other) ? avout_none_status() : AVOUT_OK;
    if (!status) {
        bool composite = table[at].run == assoc_in; /* two steps: the first one stays */
        status = table[at].run(&value);
        if (status && !composite) CHECK(avout_value_equal(value, other));
        if (!status && table[at].run != avout_seq) CHECK(!avout_value_equal(value, other));
        if (!avout_is_none(other) && !shared) avout_release(other);
        if (shared) {
            size_t count = 0;
            CHECK_OK(avout_value_count(&count, other));
            CHECK_INT(table[at].count, count);
            avout_release(other);
        }
    }
    avout_release(value);
    return status;
}

TEST(every_change_survives_every_failed_allocation)
{
    for (int i = 0; i < 2; i++) {
        shared = i;
        for (at = 0; at < CASES; at++) test_each_allocation_fails(one_case, NULL);
    }
}

static avout_status make_all(void *payload)
{
    static avout_value (*const makers[])(int) = {number_vector, number_list, number_set,
                                                 number_map};
    static const int counts[] = {0, 1, 8, 9, 40, 1100};
    (void)payload;
    for (int m = 0; m < 4; m++) {
        for (int c = 0; c < 6; c++) {
            avout_value value = makers[m](counts[c]);
            if (avout_is_none(value)) return avout_none_status();
            avout_release(value);
        }
    }
    return AVOUT_OK;
}

TEST_WITHIN(every_maker_survives_every_failed_allocation, 120)
{
    test_each_allocation_fails(make_all, NULL);
}

/* ---- NONE --------------------------------------------------------------------------------------*/

static avout_value failed(void)
{
    avout_value none = avout_char(0xd800);
    CHECK(avout_is_none(none));
    return none;
}

TEST(none_is_handed_on_with_its_status)
{
    avout_value v = V(I(1)), m = M(I(1), I(2)), s = S(I(1)), none = AVOUT_NONE;
    const avout_value path[] = {I(0)};
    CHECK_STATUS(AVOUT_ERANGE, avout_conj(&v, failed()));
    CHECK_STATUS(AVOUT_ERANGE, avout_conj(&m, failed()));
    CHECK_STATUS(AVOUT_ERANGE, avout_disj(&s, failed()));
    CHECK_STATUS(AVOUT_ERANGE, avout_assoc(&v, failed(), STR("released")));
    CHECK_STATUS(AVOUT_ERANGE, avout_assoc(&m, STR("released"), failed()));
    CHECK_STATUS(AVOUT_ERANGE, avout_dissoc(&m, failed()));
    CHECK_STATUS(AVOUT_ERANGE, avout_assoc_in(&v, 1, path, failed()));
    CHECK_STATUS(AVOUT_ERANGE, avout_get(&m, failed()));
    CHECK_STATUS(AVOUT_ERANGE, avout_nth(&v, failed()));
    CHECK_STATUS(AVOUT_ERANGE, avout_contains(&m, failed()));
    CHECK_STATUS(AVOUT_ERANGE, avout_into(&v, failed()));
    CHECK_STATUS(AVOUT_ERANGE, avout_merge(&m, failed()));
    CHECK_STATUS(AVOUT_ERANGE, avout_conj(&none, STR("released")));
    CHECK_STATUS(AVOUT_ERANGE, avout_pop(&none));
    CHECK_STATUS(AVOUT_ERANGE, avout_first(&none));
    CHECK(avout_is_none(V(STR("released"), failed(), STR("too"))));
    CHECK(avout_is_none(M(STR("released"), failed())));
    CHECK(avout_is_none(S(STR("released"), failed())));
    CHECK(avout_is_none(L(STR("released"), failed())));
    CHECK_STATUS(AVOUT_ERANGE, avout_none_status());
    CHECK_SAME(V(I(1)), v);
    CHECK_SAME(M(I(1), I(2)), m);
    CHECK_SAME(S(I(1)), s);
    CHECK_INT(0, avout_memory_blocks());
}

TEST(wrong_types_are_named_and_arguments_released)
{
    avout_value five = I(5), v = V(I(1)), m = M(I(1), I(2));
    const avout_value path[] = {I(0), I(0)};
    CHECK_STATUS(AVOUT_ETYPE, avout_conj(&five, STR("released")));
    CHECK_CONTAINS("conj: expected a collection, got ", avout_error_detail());
    CHECK_CONTAINS("int", avout_error_detail());
    CHECK_STATUS(AVOUT_ETYPE, avout_disj(&v, STR("released")));
    CHECK_CONTAINS("disj: expected a set, got ", avout_error_detail());
    CHECK_STATUS(AVOUT_ETYPE, avout_assoc(&five, STR("released"), STR("too")));
    CHECK_STATUS(AVOUT_ETYPE, avout_assoc(&v, STR("released"), STR("too")));
    CHECK_STATUS(AVOUT_ERANGE, avout_assoc(&v, I(2), STR("released")));
    CHECK_STATUS(AVOUT_ERANGE, avout_assoc(&v, I(-1), STR("released")));
    CHECK_STATUS(AVOUT_ETYPE, avout_dissoc(&v, STR("released")));
    CHECK_STATUS(AVOUT_ETYPE, avout_assoc_in(&v, 2, path, STR("released")));
    CHECK_CONTAINS("assoc-in: expected a map or vector, got ", avout_error_detail());
    CHECK_STATUS(AVOUT_ETYPE, avout_conj(&m, L(I(1), I(2))));
    CHECK_STATUS(AVOUT_EINVAL, avout_conj(&m, V(STR("one"))));
    CHECK_STATUS(AVOUT_ETYPE, avout_nth(&m, I(0)));
    CHECK_STATUS(AVOUT_ERANGE, avout_nth(&v, I(1)));
    CHECK_STATUS(AVOUT_ERANGE, avout_nth(&v, I(-1)));
    CHECK_STATUS(AVOUT_ETYPE, avout_first(&five));
    CHECK_STATUS(AVOUT_ETYPE, avout_rest(&five));
    CHECK_STATUS(AVOUT_ETYPE, avout_seq(&five));
    CHECK_STATUS(AVOUT_ETYPE, avout_count(&five));
    CHECK_STATUS(AVOUT_ETYPE, avout_peek(&m));
    CHECK_STATUS(AVOUT_ETYPE, avout_pop(&m));
    CHECK_STATUS(AVOUT_ETYPE, avout_keys(&v));
    CHECK_STATUS(AVOUT_ETYPE, avout_vals(&v));
    CHECK_STATUS(AVOUT_ETYPE, avout_contains(&five, STR("released")));
    CHECK_STATUS(AVOUT_ETYPE, avout_into(&five, V(STR("released"))));
    CHECK_STATUS(AVOUT_ETYPE, avout_into(&v, I(5)));
    CHECK_STATUS(AVOUT_ETYPE, avout_into(&m, V(V(STR("a"), I(1)), I(5))));
    CHECK_STATUS(AVOUT_ETYPE, avout_merge(&m, V(STR("released"))));
    CHECK_STATUS(AVOUT_ETYPE, avout_merge(&v, M0));
    CHECK_SAME(V(I(1)), v);
    CHECK_SAME(M(I(1), I(2)), m);
    CHECK_INT(5, int_of(five));
    avout_value empty = V0;
    CHECK_STATUS(AVOUT_ESTATE, avout_pop(&empty));
    CHECK_TEXT("pop: the vector is empty", avout_error_detail());
    avout_release(empty);
    CHECK_INT(0, avout_memory_blocks());
}

/* ---- update_in --------------------------------------------------------------------------------- */

static avout_status fail_after_looking(avout_value *value, void *payload)
{
    (void)value, (void)payload;
    return 42;
}

TEST(a_failing_change_leaves_everything)
{
    const avout_value path[] = {K("a"), I(1), K("b")}, missing[] = {K("x"), K("y")};
    for (int i = 0; i < 2; i++) {
        avout_value m = M(path[0], V(I(0), M(path[2], STR("inside"))));
        avout_share(path[0]);
        avout_share(path[2]);
        avout_value other = i ? avout_share(m) : AVOUT_NONE;
        CHECK_STATUS(42, avout_update_in(&m, 3, path, fail_after_looking, NULL));
        CHECK_STATUS(42, avout_update_in(&m, 2, missing, fail_after_looking, NULL));
        CHECK_SAME(M(K("a"), V(I(0), M(K("b"), STR("inside")))), m);
        if (i) CHECK_SAME(M(K("a"), V(I(0), M(K("b"), STR("inside")))), other);
    }
    for (int i = 0; i < 3; i++) avout_release(path[i]);
    for (int i = 0; i < 2; i++) avout_release(missing[i]);
    CHECK_INT(0, avout_memory_blocks());
}

static avout_status must_be_alone(avout_value *value, void *payload)
{
    uintptr_t before = value->bits;
    avout_status status = avout_conj(value, I(1));
    CHECK_INT(*(const bool *)payload, before == value->bits);
    return status;
}

/* The value at the path has one owner when everything on the way to it has. */
TEST(update_in_changes_in_place)
{
    avout_value inner = V0, big = M0, path[] = {I(70), I(40)};
    CHECK_OK(avout_conj(&inner, I(0)));
    for (int i = 0; i < 100; i++) {
        avout_value middle = V0;
        for (int j = 0; j < 50; j++) {
            avout_value copy = V(I(0));
            CHECK_OK(avout_conj(&copy, I(0)));
            CHECK_OK(avout_conj(&middle, copy));
        }
        CHECK_OK(avout_assoc(&big, I(i), middle));
    }
    bool alone = true;
    CHECK_OK(avout_update_in(&big, 2, path, must_be_alone, &alone));
    avout_value other = avout_share(big);
    alone = false;
    CHECK_OK(avout_update_in(&big, 2, path, must_be_alone, &alone));
    CHECK_INT(3, count_of(avout_value_get_in(other, 2, path)));
    CHECK_INT(4, count_of(avout_value_get_in(big, 2, path)));
    avout_release(other);
    avout_release(big);
    avout_release(inner);
    CHECK_INT(0, avout_memory_blocks());
}

TEST(update_in_forgets_the_hashes_on_its_way)
{
    const avout_value path[] = {I(1), I(0)};
    avout_value m = M(I(1), V(V0));
    uint32_t before = avout_value_hash(m);
    avout_value one = I(1);
    CHECK_OK(avout_update_in(&m, 2, path, avout_conj_fn, &one));
    CHECK(avout_value_hash(m) != before);
    CHECK_SAME(M(I(1), V(V(I(1)))), m);
}

/* References to keywords are given up many at a time. */
TEST(keywords_that_many_refer_to_live_as_long_as_one_does)
{
    enum { NAMES = 100, USES = 50 };
    avout_value names[NAMES], all = V0;
    for (int i = 0; i < NAMES; i++) {
        char text[16];
        snprintf(text, sizeof text, "name%d", i);
        names[i] = K(text);
    }
    for (int use = 0; use < USES; use++)
        for (int i = 0; i < NAMES; i++) {
            avout_value inner =
                V(avout_share(names[i]), I(use), avout_share(names[(i + use) % NAMES]));
            CHECK_OK(avout_conj(&all, inner));
        }
    for (int i = 0; i < NAMES; i += 2) avout_release(names[i]); /* half of them die with the rest */
    avout_release(all);
    CHECK_INT(NAMES / 2, avout_memory_blocks());
    for (int i = 1; i < NAMES; i += 2) {
        const char *text;
        CHECK_OK(avout_value_to_text(&text, NULL, names[i]));
        CHECK_INT(i, strtol(text + 4, NULL, 10));
        avout_release(names[i]);
    }
    CHECK_INT(0, avout_memory_blocks());
}
