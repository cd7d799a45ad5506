/* Asking the store on the caller's thread, over broken connections, what others have there. */
#ifndef AVOUT_LOCK_LOOK_H
#define AVOUT_LOCK_LOOK_H

#include "lock/lock.h"

/* Whether what was answered with that status is worth another try before the deadline; waits a moment
 * then. */
bool avout__try_again(avout_status status, int64_t deadline_ns);
/* The status a caller is told when no try was. */
avout_status avout__no_connection(avout_status status, const char *name);
/* A request that may be repeated (`reply` may be NULL), or a list. `name` is what the caller calls it. As avout__store_call,
 * without AVOUT_ECONNECTION and AVOUT_ESESSION. */
avout_status avout__room_call(avout__reply *reply, avout__locks *room, const char *name,
                              const avout_request *request, int64_t deadline_ns);
avout_status avout__room_list(avout__reply *reply, avout__locks *room, const char *name,
                              const char *path, int64_t deadline_ns);

/* Gets PATH/NAME of each, as avout__store_look; what had no connection is asked again. *looks is to be given
 * back. */
avout_status avout__look_at(avout__looks **looks, avout__locks *room, const char *path,
                            const char *const *names, size_t count, int64_t deadline_ns);

enum { AVOUT__HOST_SIZE = 72 };
/* {:host "h7", :pid 4711}, with which a claim's bytes begin. Anything else is taken for not known: "", 0. */
void avout__owner_read(int64_t *pid, char host[AVOUT__HOST_SIZE], const char *text);

#endif
