/* format: Java's %s %d %x %f %e %c %b %% %n with flags, width and precision. */
#include <string.h>

#include "lang/core_text.h"
#include "base/banned.h"

/* One %... of Java's formats: flags, width, precision, conversion. */
typedef struct directive {
    char flags[8];
    int width, precision;
    char conversion;
} directive;

static bool parse_directive(directive *d, const char **at, const char *end)
{
    const char *p = *at;
    size_t flags = 0;
    *d = (directive){.width = 0, .precision = -1};
    while (p < end && strchr("-+ 0,(", *p) && *p && flags < sizeof d->flags - 1)
        d->flags[flags++] = *p++;
    while (p < end && *p >= '0' && *p <= '9' && d->width < 10000)
        d->width = d->width * 10 + *p++ - '0';
    if (p < end && *p == '.') {
        d->precision = 0;
        for (p++; p < end && *p >= '0' && *p <= '9' && d->precision < 1000; p++)
            d->precision = d->precision * 10 + *p - '0';
    }
    if (p == end) return false;
    d->conversion = *p++;
    *at = p;
    return strchr("sSdxXofegcbn%", d->conversion) && d->conversion;
}

static bool pad(lang_run *run, avout__buffer *out, const directive *d, const char *text,
                size_t length)
{
    int64_t shown = avout__lang_text_points(text, length);
    bool left = strchr(d->flags, '-') != NULL, zero = strchr(d->flags, '0') && !left;
    size_t sign = zero && length && (*text == '-' || *text == '+');
    bool fine = !sign || avout__lang_text_add(run, out, text, 1);
    for (int64_t i = shown; !left && i < d->width && fine; i++)
        fine = avout__lang_text_add(run, out, zero ? "0" : " ", 1);
    fine = fine && avout__lang_text_add(run, out, text + sign, length - sign);
    for (int64_t i = shown; left && i < d->width && fine; i++)
        fine = avout__lang_text_add(run, out, " ", 1);
    return fine;
}

/* 1234567 as 1,234,567. */
static void group(char *digits, size_t size)
{
    size_t sign = *digits == '-' || *digits == '+', length = strcspn(digits + sign, ".");
    for (size_t left = length; left > 3; left -= 3) {
        size_t at = sign + left - 3, rest = strlen(digits + at);
        if (at + rest + 2 > size) return;
        memmove(digits + at + 1, digits + at, rest + 1);
        digits[at] = ',';
    }
}

static bool format_number(lang_run *run, avout__buffer *out, const directive *d, avout_value value)
{
    char text[512];
    int64_t whole = 0;
    double number = 0;
    if (strchr("dxXo", d->conversion)) {
        if (!avout__lang_integer(run, "format", &whole, value)) return false;
        if (d->conversion == 'd') snprintf(text, sizeof text, "%lld", (long long)whole);
        else if (d->conversion == 'x')
            snprintf(text, sizeof text, "%llx", (unsigned long long)whole);
        else if (d->conversion == 'X')
            snprintf(text, sizeof text, "%llX", (unsigned long long)whole);
        else snprintf(text, sizeof text, "%llo", (unsigned long long)whole);
    } else {
        avout_type type = avout_value_type(value);
        if (type != AVOUT_TYPE_FLOAT && type != AVOUT_TYPE_DECIMAL)
            return avout__lang_wrong(run, "format", "a floating-point number or decimal", value)
                .bits;
        avout_value_to_float(&number, value);
        int precision = d->precision < 0 ? 6 : d->precision > 100 ? 100 : d->precision;
        if (d->conversion == 'e') snprintf(text, sizeof text, "%.*e", precision, number);
        else snprintf(text, sizeof text, "%.*f", precision, number);
    }
    if (strchr(d->flags, ',')) group(text, sizeof text);
    if (strchr(d->flags, '+') && *text != '-') {
        memmove(text + 1, text, strnlen(text, sizeof text - 2) + 1);
        *text = '+';
    }
    return pad(run, out, d, text, strlen(text));
}

static bool format_value(lang_run *run, avout__buffer *out, const directive *d, avout_value value)
{
    avout__buffer text = AVOUT__BUFFER_INIT;
    bool fine;
    if (strchr("dxXofeg", d->conversion)) return format_number(run, out, d, value);
    if (d->conversion == 'b') {
        const char *word = avout_value_truthy(value) ? "true" : "false";
        return pad(run, out, d, word, strlen(word));
    }
    if (d->conversion == 'c' && avout_value_type(value) != AVOUT_TYPE_CHAR)
        return avout__lang_wrong(run, "format", "a character", value).bits;
    if (avout_value_type(value) == AVOUT_TYPE_NIL)
        fine = avout__lang_text_add(run, &text, "null", 4);
    else fine = avout__lang_text_str(run, &text, value);
    size_t length = text.length;
    if (d->precision >= 0) {
        size_t cut = avout__lang_text_offset(text.data ? text.data : "", length, d->precision);
        if (cut != SIZE_MAX) length = cut;
    }
    fine = fine && pad(run, out, d, text.data ? text.data : "", length);
    avout__buffer_release(&text);
    return fine;
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
        directive d;
        const char *percent = memchr(at, '%', (size_t)(end - at));
        if (percent != at) {
            const char *stop = percent ? percent : end;
            fine = avout__lang_text_add(run, &out, at, (size_t)(stop - at));
            at = stop;
            continue;
        }
        at++;
        if (!parse_directive(&d, &at, end))
            fine = avout__lang_fail(run, AVOUT_EINVAL, "format: unknown directive %.*s",
                                    (int)(end - percent > 8 ? 8 : end - percent), percent)
                       .bits;
        else if (d.conversion == '%') fine = avout__lang_text_add(run, &out, "%", 1);
        else if (d.conversion == 'n') fine = avout__lang_text_add(run, &out, "\n", 1);
        else if (next == count)
            fine = avout__lang_fail(run, AVOUT_EINVAL, "format: an argument is missing for %%%c",
                                    d.conversion)
                       .bits;
        else fine = format_value(run, &out, &d, args[next++]);
    }
    return avout__lang_text_value(run, &out, fine);
}

const lang_core avout__lang_formats[] = {
    {"format", "fmt arg ...", "text with %s %d %x %f %e %c %b %% %n filled in, as Java's", 1,
     LANG_MANY, format, NULL},
    LANG_END,
};
