/* The reader: what is read and refused (tests/support/edn_cases.h), where errors are, limits,
 * hostile texts, memory running out, several values in one text. */
#include <stdlib.h>

#include "avout/edn.h"
#include "avout/memory.h"
#include "support/edn_cases.h"
#include "support/edn_random.h"
#include "support/test.h"

/* A copy on the heap, without the NUL, so that sanitizers see who looks behind its end. */
static avout_status read_text(avout_value *out, const char *text,
                              const avout_edn_read_options *options, avout_edn_error *error)
{
    size_t length = strlen(text);
    char *copy = malloc(length + !length);
    CHECK(copy);
    memcpy(copy, text, length);
    avout_status status = avout_edn_read(out, copy, length, options, error);
    free(copy);
    return status;
}

TEST(cases_read_and_print_as_they_should)
{
    int wrong = 0;
    for (size_t i = 0; i < EDN_CASES; i++) {
        const edn_case *one = &edn_cases[i];
        avout_value value = AVOUT_NONE;
        avout_edn_error error;
        char *text = NULL;
        if (read_text(&value, one->text, NULL, &error)) {
            if (strcmp(one->printed, "!")) printf("# %s: %s\n", one->text, error.message), wrong++;
            CHECK(error.status && error.byte <= strlen(one->text) && error.message[0]);
            continue;
        }
        CHECK_OK(avout_edn_text(&text, NULL, value));
        if (strcmp(one->printed, text))
            printf("# %s: %s, expected %s\n", one->text, text, one->printed), wrong++;
        avout_edn_free(text);
        avout_release(value);
    }
    CHECK_INT(0, wrong);
    CHECK_INT(0, avout_memory_blocks());
}

TEST(every_beginning_of_a_case_is_read_or_refused)
{
    for (size_t i = 0; i < EDN_CASES; i++) {
        for (size_t length = 0; length < strlen(edn_cases[i].text); length++) {
            char *copy = malloc(length + !length);
            CHECK(copy);
            memcpy(copy, edn_cases[i].text, length);
            avout_value value = AVOUT_NONE;
            if (!avout_edn_read(&value, copy, length, NULL, NULL)) avout_release(value);
            free(copy);
        }
    }
    CHECK_INT(0, avout_memory_blocks());
}

static const struct {
    const char *text;
    avout_status status;
    size_t byte, line, column;
    const char *message;
} places[] = {
    {"", AVOUT_ESYNTAX, 0, 1, 1, "the text ends: expected a value"},
    {" ;x\n", AVOUT_ESYNTAX, 4, 2, 1, "the text ends: expected a value"},
    {"   {]", AVOUT_ESYNTAX, 4, 1, 5,
     "unmatched ']': expected '}' to close the map opened at line 1, column 4"},
    {"(1\n [2)", AVOUT_ESYNTAX, 6, 2, 4,
     "unmatched ')': expected ']' to close the vector opened at line 2, column 2"},
    {"#{1", AVOUT_ESYNTAX, 3, 1, 4,
     "the text ends: expected '}' to close the set opened at line 1, column 1"},
    {"[\xc3\xa9\xf0\x9f\x98\x80 }", AVOUT_ESYNTAX, 8, 1, 5, "unmatched '}': expected ']'"},
    {"\n\r\n\r]", AVOUT_ESYNTAX, 4, 4, 1, "unmatched ']': expected a value"},
    {"1 ]", AVOUT_ESYNTAX, 2, 1, 3, "unmatched ']': expected the end of the text"},
    {"1 2", AVOUT_ESYNTAX, 2, 1, 3, "a second form: expected the end of the text"},
    {"[1 \"ab\ncd", AVOUT_ESYNTAX, 9, 2, 3,
     "the text ends: expected '\"' to close the string opened at line 1, column 4"},
    {"\"a\\qb\"", AVOUT_ESYNTAX, 2, 1, 3, "unknown escape: expected \\t"},
    {"\"\\u12x4\"", AVOUT_ESYNTAX, 3, 1, 4, "expected four hexadecimal digits"},
    {"\"\\ud800\"", AVOUT_ESYNTAX, 3, 1, 4, "\\ud800 is half of a surrogate pair"},
    {"[1 {:a}]", AVOUT_ESYNTAX, 6, 1, 7,
     "'}' behind a key: expected the key's value in the map opened at line 1, column 4"},
    {"{:a 1\n :b 2 :a 3}", AVOUT_EEXISTS, 12, 2, 7,
     "key :a is in the map opened at line 1, column 1 already"},
    {"#{1 #_2 [1] (1)}", AVOUT_EEXISTS, 12, 1, 13, "element (1) is in the set"},
    {"#:a{:b 1, :a/b 2}", AVOUT_EEXISTS, 10, 1, 11, "key :a/b is in the map"},
    {"#:x{:c #:a{:b 1 a/b 1 #_c :a/b 2}}", AVOUT_EEXISTS, 26, 1, 27, "key :a/b is in the map"},
    {"[08]", AVOUT_ESYNTAX, 2, 1, 3, "'8' is no octal digit"},
    {"[12x]", AVOUT_ESYNTAX, 1, 1, 2, "'12x' is no number"},
    {"2r12", AVOUT_ESYNTAX, 3, 1, 4, "'2' is no digit in radix 2"},
    {"40r1", AVOUT_ESYNTAX, 0, 1, 1, "radix 40: expected one from 2 to 36"},
    {"[1/0]", AVOUT_EDIVZERO, 1, 1, 2, ""},
    {"[a::b]", AVOUT_ESYNTAX, 1, 1, 2, "a::b"},
    {"[:a/]", AVOUT_ESYNTAX, 1, 1, 2, "a/"},
    {"[a@b]", AVOUT_ESYNTAX, 2, 1, 3, "'@' cannot be part of a name"},
    {"[`b]", AVOUT_ESYNTAX, 1, 1, 2, "'`' cannot begin a form"},
    {"[\\abc]", AVOUT_ESYNTAX, 1, 1, 2, "'\\abc' is no character"},
    {"[\\", AVOUT_ESYNTAX, 2, 1, 3, "expected a character"},
    {"[#", AVOUT_ESYNTAX, 2, 1, 3, "the text ends behind '#'"},
    {"[#(a)]", AVOUT_ESYNTAX, 1, 1, 2, "'#(' begins nothing"},
    {"[#_]", AVOUT_ESYNTAX, 3, 1, 4,
     "unmatched ']': expected a form to discard for the '#_' at line 1, column 2"},
    {"[#foo]", AVOUT_ESYNTAX, 5, 1, 6, "expected a form for the tag at line 1, column 2"},
    {"[^:a]", AVOUT_ESYNTAX, 4, 1, 5, "expected a form for the metadata at line 1, column 2"},
    {"[^1 a]", AVOUT_ESYNTAX, 1, 1, 2, "metadata is a int"},
    {"[^a 1]", AVOUT_ESYNTAX, 1, 1, 2, "metadata for a int"},
    {"##foo", AVOUT_ESYNTAX, 0, 1, 1, "expected Inf, -Inf or NaN"},
    {"#:a/b{}", AVOUT_ESYNTAX, 0, 1, 1, "symbol without namespace"},
    {"#:a []", AVOUT_ESYNTAX, 4, 1, 5, "expected '{' behind the namespace"},
    {"[#uuid \"x\"]", AVOUT_ESYNTAX, 1, 1, 2, "uuid"},
    {"[#uuid 1]", AVOUT_ETYPE, 1, 1, 2, "uuid"},
    {"[#avout/bytes \"A\"]", AVOUT_ESYNTAX, 1, 1, 2, "not base64"},
    {"[\"a\xff\"]", AVOUT_EUTF8, 3, 1, 4, "byte 0xff is not valid UTF-8"},
    {"[a\xc3(]", AVOUT_EUTF8, 2, 1, 3, "byte 0xc3"},
    {"[\xe2\x82", AVOUT_EUTF8, 1, 1, 2, "byte 0xe2"},
    {"; \xed\xa0\x80\n1", AVOUT_EUTF8, 2, 1, 3, "byte 0xed"},
    {"\\\xf4\x90\x80\x80", AVOUT_EUTF8, 1, 1, 2, "byte 0xf4"},
    {"1 \xc0\xaf", AVOUT_EUTF8, 2, 1, 3, "byte 0xc0"},
    {"1\xc0", AVOUT_EUTF8, 1, 1, 2, "byte 0xc0"},
    {"a\x1b[31m", AVOUT_ESYNTAX, 0, 1, 1, "a?"},
};

TEST(errors_say_what_and_where)
{
    int wrong = 0;
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        avout_value value = AVOUT_NONE;
        avout_edn_error error = {0};
        avout_status status = read_text(&value, places[i].text, NULL, &error);
        if (status != places[i].status || error.status != status || error.byte != places[i].byte ||
            error.line != places[i].line || error.column != places[i].column ||
            !strstr(error.message, places[i].message)) {
            printf("# %zu %s: %s, byte %zu, line %zu, column %zu: %s\n", i, places[i].text,
                   avout_status_name(status), error.byte, error.line, error.column, error.message);
            wrong++;
        }
        CHECK(avout_is_none(value));
        char detail[300];
        snprintf(detail, sizeof detail, "line %zu, column %zu: %s", error.line, error.column,
                 error.message);
        CHECK_TEXT(detail, avout_error_detail());
    }
    CHECK_INT(0, wrong);
    CHECK_INT(0, avout_memory_blocks());
}

TEST(an_error_is_told_without_a_place_for_it)
{
    avout_value value;
    CHECK_STATUS(AVOUT_ESYNTAX, avout_edn_read(&value, "[", 1, NULL, NULL));
    CHECK_CONTAINS("line 1, column 2: the text ends", avout_error_detail());
    CHECK_STATUS(AVOUT_ESYNTAX, avout_edn_read(&value, NULL, 0, NULL, NULL));
}

/* `count` times `before`, `middle`, `count` times `behind`. To be freed. */
static char *nested(size_t count, const char *before, const char *middle, const char *behind)
{
    size_t b = strlen(before), m = strlen(middle), e = strlen(behind);
    char *text = malloc(count * (b + e) + m + 1), *at = text;
    CHECK(text);
    for (size_t i = 0; i < count; i++, at += b) memcpy(at, before, b);
    memcpy(at, middle, m);
    at += m;
    for (size_t i = 0; i < count; i++, at += e) memcpy(at, behind, e);
    *at = '\0';
    return text;
}

static avout_status read_nested(size_t count, const char *before, const char *middle,
                                const char *behind, const avout_edn_read_options *options)
{
    avout_value value = AVOUT_NONE;
    char *text = nested(count, before, middle, behind);
    avout_status status = read_text(&value, text, options, NULL);
    if (!status) {
        /* As deep as it may be, it can be printed, measured, indented and let go. */
        char *printed;
        CHECK_OK(avout_edn_text(&printed, NULL, value));
        avout_edn_free(printed);
        CHECK_OK(avout_edn_pretty(&printed, NULL, value, 20));
        avout_edn_free(printed);
        CHECK_OK(avout_json_text(&printed, NULL, value));
        avout_edn_free(printed);
    }
    avout_release(value);
    free(text);
    return status;
}

TEST(depth_has_a_limit)
{
    static const struct {
        const char *before, *middle, *behind;
    } kinds[] = {{"[", "", "]"},     {"(", "1", ")"},       {"{1 ", "2", "}"},
                 {"#{", "", "}"},    {"#a ", "1", ""},      {"^:b ", "[]", ""},
                 {"#_", "1 ", "2 "}, {"#:a{:b ", "1", "}"}, {"{[", "1", "] 2}"}};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        size_t two = strlen(kinds[i].before) == 2 && kinds[i].before[0] == '{' ? 2 : 1;
        avout_edn_read_options seven = {.max_depth = 8};
        CHECK_OK(read_nested(510 / two, kinds[i].before, kinds[i].middle, kinds[i].behind, NULL));
        CHECK_STATUS(AVOUT_ELIMIT,
                     read_nested(514, kinds[i].before, kinds[i].middle, kinds[i].behind, NULL));
        CHECK_OK(read_nested(7 / two, kinds[i].before, kinds[i].middle, kinds[i].behind, &seven));
        CHECK_STATUS(AVOUT_ELIMIT,
                     read_nested(9, kinds[i].before, kinds[i].middle, kinds[i].behind, &seven));
    }
    CHECK_CONTAINS("nested deeper than the limit of 8 levels", avout_error_detail());
    CHECK_INT(0, avout_memory_blocks());
}

TEST(depth_without_limit_needs_no_stack)
{
    avout_edn_read_options deep = {.max_depth = SIZE_MAX};
    CHECK_OK(read_nested(100000, "[", "", "]", &deep));
    CHECK_OK(read_nested(100000, "{:a ", "1", "}", &deep));
    CHECK_OK(read_nested(100000, "(", "x", ")", &deep));
    CHECK_STATUS(AVOUT_ESYNTAX, read_nested(1000000, "#_", "", "", &deep));
    CHECK_STATUS(AVOUT_ESYNTAX, read_nested(1000000, "[", "", "", &deep));
    CHECK_STATUS(AVOUT_ESYNTAX, read_nested(1000000, "^", "", "", &deep));
    CHECK_INT(0, avout_memory_blocks());
}

TEST(values_have_a_limit)
{
    avout_value value;
    avout_edn_error error;
    avout_edn_read_options options = {.max_elements = 5};
    CHECK_OK(avout_edn_read(&value, "[1 2 [3]]", 9, &options, &error));
    avout_release(value);
    CHECK_STATUS(AVOUT_ELIMIT, avout_edn_read(&value, "[1 2 [3 4]]", 11, &options, &error));
    CHECK_TEXT("more values than the limit of 5", error.message);
    CHECK_STATUS(AVOUT_ELIMIT, avout_edn_read(&value, "[#_1 #_2 #_3 #_4 5 6]", 21, &options, NULL));
    CHECK_OK(avout_edn_read(&value, "[#a 1 ##Inf]", 12, &options, &error));
    avout_release(value);
    CHECK_INT(0, avout_memory_blocks());
}

TEST(digits_have_a_limit)
{
    static const char *const numbers[] = {
        "12345678901",  "12345678901N",  "0x12345678901", "012345671234",  "2r10101010101",
        "1.1234567890", "1.1234567890M", "1/12345678901", "12345678901/3", "-12345678901"};
    avout_value value;
    avout_edn_read_options ten = {.max_digits = 10}, eleven = {.max_digits = 11};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        CHECK_STATUS(AVOUT_ELIMIT, read_text(&value, numbers[i], &ten, NULL));
        CHECK_CONTAINS("number of 11 digits: the limit is 10", avout_error_detail());
        CHECK_OK(read_text(&value, numbers[i], &eleven, NULL));
        avout_release(value);
    }
    char *digits = nested(100000, "7", "", "");
    CHECK_OK(read_text(&value, digits, NULL, NULL));
    CHECK_INT(AVOUT_TYPE_BIGINT, avout_value_type(value));
    avout_release(value);
    free(digits);
    digits = nested(100001, "7", "", "");
    CHECK_STATUS(AVOUT_ELIMIT, read_text(&value, digits, NULL, NULL));
    free(digits);
    digits = nested(90000, "7", ".", "1");
    CHECK_STATUS(AVOUT_ELIMIT, read_text(&value, digits, NULL, NULL));
    free(digits);
    CHECK_INT(0, avout_memory_blocks());
}

TEST(several_values_are_read_one_by_one)
{
    static const char text[] = " 1 #_2 [3] ;x\n:a\"b\"c #_d ";
    static const char *const expected[] = {"1", "[3]", ":a", "\"b\"", "c"};
    size_t position = 0;
    avout_value value;
    char *printed;
    for (size_t i = 0; i < 5; i++) {
        CHECK_OK(avout_edn_read_next(&value, text, sizeof text - 1, &position, NULL, NULL));
        CHECK_OK(avout_edn_text(&printed, NULL, value));
        CHECK_TEXT(expected[i], printed);
        avout_edn_free(printed);
        avout_release(value);
    }
    CHECK_OK(avout_edn_read_next(&value, text, sizeof text - 1, &position, NULL, NULL));
    CHECK(avout_is_none(value));
    CHECK_INT(sizeof text - 1, position);
    CHECK_OK(avout_edn_read_next(&value, text, sizeof text - 1, &position, NULL, NULL));
    CHECK(avout_is_none(value));
}

TEST(places_of_later_values_count_from_the_beginning)
{
    size_t position = 0;
    avout_value value;
    avout_edn_error error;
    CHECK_OK(avout_edn_read_next(&value, "1\n 2 ]", 6, &position, NULL, NULL));
    avout_release(value);
    CHECK_OK(avout_edn_read_next(&value, "1\n 2 ]", 6, &position, NULL, NULL));
    avout_release(value);
    size_t before = position;
    CHECK_STATUS(AVOUT_ESYNTAX, avout_edn_read_next(&value, "1\n 2 ]", 6, &position, NULL, &error));
    CHECK_INT(before, position);
    CHECK_INT(5, error.byte);
    CHECK_INT(2, error.line);
    CHECK_INT(4, error.column);
    position = 7;
    CHECK_STATUS(AVOUT_EINVAL, avout_edn_read_next(&value, "1\n 2 ]", 6, &position, NULL, &error));
    CHECK_INT(AVOUT_EINVAL, error.status);
}

static const char big[] =
    "{:a 1, :b \"a string\", :c [1 2 3 #{4 5 6} (7 8 9)], \"esc\\naped\" 12345678901234567890N, "
    ":d 1.5M, :e 3/4, :f 0.1, :g #foo bar, :h #avout/bytes \"AAEC\", :i -0xffN, :j #:k{:l 1, m 2},"
    ":n ^{:o p} [q \\r #_ (s t)], :u 3.141592653589793238462643, :v #{a b c d e f g h i j k l m}, "
    ":w #uuid \"f81d4fae-7dec-11d0-a765-00a0c91e6bf6\", :x 4611686018427387904 :y 2r101 "
    ":z [[[[[[[[[[[[0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 "
    "29 "
    "30 31 32 33 34 35 36 37 38 39 40 41]]]]]]]]]]]]}";

static avout_status read_big(void *payload)
{
    avout_value value;
    avout_edn_error error;
    (void)payload;
    avout_status status = avout_edn_read(&value, big, sizeof big - 1, NULL, &error);
    if (!status) avout_release(value);
    else CHECK(error.status == status && error.line == 1);
    return status;
}

TEST(memory_may_run_out_anywhere)
{
    test_each_allocation_fails(read_big, NULL);
}

static avout_status read_long(void *payload)
{
    avout_value value;
    avout_status status = avout_edn_read(&value, payload, strlen(payload), NULL, NULL);
    if (!status) avout_release(value);
    return status;
}

TEST(memory_may_run_out_in_long_texts)
{
    char *text = nested(80, "[:a \"b\" ", "", "{:c d}]");
    char *much = nested(3, "[", text, " 1]");
    char *longer = nested(40, "[:k ", much, " 1]");
    test_each_allocation_fails(read_long, longer);
    free(text);
    free(much);
    free(longer);
}

static avout_status read_duplicate(void *payload)
{
    avout_value value;
    avout_status status = avout_edn_read(&value, payload, strlen(payload), NULL, NULL);
    CHECK(status == AVOUT_EEXISTS || status == AVOUT_ENOMEM);
    return status == AVOUT_ENOMEM ? status : AVOUT_OK;
}

TEST(memory_may_run_out_while_an_error_is_described)
{
    test_each_allocation_fails(read_duplicate, "[{:a 1 \"b\" [2] :a 3}]");
    test_each_allocation_fails(read_duplicate, "#{1 [2 \"x\"] 3N [2 \"x\"]}");
}

TEST_WITHIN(random_values_survive_the_round_trip, 100)
{
    edn_random random = {.seed = 7};
    for (int i = 0; i < 4000; i++) {
        char *text = edn_random_text(&random), *printed, *pretty, *again;
        avout_value value, back, indented;
        CHECK_OK(avout_edn_read(&value, text, strlen(text), NULL, NULL));
        CHECK_OK(avout_edn_text(&printed, NULL, value));
        CHECK_OK(avout_edn_read(&back, printed, strlen(printed), NULL, NULL));
        CHECK_OK(avout_edn_pretty(&pretty, NULL, value, (size_t)i % 100));
        CHECK_OK(avout_edn_read(&indented, pretty, strlen(pretty), NULL, NULL));
        if (!strstr(printed, "##NaN")) {
            CHECK(avout_value_equal(value, back));
            CHECK(avout_value_equal(value, indented));
            CHECK_INT(avout_value_hash(value), avout_value_hash(back));
        }
        CHECK_OK(avout_edn_text(&again, NULL, back));
        CHECK_INT(strlen(printed), strlen(again));
        avout_release(value), avout_release(back), avout_release(indented);
        avout_edn_free(printed), avout_edn_free(pretty), avout_edn_free(again);
        free(text);
    }
    CHECK_INT(0, avout_memory_blocks());
}

/* Names are looked through eight bytes at a time where as many are left, and one by one at the end. */
TEST(a_name_ends_at_the_same_byte_wherever_it_stands)
{
    for (int byte = 1; byte < 256; byte++) {
        for (int length = 1; length <= 17; length++) {
            char texts[2][128], *printed[2] = {NULL, NULL};
            avout_status status[2];
            avout_edn_error error[2];
            snprintf(texts[0], sizeof texts[0], "[:%.*s%cx\n y]", length, "abcdefghijklmnopqr",
                     byte);
            snprintf(texts[1], sizeof texts[1], "%.60s%20s", texts[0], "");
            for (int i = 0; i < 2; i++) {
                avout_value value;
                status[i] = read_text(&value, texts[i], NULL, &error[i]);
                if (status[i]) continue;
                CHECK_OK(avout_edn_text(&printed[i], NULL, value));
                avout_release(value);
            }
            CHECK_INT(status[0], status[1]);
            if (status[0] && error[0].byte < strlen(texts[0]))
                CHECK_INT(error[0].byte, error[1].byte);
            CHECK(status[0] || !strcmp(printed[0], printed[1]));
            avout_edn_free(printed[0]), avout_edn_free(printed[1]);
        }
    }
    CHECK_INT(0, avout_memory_blocks());
}
