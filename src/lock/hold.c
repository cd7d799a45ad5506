/* Holds: what threads have, and how they come by it and give it up. On the caller's thread. */
#include "lock/lock.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/interrupt.h"
#include "store/check.h"
#include "base/banned.h"

/* Threads by number: identifiers of the system are used again. */
uint64_t avout__thread_number(void)
{
    static _Atomic uint64_t threads;
    static _Thread_local uint64_t mine;
    if (!mine) mine = atomic_fetch_add(&threads, 1) + 1;
    return mine;
}

avout__hold *avout__hold_of_thread(avout__lock *lock)
{
    uint64_t me = avout__thread_number();
    AVOUT__LIST_EACH(link, &lock->holds)
    {
        avout__hold *hold = AVOUT__LINK_OF(link, avout__hold, link);
        if (hold->thread == me) return hold;
    }
    return NULL;
}

void avout__holds_lost(avout__claim *claim)
{
    AVOUT__LIST_EACH(link, &claim->lock->holds)
    {
        avout__hold *hold = AVOUT__LINK_OF(link, avout__hold, link);
        if (hold->claim != claim) continue;
        hold->claim = NULL;
        avout__lock_handle *handle = hold->handle;
        if (handle && handle->era != hold->era) handle = NULL;
        avout__loss_tell(hold->lock->room, hold->loss, handle, handle ? handle->lost : NULL,
                         handle ? handle->payload : NULL, hold->token);
        hold->loss = NULL;
    }
    claim->holds = 0;
}

/* ---- handles --------------------------------------------------------------------------------------------- */

avout_status avout__lock_handle_open(avout__lock_handle *handle, avout__locks *room,
                                     const char *name)
{
    avout_status status = avout__locks_usable(room);
    if (!status && !name) status = avout_fail(AVOUT_EINVAL, "the lock's name is NULL");
    if (!status) status = avout__name_check(name);
    if (status) return status;
    avout__locks_lock(room);
    status = avout__tender_need(room);
    *handle = (avout__lock_handle){.lock = status ? NULL : avout__lock_find(room, name)};
    if (!status && !handle->lock) status = AVOUT_ENOMEM;
    avout__locks_unlock(room);
    return status;
}

static void forget_callback(avout__lock_handle *handle)
{
    AVOUT__LIST_EACH(link, &handle->lock->holds)
    {
        avout__hold *hold = AVOUT__LINK_OF(link, avout__hold, link);
        if (hold->handle == handle) hold->handle = NULL;
    }
    avout__notices_end(handle->lock->room, handle);
}

void avout__lock_handle_close(avout__lock_handle *handle)
{
    avout__locks *room = handle->lock->room;
    if (avout__locks_forked(room)) return; /* what is the parent's stays as it is */
    atomic_fetch_add(&room->refs, 1);
    avout__locks_lock(room);
    forget_callback(handle);
    avout__lock_drop(handle->lock);
    avout__locks_unlock(room);
    avout__locks_unref(room);
}

avout_status avout__lock_handle_on_lost(avout__lock_handle *handle, avout_lost_fn lost,
                                        void *payload)
{
    avout__locks *room = handle->lock->room;
    avout_status status = avout__locks_usable(room);
    if (status) return status;
    avout__locks_lock(room);
    if (lost) status = avout__teller_need(room);
    if (!status) {
        avout__notices_end(room, handle);
        handle->lost = lost;
        handle->payload = payload;
        handle->era++;
    }
    avout__locks_unlock(room);
    return status;
}

/* ---- acquiring ----------------------------------------------------------------------------------------------- */

static bool is_valid(avout__hold *hold)
{
    return avout__lease_holds(hold->lock->room) && hold->claim;
}

static avout_status was_lost(const avout__lock *lock)
{
    return avout_fail(AVOUT_ELOST,
                      "%s: this thread had acquired it and lost it: the session with the store "
                      "ended, or the store could not be reached for as long as a session lasts",
                      lock->name);
}

/* The thread has it already. */
static avout_status acquire_again(avout__hold *hold, bool shared)
{
    if (!is_valid(hold)) return was_lost(hold->lock);
    if (!shared && !hold->writes)
        return avout_fail(AVOUT_EDEADLOCK,
                          "%s: this thread holds it for reading and would wait for itself: release "
                          "that first",
                          hold->lock->name);
    uint32_t *count = shared ? &hold->reads : &hold->writes;
    if (*count == UINT32_MAX)
        return avout_fail(AVOUT_ELIMIT, "%s: acquired too often", hold->lock->name);
    ++*count;
    return AVOUT_OK;
}

static avout_status why_not(const avout__lock *lock, const avout__want *want,
                            const avout_cancel *cancel, bool connected)
{
    const char *name = lock->name;
    if (want->status == AVOUT_EBUSY)
        return avout_fail(AVOUT_EBUSY, "%s: somebody else has it, or waits for it", name);
    if (want->status) return avout_fail(want->status, "%s: %s", name, want->detail);
    if (avout_cancel_is_set(cancel))
        return avout_fail(AVOUT_ECANCELLED, "%s: the wait was cancelled", name);
    return avout_fail(avout__late(), "%s: %s", name,
                      avout__late_text(connected
                                           ? "not obtained before the deadline"
                                           : "no connection to the store before the deadline"));
}

avout_status avout__want_wait(avout__lock *lock, avout__want *want, avout_cancel *cancel,
                              int64_t deadline_ns)
{
    avout__cancel_entry entry;
    avout__cancel_enter(cancel, &entry, &want->latch);
    avout__latch_wait(&want->latch, deadline_ns);
    avout__cancel_leave(cancel, &entry);
    avout__locks_lock(lock->room);
    avout__want_leave(want);
    bool connected = lock->room->connected;
    avout__locks_unlock(lock->room);
    return want->granted ? AVOUT_OK : why_not(lock, want, cancel, connected);
}

static avout__hold *hold_new(avout__lock_handle *handle)
{
    avout__hold *hold = avout__calloc(1, sizeof *hold);
    if (!hold) return NULL;
    hold->lock = handle->lock;
    hold->handle = handle;
    hold->thread = avout__thread_number();
    if (!avout__loss_new(&hold->loss, handle->lock->name)) return hold;
    avout__free(hold);
    return NULL;
}

void avout__hold_free(avout__hold *hold)
{
    if (!hold) return;
    avout__loss_free(hold->loss);
    avout__node_check_unref(hold->check);
    avout__free(hold);
}

static avout_status acquire_new(avout_token *token, avout__lock_handle *handle, bool shared,
                                avout__how how, avout_cancel *cancel, int64_t deadline_ns)
{
    avout__lock *lock = handle->lock;
    avout__want want = {.only_now = how == AVOUT__TRY, .latch = AVOUT__LATCH_INIT};
    avout__hold *mine = hold_new(handle);
    if (!mine) return AVOUT_ENOMEM;
    want.hold = mine;
    avout__locks_lock(lock->room);
    if (atomic_load(&lock->room->closed))
        avout__want_fail(&want, AVOUT_ECLOSED, "the client is closed");
    else avout__want_add(lock, &want, shared);
    avout__locks_unlock(lock->room);
    avout_status status = avout__want_wait(lock, &want, cancel, deadline_ns);
    /* Only this thread gives it up; when the client is closed it is freed, but then want.hold is not. */
    if (!status) {
        avout__locks_lock(lock->room);
        avout__hold *hold = avout__hold_of_thread(lock);
        if (hold && token) *token = hold->token;
        avout__locks_unlock(lock->room);
        if (!hold) status = avout__locks_usable(lock->room);
    }
    avout__hold_free(want.hold);
    return status;
}

avout_status avout__lock_handle_acquire(avout_token *token, avout__lock_handle *handle, bool shared,
                                        avout__how how, const avout_wait_options *options)
{
    avout__lock *lock = handle->lock;
    int64_t deadline_ns;
    AVOUT__ASSERT(!avout__store_delivering);
    avout_status status = avout__locks_usable(lock->room);
    if (!status) status = avout__wait_deadline(&deadline_ns, options, lock->room->timeout_ms);
    if (status) return status;
    avout__locks_lock(lock->room);
    avout__hold *hold = avout__hold_of_thread(lock);
    if (hold) {
        status = acquire_again(hold, shared);
        if (!status && token) *token = hold->token;
    }
    avout__locks_unlock(lock->room);
    if (hold) return status;
    return acquire_new(token, handle, shared, how, options ? options->cancel : NULL, deadline_ns);
}

/* ---- giving up -------------------------------------------------------------------------------------------------- */

static avout_status not_held(const avout__lock *lock, bool shared)
{
    return avout_fail(AVOUT_ENOTHELD, "%s: this thread does not hold it%s", lock->name,
                      shared ? " for reading" : "");
}

avout_status avout__lock_handle_release(avout__lock_handle *handle, bool shared)
{
    avout__lock *lock = handle->lock;
    avout__locks *room = lock->room;
    avout__releaser releaser = {0};
    bool wait = false;
    avout_status status = avout__locks_usable(room);
    if (status) return status;
    avout__locks_lock(room);
    avout__hold *hold = avout__hold_of_thread(lock);
    uint32_t *count = !hold ? NULL : shared ? &hold->reads : &hold->writes;
    if (!count || !*count) {
        avout__locks_unlock(room);
        status = avout__locks_usable(room); /* closing has taken what was held */
        return status ? status : not_held(lock, shared);
    }
    bool valid = is_valid(hold);
    --*count;
    bool last = !hold->reads && !hold->writes;
    if (last) {
        avout__link_remove(&hold->link);
        if (valid) wait = avout__claim_release(hold->claim, avout__hold_may_go_on(hold), &releaser);
        avout__lock_drop(lock); /* the hold's; the handle has another */
    }
    avout__locks_unlock(room);
    if (last) avout__hold_free(hold);
    if (!valid) return was_lost(lock);
    return wait ? avout__releaser_wait(room, &releaser, lock->name) : AVOUT_OK;
}

/* ---- what else may be conditional on a hold ---------------------------------------------------------------------- */

bool avout__hold_may_go_on(const avout__hold *hold)
{
    return !hold->check || avout__node_check_idle(hold->check);
}

static avout_status make_check(avout__hold *hold)
{
    avout__lock *lock = hold->lock;
    char *path = avout__format("%s/%s", lock->path, hold->claim->name);
    char *detail = avout__format("%s: the lock is not held any more", lock->name);
    if (path && detail) hold->check = avout__node_check_new(path, 0, AVOUT_ELOST, detail);
    avout__free(path);
    avout__free(detail);
    return hold->check ? AVOUT_OK : AVOUT_ENOMEM;
}

avout_status avout__hold_check(avout__node_check **check, avout__lock *lock, avout_token token)
{
    AVOUT__LIST_EACH(link, &lock->holds)
    {
        avout__hold *hold = AVOUT__LINK_OF(link, avout__hold, link);
        if (avout_token_compare(hold->token, token)) continue;
        if (!is_valid(hold))
            return avout_fail(AVOUT_ELOST, "%s: the lock was acquired with this token and lost",
                              lock->name);
        if (!hold->check && make_check(hold)) return AVOUT_ENOMEM;
        *check = hold->check;
        return AVOUT_OK;
    }
    return avout_fail(AVOUT_ENOTHELD, "%s: nobody holds it with this token in this client",
                      lock->name);
}

/* ---- looking ------------------------------------------------------------------------------------------------------ */

bool avout__lock_handle_holds(avout__lock_handle *handle, bool shared)
{
    avout__lock *lock = handle->lock;
    if (avout__locks_forked(lock->room)) return false;
    avout__locks_lock(lock->room);
    avout__hold *hold = avout__hold_of_thread(lock);
    bool holds = hold && (shared ? hold->reads : hold->writes) && is_valid(hold);
    avout__locks_unlock(lock->room);
    return holds;
}

uint32_t avout__lock_handle_count(avout__lock_handle *handle, bool shared)
{
    avout__lock *lock = handle->lock;
    if (avout__locks_forked(lock->room)) return 0;
    avout__locks_lock(lock->room);
    avout__hold *hold = avout__hold_of_thread(lock);
    uint32_t count = !hold ? 0 : shared ? hold->reads : hold->writes;
    avout__locks_unlock(lock->room);
    return count;
}

avout_status avout__lock_handle_token(avout_token *token, avout__lock_handle *handle, bool shared)
{
    avout__lock *lock = handle->lock;
    avout_status status = avout__locks_usable(lock->room);
    if (status) return status;
    avout__locks_lock(lock->room);
    avout__hold *hold = avout__hold_of_thread(lock);
    bool has = hold && (shared ? hold->reads : hold->writes);
    if (has && is_valid(hold)) *token = hold->token;
    else status = has ? was_lost(lock) : not_held(lock, shared);
    avout__locks_unlock(lock->room);
    return status;
}
