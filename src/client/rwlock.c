/* The public read-write lock: handles over the room's, as those of avout_lock. */
#include "avout/lock.h"

#include "base/alloc.h"
#include "client/handles.h"
#include "stm/handles.h"
#include "base/banned.h"

avout_status avout_rwlock_open(avout_rwlock **out, avout_client *client, const char *name)
{
    avout_rwlock *lock = avout__alloc(sizeof *lock);
    if (!lock) return AVOUT_ENOMEM;
    avout_status status = avout__lock_handle_open(&lock->handle, client->locks, name);
    if (status) avout__free(lock);
    else *out = lock;
    return status;
}

void avout_rwlock_close(avout_rwlock *lock)
{
    if (!lock) return;
    avout__lock_handle_close(&lock->handle);
    avout__free(lock);
}

const char *avout_rwlock_name(const avout_rwlock *lock)
{
    return lock->handle.lock->name;
}

avout_status avout_rwlock_read(avout_token *token, avout_rwlock *lock,
                               const avout_wait_options *options)
{
    return avout__lock_handle_acquire(token, &lock->handle, true, AVOUT__WAIT, options);
}

avout_status avout_rwlock_write(avout_token *token, avout_rwlock *lock,
                                const avout_wait_options *options)
{
    return avout__lock_handle_acquire(token, &lock->handle, false, AVOUT__WAIT, options);
}

avout_status avout_rwlock_try_read(avout_token *token, avout_rwlock *lock)
{
    return avout__lock_handle_acquire(token, &lock->handle, true, AVOUT__TRY, NULL);
}

avout_status avout_rwlock_try_write(avout_token *token, avout_rwlock *lock)
{
    return avout__lock_handle_acquire(token, &lock->handle, false, AVOUT__TRY, NULL);
}

avout_status avout_rwlock_release_read(avout_rwlock *lock)
{
    return avout__lock_handle_release(&lock->handle, true);
}

avout_status avout_rwlock_release_write(avout_rwlock *lock)
{
    return avout__lock_handle_release(&lock->handle, false);
}

bool avout_rwlock_is_read(avout_rwlock *lock)
{
    return avout__lock_handle_holds(&lock->handle, true);
}

bool avout_rwlock_is_written(avout_rwlock *lock)
{
    return avout__lock_handle_holds(&lock->handle, false);
}

uint32_t avout_rwlock_read_count(avout_rwlock *lock)
{
    return avout__lock_handle_count(&lock->handle, true);
}

uint32_t avout_rwlock_write_count(avout_rwlock *lock)
{
    return avout__lock_handle_count(&lock->handle, false);
}

avout_status avout_rwlock_token(avout_token *token, avout_rwlock *lock)
{
    bool shared = !avout__lock_handle_count(&lock->handle, false);
    return avout__lock_handle_token(token, &lock->handle, shared);
}

avout_status avout_rwlock_on_lost(avout_rwlock *lock, avout_lost_fn lost, void *payload)
{
    return avout__lock_handle_on_lost(&lock->handle, lost, payload);
}
