/* Looking at semaphores and elections from outside. */
#ifndef AVOUT_LOCK_BID_LOOK_H
#define AVOUT_LOCK_BID_LOOK_H

#include "avout/leader.h"
#include "avout/semaphore.h"
#include "lock/bid.h"

avout_status avout__semaphore_inspect(avout_semaphore_report **report, avout__locks *room,
                                      const char *name);
avout_status avout__election_inspect(avout_election_report **report, avout__locks *room,
                                     const char *name);
avout_status avout__pool_remove(avout__locks *room, avout__pool_kind kind, const char *name);

#endif
