/* Known outcome: what became of a multi whose reply was lost.
 *
 * Each batch with writes also writes its number into a slot: a node of this client's alone, at the
 * version the client knows. A slot is in one batch at a time.
 *
 *   free --sent--> busy --reply--> free
 *                   |
 *                   +--connection lost--> unclear --fence--> free, batch committed or not
 *
 * Reading the slot would prove nothing while unclear: the multi may still be on its way. So the
 * client writes a fence, "!NUMBER", at the version the batch was sent with. One of the two got there
 * first and the other is refused for ever (versions only grow): behind the fence's reply, whatever it
 * is, the slot's content tells which:
 *
 *   "NUMBER"   the batch is committed, at the slot's point
 *   "!NUMBER"  it is not and never will be; it travels again
 *   no node    though there was one: the client was stopped for longer than slots are kept, AVOUT_UNKNOWN;
 *              the same where a stranger has written
 *
 * This is the settling of a transaction's status by whoever needs to know it, as in Percolator (Peng
 * and Dabek, 2010), with the slot as the primary.
 */
#include "stm/stm.h"

#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "store/store.h"
#include "base/banned.h"

/* Far beyond any session timeout. */
#define SLOT_KEPT_MS ((int64_t)7 * 24 * 3600 * 1000)
enum { SWEEP_MAX = 16, VERSION_MAX = 1 << 30 };

void avout__slot_path(char *path, size_t size, avout__stm *stm, const avout__slot *slot)
{
    snprintf(path, size, "%s/%s-%u", AVOUT__SLOTS_PATH, stm->client_id, slot->index);
}

avout__slot *avout__slot_take(avout__stm *stm)
{
    for (int i = 0; i < AVOUT__SLOTS; i++) {
        avout__slot *slot = &stm->slots[i];
        if (slot->busy) continue;
        /* Long before its version comes round to -1, which would mean "any". */
        if (slot->exists && slot->version >= VERSION_MAX) avout__slot_renew(slot);
        return slot;
    }
    return NULL;
}

void avout__slot_renew(avout__slot *slot)
{
    slot->exists = slot->doubted = false;
    slot->index += AVOUT__SLOTS;
}

/* ---- the fence -------------------------------------------------------------------------------------------------- */

static bool content_is(const avout_reply *reply, const char *mark, uint64_t number)
{
    char text[32];
    snprintf(text, sizeof text, "%s%llu", mark, (unsigned long long)number);
    return reply->length == strlen(text) && !memcmp(reply->bytes, text, reply->length);
}

/* What the slot should hold, one way or the other, is not there: removed because the client was stopped
 * for longer than slots are kept, or written by a stranger. */
static bool slot_is_gone(const avout__slot *slot, const avout_reply *reply)
{
    if (!slot->exists) return !reply->status;
    return reply->status == AVOUT_ENOTFOUND ||
           (!reply->status && reply->stat.version != slot->version);
}

static void fence_read(const avout_reply *reply, void *payload)
{
    avout__batch *batch = payload;
    avout__stm *stm = batch->stm;
    avout__stm_lock(stm);
    batch->fencing = false;
    if (stm->suspect != batch) avout__batch_doubt(stm);
    if (!reply->status && content_is(reply, "", batch->number)) {
        avout__batch_found_committed(batch, &reply->stat);
    } else if (!reply->status && content_is(reply, "!", batch->number)) {
        batch->slot->exists = true;
        batch->slot->version = reply->stat.version;
        avout__batch_return(batch);
    } else if (slot_is_gone(batch->slot, reply)) {
        avout__slot_renew(batch->slot);
        avout__batch_abandon(batch, AVOUT_UNKNOWN,
                             "the client's commit record was removed or overwritten");
    } else if (atomic_load(&stm->closed)) {
        avout__batch_abandon(batch, AVOUT_UNKNOWN,
                             "the client was closed before the outcome was known");
    } else if (stm->connected) {
        /* Neither: the fence itself failed (no space, a loaded server). Nothing is lost but time. */
        avout__try_later(stm);
    }
    avout__send_ready(stm);
    avout__stm_unlock(stm);
}

static avout_status fence(avout__batch *batch)
{
    avout__stm *stm = batch->stm;
    avout__slot *slot = batch->slot;
    slot->doubted = slot->doubted || !slot->exists;
    char path[64 + sizeof AVOUT__SLOTS_PATH], text[32];
    avout__slot_path(path, sizeof path, stm, slot);
    snprintf(text, sizeof text, "!%llu", (unsigned long long)batch->number);
    avout_op op = {.kind = slot->exists ? AVOUT_OP_SET : AVOUT_OP_CREATE,
                   .path = path,
                   .version = slot->version,
                   .bytes = text,
                   .length = strlen(text)};
    avout_request requests[2] = {
        {.kind = AVOUT_REQUEST_MULTI, .ops = &op, .op_count = 1, .done = avout__reply_ignored},
        {.kind = AVOUT_REQUEST_GET, .path = path, .done = fence_read, .payload = batch}};
    return avout__submit(stm, requests, 2);
}

void avout__slots_settle(avout__stm *stm)
{
    AVOUT__LIST_EACH(link, &stm->batches)
    {
        avout__batch *batch = AVOUT__LINK_OF(link, avout__batch, link);
        if (!batch->unclear || batch->fencing) continue;
        batch->fencing = true;
        if (!fence(batch)) {
            stm->statistics.fences++;
            continue;
        }
        batch->fencing = false;
        avout__try_later(stm);
    }
}

/* ---- old slots ----------------------------------------------------------------------------------------------------- */

static void remove_slot(avout_store *store, const char *path, int64_t version, int64_t deadline_ns)
{
    avout_op op = {.kind = AVOUT_OP_DELETE, .path = path, .version = version};
    avout_request request = {.kind = AVOUT_REQUEST_MULTI, .ops = &op, .op_count = 1};
    avout__store_call(NULL, store, &request, deadline_ns);
}

void avout__slots_remove(avout__stm *stm)
{
    int64_t deadline_ns = avout__deadline_in_ms(1000);
    for (int i = 0; i < AVOUT__SLOTS; i++) {
        char path[64 + sizeof AVOUT__SLOTS_PATH];
        avout__stm_lock(stm);
        avout__slot slot = stm->slots[i];
        avout__slot_path(path, sizeof path, stm, &slot);
        bool removable = slot.exists && !slot.doubted && !slot.busy && stm->connected;
        avout__stm_unlock(stm);
        if (removable) remove_slot(stm->store, path, slot.version, deadline_ns);
    }
}

/* Removes what clients that died left behind, a few at each opening. */
void avout__slots_sweep(avout_store *store, int64_t deadline_ns)
{
    avout_request list = {.kind = AVOUT_REQUEST_LIST, .path = AVOUT__SLOTS_PATH};
    avout__reply names = AVOUT__REPLY_INIT;
    if (!avout__store_call(&names, store, &list, deadline_ns)) {
        size_t count = names.is.name_count, start = count ? avout__random64() % count : 0;
        for (size_t i = 0; i < count && i < SWEEP_MAX; i++) {
            char path[256 + sizeof AVOUT__SLOTS_PATH];
            snprintf(path, sizeof path, "%s/%s", AVOUT__SLOTS_PATH,
                     names.is.names[(start + i) % count]);
            avout_request look = {.kind = AVOUT_REQUEST_EXISTS, .path = path};
            avout__reply found = AVOUT__REPLY_INIT;
            if (!avout__store_call(&found, store, &look, deadline_ns) &&
                avout__unix_ms() - found.is.stat.changed_ms > SLOT_KEPT_MS)
                remove_slot(store, path, found.is.stat.version, deadline_ns);
            avout__reply_release(&found);
        }
    }
    avout__reply_release(&names);
}
