/* Collections made in one go from items at hand: nodes are filled directly, nothing is copied twice.
 * For whoever has all the items in an array (the EDN reader); the public makers end here too. */
#ifndef AVOUT_VALUE_BUILD_H
#define AVOUT_VALUE_BUILD_H

#include "avout/value.h"

/* The items are consumed, whatever the outcome; the array stays the caller's. A failure, or an item
 * that is AVOUT_NONE, gives AVOUT_NONE, with avout_none_status() and the detail set. */
avout_value avout__list_from_owned(const avout_value *items, size_t count);
avout_value avout__vector_from_owned(const avout_value *items, size_t count);

/* `count` pairs k0 v0 k1 v1 ...; or elements. *duplicate (may be NULL) becomes the index of the
 * first pair or element that equals an earlier one (the status is then AVOUT_EEXISTS), SIZE_MAX when
 * there is none. */
avout_value avout__map_from_owned(const avout_value *pairs, size_t count, size_t *duplicate);
avout_value avout__set_from_owned(const avout_value *items, size_t count, size_t *duplicate);

/* avout_tagged with a tag that is known to be a symbol and to begin with a letter. */
avout_value avout__tagged_checked(const char *tag, avout_value form);

#endif
