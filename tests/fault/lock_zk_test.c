/* The lease on ZooKeeper: what a holder may believe while the server does not answer, and after.
 * Test-tags: slow */
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

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
        crowd_sleep_ms(20);
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
    while (avout_lock_is_held(lock)) crowd_sleep_ms(1);
    int64_t held_ms = (avout__now_ns() - paused_ns) / 1000000;
    if (held_ms > SESSION_MS + 200) test_failed(__FILE__, __LINE__, "held for %d ms", (int)held_ms);
    CHECK(held_ms >= SESSION_MS / 3);
    for (int i = 0; !lost.calls && i < 2000; i++) crowd_sleep_ms(1);
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
