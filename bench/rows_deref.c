/* Reading what is cached, against what no shared counter can do without. */
#include "rows.h"

#include <stdatomic.h>

#include "report.h"
#include "world.h"

enum { BATCH = 1000 };

static _Atomic uint32_t shared_word;

static uint64_t count_up_and_down(void *unused, double seconds)
{
    (void)unused;
    uint64_t count = 0;
    for (double limit = seconds_now() + seconds; seconds_now() < limit; count += BATCH)
        for (int i = 0; i < BATCH; i++) {
            atomic_fetch_add_explicit(&shared_word, 1, memory_order_relaxed);
            atomic_fetch_sub_explicit(&shared_word, 1, memory_order_acq_rel);
        }
    return count;
}

uint64_t derefs(void *ref, double seconds)
{
    uint64_t count = 0;
    for (double limit = seconds_now() + seconds; seconds_now() < limit; count += BATCH)
        for (int i = 0; i < BATCH; i++) {
            avout_value value;
            need(avout_ref_deref(&value, ref), "deref");
            avout_release(value);
        }
    return count;
}

static uint64_t borrowed(void *payload, double seconds)
{
    uint64_t count = 0;
    for (double limit = seconds_now() + seconds; seconds_now() < limit; count += BATCH)
        for (int i = 0; i < BATCH; i++) {
            avout_guard_enter();
            if (avout_is_none(avout_ref_peek(payload))) fail("peek: not cached");
            avout_guard_leave();
        }
    return count;
}

void row_deref(bench *b)
{
    avout_client *client = bench_embedded_client("deref");
    avout_ref *ref;
    /* A value on the heap: small numbers have no count to increment. */
    need(avout_ref_create(&ref, client, "/text", avout_string("a value with a count"), NULL),
         "/text");
    side raw = {count_up_and_down, NULL};
    comparison c = compare(raw, (side){derefs, ref}, b->seconds / 4, 0);
    report_latency("deref", "cached deref, owned + release / atomic inc + dec", &c, 2);
    c = compare(raw, (side){borrowed, ref}, b->seconds / 4, 0);
    report_latency("deref", "cached deref, borrowed in a guard / the same", &c, 0.5);
    avout_ref_close(ref);
    avout_close(client);
}
