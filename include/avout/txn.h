/* Transactions over refs, and what atoms' swaps share with them: functions, options, validators,
 * watches.
 *
 *     static avout_status move(avout_txn *txn, void *payload)
 *     {
 *         accounts *a = payload;
 *         avout_status st = avout_alter(txn, a->from, minus_ten, NULL);
 *         if (!st) st = avout_alter(txn, a->to, plus_ten, NULL);
 *         return st;
 *     }
 *     avout_status st = avout_dosync(client, move, &accounts, NULL);
 *
 * The body runs on the calling thread, sees one consistent state of all refs, and may be run several
 * times: it must not have effects beside the transaction's operations (avout_on_commit is for
 * those). It runs outside all locks and may call anything of the library. */
#ifndef AVOUT_TXN_H
#define AVOUT_TXN_H

#include "client.h"

AVOUT_BEGIN

typedef struct avout_txn avout_txn;
typedef struct avout_ref avout_ref;

/* A transaction's body. AVOUT_OK commits. A status that an operation answered is to be handed on:
 * AVOUT_RETRY (a conflict: the body is run again) and AVOUT_BLOCK (avout_retry). Any other status
 * aborts the transaction, changes nothing, and is what avout_dosync answers; positive ones are the
 * user's own. */
typedef avout_status (*avout_txn_fn)(avout_txn *txn, void *payload);

typedef enum avout_isolation {
    AVOUT_SERIALIZABLE = 0, /* strict: what was read is checked at commit too */
    AVOUT_SNAPSHOT,         /* Clojure's rule: only what is written or ensured conflicts */
} avout_isolation;

/* Of one call; NULL or zero-initialised: the client's defaults. */
typedef struct avout_call_options {
    int64_t timeout_ms;   /* 0: the client's timeout_ms; AVOUT_FOREVER */
    uint32_t max_retries; /* runs after the first before AVOUT_ERETRIES; 0: no limit */
    avout_isolation isolation;
    bool strict; /* reads are linearizable: a transaction that only reads asks the store, too */
} avout_call_options;

/* Runs `body` and commits what it did, as one. A dosync inside a body (on its thread, of the same
 * client) joins the outer transaction: its options are not looked at, its errors are the body's to
 * handle or hand on (what it had changed stays changed if they are handled), and nothing is committed
 * before the outer one is. Calls on atoms inside a body, and opening a ref, are no part of the
 * transaction: they happen at once, each time the body runs.
 *
 * Blocks until the store has confirmed; a body that only reads sends nothing. Answers, beside what
 * the body returned: AVOUT_ETIMEOUT (no effect), AVOUT_UNKNOWN (the deadline passed while the commit
 * was on its way over a lost or silent connection), AVOUT_ERETRIES, AVOUT_EVALIDATOR or what the
 * validator returned, AVOUT_ELIMIT (too many refs for one request of the store's; says its limit),
 * AVOUT_ENOPRINT (a box in a ref that is not local). */
AVOUT_API avout_status avout_dosync(avout_client *client, avout_txn_fn body, void *payload,
                                    const avout_call_options *options);

/* ---- inside a body ---------------------------------------------------------------------------
 * All answer AVOUT_RETRY when the transaction must be run again (hand it on), AVOUT_ENOTFOUND for a
 * ref that was destroyed, AVOUT_EDATA for bytes in the store that are no value. They may wait for
 * the store when the ref is not cached. */

/* The ref's value in this transaction; owned. avout_ref_deref inside a body is the same. */
AVOUT_API avout_status avout_txn_deref(avout_value *value, avout_txn *txn, avout_ref *ref);
/* Consumes `value`, whatever the outcome. */
AVOUT_API avout_status avout_ref_set(avout_txn *txn, avout_ref *ref, avout_value value);
/* Changes the value in this transaction; what `change` answers is answered. */
AVOUT_API avout_status avout_alter(avout_txn *txn, avout_ref *ref, avout_change_fn change,
                                   void *payload);
/* Changes the newest value at commit, without making the body run again when others change it: for
 * changes whose order does not matter. `change` runs on the thread of the dosync, after the body;
 * payload must live until avout_dosync returns. Reading the ref in the same transaction makes the
 * commute an alter. */
AVOUT_API avout_status avout_commute(avout_txn *txn, avout_ref *ref, avout_change_fn change,
                                     void *payload);
/* The ref does not change before this transaction commits (under AVOUT_SNAPSHOT; serializable ones
 * have that of whatever they read). */
AVOUT_API avout_status avout_ensure(avout_txn *txn, avout_ref *ref);

/* `return avout_retry(txn);` gives up this run and waits until a ref it read has changed, then runs
 * the body again. After Harris et al., "Composable memory transactions" (2005). Always answers
 * AVOUT_BLOCK. */
AVOUT_API avout_status avout_retry(avout_txn *txn);
/* Runs `first`; if it blocks (avout_retry), its changes are undone and `second` is run instead; if
 * that blocks too, both wait. */
AVOUT_API avout_status avout_or_else(avout_txn *txn, avout_txn_fn first, void *first_payload,
                                     avout_txn_fn second, void *second_payload);

/* Calls `hook` once after the commit, on the dosync's thread, in the order registered; never for a
 * run that was thrown away. */
AVOUT_API avout_status avout_on_commit(avout_txn *txn, void (*hook)(void *payload), void *payload);

/* ---- asynchronous ---------------------------------------------------------------------------- */

/* What came of an asynchronous call; `detail` is the error's, borrowed. Called once, on a thread of
 * the client's, outside locks; it may call the library but should not wait long. */
typedef void (*avout_finished_fn)(avout_status status, const char *detail, void *payload);

/* As avout_dosync, but body, commutes, validators, hooks and `finished` run on a thread of the
 * client's. Does not block. If it does not answer AVOUT_OK, `finished` is never called. One thread
 * can keep thousands in flight. */
AVOUT_API avout_status avout_dosync_async(avout_client *client, avout_txn_fn body, void *payload,
                                          const avout_call_options *options,
                                          avout_finished_fn finished, void *finished_payload);

/* ---- shared by atoms and refs ------------------------------------------------------------------ */

/* Answers AVOUT_OK for a value that may be taken on; anything else refuses it: AVOUT_EVALIDATOR or a
 * status of its own is what the caller of the change gets, with the detail set by avout_fail. Runs
 * on the changing thread, perhaps several times, outside locks. */
typedef avout_status (*avout_validator_fn)(avout_value value, void *payload);

/* The state went from `old_value` to `new_value` (both borrowed; AVOUT_NONE: destroyed or absent),
 * perhaps with others between that nobody saw. Called on a thread of the client's, in order, never
 * concurrently with itself, outside locks; it may call the library, but not avout_close. */
typedef void (*avout_watch_fn)(const char *key, avout_value old_value, avout_value new_value,
                               void *payload);

AVOUT_END

#endif
