/* Several processes that want to change one ref: what they get done together, and whether each gets
 * its share.
 *
 * The one process beside which the eight are measured has as many threads as each of them. Both have
 * a ref of their own, so that the idle ones do not read after the busy ones. */
#include "rows.h"

#include <math.h>
#include <stdlib.h>

#include "crew.h"
#include "report.h"
#include "world.h"

enum { PROCESSES = 8, WORKER_THREADS = 8 };

/* ---- a worker ----------------------------------------------------------------------------------- */

typedef struct crowd {
    int threads;
    avout_atom *atom;
} crowd;

static uint64_t swap_in_threads(void *payload, double seconds)
{
    const crowd *c = payload;
    return in_threads(c->threads, swaps, c->atom, 0, seconds);
}

int worker_main(int count, char **arguments)
{
    if (count != 3) fail("a worker wants a URL, a name and a number of threads");
    avout_client *client;
    avout_atom *atom;
    need(avout_connect(arguments[0], NULL, &client), arguments[0]);
    need(avout_atom_open(&atom, client, arguments[1]), arguments[1]);
    crowd c = {(int)strtol(arguments[2], NULL, 10), atom};
    crew_serve((side){swap_in_threads, &c});
    avout_atom_close(atom);
    avout_close(client);
    return 0;
}

/* ---- who starts them ---------------------------------------------------------------------------- */

static void compare_crews(bench *b, const char *row, const char *kind, const char *url, pid_t pid)
{
    avout_client *client;
    avout_atom *atoms[2];
    crew one, eight;
    char what[2][80];
    need(avout_connect(url, NULL, &client), url);
    need(avout_atom_create(&atoms[0], client, "/one", avout_int(0), NULL), "/one");
    need(avout_atom_create(&atoms[1], client, "/eight", avout_int(0), NULL), "/eight");
    crew_start(&one, 1, b, "--worker", url, "/one", WORKER_THREADS);
    crew_start(&eight, PROCESSES, b, "--worker", url, "/eight", WORKER_THREADS);
    /* Longer slices than elsewhere: processes take turns of many commits. */
    comparison c = compare((side){crew_run, &one}, (side){crew_run, &eight}, 2 * b->seconds, pid);
    snprintf(what[0], sizeof what[0], "%s: 8 processes x 8 threads / 1 x 8, 1 ref", kind);
    c.raw_cpu_us = c.ours_cpu_us = NAN;
    report_rate(row, what[0], &c, 0.5);
    double share = crew_slowest_share(&eight);
    snprintf(what[1], sizeof what[1], "%s: slowest of the 8 / mean", kind);
    report(&(result){.row = row,
                     .what = what[1],
                     .unit = "",
                     .raw = NAN,
                     .ours = NAN,
                     .ratio = share,
                     .bound = AT_LEAST,
                     .goal = 0.5});
    crew_end(&one);
    crew_end(&eight);
    for (int i = 0; i < 2; i++) avout_atom_close(atoms[i]);
    avout_close(client);
}

void row_processes(bench *b)
{
    char url[700];
    bench_server(b);
    bench_zk_url(b, url, sizeof url);
    compare_crews(b, "processes", "zk", url, server_pid(b->server));
}

void row_embedded_processes(bench *b)
{
    char url[700];
    bench_embedded_url("processes", url, sizeof url);
    compare_crews(b, "embedded-processes", "lmdb", url, 0);
}
