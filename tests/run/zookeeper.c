/* ZooKeeper for a run of the tests.
 *
 *     serve      one server for all programs: prints its address and serves until ended
 *     archive    leaves the classes that a server at work has loaded in the file that
 *                AVOUT_TEST_ZOOKEEPER_ARCHIVE names, for all servers that are started after that; a run
 *                starts some hundred. Java looks whether such a file still fits, and does without if not
 */
#include <stdlib.h>
#include <unistd.h>

#include "avout.h"
#include "support/test.h"
#include "support/zookeeper.h"

TEST(serve)
{
    test_zk *zk = test_zk_start(1);
    puts(test_zk_servers(zk));
    for (;;) pause();
}

static void work(const test_zk *zk)
{
    avout_client *client;
    avout_atom *atom;
    CHECK_OK(avout_connect(test_zk_url(zk), NULL, &client));
    CHECK_OK(avout_atom_create(&atom, client, "/dir/atom", avout_int(0), NULL));
    for (int i = 0; i < 10; i++) CHECK_OK(avout_reset(atom, avout_int(i), NULL));
    avout_atom_close(atom);
    avout_close(client);
}

TEST(archive)
{
    const char *path = getenv("AVOUT_TEST_ZOOKEEPER_ARCHIVE");
    char unfinished[4096], java[4200];
    CHECK(path);
    unlink(path);
    snprintf(unfinished, sizeof unfinished, "%s.unfinished", path);
    snprintf(java, sizeof java, "-XX:ArchiveClassesAtExit=%s", unfinished);
    test_zk *zk = test_zk_start_with(&(test_zk_options){.java = java});
    work(zk);
    test_zk_stop(zk, 0);
    test_zk_end(zk);
    CHECK(!rename(unfinished, path));
}
