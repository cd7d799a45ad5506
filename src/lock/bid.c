/* Bids: from the wish to the end of the node. The states and the rules are in bid.h; places in the queue in
 * bid_place.c.
 *
 * Making a bid is one run: [multi: create it, set a slot] [list]. The list is answered right behind the multi
 * and tells the place: what fits at once takes one round trip. */
#include "lock/bid_part.h"

#include <inttypes.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "store/check.h"
#include "base/banned.h"

static void bid_send(avout__bid *bid);

/* ---- life ------------------------------------------------------------------------------------------ */

static avout__bid *bid_new(avout__bidder *bidder)
{
    avout__bid *bid = avout__calloc(1, sizeof *bid);
    if (!bid) return NULL;
    bid->pool = bidder->pool;
    bid->pool->refs++;
    bid->bidder = bidder;
    bid->permits = bidder->permits;
    bid->number = ++bid->pool->room->numbers;
    avout__list_append(&bid->pool->bids, &bid->link);
    return bid;
}

void avout__bid_free(avout__bid *bid)
{
    avout__pool_drop(bid->pool);
    avout__free(bid);
}

static void leave_granted(avout__bid *bid)
{
    if (bid->state == AVOUT__CLAIM_GRANTED) bid->pool->room->granted--;
}

static void free_when_done(avout__bid *bid)
{
    if (bid->state != AVOUT__CLAIM_GONE || bid->asker.replies || avout__link_linked(&bid->link))
        return;
    avout__list_append(&bid->pool->room->pools->gone, &bid->link);
}

/* The node is gone, or given up. */
static void bid_gone(avout__bid *bid, avout_status status, const char *detail)
{
    AVOUT__ASSERT(!bid->bidder);
    leave_granted(bid);
    bid->state = AVOUT__CLAIM_GONE;
    avout__link_remove(&bid->link);
    free_when_done(bid);
    avout__ending_over(&bid->ending, status, detail);
}

/* The bidder, which has no bid from now on; NULL: nobody wanted it. */
static avout__bidder *take_bidder(avout__bid *bid)
{
    avout__bidder *bidder = bid->bidder;
    bid->bidder = NULL;
    if (bidder) bidder->bid = NULL;
    return bidder;
}

void avout__bid_fail(avout__bid *bid, avout_status status, const char *detail)
{
    avout__bidder *bidder = take_bidder(bid);
    if (bidder) bidder->ops->failed(bidder, status, detail ? detail : avout_status_text(status));
}

void avout__bid_path(char path[AVOUT__BID_PATH], const avout__bid *bid, const char *name)
{
    snprintf(path, AVOUT__BID_PATH, "%s/%s", bid->pool->path, name);
}

void avout__bidder_start(avout__bidder *bidder)
{
    avout__bid *bid = bid_new(bidder);
    bidder->bid = bid;
    if (bid) bid_send(bid);
    else bidder->ops->failed(bidder, AVOUT_ENOMEM, avout_status_text(AVOUT_ENOMEM));
}

/* This one is gone, with its session or otherwise; who wants it has another. NULL: nobody does. */
static avout__bid *bid_again(avout__bid *bid, bool made_again)
{
    avout__bidder *bidder = take_bidder(bid);
    avout__retry retry = bid->asker.retry;
    bid_gone(bid, AVOUT_OK, NULL);
    if (!bidder) return NULL;
    avout__bid *again = bidder->bid = bid_new(bidder);
    if (!again) {
        bidder->ops->failed(bidder, AVOUT_ENOMEM, avout_status_text(AVOUT_ENOMEM));
        return NULL;
    }
    again->made_again = made_again;
    again->asker.retry = retry;
    return again;
}

void avout__bid_restart(avout__bid *bid, bool made_again)
{
    avout__bid *again = bid_again(bid, made_again);
    if (again) bid_send(again);
}

/* ---- replies ----------------------------------------------------------------------------------------- */

void avout__bid_reply_end(avout__order *order)
{
    free_when_done(order->owner);
    avout__bids_sweep(order->room);
    avout__order_end(order);
}

bool avout__bid_request(avout__bid *bid, avout_request request)
{
    return avout__order_send(bid->pool->room, request, bid, &bid->asker);
}

/* ---- the end of a bid ---------------------------------------------------------------------------------- */

static void deleted(const avout_reply *reply, void *payload)
{
    avout__bid *bid = avout__order_begin(payload, reply);
    avout_status status;
    const char *detail;
    bid->ending.deleting = false;
    if (bid->state == AVOUT__CLAIM_ENDING) {
        if (avout__ending_told(&status, &detail, &bid->ending, reply))
            bid_gone(bid, status, detail);
        else avout__retry_later(bid->pool->room, &bid->asker.retry);
    }
    avout__bid_reply_end(payload);
}

/* The numbers of ZooKeeper's sequential children come to an end: the pool's node is made anew when nobody else is
 * below it, as a lock's (claim.c). What is kept in it stays, so the bid goes with that: versions begin anew, too, and
 * what arrives late must not find one that fits by chance. */
static void renew(avout__bid *bid, const char *path)
{
    avout__pool *pool = bid->pool;
    avout__bid_name name;
    char text[AVOUT__PERMITS_TEXT] = "";
    bool semaphore = pool->kind == AVOUT__SEMAPHORE;
    if (!avout__bid_parse(&name, pool->kind, bid->name) || name.is.sequence < AVOUT__RENEW_FROM)
        return;
    /* Of an earlier node it says nothing, though the versions may be the same. */
    if (semaphore && (!pool->known || pool->created != bid->below)) return;
    if (semaphore) avout__permits_text(text, pool->permits);
    avout_op ops[3] = {
        {.kind = AVOUT_OP_DELETE, .path = path, .version = AVOUT_VERSION_ANY},
        {.kind = AVOUT_OP_DELETE,
         .path = pool->path,
         .version = semaphore ? pool->version : AVOUT_VERSION_ANY},
        {.kind = AVOUT_OP_CREATE, .path = pool->path, .bytes = text, .length = strlen(text)},
    };
    avout_request request = {
        .kind = AVOUT_REQUEST_MULTI, .ops = ops, .op_count = 3, .done = avout__reply_ignored};
    if (!avout__locks_submit(pool->room, &request, 1)) bid->ending.unclear = true;
}

static void bid_delete(avout__bid *bid)
{
    if (bid->ending.deleting || !bid->pool->room->connected) return;
    char path[AVOUT__BID_PATH];
    avout__bid_path(path, bid, bid->name);
    avout_op op = {.kind = AVOUT_OP_DELETE, .path = path, .version = AVOUT_VERSION_ANY};
    renew(bid, path);
    bid->ending.deleting = avout__bid_request(
        bid,
        (avout_request){.kind = AVOUT_REQUEST_MULTI, .ops = &op, .op_count = 1, .done = deleted});
}

void avout__bid_end(avout__bid *bid)
{
    leave_granted(bid);
    bid->state = AVOUT__CLAIM_ENDING;
    bid_delete(bid);
}

/* ---- its own node ------------------------------------------------------------------------------------------ */

/* With its session, or a stranger has removed it. */
static void bid_lost(avout__bid *bid)
{
    avout__bidder *bidder = take_bidder(bid);
    bid_gone(bid, AVOUT_OK, NULL);
    bidder->ops->lost(bidder);
}

static void self_seen(const avout_reply *reply, void *payload)
{
    avout__bid *bid = avout__order_begin(payload, reply);
    if (reply->status) bid->minded = false;
    if (bid->state == AVOUT__CLAIM_GRANTED) {
        if (reply->status == AVOUT_ENOTFOUND) bid_lost(bid);
        else if (reply->status) avout__retry_later(bid->pool->room, &bid->asker.retry);
    }
    avout__bid_reply_end(payload);
}

static void bid_mind(avout__bid *bid)
{
    if (bid->minded || bid->state != AVOUT__CLAIM_GRANTED || !bid->pool->room->connected) return;
    char path[AVOUT__BID_PATH];
    avout__bid_path(path, bid, bid->name);
    bid->minded = avout__bid_request(
        bid, (avout_request){
                 .kind = AVOUT_REQUEST_EXISTS, .watch = true, .path = path, .done = self_seen});
}

static void event_of_self(avout__bid *bid, avout_node_event event)
{
    bid->minded = false;
    if (event != AVOUT_NODE_DELETED) bid_mind(bid); /* it has told the next one */
    else if (bid->state == AVOUT__CLAIM_GRANTED) bid_lost(bid);
}

/* ---- making ---------------------------------------------------------------------------------------------------- */

/* Nothing was refused but for want of a connection, the loss of which is about to be told. */
static void bid_later(avout__bid *bid)
{
    avout__bid *again = bid_again(bid, bid->made_again);
    if (again) avout__retry_later(again->pool->room, &again->asker.retry);
}

static void bid_refused(avout__bid *bid, const avout_reply *reply)
{
    bool missing = reply->status == AVOUT_ENOTFOUND;
    if (missing && bid->pool->kind == AVOUT__ELECTION && !bid->made_again) {
        avout__pool_make_again(bid->pool);
        avout__bid_restart(bid, true);
        return;
    }
    avout__bid_fail(bid, reply->status, missing ? "it has been removed" : reply->detail);
    bid_gone(bid, AVOUT_OK, NULL);
}

static void created(avout__deed *deed, avout__deed_end end, const avout_reply *reply,
                    avout_point point)
{
    avout__bid *bid = AVOUT__LINK_OF(deed, avout__bid, deed);
    avout__locks *room = bid->pool->room;
    bid->asker.replies--;
    if (bid->state == AVOUT__CLAIM_GONE) { /* the client is closed */
        free_when_done(bid);
        avout__bids_sweep(room);
        return;
    }
    switch (end) {
    case AVOUT__DEED_DONE:
        bid->state = AVOUT__CLAIM_PLACED;
        bid->point = point;
        if (reply)
            snprintf(bid->name, sizeof bid->name, "%s", strrchr(reply->results[0].path, '/') + 1);
        if (*bid->name && !bid->bidder) avout__bid_end(bid);
        else avout__bid_ask(bid, false); /* unless it is on its way */
        break;
    case AVOUT__DEED_NOT:
        if (!reply) avout__bid_restart(bid, bid->made_again);
        else bid_later(bid);
        break;
    case AVOUT__DEED_LOST: avout__bid_restart(bid, false); break;
    case AVOUT__DEED_REFUSED: bid_refused(bid, reply); break;
    }
    free_when_done(bid);
    avout__bids_sweep(room);
}

static avout_status submit_bid(avout__bid *bid)
{
    avout__pool *pool = bid->pool;
    const avout__bidder *bidder = bid->bidder;
    char prefix[AVOUT__CLAIM_NAME], path[AVOUT__BID_PATH], permits[12] = "";
    bool semaphore = pool->kind == AVOUT__SEMAPHORE;
    if (semaphore) snprintf(permits, sizeof permits, "%" PRIu32, bid->permits);
    snprintf(prefix, sizeof prefix, "%s%c-%s-%" PRIu64 "-", permits, semaphore ? 'p' : 'e',
             pool->room->client_id, bid->number);
    avout__bid_path(path, bid, prefix);
    avout_op op = {.kind = AVOUT_OP_CREATE,
                   .ephemeral = true,
                   .sequential = true,
                   .path = path,
                   .bytes = bidder->bytes,
                   .length = bidder->length};
    bid->asker.turn++;
    avout__order *order = avout__order_new(pool->room, bid, &bid->asker);
    if (!order) return AVOUT_ENOMEM;
    avout_request list = {.kind = AVOUT_REQUEST_LIST,
                          .path = pool->path,
                          .done = avout__bid_listed,
                          .payload = order};
    bid->deed.ended = created;
    avout_status status = avout__deed_send(&bid->deed, pool->room, &op, 1, NULL, 0, &list, 1);
    if (status) avout__order_cancel(order);
    return status;
}

static void bid_send(avout__bid *bid)
{
    if (!bid->pool->room->connected) return;
    avout_status status = submit_bid(bid);
    if (!status) {
        bid->state = AVOUT__CLAIM_CREATING;
        bid->asking = true;
        bid->asker.replies++; /* the deed's end */
        return;
    }
    avout__bid_fail(bid, status, status == AVOUT_ENOMEM ? NULL : avout_error_detail());
    bid_gone(bid, AVOUT_OK, NULL);
}

/* ---- not wanted any more ------------------------------------------------------------------------------------------ */

bool avout__bidder_leave(avout__bidder *bidder, avout__releaser *releaser)
{
    avout__bid *bid = bidder->bid;
    if (!bid) return false;
    take_bidder(bid);
    if (bid->state == AVOUT__CLAIM_NEW) {
        bid_gone(bid, AVOUT_OK, NULL);
        return false;
    }
    bool waits = avout__releaser_join(releaser, &bid->ending);
    bool named = *bid->name && bid->state != AVOUT__CLAIM_CREATING;
    if (named) avout__bid_end(bid); /* else as soon as it is */
    return waits;
}

bool avout__bidder_holds(avout__bidder *bidder)
{
    return bidder->bid && avout__lease_holds(bidder->pool->room) && bidder->bid &&
           bidder->bid->state == AVOUT__CLAIM_GRANTED;
}

avout__node_check *avout__bidder_check(const avout__bidder *bidder, const char *detail)
{
    char path[AVOUT__BID_PATH];
    avout__bid_path(path, bidder->bid, bidder->bid->name);
    /* Its version changes when it tells the next one; its name is never used again. */
    return avout__node_check_new(path, AVOUT_VERSION_ANY, AVOUT_ELOST, detail);
}

/* ---- what happens to all of them ------------------------------------------------------------------------------------- */

/* `name`: of a child; NULL: the pool's own node. */
void avout__bids_event(avout__pool *pool, avout_node_event event, const char *name)
{
    if (!name && event != AVOUT_NODE_CHILDREN) pool->armed = false;
    AVOUT__LIST_EACH(link, &pool->bids)
    {
        avout__bid *bid = AVOUT__LINK_OF(link, avout__bid, link);
        if (name && bid->minded && !strcmp(bid->name, name)) event_of_self(bid, event);
        else avout__bid_event_of_other(bid, name);
    }
}

void avout__bids_resume(avout__pool *pool)
{
    AVOUT__LIST_EACH(link, &pool->bids)
    {
        avout__bid *bid = AVOUT__LINK_OF(link, avout__bid, link);
        if (!avout__retry_now(pool->room, &bid->asker.retry)) continue;
        if (bid->state == AVOUT__CLAIM_NEW) bid_send(bid);
        else if (bid->state == AVOUT__CLAIM_ENDING) bid_delete(bid);
        else if (bid->state == AVOUT__CLAIM_GRANTED) avout__bid_tell(bid);
        else if (bid->state == AVOUT__CLAIM_PLACED && !bid->waiting)
            avout__bid_ask(bid, bid->first);
    }
    avout__bids_mind(pool);
}

void avout__bids_mind(avout__pool *pool)
{
    AVOUT__LIST_EACH(link, &pool->bids)
    {
        avout__bid *bid = AVOUT__LINK_OF(link, avout__bid, link);
        if (!bid->asker.retry.due_ns) bid_mind(bid); /* else it will be tried again */
    }
}

void avout__bids_session_lost(avout__pool *pool)
{
    pool->armed = false;
    AVOUT__LIST_EACH(link, &pool->bids)
    {
        avout__bid *bid = AVOUT__LINK_OF(link, avout__bid, link);
        switch (bid->state) {
        case AVOUT__CLAIM_PLACED: avout__bid_restart(bid, false); break;
        case AVOUT__CLAIM_GRANTED: bid_lost(bid); break;
        case AVOUT__CLAIM_ENDING: bid_gone(bid, AVOUT_OK, NULL); break;
        default: break;
        }
    }
}

void avout__bids_lease_over(avout__pool *pool)
{
    AVOUT__LIST_EACH(link, &pool->bids)
    {
        avout__bid *bid = AVOUT__LINK_OF(link, avout__bid, link);
        if (bid->state != AVOUT__CLAIM_GRANTED) continue;
        avout__bidder *bidder = take_bidder(bid);
        avout__bid_end(bid);
        bidder->ops->lost(bidder);
    }
}

void avout__bids_close(avout__pool *pool)
{
    while (!avout__list_empty(&pool->bids)) {
        avout__bid *bid = AVOUT__LINK_OF(pool->bids.next, avout__bid, link);
        if (bid->state == AVOUT__CLAIM_GRANTED) take_bidder(bid);
        else avout__bid_fail(bid, AVOUT_ECLOSED, "the client is closed");
        bid_gone(bid, AVOUT_ECLOSED, "the client is closed");
    }
}
