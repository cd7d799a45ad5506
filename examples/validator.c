/* A validator: no value gets past it, whoever's function computed it.
 *
 *     validator lmdb:DIRECTORY | zk://HOST:PORT */
#include <stdio.h>

#include <avout.h>

static avout_status not_negative(avout_value value, void *payload)
{
    const char *what = payload;
    int64_t number = 0;
    avout_status st = avout_value_to_int(&number, value);
    if (!st && number < 0)
        st = avout_fail(AVOUT_EVALIDATOR, "%s would be %lld", what, (long long)number);
    return st;
}

static avout_status take(avout_value *stock, void *payload)
{
    return avout_sub(stock, avout_int(*(int *)payload));
}

int main(int argc, char **argv)
{
    avout_client *client = NULL;
    avout_atom *stock = NULL;
    int few = 3, many = 30;
    char name[] = "the stock";
    avout_status st = avout_connect(argc > 1 ? argv[1] : NULL, NULL, &client);
    if (!st) st = avout_atom_create_or_reset(&stock, client, "/examples/stock", avout_int(10));
    if (!st) st = avout_atom_set_validator(stock, not_negative, name, NULL);
    if (!st) st = avout_swap(stock, take, &few, NULL, NULL, NULL);
    if (st) fprintf(stderr, "validator: %s\n", avout_error_detail());

    avout_status refused = st ? st : avout_swap(stock, take, &many, NULL, NULL, NULL);
    if (refused == AVOUT_EVALIDATOR) printf("refused: %s\n", avout_error_detail());

    avout_value left = AVOUT_NONE;
    int64_t number = 0;
    if (!st) st = avout_atom_deref(&left, stock);
    if (!st) st = avout_value_to_int(&number, left);
    if (!st) printf("left: %lld\n", (long long)number);
    avout_release(left);
    avout_atom_close(stock);
    avout_close(client);
    return st || refused != AVOUT_EVALIDATOR || number != 7;
}
