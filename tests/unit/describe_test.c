/* What error messages show of a value. */
#include "avout/edn.h"
#include "avout/memory.h"
#include "support/test.h"

/* The message of (inc value) ends with `shown`. Consumes the value. */
static void check_value(avout_value value, const char *shown)
{
    char expected[256];
    snprintf(expected, sizeof expected, "inc: expected a number, got %s", shown);
    CHECK_STATUS(AVOUT_ETYPE, avout_inc(&value));
    CHECK_TEXT(expected, avout_error_detail());
    avout_release(value);
    CHECK_INT(0, avout_memory_blocks());
}

static void check(const char *text, const char *shown)
{
    avout_value value;
    CHECK_OK(avout_edn_read(&value, text, strlen(text), NULL, NULL));
    check_value(value, shown);
}

TEST(types_and_short_texts)
{
    check("nil", "nil");
    check("true", "true (bool)");
    check("\"abc\"", "\"abc\" (string)");
    check("\"\"", "\"\" (string)");
    check(":a/b", ":a/b (keyword)");
    check("a/b", "a/b (symbol)");
    check("\\a", "\\a (char)");
    check("\\space", "U+0020 (char)");
    check("\\u00e9", "U+00E9 (char)");
    check("()", "a list of 0");
    check("[1 [2 3]]", "a vector of 2");
    check("{1 2}", "a map of 1");
    check("#{1 2 3}", "a set of 3");
    check("#avout/bytes \"AAEC\"", "3 bytes");
    check("#inst \"2020-01-01\"", "#inst \"2020-01-01\" (tagged)");
    check("#a/b [1 2]", "#a/b (tagged vector)");
    check_value(avout_box(NULL, NULL), "a box");
}

TEST(what_is_long_is_cut_between_characters)
{
    check("\"0123456789012345678901234567890123456789\"",
          "\"0123456789012345678901234567890123456789\" (string)");
    check("\"0123456789012345678901234567890123456789a\"",
          "\"0123456789012345678901234567890123456789...\" (string)");
    check("\"012345678901234567890123456789012345678\xc3\xa9\"",
          "\"012345678901234567890123456789012345678...\" (string)");
    check("\"\\\"\\\"34567890123456789012345678901234567\xe2\x82\xac\"",
          "\"\\\"\\\"34567890123456789012345678901234567...\" (string)");
    check(":b123456789012345678901234567890123456789",
          ":b123456789012345678901234567890123456789 (keyword)");
    check(":b1234567890123456789012345678901234567890",
          ":b123456789012345678901234567890123456789... (keyword)");
    check("#a12345678901234567890/b \"\\\"\\\"\\\"\"",
          "#a1234567890123456789... \"\\\"\\\"\\\"\" (tagged)");
}

TEST(nothing_acts_on_a_terminal)
{
    check("\"a\\u001b[1m\\n\\u007f\"", "\"a?[1m??\" (string)");
}

/* Through a function that refuses numbers. */
static void check_number(const char *text, const char *shown)
{
    avout_value value;
    char expected[256];
    snprintf(expected, sizeof expected, "count: expected a collection or string, got %s", shown);
    CHECK_OK(avout_edn_read(&value, text, strlen(text), NULL, NULL));
    CHECK_STATUS(AVOUT_ETYPE, avout_count(&value));
    CHECK_TEXT(expected, avout_error_detail());
    avout_release(value);
    CHECK_INT(0, avout_memory_blocks());
}

TEST(numbers)
{
    check_number("-5", "-5 (int)");
    check_number("5N", "5N (bigint)");
    check_number("-1/2", "-1/2 (ratio)");
    check_number("1.5", "1.5 (float)");
    check_number("##NaN", "##NaN (float)");
    check_number("1.50M", "1.50M (decimal)");
    check_number("12345678901234567890123456789012345678901234N",
                 "1234567890123456789012345678901234567890... (bigint)");
    char digits[201] = "";
    memset(digits, '9', 200);
    check_number(digits, "a bigint of 665 bits");
}

TEST(functions_by_name_bear_their_names)
{
    avout_value one = avout_int(1), text = avout_string("a");
    CHECK_STATUS(AVOUT_ETYPE, avout_apply("+", &one, 1, &text));
    CHECK_TEXT("+: expected numbers, got 1 (int) and \"a\" (string)", avout_error_detail());
    CHECK_STATUS(AVOUT_ETYPE, avout_apply("-", &text, 0, NULL));
    CHECK_TEXT("-: expected a number, got \"a\" (string)", avout_error_detail());
    avout_value most = avout_int(INT64_MAX);
    CHECK_STATUS(AVOUT_ERANGE, avout_apply("*", &most, 1, &most));
    CHECK_TEXT("*: integer overflow", avout_error_detail());
    avout_release(most);
    avout_release(text);
}
