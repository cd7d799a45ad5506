/* Test-tags: single */
#include "support/suite.h"
#include "suites/fairness.c"

__attribute__((constructor)) static void use(void)
{
    suite_use(suite_lmdb_url);
}
