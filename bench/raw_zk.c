#include "raw_zk.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <zookeeper/zookeeper.h>

#include "world.h"

enum { CONNECT_SECONDS = 20, VALUE_SIZE = 24, SESSION_MS = 20000 };

/* One request that is always on its way, or the one that is waited for. */
typedef struct flight {
    raw_zk *zk;
    zoo_op_t ops[2];
    zoo_op_result_t results[2];
    char paths[2][64], created[96];
    char value[VALUE_SIZE];
    uint64_t done;
} flight;

struct raw_zk {
    zhandle_t *handle;
    sem_t answered; /* posted by completions that somebody waits for */
    _Atomic int connected;
    _Atomic int flying;
    double deadline;
    bool multis;
    flight flights[RAW_IN_FLIGHT];
};

static void on_event(zhandle_t *handle, int type, int state, const char *path, void *context)
{
    (void)handle, (void)path;
    raw_zk *zk = context;
    if (type != ZOO_SESSION_EVENT || state != ZOO_CONNECTED_STATE) return;
    if (!atomic_exchange(&zk->connected, 1)) sem_post(&zk->answered);
}

static void wait_for(raw_zk *zk)
{
    while (sem_wait(&zk->answered)) continue;
}

static void must(int code, const char *what)
{
    if (code != ZOK) fail("libzookeeper: %s: %s", what, zerror(code));
}

static void create(raw_zk *zk, const char *path)
{
    int code = zoo_create(zk->handle, path, "0", 1, &ZOO_OPEN_ACL_UNSAFE, 0, NULL, 0);
    if (code != ZNODEEXISTS) must(code, path);
}

raw_zk *raw_zk_open(const char *address)
{
    raw_zk *zk = need_memory(sizeof *zk);
    zoo_set_debug_level((ZooLogLevel)0); /* nothing */
    sem_init(&zk->answered, 0, 0);
    zk->handle = zookeeper_init(address, on_event, SESSION_MS, NULL, zk, 0);
    if (!zk->handle) fail("zookeeper_init failed");
    struct timespec limit;
    clock_gettime(CLOCK_REALTIME, &limit);
    limit.tv_sec += CONNECT_SECONDS;
    if (sem_timedwait(&zk->answered, &limit)) fail("%s: no connection", address);
    create(zk, "/bench");
    for (int i = 0; i < RAW_IN_FLIGHT; i++) {
        flight *f = &zk->flights[i];
        f->zk = zk;
        for (int k = 0; k < 2; k++) {
            snprintf(f->paths[k], sizeof f->paths[k], "/bench/raw-%d-%d", i, k);
            create(zk, f->paths[k]);
        }
    }
    return zk;
}

void raw_zk_close(raw_zk *zk)
{
    if (!zk) return;
    zookeeper_close(zk->handle);
    sem_destroy(&zk->answered);
    free(zk);
}

/* ---- many nodes ------------------------------------------------------------------------------- */

enum { CREATES = 1000, PATH_SIZE = 128 };

static void create_some(raw_zk *zk, const char *directory, int first, int count)
{
    zoo_op_t ops[CREATES];
    zoo_op_result_t results[CREATES];
    char(*paths)[PATH_SIZE] = need_memory(CREATES * PATH_SIZE);
    char(*values)[VALUE_SIZE] = need_memory(CREATES * VALUE_SIZE);
    for (int i = 0; i < count; i++) {
        snprintf(paths[i], PATH_SIZE, "%s/r%05d", directory, first + i);
        int length = snprintf(values[i], VALUE_SIZE, "%d", first + i);
        zoo_create_op_init(&ops[i], paths[i], values[i], length, &ZOO_OPEN_ACL_UNSAFE, 0, NULL, 0);
    }
    must(zoo_multi(zk->handle, count, ops, results), directory);
    free(paths);
    free(values);
}

void raw_zk_create_many(raw_zk *zk, const char *directory, int first, int count)
{
    for (int i = 0; i < count; i += CREATES)
        create_some(zk, directory, first + i, count - i < CREATES ? count - i : CREATES);
}

/* ---- requests --------------------------------------------------------------------------------- */

static int next_value(flight *f)
{
    return snprintf(f->value, sizeof f->value, "%llu", (unsigned long long)f->done);
}

static int start_set(flight *f, const char *path, stat_completion_t completion)
{
    int length = next_value(f);
    return zoo_aset(f->zk->handle, path, f->value, length, -1, completion, f);
}

static int start_multi(flight *f, void_completion_t completion)
{
    int length = next_value(f);
    for (int k = 0; k < 2; k++)
        zoo_set_op_init(&f->ops[k], f->paths[k], f->value, length, -1, NULL);
    return zoo_amulti(f->zk->handle, 2, f->ops, f->results, completion, f);
}

/* ---- one at a time ---------------------------------------------------------------------------- */

static void set_answered(int code, const struct Stat *stat, const void *data)
{
    (void)stat;
    const flight *f = data;
    must(code, "set");
    sem_post(&f->zk->answered);
}

static void multi_answered(int code, const void *data)
{
    const flight *f = data;
    must(code, "multi");
    sem_post(&f->zk->answered);
}

uint64_t raw_zk_sets(void *payload, double seconds)
{
    raw_zk *zk = payload;
    flight *f = &zk->flights[0];
    uint64_t start = f->done;
    for (double limit = seconds_now() + seconds; seconds_now() < limit; f->done++) {
        must(start_set(f, f->paths[0], set_answered), "set");
        wait_for(zk);
    }
    return f->done - start;
}

void raw_zk_multi(raw_zk *zk)
{
    flight *f = &zk->flights[0];
    must(start_multi(f, multi_answered), "multi");
    wait_for(zk);
    f->done++;
}

uint64_t raw_zk_multis(void *payload, double seconds)
{
    raw_zk *zk = payload;
    uint64_t start = zk->flights[0].done;
    for (double limit = seconds_now() + seconds; seconds_now() < limit;) raw_zk_multi(zk);
    return zk->flights[0].done - start;
}

static void created(int code, const char *path, const void *data)
{
    flight *f = (flight *)(uintptr_t)data;
    must(code, "create");
    snprintf(f->created, sizeof f->created, "%s", path);
    sem_post(&f->zk->answered);
}

static void deleted(int code, const void *data)
{
    const flight *f = data;
    must(code, "delete");
    sem_post(&f->zk->answered);
}

uint64_t raw_zk_creates(void *payload, double seconds)
{
    static const char prefix[] = "/bench/lock/w-0123456789abcdef-1-",
                      self[] = "{:host \"h\", :pid 1}";
    raw_zk *zk = payload;
    flight *f = &zk->flights[0];
    uint64_t start = f->done;
    create(zk, "/bench/lock");
    for (double limit = seconds_now() + seconds; seconds_now() < limit; f->done++) {
        must(zoo_acreate(zk->handle, prefix, self, sizeof self - 1, &ZOO_OPEN_ACL_UNSAFE,
                         ZOO_EPHEMERAL | ZOO_SEQUENCE, created, f),
             "create");
        wait_for(zk);
        must(zoo_adelete(zk->handle, f->created, -1, deleted, f), "delete");
        wait_for(zk);
    }
    return f->done - start;
}

/* ---- many in flight --------------------------------------------------------------------------- */

static void launch(flight *f);

static void landed(int code, const void *data)
{
    flight *f = (flight *)(uintptr_t)data;
    must(code, "request");
    f->done++;
    if (seconds_now() < f->zk->deadline) launch(f);
    else if (atomic_fetch_sub(&f->zk->flying, 1) == 1) sem_post(&f->zk->answered);
}

static void set_landed(int code, const struct Stat *stat, const void *data)
{
    (void)stat;
    landed(code, data);
}

static void launch(flight *f)
{
    must(f->zk->multis ? start_multi(f, landed)
                       : start_set(f, f->zk->flights[0].paths[0], set_landed),
         "request");
}

static uint64_t all_done(const raw_zk *zk)
{
    uint64_t sum = 0;
    for (int i = 0; i < RAW_IN_FLIGHT; i++) sum += zk->flights[i].done;
    return sum;
}

static uint64_t keep_flying(raw_zk *zk, bool multis, double seconds)
{
    uint64_t start = all_done(zk);
    zk->multis = multis;
    zk->deadline = seconds_now() + seconds;
    atomic_store(&zk->flying, RAW_IN_FLIGHT);
    for (int i = 0; i < RAW_IN_FLIGHT; i++) launch(&zk->flights[i]);
    wait_for(zk);
    return all_done(zk) - start;
}

uint64_t raw_zk_sets_in_flight(void *payload, double seconds)
{
    return keep_flying(payload, false, seconds);
}

uint64_t raw_zk_multis_in_flight(void *payload, double seconds)
{
    return keep_flying(payload, true, seconds);
}
