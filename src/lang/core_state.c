/* Clients; what atoms and refs are, and reading them. */
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

avout_value avout__lang_default_client(lang_run *run)
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

/* (connect), (connect url), (connect :client-handle client) */
CORE(connect)
{
    const char *url;
    size_t length;
    if (!count) return avout__lang_default_client(run);
    if (count == 2) {
        bool handle = avout_value_type(args[0]) == AVOUT_TYPE_KEYWORD &&
                      !avout_value_to_text(&url, &length, args[0]) && !strcmp(url, "client-handle");
        if (!handle) return avout__lang_wrong(run, "connect", ":client-handle", args[0]);
        return avout__lang_client(run, "connect", args[1]) ? lang_take(&args[1]) : AVOUT_NONE;
    }
    if (!avout__lang_text_of(run, "connect", &url, &length, args[0])) return AVOUT_NONE;
    return new_client(run, url);
}

CORE(itself)
{
    return avout__lang_client(run, ".getClient", args[0]) ? lang_take(&args[0]) : AVOUT_NONE;
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

static bool destroy_below(lang_run *run, avout_client *client, const char *directory);

/* `name` as listed in the directory: with a slash behind it a directory itself. */
static bool destroy_listed(lang_run *run, avout_client *client, const char *directory,
                           avout_value name)
{
    const char *text;
    size_t length;
    if (avout_value_to_text(&text, &length, name) || !length) return true;
    bool below = text[length - 1] == '/';
    char *full = avout__format("%s/%.*s", strcmp(directory, "/") ? directory : "",
                               (int)(length - below), text);
    if (!full) return avout__lang_failed(run, AVOUT_ENOMEM).bits;
    bool fine = !below || destroy_below(run, client, full);
    avout_status status = fine && !below ? avout_destroy(client, full) : AVOUT_OK;
    avout__free(full);
    if (status && status != AVOUT_ENOTFOUND) return avout__lang_failed(run, status).bits;
    return fine;
}

static bool destroy_below(lang_run *run, avout_client *client, const char *directory)
{
    avout_value names;
    if (lang_deep(run)) return false;
    avout_status status = avout_ls(&names, client, directory);
    if (status == AVOUT_ENOTFOUND) return true;
    if (status) return avout__lang_failed(run, status).bits;
    avout_iterator at = avout_value_iterate(names);
    bool fine = true;
    while (fine && avout_iterator_next(&at))
        fine = lang_step(run, 1) && destroy_listed(run, client, directory, at.item);
    avout_release(names);
    return fine;
}

/* All that the store has, as in the original. */
CORE(reset_stm)
{
    avout_client *client = avout__lang_client(run, "reset-stm", args[0]);
    return client && destroy_below(run, client, "/") ? avout_nil() : AVOUT_NONE;
}

CORE(list_names)
{
    bool given = count && avout__lang_is_client(args[0]);
    avout_value box = given ? avout_share(args[0]) : avout__lang_default_client(run), names;
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
     0, 2, connect, NULL},
    {"make-zookeeper-client-handle", "url", "connect", 1, 1, connect, NULL},
    {".getClient", "client", "the client", 1, 1, itself, NULL},
    {"client-url", "client", "the address of its store", 1, 1, client_url, NULL},
    {"init-stm", "client", "nil; there is nothing to set up", 1, 1, init_stm, NULL},
    {"reset-stm", "client", "destroys all atoms and refs of the store, for everybody", 1, 1,
     reset_stm, NULL},
    {"ls", "client? directory?", "the names in a directory of the store", 0, 2, list_names, NULL},
    {"deref", "x milliseconds? otherwise?",
     "the value now, also @x; of promises and futures when it is there, or otherwise after a time",
     1, 3, deref, NULL},
    {"destroy!!", "x", "removes an atom or ref and its value, for everybody", 1, 1, destroy, NULL},
    LANG_END,
};
