/* Countdown latches: threads, processes and machines of one store wait until something has happened so many
 * times.
 *
 *     avout_latch *ready;
 *     avout_status st = avout_latch_create(&ready, client, "/job/ready", 3);
 *     if (!st) st = avout_latch_count_down(NULL, ready, 1);    one part is ready
 *     ...
 *     if (!st) st = avout_latch_await(ready, NULL);            all three are
 *     avout_latch_close(ready);
 *
 * A latch is where its name says (names as those of atoms, in a space of their own). It is made with a count
 * and lies in the store, whoever is connected, until it is removed. Its count only goes down; whoever waits is
 * let go when it is zero, and it stays zero: for the next time there is the next latch.
 *
 * Each count_down counts exactly once, though the connection break or the session end under it: its outcome is
 * settled before anybody is told one. Nobody who dies takes a count back. For parties that wait for each other,
 * again and again, see avout/barrier.h.
 *
 * All functions: as those of locks (lock.h), and AVOUT_EDATA: somebody wrote bytes there that are no latch's;
 * nothing is overwritten. Where nothing else is said they wait for the store at most the client's timeout_ms:
 * AVOUT_ETIMEOUT, nothing was changed. A lost connection or session is no error until then. */
#ifndef AVOUT_LATCH_H
#define AVOUT_LATCH_H

#include "lock.h"

AVOUT_BEGIN

typedef struct avout_latch avout_latch;

/* Opens the latch of that name, and makes it if it is not there: everybody who takes part may say the same and
 * nobody has to be first. `count` is what it begins with, whatever is left of it by now; 0: it is open from
 * the beginning. One round trip if it is new, else two.
 * AVOUT_ETIMEOUT: it may have been made. AVOUT_ECONFLICT: it is there and began with another count. AVOUT_ERANGE: more than INT32_MAX. AVOUT_ENAME,
 * AVOUT_EINVAL (NULL). */
AVOUT_API avout_status avout_latch_create(avout_latch **latch, avout_client *client,
                                          const char *name, uint32_t count);
/* Opens one that is there, with whatever count. AVOUT_ENOTFOUND, AVOUT_ENAME, AVOUT_EINVAL. */
AVOUT_API avout_status avout_latch_open(avout_latch **latch, avout_client *client,
                                        const char *name);
/* Gives the handle back, when no call uses it any more. NULL is accepted. */
AVOUT_API void avout_latch_close(avout_latch *latch);
/* Borrowed, as long as the handle. */
AVOUT_API const char *avout_latch_name(const avout_latch *latch);
/* What it began with. */
AVOUT_API uint32_t avout_latch_total(const avout_latch *latch);

/* Counts down by so many, to zero at most; 0 changes nothing. What is left is in *left (may be NULL). One round
 * trip when nobody else counts at the same time. Threads that count through one handle at the same time travel
 * together.
 * AVOUT_UNKNOWN: the client's timeout_ms passed, or the client was closed, while it was on its way: it counts
 * once or not at all. AVOUT_ETIMEOUT: it does not count and never will. AVOUT_ENOTFOUND: the latch has been
 * removed. */
AVOUT_API avout_status avout_latch_count_down(uint32_t *left, avout_latch *latch, uint32_t by);
/* What is left. Asks the store; not if it is known to be zero. AVOUT_ENOTFOUND: it has been removed. */
AVOUT_API avout_status avout_latch_count(uint32_t *left, avout_latch *latch);
/* Waits until nothing is left. Asks nobody if that is known; else the store, and sleeps until it tells:
 * one event for each client that waits, when the latch opens; none for each count. `options` may be NULL.
 * AVOUT_ETIMEOUT, AVOUT_ECANCELLED: nothing is left behind. (A call on its way to a server that does not answer
 * delays the cancelling until the connection is given up.) AVOUT_ENOTFOUND: the latch has been removed. */
AVOUT_API avout_status avout_latch_await(avout_latch *latch, const avout_wait_options *options);

/* Removes the latch from the store. Who waits is told AVOUT_ENOTFOUND; so is every handle on it that is not
 * known to be open, even if another latch of that name is made later. AVOUT_ENOTFOUND, AVOUT_ENAME;
 * AVOUT_ENOTEMPTY: there are nodes below it that are not this library's, nothing is removed. AVOUT_UNKNOWN: the store
 * has not answered in time. */
AVOUT_API avout_status avout_latch_remove(avout_client *client, const char *name);

AVOUT_END

#endif
