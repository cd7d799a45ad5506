/* Values in error messages: short, whatever they are, and harmless to a terminal. */
#ifndef AVOUT_VALUE_DESCRIBE_H
#define AVOUT_VALUE_DESCRIBE_H

#include "avout/value.h"

typedef struct avout__description {
    char text[96];
} avout__description;

/* `"abc" (string)`, `5 (int)`, `nil`, `a vector of 3`: scalars cut at 40 bytes, of collections only
 * type and count. The value is borrowed. */
avout__description avout__describe(avout_value value);

#endif
