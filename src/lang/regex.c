/* Patterns to nodes. A part of a pattern has one first node and one last, whose `next` is the part behind. */
#include "lang/regex.h"

#include <stdarg.h>
#include <string.h>

#include "base/alloc.h"
#include "base/banned.h"

typedef struct part {
    int first, last;
} part;

typedef struct parser {
    lang_run *run;
    lang_regex *regex;
    const char *text;
    size_t length, at;
    int depth;
} parser;

static bool alternatives(parser *p, part *made);

void avout__lang_regex_destroy(lang_regex *regex)
{
    avout__free(regex->text);
    avout__free(regex->nodes);
    avout__free(regex->ranges);
}

__attribute__((format(printf, 2, 3))) static bool bad(parser *p, const char *format, ...)
{
    char text[160];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return avout__lang_fail(p->run, AVOUT_ESYNTAX, "regular expression, at character %zu: %s",
                            p->at + 1, text)
        .bits;
}

static int look(const parser *p)
{
    return p->at < p->length ? (unsigned char)p->text[p->at] : -1;
}

static bool next_is(parser *p, const char *text)
{
    size_t size = strlen(text);
    if (p->length - p->at < size || memcmp(p->text + p->at, text, size) != 0) return false;
    p->at += size;
    return true;
}

static regex_node *node(const parser *p, int index)
{
    return &p->regex->nodes[index];
}

/* REGEX_NONE: no memory, the error is set. */
static int add(parser *p, regex_kind kind)
{
    lang_regex *r = p->regex;
    if (AVOUT__GROW(&r->nodes, &r->node_room, r->node_count + 1)) {
        avout__lang_failed(p->run, AVOUT_ENOMEM);
        return REGEX_NONE;
    }
    r->nodes[r->node_count] = (regex_node){
        .kind = kind, .next = REGEX_NONE, .a = REGEX_NONE, .b = REGEX_NONE, .greedy = true};
    return (int)r->node_count++;
}

static bool single(parser *p, part *made, regex_kind kind)
{
    made->first = made->last = add(p, kind);
    return made->first != REGEX_NONE;
}

static bool range(parser *p, uint32_t first, uint32_t last)
{
    lang_regex *r = p->regex;
    if (AVOUT__GROW(&r->ranges, &r->range_room, r->range_count + 1))
        return avout__lang_failed(p->run, AVOUT_ENOMEM).bits;
    r->ranges[r->range_count++] = (regex_range){first, last};
    return true;
}

/* ---- classes ------------------------------------------------------------------------------------------------ */

/* The ranges of \d \w \s, or of what they leave out, in order; *count 0: no such class. */
static const regex_range *class_of(int letter, size_t *count)
{
    static const regex_range digit[] = {{'0', '9'}};
    static const regex_range no_digit[] = {{0, '0' - 1}, {'9' + 1, 0x10ffff}};
    static const regex_range word[] = {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}};
    static const regex_range no_word[] = {{0, '0' - 1},
                                          {'9' + 1, 'A' - 1},
                                          {'Z' + 1, '_' - 1},
                                          {'_' + 1, 'a' - 1},
                                          {'z' + 1, 0x10ffff}};
    static const regex_range space[] = {{'\t', '\r'}, {' ', ' '}};
    static const regex_range no_space[] = {{0, '\t' - 1}, {'\r' + 1, ' ' - 1}, {' ' + 1, 0x10ffff}};
#define ANSWER(ranges) return *count = sizeof(ranges) / sizeof *(ranges), (ranges)
    switch (letter) {
    case 'd': ANSWER(digit);
    case 'D': ANSWER(no_digit);
    case 'w': ANSWER(word);
    case 'W': ANSWER(no_word);
    case 's': ANSWER(space);
    case 'S': ANSWER(no_space);
    default: *count = 0; return NULL;
    }
#undef ANSWER
}

static bool add_class(parser *p, int letter, bool *is_class)
{
    size_t count;
    const regex_range *ranges = class_of(letter, &count);
    *is_class = count > 0;
    for (size_t i = 0; i < count; i++)
        if (!range(p, ranges[i].first, ranges[i].last)) return false;
    return true;
}

/* What \x stands for when it is one character; the letter is behind. */
static bool escaped(parser *p, uint32_t *c)
{
    int letter = look(p);
    if (letter < 0) return bad(p, "the pattern ends with a backslash");
    if (letter >= 0x80) return *c = avout__lang_regex_decode(p->text, &p->at), true;
    p->at++;
    switch (letter) {
    case 't': *c = '\t'; return true;
    case 'n': *c = '\n'; return true;
    case 'r': *c = '\r'; return true;
    case 'f': *c = '\f'; return true;
    case 'a': *c = 7; return true;
    case 'e': *c = 27; return true;
    case 'x':
    case 'u': {
        size_t digits = letter == 'x' ? 2 : 4;
        *c = 0;
        for (size_t i = 0; i < digits; i++, p->at++) {
            const char *hex = "0123456789abcdef", *found = NULL;
            int digit = look(p);
            if (digit > 0) found = strchr(hex, digit | (digit >= 'A' && digit <= 'F' ? 0x20 : 0));
            if (!found) return bad(p, "\\%c needs %zu hexadecimal digits", letter, digits);
            *c = *c << 4 | (uint32_t)(found - hex);
        }
        return true;
    }
    default: break;
    }
    bool letters = (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') ||
                   (letter >= '0' && letter <= '9');
    if (letters) return bad(p, "\\%c is not supported", letter);
    *c = (uint32_t)letter;
    return true;
}

/* One character or class of a [set]; *single: it is one character, *c. */
static bool set_item(parser *p, uint32_t *c, bool *is_single)
{
    bool is_class = false;
    *is_single = true;
    if (look(p) != '\\') {
        *c = avout__lang_regex_decode(p->text, &p->at);
        return true;
    }
    p->at++;
    if (!add_class(p, look(p), &is_class)) return false;
    if (!is_class) return escaped(p, c);
    p->at++;
    *is_single = false;
    return true;
}

static bool set(parser *p, part *made)
{
    if (!single(p, made, REGEX_SET)) return false;
    uint32_t from = (uint32_t)p->regex->range_count, c, last;
    bool negated = next_is(p, "^"), is_single, first = true;
    for (; first || look(p) != ']'; first = false) {
        if (look(p) < 0) return bad(p, "a [ has no ]");
        if (look(p) == '[' || next_is(p, "&&")) return bad(p, "sets in sets are not supported");
        if (!set_item(p, &c, &is_single)) return false;
        if (!is_single) continue;
        last = c;
        if (look(p) == '-' && p->at + 1 < p->length && p->text[p->at + 1] != ']') {
            p->at++;
            if (!set_item(p, &last, &is_single)) return false;
            if (!is_single || last < c) return bad(p, "a range of a set goes upwards, as a-z");
        }
        if (!range(p, c, last)) return false;
    }
    p->at++;
    regex_node *n = node(p, made->first);
    n->from = from;
    n->count = (uint32_t)p->regex->range_count - from;
    n->negated = negated;
    return true;
}

static bool escape(parser *p, part *made)
{
    int letter = look(p);
    bool is_class;
    uint32_t from = (uint32_t)p->regex->range_count, c;
    if (letter == 'b' || letter == 'B') {
        p->at++;
        if (!single(p, made, REGEX_WORD)) return false;
        node(p, made->first)->negated = letter == 'B';
        return true;
    }
    if (letter >= '1' && letter <= '9') {
        p->at++;
        if (!single(p, made, REGEX_BACK)) return false;
        node(p, made->first)->c = (uint32_t)(letter - '0');
        return (uint32_t)(letter - '0') <= p->regex->groups ||
               bad(p, "there is no group %c yet", letter);
    }
    if (!add_class(p, letter, &is_class)) return false;
    if (is_class) {
        p->at++;
        if (!single(p, made, REGEX_SET)) return false;
        node(p, made->first)->from = from;
        node(p, made->first)->count = (uint32_t)p->regex->range_count - from;
        return true;
    }
    if (!escaped(p, &c) || !single(p, made, REGEX_CHAR)) return false;
    node(p, made->first)->c = c;
    return true;
}

/* ---- groups --------------------------------------------------------------------------------------------------- */

/* (?=...) (?!...) */
static bool look_ahead(parser *p, part *made, bool negated)
{
    part inner;
    if (!single(p, made, REGEX_LOOK) || !alternatives(p, &inner)) return false;
    int found = add(p, REGEX_FOUND);
    if (found == REGEX_NONE) return false;
    node(p, inner.last)->next = found;
    node(p, made->first)->a = inner.first;
    node(p, made->first)->negated = negated;
    return true;
}

static bool capture(parser *p, part *made)
{
    part inner;
    if (p->regex->groups + 1 == REGEX_GROUPS)
        return bad(p, "more than %d groups", REGEX_GROUPS - 1);
    uint32_t group = ++p->regex->groups;
    int open = add(p, REGEX_SAVE);
    if (open == REGEX_NONE || !alternatives(p, &inner)) return false;
    int close = add(p, REGEX_SAVE);
    if (close == REGEX_NONE) return false;
    node(p, open)->c = 2 * group;
    node(p, open)->next = inner.first;
    node(p, close)->c = 2 * group + 1;
    node(p, inner.last)->next = close;
    *made = (part){open, close};
    return true;
}

static bool group(parser *p, part *made)
{
    bool fine;
    if (next_is(p, "?:")) fine = alternatives(p, made);
    else if (next_is(p, "?=")) fine = look_ahead(p, made, false);
    else if (next_is(p, "?!")) fine = look_ahead(p, made, true);
    else if (look(p) == '?') return bad(p, "(?%.1s is not supported", p->text + p->at + 1);
    else fine = capture(p, made);
    if (!fine) return false;
    return next_is(p, ")") || bad(p, "a ( has no )");
}

static bool atom(parser *p, part *made)
{
    uint32_t c;
    switch (look(p)) {
    case '(': p->at++; return group(p, made);
    case '[': p->at++; return set(p, made);
    case '\\': p->at++; return escape(p, made);
    case '.': p->at++; return single(p, made, REGEX_ANY);
    case '^': p->at++; return single(p, made, REGEX_START);
    case '$': p->at++; return single(p, made, REGEX_STOP);
    case '*':
    case '+':
    case '?': return bad(p, "there is nothing to repeat");
    case '{': return bad(p, "a { that is no repetition is written \\{");
    default: break;
    }
    c = avout__lang_regex_decode(p->text, &p->at);
    if (!single(p, made, REGEX_CHAR)) return false;
    node(p, made->first)->c = c;
    return true;
}

/* ---- repetition --------------------------------------------------------------------------------------------------- */

static bool number(parser *p, uint32_t *n)
{
    size_t digits = 0;
    for (*n = 0; look(p) >= '0' && look(p) <= '9' && digits < 6; digits++)
        *n = *n * 10 + (uint32_t)(p->text[p->at++] - '0');
    return digits > 0 && digits < 6;
}

/* * + ? {n} {n,} {n,m}; *found: there is one. */
static bool quantifier(parser *p, uint32_t *least, uint32_t *most, bool *found)
{
    *found = true;
    *least = 0;
    *most = UINT32_MAX;
    if (next_is(p, "*")) return true;
    if (next_is(p, "+")) return *least = 1, true;
    if (next_is(p, "?")) return *most = 1, true;
    *found = next_is(p, "{");
    if (!*found) return true;
    if (!number(p, least)) return bad(p, "expected {n}, {n,} or {n,m}");
    *most = *least;
    if (next_is(p, ",")) {
        *most = UINT32_MAX;
        if (look(p) != '}' && !number(p, most)) return bad(p, "expected {n}, {n,} or {n,m}");
    }
    if (!next_is(p, "}") || *most < *least) return bad(p, "expected {n}, {n,} or {n,m}");
    return true;
}

static bool repeated(parser *p, part *made)
{
    uint32_t least, most;
    bool found;
    if (!quantifier(p, &least, &most, &found) || !found) return !p->run->status;
    bool greedy = !next_is(p, "?");
    if (greedy && look(p) == '+') return bad(p, "possessive repetition is not supported");
    regex_kind inner = node(p, made->first)->kind;
    bool one = made->first == made->last &&
               (inner == REGEX_CHAR || inner == REGEX_ANY || inner == REGEX_SET);
    int repeat = add(p, one ? REGEX_ONES : REGEX_REPEAT);
    if (repeat == REGEX_NONE) return false;
    regex_node *n = node(p, repeat);
    n->a = made->first;
    n->least = least;
    n->most = most;
    n->greedy = greedy;
    if (!one) {
        int loop = add(p, REGEX_LOOP);
        if (loop == REGEX_NONE) return false;
        node(p, loop)->a = repeat;
        node(p, made->last)->next = loop;
    }
    *made = (part){repeat, repeat};
    found = look(p) == '*' || look(p) == '+' || look(p) == '?';
    return !found || bad(p, "a repetition of a repetition");
}

static bool sequence(parser *p, part *made)
{
    part one;
    if (!single(p, made, REGEX_EMPTY)) return false;
    while (look(p) >= 0 && look(p) != '|' && look(p) != ')') {
        if (!atom(p, &one) || !repeated(p, &one)) return false;
        node(p, made->last)->next = one.first;
        made->last = one.last;
    }
    return true;
}

static bool alternatives(parser *p, part *made)
{
    if (lang_deep(p->run) || p->depth == 100)
        return p->run->status ? false : bad(p, "groups are nested too deeply");
    p->depth++;
    bool fine = sequence(p, made);
    if (fine && look(p) == '|') {
        int join = add(p, REGEX_EMPTY), alt = add(p, REGEX_ALT), last = alt;
        fine = join != REGEX_NONE && alt != REGEX_NONE;
        if (fine) {
            node(p, alt)->a = made->first;
            node(p, made->last)->next = join;
        }
        while (fine && next_is(p, "|")) {
            part other;
            fine = sequence(p, &other);
            int more = fine ? add(p, REGEX_ALT) : REGEX_NONE;
            if (!(fine = more != REGEX_NONE)) break;
            node(p, other.last)->next = join;
            node(p, more)->a = other.first;
            node(p, last)->b = more;
            last = more;
        }
        *made = (part){alt, join};
    }
    p->depth--;
    return fine;
}

/* (?ims) at the beginning */
static bool flags(parser *p)
{
    size_t end = 2;
    if (p->length < 4 || memcmp(p->text, "(?", 2) != 0) return true;
    while (end < p->length && strchr("ims", p->text[end]) && p->text[end]) end++;
    if (end == 2 || end == p->length || p->text[end] != ')') return true;
    for (size_t i = 2; i < end; i++) {
        if (p->text[i] == 'i') p->regex->any_case = true;
        if (p->text[i] == 's') p->regex->dot_all = true;
        if (p->text[i] == 'm') p->regex->lines = true;
    }
    p->at = end + 1;
    return true;
}

static bool compile(parser *p)
{
    part all;
    if (!flags(p) || !alternatives(p, &all)) return false;
    if (look(p) == ')') return bad(p, "a ) has no (");
    int found = add(p, REGEX_FOUND);
    if (found == REGEX_NONE) return false;
    node(p, all.last)->next = found;
    p->regex->first = all.first;
    return true;
}

avout_value avout__lang_regex_new(lang_run *run, const char *text, size_t length)
{
    lang_regex *regex = avout__calloc(1, sizeof *regex);
    if (!regex) return avout__lang_failed(run, AVOUT_ENOMEM);
    regex->object.kind = LANG_REGEX;
    regex->text = avout__memdup(text, length + 1);
    avout_value box = avout__lang_made(run, avout__lang_box(regex));
    if (!box.bits) return AVOUT_NONE;
    parser p = {run, regex, text, length, 0, 0};
    bool fine = regex->text && lang_step_bytes(run, length);
    if (!regex->text) avout__lang_failed(run, AVOUT_ENOMEM);
    if (fine && strlen(text) != length) fine = bad(&p, "a NUL in the pattern");
    if (fine && compile(&p)) return box;
    avout_release(box);
    return AVOUT_NONE;
}
