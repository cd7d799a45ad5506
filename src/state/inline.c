/* The inline container: plain EDN text in the cell's own node. */
#include "state/container.h"

#include "avout/codec.h"
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
    return avout_codec_edn()->decode(value, bytes, length, NULL);
}

const avout__container avout__inline_container = {
    .name = "inline", .in_store = true, .encode = encode, .decode = decode};
