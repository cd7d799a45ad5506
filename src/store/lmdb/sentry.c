#include "store/lmdb/sentry.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>

#include "base/banned.h"

/* Not instrumented: a cancelled thread leaves this frame without a return, and what the address
 * sanitizer had put around its variables would stay on the stack for the thread's last functions. */
__attribute__((no_sanitize("address"))) static void *wait_for_end(void *payload)
{
    avout__lmdb_sentry *sentry = payload;
    struct flock wanted = {.l_type = F_RDLCK, .l_whence = SEEK_SET, .l_len = 1};
    wanted.l_start = avout__lmdb_session_byte(sentry->watched);
    int result, state;
    do result = fcntl(sentry->file, F_OFD_SETLKW, &wanted);
    while (result && errno == EINTR);
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
    if (result) return NULL; /* the tick will notice */
    wanted.l_type = F_UNLCK;
    fcntl(sentry->file, F_OFD_SETLK, &wanted);
    atomic_store(&sentry->ended, true);
    avout__lmdb_slot_wake(sentry->slot);
    return NULL;
}

static void stop(avout__lmdb_sentry *sentry)
{
    if (!sentry->watched) return;
    pthread_cancel(sentry->thread);
    pthread_join(sentry->thread, NULL);
    sentry->watched = 0;
    atomic_store(&sentry->ended, false);
    /* It may have been cancelled between getting the lock and giving it back. */
    struct flock all = {.l_type = F_UNLCK, .l_whence = SEEK_SET};
    fcntl(sentry->file, F_OFD_SETLK, &all);
}

void avout__lmdb_sentry_post(avout__lmdb_sentry *sentry, const avout__lmdb_session *session,
                             avout__lmdb_slot *slot, int64_t watched)
{
    if (sentry->watched == watched) return;
    stop(sentry);
    if (!watched) return;
    /* Not the session's own file: its locks would be one with those of the session. */
    sentry->file = session->sentry_file;
    sentry->slot = slot;
    sentry->watched = watched;
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 256 * 1024);
    if (pthread_create(&sentry->thread, &attributes, wait_for_end, sentry)) sentry->watched = 0;
    pthread_attr_destroy(&attributes);
}

bool avout__lmdb_sentry_ended(avout__lmdb_sentry *sentry)
{
    if (!atomic_load(&sentry->ended)) return false;
    stop(sentry);
    return true;
}
