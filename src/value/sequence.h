/* What the files of collection functions share among themselves. */
#ifndef AVOUT_VALUE_SEQUENCE_H
#define AVOUT_VALUE_SEQUENCE_H

#include "value/collection.h"

/* ---- look.c ---------------------------------------------------------------------------------- */

/* Code points in valid UTF-8. */
size_t avout__text_count(const char *text, size_t length);
/* The next code point as a CHAR; *text moves behind it. */
avout_value avout__text_next(const char **text);
/* An INT or BIGINT as an index; negative and huge ones become SIZE_MAX. False: no integer. */
bool avout__index(size_t *index, avout_value key);
/* avout_value_get and avout_value_nth that see strings as sequences too. Borrowed, or AVOUT_NONE. */
avout_value avout__lookup(avout_value collection, avout_value key);
avout_value avout__element(avout_value sequence, size_t index);

/* ---- change.c -------------------------------------------------------------------------------- */

/* *slot := value, which is owned. */
static inline avout_status avout__become(avout_value *slot, avout_value value)
{
    avout_value old = *slot;
    *slot = value;
    avout__release(old);
    return AVOUT_OK;
}

/* avout_conj, avout_assoc and avout_into under the name of the function the caller called. */
avout_status avout__conj(const char *function, avout_value *collection, avout_value item);
avout_status avout__assoc(const char *function, avout_value *collection, avout_value key,
                          avout_value item);
avout_status avout__into(const char *function, avout_value *to, avout_value from);

/* ---- path.c ---------------------------------------------------------------------------------- */

/* avout_update_in under another name. */
avout_status avout__update_in(const char *function, avout_value *collection, size_t length,
                              const avout_value *path, avout_change_fn change, void *payload);

/* ---- sequence.c ------------------------------------------------------------------------------ */

/* The elements of whatever has a sequence (nil, collection, string), owned, in a new array: a map's
 * are [key item] vectors. *items is NULL for none. */
avout_status avout__items(const char *function, avout_value value, avout_value **items,
                          size_t *count);
void avout__items_free(avout_value *items);

#endif
