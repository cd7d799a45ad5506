/* Inside the ZooKeeper adapter.
 *
 * One port handle (avout__zk) outlives many sessions. Each session has its own handle of the client
 * library (zhandle_t), with the library's two threads: the I/O thread, and the completion thread,
 * on which replies and events arrive. A supervisor thread of ours opens the library's handles,
 * closes those whose session has ended, and watches the age of the oldest unanswered request.
 *
 *             new zhandle         session, checks passed
 *   STARTING ------------> (..) ---------------------------> UP <---------------+
 *      ^                                                     |                  |
 *      |                                  connection broken  v   connected      |
 *      | supervisor:                                     SUSPENDED -------------+
 *      | close, fail the rest, LOST                          |
 *      +-------------------- ENDED <-------------------------+
 *                                      session expired, authentication failed
 *
 * Who delivers: whoever holds `delivery`. In UP and SUSPENDED that is the completion thread; the
 * supervisor takes it for requests that were never sent and, when the zhandle is closed (its threads
 * have ended then), for what the library left unanswered.
 *
 * Locks: gate, delivery, lock, link.lock, in this order. `lock` is held while requests are given to the library, which makes
 * each submit() one run on the wire; no callback is ever called under it. submit, info and unwatch
 * take only `lock`, so callbacks may call them.
 *
 * The library answers in the order of sending (it compares the transaction ids of request and reply
 * and drops the connection when they differ), so the table of outstanding requests is a queue. */
#ifndef AVOUT_STORE_ZK_INTERNAL_H
#define AVOUT_STORE_ZK_INTERNAL_H

#include <pthread.h>
#include <sys/types.h>
#include <zookeeper/zookeeper.h>

#include "base/list.h"
#include "store/zk/zk.h"

/* The client library writes a byte into a pipe for each request and drops the connection when the
 * pipe (64 KiB) is full: requests beyond this many unanswered ones wait in our own queue. */
enum { ZK_IN_FLIGHT_MAX = 2000 };

/* The server refuses packets over jute.maxbuffer (0xfffff unless configured) by closing the
 * connection. The margin is for the request's own header and what the server adds when it passes a
 * request on. */
enum { ZK_PACKET_MAX = 0xfffff - 8 * 1024 };

/* The server has taken the connection and not answered yet. */
#define ZK_ON_TRIAL UINT64_MAX

typedef enum zk_phase { ZK_STARTING, ZK_UP, ZK_SUSPENDED, ZK_ENDED } zk_phase;

typedef struct avout__zk {
    avout_store base;
    pid_t owner; /* the process that opened it */
    avout_listener listener;
    char *servers; /* "host:port,host:port", as the library wants it */
    char *chroot;  /* "" or "/a/b": we prepend and strip it, the library knows nothing */
    size_t chroot_length;
    char *credentials; /* "user:password" or NULL */
    char *user;        /* for messages */
    const struct ACL_vector *acl;
    char *tls;                  /* what zookeeper_init_ssl wants, or NULL */
    int session_timeout_ms;     /* asked for */
    int64_t connect_timeout_ms; /* of open, or AVOUT_FOREVER */
    int server_count;           /* as named in the address */
    int log_slot;
    pthread_t supervisor;

    pthread_mutex_t gate, delivery;

    pthread_mutex_t lock;
    pthread_cond_t changed; /* monotonic clock; supervisor, open and close wait on it */
    zk_phase phase;
    zhandle_t *zh;
    avout__link outstanding; /* sent, or refused: the order in which they are to be answered */
    avout__link waiting;     /* beyond the cap, behind all outstanding; only in UP */
    avout__link kept;        /* delivery held, not lock */
    size_t in_flight;
    bool supervisor_idle; /* waits without an end: wake it when a request goes out */
    bool closing;
    bool had_session; /* CONNECTED was delivered */
    bool announced;   /* and its listener has returned */
    bool lost_due;    /* LOST is to be delivered before a new session */
    int64_t session;
    int64_t negotiated_ms;
    bool attempt_failed; /* the session came about and was refused by one of our checks */
    bool lasting;        /* trying again will not help */
    avout_status failure;
    char failure_text[512];

    /* Of the zhandle being checked; delivery held. */
    bool authenticated;
    bool chroot_tried;
    avout_status root_status, create_status;
    char create_text[256];

    struct {
        pthread_mutex_t lock;
        int fd;              /* a duplicate of the library's socket, or -1 */
        int original;        /* the library's number for it */
        uint64_t connection; /* number of the connection fd belongs to, or ZK_ON_TRIAL */
        uint64_t made;       /* connections seen by the I/O thread */
        uint64_t delivered;  /* connections whose event was delivered */
        int64_t trial_ns;    /* ZK_ON_TRIAL: since when */
        int given_up;        /* trials, since there was a connection */
    } link;
} avout__zk;

/* ---- request.c: requests as the library wants them -------------------------------------------- */

typedef enum zk_entry_state { ZK_WAITING, ZK_SENT, ZK_REFUSED } zk_entry_state;

/* What the port has no request for. A probe asks for an ephemeral node (session.c). */
typedef enum zk_special { ZK_PLAIN, ZK_UNWATCH, ZK_PROBE } zk_special;

/* A request with copies of all it needs, in one block. */
typedef struct zk_entry {
    avout__link link;
    avout__zk *zk;
    avout_request_kind kind;
    zk_entry_state state;
    zk_special special; /* not ZK_PLAIN: only `path` counts */
    bool watch;
    bool kept;            /* the library may still touch it: freed with the library's handle */
    avout_status refusal; /* ZK_REFUSED: what to answer */
    const char *refusal_text;
    avout_done_fn done; /* or NULL */
    void *payload;
    int64_t sent_ns;
    char *path; /* with the chroot */
    size_t op_count;
    zoo_op_t *ops;
    zoo_op_result_t *outcomes;
    struct Stat *stats;
    avout_op_result *results;
} zk_entry;

/* Bytes of the request as the port counts them: at least what it takes on the wire. */
size_t avout__zk_request_size(const avout__zk *zk, const avout_request *request);
/* What an operation costs at most beside its path and bytes. */
size_t avout__zk_op_overhead(const avout__zk *zk);
/* `whole`: the paths have the chroot already. NULL: no memory. */
zk_entry *avout__zk_entry_new(avout__zk *zk, const avout_request *request, bool whole);
/* Gives it to the library; the answer of its zoo_... call. `lock` held. */
int avout__zk_entry_send(zk_entry *entry, zhandle_t *zh);
/* A path of the server's without the chroot; borrowed from `path` or static. */
const char *avout__zk_strip(const avout__zk *zk, const char *path);

/* ---- table.c: the table of outstanding requests ------------------------------------------------ */

avout_status avout__zk_submit(avout_store *store, const avout_request *requests, size_t count);
void avout__zk_unwatch(avout_store *store, const char *path);
/* A request of the adapter's own, sent in any phase, with whole paths. Delivery held. */
avout_status avout__zk_submit_own(avout__zk *zk, const avout_request *request, zk_special special);
/* Answers an entry that was sent, on the completion thread. Frees it. */
void avout__zk_answer(zk_entry *entry, avout_reply *reply);
/* Turns what is waiting into refused, behind what is outstanding. `lock` held. */
void avout__zk_refuse_waiting(avout__zk *zk, avout_status status, const char *text);
/* Is the oldest outstanding request a refused one? `lock` held. */
bool avout__zk_refused_first(const avout__zk *zk);
/* Delivers the refused ones that nothing unanswered is before. Delivery held, lock not. */
void avout__zk_deliver_refused(avout__zk *zk);
/* When the zhandle is closed: answers all that is left. Sent ones get `status`, multis with
 * `maybe_done`. Delivery held, lock not. */
void avout__zk_deliver_rest(avout__zk *zk, avout_status status, bool maybe_done);

/* ---- session.c: what the session does ---------------------------------------------------------- */

/* The library's only watcher: (this, zk) for the session and for every node. */
void avout__zk_watcher(zhandle_t *zh, int type, int state, const char *path, void *context);
void avout__zk_take_delivery(avout__zk *zk);
void avout__zk_give_delivery(avout__zk *zk);

/* ---- supervisor.c ------------------------------------------------------------------------------ */

void *avout__zk_supervise(void *context);

/* ---- errors.c ---------------------------------------------------------------------------------- */

avout_status avout__zk_status(int code);
/* May a multi that was answered so have taken, or yet take, effect? */
bool avout__zk_maybe_done(int code);
/* The code is an answer to one operation, not to the request or the connection. */
bool avout__zk_refuses_operation(int code);
/* A name for the code, where zerror's is not good enough. */
const char *avout__zk_reason(int code);

/* ---- log.c: the library's log lines ------------------------------------------------------------- */

/* Reserves a slot whose lines go to zk->listener. */
void avout__zk_log_open(avout__zk *zk);
log_callback_fn avout__zk_log_callback(const avout__zk *zk);
void avout__zk_log_close(avout__zk *zk);
void avout__zk_log(avout__zk *zk, avout_log_level level, const char *format, ...)
    AVOUT_PRINTF(3, 4);

/* ---- link.c: the socket of the connection -------------------------------------------------------- */

void avout__zk_link_init(avout__zk *zk);
void avout__zk_link_made(avout__zk *zk);      /* I/O thread, connection just made or established */
void avout__zk_link_failed(avout__zk *zk);    /* I/O thread, it is being closed */
void avout__zk_link_delivered(avout__zk *zk); /* its event was delivered */
void avout__zk_link_lost(avout__zk *zk);      /* the event of its loss was delivered */
void avout__zk_link_reset(avout__zk *zk);     /* the library's handle is closed */
bool avout__zk_link_break(avout__zk *zk);     /* false: the socket is not known */
/* Since when a server owes us its first answer; AVOUT__NEVER: none does. *given_up: how many did not
 * answer in time since there was a connection. */
int64_t avout__zk_link_trial(avout__zk *zk, int *given_up);
bool avout__zk_link_give_up(avout__zk *zk); /* ends a trial; false: there is none any more */
void avout__zk_link_release(avout__zk *zk, bool forked);

/* ---- secure.c: TLS and credentials ----------------------------------------------------------------- */

avout_status avout__zk_secure(avout__zk *zk, const avout_options *options);
void avout__zk_secure_release(avout__zk *zk);
/* Opens a handle of the library's, over TLS where asked for. NULL: errno says why. */
zhandle_t *avout__zk_handle_open(avout__zk *zk);

#endif
