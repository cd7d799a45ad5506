/* Test-tags: threads */
#include "support/suite.h"
#include "suites/large.c"
#include "support/zookeeper.h"

/* One of its own: the shared one has no memory for values of this size, which a server keeps all of. */
static const char *url(void)
{
    return test_zk_url(test_zk_start_with(&(test_zk_options){.java = "-Xmx600m"}));
}

__attribute__((constructor)) static void use(void)
{
    suite_use(url);
}
