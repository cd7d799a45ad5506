/* tests/suites/database_faults.c on Redis, and what only Redis can do.
 * Test-tags: threads waits */
#include <hiredis/hiredis.h>

#include "avout/redis.h"
#include "support/impostor.h"
#include "support/redis.h"
#include "support/suite.h"

#define DATABASE_KIND "redis"
#define DATABASE_PLACE "/0/faults:"
#define DATABASE_ONE "pool_size=1"
#define DATABASE_SOON "wait=1"
#define DATABASE_SETS "$3\r\nSET\r\n"

/* Lists in lists, a string of 512 MB, half a number, what RESP does not have. */
static const impostor_answer database_nonsense[] = {
    {"*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n", 44},
    {"$536870912\r\nabc", 15},
    {":12", 3},
    {"@\r\n", 3},
};

__attribute__((constructor)) static void use(void)
{
    suite_use(suite_mem_url);
}

static test_server *database_start(void)
{
    return test_redis_start();
}

/* A server without passwords refuses one. */
static avout_status database_open(avout_versioned_container **container, int port,
                                  const char *options)
{
    bool secret = !strcmp(options, "password");
    return avout_redis_container(
        container,
        test_server_text("redis://%s127.0.0.1:%d?prefix=faults:%s%s", secret ? ":sesame@" : "",
                         port, secret || !*options ? "" : "&", secret ? "" : options));
}

#include "suites/database_faults.c"

/* ---- Redis's own ----------------------------------------------------------------------------------------- */

static void tell(const test_server *server, const char *command)
{
    redisContext *redis = redisConnect("127.0.0.1", test_server_port(server));
    CHECK(redis && !redis->err);
    redisReply *reply = redisCommand(redis, command);
    CHECK(reply);
    if (reply->type == REDIS_REPLY_ERROR)
        test_failed(__FILE__, __LINE__, "%s: %s", command, reply->str);
    freeReplyObject(reply);
    redisFree(redis);
}

static avout_value large_value(void)
{
    size_t size = 8 << 20;
    char *text = malloc(size);
    CHECK(text);
    memset(text, 'x', size);
    avout_value value = avout_string_n(text, size);
    free(text);
    return value;
}

/* Many writes on a connection that is no more: to be made again, without a signal that ends the program. */
TEST(a_large_value_survives_that_the_server_hangs_up)
{
    test_server *server = database_start();
    avout_versioned_container *c = open_at(test_server_port(server), DATABASE_ONE);
    avout_value value = large_value();
    for (int i = 0; i < 5; i++) {
        char name[32];
        snprintf(name, sizeof name, "large-%d", i);
        tell(server, "CLIENT KILL TYPE normal SKIPME yes");
        CHECK_OK(c->ops->set_state_at(c, name, value, TIMEOUT_MS));
    }
    avout_release(value);
    c->ops->close(c);
}

/* It hangs up in the middle of such a value, and has said why. */
TEST(a_value_that_is_too_large_for_the_server_is_told)
{
    test_server *server = database_start();
    avout_versioned_container *c = open_at(test_server_port(server), "");
    avout_value value = large_value();
    tell(server, "CONFIG SET proto-max-bulk-len 1mb");
    for (int i = 0; i < 10; i++)
        CHECK_STATUS(AVOUT_ELIMIT, c->ops->set_state_at(c, "large-1", value, 2000));
    CHECK_OK(set_int(c, "small-1", 1, TIMEOUT_MS));
    avout_release(value);
    c->ops->close(c);
}

/* Neither what is absent nor what is to be written is a replica's to say. */
TEST(a_replica_is_not_asked)
{
    test_server *server = database_start();
    avout_versioned_container *c = open_at(test_server_port(server), "");
    CHECK_OK(set_int(c, "v-1", 1, TIMEOUT_MS));
    tell(server, "REPLICAOF 127.0.0.1 1");
    avout_value value;
    CHECK_STATUS(AVOUT_ECONNECTION, c->ops->get_state_at(&value, c, "v-2", 1000));
    CHECK_STATUS(AVOUT_ECONNECTION, set_int(c, "v-2", 1, 200));
    tell(server, "REPLICAOF NO ONE");
    CHECK_OK(set_int(c, "v-2", 2, TIMEOUT_MS));
    CHECK_INT(1, get_int(c, "v-1"));
    c->ops->close(c);
}

TEST(a_lost_answer_is_asked_for_again_with_a_codec)
{
    relay r = {0};
    avout_versioned_container *c;
    start_relay(&r, database_start(), "$6\r\nMSETNX\r\n");
    CHECK_OK(avout_redis_container_coded(&c, test_server_text("redis://127.0.0.1:%d", r.port),
                                         avout_codec_json()));
    lose_answers(&r, c);
    end_relay(&r);
}

/* ---- one value ------------------------------------------------------------------------------------------- */

static avout_container *open_one(int port, const char *options)
{
    avout_container *c;
    CHECK_OK(avout_redis_value_container(
        &c, test_server_text("redis://127.0.0.1:%d?key=one%s", port, options), NULL));
    return c;
}

static avout_status set_one(avout_container *c, int64_t number, uint64_t point, int64_t timeout_ms)
{
    avout_value value = avout_int(number);
    avout_status status = c->ops->set_state(c, value, (avout_token){point, 0}, timeout_ms);
    avout_release(value);
    return status;
}

static int64_t get_one(avout_container *c)
{
    avout_value value;
    int64_t number;
    CHECK_OK(c->ops->get_state(&value, c, TIMEOUT_MS));
    CHECK_OK(avout_value_to_int(&number, value));
    avout_release(value);
    return number;
}

/* What it has may be old, though there is something. */
TEST(a_replica_is_not_asked_for_one_value)
{
    test_server *server = database_start();
    avout_container *c = open_one(test_server_port(server), "&pool_size=1");
    avout_value value;
    CHECK_OK(set_one(c, 1, 1, TIMEOUT_MS));
    tell(server, "REPLICAOF 127.0.0.1 1");
    CHECK_STATUS(AVOUT_ECONNECTION, c->ops->get_state(&value, c, 1000));
    CHECK_STATUS(AVOUT_ECONNECTION, set_one(c, 2, 2, 200)); /* and not unknown: it refuses */
    tell(server, "REPLICAOF NO ONE");
    CHECK_INT(1, get_one(c));
    c->ops->close(c);
}

/* The same again is the same, and nobody has come between. */
TEST(a_lost_answer_to_one_value_is_asked_for_again)
{
    relay r = {0};
    start_relay(&r, database_start(), "$4\r\nEVAL\r\n");
    avout_container *c = open_one(r.port, "");
    atomic_store(&r.losses, 2);
    CHECK_OK(set_one(c, 1, 1, TIMEOUT_MS));
    CHECK(atomic_load(&r.losses) <= 0);
    CHECK_INT(1, get_one(c));
    atomic_store(&r.losses, 1000);
    CHECK_STATUS(AVOUT_UNKNOWN, set_one(c, 2, 2, 300));
    atomic_store(&r.losses, 0);
    CHECK_INT(2, get_one(c));
    c->ops->close(c);
    end_relay(&r);
}

TEST(one_value_on_a_full_server_and_one_that_does_not_answer)
{
    test_server *server = database_start();
    avout_container *c = open_one(test_server_port(server), "");
    CHECK_OK(set_one(c, 1, 1, TIMEOUT_MS));
    tell(server, "CONFIG SET maxmemory 1");
    CHECK_STATUS(AVOUT_ENOSPACE, set_one(c, 2, 2, TIMEOUT_MS));
    tell(server, "CONFIG SET maxmemory 0");
    CHECK_INT(1, get_one(c));
    test_server_pause(server);
    CHECK_STATUS(AVOUT_UNKNOWN, set_one(c, 3, 3, 200));
    test_server_resume(server);
    /* It got there, or will; the same again does, whatever is still on its way. */
    CHECK_OK(set_one(c, 3, 3, TIMEOUT_MS));
    CHECK_INT(3, get_one(c));
    c->ops->close(c);
}

/* ---- what the server says ------------------------------------------------------------------------------- */

TEST(a_full_server_says_so)
{
    test_server *server = database_start();
    avout_versioned_container *c = open_at(test_server_port(server), "");
    tell(server, "CONFIG SET maxmemory 1");
    CHECK_STATUS(AVOUT_ENOSPACE, set_int(c, "v-1", 1, TIMEOUT_MS));
    tell(server, "CONFIG SET maxmemory 0");
    CHECK_OK(set_int(c, "v-1", 1, TIMEOUT_MS));
    c->ops->close(c);
}

/* An OK is for what stays, unless the address says that it need not. */
TEST(servers_that_forget_are_refused)
{
    test_server *server = test_redis_start_forgetful();
    int port = test_server_port(server);
    avout_versioned_container *c;
    CHECK_OK(database_open(&c, port, ""));
    CHECK_STATUS(AVOUT_ENOTSUP, c->ops->init(c, TIMEOUT_MS));
    CHECK_CONTAINS("durable=no", avout_error_detail());
    CHECK_STATUS(AVOUT_ENOTSUP, set_int(c, "v-1", 1, TIMEOUT_MS));
    c->ops->close(c);
    c = open_at(port, "durable=no");
    CHECK_OK(set_int(c, "v-1", 1, TIMEOUT_MS));
    CHECK_INT(1, get_int(c, "v-1"));
    c->ops->close(c);
    server = database_start();
    tell(server, "CONFIG SET maxmemory-policy allkeys-lru");
    CHECK_OK(database_open(&c, test_server_port(server), ""));
    CHECK_OK(c->ops->init(c, TIMEOUT_MS)); /* nothing to evict for */
    c->ops->close(c);
    tell(server, "CONFIG SET maxmemory 1000000000");
    CHECK_OK(database_open(&c, test_server_port(server), ""));
    CHECK_STATUS(AVOUT_ENOTSUP, c->ops->init(c, TIMEOUT_MS));
    CHECK_CONTAINS("evicts", avout_error_detail());
    c->ops->close(c);
}

TEST(passwords_and_rights_are_told_apart)
{
    test_server *server = database_start();
    int port = test_server_port(server);
    tell(server, "ACL SETUSER ann on >sesame ~faults:* +@all");
    tell(server, "ACL SETUSER ben on >sesame ~other:* +@all");
    static const struct {
        const char *user;
        avout_status status;
    } cases[] = {{"ann:sesame@", AVOUT_OK},
                 {"ben:sesame@", AVOUT_EPERM},
                 {"ann:opensesame@", AVOUT_EAUTH},
                 {"nobody:sesame@", AVOUT_EAUTH},
                 {":sesame@", AVOUT_EAUTH}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        avout_versioned_container *c;
        CHECK_OK(avout_redis_container(
            &c, test_server_text("redis://%s127.0.0.1:%d?prefix=faults:", cases[i].user, port)));
        CHECK_STATUS(cases[i].status, c->ops->init(c, TIMEOUT_MS));
        if (cases[i].status) CHECK(!strstr(avout_error_detail(), "sesame"));
        CHECK(!strstr(c->place, "sesame") && !strchr(c->place, '@'));
        c->ops->close(c);
    }
    /* What the header says is enough, for versions and for one value, and is all asked for in a life. */
    tell(server,
         "ACL SETUSER cat on >sesame ~faults:* ~one ~one:token +get +mget +set +msetnx +unlink "
         "+scan +role +info "
         "+config|get +eval");
    avout_versioned_container *enough;
    CHECK_OK(avout_redis_container_coded(
        &enough, test_server_text("redis://cat:sesame@127.0.0.1:%d?prefix=faults:", port),
        avout_codec_json()));
    CHECK_OK(enough->ops->init(enough, TIMEOUT_MS));
    CHECK_OK(set_int(enough, "v-1", 1, TIMEOUT_MS));
    CHECK_OK(enough->ops->list_versions(enough, never, NULL, TIMEOUT_MS));
    CHECK_OK(enough->ops->delete_state_at(enough, "v-1", TIMEOUT_MS));
    enough->ops->close(enough);
    avout_container *one;
    CHECK_OK(avout_redis_value_container(
        &one, test_server_text("redis://cat:sesame@127.0.0.1:%d?key=one", port), NULL));
    CHECK_OK(one->ops->init(one, TIMEOUT_MS));
    CHECK_OK(set_one(one, 1, 1, TIMEOUT_MS));
    CHECK_INT(1, get_one(one));
    CHECK_OK(one->ops->destroy(one, TIMEOUT_MS));
    one->ops->close(one);
    tell(server, "ACL SETUSER default off");
    avout_versioned_container *c;
    CHECK_OK(database_open(&c, port, ""));
    CHECK_STATUS(AVOUT_EAUTH, c->ops->init(c, TIMEOUT_MS));
    c->ops->close(c);
}

/* ---- servers from 7.2 on ---------------------------------------------------------------------------------- */

/* Answers as such a server with appendfsync everysec does: what is written gets to its disk later. */
typedef struct later {
    int listener, port;
    pthread_t thread;
    const char *to_wait;
    _Atomic int sets, waits, not_yet; /* so many times it is not, before `to_wait` */
} later;

static const char not_yet[] = "*2\r\n:0\r\n:0\r\n", is_there[] = "*2\r\n:1\r\n:0\r\n";

static const char *answer_of(later *l, const char *command)
{
    if (strstr(command, "ROLE")) return "*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n";
    if (strstr(command, "INFO")) return "$15\r\nmaxmemory:0\r\nok\r\n";
    if (strstr(command, "MGET")) return "*2\r\n$-1\r\n$-1\r\n";
    if (strstr(command, "GET")) return "$-1\r\n";
    if (strstr(command, "WAITAOF")) {
        atomic_fetch_add(&l->waits, 1);
        return atomic_fetch_sub(&l->not_yet, 1) > 0 ? not_yet : l->to_wait;
    }
    if (strstr(command, "SET")) return atomic_fetch_add(&l->sets, 1), "+OK\r\n";
    return "-ERR unknown command\r\n";
}

static void *serve_later(void *payload)
{
    later *l = payload;
    for (int fd; (fd = accept(l->listener, NULL, NULL)) >= 0; close(fd)) {
        char command[1000];
        for (ssize_t got; (got = recv(fd, command, sizeof command - 1, 0)) > 0;) {
            command[got] = '\0';
            const char *answer = answer_of(l, command);
            if (send(fd, answer, strlen(answer), MSG_NOSIGNAL) < 0) break;
        }
    }
    return NULL;
}

/* WAITAOF is sent behind each SET, and what it answers decides; it is sent `waits` times. */
static void set_later(const char *to_wait, int waits, int64_t timeout_ms, avout_status expected)
{
    later l = {.to_wait = to_wait};
    avout_versioned_container *c;
    l.listener = test_listen(&l.port);
    CHECK(!pthread_create(&l.thread, NULL, serve_later, &l));
    CHECK_OK(database_open(&c, l.port, "pool_size=1"));
    CHECK_OK(c->ops->init(c, TIMEOUT_MS));
    int before = atomic_load(&l.waits);
    atomic_store(&l.not_yet, waits - 1);
    CHECK_STATUS(expected, set_int(c, "v-1", 1, timeout_ms));
    CHECK_INT(1, atomic_load(&l.sets));
    CHECK_INT(before + waits, atomic_load(&l.waits));
    c->ops->close(c);
    shutdown(l.listener, SHUT_RDWR);
    pthread_join(l.thread, NULL);
    close(l.listener);
}

TEST(a_write_is_confirmed_when_it_is_on_the_disk)
{
    set_later(is_there, 1, TIMEOUT_MS, AVOUT_OK);
    set_later(not_yet, 1, TIMEOUT_MS, AVOUT_ETIMEOUT);
    /* The server waits for a part of such a time alone. */
    set_later(is_there, 3, AVOUT_FOREVER, AVOUT_OK);
}
