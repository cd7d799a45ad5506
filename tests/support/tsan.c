/* What the thread sanitizer must be told, in its build only.
 *
 * GCC 12's does not know pthread_mutex_clocklock: a mutex taken by it looks
 * unlocked. In that build it is made of pthread_mutex_timedlock, which the sanitizer knows; the
 * deadline moves with the wall clock then, which no test minds.
 */
#include <errno.h>
#include <pthread.h>
#include <time.h>

#if defined(__SANITIZE_THREAD__)

void __tsan_mutex_pre_lock(void *mutex, unsigned flags);
void __tsan_mutex_post_lock(void *mutex, unsigned flags, int recursion);

int pthread_mutex_clocklock(pthread_mutex_t *mutex, clockid_t clock, const struct timespec *until)
{
    struct timespec now, wall;
    if (clock_gettime(clock, &now) || clock_gettime(CLOCK_REALTIME, &wall)) return EINVAL;
    long long ns = (until->tv_sec - now.tv_sec) * 1000000000LL + (until->tv_nsec - now.tv_nsec);
    if (ns < 0) ns = 0;
    ns += wall.tv_nsec;
    wall.tv_sec += (time_t)(ns / 1000000000);
    wall.tv_nsec = (long)(ns % 1000000000);
    int error = pthread_mutex_timedlock(mutex, &wall);
    /* A lock inherited from a dead owner is one, too; of timedlock the sanitizer does not know it. */
    if (error == EOWNERDEAD) {
        __tsan_mutex_pre_lock(mutex, 0);
        __tsan_mutex_post_lock(mutex, 0, 0);
    }
    return error;
}

/* Libraries that are not built with the sanitizer share memory by atomic instructions it does not see:
 * libmongoc counts the users of its picture of the servers so. Reports with a frame of theirs are left out.
 *
 * libzookeeper formats addresses for its log into one static buffer, on the threads of all handles.
 * We ban sprintf, so that no report of ours is hidden. */
__attribute__((visibility("default"))) const char *__tsan_default_suppressions(void);
const char *__tsan_default_suppressions(void)
{
    return "race:vsprintf\nrace:libbson-1.0.so\nrace:libmongoc-1.0.so\n";
}

#else

/* An empty file is no C. */
typedef int tsan_is_not_here;

#endif
