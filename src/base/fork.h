/* Whether this process is a forked child of the one that opened something. */
#ifndef AVOUT_BASE_FORK_H
#define AVOUT_BASE_FORK_H

#include <stdatomic.h>
#include <stdint.h>

/* Forks between the first process that used the library and this one; compare with the count when
 * a handle was opened. Counting starts with the first call of avout__forks_watch. */
extern _Atomic uint32_t avout__forks;
void avout__forks_watch(void);

#endif
