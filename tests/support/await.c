#include "support/await.h"

#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "support/test.h"

/* Who waits for a lock, or for an answer that is under way, sleeps as well, but not for so long. */
enum { PATIENCE_MS = 20000, PAUSE_US = 100, ASLEEP_LOOKS = 5, ASLEEP_PAUSE_US = 2000 };

void test_pause_us(int64_t us)
{
    nanosleep(&(struct timespec){us / 1000000, us % 1000000 * 1000}, NULL);
}

void test_pause_ms(int ms)
{
    test_pause_us((int64_t)ms * 1000);
}

int64_t test_patience_ns(void)
{
    return avout__deadline_in_ms(PATIENCE_MS);
}

static void check_patience(int64_t until_ns, const char *file, int line, const char *condition)
{
    if (avout__now_ns() > until_ns) test_failed(file, line, "in vain: %s", condition);
}

void test_look_again(int64_t until_ns, const char *file, int line, const char *condition)
{
    check_patience(until_ns, file, line, condition);
    test_pause_us(PAUSE_US);
}

int test_task(void)
{
    return (int)syscall(SYS_gettid);
}

static bool sleeps(int number, const _Atomic int *task)
{
    char name[64], line[256] = "";
    snprintf(name, sizeof name, "/proc/self/task/%d/stat", number);
    FILE *file = fopen(name, "r");
    if (!file && atomic_load(task) >= 0)
        test_failed(__FILE__, __LINE__, "the thread that should wait has ended");
    if (!file) return false;
    bool read = fgets(line, sizeof line, file) != NULL;
    fclose(file);
    const char *state = strrchr(line, ')');
    return read && state && state[2] == 'S';
}

void test_await_asleep(const _Atomic int *task)
{
    int64_t until = test_patience_ns();
    for (int asleep = 0; asleep < ASLEEP_LOOKS; test_pause_us(ASLEEP_PAUSE_US)) {
        check_patience(until, __FILE__, __LINE__, "a thread that waits");
        int number = atomic_load(task);
        if (number < 0) return;
        asleep = number && sleeps(number, task) ? asleep + 1 : 0;
    }
}
