/* All numbers together: ratios, conversion to double, order across types. */
#ifndef AVOUT_VALUE_NUMBER_H
#define AVOUT_VALUE_NUMBER_H

#include "value/object.h"

/* Lowest terms, denominator > 1; both natural. */
typedef struct avout__ratio {
    avout__object object;
    avout_value numerator;
    avout_value denominator;
} avout__ratio;

static inline const avout__ratio *avout__ratio_of(avout_value value)
{
    return (const avout__ratio *)(const void *)avout__object_of(value, AVOUT_TYPE_RATIO);
}

/* Any number as a fraction of two naturals; borrowed from it. Not of FLOAT and DECIMAL. */
typedef struct avout__fraction {
    avout_value numerator;
    avout_value denominator;
} avout__fraction;

avout__fraction avout__fraction_of(avout_value number);

/* numerator / denominator (borrowed, the latter not zero) in lowest terms: a RATIO, or a whole
 * number of `type` (AVOUT__NATURAL, AVOUT__BIG). */
avout_status avout__fraction_make(avout_value *out, avout_value numerator, avout_value denominator,
                                  int type);
avout_status avout__ratio_negate(avout_value *out, avout_value ratio);
avout_status avout__ratio_add(avout_value *out, avout__fraction a, avout__fraction b);
avout_status avout__ratio_sub(avout_value *out, avout__fraction a, avout__fraction b);
avout_status avout__ratio_mul(avout_value *out, avout__fraction a, avout__fraction b);
/* `b` is not zero. */
avout_status avout__ratio_div(avout_value *out, avout__fraction a, avout__fraction b);
avout_status avout__ratio_quot(avout_value *out, avout__fraction a, avout__fraction b);
avout_status avout__ratio_rem(avout_value *out, avout__fraction a, avout__fraction b);
avout_status avout__ratio_compare(int *order, avout__fraction a, avout__fraction b);

/* `number` is one, of any type. */
avout_status avout__number_to_double(double *result, avout_value number);
/* Both are numbers. */
avout_status avout__number_compare(int *order, avout_value a, avout_value b);

/* avout_add and the like under the name of the function the caller called (arithmetic.c). */
avout_status avout__add(const char *function, avout_value *number, avout_value other);
avout_status avout__sub(const char *function, avout_value *number, avout_value other);
avout_status avout__mul(const char *function, avout_value *number, avout_value other);
avout_status avout__div(const char *function, avout_value *number, avout_value other);
avout_status avout__negate(const char *function, avout_value *number);

extern const avout__type_hooks avout__ratio_hooks;

#endif
