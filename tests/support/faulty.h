/* A decorator of the coordination port: any adapter with bad times written down beforehand, for what
 * a real engine cannot be made to do at will (a reply lost after the effect on the embedded store;
 * an I/O error at commit). Opened as "faulty:" and the address of the store below; after
 * avout__store_register(&test_faulty_ops) that works for avout_connect as well.
 *
 * A lost connection is the client's side of it only: SUSPENDED, failures for all that is on its way
 * (the engine carries it out all the same), RESUMED, then the events of meanwhile. A read that is
 * lost so has armed its watch below: an event may come that nobody waits for. */
#ifndef TESTS_SUPPORT_FAULTY_H
#define TESTS_SUPPORT_FAULTY_H

#include "avout/sys/store.h"

extern const avout_store_ops test_faulty_ops;

typedef enum test_faulty_kind {
    TEST_FAULTY_REFUSE = 1,  /* not passed on: `status`, maybe_done false */
    TEST_FAULTY_DROP_BEFORE, /* not passed on: `status`, a multi with maybe_done */
    TEST_FAULTY_DROP_AFTER,  /* passed on; answered like that nevertheless */
    TEST_FAULTY_DELAY,       /* its reply, and all that is delivered after it, delay_ms late */
} test_faulty_kind;

typedef struct test_faulty {
    test_faulty_kind kind;
    size_t handle;       /* the how manyeth opened in this process; 0: any */
    bool multis;         /* only multis count */
    size_t nth;          /* 1 (or 0): the next submitted that counts. Happens once. */
    avout_status status; /* AVOUT_OK: AVOUT_ECONNECTION */
    bool suspends;       /* DROP_*: the connection is lost with it */
    int64_t delay_ms;
} test_faulty;

/* What info() says of the session's timeout; 0: what the store below says. */
extern _Atomic int64_t test_faulty_session_ms;

void test_faulty_add(const test_faulty *fault);
size_t test_faulty_left(void);

#endif
