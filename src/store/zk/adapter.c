/* The adapter's table: opening and closing a port handle. */
#include "store/zk/internal.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buffer.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/interrupt.h"
#include "base/thread.h"
#include "store/store.h"
#include "base/banned.h"

enum {
    SESSION_TIMEOUT_MS = 10000,
    CONNECT_TIMEOUT_MS = 10000,
    LONGEST_TIMEOUT_MS = 24 * 3600 * 1000, /* the library computes with twice as much in an int */
    LAST_ANSWERS_MS = 1000,                /* what close waits for answers under way */
    LOOK_MS = 50,                          /* how often connecting looks for an interruption */
    DEFAULT_PORT = 2181,
};

/* ---- address ------------------------------------------------------------------------------------- */

static bool has_port(const char *host, size_t length)
{
    const char *colon = memrchr(host, ':', length);
    return colon && (*host != '[' || colon[-1] == ']');
}

/* The library splits a host at its last colon and wants IPv6 addresses without brackets. */
static avout_status take_host(avout__buffer *servers, const char *host, size_t length)
{
    avout_status status = servers->length ? avout__buffer_add_char(servers, ',') : AVOUT_OK;
    for (size_t i = 0; i < length && !status; i++)
        if (host[i] != '[' && host[i] != ']') status = avout__buffer_add_char(servers, host[i]);
    if (!status && !has_port(host, length))
        status = avout__buffer_add_format(servers, ":%d", DEFAULT_PORT);
    return status;
}

static avout_status take_address(avout__zk *zk, const char *address)
{
    size_t length = strcspn(address, "/");
    const char *chroot = address + length;
    if (!strcmp(chroot, "/")) chroot = "";
    if (*chroot) {
        avout_status status = avout__name_check(chroot);
        if (status) return avout_fail(AVOUT_EURL, "ZooKeeper address: %s", avout_error_detail());
    }
    avout__buffer servers = AVOUT__BUFFER_INIT;
    avout_status status = AVOUT_OK;
    for (size_t at = 0; at <= length && !status;) {
        size_t host = strcspn(address + at, ",/");
        if (!host) status = avout_fail(AVOUT_EURL, "ZooKeeper address: a host is missing");
        else status = take_host(&servers, address + at, host);
        zk->server_count++;
        at += host + 1;
    }
    if (!status) {
        zk->servers = avout__buffer_take(&servers);
        zk->chroot = avout__strdup(chroot);
        zk->chroot_length = strlen(chroot);
        if (!zk->servers || !zk->chroot) status = AVOUT_ENOMEM;
    }
    avout__buffer_release(&servers);
    return status;
}

/* ---- making and unmaking ------------------------------------------------------------------------- */

static avout_status make(avout__zk **out, const char *address, const avout_options *options,
                         const avout_listener *listener)
{
    avout__zk *zk = avout__calloc(1, sizeof *zk);
    if (!zk) return AVOUT_ENOMEM;
    *out = zk;
    zk->base.ops = &avout__zk_ops;
    zk->owner = getpid();
    zk->listener = *listener;
    zk->log_slot = -1;
    zk->phase = ZK_STARTING;
    int64_t timeout_ms = options->session_timeout_ms;
    if (!timeout_ms) timeout_ms = SESSION_TIMEOUT_MS;
    if (timeout_ms < 0 || timeout_ms > LONGEST_TIMEOUT_MS) timeout_ms = LONGEST_TIMEOUT_MS;
    zk->session_timeout_ms = (int)timeout_ms;
    zk->connect_timeout_ms =
        options->connect_timeout_ms ? options->connect_timeout_ms : CONNECT_TIMEOUT_MS;
    avout__list_init(&zk->outstanding);
    avout__list_init(&zk->waiting);
    avout__list_init(&zk->kept);
    pthread_mutex_init(&zk->gate, NULL);
    pthread_mutex_init(&zk->delivery, NULL);
    pthread_mutex_init(&zk->lock, NULL);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&zk->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    avout__zk_link_init(zk);
    avout_status status = take_address(zk, address);
    if (!status) status = avout__zk_secure(zk, options);
    if (!status) avout__zk_log_open(zk);
    return status;
}

/* No thread of the handle is left. */
static void unmake(avout__zk *zk)
{
    avout__zk_log_close(zk);
    avout__zk_link_release(zk, false);
    avout__zk_secure_release(zk);
    avout__free(zk->servers);
    avout__free(zk->chroot);
    pthread_cond_destroy(&zk->changed);
    pthread_mutex_destroy(&zk->lock);
    pthread_mutex_destroy(&zk->delivery);
    pthread_mutex_destroy(&zk->gate);
    avout__free(zk);
}

/* The library's threads inherit the mask: the process's signals are the business of its own. */
static avout_status start_supervisor(avout__zk *zk)
{
    return avout__thread_start(&zk->supervisor, avout__zk_supervise, zk);
}

static bool wait_changed(avout__zk *zk, int64_t deadline_ns)
{
    if (deadline_ns == AVOUT__NEVER) return !pthread_cond_wait(&zk->changed, &zk->lock);
    struct timespec until = {deadline_ns / 1000000000, deadline_ns % 1000000000};
    return pthread_cond_timedwait(&zk->changed, &zk->lock, &until) != ETIMEDOUT;
}

/* Waits for the answers that are on their way, then ends the session. */
static void shut_down(avout__zk *zk)
{
    pthread_mutex_lock(&zk->lock);
    zk->closing = true;
    avout__zk_refuse_waiting(zk, AVOUT_ECLOSED, "ZooKeeper handle is being closed");
    pthread_cond_broadcast(&zk->changed);
    pthread_mutex_unlock(&zk->lock);
    pthread_join(zk->supervisor, NULL);
    pthread_mutex_lock(&zk->lock);
    int64_t deadline_ns = avout__deadline_in_ms(LAST_ANSWERS_MS);
    while (zk->in_flight && zk->phase == ZK_UP && wait_changed(zk, deadline_ns)) {}
    zhandle_t *zh = zk->zh;
    pthread_mutex_unlock(&zk->lock);
    if (zh) zookeeper_close(zh);
    avout__zk_take_delivery(zk);
    avout__zk_deliver_rest(zk, AVOUT_ECLOSED, true);
    avout__zk_give_delivery(zk);
    avout__store_delivering = false; /* the caller's thread was borrowed for it */
}

/* ---- the port's functions -------------------------------------------------------------------------- */

static avout_status await_session(avout__zk *zk)
{
    int64_t deadline_ns = avout__deadline_in_ms(zk->connect_timeout_ms);
    pthread_mutex_lock(&zk->lock);
    while (!zk->announced && !(zk->attempt_failed && zk->lasting) &&
           !avout__deadline_passed(deadline_ns)) {
        /* An interruption does not reach this wait: it looks now and then. */
        int64_t look_ns = avout__deadline_in_ms(LOOK_MS);
        wait_changed(zk, look_ns < deadline_ns ? look_ns : deadline_ns);
    }
    avout_status status = AVOUT_OK;
    if (!zk->announced && avout__interrupted())
        status = avout_fail(AVOUT_ECANCELLED, "ZooKeeper (%s): interrupted while connecting",
                            zk->servers);
    else if (!zk->announced && zk->failure)
        status = avout_fail(zk->failure, "%s", zk->failure_text);
    else if (!zk->announced)
        status = avout_fail(AVOUT_ECONNECTION,
                            "ZooKeeper (%s): no server gave a session within %" PRId64 " ms",
                            zk->servers, zk->connect_timeout_ms);
    pthread_mutex_unlock(&zk->lock);
    return status;
}

static void zk_close(avout_store *store);

static avout_status zk_open(avout_store **store, const char *address, const avout_options *options,
                            const avout_listener *listener)
{
    avout__zk *zk = NULL;
    *store = NULL;
    avout_status status = make(&zk, address, options, listener);
    if (!status) status = start_supervisor(zk);
    if (status) {
        if (zk) unmake(zk);
        return status;
    }
    status = await_session(zk);
    if (status) {
        char detail[512];
        snprintf(detail, sizeof detail, "%s", avout_error_detail());
        zk_close(&zk->base);
        return avout_fail(status, "%s", detail);
    }
    *store = &zk->base;
    return AVOUT_OK;
}

/* In a forked child there are no threads but ours, and the library's handle cannot be closed: it
 * would end the parent's session, or wait for threads that are not there. Its memory stays. */
static void abandon(avout__zk *zk)
{
    /* Taken at the fork by a thread that is gone, it says that the table may be half changed. */
    if (!pthread_mutex_trylock(&zk->lock)) {
        avout__list_splice(&zk->outstanding, &zk->waiting);
        AVOUT__LIST_EACH(link, &zk->outstanding) avout__free(AVOUT__LINK_OF(link, zk_entry, link));
    }
    avout__zk_log_close(zk);
    avout__zk_link_release(zk, true);
    avout__zk_secure_release(zk);
    avout__free(zk->servers);
    avout__free(zk->chroot);
    avout__free(zk);
}

static void zk_close(avout_store *store)
{
    avout__zk *zk = (avout__zk *)store;
    if (getpid() != zk->owner) {
        abandon(zk);
        return;
    }
    shut_down(zk);
    unmake(zk);
}

/* Armed paths are sent in one packet when a connection is made again, each with its length and the
 * chroot. The limit we tell counts the bare names: paths of 16 bytes are assumed, shorter ones in
 * such numbers would end the session at the next reconnection, which is survived. */
static size_t max_armed(const avout__zk *zk)
{
    enum { TYPICAL = 16, LENGTH = 4, PACKET = 900 * 1024 };
    return (size_t)PACKET * TYPICAL / (TYPICAL + LENGTH + zk->chroot_length);
}

static void zk_info(avout_store *store, avout_store_info *info)
{
    avout__zk *zk = (avout__zk *)store;
    /* In a forked child a thread that is gone may have had the lock. */
    bool locked = getpid() == zk->owner && !pthread_mutex_lock(&zk->lock);
    *info = (avout_store_info){.session = zk->session,
                               .session_timeout_ms = zk->negotiated_ms,
                               .max_request = ZK_PACKET_MAX,
                               .max_armed = max_armed(zk),
                               .op_overhead = avout__zk_op_overhead(zk)};
    if (locked) pthread_mutex_unlock(&zk->lock);
}

const avout_store_ops avout__zk_ops = {
    .version = AVOUT_STORE_OPS_VERSION,
    .size = sizeof(avout_store_ops),
    .scheme = "zk",
    .open = zk_open,
    .close = zk_close,
    .submit = avout__zk_submit,
    .info = zk_info,
    .unwatch = avout__zk_unwatch,
};
