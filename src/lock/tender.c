/* Two threads of a client that uses locks.
 *
 * The tender, started with the first lock, looks at the clock: it keeps the lease while something is held
 * (a heartbeat whenever a third of the session's timeout has passed without a multi that succeeded), ends
 * holds when the lease has run out, has what is held for more than a moment watch its node, and tries again
 * what failed without anybody waiting for it. The
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

/* What is due within TOGETHER_MS is tried with what is due now. */
enum { RETRY_MS = 50, RETRY_MOST_MS = 1000, TOGETHER_MS = 5, MIND_MS = 100 };

/* ---- the clock ---------------------------------------------------------------------------------------- */

static void beaten(const avout_reply *reply, void *payload)
{
    avout__locks *room = payload;
    avout__locks_lock(room);
    room->beating = false;
    avout__lease_extend(room, reply, room->beat_ns);
    bool asked = room->asked;
    room->asked = false;
    if (asked && reply->status) avout__retry_later(room, &room->again); /* not at their speed */
    else if (asked) avout__locks_retry(room);
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

void avout__lease_ask(avout__locks *room)
{
    /* The connection's return has them ask, or the time after a refusal. */
    if (!room->connected || room->again.due_ns) return;
    if (!room->beating) beat(room);
    room->asked = room->beating;
    if (!room->asked) avout__retry_later(room, &room->again);
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t later(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* When the next heartbeat is due, if something is held; on the clock of deadlines. */
static int64_t beat_due(const avout__locks *room, int64_t now)
{
    if (room->session_ns == AVOUT__NEVER) return AVOUT__NEVER;
    int64_t due = later(room->lease_ns + room->session_ns / 3,
                        room->beat_ns + (int64_t)RETRY_MS * 1000000); /* it may have been refused */
    return now + (due - avout__lease_now_ns());
}

/* Does what is due; when the next thing is. */
static int64_t tend(avout__locks *room)
{
    int64_t next = AVOUT__NEVER, now = avout__now_ns();
    if (room->retry_ns && now >= room->retry_ns) {
        room->retry_ns = 0;
        avout__locks_retry(room);
    }
    if (room->mind_ns && now >= room->mind_ns) {
        room->mind_ns = 0;
        avout__locks_mind(room);
    }
    if (room->retry_ns) next = room->retry_ns;
    if (room->mind_ns) next = earlier(next, room->mind_ns);
    if (!room->granted || room->session_ns == AVOUT__NEVER) return next;
    if (!avout__lease_holds(room)) return next;
    next = earlier(next, now + (avout__lease_end_ns(room) - avout__lease_now_ns()));
    int64_t due = beat_due(room, now);
    if (now < due) return earlier(next, due);
    if (!room->connected || room->beating) return next; /* its answer wakes us */
    beat(room);
    return room->beating ? next : earlier(next, avout__deadline_in_ms(RETRY_MS));
}

static void *tender_main(void *payload)
{
    avout__locks *room = payload;
    avout__locks_lock(room);
    while (!room->stop) {
        int64_t next = room->tended_ns = tend(room);
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

static void look_again_at(avout__locks *room, int64_t due_ns)
{
    if (room->retry_ns && room->retry_ns <= due_ns) return;
    room->retry_ns = due_ns;
    avout__tender_wake(room);
}

void avout__retry_later(avout__locks *room, avout__retry *retry)
{
    if (retry->due_ns) return;
    int64_t now = avout__now_ns(), since_ms = (now - retry->tried_ns) / 1000000;
    bool again = retry->tried_ns && since_ms <= RETRY_MS + retry->pause_ms;
    retry->pause_ms = again ? earlier(2 * retry->pause_ms, RETRY_MOST_MS) : RETRY_MS;
    retry->due_ns = now + retry->pause_ms * 1000000;
    look_again_at(room, retry->due_ns);
}

bool avout__retry_now(avout__locks *room, avout__retry *retry)
{
    if (room->anew) *retry = (avout__retry){0};
    if (!retry->due_ns) return true;
    int64_t now = avout__now_ns();
    if (now < retry->due_ns - (int64_t)TOGETHER_MS * 1000000) {
        look_again_at(room, retry->due_ns);
        return false;
    }
    retry->due_ns = 0;
    retry->tried_ns = now;
    return true;
}

void avout__tender_granted(avout__locks *room)
{
    int64_t now = avout__now_ns();
    room->granted++;
    if (!room->mind_ns) room->mind_ns = now + (int64_t)MIND_MS * 1000000;
    /* Not for each of many short holds: it looks at what is granted by then when it wakes. */
    if (earlier(room->mind_ns, beat_due(room, now)) < room->tended_ns) avout__tender_wake(room);
}

/* ---- callbacks ---------------------------------------------------------------------------------------- */

void avout__notice_post(avout__locks *room, avout__notice *notice)
{
    if (avout__link_linked(&notice->link)) return;
    avout__list_append(&room->notices, &notice->link);
    pthread_cond_broadcast(&room->told);
}

static void notice_done(avout__notice *notice)
{
    if (!notice->kept) avout__free(notice);
}

static void tell(avout__locks *room, avout__notice *notice)
{
    bool kept = notice->kept;
    avout__link_remove(&notice->link);
    room->told_owner = notice->owner;
    notice->tell(room, notice);
    room->told_owner = NULL;
    if (!kept) avout__free(notice); /* else its owner may have gone with it */
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

void avout__notices_end(avout__locks *room, const void *owner)
{
    AVOUT__LIST_EACH(link, &room->notices)
    {
        avout__notice *notice = AVOUT__LINK_OF(link, avout__notice, link);
        if (notice->owner != owner) continue;
        avout__link_remove(&notice->link);
        notice_done(notice);
    }
    if (avout__locks_is_me(room) && room->told_owner == owner) room->told_owner = NULL;
    while (!avout__locks_is_me(room) && room->told_owner == owner)
        pthread_cond_wait(&room->told, &room->mutex);
}

struct avout__loss {
    avout__notice notice;
    avout_lost_fn lost;
    void *payload;
    avout_token token;
    char name[];
};

static void tell_loss(avout__locks *room, avout__notice *notice)
{
    avout__loss *loss = AVOUT__LINK_OF(notice, avout__loss, notice);
    avout__locks_unlock(room);
    loss->lost(loss->name, loss->token, loss->payload);
    avout__locks_lock(room);
}

avout_status avout__loss_new(avout__loss **out, const char *name)
{
    size_t size = strlen(name) + 1;
    avout__loss *loss = avout__calloc(1, sizeof *loss + size);
    if (!loss) return AVOUT_ENOMEM;
    memcpy(loss->name, name, size);
    *out = loss;
    return AVOUT_OK;
}

void avout__loss_free(avout__loss *loss)
{
    avout__free(loss);
}

void avout__loss_tell(avout__locks *room, avout__loss *loss, const void *owner, avout_lost_fn lost,
                      void *payload, avout_token token)
{
    if (!loss || !lost) {
        avout__free(loss);
        return;
    }
    loss->notice = (avout__notice){.owner = owner, .tell = tell_loss};
    loss->lost = lost;
    loss->payload = payload;
    loss->token = token;
    avout__notice_post(room, &loss->notice);
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
