/* tests/suites/kills.c over the embedded store and directories of files.
 *
 * Test-tags: single */
#include "avout/file.h"
#include "support/suite.h"

enum { MOVES = 5, DEATHS = 40 };

__attribute__((constructor)) static void use(void)
{
    suite_use(suite_lmdb_url);
}

static void kills_prepare(void)
{
    suite_url();
}

static avout_status kills_open(avout_versioned_container **container, const char *name)
{
    char directory[256];
    snprintf(directory, sizeof directory, "%s/values/%s", test_directory(), name);
    return avout_file_container(container, directory);
}

#include "suites/kills.c"
