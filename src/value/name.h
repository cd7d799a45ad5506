/* Symbols and keywords: the text of the name, its namespace's length, and the hash from the start. */
#ifndef AVOUT_VALUE_NAME_H
#define AVOUT_VALUE_NAME_H

#include "value/object.h"

typedef struct avout__name {
    avout__object object; /* extra: the namespace's length, 0 without one */
    uint32_t length;      /* of "namespace/name" */
    char text[];          /* with a NUL behind */
} avout__name;

static inline const avout__name *avout__name_of(avout_value value)
{
    AVOUT__ASSERT(avout__is_type(value, AVOUT_TYPE_SYMBOL) ||
                  avout__is_type(value, AVOUT_TYPE_KEYWORD));
    return (const avout__name *)(const void *)avout__object_any(value);
}

/* AVOUT_OK when the text is a symbol's or (without its colon) a keyword's by clojure.edn's rules;
 * AVOUT_ENAME or AVOUT_EUTF8 with the detail set, else. */
avout_status avout__symbol_check(const char *text, size_t length, bool keyword);

extern const avout__type_hooks avout__symbol_hooks;
extern const avout__type_hooks avout__keyword_hooks;

#endif
