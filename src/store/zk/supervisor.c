/* The supervisor: opens the library's handles, replaces those whose session has ended, answers
 * requests that were never sent, and breaks a connection on which a request stays unanswered.
 *
 * A loaded ensemble can take a request and never answer it, with the connection alive (the library
 * itself gives up only when nothing at all has come for two thirds of the session timeout, and watch
 * events count). So the oldest request has a limit of ours, nine tenths of that. */
#include "store/zk/internal.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/banned.h"

enum {
    DRAIN_MS = 1000, /* for the completion thread to answer what an ended session left */
    RETRY_FIRST_MS = 50,
    RETRY_LAST_MS = 3000,
    TRIAL_LEAST_MS = 1000, /* a loaded server is not a dead one */
};

/* False when the deadline has passed. `lock` held. */
static bool wait_until(avout__zk *zk, int64_t deadline_ns)
{
    if (deadline_ns == AVOUT__NEVER) {
        pthread_cond_wait(&zk->changed, &zk->lock);
        return true;
    }
    struct timespec until = {deadline_ns / 1000000000, deadline_ns % 1000000000};
    return pthread_cond_timedwait(&zk->changed, &zk->lock, &until) != ETIMEDOUT;
}

/* `lock` held at entry and exit. */
static void answer_refused(avout__zk *zk)
{
    pthread_mutex_unlock(&zk->lock);
    avout__zk_take_delivery(zk);
    avout__zk_deliver_refused(zk);
    avout__zk_give_delivery(zk);
    pthread_mutex_lock(&zk->lock);
}

/* Waits, and answers meanwhile what is submitted without a connection. With `drained`, only until
 * nothing sent is unanswered. `lock` held at entry and exit. */
static void idle_until(avout__zk *zk, int64_t deadline_ns, bool drained)
{
    while (!zk->closing && !(drained && !zk->in_flight) && avout__now_ns() < deadline_ns)
        if (avout__zk_refused_first(zk)) answer_refused(zk);
        else wait_until(zk, deadline_ns);
}

/* `lock` held at entry and exit. */
static void sleep_jittered(avout__zk *zk, int64_t base_ms)
{
    int64_t ms = base_ms / 2 + (int64_t)(avout__random64() % (uint64_t)(base_ms + 1));
    idle_until(zk, avout__deadline_in_ms(ms ? ms : 1), false);
}

/* ---- one library handle after the other ------------------------------------------------------------ */

/* `lock` held at entry and exit. */
static bool open_handle(avout__zk *zk)
{
    zk->phase = ZK_STARTING;
    zk->attempt_failed = false;
    zk->authenticated = false;
    zk->chroot_tried = false;
    zk->zh = NULL;
    pthread_mutex_unlock(&zk->lock);
    zhandle_t *zh = avout__zk_handle_open(zk);
    int number = errno;
    pthread_mutex_lock(&zk->lock);
    if (zh) {
        zk->zh = zh;
        pthread_cond_broadcast(&zk->changed);
        return true;
    }
    zk->phase = ZK_ENDED;
    zk->attempt_failed = true;
    zk->lasting = false;
    zk->failure = number == ENOMEM ? AVOUT_ENOMEM : AVOUT_ECONNECTION;
    char reason[128];
    /* The library turns "no such host" into ENOENT. */
    const char *why = number == ENOENT || number == EINVAL
                          ? "host name cannot be resolved"
                          : strerror_r(number, reason, sizeof reason);
    snprintf(zk->failure_text, sizeof zk->failure_text, "ZooKeeper (%.200s): %s", zk->servers, why);
    pthread_cond_broadcast(&zk->changed);
    return false;
}

/* Closes the handle of an ended session; all its requests are answered before LOST is told. Nothing
 * sent is left unanswered by now but what was queued while the session was found expired, and that
 * was never written. `lock` held at entry and exit. */
static void close_ended(avout__zk *zk)
{
    idle_until(zk, avout__deadline_in_ms(DRAIN_MS), true);
    if (zk->closing) return;
    zhandle_t *zh = zk->zh;
    bool lost = zk->lost_due;
    zk->lost_due = false;
    /* A session that was refused by a check of ours is alive: its multis may have come through. */
    bool maybe_done = !lost;
    pthread_mutex_unlock(&zk->lock);
    if (zh) zookeeper_close(zh);
    avout__zk_link_reset(zk);
    pthread_mutex_lock(&zk->lock);
    zk->zh = NULL;
    pthread_mutex_unlock(&zk->lock);
    avout__zk_take_delivery(zk);
    avout__zk_deliver_rest(zk, AVOUT_ESESSION, maybe_done);
    if (lost) zk->listener.on_session(AVOUT_EVENT_LOST, zk->listener.payload);
    avout__zk_give_delivery(zk);
    pthread_mutex_lock(&zk->lock);
}

/* ---- the oldest request ------------------------------------------------------------------------------ */

/* When the oldest request that was sent becomes too old. `lock` held. */
static int64_t oldest_limit_ns(const avout__zk *zk)
{
    AVOUT__LIST_EACH(link, &zk->outstanding)
    {
        const zk_entry *entry = AVOUT__LINK_OF(link, zk_entry, link);
        if (entry->state != ZK_SENT) continue;
        return entry->sent_ns + zk->negotiated_ms * 1000000 * 2 / 3 * 9 / 10;
    }
    return AVOUT__NEVER;
}

/* `lock` held at entry and exit. */
static void break_connection(avout__zk *zk)
{
    bool broken = avout__zk_link_break(zk);
    pthread_mutex_unlock(&zk->lock);
    avout__zk_log(zk, AVOUT_LOG_WARNING,
                  broken ? "a request was not answered within %" PRId64 " ms: connection given up"
                         : "a request was not answered within %" PRId64 " ms",
                  zk->negotiated_ms * 6 / 10);
    pthread_mutex_lock(&zk->lock);
}

/* ---- servers that take the connection and do not answer --------------------------------------------- */

/* A stopped server does that: its kernel takes connections. The library waits two thirds of the session's
 * timeout for the answer, so two such servers cost a reconnecting client its session, and one can cost
 * all the time there is for opening. Each server named gets its share of the timeout instead: then a
 * session survives while most servers live. Where all are slow rather than dead each further round is
 * more patient, until the library's own limit counts. With a single server there is no next one; a name
 * that has many addresses counts as one server. */
static int64_t trial_limit_ns(avout__zk *zk)
{
    int given_up;
    int64_t since_ns = avout__zk_link_trial(zk, &given_up);
    if (since_ns == AVOUT__NEVER || zk->server_count < 2) return AVOUT__NEVER;
    int64_t ms = zk->negotiated_ms ? zk->negotiated_ms : zk->session_timeout_ms;
    if (!zk->announced && zk->connect_timeout_ms >= 0 && zk->connect_timeout_ms < ms)
        ms = zk->connect_timeout_ms;
    ms /= zk->server_count;
    if (ms < TRIAL_LEAST_MS) ms = TRIAL_LEAST_MS;
    return since_ns + ms * (1 + given_up / zk->server_count) * 1000000;
}

/* `lock` held at entry and exit. */
static void give_up_trial(avout__zk *zk)
{
    if (!avout__zk_link_give_up(zk)) return;
    pthread_mutex_unlock(&zk->lock);
    avout__zk_log(zk, AVOUT_LOG_WARNING,
                  "a server took the connection and did not answer: on to the next");
    pthread_mutex_lock(&zk->lock);
}

/* Answers what was refused, or waits for something to do. `lock` held at entry and exit. */
static void attend(avout__zk *zk, int64_t *quiet_until_ns)
{
    int64_t limit_ns = oldest_limit_ns(zk);
    if (limit_ns != AVOUT__NEVER && limit_ns < *quiet_until_ns) limit_ns = *quiet_until_ns;
    if (limit_ns <= avout__now_ns()) {
        break_connection(zk);
        /* The connection takes a moment to end; one call is enough for it. */
        *quiet_until_ns = avout__now_ns() + zk->negotiated_ms * 1000000 / 2;
        return;
    }
    if (avout__zk_refused_first(zk)) {
        answer_refused(zk);
        return;
    }
    int64_t trial_ns = trial_limit_ns(zk);
    if (trial_ns <= avout__now_ns()) {
        give_up_trial(zk);
        return;
    }
    zk->supervisor_idle = limit_ns == AVOUT__NEVER;
    wait_until(zk, limit_ns < trial_ns ? limit_ns : trial_ns);
    zk->supervisor_idle = false;
}

void *avout__zk_supervise(void *context)
{
    avout__zk *zk = context;
    int64_t retry_ms = 0, quiet_until_ns = 0;
    pthread_mutex_lock(&zk->lock);
    open_handle(zk);
    while (!zk->closing) {
        if (zk->phase == ZK_ENDED) {
            bool failed = zk->attempt_failed;
            close_ended(zk);
            /* Many clients lose their sessions at one time: they do not come back at one time. */
            retry_ms = !failed ? RETRY_FIRST_MS : retry_ms ? retry_ms * 2 : RETRY_FIRST_MS;
            if (retry_ms > RETRY_LAST_MS) retry_ms = RETRY_LAST_MS;
            sleep_jittered(zk, retry_ms);
            if (!zk->closing) open_handle(zk);
        } else {
            if (zk->phase == ZK_UP) retry_ms = 0;
            attend(zk, &quiet_until_ns);
        }
    }
    pthread_mutex_unlock(&zk->lock);
    return NULL;
}
