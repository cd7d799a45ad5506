/* Requests on their way: what keeps the room and whoever asked until the reply is there. */
#include "lock/lock.h"

#include "base/alloc.h"
#include "base/banned.h"

avout__order *avout__order_new(avout__locks *room, void *owner, uint32_t *replies)
{
    avout__order *order = avout__alloc(sizeof *order);
    if (!order) return NULL;
    *order = (avout__order){room, owner, replies, avout__lease_now_ns()};
    ++*replies;
    atomic_fetch_add(&room->refs, 1);
    return order;
}

void avout__order_cancel(avout__order *order)
{
    --*order->replies;
    atomic_fetch_sub(&order->room->refs, 1); /* never the last: the caller has one */
    avout__free(order);
}

bool avout__order_send(avout__locks *room, avout_request request, void *owner, uint32_t *replies)
{
    avout__order *order = avout__order_new(room, owner, replies);
    request.payload = order;
    if (order && !avout__locks_submit(room, &request, 1)) return true;
    if (order) avout__order_cancel(order);
    avout__locks_try_later(room);
    return false;
}

void *avout__order_begin(avout__order *order, const avout_reply *reply)
{
    avout__locks_lock(order->room);
    avout__lease_extend(order->room, reply, order->sent_ns);
    --*order->replies;
    return order->owner;
}

void avout__order_end(avout__order *order)
{
    avout__locks *room = order->room;
    avout__locks_unlock(room);
    avout__locks_unref(room);
    avout__free(order);
}
