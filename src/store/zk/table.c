/* The table of outstanding requests: every request that submit() took is in it until its `done` has
 * been called, so that each is answered exactly once, whatever the client library forgets.
 *
 *  - `outstanding` holds what was sent and what was refused (not connected), in the order of
 *    submission; `waiting` what is beyond the cap, all of it younger.
 *  - A sent entry is answered by the library; a refused one as soon as nothing before it is
 *    unanswered, by the thread that answered that, or by the supervisor.
 *  - After the library's handle is closed no thread of the library's is left, and what the table
 *    still holds is answered by whoever closed it. */
#include "store/zk/internal.h"

#include <unistd.h>

#include "base/alloc.h"
#include "base/error.h"
#include "store/store.h"
#include "base/banned.h"

static zk_entry *first_of(const avout__link *list)
{
    return avout__list_empty(list) ? NULL : AVOUT__LINK_OF(list->next, zk_entry, link);
}

bool avout__zk_refused_first(const avout__zk *zk)
{
    zk_entry *entry = first_of(&zk->outstanding);
    return entry && entry->state == ZK_REFUSED;
}

static void refuse(zk_entry *entry, avout_status status, const char *text)
{
    entry->state = ZK_REFUSED;
    entry->refusal = status;
    entry->refusal_text = text;
}

void avout__zk_refuse_waiting(avout__zk *zk, avout_status status, const char *text)
{
    AVOUT__LIST_EACH(link, &zk->waiting) refuse(AVOUT__LINK_OF(link, zk_entry, link), status, text);
    avout__list_splice(&zk->outstanding, &zk->waiting);
}

/* `lock` held; the entry is the youngest of `outstanding`. */
static void send_entry(avout__zk *zk, zk_entry *entry)
{
    int code = avout__zk_entry_send(entry, zk->zh);
    if (code == ZOK) {
        entry->state = ZK_SENT;
        zk->in_flight++;
        return;
    }
    /* These come back before the library has noted the request. */
    bool forgotten = code == ZINVALIDSTATE || code == ZBADARGUMENTS || code == ZNOWATCHER;
    if (forgotten) {
        refuse(entry, avout__zk_status(code), avout__zk_reason(code));
        return;
    }
    /* It ran out of memory somewhere: it may have noted the request, and calls us for it some time.
     * The request is answered now, and the block kept for as long as the library may touch it. */
    refuse(entry, AVOUT_ENOMEM, "the ZooKeeper client library has no memory");
    entry->kept = true;
}

/* `lock` held. */
static void send_waiting(avout__zk *zk)
{
    zk_entry *entry;
    while (zk->phase == ZK_UP && !zk->closing && zk->in_flight < ZK_IN_FLIGHT_MAX &&
           (entry = first_of(&zk->waiting))) {
        avout__link_remove(&entry->link);
        avout__list_append(&zk->outstanding, &entry->link);
        send_entry(zk, entry);
    }
}

/* ---- in ---------------------------------------------------------------------------------------- */

static void free_entries(avout__link *list)
{
    AVOUT__LIST_EACH(link, list) avout__free(AVOUT__LINK_OF(link, zk_entry, link));
    avout__list_init(list);
}

static avout_status make_entries(avout__zk *zk, avout__link *list, const avout_request *requests,
                                 size_t count)
{
    avout__list_init(list);
    for (size_t i = 0; i < count; i++) {
        size_t size = avout__zk_request_size(zk, &requests[i]);
        if (size > ZK_PACKET_MAX) {
            free_entries(list);
            return avout_fail(AVOUT_ELIMIT,
                              "request of %zu bytes, ZooKeeper's limit is %d (jute.maxbuffer)",
                              size, ZK_PACKET_MAX);
        }
        zk_entry *entry = avout__zk_entry_new(zk, &requests[i], false);
        if (!entry) {
            free_entries(list);
            return AVOUT_ENOMEM;
        }
        avout__list_append(list, &entry->link);
    }
    return AVOUT_OK;
}

/* `lock` held. */
static void take_entries(avout__zk *zk, avout__link *list, bool connected)
{
    if (!connected) {
        AVOUT__LIST_EACH(link, list)
        refuse(AVOUT__LINK_OF(link, zk_entry, link), AVOUT_ECONNECTION,
               "not connected to ZooKeeper");
        avout__list_splice(&zk->outstanding, list);
        return;
    }
    avout__list_splice(&zk->waiting, list);
    send_waiting(zk);
}

/* The supervisor has to look when a refused request is first in the table, and when it went to
 * sleep because there was nothing outstanding. `lock` held. */
static void wake_supervisor(avout__zk *zk)
{
    if (!zk->supervisor_idle && !avout__zk_refused_first(zk)) return;
    zk->supervisor_idle = false;
    pthread_cond_broadcast(&zk->changed);
}

avout_status avout__zk_submit(avout_store *store, const avout_request *requests, size_t count)
{
    avout__zk *zk = (avout__zk *)store;
    if (getpid() != zk->owner)
        return avout_fail(AVOUT_EFORK, "ZooKeeper handle was opened by process %d before fork",
                          (int)zk->owner);
    avout__link list;
    avout_status status = make_entries(zk, &list, requests, count);
    if (status) return status;
    pthread_mutex_lock(&zk->lock);
    bool closing = zk->closing;
    if (!closing) {
        take_entries(zk, &list, zk->phase == ZK_UP);
        wake_supervisor(zk);
    }
    pthread_mutex_unlock(&zk->lock);
    if (!closing) return AVOUT_OK;
    free_entries(&list);
    return avout_fail(AVOUT_ECLOSED, "ZooKeeper handle is being closed");
}

avout_status avout__zk_submit_own(avout__zk *zk, const avout_request *request, zk_special special)
{
    zk_entry *entry = avout__zk_entry_new(zk, request, true);
    if (!entry) return AVOUT_ENOMEM;
    entry->special = special;
    pthread_mutex_lock(&zk->lock);
    avout__list_append(&zk->outstanding, &entry->link);
    send_entry(zk, entry);
    wake_supervisor(zk);
    pthread_mutex_unlock(&zk->lock);
    return AVOUT_OK;
}

void avout__zk_unwatch(avout_store *store, const char *path)
{
    avout__zk *zk = (avout__zk *)store;
    if (getpid() != zk->owner) return;
    zk_entry *entry =
        avout__zk_entry_new(zk, &(avout_request){.kind = AVOUT_REQUEST_SYNC, .path = path}, false);
    if (!entry) return;
    entry->special = ZK_UNWATCH;
    pthread_mutex_lock(&zk->lock);
    if (zk->phase == ZK_UP && !zk->closing) {
        avout__list_append(&zk->waiting, &entry->link);
        entry = NULL;
        send_waiting(zk);
        wake_supervisor(zk);
    }
    pthread_mutex_unlock(&zk->lock);
    avout__free(entry);
}

/* ---- out --------------------------------------------------------------------------------------- */

static void call_done(zk_entry *entry, const avout_reply *reply)
{
    if (entry->done) entry->done(reply, entry->payload);
    entry->link = (avout__link){NULL, NULL};
    if (entry->kept) avout__list_append(&entry->zk->kept, &entry->link);
    else avout__free(entry);
}

static void call_refused(zk_entry *entry)
{
    avout_reply reply = {.status = entry->refusal, .failed_op = SIZE_MAX};
    reply.detail = entry->refusal_text;
    reply.maybe_done = entry->kept && entry->kind == AVOUT_REQUEST_MULTI;
    call_done(entry, &reply);
}

/* Moves the refused ones that nothing unanswered is before into `batch`. `lock` held. */
static void take_refused(avout__zk *zk, avout__link *batch)
{
    avout__list_init(batch);
    while (avout__zk_refused_first(zk)) {
        avout__link *link = zk->outstanding.next;
        avout__link_remove(link);
        avout__list_append(batch, link);
    }
}

/* Only what was there when the batch was taken: whoever submits in a loop while there is no
 * connection must not keep this thread from its other duties. */
static void call_batch(avout__link *batch)
{
    AVOUT__LIST_EACH(link, batch) call_refused(AVOUT__LINK_OF(link, zk_entry, link));
}

void avout__zk_deliver_refused(avout__zk *zk)
{
    avout__link batch;
    pthread_mutex_lock(&zk->lock);
    take_refused(zk, &batch);
    pthread_mutex_unlock(&zk->lock);
    call_batch(&batch);
}

void avout__zk_answer(zk_entry *entry, avout_reply *reply)
{
    avout__zk *zk = entry->zk;
    avout__link before, behind;
    avout__zk_take_delivery(zk);
    if (entry->kept) {
        avout__zk_give_delivery(zk);
        return;
    }
    pthread_mutex_lock(&zk->lock);
    take_refused(zk, &before);
    avout__link_remove(&entry->link);
    zk->in_flight--;
    bool closing = zk->closing;
    pthread_mutex_unlock(&zk->lock);
    call_batch(&before);
    if (closing && (reply->status == AVOUT_ECONNECTION || reply->status == AVOUT_ESESSION))
        reply->status = AVOUT_ECLOSED;
    call_done(entry, reply);
    pthread_mutex_lock(&zk->lock);
    send_waiting(zk);
    take_refused(zk, &behind);
    /* close and the supervisor wait for the last one */
    if (!zk->in_flight && (zk->closing || zk->phase == ZK_ENDED))
        pthread_cond_broadcast(&zk->changed);
    pthread_mutex_unlock(&zk->lock);
    call_batch(&behind);
    avout__zk_give_delivery(zk);
}

void avout__zk_deliver_rest(avout__zk *zk, avout_status status, bool maybe_done)
{
    avout__link rest;
    avout__list_init(&rest);
    pthread_mutex_lock(&zk->lock);
    avout__zk_refuse_waiting(zk, status, NULL);
    avout__list_splice(&rest, &zk->outstanding);
    zk->in_flight = 0;
    pthread_mutex_unlock(&zk->lock);
    AVOUT__LIST_EACH(link, &rest)
    {
        zk_entry *entry = AVOUT__LINK_OF(link, zk_entry, link);
        if (entry->state == ZK_SENT) {
            avout_reply reply = {.status = status, .failed_op = SIZE_MAX};
            reply.maybe_done = maybe_done && entry->kind == AVOUT_REQUEST_MULTI;
            call_done(entry, &reply);
        } else {
            call_refused(entry);
        }
    }
    AVOUT__LIST_EACH(link, &zk->kept) avout__free(AVOUT__LINK_OF(link, zk_entry, link));
    avout__list_init(&zk->kept);
}
