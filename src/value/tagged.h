/* #tag form. */
#ifndef AVOUT_VALUE_TAGGED_H
#define AVOUT_VALUE_TAGGED_H

#include "value/object.h"

/* In object.kind. The latter two are compared by what they mean: `high` and `low`. */
enum { AVOUT__TAGGED_PLAIN, AVOUT__TAGGED_INST, AVOUT__TAGGED_UUID };

typedef struct avout__tagged {
    avout__object object;
    avout_value form;
    int64_t high; /* inst: seconds since 1970; uuid: its first 8 bytes */
    int64_t low;  /* inst: nanoseconds; uuid: its last 8 bytes */
    char tag[];   /* with a NUL */
} avout__tagged;

static inline const avout__tagged *avout__tagged_of(avout_value value)
{
    return (const avout__tagged *)(const void *)avout__object_of(value, AVOUT_TYPE_TAGGED);
}

/* While both are tagged alike, goes on to their forms, so that no depth of tags costs stack. True:
 * *a equals *b if and only if the values given were equal. False: they were not. */
bool avout__tagged_unwrap(avout_value *a, avout_value *b);

extern const avout__type_hooks avout__tagged_hooks;

#endif
