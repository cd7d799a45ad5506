/* Leader election: of all candidates, in whatever process, one leads; when it goes the next one does.
 *
 *     avout_election *election;
 *     avout_token term;
 *     avout_status st = avout_election_open(&election, client, "/site/scheduler");
 *     if (!st) st = avout_election_enrol(election, "\"10.0.0.7:8080\"", 15);
 *     if (!st) st = avout_election_await_term(&term, election, NULL);
 *     while (!st && avout_election_leads(election)) { ... what the leader does; `term` goes with it ... }
 *     avout_election_close(election);
 *
 * Candidates lead in the order in which they enrolled, each until it resigns, closes its client, or its
 * session with the store is lost. After a lost session a candidate is enrolled again by itself, as the
 * last; it has a new term, if any. Whoever wants to know who leads needs not be a candidate.
 *
 * What is said of locks in lock.h is true of leading, too. There may be two processes that believe to lead:
 * one that was stopped, or is cut off, and its successor. It is told as early as can be known
 * (avout_election_leads, the callback), and what helps for certain is the *token* of the term, greater
 * than those of all terms before: in transactions by avout_txn_require_leader, elsewhere by refusing a token
 * smaller than the greatest that was seen.
 *
 * All functions: as those of locks (lock.h). */
#ifndef AVOUT_LEADER_H
#define AVOUT_LEADER_H

#include "lock.h"

AVOUT_BEGIN

/* A handle on an election: for a candidate, for who observes, or both. Two handles of a client can be two
 * candidates. */
typedef struct avout_election avout_election;

#define AVOUT_CANDIDATE_MAX 65536

/* Opens a handle; asks nobody. Names are as those of atoms, in a space of their own. AVOUT_ENAME,
 * AVOUT_EINVAL. */
AVOUT_API avout_status avout_election_open(avout_election **election, avout_client *client,
                                           const char *name);
/* Resigns, without waiting for the store, and gives the handle back with its callbacks; waits for one that
 * runs (unless it is the caller); none is called any more. When no thread waits through it any more. NULL is
 * accepted. */
AVOUT_API void avout_election_close(avout_election *election);
/* Borrowed, as long as the handle. */
AVOUT_API const char *avout_election_name(const avout_election *election);

/* ---- candidates ----------------------------------------------------------------------------------*/

/* Becomes a candidate. `data`, up to AVOUT_CANDIDATE_MAX bytes (AVOUT_ELIMIT), is what others see of it: an
 * address, say, as EDN text; it is copied. Waits until the store has it, not until it leads.
 * AVOUT_ESTATE: it is one already; AVOUT_ETIMEOUT: not within the client's timeout_ms; it is none. */
AVOUT_API avout_status avout_election_enrol(avout_election *election, const void *data,
                                            size_t length);
/* Is no candidate any more, and does not lead; waits for the store's confirmation. AVOUT_ENOTHELD: it was
 * none. AVOUT_UNKNOWN: the store did not answer within the client's timeout_ms: it goes on in the
 * background, and meanwhile nobody else may lead. */
AVOUT_API avout_status avout_election_resign(avout_election *election);
/* Whether this candidate leads, as far as can be known here: no, from the moment when the session's timeout
 * has passed since the last request was sent that the store has agreed to, connected or not; and never again
 * in the same term. Asks nobody, does not block. */
AVOUT_API bool avout_election_leads(avout_election *election);
/* The token of the term. AVOUT_ENOTHELD: it does not lead. */
AVOUT_API avout_status avout_election_token(avout_token *token, avout_election *election);
/* Waits until this candidate leads; *token (may be NULL) is the term's. AVOUT_ENOTHELD: it is no candidate,
 * or resigned meanwhile; AVOUT_ETIMEOUT, AVOUT_ECANCELLED: it goes on being a candidate. */
AVOUT_API avout_status avout_election_await_term(avout_token *token, avout_election *election,
                                                 const avout_wait_options *options);

/* The candidate leads (elected), or does not any more: it resigned, or the term was lost. In turns: each
 * term that was told of is told the end of, unless the handle is closed; one that was over before it could be
 * told of is left out. On a thread of the client's, outside locks, one after the other; may call the
 * library, also to enrol, resign and close this handle, but not avout_close; nothing else of this kind is
 * told meanwhile. `name` is borrowed. */
typedef void (*avout_term_fn)(const char *name, bool elected, avout_token token, void *payload);
/* NULL: nothing is called. If it leads already, that is told first. The one before is not running any more
 * when this returns (unless it is the caller). */
AVOUT_API avout_status avout_election_on_term(avout_election *election, avout_term_fn term,
                                              void *payload);

/* Inside a transaction's body: it commits only if the candidate is still the leader, in the term of that
 * token, at the point where it does. As avout_txn_require. AVOUT_ELOST: it is known that it is not;
 * AVOUT_EINVAL: an election of another client. */
AVOUT_API avout_status avout_txn_require_leader(avout_txn *txn, avout_election *election,
                                                avout_token token);

/* ---- observers -----------------------------------------------------------------------------------*/

typedef struct avout_candidate {
    bool leads;        /* the first in the store's queue; it may not know yet, or any more */
    bool mine;         /* made by this client */
    int64_t pid;       /* of its process; 0: not known */
    const char *host;  /* "" where not known */
    int64_t since_ms;  /* enrolled then; the store's wall clock, Unix time */
    int64_t session;   /* of its client */
    avout_token token; /* of its term, if it leads or when it will */
    const void *data;  /* with a NUL behind it */
    size_t length;
} avout_candidate;

/* Who leads, as the store says now. AVOUT_ENOTFOUND: nobody; AVOUT_ETIMEOUT. Two round trips. Free it with
 * avout_candidate_free. */
AVOUT_API avout_status avout_election_leader(avout_candidate **leader, avout_election *election);
AVOUT_API void avout_candidate_free(avout_candidate *candidate); /* NULL is accepted */
/* Waits until somebody leads. `leader` may be NULL. AVOUT_ETIMEOUT, AVOUT_ECANCELLED. */
AVOUT_API avout_status avout_election_await_leader(avout_candidate **leader,
                                                   avout_election *election,
                                                   const avout_wait_options *options);

/* Another leads, or nobody (NULL). Called with who leads when that is first known, if anybody does; then for
 * changes: for the last one always, those in quick succession may be left out. Else as avout_term_fn.
 * `leader` is borrowed for the time of the call. */
typedef void (*avout_leader_fn)(const char *name, const avout_candidate *leader, void *payload);
/* NULL: nothing is called. The one before is not running any more when this returns (unless it is the
 * caller). */
AVOUT_API avout_status avout_election_on_leader(avout_election *election, avout_leader_fn leader,
                                                void *payload);

typedef struct avout_election_report {
    const avout_candidate *candidates; /* in their order; the first leads */
    size_t count;
    const char *const
        *foreign; /* names of nodes below the election's that are not this library's */
    size_t foreign_count;
} avout_election_report;

/* All candidates. Empty where nobody has ever enrolled. AVOUT_ENAME, AVOUT_ETIMEOUT. Free the report with
 * avout_election_report_free. */
AVOUT_API avout_status avout_election_inspect(avout_election_report **report, avout_client *client,
                                              const char *name);
AVOUT_API void avout_election_report_free(avout_election_report *report); /* NULL is accepted */
/* As avout_locks_each, for elections. */
AVOUT_API avout_status avout_elections_each(avout_client *client, const char *directory,
                                            avout_lock_each_fn each, void *payload);
/* Removes the election's node from the store. AVOUT_ENOTFOUND; AVOUT_EBUSY: there are candidates;
 * AVOUT_ENOTEMPTY: there are nodes below it that are not this library's (the detail names one); AVOUT_ETIMEOUT;
 * AVOUT_UNKNOWN: the store has not answered in time. */
AVOUT_API avout_status avout_election_remove(avout_client *client, const char *name);

AVOUT_END

#endif
