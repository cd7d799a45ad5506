/* Thousands of changes in flight from one thread: they travel to the store in groups.
 *
 *     async lmdb:DIRECTORY | zk://HOST:PORT */
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>

#include <avout.h>

enum { CHANGES = 5000 };

static _Atomic int failures;
static sem_t finished;

/* On a thread of the client's, once for every change that was started. */
static void on_finished(avout_status status, avout_value old_value, avout_value new_value,
                        const char *detail, void *payload)
{
    (void)old_value, (void)new_value, (void)payload;
    if (status && failures++ == 0) fprintf(stderr, "async: %s\n", detail);
    sem_post(&finished);
}

int main(int argc, char **argv)
{
    avout_client *client = NULL;
    avout_atom *counter = NULL;
    avout_value value = AVOUT_NONE;
    avout_statistics statistics = {0};
    int64_t counted = 0;
    int started = 0;
    sem_init(&finished, 0, 0);
    avout_status st = avout_connect(argc > 1 ? argv[1] : NULL, NULL, &client);
    if (!st) st = avout_atom_create_or_reset(&counter, client, "/examples/async", avout_int(0));
    while (!st && started < CHANGES) {
        st = avout_swap_async(counter, avout_inc_fn, NULL, NULL, on_finished, NULL);
        if (!st) started++; /* what could not be started never finishes */
    }
    for (int i = 0; i < started; i++) sem_wait(&finished);
    if (!st) st = avout_atom_deref(&value, counter);
    if (!st) st = avout_value_to_int(&counted, value);
    if (st) fprintf(stderr, "async: %s\n", avout_error_detail());
    avout_client_statistics(client, &statistics);
    printf("async: %lld changes in %llu requests to the store\n", (long long)counted,
           (unsigned long long)statistics.multis);
    avout_release(value);
    avout_atom_close(counter);
    avout_close(client);
    sem_destroy(&finished);
    return st || failures || counted != CHANGES;
}
