/* Beside the Redis container: one SET NX by hiredis on a connection that waits. */
#include <hiredis/hiredis.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "avout/redis.h"
#include "container.h"
#include "world.h"

typedef struct raw_redis {
    redisContext *context;
    int64_t number;
} raw_redis;

static const char *start(bench *b, char *place, size_t size)
{
    (void)b;
    char directory[700], log[740], port[16], address[32];
    if (system("command -v redis-server >/dev/null 2>&1")) return "no redis-server in PATH";
    int number = server_free_port();
    snprintf(directory, sizeof directory, "%s/redis", world_directory());
    if (mkdir(directory, 0700)) fail("%s: cannot be made", directory);
    snprintf(log, sizeof log, "%s/log", directory);
    snprintf(port, sizeof port, "%d", number);
    char *command[] = {(char[]){"redis-server"},
                       (char[]){"--port"},
                       port,
                       (char[]){"--bind"},
                       (char[]){"127.0.0.1"},
                       (char[]){"--dir"},
                       directory,
                       (char[]){"--appendonly"},
                       (char[]){"yes"},
                       (char[]){"--appendfsync"},
                       (char[]){"always"},
                       NULL};
    child process = child_start(command, log);
    snprintf(address, sizeof address, "127.0.0.1:%d", number);
    container_await(&process, address, "Redis");
    snprintf(place, size, "redis://%s/0", address);
    return NULL;
}

static void *raw_open(const char *place)
{
    raw_redis *raw = need_memory(sizeof *raw);
    int port = 0;
    sscanf(place, "redis://127.0.0.1:%d", &port);
    raw->context = redisConnect("127.0.0.1", port);
    if (!raw->context || raw->context->err) fail("hiredis cannot connect");
    return raw;
}

static void raw_write(void *payload)
{
    raw_redis *raw = payload;
    long long number = ++raw->number;
    redisReply *reply = redisCommand(
        raw->context, "SET raw:0123456789abcdef-0123456789abcdef0123456789abcdef-%lld %lld NX",
        number, number);
    if (!reply || reply->type != REDIS_REPLY_STATUS) fail("hiredis: %s", raw->context->errstr);
    freeReplyObject(reply);
}

static void raw_close(void *payload)
{
    raw_redis *raw = payload;
    redisFree(raw->context);
    free(raw);
}

const container_kind container_redis = {"redis",  start,     avout_redis_container,
                                        raw_open, raw_write, raw_close};
