/* One object for each address in the process: containers that name the same server share a pool of
 * connections. The object is made by who asks first and destroyed by who gives it back last.
 *
 * A child after fork has none of its parent's: what it gives back is not destroyed (its threads are not
 * there, its connections are the parent's), and it gets a new one when it asks. */
#ifndef PLUGINS_COMMON_SHARED_H
#define PLUGINS_COMMON_SHARED_H

#include <avout/status.h>

typedef struct avout__plugin_shared avout__plugin_shared;

/* How the objects of one plugin are made and destroyed; static. `make` may block; others who ask for an
 * object of that kind wait for it. */
typedef struct avout__plugin_sharing {
    avout_status (*make)(void **object, const char *address, const void *payload);
    void (*destroy)(void *object);
} avout__plugin_sharing;

/* `payload` is for `make`. What `make` answers, or AVOUT_ENOMEM. */
avout_status avout__plugin_share(avout__plugin_shared **shared,
                                 const avout__plugin_sharing *sharing, const char *address,
                                 const void *payload);
void *avout__plugin_shared_object(const avout__plugin_shared *shared);
/* NULL is accepted. */
void avout__plugin_unshare(avout__plugin_shared *shared);

#endif
