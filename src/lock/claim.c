/* Claims: from the wish to have a lock to the end of its node. The states and the rules are in lock.h.
 *
 * Making a claim is one run: [directories, if they were missing] [multi: delete the claim it replaces,
 * create it, set the slot] [list]. The list is answered right behind the multi and tells the place: so an
 * uncontended lock takes one round trip. */
#include "lock/lock.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/banned.h"

/* An exclusive claim is handed on within the client, a granted shared one joined, at most so often and
 * for so long: then others that wait in the store have their turn. */
enum { HAND_ON_MAX = 16, HAND_ON_MS = 50 };
enum { RENEW_FROM = 1 << 30 };
enum { PARENTS_MAX = 60, PATH_ROOM = 4096 + AVOUT__CLAIM_NAME };

static void claim_send(avout__claim *claim);
static void claim_list(avout__claim *claim);
static void claim_end(avout__claim *claim);
static void claim_restart(avout__claim *claim, bool make_parents);
static avout__claim *claim_again(avout__claim *claim, bool make_parents);

/* ---- life ------------------------------------------------------------------------------------------ */

static avout__claim *claim_new(avout__lock *lock, bool shared)
{
    avout__claim *claim = avout__calloc(1, sizeof *claim);
    if (!claim) return NULL;
    claim->lock = lock;
    lock->refs++;
    claim->shared = shared;
    claim->number = ++lock->room->numbers;
    avout__list_init(&claim->wants);
    avout__list_append(&lock->claims, &claim->link);
    return claim;
}

void avout__claim_free(avout__claim *claim)
{
    avout__lock_drop(claim->lock);
    avout__free(claim);
}

static void leave_granted(avout__claim *claim)
{
    if (claim->state == AVOUT__CLAIM_GRANTED) claim->lock->room->granted--;
}

static void free_when_done(avout__claim *claim)
{
    if (claim->state != AVOUT__CLAIM_GONE || claim->replies) return;
    if (!avout__link_linked(&claim->link))
        avout__list_append(&claim->lock->room->gone, &claim->link);
}

static void claim_gone(avout__claim *claim)
{
    AVOUT__ASSERT(avout__list_empty(&claim->wants));
    leave_granted(claim);
    claim->state = AVOUT__CLAIM_GONE;
    avout__link_remove(&claim->link);
    free_when_done(claim);
}

/* The node is gone, or given up. */
static void claim_finish(avout__claim *claim, avout_status status, const char *detail)
{
    avout__releaser *releaser = claim->releaser;
    claim->releaser = NULL;
    claim_gone(claim);
    if (!releaser) return;
    releaser->status = status;
    snprintf(releaser->detail, sizeof releaser->detail, "%s", detail ? detail : "");
    avout__latch_open(&releaser->latch);
}

static void claim_path(char path[PATH_ROOM], const avout__claim *claim, const char *name)
{
    snprintf(path, PATH_ROOM, "%s/%s", claim->lock->path, name);
}

/* ---- wants ------------------------------------------------------------------------------------------- */

static void want_end(avout__want *want)
{
    avout__link_remove(&want->link);
    want->claim = NULL;
    avout__latch_open(&want->latch);
}

void avout__want_fail(avout__want *want, avout_status status, const char *detail)
{
    want->status = status;
    snprintf(want->detail, sizeof want->detail, "%s", detail ? detail : avout_status_text(status));
    want_end(want);
}

static void fail_wants(avout__claim *claim, avout_status status, const char *detail)
{
    while (!avout__list_empty(&claim->wants))
        avout__want_fail(AVOUT__LINK_OF(claim->wants.next, avout__want, link), status, detail);
}

static void fail_tries(avout__claim *claim)
{
    AVOUT__LIST_EACH(link, &claim->wants)
    {
        avout__want *want = AVOUT__LINK_OF(link, avout__want, link);
        if (want->only_now) avout__want_fail(want, AVOUT_EBUSY, NULL);
    }
}

static void want_join(avout__want *want, avout__claim *claim)
{
    avout__list_append(&claim->wants, &want->link);
    want->claim = claim;
}

/* To the front of the other's, in their order. */
static void wants_move(avout__claim *from, avout__claim *to)
{
    avout__link *front = to->wants.next;
    while (!avout__list_empty(&from->wants)) {
        avout__want *want = AVOUT__LINK_OF(from->wants.next, avout__want, link);
        avout__link_remove(&want->link);
        avout__link_insert_before(front, &want->link);
        want->claim = to;
    }
}

static void give(avout__claim *claim, avout__want *want)
{
    avout__hold *hold = want->hold;
    want->hold = NULL;
    hold->claim = claim;
    hold->token = (avout_token){claim->point, claim->handed_on++};
    if (claim->shared) hold->reads = 1;
    else hold->writes = 1;
    claim->lock->refs++;
    avout__list_append(&claim->lock->holds, &hold->link);
    claim->holds++;
    want->granted = true;
    want_end(want);
}

static void give_first(avout__claim *claim)
{
    give(claim, AVOUT__LINK_OF(claim->wants.next, avout__want, link));
}

static bool within_bounds(const avout__claim *claim)
{
    return claim->served < HAND_ON_MAX &&
           avout__now_ns() - claim->granted_ns < (int64_t)HAND_ON_MS * 1000000;
}

static avout__claim *last_claim(avout__lock *lock)
{
    for (avout__link *link = lock->claims.prev; link != &lock->claims; link = link->prev) {
        avout__claim *claim = AVOUT__LINK_OF(link, avout__claim, link);
        if (claim->state != AVOUT__CLAIM_ENDING) return claim;
    }
    return NULL;
}

/* Whether the client's last claim tells that a try would fail. One among readers is for the store to
 * answer, unless they are known to wait; and so is one behind a claim that nobody wants any more. */
static bool keeps_out(const avout__claim *last, bool shared)
{
    if (last->shared && shared) return last->state == AVOUT__CLAIM_PLACED && last->watching;
    return last->holds || !avout__list_empty(&last->wants);
}

void avout__want_add(avout__lock *lock, avout__want *want, bool shared)
{
    avout__claim *last = last_claim(lock);
    bool granted = last && last->state == AVOUT__CLAIM_GRANTED;
    if (last && shared && last->shared && granted && within_bounds(last) &&
        avout__lease_holds(lock->room)) {
        last->served++;
        give(last, want);
        return;
    }
    last = last_claim(lock); /* the lease may have ended it */
    if (last && want->only_now && keeps_out(last, shared)) {
        avout__want_fail(want, AVOUT_EBUSY, NULL);
        return;
    }
    granted = last && last->state == AVOUT__CLAIM_GRANTED;
    if (last && last->shared == shared && !(shared && granted)) {
        want_join(want, last);
        return;
    }
    avout__claim *claim = claim_new(lock, shared);
    if (!claim) {
        avout__want_fail(want, AVOUT_ENOMEM, NULL);
        return;
    }
    want_join(want, claim);
    claim_send(claim);
}

/* What nobody wants and nobody holds goes; while the name is not known, as soon as it is. */
static void end_unwanted(avout__claim *claim)
{
    if (!avout__list_empty(&claim->wants) || claim->holds) return;
    if (claim->state == AVOUT__CLAIM_NEW) claim_gone(claim);
    else if ((claim->state == AVOUT__CLAIM_PLACED && *claim->name) ||
             claim->state == AVOUT__CLAIM_GRANTED)
        claim_end(claim);
}

void avout__want_leave(avout__want *want)
{
    avout__claim *claim = want->claim;
    if (!claim) return;
    avout__link_remove(&want->link);
    want->claim = NULL;
    end_unwanted(claim);
}

/* ---- replies --------------------------------------------------------------------------------------------- */

typedef struct claim_order {
    avout__claim *claim;
    int64_t sent_ns;
} claim_order;

/* Counts as on its way from now on: to be submitted, or taken back. */
static claim_order *order_new(avout__claim *claim)
{
    claim_order *order = avout__alloc(sizeof *order);
    if (!order) return NULL;
    *order = (claim_order){claim, avout__lease_now_ns()};
    claim->replies++;
    atomic_fetch_add(&claim->lock->room->refs, 1);
    return order;
}

static void order_cancel(claim_order *order)
{
    order->claim->replies--;
    atomic_fetch_sub(&order->claim->lock->room->refs, 1); /* never the last: the caller has one */
    avout__free(order);
}

static avout__claim *reply_begin(claim_order *order, const avout_reply *reply)
{
    avout__claim *claim = order->claim;
    avout__locks *room = claim->lock->room;
    avout__locks_lock(room);
    avout__lease_extend(room, reply, order->sent_ns);
    claim->replies--;
    return claim;
}

static void reply_end(claim_order *order)
{
    avout__locks *room = order->claim->lock->room;
    free_when_done(order->claim);
    avout__locks_unlock(room);
    avout__locks_unref(room);
    avout__free(order);
}

static bool no_connection(const avout_reply *reply)
{
    return reply->status == AVOUT_ECONNECTION || reply->status == AVOUT_ESESSION;
}

/* Sends one request of the claim's; false: it will be tried again. */
static bool ask(avout__claim *claim, avout_request request)
{
    avout__locks *room = claim->lock->room;
    claim_order *order = order_new(claim);
    request.payload = order;
    if (order && !avout__locks_submit(room, &request, 1)) return true;
    if (order) order_cancel(order);
    avout__locks_try_later(room);
    return false;
}

/* ---- the end of a claim ------------------------------------------------------------------------------------ */

static void claim_delete(avout__claim *claim);

static void deleted(const avout_reply *reply, void *payload)
{
    avout__claim *claim = reply_begin(payload, reply);
    claim->deleting = false;
    if (claim->state == AVOUT__CLAIM_ENDING) {
        if (!reply->status || (reply->status == AVOUT_ENOTFOUND && claim->delete_unclear)) {
            claim_finish(claim, AVOUT_OK, NULL);
        } else if (reply->status == AVOUT_ENOTFOUND) {
            claim_finish(claim, AVOUT_ELOST, "its node had been removed by somebody else");
        } else if (reply->status == AVOUT_ECLOSED) {
            claim_finish(claim, AVOUT_ECLOSED, reply->detail);
        } else {
            claim->delete_unclear = claim->delete_unclear || reply->maybe_done;
            avout__locks_try_later(claim->lock->room);
        }
    }
    reply_end(payload);
}

static void ignored(const avout_reply *reply, void *payload)
{
    (void)reply, (void)payload;
}

/* ZooKeeper numbers a node's sequential children up to 2^31 - 1, and gives that number to all that come
 * later. So from half of it on whoever leaves makes the lock's node anew, as one, which begins at 0 again:
 * refused, as it has to be, while anybody else is below the node. */
static void renew(const avout__claim *claim)
{
    avout__claim_name name;
    const char *path = claim->lock->path;
    if (!avout__claim_parse(&name, claim->name) || name.sequence < RENEW_FROM) return;
    avout_op ops[2] = {
        {.kind = AVOUT_OP_DELETE, .path = path, .version = AVOUT_VERSION_ANY},
        {.kind = AVOUT_OP_CREATE, .path = path},
    };
    avout_request request = {
        .kind = AVOUT_REQUEST_MULTI, .ops = ops, .op_count = 2, .done = ignored};
    (void)avout__locks_submit(claim->lock->room, &request, 1);
}

static void claim_delete(avout__claim *claim)
{
    if (claim->deleting || claim->replaced || !claim->lock->room->connected) return;
    char path[PATH_ROOM];
    claim_path(path, claim, claim->name);
    avout_op op = {.kind = AVOUT_OP_DELETE, .path = path, .version = AVOUT_VERSION_ANY};
    claim->deleting = ask(
        claim,
        (avout_request){.kind = AVOUT_REQUEST_MULTI, .ops = &op, .op_count = 1, .done = deleted});
    if (claim->deleting) renew(claim);
}

static void claim_end(avout__claim *claim)
{
    leave_granted(claim);
    claim->state = AVOUT__CLAIM_ENDING;
    claim_delete(claim);
}

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
        char path[PATH_ROOM];
        claim_path(path, claim, names[i]);
        avout_op op = {.kind = AVOUT_OP_DELETE, .path = path, .version = AVOUT_VERSION_ANY};
        avout_request request = {
            .kind = AVOUT_REQUEST_MULTI, .ops = &op, .op_count = 1, .done = ignored};
        (void)avout__locks_submit(lock->room, &request, 1);
    }
}

/* ---- the place in the queue -------------------------------------------------------------------------------- */

/* Nothing is before it. What was told before a long pause may not be so any more: it asks again, behind a
 * heartbeat, whose answer says that the session lives (L4). */
static void arrive(avout__claim *claim)
{
    avout__locks *room = claim->lock->room;
    if (avout__list_empty(&claim->wants)) {
        claim_end(claim);
        return;
    }
    if (!avout__lease_holds(room)) {
        avout__lease_renew(room);
        claim_list(claim);
        return;
    }
    claim->state = AVOUT__CLAIM_GRANTED;
    claim->granted_ns = avout__now_ns();
    room->granted++;
    avout__tender_wake(room);
    give_first(claim);
    while (claim->shared && !avout__list_empty(&claim->wants)) give_first(claim);
}

static void gone_before(avout__claim *claim)
{
    claim->watching = false;
    if (claim->next) arrive(claim);
    else claim_list(claim);
}

static void before_seen(const avout_reply *reply, void *payload)
{
    avout__claim *claim = reply_begin(payload, reply);
    if (claim->state == AVOUT__CLAIM_PLACED && claim->watching && reply->status) {
        claim->watching = false;
        if (reply->status == AVOUT_ENOTFOUND) gone_before(claim);
        else avout__locks_try_later(claim->lock->room);
    }
    reply_end(payload);
}

static void watch_before(avout__claim *claim, const avout__line *line)
{
    char path[PATH_ROOM];
    claim_path(path, claim, line->before);
    snprintf(claim->before, sizeof claim->before, "%s", line->before);
    claim->next = line->conflicts == 1;
    claim->watching = ask(
        claim, (avout_request){
                   .kind = AVOUT_REQUEST_GET, .watch = true, .path = path, .done = before_seen});
}

static void place(avout__claim *claim, const avout_reply *reply)
{
    delete_orphans(claim, reply->names, reply->name_count);
    avout__line line = avout__line_of(claim, reply->names, reply->name_count);
    if (!line.mine) {
        claim_restart(claim, false); /* somebody has removed it */
        return;
    }
    snprintf(claim->name, sizeof claim->name, "%s", line.mine);
    if (line.doubtful) {
        fail_wants(
            claim, AVOUT_ELIMIT,
            "its queue's numbers are used up; they begin anew when nobody has it or waits, and "
            "nothing else is below its node");
        claim_end(claim);
        return;
    }
    if (line.conflicts) fail_tries(claim);
    if (!line.conflicts || avout__list_empty(&claim->wants)) arrive(claim);
    else watch_before(claim, &line);
}

static void listed(const avout_reply *reply, void *payload)
{
    avout__claim *claim = reply_begin(payload, reply);
    claim->listing = false;
    if (claim->state == AVOUT__CLAIM_PLACED) {
        if (!reply->status) place(claim, reply);
        else if (reply->status == AVOUT_ENOTFOUND) claim_restart(claim, true);
        else avout__locks_try_later(claim->lock->room);
    }
    reply_end(payload);
}

static void claim_list(avout__claim *claim)
{
    if (claim->listing || !claim->lock->room->connected) return;
    claim->listing =
        ask(claim,
            (avout_request){.kind = AVOUT_REQUEST_LIST, .path = claim->lock->path, .done = listed});
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
        if (claim->state != AVOUT__CLAIM_PLACED || !claim->watching) continue;
        if (strcmp(claim->before, name + 1)) continue;
        if (event != AVOUT_NODE_DELETED) claim->next = false; /* it may still be there */
        gone_before(claim);
    }
    avout__lock_drop(lock);
}

/* ---- making ------------------------------------------------------------------------------------------------- */

/* It cannot be made. */
static void claim_failed(avout__claim *claim, avout_status status, const char *detail)
{
    fail_wants(claim, status, detail);
    claim_gone(claim);
}

/* A claim of another number takes its place; NULL: nobody wants it. */
static avout__claim *claim_again(avout__claim *claim, bool make_parents)
{
    if (avout__list_empty(&claim->wants)) {
        claim_gone(claim);
        return NULL;
    }
    avout__claim *again = claim_new(claim->lock, claim->shared);
    if (!again) {
        claim_failed(claim, AVOUT_ENOMEM, NULL);
        return NULL;
    }
    avout__link_remove(&again->link);
    avout__link_insert_before(&claim->link, &again->link);
    again->make_parents = make_parents;
    wants_move(claim, again);
    claim_gone(claim);
    return again;
}

static void claim_restart(avout__claim *claim, bool make_parents)
{
    avout__claim *again = claim_again(claim, make_parents);
    if (again) claim_send(again);
}

static void claim_refused(avout__claim *claim, avout__claim *old, const avout_reply *reply)
{
    bool deleting_old = old && reply->failed_op == 0;
    if (deleting_old && reply->status == AVOUT_ENOTFOUND) {
        claim_finish(old, AVOUT_ELOST, "its node had been removed by somebody else");
        claim_restart(claim, false);
        return;
    }
    if (old) claim_delete(old);
    bool no_parent = reply->status == AVOUT_ENOTFOUND && reply->failed_op != SIZE_MAX;
    if (no_parent && !claim->parent_status) claim_restart(claim, true);
    else if (no_parent)
        claim_failed(claim, claim->parent_status, "the lock's node cannot be created");
    else claim_failed(claim, reply->status, reply->detail);
}

static void created(avout__deed *deed, avout__deed_end end, const avout_reply *reply,
                    avout_point point)
{
    avout__claim *claim = AVOUT__LINK_OF(deed, avout__claim, deed);
    avout__claim *old = claim->replaces;
    avout__locks *room = claim->lock->room;
    claim->replies--;
    claim->replaces = NULL;
    if (old) old->replaced = false;
    if (claim->state == AVOUT__CLAIM_GONE) { /* the client is closed */
        free_when_done(claim);
        return;
    }
    switch (end) {
    case AVOUT__DEED_DONE:
        claim->state = AVOUT__CLAIM_PLACED;
        claim->point = point;
        if (reply) {
            const char *path = reply->results[old ? 1 : 0].path;
            snprintf(claim->name, sizeof claim->name, "%s", strrchr(path, '/') + 1);
        }
        if (old) claim_finish(old, AVOUT_OK, NULL);
        claim_list(claim); /* unless it is on its way */
        break;
    case AVOUT__DEED_NOT:
        if (old) claim_delete(old);
        if (!reply) {
            claim_restart(claim, claim->make_parents);
        } else if (claim_again(claim, claim->make_parents)) {
            avout__locks_try_later(room); /* or the connection's return does it */
        }
        break;
    case AVOUT__DEED_LOST: claim_restart(claim, false); break;
    case AVOUT__DEED_REFUSED: claim_refused(claim, old, reply); break;
    }
    free_when_done(claim);
}

static void parent_made(const avout_reply *reply, void *payload)
{
    avout__claim *claim = reply_begin(payload, reply);
    bool made = !reply->status || reply->status == AVOUT_EEXISTS;
    if (!made && !no_connection(reply) && !claim->parent_status)
        claim->parent_status = reply->status;
    reply_end(payload);
}

/* The run's requests for the directories above the claim. `path` is cut up into theirs. */
typedef struct parents {
    char *memory;
    avout_op ops[PARENTS_MAX];
    avout_request requests[PARENTS_MAX];
    size_t count;
} parents;

static avout_status parents_add(parents *all, avout__claim *claim)
{
    const char *path = claim->lock->path;
    size_t length = strlen(path), at = strlen(AVOUT__LOCKS_PATH), depth = 1;
    for (size_t i = at; i < length; i++) depth += path[i] == '/';
    if (depth > PARENTS_MAX)
        return avout_fail(AVOUT_ELIMIT, "%s: more than %d segments", claim->lock->name,
                          PARENTS_MAX - 1);
    all->memory = avout__alloc(depth * (length + 1));
    if (!all->memory) return AVOUT_ENOMEM;
    for (char *part = all->memory;; part += length + 1) {
        memcpy(part, path, at);
        part[at] = '\0';
        claim_order *order = order_new(claim);
        if (!order) return AVOUT_ENOMEM;
        avout_op *op = &all->ops[all->count];
        *op = (avout_op){.kind = AVOUT_OP_CREATE, .path = part};
        all->requests[all->count++] = (avout_request){.kind = AVOUT_REQUEST_MULTI,
                                                      .ops = op,
                                                      .op_count = 1,
                                                      .done = parent_made,
                                                      .payload = order};
        if (at == length) return AVOUT_OK;
        at += 1 + strcspn(path + at + 1, "/");
    }
}

static avout_status submit_claim(avout__claim *claim, parents *all)
{
    avout__locks *room = claim->lock->room;
    char old[PATH_ROOM], prefix[AVOUT__CLAIM_NAME], path[PATH_ROOM];
    avout_op ops[2];
    size_t count = 0;
    if (claim->replaces) {
        claim_path(old, claim, claim->replaces->name);
        ops[count++] =
            (avout_op){.kind = AVOUT_OP_DELETE, .path = old, .version = AVOUT_VERSION_ANY};
    }
    avout__claim_prefix(prefix, claim);
    claim_path(path, claim, prefix);
    ops[count++] = (avout_op){.kind = AVOUT_OP_CREATE,
                              .ephemeral = true,
                              .sequential = true,
                              .path = path,
                              .bytes = room->self,
                              .length = strlen(room->self)};
    claim_order *order = order_new(claim);
    if (!order) return AVOUT_ENOMEM;
    avout_request list = {
        .kind = AVOUT_REQUEST_LIST, .path = claim->lock->path, .done = listed, .payload = order};
    claim->deed.ended = created;
    avout_status status =
        avout__deed_send(&claim->deed, room, ops, count, all->requests, all->count, &list, 1);
    if (status) order_cancel(order);
    return status;
}

static void claim_send(avout__claim *claim)
{
    if (!claim->lock->room->connected) return;
    parents *all = avout__calloc(1, sizeof *all);
    avout_status status = all ? AVOUT_OK : AVOUT_ENOMEM;
    if (!status && claim->make_parents) status = parents_add(all, claim);
    if (!status) status = submit_claim(claim, all);
    for (size_t i = 0; status && all && i < all->count; i++) order_cancel(all->requests[i].payload);
    if (all) avout__free(all->memory);
    avout__free(all);
    if (!status) {
        claim->state = AVOUT__CLAIM_CREATING;
        claim->listing = true;
        claim->replies++; /* the deed's end */
        if (claim->replaces) claim->replaces->replaced = true;
        return;
    }
    avout__claim *old = claim->replaces;
    claim->replaces = NULL;
    claim_failed(claim, status, status == AVOUT_ENOMEM ? NULL : avout_error_detail());
    if (old) claim_delete(old);
}

/* ---- releasing ------------------------------------------------------------------------------------------------ */

/* The claim ends; who still wants the lock goes to the end of the queue, in the same multi. False: there
 * is no memory for that. */
static bool hand_back(avout__claim *claim)
{
    avout__claim *last = last_claim(claim->lock);
    if (last != claim && !last->shared && last->state != AVOUT__CLAIM_GRANTED) {
        wants_move(claim, last);
        claim_end(claim);
        return true;
    }
    avout__claim *again = claim_new(claim->lock, false);
    if (!again) return false;
    wants_move(claim, again);
    leave_granted(claim);
    claim->state = AVOUT__CLAIM_ENDING;
    if (claim->lock->room->connected) again->replaces = claim;
    claim_send(again);
    return true;
}

bool avout__claim_release(avout__claim *claim, bool may_hand_on, avout__releaser *releaser)
{
    claim->holds--;
    if (claim->holds) return false;
    bool wanted = !avout__list_empty(&claim->wants);
    if (wanted && may_hand_on && within_bounds(claim)) {
        claim->served++;
        give_first(claim);
        return false;
    }
    if (releaser) *releaser = (avout__releaser){.claim = claim, .latch = AVOUT__LATCH_INIT};
    claim->releaser = releaser;
    if (!wanted) {
        claim_end(claim);
    } else if (!hand_back(claim)) {
        fail_wants(claim, AVOUT_ENOMEM, NULL);
        claim_end(claim);
    }
    return true;
}

/* ---- what happens to all of them -------------------------------------------------------------------------------- */

void avout__claims_resume(avout__lock *lock)
{
    AVOUT__LIST_EACH(link, &lock->claims)
    {
        avout__claim *claim = AVOUT__LINK_OF(link, avout__claim, link);
        if (claim->state == AVOUT__CLAIM_NEW) claim_send(claim);
        else if (claim->state == AVOUT__CLAIM_ENDING) claim_delete(claim);
        else if (claim->state == AVOUT__CLAIM_PLACED && !claim->watching) claim_list(claim);
    }
}

void avout__claims_session_lost(avout__lock *lock)
{
    AVOUT__LIST_EACH(link, &lock->claims)
    {
        avout__claim *claim = AVOUT__LINK_OF(link, avout__claim, link);
        switch (claim->state) {
        case AVOUT__CLAIM_PLACED: claim_restart(claim, false); break;
        case AVOUT__CLAIM_GRANTED:
            avout__holds_lost(claim);
            claim_restart(claim, false);
            break;
        case AVOUT__CLAIM_ENDING: claim_finish(claim, AVOUT_OK, NULL); break;
        default: break;
        }
    }
}

void avout__claims_lease_over(avout__lock *lock)
{
    AVOUT__LIST_EACH(link, &lock->claims)
    {
        avout__claim *claim = AVOUT__LINK_OF(link, avout__claim, link);
        if (claim->state != AVOUT__CLAIM_GRANTED) continue;
        avout__holds_lost(claim);
        if (!avout__list_empty(&claim->wants) && hand_back(claim)) continue;
        fail_wants(claim, AVOUT_ENOMEM, NULL);
        claim_end(claim);
    }
}

void avout__claims_close(avout__lock *lock)
{
    AVOUT__LIST_EACH(link, &lock->claims) AVOUT__LINK_OF(link, avout__claim, link)->replaces = NULL;
    while (!avout__list_empty(&lock->claims)) {
        avout__claim *claim = AVOUT__LINK_OF(lock->claims.next, avout__claim, link);
        fail_wants(claim, AVOUT_ECLOSED, "the client is closed");
        claim_finish(claim, AVOUT_ECLOSED, "the client is closed");
    }
}
