#include "requests.h"

#include <stdio.h>
#include <string.h>

#include "common/deadline.h"
#include "common/words.h"
#include "limits.h"

#define FIRST_PART "+000000"

void avout__mongo_name_part(char id[AVOUT__MONGO_ID_SIZE], const char *version, int number)
{
    snprintf(id, AVOUT__MONGO_ID_SIZE, "%s+%06d", version, number);
}

static mongoc_collection_t *collection_of(const avout__mongo_step *step, mongoc_client_t *client)
{
    return mongoc_client_get_collection(client, step->server->database, step->server->collection);
}

/* ---- asking ------------------------------------------------------------------------------------------ */

/* Sends `find` and hands out its one batch: without a cursor, for libmongoc's ends the process when a server
 * answers nonsense to it. `command` is {find: collection, filter...} so far; *reply, which *batch looks into, is
 * to be destroyed in any case. */
static avout_status ask(bson_iter_t *batch, bson_t *reply, avout__mongo_step *is,
                        mongoc_client_t *client, bson_t *command, const char *level)
{
    bson_t options = BSON_INITIALIZER;
    bson_error_t error = {0};
    bson_iter_t at;
    mongoc_read_concern_t *concern = mongoc_read_concern_new();
    mongoc_read_prefs_t *primary = mongoc_read_prefs_new(MONGOC_READ_PRIMARY);
    mongoc_read_concern_set_level(concern, level);
    mongoc_read_concern_append(concern, &options);
    BSON_APPEND_BOOL(command, "singleBatch", true);
    if (is->deadline_ms != INT64_MAX)
        BSON_APPEND_INT64(command, "maxTimeMS",
                          avout__plugin_left_ms(is->deadline_ms, 1, INT32_MAX));
    bool done = mongoc_client_read_command_with_opts(client, is->server->database, command, primary,
                                                     &options, reply, &error);
    mongoc_read_prefs_destroy(primary);
    mongoc_read_concern_destroy(concern);
    bson_destroy(&options);
    if (!done) return avout__mongo_failed(is, &error);
    if (bson_iter_init(&at, reply) && bson_iter_find_descendant(&at, "cursor.firstBatch", batch) &&
        BSON_ITER_HOLDS_ARRAY(batch) && bson_iter_recurse(batch, &at)) {
        *batch = at;
        return AVOUT_OK;
    }
    return avout_fail(AVOUT_EIO, "the server's answer to a query makes no sense");
}

static avout_status strange_batch(void)
{
    return avout_fail(AVOUT_EIO,
                      "the server's answer to a query has something that is no document");
}

/* The next of a batch; false: there is none, or *status is not AVOUT_OK. */
static bool next_document(bson_t *document, avout_status *status, bson_iter_t *batch)
{
    const uint8_t *bytes;
    uint32_t length;
    if (!bson_iter_next(batch)) return false;
    if (BSON_ITER_HOLDS_DOCUMENT(batch)) {
        bson_iter_document(batch, &length, &bytes);
        if (bson_init_static(document, bytes, length)) return true;
    }
    *status = strange_batch();
    return false;
}

/* ---- finding one document ------------------------------------------------------------------------- */

typedef struct find_step {
    avout__mongo_step is; /* first */
    const char *id;
    bson_t *found; /* to be destroyed */
} find_step;

static avout_status find_at_level(find_step *step, mongoc_client_t *client, const char *level)
{
    bson_t command = BSON_INITIALIZER, filter, reply, document;
    bson_iter_t batch, id;
    BSON_APPEND_UTF8(&command, "find", step->is.server->collection);
    BSON_APPEND_DOCUMENT_BEGIN(&command, "filter", &filter);
    BSON_APPEND_UTF8(&filter, "_id", step->id);
    bson_append_document_end(&command, &filter);
    BSON_APPEND_INT64(&command, "limit", 1);
    avout_status status = ask(&batch, &reply, &step->is, client, &command, level);
    if (!status && next_document(&document, &status, &batch)) {
        bool same = bson_iter_init_find(&id, &document, "_id") && BSON_ITER_HOLDS_UTF8(&id) &&
                    !strcmp(bson_iter_utf8(&id, NULL), step->id);
        if (same) step->found = bson_copy(&document);
        else status = strange_batch();
    } else if (!status) {
        status = avout_fail(AVOUT_ENOTFOUND, "there is no document of that name");
    }
    bson_destroy(&reply);
    bson_destroy(&command);
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

avout_status avout__mongo_find(bson_t **found, const avout__mongo_server *server, const char *id,
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

/* A server that answers without an error has not said yet that it did it. */
static bool has_inserted(const bson_t *reply)
{
    bson_iter_t at;
    return bson_iter_init_find(&at, reply, "insertedCount") && bson_iter_as_int64(&at) == 1;
}

static avout_status run_insert(avout__mongo_step *is, mongoc_client_t *client)
{
    insert_step *step = (insert_step *)is;
    bson_t options = BSON_INITIALIZER, reply;
    bson_error_t error = {0};
    set_write_options(&options, is->deadline_ms);
    mongoc_collection_t *collection = collection_of(is, client);
    bool done = mongoc_collection_insert_one(collection, step->document, &options, &reply, &error);
    avout_status status = !done ? avout__mongo_failed(is, &error)
                          : has_inserted(&reply)
                              ? AVOUT_OK
                              : avout_fail(AVOUT_EIO, "the server's answer to "
                                                      "an insert makes no sense");
    step->refused = status == AVOUT_EIO && error.domain == MONGOC_ERROR_SERVER;
    bson_destroy(&reply);
    mongoc_collection_destroy(collection);
    bson_destroy(&options);
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
    char first[AVOUT__MONGO_ID_SIZE], behind[AVOUT__MONGO_ID_SIZE];
    bson_t filter = BSON_INITIALIZER, range;
    avout__mongo_name_part(first, version, 0);
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
    char first[AVOUT__MONGO_ID_SIZE];
    bson_t options = BSON_INITIALIZER, reply;
    bson_error_t error;
    set_write_options(&options, is->deadline_ms);
    mongoc_collection_t *collection = collection_of(is, client);
    mongoc_bulk_operation_t *bulk =
        mongoc_collection_create_bulk_operation_with_opts(collection, &options);
    delete_id(bulk, step->version);
    delete_parts(bulk, step->version);
    avout__mongo_name_part(first, step->version, 0);
    delete_id(bulk, first);
    bool done = mongoc_bulk_operation_execute(bulk, &reply, &error);
    bson_destroy(&reply);
    mongoc_bulk_operation_destroy(bulk);
    mongoc_collection_destroy(collection);
    bson_destroy(&options);
    return done ? AVOUT_OK : avout__mongo_failed(is, &error);
}

avout_status avout__mongo_delete(const avout__mongo_server *server, const char *version,
                                 int64_t deadline_ms)
{
    delete_step step = {{run_delete, server, deadline_ms}, version};
    return avout__mongo_call(&step.is);
}

/* Whether the document is there because of this call, which could not see the answer. */
static avout_status is_ours(bool *ours, const avout__mongo_server *server, const bson_t *document,
                            int64_t deadline_ms)
{
    bson_iter_t id, put, found_put;
    bson_t *found = NULL;
    *ours = false;
    if (!bson_iter_init_find(&id, document, "_id")) return AVOUT_OK;
    avout_status status = avout__mongo_find(&found, server, bson_iter_utf8(&id, NULL), deadline_ms);
    *ours = !status && bson_iter_init_find(&put, document, "put") &&
            bson_iter_init_find(&found_put, found, "put") && BSON_ITER_HOLDS_OID(&found_put) &&
            bson_oid_equal(bson_iter_oid(&put), bson_iter_oid(&found_put));
    bson_destroy(found);
    return status == AVOUT_ENOTFOUND ? AVOUT_OK : status;
}

/* A write without effect is answered when all before it is on a majority's disks: so what another attempt
 * wrote is, too, though nobody was told. */
static avout_status confirm(const avout__mongo_server *server, int64_t deadline_ms)
{
    return avout__mongo_delete(server, "+", deadline_ms); /* no version is named so */
}

avout_status avout__mongo_insert(bool *refused, const avout__mongo_server *server,
                                 const bson_t *document, int64_t deadline_ms)
{
    insert_step step = {{run_insert, server, deadline_ms}, document, false};
    avout_status status = avout__mongo_call(&step.is);
    *refused = step.refused;
    if (status != AVOUT_EEXISTS) return status;
    bool ours;
    status = is_ours(&ours, server, document, deadline_ms);
    if (status) return status;
    if (ours) return confirm(server, deadline_ms);
    return avout_fail(AVOUT_EEXISTS, "there is a version of that name");
}

/* ---- listing ------------------------------------------------------------------------------------------ */

typedef struct list_step {
    avout__mongo_step is; /* first */
    avout_version_fn found;
    void *payload;
    avout_status told;                 /* what `found` answered */
    char named[AVOUT_VERSION_MAX + 1]; /* what it was told last */
    bson_t *behind; /* {_id: ID}: the last document seen: all before it are done */
} list_step;

/* Of a document's _id; false: it is none of ours, or a part that is not the first. */
static bool version_of(char version[AVOUT_VERSION_MAX + 1], const bson_t *document)
{
    bson_iter_t at;
    uint32_t length;
    if (!bson_iter_init_find(&at, document, "_id") || !BSON_ITER_HOLDS_UTF8(&at)) return false;
    const char *id = bson_iter_utf8(&at, &length);
    size_t name = avout__plugin_version(id);
    if (!name || strlen(id) != length) return false;
    if (id[name] && strcmp(id + name, FIRST_PART)) return false;
    memcpy(version, id, name);
    version[name] = '\0';
    return true;
}

static void tell(list_step *step, const bson_t *document)
{
    char version[AVOUT_VERSION_MAX + 1];
    if (!version_of(version, document) || !strcmp(version, step->named)) return;
    strcpy(step->named, version);
    step->told = step->found(version, step->payload);
}

/* False: it is the one before, or none that was asked for. */
static bool go_on_behind(list_step *step, const bson_t *document)
{
    bson_iter_t id;
    bson_t *now = bson_new();
    if (bson_iter_init_find(&id, document, "_id") && BSON_ITER_HOLDS_UTF8(&id))
        bson_append_iter(now, "_id", 3, &id);
    if (bson_empty(now) || bson_equal(now, step->behind)) {
        bson_destroy(now);
        return false;
    }
    bson_destroy(step->behind);
    step->behind = now;
    return true;
}

/* The next documents' names. Between pages nothing is held in the server, so that another one can go
 * on. */
static avout_status list_page(int *count, list_step *step, mongoc_client_t *client)
{
    bson_t command = BSON_INITIALIZER, part, range, reply, document;
    bson_iter_t batch, id;
    BSON_APPEND_UTF8(&command, "find", step->is.server->collection);
    BSON_APPEND_DOCUMENT_BEGIN(&command, "filter", &part);
    BSON_APPEND_DOCUMENT_BEGIN(&part, "_id", &range);
    bson_iter_init_find(&id, step->behind, "_id");
    bson_append_iter(&range, "$gt", 3, &id);
    bson_append_document_end(&part, &range);
    bson_append_document_end(&command, &part);
    BSON_APPEND_DOCUMENT_BEGIN(&command, "projection", &part);
    BSON_APPEND_INT32(&part, "_id", 1);
    bson_append_document_end(&command, &part);
    BSON_APPEND_DOCUMENT_BEGIN(&command, "sort", &part);
    BSON_APPEND_INT32(&part, "_id", 1);
    bson_append_document_end(&command, &part);
    BSON_APPEND_INT64(&command, "limit", avout__mongo_limit.page);
    BSON_APPEND_INT64(&command, "batchSize", avout__mongo_limit.page);
    avout_status status =
        ask(&batch, &reply, &step->is, client, &command, MONGOC_READ_CONCERN_LEVEL_MAJORITY);
    for (*count = 0; !status && !step->told && next_document(&document, &status, &batch);) {
        ++*count;
        if (go_on_behind(step, &document)) tell(step, &document);
        else status = strange_batch();
    }
    bson_destroy(&reply);
    bson_destroy(&command);
    return status;
}

static avout_status run_list(avout__mongo_step *is, mongoc_client_t *client)
{
    list_step *step = (list_step *)is;
    avout_status status;
    int count;
    do status = list_page(&count, step, client);
    while (!status && !step->told && count == avout__mongo_limit.page);
    return status;
}

avout_status avout__mongo_list(const avout__mongo_server *server, avout_version_fn found,
                               void *payload, int64_t deadline_ms)
{
    list_step step = {.is = {run_list, server, deadline_ms},
                      .found = found,
                      .payload = payload,
                      .behind = bson_new()};
    BSON_APPEND_UTF8(step.behind, "_id", "");
    avout_status status = avout__mongo_call(&step.is);
    bson_destroy(step.behind);
    return status ? status : step.told;
}
