/* The node of a thread that waits for a condition: made with the giving up of its lock, taken back. The states are in
 * wait.h. */
#include "lock/wait.h"

#include <inttypes.h>
#include <string.h>

#include "base/alloc.h"
#include "store/check.h"
#include "base/banned.h"

/* ---- life ------------------------------------------------------------------------------------------- */

/* Mutex held: what is gone is freed when nobody knows it any more. */
static void free_when_done(avout__wait *wait)
{
    if (wait->state != AVOUT__WAIT_GONE || !wait->left || wait->asker.replies) return;
    avout__link_remove(&wait->link);
    avout__lock_drop(wait->lock);
    avout__free(wait);
}

avout__wait *avout__wait_new(avout__lock *lock, const char *name)
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

void avout__wait_wake(avout__wait *wait)
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

void avout__wait_gone(avout__wait *wait)
{
    wait->state = AVOUT__WAIT_GONE;
    avout__wait_wake(wait);
}

void avout__wait_left(avout__wait *wait)
{
    wait->left = true;
    if (wait->state == AVOUT__WAIT_TAKING) { /* without the lock: the signal is another's */
        wait->signal[0] = '\0';
        avout__wait_delete(wait);
    }
    free_when_done(wait);
}

/* ---- replies ------------------------------------------------------------------------------------------ */

void avout__wait_reply_end(avout__order *order)
{
    free_when_done(order->owner);
    avout__order_end(order);
}

bool avout__wait_ask(avout__wait *wait, avout_request request)
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
    if (wait->state == AVOUT__WAIT_LEAVING) {
        bool signal_gone = *wait->signal && reply->status == AVOUT_ENOTFOUND;
        if (signal_gone) {
            wait->signal[0] = '\0'; /* by an attempt of which nothing was heard, or by a stranger */
            avout__wait_delete(wait);
        } else if (!reply->status || reply->status == AVOUT_ENOTFOUND) {
            wait->state = AVOUT__WAIT_GONE;
            renew(wait);
        } else {
            avout__retry_later(room, &wait->asker.retry);
        }
    }
    avout__wait_reply_end(payload);
}

void avout__wait_delete(avout__wait *wait)
{
    wait->state = AVOUT__WAIT_LEAVING;
    if (wait->deleting || !wait->lock->room->connected) return;
    char node[AVOUT__CONDITION_PATH], signal[AVOUT__CONDITION_PATH];
    snprintf(node, sizeof node, "%s/%s", wait->path, wait->name);
    snprintf(signal, sizeof signal, "%s/%s", wait->path, wait->signal);
    avout_op ops[2] = {{.kind = AVOUT_OP_DELETE, .path = signal, .version = AVOUT_VERSION_ANY},
                       {.kind = AVOUT_OP_DELETE, .path = node, .version = AVOUT_VERSION_ANY}};
    bool with_signal = *wait->signal;
    wait->deleting = avout__wait_ask(wait, (avout_request){.kind = AVOUT_REQUEST_MULTI,
                                                           .ops = with_signal ? ops : ops + 1,
                                                           .op_count = with_signal ? 2 : 1,
                                                           .done = deleted});
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
    avout__wait_reply_end(payload);
}

static void entered(avout__deed *deed, avout__deed_end end, const avout_reply *reply,
                    avout_point point)
{
    (void)point;
    avout__wait *wait = AVOUT__LINK_OF(deed, avout__wait, deed);
    wait->asker.replies--;
    if (wait->state != AVOUT__WAIT_ENTERING) { /* the client is closed */
        free_when_done(wait);
        return;
    }
    if (end == AVOUT__DEED_DONE) {
        wait->state = AVOUT__WAIT_WAITING;
        /* While it was unclear somebody may have had the lock, seen nobody wait and not signalled. */
        if (!reply) avout__wait_wake(wait);
        else
            snprintf(wait->name, sizeof wait->name, "%s", strrchr(reply->results[0].path, '/') + 1);
        if (wait->woken && *wait->name) avout__wait_delete(wait);
        else avout__wait_list(wait, false); /* unless it is on its way */
        return;
    }
    if (end == AVOUT__DEED_REFUSED) refused(wait, reply);
    avout__wait_gone(wait);
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
    avout_request list = {
        .kind = AVOUT_REQUEST_LIST, .path = wait->path, .done = avout__wait_listed};
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
    wait->state = AVOUT__WAIT_ENTERING;
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

void avout__wait_begin(avout__wait *wait)
{
    if (wait->woken || !wait->lock->room->connected) return;
    if (!avout__lease_holds(wait->lock->room) || !wait->hold->claim) {
        wait->status = AVOUT_ELOST;
        avout__wait_gone(wait);
        return;
    }
    wait->status = send_waiter(wait);
    if (wait->status) avout__wait_gone(wait);
    else give_up_lock(wait);
}

/* ---- what happens to all of them ---------------------------------------------------------------------------------- */

void avout__waits_event(avout__locks *room, const char *path)
{
    AVOUT__LIST_EACH(link, &room->waits)
    {
        avout__wait *wait = AVOUT__LINK_OF(link, avout__wait, link);
        avout__wait_event(wait, path);
    }
}

void avout__waits_resume(avout__locks *room)
{
    AVOUT__LIST_EACH(link, &room->waits)
    {
        avout__wait *wait = AVOUT__LINK_OF(link, avout__wait, link);
        if (!avout__retry_now(room, &wait->asker.retry)) continue;
        if (wait->state == AVOUT__WAIT_NEW) avout__wait_begin(wait);
        else if (wait->state == AVOUT__WAIT_LEAVING) avout__wait_delete(wait);
        else if (wait->state == AVOUT__WAIT_WAITING && !wait->armed && !wait->watching)
            avout__wait_list(wait, false);
    }
}

void avout__waits_session_lost(avout__locks *room)
{
    AVOUT__LIST_EACH(link, &room->waits)
    {
        avout__wait *wait = AVOUT__LINK_OF(link, avout__wait, link);
        if (wait->state == AVOUT__WAIT_NEW) {
            if (!wait->woken) wait->status = AVOUT_ELOST;
        } else if (wait->state == AVOUT__WAIT_GONE) {
            continue;
        }
        avout__wait_gone(wait);
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
        avout__wait_gone(wait);
        free_when_done(wait);
    }
}
