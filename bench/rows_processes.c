/* Several processes that want to change one ref: what they get done together, and whether each gets
 * its share. The processes are this program again, as workers that swap for as long as a line on
 * their standard input says and answer with a line.
 *
 * The one process beside which the eight are measured has as many threads as each of them. Both have
 * a ref of their own, so that the idle ones do not read after the busy ones. */
#include "rows.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "report.h"
#include "world.h"

enum { PROCESSES = 8, WORKER_THREADS = 8 };

/* ---- a worker ----------------------------------------------------------------------------------- */

int worker_main(int count, char **arguments)
{
    if (count != 3) fail("a worker wants a URL, a name and a number of threads");
    avout_client *client;
    avout_atom *atom;
    char line[64];
    int threads = (int)strtol(arguments[2], NULL, 10);
    need(avout_connect(arguments[0], NULL, &client), arguments[0]);
    need(avout_atom_open(&atom, client, arguments[1]), arguments[1]);
    printf("ready\n");
    fflush(stdout);
    while (fgets(line, sizeof line, stdin)) {
        uint64_t swapped = in_threads(threads, swaps, atom, 0, strtod(line, NULL));
        printf("%llu\n", (unsigned long long)swapped);
        fflush(stdout);
    }
    avout_atom_close(atom);
    avout_close(client);
    return 0;
}

/* ---- who starts them ---------------------------------------------------------------------------- */

typedef struct crew {
    int count;
    child members[PROCESSES];
    uint64_t done[PROCESSES];
} crew;

static void crew_start(crew *c, int count, bench *b, const char *url, const char *name)
{
    char url_copy[700], name_copy[64], threads[16], worker[] = "--worker";
    snprintf(url_copy, sizeof url_copy, "%s", url);
    snprintf(name_copy, sizeof name_copy, "%s", name);
    snprintf(threads, sizeof threads, "%d", WORKER_THREADS);
    char *arguments[] = {b->program, worker, url_copy, name_copy, threads, NULL};
    *c = (crew){.count = count};
    for (int i = 0; i < count; i++) c->members[i] = child_start(arguments, NULL);
    char line[64];
    for (int i = 0; i < count; i++) child_hear(&c->members[i], line, sizeof line);
}

static void crew_end(crew *c)
{
    for (int i = 0; i < c->count; i++) child_end(&c->members[i]);
}

static uint64_t crew_swaps(void *payload, double seconds)
{
    crew *c = payload;
    char line[64];
    uint64_t sum = 0;
    snprintf(line, sizeof line, "%.6f", seconds);
    for (int i = 0; i < c->count; i++) child_tell(&c->members[i], line);
    for (int i = 0; i < c->count; i++) {
        child_hear(&c->members[i], line, sizeof line);
        uint64_t done = strtoull(line, NULL, 10);
        c->done[i] += done;
        sum += done;
    }
    return sum;
}

static double slowest_share(const crew *c)
{
    double sum = 0, least = INFINITY;
    for (int i = 0; i < c->count; i++) {
        sum += (double)c->done[i];
        least = fmin(least, (double)c->done[i]);
    }
    return least / (sum / c->count);
}

static void compare_crews(bench *b, const char *row, const char *kind, const char *url, pid_t pid)
{
    avout_client *client;
    avout_atom *atoms[2];
    crew one, eight;
    char what[2][80];
    need(avout_connect(url, NULL, &client), url);
    need(avout_atom_create(&atoms[0], client, "/one", avout_int(0), NULL), "/one");
    need(avout_atom_create(&atoms[1], client, "/eight", avout_int(0), NULL), "/eight");
    crew_start(&one, 1, b, url, "/one");
    crew_start(&eight, PROCESSES, b, url, "/eight");
    /* Longer slices than elsewhere: processes take turns of many commits. */
    comparison c =
        compare((side){crew_swaps, &one}, (side){crew_swaps, &eight}, 2 * b->seconds, pid);
    snprintf(what[0], sizeof what[0], "%s: 8 processes x 8 threads / 1 x 8, 1 ref", kind);
    c.raw_cpu_us = c.ours_cpu_us = NAN;
    report_rate(row, what[0], &c, 0.5);
    double share = slowest_share(&eight);
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
