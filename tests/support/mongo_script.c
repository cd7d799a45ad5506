#include "support/mongo_script.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "support/server.h"
#include "support/test.h"

enum { COMMANDS_MAX = 400, CONNECTIONS_MAX = 64, HEADER = 16, MESSAGE_MAX = 1 << 20 };
enum { OP_REPLY = 1, OP_QUERY = 2004, OP_MSG = 2013 };

struct mongo_script {
    mongo_script_fn answer;
    bool replica_set;
    const char *hello; /* NULL: as a server does */
    int listener, port, connections, fds[CONNECTIONS_MAX];
    pthread_t acceptor, threads[CONNECTIONS_MAX];
    pthread_mutex_t lock; /* of the commands */
    char *commands[COMMANDS_MAX], *names[COMMANDS_MAX];
    int count;
};

typedef struct message {
    int32_t length, id, answers, kind;
} message;

typedef struct connection {
    mongo_script *script;
    int fd;
} connection;

/* ---- what was sent ------------------------------------------------------------------------------------ */

static int count_of(const mongo_script *s, const char *name)
{
    int count = 0;
    for (int i = 0; i < s->count; i++) count += !strcmp(s->names[i], name);
    return count;
}

static int note(mongo_script *s, const char *name, const bson_t *command)
{
    pthread_mutex_lock(&s->lock);
    CHECK(s->count < COMMANDS_MAX);
    int number = count_of(s, name);
    s->names[s->count] = strdup(name);
    s->commands[s->count++] = bson_as_relaxed_extended_json(command, NULL);
    pthread_mutex_unlock(&s->lock);
    return number;
}

int mongo_script_count(mongo_script *script, const char *name)
{
    pthread_mutex_lock(&script->lock);
    int count = count_of(script, name);
    pthread_mutex_unlock(&script->lock);
    return count;
}

const char *mongo_script_command(mongo_script *script, const char *name, int n)
{
    const char *found = NULL;
    pthread_mutex_lock(&script->lock);
    for (int i = 0; i < script->count && !found; i++)
        if (!strcmp(script->names[i], name) && n-- == 0) found = script->commands[i];
    pthread_mutex_unlock(&script->lock);
    CHECK(found);
    return found;
}

/* ---- what is answered ----------------------------------------------------------------------------------- */

static void say_given_hello(bson_t *reply, const char *json)
{
    bson_error_t error;
    bson_t *given = bson_new_from_json((const uint8_t *)json, -1, &error);
    CHECK(given);
    bson_concat(reply, given);
    bson_destroy(given);
}

static void say_hello(bson_t *reply, const mongo_script *s)
{
    char address[32];
    bson_t hosts;
    snprintf(address, sizeof address, "127.0.0.1:%d", s->port);
    BSON_APPEND_BOOL(reply, "ismaster", true);
    BSON_APPEND_BOOL(reply, "isWritablePrimary", true);
    if (s->replica_set) {
        BSON_APPEND_UTF8(reply, "setName", "script");
        BSON_APPEND_INT32(reply, "setVersion", 1);
        BSON_APPEND_UTF8(reply, "me", address);
        BSON_APPEND_ARRAY_BEGIN(reply, "hosts", &hosts);
        BSON_APPEND_UTF8(&hosts, "0", address);
        bson_append_array_end(reply, &hosts);
    }
    BSON_APPEND_INT32(reply, "maxBsonObjectSize", 16 << 20);
    BSON_APPEND_INT32(reply, "maxMessageSizeBytes", 48000000);
    BSON_APPEND_INT32(reply, "maxWriteBatchSize", 100000);
    BSON_APPEND_INT32(reply, "logicalSessionTimeoutMinutes", 30);
    BSON_APPEND_INT32(reply, "minWireVersion", 0);
    BSON_APPEND_INT32(reply, "maxWireVersion", 13);
}

static bool answer(bson_t *reply, mongo_script *s, const bson_t *command)
{
    bson_iter_t at;
    bool goes_on = true;
    CHECK(bson_iter_init(&at, command) && bson_iter_next(&at));
    const char *name = bson_iter_key(&at);
    bool greets = !strcasecmp(name, "ismaster") || !strcmp(name, "hello");
    if (greets && s->hello) say_given_hello(reply, s->hello);
    else if (greets) say_hello(reply, s);
    else if (strcmp(name, "endSessions") && strcmp(name, "ping"))
        goes_on = s->answer(reply, name, note(s, name, command), command);
    if (!bson_has_field(reply, "ok")) BSON_APPEND_DOUBLE(reply, "ok", 1);
    return goes_on;
}

/* ---- the protocol ----------------------------------------------------------------------------------------- */

static bool receive(int fd, void *to, size_t length)
{
    for (char *at = to; length;) {
        ssize_t got = recv(fd, at, length, 0);
        if (got <= 0) return false;
        at += got;
        length -= (size_t)got;
    }
    return true;
}

static void append_documents(bson_t *command, const uint8_t *section, int32_t size)
{
    const char *name = (const char *)section + 4;
    int32_t at = 4 + (int32_t)strlen(name) + 1;
    bson_t documents, one;
    uint32_t index = 0;
    bson_append_array_begin(command, name, -1, &documents);
    while (at < size) {
        int32_t length;
        char buffer[16];
        const char *key;
        memcpy(&length, section + at, 4);
        CHECK(bson_init_static(&one, section + at, (size_t)length));
        bson_uint32_to_string(index++, &key, buffer, sizeof buffer);
        BSON_APPEND_DOCUMENT(&documents, key, &one);
        at += length;
    }
    bson_append_array_end(command, &documents);
}

/* The command in an OP_MSG; its documents become an array in it. */
static bson_t *read_message(const uint8_t *body, int32_t length)
{
    bson_t *command = bson_new(), one;
    for (int32_t at = 4; at < length;) {
        uint8_t kind = body[at++];
        int32_t size;
        memcpy(&size, body + at, 4);
        if (kind == 0) {
            CHECK(bson_init_static(&one, body + at, (size_t)size));
            bson_concat(command, &one);
        } else {
            append_documents(command, body + at, size);
        }
        at += size;
    }
    return command;
}

static bson_t *read_query(const uint8_t *body, int32_t length)
{
    size_t name = strlen((const char *)body + 4) + 1;
    int32_t at = 4 + (int32_t)name + 8;
    bson_t *command = bson_new_from_data(body + at, (size_t)(length - at));
    CHECK(command);
    return command;
}

static bool reply_to(int fd, const message *to, const bson_t *reply)
{
    uint8_t head[HEADER + 20] = {0};
    int32_t more = to->kind == OP_MSG ? 5 : 20, one = 1;
    message m = {HEADER + more + (int32_t)reply->len, 1, to->id,
                 to->kind == OP_MSG ? OP_MSG : OP_REPLY};
    memcpy(head, &m, sizeof m);
    if (to->kind == OP_QUERY) memcpy(head + HEADER + 16, &one, 4);
    return send(fd, head, (size_t)(HEADER + more), MSG_NOSIGNAL | MSG_MORE) == HEADER + more &&
           send(fd, bson_get_data(reply), reply->len, MSG_NOSIGNAL) == (ssize_t)reply->len;
}

static bool serve_one(connection *c)
{
    message m;
    if (!receive(c->fd, &m, sizeof m) || m.length < HEADER || m.length > MESSAGE_MAX) return false;
    int32_t length = m.length - HEADER;
    uint8_t *body = malloc((size_t)length + 1);
    CHECK(body);
    bool goes_on = receive(c->fd, body, (size_t)length);
    if (goes_on) {
        bson_t reply = BSON_INITIALIZER;
        bson_t *command = m.kind == OP_MSG ? read_message(body, length) : read_query(body, length);
        goes_on = answer(&reply, c->script, command) && reply_to(c->fd, &m, &reply);
        bson_destroy(command);
        bson_destroy(&reply);
    }
    free(body);
    return goes_on;
}

static void *serve(void *payload)
{
    connection *c = payload;
    while (serve_one(c)) continue;
    shutdown(c->fd, SHUT_RDWR);
    free(c);
    return NULL;
}

static void *accept_all(void *payload)
{
    mongo_script *s = payload;
    for (int fd; (fd = accept(s->listener, NULL, NULL)) >= 0;) {
        connection *c = malloc(sizeof *c);
        CHECK(c && s->connections < CONNECTIONS_MAX);
        *c = (connection){s, fd};
        s->fds[s->connections] = fd;
        CHECK(!pthread_create(&s->threads[s->connections++], NULL, serve, c));
    }
    return NULL;
}

mongo_script *mongo_script_start(mongo_script_fn answer_fn, bool replica_set)
{
    mongo_script *s = calloc(1, sizeof *s);
    CHECK(s);
    s->answer = answer_fn;
    s->replica_set = replica_set;
    pthread_mutex_init(&s->lock, NULL);
    s->listener = test_listen(&s->port);
    CHECK(!pthread_create(&s->acceptor, NULL, accept_all, s));
    return s;
}

void mongo_script_end(mongo_script *s)
{
    shutdown(s->listener, SHUT_RDWR);
    pthread_join(s->acceptor, NULL);
    close(s->listener);
    for (int i = 0; i < s->connections; i++) {
        shutdown(s->fds[i], SHUT_RDWR);
        pthread_join(s->threads[i], NULL);
        close(s->fds[i]);
    }
    for (int i = 0; i < s->count; i++) {
        free(s->names[i]);
        bson_free(s->commands[i]);
    }
    pthread_mutex_destroy(&s->lock);
    free(s);
}

void mongo_script_hello(mongo_script *script, const char *json)
{
    script->hello = json;
}

int mongo_script_port(const mongo_script *script)
{
    return script->port;
}
