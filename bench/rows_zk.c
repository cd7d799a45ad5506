/* Rows on ZooKeeper. Both sides talk to the same server from this process. */
#include "rows.h"

#include <math.h>
#include <string.h>

#include "raw_zk.h"
#include "report.h"
#include "world.h"

uint64_t swaps(void *payload, double seconds)
{
    uint64_t count = 0;
    for (double limit = seconds_now() + seconds; seconds_now() < limit; count++)
        need(avout_swap(payload, avout_inc_fn, NULL, NULL, NULL, NULL), "swap");
    return count;
}

uint64_t swaps_in_threads(void *payload, double seconds)
{
    return in_threads(MANY_THREADS, swaps, payload, 0, seconds);
}

static avout_atom *counter(avout_client *client, const char *name)
{
    avout_atom *atom;
    need(avout_atom_create(&atom, client, name, avout_int(0), NULL), name);
    return atom;
}

void row_swap(bench *b)
{
    avout_client *client = bench_zk_client(b);
    avout_atom *atom = counter(client, "/swap");
    raw_zk *raw = raw_zk_open(server_address(b->server));
    comparison c =
        compare((side){raw_zk_sets, raw}, (side){swaps, atom}, b->seconds, server_pid(b->server));
    report_latency("swap", "zk: swap, 1 thread / raw set", &c, 1.25);
    raw_zk_close(raw);
    avout_atom_close(atom);
    avout_close(client);
}

/* ---- transactions over two refs ----------------------------------------------------------------- */

typedef struct two {
    avout_client *client;
    avout_ref *refs[2];
} two;

static void two_open(two *t, avout_client *client)
{
    t->client = client;
    need(avout_ref_create(&t->refs[0], client, "/two/a", avout_int(0), NULL), "/two/a");
    need(avout_ref_create(&t->refs[1], client, "/two/b", avout_int(0), NULL), "/two/b");
}

static void two_close(two *t)
{
    avout_ref_close(t->refs[0]);
    avout_ref_close(t->refs[1]);
    avout_close(t->client);
}

static avout_status alter_both(avout_txn *txn, void *payload)
{
    two *t = payload;
    avout_status status = avout_alter(txn, t->refs[0], avout_inc_fn, NULL);
    if (!status) status = avout_alter(txn, t->refs[1], avout_inc_fn, NULL);
    return status;
}

static uint64_t dosyncs(void *payload, double seconds)
{
    two *t = payload;
    uint64_t count = 0;
    for (double limit = seconds_now() + seconds; seconds_now() < limit; count++)
        need(avout_dosync(t->client, alter_both, t, NULL), "dosync");
    return count;
}

void row_dosync(bench *b)
{
    two t;
    two_open(&t, bench_zk_client(b));
    raw_zk *raw = raw_zk_open(server_address(b->server));
    comparison c =
        compare((side){raw_zk_multis, raw}, (side){dosyncs, &t}, b->seconds, server_pid(b->server));
    report_latency("dosync", "zk: dosync over 2 refs, 1 thread / raw multi", &c, 1.25);
    raw_zk_close(raw);
    two_close(&t);
}

/* What the server itself counts. Pings and our questions are in it too, so a few hundred
 * transactions are averaged. */
void row_requests(bench *b)
{
    enum { TRANSACTIONS = 500 };
    two t;
    two_open(&t, bench_zk_client(b));
    need(avout_dosync(t.client, alter_both, &t, NULL), "dosync");
    double before = server_count(b->server, "zk_packets_received");
    unsigned long long zxid = server_zxid(b->server);
    for (int i = 0; i < TRANSACTIONS; i++)
        need(avout_dosync(t.client, alter_both, &t, NULL), "dosync");
    double writes = (double)(server_zxid(b->server) - zxid) / TRANSACTIONS;
    double requests = (server_count(b->server, "zk_packets_received") - before) / TRANSACTIONS;
    /* Rounded: a ping or two are not of the transactions. */
    requests = round(requests * 20) / 20;
    report(&(result){.row = "requests",
                     .what = "zk: requests of a dosync over 2 refs / original",
                     .unit = "",
                     .raw = 40,
                     .ours = requests,
                     .absolute = true,
                     .ratio = requests / 40,
                     .bound = AT_MOST,
                     .goal = 3});
    report_note("requests: %.2f writes a transaction by the server's count (the original: 11)",
                writes);
    two_close(&t);
}

/* ---- many threads ------------------------------------------------------------------------------- */

void row_one_ref(bench *b)
{
    avout_client *client = bench_zk_client(b);
    avout_atom *atom = counter(client, "/one");
    raw_zk *raw = raw_zk_open(server_address(b->server));
    comparison c = compare((side){raw_zk_sets_in_flight, raw}, (side){swaps_in_threads, atom},
                           b->seconds, server_pid(b->server));
    report_rate("threads-one-ref", "zk: 64 threads, 1 ref / 64 raw sets in flight", &c, 5);
    raw_zk_close(raw);
    avout_atom_close(atom);
    avout_close(client);
}

static uint64_t swap_own(void *payload, double seconds)
{
    return swaps(*(avout_atom **)payload, seconds);
}

static uint64_t swaps_of_own(void *payload, double seconds)
{
    return in_threads(MANY_THREADS, swap_own, payload, sizeof(avout_atom *), seconds);
}

void row_many_refs(bench *b)
{
    avout_client *client = bench_zk_client(b);
    avout_atom *atoms[MANY_THREADS];
    char name[32];
    for (int i = 0; i < MANY_THREADS; i++) {
        snprintf(name, sizeof name, "/many/%d", i);
        atoms[i] = counter(client, name);
    }
    raw_zk *raw = raw_zk_open(server_address(b->server));
    comparison c = compare((side){raw_zk_multis_in_flight, raw}, (side){swaps_of_own, atoms},
                           b->seconds, server_pid(b->server));
    report_rate("threads-64-refs", "zk: 64 threads, 64 refs / 64 multis in flight", &c, 1);
    raw_zk_close(raw);
    for (int i = 0; i < MANY_THREADS; i++) avout_atom_close(atoms[i]);
    avout_close(client);
}
