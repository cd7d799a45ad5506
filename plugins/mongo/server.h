/* A place's address, the pool of connections to its server that all containers of the process share, and
 * calls with a deadline that go on when a connection breaks. */
#ifndef PLUGINS_MONGO_SERVER_H
#define PLUGINS_MONGO_SERVER_H

#include <mongoc/mongoc.h>

#include <avout/status.h>

#include "common/shared.h"

typedef struct avout__mongo_server {
    avout__plugin_shared *pool;
    char *shown; /* "host:port,host:port/database.collection" */
    char database[128];
    char collection[256];
    char *password; /* never shown; NULL: none */
} avout__mongo_server;

/* On failure nothing is left to be closed. AVOUT_EINVAL, AVOUT_ECONNECTION, AVOUT_ENOMEM. */
avout_status avout__mongo_open(avout__mongo_server *server, const char *place);
void avout__mongo_close(avout__mongo_server *server);

/* What is done with a connection. Run again while it answers AVOUT_ECONNECTION and there is time: so its
 * effect, if it had it, must be recognised. */
typedef struct avout__mongo_step avout__mongo_step;
struct avout__mongo_step {
    avout_status (*run)(avout__mongo_step *step, mongoc_client_t *client);
    const avout__mongo_server *server;
    int64_t deadline_ms;
};
avout_status avout__mongo_call(avout__mongo_step *step);

/* What libmongoc's error is among ours, with its message as the detail. */
avout_status avout__mongo_failed(const avout__mongo_step *step, const bson_error_t *error);

#endif
