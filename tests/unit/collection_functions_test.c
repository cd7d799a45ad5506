/* The functions by name, with the answers Clojure 1.11 gives to the same calls. */
#include "unit/collection_support.h"

#define Y(name) avout_symbol(name)
#define T avout_bool(true)
#define F avout_bool(false)
#define C(c) avout_char(c)

/* (name value arguments...) is `expected`. Takes over all of them. */
static void check_call(int line, avout_value expected, const char *name, size_t count,
                       const avout_value *items)
{
    avout_value value = items[0], before = avout_share(value);
    uint32_t hash = avout_value_hash(before);
    avout_status status = avout_apply(name, &value, count - 1, items + 1);
    if (status)
        test_failed(__FILE__, line, "%s: %s (%s)", name, avout_status_name(status),
                    avout_error_detail());
    if (!avout_value_equal(expected, value) ||
        avout_value_type(expected) != avout_value_type(value))
        test_failed(__FILE__, line, "%s: another value, a %s", name,
                    avout_type_name(avout_value_type(value)));
    CHECK_INT(hash, avout_value_hash(before));
    avout_release(before);
    avout_release(expected);
    avout_release(value);
    for (size_t i = 1; i < count; i++) avout_release(items[i]);
}
#define CALL(expected, name, ...)                                                                  \
    check_call(__LINE__, expected, name, COUNT_(__VA_ARGS__), ITEMS_(__VA_ARGS__))

/* It fails with `status` and leaves the value as it was. */
static void check_fails(int line, avout_status status, const char *name, size_t count,
                        const avout_value *items)
{
    avout_value value = items[0], before = avout_share(value);
    avout_status got = avout_apply(name, &value, count - 1, items + 1);
    if (got != status || !avout_value_equal(before, value))
        test_failed(__FILE__, line, "%s: %s (%s), expected %s", name, avout_status_name(got),
                    avout_error_detail(), avout_status_name(status));
    avout_release(before);
    avout_release(value);
    for (size_t i = 1; i < count; i++) avout_release(items[i]);
}
#define FAILS(status, name, ...)                                                                   \
    check_fails(__LINE__, status, name, COUNT_(__VA_ARGS__), ITEMS_(__VA_ARGS__))

TEST(numbers)
{
    CALL(I(6), "inc", I(5));
    CALL(I(4), "dec", I(5));
    CALL(I(5), "+", I(5));
    CALL(I(15), "+", I(1), I(2), I(3), I(9));
    CALL(I(-5), "-", I(5));
    CALL(I(1), "-", I(10), I(4), I(5));
    CALL(I(24), "*", I(2), I(3), I(4));
    CALL(I(2), "/", I(12), I(2), I(3));
    CALL(avout_ratio(I(1), I(4)), "/", I(4));
    CALL(I(-3), "quot", I(-7), I(2));
    CALL(I(-1), "rem", I(-7), I(2));
    CALL(I(1), "mod", I(-7), I(2));
    FAILS(AVOUT_ERANGE, "inc", I(INT64_MAX));
    FAILS(AVOUT_ERANGE, "+", I(1), I(2), I(INT64_MAX));
    FAILS(AVOUT_EDIVZERO, "/", I(1), I(2), I(0));
    FAILS(AVOUT_ETYPE, "+", STR("a"));
    FAILS(AVOUT_ETYPE, "+", I(1), I(2), STR("a"));
    CHECK_INT(0, avout_memory_blocks());
}

TEST(adding_and_taking_away)
{
    CALL(L(I(1)), "conj", NIL, I(1));
    CALL(L(I(2), I(1)), "conj", NIL, I(1), I(2));
    CALL(NIL, "conj", NIL);
    CALL(L(NIL), "conj", NIL, NIL);
    CALL(V(I(1), I(2), I(3)), "conj", V(I(1)), I(2), I(3));
    CALL(L(I(3), I(2), I(1)), "conj", L(I(1)), I(2), I(3));
    CALL(S(I(1), I(2)), "conj", S(I(1)), I(2), I(1));
    CALL(M(I(1), I(2)), "conj", M0, V(I(1), I(2)));
    CALL(M(I(1), I(3), I(4), I(5)), "conj", M(I(1), I(2)), M(I(1), I(3), I(4), I(5)));
    CALL(M0, "conj", M0, NIL);
    CALL(S(I(1)), "disj", S(I(1), I(2), I(3)), I(2), I(3), I(9));
    CALL(NIL, "disj", NIL, I(1));
    CALL(M(I(1), I(2)), "assoc", NIL, I(1), I(2));
    CALL(V(I(1), I(2)), "assoc", V(I(1)), I(1), I(2));
    CALL(V(I(9), I(2)), "assoc", V(I(1)), I(1), I(2), I(0), I(9));
    CALL(M0, "dissoc", M(I(1), I(2)), I(1), I(5));
    CALL(NIL, "dissoc", NIL, I(1));
    CALL(L(I(3), I(2), I(1)), "into", NIL, V(I(1), I(2), I(3)));
    CALL(V(V(I(1), I(2))), "into", V0, M(I(1), I(2)));
    CALL(M(I(1), I(2)), "into", M0, L(V(I(1), I(2))));
    CALL(V(C('a'), C(0xe9)), "into", V0, STR("a\xc3\xa9"));
    CALL(M0, "into", M0, NIL);
    CALL(V(I(1)), "into", V(I(1)));
    CALL(NIL, "into", NIL, NIL);
    CALL(M(I(1), I(3), I(2), I(4)), "merge", M(I(1), I(2)), M(I(1), I(3)), NIL, M(I(2), I(4)));
    CALL(M(I(1), I(2)), "merge", NIL, M(I(1), I(2)));
    CALL(M0, "merge", NIL, M0);
    CALL(NIL, "merge", NIL, NIL);
    FAILS(AVOUT_ETYPE, "conj", M0, V(I(1), I(2)), I(3));
    FAILS(AVOUT_EINVAL, "conj", M0, V(I(1), I(2)), V(I(3)));
    FAILS(AVOUT_ERANGE, "assoc", V(I(1)), I(0), I(5), I(7), I(2));
    FAILS(AVOUT_EINVAL, "assoc", M0, I(0), I(5), I(7));
    CHECK_INT(0, avout_memory_blocks());
}

TEST(looking_up)
{
    CALL(NIL, "get", NIL, I(1));
    CALL(NIL, "get", I(5), I(1));
    CALL(I(2), "get", M(I(1), I(2)), I(1));
    CALL(I(7), "get", M(I(1), I(2)), I(5), I(7));
    CALL(NIL, "get", M(I(1), NIL), I(1), I(7));
    CALL(I(3), "get", S(I(3)), I(3));
    CALL(I(6), "get", V(I(5), I(6)), I(1));
    CALL(NIL, "get", V(I(5), I(6)), I(2));
    CALL(NIL, "get", V(I(5), I(6)), K("a"));
    CALL(NIL, "get", L(I(5)), I(0));
    CALL(C('b'), "get", STR("abc"), I(1));
    CALL(I(3), "get-in", M(K("a"), V(I(3))), V(K("a"), I(0)));
    CALL(NIL, "get-in", M(K("a"), V(I(3))), V(K("b"), I(0)));
    CALL(I(9), "get-in", M(K("a"), V(I(3))), V(K("b"), I(0)), I(9));
    CALL(V(I(1)), "get-in", V(I(1)), V0);
    CALL(V(I(1)), "get-in", V(I(1)), NIL);
    CALL(F, "contains?", NIL, I(1));
    CALL(T, "contains?", V(I(5)), I(0));
    CALL(F, "contains?", V(I(5)), I(5));
    CALL(F, "contains?", V(I(5)), K("a"));
    CALL(T, "contains?", M(I(1), NIL), I(1));
    CALL(T, "contains?", STR("a"), I(0));
    FAILS(AVOUT_ETYPE, "contains?", L(I(1)), I(1));
    CALL(I(6), "nth", V(I(5), I(6)), I(1));
    CALL(I(6), "nth", L(I(5), I(6)), I(1));
    CALL(K("d"), "nth", L(I(5), I(6)), I(2), K("d"));
    CALL(NIL, "nth", V(NIL), I(0), K("d"));
    CALL(NIL, "nth", NIL, I(7));
    CALL(K("d"), "nth", NIL, I(7), K("d"));
    FAILS(AVOUT_ERANGE, "nth", V(I(5)), I(1));
    FAILS(AVOUT_ETYPE, "nth", M0, I(1), K("d"));
    CALL(I(0), "count", NIL);
    CALL(I(2), "count", STR("a\xc3\xa9"));
    CALL(I(2), "count", M(I(1), I(2), I(3), I(4)));
    CHECK_INT(0, avout_memory_blocks());
}

TEST(sequences)
{
    CALL(NIL, "first", NIL);
    CALL(NIL, "first", V0);
    CALL(I(1), "first", V(I(1), I(2)));
    CALL(V(I(1), I(2)), "first", M(I(1), I(2)));
    CALL(C('a'), "first", STR("ab"));
    CALL(L0, "rest", NIL);
    CALL(L0, "rest", L0);
    CALL(L0, "rest", V(I(1)));
    CALL(L(I(2)), "rest", V(I(1), I(2)));
    CALL(L(V(I(3), I(4))), "rest", M(I(1), I(2), I(3), I(4)));
    CALL(L(C('b')), "rest", STR("ab"));
    CALL(NIL, "seq", V0);
    CALL(NIL, "seq", STR(""));
    CALL(L(I(1)), "seq", V(I(1)));
    CALL(L(V(I(1), I(2))), "seq", M(I(1), I(2)));
    CALL(NIL, "peek", V0);
    CALL(NIL, "peek", NIL);
    CALL(I(2), "peek", V(I(1), I(2)));
    CALL(I(1), "peek", L(I(1), I(2)));
    CALL(V(I(1)), "pop", V(I(1), I(2)));
    CALL(L(I(2)), "pop", L(I(1), I(2)));
    CALL(NIL, "pop", NIL);
    FAILS(AVOUT_ESTATE, "pop", V0);
    FAILS(AVOUT_ESTATE, "pop", L0);
    CALL(L(I(1), I(3)), "keys", M(I(1), I(2), I(3), I(4)));
    CALL(L(I(2), I(4)), "vals", M(I(1), I(2), I(3), I(4)));
    CALL(NIL, "keys", M0);
    CALL(NIL, "vals", NIL);
    CALL(V0, "vec", NIL);
    CALL(V(I(1), I(2)), "vec", L(I(1), I(2)));
    CALL(V(V(I(1), I(2))), "vec", M(I(1), I(2)));
    CALL(S(I(1), I(2)), "set", V(I(1), I(2), I(1)));
    CALL(S0, "set", NIL);
    CALL(V0, "empty", V(I(1)));
    CALL(M0, "empty", M(I(1), I(2)));
    CALL(NIL, "empty", I(5));
    CALL(T, "not", NIL);
    CALL(T, "not", F);
    CALL(F, "not", I(0));
    FAILS(AVOUT_ETYPE, "vec", I(1));
    FAILS(AVOUT_ETYPE, "seq", K("a"));
    CHECK_INT(0, avout_memory_blocks());
}

TEST(paths)
{
    CALL(M(K("a"), M(K("b"), I(1))), "assoc-in", NIL, V(K("a"), K("b")), I(1));
    CALL(M(K("a"), V(I(1), I(9))), "assoc-in", M(K("a"), V(I(1))), V(K("a"), I(1)), I(9));
    CALL(M(NIL, I(1)), "assoc-in", M0, V0, I(1));
    FAILS(AVOUT_ETYPE, "assoc-in", M(K("a"), I(1)), V(K("a"), K("b")), I(1));
    FAILS(AVOUT_ERANGE, "assoc-in", V(I(1)), V(I(3)), I(1));
    CALL(M(K("a"), I(2)), "update", M(K("a"), I(1)), K("a"), Y("inc"));
    CALL(M(K("a"), L(I(1))), "update", NIL, K("a"), Y("conj"), I(1));
    CALL(V(I(1), V(I(5), I(6))), "update-in", V(I(1), V(I(5))), V(I(1)), Y("conj"), I(6));
    CALL(M(K("a"), M(K("b"), I(7))), "update-in", M(K("a"), M(K("b"), I(3))), V(K("a"), K("b")),
         Y("+"), I(4));
    CALL(M(K("a"), M(K("b"), I(7))), "update", M(K("a"), M(K("b"), I(6))), K("a"), Y("update"),
         K("b"), Y("inc"));
    FAILS(AVOUT_ETYPE, "update", M(K("a"), NIL), K("a"), Y("inc"));
    FAILS(AVOUT_ENOTFOUND, "update", M0, K("a"), Y("nonsense"));
    FAILS(AVOUT_ETYPE, "update", M0, K("a"), I(1));
    FAILS(AVOUT_EINVAL, "update", M0, K("a"), Y("get"));
    CHECK_INT(0, avout_memory_blocks());
}

TEST(nested_updates_have_a_limit)
{
    enum { LEVELS = 5000 };
    avout_value arguments[2 * LEVELS + 2], value = NIL;
    for (int i = 0; i < LEVELS; i++) {
        arguments[2 * i] = I(i);
        arguments[2 * i + 1] = Y("update");
    }
    arguments[2 * LEVELS] = I(1);
    arguments[2 * LEVELS + 1] = Y("not");
    CHECK_STATUS(AVOUT_ELIMIT, avout_apply("update", &value, 2 * LEVELS + 2, arguments));
    for (int i = 0; i < 2 * LEVELS + 2; i++) avout_release(arguments[i]);
    CHECK_INT(0, avout_memory_blocks());
}

TEST(unknown_names_and_numbers_of_arguments_are_refused)
{
    FAILS(AVOUT_ENOTFOUND, "nonsense", I(1));
    CHECK_TEXT("no function is called nonsense", avout_error_detail());
    FAILS(AVOUT_EINVAL, "inc", I(1), I(2));
    CHECK_TEXT("inc: wrong number of arguments, expected (inc n)", avout_error_detail());
    FAILS(AVOUT_EINVAL, "get", M0);
    FAILS(AVOUT_EINVAL, "assoc", M0, I(1));
}

TEST(every_function_describes_itself_once)
{
    size_t count = 0;
    for (const avout_function_info *info; (info = avout_function_at(count)); count++) {
        CHECK(info->name[0] && info->arguments[0] && info->summary[0]);
        for (size_t i = 0; i < count; i++) CHECK(strcmp(avout_function_at(i)->name, info->name));
    }
    CHECK(count > 30);
    CHECK(!avout_function_at(count + 1));
}
