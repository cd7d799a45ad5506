#include "base/epoch.h"

#include <linux/membarrier.h>
#include <pthread.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/error.h"
#include "base/banned.h"

/* What is retired in epoch e may be seen by readers that entered in e or before. Readers announce an
 * epoch that was current when they entered; the epoch advances from n to n + 1 only when every
 * active reader announced n. So at epoch e + 2 nobody who entered in e or before is left. */

_Thread_local avout__epoch_slot avout__epoch_mine __attribute__((tls_model("initial-exec")));
_Atomic uint64_t avout__epoch_now = 1;
_Atomic uint32_t avout__epoch_fence = 1;

/* Lock order: retired_lock before registry_lock. Neither is held while `destroy` runs. */
static pthread_mutex_t registry_lock = PTHREAD_MUTEX_INITIALIZER;
static avout__link registry = {&registry, &registry};
static pthread_mutex_t retired_lock = PTHREAD_MUTEX_INITIALIZER;
static avout__retired *oldest, *newest; /* in the order retired */

_Atomic uint32_t avout__epoch_waiting;

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t thread_key;

static int membarrier(int command)
{
    return (int)syscall(SYS_membarrier, command, 0, 0);
}

static void thread_ends(void *slot)
{
    avout__epoch_slot *mine = slot;
    pthread_mutex_lock(&registry_lock);
    avout__link_remove(&mine->link);
    pthread_mutex_unlock(&registry_lock);
    mine->registered = 0;
}

/* In a forked child the other threads are gone, with whatever guard they were in. */
static void fork_prepare(void)
{
    pthread_mutex_lock(&retired_lock);
    pthread_mutex_lock(&registry_lock);
}

static void fork_parent(void)
{
    pthread_mutex_unlock(&registry_lock);
    pthread_mutex_unlock(&retired_lock);
}

static void fork_child(void)
{
    avout__list_init(&registry);
    if (avout__epoch_mine.registered) {
        avout__epoch_mine.link = (avout__link){NULL, NULL};
        avout__list_append(&registry, &avout__epoch_mine.link);
    }
    fork_parent();
}

static void initialise(void)
{
    pthread_key_create(&thread_key, thread_ends);
    pthread_atfork(fork_prepare, fork_parent, fork_child);
    if (membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED) == 0)
        atomic_store(&avout__epoch_fence, 0);
}

void avout__epoch_register(avout__epoch_slot *slot)
{
    pthread_once(&once, initialise);
    pthread_mutex_lock(&registry_lock);
    avout__list_append(&registry, &slot->link);
    pthread_mutex_unlock(&registry_lock);
    slot->registered = 1;
    pthread_setspecific(thread_key, slot);
}

/* With retired_lock held. */
static bool try_advance(void)
{
    if (!atomic_load(&avout__epoch_fence)) membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED);
    else atomic_thread_fence(memory_order_seq_cst);
    uint64_t now = atomic_load(&avout__epoch_now);
    bool all = true;
    pthread_mutex_lock(&registry_lock);
    AVOUT__LIST_EACH(link, &registry)
    {
        avout__epoch_slot *slot = AVOUT__LINK_OF(link, avout__epoch_slot, link);
        uint64_t active = atomic_load_explicit(&slot->active, memory_order_acquire);
        if (active && active >> 1 != now) {
            all = false;
            break;
        }
    }
    pthread_mutex_unlock(&registry_lock);
    if (all) atomic_store(&avout__epoch_now, now + 1);
    return all;
}

/* With retired_lock held: cuts off what nobody can see any more. */
static avout__retired *take_ripe(void)
{
    uint64_t now = atomic_load(&avout__epoch_now);
    avout__retired *ripe = NULL, **end = &ripe;
    while (oldest && oldest->epoch + 2 <= now) {
        *end = oldest;
        end = &oldest->next;
        oldest = oldest->next;
    }
    if (!oldest) newest = NULL;
    *end = NULL;
    return ripe;
}

static void destroy_all(avout__retired *retired)
{
    while (retired) {
        avout__retired *next = retired->next;
        retired->destroy(retired);
        retired = next;
    }
}

void avout__epoch_retire(avout__retired *retired, void (*destroy)(avout__retired *retired))
{
    pthread_once(&once, initialise);
    retired->destroy = destroy;
    retired->next = NULL;
    pthread_mutex_lock(&retired_lock);
    retired->epoch = atomic_load(&avout__epoch_now);
    if (newest) newest->next = retired;
    else oldest = retired;
    newest = retired;
    pthread_mutex_unlock(&retired_lock);
    atomic_fetch_add_explicit(&avout__epoch_waiting, 1, memory_order_relaxed);
}

void avout__epoch_collect(void)
{
    pthread_once(&once, initialise);
    atomic_store_explicit(&avout__epoch_waiting, 0, memory_order_relaxed);
    pthread_mutex_lock(&retired_lock);
    try_advance();
    avout__retired *ripe = take_ripe();
    pthread_mutex_unlock(&retired_lock);
    destroy_all(ripe);
}

void avout__epoch_drain(void)
{
    AVOUT__ASSERT(!avout__epoch_mine.nested);
    pthread_once(&once, initialise);
    uint64_t goal = atomic_load(&avout__epoch_now) + 2;
    for (;;) {
        pthread_mutex_lock(&retired_lock);
        try_advance();
        avout__retired *ripe = take_ripe();
        pthread_mutex_unlock(&retired_lock);
        destroy_all(ripe);
        if (atomic_load(&avout__epoch_now) >= goal) return;
        sched_yield();
    }
}
