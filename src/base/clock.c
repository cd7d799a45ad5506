#include "base/clock.h"

#include <errno.h>
#include <sys/random.h>
#include <time.h>

#include "base/banned.h"

enum { NS_PER_MS = 1000000 };

int64_t avout__now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int64_t avout__unix_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / NS_PER_MS;
}

int64_t avout__deadline_in_ms(int64_t timeout_ms)
{
    int64_t now = avout__now_ns();
    if (timeout_ms < 0 || timeout_ms > (INT64_MAX - now) / NS_PER_MS) return AVOUT__NEVER;
    return now + timeout_ms * NS_PER_MS;
}

int64_t avout__deadline_left_ms(int64_t deadline_ns)
{
    if (deadline_ns == AVOUT__NEVER) return INT64_MAX;
    int64_t left = deadline_ns - avout__now_ns();
    return left <= 0 ? 0 : left / NS_PER_MS + (left % NS_PER_MS != 0);
}

uint64_t avout__random64(void)
{
    uint64_t bits = 0;
    /* 8 bytes come whole once the kernel's pool is up; only a signal before that interrupts. */
    while (getrandom(&bits, sizeof bits, 0) != (ssize_t)sizeof bits && errno == EINTR) {}
    return bits;
}
