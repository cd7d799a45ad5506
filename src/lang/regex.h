/* Regular expressions: Java's syntax as far as people use it on data, matched by backtracking.
 *
 *   regex.c       text of a pattern to nodes
 *   match.c       the matcher
 *   core_regex.c  the functions
 *
 * Every node that is looked at costs a step (L5), and what recurses asks for the stack (L6): a pattern
 * that takes exponential time ends like a loop without an end. */
#ifndef AVOUT_LANG_REGEX_H
#define AVOUT_LANG_REGEX_H

#include "lang/core.h"

enum { REGEX_GROUPS = 20, REGEX_NONE = -1 };

typedef enum regex_kind {
    REGEX_CHAR,   /* c */
    REGEX_ANY,    /* any but a line's end, unless (?s) */
    REGEX_SET,    /* one of the ranges, or none of them */
    REGEX_EMPTY,  /* nothing: where alternatives meet */
    REGEX_ALT,    /* a, or else b, another of these */
    REGEX_SAVE,   /* remembers the place as number c */
    REGEX_ONES,   /* a, one character wide, again and again */
    REGEX_REPEAT, /* a, whose end is a REGEX_LOOP, again and again */
    REGEX_LOOP,   /* back to the REGEX_REPEAT a */
    REGEX_LOOK,   /* whether a matches here (negated: does not) */
    REGEX_BACK,   /* what group c has matched */
    REGEX_START,  /* ^ */
    REGEX_STOP,   /* $ */
    REGEX_WORD,   /* \b, negated \B */
    REGEX_FOUND,  /* the end of the pattern, or of a look ahead */
} regex_kind;

typedef struct regex_node {
    regex_kind kind;
    int next;
    int a, b;
    uint32_t c;
    uint32_t least, most; /* of a repetition; UINT32_MAX: no limit */
    bool greedy, negated;
    uint32_t from, count; /* of the ranges */
} regex_node;

typedef struct regex_range {
    uint32_t first, last;
} regex_range;

typedef struct lang_regex {
    lang_object object;
    char *text;
    regex_node *nodes;
    size_t node_count, node_room;
    regex_range *ranges;
    size_t range_count, range_room;
    int first;
    uint32_t groups; /* beside the whole */
    bool any_case, dot_all, lines;
} lang_regex;

/* Where the whole and the groups begin and end: bytes; SIZE_MAX: took no part. */
typedef struct regex_match {
    size_t at[2 * REGEX_GROUPS];
} regex_match;

/* The value around a new one; AVOUT_NONE: the error is set. */
avout_value avout__lang_regex_new(lang_run *run, const char *text, size_t length);
void avout__lang_regex_destroy(lang_regex *regex);

/* Looks for a match from byte `from` on; `whole`: one that begins there and ends with the text.
 * False: there is none, or the error is set (run->status). */
bool avout__lang_regex_find(regex_match *match, lang_run *run, const lang_regex *regex,
                            const char *text, size_t length, size_t from, bool whole);

/* The code point at byte *at of valid UTF-8; moves *at behind it. */
uint32_t avout__lang_regex_decode(const char *text, size_t *at);
uint32_t avout__lang_regex_fold(uint32_t c);

#endif
