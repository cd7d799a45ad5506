/* The other side of the embedded rows: LMDB itself, a read and a write a transaction, each commit
 * synced to the same disk. */
#ifndef BENCH_RAW_LMDB_H
#define BENCH_RAW_LMDB_H

#include "measure.h"

typedef struct raw_lmdb raw_lmdb;

raw_lmdb *raw_lmdb_open(const char *directory);
void raw_lmdb_close(raw_lmdb *db);

/* A side: begin, get, put the number plus one, commit. */
uint64_t raw_lmdb_commits(void *db, double seconds);
/* A side: a record put in one commit and deleted in the next. */
uint64_t raw_lmdb_creates(void *db, double seconds);

#endif
