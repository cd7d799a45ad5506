/* A group of processes on one store; one after the other is killed at random moments and replaced:
 * nothing confirmed is lost, nothing is half done (I1, I2), no function ever sees a torn state (I4),
 * no client sees anything go back (I6). */
#include "support/ledger.h"

enum { WORKERS = 4, THREADS = 2, SECONDS = 6 };

static ledger_book *book;

static const avout_options unsynced = {.durability = AVOUT_DURABLE_NONE};

static void work(int number)
{
    ledger_live(book, number, THREADS, &unsynced);
}

static void watch(int number)
{
    (void)number;
    ledger_watch(book, &unsynced);
}

TEST(members_are_killed_and_replaced)
{
    crowd_process workers[WORKERS], watchers[2];
    book = crowd_share(sizeof *book);
    ledger_create();
    for (int i = 0; i < 2; i++) crowd_start(&watchers[i], watch, WORKERS + i);
    for (int i = 0; i < WORKERS; i++) crowd_start(&workers[i], work, i);
    int64_t end = crowd_now_ms() + SECONDS * 1000;
    int killed = 0;
    for (; crowd_now_ms() < end; killed++) {
        test_pause_ms(20 + (int)crowd_random(200));
        crowd_check(watchers, 2);
        crowd_replace(&workers[crowd_random(WORKERS)]);
    }
    /* The dead do not stop the living. */
    ledger_await_progress(book, WORKERS, 15, watchers, 2);
    atomic_store(&book->over, true);
    crowd_finish(workers, WORKERS, 20); /* less than a deadline: no call hangs */
    crowd_finish(watchers, 2, 20);
    fprintf(stderr, "# %d killed, %" PRId64 " looks\n", killed, atomic_load(&book->looks));
    CHECK_INT(0, ledger_refused(book) + ledger_unknown(book));
    ledger_audit(book);
}
