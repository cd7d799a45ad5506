/* The small objects: doubles and boxes. */
#ifndef AVOUT_VALUE_SCALARS_H
#define AVOUT_VALUE_SCALARS_H

#include "value/object.h"

typedef struct avout__float {
    avout__object object;
    double number;
} avout__float;

typedef struct avout__box {
    avout__object object;
    void *pointer;
    void (*destroy)(void *pointer);
} avout__box;

static inline double avout__float_number(avout_value value)
{
    return ((avout__float *)(void *)avout__object_of(value, AVOUT_TYPE_FLOAT))->number;
}

extern const avout__type_hooks avout__float_hooks;
extern const avout__type_hooks avout__box_hooks;

#endif
