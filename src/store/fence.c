#include "store/fence.h"

#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "store/store.h"
#include "base/banned.h"

/* Far beyond any session timeout. */
#define SLOT_KEPT_MS ((int64_t)7 * 24 * 3600 * 1000)
enum { VERSION_MAX = 1 << 30, SWEEP_MAX = 16 };

void avout__slot_init(avout__slot *slot, avout__slots *all)
{
    *slot = (avout__slot){.all = all};
    avout__slot_renew(slot);
}

void avout__slot_refresh(avout__slot *slot)
{
    if (slot->exists && slot->version >= VERSION_MAX) avout__slot_renew(slot);
}

void avout__slot_renew(avout__slot *slot)
{
    slot->exists = slot->doubted = false;
    slot->version = 0;
    slot->index = slot->all->made++;
}

static void slot_path(char path[AVOUT__SLOT_PATH], const avout__slot *slot)
{
    snprintf(path, AVOUT__SLOT_PATH, "%s/%s-%" PRIu32, AVOUT__SLOTS_PATH, slot->all->client,
             slot->index);
}

static void draft_texts(avout__slot_draft *draft, const avout__slot *slot, const char *mark,
                        uint64_t number)
{
    slot_path(draft->path, slot);
    snprintf(draft->text, sizeof draft->text, "%s%" PRIu64, mark, number);
}

static avout_op make_home(void)
{
    return (avout_op){.kind = AVOUT_OP_CREATE, .path = AVOUT__SLOTS_PATH};
}

/* ---- the multi ----------------------------------------------------------------------------------- */

size_t avout__slot_ops(avout_op ops[AVOUT__SLOT_OPS], avout__slot_draft *draft, avout__slot *slot,
                       uint64_t number)
{
    size_t count = 0;
    draft_texts(draft, slot, "", number);
    slot->with_home = slot->all->homeless;
    if (slot->with_home) ops[count++] = make_home();
    if (!slot->exists) ops[count++] = (avout_op){.kind = AVOUT_OP_CREATE, .path = draft->path};
    ops[count++] = (avout_op){.kind = AVOUT_OP_SET,
                              .path = draft->path,
                              .version = slot->version,
                              .bytes = draft->text,
                              .length = strlen(draft->text)};
    return count;
}

avout_point avout__slot_written(avout__slot *slot, const avout_reply *reply)
{
    const avout_op_result *set =
        reply->result_count ? &reply->results[reply->result_count - 1] : NULL;
    slot->version++; /* from 0, if it was created just before */
    slot->exists = true;
    if (slot->with_home) slot->all->homeless = false;
    if (!set || !set->has_stat) return reply->point;
    slot->version = set->stat.version;
    return reply->point ? reply->point : set->stat.changed;
}

static bool lasting(char detail[AVOUT__SLOT_DETAIL], const avout_reply *reply)
{
    snprintf(detail, AVOUT__SLOT_DETAIL,
             "the client's commit record below %s cannot be written: %s", AVOUT__SLOTS_PATH,
             reply->detail ? reply->detail : avout_status_text(reply->status));
    return false;
}

bool avout__slot_refused(char detail[AVOUT__SLOT_DETAIL], avout__slot *slot, size_t op,
                         const avout_reply *reply)
{
    bool missing = reply->status == AVOUT_ENOTFOUND, present = reply->status == AVOUT_EEXISTS;
    if (slot->with_home && op == 0) {
        if (!present) return lasting(detail, reply);
        slot->all->homeless = false; /* somebody else has made it */
        return true;
    }
    if (missing && !slot->exists) {
        slot->all->homeless = true;
        return true;
    }
    /* Somebody has removed it, or was there before us. */
    if (!missing && !present && reply->status != AVOUT_EVERSION) return lasting(detail, reply);
    avout__slot_renew(slot);
    return true;
}

/* ---- the fence ------------------------------------------------------------------------------------- */

static avout_request only(const avout_op *op)
{
    return (avout_request){
        .kind = AVOUT_REQUEST_MULTI, .ops = op, .op_count = 1, .done = avout__reply_ignored};
}

size_t avout__fence_requests(avout_request requests[AVOUT__FENCE_REQUESTS], avout__fence *fence,
                             avout__slot *slot, uint64_t number)
{
    size_t count = 0;
    draft_texts(&fence->draft, slot, "!", number);
    fence->home = make_home();
    fence->mark = (avout_op){.kind = slot->exists ? AVOUT_OP_SET : AVOUT_OP_CREATE,
                             .path = fence->draft.path,
                             .version = slot->version,
                             .bytes = fence->draft.text,
                             .length = strlen(fence->draft.text)};
    if (!slot->exists) requests[count++] = only(&fence->home); /* mostly refused: it is there */
    requests[count++] = only(&fence->mark);
    requests[count++] = (avout_request){.kind = AVOUT_REQUEST_GET, .path = fence->draft.path};
    slot->doubted = slot->doubted || !slot->exists;
    return count;
}

static bool content_is(const avout_reply *reply, const char *mark, uint64_t number)
{
    char text[24];
    snprintf(text, sizeof text, "%s%" PRIu64, mark, number);
    return reply->length == strlen(text) && !memcmp(reply->bytes, text, reply->length);
}

/* What it should hold, one way or the other, is not there. */
static bool is_gone(const avout__slot *slot, const avout_reply *reply)
{
    if (!slot->exists) return !reply->status;
    return reply->status == AVOUT_ENOTFOUND ||
           (!reply->status && reply->stat.version != slot->version);
}

avout__fenced avout__fence_verdict(avout__slot *slot, uint64_t number, const avout_reply *reply)
{
    bool done = !reply->status && content_is(reply, "", number);
    if (done || (!reply->status && content_is(reply, "!", number))) {
        slot->exists = true;
        slot->version = reply->stat.version;
        return done ? AVOUT__FENCED_DONE : AVOUT__FENCED_NOT;
    }
    if (!is_gone(slot, reply)) return AVOUT__FENCED_NONE;
    avout__slot_renew(slot);
    return AVOUT__FENCED_GONE;
}

/* ---- the end --------------------------------------------------------------------------------------- */

static void delete_node(avout_store *store, const char *path, int64_t version, int64_t deadline_ns)
{
    avout_op op = {.kind = AVOUT_OP_DELETE, .path = path, .version = version};
    avout_request request = {.kind = AVOUT_REQUEST_MULTI, .ops = &op, .op_count = 1};
    avout__store_call(NULL, store, &request, deadline_ns);
}

void avout__slot_remove(avout_store *store, const avout__slot *slot, int64_t deadline_ns)
{
    char path[AVOUT__SLOT_PATH];
    if (!slot->exists || slot->doubted || slot->busy) return;
    slot_path(path, slot);
    delete_node(store, path, slot->version, deadline_ns);
}

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
                delete_node(store, path, found.is.stat.version, deadline_ns);
            avout__reply_release(&found);
        }
    }
    avout__reply_release(&names);
}
