/* What users' containers are called with and answer, in the library's words (C2, C3 in
 * avout/sys/container.h). Any thread. */
#ifndef AVOUT_STATE_ANSWER_H
#define AVOUT_STATE_ANSWER_H

#include "avout/distributed.h"

enum { AVOUT__KIND_MAX = AVOUT_KIND_SIZE - 1 };

/* 1 to `max` of [a-z0-9-]. */
bool avout__answer_is_word(const char *text, size_t max);
/* Whose call it is, for messages: the identity's name, the container's kind and place. */
typedef struct avout__asked {
    const char *name, *kind, *place;
} avout__asked;
/* Clears the thread's detail and gives what is left for a call. AVOUT_ETIMEOUT: nothing. */
avout_status avout__answer_time(int64_t *timeout_ms, avout__asked asked, int64_t deadline_ns);
/* A call's failure for the user: the detail gets what was asked in front. To a transaction AVOUT_RETRY and
 * others would mean what they do not mean here: they become AVOUT_EIO. */
avout_status avout__answer_failed(avout_status status, avout__asked asked, const char *doing);

/* A container's table, with the version and the size that this library knows. AVOUT_EINVAL: of this one no slot
 * can be called, not even close. */
typedef struct avout__table {
    uint32_t version, size;
} avout__table;
avout_status avout__table_known(const avout__table *table, avout__table known);
/* Then: its kind, whether the slots that must be there are, its place. AVOUT_EINVAL. */
avout_status avout__table_whole(const char *kind, bool slots, const char *place);

#endif
