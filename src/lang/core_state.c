/* connect, and opening atoms and refs under the names the original gives them. */
#include "lang/state.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/banned.h"

/* ---- clients ---------------------------------------------------------------------------------------------- */

void avout__lang_client_destroy(lang_client *client)
{
    /* Its environment has closed it. */
    AVOUT__ASSERT(!client->client);
}

bool avout__lang_is_client(avout_value value)
{
    return avout__lang_object_of(value, LANG_CLIENT) != NULL;
}

avout_client *avout__lang_client(lang_run *run, const char *name, avout_value value)
{
    const lang_client *client = avout__lang_object_of(value, LANG_CLIENT);
    if (!client) avout__lang_wrong(run, name, "a client, as (connect)", value);
    else if (!client->client)
        avout__lang_fail(run, AVOUT_ECLOSED, "%s: the client is closed", name);
    return client ? client->client : NULL;
}

static avout_status connect_to(avout_client **client, const avout_lang *lang, const char *url)
{
    if (lang->options.connect)
        return lang->options.connect(client, url, lang->options.connect_payload);
    return avout_connect(url, NULL, client);
}

/* Keeps the value in one of the environment's vectors. */
static bool keep(lang_run *run, avout_value *vector, avout_value value)
{
    pthread_mutex_lock(&run->lang->lock);
    avout_status status = avout_conj(vector, value);
    pthread_mutex_unlock(&run->lang->lock);
    if (status) avout__lang_failed(run, status);
    return !status;
}

static avout_value new_client(lang_run *run, const char *url)
{
    lang_client *client = avout__calloc(1, sizeof *client);
    if (!client) return avout__lang_failed(run, AVOUT_ENOMEM);
    client->object.kind = LANG_CLIENT;
    avout_value box = avout__lang_made(run, avout__lang_box(client));
    if (!box.bits) return AVOUT_NONE;
    /* The environment knows of it before it is open: there is no moment at which nobody would close it. */
    if (!keep(run, &run->lang->clients, avout_share(box))) {
        avout_release(box);
        return AVOUT_NONE;
    }
    avout_status status = connect_to(&client->client, run->lang, url);
    return lang_done(run, status, box);
}

/* The one of (connect), opened when it is first needed. */
static avout_value default_client(lang_run *run)
{
    avout_lang *lang = run->lang;
    pthread_mutex_lock(&lang->lock);
    avout_value client = avout_share(lang->client);
    pthread_mutex_unlock(&lang->lock);
    if (client.bits) return client;
    client = new_client(run, NULL);
    if (!client.bits) return AVOUT_NONE;
    pthread_mutex_lock(&lang->lock);
    if (!lang->client.bits) lang->client = avout_share(client);
    pthread_mutex_unlock(&lang->lock);
    return client;
}

CORE(connect)
{
    const char *url;
    size_t length;
    if (!count) return default_client(run);
    if (!avout__lang_text_of(run, "connect", &url, &length, args[0])) return AVOUT_NONE;
    return new_client(run, url);
}

CORE(client_url)
{
    avout_client *client = avout__lang_client(run, "client-url", args[0]);
    return client ? avout__lang_made(run, avout_string(avout_client_url(client))) : AVOUT_NONE;
}

/* There is nothing to set up: what the store needs is made on first use. */
CORE(init_stm)
{
    return avout__lang_client(run, "init-stm", args[0]) ? avout_nil() : AVOUT_NONE;
}

CORE(list_names)
{
    bool given = count && avout__lang_is_client(args[0]);
    avout_value box = given ? avout_share(args[0]) : default_client(run), names;
    const char *directory = "/";
    size_t length;
    if (!box.bits) return AVOUT_NONE;
    avout_client *client = avout__lang_client(run, "ls", box);
    bool fine = client && (count == (size_t)given ||
                           avout__lang_text_of(run, "ls", &directory, &length, args[given]));
    avout_status status = fine ? avout_ls(&names, client, directory) : AVOUT_OK;
    avout_release(box);
    if (!fine) return AVOUT_NONE;
    return status ? avout__lang_failed(run, status) : names;
}

/* ---- atoms and refs -------------------------------------------------------------------------------------- */

void avout__lang_cell_destroy(lang_cell *cell)
{
    avout_atom_close(cell->atom);
    avout_ref_close(cell->ref);
    avout_release(cell->client);
    avout_release(cell->validator);
}

lang_cell *avout__lang_cell(lang_run *run, const char *name, avout_value value)
{
    lang_cell *cell = avout__lang_object_of(value, LANG_CELL);
    if (!cell) avout__lang_wrong(run, name, "an atom or ref", value);
    return cell;
}

avout_value avout__lang_cell_value(lang_run *run, lang_cell *cell)
{
    avout_value value;
    avout_status status =
        cell->atom ? avout_atom_deref(&value, cell->atom) : avout_ref_deref(&value, cell->ref);
    return status ? avout__lang_failed(run, status) : value;
}

/* What is to be opened. */
typedef struct opening {
    const char *function;
    bool atom, local, resets;
    avout_client *client;
    const char *name;
    avout_value initial; /* AVOUT_NONE: it must be there */
} opening;

static avout_status open_atom(lang_cell *cell, const opening *o)
{
    if (!o->initial.bits) return avout_atom_open(&cell->atom, o->client, o->name);
    avout_value initial = avout_share(o->initial);
    if (o->resets) return avout_atom_create_or_reset(&cell->atom, o->client, o->name, initial);
    return avout_atom_create(&cell->atom, o->client, o->name, initial, NULL);
}

static avout_status open_ref(lang_cell *cell, const opening *o)
{
    if (!o->initial.bits) return avout_ref_open(&cell->ref, o->client, o->name);
    avout_value initial = avout_share(o->initial);
    if (o->local) return avout_ref_local(&cell->ref, o->client, initial);
    if (o->resets) return avout_ref_create_or_reset(&cell->ref, o->client, o->name, initial);
    return avout_ref_create(&cell->ref, o->client, o->name, initial, NULL);
}

static avout_value open_cell(lang_run *run, const opening *o, avout_value client)
{
    lang_cell *cell = avout__calloc(1, sizeof *cell);
    if (!cell) return avout__lang_failed(run, AVOUT_ENOMEM);
    cell->object.kind = LANG_CELL;
    cell->client = avout_share(client);
    avout_value box = avout__lang_made(run, avout__lang_box(cell));
    if (!box.bits) return AVOUT_NONE;
    return lang_done(run, o->atom ? open_atom(cell, o) : open_ref(cell, o), box);
}

static bool is_keyword(avout_value value, const char *name)
{
    const char *text;
    return avout_value_type(value) == AVOUT_TYPE_KEYWORD &&
           !avout_value_to_text(&text, NULL, value) && !strcmp(text, name);
}

/* args[at...]: an initial value, then :validator f; each may be missing. */
static bool read_options(lang_run *run, opening *o, size_t at, size_t count, avout_value *args,
                         avout_value *validator)
{
    *validator = AVOUT_NONE;
    bool pair = at + 2 == count && is_keyword(args[at], "validator");
    if (at < count && !pair) {
        if (!avout__lang_realize(run, &args[at], true)) return false;
        o->initial = args[at++];
    }
    if (at == count) return true;
    if (at + 2 != count || !is_keyword(args[at], "validator"))
        return avout__lang_fail(run, AVOUT_EINVAL,
                                "%s: expected a name, perhaps a value, perhaps :validator f",
                                o->function)
            .bits;
    *validator = args[at + 1];
    return true;
}

/* (function client? name initial? :validator f) */
static avout_value open_named(lang_run *run, opening *o, size_t count, avout_value *args)
{
    size_t at = avout__lang_is_client(args[0]), length;
    avout_value validator, box = AVOUT_NONE, client;
    if (!at && o->resets)
        return avout__lang_wrong(run, o->function, "a client, as (connect)", args[0]);
    client = at ? avout_share(args[0]) : default_client(run);
    if (client.bits && (o->client = avout__lang_client(run, o->function, client)) != NULL &&
        (at < count
             ? avout__lang_text_of(run, o->function, &o->name, &length, args[at])
             : avout__lang_fail(run, AVOUT_EINVAL, "%s: expected a name", o->function).bits != 0) &&
        read_options(run, o, at + 1, count, args, &validator)) {
        box = open_cell(run, o, client);
        if (box.bits && validator.bits && !avout__lang_set_validator(run, box, validator))
            avout_release(lang_take(&box));
    }
    avout_release(client);
    return box;
}

CORE(zk_atom)
{
    return open_named(run, &(opening){.function = "zk-atom", .atom = true, .resets = true}, count,
                      args);
}

CORE(zk_ref)
{
    return open_named(run, &(opening){.function = "zk-ref", .resets = true}, count, args);
}

CORE(atom_by_name)
{
    return open_named(run, &(opening){.function = "atom", .atom = true}, count, args);
}

CORE(ref_by_name)
{
    return open_named(run, &(opening){.function = "ref", .atom = false}, count, args);
}

/* (local-ref client name? initial :validator f): the name is only the reader's. */
CORE(local_ref)
{
    opening o = {.function = "local-ref", .local = true};
    avout_value validator = AVOUT_NONE, box = AVOUT_NONE;
    size_t at = 1;
    o.client = avout__lang_client(run, "local-ref", args[0]);
    if (!o.client) return AVOUT_NONE;
    bool named = count > 2 && avout_value_type(args[1]) == AVOUT_TYPE_STRING &&
                 !is_keyword(args[2], "validator");
    if (named) at++;
    o.initial = args[at++];
    if (at < count && (at + 2 != count || !is_keyword(args[at], "validator")))
        return avout__lang_fail(run, AVOUT_EINVAL,
                                "local-ref: expected a client, perhaps a name, a value, perhaps "
                                ":validator f");
    if (at < count) validator = args[at + 1];
    box = open_cell(run, &o, args[0]);
    if (box.bits && validator.bits && !avout__lang_set_validator(run, box, validator))
        avout_release(lang_take(&box));
    return box;
}

/* ---- reading --------------------------------------------------------------------------------------------- */

/* (deref x), (deref x milliseconds otherwise): the latter where deref waits */
CORE(deref)
{
    lang_object *object = avout__lang_object(args[0]);
    int64_t ms;
    if (count == 2)
        return avout__lang_fail(run, AVOUT_EINVAL, "deref: expected a value behind the time");
    if (avout__lang_comes_later(args[0])) {
        if (count == 3 && !avout__lang_integer(run, "deref", &ms, args[1])) return AVOUT_NONE;
        return avout__lang_await(run, args[0], count == 3 ? &ms : NULL,
                                 count == 3 ? args[2] : AVOUT_NONE);
    }
    if (count == 3) return avout__lang_wrong(run, "deref", "a promise or future", args[0]);
    switch (object ? object->kind : LANG_CORE) {
    case LANG_CELL: return avout__lang_cell_value(run, (lang_cell *)object);
    case LANG_REDUCED: return avout_share(((const lang_reduced *)object)->value);
    case LANG_VAR: {
        avout_value value = avout__lang_var_get((lang_var *)object);
        if (value.bits) return value;
        return avout__lang_fail(run, AVOUT_ESTATE, "%s has no value yet",
                                ((lang_var *)object)->name);
    }
    default:
        return avout__lang_wrong(run, "deref", "an atom, ref, var, promise, future or delay",
                                 args[0]);
    }
}

CORE(destroy)
{
    lang_cell *cell = avout__lang_cell(run, "destroy", args[0]);
    if (!cell) return AVOUT_NONE;
    avout_status status =
        cell->atom ? avout_atom_destroy(cell->atom) : avout_ref_destroy(cell->ref);
    return lang_done(run, status, avout_nil());
}

const lang_core avout__lang_state[] = {
    {"connect", "url?", "a client of the store at the address; without one, of the default store",
     0, 1, connect, NULL},
    {"client-url", "client", "the address of its store", 1, 1, client_url, NULL},
    {"init-stm", "client", "nil; there is nothing to set up", 1, 1, init_stm, NULL},
    {"reset-stm", "client", "nil; there is nothing to set up again", 1, 1, init_stm, NULL},
    {"ls", "client? directory?", "the names in a directory of the store", 0, 2, list_names, NULL},
    {"zk-atom", "client name value? :validator f",
     "the atom of that name, set to the value; without one it must exist", 2, 5, zk_atom, NULL},
    {"distributed-atom", "client name value? :validator f", "zk-atom", 2, 5, zk_atom, NULL},
    {"zk-ref", "client name value? :validator f",
     "the ref of that name, set to the value; without one it must exist", 2, 5, zk_ref, NULL},
    {"distributed-ref", "client name value? :validator f", "zk-ref", 2, 5, zk_ref, NULL},
    {"local-ref", "client name? value :validator f",
     "a ref whose value stays in this process, for the same transactions", 2, 5, local_ref, NULL},
    {"atom", "client? name value? :validator f",
     "the atom of that name; made with the value if it does not exist", 1, 5, atom_by_name, NULL},
    {"ref", "client? name value? :validator f",
     "the ref of that name; made with the value if it does not exist", 1, 5, ref_by_name, NULL},
    {"deref", "x milliseconds? otherwise?",
     "the value now, also @x; of promises and futures when it is there, or otherwise after a time",
     1, 3, deref, NULL},
    {"destroy!!", "x", "removes an atom or ref and its value, for everybody", 1, 1, destroy, NULL},
    LANG_END,
};
