/* Exact decimals: unscaled x 10^-scale, with the scales of Java's BigDecimal. */
#ifndef AVOUT_VALUE_DECIMAL_H
#define AVOUT_VALUE_DECIMAL_H

#include "value/object.h"

/* Equality and hash go by value (1.0M = 1.00M) and must not need memory. So when the unscaled number
 * is no immediate and ends in zeros, it is kept without them as well. */
typedef struct avout__decimal {
    avout__object object;
    avout_value unscaled; /* natural */
    avout_value stripped; /* natural, without trailing zeros; AVOUT_NONE: see above */
    int64_t stripped_scale;
    int32_t scale;
} avout__decimal;

static inline const avout__decimal *avout__decimal_of(avout_value value)
{
    return (const avout__decimal *)(const void *)avout__object_of(value, AVOUT_TYPE_DECIMAL);
}

/* unscaled x 10^-scale; not (yet) a value. Borrowed. */
typedef struct avout__scaled {
    avout_value unscaled;
    int64_t scale;
} avout__scaled;

/* Consumes `unscaled`. A scale beyond 32 bits: AVOUT_ERANGE (of zero: the nearest there is). */
avout_status avout__decimal_make(avout_value *out, avout_value unscaled, int64_t scale);

/* Of an INT, BIGINT or DECIMAL. */
avout__scaled avout__scaled_of(avout_value number);

avout_status avout__decimal_add(avout_value *out, avout__scaled a, avout__scaled b);
avout_status avout__decimal_sub(avout_value *out, avout__scaled a, avout__scaled b);
avout_status avout__decimal_mul(avout_value *out, avout__scaled a, avout__scaled b);
/* `b` is not zero in the next three. */
avout_status avout__decimal_div(avout_value *out, avout__scaled a, avout__scaled b);
avout_status avout__decimal_quot(avout_value *out, avout__scaled a, avout__scaled b);
avout_status avout__decimal_rem(avout_value *out, avout__scaled a, avout__scaled b);
avout_status avout__decimal_compare(int *order, avout__scaled a, avout__scaled b);
avout_status avout__decimal_to_double(double *number, avout__scaled decimal);

extern const avout__type_hooks avout__decimal_hooks;

#endif
