/* Aging: a transaction that reads much is overtaken by small ones as long as they come (its reads are
 * validated at the end). One that has been run again and again for a while becomes the elder: until its
 * run is over, or longer than it was granted, the client's other transactions wait with their commits.
 *
 * They wait before the critical section, without a lock and for a bounded time only: whatever the
 * elder's body waits for, even for one of them, nothing stands still for ever. What it was granted
 * doubles with each run that did not suffice. */
#include "stm/stm.h"

#include "base/clock.h"
#include "base/interrupt.h"
#include "base/banned.h"

#define NS_PER_MS ((int64_t)1000000)

enum {
    AGE_RUNS = 4, /* a transaction that was run again so often ... */
    AGE_MS = 50,  /* ... and for so long is old */
    GRANT_MS = 8, /* for its first run as the elder */
    GRANTS = 7,   /* doubled at most so many times */
};

void avout__elder_consider(avout_txn *txn)
{
    if (txn->asynchronous) return; /* its runs have to wait for the thread's other jobs anyway */
    int64_t now = avout__now_ns();
    if (!txn->again_ns) txn->again_ns = now;
    if (txn->runs < AGE_RUNS || now - txn->again_ns < AGE_MS * NS_PER_MS) return;
    avout__stm *stm = txn->stm;
    avout__stm_lock(stm);
    if (!atomic_load(&stm->elder) || now >= atomic_load(&stm->elder_until_ns)) {
        int64_t granted = (GRANT_MS * NS_PER_MS) << txn->grants;
        if (txn->grants < GRANTS) txn->grants++;
        atomic_store(&stm->elder_until_ns, now + granted);
        atomic_store(&stm->elder, txn);
    }
    avout__stm_unlock(stm);
}

void avout__elder_leave(avout_txn *txn)
{
    avout__stm *stm = txn->stm;
    if (atomic_load_explicit(&stm->elder, memory_order_relaxed) != txn) return;
    atomic_store(&stm->elder, NULL);
    atomic_fetch_add(&stm->elders, 1);
    avout__futex_wake(&stm->elders, INT32_MAX, false);
}

void avout__elder_respect(avout_txn *txn)
{
    avout__stm *stm = txn->stm;
    if (!atomic_load_explicit(&stm->elder, memory_order_relaxed)) return;
    for (;;) {
        uint32_t elders = atomic_load(&stm->elders);
        avout_txn *elder = atomic_load(&stm->elder);
        /* One that its body runs beside it, on this thread, does not wait for it. */
        if (!elder || elder == txn || elder == avout__txn_current(stm)) return;
        int64_t until_ns = atomic_load(&stm->elder_until_ns);
        if (until_ns > txn->deadline_ns) until_ns = txn->deadline_ns;
        if (avout__deadline_passed(until_ns) || atomic_load(&stm->closed)) return;
        avout__futex_wait(&stm->elders, elders, until_ns, false);
    }
}
