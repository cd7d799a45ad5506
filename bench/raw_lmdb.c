#include "raw_lmdb.h"

#include <lmdb.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "world.h"

struct raw_lmdb {
    MDB_env *env;
    MDB_dbi table;
};

static void must(int code, const char *what)
{
    if (code) fail("lmdb: %s: %s", what, mdb_strerror(code));
}

static char key_text[] = "counter";

raw_lmdb *raw_lmdb_open(const char *directory)
{
    raw_lmdb *db = need_memory(sizeof *db);
    MDB_txn *txn;
    if (mkdir(directory, 0700)) fail("%s: cannot be made", directory);
    must(mdb_env_create(&db->env), "create");
    must(mdb_env_set_mapsize(db->env, (size_t)1 << 30), "map size");
    must(mdb_env_open(db->env, directory, 0, 0600), directory);
    must(mdb_txn_begin(db->env, NULL, 0, &txn), "begin");
    must(mdb_dbi_open(txn, NULL, 0, &db->table), "open");
    MDB_val key = {sizeof key_text, key_text}, value = {1, "0"};
    must(mdb_put(txn, db->table, &key, &value, 0), "put");
    must(mdb_txn_commit(txn), "commit");
    return db;
}

void raw_lmdb_close(raw_lmdb *db)
{
    if (!db) return;
    mdb_env_close(db->env);
    free(db);
}

static void increment(raw_lmdb *db)
{
    MDB_txn *txn;
    MDB_val key = {sizeof key_text, key_text}, value;
    char text[32] = "";
    must(mdb_txn_begin(db->env, NULL, 0, &txn), "begin");
    must(mdb_get(txn, db->table, &key, &value), "get");
    memcpy(text, value.mv_data, value.mv_size < sizeof text ? value.mv_size : sizeof text - 1);
    int length = snprintf(text, sizeof text, "%lld", strtoll(text, NULL, 10) + 1);
    value = (MDB_val){(size_t)length, text};
    must(mdb_put(txn, db->table, &key, &value, 0), "put");
    must(mdb_txn_commit(txn), "commit");
}

uint64_t raw_lmdb_commits(void *payload, double seconds)
{
    uint64_t count = 0;
    for (double limit = seconds_now() + seconds; seconds_now() < limit; count++) increment(payload);
    return count;
}

static void change(raw_lmdb *db, bool add)
{
    MDB_txn *txn;
    static char name[] = "lock/w-0123456789abcdef-1-0000000001", text[] = "{:host \"h\", :pid 1}";
    MDB_val key = {sizeof name, name}, value = {sizeof text, text};
    must(mdb_txn_begin(db->env, NULL, 0, &txn), "begin");
    if (add) must(mdb_put(txn, db->table, &key, &value, MDB_NOOVERWRITE), "put");
    else must(mdb_del(txn, db->table, &key, NULL), "delete");
    must(mdb_txn_commit(txn), "commit");
}

uint64_t raw_lmdb_creates(void *payload, double seconds)
{
    uint64_t count = 0;
    for (double limit = seconds_now() + seconds; seconds_now() < limit; count++) {
        change(payload, true);
        change(payload, false);
    }
    return count;
}
