/* Processes that want permits of one semaphore and the term of one election, and are killed at any moment, with
 * something outside to guard, in memory that all share: never more inside than there are permits, one leader
 * at a time, with tokens that grow (I8); whoever is killed, the others go on (I12), and nothing is left. */
#include <pthread.h>
#include <stdatomic.h>

#include "support/crowd.h"
#include "support/suite.h"

enum { WORKERS = 5, PERMITS = 3, SESSION_MS = 4000 };

/* Those of dead processes end after a while: not those of the embedded store. */
static bool sessions_expire;

typedef struct guarded {
    _Atomic bool over;
    _Atomic bool dying[WORKERS]; /* about to be killed: what it has may be had by others soon */
    _Atomic int inside[WORKERS];
    _Atomic bool leads[WORKERS];
    _Atomic int64_t acquired[WORKERS], led[WORKERS];
    _Atomic uint64_t greatest; /* of the leaders' tokens */
    _Atomic int64_t too_many, two_lead, old_tokens, lost;
} guarded;

static guarded *shared;

typedef struct worker {
    avout_client *client;
    int number;
} worker;

/* A machine that stands still for as long as a session lasts loses it: then nothing else can be said. */
static void expect(avout_status status)
{
    if (status == AVOUT_ELOST) shared->lost++;
    else if (status != AVOUT_ETIMEOUT) CHECK_OK(status);
}

static void *take_permits(void *payload)
{
    worker *w = payload;
    avout_semaphore *semaphore;
    CHECK_OK(avout_semaphore_open(&semaphore, w->client, "/permits", PERMITS));
    while (!shared->over) {
        avout_lease *lease;
        avout_wait_options options = {.timeout_ms = crowd_random(4) ? 5000 : crowd_random(20)};
        int permits = 1 + (int)crowd_random(PERMITS), inside = 0;
        avout_status status =
            avout_semaphore_acquire(&lease, semaphore, (uint32_t)permits, &options);
        expect(status);
        if (status) continue;
        shared->inside[w->number] = permits;
        for (int i = 0; i < WORKERS; i++)
            if (!shared->dying[i]) inside += shared->inside[i];
        if (inside > PERMITS) shared->too_many++;
        test_pause_ms((int)crowd_random(4));
        shared->inside[w->number] = 0;
        expect(avout_lease_release(lease));
        shared->acquired[w->number]++;
    }
    avout_semaphore_close(semaphore);
    return NULL;
}

static void lead(worker *w, avout_token token)
{
    uint64_t greatest = shared->greatest;
    if (token.point <= greatest) shared->old_tokens++;
    else if (!atomic_compare_exchange_strong(&shared->greatest, &greatest, token.point))
        shared->two_lead++;
    shared->leads[w->number] = true;
    for (int i = 0; i < WORKERS; i++)
        if (i != w->number && !shared->dying[i] && shared->leads[i]) shared->two_lead++;
    test_pause_ms((int)crowd_random(4));
    shared->leads[w->number] = false;
    shared->led[w->number]++;
}

static void *take_terms(void *payload)
{
    worker *w = payload;
    avout_election *election;
    CHECK_OK(avout_election_open(&election, w->client, "/term"));
    while (!shared->over) {
        avout_token token;
        avout_wait_options options = {.timeout_ms = crowd_random(4) ? 5000 : crowd_random(20)};
        CHECK_OK(avout_election_enrol(election, "x", 1));
        avout_status status = avout_election_await_term(&token, election, &options);
        expect(status);
        if (!status && avout_election_leads(election)) lead(w, token);
        CHECK_OK(avout_election_resign(election));
    }
    avout_election_close(election);
    return NULL;
}

static void work(int number)
{
    worker w = {.number = number};
    pthread_t thread;
    avout_options options = {.session_timeout_ms = SESSION_MS};
    CHECK_OK(avout_connect(suite_url(), &options, &w.client));
    CHECK(!pthread_create(&thread, NULL, take_permits, &w));
    take_terms(&w);
    pthread_join(thread, NULL);
    avout_close(w.client);
}

static void await_progress(crowd_process *workers)
{
    int64_t acquired[WORKERS], led[WORKERS], until = crowd_now_ms() + 40000;
    for (int i = 0; i < WORKERS; i++) acquired[i] = shared->acquired[i], led[i] = shared->led[i];
    for (int i = 0; i < WORKERS; i++) {
        while (shared->acquired[i] == acquired[i] || shared->led[i] == led[i]) {
            if (crowd_now_ms() > until)
                test_failed(__FILE__, __LINE__, "worker %d gets nothing any more", i);
            crowd_check(workers, WORKERS);
            test_pause_ms(2);
        }
    }
}

static void replace(crowd_process *one)
{
    int i = one->number;
    shared->dying[i] = true;
    crowd_kill(one);
    shared->inside[i] = 0;
    shared->leads[i] = false;
    shared->dying[i] = false;
    crowd_start(one, work, i);
}

static void audit(void)
{
    avout_client *client;
    avout_semaphore_report *permits;
    avout_election_report *term;
    CHECK_OK(avout_connect(suite_url(), NULL, &client));
    for (int64_t until = crowd_now_ms() + 20000;; test_pause_ms(10)) {
        CHECK_OK(avout_semaphore_inspect(&permits, client, "/permits"));
        CHECK_OK(avout_election_inspect(&term, client, "/term"));
        size_t left = permits->count + term->count;
        avout_semaphore_report_free(permits);
        avout_election_report_free(term);
        if (!left) break;
        if (crowd_now_ms() > until) test_failed(__FILE__, __LINE__, "%zu requests are left", left);
    }
    avout_close(client);
    if (shared->lost) return;
    CHECK_INT(0, shared->too_many);
    CHECK_INT(0, shared->two_lead);
    CHECK_INT(0, shared->old_tokens);
}

TEST_WITHIN(holders_waiters_and_leaders_are_killed, 120)
{
    crowd_process workers[WORKERS];
    shared = crowd_share(sizeof *shared);
    suite_url();
    for (int i = 0; i < WORKERS; i++) crowd_start(&workers[i], work, i);
    await_progress(workers);
    int64_t end = crowd_now_ms() + (sessions_expire ? 7000 : 4000);
    int killed = 0;
    for (; crowd_now_ms() < end; killed++) {
        test_pause_ms((int)crowd_random(sessions_expire ? 1500 : 150));
        crowd_check(workers, WORKERS);
        replace(&workers[crowd_random(WORKERS)]);
    }
    await_progress(workers);
    shared->over = true;
    crowd_finish(workers, WORKERS, 30);
    fprintf(stderr, "# %d killed\n", killed);
    audit();
}
