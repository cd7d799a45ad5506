/* The contract suite of the coordination port: the promises P1 to P8 of avout/sys/store.h, checked
 * on any adapter. A program per adapter says how to reach an empty store:
 *
 *     static const contract_adapter adapter = {&avout__mem_ops, url};
 *     __attribute__((constructor)) static void use(void) { contract_use(&adapter); }
 *
 * The tests of the suite then are that program's tests, before its own. Where adapters differ by
 * design the suite asks the adapter (info, reply fields), never its name. */
#ifndef TESTS_SUPPORT_CONTRACT_H
#define TESTS_SUPPORT_CONTRACT_H

#include <pthread.h>
#include <stdatomic.h>

#include "store/store.h"
#include "support/test.h"

typedef struct contract_adapter {
    const avout_store_ops *ops;
    const char *(*url)(void); /* of a new, empty store; called once a test, on its main thread */
    /* The adapter's tests after the common ones may need other options; NULL: the defaults. */
    void (*options)(avout_options *options);
} contract_adapter;

void contract_use(const contract_adapter *adapter);
/* Makes contract_open open its stores, from now on, without the suite. */
void contract_reach(const contract_adapter *adapter);
/* The same for the store at `url` (borrowed), with these options (copied). */
void contract_reach_at(const avout_store_ops *ops, const char *url, const avout_options *options);

#define CONTRACT(name) CONTRACT_WITHIN(name, 60)
#define CONTRACT_WITHIN(name_, seconds_)                                                           \
    static void contract_##name_(void);                                                            \
    static test_case contract_case_##name_ = {#name_, contract_##name_, seconds_, NULL};           \
    __attribute__((constructor(201))) static void contract_add_##name_(void)                       \
    {                                                                                              \
        contract_add(&contract_case_##name_);                                                      \
    }                                                                                              \
    static void contract_##name_(void)
void contract_add(test_case *test);

/* ---- a handle that remembers what was delivered ------------------------------------------------- */

typedef enum contract_kind { CONTRACT_EVENT, CONTRACT_SESSION, CONTRACT_REPLY } contract_kind;

typedef struct contract_note {
    contract_kind kind;
    avout_node_event event;
    avout_event session;
    avout_status status;
    bool maybe_done;
    uint64_t tag; /* of a contract_submit */
    char path[64];
} contract_note;

typedef struct contract_client {
    avout_store *store;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    contract_note *notes; /* all that was delivered, in order */
    size_t note_count, note_room;
    bool quiet;             /* remember nothing any more */
    bool closed;            /* a delivery from now on is a failure */
    _Atomic int delivering; /* P1: never more than 1 */
    /* In addition, on the delivery thread. */
    void (*on_node)(avout_node_event event, const char *path, void *payload);
    void *payload;
} contract_client;

/* Opens one on the test's store. */
contract_client *contract_open(void);
contract_client *contract_open_with(void (*on_node)(avout_node_event, const char *, void *),
                                    void *payload);
void contract_close(contract_client *client); /* the log goes too */
/* Closes, keeps the log: client->store is NULL then. */
void contract_close_only(contract_client *client);
void contract_free(contract_client *client);

/* Entering and leaving the delivery thread, for `done` functions of a test's own. */
void contract_enter(contract_client *client);
void contract_leave(contract_client *client);

/* Submits with a `done` that notes the tag. */
void contract_submit(contract_client *client, const avout_request *requests, size_t count,
                     const uint64_t *tags);

size_t contract_count(contract_client *client, contract_kind kind);
/* Number of node events for the path (NULL: all). */
size_t contract_events(contract_client *client, const char *path);
/* The n-th (from 0) note of the kind, copied; fails the test where there is none. */
contract_note contract_nth(contract_client *client, contract_kind kind, size_t n);
/* Waits until there are that many notes of the kind; fails the test after 45 s. */
void contract_wait(contract_client *client, contract_kind kind, size_t count);

/* ---- requests ------------------------------------------------------------------------------------ */

avout_op op_create(const char *path, const char *text);
avout_op op_ephemeral(const char *path);
avout_op op_sequential(const char *path);
avout_op op_set(const char *path, const char *text, int64_t version);
avout_op op_delete(const char *path, int64_t version);
avout_op op_check(const char *path, int64_t version);

avout_request request_multi(const avout_op *ops, size_t count);
avout_request request_read(avout_request_kind kind, const char *path, bool watch);

/* The same, waited for (45 s). `reply` may be NULL. */
avout_status contract_call(contract_client *client, avout__reply *reply,
                           const avout_request *request);
avout_status contract_multi(contract_client *client, avout__reply *reply, const avout_op *ops,
                            size_t count);
avout_status contract_one(contract_client *client, avout_op op); /* a multi of one */
avout_status contract_read(contract_client *client, avout__reply *reply, avout_request_kind kind,
                           const char *path, bool watch);
/* The version of a node, or -1000 - (-status). */
int64_t contract_version(contract_client *client, const char *path);
/* Checks the bytes of a node. */
void contract_check_text(contract_client *client, const char *path, const char *text);

#define OPS(...)                                                                                   \
    (const avout_op[]){__VA_ARGS__}, sizeof((const avout_op[]){__VA_ARGS__}) / sizeof(avout_op)

#endif
