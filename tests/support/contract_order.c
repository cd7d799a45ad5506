/* The contract suite: delivery (P1), order (P2), exactly once (P3), no locks (P8), the handle's
 * life. */
#include "support/contract.h"

#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/futex.h"

#define GET AVOUT_REQUEST_GET
#define EXISTS AVOUT_REQUEST_EXISTS
#define LIST AVOUT_REQUEST_LIST

static avout_status submit(contract_client *client, const avout_request *requests, size_t count)
{
    return client->store->ops->submit(client->store, requests, count);
}

CONTRACT(a_get_behind_a_multi_sees_it_P2)
{
    contract_client *c = contract_open();
    CHECK_OK(contract_one(c, op_create("/a", "")));
    for (int i = 1; i < 200; i++) {
        char text[16];
        snprintf(text, sizeof text, "%d", i);
        avout_op set = op_set("/a", text, i - 1);
        avout_request request = request_multi(&set, 1);
        contract_submit(c, &request, 1, &(uint64_t){0});
        contract_check_text(c, "/a", text);
    }
    contract_close(c);
}

CONTRACT(replies_come_in_order_of_submission_P2)
{
    enum { COUNT = 300 };
    contract_client *c = contract_open();
    CHECK_OK(contract_one(c, op_create("/a", "")));
    for (uint64_t i = 0; i < COUNT; i++) {
        avout_op op = op_set("/a", "x", i % 3 ? AVOUT_VERSION_ANY : 100000);
        avout_request request = i % 4 == 0   ? request_multi(&op, 1)
                                : i % 4 == 1 ? request_read(GET, "/a", i % 8 == 1)
                                : i % 4 == 2 ? request_read(EXISTS, "/none", false)
                                             : request_read(LIST, "/", false);
        if (i % 10 == 9) request = request_read(AVOUT_REQUEST_SYNC, "/", false);
        contract_submit(c, &request, 1, &i);
    }
    contract_wait(c, CONTRACT_REPLY, COUNT);
    for (uint64_t i = 0; i < COUNT; i++) CHECK_INT(i, contract_nth(c, CONTRACT_REPLY, i).tag);
    contract_close(c);
}

/* What a request points to is the adapter's for the time of submit only. */
CONTRACT(requests_are_borrowed)
{
    contract_client *c = contract_open();
    avout_request requests[3];
    avout_op ops[2];
    char path[16], bytes[64];
    for (int i = 0; i < 50; i++) {
        snprintf(path, sizeof path, "/n%d", i);
        snprintf(bytes, sizeof bytes, "bytes of %d", i);
        ops[0] = op_create(path, bytes);
        ops[1] = op_set(path, bytes, 0);
        requests[0] = request_multi(ops, 2);
        requests[1] = request_read(GET, path, true);
        requests[2] = request_read(LIST, path, true);
        contract_submit(c, requests, 3, (const uint64_t[]){0, 1, 2});
        memset(requests, 0xa5, sizeof requests);
        memset(ops, 0xa5, sizeof ops);
        memset(path, 'x', sizeof path);
        memset(bytes, 'x', sizeof bytes);
    }
    contract_wait(c, CONTRACT_REPLY, 150);
    for (size_t i = 0; i < 150; i++) CHECK_OK(contract_nth(c, CONTRACT_REPLY, i).status);
    for (int i = 0; i < 50; i++) {
        char text[64];
        snprintf(path, sizeof path, "/n%d", i);
        snprintf(text, sizeof text, "bytes of %d", i);
        contract_check_text(c, path, text);
        CHECK_OK(contract_one(c, op_set(path, "", 1)));
        CHECK_INT(1, contract_events(c, path));
    }
    contract_close(c);
}

/* ---- runs of one submit -------------------------------------------------------------------------- */

enum { THREADS = 8, RUNS = 60, RUN = 4 };

static void *submit_runs(void *payload)
{
    contract_client *c = payload;
    static _Atomic uint64_t next;
    avout_op set = op_set("/a", "x", AVOUT_VERSION_ANY);
    for (int run = 0; run < RUNS; run++) {
        uint64_t tags[RUN], first = atomic_fetch_add(&next, RUN);
        avout_request requests[RUN];
        for (uint64_t i = 0; i < RUN; i++) {
            tags[i] = first + i;
            requests[i] = i ? request_read(GET, "/a", i == 2) : request_multi(&set, 1);
        }
        contract_submit(c, requests, RUN, tags);
    }
    return NULL;
}

static void in_threads(void *(*work)(void *), void *payload)
{
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        CHECK_INT(0, pthread_create(&threads[i], NULL, work, payload));
    for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
}

CONTRACT(a_run_has_nothing_between_P2)
{
    contract_client *c = contract_open();
    CHECK_OK(contract_one(c, op_create("/a", "")));
    in_threads(submit_runs, c);
    contract_wait(c, CONTRACT_REPLY, THREADS * RUNS * RUN);
    for (size_t run = 0; run < THREADS * RUNS; run++) {
        uint64_t first = contract_nth(c, CONTRACT_REPLY, run * RUN).tag;
        CHECK_INT(0, first % RUN);
        for (size_t i = 1; i < RUN; i++)
            CHECK_INT(first + i, contract_nth(c, CONTRACT_REPLY, run * RUN + i).tag);
    }
    CHECK_INT(THREADS * RUNS, contract_version(c, "/a"));
    contract_close(c);
}

/* ---- exactly once -------------------------------------------------------------------------------- */

typedef struct counter {
    contract_client *client;
    _Atomic uint32_t replies, succeeded, failed, wrong;
    uint32_t expected;
    avout__latch all;
} counter;

static void count_reply(const avout_reply *reply, void *payload)
{
    counter *counts = payload;
    contract_enter(counts->client);
    if (!reply->status) atomic_fetch_add(&counts->succeeded, 1);
    else if (reply->status == AVOUT_ECLOSED) atomic_fetch_add(&counts->failed, 1);
    else atomic_fetch_add(&counts->wrong, 1);
    contract_leave(counts->client);
    if (atomic_fetch_add(&counts->replies, 1) + 1 == counts->expected)
        avout__latch_open(&counts->all);
}

CONTRACT(ten_thousand_in_flight_P3)
{
    enum { COUNT = 10000 };
    contract_client *c = contract_open();
    counter counts = {.client = c, .expected = COUNT};
    CHECK_OK(contract_one(c, op_create("/a", "some bytes")));
    avout_op check = op_check("/a", 0);
    for (int i = 0; i < COUNT; i++) {
        avout_request request =
            i % 10 == 0 ? request_multi(&check, 1) : request_read(GET, "/a", false);
        request.done = count_reply;
        request.payload = &counts;
        CHECK_OK(submit(c, &request, 1));
    }
    CHECK(avout__latch_wait(&counts.all, avout__deadline_in_ms(40000)));
    CHECK_INT(COUNT, atomic_load(&counts.succeeded));
    contract_close(c);
    CHECK_INT(COUNT, atomic_load(&counts.replies));
    CHECK_INT(0, avout_memory_blocks());
}

CONTRACT(close_answers_what_is_in_flight_once_P3)
{
    enum { COUNT = 2000 };
    for (int round = 0; round < 5; round++) {
        contract_client *c = contract_open();
        counter counts = {.client = c, .expected = COUNT};
        contract_one(c, op_create("/a", ""));
        avout_op set = op_set("/a", "x", AVOUT_VERSION_ANY);
        for (int i = 0; i < COUNT; i++) {
            avout_request request =
                i % 2 ? request_multi(&set, 1) : request_read(GET, "/a", i % 4 == 0);
            request.done = count_reply;
            request.payload = &counts;
            CHECK_OK(submit(c, &request, 1));
        }
        int64_t start = avout__now_ns();
        contract_close_only(c);
        CHECK(avout__now_ns() - start < 10 * INT64_C(1000000000));
        CHECK_INT(COUNT, atomic_load(&counts.replies));
        CHECK_INT(0, atomic_load(&counts.wrong));
        contract_free(c);
        CHECK_INT(0, avout_memory_blocks());
    }
}

/* ---- submitting from done ------------------------------------------------------------------------- */

typedef struct chain {
    contract_client *client;
    int left;
    avout__latch end;
    avout_status closing; /* what submit answered once the handle was closing */
} chain;

static void next_in_chain(const avout_reply *reply, void *payload)
{
    chain *mine = payload;
    contract_enter(mine->client);
    CHECK_OK(reply->status);
    if (mine->left-- > 0) {
        avout_op set = op_set("/a", "x", mine->left % 2 ? AVOUT_VERSION_ANY : reply->stat.version);
        avout_request request =
            mine->left % 2 ? request_read(GET, "/a", true) : request_multi(&set, 1);
        request.done = next_in_chain;
        request.payload = mine;
        avout_store_info info;
        mine->client->store->ops->info(mine->client->store, &info);
        CHECK_OK(submit(mine->client, &request, 1));
    } else {
        avout__latch_open(&mine->end);
    }
    contract_leave(mine->client);
}

CONTRACT(done_may_submit_P8)
{
    contract_client *c = contract_open();
    CHECK_OK(contract_one(c, op_create("/a", "")));
    chain mine = {.client = c, .left = 600};
    avout_request request = request_read(GET, "/a", false);
    request.done = next_in_chain;
    request.payload = &mine;
    CHECK_OK(submit(c, &request, 1));
    CHECK(avout__latch_wait(&mine.end, avout__deadline_in_ms(40000)));
    CHECK_INT(300, contract_version(c, "/a"));
    contract_close(c);
}

static void go_on_until_closed(const avout_reply *reply, void *payload)
{
    chain *mine = payload;
    if (reply->status) CHECK_INT(AVOUT_ECLOSED, reply->status);
    avout_request request = request_read(GET, "/a", false);
    request.done = go_on_until_closed;
    request.payload = mine;
    avout_status status = submit(mine->client, &request, 1);
    if (status) {
        mine->closing = status;
        avout__latch_open(&mine->end);
    }
}

CONTRACT(done_may_submit_while_the_handle_closes_P3)
{
    contract_client *c = contract_open();
    CHECK_OK(contract_one(c, op_create("/a", "")));
    chain mine = {.client = c};
    avout_request request = request_read(GET, "/a", false);
    request.done = go_on_until_closed;
    request.payload = &mine;
    CHECK_OK(submit(c, &request, 1));
    contract_check_text(c, "/a", "");
    avout__store_close(c->store);
    /* Nothing is called any more, so the chain has ended. */
    CHECK(avout__latch_is_open(&mine.end));
    CHECK_STATUS(AVOUT_ECLOSED, mine.closing);
    contract_free(c);
    CHECK_INT(0, avout_memory_blocks());
}

/* ---- several writers ------------------------------------------------------------------------------- */

enum { CLIENTS = 4, INCREMENTS = 50 };

static void *increment(void *payload)
{
    contract_client *c = payload;
    for (int i = 0; i < INCREMENTS;) {
        avout__reply reply;
        char text[16];
        CHECK_OK(contract_read(c, &reply, GET, "/n", false));
        snprintf(text, sizeof text, "%d", (int)strtol(reply.is.bytes, NULL, 10) + 1);
        avout_status status = contract_one(c, op_set("/n", text, reply.is.stat.version));
        avout__reply_release(&reply);
        if (status != AVOUT_EVERSION) CHECK_OK(status);
        i += status == AVOUT_OK;
    }
    return NULL;
}

CONTRACT(no_increment_is_lost)
{
    contract_client *clients[CLIENTS];
    pthread_t threads[CLIENTS];
    char total[16];
    for (int i = 0; i < CLIENTS; i++) clients[i] = contract_open();
    CHECK_OK(contract_one(clients[0], op_create("/n", "0")));
    for (int i = 0; i < CLIENTS; i++) {
        CHECK_OK(contract_read(clients[i], NULL, AVOUT_REQUEST_SYNC, "/n", false));
        CHECK_INT(0, pthread_create(&threads[i], NULL, increment, clients[i]));
    }
    for (int i = 0; i < CLIENTS; i++) pthread_join(threads[i], NULL);
    snprintf(total, sizeof total, "%d", CLIENTS * INCREMENTS);
    CHECK_OK(contract_read(clients[0], NULL, AVOUT_REQUEST_SYNC, "/n", false));
    contract_check_text(clients[0], "/n", total);
    for (int i = 0; i < CLIENTS; i++) contract_close(clients[i]);
    CHECK_INT(0, avout_memory_blocks());
}

static void *create_children(void *payload)
{
    for (int i = 0; i < RUNS; i++) CHECK_OK(contract_one(payload, op_sequential("/s/")));
    return NULL;
}

CONTRACT(many_threads_on_one_handle)
{
    contract_client *c = contract_open();
    avout__reply reply;
    CHECK_OK(contract_one(c, op_create("/s", "")));
    in_threads(create_children, c);
    CHECK_OK(contract_read(c, &reply, LIST, "/s", false));
    CHECK_INT(THREADS * RUNS, reply.is.name_count);
    avout__reply_release(&reply);
    contract_close(c);
}

/* Another's confirmed change is seen behind a sync. */
CONTRACT(sync_brings_up_to_date)
{
    contract_client *one = contract_open(), *other = contract_open();
    CHECK_OK(contract_one(one, op_create("/a", "0")));
    for (int i = 1; i < 100; i++) {
        char text[16];
        snprintf(text, sizeof text, "%d", i);
        CHECK_OK(contract_one(i % 2 ? one : other, op_set("/a", text, i - 1)));
        contract_client *reader = i % 2 ? other : one;
        CHECK_OK(contract_read(reader, NULL, AVOUT_REQUEST_SYNC, "/a", false));
        contract_check_text(reader, "/a", text);
    }
    contract_close(one);
    contract_close(other);
}

/* ---- the handle's life ----------------------------------------------------------------------------- */

CONTRACT(connected_comes_first_and_info_tells_P7)
{
    contract_client *one = contract_open(), *other = contract_open();
    avout_store_info info, info_of_other;
    contract_wait(one, CONTRACT_SESSION, 1);
    CHECK_INT(CONTRACT_SESSION, one->notes[0].kind);
    CHECK_INT(AVOUT_EVENT_CONNECTED, one->notes[0].session);
    one->store->ops->info(one->store, &info);
    other->store->ops->info(other->store, &info_of_other);
    CHECK(info.session != 0 && info.session != info_of_other.session);
    CHECK(info.session_timeout_ms > 0 || info.session_timeout_ms == AVOUT_FOREVER);
    CHECK(info.op_overhead < 4096);
    contract_close_only(one);
    CHECK_INT(1, contract_count(one, CONTRACT_SESSION));
    contract_free(one);
    contract_close(other);
}

CONTRACT(ephemeral_nodes_go_with_their_handle)
{
    contract_client *one = contract_open(), *other = contract_open();
    avout_store_info info;
    avout__reply reply;
    CHECK_OK(contract_multi(one, NULL,
                            OPS(op_create("/p", ""), op_ephemeral("/p/e"), op_ephemeral("/f"),
                                op_create("/p/stays", ""))));
    one->store->ops->info(one->store, &info);
    CHECK_OK(contract_read(other, NULL, AVOUT_REQUEST_SYNC, "/p", false));
    CHECK_OK(contract_read(other, &reply, EXISTS, "/p/e", true));
    CHECK_INT(info.session, reply.is.stat.owner);
    avout__reply_release(&reply);
    CHECK_OK(contract_read(other, &reply, LIST, "/p", true));
    CHECK_INT(2, reply.is.name_count);
    CHECK_INT(0, reply.is.stat.owner);
    avout__reply_release(&reply);
    contract_close(one);
    contract_wait(other, CONTRACT_EVENT, 2);
    CHECK_STATUS(AVOUT_ENOTFOUND, contract_read(other, NULL, EXISTS, "/p/e", false));
    CHECK_STATUS(AVOUT_ENOTFOUND, contract_read(other, NULL, EXISTS, "/f", false));
    CHECK_OK(contract_read(other, NULL, EXISTS, "/p/stays", false));
    CHECK_INT(1, contract_events(other, "/p/e"));
    CHECK_INT(1, contract_events(other, "/p"));
    contract_close(other);
}

CONTRACT(handles_come_and_go)
{
    contract_client *keeper = contract_open();
    CHECK_OK(contract_one(keeper, op_create("/a", "kept")));
    for (int i = 0; i < 20; i++) {
        contract_client *c = contract_open();
        if (i % 2) {
            CHECK_OK(contract_read(c, NULL, AVOUT_REQUEST_SYNC, "/a", false));
            contract_check_text(c, "/a", "kept");
            CHECK_OK(contract_one(c, op_ephemeral("/e")));
        }
        contract_close(c);
    }
    contract_close(keeper);
    CHECK_INT(0, avout_memory_blocks());
}

static void *open_and_close(void *payload)
{
    (void)payload;
    for (int i = 0; i < 3; i++) {
        contract_client *c = contract_open();
        CHECK_OK(contract_one(c, op_set("/a", "x", AVOUT_VERSION_ANY)));
        contract_close(c);
    }
    return NULL;
}

CONTRACT(handles_come_and_go_in_many_threads)
{
    contract_client *keeper = contract_open();
    CHECK_OK(contract_one(keeper, op_create("/a", "")));
    in_threads(open_and_close, NULL);
    CHECK_OK(contract_read(keeper, NULL, AVOUT_REQUEST_SYNC, "/a", false));
    CHECK_INT(THREADS * 3, contract_version(keeper, "/a"));
    contract_close(keeper);
    CHECK_INT(0, avout_memory_blocks());
}

CONTRACT(a_forked_child_is_told)
{
    contract_client *c = contract_open();
    CHECK_OK(contract_multi(c, NULL, OPS(op_create("/a", "kept"), op_ephemeral("/e"))));
    pid_t child = fork();
    if (child == 0) {
        CHECK_STATUS(AVOUT_EFORK, contract_one(c, op_set("/a", "by the child", 0)));
        CHECK_STATUS(AVOUT_EFORK, contract_read(c, NULL, GET, "/a", false));
        contract_close_only(c);
        _exit(0);
    }
    int status;
    CHECK_INT(child, waitpid(child, &status, 0));
    CHECK_INT(0, status);
    /* The parent's handle and session did not notice. */
    contract_check_text(c, "/a", "kept");
    CHECK_OK(contract_read(c, NULL, EXISTS, "/e", false));
    contract_close(c);
}

static void wait_in_done(const avout_reply *reply, void *payload)
{
    CHECK_OK(reply->status);
    CHECK(avout__latch_wait(payload, avout__deadline_in_ms(30000)));
}

CONTRACT(a_deadline_that_passed_does_no_harm)
{
    contract_client *c = contract_open();
    avout__reply reply;
    avout__latch go_on = AVOUT__LATCH_INIT;
    CHECK_OK(contract_one(c, op_create("/a", "")));
    /* Nothing can be delivered for a while. */
    avout_request request = request_read(GET, "/a", false);
    request.done = wait_in_done;
    request.payload = &go_on;
    CHECK_OK(submit(c, &request, 1));
    for (int i = 0; i < 200; i++) {
        avout_op set = op_set("/a", "x", AVOUT_VERSION_ANY);
        request = i % 2 ? request_multi(&set, 1) : request_read(GET, "/a", false);
        CHECK_STATUS(i % 2 ? AVOUT_UNKNOWN : AVOUT_ETIMEOUT,
                     avout__store_call(&reply, c->store, &request, avout__now_ns()));
        CHECK_CONTAINS("/a", avout_error_detail());
        CHECK_INT(i % 2, reply.is.maybe_done);
        avout__reply_release(&reply);
    }
    avout__latch_open(&go_on);
    /* P2: all those multis came before. */
    CHECK_INT(100, contract_version(c, "/a"));
    contract_close(c);
    CHECK_INT(0, avout_memory_blocks());
}
