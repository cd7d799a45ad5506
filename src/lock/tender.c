/* Two threads of a client that uses locks.
 *
 * The tender, started with the first lock, looks at the clock: it keeps the lease while something is held
 * (a heartbeat whenever a third of the session's timeout has passed without a multi that succeeded), ends
 * holds when the lease has run out, and tries again what failed without anybody waiting for it. The
 * heartbeat is a multi that only checks: the ensemble has to agree, a server that is cut off from it
 * cannot answer.
 *
 * The teller, started when a callback is first set, calls callbacks: they may take long, and nothing of the
 * above may wait for them. */
#include "lock/lock.h"

#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/thread.h"
#include "base/banned.h"

enum { RETRY_MS = 50 };

/* ---- the clock ---------------------------------------------------------------------------------------- */

static void beaten(const avout_reply *reply, void *payload)
{
    avout__locks *room = payload;
    avout__locks_lock(room);
    room->beating = false;
    avout__lease_extend(room, reply, room->beat_ns);
    avout__tender_wake(room);
    avout__locks_unlock(room);
    avout__locks_unref(room);
}

static void beat(avout__locks *room)
{
    avout_op op = {.kind = AVOUT_OP_CHECK, .path = "/avout", .version = AVOUT_VERSION_ANY};
    avout_request request = {
        .kind = AVOUT_REQUEST_MULTI, .ops = &op, .op_count = 1, .done = beaten, .payload = room};
    room->beat_ns = avout__lease_now_ns();
    atomic_fetch_add(&room->refs, 1);
    room->beating = true;
    if (!avout__locks_submit(room, &request, 1)) return;
    room->beating = false;
    atomic_fetch_sub(&room->refs, 1);
}

void avout__lease_renew(avout__locks *room)
{
    if (room->connected && !room->beating) beat(room);
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t later(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* Does what is due; when the next thing is. */
static int64_t tend(avout__locks *room)
{
    int64_t next = AVOUT__NEVER, now = avout__now_ns();
    if (room->retry_ns && now >= room->retry_ns) {
        room->retry_ns = 0;
        avout__locks_retry(room);
    }
    if (room->retry_ns) next = room->retry_ns;
    if (!room->granted || room->session_ns == AVOUT__NEVER) return next;
    if (!avout__lease_holds(room)) return next;
    int64_t alive = avout__lease_now_ns();
    next = earlier(next, now + (avout__lease_end_ns(room) - alive));
    int64_t due = later(room->lease_ns + room->session_ns / 3,
                        room->beat_ns + (int64_t)RETRY_MS * 1000000); /* it may have been refused */
    if (alive < due) return earlier(next, now + (due - alive));
    if (!room->connected || room->beating) return next; /* its answer wakes us */
    beat(room);
    return room->beating ? next : earlier(next, avout__deadline_in_ms(RETRY_MS));
}

static void *tender_main(void *payload)
{
    avout__locks *room = payload;
    avout__locks_lock(room);
    while (!room->stop) {
        int64_t next = tend(room);
        /* What went meanwhile is freed before the wait. */
        avout__locks_unlock(room);
        avout__locks_lock(room);
        if (room->stop || room->woken) {
            room->woken = false;
            continue;
        }
        if (next == AVOUT__NEVER) {
            pthread_cond_wait(&room->wake, &room->mutex);
        } else {
            struct timespec until = {(time_t)(next / 1000000000), (long)(next % 1000000000)};
            pthread_cond_timedwait(&room->wake, &room->mutex, &until);
        }
        room->woken = false;
    }
    avout__locks_unlock(room);
    return NULL;
}

void avout__tender_wake(avout__locks *room)
{
    room->woken = true;
    if (room->tending) pthread_cond_signal(&room->wake);
}

avout_status avout__tender_need(avout__locks *room)
{
    if (room->tending || room->stop) return AVOUT_OK;
    avout_status status = avout__thread_start(&room->tender, tender_main, room);
    room->tending = !status;
    return status;
}

void avout__locks_try_later(avout__locks *room)
{
    if (room->retry_ns) return;
    room->retry_ns = avout__deadline_in_ms(RETRY_MS);
    avout__tender_wake(room);
}

/* ---- callbacks ---------------------------------------------------------------------------------------- */

typedef struct avout__notice {
    avout__link link;
    avout__lock_handle *handle; /* NULL: closed */
    avout_lost_fn lost;
    void *payload;
    avout_token token;
    char name[];
} avout__notice;

static void tell(avout__locks *room, avout__notice *notice)
{
    avout__link_remove(&notice->link);
    room->notice = notice;
    avout__locks_unlock(room);
    notice->lost(notice->name, notice->token, notice->payload);
    avout__locks_lock(room);
    room->notice = NULL;
    avout__free(notice);
    pthread_cond_broadcast(&room->told);
}

static void *teller_main(void *payload)
{
    avout__locks *room = payload;
    avout__locks_lock(room);
    for (;;) {
        if (!avout__list_empty(&room->notices))
            tell(room, AVOUT__LINK_OF(room->notices.next, avout__notice, link));
        else if (room->stop) break;
        else pthread_cond_wait(&room->told, &room->mutex);
    }
    avout__locks_unlock(room);
    return NULL;
}

avout_status avout__teller_need(avout__locks *room)
{
    if (room->telling || room->stop) return AVOUT_OK;
    avout_status status = avout__thread_start(&room->teller, teller_main, room);
    room->telling = !status;
    return status;
}

bool avout__locks_is_me(avout__locks *room)
{
    return room->telling && pthread_equal(room->teller, pthread_self());
}

avout_status avout__notice_new(avout__notice **out, const avout__lock *lock)
{
    size_t size = strlen(lock->name) + 1;
    avout__notice *notice = avout__calloc(1, sizeof *notice + size);
    if (!notice) return AVOUT_ENOMEM;
    memcpy(notice->name, lock->name, size);
    *out = notice;
    return AVOUT_OK;
}

void avout__notice_free(avout__notice *notice)
{
    avout__free(notice);
}

void avout__notice_lost(avout__hold *hold)
{
    avout__notice *notice = hold->notice;
    avout__lock_handle *handle = hold->handle;
    hold->notice = NULL;
    if (!notice || !handle || !handle->lost) {
        avout__free(notice);
        return;
    }
    notice->handle = handle;
    notice->lost = handle->lost;
    notice->payload = handle->payload;
    notice->token = hold->token;
    avout__list_append(&hold->lock->room->notices, &notice->link);
    pthread_cond_broadcast(&hold->lock->room->told);
}

void avout__notices_end(avout__locks *room, avout__lock_handle *handle)
{
    AVOUT__LIST_EACH(link, &room->notices)
    {
        avout__notice *notice = AVOUT__LINK_OF(link, avout__notice, link);
        if (notice->handle != handle) continue;
        avout__link_remove(&notice->link);
        avout__free(notice);
    }
    if (avout__locks_is_me(room)) return;
    while (room->notice && room->notice->handle == handle)
        pthread_cond_wait(&room->told, &room->mutex);
}

void avout__tender_stop(avout__locks *room)
{
    avout__locks_lock(room);
    room->stop = true;
    bool tending = room->tending, telling = room->telling;
    pthread_cond_broadcast(&room->wake);
    pthread_cond_broadcast(&room->told);
    avout__locks_unlock(room);
    if (tending) pthread_join(room->tender, NULL);
    if (telling) pthread_join(room->teller, NULL);
    avout__locks_lock(room);
    room->tending = room->telling = false;
    avout__locks_unlock(room);
}
