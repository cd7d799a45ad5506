/* What many processes do to one store at a time, and what must hold of it whatever happens to them:
 *
 *   /x + /y                    one sum, in every state anybody sees, in every run of a transaction
 *   /group/0, 1, 2             sets; each member is in exactly one of them
 *   /moves                     counts the transactions that changed any of these
 *   /counter                   an atom, counts swaps
 *
 * Everybody notes in shared memory what it begins, and what it was told of the outcome only after it
 * was told; so the two counts are known to lie between what was confirmed and what may have happened,
 * also when a process was killed between two instructions. */
#ifndef TESTS_SUPPORT_LEDGER_H
#define TESTS_SUPPORT_LEDGER_H

#include "support/crowd.h"
#include "support/suite.h"

enum { LEDGER_WORKERS = 16, LEDGER_GROUPS = 3, LEDGER_MEMBERS = 12, LEDGER_SUM = 1000 };

typedef struct ledger_count {
    _Atomic int64_t begun;
    _Atomic int64_t confirmed;
    _Atomic int64_t refused; /* certainly not happened */
    _Atomic int64_t unknown; /* the caller was told so */
} ledger_count;

/* In memory that all processes share. */
typedef struct ledger_book {
    _Atomic bool over;
    _Atomic int64_t looks;
    _Atomic int64_t fences, retries, commits; /* of the clients that were closed in peace */
    ledger_count moves[LEDGER_WORKERS];
    ledger_count swaps[LEDGER_WORKERS];
} ledger_book;

/* A client's handles. */
typedef struct ledger {
    avout_client *client;
    avout_ref *x, *y, *moves, *groups[LEDGER_GROUPS];
    avout_atom *counter;
} ledger;

/* In a process of its own: creates what there is to be, on suite_url(). */
void ledger_create(void);
void ledger_open(ledger *all, const avout_options *options);
void ledger_close(ledger *all, ledger_book *book);

/* One change, at random; any thread. `worker` says whose counts are noted; only one thread of all
 * processes uses a worker's number at a time unless the counts are only summed up. */
void ledger_work(ledger *all, ledger_book *book, int worker, uint64_t *random);

/* What one observer has seen so far. */
typedef struct ledger_seen {
    int64_t moves, counter;
} ledger_seen;
/* Looks at everything: at one point, in transactions, strictly; nothing torn, nothing confirmed
 * lost, nothing that goes back. */
void ledger_look(ledger *all, ledger_book *book, ledger_seen *seen, uint64_t *random);

/* A process's whole life: opens a client and works on it with so many threads, each looking now and
 * then, or only looks, until book->over. */
void ledger_live(ledger_book *book, int worker, int threads, const avout_options *options);
void ledger_watch(ledger_book *book, const avout_options *options);
/* Waits until every worker of the first `count` has had another change confirmed; fails the test when
 * that takes longer. */
void ledger_await_progress(ledger_book *book, int count, int seconds, crowd_process *processes,
                           size_t process_count);

/* At the end, when everybody has ended: in a process of its own, with a client of its own. Answers
 * by failing the test. */
void ledger_audit(ledger_book *book);
int64_t ledger_confirmed(ledger_book *book);
int64_t ledger_unknown(ledger_book *book); /* calls that were told they do not know */
int64_t ledger_refused(ledger_book *book); /* and that nothing happened before their deadline */

#endif
