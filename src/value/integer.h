/* Whole numbers of any size: INT and BIGINT, and what ratios and decimals are made of.
 *
 * Limbs lie in our own objects and the work is done by GMP's mpn functions, which neither allocate
 * results nor need mp_set_memory_functions (that would change GMP for the whole process, whose
 * owner we are not). For very large operands GMP takes scratch memory from its own allocator.
 *
 * A *natural* result is an INT when it fits 64 bits and else a BIGINT; results of type BIGINT are
 * BIGINT however small, as Clojure's 5N. */
#ifndef AVOUT_VALUE_INTEGER_H
#define AVOUT_VALUE_INTEGER_H

#include <gmp.h>

#include "value/object.h"

_Static_assert(sizeof(mp_limb_t) == 8 && GMP_NAIL_BITS == 0, "limbs are 64 bits");

/* 80 million digits. Past it: AVOUT_ELIMIT, so that (1E+2000000000M + 1M) cannot eat the machine. */
#define AVOUT__INTEGER_MAX_LIMBS ((size_t)1 << 22)

/* BIGINT, and the INTs that are no immediates. */
typedef struct avout__bigint {
    avout__object
        object; /* flags: 1 when negative; extra: the number of limbs, none leading zero */
    mp_limb_t limbs[];
} avout__bigint;

/* Any INT or BIGINT as sign and limbs; borrowed from the value. `limbs` may point to `small`: a view
 * is not copied. */
typedef struct avout__integer {
    const mp_limb_t *limbs;
    size_t size; /* 0 for zero */
    bool negative;
    mp_limb_t small;
} avout__integer;

enum { AVOUT__NATURAL = AVOUT_TYPE_INT, AVOUT__BIG = AVOUT_TYPE_BIGINT };

static inline bool avout__is_integer(avout_value value)
{
    return avout__is_small(value) || avout__is_type(value, AVOUT_TYPE_BIGINT) ||
           avout__is_type(value, AVOUT_TYPE_INT);
}

void avout__integer_view(avout__integer *view, avout_value value);

static inline int avout__integer_sign(avout_value value)
{
    avout__integer view;
    avout__integer_view(&view, value);
    return view.size ? (view.negative ? -1 : 1) : 0;
}

bool avout__integer_fits(int64_t *number, avout_value value);
uint32_t avout__integer_hash(avout_value value);
int avout__integer_compare(avout_value a, avout_value b);

/* Space for `limbs` limbs; NULL with *st and the detail set. Ended by avout__bigint_end. */
avout__bigint *avout__bigint_new(avout_status *st, size_t limbs);
/* Takes `big`, of whose limbs the first `size` count; leading zeros are cut. */
avout_value avout__bigint_end(avout__bigint *big, size_t size, bool negative, int type);

avout_status avout__integer_make(avout_value *out, int64_t number, int type);

/* *out is owned, written on success only; may be no alias of an argument that is still needed.
 * Arguments are borrowed. `type`: AVOUT__NATURAL or AVOUT__BIG. */
avout_status avout__integer_add(avout_value *out, avout_value a, avout_value b, int type);
avout_status avout__integer_sub(avout_value *out, avout_value a, avout_value b, int type);
avout_status avout__integer_mul(avout_value *out, avout_value a, avout_value b, int type);
avout_status avout__integer_negate(avout_value *out, avout_value a, int type);
/* Towards zero; the remainder has the dividend's sign. Either may be NULL. `b` is not zero. */
avout_status avout__integer_divide(avout_value *quotient, avout_value *remainder, avout_value a,
                                   avout_value b, int type);
/* Natural and positive; 0 when both are. */
avout_status avout__integer_gcd(avout_value *out, avout_value a, avout_value b);
/* Natural: base^exponent, base >= 2. */
avout_status avout__integer_power(avout_value *out, unsigned base, uint64_t exponent);
/* Natural: a x 10^exponent. */
avout_status avout__integer_shift_ten(avout_value *out, avout_value a, uint64_t exponent);

/* Natural: the magnitude without its factors of two, which are counted. Not of zero. */
avout_status avout__integer_odd_part(avout_value *out, uint64_t *twos, avout_value value);
/* How many bits the magnitude has; 0 for zero. */
size_t avout__integer_bits(avout_value value);

/* Correctly rounded, ties to even; infinite when too large. */
double avout__integer_to_double(avout_value value);

/* At least one more than the number of decimal digits. */
size_t avout__integer_digits_bound(avout_value value);
/* The decimal digits without sign into `digits`, which has room for avout__integer_digits_bound of
 * them; *count is how many. */
avout_status avout__integer_digits(char *digits, size_t *count, avout_value value);
/* Reads digits in `base`, all of which are known to be such. */
avout_status avout__integer_read(avout_value *out, const char *digits, size_t length, int base,
                                 bool negative, int type);
/* The digit's value or 36 and above when it is none. */
unsigned avout__digit_value(char c);

#endif
