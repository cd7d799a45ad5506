#include "support/trouble.h"

#include <stdlib.h>

#include "base/clock.h"
#include "support/await.h"

uint64_t trouble_seed(void)
{
    const char *given = getenv("AVOUT_TEST_SEED");
    uint64_t seed = given ? strtoull(given, NULL, 10) : avout__random64() % 1000000000;
    fprintf(stderr, "# AVOUT_TEST_SEED=%" PRIu64 "\n", seed);
    return seed;
}

/* xorshift (Marsaglia, 2003) */
uint64_t trouble_draw(uint64_t *state, uint64_t below)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return (*state >> 11) % below;
}

static avout__mem_fault random_fault(trouble *t)
{
    uint64_t *random = &t->random;
    avout__mem_fault fault = {.kind = t->kinds[trouble_draw(random, t->kind_count)],
                              .nth = 1 + trouble_draw(random, 12),
                              .multis = trouble_draw(random, 2),
                              .behind = trouble_draw(random, 2),
                              .delay_ms = (int64_t)trouble_draw(random, 4),
                              .late = (avout__mem_late)trouble_draw(random, 3)};
    if (fault.kind == AVOUT__MEM_FAIL) { /* a conflict that nobody caused */
        fault.multis = true;
        fault.status = AVOUT_EVERSION;
        fault.failed_op = 0;
    }
    return fault;
}

static void *disturb(void *payload)
{
    trouble *t = payload;
    while (!atomic_load(&t->over)) {
        avout_store *store = avout__mem_handle(t->store, trouble_draw(&t->random, t->clients));
        avout__mem_reconnect_after(store, (int64_t)trouble_draw(&t->random, 3));
        avout__mem_fault fault = random_fault(t);
        if (avout__mem_faults_left(store) < 8) CHECK_OK(avout__mem_fault_add(store, &fault));
        if (trouble_draw(&t->random, 5) == 0) avout__mem_release_late(store);
        test_pause_us((int64_t)trouble_draw(&t->random, 300));
    }
    return NULL;
}

void trouble_start(trouble *t)
{
    CHECK(t->random);
    CHECK(!pthread_create(&t->thread, NULL, disturb, t));
}

void trouble_end(trouble *t)
{
    atomic_store(&t->over, true);
    pthread_join(t->thread, NULL);
    avout_store *store = avout__mem_handle(t->store, 0);
    avout__mem_faults_clear(store);
    avout__mem_release_late(store);
}
