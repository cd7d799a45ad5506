/* What the engine's fault tests share: a client whose store can be told to misbehave, a witness that
 * sees what really happened, and raw access behind the engine's back. */
#ifndef TESTS_FAULT_ENGINE_SUPPORT_H
#define TESTS_FAULT_ENGINE_SUPPORT_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/clock.h"
#include "store/mem/mem.h"
#include "store/store.h"
#include "support/await.h"
#include "support/raw.h"
#include "support/suite.h"

#define WORLD "engine"

static inline const char *engine_url(void)
{
    return "mem:" WORLD;
}

__attribute__((constructor)) static void engine_use(void)
{
    suite_use(engine_url);
}

/* The store handle of the client opened as number `index` in the world's life. */
static inline avout_store *engine_store(size_t index)
{
    avout_store *store = avout__mem_handle(WORLD, index);
    CHECK(store);
    return store;
}

static inline void engine_fault(avout_store *store, avout__mem_fault fault)
{
    CHECK_OK(avout__mem_fault_add(store, &fault));
}

/* The n-th request from now on, whoever sends it. */
static inline void engine_fault_of_all(avout__mem_fault fault, size_t n)
{
    fault.everybody = true;
    fault.nth = n;
    engine_fault(engine_store(0), fault);
}

/* A bad time for the client's multis: a reply is lost, a later multi, and then the session. */
static inline void engine_lose_session(avout_store *store, size_t lost, size_t expired)
{
    engine_fault(store, (avout__mem_fault){.kind = AVOUT__MEM_LOSE_AFTER, .multis = true});
    engine_fault(store,
                 (avout__mem_fault){.kind = AVOUT__MEM_LOSE_BEFORE, .multis = true, .nth = lost});
    engine_fault(
        store, (avout__mem_fault){.kind = AVOUT__MEM_EXPIRE_AFTER, .multis = true, .nth = expired});
}

/* No more faults; what is late arrives, and what the first so many clients' gates hold back goes on. */
static inline void engine_calm(size_t clients)
{
    avout__mem_faults_clear(engine_store(0));
    avout__mem_release_late(engine_store(0));
    for (size_t i = 0; i < clients; i++) avout__mem_release(engine_store(i));
}

/* What a request can meet. */
enum { ENGINE_FAULTS = 8 };
static const avout__mem_fault engine_faults[ENGINE_FAULTS] = {
    {.kind = AVOUT__MEM_LOSE_BEFORE},
    {.kind = AVOUT__MEM_LOSE_AFTER},
    {.kind = AVOUT__MEM_LOSE_LATE, .late = AVOUT__MEM_LATE_AFTER_NEXT},
    {.kind = AVOUT__MEM_LOSE_LATE, .late = AVOUT__MEM_LATE_BEFORE_NEXT},
    {.kind = AVOUT__MEM_EXPIRE_BEFORE},
    {.kind = AVOUT__MEM_EXPIRE_AFTER},
    {.kind = AVOUT__MEM_FAIL, .multis = true, .status = AVOUT_EVERSION, .failed_op = 0},
    {.kind = AVOUT__MEM_FAIL, .status = AVOUT_EIO, .failed_op = SIZE_MAX}};

/* Lives with each of them at request 1, 2, ... until a life does not send as many, but for 39 at least: a
 * fault can make it shorter. `live_with` answers whether the fault happened. */
static inline void engine_every_fault(bool (*live_with)(avout__mem_fault fault, size_t n))
{
    int lives = 0;
    for (size_t kind = 0; kind < ENGINE_FAULTS; kind++)
        for (size_t n = 1; live_with(engine_faults[kind], n) || n < 40; n++) lives++;
    fprintf(stderr, "# %d lives\n", lives);
    CHECK(lives > 300);
}

/* All slots of all clients, and the node above them. */
static inline void engine_remove_slots(avout_store *store)
{
    avout__reply names;
    size_t count = raw_list(&names, store, "/avout/slots");
    for (size_t i = 0; i < count; i++) {
        char path[128];
        snprintf(path, sizeof path, "/avout/slots/%s", names.is.names[i]);
        CHECK_OK(raw_delete(store, path));
    }
    avout__reply_release(&names);
    CHECK_OK(raw_delete(store, "/avout/slots"));
}

/* ---- a client with three refs and an atom ----------------------------------------------------- */

typedef struct world {
    avout_client *client;
    avout_store *store;
    avout_ref *x, *y, *z;
    avout_atom *atom;
    _Atomic int calls, ends;
    avout_status answer;
} world;

static inline void world_open(world *w)
{
    memset(w, 0, sizeof *w);
    w->client = suite_connect();
    w->store = engine_store(0);
    CHECK_OK(avout_ref_create(&w->x, w->client, "/x", avout_int(0), NULL));
    CHECK_OK(avout_ref_create(&w->y, w->client, "/y", avout_int(0), NULL));
    CHECK_OK(avout_ref_create(&w->z, w->client, "/z", avout_int(0), NULL));
    CHECK_OK(avout_atom_create(&w->atom, w->client, "/atom", avout_int(0), NULL));
}

static inline void world_close(world *w)
{
    avout_ref_close(w->x);
    avout_ref_close(w->y);
    avout_ref_close(w->z);
    avout_atom_close(w->atom);
    suite_close(w->client);
    suite_check_memory();
}

static inline avout_status plus_one(avout_txn *txn, void *payload)
{
    return avout_alter(txn, payload, suite_plus, &suite_one);
}

static inline avout_status add_to(world *w, avout_ref *ref)
{
    return avout_dosync(w->client, plus_one, ref, &(avout_call_options){.timeout_ms = 20000});
}

static inline uint64_t world_multis(const world *w)
{
    avout_statistics all;
    avout_client_statistics(w->client, &all);
    return all.multis;
}

/* For asynchronous calls: notes the answer and the end. */
static inline void world_finish(avout_status status, const char *detail, void *payload)
{
    (void)detail;
    world *w = payload;
    w->answer = status;
    w->ends++;
}

#endif
