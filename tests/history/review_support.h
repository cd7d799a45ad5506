/* What the tests of rare interleavings share: clients of one mem store, gates, a look inside. */
#ifndef TESTS_HISTORY_REVIEW_SUPPORT_H
#define TESTS_HISTORY_REVIEW_SUPPORT_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/clock.h"
#include "stm/handles.h"
#include "store/store.h"
#include "store/mem/mem.h"
#include "support/await.h"
#include "support/suite.h"

__attribute__((constructor)) static void review_use(void)
{
    suite_use(suite_mem_url);
}

/* The store handle of the client opened as number `index` by this test. */
static inline avout_store *review_store(size_t index)
{
    avout_store *store = avout__mem_handle(suite_mem_url() + strlen("mem:"), index);
    CHECK(store);
    return store;
}

static inline void review_fault(avout_store *store, avout__mem_fault fault)
{
    CHECK_OK(avout__mem_fault_add(store, &fault));
}

/* Waits until a gate of the store holds something. */
static inline void review_await_held(avout_store *store)
{
    TEST_AWAIT(avout__mem_wait_held(store, avout__deadline_in_ms(2)));
}

/* Transactions that have committed here and are not sent. */
static inline int review_pending(avout_client *client)
{
    int count = 0;
    avout__stm_lock(client->stm);
    AVOUT__LIST_EACH(link, &client->stm->pending) count++;
    avout__stm_unlock(client->stm);
    return count;
}

/* Whether somebody waits for the state of the atom. */
static inline bool review_awaited(avout_client *client, avout_atom *atom)
{
    avout__stm_lock(client->stm);
    bool awaited = !avout__list_empty(&atom->is.cell->waiters);
    avout__stm_unlock(client->stm);
    return awaited;
}

static inline bool review_connected(avout_client *client)
{
    avout__stm_lock(client->stm);
    bool connected = client->stm->connected;
    avout__stm_unlock(client->stm);
    return connected;
}

/* A swap by one on a thread of its own. */
typedef struct review_swap {
    avout_atom *atom;
    int64_t timeout_ms;
    avout_status status;
    pthread_t thread;
    _Atomic int done;
} review_swap;

static inline void *review_swap_main(void *payload)
{
    review_swap *one = payload;
    avout_call_options options = {.timeout_ms = one->timeout_ms};
    one->status = avout_swap(one->atom, suite_plus, &suite_one, NULL, NULL, &options);
    atomic_store(&one->done, 1);
    return NULL;
}

static inline void review_swap_start(review_swap *one)
{
    atomic_store(&one->done, 0);
    CHECK(!pthread_create(&one->thread, NULL, review_swap_main, one));
}

static inline avout_status review_swap_end(review_swap *one)
{
    pthread_join(one->thread, NULL);
    return one->status;
}

#endif
