/* The allocator of the process. Values travel between clients and threads, so there is one. */
#ifndef AVOUT_MEMORY_H
#define AVOUT_MEMORY_H

#include "status.h"

AVOUT_BEGIN

/* Functions with the meaning of malloc, realloc and free, callable from any thread at any time.
 * `allocate` and `reallocate` get sizes > 0 and answer NULL when there is no memory. */
typedef struct avout_allocator {
    void *(*allocate)(size_t size, void *payload);
    void *(*reallocate)(void *block, size_t size, void *payload);
    void (*release)(void *block, void *payload);
    void *payload;
} avout_allocator;

/* Sets the allocator of the process; NULL sets malloc's again. To be called while the library holds
 * no memory: before the first value is made or after the last is released; otherwise AVOUT_ESTATE.
 * Setting the one that is in force is always AVOUT_OK. Not for concurrent use with other calls. */
AVOUT_API avout_status avout_allocator_set(const avout_allocator *allocator);

/* Blocks of memory the library holds now (values, handles, buffers). For leak tests. Any thread. */
AVOUT_API size_t avout_memory_blocks(void);

AVOUT_END

#endif
