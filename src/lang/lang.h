/* The language: what its files share.
 *
 *   text --reader--> forms --compile--> nodes --eval--> values
 *
 * form.c reader.c     text to forms, with positions
 * compile.c           forms to nodes; scope.c names; special.c function.c pattern.c loops.c macro.c thunk.c
 *                     naming.c the special forms, refused.c those there are not
 * eval.c              what each node does
 * call.c              calling whatever is a function; closures
 * lazy.c              sequences that are made as they are read; walking over any sequence
 * error.c             errors as values, with place and form; nearest.c what a mistyped name was meant to be
 * print.c             values as text, functions and lazy sequences included
 * table.c             one table of all functions: name, arguments, what it does
 * core_*.c            functions written in C, by theme; prelude.c sets.c transducers.c those written in it
 * regex.c match.c     regular expressions: see regex.h
 * core_state.c, core_open.c, core_change.c, core_watch.c   atoms, refs, transactions: see state.h
 * core_lock.c core_future.c crew.c            locks; promises, futures and their threads
 * wait.c              waiting, and being interrupted in it
 * environment.c       what def defines; limits; the calls of avout/lang.h
 *
 * What always holds:
 *  L1  Values are the library's. What only the language knows (functions, lazy sequences, errors) is a
 *      box around a lang_object; other programs' boxes are values like any other.
 *  L2  A closure copies what it uses of the locals around it, when it is made. Nothing can be
 *      changed later, a function that names itself finds itself in the call, so closures form no
 *      cycles and reference counts free them. Only a var can close a circle (a function it holds
 *      names it): the end of the environment empties its vars.
 *  L3  Nodes are never changed once compiled: threads may run them at the same time. A unit (one
 *      top-level form) owns its nodes and constants and lives as long as a closure made in it.
 *  L4  A function that answers AVOUT_NONE has set the run's error, or run->recurring (recur, which
 *      is only compiled into tail positions and met by its loop or function).
 *  L5  Every call, turn of a loop and element made costs a step, and so do 64 bytes of text: steps
 *      bound time and memory. Steps and the flag of interruption are looked at together.
 *  L6  C recursion follows the nesting of calls; everything that recurses asks lang_deep() first.
 *  L7  What was interrupted, ran out of steps, or must be handed on (AVOUT_RETRY) is no error that
 *      a program can catch. What it must not leave undone (finally) still runs, within a bound. */
#ifndef AVOUT_LANG_LANG_H
#define AVOUT_LANG_LANG_H

#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>

#include "avout/edn.h"
#include "avout/lang.h"
#include "base/buffer.h"
#include "base/interrupt.h"
#include "lang/form.h"

typedef struct lang_run lang_run;
typedef struct lang_node lang_node;
typedef struct lang_frame lang_frame;
typedef struct lang_core lang_core;
typedef struct lang_txn lang_txn;

/* ---- objects --------------------------------------------------------------------------------- */

typedef enum lang_kind {
    LANG_CLOSURE,
    LANG_CORE,   /* a function of the table that is written in C */
    LANG_NATIVE, /* a function of the program around us */
    LANG_LAZY,
    LANG_ERROR,
    LANG_VAR,
    LANG_REDUCED,
    LANG_CLIENT,
    LANG_CELL, /* an atom or a ref */
    LANG_REGEX,
    LANG_PROMISE,
    LANG_FUTURE,
    LANG_DELAY,
    LANG_LOCK,
    LANG_CONDITION,
    LANG_CONTAINER,
    LANG_VOLATILE,
} lang_kind;

/* First in every object. Objects can be nested as deep as programs make them: they are destroyed
 * one after the other, not one inside the other. */
typedef struct lang_object {
    lang_kind kind;
    struct lang_object *next_dead;
} lang_object;

/* The value around a new object, which it owns; AVOUT_NONE: no memory, and the object is destroyed. */
avout_value avout__lang_box(void *object);
/* The object in a value of ours; NULL for other values. */
lang_object *avout__lang_object(avout_value value);
/* The object if it is of that kind, else NULL. */
void *avout__lang_object_of(avout_value value, lang_kind kind);

/* ---- units and functions ---------------------------------------------------------------------- */

typedef struct lang_unit {
    atomic_uint refs;
    bool core; /* of the prelude: its places are of no interest to anybody */
    lang_arena arena;
    char *source; /* the form's text, from byte `begin` of the whole on, which places count from */
    size_t begin, length;
} lang_unit;

lang_unit *avout__lang_unit_new(bool core);
void avout__lang_unit_release(lang_unit *unit);

/* Where a local is found: a slot of the frame, a captured value of the closure, the closure. */
typedef enum lang_where { IN_SLOT, IN_CAPTURE, IN_SELF } lang_where;

typedef struct lang_source {
    lang_where where;
    uint32_t index;
} lang_source;

typedef struct lang_arity {
    uint32_t required;
    bool rest;
    uint32_t slots;
    const lang_node *body;
} lang_arity;

typedef struct lang_function {
    const char *name; /* "fn" for those without */
    lang_unit *unit;
    size_t arity_count;
    const lang_arity *arities; /* by required; the one with rest last */
    size_t capture_count;
    const lang_source *captures;
} lang_function;

typedef struct lang_closure {
    lang_object object;
    const lang_function *function;
    avout_value captured[];
} lang_closure;

/* What def defines. Threads define and read at the same time. */
typedef struct lang_var {
    lang_object object;
    atomic_flag lock;
    avout_value value; /* AVOUT_NONE: declared only, or the environment is gone */
    avout_value self;  /* the box around it; borrowed */
    avout_value doc;   /* for (doc name): a string, or AVOUT_NONE */
    char *name;
} lang_var;

typedef struct lang_native {
    lang_object object;
    char *name;
    size_t least, most;
    avout_lang_native_fn call;
    void *payload;
    void (*destroy)(void *payload);
} lang_native;

/* A function of the table as a value. */
typedef struct lang_core_object {
    lang_object object;
    const lang_core *core;
} lang_core_object;

/* A lazy sequence: not looked at (make), empty (neither), an element and what follows, or the same as
 * another lazy one (rest only). */
typedef struct lang_lazy {
    lang_object object;
    pthread_mutex_t lock;
    avout_value make;  /* a function of no arguments: a sequence; AVOUT_NONE: done */
    avout_value first; /* AVOUT_NONE: empty */
    avout_value rest;
} lang_lazy;

typedef struct lang_error {
    lang_object object;
    avout_status status;
    const char *class_name; /* static */
    char *message;
    bool mute;         /* it was given no message */
    avout_value data;  /* of ex-info, else AVOUT_NONE */
    avout_value cause; /* an error or nil */
    lang_place place;  /* line 0: none */
    char *form;        /* NULL: none */
} lang_error;

typedef struct lang_reduced {
    lang_object object;
    avout_value value;
} lang_reduced;

/* ---- runs ------------------------------------------------------------------------------------ */

typedef struct lang_chunk {
    struct lang_chunk *below;
    size_t used, size;
    avout_value at[];
} lang_chunk;

/* Steps that an evaluation and the futures it has started have together. */
typedef struct lang_pool {
    atomic_uint refs;
    _Atomic uint64_t left;
} lang_pool;

/* One evaluation, on one thread. */
struct lang_run {
    avout_lang *lang;
    int64_t fuel;                 /* steps until `steps` and the interruption are looked at */
    uint64_t steps;               /* left behind the fuel */
    lang_pool *pool;              /* in their place, once there are futures; NULL: none */
    avout__interruptible outside; /* what could interrupt the thread before */
    int64_t wait_left_ns;         /* what it may still wait */
    bool spent;                   /* its steps are used up */
    bool ended;                   /* by the program around it: nothing is to run any more */
    int64_t grace;                /* steps that are left for finally when there are no others */
    const char *stack_limit;
    lang_chunk *chunk;
    bool recurring;
    avout__buffer *collect; /* with-out-str; NULL: none */
    lang_txn *txn;          /* the transaction that runs; NULL: none */
    bool repeats;           /* an update function runs, perhaps not for the last time */
    bool fatal;             /* the error must not be caught (L7) */
    avout_status status;
    avout_value thrown; /* the error: a box of LANG_ERROR; AVOUT_NONE for AVOUT_ENOMEM */
};

void avout__lang_run_start(lang_run *run, avout_lang *lang);
void avout__lang_run_end(lang_run *run);

/* The pool of the run's steps, which is made if there is none; *pool is owned, NULL without a limit.
 * False: the error is set. */
bool avout__lang_share_steps(lang_run *run, lang_pool **pool);
/* The run, which has just begun, takes its steps from there. */
void avout__lang_run_pool(lang_run *run, lang_pool *pool);
void avout__lang_pool_unref(lang_pool *pool);

/* What finally and its like need: the error is put aside, and the run may go on, if it was interrupted or
 * has used up its steps only for a short while. And back: what was put aside is the run's error again
 * unless what ran has an error of its own and the one before could have been caught. */
typedef struct lang_aside {
    avout_value thrown;
    avout_status status;
    bool fatal, spent;
} lang_aside;
lang_aside avout__lang_put_aside(lang_run *run);
void avout__lang_put_back(lang_run *run, lang_aside *aside);

/* False: the run has used up its steps or is interrupted, and its error is set. */
bool avout__lang_refuel(lang_run *run);
static inline bool lang_step(lang_run *run, size_t cost)
{
    run->fuel -= (int64_t)cost;
    return run->fuel >= 0 || avout__lang_refuel(run);
}
/* The same for a text of that size. */
static inline bool lang_step_bytes(lang_run *run, size_t bytes)
{
    return lang_step(run, bytes / 64 + 1);
}

/* True: the error is set. */
bool avout__lang_too_deep(lang_run *run);
static inline bool lang_deep(lang_run *run)
{
    return (const char *)__builtin_frame_address(0) < run->stack_limit && avout__lang_too_deep(run);
}

/* `count` empty places for values, given back in the opposite order; NULL: the error is set. */
avout_value *avout__lang_push(lang_run *run, size_t count);
/* Releases what is left in them. */
void avout__lang_pop(lang_run *run, avout_value *values, size_t count);

/* ---- errors (error.c) ------------------------------------------------------------------------- */

/* All answer AVOUT_NONE. */
avout_value avout__lang_fail(lang_run *run, avout_status status, const char *format, ...)
    AVOUT_PRINTF(3, 4);
/* What a call of the library answered, with its detail. */
avout_value avout__lang_failed(lang_run *run, avout_status status);
/* AVOUT_ETYPE: "NAME: expected WHAT, got VALUE (TYPE)". */
avout_value avout__lang_wrong(lang_run *run, const char *name, const char *expected,
                              avout_value got);
/* The value of a maker, or its failure as the run's. */
avout_value avout__lang_made(lang_run *run, avout_value made);
/* Throws the error in `value` (consumed; AVOUT_NONE: there was no memory for one). */
avout_value avout__lang_throw(lang_run *run, avout_value value);
avout_value avout__lang_error_new(const char *class_name, const char *message, size_t length,
                                  avout_value data, avout_value cause);
/* Gives the error a place, if it has none, and answers AVOUT_NONE. */
avout_value avout__lang_place_error(lang_run *run, const lang_unit *unit, const lang_place *place);
/* Takes the error from the run, which goes on; owned. */
avout_value avout__lang_catch(lang_run *run);
/* Whether (catch NAME e) means this error. *known: there is such a class. */
bool avout__lang_error_is(const lang_error *error, const char *class_name, bool *known);

/* ---- calling (call.c) -------------------------------------------------------------------------- */

/* Arguments are owned by the caller; what the function takes of them is AVOUT_NONE afterwards. */
avout_value avout__lang_call(lang_run *run, avout_value function, size_t count,
                             avout_value *arguments);
/* The same with one or two arguments, consumed. */
avout_value avout__lang_call1(lang_run *run, avout_value function, avout_value argument);
avout_value avout__lang_call2(lang_run *run, avout_value function, avout_value first,
                              avout_value second);
bool avout__lang_is_function(avout_value value);
/* The closure of a function whose captures are in the frame (NULL: it has none). */
avout_value avout__lang_closure(lang_run *run, const lang_function *function, lang_frame *frame);

/* ---- sequences (lazy.c) ------------------------------------------------------------------------ */

avout_value avout__lang_lazy(lang_run *run, avout_value make);
/* `first` in front of `rest`, which may be lazy; both consumed. */
avout_value avout__lang_cons(lang_run *run, avout_value first, avout_value rest);
bool avout__lang_is_lazy(avout_value value);
/* Makes the first element. False: the error is set. *empty: there is none. */
bool avout__lang_force(lang_run *run, avout_value lazy, bool *empty);

/* What follows the first element of a forced one; owned. */
avout_value avout__lang_rest(avout_value lazy);

/* A walk over anything that has elements: nil, collections, strings, lazy sequences.
 *
 *     lang_walk walk;
 *     if (!avout__lang_walk(&walk, run, "map", value)) return AVOUT_NONE;
 *     while (avout__lang_walk_next(&walk, &item)) ... item is owned ...
 *     if (!avout__lang_walk_end(&walk)) ... the error is set ...
 */
typedef struct lang_walk {
    lang_run *run;
    avout_value whole; /* owned */
    avout_type type;
    bool lazy, failed;
    avout_iterator at;
    const char *text;
    size_t left;
} lang_walk;

/* False: `value` has no elements, and the error is set with that name. Borrows it. */
bool avout__lang_walk(lang_walk *walk, lang_run *run, const char *name, avout_value value);
bool avout__lang_walk_next(lang_walk *walk, avout_value *item);
bool avout__lang_walk_end(lang_walk *walk);

/* A growing run of owned values. */
typedef struct lang_items {
    avout_value *at;
    size_t count, room;
} lang_items;

/* Consumes `item`; false: the error is set. */
bool avout__lang_add(lang_run *run, lang_items *items, avout_value item);
/* Adds all elements of `value` (borrowed). */
bool avout__lang_add_all(lang_run *run, lang_items *items, const char *name, avout_value value);
void avout__lang_drop(lang_items *items);
/* The list or vector of them, which are consumed; AVOUT_NONE: the error is set. */
avout_value avout__lang_list(lang_run *run, lang_items *items);
avout_value avout__lang_vector(lang_run *run, lang_items *items);

/* Replaces a lazy sequence by the list of its elements; `deep`: wherever one is inside. *value is
 * owned; false: it is as it was and the error is set. */
bool avout__lang_realize(lang_run *run, avout_value *value, bool deep);

/* ---- promises and their kin (core_future.c) ------------------------------------------------------ */

/* Whether deref waits for its value. */
bool avout__lang_comes_later(avout_value value);
/* What deref of such a one answers; `otherwise` (borrowed) when the time is over, NULL: none. */
avout_value avout__lang_await(lang_run *run, avout_value value, const int64_t *timeout_ms,
                              avout_value otherwise);

/* ---- text (print.c) ---------------------------------------------------------------------------- */

typedef enum lang_style { PRINT_READABLY, PRINT_PLAIN } lang_style;

/* False: the error is set. */
bool avout__lang_print(lang_run *run, avout__buffer *buffer, avout_value value, lang_style style);
/* The same for messages: at most that long, never an error. */
void avout__lang_glimpse(char *text, size_t size, avout_value value);
/* What a value is called in messages: "string", "function". */
const char *avout__lang_type_name(avout_value value);

/* ---- the table (table.c) ------------------------------------------------------------------------ */

typedef avout_value (*lang_core_fn)(lang_run *run, size_t count, avout_value *arguments);

enum { LANG_MANY = 1 << 20 };

struct lang_core {
    const char *name;
    const char *arguments; /* for doc: "[coll x & xs]" */
    const char *doc;
    uint32_t least, most;
    lang_core_fn call;  /* NULL: written in the language */
    const char *source; /* then its text: (fn name ...) */
};

/* By full name; NULL: no such function. */
const lang_core *avout__lang_core_find(const char *name);
/* In no order; NULL past the last. */
const lang_core *avout__lang_core_at(size_t index);
size_t avout__lang_core_index(const lang_core *core);
size_t avout__lang_core_count(void);
/* The function as a value; owned. AVOUT_NONE: the error is set. */
avout_value avout__lang_core_value(lang_run *run, const lang_core *core);
/* Calls the function of that name, which there is. */
avout_value avout__lang_core_call(lang_run *run, const char *name, size_t count,
                                  avout_value *arguments);

/* One list a theme; each ends with an entry without a name. */
extern const lang_core avout__lang_numbers[], avout__lang_predicates[], avout__lang_collections[],
    avout__lang_sequences[], avout__lang_texts[], avout__lang_output[], avout__lang_errors[],
    avout__lang_state[], avout__lang_changes[], avout__lang_watches[], avout__lang_regexes[],
    avout__lang_locks[], avout__lang_openings[], avout__lang_containers[],
    avout__lang_transducers[], avout__lang_spaces[], avout__lang_futures[], avout__lang_formats[],
    avout__lang_prelude[], avout__lang_bits[], avout__lang_math[], avout__lang_conversions[],
    avout__lang_chances[], avout__lang_makers[], avout__lang_sets[], avout__lang_strings[];

/* ---- the environment (environment.c) ------------------------------------------------------------ */

/* The threads of futures; see crew.c. */
typedef struct lang_crew {
    uint32_t forks; /* when it was made: a child has none of its threads */
    pthread_mutex_t lock;
    /* under the lock: */
    pthread_cond_t idle;
    avout__link queue, running; /* of futures */
    avout__link gone;           /* of workers that have ended */
    size_t workers, paused;
    bool ends;
} lang_crew;

struct avout_lang {
    atomic_uint refs;
    lang_crew crew;
    avout__link later; /* promises, futures, delays; see future.h */
    avout__interrupts interrupts;
    atomic_bool closing; /* what others call of the program's is not called any more */
    pthread_mutex_t lock;
    avout_lang_options options;
    avout_value vars;         /* under the lock: a map from symbols to boxes of lang_var */
    avout_value aliases;      /* under the lock: a map from strings to strings */
    avout_value *core_values; /* under the lock: by index in the table, made when first used */
    avout_value clients; /* under the lock: a vector of boxes of lang_client, all to be closed */
    avout_value client;  /* under the lock: that of (connect); AVOUT_NONE: not open */
    avout_value watched; /* under the lock: a set of [cell key], see state.h */
    atomic_bool lazy;    /* a lazy sequence was ever made here */
};

void avout__lang_ref(avout_lang *lang);
void avout__lang_unref(avout_lang *lang);

/* The var of that name, owned by the environment; NULL with `make`: no memory. */
lang_var *avout__lang_var(avout_lang *lang, avout_value symbol, bool make);
void avout__lang_var_set(lang_var *var, avout_value value);
avout_value avout__lang_var_get(lang_var *var); /* owned; AVOUT_NONE: it has no value */
/* What doc tells of it; both as those above. */
void avout__lang_var_document(lang_var *var, avout_value doc);
avout_value avout__lang_var_doc(lang_var *var);

/* A function for others to call; consumes `value`. */
avout_status avout__lang_function_new(avout_lang_function **function, avout_lang *lang,
                                      avout_value value);

/* What a qualified name's namespace stands for: "str" "clojure.string". Copied into `full`. */
bool avout__lang_namespace(avout_lang *lang, char *full, size_t size, const char *space,
                           size_t length);

/* ---- compiling (compile.h has the rest) --------------------------------------------------------- */

/* The node of a top-level form of the unit, and how many slots it needs. Errors are the run's. */
const lang_node *avout__lang_compile(lang_run *run, lang_unit *unit, const lang_form *form,
                                     uint32_t *slots);
/* Runs a node outside of any function; its slots are its own. */
avout_value avout__lang_execute(lang_run *run, lang_unit *unit, const lang_node *node,
                                uint32_t slots);
/* All forms of a text, one after the other; the value of the last one. */
avout_value avout__lang_load(lang_run *run, const char *text, size_t length);
/* The first form of a text as a value. */
avout_value avout__lang_read_value(lang_run *run, const char *text, size_t length);
/* The function that the text of an entry of the table stands for. */
avout_value avout__lang_evaluate_core(lang_run *run, const lang_core *core);

static inline avout_value lang_take(avout_value *place)
{
    avout_value value = *place;
    *place = AVOUT_NONE;
    return value;
}

#endif
