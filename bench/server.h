/* A ZooKeeper server of the benchmark's own: on a free loopback port, with its data in the run's
 * temporary directory, and, unlike the tests' one, with every write synced to the disk. */
#ifndef BENCH_SERVER_H
#define BENCH_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

typedef struct server server;

/* Starts one and waits until it serves. With `url` ("zk://host:port") that one is used instead, which
 * must be running. */
server *server_start(const char *url);
/* "127.0.0.1:2181" */
const char *server_address(const server *s);
/* 0: not ours. */
pid_t server_pid(const server *s);
/* Kills it and starts it again on the same port with the same data. Only one of ours. */
void server_restart(server *s);
/* For servers of other kinds: a port that nobody has; whether somebody listens at HOST:PORT. */
int server_free_port(void);
bool server_answers(const char *address);
/* The number behind `name` in what the server answers to mntr; NAN: it says none. */
double server_count(const server *s, const char *name);
/* Number of the last write, as srvr tells. */
unsigned long long server_zxid(const server *s);

#endif
