/* Locks: taken and given back by one thread, beside a raw node created and deleted; and handed from
 * process to process, how often a second, and whether each gets its share. */
#include "rows.h"

#include <math.h>

#include "crew.h"
#include "raw_lmdb.h"
#include "raw_zk.h"
#include "report.h"
#include "world.h"

static uint64_t lockings(void *payload, double seconds)
{
    uint64_t count = 0;
    for (double limit = seconds_now() + seconds; seconds_now() < limit; count++) {
        need(avout_lock_acquire(NULL, payload, NULL), "acquire");
        need(avout_lock_release(payload), "release");
    }
    return count;
}

/* ---- uncontended ---------------------------------------------------------------------------------- */

void row_lock(bench *b)
{
    avout_client *client = bench_zk_client(b);
    avout_lock *lock;
    need(avout_lock_open(&lock, client, "/lock"), "/lock");
    raw_zk *raw = raw_zk_open(server_address(b->server));
    comparison c = compare((side){raw_zk_creates, raw}, (side){lockings, lock}, b->seconds,
                           server_pid(b->server));
    report_latency("lock", "zk: acquire + release / raw create + delete", &c, 1.25);
    raw_zk_close(raw);
    avout_lock_close(lock);
    avout_close(client);
}

void row_embedded_lock(bench *b)
{
    char path[600];
    avout_client *client = bench_embedded_client("lock");
    avout_lock *lock;
    need(avout_lock_open(&lock, client, "/lock"), "/lock");
    snprintf(path, sizeof path, "%s/raw-lock", world_directory());
    raw_lmdb *raw = raw_lmdb_open(path);
    comparison c = compare((side){raw_lmdb_creates, raw}, (side){lockings, lock}, b->seconds, 0);
    report(&(result){.row = "embedded-lock",
                     .what = "lmdb: acquire + release / raw put, delete commits",
                     .unit = "ms",
                     .raw = 1e3 / c.raw,
                     .ours = 1e3 / c.ours,
                     .ratio = 1 / c.ratio,
                     .bound = NO_GOAL,
                     .costs = &c});
    raw_lmdb_close(raw);
    avout_lock_close(lock);
    avout_close(client);
}

/* ---- contended ------------------------------------------------------------------------------------ */

int locker_main(int count, char **arguments)
{
    if (count != 3) fail("a worker wants a URL, a name and a number of threads");
    avout_client *client;
    avout_lock *lock;
    need(avout_connect(arguments[0], NULL, &client), arguments[0]);
    need(avout_lock_open(&lock, client, arguments[1]), arguments[1]);
    crew_serve((side){lockings, lock});
    avout_lock_close(lock);
    avout_close(client);
    return 0;
}

/* One thread each: what is handed on is handed to another process. */
static void contend(bench *b, const char *row, const char *kind, const char *url, int count)
{
    crew lockers;
    char what[2][80], name[32];
    snprintf(name, sizeof name, "/contended/%d", count);
    crew_start(&lockers, count, b, "--locker", url, name, 1);
    crew_run(&lockers, b->seconds / 5);
    for (int i = 0; i < count; i++) lockers.done[i] = 0;
    double start = seconds_now();
    uint64_t done = crew_run(&lockers, b->seconds);
    double rate = (double)done / (seconds_now() - start);
    snprintf(what[0], sizeof what[0], "%s: hand-overs among %d processes", kind, count);
    report(&(result){.row = row,
                     .what = what[0],
                     .unit = "/s",
                     .raw = NAN,
                     .ours = rate,
                     .ratio = NAN,
                     .bound = NO_GOAL});
    snprintf(what[1], sizeof what[1], "%s: slowest of the %d / mean", kind, count);
    report(&(result){.row = row,
                     .what = what[1],
                     .unit = "",
                     .raw = NAN,
                     .ours = NAN,
                     .ratio = crew_slowest_share(&lockers),
                     .bound = AT_LEAST,
                     .goal = 0.5});
    crew_end(&lockers);
}

static const int crews[] = {2, 8, 32};
enum { CREWS = sizeof crews / sizeof *crews };

void row_hand_overs(bench *b)
{
    char url[700];
    bench_server(b);
    bench_zk_url(b, url, sizeof url);
    for (int i = 0; i < CREWS; i++) contend(b, "lock-hand-overs", "zk", url, crews[i]);
}

void row_embedded_hand_overs(bench *b)
{
    char url[700];
    bench_embedded_url("hand-overs", url, sizeof url);
    for (int i = 0; i < CREWS; i++) contend(b, "embedded-hand-overs", "lmdb", url, crews[i]);
}
