/* Waiting on a word of memory, within a process or across processes (Linux futex). */
#ifndef AVOUT_BASE_FUTEX_H
#define AVOUT_BASE_FUTEX_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* Waits while *word == expected until woken, the deadline passes (false) or for no reason (true:
 * look again). `shared`: the word lies in memory shared between processes. */
bool avout__futex_wait(_Atomic uint32_t *word, uint32_t expected, int64_t deadline_ns, bool shared);
/* Wakes up to `count` waiters (INT32_MAX: all). */
void avout__futex_wake(_Atomic uint32_t *word, int32_t count, bool shared);

/* An event that happens once; any number of waiters. */
typedef struct avout__latch {
    _Atomic uint32_t state; /* 0 not yet, 1 not yet and somebody waits, 2 happened */
} avout__latch;
/* clang-format off */
#define AVOUT__LATCH_INIT {0}
/* clang-format on */
void avout__latch_open(avout__latch *latch);
bool avout__latch_is_open(avout__latch *latch);
/* False when the deadline passed first, or the thread was interrupted (base/interrupt.h). */
bool avout__latch_wait(avout__latch *latch, int64_t deadline_ns);

#endif
