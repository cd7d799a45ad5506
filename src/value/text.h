/* Strings and bytes: the characters lie in the object, behind its header. */
#ifndef AVOUT_VALUE_TEXT_H
#define AVOUT_VALUE_TEXT_H

#include "value/object.h"

typedef struct avout__string {
    avout__object object;
    size_t length; /* bytes, without the NUL behind them */
    size_t points; /* Unicode code points */
    char text[];
} avout__string;

/* Also the layout of BYTES, whose `points` is its length. */
typedef avout__string avout__byte_string;

static inline const avout__string *avout__string_of(avout_value value)
{
    return (const avout__string *)(const void *)avout__object_of(value, AVOUT_TYPE_STRING);
}

static inline const avout__byte_string *avout__bytes_of(avout_value value)
{
    return (const avout__byte_string *)(const void *)avout__object_of(value, AVOUT_TYPE_BYTES);
}

/* True when text[0..length) is UTF-8: shortest forms, no surrogates, at most U+10FFFF. Then *points
 * is the number of code points; else *bad is the offset of the first byte that does not fit. */
bool avout__utf8_check(const char *text, size_t length, size_t *points, size_t *bad);

/* AVOUT_EUTF8 with the byte and its offset; `what` begins the message. */
avout_status avout__fail_utf8(const char *what, const char *text, size_t bad);

/* A string of text that is known to be UTF-8 with that many code points. */
avout_value avout__string_checked(const char *text, size_t length, size_t points);

/* < 0, 0, > 0: Java's order of strings, which is by UTF-16 units. */
int avout__text_order(const char *left, size_t left_length, const char *right, size_t right_length);

extern const avout__type_hooks avout__string_hooks;
extern const avout__type_hooks avout__bytes_hooks;

#endif
