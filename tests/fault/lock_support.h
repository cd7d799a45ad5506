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
static inline void claim_path(char *path, size_t size, side *s, const char *kind)
{
    avout_request list = {.kind = AVOUT_REQUEST_LIST, .path = NODE};
    avout__reply reply = AVOUT__REPLY_INIT;
    CHECK_OK(avout__store_call(&reply, s->store, &list, avout__deadline_in_ms(20000)));
    const char *last = "";
    size_t best = 0;
    for (size_t i = 0; i < reply.is.name_count; i++) {
        const char *number = strrchr(reply.is.names[i], '-');
        if (strcmp(number, last) <= 0) continue;
        last = number;
        best = i;
    }
    snprintf(path, size, NODE "/%s", reply.is.names[best]);
    CHECK(strstr(path, kind));
    avout__reply_release(&reply);
}

/* What its client sent before has reached the store. */
static inline void settle(side *s)
{
    CHECK_OK(
        engine_raw(s->store, (avout_op){.kind = AVOUT_OP_CHECK, .path = "/avout", .version = -1}));
}

#endif
