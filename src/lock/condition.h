/* What waiting for a condition, signalling it and removing its lock know of its nodes.
 *
 *   LOCK%c-NAME/t-CLIENT-N-SEQ    ephemeral: somebody waits
 *   LOCK%c-NAME/s-SEQ             a signal; persistent: it outlives whoever sent it, and who it was for
 *
 * The node is beside the lock's, not below: it would keep that from being made anew (claim.c). No name has a
 * node with "%c".
 *
 * Waiters and signals are numbered by one counter of the store's, and a signal is for those who waited when it
 * was sent: the waiters with smaller numbers. In the order of their numbers each waiter takes the first signal
 * that is greater than itself, so:
 *
 *   - a signal whose waiter dies or gives up is the next one's, if that waited then;
 *   - one that is smaller than all waiters is nobody's for ever, since later ones have greater numbers: it is
 *     swept by the first in line, by who signals, or with the lock. */
#ifndef AVOUT_LOCK_CONDITION_H
#define AVOUT_LOCK_CONDITION_H

#include "lock/lock.h"

enum { AVOUT__CONDITION_PATH = AVOUT__NODE_MAX + 2 * AVOUT__CLAIM_NAME };

#define AVOUT__CONDITION_MARK "%c-" /* between the lock's node and the condition's name */

/* Of the condition's node; to be freed. NULL: no memory. */
char *avout__condition_path(const avout__lock *lock, const char *name);

/* "s-SEQ". False: no signal. */
bool avout__signal_parse(int64_t *sequence, const char *name);

avout_status avout__condition_not_held(const avout__lock *lock, const avout__hold *hold);

#endif
