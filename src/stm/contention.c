/* Turns: who may write a cell that several clients want to write.
 *
 * Optimism is tried first. A client that lost twice in a row on a cell queues in the store: an
 * ephemeral sequential child of the cell's node, so that every Stat of the node tells a winner that
 * others wait, and it queues as well. Whoever is first has the turn; each of the others watches the
 * one before it only.
 *
 *            lost twice, or others wait          reply: not the first
 *     IDLE -----------------------------> JOINING --------------------> WAITING
 *      ^                                     |                            |  |
 *      |                                     | reply: first     the one   |  | cannot get
 *      |                                     v                before left |  | a place
 *      +------ leaves: used up, or idle --- TURN <------------------------+  v
 *      +------------------------------------------------------------------ BYPASS
 *
 * The queue is advice: what keeps the state right is the version check of the commit. So it may be
 * corrected by anybody. Who is first for longer than a turn can last is not using it: its process is
 * stopped (and the embedded store's sessions outlive that) or dead (and its session is not), or the
 * reply that told it of its entry was lost. Those who wait delete its entry, and nobody starves.
 *
 * A turn is worth several groups. Who waits does not refetch the cell for its transactions: what it
 * would read is about to change.
 *
 * A transaction over several such cells takes their turns in the order of their names, the next one
 * only when it has the one before, and keeps what it has while it waits. */
#include "stm/stm.h"

#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/banned.h"

enum {
    LOSSES = 2,       /* in a row, before a client queues */
    TURN_GROUPS = 16, /* what a turn is worth while others wait ... */
    TURN_MS = 30,     /* ... or this long */
    IDLE_MS = 3,      /* a turn that nobody uses ends: callers come back within this time or not */
    FOREIGN_IDLE_MS = 50, /* the same where each value is written to a container first */
    HELD_MS = 100,        /* who is first for longer than this and ... */
    HELD_TRIPS = 8,       /* ... as many round trips is taken out of the queue; */
    HELD_MAX = 4,  /* when that does not help either, so many times as long: without a turn */
    JOIN_MS = 400, /* without an answer: without a turn */
};

#define ENTRY_NAME "q-"
enum { ENTRY_NAME_SIZE = 32 };

typedef enum queue_state { IDLE, JOINING, WAITING, TURN, BYPASS } queue_state;

struct avout__queue {
    avout__cell *cell;
    avout__link link; /* in stm->queues while not IDLE */
    queue_state state;
    uint32_t losses;
    bool others_wait; /* as of the last Stat or list */
    bool listing;     /* a list is on its way */
    uint32_t life;    /* of the entry: replies of an earlier one are not ours */
    uint32_t groups;  /* written in this turn */
    int64_t since_ns; /* of the state */
    int64_t used_ns;  /* last group of this turn */
    int64_t asked_ns; /* when the list on its way was sent */
    int64_t trip_ns;  /* how long the last one took */
    int64_t first_ns; /* since when `first` is the first */
    char first[ENTRY_NAME_SIZE];
    bool replaces; /* the join on its way deletes the entry before it */
    char entry[AVOUT__PATH_MAX + 24];
    char before[AVOUT__PATH_MAX + 24]; /* the entry that is watched; "" none */
};

/* A request on its way. */
typedef struct queue_order {
    avout__cell *cell; /* counted */
    uint32_t life;
} queue_order;

static void list_entries(avout__queue *queue);

/* ---- states, lock held ------------------------------------------------------------------------------------------ */

static avout__queue *queue_of(const avout__cell *cell)
{
    return cell->extra ? cell->extra->queue : NULL;
}

static void enter(avout__queue *queue, queue_state state)
{
    avout__stm *stm = queue->cell->stm;
    queue->state = state;
    queue->since_ns = queue->used_ns = avout__now_ns();
    if (state == IDLE) {
        avout__link_remove(&queue->link);
        queue->life++;
        queue->losses = 0;
        queue->entry[0] = queue->before[0] = queue->first[0] = '\0';
    } else if (!avout__link_linked(&queue->link)) {
        avout__list_append(&stm->queues, &queue->link);
        avout__keeper_wake(stm); /* it looks after the times */
    }
    if (state == TURN) queue->groups = queue->losses = 0;
}

/* From now on it may write, or try to. Nobody has fetched the cell while it waited, and there may be
 * runs that wait for that. */
static void wait_ends(avout__queue *queue, queue_state state)
{
    avout__cell *cell = queue->cell;
    enter(queue, state);
    if (!atomic_load_explicit(&cell->live, memory_order_relaxed)) avout__fetch(cell);
    avout__send_ready(cell->stm);
}

static queue_order *order_new(avout__queue *queue)
{
    queue_order *order = avout__alloc(sizeof *order);
    if (order) *order = (queue_order){avout__cell_ref(queue->cell), queue->life};
    return order;
}

static void order_cancel(queue_order *order)
{
    atomic_fetch_sub(&order->cell->refs, 1); /* the caller has another */
    avout__free(order);
}

/* Begins the handling of a reply: locks; the queue, or NULL if the reply is of an earlier life. */
static avout__queue *reply_begin(queue_order *order)
{
    avout__stm_lock(order->cell->stm);
    avout__queue *queue = queue_of(order->cell);
    return queue && queue->life == order->life ? queue : NULL;
}

static void reply_end(queue_order *order)
{
    avout__stm_unlock(order->cell->stm);
    avout__cell_unref(order->cell);
    avout__free(order);
}

/* ---- finding one's place ----------------------------------------------------------------------------------------- */

static const char *last_segment(const char *path)
{
    return strrchr(path, '/') + 1;
}

/* What a list says. Names are of one length, so their order is their sequence numbers'; children of
 * other kinds are not ours to judge. */
typedef struct line {
    const char *first;
    const char *before; /* right before ours; NULL: ours is the first */
    bool found;         /* ours is there */
    size_t length;
} line;

static line line_of(const avout_reply *reply, const char *mine)
{
    line seen = {0};
    for (size_t i = 0; i < reply->name_count; i++) {
        const char *name = reply->names[i];
        if (strncmp(name, ENTRY_NAME, strlen(ENTRY_NAME))) continue;
        int order = strcmp(name, mine);
        if (order == 0) seen.found = true;
        if (order < 0 && (!seen.before || strcmp(name, seen.before) > 0)) seen.before = name;
        if (!seen.first || strcmp(name, seen.first) < 0) seen.first = name;
        seen.length++;
    }
    return seen;
}

static void before_seen(const avout_reply *reply, void *payload)
{
    queue_order *order = payload;
    avout__queue *queue = reply_begin(order);
    if (queue && queue->state == WAITING && reply->status == AVOUT_ENOTFOUND) list_entries(queue);
    reply_end(order);
}

static void watch_before(avout__queue *queue, const char *name)
{
    avout__stm *stm = queue->cell->stm;
    char path[AVOUT__PATH_MAX];
    size_t length = avout__layout_path(path, queue->cell->name);
    if (*queue->before && !strcmp(queue->before + length + 1, name)) return; /* it is watched */
    snprintf(queue->before, sizeof queue->before, "%s/%s", path, name);
    queue_order *order = order_new(queue);
    avout_request request = {.kind = AVOUT_REQUEST_GET,
                             .watch = true,
                             .path = queue->before,
                             .done = before_seen,
                             .payload = order};
    if (order && avout__submit(stm, &request, 1)) order_cancel(order);
}

static int64_t held_ns(const avout__queue *queue)
{
    return HELD_MS * (int64_t)1000000 + HELD_TRIPS * queue->trip_ns;
}

/* Whoever is first in the queue has been it for longer than a turn can last. */
static void take_out(avout__queue *queue)
{
    avout__stm *stm = queue->cell->stm;
    char path[AVOUT__PATH_MAX], entry[AVOUT__PATH_MAX + ENTRY_NAME_SIZE];
    avout__layout_path(path, queue->cell->name);
    snprintf(entry, sizeof entry, "%s/%s", path, queue->first);
    avout_op op = {.kind = AVOUT_OP_DELETE, .path = entry, .version = AVOUT_VERSION_ANY};
    avout_request request = {
        .kind = AVOUT_REQUEST_MULTI, .ops = &op, .op_count = 1, .done = avout__reply_ignored};
    (void)avout__submit(stm, &request, 1);
}

static void wait_behind(avout__queue *queue, const line *seen)
{
    int64_t now = avout__now_ns();
    if (queue->state == JOINING) enter(queue, WAITING);
    if (strncmp(queue->first, seen->first, sizeof queue->first - 1)) {
        snprintf(queue->first, sizeof queue->first, "%s", seen->first);
        queue->first_ns = now;
    } else if (now - queue->first_ns >= held_ns(queue)) {
        take_out(queue);
    }
    watch_before(queue, seen->before);
}

static void entries_listed(const avout_reply *reply, void *payload)
{
    queue_order *order = payload;
    avout__queue *queue = reply_begin(order);
    if (queue) {
        queue->listing = false;
        queue->trip_ns = avout__now_ns() - queue->asked_ns;
    }
    if (queue && !reply->status && (queue->state == WAITING || queue->state == JOINING)) {
        line seen = line_of(reply, last_segment(queue->entry));
        queue->others_wait = seen.length > 1;
        if (!seen.found) wait_ends(queue, IDLE); /* gone with its session, or taken out */
        else if (seen.before) wait_behind(queue, &seen);
        else wait_ends(queue, TURN);
    }
    reply_end(order);
}

static avout_request list_request(queue_order *order, const char *path)
{
    return (avout_request){
        .kind = AVOUT_REQUEST_LIST, .path = path, .done = entries_listed, .payload = order};
}

static void list_entries(avout__queue *queue)
{
    avout__stm *stm = queue->cell->stm;
    char path[AVOUT__PATH_MAX];
    avout__layout_path(path, queue->cell->name);
    if (queue->listing) return;
    queue_order *order = order_new(queue);
    if (!order) return;
    avout_request request = list_request(order, path);
    if (avout__submit(stm, &request, 1)) {
        order_cancel(order);
        return;
    }
    queue->listing = true;
    queue->asked_ns = avout__now_ns();
}

/* ---- joining and leaving --------------------------------------------------------------------------------------------- */

static void join(avout__queue *queue, const char *old_entry);

static void joined(const avout_reply *reply, void *payload)
{
    queue_order *order = payload;
    avout__queue *queue = reply_begin(order);
    if (queue && queue->state == JOINING) {
        if (!reply->status && reply->result_count && reply->results[reply->result_count - 1].path) {
            snprintf(queue->entry, sizeof queue->entry, "%s",
                     reply->results[reply->result_count - 1].path);
        } else if (reply->status == AVOUT_ENOTFOUND && queue->replaces) {
            join(queue, NULL); /* somebody took the old one out */
        } else {
            wait_ends(queue, BYPASS); /* without a place in the queue: try as it is */
        }
    }
    reply_end(order);
}

/* Creates the entry, deleting an old one in the same multi, and asks for the place at once. */
static void join(avout__queue *queue, const char *old_entry)
{
    avout__stm *stm = queue->cell->stm;
    char path[AVOUT__PATH_MAX], entry[AVOUT__PATH_MAX + 8];
    if (!stm->connected) return;
    avout__layout_path(path, queue->cell->name);
    snprintf(entry, sizeof entry, "%s/" ENTRY_NAME, path);
    avout_op ops[2] = {
        {.kind = AVOUT_OP_DELETE, .path = old_entry, .version = AVOUT_VERSION_ANY},
        {.kind = AVOUT_OP_CREATE, .path = entry, .ephemeral = true, .sequential = true}};
    bool replaces = old_entry && *old_entry;
    queue->life++;
    queue_order *create = order_new(queue), *list = create ? order_new(queue) : NULL;
    if (!list) {
        if (create) order_cancel(create);
        return;
    }
    avout_request requests[2] = {{.kind = AVOUT_REQUEST_MULTI,
                                  .ops = replaces ? ops : ops + 1,
                                  .op_count = replaces ? 2 : 1,
                                  .done = joined,
                                  .payload = create},
                                 list_request(list, path)};
    if (avout__submit(stm, requests, 2)) {
        order_cancel(create);
        order_cancel(list);
        return;
    }
    queue->listing = true;
    queue->asked_ns = avout__now_ns();
    queue->replaces = replaces;
    enter(queue, JOINING);
}

static void left(const avout_reply *reply, void *payload)
{
    (void)reply; /* gone already, or gone with the session: either way it is no more */
    queue_order *order = payload;
    reply_begin(order);
    reply_end(order);
}

/* Whether the transaction could use the cell's turn now: it writes it, and waits for no turn that comes
 * before it. */
static bool wants_turn(const avout_txn *txn, const avout__cell *cell)
{
    bool writes = false;
    for (size_t i = 0; i < txn->count; i++) {
        const avout__entry *entry = &txn->entries[i];
        if (!entry->written) continue;
        if (entry->cell == cell) writes = true;
        else if (avout__turn_waits(entry->cell) && strcmp(entry->cell->name, cell->name) < 0)
            return false;
    }
    return writes;
}

/* Whether local transactions can write the cell now. One that waits for an earlier turn does not count:
 * a turn outlives the transaction it was taken for, and kept for one that waits it could be what the
 * other side waits for. */
static bool in_demand(const avout__cell *cell)
{
    if (cell->in_flight) return true;
    AVOUT__LIST_EACH(link, &cell->stm->pending)
    {
        if (wants_turn(AVOUT__LINK_OF(link, avout_txn, link), cell)) return true;
    }
    return false;
}

static void leave(avout__queue *queue)
{
    avout__cell *cell = queue->cell;
    avout__stm *stm = cell->stm;
    char entry[sizeof queue->entry];
    memcpy(entry, queue->entry, sizeof entry);
    bool again = queue->others_wait && in_demand(cell);
    enter(queue, IDLE);
    if (again) join(queue, entry);
    if (again && queue->state == JOINING) return;
    queue->losses = queue->others_wait ? LOSSES : 0;
    queue_order *order = *entry ? order_new(queue) : NULL;
    if (!order) return;
    avout_op op = {.kind = AVOUT_OP_DELETE, .path = entry, .version = AVOUT_VERSION_ANY};
    avout_request request = {
        .kind = AVOUT_REQUEST_MULTI, .ops = &op, .op_count = 1, .done = left, .payload = order};
    if (avout__submit(stm, &request, 1)) order_cancel(order);
}

/* ---- what batch.c and view.c say, lock held ------------------------------------------------------------------------------ */

bool avout__turn_blocks(avout__cell *cell)
{
    avout__queue *queue = queue_of(cell);
    if (!queue) return false;
    if (queue->state == IDLE && (queue->losses >= LOSSES)) join(queue, NULL);
    return queue->state == JOINING || queue->state == WAITING;
}

bool avout__turn_waits(const avout__cell *cell)
{
    const avout__queue *queue = queue_of(cell);
    return queue && (queue->state == JOINING || queue->state == WAITING);
}

void avout__turn_lost(avout__cell *cell)
{
    avout__cell_extra *extra = avout__cell_extra_get(cell);
    if (extra && !extra->queue) {
        extra->queue = avout__calloc(1, sizeof *extra->queue);
        if (extra->queue) extra->queue->cell = cell;
    }
    avout__queue *queue = queue_of(cell);
    if (!queue) return;
    if (++queue->losses < LOSSES) return;
    if (queue->state == IDLE) join(queue, NULL);
    if (queue->state != TURN) return;
    /* Who has the turn does not lose twice: it was taken out, and another has it by now. */
    queue->others_wait = true;
    leave(queue);
}

void avout__turn_won(avout__cell *cell, const avout_stat *stat)
{
    avout__queue *queue = queue_of(cell);
    bool others = stat && stat->children > (queue && queue->state == TURN ? 1 : 0);
    if (!queue && !others) return;
    if (!queue) {
        avout__turn_lost(
            cell); /* makes the queue; a winner among the queued is as good as a loser */
        queue = queue_of(cell);
        if (!queue) return;
    }
    int64_t now = avout__now_ns();
    queue->used_ns = now;
    queue->groups++;
    if (stat) queue->others_wait = others;
    switch (queue->state) {
    case IDLE: queue->losses = others ? LOSSES : 0; break;
    case TURN:
        queue->losses = 0;
        if (others &&
            (queue->groups >= TURN_GROUPS || now - queue->since_ns > (int64_t)TURN_MS * 1000000))
            leave(queue);
        break;
    case BYPASS: leave(queue); break;
    case JOINING:
    case WAITING: break;
    }
}

void avout__turn_session_lost(avout__cell *cell)
{
    avout__queue *queue = queue_of(cell);
    if (!queue || queue->state == IDLE) return;
    queue->listing = false;
    enter(queue, IDLE);
}

void avout__turn_event(avout__stm *stm, const char *path)
{
    AVOUT__LIST_EACH(link, &stm->queues)
    {
        avout__queue *queue = AVOUT__LINK_OF(link, avout__queue, link);
        if (queue->state == WAITING && !strcmp(queue->before, path)) list_entries(queue);
    }
}

static bool waits_in_vain(const avout__queue *queue, int64_t now)
{
    if (queue->state == JOINING) return now - queue->since_ns >= JOIN_MS * (int64_t)1000000;
    return queue->state == WAITING && now - queue->first_ns >= HELD_MAX * held_ns(queue);
}

bool avout__turns_tick(avout__stm *stm)
{
    int64_t now = avout__now_ns();
    AVOUT__LIST_EACH(link, &stm->queues)
    {
        avout__queue *queue = AVOUT__LINK_OF(link, avout__queue, link);
        int64_t idle_ms = (now - queue->used_ns) / 1000000;
        int64_t idle_most_ms = queue->cell->container->foreign ? FOREIGN_IDLE_MS : IDLE_MS;
        if (!stm->connected) continue;
        if (queue->state == TURN && idle_ms >= idle_most_ms && !in_demand(queue->cell)) {
            leave(queue);
        } else if (queue->state == BYPASS && idle_ms >= idle_most_ms && !in_demand(queue->cell)) {
            leave(queue);
        } else if (waits_in_vain(queue, now)) {
            wait_ends(queue, BYPASS);
        } else if (queue->state == WAITING && now - queue->first_ns >= held_ns(queue)) {
            list_entries(queue);
        }
    }
    return !avout__list_empty(&stm->queues);
}

void avout__turn_free(avout__cell *cell)
{
    avout__queue *queue = queue_of(cell);
    if (!queue) return;
    avout__stm *stm = cell->stm;
    /* Nobody of this client wants the cell any more; orders on their way would hold the cell. */
    if (queue->state != IDLE && queue->entry[0] && stm->connected && !atomic_load(&stm->closed)) {
        avout_op op = {.kind = AVOUT_OP_DELETE, .path = queue->entry, .version = AVOUT_VERSION_ANY};
        avout_request request = {
            .kind = AVOUT_REQUEST_MULTI, .ops = &op, .op_count = 1, .done = avout__reply_ignored};
        (void)avout__submit(stm, &request, 1);
    }
    avout__link_remove(&queue->link);
    avout__free(queue);
    cell->extra->queue = NULL;
}
