/* The lease of holds, by the clock: what extends it and what does not. The store of one client is behind a
 * decorator that gives its session a timeout; mem's own have none.
 * Test-tags: threads waits */
#include <pthread.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "store/mem/mem.h"
#include "store/store.h"
#include "support/crowd.h"
#include "support/faulty.h"
#include "support/suite.h"

#define WORLD "lease"

/* What the machine has slept, as the kernel would tell it. */
static _Atomic int64_t slept_s;

int clock_gettime(clockid_t clock, struct timespec *now)
{
    int status = (int)syscall(SYS_clock_gettime, clock, now);
    if (clock == CLOCK_BOOTTIME) now->tv_sec += slept_s;
    return status;
}

typedef struct side {
    avout_client *client;
    avout_store *store;
    avout_lock *lock;
    avout_semaphore *semaphore; /* of one permit */
    avout_lease *lease;
} side;

static side open_side(size_t index, int64_t session_ms)
{
    side s = {0};
    test_faulty_session_ms = session_ms;
    CHECK_OK(avout__store_register(&test_faulty_ops));
    CHECK_OK(avout_connect(session_ms ? "faulty:mem:" WORLD : "mem:" WORLD, NULL, &s.client));
    s.store = avout__mem_handle(WORLD, index);
    CHECK_OK(avout_lock_open(&s.lock, s.client, "/l"));
    CHECK_OK(avout_semaphore_open(&s.semaphore, s.client, "/s", 1));
    return s;
}

static void close_side(side *s)
{
    avout_lock_close(s->lock);
    avout_semaphore_close(s->semaphore);
    avout_close(s->client);
}

static avout__mem_counters counters(side *s)
{
    avout__mem_counters c;
    avout__mem_counters_of(s->store, &c);
    return c;
}

static _Atomic int losses;

static void count(const char *name, avout_token token, void *payload)
{
    (void)name, (void)token, (void)payload;
    losses++;
}

/* Locks and permits are given by two rooms. */
static void take(side *s, bool permit)
{
    CHECK_OK(permit ? avout_semaphore_acquire(&s->lease, s->semaphore, 1, NULL)
                    : avout_lock_acquire(NULL, s->lock, NULL));
}

static bool has(side *s, bool permit)
{
    return permit ? avout_lease_is_held(s->lease) : avout_lock_is_held(s->lock);
}

static void give_back(side *s, bool permit)
{
    CHECK_OK(permit ? avout_lease_release(s->lease) : avout_lock_release(s->lock));
}

typedef struct waiter {
    side *side;
    bool permit;             /* not the lock */
    _Atomic uint64_t multis; /* sent when it had it */
    pthread_t thread;
} waiter;

static void *wait_for_it(void *payload)
{
    waiter *w = payload;
    take(w->side, w->permit);
    w->multis = counters(w->side).multis;
    CHECK(has(w->side, w->permit));
    give_back(w->side, w->permit);
    return NULL;
}

/* A server that is cut off from its ensemble answers reads long after the session has ended. */
static void given_after_a_long_wait(bool permit)
{
    enum { SESSION_MS = 300 };
    side a = open_side(0, SESSION_MS), b = open_side(1, 0);
    test_faulty_session_ms = SESSION_MS;
    waiter w = {.side = &a, .permit = permit};
    take(&b, permit);
    CHECK(!pthread_create(&w.thread, NULL, wait_for_it, &w));
    TEST_AWAIT(counters(&a).armed);
    uint64_t before = counters(&a).multis;
    test_pause_ms(SESSION_MS + 20); /* what is tested is what comes after */
    CHECK_INT(before, counters(&a).multis);
    give_back(&b, permit);
    pthread_join(w.thread, NULL);
    CHECK_INT(before + 1, w.multis);
    close_side(&a);
    close_side(&b);
    suite_check_memory();
}

TEST(a_read_does_not_give_the_lock_after_a_long_wait)
{
    given_after_a_long_wait(false);
}

TEST(a_read_does_not_give_a_permit_after_a_long_wait)
{
    given_after_a_long_wait(true);
}

/* Nor is the store asked at the speed of its answers as long as none of them proves anything. */
static void given_after(int seconds)
{
    enum { TIMES = 7 };
    side a = open_side(0, 60000), b = open_side(1, 0);
    test_faulty_session_ms = 60000;
    waiter w = {.side = &a};
    take(&b, false);
    CHECK(!pthread_create(&w.thread, NULL, wait_for_it, &w));
    TEST_AWAIT(counters(&a).armed >= 2);
    slept_s += seconds;
    for (int i = 0; i < TIMES; i++)
        test_faulty_add(&(test_faulty){
            .kind = TEST_FAULTY_REFUSE, .handle = 1, .multis = true, .status = AVOUT_EIO});
    CHECK_OK(avout_lock_release(b.lock));
    test_pause_ms(200); /* time is the subject: so many tries there are in it, no more */
    CHECK(test_faulty_left() > TIMES / 2);
    CHECK(!w.multis);
    pthread_join(w.thread, NULL);
    CHECK_INT(0, test_faulty_left());
    close_side(&a);
    close_side(&b);
    suite_check_memory();
}

TEST(a_lock_is_not_given_before_a_heartbeat_is_answered)
{
    given_after(61);
}

/* It would be lost before the next heartbeat is answered, if that takes a while. */
TEST(a_lock_is_not_given_with_a_lease_that_is_about_to_run_out)
{
    given_after(55);
}

/* Refused without having been sent, as by a library that has no memory. */
TEST(refused_heartbeats_do_not_extend_it)
{
    enum { SESSION_MS = 600, TIMES = 40 };
    side a = open_side(0, SESSION_MS);
    losses = 0;
    CHECK_OK(avout_lock_on_lost(a.lock, count, NULL));
    CHECK_OK(avout_lock_acquire(NULL, a.lock, NULL));
    int64_t begun = avout__now_ns();
    for (int i = 0; i < TIMES; i++)
        test_faulty_add(
            &(test_faulty){.kind = TEST_FAULTY_REFUSE, .multis = true, .status = AVOUT_ENOMEM});
    while (!losses && avout__now_ns() - begun < (int64_t)5 * SESSION_MS * 1000000) test_pause_ms(1);
    CHECK_INT(1, losses);
    CHECK(!avout_lock_is_held(a.lock));
    CHECK(test_faulty_left() > TIMES / 2); /* and are not sent without a pause */
    CHECK_STATUS(AVOUT_ELOST, avout_lock_release(a.lock));
    while (test_faulty_left()) test_pause_ms(1); /* a heartbeat each */
    CHECK_OK(avout_lock_acquire(NULL, a.lock, NULL));
    CHECK_OK(avout_lock_release(a.lock));
    close_side(&a);
    suite_check_memory();
}

TEST(a_machine_that_slept_has_lost_it)
{
    side a = open_side(0, 60000);
    losses = 0;
    CHECK_OK(avout_lock_on_lost(a.lock, count, NULL));
    CHECK_OK(avout_lock_acquire(NULL, a.lock, NULL));
    CHECK(avout_lock_is_held(a.lock));
    slept_s += 59;
    CHECK(avout_lock_is_held(a.lock));
    slept_s += 2;
    CHECK(!avout_lock_is_held(a.lock));
    TEST_AWAIT(losses);
    CHECK_STATUS(AVOUT_ELOST, avout_lock_release(a.lock));
    CHECK_OK(avout_lock_acquire(NULL, a.lock, NULL));
    CHECK(avout_lock_is_held(a.lock));
    CHECK_OK(avout_lock_release(a.lock));
    close_side(&a);
    suite_check_memory();
}

TEST(a_machine_that_slept_leads_no_more)
{
    side a = open_side(0, 60000);
    avout_election *election;
    avout_token token;
    CHECK_OK(avout_election_open(&election, a.client, "/e"));
    CHECK_OK(avout_election_enrol(election, "x", 1));
    CHECK_OK(avout_election_await_term(&token, election, NULL));
    slept_s += 59;
    CHECK(avout_election_leads(election));
    slept_s += 2;
    CHECK(!avout_election_leads(election)); /* who asks first knows it */
    avout_election_close(election);
    close_side(&a);
    suite_check_memory();
}

/* ---- permits and terms end by the same clock --------------------------------------------------------------- */

static _Atomic int terms, depositions;

static void on_term(const char *name, bool elected, avout_token token, void *payload)
{
    (void)name, (void)token, (void)payload;
    if (elected) terms++;
    else depositions++;
}

/* Cut off for as long as a session lasts: nothing is held any more, whatever becomes of the session, and the
 * candidate is one again. */
TEST(permits_and_terms_end_while_the_connection_is_lost)
{
    enum { SESSION_MS = 300 };
    side a = open_side(0, SESSION_MS);
    avout_semaphore *semaphore;
    avout_election *election;
    avout_lease *lease;
    avout_token first, second;
    losses = 0;
    CHECK_OK(avout_semaphore_open(&semaphore, a.client, "/s", 1));
    CHECK_OK(avout_election_open(&election, a.client, "/e"));
    CHECK_OK(avout_semaphore_on_lost(semaphore, count, NULL));
    CHECK_OK(avout_election_on_term(election, on_term, NULL));
    CHECK_OK(avout_semaphore_acquire(&lease, semaphore, 1, NULL));
    CHECK_OK(avout_election_enrol(election, "x", 1));
    CHECK_OK(avout_election_await_term(&first, election, NULL));
    test_pause_ms(2 * SESSION_MS); /* heartbeats keep both */
    CHECK(avout_lease_is_held(lease) && avout_election_leads(election));
    avout__mem_reconnect_after(a.store, AVOUT_FOREVER);
    CHECK_OK(avout__mem_suspend(a.store));
    CHECK(avout_lease_is_held(lease) && avout_election_leads(election));
    int64_t begun = avout__now_ns();
    while (avout_lease_is_held(lease) || avout_election_leads(election)) {
        CHECK(avout__now_ns() - begun < (int64_t)5 * SESSION_MS * 1000000);
        test_pause_ms(1);
    }
    TEST_AWAIT(losses && depositions);
    CHECK_INT(1, terms);
    CHECK_STATUS(AVOUT_ENOTHELD, avout_election_token(&second, election));
    CHECK_STATUS(AVOUT_ELOST, avout_lease_release(lease));
    CHECK_OK(avout__mem_reconnect(a.store));
    CHECK_OK(avout_election_await_term(&second, election, NULL));
    CHECK(avout_token_compare(first, second) < 0);
    CHECK_OK(avout_semaphore_acquire(&lease, semaphore, 1, NULL)); /* the lost one was given back */
    CHECK_OK(avout_lease_release(lease));
    CHECK_INT(1, losses);
    CHECK_INT(1, depositions);
    avout_election_close(election);
    avout_semaphore_close(semaphore);
    close_side(&a);
    suite_check_memory();
}
