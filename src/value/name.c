/* Symbols and keywords. The rules are those of clojure.edn 1.11 (its symbolPat and what matchSymbol
 * refuses besides), which are wider than EDN's text: `a/b/c`, `'a`, `:1` are names; narrowed by one
 * thing, that control characters are none. */
#include "value/name.h"

#include <string.h>

#include "base/alloc.h"
#include "value/text.h"

#include "base/banned.h"

/* ---- the rules ----------------------------------------------------------------------------- */

/* Java's Character.isWhitespace beyond ASCII; `at` is a checked sequence of 3 bytes. All of them
 * have three. */
static bool is_wide_space(const unsigned char *at)
{
    uint32_t point = (at[0] & 0xfu) << 12 | (at[1] & 0x3fu) << 6 | (at[2] & 0x3fu);
    return point == 0x1680 || (point >= 0x2000 && point <= 0x200a && point != 0x2007) ||
           point == 0x2028 || point == 0x2029 || point == 0x205f || point == 0x3000;
}

/* The first character that ends a token or may not stand in one; NULL when there is none. */
static const char *find_foreign(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c <= ' ' || strchr("\"@;^`~()[]{}\\,", c)) return text + i;
        if (c >= 0xe1 && c <= 0xe3 && is_wide_space((const unsigned char *)text + i))
            return text + i;
    }
    return NULL;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_text(const char *text, size_t length, const char *other)
{
    return length == strlen(other) && !memcmp(text, other, length);
}

/* What is wrong with the parts before and behind the last slash; NULL: nothing. */
static const char *fault_of_parts(const char *text, size_t length, bool keyword)
{
    const char *slash = memrchr(text, '/', length);
    const char *name = slash ? slash + 1 : text;
    if (slash && name == text + length) { /* "ns//": the name is a slash */
        name = slash;
        slash = slash > text && slash[-1] == '/' ? slash - 1 : NULL;
        if (!slash) return "the name behind the slash is missing";
    }
    if (!slash) return NULL;
    if (text[0] == '/') return "the namespace before the slash is missing";
    if (slash[-1] == ':') return "the namespace ends with a colon";
    if (is_digit(*name)) return "the name begins with a digit";
    return !keyword && is_digit(*text) ? "it begins with a digit" : NULL;
}

static const char *fault_of(const char *text, size_t length, bool keyword)
{
    if (!length) return "it is empty";
    if (is_text(text, length, "/")) return NULL;
    if (text[0] == ':') return "it begins with a colon";
    if (text[length - 1] == ':') return "it ends with a colon";
    if (memmem(text, length, "::", 2)) return "it contains two colons in a row";
    if (!keyword) {
        const char *first = text + (length > 1 && (text[0] == '+' || text[0] == '-'));
        if (is_digit(*first)) return "it reads as a number";
        if (text[0] == '#') return "it begins with #";
        if (is_text(text, length, "nil") || is_text(text, length, "true") ||
            is_text(text, length, "false"))
            return "it reads as a value of its own";
    }
    return fault_of_parts(text, length, keyword);
}

avout_status avout__symbol_check(const char *text, size_t length, bool keyword)
{
    const char *what = keyword ? "keyword" : "symbol";
    int shown = length > 200 ? 200 : (int)length;
    size_t points, bad;
    if (!avout__utf8_check(text, length, &points, &bad)) return avout__fail_utf8(what, text, bad);
    if (length > UINT32_MAX / 2)
        return avout_fail(AVOUT_ELIMIT, "%s: the name has %zu bytes", what, length);
    const char *foreign = find_foreign(text, length);
    if (foreign)
        return avout_fail(AVOUT_ENAME, "%s \"%.*s\": the character at byte %zu is not allowed",
                          what, shown, text, (size_t)(foreign - text));
    const char *fault = fault_of(text, length, keyword);
    if (!fault) return AVOUT_OK;
    return avout_fail(AVOUT_ENAME, "%s \"%.*s\": %s", what, shown, text, fault);
}

/* ---- makes --------------------------------------------------------------------------------- */

static avout_value make(int type, const char *text, size_t length)
{
    avout_status st = avout__symbol_check(text, length, type == AVOUT_TYPE_KEYWORD);
    if (st) return avout__none(st);
    avout__name *name =
        (avout__name *)(void *)avout__object_new(type, sizeof(avout__name) + length + 1);
    if (!name) return avout__none(AVOUT_ENOMEM);
    const char *slash = length > 1 ? memchr(text, '/', length) : NULL;
    name->object.extra = slash ? (uint32_t)(slash - text) : 0;
    name->length = (uint32_t)length;
    memcpy(name->text, text, length);
    name->text[length] = '\0';
    /* Names are made to be looked up: their hash is ready before anybody asks. */
    avout_value made = avout__value_of(&name->object);
    avout_value_hash(made);
    return made;
}

avout_value avout_symbol_n(const char *name, size_t length)
{
    return make(AVOUT_TYPE_SYMBOL, name, length);
}

avout_value avout_symbol(const char *name)
{
    return make(AVOUT_TYPE_SYMBOL, name, strlen(name));
}

avout_value avout_keyword_n(const char *name, size_t length)
{
    return make(AVOUT_TYPE_KEYWORD, name, length);
}

avout_value avout_keyword(const char *name)
{
    return make(AVOUT_TYPE_KEYWORD, name, strlen(name));
}

avout_status avout_value_to_name(const char **space, size_t *space_length, const char **name,
                                 size_t *name_length, avout_value value)
{
    avout_type type = avout_value_type(value);
    if (type != AVOUT_TYPE_SYMBOL && type != AVOUT_TYPE_KEYWORD)
        return avout__fail_type("to_name", "a symbol or keyword", value);
    const avout__name *full = avout__name_of(value);
    uint32_t before = full->object.extra;
    *space = before ? full->text : NULL;
    *space_length = before;
    *name = full->text + (before ? before + 1 : 0);
    *name_length = full->length - (before ? before + 1 : 0);
    return AVOUT_OK;
}

/* ---- hooks --------------------------------------------------------------------------------- */

static const avout__name *name_at(const avout__object *object)
{
    return (const avout__name *)(const void *)object;
}

static uint32_t name_hash(const avout__object *object)
{
    const avout__name *name = name_at(object);
    return avout__hash_bytes(name->text, name->length) + object->type;
}

/* Who comes here has equal hashes. */
static bool name_equal(const avout__object *a, const avout__object *b)
{
    const avout__name *left = name_at(a), *right = name_at(b);
    return left->length == right->length && !memcmp(left->text, right->text, left->length);
}

/* As Symbol.compareTo: names without a namespace first, then by namespace, then by name. */
static avout_status name_compare(int *order, const avout__object *a, const avout__object *b)
{
    const avout__name *left = name_at(a), *right = name_at(b);
    uint32_t before = left->object.extra, after = right->object.extra;
    *order = (before != 0) - (after != 0);
    if (!*order) *order = avout__text_order(left->text, before, right->text, after);
    if (!*order)
        *order = avout__text_order(left->text + before, left->length - before, right->text + after,
                                   right->length - after);
    return AVOUT_OK;
}

const avout__type_hooks avout__symbol_hooks = {NULL, name_hash, name_equal, name_compare};
const avout__type_hooks avout__keyword_hooks = {NULL, name_hash, name_equal, name_compare};
