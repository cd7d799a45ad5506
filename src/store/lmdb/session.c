#include "store/lmdb/session.h"

#include <errno.h>
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/interrupt.h"
#include "base/banned.h"

enum { OPENING_BYTE = 0, FIRST_SESSION_BYTE = 1 };

static int lock_bytes(int file, int command, short kind, off_t first, off_t count)
{
    struct flock wanted = {.l_type = kind, .l_whence = SEEK_SET, .l_start = first, .l_len = count};
    return fcntl(file, command, &wanted) ? errno : 0;
}

/* True when somebody else holds a lock there. An error counts as held: nothing is taken away from
 * a session that might live. */
static bool is_locked(int file, off_t first, off_t count)
{
    struct flock asked = {
        .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = first, .l_len = count};
    return fcntl(file, F_OFD_GETLK, &asked) != 0 || asked.l_type != F_UNLCK;
}

static int open_file(const avout__lmdb_directory *directory)
{
    return openat(directory->file, "sessions", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
}

avout_status avout__lmdb_session_open(avout__lmdb_session *session,
                                      const avout__lmdb_directory *directory)
{
    session->file = open_file(directory);
    if (session->file >= 0) session->sentry_file = open_file(directory);
    if (session->sentry_file >= 0) return AVOUT_OK;
    int error = errno;
    avout_status status = AVOUT_ESYSTEM;
    if (error == EACCES || error == EROFS || error == EPERM) status = AVOUT_EPERM;
    if (error == ENOSPC || error == EDQUOT) status = AVOUT_ENOSPACE;
    return avout__fail_errno(status, error, "cannot open %s/sessions", directory->path);
}

int64_t avout__lmdb_session_byte(int64_t id)
{
    return FIRST_SESSION_BYTE + id;
}

avout_status avout__lmdb_opening_lock(const avout__lmdb_session *session, int64_t deadline_ns)
{
    /* A blocking request could not be given up; openings are rare and short. */
    for (long pause_ns = 200000;; pause_ns = pause_ns < 10000000 ? pause_ns * 2 : pause_ns) {
        int error = lock_bytes(session->file, F_OFD_SETLK, F_WRLCK, OPENING_BYTE, 1);
        if (!error) return AVOUT_OK;
        if (error != EAGAIN && error != EACCES && error != EINTR)
            return avout__fail_errno(AVOUT_ESYSTEM, error, "cannot lock the store");
        if (avout__deadline_passed(deadline_ns))
            return avout_fail(avout__late(),
                              "another process is opening the store and does not finish");
        nanosleep(&(struct timespec){0, pause_ns}, NULL);
    }
}

void avout__lmdb_opening_unlock(const avout__lmdb_session *session)
{
    lock_bytes(session->file, F_OFD_SETLK, F_UNLCK, OPENING_BYTE, 1);
}

bool avout__lmdb_session_alone(const avout__lmdb_session *session)
{
    return !is_locked(session->file, FIRST_SESSION_BYTE, 0);
}

avout_status avout__lmdb_session_enter(avout__lmdb_session *session)
{
    for (;;) {
        /* Random, so that none is ever given twice and none has to be written down. */
        int64_t id = (int64_t)(avout__random64() >> 2);
        if (id == 0) continue;
        int error =
            lock_bytes(session->file, F_OFD_SETLK, F_WRLCK, avout__lmdb_session_byte(id), 1);
        if (!error) {
            session->id = id;
            return AVOUT_OK;
        }
        if (error != EAGAIN && error != EACCES && error != EINTR)
            return avout__fail_errno(AVOUT_ESYSTEM, error, "cannot lock a session's byte");
    }
}

bool avout__lmdb_session_dead(int64_t id, void *payload)
{
    const avout__lmdb_session *session = payload;
    return id != session->id && !is_locked(session->file, avout__lmdb_session_byte(id), 1);
}

void avout__lmdb_session_close(avout__lmdb_session *session)
{
    if (session->file >= 0) close(session->file);
    if (session->sentry_file >= 0) close(session->sentry_file);
    session->file = session->sentry_file = -1;
}
