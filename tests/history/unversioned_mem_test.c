/* Test-tags: threads */
#include "support/suite.h"
#include "suites/unversioned.c"

__attribute__((constructor)) static void use(void)
{
    suite_use(suite_mem_url);
}
