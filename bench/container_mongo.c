/* Beside the MongoDB container: one insert by libmongoc, with the same write concern. The server is a mongod
 * where there is one, else the tests' FerretDB when it has been built. */
#include <mongoc/mongoc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "avout/mongo.h"
#include "container.h"
#include "report.h"
#include "world.h"

typedef struct raw_mongo {
    mongoc_client_t *client;
    mongoc_collection_t *collection;
    bson_t options;
    int64_t number;
} raw_mongo;

/* BUILD/ferretdb/ferretdb, where this program is BUILD/VARIANT/bin/...; "" where it is not. */
static const char *ferretdb(const bench *b)
{
    static char path[sizeof b->program + 32];
    snprintf(path, sizeof path, "%s", b->program);
    for (int up = 0; up < 3; up++) {
        char *slash = strrchr(path, '/');
        if (!slash) return "";
        *slash = '\0';
    }
    strcat(path, "/ferretdb/ferretdb");
    return access(path, X_OK) ? "" : path;
}

static const char *start(bench *b, char *place, size_t size)
{
    char directory[700], log[740], port[16], address[32], option[3][740];
    const char *program = ferretdb(b);
    bool has_mongod = !system("command -v mongod >/dev/null 2>&1");
    if (!has_mongod && !*program)
        return "no mongod in PATH, and no FerretDB (make build/ferretdb/ferretdb)";
    int number = server_free_port();
    snprintf(directory, sizeof directory, "%s/mongodb", world_directory());
    if (mkdir(directory, 0700)) fail("%s: cannot be made", directory);
    snprintf(log, sizeof log, "%s/log", directory);
    snprintf(port, sizeof port, "%d", number);
    snprintf(option[0], sizeof option[0], "--dbpath=%s", directory);
    snprintf(option[1], sizeof option[1], "--port=%d", number);
    snprintf(option[2], sizeof option[2], "%s", program);
    char *mongod[] = {
        (char[]){"mongod"},         option[0], option[1], (char[]){"--bind_ip=127.0.0.1"},
        (char[]){"--nounixsocket"}, NULL};
    char *ferret[] = {option[2], directory, port, NULL};
    child process = child_start(has_mongod ? mongod : ferret, log);
    snprintf(address, sizeof address, "127.0.0.1:%d", number);
    container_await(&process, address, "MongoDB");
    report_note("mongo: the server is %s", has_mongod ? "mongod" : "FerretDB with SQLite");
    snprintf(place, size, "mongodb://%s/bench.values", address);
    return NULL;
}

static void *raw_open(const char *place)
{
    raw_mongo *raw = need_memory(sizeof *raw);
    char url[128];
    snprintf(url, sizeof url, "%.*s", (int)(strrchr(place, '/') - place), place);
    raw->client = mongoc_client_new(url);
    if (!raw->client) fail("%s: cannot be read", url);
    raw->collection = mongoc_client_get_collection(raw->client, "bench", "raw");
    mongoc_write_concern_t *concern = mongoc_write_concern_new();
    mongoc_write_concern_set_wmajority(concern, 10000);
    mongoc_write_concern_set_journal(concern, true);
    bson_init(&raw->options);
    mongoc_write_concern_append(concern, &raw->options);
    mongoc_write_concern_destroy(concern);
    return raw;
}

static void raw_write(void *payload)
{
    raw_mongo *raw = payload;
    bson_t document = BSON_INITIALIZER;
    bson_error_t error;
    char id[64];
    snprintf(id, sizeof id, "0123456789abcdef-0123456789abcdef0123456789abcdef-%llx",
             (unsigned long long)++raw->number);
    BSON_APPEND_UTF8(&document, "_id", id);
    BSON_APPEND_INT64(&document, "value", raw->number);
    if (!mongoc_collection_insert_one(raw->collection, &document, &raw->options, NULL, &error))
        fail("libmongoc: %s", error.message);
    bson_destroy(&document);
}

static void raw_close(void *payload)
{
    raw_mongo *raw = payload;
    bson_destroy(&raw->options);
    mongoc_collection_destroy(raw->collection);
    mongoc_client_destroy(raw->client);
    free(raw);
}

const container_kind container_mongo = {"mongo",  start,     avout_mongo_container,
                                        raw_open, raw_write, raw_close};
