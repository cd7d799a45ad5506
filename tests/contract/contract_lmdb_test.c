/* The contract suite on the embedded adapter.
 * Test-tags: threads */
#include "store/lmdb/lmdb.h"
#include "support/contract.h"

static const char *url(void)
{
    static char text[128];
    snprintf(text, sizeof text, "lmdb:%s/store", test_directory());
    return text;
}

static const contract_adapter adapter = {&avout__lmdb_ops, url, NULL};

__attribute__((constructor)) static void use(void)
{
    contract_use(&adapter);
}
