/* What the public latch (avout/latch.h) is made of; "avout__latch" is the word of memory in base/futex.h. */
#ifndef AVOUT_LOCK_COUNTDOWN_H
#define AVOUT_LOCK_COUNTDOWN_H

#include "avout/latch.h"
#include "lock/lock.h"

#define AVOUT__LATCHES_PATH "/avout/latches"

avout_status avout__countdown_create(avout_latch **latch, avout__locks *room, const char *name,
                                     uint32_t count);
avout_status avout__countdown_open(avout_latch **latch, avout__locks *room, const char *name);
avout_status avout__countdown_remove(avout__locks *room, const char *name);

#endif
