/* Time and deadlines. A deadline is a point on the monotonic clock in nanoseconds. */
#ifndef AVOUT_BASE_CLOCK_H
#define AVOUT_BASE_CLOCK_H

#include <stdint.h>

#define AVOUT__NEVER INT64_MAX

int64_t avout__now_ns(void);  /* monotonic */
int64_t avout__unix_ms(void); /* wall clock */
/* timeout_ms from now; AVOUT_FOREVER (or so far off that it overflows): AVOUT__NEVER. */
int64_t avout__deadline_in_ms(int64_t timeout_ms);
/* Milliseconds left, rounded up, 0 when passed, INT64_MAX for AVOUT__NEVER. */
int64_t avout__deadline_left_ms(int64_t deadline_ns);

/* 64 random bits of the kernel's; for identities and jitter. */
uint64_t avout__random64(void);

#endif
