/* How a client is opened: session, deadlines, credentials, callbacks. */
#ifndef AVOUT_OPTIONS_H
#define AVOUT_OPTIONS_H

#include "memory.h"

AVOUT_BEGIN

/* For every duration in milliseconds: 0 takes the default, AVOUT_FOREVER waits without end. */
#define AVOUT_FOREVER ((int64_t)-1)

typedef enum avout_acl {
    AVOUT_ACL_OPEN = 0,     /* everybody may do everything, ZooKeeper's default */
    AVOUT_ACL_OWNER,        /* only who knows user and password */
    AVOUT_ACL_OWNER_WRITES, /* the same, and everybody may read */
} avout_acl;

typedef enum avout_durability {
    AVOUT_DURABLE = 0,  /* a confirmed change survives power loss */
    AVOUT_DURABLE_LAZY, /* after power loss the store is intact, the last changes may be missing */
    AVOUT_DURABLE_NONE, /* after power loss the store may be damaged: tests only */
} avout_durability;

typedef enum avout_event {
    AVOUT_EVENT_CONNECTED,     /* the first session is there */
    AVOUT_EVENT_SUSPENDED,     /* connection lost; the session may live on */
    AVOUT_EVENT_RESUMED,       /* connected again, the same session */
    AVOUT_EVENT_LOST,          /* the session has ended: locks are gone */
    AVOUT_EVENT_REESTABLISHED, /* connected again, with a new session */
} avout_event;
/* "connected", "suspended", "resumed", "lost", "re-established"; static. */
AVOUT_API const char *avout_event_name(avout_event event);

typedef enum avout_log_level {
    AVOUT_LOG_ERROR,
    AVOUT_LOG_WARNING,
    AVOUT_LOG_INFO,
    AVOUT_LOG_DEBUG,
} avout_log_level;

/* Zero-initialised (or `= AVOUT_OPTIONS_INIT`) it asks for the defaults. Everything pointed to is
 * copied. */
typedef struct avout_options {
    int64_t session_timeout_ms; /* what a ZooKeeper session outlives its client by; 0: 10 s */
    int64_t connect_timeout_ms; /* how long avout_connect tries; 0: 10 s */
    int64_t timeout_ms;         /* of every call that has no deadline of its own; 0: 30 s */
    int64_t max_staleness_ms;   /* while suspended, reads older than this fail with
                                   AVOUT_ECONNECTION; 0: they go on */

    /* ZooKeeper only. The embedded store answers AVOUT_ENOTSUP to a user or an acl: who may use it
     * is said by the permissions of its directory. */
    const char *user;     /* digest credentials; NULL: none */
    const char *password; /* never shown in messages or logs */
    avout_acl acl;        /* of the nodes this client creates */

    bool tls; /* AVOUT_ENOTSUP where libzookeeper was built without */
    const char *tls_ca_file;
    const char *tls_certificate_file;
    const char *tls_key_file;
    const char *tls_key_password;

    avout_durability durability; /* embedded store only */
    size_t map_size;             /* embedded store: the largest it may grow; 0: 64 GiB (sparse) */

    const avout_allocator *allocator; /* NULL: leave the process's as it is; see memory.h */

    /* Called on a thread of the client's, never concurrently, never while a lock is held. They may
     * call the library, but not avout_close. */
    void (*on_event)(avout_event event, void *payload);
    void *on_event_payload;
    void (*on_log)(avout_log_level level, const char *message, void *payload);
    void *on_log_payload;
} avout_options;

/* clang-format off */
#define AVOUT_OPTIONS_INIT {0}
/* clang-format on */

AVOUT_END

#endif
