/* Functions of numbers. What numbers do is the library's; here is how many of them. */
#include "lang/core.h"

#include <math.h>
#include <string.h>
#include <sys/random.h>

#include "base/alloc.h"
#include "base/banned.h"

bool avout__lang_integer(lang_run *run, const char *name, int64_t *number, avout_value value)
{
    avout_type type = avout_value_type(value);
    if (type != AVOUT_TYPE_INT && type != AVOUT_TYPE_BIGINT)
        return avout__lang_wrong(run, name, "an integer", value).bits;
    avout_status status = avout_value_to_int(number, value);
    if (status) avout__lang_failed(run, status);
    return !status;
}

/* Big numbers cost steps by their size. */
static bool pay(lang_run *run, avout_value value)
{
    avout_type type = avout_value_type(value);
    size_t length = 0;
    if (type != AVOUT_TYPE_BIGINT && type != AVOUT_TYPE_RATIO && type != AVOUT_TYPE_DECIMAL)
        return true;
    if (avout_value_to_digits(NULL, 0, &length, value)) return true;
    if (length > 1000000)
        return avout__lang_fail(run, AVOUT_ELIMIT, "a number of more than a million digits").bits;
    return lang_step(run, length / 16 + 1);
}

static bool is_number(lang_run *run, const char *name, avout_value value)
{
    return avout_value_is_number(value) || avout__lang_wrong(run, name, "a number", value).bits;
}

typedef avout_status (*change)(avout_value *number, avout_value other);

/* args[from...] into `total`, which is consumed. */
static avout_value fold(lang_run *run, size_t count, avout_value *args, size_t from,
                        avout_value total, change step)
{
    avout_status status = AVOUT_OK;
    for (size_t i = from; i < count && !status; i++) status = step(&total, lang_take(&args[i]));
    if (!status && pay(run, total)) return total;
    if (status) avout__lang_failed(run, status);
    avout_release(total);
    return AVOUT_NONE;
}

CORE(add)
{
    if (!count) return avout_int(0);
    if (!is_number(run, "+", args[0])) return AVOUT_NONE;
    return fold(run, count, args, 1, lang_take(&args[0]), avout_add);
}

CORE(multiply)
{
    if (!count) return avout_int(1);
    if (!is_number(run, "*", args[0])) return AVOUT_NONE;
    return fold(run, count, args, 1, lang_take(&args[0]), avout_mul);
}

CORE(subtract)
{
    if (!is_number(run, "-", args[0])) return AVOUT_NONE;
    avout_value number = lang_take(&args[0]);
    if (count > 1) return fold(run, count, args, 1, number, avout_sub);
    return lang_done(run, avout_negate(&number), number);
}

CORE(divide)
{
    if (!is_number(run, "/", args[0])) return AVOUT_NONE;
    if (count > 1) return fold(run, count, args, 1, lang_take(&args[0]), avout_div);
    return fold(run, count, args, 0, avout_int(1), avout_div);
}

static avout_value unary(lang_run *run, avout_value *args, avout_status (*f)(avout_value *))
{
    avout_value number = lang_take(&args[0]);
    return lang_done(run, f(&number), number);
}

CORE(increment)
{
    return unary(run, args, avout_inc);
}

CORE(decrement)
{
    return unary(run, args, avout_dec);
}

/* The functions that grow where the others overflow: (+' a b). */
static avout_value promoting(lang_run *run, size_t count, avout_value *args, avout_value total,
                             change step)
{
    for (size_t i = 0; i < count; i++) {
        avout_status status = step(&total, avout_share(args[i]));
        if (status == AVOUT_ERANGE) {
            avout_value big = avout_bigint("0", 1, 10);
            status = avout_add(&total, big);
            if (!status) status = step(&total, avout_share(args[i]));
        }
        if (status) return lang_done(run, status, total);
    }
    if (pay(run, total)) return total;
    avout_release(total);
    return AVOUT_NONE;
}

CORE(add_big)
{
    return promoting(run, count, args, avout_int(0), avout_add);
}

CORE(multiply_big)
{
    return promoting(run, count, args, avout_int(1), avout_mul);
}

CORE(subtract_big)
{
    if (count == 1) return promoting(run, 1, args, avout_int(0), avout_sub);
    return promoting(run, count - 1, args + 1, lang_take(&args[0]), avout_sub);
}

CORE(increment_big)
{
    avout_value one = avout_int(1);
    return promoting(run, 1, &one, lang_take(&args[0]), avout_add);
}

CORE(decrement_big)
{
    avout_value one = avout_int(1);
    return promoting(run, 1, &one, lang_take(&args[0]), avout_sub);
}

static avout_value binary(lang_run *run, avout_value *args, change f)
{
    avout_value number = lang_take(&args[0]);
    return lang_done(run, f(&number, lang_take(&args[1])), number);
}

CORE(quotient)
{
    return binary(run, args, avout_quot);
}

CORE(remainder_of)
{
    return binary(run, args, avout_rem);
}

CORE(modulo)
{
    return binary(run, args, avout_mod);
}

/* ---- comparison ---------------------------------------------------------------------------------------------- */

static bool is_nan(avout_value value)
{
    double number;
    return avout_value_type(value) == AVOUT_TYPE_FLOAT && !avout_value_to_float(&number, value) &&
           isnan(number);
}

/* Whether every neighbours' order is one of the wanted: -1, 0, 1 as bits 1, 2, 4. ##NaN has none. */
static avout_value ordered(lang_run *run, const char *name, size_t count, avout_value *args,
                           unsigned wanted)
{
    bool fine = true;
    for (size_t i = 0; i < count; i++)
        if (!is_number(run, name, args[i])) return AVOUT_NONE;
    for (size_t i = 0; i + 1 < count && fine; i++) {
        int order = 0;
        avout_status status = avout_value_compare(&order, args[i], args[i + 1]);
        if (status) return avout__lang_failed(run, status);
        unsigned bit = order < 0 ? 1 : order > 0 ? 4 : 2;
        fine = (bit & wanted) && !is_nan(args[i]) && !is_nan(args[i + 1]);
    }
    return avout_bool(fine);
}

CORE(less)
{
    return count == 1 ? avout_bool(true) : ordered(run, "<", count, args, 1);
}

CORE(less_equal)
{
    return count == 1 ? avout_bool(true) : ordered(run, "<=", count, args, 3);
}

CORE(greater)
{
    return count == 1 ? avout_bool(true) : ordered(run, ">", count, args, 4);
}

CORE(greater_equal)
{
    return count == 1 ? avout_bool(true) : ordered(run, ">=", count, args, 6);
}

CORE(equal_numbers)
{
    return count == 1 ? avout_bool(true) : ordered(run, "==", count, args, 2);
}

static avout_value extreme(lang_run *run, const char *name, size_t count, avout_value *args,
                           int sign)
{
    size_t best = 0;
    for (size_t i = 0; i < count; i++) {
        int order = 0;
        if (!is_number(run, name, args[i])) return AVOUT_NONE;
        if (is_nan(args[i])) return lang_take(&args[i]);
        avout_status status = avout_value_compare(&order, args[i], args[best]);
        if (status) return avout__lang_failed(run, status);
        if (order * sign > 0) best = i;
    }
    return lang_take(&args[best]);
}

CORE(maximum)
{
    return extreme(run, "max", count, args, 1);
}

CORE(minimum)
{
    return extreme(run, "min", count, args, -1);
}

/* *sign of a number: -1, 0, 1; ##NaN has the sign 2. */
static bool sign_of(lang_run *run, const char *name, int *sign, avout_value value)
{
    if (!is_number(run, name, value)) return false;
    if (is_nan(value)) return *sign = 2, true;
    avout_status status = avout_value_compare(sign, value, avout_int(0));
    if (status) avout__lang_failed(run, status);
    *sign = *sign < 0 ? -1 : *sign > 0;
    return !status;
}

static avout_value has_sign(lang_run *run, const char *name, avout_value value, int wanted)
{
    int sign;
    return sign_of(run, name, &sign, value) ? avout_bool(sign == wanted) : AVOUT_NONE;
}

CORE(is_zero)
{
    return has_sign(run, "zero?", args[0], 0);
}

CORE(is_positive)
{
    return has_sign(run, "pos?", args[0], 1);
}

CORE(is_negative)
{
    return has_sign(run, "neg?", args[0], -1);
}

CORE(absolute)
{
    int sign;
    if (!sign_of(run, "abs", &sign, args[0])) return AVOUT_NONE;
    if (sign == -1) return unary(run, args, avout_negate);
    return lang_take(&args[0]);
}

static avout_value parity(lang_run *run, const char *name, avout_value value, bool odd)
{
    avout_type type = avout_value_type(value);
    int sign = 0;
    if (type != AVOUT_TYPE_INT && type != AVOUT_TYPE_BIGINT)
        return avout__lang_wrong(run, name, "an integer", value);
    avout_value rest = avout_share(value);
    avout_status status = avout_rem(&rest, avout_int(2));
    if (!status) status = avout_value_compare(&sign, rest, avout_int(0));
    avout_release(rest);
    return status ? avout__lang_failed(run, status) : avout_bool((sign != 0) == odd);
}

CORE(is_even)
{
    return parity(run, "even?", args[0], false);
}

CORE(is_odd)
{
    return parity(run, "odd?", args[0], true);
}

/* ---- bits ------------------------------------------------------------------------------------------------------ */

static avout_value bits(lang_run *run, const char *name, size_t count, avout_value *args, char what)
{
    int64_t result = 0, number;
    for (size_t i = 0; i < count; i++) {
        if (!avout__lang_integer(run, name, &number, args[i])) return AVOUT_NONE;
        if (!i) result = number;
        else if (what == '&') result &= number;
        else if (what == '|') result |= number;
        else if (what == '^') result ^= number;
        else if (what == '<') result = (int64_t)((uint64_t)result << (number & 63));
        else if (what == '>') result >>= number & 63;
        else result = (result >> (number & 63)) & 1;
    }
    if (what == '~') result = ~result;
    if (what == '?') return avout_bool(result);
    return avout__lang_made(run, avout_int(result));
}

CORE(bit_and)
{
    return bits(run, "bit-and", count, args, '&');
}

CORE(bit_or)
{
    return bits(run, "bit-or", count, args, '|');
}

CORE(bit_xor)
{
    return bits(run, "bit-xor", count, args, '^');
}

CORE(bit_not)
{
    return bits(run, "bit-not", count, args, '~');
}

CORE(bit_left)
{
    return bits(run, "bit-shift-left", count, args, '<');
}

CORE(bit_right)
{
    return bits(run, "bit-shift-right", count, args, '>');
}

CORE(bit_test)
{
    return bits(run, "bit-test", count, args, '?');
}

/* ---- conversion -------------------------------------------------------------------------------------------------- */

/* Towards zero, as an INT. */
static avout_value to_integer(lang_run *run, const char *name, avout_value value)
{
    uint32_t c;
    if (!avout_value_to_char(&c, value)) return avout_int(c);
    if (!is_number(run, name, value)) return AVOUT_NONE;
    double number;
    int64_t whole;
    if (avout_value_type(value) == AVOUT_TYPE_FLOAT) {
        avout_value_to_float(&number, value);
        if (isnan(number)) return avout_int(0);
        if (!(number >= -9223372036854775808.0 && number < 9223372036854775808.0))
            return avout__lang_fail(run, AVOUT_ERANGE, "%s: %g does not fit 64 bits", name, number);
        return avout__lang_made(run, avout_int((int64_t)number));
    }
    avout_value rounded = avout_share(value);
    avout_status status = avout_quot(&rounded, avout_int(1));
    if (!status && avout_value_type(rounded) == AVOUT_TYPE_DECIMAL) {
        char digits[64];
        size_t length;
        status = avout_value_to_digits(digits, sizeof digits, &length, rounded);
        if (!status && length >= sizeof digits)
            status = avout_fail(AVOUT_ERANGE, "%s: too large", name);
        avout_release(rounded);
        size_t n = strcspn(digits, ".M");
        rounded = status ? AVOUT_NONE : avout_bigint(digits, n, 10);
    }
    if (!status) status = avout_value_to_int(&whole, rounded);
    avout_release(rounded);
    return status ? avout__lang_failed(run, status) : avout__lang_made(run, avout_int(whole));
}

CORE(to_long)
{
    return to_integer(run, "long", args[0]);
}

CORE(to_int)
{
    avout_value whole = to_integer(run, "int", args[0]);
    int64_t number;
    if (!whole.bits || avout_value_to_int(&number, whole)) return whole;
    if (number >= INT32_MIN && number <= INT32_MAX) return whole;
    avout_release(whole);
    return avout__lang_fail(run, AVOUT_ERANGE, "int: %lld does not fit 32 bits", (long long)number);
}

CORE(to_double)
{
    double number;
    avout_status status = avout_value_to_float(&number, args[0]);
    if (status) return avout__lang_failed(run, status);
    return avout__lang_made(run, avout_float(number));
}

/* The digits of a number, without N or M. */
static char *digits_of(avout_value value)
{
    size_t length = 0;
    if (avout_value_to_digits(NULL, 0, &length, value)) return NULL;
    char *digits = avout__alloc(length + 1);
    if (!digits || avout_value_to_digits(digits, length + 1, &length, value)) {
        avout__free(digits);
        return NULL;
    }
    if (length && (digits[length - 1] == 'N' || digits[length - 1] == 'M'))
        digits[length - 1] = '\0';
    return digits;
}

CORE(to_bigint)
{
    if (avout_value_type(args[0]) == AVOUT_TYPE_BIGINT) return lang_take(&args[0]);
    avout_value whole = to_integer(run, "bigint", args[0]);
    if (!whole.bits) return AVOUT_NONE;
    return lang_done(run, avout_add(&whole, avout_bigint("0", 1, 10)), whole);
}

CORE(to_decimal)
{
    avout_value value = args[0], number;
    const char *text;
    size_t length;
    if (avout_value_type(value) == AVOUT_TYPE_STRING && !avout_value_to_text(&text, &length, value))
        return avout__lang_made(run, avout_decimal(text, length));
    if (!is_number(run, "bigdec", value)) return AVOUT_NONE;
    if (avout_value_type(value) == AVOUT_TYPE_RATIO) {
        number = avout_decimal("1", 1);
        return lang_done(run, avout_mul(&number, avout_share(value)), number);
    }
    char *digits = digits_of(value);
    if (!digits) return avout__lang_failed(run, AVOUT_ENOMEM);
    number = avout_decimal(digits, strlen(digits));
    avout__free(digits);
    return avout__lang_made(run, number);
}

/* One side of a ratio's text. */
static avout_value ratio_part(lang_run *run, const char *name, avout_value value, bool above)
{
    if (avout_value_type(value) != AVOUT_TYPE_RATIO)
        return avout__lang_wrong(run, name, "a ratio", value);
    char *digits = digits_of(value), *slash = digits ? strchr(digits, '/') : NULL;
    if (!slash) return avout__lang_failed(run, AVOUT_ENOMEM);
    avout_value part = above ? avout_bigint(digits, (size_t)(slash - digits), 10)
                             : avout_bigint(slash + 1, strlen(slash + 1), 10);
    avout__free(digits);
    int64_t small;
    if (!part.bits || avout_value_to_int(&small, part)) return avout__lang_made(run, part);
    avout_release(part);
    return avout__lang_made(run, avout_int(small));
}

CORE(numerator)
{
    return ratio_part(run, "numerator", args[0], true);
}

CORE(denominator)
{
    return ratio_part(run, "denominator", args[0], false);
}

/* nil for what is no number of that type; only a string is asked. */
static avout_value parse(lang_run *run, const char *name, avout_value value, bool whole)
{
    const char *text;
    size_t length;
    char *end;
    if (!avout__lang_text_of(run, name, &text, &length, value)) return AVOUT_NONE;
    if (!length || strlen(text) != length || length > 400) return avout_nil();
    if (!whole) {
        if (strcspn(text, "xXpPiInN") != length) return avout_nil();
        double number = strtod(text, &end);
        return *end ? avout_nil() : avout__lang_made(run, avout_float(number));
    }
    size_t sign = *text == '-' || *text == '+';
    if (!text[sign] || strspn(text + sign, "0123456789") != length - sign) return avout_nil();
    int64_t number;
    avout_value big = avout_bigint(text, length, 10);
    avout_status status = big.bits ? avout_value_to_int(&number, big) : AVOUT_ERANGE;
    avout_release(big);
    return status ? avout_nil() : avout__lang_made(run, avout_int(number));
}

CORE(parse_long)
{
    return parse(run, "parse-long", args[0], true);
}

CORE(parse_double)
{
    return parse(run, "parse-double", args[0], false);
}

/* ---- chance ------------------------------------------------------------------------------------------------------ */

static uint64_t chance(void)
{
    uint64_t number = 0;
    while (getrandom(&number, sizeof number, 0) != sizeof number) {}
    return number;
}

CORE(random_number)
{
    double most = 1, number = (double)(chance() >> 11) * 0x1p-53;
    avout_status status = count ? avout_value_to_float(&most, args[0]) : AVOUT_OK;
    if (status) return avout__lang_failed(run, status);
    return avout__lang_made(run, avout_float(number * most));
}

CORE(random_integer)
{
    int64_t most;
    if (!avout__lang_integer(run, "rand-int", &most, args[0])) return AVOUT_NONE;
    if (most <= 0) return avout_int(0);
    return avout__lang_made(run, avout_int((int64_t)(chance() % (uint64_t)most)));
}

const lang_core avout__lang_numbers[] = {
    {"+", "n ...", "the sum", 0, LANG_MANY, add, NULL},
    {"-", "n m ...", "n minus the others; alone: negated", 1, LANG_MANY, subtract, NULL},
    {"*", "n ...", "the product", 0, LANG_MANY, multiply, NULL},
    {"/", "n m ...", "n divided by the others; alone: 1/n", 1, LANG_MANY, divide, NULL},
    {"+'", "n ...", "the sum; grows into a big integer", 0, LANG_MANY, add_big, NULL},
    {"-'", "n m ...", "n minus the others; grows", 1, LANG_MANY, subtract_big, NULL},
    {"*'", "n ...", "the product; grows", 0, LANG_MANY, multiply_big, NULL},
    {"inc'", "n", "n plus one; grows", 1, 1, increment_big, NULL},
    {"dec'", "n", "n minus one; grows", 1, 1, decrement_big, NULL},
    {"inc", "n", "n plus one", 1, 1, increment, NULL},
    {"dec", "n", "n minus one", 1, 1, decrement, NULL},
    {"quot", "n m", "n divided by m, rounded towards zero", 2, 2, quotient, NULL},
    {"rem", "n m", "what quot leaves; has the sign of n", 2, 2, remainder_of, NULL},
    {"mod", "n m", "n modulo m; has the sign of m", 2, 2, modulo, NULL},
    {"<", "n ...", "whether each is less than the next", 1, LANG_MANY, less, NULL},
    {"<=", "n ...", "whether none is greater than the next", 1, LANG_MANY, less_equal, NULL},
    {">", "n ...", "whether each is greater than the next", 1, LANG_MANY, greater, NULL},
    {">=", "n ...", "whether none is less than the next", 1, LANG_MANY, greater_equal, NULL},
    {"==", "n ...", "whether all are the same number, of whatever type", 1, LANG_MANY,
     equal_numbers, NULL},
    {"max", "n ...", "the greatest", 1, LANG_MANY, maximum, NULL},
    {"min", "n ...", "the least", 1, LANG_MANY, minimum, NULL},
    {"zero?", "n", "whether it is 0", 1, 1, is_zero, NULL},
    {"pos?", "n", "whether it is greater than 0", 1, 1, is_positive, NULL},
    {"neg?", "n", "whether it is less than 0", 1, 1, is_negative, NULL},
    {"even?", "n", "whether 2 divides it", 1, 1, is_even, NULL},
    {"odd?", "n", "whether 2 does not divide it", 1, 1, is_odd, NULL},
    {"abs", "n", "without its sign", 1, 1, absolute, NULL},
    {"bit-and", "n m ...", "the bits that are in all", 2, LANG_MANY, bit_and, NULL},
    {"bit-or", "n m ...", "the bits that are in any", 2, LANG_MANY, bit_or, NULL},
    {"bit-xor", "n m ...", "the bits that differ", 2, LANG_MANY, bit_xor, NULL},
    {"bit-not", "n", "the bits that are not there", 1, 1, bit_not, NULL},
    {"bit-shift-left", "n m", "n shifted left by m bits", 2, 2, bit_left, NULL},
    {"bit-shift-right", "n m", "n shifted right by m bits", 2, 2, bit_right, NULL},
    {"bit-test", "n m", "whether bit m is set", 2, 2, bit_test, NULL},
    {"long", "x", "as an integer, rounded towards zero; of a character: its code", 1, 1, to_long,
     NULL},
    {"int", "x", "as long, of 32 bits", 1, 1, to_int, NULL},
    {"double", "n", "as a floating-point number", 1, 1, to_double, NULL},
    {"float", "n", "double", 1, 1, to_double, NULL},
    {"bigint", "n", "as a big integer, rounded towards zero", 1, 1, to_bigint, NULL},
    {"bigdec", "n", "as an exact decimal", 1, 1, to_decimal, NULL},
    {"numerator", "ratio", "what is above the line", 1, 1, numerator, NULL},
    {"denominator", "ratio", "what is below the line", 1, 1, denominator, NULL},
    {"parse-long", "s", "the integer a string is, or nil", 1, 1, parse_long, NULL},
    {"parse-double", "s", "the number a string is, or nil", 1, 1, parse_double, NULL},
    {"rand", "n?", "a random number from 0 up to 1, or n", 0, 1, random_number, NULL},
    {"rand-int", "n", "a random integer from 0 up to n", 1, 1, random_integer, NULL},
    LANG_END,
};
