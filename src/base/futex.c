#include "base/futex.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/interrupt.h"
#include "base/banned.h"

bool avout__futex_wait(_Atomic uint32_t *word, uint32_t expected, int64_t deadline_ns, bool shared)
{
    /* FUTEX_WAIT_BITSET takes an absolute time on the monotonic clock. */
    int operation = FUTEX_WAIT_BITSET | (shared ? 0 : FUTEX_PRIVATE_FLAG);
    struct timespec until = {0}, *limit = NULL;
    if (deadline_ns != AVOUT__NEVER) {
        if (deadline_ns < 0) deadline_ns = 0;
        until.tv_sec = (time_t)(deadline_ns / 1000000000);
        until.tv_nsec = (long)(deadline_ns % 1000000000);
        limit = &until;
    }
    long result =
        syscall(SYS_futex, word, operation, expected, limit, NULL, FUTEX_BITSET_MATCH_ANY);
    return !(result == -1 && errno == ETIMEDOUT);
}

void avout__futex_wake(_Atomic uint32_t *word, int32_t count, bool shared)
{
    syscall(SYS_futex, word, FUTEX_WAKE | (shared ? 0 : FUTEX_PRIVATE_FLAG), count, NULL, NULL, 0);
}

void avout__latch_open(avout__latch *latch)
{
    if (atomic_exchange(&latch->state, 2) == 1) avout__futex_wake(&latch->state, INT_MAX, false);
}

bool avout__latch_is_open(avout__latch *latch)
{
    return atomic_load(&latch->state) == 2;
}

bool avout__latch_wait(avout__latch *latch, int64_t deadline_ns)
{
    avout__interrupt_wait wait;
    if (avout__latch_is_open(latch)) return true;
    avout__interrupt_enter(&wait, latch);
    for (;;) {
        uint32_t seen = 0;
        if (!atomic_compare_exchange_strong(&latch->state, &seen, 1) && seen == 2) break;
        /* Looked at when the state says that somebody waits: an interruption after this changes it. */
        if (avout__interrupted() || !avout__futex_wait(&latch->state, 1, deadline_ns, false)) break;
    }
    avout__interrupt_leave(&wait);
    return avout__latch_is_open(latch);
}
