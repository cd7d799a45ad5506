/* The Redis container on a real server: the contract, values of any kind and size, foreign keys, addresses.
 * Test-tags: threads */
#include <hiredis/hiredis.h>
#include <stdlib.h>
#include <unistd.h>

#include "../../plugins/container-test/conformance.h"
#include "avout/edn.h"
#include "avout/memory.h"
#include "avout/redis.h"
#include "support/edn_random.h"
#include "support/redis.h"
#include "support/test.h"

enum { TIMEOUT_MS = 20000 };

static avout_versioned_container *open_at(const char *place)
{
    avout_versioned_container *container;
    CHECK_OK(avout_redis_container(&container, place));
    CHECK_OK(container->ops->init(container, TIMEOUT_MS));
    return container;
}

static void check_round(avout_versioned_container *c, const char *version, avout_value value)
{
    avout_value back;
    char *one, *other;
    CHECK_OK(c->ops->set_state_at(c, version, value, TIMEOUT_MS));
    CHECK_OK(c->ops->get_state_at(&back, c, version, TIMEOUT_MS));
    CHECK_OK(avout_edn_text(&one, NULL, value));
    CHECK_OK(avout_edn_text(&other, NULL, back));
    CHECK(!strcmp(one, other));
    avout_edn_free(one);
    avout_edn_free(other);
    avout_release(back);
    avout_release(value);
}

TEST(it_conforms)
{
    test_server *server = test_redis_start();
    int out = dup(1);
    fflush(stdout);
    dup2(2, 1);
    int failures = conformance_run(avout_redis_container, test_redis_place(server, "same:"));
    fflush(stdout);
    dup2(out, 1);
    close(out);
    CHECK_INT(0, failures);
    CHECK_INT(0, avout_memory_blocks());
}

TEST(random_and_large_values_come_back)
{
    test_server *server = test_redis_start();
    avout_versioned_container *c = open_at(test_redis_place(server, "random:"));
    edn_random random = {.seed = 7};
    for (int i = 0; i < 200; i++) {
        char *text = edn_random_text(&random);
        avout_value value;
        CHECK_OK(avout_edn_read(&value, text, strlen(text), NULL, NULL));
        check_round(c, test_server_text("random-%d", i), value);
        free(text);
    }
    size_t size = 17 << 20;
    char *text = malloc(size);
    CHECK(text);
    memset(text, 'x', size);
    check_round(c, "large-1", avout_string_n(text, size));
    free(text);
    c->ops->close(c);
    CHECK_INT(0, avout_memory_blocks());
}

static avout_status count_one(const char *version, void *payload)
{
    CHECK(strncmp(version, "v-", 2) == 0);
    ++*(int *)payload;
    return AVOUT_OK;
}

static int count(avout_versioned_container *c)
{
    int all = 0;
    CHECK_OK(c->ops->list_versions(c, count_one, &all, TIMEOUT_MS));
    return all;
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
    CHECK_INT(2500, count(c));
    CHECK_INT(1, count(other));
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
                                      "redis://u:sesame@h?prefix=%zz",
                                      "redis://u:ses%@h",
                                      "redis://[::1",
                                      "rediss://u:sesame@h",
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
                {"unix://u:p@/a%20b?db=1", "/a b/1/avout:"}};
    avout_versioned_container *c;
    CHECK_STATUS(AVOUT_EINVAL, avout_redis_container(&c, NULL));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (avout_redis_container(&c, bad[i]) != AVOUT_EINVAL)
            test_failed(__FILE__, __LINE__, "%s is accepted", bad[i]);
        CHECK(!strstr(avout_error_detail(), "ses"));
    }
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        CHECK_OK(avout_redis_container(&c, good[i].place));
        CHECK_TEXT(good[i].shown, c->place);
        c->ops->close(c);
    }
}
