/* One ZooKeeper server for all test programs of a run: prints its address and serves until ended. */
#include <unistd.h>

#include "support/test.h"
#include "support/zookeeper.h"

TEST(serve)
{
    test_zk *zk = test_zk_start(1);
    puts(test_zk_servers(zk));
    for (;;) pause();
}
