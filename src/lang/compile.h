/* Compiling: what its files share.
 *
 * A node is a form with everything decided that can be decided before it runs: names are slots,
 * captures, vars or functions of the table. Slots belong to a function's frame; each binding has its
 * own.
 *
 * The last use of a local takes its value out of the slot instead of sharing it, so that a function
 * that owns its argument alone changes it in place. A use is the last one when nothing that is
 * compiled later, which is what runs later, uses the local again, but for the other branches of an
 * if; and when it is not inside a loop that the local is outside of. */
#ifndef AVOUT_LANG_COMPILE_H
#define AVOUT_LANG_COMPILE_H

#include "lang/node.h"

/* A branch of an `if`, in the branch around it. */
typedef struct lang_branch {
    const struct lang_branch *outer;
    uint32_t fork, arm;
} lang_branch;

enum { LANG_LAST_USES = 8, LANG_MAX_SLOTS = 4096 };

typedef struct lang_use {
    lang_local_node *node;
    const lang_branch *branch;
} lang_use;

typedef struct lang_local {
    const char *name;
    uint32_t slot;
    uint32_t loops; /* around its binding */
    uint32_t use_count;
    bool shared; /* too many uses to follow: none of them takes */
    lang_use uses[LANG_LAST_USES];
} lang_local;

typedef struct lang_capture {
    const char *name;
    lang_source source;
} lang_capture;

/* One function being compiled, or the top level. */
typedef struct lang_scope {
    struct lang_scope *outer;
    const char *self;   /* the function's own name; NULL: none */
    lang_local *locals; /* visible now, the innermost last */
    size_t local_count, local_room;
    lang_capture *captures;
    size_t capture_count, capture_room;
    uint32_t slots;
    uint32_t loops; /* around what is being compiled */
    uint32_t forks;
    const lang_branch *branch;
    /* What recur goes to */
    bool can_recur;
    uint32_t recur_slot, recur_count;
} lang_scope;

typedef struct lang_compiler {
    lang_run *run;
    lang_unit *unit;
    lang_scope *scope;
} lang_compiler;

/* All functions that answer a node answer NULL when the run's error is set. */

/* `tail`: what it answers is what the loop or function around it answers, so that recur is fine. */
const lang_node *avout__lang_form(lang_compiler *c, const lang_form *form, bool tail);
/* forms[from...] as do. */
const lang_node *avout__lang_body(lang_compiler *c, const lang_form *form, size_t from, bool tail);
/* (name forms...): what a macro expands to. */
const lang_form *avout__lang_expand(lang_compiler *c, const lang_form *like, const char *name,
                                    size_t count, const lang_form *const *items);

/* What macros make their forms of: room for `count` of them, a vector, a constant (consumed). NULL: no memory;
 * whoever makes a form of it makes none, and avout__lang_expanded tells of it. */
const lang_form **avout__lang_room(lang_compiler *c, size_t count);
const lang_form *avout__lang_vector_form(lang_compiler *c, const lang_form *like, size_t count,
                                         const lang_form *const *items);
const lang_form *avout__lang_value_form(lang_compiler *c, const lang_form *like, avout_value value);
/* Compiles what a macro made; NULL was no memory. */
const lang_node *avout__lang_expanded(lang_compiler *c, const lang_form *form, bool tail);

/* AVOUT_ESYNTAX at that form. Answers NULL. */
const lang_node *avout__lang_bad(lang_compiler *c, const lang_form *form, const char *format, ...)
    AVOUT_PRINTF(3, 4);
const lang_node *avout__lang_bad_status(lang_compiler *c, const lang_form *form,
                                        avout_status status, const char *format, ...)
    AVOUT_PRINTF(4, 5);
/* A node of that size; NULL: no memory. */
void *avout__lang_node(lang_compiler *c, const lang_form *form, size_t size, lang_eval_fn eval);
const lang_node *avout__lang_constant(lang_compiler *c, const lang_form *form, avout_value value);
/* A call of a function of the table with nodes as arguments, which are copied. */
const lang_node *avout__lang_core_node(lang_compiler *c, const lang_form *form, const char *name,
                                       size_t count, const lang_node *const *arguments);
const lang_node *avout__lang_if_node(lang_compiler *c, const lang_form *form, const lang_node *test,
                                     const lang_node *then, const lang_node *otherwise);

/* ---- scope.c ---------------------------------------------------------------------------------- */

/* False: no memory or too many, the error is set. */
bool avout__lang_slot(lang_compiler *c, const lang_form *form, uint32_t *slot);
/* Makes the slot visible under that name from here on. */
bool avout__lang_bind(lang_compiler *c, const lang_form *form, const char *name, uint32_t slot);
/* A use of a local; *found is false when there is none of that name. NULL: error. */
const lang_node *avout__lang_use(lang_compiler *c, const lang_form *form, const char *name,
                                 bool *found);
bool avout__lang_is_local(const lang_compiler *c, const char *name);
/* The value in a slot that has no name, by its number. */
const lang_node *avout__lang_slot_node(lang_compiler *c, const lang_form *form, uint32_t slot);
/* Branches: what is compiled between enter and leave is one arm of the fork. */
uint32_t avout__lang_fork(lang_compiler *c);
bool avout__lang_arm(lang_compiler *c, uint32_t fork, uint32_t arm);
void avout__lang_join(lang_compiler *c);
void avout__lang_scope_release(lang_scope *scope);

/* ---- nearest.c ------------------------------------------------------------------------------------- */

/* The known name that an unknown one is likely meant to be, if there is one. */
bool avout__lang_near(char *near, size_t size, const lang_compiler *c, const char *name);

/* ---- pattern.c -------------------------------------------------------------------------------- */

/* Binds the names in a pattern to the parts of the value in `slot`: adds nodes that set slots to
 * *steps. A plain symbol only names the slot. */
typedef struct lang_steps {
    struct lang_step {
        uint32_t slot;
        const lang_node *node;
    } * at;
    size_t count, room;
} lang_steps;
bool avout__lang_step_add(lang_compiler *c, lang_steps *steps, uint32_t slot,
                          const lang_node *node);
bool avout__lang_pattern(lang_compiler *c, lang_steps *steps, const lang_form *pattern,
                         uint32_t slot);
/* A let of the steps around the body; the steps' memory is freed, whatever the outcome. */
const lang_node *avout__lang_let_node(lang_compiler *c, const lang_form *form, lang_steps *steps,
                                      const lang_node *body);

/* ---- special.c, function.c, macro.c, naming.c, loops.c, thunk.c, refused.c ---------------------- */

typedef const lang_node *(*lang_special_fn)(lang_compiler *c, const lang_form *form, bool tail);

typedef struct lang_special {
    const char *name;
    const char *arguments;
    const char *doc;
    lang_special_fn compile;
} lang_special;

extern const lang_special avout__lang_specials[], avout__lang_macros[], avout__lang_loops[],
    avout__lang_thunks[], avout__lang_namings[], avout__lang_refused[];
/* Why a name is refused that people know from Clojure, with what does the same; NULL: it is none of them. */
const char *avout__lang_why_refused(const char *name);
/* NULL: no special form of that name. */
const lang_special *avout__lang_special_find(const char *name);
const lang_special *avout__lang_special_at(size_t index);

/* The function of (fn name? ...) or (defn name ...) from items[from] on; `self`: it finds itself under
 * its name. */
const lang_node *avout__lang_fn_node(lang_compiler *c, const lang_form *form, const char *name,
                                     bool self, size_t from);
/* A function of no arguments with that body, which may use the locals here. */
const lang_node *avout__lang_thunk_node(lang_compiler *c, const lang_form *form, size_t from);

#endif
