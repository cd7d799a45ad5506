#include "value/describe.h"

#include <stdio.h>
#include <string.h>

#include "value/decimal.h"
#include "value/integer.h"
#include "value/name.h"
#include "value/number.h"
#include "value/tagged.h"
#include "value/text.h"

#include "base/banned.h"

/* How much of a scalar is shown, in bytes; numbers of more bits are not turned into digits. */
enum { SHOWN = 40, BITS = 256 };

typedef avout__description description;

/* How much of the text fits, up to the last whole code point. */
static size_t cut(const char *text, size_t length, size_t most)
{
    if (length <= most) return length;
    while (most && ((unsigned char)text[most] & 0xc0) == 0x80) most--;
    return most;
}

static description scalar(const char *before, const char *text, size_t length, avout_type type)
{
    description d;
    size_t shown = cut(text, length, SHOWN);
    snprintf(d.text, sizeof d.text, "%s%.*s%s (%s)", before, (int)shown, text,
             shown < length ? "..." : "", avout_type_name(type));
    return d;
}

/* Quoted as EDN does, but for control characters, which would act on the terminal. */
static description string(const char *before, const avout__string *value, avout_type type)
{
    char text[2 * SHOWN];
    size_t length = 0, left = cut(value->text, value->length, SHOWN);
    const char *at = value->text, *end = at + left;
    for (; at < end && length < SHOWN; at++) {
        if (*at == '"' || *at == '\\') text[length++] = '\\';
        text[length++] = (unsigned char)*at < ' ' || *at == 0x7f ? '?' : *at;
    }
    bool whole = at == value->text + value->length;
    /* What the escapes have left no room for may have ended inside a code point. */
    while (!whole && at < end && ((unsigned char)*at & 0xc0) == 0x80) at--, length--;
    description d;
    snprintf(d.text, sizeof d.text, "%s\"%.*s%s\" (%s)", before, (int)length, text,
             whole ? "" : "...", avout_type_name(type));
    return d;
}

static size_t bits_of(avout_value number)
{
    switch (avout_value_type(number)) {
    case AVOUT_TYPE_INT:
    case AVOUT_TYPE_BIGINT: return avout__integer_bits(number);
    case AVOUT_TYPE_RATIO:
        return avout__integer_bits(avout__ratio_of(number)->numerator) +
               avout__integer_bits(avout__ratio_of(number)->denominator);
    case AVOUT_TYPE_DECIMAL: return avout__integer_bits(avout__scaled_of(number).unscaled);
    default: return 0;
    }
}

static description number(avout_value value, avout_type type)
{
    description d;
    char digits[256];
    size_t length, bits = bits_of(value);
    if (bits <= BITS && !avout_value_to_digits(digits, sizeof digits, &length, value))
        return scalar("", digits, length < sizeof digits ? length : sizeof digits - 1, type);
    snprintf(d.text, sizeof d.text, "a %s of %zu bits", avout_type_name(type), bits);
    return d;
}

static description tagged(avout_value value)
{
    description d;
    const char *tag = "";
    char before[SHOWN];
    avout_value form = AVOUT_NONE;
    avout_value_to_tagged(&tag, &form, value);
    size_t length = strlen(tag), shown = cut(tag, length, SHOWN / 2);
    snprintf(before, sizeof before, "#%.*s%s", (int)shown, tag, shown < length ? "..." : "");
    if (avout_value_type(form) == AVOUT_TYPE_STRING) {
        size_t used = strlen(before);
        snprintf(before + used, sizeof before - used, " ");
        return string(before, avout__string_of(form), AVOUT_TYPE_TAGGED);
    }
    snprintf(d.text, sizeof d.text, "%s (tagged %s)", before,
             avout_type_name(avout_value_type(form)));
    return d;
}

avout__description avout__describe(avout_value value)
{
    description d;
    size_t count = 0;
    uint32_t point = 0;
    avout_type type = avout_value_type(value);
    switch (type) {
    case AVOUT_TYPE_BOOL:
        return avout_value_truthy(value) ? scalar("", "true", 4, type)
                                         : scalar("", "false", 5, type);
    case AVOUT_TYPE_INT:
    case AVOUT_TYPE_BIGINT:
    case AVOUT_TYPE_RATIO:
    case AVOUT_TYPE_FLOAT:
    case AVOUT_TYPE_DECIMAL: return number(value, type);
    case AVOUT_TYPE_STRING: return string("", avout__string_of(value), type);
    case AVOUT_TYPE_SYMBOL:
    case AVOUT_TYPE_KEYWORD:
        return scalar(type == AVOUT_TYPE_KEYWORD ? ":" : "", avout__name_of(value)->text,
                      avout__name_of(value)->length, type);
    case AVOUT_TYPE_CHAR:
        avout_value_to_char(&point, value);
        if (point > ' ' && point < 0x7f)
            snprintf(d.text, sizeof d.text, "\\%c (char)", (char)point);
        else snprintf(d.text, sizeof d.text, "U+%04X (char)", (unsigned)point);
        return d;
    case AVOUT_TYPE_LIST:
    case AVOUT_TYPE_VECTOR:
    case AVOUT_TYPE_MAP:
    case AVOUT_TYPE_SET:
        avout_value_count(&count, value);
        snprintf(d.text, sizeof d.text, "a %s of %zu", avout_type_name(type), count);
        return d;
    case AVOUT_TYPE_BYTES:
        avout_value_count(&count, value);
        snprintf(d.text, sizeof d.text, "%zu bytes", count);
        return d;
    case AVOUT_TYPE_TAGGED: return tagged(value);
    default: /* nil, none, a box */
        snprintf(d.text, sizeof d.text, "%s%s", type == AVOUT_TYPE_BOX ? "a " : "",
                 avout_type_name(type));
        return d;
    }
}
