/* What ends a form that contains others: collections at their delimiter, and the prefixes (#_ #tag
 * ^ #: ##) behind the form they waited for. */
#include "edn/reader.h"

#include "base/alloc.h"
#include "base/error.h"
#include "value/build.h"
#include "base/banned.h"

/* ---- collections ---------------------------------------------------------------------------- */

static avout_status fail_odd(edn_reader *reader, const edn_frame *frame)
{
    size_t line, column;
    avout__edn_locate(reader->text, frame->open, &line, &column);
    return avout__edn_fail(reader, AVOUT_ESYNTAX, reader->at,
                           "'}' behind a key: expected the key's value in the map opened at line "
                           "%zu, column %zu",
                           line, column);
}

static avout_status fail_duplicate(edn_reader *reader, const edn_frame *frame, size_t nth)
{
    const char *form, *end;
    avout_status status = avout__edn_find_form(reader, frame->body, nth, &form, &end);
    if (status == AVOUT_ENOMEM)
        return avout__edn_fail(reader, AVOUT_ENOMEM, frame->open, "out of memory");
    AVOUT__ASSERT(!status);
    size_t line, column;
    avout__edn_locate(reader->text, frame->open, &line, &column);
    int shown = avout__edn_shown(form, end);
    return avout__edn_fail(reader, AVOUT_EEXISTS, form,
                           "%s %.*s%s is in the %s opened at line %zu, column %zu already",
                           frame->kind == FRAME_SET ? "element" : "key", shown, form,
                           form + shown < end ? "..." : "",
                           frame->kind == FRAME_SET ? "set" : "map", line, column);
}

/* #:space{...}: a key without namespace gets this one, _ takes its own away. */
static avout_status qualify_key(edn_reader *reader, avout_value *key, const char *space,
                                size_t space_length, const char *where)
{
    avout_type type = avout_value_type(*key);
    if (type != AVOUT_TYPE_KEYWORD && type != AVOUT_TYPE_SYMBOL) return AVOUT_OK;
    const char *own, *name;
    size_t own_length, name_length;
    avout_value_to_name(&own, &own_length, &name, &name_length, *key);
    if (own && !(own_length == 1 && own[0] == '_')) return AVOUT_OK;
    reader->scratch.length = 0;
    avout_status status = AVOUT_OK;
    if (!own) {
        status = avout__buffer_add(&reader->scratch, space, space_length);
        if (!status) status = avout__buffer_add_char(&reader->scratch, '/');
    }
    if (!status) status = avout__buffer_add(&reader->scratch, name, name_length);
    if (status) return avout__edn_fail(reader, status, where, "out of memory");
    avout_value qualified = type == AVOUT_TYPE_KEYWORD
                                ? avout_keyword_n(reader->scratch.data, reader->scratch.length)
                                : avout_symbol_n(reader->scratch.data, reader->scratch.length);
    if (avout_is_none(qualified)) return avout__edn_fail_made(reader, where);
    avout_release(*key);
    *key = qualified;
    return AVOUT_OK;
}

static avout_status qualify(edn_reader *reader, const edn_frame *frame)
{
    const char *space;
    size_t length;
    avout_value_to_text(&space, &length, reader->values[frame->base - 1]);
    for (size_t i = frame->base; i < reader->count; i += 2) {
        avout_status status = qualify_key(reader, &reader->values[i], space, length, frame->open);
        if (status) return status;
    }
    return AVOUT_OK;
}

static avout_status close_map(edn_reader *reader, avout_value *made)
{
    edn_frame *frame = reader->frame;
    size_t count = reader->count - frame->base, duplicate = SIZE_MAX;
    if (count % 2) return fail_odd(reader, frame);
    if (frame->kind == FRAME_SPACE_MAP) {
        avout_status status = qualify(reader, frame);
        if (status) return status;
    }
    reader->count = frame->base;
    *made = avout__map_from_owned(reader->values + frame->base, count / 2, &duplicate);
    if (frame->kind == FRAME_SPACE_MAP) avout_release(reader->values[--reader->count]);
    if (avout_is_none(*made) && avout_none_status() == AVOUT_EEXISTS)
        return fail_duplicate(reader, frame, duplicate * 2);
    return AVOUT_OK;
}

static avout_status close_set(edn_reader *reader, avout_value *made)
{
    edn_frame *frame = reader->frame;
    size_t duplicate = SIZE_MAX;
    *made = avout__set_from_owned(reader->values + frame->base, reader->count - frame->base,
                                  &duplicate);
    reader->count = frame->base;
    if (avout_is_none(*made) && avout_none_status() == AVOUT_EEXISTS)
        return fail_duplicate(reader, frame, duplicate);
    return AVOUT_OK;
}

avout_status avout__edn_close(edn_reader *reader)
{
    edn_frame *frame = reader->frame;
    avout_value *items = reader->values + frame->base;
    size_t count = reader->count - frame->base;
    avout_value made = AVOUT_NONE;
    avout_status status = AVOUT_OK;
    char c = *reader->at;
    switch (frame->kind) {
    case FRAME_LIST:
        if (c != ')') return avout__edn_fail_close(reader);
        made = avout__list_from_owned(items, count);
        reader->count = frame->base;
        break;
    case FRAME_VECTOR:
        if (c != ']') return avout__edn_fail_close(reader);
        made = avout__vector_from_owned(items, count);
        reader->count = frame->base;
        break;
    case FRAME_MAP:
    case FRAME_SPACE_MAP:
        if (c != '}') return avout__edn_fail_close(reader);
        status = close_map(reader, &made);
        break;
    case FRAME_SET:
        if (c != '}') return avout__edn_fail_close(reader);
        status = close_set(reader, &made);
        break;
    default: return avout__edn_fail_close(reader);
    }
    if (status) return status;
    reader->frame--;
    reader->at++;
    return edn_push(reader, made, frame->open);
}

/* ---- prefixes ------------------------------------------------------------------------------- */

static int base64_digit(char c)
{
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* RFC 4648 with padding and nothing between; the bits left over must be zero, so that each run of
 * bytes has one text. */
static bool base64_decode(char *out, size_t *out_length, const char *text, size_t length)
{
    if (length % 4) return false;
    size_t padding = length && text[length - 1] == '=' ? 1 + (text[length - 2] == '=') : 0;
    uint32_t bits = 0;
    size_t n = 0;
    for (size_t i = 0; i < length; i++) {
        int digit = i >= length - padding ? 0 : base64_digit(text[i]);
        if (digit < 0) return false;
        bits = bits << 6 | (uint32_t)digit;
        if (i % 4 < 3) continue;
        out[n++] = (char)(bits >> 16);
        out[n++] = (char)(bits >> 8);
        out[n++] = (char)bits;
        bits = 0;
    }
    for (size_t i = n - padding; i < n; i++)
        if (out[i]) return false;
    *out_length = n - padding;
    return true;
}

/* #avout/bytes "base64". Consumes `form`. */
static avout_status make_bytes(edn_reader *reader, avout_value form, const char *where)
{
    if (avout_value_type(form) != AVOUT_TYPE_STRING) {
        avout_release(form);
        return avout__edn_fail(reader, AVOUT_ETYPE, where,
                               "#avout/bytes: expected a string of base64");
    }
    const char *text;
    size_t length, decoded;
    avout_value_to_text(&text, &length, form);
    reader->scratch.length = 0;
    avout_status status = avout__buffer_reserve(&reader->scratch, length);
    bool valid = !status && base64_decode(reader->scratch.data, &decoded, text, length);
    avout_release(form);
    if (status) return avout__edn_fail(reader, status, where, "out of memory");
    if (!valid)
        return avout__edn_fail(reader, AVOUT_ESYNTAX, where,
                               "#avout/bytes: the string is not base64 (RFC 4648)");
    return edn_push(reader, avout_bytes(reader->scratch.data, decoded), where);
}

static avout_status finish_tag(edn_reader *reader)
{
    edn_frame *frame = reader->frame--;
    avout_value symbol = reader->values[frame->base], form = reader->values[frame->base + 1];
    reader->count = frame->base;
    reader->elements_left++; /* the tag is no value of its own */
    const char *tag;
    size_t length;
    avout_value_to_text(&tag, &length, symbol);
    avout_status status = strcmp(tag, "avout/bytes") == 0
                              ? make_bytes(reader, form, frame->open)
                              : edn_push(reader, avout__tagged_checked(tag, form), frame->open);
    avout_release(symbol);
    return status;
}

/* Values here carry no metadata: it is read, checked as clojure.edn does, and dropped. */
static avout_status finish_meta(edn_reader *reader)
{
    avout_value meta = reader->values[reader->count - 1];
    avout_type type = avout_value_type(meta);
    if (type != AVOUT_TYPE_SYMBOL && type != AVOUT_TYPE_STRING && type != AVOUT_TYPE_KEYWORD &&
        type != AVOUT_TYPE_MAP)
        return avout__edn_fail(reader, AVOUT_ESYNTAX, reader->frame->open,
                               "metadata is a %s: expected a symbol, keyword, string or map",
                               avout_type_name(type));
    avout_release(meta);
    reader->count--;
    reader->frame->kind = FRAME_TARGET;
    return AVOUT_OK;
}

static avout_status finish_target(edn_reader *reader)
{
    avout_type type = avout_value_type(reader->values[reader->count - 1]);
    switch (type) {
    case AVOUT_TYPE_SYMBOL:
    case AVOUT_TYPE_LIST:
    case AVOUT_TYPE_VECTOR:
    case AVOUT_TYPE_MAP:
    case AVOUT_TYPE_SET: reader->frame--; return AVOUT_OK;
    default:
        return avout__edn_fail(reader, AVOUT_ESYNTAX, reader->frame->open,
                               "metadata for a %s: expected a symbol or a collection",
                               avout_type_name(type));
    }
}

/* The namespace of #:space{ is there: its map must follow, with only white space between. */
static avout_status finish_space(edn_reader *reader)
{
    edn_frame *frame = reader->frame;
    avout_value symbol = reader->values[frame->base];
    const char *space = NULL, *name;
    size_t space_length, name_length;
    bool valid = avout_value_type(symbol) == AVOUT_TYPE_SYMBOL;
    if (valid) avout_value_to_name(&space, &space_length, &name, &name_length, symbol);
    if (!valid || space)
        return avout__edn_fail(reader, AVOUT_ESYNTAX, frame->open,
                               "expected a symbol without namespace behind '#:'");
    for (;;) {
        uint32_t code_point;
        size_t length = avout__edn_decode(reader->at, reader->end, &code_point);
        if (!length || !(edn_class(*reader->at) == BYTE_SPACE || avout__edn_is_space(code_point)))
            break;
        reader->at += length;
    }
    if (reader->at == reader->end || *reader->at != '{')
        return avout__edn_fail(reader, AVOUT_ESYNTAX, reader->at,
                               "expected '{' behind the namespace of a '#:' map");
    frame->kind = FRAME_SPACE_MAP;
    frame->base = reader->count;
    frame->body = ++reader->at;
    return AVOUT_OK;
}

static avout_status finish_symbolic(edn_reader *reader)
{
    const char *open = reader->frame->open, *name = "";
    avout_value symbol = reader->values[reader->count - 1];
    if (avout_value_type(symbol) == AVOUT_TYPE_SYMBOL) avout_value_to_text(&name, NULL, symbol);
    double number;
    if (strcmp(name, "Inf") == 0) number = __builtin_inf();
    else if (strcmp(name, "-Inf") == 0) number = -__builtin_inf();
    else if (strcmp(name, "NaN") == 0) number = __builtin_nan("");
    else
        return avout__edn_fail(reader, AVOUT_ESYNTAX, open,
                               "expected Inf, -Inf or NaN behind '##'");
    avout_release(symbol);
    reader->count--;
    reader->frame--;
    reader->elements_left++;
    return edn_push(reader, avout_float(number), open);
}

avout_status avout__edn_finish(edn_reader *reader, bool *complete)
{
    *complete = true;
    switch (reader->frame->kind) {
    case FRAME_DISCARD:
        *complete = false;
        avout_release(reader->values[--reader->count]);
        reader->frame--;
        return AVOUT_OK;
    case FRAME_TAG: return finish_tag(reader);
    case FRAME_META: *complete = false; return finish_meta(reader);
    case FRAME_TARGET: return finish_target(reader);
    case FRAME_SPACE: *complete = false; return finish_space(reader);
    case FRAME_SYMBOLIC: return finish_symbolic(reader);
    default: return AVOUT_OK;
    }
}
