/* A call of a function by name, read from its EDN text. */
#ifndef TESTS_SUPPORT_FUNCTION_CALL_H
#define TESTS_SUPPORT_FUNCTION_CALL_H

#include <string.h>

#include "avout/edn.h"
#include "support/test.h"

enum { FUNCTION_CALL_ITEMS = 16 };

typedef struct function_call {
    avout_value list; /* owned: (name value argument...); the rest is borrowed from it */
    const char *name;
    size_t count; /* of the value and its arguments, at least 1 */
    avout_value items[FUNCTION_CALL_ITEMS];
} function_call;

static inline function_call function_call_read(const char *text)
{
    function_call call = {.name = NULL};
    avout_edn_error error;
    if (avout_edn_read(&call.list, text, strlen(text), NULL, &error))
        test_failed(__FILE__, __LINE__, "%s: %s", text, error.message);
    avout_iterator it = avout_value_iterate(call.list);
    CHECK(avout_iterator_next(&it));
    CHECK_OK(avout_value_to_text(&call.name, NULL, it.item));
    while (avout_iterator_next(&it)) {
        CHECK(call.count < FUNCTION_CALL_ITEMS);
        call.items[call.count++] = it.item;
    }
    CHECK(call.count);
    return call;
}

static inline void function_call_release(function_call *call)
{
    avout_release(call->list);
}

#endif
