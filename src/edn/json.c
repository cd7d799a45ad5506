/* Values as JSON (RFC 8259). For scripts: keywords become the string of their name, what else JSON has
 * no word for the string of its EDN text: nothing is dropped, though types are. For keeping (exact):
 * only what reads back as it was. */
#include "edn/json.h"

#include "edn/writer.h"

#include "base/banned.h"

/* Integers up to here are exact in every JSON reader that uses doubles (RFC 8259, section 6). */
#define JSON_EXACT (INT64_C(1) << 53)
/* As many digits as a double always keeps. */
enum { JSON_DIGITS = 15, JSON_EXPONENT = 300 };

typedef struct edn_json {
    edn_writer out;
    edn_writer edn; /* what becomes a string */
    edn_stack stack;
    bool exact;
} edn_json;

/* As deep as the reader goes. */
enum { EXACT_DEPTH = 512 };

static avout_status write_string(edn_writer *out, const char *text, size_t length)
{
    static const char hex[] = "0123456789abcdef";
    avout_status status = edn_write_char(out, '"');
    for (size_t i = 0; !status && i < length; i++) {
        status = edn_room(out, 6);
        if (status) break;
        unsigned char c = (unsigned char)text[i];
        char escape = 0;
        switch (c) {
        case '"':
        case '\\': escape = (char)c; break;
        case '\n': escape = 'n'; break;
        case '\t': escape = 't'; break;
        case '\r': escape = 'r'; break;
        case '\f': escape = 'f'; break;
        case '\b': escape = 'b'; break;
        default: break;
        }
        if (escape) {
            *out->at++ = '\\';
            *out->at++ = escape;
        } else if (c < ' ') {
            memcpy(out->at, "\\u00", 4);
            out->at[4] = hex[c >> 4];
            out->at[5] = hex[c & 15];
            out->at += 6;
        } else {
            *out->at++ = (char)c;
        }
    }
    return status ? status : edn_write_char(out, '"');
}

/* The value's EDN text, left in json->edn. */
static avout_status edn_of(edn_json *json, avout_value value)
{
    avout__edn_writer_restart(&json->edn, SIZE_MAX);
    return avout__edn_write_value(&json->edn, value, true);
}

static avout_status write_edn(edn_json *json, avout_value value)
{
    avout_status status = edn_of(json, value);
    if (status) return status;
    return write_string(&json->out, json->edn.start, (size_t)(json->edn.at - json->edn.start));
}

static avout_status write_text(edn_json *json, avout_value value)
{
    const char *text = "";
    size_t length = 0;
    avout_value_to_text(&text, &length, value);
    return write_string(&json->out, text, length);
}

/* A decimal that a double keeps: few digits, a small exponent. Its text without the M is JSON. */
static bool is_plain_decimal(const char *text, size_t length)
{
    size_t digits = 0, i = 0;
    for (; i < length && text[i] != 'E' && text[i] != 'M'; i++)
        digits += text[i] >= '0' && text[i] <= '9';
    int exponent = 0;
    for (; i < length && exponent < JSON_EXPONENT; i++)
        if (text[i] >= '0' && text[i] <= '9') exponent = exponent * 10 + (text[i] - '0');
    return digits <= JSON_DIGITS && exponent < JSON_EXPONENT;
}

static avout_status write_number(edn_json *json, avout_value value, avout_type type)
{
    double number;
    int64_t integer;
    if (type == AVOUT_TYPE_FLOAT) {
        avout_value_to_float(&number, value);
        if (!__builtin_isfinite(number)) return EDN_WRITE_LITERAL(&json->out, "null");
        return avout__edn_write_scalar(&json->out, value);
    }
    if (type == AVOUT_TYPE_DECIMAL) {
        avout_status status = edn_of(json, value);
        size_t length = (size_t)(json->edn.at - json->edn.start);
        if (status) return status;
        if (is_plain_decimal(json->edn.start, length))
            return edn_write(&json->out, json->edn.start, length - 1);
        return write_string(&json->out, json->edn.start, length);
    }
    if (type != AVOUT_TYPE_RATIO && !avout_value_to_int(&integer, value) &&
        integer >= -JSON_EXACT && integer <= JSON_EXACT)
        return avout__edn_write_int(&json->out, integer);
    return write_edn(json, value);
}

/* ---- exact --------------------------------------------------------------------------------------- */

static avout_status refuse(avout_value value)
{
    avout_type type = avout_value_type(value);
    return avout_fail(AVOUT_ENOPRINT, "%s%s: JSON has none that would read back as it was",
                      strchr("aeiou", avout_type_name(type)[0]) ? "an " : "a ",
                      avout_type_name(type));
}

static avout_status write_exact(edn_json *json, avout_value value, avout_type type)
{
    double number;
    avout_status status;
    switch (type) {
    case AVOUT_TYPE_INT: return avout__edn_write_scalar(&json->out, value);
    case AVOUT_TYPE_BIGINT:
        status = edn_of(json, value);
        if (status) return status;
        /* Without the N. */
        return edn_write(&json->out, json->edn.start, (size_t)(json->edn.at - json->edn.start) - 1);
    case AVOUT_TYPE_FLOAT:
        avout_value_to_float(&number, value);
        if (__builtin_isfinite(number)) return avout__edn_write_scalar(&json->out, value);
        return avout_fail(AVOUT_ENOPRINT, "a float that is not finite: JSON has none");
    default: return refuse(value);
    }
}

static bool has_string_key(avout_value map)
{
    avout_iterator it = avout_value_iterate(map);
    while (avout_iterator_next(&it))
        if (avout_value_type(it.key) == AVOUT_TYPE_STRING) return true;
    return false;
}

static avout_status open_collection(edn_json *json, avout_value collection, avout_type type)
{
    if (json->exact && type != AVOUT_TYPE_MAP && type != AVOUT_TYPE_VECTOR)
        return refuse(collection);
    if (json->exact && json->stack.depth >= EXACT_DEPTH)
        return avout_fail(AVOUT_ELIMIT, "nested more than %d deep", EXACT_DEPTH);
    edn_open *frame = avout__edn_stack_push(&json->stack, collection, type);
    if (!frame) return AVOUT_ENOMEM;
    frame->has_string_key = type == AVOUT_TYPE_MAP && has_string_key(collection);
    return edn_write_char(&json->out, type == AVOUT_TYPE_MAP ? '{' : '[');
}

static avout_status begin(edn_json *json, avout_value value)
{
    avout_type type = avout_value_type(value);
    switch (type) {
    case AVOUT_TYPE_NONE: return avout_fail(AVOUT_EINVAL, "no value to print (AVOUT_NONE)");
    case AVOUT_TYPE_NIL: return EDN_WRITE_LITERAL(&json->out, "null");
    case AVOUT_TYPE_BOOL: return avout__edn_write_scalar(&json->out, value);
    case AVOUT_TYPE_INT:
    case AVOUT_TYPE_BIGINT:
    case AVOUT_TYPE_RATIO:
    case AVOUT_TYPE_FLOAT:
    case AVOUT_TYPE_DECIMAL:
        return json->exact ? write_exact(json, value, type) : write_number(json, value, type);
    case AVOUT_TYPE_KEYWORD:
        if (json->exact) return refuse(value);
        return write_text(json, value);
    case AVOUT_TYPE_STRING: return write_text(json, value);
    case AVOUT_TYPE_LIST:
    case AVOUT_TYPE_VECTOR:
    case AVOUT_TYPE_SET:
    case AVOUT_TYPE_MAP: return open_collection(json, value, type);
    case AVOUT_TYPE_CHAR:
    case AVOUT_TYPE_SYMBOL:
    case AVOUT_TYPE_TAGGED:
    case AVOUT_TYPE_BYTES: return json->exact ? refuse(value) : write_edn(json, value);
    case AVOUT_TYPE_BOX: return json->exact ? refuse(value) : AVOUT_ENOPRINT;
    }
    return AVOUT_EINVAL;
}

/* Whether the map of `frame` has the keyword's name as a string, too. */
static avout_status is_taken(bool *taken, const edn_open *frame, avout_value keyword)
{
    const char *name = "";
    size_t length = 0;
    avout_value_to_text(&name, &length, keyword);
    avout_value string = avout_string_n(name, length);
    if (avout_is_none(string)) return avout_none_status();
    avout_status status = avout_value_contains(taken, frame->iterator.collection, string);
    avout_release(string);
    return status;
}

/* Of a keyword and a string that would both be the same name, the keyword keeps its colon. */
static avout_status write_key(edn_json *json, const edn_open *frame)
{
    avout_value key = frame->iterator.key;
    avout_type type = avout_value_type(key);
    avout_status status = AVOUT_OK;
    if (json->exact && type != AVOUT_TYPE_STRING)
        return avout_fail(AVOUT_ENOPRINT, "a key that is a %s: in JSON keys are strings",
                          avout_type_name(type));
    bool plain = type == AVOUT_TYPE_STRING || type == AVOUT_TYPE_KEYWORD, taken = false;
    if (type == AVOUT_TYPE_KEYWORD && frame->has_string_key) status = is_taken(&taken, frame, key);
    if (!status) status = plain && !taken ? write_text(json, key) : write_edn(json, key);
    return status ? status : edn_write_char(&json->out, ':');
}

static avout_status step(edn_json *json)
{
    edn_open *frame = &json->stack.frames[json->stack.depth - 1];
    bool map = frame->type == AVOUT_TYPE_MAP;
    if (!avout_iterator_next(&frame->iterator)) {
        json->stack.depth--;
        return edn_write_char(&json->out, map ? '}' : ']');
    }
    avout_value item = frame->iterator.item;
    avout_status status = frame->count++ ? edn_write_char(&json->out, ',') : AVOUT_OK;
    if (!status && map) status = write_key(json, frame);
    return status ? status : begin(json, item);
}

static avout_status json_text(char **text, size_t *length, avout_value value, bool exact)
{
    edn_json json;
    json.edn = (edn_writer){0};
    json.exact = exact;
    avout__edn_stack_init(&json.stack);
    avout_status status = avout__edn_writer_init(&json.out);
    if (!status) status = avout__edn_writer_init(&json.edn);
    if (!status) status = begin(&json, value);
    while (!status && json.stack.depth) status = step(&json);
    if (!status) status = avout__edn_writer_take(&json.out, text, length);
    if (status == AVOUT_ENOPRINT && !exact) status = avout__edn_fail_box(value);
    avout__edn_writer_release(&json.out);
    avout__edn_writer_release(&json.edn);
    avout__edn_stack_release(&json.stack);
    return status;
}

avout_status avout_json_text(char **text, size_t *length, avout_value value)
{
    return json_text(text, length, value, false);
}

avout_status avout__json_exact(char **text, size_t *length, avout_value value)
{
    return json_text(text, length, value, true);
}
