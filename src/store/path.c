/* Names of atoms, refs and locks, which are paths of nodes. The rules are ZooKeeper's (the strictest
 * engine's, org.apache.zookeeper.common.PathUtils), so that a name good on one engine is good on
 * all. ZooKeeper looks at UTF-16 units: everything outside the basic plane is refused with the
 * surrogates that stand for it there. */
#include "store/store.h"

#include <stdint.h>
#include <string.h>

#include "base/error.h"
#include "base/banned.h"

/* Length of the valid UTF-8 sequence at s, 0 if there is none: no overlong forms, no surrogates,
 * nothing beyond U+10FFFF. Reads no further than a NUL. */
static size_t decode(const unsigned char *s, uint32_t *code)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t length = s[0] < 0x80   ? 1
                    : s[0] < 0xc2 ? 0
                    : s[0] < 0xe0 ? 2
                    : s[0] < 0xf0 ? 3
                    : s[0] < 0xf5 ? 4
                                  : 0;
    if (length < 2) {
        *code = s[0];
        return length;
    }
    uint32_t value = s[0] & (0xffu >> (length + 1));
    for (size_t i = 1; i < length; i++) {
        if ((s[i] & 0xc0) != 0x80) return 0;
        value = value << 6 | (s[i] & 0x3f);
    }
    if (value < least[length] || value > 0x10ffff || (value >= 0xd800 && value <= 0xdfff)) return 0;
    *code = value;
    return length;
}

static bool is_control(uint32_t code)
{
    return code < 0x20 || (code >= 0x7f && code <= 0x9f);
}

static bool is_refused(uint32_t code)
{
    return (code >= 0xd800 && code <= 0xf8ff) || code >= 0xfff0;
}

const char *avout__quote(char out[AVOUT__QUOTE_SIZE], const char *text)
{
    static const char hex[] = "0123456789abcdef";
    enum { ROOM = AVOUT__QUOTE_SIZE - 5 }; /* the closing quote, "..." and NUL */
    const unsigned char *s = (const unsigned char *)text;
    size_t at = 0;
    out[at++] = '"';
    while (*s) {
        uint32_t code;
        size_t length = decode(s, &code);
        bool plain = length && !is_control(code) && code != '"' && code != '\\' && code != 0x2028 &&
                     code != 0x2029;
        if (!length) length = 1;
        if (at + (plain ? length : 4 * length) > ROOM) break;
        for (; length; length--, s++) {
            if (plain) {
                out[at++] = (char)*s;
            } else {
                out[at++] = '\\';
                out[at++] = 'x';
                out[at++] = hex[*s >> 4];
                out[at++] = hex[*s & 15];
            }
        }
    }
    out[at++] = '"';
    if (*s) {
        memcpy(out + at, "...", 3);
        at += 3;
    }
    out[at] = '\0';
    return out;
}

static avout_status refuse(const char *name, const char *why, size_t byte)
{
    char quoted[AVOUT__QUOTE_SIZE];
    return avout_fail(AVOUT_ENAME, "name %s: %s at byte %zu", avout__quote(quoted, name), why,
                      byte);
}

static avout_status check_segment(const char *name, size_t start, size_t end)
{
    size_t length = end - start;
    if (length == 0)
        return refuse(name, name[end] ? "empty segment" : "slash at the end",
                      name[end] ? start : start - 1);
    if (length == 1 && name[start] == '.') return refuse(name, "segment \".\"", start);
    if (length == 2 && name[start] == '.' && name[start + 1] == '.')
        return refuse(name, "segment \"..\"", start);
    return AVOUT_OK;
}

avout_status avout__name_check(const char *name)
{
    if (!name) return avout_fail(AVOUT_ENAME, "name: NULL");
    if (!*name) return avout_fail(AVOUT_ENAME, "name \"\": empty; it must begin with a slash");
    if (*name != '/') return refuse(name, "does not begin with a slash", 0);
    if (!name[1]) return avout_fail(AVOUT_ENAME, "name \"/\": the root cannot be one");
    size_t length = strnlen(name, AVOUT__NAME_MAX + 1);
    if (length > AVOUT__NAME_MAX) {
        char quoted[AVOUT__QUOTE_SIZE];
        return avout_fail(AVOUT_ENAME, "name %s: %zu bytes, more than the limit of %d",
                          avout__quote(quoted, name), strlen(name), AVOUT__NAME_MAX);
    }
    size_t start = 1;
    for (size_t at = 1; at < length;) {
        uint32_t code;
        size_t step = decode((const unsigned char *)name + at, &code);
        if (!step) return refuse(name, "not valid UTF-8", at);
        if (is_control(code)) return refuse(name, "control character", at);
        if (is_refused(code))
            return refuse(name, "character that ZooKeeper does not allow in names", at);
        if (code == '/') {
            avout_status status = check_segment(name, start, at);
            if (status) return status;
            start = at + 1;
        }
        at += step;
    }
    return check_segment(name, start, length);
}

/* ---- nodes ------------------------------------------------------------------------------------- */

/* Appends one segment, escaped. The buffer is large enough: names have at most 1024 bytes, each of
 * which makes at most 3, and every segment adds at most one colon. */
static char *put_segment(char *to, const char *segment, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        bool last_colon = segment[i] == ':' && i + 1 == length;
        if (segment[i] != '%' && !last_colon) {
            *to++ = segment[i];
            continue;
        }
        memcpy(to, last_colon ? "%3A" : "%25", 3);
        to += 3;
    }
    return to;
}

size_t avout__node_path(char path[AVOUT__NODE_MAX], const char *root, const char *name)
{
    size_t prefix = strlen(root);
    memcpy(path, root, prefix);
    char *to = path + prefix;
    while (*name == '/') {
        const char *segment = name + 1;
        size_t length = strcspn(segment, "/");
        name = segment + length;
        *to++ = '/';
        to = put_segment(to, segment, length);
        if (*name == '/') *to++ = ':';
    }
    *to = '\0';
    return (size_t)(to - path);
}

bool avout__node_name(char name[AVOUT__NODE_MAX], const char *root, const char *path)
{
    size_t prefix = strlen(root);
    if (strncmp(path, root, prefix) || path[prefix] != '/') return false;
    char *to = name;
    for (const char *from = path + prefix; *from; from++) {
        if (from[0] == ':' && from[1] == '/') continue;
        if (from[0] == '%') {
            if (strncmp(from, "%25", 3) && strncmp(from, "%3A", 3)) return false;
            *to++ = from[1] == '2' ? '%' : ':';
            from += 2;
            continue;
        }
        *to++ = *from;
        if (to - name >= AVOUT__NODE_MAX - 1) return false;
    }
    *to = '\0';
    return true;
}
