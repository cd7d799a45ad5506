/* Fencing tokens as text. */
#include "avout/lock.h"

#include <inttypes.h>
#include <string.h>

#include "store/store.h"
#include "base/error.h"
#include "base/banned.h"

enum { DIGITS = 16 };

int avout_token_compare(avout_token a, avout_token b)
{
    if (a.point != b.point) return a.point < b.point ? -1 : 1;
    return a.count < b.count ? -1 : a.count > b.count;
}

const char *avout_token_text(char text[AVOUT_TOKEN_SIZE], avout_token token)
{
    snprintf(text, AVOUT_TOKEN_SIZE, "%016" PRIx64 "-%016" PRIx64, token.point, token.count);
    return text;
}

static bool parse_half(uint64_t *number, const char *text)
{
    *number = 0;
    for (int i = 0; i < DIGITS; i++) {
        const char *digits = "0123456789abcdef", *digit = text[i] ? strchr(digits, text[i]) : NULL;
        if (!digit) return false;
        *number = *number << 4 | (uint64_t)(digit - digits);
    }
    return true;
}

avout_status avout_token_parse(avout_token *token, const char *text)
{
    avout_token parsed;
    if (!text) return avout_fail(AVOUT_EINVAL, "the token's text is NULL");
    if (!parse_half(&parsed.point, text) || text[DIGITS] != '-' ||
        !parse_half(&parsed.count, text + DIGITS + 1) || text[2 * DIGITS + 1]) {
        char quoted[AVOUT__QUOTE_SIZE];
        return avout_fail(AVOUT_ESYNTAX, "%s is no lock token: expected 16 digits, -, 16 digits",
                          avout__quote(quoted, text));
    }
    *token = parsed;
    return AVOUT_OK;
}
