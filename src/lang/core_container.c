/* Where values are kept, as values of the language; and codecs, by their names. */
#include <string.h>

#include "lang/state.h"

#include "base/alloc.h"
#include "base/banned.h"

void avout__lang_container_destroy(lang_container *container)
{
    avout__free(container->kind);
    avout__free(container->place);
}

avout_value avout__lang_new_container(lang_run *run, const char *kind, const char *place,
                                      const avout_codec *codec, bool one)
{
    lang_container *container = avout__calloc(1, sizeof *container);
    if (!container) return avout__lang_failed(run, AVOUT_ENOMEM);
    container->object.kind = LANG_CONTAINER;
    container->kind = avout__strdup(kind);
    container->place = avout__strdup(place);
    container->codec = codec;
    container->one = one;
    avout_value box = avout__lang_made(run, avout__lang_box(container));
    if (!box.bits) return AVOUT_NONE;
    return lang_done(run, container->kind && container->place ? AVOUT_OK : AVOUT_ENOMEM, box);
}

bool avout__lang_is_keyword(avout_value value, const char *name)
{
    const char *text;
    return avout_value_type(value) == AVOUT_TYPE_KEYWORD &&
           !avout_value_to_text(&text, NULL, value) && !strcmp(text, name);
}

/* ---- codecs ---------------------------------------------------------------------------------------------------- */

const avout_codec *avout__lang_codec(lang_run *run, const char *function, avout_value value)
{
    avout_type type = avout_value_type(value);
    const char *name;
    const avout_codec *codec = NULL;
    bool named = type == AVOUT_TYPE_KEYWORD || type == AVOUT_TYPE_STRING;
    if (named && !avout_value_to_text(&name, NULL, value)) codec = avout_codec_named(name);
    if (!codec) avout__lang_wrong(run, function, "a codec (:edn, :json or :bytes)", value);
    return codec;
}

/* args[at...]: nothing, or :codec c. NULL: the error is set. */
static const avout_codec *read_codec(lang_run *run, const char *function, size_t at, size_t count,
                                     avout_value *args)
{
    if (at == count) return avout_codec_edn();
    if (at + 2 == count && avout__lang_is_keyword(args[at], "codec"))
        return avout__lang_codec(run, function, args[at + 1]);
    avout__lang_fail(run, AVOUT_EINVAL, "%s: expected a place, perhaps :codec c", function);
    return NULL;
}

/* ---- containers ------------------------------------------------------------------------------------------------ */

/* args[at...]: a place, perhaps :codec c. */
static avout_value make_container(lang_run *run, const char *function, const char *kind, bool one,
                                  size_t at, size_t count, avout_value *args)
{
    const char *place;
    size_t length;
    if (!avout__lang_text_of(run, function, &place, &length, args[at])) return AVOUT_NONE;
    const avout_codec *codec = read_codec(run, function, at + 1, count, args);
    return codec ? avout__lang_new_container(run, kind, place, codec, one) : AVOUT_NONE;
}

/* (container "file" "/srv/plans" :codec :json) */
CORE(container)
{
    const char *kind;
    size_t length;
    if (!avout__lang_text_of(run, "container", &kind, &length, args[0])) return AVOUT_NONE;
    return make_container(run, "container", kind, false, 1, count, args);
}

CORE(value_container)
{
    const char *kind;
    size_t length;
    if (!avout__lang_text_of(run, "value-container", &kind, &length, args[0])) return AVOUT_NONE;
    return make_container(run, "value-container", kind, true, 1, count, args);
}

#define CONTAINER(function, kind, what, one)                                                       \
    CORE(function)                                                                                 \
    {                                                                                              \
        return make_container(run, kind what, kind, one, 0, count, args);                          \
    }

CONTAINER(file_container, "file", "-container", false)
CONTAINER(mongo_container, "mongo", "-container", false)
CONTAINER(postgres_container, "postgres", "-container", false)
CONTAINER(redis_container, "redis", "-container", false)
CONTAINER(http_container, "http", "-container", false)
CONTAINER(file_value_container, "file", "-value-container", true)
CONTAINER(redis_value_container, "redis", "-value-container", true)
CONTAINER(http_value_container, "http", "-value-container", true)

/* (make-connection "db" :host "127.0.0.1" :port 27017), as congomongo has it; or a whole mongodb:// */
CORE(make_connection)
{
    const char *database, *host = "127.0.0.1";
    size_t length;
    int64_t port = 27017;
    char place[900];
    if (!avout__lang_text_of(run, "make-connection", &database, &length, args[0]))
        return AVOUT_NONE;
    if (count == 1 && !strncmp(database, "mongodb", 7) && strstr(database, "://"))
        return avout__lang_new_container(run, "mongo", database, avout_codec_edn(), false);
    for (size_t i = 1; i < count; i += 2) {
        bool is_host = avout__lang_is_keyword(args[i], "host"), fine = i + 1 < count;
        if (!fine || (!is_host && !avout__lang_is_keyword(args[i], "port")))
            return avout__lang_wrong(run, "make-connection",
                                     ":host with a name or :port with a number", args[i]);
        if (is_host)
            fine = avout__lang_text_of(run, "make-connection", &host, &length, args[i + 1]);
        else fine = avout__lang_integer(run, "make-connection", &port, args[i + 1]);
        if (!fine) return AVOUT_NONE;
    }
    if (!*database || strpbrk(database, "/?@ ") || !*host || strpbrk(host, "/?@ ") || port < 1 ||
        port > 65535 || strlen(database) + strlen(host) > 400)
        return avout__lang_fail(run, AVOUT_EINVAL,
                                "make-connection: expected the names of a database and a host, and "
                                "a port from 1 to 65535");
    snprintf(place, sizeof place, "mongodb://%s:%lld/%s", host, (long long)port, database);
    return avout__lang_new_container(run, "mongo", place, avout_codec_edn(), false);
}

const lang_core avout__lang_containers[] = {
    {"container", "kind place :codec c",
     "where values are kept: the library libavout-KIND, what it takes, and :edn, :json or :bytes",
     2, 4, container, NULL},
    {"value-container", "kind place :codec c",
     "where the one value of an atom is kept and overwritten, for other programs to read", 2, 4,
     value_container, NULL},
    {"file-container", "directory :codec c", "values in files", 1, 3, file_container, NULL},
    {"mongo-container", "url", "values in MongoDB", 1, 1, mongo_container, NULL},
    {"postgres-container", "url", "values in PostgreSQL", 1, 1, postgres_container, NULL},
    {"redis-container", "url :codec c", "values in Redis", 1, 3, redis_container, NULL},
    {"http-container", "url :codec c", "values in a REST service", 1, 3, http_container, NULL},
    {"file-value-container", "file :codec c", "the one value of an atom, as a file", 1, 3,
     file_value_container, NULL},
    {"redis-value-container", "url :codec c", "the one value of an atom, as a string in Redis", 1,
     3, redis_value_container, NULL},
    {"http-value-container", "url :codec c", "the one value of an atom, as a web resource", 1, 3,
     http_value_container, NULL},
    {"make-connection", "database :host host :port port",
     "values in that database of MongoDB; on this machine's usual port where that is left out", 1,
     5, make_connection, NULL},
    LANG_END,
};
