#include "value/kin.h"

#include <pthread.h>
#include <time.h>

#include "base/error.h"
#include "base/banned.h"

/* ---- the locks -------------------------------------------------------------------------------- */

enum { LOCKS = AVOUT__KIN_LOCKS, SPINS = 20 };

static struct {
    _Alignas(64) _Atomic uint32_t held;
} locks[LOCKS];

/* Held longer than its few instructions take, the lock belongs to a thread that was interrupted. To spin
 * on would keep the processor from it. */
static void wait_for(_Atomic uint32_t *held)
{
    struct timespec pause = {.tv_nsec = 20000};
    do {
        for (int i = 0; i < SPINS; i++) {
            if (!atomic_load_explicit(held, memory_order_relaxed) &&
                !atomic_exchange_explicit(held, 1, memory_order_acquire))
                return;
#if defined(__x86_64__)
            __builtin_ia32_pause();
#endif
        }
        nanosleep(&pause, NULL);
    } while (true);
}

static inline void lock(uint32_t number)
{
    _Atomic uint32_t *held = &locks[number % LOCKS].held;
    if (__builtin_expect(atomic_exchange_explicit(held, 1, memory_order_acquire), 0))
        wait_for(held);
}

static inline void unlock(uint32_t number)
{
    atomic_store_explicit(&locks[number % LOCKS].held, 0, memory_order_release);
}

static void before_fork(void)
{
    for (uint32_t i = 0; i < LOCKS; i++) lock(i);
}

static void after_fork(void)
{
    for (uint32_t i = 0; i < LOCKS; i++) unlock(i);
}

__attribute__((constructor)) static void begin(void)
{
    pthread_atfork(before_fork, after_fork, after_fork);
}

/* ---- links ------------------------------------------------------------------------------------ */

static avout__kin *origin_of(const avout__kin *kin)
{
    return atomic_load_explicit(&kin->origin, memory_order_relaxed);
}

static avout__kin *heir_of(const avout__kin *kin)
{
    return atomic_load_explicit(&kin->heir, memory_order_relaxed);
}

/* A node that reads here, without the lock, that it is alone may be freed at once: these are the last
 * accesses to it. */
static void set_origin(avout__kin *kin, avout__kin *origin)
{
    atomic_store_explicit(&kin->origin, origin, memory_order_release);
}

static void set_heir(avout__kin *kin, avout__kin *heir)
{
    atomic_store_explicit(&kin->heir, heir, memory_order_release);
}

void avout__kin_lock(const avout__kin *kin)
{
    lock(kin->lock);
}

void avout__kin_unlock(const avout__kin *kin)
{
    unlock(kin->lock);
}

/* Its lock is held. */
static void join(avout__kin_step *step)
{
    step->joined = !heir_of(step->node);
    if (!step->joined) return;
    step->copy->own = step->different;
    step->copy->lock = step->node->lock;
    set_origin(step->copy, step->node);
    set_heir(step->node, step->copy);
}

void avout__kin_join(avout__kin_step *steps, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (!i || !avout__kin_near(steps[i].node, steps[i - 1].node)) {
            if (i) avout__kin_unlock(steps[i - 1].node);
            avout__kin_lock(steps[i].node);
        }
        join(&steps[i]);
    }
    avout__kin_unlock(steps[count - 1].node);
}

uint32_t avout__kin_leave(avout__kin *kin)
{
    avout__kin *origin = origin_of(kin), *heir = heir_of(kin);
    uint32_t mine = origin ? kin->own : UINT32_MAX, dropped = mine;
    if (heir) {
        dropped &= heir->own;
        heir->own |= mine;
        set_origin(heir, origin);
    }
    if (origin) set_heir(origin, heir);
    return dropped;
}

uint32_t avout__kin_settle(avout__kin *kin, uint32_t place)
{
    uint32_t missing = 0;
    if (avout__kin_alone(kin)) return 0;
    lock(kin->lock);
    avout__kin *heir = heir_of(kin);
    if (origin_of(kin) && !(kin->own & place)) {
        kin->own |= place;
        missing++;
    }
    if (heir && !(heir->own & place)) {
        heir->own |= place;
        missing++;
    }
    if (!missing) unlock(kin->lock);
    return missing;
}

void avout__kin_move(avout__kin *from, avout__kin *to)
{
    avout__kin_init(to);
    if (avout__kin_alone(from)) return;
    lock(from->lock);
    avout__kin *origin = origin_of(from), *heir = heir_of(from);
    to->own = from->own;
    to->lock = from->lock;
    set_origin(to, origin);
    set_heir(to, heir);
    if (origin) set_heir(origin, to);
    if (heir) set_origin(heir, to);
    unlock(to->lock);
}
