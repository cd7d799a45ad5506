#include "stores.h"

#include <math.h>
#include <stdio.h>
#include <unistd.h>

#include "raw_zk.h"
#include "world.h"

server *bench_server(bench *b)
{
    if (b->server) return b->server;
    b->server = server_start(b->zookeeper);
    raw_zk *raw = raw_zk_open(server_address(b->server));
    /* The server's JVM compiles what it has run long enough. */
    raw_zk_multis_in_flight(raw, fmin(3, b->seconds));
    raw_zk_close(raw);
    return b->server;
}

void bench_zk_url(bench *b, char *url, size_t size)
{
    static int number;
    snprintf(url, size, "zk://%s/avout-bench-%d-%d", server_address(b->server), (int)getpid(),
             number++);
}

avout_client *bench_zk_client(bench *b)
{
    char url[700];
    avout_client *client;
    bench_server(b);
    bench_zk_url(b, url, sizeof url);
    need(avout_connect(url, NULL, &client), url);
    return client;
}

void bench_embedded_url(const char *name, char *url, size_t size)
{
    snprintf(url, size, "lmdb:%s/%s", world_directory(), name);
}

avout_client *bench_embedded_client(const char *name)
{
    char url[700];
    avout_client *client;
    bench_embedded_url(name, url, sizeof url);
    need(avout_connect(url, NULL, &client), url);
    return client;
}
