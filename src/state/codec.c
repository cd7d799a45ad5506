#include "state/codec.h"

#include <stdint.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "edn/json.h"
#include "state/answer.h"
#include "base/banned.h"

enum { NAME_MAX_LENGTH = 31 };

/* ---- those that everybody has ------------------------------------------------------------------- */

static avout_status edn_encode(avout_value value, avout_edn_sink add, void *to, void *payload)
{
    (void)payload;
    return avout_edn_print(value, add, to);
}

static avout_status not_of(const char *what, const avout_edn_error *error)
{
    return avout_fail(AVOUT_EDATA, "stored bytes are not %s: line %zu, column %zu: %s", what,
                      error->line, error->column, error->message);
}

static avout_status edn_decode(avout_value *value, const char *bytes, size_t length, void *payload)
{
    (void)payload;
    avout_edn_error error;
    avout_status status = avout_edn_read(value, bytes, length, NULL, &error);
    return !status || status == AVOUT_ENOMEM ? status : not_of("EDN", &error);
}

static avout_status json_encode(avout_value value, avout_edn_sink add, void *to, void *payload)
{
    (void)payload;
    char *text;
    size_t length;
    avout_status status = avout__json_exact(&text, &length, value);
    if (status) return status;
    status = add(text, length, to);
    avout_edn_free(text);
    return status;
}

static avout_status json_decode(avout_value *value, const char *bytes, size_t length, void *payload)
{
    (void)payload;
    avout_edn_error error;
    avout_status status = avout_json_read(value, bytes, length, NULL, &error);
    return !status || status == AVOUT_ENOMEM ? status : not_of("JSON", &error);
}

static avout_status bytes_encode(avout_value value, avout_edn_sink add, void *to, void *payload)
{
    (void)payload;
    const char *bytes;
    size_t length;
    avout_type type = avout_value_type(value);
    if (type != AVOUT_TYPE_BYTES)
        return avout_fail(AVOUT_ENOPRINT,
                          "the codec of bytes keeps byte strings, not what is of type %s",
                          avout_type_name(type));
    avout_status status = avout_value_to_text(&bytes, &length, value);
    return status ? status : add(bytes, length, to);
}

static avout_status bytes_decode(avout_value *value, const char *bytes, size_t length,
                                 void *payload)
{
    (void)payload;
    return avout_put(value, avout_bytes(bytes, length));
}

static const avout_codec edn_codec = {"edn", edn_encode, edn_decode, NULL};
static const avout_codec json_codec = {"json", json_encode, json_decode, NULL};
static const avout_codec bytes_codec = {"bytes", bytes_encode, bytes_decode, NULL};

const avout_codec *avout_codec_edn(void)
{
    return &edn_codec;
}

const avout_codec *avout_codec_json(void)
{
    return &json_codec;
}

const avout_codec *avout_codec_bytes(void)
{
    return &bytes_codec;
}

const avout_codec *avout_codec_named(const char *name)
{
    static const avout_codec *const all[] = {&edn_codec, &json_codec, &bytes_codec};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (!strcmp(all[i]->name, name)) return all[i];
    return NULL;
}

/* ---- as containers --------------------------------------------------------------------------------- */

static const avout__coded *coded_of(const avout__container *self)
{
    return (const avout__coded *)(const void *)self;
}

/* To a transaction AVOUT_RETRY and others would mean what they do not mean here. */
static avout_status failed(const avout__container *self, avout_status status, const char *doing)
{
    char why[512];
    const char *detail = avout_error_detail();
    snprintf(why, sizeof why, "%s", *detail ? detail : avout_status_text(status));
    return avout_fail(status, "codec %s: %s: %s", self->name, doing, why);
}

static avout_status add_bytes(const char *text, size_t length, void *buffer)
{
    return avout__buffer_add(buffer, text, length);
}

static avout_status encode(avout__buffer *bytes, avout_value value, const avout__container *self)
{
    const avout_codec *codec = &coded_of(self)->codec;
    avout__error_clear();
    avout_status status = codec->encode(value, add_bytes, bytes, codec->payload);
    if (!status || status == AVOUT_ENOMEM) return status;
    return failed(self, status == AVOUT_ELIMIT ? AVOUT_ELIMIT : AVOUT_ENOPRINT, "encoding");
}

static avout_status decode(avout_value *value, const char *bytes, size_t length,
                           const avout__container *self)
{
    const avout_codec *codec = &coded_of(self)->codec;
    avout_value decoded = AVOUT_NONE;
    avout__error_clear();
    avout_status status = codec->decode(&decoded, bytes, length, codec->payload);
    if (!status && avout_is_none(decoded)) status = AVOUT_EDATA;
    if (!status) *value = decoded;
    if (!status || status == AVOUT_ENOMEM) return status;
    return failed(self, AVOUT_EDATA, "decoding");
}

bool avout__codec_is_default(const avout_codec *codec)
{
    return codec == &edn_codec;
}

avout_status avout__coded_new(avout__coded **coded, const avout_codec *codec)
{
    const char *name = codec ? codec->name : NULL;
    if (!avout__answer_is_word(name, NAME_MAX_LENGTH))
        return avout_fail(AVOUT_EINVAL, "codec: it has no name of 1 to %d of [a-z0-9-]",
                          NAME_MAX_LENGTH);
    if (!codec->encode || !codec->decode)
        return avout_fail(AVOUT_EINVAL, "codec %s: a function is NULL", name);
    *coded = avout__calloc(1, sizeof **coded);
    if (!*coded) return AVOUT_ENOMEM;
    (*coded)->is =
        (avout__container){.name = name, .in_store = true, .encode = encode, .decode = decode};
    (*coded)->codec = *codec;
    return AVOUT_OK;
}
