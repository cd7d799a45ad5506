# Dependencies point one way; scripts/check-includes.sh holds the table.
. tests/support/tap.sh

includes() { sh scripts/check-includes.sh "$@"; }
check the_tree_keeps_the_rules includes

# Each of these breaks one rule and must be refused.
tree=$scratch/tree
breaks() # FILE LINE TEXT
{
    rm -rf "$tree"
    mkdir -p "$tree/src/base" "$tree/$(dirname "$1")"
    printf '#include "base/banned.h"\n' >"$tree/src/base/good.c"
    printf '%s\n#include "base/banned.h"\n' "$2" >"$tree/$1"
    refuse "$1_$(printf %s "$2" | tr -cs a-z0-9 _)" "$3" includes "$tree"
}
breaks src/base/x.c '#include "value/value.h"' 'base must not include value'
breaks src/store/x.c '#include "avout/value.h"
#include "value/object.h"' 'store must not include value'
breaks src/stm/x.c '#include "lock/lock.h"' 'stm must not include lock'
breaks src/stm/x.c '#include "edn/reader.h"' 'stm must not include edn'
breaks src/stm/x.c '#include "store/zk/zk.h"' 'stm must not include store/zk'
breaks src/lock/x.h '#include "stm/cell.h"' 'lock must not include stm'
breaks src/store/mem/x.c '#include "store/zk/zk.h"' 'store/mem must not include store/zk'
breaks src/cli/x.c '#include "base/buffer.h"' 'cli must not include base'
breaks src/cli/x.c '#include "../base/buffer.h"' 'cli must not include base'
breaks src/cli/x.c '#include <avout/sys/store.h>' 'cli must not include sys'
breaks src/lang/x.c '# include  "stm/txn.h"' 'lang must not include stm'
breaks examples/x.c '#include "base/alloc.h"' 'examples must not include'
breaks bench/x.c '#include "store/store.h"' 'bench must not include store'
breaks plugins/redis/x.c '#include "stm/cell.h"' 'plugin must not include stm'
breaks include/avout/x.h '#include "../../src/base/alloc.h"' 'public must not include base'
breaks include/avout/x.h '#include "sys/store.h"' 'public must not include sys'
breaks src/stm/x.c '#include <zookeeper/zookeeper.h>' 'only store/zk'
breaks src/client/x.c '#include <lmdb.h>' 'only store/lmdb'
breaks src/garage/x.c '#include <stdio.h>
#include "avout.h"' 'no rules for the room garage'

rm -rf "$tree"
mkdir -p "$tree/src/base"
echo '#include <stdlib.h>' >"$tree/src/base/x.c"
refuse a_file_that_bans_nothing 'banned.h' includes "$tree"

finish
