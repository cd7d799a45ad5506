/* From one kind of number to another, and from text to numbers. */
#include "lang/core.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/banned.h"

enum { MOST_DIGITS = 1000000 };

bool avout__lang_integer(lang_run *run, const char *name, int64_t *number, avout_value value)
{
    avout_type type = avout_value_type(value);
    if (type != AVOUT_TYPE_INT && type != AVOUT_TYPE_BIGINT)
        return avout__lang_wrong(run, name, "an integer", value).bits;
    avout_status status = avout_value_to_int(number, value);
    if (status) avout__lang_failed(run, status);
    return !status;
}

bool avout__lang_is_number(lang_run *run, const char *name, avout_value value)
{
    return avout_value_is_number(value) || avout__lang_wrong(run, name, "a number", value).bits;
}

/* ---- digits ------------------------------------------------------------------------------------------------- */

/* The text of a number, without N or M; NULL: no memory. */
static char *text_of(avout_value value)
{
    size_t length = 0;
    if (avout_value_to_digits(NULL, 0, &length, value)) return NULL;
    char *text = avout__alloc(length + 1);
    if (!text || avout_value_to_digits(text, length + 1, &length, value)) {
        avout__free(text);
        return NULL;
    }
    if (length && (text[length - 1] == 'N' || text[length - 1] == 'M')) text[length - 1] = '\0';
    return text;
}

bool avout__lang_digits(lang_run *run, lang_digits *out, avout_value value)
{
    char *text = text_of(value);
    if (!text) return avout__lang_failed(run, AVOUT_ENOMEM).bits;
    *out = (lang_digits){.negative = *text == '-', .text = text};
    bool fraction = false;
    size_t at = *text == '-' || *text == '+';
    for (; text[at] == '.' || (text[at] >= '0' && text[at] <= '9'); at++) {
        if (text[at] == '.') {
            fraction = true;
            continue;
        }
        out->point += !fraction;
        /* Zeros before the first digit only move the point. */
        if (text[at] == '0' && !out->count) out->point--;
        else text[out->count++] = text[at];
    }
    if (text[at] == 'e' || text[at] == 'E') out->point += strtoll(text + at + 1, NULL, 10);
    if (lang_step(run, out->count / 16 + 1)) return true;
    avout__free(text);
    return false;
}

/* ---- whole numbers ---------------------------------------------------------------------------------------- */

/* The digits before the point as a BIGINT. */
static avout_value before_point(lang_run *run, const lang_digits *d)
{
    size_t length = d->count && d->point > 0 ? (size_t)d->point : 0;
    if (length > MOST_DIGITS)
        return avout__lang_fail(run, AVOUT_ELIMIT, "a number of more than a million digits");
    char *digits = lang_step(run, length / 16 + 1) ? avout__alloc(length + 2) : NULL;
    if (!digits) return run->status ? AVOUT_NONE : avout__lang_failed(run, AVOUT_ENOMEM);
    digits[0] = d->negative ? '-' : '+';
    digits[1] = '0';
    for (size_t i = 0; i < length; i++) digits[i + 1] = i < d->count ? d->text[i] : '0';
    avout_value made = avout_bigint(digits, length ? length + 1 : 2, 10);
    avout__free(digits);
    return avout__lang_made(run, made);
}

static avout_value whole_part(lang_run *run, avout_value value)
{
    lang_digits d;
    if (!avout__lang_digits(run, &d, value)) return AVOUT_NONE;
    avout_value whole = before_point(run, &d);
    avout__free(d.text);
    return whole;
}

/* Towards zero: an INT or a BIGINT. */
static avout_value whole_of(lang_run *run, const char *name, avout_value value)
{
    double number;
    if (!avout__lang_is_number(run, name, value)) return AVOUT_NONE;
    switch (avout_value_type(value)) {
    case AVOUT_TYPE_FLOAT:
        avout_value_to_float(&number, value);
        if (!isfinite(number))
            return avout__lang_fail(run, AVOUT_ERANGE, "%s: %s is no integer", name,
                                    isnan(number) ? "##NaN"
                                    : number > 0  ? "##Inf"
                                                  : "##-Inf");
        return whole_part(run, value);
    case AVOUT_TYPE_DECIMAL: return whole_part(run, value);
    case AVOUT_TYPE_RATIO: {
        avout_value rounded = avout_share(value);
        return lang_done(run, avout_quot(&rounded, avout_int(1)), rounded);
    }
    default: return avout_share(value);
    }
}

/* Towards zero, as an INT; characters are their codes, ##NaN is 0. */
static avout_value to_integer(lang_run *run, const char *name, avout_value value)
{
    uint32_t c;
    double number;
    int64_t whole;
    if (!avout_value_to_char(&c, value)) return avout_int(c);
    if (avout_value_type(value) == AVOUT_TYPE_FLOAT && !avout_value_to_float(&number, value) &&
        isnan(number))
        return avout_int(0);
    avout_value rounded = whole_of(run, name, value);
    if (!rounded.bits) return AVOUT_NONE;
    avout_status status = avout_value_to_int(&whole, rounded);
    avout_release(rounded);
    if (!status) return avout__lang_made(run, avout_int(whole));
    char text[60];
    avout__lang_glimpse(text, sizeof text, value);
    return avout__lang_fail(run, status, "%s: %s does not fit 64 bits", name, text);
}

CORE(to_long)
{
    return to_integer(run, "long", args[0]);
}

CORE(to_int)
{
    avout_value whole = to_integer(run, "int", args[0]);
    int64_t number;
    if (!whole.bits || avout_value_to_int(&number, whole)) return whole;
    if (number >= INT32_MIN && number <= INT32_MAX) return whole;
    avout_release(whole);
    return avout__lang_fail(run, AVOUT_ERANGE, "int: %lld does not fit 32 bits", (long long)number);
}

CORE(to_bigint)
{
    const char *text;
    size_t length;
    if (avout_value_type(args[0]) == AVOUT_TYPE_STRING &&
        !avout_value_to_text(&text, &length, args[0]))
        return lang_step_bytes(run, length) ? avout__lang_made(run, avout_bigint(text, length, 10))
                                            : AVOUT_NONE;
    avout_value whole = whole_of(run, "bigint", args[0]);
    if (!whole.bits || avout_value_type(whole) == AVOUT_TYPE_BIGINT) return whole;
    return lang_done(run, avout_add(&whole, avout_bigint("0", 1, 10)), whole);
}

/* ---- others ------------------------------------------------------------------------------------------------- */

CORE(to_double)
{
    double number;
    avout_status status = avout_value_to_float(&number, args[0]);
    if (status) return avout__lang_failed(run, status);
    return avout__lang_made(run, avout_float(number));
}

CORE(to_decimal)
{
    avout_value value = args[0], number;
    const char *text;
    size_t length;
    if (avout_value_type(value) == AVOUT_TYPE_STRING && !avout_value_to_text(&text, &length, value))
        return avout__lang_made(run, avout_decimal(text, length));
    if (!avout__lang_is_number(run, "bigdec", value)) return AVOUT_NONE;
    if (avout_value_type(value) == AVOUT_TYPE_RATIO) {
        number = avout_decimal("1", 1);
        return lang_done(run, avout_mul(&number, avout_share(value)), number);
    }
    char *digits = text_of(value);
    if (!digits) return avout__lang_failed(run, AVOUT_ENOMEM);
    number = avout_decimal(digits, strlen(digits));
    avout__free(digits);
    return avout__lang_made(run, number);
}

/* One side of a ratio's text. */
static avout_value ratio_part(lang_run *run, const char *name, avout_value value, bool above)
{
    if (avout_value_type(value) != AVOUT_TYPE_RATIO)
        return avout__lang_wrong(run, name, "a ratio", value);
    char *digits = text_of(value), *slash = digits ? strchr(digits, '/') : NULL;
    if (!slash) return avout__lang_failed(run, AVOUT_ENOMEM);
    avout_value part = above ? avout_bigint(digits, (size_t)(slash - digits), 10)
                             : avout_bigint(slash + 1, strlen(slash + 1), 10);
    avout__free(digits);
    int64_t small;
    if (!part.bits || avout_value_to_int(&small, part)) return avout__lang_made(run, part);
    avout_release(part);
    return avout__lang_made(run, avout_int(small));
}

CORE(numerator)
{
    return ratio_part(run, "numerator", args[0], true);
}

CORE(denominator)
{
    return ratio_part(run, "denominator", args[0], false);
}

/* 10 to the power of `zeros`, as a BIGINT. */
static avout_value power_of_ten(lang_run *run, int64_t zeros)
{
    lang_digits d = {.text = "1", .count = 1, .point = zeros + 1};
    return before_point(run, &d);
}

/* The digits of a number that has some behind the point, as a ratio. */
static avout_value ratio_of(lang_run *run, const lang_digits *d)
{
    avout_value below = power_of_ten(run, (int64_t)d->count - d->point);
    avout_value above = below.bits ? avout_bigint(d->text, d->count, 10) : AVOUT_NONE;
    avout_status status = below.bits && !above.bits ? avout_none_status() : AVOUT_OK;
    if (above.bits && d->negative) status = avout_negate(&above);
    if (!status && above.bits) return avout__lang_made(run, avout_ratio(above, below));
    avout_release(below);
    return lang_done(run, status, above);
}

/* What a floating-point number or a decimal says in digits, as a ratio or a big integer. */
CORE(rationalize)
{
    avout_type type = avout_value_type(args[0]);
    lang_digits d;
    double number;
    if (!avout__lang_is_number(run, "rationalize", args[0])) return AVOUT_NONE;
    if (type != AVOUT_TYPE_FLOAT && type != AVOUT_TYPE_DECIMAL) return lang_take(&args[0]);
    if (type == AVOUT_TYPE_FLOAT && !avout_value_to_float(&number, args[0]) && !isfinite(number))
        return avout__lang_wrong(run, "rationalize", "a finite number", args[0]);
    if (!avout__lang_digits(run, &d, args[0])) return AVOUT_NONE;
    bool whole = d.point >= (int64_t)d.count || !d.count;
    avout_value value = whole ? before_point(run, &d) : ratio_of(run, &d);
    avout__free(d.text);
    return value;
}

/* ---- from text ---------------------------------------------------------------------------------------------- */

/* As Java's Double.parseDouble reads it: white space around it, d or f behind it, NaN, Infinity. */
static avout_value parse_float(lang_run *run, const char *text, size_t length)
{
    char copy[400], *end = copy;
    while (length && (unsigned char)*text <= ' ') text++, length--;
    while (length && (unsigned char)text[length - 1] <= ' ') length--;
    size_t sign = length && (*text == '-' || *text == '+');
    if (!length || length >= sizeof copy || memchr(text, '\0', length)) return avout_nil();
    memcpy(copy, text, length);
    copy[length] = '\0';
    double number = NAN;
    if (!strcmp(copy + sign, "Infinity")) {
        number = *copy == '-' ? -INFINITY : INFINITY;
    } else if (strcmp(copy + sign, "NaN") != 0) {
        bool hex = !strncmp(copy + sign, "0x", 2) || !strncmp(copy + sign, "0X", 2);
        if (strcspn(copy, "iInN") != length || (hex && !strpbrk(copy, "pP"))) return avout_nil();
        number = strtod(copy, &end);
        if (end == copy) return avout_nil();
        if (*end && strchr("dDfF", *end)) end++;
        if (*end) return avout_nil();
    }
    return avout__lang_made(run, avout_float(number));
}

/* nil for what is no number of that type; only a string is asked. */
static avout_value parse(lang_run *run, const char *name, avout_value value, bool whole)
{
    const char *text;
    size_t length;
    if (!avout__lang_text_of(run, name, &text, &length, value)) return AVOUT_NONE;
    if (!whole) return parse_float(run, text, length);
    if (!length || length > 400) return avout_nil();
    size_t sign = *text == '-' || *text == '+';
    if (length == sign || strspn(text + sign, "0123456789") != length - sign) return avout_nil();
    int64_t number;
    avout_value big = avout_bigint(text, length, 10);
    avout_status status = big.bits ? avout_value_to_int(&number, big) : AVOUT_ERANGE;
    avout_release(big);
    return status ? avout_nil() : avout__lang_made(run, avout_int(number));
}

CORE(parse_long)
{
    return parse(run, "parse-long", args[0], true);
}

CORE(parse_double)
{
    return parse(run, "parse-double", args[0], false);
}

/* Java's, which throw. */
static avout_value parsed(lang_run *run, const char *name, avout_value value, bool whole)
{
    avout_value number = parse(run, name, value, whole);
    int64_t n;
    bool wide = number.bits && !strncmp(name, "Integer/", 8) && !avout_value_to_int(&n, number) &&
                (n < INT32_MIN || n > INT32_MAX);
    if (avout_value_type(number) != AVOUT_TYPE_NIL && !wide) return number;
    avout_release(number);
    char text[60];
    avout__lang_glimpse(text, sizeof text, value);
    return avout__lang_fail(run, AVOUT_EINVAL, "%s: %s is no such number", name, text);
}

CORE(long_parsed)
{
    return parsed(run, "Long/parseLong", args[0], true);
}

CORE(int_parsed)
{
    return parsed(run, "Integer/parseInt", args[0], true);
}

CORE(double_parsed)
{
    return parsed(run, "Double/parseDouble", args[0], false);
}

const lang_core avout__lang_conversions[] = {
    {"long", "x", "as an integer, rounded towards zero; of a character: its code", 1, 1, to_long,
     NULL},
    {"int", "x", "as long, of 32 bits", 1, 1, to_int, NULL},
    {"double", "n", "as a floating-point number", 1, 1, to_double, NULL},
    {"float", "n", "double", 1, 1, to_double, NULL},
    {"bigint", "n", "as a big integer, rounded towards zero; of a string: what it says", 1, 1,
     to_bigint, NULL},
    {"bigdec", "n", "as an exact decimal", 1, 1, to_decimal, NULL},
    {"rationalize", "n", "as a ratio or a big integer, from its digits", 1, 1, rationalize, NULL},
    {"numerator", "ratio", "what is above the line", 1, 1, numerator, NULL},
    {"denominator", "ratio", "what is below the line", 1, 1, denominator, NULL},
    {"parse-long", "s", "the integer a string is, or nil", 1, 1, parse_long, NULL},
    {"parse-double", "s", "the number a string is, or nil", 1, 1, parse_double, NULL},
    {"Long/parseLong", "s", "parse-long, but an error if it is none", 1, 1, long_parsed, NULL},
    {"Integer/parseInt", "s", "parse-long, but an error if it is none of 32 bits", 1, 1, int_parsed,
     NULL},
    {"Double/parseDouble", "s", "parse-double, but an error if it is none", 1, 1, double_parsed,
     NULL},
    LANG_END,
};
