/* Multis whose outcome will be known, whatever happens to the connection (store/fence.h).
 *
 *   sent --reply--> ended
 *     |
 *     +--connection lost--> unclear --fence--> ended: done, or not and never will be
 *                              |
 *                              +--session lost--> ended: lost; the slot is left behind
 *
 * There are as many slots as deeds were ever on their way at once. Where nobody can tell what became of a
 * deed (a stranger removed or wrote its slot; the client was stopped for longer than slots are kept) it is
 * taken for not done: should it be done nevertheless, or later, what it made is an orphan, which is
 * deleted when it is seen (L2). */
#include "lock/lock.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/banned.h"

enum { MAX_REQUESTS = 64 };

static avout__slot *slot_take(avout__locks *room)
{
    for (size_t i = 0; i < room->slot_count; i++) {
        avout__slot *slot = room->slots[i];
        if (slot->busy) continue;
        avout__slot_refresh(slot);
        return slot;
    }
    if (AVOUT__GROW(&room->slots, &room->slot_capacity, room->slot_count + 1)) return NULL;
    avout__slot *slot = avout__alloc(sizeof *slot);
    if (!slot) return NULL;
    avout__slot_init(slot, &room->slots_of_mine);
    return room->slots[room->slot_count++] = slot;
}

/* ---- the end --------------------------------------------------------------------------------------- */

static void deed_end(avout__deed *deed, avout__deed_end end, const avout_reply *reply,
                     avout_point point)
{
    avout__link_remove(&deed->link);
    deed->slot->busy = false;
    deed->slot = NULL;
    deed->unclear = false;
    deed->ended(deed, end, reply, point);
}

static void refused(avout__deed *deed, const avout_reply *reply)
{
    char why[AVOUT__SLOT_DETAIL];
    avout_reply told = *reply;
    bool slots = reply->failed_op != SIZE_MAX && reply->failed_op >= deed->op_count;
    if (slots && avout__slot_refused(why, deed->slot, reply->failed_op - deed->op_count, reply)) {
        deed_end(deed, AVOUT__DEED_NOT, NULL, 0);
        return;
    }
    if (slots) {
        told.detail = why;
        told.failed_op = SIZE_MAX; /* none of the caller's */
    }
    deed_end(deed, AVOUT__DEED_REFUSED, &told, 0);
}

static void deed_replied(const avout_reply *reply, void *payload)
{
    avout__deed *deed = payload;
    avout__locks *room = deed->room;
    avout__locks_lock(room);
    avout__lease_extend(room, reply, deed->sent_ns);
    if (!reply->status) {
        deed_end(deed, AVOUT__DEED_DONE, reply, avout__slot_written(deed->slot, reply));
    } else if (atomic_load(&room->closed)) {
        deed_end(deed, AVOUT__DEED_LOST, NULL, 0);
    } else if (reply->maybe_done) {
        deed->unclear = true;
        if (room->connected) avout__deeds_settle(room);
    } else if (reply->status == AVOUT_ECONNECTION || reply->status == AVOUT_ESESSION) {
        deed_end(deed, AVOUT__DEED_NOT, reply, 0);
    } else {
        refused(deed, reply);
    }
    avout__locks_unlock(room);
    avout__locks_unref(room);
}

/* ---- sending --------------------------------------------------------------------------------------- */

avout_status avout__deed_send(avout__deed *deed, avout__locks *room, const avout_op *ops,
                              size_t op_count, const avout_request *before, size_t before_count,
                              const avout_request *behind, size_t behind_count)
{
    AVOUT__ASSERT(op_count <= AVOUT__DEED_OPS && before_count + 1 + behind_count <= MAX_REQUESTS);
    avout__slot *slot = slot_take(room);
    if (!slot) return AVOUT_ENOMEM;
    avout_op all[AVOUT__DEED_OPS + AVOUT__SLOT_OPS];
    avout_request requests[MAX_REQUESTS];
    avout__slot_draft draft;
    deed->room = room;
    deed->number = ++room->numbers;
    deed->op_count = op_count;
    memcpy(all, ops, op_count * sizeof *ops);
    size_t count = op_count + avout__slot_ops(all + op_count, &draft, slot, deed->number);
    size_t at = 0;
    for (size_t i = 0; i < before_count; i++) requests[at++] = before[i];
    requests[at++] = (avout_request){.kind = AVOUT_REQUEST_MULTI,
                                     .ops = all,
                                     .op_count = count,
                                     .done = deed_replied,
                                     .payload = deed};
    for (size_t i = 0; i < behind_count; i++) requests[at++] = behind[i];
    deed->sent_ns = avout__lease_now_ns();
    atomic_fetch_add(&room->refs, 1);
    avout_status status = avout__locks_submit(room, requests, at);
    if (status) {
        atomic_fetch_sub(&room->refs, 1);
        return status;
    }
    slot->busy = true;
    deed->slot = slot;
    deed->unclear = deed->fencing = false;
    avout__list_append(&room->deeds, &deed->link);
    return AVOUT_OK;
}

/* ---- fences ------------------------------------------------------------------------------------------ */

static void fence_told(avout__deed *deed, const avout_reply *reply)
{
    switch (avout__fence_verdict(deed->slot, deed->number, reply)) {
    case AVOUT__FENCED_DONE: deed_end(deed, AVOUT__DEED_DONE, NULL, reply->stat.changed); break;
    case AVOUT__FENCED_NOT: deed_end(deed, AVOUT__DEED_NOT, NULL, 0); break;
    case AVOUT__FENCED_GONE: /* what is the session's would be an orphan (L2) */
        deed_end(deed, deed->lasting ? AVOUT__DEED_LOST : AVOUT__DEED_NOT, NULL, 0);
        break;
    case AVOUT__FENCED_NONE: /* nothing is lost but time */
        if (deed->room->connected) avout__retry_later(deed->room, &deed->retry);
        break;
    }
}

typedef struct fence_order {
    avout__locks *room;
    uint64_t number;
    int64_t sent_ns;
} fence_order;

static avout__deed *deed_of(avout__locks *room, uint64_t number)
{
    AVOUT__LIST_EACH(link, &room->deeds)
    {
        avout__deed *deed = AVOUT__LINK_OF(link, avout__deed, link);
        if (deed->number == number) return deed;
    }
    return NULL;
}

static void fence_read(const avout_reply *reply, void *payload)
{
    fence_order *order = payload;
    avout__locks *room = order->room;
    avout__locks_lock(room);
    avout__lease_extend(room, reply, order->sent_ns);
    avout__deed *deed = deed_of(room, order->number);
    if (deed) {
        deed->fencing = false;
        if (atomic_load(&room->closed)) deed_end(deed, AVOUT__DEED_LOST, NULL, 0);
        else fence_told(deed, reply);
    }
    avout__locks_unlock(room);
    avout__locks_unref(room);
    avout__free(order);
}

static avout_status fence(avout__deed *deed)
{
    avout__locks *room = deed->room;
    fence_order *order = avout__alloc(sizeof *order);
    if (!order) return AVOUT_ENOMEM;
    *order = (fence_order){room, deed->number, avout__lease_now_ns()};
    avout__fence texts;
    avout_request requests[AVOUT__FENCE_REQUESTS];
    size_t count = avout__fence_requests(requests, &texts, deed->slot, deed->number);
    requests[count - 1].done = fence_read;
    requests[count - 1].payload = order;
    atomic_fetch_add(&room->refs, 1);
    avout_status status = avout__locks_submit(room, requests, count);
    if (!status) return AVOUT_OK;
    atomic_fetch_sub(&room->refs, 1);
    avout__free(order);
    return status;
}

void avout__deeds_settle(avout__locks *room)
{
    AVOUT__LIST_EACH(link, &room->deeds)
    {
        avout__deed *deed = AVOUT__LINK_OF(link, avout__deed, link);
        if (!deed->unclear || deed->fencing || !avout__retry_now(room, &deed->retry)) continue;
        deed->fencing = !fence(deed);
        if (!deed->fencing) avout__retry_later(room, &deed->retry);
    }
}

void avout__deeds_lost(avout__locks *room)
{
    avout__link unclear;
    avout__list_init(&unclear);
    AVOUT__LIST_EACH(link, &room->deeds)
    {
        avout__deed *deed = AVOUT__LINK_OF(link, avout__deed, link);
        if (!deed->unclear || (deed->lasting && !atomic_load(&room->closed))) continue;
        avout__link_remove(link);
        avout__list_append(&unclear, link);
    }
    while (!avout__list_empty(&unclear)) {
        avout__deed *deed = AVOUT__LINK_OF(unclear.next, avout__deed, link);
        avout__slot_renew(deed->slot); /* nobody knows what it says */
        deed_end(deed, AVOUT__DEED_LOST, NULL, 0);
    }
}

void avout__deeds_remove(avout__locks *room, avout_store *store)
{
    int64_t deadline_ns = avout__deadline_in_ms(1000);
    for (size_t i = 0; i < room->slot_count; i++) { /* the room is closed: there will be no more */
        avout__locks_lock(room);
        avout__slot slot = *room->slots[i];
        avout__locks_unlock(room);
        avout__slot_remove(store, &slot, deadline_ns);
    }
}
