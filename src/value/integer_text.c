/* Whole numbers as digits, as doubles, and powers of ten. */
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "value/integer.h"

#include "base/banned.h"

/* ---- powers -------------------------------------------------------------------------------- */

size_t avout__integer_bits(avout_value value)
{
    avout__integer view;
    avout__integer_view(&view, value);
    if (!view.size) return 0;
    return view.size * 64 - (size_t)__builtin_clzll(view.limbs[view.size - 1]);
}

static avout_status multiply_into(avout_value *number, avout_value factor)
{
    avout_value product;
    avout_status st = avout__integer_mul(&product, *number, factor, AVOUT__NATURAL);
    return st ? st : avout_put(number, product);
}

avout_status avout__integer_power(avout_value *out, unsigned base, uint64_t exponent)
{
    AVOUT__ASSERT(base >= 2);
    /* Every factor has at least a bit: what cannot fit is refused before it is tried. */
    double bits = (double)exponent * log2(base);
    if (bits > (double)AVOUT__INTEGER_MAX_LIMBS * 64)
        return avout_fail(AVOUT_ELIMIT, "number too large: %.0f bits", bits);
    avout_value power = avout__small(1), square = avout__small(base);
    avout_status st = AVOUT_OK;
    while (!st && exponent) {
        if (exponent & 1) st = multiply_into(&power, square);
        exponent >>= 1;
        if (!st && exponent) st = multiply_into(&square, square);
    }
    avout__release(square);
    if (st) avout__release(power);
    else *out = power;
    return st;
}

avout_status avout__integer_shift_ten(avout_value *out, avout_value a, uint64_t exponent)
{
    if (!exponent || !avout__integer_sign(a)) {
        *out = avout__retain(a);
        return AVOUT_OK;
    }
    avout_value power;
    avout_status st = avout__integer_power(&power, 10, exponent);
    if (st) return st;
    st = avout__integer_mul(out, a, power, AVOUT__NATURAL);
    avout__release(power);
    return st;
}

/* ---- as a double --------------------------------------------------------------------------- */

double avout__integer_to_double(avout_value value)
{
    avout__integer view;
    avout__integer_view(&view, value);
    if (!view.size) return 0;
    mp_limb_t top = view.limbs[view.size - 1];
    int shift = __builtin_clzll(top);
    if (shift && view.size > 1) top = top << shift | view.limbs[view.size - 2] >> (64 - shift);
    else top <<= shift;
    /* Whatever lies below these 64 bits only matters as being there: one sticky bit, far below the
     * last that a double has. */
    bool rest = view.size > 1 && shift && (view.limbs[view.size - 2] << shift);
    if (view.size > 1 && !shift) rest = view.limbs[view.size - 2] != 0;
    for (size_t i = 0; !rest && i + 2 < view.size; i++) rest = view.limbs[i] != 0;
    size_t bits = view.size * 64 - (size_t)shift;
    double number = bits > 1100 ? HUGE_VAL : ldexp((double)(top | rest), (int)bits - 64);
    return view.negative ? -number : number;
}

/* ---- digits -------------------------------------------------------------------------------- */

size_t avout__integer_digits_bound(avout_value value)
{
    return avout__integer_bits(value) * 30103 / 100000 + 3;
}

static size_t digits_of_limb(char *digits, uint64_t number)
{
    char reversed[20];
    size_t count = 0;
    do {
        reversed[count++] = (char)('0' + number % 10);
        number /= 10;
    } while (number);
    for (size_t i = 0; i < count; i++) digits[i] = reversed[count - 1 - i];
    return count;
}

avout_status avout__integer_digits(char *digits, size_t *count, avout_value value)
{
    avout__integer view;
    avout__integer_view(&view, value);
    if (view.size <= 1) {
        *count = digits_of_limb(digits, view.size ? view.limbs[0] : 0);
        return AVOUT_OK;
    }
    /* mpn_get_str destroys its operand, and may write a leading zero or two more than we promise. */
    mp_limb_t *scratch = avout__memdup(view.limbs, view.size * sizeof *scratch);
    if (!scratch) return AVOUT_ENOMEM;
    unsigned char *raw = avout__alloc(view.size * 20 + 2);
    if (!raw) {
        avout__free(scratch);
        return AVOUT_ENOMEM;
    }
    size_t length = mpn_get_str(raw, 10, scratch, (mp_size_t)view.size), start = 0;
    while (start + 1 < length && !raw[start]) start++;
    for (size_t i = start; i < length; i++) digits[i - start] = (char)('0' + raw[i]);
    *count = length - start;
    avout__free(raw);
    avout__free(scratch);
    return AVOUT_OK;
}

unsigned avout__digit_value(char c)
{
    if (c >= '0' && c <= '9') return (unsigned)(c - '0');
    if (c >= 'a' && c <= 'z') return (unsigned)(c - 'a') + 10;
    if (c >= 'A' && c <= 'Z') return (unsigned)(c - 'A') + 10;
    return 36;
}

static size_t limbs_for(size_t length, int base)
{
    if (base == 10) return length / 19 + 2; /* a limb holds 19 digits and a bit */
    size_t bits = 1;
    while ((1 << bits) < base) bits++;
    return length / 64 * bits + bits + 1;
}

avout_status avout__integer_read(avout_value *out, const char *digits, size_t length, int base,
                                 bool negative, int type)
{
    while (length > 1 && *digits == '0') digits++, length--;
    if (length <= 12) { /* 36^12 < 2^63 */
        int64_t number = 0;
        for (size_t i = 0; i < length; i++)
            number = number * base + (int64_t)avout__digit_value(digits[i]);
        return avout__integer_make(out, negative ? -number : number, type);
    }
    avout_status st;
    avout__bigint *big = avout__bigint_new(&st, limbs_for(length, base));
    if (!big) return st;
    unsigned char *raw = avout__alloc(length);
    if (!raw) {
        avout__object_destroy(&big->object);
        return AVOUT_ENOMEM;
    }
    for (size_t i = 0; i < length; i++) raw[i] = (unsigned char)avout__digit_value(digits[i]);
    mp_size_t size = mpn_set_str(big->limbs, raw, length, base);
    avout__free(raw);
    *out = avout__bigint_end(big, (size_t)size, negative, type);
    return AVOUT_OK;
}
