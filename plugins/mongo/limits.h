/* How much goes into one document, and one request. Variables, so that tests need no large values to get there. */
#ifndef PLUGINS_MONGO_LIMITS_H
#define PLUGINS_MONGO_LIMITS_H

#include <stddef.h>

typedef struct avout__mongo_limits {
    size_t document; /* bytes of value and text together */
    size_t part;     /* bytes of a text that is larger */
    int page;        /* documents listed in one request */
} avout__mongo_limits;

extern avout__mongo_limits avout__mongo_limit;

#endif
