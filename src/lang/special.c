/* The special forms themselves: what cannot be said by others. */
#include "lang/compile.h"

#include <string.h>

#include "base/alloc.h"
#include "base/banned.h"

static void *take(lang_compiler *c, size_t count, size_t size)
{
    void *taken = avout__lang_arena_take(&c->unit->arena, count * size + 1);
    if (!taken) avout__lang_failed(c->run, AVOUT_ENOMEM);
    return taken;
}

/* ---- quote, do, if, and, or ---------------------------------------------------------------------- */

static const lang_node *compile_quote(lang_compiler *c, const lang_form *form, bool tail)
{
    (void)tail;
    if (form->count != 2) return avout__lang_bad(c, form, "quote: expected one form");
    avout_value value = avout__lang_form_value(form->items[1]);
    if (value.bits) return avout__lang_constant(c, form, value);
    avout__lang_failed(c->run, avout_none_status());
    return NULL;
}

static const lang_node *compile_do(lang_compiler *c, const lang_form *form, bool tail)
{
    return avout__lang_body(c, form, 1, tail);
}

/* One arm of an if. */
static const lang_node *arm(lang_compiler *c, const lang_form *form, uint32_t fork, uint32_t number,
                            bool tail)
{
    if (!avout__lang_arm(c, fork, number)) return NULL;
    const lang_node *node = avout__lang_form(c, form, tail);
    avout__lang_join(c);
    return node;
}

static const lang_node *compile_if(lang_compiler *c, const lang_form *form, bool tail)
{
    if (form->count != 3 && form->count != 4)
        return avout__lang_bad(c, form, "if: expected a test, what then, and perhaps what else");
    const lang_node *test = avout__lang_form(c, form->items[1], false);
    if (!test) return NULL;
    uint32_t fork = avout__lang_fork(c);
    const lang_node *then = arm(c, form->items[2], fork, 0, tail), *otherwise = NULL;
    if (!then) return NULL;
    if (form->count == 4 && !(otherwise = arm(c, form->items[3], fork, 1, tail))) return NULL;
    return avout__lang_if_node(c, form, test, then, otherwise);
}

static const lang_node *junction(lang_compiler *c, const lang_form *form, lang_eval_fn eval,
                                 bool empty, bool tail)
{
    if (form->count == 1)
        return avout__lang_constant(c, form, empty ? avout_bool(true) : avout_nil());
    lang_many_node *node = avout__lang_node(c, form, sizeof *node, eval);
    const lang_node **items = take(c, form->count, sizeof *items);
    if (!node || !items) return NULL;
    for (size_t i = 1; i < form->count; i++)
        if (!(items[i - 1] = avout__lang_form(c, form->items[i], tail && i + 1 == form->count)))
            return NULL;
    node->count = form->count - 1;
    node->items = items;
    return &node->node;
}

static const lang_node *compile_and(lang_compiler *c, const lang_form *form, bool tail)
{
    return junction(c, form, avout__lang_eval_and, true, tail);
}

static const lang_node *compile_or(lang_compiler *c, const lang_form *form, bool tail)
{
    return junction(c, form, avout__lang_eval_or, false, tail);
}

/* ---- let ----------------------------------------------------------------------------------------- */

static const lang_form *bindings_of(lang_compiler *c, const lang_form *form)
{
    const char *name = avout__lang_name(form->items[0]);
    const lang_form *bindings = form->count > 1 ? form->items[1] : NULL;
    if (!bindings || bindings->kind != FORM_VECTOR)
        avout__lang_bad(c, form, "%s: expected a vector of names and values", name);
    else if (bindings->count % 2)
        avout__lang_bad(c, bindings, "%s: a value is missing for the last name", name);
    else return bindings;
    return NULL;
}

static bool bind_all(lang_compiler *c, lang_steps *steps, const lang_form *bindings)
{
    for (size_t i = 0; i < bindings->count; i += 2) {
        uint32_t slot;
        const lang_node *value = avout__lang_form(c, bindings->items[i + 1], false);
        if (!value || !avout__lang_slot(c, bindings, &slot) ||
            !avout__lang_step_add(c, steps, slot, value) ||
            !avout__lang_pattern(c, steps, bindings->items[i], slot))
            return false;
    }
    return true;
}

static const lang_node *compile_let(lang_compiler *c, const lang_form *form, bool tail)
{
    const lang_form *bindings = bindings_of(c, form);
    lang_steps steps = {0};
    if (!bindings) return NULL;
    size_t outside = c->scope->local_count;
    const lang_node *body =
        bind_all(c, &steps, bindings) ? avout__lang_body(c, form, 2, tail) : NULL;
    c->scope->local_count = outside;
    return avout__lang_let_node(c, form, &steps, body);
}

/* ---- loop, recur --------------------------------------------------------------------------------- */

/* The slots that recur sets are one behind the other: all are taken before anything else. */
static bool loop_values(lang_compiler *c, const lang_form *bindings, lang_set_slot *sets,
                        uint32_t first)
{
    lang_steps steps = {0};
    bool fine = true;
    size_t outside = c->scope->local_count;
    /* The initial values may use the names before them; the patterns of those are taken apart once
     * here for them, and again in the body. */
    for (size_t i = 0; i < bindings->count / 2 && fine; i++) {
        sets[i].slot = first + (uint32_t)i;
        const lang_form *pattern = bindings->items[2 * i];
        const lang_node *value = avout__lang_form(c, bindings->items[2 * i + 1], false);
        steps.count = 0;
        fine = value && avout__lang_pattern(c, &steps, pattern, sets[i].slot);
        if (!fine) break;
        /* What the body needs must not be taken by the next initial value. */
        for (size_t n = outside; n < c->scope->local_count; n++) c->scope->locals[n].shared = true;
        sets[i].value = value;
        if (!steps.count) continue;
        /* Sets the slot and its parts, and is the slot's value. */
        lang_steps all = {0};
        fine = fine && avout__lang_step_add(c, &all, sets[i].slot, value);
        for (size_t s = 0; s < steps.count && fine; s++)
            fine = avout__lang_step_add(c, &all, steps.at[s].slot, steps.at[s].node);
        const lang_node *itself = fine ? avout__lang_slot_node(c, pattern, sets[i].slot) : NULL;
        sets[i].value = avout__lang_let_node(c, pattern, &all, itself);
        fine = sets[i].value != NULL;
    }
    avout__free(steps.at);
    return fine;
}

static const lang_node *loop_body(lang_compiler *c, const lang_form *form,
                                  const lang_form *bindings, uint32_t first)
{
    lang_steps steps = {0};
    bool fine = true;
    for (size_t i = 0; i < bindings->count / 2 && fine; i++)
        fine = avout__lang_pattern(c, &steps, bindings->items[2 * i], first + (uint32_t)i);
    const lang_node *body = fine ? avout__lang_body(c, form, 2, true) : NULL;
    return avout__lang_let_node(c, form, &steps, body);
}

static const lang_node *compile_loop(lang_compiler *c, const lang_form *form, bool tail)
{
    (void)tail;
    lang_scope *s = c->scope;
    const lang_form *bindings = bindings_of(c, form);
    if (!bindings) return NULL;
    lang_let_node *node = avout__lang_node(c, form, sizeof *node, avout__lang_eval_loop);
    lang_set_slot *sets = take(c, bindings->count, sizeof *sets);
    if (!node || !sets) return NULL;
    uint32_t first = s->slots, unused;
    for (size_t i = 0; i < bindings->count / 2; i++)
        if (!avout__lang_slot(c, bindings, &unused)) return NULL;
    size_t outside = s->local_count;
    bool outer = s->can_recur;
    uint32_t outer_slot = s->recur_slot, outer_count = s->recur_count;
    bool fine = loop_values(c, bindings, sets, first);
    s->local_count = outside;
    s->can_recur = true;
    s->recur_slot = first;
    s->recur_count = (uint32_t)(bindings->count / 2);
    s->loops++;
    if (fine) node->body = loop_body(c, form, bindings, first);
    s->loops--;
    s->can_recur = outer;
    s->recur_slot = outer_slot;
    s->recur_count = outer_count;
    s->local_count = outside;
    node->count = bindings->count / 2;
    node->sets = sets;
    return node->body ? &node->node : NULL;
}

static const lang_node *compile_recur(lang_compiler *c, const lang_form *form, bool tail)
{
    lang_scope *s = c->scope;
    if (!s->can_recur) return avout__lang_bad(c, form, "recur: there is no loop or fn around it");
    if (!tail)
        return avout__lang_bad(c, form, "recur: it must be the last thing its loop or fn does");
    if (form->count - 1 != s->recur_count)
        return avout__lang_bad(c, form, "recur: %zu values given, expected %u", form->count - 1,
                               s->recur_count);
    lang_let_node *node = avout__lang_node(c, form, sizeof *node, avout__lang_eval_recur);
    lang_set_slot *sets = take(c, form->count, sizeof *sets);
    if (!node || !sets) return NULL;
    for (size_t i = 1; i < form->count; i++) {
        sets[i - 1].slot = s->recur_slot + (uint32_t)i - 1;
        if (!(sets[i - 1].value = avout__lang_form(c, form->items[i], false))) return NULL;
    }
    node->count = form->count - 1;
    node->sets = sets;
    return &node->node;
}

/* ---- def ----------------------------------------------------------------------------------------- */

static lang_var_node *def_node(lang_compiler *c, const lang_form *form, const lang_form *name)
{
    if (!avout__lang_is_symbol(name) || strchr(avout__lang_name(name), '/')) {
        avout__lang_bad(c, name, "%s: expected a name to define", avout__lang_name(form->items[0]));
        return NULL;
    }
    lang_var_node *node = avout__lang_node(c, form, sizeof *node, avout__lang_eval_def);
    if (!node) return NULL;
    node->var = avout__lang_var(c->run->lang, name->value, true);
    if (!node->var) avout__lang_failed(c->run, AVOUT_ENOMEM);
    return node->var ? node : NULL;
}

static bool is_string(const lang_form *form)
{
    return form->kind == FORM_VALUE && avout_value_type(form->value) == AVOUT_TYPE_STRING;
}

/* "(name x y)" for a vector of arguments, as it is written. */
static avout_status add_call(avout__buffer *text, const lang_unit *unit, const char *name,
                             const lang_form *arguments)
{
    const lang_place *place = &arguments->place;
    if (arguments->kind != FORM_VECTOR || place->end - place->begin < 2) return AVOUT_OK;
    size_t length = place->end - place->begin - 2;
    return avout__buffer_add_format(text, "(%s%s%.*s)\n", name, length ? " " : "", (int)length,
                                    unit->source + (place->begin - unit->begin) + 1);
}

/* What doc tells of a name: how it is called, if it is a function (items[from] are its arguments, or what begins
 * with them), and its text, if it has one. False: the error is set. */
static bool document(lang_compiler *c, lang_var *var, const lang_form *form, size_t from)
{
    avout__buffer text = AVOUT__BUFFER_INIT;
    const char *doc;
    avout_status status = AVOUT_OK;
    if (!from) status = avout__buffer_add_format(&text, "%s\n", var->name);
    for (size_t i = from; from && i < form->count && !status; i++) {
        const lang_form *item = form->items[i];
        bool several = item->kind == FORM_LIST && item->count;
        status = add_call(&text, c->unit, var->name, several ? item->items[0] : item);
        if (!several) break;
    }
    if (!status && form->count > 2 && is_string(form->items[2])) {
        avout_value_to_text(&doc, NULL, form->items[2]->value);
        status = avout__buffer_add_format(&text, "  %s\n", doc);
    }
    avout_value value = AVOUT_NONE;
    if (!status && text.length > 1) value = avout_string_n(text.data, text.length - 1);
    if (!status && !value.bits && text.length > 1) status = avout_none_status();
    avout__buffer_release(&text);
    if (status) return avout__lang_failed(c->run, status).bits;
    avout__lang_var_document(var, value);
    return true;
}

static const lang_node *compile_def(lang_compiler *c, const lang_form *form, bool tail)
{
    (void)tail;
    bool doc = form->count == 4 && is_string(form->items[2]);
    if (form->count < 2 || form->count > (doc ? 4u : 3u))
        return avout__lang_bad(c, form, "def: expected a name and a value");
    lang_var_node *node = def_node(c, form, form->items[1]);
    if (!node) return NULL;
    if (form->count == 2) return &node->node;
    node->value = avout__lang_form(c, form->items[form->count - 1], false);
    if (node->value && doc && !document(c, node->var, form, 0)) return NULL;
    if (node->value && !doc) avout__lang_var_document(node->var, AVOUT_NONE);
    return node->value ? &node->node : NULL;
}

/* (defn name doc? attributes? [args] body...) or (defn name doc? ([args] body...) ...) */
static const lang_node *compile_defn(lang_compiler *c, const lang_form *form, bool tail)
{
    (void)tail;
    if (form->count < 3)
        return avout__lang_bad(c, form, "defn: expected a name, arguments in a vector, a body");
    lang_var_node *node = def_node(c, form, form->items[1]);
    if (!node) return NULL;
    size_t from = 2;
    if (is_string(form->items[from])) from++;
    if (from < form->count && form->items[from]->kind == FORM_MAP) from++;
    /* By its name the function finds the var, which may be defined again. */
    node->value = avout__lang_fn_node(c, form, avout__lang_name(form->items[1]), false, from);
    return node->value && document(c, node->var, form, from) ? &node->node : NULL;
}

static const lang_node *compile_declare(lang_compiler *c, const lang_form *form, bool tail)
{
    (void)tail;
    for (size_t i = 1; i < form->count; i++)
        if (!def_node(c, form, form->items[i])) return NULL;
    return avout__lang_constant(c, form, avout_nil());
}

static const lang_node *compile_defonce(lang_compiler *c, const lang_form *form, bool tail)
{
    (void)tail;
    if (form->count != 3) return avout__lang_bad(c, form, "defonce: expected a name and a value");
    lang_var_node *node = def_node(c, form, form->items[1]);
    if (!node) return NULL;
    node->node.eval = avout__lang_eval_defonce;
    node->value = avout__lang_form(c, form->items[2], false);
    return node->value ? &node->node : NULL;
}

static const lang_node *compile_var(lang_compiler *c, const lang_form *form, bool tail)
{
    (void)tail;
    if (form->count != 2 || !avout__lang_is_symbol(form->items[1]))
        return avout__lang_bad(c, form, "var: expected a name");
    /* A function of the core is its own var. */
    lang_var *var = avout__lang_var(c->run->lang, form->items[1]->value, false);
    if (!var) return avout__lang_form(c, form->items[1], false);
    lang_var_node *node = avout__lang_node(c, form, sizeof *node, avout__lang_eval_def);
    if (!node) return NULL;
    node->var = var;
    return &node->node;
}

/* ---- try ----------------------------------------------------------------------------------------- */

static bool is_clause(const lang_form *form, const char *name)
{
    return form->kind == FORM_LIST && form->count && avout__lang_is_named(form->items[0], name);
}

/* A body that recur cannot leave. */
static const lang_node *closed_body(lang_compiler *c, const lang_form *form, size_t from)
{
    return avout__lang_body(c, form, from, false);
}

static bool compile_catch(lang_compiler *c, const lang_form *form, lang_catch_clause *clause)
{
    if (form->count < 3 || !avout__lang_is_symbol(form->items[1]) ||
        !avout__lang_is_symbol(form->items[2]))
        return avout__lang_bad(c, form, "catch: expected a class, as Exception, and a name");
    clause->class_name = avout__lang_name(form->items[1]);
    bool known;
    avout__lang_error_is(NULL, clause->class_name, &known);
    if (!known)
        return avout__lang_bad_status(c, form->items[1], AVOUT_ENAME,
                                      "catch: unknown class %.60s; Exception is all errors",
                                      clause->class_name);
    size_t outside = c->scope->local_count;
    if (avout__lang_slot(c, form, &clause->slot) &&
        avout__lang_bind(c, form, avout__lang_name(form->items[2]), clause->slot))
        clause->body = closed_body(c, form, 3);
    c->scope->local_count = outside;
    return clause->body != NULL;
}

static const lang_node *compile_try(lang_compiler *c, const lang_form *form, bool tail)
{
    (void)tail;
    size_t end = 1;
    while (end < form->count && !is_clause(form->items[end], "catch") &&
           !is_clause(form->items[end], "finally"))
        end++;
    lang_try_node *node = avout__lang_node(c, form, sizeof *node, avout__lang_eval_try);
    lang_catch_clause *clauses = take(c, form->count, sizeof *clauses);
    if (!node || !clauses) return NULL;
    lang_form body = *form;
    body.count = end;
    if (!(node->body = closed_body(c, &body, 1))) return NULL;
    for (size_t i = end; i < form->count; i++) {
        const lang_form *clause = form->items[i];
        bool last = is_clause(clause, "finally");
        if (node->finally || (!last && !is_clause(clause, "catch")))
            return avout__lang_bad(c, clause, "try: expected catch clauses and one finally last");
        if (last && !(node->finally = closed_body(c, clause, 1))) return NULL;
        if (!last && !compile_catch(c, clause, &clauses[node->count++])) return NULL;
    }
    node->clauses = clauses;
    return &node->node;
}

/* ---- case ---------------------------------------------------------------------------------------- */

/* Adds one constant, or those of a list, for branch `index`. */
static bool case_constants(lang_compiler *c, avout_value *table, const lang_form *form,
                           int64_t index)
{
    size_t count = form->kind == FORM_LIST ? form->count : 1;
    for (size_t i = 0; i < count; i++) {
        const lang_form *one = form->kind == FORM_LIST ? form->items[i] : form;
        avout_value constant = avout__lang_form_value(one);
        bool twice = false;
        avout_status status = avout_value_contains(&twice, *table, constant);
        if (!status && !twice) status = avout_assoc(table, constant, avout_int(index));
        else avout_release(constant);
        if (twice) return avout__lang_bad(c, one, "case: this constant is there twice");
        if (status) return avout__lang_failed(c->run, status).bits;
    }
    return true;
}

static const lang_node *compile_case(lang_compiler *c, const lang_form *form, bool tail)
{
    if (form->count < 2) return avout__lang_bad(c, form, "case: expected a value");
    size_t pairs = (form->count - 2) / 2;
    lang_case_node *node = avout__lang_node(c, form, sizeof *node, avout__lang_eval_case);
    const lang_node **branches = take(c, pairs, sizeof *branches);
    avout_value table = avout_map(0, NULL);
    if (!node || !branches || !(node->value = avout__lang_form(c, form->items[1], false))) {
        avout_release(table);
        return NULL;
    }
    uint32_t fork = avout__lang_fork(c);
    bool fine = true;
    for (size_t i = 0; i < pairs && fine; i++) {
        fine = case_constants(c, &table, form->items[2 + 2 * i], (int64_t)i);
        if (fine) branches[i] = arm(c, form->items[3 + 2 * i], fork, (uint32_t)i, tail);
        fine = fine && branches[i];
    }
    node->branches = branches;
    node->table = avout__lang_arena_keep(&c->unit->arena, table);
    if (fine && !node->table.bits) avout__lang_failed(c->run, AVOUT_ENOMEM);
    if (!fine || !node->table.bits) return NULL;
    if (form->count % 2) {
        node->otherwise = arm(c, form->items[form->count - 1], fork, (uint32_t)pairs, tail);
        if (!node->otherwise) return NULL;
    }
    return &node->node;
}

/* ---- fn ------------------------------------------------------------------------------------------ */

static const lang_node *compile_fn(lang_compiler *c, const lang_form *form, bool tail)
{
    (void)tail;
    bool named = form->count > 1 && avout__lang_is_symbol(form->items[1]);
    return avout__lang_fn_node(c, form, named ? avout__lang_name(form->items[1]) : NULL, named,
                               named ? 2 : 1);
}

const lang_special avout__lang_specials[] = {
    {"quote", "form", "the form itself, not evaluated; also 'form", compile_quote},
    {"do", "forms...", "evaluates the forms in their order; the value of the last", compile_do},
    {"if", "test then else?", "then if test is neither nil nor false, otherwise else", compile_if},
    {"and", "forms...", "the first that is nil or false, or the last", compile_and},
    {"or", "forms...", "the first that is neither nil nor false, or the last", compile_or},
    {"let", "[name value ...] body...", "the body with names for values", compile_let},
    {"let*", "[name value ...] body...", "let", compile_let},
    {"loop", "[name value ...] body...", "let, to which recur in the body goes back", compile_loop},
    {"loop*", "[name value ...] body...", "loop", compile_loop},
    {"recur", "values...", "goes back to the loop or fn around with these values", compile_recur},
    {"fn", "name? [args...] body... or ([args...] body...)...", "a function", compile_fn},
    {"fn*", "[args...] body...", "fn", compile_fn},
    {"def", "name doc? value?", "defines the name", compile_def},
    {"defn", "name doc? [args...] body...", "defines a function", compile_defn},
    {"defn-", "name doc? [args...] body...", "defn", compile_defn},
    {"defonce", "name value", "defines the name unless it is", compile_defonce},
    {"declare", "names...", "makes names known that are defined later", compile_declare},
    {"var", "name", "the var of a name, also #'name", compile_var},
    {"try", "body... (catch class e body...)... (finally body...)?",
     "the body; when it throws, the first catch that fits; finally in any case", compile_try},
    {"case", "value constant then ... else?", "the branch whose constant equals the value",
     compile_case},
    {NULL, NULL, NULL, NULL},
};
