/* What the fault tests of locks share: clients with a lock each, threads that wait for it, and what the
 * store knows of it. */
#ifndef TESTS_FAULT_LOCK_SUPPORT_H
#define TESTS_FAULT_LOCK_SUPPORT_H

#include "engine_support.h"
#include "support/locks.h"

#define NAME "/dir/lock"
#define NODE "/avout/locks/dir:/lock"

#define PATIENT ((avout_wait_options){.timeout_ms = 20000})

typedef struct side {
    avout_client *client;
    avout_store *store;
    avout_lock *lock;
} side;

static inline side open_side(size_t index, const avout_options *options)
{
    side s = {0};
    CHECK_OK(avout_connect(engine_url(), options, &s.client));
    s.store = engine_store(index);
    CHECK_OK(avout_lock_open(&s.lock, s.client, NAME));
    return s;
}

static inline void close_side(side *s)
{
    avout_lock_close(s->lock);
    avout_close(s->client);
}

static inline size_t queue_length(side *s)
{
    return locks_queue(s->client, NAME);
}

static inline size_t armed(side *s)
{
    avout__mem_counters c;
    avout__mem_counters_of(s->store, &c);
    return c.armed;
}

static inline uint64_t multis_of(side *s)
{
    avout__mem_counters c;
    avout__mem_counters_of(s->store, &c);
    return c.multis;
}

/* The last claim in the queue. */
static inline void claim_path(char path[RAW_PATH], side *s, const char *kind)
{
    raw_child(path, s->store, NODE, RAW_LAST);
    CHECK(strstr(path, kind));
}

/* What its client sent before has reached the store. */
static inline void settle(side *s)
{
    CHECK_OK(raw_do(s->store, (avout_op){.kind = AVOUT_OP_CHECK, .path = "/avout", .version = -1}));
}

#endif
