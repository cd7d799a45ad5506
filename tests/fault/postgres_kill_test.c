/* tests/suites/kills.c over ZooKeeper, MongoDB and PostgreSQL in one transaction.
 *
 * Test-tags: single slow waits */
#include "avout/mongo.h"
#include "avout/postgres.h"
#include "support/mongodb.h"
#include "support/postgres.h"
#include "support/suite.h"
#include "support/zookeeper.h"

enum { MOVES = 3, DEATHS = 20 };

__attribute__((constructor)) static void use(void)
{
    suite_use(test_zk_shared_url);
}

static test_server *mongo, *postgres;

static void kills_prepare(void)
{
    suite_url();
    mongo = test_mongo_start();
    postgres = test_postgres_start();
}

static avout_status kills_open(avout_versioned_container **container, const char *name)
{
    return strcmp(name, "left")
               ? avout_postgres_container(container, test_postgres_place(postgres, name))
               : avout_mongo_container(container, test_mongo_place(mongo, name));
}

#include "suites/kills.c"
