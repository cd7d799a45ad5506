/* The contract suite on the ZooKeeper adapter, each test below a root node of its own.
 * Test-tags: threads */
#include "store/zk/zk.h"
#include "support/contract.h"
#include "support/zookeeper.h"

static const contract_adapter adapter = {&avout__zk_ops, test_zk_shared_url, NULL};

__attribute__((constructor)) static void use(void)
{
    contract_use(&adapter);
}
