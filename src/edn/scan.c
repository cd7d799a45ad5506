#include "edn/scan.h"

#include "base/banned.h"

#define N BYTE_NAME
#define D BYTE_DIGIT
#define P BYTE_SIGN
#define K BYTE_COLON
#define H BYTE_HASH
#define S BYTE_SPACE
#define Q BYTE_QUOTE
#define O BYTE_OPEN
#define C BYTE_CLOSE
#define B BYTE_BACKSLASH
#define M BYTE_CARET
#define R BYTE_SEMICOLON
#define X BYTE_BAD
#define U BYTE_HIGH
/* clang-format off */
const unsigned char avout__edn_class[256] = {
    N, N, N, N, N, N, N, N, N, S, S, S, S, S, N, N, /* 00 */
    N, N, N, N, N, N, N, N, N, N, N, N, S, S, S, S, /* 10 */
    S, N, Q, H, N, N, N, N, O, C, N, P, S, P, N, N, /* 20 */
    D, D, D, D, D, D, D, D, D, D, K, R, N, N, N, N, /* 30 */
    X, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, /* 40 */
    N, N, N, N, N, N, N, N, N, N, N, O, B, C, M, N, /* 50 */
    X, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, /* 60 */
    N, N, N, N, N, N, N, N, N, N, N, O, N, C, X, N, /* 70 */
    U, U, U, U, U, U, U, U, U, U, U, U, U, U, U, U, /* 80 */
    U, U, U, U, U, U, U, U, U, U, U, U, U, U, U, U, /* 90 */
    U, U, U, U, U, U, U, U, U, U, U, U, U, U, U, U, /* a0 */
    U, U, U, U, U, U, U, U, U, U, U, U, U, U, U, U, /* b0 */
    U, U, U, U, U, U, U, U, U, U, U, U, U, U, U, U, /* c0 */
    U, U, U, U, U, U, U, U, U, U, U, U, U, U, U, U, /* d0 */
    U, U, U, U, U, U, U, U, U, U, U, U, U, U, U, U, /* e0 */
    U, U, U, U, U, U, U, U, U, U, U, U, U, U, U, U, /* f0 */
};
/* clang-format on */

static bool is_tail(unsigned char c)
{
    return (c & 0xc0) == 0x80;
}

size_t avout__edn_decode(const char *at, const char *end, uint32_t *code_point)
{
    const unsigned char *s = (const unsigned char *)at;
    size_t left = (size_t)(end - at);
    if (!left) return 0;
    if (s[0] < 0x80) {
        *code_point = s[0];
        return 1;
    }
    if (s[0] < 0xc2 || s[0] > 0xf4) return 0;
    if (s[0] < 0xe0) {
        if (left < 2 || !is_tail(s[1])) return 0;
        *code_point = (uint32_t)(s[0] & 0x1f) << 6 | (s[1] & 0x3f);
        return 2;
    }
    if (s[0] < 0xf0) {
        if (left < 3 || !is_tail(s[1]) || !is_tail(s[2])) return 0;
        uint32_t c = (uint32_t)(s[0] & 0x0f) << 12 | (uint32_t)(s[1] & 0x3f) << 6 | (s[2] & 0x3f);
        if (c < 0x800 || (c >= 0xd800 && c <= 0xdfff)) return 0;
        *code_point = c;
        return 3;
    }
    if (left < 4 || !is_tail(s[1]) || !is_tail(s[2]) || !is_tail(s[3])) return 0;
    uint32_t c = (uint32_t)(s[0] & 0x07) << 18 | (uint32_t)(s[1] & 0x3f) << 12 |
                 (uint32_t)(s[2] & 0x3f) << 6 | (s[3] & 0x3f);
    if (c < 0x10000 || c > 0x10ffff) return 0;
    *code_point = c;
    return 4;
}

size_t avout__edn_encode(char out[4], uint32_t c)
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (char)(0xc0 | c >> 6);
        out[1] = (char)(0x80 | (c & 0x3f));
        return 2;
    }
    if (c < 0x10000) {
        out[0] = (char)(0xe0 | c >> 12);
        out[1] = (char)(0x80 | (c >> 6 & 0x3f));
        out[2] = (char)(0x80 | (c & 0x3f));
        return 3;
    }
    out[0] = (char)(0xf0 | c >> 18);
    out[1] = (char)(0x80 | (c >> 12 & 0x3f));
    out[2] = (char)(0x80 | (c >> 6 & 0x3f));
    out[3] = (char)(0x80 | (c & 0x3f));
    return 4;
}

bool avout__edn_is_space(uint32_t c)
{
    return c == 0x1680 || (c >= 0x2000 && c <= 0x200a && c != 0x2007) || c == 0x2028 ||
           c == 0x2029 || c == 0x205f || c == 0x3000;
}

bool avout__edn_is_digit(uint32_t c)
{
    /* The zeros of the decimal digits outside ASCII that Java's char holds. */
    static const uint16_t zeros[] = {1632, 1776,  1984,  2406,  2534,  2662,  2790,  2918,  3046,
                                     3174, 3302,  3430,  3558,  3664,  3792,  3872,  4160,  4240,
                                     6112, 6160,  6470,  6608,  6784,  6800,  6992,  7088,  7232,
                                     7248, 42528, 43216, 43264, 43472, 43504, 43600, 44016, 65296};
    for (size_t i = 0; i < sizeof zeros / sizeof *zeros; i++)
        if (c - zeros[i] < 10) return true;
    return false;
}
