/* Values: life, scalars, texts, names, bytes, boxes; equality and hash among them. */
#include "support/test.h"

#include <pthread.h>
#include <stdlib.h>

#include "avout/memory.h"
#include "avout/value.h"

/* Releases both. */
static bool same(avout_value a, avout_value b)
{
    bool equal = avout_value_equal(a, b);
    CHECK(equal == avout_value_equal(b, a));
    if (equal) CHECK_INT(avout_value_hash(a), avout_value_hash(b));
    avout_release(a);
    avout_release(b);
    return equal;
}

TEST(scalars_go_in_and_come_out)
{
    bool truth = false;
    CHECK_OK(avout_value_to_bool(&truth, avout_bool(true)));
    CHECK(truth);
    CHECK(avout_value_truthy(avout_bool(true)));
    CHECK(!avout_value_truthy(avout_bool(false)));
    CHECK(!avout_value_truthy(avout_nil()));
    CHECK(avout_value_truthy(avout_int(0)));
    CHECK_INT(AVOUT_TYPE_NIL, avout_value_type(avout_nil()));
    CHECK_INT(AVOUT_TYPE_NONE, avout_value_type(AVOUT_NONE));
    CHECK_INT(AVOUT_TYPE_BOOL, avout_value_type(avout_bool(false)));
    uint32_t point = 0;
    CHECK_OK(avout_value_to_char(&point, avout_char(0x10ffff)));
    CHECK_INT(0x10ffff, point);
    CHECK(avout_is_none(avout_char(0xd800)));
    CHECK_STATUS(AVOUT_ERANGE, avout_none_status());
    CHECK(avout_is_none(avout_char(0x110000)));
    CHECK_STATUS(AVOUT_ETYPE, avout_value_to_char(&point, avout_int(5)));
    CHECK_TEXT("to_char: expected a char, got 5 (int)", avout_error_detail());
    CHECK_INT(0x10ffff, point);
}

TEST(integers_of_64_bits_keep_every_bit)
{
    static const int64_t numbers[] = {0,
                                      1,
                                      -1,
                                      INT64_MAX,
                                      INT64_MIN,
                                      INT64_MAX / 2,
                                      INT64_MAX / 2 + 1,
                                      INT64_MIN / 2,
                                      INT64_MIN / 2 - 1};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        avout_value value = avout_int(numbers[i]);
        int64_t number = 7;
        CHECK_INT(AVOUT_TYPE_INT, avout_value_type(value));
        CHECK_OK(avout_value_to_int(&number, value));
        CHECK_INT(numbers[i], number);
        CHECK(same(value, avout_int(numbers[i])));
        CHECK(!same(avout_int(numbers[i]), avout_int(numbers[i] ^ 1)));
    }
    CHECK_INT(0, avout_memory_blocks());
}

TEST(small_things_take_no_memory)
{
    avout_value small[] = {avout_nil(),    avout_bool(true),         avout_bool(false),
                           avout_int(5),   avout_int(INT64_MAX / 2), avout_int(INT64_MIN / 2),
                           avout_char('a')};
    CHECK_INT(0, avout_memory_blocks());
    for (size_t i = 0; i < sizeof small / sizeof *small; i++)
        for (size_t k = 0; k < sizeof small / sizeof *small; k++)
            CHECK(avout_value_equal(small[i], small[k]) == (i == k));
}

TEST(floats_compare_by_value_and_nan_with_nothing)
{
    CHECK(same(avout_float(0.0), avout_float(-0.0)));
    CHECK(same(avout_float(1.5), avout_float(1.5)));
    CHECK(!same(avout_float(1.0), avout_int(1)));
    avout_value nan = avout_float(__builtin_nan(""));
    CHECK(!avout_value_equal(nan, nan));
    avout_release(nan);
}

TEST(strings_are_utf8_and_count_code_points)
{
    static const struct {
        const char *text;
        size_t length, bad;
    } wrong[] = {{"\x80", 1, 0},
                 {"abcdefgh\xc0\x80", 10, 8},
                 {"a\xc1\xbf", 3, 1},
                 {"\xe0\x80\x80", 3, 0},
                 {"\xed\xa0\x80", 3, 0},
                 {"\xf0\x80\x80\x80", 4, 0},
                 {"\xf4\x90\x80\x80", 4, 0},
                 {"\xf5\x80\x80\x80", 4, 0},
                 {"ab\xe2\x82", 4, 2},
                 {"\xc3", 1, 0},
                 {"\xc3(", 2, 0},
                 {"\xf0\x9f\x98", 3, 0},
                 {"\xe2\x28\xa1", 3, 0},
                 {"\xe2\x82\x28", 3, 0},
                 {"\xff", 1, 0}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        /* A block of exactly that size, so that the sanitizers see a step too far. */
        char *copy = malloc(wrong[i].length);
        memcpy(copy, wrong[i].text, wrong[i].length);
        CHECK(avout_is_none(avout_string_n(copy, wrong[i].length)));
        free(copy);
        CHECK_STATUS(AVOUT_EUTF8, avout_none_status());
        char expected[64];
        snprintf(expected, sizeof expected, "string: byte 0x%02x at offset %zu is not UTF-8",
                 (unsigned char)wrong[i].text[wrong[i].bad], wrong[i].bad);
        CHECK_TEXT(expected, avout_error_detail());
    }
    avout_value value = avout_string_n("a\0b\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", 12);
    const char *text = NULL;
    size_t length = 0;
    CHECK_OK(avout_value_to_text(&text, &length, value));
    CHECK_INT(12, length);
    CHECK(!memcmp(text, "a\0b\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", 13));
    avout_release(value);
    value = avout_string("");
    CHECK_OK(avout_value_to_text(&text, &length, value));
    CHECK_TEXT("", text);
    CHECK_INT(0, length);
    avout_release(value);
    CHECK(same(avout_string("abc"), avout_string_n("abcd", 3)));
    CHECK(!same(avout_string("abc"), avout_string("abd")));
    CHECK(!same(avout_string_n("a\0", 2), avout_string("a")));
    CHECK(!same(avout_string("abc"), avout_bytes("abc", 3)));
    CHECK(!same(avout_string("abc"), avout_symbol("abc")));
    CHECK_INT(0, avout_memory_blocks());
}

/* What clojure.edn (1.11.1) makes of each text: namespace and name, or nothing. */
static const struct {
    const char *text, *space, *name;
    bool keyword;
} names[] = {
    {"a/b", "a", "b", 0},
    {"a/b/c", "a", "b/c", 0},
    {"/", "", "/", 0},
    {"ns//", "ns", "/", 0},
    {"a//b", "a", "/b", 0},
    {"foo:bar", "", "foo:bar", 0},
    {"-a", "", "-a", 0},
    {"+", "", "+", 0},
    {"-", "", "-", 0},
    {".", "", ".", 0},
    {".a", "", ".a", 0},
    {".1", "", ".1", 0},
    {"+.1a", "", "+.1a", 0},
    {"a#", "", "a#", 0},
    {"a'", "", "a'", 0},
    {"%a", "", "%a", 0},
    {"&", "", "&", 0},
    {"=", "", "=", 0},
    {"a|b", "", "a|b", 0},
    {"\xc3\xa9", "", "\xc3\xa9", 0},
    {"a/b:c", "a", "b:c", 0},
    {"nil/a", "nil", "a", 0},
    {"a/nil", "a", "nil", 0},
    {"a/:b", "a", ":b", 0},
    {"a/+1", "a", "+1", 0},
    {"a/-1", "a", "-1", 0},
    {"...", "", "...", 0},
    {"'a", "", "'a", 0},
    {"n/%", "n", "%", 0},
    {"+/a", "+", "a", 0},
    {"!a?*_$", "", "!a?*_$", 0},
    {"a\xe2\x80\x87", "", "a\xe2\x80\x87", 0},
    {"\xc2\xa0", "", "\xc2\xa0", 0},
    {"a.b/c.d", "a.b", "c.d", 0},
    {"a/b", "a", "b", 1},
    {"/", "", "/", 1},
    {"a:b", "", "a:b", 1},
    {"1", "", "1", 1},
    {"1/a", "1", "a", 1},
    {"nil", "", "nil", 1},
    {"true/a", "true", "a", 1},
    {"a#b", "", "a#b", 1},
    {"#a", "", "#a", 1},
    {"a/:b", "a", ":b", 1},
    {"+1", "", "+1", 1},
    {"a/+1", "a", "+1", 1},
    {"a//", "a", "/", 1},
    {"a//b", "a", "/b", 1},
    {"'a", "", "'a", 1},
    {"a/", NULL, NULL, 0},
    {"/a", NULL, NULL, 0},
    {"foo:", NULL, NULL, 0},
    {"a::b", NULL, NULL, 0},
    {"a/1", NULL, NULL, 0},
    {"1a", NULL, NULL, 0},
    {"+1", NULL, NULL, 0},
    {"-1a", NULL, NULL, 0},
    {"#a", NULL, NULL, 0},
    {"a:/b", NULL, NULL, 0},
    {"nil", NULL, NULL, 0},
    {"true", NULL, NULL, 0},
    {"false", NULL, NULL, 0},
    {"a\\b", NULL, NULL, 0},
    {"a@b", NULL, NULL, 0},
    {"a^b", NULL, NULL, 0},
    {"a`b", NULL, NULL, 0},
    {"a~b", NULL, NULL, 0},
    {"@a", NULL, NULL, 0},
    {"/a/b", NULL, NULL, 0},
    {"a/b/", NULL, NULL, 0},
    {"a;b", NULL, NULL, 0},
    {"a,b", NULL, NULL, 0},
    {"a b", NULL, NULL, 0},
    {"foo:/", NULL, NULL, 0},
    {"a/b::c", NULL, NULL, 0},
    {"a::/b", NULL, NULL, 0},
    {"+1/a", NULL, NULL, 0},
    {"", NULL, NULL, 0},
    {":a", NULL, NULL, 0},
    {"//", NULL, NULL, 0},
    {"a\x1f", NULL, NULL, 0},
    {"a\xe2\x80\xa8", NULL, NULL, 0},
    {"\xe3\x80\x80", NULL, NULL, 0},
    {"a\"", NULL, NULL, 0},
    {"a(b", NULL, NULL, 0},
    {"a}", NULL, NULL, 0},
    {"foo:", NULL, NULL, 1},
    {"//", NULL, NULL, 1},
    {"a/", NULL, NULL, 1},
    {"/a", NULL, NULL, 1},
    {":a", NULL, NULL, 1},
    {"a/1", NULL, NULL, 1},
    {"foo:/bar", NULL, NULL, 1},
    {"", NULL, NULL, 1},
};

TEST(names_are_what_clojure_reads)
{
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *wanted = names[i].text, *space, *name, *text;
        size_t space_length, name_length;
        avout_value value = names[i].keyword ? avout_keyword(wanted) : avout_symbol(wanted);
        if (!names[i].name) {
            if (!avout_is_none(value)) test_failed(__FILE__, __LINE__, "accepted: \"%s\"", wanted);
            CHECK_STATUS(AVOUT_ENAME, avout_none_status());
            continue;
        }
        if (avout_is_none(value))
            test_failed(__FILE__, __LINE__, "refused: %s", avout_error_detail());
        CHECK_OK(avout_value_to_text(&text, NULL, value));
        CHECK_TEXT(wanted, text);
        CHECK_OK(avout_value_to_name(&space, &space_length, &name, &name_length, value));
        CHECK((space != NULL) == (names[i].space[0] != 0));
        CHECK(space_length == strlen(names[i].space) &&
              (!space || !memcmp(space, names[i].space, space_length)));
        CHECK(name_length == strlen(names[i].name) && !memcmp(name, names[i].name, name_length));
        avout_release(value);
    }
    CHECK(avout_is_none(avout_symbol("a\xff")));
    CHECK_STATUS(AVOUT_EUTF8, avout_none_status());
    CHECK(avout_is_none(avout_keyword("a b")));
    CHECK_TEXT("keyword \"a b\": the character at byte 1 is not allowed", avout_error_detail());
    CHECK(!same(avout_symbol("a"), avout_keyword("a")));
    CHECK(same(avout_keyword("a/b"), avout_keyword("a/b")));
    CHECK(!same(avout_keyword("a/b"), avout_keyword("a/c")));
    CHECK_INT(0, avout_memory_blocks());
}

static void count_destroyed(void *pointer)
{
    ++*(int *)pointer;
}

TEST(a_box_is_destroyed_once_by_its_last_owner)
{
    int destroyed = 0;
    avout_value box = avout_box(&destroyed, count_destroyed);
    avout_value other = avout_box(&destroyed, count_destroyed);
    void *pointer = NULL;
    CHECK_OK(avout_value_to_box(&pointer, box));
    CHECK(pointer == &destroyed);
    CHECK(avout_value_is_box_of(&pointer, count_destroyed, box));
    CHECK(pointer == &destroyed);
    CHECK(!avout_value_is_box_of(&pointer, NULL, box));
    CHECK(!avout_value_is_box_of(&pointer, count_destroyed, avout_int(3)));
    CHECK(avout_value_equal(box, box));
    CHECK(!avout_value_equal(box, other));
    avout_value shared = avout_share(box);
    avout_release(box);
    CHECK_INT(0, destroyed);
    avout_release(shared);
    CHECK_INT(1, destroyed);
    avout_release(other);
    CHECK_INT(2, destroyed);
    avout_release(avout_box(NULL, NULL));
    CHECK_STATUS(AVOUT_ETYPE, avout_value_to_box(&pointer, avout_nil()));
}

TEST(put_keeps_the_slot_when_there_is_no_value)
{
    avout_value slot = AVOUT_NONE;
    CHECK_STATUS(AVOUT_EINVAL, avout_put(&slot, AVOUT_NONE)); /* none has failed yet */
    CHECK_CONTAINS("AVOUT_NONE", avout_error_detail());
    CHECK_OK(avout_put(&slot, avout_string("old")));
    CHECK_STATUS(AVOUT_EUTF8, avout_put(&slot, avout_string("\xff")));
    CHECK_CONTAINS("0xff at offset 0", avout_error_detail());
    const char *text;
    CHECK_OK(avout_value_to_text(&text, NULL, slot));
    CHECK_TEXT("old", text);
    CHECK_OK(avout_put(&slot, avout_int(1)));
    CHECK_INT(0, avout_memory_blocks());
    avout_release(AVOUT_NONE);
    CHECK(avout_is_none(avout_share(AVOUT_NONE)));
}

enum { THREADS = 4, ROUNDS = 20000 };

static void *share_and_release(void *payload)
{
    avout_value value = *(avout_value *)payload;
    avout_value kept[8] = {{0}};
    for (int i = 0; i < ROUNDS; i++) {
        avout_release(kept[i % 8]);
        kept[i % 8] = avout_share(value);
        CHECK(avout_value_hash(kept[i % 8]) == avout_value_hash(value));
    }
    for (int i = 0; i < 8; i++) avout_release(kept[i]);
    avout_release(value); /* each thread was given one ownership */
    return NULL;
}

TEST(threads_share_a_value_and_the_last_one_frees_it)
{
    for (int round = 0; round < 5; round++) {
        int destroyed = 0;
        avout_value values[] = {avout_string("shared"), avout_box(&destroyed, count_destroyed)};
        for (int k = 0; k < 2; k++) {
            pthread_t threads[THREADS];
            for (int i = 1; i < THREADS; i++) avout_share(values[k]);
            for (int i = 0; i < THREADS; i++)
                CHECK(!pthread_create(&threads[i], NULL, share_and_release, &values[k]));
            for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
        }
        CHECK_INT(1, destroyed);
        CHECK_INT(0, avout_memory_blocks());
    }
}

static avout_status make_one_of_each(void *payload)
{
    (void)payload;
    int destroyed = 0;
    avout_value made[] = {avout_int(INT64_MAX),
                          avout_float(1),
                          avout_string("text"),
                          avout_symbol("a/b"),
                          avout_keyword("key"),
                          avout_bytes("\0", 1),
                          avout_box(&destroyed, count_destroyed)};
    avout_status st = AVOUT_OK;
    for (size_t i = 0; i < sizeof made / sizeof *made; i++) {
        if (avout_is_none(made[i])) st = avout_none_status();
        avout_release(made[i]);
    }
    CHECK_INT(1, destroyed);
    return st;
}

TEST(each_allocation_may_fail)
{
    test_each_allocation_fails(make_one_of_each, NULL);
}
