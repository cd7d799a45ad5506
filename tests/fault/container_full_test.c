/* Containers on disks that are full for real: a transaction that needs room fails with a status, and a message
 * that names the container; nothing of it has happened, who does not touch the container goes on, what was
 * confirmed can be read; and when there is room again all goes on.
 * Test-tags: single */
#include <hiredis/hiredis.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "avout/file.h"
#include "avout/http.h"
#include "avout/mongo.h"
#include "avout/postgres.h"
#include "avout/redis.h"
#include "avout/sys/container.h"
#include "support/mongodb.h"
#include "support/postgres.h"
#include "support/redis.h"
#include "support/small_disk.h"
#include "support/sql.h"
#include "support/suite.h"
#include "support/webdav.h"

enum { TIMEOUT_MS = 20000, SOON_MS = 1000, SIZE = 200000, FILLS = 200, ROOM_KB = 32 << 10 };

__attribute__((constructor)) static void use(void)
{
    suite_use(suite_mem_url);
}

/* ---- values that no database makes smaller ----------------------------------------------------------- */

static avout_value large_value(int number)
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    char *text = malloc(SIZE);
    uint64_t state = (uint64_t)number * 2 + 1;
    CHECK(text);
    for (int i = 0; i < SIZE; i++) {
        state = state * UINT64_C(6364136223846793005) + 1442695040888963407;
        text[i] = letters[state >> 58];
    }
    avout_value value = avout_string_n(text, SIZE);
    free(text);
    return value;
}

static avout_status set_fill(avout_versioned_container *c, int number, int64_t timeout_ms)
{
    char version[32];
    avout_value value = large_value(number);
    snprintf(version, sizeof version, "fill-%d", number);
    avout_status status = c->ops->set_state_at(c, version, value, timeout_ms);
    avout_release(value);
    return status;
}

static void check_fills(avout_versioned_container *c, int count)
{
    for (int i = 0; i < count; i++) {
        char version[32];
        avout_value expected = large_value(i), value;
        snprintf(version, sizeof version, "fill-%d", i);
        CHECK_OK(c->ops->get_state_at(&value, c, version, TIMEOUT_MS));
        CHECK(avout_value_equal(expected, value));
        avout_release(expected);
        avout_release(value);
    }
}

/* ---- a place that gets full --------------------------------------------------------------------------- */

typedef struct site {
    avout_client *client;
    avout_versioned_container *direct; /* another one of the same place */
    avout_ref *near, *far;
    const char *kind;
    int number, filled;
} site;

typedef avout_status open_fn(avout_versioned_container **container, const char *place);

static site open_site(open_fn *open, const char *kind, const char *place)
{
    site s = {.kind = kind, .client = suite_connect()};
    avout_versioned_container *c;
    avout_value value = large_value(1000);
    CHECK_OK(open(&s.direct, place));
    CHECK_OK(open(&c, place));
    CHECK_OK(avout_ref_create(&s.near, s.client, "/near", avout_int(0), NULL));
    CHECK_OK(avout_distributed_ref(&s.far, s.client, "/far", c, value, NULL));
    CHECK_OK(s.direct->ops->init(s.direct, TIMEOUT_MS));
    return s;
}

static void close_site(site *s)
{
    s->direct->ops->close(s->direct);
    avout_ref_close(s->near);
    avout_ref_close(s->far);
    suite_close(s->client);
}

/* Until nothing of that size fits; what the last one was told. */
static avout_status fill(site *s)
{
    avout_status status = AVOUT_OK;
    for (s->filled = 0; !status; s->filled += !status) {
        CHECK(s->filled < FILLS);
        status = set_fill(s->direct, s->filled, SOON_MS);
    }
    fprintf(stderr, "# %d values, then %s: %s\n", s->filled, avout_status_name(status),
            avout_error_detail());
    CHECK(s->filled > 2);
    return status;
}

static avout_status bump_near(avout_txn *txn, void *payload)
{
    return avout_alter(txn, ((site *)payload)->near, suite_plus, &suite_one);
}

static avout_status set_both(avout_txn *txn, void *payload)
{
    site *s = payload;
    avout_status status = bump_near(txn, payload);
    return status ? status : avout_ref_set(txn, s->far, large_value(s->number));
}

static void check_far(site *s, int number)
{
    avout_value expected = large_value(number), value;
    CHECK_OK(avout_ref_deref(&value, s->far));
    CHECK(avout_value_equal(expected, value));
    avout_release(expected);
    avout_release(value);
}

/* What the transaction was told. */
static avout_status check_full(site *s)
{
    const avout_call_options soon = {.timeout_ms = SOON_MS};
    int64_t before = suite_ref_int(s->near);
    s->number = 1001;
    avout_status status = avout_dosync(s->client, set_both, s, &soon);
    fprintf(stderr, "# %s: %s\n", avout_status_name(status), avout_error_detail());
    CHECK(status);
    CHECK_CONTAINS(test_server_text("/far: container %s at ", s->kind), avout_error_detail());
    CHECK_INT(before, suite_ref_int(s->near));
    check_far(s, 1000);
    for (int i = 0; i < 10; i++) CHECK_OK(avout_dosync(s->client, bump_near, s, &soon));
    return status;
}

/* The deadline may pass in the middle of a try. */
static bool is_away(avout_status status)
{
    return status == AVOUT_ECONNECTION || status == AVOUT_ETIMEOUT;
}

static void check_room(site *s)
{
    const avout_call_options long_enough = {.timeout_ms = TIMEOUT_MS};
    int64_t before = suite_ref_int(s->near);
    s->number = 1002;
    CHECK_OK(avout_dosync(s->client, set_both, s, &long_enough));
    CHECK_INT(before + 1, suite_ref_int(s->near));
    check_far(s, 1002);
    check_fills(s->direct, s->filled);
    CHECK_OK(avout_distributed_collect(NULL, s->client, "/far", true, TIMEOUT_MS));
    check_far(s, 1002);
    close_site(s);
}

/* ---- the containers ------------------------------------------------------------------------------------ */

TEST(a_full_directory)
{
    test_small_disk(test_directory(), 2 << 10);
    site s = open_site(avout_file_container, "file", test_server_text("%s/v", test_directory()));
    CHECK_STATUS(AVOUT_ENOSPACE, fill(&s));
    CHECK_STATUS(AVOUT_ENOSPACE, check_full(&s));
    check_fills(s.direct, s.filled);
    test_small_disk_resize(test_directory(), ROOM_KB);
    check_room(&s);
}

static const char *make_disk(const char *name, int kilobytes)
{
    const char *path = test_server_text("%s/%s", test_directory(), name);
    CHECK(!mkdir(path, 0777));
    test_small_disk(path, kilobytes);
    return path;
}

/* Its server says so and goes on. */
TEST(a_full_disk_of_postgres)
{
    const char *disk = make_disk("small", 3 << 10);
    test_server *server = test_postgres_start();
    PGconn *pg = sql_open(server);
    CHECK(geteuid() || !system(test_server_text("chown postgres %s", disk)));
    sql_run(pg, test_server_text("CREATE TABLESPACE small LOCATION '%s'", disk));
    sql_run(pg, "ALTER ROLE postgres SET default_tablespace = small");
    site s = open_site(avout_postgres_container, "postgres", test_postgres_place(server, "full"));
    CHECK_STATUS(AVOUT_ENOSPACE, fill(&s));
    CHECK_STATUS(AVOUT_ENOSPACE, check_full(&s));
    check_fills(s.direct, s.filled);
    test_small_disk_resize(disk, ROOM_KB);
    check_room(&s);
    PQfinish(pg);
}

/* Without room for its log it cannot go on, and ends; what it has confirmed is there when it is started again. */
TEST(a_full_disk_of_the_log_of_postgres)
{
    const char *disk = make_disk("small", 6 << 10);
    test_server *server = test_postgres_start();
    const char *log = test_server_text("%s/data/pg_wal", test_server_directory(server));
    test_server_kill(server);
    CHECK(!system(test_server_text("cp -a %s/. %s", log, disk)));
    CHECK(!system(test_server_text("rm -r %s && ln -s %s %s", log, disk, log)));
    test_server_restart(server);
    test_server_wait(server);
    site s = open_site(avout_postgres_container, "postgres", test_postgres_place(server, "full"));
    avout_status status = fill(&s);
    CHECK(status == AVOUT_ENOSPACE || is_away(status)); /* its last words, if they are to us */
    CHECK(is_away(check_full(&s)));
    test_server_kill(server);
    test_small_disk_resize(disk, ROOM_KB);
    test_server_restart(server);
    check_room(&s);
}

/* With appendfsync always Redis ends itself when it cannot write. */
TEST(a_full_disk_of_redis)
{
    test_small_disk(test_directory(), 3 << 10);
    test_server *server = test_redis_start();
    site s = open_site(avout_redis_container, "redis", test_redis_place(server, "full:"));
    CHECK(is_away(fill(&s)));
    CHECK(is_away(check_full(&s)));
    test_server_kill(server);
    test_small_disk_resize(test_directory(), ROOM_KB);
    test_server_restart(server);
    check_room(&s);
}

static void tell(redisContext *redis, const char *command)
{
    redisReply *reply = redisCommand(redis, command);
    CHECK(reply && reply->type == REDIS_REPLY_STATUS);
    freeReplyObject(reply);
}

/* Otherwise it goes on, and refuses what it could not keep. */
TEST(a_full_disk_of_a_redis_that_writes_later)
{
    test_small_disk(test_directory(), 3 << 10);
    test_server *server = test_redis_start_forgetful();
    redisContext *redis = redisConnect("127.0.0.1", test_server_port(server));
    CHECK(redis && !redis->err);
    tell(redis, "CONFIG SET appendfsync everysec");
    tell(redis, "CONFIG SET appendonly yes");
    site s = open_site(avout_redis_container, "redis",
                       test_server_text("%s&durable=no", test_redis_place(server, "full:")));
    CHECK_STATUS(AVOUT_ENOSPACE, fill(&s));
    CHECK_STATUS(AVOUT_ENOSPACE, check_full(&s));
    check_fills(s.direct, s.filled);
    test_small_disk_resize(test_directory(), ROOM_KB);
    for (int i = 0; set_fill(s.direct, FILLS + i, SOON_MS); i++) { /* it looks again now and then */
        CHECK(i < 100);
        test_pause_ms(50);
    }
    check_room(&s);
    redisFree(redis);
}

/* A mongod does not even start with so little. */
TEST(a_full_disk_of_mongo)
{
    if (test_in_path("mongod")) return;
    test_small_disk(test_directory(), 3 << 10);
    test_server *server = test_mongo_start();
    site s = open_site(avout_mongo_container, "mongo", test_mongo_place(server, "full"));
    CHECK_STATUS(AVOUT_EIO, fill(&s)); /* FerretDB has no code for it */
    CHECK_CONTAINS("full", avout_error_detail());
    CHECK_STATUS(AVOUT_EIO, check_full(&s));
    test_small_disk_resize(test_directory(), ROOM_KB);
    check_room(&s);
}

/* nginx answers 500, also where nothing can be written at all. */
TEST(a_full_disk_of_http)
{
    char place[TEST_PLACE];
    test_small_disk(test_directory(), ROOM_KB);
    test_server *server = test_webdav_start();
    const char *disk = test_server_text("%s/files/dav", test_server_directory(server));
    test_small_disk(disk, 3 << 10);
    site s = open_site(avout_http_container, "http", test_webdav_place(place, server, "dav/full"));
    CHECK_STATUS(AVOUT_EIO, fill(&s));
    CHECK_STATUS(AVOUT_EIO, check_full(&s));
    check_fills(s.direct, s.filled);
    test_small_disk_resize(disk, 0);
    CHECK_STATUS(AVOUT_EIO, check_full(&s));
    check_fills(s.direct, s.filled);
    test_small_disk_resize(disk, ROOM_KB);
    check_room(&s);
}
