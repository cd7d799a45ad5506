/* A bid's place in the queue: what a list tells, whom it watches, when it fits (B1 to B3 in bid.h). */
#include "lock/bid_part.h"

#include <string.h>

#include "base/banned.h"

/* ---- what stands for nobody -------------------------------------------------------------------------- */

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
        avout__node_sweep(pool->room, pool->path, names[i]);
    }
}

/* ---- telling the next one -------------------------------------------------------------------------------- */

static void told(const avout_reply *reply, void *payload)
{
    avout__bid *bid = avout__order_begin(payload, reply);
    bid->telling = false;
    if (!reply->status || reply->status == AVOUT_ENOTFOUND) bid->tell = false;
    else if (bid->state == AVOUT__CLAIM_GRANTED)
        avout__retry_later(bid->pool->room, &bid->asker.retry);
    avout__bid_reply_end(payload);
}

void avout__bid_tell(avout__bid *bid)
{
    if (!bid->tell || bid->telling || !bid->pool->room->connected) return;
    char path[AVOUT__BID_PATH];
    avout__bid_path(path, bid, bid->name);
    avout_op op = {.kind = AVOUT_OP_SET,
                   .path = path,
                   .version = AVOUT_VERSION_ANY,
                   .bytes = bid->bidder->bytes,
                   .length = bid->bidder->length};
    bid->telling = avout__bid_request(
        bid, (avout_request){.kind = AVOUT_REQUEST_MULTI, .ops = &op, .op_count = 1, .done = told});
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
    avout__bid_tell(bid);
    bid->bidder->ops->granted(bid->bidder);
}

static void before_seen(const avout_reply *reply, void *payload)
{
    const avout__order *order = payload;
    avout__bid *bid = avout__order_begin(payload, reply);
    if (bid->state == AVOUT__CLAIM_PLACED && bid->waiting && bid->asker.turn == order->turn) {
        bool gone = reply->status == AVOUT_ENOTFOUND;
        bool set = !reply->status && reply->stat.version > 0 && !bid->heard;
        if (reply->status || set) bid->waiting = false;
        if (set) bid->heard = true;
        if (gone || set) avout__bid_ask(bid, true);
        else if (reply->status) avout__retry_later(bid->pool->room, &bid->asker.retry);
    }
    avout__bid_reply_end(payload);
}

static void wait_behind(avout__bid *bid, const char *before)
{
    char path[AVOUT__BID_PATH];
    if (strcmp(bid->before, before) != 0) bid->heard = false;
    snprintf(bid->before, sizeof bid->before, "%s", before);
    avout__bid_path(path, bid, before);
    bid->asker.turn++;
    bid->first = false;
    bid->waiting = avout__bid_request(
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
        avout__bid_fail(bid, pool->unknown, "what the store has under that name is no semaphore");
        pool->unknown = AVOUT_OK; /* whoever comes next asks again */
        avout__bid_end(bid);
        return;
    }
    if (!permits_known(pool, stat)) {
        pool->known = false;
        avout__bid_ask(bid, bid->first);
        return;
    }
    uint64_t limit = semaphore ? pool->permits : 1;
    if (place->taken + bid->permits <= limit) {
        arrive(bid, place);
    } else if (bid->permits > limit || bid->bidder->only_now) {
        bool never = bid->permits > limit;
        avout__bid_fail(bid, never ? AVOUT_ELIMIT : AVOUT_EBUSY,
                        never ? "there are fewer permits than that" : NULL);
        avout__bid_end(bid);
    } else if (!semaphore || place->taken > limit) {
        wait_behind(bid, place->before);
    } else if (watched && pool->armed) {
        bid->first = bid->waiting = true;
    } else {
        bid->first = true;
        avout__bid_ask(bid, true);
    }
}

static void place_bid(avout__bid *bid, const avout_reply *reply, bool watched)
{
    delete_orphans(bid, reply->names, reply->name_count);
    avout__place place = place_of(bid, reply->names, reply->name_count);
    if (!place.mine) {
        avout__bid_restart(bid, false); /* somebody has removed it */
        return;
    }
    snprintf(bid->name, sizeof bid->name, "%s", place.mine);
    bid->below = reply->stat.created;
    if (place.doubtful)
        avout__bid_fail(
            bid, AVOUT_ELIMIT,
            "its queue's numbers are used up; they begin anew when nobody has any or waits, "
            "and nothing else is below its node");
    if (!bid->bidder) {
        avout__bid_end(bid);
        return;
    }
    if (bid->bidder->ops->placed) bid->bidder->ops->placed(bid->bidder);
    judge(bid, &place, &reply->stat, watched);
}

void avout__bid_listed(const avout_reply *reply, void *payload)
{
    const avout__order *order = payload;
    avout__bid *bid = avout__order_begin(payload, reply);
    if (bid->asker.turn == order->turn) {
        bid->asking = false;
        if (bid->state == AVOUT__CLAIM_PLACED) {
            if (!reply->status) place_bid(bid, reply, order->watch);
            else if (reply->status == AVOUT_ENOTFOUND) avout__bid_restart(bid, false);
            else avout__retry_later(bid->pool->room, &bid->asker.retry);
        }
    }
    avout__bid_reply_end(payload);
}

static void pool_seen(const avout_reply *reply, void *payload)
{
    const avout__order *order = payload;
    avout__bid *bid = avout__order_begin(payload, reply);
    avout__pool *pool = bid->pool;
    if (!reply->status) {
        bool armed = pool->armed;
        avout__pool_learn(pool, reply);
        pool->armed = armed || order->watch;
    }
    avout__bid_reply_end(payload);
}

/* Asks for the names, and for the pool's bytes where they are not known or not watched but should be. */
void avout__bid_ask(avout__bid *bid, bool watch)
{
    avout__pool *pool = bid->pool;
    bid->waiting = false;
    if (!pool->room->connected || bid->asking) return;
    bool semaphore = pool->kind == AVOUT__SEMAPHORE;
    bool learn = semaphore && (!pool->known || (watch && !pool->armed));
    watch = watch && semaphore;
    bid->asker.turn++;
    avout__order *list = avout__order_new(pool->room, bid, &bid->asker);
    avout__order *get = learn ? avout__order_new(pool->room, bid, &bid->asker) : NULL;
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
                                      .done = avout__bid_listed,
                                      .payload = list}};
        status = avout__locks_submit(pool->room, learn ? requests : requests + 1, 1 + learn);
    }
    bid->asking = !status;
    if (!status) return;
    avout__order_cancel(list);
    avout__order_cancel(get);
    avout__retry_later(pool->room, &bid->asker.retry);
}

/* ---- events ------------------------------------------------------------------------------------------- */

void avout__bid_event_of_other(avout__bid *bid, const char *name)
{
    if (bid->state != AVOUT__CLAIM_PLACED || !bid->waiting) return;
    if (name ? !bid->first && !strcmp(bid->before, name) : bid->first) avout__bid_ask(bid, true);
}
