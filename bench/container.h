/* State containers as the rows of transactions over them see them: the server, the container, and the same
 * writes without us. */
#ifndef BENCH_CONTAINER_H
#define BENCH_CONTAINER_H

#include "avout/distributed.h"
#include "rows.h"
#include "world.h"

typedef struct container_kind {
    const char *name;
    /* Starts what it needs, and writes the place into place[0..size); NULL, or why it cannot. */
    const char *(*start)(bench *b, char *place, size_t size);
    avout_status (*open)(avout_versioned_container **container, const char *place);
    /* One write of a small value under a new name, as durable as the container's, one at a time. */
    void *(*raw_open)(const char *place);
    void (*raw_write)(void *raw);
    void (*raw_close)(void *raw);
} container_kind;

extern const container_kind container_file, container_mongo, container_postgres, container_redis,
    container_http;

/* Waits until the server takes connections; ends the bench when it does not. */
void container_await(child *process, const char *address, const char *name);

#endif
