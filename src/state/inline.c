/* The inline container: plain EDN text in the cell's own node. */
#include "state/container.h"

#include "avout/edn.h"
#include "base/banned.h"

static avout_status add(const char *text, size_t length, void *buffer)
{
    return avout__buffer_add(buffer, text, length);
}

static avout_status encode(avout__buffer *bytes, avout_value value, const avout__container *self)
{
    (void)self;
    return avout_edn_print(value, add, bytes);
}

static avout_status decode(avout_value *value, const char *bytes, size_t length,
                           const avout__container *self)
{
    (void)self;
    avout_edn_error error;
    avout_status status = avout_edn_read(value, bytes, length, NULL, &error);
    if (!status || status == AVOUT_ENOMEM) return status;
    return avout_fail(AVOUT_EDATA, "stored bytes are not EDN: line %zu, column %zu: %s", error.line,
                      error.column, error.message);
}

const avout__container avout__inline_container = {"inline", true, false, encode, decode};
