/* A queue that its reader waits on: avout_retry sleeps until something that was read changes. Here
 * between two threads; two programs on two machines do it with the same lines.
 *
 *     queue lmdb:DIRECTORY | zk://HOST:PORT */
#include <pthread.h>
#include <stdio.h>

#include <avout.h>

static avout_client *client;
static avout_ref *queue; /* a vector, its end first out: order does not matter here */

static avout_status take(avout_txn *txn, void *payload)
{
    int64_t *item = payload;
    avout_value items;
    avout_status st = avout_txn_deref(&items, txn, queue);
    if (st) return st;
    avout_value last = avout_value_peek(items);
    st = avout_is_none(last) ? avout_retry(txn) : avout_value_to_int(item, last);
    if (!st) st = avout_pop(&items);
    if (!st) st = avout_ref_set(txn, queue, avout_share(items));
    avout_release(items);
    return st;
}

static avout_status put(avout_txn *txn, void *payload)
{
    return avout_alter(txn, queue, avout_conj_fn, payload);
}

static void *produce(void *payload)
{
    avout_status *st = payload;
    for (int i = 1; i <= 100 && !*st; i++) {
        avout_value item = avout_int(i);
        *st = avout_dosync(client, put, &item, NULL);
        avout_release(item);
    }
    return NULL;
}

int main(int argc, char **argv)
{
    int64_t sum = 0, item = 0;
    avout_status produced = AVOUT_OK;
    pthread_t producer;
    avout_status st = avout_connect(argc > 1 ? argv[1] : NULL, NULL, &client);
    if (!st)
        st = avout_ref_create_or_reset(&queue, client, "/examples/queue", avout_vector(0, NULL));
    if (!st && !pthread_create(&producer, NULL, produce, &produced)) {
        for (int i = 0; i < 100 && !st; i++, sum += item)
            st = avout_dosync(client, take, &item, NULL);
        pthread_join(producer, NULL);
    }
    if (st) fprintf(stderr, "queue: %s\n", avout_error_detail());
    printf("queue: 100 items taken, their sum is %lld\n", (long long)sum);
    avout_ref_close(queue);
    avout_close(client);
    return st || produced || sum != 5050;
}
