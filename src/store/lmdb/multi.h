/* A whole multi inside a transaction that may hold others before it. */
#ifndef AVOUT_STORE_LMDB_MULTI_H
#define AVOUT_STORE_LMDB_MULTI_H

#include "store/lmdb/tree.h"

/* Whether it could change anything; one that only checks needs no write transaction. */
bool avout__lmdb_multi_writes(const avout_request *request);

/* Carries it out and fills in the reply. On a refusal *partial tells whether some of it has been
 * done: then the transaction must be aborted, and what came before in it done again. The same holds
 * when tree->broken is set. Otherwise a refused multi leaves no trace. */
avout_status avout__lmdb_multi(avout__lmdb_tree *tree, const avout_request *request,
                               avout_reply *reply, bool *partial);

#endif
