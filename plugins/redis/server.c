#include "server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#include "common/deadline.h"
#include "common/secret.h"
#include "common/words.h"
#include "wire.h"

enum { TEXT_MOST = 512 << 20, WAIT_MOST_MS = 1000000 };

/* How what was written gets to the disk before it is confirmed. */
typedef enum durability {
    AS_IT_IS, /* the address says so, or appendfsync is always: before the answer */
    BY_WAIT,  /* WAITAOF */
} durability;

struct avout__redis_connection {
    redisContext *context; /* whose socket we use, and whose parser */
    avout__redis_wire wire;
    const avout__redis_address *address;
    durability durability;
    bool is_broken;
    bool was_answered; /* the last command */
};

/* ---- failures -------------------------------------------------------------------------------------------- */

static avout_status say(avout__redis_connection *c, avout_status status, const char *message)
{
    char text[300];
    avout__plugin_hide(text, sizeof text, message, c->address->password);
    return avout_fail(status, "%s", *text ? text : "the connection broke");
}

avout_status avout__redis_strange(avout__redis_connection *c)
{
    c->is_broken = true;
    return avout_fail(AVOUT_EIO, "the server answers what was not asked");
}

/* What a command in a script failed with: Redis before 7.0 puts words of its own in front. */
static const char *without_script(const char *message)
{
    const char *own =
        strncmp(message, "ERR Error running script", 24) ? NULL : strstr(message, ": -");
    return own ? own + 3 : message;
}

/* By the first word of the message. */
static avout_status status_of(const char *message)
{
    static const struct {
        const char *prefix;
        avout_status status;
    } table[] = {
        {"NOAUTH", AVOUT_EAUTH},
        {"WRONGPASS", AVOUT_EAUTH},
        {"ERR AUTH", AVOUT_EAUTH},
        {"ERR invalid password", AVOUT_EAUTH},
        {"NOPERM", AVOUT_EPERM},
        {"OOM", AVOUT_ENOSPACE},
        {"WRONGTYPE", AVOUT_EDATA},
        {"LOADING", AVOUT_ECONNECTION},
        {"READONLY", AVOUT_ECONNECTION},
        {"MASTERDOWN", AVOUT_ECONNECTION},
        {"NOREPLICAS", AVOUT_ECONNECTION},
        {"BUSY", AVOUT_ECONNECTION},
        {"ERR max number of clients", AVOUT_ECONNECTION},
        {"MOVED", AVOUT_ENOTSUP},
        {"ASK", AVOUT_ENOTSUP},
        {"CLUSTERDOWN", AVOUT_ENOTSUP},
        {"ERR unknown command", AVOUT_ENOTSUP},
        {"ERR string exceeds", AVOUT_ELIMIT},
        {"ERR Protocol error: invalid bulk length", AVOUT_ELIMIT},
    };
    message = without_script(message);
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (!strncmp(message, table[i].prefix, strlen(table[i].prefix))) return table[i].status;
    /* MISCONF: it cannot write its files. */
    return strstr(message, "No space left") ? AVOUT_ENOSPACE : AVOUT_EIO;
}

static avout_status failed(avout__redis_connection *c, const redisReply *reply)
{
    avout_status status = status_of(reply->str);
    if (status == AVOUT_ECONNECTION) c->is_broken = true; /* another one may find the primary */
    return say(c, status, reply->str);
}

avout_status avout__redis_check_size(size_t length)
{
    if (length <= TEXT_MOST) return AVOUT_OK;
    return avout_fail(AVOUT_ELIMIT, "%zu bytes are too many for Redis", length);
}

/* ---- commands ------------------------------------------------------------------------------------------ */

static avout_status send_command(avout__redis_connection *c, int count, const char **words,
                                 const size_t *lengths, int64_t deadline_ms)
{
    char *text = NULL;
    long long length = redisFormatCommandArgv(&text, count, words, lengths);
    if (length < 0) return avout__plugin_no_memory();
    avout_status status = avout__redis_wire_send(&c->wire, text, (size_t)length, deadline_ms);
    redisFreeCommand(text);
    return status;
}

static avout_status receive(redisReply **reply, avout__redis_connection *c, int64_t deadline_ms)
{
    void *got = NULL;
    for (;;) {
        if (redisGetReplyFromReader(c->context, &got) != REDIS_OK)
            return say(c, AVOUT_ECONNECTION, c->context->errstr);
        if (got) break;
        avout_status status = avout__redis_wire_receive(&c->wire, c->context->reader, deadline_ms);
        if (status) return status;
    }
    *reply = got;
    return AVOUT_OK;
}

avout_status avout__redis_command(redisReply **reply, avout__redis_connection *c, int count,
                                  const char **words, const size_t *lengths, int64_t deadline_ms)
{
    *reply = NULL;
    avout_status status = send_command(c, count, words, lengths, deadline_ms);
    bool unsent = status == AVOUT_ECONNECTION; /* it may have said why it hung up */
    if (!status || unsent) status = receive(reply, c, deadline_ms);
    c->is_broken = c->is_broken || unsent || status; /* its answer may come yet */
    if (!status && unsent && (*reply)->type != REDIS_REPLY_ERROR) {
        freeReplyObject(*reply);
        *reply = NULL;
        status = avout_fail(AVOUT_ECONNECTION, "the server hung up");
    }
    c->was_answered = !status;
    if (status || (*reply)->type != REDIS_REPLY_ERROR) return status;
    status = failed(c, *reply);
    freeReplyObject(*reply);
    *reply = NULL;
    return status;
}

bool avout__redis_was_answered(const avout__redis_connection *c)
{
    return c->was_answered;
}

static avout_status run(avout__redis_connection *c, int count, const char **words,
                        int64_t deadline_ms)
{
    redisReply *reply;
    avout_status status = avout__redis_command(&reply, c, count, words, NULL, deadline_ms);
    freeReplyObject(reply);
    return status;
}

/* ---- what the server is ---------------------------------------------------------------------------------- */

avout_status avout__redis_check_primary(avout__redis_connection *c, int64_t deadline_ms)
{
    redisReply *reply;
    avout_status status =
        avout__redis_command(&reply, c, 1, (const char *[]){"ROLE"}, NULL, deadline_ms);
    if (status) return status;
    if (reply->type != REDIS_REPLY_ARRAY || !reply->elements ||
        reply->element[0]->type != REDIS_REPLY_STRING) {
        status = avout__redis_strange(c);
    } else if (strcmp(reply->element[0]->str, "master")) {
        c->is_broken = true;
        status = avout_fail(AVOUT_ECONNECTION, "the server is a replica");
    }
    freeReplyObject(reply);
    return status;
}

static avout_status wait_aof(long long *written, avout__redis_connection *c, int64_t deadline_ms)
{
    redisReply *reply;
    char left[24];
    snprintf(left, sizeof left, "%d", (int)avout__plugin_left_ms(deadline_ms, 1, WAIT_MOST_MS));
    avout_status status =
        avout__redis_command(&reply, c, 4, (const char *[]){"WAITAOF", "1", "0", left}, NULL,
                             deadline_ms == INT64_MAX ? deadline_ms : deadline_ms + 50);
    if (status) return status;
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2 ||
        reply->element[0]->type != REDIS_REPLY_INTEGER)
        status = avout__redis_strange(c);
    else *written = reply->element[0]->integer;
    freeReplyObject(reply);
    return status;
}

avout_status avout__redis_wait_durable(avout__redis_connection *c, int64_t deadline_ms)
{
    long long written = 0;
    bool cut; /* the server waits a part of our time alone */
    avout_status status;
    if (c->durability == AS_IT_IS) return AVOUT_OK;
    do {
        cut = avout__plugin_left_ms(deadline_ms, 0, INT64_MAX) > WAIT_MOST_MS;
        status = wait_aof(&written, c, deadline_ms);
    } while (!status && written <= 0 && cut);
    if (status || written > 0) return status;
    return avout_fail(AVOUT_ETIMEOUT, "it is not on the server's disk yet");
}

static bool is_setting(const redisReply *reply, const char *name, const char *value)
{
    for (size_t i = 0; reply->type == REDIS_REPLY_ARRAY && i + 1 < reply->elements; i += 2)
        if (reply->element[i]->str && reply->element[i + 1]->str &&
            !strcmp(reply->element[i]->str, name))
            return !strcmp(reply->element[i + 1]->str, value);
    return false;
}

/* Without WAITAOF. */
static avout_status check_appends(avout__redis_connection *c, int64_t deadline_ms)
{
    redisReply *reply;
    avout_status status = avout__redis_command(
        &reply, c, 3, (const char *[]){"CONFIG", "GET", "append*"}, NULL, deadline_ms);
    if (status == AVOUT_EPERM || status == AVOUT_ENOTSUP)
        return avout_fail(AVOUT_ENOTSUP, "the server does not tell whether it writes to its disk: "
                                         "durable=no in the address takes it as it is");
    if (status) return status;
    if (!is_setting(reply, "appendonly", "yes") || !is_setting(reply, "appendfsync", "always"))
        status = avout_fail(AVOUT_ENOTSUP,
                            "the server confirms what is not on its disk: appendonly yes with "
                            "appendfsync always is needed (from Redis 7.2 on appendonly yes "
                            "alone), or durable=no in the address");
    freeReplyObject(reply);
    return status;
}

static avout_status check_evictions(avout__redis_connection *c, int64_t deadline_ms)
{
    redisReply *reply;
    avout_status status =
        avout__redis_command(&reply, c, 2, (const char *[]){"INFO", "memory"}, NULL, deadline_ms);
    if (status) return status;
    const char *text = reply->type == REDIS_REPLY_STRING ? reply->str : "";
    if (strstr(text, "maxmemory_policy:allkeys-") && !strstr(text, "\nmaxmemory:0\r"))
        status = avout_fail(AVOUT_ENOTSUP, "the server evicts keys when its memory is full: "
                                           "maxmemory-policy noeviction is needed, or "
                                           "durable=no in the address");
    freeReplyObject(reply);
    return status;
}

static avout_status check_durable(avout__redis_connection *c, int64_t deadline_ms)
{
    long long written;
    avout_status status = check_evictions(c, deadline_ms);
    if (status) return status;
    status = wait_aof(&written, c, deadline_ms);
    if (!status) c->durability = BY_WAIT;
    /* Also where it answers that there is no append-only file. */
    return status == AVOUT_ENOTSUP || status == AVOUT_EPERM || status == AVOUT_EIO
               ? check_appends(c, deadline_ms)
               : status;
}

/* ---- connecting ---------------------------------------------------------------------------------------- */

static avout_status introduce(avout__redis_connection *c, int64_t deadline_ms)
{
    const avout__redis_address *a = c->address;
    avout_status status = AVOUT_OK;
    char db[16];
    if (*a->user) status = run(c, 3, (const char *[]){"AUTH", a->user, a->password}, deadline_ms);
    else if (*a->password) status = run(c, 2, (const char *[]){"AUTH", a->password}, deadline_ms);
    snprintf(db, sizeof db, "%d", a->db);
    if (!status && a->db) status = run(c, 2, (const char *[]){"SELECT", db}, deadline_ms);
    if (!status) status = avout__redis_check_primary(c, deadline_ms);
    return !status && a->durable ? check_durable(c, deadline_ms) : status;
}

static avout_status open_socket(avout__redis_connection *c, int64_t deadline_ms)
{
    const avout__redis_address *a = c->address;
    int64_t left_ms = avout__plugin_left_ms(deadline_ms, 1, 1000000);
    const struct timeval limit = {left_ms / 1000, left_ms % 1000 * 1000};
    c->context = a->is_unix ? redisConnectUnixWithTimeout(a->host, limit)
                            : redisConnectWithTimeout(a->host, a->port, limit);
    if (!c->context) return avout__plugin_no_memory();
    if (c->context->err && avout__plugin_passed(deadline_ms))
        return avout_fail(AVOUT_ETIMEOUT, "no answer in time");
    if (c->context->err) return say(c, AVOUT_ECONNECTION, c->context->errstr);
    /* Else who waits without end would wait for a server that has lost its power. */
    if (!a->is_unix && redisEnableKeepAlive(c->context) != REDIS_OK)
        return say(c, AVOUT_ESYSTEM, c->context->errstr);
    return avout__redis_wire_open(&c->wire, c->context->fd, a, deadline_ms);
}

static void close_connection(void *used)
{
    avout__redis_connection *c = used;
    avout__redis_wire_close(&c->wire);
    redisFree(c->context);
    free(c);
}

static avout_status connect_to(void **made, void *server, int64_t deadline_ms)
{
    avout__redis_connection *c = calloc(1, sizeof *c);
    if (!c) return avout__plugin_no_memory();
    c->address = server;
    avout_status status = open_socket(c, deadline_ms);
    if (!status) status = introduce(c, deadline_ms);
    if (status) close_connection(c);
    else *made = c;
    return status;
}

static bool is_usable(void *used)
{
    const avout__redis_connection *c = used;
    return !c->is_broken;
}

/* ---- the pool ------------------------------------------------------------------------------------------ */

static const avout__plugin_driver driver = {connect_to, is_usable, close_connection, free};

static avout_status make_pool(void **object, const char *text, const void *payload)
{
    (void)text;
    avout__plugin_pool *pool;
    avout__redis_address *address = malloc(sizeof *address);
    if (!address) return avout__plugin_no_memory();
    *address = *(const avout__redis_address *)payload;
    avout_status status = avout__plugin_pool_new(
        &pool, &driver, address, (size_t)address->pool_size, (int64_t)address->wait_seconds * 1000);
    if (!status) *object = pool;
    return status;
}

static void free_pool(void *object)
{
    avout__plugin_pool_free(object);
}

static const avout__plugin_sharing sharing = {make_pool, free_pool};

avout_status avout__redis_share(avout__plugin_shared **shared, const avout__redis_address *address)
{
    return avout__plugin_share(shared, &sharing, address->shared, address);
}
