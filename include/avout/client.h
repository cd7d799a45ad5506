/* A client: one session with a store, and everything that lives on it.
 *
 * As everywhere in the library results come first among the arguments; avout_connect alone begins
 * with the address, as connect calls do. Any thread may call any function here unless it says
 * otherwise.
 *
 * Statuses that every call on a client or on something opened through it can answer, beside its own:
 * AVOUT_ECLOSED (the client is closed), AVOUT_EFORK (this process is a forked child of the one that
 * opened it), AVOUT_ENOMEM, AVOUT_ETIMEOUT (the deadline passed, nothing was changed), AVOUT_EPERM,
 * AVOUT_EAUTH, AVOUT_EIO, AVOUT_ENOSPACE (the store said so). */
#ifndef AVOUT_CLIENT_H
#define AVOUT_CLIENT_H

#include "options.h"
#include "value.h"

AVOUT_BEGIN

typedef struct avout_client avout_client;

/* Opens a client and waits until it has a session, at most options->connect_timeout_ms.
 *
 *   "lmdb:PATH", or a path with a slash          embedded store in that directory
 *   "zk://host:port[,host:port...][/chroot]",    ZooKeeper; a chroot that does not exist is created
 *   "host[:port]"
 *   "mem:NAME"                                   in this process, for tests
 *   NULL or ""                                   the environment's AVOUT_STORE; else the embedded
 *                                                store in the user's state directory
 *
 * `options` may be NULL. The store's own nodes are created on first use.
 * AVOUT_EURL, AVOUT_ETIMEOUT (nobody answers there), AVOUT_ECONNECTION, AVOUT_EAUTH, AVOUT_EPERM,
 * AVOUT_EFORMAT (a store of a newer format, or a directory that is none), AVOUT_ENOTSUP (TLS). */
AVOUT_API avout_status avout_connect(const char *url, const avout_options *options,
                                     avout_client **client);

/* Ends the session and waits until nothing of the client runs any more. Calls under way in other
 * threads return AVOUT_ECLOSED, or AVOUT_UNKNOWN if their change was on its way. Handles opened
 * through the client answer AVOUT_ECLOSED from now on and must still be closed, each by its own
 * function, in any order. A call that another thread begins with `client` itself at the same time is an
 * error of the program, as with free(). Not from a callback of this client (AVOUT_ESTATE is then logged and
 * nothing done). NULL is accepted. Blocks a few seconds at most. */
AVOUT_API void avout_close(avout_client *client);

/* The address as resolved ("lmdb:/home/ann/.local/state/avout"). Borrowed, as long as the client. */
AVOUT_API const char *avout_client_url(avout_client *client);

/* What a client has done since it was opened; for progress lines and tests. */
typedef struct avout_statistics {
    uint64_t commits; /* updates confirmed (swaps, resets, transactions with writes) */
    uint64_t retries; /* runs of a function that were thrown away */
    uint64_t multis;  /* groups sent to the store */
    uint64_t refused; /* groups the store refused because of a conflict */
    uint64_t fetches; /* reads sent to the store */
    uint64_t fences;  /* groups whose outcome had to be settled after a lost connection */
    uint64_t cells;   /* atoms and refs open now */
    uint64_t live;    /* of them, cached now */
} avout_statistics;
/* All zero in a forked child. */
AVOUT_API void avout_client_statistics(avout_client *client, avout_statistics *statistics);

/* The names of atoms and refs directly below `directory` ("/" for the top) as a vector of strings,
 * sorted; a name that ends with a slash is a directory. Destroyed ones are listed until they are
 * removed. Asks the store. AVOUT_ENAME, AVOUT_ENOTFOUND. */
AVOUT_API avout_status avout_ls(avout_value *names, avout_client *client, const char *directory);

/* What the store tells of an atom or ref without its value. */
typedef struct avout_name_stat {
    avout_status
        status; /* AVOUT_OK; AVOUT_ENOTFOUND (there is none of that name, or no more), AVOUT_EPERM
                              and whatever else the store answers for this one: all below is 0 then */
    int64_t
        version; /* grows by one each time its node is written: with every change, but several that
                              one client commits at the same time may be one, and a collection of old
                              versions (distributed.h) writes it, too. ZooKeeper's has 32 bits and wraps */
    uint64_t created; /* point in the store's order at which the node was made; versions of one node
                              alone can be compared */
    uint64_t changed; /* and at which it was written last */
    int64_t changed_ms; /* when that was: the store's wall clock, Unix time */
    size_t size;        /* bytes in the store: of the value as text, or of the pointer to it */
    int64_t queued; /* clients that queue to write it, the one whose turn it is included; 0 where
                              nobody has been refused lately */
    int64_t
        watchers; /* clients that would hear of its next change; -1: this store cannot tell. Neither
                              ZooKeeper (but to its administrator) nor the embedded store can */
} avout_name_stat;

/* Asks the store for many names at once: stats[i] is of names[i]. Nothing is cached or watched for it, and
 * what is written at the same time may or may not be in it, name by name. `timeout_ms`: 0, the client's
 * timeout_ms; AVOUT_FOREVER. If it does not answer AVOUT_OK, the contents of `stats` are not to be used.
 * AVOUT_ENAME, AVOUT_EINVAL (a name is NULL), AVOUT_ETIMEOUT. */
AVOUT_API avout_status avout_stat_names(avout_name_stat *stats, avout_client *client,
                                        const char *const *names, size_t count, int64_t timeout_ms);

/* Destroys the atom or ref of that name wherever it is open; see avout_atom_destroy. AVOUT_ENAME,
 * AVOUT_ENOTFOUND. */
AVOUT_API avout_status avout_destroy(avout_client *client, const char *name);

/* Between enter and leave what avout_atom_peek and avout_ref_peek return stays valid. Guards nest,
 * belong to the thread and never block; while one is held memory is not
 * given back, so hold it for moments, not across waits. */
AVOUT_API void avout_guard_enter(void);
AVOUT_API void avout_guard_leave(void);

AVOUT_END

#endif
