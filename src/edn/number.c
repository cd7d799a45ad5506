/* Numbers, by the three patterns of clojure.edn:
 *
 *     integer  [-+]? ( 0 | [1-9][0-9]* | 0[xX]hex+ | 0[0-7]+ | radix[rR][0-9A-Za-z]+ ) N?
 *     float    [-+]? [0-9]+ (.[0-9]*)? ([eE][-+]?[0-9]+)? M?
 *     ratio    [-+]? [0-9]+ / [0-9]+
 *
 * with its consequences: 010 is 8 but 010M is 10, 08 is nothing but 08.5 is, and an N behind radix
 * digits is a digit. The digits are Latin ones. */
#include "edn/reader.h"

#include <locale.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/banned.h"

typedef struct number_token {
    const char *at, *end; /* with its sign */
    const char *digits;   /* behind the sign */
    bool negative;
} number_token;

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Value of an ASCII digit in any base; 36 when it is none. */
static unsigned digit_of(char c)
{
    if (is_digit(c)) return (unsigned)(c - '0');
    char lower = (char)(c | 0x20);
    return lower >= 'a' && lower <= 'z' ? (unsigned)(lower - 'a' + 10) : 36;
}

static const char *skip_digits(const char *at, const char *end)
{
    while (at < end && is_digit(*at)) at++;
    return at;
}

static avout_status fail_number(edn_reader *reader, const number_token *token)
{
    int shown = avout__edn_shown(token->at, token->end);
    return avout__edn_fail(reader, AVOUT_ESYNTAX, token->at,
                           "'%.*s%s' is no number: expected an integer, a ratio or a decimal",
                           shown, token->at, token->at + shown < token->end ? "..." : "");
}

static avout_status check_digits(edn_reader *reader, const number_token *token, size_t digits)
{
    if (digits <= reader->max_digits) return AVOUT_OK;
    return avout__edn_fail(reader, AVOUT_ELIMIT, token->at,
                           "number of %zu digits: the limit is %zu", digits, reader->max_digits);
}

/* ---- integers ------------------------------------------------------------------------------- */

/* `big`: N was there. All of [digits, end) are digits in `base`. */
static avout_value make_integer(const char *digits, const char *end, unsigned base, bool negative,
                                bool big)
{
    uint64_t magnitude = 0;
    bool fits = !big;
    for (const char *at = digits; fits && at < end; at++)
        fits = !__builtin_mul_overflow(magnitude, (uint64_t)base, &magnitude) &&
               !__builtin_add_overflow(magnitude, (uint64_t)digit_of(*at), &magnitude);
    if (fits && magnitude <= (uint64_t)INT64_MAX + negative)
        return avout_int((int64_t)(negative ? 0 - magnitude : magnitude));
    avout_value value = avout_bigint(digits, (size_t)(end - digits), (int)base);
    if (negative && !avout_is_none(value) && avout_negate(&value)) {
        avout_release(value);
        return AVOUT_NONE;
    }
    return value;
}

static avout_status push_integer(edn_reader *reader, const number_token *token, const char *digits,
                                 const char *end, unsigned base, bool big)
{
    avout_status status = check_digits(reader, token, (size_t)(end - digits));
    if (status) return status;
    reader->at = token->end;
    return edn_push(reader, make_integer(digits, end, base, token->negative, big), token->at);
}

/* 16rff and the like; `mark` is the r. */
static avout_status push_radix(edn_reader *reader, const number_token *token, const char *mark)
{
    unsigned base = 0;
    for (const char *at = token->digits; at < mark; at++) base = base * 10 + digit_of(*at);
    if (base < 2 || base > 36)
        return avout__edn_fail(reader, AVOUT_ESYNTAX, token->at,
                               "radix %u: expected one from 2 to 36", base);
    for (const char *at = mark + 1; at < token->end; at++) {
        if (digit_of(*at) == 36) return fail_number(reader, token);
        if (digit_of(*at) >= base)
            return avout__edn_fail(reader, AVOUT_ESYNTAX, at, "'%c' is no digit in radix %u", *at,
                                   base);
    }
    return push_integer(reader, token, mark + 1, token->end, base, false);
}

/* Tries the first pattern. *matched: it was one, and status is its outcome. */
static avout_status read_integer(edn_reader *reader, const number_token *token, bool *matched)
{
    const char *digits = token->digits, *end = token->end;
    *matched = true;
    bool big = end[-1] == 'N';
    const char *digits_end = end - big, *at = skip_digits(digits, end);
    if (at == digits_end) {
        if (digits[0] != '0' || at == digits + 1)
            return push_integer(reader, token, digits, at, 10, big);
        for (at = digits + 1; at < digits_end; at++)
            if (*at > '7')
                return avout__edn_fail(reader, AVOUT_ESYNTAX, at,
                                       "'%c' is no octal digit: a number that begins with 0 is "
                                       "octal",
                                       *at);
        return push_integer(reader, token, digits + 1, digits_end, 8, big);
    }
    if (at == digits + 1 && digits[0] == '0' && (*at | 0x20) == 'x' && at + 1 < digits_end) {
        const char *hex = at + 1;
        for (at = hex; at < digits_end && digit_of(*at) < 16; at++) continue;
        if (at == digits_end) return push_integer(reader, token, hex, at, 16, big);
    } else if (digits[0] != '0' && at <= digits + 2 && at < end && (*at | 0x20) == 'r' &&
               at + 1 < end) {
        return push_radix(reader, token, at);
    }
    *matched = false;
    return AVOUT_OK;
}

/* ---- floats and decimals -------------------------------------------------------------------- */

static locale_t c_locale;

static void make_c_locale(void)
{
    c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
}

/* strtod needs a NUL behind the text and must not listen to the program's locale. */
static avout_status slow_double(double *number, const char *text, size_t length)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, make_c_locale);
    if (!c_locale) return avout_fail(AVOUT_ENOMEM, "out of memory: the C locale");
    char few[64], *copy = length < sizeof few ? few : avout__alloc(length + 1);
    if (!copy) return AVOUT_ENOMEM;
    memcpy(copy, text, length);
    copy[length] = '\0';
    *number = strtod_l(copy, NULL, c_locale);
    if (copy != few) avout__free(copy);
    return AVOUT_OK;
}

/* The parts of a token that matched the second pattern. */
typedef struct float_parts {
    size_t digits;     /* of the mantissa, as written */
    uint64_t mantissa; /* of its first 19 digits */
    int64_t exponent;  /* of ten; saturated */
} float_parts;

/* Where both are exact as doubles one division or multiplication rounds once, as it must (Clinger,
 * "How to read floating point numbers accurately", 1990). */
static bool quick_double(double *number, const float_parts *parts)
{
    static const double powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                    1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                    1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    if (parts->digits > 19 || parts->mantissa > UINT64_C(1) << 53) return false;
    if (parts->exponent < -22 || parts->exponent > 22) return false;
    double mantissa = (double)parts->mantissa;
    *number = parts->exponent < 0 ? mantissa / powers[-parts->exponent]
                                  : mantissa * powers[parts->exponent];
    return true;
}

static const char *add_digits(float_parts *parts, const char *at, const char *end)
{
    for (; at < end && is_digit(*at); at++)
        if (++parts->digits <= 19) parts->mantissa = parts->mantissa * 10 + digit_of(*at);
    return at;
}

/* Answers where the pattern ends. */
static const char *match_float(float_parts *parts, const char *at, const char *end)
{
    at = add_digits(parts, at, end);
    if (at < end && *at == '.') {
        size_t before = parts->digits;
        at = add_digits(parts, at + 1, end);
        parts->exponent -= (int64_t)(parts->digits - before);
    }
    if (at == end || (*at | 0x20) != 'e') return at;
    const char *digits = at + 1;
    bool negative = digits < end && *digits == '-';
    if (digits < end && edn_class(*digits) == BYTE_SIGN) digits++;
    if (digits == end || !is_digit(*digits)) return at;
    int64_t exponent = 0;
    for (at = digits; at < end && is_digit(*at); at++)
        if (exponent < INT32_MAX) exponent = exponent * 10 + (*at - '0');
    parts->exponent += negative ? -exponent : exponent;
    return at;
}

static avout_status read_float(edn_reader *reader, const number_token *token, bool *matched)
{
    float_parts parts = {0, 0, 0};
    const char *at = match_float(&parts, token->digits, token->end);
    size_t length = (size_t)(at - token->at);
    bool decimal = at + 1 == token->end && *at == 'M';
    *matched = decimal || at == token->end;
    if (!*matched) return AVOUT_OK;
    avout_status status = check_digits(reader, token, parts.digits);
    if (status) return status;
    reader->at = token->end;
    if (decimal) return edn_push(reader, avout_decimal(token->at, length), token->at);
    double number = 0;
    if (quick_double(&number, &parts)) {
        if (token->negative) number = -number;
    } else if ((status = slow_double(&number, token->at, length))) {
        return avout__edn_fail(reader, status, token->at, "out of memory");
    }
    return edn_push(reader, avout_float(number), token->at);
}

/* ---- ratios --------------------------------------------------------------------------------- */

static avout_status read_ratio(edn_reader *reader, const number_token *token, bool *matched)
{
    const char *slash = skip_digits(token->digits, token->end), *below = slash + 1;
    *matched = slash < token->end && *slash == '/' && below < token->end &&
               skip_digits(below, token->end) == token->end;
    if (!*matched) return AVOUT_OK;
    avout_status status = check_digits(reader, token, (size_t)(slash - token->digits));
    if (!status) status = check_digits(reader, token, (size_t)(token->end - below));
    if (status) return status;
    reader->at = token->end;
    avout_value numerator = make_integer(token->digits, slash, 10, token->negative, false);
    if (avout_is_none(numerator)) return avout__edn_fail_made(reader, token->at);
    avout_value denominator = make_integer(below, token->end, 10, false, false);
    if (avout_is_none(denominator)) {
        avout_release(numerator);
        return avout__edn_fail_made(reader, token->at);
    }
    return edn_push(reader, avout_ratio(numerator, denominator), token->at);
}

/* ---- all ------------------------------------------------------------------------------------ */

/* A number ends at white space and before anything that begins another form; @ ` ~ and letters are
 * part of it, and make it none. */
static avout_status token_end(edn_reader *reader, const char **number_end)
{
    const char *at = reader->at;
    for (;;) {
        while (at < reader->end && edn_class(*at) < BYTE_HASH) at++;
        if (at == reader->end || edn_class(*at) < BYTE_BAD) break;
        uint32_t code_point;
        size_t length = avout__edn_decode(at, reader->end, &code_point);
        if (!length) return avout__edn_fail_utf8(reader, at);
        if (avout__edn_is_space(code_point)) break;
        at += length;
    }
    *number_end = at;
    return AVOUT_OK;
}

static avout_status read_any(edn_reader *reader)
{
    number_token token = {reader->at, NULL, reader->at, *reader->at == '-'};
    avout_status status = token_end(reader, &token.end);
    if (status) return status;
    if (edn_class(*token.at) == BYTE_SIGN) token.digits++;
    bool matched;
    status = read_integer(reader, &token, &matched);
    if (!matched) status = read_float(reader, &token, &matched);
    if (!matched) status = read_ratio(reader, &token, &matched);
    return matched ? status : fail_number(reader, &token);
}

avout_status avout__edn_read_number(edn_reader *reader)
{
    /* Nearly all numbers: a sign, up to 18 digits without a leading zero, and nothing else. */
    const char *first = reader->at, *at = first, *end = reader->end;
    bool negative = *at == '-';
    if (negative) at++;
    const char *digits = at;
    uint64_t number = 0;
    if (*at != '0')
        while (at < end && is_digit(*at) && at - digits < 19)
            number = number * 10 + (uint64_t)(*at++ - '0');
    size_t length = (size_t)(at - digits);
    bool ended = at == end || (edn_class(*at) >= BYTE_HASH && edn_class(*at) < BYTE_BAD);
    if (!ended || !length || length > 18 || length > reader->max_digits) return read_any(reader);
    reader->at = at;
    return edn_push(reader, avout_int(negative ? -(int64_t)number : (int64_t)number), first);
}
