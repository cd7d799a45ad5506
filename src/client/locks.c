/* The public lock: handles over the room's. */
#include "avout/lock.h"

#include "base/alloc.h"
#include "base/error.h"
#include "client/handles.h"
#include "lock/inspect.h"
#include "stm/handles.h"
#include "base/banned.h"

avout_status avout_lock_open(avout_lock **out, avout_client *client, const char *name)
{
    avout_lock *lock = avout__alloc(sizeof *lock);
    if (!lock) return AVOUT_ENOMEM;
    avout_status status = avout__lock_handle_open(&lock->handle, client->locks, name);
    if (status) avout__free(lock);
    else *out = lock;
    return status;
}

void avout_lock_close(avout_lock *lock)
{
    if (!lock) return;
    avout__lock_handle_close(&lock->handle);
    avout__free(lock);
}

const char *avout_lock_name(const avout_lock *lock)
{
    return lock->handle.lock->name;
}

avout_status avout_lock_acquire(avout_token *token, avout_lock *lock,
                                const avout_wait_options *options)
{
    return avout__lock_handle_acquire(token, &lock->handle, false, AVOUT__WAIT, options);
}

avout_status avout_lock_try(avout_token *token, avout_lock *lock)
{
    return avout__lock_handle_acquire(token, &lock->handle, false, AVOUT__TRY, NULL);
}

avout_status avout_lock_release(avout_lock *lock)
{
    return avout__lock_handle_release(&lock->handle, false);
}

bool avout_lock_is_held(avout_lock *lock)
{
    return avout__lock_handle_holds(&lock->handle, false);
}

uint32_t avout_lock_hold_count(avout_lock *lock)
{
    return avout__lock_handle_count(&lock->handle, false);
}

avout_status avout_lock_token(avout_token *token, avout_lock *lock)
{
    return avout__lock_handle_token(token, &lock->handle, false);
}

avout_status avout_lock_on_lost(avout_lock *lock, avout_lost_fn lost, void *payload)
{
    return avout__lock_handle_on_lost(&lock->handle, lost, payload);
}

avout_status avout_lock_inspect(avout_lock_report **report, avout_client *client, const char *name)
{
    return avout__inspect(report, client->locks, name);
}

avout_status avout_locks_each(avout_client *client, const char *directory, avout_lock_each_fn each,
                              void *payload)
{
    return avout__names_each(client->locks, AVOUT__LOCKS_PATH, directory, each, payload);
}

avout_status avout_lock_remove(avout_client *client, const char *name)
{
    return avout__lock_remove(client->locks, name);
}
