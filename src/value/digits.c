/* Numbers as text: what EDN and Clojure print. */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "value/decimal.h"
#include "value/integer.h"
#include "value/number.h"
#include "value/object.h"
#include "value/scalars.h"

#include "base/banned.h"

/* The caller's buffer: takes what fits, counts everything. */
typedef struct output {
    char *buffer;
    size_t size;
    size_t length;
} output;

static void put(output *out, const char *text, size_t length)
{
    if (out->length < out->size) {
        size_t room = out->size - out->length;
        memcpy(out->buffer + out->length, text, length < room ? length : room);
    }
    out->length += length;
}

static void put_text(output *out, const char *text)
{
    put(out, text, strlen(text));
}

static void put_zeros(output *out, size_t count)
{
    for (; count; count--) put(out, "0", 1);
}

static void put_exponent(output *out, int64_t exponent, const char *plus)
{
    char text[32];
    snprintf(text, sizeof text, "E%s%lld", exponent > 0 ? plus : "", (long long)exponent);
    put_text(out, text);
}

/* ---- doubles ------------------------------------------------------------------------------- */

/* digits[0] . digits[1..] x 10^exponent. */
typedef struct shortest {
    char digits[24];
    int count;
    int exponent;
} shortest;

static void shortest_from(shortest *out, uint64_t number, int exponent_of_last)
{
    while (number % 10 == 0) number /= 10, exponent_of_last++;
    char text[24];
    out->count = snprintf(text, sizeof text, "%llu", (unsigned long long)number);
    memcpy(out->digits, text, (size_t)out->count);
    out->exponent = exponent_of_last + out->count - 1;
}

/* Most numbers that people write are m / 10^k with m < 10^15: both are exact doubles then, and their
 * quotient is rounded once, as reading it would be. No other decimal of 15 digits reads as the same
 * double. */
static bool find_short(shortest *out, double number)
{
    static const double tens[] = {1e0, 1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,
                                  1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17};
    if (number < 1e-5) return false;
    for (int k = 0; k < (int)(sizeof tens / sizeof *tens); k++) {
        double scaled = number * tens[k];
        if (scaled >= 1e15) return false;
        uint64_t whole = (uint64_t)(scaled + 0.5);
        /* Of the right k the quotient and the product were each rounded once: no farther off than
         * this, which is cheaper to see than the quotient. */
        if (fabs(scaled - (double)whole) > scaled * 0x1p-51) continue;
        if (whole && (double)whole / tens[k] == number) {
            shortest_from(out, whole, -k);
            return true;
        }
    }
    return false;
}

/* The nearest decimal of `count` digits, as a whole number and the exponent of its last digit. */
static uint64_t nearest(double number, int count, int *exponent_of_last)
{
    char text[64], *at = text;
    snprintf(text, sizeof text, "%.*e", count - 1, number);
    uint64_t whole = 0;
    for (; *at && *at != 'e'; at++) /* steps over the point, whatever the locale calls it */
        if (*at >= '0' && *at <= '9') whole = whole * 10 + (uint64_t)(*at - '0');
    *exponent_of_last = (int)strtol(at + 1, NULL, 10) - (count - 1);
    return whole;
}

static bool reads_as(double number, uint64_t whole, int exponent_of_last)
{
    char text[64];
    snprintf(text, sizeof text, "%lluE%d", (unsigned long long)whole, exponent_of_last);
    return strtod(text, NULL) == number;
}

static void find_shortest(shortest *out, double number)
{
    if (find_short(out, number)) return;
    int last = 0, binary;
    /* 15 digits are enough for every decimal that short, but for subnormal numbers, whose precision
     * is less. Two is the least that Java writes. */
    for (int count = number < DBL_MIN ? 2 : 15; count < 17; count++) {
        uint64_t whole = nearest(number, count, &last);
        /* Above a power of two doubles lie twice as far apart as below it: the decimal above may
         * read back although a nearer one below does not. */
        if (!reads_as(number, whole, last) && frexp(number, &binary) == 0.5) whole++;
        if (reads_as(number, whole, last)) {
            shortest_from(out, whole, last);
            return;
        }
    }
    uint64_t whole = nearest(number, 17, &last);
    shortest_from(out, whole, last);
}

/* As Java writes doubles, with the digits of the shortest text that reads back. */
static void put_float(output *out, double number)
{
    if (number != number) {
        put_text(out, "##NaN");
        return;
    }
    if (isinf(number)) {
        put_text(out, number < 0 ? "##-Inf" : "##Inf");
        return;
    }
    if (signbit(number)) put_text(out, "-");
    number = fabs(number);
    shortest text = {"0", 1, 0};
    if (number > 0) find_shortest(&text, number);
    size_t count = (size_t)text.count;
    bool plain = number == 0 || (number >= 1e-3 && number < 1e7);
    if (plain && text.exponent < 0) {
        put_text(out, "0.");
        put_zeros(out, (size_t)(-text.exponent - 1));
        put(out, text.digits, count);
        return;
    }
    size_t whole = plain ? (size_t)text.exponent + 1 : 1;
    put(out, text.digits, count < whole ? count : whole);
    if (count < whole) put_zeros(out, whole - count);
    put_text(out, ".");
    if (count > whole) put(out, text.digits + whole, count - whole);
    else put_text(out, "0");
    if (!plain) put_exponent(out, text.exponent, "");
}

/* ---- exact numbers ------------------------------------------------------------------------- */

/* The digits of a whole number in memory that is the caller's to free when it is not `few`. */
static avout_status digits_of(char **digits, size_t *count, char *few, size_t size,
                              avout_value number)
{
    size_t room = avout__integer_digits_bound(number);
    *digits = room <= size ? few : avout__alloc(room);
    if (!*digits) return AVOUT_ENOMEM;
    avout_status st = avout__integer_digits(*digits, count, number);
    if (st && *digits != few) avout__free(*digits);
    return st;
}

static avout_status put_integer(output *out, avout_value number)
{
    char few[64], *digits;
    size_t count;
    avout_status st = digits_of(&digits, &count, few, sizeof few, number);
    if (st) return st;
    if (avout__integer_sign(number) < 0) put(out, "-", 1);
    put(out, digits, count);
    if (digits != few) avout__free(digits);
    return AVOUT_OK;
}

/* BigDecimal.toString: plain when the scale is not negative and not too many zeros come first. */
static void put_scaled(output *out, const char *digits, size_t count, int64_t scale)
{
    int64_t exponent = (int64_t)count - 1 - scale;
    if (scale == 0) {
        put(out, digits, count);
    } else if (scale > 0 && exponent >= 0) {
        size_t whole = count - (size_t)scale;
        put(out, digits, whole);
        put(out, ".", 1);
        put(out, digits + whole, (size_t)scale);
    } else if (scale > 0 && exponent >= -6) {
        put_text(out, "0.");
        put_zeros(out, (size_t)scale - count);
        put(out, digits, count);
    } else {
        put(out, digits, 1);
        if (count > 1) {
            put(out, ".", 1);
            put(out, digits + 1, count - 1);
        }
        if (exponent) put_exponent(out, exponent, "+");
    }
}

static avout_status put_decimal(output *out, avout_value number)
{
    avout__scaled scaled = avout__scaled_of(number);
    char few[64], *digits;
    size_t count;
    avout_status st = digits_of(&digits, &count, few, sizeof few, scaled.unscaled);
    if (st) return st;
    if (avout__integer_sign(scaled.unscaled) < 0) put(out, "-", 1);
    put_scaled(out, digits, count, scaled.scale);
    put(out, "M", 1);
    if (digits != few) avout__free(digits);
    return AVOUT_OK;
}

static avout_status put_number(output *out, avout_value value)
{
    avout_status st;
    switch (avout_value_type(value)) {
    case AVOUT_TYPE_INT: return put_integer(out, value);
    case AVOUT_TYPE_BIGINT:
        st = put_integer(out, value);
        if (!st) put(out, "N", 1);
        return st;
    case AVOUT_TYPE_RATIO:
        st = put_integer(out, avout__ratio_of(value)->numerator);
        put(out, "/", 1);
        return st ? st : put_integer(out, avout__ratio_of(value)->denominator);
    case AVOUT_TYPE_DECIMAL: return put_decimal(out, value);
    case AVOUT_TYPE_FLOAT: put_float(out, avout__float_number(value)); return AVOUT_OK;
    default: return avout__fail_type("to_digits", "a number", value);
    }
}

avout_status avout_value_to_digits(char *buffer, size_t size, size_t *length, avout_value value)
{
    output out = {buffer, size, 0};
    avout_status st = put_number(&out, value);
    if (st) return st;
    if (size) buffer[out.length < size ? out.length : size - 1] = '\0';
    *length = out.length;
    return AVOUT_OK;
}
