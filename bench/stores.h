/* The stores that are measured, and our clients on them. */
#ifndef BENCH_STORES_H
#define BENCH_STORES_H

#include <stdbool.h>
#include <stddef.h>

#include "avout.h"
#include "server.h"

typedef struct bench {
    double seconds;        /* of measuring, a row */
    const char *zookeeper; /* a running server's URL; NULL: the benchmark's own */
    server *server;        /* NULL until bench_server */
    bool restarted;        /* it has been, and its fsyncs are noted */
    char program[512];     /* this program, to be run again as a worker */
} bench;

/* The server, started and warmed up by the first row that wants it. */
server *bench_server(bench *b);
/* A client on that server (under a root of its own), and on an embedded store in the temporary
 * directory. */
avout_client *bench_zk_client(bench *b);
avout_client *bench_embedded_client(const char *name);
void bench_zk_url(bench *b, char *url, size_t size);
void bench_embedded_url(const char *name, char *url, size_t size);

#endif
