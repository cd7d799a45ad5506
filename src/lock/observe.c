/* Observing an election: who is the first of the candidates.
 *
 *   list --somebody--> get with a watch: that is the leader, until its node goes
 *    |                  | gone already: list again
 *    +--nobody-------> list with a watch
 *    +--no node------> exists with a watch
 *
 * So an observer is woken when the leader changes, not when candidates come. */
#include "lock/election.h"

#include <string.h>

#include "base/alloc.h"
#include "lock/look.h"
#include "base/banned.h"

/* ---- candidates --------------------------------------------------------------------------------------- */

/* Counted, so that telling it needs no memory. */
typedef struct counted {
    _Atomic uint32_t refs;
    avout_candidate is;
} counted;

static avout_candidate *candidate_alloc(const avout_candidate *like)
{
    size_t host_size = strlen(like->host) + 1;
    counted *whole = avout__alloc(sizeof *whole + host_size + like->length + 1);
    if (!whole) return NULL;
    char *text = (char *)(whole + 1), *data = text + host_size;
    atomic_init(&whole->refs, 1);
    whole->is = *like;
    whole->is.host = memcpy(text, like->host, host_size);
    if (like->length) memcpy(data, like->data, like->length);
    data[like->length] = '\0';
    whole->is.data = data;
    return &whole->is;
}

avout_candidate *avout__candidate_ref(avout_candidate *candidate)
{
    atomic_fetch_add(&AVOUT__LINK_OF(candidate, counted, is)->refs, 1);
    return candidate;
}

void avout_candidate_free(avout_candidate *candidate)
{
    counted *whole = candidate ? AVOUT__LINK_OF(candidate, counted, is) : NULL;
    if (whole && atomic_fetch_sub(&whole->refs, 1) == 1) avout__free(whole);
}

avout_candidate avout__candidate_of(char host[AVOUT__HOST_SIZE], const avout__locks *room,
                                    const avout__bid_name *name, const void *bytes, size_t length,
                                    const avout_stat *stat)
{
    char self[sizeof room->self] = "";
    const char *text = bytes ? bytes : "", *end = length ? memchr(text, '\n', length) : NULL;
    size_t head = end ? (size_t)(end - text) : length;
    memcpy(self, text, head < sizeof self ? head : sizeof self - 1);
    avout_candidate candidate = {.mine = !strcmp(name->is.client, room->client_id),
                                 .host = host,
                                 .since_ms = stat->changed_ms,
                                 .session = stat->owner,
                                 .token = {stat->created, 0},
                                 .data = end ? end + 1 : "",
                                 .length = end ? length - head - 1 : 0};
    avout__owner_read(&candidate.pid, host, self);
    return candidate;
}

avout_candidate *avout__candidate_new(avout__locks *room, const avout__bid_name *name,
                                      const void *bytes, size_t length, const avout_stat *stat)
{
    char host[AVOUT__HOST_SIZE];
    avout_candidate candidate = avout__candidate_of(host, room, name, bytes, length, stat);
    return candidate_alloc(&candidate);
}

const char *avout__first_candidate(avout__bid_name *first, const char *const *names, size_t count)
{
    const char *found = NULL;
    avout__bid_name name;
    for (size_t i = 0; i < count; i++) {
        if (!avout__bid_parse(&name, AVOUT__ELECTION, names[i])) continue;
        if (found && name.is.sequence >= first->is.sequence) continue;
        found = names[i];
        *first = name;
    }
    return found;
}

/* ---- what is told -------------------------------------------------------------------------------------- */

static void set_leader(avout__electorate *all, avout__locks *room, avout_candidate *leader)
{
    bool same = leader && all->leader ? !avout_token_compare(leader->token, all->leader->token)
                                      : !leader && !all->leader;
    all->known = true;
    avout_candidate_free(all->leader);
    all->leader = leader;
    if (!same) all->changes++;
    if (same) return;
    AVOUT__LIST_EACH(link, &all->handles)
    {
        avout_election *election = AVOUT__LINK_OF(link, avout_election, link);
        if (election->leader) avout__notice_post(room, &election->leader_notice);
    }
    avout__electors_wake(all);
}

/* ---- asking ---------------------------------------------------------------------------------------------- */

typedef struct observe_order {
    avout__pool *pool;
    uint32_t turn;
    bool watch;
    avout__bid_name name;
} observe_order;

static void ask(avout__pool *pool, avout_request request, const avout__bid_name *name)
{
    avout__electorate *all = pool->electorate;
    observe_order *order = avout__alloc(sizeof *order);
    all->turn++;
    all->waiting = false;
    all->asking = order != NULL;
    if (order) {
        *order = (observe_order){.pool = pool, .turn = all->turn, .watch = request.watch};
        if (name) order->name = *name;
        request.payload = order;
        pool->refs++;
        atomic_fetch_add(&pool->room->refs, 1);
        if (!avout__locks_submit(pool->room, &request, 1)) return;
        all->asking = false;
        pool->refs--;
        atomic_fetch_sub(&pool->room->refs, 1);
        avout__free(order);
    }
    avout__retry_later(pool->room, &all->retry);
}

/* False: it is late, or nobody wants to know any more. */
static bool reply_begin(observe_order *order)
{
    avout__locks_lock(order->pool->room);
    avout__electorate *all = order->pool->electorate;
    if (all->turn != order->turn) return false;
    all->asking = false;
    return all->observers && !atomic_load(&order->pool->room->closed);
}

static void reply_end(observe_order *order)
{
    avout__locks *room = order->pool->room;
    avout__pool_drop(order->pool);
    avout__bids_unlock(room);
    avout__locks_unref(room);
    avout__free(order);
}

static void listed(const avout_reply *reply, void *payload);

static void list(avout__pool *pool, bool watch)
{
    ask(pool,
        (avout_request){
            .kind = AVOUT_REQUEST_LIST, .watch = watch, .path = pool->path, .done = listed},
        NULL);
}

static void first_seen(const avout_reply *reply, void *payload)
{
    observe_order *order = payload;
    if (reply_begin(order)) {
        avout__pool *pool = order->pool;
        avout__electorate *all = pool->electorate;
        avout_candidate *leader = reply->status
                                      ? NULL
                                      : avout__candidate_new(pool->room, &order->name, reply->bytes,
                                                             reply->length, &reply->stat);
        all->waiting = leader != NULL;
        if (leader) {
            leader->leads = true;
            set_leader(all, pool->room, leader);
        } else if (reply->status == AVOUT_ENOTFOUND) {
            list(pool, false);
        } else {
            avout__retry_later(pool->room, &all->retry);
        }
    }
    reply_end(order);
}

static void no_node_seen(const avout_reply *reply, void *payload)
{
    observe_order *order = payload;
    if (reply_begin(order)) {
        avout__electorate *all = order->pool->electorate;
        all->waiting = reply->status == AVOUT_ENOTFOUND;
        if (all->waiting) set_leader(all, order->pool->room, NULL);
        else if (!reply->status) list(order->pool, false);
        else avout__retry_later(order->pool->room, &all->retry);
    }
    reply_end(order);
}

static void look_at_first(avout__pool *pool, const char *first, const avout__bid_name *name)
{
    char path[AVOUT__NODE_MAX + AVOUT__CLAIM_NAME];
    snprintf(pool->electorate->first, AVOUT__CLAIM_NAME, "%s", first);
    snprintf(path, sizeof path, "%s/%s", pool->path, first);
    ask(pool,
        (avout_request){.kind = AVOUT_REQUEST_GET, .watch = true, .path = path, .done = first_seen},
        name);
}

static void listed(const avout_reply *reply, void *payload)
{
    observe_order *order = payload;
    avout__pool *pool = order->pool;
    if (reply_begin(order)) {
        avout__electorate *all = pool->electorate;
        avout__bid_name name;
        const char *first =
            reply->status ? NULL : avout__first_candidate(&name, reply->names, reply->name_count);
        all->first[0] = '\0';
        if (first) {
            look_at_first(pool, first, &name);
        } else if (reply->status == AVOUT_ENOTFOUND) {
            ask(pool,
                (avout_request){.kind = AVOUT_REQUEST_EXISTS,
                                .watch = true,
                                .path = pool->path,
                                .done = no_node_seen},
                NULL);
        } else if (reply->status) {
            avout__retry_later(pool->room, &all->retry);
        } else if (!order->watch) {
            list(pool, true);
        } else {
            all->waiting = true;
            set_leader(all, pool->room, NULL);
        }
    }
    reply_end(order);
}

void avout__observe(avout__pool *pool)
{
    avout__electorate *all = pool->electorate;
    if (!all || !all->observers || all->asking || all->waiting || !pool->room->connected) return;
    list(pool, false);
}

/* ---- what happens ------------------------------------------------------------------------------------------ */

void avout__electorate_event(avout__pool *pool, const char *path)
{
    avout__electorate *all = pool->electorate;
    if (!all || !all->waiting) return;
    const char *name = path + strlen(pool->path);
    bool node = !*name, first = *name && *all->first && !strcmp(name + 1, all->first);
    if (!node && !first) return;
    all->waiting = false;
    avout__observe(pool);
}

void avout__electorate_session_lost(avout__pool *pool)
{
    avout__electorate *all = pool->electorate;
    if (!all) return;
    all->turn++;
    all->asking = all->waiting = false;
}
