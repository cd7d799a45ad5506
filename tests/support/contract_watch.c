/* The contract suite: watches (P6), and that what a client mirrors by them is never torn (P1). */
#include "support/contract.h"

#include <stdlib.h>

#include "base/clock.h"

#define GET AVOUT_REQUEST_GET
#define EXISTS AVOUT_REQUEST_EXISTS
#define LIST AVOUT_REQUEST_LIST

/* Behind this everything confirmed before it, its events included, has been delivered: the events
 * come before a reply that reflects a later state (P1). */
static void settle(contract_client *c)
{
    CHECK_OK(contract_read(c, NULL, AVOUT_REQUEST_SYNC, "/", false));
    CHECK_OK(contract_read(c, NULL, LIST, "/", false));
}

static void watch(contract_client *c, avout_request_kind kind, const char *path)
{
    avout_status status = contract_read(c, NULL, kind, path, true);
    if (status && !(status == AVOUT_ENOTFOUND && kind == EXISTS)) CHECK_OK(status);
}

/* That the n-th event (of all) is this one. */
static void event_is(contract_client *c, size_t n, avout_node_event event, const char *path)
{
    contract_note note = contract_nth(c, CONTRACT_EVENT, n);
    CHECK_TEXT(path, note.path);
    CHECK_INT(event, note.event);
}

CONTRACT(a_watch_fires_once_P6)
{
    static const avout_request_kind kinds[] = {GET, EXISTS};
    for (int i = 0; i < 2; i++) {
        contract_client *reader = contract_open(), *writer = contract_open();
        const char *path = i ? "/b" : "/a";
        CHECK_OK(contract_one(writer, op_create(path, "")));
        settle(reader);
        watch(reader, kinds[i], path);
        for (int set = 0; set < 3; set++)
            CHECK_OK(contract_one(writer, op_set(path, "x", AVOUT_VERSION_ANY)));
        settle(reader);
        CHECK_INT(1, contract_events(reader, NULL));
        event_is(reader, 0, AVOUT_NODE_CHANGED, path);
        watch(reader, kinds[i], path);
        CHECK_OK(contract_one(writer, op_delete(path, AVOUT_VERSION_ANY)));
        CHECK_OK(contract_one(writer, op_create(path, "")));
        settle(reader);
        CHECK_INT(2, contract_events(reader, NULL));
        event_is(reader, 1, AVOUT_NODE_DELETED, path);
        contract_close(reader);
        contract_close(writer);
    }
}

CONTRACT(exists_watches_for_a_creation_P6)
{
    contract_client *reader = contract_open(), *writer = contract_open();
    watch(reader, EXISTS, "/later");
    settle(reader);
    CHECK_INT(0, contract_events(reader, NULL));
    CHECK_OK(contract_one(writer, op_create("/later", "")));
    CHECK_OK(contract_one(writer, op_set("/later", "", 0)));
    settle(reader);
    CHECK_INT(1, contract_events(reader, NULL));
    event_is(reader, 0, AVOUT_NODE_CREATED, "/later");
    contract_close(reader);
    contract_close(writer);
}

CONTRACT(exists_watches_below_what_is_not_there_P6)
{
    contract_client *reader = contract_open(), *writer = contract_open();
    watch(reader, EXISTS, "/p/q/r");
    CHECK_OK(contract_multi(writer, NULL, OPS(op_create("/p", ""), op_create("/p/q", ""))));
    settle(reader);
    CHECK_INT(0, contract_events(reader, NULL));
    CHECK_OK(contract_one(writer, op_create("/p/q/r", "")));
    settle(reader);
    CHECK_INT(1, contract_events(reader, NULL));
    event_is(reader, 0, AVOUT_NODE_CREATED, "/p/q/r");
    contract_close(reader);
    contract_close(writer);
}

CONTRACT(a_get_or_list_of_nothing_arms_nothing_P6)
{
    contract_client *reader = contract_open(), *writer = contract_open();
    CHECK_STATUS(AVOUT_ENOTFOUND, contract_read(reader, NULL, GET, "/none", true));
    CHECK_STATUS(AVOUT_ENOTFOUND, contract_read(reader, NULL, LIST, "/none", true));
    CHECK_OK(contract_one(writer, op_create("/none", "")));
    CHECK_OK(contract_one(writer, op_create("/none/child", "")));
    settle(reader);
    CHECK_INT(0, contract_events(reader, NULL));
    contract_close(reader);
    contract_close(writer);
}

CONTRACT(a_read_without_watch_arms_nothing_P6)
{
    contract_client *reader = contract_open(), *writer = contract_open();
    CHECK_OK(contract_one(writer, op_create("/a", "")));
    settle(reader);
    CHECK_OK(contract_read(reader, NULL, GET, "/a", false));
    CHECK_OK(contract_read(reader, NULL, EXISTS, "/a", false));
    CHECK_OK(contract_read(reader, NULL, LIST, "/a", false));
    CHECK_OK(contract_multi(writer, NULL, OPS(op_create("/a/b", ""), op_set("/a", "", 0))));
    settle(reader);
    CHECK_INT(0, contract_events(reader, NULL));
    contract_close(reader);
    contract_close(writer);
}

CONTRACT(list_watches_the_children_only_P6)
{
    contract_client *reader = contract_open(), *writer = contract_open();
    CHECK_OK(contract_multi(writer, NULL, OPS(op_create("/l", ""), op_create("/l/a", ""))));
    settle(reader);
    watch(reader, LIST, "/l");
    CHECK_OK(contract_multi(writer, NULL, OPS(op_set("/l", "x", 0), op_set("/l/a", "x", 0))));
    CHECK_OK(contract_one(writer, op_create("/l/a/deeper", "")));
    settle(reader);
    CHECK_INT(0, contract_events(reader, NULL));
    CHECK_OK(contract_one(writer, op_create("/l/b", "")));
    CHECK_OK(contract_one(writer, op_create("/l/c", "")));
    settle(reader);
    CHECK_INT(1, contract_events(reader, NULL));
    event_is(reader, 0, AVOUT_NODE_CHILDREN, "/l");
    watch(reader, LIST, "/l");
    CHECK_OK(contract_one(writer, op_delete("/l/b", 0)));
    settle(reader);
    CHECK_INT(2, contract_events(reader, NULL));
    event_is(reader, 1, AVOUT_NODE_CHILDREN, "/l");
    watch(reader, LIST, "/l/c");
    CHECK_OK(contract_one(writer, op_delete("/l/c", 0)));
    settle(reader);
    CHECK_INT(3, contract_events(reader, NULL));
    event_is(reader, 2, AVOUT_NODE_DELETED, "/l/c");
    contract_close(reader);
    contract_close(writer);
}

CONTRACT(a_data_watch_does_not_see_children_P6)
{
    contract_client *reader = contract_open(), *writer = contract_open();
    CHECK_OK(contract_one(writer, op_create("/a", "")));
    settle(reader);
    watch(reader, GET, "/a");
    CHECK_OK(contract_one(writer, op_create("/a/b", "")));
    CHECK_OK(contract_one(writer, op_set("/a/b", "", 0)));
    CHECK_OK(contract_one(writer, op_delete("/a/b", 1)));
    settle(reader);
    CHECK_INT(0, contract_events(reader, NULL));
    CHECK_OK(contract_one(writer, op_set("/a", "", 0)));
    settle(reader);
    CHECK_INT(1, contract_events(reader, "/a"));
    contract_close(reader);
    contract_close(writer);
}

CONTRACT(arming_again_is_harmless_P6)
{
    contract_client *reader = contract_open(), *writer = contract_open();
    CHECK_OK(contract_one(writer, op_create("/a", "")));
    settle(reader);
    for (int i = 0; i < 5; i++) watch(reader, i % 2 ? EXISTS : GET, "/a");
    CHECK_OK(contract_one(writer, op_set("/a", "", 0)));
    settle(reader);
    CHECK_INT(1, contract_events(reader, NULL));
    contract_close(reader);
    contract_close(writer);
}

CONTRACT(a_refused_multi_fires_nothing)
{
    contract_client *c = contract_open();
    CHECK_OK(contract_one(c, op_create("/a", "")));
    watch(c, GET, "/a");
    watch(c, EXISTS, "/new");
    CHECK_STATUS(AVOUT_EVERSION,
                 contract_multi(
                     c, NULL, OPS(op_set("/a", "", 0), op_create("/new", ""), op_check("/a", 0))));
    CHECK_OK(contract_one(c, op_check("/a", 0)));
    settle(c);
    CHECK_INT(0, contract_events(c, NULL));
    contract_close(c);
}

CONTRACT(an_own_event_comes_before_the_own_reply_P1)
{
    contract_client *c = contract_open();
    CHECK_OK(contract_multi(c, NULL, OPS(op_create("/a", ""), op_create("/b", ""))));
    for (int i = 0; i < 100; i++) {
        watch(c, GET, "/a");
        watch(c, EXISTS, "/b");
        CHECK_OK(contract_multi(
            c, NULL, OPS(op_set("/a", "", i), op_check("/a", i + 1), op_set("/b", "", i))));
        /* The reply is here, so the events are. */
        CHECK_INT(2 * (i + 1), contract_events(c, NULL));
    }
    watch(c, LIST, "/");
    watch(c, EXISTS, "/c");
    CHECK_OK(contract_one(c, op_create("/c", "")));
    CHECK_INT(202, contract_events(c, NULL));
    contract_close(c);
}

/* In what was delivered nothing stands between the events of one multi. */
CONTRACT(events_of_a_multi_are_together_P1)
{
    enum { NODES = 20 };
    contract_client *reader = contract_open(), *writer = contract_open();
    static char paths[NODES][16];
    static avout_op ops[NODES];
    for (int i = 0; i < NODES; i++) {
        snprintf(paths[i], sizeof paths[i], "/n%d", i);
        CHECK_OK(contract_one(writer, op_create(paths[i], "")));
    }
    settle(reader);
    for (size_t round = 1; round <= 20; round++) {
        avout_request requests[NODES], multi = request_multi(ops, NODES);
        uint64_t tags[NODES] = {0};
        for (int i = 0; i < NODES; i++) {
            requests[i] = request_read(GET, paths[i], true);
            ops[i] = op_set(paths[i], "", AVOUT_VERSION_ANY);
        }
        contract_submit(reader, requests, NODES, tags);
        contract_wait(reader, CONTRACT_REPLY, round * (NODES + 5) - 5);
        contract_submit(writer, &multi, 1, tags);
        for (int i = 0; i < 5; i++) {
            avout_request get = request_read(GET, paths[i], false);
            contract_submit(reader, &get, 1, tags);
        }
        contract_wait(reader, CONTRACT_EVENT, round * NODES);
        contract_wait(reader, CONTRACT_REPLY, round * (NODES + 5));
    }
    size_t run = 0;
    for (size_t i = 0; i < reader->note_count; i++) {
        if (reader->notes[i].kind == CONTRACT_EVENT) run++;
        else CHECK_INT(0, run % NODES);
    }
    CHECK_INT(20 * NODES, run);
    contract_close(reader);
    contract_close(writer);
}

CONTRACT(unwatch_then_watch_again)
{
    contract_client *reader = contract_open(), *writer = contract_open();
    CHECK_OK(contract_one(writer, op_create("/a", "")));
    settle(reader);
    if (!reader->store->ops->unwatch) test_skip("this adapter cannot");
    for (int i = 0; i < 5; i++) {
        watch(reader, GET, "/a");
        watch(reader, LIST, "/a");
        reader->store->ops->unwatch(reader->store, "/a");
        settle(reader);
    }
    reader->store->ops->unwatch(reader->store, "/never");
    CHECK_OK(contract_one(writer, op_set("/a", "", 0)));
    settle(reader);
    size_t before = contract_events(reader, NULL);
    CHECK(before <= 1); /* best effort */
    watch(reader, GET, "/a");
    CHECK_OK(contract_one(writer, op_set("/a", "", 1)));
    settle(reader);
    CHECK_INT(before + 1, contract_events(reader, "/a"));
    contract_close(reader);
    contract_close(writer);
}

/* ---- the mirror ---------------------------------------------------------------------------------- */

/* What a cache does: an event makes a cell not live and fetches it again, with a watch. Two cells
 * that are only ever changed together must be equal whenever both are live: in every callback. */
typedef struct square {
    struct picture *mirror;
    const char *path;
    bool live;
    int64_t number, version;
} square;

typedef struct picture {
    contract_client *client;
    square cells[2];
    size_t whole; /* how often both were live */
    _Atomic bool stop;
    _Atomic int fetching;
    int64_t last;
    int64_t own; /* last number of an own multi that was confirmed */
} picture;

static void fetch(square *cell);

static void check_mirror(picture *mirror)
{
    const square *x = &mirror->cells[0], *y = &mirror->cells[1];
    if (!x->live || !y->live) return;
    CHECK_INT(x->number, y->number);
    CHECK_INT(x->version, y->version);
    CHECK(x->number >= mirror->last);
    CHECK(x->number >= mirror->own);
    mirror->last = x->number;
    mirror->whole++;
}

static void fetched(const avout_reply *reply, void *payload)
{
    square *cell = payload;
    picture *mirror = cell->mirror;
    contract_enter(mirror->client);
    CHECK_OK(reply->status);
    char text[32] = "";
    CHECK(reply->length < sizeof text);
    memcpy(text, reply->bytes, reply->length);
    cell->number = strtol(text, NULL, 10);
    CHECK(reply->stat.version >= cell->version);
    cell->version = reply->stat.version;
    cell->live = true;
    check_mirror(mirror);
    atomic_fetch_sub(&mirror->fetching, 1);
    contract_leave(mirror->client);
}

static avout_request fetch_request(square *cell)
{
    avout_request request = request_read(GET, cell->path, true);
    request.done = fetched;
    request.payload = cell;
    atomic_fetch_add(&cell->mirror->fetching, 1);
    return request;
}

static void fetch(square *cell)
{
    avout_request request = fetch_request(cell);
    CHECK_OK(cell->mirror->client->store->ops->submit(cell->mirror->client->store, &request, 1));
}

static void cell_changed(avout_node_event event, const char *path, void *payload)
{
    picture *mirror = payload;
    CHECK(event == AVOUT_NODE_CHANGED);
    square *cell = &mirror->cells[strcmp(path, "/x") ? 1 : 0];
    CHECK_TEXT(cell->path, path);
    cell->live = false;
    check_mirror(mirror);
    if (!atomic_load(&mirror->stop)) fetch(cell);
}

typedef struct own_write {
    picture *mirror;
    int64_t number;
    _Atomic int *left;
} own_write;

static void written(const avout_reply *reply, void *payload)
{
    own_write *mine = payload;
    picture *mirror = mine->mirror;
    contract_enter(mirror->client);
    if (!reply->status) {
        /* P1: the own write's events were here first, so nothing older is live any more. */
        mirror->own = mine->number;
        check_mirror(mirror);
    } else {
        CHECK_INT(AVOUT_EVERSION, reply->status);
    }
    atomic_fetch_sub(mine->left, 1);
    contract_leave(mirror->client);
    free(mine);
}

/* The multi and the gets that make the picture whole again, in one run. */
static void write_both(picture *mirror, int64_t number, int64_t version, _Atomic int *left)
{
    char text[32];
    snprintf(text, sizeof text, "%" PRId64, number);
    avout_op ops[] = {op_set("/x", text, version), op_set("/y", text, version)};
    avout_request requests[3] = {request_multi(ops, 2), fetch_request(&mirror->cells[0]),
                                 fetch_request(&mirror->cells[1])};
    own_write *mine = malloc(sizeof *mine);
    CHECK(mine);
    *mine = (own_write){mirror, number, left};
    requests[0].done = written;
    requests[0].payload = mine;
    atomic_fetch_add(left, 1);
    CHECK_OK(mirror->client->store->ops->submit(mirror->client->store, requests, 3));
}

static void mirror_open(picture *mirror)
{
    mirror->cells[0] = (square){.mirror = mirror, .path = "/x", .version = -1};
    mirror->cells[1] = (square){.mirror = mirror, .path = "/y", .version = -1};
    mirror->client = contract_open_with(cell_changed, mirror);
    pthread_mutex_lock(&mirror->client->lock);
    mirror->client->quiet = true;
    pthread_mutex_unlock(&mirror->client->lock);
}

static void mirror_close(picture *mirror)
{
    atomic_store(&mirror->stop, true);
    int64_t deadline = avout__deadline_in_ms(20000);
    while (atomic_load(&mirror->fetching) > 0 && avout__now_ns() < deadline)
        CHECK_OK(contract_read(mirror->client, NULL, AVOUT_REQUEST_SYNC, "/", false));
    CHECK_INT(0, atomic_load(&mirror->fetching));
    contract_close(mirror->client);
    CHECK(mirror->whole > 0);
}

enum { WRITES = 400, READERS = 2, WRITERS = 2 };

CONTRACT(a_mirror_of_watches_is_never_torn_P1)
{
    static picture mirrors[WRITERS + READERS];
    contract_client *setup = contract_open();
    CHECK_OK(contract_multi(setup, NULL, OPS(op_create("/x", "0"), op_create("/y", "0"))));
    for (int i = 0; i < WRITERS + READERS; i++) {
        mirror_open(&mirrors[i]);
        CHECK_OK(contract_read(mirrors[i].client, NULL, AVOUT_REQUEST_SYNC, "/x", false));
        fetch(&mirrors[i].cells[0]);
        fetch(&mirrors[i].cells[1]);
    }
    /* Writers race for versions; the numbers they write are the versions that come of it. */
    static _Atomic int left;
    for (int64_t done = 0; done < WRITES;) {
        for (int i = 0; i < WRITERS; i++) {
            write_both(&mirrors[i], done + 1, done, &left);
            /* Now and then the others are left behind by several. */
            if (done % 5 == 0) write_both(&mirrors[i], done + 2, done + 1, &left);
        }
        int64_t deadline = avout__deadline_in_ms(20000);
        while (atomic_load(&left) && avout__now_ns() < deadline)
            CHECK_OK(contract_read(setup, NULL, AVOUT_REQUEST_SYNC, "/", false));
        CHECK_INT(0, atomic_load(&left));
        done = contract_version(setup, "/x");
    }
    for (int i = 0; i < WRITERS + READERS; i++) mirror_close(&mirrors[i]);
    contract_close(setup);
    CHECK_INT(0, avout_memory_blocks());
}
