/* Requests on their way: what keeps the room and whoever asked until the reply is there. */
#include "lock/lock.h"

#include "base/alloc.h"
#include "base/banned.h"

avout__order *avout__order_new(avout__locks *room, void *owner, avout__asker *asker)
{
    avout__order *order = avout__alloc(sizeof *order);
    if (!order) return NULL;
    *order = (avout__order){room, owner, asker, avout__lease_now_ns(), asker->turn, false};
    asker->replies++;
    atomic_fetch_add(&room->refs, 1);
    return order;
}

void avout__order_cancel(avout__order *order)
{
    if (!order) return;
    order->asker->replies--;
    atomic_fetch_sub(&order->room->refs, 1); /* never the last: the caller has one */
    avout__free(order);
}

bool avout__order_send(avout__locks *room, avout_request request, void *owner, avout__asker *asker)
{
    avout__order *order = avout__order_new(room, owner, asker);
    if (order) order->watch = request.watch;
    request.payload = order;
    if (order && !avout__locks_submit(room, &request, 1)) return true;
    avout__order_cancel(order);
    avout__retry_later(room, &asker->retry);
    return false;
}

void *avout__order_begin(avout__order *order, const avout_reply *reply)
{
    avout__locks_lock(order->room);
    avout__lease_extend(order->room, reply, order->sent_ns);
    order->asker->replies--;
    return order->owner;
}

void avout__order_end(avout__order *order)
{
    avout__locks *room = order->room;
    avout__locks_unlock(room);
    avout__locks_unref(room);
    avout__free(order);
}

void avout__node_sweep(avout__locks *room, const char *path, const char *name)
{
    char node[AVOUT__NODE_MAX + 2 * AVOUT__CLAIM_NAME];
    snprintf(node, sizeof node, "%s/%s", path, name);
    avout_op op = {.kind = AVOUT_OP_DELETE, .path = node, .version = AVOUT_VERSION_ANY};
    avout_request request = {
        .kind = AVOUT_REQUEST_MULTI, .ops = &op, .op_count = 1, .done = avout__reply_ignored};
    (void)avout__locks_submit(room, &request, 1);
}
