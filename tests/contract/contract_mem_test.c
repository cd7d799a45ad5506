/* The contract suite on the mem adapter.
 * Test-tags: threads */
#include "store/mem/mem.h"
#include "support/contract.h"

static const char *url(void)
{
    return "mem:contract";
}

static const contract_adapter adapter = {&avout__mem_ops, url, NULL};

__attribute__((constructor)) static void use(void)
{
    contract_use(&adapter);
}
