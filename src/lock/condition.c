/* Conditions: waiting for a signal without the lock. The nodes, and which signal is whose: condition.h.
 *
 * Only the first in the line looks for signals: it watches the children. Every other waiter watches the one
 * before it. So a signal wakes one.
 *
 *   NEW --[create waiter, delete claim]--> ENTERING --known--> WAITING --first, and a signal--> TAKING
 *    |  connected                              |                  |                             |
 *    |                                         | no effect        | deadline, session lost,     | has the lock,
 *    +--deadline: still has the lock           |                  | removed                     | or gave up
 *                                              +--> woken <-------+                             v
 *                                                     +--[delete waiter]--> LEAVING <--[delete waiter, signal]
 *
 * Who is woken wants the lock like anybody else. A signal is used up when the one it woke has the lock: until
 * then both nodes stay, so whoever dies or gives up on the way leaves the signal to the next. The node is taken
 * back in the background until that is confirmed; it is a deed's, as a claim is: one that came late would be
 * first in line for ever and swallow the signals. */
#include "lock/condition.h"

#include <inttypes.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/interrupt.h"
#include "store/check.h"
#include "base/banned.h"

enum { NAME_MAX_BYTES = 64 };

typedef enum wait_state { NEW, ENTERING, WAITING, TAKING, LEAVING, GONE } wait_state;

typedef struct avout__wait {
    avout__link link;           /* in room->waits until it is GONE and its thread has left */
    avout__lock *lock;          /* counted */
    avout__lock_handle *handle; /* the condition's: open as long as that */
    avout__deed deed;
    wait_state state;    /* of the node */
    bool woken;          /* the want has been added, unless it never gave up the lock */
    bool left;           /* the thread has */
    avout_status status; /* why the wait could not be */
    avout_status parent_status;
    char detail[256]; /* of status; "": its text */
    uint64_t number;
    avout__asker asker;
    bool listing, armed, watching, deleting;
    int64_t sequence; /* of its node, once that is known */
    char name[AVOUT__CLAIM_NAME], before[AVOUT__CLAIM_NAME], signal[AVOUT__CLAIM_NAME];
    avout__hold *hold;      /* NEW: the thread's, still in force */
    uint32_t writes, reads; /* what the hold was, and will be again */
    avout__want want;
    avout__latch latch;
    char path[]; /* of the condition's node */
} avout__wait;

static void wait_list(avout__wait *wait, bool watch);
static void wait_delete(avout__wait *wait);

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

/* ---- life ------------------------------------------------------------------------------------------- */

/* Mutex held: what is gone is freed when nobody knows it any more. */
static void free_when_done(avout__wait *wait)
{
    if (wait->state != GONE || !wait->left || wait->asker.replies) return;
    avout__link_remove(&wait->link);
    avout__lock_drop(wait->lock);
    avout__free(wait);
}

static avout__wait *wait_new(avout__lock *lock, const char *name)
{
    char *path = avout__condition_path(lock, name);
    avout__wait *wait = path ? avout__calloc(1, sizeof *wait + strlen(path) + 1) : NULL;
    if (wait) {
        memcpy(wait->path, path, strlen(path) + 1);
        wait->lock = lock;
    }
    avout__free(path);
    return wait;
}

static void wake(avout__wait *wait)
{
    if (wait->woken) return;
    wait->woken = true;
    if (wait->hold == NULL) { /* it has given the lock up */
        if (atomic_load(&wait->lock->room->closed))
            avout__want_fail(&wait->want, AVOUT_ECLOSED, "the client is closed");
        else avout__want_add(wait->lock, &wait->want, false);
    }
    avout__latch_open(&wait->latch);
}

static void node_gone(avout__wait *wait)
{
    wait->state = GONE;
    wake(wait);
}

/* ---- replies ------------------------------------------------------------------------------------------ */

static void reply_end(avout__order *order)
{
    free_when_done(order->owner);
    avout__order_end(order);
}

static bool ask(avout__wait *wait, avout_request request)
{
    return avout__order_send(wait->lock->room, request, wait, &wait->asker);
}

/* ---- leaving ------------------------------------------------------------------------------------------- */

/* As a lock's node is (claim.c): with the last one that leaves its numbers begin anew. */
static void renew(const avout__wait *wait)
{
    if (wait->sequence < AVOUT__RENEW_FROM) return;
    avout_op op = {.kind = AVOUT_OP_DELETE, .path = wait->path, .version = AVOUT_VERSION_ANY};
    avout_request request = {
        .kind = AVOUT_REQUEST_MULTI, .ops = &op, .op_count = 1, .done = avout__reply_ignored};
    (void)avout__locks_submit(wait->lock->room, &request, 1); /* refused while there are others */
}

static void deleted(const avout_reply *reply, void *payload)
{
    avout__wait *wait = avout__order_begin(payload, reply);
    avout__locks *room = wait->lock->room;
    wait->deleting = false;
    if (wait->state == LEAVING) {
        bool signal_gone = *wait->signal && reply->status == AVOUT_ENOTFOUND;
        if (signal_gone) {
            wait->signal[0] = '\0'; /* by an attempt of which nothing was heard, or by a stranger */
            wait_delete(wait);
        } else if (!reply->status || reply->status == AVOUT_ENOTFOUND) {
            wait->state = GONE;
            renew(wait);
        } else {
            avout__retry_later(room, &wait->asker.retry);
        }
    }
    reply_end(payload);
}

/* Takes the node back, and with it the signal that woke. */
static void wait_delete(avout__wait *wait)
{
    wait->state = LEAVING;
    if (wait->deleting || !wait->lock->room->connected) return;
    char node[AVOUT__CONDITION_PATH], signal[AVOUT__CONDITION_PATH];
    snprintf(node, sizeof node, "%s/%s", wait->path, wait->name);
    snprintf(signal, sizeof signal, "%s/%s", wait->path, wait->signal);
    avout_op ops[2] = {{.kind = AVOUT_OP_DELETE, .path = signal, .version = AVOUT_VERSION_ANY},
                       {.kind = AVOUT_OP_DELETE, .path = node, .version = AVOUT_VERSION_ANY}};
    bool with_signal = *wait->signal;
    wait->deleting = ask(wait, (avout_request){.kind = AVOUT_REQUEST_MULTI,
                                               .ops = with_signal ? ops : ops + 1,
                                               .op_count = with_signal ? 2 : 1,
                                               .done = deleted});
}

/* ---- the line ---------------------------------------------------------------------------------------------- */

typedef struct line {
    const char *mine, *before, *signal;
    int64_t sequence, before_sequence, signal_sequence;
} line;

static bool is_known(avout__locks *room, const avout__claim_name *name)
{
    AVOUT__LIST_EACH(link, &room->waits)
    if (AVOUT__LINK_OF(link, avout__wait, link)->number == name->number) return true;
    return false;
}

static bool find_mine(line *seen, const avout__wait *wait, const avout_reply *reply)
{
    avout__locks *room = wait->lock->room;
    for (size_t i = 0; i < reply->name_count; i++) {
        avout__claim_name name;
        if (!avout__name_parse(&name, 't', reply->names[i]) || strcmp(name.client, room->client_id))
            continue;
        if (name.number == wait->number) {
            seen->mine = reply->names[i];
            seen->sequence = name.sequence;
        } else if (!is_known(room, &name)) { /* no thread waits for it (L2) */
            avout__node_sweep(room, wait->path, reply->names[i]);
        }
    }
    return seen->mine != NULL;
}

/* The last waiter before it, and the first signal that is its own if there is none. */
static line line_of(const avout__wait *wait, const avout_reply *reply)
{
    line seen = {0};
    if (!find_mine(&seen, wait, reply)) return seen;
    for (size_t i = 0; i < reply->name_count; i++) {
        const char *name = reply->names[i];
        avout__claim_name other;
        int64_t sequence;
        if (avout__name_parse(&other, 't', name)) {
            if (other.sequence >= seen.sequence) continue;
            if (seen.before && other.sequence < seen.before_sequence) continue;
            seen.before = name;
            seen.before_sequence = other.sequence;
        } else if (avout__signal_parse(&sequence, name)) {
            if (sequence < seen.sequence) continue;
            if (seen.signal && sequence > seen.signal_sequence) continue;
            seen.signal = name;
            seen.signal_sequence = sequence;
        }
    }
    return seen;
}

/* It is the first in line: signals smaller than itself are nobody's. */
static void sweep_signals(const avout__wait *wait, const avout_reply *reply)
{
    for (size_t i = 0; i < reply->name_count; i++) {
        int64_t sequence;
        if (avout__signal_parse(&sequence, reply->names[i]) && sequence < wait->sequence)
            avout__node_sweep(wait->lock->room, wait->path, reply->names[i]);
    }
}

static void before_seen(const avout_reply *reply, void *payload)
{
    avout__wait *wait = avout__order_begin(payload, reply);
    avout__locks *room = wait->lock->room;
    if (wait->state == WAITING && wait->watching && reply->status) {
        wait->watching = false;
        if (reply->status == AVOUT_ENOTFOUND) wait_list(wait, false);
        else avout__retry_later(room, &wait->asker.retry);
    }
    reply_end(payload);
}

static void watch_before(avout__wait *wait, const char *name)
{
    char path[AVOUT__CONDITION_PATH];
    snprintf(wait->before, sizeof wait->before, "%s", name);
    snprintf(path, sizeof path, "%s/%s", wait->path, name);
    wait->watching =
        ask(wait, (avout_request){
                      .kind = AVOUT_REQUEST_GET, .watch = true, .path = path, .done = before_seen});
}

static void place(avout__wait *wait, const avout_reply *reply, bool watched)
{
    line seen = line_of(wait, reply);
    if (!seen.mine) {
        node_gone(wait); /* removed by a stranger */
        return;
    }
    snprintf(wait->name, sizeof wait->name, "%s", seen.mine);
    wait->sequence = seen.sequence;
    if (!seen.before) sweep_signals(wait, reply);
    if (seen.sequence >= INT32_MAX && !wait->woken) {
        wait->status = AVOUT_ELIMIT; /* nobody could tell who was first, and whose a signal is */
        wait_delete(wait);
        wake(wait);
    } else if (wait->woken) {
        wait_delete(wait);
    } else if (seen.before) {
        watch_before(wait, seen.before);
    } else if (seen.signal) {
        snprintf(wait->signal, sizeof wait->signal, "%s", seen.signal);
        wait->state = TAKING;
        wake(wait);
    } else if (watched) {
        wait->armed = true;
    } else {
        wait_list(wait, true);
    }
}

static void listed(const avout_reply *reply, avout__order *order, bool watched)
{
    avout__wait *wait = avout__order_begin(order, reply);
    avout__locks *room = wait->lock->room;
    wait->listing = false;
    if (wait->state == WAITING) {
        if (!reply->status) place(wait, reply, watched);
        else if (reply->status == AVOUT_ENOTFOUND) node_gone(wait);
        else avout__retry_later(room, &wait->asker.retry);
    }
    reply_end(order);
}

static void listed_only(const avout_reply *reply, void *payload)
{
    listed(reply, payload, false);
}

static void listed_and_watched(const avout_reply *reply, void *payload)
{
    listed(reply, payload, true);
}

static void wait_list(avout__wait *wait, bool watch)
{
    if (wait->listing || !wait->lock->room->connected) return;
    wait->listing = ask(wait, (avout_request){.kind = AVOUT_REQUEST_LIST,
                                              .watch = watch,
                                              .path = wait->path,
                                              .done = watch ? listed_and_watched : listed_only});
}

/* ---- entering ------------------------------------------------------------------------------------------------ */

/* That the condition's node has just been removed ends the wait without a reason; that it cannot be made is
 * told, or whoever waits in a loop would try again and again. */
static void refused(avout__wait *wait, const avout_reply *reply)
{
    bool no_parent = reply->status == AVOUT_ENOTFOUND && reply->failed_op != SIZE_MAX;
    wait->status = no_parent ? wait->parent_status : reply->status;
    snprintf(wait->detail, sizeof wait->detail, "%s",
             no_parent || !reply->detail ? avout_status_text(wait->status) : reply->detail);
}

static void parent_made(const avout_reply *reply, void *payload)
{
    avout__wait *wait = avout__order_begin(payload, reply);
    bool lost = reply->status == AVOUT_ECONNECTION || reply->status == AVOUT_ESESSION;
    if (!lost && reply->status != AVOUT_EEXISTS) wait->parent_status = reply->status;
    reply_end(payload);
}

static void entered(avout__deed *deed, avout__deed_end end, const avout_reply *reply,
                    avout_point point)
{
    (void)point;
    avout__wait *wait = AVOUT__LINK_OF(deed, avout__wait, deed);
    wait->asker.replies--;
    if (wait->state != ENTERING) { /* the client is closed */
        free_when_done(wait);
        return;
    }
    if (end == AVOUT__DEED_DONE) {
        wait->state = WAITING;
        /* While it was unclear somebody may have had the lock, seen nobody wait and not signalled. */
        if (!reply) wake(wait);
        else
            snprintf(wait->name, sizeof wait->name, "%s", strrchr(reply->results[0].path, '/') + 1);
        if (wait->woken && *wait->name) wait_delete(wait);
        else wait_list(wait, false); /* unless it is on its way */
        return;
    }
    if (end == AVOUT__DEED_REFUSED) refused(wait, reply);
    node_gone(wait);
    free_when_done(wait);
}

/* Everything in one run, the deletion of the claim behind it. */
static avout_status send_waiter(avout__wait *wait)
{
    avout__locks *room = wait->lock->room;
    char path[AVOUT__CONDITION_PATH];
    snprintf(path, sizeof path, "%s/t-%s-%" PRIu64 "-", wait->path, room->client_id, wait->number);
    avout_op parent = {.kind = AVOUT_OP_CREATE, .path = wait->path};
    avout_op op = {.kind = AVOUT_OP_CREATE,
                   .ephemeral = true,
                   .sequential = true,
                   .path = path,
                   .bytes = room->self,
                   .length = strlen(room->self)};
    avout_request first = {
        .kind = AVOUT_REQUEST_MULTI, .ops = &parent, .op_count = 1, .done = parent_made};
    avout_request list = {.kind = AVOUT_REQUEST_LIST, .path = wait->path, .done = listed_only};
    first.payload = avout__order_new(room, wait, &wait->asker);
    list.payload = avout__order_new(room, wait, &wait->asker);
    wait->deed.ended = entered;
    avout_status status = AVOUT_ENOMEM;
    if (first.payload && list.payload)
        status = avout__deed_send(&wait->deed, room, &op, 1, &first, 1, &list, 1);
    if (status) {
        avout__order_cancel(first.payload);
        avout__order_cancel(list.payload);
        return status;
    }
    wait->asker.replies++; /* the deed's end */
    wait->state = ENTERING;
    wait->listing = true;
    return AVOUT_OK;
}

/* The thread's hold is given up; what it was is needed again when it is woken. */
static void give_up_lock(avout__wait *wait)
{
    avout__hold *hold = wait->hold;
    avout__lock *lock = wait->lock;
    wait->hold = NULL;
    wait->want.hold = hold;
    hold->handle = wait->handle; /* the one it was acquired through may be closed meanwhile */
    avout__link_remove(&hold->link);
    avout__lock_drop(lock); /* the hold's; the wait has another */
    avout__claim *claim = hold->claim;
    bool may_hand_on = avout__hold_may_go_on(hold);
    avout__node_check_unref(hold->check);
    hold->check = NULL;
    hold->claim = NULL;
    hold->writes = hold->reads = 0;
    avout__claim_release(claim, may_hand_on, NULL);
}

static void wait_begin(avout__wait *wait)
{
    if (wait->woken || !wait->lock->room->connected) return;
    if (!avout__lease_holds(wait->lock->room) || !wait->hold->claim) {
        wait->status = AVOUT_ELOST;
        node_gone(wait);
        return;
    }
    wait->status = send_waiter(wait);
    if (wait->status) node_gone(wait);
    else give_up_lock(wait);
}

/* ---- what happens to all of them ---------------------------------------------------------------------------------- */

void avout__waits_event(avout__locks *room, const char *path)
{
    AVOUT__LIST_EACH(link, &room->waits)
    {
        avout__wait *wait = AVOUT__LINK_OF(link, avout__wait, link);
        if (wait->state != WAITING) continue;
        size_t length = strlen(wait->path);
        if (strncmp(path, wait->path, length)) continue;
        if (wait->armed && !path[length]) {
            wait->armed = false;
            wait_list(wait, true);
        } else if (wait->watching && path[length] == '/' &&
                   !strcmp(path + length + 1, wait->before)) {
            wait->watching = false;
            wait_list(wait, false);
        }
    }
}

void avout__waits_resume(avout__locks *room)
{
    AVOUT__LIST_EACH(link, &room->waits)
    {
        avout__wait *wait = AVOUT__LINK_OF(link, avout__wait, link);
        if (!avout__retry_now(room, &wait->asker.retry)) continue;
        if (wait->state == NEW) wait_begin(wait);
        else if (wait->state == LEAVING) wait_delete(wait);
        else if (wait->state == WAITING && !wait->armed && !wait->watching) wait_list(wait, false);
    }
}

void avout__waits_session_lost(avout__locks *room)
{
    AVOUT__LIST_EACH(link, &room->waits)
    {
        avout__wait *wait = AVOUT__LINK_OF(link, avout__wait, link);
        if (wait->state == NEW) {
            if (!wait->woken) wait->status = AVOUT_ELOST;
        } else if (wait->state == GONE) {
            continue;
        }
        node_gone(wait);
        free_when_done(wait);
    }
}

void avout__waits_close(avout__locks *room)
{
    AVOUT__LIST_EACH(link, &room->waits)
    {
        avout__wait *wait = AVOUT__LINK_OF(link, avout__wait, link);
        if (wait->hold && wait->woken) /* it could not be begun, and is told that when it looks */
            avout__want_fail(&wait->want, AVOUT_ECLOSED, "the client is closed");
        wait->hold = NULL; /* freed with its lock's */
        node_gone(wait);
        free_when_done(wait);
    }
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
    wait_begin(wait);
    return AVOUT_OK;
}

/* The signal came, or will not any more. Answers whether it did. */
static bool wait_end(avout__wait *wait)
{
    bool signalled = wait->woken;
    if (wait->state == NEW) wait->state = GONE;
    wake(wait);
    if (wait->state == WAITING && *wait->name) wait_delete(wait);
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
        if (wait->state == TAKING) wait_delete(wait);
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
    avout__wait *wait = status ? NULL : wait_new(lock, name);
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
    wait->left = true;
    if (wait->state == TAKING) { /* without the lock: the signal is another's */
        wait->signal[0] = '\0';
        wait_delete(wait);
    }
    free_when_done(wait);
    avout__locks_unlock(room);
    avout__locks_unref(room);
    return status;
}
