/* The one place memory comes from. malloc and its friends are poisoned everywhere else. */
#ifndef AVOUT_BASE_ALLOC_H
#define AVOUT_BASE_ALLOC_H

#include <stddef.h>

#include "avout/memory.h"

/* NULL when there is no memory, with the thread's detail set ("out of memory: 64 bytes"). A size of
 * 0 gives a block of 1. Any thread. */
void *avout__alloc(size_t size);
void *avout__calloc(size_t items, size_t size); /* zeroed; overflow of the product: NULL */
void *avout__realloc(void *block, size_t size); /* on failure the old block stays */
void avout__free(void *block);                  /* NULL is accepted */
char *avout__strdup(const char *text);
void *avout__memdup(const void *bytes, size_t length);
char *avout__format(const char *format, ...) AVOUT_PRINTF(1, 2);

/* Grows an array to hold at least `needed` items of `size` bytes, doubling. Changes *items and
 * *capacity on success only. */
avout_status avout__grow(void **items, size_t *capacity, size_t needed, size_t size);
#define AVOUT__GROW(items, capacity, needed)                                                       \
    avout__grow((void **)(items), (capacity), (needed), sizeof **(items))
/* Doubles one that may still be the owner's own `few`, from which it goes to the heap. `few` stays as it is. */
avout_status avout__grow_out(void **items, const void *few, size_t *capacity, size_t size);
#define AVOUT__GROW_OUT(items, few, capacity)                                                      \
    avout__grow_out((void **)(items), (few), (capacity), sizeof **(items))

#endif
