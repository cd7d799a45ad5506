/* The coordination port: what the library needs from an engine (ZooKeeper, LMDB, ...), no more.
 *
 * An engine is a tree of nodes (path -> bytes, version, point of the last change, owner session)
 * with one atomic operation, the multi. An adapter is a table of functions. What the cache and the
 * transactions stand on, and every adapter has to keep (tests/contract checks it):
 *
 *  P1  Delivery. Every `done` and every event of one store handle is called by one thread at a time
 *      (the "delivery thread"), in the order in which the engine decided them. A change of a watched
 *      node is delivered before any reply that already reflects that change or a later state. An own
 *      write's event comes before its own reply.
 *  P2  Order. Requests of one handle take effect in the order submitted; a get submitted behind a
 *      multi sees that multi. Requests given to one submit() are sent as one run: no other request
 *      of the handle comes between them, and their replies have no other reply between them.
 *  P3  Once. If submit() answers AVOUT_OK every request's `done` is called exactly once, close and
 *      loss of the session included. If it answers anything else none is called.
 *  P4  Multi. All operations take effect at one point or none does. A refusal names the first
 *      operation that failed. Versions start at 0 with the creation and grow by 1 with each set.
 *  P5  Known or not. A failed reply with `maybe_done` false certainly had no effect and never will.
 *      With `maybe_done` true (connection lost while the request was on its way) it may have, or may
 *      yet take effect.
 *  P6  Watches. A watch is one shot: armed by a get, exists or list with `watch` that was answered
 *      AVOUT_OK (exists: AVOUT_ENOTFOUND as well), it fires once, at the node's next creation, set
 *      or deletion (list: children added or removed, or the node deleted), and stays armed across
 *      SUSPENDED and RESUMED: changes missed meanwhile are delivered after RESUMED, before any reply
 *      that reflects them. LOST disarms all. Arming an armed path again is harmless. A get answered
 *      AVOUT_ENOTFOUND arms nothing.
 *  P7  Session. While not connected submit() answers AVOUT_OK and the requests fail with
 *      AVOUT_ECONNECTION, maybe_done false. On LOST all outstanding requests have been failed
 *      before, and ephemeral nodes of the session are (being) removed by the engine; the adapter
 *      opens a new session by itself and then delivers REESTABLISHED.
 *  P8  `done` and the listener are called without any lock of the adapter's held and may submit.
 *
 * Paths are as validated by the library: absolute, no empty or dot segments, no control characters.
 */
#ifndef AVOUT_SYS_STORE_H
#define AVOUT_SYS_STORE_H

#include "../options.h"

AVOUT_BEGIN

/* A position in the store's total order of changes; 0: not known. */
typedef uint64_t avout_point;

#define AVOUT_VERSION_ANY ((int64_t)-1)

typedef struct avout_stat {
    int64_t version;
    avout_point created;
    avout_point changed; /* of the bytes */
    int64_t changed_ms;  /* engine's wall clock at that point, Unix time */
    int64_t owner;       /* session of an ephemeral node; 0: persistent */
    int32_t children;
    size_t length; /* of the bytes */
    int64_t
        watchers; /* get, exists, list: handles that watch the bytes; -1: the engine cannot tell */
} avout_stat;

typedef enum avout_op_kind {
    AVOUT_OP_CREATE,
    AVOUT_OP_DELETE,
    AVOUT_OP_SET,
    AVOUT_OP_CHECK
} avout_op_kind;

typedef struct avout_op {
    avout_op_kind kind;
    bool ephemeral;  /* CREATE */
    bool sequential; /* CREATE: ten decimal digits, growing, are appended to the path */
    const char *path;
    int64_t version;   /* DELETE, SET, CHECK: expected, or AVOUT_VERSION_ANY */
    const void *bytes; /* CREATE, SET */
    size_t length;
} avout_op;

typedef enum avout_request_kind {
    AVOUT_REQUEST_MULTI,
    AVOUT_REQUEST_GET,    /* bytes and stat */
    AVOUT_REQUEST_EXISTS, /* stat only */
    AVOUT_REQUEST_LIST,   /* names of the children, unordered, and stat of the node */
    AVOUT_REQUEST_SYNC,   /* what others had confirmed before is visible to requests behind it */
} avout_request_kind;

typedef struct avout_op_result {
    const char *path; /* CREATE: the path created; else NULL */
    bool has_stat;    /* SET: always on success; CREATE: where the engine tells */
    avout_stat stat;
} avout_op_result;

/* Everything in a reply is borrowed for the time of the call. */
typedef struct avout_reply {
    avout_status status; /* AVOUT_OK; ENOTFOUND EEXISTS EVERSION ENOTEMPTY EEPHEMERAL EPERM EAUTH
                            ENOSPACE ELIMIT EIO ENOMEM ECONNECTION ESESSION ECLOSED */
    bool maybe_done;     /* P5; only for multis */
    size_t failed_op;    /* multi: index of the operation that was refused; SIZE_MAX: the whole */
    const char *detail;  /* one line about a failure, or NULL */
    const void *bytes;   /* get */
    size_t length;
    avout_stat stat;          /* get, exists, list */
    const char *const *names; /* list */
    size_t name_count;
    const avout_op_result *results; /* multi, on success: one an operation */
    size_t result_count;
    avout_point point; /* multi, on success: its point where the engine tells, else 0 */
} avout_reply;

typedef void (*avout_done_fn)(const avout_reply *reply, void *payload);

/* Everything pointed to is borrowed for the time of the submit() call only. */
typedef struct avout_request {
    avout_request_kind kind;
    bool watch;       /* GET, EXISTS, LIST */
    const char *path; /* all but MULTI */
    const avout_op *ops;
    size_t op_count;
    avout_done_fn done;
    void *payload;
} avout_request;

typedef enum avout_node_event {
    AVOUT_NODE_CREATED,
    AVOUT_NODE_CHANGED,
    AVOUT_NODE_DELETED,
    AVOUT_NODE_CHILDREN,
    AVOUT_NODE_UNKNOWN, /* an engine that lost track of changes says so for each armed path */
} avout_node_event;

/* Both called on the delivery thread (P1, P8). */
typedef struct avout_listener {
    void (*on_node)(avout_node_event event, const char *path, void *payload);
    void (*on_session)(avout_event event, void *payload);
    /* Any thread, any time between open and close; may be NULL. */
    void (*on_log)(avout_log_level level, const char *message, void *payload);
    void *payload;
} avout_listener;

typedef struct avout_store_info {
    int64_t session;            /* id of the session in force */
    int64_t session_timeout_ms; /* as negotiated; AVOUT_FOREVER: lives as long as the process */
    size_t max_request;         /* bytes of one multi: paths, values and all overhead */
    size_t max_armed;           /* bytes of armed paths a handle can hold; 0: no limit */
    size_t op_overhead;         /* what an operation costs beside path and bytes */
} avout_store_info;

/* A store handle: the adapter's struct begins with this. */
typedef struct avout_store avout_store;
struct avout_store {
    const struct avout_store_ops *ops;
};

#define AVOUT_STORE_OPS_VERSION 1u

/* An adapter. Slots marked must are never NULL. */
typedef struct avout_store_ops {
    uint32_t version;   /* must: AVOUT_STORE_OPS_VERSION */
    uint32_t size;      /* must: sizeof(avout_store_ops) */
    const char *scheme; /* must: "zk", "lmdb" */

    /* must. Opens a handle and waits until it has a session, at most options->connect_timeout_ms.
     * `address` is the URL without "scheme:" and, where it has them, the "//". CONNECTED is
     * delivered before any other event. AVOUT_EURL, ETIMEOUT, ECONNECTION, EAUTH, EPERM, EFORMAT,
     * ENOTSUP, ENOSPACE, EIO, ENOMEM: detail set, nothing is left behind. */
    avout_status (*open)(avout_store **store, const char *address, const avout_options *options,
                         const avout_listener *listener);
    /* must. Fails what is outstanding with AVOUT_ECLOSED, delivers it, ends the session (ephemeral
     * nodes go), frees everything. After it returned nothing is called any more. Never on the
     * delivery thread. Bounded by a few seconds when the engine does not answer. In a forked child:
     * frees what can be freed without touching the engine. */
    void (*close)(avout_store *store);
    /* must. Any thread; does not wait for the engine. AVOUT_ENOMEM, AVOUT_ECLOSED, AVOUT_EFORK,
     * AVOUT_ELIMIT (the requests exceed max_request: detail says size and limit). */
    avout_status (*submit)(avout_store *store, const avout_request *requests, size_t count);
    /* must. Any thread. What holds now. */
    void (*info)(avout_store *store, avout_store_info *info);
    /* may. Disarms the watches of a path, best effort and asynchronously (an event may still come). */
    void (*unwatch)(avout_store *store, const char *path);
} avout_store_ops;

AVOUT_END

#endif
