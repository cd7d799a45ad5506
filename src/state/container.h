/* Where the value of a cell lives. The transactions know containers by this table only. */
#ifndef AVOUT_STATE_CONTAINER_H
#define AVOUT_STATE_CONTAINER_H

#include "avout/value.h"
#include "base/buffer.h"

typedef struct avout__container {
    const char *name;
    /* The cell has a node in the store, which holds what encode makes. Without one (local) the
     * value never leaves the process and encode and decode are NULL. */
    bool in_store;
    /* The node holds a pointer and the value is elsewhere: an avout__foreign (state/foreign.h), whose
     * functions take the place of encode and decode. Records keep their bytes. */
    bool foreign;
    /* The node holds a mark and the value is in an unversioned container: an avout__held (state/held.h). */
    bool held;
    /* Appends the value's bytes. AVOUT_ENOPRINT, AVOUT_ENOMEM. Any thread. */
    avout_status (*encode)(avout__buffer *bytes, avout_value value,
                           const struct avout__container *self);
    /* The value of those bytes, owned. AVOUT_EDATA, AVOUT_ENOMEM. Any thread but the delivery's. */
    avout_status (*decode)(avout_value *value, const char *bytes, size_t length,
                           const struct avout__container *self);
} avout__container;

/* EDN text in the cell's own node, readable by any tool of the store's. */
extern const avout__container avout__inline_container;
/* Values of this process. */
extern const avout__container avout__local_container;

#endif
