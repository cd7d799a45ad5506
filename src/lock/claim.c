/* Claims: how their nodes are made and go. The states and the rules are in lock.h.
 *
 * Making a claim is one run: [directories, if they were missing] [multi: delete the claim it replaces,
 * create it, set the slot] [list]. The list is answered right behind the multi and tells the place: so an
 * uncontended lock takes one round trip. */
#include "lock/claim.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/banned.h"

enum { PARENTS_MAX = 60 };

static avout__claim *claim_again(avout__claim *claim, bool make_parents);

/* ---- life ----------------------------------------------------------------------------------------- */

avout__claim *avout__claim_new(avout__lock *lock, bool shared)
{
    avout__claim *claim = avout__calloc(1, sizeof *claim);
    if (!claim) return NULL;
    claim->lock = lock;
    lock->refs++;
    claim->shared = shared;
    claim->number = ++lock->room->numbers;
    avout__list_init(&claim->wants);
    avout__list_append(&lock->claims, &claim->link);
    return claim;
}

void avout__claim_free(avout__claim *claim)
{
    avout__lock_drop(claim->lock);
    avout__free(claim);
}

void avout__claim_leave_granted(avout__claim *claim)
{
    if (claim->state == AVOUT__CLAIM_GRANTED) claim->lock->room->granted--;
}

static void free_when_done(avout__claim *claim)
{
    if (claim->state != AVOUT__CLAIM_GONE || claim->asker.replies) return;
    if (!avout__link_linked(&claim->link))
        avout__list_append(&claim->lock->room->gone, &claim->link);
}

void avout__claim_gone(avout__claim *claim)
{
    AVOUT__ASSERT(avout__list_empty(&claim->wants));
    avout__claim_leave_granted(claim);
    claim->state = AVOUT__CLAIM_GONE;
    avout__link_remove(&claim->link);
    free_when_done(claim);
}

/* The node is gone, or given up. */
static void claim_finish(avout__claim *claim, avout_status status, const char *detail)
{
    avout__claim_gone(claim);
    avout__ending_over(&claim->ending, status, detail);
}

void avout__claim_path(char path[AVOUT__CLAIM_PATH], const avout__claim *claim, const char *name)
{
    snprintf(path, AVOUT__CLAIM_PATH, "%s/%s", claim->lock->path, name);
}

/* ---- replies -------------------------------------------------------------------------------------- */

void avout__claim_reply_end(avout__order *order)
{
    free_when_done(order->owner);
    avout__order_end(order);
}

static bool no_connection(const avout_reply *reply)
{
    return reply->status == AVOUT_ECONNECTION || reply->status == AVOUT_ESESSION;
}

bool avout__claim_ask(avout__claim *claim, avout_request request)
{
    return avout__order_send(claim->lock->room, request, claim, &claim->asker);
}

/* ---- the end -------------------------------------------------------------------------------------- */

static void deleted(const avout_reply *reply, void *payload)
{
    avout__claim *claim = avout__order_begin(payload, reply);
    avout_status status;
    const char *detail;
    claim->ending.deleting = false;
    if (claim->state == AVOUT__CLAIM_ENDING) {
        if (avout__ending_told(&status, &detail, &claim->ending, reply))
            claim_finish(claim, status, detail);
        else avout__retry_later(claim->lock->room, &claim->asker.retry);
    }
    avout__claim_reply_end(payload);
}

/* ZooKeeper numbers a node's sequential children up to 2^31 - 1, and gives that number to all that come
 * later. So from half of it on whoever leaves makes the lock's node anew, as one, which begins at 0 again:
 * refused, as it has to be, while anybody else is below the node. */
static void renew(const avout__claim *claim)
{
    avout__claim_name name;
    const char *path = claim->lock->path;
    if (!avout__claim_parse(&name, claim->name) || name.sequence < AVOUT__RENEW_FROM) return;
    avout_op ops[2] = {
        {.kind = AVOUT_OP_DELETE, .path = path, .version = AVOUT_VERSION_ANY},
        {.kind = AVOUT_OP_CREATE, .path = path},
    };
    avout_request request = {
        .kind = AVOUT_REQUEST_MULTI, .ops = ops, .op_count = 2, .done = avout__reply_ignored};
    (void)avout__locks_submit(claim->lock->room, &request, 1);
}

static void claim_delete(avout__claim *claim)
{
    if (claim->ending.deleting || claim->replaced || !claim->lock->room->connected) return;
    char path[AVOUT__CLAIM_PATH];
    avout__claim_path(path, claim, claim->name);
    avout_op op = {.kind = AVOUT_OP_DELETE, .path = path, .version = AVOUT_VERSION_ANY};
    claim->ending.deleting = avout__claim_ask(
        claim,
        (avout_request){.kind = AVOUT_REQUEST_MULTI, .ops = &op, .op_count = 1, .done = deleted});
    if (claim->ending.deleting) renew(claim);
}

void avout__claim_end(avout__claim *claim)
{
    avout__claim_leave_granted(claim);
    claim->state = AVOUT__CLAIM_ENDING;
    claim_delete(claim);
}

/* ---- making --------------------------------------------------------------------------------------- */

/* It cannot be made. */
static void claim_failed(avout__claim *claim, avout_status status, const char *detail)
{
    avout__wants_fail(claim, status, detail);
    avout__claim_gone(claim);
}

/* A claim of another number takes its place; NULL: nobody wants it. */
static avout__claim *claim_again(avout__claim *claim, bool make_parents)
{
    if (avout__list_empty(&claim->wants)) {
        avout__claim_gone(claim);
        return NULL;
    }
    avout__claim *again = avout__claim_new(claim->lock, claim->shared);
    if (!again) {
        claim_failed(claim, AVOUT_ENOMEM, NULL);
        return NULL;
    }
    avout__link_remove(&again->link);
    avout__link_insert_before(&claim->link, &again->link);
    again->make_parents = make_parents;
    again->asker.retry = claim->asker.retry;
    avout__wants_move(claim, again);
    avout__claim_gone(claim);
    return again;
}

void avout__claim_restart(avout__claim *claim, bool make_parents)
{
    avout__claim *again = claim_again(claim, make_parents);
    if (again) avout__claim_send(again);
}

/* Nothing was refused but for want of a connection, the loss of which is about to be told. */
static void claim_later(avout__claim *claim)
{
    avout__claim *again = claim_again(claim, claim->make_parents);
    if (again) avout__retry_later(again->lock->room, &again->asker.retry);
}

static void claim_refused(avout__claim *claim, avout__claim *old, const avout_reply *reply)
{
    bool deleting_old = old && reply->failed_op == 0;
    if (deleting_old && reply->status == AVOUT_ENOTFOUND) {
        claim_finish(old, AVOUT_ELOST, "its node had been removed by somebody else");
        avout__claim_restart(claim, false);
        return;
    }
    if (old) claim_delete(old);
    bool no_parent = reply->status == AVOUT_ENOTFOUND && reply->failed_op != SIZE_MAX;
    if (no_parent && !claim->parent_status) avout__claim_restart(claim, true);
    else if (no_parent)
        claim_failed(claim, claim->parent_status, "the lock's node cannot be created");
    else claim_failed(claim, reply->status, reply->detail);
}

static void created(avout__deed *deed, avout__deed_end end, const avout_reply *reply,
                    avout_point point)
{
    avout__claim *claim = AVOUT__LINK_OF(deed, avout__claim, deed);
    avout__claim *old = claim->replaces;
    claim->asker.replies--;
    claim->replaces = NULL;
    if (old) old->replaced = false;
    if (claim->state == AVOUT__CLAIM_GONE) { /* the client is closed */
        free_when_done(claim);
        return;
    }
    switch (end) {
    case AVOUT__DEED_DONE:
        claim->state = AVOUT__CLAIM_PLACED;
        claim->point = point;
        if (reply) {
            const char *path = reply->results[old ? 1 : 0].path;
            snprintf(claim->name, sizeof claim->name, "%s", strrchr(path, '/') + 1);
        }
        if (old) claim_finish(old, AVOUT_OK, NULL);
        avout__claim_list(claim); /* unless it is on its way */
        break;
    case AVOUT__DEED_NOT:
        if (old) claim_delete(old);
        if (!reply) avout__claim_restart(claim, claim->make_parents);
        else claim_later(claim);
        break;
    case AVOUT__DEED_LOST: avout__claim_restart(claim, false); break;
    case AVOUT__DEED_REFUSED: claim_refused(claim, old, reply); break;
    }
    free_when_done(claim);
}

static void parent_made(const avout_reply *reply, void *payload)
{
    avout__claim *claim = avout__order_begin(payload, reply);
    bool made = !reply->status || reply->status == AVOUT_EEXISTS;
    if (!made && !no_connection(reply) && !claim->parent_status)
        claim->parent_status = reply->status;
    avout__claim_reply_end(payload);
}

/* The run's requests for the directories above the claim. `path` is cut up into theirs. */
typedef struct parents {
    char *memory;
    avout_op ops[PARENTS_MAX];
    avout_request requests[PARENTS_MAX];
    size_t count;
} parents;

static avout_status parents_add(parents *all, avout__claim *claim)
{
    const char *path = claim->lock->path;
    size_t length = strlen(path), at = strlen(AVOUT__LOCKS_PATH), depth = 1;
    for (size_t i = at; i < length; i++) depth += path[i] == '/';
    if (depth > PARENTS_MAX)
        return avout_fail(AVOUT_ELIMIT, "%s: more than %d segments", claim->lock->name,
                          PARENTS_MAX - 1);
    all->memory = avout__alloc(depth * (length + 1));
    if (!all->memory) return AVOUT_ENOMEM;
    for (char *part = all->memory;; part += length + 1) {
        memcpy(part, path, at);
        part[at] = '\0';
        avout__order *order = avout__order_new(claim->lock->room, claim, &claim->asker);
        if (!order) return AVOUT_ENOMEM;
        avout_op *op = &all->ops[all->count];
        *op = (avout_op){.kind = AVOUT_OP_CREATE, .path = part};
        all->requests[all->count++] = (avout_request){.kind = AVOUT_REQUEST_MULTI,
                                                      .ops = op,
                                                      .op_count = 1,
                                                      .done = parent_made,
                                                      .payload = order};
        if (at == length) return AVOUT_OK;
        at += 1 + strcspn(path + at + 1, "/");
    }
}

static avout_status submit_claim(avout__claim *claim, parents *all)
{
    avout__locks *room = claim->lock->room;
    char old[AVOUT__CLAIM_PATH], prefix[AVOUT__CLAIM_NAME], path[AVOUT__CLAIM_PATH];
    avout_op ops[2];
    size_t count = 0;
    if (claim->replaces) {
        avout__claim_path(old, claim, claim->replaces->name);
        ops[count++] =
            (avout_op){.kind = AVOUT_OP_DELETE, .path = old, .version = AVOUT_VERSION_ANY};
    }
    avout__claim_prefix(prefix, claim);
    avout__claim_path(path, claim, prefix);
    ops[count++] = (avout_op){.kind = AVOUT_OP_CREATE,
                              .ephemeral = true,
                              .sequential = true,
                              .path = path,
                              .bytes = room->self,
                              .length = strlen(room->self)};
    avout__order *order = avout__order_new(claim->lock->room, claim, &claim->asker);
    if (!order) return AVOUT_ENOMEM;
    avout_request list = {.kind = AVOUT_REQUEST_LIST,
                          .path = claim->lock->path,
                          .done = avout__claim_listed,
                          .payload = order};
    claim->deed.ended = created;
    avout_status status =
        avout__deed_send(&claim->deed, room, ops, count, all->requests, all->count, &list, 1);
    if (status) avout__order_cancel(order);
    return status;
}

void avout__claim_send(avout__claim *claim)
{
    if (!claim->lock->room->connected) return;
    parents *all = avout__calloc(1, sizeof *all);
    avout_status status = all ? AVOUT_OK : AVOUT_ENOMEM;
    if (!status && claim->make_parents) status = parents_add(all, claim);
    if (!status) status = submit_claim(claim, all);
    for (size_t i = 0; status && all && i < all->count; i++)
        avout__order_cancel(all->requests[i].payload);
    if (all) avout__free(all->memory);
    avout__free(all);
    if (!status) {
        claim->state = AVOUT__CLAIM_CREATING;
        claim->listing = true;
        claim->asker.replies++; /* the deed's end */
        if (claim->replaces) claim->replaces->replaced = true;
        return;
    }
    avout__claim *old = claim->replaces;
    claim->replaces = NULL;
    claim_failed(claim, status, status == AVOUT_ENOMEM ? NULL : avout_error_detail());
    if (old) claim_delete(old);
}

/* ---- what happens to all of them ------------------------------------------------------------------ */

void avout__claims_resume(avout__lock *lock)
{
    AVOUT__LIST_EACH(link, &lock->claims)
    {
        avout__claim *claim = AVOUT__LINK_OF(link, avout__claim, link);
        if (!avout__retry_now(lock->room, &claim->asker.retry)) continue;
        if (claim->state == AVOUT__CLAIM_NEW) avout__claim_send(claim);
        else if (claim->state == AVOUT__CLAIM_ENDING) claim_delete(claim);
        else if (claim->state == AVOUT__CLAIM_PLACED && !(claim->watching && claim->minded))
            avout__claim_list(claim);
    }
    avout__claims_mind(lock);
}

void avout__claims_session_lost(avout__lock *lock)
{
    AVOUT__LIST_EACH(link, &lock->claims)
    {
        avout__claim *claim = AVOUT__LINK_OF(link, avout__claim, link);
        switch (claim->state) {
        case AVOUT__CLAIM_PLACED: avout__claim_restart(claim, false); break;
        case AVOUT__CLAIM_GRANTED:
            avout__holds_lost(claim);
            avout__claim_restart(claim, false);
            break;
        case AVOUT__CLAIM_ENDING: claim_finish(claim, AVOUT_OK, NULL); break;
        default: break;
        }
    }
}

void avout__claims_lease_over(avout__lock *lock)
{
    AVOUT__LIST_EACH(link, &lock->claims)
    {
        avout__claim *claim = AVOUT__LINK_OF(link, avout__claim, link);
        if (claim->state != AVOUT__CLAIM_GRANTED) continue;
        avout__holds_lost(claim);
        if (!avout__list_empty(&claim->wants) && avout__claim_hand_back(claim)) continue;
        avout__wants_fail(claim, AVOUT_ENOMEM, NULL);
        avout__claim_end(claim);
    }
}

void avout__claims_close(avout__lock *lock)
{
    AVOUT__LIST_EACH(link, &lock->claims) AVOUT__LINK_OF(link, avout__claim, link)->replaces = NULL;
    while (!avout__list_empty(&lock->claims)) {
        avout__claim *claim = AVOUT__LINK_OF(lock->claims.next, avout__claim, link);
        avout__wants_fail(claim, AVOUT_ECLOSED, "the client is closed");
        claim_finish(claim, AVOUT_ECLOSED, "the client is closed");
    }
}
