/* Forms to nodes: symbols, calls, collections. */
#include "lang/compile.h"

#include <string.h>

#include "base/alloc.h"
#include "lang/lock.h"
#include "lang/regex.h"
#include "base/banned.h"

/* ---- errors and makers ------------------------------------------------------------------------- */

static const lang_node *bad(lang_compiler *c, const lang_form *form, avout_status status,
                            const char *format, va_list arguments)
{
    char message[256];
    vsnprintf(message, sizeof message, format, arguments);
    avout__lang_fail(c->run, status, "%s", message);
    avout__lang_place_error(c->run, c->unit, &form->place);
    return NULL;
}

const lang_node *avout__lang_bad(lang_compiler *c, const lang_form *form, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    const lang_node *node = bad(c, form, AVOUT_ESYNTAX, format, arguments);
    va_end(arguments);
    return node;
}

const lang_node *avout__lang_bad_status(lang_compiler *c, const lang_form *form,
                                        avout_status status, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    const lang_node *node = bad(c, form, status, format, arguments);
    va_end(arguments);
    return node;
}

static void *no_memory(lang_compiler *c)
{
    avout__lang_failed(c->run, AVOUT_ENOMEM);
    return NULL;
}

void *avout__lang_node(lang_compiler *c, const lang_form *form, size_t size, lang_eval_fn eval)
{
    lang_node *node = avout__lang_arena_take(&c->unit->arena, size);
    if (!node) return no_memory(c);
    node->eval = eval;
    node->place = form->place;
    return node;
}

const lang_node *avout__lang_constant(lang_compiler *c, const lang_form *form, avout_value value)
{
    value = avout__lang_arena_keep(&c->unit->arena, value);
    if (!value.bits) return no_memory(c);
    lang_constant_node *node = avout__lang_node(c, form, sizeof *node, avout__lang_eval_constant);
    if (!node) return NULL;
    node->value = value;
    return &node->node;
}

static lang_many_node *many(lang_compiler *c, const lang_form *form, lang_eval_fn eval,
                            size_t count, const lang_node *const *items)
{
    lang_many_node *node = avout__lang_node(c, form, sizeof *node, eval);
    const lang_node **copy = avout__lang_arena_take(&c->unit->arena, (count + 1) * sizeof *copy);
    if (!node || !copy) return no_memory(c);
    for (size_t i = 0; i < count; i++)
        if (!(copy[i] = items[i])) return NULL;
    node->count = count;
    node->items = copy;
    return node;
}

const lang_node *avout__lang_core_node(lang_compiler *c, const lang_form *form, const char *name,
                                       size_t count, const lang_node *const *arguments)
{
    lang_many_node *node = many(c, form, avout__lang_eval_core, count, arguments);
    if (!node) return NULL;
    node->core = avout__lang_core_find(name);
    return &node->node;
}

const lang_node *avout__lang_if_node(lang_compiler *c, const lang_form *form, const lang_node *test,
                                     const lang_node *then, const lang_node *otherwise)
{
    lang_if_node *node = avout__lang_node(c, form, sizeof *node, avout__lang_eval_if);
    if (!node || !test || !then) return NULL;
    node->test = test;
    node->then = then;
    node->otherwise = otherwise;
    return &node->node;
}

const lang_form *avout__lang_expand(lang_compiler *c, const lang_form *like, const char *name,
                                    size_t count, const lang_form *const *items)
{
    const lang_form **all = avout__lang_arena_take(&c->unit->arena, (count + 1) * sizeof *all);
    if (!all) return no_memory(c);
    all[0] = avout__lang_form_symbol(&c->unit->arena, like, name);
    for (size_t i = 0; i < count; i++) all[i + 1] = items[i];
    const lang_form *list = avout__lang_form_list(&c->unit->arena, like, count + 1, all);
    return list ? list : no_memory(c);
}

/* ---- several forms ----------------------------------------------------------------------------- */

/* The nodes of items[from...], in the arena. */
static const lang_node **nodes_of(lang_compiler *c, const lang_form *form, size_t from, bool tail)
{
    size_t count = form->count - from;
    const lang_node **nodes = avout__lang_arena_take(&c->unit->arena, (count + 1) * sizeof *nodes);
    if (!nodes) return no_memory(c);
    for (size_t i = 0; i < count; i++) {
        nodes[i] = avout__lang_form(c, form->items[from + i], tail && i + 1 == count);
        if (!nodes[i]) return NULL;
    }
    return nodes;
}

const lang_node *avout__lang_body(lang_compiler *c, const lang_form *form, size_t from, bool tail)
{
    if (from >= form->count) return avout__lang_constant(c, form, avout_nil());
    if (from + 1 == form->count) return avout__lang_form(c, form->items[from], tail);
    const lang_node **nodes = nodes_of(c, form, from, tail);
    if (!nodes) return NULL;
    lang_many_node *node = avout__lang_node(c, form, sizeof *node, avout__lang_eval_do);
    if (!node) return NULL;
    node->count = form->count - from;
    node->items = nodes;
    return &node->node;
}

/* ---- symbols ----------------------------------------------------------------------------------- */

static const lang_node *unknown(lang_compiler *c, const lang_form *form, const char *name)
{
    const char *why = avout__lang_why_refused(name);
    if (why)
        return avout__lang_bad_status(c, form, AVOUT_ENOTSUP, "%s is not part of this language%s",
                                      name, why);
    if (avout__lang_special_find(name))
        return avout__lang_bad_status(c, form, AVOUT_ENAME,
                                      "%.100s is a special form, not a value: it stands first in a "
                                      "list",
                                      name);
    size_t length = strlen(name);
    bool method = length > 1 && (*name == '.' || name[length - 1] == '.');
    bool member = *name >= 'A' && *name <= 'Z' && strchr(name, '/');
    char near[100];
    bool found = avout__lang_near(near, sizeof near, c, name);
    if (found && (!method || strchr(near, '.')))
        return avout__lang_bad_status(c, form, AVOUT_ENAME,
                                      "unknown name: %.100s (did you mean %s?)", name, near);
    if (method || member)
        return avout__lang_bad_status(c, form, AVOUT_ENAME,
                                      "unknown name: %.100s: of Java there is only what (apropos "
                                      "\"%s\") lists",
                                      name, method ? "." : "/");
    return avout__lang_bad_status(c, form, AVOUT_ENAME, "unknown name: %.100s", name);
}

/* What a qualified name is behind its namespace, where that means nothing: zk/connect is connect. NULL: it is
 * not qualified, or its namespace means something; *full (of that size) is what the whole stands for. */
static const char *plain_name(lang_compiler *c, const char *name, char *full, size_t size)
{
    const char *slash = strchr(name, '/');
    *full = '\0';
    if (!slash || slash == name || !slash[1]) return NULL;
    if (!avout__lang_namespace(c->run->lang, full, size, name, (size_t)(slash - name))) return NULL;
    if (!strcmp(full, "clojure.core")) return slash + 1;
    size_t length = strlen(full);
    snprintf(full + length, size - length, "%s", slash);
    return NULL;
}

/* `str/join` is found as clojure.string/join. */
static const lang_core *find_core(lang_compiler *c, const char *name)
{
    char full[200];
    const lang_core *core = avout__lang_core_find(name);
    if (core) return core;
    const char *plain = plain_name(c, name, full, sizeof full);
    return plain || *full ? avout__lang_core_find(plain ? plain : full) : NULL;
}

/* `user/x` is x. */
static lang_var *find_var(lang_compiler *c, const lang_form *form, const char *name)
{
    if (strncmp(name, "user/", 5) || !name[5])
        return avout__lang_var(c->run->lang, form->value, false);
    avout_value plain = avout_symbol(name + 5);
    lang_var *var = plain.bits ? avout__lang_var(c->run->lang, plain, false) : NULL;
    avout_release(plain);
    return var;
}

/* TimeUnit/SECONDS, Math/PI. NULL: it is none, or the error is set. */
static const lang_node *java_constant(lang_compiler *c, const lang_form *form)
{
    const char *name = avout__lang_is_symbol(form) ? avout__lang_name(form) : NULL;
    const char *unit = name ? avout__lang_unit_of(name) : NULL;
    avout_value value;
    if (unit) return avout__lang_constant(c, form, avout_keyword(unit));
    if (!name || !avout__lang_java_constant(&value, name)) return NULL;
    return avout__lang_constant(c, form, value);
}

static const lang_node *symbol(lang_compiler *c, const lang_form *form)
{
    const char *name = avout__lang_name(form);
    bool found;
    const lang_node *node = avout__lang_use(c, form, name, &found);
    if (node || found) return node;
    lang_var *var = find_var(c, form, name);
    if (var) {
        lang_var_node *read = avout__lang_node(c, form, sizeof *read, avout__lang_eval_var);
        if (!read) return NULL;
        read->var = var;
        return &read->node;
    }
    const lang_core *core = find_core(c, name);
    if (!core && ((node = java_constant(c, form)) != NULL || c->run->status)) return node;
    if (!core) return unknown(c, form, name);
    avout_value value = avout__lang_core_value(c->run, core);
    return value.bits ? avout__lang_constant(c, form, value) : NULL;
}

/* ---- calls ------------------------------------------------------------------------------------- */

static const lang_node *wrong_count(lang_compiler *c, const lang_form *form, const lang_core *core)
{
    return avout__lang_bad_status(c, form, AVOUT_EINVAL,
                                  "%s: %zu argument%s given, expected (%s%s%s)", core->name,
                                  form->count - 1, form->count == 2 ? "" : "s", core->name,
                                  *core->arguments ? " " : "", core->arguments);
}

/* A function of the table that is called by its name: no value of it is needed. */
static const lang_node *core_call(lang_compiler *c, const lang_form *form, const lang_core *core)
{
    size_t count = form->count - 1;
    if (count < core->least || count > core->most) return wrong_count(c, form, core);
    const lang_node **nodes = nodes_of(c, form, 1, false);
    if (!nodes) return NULL;
    lang_many_node *node = avout__lang_node(c, form, sizeof *node, avout__lang_eval_core);
    if (!node) return NULL;
    node->core = core;
    node->count = count;
    node->items = nodes;
    return &node->node;
}

static const lang_node *call(lang_compiler *c, const lang_form *form)
{
    const lang_form *head = form->items[0];
    const char *name = avout__lang_is_symbol(head) ? avout__lang_name(head) : NULL;
    if (name && !avout__lang_is_local(c, name)) {
        const lang_core *core = find_var(c, head, name) ? NULL : find_core(c, name);
        if (core && core->call) return core_call(c, form, core);
    }
    /* (TimeUnit/SECONDS): a constant of a class may stand in parentheses, too. */
    const lang_node *constant = form->count == 1 ? java_constant(c, head) : NULL;
    if (constant || c->run->status) return constant;
    const lang_node *function = avout__lang_form(c, head, false);
    const lang_node **nodes = function ? nodes_of(c, form, 1, false) : NULL;
    if (!nodes) return NULL;
    lang_many_node *node = avout__lang_node(c, form, sizeof *node, avout__lang_eval_call);
    if (!node) return NULL;
    node->function = function;
    node->count = form->count - 1;
    node->items = nodes;
    return &node->node;
}

/* (zk/dosync!! ...) as (dosync!! ...); NULL: it is no special form by another name. */
static const lang_form *plain_special(lang_compiler *c, const lang_form *form, const char *name)
{
    char full[200];
    const char *plain = plain_name(c, name, full, sizeof full);
    if (!plain || !avout__lang_special_find(plain)) return NULL;
    return avout__lang_expand(c, form, plain, form->count - 1, form->items + 1);
}

static const lang_node *list(lang_compiler *c, const lang_form *form, bool tail)
{
    if (!form->count) return avout__lang_constant(c, form, avout_list(0, NULL));
    const lang_form *head = form->items[0];
    if (avout__lang_is_symbol(head)) {
        const char *name = avout__lang_name(head);
        const lang_special *special = avout__lang_special_find(name);
        bool local = avout__lang_is_local(c, name);
        /* What is refused may be the program's own; the others are taken. */
        bool own = special && avout__lang_why_refused(name) && find_var(c, head, name);
        if (special && !local && !own) return special->compile(c, form, tail);
        const lang_form *plain = special ? NULL : plain_special(c, form, name);
        if (plain) return list(c, plain, tail);
    }
    return call(c, form);
}

/* ---- collections ------------------------------------------------------------------------------- */

static bool is_constant(const lang_node *node)
{
    return node->eval == avout__lang_eval_constant;
}

/* Of constants only: made once. */
static const lang_node *constant_collection(lang_compiler *c, const lang_form *form,
                                            const lang_node *const *nodes)
{
    avout_value *items = avout__alloc((form->count + 1) * sizeof *items), made;
    if (!items) return no_memory(c);
    for (size_t i = 0; i < form->count; i++)
        items[i] = avout_share(((const lang_constant_node *)nodes[i])->value);
    switch (form->kind) {
    case FORM_VECTOR: made = avout_vector(form->count, items); break;
    case FORM_MAP: made = avout_map(form->count / 2, items); break;
    default: made = avout_set(form->count, items); break;
    }
    avout__free(items);
    if (made.bits) return avout__lang_constant(c, form, made);
    avout__lang_failed(c->run, avout_none_status());
    avout__lang_place_error(c->run, c->unit, &form->place);
    return NULL;
}

static const lang_node *collection(lang_compiler *c, const lang_form *form, lang_eval_fn eval)
{
    const lang_node **nodes = nodes_of(c, form, 0, false);
    bool constant = true;
    if (!nodes) return NULL;
    for (size_t i = 0; i < form->count; i++) constant = constant && is_constant(nodes[i]);
    if (constant) return constant_collection(c, form, nodes);
    lang_many_node *node = avout__lang_node(c, form, sizeof *node, eval);
    if (!node) return NULL;
    node->count = form->count;
    node->items = nodes;
    return &node->node;
}

static const lang_node *quoted(lang_compiler *c, const lang_form *form)
{
    avout_value value = avout__lang_form_value(form);
    if (value.bits) return avout__lang_constant(c, form, value);
    avout__lang_failed(c->run, avout_none_status());
    avout__lang_place_error(c->run, c->unit, &form->place);
    return NULL;
}

/* Compiled once, with the form. */
static const lang_node *regex(lang_compiler *c, const lang_form *form)
{
    const char *text;
    size_t length;
    avout_value_to_text(&text, &length, form->value);
    avout_value made = avout__lang_regex_new(c->run, text, length);
    return made.bits ? avout__lang_constant(c, form, made) : NULL;
}

const lang_node *avout__lang_form(lang_compiler *c, const lang_form *form, bool tail)
{
    const lang_node *node = NULL;
    if (lang_deep(c->run)) return NULL;
    switch (form->kind) {
    case FORM_VALUE:
        return avout__lang_is_symbol(form)
                   ? symbol(c, form)
                   : avout__lang_constant(c, form, avout_share(form->value));
    case FORM_LIST: node = list(c, form, tail); break;
    case FORM_VECTOR: node = collection(c, form, avout__lang_eval_vector); break;
    case FORM_MAP: node = collection(c, form, avout__lang_eval_map); break;
    case FORM_SET: node = collection(c, form, avout__lang_eval_set); break;
    case FORM_TAGGED: node = quoted(c, form); break;
    case FORM_REGEX: node = regex(c, form); break;
    }
    /* Who answers nothing without an error had no memory for a part. */
    if (!node && !c->run->status) no_memory(c);
    if (!node) avout__lang_place_error(c->run, c->unit, &form->place);
    return node;
}

/* ---- units ------------------------------------------------------------------------------------- */

const lang_node *avout__lang_compile(lang_run *run, lang_unit *unit, const lang_form *form,
                                     uint32_t *slots)
{
    lang_scope scope = {0};
    lang_compiler c = {run, unit, &scope};
    const lang_node *node = avout__lang_form(&c, form, false);
    *slots = scope.slots;
    avout__lang_scope_release(&scope);
    return node;
}
