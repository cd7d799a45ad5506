/* What a byte of EDN text can be, and how runs of bytes are looked through eight at a time.
 *
 * The classes follow clojure.edn 1.11: what ends a token, what may not be in one, and which code
 * points are white space are Java's (Character.isWhitespace, Character.isDigit). */
#ifndef AVOUT_EDN_SCAN_H
#define AVOUT_EDN_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Classes up to BYTE_HASH go on a token, those behind it end it or need a closer look. */
enum {
    BYTE_NAME,
    BYTE_DIGIT,
    BYTE_SIGN,
    BYTE_COLON,
    BYTE_HASH, /* inside a name only: a number ends before it */
    BYTE_SPACE,
    BYTE_QUOTE,
    BYTE_OPEN,
    BYTE_CLOSE,
    BYTE_BACKSLASH,
    BYTE_CARET,
    BYTE_SEMICOLON,
    BYTE_BAD, /* @ ` ~ */
    BYTE_HIGH /* part of a code point beyond ASCII */
};
extern const unsigned char avout__edn_class[256];

static inline unsigned edn_class(char c)
{
    return avout__edn_class[(unsigned char)c];
}

/* The length of the well-formed UTF-8 sequence at `at` (Unicode 15, table 3-7); 0 if it is none. */
size_t avout__edn_decode(const char *at, const char *end, uint32_t *code_point);
size_t avout__edn_encode(char out[4], uint32_t code_point);
/* Beyond ASCII only. */
bool avout__edn_is_space(uint32_t code_point);
bool avout__edn_is_digit(uint32_t code_point);

/* ---- eight bytes at a time: bit 7 of each byte of the result answers for that byte ----------- */

#define EDN_ONES UINT64_C(0x0101010101010101)
#define EDN_HIGHS UINT64_C(0x8080808080808080)

/* The first byte in text is the lowest. */
static inline uint64_t edn_load(const char *from)
{
    uint64_t word;
    memcpy(&word, from, sizeof word);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap64(word);
#endif
    return word;
}

/* Bytes that are `c`. A borrow may mark bytes behind the first that is: only the lowest mark is to
 * be trusted, and whether there is one. */
static inline uint64_t edn_equal_to(uint64_t word, unsigned char c)
{
    uint64_t differing = word ^ (EDN_ONES * c);
    return (differing - EDN_ONES) & ~differing & EDN_HIGHS;
}

/* Bytes below `c` (at most 0x80), by the same rule. */
static inline uint64_t edn_below(uint64_t word, unsigned char c)
{
    return (word - EDN_ONES * c) & ~word & EDN_HIGHS;
}

/* Which byte the lowest mark is in. */
static inline unsigned edn_first(uint64_t marks)
{
    return (unsigned)__builtin_ctzll(marks) >> 3;
}

#endif
