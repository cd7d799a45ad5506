/* Many processes that all want to change one atom: nobody starves (I12), and one that is stopped or
 * killed, with or without the turn, does not hold up the others. */
#include <pthread.h>
#include <unistd.h>

#include "support/crowd.h"
#include "support/suite.h"

enum { PROCESSES = 8, THREADS = 2, PATIENCE_MS = 12000, SECONDS = 4 };

static struct shared {
    _Atomic bool over;
    _Atomic int64_t confirmed[PROCESSES];
    _Atomic int64_t beside; /* changes of another atom: the store itself goes on */
} * shared;

static const avout_options unsynced = {.durability = AVOUT_DURABLE_NONE, .timeout_ms = 60000};

typedef struct contender {
    avout_atom *atom;
    _Atomic int64_t *confirmed;
} contender;

static void *contend(void *payload)
{
    contender *mine = payload;
    while (!atomic_load(&shared->over)) {
        CHECK_OK(avout_swap(mine->atom, suite_plus, &suite_one, NULL, NULL, NULL));
        atomic_fetch_add(mine->confirmed, 1);
    }
    return NULL;
}

static void run(const char *name, _Atomic int64_t *confirmed, int thread_count)
{
    avout_client *client = suite_connect_with(&unsynced);
    contender mine = {.confirmed = confirmed};
    pthread_t threads[THREADS];
    CHECK_OK(avout_atom_create(&mine.atom, client, name, avout_int(0), NULL));
    for (int i = 0; i < thread_count; i++)
        CHECK(!pthread_create(&threads[i], NULL, contend, &mine));
    for (int i = 0; i < thread_count; i++) pthread_join(threads[i], NULL);
    avout_atom_close(mine.atom);
    suite_close(client);
}

static void run_contender(int number)
{
    run("/hot", &shared->confirmed[number], THREADS);
}

static void run_beside(int number)
{
    (void)number;
    run("/beside", &shared->beside, 1);
}

/* Whether the count has grown by so many before the time is over. */
static bool goes_on(_Atomic int64_t *count, int64_t by, int patience_ms)
{
    int64_t before = atomic_load(count), limit = crowd_now_ms() + patience_ms;
    while (atomic_load(count) < before + by) {
        if (crowd_now_ms() > limit) return false;
        test_pause_ms(2);
    }
    return true;
}

/* All but one (-1: all) get on. Answers the longest time one of them took. */
static int64_t others_go_on(int except)
{
    int64_t longest = 0;
    for (int i = 0; i < PROCESSES; i++) {
        if (i == except) continue;
        int64_t start = crowd_now_ms();
        if (!goes_on(&shared->confirmed[i], 3, PATIENCE_MS))
            test_failed(__FILE__, __LINE__, "process %d does not go on", i);
        if (crowd_now_ms() - start > longest) longest = crowd_now_ms() - start;
    }
    return longest;
}

static void start(crowd_process all[PROCESSES + 1])
{
    shared = crowd_share(sizeof *shared);
    suite_url();
    for (int i = 0; i < PROCESSES; i++) crowd_start(&all[i], run_contender, i);
    crowd_start(&all[PROCESSES], run_beside, PROCESSES);
    for (int i = 0; i < PROCESSES; i++) CHECK(goes_on(&shared->confirmed[i], 1, 3 * PATIENCE_MS));
}

static void finish(crowd_process all[PROCESSES + 1])
{
    crowd_check(all, PROCESSES + 1);
    atomic_store(&shared->over, true);
    crowd_finish(all, PROCESSES + 1, 40);
}

TEST(nobody_starves)
{
    crowd_process all[PROCESSES + 1];
    start(all);
    int64_t before[PROCESSES], total = 0, least = INT64_MAX;
    for (int i = 0; i < PROCESSES; i++) before[i] = atomic_load(&shared->confirmed[i]);
    test_pause_ms(SECONDS * 1000);
    for (int i = 0; i < PROCESSES; i++) {
        int64_t count = atomic_load(&shared->confirmed[i]) - before[i];
        total += count;
        if (count < least) least = count;
    }
    fprintf(stderr, "# %" PRId64 " changes, the slowest process %.2f of the mean\n", total,
            (double)least * PROCESSES / (double)total);
    CHECK(least * PROCESSES * 10 > total);
    finish(all);
}

/* Stopped inside the store's own write lock (only where the store is embedded) it stops everybody:
 * that is the store's to say, not the queue's. */
TEST(a_stopped_process_does_not_stop_the_others)
{
    crowd_process all[PROCESSES + 1];
    int64_t longest = 0;
    int in_lock = 0;
    start(all);
    for (int done = 0; done < 4;) {
        int stopped = (int)crowd_random(PROCESSES);
        test_pause_ms((int)crowd_random(40));
        crowd_stop(&all[stopped]);
        if (!goes_on(&shared->beside, 2, 1500)) {
            CHECK(++in_lock < 20);
        } else {
            int64_t took = others_go_on(stopped);
            if (took > longest) longest = took;
            done++;
        }
        crowd_go_on(&all[stopped]);
        CHECK(goes_on(&shared->confirmed[stopped], 3, PATIENCE_MS));
    }
    fprintf(stderr, "# nobody waited longer than %" PRId64 " ms; %d times in the write lock\n",
            longest, in_lock);
    finish(all);
}

TEST(a_killed_process_does_not_stop_the_others)
{
    crowd_process all[PROCESSES + 1];
    int64_t longest = 0;
    start(all);
    for (int i = 0; i < 8; i++) {
        int killed = (int)crowd_random(PROCESSES);
        test_pause_ms((int)crowd_random(40));
        crowd_replace(&all[killed]);
        int64_t took = others_go_on(killed);
        if (took > longest) longest = took;
    }
    fprintf(stderr, "# nobody waited longer than %" PRId64 " ms\n", longest);
    finish(all);
}
