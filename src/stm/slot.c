/* The engine's slots (store/fence.h): one for each batch that is on its way and writes in the store. */
#include "stm/stm.h"

#include "base/clock.h"
#include "base/banned.h"

avout__slot *avout__slot_take(avout__stm *stm)
{
    for (int i = 0; i < AVOUT__SLOTS; i++) {
        avout__slot *slot = &stm->slots[i];
        if (slot->busy) continue;
        avout__slot_refresh(slot);
        return slot;
    }
    return NULL;
}

/* ---- the fence -------------------------------------------------------------------------------------------------- */

static void fence_told(avout__batch *batch, const avout_reply *reply)
{
    avout__stm *stm = batch->stm;
    switch (avout__fence_verdict(batch->slot, batch->number, reply)) {
    case AVOUT__FENCED_DONE: avout__batch_found_committed(batch, reply->stat.changed); break;
    case AVOUT__FENCED_NOT: avout__batch_return(batch); break;
    case AVOUT__FENCED_GONE:
        avout__batch_abandon(batch, AVOUT_UNKNOWN,
                             "the client's commit record was removed or overwritten");
        break;
    case AVOUT__FENCED_NONE:
        if (atomic_load(&stm->closed))
            avout__batch_abandon(batch, AVOUT_UNKNOWN,
                                 "the client was closed before the outcome was known");
        else if (stm->connected) avout__try_later(stm); /* nothing is lost but time */
        break;
    }
}

static void fence_read(const avout_reply *reply, void *payload)
{
    avout__batch *batch = payload;
    avout__stm *stm = batch->stm;
    avout__stm_lock(stm);
    batch->fencing = false;
    if (stm->suspect != batch) avout__batch_doubt(stm);
    fence_told(batch, reply);
    avout__send_ready(stm);
    avout__stm_unlock(stm);
}

static avout_status fence(avout__batch *batch)
{
    avout__fence texts;
    avout_request requests[AVOUT__FENCE_REQUESTS];
    size_t count = avout__fence_requests(requests, &texts, batch->slot, batch->number);
    requests[count - 1].done = fence_read;
    requests[count - 1].payload = batch;
    return avout__submit(batch->stm, requests, count);
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

void avout__slots_remove(avout__stm *stm)
{
    int64_t deadline_ns = avout__deadline_in_ms(1000);
    for (int i = 0; i < AVOUT__SLOTS; i++) {
        avout__stm_lock(stm);
        avout__slot slot = stm->slots[i];
        bool connected = stm->connected;
        avout__stm_unlock(stm);
        if (connected) avout__slot_remove(stm->store, &slot, deadline_ns);
    }
}
