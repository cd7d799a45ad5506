/* JSON (RFC 8259) into values. Nothing here recurses: what is open is on `frames`, what is read and not
 * yet part of an array or object is on `values`; those of a frame begin at its base. */
#include "avout/edn.h"

#include <string.h>

#include "base/alloc.h"
#include "edn/reader.h"
#include "base/banned.h"

typedef struct json_frame {
    bool object;
    size_t base;
    const char *open;
} json_frame;

/* `is` reports errors, and holds values as it does for EDN. */
typedef struct json_reader {
    edn_reader is;
    json_frame *frames;
    size_t depth, capacity;
} json_reader;

static void skip_space(edn_reader *reader)
{
    const char *at = reader->at;
    while (at < reader->end && (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t')) at++;
    reader->at = at;
}

static avout_status fail_here(edn_reader *reader, const char *wanted)
{
    if (reader->at == reader->end)
        return avout__edn_fail(reader, AVOUT_ESYNTAX, reader->at, "the text ends: expected %s",
                               wanted);
    if ((unsigned char)*reader->at >= 0x80)
        return avout__edn_fail(reader, AVOUT_ESYNTAX, reader->at, "expected %s", wanted);
    return avout__edn_fail(reader, AVOUT_ESYNTAX, reader->at, "'%c': expected %s", *reader->at,
                           wanted);
}

/* ---- strings ---------------------------------------------------------------------------------- */

static bool hex4(const char *at, const char *end, uint32_t *unit)
{
    *unit = 0;
    for (int i = 0; i < 4; i++, at++) {
        if (at >= end) return false;
        char lower = (char)(*at | 0x20);
        uint32_t digit = *at >= '0' && *at <= '9'       ? (uint32_t)(*at - '0')
                         : lower >= 'a' && lower <= 'f' ? (uint32_t)(lower - 'a' + 10)
                                                        : 16;
        if (digit == 16) return false;
        *unit = *unit << 4 | digit;
    }
    return true;
}

/* Behind \u; moves on. */
static avout_status read_unicode(edn_reader *reader, uint32_t *code_point)
{
    uint32_t low;
    const char *at = reader->at;
    if (!hex4(at, reader->end, code_point))
        return avout__edn_fail(reader, AVOUT_ESYNTAX, at,
                               "expected four hexadecimal digits behind \\u");
    reader->at += 4;
    if (*code_point < 0xd800 || *code_point > 0xdfff) return AVOUT_OK;
    if (*code_point >= 0xdc00 || reader->end - reader->at < 2 || reader->at[0] != '\\' ||
        reader->at[1] != 'u' || !hex4(reader->at + 2, reader->end, &low) || low < 0xdc00 ||
        low > 0xdfff)
        return avout__edn_fail(reader, AVOUT_ESYNTAX, at, "half of a surrogate pair");
    *code_point = 0x10000 + ((*code_point - 0xd800) << 10) + (low - 0xdc00);
    reader->at += 6;
    return AVOUT_OK;
}

/* Behind a backslash; moves on. */
static avout_status read_escape(edn_reader *reader)
{
    static const char letters[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
    uint32_t code_point = 0;
    if (reader->at == reader->end) return fail_here(reader, "an escape");
    const char *known = strchr(letters, *reader->at);
    if (known && *known) {
        reader->at++;
        return avout__buffer_add_char(&reader->scratch, meant[known - letters]);
    }
    if (*reader->at != 'u') return fail_here(reader, "one of \"\\/bfnrtu behind the backslash");
    reader->at++;
    avout_status status = read_unicode(reader, &code_point);
    char encoded[4];
    return status ? status
                  : avout__buffer_add(&reader->scratch, encoded,
                                      avout__edn_encode(encoded, code_point));
}

/* At the quote; moves behind the closing one. UTF-8 is checked where the string is made. */
static avout_status read_string(edn_reader *reader)
{
    const char *open = reader->at++;
    avout_status status = AVOUT_OK;
    reader->scratch.length = 0;
    while (!status) {
        const char *from = reader->at, *at = from;
        while (at < reader->end && *at != '"' && *at != '\\' && (unsigned char)*at >= ' ') at++;
        reader->at = at;
        status = avout__buffer_add(&reader->scratch, from, (size_t)(at - from));
        if (status) break;
        if (at == reader->end) return fail_here(reader, "'\"' to close the string");
        if ((unsigned char)*at < ' ')
            return avout__edn_fail(reader, AVOUT_ESYNTAX, at,
                                   "a control character in a string: expected \\u%04x",
                                   (unsigned)(unsigned char)*at);
        reader->at++;
        if (*at == '"') break;
        status = read_escape(reader);
    }
    if (status == AVOUT_ENOMEM) return avout__edn_fail(reader, status, open, "out of memory");
    if (status) return status;
    return edn_push(reader, avout_string_n(reader->scratch.data, reader->scratch.length), open);
}

/* ---- numbers, words ------------------------------------------------------------------------------ */

static const char *digits(const char *at, const char *end)
{
    while (at < end && *at >= '0' && *at <= '9') at++;
    return at;
}

/* What is a number in JSON is one in EDN. */
static avout_status read_number(edn_reader *reader)
{
    const char *start = reader->at, *end = reader->end, *at = start + (*start == '-');
    const char *whole = at;
    at = digits(at, end);
    bool good = at > whole && (*whole != '0' || at == whole + 1);
    if (good && at < end && *at == '.') {
        const char *fraction = at + 1;
        at = digits(fraction, end);
        good = at > fraction;
    }
    if (good && at < end && (*at | 0x20) == 'e') {
        const char *exponent = at + 1;
        if (exponent < end && (*exponent == '+' || *exponent == '-')) exponent++;
        at = digits(exponent, end);
        good = at > exponent;
    }
    reader->at = at;
    if (!good)
        return avout__edn_fail(reader, AVOUT_ESYNTAX, start, "no number as JSON writes them");
    avout_value number;
    avout_edn_read_options options = {.max_digits = reader->max_digits};
    avout_status status = avout_edn_read(&number, start, (size_t)(at - start), &options, NULL);
    if (!status) return edn_push(reader, number, start);
    return avout__edn_fail(reader, status, start, "a number that cannot be read");
}

static bool take_word(edn_reader *reader, const char *word)
{
    size_t length = strlen(word);
    if ((size_t)(reader->end - reader->at) < length || memcmp(reader->at, word, length))
        return false;
    reader->at += length;
    return true;
}

/* ---- arrays and objects --------------------------------------------------------------------------- */

static avout_status open_frame(json_reader *json, bool object)
{
    edn_reader *reader = &json->is;
    if (json->depth >= reader->max_depth)
        return avout__edn_fail(reader, AVOUT_ELIMIT, reader->at, "nested more than %zu deep",
                               reader->max_depth);
    if (AVOUT__GROW(&json->frames, &json->capacity, json->depth + 1))
        return avout__edn_fail(reader, AVOUT_ENOMEM, reader->at, "out of memory");
    json->frames[json->depth++] = (json_frame){object, reader->count, reader->at};
    reader->at++;
    return AVOUT_OK;
}

static avout_status close_frame(json_reader *json)
{
    edn_reader *reader = &json->is;
    json_frame frame = json->frames[--json->depth];
    size_t count = reader->count - frame.base;
    avout_value *items = reader->values + frame.base;
    reader->at++;
    reader->count = frame.base; /* consumed, whatever comes */
    avout_value made = frame.object ? avout_map(count / 2, items) : avout_vector(count, items);
    if (avout_is_none(made) && avout_none_status() == AVOUT_EEXISTS)
        return avout__edn_fail(reader, AVOUT_EEXISTS, frame.open,
                               "a name stands in this object twice");
    return edn_push(reader, made, frame.open);
}

static avout_status begin(json_reader *json)
{
    edn_reader *reader = &json->is;
    const char *at = reader->at;
    if (at == reader->end) return fail_here(reader, "a value");
    switch (*at) {
    case '{': return open_frame(json, true);
    case '[': return open_frame(json, false);
    case '"': return read_string(reader);
    case 'n':
        if (take_word(reader, "null")) return edn_push(reader, avout_nil(), at);
        break;
    case 't':
        if (take_word(reader, "true")) return edn_push(reader, avout_bool(true), at);
        break;
    case 'f':
        if (take_word(reader, "false")) return edn_push(reader, avout_bool(false), at);
        break;
    default:
        if (*at == '-' || (*at >= '0' && *at <= '9')) return read_number(reader);
    }
    return fail_here(reader, "a value");
}

/* A name and its colon. */
static avout_status read_name(edn_reader *reader)
{
    if (reader->at == reader->end || *reader->at != '"')
        return fail_here(reader, "a name in quotes");
    avout_status status = read_string(reader);
    if (status) return status;
    skip_space(reader);
    if (reader->at == reader->end || *reader->at != ':') return fail_here(reader, "':'");
    reader->at++;
    skip_space(reader);
    return AVOUT_OK;
}

/* What comes next in the innermost frame. */
static avout_status step(json_reader *json)
{
    edn_reader *reader = &json->is;
    const json_frame *frame = &json->frames[json->depth - 1];
    char close = frame->object ? '}' : ']';
    bool first = reader->count == frame->base;
    if (reader->at < reader->end && *reader->at == close) return close_frame(json);
    if (!first) {
        if (reader->at == reader->end || *reader->at != ',')
            return fail_here(reader, frame->object ? "',' or '}'" : "',' or ']'");
        reader->at++;
        skip_space(reader);
    }
    avout_status status = frame->object ? read_name(reader) : AVOUT_OK;
    return status ? status : begin(json);
}

avout_status avout_json_read(avout_value *out, const char *text, size_t length,
                             const avout_edn_read_options *options, avout_edn_error *error)
{
    avout_edn_error unwanted;
    json_reader json;
    json.frames = NULL;
    json.depth = json.capacity = 0;
    edn_reader *reader = &json.is;
    avout_status status =
        avout__edn_reader_init(reader, text, length, 0, options, error ? error : &unwanted);
    skip_space(reader);
    if (!status) status = begin(&json);
    while (!status && json.depth) {
        skip_space(reader);
        status = step(&json);
    }
    skip_space(reader);
    if (!status && reader->at < reader->end) status = fail_here(reader, "nothing behind the value");
    if (!status) *out = reader->values[--reader->count];
    avout__free(json.frames);
    avout__edn_reader_release(reader);
    return status;
}
