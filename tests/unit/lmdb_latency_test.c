/* What the embedded adapter adds to LMDB itself: durable changes one at a time against raw
 * transactions of one put, in turns of the same run. It prints the numbers and asserts none.
 * Test-tags: single */
#include "support/lmdb.h"

#include <lmdb.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/clock.h"

enum { TURNS = 20, A_TURN = 15 };

static int by_size(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static int64_t median(int64_t *times, int count)
{
    qsort(times, (size_t)count, sizeof *times, by_size);
    return times[count / 2];
}

static void raw_put(MDB_env *env, MDB_dbi table, int number)
{
    MDB_txn *txn;
    MDB_val key = {1, "k"}, value = {sizeof number, &number}, old;
    CHECK_INT(0, mdb_txn_begin(env, NULL, 0, &txn));
    int code = mdb_get(txn, table, &key, &old);
    CHECK(!code || code == MDB_NOTFOUND);
    CHECK_INT(0, mdb_put(txn, table, &key, &value, 0));
    CHECK_INT(0, mdb_txn_commit(txn));
}

static void compare(const char *what, avout_durability durability, unsigned flags)
{
    static int64_t raw_ns[TURNS * A_TURN], our_ns[TURNS * A_TURN], read_ns[TURNS * A_TURN];
    MDB_env *env;
    MDB_dbi table;
    MDB_txn *txn;
    lmdb_client c;
    avout_options options = {.durability = durability};
    CHECK_INT(0, mkdir(lmdb_path(what), 0700));
    CHECK_INT(0, mdb_env_create(&env));
    CHECK_INT(0, mdb_env_set_mapsize(env, 64 << 20));
    CHECK_INT(0, mdb_env_open(env, lmdb_path(what), flags, 0600));
    CHECK_INT(0, mdb_txn_begin(env, NULL, 0, &txn));
    CHECK_INT(0, mdb_dbi_open(txn, NULL, 0, &table));
    CHECK_INT(0, mdb_txn_commit(txn));
    lmdb_open(&c, lmdb_path("store"), &options);
    avout_status status = contract_one(&c.client, op_create("/avout", ""));
    CHECK(!status || status == AVOUT_EEXISTS);
    status = contract_one(&c.client, op_create("/avout/a", ""));
    CHECK(!status || status == AVOUT_EEXISTS);
    int count = 0;
    for (int turn = 0; turn < TURNS; turn++) {
        for (int i = 0; i < A_TURN; i++, count++) {
            int64_t start_ns = avout__now_ns();
            raw_put(env, table, count);
            raw_ns[count] = avout__now_ns() - start_ns;
        }
        count -= A_TURN;
        for (int i = 0; i < A_TURN; i++, count++) {
            int64_t start_ns = avout__now_ns();
            CHECK_OK(contract_one(&c.client, op_set("/avout/a", "1234", AVOUT_VERSION_ANY)));
            our_ns[count] = avout__now_ns() - start_ns;
            start_ns = avout__now_ns();
            CHECK_OK(contract_read(&c.client, NULL, AVOUT_REQUEST_GET, "/avout/a", true));
            read_ns[count] = avout__now_ns() - start_ns;
        }
    }
    int64_t raw = median(raw_ns, count), ours = median(our_ns, count);
    printf("# %s: raw commit %" PRId64 " ns, ours %" PRId64 " ns, ratio %.2f; get %" PRId64 " ns\n",
           what, raw, ours, (double)ours / (double)raw, median(read_ns, count));
    lmdb_close(&c);
    mdb_env_close(env);
}

TEST(durable_changes_against_raw_commits)
{
    compare("durable", AVOUT_DURABLE, 0);
    compare("none", AVOUT_DURABLE_NONE, MDB_NOSYNC);
}
