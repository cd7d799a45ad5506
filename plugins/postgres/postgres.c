/* The PostgreSQL container. A version V is a row
 *
 *   (version V, put UUID, edn TEXT, doc JSONB or NULL, written TIMESTAMPTZ)
 *
 *   set     one INSERT: the version is the primary key, which is put-if-absent
 *   delete  one DELETE
 *   list    pages of versions, in the order of their bytes
 *
 * `put` is new in each call of set. The INSERT that finds V there updates it, to the same, where `put` is
 * its own: then another attempt of that call put it there, without having been told, and the update is
 * confirmed when that is as durable. Where it is another's it does nothing. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include <avout/edn.h>
#include <avout/postgres.h>
#include <avout/sys/container.h>

#include "common/deadline.h"
#include "common/words.h"
#include "server.h"

/* A message to PostgreSQL is smaller than 1 GB, and so is a text. DOC_MOST: nobody queries more, and
 * jsonb takes a multiple of it to be made. */
enum {
    MESSAGE_MOST = 1000000000,
    DOC_MOST = 64 << 20,
    SQL_SIZE = 1000,
    PAGE = 1000,
    PUT_SIZE = 33
};

typedef struct postgres_container {
    avout_versioned_container is; /* first */
    avout__plugin_shared *pool;
    avout__postgres_address address;
} postgres_container;

static postgres_container *cast(avout_versioned_container *container)
{
    return (postgres_container *)container;
}

/* Runs q->sql, in which each %s is the table. */
static avout_status call(const postgres_container *c, avout__postgres_query *q, int64_t deadline_ms)
{
    char sql[SQL_SIZE], *at = sql;
    const char *from = q->sql, *table = c->address.table;
    for (const char *mark; (mark = strstr(from, "%s")); from = mark + 2)
        at +=
            snprintf(at, SQL_SIZE - (size_t)(at - sql), "%.*s%s", (int)(mark - from), from, table);
    snprintf(at, SQL_SIZE - (size_t)(at - sql), "%s", from);
    avout__postgres_query own = *q;
    own.sql = sql;
    avout_status status = avout__postgres_call(c->pool, &own, deadline_ms);
    const char *text = q->sql;
    *q = own;
    q->sql = text;
    return status;
}

static avout_status run_once(const postgres_container *c, const char *sql, const char *parameter,
                             int64_t deadline_ms)
{
    avout__postgres_query q = {.sql = sql, .parameters = {parameter}, .count = parameter != NULL};
    avout_status status = call(c, &q, deadline_ms);
    PQclear(q.result);
    return status;
}

/* ---- the table ---------------------------------------------------------------------------------------- */

/* What set and get need of it. AVOUT_ENOTFOUND: there is none. */
static avout_status look_at_table(const postgres_container *c, int64_t deadline_ms)
{
    avout__postgres_query q = {.sql = "SELECT version, put, edn, doc FROM %s LIMIT 0"};
    avout_status status = call(c, &q, deadline_ms);
    if (!strcmp(q.code, "42P01")) status = AVOUT_ENOTFOUND;
    if (!strcmp(q.code, "42703"))
        status = avout_fail(AVOUT_EFORMAT, "the table is none of this container's: %s",
                            PQresultErrorField(q.result, PG_DIAG_MESSAGE_PRIMARY));
    PQclear(q.result);
    return status;
}

/* CREATE TABLE IF NOT EXISTS fails when two do it at a time: the lock, which goes with the transaction, lets
 * one at it after the other. */
static avout_status make_table(const postgres_container *c, int64_t deadline_ms)
{
    avout__postgres_query q = {
        .sql = "SELECT pg_advisory_xact_lock(4706906115926847841);"
               "CREATE TABLE IF NOT EXISTS %s ("
               "version text COLLATE \"C\" PRIMARY KEY, put uuid NOT NULL, edn text NOT NULL,"
               "doc jsonb, written timestamptz NOT NULL DEFAULT now())",
        .plain = true};
    avout_status status = call(c, &q, deadline_ms);
    PQclear(q.result);
    return status;
}

/* Unlogged tables are emptied after a crash, temporary ones are nobody else's. */
static avout_status check_durable(const postgres_container *c, int64_t deadline_ms)
{
    avout__postgres_query q = {
        .sql = "SELECT relpersistence = 'p' FROM pg_class WHERE oid = $1::regclass",
        .parameters = {c->address.table},
        .count = 1};
    avout_status status = call(c, &q, deadline_ms);
    if (!status && (PQntuples(q.result) != 1 || *PQgetvalue(q.result, 0, 0) != 't'))
        status = avout_fail(AVOUT_ENOTSUP, "the table is unlogged or temporary: it would not stay");
    PQclear(q.result);
    return status;
}

static avout_status init(avout_versioned_container *container, int64_t timeout_ms)
{
    const postgres_container *c = cast(container);
    int64_t deadline_ms = avout__plugin_deadline(timeout_ms);
    avout_status status = look_at_table(c, deadline_ms);
    if (status == AVOUT_ENOTFOUND) status = make_table(c, deadline_ms);
    return status ? status : check_durable(c, deadline_ms);
}

/* Others may be about to put something into it: it stays. */
static avout_status destroy(avout_versioned_container *container, int64_t timeout_ms)
{
    (void)container, (void)timeout_ms;
    return AVOUT_OK;
}

/* ---- setting ------------------------------------------------------------------------------------------ */

static avout_status name_put(char put[PUT_SIZE])
{
    unsigned char bytes[16];
    if (getrandom(bytes, sizeof bytes, 0) != sizeof bytes)
        return avout_fail(AVOUT_ESYSTEM, "no random numbers");
    for (int i = 0; i < 16; i++) snprintf(put + (ptrdiff_t)i * 2, 3, "%02x", bytes[i]);
    return AVOUT_OK;
}

/* jsonb cannot hold it: characters, numbers, depth, size. */
static bool is_of_doc(const avout__postgres_query *q)
{
    return !strncmp(q->code, "22", 2) || !strncmp(q->code, "54", 2);
}

static avout_status insert(const postgres_container *c, const char *version, const char *text,
                           const char *doc, int64_t deadline_ms)
{
    char put[PUT_SIZE];
    avout_status status = name_put(put);
    if (status) return status;
    avout__postgres_query q = {
        .sql = "INSERT INTO %s AS old (version, put, edn, doc) VALUES ($1, $2, $3, $4::jsonb) "
               "ON CONFLICT (version) DO UPDATE SET put = EXCLUDED.put "
               "WHERE old.put = EXCLUDED.put",
        .parameters = {version, put, text, doc},
        .count = 4};
    status = call(c, &q, deadline_ms);
    if (status && doc && is_of_doc(&q)) {
        PQclear(q.result);
        q.result = NULL;
        q.parameters[3] = NULL;
        status = call(c, &q, deadline_ms);
    }
    if (!status && strcmp(PQcmdTuples(q.result), "1"))
        status = avout_fail(AVOUT_EEXISTS, "there is a version of that name");
    PQclear(q.result);
    return status;
}

/* PostgreSQL's texts have no NUL character; EDN can say it otherwise. In strings no backslash stands before it
 * but those of an escaped one, in a character there is one. To be freed; NULL: no memory. */
static char *write_nuls(const char *text, size_t length)
{
    char *out = malloc(length * 6 + 1), *at = out;
    bool escaped = false;
    for (size_t i = 0; out && i < length; i++) {
        if (text[i]) *at++ = text[i];
        else at = stpcpy(at, escaped ? "u0000" : "\\u0000");
        escaped = text[i] == '\\' && !escaped;
    }
    if (out) *at = '\0';
    return out;
}

static avout_status set_text(const postgres_container *c, const char *version, const char *text,
                             size_t length, avout_value value, int64_t deadline_ms)
{
    char *doc = NULL;
    size_t doc_length = 0;
    if (length > MESSAGE_MOST)
        return avout_fail(AVOUT_ELIMIT, "%zu bytes are too many for PostgreSQL", length);
    if (length <= DOC_MOST && avout_json_text(&doc, &doc_length, value)) doc = NULL;
    bool fits = doc && doc_length <= DOC_MOST;
    avout_status status = insert(c, version, text, fits ? doc : NULL, deadline_ms);
    avout_edn_free(doc);
    return status;
}

static avout_status set_state_at(avout_versioned_container *container, const char *version,
                                 avout_value value, int64_t timeout_ms)
{
    int64_t deadline_ms = avout__plugin_deadline(timeout_ms);
    char *text = NULL, *written = NULL;
    size_t length;
    avout_status status = avout_edn_text(&text, &length, value);
    if (status) return status;
    if (strlen(text) == length) {
        status = set_text(cast(container), version, text, length, value, deadline_ms);
    } else {
        written = write_nuls(text, length);
        status = written ? set_text(cast(container), version, written, strlen(written), value,
                                    deadline_ms)
                         : avout__plugin_no_memory();
    }
    free(written);
    avout_edn_free(text);
    return status;
}

/* ---- getting, deleting ---------------------------------------------------------------------------------- */

static avout_status get_state_at(avout_value *value, avout_versioned_container *container,
                                 const char *version, int64_t timeout_ms)
{
    avout__postgres_query q = {
        .sql = "SELECT edn FROM %s WHERE version = $1", .parameters = {version}, .count = 1};
    avout_status status = call(cast(container), &q, avout__plugin_deadline(timeout_ms));
    if (!status)
        status = PQntuples(q.result)
                     ? avout__plugin_read_edn(value, version, PQgetvalue(q.result, 0, 0),
                                              (size_t)PQgetlength(q.result, 0, 0))
                     : avout_fail(AVOUT_ENOTFOUND, "there is no such row");
    PQclear(q.result);
    return status;
}

static avout_status delete_state_at(avout_versioned_container *container, const char *version,
                                    int64_t timeout_ms)
{
    return run_once(cast(container), "DELETE FROM %s WHERE version = $1", version,
                    avout__plugin_deadline(timeout_ms));
}

/* ---- listing ---------------------------------------------------------------------------------------------- */

static bool is_version(const char *name)
{
    size_t length = avout__plugin_version(name);
    return length && !name[length];
}

/* No connection is held while others are told. */
static avout_status list_versions(avout_versioned_container *container, avout_version_fn found,
                                  void *payload, int64_t timeout_ms)
{
    int64_t deadline_ms = avout__plugin_deadline(timeout_ms);
    avout_status status = AVOUT_OK;
    PGresult *page = NULL;
    for (int rows = PAGE; !status && rows == PAGE;) {
        avout__postgres_query q = {.sql = "SELECT version FROM %s WHERE version COLLATE \"C\" > $1 "
                                          "ORDER BY version COLLATE \"C\" LIMIT 1000",
                                   .parameters = {page ? PQgetvalue(page, PAGE - 1, 0) : ""},
                                   .count = 1};
        status = call(cast(container), &q, deadline_ms);
        PQclear(page);
        page = q.result;
        rows = status ? 0 : PQntuples(page);
        for (int i = 0; !status && i < rows; i++)
            if (is_version(PQgetvalue(page, i, 0))) status = found(PQgetvalue(page, i, 0), payload);
    }
    PQclear(page);
    return status;
}

/* ---- life --------------------------------------------------------------------------------------------------- */

static void close_container(avout_versioned_container *container)
{
    postgres_container *c = cast(container);
    avout__plugin_unshare(c->pool);
    avout__postgres_release_address(&c->address);
    free(c);
}

static const avout_versioned_container_ops postgres_ops = {
    .version = AVOUT_VERSIONED_CONTAINER_OPS_VERSION,
    .size = sizeof(avout_versioned_container_ops),
    .kind = "postgres",
    .init = init,
    .destroy = destroy,
    .get_state_at = get_state_at,
    .set_state_at = set_state_at,
    .delete_state_at = delete_state_at,
    .list_versions = list_versions,
    .close = close_container,
};

avout_status avout_postgres_container(avout_versioned_container **container, const char *place)
{
    if (!place) return avout_fail(AVOUT_EINVAL, "place: NULL");
    postgres_container *made = calloc(1, sizeof *made);
    if (!made) return avout__plugin_no_memory();
    avout_status status = avout__postgres_read_address(&made->address, place);
    if (!status) status = avout__postgres_share(&made->pool, &made->address);
    if (status) {
        avout__postgres_release_address(&made->address);
        free(made);
        return status;
    }
    made->is.ops = &postgres_ops;
    made->is.place = made->address.shown;
    *container = &made->is;
    return AVOUT_OK;
}
