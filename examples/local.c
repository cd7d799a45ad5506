/* Local refs: state of this process in the same transactions as state everybody shares. Here a
 * process counts its own jobs, exactly when the shared list of jobs really shrinks.
 *
 *     local lmdb:DIRECTORY | zk://HOST:PORT */
#include <stdio.h>

#include <avout.h>

typedef struct worker {
    avout_ref *jobs; /* shared, in the store */
    avout_ref *done; /* of this process */
} worker;

static avout_status pop(avout_value *jobs, void *payload)
{
    (void)payload;
    return avout_pop(jobs);
}

static avout_status do_job(avout_txn *txn, void *payload)
{
    const worker *w = payload;
    avout_status st = avout_alter(txn, w->done, avout_inc_fn, NULL);
    /* Fails with AVOUT_ESTATE when no job is left: then `done` has not changed either. */
    return st ? st : avout_alter(txn, w->jobs, pop, NULL);
}

int main(int argc, char **argv)
{
    avout_client *client = NULL;
    worker w = {NULL, NULL};
    avout_value done = AVOUT_NONE;
    int64_t count = 0;
    avout_value jobs[] = {avout_keyword("sweep"), avout_keyword("wash"), avout_keyword("dry")};
    avout_value list = avout_list(3, jobs);

    avout_status st = avout_connect(argc > 1 ? argv[1] : NULL, NULL, &client);
    if (!st) st = avout_ref_create_or_reset(&w.jobs, client, "/examples/jobs", avout_share(list));
    if (!st) st = avout_ref_local(&w.done, client, avout_int(0));
    while (!st) st = avout_dosync(client, do_job, &w, NULL);
    if (st == AVOUT_ESTATE) st = avout_ref_deref(&done, w.done);
    if (!st) st = avout_value_to_int(&count, done);
    if (st) fprintf(stderr, "local: %s\n", avout_error_detail());
    else printf("local: %lld jobs done by this process\n", (long long)count);

    avout_release(done);
    avout_release(list);
    avout_ref_close(w.jobs);
    avout_ref_close(w.done);
    avout_close(client);
    return st || count != 3;
}
