/* What claim.c, queue.c and want.c know of each other; for nobody else. Mutex held everywhere. */
#ifndef AVOUT_LOCK_CLAIM_H
#define AVOUT_LOCK_CLAIM_H

#include "lock/lock.h"

/* ---- claim.c: nodes -------------------------------------------------------------------------------- */

enum { AVOUT__CLAIM_PATH = 4096 + AVOUT__CLAIM_NAME };
void avout__claim_path(char path[AVOUT__CLAIM_PATH], const avout__claim *claim, const char *name);

avout__claim *avout__claim_new(avout__lock *lock,
                               bool shared);          /* the lock's last; NULL: no memory */
void avout__claim_send(avout__claim *claim);          /* has it made, when connected */
void avout__claim_leave_granted(avout__claim *claim); /* before its state changes */
void avout__claim_end(avout__claim *claim);           /* deletes its node */
void avout__claim_gone(avout__claim *claim);          /* there is no node; nobody wants it */
/* Its node is not there, or not known: a claim of another number takes its place. */
void avout__claim_restart(avout__claim *claim, bool make_parents);

/* Sends one request of the claim's (its payload is set here); false: it will be tried again. */
bool avout__claim_ask(avout__claim *claim, avout_request request);
/* At the end of what a `done` of such a request does, which begins with avout__order_begin. */
void avout__claim_reply_end(avout__order *order);

/* ---- queue.c: places ------------------------------------------------------------------------------- */

void avout__claim_list(avout__claim *claim);                       /* asks for its place */
void avout__claim_listed(const avout_reply *reply, void *payload); /* a `done`: mutex not held */

/* ---- want.c: threads ------------------------------------------------------------------------------- */

void avout__wants_fail(avout__claim *claim, avout_status status, const char *detail);
void avout__wants_fail_tries(avout__claim *claim); /* others are before it */
/* To the front of the other's, in their order. */
void avout__wants_move(avout__claim *from, avout__claim *to);
void avout__want_give_first(avout__claim *claim); /* the claim is granted */
/* The claim ends; who still wants the lock goes to the end of the queue, in the same multi. False: there
 * is no memory for that. */
bool avout__claim_hand_back(avout__claim *claim);

#endif
