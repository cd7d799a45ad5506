/* Waiting for a condition: the thread that does. It gives its lock up (wait.c), sleeps until it is woken, and has the
 * lock again before it returns. */
#include "lock/wait.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/interrupt.h"
#include "base/banned.h"

enum { NAME_MAX_BYTES = 64 };

avout_status avout__condition_check(const char *name)
{
    char whole[NAME_MAX_BYTES + 2];
    if (!name) return avout_fail(AVOUT_EINVAL, "the condition's name is NULL");
    if (!*name || strlen(name) > NAME_MAX_BYTES || strchr(name, '/')) {
        char quoted[AVOUT__QUOTE_SIZE];
        return avout_fail(AVOUT_ENAME, "%s: the name of a condition has 1 to %d bytes and no slash",
                          avout__quote(quoted, name), NAME_MAX_BYTES);
    }
    snprintf(whole, sizeof whole, "/%s", name);
    return avout__name_check(whole);
}

/* ---- the thread that waits -------------------------------------------------------------------------------------------- */

/* The wait joins the others, or cannot be: with the lock as it was. */
static avout_status wait_join(avout__wait *wait, avout__lock_handle *handle)
{
    avout__lock *lock = handle->lock;
    avout__locks *room = lock->room;
    avout__hold *hold = avout__hold_of_thread(lock);
    if (atomic_load(&room->closed)) return avout_fail(AVOUT_ECLOSED, "the client is closed");
    if (!hold || !hold->writes || !avout__lease_holds(room) || !hold->claim)
        return avout__condition_not_held(lock, hold);
    lock->refs++;
    wait->handle = handle;
    wait->hold = hold;
    wait->writes = hold->writes;
    wait->reads = hold->reads;
    wait->number = ++room->numbers;
    avout__list_append(&room->waits, &wait->link);
    avout__wait_begin(wait);
    return AVOUT_OK;
}

/* The signal came, or will not any more. Answers whether it did. */
static bool wait_end(avout__wait *wait)
{
    bool signalled = wait->woken;
    if (wait->state == AVOUT__WAIT_NEW) wait->state = AVOUT__WAIT_GONE;
    avout__wait_wake(wait);
    if (wait->state == AVOUT__WAIT_WAITING && *wait->name) avout__wait_delete(wait);
    return signalled;
}

static avout_status have_lock_again(avout__wait *wait, const avout_wait_options *options)
{
    avout__lock *lock = wait->lock;
    avout__locks *room = lock->room;
    int64_t within_ms =
        options && options->reacquire_ms > 0 ? options->reacquire_ms : AVOUT_FOREVER;
    /* What interrupted the wait does not keep the lock from being had back; another one does. */
    avout__interruptible by = avout__interrupt_again();
    avout_status status =
        avout__want_wait(lock, &wait->want, NULL, avout__deadline_in_ms(within_ms));
    avout__interrupt_use(by);
    if (status == AVOUT_ECANCELLED)
        return avout_fail(AVOUT_ELOST, "%s: interrupted before it was had back after the wait",
                          lock->name);
    if (status == AVOUT_ETIMEOUT)
        return avout_fail(AVOUT_ELOST, "%s: could not be had back in %lld ms after the wait",
                          lock->name, (long long)within_ms);
    if (status) return status;
    avout__locks_lock(room);
    avout__hold *hold = avout__hold_of_thread(lock);
    if (hold) {
        hold->writes = wait->writes;
        hold->reads = wait->reads;
        if (wait->state == AVOUT__WAIT_TAKING) avout__wait_delete(wait);
    }
    avout__locks_unlock(room);
    return hold ? AVOUT_OK : avout__locks_usable(room);
}

static avout_status verdict(const avout__wait *wait, const char *name, bool signalled,
                            const avout_cancel *cancel)
{
    const char *lock = wait->lock->name;
    if (wait->status)
        return avout_fail(wait->status, "%s: waiting for %s: %s", lock, name,
                          *wait->detail ? wait->detail : avout_status_text(wait->status));
    if (signalled) return AVOUT_OK;
    if (avout_cancel_is_set(cancel))
        return avout_fail(AVOUT_ECANCELLED, "%s: the wait for %s was cancelled", lock, name);
    if (avout__interrupted())
        return avout_fail(AVOUT_ECANCELLED, "%s: the wait for %s was interrupted", lock, name);
    return avout_fail(AVOUT_ETIMEOUT, "%s: no signal to %s before the deadline", lock, name);
}

avout_status avout__condition_wait(avout__lock_handle *handle, const char *name,
                                   const avout_wait_options *options)
{
    avout__lock *lock = handle->lock;
    avout__locks *room = lock->room;
    int64_t deadline_ns;
    avout_status status = avout__locks_usable(room);
    if (!status) status = avout__wait_deadline(&deadline_ns, options, room->timeout_ms);
    avout__wait *wait = status ? NULL : avout__wait_new(lock, name);
    if (!wait) return status ? status : AVOUT_ENOMEM;
    avout__locks_lock(room);
    status = wait_join(wait, handle);
    avout__locks_unlock(room);
    if (status) {
        avout__free(wait);
        return status;
    }
    avout_cancel *cancel = options ? options->cancel : NULL;
    avout__cancel_entry entry;
    avout__cancel_enter(cancel, &entry, &wait->latch);
    avout__latch_wait(&wait->latch, deadline_ns);
    avout__cancel_leave(cancel, &entry);
    avout__locks_lock(room);
    bool signalled = wait_end(wait);
    bool gave_up = !wait->hold;
    avout__locks_unlock(room);
    if (gave_up) status = have_lock_again(wait, options);
    if (!status) status = verdict(wait, name, signalled, cancel);
    avout__hold_free(wait->want.hold);
    atomic_fetch_add(&room->refs, 1);
    avout__locks_lock(room);
    avout__wait_left(wait);
    avout__locks_unlock(room);
    avout__locks_unref(room);
    return status;
}
