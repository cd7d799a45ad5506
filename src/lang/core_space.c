/* Namespaces: which there are, and require, use, import. There is one namespace for what programs define,
 * and the functions are known from the start; so requiring checks names, and gives aliases. */
#include "lang/core.h"

#include <string.h>

#include "lang/compile.h"
#include "base/banned.h"

/* ---- what there is ------------------------------------------------------------------------------------------- */

/* Their functions are named with them. */
static const char *const spaces[] = {"clojure.string", "clojure.set", "clojure.walk",
                                     "clojure.edn"};
/* The functions of these are known by their own names. */
static const char *const flat[] = {
    "clojure.core",      "clojure.repl",      "avout.core",        "avout.locks",
    "avout.atoms",       "avout.atoms.zk",    "avout.atoms.mongo", "avout.refs",
    "avout.refs.zk",     "avout.refs.local",  "avout.refs.mongo",  "avout.mongo",
    "avout.state",       "avout.transaction", "zookeeper",         "mongo",
    "somnium.congomongo"};
static const struct {
    const char *alias, *space;
} usual[] = {{"str", "clojure.string"}, {"string", "clojure.string"}, {"set", "clojure.set"},
             {"walk", "clojure.walk"},  {"edn", "clojure.edn"},       {"core", "clojure.core"}};

/* Java's, as far as their names mean something here; errors are known by theirs. */
static const char *const classes[] = {"java.util.concurrent.TimeUnit",
                                      "java.util.concurrent.locks.Lock",
                                      "java.util.concurrent.locks.Condition",
                                      "java.util.concurrent.locks.ReadWriteLock",
                                      "java.lang.Thread",
                                      "java.lang.System"};

#define KNOWN(list, name, length) is_in(list, sizeof list / sizeof *list, name, length)

static const char *is_in(const char *const *list, size_t count, const char *name, size_t length)
{
    for (size_t i = 0; i < count; i++)
        if (strlen(list[i]) == length && !memcmp(list[i], name, length)) return list[i];
    return NULL;
}

/* Under the environment's lock. Programs have few of them: looking through needs no memory. */
static const char *own_alias(const avout_lang *lang, const char *alias, size_t length)
{
    avout_iterator at = avout_value_iterate(lang->aliases);
    while (avout_iterator_next(&at)) {
        const char *key, *space;
        if (!avout_value_to_text(&key, NULL, at.key) && is_in(&key, 1, alias, length) &&
            !avout_value_to_text(&space, NULL, at.item))
            return space;
    }
    return NULL;
}

bool avout__lang_namespace(avout_lang *lang, char *full, size_t size, const char *space,
                           size_t length)
{
    pthread_mutex_lock(&lang->lock);
    const char *found = own_alias(lang, space, length);
    for (size_t i = 0; !found && i < sizeof usual / sizeof *usual; i++)
        found = is_in(&usual[i].alias, 1, space, length) ? usual[i].space : NULL;
    if (!found) found = KNOWN(spaces, space, length);
    if (!found && KNOWN(flat, space, length)) found = "clojure.core";
    if (found) snprintf(full, size, "%s", found);
    pthread_mutex_unlock(&lang->lock);
    return found != NULL;
}

static bool set_alias(lang_run *run, const char *alias, const char *space)
{
    pthread_mutex_lock(&run->lang->lock);
    avout_status status =
        avout_assoc(&run->lang->aliases, avout_string(alias), avout_string(space));
    pthread_mutex_unlock(&run->lang->lock);
    if (status) avout__lang_failed(run, status);
    return !status;
}

/* ---- referring ----------------------------------------------------------------------------------------------- */

/* One namespace that is required. */
typedef struct requirement {
    const char *function; /* for messages */
    char space[128];
    bool is_flat, uses;
    avout_value only, except, rename; /* AVOUT_NONE: not given */
} requirement;

static const char *text_of(avout_value symbol)
{
    const char *text = NULL;
    if (avout_value_type(symbol) != AVOUT_TYPE_SYMBOL || avout_value_to_text(&text, NULL, symbol))
        return NULL;
    return text;
}

static bool lists(avout_value names, avout_value symbol)
{
    avout_iterator at = avout_value_iterate(names);
    while (names.bits && avout_iterator_next(&at))
        if (avout_value_equal(at.item, symbol)) return true;
    return false;
}

/* The var `name` becomes the function. */
static bool define(lang_run *run, avout_value name, const lang_core *core)
{
    lang_var *var = avout__lang_var(run->lang, name, true);
    avout_value value = var ? avout__lang_core_value(run, core) : AVOUT_NONE;
    if (!var) avout__lang_failed(run, AVOUT_ENOMEM);
    if (!value.bits) return false;
    avout__lang_var_set(var, value);
    return true;
}

/* The name is to be known without its namespace, perhaps as another. */
static bool refer(lang_run *run, const requirement *r, avout_value symbol)
{
    char full[256];
    const char *name = text_of(symbol);
    if (!name) return avout__lang_wrong(run, r->function, "a name to refer to", symbol).bits;
    snprintf(full, sizeof full, "%s%s%.100s", r->is_flat ? "" : r->space, r->is_flat ? "" : "/",
             name);
    const lang_core *core = avout__lang_core_find(full);
    if (!core && !(r->is_flat && avout__lang_special_find(name)))
        return avout__lang_fail(run, AVOUT_ENAME, "%s: %s has no %.100s", r->function, r->space,
                                name)
            .bits;
    avout_value other = r->rename.bits ? avout_value_get(r->rename, symbol) : AVOUT_NONE;
    if (!other.bits && r->is_flat) return true;
    if (!core)
        return avout__lang_fail(run, AVOUT_ENOTSUP, "%s: %s is a special form, which has one name",
                                r->function, name)
            .bits;
    return define(run, other.bits ? other : symbol, core);
}

/* All that a namespace has. */
static bool refer_all(lang_run *run, const requirement *r)
{
    const lang_core *core;
    size_t length = strlen(r->space);
    for (size_t i = 0; !r->is_flat && (core = avout__lang_core_at(i)); i++) {
        if (strncmp(core->name, r->space, length) != 0 || core->name[length] != '/') continue;
        avout_value symbol = avout__lang_made(run, avout_symbol(core->name + length + 1));
        bool fine = symbol.bits && (lists(r->except, symbol) || refer(run, r, symbol));
        avout_release(symbol);
        if (!fine) return false;
    }
    return true;
}

static bool refer_those(lang_run *run, const requirement *r)
{
    bool all = avout_value_type(r->only) == AVOUT_TYPE_KEYWORD;
    if (all || (r->uses && !r->only.bits)) return refer_all(run, r);
    avout_iterator at = avout_value_iterate(r->only);
    while (r->only.bits && avout_iterator_next(&at))
        if (!refer(run, r, at.item)) return false;
    return true;
}

/* ---- require, use ---------------------------------------------------------------------------------------------- */

static bool is_word(avout_value value, const char *word)
{
    const char *text;
    return avout_value_type(value) == AVOUT_TYPE_KEYWORD &&
           !avout_value_to_text(&text, NULL, value) && !strcmp(text, word);
}

static bool is_list(avout_value value)
{
    avout_type type = avout_value_type(value);
    return type == AVOUT_TYPE_VECTOR || type == AVOUT_TYPE_LIST;
}

static bool read_option(lang_run *run, requirement *r, avout_value key, avout_value value)
{
    bool names = is_list(value), refers = is_word(key, "refer") || is_word(key, "only");
    if (is_word(key, "as") && text_of(value))
        return set_alias(run, text_of(value), r->is_flat ? "clojure.core" : r->space);
    if (refers && (names || is_word(value, "all"))) r->only = value;
    else if (is_word(key, "exclude") && names) r->except = value;
    else if (is_word(key, "rename") && avout_value_type(value) == AVOUT_TYPE_MAP) r->rename = value;
    else
        return avout__lang_wrong(run, r->function,
                                 ":as name, :refer [names], :only [names], :exclude [names] or "
                                 ":rename {name name}",
                                 key)
            .bits;
    return true;
}

/* The namespace `name`, behind a prefix that may be empty, with the options in items[1...]. */
static bool require_one(lang_run *run, const char *function, const char *prefix, avout_value name,
                        avout_value options)
{
    char full[128];
    const char *space = text_of(name);
    size_t count = 0;
    requirement r = {.function = function, .uses = !strcmp(function, "use")};
    if (!space)
        return avout__lang_wrong(run, function, "a namespace, as '[clojure.string :as str]", name)
            .bits;
    snprintf(r.space, sizeof r.space, "%s%s%.60s", prefix, *prefix ? "." : "", space);
    if (!avout__lang_namespace(run->lang, full, sizeof full, r.space, strlen(r.space)))
        return avout__lang_fail(run, AVOUT_ENOTFOUND, "%s: there is no namespace %s", function,
                                r.space)
            .bits;
    r.is_flat = !strcmp(full, "clojure.core");
    if (!r.is_flat) snprintf(r.space, sizeof r.space, "%s", full);
    if (options.bits) avout_value_count(&count, options);
    if (options.bits && !(count % 2))
        return avout__lang_fail(run, AVOUT_EINVAL, "%s: %s: an option has no value", function,
                                r.space)
            .bits;
    for (size_t i = 1; i + 1 < count; i += 2)
        if (!read_option(run, &r, avout_value_nth(options, i), avout_value_nth(options, i + 1)))
            return false;
    return refer_those(run, &r);
}

/* zookeeper, [zookeeper :as zk], (zookeeper :as zk), or (avout core [locks :as l]) */
static bool require_spec(lang_run *run, const char *function, avout_value spec)
{
    size_t count = 0;
    if (!is_list(spec)) return require_one(run, function, "", spec, AVOUT_NONE);
    avout_value_count(&count, spec);
    avout_value first = count ? avout_value_nth(spec, 0) : spec;
    bool prefix = avout_value_type(spec) == AVOUT_TYPE_LIST && count > 1 &&
                  avout_value_type(avout_value_nth(spec, 1)) != AVOUT_TYPE_KEYWORD;
    if (!prefix) return require_one(run, function, "", first, spec);
    if (!text_of(first)) return avout__lang_wrong(run, function, "a prefix", first).bits;
    for (size_t i = 1; i < count; i++) {
        avout_value one = avout_value_nth(spec, i);
        bool vector = avout_value_type(one) == AVOUT_TYPE_VECTOR;
        if (!require_one(run, function, text_of(first), vector ? avout_value_nth(one, 0) : one,
                         vector ? one : AVOUT_NONE))
            return false;
    }
    return true;
}

/* :reload and its like behind the namespaces: there is nothing that could be loaded anew. */
static bool is_flag(avout_value value)
{
    return is_word(value, "reload") || is_word(value, "reload-all") || is_word(value, "verbose");
}

static avout_value require_all(lang_run *run, const char *function, size_t count, avout_value *args)
{
    for (size_t i = 0; i < count; i++)
        if (!is_flag(args[i]) && !require_spec(run, function, args[i])) return AVOUT_NONE;
    return avout_nil();
}

CORE(require)
{
    return require_all(run, "require", count, args);
}

CORE(use)
{
    return require_all(run, "use", count, args);
}

/* ---- import ------------------------------------------------------------------------------------------------------ */

static bool import_one(lang_run *run, const char *package, avout_value name)
{
    const char *text = text_of(name);
    char full[200], space[128];
    bool known = false;
    if (!text) return avout__lang_wrong(run, "import", "a class, as java.util.Date", name).bits;
    snprintf(full, sizeof full, "%.90s%s%.90s", package, *package ? "." : "", text);
    avout__lang_error_is(NULL, full, &known);
    /* The tutorial imports a namespace, too. */
    if (known || KNOWN(classes, full, strlen(full)) ||
        avout__lang_namespace(run->lang, space, sizeof space, full, strlen(full)))
        return true;
    return avout__lang_fail(run, AVOUT_ENOTFOUND, "import: there is no class %s", full).bits;
}

/* a.B, (a B C), [a B C] */
CORE(import)
{
    for (size_t i = 0; i < count; i++) {
        avout_iterator at = avout_value_iterate(args[i]);
        if (!is_list(args[i])) {
            if (!import_one(run, "", args[i])) return AVOUT_NONE;
            continue;
        }
        const char *package = avout_iterator_next(&at) ? text_of(at.item) : NULL;
        if (!package) return avout__lang_wrong(run, "import", "a package and its classes", args[i]);
        while (avout_iterator_next(&at))
            if (!import_one(run, package, at.item)) return AVOUT_NONE;
    }
    return avout_nil();
}

const lang_core avout__lang_spaces[] = {
    {"require", "'[namespace :as alias :refer [names]] ...",
     "makes a namespace known under an alias, names of it without one", 0, LANG_MANY, require,
     NULL},
    {"use", "'[namespace :only [names]] ...", "require, with all names unless it says which", 0,
     LANG_MANY, use, NULL},
    {"import*", "class ...", "", 0, LANG_MANY, import, NULL},
    LANG_END,
};
