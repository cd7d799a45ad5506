/* The Redis container on a real server: the contract, values of any kind and size, foreign keys, addresses.
 * Test-tags: threads */
#include <fcntl.h>
#include <hiredis/hiredis.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <unistd.h>

#include "avout/redis.h"
#include "support/coded.h"
#include "support/redis.h"

#define DATABASE_CONTAINER avout_redis_container

static test_server *database_start(void)
{
    return test_redis_start();
}

static const char *database_place(const test_server *server, const char *name)
{
    return test_redis_place(server, test_server_text("%s:", name));
}

#include "suites/database.c"

/* The place of one value. */
static const char *one_at(const test_server *server, const char *key)
{
    return test_server_text("redis://127.0.0.1:%d/0?key=%s", test_server_port(server), key);
}

static void check_round(avout_versioned_container *c, const char *version, avout_value value)
{
    CHECK_OK(c->ops->set_state_at(c, version, value, TIMEOUT_MS));
    check_value(c, version, value);
    avout_release(value);
}

TEST(it_conforms_with_codecs)
{
    test_server *server = test_redis_start();
    CHECK_INT(0, coded_conform(avout_redis_container_coded, test_redis_place(server, "coded:")));
    CHECK_INT(0, coded_conform_one(avout_redis_value_container, one_at(server, "one")));
    CHECK_INT(0, avout_memory_blocks());
}

/* A prefix is no pattern, and what is none of ours stays out. */
TEST(keys_are_told_apart)
{
    test_server *server = test_redis_start();
    redisContext *redis = redisConnect("127.0.0.1", test_server_port(server));
    CHECK(redis && !redis->err);
    avout_versioned_container *c = open_at(test_redis_place(server, "a%2A%5Bb%5D%5C%3F-:"));
    avout_versioned_container *other = open_at(test_redis_place(server, "aXb"));
    for (int i = 0; i < 2500; i++)
        freeReplyObject(redisCommand(redis, "SET %s%d 1", "a*[b]\\?-:v-", i));
    freeReplyObject(redisCommand(redis, "SET %s 1", "a*[b]\\?-:Not"));
    freeReplyObject(redisCommand(redis, "SET %s 1", "a*[b]\\?-:"));
    freeReplyObject(redisCommand(redis, "SET %s 1", "axxb\\?-:v-1"));
    check_round(other, "v-1", avout_int(1));
    CHECK_INT(2500, versions_in(c));
    CHECK_INT(1, versions_in(other));
    other->ops->close(other);
    avout_value value;
    freeReplyObject(redisCommand(redis, "SET %s %s", "a*[b]\\?-:bad-1", "{:a\n 1 :b}"));
    freeReplyObject(redisCommand(redis, "LPUSH %s 1", "a*[b]\\?-:bad-2"));
    CHECK_STATUS(AVOUT_EDATA, c->ops->get_state_at(&value, c, "bad-1", TIMEOUT_MS));
    CHECK_CONTAINS("line 2", avout_error_detail());
    CHECK_STATUS(AVOUT_EDATA, c->ops->get_state_at(&value, c, "bad-2", TIMEOUT_MS));
    value = avout_int(1);
    CHECK_STATUS(AVOUT_EEXISTS, c->ops->set_state_at(c, "bad-2", value, TIMEOUT_MS));
    avout_release(value);
    c->ops->close(c);
    redisFree(redis);
}

/* ---- codecs ---------------------------------------------------------------------------------------------- */

static redisContext *redis_of(const test_server *server)
{
    redisContext *redis = redisConnect("127.0.0.1", test_server_port(server));
    CHECK(redis && !redis->err);
    return redis;
}

static void check_key(redisContext *redis, const char *key, const char *bytes, size_t length)
{
    redisReply *reply = redisCommand(redis, "GET %s", key);
    CHECK(reply && reply->type == REDIS_REPLY_STRING);
    CHECK_INT((int64_t)length, (int64_t)reply->len);
    CHECK(!memcmp(bytes, reply->str, length));
    freeReplyObject(reply);
}

static bool is_there(redisContext *redis, const char *key)
{
    redisReply *reply = redisCommand(redis, "EXISTS %s", key);
    CHECK(reply && reply->type == REDIS_REPLY_INTEGER);
    bool there = reply->integer;
    freeReplyObject(reply);
    return there;
}

TEST(versions_are_what_the_codec_writes)
{
    test_server *server = test_redis_start();
    redisContext *redis = redis_of(server);
    /* A stranger's: opening looks at that key. */
    freeReplyObject(redisCommand(redis, "SET p:0 {"));
    avout_versioned_container *c, *plain = open_at(test_redis_place(server, "p:"));
    avout_value value = test_edn("{\"port\" {}}"), read;
    CHECK_OK(avout_redis_container_coded(&c, test_redis_place(server, "p:"), avout_codec_json()));
    CHECK_CONTAINS("/0/p: (json)", c->place);
    CHECK_OK(c->ops->set_state_at(c, "v-1", value, TIMEOUT_MS));
    check_key(redis, "p:v-1", "{\"port\":{}}", 11);
    CHECK(is_there(redis, "p:v-1.put"));
    avout_release(value);
    /* Whatever the codec, one who collects finds it once, and takes all of it. */
    freeReplyObject(redisCommand(redis, "DEL p:0"));
    CHECK_INT(1, versions_in(plain));
    CHECK_STATUS(AVOUT_EDATA, plain->ops->get_state_at(&read, plain, "v-1", TIMEOUT_MS));
    CHECK_CONTAINS("v-1: another codec", avout_error_detail());
    CHECK_OK(c->ops->get_state_at(&read, c, "v-1", TIMEOUT_MS));
    avout_release(read);
    CHECK_OK(plain->ops->delete_state_at(plain, "v-1", TIMEOUT_MS));
    CHECK(!is_there(redis, "p:v-1") && !is_there(redis, "p:v-1.put"));
    /* What the codec does not keep is not written, what it cannot read is no value. */
    value = test_edn("{:port 8080}");
    CHECK_STATUS(AVOUT_ENOPRINT, c->ops->set_state_at(c, "v-2", value, TIMEOUT_MS));
    CHECK_CONTAINS("codec json: encoding: ", avout_error_detail());
    CHECK(!is_there(redis, "p:v-2"));
    avout_release(value);
    /* What both could read is only one's. */
    check_round(plain, "v-2", avout_int(2));
    CHECK_STATUS(AVOUT_EDATA, c->ops->get_state_at(&read, c, "v-2", TIMEOUT_MS));
    CHECK_CONTAINS("v-2: another codec", avout_error_detail());
    check_round(c, "v-5", avout_int(5));
    CHECK_STATUS(AVOUT_EDATA, plain->ops->get_state_at(&read, plain, "v-5", TIMEOUT_MS));
    freeReplyObject(redisCommand(redis, "MSET p:v-3 {x} p:v-3.put 1"));
    CHECK_STATUS(AVOUT_EDATA, c->ops->get_state_at(&read, c, "v-3", TIMEOUT_MS));
    CHECK_CONTAINS("v-3: codec json: decoding: ", avout_error_detail());
    c->ops->close(c);
    plain->ops->close(plain);
    /* Nothing at all is a value to some. */
    CHECK_OK(avout_redis_container_coded(&c, test_redis_place(server, "p:"), avout_codec_bytes()));
    value = avout_bytes("", 0);
    CHECK_OK(c->ops->set_state_at(c, "v-4", value, TIMEOUT_MS));
    check_key(redis, "p:v-4", "", 0);
    CHECK_OK(c->ops->get_state_at(&read, c, "v-4", TIMEOUT_MS));
    CHECK(avout_value_equal(value, read));
    avout_release(read);
    avout_release(value);
    c->ops->close(c);
    redisFree(redis);
    CHECK_INT(0, avout_memory_blocks());
}

static avout_status set_one(avout_container *c, int64_t number, uint64_t point)
{
    avout_value value = avout_int(number);
    avout_status status = c->ops->set_state(c, value, (avout_token){point, 0}, TIMEOUT_MS);
    avout_release(value);
    return status;
}

TEST(one_value_is_a_string_that_others_read)
{
    test_server *server = test_redis_start();
    redisContext *redis = redis_of(server);
    avout_container *c;
    avout_value value = test_edn("[1 {\"a\" nil}]"), read;
    CHECK_OK(avout_redis_value_container(&c, one_at(server, "app%3Aconfig"), avout_codec_json()));
    CHECK_CONTAINS("/0/app:config (json)", c->place);
    freeReplyObject(redisCommand(redis, "SET app:config %s", " [ 1, {\"a\" : null} ] "));
    CHECK_OK(c->ops->init(c, TIMEOUT_MS));
    CHECK_OK(c->ops->get_state(&read, c, TIMEOUT_MS));
    CHECK(avout_value_equal(value, read));
    avout_release(read);
    CHECK_OK(c->ops->set_state(c, value, (avout_token){5, 1}, TIMEOUT_MS));
    check_key(redis, "app:config", "[1,{\"a\":null}]", 14);
    check_key(redis, "app:config:token", "0000000000000005-0000000000000001", 33);
    avout_release(value);
    /* Who has been overtaken is refused, also by another object; the same again is not. */
    CHECK_STATUS(AVOUT_EVERSION, set_one(c, 3, 4));
    CHECK_CONTAINS("app:config:token", avout_error_detail());
    check_key(redis, "app:config", "[1,{\"a\":null}]", 14);
    CHECK_OK(set_one(c, 7, 6));
    CHECK_OK(set_one(c, 7, 6));
    check_key(redis, "app:config", "7", 1);
    freeReplyObject(redisCommand(redis, "SET app:config {"));
    CHECK_STATUS(AVOUT_EDATA, c->ops->get_state(&read, c, TIMEOUT_MS));
    CHECK_OK(c->ops->init(c, TIMEOUT_MS)); /* to be set anew */
    CHECK_OK(set_one(c, 8, 7));
    CHECK_OK(c->ops->destroy(c, TIMEOUT_MS));
    CHECK(!is_there(redis, "app:config") && !is_there(redis, "app:config:token"));
    c->ops->close(c);
    redisFree(redis);
    CHECK_INT(0, avout_memory_blocks());
}

/* In Danish aa is sorted behind z: tokens are compared as bytes, whatever the server's locale is. */
TEST(tokens_are_compared_whatever_the_locale)
{
    const char *directory = test_directory();
    const char *made = test_server_text("%s/da_DK", directory);
    if (system(test_server_text("localedef -i da_DK -f ISO-8859-1 --no-archive %s >%s/log 2>&1",
                                made, directory)))
        test_skip("no Danish locale: install Debian's package locales");
    CHECK(!setenv("LOCPATH", directory, 1) && !setenv("LC_ALL", "da_DK", 1));
    avout_container *c;
    CHECK_OK(avout_redis_value_container(&c, one_at(test_redis_start(), "k"), NULL));
    static const uint64_t points[] = {0x9f, 0xa9, 0xaa, 0xab, 0xb0, 0xf0, 0x1aa, 0xaa00, 0xb000};
    for (size_t i = 0; i < sizeof points / sizeof *points; i++) {
        CHECK_OK(set_one(c, 1, points[i]));
        for (size_t j = 0; j < i; j++) CHECK_STATUS(AVOUT_EVERSION, set_one(c, 2, points[j]));
    }
    c->ops->close(c);
}

TEST(what_is_no_codec_is_refused)
{
    avout_versioned_container *c;
    avout_container *one;
    const avout_codec bad[] = {{"Own", coded_own()->encode, coded_own()->decode, NULL},
                               {"", coded_own()->encode, coded_own()->decode, NULL},
                               {NULL, coded_own()->encode, coded_own()->decode, NULL},
                               {"own", NULL, coded_own()->decode, NULL},
                               {"own", coded_own()->encode, NULL, NULL}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        CHECK_STATUS(AVOUT_EINVAL, avout_redis_container_coded(&c, "redis://h", &bad[i]));
        CHECK_CONTAINS("codec", avout_error_detail());
        CHECK_STATUS(AVOUT_EINVAL, avout_redis_value_container(&one, "redis://h?key=k", &bad[i]));
    }
}

TEST(databases_and_sockets_are_where_the_address_says)
{
    test_server *server = test_redis_start();
    avout_value value;
    avout_versioned_container *c =
        open_at(test_server_text("unix://%s/socket?db=3&prefix=p:", test_server_directory(server)));
    CHECK_CONTAINS("/socket/3/p:", c->place);
    check_round(c, "v-1", avout_int(1));
    avout_versioned_container *same =
        open_at(test_server_text("redis://127.0.0.1:%d/3?prefix=p:", test_server_port(server)));
    CHECK_OK(same->ops->get_state_at(&value, same, "v-1", TIMEOUT_MS));
    avout_release(value);
    same->ops->close(same);
    avout_versioned_container *other = open_at(test_redis_place(server, "p:"));
    CHECK_STATUS(AVOUT_ENOTFOUND, other->ops->get_state_at(&value, other, "v-1", TIMEOUT_MS));
    other->ops->close(other);
    c->ops->close(c);
}

/* A program that is started does not hold it, and one whose server has lost its power is noticed. */
TEST(connections_are_closed_by_exec_and_kept_alive)
{
    test_server *server = test_redis_start();
    avout_versioned_container *c = open_at(test_redis_place(server, "p:"));
    int found = 0;
    for (int fd = 3; fd < 1000; fd++) {
        struct sockaddr_in peer;
        socklen_t size = sizeof peer;
        int alive = 0;
        if (getpeername(fd, (struct sockaddr *)&peer, &size) ||
            ntohs(peer.sin_port) != test_server_port(server))
            continue;
        CHECK(fcntl(fd, F_GETFD) & FD_CLOEXEC);
        size = sizeof alive;
        CHECK(!getsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &alive, &size) && alive);
        found++;
    }
    CHECK_INT(1, found);
    c->ops->close(c);
}

TEST(addresses_are_read_or_refused)
{
    static const char *const bad[] = {"",
                                      "127.0.0.1",
                                      "redis://",
                                      "redis://:sesame@",
                                      "redis://u:sesame@h:port",
                                      "redis://u:sesame@h:0",
                                      "redis://u:sesame@h:70000",
                                      "redis://u:sesame@h/x",
                                      "redis://u:sesame@h/0/1",
                                      "redis://u:sesame@h?nonsense=1",
                                      "redis://u:sesame@h?pool_size=0",
                                      "redis://u:sesame@h?durable=maybe",
                                      "redis://u:sesame@h?key=k",
                                      "redis://u:sesame@h?prefix=%zz",
                                      "redis://u:sesame%@h",
                                      "redis://[::1",
                                      "redis://u:sesame@h?cacert=/ca",
                                      "rediss://u:sesame@h?cert=/c",
                                      "rediss://u:sesame@h?cert_key=/k&cacert=/ca",
                                      "redis://u%0A:sesame@h",
                                      "redis://u:sesame%0a@h",
                                      "redis://u:sesame@h%7F",
                                      "redis://u:sesame@h?prefix=p%09",
                                      "rediss://u:sesame@h?cacert=/ca%0A",
                                      "unix://u:sesame@/a%01b",
                                      "unix://",
                                      "unix://socket",
                                      "redis://u:12?sesame=1@h",
                                      "http://h"};
    static const struct {
        const char *place, *shown;
    } good[] = {{"redis://h", "h:6379/0/avout:"},
                {"redis://h:1/2?prefix=p", "h:1/2/p"},
                {"redis://u:p%40@w/@h?db=4&prefix=", "h:6379/4/"},
                {"redis://[::1]:7/", "::1:7/0/avout:"},
                {"rediss://u:p@h?cert=/c&cert_key=/k&cacert=/ca", "h:6379/0/avout:"},
                {"unix://u:p@/a%20b?db=1", "/a b/1/avout:"}};
    avout_versioned_container *c;
    check_refused(NULL);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) check_refused(bad[i]);
    static const char *const bad_for_one[] = {
        "redis://u:sesame@h", "redis://u:sesame@h?key=", "redis://u:sesame@h?key=k&prefix=p"};
    avout_container *one;
    CHECK_STATUS(AVOUT_EINVAL, avout_redis_value_container(&one, NULL, NULL));
    for (size_t i = 0; i < sizeof bad_for_one / sizeof *bad_for_one; i++) {
        CHECK_STATUS(AVOUT_EINVAL, avout_redis_value_container(&one, bad_for_one[i], NULL));
        CHECK(!strstr(avout_error_detail(), "ses"));
    }
    CHECK_OK(avout_redis_value_container(&one, "redis://u:sesame@h/2?key=k", NULL));
    CHECK_TEXT("h:6379/2/k", one->place);
    one->ops->close(one);
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        CHECK_OK(avout_redis_container(&c, good[i].place));
        CHECK_TEXT(good[i].shown, c->place);
        c->ops->close(c);
    }
}
