/* fn: arguments, arities, what it captures. */
#include "lang/compile.h"

#include <string.h>

#include "base/alloc.h"
#include "base/banned.h"

/* [a b & more]: binds the first slots of the scope to the patterns. */
static bool arguments(lang_compiler *c, lang_arity *arity, const lang_form *form, lang_steps *steps)
{
    size_t count = form->count;
    for (size_t i = 0; i < count; i++) {
        if (!avout__lang_is_named(form->items[i], "&")) continue;
        if (i + 2 != count) return avout__lang_bad(c, form, "fn: expected one name behind &");
        arity->rest = true;
    }
    arity->required = (uint32_t)(count - (arity->rest ? 2 : 0));
    uint32_t total = arity->required + arity->rest, slot;
    for (uint32_t i = 0; i < total; i++)
        if (!avout__lang_slot(c, form, &slot)) return false;
    for (uint32_t i = 0; i < total; i++) {
        size_t at = i < arity->required ? i : count - 1;
        if (!avout__lang_pattern(c, steps, form->items[at], i)) return false;
    }
    return true;
}

/* ---- conditions ---------------------------------------------------------------------------------------- */

/* The vector of {:pre [...]} or {:post [...]}; NULL: there is none. */
static const lang_form *condition(const lang_form *map, const char *key)
{
    for (size_t i = 0; i + 1 < map->count; i += 2) {
        const char *name = avout__lang_name(map->items[i]);
        if (name && !avout__lang_is_symbol(map->items[i]) && !strcmp(name, key) &&
            map->items[i + 1]->kind == FORM_VECTOR)
            return map->items[i + 1];
    }
    return NULL;
}

/* (assert test) for each of them, behind parts[count]; answers how many parts there are then. */
static size_t assertions(lang_compiler *c, const lang_form **parts, size_t count,
                         const lang_form *tests)
{
    for (size_t i = 0; tests && i < tests->count; i++)
        parts[count++] = avout__lang_expand(c, tests->items[i], "assert", 1, tests->items + i);
    return count;
}

/* {:pre [a] :post [b]} body...: (do (assert a) (let [% (do body...)] (assert b) %)). Without :post the body's
 * last form stays the last one, so that it may recur. */
static const lang_form *checked(lang_compiler *c, const lang_form *form, size_t map)
{
    const lang_form *pre = condition(form->items[map], "pre");
    const lang_form *post = condition(form->items[map], "post");
    const lang_form **parts =
        avout__lang_room(c, form->count + (pre ? pre->count : 0) + (post ? post->count + 2 : 0));
    if (!parts) return NULL;
    if (post) {
        const lang_form *result = avout__lang_form_symbol(&c->unit->arena, form, "%");
        const lang_form *bindings[] = {
            result,
            avout__lang_expand(c, form, "do", form->count - map - 1, form->items + map + 1)};
        parts[0] = avout__lang_vector_form(c, form, 2, bindings);
        size_t count = assertions(c, parts, 1, post);
        parts[count++] = result;
        const lang_form *let = avout__lang_expand(c, form, "let", count, parts);
        count = assertions(c, parts, 0, pre);
        parts[count++] = let;
        return avout__lang_expand(c, form, "do", count, parts);
    }
    size_t count = assertions(c, parts, 0, pre);
    for (size_t i = map + 1; i < form->count; i++) parts[count++] = form->items[i];
    return avout__lang_expand(c, form, "do", count, parts);
}

static const lang_node *compile_body(lang_compiler *c, const lang_form *form, size_t from)
{
    /* A map alone is the value. */
    bool conditions = from + 1 < form->count && form->items[from]->kind == FORM_MAP;
    if (conditions) return avout__lang_expanded(c, checked(c, form, from), true);
    return avout__lang_body(c, form, from, true);
}

/* ---- arities ------------------------------------------------------------------------------------------- */

/* ([args] body...), from items[from] on. */
static bool compile_arity(lang_compiler *c, lang_arity *arity, const lang_form *form, size_t from)
{
    lang_scope *s = c->scope;
    lang_steps steps = {0};
    if (from >= form->count || form->items[from]->kind != FORM_VECTOR)
        return avout__lang_bad(c, form, "fn: expected a vector of arguments");
    s->local_count = 0;
    s->slots = 0;
    s->branch = NULL;
    bool fine = arguments(c, arity, form->items[from], &steps);
    s->can_recur = true;
    s->recur_slot = 0;
    s->recur_count = arity->required + arity->rest;
    const lang_node *body = fine ? compile_body(c, form, from + 1) : NULL;
    arity->body = avout__lang_let_node(c, form, &steps, body);
    arity->slots = s->slots;
    return arity->body != NULL;
}

static bool in_order(lang_compiler *c, const lang_form *form, lang_arity *arities, size_t count)
{
    for (size_t i = 1; i < count; i++)
        for (size_t j = i; j > 0; j--) {
            lang_arity *a = &arities[j - 1], *b = &arities[j], swap = *a;
            if ((a->rest && b->rest) || (a->rest == b->rest && a->required == b->required))
                return avout__lang_bad(c, form, "fn: two bodies take the same number of arguments");
            if (a->rest < b->rest || (a->rest == b->rest && a->required < b->required)) break;
            *a = *b;
            *b = swap;
        }
    if (count > 1 && arities[count - 1].rest &&
        arities[count - 2].required > arities[count - 1].required)
        return avout__lang_bad(c, form, "fn: a body takes more arguments than the one with &");
    return true;
}

static bool compile_arities(lang_compiler *c, lang_function *function, const lang_form *form,
                            size_t from)
{
    bool several = from < form->count && form->items[from]->kind == FORM_LIST;
    size_t count = several ? form->count - from : 1;
    lang_arity *arities = avout__lang_arena_take(&c->unit->arena, count * sizeof *arities);
    if (!arities) return avout__lang_failed(c->run, AVOUT_ENOMEM).bits;
    for (size_t i = 0; i < count; i++) {
        const lang_form *body = several ? form->items[from + i] : form;
        if (several && body->kind != FORM_LIST)
            return avout__lang_bad(c, body, "fn: expected ([arguments...] body...)");
        if (!compile_arity(c, &arities[i], body, several ? 0 : from)) return false;
    }
    function->arities = arities;
    function->arity_count = count;
    return in_order(c, form, arities, count);
}

static const lang_node *finish(lang_compiler *c, const lang_form *form, lang_function *function,
                               const lang_scope *scope)
{
    lang_source *captures =
        avout__lang_arena_take(&c->unit->arena, (scope->capture_count + 1) * sizeof *captures);
    lang_fn_node *node = avout__lang_node(c, form, sizeof *node, avout__lang_eval_fn);
    if (!captures || !node) return NULL;
    for (size_t i = 0; i < scope->capture_count; i++) captures[i] = scope->captures[i].source;
    function->captures = captures;
    function->capture_count = scope->capture_count;
    function->unit = c->unit;
    node->function = function;
    return &node->node;
}

const lang_node *avout__lang_fn_node(lang_compiler *c, const lang_form *form, const char *name,
                                     bool self, size_t from)
{
    lang_function *function = avout__lang_arena_take(&c->unit->arena, sizeof *function);
    if (!function) {
        avout__lang_failed(c->run, AVOUT_ENOMEM);
        return NULL;
    }
    lang_scope scope = {.outer = c->scope, .self = self ? name : NULL};
    function->name = name ? name : "fn";
    c->scope = &scope;
    bool fine = compile_arities(c, function, form, from);
    c->scope = scope.outer;
    const lang_node *node = fine ? finish(c, form, function, &scope) : NULL;
    avout__lang_scope_release(&scope);
    return node;
}

const lang_node *avout__lang_thunk_node(lang_compiler *c, const lang_form *form, size_t from)
{
    lang_form empty = {.kind = FORM_VECTOR, .place = form->place};
    size_t count = form->count - from + 1;
    const lang_form **items = avout__lang_arena_take(&c->unit->arena, (count + 1) * sizeof *items);
    if (!items) {
        avout__lang_failed(c->run, AVOUT_ENOMEM);
        return NULL;
    }
    items[0] = &empty;
    for (size_t i = from; i < form->count; i++) items[i - from + 1] = form->items[i];
    lang_form body = {FORM_LIST, form->place, AVOUT_NONE, count, items};
    return avout__lang_fn_node(c, &body, NULL, false, 0);
}
