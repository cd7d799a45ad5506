/* Test-tags: single slow waits */
#include "support/suite.h"
#include "suites/guard.c"
#include "support/zookeeper.h"

__attribute__((constructor)) static void use(void)
{
    suite_use(test_zk_shared_url);
    sessions_expire = true;
}
