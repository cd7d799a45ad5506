/* Bids: from the wish to the end of the node. The states and the rules are in bid.h.
 *
 * Making a bid is one run: [multi: create it, set a slot] [list]. The list is answered right behind the multi
 * and tells the place: what fits at once takes one round trip. */
#include "lock/bid.h"

#include <inttypes.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "store/check.h"
#include "base/banned.h"

enum { PATH_ROOM = AVOUT__NODE_MAX + AVOUT__CLAIM_NAME };

static void bid_send(avout__bid *bid);
static void bid_ask(avout__bid *bid, bool watch);
static void bid_end(avout__bid *bid);
static void bid_delete(avout__bid *bid);

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
    if (bid->state != AVOUT__CLAIM_GONE || bid->replies || avout__link_linked(&bid->link)) return;
    avout__list_append(&bid->pool->room->pools->gone, &bid->link);
}

/* The node is gone, or given up. */
static void bid_gone(avout__bid *bid, avout_status status, const char *detail)
{
    avout__returner *returner = bid->returner;
    AVOUT__ASSERT(!bid->bidder);
    leave_granted(bid);
    bid->returner = NULL;
    bid->state = AVOUT__CLAIM_GONE;
    avout__link_remove(&bid->link);
    free_when_done(bid);
    if (!returner) return;
    returner->status = status;
    snprintf(returner->detail, sizeof returner->detail, "%s", detail ? detail : "");
    avout__latch_open(&returner->latch);
}

/* The bidder, which has no bid from now on; NULL: nobody wanted it. */
static avout__bidder *take_bidder(avout__bid *bid)
{
    avout__bidder *bidder = bid->bidder;
    bid->bidder = NULL;
    if (bidder) bidder->bid = NULL;
    return bidder;
}

static void bid_fail(avout__bid *bid, avout_status status, const char *detail)
{
    avout__bidder *bidder = take_bidder(bid);
    if (bidder) bidder->ops->failed(bidder, status, detail ? detail : avout_status_text(status));
}

static void bid_path(char path[PATH_ROOM], const avout__bid *bid, const char *name)
{
    snprintf(path, PATH_ROOM, "%s/%s", bid->pool->path, name);
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
    bid_gone(bid, AVOUT_OK, NULL);
    if (!bidder) return NULL;
    avout__bid *again = bidder->bid = bid_new(bidder);
    if (again) again->made_again = made_again;
    else bidder->ops->failed(bidder, AVOUT_ENOMEM, avout_status_text(AVOUT_ENOMEM));
    return again;
}

static void bid_restart(avout__bid *bid, bool made_again)
{
    avout__bid *again = bid_again(bid, made_again);
    if (again) bid_send(again);
}

/* ---- replies ----------------------------------------------------------------------------------------- */

typedef struct bid_order {
    avout__bid *bid;
    int64_t sent_ns;
    uint32_t turn;
    bool watch;
} bid_order;

/* Counts as on its way from now on: to be submitted, or taken back. */
static bid_order *order_new(avout__bid *bid)
{
    bid_order *order = avout__alloc(sizeof *order);
    if (!order) return NULL;
    *order = (bid_order){bid, avout__lease_now_ns(), bid->turn, false};
    bid->replies++;
    atomic_fetch_add(&bid->pool->room->refs, 1);
    return order;
}

static void order_cancel(bid_order *order)
{
    if (!order) return;
    order->bid->replies--;
    atomic_fetch_sub(&order->bid->pool->room->refs, 1); /* never the last: the caller has one */
    avout__free(order);
}

static avout__bid *reply_begin(bid_order *order, const avout_reply *reply)
{
    avout__bid *bid = order->bid;
    avout__locks *room = bid->pool->room;
    avout__locks_lock(room);
    avout__lease_extend(room, reply, order->sent_ns);
    bid->replies--;
    return bid;
}

static void reply_end(bid_order *order)
{
    avout__locks *room = order->bid->pool->room;
    free_when_done(order->bid);
    avout__bids_unlock(room);
    avout__locks_unref(room);
    avout__free(order);
}

/* Sends one request of the bid's; false: it will be tried again. */
static bool send_one(avout__bid *bid, avout_request request)
{
    avout__locks *room = bid->pool->room;
    bid_order *order = order_new(bid);
    request.payload = order;
    if (order && !avout__locks_submit(room, &request, 1)) return true;
    order_cancel(order);
    avout__locks_try_later(room);
    return false;
}

static void ignored(const avout_reply *reply, void *payload)
{
    (void)reply, (void)payload;
}

/* ---- the end of a bid ---------------------------------------------------------------------------------- */

static void deleted(const avout_reply *reply, void *payload)
{
    avout__bid *bid = reply_begin(payload, reply);
    bid->deleting = false;
    if (bid->state == AVOUT__CLAIM_ENDING) {
        bool missing = reply->status == AVOUT_ENOTFOUND;
        if (!reply->status || (missing && bid->delete_unclear)) {
            bid_gone(bid, AVOUT_OK, NULL);
        } else if (missing) {
            bid_gone(bid, AVOUT_ELOST, "its node had been removed by somebody else");
        } else if (reply->status == AVOUT_ECLOSED) {
            bid_gone(bid, AVOUT_ECLOSED, "the client is closed");
        } else {
            bid->delete_unclear = bid->delete_unclear || reply->maybe_done;
            avout__locks_try_later(bid->pool->room);
        }
    }
    reply_end(payload);
}

/* The numbers of ZooKeeper's sequential children come to an end: the pool's node is made anew when nobody is
 * below it, as a lock's (claim.c). What is kept in it stays. */
static void renew(const avout__bid *bid)
{
    avout__pool *pool = bid->pool;
    avout__bid_name name;
    char text[AVOUT__PERMITS_TEXT] = "";
    bool semaphore = pool->kind == AVOUT__SEMAPHORE;
    if (!avout__bid_parse(&name, pool->kind, bid->name) || name.is.sequence < AVOUT__RENEW_FROM)
        return;
    if (semaphore && !pool->known) return;
    if (semaphore) avout__permits_text(text, pool->permits);
    avout_op ops[2] = {
        {.kind = AVOUT_OP_DELETE,
         .path = pool->path,
         .version = semaphore ? pool->version : AVOUT_VERSION_ANY},
        {.kind = AVOUT_OP_CREATE, .path = pool->path, .bytes = text, .length = strlen(text)},
    };
    avout_request request = {
        .kind = AVOUT_REQUEST_MULTI, .ops = ops, .op_count = 2, .done = ignored};
    (void)avout__locks_submit(pool->room, &request, 1);
}

static void bid_delete(avout__bid *bid)
{
    if (bid->deleting || !bid->pool->room->connected) return;
    char path[PATH_ROOM];
    bid_path(path, bid, bid->name);
    avout_op op = {.kind = AVOUT_OP_DELETE, .path = path, .version = AVOUT_VERSION_ANY};
    bid->deleting = send_one(
        bid,
        (avout_request){.kind = AVOUT_REQUEST_MULTI, .ops = &op, .op_count = 1, .done = deleted});
    if (bid->deleting) renew(bid);
}

static void bid_end(avout__bid *bid)
{
    leave_granted(bid);
    bid->state = AVOUT__CLAIM_ENDING;
    bid_delete(bid);
}

/* A node of this client's that none of its bids stands for (L2). */
static void delete_orphans(avout__bid *bid, const char *const *names, size_t count)
{
    avout__pool *pool = bid->pool;
    for (size_t i = 0; i < count; i++) {
        avout__bid_name name;
        if (!avout__bid_parse(&name, pool->kind, names[i]) ||
            strcmp(name.is.client, pool->room->client_id) != 0)
            continue;
        bool known = false;
        AVOUT__LIST_EACH(link, &pool->bids)
        known = known || AVOUT__LINK_OF(link, avout__bid, link)->number == name.is.number;
        if (known) continue;
        char path[PATH_ROOM];
        bid_path(path, bid, names[i]);
        avout_op op = {.kind = AVOUT_OP_DELETE, .path = path, .version = AVOUT_VERSION_ANY};
        avout_request request = {
            .kind = AVOUT_REQUEST_MULTI, .ops = &op, .op_count = 1, .done = ignored};
        (void)avout__locks_submit(pool->room, &request, 1);
    }
}

/* ---- telling the next one -------------------------------------------------------------------------------- */

static void bid_tell(avout__bid *bid);

static void told(const avout_reply *reply, void *payload)
{
    avout__bid *bid = reply_begin(payload, reply);
    bid->telling = false;
    if (!reply->status || reply->status == AVOUT_ENOTFOUND) bid->tell = false;
    else if (bid->state == AVOUT__CLAIM_GRANTED) avout__locks_try_later(bid->pool->room);
    reply_end(payload);
}

static void bid_tell(avout__bid *bid)
{
    if (!bid->tell || bid->telling || !bid->pool->room->connected) return;
    char path[PATH_ROOM];
    bid_path(path, bid, bid->name);
    avout_op op = {.kind = AVOUT_OP_SET,
                   .path = path,
                   .version = AVOUT_VERSION_ANY,
                   .bytes = bid->bidder->bytes,
                   .length = bid->bidder->length};
    bid->telling = send_one(
        bid, (avout_request){.kind = AVOUT_REQUEST_MULTI, .ops = &op, .op_count = 1, .done = told});
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
    avout__bid *bid = reply_begin(payload, reply);
    if (reply->status) bid->minded = false;
    if (bid->state == AVOUT__CLAIM_GRANTED) {
        if (reply->status == AVOUT_ENOTFOUND) bid_lost(bid);
        else if (reply->status) avout__locks_try_later(bid->pool->room);
    }
    reply_end(payload);
}

static void bid_mind(avout__bid *bid)
{
    if (bid->minded || bid->state != AVOUT__CLAIM_GRANTED || !bid->pool->room->connected) return;
    char path[PATH_ROOM];
    bid_path(path, bid, bid->name);
    bid->minded = send_one(
        bid, (avout_request){
                 .kind = AVOUT_REQUEST_EXISTS, .watch = true, .path = path, .done = self_seen});
}

static void event_of_self(avout__bid *bid, avout_node_event event)
{
    bid->minded = false;
    if (event != AVOUT_NODE_DELETED) bid_mind(bid); /* it has told the next one */
    else if (bid->state == AVOUT__CLAIM_GRANTED) bid_lost(bid);
}

/* ---- the place in the queue ------------------------------------------------------------------------------- */

static avout__place place_of(const avout__bid *bid, const char *const *names, size_t count)
{
    avout__place place = {0};
    avout__bid_name mine = {0}, other;
    int64_t last = INT64_MIN;
    const char *client = bid->pool->room->client_id;
    for (size_t i = 0; i < count && !place.mine; i++)
        if (avout__bid_parse(&mine, bid->pool->kind, names[i]) && mine.is.number == bid->number &&
            !strcmp(mine.is.client, client))
            place.mine = names[i];
    for (size_t i = 0; i < count && place.mine; i++) {
        if (names[i] == place.mine || !avout__bid_parse(&other, bid->pool->kind, names[i]))
            continue;
        int order = avout__sequence_compare(other.is.sequence, mine.is.sequence);
        place.doubtful = place.doubtful || order == 0;
        place.followed = place.followed || order > 0;
        if (order >= 0) continue;
        place.taken += other.permits;
        if (other.is.sequence < last) continue;
        place.before = names[i];
        last = other.is.sequence;
    }
    return place;
}

/* It fits. What was told before a long pause may not be so any more: then it asks again, after a heartbeat,
 * whose answer says that the session lives (L4). */
static void arrive(avout__bid *bid, const avout__place *place)
{
    avout__locks *room = bid->pool->room;
    if (!avout__lease_gives(room)) {
        bid->waiting = false;
        avout__lease_ask(room);
        return;
    }
    bid->state = AVOUT__CLAIM_GRANTED;
    avout__tender_granted(room);
    bid->tell = place->followed && bid->pool->kind == AVOUT__SEMAPHORE;
    bid_tell(bid);
    bid->bidder->ops->granted(bid->bidder);
}

static void before_seen(const avout_reply *reply, void *payload)
{
    const bid_order *order = payload;
    uint32_t turn = order->turn;
    avout__bid *bid = reply_begin(payload, reply);
    if (bid->state == AVOUT__CLAIM_PLACED && bid->waiting && bid->turn == turn) {
        bool gone = reply->status == AVOUT_ENOTFOUND;
        bool set = !reply->status && reply->stat.version > 0 && !bid->heard;
        if (reply->status || set) bid->waiting = false;
        if (set) bid->heard = true;
        if (gone || set) bid_ask(bid, true);
        else if (reply->status) avout__locks_try_later(bid->pool->room);
    }
    reply_end(payload);
}

static void wait_behind(avout__bid *bid, const char *before)
{
    char path[PATH_ROOM];
    if (strcmp(bid->before, before) != 0) bid->heard = false;
    snprintf(bid->before, sizeof bid->before, "%s", before);
    bid_path(path, bid, before);
    bid->turn++;
    bid->first = false;
    bid->waiting = send_one(
        bid, (avout_request){
                 .kind = AVOUT_REQUEST_GET, .watch = true, .path = path, .done = before_seen});
}

/* `stat`: of the pool's node, as it was when the names were read. */
static bool permits_known(const avout__pool *pool, const avout_stat *stat)
{
    return pool->kind == AVOUT__ELECTION ||
           (pool->known && pool->created == stat->created && pool->version == stat->version);
}

/* `watched`: the children are, since these names were read. */
static void judge(avout__bid *bid, const avout__place *place, const avout_stat *stat, bool watched)
{
    avout__pool *pool = bid->pool;
    bool semaphore = pool->kind == AVOUT__SEMAPHORE;
    if (semaphore && pool->unknown) {
        bid_fail(bid, pool->unknown, "what the store has under that name is no semaphore");
        pool->unknown = AVOUT_OK; /* whoever comes next asks again */
        bid_end(bid);
        return;
    }
    if (!permits_known(pool, stat)) {
        pool->known = false;
        bid_ask(bid, bid->first);
        return;
    }
    uint64_t limit = semaphore ? pool->permits : 1;
    if (place->taken + bid->permits <= limit) {
        arrive(bid, place);
    } else if (bid->permits > limit || bid->bidder->only_now) {
        bool never = bid->permits > limit;
        bid_fail(bid, never ? AVOUT_ELIMIT : AVOUT_EBUSY,
                 never ? "there are fewer permits than that" : NULL);
        bid_end(bid);
    } else if (!semaphore || place->taken > limit) {
        wait_behind(bid, place->before);
    } else if (watched && pool->armed) {
        bid->first = bid->waiting = true;
    } else {
        bid->first = true;
        bid_ask(bid, true);
    }
}

static void place_bid(avout__bid *bid, const avout_reply *reply, bool watched)
{
    delete_orphans(bid, reply->names, reply->name_count);
    avout__place place = place_of(bid, reply->names, reply->name_count);
    if (!place.mine) {
        bid_restart(bid, false); /* somebody has removed it */
        return;
    }
    snprintf(bid->name, sizeof bid->name, "%s", place.mine);
    if (place.doubtful)
        bid_fail(bid, AVOUT_ELIMIT,
                 "its queue's numbers are used up; they begin anew when nobody has any or waits, "
                 "and nothing else is below its node");
    if (!bid->bidder) {
        bid_end(bid);
        return;
    }
    if (bid->bidder->ops->placed) bid->bidder->ops->placed(bid->bidder);
    judge(bid, &place, &reply->stat, watched);
}

static void listed(const avout_reply *reply, void *payload)
{
    const bid_order *order = payload;
    uint32_t turn = order->turn;
    bool watched = order->watch;
    avout__bid *bid = reply_begin(payload, reply);
    if (bid->turn == turn) {
        bid->asking = false;
        if (bid->state == AVOUT__CLAIM_PLACED) {
            if (!reply->status) place_bid(bid, reply, watched);
            else if (reply->status == AVOUT_ENOTFOUND) bid_restart(bid, false);
            else avout__locks_try_later(bid->pool->room);
        }
    }
    reply_end(payload);
}

static void pool_seen(const avout_reply *reply, void *payload)
{
    const bid_order *order = payload;
    bool watched = order->watch;
    avout__bid *bid = reply_begin(payload, reply);
    avout__pool *pool = bid->pool;
    if (!reply->status) {
        bool armed = pool->armed;
        avout__pool_learn(pool, reply);
        pool->armed = armed || watched;
    }
    reply_end(payload);
}

/* Asks for the names, and for the pool's bytes where they are not known or not watched but should be. */
static void bid_ask(avout__bid *bid, bool watch)
{
    avout__pool *pool = bid->pool;
    bid->waiting = false;
    if (!pool->room->connected || bid->asking) return;
    bool semaphore = pool->kind == AVOUT__SEMAPHORE;
    bool learn = semaphore && (!pool->known || (watch && !pool->armed));
    watch = watch && semaphore;
    bid->turn++;
    bid_order *list = order_new(bid), *get = learn ? order_new(bid) : NULL;
    avout_status status = list && (get || !learn) ? AVOUT_OK : AVOUT_ENOMEM;
    if (!status) {
        list->watch = watch;
        if (get) get->watch = watch;
        avout_request requests[2] = {{.kind = AVOUT_REQUEST_GET,
                                      .watch = watch,
                                      .path = pool->path,
                                      .done = pool_seen,
                                      .payload = get},
                                     {.kind = AVOUT_REQUEST_LIST,
                                      .watch = watch,
                                      .path = pool->path,
                                      .done = listed,
                                      .payload = list}};
        status = avout__locks_submit(pool->room, learn ? requests : requests + 1, 1 + learn);
    }
    bid->asking = !status;
    if (!status) return;
    order_cancel(list);
    order_cancel(get);
    avout__locks_try_later(pool->room);
}

/* ---- making ---------------------------------------------------------------------------------------------------- */

static void bid_refused(avout__bid *bid, const avout_reply *reply)
{
    bool missing = reply->status == AVOUT_ENOTFOUND;
    if (missing && bid->pool->kind == AVOUT__ELECTION && !bid->made_again) {
        avout__pool_make_again(bid->pool);
        bid_restart(bid, true);
        return;
    }
    bid_fail(bid, reply->status, missing ? "it has been removed" : reply->detail);
    bid_gone(bid, AVOUT_OK, NULL);
}

static void created(avout__deed *deed, avout__deed_end end, const avout_reply *reply,
                    avout_point point)
{
    avout__bid *bid = AVOUT__LINK_OF(deed, avout__bid, deed);
    avout__locks *room = bid->pool->room;
    bid->replies--;
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
        if (*bid->name && !bid->bidder) bid_end(bid);
        else bid_ask(bid, false); /* unless it is on its way */
        break;
    case AVOUT__DEED_NOT:
        if (!reply) bid_restart(bid, bid->made_again);
        else if (bid_again(bid, bid->made_again))
            avout__locks_try_later(room); /* or the connection's return does it */
        break;
    case AVOUT__DEED_LOST: bid_restart(bid, false); break;
    case AVOUT__DEED_REFUSED: bid_refused(bid, reply); break;
    }
    free_when_done(bid);
    avout__bids_sweep(room);
}

static avout_status submit_bid(avout__bid *bid)
{
    avout__pool *pool = bid->pool;
    const avout__bidder *bidder = bid->bidder;
    char prefix[AVOUT__CLAIM_NAME], path[PATH_ROOM], permits[12] = "";
    bool semaphore = pool->kind == AVOUT__SEMAPHORE;
    if (semaphore) snprintf(permits, sizeof permits, "%" PRIu32, bid->permits);
    snprintf(prefix, sizeof prefix, "%s%c-%s-%" PRIu64 "-", permits, semaphore ? 'p' : 'e',
             pool->room->client_id, bid->number);
    bid_path(path, bid, prefix);
    avout_op op = {.kind = AVOUT_OP_CREATE,
                   .ephemeral = true,
                   .sequential = true,
                   .path = path,
                   .bytes = bidder->bytes,
                   .length = bidder->length};
    bid->turn++;
    bid_order *order = order_new(bid);
    if (!order) return AVOUT_ENOMEM;
    avout_request list = {
        .kind = AVOUT_REQUEST_LIST, .path = pool->path, .done = listed, .payload = order};
    bid->deed.ended = created;
    avout_status status = avout__deed_send(&bid->deed, pool->room, &op, 1, NULL, 0, &list, 1);
    if (status) order_cancel(order);
    return status;
}

static void bid_send(avout__bid *bid)
{
    if (!bid->pool->room->connected) return;
    avout_status status = submit_bid(bid);
    if (!status) {
        bid->state = AVOUT__CLAIM_CREATING;
        bid->asking = true;
        bid->replies++; /* the deed's end */
        return;
    }
    bid_fail(bid, status, status == AVOUT_ENOMEM ? NULL : avout_error_detail());
    bid_gone(bid, AVOUT_OK, NULL);
}

/* ---- not wanted any more ------------------------------------------------------------------------------------------ */

bool avout__bidder_leave(avout__bidder *bidder, avout__returner *returner)
{
    avout__bid *bid = bidder->bid;
    if (!bid) return false;
    take_bidder(bid);
    if (bid->state == AVOUT__CLAIM_NEW) {
        bid_gone(bid, AVOUT_OK, NULL);
        return false;
    }
    if (returner) *returner = (avout__returner){.bid = bid, .latch = AVOUT__LATCH_INIT};
    bid->returner = returner;
    bool named = *bid->name && bid->state != AVOUT__CLAIM_CREATING;
    if (named) bid_end(bid); /* else as soon as it is */
    return returner;
}

avout_status avout__returner_wait(avout__locks *room, avout__returner *returner, const char *name)
{
    bool opened = avout__latch_wait(&returner->latch, avout__deadline_in_ms(room->timeout_ms));
    if (!opened) {
        avout__locks_lock(room);
        opened = avout__latch_is_open(&returner->latch);
        if (!opened) returner->bid->returner = NULL;
        avout__bids_unlock(room);
    }
    if (!opened)
        return avout_fail(AVOUT_UNKNOWN,
                          "%s: the store has not confirmed the release before the deadline; it "
                          "goes on in the background",
                          name);
    if (!returner->status) return AVOUT_OK;
    return avout_fail(returner->status, "%s: %s", name, returner->detail);
}

bool avout__bidder_holds(avout__bidder *bidder)
{
    return bidder->bid && avout__lease_holds(bidder->pool->room) && bidder->bid &&
           bidder->bid->state == AVOUT__CLAIM_GRANTED;
}

avout__node_check *avout__bidder_check(const avout__bidder *bidder, const char *detail)
{
    char path[PATH_ROOM];
    bid_path(path, bidder->bid, bidder->bid->name);
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
        if (name && bid->minded && !strcmp(bid->name, name)) {
            event_of_self(bid, event);
            continue;
        }
        if (bid->state != AVOUT__CLAIM_PLACED || !bid->waiting) continue;
        if (name ? !bid->first && !strcmp(bid->before, name) : bid->first) bid_ask(bid, true);
    }
}

void avout__bids_resume(avout__pool *pool)
{
    AVOUT__LIST_EACH(link, &pool->bids)
    {
        avout__bid *bid = AVOUT__LINK_OF(link, avout__bid, link);
        if (bid->state == AVOUT__CLAIM_NEW) bid_send(bid);
        else if (bid->state == AVOUT__CLAIM_ENDING) bid_delete(bid);
        else if (bid->state == AVOUT__CLAIM_GRANTED) bid_tell(bid);
        else if (bid->state == AVOUT__CLAIM_PLACED && !bid->waiting) bid_ask(bid, bid->first);
    }
    avout__bids_mind(pool);
}

void avout__bids_mind(avout__pool *pool)
{
    AVOUT__LIST_EACH(link, &pool->bids) bid_mind(AVOUT__LINK_OF(link, avout__bid, link));
}

void avout__bids_session_lost(avout__pool *pool)
{
    pool->armed = false;
    AVOUT__LIST_EACH(link, &pool->bids)
    {
        avout__bid *bid = AVOUT__LINK_OF(link, avout__bid, link);
        switch (bid->state) {
        case AVOUT__CLAIM_PLACED: bid_restart(bid, false); break;
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
        bid_end(bid);
        bidder->ops->lost(bidder);
    }
}

void avout__bids_close(avout__pool *pool)
{
    while (!avout__list_empty(&pool->bids)) {
        avout__bid *bid = AVOUT__LINK_OF(pool->bids.next, avout__bid, link);
        if (bid->state == AVOUT__CLAIM_GRANTED) take_bidder(bid);
        else bid_fail(bid, AVOUT_ECLOSED, "the client is closed");
        bid_gone(bid, AVOUT_ECLOSED, "the client is closed");
    }
}
