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
#include "limits.h"
#include "native.h"
#include "server.h"

enum { PARTS_MAX = 1000000, ID_SIZE = AVOUT_VERSION_MAX + 16, PAGE = 1000 };

/* MongoDB's documents have at most 16 MiB, of which names and numbers need little. */
avout__mongo_limits avout__mongo_limit = {16 * 1024 * 1024 - 4096, 8 * 1024 * 1024};

#define VERSION_CHARACTERS "abcdefghijklmnopqrstuvwxyz0123456789-"
#define FIRST_PART "+000000"

typedef struct mongo_container {
    avout_versioned_container is; /* first */
    avout__mongo_server server;
} mongo_container;

static avout__mongo_server *server_of(avout_versioned_container *container)
{
    return &((mongo_container *)container)->server;
}

static avout_status no_memory(void)
{
    return avout_fail(AVOUT_ENOMEM, "out of memory");
}

static mongoc_collection_t *collection_of(const avout__mongo_step *step, mongoc_client_t *client)
{
    return mongoc_client_get_collection(client, step->server->database, step->server->collection);
}

static void name_part(char id[ID_SIZE], const char *version, int number)
{
    snprintf(id, ID_SIZE, "%s+%06d", version, number);
}

/* ---- finding one document ------------------------------------------------------------------------- */

typedef struct find_step {
    avout__mongo_step is; /* first */
    const char *id;
    bson_t *found; /* to be destroyed */
} find_step;

static void set_read_options(bson_t *options, const char *level, int64_t deadline_ms)
{
    mongoc_read_concern_t *concern = mongoc_read_concern_new();
    mongoc_read_concern_set_level(concern, level);
    mongoc_read_concern_append(concern, options);
    mongoc_read_concern_destroy(concern);
    if (deadline_ms != INT64_MAX)
        BSON_APPEND_INT64(options, "maxTimeMS", avout__plugin_left_ms(deadline_ms, 1, INT32_MAX));
}

static avout_status find_at_level(find_step *step, mongoc_client_t *client, const char *level)
{
    bson_t filter = BSON_INITIALIZER, options = BSON_INITIALIZER;
    bson_error_t error;
    const bson_t *found;
    BSON_APPEND_UTF8(&filter, "_id", step->id);
    BSON_APPEND_INT64(&options, "limit", 1);
    BSON_APPEND_BOOL(&options, "singleBatch", true);
    set_read_options(&options, level, step->is.deadline_ms);
    mongoc_collection_t *collection = collection_of(&step->is, client);
    mongoc_read_prefs_t *primary = mongoc_read_prefs_new(MONGOC_READ_PRIMARY);
    mongoc_cursor_t *cursor =
        mongoc_collection_find_with_opts(collection, &filter, &options, primary);
    avout_status status = AVOUT_OK;
    if (mongoc_cursor_next(cursor, &found)) step->found = bson_copy(found);
    else if (mongoc_cursor_error(cursor, &error)) status = avout__mongo_failed(&step->is, &error);
    else status = avout_fail(AVOUT_ENOTFOUND, "there is no document of that name");
    mongoc_cursor_destroy(cursor);
    mongoc_read_prefs_destroy(primary);
    mongoc_collection_destroy(collection);
    bson_destroy(&options);
    bson_destroy(&filter);
    return status;
}

/* A primary that was just elected, or was one until just now, may not know yet what a majority has: the
 * linearizable read finds out. A server that is no part of a set has no such doubt, and no such read. */
static bool may_lag(mongoc_client_t *client)
{
    mongoc_server_description_t *server = mongoc_client_select_server(client, true, NULL, NULL);
    bool lags = server && strcmp(mongoc_server_description_type(server), "Standalone");
    if (server) mongoc_server_description_destroy(server);
    return lags || !server;
}

static avout_status run_find(avout__mongo_step *is, mongoc_client_t *client)
{
    find_step *step = (find_step *)is;
    avout_status status = find_at_level(step, client, MONGOC_READ_CONCERN_LEVEL_MAJORITY);
    if (status == AVOUT_ENOTFOUND && may_lag(client))
        status = find_at_level(step, client, MONGOC_READ_CONCERN_LEVEL_LINEARIZABLE);
    return status;
}

static avout_status find(bson_t **found, const avout__mongo_server *server, const char *id,
                         int64_t deadline_ms)
{
    find_step step = {{run_find, server, deadline_ms}, id, NULL};
    avout_status status = avout__mongo_call(&step.is);
    *found = step.found;
    return status;
}

/* ---- writing ----------------------------------------------------------------------------------------- */

/* majority and journal, whatever the connection string says. */
static void set_write_options(bson_t *options, int64_t deadline_ms)
{
    mongoc_write_concern_t *concern = mongoc_write_concern_new();
    int32_t left_ms = (int32_t)avout__plugin_left_ms(deadline_ms, 1, INT32_MAX);
    mongoc_write_concern_set_wmajority(concern, deadline_ms == INT64_MAX ? 0 : left_ms);
    mongoc_write_concern_set_journal(concern, true);
    mongoc_write_concern_append(concern, options);
    mongoc_write_concern_destroy(concern);
}

typedef struct insert_step {
    avout__mongo_step is; /* first */
    const bson_t *document;
    bool refused; /* the server does not take such documents; it is not there */
} insert_step;

static avout_status run_insert(avout__mongo_step *is, mongoc_client_t *client)
{
    insert_step *step = (insert_step *)is;
    bson_t options = BSON_INITIALIZER;
    bson_error_t error;
    set_write_options(&options, is->deadline_ms);
    mongoc_collection_t *collection = collection_of(is, client);
    bool done = mongoc_collection_insert_one(collection, step->document, &options, NULL, &error);
    mongoc_collection_destroy(collection);
    bson_destroy(&options);
    avout_status status = done ? AVOUT_OK : avout__mongo_failed(is, &error);
    step->refused = status == AVOUT_EIO && error.domain == MONGOC_ERROR_SERVER;
    return status;
}

/* ---- deleting ---------------------------------------------------------------------------------------- */

typedef struct delete_step {
    avout__mongo_step is; /* first */
    const char *version;
} delete_step;

static void delete_id(mongoc_bulk_operation_t *bulk, const char *id)
{
    bson_t filter = BSON_INITIALIZER;
    BSON_APPEND_UTF8(&filter, "_id", id);
    mongoc_bulk_operation_remove_one_with_opts(bulk, &filter, NULL, NULL);
    bson_destroy(&filter);
}

static void delete_parts(mongoc_bulk_operation_t *bulk, const char *version)
{
    char first[ID_SIZE], behind[ID_SIZE];
    bson_t filter = BSON_INITIALIZER, range;
    name_part(first, version, 0);
    snprintf(behind, sizeof behind, "%s,", version);
    BSON_APPEND_DOCUMENT_BEGIN(&filter, "_id", &range);
    BSON_APPEND_UTF8(&range, "$gt", first);
    BSON_APPEND_UTF8(&range, "$lt", behind);
    bson_append_document_end(&filter, &range);
    mongoc_bulk_operation_remove_many_with_opts(bulk, &filter, NULL, NULL);
    bson_destroy(&filter);
}

/* In this order, sent as one command. */
static avout_status run_delete(avout__mongo_step *is, mongoc_client_t *client)
{
    delete_step *step = (delete_step *)is;
    char first[ID_SIZE];
    bson_t options = BSON_INITIALIZER, reply;
    bson_error_t error;
    set_write_options(&options, is->deadline_ms);
    mongoc_collection_t *collection = collection_of(is, client);
    mongoc_bulk_operation_t *bulk =
        mongoc_collection_create_bulk_operation_with_opts(collection, &options);
    delete_id(bulk, step->version);
    delete_parts(bulk, step->version);
    name_part(first, step->version, 0);
    delete_id(bulk, first);
    bool done = mongoc_bulk_operation_execute(bulk, &reply, &error);
    bson_destroy(&reply);
    mongoc_bulk_operation_destroy(bulk);
    mongoc_collection_destroy(collection);
    bson_destroy(&options);
    return done ? AVOUT_OK : avout__mongo_failed(is, &error);
}

static avout_status delete_version(const avout__mongo_server *server, const char *version,
                                   int64_t deadline_ms)
{
    delete_step step = {{run_delete, server, deadline_ms}, version};
    return avout__mongo_call(&step.is);
}

static avout_status delete_state_at(avout_versioned_container *container, const char *version,
                                    int64_t timeout_ms)
{
    return delete_version(server_of(container), version, avout__plugin_deadline(timeout_ms));
}

/* Whether the document is there because of this call, which could not see the answer. */
static bool is_ours(const avout__mongo_server *server, const bson_t *document, int64_t deadline_ms)
{
    bson_iter_t id, ours, theirs;
    bson_t *found = NULL;
    bool same = bson_iter_init_find(&id, document, "_id") &&
                !find(&found, server, bson_iter_utf8(&id, NULL), deadline_ms) &&
                bson_iter_init_find(&ours, document, "put") &&
                bson_iter_init_find(&theirs, found, "put") && BSON_ITER_HOLDS_OID(&theirs) &&
                bson_oid_equal(bson_iter_oid(&ours), bson_iter_oid(&theirs));
    bson_destroy(found);
    return same;
}

/* A write without effect is answered when all before it is on a majority's disks: so what another attempt
 * wrote is, too, though nobody was told. */
static avout_status confirm(const avout__mongo_server *server, int64_t deadline_ms)
{
    return delete_version(server, "-", deadline_ms);
}

/* *refused: the server does not take such documents. */
static avout_status insert(bool *refused, const avout__mongo_server *server, const bson_t *document,
                           int64_t deadline_ms)
{
    insert_step step = {{run_insert, server, deadline_ms}, document, false};
    avout_status status = avout__mongo_call(&step.is);
    *refused = step.refused;
    if (status != AVOUT_EEXISTS) return status;
    if (is_ours(server, document, deadline_ms)) return confirm(server, deadline_ms);
    return avout_fail(AVOUT_EEXISTS, "there is a version of that name");
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
    avout_status status = insert(&s->refused, server_of(s->container), document, s->deadline_ms);
    bson_destroy(document);
    return status;
}

static avout_status put_part(setting *s, int number)
{
    char id[ID_SIZE];
    size_t from = (size_t)number * avout__mongo_limit.part, size = s->length - from;
    if (size > avout__mongo_limit.part) size = avout__mongo_limit.part;
    name_part(id, s->version, number);
    bson_t *document = begin(s, id);
    BSON_APPEND_BINARY(document, "part", BSON_SUBTYPE_BINARY, (const uint8_t *)s->text + from,
                       (uint32_t)size);
    return put(s, document);
}

static avout_status check_absent(const setting *s)
{
    bson_t *found;
    avout_status status = find(&found, server_of(s->container), s->version, s->deadline_ms);
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

static avout_status read_text(avout_value *value, const char *version, const char *text,
                              size_t length)
{
    avout_edn_error error;
    avout_status status = avout_edn_read(value, text, length, NULL, &error);
    if (!status || status == AVOUT_ENOMEM) return status;
    return avout_fail(AVOUT_EDATA, "%s is not EDN: line %zu, column %zu: %s", version, error.line,
                      error.column, error.message);
}

static avout_status strange(const char *version)
{
    return avout_fail(AVOUT_EDATA, "document %s is none that this container writes", version);
}

/* Adds the part's bytes to *text. */
static avout_status get_part(char **text, size_t *length, const avout__mongo_server *server,
                             const char *version, int number, int64_t deadline_ms)
{
    char id[ID_SIZE];
    bson_t *found;
    bson_iter_t at;
    name_part(id, version, number);
    avout_status status = find(&found, server, id, deadline_ms);
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
        status = bytes ? no_memory() : strange(id);
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
    if (!status) status = read_text(value, version, text, length);
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
    avout_status status = find(&found, server, version, deadline_ms);
    if (status) return status;
    if (bson_iter_init_find(&at, found, "edn") && BSON_ITER_HOLDS_UTF8(&at)) {
        uint32_t length;
        const char *text = bson_iter_utf8(&at, &length);
        status = read_text(value, version, text, length);
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

/* ---- listing ------------------------------------------------------------------------------------------ */

typedef struct list_step {
    avout__mongo_step is; /* first */
    avout_version_fn found;
    void *payload;
    char last[ID_SIZE]; /* what was told last: whoever begins again goes on behind it */
} list_step;

/* Of a document's _id; false: it is none of ours, or a part that is not the first. */
static bool version_of(char version[AVOUT_VERSION_MAX + 1], const bson_t *document)
{
    bson_iter_t at;
    uint32_t length;
    if (!bson_iter_init_find(&at, document, "_id") || !BSON_ITER_HOLDS_UTF8(&at)) return false;
    const char *id = bson_iter_utf8(&at, &length);
    size_t name = strspn(id, VERSION_CHARACTERS);
    if (!name || name > AVOUT_VERSION_MAX || strlen(id) != length) return false;
    if (id[name] && strcmp(id + name, FIRST_PART)) return false;
    memcpy(version, id, name);
    version[name] = '\0';
    return true;
}

static avout_status tell(list_step *step, const bson_t *document)
{
    char version[AVOUT_VERSION_MAX + 1];
    if (!version_of(version, document) || !strcmp(version, step->last)) return AVOUT_OK;
    strcpy(step->last, version);
    return step->found(version, step->payload);
}

static mongoc_cursor_t *list_behind(const list_step *step, mongoc_collection_t *collection)
{
    bson_t filter = BSON_INITIALIZER, options = BSON_INITIALIZER, part;
    mongoc_read_prefs_t *primary = mongoc_read_prefs_new(MONGOC_READ_PRIMARY);
    if (*step->last) {
        BSON_APPEND_DOCUMENT_BEGIN(&filter, "_id", &part);
        BSON_APPEND_UTF8(&part, "$gt", step->last);
        bson_append_document_end(&filter, &part);
    }
    BSON_APPEND_DOCUMENT_BEGIN(&options, "projection", &part);
    BSON_APPEND_INT32(&part, "_id", 1);
    bson_append_document_end(&options, &part);
    BSON_APPEND_DOCUMENT_BEGIN(&options, "sort", &part);
    BSON_APPEND_INT32(&part, "_id", 1);
    bson_append_document_end(&options, &part);
    BSON_APPEND_INT32(&options, "batchSize", PAGE);
    set_read_options(&options, MONGOC_READ_CONCERN_LEVEL_MAJORITY, step->is.deadline_ms);
    mongoc_cursor_t *cursor =
        mongoc_collection_find_with_opts(collection, &filter, &options, primary);
    mongoc_read_prefs_destroy(primary);
    bson_destroy(&options);
    bson_destroy(&filter);
    return cursor;
}

static avout_status run_list(avout__mongo_step *is, mongoc_client_t *client)
{
    list_step *step = (list_step *)is;
    mongoc_collection_t *collection = collection_of(is, client);
    mongoc_cursor_t *cursor = list_behind(step, collection);
    const bson_t *document;
    bson_error_t error;
    avout_status status = AVOUT_OK;
    while (!status && mongoc_cursor_next(cursor, &document)) {
        status = tell(step, document);
        if (status == AVOUT_ECONNECTION) status = AVOUT_EIO; /* not ours: do not begin again */
    }
    if (!status && mongoc_cursor_error(cursor, &error)) status = avout__mongo_failed(is, &error);
    mongoc_cursor_destroy(cursor);
    mongoc_collection_destroy(collection);
    return status;
}

static avout_status list_versions(avout_versioned_container *container, avout_version_fn found,
                                  void *payload, int64_t timeout_ms)
{
    list_step step = {
        {run_list, server_of(container), avout__plugin_deadline(timeout_ms)}, found, payload, ""};
    return avout__mongo_call(&step.is);
}

/* ---- life --------------------------------------------------------------------------------------------- */

/* MongoDB makes databases and collections when something is put there. This finds out whether the server
 * is there and lets us read. */
static avout_status init(avout_versioned_container *container, int64_t timeout_ms)
{
    bson_t *found;
    avout_status status =
        find(&found, server_of(container), "0", avout__plugin_deadline(timeout_ms));
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
    if (!made) return no_memory();
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
