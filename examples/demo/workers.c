/* The processes of part 2: some move members in transactions, one watches. Their standard input is the
 * sign to stop: when it closes, whoever closed it, they end. They report on standard output. */
#define _GNU_SOURCE 1 /* rand_r */

#include "demo.h"

#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static bool tell(const report *r)
{
    return write(STDOUT_FILENO, r, sizeof *r) == (ssize_t)sizeof *r;
}

static bool told_to_stop(int timeout_ms)
{
    struct pollfd in = {.fd = STDIN_FILENO, .events = POLLIN};
    return poll(&in, 1, timeout_ms) > 0;
}

/* ---- a process that moves members ---------------------------------------------------------------- */

typedef struct mover {
    avout_ref *groups[GROUPS];
    avout_ref *moves;
    avout_value run; /* whose moves they are, in the map of moves */
    int64_t member;
    int step; /* how many groups further */
} mover;

/* The transaction: may run several times, and touches nothing but refs. */
static avout_status move(avout_txn *txn, void *payload)
{
    mover *m = payload;
    avout_value member = avout_int(m->member);
    avout_value groups[GROUPS] = {AVOUT_NONE};
    avout_status st = AVOUT_OK;
    for (int g = 0; g < GROUPS && !st; g++) st = avout_txn_deref(&groups[g], txn, m->groups[g]);
    /* Not even in the middle of others' work may a transaction see somebody lost. */
    if (!st) st = check_groups(groups);
    int from = 0;
    while (!st && from < GROUPS && avout_is_none(avout_value_get(groups[from], member))) from++;
    int to = (from + m->step) % GROUPS;
    if (!st) st = avout_disj(&groups[from], avout_share(member));
    if (!st) st = avout_conj(&groups[to], avout_share(member));
    if (!st) st = avout_ref_set(txn, m->groups[from], avout_share(groups[from]));
    if (!st) st = avout_ref_set(txn, m->groups[to], avout_share(groups[to]));
    avout_value moves = AVOUT_NONE;
    if (!st) st = avout_txn_deref(&moves, txn, m->moves);
    if (!st) st = avout_update_in(&moves, 1, &m->run, avout_inc_fn, NULL);
    if (!st) st = avout_ref_set(txn, m->moves, avout_share(moves));
    avout_release(moves);
    for (int g = 0; g < GROUPS; g++) avout_release(groups[g]);
    return st;
}

static avout_status move_until_told(avout_client *client, mover *m, unsigned seed)
{
    report r = {0};
    avout_statistics statistics;
    avout_status st = AVOUT_OK;
    double next = 0;
    while (!st && !told_to_stop(0)) {
        m->member = 1 + rand_r(&seed) % MEMBERS;
        m->step = 1 + rand_r(&seed) % (GROUPS - 1);
        st = avout_dosync(client, move, m, NULL);
        if (!st) r.moves++;
        if (seconds_now() < next) continue;
        next = seconds_now() + 0.1;
        avout_client_statistics(client, &statistics);
        r.retries = statistics.retries;
        if (!tell(&r)) break;
    }
    avout_client_statistics(client, &statistics);
    r.retries = statistics.retries;
    tell(&r);
    return st;
}

int run_mover(const char *store, const char *run, int number)
{
    avout_client *client = NULL;
    mover m = {.run = avout_string(run)};
    char who[32];
    snprintf(who, sizeof who, "process %d", number);
    avout_status st = avout_connect(store, NULL, &client);
    if (!st) st = open_groups(m.groups, client);
    if (!st) st = avout_ref_open(&m.moves, client, MOVES_NAME);
    if (!st) st = move_until_told(client, &m, (unsigned)number + (unsigned)getpid());
    if (st) complain(who, "stopped", st);
    avout_ref_close(m.moves);
    close_groups(m.groups);
    avout_release(m.run);
    avout_close(client);
    return st != AVOUT_OK;
}

/* ---- the process that watches --------------------------------------------------------------------- */

typedef struct watcher {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    uint64_t changes;
} watcher;

/* On a thread of the client's: only takes note. */
static void on_change(const char *key, avout_value old_value, avout_value new_value, void *payload)
{
    watcher *w = payload;
    (void)key, (void)old_value, (void)new_value;
    pthread_mutex_lock(&w->lock);
    w->changes++;
    pthread_cond_signal(&w->changed);
    pthread_mutex_unlock(&w->lock);
}

static uint64_t wait_for_change(watcher *w, uint64_t known)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += 50 * 1000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_mutex_lock(&w->lock);
    int late = 0;
    while (w->changes == known && !late)
        late = pthread_cond_timedwait(&w->changed, &w->lock, &until);
    known = w->changes;
    pthread_mutex_unlock(&w->lock);
    return known;
}

int run_watcher(const char *store)
{
    watcher w = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0};
    avout_client *client = NULL;
    avout_ref *groups[GROUPS] = {NULL};
    report r = {0};
    size_t sizes[GROUPS] = {0};
    double next = 0;
    avout_status st = avout_connect(store, NULL, &client);
    if (!st) st = open_groups(groups, client);
    for (int g = 0; g < GROUPS && !st; g++)
        st = avout_ref_add_watch(groups[g], "demo", on_change, &w, NULL);
    while (!st && !told_to_stop(0)) {
        r.changes = wait_for_change(&w, r.changes);
        st = look(groups, sizes);
        r.looks += !st;
        for (int g = 0; g < GROUPS; g++) r.sizes[g] = sizes[g];
        if (seconds_now() < next) continue;
        next = seconds_now() + 0.1;
        if (!tell(&r)) break;
    }
    tell(&r);
    if (st) complain("watching process", "stopped", st);
    close_groups(groups);
    avout_close(client); /* no watch runs after it, so *w may go */
    return st != AVOUT_OK;
}
