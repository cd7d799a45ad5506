#include "store/lmdb/wake.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/futex.h"
#include "base/banned.h"

static const char MAGIC[8] = "avoutwk";
enum { LAYOUT = 1, TURN_WAIT_NS = 1000000 };

_Static_assert(sizeof(avout__lmdb_slot) == 64, "a slot is a cache line");
_Static_assert(sizeof(pthread_mutex_t) <= 64, "the write lock has its own line");

static avout_status set_up(avout__lmdb_shared *shared)
{
    memset(shared, 0, sizeof *shared);
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
    int error = pthread_mutex_init(&shared->write.mutex, &attributes);
    pthread_mutexattr_destroy(&attributes);
    if (error) return avout__fail_errno(AVOUT_ESYSTEM, error, "shared mutex");
    shared->layout = LAYOUT;
    shared->mutex_size = sizeof(pthread_mutex_t);
    atomic_store(&shared->last_writer, UINT32_MAX);
    memcpy(shared->magic, MAGIC, sizeof MAGIC);
    return AVOUT_OK;
}

static avout_status check(const avout__lmdb_shared *shared, const char *path)
{
    if (memcmp(shared->magic, MAGIC, sizeof MAGIC) || shared->layout != LAYOUT ||
        shared->mutex_size != sizeof(pthread_mutex_t))
        return avout_fail(AVOUT_EFORMAT,
                          "%s/wake: in use by another build of the library (other memory layout)",
                          path);
    return AVOUT_OK;
}

avout_status avout__lmdb_shared_map(avout__lmdb_shared **shared, int directory, const char *path,
                                    bool alone)
{
    avout_status status = AVOUT_OK;
    void *memory = MAP_FAILED;
    int error = 0;
    struct stat about;
    int file = openat(directory, "wake", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (file < 0 || fstat(file, &about)) {
        error = errno;
        status = error == EACCES || error == EROFS ? AVOUT_EPERM : AVOUT_ESYSTEM;
        goto done;
    }
    /* Blocks are allocated now: writing to a hole of a full disk would be a SIGBUS later. */
    if (alone || about.st_size < (off_t)sizeof(avout__lmdb_shared))
        error = posix_fallocate(file, 0, sizeof(avout__lmdb_shared));
    if (error) {
        status = error == ENOSPC || error == EDQUOT || error == EFBIG ? AVOUT_ENOSPACE : AVOUT_EIO;
        goto done;
    }
    memory = mmap(NULL, sizeof(avout__lmdb_shared), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (memory == MAP_FAILED) {
        error = errno;
        status = error == ENOMEM ? AVOUT_ENOMEM : AVOUT_ESYSTEM;
        goto done;
    }
    status = alone ? set_up(memory) : check(memory, path);
    if (status) goto done;
    *shared = memory;
    memory = MAP_FAILED;
done:
    if (error) avout__fail_errno(status, error, "%s/wake", path);
    if (memory != MAP_FAILED) munmap(memory, sizeof(avout__lmdb_shared));
    if (file >= 0) close(file);
    return status;
}

void avout__lmdb_shared_unmap(avout__lmdb_shared *shared)
{
    if (shared) munmap(shared, sizeof *shared);
}

avout_status avout__lmdb_slot_claim(avout__lmdb_slot **slot, avout__lmdb_shared *shared,
                                    int64_t session, bool (*is_dead)(int64_t, void *),
                                    void *payload)
{
    for (uint32_t i = 0; i < AVOUT__LMDB_SLOTS; i++) {
        avout__lmdb_slot *candidate = &shared->slots[i];
        int64_t owner = atomic_load(&candidate->session);
        if (owner && !is_dead(owner, payload)) continue;
        atomic_store(&candidate->asleep, 0);
        atomic_store(&candidate->wants_write, 0);
        atomic_store(&candidate->session, session);
        if (i >= atomic_load(&shared->slot_limit)) atomic_store(&shared->slot_limit, i + 1);
        *slot = candidate;
        return AVOUT_OK;
    }
    return avout_fail(AVOUT_ELIMIT, "the store is open %d times already, which is the limit",
                      AVOUT__LMDB_SLOTS);
}

void avout__lmdb_slot_release(avout__lmdb_slot *slot)
{
    if (!slot) return;
    atomic_store(&slot->wants_write, 0);
    atomic_store(&slot->asleep, 0);
    atomic_store(&slot->session, 0);
}

void avout__lmdb_slot_wait(avout__lmdb_slot *slot, uint32_t seen, int64_t deadline_ns)
{
    /* The sleeper says "asleep" before the kernel compares the word; the waker changes the word
     * before it looks at "asleep": one of them sees the other. */
    atomic_store(&slot->asleep, 1);
    if (atomic_load(&slot->word) == seen) avout__futex_wait(&slot->word, seen, deadline_ns, true);
    atomic_store(&slot->asleep, 0);
}

void avout__lmdb_slot_wake(avout__lmdb_slot *slot)
{
    atomic_fetch_add(&slot->word, 1);
    if (atomic_load(&slot->asleep)) avout__futex_wake(&slot->word, INT_MAX, true);
}

void avout__lmdb_wake_all(avout__lmdb_shared *shared, const avout__lmdb_slot *mine)
{
    uint32_t limit = atomic_load(&shared->slot_limit);
    if (limit > AVOUT__LMDB_SLOTS) limit = AVOUT__LMDB_SLOTS;
    for (uint32_t i = 0; i < limit; i++) {
        avout__lmdb_slot *slot = &shared->slots[i];
        if (slot != mine && atomic_load(&slot->session)) avout__lmdb_slot_wake(slot);
    }
}

static int lock_until(pthread_mutex_t *mutex, int64_t deadline_ns)
{
    if (deadline_ns == AVOUT__NEVER) return pthread_mutex_lock(mutex);
    struct timespec until = {(time_t)(deadline_ns / 1000000000), (long)(deadline_ns % 1000000000)};
    return pthread_mutex_clocklock(mutex, CLOCK_MONOTONIC, &until);
}

static bool others_want(avout__lmdb_shared *shared, const avout__lmdb_slot *mine)
{
    uint32_t limit = atomic_load(&shared->slot_limit);
    if (limit > AVOUT__LMDB_SLOTS) limit = AVOUT__LMDB_SLOTS;
    for (uint32_t i = 0; i < limit; i++) {
        const avout__lmdb_slot *slot = &shared->slots[i];
        if (slot != mine && atomic_load(&slot->wants_write) && atomic_load(&slot->session))
            return true;
    }
    return false;
}

/* The kernel wakes one waiter when the lock is released, but who runs already takes it first: a busy
 * process would starve the others. So whoever held it last lets somebody else take it first, for as
 * long as it takes to wake up; the bound is for those that died or were stopped while waiting. */
static void give_way(avout__lmdb_shared *shared, const avout__lmdb_slot *slot)
{
    if (atomic_load(&shared->last_writer) != (uint32_t)(slot - shared->slots)) return;
    uint32_t turn = atomic_load(&shared->turn);
    if (!others_want(shared, slot)) return;
    avout__futex_wait(&shared->turn, turn, avout__now_ns() + TURN_WAIT_NS, true);
}

avout_status avout__lmdb_write_lock(avout__lmdb_shared *shared, avout__lmdb_slot *slot,
                                    int64_t deadline_ns)
{
    give_way(shared, slot);
    int error = pthread_mutex_trylock(&shared->write.mutex);
    if (error == EBUSY) {
        atomic_store(&slot->wants_write, 1);
        error = lock_until(&shared->write.mutex, deadline_ns);
        atomic_store(&slot->wants_write, 0);
    }
    if (error == EOWNERDEAD) {
        /* The holder died between commit and wake, perhaps. LMDB takes care of its own state. */
        pthread_mutex_consistent(&shared->write.mutex);
        avout__lmdb_wake_all(shared, slot);
        error = 0;
    }
    if (error == ETIMEDOUT)
        return avout_fail(AVOUT_ETIMEOUT,
                          "another process holds the store's write lock (is it stopped?)");
    if (error) return avout__fail_errno(AVOUT_EIO, error, "the store's write lock");
    uint32_t mine = (uint32_t)(slot - shared->slots);
    if (atomic_exchange(&shared->last_writer, mine) != mine) {
        atomic_fetch_add(&shared->turn, 1);
        avout__futex_wake(&shared->turn, INT_MAX, true);
    }
    return AVOUT_OK;
}

void avout__lmdb_write_unlock(avout__lmdb_shared *shared)
{
    pthread_mutex_unlock(&shared->write.mutex);
}
