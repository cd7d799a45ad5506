/* What a transaction over a ref in a state container costs beside the same without us: its own system's
 * write, then one multi. */
#include "container.h"

#include <time.h>

#include "raw_zk.h"
#include "report.h"
#include "world.h"

enum { START_SECONDS = 30 };

typedef struct raw_side {
    const container_kind *kind;
    void *raw;
    raw_zk *zk;
} raw_side;

static uint64_t write_and_multi(void *payload, double seconds)
{
    raw_side *it = payload;
    uint64_t count = 0;
    for (double limit = seconds_now() + seconds; seconds_now() < limit; count++) {
        it->kind->raw_write(it->raw);
        raw_zk_multi(it->zk);
    }
    return count;
}

typedef struct our_side {
    avout_client *client;
    avout_ref *ref;
} our_side;

static avout_status alter(avout_txn *txn, void *payload)
{
    return avout_alter(txn, ((our_side *)payload)->ref, avout_inc_fn, NULL);
}

static uint64_t transactions(void *payload, double seconds)
{
    our_side *it = payload;
    uint64_t count = 0;
    for (double limit = seconds_now() + seconds; seconds_now() < limit; count++)
        need(avout_dosync(it->client, alter, it, NULL), "dosync");
    return count;
}

static void compare_kind(bench *b, const container_kind *kind)
{
    char place[700], name[64], what[80];
    const char *missing = kind->start(b, place, sizeof place);
    if (missing) {
        report_note("containers: %s: not measured: %s", kind->name, missing);
        return;
    }
    avout_versioned_container *container;
    our_side ours = {.client = bench_zk_client(b)};
    snprintf(name, sizeof name, "/containers/%s", kind->name);
    need(kind->open(&container, place), place);
    need(avout_distributed_ref(&ours.ref, ours.client, name, container, avout_int(0), NULL), name);
    raw_side raw = {kind, kind->raw_open(place), raw_zk_open(server_address(b->server))};
    comparison c = compare((side){write_and_multi, &raw}, (side){transactions, &ours}, b->seconds,
                           server_pid(b->server));
    snprintf(what, sizeof what, "zk + %s: dosync / raw write, then multi", kind->name);
    report_latency("containers", what, &c, 1.25);
    kind->raw_close(raw.raw);
    raw_zk_close(raw.zk);
    avout_ref_close(ours.ref);
    avout_close(ours.client);
}

void container_await(child *process, const char *address, const char *name)
{
    for (double limit = seconds_now() + START_SECONDS; !server_answers(address);) {
        if (child_has_ended(process) || seconds_now() > limit)
            fail("the %s server does not serve", name);
        nanosleep(&(struct timespec){0, 10000000}, NULL);
    }
}

void row_containers(bench *b)
{
    static const container_kind *const kinds[] = {
        &container_file, &container_mongo, &container_postgres, &container_redis, &container_http};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) compare_kind(b, kinds[i]);
}
