/* A call's time, as the slots of a container get it (timeout_ms), as a point that does not move while
 * the call goes from step to step. */
#ifndef PLUGINS_COMMON_DEADLINE_H
#define PLUGINS_COMMON_DEADLINE_H

#include <stdbool.h>
#include <stdint.h>

/* Milliseconds of the monotonic clock. */
int64_t avout__plugin_now_ms(void);

/* INT64_MAX for AVOUT_FOREVER. */
int64_t avout__plugin_deadline(int64_t timeout_ms);

/* What is left until then: at least `least`, at most `most`, for systems that take 0 or negative
 * numbers for "for ever" and have limits of their own. */
int64_t avout__plugin_left_ms(int64_t deadline_ms, int64_t least, int64_t most);

bool avout__plugin_passed(int64_t deadline_ms);

/* Waits for `events` of a socket; also where it has failed: true. False: the deadline has passed. */
bool avout__plugin_poll(int fd, short events, int64_t deadline_ms);

/* Sleeps so long, or until the deadline. */
void avout__plugin_pause(int64_t ms, int64_t deadline_ms);

#endif
