#include "native.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <avout/edn.h>

#include "common/instant.h"
#include "common/words.h"

/* MongoDB takes 100 levels, the document and whatever a query adds included. */
enum { LEVELS = 80, UUID_BYTES = 16, UUID_SIZE = 37 };

/* ---- writing ------------------------------------------------------------------------------------ */

typedef struct writer {
    avout_status status;
    bool exact, fits;
} writer;

typedef struct place { /* where the next one goes */
    bson_t *document;
    const char *key;
    int length, level;
} place;

static void append(writer *w, place at, avout_value value);

static void keep(writer *w, bool fits)
{
    w->fits = w->fits && fits;
}

static void append_text(writer *w, place at, const char *text, size_t length)
{
    keep(w, length <= INT32_MAX - 16 &&
                bson_append_utf8(at.document, at.key, at.length, text, (int)length));
}

static void append_edn(writer *w, place at, avout_value value)
{
    char *text = NULL;
    size_t length;
    w->exact = false;
    avout_status status = avout_edn_text(&text, &length, value);
    if (!status) append_text(w, at, text, length);
    /* A box: whoever wants the text of the whole is told. */
    else if (status == AVOUT_ENOPRINT) keep(w, bson_append_null(at.document, at.key, at.length));
    else w->status = status;
    avout_edn_free(text);
}

/* FLOAT, and what is a number for queries, but not exactly. */
static void append_double(writer *w, place at, avout_value value)
{
    double number;
    bool is_float = avout_value_type(value) == AVOUT_TYPE_FLOAT;
    if (!is_float || (!avout_value_to_float(&number, value) && number == 0 && signbit(number)))
        w->exact = false;
    if (avout_value_to_float(&number, value) || !isfinite(number)) append_edn(w, at, value);
    else keep(w, bson_append_double(at.document, at.key, at.length, number));
}

static void write_uuid(char text[UUID_SIZE], const uint8_t bytes[UUID_BYTES])
{
    char *to = text;
    for (int i = 0; i < UUID_BYTES; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10) *to++ = '-';
        to += snprintf(to, 3, "%02x", bytes[i]);
    }
}

/* -1: it is none, or not a small letter. */
static int digit(char c)
{
    static const char digits[] = "0123456789abcdef";
    const char *found = c ? strchr(digits, c) : NULL;
    return found ? (int)(found - digits) : -1;
}

/* Only in the form that it would be read back in. */
static bool read_uuid(uint8_t bytes[UUID_BYTES], const char *text)
{
    char again[UUID_SIZE];
    const char *whole = text;
    for (int i = 0; i < UUID_BYTES; i++) {
        if (*text == '-') text++;
        int high = digit(text[0]), low = high < 0 ? -1 : digit(text[1]);
        if (low < 0) return false;
        bytes[i] = (uint8_t)(high * 16 + low);
        text += 2;
    }
    write_uuid(again, bytes);
    return !strcmp(again, whole);
}

static void append_tagged(writer *w, place at, avout_value value)
{
    const char *tag, *text;
    avout_value form;
    char again[AVOUT__PLUGIN_INSTANT_SIZE];
    uint8_t uuid[UUID_BYTES];
    int64_t ms;
    if (avout_value_to_tagged(&tag, &form, value) || avout_value_to_text(&text, NULL, form))
        text = "";
    if (!strcmp(tag, "inst") && avout__plugin_instant_read(&ms, text)) {
        if (!avout__plugin_instant_write(again, ms) || strcmp(again, text)) w->exact = false;
        keep(w, bson_append_date_time(at.document, at.key, at.length, ms));
    } else if (!strcmp(tag, "uuid") && read_uuid(uuid, text)) {
        keep(w, bson_append_binary(at.document, at.key, at.length, BSON_SUBTYPE_UUID, uuid,
                                   sizeof uuid));
    } else {
        append_edn(w, at, value);
    }
}

static void append_bytes(writer *w, place at, avout_value value)
{
    const char *bytes;
    size_t length;
    (void)avout_value_to_text(&bytes, &length, value);
    keep(w, length <= INT32_MAX - 16 &&
                bson_append_binary(at.document, at.key, at.length, BSON_SUBTYPE_BINARY,
                                   (const uint8_t *)bytes, (uint32_t)length));
}

static void append_items(writer *w, place at, avout_value value)
{
    bson_t items;
    uint32_t index = 0;
    keep(w, bson_append_array_begin(at.document, at.key, at.length, &items));
    if (!w->fits) return;
    for (avout_iterator it = avout_value_iterate(value);
         w->fits && !w->status && avout_iterator_next(&it); index++) {
        char buffer[16];
        const char *key;
        size_t length = bson_uint32_to_string(index, &key, buffer, sizeof buffer);
        append(w, (place){&items, key, (int)length, at.level + 1}, it.item);
    }
    keep(w, bson_append_array_end(at.document, &items));
}

/* A field's name that every server takes and no query misunderstands. */
static bool is_plain(const char *key, size_t length)
{
    return length && length < 1 << 20 && *key != '$' && !memchr(key, '.', length) &&
           !memchr(key, '\0', length);
}

/* Whether its keys can be fields: all keywords, or all strings, and plain. */
static bool has_fields(bool *exact, avout_value map)
{
    avout_type type = AVOUT_TYPE_NONE;
    for (avout_iterator it = avout_value_iterate(map); avout_iterator_next(&it);) {
        const char *key;
        size_t length;
        avout_type found = avout_value_type(it.key);
        if (found != AVOUT_TYPE_KEYWORD && found != AVOUT_TYPE_STRING) return false;
        if (type != AVOUT_TYPE_NONE && type != found) return false;
        type = found;
        if (avout_value_to_text(&key, &length, it.key) || !is_plain(key, length)) return false;
        /* Some servers move it to the front. */
        if (length == 3 && !memcmp(key, "_id", 3)) *exact = false;
    }
    if (type == AVOUT_TYPE_STRING) *exact = false;
    return true;
}

static void append_fields(writer *w, place at, avout_value map)
{
    bson_t fields;
    keep(w, bson_append_document_begin(at.document, at.key, at.length, &fields));
    if (!w->fits) return;
    for (avout_iterator it = avout_value_iterate(map);
         w->fits && !w->status && avout_iterator_next(&it);) {
        const char *key;
        size_t length;
        (void)avout_value_to_text(&key, &length, it.key);
        append(w, (place){&fields, key, (int)length, at.level + 1}, it.item);
    }
    keep(w, bson_append_document_end(at.document, &fields));
}

static void append_pairs(writer *w, place at, avout_value map)
{
    bson_t pairs, pair;
    uint32_t index = 0;
    w->exact = false;
    keep(w, bson_append_array_begin(at.document, at.key, at.length, &pairs));
    if (!w->fits) return;
    for (avout_iterator it = avout_value_iterate(map);
         w->fits && !w->status && avout_iterator_next(&it); index++) {
        char buffer[16];
        const char *key;
        size_t length = bson_uint32_to_string(index, &key, buffer, sizeof buffer);
        keep(w, bson_append_document_begin(&pairs, key, (int)length, &pair));
        if (!w->fits) break;
        append(w, (place){&pair, "k", 1, at.level + 2}, it.key);
        append(w, (place){&pair, "v", 1, at.level + 2}, it.item);
        keep(w, bson_append_document_end(&pairs, &pair));
    }
    keep(w, bson_append_array_end(at.document, &pairs));
}

static void append_map(writer *w, place at, avout_value map)
{
    if (has_fields(&w->exact, map)) append_fields(w, at, map);
    else append_pairs(w, at, map);
}

static void append(writer *w, place at, avout_value value)
{
    bool truth;
    int64_t number;
    const char *text;
    size_t length;
    avout_type type = avout_value_type(value);
    if (!w->fits || w->status) return;
    switch (type) {
    case AVOUT_TYPE_NIL: keep(w, bson_append_null(at.document, at.key, at.length)); break;
    case AVOUT_TYPE_BOOL:
        (void)avout_value_to_bool(&truth, value);
        keep(w, bson_append_bool(at.document, at.key, at.length, truth));
        break;
    case AVOUT_TYPE_INT:
        (void)avout_value_to_int(&number, value);
        keep(w, bson_append_int64(at.document, at.key, at.length, number));
        break;
    case AVOUT_TYPE_BIGINT:
    case AVOUT_TYPE_RATIO:
    case AVOUT_TYPE_DECIMAL:
    case AVOUT_TYPE_FLOAT: append_double(w, at, value); break;
    case AVOUT_TYPE_KEYWORD:
    case AVOUT_TYPE_SYMBOL: w->exact = false; /* fall through */
    case AVOUT_TYPE_STRING:
        (void)avout_value_to_text(&text, &length, value);
        append_text(w, at, text, length);
        break;
    case AVOUT_TYPE_BYTES: append_bytes(w, at, value); break;
    case AVOUT_TYPE_TAGGED: append_tagged(w, at, value); break;
    case AVOUT_TYPE_LIST:
    case AVOUT_TYPE_SET: w->exact = false; /* fall through */
    case AVOUT_TYPE_VECTOR:
    case AVOUT_TYPE_MAP:
        if (at.level >= LEVELS) append_edn(w, at, value);
        else if (type == AVOUT_TYPE_MAP) append_map(w, at, value);
        else append_items(w, at, value);
        break;
    default: append_edn(w, at, value); break;
    }
}

avout_status avout__mongo_append(bson_t *document, const char *key, avout_value value, bool *exact,
                                 bool *fits)
{
    writer w = {AVOUT_OK, true, true};
    append(&w, (place){document, key, (int)strlen(key), 1}, value);
    *exact = w.exact;
    *fits = w.fits;
    return w.status;
}

/* ---- reading ------------------------------------------------------------------------------------ */

typedef struct items {
    avout_value *all;
    size_t count, capacity;
} items;

static avout_status read_one(avout_value *value, const bson_iter_t *from, int level);

static avout_status strange(const bson_iter_t *from)
{
    return avout_fail(AVOUT_EDATA, "BSON of type %d is none that this container writes",
                      (int)bson_iter_type(from));
}

/* Takes a value that was just made. */
static avout_status made(avout_value *value, avout_value one)
{
    if (avout_is_none(one)) {
        avout_status status = avout_none_status();
        return status == AVOUT_ENOMEM ? status
                                      : avout_fail(AVOUT_EDATA, "BSON that is no value of this "
                                                                "container");
    }
    *value = one;
    return AVOUT_OK;
}

static avout_status push(items *to, avout_value value)
{
    if (to->count == to->capacity) {
        size_t capacity = to->capacity ? to->capacity * 2 : 16;
        avout_value *all = realloc(to->all, capacity * sizeof *all);
        if (!all) {
            avout_release(value);
            return avout__plugin_no_memory();
        }
        to->all = all;
        to->capacity = capacity;
    }
    to->all[to->count++] = value;
    return AVOUT_OK;
}

static avout_status push_key(items *to, const bson_iter_t *at)
{
    avout_value key;
    avout_status status = made(&key, avout_keyword(bson_iter_key(at)));
    return status ? status : push(to, key);
}

static avout_status read_items(avout_value *value, const bson_iter_t *from, int level)
{
    bson_iter_t at;
    items found = {0};
    bool is_map = BSON_ITER_HOLDS_DOCUMENT(from);
    avout_status status = AVOUT_OK;
    if (level > LEVELS || !bson_iter_recurse(from, &at)) return strange(from);
    while (!status && bson_iter_next(&at)) {
        avout_value one;
        if (is_map) status = push_key(&found, &at);
        if (!status) status = read_one(&one, &at, level + 1);
        if (!status) status = push(&found, one);
    }
    if (!status) {
        status = made(value, is_map ? avout_map(found.count / 2, found.all)
                                    : avout_vector(found.count, found.all));
        found.count = 0; /* consumed */
    }
    for (size_t i = 0; i < found.count; i++) avout_release(found.all[i]);
    free(found.all);
    return status;
}

static avout_status read_binary(avout_value *value, const bson_iter_t *from)
{
    bson_subtype_t subtype;
    const uint8_t *bytes;
    uint32_t length;
    bson_iter_binary(from, &subtype, &length, &bytes);
    if (subtype == BSON_SUBTYPE_BINARY) return made(value, avout_bytes(bytes, length));
    if (subtype != BSON_SUBTYPE_UUID || length != UUID_BYTES) return strange(from);
    char text[UUID_SIZE];
    write_uuid(text, bytes);
    return made(value, avout_tagged("uuid", avout_string(text)));
}

static avout_status read_instant(avout_value *value, const bson_iter_t *from)
{
    char text[AVOUT__PLUGIN_INSTANT_SIZE];
    if (!avout__plugin_instant_write(text, bson_iter_date_time(from))) return strange(from);
    return made(value, avout_tagged("inst", avout_string(text)));
}

static avout_status read_one(avout_value *value, const bson_iter_t *from, int level)
{
    uint32_t length;
    const char *text;
    switch (bson_iter_type(from)) {
    case BSON_TYPE_NULL: return made(value, avout_nil());
    case BSON_TYPE_BOOL: return made(value, avout_bool(bson_iter_bool(from)));
    case BSON_TYPE_INT64: return made(value, avout_int(bson_iter_int64(from)));
    case BSON_TYPE_DOUBLE: return made(value, avout_float(bson_iter_double(from)));
    case BSON_TYPE_UTF8:
        text = bson_iter_utf8(from, &length);
        return made(value, avout_string_n(text, length));
    case BSON_TYPE_BINARY: return read_binary(value, from);
    case BSON_TYPE_DATE_TIME: return read_instant(value, from);
    case BSON_TYPE_ARRAY:
    case BSON_TYPE_DOCUMENT: return read_items(value, from, level);
    default: return strange(from);
    }
}

avout_status avout__mongo_read(avout_value *value, const bson_iter_t *from)
{
    return read_one(value, from, 1);
}
