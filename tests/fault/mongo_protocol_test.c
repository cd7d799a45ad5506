/* What the MongoDB container asks of a server, and what it makes of the answers: also of those that only a
 * replica set gives, or nobody should.
 * Test-tags: threads */
#include <stdatomic.h>
#include <stdlib.h>

#include "avout/memory.h"
#include "avout/mongo.h"
#include "avout/sys/container.h"
#include "support/mongo_script.h"
#include "support/test.h"

enum { TIMEOUT_MS = 5000 };

static avout_versioned_container *open_at(mongo_script *script, const char *options)
{
    avout_versioned_container *container;
    char place[200];
    snprintf(place, sizeof place, "mongodb://127.0.0.1:%d/db.coll?%s", mongo_script_port(script),
             options);
    CHECK_OK(avout_mongo_container(&container, place));
    return container;
}

static avout_status set_int(avout_versioned_container *c, const char *version, int64_t number)
{
    avout_value value = avout_int(number);
    avout_status status = c->ops->set_state_at(c, version, value, TIMEOUT_MS);
    avout_release(value);
    return status;
}

static avout_status get_int(int64_t *number, avout_versioned_container *c, const char *version)
{
    avout_value value;
    avout_status status = c->ops->get_state_at(&value, c, version, TIMEOUT_MS);
    if (status) return status;
    CHECK_OK(avout_value_to_int(number, value));
    avout_release(value);
    return AVOUT_OK;
}

static void extend(bson_t *reply, const char *json)
{
    bson_error_t error;
    bson_t *more = bson_new_from_json((const uint8_t *)json, -1, &error);
    if (!more) test_failed(__FILE__, __LINE__, "%s: %s", json, error.message);
    bson_concat(reply, more);
    bson_destroy(more);
}

static const char nothing[] =
    "{\"cursor\": {\"id\": {\"$numberLong\": \"0\"}, \"ns\": \"db.coll\", \"firstBatch\": []}}";
static const char five[] =
    "{\"cursor\": {\"id\": {\"$numberLong\": \"0\"}, \"ns\": \"db.coll\", \"firstBatch\": "
    "[{\"_id\": \"v-1\", \"value\": {\"$numberLong\": \"5\"}}]}}";

static bool is_well(bson_t *reply, const char *name, int number, const bson_t *command)
{
    (void)number, (void)command;
    if (!strcmp(name, "find")) extend(reply, nothing);
    else extend(reply, "{\"n\": 1}");
    return true;
}

/* ---- what is asked -------------------------------------------------------------------------------------- */

/* Whatever the address says. */
static const char weak[] = "w=0&journal=false&readConcernLevel=local&readPreference=secondary";

TEST(writes_are_for_a_majority_and_its_disks)
{
    for (int replica_set = 0; replica_set < 2; replica_set++) {
        mongo_script *script = mongo_script_start(is_well, replica_set);
        avout_versioned_container *c = open_at(script, weak);
        CHECK_OK(set_int(c, "v-1", 5));
        CHECK_OK(c->ops->delete_state_at(c, "v-1", TIMEOUT_MS));
        const char *insert = mongo_script_command(script, "insert", 0),
                   *delete = mongo_script_command(script, "delete", 0);
        CHECK_CONTAINS("\"insert\" : \"coll\"", insert);
        CHECK_CONTAINS("\"$db\" : \"db\"", insert);
        CHECK_CONTAINS("\"writeConcern\" : { \"w\" : \"majority\", \"j\" : true, \"wtimeout\" : ",
                       insert);
        CHECK_CONTAINS("\"value\" : 5", insert);
        CHECK_CONTAINS("\"writeConcern\" : { \"w\" : \"majority\", \"j\" : true, \"wtimeout\" : ",
                       delete);
        CHECK_CONTAINS("\"deletes\" : [ { \"q\" : { \"_id\" : \"v-1\" }, \"limit\" : 1 }, "
                       "{ \"q\" : { \"_id\" : { \"$gt\" : \"v-1+000000\", \"$lt\" : \"v-1,\" } }, "
                       "\"limit\" : 0 }, { \"q\" : { \"_id\" : \"v-1+000000\" }, \"limit\" : 1 } ]",
                       delete);
        c->ops->close(c);
        mongo_script_end(script);
    }
    CHECK_INT(0, avout_memory_blocks());
}

TEST(nothing_is_absent_in_a_set_that_is_not_linearizably)
{
    int64_t number;
    for (int replica_set = 0; replica_set < 2; replica_set++) {
        mongo_script *script = mongo_script_start(is_well, replica_set);
        avout_versioned_container *c = open_at(script, weak);
        CHECK_STATUS(AVOUT_ENOTFOUND, get_int(&number, c, "v-1"));
        CHECK_INT(1 + replica_set, mongo_script_count(script, "find"));
        const char *first = mongo_script_command(script, "find", 0);
        CHECK_CONTAINS("\"filter\" : { \"_id\" : \"v-1\" }", first);
        CHECK_CONTAINS("\"readConcern\" : { \"level\" : \"majority\"", first);
        CHECK_CONTAINS("\"maxTimeMS\" : ", first);
        CHECK(!strstr(first, "econdary"));
        if (replica_set)
            CHECK_CONTAINS("\"readConcern\" : { \"level\" : \"linearizable\"",
                           mongo_script_command(script, "find", 1));
        c->ops->close(c);
        mongo_script_end(script);
    }
}

static bool lags(bson_t *reply, const char *name, int number, const bson_t *command)
{
    (void)name, (void)command;
    extend(reply, number ? five : nothing);
    return true;
}

TEST(what_a_new_primary_does_not_know_yet_is_found)
{
    int64_t number;
    mongo_script *script = mongo_script_start(lags, true);
    avout_versioned_container *c = open_at(script, "");
    CHECK_OK(get_int(&number, c, "v-1"));
    CHECK_INT(5, number);
    c->ops->close(c);
    mongo_script_end(script);
}

/* ---- what is answered ------------------------------------------------------------------------------------- */

static _Atomic int code;
static _Atomic bool as_write_error;

static bool refuses(bson_t *reply, const char *name, int number, const bson_t *command)
{
    char json[200];
    (void)number, (void)command;
    snprintf(json, sizeof json,
             atomic_load(&as_write_error) && strcmp(name, "find")
                 ? "{\"n\": 0, \"writeErrors\": [{\"index\": 0, \"code\": %d, \"errmsg\": \"no\"}]}"
                 : "{\"ok\": 0, \"code\": %d, \"errmsg\": \"no\"}",
             atomic_load(&code));
    extend(reply, json);
    return true;
}

TEST(errors_of_servers_have_their_statuses)
{
    static const struct {
        int code;
        avout_status status;
    } table[] = {{13, AVOUT_EPERM},     {18, AVOUT_EAUTH},       {50, AVOUT_ETIMEOUT},
                 {10334, AVOUT_ELIMIT}, {14031, AVOUT_ENOSPACE}, {59, AVOUT_ENOTSUP},
                 {2, AVOUT_EIO},        {99999, AVOUT_EIO}};
    int64_t number;
    mongo_script *script = mongo_script_start(refuses, false);
    avout_versioned_container *c = open_at(script, "");
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        for (int how = 0; how < 2; how++) {
            atomic_store(&code, table[i].code);
            atomic_store(&as_write_error, how);
            CHECK_STATUS(table[i].status, set_int(c, "v-1", 5));
            CHECK_CONTAINS("no", avout_error_detail());
            CHECK_STATUS(table[i].status, c->ops->delete_state_at(c, "v-1", TIMEOUT_MS));
            CHECK_STATUS(table[i].status, get_int(&number, c, "v-1"));
            CHECK_STATUS(table[i].status, c->ops->init(c, TIMEOUT_MS));
        }
    c->ops->close(c);
    mongo_script_end(script);
}

static bool no_majority(bson_t *reply, const char *name, int number, const bson_t *command)
{
    char json[200];
    (void)name, (void)number, (void)command;
    snprintf(json, sizeof json,
             "{\"n\": 1, \"writeConcernError\": {\"code\": %d, \"errmsg\": \"waiting\"}}",
             atomic_load(&code));
    extend(reply, json);
    return true;
}

/* It is there, but nobody knows for how long; it must not be tried again in another form. */
TEST(a_write_without_its_majority_has_failed)
{
    mongo_script *script = mongo_script_start(no_majority, true);
    avout_versioned_container *c = open_at(script, "");
    atomic_store(&code, 64);
    CHECK_STATUS(AVOUT_ETIMEOUT, set_int(c, "v-1", 5));
    atomic_store(&code, 79);
    CHECK_STATUS(AVOUT_EIO, set_int(c, "v-2", 5));
    CHECK_INT(2, mongo_script_count(script, "insert"));
    c->ops->close(c);
    mongo_script_end(script);
}

static bool dislikes_native(bson_t *reply, const char *name, int number, const bson_t *command)
{
    (void)name, (void)number;
    char *json = bson_as_relaxed_extended_json(command, NULL);
    extend(reply, strstr(json, "\"value\"") ? "{\"n\": 0, \"writeErrors\": [{\"index\": 0, "
                                              "\"code\": 2, \"errmsg\": \"nested arrays\"}]}"
                                            : "{\"n\": 1}");
    bson_free(json);
    return true;
}

TEST(what_a_server_does_not_take_is_kept_as_text)
{
    mongo_script *script = mongo_script_start(dislikes_native, false);
    avout_versioned_container *c = open_at(script, "");
    CHECK_OK(set_int(c, "v-1", 5));
    CHECK_INT(2, mongo_script_count(script, "insert"));
    CHECK_CONTAINS("\"edn\" : \"5\"", mongo_script_command(script, "insert", 1));
    c->ops->close(c);
    mongo_script_end(script);
}

static bool steps_down(bson_t *reply, const char *name, int number, const bson_t *command)
{
    (void)command;
    if (strcmp(name, "insert")) return is_well(reply, name, number, command);
    if (number == 0) return false; /* hangs up */
    extend(reply,
           number < 3 ? "{\"ok\": 0, \"code\": 10107, \"errmsg\": \"not primary\"}" : "{\"n\": 1}");
    return true;
}

TEST(another_primary_is_asked)
{
    for (int replica_set = 0; replica_set < 2; replica_set++) {
        mongo_script *script = mongo_script_start(steps_down, replica_set);
        avout_versioned_container *c = open_at(script, "");
        CHECK_OK(set_int(c, "v-1", 5));
        CHECK_INT(4, mongo_script_count(script, "insert"));
        /* The same document each time, so that it is known. */
        const char *first = strstr(mongo_script_command(script, "insert", 0), "\"put\"");
        const char *last = strstr(mongo_script_command(script, "insert", 3), "\"put\"");
        CHECK(first && last && !strncmp(first, last, 40));
        c->ops->close(c);
        mongo_script_end(script);
    }
}

/* The answer to the first insert is lost; the second finds the first one's document. */
static bool loses_an_answer(bson_t *reply, const char *name, int number, const bson_t *command)
{
    static bson_oid_t put;
    bson_iter_t at, found;
    if (!strcmp(name, "insert")) {
        CHECK(bson_iter_init(&at, command) &&
              bson_iter_find_descendant(&at, "documents.0.put", &found));
        bson_oid_copy(bson_iter_oid(&found), &put);
        extend(reply, "{\"n\": 0, \"writeErrors\": [{\"index\": 0, \"code\": 11000, "
                      "\"errmsg\": \"E11000\"}]}");
        return number > 0;
    }
    if (!strcmp(name, "find")) {
        char json[300], text[25];
        bson_oid_to_string(&put, text);
        snprintf(json, sizeof json,
                 "{\"cursor\": {\"id\": {\"$numberLong\": \"0\"}, \"ns\": \"db.coll\", "
                 "\"firstBatch\": [{\"_id\": \"v-1\", \"put\": {\"$oid\": \"%s\"}}]}}",
                 text);
        extend(reply, json);
        return true;
    }
    extend(reply, "{\"n\": 0}");
    return true;
}

TEST(what_was_written_without_an_answer_is_confirmed)
{
    mongo_script *script = mongo_script_start(loses_an_answer, false);
    avout_versioned_container *c = open_at(script, "");
    CHECK_OK(set_int(c, "v-1", 5));
    CHECK_INT(2, mongo_script_count(script, "insert"));
    CHECK_CONTAINS("\"w\" : \"majority\", \"j\" : true", mongo_script_command(script, "delete", 0));
    CHECK(!strstr(mongo_script_command(script, "delete", 0), "v-1"));
    c->ops->close(c);
    mongo_script_end(script);
}

/* ---- nonsense --------------------------------------------------------------------------------------------- */

static const char *const nonsense[] = {
    "{}",
    "{\"cursor\": 5}",
    "{\"cursor\": {}}",
    "{\"cursor\": {\"id\": \"x\", \"ns\": 5, \"firstBatch\": {}}}",
    "{\"cursor\": {\"id\": {\"$numberLong\": \"0\"}, \"ns\": \"db.coll\", \"firstBatch\": [5]}}",
    "{\"cursor\": {\"id\": {\"$numberLong\": \"0\"}, \"ns\": \"db.coll\", \"firstBatch\": [{}]}}",
    "{\"ok\": \"yes\"}",
    "{\"ok\": 0}",
    "{\"n\": 0}",
    "{\"n\": \"many\"}",
    "{\"writeErrors\": 5}",
    "{\"writeErrors\": [{}]}",
    "{\"writeErrors\": [{\"code\": \"x\"}]}",
};

static _Atomic int which;

static bool talks_nonsense(bson_t *reply, const char *name, int number, const bson_t *command)
{
    (void)name, (void)number, (void)command;
    extend(reply, nonsense[atomic_load(&which)]);
    return true;
}

static avout_status never(const char *version, void *payload)
{
    (void)payload;
    test_failed(__FILE__, __LINE__, "version %s", version);
}

/* Nothing is taken for done or for absent that was not said to be. */
static bool knows_only_that_it_is_there(bson_t *reply, const char *name, int number,
                                        const bson_t *command)
{
    (void)number, (void)command;
    if (!strcmp(name, "find")) return false; /* hangs up */
    extend(reply, "{\"n\": 0, \"writeErrors\": [{\"index\": 0, \"code\": 11000, \"errmsg\": "
                  "\"duplicate\"}]}");
    return true;
}

/* Whether another attempt of the same call has put it there could not be found out. */
TEST(what_is_there_of_nobody_knows_whom_is_no_other_version)
{
    mongo_script *script = mongo_script_start(knows_only_that_it_is_there, false);
    avout_versioned_container *c = open_at(script, "serverSelectionTimeoutMS=300");
    avout_status status = set_int(c, "v-1", 5);
    CHECK(status == AVOUT_ECONNECTION || status == AVOUT_ETIMEOUT);
    c->ops->close(c);
    mongo_script_end(script);
}

TEST(answers_that_are_none_are_failures)
{
    int64_t number;
    for (size_t i = 0; i < sizeof nonsense / sizeof *nonsense; i++) {
        mongo_script *script = mongo_script_start(talks_nonsense, i % 2);
        avout_versioned_container *c = open_at(script, "");
        atomic_store(&which, (int)i);
        avout_status got = get_int(&number, c, "v-1"), set = set_int(c, "v-1", 5);
        if (!got || got == AVOUT_ENOTFOUND || !set || set == AVOUT_EEXISTS)
            test_failed(__FILE__, __LINE__, "%s: get %s, set %s", nonsense[i],
                        avout_status_name(got), avout_status_name(set));
        CHECK(*avout_error_detail());
        avout_fail(AVOUT_EIO, "%s", "");
        if (c->ops->list_versions(c, never, NULL, TIMEOUT_MS)) CHECK(*avout_error_detail());
        c->ops->delete_state_at(c, "v-1", TIMEOUT_MS);
        c->ops->close(c);
        mongo_script_end(script);
    }
    CHECK_INT(0, avout_memory_blocks());
}

TEST(servers_that_say_nonsense_of_themselves_are_reported)
{
    static const char *const hellos[] = {
        "{\"hosts\": 5, \"maxWireVersion\": 13}", "{\"ok\": \"x\"}", "{\"maxWireVersion\": \"x\"}",
        "{\"setName\": \"x\", \"tags\": 5}",
        "{\"maxBsonObjectSize\": -5, \"maxMessageSizeBytes\": -5}"};
    for (size_t i = 0; i < sizeof hellos / sizeof *hellos; i++) {
        mongo_script *script = mongo_script_start(is_well, false);
        mongo_script_hello(script, hellos[i]);
        avout_versioned_container *c = open_at(script, "serverSelectionTimeoutMS=200");
        avout_status status = c->ops->init(c, 1000);
        CHECK(status == AVOUT_EIO || status == AVOUT_ECONNECTION || status == AVOUT_ETIMEOUT);
        CHECK(*avout_error_detail());
        c->ops->close(c);
        mongo_script_end(script);
    }
}
