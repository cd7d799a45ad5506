/* Waiting a moment for callers that come back.
 *
 * When a batch is confirmed its callers are woken, and under load each soon has its next commit. If the
 * first of them sent it at once, it would travel alone and all the others would wait for it: batches of
 * one and of the rest in turn, half of what could be. So when several callers have been woken the
 * engine holds back sending until as many commits have come, but for at most half of the time that a
 * batch takes to the store and back. The rule learns: where callers do not come back it is not applied,
 * but for a try now and then.
 *
 * The delivery thread waits here, for a bounded time and without the lock. PostgreSQL's commit_delay and
 * commit_siblings are the same idea with fixed numbers. */
#include "stm/stm.h"

#include "base/clock.h"
#include "base/banned.h"

enum {
    CALLERS_MIN = 3,
    ONE = 256,          /* fixed point: all came back */
    WORTH_IT = ONE / 2, /* of the callers, on average */
    TRY_EVERY = 32,
    WINDOW_MAX_NS = 2000000,
};

void avout__gather_measured(avout__stm *stm, int64_t sent_ns)
{
    int64_t took = avout__now_ns() - sent_ns;
    avout__gathering *gathering = &stm->gathering;
    gathering->round_ns = gathering->round_ns ? (7 * gathering->round_ns + took) / 8 : took;
}

bool avout__gather_begin(avout__stm *stm)
{
    avout__gathering *gathering = &stm->gathering;
    if (gathering->callers < CALLERS_MIN || atomic_load(&stm->closed)) return false;
    if (gathering->returns < WORTH_IT && ++gathering->skipped % TRY_EVERY) return false;
    gathering->expected = gathering->callers;
    atomic_store(&gathering->arrived, 0);
    gathering->on = true;
    return true;
}

void avout__gather_arrived(avout__stm *stm)
{
    avout__gathering *gathering = &stm->gathering;
    if (!gathering->on) return;
    if (atomic_fetch_add(&gathering->arrived, 1) + 1 == gathering->expected)
        avout__futex_wake(&gathering->arrived, 1, false);
}

void avout__gather_end(avout__stm *stm)
{
    avout__gathering *gathering = &stm->gathering;
    uint32_t expected = gathering->expected; /* changed by this thread alone */
    int64_t window_ns = gathering->round_ns / 2;
    if (window_ns > WINDOW_MAX_NS) window_ns = WINDOW_MAX_NS;
    int64_t deadline_ns = avout__now_ns() + window_ns;
    uint32_t arrived;
    while ((arrived = atomic_load(&gathering->arrived)) < expected)
        if (!avout__futex_wait(&gathering->arrived, arrived, deadline_ns, false)) break;
    avout__stm_lock(stm);
    if (arrived > expected) arrived = expected;
    gathering->returns = (7 * gathering->returns + ONE * arrived / expected) / 8;
    gathering->on = false;
    avout__send_ready(stm);
    avout__stm_unlock(stm);
}
