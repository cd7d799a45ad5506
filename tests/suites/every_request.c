/* Every fault at every request of a life, from its beginning on. Included at the end of a program that has
 *
 *     bool live_with(avout__mem_fault fault, size_t n)   one life with the fault at request n of all that
 *                                                        anybody sends; false: not as many are sent
 *     enum { REQUESTS }                                  so many are sent at least
 *     enum { BOTH_REFUSALS }                             1: each refusal names an operation, and the whole;
 *                                                        0: one of the two
 */
#include "support/crowd.h"

/* Lives mostly wait: processes live them side by side, each every STRANDS-th one. */
enum { STRANDS = 8 };

static avout__mem_fault strand_fault;
static size_t strand_least;

static void strand(int number)
{
    size_t last = 0, quiet = 0;
    /* How many requests there are differs from life to life. */
    for (size_t n = 1 + (size_t)number; quiet < 2; n += STRANDS) {
        bool happened = live_with(strand_fault, n);
        if (happened) last = n;
        quiet = happened ? 0 : quiet + 1;
    }
    if (!number) fprintf(stderr, "# %zu requests or more\n", last);
    CHECK(last + STRANDS > strand_least);
}

static void sweep(avout__mem_fault fault, size_t least)
{
    crowd_process strands[STRANDS];
    strand_fault = fault;
    strand_least = least;
    for (int i = 0; i < STRANDS; i++) crowd_start(&strands[i], strand, i);
    crowd_finish(strands, STRANDS, 100);
}

TEST_WITHIN(every_request_is_delayed, 120)
{
    sweep((avout__mem_fault){.kind = AVOUT__MEM_DELAY, .delay_ms = 3}, REQUESTS);
}

TEST_WITHIN(every_request_is_refused_for_good, 120)
{
    static const avout_status lasting[] = {AVOUT_EIO, AVOUT_EPERM, AVOUT_ENOSPACE, AVOUT_ENOMEM};
    avout__mem_fault fault = {.kind = AVOUT__MEM_FAIL};
    for (size_t i = 0; i < sizeof lasting / sizeof *lasting; i++)
        for (size_t whole = 0; whole < 2; whole++) {
            fault.status = lasting[i];
            fault.failed_op = whole ? SIZE_MAX : 0;
            if (BOTH_REFUSALS || i % 2 == whole) sweep(fault, REQUESTS);
        }
}

TEST_WITHIN(the_connection_is_lost_before_every_request, 120)
{
    sweep((avout__mem_fault){.kind = AVOUT__MEM_LOSE_BEFORE}, REQUESTS);
}

TEST_WITHIN(the_connection_is_lost_after_every_request, 120)
{
    for (int behind = 0; behind < 2; behind++)
        sweep((avout__mem_fault){.kind = AVOUT__MEM_LOSE_AFTER, .behind = behind}, REQUESTS);
}

TEST_WITHIN(every_request_arrives_late, 120)
{
    for (int late = AVOUT__MEM_LATE_ON_COMMAND; late <= AVOUT__MEM_LATE_AFTER_NEXT; late++)
        sweep((avout__mem_fault){.kind = AVOUT__MEM_LOSE_LATE, .late = (avout__mem_late)late},
              REQUESTS);
}

TEST_WITHIN(the_session_ends_before_every_request, 120)
{
    sweep((avout__mem_fault){.kind = AVOUT__MEM_EXPIRE_BEFORE}, REQUESTS);
}

TEST_WITHIN(the_session_ends_after_every_request, 120)
{
    for (int behind = 0; behind < 2; behind++)
        sweep((avout__mem_fault){.kind = AVOUT__MEM_EXPIRE_AFTER, .behind = behind}, REQUESTS);
}

TEST_WITHIN(every_request_gets_stuck, 120)
{
    sweep((avout__mem_fault){.kind = AVOUT__MEM_HOLD_REQUEST}, REQUESTS);
}

TEST_WITHIN(every_reply_gets_stuck, 120)
{
    sweep((avout__mem_fault){.kind = AVOUT__MEM_HOLD_REPLY}, REQUESTS);
}
