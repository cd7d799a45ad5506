/* Test-tags: threads slow */
#include "support/suite.h"
#include "suites/large.c"

__attribute__((constructor)) static void use(void)
{
    suite_use(suite_lmdb_url);
}
