/* The MongoDB container on a real server: the contract, what Mongo's own tools see, values of any size, and
 * what half a call leaves behind.
 * Test-tags: threads */
#include <mongoc/mongoc.h>

#include "avout/mongo.h"
#include "mongo/limits.h"
#include "support/mongodb.h"

#define DATABASE_CONTAINER avout_mongo_container

static test_server *database_start(void)
{
    return test_mongo_start();
}

static const char *database_place(const test_server *server, const char *name)
{
    return test_mongo_place(server, name);
}

#include "suites/database.c"

/* ---- what Mongo's own tools see ------------------------------------------------------------------ */

typedef struct tools {
    mongoc_client_t *client;
    mongoc_collection_t *collection;
} tools;

static tools use_tools(const test_server *server, const char *collection)
{
    char url[64];
    snprintf(url, sizeof url, "mongodb://127.0.0.1:%d/", test_server_port(server));
    tools t = {mongoc_client_new(url), NULL};
    CHECK(t.client);
    t.collection = mongoc_client_get_collection(t.client, "test", collection);
    return t;
}

static void end_tools(tools *t)
{
    mongoc_collection_destroy(t->collection);
    mongoc_client_destroy(t->client);
}

static int64_t count(tools *t, const char *query)
{
    bson_error_t error;
    bson_t *filter = bson_new_from_json((const uint8_t *)query, -1, &error);
    CHECK(filter);
    int64_t found =
        mongoc_collection_count_documents(t->collection, filter, NULL, NULL, NULL, &error);
    if (found < 0) test_failed(__FILE__, __LINE__, "%s: %s", query, error.message);
    bson_destroy(filter);
    return found;
}

static void put(tools *t, const char *json)
{
    bson_error_t error;
    bson_t *document = bson_new_from_json((const uint8_t *)json, -1, &error);
    CHECK(document);
    if (!mongoc_collection_insert_one(t->collection, document, NULL, NULL, &error))
        test_failed(__FILE__, __LINE__, "%s: %s", json, error.message);
    bson_destroy(document);
}

TEST(documents_can_be_queried)
{
    test_server *server = test_mongo_start();
    avout_versioned_container *c = open_at(test_mongo_place(server, "people"));
    CHECK_CONTAINS("127.0.0.1:", c->place);
    CHECK_CONTAINS("/test.people", c->place);
    set(c, "ann-1", "{:name \"Ann\" :age 42 :since #inst \"2020-01-02T03:04:05.678-00:00\"}");
    set(c, "ben-1", "{:name \"Ben\" :age 7N :state :asleep :tags #{\"x\" \"y\"}}");
    tools t = use_tools(server, "people");
    CHECK_INT(1, count(&t, "{\"value.name\": \"Ann\"}"));
    CHECK_INT(1, count(&t, "{\"value.age\": {\"$gt\": 10}}"));
    CHECK_INT(1, count(&t, "{\"value.age\": 7}"));
    CHECK_INT(1, count(&t, "{\"value.state\": \"asleep\"}"));
    CHECK_INT(1, count(&t, "{\"value.tags\": \"y\"}"));
    CHECK_INT(1, count(&t, "{\"value.since\": {\"$date\": \"2020-01-02T03:04:05.678Z\"}}"));
    /* Text only beside what needs it. */
    CHECK_INT(1, count(&t, "{\"edn\": {\"$exists\": true}}"));
    CHECK_INT(0, count(&t, "{\"_id\": \"ann-1\", \"edn\": {\"$exists\": true}}"));
    end_tools(&t);
    c->ops->close(c);
}

TEST(default_names_are_avout)
{
    test_server *server = test_mongo_start();
    char place[64];
    snprintf(place, sizeof place, "mongodb://127.0.0.1:%d", test_server_port(server));
    avout_versioned_container *c = open_at(place);
    CHECK_CONTAINS("/avout.avout", c->place);
    set(c, "a-1", "1");
    c->ops->close(c);
    strcat(place, "/other");
    c = open_at(place);
    CHECK_CONTAINS("/other.avout", c->place);
    avout_value value;
    CHECK_STATUS(AVOUT_ENOTFOUND, c->ops->get_state_at(&value, c, "a-1", TIMEOUT_MS));
    c->ops->close(c);
}

/* ---- sizes and listings -------------------------------------------------------------------------- */

typedef struct names {
    char all[8][AVOUT_VERSION_MAX + 1];
    int count;
} names;

static avout_status note_name(const char *version, void *payload)
{
    names *seen = payload;
    CHECK(seen->count < 8);
    strcpy(seen->all[seen->count++], version);
    return AVOUT_OK;
}

static names list(avout_versioned_container *c)
{
    names seen = {.count = 0};
    CHECK_OK(c->ops->list_versions(c, note_name, &seen, TIMEOUT_MS));
    return seen;
}

static void check_size(avout_versioned_container *c, tools *t, size_t size, int documents)
{
    avout_value value = large_value(size);
    CHECK_OK(c->ops->set_state_at(c, "large-1", value, TIMEOUT_MS));
    CHECK_INT(documents + 1, count(t, "{}"));
    check_value(c, "large-1", value);
    CHECK_STATUS(AVOUT_EEXISTS, c->ops->set_state_at(c, "large-1", value, TIMEOUT_MS));
    names seen = list(c);
    CHECK_INT(2, seen.count);
    CHECK_TEXT("large-1", seen.all[0]);
    CHECK_TEXT("large-10", seen.all[1]);
    CHECK_OK(c->ops->delete_state_at(c, "large-1", TIMEOUT_MS));
    CHECK_INT(1, count(t, "{}"));
    avout_release(value);
}

/* Its text has two bytes more. */
TEST(values_of_any_size_come_back_and_go)
{
    test_server *server = test_mongo_start();
    avout_versioned_container *c = open_at(test_mongo_place(server, "large"));
    tools t = use_tools(server, "large");
    set(c, "large-10", "1");
    avout__mongo_limit.document = 1000;
    avout__mongo_limit.part = 500;
    check_size(c, &t, 900, 1);
    check_size(c, &t, 998, 1);
    check_size(c, &t, 999, 4);
    check_size(c, &t, 1498, 4);
    check_size(c, &t, 1499, 5);
    check_size(c, &t, 20000, 42);
    end_tools(&t);
    c->ops->close(c);
}

TEST(what_a_dead_writer_left_is_listed_and_deleted)
{
    test_server *server = test_mongo_start();
    avout_versioned_container *c = open_at(test_mongo_place(server, "half"));
    tools t = use_tools(server, "half");
    avout_value value, large = large_value(3000);
    avout__mongo_limit.document = avout__mongo_limit.part = 1000;
    put(&t, "{\"_id\": \"half-1+000000\", \"part\": {\"$binary\": \"AAAA\", \"$type\": \"00\"}}");
    put(&t, "{\"_id\": \"half-1+000001\", \"part\": {\"$binary\": \"AAAA\", \"$type\": \"00\"}}");
    put(&t, "{\"_id\": \"Not a version\"}");
    put(&t, "{\"_id\": 5}");
    CHECK_STATUS(AVOUT_ENOTFOUND, c->ops->get_state_at(&value, c, "half-1", TIMEOUT_MS));
    CHECK_STATUS(AVOUT_EEXISTS, c->ops->set_state_at(c, "half-1", large, TIMEOUT_MS));
    names seen = list(c);
    CHECK_INT(1, seen.count);
    CHECK_TEXT("half-1", seen.all[0]);
    CHECK_OK(c->ops->delete_state_at(c, "half-1", TIMEOUT_MS));
    CHECK_INT(2, count(&t, "{}"));
    avout_release(large);
    end_tools(&t);
    c->ops->close(c);
}

static avout_status count_one(const char *version, void *payload)
{
    CHECK(strncmp(version, "many-", 5) == 0);
    ++*(int *)payload;
    return AVOUT_OK;
}

/* Pages that end in the middle of a version's parts, and with what is none of ours. */
TEST(listings_have_many_pages)
{
    test_server *server = test_mongo_start();
    avout_versioned_container *c = open_at(test_mongo_place(server, "pages"));
    tools t = use_tools(server, "pages");
    for (int i = 0; i < 60; i++) {
        char version[32], json[64];
        snprintf(version, sizeof version, "many-%d", i);
        avout__mongo_limit.document = avout__mongo_limit.part = i % 9 == 0 ? 4 : 1000;
        set(c, version, "\"0123456789abcdef\"");
        snprintf(json, sizeof json, "{\"_id\": \"many-%d.\"}", i * 7);
        put(&t, json);
    }
    for (int page = 1; page < 90; page += page < 10 ? 1 : 23) {
        int found = 0;
        avout__mongo_limit.page = page;
        CHECK_OK(c->ops->list_versions(c, count_one, &found, TIMEOUT_MS));
        CHECK_INT(60, found);
    }
    end_tools(&t);
    c->ops->close(c);
}

TEST(foreign_documents_are_reported)
{
    test_server *server = test_mongo_start();
    avout_versioned_container *c = open_at(test_mongo_place(server, "foreign"));
    tools t = use_tools(server, "foreign");
    avout_value value;
    static const char *const documents[] = {
        "{\"_id\": \"v-0\"}", "{\"_id\": \"v-1\", \"edn\": \"{:a\\n 1 :b}\"}",
        "{\"_id\": \"v-2\", \"value\": {\"$timestamp\": {\"t\": 1, \"i\": 1}}}",
        "{\"_id\": \"v-3\", \"parts\": {\"$numberLong\": \"0\"}}",
        "{\"_id\": \"v-4\", \"parts\": {\"$numberLong\": \"9223372036854775807\"}}"};
    for (int i = 0; i < 5; i++) {
        char version[16];
        put(&t, documents[i]);
        snprintf(version, sizeof version, "v-%d", i);
        CHECK_STATUS(AVOUT_EDATA, c->ops->get_state_at(&value, c, version, TIMEOUT_MS));
    }
    CHECK_STATUS(AVOUT_EDATA, c->ops->get_state_at(&value, c, "v-1", TIMEOUT_MS));
    CHECK_CONTAINS("line 2", avout_error_detail());
    end_tools(&t);
    c->ops->close(c);
}

/* ---- addresses ------------------------------------------------------------------------------------ */

TEST(what_is_no_address_is_refused)
{
    check_refused(NULL);
    check_refused("");
    check_refused("127.0.0.1:27017");
    check_refused("redis://127.0.0.1/");
    check_refused("mongodb://");
    check_refused("mongodb:///db");
    check_refused("mongodb://user:sesame@/db");
    check_refused("mongodb://user:ses@me:sesame@host/db");
    check_refused("mongodb://user:sesame%zz@host/db");
    check_refused("mongodb://user:12/sesame@host");
    check_refused("mongodb://user:12/sesame@host.example.net");
    check_refused("mongodb://user:12?sesame@host/db");
    check_refused("mongodb://user:sesame@host:port/db");
    check_refused("mongodb://user:sesame@host/a b.c");
    check_refused("mongodb://user:sesame@host/db.system.users");
    check_refused("mongodb://user:sesame@host/db.a$b");
    check_refused("mongodb://user:sesame@host/db.");
    check_refused("mongodb://user:sesame@host/db?connectTimeoutMS=soon&w=sesame");
}

/* The log goes nowhere, and details show neither user nor password, whatever fails. */
TEST(passwords_are_never_shown)
{
    test_server *server = test_mongo_start();
    avout_versioned_container *c;
    const char *place = test_server_text(
        "mongodb://ann:open%%20sesame@127.0.0.1:%d/test?nonsense=1", test_server_port(server));
    output turned = output_keep();
    avout_status opened = avout_mongo_container(&c, place);
    avout_status status = opened ? opened : c->ops->init(c, TIMEOUT_MS);
    CHECK_INT(0, output_back(&turned));
    CHECK_OK(opened);
    CHECK(status == AVOUT_EAUTH || status == AVOUT_EPERM);
    CHECK(!strstr(avout_error_detail(), "sesame"));
    CHECK(!strstr(c->place, "sesame") && !strstr(c->place, "ann"));
    c->ops->close(c);
}

/* ---- one pool --------------------------------------------------------------------------------------- */

static int threads_now(void)
{
    char line[256];
    int threads = 0;
    FILE *file = fopen("/proc/self/status", "r");
    CHECK(file);
    while (fgets(line, sizeof line, file)) sscanf(line, "Threads: %d", &threads);
    fclose(file);
    return threads;
}

TEST(containers_of_one_server_share_their_connections)
{
    test_server *server = test_mongo_start();
    avout_versioned_container *c[20];
    char name[16];
    avout_versioned_container *first = open_at(test_mongo_place(server, "first"));
    first->ops->close(first); /* what stays has been started */
    int before = threads_now();
    for (int i = 0; i < 20; i++) {
        snprintf(name, sizeof name, "c%d", i);
        c[i] = open_at(test_mongo_place(server, name));
        set(c[i], "v-1", "1");
    }
    int with = threads_now();
    for (int i = 0; i < 20; i++) c[i]->ops->close(c[i]);
    CHECK(with <= before + 3);
    /* A thread that was joined is counted for a moment. */
    for (int i = 0; threads_now() > before; i++) {
        CHECK(i < 500);
        test_pause_ms(10);
    }
}
