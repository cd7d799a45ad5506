#include "support/lmdb.h"

#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/futex.h"

enum { PATIENCE_MS = 20000 };

static void on_node(avout_node_event event, const char *path, void *payload)
{
    lmdb_client *client = payload;
    (void)path;
    atomic_store(&client->last_event_ns, avout__now_ns());
    if (event == AVOUT_NODE_UNKNOWN) atomic_fetch_add(&client->unknown, 1);
    if (event == AVOUT_NODE_DELETED) atomic_fetch_add(&client->deleted, 1);
    atomic_fetch_add(&client->events, 1);
    atomic_fetch_add(&client->changed, 1);
    avout__futex_wake(&client->changed, INT_MAX, false);
}

static void on_session(avout_event event, void *payload)
{
    (void)event, (void)payload;
}

avout_status lmdb_try_open(lmdb_client *client, const char *path, const avout_options *options)
{
    static const avout_options defaults = AVOUT_OPTIONS_INIT;
    memset(client, 0, sizeof *client);
    avout_listener listener = {on_node, on_session, NULL, client};
    return avout__lmdb_ops.open(&client->client.store, path, options ? options : &defaults,
                                &listener);
}

void lmdb_open(lmdb_client *client, const char *path, const avout_options *options)
{
    CHECK_OK(lmdb_try_open(client, path, options));
}

void lmdb_close(lmdb_client *client)
{
    avout__lmdb_ops.close(client->client.store);
    client->client.store = NULL;
}

void lmdb_wait_events(lmdb_client *client, int64_t count)
{
    int64_t deadline_ns = avout__deadline_in_ms(PATIENCE_MS);
    for (;;) {
        uint32_t seen = atomic_load(&client->changed);
        if (atomic_load(&client->events) >= count) return;
        if (avout__now_ns() > deadline_ns)
            test_failed(__FILE__, __LINE__, "%" PRId64 " of %" PRId64 " events came",
                        atomic_load(&client->events), count);
        avout__futex_wait(&client->changed, seen, deadline_ns, false);
    }
}

const char *lmdb_path(const char *name)
{
    static char paths[8][160];
    static int next;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", test_directory(), name);
    return path;
}

void lmdb_start(lmdb_process *process, void (*run)(struct lmdb_shared *shared))
{
    process->shared = mmap(NULL, sizeof *process->shared, PROT_READ | PROT_WRITE,
                           MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(process->shared != MAP_FAILED);
    fflush(stdout);
    process->pid = fork();
    CHECK(process->pid >= 0);
    if (process->pid) return;
    run(process->shared);
    exit(0);
}

void lmdb_step(struct lmdb_shared *shared, uint32_t step)
{
    atomic_store(&shared->step, step);
    avout__futex_wake(&shared->step, INT_MAX, true);
}

void lmdb_wait_step(struct lmdb_shared *shared, uint32_t step)
{
    int64_t deadline_ns = avout__deadline_in_ms(PATIENCE_MS);
    for (;;) {
        uint32_t seen = atomic_load(&shared->step);
        if (seen >= step) return;
        if (avout__now_ns() > deadline_ns)
            test_failed(__FILE__, __LINE__, "step %u was not reached", step);
        /* Bounded: a process that failed wakes nobody. */
        avout__futex_wait(&shared->step, seen, deadline_ns, true);
    }
}

void lmdb_kill(lmdb_process *process)
{
    int status;
    CHECK_INT(0, kill(process->pid, SIGKILL));
    CHECK_INT(process->pid, waitpid(process->pid, &status, 0));
}

void lmdb_finish(lmdb_process *process)
{
    int status;
    CHECK_INT(process->pid, waitpid(process->pid, &status, 0));
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}
