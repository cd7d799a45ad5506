/* Test-tags: threads */
#include "support/suite.h"
#include "suites/unversioned.c"
#include "support/zookeeper.h"

__attribute__((constructor)) static void use(void)
{
    suite_use(test_zk_shared_url);
}
