/* Semaphores: opening, acquiring and giving back, the number of permits. On the caller's thread; what the
 * store tells comes from bid.c. */
#include "lock/semaphore.h"

#include <inttypes.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/interrupt.h"
#include "lock/look.h"
#include "store/check.h"
#include "base/banned.h"

/* ---- handles ---------------------------------------------------------------------------------------- */

static avout_status no_permits(const avout__pool *pool, avout_status status)
{
    if (status == AVOUT_ENOTFOUND)
        return avout_fail(status, "%s: there is no such semaphore", pool->name);
    if (status == AVOUT_EDATA)
        return avout_fail(status, "%s: what the store has under that name is no semaphore",
                          pool->name);
    return status;
}

/* What the store says now; `version` may be NULL. */
static avout_status ask_permits(uint32_t *permits, int64_t *version, avout__pool *pool,
                                int64_t deadline_ns)
{
    avout__reply reply = AVOUT__REPLY_INIT;
    avout_request request = {.kind = AVOUT_REQUEST_GET, .path = pool->path};
    avout_status status = avout__room_call(&reply, pool->room, pool->name, &request, deadline_ns);
    if (!status && !avout__permits_parse(permits, reply.is.bytes, reply.is.length))
        status = AVOUT_EDATA;
    if (!status && version) *version = reply.is.stat.version;
    if (!status && !version) {
        /* So that the first acquisition needs not ask. */
        avout__locks_lock(pool->room);
        if (!pool->known) avout__pool_learn(pool, &reply.is);
        avout__bids_unlock(pool->room);
    }
    avout__reply_release(&reply);
    return no_permits(pool, status);
}

/* Makes it if there is none; AVOUT_ECONFLICT if there is another. */
static avout_status agree(avout__pool *pool, uint32_t permits)
{
    int64_t deadline_ns = avout__deadline_in_ms(pool->room->timeout_ms);
    char text[AVOUT__PERMITS_TEXT];
    uint32_t there;
    avout_status status = AVOUT_ENOTFOUND;
    avout__permits_text(text, permits);
    while ((status = ask_permits(&there, NULL, pool, deadline_ns)) == AVOUT_ENOTFOUND && permits) {
        status = avout__pool_make(pool, text, strlen(text), deadline_ns);
        if (status == AVOUT_UNKNOWN)
            return avout_fail(AVOUT_ETIMEOUT, "%s: could not be made before the deadline",
                              pool->name);
        if (status && status != AVOUT_EEXISTS) return status;
    }
    if (!status && permits && there != permits)
        return avout_fail(AVOUT_ECONFLICT,
                          "%s: it has %" PRIu32 " permits, not %" PRIu32
                          ": avout_semaphore_set_permits changes that, 0 opens it as it is",
                          pool->name, there, permits);
    return status;
}

avout_status avout__semaphore_open(avout_semaphore **out, avout__locks *room, const char *name,
                                   uint32_t permits)
{
    avout__pool *pool = NULL;
    avout_semaphore *semaphore = avout__calloc(1, sizeof *semaphore);
    avout_status status = semaphore ? AVOUT_OK : AVOUT_ENOMEM;
    if (!status && permits > AVOUT_PERMITS_MAX)
        status = avout_fail(AVOUT_EINVAL, "%" PRIu32 " permits: at most %d can be had", permits,
                            AVOUT_PERMITS_MAX);
    if (!status) status = avout__pool_open(&pool, room, AVOUT__SEMAPHORE, name);
    if (!status) status = agree(pool, permits);
    if (!status) {
        semaphore->pool = pool;
        avout__list_init(&semaphore->leases);
        *out = semaphore;
        return AVOUT_OK;
    }
    if (pool) {
        avout__locks_lock(room);
        avout__pool_drop(pool);
        avout__bids_unlock(room);
    }
    avout__free(semaphore);
    return status;
}

void avout_semaphore_close(avout_semaphore *semaphore)
{
    if (!semaphore) return;
    avout__locks *room = semaphore->pool->room;
    if (avout__locks_forked(room)) return; /* what is the parent's stays as it is */
    atomic_fetch_add(&room->refs, 1);
    avout__locks_lock(room);
    while (!avout__list_empty(&semaphore->leases)) {
        avout_lease *lease = AVOUT__LINK_OF(semaphore->leases.next, avout_lease, link);
        avout__link_remove(&lease->link);
        lease->semaphore = NULL;
    }
    avout__notices_end(room, semaphore);
    avout__pool_drop(semaphore->pool);
    avout__bids_unlock(room);
    avout__locks_unref(room);
    avout__free(semaphore);
}

const char *avout_semaphore_name(const avout_semaphore *semaphore)
{
    return semaphore->pool->name;
}

avout_status avout_semaphore_on_lost(avout_semaphore *semaphore, avout_lost_fn lost, void *payload)
{
    avout__locks *room = semaphore->pool->room;
    avout_status status = avout__locks_usable(room);
    if (status) return status;
    avout__locks_lock(room);
    if (lost) status = avout__teller_need(room);
    if (!status) {
        avout__notices_end(room, semaphore);
        semaphore->lost = lost;
        semaphore->payload = payload;
    }
    avout__bids_unlock(room);
    return status;
}

/* ---- what bids tell ----------------------------------------------------------------------------------- */

static avout_lease *lease_of(avout__bidder *bidder)
{
    return AVOUT__LINK_OF(bidder, avout_lease, bidder);
}

static void placed(avout__bidder *bidder)
{
    avout_lease *lease = lease_of(bidder);
    if (!lease->pins) return;
    lease->granted = true;
    avout__latch_open(&lease->latch);
}

static void granted(avout__bidder *bidder)
{
    avout_lease *lease = lease_of(bidder);
    lease->token = (avout_token){bidder->bid->point, 0};
    lease->granted = true;
    avout__latch_open(&lease->latch);
}

static void failed(avout__bidder *bidder, avout_status status, const char *detail)
{
    avout_lease *lease = lease_of(bidder);
    lease->status = status;
    snprintf(lease->detail, sizeof lease->detail, "%s", detail);
    avout__latch_open(&lease->latch);
}

static void lost(avout__bidder *bidder)
{
    avout_lease *lease = lease_of(bidder);
    avout_semaphore *semaphore = lease->semaphore;
    avout__loss_tell(bidder->pool->room, lease->loss, semaphore, semaphore ? semaphore->lost : NULL,
                     semaphore ? semaphore->payload : NULL, lease->token);
    lease->loss = NULL;
}

static const avout__bidder_ops lease_ops = {
    .placed = placed, .granted = granted, .failed = failed, .lost = lost};

/* ---- acquiring ------------------------------------------------------------------------------------------ */

typedef enum purpose {
    FOR_USER,
    FOR_USER_NOW, /* or not at all */
    TO_SHRINK,    /* the number of permits: by those of the lease */
    TO_PIN, /* the semaphore: nobody else's node is made in its place while the lease is in its queue */
} purpose;

static avout_lease *lease_new(avout_semaphore *semaphore, uint32_t permits, purpose why)
{
    avout_lease *lease = avout__calloc(1, sizeof *lease);
    bool told = why == FOR_USER || why == FOR_USER_NOW;
    if (!lease || (told && avout__loss_new(&lease->loss, semaphore->pool->name))) {
        avout__free(lease);
        return NULL;
    }
    avout__locks *room = semaphore->pool->room;
    lease->semaphore = semaphore;
    lease->pins = why == TO_PIN;
    lease->bidder = (avout__bidder){.ops = &lease_ops,
                                    .pool = semaphore->pool,
                                    .permits = permits,
                                    .only_now = why == FOR_USER_NOW,
                                    .bytes = room->self,
                                    .length = strlen(room->self)};
    return lease;
}

static void lease_free(avout_lease *lease)
{
    avout__loss_free(lease->loss);
    avout__node_check_unref(lease->check);
    avout__free(lease);
}

static avout_status why_not(const avout_lease *lease, const avout_cancel *cancel, bool connected)
{
    const char *name = lease->bidder.pool->name;
    if (lease->status == AVOUT_EBUSY)
        return avout_fail(AVOUT_EBUSY, "%s: there are not enough permits, or somebody waits", name);
    if (lease->status) return avout_fail(lease->status, "%s: %s", name, lease->detail);
    if (avout_cancel_is_set(cancel))
        return avout_fail(AVOUT_ECANCELLED, "%s: the wait was cancelled", name);
    return avout_fail(avout__late(), "%s: %s", name,
                      avout__late_text(connected
                                           ? "not obtained before the deadline"
                                           : "no connection to the store before the deadline"));
}

static avout_status acquire(avout_lease **out, avout_semaphore *semaphore, uint32_t permits,
                            purpose why, avout_cancel *cancel, int64_t deadline_ns)
{
    avout__locks *room = semaphore->pool->room;
    AVOUT__ASSERT(!avout__store_delivering);
    if (!permits || permits > AVOUT_PERMITS_MAX)
        return avout_fail(AVOUT_EINVAL, "%s: %" PRIu32 " permits: 1 to %d can be had",
                          semaphore->pool->name, permits, AVOUT_PERMITS_MAX);
    avout_lease *lease = lease_new(semaphore, permits, why);
    if (!lease) return AVOUT_ENOMEM;
    avout__cancel_entry entry;
    avout__locks_lock(room);
    semaphore->pool->refs++;
    avout__list_append(&semaphore->leases, &lease->link);
    if (atomic_load(&room->closed)) failed(&lease->bidder, AVOUT_ECLOSED, "the client is closed");
    else avout__bidder_start(&lease->bidder);
    avout__bids_unlock(room);
    avout__cancel_enter(cancel, &entry, &lease->latch);
    avout__latch_wait(&lease->latch, deadline_ns);
    avout__cancel_leave(cancel, &entry);
    avout__locks_lock(room);
    avout_status status = lease->granted ? AVOUT_OK : why_not(lease, cancel, room->connected);
    if (status) {
        avout__bidder_leave(&lease->bidder, NULL);
        avout__link_remove(&lease->link);
        avout__pool_drop(semaphore->pool);
    }
    avout__bids_unlock(room);
    if (status) lease_free(lease);
    else *out = lease;
    return status;
}

avout_status avout_semaphore_acquire(avout_lease **lease, avout_semaphore *semaphore,
                                     uint32_t permits, const avout_wait_options *options)
{
    avout__locks *room = semaphore->pool->room;
    int64_t deadline_ns;
    avout_status status = avout__locks_usable(room);
    if (!status) status = avout__wait_deadline(&deadline_ns, options, room->timeout_ms);
    if (status) return status;
    return acquire(lease, semaphore, permits, FOR_USER, options ? options->cancel : NULL,
                   deadline_ns);
}

avout_status avout_semaphore_try(avout_lease **lease, avout_semaphore *semaphore, uint32_t permits)
{
    avout__locks *room = semaphore->pool->room;
    avout_status status = avout__locks_usable(room);
    if (status) return status;
    return acquire(lease, semaphore, permits, FOR_USER_NOW, NULL,
                   avout__deadline_in_ms(room->timeout_ms));
}

/* ---- leases ----------------------------------------------------------------------------------------------- */

static avout_status was_lost(const avout_lease *lease)
{
    return avout_fail(AVOUT_ELOST,
                      "%s: the permits had been acquired and were lost: the session with the store "
                      "ended, or the store could not be reached for as long as a session lasts",
                      lease->bidder.pool->name);
}

/* *was_there: whether it is proven that the bid of that number was there until now (0, NULL: nobody asks). What is
 * given back otherwise, with a lost session for instance, proves nothing. */
static avout_status give_back(bool *was_there, avout_lease *lease, uint64_t number)
{
    avout__pool *pool = lease->bidder.pool;
    avout__locks *room = pool->room;
    avout__releaser releaser;
    avout_status status = avout__locks_usable(room);
    if (was_there) *was_there = false;
    if (status == AVOUT_EFORK) return status;
    atomic_fetch_add(&room->refs, 1);
    avout__locks_lock(room);
    bool held = !status && (lease->pins || avout__bidder_holds(&lease->bidder));
    bool same = lease->bidder.bid && lease->bidder.bid->number == number;
    bool wait = avout__bidder_leave(&lease->bidder, &releaser);
    avout__link_remove(&lease->link);
    avout__bids_unlock(room);
    bool waited = !status && held && wait;
    if (!status && !held) status = was_lost(lease);
    else if (waited) status = avout__releaser_wait(room, &releaser, pool->name);
    if (was_there) *was_there = waited && !status && same && releaser.was_there;
    avout__locks_lock(room);
    avout__pool_drop(pool);
    avout__bids_unlock(room);
    avout__locks_unref(room);
    lease_free(lease);
    return status;
}

avout_status avout_lease_release(avout_lease *lease)
{
    return lease ? give_back(NULL, lease, 0) : AVOUT_OK;
}

bool avout_lease_is_held(avout_lease *lease)
{
    avout__locks *room = lease->bidder.pool->room;
    if (avout__locks_forked(room)) return false;
    avout__locks_lock(room);
    bool held = avout__bidder_holds(&lease->bidder);
    avout__bids_unlock(room);
    return held;
}

uint32_t avout_lease_permits(const avout_lease *lease)
{
    return lease->bidder.permits;
}

avout_token avout_lease_token(const avout_lease *lease)
{
    return lease->token;
}

avout_status avout__lease_check(avout__node_check **check, avout_lease *lease)
{
    if (!avout__bidder_holds(&lease->bidder)) return was_lost(lease);
    if (!lease->check)
        lease->check =
            avout__bidder_check(&lease->bidder, "a lease of permits is not in force any more");
    if (!lease->check) return AVOUT_ENOMEM;
    *check = lease->check;
    return AVOUT_OK;
}

/* ---- the number of permits ----------------------------------------------------------------------------------- */

avout_status avout_semaphore_permits(uint32_t *permits, avout_semaphore *semaphore)
{
    avout__locks *room = semaphore->pool->room;
    avout_status status = avout__locks_usable(room);
    if (status) return status;
    return ask_permits(permits, NULL, semaphore->pool, avout__deadline_in_ms(room->timeout_ms));
}

/* Of one question to the store: those cannot be cancelled. */
static int64_t soon(const avout__pool *pool, int64_t deadline_ns)
{
    int64_t patience_ns = avout__deadline_in_ms(pool->room->timeout_ms);
    return patience_ns < deadline_ns ? patience_ns : deadline_ns;
}

/* At that version; the bid of that name goes with it. */
static avout_status write_permits(avout__pool *pool, uint32_t permits, int64_t version,
                                  const char *bid, int64_t deadline_ns)
{
    char text[AVOUT__PERMITS_TEXT];
    avout__permits_text(text, permits);
    avout_op ops[2] = {
        {.kind = AVOUT_OP_SET,
         .path = pool->path,
         .version = version,
         .bytes = text,
         .length = strlen(text)},
        {.kind = AVOUT_OP_DELETE, .path = bid, .version = AVOUT_VERSION_ANY},
    };
    avout_request request = {.kind = AVOUT_REQUEST_MULTI, .ops = ops, .op_count = 2};
    avout_status status =
        avout__room_call(NULL, pool->room, pool->name, &request, soon(pool, deadline_ns));
    if (status == AVOUT_ENOTFOUND) return AVOUT_EVERSION; /* with its session, removed, or by us */
    /* Also when there was no connection in the end, or it was interrupted then: an attempt before may have been done. */
    if (status != AVOUT_UNKNOWN && status != AVOUT_ETIMEOUT && status != AVOUT_ECANCELLED)
        return status;
    return avout_fail(AVOUT_UNKNOWN, "%s: %s", pool->name,
                      avout__late_text("no answer from the store before the deadline"));
}

/* Versions say nothing of the node's identity: a semaphore that is made anew begins with the same. So what it says
 * is read while the lease's bid is below it: while that is there the node cannot have been another, and the write
 * deletes it. *number: of that bid. */
static avout_status rewrite(uint64_t *number, avout__pool *pool, uint32_t there, uint32_t permits,
                            const avout_lease *lease, int64_t deadline_ns)
{
    char path[AVOUT__NODE_MAX + AVOUT__CLAIM_NAME] = "";
    uint32_t now;
    int64_t version;
    avout__locks_lock(pool->room);
    const avout__bid *bid = lease->bidder.bid;
    *number = bid ? bid->number : 0;
    if (bid && *bid->name) snprintf(path, sizeof path, "%s/%s", pool->path, bid->name);
    avout__bids_unlock(pool->room);
    if (!*path) return AVOUT_EVERSION; /* lost: from the beginning */
    avout_status status = ask_permits(&now, &version, pool, soon(pool, deadline_ns));
    if (status) return status;
    if (now != there) return AVOUT_EVERSION;
    return write_permits(pool, permits, version, path, deadline_ns);
}

/* From `there` to `permits`; AVOUT_EVERSION: somebody else was quicker, or it was done and not heard of. */
static avout_status change(avout_semaphore *semaphore, uint32_t there, uint32_t permits,
                           avout_cancel *cancel, int64_t deadline_ns)
{
    avout_lease *lease;
    bool more = permits > there;
    avout_status status = acquire(&lease, semaphore, more ? 1 : there - permits,
                                  more ? TO_PIN : TO_SHRINK, cancel, deadline_ns);
    if (status == AVOUT_ELIMIT) {
        uint32_t now; /* there are fewer by now, or its numbers are used up */
        avout_status asked =
            ask_permits(&now, NULL, semaphore->pool, soon(semaphore->pool, deadline_ns));
        return asked ? asked : now == there ? status : AVOUT_EVERSION;
    }
    if (status) return status;
    uint64_t number;
    status = rewrite(&number, semaphore->pool, there, permits, lease, deadline_ns);
    char detail[256];
    snprintf(detail, sizeof detail, "%s", status ? avout_error_detail() : "");
    /* Once the bid is gone nothing that is still on its way can take effect: it deletes the bid, too. And if the
     * bid was still there it has not. */
    bool was_there;
    avout_status given_back = give_back(&was_there, lease, number);
    if (!status) return AVOUT_OK;
    if (given_back == AVOUT_UNKNOWN) return given_back;
    bool known = status == AVOUT_UNKNOWN && was_there;
    return avout_fail(known ? avout__late() : status, "%s", detail);
}

avout_status avout_semaphore_set_permits(avout_semaphore *semaphore, uint32_t permits,
                                         const avout_wait_options *options)
{
    avout__pool *pool = semaphore->pool;
    int64_t deadline_ns;
    uint32_t there;
    avout_status status = avout__locks_usable(pool->room);
    if (!status && (!permits || permits > AVOUT_PERMITS_MAX))
        status = avout_fail(AVOUT_EINVAL, "%s: %" PRIu32 " permits: 1 to %d can be had", pool->name,
                            permits, AVOUT_PERMITS_MAX);
    if (!status) status = avout__wait_deadline(&deadline_ns, options, pool->room->timeout_ms);
    while (!status) {
        status = ask_permits(&there, NULL, pool, soon(pool, deadline_ns));
        if (status || there == permits) break;
        status = change(semaphore, there, permits, options ? options->cancel : NULL, deadline_ns);
        if (!status) break;
        if (status == AVOUT_EVERSION && avout__now_ns() < deadline_ns) status = AVOUT_OK;
    }
    if (status == AVOUT_EVERSION)
        return avout_fail(AVOUT_UNKNOWN, "%s: others change the number of permits, too",
                          pool->name);
    return status;
}
