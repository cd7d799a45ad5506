/* The store in this process, for tests: every handle opened as mem:NAME shares the tree of that
 * NAME, which goes with its last handle. It keeps the port's promises to the letter and gives away
 * no more than ZooKeeper does (no stat of a created node, a point only for multis with a set), and
 * its bad times can be written down beforehand: a fault at the n-th request, a gate, a command.
 *
 * Requests are served by one thread a tree, the "server", one request of each handle in turn; each
 * handle delivers on a thread of its own. All functions below: any thread. */
#ifndef AVOUT_STORE_MEM_MEM_H
#define AVOUT_STORE_MEM_MEM_H

#include "avout/sys/store.h"

extern const avout_store_ops avout__mem_ops;

enum { AVOUT__MEM_MAX_REQUEST = 1024 * 1024 };

/* The handle opened as number `index` (from 0, never used again) under the name; NULL: not open. */
avout_store *avout__mem_handle(const char *name, size_t index);

typedef enum avout__mem_fault_kind {
    AVOUT__MEM_DELAY = 1,     /* the request waits delay_ms, and what is behind it with it */
    AVOUT__MEM_FAIL,          /* refused with `status`, no effect */
    AVOUT__MEM_LOSE_BEFORE,   /* connection lost, no effect (the client cannot know that) */
    AVOUT__MEM_LOSE_AFTER,    /* connection lost after the effect: events and reply are not seen */
    AVOUT__MEM_LOSE_LATE,     /* connection lost; a multi arrives only later, see `late` */
    AVOUT__MEM_EXPIRE_BEFORE, /* the session ends as well */
    AVOUT__MEM_EXPIRE_AFTER,
    AVOUT__MEM_HOLD_REQUEST, /* the request and what is behind it is not served ... */
    AVOUT__MEM_HOLD_REPLY, /* served, but its events, its reply and all after are not delivered ...
                                ... until avout__mem_release, or lost with the connection */
} avout__mem_fault_kind;

typedef enum avout__mem_late {
    AVOUT__MEM_LATE_ON_COMMAND,  /* avout__mem_release_late */
    AVOUT__MEM_LATE_BEFORE_NEXT, /* just before the next request that names one of its paths */
    AVOUT__MEM_LATE_AFTER_NEXT,  /* just after the next multi that does */
} avout__mem_late;

typedef struct avout__mem_fault {
    avout__mem_fault_kind kind;
    bool everybody;       /* requests of all handles of the tree count, not only this one's */
    bool multis;          /* only multis count */
    const char *path;     /* only requests that name exactly this path count; NULL: all */
    size_t nth;           /* 1 (or 0): the next that counts. Happens once. */
    int64_t delay_ms;     /* DELAY */
    avout_status status;  /* FAIL */
    size_t failed_op;     /* FAIL of a multi; SIZE_MAX: the whole */
    avout__mem_late late; /* LOSE_LATE */
    bool behind; /* LOSE_AFTER, EXPIRE_AFTER: multis waiting behind it take effect as well */
} avout__mem_fault;

/* Faults are tried in the order given; one effect and one delay at most meet the same request. */
avout_status avout__mem_fault_add(avout_store *store, const avout__mem_fault *fault);
void avout__mem_faults_clear(avout_store *store); /* of the whole tree */
size_t avout__mem_faults_left(avout_store *store);

/* The connection comes back this long after it was lost (0, the default: at once), with
 * AVOUT_FOREVER only by avout__mem_reconnect. */
void avout__mem_reconnect_after(avout_store *store, int64_t delay_ms);
avout_status avout__mem_suspend(avout_store *store);
avout_status avout__mem_reconnect(avout_store *store);
avout_status avout__mem_expire(avout_store *store);

typedef enum avout__mem_gate { AVOUT__MEM_REQUESTS = 1, AVOUT__MEM_REPLIES = 2 } avout__mem_gate;
void avout__mem_hold(avout_store *store, avout__mem_gate gates);
void avout__mem_release(avout_store *store); /* both gates */
/* Waits until a gate holds something back; false: the deadline passed first. */
bool avout__mem_wait_held(avout_store *store, int64_t deadline_ns);

/* Late multis of the tree: how many there are; have them arrive, in order; have them lost. */
size_t avout__mem_late_count(avout_store *store);
void avout__mem_release_late(avout_store *store);
void avout__mem_drop_late(avout_store *store);

typedef struct avout__mem_counters {
    /* Since the handle was opened, as they reached the server. */
    uint64_t requests, multis, lists, syncs;
    uint64_t reads;   /* gets and exists */
    uint64_t refused; /* multis */
    uint64_t events;  /* watches of the handle that fired */
    size_t armed;     /* now */
    size_t armed_bytes, armed_bytes_most;
} avout__mem_counters;
void avout__mem_counters_of(avout_store *store, avout__mem_counters *counters);

/* Of the whole tree; 0: the default (1 MiB; no limit). Beyond max_armed a connection that was lost
 * never comes back: the session expires, as ZooKeeper's would. */
void avout__mem_limits(avout_store *store, size_t max_request, size_t max_armed);

/* Versions are 32 bits wide and wrap, as ZooKeeper's. AVOUT_ENOTFOUND. */
avout_status avout__mem_set_version(avout_store *store, const char *path, int32_t version);
/* The number of the node's next sequential child; INT32_MAX is given to all from there on, as by
 * ZooKeeper. AVOUT_ENOTFOUND. */
avout_status avout__mem_set_sequence(avout_store *store, const char *path, int32_t sequence);

#endif
