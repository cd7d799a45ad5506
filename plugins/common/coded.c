#include "common/coded.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/words.h"

enum { NAME_MOST = 31, FIRST_ROOM = 256 };

avout_status avout__plugin_codec(avout_codec *codec, const avout_codec *given)
{
    *codec = given ? *given : *avout_codec_edn();
    size_t length = codec->name ? avout__plugin_word(codec->name, NAME_MOST) : 0;
    if (!length || codec->name[length])
        return avout_fail(AVOUT_EINVAL, "codec: it has no name of 1 to %d of [a-z0-9-]", NAME_MOST);
    if (!codec->encode || !codec->decode)
        return avout_fail(AVOUT_EINVAL, "codec %s: a function is NULL", codec->name);
    return AVOUT_OK;
}

bool avout__plugin_is_edn(const avout_codec *codec)
{
    return codec->encode == avout_codec_edn()->encode;
}

char *avout__plugin_coded_place(const char *place, const avout_codec *codec)
{
    if (avout__plugin_is_edn(codec)) return strdup(place);
    size_t size = strlen(place) + strlen(codec->name) + 4;
    char *made = malloc(size);
    if (made) snprintf(made, size, "%s (%s)", place, codec->name);
    return made;
}

avout_status avout__plugin_add(const char *bytes, size_t length, void *text)
{
    avout__plugin_text *to = text;
    if (!to->room || to->room - to->length < length) {
        size_t room = to->room ? to->room : FIRST_ROOM;
        while (room - to->length < length)
            if (__builtin_mul_overflow(room, (size_t)2, &room)) return avout__plugin_no_memory();
        char *more = realloc(to->bytes, room);
        if (!more) return avout__plugin_no_memory();
        to->bytes = more;
        to->room = room;
    }
    if (length) memcpy(to->bytes + to->length, bytes, length);
    to->length += length;
    return AVOUT_OK;
}

/* A codec that gives no reason must not get that of an earlier failure. */
static void forget_detail(void)
{
    (void)avout_fail(AVOUT_OK, "%s", "");
}

/* A codec answers what it likes; to the library some of that would mean what it does not mean here. */
static avout_status failed(const avout_codec *codec, avout_status status, const char *doing)
{
    char why[512];
    const char *detail = avout_error_detail();
    snprintf(why, sizeof why, "%s", *detail ? detail : avout_status_text(status));
    return avout_fail(status, "codec %s: %s: %s", codec->name, doing, why);
}

avout_status avout__plugin_encode(avout__plugin_text *text, avout_value value,
                                  const avout_codec *codec)
{
    forget_detail();
    avout_status status = avout__plugin_add("", 0, text); /* room for what may be empty */
    if (!status) status = codec->encode(value, avout__plugin_add, text, codec->payload);
    if (!status) return AVOUT_OK;
    free(text->bytes);
    *text = (avout__plugin_text){0};
    if (status == AVOUT_ENOMEM) return status;
    return failed(codec, status == AVOUT_ELIMIT ? AVOUT_ELIMIT : AVOUT_ENOPRINT, "encoding");
}

avout_status avout__plugin_decode(avout_value *value, const char *bytes, size_t length,
                                  const avout_codec *codec)
{
    avout_value decoded = AVOUT_NONE;
    forget_detail();
    avout_status status = codec->decode(&decoded, bytes ? bytes : "", length, codec->payload);
    if (!status && avout_is_none(decoded))
        status = avout_fail(AVOUT_EDATA, "it answers that all is well, without a value");
    if (!status) *value = decoded;
    if (!status || status == AVOUT_ENOMEM) return status;
    return failed(codec, AVOUT_EDATA, "decoding");
}
