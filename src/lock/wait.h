/* Waits for a condition: what wait.c, wait_line.c and condition.c know of each other; for nobody else. The nodes, and
 * which signal is whose: condition.h. Mutex held everywhere, unless something else is said.
 *
 *   condition.c   the thread that waits: joins, leaves, has the lock again
 *   wait.c        the waiter's node: made with the lock's giving up, taken back, the session's end
 *   wait_line.c   who is before whom, and whose a signal is
 *
 *   NEW --[create waiter, delete claim]--> ENTERING --known--> WAITING --first, and a signal--> TAKING
 *    |  connected                              |                  |                             |
 *    |                                         | no effect        | deadline, session lost,     | has the lock,
 *    +--deadline: still has the lock           |                  | removed                     | or gave up
 *                                              +--> woken <-------+                             v
 *                                                     +--[delete waiter]--> LEAVING <--[delete waiter, signal]
 *
 * Who is woken wants the lock like anybody else. A signal is used up when the one it woke has the lock: until
 * then both nodes stay, so whoever dies or gives up on the way leaves the signal to the next. The node is taken
 * back in the background until that is confirmed; it is a deed's, as a claim is: one that came late would be
 * first in line for ever and swallow the signals. */
#ifndef AVOUT_LOCK_WAIT_H
#define AVOUT_LOCK_WAIT_H

#include "lock/condition.h"

typedef enum avout__wait_state {
    AVOUT__WAIT_NEW,
    AVOUT__WAIT_ENTERING,
    AVOUT__WAIT_WAITING,
    AVOUT__WAIT_TAKING,
    AVOUT__WAIT_LEAVING,
    AVOUT__WAIT_GONE
} avout__wait_state;

typedef struct avout__wait {
    avout__link link;           /* in room->waits until it is GONE and its thread has left */
    avout__lock *lock;          /* counted */
    avout__lock_handle *handle; /* the condition's: open as long as that */
    avout__deed deed;
    avout__wait_state state; /* of the node */
    bool woken;              /* the want has been added, unless it never gave up the lock */
    bool left;               /* the thread has */
    avout_status status;     /* why the wait could not be */
    avout_status parent_status;
    char detail[256]; /* of status; "": its text */
    uint64_t number;
    avout__asker asker;
    bool listing, armed, watching, deleting;
    int64_t sequence; /* of its node, once that is known */
    char name[AVOUT__CLAIM_NAME], before[AVOUT__CLAIM_NAME], signal[AVOUT__CLAIM_NAME];
    avout__hold *hold;      /* NEW: the thread's, still in force */
    uint32_t writes, reads; /* what the hold was, and will be again */
    avout__want want;
    avout__latch latch;
    char path[]; /* of the condition's node */
} avout__wait;

/* ---- wait.c: nodes --------------------------------------------------------------------------------- */

/* NULL: no memory. */
avout__wait *avout__wait_new(avout__lock *lock, const char *name);
/* Has the waiter made and the lock given up, when connected. It may have been woken when this returns. */
void avout__wait_begin(avout__wait *wait);
/* Its thread goes on, and the lock is wanted again. */
void avout__wait_wake(avout__wait *wait);
/* Takes the node back, and with it the signal that woke. */
void avout__wait_delete(avout__wait *wait);
/* There is no node any more. */
void avout__wait_gone(avout__wait *wait);
/* Its thread has left: freed when nobody knows it any more. */
void avout__wait_left(avout__wait *wait);

/* Sends one request of the wait's (its payload is set here); false: it will be tried again. */
bool avout__wait_ask(avout__wait *wait, avout_request request);
/* At the end of what a `done` of such a request does, which begins with avout__order_begin. */
void avout__wait_reply_end(avout__order *order);

/* ---- wait_line.c: places --------------------------------------------------------------------------- */

/* Asks for its place, unless it is on its way; `watch`: for the first in line, to be told of signals. */
void avout__wait_list(avout__wait *wait, bool watch);
void avout__wait_listed(const avout_reply *reply, void *payload); /* a `done`: mutex not held */
/* Something happened to the node of that path. */
void avout__wait_event(avout__wait *wait, const char *path);

#endif
