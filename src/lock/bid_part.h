/* What bid.c and bid_place.c know of each other; for nobody else. Mutex held everywhere. */
#ifndef AVOUT_LOCK_BID_PART_H
#define AVOUT_LOCK_BID_PART_H

#include "lock/bid.h"

/* ---- bid.c: nodes ---------------------------------------------------------------------------------- */

enum { AVOUT__BID_PATH = AVOUT__NODE_MAX + AVOUT__CLAIM_NAME };
void avout__bid_path(char path[AVOUT__BID_PATH], const avout__bid *bid, const char *name);

/* Sends one request of the bid's (its payload is set here); false: it will be tried again. */
bool avout__bid_request(avout__bid *bid, avout_request request);
/* At the end of what a `done` of such a request does, which begins with avout__order_begin. */
void avout__bid_reply_end(avout__order *order);

/* The bidder, if there is one, has no bid from now on, for that reason; detail NULL: the status's text. */
void avout__bid_fail(avout__bid *bid, avout_status status, const char *detail);
/* Deletes its node, whose name is known. */
void avout__bid_end(avout__bid *bid);
/* Its node is not there, or not known: a bid of another number takes its place. */
void avout__bid_restart(avout__bid *bid, bool made_again);

/* ---- bid_place.c: places --------------------------------------------------------------------------- */

/* Asks for its place, unless it is on its way; `watch`: and is told when the first one's may be another. */
void avout__bid_ask(avout__bid *bid, bool watch);
void avout__bid_listed(const avout_reply *reply, void *payload); /* a `done`: mutex not held */
void avout__bid_tell(avout__bid *bid); /* the next one, if that is still to be done (B2) */
/* Something happened to the node of another bid; NULL: to the pool's. */
void avout__bid_event_of_other(avout__bid *bid, const char *name);

#endif
