/* Ratios. Results are brought to lowest terms; what turns out whole is a BIGINT, as in Clojure. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "value/integer.h"
#include "value/number.h"

#include "base/banned.h"

avout__fraction avout__fraction_of(avout_value number)
{
    if (avout__is_integer(number)) return (avout__fraction){number, avout__small(1)};
    const avout__ratio *ratio = avout__ratio_of(number);
    return (avout__fraction){ratio->numerator, ratio->denominator};
}

/* Consumes both. */
static avout_status ratio_new(avout_value *out, avout_value numerator, avout_value denominator)
{
    avout__ratio *ratio =
        (avout__ratio *)(void *)avout__object_new(AVOUT_TYPE_RATIO, sizeof(avout__ratio));
    if (!ratio) {
        avout__release(numerator);
        avout__release(denominator);
        return AVOUT_ENOMEM;
    }
    ratio->numerator = numerator;
    ratio->denominator = denominator;
    *out = avout__value_of(&ratio->object);
    return AVOUT_OK;
}

/* number / gcd, with its sign turned when `turn`. */
static avout_status reduced(avout_value *out, avout_value number, avout_value gcd, bool turn,
                            int type)
{
    avout_value quotient;
    avout_status st = avout__integer_divide(&quotient, NULL, number, gcd, type);
    if (st) return st;
    if (!turn) {
        *out = quotient;
        return AVOUT_OK;
    }
    st = avout__integer_negate(out, quotient, type);
    avout__release(quotient);
    return st;
}

avout_status avout__fraction_make(avout_value *out, avout_value numerator, avout_value denominator,
                                  int type)
{
    avout_value gcd, top = AVOUT_NONE, bottom = AVOUT_NONE;
    bool turn = avout__integer_sign(denominator) < 0;
    avout_status st = avout__integer_gcd(&gcd, numerator, denominator);
    if (st) return st;
    st = reduced(&bottom, denominator, gcd, turn, AVOUT__NATURAL);
    if (!st) {
        bool whole = bottom.bits == avout__small(1).bits;
        st = reduced(&top, numerator, gcd, turn, whole ? type : AVOUT__NATURAL);
        if (!st && whole) *out = top;
        else if (!st) {
            st = ratio_new(out, top, bottom);
            bottom = AVOUT_NONE;
        }
    }
    avout__release(bottom);
    avout__release(gcd);
    return st;
}

avout_status avout__ratio_negate(avout_value *out, avout_value ratio)
{
    avout_value top;
    avout__fraction parts = avout__fraction_of(ratio);
    avout_status st = avout__integer_negate(&top, parts.numerator, AVOUT__NATURAL);
    return st ? st : ratio_new(out, top, avout__retain(parts.denominator));
}

/* *x = a.numerator * b.denominator, *y = b.numerator * a.denominator; owned. */
static avout_status cross(avout_value *x, avout_value *y, avout__fraction a, avout__fraction b)
{
    avout_status st = avout__integer_mul(x, a.numerator, b.denominator, AVOUT__NATURAL);
    if (st) return st;
    st = avout__integer_mul(y, b.numerator, a.denominator, AVOUT__NATURAL);
    if (st) avout__release(*x);
    return st;
}

/* top / (a.denominator * b.denominator). Consumes `top`. */
static avout_status over_common(avout_value *out, avout_value top, avout__fraction a,
                                avout__fraction b)
{
    avout_value bottom;
    avout_status st = avout__integer_mul(&bottom, a.denominator, b.denominator, AVOUT__NATURAL);
    if (!st) {
        st = avout__fraction_make(out, top, bottom, AVOUT__BIG);
        avout__release(bottom);
    }
    avout__release(top);
    return st;
}

static avout_status add_or_sub(avout_value *out, avout__fraction a, avout__fraction b, bool sub)
{
    avout_value x, y, top;
    avout_status st = cross(&x, &y, a, b);
    if (st) return st;
    st = (sub ? avout__integer_sub : avout__integer_add)(&top, x, y, AVOUT__NATURAL);
    avout__release(x);
    avout__release(y);
    return st ? st : over_common(out, top, a, b);
}

avout_status avout__ratio_add(avout_value *out, avout__fraction a, avout__fraction b)
{
    return add_or_sub(out, a, b, false);
}

avout_status avout__ratio_sub(avout_value *out, avout__fraction a, avout__fraction b)
{
    return add_or_sub(out, a, b, true);
}

avout_status avout__ratio_mul(avout_value *out, avout__fraction a, avout__fraction b)
{
    avout_value top;
    avout_status st = avout__integer_mul(&top, a.numerator, b.numerator, AVOUT__NATURAL);
    return st ? st : over_common(out, top, a, b);
}

avout_status avout__ratio_div(avout_value *out, avout__fraction a, avout__fraction b)
{
    avout_value x, y;
    avout_status st = cross(&x, &y, a, b);
    if (st) return st;
    st = avout__fraction_make(out, x, y, AVOUT__BIG);
    avout__release(x);
    avout__release(y);
    return st;
}

avout_status avout__ratio_quot(avout_value *out, avout__fraction a, avout__fraction b)
{
    avout_value x, y;
    avout_status st = cross(&x, &y, a, b);
    if (st) return st;
    st = avout__integer_divide(out, NULL, x, y, AVOUT__BIG);
    avout__release(x);
    avout__release(y);
    return st;
}

avout_status avout__ratio_rem(avout_value *out, avout__fraction a, avout__fraction b)
{
    avout_value x, y, rest;
    avout_status st = cross(&x, &y, a, b);
    if (st) return st;
    st = avout__integer_divide(NULL, &rest, x, y, AVOUT__NATURAL);
    avout__release(x);
    avout__release(y);
    return st ? st : over_common(out, rest, a, b);
}

avout_status avout__ratio_compare(int *order, avout__fraction a, avout__fraction b)
{
    avout_value x, y;
    avout_status st = cross(&x, &y, a, b);
    if (st) return st;
    *order = avout__integer_compare(x, y);
    avout__release(x);
    avout__release(y);
    return AVOUT_OK;
}

/* ---- hooks --------------------------------------------------------------------------------- */

static const avout__ratio *ratio_at(const avout__object *object)
{
    return (const avout__ratio *)(const void *)object;
}

static void ratio_release(avout__object *object, avout__dead_list *dead)
{
    avout__dead_drop(dead, ratio_at(object)->numerator);
    avout__dead_drop(dead, ratio_at(object)->denominator);
}

static uint32_t ratio_hash(const avout__object *object)
{
    const avout__ratio *ratio = ratio_at(object);
    return avout__hash_mix((uint64_t)avout__integer_hash(ratio->numerator) << 32 |
                           avout__integer_hash(ratio->denominator));
}

static bool ratio_equal(const avout__object *a, const avout__object *b)
{
    const avout__ratio *left = ratio_at(a), *right = ratio_at(b);
    return !avout__integer_compare(left->numerator, right->numerator) &&
           !avout__integer_compare(left->denominator, right->denominator);
}

const avout__type_hooks avout__ratio_hooks = {ratio_release, ratio_hash, ratio_equal, NULL};
