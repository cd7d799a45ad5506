/* The store room's own interface: names, addresses, the registry of adapters and the waiting call.
 * The port itself is avout/sys/store.h. */
#ifndef AVOUT_STORE_STORE_H
#define AVOUT_STORE_STORE_H

#include <stdatomic.h>

#include "avout/sys/store.h"
#include "base/futex.h"

/* ---- path.c: names ------------------------------------------------------------------------- */

enum { AVOUT__NAME_MAX = 1024 };

/* Checks the name of an atom, ref or lock: an absolute path ("/a/b") of valid UTF-8, at most
 * AVOUT__NAME_MAX bytes, not just "/", without empty, "." or ".." segments, without a slash at the
 * end, control characters and the code points ZooKeeper refuses. AVOUT_ENAME; the detail quotes the
 * name and says what is wrong at which byte (counted from 0). */
avout_status avout__name_check(const char *name);

/* Writes text in double quotes into out, always NUL-terminated: bytes that are not printable ASCII
 * or valid UTF-8 of printable characters as \xHH, long text cut ("..."). Returns out. */
enum { AVOUT__QUOTE_SIZE = 320 };
const char *avout__quote(char out[AVOUT__QUOTE_SIZE], const char *text);

/* Where names lie in the store: "/a/b/c" is ROOT/a:/b:/c. Directories end in a colon, so that the
 * children of a name's node are never other names. '%' is written "%25" and a colon at a segment's end
 * "%3A", which keeps the two kinds apart. A checked name's path always fits; the length. */
enum { AVOUT__NODE_MAX = 4096 };
size_t avout__node_path(char path[AVOUT__NODE_MAX], const char *root, const char *name);
/* And back; false for a path that is no name's. */
bool avout__node_name(char name[AVOUT__NODE_MAX], const char *root, const char *path);

/* ---- url.c: addresses ---------------------------------------------------------------------- */

typedef struct avout__url {
    char *scheme; /* "lmdb", "zk", "mem" */
    char *
        address; /* what the adapter's open gets; zk: every host with its port, "h:2181,[::1]:1/c" */
} avout__url;

/* Takes a URL apart, or finds the default one for NULL and "". AVOUT_EURL, AVOUT_ENOMEM,
 * AVOUT_ESYSTEM. Forms:
 *    lmdb:PATH, or a path with a slash in it
 *    zk://host[:port][,host[:port]...][/chroot], or host[:port][,...] alone; IPv6 in brackets
 *    SCHEME:REST of any other registered adapter (mem:NAME)
 *    nothing: environment AVOUT_STORE, else lmdb:$XDG_STATE_HOME/avout or ~/.local/state/avout
 * Credentials in an address are refused, and never shown. */
avout_status avout__url_parse(avout__url *url, const char *text);
void avout__url_release(avout__url *url);

/* ---- registry.c: adapters ------------------------------------------------------------------ */

/* Makes an adapter known. Any thread. The table must stay. Registering the same table again is
 * AVOUT_OK. AVOUT_EINVAL: wrong version or size, an empty must slot, a scheme that is not
 * [a-z][a-z0-9]*, or a scheme that another table has. */
avout_status avout__store_register(const avout_store_ops *ops);
/* NULL when nobody registered it. */
const avout_store_ops *avout__store_find(const char *scheme);
/* "lmdb, mem, zk": what is registered, cut to fit. Returns out. */
const char *avout__store_schemes(char *out, size_t size);

/* Opens a handle on what url names (avout__url_parse). options may be NULL. */
avout_status avout__store_open(avout_store **store, const char *url, const avout_options *options,
                               const avout_listener *listener);
void avout__store_close(avout_store *store); /* NULL is accepted */

/* ---- call.c: waiting for an answer ----------------------------------------------------------- */

/* An owned copy of a reply: `is` and all it points to live until avout__reply_release. */
typedef struct avout__reply {
    avout_reply is;
    void *memory;
} avout__reply;

#define AVOUT__REPLY_INIT                                                                          \
    {                                                                                              \
        0                                                                                          \
    }
void avout__reply_release(avout__reply *reply); /* also of a zeroed or released one */

/* Submits one request (its `done` and `payload` are ignored) and waits for the reply. Answers the
 * reply's status, with the detail set; `reply` (may be NULL; else overwritten, to be released always) then
 * holds the reply, `maybe_done` and `failed_op` included. A deadline that passes first answers
 * AVOUT_UNKNOWN for a multi (with maybe_done) and AVOUT_ETIMEOUT for others; the late reply is
 * dropped when it comes. Never on a delivery thread: it would wait for itself. */
avout_status avout__store_call(avout__reply *reply, avout_store *store,
                               const avout_request *request, int64_t deadline_ns);

/* ---- look.c: many nodes at once ---------------------------------------------------------------- */

/* What one of them answered. */
typedef struct avout__look {
    struct avout__looks *all;
    avout_status status;
    avout_stat stat;
    char *bytes; /* of a get, with a NUL behind them; NULL: none */
    size_t length;
} avout__look;

typedef struct avout__looks {
    _Atomic uint32_t refs, left;
    size_t count;
    avout__latch latch;
    avout__look items[];
} avout__looks;

/* Gets (or exists, as `kind` says) of all paths as one run, waiting for all replies. The answer is of the
 * whole, each item has a status of its own. AVOUT_ETIMEOUT, AVOUT_ENOMEM, what submit answers. */
avout_status avout__store_look(avout__looks **looks, avout_store *store, avout_request_kind kind,
                               const char *const *paths, size_t count, int64_t deadline_ns);
void avout__looks_unref(avout__looks *looks); /* NULL is accepted */

/* A `done` for requests whose outcome shows otherwise, or does not matter. */
void avout__reply_ignored(const avout_reply *reply, void *payload);

/* Adapters set it to true, once, on each thread they deliver on. */
extern _Thread_local bool avout__store_delivering;

#endif
