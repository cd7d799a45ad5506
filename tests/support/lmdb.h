/* For the tests of the embedded adapter: several handles with options of their own, and processes
 * that can be killed or stopped. Processes are made before any handle is opened by the caller, so
 * that thread sanitizers can follow them. */
#ifndef TESTS_SUPPORT_LMDB_H
#define TESTS_SUPPORT_LMDB_H

#include <stdatomic.h>
#include <sys/types.h>

#include "support/contract.h"
#include "store/lmdb/lmdb.h"

/* A handle whose `client` serves contract_multi, contract_read and their like. */
typedef struct lmdb_client {
    contract_client client; /* only `store` is filled in */
    _Atomic int64_t events;
    _Atomic int64_t unknown; /* events AVOUT_NODE_UNKNOWN */
    _Atomic int64_t deleted;
    _Atomic int64_t last_event_ns;
    _Atomic uint32_t changed; /* grows with each event */
} lmdb_client;

/* The options may be NULL. */
avout_status lmdb_try_open(lmdb_client *client, const char *path, const avout_options *options);
void lmdb_open(lmdb_client *client, const char *path, const avout_options *options);
void lmdb_close(lmdb_client *client);
/* Waits until there were that many events; fails the test after 20 s. */
void lmdb_wait_events(lmdb_client *client, int64_t count);

/* test_directory()/name; one of eight static texts. */
const char *lmdb_path(const char *name);

/* A process that runs `run` and ends with status 0 when it returns. Its memory `shared` is common
 * with the test's: steps are told by raising `step` and waited for. */
typedef struct lmdb_process {
    pid_t pid;
    struct lmdb_shared {
        _Atomic uint32_t step;
        _Atomic int64_t numbers[16];
    } * shared;
} lmdb_process;

void lmdb_start(lmdb_process *process, void (*run)(struct lmdb_shared *shared));
void lmdb_step(struct lmdb_shared *shared, uint32_t step);      /* raises it to that */
void lmdb_wait_step(struct lmdb_shared *shared, uint32_t step); /* at most 20 s */
void lmdb_kill(lmdb_process *process);                          /* kill -9 and wait */
void lmdb_finish(lmdb_process *process);                        /* waits; status must be 0 */

#endif
