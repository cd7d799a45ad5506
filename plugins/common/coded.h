/* What containers that take a codec (avout/codec.h) do with it: check it, write values as bytes and read them
 * back, with failures that name the codec. */
#ifndef PLUGINS_COMMON_CODED_H
#define PLUGINS_COMMON_CODED_H

#include <stdbool.h>
#include <stddef.h>

#include <avout/codec.h>

/* Copies it; NULL: EDN. AVOUT_EINVAL: it has no name that is one, or lacks a function. */
avout_status avout__plugin_codec(avout_codec *codec, const avout_codec *given);
bool avout__plugin_is_edn(const avout_codec *codec);

/* The place as messages show it, to be freed: with the codec's name behind it unless that is EDN. Who opens the
 * same place with another codec has another container. NULL: no memory. */
char *avout__plugin_coded_place(const char *place, const avout_codec *codec);

/* Bytes that grow; zero-initialised there are none. `bytes` is to be freed; NULL only where nothing was added. */
typedef struct avout__plugin_text {
    char *bytes;
    size_t length, room;
} avout__plugin_text;

/* An avout_edn_sink: its payload is the text. AVOUT_ENOMEM, with all that was there before. */
avout_status avout__plugin_add(const char *bytes, size_t length, void *text);

/* Adds the value as the codec writes it, which may be nothing. AVOUT_ENOPRINT (the codec cannot), AVOUT_ELIMIT, AVOUT_ENOMEM: then
 * *text is freed, and empty. */
avout_status avout__plugin_encode(avout__plugin_text *text, avout_value value,
                                  const avout_codec *codec);
/* *value, owned. AVOUT_EDATA: the codec refuses the bytes; AVOUT_ENOMEM. */
avout_status avout__plugin_decode(avout_value *value, const char *bytes, size_t length,
                                  const avout_codec *codec);

#endif
