/* Clojure's compare over all types, and numbers as doubles. What a type knows itself is in its
 * hooks. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "value/decimal.h"
#include "value/describe.h"
#include "value/integer.h"
#include "value/number.h"
#include "value/object.h"
#include "value/scalars.h"

#include "base/banned.h"

/* ---- doubles ------------------------------------------------------------------------------- */

/* quotient / divisor as text with 16 digits, ties to even; `inexact` when something remained. */
static double round_to_16(int64_t quotient, bool inexact, int64_t exponent)
{
    bool negative = quotient < 0;
    uint64_t number = negative ? 0 - (uint64_t)quotient : (uint64_t)quotient, unit = 1;
    int64_t dropped = 0;
    for (; number / unit >= 10000000000000000u; unit *= 10) dropped++;
    uint64_t rest = number % unit;
    number /= unit;
    if (unit > 1 && (rest > unit / 2 || (rest == unit / 2 && (inexact || number & 1)))) number++;
    char text[64];
    snprintf(text, sizeof text, "%s%lluE%lld", negative ? "-" : "", (unsigned long long)number,
             (long long)(dropped - exponent));
    return strtod(text, NULL);
}

/* Clojure goes over a decimal of 16 digits (MathContext/DECIMAL64), which is not always the nearest
 * double: 2/3 becomes 0.6666666666666667. So do we. */
static avout_status ratio_to_double(double *result, avout__fraction ratio)
{
    /* So many places that the quotient has 17 to 19 digits. */
    double size = ((double)avout__integer_bits(ratio.numerator) -
                   (double)avout__integer_bits(ratio.denominator)) *
                  log10(2);
    int64_t places = llround(17.5 - size), quotient = 0;
    avout_value top, bottom = AVOUT_NONE, whole = AVOUT_NONE, rest = AVOUT_NONE;
    avout_status st =
        avout__integer_shift_ten(&top, ratio.numerator, places > 0 ? (uint64_t)places : 0);
    if (st) return st;
    st = avout__integer_shift_ten(&bottom, ratio.denominator, places < 0 ? (uint64_t)-places : 0);
    if (!st) st = avout__integer_divide(&whole, &rest, top, bottom, AVOUT__NATURAL);
    if (!st) {
        AVOUT__ASSERT(avout__integer_fits(&quotient, whole));
        *result = round_to_16(quotient, avout__integer_sign(rest) != 0, places);
    }
    avout__release(top);
    avout__release(bottom);
    avout__release(whole);
    avout__release(rest);
    return st;
}

avout_status avout__number_to_double(double *result, avout_value number)
{
    switch (avout_value_type(number)) {
    case AVOUT_TYPE_FLOAT: *result = avout__float_number(number); return AVOUT_OK;
    case AVOUT_TYPE_DECIMAL: return avout__decimal_to_double(result, avout__scaled_of(number));
    case AVOUT_TYPE_RATIO: return ratio_to_double(result, avout__fraction_of(number));
    default: *result = avout__integer_to_double(number); return AVOUT_OK;
    }
}

avout_status avout_value_to_float(double *number, avout_value value)
{
    if (!avout_value_is_number(value)) return avout__fail_type("to_float", "a number", value);
    return avout__number_to_double(number, value);
}

/* ---- order --------------------------------------------------------------------------------- */

static avout_status compare_as_doubles(int *order, avout_value a, avout_value b)
{
    double left, right;
    avout_status st = avout__number_to_double(&left, a);
    if (!st) st = avout__number_to_double(&right, b);
    if (!st) *order = (left > right) - (left < right); /* ##NaN: 0, as Clojure says */
    return st;
}

/* n/d against u x 10^-s: n against (u d) x 10^-s. */
static avout_status compare_with_ratio(int *order, avout_value decimal, avout_value ratio)
{
    avout__scaled scaled = avout__scaled_of(decimal);
    avout__fraction fraction = avout__fraction_of(ratio);
    avout_value product;
    avout_status st =
        avout__integer_mul(&product, scaled.unscaled, fraction.denominator, AVOUT__NATURAL);
    if (st) return st;
    st = avout__decimal_compare(order, (avout__scaled){product, scaled.scale},
                                (avout__scaled){fraction.numerator, 0});
    avout__release(product);
    return st;
}

avout_status avout__number_compare(int *order, avout_value a, avout_value b)
{
    avout_type left = avout_value_type(a), right = avout_value_type(b);
    if (left == AVOUT_TYPE_FLOAT || right == AVOUT_TYPE_FLOAT)
        return compare_as_doubles(order, a, b);
    if (left == AVOUT_TYPE_DECIMAL && right == AVOUT_TYPE_RATIO)
        return compare_with_ratio(order, a, b);
    if (left == AVOUT_TYPE_RATIO && right == AVOUT_TYPE_DECIMAL) {
        avout_status st = compare_with_ratio(order, b, a);
        if (!st) *order = -*order;
        return st;
    }
    if (left == AVOUT_TYPE_DECIMAL || right == AVOUT_TYPE_DECIMAL)
        return avout__decimal_compare(order, avout__scaled_of(a), avout__scaled_of(b));
    if (left == AVOUT_TYPE_RATIO || right == AVOUT_TYPE_RATIO)
        return avout__ratio_compare(order, avout__fraction_of(a), avout__fraction_of(b));
    *order = avout__integer_compare(a, b);
    return AVOUT_OK;
}

static avout_status fail_order(avout_value a, avout_value b)
{
    return avout_fail(AVOUT_ETYPE, "compare: %s and %s have no order", avout__describe(a).text,
                      avout__describe(b).text);
}

avout_status avout_value_compare(int *order, avout_value a, avout_value b)
{
    avout_type left = avout_value_type(a), right = avout_value_type(b);
    if (left == AVOUT_TYPE_NONE || right == AVOUT_TYPE_NONE) return avout__none_given();
    if (a.bits == b.bits) {
        *order = 0;
        return AVOUT_OK;
    }
    if (left == AVOUT_TYPE_NIL || right == AVOUT_TYPE_NIL) {
        *order = (right == AVOUT_TYPE_NIL) - (left == AVOUT_TYPE_NIL);
        return AVOUT_OK;
    }
    if (avout_value_is_number(a) && avout_value_is_number(b))
        return avout__number_compare(order, a, b);
    if (left != right) return fail_order(a, b);
    if (!avout__is_object(a)) { /* bool or char: the payload has the order */
        *order = (a.bits > b.bits) - (a.bits < b.bits);
        return AVOUT_OK;
    }
    const avout__type_hooks *hooks = avout__types[left];
    if (!hooks->compare) return fail_order(a, b);
    return hooks->compare(order, avout__object_any(a), avout__object_any(b));
}
