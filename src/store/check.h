/* A node that has to be there, at a version, when something else takes effect: a check that travels in the
 * multi of whoever is conditional on it. Who offers it (a lock) and who is conditional on it (a
 * transaction) know nothing else of each other. */
#ifndef AVOUT_STORE_CHECK_H
#define AVOUT_STORE_CHECK_H

#include <stdatomic.h>

#include "avout/sys/store.h"

typedef struct avout__node_check {
    _Atomic uint32_t refs; /* who offers it, and everything that may yet be sent with it */
    int64_t version;
    avout_status status; /* of what is refused because of it */
    char *detail;
    char path[];
} avout__node_check;

/* With one reference. `detail` is copied. NULL: no memory. */
avout__node_check *avout__node_check_new(const char *path, int64_t version, avout_status status,
                                         const char *detail);
static inline avout__node_check *avout__node_check_ref(avout__node_check *check)
{
    atomic_fetch_add_explicit(&check->refs, 1, memory_order_relaxed);
    return check;
}
void avout__node_check_unref(
    avout__node_check *check); /* NULL is accepted; any thread, under locks too */
/* Whether nothing but who asks can send it; asked where no new reference can be made meanwhile. */
static inline bool avout__node_check_idle(const avout__node_check *check)
{
    return atomic_load(&check->refs) == 1;
}

#endif
