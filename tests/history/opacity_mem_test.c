/* No function in a transaction sees a torn state, whatever happens to the connections (I4): clients on
 * one store move amounts between refs whose sum is constant, in transactions that read some or all of
 * them and are thrown away more often than not; requests are delayed, lost, late, and sessions end.
 * Every run of every body checks what it reads, and so does every look from outside (I2).
 * Test-tags: threads */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "support/suite.h"
#include "support/trouble.h"

enum { REFS = 4, CLIENTS = 3, THREADS = 3, TIMES = 300, SUM = 1000 };

typedef struct member {
    avout_client *client;
    avout_ref *refs[REFS];
    uint64_t random;
} member;

static _Atomic int64_t runs;
static uint64_t seed;

static const char *url(void)
{
    return "mem:opacity";
}

__attribute__((constructor)) static void use(void)
{
    suite_use(url);
}

static void check_sum(const int64_t *numbers, const char *where)
{
    int64_t sum = 0;
    for (int i = 0; i < REFS; i++) sum += numbers[i];
    if (sum == SUM) return;
    fprintf(stderr, "# AVOUT_TEST_SEED=%" PRIu64 "\n", seed);
    test_failed(__FILE__, __LINE__,
                "torn in %s: %" PRId64 " + %" PRId64 " + %" PRId64 " + %" PRId64, where, numbers[0],
                numbers[1], numbers[2], numbers[3]);
}

/* ---- changing ------------------------------------------------------------------------------- */

typedef struct plan {
    member *me;
    int first, from, to, pause;
    bool narrow; /* touches only the two it changes */
    int64_t amount;
} plan;

static avout_status read_all(int64_t *numbers, avout_txn *txn, const plan *p)
{
    for (int n = 0; n < REFS; n++) {
        int i = (p->first + n) % REFS;
        avout_status status = suite_txn_int(&numbers[i], txn, p->me->refs[i]);
        if (status) return status;
        for (int pause = 0; pause < p->pause; pause++) sched_yield();
    }
    return AVOUT_OK;
}

static avout_status move(avout_txn *txn, void *payload)
{
    plan *p = payload;
    int64_t numbers[REFS], back = -p->amount;
    atomic_fetch_add(&runs, 1);
    avout_status status = p->narrow ? AVOUT_OK : read_all(numbers, txn, p);
    if (!status && !p->narrow) check_sum(numbers, "a transaction");
    if (!status) status = avout_alter(txn, p->me->refs[p->from], suite_plus, &p->amount);
    if (!status) status = avout_alter(txn, p->me->refs[p->to], suite_plus, &back);
    return status;
}

static avout_status look(avout_txn *txn, void *payload)
{
    int64_t numbers[REFS];
    avout_status status = read_all(numbers, txn, payload);
    if (!status) check_sum(numbers, "a transaction that only reads");
    return status;
}

static void look_at_point(member *me)
{
    avout_value values[REFS];
    int64_t numbers[REFS];
    CHECK_OK(avout_refs_deref(values, me->refs, REFS));
    for (int i = 0; i < REFS; i++) CHECK_OK(avout_value_to_int(&numbers[i], values[i]));
    check_sum(numbers, "a cut");
}

static void *live(void *payload)
{
    member *me = payload;
    for (int i = 0; i < TIMES; i++) {
        plan p = {.me = me,
                  .first = (int)trouble_draw(&me->random, REFS),
                  .from = (int)trouble_draw(&me->random, REFS),
                  .pause = (int)trouble_draw(&me->random, 3),
                  .narrow = trouble_draw(&me->random, 3) == 0,
                  .amount = (int64_t)trouble_draw(&me->random, 20) - 10};
        p.to = (p.from + 1 + (int)trouble_draw(&me->random, REFS - 1)) % REFS;
        switch (trouble_draw(&me->random, 5)) {
        case 0: CHECK_OK(avout_dosync(me->client, look, &p, NULL)); break;
        case 1: look_at_point(me); break;
        default: CHECK_OK(avout_dosync(me->client, move, &p, NULL));
        }
    }
    return NULL;
}

/* ---- the test ------------------------------------------------------------------------------- */

static void open_all(member *members)
{
    avout_client *clients[CLIENTS];
    for (int i = 0; i < CLIENTS; i++) clients[i] = suite_connect();
    for (int i = 0; i < CLIENTS * THREADS; i++) {
        member *me = &members[i];
        *me = (member){.client = clients[i % CLIENTS],
                       .random = seed * 1000003 + (uint64_t)i * 7919 + 1};
        for (int r = 0; r < REFS; r++) {
            char name[16];
            snprintf(name, sizeof name, "/r%d", r);
            CHECK_OK(
                avout_ref_create(&me->refs[r], me->client, name, avout_int(r ? 0 : SUM), NULL));
        }
    }
}

static void close_all(member *members)
{
    for (int i = 0; i < CLIENTS * THREADS; i++)
        for (int r = 0; r < REFS; r++) avout_ref_close(members[i].refs[r]);
    for (int i = 0; i < CLIENTS; i++) suite_close(members[i].client);
    suite_check_memory();
}

TEST_WITHIN(every_run_sees_one_state, 120)
{
    static const avout__mem_fault_kind kinds[] = {
        AVOUT__MEM_DELAY,      AVOUT__MEM_DELAY,       AVOUT__MEM_DELAY,     AVOUT__MEM_LOSE_BEFORE,
        AVOUT__MEM_LOSE_AFTER, AVOUT__MEM_LOSE_AFTER,  AVOUT__MEM_LOSE_LATE, AVOUT__MEM_LOSE_LATE,
        AVOUT__MEM_FAIL,       AVOUT__MEM_EXPIRE_AFTER};
    member members[CLIENTS * THREADS];
    pthread_t threads[CLIENTS * THREADS];
    seed = trouble_seed();
    trouble faults = {.store = "opacity",
                      .clients = CLIENTS,
                      .kinds = kinds,
                      .kind_count = sizeof kinds / sizeof *kinds,
                      .random = seed * 2 + 1};
    open_all(members);
    trouble_start(&faults);
    for (int i = 0; i < CLIENTS * THREADS; i++)
        CHECK(!pthread_create(&threads[i], NULL, live, &members[i]));
    for (int i = 0; i < CLIENTS * THREADS; i++) pthread_join(threads[i], NULL);
    trouble_end(&faults);
    fprintf(stderr, "# %" PRId64 " runs\n", atomic_load(&runs));
    close_all(members);
}
