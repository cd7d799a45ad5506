/* Looking at locks from outside. */
#ifndef AVOUT_LOCK_INSPECT_H
#define AVOUT_LOCK_INSPECT_H

#include "lock/lock.h"

avout_status avout__inspect(avout_lock_report **report, avout__locks *room, const char *name);
/* As avout_locks_each, for whatever has its nodes below `root` as avout__node_path puts them there. */
avout_status avout__names_each(avout__locks *room, const char *root, const char *directory,
                               avout_lock_each_fn each, void *payload);
avout_status avout__lock_remove(avout__locks *room, const char *name);
/* A child of a lock's node that is no claim. */
bool avout__lock_foreign(const char *name);

#endif
