/* for, doseq, dotimes, while; and where special forms are looked up. */
#include "lang/compile.h"

#include <string.h>

#include "base/banned.h"

/* ---- for, doseq ---------------------------------------------------------------------------------- */

/* for and doseq are a nest of walks. What is in the middle answers true to go on; :while ends the walk
 * it belongs to by answering false. */
typedef struct nest {
    const lang_form *form;
    const lang_form *bindings;
    bool collects;
    uint32_t results;
} nest;

static const lang_node *clauses(lang_compiler *c, const nest *n, size_t at);

static const lang_node *go_on(lang_compiler *c, const nest *n, const lang_node *node)
{
    const lang_node *yes = avout__lang_constant(c, n->form, avout_bool(true));
    lang_many_node *both = avout__lang_node(c, n->form, sizeof *both, avout__lang_eval_do);
    const lang_node **items = avout__lang_arena_take(&c->unit->arena, 2 * sizeof *items);
    if (!node || !yes || !both || !items) return NULL;
    items[0] = node;
    items[1] = yes;
    both->count = 2;
    both->items = items;
    return &both->node;
}

static const lang_node *innermost(lang_compiler *c, const nest *n)
{
    const lang_node *body = avout__lang_body(c, n->form, 2, false);
    if (!body || !n->collects) return go_on(c, n, body);
    /* The vector is taken out of its slot, so that it grows in place. */
    lang_local_node *results = avout__lang_node(c, n->form, sizeof *results, avout__lang_eval_last);
    if (!results) return NULL;
    results->index = n->results;
    const lang_node *arguments[] = {&results->node, body};
    lang_let_node *set = avout__lang_node(c, n->form, sizeof *set, avout__lang_eval_let);
    lang_set_slot *sets = avout__lang_arena_take(&c->unit->arena, sizeof *sets);
    const lang_node *longer = avout__lang_core_node(c, n->form, "append*", 2, arguments);
    const lang_node *yes = avout__lang_constant(c, n->form, avout_bool(true));
    if (!set || !sets || !longer || !yes) return NULL;
    *sets = (lang_set_slot){n->results, longer};
    set->count = 1;
    set->sets = sets;
    set->body = yes;
    return &set->node;
}

static const lang_node *walk(lang_compiler *c, const nest *n, size_t at)
{
    lang_steps steps = {0};
    const lang_form *pattern = n->bindings->items[at];
    lang_each_node *each = avout__lang_node(c, n->form, sizeof *each, avout__lang_eval_each);
    if (!each || !(each->source = avout__lang_form(c, n->bindings->items[at + 1], false)) ||
        !avout__lang_slot(c, pattern, &each->slot))
        return NULL;
    each->name = n->collects ? "for" : "doseq";
    c->scope->loops++;
    bool fine = avout__lang_pattern(c, &steps, pattern, each->slot);
    const lang_node *body = fine ? clauses(c, n, at + 2) : NULL;
    c->scope->loops--;
    each->body = avout__lang_let_node(c, n->form, &steps, body);
    return each->body ? &each->node : NULL;
}

static const lang_node *let_clause(lang_compiler *c, const nest *n, size_t at)
{
    lang_steps steps = {0};
    const lang_form *let = n->bindings->items[at + 1];
    if (let->kind != FORM_VECTOR || let->count % 2)
        return avout__lang_bad(c, let, ":let: expected a vector of names and values");
    bool fine = true;
    for (size_t i = 0; i < let->count && fine; i += 2) {
        uint32_t slot;
        const lang_node *value = avout__lang_form(c, let->items[i + 1], false);
        fine = value && avout__lang_slot(c, let, &slot) &&
               avout__lang_step_add(c, &steps, slot, value) &&
               avout__lang_pattern(c, &steps, let->items[i], slot);
    }
    return avout__lang_let_node(c, n->form, &steps, fine ? clauses(c, n, at + 2) : NULL);
}

/* The clauses from `at` on. */
static const lang_node *clauses(lang_compiler *c, const nest *n, size_t at)
{
    if (at >= n->bindings->count) return innermost(c, n);
    const lang_form *left = n->bindings->items[at], *right = n->bindings->items[at + 1];
    const char *word = avout__lang_name(left);
    if (!word || avout__lang_is_symbol(left)) return walk(c, n, at);
    if (!strcmp(word, "let")) return let_clause(c, n, at);
    bool when = !strcmp(word, "when");
    if (!when && strcmp(word, "while"))
        return avout__lang_bad(c, left, "unknown modifier :%.60s: expected :let, :when or :while",
                               word);
    const lang_node *test = avout__lang_form(c, right, false);
    const lang_node *then = test ? clauses(c, n, at + 2) : NULL;
    const lang_node *other = avout__lang_constant(c, left, avout_bool(when));
    return then && other ? avout__lang_if_node(c, left, test, then, other) : NULL;
}

static bool nest_init(lang_compiler *c, nest *n, const lang_form *form)
{
    const char *name = avout__lang_name(form->items[0]);
    *n = (nest){.form = form, .collects = *name == 'f'};
    if (form->count < 2 || form->items[1]->kind != FORM_VECTOR)
        return avout__lang_bad(c, form, "%s: expected a vector of names and collections", name);
    n->bindings = form->items[1];
    if (n->bindings->count % 2 || !n->bindings->count)
        return avout__lang_bad(c, n->bindings, "%s: a collection is missing for the last name",
                               name);
    if (avout__lang_name(n->bindings->items[0]) && !avout__lang_is_symbol(n->bindings->items[0]))
        return avout__lang_bad(c, n->bindings, "%s: a name and a collection come first", name);
    return true;
}

static const lang_node *compile_doseq(lang_compiler *c, const lang_form *form, bool tail)
{
    (void)tail;
    nest n;
    size_t outside = c->scope->local_count;
    const lang_node *walks = nest_init(c, &n, form) ? clauses(c, &n, 0) : NULL;
    c->scope->local_count = outside;
    if (!walks) return NULL;
    lang_steps steps = {0};
    uint32_t slot;
    if (!avout__lang_slot(c, form, &slot) || !avout__lang_step_add(c, &steps, slot, walks))
        return NULL;
    return avout__lang_let_node(c, form, &steps, avout__lang_constant(c, form, avout_nil()));
}

/* for, all at once. */
static const lang_node *compile_for_all(lang_compiler *c, const lang_form *form, bool tail)
{
    (void)tail;
    nest n;
    lang_steps steps = {0};
    uint32_t done;
    size_t outside = c->scope->local_count;
    if (!nest_init(c, &n, form) || !avout__lang_slot(c, form, &n.results) ||
        !avout__lang_slot(c, form, &done))
        return NULL;
    const lang_node *walks = clauses(c, &n, 0);
    c->scope->local_count = outside;
    bool fine = walks &&
                avout__lang_step_add(c, &steps, n.results,
                                     avout__lang_constant(c, form, avout_vector(0, NULL))) &&
                avout__lang_step_add(c, &steps, done, walks);
    lang_local_node *results = avout__lang_node(c, form, sizeof *results, avout__lang_eval_last);
    const lang_node *list = NULL;
    if (fine && results) {
        results->index = n.results;
        const lang_node *argument = &results->node;
        list = avout__lang_core_node(c, form, "as-list*", 1, &argument);
    }
    return avout__lang_let_node(c, form, &steps, list);
}

/* Whether the walk over the first collection may be ended by :while in the middle of what becomes of an element:
 * how many elements are wanted then is known only as they come, and the whole is made at once. */
static bool ends_within(const lang_form *bindings)
{
    for (size_t i = 2; i + 1 < bindings->count; i += 2) {
        const char *word = avout__lang_name(bindings->items[i]);
        if (!word || avout__lang_is_symbol(bindings->items[i])) return false;
        if (i > 2 && !strcmp(word, "while")) return true;
    }
    return false;
}

/* What stands behind [pattern collection :while test]: the collection up to there. */
static const lang_form *up_to(lang_compiler *c, const lang_form *bindings)
{
    const lang_form *parameter[] = {bindings->items[0]};
    const lang_form *test[] = {avout__lang_vector_form(c, bindings, 1, parameter),
                               bindings->items[3]};
    const lang_form *parts[] = {avout__lang_expand(c, bindings, "fn", 2, test), bindings->items[1]};
    return avout__lang_expand(c, bindings, "take-while", 2, parts);
}

/* (for [pattern collection more...] body): (for-over* collection (fn [h] (for-all* [pattern h more...] body))), as the
 * collection may have no end. */
static const lang_node *compile_for(lang_compiler *c, const lang_form *form, bool tail)
{
    nest n;
    if (!nest_init(c, &n, form)) return NULL;
    if (form->count != 3) return avout__lang_bad(c, form, "for: expected one form as its body");
    const lang_form *bindings = n.bindings;
    if (ends_within(bindings)) return compile_for_all(c, form, tail);
    const char *word = bindings->count > 2 ? avout__lang_name(bindings->items[2]) : NULL;
    bool ends = word && !avout__lang_is_symbol(bindings->items[2]) && !strcmp(word, "while");
    const lang_form *hidden = avout__lang_form_symbol(&c->unit->arena, form, "%hidden-for");
    const lang_form **inner = avout__lang_room(c, bindings->count);
    if (!inner || !hidden) return avout__lang_expanded(c, NULL, tail);
    size_t count = 0;
    inner[count++] = bindings->items[0];
    inner[count++] = hidden;
    for (size_t i = ends ? 4 : 2; i < bindings->count; i++) inner[count++] = bindings->items[i];
    const lang_form *all[] = {avout__lang_vector_form(c, bindings, count, inner), form->items[2]};
    const lang_form *function[] = {avout__lang_vector_form(c, bindings, 1, &hidden),
                                   avout__lang_expand(c, form, "for-all*", 2, all)};
    const lang_form *parts[] = {ends ? up_to(c, bindings) : bindings->items[1],
                                avout__lang_expand(c, form, "fn", 2, function)};
    return avout__lang_expanded(c, avout__lang_expand(c, form, "for-over*", 2, parts), tail);
}

/* ---- dotimes, while -------------------------------------------------------------------------------- */

/* (dotimes [i n] body): (doseq [i (range n)] body), where the range is never made. */
static const lang_node *compile_dotimes(lang_compiler *c, const lang_form *form, bool tail)
{
    if (form->count < 2 || form->items[1]->kind != FORM_VECTOR || form->items[1]->count != 2)
        return avout__lang_bad(c, form, "dotimes: expected a vector of a name and a number");
    const lang_form *bindings = form->items[1], *limit[] = {bindings->items[1]};
    const lang_form *names[] = {bindings->items[0],
                                avout__lang_expand(c, form, "count-up*", 1, limit)};
    lang_form vector = *bindings;
    vector.items = names;
    const lang_form **items =
        avout__lang_arena_take(&c->unit->arena, (form->count + 1) * sizeof *items);
    if (!items || !names[1]) return NULL;
    items[0] = &vector;
    for (size_t i = 2; i < form->count; i++) items[i - 1] = form->items[i];
    const lang_form *doseq = avout__lang_expand(c, form, "doseq", form->count - 1, items);
    return doseq ? compile_doseq(c, doseq, tail) : NULL;
}

/* (while test body): (loop [] (when test body (recur))) */
static const lang_node *compile_while(lang_compiler *c, const lang_form *form, bool tail)
{
    if (form->count < 2) return avout__lang_bad(c, form, "while: expected a test");
    const lang_form **items =
        avout__lang_arena_take(&c->unit->arena, (form->count + 2) * sizeof *items);
    if (!items) {
        avout__lang_failed(c->run, AVOUT_ENOMEM);
        return NULL;
    }
    for (size_t i = 1; i < form->count; i++) items[i - 1] = form->items[i];
    items[form->count - 1] = avout__lang_expand(c, form, "recur", 0, NULL);
    lang_form none = {.kind = FORM_VECTOR, .place = form->place};
    const lang_form *parts[] = {&none, avout__lang_expand(c, form, "when", form->count, items)};
    const lang_form *loop = avout__lang_expand(c, form, "loop", 2, parts);
    return loop ? avout__lang_form(c, loop, tail) : NULL;
}

const lang_special avout__lang_loops[] = {
    {"for-all*", "", "", compile_for_all},
    {"for", "[name coll ... :let [...] :when test :while test] body",
     "the list of the body's values for all elements", compile_for},
    {"doseq", "[name coll ... :let [...] :when test :while test] body...",
     "the body for all elements, for its effects; nil", compile_doseq},
    {"dotimes", "[name n] body...", "the body n times, the name counting from 0; nil",
     compile_dotimes},
    {"while", "test body...", "the body as long as test is neither nil nor false; nil",
     compile_while},
    {NULL, NULL, NULL, NULL},
};

/* ---- looking up -------------------------------------------------------------------------------------- */

static const lang_special *const lists[] = {avout__lang_specials, avout__lang_macros,
                                            avout__lang_loops,    avout__lang_thunks,
                                            avout__lang_namings,  avout__lang_refused};

const lang_special *avout__lang_special_at(size_t index)
{
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        for (const lang_special *s = lists[i]; s->name; s++)
            if (!index--) return s;
    return NULL;
}

const lang_special *avout__lang_special_find(const char *name)
{
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        for (const lang_special *s = lists[i]; s->name; s++)
            if (!strcmp(s->name, name)) return s;
    return NULL;
}
