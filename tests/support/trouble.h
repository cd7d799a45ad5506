/* Trouble for all clients of one store in this process: faults drawn from a seed, on a thread of its own. */
#ifndef TESTS_SUPPORT_TROUBLE_H
#define TESTS_SUPPORT_TROUBLE_H

#include <pthread.h>
#include <stdatomic.h>

#include "store/mem/mem.h"
#include "support/test.h"

typedef struct trouble {
    const char *store; /* mem:NAME without the mem: */
    size_t clients;    /* its handles 0 to clients - 1, opened before and closed after */
    const avout__mem_fault_kind *kinds; /* one that is there twice comes twice as often */
    size_t kind_count;
    uint64_t random; /* not 0 */

    _Atomic bool over;
    pthread_t thread;
} trouble;

void trouble_start(trouble *t);
/* No more of it, and what is late arrives. */
void trouble_end(trouble *t);

/* AVOUT_TEST_SEED, or a new one; printed, so that a run can be repeated. */
uint64_t trouble_seed(void);
/* The next number of a sequence that begins with any state but 0. */
uint64_t trouble_draw(uint64_t *state, uint64_t below);

#endif
