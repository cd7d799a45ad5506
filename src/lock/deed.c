/* Multis whose outcome will be known, whatever happens to the connection.
 *
 * Each deed also writes its number into a slot: a node of this client's, at the version the client knows.
 * A slot is in one deed at a time; there are as many as deeds were ever on their way at once.
 *
 *   sent --reply--> ended
 *     |
 *     +--connection lost--> unclear --fence--> ended: done, or not and never will be
 *                              |
 *                              +--session lost--> ended: lost; the slot is left behind
 *
 * Reading the slot would prove nothing while the multi may still be on its way. So the client writes a
 * fence, "!NUMBER", at the version the deed was sent with. One of the two got there first and the other
 * is refused for ever, and what the slot says behind the fence's reply tells which:
 *
 *   "NUMBER"        done, at the point of the slot's last change
 *   "!NUMBER"       not done
 *   anything else   the slot was removed or overwritten by a stranger, or the client was stopped for
 *                   longer than slots are kept: taken for not done. Should it be done nevertheless, or
 *                   later, what it made is an orphan, which is deleted when it is seen (L2).
 *
 * The engine's transactions are settled in the same way, with slots of their own. */
#include "lock/lock.h"

#include <inttypes.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/banned.h"

/* Where the engine keeps its slots as well, and sweeps those of dead clients after a week. */
#define SLOTS "/avout/slots"
enum { SLOT_PATH = 64, VERSION_MAX = 1 << 30, MAX_REQUESTS = 64 };

static void slot_path(char path[SLOT_PATH], const avout__locks *room, const avout__deed_slot *slot)
{
    snprintf(path, SLOT_PATH, "%s/%s-%" PRIu32, SLOTS, room->client_id, slot->index);
}

/* Goes on with another node: this one cannot be relied on any more. */
static void slot_renew(avout__locks *room, avout__deed_slot *slot)
{
    slot->exists = slot->doubted = false;
    slot->version = 0;
    slot->index = room->slot_index++;
}

static avout__deed_slot *slot_take(avout__locks *room)
{
    for (size_t i = 0; i < room->slot_count; i++) {
        avout__deed_slot *slot = room->slots[i];
        if (slot->busy) continue;
        /* Long before its version comes round to -1, which would mean "any". */
        if (slot->version >= VERSION_MAX) slot_renew(room, slot);
        return slot;
    }
    if (AVOUT__GROW(&room->slots, &room->slot_capacity, room->slot_count + 1)) return NULL;
    avout__deed_slot *slot = avout__calloc(1, sizeof *slot);
    if (!slot) return NULL;
    slot_renew(room, slot);
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
    bool conflict = reply->status == AVOUT_EVERSION || reply->status == AVOUT_EEXISTS ||
                    reply->status == AVOUT_ENOTFOUND;
    if (conflict && reply->failed_op != SIZE_MAX && reply->failed_op >= deed->op_count) {
        slot_renew(deed->room, deed->slot); /* somebody removed it, or was there before us */
        deed_end(deed, AVOUT__DEED_NOT, NULL, 0);
        return;
    }
    deed_end(deed, AVOUT__DEED_REFUSED, reply, 0);
}

static void done_by(avout__deed *deed, const avout_reply *reply)
{
    avout__deed_slot *slot = deed->slot;
    const avout_op_result *result =
        reply->result_count ? &reply->results[reply->result_count - 1] : NULL;
    slot->version = slot->version + 1; /* from 0, if it was created just before */
    slot->exists = true;
    avout_point point = reply->point;
    if (result && result->has_stat) {
        slot->version = result->stat.version;
        if (!point) point = result->stat.changed;
    }
    deed_end(deed, AVOUT__DEED_DONE, reply, point);
}

static void deed_replied(const avout_reply *reply, void *payload)
{
    avout__deed *deed = payload;
    avout__locks *room = deed->room;
    avout__locks_lock(room);
    avout__lease_extend(room, reply, deed->sent_ns);
    if (!reply->status) {
        done_by(deed, reply);
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
    avout__deed_slot *slot = slot_take(room);
    if (!slot) return AVOUT_ENOMEM;
    avout_op all[AVOUT__DEED_OPS + 2];
    avout_request requests[MAX_REQUESTS];
    char path[SLOT_PATH], number[24];
    size_t count = op_count;
    deed->room = room;
    deed->number = ++room->numbers;
    deed->op_count = op_count;
    memcpy(all, ops, op_count * sizeof *ops);
    slot_path(path, room, slot);
    snprintf(number, sizeof number, "%" PRIu64, deed->number);
    /* Set in any case: the point of a multi is told by a set's stat. */
    if (!slot->exists) all[count++] = (avout_op){.kind = AVOUT_OP_CREATE, .path = path};
    all[count++] = (avout_op){.kind = AVOUT_OP_SET,
                              .path = path,
                              .version = slot->version,
                              .bytes = number,
                              .length = strlen(number)};
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

static bool content_is(const avout_reply *reply, const char *mark, uint64_t number)
{
    char text[32];
    snprintf(text, sizeof text, "%s%" PRIu64, mark, number);
    return reply->length == strlen(text) && !memcmp(reply->bytes, text, reply->length);
}

/* What the slot should say, one way or the other, is not there. */
static bool slot_is_gone(const avout__deed_slot *slot, const avout_reply *reply)
{
    if (!slot->exists) return !reply->status;
    return reply->status == AVOUT_ENOTFOUND ||
           (!reply->status && reply->stat.version != slot->version);
}

static void fence_told(avout__deed *deed, const avout_reply *reply)
{
    avout__locks *room = deed->room;
    avout__deed_slot *slot = deed->slot;
    bool found = !reply->status;
    bool done = found && content_is(reply, "", deed->number);
    if (done || (found && content_is(reply, "!", deed->number))) {
        slot->exists = true;
        slot->version = reply->stat.version;
        deed_end(deed, done ? AVOUT__DEED_DONE : AVOUT__DEED_NOT, NULL, reply->stat.changed);
    } else if (slot_is_gone(slot, reply)) {
        slot_renew(room, slot);
        deed_end(deed, AVOUT__DEED_NOT, NULL, 0);
    } else if (room->connected) {
        /* Neither: the fence itself failed (no space, a loaded server). Nothing is lost but time. */
        avout__locks_try_later(room);
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

static void ignored(const avout_reply *reply, void *payload)
{
    (void)reply, (void)payload;
}

static avout_status fence(avout__deed *deed)
{
    avout__locks *room = deed->room;
    avout__deed_slot *slot = deed->slot;
    fence_order *order = avout__alloc(sizeof *order);
    if (!order) return AVOUT_ENOMEM;
    *order = (fence_order){room, deed->number, avout__lease_now_ns()};
    char path[SLOT_PATH], text[32];
    slot_path(path, room, slot);
    snprintf(text, sizeof text, "!%" PRIu64, deed->number);
    avout_op op = {.kind = slot->exists ? AVOUT_OP_SET : AVOUT_OP_CREATE,
                   .path = path,
                   .version = slot->version,
                   .bytes = text,
                   .length = strlen(text)};
    avout_request requests[2] = {
        {.kind = AVOUT_REQUEST_MULTI, .ops = &op, .op_count = 1, .done = ignored},
        {.kind = AVOUT_REQUEST_GET, .path = path, .done = fence_read, .payload = order}};
    slot->doubted = slot->doubted || !slot->exists;
    atomic_fetch_add(&room->refs, 1);
    avout_status status = avout__locks_submit(room, requests, 2);
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
        if (!deed->unclear || deed->fencing) continue;
        deed->fencing = !fence(deed);
        if (!deed->fencing) avout__locks_try_later(room);
    }
}

void avout__deeds_lost(avout__locks *room)
{
    avout__link unclear;
    avout__list_init(&unclear);
    AVOUT__LIST_EACH(link, &room->deeds)
    {
        if (!AVOUT__LINK_OF(link, avout__deed, link)->unclear) continue;
        avout__link_remove(link);
        avout__list_append(&unclear, link);
    }
    while (!avout__list_empty(&unclear)) {
        avout__deed *deed = AVOUT__LINK_OF(unclear.next, avout__deed, link);
        slot_renew(room, deed->slot); /* nobody knows what it says */
        deed_end(deed, AVOUT__DEED_LOST, NULL, 0);
    }
}

void avout__deeds_remove(avout__locks *room, avout_store *store)
{
    int64_t deadline_ns = avout__deadline_in_ms(1000);
    for (size_t i = 0; i < room->slot_count; i++) {
        avout__deed_slot *slot = room->slots[i];
        char path[SLOT_PATH];
        slot_path(path, room, slot);
        if (!slot->exists || slot->doubted || slot->busy) continue;
        avout_op op = {.kind = AVOUT_OP_DELETE, .path = path, .version = slot->version};
        avout_request request = {.kind = AVOUT_REQUEST_MULTI, .ops = &op, .op_count = 1};
        avout__store_call(NULL, store, &request, deadline_ns);
    }
}
