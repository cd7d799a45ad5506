/* The embedded adapter: one directory, any number of processes of one machine, no server.
 *
 * Address: the directory's path, relative ones as seen from the working directory. It is created,
 * with its parents, if absent (mode 0700). Sessions end when the handle is closed or its process
 * dies, however it dies; a process that is merely stopped keeps its session for as long as it is
 * stopped (unlike on ZooKeeper, where it would expire), and what it needs a lock for makes others
 * fail with AVOUT_ETIMEOUT. A multi may have up to 64 MiB: LMDB itself sets no useful limit. */
#ifndef AVOUT_STORE_LMDB_LMDB_H
#define AVOUT_STORE_LMDB_LMDB_H

#include "avout/sys/store.h"

extern const avout_store_ops avout__lmdb_ops;

#endif
