/* tests/suites/kills.c over ZooKeeper and MongoDB.
 *
 * Test-tags: single slow waits */
#include "avout/mongo.h"
#include "support/mongodb.h"
#include "support/suite.h"
#include "support/zookeeper.h"

enum { MOVES = 3, DEATHS = 20 };

__attribute__((constructor)) static void use(void)
{
    suite_use(test_zk_shared_url);
}

static test_server *server;

static void kills_prepare(void)
{
    suite_url();
    server = test_mongo_start();
}

static avout_status kills_open(avout_versioned_container **container, const char *name)
{
    return avout_mongo_container(container, test_mongo_place(server, name));
}

#include "suites/kills.c"
