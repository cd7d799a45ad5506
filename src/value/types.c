/* The table of all types: what to call when an object of one is destroyed, hashed or compared. */
#include "value/object.h"

#include "base/banned.h"

const avout__type_hooks *const avout__types[AVOUT__TYPE_COUNT] = {
    NULL,
};
