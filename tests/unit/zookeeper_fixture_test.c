/* The fixture itself: servers come up, can be killed, stopped and started again, and an ensemble
 * elects another leader.
 * All tests on ZooKeeper use it under the sanitizers. Test-tags: slow waits */
#include "support/zookeeper.h"

#include <stdlib.h>

#include "support/test.h"

TEST(one_server_is_killed_and_comes_back)
{
    char answer[2048];
    test_zk *zk = test_zk_start(1);
    CHECK(test_zk_ask(zk, 0, "ruok", answer, sizeof answer));
    CHECK_TEXT("imok", answer);
    CHECK_INT(0, test_zk_leader(zk));
    test_zk_kill(zk, 0);
    CHECK(!test_zk_ask(zk, 0, "ruok", answer, sizeof answer));
    test_zk_restart(zk, 0);
    test_zk_wait(zk, 0);
    CHECK(test_zk_ask(zk, 0, "srvr", answer, sizeof answer));
    CHECK_CONTAINS("Mode: standalone", answer);
    test_zk_end(zk);
}

TEST(a_paused_server_is_silent)
{
    char answer[64];
    test_zk *zk = test_zk_start(1);
    test_zk_pause(zk, 0);
    CHECK(!test_zk_ask(zk, 0, "ruok", answer, sizeof answer));
    test_zk_resume(zk, 0);
    CHECK(test_zk_ask(zk, 0, "ruok", answer, sizeof answer));
    test_zk_end(zk);
}

TEST_WITHIN(an_ensemble_elects_another_leader, 90)
{
    test_zk *zk = test_zk_start(3);
    int first = test_zk_leader(zk);
    test_zk_kill(zk, first);
    int second = test_zk_leader(zk);
    CHECK(second != first);
    test_zk_restart(zk, first);
    test_zk_wait(zk, first);
    test_zk_end(zk);
}

TEST(urls_are_never_the_same)
{
    setenv("AVOUT_TEST_ZOOKEEPER", "127.0.0.1:1", 1);
    const char *one = test_zk_shared_url();
    const char *two = test_zk_shared_url();
    CHECK_CONTAINS("zk://127.0.0.1:1/test-", one);
    CHECK(strcmp(one, two));
}
