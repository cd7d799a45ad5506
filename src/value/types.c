/* The table of all types: what to call when an object of one is destroyed, hashed or compared. */
#include "value/collection.h"
#include "value/decimal.h"
#include "value/name.h"
#include "value/number.h"
#include "value/object.h"
#include "value/scalars.h"
#include "value/tagged.h"
#include "value/text.h"

#include "base/banned.h"

const avout__type_hooks *const avout__types[AVOUT__TYPE_COUNT] = {
    [AVOUT_TYPE_RATIO] = &avout__ratio_hooks,   [AVOUT_TYPE_DECIMAL] = &avout__decimal_hooks,
    [AVOUT_TYPE_FLOAT] = &avout__float_hooks,   [AVOUT_TYPE_STRING] = &avout__string_hooks,
    [AVOUT_TYPE_SYMBOL] = &avout__symbol_hooks, [AVOUT_TYPE_KEYWORD] = &avout__keyword_hooks,
    [AVOUT_TYPE_BYTES] = &avout__bytes_hooks,   [AVOUT_TYPE_BOX] = &avout__box_hooks,
    [AVOUT_TYPE_LIST] = &avout__list_hooks,     [AVOUT_TYPE_VECTOR] = &avout__vector_hooks,
    [AVOUT_TYPE_MAP] = &avout__map_hooks,       [AVOUT_TYPE_SET] = &avout__set_hooks,
    [AVOUT_TYPE_TAGGED] = &avout__tagged_hooks,
};
