/* Forms: the text of a program as a tree with positions.
 *
 * A form is a token's value (as the EDN reader has it), or a collection of forms. All forms of one
 * top-level form lie in the arena of its unit, and so does everything compiled from them; values in
 * an arena are owned by it. Nothing in an arena is freed before the whole arena is. */
#ifndef AVOUT_LANG_FORM_H
#define AVOUT_LANG_FORM_H

#include "avout/value.h"

/* ---- arena ----------------------------------------------------------------------------------- */

typedef struct lang_block lang_block;

typedef struct lang_arena {
    lang_block *blocks;
    avout_value *values; /* owned */
    size_t value_count, value_room;
} lang_arena;

/* Zeroed; NULL when there is no memory. */
void *avout__lang_arena_take(lang_arena *arena, size_t size);
/* The arena owns `value` from now on, whatever the outcome; AVOUT_NONE and no memory are passed on. */
avout_value avout__lang_arena_keep(lang_arena *arena, avout_value value);
void avout__lang_arena_release(lang_arena *arena);

/* ---- forms ----------------------------------------------------------------------------------- */

typedef enum lang_form_kind {
    FORM_VALUE, /* number, string, keyword, symbol ... */
    FORM_LIST,
    FORM_VECTOR,
    FORM_MAP, /* items: k v k v */
    FORM_SET,
    FORM_TAGGED, /* value: the tag's symbol; one item */
    FORM_REGEX,  /* value: its text as a string */
} lang_form_kind;

/* Where a form is in its text. */
typedef struct lang_place {
    uint32_t begin, end; /* bytes */
    uint32_t line, column;
} lang_place;

typedef struct lang_form lang_form;
struct lang_form {
    lang_form_kind kind;
    lang_place place;
    avout_value value;
    size_t count;
    const lang_form *const *items;
};

bool avout__lang_is_symbol(const lang_form *form);
/* A symbol of that name. */
bool avout__lang_is_named(const lang_form *form, const char *name);
/* The name of a symbol or keyword, borrowed; NULL for other forms. */
const char *avout__lang_name(const lang_form *form);

/* Makers for what macros expand to; `like` says where. NULL: no memory. */
const lang_form *avout__lang_form_symbol(lang_arena *arena, const lang_form *like,
                                         const char *name);
const lang_form *avout__lang_form_list(lang_arena *arena, const lang_form *like, size_t count,
                                       const lang_form *const *items);

/* ---- reader ---------------------------------------------------------------------------------- */

typedef struct lang_reader {
    lang_arena *arena; /* where the forms go */
    const char *text;
    size_t length;
    size_t at;
    uint32_t line, column; /* of `at`, from 1 */
    size_t depth;
    const char *stack_limit;
    /* #(): the highest % seen so far, and whether one may be read. */
    bool in_function;
    int arguments;
    bool rest;
    /* On an error */
    lang_place place;
    char message[192];
} lang_reader;

/* The next form; *form is NULL at the end of the text. On an error `place` and `message` are set and
 * the thread's detail is not. *unfinished (may be NULL) tells that the text ended inside a form: more
 * of it might make it good. */
avout_status avout__lang_read(const lang_form **form, lang_reader *reader, bool *unfinished);

/* The value a quoted form stands for; owned. */
avout_value avout__lang_form_value(const lang_form *form);

#endif
