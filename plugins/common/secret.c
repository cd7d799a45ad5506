#include "common/secret.h"

#include <ctype.h>
#include <string.h>

static size_t hidden_at(const char *message, const char *secret)
{
    size_t length = secret ? strlen(secret) : 0;
    return length && !strncmp(message, secret, length) ? length : 0;
}

void avout__plugin_hide(char *text, size_t size, const char *message, const char *secret)
{
    size_t filled = 0;
    while (*message && filled + 4 < size) {
        size_t hidden = hidden_at(message, secret);
        if (hidden) {
            memcpy(text + filled, "***", 3);
            filled += 3;
            message += hidden;
        } else {
            text[filled++] = (unsigned char)*message < ' ' ? ' ' : *message;
            message++;
        }
    }
    while (filled && text[filled - 1] == ' ') filled--;
    text[filled] = '\0';
}

const char *avout__plugin_password(size_t *length, const char *address)
{
    *length = 0;
    const char *start = strstr(address, "://");
    if (!start) return NULL;
    start += 3;
    /* The last @: an unescaped one belongs to the password. */
    const char *end = strrchr(start, '@');
    const char *colon = strchr(start, ':');
    if (!end || !colon || colon > end) return NULL;
    *length = (size_t)(end - colon - 1);
    return colon + 1;
}

static int digit(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    int lower = tolower((unsigned char)c);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

bool avout__plugin_unescape(char *out, size_t size, const char *text, size_t length)
{
    size_t filled = 0;
    for (size_t i = 0; i < length; i++) {
        if (filled + 1 >= size) return false;
        char c = text[i];
        if (c == '%') {
            if (i + 2 >= length || digit(text[i + 1]) < 0 || digit(text[i + 2]) < 0) return false;
            c = (char)(digit(text[i + 1]) * 16 + digit(text[i + 2]));
            if (!c) return false;
            i += 2;
        }
        out[filled++] = c;
    }
    out[filled] = '\0';
    return true;
}
