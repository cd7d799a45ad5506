#include "support/contract.h"

#include <stdlib.h>

#include "base/clock.h"

/* A loaded machine takes many seconds to start a server; a handle whose attempt to connect gets no
 * answer makes the next one after two thirds of its session timeout (20 s in some tests). */
enum { PATIENCE_MS = 45000 };

static test_case *first, **last = &first;
static const contract_adapter *adapter;
static const char *url;

void contract_add(test_case *test)
{
    *last = test;
    last = &test->next;
}

void contract_reach(const contract_adapter *reached)
{
    adapter = reached;
    url = NULL;
}

static avout_options options_there;

static void get_options_there(avout_options *options)
{
    *options = options_there;
}

void contract_reach_at(const avout_store_ops *ops, const char *there, const avout_options *options)
{
    static contract_adapter reached;
    reached = (contract_adapter){.ops = ops, .options = get_options_there};
    options_there = *options;
    contract_reach(&reached);
    url = there;
}

void contract_use(const contract_adapter *used)
{
    contract_reach(used);
    for (test_case *test = first, *next; test; test = next) {
        next = test->next;
        test->next = NULL;
        test_register(test);
    }
}

/* ---- delivery ------------------------------------------------------------------------------------ */

void contract_enter(contract_client *client)
{
    CHECK_INT(0, atomic_fetch_add(&client->delivering, 1));
    CHECK(avout__store_delivering);
}

void contract_leave(contract_client *client)
{
    CHECK_INT(1, atomic_fetch_sub(&client->delivering, 1));
}

static void take_note(contract_client *client, contract_note note)
{
    pthread_mutex_lock(&client->lock);
    CHECK(!client->closed);
    if (client->note_count == client->note_room) {
        client->note_room = client->note_room ? 2 * client->note_room : 64;
        client->notes = realloc(client->notes, client->note_room * sizeof *client->notes);
        CHECK(client->notes);
    }
    if (!client->quiet) client->notes[client->note_count++] = note;
    pthread_cond_broadcast(&client->changed);
    pthread_mutex_unlock(&client->lock);
}

static void on_node(avout_node_event event, const char *path, void *payload)
{
    contract_client *client = payload;
    contract_enter(client);
    contract_note note = {.kind = CONTRACT_EVENT, .event = event};
    snprintf(note.path, sizeof note.path, "%s", path);
    take_note(client, note);
    if (client->on_node) client->on_node(event, path, client->payload);
    contract_leave(client);
}

static void on_session(avout_event event, void *payload)
{
    contract_client *client = payload;
    contract_enter(client);
    take_note(client, (contract_note){.kind = CONTRACT_SESSION, .session = event});
    contract_leave(client);
}

/* Several threads may open theirs at the same time. */
static const char *url_of_store(void)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    pthread_mutex_lock(&lock);
    if (!url) url = adapter->url();
    const char *found = url;
    pthread_mutex_unlock(&lock);
    return found;
}

contract_client *contract_open_with(void (*node)(avout_node_event, const char *, void *),
                                    void *payload)
{
    CHECK(adapter);
    CHECK_OK(avout__store_register(adapter->ops));
    const char *where = url_of_store();
    contract_client *client = calloc(1, sizeof *client);
    CHECK(client);
    pthread_mutex_init(&client->lock, NULL);
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&client->changed, &attributes);
    client->on_node = node;
    client->payload = payload;
    avout_listener listener = {on_node, on_session, NULL, client};
    avout_options options = AVOUT_OPTIONS_INIT;
    if (adapter->options) adapter->options(&options);
    CHECK_OK(avout__store_open(&client->store, where, &options, &listener));
    return client;
}

contract_client *contract_open(void)
{
    return contract_open_with(NULL, NULL);
}

void contract_close_only(contract_client *client)
{
    avout__store_close(client->store);
    client->store = NULL;
    pthread_mutex_lock(&client->lock);
    client->closed = true;
    pthread_mutex_unlock(&client->lock);
    CHECK_INT(0, atomic_load(&client->delivering));
}

void contract_free(contract_client *client)
{
    pthread_cond_destroy(&client->changed);
    pthread_mutex_destroy(&client->lock);
    free(client->notes);
    free(client);
}

void contract_close(contract_client *client)
{
    contract_close_only(client);
    contract_free(client);
}

typedef struct tagged {
    contract_client *client;
    uint64_t tag;
} tagged;

static void note_reply(const avout_reply *reply, void *payload)
{
    tagged *mine = payload;
    contract_enter(mine->client);
    take_note(mine->client, (contract_note){.kind = CONTRACT_REPLY,
                                            .status = reply->status,
                                            .maybe_done = reply->maybe_done,
                                            .tag = mine->tag});
    contract_leave(mine->client);
    free(mine);
}

void contract_submit(contract_client *client, const avout_request *requests, size_t count,
                     const uint64_t *tags)
{
    avout_request *copies = calloc(count, sizeof *copies);
    CHECK(copies);
    for (size_t i = 0; i < count; i++) {
        tagged *mine = malloc(sizeof *mine);
        CHECK(mine);
        *mine = (tagged){client, tags[i]};
        copies[i] = requests[i];
        copies[i].done = note_reply;
        copies[i].payload = mine;
    }
    CHECK_OK(client->store->ops->submit(client->store, copies, count));
    free(copies);
}

/* ---- the log ------------------------------------------------------------------------------------- */

static size_t count_locked(contract_client *client, contract_kind kind)
{
    size_t count = 0;
    for (size_t i = 0; i < client->note_count; i++) count += client->notes[i].kind == kind;
    return count;
}

size_t contract_count(contract_client *client, contract_kind kind)
{
    pthread_mutex_lock(&client->lock);
    size_t count = count_locked(client, kind);
    pthread_mutex_unlock(&client->lock);
    return count;
}

size_t contract_events(contract_client *client, const char *path)
{
    size_t count = 0;
    pthread_mutex_lock(&client->lock);
    for (size_t i = 0; i < client->note_count; i++)
        count += client->notes[i].kind == CONTRACT_EVENT &&
                 (!path || !strcmp(client->notes[i].path, path));
    pthread_mutex_unlock(&client->lock);
    return count;
}

contract_note contract_nth(contract_client *client, contract_kind kind, size_t n)
{
    contract_note note = {.kind = kind};
    bool found = false;
    pthread_mutex_lock(&client->lock);
    for (size_t i = 0; i < client->note_count && !found; i++) {
        if (client->notes[i].kind != kind || n--) continue;
        note = client->notes[i];
        found = true;
    }
    pthread_mutex_unlock(&client->lock);
    CHECK(found);
    return note;
}

void contract_wait(contract_client *client, contract_kind kind, size_t count)
{
    int64_t deadline = avout__deadline_in_ms(PATIENCE_MS);
    struct timespec until = {.tv_sec = (time_t)(deadline / 1000000000),
                             .tv_nsec = (long)(deadline % 1000000000)};
    pthread_mutex_lock(&client->lock);
    while (count_locked(client, kind) < count && avout__now_ns() < deadline)
        pthread_cond_timedwait(&client->changed, &client->lock, &until);
    size_t got = count_locked(client, kind);
    pthread_mutex_unlock(&client->lock);
    if (got < count)
        test_failed(__FILE__, __LINE__, "%zu of %zu notes of kind %d came", got, count, kind);
}

/* ---- requests ------------------------------------------------------------------------------------ */

avout_op op_create(const char *path, const char *text)
{
    return (avout_op){.kind = AVOUT_OP_CREATE, .path = path, .bytes = text, .length = strlen(text)};
}

avout_op op_ephemeral(const char *path)
{
    return (avout_op){.kind = AVOUT_OP_CREATE, .ephemeral = true, .path = path};
}

avout_op op_sequential(const char *path)
{
    return (avout_op){.kind = AVOUT_OP_CREATE, .sequential = true, .path = path};
}

avout_op op_set(const char *path, const char *text, int64_t version)
{
    return (avout_op){.kind = AVOUT_OP_SET,
                      .path = path,
                      .version = version,
                      .bytes = text,
                      .length = strlen(text)};
}

avout_op op_delete(const char *path, int64_t version)
{
    return (avout_op){.kind = AVOUT_OP_DELETE, .path = path, .version = version};
}

avout_op op_check(const char *path, int64_t version)
{
    return (avout_op){.kind = AVOUT_OP_CHECK, .path = path, .version = version};
}

avout_request request_multi(const avout_op *ops, size_t count)
{
    return (avout_request){.kind = AVOUT_REQUEST_MULTI, .ops = ops, .op_count = count};
}

avout_request request_read(avout_request_kind kind, const char *path, bool watch)
{
    return (avout_request){.kind = kind, .path = path, .watch = watch};
}

avout_status contract_call(contract_client *client, avout__reply *reply,
                           const avout_request *request)
{
    return avout__store_call(reply, client->store, request, avout__deadline_in_ms(PATIENCE_MS));
}

avout_status contract_multi(contract_client *client, avout__reply *reply, const avout_op *ops,
                            size_t count)
{
    avout_request request = request_multi(ops, count);
    return contract_call(client, reply, &request);
}

avout_status contract_one(contract_client *client, avout_op op)
{
    return contract_multi(client, NULL, &op, 1);
}

avout_status contract_read(contract_client *client, avout__reply *reply, avout_request_kind kind,
                           const char *path, bool watch)
{
    avout_request request = request_read(kind, path, watch);
    return contract_call(client, reply, &request);
}

int64_t contract_version(contract_client *client, const char *path)
{
    avout__reply reply;
    avout_status status = contract_read(client, &reply, AVOUT_REQUEST_EXISTS, path, false);
    int64_t version = status ? -1000 + status : reply.is.stat.version;
    avout__reply_release(&reply);
    return version;
}

void contract_check_text(contract_client *client, const char *path, const char *text)
{
    avout__reply reply;
    CHECK_OK(contract_read(client, &reply, AVOUT_REQUEST_GET, path, false));
    CHECK_INT(strlen(text), reply.is.length);
    CHECK(!memcmp(text, reply.is.bytes, reply.is.length));
    CHECK_INT(reply.is.length, reply.is.stat.length);
    avout__reply_release(&reply);
}
