/* Names: keywords, symbols, nil, true, false, and the keywords' cache. Here is only where a token
 * ends; what is a name is decided by those who make symbols and keywords. */
#include "edn/reader.h"

#include "value/object.h"
#include "base/banned.h"

/* Bytes that may end a name: all that do, and a few that do not (!#$%&'*+_ and below the space). */
static inline uint64_t may_end(uint64_t word)
{
    uint64_t folded = word | EDN_ONES * 0x20; /* [\\]^ fall on {|}~, and @ on ` */
    uint64_t brackets = ((folded & ~EDN_HIGHS) + EDN_ONES * (0x80 - '{')) & EDN_HIGHS;
    return (word & EDN_HIGHS) | edn_below(word, '-') | edn_equal_to(word, ';') |
           edn_equal_to(folded, '`') | brackets;
}

avout_status avout__edn_name_end(edn_reader *reader, const char *at, const char **name_end)
{
    while (reader->end - at >= 8) { /* ends most names without a branch for each byte */
        uint64_t marks = may_end(edn_load(at));
        at += marks ? edn_first(marks) : 8;
        if (marks) break;
    }
    for (;;) {
        while (at < reader->end && edn_class(*at) <= BYTE_HASH) at++;
        if (at == reader->end || edn_class(*at) < BYTE_BAD) break;
        if (edn_class(*at) == BYTE_BAD)
            return avout__edn_fail(reader, AVOUT_ESYNTAX, at,
                                   "'%c' cannot be part of a name: expected white space or a "
                                   "delimiter",
                                   *at);
        uint32_t code_point;
        size_t length = avout__edn_decode(at, reader->end, &code_point);
        if (!length) return avout__edn_fail_utf8(reader, at);
        if (avout__edn_is_space(code_point)) break;
        at += length;
    }
    *name_end = at;
    return AVOUT_OK;
}

/* ---- known names ------------------------------------------------------------------------------- */

static inline uint32_t load4(const char *from)
{
    uint32_t word;
    memcpy(&word, from, sizeof word);
    return word;
}

/* From both ends; what lies between is left to the comparison. */
static inline size_t hash_token(const char *text, size_t length)
{
    uint64_t a, b;
    if (length >= 8) {
        a = edn_load(text);
        b = edn_load(text + length - 8);
    } else if (length >= 4) {
        a = load4(text);
        b = load4(text + length - 4);
    } else {
        a = (unsigned char)text[length / 2];
        b = (unsigned char)text[length - 1];
    }
    uint64_t h = (a ^ length) * UINT64_C(0x9e3779b97f4a7c15) + b * UINT64_C(0xc2b2ae3d27d4eb4f);
    return (size_t)(h >> 40 ^ h >> 52);
}

static inline bool same_bytes(const char *a, const char *b, size_t length)
{
    if (length < 8) {
        if (length >= 4)
            return load4(a) == load4(b) && load4(a + length - 4) == load4(b + length - 4);
        for (size_t i = 0; i < length; i++)
            if (a[i] != b[i]) return false;
        return true;
    }
    for (size_t i = 0; i + 8 < length; i += 8)
        if (edn_load(a + i) != edn_load(b + i)) return false;
    return edn_load(a + length - 8) == edn_load(b + length - 8);
}

/* References are taken many at a time: an atomic addition for each name would cost as much as all
 * the rest of reading it. */
enum { NAME_CREDIT = 512 };

static void forget(edn_known *known)
{
    if (!known->value.bits) return;
    avout__object *object = avout__object_any(known->value);
    /* The table's own reference keeps it from falling to 0 here. */
    atomic_fetch_sub_explicit(&object->refs, known->credit, memory_order_release);
    avout__object_release(object);
    known->value = AVOUT_NONE;
}

void avout__edn_forget_names(edn_reader *reader)
{
    for (size_t i = 0; i <= reader->known_mask; i++) forget(&reader->known[i]);
}

static inline avout_value name_of(edn_known *known)
{
    if (!known->credit) {
        avout__object *object = avout__object_any(known->value);
        uint32_t before =
            atomic_fetch_add_explicit(&object->refs, NAME_CREDIT, memory_order_relaxed);
        AVOUT__ASSERT(before && before < UINT32_MAX / 2);
        known->credit = NAME_CREDIT;
    }
    known->credit--;
    return known->value;
}

/* A keyword with its colon, or a symbol. */
static avout_status learn_name(edn_reader *reader, edn_known *known, const char *at, size_t length)
{
    avout_value value =
        *at == ':' ? avout_keyword_n(at + 1, length - 1) : avout_symbol_n(at, length);
    if (!value.bits) return avout__edn_fail_made(reader, at);
    forget(known);
    *known = (edn_known){at, (uint32_t)length, 0, value};
    return AVOUT_OK;
}

static inline avout_status push_name(edn_reader *reader, const char *end)
{
    const char *at = reader->at;
    size_t length = (size_t)(end - at);
    edn_known *known = &reader->known[hash_token(at, length) & reader->known_mask];
    if (__builtin_expect(known->length != length || !same_bytes(known->text, at, length), 0)) {
        avout_status status = learn_name(reader, known, at, length);
        if (status) return status;
    }
    reader->at = end;
    return edn_push(reader, name_of(known), at);
}

avout_status avout__edn_read_keyword(edn_reader *reader)
{
    const char *end;
    avout_status status = avout__edn_name_end(reader, reader->at, &end);
    return status ? status : push_name(reader, end);
}

/* ---- which name -------------------------------------------------------------------------------- */

avout_status avout__edn_read_symbol(edn_reader *reader)
{
    const char *at = reader->at, *end;
    avout_status status = avout__edn_name_end(reader, at, &end);
    if (status) return status;
    size_t length = (size_t)(end - at);
    avout_value value = AVOUT_NONE;
    if (length == 3 && memcmp(at, "nil", 3) == 0) value = avout_nil();
    else if (length == 4 && memcmp(at, "true", 4) == 0) value = avout_bool(true);
    else if (length == 5 && memcmp(at, "false", 5) == 0) value = avout_bool(false);
    else return push_name(reader, end);
    reader->at = end;
    return edn_push(reader, value, at);
}

avout_status avout__edn_read_tag(edn_reader *reader)
{
    const char *at = reader->at, *end;
    avout_status status = avout__edn_name_end(reader, at, &end);
    if (status) return status;
    size_t length = (size_t)(end - at);
    if ((length == 3 && memcmp(at, "nil", 3) == 0) || (length == 4 && memcmp(at, "true", 4) == 0) ||
        (length == 5 && memcmp(at, "false", 5) == 0))
        return avout__edn_fail(reader, AVOUT_ESYNTAX, at, "a tag must be a symbol, not %.*s",
                               (int)length, at);
    return push_name(reader, end);
}
