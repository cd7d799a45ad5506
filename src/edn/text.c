/* Strings and characters. */
#include "edn/reader.h"

#include "value/text.h"
#include "base/banned.h"

/* ---- escapes -------------------------------------------------------------------------------- */

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    char lower = (char)(c | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/* Exactly four hexadecimal digits. */
static bool read_hex4(const char *at, const char *end, uint32_t *unit)
{
    if (end - at < 4) return false;
    *unit = 0;
    for (int i = 0; i < 4; i++) {
        int digit = hex_digit(at[i]);
        if (digit < 0) return false;
        *unit = *unit << 4 | (uint32_t)digit;
    }
    return true;
}

/* What may follow an octal escape that has fewer than three digits: what clojure.edn takes for the
 * end of a token. */
static bool ends_octal(const char *at, const char *end)
{
    uint32_t code_point;
    unsigned class = edn_class(*at);
    if (class == BYTE_HIGH)
        return avout__edn_decode(at, end, &code_point) && avout__edn_is_space(code_point);
    return class >= BYTE_HASH && class < BYTE_BAD;
}

/* One to three octal digits at *at, up to 0377. */
static avout_status read_octal(edn_reader *reader, const char **at, uint32_t *code_point)
{
    const char *digit = *at;
    uint32_t number = 0;
    for (int i = 0; i < 3 && digit < reader->end; i++, digit++) {
        if (i && ends_octal(digit, reader->end)) break;
        if (*digit < '0' || *digit > '7')
            return avout__edn_fail(reader, AVOUT_ESYNTAX, digit,
                                   "expected an octal digit in the escape");
        number = number * 8 + (uint32_t)(*digit - '0');
    }
    if (number > 0377)
        return avout__edn_fail(reader, AVOUT_ESYNTAX, *at,
                               "octal escape \\%o: expected one from \\0 to \\377", number);
    *at = digit;
    *code_point = number;
    return AVOUT_OK;
}

/* \uXXXX, or two of them that are one code point in UTF-16; *at is behind the first u. */
static avout_status read_unicode(edn_reader *reader, const char **at, uint32_t *code_point)
{
    uint32_t unit, low;
    if (!read_hex4(*at, reader->end, &unit))
        return avout__edn_fail(reader, AVOUT_ESYNTAX, *at,
                               "expected four hexadecimal digits behind \\u");
    const char *next = *at + 4;
    if (unit >= 0xd800 && unit <= 0xdfff) {
        bool pair = unit < 0xdc00 && reader->end - next >= 2 && next[0] == '\\' && next[1] == 'u' &&
                    read_hex4(next + 2, reader->end, &low) && low >= 0xdc00 && low <= 0xdfff;
        if (!pair)
            return avout__edn_fail(reader, AVOUT_ESYNTAX, *at,
                                   "\\u%04x is half of a surrogate pair: expected the other half "
                                   "with it",
                                   unit);
        unit = 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
        next += 6;
    }
    *at = next;
    *code_point = unit;
    return AVOUT_OK;
}

/* *at is behind a backslash. */
static avout_status read_escape(edn_reader *reader, const char **at, uint32_t *code_point)
{
    char c = *(*at)++;
    switch (c) {
    case 't': *code_point = '\t'; return AVOUT_OK;
    case 'r': *code_point = '\r'; return AVOUT_OK;
    case 'n': *code_point = '\n'; return AVOUT_OK;
    case 'b': *code_point = '\b'; return AVOUT_OK;
    case 'f': *code_point = '\f'; return AVOUT_OK;
    case '\\':
    case '"': *code_point = (unsigned char)c; return AVOUT_OK;
    case 'u': return read_unicode(reader, at, code_point);
    default: --*at;
    }
    if (c >= '0' && c <= '9') return read_octal(reader, at, code_point);
    return avout__edn_fail(reader, AVOUT_ESYNTAX, *at - 1,
                           "unknown escape: expected \\t \\r \\n \\b \\f \\\\ \\\" \\uXXXX or an "
                           "octal number");
}

/* ---- strings -------------------------------------------------------------------------------- */

static avout_status fail_open_string(edn_reader *reader, const char *open)
{
    size_t line, column;
    avout__edn_locate(reader->text, open, &line, &column);
    return avout__edn_fail(reader, AVOUT_ESYNTAX, reader->end,
                           "the text ends: expected '\"' to close the string opened at line %zu, "
                           "column %zu",
                           line, column);
}

/* Moves *from to the next quote or backslash; all before it is valid UTF-8. Adds to *tails how many
 * bytes of it do not begin a code point. */
static inline avout_status scan(edn_reader *reader, const char *open, const char **from,
                                size_t *tails)
{
    const char *at = *from, *end = reader->end;
    for (;;) {
        while (end - at >= 8) {
            uint64_t word = edn_load(at);
            uint64_t marks =
                edn_equal_to(word, '"') | edn_equal_to(word, '\\') | (word & EDN_HIGHS);
            if (marks) {
                at += edn_first(marks);
                break;
            }
            at += 8;
        }
        while (at < end && (unsigned char)*at < 0x80 && *at != '"' && *at != '\\') at++;
        if (at == end) return fail_open_string(reader, open);
        if ((unsigned char)*at < 0x80) break;
        uint32_t code_point;
        size_t length = avout__edn_decode(at, end, &code_point);
        if (!length) return avout__edn_fail_utf8(reader, at);
        at += length;
        *tails += length - 1;
    }
    *from = at;
    return AVOUT_OK;
}

/* The rest of a string from its first backslash on; what came before is [start, at). */
static avout_status read_escaped(edn_reader *reader, const char *start, const char *at,
                                 size_t tails)
{
    const char *open = reader->at;
    avout__buffer *scratch = &reader->scratch;
    scratch->length = 0;
    for (;;) {
        if (avout__buffer_add(scratch, start, (size_t)(at - start)))
            return avout__edn_fail(reader, AVOUT_ENOMEM, open, "out of memory");
        if (*at == '"') break;
        if (++at == reader->end) return fail_open_string(reader, open);
        uint32_t code_point;
        char encoded[4];
        avout_status status = read_escape(reader, &at, &code_point);
        if (status) return status;
        size_t length = avout__edn_encode(encoded, code_point);
        if (avout__buffer_add(scratch, encoded, length))
            return avout__edn_fail(reader, AVOUT_ENOMEM, open, "out of memory");
        tails += length - 1;
        start = at;
        status = scan(reader, open, &at, &tails);
        if (status) return status;
    }
    reader->at = at + 1;
    return edn_push(reader,
                    avout__string_checked(scratch->data, scratch->length, scratch->length - tails),
                    open);
}

avout_status avout__edn_read_string(edn_reader *reader)
{
    const char *open = reader->at, *start = open + 1, *at = start;
    size_t tails = 0;
    avout_status status = scan(reader, open, &at, &tails);
    if (status) return status;
    if (*at == '\\') return read_escaped(reader, start, at, tails);
    reader->at = at + 1;
    size_t length = (size_t)(at - start);
    return edn_push(reader, avout__string_checked(start, length, length - tails), open);
}

/* ---- characters ----------------------------------------------------------------------------- */

static bool named_char(const char *name, size_t length, uint32_t *code_point)
{
    static const struct {
        const char *name;
        uint32_t code_point;
    } names[] = {{"newline", '\n'}, {"space", ' '},     {"tab", '\t'},
                 {"return", '\r'},  {"formfeed", '\f'}, {"backspace", '\b'}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strlen(names[i].name) != length || memcmp(names[i].name, name, length) != 0) continue;
        *code_point = names[i].code_point;
        return true;
    }
    return false;
}

/* \uXXXX and \oNNN; `name` begins behind the backslash. */
static avout_status numbered_char(edn_reader *reader, const char *name, const char *end,
                                  uint32_t *code_point)
{
    if (*name == 'u') {
        if (end - name != 5 || !read_hex4(name + 1, end, code_point))
            return avout__edn_fail(reader, AVOUT_ESYNTAX, name - 1,
                                   "expected four hexadecimal digits behind \\u");
        if (*code_point >= 0xd800 && *code_point <= 0xdfff)
            return avout__edn_fail(reader, AVOUT_ESYNTAX, name - 1,
                                   "\\u%04x is half of a surrogate pair, not a character",
                                   *code_point);
        return AVOUT_OK;
    }
    if (end - name > 4)
        return avout__edn_fail(reader, AVOUT_ESYNTAX, name - 1,
                               "expected one to three octal digits behind \\o");
    const char *digits = name + 1;
    return read_octal(reader, &digits, code_point);
}

avout_status avout__edn_read_char(edn_reader *reader)
{
    const char *open = reader->at, *name = open + 1, *end;
    if (name == reader->end)
        return avout__edn_fail(reader, AVOUT_ESYNTAX, name,
                               "the text ends: expected a character behind '\\'");
    /* The first may be anything, a space or a delimiter too; only what follows is a token. */
    uint32_t code_point;
    size_t length = avout__edn_decode(name, reader->end, &code_point);
    if (!length) return avout__edn_fail_utf8(reader, name);
    avout_status status = avout__edn_name_end(reader, name + length, &end);
    if (status) return status;
    if (name + length != end && !named_char(name, (size_t)(end - name), &code_point)) {
        if (*name != 'u' && *name != 'o') {
            int shown = avout__edn_shown(name, end);
            return avout__edn_fail(reader, AVOUT_ESYNTAX, open,
                                   "'\\%.*s%s' is no character: expected one character, a name "
                                   "like newline, or uXXXX",
                                   shown, name, name + shown < end ? "..." : "");
        }
        status = numbered_char(reader, name, end, &code_point);
        if (status) return status;
    }
    reader->at = end;
    return edn_push(reader, avout_char(code_point), open);
}
