/* An atom: one value that many processes change, each change exactly once.
 *
 *     counter lmdb:DIRECTORY | zk://HOST:PORT
 *
 * Run it as often and as many at a time as you like: no increment is ever lost. */
#include <stdio.h>

#include <avout.h>

/* Any function from value to value will do; this one is (comp (partial + 10) inc). */
static avout_status inc_and_add_ten(avout_value *value, void *payload)
{
    (void)payload;
    avout_status st = avout_inc(value);
    if (!st) st = avout_add(value, avout_int(10));
    return st;
}

int main(int argc, char **argv)
{
    avout_client *client = NULL;
    avout_atom *counter = NULL;
    avout_value old_value = AVOUT_NONE, new_value = AVOUT_NONE;
    int64_t from = 0, to = 0;

    avout_status st = avout_connect(argc > 1 ? argv[1] : NULL, NULL, &client);
    if (!st) st = avout_atom_create(&counter, client, "/examples/counter", avout_int(0), NULL);
    /* avout_inc_fn and some others are ready-made. */
    if (!st) st = avout_swap(counter, avout_inc_fn, NULL, NULL, NULL, NULL);
    if (!st) st = avout_swap(counter, inc_and_add_ten, NULL, &old_value, &new_value, NULL);
    if (!st) st = avout_value_to_int(&from, old_value);
    if (!st) st = avout_value_to_int(&to, new_value);
    if (!st) printf("counter: from %lld to %lld\n", (long long)from, (long long)to);
    if (st) fprintf(stderr, "counter: %s\n", avout_error_detail());

    avout_release(old_value);
    avout_release(new_value);
    avout_atom_close(counter);
    avout_close(client);
    return st != AVOUT_OK || to - from != 11;
}
