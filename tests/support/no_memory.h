/* An allocator of the library's memory that fails on command, on whatever thread it is asked. */
#ifndef TESTS_SUPPORT_NO_MEMORY_H
#define TESTS_SUPPORT_NO_MEMORY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "avout/status.h"

/* Makes it the library's, or malloc again. While no block is in use. */
void no_memory_use(bool use);
/* From now on: so many allocations succeed, then so many fail (INT64_MAX: all). 10 ms after the first
 * failure there is memory again in any case: nothing is to wait for it for ever. */
void no_memory_begin(int64_t succeed, int64_t fail);
/* There is memory again; how many have failed. */
int64_t no_memory_end(void);

/* What calls were told while there was none. */
typedef struct no_memory_calls {
    _Atomic int refused;   /* so many for want of memory */
    _Atomic bool may_lose; /* a session ends: what it held may be lost */
} no_memory_calls;
/* Whether the call took effect; fails for any other reason. */
#define NO_MEMORY_DONE(calls, call) no_memory_done((calls), (call), __FILE__, __LINE__)
bool no_memory_done(no_memory_calls *calls, avout_status status, const char *file, int line);
/* Nothing is left of a play whose allocation of that number was the first to fail. */
void no_memory_check(int64_t number);

/* Plays with one failure, with a few (so that what is done about one fails as well), and with nothing but
 * failures, at each allocation in turn, until `play` answers that there were not as many. The allocator is
 * used for that time. Fails with less than `least` allocations. Before the test's process opens a client: the
 * plays are shared out to processes of their own, which run side by side. */
typedef bool (*no_memory_play)(int64_t succeed, int64_t fail, void *payload);
void no_memory_sweep(no_memory_play play, void *payload, int64_t least);

#endif
