/* Many open refs: the time to open them, the memory each takes, that a read of one is as fast as
 * beside few, and that a lost connection comes back. */
#include "rows.h"

#include <malloc.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "fsync.h"
#include "raw_zk.h"
#include "report.h"
#include "world.h"

enum { REFS = 100000, OPENERS = 32, RECONNECT_SECONDS = 30 };

typedef struct crowd {
    avout_client *client;
    avout_ref **refs;
    bool create;
    _Atomic size_t next; /* the first nobody has taken on */
} crowd;

static avout_status open_one(crowd *c, size_t i)
{
    char name[32];
    snprintf(name, sizeof name, "/open/r%05zu", i);
    return c->create ? avout_ref_create(&c->refs[i], c->client, name, avout_int((int64_t)i), NULL)
                     : avout_ref_open(&c->refs[i], c->client, name);
}

static uint64_t open_some(void *payload, double seconds)
{
    (void)seconds;
    crowd *c = payload;
    for (size_t i; (i = atomic_fetch_add(&c->next, 1)) < REFS;) need(open_one(c, i), "open");
    return 0;
}

/* Answers how long it took. */
static double open_all(crowd *c, avout_client *client, bool create, int threads)
{
    c->client = client;
    c->create = create;
    atomic_store(&c->next, 0);
    double start = seconds_now();
    in_threads(threads, open_some, c, 0, 0);
    return seconds_now() - start;
}

static void close_all(crowd *c)
{
    for (size_t i = 0; i < REFS; i++) avout_ref_close(c->refs[i]);
    avout_close(c->client);
}

static double heap_bytes(void)
{
    struct mallinfo2 info = mallinfo2();
    return (double)info.uordblks + (double)info.hblkhd;
}

static void report_absolute(const char *row, const char *what, const char *unit, double ours,
                            double goal)
{
    report(&(result){.row = row,
                     .what = what,
                     .unit = unit,
                     .raw = NAN,
                     .ours = ours,
                     .absolute = true,
                     .ratio = NAN,
                     .bound = AT_MOST,
                     .goal = goal});
}

/* `few`: another client on the same store. Leaves the crowd open. */
static void measure_crowd(bench *b, const char *row, crowd *c, avout_client *few,
                          avout_client *many)
{
    avout_ref *alone;
    double before = heap_bytes();
    double took = open_all(c, many, false, OPENERS);
    double bytes = (heap_bytes() - before) / REFS;
    avout_statistics counts;
    avout_client_statistics(many, &counts);
    report_absolute(row, "open 100 000 refs, 32 threads", "s", took, 10);
    report_absolute(row, "memory an open ref, small value", "bytes", bytes, 512);
    report_note("%s: %llu of the 100 000 are cached", row, (unsigned long long)counts.live);
    need(avout_ref_open(&alone, few, "/open/r00000"), "open");
    comparison pair =
        compare((side){derefs, alone}, (side){derefs, c->refs[REFS - 1]}, b->seconds / 4, 0);
    report_latency(row, "deref beside 100 000 open refs / beside 1", &pair, 1.2);
    avout_ref_close(alone);
}

/* ---- on the embedded store ---------------------------------------------------------------------- */

void row_embedded_open(bench *b)
{
    crowd c = {.refs = need_memory(REFS * sizeof(avout_ref *))};
    avout_client *client = bench_embedded_client("open");
    double took = open_all(&c, client, true, 200);
    report_note("embedded-open: creating them took %.1f s", took);
    close_all(&c);
    avout_client *few = bench_embedded_client("open");
    measure_crowd(b, "embedded-open", &c, few, bench_embedded_client("open"));
    close_all(&c);
    avout_close(few);
    free(c.refs);
}

/* ---- on ZooKeeper ------------------------------------------------------------------------------- */

typedef struct session {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int resumed, lost;
} session;

static void on_event(avout_event event, void *payload)
{
    session *s = payload;
    pthread_mutex_lock(&s->lock);
    s->resumed += event == AVOUT_EVENT_RESUMED || event == AVOUT_EVENT_REESTABLISHED;
    s->lost += event == AVOUT_EVENT_LOST;
    pthread_cond_signal(&s->changed);
    pthread_mutex_unlock(&s->lock);
}

static bool wait_until_resumed(session *s)
{
    struct timespec limit;
    clock_gettime(CLOCK_REALTIME, &limit);
    limit.tv_sec += RECONNECT_SECONDS;
    int code = 0;
    pthread_mutex_lock(&s->lock);
    while (!s->resumed && !code) code = pthread_cond_timedwait(&s->changed, &s->lock, &limit);
    bool resumed = s->resumed > 0;
    pthread_mutex_unlock(&s->lock);
    return resumed;
}

/* From the moment the server serves again until every ref's handle is known to work on: a read of
 * some of them, and a change. */
static void measure_reconnect(bench *b, crowd *c, session *s)
{
    if (!server_pid(b->server)) {
        report_note("open: reconnecting is not measured on a server that is not ours");
        return;
    }
    fsync_note_server(b->server);
    b->restarted = true;
    server_restart(b->server);
    double start = seconds_now();
    bool resumed = wait_until_resumed(s);
    avout_value value;
    for (size_t i = 0; resumed && i < REFS; i += REFS / 100) {
        need(avout_ref_deref(&value, c->refs[i]), "deref after the connection was lost");
        avout_release(value);
    }
    double took = resumed ? seconds_now() - start : INFINITY;
    report_absolute("open", "zk: with them, reconnected after a lost server", "s", took, 10);
    if (s->lost) report_note("open: the session was lost with the connection");
}

/* The refs' nodes, made by libzookeeper in a few large multis: what is measured is to open them. One
 * is created by us, with the directories. */
static void create_on_zk(bench *b, const char *url)
{
    avout_client *client;
    avout_ref *ref;
    char directory[128];
    need(avout_connect(url, NULL, &client), url);
    need(avout_ref_create(&ref, client, "/open/r00000", avout_int(0), NULL), "/open/r00000");
    avout_ref_close(ref);
    avout_close(client);
    const char *root = strrchr(url, '/');
    snprintf(directory, sizeof directory, "%s/avout/cells/open:", root);
    raw_zk *raw = raw_zk_open(server_address(b->server));
    raw_zk_create_many(raw, directory, 1, REFS - 1);
    raw_zk_close(raw);
}

void row_open(bench *b)
{
    char url[700];
    session s = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, 0};
    avout_options options = {
        .session_timeout_ms = 30000, .on_event = on_event, .on_event_payload = &s};
    avout_client *few, *many;
    crowd c = {.refs = need_memory(REFS * sizeof(avout_ref *))};
    bench_server(b);
    bench_zk_url(b, url, sizeof url);
    create_on_zk(b, url);
    need(avout_connect(url, NULL, &few), url);
    need(avout_connect(url, &options, &many), url);
    measure_crowd(b, "open", &c, few, many);
    measure_reconnect(b, &c, &s);
    close_all(&c);
    avout_close(few);
    free(c.refs);
}
