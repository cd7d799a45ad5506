/* A claim's place in the queue: what a list tells, whom it watches, when it has the lock. */
#include "lock/claim.h"

#include <string.h>

#include "base/banned.h"

/* A node of this client's that none of its claims stands for (L2). */
static void delete_orphans(const avout__claim *claim, const char *const *names, size_t count)
{
    avout__lock *lock = claim->lock;
    for (size_t i = 0; i < count; i++) {
        avout__claim_name name;
        if (!avout__claim_parse(&name, names[i]) || strcmp(name.client, lock->room->client_id))
            continue;
        bool known = false;
        AVOUT__LIST_EACH(link, &lock->claims)
        known = known || AVOUT__LINK_OF(link, avout__claim, link)->number == name.number;
        if (known) continue;
        avout__node_sweep(lock->room, lock->path, names[i]);
    }
}

/* Nothing is before it. What was told before a long pause may not be so any more, and what is given after a
 * long wait may be lost at once: it asks again, after a heartbeat, whose answer says that the session
 * lives (L4). */
static void arrive(avout__claim *claim)
{
    avout__locks *room = claim->lock->room;
    if (avout__list_empty(&claim->wants)) {
        avout__claim_end(claim);
        return;
    }
    if (!avout__lease_gives(room)) {
        claim->watching = false;
        avout__lease_ask(room);
        return;
    }
    claim->state = AVOUT__CLAIM_GRANTED;
    claim->granted_ns = avout__now_ns();
    avout__tender_granted(room);
    avout__want_give_first(claim);
    while (claim->shared && !avout__list_empty(&claim->wants)) avout__want_give_first(claim);
}

static void gone_before(avout__claim *claim)
{
    claim->watching = false;
    if (claim->next && claim->minded) arrive(claim);
    else avout__claim_list(claim);
}

/* A stranger has removed its node. */
static void removed(avout__claim *claim)
{
    if (claim->state == AVOUT__CLAIM_GRANTED) avout__holds_lost(claim);
    else if (claim->state != AVOUT__CLAIM_PLACED) return;
    avout__claim_restart(claim, false);
}

static void self_seen(const avout_reply *reply, void *payload)
{
    avout__claim *claim = avout__order_begin(payload, reply);
    if (reply->status) claim->minded = false;
    if (reply->status == AVOUT_ENOTFOUND) removed(claim);
    else if (reply->status) avout__retry_later(claim->lock->room, &claim->asker.retry);
    avout__claim_reply_end(payload);
}

static void mind(avout__claim *claim)
{
    if (claim->minded) return;
    char path[AVOUT__CLAIM_PATH];
    avout__claim_path(path, claim, claim->name);
    claim->minded = avout__claim_ask(
        claim, (avout_request){
                   .kind = AVOUT_REQUEST_EXISTS, .watch = true, .path = path, .done = self_seen});
}

void avout__claims_mind(avout__lock *lock)
{
    AVOUT__LIST_EACH(link, &lock->claims)
    {
        avout__claim *claim = AVOUT__LINK_OF(link, avout__claim, link);
        bool may = claim->state == AVOUT__CLAIM_GRANTED && lock->room->connected;
        if (may && !claim->asker.retry.due_ns) mind(claim); /* else it will be tried again */
    }
}

static void before_seen(const avout_reply *reply, void *payload)
{
    avout__claim *claim = avout__order_begin(payload, reply);
    if (claim->state == AVOUT__CLAIM_PLACED && claim->watching && reply->status) {
        claim->watching = false;
        if (reply->status == AVOUT_ENOTFOUND) gone_before(claim);
        else avout__retry_later(claim->lock->room, &claim->asker.retry);
    }
    avout__claim_reply_end(payload);
}

static void watch_before(avout__claim *claim, const avout__line *line)
{
    char path[AVOUT__CLAIM_PATH];
    mind(claim); /* first: when it is told that the other is gone it is sure of itself */
    avout__claim_path(path, claim, line->before);
    snprintf(claim->before, sizeof claim->before, "%s", line->before);
    claim->next = line->conflicts == 1;
    claim->watching = avout__claim_ask(
        claim, (avout_request){
                   .kind = AVOUT_REQUEST_GET, .watch = true, .path = path, .done = before_seen});
}

static void place(avout__claim *claim, const avout_reply *reply)
{
    delete_orphans(claim, reply->names, reply->name_count);
    avout__line line = avout__line_of(claim, reply->names, reply->name_count);
    if (!line.mine) {
        avout__claim_restart(claim, false); /* somebody has removed it */
        return;
    }
    snprintf(claim->name, sizeof claim->name, "%s", line.mine);
    if (line.doubtful) {
        avout__wants_fail(
            claim, AVOUT_ELIMIT,
            "its queue's numbers are used up; they begin anew when nobody has it or waits, and "
            "nothing else is below its node");
        avout__claim_end(claim);
        return;
    }
    if (line.conflicts) avout__wants_fail_tries(claim);
    if (!line.conflicts || avout__list_empty(&claim->wants)) arrive(claim);
    else watch_before(claim, &line);
}

void avout__claim_listed(const avout_reply *reply, void *payload)
{
    avout__claim *claim = avout__order_begin(payload, reply);
    claim->listing = false;
    if (claim->state == AVOUT__CLAIM_PLACED) {
        if (!reply->status) place(claim, reply);
        else if (reply->status == AVOUT_ENOTFOUND) avout__claim_restart(claim, true);
        else avout__retry_later(claim->lock->room, &claim->asker.retry);
    }
    avout__claim_reply_end(payload);
}

void avout__claim_list(avout__claim *claim)
{
    if (claim->listing || !claim->lock->room->connected) return;
    claim->listing = avout__claim_ask(claim, (avout_request){.kind = AVOUT_REQUEST_LIST,
                                                             .path = claim->lock->path,
                                                             .done = avout__claim_listed});
}

static void event_of_self(avout__claim *claim, avout_node_event event)
{
    claim->minded = false;
    if (event == AVOUT_NODE_DELETED) removed(claim);
    else if (claim->state == AVOUT__CLAIM_PLACED || claim->state == AVOUT__CLAIM_GRANTED)
        mind(claim);
}

static void event_of_other(avout__claim *claim, avout_node_event event, const char *name)
{
    if (claim->state != AVOUT__CLAIM_PLACED || !claim->watching || strcmp(claim->before, name))
        return;
    if (event != AVOUT_NODE_DELETED) claim->next = false; /* it may still be there */
    gone_before(claim);
}

void avout__claims_event(avout__locks *room, avout_node_event event, const char *path)
{
    const char *name = strrchr(path, '/');
    avout__lock *lock = avout__lock_of_node(room, path, (size_t)(name - path));
    if (!lock) return;
    lock->refs++;
    AVOUT__LIST_EACH(link, &lock->claims)
    {
        avout__claim *claim = AVOUT__LINK_OF(link, avout__claim, link);
        if (claim->minded && !strcmp(claim->name, name + 1)) event_of_self(claim, event);
        else event_of_other(claim, event, name + 1);
    }
    avout__lock_drop(lock);
}
