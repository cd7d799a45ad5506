/* What happens to the session: events of the library, and the checks on a new session before anybody
 * may use it.
 *
 * A new session is used only when
 *  - the credentials have been sent,
 *  - the chroot exists and may be read,
 *  - it is known not to be a local session (those do not survive a change of server, and have no
 *    ephemeral nodes). There is no request to ask: only the creation of an ephemeral node is
 *    refused on one, or makes it a global one. So one is asked for, below a node that never was. (In
 *    a multi a follower's leader would refuse it as of an expired session instead.) */
#include "store/zk/internal.h"

#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "store/store.h"
#include "base/banned.h"

/* Whoever waits for its turn holds the gate, so that the one who has it cannot come back first: a
 * mutex alone goes to the thread that is running. */
void avout__zk_take_delivery(avout__zk *zk)
{
    pthread_mutex_lock(&zk->gate);
    pthread_mutex_lock(&zk->delivery);
    pthread_mutex_unlock(&zk->gate);
    avout__store_delivering = true;
}

void avout__zk_give_delivery(avout__zk *zk)
{
    pthread_mutex_unlock(&zk->delivery);
}

/* ---- checks on a new session --------------------------------------------------------------------- */

static void check(avout__zk *zk);

/* The session came about but cannot be used. `lasting`: it makes no sense to try again. */
static void refuse_session(avout__zk *zk, avout_status status, bool lasting, const char *text)
{
    pthread_mutex_lock(&zk->lock);
    if (zk->phase == ZK_STARTING) {
        zk->phase = ZK_ENDED;
        zk->attempt_failed = true;
        zk->lasting = lasting;
        zk->failure = status;
        snprintf(zk->failure_text, sizeof zk->failure_text, "%s", text);
        pthread_cond_broadcast(&zk->changed);
    }
    pthread_mutex_unlock(&zk->lock);
    avout__zk_log(zk, AVOUT_LOG_ERROR, "session refused: %s", text);
}

static void accept_session(avout__zk *zk)
{
    pthread_mutex_lock(&zk->lock);
    bool accepted = zk->phase == ZK_STARTING && !zk->closing;
    bool first = !zk->had_session;
    if (accepted) {
        zk->phase = ZK_UP;
        zk->had_session = true;
        zk->attempt_failed = false;
        zk->session = zoo_client_id(zk->zh)->client_id;
        zk->negotiated_ms = zoo_recv_timeout(zk->zh);
    }
    pthread_mutex_unlock(&zk->lock);
    if (!accepted) return;
    zk->listener.on_session(first ? AVOUT_EVENT_CONNECTED : AVOUT_EVENT_REESTABLISHED,
                            zk->listener.payload);
    /* open waits for this */
    pthread_mutex_lock(&zk->lock);
    zk->announced = true;
    pthread_cond_broadcast(&zk->changed);
    pthread_mutex_unlock(&zk->lock);
}

static void on_root(const avout_reply *reply, void *payload)
{
    avout__zk *zk = payload;
    zk->root_status = reply->status;
}

static void on_created(const avout_reply *reply, void *payload)
{
    avout__zk *zk = payload;
    if (!reply->status || reply->status == AVOUT_EEXISTS || zk->create_status) return;
    zk->create_status = reply->status;
    snprintf(zk->create_text, sizeof zk->create_text, "%s", reply->detail ? reply->detail : "");
}

static void create_chroot(avout__zk *zk)
{
    char path[1100];
    zk->chroot_tried = true;
    zk->create_status = AVOUT_OK;
    for (size_t i = 1; i <= zk->chroot_length; i++) {
        if (zk->chroot[i] && zk->chroot[i] != '/') continue;
        snprintf(path, sizeof path, "%.*s", (int)i, zk->chroot);
        avout_op op = {.kind = AVOUT_OP_CREATE, .path = path};
        avout_request request = {.kind = AVOUT_REQUEST_MULTI,
                                 .ops = &op,
                                 .op_count = 1,
                                 .done = on_created,
                                 .payload = zk};
        if (avout__zk_submit_own(zk, &request, ZK_PLAIN))
            refuse_session(zk, AVOUT_ENOMEM, true, "out of memory");
    }
    check(zk);
}

static void judge_root(avout__zk *zk)
{
    char text[sizeof zk->failure_text];
    switch (zk->root_status) {
    case AVOUT_OK: accept_session(zk); return;
    case AVOUT_ENOTFOUND:
        if (!zk->chroot_tried) {
            create_chroot(zk);
            return;
        }
        if (!zk->create_status) zk->create_status = AVOUT_ENOTFOUND;
        snprintf(text, sizeof text, "ZooKeeper (%.100s): the root node %.64s cannot be created: %s",
                 zk->servers, zk->chroot, zk->create_text);
        refuse_session(zk, zk->create_status, zk->create_status == AVOUT_EPERM, text);
        return;
    case AVOUT_EPERM:
        snprintf(text, sizeof text,
                 "ZooKeeper (%.100s): no permission to read the root node %.64s %s%.64s",
                 zk->servers, zk->chroot, zk->user ? "as user " : "without credentials",
                 zk->user ? zk->user : "");
        refuse_session(zk, AVOUT_EPERM, true, text);
        return;
    case AVOUT_ECONNECTION: return; /* the next CONNECTED starts over */
    default:
        snprintf(text, sizeof text, "ZooKeeper (%.100s): the root node %.64s cannot be read: %s",
                 zk->servers, zk->chroot, avout_status_text(zk->root_status));
        refuse_session(zk, zk->root_status, false, text);
    }
}

static void on_probe(const avout_reply *reply, void *payload)
{
    avout__zk *zk = payload;
    char text[sizeof zk->failure_text];
    switch (reply->status) {
    case AVOUT_ENOTFOUND:
        judge_root(zk);
        return;                     /* it was looked at, and there is no such parent */
    case AVOUT_ECONNECTION: return; /* the next CONNECTED starts over */
    case AVOUT_ECLOSED: return;
    case AVOUT_ENOTSUP:
        snprintf(text, sizeof text,
                 "ZooKeeper (%.100s): the server gives out local sessions only "
                 "(localSessionsEnabled without localSessionsUpgradingEnabled)",
                 zk->servers);
        refuse_session(zk, AVOUT_ENOTSUP, true, text);
        return;
    default:
        snprintf(text, sizeof text, "ZooKeeper (%.100s): the session cannot be used: %.128s",
                 zk->servers, reply->detail ? reply->detail : avout_status_text(reply->status));
        refuse_session(zk, reply->status,
                       reply->status == AVOUT_EAUTH || reply->status == AVOUT_ENOMEM, text);
    }
}

/* Sends the checks; their answers go on. Delivery held. */
static void check(avout__zk *zk)
{
    const char *root = zk->chroot_length ? zk->chroot : "/";
    char nowhere[64];
    snprintf(nowhere, sizeof nowhere, "/avout-%016" PRIx64 "/probe", avout__random64());
    /* The bytes of "/" are nobody's business, and may be forbidden: those of our root are not. */
    avout_request look = {
        .kind = zk->chroot_length ? AVOUT_REQUEST_GET : AVOUT_REQUEST_EXISTS,
        .path = root,
        .done = on_root,
        .payload = zk,
    };
    avout_request probe = {
        .kind = AVOUT_REQUEST_SYNC,
        .path = nowhere,
        .done = on_probe,
        .payload = zk,
    };
    zk->root_status = AVOUT_ECONNECTION;
    if (avout__zk_submit_own(zk, &look, ZK_PLAIN) || avout__zk_submit_own(zk, &probe, ZK_PROBE))
        refuse_session(zk, AVOUT_ENOMEM, true, "out of memory");
}

/* Only a connected handle takes credentials for certain (a disconnected one answers
 * ZINVALIDSTATE); it sends them again on each further connection by itself. */
static bool authenticate(avout__zk *zk, zhandle_t *zh)
{
    if (!zk->credentials || zk->authenticated) return true;
    zk->authenticated = zoo_add_auth(zh, "digest", zk->credentials, (int)strlen(zk->credentials),
                                     NULL, NULL) == ZOK;
    return zk->authenticated;
}

/* ---- events -------------------------------------------------------------------------------------- */

static void on_connected(avout__zk *zk, zhandle_t *zh)
{
    pthread_mutex_lock(&zk->lock);
    zk_phase phase = zk->phase;
    zk->zh = zh; /* we may be here before zookeeper_init has returned */
    zk->negotiated_ms = zoo_recv_timeout(zh);
    if (phase == ZK_SUSPENDED) zk->phase = ZK_UP;
    pthread_mutex_unlock(&zk->lock);
    avout__zk_link_delivered(zk);
    if (phase == ZK_SUSPENDED) zk->listener.on_session(AVOUT_EVENT_RESUMED, zk->listener.payload);
    else if (phase == ZK_STARTING && authenticate(zk, zh)) check(zk);
}

static void on_disconnected(avout__zk *zk)
{
    pthread_mutex_lock(&zk->lock);
    bool was_up = zk->phase == ZK_UP;
    if (was_up) {
        zk->phase = ZK_SUSPENDED;
        avout__zk_refuse_waiting(zk, AVOUT_ECONNECTION, "connection to ZooKeeper lost");
    }
    pthread_mutex_unlock(&zk->lock);
    avout__zk_link_lost(zk);
    if (was_up) zk->listener.on_session(AVOUT_EVENT_SUSPENDED, zk->listener.payload);
}

/* The handle is of no use any more; the supervisor replaces it. */
static void on_ended(avout__zk *zk, int state)
{
    if (state == ZOO_AUTH_FAILED_STATE) {
        char text[sizeof zk->failure_text];
        snprintf(text, sizeof text, "ZooKeeper (%.100s): authentication failed", zk->servers);
        refuse_session(zk, AVOUT_EAUTH, true, text);
    }
    on_disconnected(zk);
    pthread_mutex_lock(&zk->lock);
    if (zk->phase == ZK_SUSPENDED) zk->lost_due = true;
    zk->phase = ZK_ENDED;
    pthread_cond_broadcast(&zk->changed);
    pthread_mutex_unlock(&zk->lock);
}

static void on_node(avout__zk *zk, int type, const char *path)
{
    avout_node_event event = type == ZOO_CREATED_EVENT   ? AVOUT_NODE_CREATED
                             : type == ZOO_CHANGED_EVENT ? AVOUT_NODE_CHANGED
                             : type == ZOO_DELETED_EVENT ? AVOUT_NODE_DELETED
                             : type == ZOO_CHILD_EVENT   ? AVOUT_NODE_CHILDREN
                                                         : AVOUT_NODE_UNKNOWN;
    zk->listener.on_node(event, avout__zk_strip(zk, path), zk->listener.payload);
}

/* The library tells a session event to each distinct (function, context) of all armed watches: one
 * pair for all keeps it at one call. */
void avout__zk_watcher(zhandle_t *zh, int type, int state, const char *path, void *context)
{
    avout__zk *zk = context;
    avout__zk_take_delivery(zk);
    if (type != ZOO_SESSION_EVENT) on_node(zk, type, path);
    else if (state == ZOO_CONNECTED_STATE) on_connected(zk, zh);
    else if (state == ZOO_CONNECTING_STATE) on_disconnected(zk);
    else if (state == ZOO_EXPIRED_SESSION_STATE || state == ZOO_AUTH_FAILED_STATE)
        on_ended(zk, state);
    avout__zk_give_delivery(zk);
}
