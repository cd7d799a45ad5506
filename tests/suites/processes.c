/* A group of processes on one store; one after the other is killed at random moments and replaced:
 * nothing confirmed is lost, nothing is half done (I1, I2), no function ever sees a torn state (I4),
 * no client sees anything go back (I6). */
#include <pthread.h>

#include "support/ledger.h"

enum { WORKERS = 4, THREADS = 2, SECONDS = 6 };

static ledger_book *book;

typedef struct worker_thread {
    ledger *all;
    int number;
} worker_thread;

static void *work_on(void *payload)
{
    worker_thread *mine = payload;
    uint64_t random = crowd_thread_seed();
    while (!atomic_load(&book->over)) ledger_work(mine->all, book, mine->number, &random);
    return NULL;
}

static void work(int number)
{
    ledger all;
    ledger_open(&all, &(avout_options){.durability = AVOUT_DURABLE_NONE});
    worker_thread threads[THREADS];
    pthread_t ids[THREADS];
    for (int i = 0; i < THREADS; i++) {
        threads[i] = (worker_thread){&all, number};
        CHECK(!pthread_create(&ids[i], NULL, work_on, &threads[i]));
    }
    for (int i = 0; i < THREADS; i++) pthread_join(ids[i], NULL);
    ledger_close(&all, book);
}

static void watch(int number)
{
    (void)number;
    ledger all;
    ledger_seen seen = {0, 0};
    uint64_t random = crowd_thread_seed();
    ledger_open(&all, &(avout_options){.durability = AVOUT_DURABLE_NONE});
    while (!atomic_load(&book->over)) ledger_look(&all, book, &seen, &random);
    ledger_close(&all, book);
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
        crowd_sleep_ms(20 + (int)crowd_random(200));
        crowd_check(watchers, 2);
        crowd_replace(&workers[crowd_random(WORKERS)]);
    }
    /* The dead do not stop the living. */
    int64_t confirmed = ledger_confirmed(book), patience = crowd_now_ms() + 15000;
    while (ledger_confirmed(book) < confirmed + 20) {
        crowd_check(watchers, 2);
        if (crowd_now_ms() > patience) test_failed(__FILE__, __LINE__, "nothing goes on");
        crowd_sleep_ms(5);
    }
    atomic_store(&book->over, true);
    crowd_finish(workers, WORKERS, 20); /* less than a deadline: no call hangs */
    crowd_finish(watchers, 2, 20);
    fprintf(stderr, "# %d killed, %" PRId64 " looks\n", killed, atomic_load(&book->looks));
    ledger_audit(book);
}
