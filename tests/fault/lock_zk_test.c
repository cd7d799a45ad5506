/* The lease on ZooKeeper: what a holder may believe while the server does not answer, and after.
 * Test-tags: slow waits */
#include <pthread.h>
#include <stdatomic.h>

#include "base/clock.h"
#include "support/crowd.h"
#include "support/suite.h"
#include "support/zookeeper.h"

enum { SESSION_MS = 1200 };

static avout_client *open_client(const char *url)
{
    avout_client *client;
    avout_options options = {.session_timeout_ms = SESSION_MS, .timeout_ms = 20000};
    CHECK_OK(avout_connect(url, &options, &client));
    return client;
}

typedef struct tally {
    _Atomic int calls;
} tally;

static void count(const char *name, avout_token token, void *payload)
{
    (void)name, (void)token;
    ((tally *)payload)->calls++;
}

/* Time itself is the subject: three timeouts pass, with nothing but heartbeats. */
TEST(a_hold_lasts_for_many_timeouts_of_the_session)
{
    test_zk *zk = test_zk_start(1);
    avout_client *client = open_client(test_zk_url(zk));
    avout_lock *lock;
    tally lost = {0};
    CHECK_OK(avout_lock_open(&lock, client, "/l"));
    CHECK_OK(avout_lock_on_lost(lock, count, &lost));
    CHECK_OK(avout_lock_acquire(NULL, lock, NULL));
    for (int i = 0; i < 3 * SESSION_MS / 20; i++) {
        CHECK(avout_lock_is_held(lock));
        test_pause_ms(20);
    }
    CHECK_OK(avout_lock_release(lock));
    CHECK_INT(0, lost.calls);
    avout_lock_close(lock);
    suite_close(client);
    suite_check_memory();
}

/* The server stands still: nobody knows whether the session lives when it goes on. The hold ends within
 * the session's timeout, and does not come back. */
TEST(a_silent_server_ends_the_hold)
{
    test_zk *zk = test_zk_start(1);
    const char *url = test_zk_url(zk);
    avout_client *client = open_client(url);
    avout_lock *lock;
    avout_token first, second;
    tally lost = {0};
    CHECK_OK(avout_lock_open(&lock, client, "/l"));
    CHECK_OK(avout_lock_on_lost(lock, count, &lost));
    CHECK_OK(avout_lock_acquire(&first, lock, NULL));
    int64_t paused_ns = avout__now_ns();
    test_zk_pause(zk, 0);
    TEST_AWAIT(!avout_lock_is_held(lock));
    int64_t held_ms = (avout__now_ns() - paused_ns) / 1000000;
    if (held_ms > SESSION_MS + 200) test_failed(__FILE__, __LINE__, "held for %d ms", (int)held_ms);
    CHECK(held_ms >= SESSION_MS / 3);
    TEST_AWAIT(lost.calls);
    CHECK_INT(1, lost.calls);
    test_zk_resume(zk, 0);
    avout_client *other = open_client(url);
    avout_lock *theirs;
    CHECK_OK(avout_lock_open(&theirs, other, "/l"));
    /* The claim goes, whether the session has ended or not. */
    CHECK_OK(avout_lock_acquire(&second, theirs, NULL));
    CHECK(avout_token_compare(first, second) < 0);
    CHECK(!avout_lock_is_held(lock));
    CHECK_STATUS(AVOUT_ELOST, avout_lock_release(lock));
    CHECK_OK(avout_lock_release(theirs));
    CHECK_OK(avout_lock_acquire(&second, lock, NULL));
    CHECK(avout_lock_is_held(lock));
    CHECK_OK(avout_lock_release(lock));
    CHECK_INT(1, lost.calls);
    avout_lock_close(lock);
    avout_lock_close(theirs);
    suite_close(client);
    suite_close(other);
    suite_check_memory();
}

/* ---- a process that is stopped ------------------------------------------------------------------------ */

/* Who has a permit and leads is stopped for longer than its session lasts. */
static struct stage {
    char url[256];
    _Atomic bool has, taken;
    _Atomic int lost, deposed;
    avout_token old_permit, old_term, new_permit, new_term;
} * stage;

typedef struct player {
    avout_client *client;
    avout_semaphore *permits;
    avout_election *election;
    avout_ref *ref;
    avout_lease *lease;
    avout_token term;
    bool by_term; /* what the transaction is conditional on */
} player;

static void on_permit_lost(const char *name, avout_token token, void *payload)
{
    (void)name, (void)payload;
    CHECK_INT(0, avout_token_compare(token, stage->old_permit));
    stage->lost++;
}

static void on_term(const char *name, bool elected, avout_token token, void *payload)
{
    (void)name, (void)token, (void)payload;
    stage->deposed += !elected;
}

static void take_both(player *p, avout_token *permit, avout_token *term)
{
    avout_wait_options patient = {.timeout_ms = 20000};
    p->client = open_client(stage->url);
    CHECK_OK(avout_semaphore_open(&p->permits, p->client, "/permit", 1));
    CHECK_OK(avout_election_open(&p->election, p->client, "/term"));
    CHECK_OK(avout_semaphore_on_lost(p->permits, on_permit_lost, NULL));
    CHECK_OK(avout_election_on_term(p->election, on_term, NULL));
    CHECK_OK(avout_ref_create(&p->ref, p->client, "/r", avout_int(0), NULL));
    CHECK_OK(avout_semaphore_acquire(&p->lease, p->permits, 1, &patient));
    CHECK_OK(avout_election_enrol(p->election, NULL, 0));
    CHECK_OK(avout_election_await_term(&p->term, p->election, &patient));
    *permit = avout_lease_token(p->lease);
    *term = p->term;
}

static avout_status add_one(avout_txn *txn, void *payload)
{
    player *p = payload;
    avout_status status = p->by_term ? avout_txn_require_leader(txn, p->election, p->term)
                                     : avout_txn_require_lease(txn, p->lease);
    return status ? status : avout_alter(txn, p->ref, suite_plus, &suite_one);
}

static void change_both_ways(player *p, avout_status expected)
{
    for (int i = 0; i < 2; i++) {
        p->by_term = i;
        CHECK_STATUS(expected, avout_dosync(p->client, add_one, p, NULL));
    }
}

static void leave_both(player *p)
{
    avout_election_close(p->election);
    avout_semaphore_close(p->permits);
    avout_ref_close(p->ref);
    suite_close(p->client);
}

static void be_stopped(int number)
{
    player p = {0};
    avout_token token;
    (void)number;
    take_both(&p, &stage->old_permit, &stage->old_term);
    change_both_ways(&p, AVOUT_OK);
    stage->has = true;
    TEST_AWAIT(stage->taken); /* stopped meanwhile */
    CHECK(!avout_lease_is_held(p.lease));
    CHECK(!avout_election_leads(p.election));
    CHECK_STATUS(AVOUT_ENOTHELD, avout_election_token(&token, p.election));
    change_both_ways(&p, AVOUT_ELOST);
    CHECK_STATUS(AVOUT_ELOST, avout_lease_release(p.lease));
    TEST_AWAIT(stage->lost && stage->deposed);
    CHECK_INT(1, stage->lost);
    CHECK_INT(1, stage->deposed);
    leave_both(&p);
}

static void take_over(int number)
{
    player p = {0};
    (void)number;
    take_both(&p, &stage->new_permit, &stage->new_term);
    CHECK(avout_token_compare(stage->old_permit, stage->new_permit) < 0);
    CHECK(avout_token_compare(stage->old_term, stage->new_term) < 0);
    change_both_ways(&p, AVOUT_OK);
    stage->taken = true;
    TEST_AWAIT(stage->deposed); /* the other has gone on, and is too late */
    CHECK(avout_lease_is_held(p.lease) && avout_election_leads(p.election));
    CHECK_INT(4, suite_ref_int(p.ref));
    CHECK_OK(avout_lease_release(p.lease));
    leave_both(&p);
}

TEST(permits_and_terms_of_one_that_is_stopped_past_its_session)
{
    crowd_process both[2];
    stage = crowd_share(sizeof *stage);
    snprintf(stage->url, sizeof stage->url, "%s", test_zk_url(test_zk_start(1)));
    crowd_start(&both[0], be_stopped, 0);
    TEST_AWAIT((crowd_check(both, 1), stage->has));
    crowd_stop(&both[0]);
    crowd_start(&both[1], take_over, 1);
    TEST_AWAIT((crowd_check(&both[1], 1), stage->taken));
    crowd_go_on(&both[0]);
    crowd_finish(both, 2, 30);
}
