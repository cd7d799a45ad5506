/* Epoch-based reclamation: memory that readers reach without a lock is freed only when no reader
 * can still see it. After Fraser, "Practical lock-freedom" (2004), ch. 5.2; the reader's side pays
 * no fence where the kernel has membarrier(2), as in liburcu (Desnoyers et al. 2012).
 *
 * A reader is inside a guard from enter to leave; guards nest; they are per thread and cheap, but
 * hold back freeing everywhere: never across a wait or user code that may take long. */
#ifndef AVOUT_BASE_EPOCH_H
#define AVOUT_BASE_EPOCH_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"

typedef struct avout__epoch_slot {
    _Atomic uint64_t active; /* 0: outside; else (epoch << 1 | 1) of the entry */
    uint32_t nested;
    uint32_t registered;
    avout__link link; /* in the registry of all threads that ever entered a guard */
} avout__epoch_slot;

/* Thread-local storage, so that entering a guard can neither allocate nor fail; initial-exec spares
 * the call of __tls_get_addr. */
extern _Thread_local avout__epoch_slot avout__epoch_mine __attribute__((tls_model("initial-exec")));
extern _Atomic uint64_t avout__epoch_now;
extern _Atomic uint32_t avout__epoch_fence; /* 1: no membarrier, readers must fence */

/* Registers the thread's slot, on its first guard; taken out again when the thread ends. */
void avout__epoch_register(avout__epoch_slot *slot);

static inline void avout__epoch_enter(void)
{
    avout__epoch_slot *slot = &avout__epoch_mine;
    if (__builtin_expect(!slot->registered, 0)) avout__epoch_register(slot);
    if (slot->nested++) return;
    uint64_t now = atomic_load_explicit(&avout__epoch_now, memory_order_relaxed);
    atomic_store_explicit(&slot->active, now << 1 | 1, memory_order_relaxed);
    if (atomic_load_explicit(&avout__epoch_fence, memory_order_relaxed))
        atomic_thread_fence(memory_order_seq_cst);
    else atomic_signal_fence(memory_order_seq_cst);
}

static inline void avout__epoch_leave(void)
{
    avout__epoch_slot *slot = &avout__epoch_mine;
    if (--slot->nested) return;
    atomic_store_explicit(&slot->active, 0, memory_order_release);
}

/* To be embedded in what is retired. */
typedef struct avout__retired {
    struct avout__retired *next;
    void (*destroy)(struct avout__retired *retired);
    uint64_t epoch;
} avout__retired;

/* Hands over memory that can no longer be reached by new readers, to be destroyed when the last reader
 * that could see it is gone. Calls nothing and never blocks on readers. Any thread, inside a guard
 * and under locks too. */
void avout__epoch_retire(avout__retired *retired, void (*destroy)(avout__retired *retired));

/* Enough was retired since the last collection to make one worth its while. */
enum { AVOUT__EPOCH_DUE = 64 };
extern _Atomic uint32_t avout__epoch_waiting;
static inline bool avout__epoch_due(void)
{
    return atomic_load_explicit(&avout__epoch_waiting, memory_order_relaxed) >= AVOUT__EPOCH_DUE;
}

/* Destroys what nobody can see any more; waits for nobody. `destroy` functions run here, and with
 * them what the user has put into values: not under a lock, not on a delivery thread. */
void avout__epoch_collect(void);

/* Waits until everything retired before the call is destroyed. Not inside a guard. */
void avout__epoch_drain(void);

#endif
