/* A semaphore: eight threads here, and those of all other processes that run this; three at a time work.
 *
 *     semaphore lmdb:DIRECTORY | zk://HOST:PORT */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <threads.h>
#include <time.h>

#include <avout.h>

enum { THREADS = 8, PERMITS = 3 };

static avout_semaphore *workers;
static _Atomic int at_work, most;
static _Atomic avout_status failed;

static void *work(void *payload)
{
    (void)payload;
    avout_lease *lease;
    avout_status st = avout_semaphore_acquire(&lease, workers, 1, NULL);
    if (!st) {
        int now = atomic_fetch_add(&at_work, 1) + 1;
        for (int seen = most; now > seen && !atomic_compare_exchange_weak(&most, &seen, now);)
            continue;
        thrd_sleep(&(struct timespec){.tv_nsec = 20000000}, NULL); /* what only so many may do */
        atomic_fetch_sub(&at_work, 1);
        st = avout_lease_release(lease); /* AVOUT_ELOST: it was not ours any more */
    }
    if (st) fprintf(stderr, "semaphore: %s\n", avout_error_detail());
    if (st) failed = st;
    return NULL;
}

int main(int argc, char **argv)
{
    avout_client *client = NULL;
    pthread_t threads[THREADS];
    int started = 0;
    avout_status st = avout_connect(argc > 1 ? argv[1] : NULL, NULL, &client);
    /* Whoever comes first makes it; who means another number of permits is refused. */
    if (!st) st = avout_semaphore_open(&workers, client, "/examples/workers", PERMITS);
    if (st) fprintf(stderr, "semaphore: %s\n", avout_error_detail());
    while (!st && started < THREADS && !pthread_create(&threads[started], NULL, work, NULL))
        started++;
    for (int i = 0; i < started; i++) pthread_join(threads[i], NULL);
    if (!st) printf("%d threads, at most %d at a time\n", started, most);
    avout_semaphore_close(workers);
    avout_close(client);
    return st || failed || most > PERMITS;
}
