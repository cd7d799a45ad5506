#include "base/interrupt.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>

#include "base/clock.h"
#include "base/banned.h"

static _Thread_local avout__interruptible mine;

/* ---- the list of those who wait ------------------------------------------------------------------
 * A handler that runs on the thread that has the list would wait for itself: so nobody has it with signals
 * open. A handler on another thread waits for moments. */

static void take(avout__interrupts *source, sigset_t *before)
{
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, before);
    while (atomic_flag_test_and_set_explicit(&source->busy, memory_order_acquire)) {}
}

static void give(avout__interrupts *source, const sigset_t *before)
{
    atomic_flag_clear_explicit(&source->busy, memory_order_release);
    pthread_sigmask(SIG_SETMASK, before, NULL);
}

void avout__interrupts_init(avout__interrupts *source)
{
    atomic_init(&source->count, 0);
    atomic_flag_clear(&source->busy);
    avout__list_init(&source->waits);
}

/* Who comes between the count and the wake sees the count; who came before is in the list. */
void avout__interrupt(avout__interrupts *source)
{
    int saved = errno;
    sigset_t before;
    atomic_fetch_add(&source->count, 1);
    take(source, &before);
    AVOUT__LIST_EACH(link, &source->waits)
    {
        avout__latch *latch = AVOUT__LINK_OF(link, avout__interrupt_wait, link)->latch;
        uint32_t waited = 1;
        if (atomic_compare_exchange_strong(&latch->state, &waited, 0))
            avout__futex_wake(&latch->state, INT_MAX, false);
    }
    give(source, &before);
    errno = saved;
}

void avout__interrupt_enter(avout__interrupt_wait *wait, avout__latch *latch)
{
    sigset_t before;
    *wait = (avout__interrupt_wait){.latch = latch};
    if (!mine.source) return;
    take(mine.source, &before);
    avout__list_append(&mine.source->waits, &wait->link);
    give(mine.source, &before);
}

void avout__interrupt_leave(avout__interrupt_wait *wait)
{
    sigset_t before;
    if (!mine.source) return;
    take(mine.source, &before);
    avout__link_remove(&wait->link);
    give(mine.source, &before);
}

/* ---- this thread ----------------------------------------------------------------------------------- */

avout__interruptible avout__interrupt_use(avout__interruptible by)
{
    avout__interruptible before = mine;
    mine = by;
    return before;
}

avout__interruptible avout__interruptible_by(avout__interrupts *source)
{
    return (avout__interruptible){source, atomic_load(&source->count)};
}

avout__interruptible avout__interruptible_now(void)
{
    return mine;
}

avout__interruptible avout__interrupt_again(void)
{
    avout__interruptible before = mine;
    if (mine.source) mine = avout__interruptible_by(mine.source);
    return before;
}

bool avout__interrupted(void)
{
    return mine.source && atomic_load(&mine.source->count) != mine.seen;
}

bool avout__deadline_passed(int64_t deadline_ns)
{
    return avout__now_ns() >= deadline_ns || avout__interrupted();
}

avout_status avout__late(void)
{
    return avout__interrupted() ? AVOUT_ECANCELLED : AVOUT_ETIMEOUT;
}

const char *avout__late_text(const char *late)
{
    return avout__interrupted() ? "interrupted" : late;
}

bool avout__sleep_until(int64_t deadline_ns)
{
    avout__latch never = AVOUT__LATCH_INIT;
    avout__latch_wait(&never, deadline_ns);
    return !avout__interrupted();
}

void avout__pause_ms(int64_t ms, int64_t deadline_ns)
{
    int64_t until_ns = avout__deadline_in_ms(ms);
    avout__sleep_until(until_ns < deadline_ns ? until_ns : deadline_ns);
}
