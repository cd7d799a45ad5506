/* One request, answered within a deadline: connections are shared, and what fails on the way, or what the
 * server puts off, is tried again. So a request must do no harm twice, or its first effect be recognised
 * (`repeated`). Any thread. */
#ifndef PLUGINS_HTTP_REQUEST_H
#define PLUGINS_HTTP_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "address.h"
#include "common/shared.h"

typedef struct avout__http_server {
    avout__http_address address;
    avout__plugin_shared *handles; /* of all with the same host and user */
} avout__http_server;

/* On failure nothing is left to be closed. AVOUT_EINVAL, AVOUT_ENOMEM. */
avout_status avout__http_open(avout__http_server *server, const char *place);
void avout__http_close(avout__http_server *server);

typedef struct avout__http_request {
    const char *method; /* "PUT" */
    const char *name;   /* behind the base; "": itself */
    size_t path;        /* not 0: so much of the base, instead of both */
    const char *body;   /* NULL: none */
    size_t length;
    const char *type;  /* of the body */
    const char *wants; /* Accept: NULL: anything */
    const char *token; /* Avout-Token: NULL: none */
    bool if_absent;    /* If-None-Match: * */
    bool children;     /* Depth: 1 */
    bool follow;       /* redirections */
} avout__http_request;

typedef struct avout__http_answer {
    long code;
    char *body; /* NUL behind it; NULL: empty */
    size_t length;
    bool repeated; /* the request may have been carried out before the one that was answered so */
    /* An attempt that may have been carried out, or be yet, was not answered, or in a way that leaves it open;
     * set also where the call fails. */
    bool lost;
    bool endless; /* nothing says where it ends but the connection's end: it may be cut */
} avout__http_answer;
void avout__http_answer_release(avout__http_answer *answer);

/* AVOUT_OK: an answer came, whatever it is, to be released. AVOUT_ECONNECTION, AVOUT_ETIMEOUT, AVOUT_EAUTH
 * (the server's certificate), AVOUT_EIO (no HTTP, or the answer was cut short), AVOUT_ELIMIT (it is too
 * large), AVOUT_ENOMEM. */
avout_status avout__http_call(avout__http_answer *answer, const avout__http_server *server,
                              const avout__http_request *request, int64_t deadline_ms);

/* Limits, variable for tests. */
extern struct avout__http_limit {
    size_t answer;          /* bytes of one */
    int64_t unreachable_ms; /* a server is given up */
} avout__http_limit;

#endif
