/* Invariant: `lock` guards resources, counters and the list of connections. */
#include "support/http_script.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "support/server.h"
#include "support/test.h"

enum { CONNECTIONS = 1000, RESOURCES = 1000, METHODS = 16 };

typedef struct resource {
    char path[256];
    char *body; /* NULL: none */
    size_t length;
} resource;

struct http_script {
    http_script_fn act;
    int listener;
    char place[64];
    pthread_t thread;
    pthread_mutex_t lock;
    _Atomic int connections;
    int fds[CONNECTIONS];
    pthread_t threads[CONNECTIONS];
    resource resources[RESOURCES];
    struct {
        char method[16];
        int count;
    } counters[METHODS];
};

typedef struct connection {
    http_script *script;
    int fd;
} connection;

/* ---- bytes ---------------------------------------------------------------------------------------- */

static void send_all(int fd, const char *bytes, size_t length)
{
    while (length) {
        ssize_t sent = send(fd, bytes, length, MSG_NOSIGNAL);
        if (sent <= 0) return;
        bytes += sent;
        length -= (size_t)sent;
    }
}

static void answer(int fd, int code, const char *headers, const char *body, size_t length)
{
    char head[1024];
    int size = snprintf(head, sizeof head, "HTTP/1.1 %d Whatever\r\n%sContent-Length: %zu\r\n\r\n",
                        code, headers, length);
    CHECK(size > 0 && size < (int)sizeof head);
    send_all(fd, head, (size_t)size);
    if (body) send_all(fd, body, length);
}

void http_script_answer(int fd, int code, const char *headers, const char *body)
{
    answer(fd, code, headers, body, strlen(body));
}

/* Reads until the head is whole; *filled: what is there of the rest, behind it. */
static bool read_head(http_script_request *request, size_t *filled, int fd)
{
    enum { HEAD_MOST = 16384 };
    size_t length = 0;
    request->head = calloc(1, HEAD_MOST + 1);
    CHECK(request->head);
    for (;;) {
        char *end = strstr(request->head, "\r\n\r\n");
        if (end) {
            *filled = length - (size_t)(end + 4 - request->head);
            memmove(end + 5, end + 4, *filled);
            end[4] = '\0';
            return sscanf(request->head, "%15s %255s", request->method, request->path) == 2;
        }
        ssize_t got = length < HEAD_MOST - 1
                          ? recv(fd, request->head + length, HEAD_MOST - 1 - length, 0)
                          : 0;
        if (got <= 0) return false;
        length += (size_t)got;
    }
}

static bool read_request(http_script_request *request, int fd)
{
    size_t filled;
    if (!read_head(request, &filled, fd)) return false;
    const char *length = strcasestr(request->head, "\r\nContent-Length:");
    request->length = length ? strtoul(length + 17, NULL, 10) : 0;
    request->body = malloc(request->length + 1);
    CHECK(request->body && filled <= request->length);
    memcpy(request->body, request->head + strlen(request->head) + 1, filled);
    while (filled < request->length) {
        ssize_t got = recv(fd, request->body + filled, request->length - filled, 0);
        if (got <= 0) return false;
        filled += (size_t)got;
    }
    request->body[filled] = '\0';
    return true;
}

/* ---- a good server ---------------------------------------------------------------------------------- */

static resource *find(http_script *script, const char *path)
{
    resource *vacant = NULL;
    for (int i = 0; i < RESOURCES; i++) {
        resource *one = &script->resources[i];
        if (one->body && !strcmp(one->path, path)) return one;
        if (!one->body && !vacant) vacant = one;
    }
    CHECK(vacant);
    return vacant;
}

static int put(resource *at, const http_script_request *request)
{
    bool there = at->body;
    if (there && strcasestr(request->head, "\r\nIf-None-Match: *")) return 412;
    free(at->body);
    snprintf(at->path, sizeof at->path, "%s", request->path);
    at->length = request->length;
    at->body = malloc(at->length + 1);
    CHECK(at->body);
    memcpy(at->body, request->body, at->length);
    return there ? 204 : 201;
}

static char *list(http_script *script)
{
    char *text = NULL;
    size_t length;
    FILE *out = open_memstream(&text, &length);
    CHECK(out);
    fprintf(out, "<?xml version=\"1.0\"?>\n<multistatus xmlns=\"DAV:\">"
                 "<response><href>/</href></response>");
    for (int i = 0; i < RESOURCES; i++)
        if (script->resources[i].body)
            fprintf(out, "<response><href>\n%s </href></response>", script->resources[i].path);
    fprintf(out, "</multistatus>");
    CHECK(!fclose(out));
    return text;
}

/* Lock held, but for the sending. */
static void serve(http_script *script, int fd, const http_script_request *request)
{
    const char *method = request->method;
    int code = 405;
    char *body = NULL;
    size_t length = 0;
    pthread_mutex_lock(&script->lock);
    resource *at = find(script, request->path);
    if (!strcmp(method, "PUT")) {
        code = put(at, request);
    } else if (!strcmp(method, "GET") || !strcmp(method, "HEAD")) {
        code = at->body ? 200 : 404;
        length = at->body ? at->length : 0;
        if (at->body && *method == 'G') body = memcpy(malloc(length + 1), at->body, length);
    } else if (!strcmp(method, "DELETE")) {
        code = at->body ? 204 : 404;
        free(at->body);
        at->body = NULL;
    } else if (!strcmp(method, "PROPFIND")) {
        code = 207;
        body = list(script);
        length = strlen(body);
    }
    pthread_mutex_unlock(&script->lock);
    if (fd >= 0) answer(fd, code, "", body, length);
    free(body);
}

/* ---- connections -------------------------------------------------------------------------------------- */

/* Of that method; one more with `more`. */
static int count(http_script *script, const char *method, int more)
{
    pthread_mutex_lock(&script->lock);
    int i = 0, before;
    while (*script->counters[i].method && strcmp(script->counters[i].method, method) != 0) i++;
    CHECK(i < METHODS - 1);
    if (more) snprintf(script->counters[i].method, 16, "%s", method);
    before = script->counters[i].count;
    script->counters[i].count += more;
    pthread_mutex_unlock(&script->lock);
    return before;
}

static bool do_it(http_script *script, int fd, const http_script_request *request)
{
    char byte;
    switch (script->act ? script->act(fd, request) : HTTP_SERVE) {
    case HTTP_SERVE: serve(script, fd, request); return true;
    case HTTP_ANSWERED: return true;
    case HTTP_HANG_UP: return false;
    case HTTP_SERVE_AND_HANG_UP: serve(script, -1, request); return false;
    case HTTP_KEEP_SILENT:
        while (recv(fd, &byte, 1, 0) > 0) continue;
        return false;
    }
    return false;
}

static void *serve_connection(void *payload)
{
    connection c = *(connection *)payload;
    bool goes_on = true;
    free(payload);
    while (goes_on) {
        http_script_request request = {.head = NULL};
        goes_on = read_request(&request, c.fd);
        if (goes_on) {
            request.number = count(c.script, request.method, 1);
            goes_on = do_it(c.script, c.fd, &request);
        }
        free(request.head);
        free(request.body);
    }
    shutdown(c.fd, SHUT_RDWR);
    return NULL;
}

static void *accept_all(void *payload)
{
    http_script *script = payload;
    for (int fd; (fd = accept(script->listener, NULL, NULL)) >= 0;) {
        int n = atomic_load(&script->connections);
        connection *c = malloc(sizeof *c);
        CHECK(c && n < CONNECTIONS);
        *c = (connection){script, fd};
        /* Else the body of an answer waits 40 ms for the client to acknowledge its head. */
        CHECK(!setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int)));
        script->fds[n] = fd;
        CHECK(!pthread_create(&script->threads[n], NULL, serve_connection, c));
        atomic_store(&script->connections, n + 1);
    }
    return NULL;
}

http_script *http_script_start(http_script_fn act)
{
    http_script *script = calloc(1, sizeof *script);
    int port;
    CHECK(script);
    setenv("no_proxy", "127.0.0.1", 1);
    script->act = act;
    script->listener = test_listen(&port);
    pthread_mutex_init(&script->lock, NULL);
    snprintf(script->place, sizeof script->place, "http://127.0.0.1:%d/", port);
    CHECK(!pthread_create(&script->thread, NULL, accept_all, script));
    return script;
}

void http_script_end(http_script *script)
{
    shutdown(script->listener, SHUT_RDWR);
    pthread_join(script->thread, NULL);
    close(script->listener);
    for (int i = 0; i < atomic_load(&script->connections); i++) {
        shutdown(script->fds[i], SHUT_RDWR);
        pthread_join(script->threads[i], NULL);
        close(script->fds[i]);
    }
    for (int i = 0; i < RESOURCES; i++) free(script->resources[i].body);
    pthread_mutex_destroy(&script->lock);
    free(script);
}

const char *http_script_place(const http_script *script)
{
    return script->place;
}

int http_script_connections(const http_script *script)
{
    return atomic_load(&script->connections);
}

int http_script_count(http_script *script, const char *method)
{
    return count(script, method, 0);
}
