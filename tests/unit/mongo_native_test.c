/* Values as BSON: native where it is the same, and what is said to be exact is read back as it was. */
#include <stdlib.h>

#include "avout/edn.h"
#include "avout/memory.h"
#include "common/instant.h"
#include "common/secret.h"
#include "mongo/native.h"
#include "support/edn_random.h"
#include "support/test.h"
#include "support/value.h"

/* Levels of BSON of what was written last. */
static int levels_written;

static int levels_of(const bson_iter_t *from)
{
    bson_iter_t at;
    int deepest = 0;
    if (!bson_iter_recurse(from, &at)) return 0;
    while (bson_iter_next(&at)) {
        bool nests = BSON_ITER_HOLDS_DOCUMENT(&at) || BSON_ITER_HOLDS_ARRAY(&at);
        int levels = nests ? levels_of(&at) : 0;
        if (levels > deepest) deepest = levels;
    }
    return deepest + 1;
}

/* Whether it is exact; *json is MongoDB's notation of it, to be freed with bson_free. */
static bool written(char **json, const char *text)
{
    bool exact, fits;
    bson_t document = BSON_INITIALIZER;
    bson_iter_t at;
    avout_value value = test_edn(text), again;
    CHECK_OK(avout__mongo_append(&document, "value", value, &exact, &fits));
    CHECK(fits);
    *json = bson_as_canonical_extended_json(&document, NULL);
    CHECK(bson_iter_init_find(&at, &document, "value"));
    levels_written = levels_of(&at);
    if (exact) {
        CHECK_OK(avout__mongo_read(&again, &at));
        test_check_same(value, again);
        avout_release(again);
    }
    avout_release(value);
    bson_destroy(&document);
    return exact;
}

static void check_form(bool exact, const char *text, const char *expected)
{
    char *json, full[1024];
    bool got = written(&json, text);
    snprintf(full, sizeof full, "{ \"value\" : %s }", expected);
    if (got != exact) test_failed(__FILE__, __LINE__, "%s is %sexact", text, got ? "" : "not ");
    CHECK_TEXT(full, json);
    bson_free(json);
}

TEST(types_that_are_the_same_are_native)
{
    check_form(true, "nil", "null");
    check_form(true, "true", "true");
    check_form(true, "-9223372036854775808", "{ \"$numberLong\" : \"-9223372036854775808\" }");
    check_form(true, "1.5", "{ \"$numberDouble\" : \"1.5\" }");
    check_form(true, "\"a \\u0000 \xe2\x82\xac\"", "\"a \\u0000 \xe2\x82\xac\"");
    check_form(true, "[1 [true]]", "[ { \"$numberLong\" : \"1\" }, [ true ] ]");
    check_form(true, "{:name \"Ann\", :a/b {}}", "{ \"name\" : \"Ann\", \"a/b\" : {  } }");
    check_form(true, "#inst \"1969-12-31T23:59:59.999-00:00\"",
               "{ \"$date\" : { \"$numberLong\" : \"-1\" } }");
    check_form(
        true, "#uuid \"f81d4fae-7dec-11d0-a765-00a0c91e6bf6\"",
        "{ \"$binary\" : { \"base64\" : \"+B1Prn3sEdCnZQCgyR5r9g==\", \"subType\" : \"04\" } }");
    check_form(true, "#avout/bytes \"AAH/\"",
               "{ \"$binary\" : { \"base64\" : \"AAH/\", \"subType\" : \"00\" } }");
}

TEST(others_are_what_queries_can_use)
{
    check_form(false, ":open", "\"open\"");
    check_form(false, "[a/b]", "[ \"a/b\" ]");
    check_form(false, "1.50M", "{ \"$numberDouble\" : \"1.5\" }");
    check_form(false, "5N", "{ \"$numberDouble\" : \"5.0\" }");
    check_form(false, "1/2", "{ \"$numberDouble\" : \"0.5\" }");
    check_form(false, "1E+999M", "\"1E+999M\"");
    check_form(false, "-0.0", "{ \"$numberDouble\" : \"-0.0\" }");
    check_form(false, "##NaN", "\"##NaN\"");
    check_form(false, "##-Inf", "\"##-Inf\"");
    check_form(false, "\\a", "\"\\\\a\"");
    check_form(false, "(1)", "[ { \"$numberLong\" : \"1\" } ]");
    check_form(false, "#{1}", "[ { \"$numberLong\" : \"1\" } ]");
    check_form(false, "#my/tag 1", "\"#my/tag 1\"");
    check_form(false, "#inst \"2020-01-02T03:04:05+02:00\"",
               "{ \"$date\" : { \"$numberLong\" : \"1577927045000\" } }");
    check_form(false, "#uuid \"F81D4FAE-7DEC-11D0-A765-00A0C91E6BF6\"",
               "\"#uuid \\\"F81D4FAE-7DEC-11D0-A765-00A0C91E6BF6\\\"\"");
    check_form(false, "{\"a\" 1}", "{ \"a\" : { \"$numberLong\" : \"1\" } }");
    check_form(false, "{:_id true}", "{ \"_id\" : true }");
}

TEST(keys_that_are_no_field_names_are_pairs)
{
    check_form(false, "{1 true}", "[ { \"k\" : { \"$numberLong\" : \"1\" }, \"v\" : true } ]");
    check_form(false, "{\"$set\" nil}", "[ { \"k\" : \"$set\", \"v\" : null } ]");
    check_form(false, "{:a.b nil}", "[ { \"k\" : \"a.b\", \"v\" : null } ]");
    check_form(false, "{:$a nil}", "[ { \"k\" : \"$a\", \"v\" : null } ]");
    check_form(false, "{\"\" nil}", "[ { \"k\" : \"\", \"v\" : null } ]");
    check_form(false, "{\"a\\u0000b\" nil}", "[ { \"k\" : \"a\\u0000b\", \"v\" : null } ]");
    check_form(false, "{:a 1, \"a\" 2}",
               "[ { \"k\" : \"a\", \"v\" : { \"$numberLong\" : \"1\" } }, "
               "{ \"k\" : \"a\", \"v\" : { \"$numberLong\" : \"2\" } } ]");
}

static char *nest(int levels, const char *open, const char *close)
{
    char *text = NULL;
    size_t length;
    FILE *out = open_memstream(&text, &length);
    for (int i = 0; i < levels; i++) fputs(open, out);
    fputs("1", out);
    for (int i = 0; i < levels; i++) fputs(close, out);
    fclose(out);
    return text;
}

/* MongoDB takes 100 levels. */
TEST(deep_values_end_in_text)
{
    static const char *const brackets[][2] = {{"[", "]"}, {"{:a ", "}"}, {"{1 ", "}"}};
    for (int i = 0; i < 3; i++)
        for (int levels = 70; levels < 120; levels++) {
            char *text = nest(levels, brackets[i][0], brackets[i][1]), *json;
            bool exact = written(&json, text);
            CHECK(levels_written < 85);
            CHECK(i == 2 ? !exact : exact == (levels < 80));
            bson_free(json);
            free(text);
        }
}

TEST(random_values_that_are_exact_come_back)
{
    edn_random random = {.seed = 20260314};
    int exact = 0, all = 5000;
    for (int i = 0; i < all; i++) {
        char *text = edn_random_text(&random), *json;
        exact += written(&json, text);
        bson_free(json);
        free(text);
    }
    fprintf(stderr, "# %d of %d are exact\n", exact, all);
    CHECK(exact > all / 50);
    CHECK_INT(0, avout_memory_blocks());
}

/* Of the types that are native, so that nearly all are exact. */
static void random_native(edn_random *random, FILE *out, int depth)
{
    static const char *const others[] = {"nil",
                                         "true",
                                         "false",
                                         "##Inf",
                                         "-0.0",
                                         "#inst \"2020-02-29T23:59:59.001-00:00\"",
                                         "#uuid \"00000000-7dec-11d0-a765-00a0c91e6bf6\"",
                                         "#avout/bytes \"\""};
    unsigned count = edn_random_below(random, 12);
    switch (edn_random_below(random, depth ? 6 : 4)) {
    case 0: fputs(others[edn_random_below(random, 8)], out); break;
    case 1: fprintf(out, "%lld", (long long)edn_random_next(random)); break;
    case 2:
        fprintf(out, "%d.%u", (int)edn_random_next(random), edn_random_below(random, 99999));
        break;
    case 3: fprintf(out, "\"%llx\"", (unsigned long long)edn_random_next(random)); break;
    case 4:
        fputc('[', out);
        for (unsigned i = 0; i < count; i++) random_native(random, out, depth - 1), fputc(' ', out);
        fputc(']', out);
        break;
    default:
        fputc('{', out);
        for (unsigned i = 0; i < count; i++) {
            fprintf(out, ":k%u ", random->serial++);
            random_native(random, out, depth - 1);
            fputc(' ', out);
        }
        fputc('}', out);
    }
}

TEST(random_values_of_native_types_come_back)
{
    edn_random random = {.seed = 42};
    int exact = 0, all = 1000;
    for (int i = 0; i < all; i++) {
        char *text = NULL, *json;
        size_t length;
        FILE *out = open_memstream(&text, &length);
        random_native(&random, out, 3);
        fclose(out);
        exact += written(&json, text);
        bson_free(json);
        free(text);
    }
    fprintf(stderr, "# %d of %d are exact\n", exact, all);
    CHECK(exact > all / 2);
}

TEST(foreign_bson_is_refused)
{
    static const char *const documents[] = {
        "{\"value\": {\"$numberDecimal\": \"1.5\"}}",
        "{\"value\": {\"$minKey\": 1}}",
        "{\"value\": {\"$oid\": \"000000000000000000000000\"}}",
        "{\"value\": {\"\": 1}}",
        "{\"value\": {\"a b\": {\"$numberLong\": \"1\"}}}",
        "{\"value\": [{\"$numberInt\": \"1\"}]}",
        "{\"value\": {\"$binary\": {\"base64\": \"AAH/\", \"subType\": \"04\"}}}",
        "{\"value\": {\"$date\": {\"$numberLong\": \"9223372036854775807\"}}}"};
    for (size_t i = 0; i < sizeof documents / sizeof *documents; i++) {
        bson_error_t error;
        bson_iter_t at;
        avout_value value;
        bson_t *document = bson_new_from_json((const uint8_t *)documents[i], -1, &error);
        CHECK(document && bson_iter_init_find(&at, document, "value"));
        CHECK_STATUS(AVOUT_EDATA, avout__mongo_read(&value, &at));
        bson_destroy(document);
    }
    CHECK_INT(0, avout_memory_blocks());
}

/* ---- what plugins share ------------------------------------------------------------------------- */

static void check_instant(const char *text, int64_t expected)
{
    int64_t ms;
    CHECK(avout__plugin_instant_read(&ms, text));
    CHECK_INT(expected, ms);
}

TEST(instants_are_read_and_written)
{
    check_instant("1970-01-01T00:00:00.000-00:00", 0);
    check_instant("1970", 0);
    check_instant("2000-02-29", 951782400000);
    check_instant("2020-01-02T03:04:05.678901Z", 1577934245678);
    check_instant("2020-01-02T03:04:05.6+01:30", 1577928845600);
    check_instant("0000-03-01T00:00:00.000-00:00", -62162035200000);
    check_instant("9999-12-31T23:59:59.999-00:00", 253402300799999);
    int64_t ms;
    static const char *const none[] = {"",
                                       "20",
                                       "2020-13-01",
                                       "2020-01-02T",
                                       "2020-01-02T03:04:05.",
                                       "2020-01-02T03:04:05.678X",
                                       "2020-01-32"};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        CHECK(!avout__plugin_instant_read(&ms, none[i]));
    char text[AVOUT__PLUGIN_INSTANT_SIZE];
    for (int64_t at = -62167219200000; at < 253402300800000; at += 7777777777777 / 11) {
        CHECK(avout__plugin_instant_write(text, at));
        CHECK(avout__plugin_instant_read(&ms, text));
        CHECK_INT(at, ms);
    }
    CHECK(avout__plugin_instant_write(text, -1));
    CHECK_TEXT("1969-12-31T23:59:59.999-00:00", text);
    CHECK(!avout__plugin_instant_write(text, 253402300800000));
    CHECK(!avout__plugin_instant_write(text, INT64_MIN));
}

TEST(passwords_are_hidden)
{
    char text[32];
    size_t length;
    avout__plugin_hide(text, sizeof text, "no sesame,\nsesame", "sesame");
    CHECK_TEXT("no ***, ***", text);
    avout__plugin_hide(text, 10, "a message that is long", NULL);
    CHECK_TEXT("a mess", text);
    CHECK(!strncmp("p@w:d", avout__plugin_password(&length, "x://u:p@w:d@host/db"), 5));
    CHECK_INT(5, length);
    avout__plugin_password(&length, "x://host:27017/db");
    CHECK_INT(0, length);
    CHECK(avout__plugin_unescape(text, sizeof text, "a%2Fb%c3", 8));
    CHECK_TEXT("a/b\xc3", text);
    CHECK(!avout__plugin_unescape(text, sizeof text, "a%2", 3));
    CHECK(!avout__plugin_unescape(text, sizeof text, "a%00", 4));
    CHECK(!avout__plugin_unescape(text, 3, "abc", 3));
}
