/* Conditions: waiting for a signal without the lock.
 *
 *   LOCK/c-NAME/t-CLIENT-N-SEQ    ephemeral: somebody waits
 *   LOCK/c-NAME/s-SEQ             a signal; persistent: it outlives whoever sent it, and who it was for
 *
 * Only the first in the line looks for signals: it watches the children. Every other waiter watches the one
 * before it. So a signal wakes one, and one meant for a waiter who dies or gives up is the next one's. Signals
 * are no more than there are waiters; should one be left over, a later wait ends without a reason, which
 * waits may.
 *
 *   NEW --[create waiter, delete claim]--> ENTERING --known--> WAITING --first, and a signal--> woken
 *    |  connected                              |                  |
 *    |                                         | no effect        | deadline, session lost, removed
 *    +--deadline: still has the lock           +------> woken <---+
 *
 * Who is woken wants the lock like anybody else, and takes its node back (until that is confirmed: in the
 * background). The waiter's node is a deed's, as a claim is: one that came late would be first in line for
 * ever and swallow the signals. */
#include "lock/lock.h"

#include <inttypes.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/interrupt.h"
#include "store/check.h"
#include "base/banned.h"

enum { PATH_ROOM = 4096 + 2 * AVOUT__CLAIM_NAME, NAME_MAX_BYTES = 64, SIGNALS_A_MULTI = 256 };

typedef enum wait_state { NEW, ENTERING, WAITING, LEAVING, GONE } wait_state;

typedef struct avout__wait {
    avout__link link;           /* in room->waits until it is GONE and its thread has left */
    avout__lock *lock;          /* counted */
    avout__lock_handle *handle; /* the condition's: open as long as that */
    avout__deed deed;
    wait_state state;    /* of the node */
    bool woken;          /* the want has been added, unless it never gave up the lock */
    bool left;           /* the thread has */
    avout_status status; /* why the wait could not be */
    uint64_t number;
    uint32_t replies;
    bool listing, armed, watching, deleting;
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

static char *condition_path(const avout__lock *lock, const char *name)
{
    return avout__format("%s/c-%s", lock->path, name);
}

/* ---- life ------------------------------------------------------------------------------------------- */

/* Mutex held: what is gone is freed when nobody knows it any more. */
static void free_when_done(avout__wait *wait)
{
    if (wait->state != GONE || !wait->left || wait->replies) return;
    avout__link_remove(&wait->link);
    avout__lock_drop(wait->lock);
    avout__free(wait);
}

static avout__wait *wait_new(avout__lock *lock, const char *name)
{
    char *path = condition_path(lock, name);
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

typedef struct wait_order {
    avout__wait *wait;
    int64_t sent_ns;
} wait_order;

static wait_order *order_new(avout__wait *wait)
{
    wait_order *order = avout__alloc(sizeof *order);
    if (!order) return NULL;
    *order = (wait_order){wait, avout__lease_now_ns()};
    wait->replies++;
    atomic_fetch_add(&wait->lock->room->refs, 1);
    return order;
}

static void order_cancel(wait_order *order)
{
    order->wait->replies--;
    atomic_fetch_sub(&order->wait->lock->room->refs, 1); /* never the last: the caller has one */
    avout__free(order);
}

static avout__wait *reply_begin(wait_order *order, const avout_reply *reply)
{
    avout__wait *wait = order->wait;
    avout__locks *room = wait->lock->room;
    avout__locks_lock(room);
    avout__lease_extend(room, reply, order->sent_ns);
    wait->replies--;
    return wait;
}

static void reply_end(wait_order *order, avout__locks *room)
{
    free_when_done(order->wait);
    avout__locks_unlock(room);
    avout__locks_unref(room);
    avout__free(order);
}

static bool ask(avout__wait *wait, avout_request request)
{
    avout__locks *room = wait->lock->room;
    wait_order *order = order_new(wait);
    request.payload = order;
    if (order && !avout__locks_submit(room, &request, 1)) return true;
    if (order) order_cancel(order);
    avout__locks_try_later(room);
    return false;
}

/* ---- leaving ------------------------------------------------------------------------------------------- */

static void deleted(const avout_reply *reply, void *payload)
{
    avout__wait *wait = reply_begin(payload, reply);
    avout__locks *room = wait->lock->room;
    wait->deleting = false;
    if (wait->state == LEAVING) {
        bool signal_gone = *wait->signal && reply->status == AVOUT_ENOTFOUND;
        if (signal_gone) {
            wait->signal[0] = '\0'; /* by an attempt of which nothing was heard, or by a stranger */
            wait_delete(wait);
        } else if (!reply->status || reply->status == AVOUT_ENOTFOUND) {
            wait->state = GONE;
        } else {
            avout__locks_try_later(room);
        }
    }
    reply_end(payload, room);
}

/* Takes the node back, and with it the signal that woke. */
static void wait_delete(avout__wait *wait)
{
    wait->state = LEAVING;
    if (wait->deleting || !wait->lock->room->connected) return;
    char node[PATH_ROOM], signal[PATH_ROOM];
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
    uint32_t before_sequence, signal_sequence;
} line;

/* "s-SEQ" */
static bool parse_signal(uint32_t *sequence, const char *text)
{
    char *end;
    if (text[0] != 's' || text[1] != '-' || !text[2]) return false;
    if (strlen(text) >= AVOUT__CLAIM_NAME) return false;
    *sequence = (uint32_t)strtoll(text + 2, &end, 10);
    return !*end;
}

static bool is_known(avout__locks *room, const avout__claim_name *name)
{
    AVOUT__LIST_EACH(link, &room->waits)
    if (AVOUT__LINK_OF(link, avout__wait, link)->number == name->number) return true;
    return false;
}

/* One of this client's that no thread of it waits for (L2). */
static void delete_orphan(const avout__wait *wait, const char *name)
{
    char path[PATH_ROOM];
    snprintf(path, sizeof path, "%s/%s", wait->path, name);
    avout_op op = {.kind = AVOUT_OP_DELETE, .path = path, .version = AVOUT_VERSION_ANY};
    avout_request request = {
        .kind = AVOUT_REQUEST_MULTI, .ops = &op, .op_count = 1, .done = avout__reply_ignored};
    (void)avout__locks_submit(wait->lock->room, &request, 1);
}

static bool find_mine(avout__claim_name *mine, line *seen, const avout__wait *wait,
                      const avout_reply *reply)
{
    avout__locks *room = wait->lock->room;
    for (size_t i = 0; i < reply->name_count; i++) {
        avout__claim_name name;
        if (!avout__name_parse(&name, 't', reply->names[i]) || strcmp(name.client, room->client_id))
            continue;
        if (name.number == wait->number) {
            seen->mine = reply->names[i];
            *mine = name;
        } else if (!is_known(room, &name)) {
            delete_orphan(wait, reply->names[i]);
        }
    }
    return seen->mine != NULL;
}

static line line_of(const avout__wait *wait, const avout_reply *reply)
{
    line seen = {0};
    avout__claim_name mine, other;
    if (!find_mine(&mine, &seen, wait, reply)) return seen;
    for (size_t i = 0; i < reply->name_count; i++) {
        const char *name = reply->names[i];
        uint32_t sequence;
        if (avout__name_parse(&other, 't', name)) {
            sequence = other.sequence;
            if (avout__sequence_compare(sequence, mine.sequence) >= 0) continue;
            if (seen.before && avout__sequence_compare(sequence, seen.before_sequence) < 0)
                continue;
            seen.before = name;
            seen.before_sequence = sequence;
        } else if (parse_signal(&sequence, name)) {
            if (seen.signal && avout__sequence_compare(sequence, seen.signal_sequence) > 0)
                continue;
            seen.signal = name;
            seen.signal_sequence = sequence;
        }
    }
    return seen;
}

static void before_seen(const avout_reply *reply, void *payload)
{
    avout__wait *wait = reply_begin(payload, reply);
    avout__locks *room = wait->lock->room;
    if (wait->state == WAITING && wait->watching && reply->status) {
        wait->watching = false;
        if (reply->status == AVOUT_ENOTFOUND) wait_list(wait, false);
        else avout__locks_try_later(room);
    }
    reply_end(payload, room);
}

static void watch_before(avout__wait *wait, const char *name)
{
    char path[PATH_ROOM];
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
    if (wait->woken) {
        wait_delete(wait);
    } else if (seen.before) {
        watch_before(wait, seen.before);
    } else if (seen.signal) {
        snprintf(wait->signal, sizeof wait->signal, "%s", seen.signal);
        wait_delete(wait);
        wake(wait); /* its claim is right behind, on the wire as well */
    } else if (watched) {
        wait->armed = true;
    } else {
        wait_list(wait, true);
    }
}

static void listed(const avout_reply *reply, wait_order *order, bool watched)
{
    avout__wait *wait = reply_begin(order, reply);
    avout__locks *room = wait->lock->room;
    wait->listing = false;
    if (wait->state == WAITING) {
        if (!reply->status) place(wait, reply, watched);
        else if (reply->status == AVOUT_ENOTFOUND) node_gone(wait);
        else avout__locks_try_later(room);
    }
    reply_end(order, room);
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

static void entered(avout__deed *deed, avout__deed_end end, const avout_reply *reply,
                    avout_point point)
{
    (void)point;
    avout__wait *wait = AVOUT__LINK_OF(deed, avout__wait, deed);
    wait->replies--;
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
    if (end == AVOUT__DEED_REFUSED && reply->status != AVOUT_ENOTFOUND)
        wait->status = reply->status;
    node_gone(wait);
    free_when_done(wait);
}

/* Everything in one run, the deletion of the claim behind it. */
static avout_status send_waiter(avout__wait *wait)
{
    avout__locks *room = wait->lock->room;
    char path[PATH_ROOM];
    snprintf(path, sizeof path, "%s/t-%s-%" PRIu64 "-", wait->path, room->client_id, wait->number);
    avout_op parent = {.kind = AVOUT_OP_CREATE, .path = wait->path};
    avout_op op = {.kind = AVOUT_OP_CREATE,
                   .ephemeral = true,
                   .sequential = true,
                   .path = path,
                   .bytes = room->self,
                   .length = strlen(room->self)};
    avout_request first = {
        .kind = AVOUT_REQUEST_MULTI, .ops = &parent, .op_count = 1, .done = avout__reply_ignored};
    wait_order *order = order_new(wait);
    if (!order) return AVOUT_ENOMEM;
    avout_request list = {
        .kind = AVOUT_REQUEST_LIST, .path = wait->path, .done = listed_only, .payload = order};
    wait->deed.ended = entered;
    avout_status status = avout__deed_send(&wait->deed, room, &op, 1, &first, 1, &list, 1);
    if (status) {
        order_cancel(order);
        return status;
    }
    wait->replies++; /* the deed's end */
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
        wait->hold = NULL; /* freed with its lock's */
        node_gone(wait);
        free_when_done(wait);
    }
}

/* ---- the thread that waits -------------------------------------------------------------------------------------------- */

static avout_status not_held(const avout__lock *lock, const avout__hold *hold)
{
    if (!hold || !hold->writes)
        return avout_fail(AVOUT_ENOTHELD, "%s: this thread does not hold it", lock->name);
    return avout_fail(AVOUT_ELOST, "%s: this thread had acquired it and lost it", lock->name);
}

/* The wait joins the others, or cannot be: with the lock as it was. */
static avout_status wait_join(avout__wait *wait, avout__lock_handle *handle)
{
    avout__lock *lock = handle->lock;
    avout__locks *room = lock->room;
    avout__hold *hold = avout__hold_of_thread(lock);
    if (atomic_load(&room->closed)) return avout_fail(AVOUT_ECLOSED, "the client is closed");
    if (!hold || !hold->writes || !avout__lease_holds(room) || !hold->claim)
        return not_held(lock, hold);
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
                          avout_status_text(wait->status));
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
    free_when_done(wait);
    avout__locks_unlock(room);
    avout__locks_unref(room);
    return status;
}

/* ---- signals ---------------------------------------------------------------------------------------------------------- */

static bool again(avout_status status, int64_t deadline_ns)
{
    if (status != AVOUT_ECONNECTION && status != AVOUT_ESESSION) return false;
    if (avout__deadline_passed(deadline_ns)) return false;
    _Atomic uint32_t word = 0;
    int64_t pause = avout__deadline_in_ms(20);
    avout__futex_wait(&word, 0, pause < deadline_ns ? pause : deadline_ns, false);
    return true;
}

/* How many signals there have to be more. */
static avout_status count_missing(size_t *missing, avout__locks *room, const char *path, bool all,
                                  int64_t deadline_ns)
{
    avout_request request = {.kind = AVOUT_REQUEST_LIST, .path = path};
    avout__reply reply = AVOUT__REPLY_INIT;
    avout_status status;
    do {
        avout__reply_release(&reply);
        status = avout__store_call(&reply, &room->door, &request, deadline_ns);
    } while (again(status, deadline_ns));
    size_t waiters = 0, signals = 0;
    for (size_t i = 0; !status && i < reply.is.name_count; i++) {
        avout__claim_name name;
        uint32_t sequence;
        waiters += avout__name_parse(&name, 't', reply.is.names[i]);
        signals += parse_signal(&sequence, reply.is.names[i]);
    }
    avout__reply_release(&reply);
    *missing = signals >= waiters ? 0 : all ? waiters - signals : 1;
    return status == AVOUT_ENOTFOUND ? AVOUT_OK : status;
}

/* Only who still has the lock may: the check of its claim says so. Sent twice it is one signal too many,
 * which ends a wait without a reason; sent too seldom it would be a lost one. */
static avout_status send_signals(avout__lock *lock, const char *claim, const char *path,
                                 size_t count, bool *sent, int64_t deadline_ns)
{
    char signal[PATH_ROOM];
    snprintf(signal, sizeof signal, "%s/s-", path);
    avout_op *ops = avout__calloc(count + 1, sizeof *ops);
    if (!ops) return AVOUT_ENOMEM;
    ops[0] = (avout_op){.kind = AVOUT_OP_CHECK, .path = claim, .version = 0};
    for (size_t i = 1; i <= count; i++)
        ops[i] = (avout_op){.kind = AVOUT_OP_CREATE, .sequential = true, .path = signal};
    avout_request request = {.kind = AVOUT_REQUEST_MULTI, .ops = ops, .op_count = count + 1};
    avout__reply reply = AVOUT__REPLY_INIT;
    avout_status status;
    do {
        avout__reply_release(&reply);
        status = avout__store_call(&reply, &lock->room->door, &request, deadline_ns);
        *sent = *sent || !status || reply.is.maybe_done;
    } while (again(status, deadline_ns));
    bool lost = status == AVOUT_ENOTFOUND && reply.is.failed_op == 0;
    avout__reply_release(&reply);
    avout__free(ops);
    if (lost) return avout_fail(AVOUT_ELOST, "%s: its claim has been removed", lock->name);
    return status == AVOUT_ENOTFOUND ? AVOUT_OK
                                     : status; /* the condition was removed: nobody waits */
}

avout_status avout__condition_signal(avout__lock_handle *handle, const char *name, bool all)
{
    avout__lock *lock = handle->lock;
    avout__locks *room = lock->room;
    char claim[PATH_ROOM];
    avout_status status = avout__locks_usable(room);
    if (status) return status;
    avout__locks_lock(room);
    avout__hold *hold = avout__hold_of_thread(lock);
    if (hold && hold->writes && avout__lease_holds(room) && hold->claim)
        snprintf(claim, sizeof claim, "%s/%s", lock->path, hold->claim->name);
    else status = not_held(lock, hold);
    avout__locks_unlock(room);
    if (status) return status;
    char *path = condition_path(lock, name);
    if (!path) return AVOUT_ENOMEM;
    int64_t deadline_ns = avout__deadline_in_ms(room->timeout_ms);
    size_t missing = 0;
    bool sent = false;
    status = count_missing(&missing, room, path, all, deadline_ns);
    while (!status && missing) {
        size_t count = missing < SIGNALS_A_MULTI ? missing : SIGNALS_A_MULTI;
        status = send_signals(lock, claim, path, count, &sent, deadline_ns);
        missing -= count;
    }
    avout__free(path);
    if (status != AVOUT_ECONNECTION && status != AVOUT_ESESSION) return status;
    return avout_fail(sent ? AVOUT_UNKNOWN : AVOUT_ETIMEOUT,
                      "%s: no connection to the store before the deadline", lock->name);
}
