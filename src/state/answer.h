/* What users' containers are called with and answer, in the library's words (C2, C3 in
 * avout/sys/container.h). Any thread. */
#ifndef AVOUT_STATE_ANSWER_H
#define AVOUT_STATE_ANSWER_H

#include "avout/distributed.h"

enum { AVOUT__KIND_MAX = AVOUT_KIND_SIZE - 1 };

/* 1 to `max` of [a-z0-9-]. */
bool avout__answer_is_word(const char *text, size_t max);
/* Clears the thread's detail and gives what is left for a call; false: nothing. */
bool avout__answer_time(int64_t *timeout_ms, int64_t deadline_ns);
/* A call's failure for the user: the detail gets the identity's name, the kind and the place in front. To a
 * transaction AVOUT_RETRY and others would mean what they do not mean here: they become AVOUT_EIO. */
avout_status avout__answer_failed(avout_status status, const char *name, const char *kind,
                                  const char *place, const char *doing);

#endif
