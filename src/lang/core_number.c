/* Arithmetic and comparison. What numbers do is the library's; here is how many of them. */
#include "lang/core.h"

#include <math.h>

#include "base/banned.h"

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
    if (!avout__lang_is_number(run, "+", args[0])) return AVOUT_NONE;
    return fold(run, count, args, 1, lang_take(&args[0]), avout_add);
}

CORE(multiply)
{
    if (!count) return avout_int(1);
    if (!avout__lang_is_number(run, "*", args[0])) return AVOUT_NONE;
    return fold(run, count, args, 1, lang_take(&args[0]), avout_mul);
}

CORE(subtract)
{
    if (!avout__lang_is_number(run, "-", args[0])) return AVOUT_NONE;
    avout_value number = lang_take(&args[0]);
    if (count > 1) return fold(run, count, args, 1, number, avout_sub);
    return lang_done(run, avout_negate(&number), number);
}

CORE(divide)
{
    if (!avout__lang_is_number(run, "/", args[0])) return AVOUT_NONE;
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
        if (!avout__lang_is_number(run, name, args[i])) return AVOUT_NONE;
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
        if (!avout__lang_is_number(run, name, args[i])) return AVOUT_NONE;
        if (is_nan(args[i])) return lang_take(&args[i]);
        avout_status status = avout_value_compare(&order, args[i], args[best]);
        if (status) return avout__lang_failed(run, status);
        /* The last one of those that are equal, as Clojure has it: (max 1 1.0). */
        if (order * sign >= 0) best = i;
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
    if (!avout__lang_is_number(run, name, value)) return false;
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
    LANG_END,
};
