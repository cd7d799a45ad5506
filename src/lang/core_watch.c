/* Watches and validators: functions of the program that the library calls, on whatever thread, each in a
 * run of its own. */
#include "lang/state.h"

#include "base/alloc.h"
#include "base/banned.h"

/* The environment is held while they are set, and they are taken off when it is closed. */
typedef struct watch {
    avout_lang *lang;
    avout_value function, key, cell;
} watch;

static void free_watch(void *payload)
{
    watch *w = payload;
    avout_release(w->function);
    avout_release(w->key);
    avout_release(w->cell);
    avout__lang_unref(w->lang);
    avout__free(w);
}

static avout_value or_nil(avout_value value)
{
    return value.bits ? value : avout_nil();
}

/* An avout_watch_fn. Nobody waits for what it answers: an error is told on standard error. What may interrupt
 * it is named before the environment's closing is looked at: either is seen. */
static void on_change(const char *key, avout_value old_value, avout_value new_value, void *payload)
{
    const watch *w = payload;
    const avout_value arguments[] = {w->key, w->cell, or_nil(old_value), or_nil(new_value)};
    avout_value answer;
    avout__interruptible outside =
        avout__interrupt_use(avout__interruptible_by(&w->lang->interrupts));
    if (!atomic_load(&w->lang->closing)) {
        avout_status status = avout_lang_call(&answer, w->lang, w->function, 4, arguments, NULL);
        if (!status) avout_release(answer);
        else if (!atomic_load(&w->lang->closing))
            fprintf(stderr, "avout: watch %s: %s\n", key, avout_error_detail());
    }
    avout__interrupt_use(outside);
}

/* Changes the set of [cell key] by that pair. */
static bool note(lang_run *run, avout_value cell, avout_value key,
                 avout_status (*change)(avout_value *set, avout_value pair))
{
    avout_value pair[] = {avout_share(cell), key.bits ? avout_share(key) : avout_nil()};
    avout_value entry = avout_vector(2, pair);
    pthread_mutex_lock(&run->lang->lock);
    avout_status status = change(&run->lang->watched, entry);
    pthread_mutex_unlock(&run->lang->lock);
    if (status) avout__lang_failed(run, status);
    return !status;
}

bool avout__lang_remember(lang_run *run, avout_value cell, avout_value key)
{
    return note(run, cell, key, avout_conj);
}

/* The caller has the cell: it is not destroyed here, under the lock. */
static bool forget(lang_run *run, avout_value cell, avout_value key)
{
    return note(run, cell, key, avout_disj);
}

/* The library's keys are texts: the key as it prints. */
static char *key_text(lang_run *run, avout_value key)
{
    avout__buffer buffer = AVOUT__BUFFER_INIT;
    if (!avout__lang_print(run, &buffer, key, PRINT_READABLY)) {
        avout__buffer_release(&buffer);
        return NULL;
    }
    char *text = avout__buffer_take(&buffer);
    if (!text) avout__lang_failed(run, AVOUT_ENOMEM);
    return text;
}

/* (add-watch x key (fn [key x old new] ...)) */
CORE(add_watch)
{
    lang_cell *cell = avout__lang_cell(run, "add-watch", args[0]);
    if (!cell || !avout__lang_realize(run, &args[1], true)) return AVOUT_NONE;
    char *key = key_text(run, args[1]);
    avout_value text = key ? avout__lang_made(run, avout_string(key)) : AVOUT_NONE;
    watch *w = text.bits ? avout__alloc(sizeof *w) : NULL;
    avout_status status = AVOUT_ENOMEM;
    if (w && avout__lang_remember(run, args[0], text)) {
        *w = (watch){run->lang, avout_share(args[2]), avout_share(args[1]), avout_share(args[0])};
        avout__lang_ref(run->lang);
        status = cell->atom ? avout_atom_add_watch(cell->atom, key, on_change, w, free_watch)
                            : avout_ref_add_watch(cell->ref, key, on_change, w, free_watch);
    } else {
        avout__free(w);
    }
    avout_release(text);
    avout__free(key);
    if (!status) return lang_take(&args[0]);
    return run->status ? AVOUT_NONE : avout__lang_failed(run, status);
}

static avout_status remove_one(const lang_cell *cell, const char *key)
{
    avout_status status = cell->atom ? avout_atom_remove_watch(cell->atom, key)
                                     : avout_ref_remove_watch(cell->ref, key);
    return status == AVOUT_ENOTFOUND ? AVOUT_OK : status;
}

CORE(remove_watch)
{
    const lang_cell *cell = avout__lang_cell(run, "remove-watch", args[0]);
    char *key = cell ? key_text(run, args[1]) : NULL;
    if (!key) return AVOUT_NONE;
    avout_status status = remove_one(cell, key);
    avout_value text = status ? AVOUT_NONE : avout__lang_made(run, avout_string(key));
    avout__free(key);
    if (status) return avout__lang_failed(run, status);
    bool fine = text.bits && forget(run, args[0], text);
    avout_release(text);
    return fine ? lang_take(&args[0]) : AVOUT_NONE;
}

/* ---- validators --------------------------------------------------------------------------------------------- */

static avout_status set_on(const lang_cell *cell, avout_lang_function *function)
{
    avout_validator_fn call = function ? avout_lang_validate : NULL;
    if (cell->atom)
        return avout_atom_set_validator(cell->atom, call, function,
                                        function ? avout_lang_function_free : NULL);
    return avout_ref_set_validator(cell->ref, call, function,
                                   function ? avout_lang_function_free : NULL);
}

bool avout__lang_set_validator(lang_run *run, avout_value box, avout_value function)
{
    lang_cell *cell = avout__lang_cell(run, "set-validator!", box);
    avout_lang_function *made = NULL;
    avout_status status = AVOUT_OK;
    bool none = avout_value_type(function) == AVOUT_TYPE_NIL;
    if (!cell || (!none && !avout__lang_remember(run, box, AVOUT_NONE))) return false;
    if (!none) status = avout__lang_function_new(&made, run->lang, avout_share(function));
    if (!status) status = set_on(cell, made);
    if (status) return avout__lang_failed(run, status).bits;
    if (none && !forget(run, box, AVOUT_NONE)) return false;
    pthread_mutex_lock(&run->lang->lock);
    avout_value before = cell->validator;
    cell->validator = none ? AVOUT_NONE : avout_share(function);
    pthread_mutex_unlock(&run->lang->lock);
    avout_release(before);
    return true;
}

CORE(set_validator)
{
    return avout__lang_set_validator(run, args[0], args[1]) ? avout_nil() : AVOUT_NONE;
}

CORE(get_validator)
{
    const lang_cell *cell = avout__lang_cell(run, "get-validator!", args[0]);
    if (!cell) return AVOUT_NONE;
    pthread_mutex_lock(&run->lang->lock);
    avout_value function = avout_share(cell->validator);
    pthread_mutex_unlock(&run->lang->lock);
    return or_nil(function);
}

/* ---- the end -------------------------------------------------------------------------------------------------- */

/* Whoever comes later finds none of the lists, and is refused. */
static avout_value take_list(avout_lang *lang, avout_value *list)
{
    pthread_mutex_lock(&lang->lock);
    avout_value taken = lang_take(list);
    pthread_mutex_unlock(&lang->lock);
    return taken;
}

void avout__lang_end_state(avout_lang *lang)
{
    avout_value watched = take_list(lang, &lang->watched);
    avout_iterator at = avout_value_iterate(watched);
    while (avout_iterator_next(&at)) {
        lang_cell *cell = avout__lang_object_of(avout_value_nth(at.item, 0), LANG_CELL);
        const char *key;
        /* Nothing can be done about a failure, and the handle's end takes both off anyway. */
        if (!avout_value_to_text(&key, NULL, avout_value_nth(at.item, 1)))
            (void)remove_one(cell, key);
        else (void)set_on(cell, NULL);
    }
    avout_release(watched);
    avout_value clients = take_list(lang, &lang->clients);
    avout_release(take_list(lang, &lang->client));
    at = avout_value_iterate(clients);
    while (avout_iterator_next(&at)) {
        lang_client *client = avout__lang_object_of(at.item, LANG_CLIENT);
        avout_client *open = client->client;
        client->client = NULL;
        avout_close(open);
    }
    avout_release(clients);
}

const lang_core avout__lang_watches[] = {
    {"add-watch", "x key f", "calls (f key x old new) after every change of an atom or ref", 3, 3,
     add_watch, NULL},
    {"remove-watch", "x key", "ends the watch of that key", 2, 2, remove_watch, NULL},
    {"set-validator!", "x f", "refuses values for which f is false; nil: none", 2, 2, set_validator,
     NULL},
    {"get-validator!", "x", "the validator that was set here, or nil", 1, 1, get_validator, NULL},
    {"get-validator", "x", "the validator that was set here, or nil", 1, 1, get_validator, NULL},
    LANG_END,
};
