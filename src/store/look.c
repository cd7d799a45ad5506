/* Reads of many nodes as one run. What the delivery thread writes to is counted, not on the caller's
 * stack: a reply may come long after the caller's deadline. */
#include "store/store.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/interrupt.h"
#include "base/banned.h"

void avout__looks_unref(avout__looks *looks)
{
    if (!looks || atomic_fetch_sub(&looks->refs, 1) != 1) return;
    for (size_t i = 0; i < looks->count; i++) avout__free(looks->items[i].bytes);
    avout__free(looks);
}

static void looked(const avout_reply *reply, void *payload)
{
    avout__look *item = payload;
    avout__looks *all = item->all;
    item->status = reply->status;
    item->stat = reply->stat;
    if (!reply->status && reply->bytes) {
        item->length = reply->length;
        item->bytes = avout__alloc(reply->length + 1);
        if (!item->bytes) item->status = AVOUT_ENOMEM;
        else memcpy(item->bytes, reply->bytes, reply->length);
        if (item->bytes) item->bytes[reply->length] = '\0';
    }
    if (atomic_fetch_sub(&all->left, 1) == 1) avout__latch_open(&all->latch);
    avout__looks_unref(all);
}

avout_status avout__store_look(avout__looks **out, avout_store *store, avout_request_kind kind,
                               const char *const *paths, size_t count, int64_t deadline_ns)
{
    AVOUT__ASSERT(!avout__store_delivering);
    avout__looks *all = avout__calloc(1, sizeof *all + count * sizeof *all->items);
    avout_request *requests = avout__calloc(count + 1, sizeof *requests);
    avout_status status = all && requests ? AVOUT_OK : AVOUT_ENOMEM;
    for (size_t i = 0; !status && i < count; i++) {
        all->items[i].all = all;
        requests[i] = (avout_request){
            .kind = kind, .path = paths[i], .done = looked, .payload = &all->items[i]};
    }
    if (!status) {
        all->count = count;
        atomic_init(&all->refs, (uint32_t)count + 1);
        atomic_init(&all->left, (uint32_t)count);
        if (count) status = store->ops->submit(store, requests, count);
        else avout__latch_open(&all->latch);
    }
    avout__free(requests);
    if (status) {
        avout__free(all);
        return status;
    }
    if (avout__latch_wait(&all->latch, deadline_ns)) {
        *out = all;
        return AVOUT_OK;
    }
    avout__looks_unref(all);
    return avout_fail(avout__late(), "%s: %s", paths[0],
                      avout__late_text("no answer from the store before the deadline"));
}
