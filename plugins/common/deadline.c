#include "common/deadline.h"

#include <errno.h>
#include <poll.h>
#include <time.h>

#include <avout/distributed.h>

int64_t avout__plugin_now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t avout__plugin_deadline(int64_t timeout_ms)
{
    int64_t now_ms = avout__plugin_now_ms();
    if (timeout_ms == AVOUT_FOREVER || timeout_ms > INT64_MAX - now_ms) return INT64_MAX;
    return now_ms + timeout_ms;
}

int64_t avout__plugin_left_ms(int64_t deadline_ms, int64_t least, int64_t most)
{
    int64_t left_ms = deadline_ms == INT64_MAX ? most : deadline_ms - avout__plugin_now_ms();
    return left_ms < least ? least : left_ms > most ? most : left_ms;
}

bool avout__plugin_passed(int64_t deadline_ms)
{
    return deadline_ms != INT64_MAX && avout__plugin_now_ms() >= deadline_ms;
}

bool avout__plugin_poll(int fd, short events, int64_t deadline_ms)
{
    struct pollfd polled = {fd, events, 0};
    for (;;) {
        int ready = poll(&polled, 1, (int)avout__plugin_left_ms(deadline_ms, 0, 1000000));
        if (ready > 0 || (ready < 0 && errno != EINTR)) return true;
        if (avout__plugin_passed(deadline_ms)) return false;
    }
}

void avout__plugin_pause(int64_t ms, int64_t deadline_ms)
{
    int64_t left_ms = avout__plugin_left_ms(deadline_ms, 0, ms);
    nanosleep(&(struct timespec){left_ms / 1000, left_ms % 1000 * 1000000}, NULL);
}
