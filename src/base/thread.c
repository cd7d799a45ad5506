#include "base/thread.h"

#include <signal.h>

#include "base/error.h"
#include "base/banned.h"

avout_status avout__thread_start(pthread_t *thread, void *(*main)(void *payload), void *payload)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(thread, NULL, main, payload);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error ? avout__fail_errno(AVOUT_ESYSTEM, error, "cannot start a thread") : AVOUT_OK;
}
