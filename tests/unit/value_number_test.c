/* Numbers against what Clojure 1.11.1 answers (its digits for doubles where they are the shortest). */
#include "support/test.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>

#include "avout/memory.h"
#include "avout/value.h"

/* A number as EDN writes it. */
static avout_value number(const char *text)
{
    size_t length = strlen(text);
    const char *slash = strchr(text, '/');
    if (!strcmp(text, "##NaN")) return avout_float(NAN);
    if (!strcmp(text, "##Inf")) return avout_float(INFINITY);
    if (!strcmp(text, "##-Inf")) return avout_float(-INFINITY);
    if (text[length - 1] == 'N') return avout_bigint(text, length - 1, 10);
    if (text[length - 1] == 'M') return avout_decimal(text, length - 1);
    if (strpbrk(text, ".E")) return avout_float(strtod(text, NULL));
    if (!slash) return avout_int(strtoll(text, NULL, 10));
    return avout_ratio(avout_bigint(text, (size_t)(slash - text), 10),
                       avout_bigint(slash + 1, strlen(slash + 1), 10));
}

static const char *digits(avout_value value)
{
    static char text[4][1024];
    static int next;
    size_t length;
    char *buffer = text[next++ % 4];
    CHECK_OK(avout_value_to_digits(buffer, 1024, &length, value));
    CHECK_INT(length, strlen(buffer));
    return buffer;
}

/* A number's digits, or the status as "!ERANGE". */
static const char *outcome(avout_status st, avout_value value)
{
    static char text[32];
    if (!st) return digits(value);
    snprintf(text, sizeof text, "!%s", avout_status_name(st) + strlen("AVOUT_"));
    return text;
}

static void check_same(const char *what, const char *a, const char *b, const char *wanted,
                       const char *got)
{
    /* Java's digits are not always the shortest. */
    bool equal = !strcmp(wanted, got);
    if (!equal && *wanted != '!' && *got != '!' && !strpbrk(wanted, "MN/#") &&
        strpbrk(wanted, ".E") && !strpbrk(got, "MN/#"))
        equal = strtod(wanted, NULL) == strtod(got, NULL) && strlen(got) < strlen(wanted);
    if (!equal)
        test_failed(__FILE__, __LINE__, "%s %s %s: %s, Clojure says %s", a, what, b, got, wanted);
}

static const struct {
    const char *name;
    avout_status (*change)(avout_value *number, avout_value other);
} binary[] = {{"add", avout_add},   {"sub", avout_sub}, {"mul", avout_mul}, {"div", avout_div},
              {"quot", avout_quot}, {"rem", avout_rem}, {"mod", avout_mod}};

static const struct {
    const char *a, *b, *answers[9];
} pairs[] = {
#include "unit/value_number_table.inc"
};

TEST(two_numbers_make_what_clojure_makes)
{
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        avout_value a = number(pairs[i].a), b = number(pairs[i].b);
        CHECK_TEXT(pairs[i].a, digits(a));
        for (size_t k = 0; k < sizeof binary / sizeof *binary; k++) {
            avout_value result = avout_share(a);
            avout_status st = binary[k].change(&result, avout_share(b));
            if (st) {
                CHECK(result.bits == a.bits); /* unchanged */
                CHECK_CONTAINS(st == AVOUT_EDIVZERO ? binary[k].name : "", avout_error_detail());
            }
            check_same(binary[k].name, pairs[i].a, pairs[i].b, pairs[i].answers[k],
                       outcome(st, result));
            avout_release(result);
        }
        int order = 7;
        char text[16];
        CHECK_OK(avout_value_compare(&order, a, b));
        snprintf(text, sizeof text, "%d", order);
        check_same("compare", pairs[i].a, pairs[i].b, pairs[i].answers[7], text);
        bool equal = avout_value_equal(a, b);
        check_same("equal", pairs[i].a, pairs[i].b, pairs[i].answers[8], equal ? "true" : "false");
        if (equal) CHECK_INT(avout_value_hash(a), avout_value_hash(b));
        avout_release(a);
        avout_release(b);
    }
    CHECK_INT(0, avout_memory_blocks());
}

static const struct {
    const char *number, *inc, *dec, *negated, *as_float;
} single[] = {
    {"0", "1", "-1", "0", "0.0"},
    {"1", "2", "0", "-1", "1.0"},
    {"-7", "-6", "-8", "7", "-7.0"},
    {"9223372036854775807", "!ERANGE", "9223372036854775806", "-9223372036854775807",
     "9.223372036854776E18"},
    {"-9223372036854775808", "-9223372036854775807", "!ERANGE", "!ERANGE", "-9.223372036854776E18"},
    {"4611686018427387903", "4611686018427387904", "4611686018427387902", "-4611686018427387903",
     "4.6116860184273879E18"},
    {"-4611686018427387904", "-4611686018427387903", "-4611686018427387905", "4611686018427387904",
     "-4.6116860184273879E18"},
    {"0N", "1N", "-1N", "0N", "0.0"},
    {"5N", "6N", "4N", "-5N", "5.0"},
    {"-123456789012345678901234567890N", "-123456789012345678901234567889N",
     "-123456789012345678901234567891N", "123456789012345678901234567890N",
     "-1.2345678901234568E29"},
    {"9007199254740993N", "9007199254740994N", "9007199254740992N", "-9007199254740993N",
     "9.007199254740992E15"},
    {"18446744073709551615N", "18446744073709551616N", "18446744073709551614N",
     "-18446744073709551615N", "1.8446744073709552E19"},
    {"18446744073709551616N", "18446744073709551617N", "18446744073709551615N",
     "-18446744073709551616N", "1.8446744073709552E19"},
    {"36893488147419103231N", "36893488147419103232N", "36893488147419103230N",
     "-36893488147419103231N", "3.6893488147419103E19"},
    {"100000000000000000000000000000000000000001N", "100000000000000000000000000000000000000002N",
     "100000000000000000000000000000000000000000N", "-100000000000000000000000000000000000000001N",
     "1.0E41"},
    {"1/3", "4/3", "-2/3", "-1/3", "0.3333333333333333"},
    {"2/3", "5/3", "-1/3", "-2/3", "0.6666666666666667"},
    {"-7/2", "-5/2", "-9/2", "7/2", "-3.5"},
    {"123456789012345678901/2", "123456789012345678903/2", "123456789012345678899/2",
     "-123456789012345678901/2", "6.172839450617284E19"},
    {"1/123456789012345678901234567890",
     "123456789012345678901234567891/123456789012345678901234567890",
     "-123456789012345678901234567889/123456789012345678901234567890",
     "-1/123456789012345678901234567890", "8.100000072900002E-30"},
    {"0.0", "1.0", "-1.0", "-0.0", "0.0"},
    {"-0.0", "1.0", "-1.0", "0.0", "-0.0"},
    {"-2.5", "-1.5", "-3.5", "2.5", "-2.5"},
    {"1.0E300", "1.0E300", "1.0E300", "-1.0E300", "1.0E300"},
    {"1.0E-5", "1.00001", "-0.99999", "-1.0E-5", "1.0E-5"},
    {"##Inf", "##Inf", "##Inf", "##-Inf", "##Inf"},
    {"##NaN", "##NaN", "##NaN", "##NaN", "##NaN"},
    {"0M", "1M", "-1M", "0M", "0.0"},
    {"1.50M", "2.50M", "0.50M", "-1.50M", "1.5"},
    {"-0.007M", "0.993M", "-1.007M", "0.007M", "-0.007"},
    {"1E+3M", "1001M", "999M", "-1E+3M", "1000.0"},
    {"12345678901234567890.5M", "12345678901234567891.5M", "12345678901234567889.5M",
     "-12345678901234567890.5M", "1.2345678901234567E19"},
    {"0.1M", "1.1M", "-0.9M", "-0.1M", "0.1"},
    {"0E+5M", "1M", "-1M", "0E+5M", "0.0"},
    {"0.000M", "1.000M", "-1.000M", "0.000M", "0.0"},
};

TEST(one_number_makes_what_clojure_makes)
{
    for (size_t i = 0; i < sizeof single / sizeof *single; i++) {
        const char *text = single[i].number;
        avout_value value = number(text);
        CHECK_TEXT(text, digits(value));
        avout_value result = avout_share(value);
        check_same("inc", text, "", single[i].inc, outcome(avout_inc(&result), result));
        CHECK_OK(avout_put(&result, avout_share(value)));
        check_same("dec", text, "", single[i].dec, outcome(avout_dec_fn(&result, NULL), result));
        CHECK_OK(avout_put(&result, avout_share(value)));
        check_same("negate", text, "", single[i].negated, outcome(avout_negate(&result), result));
        double as_float = 0;
        CHECK_OK(avout_value_to_float(&as_float, value));
        CHECK_OK(avout_put(&result, avout_float(as_float)));
        check_same("to_float", text, "", single[i].as_float, digits(result));
        avout_release(result);
        avout_release(value);
    }
    CHECK_INT(0, avout_memory_blocks());
}

/* Halfway between two, and just past it. */
TEST(what_lies_between_doubles_is_rounded_as_clojure_does)
{
    static const char *const rounded[][2] = {
        {"166153499473114502559719956244594688N", "1.6615349947311448E35"},
        {"166153499473114502559719956244594689N", "1.6615349947311452E35"},
        {"166153499473114539453208103663697920N", "1.6615349947311456E35"},
        {"2469135780246913/20000000000000000", "0.1234567890123456"},
        {"12345678901234565000000000001/100000000000000000000000000000", "0.1234567890123457"},
        {"493827156049383/4000000000000000", "0.1234567890123458"}};
    for (size_t i = 0; i < sizeof rounded / sizeof *rounded; i++) {
        avout_value value = number(rounded[i][0]);
        double as_float = 0;
        CHECK_OK(avout_value_to_float(&as_float, value));
        if (as_float != strtod(rounded[i][1], NULL))
            test_failed(__FILE__, __LINE__, "%s: %.17g", rounded[i][0], as_float);
        avout_release(value);
    }
}

TEST(doubles_take_the_shortest_digits_that_read_back)
{
    static const char *const texts[] = {
        "1.0",
        "100.0",
        "9999999.0",
        "1.0E7",
        "1.23456789E7",
        "0.001",
        "9.99E-4",
        "1.0E-5",
        "0.1",
        "0.3",
        "0.30000000000000004",
        "3.14159",
        "1.0E21",
        "1.5E300",
        "0.3333333333333333",
        "5.960464477539063E-8",
        "9.007199254740992E15",
        "1.1805916207174113E21",
        "1.23456789125E8",
        "4.35",
        "4.9E-324",
        "2.2250738585072014E-308",
        "1.7976931348623157E308",
        "0.007",
        "1.0E15",
        "1.2345678901234568E17",
        "1.0E-7",
        "1.4142135623730951",
        "1234567.0",
        "-0.0",
        "-1.5",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        avout_value value = number(texts[i]);
        CHECK_TEXT(texts[i], digits(value));
        avout_release(value);
    }
    uint64_t bits = 88172645463325252u; /* xorshift: any doubles */
    for (int i = 0; i < 20000; i++) {
        bits ^= bits << 13, bits ^= bits >> 7, bits ^= bits << 17;
        double wanted;
        memcpy(&wanted, &bits, sizeof wanted);
        if (!isfinite(wanted)) continue;
        avout_value value = avout_float(wanted);
        const char *text = digits(value);
        if (strtod(text, NULL) != wanted) test_failed(__FILE__, __LINE__, "%a: %s", wanted, text);
        avout_release(value);
    }
}

TEST(decimals_read_and_print_as_java_does)
{
    static const struct {
        const char *text, *printed;
    } good[] = {
        {"1", "1M"},
        {"1.", "1M"},
        {"0.0000001", "1E-7M"},
        {"0.000001", "0.000001M"},
        {"1e3", "1E+3M"},
        {"1E-3", "0.001M"},
        {"1.5e-3", "0.0015M"},
        {"0E-10", "0E-10M"},
        {"0e10", "0E+10M"},
        {"-0", "0M"},
        {"-0.0", "0.0M"},
        {"+5", "5M"},
        {"00012.50", "12.50M"},
        {"123456789012345678901234567890.123", "123456789012345678901234567890.123M"},
        {"1e2147483647", "1E+2147483647M"},
        {"1e-2147483647", "1E-2147483647M"},
        {"12.3E+7", "1.23E+8M"},
        {"12.3E-12", "1.23E-11M"},
        {"100E-2", "1.00M"},
        {"1000000e-8", "0.01000000M"},
        {"-1.5E-7", "-1.5E-7M"},
        {"0.00", "0.00M"},
        {"1e+0", "1M"},
        {"9.99E20", "9.99E+20M"},
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        avout_value value = avout_decimal(good[i].text, strlen(good[i].text));
        CHECK_TEXT(good[i].printed, digits(value));
        avout_release(value);
    }
    static const char *const bad[] = {"", "-", ".5", "1e", "1e+", "1.5.5", "a", "1M", "1 ", "0x1"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        CHECK(avout_is_none(avout_decimal(bad[i], strlen(bad[i]))));
        CHECK_STATUS(AVOUT_ESYNTAX, avout_none_status());
    }
    static const char *const far[] = {"1e99999999999", "1e-2147483648", "0e99999999999",
                                      "1.5e-2147483647"};
    for (size_t i = 0; i < sizeof far / sizeof *far; i++) {
        CHECK(avout_is_none(avout_decimal(far[i], strlen(far[i]))));
        CHECK_STATUS(AVOUT_ERANGE, avout_none_status());
    }
}

TEST(equal_decimals_hash_alike_however_many_zeros_they_have)
{
    static const char *const same[][2] = {
        {"1.0M", "1.00M"},
        {"0M", "0E+9M"},
        {"100M", "1E+2M"},
        {"123456789012345678901234567890000000000000000000000000000000000000000M",
         "12345678901234567890123456789E+40M"},
        {"18446744073709551616.000000000000000000000000000000000000M", "18446744073709551616M"},
    };
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        avout_value a = number(same[i][0]), b = number(same[i][1]);
        CHECK(avout_value_equal(a, b) && avout_value_equal(b, a));
        CHECK_INT(avout_value_hash(a), avout_value_hash(b));
        int order = 7;
        CHECK_OK(avout_value_compare(&order, a, b));
        CHECK_INT(0, order);
        avout_release(a);
        avout_release(b);
    }
}

TEST(hostile_exponents_cost_nothing)
{
    avout_value huge = number("1E+2147483647M");
    int order = 0;
    avout_value one = avout_int(1);
    CHECK_OK(avout_value_compare(&order, huge, one));
    CHECK_INT(1, order);
    CHECK_STATUS(AVOUT_ELIMIT, avout_add(&huge, avout_int(1)));
    CHECK_STATUS(AVOUT_ELIMIT, avout_quot(&huge, avout_int(3)));
    CHECK_STATUS(AVOUT_ERANGE, avout_mul(&huge, number("1E+2M")));
    CHECK_TEXT("1E+2147483647M", digits(huge));
    avout_value tiny = number("1E-2147483647M");
    CHECK_OK(avout_quot(&tiny, avout_int(3)));
    CHECK_TEXT("0E-2147483647M", digits(tiny));
    avout_release(huge);
    avout_release(tiny);
}

TEST(bigints_read_in_every_base)
{
    static const struct {
        const char *text;
        int base;
        const char *printed;
    } good[] = {{"ff", 16, "255N"},
                {"-zz", 36, "-1295N"},
                {"+0", 10, "0N"},
                {"-0", 10, "0N"},
                {"FFFFFFFFFFFFFFFFFFFF", 16, "1208925819614629174706175N"},
                {"zzzzzzzzzzzzzzzzzzzzzzzzzzzzz", 36, NULL},
                {"100000000000000000000000000000000000000000000000000000000000000000", 2,
                 "36893488147419103232N"},
                {"00000000000000000000000000000000000000000000000000000000000000007", 8, "7N"}};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        avout_value value = avout_bigint(good[i].text, strlen(good[i].text), good[i].base);
        CHECK_INT(AVOUT_TYPE_BIGINT, avout_value_type(value));
        if (good[i].printed) CHECK_TEXT(good[i].printed, digits(value));
        avout_release(value);
    }
    static const struct {
        const char *text;
        int base;
        avout_status status;
    } bad[] = {{"", 10, AVOUT_ESYNTAX}, {"-", 10, AVOUT_ESYNTAX},  {"12a", 10, AVOUT_ESYNTAX},
               {"2", 2, AVOUT_ESYNTAX}, {"5N", 10, AVOUT_ESYNTAX}, {"1", 1, AVOUT_EINVAL},
               {"1", 37, AVOUT_EINVAL}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        CHECK(avout_is_none(avout_bigint(bad[i].text, strlen(bad[i].text), bad[i].base)));
        CHECK_STATUS(bad[i].status, avout_none_status());
    }
}

/* (a b + c) / b = a, rest c, for numbers of hundreds of limbs: the operations against each other. */
TEST(large_numbers_divide_back)
{
    avout_value a = avout_bigint("123456789abcdef", 15, 16), c = avout_int(99);
    for (int i = 0; i < 11; i++) {
        avout_value b = avout_share(a);
        CHECK_OK(avout_add(&b, avout_int(i)));
        avout_value product = avout_share(a);
        CHECK_OK(avout_mul(&product, avout_share(b)));
        CHECK_OK(avout_add(&product, c));
        avout_value quotient = avout_share(product), rest = avout_share(product);
        CHECK_OK(avout_quot(&quotient, avout_share(b)));
        CHECK_OK(avout_rem(&rest, avout_share(b)));
        CHECK(avout_value_equal(quotient, a));
        CHECK(avout_value_equal(rest, c));
        avout_value ratio = avout_ratio(avout_share(product), avout_share(b));
        CHECK_INT(AVOUT_TYPE_RATIO, avout_value_type(ratio));
        CHECK_OK(avout_mul(&ratio, avout_share(b)));
        CHECK(avout_value_equal(ratio, product));
        avout_release(ratio);
        avout_release(quotient);
        avout_release(rest);
        avout_release(b);
        avout_release(a);
        a = product;
    }
    avout_release(a);
    CHECK_INT(0, avout_memory_blocks());
}

TEST(ratios_are_in_lowest_terms)
{
    avout_value value = avout_ratio(avout_int(6), avout_int(-4));
    CHECK_TEXT("-3/2", digits(value));
    avout_release(value);
    value = avout_ratio(avout_int(4), avout_int(2));
    CHECK_INT(AVOUT_TYPE_INT, avout_value_type(value));
    CHECK(avout_is_none(avout_ratio(avout_int(1), avout_int(0))));
    CHECK_STATUS(AVOUT_EDIVZERO, avout_none_status());
    CHECK(avout_is_none(avout_ratio(avout_string("a"), avout_int(1))));
    CHECK_STATUS(AVOUT_ETYPE, avout_none_status());
    CHECK(avout_is_none(avout_ratio(avout_string("\xff"), avout_int(1))));
    CHECK_STATUS(AVOUT_EUTF8, avout_none_status());
    CHECK_INT(0, avout_memory_blocks());
}

TEST(errors_name_the_function_and_the_types)
{
    avout_value text = avout_string("five");
    CHECK_STATUS(AVOUT_ETYPE, avout_inc(&text));
    CHECK_TEXT("inc: expected a number, got \"five\" (string)", avout_error_detail());
    CHECK_STATUS(AVOUT_ETYPE, avout_negate(&text));
    CHECK_TEXT("negate: expected a number, got \"five\" (string)", avout_error_detail());
    avout_value five = avout_int(5);
    CHECK_STATUS(AVOUT_ETYPE, avout_add(&five, avout_share(text)));
    CHECK_TEXT("add: expected numbers, got 5 (int) and \"five\" (string)", avout_error_detail());
    CHECK_STATUS(AVOUT_ETYPE, avout_mod(&five, text)); /* consumed all the same */
    CHECK_TEXT("mod: expected numbers, got 5 (int) and \"five\" (string)", avout_error_detail());
    avout_value most = avout_int(INT64_MAX);
    CHECK_STATUS(AVOUT_ERANGE, avout_inc(&most));
    CHECK_TEXT("inc: integer overflow", avout_error_detail());
    CHECK_TEXT("9223372036854775807", digits(most));
    CHECK_STATUS(AVOUT_EDIVZERO, avout_quot(&most, avout_int(0)));
    CHECK_TEXT("quot: division by zero", avout_error_detail());
    CHECK_STATUS(AVOUT_EUTF8, avout_add(&most, avout_string("\xff")));
    avout_release(most);
    CHECK_STATUS(AVOUT_ETYPE, avout_value_to_float(&(double){0}, avout_nil()));
    int64_t kept = 7;
    avout_value big = avout_bigint("9223372036854775808", 19, 10);
    CHECK_STATUS(AVOUT_ERANGE, avout_value_to_int(&kept, big));
    CHECK_INT(7, kept);
    avout_release(big);
    CHECK_INT(0, avout_memory_blocks());
}

TEST(digits_are_cut_to_the_buffer_and_counted_in_full)
{
    avout_value value = number("12345678901234567890.5M");
    char buffer[8] = "-------";
    size_t length = 0;
    CHECK_OK(avout_value_to_digits(NULL, 0, &length, value));
    CHECK_INT(23, length);
    CHECK_OK(avout_value_to_digits(buffer, 5, &length, value));
    CHECK_INT(23, length);
    CHECK_TEXT("1234", buffer);
    CHECK_INT('-', buffer[5]);
    CHECK_OK(avout_value_to_digits(buffer, 1, &length, value));
    CHECK_TEXT("", buffer);
    avout_release(value);
    CHECK_STATUS(AVOUT_ETYPE, avout_value_to_digits(buffer, 8, &length, avout_nil()));
}

static avout_status calculate(void *payload)
{
    (void)payload;
    static const char *const texts[] = {"9223372036854775807",
                                        "12345678901234567890123N",
                                        "-7/3",
                                        "1.50M",
                                        "12345678901234567890000000000M",
                                        "2.5"};
    enum { COUNT = sizeof texts / sizeof *texts };
    avout_status st = AVOUT_OK;
    for (int i = 0; !st && i < COUNT; i++)
        for (int k = 0; !st && k < COUNT; k++)
            for (size_t op = 0; !st && op < sizeof binary / sizeof *binary; op++) {
                avout_value a = number(texts[i]), before = avout_share(a);
                st = binary[op].change(&a, number(texts[k]));
                if (st) CHECK(a.bits == before.bits);
                int order;
                char buffer[128];
                size_t length;
                if (st == AVOUT_ERANGE) st = AVOUT_OK;
                if (!st) st = avout_negate(&a);
                if (st == AVOUT_ERANGE) st = AVOUT_OK;
                if (!st) st = avout_value_compare(&order, before, a);
                if (!st) st = avout_value_to_digits(buffer, sizeof buffer, &length, a);
                avout_release(a);
                avout_release(before);
            }
    return st;
}

TEST_WITHIN(each_allocation_may_fail, 120)
{
    test_each_allocation_fails(calculate, NULL);
}
