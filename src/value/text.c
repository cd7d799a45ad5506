/* Strings (UTF-8, checked when made, so that nobody has to check again) and bytes. */
#include "value/text.h"

#include <string.h>

#include "base/alloc.h"

#include "base/banned.h"

/* The length of the sequence that begins here, 0 when it is not one (Unicode 15, table 3-7). */
static size_t sequence_length(const unsigned char *at, size_t left)
{
    unsigned char first = at[0];
    if (first < 0x80) return 1;
    size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    if (first < 0xc2 || first > 0xf4 || length > left) return 0;
    unsigned char low = 0x80, high = 0xbf;
    if (first == 0xe0) low = 0xa0;  /* else a shorter form exists */
    if (first == 0xed) high = 0x9f; /* surrogates */
    if (first == 0xf0) low = 0x90;
    if (first == 0xf4) high = 0x8f; /* past U+10FFFF */
    if (at[1] < low || at[1] > high) return 0;
    for (size_t i = 2; i < length; i++)
        if ((at[i] & 0xc0) != 0x80) return 0;
    return length;
}

bool avout__utf8_check(const char *text, size_t length, size_t *points, size_t *bad)
{
    const unsigned char *bytes = (const unsigned char *)text;
    size_t count = 0, i = 0;
    while (i < length) {
        uint64_t eight;
        while (length - i >= sizeof eight) { /* most text is ASCII for long stretches */
            memcpy(&eight, bytes + i, sizeof eight);
            if (eight & 0x8080808080808080u) break;
            i += sizeof eight;
            count += sizeof eight;
        }
        if (i == length) break;
        size_t step = sequence_length(bytes + i, length - i);
        if (!step) {
            *bad = i;
            return false;
        }
        i += step;
        count++;
    }
    *points = count;
    return true;
}

avout_status avout__fail_utf8(const char *what, const char *text, size_t bad)
{
    return avout_fail(AVOUT_EUTF8, "%s: byte 0x%02x at offset %zu is not UTF-8", what,
                      (unsigned char)text[bad], bad);
}

static avout_value make(int type, const void *bytes, size_t length, size_t points)
{
    size_t size;
    avout__string *string = NULL;
    if (__builtin_add_overflow(sizeof *string + 1, length, &size))
        return avout__none(avout_fail(AVOUT_ENOMEM, "out of memory: %zu bytes", length));
    string = (avout__string *)(void *)avout__object_new(type, size);
    if (!string) return avout__none(AVOUT_ENOMEM);
    string->length = length;
    string->points = points;
    if (length) memcpy(string->text, bytes, length);
    string->text[length] = '\0';
    return avout__value_of(&string->object);
}

avout_value avout__string_checked(const char *text, size_t length, size_t points)
{
    return make(AVOUT_TYPE_STRING, text, length, points);
}

avout_value avout_string_n(const char *text, size_t length)
{
    size_t points, bad;
    if (!avout__utf8_check(text, length, &points, &bad))
        return avout__none(avout__fail_utf8("string", text, bad));
    return make(AVOUT_TYPE_STRING, text, length, points);
}

avout_value avout_string(const char *text)
{
    return avout_string_n(text, strlen(text));
}

avout_value avout_bytes(const void *bytes, size_t length)
{
    return make(AVOUT_TYPE_BYTES, bytes, length, length);
}

/* ---- hooks --------------------------------------------------------------------------------- */

static const avout__string *string_at(const avout__object *object)
{
    return (const avout__string *)(const void *)object;
}

static uint32_t text_hash(const avout__object *object)
{
    const avout__string *string = string_at(object);
    return avout__hash_bytes(string->text, string->length) + object->type;
}

static bool text_equal(const avout__object *a, const avout__object *b)
{
    const avout__string *left = string_at(a), *right = string_at(b);
    return left->length == right->length && !memcmp(left->text, right->text, left->length);
}

/* Java compares strings by UTF-16 units, where U+10000 and above (lead bytes from 0xf0) come as
 * surrogates and so before U+E000 to U+FFFF (lead bytes 0xee and 0xef). Bytes that large are always
 * lead bytes; everywhere else UTF-8 has the same order. */
static int utf16_order(unsigned char left, unsigned char right)
{
    if (left >= 0xee && right >= 0xee && (left >= 0xf0) != (right >= 0xf0))
        return left >= 0xf0 ? -1 : 1;
    return left < right ? -1 : 1;
}

int avout__text_order(const char *left, size_t left_length, const char *right, size_t right_length)
{
    size_t shorter = left_length < right_length ? left_length : right_length;
    for (size_t i = 0; i < shorter; i++)
        if (left[i] != right[i])
            return utf16_order((unsigned char)left[i], (unsigned char)right[i]);
    return (left_length > right_length) - (left_length < right_length);
}

static avout_status string_compare(int *order, const avout__object *a, const avout__object *b)
{
    const avout__string *left = string_at(a), *right = string_at(b);
    *order = avout__text_order(left->text, left->length, right->text, right->length);
    return AVOUT_OK;
}

const avout__type_hooks avout__string_hooks = {NULL, text_hash, text_equal, string_compare};
const avout__type_hooks avout__bytes_hooks = {NULL, text_hash, text_equal, NULL};
