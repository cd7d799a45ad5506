/* Special forms that are functions of the table called with their bodies as functions. */
#include "lang/compile.h"

#include "base/banned.h"

/* (name arguments... body...): (function arguments... (fn [] body...)), with that many arguments before the
 * body. */
static const lang_node *around(lang_compiler *c, const lang_form *form, const char *function,
                               size_t before)
{
    const lang_node *parts[2] = {NULL};
    if (before && !(parts[0] = avout__lang_form(c, form->items[1], false))) return NULL;
    if (!(parts[before] = avout__lang_thunk_node(c, form, before + 1))) return NULL;
    return avout__lang_core_node(c, form, function, before + 1, parts);
}

#define AROUND(compile, function)                                                                  \
    static const lang_node *compile(lang_compiler *c, const lang_form *form, bool tail)            \
    {                                                                                              \
        (void)tail;                                                                                \
        return around(c, form, function, 0);                                                       \
    }

AROUND(compile_time, "time*")
AROUND(compile_lazy_seq, "lazy-seq*")
AROUND(compile_with_out_str, "with-out-str*")
AROUND(compile_future, "future-call")
AROUND(compile_delay, "delay*")

static const lang_node *compile_dosync(lang_compiler *c, const lang_form *form, bool tail)
{
    (void)tail;
    if (form->count < 2)
        return avout__lang_bad(c, form, "dosync!!: expected a client, as (connect)");
    return around(c, form, "dosync*", 1);
}

static const lang_node *compile_with_lock(lang_compiler *c, const lang_form *form, bool tail)
{
    (void)tail;
    if (form->count < 2) return avout__lang_bad(c, form, "with-lock: expected a lock");
    return around(c, form, "with-lock*", 1);
}

/* (if-lock* lock then else time? unit?) with functions for then and else: when-lock's are the rest of the
 * form and none, if-lock's are one form each. `timed`: how many forms say the time. */
static const lang_node *lock_branches(lang_compiler *c, const lang_form *form, size_t timed,
                                      bool when)
{
    size_t then = 2 + timed;
    bool otherwise = !when && form->count == then + 2;
    if (form->count < then || (!when && !otherwise && form->count != then + 1))
        return avout__lang_bad(c, form, "%s: expected a lock%s%s", avout__lang_name(form->items[0]),
                               timed ? ", a time and its unit" : "",
                               when ? "" : ", what then, and perhaps what else");
    lang_form body = *form, other = *form;
    if (!when) body.count = then + 1;
    other.count = otherwise ? then + 2 : then + 1;
    const lang_node *parts[5] = {avout__lang_form(c, form->items[1], false)};
    if (!parts[0] || !(parts[1] = avout__lang_thunk_node(c, &body, then)) ||
        !(parts[2] = avout__lang_thunk_node(c, &other, then + 1)))
        return NULL;
    for (size_t i = 0; i < timed; i++)
        if (!(parts[3 + i] = avout__lang_form(c, form->items[2 + i], false))) return NULL;
    return avout__lang_core_node(c, form, "if-lock*", 3 + timed, parts);
}

#define BRANCHES(compile, timed, when)                                                             \
    static const lang_node *compile(lang_compiler *c, const lang_form *form, bool tail)            \
    {                                                                                              \
        (void)tail;                                                                                \
        return lock_branches(c, form, timed, when);                                                \
    }

BRANCHES(compile_when_lock, 0, true)
BRANCHES(compile_if_lock, 0, false)
BRANCHES(compile_when_lock_timed, 2, true)
BRANCHES(compile_if_lock_timed, 2, false)

const lang_special avout__lang_thunks[] = {
    {"time", "body...", "the body; prints how long it took", compile_time},
    {"lazy-seq", "body...", "a sequence that the body makes when it is first needed",
     compile_lazy_seq},
    {"with-out-str", "body...", "what the body prints, as a string", compile_with_out_str},
    {"future", "body...", "the body, on another thread; deref waits for its value", compile_future},
    {"delay", "body...", "the body, when deref or force first asks for its value", compile_delay},
    {"dosync!!", "client body...",
     "the body as one transaction: ref-set!!, alter!!, commute!!, ensure!!", compile_dosync},
    {"with-lock", "lock body...", "the body while this thread has the lock", compile_with_lock},
    {"when-lock", "lock body...", "the body, if the lock is free now; or nil", compile_when_lock},
    {"if-lock", "lock then else?", "then with the lock, if it is free now, otherwise else",
     compile_if_lock},
    {"when-lock-with-timeout", "lock time unit body...",
     "the body, if the lock can be had within the time; or nil", compile_when_lock_timed},
    {"if-lock-with-timeout", "lock time unit then else?",
     "then with the lock, if it can be had within the time, otherwise else", compile_if_lock_timed},
    {NULL, NULL, NULL, NULL},
};
