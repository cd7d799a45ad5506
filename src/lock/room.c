/* The room's life: opening, session events, the lease, locks by name, closing. */
#include "lock/lock.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/fork.h"
#include "lock/watcher.h"
#include "base/text.h"
#include "base/banned.h"

#define DEFAULT_TIMEOUT_MS 30000

/* ---- guests ---------------------------------------------------------------------------------------------- */

static const avout__guest *const guests[] = {&avout__watchers_guest, &avout__bids_guest, NULL};

#define EACH_GUEST(call)                                                                           \
    for (const avout__guest *const *guest = guests; *guest; guest++) (*guest)->call

/* ---- life -------------------------------------------------------------------------------------------- */

bool avout__locks_forked(const avout__locks *room)
{
    return atomic_load_explicit(&avout__forks, memory_order_relaxed) != room->forks;
}

avout_status avout__locks_usable(avout__locks *room)
{
    if (avout__locks_forked(room))
        return avout_fail(AVOUT_EFORK, "the client was opened before fork, by the parent process");
    if (atomic_load(&room->closed)) return avout_fail(AVOUT_ECLOSED, "the client is closed");
    return AVOUT_OK;
}

avout_status avout__locks_submit(avout__locks *room, const avout_request *requests, size_t count)
{
    if (atomic_load(&room->closed)) return avout_fail(AVOUT_ECLOSED, "the client is closed");
    return room->store->ops->submit(room->store, requests, count);
}

/* Callers that wait hold no lock, and the store may be closed and freed between two of their calls. */
static avout_status door_submit(avout_store *door, const avout_request *requests, size_t count)
{
    avout__locks *room = (avout__locks *)(void *)((char *)door - offsetof(avout__locks, door));
    avout__locks_lock(room);
    avout_status status = avout__locks_submit(room, requests, count);
    avout__locks_unlock(room);
    return status;
}

static const avout_store_ops door_ops = {.submit = door_submit};

/* Who makes this client's claims, as EDN: {:host "h7", :pid 4711}. Whatever a host's name cannot have is
 * left out. */
static void describe_self(char *text, size_t size)
{
    char host[65] = "", clean[65];
    size_t at = 0;
    if (gethostname(host, sizeof host - 1)) host[0] = '\0';
    for (const char *c = host; *c; c++)
        if (strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_", *c))
            clean[at++] = *c;
    clean[at] = '\0';
    snprintf(text, size, "{:host \"%s\", :pid %ld}", clean, (long)getpid());
}

avout_status avout__locks_new(avout__locks **out, int64_t timeout_ms)
{
    avout__locks *room = avout__calloc(1, sizeof *room);
    if (!room) return AVOUT_ENOMEM;
    atomic_init(&room->refs, 1);
    pthread_mutex_init(&room->mutex, NULL);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&room->wake, &monotonic);
    pthread_cond_init(&room->told, &monotonic);
    pthread_condattr_destroy(&monotonic);
    avout__forks_watch();
    room->forks = atomic_load(&avout__forks);
    room->door.ops = &door_ops;
    room->timeout_ms = timeout_ms ? timeout_ms : DEFAULT_TIMEOUT_MS;
    room->session_ns = AVOUT__NEVER;
    avout__list_init(&room->gone);
    avout__list_init(&room->deeds);
    avout__list_init(&room->notices);
    avout__list_init(&room->waits);
    avout__list_init(&room->watchers);
    avout__list_init(&room->litter);
    snprintf(room->client_id, sizeof room->client_id, "%016" PRIx64, avout__random64());
    room->slots_of_mine.client = room->client_id;
    describe_self(room->self, sizeof room->self);
    *out = room;
    return AVOUT_OK;
}

void avout__locks_unref(avout__locks *room)
{
    if (!room || atomic_fetch_sub(&room->refs, 1) != 1) return;
    for (size_t i = 0; i < room->slot_count; i++) avout__free(room->slots[i]);
    EACH_GUEST(end)(room);
    avout__free(room->slots);
    avout__free(room->buckets);
    pthread_cond_destroy(&room->wake);
    pthread_cond_destroy(&room->told);
    pthread_mutex_destroy(&room->mutex);
    avout__free(room);
}

void avout__locks_unlock(avout__locks *room)
{
    while (!avout__list_empty(&room->gone)) {
        avout__claim *claim = AVOUT__LINK_OF(room->gone.next, avout__claim, link);
        avout__link_remove(&claim->link);
        avout__claim_free(claim);
    }
    pthread_mutex_unlock(&room->mutex);
}

/* ---- locks by name --------------------------------------------------------------------------------------- */

avout__lock *avout__lock_of_node(avout__locks *room, const char *path, size_t length)
{
    if (!room->bucket_count) return NULL;
    uint32_t hash = avout__hash_text(path, length);
    avout__lock *lock = room->buckets[hash & (room->bucket_count - 1)];
    while (lock && (lock->hash != hash || strncmp(lock->path, path, length) || lock->path[length]))
        lock = lock->next;
    return lock;
}

static void table_add(avout__locks *room, avout__lock *lock)
{
    lock->next = room->buckets[lock->hash & (room->bucket_count - 1)];
    room->buckets[lock->hash & (room->bucket_count - 1)] = lock;
}

/* Without memory for a larger one the chains just grow longer. */
static avout_status table_grow(avout__locks *room)
{
    if (room->lock_count < room->bucket_count) return AVOUT_OK;
    size_t old_count = room->bucket_count, wanted = old_count ? 4 * old_count : 16;
    avout__lock **old = room->buckets, **larger = avout__calloc(wanted, sizeof *larger);
    if (!larger) return old ? AVOUT_OK : AVOUT_ENOMEM;
    room->buckets = larger;
    room->bucket_count = wanted;
    for (size_t i = 0; i < old_count; i++) {
        for (avout__lock *lock = old[i], *next; lock; lock = next) {
            next = lock->next;
            table_add(room, lock);
        }
    }
    avout__free(old);
    return AVOUT_OK;
}

avout__lock *avout__lock_find(avout__locks *room, const char *name)
{
    char path[AVOUT__NODE_MAX];
    size_t length = avout__node_path(path, AVOUT__LOCKS_PATH, name);
    avout__lock *lock = avout__lock_of_node(room, path, length);
    if (lock) {
        lock->refs++;
        return lock;
    }
    size_t size = strlen(name) + 1;
    if (table_grow(room)) return NULL;
    lock = avout__calloc(1, sizeof *lock + size);
    char *copy = lock ? avout__strdup(path) : NULL;
    if (!copy) {
        avout__free(lock);
        return NULL;
    }
    lock->room = room;
    atomic_fetch_add(&room->refs, 1);
    lock->refs = 1;
    lock->hash = avout__hash_text(path, length);
    lock->path = copy;
    memcpy(lock->name, name, size);
    avout__list_init(&lock->claims);
    avout__list_init(&lock->holds);
    table_add(room, lock);
    room->lock_count++;
    return lock;
}

void avout__lock_drop(avout__lock *lock)
{
    if (--lock->refs) return;
    avout__locks *room = lock->room;
    avout__lock **at = &room->buckets[lock->hash & (room->bucket_count - 1)];
    while (*at != lock) at = &(*at)->next;
    *at = lock->next;
    room->lock_count--;
    avout__free(lock->path);
    avout__free(lock);
    atomic_fetch_sub(&room->refs, 1); /* never the last: whoever has the mutex has one */
}

/* ---- each lock, some of which may go meanwhile ------------------------------------------------------------ */

static void each_lock(avout__locks *room, void (*call)(avout__lock *lock))
{
    for (size_t i = 0; i < room->bucket_count; i++) {
        for (avout__lock *lock = room->buckets[i], *next; lock; lock = next) {
            lock->refs++;
            call(lock);
            next = lock->next;
            avout__lock_drop(lock);
        }
    }
}

/* ---- the lease ------------------------------------------------------------------------------------------------ */

int64_t avout__lease_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_BOOTTIME, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

void avout__lease_extend(avout__locks *room, const avout_reply *reply, int64_t sent_ns)
{
    bool agreed = !reply->status && reply->result_count;
    if (agreed && sent_ns > room->lease_ns) room->lease_ns = sent_ns;
}

int64_t avout__lease_end_ns(const avout__locks *room)
{
    if (room->session_ns == AVOUT__NEVER) return AVOUT__NEVER;
    return room->lease_ns + room->session_ns;
}

bool avout__lease_holds(avout__locks *room)
{
    if (avout__lease_now_ns() < avout__lease_end_ns(room)) return true;
    if (room->granted) {
        each_lock(room, avout__claims_lease_over);
        EACH_GUEST(lease_over)(room);
    }
    return false;
}

bool avout__lease_gives(avout__locks *room)
{
    if (room->session_ns == AVOUT__NEVER) return true;
    return avout__lease_holds(room) &&
           avout__lease_end_ns(room) - avout__lease_now_ns() >= room->session_ns / 3;
}

/* ---- what the store tells ---------------------------------------------------------------------------------------- */

static void learn(avout__locks *room)
{
    if (!room->store) return;
    avout_store_info info = {0};
    room->store->ops->info(room->store, &info);
    room->session_ns =
        info.session_timeout_ms < 0 ? AVOUT__NEVER : info.session_timeout_ms * (int64_t)1000000;
}

static void resume(avout__locks *room)
{
    (void)avout__retry_now(room, &room->again);
    avout__deeds_settle(room);
    each_lock(room, avout__claims_resume);
    avout__waits_resume(room);
    EACH_GUEST(resume)(room);
}

static void on_session(avout_event event, void *payload)
{
    avout__locks *room = payload;
    avout__locks_lock(room);
    switch (event) {
    case AVOUT_EVENT_SUSPENDED: room->connected = false; break;
    case AVOUT_EVENT_LOST:
        room->connected = false;
        room->lease_ns = 0;
        avout__deeds_lost(room);
        each_lock(room, avout__claims_session_lost);
        avout__waits_session_lost(room);
        EACH_GUEST(session_lost)(room);
        break;
    case AVOUT_EVENT_CONNECTED:
    case AVOUT_EVENT_RESUMED:
    case AVOUT_EVENT_REESTABLISHED:
        room->connected = true;
        if (atomic_load(&room->closed)) break;
        learn(room);
        room->anew = true; /* what failed may have failed because of that */
        if (room->store) resume(room);
        room->anew = false;
        break;
    }
    avout__tender_wake(room);
    avout__locks_unlock(room);
}

static void on_node(avout_node_event event, const char *path, void *payload)
{
    avout__locks *room = payload;
    avout__locks_lock(room);
    if (!strncmp(path, AVOUT__LOCKS_PATH "/", sizeof AVOUT__LOCKS_PATH)) {
        avout__claims_event(room, event, path);
        avout__waits_event(room, path);
    } else {
        EACH_GUEST(event)(room, event, path);
    }
    avout__locks_unlock(room);
}

const avout_listener avout__locks_listener = {on_node, on_session, NULL, NULL};

void avout__locks_start(avout__locks *room, avout_store *store)
{
    avout__locks_lock(room);
    room->store = store;
    learn(room);
    avout__locks_unlock(room);
}

void avout__locks_retry(avout__locks *room)
{
    if (room->connected) resume(room); /* else the connection's return does it */
}

void avout__locks_mind(avout__locks *room)
{
    each_lock(room, avout__claims_mind);
    EACH_GUEST(mind)(room);
}

/* ---- closing --------------------------------------------------------------------------------------------------------- */

static void close_lock(avout__lock *lock)
{
    avout__claims_close(lock);
    while (!avout__list_empty(&lock->holds)) {
        avout__hold *hold = AVOUT__LINK_OF(lock->holds.next, avout__hold, link);
        avout__link_remove(&hold->link);
        avout__hold_free(hold);
        avout__lock_drop(lock);
    }
}

void avout__locks_close(avout__locks *room)
{
    if (avout__locks_forked(room)) {
        atomic_store(&room->closed, true);
        return; /* the mutex may be held for ever, by a thread that is not here */
    }
    avout__locks_lock(room);
    atomic_store(&room->closed, true);
    each_lock(room, close_lock);
    avout__waits_close(room);
    EACH_GUEST(close)(room);
    avout__deeds_lost(room);
    bool connected = room->connected;
    avout__locks_unlock(room);
    avout__tender_stop(room);
    /* Claims go with the session. */
    if (connected && room->store) avout__deeds_remove(room, room->store);
}
