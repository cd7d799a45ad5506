#include "base/fork.h"

#include <pthread.h>

#include "base/banned.h"

_Atomic uint32_t avout__forks;

static pthread_once_t once = PTHREAD_ONCE_INIT;

static void in_child(void)
{
    atomic_fetch_add(&avout__forks, 1);
}

static void watch(void)
{
    pthread_atfork(NULL, NULL, in_child);
}

void avout__forks_watch(void)
{
    pthread_once(&once, watch);
}
