/* The MongoDB container. A version V is a document:
 *
 *   {_id: V, put: ObjectId, value: BSON}               when BSON's types are the same (native.h)
 *   {_id: V, put: ObjectId, value: BSON, edn: text}    else: the text counts, the BSON is for queries
 *   {_id: V, put: ObjectId, edn: text}                 when the server does not take that BSON, or
 *                                                      both are too large for one document
 *   {_id: V, put: ObjectId, parts: N}                  when the text is
 *   {_id: "V+000000", put: ObjectId, part: bytes}      N of these: the text in pieces
 *
 *   set     one insert: _id is unique, which is put-if-absent. Parts: the first one of them, which so is
 *           put-if-absent, the others, then V, which makes them count.
 *   delete  V, the parts, the first part last: while there are any, there is the first
 *   list    V for each V and each V's first part, which sorts right behind it ('+' is before '-')
 *
 * `put` is new in each call of set: who finds V there after a broken connection, with the own `put`, has
 * put it there. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <avout/edn.h>
#include <avout/mongo.h>
#include <avout/sys/container.h>

#include "common/deadline.h"
#include "common/words.h"
#include "limits.h"
#include "native.h"
#include "requests.h"
#include "server.h"

enum { PARTS_MAX = 1000000 };

/* MongoDB's documents have at most 16 MiB, of which names and numbers need little. */
avout__mongo_limits avout__mongo_limit = {16 * 1024 * 1024 - 4096, 8 * 1024 * 1024, 1000};

typedef struct mongo_container {
    avout_versioned_container is; /* first */
    avout__mongo_server server;
} mongo_container;

static avout__mongo_server *server_of(avout_versioned_container *container)
{
    return &((mongo_container *)container)->server;
}

/* ---- setting ------------------------------------------------------------------------------------------ */

typedef struct setting {
    avout_versioned_container *container;
    const char *version;
    avout_value value;
    int64_t deadline_ms;
    bson_oid_t put;
    char *text; /* EDN, when it is needed; to be freed */
    size_t length;
    bool refused;
} setting;

static bson_t *begin(const setting *s, const char *id)
{
    bson_t *document = bson_new();
    BSON_APPEND_UTF8(document, "_id", id);
    BSON_APPEND_OID(document, "put", &s->put);
    return document;
}

static avout_status need_text(setting *s)
{
    return s->text ? AVOUT_OK : avout_edn_text(&s->text, &s->length, s->value);
}

static avout_status put(setting *s, bson_t *document)
{
    avout_status status =
        avout__mongo_insert(&s->refused, server_of(s->container), document, s->deadline_ms);
    bson_destroy(document);
    return status;
}

static avout_status put_part(setting *s, int number)
{
    char id[AVOUT__MONGO_ID_SIZE];
    size_t from = (size_t)number * avout__mongo_limit.part, size = s->length - from;
    if (size > avout__mongo_limit.part) size = avout__mongo_limit.part;
    avout__mongo_name_part(id, s->version, number);
    bson_t *document = begin(s, id);
    BSON_APPEND_BINARY(document, "part", BSON_SUBTYPE_BINARY, (const uint8_t *)s->text + from,
                       (uint32_t)size);
    return put(s, document);
}

static avout_status check_absent(const setting *s)
{
    bson_t *found;
    avout_status status =
        avout__mongo_find(&found, server_of(s->container), s->version, s->deadline_ms);
    bson_destroy(found);
    if (status == AVOUT_ENOTFOUND) return AVOUT_OK;
    return status ? status : avout_fail(AVOUT_EEXISTS, "there is a version of that name");
}

static avout_status put_parts(setting *s)
{
    size_t count = (s->length - 1) / avout__mongo_limit.part + 1;
    if (count > PARTS_MAX) return avout_fail(AVOUT_ELIMIT, "%zu bytes are too many", s->length);
    avout_status status = check_absent(s);
    for (size_t i = 0; !status && i < count; i++) {
        status = put_part(s, (int)i);
        if (status && !i) return status; /* also AVOUT_EEXISTS: the parts are another's */
    }
    if (status) return status;
    bson_t *head = begin(s, s->version);
    BSON_APPEND_INT64(head, "parts", (int64_t)count);
    return put(s, head);
}

static avout_status put_text(setting *s)
{
    avout_status status = need_text(s);
    if (status) return status;
    if (s->length > avout__mongo_limit.document) return put_parts(s);
    bson_t *document = begin(s, s->version);
    bson_append_utf8(document, "edn", 3, s->text, (int)s->length);
    return put(s, document);
}

static avout_status put_native(setting *s)
{
    bool exact, fits;
    bson_t *document = begin(s, s->version);
    avout_status status = avout__mongo_append(document, "value", s->value, &exact, &fits);
    if (!status && !exact) status = need_text(s);
    fits = fits && document->len + s->length < avout__mongo_limit.document;
    if (status || !fits) {
        bson_destroy(document);
        return status ? status : put_text(s);
    }
    if (!exact) bson_append_utf8(document, "edn", 3, s->text, (int)s->length);
    status = put(s, document);
    /* Not every server takes all that BSON can say; text they all take. */
    return s->refused ? put_text(s) : status;
}

static avout_status set_state_at(avout_versioned_container *container, const char *version,
                                 avout_value value, int64_t timeout_ms)
{
    setting s = {.container = container,
                 .version = version,
                 .value = value,
                 .deadline_ms = avout__plugin_deadline(timeout_ms)};
    bson_oid_init(&s.put, NULL);
    avout_status status = put_native(&s);
    avout_edn_free(s.text);
    return status;
}

/* ---- getting ------------------------------------------------------------------------------------------ */

static avout_status strange(const char *version)
{
    return avout_fail(AVOUT_EDATA, "document %s is none that this container writes", version);
}

/* Adds the part's bytes to *text. */
static avout_status get_part(char **text, size_t *length, const avout__mongo_server *server,
                             const char *version, int number, int64_t deadline_ms)
{
    char id[AVOUT__MONGO_ID_SIZE];
    bson_t *found;
    bson_iter_t at;
    avout__mongo_name_part(id, version, number);
    avout_status status = avout__mongo_find(&found, server, id, deadline_ms);
    if (status) return status;
    const uint8_t *bytes = NULL;
    uint32_t size = 0;
    if (bson_iter_init_find(&at, found, "part") && BSON_ITER_HOLDS_BINARY(&at))
        bson_iter_binary(&at, NULL, &size, &bytes);
    char *more = bytes ? realloc(*text, *length + size + 1) : NULL;
    if (more) {
        memcpy(more + *length, bytes, size);
        *text = more;
        *length += size;
    } else {
        status = bytes ? avout__plugin_no_memory() : strange(id);
    }
    bson_destroy(found);
    return status;
}

static avout_status get_parts(avout_value *value, const avout__mongo_server *server,
                              const char *version, int64_t count, int64_t deadline_ms)
{
    char *text = NULL;
    size_t length = 0;
    avout_status status = count < 1 || count > PARTS_MAX ? strange(version) : AVOUT_OK;
    for (int i = 0; !status && i < count; i++)
        status = get_part(&text, &length, server, version, i, deadline_ms);
    if (!status) status = avout__plugin_read_edn(value, version, text, length);
    free(text);
    return status;
}

static avout_status get_state_at(avout_value *value, avout_versioned_container *container,
                                 const char *version, int64_t timeout_ms)
{
    const avout__mongo_server *server = server_of(container);
    int64_t deadline_ms = avout__plugin_deadline(timeout_ms);
    bson_t *found;
    bson_iter_t at;
    avout_status status = avout__mongo_find(&found, server, version, deadline_ms);
    if (status) return status;
    if (bson_iter_init_find(&at, found, "edn") && BSON_ITER_HOLDS_UTF8(&at)) {
        uint32_t length;
        const char *text = bson_iter_utf8(&at, &length);
        status = avout__plugin_read_edn(value, version, text, length);
    } else if (bson_iter_init_find(&at, found, "value")) {
        status = avout__mongo_read(value, &at);
    } else if (bson_iter_init_find(&at, found, "parts") && BSON_ITER_HOLDS_INT64(&at)) {
        status = get_parts(value, server, version, bson_iter_int64(&at), deadline_ms);
    } else {
        status = strange(version);
    }
    bson_destroy(found);
    return status;
}

/* ---- the others ---------------------------------------------------------------------------------------- */

static avout_status delete_state_at(avout_versioned_container *container, const char *version,
                                    int64_t timeout_ms)
{
    return avout__mongo_delete(server_of(container), version, avout__plugin_deadline(timeout_ms));
}

static avout_status list_versions(avout_versioned_container *container, avout_version_fn found,
                                  void *payload, int64_t timeout_ms)
{
    return avout__mongo_list(server_of(container), found, payload,
                             avout__plugin_deadline(timeout_ms));
}

/* MongoDB makes databases and collections when something is put there. This finds out whether the server
 * is there and lets us read. */
static avout_status init(avout_versioned_container *container, int64_t timeout_ms)
{
    bson_t *found;
    avout_status status =
        avout__mongo_find(&found, server_of(container), "0", avout__plugin_deadline(timeout_ms));
    bson_destroy(found);
    return status == AVOUT_ENOTFOUND ? AVOUT_OK : status;
}

/* A collection cannot be dropped on condition that it is empty: it stays. */
static avout_status destroy(avout_versioned_container *container, int64_t timeout_ms)
{
    (void)container, (void)timeout_ms;
    return AVOUT_OK;
}

static void close_container(avout_versioned_container *container)
{
    avout__mongo_close(server_of(container));
    free(container);
}

static const avout_versioned_container_ops mongo_ops = {
    .version = AVOUT_VERSIONED_CONTAINER_OPS_VERSION,
    .size = sizeof(avout_versioned_container_ops),
    .kind = "mongo",
    .init = init,
    .destroy = destroy,
    .get_state_at = get_state_at,
    .set_state_at = set_state_at,
    .delete_state_at = delete_state_at,
    .list_versions = list_versions,
    .close = close_container,
};

avout_status avout_mongo_container(avout_versioned_container **container, const char *place)
{
    if (!place) return avout_fail(AVOUT_EINVAL, "place: NULL");
    mongo_container *made = malloc(sizeof *made);
    if (!made) return avout__plugin_no_memory();
    avout_status status = avout__mongo_open(&made->server, place);
    if (status) {
        free(made);
        return status;
    }
    made->is.ops = &mongo_ops;
    made->is.place = made->server.shown;
    *container = &made->is;
    return AVOUT_OK;
}
