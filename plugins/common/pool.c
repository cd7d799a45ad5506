/* Invariants: `taken` places, at most `most`, belong to calls that use a connection or make one. `idle`
 * connections wait in the order in which they were given back, the last on top. Who has a place makes a
 * connection only when none is idle: so there are never more than `most`. */
#include "common/pool.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "common/deadline.h"
#include "common/words.h"

/* An attempt to connect takes no longer than CONNECT_MS, so that others follow. Firewalls forget
 * connections that are idle for long, without telling anybody. */
enum { CONNECT_MS = 5000, IDLE_MS = 60000, PAUSE_MS = 10, PAUSE_MOST_MS = 200 };

typedef struct idle {
    void *connection;
    int64_t since_ms;
} idle;

struct avout__plugin_pool {
    const avout__plugin_driver *driver;
    void *server;
    int64_t wait_ms;
    pthread_mutex_t lock;
    pthread_cond_t given; /* a connection or its place */
    size_t most, taken, idle_count;
    idle idle[];
};

avout_status avout__plugin_pool_new(avout__plugin_pool **pool, const avout__plugin_driver *driver,
                                    void *server, size_t most, int64_t wait_ms)
{
    avout__plugin_pool *made = calloc(1, sizeof *made + most * sizeof *made->idle);
    if (!made) {
        driver->free_server(server);
        return avout__plugin_no_memory();
    }
    made->driver = driver;
    made->server = server;
    made->wait_ms = wait_ms;
    made->most = most;
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&made->lock, NULL);
    pthread_cond_init(&made->given, &monotonic);
    pthread_condattr_destroy(&monotonic);
    *pool = made;
    return AVOUT_OK;
}

void avout__plugin_pool_free(avout__plugin_pool *pool)
{
    while (pool->idle_count) pool->driver->close(pool->idle[--pool->idle_count].connection);
    pool->driver->free_server(pool->server);
    pthread_cond_destroy(&pool->given);
    pthread_mutex_destroy(&pool->lock);
    free(pool);
}

void *avout__plugin_pool_server(const avout__plugin_pool *pool)
{
    return pool->server;
}

/* Called with the lock; false: the deadline has passed. */
static bool wait_for_place(avout__plugin_pool *pool, int64_t deadline_ms)
{
    int error = 0;
    const struct timespec until = {deadline_ms / 1000, deadline_ms % 1000 * 1000000};
    while (pool->taken == pool->most && !error)
        error = deadline_ms == INT64_MAX
                    ? pthread_cond_wait(&pool->given, &pool->lock)
                    : pthread_cond_timedwait(&pool->given, &pool->lock, &until);
    return pool->taken < pool->most;
}

static void give_place(avout__plugin_pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    pool->taken--;
    pthread_cond_signal(&pool->given);
    pthread_mutex_unlock(&pool->lock);
}

/* NULL: there is none that was used lately. Closes the others. */
static void *take_idle(avout__plugin_pool *pool)
{
    int64_t now_ms = avout__plugin_now_ms();
    for (;;) {
        pthread_mutex_lock(&pool->lock);
        idle found = {NULL, 0};
        if (pool->idle_count) found = pool->idle[--pool->idle_count];
        pthread_mutex_unlock(&pool->lock);
        if (!found.connection || now_ms - found.since_ms < IDLE_MS) return found.connection;
        pool->driver->close(found.connection);
    }
}

static void close_idle(avout__plugin_pool *pool)
{
    for (;;) {
        pthread_mutex_lock(&pool->lock);
        void *connection = pool->idle_count ? pool->idle[--pool->idle_count].connection : NULL;
        pthread_mutex_unlock(&pool->lock);
        if (!connection) return;
        pool->driver->close(connection);
    }
}

static void give(avout__plugin_pool *pool, void *connection)
{
    if (!pool->driver->is_usable(connection)) {
        pool->driver->close(connection);
        give_place(pool);
        return;
    }
    pthread_mutex_lock(&pool->lock);
    pool->idle[pool->idle_count++] = (idle){connection, avout__plugin_now_ms()};
    pool->taken--;
    pthread_cond_signal(&pool->given);
    pthread_mutex_unlock(&pool->lock);
}

static avout_status take(void **connection, bool *used, avout__plugin_pool *pool,
                         int64_t deadline_ms)
{
    pthread_mutex_lock(&pool->lock);
    bool has_place = wait_for_place(pool, deadline_ms);
    if (has_place) pool->taken++;
    pthread_mutex_unlock(&pool->lock);
    if (!has_place) return avout_fail(AVOUT_ETIMEOUT, "all connections of the pool are in use");
    *connection = take_idle(pool);
    *used = *connection != NULL;
    if (*used) return AVOUT_OK;
    int64_t until_ms = avout__plugin_deadline(CONNECT_MS);
    bool ours = until_ms < deadline_ms;
    avout_status status =
        pool->driver->connect(connection, pool->server, ours ? until_ms : deadline_ms);
    if (status) give_place(pool);
    return status == AVOUT_ETIMEOUT && ours ? AVOUT_ECONNECTION : status;
}

avout_status avout__plugin_pool_call(avout__plugin_pool *pool, avout__plugin_step *step)
{
    int64_t given_up = avout__plugin_deadline(pool->wait_ms);
    if (given_up > step->deadline_ms) given_up = step->deadline_ms;
    for (int64_t pause_ms = PAUSE_MS;;) {
        void *connection;
        bool used = false;
        avout_status status = take(&connection, &used, pool, step->deadline_ms);
        if (!status) {
            status = step->run(step, connection);
            give(pool, connection);
        }
        if (status != AVOUT_ECONNECTION) return status;
        close_idle(pool); /* a server that was started again has left none of them */
        if (!used) {
            avout__plugin_pause(pause_ms, given_up);
            pause_ms = pause_ms < PAUSE_MOST_MS ? pause_ms * 2 : PAUSE_MOST_MS;
        }
        if (avout__plugin_passed(given_up)) return status;
    }
}
