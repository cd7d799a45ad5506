/* Exact decimals: making, equality, arithmetic. Every result has the scale that Java's BigDecimal
 * gives it; nothing is ever rounded. */
#include "value/decimal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "value/integer.h"

#include "base/banned.h"

/* ---- making -------------------------------------------------------------------------------- */

/* Divides by powers of ten, the larger first, as long as nothing remains. There are no more trailing
 * zeros than factors of two. *zeros is 0 and *stripped AVOUT_NONE when there are none. */
static avout_status strip_zeros(avout_value *stripped, uint64_t *zeros, avout_value unscaled)
{
    avout__integer view;
    avout__integer_view(&view, unscaled);
    uint64_t most = view.size ? mpn_scan1(view.limbs, 0) : 0, power = 1;
    while (power <= most / 2) power *= 2;
    avout_value rest = avout__retain(unscaled);
    avout_status st = AVOUT_OK;
    *zeros = 0;
    for (; !st && most && power; power /= 2) {
        if ((double)power * 3.3 > (double)avout__integer_bits(rest)) continue;
        avout_value ten, quotient = AVOUT_NONE, remainder = AVOUT_NONE;
        st = avout__integer_power(&ten, 10, power);
        if (st) break;
        st = avout__integer_divide(&quotient, &remainder, rest, ten, AVOUT__NATURAL);
        avout__release(ten);
        if (st) break;
        if (!avout__integer_sign(remainder)) {
            *zeros += power;
            avout_put(&rest, avout__retain(quotient));
        }
        avout__release(quotient);
        avout__release(remainder);
    }
    if (st || !*zeros) {
        avout__release(rest);
        rest = AVOUT_NONE;
    }
    *stripped = rest;
    return st;
}

static int64_t clamp_scale(int64_t scale)
{
    if (scale > INT32_MAX) return INT32_MAX;
    return scale < INT32_MIN ? INT32_MIN : scale;
}

avout_status avout__decimal_make(avout_value *out, avout_value unscaled, int64_t scale)
{
    avout_status st = AVOUT_OK;
    avout_value stripped = AVOUT_NONE;
    uint64_t zeros = 0;
    avout__decimal *made = NULL;
    if (!avout__integer_sign(unscaled)) scale = clamp_scale(scale);
    if (scale != clamp_scale(scale))
        st = avout_fail(AVOUT_ERANGE, "decimal: an exponent of %lld is out of range",
                        (long long)-scale);
    if (!st && !avout__is_small(unscaled)) st = strip_zeros(&stripped, &zeros, unscaled);
    if (!st) {
        made = (avout__decimal *)(void *)avout__object_new(AVOUT_TYPE_DECIMAL, sizeof *made);
        if (!made) st = AVOUT_ENOMEM;
    }
    if (st) {
        avout__release(unscaled);
        avout__release(stripped);
        return st;
    }
    made->unscaled = unscaled;
    made->scale = (int32_t)scale;
    made->stripped = stripped;
    made->stripped_scale = scale - (int64_t)zeros;
    *out = avout__value_of(&made->object);
    return AVOUT_OK;
}

avout__scaled avout__scaled_of(avout_value number)
{
    if (avout__is_integer(number)) return (avout__scaled){number, 0};
    const avout__decimal *decimal = avout__decimal_of(number);
    return (avout__scaled){decimal->unscaled, decimal->scale};
}

static const char *skip_digits(const char *at, const char *end)
{
    while (at < end && *at >= '0' && *at <= '9') at++;
    return at;
}

/* [sign]digits at the text's end, at most what a scale can be. */
static bool read_exponent(int64_t *exponent, const char *at, const char *end)
{
    bool negative = at < end && *at == '-';
    if (at < end && (*at == '+' || *at == '-')) at++;
    if (at == end || skip_digits(at, end) != end) return false;
    int64_t number = 0;
    for (; at < end; at++)
        if (number < INT32_MAX) number = number * 10 + (*at - '0');
    *exponent = negative ? -number : number;
    return true;
}

/* The digits before and behind the point as one number. */
static avout_status read_unscaled(avout_value *out, const char *text, size_t whole,
                                  const char *behind, size_t fraction, bool negative)
{
    if (!fraction) return avout__integer_read(out, text, whole, 10, negative, AVOUT__NATURAL);
    char few[64], *digits = few;
    if (whole + fraction > sizeof few) digits = avout__alloc(whole + fraction);
    if (!digits) return AVOUT_ENOMEM;
    memcpy(digits, text, whole);
    memcpy(digits + whole, behind, fraction);
    avout_status st =
        avout__integer_read(out, digits, whole + fraction, 10, negative, AVOUT__NATURAL);
    if (digits != few) avout__free(digits);
    return st;
}

avout_value avout_decimal(const char *text, size_t length)
{
    const char *at = text, *end = text + length;
    bool negative = at < end && *at == '-';
    if (at < end && (*at == '+' || *at == '-')) at++;
    const char *whole = at, *whole_end = skip_digits(at, end);
    const char *behind = whole_end, *behind_end = whole_end;
    if (whole_end < end && *whole_end == '.') {
        behind = whole_end + 1;
        behind_end = skip_digits(behind, end);
    }
    int64_t exponent = 0;
    bool good = whole < whole_end;
    if (good && behind_end < end)
        good = (*behind_end == 'e' || *behind_end == 'E') &&
               read_exponent(&exponent, behind_end + 1, end);
    if (!good)
        return avout__none(avout_fail(AVOUT_ESYNTAX, "decimal: \"%.*s\" is not a decimal number",
                                      length > 100 ? 100 : (int)length, text));
    avout_value unscaled, made;
    size_t fraction = (size_t)(behind_end - behind);
    avout_status st =
        read_unscaled(&unscaled, whole, (size_t)(whole_end - whole), behind, fraction, negative);
    int64_t scale = (int64_t)fraction - exponent;
    if (!st && scale != clamp_scale(scale)) { /* reading does not clamp, not even for zero */
        avout__release(unscaled);
        st = avout_fail(AVOUT_ERANGE, "decimal: an exponent of %lld is out of range",
                        (long long)-scale);
    }
    if (!st) st = avout__decimal_make(&made, unscaled, scale);
    return st ? avout__none(st) : made;
}

/* ---- equality ------------------------------------------------------------------------------ */

static const avout__decimal *decimal_at(const avout__object *object)
{
    return (const avout__decimal *)(const void *)object;
}

/* The one form that all equal decimals have. */
static avout__scaled canonical(const avout__decimal *decimal)
{
    if (decimal->stripped.bits) return (avout__scaled){decimal->stripped, decimal->stripped_scale};
    if (!avout__is_small(decimal->unscaled))
        return (avout__scaled){decimal->unscaled, decimal->scale};
    int64_t number = avout__small_number(decimal->unscaled), scale = decimal->scale;
    if (!number) return (avout__scaled){avout__small(0), 0};
    for (; number % 10 == 0; number /= 10) scale--;
    return (avout__scaled){avout__small(number), scale};
}

static uint32_t decimal_hash(const avout__object *object)
{
    avout__scaled form = canonical(decimal_at(object));
    return avout__hash_mix((uint64_t)avout__integer_hash(form.unscaled) << 32 ^
                           (uint64_t)form.scale);
}

static bool decimal_equal(const avout__object *a, const avout__object *b)
{
    avout__scaled left = canonical(decimal_at(a)), right = canonical(decimal_at(b));
    return left.scale == right.scale && !avout__integer_compare(left.unscaled, right.unscaled);
}

static void decimal_release(avout__object *object, avout__dead_list *dead)
{
    avout__dead_drop(dead, decimal_at(object)->unscaled);
    avout__dead_drop(dead, decimal_at(object)->stripped);
}

const avout__type_hooks avout__decimal_hooks = {decimal_release, decimal_hash, decimal_equal, NULL};

/* ---- arithmetic ---------------------------------------------------------------------------- */

/* Both unscaled numbers at the larger of the two scales; owned. */
static avout_status align(avout_value *left, avout_value *right, avout__scaled a, avout__scaled b)
{
    int64_t more = a.scale - b.scale;
    avout_status st = avout__integer_shift_ten(left, a.unscaled, more < 0 ? (uint64_t)-more : 0);
    if (st) return st;
    st = avout__integer_shift_ten(right, b.unscaled, more > 0 ? (uint64_t)more : 0);
    if (st) avout__release(*left);
    return st;
}

typedef avout_status (*integer_fn)(avout_value *out, avout_value a, avout_value b, int type);

static avout_status aligned(avout_value *out, avout__scaled a, avout__scaled b, integer_fn function)
{
    avout_value left, right, result;
    avout_status st = align(&left, &right, a, b);
    if (st) return st;
    st = function(&result, left, right, AVOUT__NATURAL);
    avout__release(left);
    avout__release(right);
    return st ? st : avout__decimal_make(out, result, a.scale > b.scale ? a.scale : b.scale);
}

avout_status avout__decimal_add(avout_value *out, avout__scaled a, avout__scaled b)
{
    return aligned(out, a, b, avout__integer_add);
}

avout_status avout__decimal_sub(avout_value *out, avout__scaled a, avout__scaled b)
{
    return aligned(out, a, b, avout__integer_sub);
}

avout_status avout__decimal_mul(avout_value *out, avout__scaled a, avout__scaled b)
{
    avout_value product;
    avout_status st = avout__integer_mul(&product, a.unscaled, b.unscaled, AVOUT__NATURAL);
    return st ? st : avout__decimal_make(out, product, a.scale + b.scale);
}

/* *places: the least k for which 10^k / divisor is whole; AVOUT_ERANGE when there is none. */
static avout_status places_needed(uint64_t *places, avout_value divisor)
{
    avout_value odd, power = AVOUT_NONE;
    uint64_t twos, fives = 0;
    avout_status st = avout__integer_odd_part(&odd, &twos, divisor);
    if (st) return st;
    /* 5^y has floor(y log2 5) + 1 bits, so only one y can be meant. */
    fives = (uint64_t)ceil((double)(avout__integer_bits(odd) - 1) / log2(5));
    st = avout__integer_power(&power, 5, fives);
    if (!st && avout__integer_compare(power, odd))
        st = avout_fail(AVOUT_ERANGE, "decimal: non-terminating decimal expansion; no exact "
                                      "representable decimal result");
    avout__release(power);
    avout__release(odd);
    *places = twos > fives ? twos : fives;
    return st;
}

avout_status avout__decimal_div(avout_value *out, avout__scaled a, avout__scaled b)
{
    if (!avout__integer_sign(a.unscaled))
        return avout__decimal_make(out, avout__small(0), a.scale - b.scale);
    avout_value gcd, divisor = AVOUT_NONE, number = AVOUT_NONE, shifted = AVOUT_NONE, result;
    uint64_t places = 0;
    avout_status st = avout__integer_gcd(&gcd, a.unscaled, b.unscaled);
    if (st) return st;
    st = avout__integer_divide(&number, NULL, a.unscaled, gcd, AVOUT__NATURAL);
    if (!st) st = avout__integer_divide(&divisor, NULL, b.unscaled, gcd, AVOUT__NATURAL);
    if (!st) st = places_needed(&places, divisor);
    if (!st) st = avout__integer_shift_ten(&shifted, number, places);
    if (!st) st = avout__integer_divide(&result, NULL, shifted, divisor, AVOUT__NATURAL);
    if (!st) st = avout__decimal_make(out, result, a.scale - b.scale + (int64_t)places);
    avout__release(gcd);
    avout__release(number);
    avout__release(divisor);
    avout__release(shifted);
    return st;
}

/* The whole part of a / b, natural. What is smaller than its divisor is not made large first. */
static avout_status whole_part(avout_value *out, avout__scaled a, avout__scaled b)
{
    avout_value left, right;
    int order;
    avout__scaled sizes[2] = {a, b};
    avout_value made[2] = {AVOUT_NONE, AVOUT_NONE};
    avout_status st = AVOUT_OK;
    for (int i = 0; !st && i < 2; i++)
        if (avout__integer_sign(sizes[i].unscaled) < 0) {
            st = avout__integer_negate(&made[i], sizes[i].unscaled, AVOUT__NATURAL);
            sizes[i].unscaled = made[i];
        }
    if (!st) st = avout__decimal_compare(&order, sizes[0], sizes[1]);
    avout__release(made[0]);
    avout__release(made[1]);
    if (st) return st;
    if (order < 0) return avout__integer_make(out, 0, AVOUT__NATURAL);
    st = align(&left, &right, a, b);
    if (st) return st;
    st = avout__integer_divide(out, NULL, left, right, AVOUT__NATURAL);
    avout__release(left);
    avout__release(right);
    return st;
}

/* A whole number at a preferred scale: zeros are added for a positive one; for a negative one as
 * many are taken away as there are. Consumes `whole`. */
static avout_status at_scale(avout_value *out, avout_value whole, int64_t preferred)
{
    avout_value result = AVOUT_NONE;
    avout_status st = AVOUT_OK;
    int64_t scale = preferred;
    if (!avout__integer_sign(whole)) {
        result = avout__small(0);
    } else if (preferred >= 0) {
        st = avout__integer_shift_ten(&result, whole, (uint64_t)preferred);
    } else {
        avout_value stripped;
        uint64_t zeros;
        st = strip_zeros(&stripped, &zeros, whole);
        if (st) goto done;
        uint64_t most = (uint64_t)-preferred;
        if (zeros <= most) {
            result = zeros ? avout__retain(stripped) : avout__retain(whole);
            scale = -(int64_t)zeros;
        } else st = avout__integer_shift_ten(&result, stripped, zeros - most);
        avout__release(stripped);
    }
done:
    avout__release(whole);
    return st ? st : avout__decimal_make(out, result, scale);
}

avout_status avout__decimal_quot(avout_value *out, avout__scaled a, avout__scaled b)
{
    avout_value whole;
    avout_status st = whole_part(&whole, a, b);
    return st ? st : at_scale(out, whole, clamp_scale(a.scale - b.scale));
}

avout_status avout__decimal_rem(avout_value *out, avout__scaled a, avout__scaled b)
{
    avout_value quotient, product;
    avout_status st = avout__decimal_quot(&quotient, a, b);
    if (st) return st;
    st = avout__decimal_mul(&product, avout__scaled_of(quotient), b);
    avout__release(quotient);
    if (st) return st;
    st = avout__decimal_sub(out, a, avout__scaled_of(product));
    avout__release(product);
    return st;
}

/* ---- order and doubles --------------------------------------------------------------------- */

/* By sign and by powers of ten where that decides, so that 1E+2000000000M is not written out. */
avout_status avout__decimal_compare(int *order, avout__scaled a, avout__scaled b)
{
    int left_sign = avout__integer_sign(a.unscaled), right_sign = avout__integer_sign(b.unscaled);
    if (left_sign != right_sign || !left_sign) {
        *order = (left_sign > right_sign) - (left_sign < right_sign);
        return AVOUT_OK;
    }
    double left_most = (double)avout__integer_bits(a.unscaled) * log10(2) - (double)a.scale;
    double right_most = (double)avout__integer_bits(b.unscaled) * log10(2) - (double)b.scale;
    if (fabs(left_most - right_most) > 1) {
        *order = left_most > right_most ? left_sign : -left_sign;
        return AVOUT_OK;
    }
    avout_value left, right;
    avout_status st = align(&left, &right, a, b);
    if (st) return st;
    *order = avout__integer_compare(left, right);
    avout__release(left);
    avout__release(right);
    return AVOUT_OK;
}

/* strtod rounds correctly; its text has no decimal point, whose form depends on the locale. */
avout_status avout__decimal_to_double(double *number, avout__scaled decimal)
{
    size_t room = avout__integer_digits_bound(decimal.unscaled) + 32, count;
    char few[64], *text = few;
    if (room > sizeof few) text = avout__alloc(room);
    if (!text) return AVOUT_ENOMEM;
    avout_status st = avout__integer_digits(text, &count, decimal.unscaled);
    if (!st) {
        snprintf(text + count, room - count, "E%lld", (long long)-decimal.scale);
        double magnitude = strtod(text, NULL);
        *number = avout__integer_sign(decimal.unscaled) < 0 ? -magnitude : magnitude;
    }
    if (text != few) avout__free(text);
    return st;
}
