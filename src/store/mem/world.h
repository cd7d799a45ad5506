/* The mem adapter's insides: one tree ("world") of nodes, watches and handles.
 *
 *  M1  Everything of a world and its handles is under world->lock, but for what an item popped for
 *      delivery carries. No callback runs under it.
 *  M2  What a change causes (events, then its reply) is appended to the handles' outbound queues
 *      under the same hold of the lock as the change: the queues are in the order of decision (P1).
 *  M3  Serving a request allocates nothing that it cannot do without: all that a multi needs was
 *      allocated at submit, so applying it cannot fail half-way.
 *
 *  Locks: the registry's (mem.c) before a world's, never the other way round. */
#ifndef AVOUT_STORE_MEM_WORLD_H
#define AVOUT_STORE_MEM_WORLD_H

#include <pthread.h>
#include <stdatomic.h>
#include <sys/types.h>

#include "base/list.h"
#include "store/mem/mem.h"

typedef struct mem_blob {
    _Atomic size_t references;
    size_t length;
    char bytes[];
} mem_blob;

typedef struct mem_entry {
    struct mem_entry *next;
    uint32_t hash;
    char *path;
} mem_entry;

typedef struct mem_table {
    mem_entry **buckets; /* a power of two of them */
    size_t bucket_count, count;
} mem_table;

typedef struct mem_node {
    mem_entry entry; /* first */
    struct mem_node *parent;
    avout__link sibling, children;
    mem_blob *blob;
    int32_t version, child_count;
    avout_point created, changed;
    int64_t changed_ms, owner;
    int32_t sequence; /* of the next sequential child */
} mem_node;

typedef enum mem_item_kind { MEM_REPLY, MEM_NODE_EVENT, MEM_SESSION_EVENT } mem_item_kind;

/* What waits for delivery. */
typedef struct mem_item {
    avout__link link;
    mem_item_kind kind;
    uint64_t sequence; /* in the outbound queue */
} mem_item;

typedef struct mem_session_item {
    mem_item item; /* first */
    avout_event event;
} mem_session_item;

/* Armed: in the world's table and the handle's list. Fired: an item. */
typedef struct mem_watch {
    mem_item item; /* first */
    mem_entry entry;
    avout__link link; /* in handle->watches */
    struct mem_handle *handle;
    bool children;
    avout_node_event event;
    uint64_t armed_by; /* sequence of the reply that armed it */
} mem_watch;

typedef struct mem_op {
    avout_op_kind kind;
    bool ephemeral, sequential;
    char *path; /* with room for the digits */
    int64_t version;
    mem_blob *blob;  /* CREATE, SET: what will be, and after a SET what was */
    mem_node *fresh; /* CREATE: not in the tree */
    /* to undo */
    mem_node *target;
    size_t base_length; /* of path, without digits */
    int32_t old_version;
    avout_point old_changed;
    int64_t old_changed_ms;
} mem_op;

/* A multi's operations, apart from the call: a late one outlives the failed reply. */
typedef struct mem_body {
    avout__link link; /* in world->late */
    avout__mem_late late;
    int64_t session;
    size_t op_count;
    mem_op *ops;
    avout_op_result *results;
} mem_body;

typedef struct mem_call {
    mem_item item; /* first; in handle->inbound, then outbound */
    avout_request_kind kind;
    char *path;
    mem_watch *watch; /* not armed yet */
    mem_body *body;
    avout_done_fn done;
    void *payload;
    avout_reply reply;
    char *detail;
    mem_blob *blob;     /* what reply.bytes points into */
    const char **names; /* one block with the texts */
    bool counted;
    int64_t due_ns;
    avout__mem_fault fault; /* kind 0: none */
} mem_call;

typedef enum mem_state { MEM_CONNECTED, MEM_SUSPENDED, MEM_EXPIRED } mem_state;

typedef struct mem_handle {
    avout_store store; /* first */
    struct mem_world *world;
    avout__link link;
    size_t index;
    pid_t pid;
    avout_listener listener;
    pthread_t thread;
    pthread_cond_t wake;
    avout__link inbound, outbound, missed, watches;
    uint64_t next_sequence;
    uint64_t hold_from; /* outbound items from here on are held; UINT64_MAX: none */
    bool hold_requests, closing;
    mem_state state;
    int64_t session, reconnect_after_ms, reconnect_ns;
    avout__mem_counters counters;
} mem_handle;

typedef struct mem_scripted {
    avout__link link;
    mem_handle *handle; /* NULL: everybody's requests */
    char *path;
    avout__mem_fault fault;
} mem_scripted;

typedef struct mem_world {
    avout__link link; /* in the registry */
    char *name;
    size_t users; /* under the registry's lock */
    pid_t pid;
    pthread_mutex_t lock;
    pthread_cond_t wake;    /* the server's */
    pthread_cond_t changed; /* something was queued or held */
    pthread_t thread;
    bool stop;
    avout__link handles;
    size_t next_index;
    mem_table nodes, watches;
    avout_point point;
    int64_t next_session;
    size_t max_request, max_armed;
    avout__link faults, late;
} mem_world;

enum { MEM_OP_OVERHEAD = 64, MEM_SEQUENCE_DIGITS = 10 };

/* tree.c */
mem_blob *avout__mem_blob_new(const void *bytes, size_t length);
void avout__mem_blob_unref(mem_blob *blob);
mem_node *avout__mem_node_new(const char *path, size_t room);
void avout__mem_node_free(mem_node *node);
avout_status avout__mem_tree_init(mem_world *world);
void avout__mem_tree_release(mem_world *world);
mem_node *avout__mem_find(mem_world *world, const char *path);
void avout__mem_stat(const mem_node *node, avout_stat *stat);
/* Applies all or nothing, and queues the events. A refusal names the operation; *detail (if
 * memory allows) is to be freed. */
avout_status avout__mem_apply(mem_world *world, mem_body *body, size_t *failed_op, char **detail);
void avout__mem_end_session(mem_world *world, int64_t session);
void avout__mem_arm(mem_handle *handle, mem_watch *watch);       /* takes it over */
void avout__mem_disarm(mem_watch *watch);                        /* takes it out; not freed */
int64_t avout__mem_watchers(mem_world *world, const char *path); /* of the node's bytes */
mem_watch *avout__mem_armed(mem_handle *handle, const char *path, bool children);

/* call.c */
mem_call *avout__mem_call_new(const avout_request *request);
void avout__mem_call_free(mem_call *call);
void avout__mem_body_free(mem_body *body);
size_t avout__mem_request_size(const avout_request *request);
bool avout__mem_call_names(const mem_call *call, const char *path);
void avout__mem_serve(mem_handle *handle, mem_call *call); /* fills call->reply */
void avout__mem_call_fail(mem_call *call, avout_status status, bool maybe_done);

/* mem.c */
void avout__mem_enqueue(mem_handle *handle, mem_item *item);
void avout__mem_item_free(mem_item *item);

/* fault.c: one step of a handle on the server. True: it did something; else *due_ns is lowered to
 * when there will be something to do. */
bool avout__mem_step(mem_handle *handle, int64_t now_ns, int64_t *due_ns);
void avout__mem_scripted_free(mem_scripted *scripted);
void avout__mem_forget_watches(mem_handle *handle);

#endif
