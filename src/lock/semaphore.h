/* Semaphores: handles and leases over bids (bid.h). */
#ifndef AVOUT_LOCK_SEMAPHORE_H
#define AVOUT_LOCK_SEMAPHORE_H

#include "avout/semaphore.h"
#include "lock/bid.h"

struct avout_semaphore {
    avout__pool *pool;
    avout_lost_fn lost;
    void *payload;
    avout__link leases; /* whose loss it is told of */
};

struct avout_lease {
    avout__bidder bidder; /* without a bid: lost */
    avout__link link;
    avout_semaphore *semaphore; /* NULL: closed */
    avout_token token;
    avout__loss *loss; /* made beforehand: telling must not want memory. NULL: nobody is told */
    struct avout__node_check *check;

    /* While it is acquired. */
    bool pins; /* it needs a place in the queue, no more */
    bool granted;
    avout_status status; /* why it failed */
    char detail[256];
    avout__latch latch;
};

avout_status avout__semaphore_open(avout_semaphore **semaphore, avout__locks *room,
                                   const char *name, uint32_t permits);
/* The check that it is in force, counted by the lease. Mutex held. AVOUT_ELOST, AVOUT_ENOMEM. */
avout_status avout__lease_check(struct avout__node_check **check, avout_lease *lease);

#endif
