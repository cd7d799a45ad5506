/* Locks of one client: who wants, who holds, and the nodes in the store that stand for them.
 *
 *   caller's thread                                 delivery thread (of the store)
 *   ---------------                                 ------------------------------
 *   hold.c    acquires, waits, releases             queue.c   places: who is before whom, grants
 *   want.c    who is served by which claim          deed.c    fences: settles unclear outcomes
 *   claim.c   makes and ends claims                 room.c    session events
 *   two threads of the client's, started when first needed:
 *   tender.c  the lease's heartbeat and its end, second tries;  lost-lock callbacks
 *   latches (countdown.c) and barriers (barrier.c) stay on their callers' threads (watcher.h)
 *
 * A *claim* is a node below the lock's: ephemeral, sequential, "w-..." (exclusive) or "r-..." (shared).
 * All of a lock's claims in the order of their numbers are its queue. A claim has the lock when nothing
 * it conflicts with is before it: an exclusive one with everything, a shared one with exclusive ones.
 * It watches the last one before it that it conflicts with, and no other: so a release wakes one
 * exclusive claim, or all shared ones up to the next exclusive one. And it watches itself: else it would
 * be granted, with the event that the one before it is gone, when a stranger has removed both.
 *
 * Threads do not make claims, they *want*, and the claim that serves them becomes a *hold* of theirs:
 * an exclusive claim serves one thread after the other (bounded, then it goes to the queue's end), a
 * shared one all that want to read while it is the client's last.
 *
 *        wants
 *          |         multi[create claim, set slot], list
 *         NEW ------------------------> CREATING --------------> PLACED --nothing before it--> GRANTED
 *          ^   connected                  |    |  outcome known    |  ^                        |  |
 *          |                              |    |                   |  | watched one is gone    |  |
 *          |                              |    |                   +--+                        |  |
 *          |     no effect, session lost, |    |                   | removed by a stranger,    |  |
 *          +--- (a claim of its own) -----+----|-------------------+ session lost              |  |
 *          |                                   |                   |                           |  |
 *          |                                   | nobody wants it   | nobody wants it           |  |
 *          |                                   v                   v      released, unwanted   |  |
 *          |                               ENDING <----------------+---------------------------+  |
 *          |                                   | delete confirmed                                 |
 *          |                                   v                                                  |
 *          |                                 GONE <-----------------------------------------------+
 *          |                                                         session lost, lease run out  |
 *          +----- those that still want ----------------------------------------------------------+
 *
 * Invariants:
 *
 *  L1  Everything mutable is changed under the room's `mutex`. No user code and no wait under it. Lock
 *      order: mutex -> the engine's -> the adapter's; the engine never calls here with a lock held.
 *  L2  A claim's object stands for one node, its name (client, number) is never used again. Whatever
 *      has to begin again begins with another. So a late reply or a late multi can never be taken for
 *      another's, and a node of this client's that no claim stands for is an orphan: whoever lists
 *      the queue deletes it.
 *  L3  A claim's node comes with the setting of a slot (deed.c): when the outcome is unclear it is
 *      fenced, and nobody goes on before it is known. Deleting is idempotent and simply tried again.
 *  L4  A hold is valid while its claim is GRANTED. It ends in one of three ways, and then for good:
 *      released, the session lost, the lease run out. The lease runs for the session's timeout from
 *      the sending of the last multi that succeeded. It is looked at before any hold is granted (when a
 *      third of it must be left: who has waited long has sent nothing else) or handed on, so nothing that arrived before a long pause gives a lock away after it.
 *  L5  Tokens: (point of the claim's creation, how often it was handed on). Claims get the lock in the
 *      order of their creation, so tokens grow.
 *  L6  Where a transaction was made conditional on a hold, the claim is not handed on but deleted:
 *      who holds the next token has another node, and the old check is refused.
 *  L7  Conditions (condition.h) need order only: a waiter's node is created before its claim is deleted or
 *      handed on; a signal is deleted, together with the waiter's node, when the woken has the lock. Where the
 *      order breaks with the connection, the wait ends without a signal. */
#ifndef AVOUT_LOCK_ROOM_H
#define AVOUT_LOCK_ROOM_H

#include <pthread.h>
#include <stdatomic.h>

#include "avout/lock.h"
#include "avout/sys/store.h"
#include "base/clock.h"
#include "base/futex.h"
#include "base/list.h"
#include "store/fence.h"
#include "store/store.h"

typedef struct avout__locks avout__locks;
typedef struct avout__lock avout__lock;
typedef struct avout__claim avout__claim;
typedef struct avout__hold avout__hold;
typedef struct avout__deed avout__deed;

#define AVOUT__LOCKS_PATH "/avout/locks"

/* ---- what a job keeps of its requests (tender.c, order.c) --------------------------------------- */

/* When what failed is tried again: each job for itself, what is refused for good slows nobody else's down. */
typedef struct avout__retry {
    int64_t due_ns;   /* 0: nothing failed */
    int64_t pause_ms; /* how long after it failed: longer each time, */
    int64_t tried_ns; /* unless this was long ago */
} avout__retry;

typedef struct avout__asker {
    uint32_t replies; /* that will still come: its owner is freed with the last one */
    uint32_t turn;    /* for owners that count: replies of an earlier one are late */
    avout__retry retry;
} avout__asker;

/* ---- deeds: multis whose outcome will be known ------------------------------------------------- */

typedef enum avout__deed_end {
    AVOUT__DEED_DONE,    /* it took effect */
    AVOUT__DEED_REFUSED, /* by the store, for a reason: reply->status, failed_op */
    AVOUT__DEED_NOT,     /* it had no effect and never will: to be done again */
    AVOUT__DEED_LOST,    /* the session has ended: what it made for the session is gone, or going */
} avout__deed_end;

struct avout__deed {
    avout__link link; /* in room->deeds while on its way or unclear */
    avout__locks *room;
    avout__slot *slot;
    uint64_t number;
    int64_t sent_ns;
    size_t op_count; /* without those of the slot */
    bool unclear, fencing;
    avout__retry retry;
    bool
        lasting; /* what it does outlives the session: settled after the session's end as well. Set before it
                     is sent. LOST: the client was closed, or its slot is gone: nobody can tell */
    /* Called once, mutex held. DONE: `reply` is NULL when a fence has told; `point` is the multi's. NOT:
     * `reply` is there when it was the connection that was not. */
    void (*ended)(avout__deed *deed, avout__deed_end end, const avout_reply *reply,
                  avout_point point);
};

enum { AVOUT__DEED_OPS = 6 };

/* Sends [before..., multi of the operations and the slot's, behind...] as one run. Not AVOUT_OK: nothing
 * was sent, `ended` is not called. Connected. */
avout_status avout__deed_send(avout__deed *deed, avout__locks *room, const avout_op *ops,
                              size_t op_count, const avout_request *before, size_t before_count,
                              const avout_request *behind, size_t behind_count);
void avout__deeds_settle(avout__locks *room); /* fences the unclear ones; connected */
void avout__deeds_lost(avout__locks *room);   /* the session has ended */
void avout__deeds_remove(avout__locks *room,
                         avout_store *store); /* the slots, at close; waits a second */

/* ---- the room ----------------------------------------------------------------------------------- */

struct avout__locks {
    _Atomic uint32_t refs; /* the client, each lock */
    pthread_mutex_t mutex;
    avout_store door; /* to the same store, for avout__store_call: shut when the client is closed */
    avout_store *store; /* the engine's door */
    bool connected;
    _Atomic bool closed;
    uint32_t forks;
    int64_t timeout_ms; /* the client's, of calls */
    int64_t session_ns; /* the session's timeout; AVOUT__NEVER: lives as long as the process */
    int64_t lease_ns;   /* when the last multi of this session that succeeded was sent */
    char client_id[17];
    char self[128]; /* what claims say: who made them */
    uint64_t numbers;
    avout__link gone; /* claims to be freed at the end of the critical section */

    avout__link waits;            /* for conditions */
    avout__link watchers, litter; /* watcher.h */

    avout__lock **buckets; /* by path */
    size_t bucket_count, lock_count;
    size_t granted; /* claims */

    avout__link deeds;
    avout__slots slots_of_mine;
    avout__slot **slots;
    size_t slot_count, slot_capacity;

    /* tender.c */
    pthread_cond_t wake, told;
    pthread_t tender, teller;
    bool tending, telling, stop, woken;
    bool asked;         /* claims wait for the answer of a heartbeat */
    bool beating;       /* one is on its way, */
    int64_t beat_ns;    /* the last was sent then */
    int64_t retry_ns;   /* the first of the jobs' times; 0: nothing failed */
    bool anew;          /* the connection has come: everything is asked for at once */
    avout__retry again; /* of the heartbeat that claims wait for */
    int64_t mind_ns;    /* when what has been granted is minded; 0: nothing was */
    int64_t tended_ns;  /* when the tender looks again, unless it is woken */
    avout__link notices;
    const void *told_owner; /* whose is being told */

    struct avout__pools *pools; /* bid_pool.c */
};

/* A lock's name, and what this client has to do with it. */
struct avout__lock {
    avout__locks *room;
    avout__lock *next; /* in its bucket */
    uint32_t hash;
    uint32_t refs;      /* handles, claims, holds; under the mutex */
    avout__link claims; /* in the order of their creation */
    avout__link holds;
    char *path;
    char name[];
};

/* A user's handle. */
typedef struct avout__lock_handle {
    avout__lock *lock;
    avout_lost_fn lost;
    void *payload;
    uint32_t era; /* how often the callback was set */
} avout__lock_handle;

/* A thread that waits to hold. On its stack; linked in a claim while it waits. */
typedef struct avout__want {
    avout__link link;
    avout__claim *claim; /* NULL: it has ended */
    avout__hold *hold;   /* to be filled in; NULL once it is the lock's */
    bool only_now;       /* try: if others are before it, it fails */
    bool granted;
    avout_status status; /* why it failed */
    char detail[256];
    avout__latch latch;
} avout__want;

struct avout__hold {
    avout__link link; /* in lock->holds */
    avout__lock *lock;
    avout__claim *claim;        /* NULL: lost */
    avout__lock_handle *handle; /* whose callback is told; NULL: closed */
    uint32_t era; /* the handle's when it was granted: of an earlier one nobody is told */
    uint64_t thread;
    uint32_t writes, reads;
    struct avout__node_check
        *check; /* for transactions that are conditional on it; NULL: none was */
    avout_token token;
    struct avout__loss *loss; /* made beforehand: telling must not want memory */
};

typedef enum avout__claim_state {
    AVOUT__CLAIM_NEW,
    AVOUT__CLAIM_CREATING,
    AVOUT__CLAIM_PLACED,
    AVOUT__CLAIM_GRANTED,
    AVOUT__CLAIM_ENDING,
    AVOUT__CLAIM_GONE,
} avout__claim_state;

enum { AVOUT__CLAIM_NAME = 72 };

/* How a node goes: ending.c. */
typedef struct avout__ending {
    bool deleting;                    /* on its way */
    bool unclear;                     /* it was before, and nothing was heard of it */
    struct avout__releaser *releaser; /* NULL: nobody waits */
} avout__ending;

/* A thread that waits for the end of what it has released. On its stack. */
typedef struct avout__releaser {
    avout__ending *ending; /* good until the latch opens */
    avout_status status;
    bool was_there; /* the node, until its confirmed deletion; false: nothing is known of it */
    char detail[256];
    avout__latch latch;
} avout__releaser;

struct avout__claim {
    avout__link link;  /* in lock->claims until GONE */
    avout__lock *lock; /* counted */
    avout__claim_state state;
    bool shared;
    bool make_parents;          /* the lock's node was not there */
    avout_status parent_status; /* why it could not be made */
    uint64_t number;
    avout__deed deed;
    avout__claim *replaces; /* CREATING: deleted by the same multi; nobody else deletes that one */
    bool replaced;          /* ENDING, by the creation of another */
    avout__asker asker;

    char name[AVOUT__CLAIM_NAME]; /* of its node; "": not known */
    avout_point point;
    uint64_t handed_on; /* the next token's count */

    bool listing, watching;
    bool next;   /* the one it watches is the only one before it */
    bool minded; /* its own node is watched: it will be known if a stranger removes it */
    char before[AVOUT__CLAIM_NAME];

    avout__link wants;
    uint32_t holds;
    uint32_t served;
    int64_t granted_ns;

    avout__ending ending;
};

static inline void avout__locks_lock(avout__locks *room)
{
    pthread_mutex_lock(&room->mutex);
}
/* Frees the claims that are gone, then unlocks: until then a claim's address is good. */
void avout__locks_unlock(avout__locks *room);

/* ---- room.c -------------------------------------------------------------------------------------- */

/* Before the store is opened: its listener is given to whoever opens it. */
avout_status avout__locks_new(avout__locks **room, int64_t timeout_ms);
extern const avout_listener avout__locks_listener; /* payload: the room */
/* `store` must stay until avout__locks_close. */
void avout__locks_start(avout__locks *room, avout_store *store);
/* Before the store is closed. Waits end with AVOUT_ECLOSED. */
void avout__locks_close(avout__locks *room);
void avout__locks_unref(avout__locks *room);
bool avout__locks_is_me(avout__locks *room);          /* called on a thread that calls callbacks */
avout_status avout__locks_usable(avout__locks *room); /* AVOUT_OK, AVOUT_ECLOSED, AVOUT_EFORK */
bool avout__locks_forked(const avout__locks *room);

/* The rest of the room: mutex held. */
avout_status avout__locks_submit(avout__locks *room, const avout_request *requests, size_t count);
/* The lease's clock: it runs on while the machine sleeps. */
int64_t avout__lease_now_ns(void);
/* A request sent then has been answered. If it was a multi that succeeded, the session was alive then: a
 * read proves nothing, a server that is cut off from its ensemble answers it; a refusal may be the
 * adapter's own. */
void avout__lease_extend(avout__locks *room, const avout_reply *reply, int64_t sent_ns);
int64_t avout__lease_end_ns(const avout__locks *room);
/* Whether holds are valid; if not, ends them. */
bool avout__lease_holds(avout__locks *room);
/* Whether there is enough of it left to grant something: what is given with a lease that is about to run out
 * may be lost before the next heartbeat is answered. */
bool avout__lease_gives(avout__locks *room);

void avout__locks_retry(avout__locks *room); /* what is due */
void avout__locks_mind(avout__locks *room);

/* ---- order.c: requests on their way, mutex held ------------------------------------------------------- */

/* A request of something in the room (a claim, a bid, a wait) that is kept until its reply has come, by a count of
 * those that will; the payload of its `done`. */
typedef struct avout__order {
    avout__locks *room; /* counted */
    void *owner;
    avout__asker *asker; /* the owner's */
    int64_t sent_ns;
    uint32_t turn; /* the asker's, then */
    bool watch;    /* the request's */
} avout__order;
/* To be submitted, or cancelled. NULL: no memory. */
avout__order *avout__order_new(avout__locks *room, void *owner, avout__asker *asker);
void avout__order_cancel(avout__order *order); /* NULL is accepted */
/* Sends one request (its payload is set here). False: it was not sent, and will be tried again later. */
bool avout__order_send(avout__locks *room, avout_request request, void *owner, avout__asker *asker);
/* Around what the `done` does: the first locks and answers the owner, the second unlocks. */
void *avout__order_begin(avout__order *order, const avout_reply *reply);
void avout__order_end(avout__order *order);
/* Has the node PATH/NAME deleted, whatever comes of it. */
void avout__node_sweep(avout__locks *room, const char *path, const char *name);

/* ---- ending.c: the ends of claims and bids, mutex held ------------------------------------------------- */

/* What the reply to a node's deletion says. True: it is gone, or given up; *detail may be NULL. False: to be
 * tried again. */
bool avout__ending_told(avout_status *status, const char **detail, avout__ending *ending,
                        const avout_reply *reply);
/* It has ended: who waits is told. */
void avout__ending_over(avout__ending *ending, avout_status status, const char *detail);
/* Who releases it is told. Answers whether there is one (`releaser` may be NULL: nobody). */
bool avout__releaser_join(avout__releaser *releaser, avout__ending *ending);
/* Waits for the end, for the client's timeout. AVOUT_UNKNOWN: it goes on in the background. Without the mutex;
 * `name` is what the caller calls it. */
avout_status avout__releaser_wait(avout__locks *room, avout__releaser *releaser, const char *name);

/* Finds or makes the lock of that name (checked); counted. NULL: no memory. */
avout__lock *avout__lock_find(avout__locks *room, const char *name);
void avout__lock_drop(avout__lock *lock);
avout__lock *avout__lock_of_node(avout__locks *room, const char *path, size_t length);

/* ---- claim.c, queue.c, want.c; mutex held ------------------------------------------------------------------------- */

/* Has the want served: by the lock's last claim where it may be, else by a new one. The want may have
 * been granted or have failed when this returns. */
void avout__want_add(avout__lock *lock, avout__want *want, bool shared);
/* It is not wanted any more. */
void avout__want_leave(avout__want *want);
void avout__want_fail(avout__want *want, avout_status status, const char *detail);
/* A hold of the claim has been given up: it goes to the next, or ends. Answers whether `releaser` (may be
 * NULL: nobody) has to wait for its latch. */
bool avout__claim_release(avout__claim *claim, bool may_hand_on, avout__releaser *releaser);
void avout__claim_free(avout__claim *claim); /* one that is gone */
void avout__claims_event(avout__locks *room, avout_node_event event, const char *path);
void avout__claims_mind(avout__lock *lock);   /* watches the nodes of those that are granted */
void avout__claims_resume(avout__lock *lock); /* connected again, or time for a second try */
void avout__claims_session_lost(avout__lock *lock);
void avout__claims_lease_over(avout__lock *lock);
void avout__claims_close(avout__lock *lock);

/* ---- guests: what else lives in the room, on its lease, its deeds and its threads ------------------- */

/* Of one kind of things. All but `end` are called with the mutex held; they send and do not wait. */
typedef struct avout__guest {
    void (*event)(avout__locks *room, avout_node_event event,
                  const char *path);    /* of any node that is no lock's */
    void (*resume)(avout__locks *room); /* connected again, or time for a second try */
    void (*mind)(avout__locks *room);   /* what is granted watches its nodes */
    void (*session_lost)(avout__locks *room);
    void (*lease_over)(avout__locks *room); /* what is held is lost, whatever the session does */
    void (*close)(avout__locks *room);      /* nothing is sent any more; waits end */
    void (*end)(avout__locks *room);        /* the room's last user has gone */
} avout__guest;
extern const avout__guest avout__bids_guest; /* semaphores and elections: bid.h */

/* ---- line.c: names of claims, and places in the queue ---------------------------------------------- */

typedef struct avout__claim_name {
    bool shared;
    char client[17];
    uint64_t number;
    int64_t sequence; /* INT32_MAX: beyond ZooKeeper's range, in an order that is not known */
} avout__claim_name;
/* "w-CLIENT-NUMBER-", to which the store appends a sequence number. */
void avout__claim_prefix(char prefix[AVOUT__CLAIM_NAME], const avout__claim *claim);
/* False: not the name of a claim. */
bool avout__claim_parse(avout__claim_name *name, const char *text);
/* The same for names of that form that begin with `kind`. */
bool avout__name_parse(avout__claim_name *name, char kind, const char *text);
/* < 0: a is before b; 0: the same, or nobody can tell. */
static inline int avout__sequence_compare(int64_t a, int64_t b)
{
    return a < b ? -1 : a > b;
}

/* From that number on, half of ZooKeeper's range, nodes are made anew when nobody is below them any more. */
enum { AVOUT__RENEW_FROM = 1 << 30 };

typedef struct avout__line {
    const char *mine;   /* NULL: not there */
    const char *before; /* the last one before it that it conflicts with */
    size_t conflicts;   /* how many there are */
    bool doubtful;      /* one it conflicts with has the same number: see renew() in claim.c */
} avout__line;
avout__line avout__line_of(const avout__claim *claim, const char *const *names, size_t count);

/* ---- tender.c, mutex held ---------------------------------------------------------------------------- */

void avout__tender_wake(avout__locks *room);
/* Has claims that are not sure of the session ask again, as soon as a heartbeat has been answered. */
void avout__lease_ask(avout__locks *room);
avout_status avout__tender_need(avout__locks *room); /* starts the thread unless it runs */
avout_status avout__teller_need(avout__locks *room);
/* It failed, and nobody else will ask for it again: tried once more in a while, which grows as long as it fails
 * again. */
void avout__retry_later(avout__locks *room, avout__retry *retry);
/* When what failed is gone through: whether this is to be tried now. True, too, if it has not failed. */
bool avout__retry_now(avout__locks *room, avout__retry *retry);
/* Something was granted. If it lasts its node is watched: what a stranger removes is lost, and its holder is told
 * then. Not at once: what is held for a moment only needs not pay for it. */
void avout__tender_granted(avout__locks *room);
/* Something that the teller tells: with the mutex held, which `tell` gives up for the user's function. */
typedef struct avout__notice {
    avout__link link;
    const void *owner; /* whose callback it is */
    bool kept;         /* a part of its owner; else it is freed when it was told, or forgotten */
    void (*tell)(avout__locks *room, struct avout__notice *notice);
} avout__notice;
void avout__notice_post(avout__locks *room,
                        avout__notice *notice); /* unless it is posted already */
/* Forgets the owner's, and waits for one that is being told, unless by this thread: then told_owner is NULL
 * when the user's function returns. */
void avout__notices_end(avout__locks *room, const void *owner);

/* A lost lock, or lease: what is told is an avout_lost_fn's. */
typedef struct avout__loss avout__loss;
avout_status avout__loss_new(avout__loss **loss, const char *name);
void avout__loss_free(avout__loss *loss); /* NULL is accepted */
/* Consumes the loss. `lost` may be NULL: nobody is told. */
void avout__loss_tell(avout__locks *room, avout__loss *loss, const void *owner, avout_lost_fn lost,
                      void *payload, avout_token token);
void avout__tender_stop(avout__locks *room); /* without the mutex */

/* ---- hold.c ------------------------------------------------------------------------------------------- */

uint64_t avout__thread_number(void);
avout__hold *avout__hold_of_thread(avout__lock *lock); /* mutex held */
/* What the session's or the lease's end does to the holds of a claim. Mutex held. */
void avout__holds_lost(avout__claim *claim);

void avout__hold_free(avout__hold *hold);
/* L6: nothing that may yet be sent is conditional on it. */
bool avout__hold_may_go_on(const avout__hold *hold);
/* The check that the acquisition with this token is in force, counted by the hold. Mutex held.
 * AVOUT_ENOTHELD, AVOUT_ELOST, AVOUT_ENOMEM. */
avout_status avout__hold_check(struct avout__node_check **check, avout__lock *lock,
                               avout_token token);
/* Waits until the want has ended, the token is set or the deadline passed; it has ended then. Answers
 * AVOUT_OK if it was granted, whatever else has happened meanwhile. Without the mutex. */
avout_status avout__want_wait(avout__lock *lock, avout__want *want, avout_cancel *cancel,
                              int64_t deadline_ns);

typedef enum avout__how { AVOUT__WAIT, AVOUT__TRY } avout__how;
avout_status avout__lock_handle_open(avout__lock_handle *handle, avout__locks *room,
                                     const char *name);
void avout__lock_handle_close(avout__lock_handle *handle);
avout_status avout__lock_handle_acquire(avout_token *token, avout__lock_handle *handle, bool shared,
                                        avout__how how, const avout_wait_options *options);
avout_status avout__lock_handle_release(avout__lock_handle *handle, bool shared);
bool avout__lock_handle_holds(avout__lock_handle *handle, bool shared);
uint32_t avout__lock_handle_count(avout__lock_handle *handle, bool shared);
avout_status avout__lock_handle_token(avout_token *token, avout__lock_handle *handle, bool shared);
avout_status avout__lock_handle_on_lost(avout__lock_handle *handle, avout_lost_fn lost,
                                        void *payload);

/* ---- condition.c, wait.c, signal.c ---------------------------------------------------------------- */

avout_status avout__condition_check(const char *name); /* AVOUT_ENAME */
avout_status avout__condition_wait(avout__lock_handle *handle, const char *name,
                                   const avout_wait_options *options);
avout_status avout__condition_signal(avout__lock_handle *handle, const char *name, bool all);
/* Mutex held. */
void avout__waits_event(avout__locks *room, const char *path);
void avout__waits_resume(avout__locks *room);
void avout__waits_session_lost(avout__locks *room);
void avout__waits_close(avout__locks *room);

/* ---- cancel.c ------------------------------------------------------------------------------------------ */

typedef struct avout__cancel_entry {
    avout__link link;
    avout__latch *latch; /* opened when cancelled */
} avout__cancel_entry;
/* NULL is accepted as the token. */
void avout__cancel_enter(avout_cancel *cancel, avout__cancel_entry *entry, avout__latch *latch);
void avout__cancel_leave(avout_cancel *cancel, avout__cancel_entry *entry);

/* The end of a wait with these options that begins now; `timeout_ms` is the client's. AVOUT_EINVAL. */
avout_status avout__wait_deadline(int64_t *deadline_ns, const avout_wait_options *options,
                                  int64_t timeout_ms);

#endif
