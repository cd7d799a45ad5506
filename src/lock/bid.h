/* Bids: requests for a part of something of which there is only so much, which is kept as a queue in the
 * store. A *pool* is what is asked for: the permits of a semaphore, or the one term of an election. A *bid* is
 * a node below the pool's: ephemeral, sequential, as a lock's claim, and made and ended as one (deed.c; lock.h
 * has the rules L1 to L4, which hold here, too). A *bidder* is who wants it: a part of a lease, or of an
 * election's handle; it has one bid after the other when sessions are lost.
 *
 *                    multi[create bid, set slot], list
 *   NEW -----------------------------> CREATING ------------> PLACED --it fits--> GRANTED
 *    ^  connected                          |  outcome known    |  ^                 |
 *    |                                     |                   |  | woken: looks    |
 *    |  no effect, session lost, removed   |                   +--+                 |
 *    +--(a bid of its own)-----------------+-------------------+                    |
 *                                          | nobody wants it   | nobody wants it    | given back,
 *                                          v                   v                    v  lease run out
 *                                       ENDING <---------------+--------------------+
 *                                          | delete confirmed                       | session lost
 *                                          v                                        |
 *                                         GONE <------------------------------------+
 *
 *  B1  A bid *fits* when its permits and those of all before it are no more than the pool has. Numbers grow
 *      with creation, so nobody comes before it later; and fewer permits are only made by a bid for the
 *      difference that fits (semaphore.c). So what fits once fits until it goes, in every later state
 *      of the store: no two clients can judge differently for long, and never more are out than there are.
 *  B2  Who wakes whom. When all before a bid fit and it does not, it is the *first* waiter: it watches the
 *      children and the pool's own bytes. A later one watches the bid before it. One that comes to fit and
 *      saw a bid behind it sets its own node, which tells that one to look: the setting is later than
 *      the look by which the other chose to watch, for until then the first did not fit (B1). So a
 *      release wakes one waiter, and each that comes to fit the next.
 *  B3  Candidates of an election watch the one before them: the pool has one term. */
#ifndef AVOUT_LOCK_BID_H
#define AVOUT_LOCK_BID_H

#include "lock/lock.h"

#define AVOUT__SEMAPHORES_PATH "/avout/semaphores"
#define AVOUT__ELECTIONS_PATH "/avout/elections"

typedef struct avout__pool avout__pool;
typedef struct avout__bid avout__bid;
typedef struct avout__bidder avout__bidder;

/* ---- pools: bid_pool.c, mutex held ----------------------------------------------------------------- */

typedef enum avout__pool_kind { AVOUT__SEMAPHORE, AVOUT__ELECTION } avout__pool_kind;

struct avout__pool {
    avout__locks *room;
    avout__pool *next; /* in its bucket */
    uint32_t hash;
    uint32_t refs; /* handles, leases, bids */
    avout__pool_kind kind;
    avout__link bids; /* in the order of their creation */

    /* A semaphore: what its node says, by the node's creation and version. */
    bool known;
    avout_status unknown; /* why not, if it is not for want of asking: AVOUT_EDATA */
    uint32_t permits;
    avout_point created;
    int64_t version;
    bool armed; /* we would be told of a change */

    struct avout__electorate *electorate; /* election.c; NULL: none was needed */

    char *path;
    char name[];
};

struct avout__pools {
    avout__pool *buckets[256];
    avout__link gone; /* bids to be freed at the end of the critical section */
};

avout_status avout__pool_find(avout__pool **pool, avout__locks *room, avout__pool_kind kind,
                              const char *name); /* counted. AVOUT_ENOMEM */
void avout__pool_drop(avout__pool *pool);
/* Frees the bids that are gone; before the mutex is given up. */
void avout__bids_sweep(avout__locks *room);
static inline void avout__bids_unlock(avout__locks *room)
{
    avout__bids_sweep(room);
    avout__locks_unlock(room);
}
/* "{:permits 8}". False: it is not that. */
enum { AVOUT__PERMITS_TEXT = 32 };
void avout__permits_text(char text[AVOUT__PERMITS_TEXT], uint32_t permits);
bool avout__permits_parse(uint32_t *permits, const void *bytes, size_t length);
/* A reply to a get of the pool's node. */
void avout__pool_learn(avout__pool *pool, const avout_reply *reply);

/* Checks the name and whether the room is usable, and finds the pool: what opening a handle begins with.
 * Without the mutex. */
avout_status avout__pool_open(avout__pool **pool, avout__locks *room, avout__pool_kind kind,
                              const char *name);
/* Makes the pool's node with those bytes, unless it is there, and the directories above; waits. AVOUT_OK,
 * AVOUT_EEXISTS. Without the mutex. */
avout_status avout__pool_make(avout__pool *pool, const void *bytes, size_t length,
                              int64_t deadline_ns);
/* The same of an election's, in the background: whatever is sent next comes behind it. */
void avout__pool_make_again(avout__pool *pool);

/* ---- names and places ------------------------------------------------------------------------------ */

typedef struct avout__bid_name {
    avout__claim_name is; /* client, number, sequence */
    uint32_t permits;
} avout__bid_name;
/* "8p-CLIENT-NUMBER-SEQUENCE" for permits, "e-CLIENT-NUMBER-SEQUENCE" for candidates. */
bool avout__bid_parse(avout__bid_name *name, avout__pool_kind kind, const char *text);

typedef struct avout__place {
    const char *mine;   /* NULL: not there */
    const char *before; /* the one right before it; NULL: none */
    uint64_t taken;     /* permits of all before it */
    bool followed;      /* there are others behind it */
    bool doubtful;      /* another has its number: see renew() */
} avout__place;

/* ---- bids: bid.c, mutex held ----------------------------------------------------------------------- */

/* Called with the mutex held. Before `failed` and `lost` the bidder has no bid any more. */
typedef struct avout__bidder_ops {
    void (*placed)(avout__bidder *bidder); /* may be NULL */
    void (*granted)(avout__bidder *bidder);
    void (*failed)(avout__bidder *bidder, avout_status status, const char *detail);
    void (*lost)(avout__bidder *bidder);
} avout__bidder_ops;

struct avout__bidder {
    const avout__bidder_ops *ops;
    avout__pool *pool; /* the owner counts it */
    avout__bid *bid;   /* NULL: none */
    uint32_t permits;
    bool only_now;     /* try: if it does not fit, it fails */
    const char *bytes; /* what its node says */
    size_t length;
};

struct avout__bid {
    avout__link link; /* in pool->bids until GONE */
    avout__pool *pool;
    avout__bidder *bidder; /* NULL: nobody wants it any more */
    avout__claim_state state;
    uint32_t permits;
    uint64_t number;
    avout__deed deed;
    avout__asker asker;
    bool made_again; /* the pool's node */

    char name[AVOUT__CLAIM_NAME]; /* "": not known */
    avout_point point;
    avout_point below; /* when the pool's node that it is below was created; 0: not known */

    /* PLACED: asking or waiting; neither: to be asked when there is a connection. */
    bool asking, waiting;
    bool first;                     /* waits as the first */
    bool heard;                     /* that the one before is set, and asked since */
    char before[AVOUT__CLAIM_NAME]; /* "": none is watched */

    bool tell, telling; /* GRANTED: the next one, that this one fits */
    bool minded;        /* GRANTED: its own node is watched */
    avout__ending ending;
};

/* Has a bid made for the bidder, which has none. It may have failed when this returns. */
void avout__bidder_start(avout__bidder *bidder);
/* It does not want it any more, granted or not. Answers whether `releaser` (may be NULL: nobody) has to wait
 * (avout__releaser_wait). */
bool avout__bidder_leave(avout__bidder *bidder, avout__releaser *releaser);
/* Whether it is granted and the lease holds; if the lease does not, that has been told to everybody. */
bool avout__bidder_holds(avout__bidder *bidder);
/* The check that the bid is there, for transactions. NULL: no memory. */
struct avout__node_check *avout__bidder_check(const avout__bidder *bidder, const char *detail);

void avout__bids_event(avout__pool *pool, avout_node_event event, const char *name);
void avout__bids_resume(avout__pool *pool);
void avout__bids_mind(avout__pool *pool);
void avout__bids_session_lost(avout__pool *pool);
void avout__bids_lease_over(avout__pool *pool);
void avout__bids_close(avout__pool *pool);
void avout__bid_free(avout__bid *bid);

/* ---- election.c: what an election's pool has beside its bids, mutex held ------------------------------ */

void avout__electorate_event(avout__pool *pool, const char *path);
void avout__electorate_resume(avout__pool *pool);
void avout__electorate_session_lost(avout__pool *pool);
void avout__electorate_close(avout__pool *pool);
void avout__electorate_free(struct avout__electorate *electorate);

#endif
