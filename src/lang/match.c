/* The matcher: follows the nodes, and where there is a choice tries one way and comes back for the other. */
#include "lang/regex.h"

#include <string.h>

#include "base/alloc.h"
#include "base/banned.h"

typedef struct matcher {
    lang_run *run;
    const lang_regex *regex;
    const char *text;
    size_t length;
    bool whole;
    size_t looks; /* how many look aheads are open: their end is not the pattern's */
    regex_match match;
    /* Of each REGEX_REPEAT: how often so far, and where the last time began. */
    struct turn {
        uint32_t count;
        size_t at;
    } * turns;
} matcher;

static bool follow(matcher *m, int index, size_t at);

uint32_t avout__lang_regex_decode(const char *text, size_t *at)
{
    const unsigned char *s = (const unsigned char *)text + *at;
    size_t length = *s < 0x80 ? 1 : *s < 0xe0 ? 2 : *s < 0xf0 ? 3 : 4;
    uint32_t c = length == 1 ? *s : *s & (0x7fu >> length);
    for (size_t i = 1; i < length; i++) c = c << 6 | (s[i] & 0x3f);
    *at += length;
    return c;
}

/* (?i) is about ASCII, as in Java. */
uint32_t avout__lang_regex_fold(uint32_t c)
{
    return c >= 'A' && c <= 'Z' ? c + 32 : c;
}

static bool in_set(const lang_regex *r, const regex_node *n, uint32_t c)
{
    for (uint32_t i = 0; i < n->count; i++) {
        regex_range range = r->ranges[n->from + i];
        if (c >= range.first && c <= range.last) return true;
        if (!r->any_case) continue;
        uint32_t other = c >= 'a' && c <= 'z' ? c - 32 : avout__lang_regex_fold(c);
        if (other >= range.first && other <= range.last) return true;
    }
    return false;
}

static bool is_line_end(uint32_t c)
{
    return c == '\n' || c == '\r' || c == 0x85 || c == 0x2028 || c == 0x2029;
}

/* One character by a node that takes one; moves *at. */
static bool one(const matcher *m, const regex_node *n, size_t *at)
{
    if (*at >= m->length) return false;
    const lang_regex *r = m->regex;
    uint32_t c = avout__lang_regex_decode(m->text, at);
    switch (n->kind) {
    case REGEX_CHAR:
        if (c == n->c) return true;
        return r->any_case && avout__lang_regex_fold(c) == avout__lang_regex_fold(n->c);
    case REGEX_ANY: return r->dot_all || !is_line_end(c);
    default: return in_set(r, n, c) != n->negated;
    }
}

static bool is_word(const matcher *m, size_t at)
{
    unsigned char c = at < m->length ? (unsigned char)m->text[at] : 0;
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool holds(const matcher *m, const regex_node *n, size_t at)
{
    bool lines = m->regex->lines;
    switch (n->kind) {
    case REGEX_START: return at == 0 || (lines && at < m->length && m->text[at - 1] == '\n');
    case REGEX_STOP:
        if (at == m->length || (lines && m->text[at] == '\n')) return true;
        return at + 1 == m->length && m->text[at] == '\n';
    default: return ((at > 0 && is_word(m, at - 1)) != is_word(m, at)) != n->negated;
    }
}

/* Repetition of one character, without recursion over them. */
static bool ones(matcher *m, const regex_node *n, size_t at)
{
    const regex_node *inner = &m->regex->nodes[n->a];
    size_t begin = at, next = at;
    uint32_t count = 0;
    while (count < n->least) {
        if (!lang_step(m->run, 1) || !one(m, inner, &next)) return false;
        count++;
    }
    begin = at = next;
    if (!n->greedy) {
        for (;;) {
            if (follow(m, n->next, at)) return true;
            if (m->run->status || count++ >= n->most || !lang_step(m->run, 1) ||
                !one(m, inner, &at))
                return false;
        }
    }
    while (count < n->most && lang_step(m->run, 1) && one(m, inner, &next)) {
        at = next;
        count++;
    }
    for (;;) {
        if (follow(m, n->next, at)) return true;
        if (m->run->status || at == begin) return false;
        do at--;
        while (((unsigned char)m->text[at] & 0xc0) == 0x80);
    }
}

/* Once more, or what is behind; a turn that took nothing is the last one. */
static bool turn(matcher *m, int index, size_t at)
{
    const regex_node *n = &m->regex->nodes[index];
    struct turn *now = &m->turns[index], before = *now;
    bool may = now->count < n->most && (now->at != at || now->count < n->least);
    bool must = now->count < n->least;
    if (!must && !n->greedy && follow(m, n->next, at)) return true;
    if (may) {
        *now = (struct turn){before.count + 1, at};
        if (follow(m, n->a, at)) return true;
        *now = before;
    }
    return !must && n->greedy && !m->run->status && follow(m, n->next, at);
}

static bool repeat(matcher *m, int index, size_t at)
{
    struct turn before = m->turns[index];
    m->turns[index] = (struct turn){0, SIZE_MAX};
    if (turn(m, index, at)) return true;
    m->turns[index] = before;
    return false;
}

static bool save(matcher *m, const regex_node *n, size_t at)
{
    size_t before = m->match.at[n->c];
    m->match.at[n->c] = at;
    if (follow(m, n->next, at)) return true;
    m->match.at[n->c] = before;
    return false;
}

static bool look_ahead(matcher *m, const regex_node *n, size_t at)
{
    regex_match before = m->match;
    size_t end = m->match.at[1];
    m->looks++;
    bool found = follow(m, n->a, at);
    m->looks--;
    m->match.at[1] = end;
    if (m->run->status || found == n->negated) {
        m->match = before;
        return false;
    }
    if (follow(m, n->next, at)) return true;
    m->match = before;
    return false;
}

static bool back(const matcher *m, const regex_node *n, size_t *at)
{
    size_t from = m->match.at[2 * n->c], to = m->match.at[2 * n->c + 1];
    if (from == SIZE_MAX || to == SIZE_MAX || m->length - *at < to - from) return false;
    if (memcmp(m->text + from, m->text + *at, to - from) != 0) return false;
    *at += to - from;
    return true;
}

static bool follow(matcher *m, int index, size_t at)
{
    if (lang_deep(m->run)) return false;
    for (;;) {
        const regex_node *n = &m->regex->nodes[index];
        if (!lang_step(m->run, 1)) return false;
        switch (n->kind) {
        case REGEX_CHAR:
        case REGEX_ANY:
        case REGEX_SET:
            if (!one(m, n, &at)) return false;
            break;
        case REGEX_EMPTY: break;
        case REGEX_START:
        case REGEX_STOP:
        case REGEX_WORD:
            if (!holds(m, n, at)) return false;
            break;
        case REGEX_BACK:
            if (!back(m, n, &at)) return false;
            break;
        case REGEX_ALT:
            if (n->b == REGEX_NONE) {
                index = n->a;
                continue;
            }
            if (follow(m, n->a, at)) return true;
            if (m->run->status) return false;
            index = n->b;
            continue;
        case REGEX_SAVE: return save(m, n, at);
        case REGEX_ONES: return ones(m, n, at);
        case REGEX_REPEAT: return repeat(m, index, at);
        case REGEX_LOOP: return turn(m, n->a, at);
        case REGEX_LOOK: return look_ahead(m, n, at);
        case REGEX_FOUND:
            if (!m->looks && m->whole && at != m->length) return false;
            m->match.at[1] = at;
            return true;
        }
        index = n->next;
    }
}

bool avout__lang_regex_find(regex_match *match, lang_run *run, const lang_regex *regex,
                            const char *text, size_t length, size_t from, bool whole)
{
    matcher m = {.run = run, .regex = regex, .text = text, .length = length, .whole = whole};
    m.turns = avout__calloc(regex->node_count, sizeof *m.turns);
    if (!m.turns) return avout__lang_failed(run, AVOUT_ENOMEM).bits;
    bool found = false;
    for (size_t at = from; at <= length && !found && !run->status; at++) {
        if (at < length && ((unsigned char)text[at] & 0xc0) == 0x80) continue;
        for (size_t i = 0; i < 2 * REGEX_GROUPS; i++) m.match.at[i] = SIZE_MAX;
        m.match.at[0] = at;
        found = follow(&m, regex->first, at);
        if (whole) break;
    }
    avout__free(m.turns);
    if (found) *match = m.match;
    return found && !run->status;
}
