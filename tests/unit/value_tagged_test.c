/* Tagged values: what #inst and #uuid accept and mean, and depth. */
#include "support/test.h"

#include <pthread.h>
#include <sys/resource.h>

#include "avout/memory.h"
#include "avout/value.h"

static avout_value inst(const char *text)
{
    return avout_tagged("inst", avout_string(text));
}

/* What clojure.edn 1.11.1 makes of them: milliseconds since 1970, or why not. */
static const struct {
    const char *text;
    int64_t ms;
} good[] = {{"2020", 1577836800000},
            {"2020-01:00", 1577840400000},
            {"2020-01-01:00", 1577840400000},
            {"2020-01-01-01:00", 1577840400000},
            {"2020-01-01T01-01:00", 1577844000000},
            {"2020-01-01T10Z", 1577872800000},
            {"2020-12Z", 1606780800000},
            {"2020+01:00", 1577833200000},
            {"2020-01-01T00:00:00.1", 1577836800100},
            {"2020-01-01T00:00:00.5+05:30", 1577817000500},
            {"1969-12-31T23:59:59.999Z", -1},
            {"9999-12-31T23:59:59Z", 253402300799000},
            {"2020-02-29T23:59:60Z", 1583020800000},
            {"2000-02-29", 951782400000}};

static const struct {
    const char *text, *why;
} bad[] = {{"2020-02-30", "day"},
           {"1900-02-29", "day"},
           {"2020-04-31", "day"},
           {"2020-01-00", "day"},
           {"2020-13", "month"},
           {"2020-00", "month"},
           {"2020-01-01T24:00", "hour"},
           {"2020-01-01T00:60", "minute"},
           {"2020-02-29T23:58:60Z", "second"},
           {"2020-01-01T00:00:00+24:00", "offset's hour"},
           {"2020-01-01T00:00:00+00:60", "offset's minute"},
           {"", "RFC 3339"},
           {"202", "RFC 3339"},
           {"2020-1-1", "RFC 3339"},
           {"-2020", "RFC 3339"},
           {" 2020", "RFC 3339"},
           {"2020 ", "RFC 3339"},
           {"2020-01-01t00", "RFC 3339"},
           {"2020-01-01T00:00:00z", "RFC 3339"},
           {"2020-01-01T00:00:00.", "RFC 3339"},
           {"2020-01-01T00:00:00.5.5", "RFC 3339"},
           {"2020-01-01:30-02:00", "RFC 3339"},
           {"2020-01-01T00:00:00+01", "RFC 3339"}};

TEST(instants_are_those_that_clojure_takes)
{
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        for (size_t k = 0; k < sizeof good / sizeof *good; k++) {
            avout_value a = inst(good[i].text), b = inst(good[k].text);
            bool same = good[i].ms == good[k].ms;
            int order = 7;
            CHECK_OK(avout_value_compare(&order, a, b));
            CHECK_INT((good[i].ms > good[k].ms) - (good[i].ms < good[k].ms), order);
            CHECK(avout_value_equal(a, b) == same);
            if (same) CHECK_INT(avout_value_hash(a), avout_value_hash(b));
            avout_release(a);
            avout_release(b);
        }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (!avout_is_none(inst(bad[i].text)))
            test_failed(__FILE__, __LINE__, "accepted: %s", bad[i].text);
        CHECK_STATUS(AVOUT_ESYNTAX, avout_none_status());
        CHECK_CONTAINS(bad[i].why, avout_error_detail());
    }
    CHECK(avout_is_none(avout_tagged("inst", avout_string_n("2020\0", 5))));
    CHECK(avout_is_none(avout_tagged("inst", avout_int(2020))));
    CHECK_STATUS(AVOUT_ETYPE, avout_none_status());
    CHECK_TEXT("inst: expected a string, got 2020 (int)", avout_error_detail());
    CHECK_INT(0, avout_memory_blocks());
}

/* Two texts a second apart are a second apart, whatever lies between. */
TEST(days_follow_each_other_through_leap_years)
{
    static const char *const rising[] = {"0000-12-31T23:59:59Z",
                                         "0001",
                                         "1581-12-31T24:00:00Z",
                                         "1582",
                                         "1900-02-28T23:59:59.9Z",
                                         "1900-03-01",
                                         "1969-12-31",
                                         "1970",
                                         "1972-02-29T23:59:59Z",
                                         "1972-03",
                                         "1999-12-31T23:59:59.999999999Z",
                                         "2000-01-01T00:00:00.0000000001",
                                         "2000-01-01T00:00:00.000000001"};
    avout_value before = inst("0000");
    for (size_t i = 0; i < sizeof rising / sizeof *rising; i++) {
        avout_value now = inst(rising[i]);
        if (avout_is_none(now)) continue; /* 24:00 is none */
        int order = 7;
        CHECK_OK(avout_value_compare(&order, before, now));
        CHECK_INT(-1, order);
        CHECK_OK(avout_put(&before, now));
    }
    avout_release(before);
}

TEST(years_end_where_the_next_begins)
{
    for (int year = 0; year < 2500; year++) {
        char end[32], start[32];
        snprintf(end, sizeof end, "%04d-12-31T23:30Z", year);
        snprintf(start, sizeof start, "%04d-01-01T00:30+01:00", year + 1);
        avout_value a = inst(end), b = inst(start);
        if (!avout_value_equal(a, b)) test_failed(__FILE__, __LINE__, "%s, %s", end, start);
        avout_release(a);
        avout_release(b);
    }
}

TEST(uuids_compare_whatever_their_case)
{
    avout_value a = avout_tagged("uuid", avout_string("F81D4FAE-7DEC-11D0-A765-00A0C91E6BF6"));
    avout_value b = avout_tagged("uuid", avout_string("f81d4fae-7dec-11d0-a765-00a0c91e6bf6"));
    avout_value c = avout_tagged("uuid", avout_string("081d4fae-7dec-11d0-a765-00a0c91e6bf6"));
    CHECK(avout_value_equal(a, b));
    CHECK_INT(avout_value_hash(a), avout_value_hash(b));
    CHECK(!avout_value_equal(a, c));
    int order = 0;
    CHECK_OK(avout_value_compare(&order, a, c));
    CHECK_INT(-1, order); /* as in Java, whose halves have signs */
    const char *tag;
    avout_value form;
    CHECK_OK(avout_value_to_tagged(&tag, &form, a));
    CHECK_TEXT("uuid", tag);
    const char *text;
    CHECK_OK(avout_value_to_text(&text, NULL, form));
    CHECK_TEXT("F81D4FAE-7DEC-11D0-A765-00A0C91E6BF6", text);
    static const char *const wrong[] = {"",
                                        "x",
                                        "f81d4fae-7dec-11d0-a765-00a0c91e6bf",
                                        "f81d4fae-7dec-11d0-a765-00a0c91e6bf66",
                                        "f81d4fae-7dec-11d0-a765-00a0c91e6bfg",
                                        "f81d4fae07dec-11d0-a765-00a0c91e6bf6"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        CHECK(avout_is_none(avout_tagged("uuid", avout_string(wrong[i]))));
        CHECK_STATUS(AVOUT_ESYNTAX, avout_none_status());
    }
    avout_release(a);
    avout_release(b);
    avout_release(c);
    CHECK_INT(0, avout_memory_blocks());
}

TEST(other_tags_keep_their_forms)
{
    avout_value a = avout_tagged("my/tag", avout_int(1));
    avout_value b = avout_tagged("my/tag", avout_bigint("1", 1, 10));
    avout_value c = avout_tagged("my/other", avout_int(1));
    CHECK(avout_value_equal(a, b));
    CHECK_INT(avout_value_hash(a), avout_value_hash(b));
    CHECK(!avout_value_equal(a, c));
    int order;
    CHECK_STATUS(AVOUT_ETYPE, avout_value_compare(&order, a, c));
    CHECK_CONTAINS("#my/tag and #my/other have no order", avout_error_detail());
    static const char *const wrong[] = {"", "1a", "+a", ":a", "a b", "nil", "/"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        CHECK(avout_is_none(avout_tagged(wrong[i], avout_string("consumed"))));
        CHECK_STATUS(AVOUT_ENAME, avout_none_status());
    }
    CHECK(avout_is_none(avout_tagged("a", avout_string("\xff"))));
    CHECK_STATUS(AVOUT_EUTF8, avout_none_status());
    avout_release(a);
    avout_release(b);
    avout_release(c);
    CHECK_INT(0, avout_memory_blocks());
}

/* #t #t #t ... and #t [#t [#t ... , a hundred thousand deep. */
static avout_value deep(bool with_vectors)
{
    avout_value value = avout_keyword("bottom");
    for (int i = 0; i < 100000; i++) {
        value = avout_tagged("t", value);
        if (with_vectors) value = avout_vector(1, &value);
    }
    CHECK(!avout_is_none(value));
    return value;
}

static void *use_deep_values(void *payload)
{
    (void)payload;
    for (int with_vectors = 0; with_vectors < 2; with_vectors++) {
        avout_value a = deep(with_vectors), b = deep(with_vectors);
        CHECK(avout_value_equal(a, b));
        CHECK_INT(avout_value_hash(a), avout_value_hash(b));
        avout_release(a);
        avout_release(b);
    }
    return NULL;
}

TEST(depth_costs_no_stack)
{
    pthread_attr_t attributes;
    pthread_t thread;
    CHECK(!pthread_attr_init(&attributes));
    CHECK(!pthread_attr_setstacksize(&attributes, 256 * 1024));
    CHECK(!pthread_create(&thread, &attributes, use_deep_values, NULL));
    pthread_join(thread, NULL);
    pthread_attr_destroy(&attributes);
    CHECK_INT(0, avout_memory_blocks());
}

static avout_status make_tagged(void *payload)
{
    (void)payload;
    avout_value a = inst("2020"), b = avout_tagged("t", avout_string("x"));
    avout_status st = avout_is_none(a) || avout_is_none(b) ? avout_none_status() : AVOUT_OK;
    avout_release(a);
    avout_release(b);
    return st;
}

TEST(each_allocation_may_fail)
{
    test_each_allocation_fails(make_tagged, NULL);
}
