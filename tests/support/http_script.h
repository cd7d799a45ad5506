/* An HTTP server that does what a test tells it to. By itself it keeps resources as a good one does, in memory:
 * PUT (heeding If-None-Match: *), GET, HEAD, DELETE, PROPFIND, and MKCOL, which is 405. */
#ifndef TESTS_SUPPORT_HTTP_SCRIPT_H
#define TESTS_SUPPORT_HTTP_SCRIPT_H

#include <stdbool.h>
#include <stddef.h>

typedef struct http_script http_script;

typedef struct http_script_request {
    char method[16], path[256];
    char *head; /* the whole of it */
    char *body;
    size_t length;
    int number; /* of requests with that method, from 0 on */
} http_script_request;

typedef enum http_script_deed {
    HTTP_SERVE,
    HTTP_ANSWERED,          /* the function has, with http_script_answer or by sending bytes */
    HTTP_HANG_UP,           /* without doing anything */
    HTTP_SERVE_AND_HANG_UP, /* it has its effect, but no answer comes */
    HTTP_KEEP_SILENT,       /* nothing comes until the end */
} http_script_deed;

/* Called for each request, on a thread of its connection. */
typedef http_script_deed (*http_script_fn)(int fd, const http_script_request *request);

http_script *http_script_start(http_script_fn act); /* NULL: serves */
void http_script_end(http_script *script);          /* frees */
/* "http://127.0.0.1:PORT/"; valid until the end. */
const char *http_script_place(const http_script *script);
int http_script_connections(const http_script *script); /* so far */
int http_script_count(http_script *script, const char *method);

/* A whole answer; `headers` are lines that end in \r\n. */
void http_script_answer(int fd, int code, const char *headers, const char *body);

#endif
