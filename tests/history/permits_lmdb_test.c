/* Test-tags: single slow waits */
#include "support/suite.h"
#include "suites/permits.c"

__attribute__((constructor)) static void use(void)
{
    suite_use(suite_lmdb_url);
}
