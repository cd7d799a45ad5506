/* Atoms in unversioned containers: where the engine's cells and the room of locks meet. The lock of the atom
 * "/a" is the lock "/avout-atoms/a". */
#include "avout/distributed.h"

#include <string.h>

#include "avout/lock.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "client/handles.h"
#include "stm/handles.h"
#include "stm/held.h"
#include "store/store.h"
#include "base/banned.h"

#define LOCKS "/avout-atoms"

/* ---- the lock as the engine wants it ------------------------------------------------------------ */

typedef struct lock_guard {
    avout__guard is;
    avout_lock *lock;
} lock_guard;

static avout_status take_check(avout__node_check **check, avout_lock *lock, avout_token token)
{
    avout__locks *room = lock->handle.lock->room;
    avout__locks_lock(room);
    avout_status status = avout__hold_check(check, lock->handle.lock, token);
    if (!status) avout__node_check_ref(*check);
    avout__locks_unlock(room);
    return status;
}

static avout_status acquire(avout__node_check **check, avout_token *token, avout__guard *guard,
                            int64_t deadline_ns)
{
    avout_lock *lock = ((lock_guard *)guard)->lock;
    for (;;) {
        int64_t left_ms = avout__deadline_left_ms(deadline_ns);
        avout_wait_options options = {.timeout_ms = left_ms == INT64_MAX ? AVOUT_FOREVER
                                                    : left_ms            ? left_ms
                                                                         : 1};
        avout_status status = avout_lock_acquire(token, lock, &options);
        if (!status) {
            status = take_check(check, lock, *token);
            if (!status) return AVOUT_OK;
            (void)avout_lock_release(lock);
        }
        /* Lost just now: it is asked for again. */
        if (status != AVOUT_ELOST || !left_ms || avout_lock_hold_count(lock)) return status;
    }
}

static void release(avout__guard *guard)
{
    (void)avout_lock_release(((lock_guard *)guard)->lock);
}

static void close_guard(avout__guard *guard)
{
    avout_lock_close(((lock_guard *)guard)->lock);
    avout__free(guard);
}

static const avout__guard_ops guard_ops = {acquire, release, close_guard};

static avout_status guard_new(avout__guard **guard, avout_client *client, const char *name)
{
    char path[sizeof LOCKS + AVOUT__NAME_MAX + 1];
    snprintf(path, sizeof path, LOCKS "%s", name);
    lock_guard *made = avout__calloc(1, sizeof *made);
    if (!made) return AVOUT_ENOMEM;
    made->is.ops = &guard_ops;
    avout_status status = avout_lock_open(&made->lock, client, path);
    if (status) avout__free(made);
    else *guard = &made->is;
    return status;
}

/* ---- opening -------------------------------------------------------------------------------------- */

static avout_status held_new(avout__held **held, avout_client *client, const char *name,
                             avout_container *container)
{
    avout__guard *guard = NULL;
    avout_status status = avout__held_new(held, container, name ? name : "");
    if (status) return status;
    status = avout__stm_usable(client->stm);
    if (!status) status = avout__name_check(name);
    if (!status) status = guard_new(&guard, client, name);
    if (!status) status = avout__held_guarded(*held, guard);
    if (!status)
        status = avout__sweeper_start(client->stm, avout__held_kind(*held)); /* reads for watches */
    if (!status) status = avout__held_init(*held, avout__deadline_in_ms(client->stm->timeout_ms));
    return status;
}

avout_status avout_unversioned_atom(avout_atom **atom, avout_client *client, const char *name,
                                    avout_container *container, avout_value initial, bool *created)
{
    avout__held *held = NULL;
    avout__handle *handle = NULL;
    bool made = false;
    avout_status none = avout_is_none(initial) ? avout_none_status() : AVOUT_OK;
    avout_status status = held_new(&held, client, name, container);
    if (none) status = none;
    if (!status) status = avout__handle_held(&handle, client->stm, name, held);
    if (!status) status = avout__held_open(handle->cell, initial, &made);
    avout_release(initial);
    avout__held_unref(held);
    if (status) {
        if (handle) avout__handle_close(handle);
        return status;
    }
    *atom = (avout_atom *)handle;
    if (created) *created = made;
    return AVOUT_OK;
}
