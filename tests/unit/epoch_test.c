#include "base/epoch.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "support/test.h"

typedef struct cell {
    avout__retired retired;
    _Atomic int alive;
} cell;

static cell *_Atomic current;
static _Atomic int stop, destroyed;

static void destroy(avout__retired *retired)
{
    cell *dead = (cell *)retired;
    atomic_store(&dead->alive, 0);
    atomic_fetch_add(&destroyed, 1);
    free(dead);
}

static cell *make(void)
{
    cell *fresh = calloc(1, sizeof *fresh);
    atomic_store(&fresh->alive, 1);
    return fresh;
}

static void *read_cells(void *unused)
{
    while (!atomic_load(&stop)) {
        avout__epoch_enter();
        cell *seen = atomic_load_explicit(&current, memory_order_acquire);
        for (int i = 0; i < 50; i++) CHECK(atomic_load(&seen->alive) == 1);
        avout__epoch_leave();
    }
    return unused;
}

TEST(readers_never_see_freed_memory)
{
    enum { READERS = 3, CHANGES = 20000 };
    atomic_store(&current, make());
    pthread_t threads[READERS];
    for (int i = 0; i < READERS; i++) CHECK(!pthread_create(&threads[i], NULL, read_cells, NULL));
    for (int i = 0; i < CHANGES; i++) {
        cell *old = atomic_exchange(&current, make());
        avout__epoch_retire(&old->retired, destroy);
        if (avout__epoch_due()) avout__epoch_collect();
    }
    atomic_store(&stop, 1);
    for (int i = 0; i < READERS; i++) pthread_join(threads[i], NULL);
    avout__epoch_drain();
    CHECK_INT(CHANGES, destroyed);
    free(atomic_load(&current));
}

TEST(nothing_is_destroyed_while_a_guard_is_held)
{
    avout__epoch_enter();
    avout__epoch_enter();
    for (int i = 0; i < 1000; i++) {
        avout__epoch_retire(&make()->retired, destroy);
        avout__epoch_collect();
    }
    CHECK_INT(0, destroyed);
    avout__epoch_leave();
    for (int i = 0; i < 1000; i++) {
        avout__epoch_retire(&make()->retired, destroy);
        avout__epoch_collect();
    }
    CHECK_INT(0, destroyed);
    avout__epoch_leave();
    avout__epoch_drain();
    CHECK_INT(2000, destroyed);
}
