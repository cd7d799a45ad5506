/* Printing: sinks, boxes, long things, indenting, JSON, memory running out. What single values look
 * like is in tests/support/edn_cases.h. */
#include <stdlib.h>

#include "avout/edn.h"
#include "avout/memory.h"
#include "support/test.h"

static avout_value read_value(const char *text)
{
    avout_value value = AVOUT_NONE;
    CHECK_OK(avout_edn_read(&value, text, strlen(text), NULL, NULL));
    return value;
}

static void check_printed(const char *expected, avout_value value)
{
    char *text;
    size_t length;
    CHECK_OK(avout_edn_text(&text, &length, value));
    CHECK_TEXT(expected, text);
    CHECK_INT(strlen(expected), length);
    avout_edn_free(text);
    avout_release(value);
}

TEST(values_made_by_hand_print)
{
    check_printed("nil", avout_nil());
    check_printed("\"a\\\"\\\\\\n\"", avout_string("a\"\\\n"));
    check_printed(":a/b", avout_keyword("a/b"));
    check_printed("#avout/bytes \"AP8=\"", avout_bytes("\0\xff", 2));
    check_printed("\\\xf0\x9f\x98\x80", avout_char(0x1f600));
    check_printed("-0.0", avout_float(-0.0));
    check_printed("##-Inf", avout_float(-__builtin_inf()));
    CHECK_INT(0, avout_memory_blocks());
}

TEST(a_string_may_contain_nul)
{
    avout_value value = avout_string_n("a\0b", 3), again;
    char *text;
    size_t length;
    CHECK_OK(avout_edn_text(&text, &length, value));
    CHECK_INT(5, length);
    CHECK(memcmp(text, "\"a\0b\"", 6) == 0);
    CHECK_OK(avout_edn_read(&again, text, length, NULL, NULL));
    CHECK(avout_value_equal(value, again));
    avout_edn_free(text);
    avout_release(value), avout_release(again);
}

/* Every length around the eight bytes that are looked at together, every place of an escape. */
TEST(escapes_are_found_everywhere)
{
    for (size_t length = 1; length < 40; length++) {
        for (size_t at = 0; at < length; at++) {
            char plain[40], expected[48];
            memset(plain, 'x', length);
            plain[at] = "\"\\\n\t\r\f\b"[(at + length) % 7];
            expected[0] = '"';
            memset(expected + 1, 'x', length + 1);
            expected[at + 1] = '\\';
            expected[at + 2] = "\"\\ntrfb"[(at + length) % 7];
            expected[length + 2] = '"';
            expected[length + 3] = '\0';
            avout_value back = read_value(expected), value = avout_string_n(plain, length);
            CHECK(avout_value_equal(back, value));
            avout_release(back);
            check_printed(expected, value);
        }
    }
}

TEST(none_is_not_printed)
{
    char *text;
    CHECK_STATUS(AVOUT_EINVAL, avout_edn_text(&text, NULL, AVOUT_NONE));
    CHECK_STATUS(AVOUT_EINVAL, avout_edn_pretty(&text, NULL, AVOUT_NONE, 0));
    CHECK_STATUS(AVOUT_EINVAL, avout_json_text(&text, NULL, AVOUT_NONE));
    avout_edn_free(NULL);
}

typedef struct collected {
    char *text;
    size_t length, calls, fail_at;
} collected;

static avout_status collect(const char *text, size_t length, void *payload)
{
    collected *all = payload;
    if (++all->calls == all->fail_at) return 77;
    all->text = realloc(all->text, all->length + length + 1);
    CHECK(all->text && length);
    memcpy(all->text + all->length, text, length);
    all->length += length;
    all->text[all->length] = '\0';
    return AVOUT_OK;
}

static avout_value long_value(void)
{
    avout_value value = avout_vector(0, NULL);
    static char text[20001];
    for (size_t i = 0; i < sizeof text - 1; i++) text[i] = "ab\"\n\\cdefghijklmn"[i * 7 % 17];
    for (int i = 0; i < 3000; i++) CHECK_OK(avout_conj(&value, avout_int(i)));
    CHECK_OK(avout_conj(&value, avout_string(text)));
    CHECK_OK(avout_conj(&value, avout_bytes(text, 20000)));
    memset(text, '7', 20000);
    CHECK_OK(avout_conj(&value, avout_bigint(text, 20000, 10)));
    memset(text, 'k', 20000);
    CHECK_OK(avout_conj(&value, avout_keyword(text)));
    return value;
}

TEST(a_sink_gets_the_same_text_in_pieces)
{
    avout_value value = long_value(), again;
    collected all = {0};
    char *text;
    size_t length;
    CHECK_OK(avout_edn_print(value, collect, &all));
    CHECK_OK(avout_edn_text(&text, &length, value));
    CHECK_INT(length, all.length);
    CHECK_TEXT(text, all.text);
    CHECK(all.calls > 1);
    CHECK_OK(avout_edn_read(&again, text, length, NULL, NULL));
    CHECK(avout_value_equal(value, again));
    free(all.text);
    avout_edn_free(text);
    avout_release(value), avout_release(again);
    CHECK_INT(0, avout_memory_blocks());
}

TEST(a_failing_sink_ends_the_printing)
{
    avout_value value = long_value();
    for (size_t n = 1; n < 4; n++) {
        collected all = {.fail_at = n};
        CHECK_STATUS(77, avout_edn_print(value, collect, &all));
        CHECK_INT(n, all.calls);
        free(all.text);
    }
    avout_release(value);
    CHECK_INT(0, avout_memory_blocks());
}

static void check_box_at(const char *path, avout_value value)
{
    char *text, expected[200];
    size_t blocks = avout_memory_blocks();
    snprintf(expected, sizeof expected, "a box at [%s] has no text", path);
    CHECK_STATUS(AVOUT_ENOPRINT, avout_edn_text(&text, NULL, value));
    CHECK_CONTAINS(expected, avout_error_detail());
    CHECK_STATUS(AVOUT_ENOPRINT, avout_edn_pretty(&text, NULL, value, 10));
    CHECK_CONTAINS(expected, avout_error_detail());
    CHECK_STATUS(AVOUT_ENOPRINT, avout_json_text(&text, NULL, value));
    CHECK_CONTAINS(expected, avout_error_detail());
    CHECK_INT(blocks, avout_memory_blocks());
    avout_release(value);
}

static avout_value with_box(const char *text, size_t length, const avout_value *path)
{
    avout_value value = read_value(text);
    CHECK_OK(avout_assoc_in(&value, length, path, avout_box(NULL, NULL)));
    return value;
}

TEST(a_box_is_refused_with_its_place)
{
    static char words[] = "a key of more than forty bytes, which nobody wants in a message";
    avout_value a = avout_keyword("a"), b = avout_string("b"), three = avout_int(3);
    avout_value path[] = {a, three, b}, large[] = {avout_int(70), b}, vector[] = {avout_int(50)};
    check_box_at("", avout_box(NULL, NULL));
    check_box_at(":a 3 \"b\"", with_box("{:x 1 :a [0 1 2 {\"a\" 1}]}", 3, path));
    avout_value value = read_value("{}"), key = avout_string(words);
    for (int i = 0; i < 100; i++) CHECK_OK(avout_assoc(&value, avout_int(i), avout_nil()));
    CHECK_OK(avout_assoc_in(&value, 2, large, avout_box(NULL, NULL)));
    check_box_at("70 \"b\"", value);
    value = read_value("[]");
    for (int i = 0; i < 100; i++) CHECK_OK(avout_conj(&value, avout_nil()));
    CHECK_OK(avout_assoc_in(&value, 1, vector, avout_box(NULL, NULL)));
    check_box_at("50", value);
    value = read_value("{}");
    CHECK_OK(avout_assoc(&value, avout_box(NULL, NULL), avout_int(1)));
    check_box_at("<key>", value);
    value = read_value("#{}");
    CHECK_OK(avout_conj(&value, avout_box(NULL, NULL)));
    check_box_at("<element>", value);
    check_box_at("...", with_box("{}", 1, &key));
    avout_value item = avout_box(NULL, NULL);
    check_box_at("0", avout_list(1, &item));
    avout_release(a), avout_release(b), avout_release(key);
    CHECK_INT(0, avout_memory_blocks());
}

static void check_pretty(size_t width, const char *text, const char *expected)
{
    avout_value value = read_value(text);
    char *pretty;
    size_t length;
    CHECK_OK(avout_edn_pretty(&pretty, &length, value, width));
    CHECK_TEXT(expected, pretty);
    CHECK_INT(strlen(expected), length);
    avout_edn_free(pretty);
    avout_release(value);
    CHECK_INT(0, avout_memory_blocks());
}

TEST(what_fits_stays_on_one_line)
{
    check_pretty(0, "nil", "nil");
    check_pretty(12, "{:a 1 :b 22}", "{:a 1,\n :b 22}");
    check_pretty(13, "{:a 1 :b 22}", "{:a 1, :b 22}");
    check_pretty(9, "[1 2 3 4]", "[1 2 3 4]");
    check_pretty(8, "[1 2 3 4]", "[1 2 3\n 4]");
    check_pretty(1, "[1 2]", "[1\n 2]");
    check_pretty(SIZE_MAX, "[1 {:a \"b\"}]", "[1 {:a \"b\"}]");
    check_pretty(7, "[\"\xc3\xa9\xc3\xa9\xc3\xa9\"]", "[\"\xc3\xa9\xc3\xa9\xc3\xa9\"]");
}

TEST(width_is_in_code_points)
{
    char text[4 * 60 + 5] = "[\"";
    for (int i = 0; i < 60; i++) strcat(text, "\xf0\x9f\x98\x80");
    strcat(text, "\"]");
    check_pretty(64, text, text);
    CHECK_INT(244, strlen(text));
    char two[600], expected[600];
    snprintf(two, sizeof two, "[1 %s]", text);
    check_pretty(68, two, two);
    snprintf(expected, sizeof expected, "[1\n %s]", text);
    check_pretty(67, two, expected);
}

TEST(what_does_not_fit_is_opened)
{
    check_pretty(30, "{:name \"Ann\" :scores [1 2 3 4 5 6 7 8 9 10 11 12 13] :tags #{}}",
                 "{:name \"Ann\",\n"
                 " :scores [1 2 3 4 5 6 7 8 9 10\n"
                 "          11 12 13],\n"
                 " :tags #{}}");
    check_pretty(24,
                 "[{:a 1 :b [1 2 3]} {:c \"a long string\"} x y #foo [11111 22222 33333 44444]]",
                 "[{:a 1, :b [1 2 3]}\n"
                 " {:c \"a long string\"}\n"
                 " x y\n"
                 " #foo [11111 22222 33333\n"
                 "       44444]]");
    check_pretty(20, "{:a-rather-long-key [1 2 3 4 5 6]}",
                 "{:a-rather-long-key\n"
                 "   [1 2 3 4 5 6]}");
    check_pretty(11, "(#{a} {[1 2 3 4] {b c}})",
                 "(#{a}\n"
                 " {[1 2 3 4]\n"
                 "    {b c}})");
}

static void check_json(const char *text, const char *expected)
{
    avout_value value = read_value(text);
    char *json;
    size_t length;
    CHECK_OK(avout_json_text(&json, &length, value));
    CHECK_TEXT(expected, json);
    CHECK_INT(strlen(expected), length);
    avout_edn_free(json);
    avout_release(value);
    CHECK_INT(0, avout_memory_blocks());
}

TEST(json_keeps_what_it_can)
{
    check_json("nil", "null");
    check_json("[true false 1 -5 1.5 1e30]", "[true,false,1,-5,1.5,1.0E30]");
    check_json("[##NaN ##Inf ##-Inf]", "[null,null,null]");
    check_json("[9007199254740992 9007199254740993 -9007199254740992 -9007199254740993]",
               "[9007199254740992,\"9007199254740993\",-9007199254740992,\"-9007199254740993\"]");
    check_json("[5N 9007199254740993N 1/2]", "[5,\"9007199254740993N\",\"1/2\"]");
    check_json("[1.50M 1e5M -1e-5M 1e299M]", "[1.50,1E+5,-0.00001,1E+299]");
    check_json("[1e300M 1234567890.123456M]", "[\"1E+300M\",\"1234567890.123456M\"]");
    check_json("[\\a a/b :c]", "[\"\\\\a\",\"a/b\",\"c\"]");
    check_json("\"a\\\"\\\\\\n\\t\\r\\f\\b\\u0001\\u001f\xc3\xa9\\u007f\"",
               "\"a\\\"\\\\\\n\\t\\r\\f\\b\\u0001\\u001f\xc3\xa9\x7f\"");
    check_json("[() [1 (2)] #{3} {}]", "[[],[1,[2]],[3],{}]");
    check_json("{\"a\" 1 :b 2 c 3 4 5 [6] 7 \\d nil nil 8}",
               "{\"a\":1,\"b\":2,\"c\":3,\"4\":5,\"[6]\":7,\"\\\\d\":null,\"nil\":8}");
    check_json("[:a :a/b #{:c}]", "[\"a\",\"a/b\",[\"c\"]]");
    check_json("{:a 1 \"a\" 2 :b 3 :a/b 4}", "{\":a\":1,\"a\":2,\"b\":3,\"a/b\":4}");
    check_json("{\"a\" {:a 1} :b {:b 2}}", "{\"a\":{\"a\":1},\"b\":{\"b\":2}}");
    check_json("{1 2 \"1\" 3}", "{\"1\":2,\"1\":3}");
    check_json("#foo [1 \"a\"]", "\"#foo [1 \\\"a\\\"]\"");
    check_json("#avout/bytes \"AAEC\"", "\"#avout/bytes \\\"AAEC\\\"\"");
}

static avout_status print_all_ways(void *payload)
{
    avout_value value = *(avout_value *)payload;
    char *text = NULL;
    avout_status status = avout_edn_text(&text, NULL, value);
    if (!status) avout_edn_free(text);
    if (!status) status = avout_edn_pretty(&text, NULL, value, 30);
    if (!status) avout_edn_free(text);
    if (!status) status = avout_json_text(&text, NULL, value);
    if (!status) avout_edn_free(text);
    return status;
}

static avout_status read_and_print(void *payload)
{
    avout_value value = AVOUT_NONE;
    avout_status status = avout_edn_read(&value, payload, strlen(payload), NULL, NULL);
    if (!status) status = print_all_ways(&value);
    avout_release(value);
    return status;
}

TEST(memory_may_run_out_anywhere)
{
    static char text[] =
        "{:a [1 2 3 #{4 5} (6 [7 [8 [9 [10 [11 [12 [13 [14 [15 [16 [17 [18 [19 [20]]]]]]]]]]]]]])] "
        "\"a long enough string to be more than what is there at first, and more, and even more\" "
        "123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890"
        "123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890"
        " "
        ":c #foo 1.5M, :d [a b c d e f g h i j k l m n o p q r s t u v w x y z 1/2 0.1 \\a nil], "
        "\"c\" 1}";
    test_each_allocation_fails(read_and_print, text);
}
