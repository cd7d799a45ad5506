/* Leader election: of all processes that run this, one leads; when it goes, however it goes, the next one does.
 *
 *     leader lmdb:DIRECTORY | zk://HOST:PORT  [SECONDS] */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <avout.h>

/* On a thread of the client's: takes note, no more. */
static void on_leader(const char *name, const avout_candidate *leader, void *payload)
{
    (void)payload;
    printf("%s: %s leads\n", name, leader ? (const char *)leader->data : "nobody");
}

typedef struct work {
    avout_election *election;
    avout_token term;
    avout_ref *done;
} work;

/* Changes nothing unless this process is still the leader at that very point: one that was stopped, and goes on
 * when another leads already, does no harm. */
static avout_status do_work(avout_txn *txn, void *payload)
{
    work *w = payload;
    avout_status st = avout_txn_require_leader(txn, w->election, w->term);
    return st ? st : avout_alter(txn, w->done, avout_inc_fn, NULL);
}

int main(int argc, char **argv)
{
    int seconds = argc > 2 ? atoi(argv[2]) : 0;
    avout_client *client = NULL;
    work w = {0};
    char me[64];
    int length = snprintf(me, sizeof me, "process %d", (int)getpid());
    avout_status st = avout_connect(argc > 1 ? argv[1] : NULL, NULL, &client);
    if (!st) st = avout_ref_create(&w.done, client, "/examples/leader/done", avout_int(0), NULL);
    if (!st) st = avout_election_open(&w.election, client, "/examples/leader");
    if (!st) st = avout_election_on_leader(w.election, on_leader, NULL);
    if (!st) st = avout_election_enrol(w.election, me, (size_t)length);
    if (!st) st = avout_election_await_term(&w.term, w.election, NULL);
    char text[AVOUT_TOKEN_SIZE];
    if (!st) printf("%s leads, in term %s\n", me, avout_token_text(text, w.term));
    for (int i = 0; !st && i <= seconds && avout_election_leads(w.election); i++) {
        if (i) sleep(1);
        st = avout_dosync(client, do_work, &w, NULL);
    }
    if (st) fprintf(stderr, "leader: %s\n", avout_error_detail());
    avout_election_close(w.election); /* resigns: the next one leads at once */
    avout_ref_close(w.done);
    avout_close(client);
    return st != AVOUT_OK;
}
