/* Threads and clients that change two refs whose sum is constant: opacity (I4), atomicity (I2), no
 * lost update (I3). */
#include <pthread.h>
#include <stdlib.h>

#include "support/suite.h"

enum { THREADS = 8, TIMES = 150, SUM = 100 };

typedef struct pair {
    avout_client *client;
    avout_ref *x, *y;
    int64_t seen_x, seen_y;
} pair;

static avout_status move_one(avout_txn *txn, void *payload)
{
    pair *both = payload;
    avout_status status = avout_alter(txn, both->x, suite_plus, &suite_minus_one);
    if (!status) status = avout_alter(txn, both->y, suite_plus, &suite_one);
    return status;
}

static avout_status look_at_both(avout_txn *txn, void *payload)
{
    pair *both = payload;
    avout_status status = suite_txn_int(&both->seen_x, txn, both->x);
    if (!status) status = suite_txn_int(&both->seen_y, txn, both->y);
    /* I4, in runs that are thrown away as well */
    if (!status) CHECK_INT(SUM, both->seen_x + both->seen_y);
    return status;
}

static void pair_open(pair *both, avout_client *client)
{
    both->client = client;
    CHECK_OK(avout_ref_create(&both->x, client, "/pair/x", avout_int(SUM), NULL));
    CHECK_OK(avout_ref_create(&both->y, client, "/pair/y", avout_int(0), NULL));
}

static void pair_close(pair *both)
{
    avout_ref_close(both->x);
    avout_ref_close(both->y);
}

static void *move_many(void *payload)
{
    pair both;
    pair_open(&both, payload);
    avout_call_options snapshot = {.isolation = AVOUT_SNAPSHOT, .timeout_ms = 60000};
    avout_call_options patient = {.timeout_ms = 60000};
    for (int i = 0; i < TIMES; i++) {
        CHECK_OK(avout_dosync(both.client, move_one, &both, i % 3 ? &patient : &snapshot));
        CHECK_OK(avout_dosync(both.client, look_at_both, &both, i % 2 ? NULL : &snapshot));
        avout_value values[2];
        CHECK_OK(avout_refs_deref(values, (avout_ref *[]){both.x, both.y}, 2));
        int64_t x, y;
        CHECK_OK(avout_value_to_int(&x, values[0]));
        CHECK_OK(avout_value_to_int(&y, values[1]));
        CHECK_INT(SUM, x + y);
    }
    pair_close(&both);
    return NULL;
}

static void hammer(int client_count)
{
    avout_client *clients[THREADS] = {NULL};
    for (int i = 0; i < client_count; i++) clients[i] = suite_connect();
    pair both;
    pair_open(&both, clients[0]);
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        CHECK(!pthread_create(&threads[i], NULL, move_many, clients[i % client_count]));
    for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
    CHECK_OK(avout_dosync(clients[0], look_at_both, &both, &(avout_call_options){.strict = true}));
    CHECK_INT(SUM - THREADS * TIMES, both.seen_x);
    pair_close(&both);
    for (int i = 0; i < client_count; i++) {
        avout_statistics did;
        avout_client_statistics(clients[i], &did);
        fprintf(stderr,
                "# commits %" PRIu64 " retries %" PRIu64 " multis %" PRIu64 " refused %" PRIu64
                " fetches %" PRIu64 "\n",
                did.commits, did.retries, did.multis, did.refused, did.fetches);
        suite_close(clients[i]);
    }
    suite_check_memory();
}

TEST(threads_of_one_client)
{
    hammer(1);
}

TEST(two_clients)
{
    hammer(2);
}

TEST(eight_clients)
{
    hammer(8);
}
