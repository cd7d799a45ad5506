/* Special forms of names: doc, import, ns. */
#include "lang/compile.h"

#include <string.h>

#include "base/banned.h"

/* (doc name): (doc* 'name) */
static const lang_node *compile_doc(lang_compiler *c, const lang_form *form, bool tail)
{
    (void)tail;
    if (form->count != 2 || !avout__lang_is_symbol(form->items[1]))
        return avout__lang_bad(c, form, "doc: expected a name");
    const lang_node *name = avout__lang_constant(c, form, avout_share(form->items[1]->value));
    return name ? avout__lang_core_node(c, form, "doc*", 1, &name) : NULL;
}

/* (name 'spec ...) of what is behind the first word. */
static const lang_form *with_quoted(lang_compiler *c, const lang_form *form, const char *name)
{
    const lang_form **specs = avout__lang_room(c, form->count);
    if (!specs) return NULL;
    for (size_t i = 1; i < form->count; i++) {
        const lang_form *spec = form->items[i];
        bool quoted = spec->kind == FORM_LIST && spec->count == 2 &&
                      avout__lang_is_named(spec->items[0], "quote");
        specs[i - 1] = quoted ? spec : avout__lang_expand(c, spec, "quote", 1, form->items + i);
    }
    return avout__lang_expand(c, form, name, form->count - 1, specs);
}

/* (import java.util.Date), (import '(java.util Date)): (import* 'spec ...) */
static const lang_node *compile_import(lang_compiler *c, const lang_form *form, bool tail)
{
    return avout__lang_expanded(c, with_quoted(c, form, "import*"), tail);
}

/* What a clause of ns stands for; NULL: none of them. */
static const char *clause_function(const char *word)
{
    static const char *const names[][2] = {
        {"require", "require"}, {"use", "use"}, {"import", "import*"}};
    for (size_t i = 0; word && i < sizeof names / sizeof *names; i++)
        if (!strcmp(names[i][0], word)) return names[i][1];
    return NULL;
}

/* (ns name doc? (:require spec ...) (:use spec ...) (:import spec ...)): (do (require 'spec ...) ... nil).
 * What a program defines comes before what the core has, so (:refer-clojure :exclude ...) is true anyway. */
static const lang_node *compile_ns(lang_compiler *c, const lang_form *form, bool tail)
{
    if (form->count < 2 || !avout__lang_is_symbol(form->items[1]))
        return avout__lang_bad(c, form, "ns: expected a name");
    const lang_form **parts = avout__lang_room(c, form->count);
    size_t count = 0;
    if (!parts) return NULL;
    for (size_t i = 2; i < form->count; i++) {
        const lang_form *clause = form->items[i];
        bool list = clause->kind == FORM_LIST && clause->count;
        const char *word = list ? avout__lang_name(clause->items[0]) : NULL;
        const char *function = clause_function(word);
        bool text = clause->kind == FORM_VALUE || clause->kind == FORM_MAP;
        if (text || (word && !strcmp(word, "refer-clojure"))) continue;
        if (!function)
            return avout__lang_bad(c, clause,
                                   "ns: expected (:require ...), (:use ...) or (:import ...)");
        parts[count++] = with_quoted(c, clause, function);
    }
    parts[count++] = avout__lang_value_form(c, form, avout_nil());
    return avout__lang_expanded(c, avout__lang_expand(c, form, "do", count, parts), tail);
}

const lang_special avout__lang_namings[] = {
    {"doc", "name", "prints what is known of a function or special form", compile_doc},
    {"import", "class...", "nil; classes are known by their names", compile_import},
    {"ns", "name (:require spec ...)? (:use spec ...)? (:import class ...)?",
     "names the program; requires namespaces", compile_ns},
    {NULL, NULL, NULL, NULL},
};
