/* No transaction starves (design 6): one that reads many refs comes to its end although many small
 * ones of the same client change them all the time.
 * Test-tags: threads */
#include "history/review_support.h"

enum { REFS = 60, WRITERS = 6 };

typedef struct field {
    avout_client *client;
    avout_ref *ref[REFS];
    _Atomic int stop;
    _Atomic uint64_t written;
    int64_t sum;
    bool writes;
    int runs;
} field;

static avout_status move_between(avout_txn *txn, void *payload)
{
    avout_ref **pair = payload;
    avout_status status = avout_alter(txn, pair[0], suite_plus, &suite_one);
    return status ? status : avout_alter(txn, pair[1], suite_plus, &suite_minus_one);
}

static void *write_on(void *payload)
{
    field *f = payload;
    unsigned seed = (unsigned)atomic_fetch_add(&f->written, 1);
    while (!atomic_load(&f->stop)) {
        avout_ref *pair[2] = {f->ref[rand_r(&seed) % REFS], f->ref[rand_r(&seed) % REFS]};
        CHECK_OK(avout_dosync(f->client, move_between, pair, NULL));
        atomic_fetch_add(&f->written, 1);
    }
    return NULL;
}

static avout_status sum_all(avout_txn *txn, void *payload)
{
    field *f = payload;
    f->sum = 0;
    f->runs++;
    for (int i = 0; i < REFS; i++) {
        int64_t number;
        avout_status status = suite_txn_int(&number, txn, f->ref[i]);
        if (status) return status;
        f->sum += number;
        test_pause_us(50); /* so that it is overtaken */
    }
    CHECK_INT(0, f->sum); /* I4 */
    return f->writes ? avout_alter(txn, f->ref[0], suite_plus, &(int64_t){0}) : AVOUT_OK;
}

static void field_run(bool local, bool writes)
{
    field f = {.client = suite_connect(), .writes = writes};
    char name[20];
    for (int i = 0; i < REFS; i++) {
        snprintf(name, sizeof name, "/f%d", i);
        if (local) CHECK_OK(avout_ref_local(&f.ref[i], f.client, avout_int(0)));
        else CHECK_OK(avout_ref_create(&f.ref[i], f.client, name, avout_int(0), NULL));
    }
    pthread_t threads[WRITERS];
    for (int i = 0; i < WRITERS; i++) CHECK(!pthread_create(&threads[i], NULL, write_on, &f));
    avout_call_options patient = {.timeout_ms = 15000};
    int64_t began = avout__now_ns();
    for (int i = 0; i < 5; i++) CHECK_OK(avout_dosync(f.client, sum_all, &f, &patient));
    fprintf(stderr, "# five sums in %d ms, %d runs, %d changes meanwhile\n",
            (int)((avout__now_ns() - began) / 1000000), f.runs, (int)atomic_load(&f.written));
    atomic_store(&f.stop, 1);
    for (int i = 0; i < WRITERS; i++) pthread_join(threads[i], NULL);
    for (int i = 0; i < REFS; i++) avout_ref_close(f.ref[i]);
    suite_close(f.client);
    suite_check_memory();
}

TEST(who_reads_many_local_refs_ends)
{
    field_run(true, false);
}

TEST(who_reads_many_local_refs_and_writes_one_ends)
{
    field_run(true, true);
}

TEST(who_reads_many_refs_ends)
{
    field_run(false, false);
}

TEST(who_reads_many_refs_and_writes_one_ends)
{
    field_run(false, true);
}
