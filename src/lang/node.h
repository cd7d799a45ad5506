/* Nodes: what forms are compiled to. Each knows the function that evaluates it. */
#ifndef AVOUT_LANG_NODE_H
#define AVOUT_LANG_NODE_H

#include "lang/lang.h"

/* What a running function has. */
struct lang_frame {
    lang_run *run;
    lang_unit *unit;
    const lang_closure *closure; /* NULL at the top level */
    avout_value self;            /* the closure as a value; borrowed */
    avout_value *slots;
};

/* Answers an owned value, or AVOUT_NONE (L4). */
typedef avout_value (*lang_eval_fn)(const lang_node *node, lang_frame *frame);

struct lang_node {
    lang_eval_fn eval;
    lang_place place;
};

static inline avout_value lang_eval(const lang_node *node, lang_frame *frame)
{
    return node->eval(node, frame);
}

typedef struct lang_constant_node {
    lang_node node;
    avout_value value;
} lang_constant_node;

typedef struct lang_local_node {
    lang_node node;
    uint32_t index;
} lang_local_node;

typedef struct lang_var_node {
    lang_node node;
    lang_var *var;
    const lang_node *value; /* def: NULL: declares */
} lang_var_node;

typedef struct lang_if_node {
    lang_node node;
    const lang_node *test, *then, *otherwise; /* otherwise may be NULL */
} lang_if_node;

/* do, and, or, collections, calls */
typedef struct lang_many_node {
    lang_node node;
    const lang_core *core;     /* of a call to a function of the table */
    const lang_node *function; /* of any other call */
    size_t count;
    const lang_node *const *items;
} lang_many_node;

typedef struct lang_set_slot {
    uint32_t slot;
    const lang_node *value;
} lang_set_slot;

/* let, loop; recur has no body */
typedef struct lang_let_node {
    lang_node node;
    const lang_node *body;
    size_t count;
    const lang_set_slot *sets;
} lang_let_node;

typedef struct lang_fn_node {
    lang_node node;
    const lang_function *function;
} lang_fn_node;

typedef struct lang_case_node {
    lang_node node;
    const lang_node *value;
    avout_value table; /* constant -> index of its branch */
    const lang_node *const *branches;
    const lang_node *otherwise; /* NULL: no match is an error */
} lang_case_node;

typedef struct lang_catch_clause {
    const char *class_name;
    uint32_t slot;
    const lang_node *body;
} lang_catch_clause;

typedef struct lang_try_node {
    lang_node node;
    const lang_node *body;
    size_t count;
    const lang_catch_clause *clauses;
    const lang_node *finally; /* NULL: none */
} lang_try_node;

/* for and doseq: a nest of these, each the body of the one before */
typedef struct lang_each_node {
    lang_node node;
    const char *name;
    const lang_node *source;
    uint32_t slot;
    uint32_t results;      /* for: the slot of the vector in the making */
    const lang_node *body; /* answers false to end the walk */
} lang_each_node;

avout_value avout__lang_eval_constant(const lang_node *node, lang_frame *frame);
avout_value avout__lang_eval_slot(const lang_node *node, lang_frame *frame);
avout_value avout__lang_eval_last(const lang_node *node, lang_frame *frame);
avout_value avout__lang_eval_capture(const lang_node *node, lang_frame *frame);
avout_value avout__lang_eval_self(const lang_node *node, lang_frame *frame);
avout_value avout__lang_eval_var(const lang_node *node, lang_frame *frame);
avout_value avout__lang_eval_def(const lang_node *node, lang_frame *frame);
avout_value avout__lang_eval_defonce(const lang_node *node, lang_frame *frame);
avout_value avout__lang_eval_if(const lang_node *node, lang_frame *frame);
avout_value avout__lang_eval_do(const lang_node *node, lang_frame *frame);
avout_value avout__lang_eval_and(const lang_node *node, lang_frame *frame);
avout_value avout__lang_eval_or(const lang_node *node, lang_frame *frame);
avout_value avout__lang_eval_list(const lang_node *node, lang_frame *frame);
avout_value avout__lang_eval_vector(const lang_node *node, lang_frame *frame);
avout_value avout__lang_eval_map(const lang_node *node, lang_frame *frame);
avout_value avout__lang_eval_set(const lang_node *node, lang_frame *frame);
avout_value avout__lang_eval_call(const lang_node *node, lang_frame *frame);
avout_value avout__lang_eval_core(const lang_node *node, lang_frame *frame);
avout_value avout__lang_eval_let(const lang_node *node, lang_frame *frame);
avout_value avout__lang_eval_loop(const lang_node *node, lang_frame *frame);
avout_value avout__lang_eval_recur(const lang_node *node, lang_frame *frame);
avout_value avout__lang_eval_fn(const lang_node *node, lang_frame *frame);
avout_value avout__lang_eval_case(const lang_node *node, lang_frame *frame);
avout_value avout__lang_eval_try(const lang_node *node, lang_frame *frame);
avout_value avout__lang_eval_each(const lang_node *node, lang_frame *frame);

#endif
