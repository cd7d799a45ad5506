/* Special forms that are made of others. */
#include "lang/compile.h"

#include <string.h>

#include "base/banned.h"

const lang_form **avout__lang_room(lang_compiler *c, size_t count)
{
    const lang_form **items = avout__lang_arena_take(&c->unit->arena, (count + 1) * sizeof *items);
    if (!items) avout__lang_failed(c->run, AVOUT_ENOMEM);
    return items;
}

const lang_form *avout__lang_vector_form(lang_compiler *c, const lang_form *like, size_t count,
                                         const lang_form *const *items)
{
    const lang_form *list = avout__lang_form_list(&c->unit->arena, like, count, items);
    lang_form *vector = avout__lang_arena_take(&c->unit->arena, sizeof *vector);
    if (!list || !vector) return NULL;
    *vector = *list;
    vector->kind = FORM_VECTOR;
    return vector;
}

const lang_form *avout__lang_value_form(lang_compiler *c, const lang_form *like, avout_value value)
{
    lang_form *form = avout__lang_arena_take(&c->unit->arena, sizeof *form);
    if (!form) {
        avout_release(value);
        return NULL;
    }
    form->place = like->place;
    form->value = avout__lang_arena_keep(&c->unit->arena, value);
    return form->value.bits ? form : NULL;
}

const lang_node *avout__lang_expanded(lang_compiler *c, const lang_form *form, bool tail)
{
    if (form) return avout__lang_form(c, form, tail);
    avout__lang_failed(c->run, AVOUT_ENOMEM);
    return NULL;
}

/* (do items[from...]) */
static const lang_form *do_rest(lang_compiler *c, const lang_form *form, size_t from)
{
    return avout__lang_expand(c, form, "do", form->count - from, form->items + from);
}

/* A name that no program can have. */
static const lang_form *hidden_name(lang_compiler *c, const lang_form *like)
{
    char name[32];
    snprintf(name, sizeof name, "%%hidden-%u", c->scope->slots);
    return avout__lang_form_symbol(&c->unit->arena, like, name);
}

/* ---- when, if-not, cond -------------------------------------------------------------------------- */

static const lang_node *when(lang_compiler *c, const lang_form *form, const char *branch, bool tail)
{
    if (form->count < 2)
        return avout__lang_bad(c, form, "%s: expected a test", avout__lang_name(form->items[0]));
    const lang_form *parts[] = {form->items[1], do_rest(c, form, 2)};
    return avout__lang_expanded(c, avout__lang_expand(c, form, branch, 2, parts), tail);
}

static const lang_node *compile_when(lang_compiler *c, const lang_form *form, bool tail)
{
    return when(c, form, "if", tail);
}

static const lang_node *compile_when_not(lang_compiler *c, const lang_form *form, bool tail)
{
    return when(c, form, "if-not", tail);
}

static const lang_node *compile_if_not(lang_compiler *c, const lang_form *form, bool tail)
{
    if (form->count != 3 && form->count != 4)
        return avout__lang_bad(c, form,
                               "if-not: expected a test, what then, and perhaps what else");
    const lang_form *parts[] = {avout__lang_expand(c, form, "not", 1, form->items + 1),
                                form->items[2], form->count == 4 ? form->items[3] : NULL};
    return avout__lang_expanded(c, avout__lang_expand(c, form, "if", form->count - 1, parts), tail);
}

static const lang_node *compile_cond(lang_compiler *c, const lang_form *form, bool tail)
{
    if (!(form->count % 2)) return avout__lang_bad(c, form, "cond: the last test has no value");
    const lang_form *rest = avout__lang_value_form(c, form, avout_nil());
    for (size_t i = form->count; rest && i > 2; i -= 2) {
        const lang_form *parts[] = {form->items[i - 2], form->items[i - 1], rest};
        rest = avout__lang_expand(c, form->items[i - 2], "if", 3, parts);
    }
    return avout__lang_expanded(c, rest, tail);
}

static bool is_arrow(const lang_form *form)
{
    const char *word = avout__lang_name(form);
    return word && !avout__lang_is_symbol(form) && !strcmp(word, ">>");
}

/* (if (f test value) then rest), or for test :>> g: (let [h (f test value)] (if h (g h) rest)) */
static const lang_form *condp_clause(lang_compiler *c, const lang_form *const *clause, bool arrow,
                                     const char *f, const lang_form *value, const lang_form *rest)
{
    const lang_form *like = clause[0];
    const lang_form *call[] = {clause[0], value};
    const lang_form *test = avout__lang_expand(c, like, f, 2, call);
    if (!arrow) {
        const lang_form *parts[] = {test, clause[1], rest};
        return avout__lang_expand(c, like, "if", 3, parts);
    }
    const lang_form *hidden = avout__lang_form_symbol(&c->unit->arena, like, "%hidden-answer");
    const lang_form *made[] = {clause[2], hidden}, *bindings[] = {hidden, test};
    const lang_form *parts[] = {hidden, avout__lang_form_list(&c->unit->arena, like, 2, made),
                                rest};
    const lang_form *let[] = {avout__lang_vector_form(c, like, 2, bindings),
                              avout__lang_expand(c, like, "if", 3, parts)};
    return avout__lang_expand(c, like, "let", 2, let);
}

/* The clauses from items[at] on, as ifs in each other. */
static const lang_form *condp_clauses(lang_compiler *c, const lang_form *form, size_t at,
                                      const char *f, const lang_form *value)
{
    if (at + 1 == form->count) return form->items[at];
    if (at >= form->count) return avout__lang_expand(c, form, "no-clause*", 1, &value);
    bool arrow = is_arrow(form->items[at + 1]);
    if (lang_deep(c->run)) return NULL;
    if (arrow && at + 2 == form->count) {
        avout__lang_bad(c, form->items[at + 1], "condp: expected a function behind :>>");
        return NULL;
    }
    const lang_form *rest = condp_clauses(c, form, at + (arrow ? 3 : 2), f, value);
    return rest ? condp_clause(c, form->items + at, arrow, f, value, rest) : NULL;
}

/* (condp f value test then ... else?), test :>> g calls g with what f answered. */
static const lang_node *compile_condp(lang_compiler *c, const lang_form *form, bool tail)
{
    if (form->count < 3) return avout__lang_bad(c, form, "condp: expected a function and a value");
    const lang_form *f = hidden_name(c, form), *value;
    char name[48];
    snprintf(name, sizeof name, "%.30s-value", f ? avout__lang_name(f) : "");
    value = avout__lang_form_symbol(&c->unit->arena, form, name);
    const lang_form *clauses =
        f && value ? condp_clauses(c, form, 3, avout__lang_name(f), value) : NULL;
    if (!clauses && c->run->status) return NULL;
    const lang_form *bindings[] = {f, form->items[1], value, form->items[2]};
    const lang_form *parts[] = {avout__lang_vector_form(c, form, 4, bindings), clauses};
    return avout__lang_expanded(c, avout__lang_expand(c, form, "let", 2, parts), tail);
}

/* ---- if-let and its kin --------------------------------------------------------------------------- */

/* (if-let [pattern value] then else): (let [h value] (if (test h) (let [pattern h] then) else)) */
static const lang_node *if_let(lang_compiler *c, const lang_form *form, const char *test,
                               const lang_form *then, const lang_form *otherwise, bool tail)
{
    const lang_form *bindings = form->items[1];
    if (bindings->kind != FORM_VECTOR || bindings->count != 2)
        return avout__lang_bad(c, form, "%s: expected a vector of one name and its value",
                               avout__lang_name(form->items[0]));
    const lang_form *hidden = hidden_name(c, form);
    const lang_form *outer[] = {hidden, bindings->items[1]};
    const lang_form *inner[] = {bindings->items[0], hidden};
    const lang_form *let[] = {avout__lang_vector_form(c, form, 2, inner), then};
    const lang_form *branches[] = {
        test ? avout__lang_expand(c, form, test, 1, &hidden) : hidden,
        avout__lang_expand(c, form, "let", 2, let),
        otherwise ? otherwise : avout__lang_value_form(c, form, avout_nil()),
    };
    const lang_form *parts[] = {avout__lang_vector_form(c, form, 2, outer),
                                avout__lang_expand(c, form, "if", 3, branches)};
    return avout__lang_expanded(c, avout__lang_expand(c, form, "let", 2, parts), tail);
}

static const lang_node *if_binding(lang_compiler *c, const lang_form *form, const char *test,
                                   bool tail)
{
    if (form->count != 3 && form->count != 4)
        return avout__lang_bad(c, form,
                               "%s: expected [name value], what then, and perhaps what "
                               "else",
                               avout__lang_name(form->items[0]));
    return if_let(c, form, test, form->items[2], form->count == 4 ? form->items[3] : NULL, tail);
}

static const lang_node *when_binding(lang_compiler *c, const lang_form *form, const char *test,
                                     bool tail)
{
    if (form->count < 2)
        return avout__lang_bad(c, form, "%s: expected [name value]",
                               avout__lang_name(form->items[0]));
    return if_let(c, form, test, do_rest(c, form, 2), NULL, tail);
}

static const lang_node *compile_if_let(lang_compiler *c, const lang_form *form, bool tail)
{
    return if_binding(c, form, NULL, tail);
}

static const lang_node *compile_if_some(lang_compiler *c, const lang_form *form, bool tail)
{
    return if_binding(c, form, "some?", tail);
}

static const lang_node *compile_when_let(lang_compiler *c, const lang_form *form, bool tail)
{
    return when_binding(c, form, NULL, tail);
}

static const lang_node *compile_when_some(lang_compiler *c, const lang_form *form, bool tail)
{
    return when_binding(c, form, "some?", tail);
}

/* (when-first [x coll] ...): (when-let [[x] (seq coll)] ...) */
static const lang_node *compile_when_first(lang_compiler *c, const lang_form *form, bool tail)
{
    if (form->count < 2 || form->items[1]->kind != FORM_VECTOR || form->items[1]->count != 2)
        return avout__lang_bad(c, form, "when-first: expected a vector of one name and its value");
    const lang_form *bindings = form->items[1], **all = avout__lang_room(c, form->count);
    const lang_form *pair[] = {avout__lang_vector_form(c, form, 1, bindings->items),
                               avout__lang_expand(c, form, "seq", 1, bindings->items + 1)};
    if (!all) return NULL;
    all[0] = avout__lang_vector_form(c, form, 2, pair);
    for (size_t i = 2; i < form->count; i++) all[i - 1] = form->items[i];
    return avout__lang_expanded(c, avout__lang_expand(c, form, "when-let", form->count - 1, all),
                                tail);
}

/* ---- -> and its kin -------------------------------------------------------------------------------- */

/* (f a) with x threaded in: (f x a) or, last, (f a x). f alone is (f x). */
static const lang_form *thread(lang_compiler *c, const lang_form *step, const lang_form *value,
                               bool last)
{
    if (!step || !value) return NULL;
    bool list = step->kind == FORM_LIST && step->count;
    const lang_form **items = avout__lang_room(c, step->count + 2);
    size_t count = 0, given = list ? step->count : 1;
    if (!items) return NULL;
    items[count++] = list ? step->items[0] : step;
    if (!last) items[count++] = value;
    for (size_t i = 1; i < given; i++) items[count++] = step->items[i];
    if (last) items[count++] = value;
    return avout__lang_form_list(&c->unit->arena, step, count, items);
}

static const lang_node *arrow(lang_compiler *c, const lang_form *form, bool last, bool tail)
{
    if (form->count < 2)
        return avout__lang_bad(c, form, "%s: expected a value", avout__lang_name(form->items[0]));
    const lang_form *value = form->items[1];
    for (size_t i = 2; i < form->count; i++) value = thread(c, form->items[i], value, last);
    return avout__lang_expanded(c, value, tail);
}

static const lang_node *compile_thread_first(lang_compiler *c, const lang_form *form, bool tail)
{
    return arrow(c, form, false, tail);
}

static const lang_node *compile_thread_last(lang_compiler *c, const lang_form *form, bool tail)
{
    return arrow(c, form, true, tail);
}

/* (let [h value, h step, h step ...] h) with the steps that `step_of` makes of h. */
typedef const lang_form *(*step_fn)(lang_compiler *c, const lang_form *form, size_t *at,
                                    const lang_form *hidden, bool last);

static const lang_node *rebind(lang_compiler *c, const lang_form *form, const lang_form *hidden,
                               const lang_form *first, size_t from, step_fn step_of, bool last,
                               bool tail)
{
    const lang_form **bindings = avout__lang_room(c, 2 * form->count + 2);
    size_t count = 0;
    if (!bindings) return NULL;
    bindings[count++] = hidden;
    bindings[count++] = first;
    for (size_t i = from; i < form->count;) {
        bindings[count++] = hidden;
        bindings[count++] = step_of(c, form, &i, hidden, last);
    }
    const lang_form *parts[] = {avout__lang_vector_form(c, form, count, bindings), hidden};
    return avout__lang_expanded(c, avout__lang_expand(c, form, "let", 2, parts), tail);
}

static const lang_form *step_as(lang_compiler *c, const lang_form *form, size_t *at,
                                const lang_form *hidden, bool last)
{
    (void)c, (void)hidden, (void)last;
    return form->items[(*at)++];
}

/* (if (nil? h) nil step) */
static const lang_form *step_some(lang_compiler *c, const lang_form *form, size_t *at,
                                  const lang_form *hidden, bool last)
{
    const lang_form *step = form->items[(*at)++];
    const lang_form *parts[] = {avout__lang_expand(c, step, "nil?", 1, &hidden),
                                avout__lang_value_form(c, step, avout_nil()),
                                thread(c, step, hidden, last)};
    return avout__lang_expand(c, step, "if", 3, parts);
}

/* (if test step h) */
static const lang_form *step_cond(lang_compiler *c, const lang_form *form, size_t *at,
                                  const lang_form *hidden, bool last)
{
    const lang_form *test = form->items[*at], *step = form->items[*at + 1];
    *at += 2;
    const lang_form *parts[] = {test, thread(c, step, hidden, last), hidden};
    return avout__lang_expand(c, step, "if", 3, parts);
}

static const lang_node *compile_as(lang_compiler *c, const lang_form *form, bool tail)
{
    if (form->count < 3 || !avout__lang_is_symbol(form->items[2]))
        return avout__lang_bad(c, form, "as->: expected a value, a name, and forms");
    return rebind(c, form, form->items[2], form->items[1], 3, step_as, false, tail);
}

static const lang_node *compile_some(lang_compiler *c, const lang_form *form, bool tail)
{
    if (form->count < 2)
        return avout__lang_bad(c, form, "%s: expected a value", avout__lang_name(form->items[0]));
    bool last = avout__lang_is_named(form->items[0], "some->>");
    return rebind(c, form, hidden_name(c, form), form->items[1], 2, step_some, last, tail);
}

static const lang_node *compile_cond_thread(lang_compiler *c, const lang_form *form, bool tail)
{
    if (form->count < 2 || form->count % 2)
        return avout__lang_bad(c, form, "%s: expected a value, and pairs of test and form",
                               avout__lang_name(form->items[0]));
    bool last = avout__lang_is_named(form->items[0], "cond->>");
    return rebind(c, form, hidden_name(c, form), form->items[1], 2, step_cond, last, tail);
}

static const lang_node *compile_doto(lang_compiler *c, const lang_form *form, bool tail)
{
    if (form->count < 2) return avout__lang_bad(c, form, "doto: expected a value");
    const lang_form *hidden = hidden_name(c, form), **parts = avout__lang_room(c, form->count);
    const lang_form *bindings[] = {hidden, form->items[1]};
    if (!parts) return NULL;
    parts[0] = avout__lang_vector_form(c, form, 2, bindings);
    for (size_t i = 2; i < form->count; i++)
        parts[i - 1] = thread(c, form->items[i], hidden, false);
    parts[form->count - 1] = hidden;
    return avout__lang_expanded(c, avout__lang_expand(c, form, "let", form->count, parts), tail);
}

/* ---- letfn ----------------------------------------------------------------------------------------- */

/* Closures must not hold each other in a circle (L2), so each makes the others when it calls them:
 *
 *     (letfn [(f [x] ...) (g [x] ...)] body...)
 *     (let [group (fn group [n] (let [f (fn [& r] (apply (group 0) r)) g ...]
 *                                 (case n 0 (fn f [x] ...) 1 (fn g [x] ...))))
 *           f (group 0) g (group 1)]
 *       body...) */

/* (fn [& r] (apply member r)) */
static const lang_form *group_call(lang_compiler *c, const lang_form *like, const lang_form *member)
{
    const lang_form *rest[] = {avout__lang_form_symbol(&c->unit->arena, like, "&"),
                               avout__lang_form_symbol(&c->unit->arena, like, "%hidden-rest")};
    const lang_form *call[] = {member, rest[1]};
    const lang_form *parts[] = {avout__lang_vector_form(c, like, 2, rest),
                                avout__lang_expand(c, like, "apply", 2, call)};
    return avout__lang_expand(c, like, "fn", 2, parts);
}

/* f (group 0) g (group 1) ..., or functions that call these. */
static size_t letfn_names(lang_compiler *c, const lang_form **bindings, const lang_form *functions,
                          const char *group, bool calls)
{
    for (size_t i = 0; i < functions->count; i++) {
        const lang_form *like = functions->items[i];
        const lang_form *number = avout__lang_value_form(c, like, avout_int((int64_t)i));
        bindings[2 * i] = like->items[0];
        const lang_form *member = avout__lang_expand(c, like, group, 1, &number);
        bindings[2 * i + 1] = calls ? group_call(c, like, member) : member;
    }
    return 2 * functions->count;
}

/* (fn group [n] (let [...] (case n 0 (fn f ...) 1 (fn g ...)))) */
static const lang_form *letfn_group(lang_compiler *c, const lang_form *form, const char *group)
{
    const lang_form *functions = form->items[1], *self, *n;
    const lang_form **cases = avout__lang_room(c, 2 * functions->count + 1);
    const lang_form **bindings = avout__lang_room(c, 2 * functions->count);
    if (!cases || !bindings) return NULL;
    n = avout__lang_form_symbol(&c->unit->arena, form, "%hidden-n");
    self = avout__lang_form_symbol(&c->unit->arena, form, group);
    cases[0] = n;
    for (size_t i = 0; i < functions->count; i++) {
        const lang_form *function = functions->items[i];
        cases[2 * i + 1] = avout__lang_value_form(c, function, avout_int((int64_t)i));
        cases[2 * i + 2] = avout__lang_expand(c, function, "fn", function->count, function->items);
    }
    size_t count = letfn_names(c, bindings, functions, group, true);
    const lang_form *let[] = {avout__lang_vector_form(c, form, count, bindings),
                              avout__lang_expand(c, form, "case", count + 1, cases)};
    const lang_form *parts[] = {self, avout__lang_vector_form(c, form, 1, &n),
                                avout__lang_expand(c, form, "let", 2, let)};
    return avout__lang_expand(c, form, "fn", 3, parts);
}

static bool is_letfn(const lang_form *form)
{
    if (form->count < 2 || form->items[1]->kind != FORM_VECTOR) return false;
    for (size_t i = 0; i < form->items[1]->count; i++) {
        const lang_form *function = form->items[1]->items[i];
        if (function->kind != FORM_LIST || function->count < 2 ||
            !avout__lang_is_symbol(function->items[0]))
            return false;
    }
    return true;
}

static const lang_node *compile_letfn(lang_compiler *c, const lang_form *form, bool tail)
{
    if (!is_letfn(form))
        return avout__lang_bad(c, form, "letfn: expected [(name [args...] body...) ...]");
    const lang_form *group = hidden_name(c, form);
    const lang_form **bindings = avout__lang_room(c, 2 * form->items[1]->count + 2);
    if (!group || !bindings) return avout__lang_expanded(c, NULL, tail);
    bindings[0] = group;
    bindings[1] = letfn_group(c, form, avout__lang_name(group));
    size_t count = letfn_names(c, bindings + 2, form->items[1], avout__lang_name(group), false);
    const lang_form *parts[] = {avout__lang_vector_form(c, form, count + 2, bindings),
                                do_rest(c, form, 2)};
    return avout__lang_expanded(c, avout__lang_expand(c, form, "let", 2, parts), tail);
}

/* ---- others ---------------------------------------------------------------------------------------- */

static const lang_node *compile_comment(lang_compiler *c, const lang_form *form, bool tail)
{
    (void)tail;
    return avout__lang_constant(c, form, avout_nil());
}

/* (lazy-cat a b ...): (concat (lazy-seq a) (lazy-seq b) ...) */
static const lang_node *compile_lazy_cat(lang_compiler *c, const lang_form *form, bool tail)
{
    const lang_form **parts = avout__lang_room(c, form->count);
    if (!parts) return NULL;
    for (size_t i = 1; i < form->count; i++)
        parts[i - 1] = avout__lang_expand(c, form, "lazy-seq", 1, form->items + i);
    return avout__lang_expanded(c, avout__lang_expand(c, form, "concat", form->count - 1, parts),
                                tail);
}

/* (assert test message?): (if test nil (assert-failed* 'test message)) */
static const lang_node *compile_assert(lang_compiler *c, const lang_form *form, bool tail)
{
    if (form->count != 2 && form->count != 3)
        return avout__lang_bad(c, form, "assert: expected a test, and perhaps a message");
    const lang_form *failed[] = {avout__lang_expand(c, form, "quote", 1, form->items + 1),
                                 form->count == 3 ? form->items[2] : NULL};
    const lang_form *parts[] = {
        form->items[1], avout__lang_value_form(c, form, avout_nil()),
        avout__lang_expand(c, form, "assert-failed*", form->count - 1, failed)};
    return avout__lang_expanded(c, avout__lang_expand(c, form, "if", 3, parts), tail);
}

const lang_special avout__lang_macros[] = {
    {"when", "test body...", "the body if test is neither nil nor false", compile_when},
    {"when-not", "test body...", "the body if test is nil or false", compile_when_not},
    {"if-not", "test then else?", "then if test is nil or false, otherwise else", compile_if_not},
    {"cond", "test value ...", "the value of the first test that is neither nil nor false",
     compile_cond},
    {"condp", "f value test then ... else?", "the first branch for which (f test value) is true",
     compile_condp},
    {"if-let", "[name value] then else?", "then with the name, if value is neither nil nor false",
     compile_if_let},
    {"if-some", "[name value] then else?", "then with the name, if value is not nil",
     compile_if_some},
    {"when-let", "[name value] body...",
     "the body with the name, if value is neither nil nor false", compile_when_let},
    {"when-some", "[name value] body...", "the body with the name, if value is not nil",
     compile_when_some},
    {"when-first", "[name coll] body...", "the body with the first element, if there is one",
     compile_when_first},
    {"->", "x form...", "x put first into the first form, that into the next, ...",
     compile_thread_first},
    {"->>", "x form...", "x put last into the first form, that into the next, ...",
     compile_thread_last},
    {"as->", "x name form...", "each form with the name for the value of the one before",
     compile_as},
    {"some->", "x form...", "as ->, but stops at nil", compile_some},
    {"some->>", "x form...", "as ->>, but stops at nil", compile_some},
    {"cond->", "x test form ...", "as ->, with the forms whose test is true", compile_cond_thread},
    {"cond->>", "x test form ...", "as ->>, with the forms whose test is true",
     compile_cond_thread},
    {"doto", "x form...", "x, after the forms were evaluated with it put first", compile_doto},
    {"letfn", "[(name [args...] body...) ...] body...",
     "the body with functions that may call each other", compile_letfn},
    {"comment", "forms...", "nil; the forms are not evaluated", compile_comment},
    {"lazy-cat", "coll ...", "the elements of all; each is evaluated when it is needed",
     compile_lazy_cat},
    {"assert", "test message?", "throws an AssertionError if test is nil or false", compile_assert},
    {NULL, NULL, NULL, NULL},
};
