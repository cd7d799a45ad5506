/* A transaction over two refs that refuses: with a status of the program's own.
 *
 *     transfer lmdb:DIRECTORY | zk://HOST:PORT */
#include <stdio.h>

#include <avout.h>

enum { INSUFFICIENT_FUNDS = 1 }; /* positive statuses are the user's */

typedef struct transfer {
    avout_ref *from, *to;
    int64_t amount;
} transfer;

static avout_status run_transfer(avout_txn *txn, void *payload)
{
    const transfer *t = payload;
    avout_value from = AVOUT_NONE, to = AVOUT_NONE;
    int64_t balance = 0;
    avout_status st = avout_txn_deref(&from, txn, t->from);
    if (!st) st = avout_txn_deref(&to, txn, t->to);
    if (!st) st = avout_value_to_int(&balance, from);
    if (!st && balance < t->amount)
        st = avout_fail(INSUFFICIENT_FUNDS, "only %lld left", (long long)balance);
    if (!st) st = avout_sub(&from, avout_int(t->amount));
    if (!st) st = avout_add(&to, avout_int(t->amount));
    if (!st) st = avout_ref_set(txn, t->from, avout_share(from));
    if (!st) st = avout_ref_set(txn, t->to, avout_share(to));
    avout_release(from);
    avout_release(to);
    return st;
}

int main(int argc, char **argv)
{
    avout_client *client = NULL;
    transfer t = {NULL, NULL, 60};
    avout_status st = avout_connect(argc > 1 ? argv[1] : NULL, NULL, &client);
    if (!st)
        st = avout_ref_create_or_reset(&t.from, client, "/examples/transfer/ann", avout_int(100));
    if (!st) st = avout_ref_create_or_reset(&t.to, client, "/examples/transfer/bob", avout_int(0));
    int done = 0;
    while (!st) {
        st = avout_dosync(client, run_transfer, &t, NULL);
        if (!st) printf("transfer %d: 60 moved\n", ++done);
    }
    if (st == INSUFFICIENT_FUNDS)
        printf("transfer %d: refused, %s\n", done + 1, avout_error_detail());
    if (st < 0) fprintf(stderr, "transfer: %s\n", avout_error_detail());
    avout_ref_close(t.from);
    avout_ref_close(t.to);
    avout_close(client);
    return st != INSUFFICIENT_FUNDS || done != 1;
}
