/* Destructuring: [a b & more :as all], {:keys [a b] c :key :or {a 1} :as all}, in each other. */
#include "lang/compile.h"

#include <string.h>

#include "base/alloc.h"
#include "base/banned.h"

bool avout__lang_step_add(lang_compiler *c, lang_steps *steps, uint32_t slot, const lang_node *node)
{
    if (!node) return false;
    if (AVOUT__GROW(&steps->at, &steps->room, steps->count + 1))
        return avout__lang_failed(c->run, AVOUT_ENOMEM).bits;
    steps->at[steps->count++] = (struct lang_step){slot, node};
    return true;
}

const lang_node *avout__lang_let_node(lang_compiler *c, const lang_form *form, lang_steps *steps,
                                      const lang_node *body)
{
    const lang_node *made = steps->count ? NULL : body;
    if (body && steps->count) {
        lang_let_node *node = avout__lang_node(c, form, sizeof *node, avout__lang_eval_let);
        lang_set_slot *sets =
            node ? avout__lang_arena_take(&c->unit->arena, steps->count * sizeof *sets) : NULL;
        if (node && !sets) avout__lang_failed(c->run, AVOUT_ENOMEM);
        for (size_t i = 0; sets && i < steps->count; i++)
            sets[i] = (lang_set_slot){steps->at[i].slot, steps->at[i].node};
        if (sets) {
            node->body = body;
            node->count = steps->count;
            node->sets = sets;
            made = &node->node;
        }
    }
    avout__free(steps->at);
    *steps = (lang_steps){0};
    return made;
}

/* A part of a value, by a function of the table: bound to a pattern. */
static bool part(lang_compiler *c, lang_steps *steps, const lang_form *pattern,
                 const char *function, size_t count, const lang_node *const *arguments)
{
    uint32_t slot;
    return avout__lang_slot(c, pattern, &slot) &&
           avout__lang_step_add(c, steps, slot,
                                avout__lang_core_node(c, pattern, function, count, arguments)) &&
           avout__lang_pattern(c, steps, pattern, slot);
}

static bool sequence_part(lang_compiler *c, lang_steps *steps, const lang_form *pattern,
                          const char *function, uint32_t slot, size_t index)
{
    const lang_node *arguments[] = {
        avout__lang_slot_node(c, pattern, slot),
        avout__lang_constant(c, pattern, avout_int((int64_t)index)),
    };
    return arguments[0] && arguments[1] && part(c, steps, pattern, function, 2, arguments);
}

static bool is_keyword(const lang_form *form, const char *name)
{
    return form->kind == FORM_VALUE && avout_value_type(form->value) == AVOUT_TYPE_KEYWORD &&
           !strcmp(avout__lang_name(form), name);
}

static bool vector_pattern(lang_compiler *c, lang_steps *steps, const lang_form *pattern,
                           uint32_t slot)
{
    size_t index = 0;
    for (size_t i = 0; i < pattern->count; i++) {
        const lang_form *item = pattern->items[i];
        bool rest = avout__lang_is_named(item, "&"), as = is_keyword(item, "as");
        if ((rest || as) && i + 1 == pattern->count)
            return avout__lang_bad(c, item, "a name is missing behind %s", rest ? "&" : ":as");
        if (as) {
            if (!avout__lang_pattern(c, steps, pattern->items[++i], slot)) return false;
        } else if (!sequence_part(c, steps, rest ? pattern->items[++i] : item,
                                  rest ? "rest-from*" : "nth-or-nil*", slot, index++)) {
            return false;
        }
    }
    return true;
}

/* ---- maps ---------------------------------------------------------------------------------------- */

/* What :or has for that name; NULL: nothing. */
static const lang_form *default_of(const lang_form *defaults, const lang_form *name)
{
    for (size_t i = 0; defaults && i + 1 < defaults->count; i += 2)
        if (avout__lang_is_symbol(defaults->items[i]) &&
            !strcmp(avout__lang_name(defaults->items[i]), avout__lang_name(name)))
            return defaults->items[i + 1];
    return NULL;
}

static bool map_part(lang_compiler *c, lang_steps *steps, const lang_form *pattern, uint32_t slot,
                     const lang_node *key, const lang_form *otherwise)
{
    const lang_node *map = avout__lang_slot_node(c, pattern, slot);
    if (!map || !key) return false;
    const lang_node *arguments[] = {map, key};
    if (!otherwise) return part(c, steps, pattern, "get", 2, arguments);
    /* The default is evaluated only when it is needed. */
    const lang_node *has = avout__lang_core_node(c, pattern, "contains?", 2, arguments);
    const lang_node *found = avout__lang_core_node(c, pattern, "get", 2, arguments);
    uint32_t fork = avout__lang_fork(c), value;
    if (!has || !found || !avout__lang_arm(c, fork, 0)) return false;
    const lang_node *absent = avout__lang_form(c, otherwise, false);
    avout__lang_join(c);
    if (!absent || !avout__lang_slot(c, pattern, &value)) return false;
    return avout__lang_step_add(c, steps, value,
                                avout__lang_if_node(c, pattern, has, found, absent)) &&
           avout__lang_pattern(c, steps, pattern, value);
}

/* :keys [a b], :strs [a b], :syms [a b]; the namespace of :my/keys, or of my/a, is the key's. */
static bool named_keys(lang_compiler *c, lang_steps *steps, const lang_form *names, uint32_t slot,
                       const char *kind, const lang_form *defaults)
{
    const char *slash = strchr(kind, '/');
    const char *what = slash ? slash + 1 : kind;
    if (names->kind != FORM_VECTOR)
        return avout__lang_bad(c, names, ":%s: expected a vector of names", kind);
    for (size_t i = 0; i < names->count; i++) {
        const lang_form *name = names->items[i];
        const char *text = avout__lang_name(name);
        if (!text) return avout__lang_bad(c, name, ":%s: expected a name", kind);
        const char *local = strchr(text, '/') ? strchr(text, '/') + 1 : text;
        char *full = slash ? avout__format("%.*s/%s", (int)(slash - kind), kind, text)
                           : avout__format("%s", text);
        avout_value key = AVOUT_NONE;
        if (full && !strcmp(what, "keys")) key = avout_keyword(full);
        else if (full && !strcmp(what, "strs")) key = avout_string(full);
        else if (full) key = avout_symbol(full);
        avout__free(full);
        const lang_form *plain = avout__lang_form_symbol(&c->unit->arena, name, local);
        const lang_node *node = avout__lang_constant(c, name, key);
        if (!plain || !node || !map_part(c, steps, plain, slot, node, default_of(defaults, plain)))
            return false;
    }
    return true;
}

static bool is_names(const char *keyword)
{
    const char *slash = strchr(keyword, '/');
    const char *what = slash ? slash + 1 : keyword;
    return !strcmp(what, "keys") || !strcmp(what, "strs") || !strcmp(what, "syms");
}

static bool map_pattern(lang_compiler *c, lang_steps *steps, const lang_form *pattern,
                        uint32_t whole)
{
    const lang_form *defaults = NULL;
    uint32_t slot;
    const lang_node *value = avout__lang_slot_node(c, pattern, whole);
    /* A sequence of keys and values stands for a map (& {:keys [...]}). */
    if (!value || !avout__lang_slot(c, pattern, &slot) ||
        !avout__lang_step_add(c, steps, slot,
                              avout__lang_core_node(c, pattern, "keyed*", 1, &value)))
        return false;
    for (size_t i = 0; i < pattern->count; i += 2)
        if (is_keyword(pattern->items[i], "or")) defaults = pattern->items[i + 1];
    if (defaults && defaults->kind != FORM_MAP)
        return avout__lang_bad(c, defaults, ":or: expected a map");
    for (size_t i = 0; i < pattern->count; i += 2) {
        const lang_form *left = pattern->items[i], *right = pattern->items[i + 1];
        bool fine = true, word = avout_value_type(left->value) == AVOUT_TYPE_KEYWORD;
        if (is_keyword(left, "or")) continue;
        if (is_keyword(left, "as")) {
            fine = avout__lang_pattern(c, steps, right, slot);
        } else if (word && is_names(avout__lang_name(left))) {
            fine = named_keys(c, steps, right, slot, avout__lang_name(left), defaults);
        } else {
            const lang_node *key = avout__lang_form(c, right, false);
            const lang_form *otherwise =
                avout__lang_is_symbol(left) ? default_of(defaults, left) : NULL;
            fine = key && map_part(c, steps, left, slot, key, otherwise);
        }
        if (!fine) return false;
    }
    return true;
}

bool avout__lang_pattern(lang_compiler *c, lang_steps *steps, const lang_form *pattern,
                         uint32_t slot)
{
    if (lang_deep(c->run)) return false;
    switch (pattern->kind) {
    case FORM_VECTOR: return vector_pattern(c, steps, pattern, slot);
    case FORM_MAP: return map_pattern(c, steps, pattern, slot);
    default: break;
    }
    if (!avout__lang_is_symbol(pattern))
        return avout__lang_bad(c, pattern, "expected a name, or a vector or map of names");
    if (strchr(avout__lang_name(pattern), '/') && avout__lang_name(pattern)[1])
        return avout__lang_bad(c, pattern, "a local has no namespace: %.100s",
                               avout__lang_name(pattern));
    return avout__lang_bind(c, pattern, avout__lang_name(pattern), slot);
}
