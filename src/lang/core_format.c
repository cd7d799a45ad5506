/* format: Java's %s %d %x %f %e %c %b %% %n with flags, width, precision and %2$s. */
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "lang/core_text.h"
#include "base/banned.h"

enum { MOST_WIDTH = 10000, MOST_PRECISION = 1000, MOST_BEFORE_POINT = 100000 };

/* One %... of Java's formats: which argument, flags, width, precision, conversion. */
typedef struct directive {
    size_t argument; /* from 1; 0: the next one */
    char flags[8];
    int width, precision; /* -1: none */
    char conversion;
    bool capitals;
} directive;

static int number_at(const char **at, const char *end, int most)
{
    int number = 0;
    for (; *at < end && **at >= '0' && **at <= '9'; ++*at)
        if (number < most) number = number * 10 + **at - '0';
    return number < most ? number : most;
}

static bool parse_directive(directive *d, const char **at, const char *end)
{
    const char *p = *at, *start = p;
    size_t flags = 0;
    *d = (directive){.precision = -1};
    int argument = number_at(&p, end, MOST_WIDTH);
    if (p > start && p < end && *p == '$') d->argument = (size_t)argument, p++;
    else p = start;
    while (p < end && strchr("-+ 0,(#", *p) && *p && flags < sizeof d->flags - 1)
        d->flags[flags++] = *p++;
    d->width = number_at(&p, end, MOST_WIDTH);
    if (p < end && *p == '.') {
        p++;
        d->precision = number_at(&p, end, MOST_PRECISION);
    }
    if (p == end) return false;
    d->conversion = *p++;
    *at = p;
    d->capitals = d->conversion && strchr("SXEGBC", d->conversion);
    if (d->capitals) d->conversion = (char)(d->conversion + ('a' - 'A'));
    return d->conversion && strchr("sdxofegcbn%", d->conversion);
}

static bool has(const directive *d, char flag)
{
    return strchr(d->flags, flag) != NULL;
}

static bool add(lang_run *run, avout__buffer *out, const char *text, size_t length)
{
    return !length || avout__lang_text_add(run, out, text, length);
}

static bool add_times(lang_run *run, avout__buffer *out, char c, int64_t times)
{
    bool fine = true;
    for (; times > 0 && fine; times--) fine = add(run, out, &c, 1);
    return fine;
}

/* ---- numbers ------------------------------------------------------------------------------------------------ */

/* A number's text with its sign and what fills the width. `digits` has no sign. */
static bool add_signed(lang_run *run, avout__buffer *out, const directive *d, bool negative,
                       const char *digits, size_t length)
{
    bool round = negative && has(d, '('), zeros = has(d, '0') && !has(d, '-');
    const char *sign = round ? "(" : negative ? "-" : has(d, '+') ? "+" : has(d, ' ') ? " " : "";
    int64_t fill = d->width - (int64_t)(strlen(sign) + length + round);
    bool fine = add_times(run, out, ' ', has(d, '-') || zeros ? 0 : fill) &&
                add(run, out, sign, strlen(sign)) && add_times(run, out, '0', zeros ? fill : 0) &&
                add(run, out, digits, length) && add(run, out, ")", round);
    return fine && add_times(run, out, ' ', has(d, '-') ? fill : 0);
}

/* The digits before the point, in threes if it is asked for. */
static bool add_whole(lang_run *run, avout__buffer *out, const directive *d, const char *digits,
                      size_t length)
{
    bool fine = true;
    for (size_t i = 0; i < length && fine; i++) {
        size_t left = length - i;
        if (i && has(d, ',') && left % 3 == 0) fine = add(run, out, ",", 1);
        fine = fine && add(run, out, digits + i, 1);
    }
    return fine;
}

static bool format_integer(lang_run *run, avout__buffer *out, const directive *d, avout_value value)
{
    char text[32];
    int64_t number;
    avout__buffer whole = AVOUT__BUFFER_INIT;
    if (!avout__lang_integer(run, "format", &number, value)) return false;
    uint64_t size = number < 0 ? -(uint64_t)number : (uint64_t)number, bits = (uint64_t)number;
    const char *prefix = has(d, '#') ? (d->conversion == 'o' ? "0" : "0x") : "";
    if (d->conversion == 'x')
        snprintf(text, sizeof text, d->capitals ? "%s%llX" : "%s%llx", prefix,
                 (unsigned long long)bits);
    else if (d->conversion == 'o')
        snprintf(text, sizeof text, "%s%llo", prefix, (unsigned long long)bits);
    else snprintf(text, sizeof text, "%llu", (unsigned long long)size);
    bool decimal = d->conversion == 'd', fine = true;
    if (!decimal) return add_signed(run, out, d, false, text, strlen(text));
    fine = add_whole(run, &whole, d, text, strlen(text)) &&
           add_signed(run, out, d, number < 0, whole.data, whole.length);
    avout__buffer_release(&whole);
    return fine;
}

/* The digits with only `kept` of them left (may be negative: none), rounded half up as Java does, who rounds what is
 * shown of a number and not what it is. */
static void round_at(lang_digits *n, int64_t kept)
{
    if (kept >= (int64_t)n->count) return;
    bool up = kept >= 0 && n->text[kept] >= '5';
    n->count = kept > 0 ? (size_t)kept : 0;
    for (size_t i = n->count; up && i-- > 0;) {
        up = n->text[i] == '9';
        n->text[i] = up ? '0' : (char)(n->text[i] + 1);
    }
    if (!up) return;
    /* 9.99 is 10.0 now; there is room for it, as a digit at least has gone. */
    memmove(n->text + 1, n->text, n->count);
    n->text[0] = '1';
    n->count++;
    n->point++;
}

static char digit_at(const lang_digits *n, int64_t place)
{
    return place >= 0 && place < (int64_t)n->count ? n->text[place] : '0';
}

/* ddd.ddd */
static bool add_fixed(lang_run *run, avout__buffer *out, const directive *d, lang_digits *n,
                      int precision)
{
    if (n->count) round_at(n, n->point + precision);
    if (n->point > MOST_BEFORE_POINT)
        return avout__lang_fail(run, AVOUT_ELIMIT, "format: a number of %lld digits",
                                (long long)n->point)
            .bits;
    avout__buffer whole = AVOUT__BUFFER_INIT;
    bool fine = true;
    for (int64_t i = 0; i < n->point && n->count && fine; i++)
        fine = add(run, &whole, &(char){digit_at(n, i)}, 1);
    if (fine && !whole.length) fine = add(run, &whole, "0", 1);
    fine = fine && add_whole(run, out, d, whole.data, whole.length);
    avout__buffer_release(&whole);
    if (fine && (precision || has(d, '#'))) fine = add(run, out, ".", 1);
    for (int64_t i = 0; i < precision && fine; i++)
        fine = add(run, out, &(char){n->count ? digit_at(n, n->point + i) : '0'}, 1);
    return fine;
}

/* d.ddde+dd */
static bool add_scientific(lang_run *run, avout__buffer *out, const directive *d, lang_digits *n,
                           int precision)
{
    char exponent[32];
    if (n->count) round_at(n, (int64_t)precision + 1);
    int64_t power = n->count ? n->point - 1 : 0;
    bool fine = add(run, out, &(char){digit_at(n, 0)}, 1);
    if (fine && (precision || has(d, '#'))) fine = add(run, out, ".", 1);
    for (int64_t i = 1; i <= precision && fine; i++)
        fine = add(run, out, &(char){digit_at(n, i)}, 1);
    snprintf(exponent, sizeof exponent, "%c%c%02lld", d->capitals ? 'E' : 'e',
             power < 0 ? '-' : '+', (long long)(power < 0 ? -power : power));
    return fine && add(run, out, exponent, strlen(exponent));
}

/* %g counts digits that mean something, and is scientific below 0.0001 and where they do not reach the point. */
static bool add_general(lang_run *run, avout__buffer *out, const directive *d, lang_digits *n,
                        int precision)
{
    int digits = precision ? precision : 1;
    if (!n->count) return add_fixed(run, out, d, n, digits - 1);
    round_at(n, digits);
    if (n->point < -3 || n->point > digits) return add_scientific(run, out, d, n, digits - 1);
    return add_fixed(run, out, d, n, (int)(digits - n->point));
}

static bool format_real(lang_run *run, avout__buffer *out, const directive *d, avout_value value)
{
    avout_type type = avout_value_type(value);
    double number = 0;
    lang_digits n;
    avout__buffer text = AVOUT__BUFFER_INIT;
    if (type != AVOUT_TYPE_FLOAT && type != AVOUT_TYPE_DECIMAL)
        return avout__lang_wrong(run, "format", "a floating-point number or decimal", value).bits;
    if (type == AVOUT_TYPE_FLOAT) avout_value_to_float(&number, value);
    if (!isfinite(number)) {
        directive plain = *d;
        for (char *flag = plain.flags; *flag; flag++) *flag = *flag == '0' ? ',' : *flag;
        const char *name = isnan(number) ? "NaN" : "Infinity";
        return add_signed(run, out, &plain, number < 0, name, strlen(name));
    }
    if (!avout__lang_digits(run, &n, value)) return false;
    int precision = d->precision < 0 ? 6 : d->precision;
    bool fine = d->conversion == 'f'   ? add_fixed(run, &text, d, &n, precision)
                : d->conversion == 'e' ? add_scientific(run, &text, d, &n, precision)
                                       : add_general(run, &text, d, &n, precision);
    fine = fine && add_signed(run, out, d, n.negative, text.data, text.length);
    avout__free(n.text);
    avout__buffer_release(&text);
    return fine;
}

/* ---- text --------------------------------------------------------------------------------------------------- */

static bool add_padded(lang_run *run, avout__buffer *out, const directive *d, const char *text,
                       size_t length)
{
    int64_t fill = d->width - avout__lang_text_points(text, length);
    return add_times(run, out, ' ', has(d, '-') ? 0 : fill) && add(run, out, text, length) &&
           add_times(run, out, ' ', has(d, '-') ? fill : 0);
}

/* What the value is as text, for %s, %b and %c. */
static bool text_of(lang_run *run, avout__buffer *text, const directive *d, avout_value value)
{
    avout_type type = avout_value_type(value);
    if (d->conversion == 'b') {
        const char *word = avout_value_truthy(value) ? "true" : "false";
        return add(run, text, word, strlen(word));
    }
    if (type == AVOUT_TYPE_NIL) return add(run, text, "null", 4);
    if (d->conversion == 'c' && type == AVOUT_TYPE_INT) {
        int64_t code;
        avout_value_to_int(&code, value);
        avout_value c = code < 0 || code > UINT32_MAX ? AVOUT_NONE : avout_char((uint32_t)code);
        if (c.bits) return avout__lang_text_str(run, text, c);
        type = AVOUT_TYPE_NIL;
    }
    if (d->conversion == 'c' && type != AVOUT_TYPE_CHAR)
        return avout__lang_wrong(run, "format", "a character", value).bits;
    return avout__lang_text_str(run, text, value);
}

static bool format_text(lang_run *run, avout__buffer *out, const directive *d, avout_value value)
{
    avout__buffer text = AVOUT__BUFFER_INIT;
    bool fine = text_of(run, &text, d, value);
    size_t length = text.length;
    if (fine && d->precision >= 0 && d->conversion != 'c') {
        size_t cut = avout__lang_text_offset(text.data ? text.data : "", length, d->precision);
        if (cut != SIZE_MAX) length = cut;
    }
    avout_value shown = AVOUT_NONE;
    const char *at = text.data ? text.data : "";
    if (fine && d->capitals) {
        avout_value plain = avout__lang_made(run, avout_string_n(at, length));
        shown = plain.bits ? avout__lang_core_call(run, "clojure.string/upper-case", 1, &plain)
                           : AVOUT_NONE;
        avout_release(plain);
        fine = shown.bits && !avout_value_to_text(&at, &length, shown);
    }
    fine = fine && add_padded(run, out, d, at, length);
    avout_release(shown);
    avout__buffer_release(&text);
    return fine;
}

/* ---- format ------------------------------------------------------------------------------------------------- */

static bool format_value(lang_run *run, avout__buffer *out, const directive *d, avout_value value)
{
    bool nil = avout_value_type(value) == AVOUT_TYPE_NIL;
    if (!nil && strchr("dxo", d->conversion)) return format_integer(run, out, d, value);
    if (!nil && strchr("feg", d->conversion)) return format_real(run, out, d, value);
    return format_text(run, out, d, value);
}

/* args[0] is the format, the others are what it shows. */
static bool format_directive(lang_run *run, avout__buffer *out, const char *percent,
                             const char *end, const char **at, size_t *next, size_t count,
                             avout_value *args)
{
    directive d;
    *at = percent + 1;
    if (!parse_directive(&d, at, end))
        return avout__lang_fail(run, AVOUT_EINVAL, "format: unknown directive %.*s",
                                (int)(end - percent > 8 ? 8 : end - percent), percent)
            .bits;
    if (d.conversion == '%') return add_padded(run, out, &d, "%", 1);
    if (d.conversion == 'n') return add(run, out, "\n", 1);
    size_t which = d.argument ? d.argument : (*next)++;
    if (which >= count)
        return avout__lang_fail(run, AVOUT_EINVAL, "format: an argument is missing for %.*s",
                                (int)(*at - percent > 12 ? 12 : *at - percent), percent)
            .bits;
    return format_value(run, out, &d, args[which]);
}

CORE(format)
{
    const char *text;
    size_t length, next = 1;
    avout__buffer out = AVOUT__BUFFER_INIT;
    if (!avout__lang_text_of(run, "format", &text, &length, args[0])) return AVOUT_NONE;
    const char *at = text, *end = text + length;
    bool fine = true;
    while (fine && at < end) {
        const char *percent = memchr(at, '%', (size_t)(end - at));
        const char *stop = percent ? percent : end;
        fine = add(run, &out, at, (size_t)(stop - at));
        at = stop;
        if (fine && percent)
            fine = format_directive(run, &out, percent, end, &at, &next, count, args);
    }
    return avout__lang_text_value(run, &out, fine);
}

const lang_core avout__lang_formats[] = {
    {"format", "fmt arg ...",
     "text with %s %d %x %o %f %e %g %c %b %% %n filled in, as Java's; %2$s is the second", 1,
     LANG_MANY, format, NULL},
    LANG_END,
};
