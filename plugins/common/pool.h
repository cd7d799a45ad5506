/* Connections to one server (or to the servers of one address) that many threads share: each call takes
 * one, or makes one, within its deadline; what broke is thrown away, and the call made again on another one
 * while there is time. Free of any protocol: a driver says how connections are made. */
#ifndef PLUGINS_COMMON_POOL_H
#define PLUGINS_COMMON_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <avout/status.h>

enum { AVOUT__PLUGIN_POOL_MOST = 8 }; /* connections, where the address does not say */

typedef struct avout__plugin_pool avout__plugin_pool;

/* Static. Called without locks, by any thread, each connection by one at a time. */
typedef struct avout__plugin_driver {
    /* AVOUT_ECONNECTION: another try may succeed. */
    avout_status (*connect)(void **connection, void *server, int64_t deadline_ms);
    bool (*is_usable)(void *connection); /* after a call: for another one */
    void (*close)(void *connection);     /* does not block */
    void (*free_server)(void *server);
} avout__plugin_driver;

/* Takes over `server`, what the driver connects to. `wait_ms` is how long a call waits for a server that
 * cannot be connected to. AVOUT_ENOMEM. */
avout_status avout__plugin_pool_new(avout__plugin_pool **pool, const avout__plugin_driver *driver,
                                    void *server, size_t most, int64_t wait_ms);
/* Nobody uses it any more. */
void avout__plugin_pool_free(avout__plugin_pool *pool);
void *avout__plugin_pool_server(const avout__plugin_pool *pool);

/* What is done with a connection. Run again while it answers AVOUT_ECONNECTION and there is time: so its
 * effect, if it had it, must be recognised, or do no harm twice. */
typedef struct avout__plugin_step avout__plugin_step;
struct avout__plugin_step {
    avout_status (*run)(avout__plugin_step *step, void *connection);
    int64_t deadline_ms;
};

/* AVOUT_ETIMEOUT: the deadline passed before there was a connection; AVOUT_ECONNECTION; what the step or
 * connecting answers. */
avout_status avout__plugin_pool_call(avout__plugin_pool *pool, avout__plugin_step *step);

#endif
