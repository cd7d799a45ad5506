/* Starting the library's own threads. */
#ifndef AVOUT_BASE_THREAD_H
#define AVOUT_BASE_THREAD_H

#include <pthread.h>

#include "avout/status.h"

/* As pthread_create, with all signals blocked in the new thread: the program's signals are for the
 * program's threads. AVOUT_ESYSTEM. */
avout_status avout__thread_start(pthread_t *thread, void *(*main)(void *payload), void *payload);

#endif
