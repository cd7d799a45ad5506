/* Rows on the embedded store. Both sides sync every commit to the same disk. */
#include "rows.h"

#include "raw_lmdb.h"
#include "report.h"
#include "world.h"

typedef struct sides {
    raw_lmdb *raw;
    avout_client *client;
    avout_atom *atom;
} sides;

static void open_both(sides *s, const char *name)
{
    char path[600];
    snprintf(path, sizeof path, "%s/raw-%s", world_directory(), name);
    s->raw = raw_lmdb_open(path);
    s->client = bench_embedded_client(name);
    need(avout_atom_create(&s->atom, s->client, "/counter", avout_int(0), NULL), "/counter");
}

static void close_both(sides *s)
{
    raw_lmdb_close(s->raw);
    avout_atom_close(s->atom);
    avout_close(s->client);
}

void row_embedded_swap(bench *b)
{
    sides s;
    open_both(&s, "embedded-swap");
    comparison c = compare((side){raw_lmdb_commits, s.raw}, (side){swaps, s.atom}, b->seconds, 0);
    report_latency("embedded-swap", "lmdb: durable swap, 1 thread / raw get+put commit", &c, 1.25);
    close_both(&s);
}

void row_embedded_one_ref(bench *b)
{
    sides s;
    open_both(&s, "embedded-threads");
    comparison c =
        compare((side){raw_lmdb_commits, s.raw}, (side){swaps_in_threads, s.atom}, b->seconds, 0);
    report_rate("embedded-threads", "lmdb: 64 threads, 1 ref / raw, one at a time", &c, 20);
    close_both(&s);
}
