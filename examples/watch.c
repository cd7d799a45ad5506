/* A watch: a function called after every change, whoever made it, with old and new value.
 *
 *     watch lmdb:DIRECTORY | zk://HOST:PORT */
#include <semaphore.h>
#include <stdio.h>

#include <avout.h>

/* Runs on a thread of the client's: it takes note and wakes whoever is to work on it. */
static void on_change(const char *key, avout_value old_value, avout_value new_value, void *payload)
{
    char *from = NULL, *to = NULL;
    if (!avout_edn_text(&from, NULL, old_value) && !avout_edn_text(&to, NULL, new_value))
        printf("%s: from %s to %s\n", key, from, to);
    avout_edn_free(from);
    avout_edn_free(to);
    if (avout_value_equal(avout_value_get(new_value, avout_keyword("ready")), avout_bool(true)))
        sem_post(payload);
}

int main(int argc, char **argv)
{
    avout_client *client = NULL;
    avout_atom *state = NULL;
    sem_t ready;
    sem_init(&ready, 0, 0);
    avout_status st = avout_connect(argc > 1 ? argv[1] : NULL, NULL, &client);
    if (!st) st = avout_atom_create_or_reset(&state, client, "/examples/watch", avout_map(0, NULL));
    if (!st) st = avout_atom_add_watch(state, "watch", on_change, &ready, NULL);

    /* Usually another process does this. */
    avout_value value = avout_map(0, NULL);
    if (!st) st = avout_assoc(&value, avout_keyword("host"), avout_string("db-1"));
    if (!st) st = avout_reset(state, avout_share(value), NULL);
    if (!st) st = avout_assoc(&value, avout_keyword("ready"), avout_bool(true));
    if (!st) st = avout_reset(state, avout_share(value), NULL);
    avout_release(value);

    if (!st) sem_wait(&ready); /* the last change is always shown */
    if (!st) st = avout_atom_remove_watch(state, "watch");
    if (st) fprintf(stderr, "watch: %s\n", avout_error_detail());
    avout_atom_close(state);
    avout_close(client); /* no watch runs after it */
    sem_destroy(&ready);
    return st != AVOUT_OK;
}
