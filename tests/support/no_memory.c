#include "support/no_memory.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "avout.h"
#include "base/clock.h"
#include "support/crowd.h"
#include "support/test.h"

static _Atomic int64_t until_failure, failures_left, happened, memory_back_ns;
static _Atomic bool failing;

enum { ALL_FOR_MS = 10 };

static bool fails_now(void)
{
    if (!atomic_load(&failing) || atomic_fetch_sub(&until_failure, 1) > 0) return false;
    if (atomic_fetch_sub(&failures_left, 1) <= 0) return false;
    int64_t now = avout__now_ns();
    if (!atomic_fetch_add(&happened, 1))
        atomic_store(&memory_back_ns, now + (int64_t)ALL_FOR_MS * 1000000);
    return now < atomic_load(&memory_back_ns);
}

static void *allocate(size_t size, void *payload)
{
    (void)payload;
    return fails_now() ? NULL : malloc(size);
}

static void *reallocate(void *block, size_t size, void *payload)
{
    (void)payload;
    return fails_now() ? NULL : realloc(block, size);
}

static void release(void *block, void *payload)
{
    (void)payload;
    free(block);
}

void no_memory_use(bool use)
{
    static const avout_allocator allocator = {allocate, reallocate, release, NULL};
    CHECK_OK(avout_allocator_set(use ? &allocator : NULL));
}

void no_memory_begin(int64_t succeed, int64_t fail)
{
    atomic_store(&happened, 0);
    atomic_store(&failures_left, fail);
    atomic_store(&until_failure, succeed);
    atomic_store(&failing, true);
}

int64_t no_memory_end(void)
{
    atomic_store(&failing, false);
    return atomic_load(&happened);
}

bool no_memory_done(no_memory_calls *calls, avout_status status, const char *file, int line)
{
    if (!status) return true;
    if (status == AVOUT_ELOST && calls->may_lose) return false;
    if (status != AVOUT_ENOMEM || !*avout_error_detail())
        test_failed(file, line, "%s (%s)", avout_status_name(status), avout_error_detail());
    calls->refused++;
    return false;
}

void no_memory_check(int64_t number)
{
    if (avout_memory_blocks())
        test_failed(__FILE__, __LINE__, "allocation %" PRId64 ": %zu blocks are left", number,
                    avout_memory_blocks());
}

/* Lives mostly wait, for what is tried again after a moment: several at a time, each in a process of its own. */
enum { STRANDS = 8, COUNTS = 3 };

static const int64_t counts[COUNTS] = {1, 3, INT64_MAX};

static struct {
    no_memory_play play;
    void *payload;
    int64_t least;
} strands;

static void strand(int number)
{
    int64_t count = counts[number / STRANDS], step = count < INT64_MAX ? STRANDS : 5 * STRANDS;
    int64_t n = number % STRANDS * (step / STRANDS);
    no_memory_use(true);
    while (strands.play(n, count, strands.payload)) n += step;
    CHECK(n >= strands.least);
    no_memory_use(false);
}

void no_memory_sweep(no_memory_play play, void *payload, int64_t least)
{
    crowd_process processes[COUNTS * STRANDS];
    strands.play = play;
    strands.payload = payload;
    strands.least = least;
    for (int i = 0; i < COUNTS * STRANDS; i++) crowd_start(&processes[i], strand, i);
    crowd_finish(processes, COUNTS * STRANDS, 300); /* the test has its own limit */
}
