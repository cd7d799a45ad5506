/* No function in a transaction sees a torn state, whatever happens to the connections (I4): clients on
 * one store move amounts between refs whose sum is constant, in transactions that read some or all of
 * them and are thrown away more often than not; requests are delayed, lost, late, and sessions end.
 * Every run of every body checks what it reads, and so does every look from outside (I2).
 * Test-tags: threads */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "store/mem/mem.h"
#include "support/suite.h"

enum { REFS = 4, CLIENTS = 3, THREADS = 3, TIMES = 300, SUM = 1000 };

typedef struct member {
    avout_client *client;
    avout_ref *refs[REFS];
    uint64_t random;
} member;

static _Atomic bool over;
static _Atomic int64_t runs;
static uint64_t seed;

static uint64_t draw(uint64_t *state, uint64_t below)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return (*state >> 11) % below;
}

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
                  .first = (int)draw(&me->random, REFS),
                  .from = (int)draw(&me->random, REFS),
                  .pause = (int)draw(&me->random, 3),
                  .narrow = draw(&me->random, 3) == 0,
                  .amount = (int64_t)draw(&me->random, 20) - 10};
        p.to = (p.from + 1 + (int)draw(&me->random, REFS - 1)) % REFS;
        switch (draw(&me->random, 5)) {
        case 0: CHECK_OK(avout_dosync(me->client, look, &p, NULL)); break;
        case 1: look_at_point(me); break;
        default: CHECK_OK(avout_dosync(me->client, move, &p, NULL));
        }
    }
    return NULL;
}

/* ---- trouble -------------------------------------------------------------------------------- */

static avout__mem_fault random_fault(uint64_t *random)
{
    static const avout__mem_fault_kind kinds[] = {
        AVOUT__MEM_DELAY,      AVOUT__MEM_DELAY,       AVOUT__MEM_DELAY,     AVOUT__MEM_LOSE_BEFORE,
        AVOUT__MEM_LOSE_AFTER, AVOUT__MEM_LOSE_AFTER,  AVOUT__MEM_LOSE_LATE, AVOUT__MEM_LOSE_LATE,
        AVOUT__MEM_FAIL,       AVOUT__MEM_EXPIRE_AFTER};
    avout__mem_fault fault = {.kind = kinds[draw(random, sizeof kinds / sizeof *kinds)],
                              .nth = 1 + draw(random, 12),
                              .multis = draw(random, 2),
                              .behind = draw(random, 2),
                              .delay_ms = (int64_t)draw(random, 4),
                              .late = (avout__mem_late)draw(random, 3)};
    if (fault.kind == AVOUT__MEM_FAIL) { /* a conflict that nobody caused */
        fault.multis = true;
        fault.status = AVOUT_EVERSION;
        fault.failed_op = 0;
    }
    return fault;
}

static void *disturb(void *payload)
{
    uint64_t random = *(uint64_t *)payload;
    while (!atomic_load(&over)) {
        avout_store *store = avout__mem_handle("opacity", draw(&random, CLIENTS));
        avout__mem_reconnect_after(store, (int64_t)draw(&random, 3));
        avout__mem_fault fault = random_fault(&random);
        if (avout__mem_faults_left(store) < 8) CHECK_OK(avout__mem_fault_add(store, &fault));
        if (draw(&random, 5) == 0) avout__mem_release_late(store);
        nanosleep(&(struct timespec){0, (long)draw(&random, 300000)}, NULL);
    }
    avout_store *store = avout__mem_handle("opacity", 0);
    avout__mem_faults_clear(store);
    avout__mem_release_late(store);
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
    const char *given = getenv("AVOUT_TEST_SEED");
    seed = given ? strtoull(given, NULL, 10) : avout__random64() % 1000000000;
    fprintf(stderr, "# AVOUT_TEST_SEED=%" PRIu64 "\n", seed);
    member members[CLIENTS * THREADS];
    pthread_t threads[CLIENTS * THREADS], trouble;
    uint64_t random = seed * 2 + 1;
    open_all(members);
    CHECK(!pthread_create(&trouble, NULL, disturb, &random));
    for (int i = 0; i < CLIENTS * THREADS; i++)
        CHECK(!pthread_create(&threads[i], NULL, live, &members[i]));
    for (int i = 0; i < CLIENTS * THREADS; i++) pthread_join(threads[i], NULL);
    atomic_store(&over, true);
    pthread_join(trouble, NULL);
    fprintf(stderr, "# %" PRId64 " runs\n", atomic_load(&runs));
    close_all(members);
}
