/* Pools of one client: found by name, told of what happens to the room, made in the store. */
#include "lock/bid.h"

#include <inttypes.h>
#include <string.h>

#include "avout/semaphore.h"
#include "base/alloc.h"
#include "base/error.h"
#include "lock/look.h"
#include "base/text.h"
#include "base/banned.h"

/* ---- names ------------------------------------------------------------------------------------------ */

bool avout__bid_parse(avout__bid_name *name, avout__pool_kind kind, const char *text)
{
    name->permits = 1;
    if (kind == AVOUT__ELECTION) return avout__name_parse(&name->is, 'e', text);
    size_t digits = strspn(text, "0123456789");
    if (!digits || digits > 7 || text[0] == '0' || strlen(text) >= AVOUT__CLAIM_NAME) return false;
    name->permits = (uint32_t)strtoul(text, NULL, 10);
    return name->permits <= AVOUT_PERMITS_MAX && avout__name_parse(&name->is, 'p', text + digits);
}

void avout__permits_text(char text[AVOUT__PERMITS_TEXT], uint32_t permits)
{
    snprintf(text, AVOUT__PERMITS_TEXT, "{:permits %" PRIu32 "}", permits);
}

bool avout__permits_parse(uint32_t *permits, const void *bytes, size_t length)
{
    static const char begin[] = "{:permits ";
    char text[AVOUT__PERMITS_TEXT], same[AVOUT__PERMITS_TEXT];
    if (length >= sizeof text || length < sizeof begin) return false;
    memcpy(text, bytes, length);
    text[length] = '\0';
    if (strncmp(text, begin, sizeof begin - 1)) return false;
    unsigned long number = strtoul(text + sizeof begin - 1, NULL, 10);
    if (number < 1 || number > AVOUT_PERMITS_MAX) return false;
    avout__permits_text(same, (uint32_t)number);
    if (strcmp(text, same)) return false;
    *permits = (uint32_t)number;
    return true;
}

void avout__pool_learn(avout__pool *pool, const avout_reply *reply)
{
    pool->known = pool->armed = false;
    pool->unknown = AVOUT_OK;
    if (reply->status) return;
    pool->known = avout__permits_parse(&pool->permits, reply->bytes, reply->length);
    if (!pool->known) pool->unknown = AVOUT_EDATA;
    pool->created = reply->stat.created;
    pool->version = reply->stat.version;
}

/* ---- by name ---------------------------------------------------------------------------------------- */

static avout__pool **bucket_of(avout__locks *room, uint32_t hash)
{
    size_t count = sizeof room->pools->buckets / sizeof *room->pools->buckets;
    return &room->pools->buckets[hash % count];
}

static avout__pool *pool_of_node(avout__locks *room, const char *path, size_t length)
{
    if (!room->pools) return NULL;
    uint32_t hash = avout__hash_text(path, length);
    avout__pool *pool = *bucket_of(room, hash);
    while (pool && (pool->hash != hash || strncmp(pool->path, path, length) || pool->path[length]))
        pool = pool->next;
    return pool;
}

static avout__pool *pool_new(avout__locks *room, avout__pool_kind kind, const char *name,
                             const char *path)
{
    size_t size = strlen(name) + 1;
    avout__pool *pool = avout__calloc(1, sizeof *pool + size);
    if (!pool) return NULL;
    pool->path = avout__strdup(path);
    if (!pool->path) {
        avout__free(pool);
        return NULL;
    }
    pool->room = room;
    atomic_fetch_add(&room->refs, 1);
    pool->kind = kind;
    pool->hash = avout__hash_text(path, strlen(path));
    avout__list_init(&pool->bids);
    memcpy(pool->name, name, size);
    pool->next = *bucket_of(room, pool->hash);
    *bucket_of(room, pool->hash) = pool;
    return pool;
}

avout_status avout__pool_find(avout__pool **out, avout__locks *room, avout__pool_kind kind,
                              const char *name)
{
    char path[AVOUT__NODE_MAX];
    const char *root = kind == AVOUT__SEMAPHORE ? AVOUT__SEMAPHORES_PATH : AVOUT__ELECTIONS_PATH;
    size_t length = avout__node_path(path, root, name);
    if (!room->pools) {
        room->pools = avout__calloc(1, sizeof *room->pools);
        if (!room->pools) return AVOUT_ENOMEM;
        avout__list_init(&room->pools->gone);
    }
    avout__pool *pool = pool_of_node(room, path, length);
    if (!pool) pool = pool_new(room, kind, name, path);
    if (!pool) return AVOUT_ENOMEM;
    pool->refs++;
    *out = pool;
    return AVOUT_OK;
}

void avout__pool_drop(avout__pool *pool)
{
    if (--pool->refs) return;
    avout__locks *room = pool->room;
    avout__pool **at = bucket_of(room, pool->hash);
    while (*at != pool) at = &(*at)->next;
    *at = pool->next;
    avout__electorate_free(pool->electorate);
    avout__free(pool->path);
    avout__free(pool);
    atomic_fetch_sub(&room->refs, 1); /* never the last: whoever has the mutex has one */
}

void avout__bids_sweep(avout__locks *room)
{
    while (room->pools && !avout__list_empty(&room->pools->gone)) {
        avout__bid *bid = AVOUT__LINK_OF(room->pools->gone.next, avout__bid, link);
        avout__link_remove(&bid->link);
        avout__bid_free(bid);
    }
}

avout_status avout__pool_open(avout__pool **pool, avout__locks *room, avout__pool_kind kind,
                              const char *name)
{
    avout_status status = avout__locks_usable(room);
    if (!status && !name) status = avout_fail(AVOUT_EINVAL, "the name is NULL");
    if (!status) status = avout__name_check(name);
    if (status) return status;
    avout__locks_lock(room);
    status = avout__tender_need(room);
    if (!status) status = avout__pool_find(pool, room, kind, name);
    avout__bids_unlock(room);
    return status;
}

/* ---- in the store ------------------------------------------------------------------------------------ */

static size_t root_length(const avout__pool *pool)
{
    return strlen(pool->kind == AVOUT__SEMAPHORE ? AVOUT__SEMAPHORES_PATH : AVOUT__ELECTIONS_PATH);
}

static avout_status make_node(avout__pool *pool, const char *path, const void *bytes, size_t length,
                              int64_t deadline_ns)
{
    avout_op op = {.kind = AVOUT_OP_CREATE, .path = path, .bytes = bytes, .length = length};
    avout_request request = {.kind = AVOUT_REQUEST_MULTI, .ops = &op, .op_count = 1};
    return avout__room_call(NULL, pool->room, pool->name, &request, deadline_ns);
}

avout_status avout__pool_make(avout__pool *pool, const void *bytes, size_t length,
                              int64_t deadline_ns)
{
    avout_status status = make_node(pool, pool->path, bytes, length, deadline_ns);
    if (status != AVOUT_ENOTFOUND) return status;
    char path[AVOUT__NODE_MAX];
    size_t at = root_length(pool);
    for (; pool->path[at]; at += 1 + strcspn(pool->path + at + 1, "/")) {
        memcpy(path, pool->path, at);
        path[at] = '\0';
        status = make_node(pool, path, NULL, 0, deadline_ns);
        if (status && status != AVOUT_EEXISTS) return status;
    }
    return make_node(pool, pool->path, bytes, length, deadline_ns);
}

void avout__pool_make_again(avout__pool *pool)
{
    char path[AVOUT__NODE_MAX];
    for (size_t at = root_length(pool);; at += 1 + strcspn(pool->path + at + 1, "/")) {
        memcpy(path, pool->path, at);
        path[at] = '\0';
        avout_op op = {.kind = AVOUT_OP_CREATE, .path = path};
        avout_request request = {
            .kind = AVOUT_REQUEST_MULTI, .ops = &op, .op_count = 1, .done = avout__reply_ignored};
        (void)avout__locks_submit(pool->room, &request, 1);
        if (!pool->path[at]) return;
    }
}

/* ---- what happens to the room -------------------------------------------------------------------------- */

static void each_pool(avout__locks *room, void (*call)(avout__pool *pool))
{
    for (size_t i = 0; room->pools && i < sizeof room->pools->buckets / sizeof(avout__pool *);
         i++) {
        for (avout__pool *pool = room->pools->buckets[i], *next; pool; pool = next) {
            pool->refs++;
            call(pool);
            next = pool->next;
            avout__pool_drop(pool);
        }
    }
}

static void on_event(avout__locks *room, avout_node_event event, const char *path)
{
    if (strncmp(path, AVOUT__SEMAPHORES_PATH "/", sizeof AVOUT__SEMAPHORES_PATH) != 0 &&
        strncmp(path, AVOUT__ELECTIONS_PATH "/", sizeof AVOUT__ELECTIONS_PATH) != 0)
        return;
    const char *name = strrchr(path, '/');
    avout__pool *pool = pool_of_node(room, path, strlen(path));
    if (!pool) pool = pool_of_node(room, path, (size_t)(name - path));
    if (!pool) return;
    pool->refs++;
    avout__bids_event(pool, event, strlen(path) == strlen(pool->path) ? NULL : name + 1);
    avout__electorate_event(pool, path);
    avout__pool_drop(pool);
    avout__bids_sweep(room);
}

static void resume_pool(avout__pool *pool)
{
    avout__bids_resume(pool);
    avout__electorate_resume(pool);
}

static void on_resume(avout__locks *room)
{
    each_pool(room, resume_pool);
    avout__bids_sweep(room);
}

static void on_mind(avout__locks *room)
{
    each_pool(room, avout__bids_mind);
}

static void lose_pool(avout__pool *pool)
{
    avout__bids_session_lost(pool);
    avout__electorate_session_lost(pool);
}

static void on_session_lost(avout__locks *room)
{
    each_pool(room, lose_pool);
    avout__bids_sweep(room);
}

/* Called from within what bids do as well: what is gone is swept there. */
static void on_lease_over(avout__locks *room)
{
    each_pool(room, avout__bids_lease_over);
}

static void close_pool(avout__pool *pool)
{
    avout__bids_close(pool);
    avout__electorate_close(pool);
}

static void on_close(avout__locks *room)
{
    each_pool(room, close_pool);
    avout__bids_sweep(room);
}

static void on_end(avout__locks *room)
{
    avout__free(room->pools);
}

const avout__guest avout__bids_guest = {
    on_event, on_resume, on_mind, on_session_lost, on_lease_over, on_close, on_end,
};
