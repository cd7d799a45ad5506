/* Transactions over the store, Redis and HTTP at once, from several threads, while the servers are killed, stopped and
 * started again in the middle of it: each either happened or was refused with a message that names a container
 * that is away; who does not touch them is never held up; nobody sees half of one (I2, I3, I12).
 * Test-tags: threads */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "avout/http.h"
#include "avout/redis.h"
#include "avout/sys/container.h"
#include "support/redis.h"
#include "support/suite.h"
#include "support/value.h"
#include "support/webdav.h"

enum { WRITERS = 3, OUTAGES = 8, SOON_MS = 300 };

__attribute__((constructor)) static void use(void)
{
    suite_use(suite_mem_url);
}

typedef struct world {
    avout_client *client;
    avout_ref *refs[3]; /* in the store, in Redis, on the web server */
    avout_ref *near;
    _Atomic bool over;
    _Atomic int64_t done, refused, unknown, near_done, looks, changes;
    _Atomic int64_t near_slowest_ms;
} world;

static const avout_call_options soon = {.timeout_ms = SOON_MS};
/* That those who are near get on while a server is away is counted, not timed. */
static const avout_call_options patient = {.timeout_ms = 20000};

static avout_status bump_all(avout_txn *txn, void *payload)
{
    world *w = payload;
    avout_status status = AVOUT_OK;
    for (int i = 0; !status && i < 3; i++)
        status = avout_alter(txn, w->refs[i], suite_plus, &suite_one);
    return status;
}

static void check_refusal(avout_status status)
{
    const char *detail = avout_error_detail();
    if (status != AVOUT_ECONNECTION && status != AVOUT_ETIMEOUT)
        test_failed(__FILE__, __LINE__, "%s: %s", avout_status_name(status), detail);
    /* All had been written there at the very end, or when others were faster. */
    if (status == AVOUT_ETIMEOUT && strstr(detail, "the deadline; nothing was changed")) return;
    CHECK_CONTAINS(": container ", detail);
    CHECK_CONTAINS("127.0.0.1:", detail);
}

static void *write_all(void *payload)
{
    world *w = payload;
    while (!atomic_load(&w->over)) {
        avout_status status = avout_dosync(w->client, bump_all, w, &soon);
        if (status && status != AVOUT_UNKNOWN) check_refusal(status);
        atomic_fetch_add(status == AVOUT_UNKNOWN ? &w->unknown
                         : status                ? &w->refused
                                                 : &w->done,
                         1);
    }
    return NULL;
}

static avout_status bump_near(avout_txn *txn, void *payload)
{
    return avout_alter(txn, ((world *)payload)->near, suite_plus, &suite_one);
}

static void *write_near(void *payload)
{
    world *w = payload;
    while (!atomic_load(&w->over)) {
        double start = test_seconds();
        CHECK_OK(avout_dosync(w->client, bump_near, w, &patient));
        int64_t took_ms = (int64_t)((test_seconds() - start) * 1000);
        if (took_ms > atomic_load(&w->near_slowest_ms)) atomic_store(&w->near_slowest_ms, took_ms);
        atomic_fetch_add(&w->near_done, 1);
        test_pause_ms(1);
    }
    return NULL;
}

/* A value that is not at hand may be away. */
static void *look(void *payload)
{
    world *w = payload;
    for (int64_t before = 0; !atomic_load(&w->over); test_pause_ms(2)) {
        avout_value values[3];
        avout_status status = avout_refs_deref(values, w->refs, 3);
        if (status) {
            check_refusal(status);
            continue;
        }
        int64_t plain = test_take_int(values[0]);
        CHECK_INT(plain, test_take_int(values[1]));
        CHECK_INT(plain, test_take_int(values[2]));
        CHECK(plain >= before);
        atomic_fetch_add(&w->changes, plain != before);
        before = plain;
        atomic_fetch_add(&w->looks, 1);
    }
    return NULL;
}

static void open_far(avout_ref **ref, world *w, const char *name,
                     avout_status (*open)(avout_versioned_container **, const char *),
                     const char *place)
{
    avout_versioned_container *c;
    CHECK_OK(open(&c, place));
    CHECK_OK(avout_distributed_ref(ref, w->client, name, c, avout_int(0), NULL));
}

static void wait_for_more(const _Atomic int64_t *counter, int64_t more)
{
    int64_t until = atomic_load(counter) + more;
    for (int i = 0; atomic_load(counter) < until; i++) {
        CHECK(i < 2000);
        test_pause_ms(5);
    }
}

/* Away until somebody has met it. */
static void be_away(world *w, test_server *server, bool killed)
{
    test_pause_ms(rand() % 20);
    if (killed) test_server_kill(server);
    else test_server_pause(server);
    wait_for_more(&w->refused, 2);
    wait_for_more(&w->near_done, 20);
    if (killed) test_server_restart(server), test_server_wait(server);
    else test_server_resume(server);
    wait_for_more(&w->done, 5);
}

static void end(world *w, pthread_t *threads, int count)
{
    atomic_store(&w->over, true);
    for (int i = 0; i < count; i++) pthread_join(threads[i], NULL);
    fprintf(stderr,
            "# %" PRId64 " done, %" PRId64 " refused, %" PRId64 " unknown, %" PRId64
            " near (slowest %" PRId64 " ms), %" PRId64 " looks, %" PRId64 " changes\n",
            atomic_load(&w->done), atomic_load(&w->refused), atomic_load(&w->unknown),
            atomic_load(&w->near_done), atomic_load(&w->near_slowest_ms), atomic_load(&w->looks),
            atomic_load(&w->changes));
    CHECK(atomic_load(&w->changes) > OUTAGES);
    int64_t moved = suite_ref_int(w->refs[0]);
    for (int i = 1; i < 3; i++) CHECK_INT(moved, suite_ref_int(w->refs[i]));
    CHECK(moved >= atomic_load(&w->done));
    CHECK(moved <= atomic_load(&w->done) + atomic_load(&w->unknown));
    CHECK_INT(atomic_load(&w->near_done), suite_ref_int(w->near));
}

TEST_WITHIN(servers_that_die_or_stand_still_in_the_middle_of_transactions, 90)
{
    char place[TEST_PLACE];
    test_server *servers[2] = {test_redis_start(), test_webdav_start()};
    world w = {.client = suite_connect()};
    pthread_t threads[WRITERS + 2];
    CHECK_OK(avout_ref_create(&w.near, w.client, "/near", avout_int(0), NULL));
    CHECK_OK(avout_ref_create(&w.refs[0], w.client, "/plain", avout_int(0), NULL));
    open_far(&w.refs[1], &w, "/redis", avout_redis_container,
             test_redis_place(servers[0], "away:"));
    open_far(&w.refs[2], &w, "/http", avout_http_container,
             test_webdav_place(place, servers[1], "dav/away"));
    for (int i = 0; i < WRITERS; i++) CHECK(!pthread_create(&threads[i], NULL, write_all, &w));
    CHECK(!pthread_create(&threads[WRITERS], NULL, write_near, &w));
    CHECK(!pthread_create(&threads[WRITERS + 1], NULL, look, &w));
    wait_for_more(&w.done, 5);
    for (int i = 0; i < OUTAGES; i++) be_away(&w, servers[i % 2], i / 2 % 2);
    end(&w, threads, WRITERS + 2);
    for (int i = 0; i < 3; i++) avout_ref_close(w.refs[i]);
    avout_ref_close(w.near);
    suite_close(w.client);
}
