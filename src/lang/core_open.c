/* Opening atoms and refs under the names the original gives them. */
#include "lang/state.h"

#include <stdlib.h>
#include <string.h>

#include "avout/codec.h"
#include "base/alloc.h"
#include "base/error.h"
#include "base/banned.h"

/* ---- opening ------------------------------------------------------------------------------------------------- */

/* What is to be opened. */
typedef struct opening {
    const char *function;
    bool atom, local;
    bool resets;                     /* to the initial value, if there is one already */
    bool makes;                      /* with nil, where there is no initial value */
    const lang_container *container; /* NULL: in the store */
    const avout_codec *codec;        /* in the store; NULL: none is given */
    const char *codec_belongs;       /* where none can be given: why; NULL: it can */
    avout_client *client;
    const char *name;
    avout_value initial; /* AVOUT_NONE: it must be there */
    avout_value validator;
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

typedef struct setting {
    avout_ref *ref;
    avout_value value;
} setting;

/* An avout_txn_fn. */
static avout_status set_ref(avout_txn *txn, void *payload)
{
    const setting *s = payload;
    return avout_ref_set(txn, s->ref, avout_share(s->value));
}

/* To the initial value what was there already. */
static avout_status reset_cell(lang_cell *cell, const opening *o)
{
    if (o->atom) return avout_reset(cell->atom, avout_share(o->initial), NULL);
    setting s = {cell->ref, o->initial};
    return avout_dosync(o->client, set_ref, &s, NULL);
}

/* ---- opening with a codec ------------------------------------------------------------------------------------ */

static avout_status open_coded(lang_cell *cell, const opening *o)
{
    if (!o->initial.bits)
        return o->atom ? avout_atom_open_coded(&cell->atom, o->client, o->name, o->codec)
                       : avout_ref_open_coded(&cell->ref, o->client, o->name, o->codec);
    bool created;
    avout_value initial = avout_share(o->initial);
    avout_status status =
        o->atom
            ? avout_atom_create_coded(&cell->atom, o->client, o->name, o->codec, initial, &created)
            : avout_ref_create_coded(&cell->ref, o->client, o->name, o->codec, initial, &created);
    return status || created || !o->resets ? status : reset_cell(cell, o);
}

/* ---- opening in containers ----------------------------------------------------------------------------------- */

static avout_status is_there(const opening *o)
{
    avout_name_stat stat;
    avout_status status = avout_stat_names(&stat, o->client, &o->name, 1, 0);
    if (!status) status = stat.status;
    if (status != AVOUT_ENOTFOUND) return status;
    return avout_fail(status, "%s: does not exist; give an initial value to make it", o->name);
}

static avout_status open_versions(lang_cell *cell, const opening *o, avout_value initial,
                                  bool *created)
{
    avout_versioned_container *container;
    const lang_container *in = o->container;
    avout_status status = avout_container_open_coded(&container, in->kind, in->place, in->codec);
    if (status) {
        avout_release(initial);
        return status;
    }
    if (o->atom)
        return avout_distributed_atom(&cell->atom, o->client, o->name, container, initial, created);
    return avout_distributed_ref(&cell->ref, o->client, o->name, container, initial, created);
}

static avout_status open_one(lang_cell *cell, const opening *o, avout_value initial, bool *created)
{
    avout_container *container;
    const lang_container *in = o->container;
    avout_status status = AVOUT_OK;
    if (!o->atom)
        status = avout_fail(AVOUT_EINVAL, "%s: a container of one value is for distributed-atom",
                            o->function);
    if (!status) status = avout_container_open_value(&container, in->kind, in->place, in->codec);
    if (!status)
        return avout_unversioned_atom(&cell->atom, o->client, o->name, container, initial, created);
    avout_release(initial);
    return status;
}

static avout_status open_contained(lang_cell *cell, const opening *o)
{
    bool created;
    avout_status status = o->initial.bits || o->makes ? AVOUT_OK : is_there(o);
    if (status) return status;
    avout_value initial = o->initial.bits ? avout_share(o->initial) : avout_nil();
    status = o->container->one ? open_one(cell, o, initial, &created)
                               : open_versions(cell, o, initial, &created);
    if (status || created || !o->resets || !o->initial.bits) return status;
    return reset_cell(cell, o);
}

/* ---- the handle ---------------------------------------------------------------------------------------------- */

/* The initial value must be one that the validator lets pass, before it is anywhere. */
static bool is_valid(lang_run *run, const opening *o)
{
    bool nil = avout_value_type(o->validator) == AVOUT_TYPE_NIL;
    if (!o->validator.bits || nil || !o->initial.bits) return true;
    avout_value answer = avout__lang_call1(run, o->validator, avout_share(o->initial));
    if (!answer.bits) return false;
    bool valid = avout_value_truthy(answer);
    avout_release(answer);
    return valid || avout__lang_fail(run, AVOUT_EVALIDATOR,
                                     "%s: the validator refuses the initial value", o->function)
                        .bits;
}

static avout_value open_cell(lang_run *run, const opening *o, avout_value client)
{
    if (!is_valid(run, o)) return AVOUT_NONE;
    lang_cell *cell = avout__calloc(1, sizeof *cell);
    if (!cell) return avout__lang_failed(run, AVOUT_ENOMEM);
    cell->object.kind = LANG_CELL;
    cell->client = avout_share(client);
    avout_value box = avout__lang_made(run, avout__lang_box(cell));
    if (!box.bits) return AVOUT_NONE;
    avout_status status = o->container ? open_contained(cell, o)
                          : o->codec   ? open_coded(cell, o)
                          : o->atom    ? open_atom(cell, o)
                                       : open_ref(cell, o);
    box = lang_done(run, status, box);
    if (box.bits && o->validator.bits && !avout__lang_set_validator(run, box, o->validator))
        avout_release(lang_take(&box));
    return box;
}

/* One of the pairs behind a value. */
static bool read_option(lang_run *run, opening *o, avout_value key, avout_value value)
{
    if (avout__lang_is_keyword(key, "validator") && !o->validator.bits) {
        o->validator = value;
        return true;
    }
    if (!avout__lang_is_keyword(key, "codec") || o->codec)
        return avout__lang_fail(run, AVOUT_EINVAL,
                                "%s: expected a name, perhaps a value, perhaps :validator f%s",
                                o->function, o->codec_belongs ? "" : " and :codec c")
            .bits;
    if (o->codec_belongs)
        return avout__lang_fail(run, AVOUT_EINVAL, "%s: no :codec here: %s", o->function,
                                o->codec_belongs)
            .bits;
    return (o->codec = avout__lang_codec(run, o->function, value)) != NULL;
}

/* args[at...]: an initial value, then :validator f and :codec c; each may be missing. */
static bool read_options(lang_run *run, opening *o, size_t at, size_t count, avout_value *args)
{
    if ((count - at) % 2) {
        /* A local one never leaves the language. */
        if (!o->local && !avout__lang_realize(run, &args[at], true)) return false;
        o->initial = args[at++];
    }
    for (; at < count; at += 2)
        if (!read_option(run, o, args[at], args[at + 1])) return false;
    return true;
}

/* args[at...]: the name and what is behind it. */
static avout_value open_rest(lang_run *run, opening *o, avout_value client, size_t at, size_t count,
                             avout_value *args)
{
    size_t length;
    if (at >= count) return avout__lang_fail(run, AVOUT_EINVAL, "%s: expected a name", o->function);
    if (avout_value_type(args[at]) != AVOUT_TYPE_STRING)
        return avout__lang_wrong(run, o->function, "a name, as \"/app/name\"", args[at]);
    if (!avout__lang_text_of(run, o->function, &o->name, &length, args[at]) ||
        !read_options(run, o, at + 1, count, args))
        return AVOUT_NONE;
    return open_cell(run, o, client);
}

/* (function client name initial? :validator f) */
static avout_value open_named(lang_run *run, opening *o, size_t count, avout_value *args)
{
    o->client = avout__lang_client(run, o->function, args[0]);
    return o->client ? open_rest(run, o, args[0], 1, count, args) : AVOUT_NONE;
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

/* (function client? name initial? :validator f) */
static avout_value open_by_name(lang_run *run, opening *o, size_t count, avout_value *args)
{
    bool given = avout__lang_is_client(args[0]);
    avout_value client = given ? avout_share(args[0]) : avout__lang_default_client(run);
    avout_value box = AVOUT_NONE;
    if (client.bits && (o->client = avout__lang_client(run, o->function, client)) != NULL)
        box = open_rest(run, o, client, given, count, args);
    avout_release(client);
    return box;
}

CORE(atom_by_name)
{
    return open_by_name(run, &(opening){.function = "atom", .atom = true}, count, args);
}

CORE(ref_by_name)
{
    return open_by_name(run, &(opening){.function = "ref", .atom = false}, count, args);
}

#define CODEC_OF_CONTAINER "the container has one, as in (file-container \"/dir\" :codec :json)"

/* (distributed-ref client name container initial? :validator f) */
static avout_value open_distributed(lang_run *run, opening *o, size_t count, avout_value *args)
{
    size_t length;
    o->client = avout__lang_client(run, o->function, args[0]);
    if (!o->client || !avout__lang_text_of(run, o->function, &o->name, &length, args[1]))
        return AVOUT_NONE;
    o->container = avout__lang_object_of(args[2], LANG_CONTAINER);
    if (!o->container)
        return avout__lang_wrong(run, o->function, "a container, as (file-container \"/dir\")",
                                 args[2]);
    return read_options(run, o, 3, count, args) ? open_cell(run, o, args[0]) : AVOUT_NONE;
}

CORE(distributed_atom)
{
    opening o = {.function = "distributed-atom",
                 .atom = true,
                 .makes = true,
                 .codec_belongs = CODEC_OF_CONTAINER};
    return open_distributed(run, &o, count, args);
}

CORE(distributed_ref)
{
    opening o = {.function = "distributed-ref", .makes = true, .codec_belongs = CODEC_OF_CONTAINER};
    return open_distributed(run, &o, count, args);
}

/* (mongo-ref client connection? name initial? :validator f) */
static avout_value open_mongo(lang_run *run, opening *o, size_t count, avout_value *args)
{
    const char *url = getenv("AVOUT_MONGO_URL");
    o->client = avout__lang_client(run, o->function, args[0]);
    o->codec_belongs = "MongoDB keeps values in its own types";
    if (!o->client) return AVOUT_NONE;
    const lang_container *given = avout__lang_object_of(args[1], LANG_CONTAINER);
    avout_value standard = AVOUT_NONE;
    if (!given)
        standard = avout__lang_new_container(run, "mongo",
                                             url && *url ? url : "mongodb://127.0.0.1:27017/avout",
                                             avout_codec_edn(), false);
    o->container = given ? given : avout__lang_object_of(standard, LANG_CONTAINER);
    if (!o->container) return AVOUT_NONE;
    avout_value box = open_rest(run, o, args[0], given ? 2 : 1, count, args);
    avout_release(standard);
    return box;
}

CORE(mongo_atom)
{
    return open_mongo(run, &(opening){.function = "mongo-atom", .atom = true, .resets = true},
                      count, args);
}

CORE(mongo_ref)
{
    return open_mongo(run, &(opening){.function = "mongo-ref", .resets = true}, count, args);
}

/* (local-ref client name? initial :validator f): the name is only the reader's. */
CORE(local_ref)
{
    opening o = {
        .function = "local-ref", .local = true, .codec_belongs = "its value stays in this process"};
    o.client = avout__lang_client(run, "local-ref", args[0]);
    if (!o.client) return AVOUT_NONE;
    bool named = count > 2 && avout_value_type(args[1]) == AVOUT_TYPE_STRING &&
                 !avout__lang_is_keyword(args[2], "validator");
    if (!read_options(run, &o, named ? 2 : 1, count, args)) return AVOUT_NONE;
    if (!o.initial.bits) return avout__lang_fail(run, AVOUT_EINVAL, "local-ref: expected a value");
    return open_cell(run, &o, args[0]);
}

const lang_core avout__lang_openings[] = {
    {"zk-atom", "client name value? :validator f :codec c",
     "the atom of that name, set to the value; without one it must exist", 2, 7, zk_atom, NULL},
    {"zk-ref", "client name value? :validator f :codec c",
     "the ref of that name, set to the value; without one it must exist", 2, 7, zk_ref, NULL},
    {"mongo-atom", "client connection? name value? :validator f",
     "zk-atom, with its values in MongoDB: at the connection, or that of AVOUT_MONGO_URL", 2, 8,
     mongo_atom, NULL},
    {"mongo-ref", "client connection? name value? :validator f",
     "zk-ref, with its values in MongoDB: at the connection, or that of AVOUT_MONGO_URL", 2, 8,
     mongo_ref, NULL},
    {"distributed-atom", "client name container value? :validator f",
     "the atom of that name with its values in the container; made with the value, or nil", 3, 8,
     distributed_atom, NULL},
    {"distributed-ref", "client name container value? :validator f",
     "the ref of that name with its values in the container; made with the value, or nil", 3, 8,
     distributed_ref, NULL},
    {"local-ref", "client name? value :validator f",
     "a ref whose value stays in this process, for the same transactions", 2, 7, local_ref, NULL},
    {"atom", "client? name value? :validator f :codec c",
     "the atom of that name; made with the value if it does not exist", 1, 7, atom_by_name, NULL},
    {"ref", "client? name value? :validator f :codec c",
     "the ref of that name; made with the value if it does not exist", 1, 7, ref_by_name, NULL},
    LANG_END,
};
