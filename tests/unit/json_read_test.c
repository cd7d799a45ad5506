/* JSON into values, and exactly back. */
#include <stdlib.h>
#include <string.h>

#include "avout.h"
#include "edn/json.h"
#include "support/edn_random.h"
#include "support/test.h"
#include "support/value.h"

TEST(reads_what_json_is)
{
    static const char *const pairs[][2] = {
        {"null", "nil"},
        {" true ", "true"},
        {"false\n", "false"},
        {"0", "0"},
        {"-0", "0"},
        {"-12", "-12"},
        {"9223372036854775807", "9223372036854775807"},
        {"9223372036854775808", "9223372036854775808N"},
        {"1.50", "1.5"},
        {"1e3", "1000.0"},
        {"-1.5E-2", "-0.015"},
        {"\"\"", "\"\""},
        {"\"a\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\ud83d\\ude00\"",
         "\"a\\\"\\\\/\\b\\f\\n\\r\\t\303\251\360\237\230\200\""},
        {"\"\303\251\"", "\"\303\251\""},
        {"[]", "[]"},
        {"[ 1 ,2,[3]]", "[1 2 [3]]"},
        {"{}", "{}"},
        {"{\"a\": 1, \"b\" :{\"c\":[null]}}", "{\"a\" 1 \"b\" {\"c\" [nil]}}"},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        avout_value read, expected = test_edn(pairs[i][1]);
        CHECK_OK(avout_json_read(&read, pairs[i][0], strlen(pairs[i][0]), NULL, NULL));
        if (!avout_value_equal(read, expected)) test_failed(__FILE__, __LINE__, "%s", pairs[i][0]);
        CHECK_INT(avout_value_type(expected), avout_value_type(read));
        avout_release(read);
        avout_release(expected);
    }
    CHECK_INT(0, avout_memory_blocks());
}

TEST(refuses_what_it_is_not_and_says_where)
{
    static const struct {
        const char *text;
        avout_status status;
        size_t column;
        const char *said;
    } bad[] = {
        {"", AVOUT_ESYNTAX, 1, "the text ends: expected a value"},
        {"nul", AVOUT_ESYNTAX, 1, "expected a value"},
        {"01", AVOUT_ESYNTAX, 1, "no number"},
        {"+1", AVOUT_ESYNTAX, 1, "expected a value"},
        {"1.", AVOUT_ESYNTAX, 1, "no number"},
        {".5", AVOUT_ESYNTAX, 1, "expected a value"},
        {"1e", AVOUT_ESYNTAX, 1, "no number"},
        {"0x10", AVOUT_ESYNTAX, 2, "nothing behind"},
        {"1 2", AVOUT_ESYNTAX, 3, "nothing behind"},
        {"NaN", AVOUT_ESYNTAX, 1, "expected a value"},
        {"[1 2]", AVOUT_ESYNTAX, 4, "',' or ']'"},
        {"[1,]", AVOUT_ESYNTAX, 4, "expected a value"},
        {"[1", AVOUT_ESYNTAX, 3, "the text ends"},
        {"{\"a\" 1}", AVOUT_ESYNTAX, 6, "expected ':'"},
        {"{\"a\":1,}", AVOUT_ESYNTAX, 8, "a name in quotes"},
        {"{a:1}", AVOUT_ESYNTAX, 2, "a name in quotes"},
        {"{\"a\":1,\"a\":2}", AVOUT_EEXISTS, 1, "twice"},
        {"\"a", AVOUT_ESYNTAX, 3, "to close the string"},
        {"\"\\x\"", AVOUT_ESYNTAX, 3, "behind the backslash"},
        {"\"\\u12g4\"", AVOUT_ESYNTAX, 4, "four hexadecimal"},
        {"\"\\ud800\"", AVOUT_ESYNTAX, 4, "half of a surrogate pair"},
        {"\"\\udc00\\ud800\"", AVOUT_ESYNTAX, 4, "half of a surrogate pair"},
        {"\"a\nb\"", AVOUT_ESYNTAX, 3, "\\u000a"},
        {"\"\377\"", AVOUT_EUTF8, 1, ""},
        {"\"\\", AVOUT_ESYNTAX, 3, "an escape"},
        {"]", AVOUT_ESYNTAX, 1, "expected a value"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        avout_value value;
        avout_edn_error error;
        avout_status status =
            avout_json_read(&value, bad[i].text, strlen(bad[i].text), NULL, &error);
        if (status != bad[i].status || error.column != bad[i].column ||
            !strstr(error.message, bad[i].said))
            test_failed(__FILE__, __LINE__, "%s: %s, column %zu: %s", bad[i].text,
                        avout_status_name(status), error.column, error.message);
    }
    CHECK_INT(0, avout_memory_blocks());
}

TEST(depth_and_number_of_values_have_limits)
{
    char deep[2001];
    avout_value value;
    memset(deep, '[', 1000);
    memset(deep + 1000, ']', 1000);
    CHECK_STATUS(AVOUT_ELIMIT, avout_json_read(&value, deep, 2000, NULL, NULL));
    avout_edn_read_options options = {.max_depth = 1000};
    CHECK_OK(avout_json_read(&value, deep, 2000, &options, NULL));
    avout_release(value);
    options.max_elements = 3;
    CHECK_OK(avout_json_read(&value, "[1,2]", 5, &options, NULL));
    avout_release(value);
    CHECK_STATUS(AVOUT_ELIMIT, avout_json_read(&value, "[1,2,3]", 7, &options, NULL));
    CHECK_INT(0, avout_memory_blocks());
}

/* What can be written exactly comes back as it was; all other values are refused, not bent. */
TEST(what_is_written_exactly_reads_back)
{
    size_t written = 0;
    edn_random random = {.seed = 20};
    for (int i = 0; i < 20000; i++) {
        char *form = edn_random_text(&random);
        avout_value value = test_edn(form), back;
        free(form);
        char *text;
        size_t length;
        avout_status status = avout__json_exact(&text, &length, value);
        if (!status) {
            written++;
            CHECK_OK(avout_json_read(&back, text, length, NULL, NULL));
            if (!avout_value_equal(value, back)) test_failed(__FILE__, __LINE__, "%s", text);
            /* 5N and 5 are equal; JSON has one kind of integer. */
            CHECK(avout_value_type(value) == avout_value_type(back) ||
                  avout_value_type(value) == AVOUT_TYPE_BIGINT);
            avout_release(back);
            avout_edn_free(text);
        } else {
            CHECK_STATUS(AVOUT_ENOPRINT, status);
        }
        avout_release(value);
    }
    CHECK(written > 1000);
    CHECK_INT(0, avout_memory_blocks());
}

TEST(what_would_not_read_back_is_refused)
{
    static const char *const texts[] = {
        ":a",    "a",     "\\a",   "1/2",        "1.5M",
        "(1)",   "#{1}",  "#x 1",  "[[:a]]",     "{:a 1}",
        "{1 2}", "##Inf", "##NaN", "{\"a\" :b}", "#avout/bytes \"AA==\""};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        avout_value value = test_edn(texts[i]);
        char *text;
        CHECK_STATUS(AVOUT_ENOPRINT, avout__json_exact(&text, NULL, value));
        CHECK(strlen(avout_error_detail()) > 10);
        avout_release(value);
    }
    CHECK_INT(0, avout_memory_blocks());
}
