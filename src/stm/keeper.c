/* Housekeeping: one thread per client that looks after turns which are over (contention.c), tries again
 * what failed without anybody waiting for it, and frees what the delivery thread has retired: freeing
 * runs the destructors of boxes, user code that must not run there or under a lock (I9). It waits for
 * nobody and calls no other user code, so that a watch that takes long delays none of this. */
#include "stm/stm.h"

#include <time.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/thread.h"
#include "base/banned.h"

/* A few times within the shortest time that counts for turns. */
#define TICK_MS 2
#define RETRY_MS 50

typedef struct avout__keeper {
    pthread_t thread;
    pthread_cond_t wake;
    bool stop;
} avout__keeper;

/* Waiting on a condition gives the lock back without waking whose transactions have ended here. */
static void wake_callers(avout__stm *stm)
{
    avout__stm_unlock(stm);
    avout__stm_lock(stm);
}

static void collect(avout__stm *stm)
{
    avout__stm_unlock(stm);
    avout__epoch_collect();
    avout__orphans_free(stm);
    avout__stm_lock(stm);
}

void avout__try_later(avout__stm *stm)
{
    if (stm->retry_ns) return;
    stm->retry_ns = avout__deadline_in_ms(RETRY_MS);
    avout__keeper_wake(stm);
}

static void try_again(avout__stm *stm)
{
    if (!stm->retry_ns || avout__now_ns() < stm->retry_ns) return;
    stm->retry_ns = 0;
    avout__notify_again(stm);
    if (stm->connected) avout__resume(stm);
    else
        avout__send_ready(
            stm); /* what needs no store; the rest goes with the connection's return */
}

/* Waits until there is something to do. */
static void rest(avout__keeper *keeper, avout__stm *stm, bool turns)
{
    if (!turns && !stm->retry_ns) {
        pthread_cond_wait(&keeper->wake, &stm->lock);
        return;
    }
    int64_t until_ns = turns ? avout__deadline_in_ms(TICK_MS) : stm->retry_ns;
    struct timespec until = {(time_t)(until_ns / 1000000000), (long)(until_ns % 1000000000)};
    pthread_cond_timedwait(&keeper->wake, &stm->lock, &until);
}

static void *keeper_main(void *payload)
{
    avout__stm *stm = payload;
    avout__keeper *keeper = stm->keeper;
    avout__stm_lock(stm);
    while (!keeper->stop) {
        if (avout__epoch_due() || !avout__list_empty(&stm->orphans)) {
            collect(stm);
        } else {
            try_again(stm);
            /* A client that is being closed takes no turns any more. */
            bool turns = !atomic_load(&stm->closed) && avout__turns_tick(stm);
            if (avout__list_empty(&stm->finished)) rest(keeper, stm, turns);
            else wake_callers(stm);
        }
    }
    avout__stm_unlock(stm);
    return NULL;
}

avout_status avout__keeper_start(avout__stm *stm)
{
    avout__keeper *keeper = avout__calloc(1, sizeof *keeper);
    if (!keeper) return AVOUT_ENOMEM;
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&keeper->wake, &monotonic);
    pthread_condattr_destroy(&monotonic);
    stm->keeper = keeper;
    avout_status status = avout__thread_start(&keeper->thread, keeper_main, stm);
    if (!status) return AVOUT_OK;
    stm->keeper = NULL;
    pthread_cond_destroy(&keeper->wake);
    avout__free(keeper);
    return status;
}

void avout__keeper_wake(avout__stm *stm)
{
    if (stm->keeper) pthread_cond_signal(&stm->keeper->wake);
}

bool avout__keeper_is_me(avout__stm *stm)
{
    return stm->keeper && pthread_equal(stm->keeper->thread, pthread_self());
}

void avout__keeper_stop(avout__stm *stm)
{
    avout__keeper *keeper = stm->keeper;
    if (!keeper) return;
    avout__stm_lock(stm);
    keeper->stop = true;
    pthread_cond_signal(&keeper->wake);
    avout__stm_unlock(stm);
    pthread_join(keeper->thread, NULL);
    avout__stm_lock(stm);
    stm->keeper = NULL;
    avout__stm_unlock(stm);
    pthread_cond_destroy(&keeper->wake);
    avout__free(keeper);
}
