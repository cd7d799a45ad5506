/* The other side of the ZooKeeper rows: libzookeeper itself, used as well as it can be. */
#ifndef BENCH_RAW_ZK_H
#define BENCH_RAW_ZK_H

#include "measure.h"

typedef struct raw_zk raw_zk;

raw_zk *raw_zk_open(const char *address);
void raw_zk_close(raw_zk *zk);

/* Creates `count` nodes DIRECTORY/rNNNNN from number `first` on, each with its number as text. */
void raw_zk_create_many(raw_zk *zk, const char *directory, int first, int count);

/* Sides; their payload is the raw_zk. One at a time is an asynchronous call and a wait for its
 * completion. In flight: each completion starts the next. Values are numbers of a few digits, as ours
 * are. */
uint64_t raw_zk_sets(void *zk, double seconds);
uint64_t raw_zk_multis(void *zk, double seconds); /* of two sets */
void raw_zk_multi(raw_zk *zk);                    /* one of them */
/* A node created, ephemeral and sequential as a lock's are, and deleted: two requests. */
uint64_t raw_zk_creates(void *zk, double seconds);
enum { RAW_IN_FLIGHT = 64 };
uint64_t raw_zk_sets_in_flight(void *zk, double seconds);   /* of one node */
uint64_t raw_zk_multis_in_flight(void *zk, double seconds); /* each of two nodes of its own */

#endif
