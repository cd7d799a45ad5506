/* The mem adapter's script: that each bad time happens as it is written down, and that the port's
 * promises P5, P6 and P7 hold in it.
 * Test-tags: threads */
#include "base/clock.h"
#include "store/mem/mem.h"
#include "support/contract.h"

#define GET AVOUT_REQUEST_GET
#define EXISTS AVOUT_REQUEST_EXISTS

static const char *url(void)
{
    return "mem:faults";
}

static const contract_adapter adapter = {&avout__mem_ops, url, NULL};

__attribute__((constructor)) static void use(void)
{
    contract_reach(&adapter);
}

static int64_t patience(void)
{
    return avout__deadline_in_ms(20000);
}

/* A handle with "/a" ("0") and "/b" ("0"). */
static contract_client *open_with_nodes(void)
{
    contract_client *c = contract_open();
    CHECK_OK(contract_multi(c, NULL, OPS(op_create("/a", "0"), op_create("/b", "0"))));
    return c;
}

static void script(contract_client *c, avout__mem_fault fault)
{
    CHECK_OK(avout__mem_fault_add(c->store, &fault));
}

/* A multi that fails with ECONNECTION. */
static void lost(contract_client *c, avout_op op, bool maybe_done)
{
    avout__reply reply;
    CHECK_STATUS(AVOUT_ECONNECTION, contract_multi(c, &reply, &op, 1));
    CHECK_INT(maybe_done, reply.is.maybe_done);
    CHECK(reply.is.failed_op == SIZE_MAX);
    avout__reply_release(&reply);
}

/* Waits for the n session events and checks the last two. */
static void sessions(contract_client *c, size_t count, avout_event before, avout_event last)
{
    contract_wait(c, CONTRACT_SESSION, count);
    CHECK_INT(count, contract_count(c, CONTRACT_SESSION));
    CHECK_INT(before, contract_nth(c, CONTRACT_SESSION, count - 2).session);
    CHECK_INT(last, contract_nth(c, CONTRACT_SESSION, count - 1).session);
}

TEST(delay)
{
    contract_client *c = open_with_nodes();
    avout_op set = op_set("/a", "1", 0);
    avout_request multi = request_multi(&set, 1), get = request_read(GET, "/a", false);
    script(c, (avout__mem_fault){.kind = AVOUT__MEM_DELAY, .nth = 2, .delay_ms = 60});
    int64_t start = avout__now_ns();
    contract_submit(c, &get, 1, &(uint64_t){0});
    contract_submit(c, &multi, 1, &(uint64_t){1});
    contract_submit(c, &get, 1, &(uint64_t){2});
    contract_wait(c, CONTRACT_REPLY, 1);
    contract_client *other = contract_open();
    /* Whoever sees the effect sees it after the delay. */
    while (contract_version(other, "/a") == 0) continue;
    CHECK(avout__now_ns() - start >= 60 * 1000000);
    contract_wait(c, CONTRACT_REPLY, 3);
    for (uint64_t i = 0; i < 3; i++) CHECK_INT(i, contract_nth(c, CONTRACT_REPLY, i).tag);
    contract_check_text(other, "/a", "1");
    contract_close(other);
    contract_close(c);
}

TEST(refusal_at_the_nth_multi)
{
    contract_client *c = open_with_nodes();
    avout__reply reply;
    script(c, (avout__mem_fault){.kind = AVOUT__MEM_FAIL,
                                 .multis = true,
                                 .nth = 2,
                                 .status = AVOUT_ENOSPACE,
                                 .failed_op = 1});
    CHECK_OK(contract_one(c, op_set("/a", "1", 0)));
    contract_check_text(c, "/a", "1");
    CHECK_STATUS(AVOUT_ENOSPACE,
                 contract_multi(c, &reply, OPS(op_set("/a", "2", 1), op_set("/b", "2", 0))));
    CHECK_INT(1, reply.is.failed_op);
    CHECK(!reply.is.maybe_done);
    CHECK_CONTAINS("/b", avout_error_detail());
    avout__reply_release(&reply);
    contract_check_text(c, "/a", "1");
    CHECK_INT(0, avout__mem_faults_left(c->store));
    CHECK_OK(contract_one(c, op_set("/a", "2", 1)));
    contract_close(c);
}

TEST(faults_count_by_path_and_for_everybody)
{
    contract_client *one = open_with_nodes(), *other = contract_open();
    script(one, (avout__mem_fault){.kind = AVOUT__MEM_FAIL,
                                   .everybody = true,
                                   .path = "/b",
                                   .nth = 2,
                                   .status = AVOUT_EIO,
                                   .failed_op = SIZE_MAX});
    script(one, (avout__mem_fault){.kind = AVOUT__MEM_FAIL, .status = AVOUT_EPERM});
    CHECK_OK(contract_one(other, op_set("/b", "1", 0)));
    CHECK_OK(contract_one(other, op_set("/a", "1", 0)));
    CHECK_STATUS(AVOUT_EPERM, contract_read(one, NULL, GET, "/a", false));
    CHECK_STATUS(AVOUT_EIO, contract_read(one, NULL, GET, "/b", false));
    CHECK_INT(0, avout__mem_faults_left(one->store));
    script(one, (avout__mem_fault){.kind = AVOUT__MEM_FAIL, .status = AVOUT_EPERM, .nth = 9});
    avout__mem_faults_clear(other->store);
    CHECK_INT(0, avout__mem_faults_left(one->store));
    contract_close(one);
    contract_close(other);
    CHECK_INT(0, avout_memory_blocks());
}

TEST(loss_before_the_effect_P5)
{
    contract_client *c = open_with_nodes();
    CHECK_OK(contract_one(c, op_ephemeral("/e")));
    CHECK_OK(contract_read(c, NULL, GET, "/a", true));
    script(c, (avout__mem_fault){.kind = AVOUT__MEM_LOSE_BEFORE, .multis = true});
    lost(c, op_set("/a", "1", 0), true);
    sessions(c, 3, AVOUT_EVENT_SUSPENDED, AVOUT_EVENT_RESUMED);
    contract_check_text(c, "/a", "0");
    CHECK_INT(0, contract_events(c, NULL));
    /* Session and watch are still there. */
    CHECK_OK(contract_read(c, NULL, EXISTS, "/e", false));
    CHECK_OK(contract_one(c, op_set("/a", "1", 0)));
    CHECK_INT(1, contract_events(c, "/a"));
    contract_close(c);
}

TEST(loss_after_the_effect_P5_P6)
{
    contract_client *c = open_with_nodes();
    CHECK_OK(contract_read(c, NULL, GET, "/a", true));
    avout__mem_reconnect_after(c->store, AVOUT_FOREVER);
    script(c, (avout__mem_fault){.kind = AVOUT__MEM_LOSE_AFTER, .multis = true});
    lost(c, op_set("/a", "1", 0), true);
    contract_wait(c, CONTRACT_SESSION, 2);
    /* P7: while not connected nothing has an effect. */
    lost(c, op_set("/a", "2", 1), false);
    CHECK_STATUS(AVOUT_ECONNECTION, contract_read(c, NULL, GET, "/a", false));
    CHECK_INT(0, contract_events(c, NULL));
    CHECK_OK(avout__mem_reconnect(c->store));
    contract_check_text(c, "/a", "1");
    /* The event that was missed came first. */
    CHECK_INT(1, contract_events(c, "/a"));
    sessions(c, 3, AVOUT_EVENT_SUSPENDED, AVOUT_EVENT_RESUMED);
    CHECK_INT(1, contract_version(c, "/a"));
    contract_close(c);
}

TEST(loss_hits_all_that_is_on_its_way)
{
    for (int behind = 0; behind < 2; behind++) {
        contract_client *c = open_with_nodes();
        avout_op set = op_set("/a", "x", AVOUT_VERSION_ANY);
        avout_request requests[] = {request_multi(&set, 1), request_read(GET, "/a", true),
                                    request_multi(&set, 1), request_multi(&set, 1)};
        script(c, (avout__mem_fault){.kind = AVOUT__MEM_LOSE_AFTER, .behind = behind});
        contract_submit(c, requests, 4, (const uint64_t[]){0, 1, 2, 3});
        contract_wait(c, CONTRACT_REPLY, 4);
        for (uint64_t i = 0; i < 4; i++) {
            contract_note note = contract_nth(c, CONTRACT_REPLY, i);
            CHECK_INT(i, note.tag);
            CHECK_STATUS(AVOUT_ECONNECTION, note.status);
            CHECK_INT(i != 1, note.maybe_done);
        }
        sessions(c, 3, AVOUT_EVENT_SUSPENDED, AVOUT_EVENT_RESUMED);
        CHECK_INT(behind ? 3 : 1, contract_version(c, "/a"));
        /* The get was not answered, so it armed nothing (P6). */
        CHECK_OK(contract_one(c, set));
        CHECK_INT(0, contract_events(c, NULL));
        contract_close(c);
    }
}

TEST(others_changes_while_away_are_told_after_RESUMED_P6)
{
    contract_client *c = open_with_nodes(), *other = contract_open();
    CHECK_OK(contract_read(c, NULL, GET, "/a", true));
    CHECK_STATUS(AVOUT_ENOTFOUND, contract_read(c, NULL, EXISTS, "/new", true));
    CHECK_OK(contract_read(c, NULL, AVOUT_REQUEST_LIST, "/", true));
    avout__mem_reconnect_after(c->store, AVOUT_FOREVER);
    CHECK_OK(avout__mem_suspend(c->store));
    CHECK_OK(contract_multi(other, NULL, OPS(op_set("/a", "1", 0), op_create("/new", ""))));
    contract_wait(c, CONTRACT_SESSION, 2);
    CHECK_INT(0, contract_events(c, NULL));
    CHECK_OK(avout__mem_reconnect(c->store));
    CHECK_INT(1, contract_version(c, "/a"));
    CHECK_INT(3, contract_events(c, NULL));
    CHECK_INT(CONTRACT_SESSION, c->notes[2].kind);
    CHECK_INT(AVOUT_EVENT_RESUMED, c->notes[2].session);
    contract_close(c);
    contract_close(other);
}

/* ---- late multis ----------------------------------------------------------------------------------- */

static void lose_late(contract_client *c, avout__mem_late late)
{
    size_t before = contract_count(c, CONTRACT_SESSION);
    script(c, (avout__mem_fault){.kind = AVOUT__MEM_LOSE_LATE, .multis = true, .late = late});
    lost(c, op_set("/a", "late", 0), true);
    contract_wait(c, CONTRACT_SESSION, before + 2);
    CHECK_INT(1, avout__mem_late_count(c->store));
}

TEST(late_on_command_P5)
{
    contract_client *c = open_with_nodes();
    contract_wait(c, CONTRACT_SESSION, 1);
    lose_late(c, AVOUT__MEM_LATE_ON_COMMAND);
    contract_check_text(c, "/a", "0");
    CHECK_OK(contract_read(c, NULL, GET, "/a", true));
    avout__mem_release_late(c->store);
    contract_check_text(c, "/a", "late");
    CHECK_INT(1, contract_events(c, "/a"));
    CHECK_INT(0, avout__mem_late_count(c->store));
    contract_close(c);
}

TEST(late_but_fenced_off_P5)
{
    contract_client *c = open_with_nodes();
    contract_wait(c, CONTRACT_SESSION, 1);
    lose_late(c, AVOUT__MEM_LATE_ON_COMMAND);
    CHECK_OK(contract_one(c, op_set("/a", "fence", 0)));
    avout__mem_release_late(c->store);
    contract_check_text(c, "/a", "fence");
    CHECK_INT(1, contract_version(c, "/a"));
    contract_close(c);
}

TEST(late_just_before_the_fence_P5)
{
    contract_client *c = open_with_nodes();
    contract_wait(c, CONTRACT_SESSION, 1);
    lose_late(c, AVOUT__MEM_LATE_BEFORE_NEXT);
    contract_check_text(c, "/b", "0"); /* does not name it */
    CHECK_INT(1, avout__mem_late_count(c->store));
    CHECK_STATUS(AVOUT_EVERSION, contract_one(c, op_set("/a", "fence", 0)));
    contract_check_text(c, "/a", "late");
    contract_close(c);
}

TEST(late_just_after_the_fence_P5)
{
    contract_client *c = open_with_nodes();
    contract_wait(c, CONTRACT_SESSION, 1);
    lose_late(c, AVOUT__MEM_LATE_AFTER_NEXT);
    contract_check_text(c, "/a", "0"); /* reads do not bring it */
    CHECK_OK(contract_one(c, op_set("/a", "fence", 0)));
    CHECK_INT(0, avout__mem_late_count(c->store));
    contract_check_text(c, "/a", "fence");
    contract_close(c);
}

TEST(late_and_never)
{
    contract_client *c = open_with_nodes();
    contract_wait(c, CONTRACT_SESSION, 1);
    lose_late(c, AVOUT__MEM_LATE_ON_COMMAND);
    avout__mem_drop_late(c->store);
    CHECK_INT(0, avout__mem_late_count(c->store));
    lose_late(c, AVOUT__MEM_LATE_ON_COMMAND);
    contract_check_text(c, "/a", "0");
    contract_close(c); /* with one still late */
    CHECK_INT(0, avout_memory_blocks());
}

/* ---- the session's end ------------------------------------------------------------------------------- */

static void expiry(avout__mem_fault_kind kind, const char *text)
{
    contract_client *c = open_with_nodes(), *other = contract_open();
    avout_store_info before, after;
    CHECK_OK(contract_one(c, op_ephemeral("/e")));
    CHECK_OK(contract_read(other, NULL, EXISTS, "/e", true));
    CHECK_OK(contract_read(c, NULL, GET, "/b", true));
    c->store->ops->info(c->store, &before);
    script(c, (avout__mem_fault){.kind = kind});
    lost(c, op_set("/a", "1", 0), true);
    sessions(c, 4, AVOUT_EVENT_LOST, AVOUT_EVENT_REESTABLISHED);
    CHECK_INT(AVOUT_EVENT_SUSPENDED, contract_nth(c, CONTRACT_SESSION, 1).session);
    c->store->ops->info(c->store, &after);
    CHECK(before.session != after.session && after.session != 0);
    contract_check_text(c, "/a", text);
    CHECK_STATUS(AVOUT_ENOTFOUND, contract_read(c, NULL, EXISTS, "/e", false));
    CHECK_STATUS(AVOUT_ENOTFOUND, contract_read(other, NULL, EXISTS, "/e", false));
    CHECK_INT(1, contract_events(other, "/e"));
    CHECK_OK(contract_one(c, op_set("/b", "1", 0)));
    CHECK_INT(0, contract_events(c, NULL));
    contract_close(c);
    contract_close(other);
    CHECK_INT(0, avout_memory_blocks());
}

TEST(expiry_before_and_after_the_effect_P7)
{
    expiry(AVOUT__MEM_EXPIRE_BEFORE, "0");
    expiry(AVOUT__MEM_EXPIRE_AFTER, "1");
}

/* On LOST all that was outstanding has been answered. */
TEST(all_is_answered_before_LOST_P7)
{
    contract_client *c = open_with_nodes();
    avout_op set = op_set("/a", "1", 0);
    avout_request requests[] = {request_multi(&set, 1), request_read(GET, "/a", true)};
    avout__mem_hold(c->store, AVOUT__MEM_REQUESTS);
    contract_submit(c, requests, 2, (const uint64_t[]){0, 1});
    CHECK(avout__mem_wait_held(c->store, patience()));
    CHECK_OK(avout__mem_expire(c->store));
    sessions(c, 4, AVOUT_EVENT_LOST, AVOUT_EVENT_REESTABLISHED);
    size_t replies = 0;
    for (size_t i = 0; i < c->note_count; i++) {
        replies += c->notes[i].kind == CONTRACT_REPLY;
        if (c->notes[i].kind == CONTRACT_SESSION && c->notes[i].session == AVOUT_EVENT_LOST)
            CHECK_INT(2, replies);
    }
    contract_check_text(c, "/a", "0");
    contract_close(c);
}

TEST(expiry_while_suspended)
{
    contract_client *c = open_with_nodes(), *other = contract_open();
    CHECK_OK(contract_read(c, NULL, GET, "/a", true));
    avout__mem_reconnect_after(c->store, AVOUT_FOREVER);
    CHECK_OK(avout__mem_suspend(c->store));
    CHECK_OK(contract_one(other, op_set("/a", "1", 0)));
    CHECK_OK(avout__mem_expire(c->store));
    CHECK_OK(avout__mem_expire(c->store));
    CHECK_STATUS(AVOUT_ECONNECTION, contract_read(c, NULL, GET, "/a", false));
    CHECK_OK(avout__mem_reconnect(c->store));
    contract_check_text(c, "/a", "1");
    CHECK_INT(0, contract_events(c, NULL));
    sessions(c, 4, AVOUT_EVENT_LOST, AVOUT_EVENT_REESTABLISHED);
    contract_close(c);
    contract_close(other);
}

/* ---- gates ------------------------------------------------------------------------------------------- */

TEST(held_replies_come_when_released)
{
    contract_client *c = open_with_nodes(), *other = contract_open();
    CHECK_OK(contract_read(c, NULL, GET, "/a", true));
    avout_op set = op_set("/a", "1", 0);
    avout_request multi = request_multi(&set, 1), get = request_read(GET, "/a", false);
    script(c, (avout__mem_fault){.kind = AVOUT__MEM_HOLD_REPLY, .multis = true});
    contract_submit(c, &multi, 1, &(uint64_t){0});
    CHECK(avout__mem_wait_held(c->store, patience()));
    contract_submit(c, &get, 1, &(uint64_t){1});
    contract_check_text(other, "/a", "1");
    CHECK_INT(0, contract_events(c, NULL));
    CHECK_INT(0, contract_count(c, CONTRACT_REPLY));
    avout__mem_release(c->store);
    contract_wait(c, CONTRACT_REPLY, 2);
    CHECK_INT(1, contract_events(c, "/a"));
    CHECK_OK(contract_nth(c, CONTRACT_REPLY, 0).status);
    contract_close(c);
    contract_close(other);
}

TEST(held_requests_are_served_when_released)
{
    contract_client *c = open_with_nodes(), *other = contract_open();
    avout_op set = op_set("/a", "1", 0);
    avout_request multi = request_multi(&set, 1);
    script(c, (avout__mem_fault){.kind = AVOUT__MEM_HOLD_REQUEST});
    contract_submit(c, &multi, 1, &(uint64_t){0});
    CHECK(avout__mem_wait_held(c->store, patience()));
    CHECK_OK(contract_one(other, op_set("/a", "first", 0)));
    avout__mem_release(c->store);
    contract_wait(c, CONTRACT_REPLY, 1);
    CHECK_STATUS(AVOUT_EVERSION, contract_nth(c, CONTRACT_REPLY, 0).status);
    CHECK(!avout__mem_wait_held(c->store, avout__now_ns() + 1000000));
    contract_close(c);
    contract_close(other);
}

TEST(held_replies_are_lost_with_the_connection)
{
    contract_client *c = open_with_nodes(), *other = contract_open();
    CHECK_OK(contract_read(c, NULL, GET, "/a", true));
    avout_op set = op_set("/a", "1", 0);
    avout_request requests[] = {request_multi(&set, 1), request_read(GET, "/a", false),
                                request_read(GET, "/b", true)};
    avout__mem_hold(c->store, AVOUT__MEM_REPLIES);
    contract_submit(c, requests, 3, (const uint64_t[]){0, 1, 2});
    CHECK_OK(contract_read(other, NULL, GET, "/b", false));
    while (contract_version(other, "/a") != 1) continue;
    avout__mem_counters counters;
    do avout__mem_counters_of(c->store, &counters);
    while (counters.requests < 4);
    CHECK_OK(avout__mem_suspend(c->store));
    contract_wait(c, CONTRACT_REPLY, 3);
    for (size_t i = 0; i < 3; i++) {
        contract_note note = contract_nth(c, CONTRACT_REPLY, i);
        CHECK_STATUS(AVOUT_ECONNECTION, note.status);
        CHECK_INT(i == 0, note.maybe_done);
    }
    sessions(c, 3, AVOUT_EVENT_SUSPENDED, AVOUT_EVENT_RESUMED);
    /* The event was missed, and comes; the watch on /b was never armed. */
    CHECK_INT(1, contract_version(c, "/a"));
    CHECK_INT(1, contract_events(c, "/a"));
    CHECK_OK(contract_one(c, op_set("/b", "1", 0)));
    CHECK_INT(0, contract_events(c, "/b"));
    contract_close(c);
    contract_close(other);
}

TEST(close_opens_the_gates)
{
    contract_client *c = open_with_nodes();
    avout_request get = request_read(GET, "/a", true);
    avout__mem_hold(c->store, AVOUT__MEM_REPLIES | AVOUT__MEM_REQUESTS);
    contract_submit(c, &get, 1, &(uint64_t){0});
    contract_close_only(c);
    CHECK_STATUS(AVOUT_ECLOSED, contract_nth(c, CONTRACT_REPLY, 0).status);
    contract_free(c);
    CHECK_INT(0, avout_memory_blocks());
}

/* ---- knobs ------------------------------------------------------------------------------------------- */

TEST(versions_wrap_as_ZooKeepers)
{
    contract_client *c = open_with_nodes();
    CHECK_OK(avout__mem_set_version(c->store, "/a", INT32_MAX));
    CHECK_OK(contract_one(c, op_set("/a", "x", INT32_MAX)));
    CHECK_INT(INT32_MIN, contract_version(c, "/a"));
    CHECK_OK(avout__mem_set_version(c->store, "/a", -2));
    CHECK_OK(contract_one(c, op_set("/a", "x", -2)));
    CHECK_INT(-1, contract_version(c, "/a"));
    CHECK_OK(contract_one(c, op_set("/a", "x", -1)));
    CHECK_INT(0, contract_version(c, "/a"));
    CHECK_STATUS(AVOUT_ENOTFOUND, avout__mem_set_version(c->store, "/none", 0));
    contract_close(c);
}

TEST(small_limits)
{
    contract_client *c = open_with_nodes();
    avout_store_info info;
    avout__mem_limits(c->store, 200, 5);
    c->store->ops->info(c->store, &info);
    CHECK_INT(200, info.max_request);
    CHECK_INT(5, info.max_armed);
    char text[200] = "";
    memset(text, 'x', 200 - info.op_overhead - 2);
    CHECK_OK(contract_one(c, op_set("/a", text, 0)));
    text[strlen(text)] = 'x';
    CHECK_STATUS(AVOUT_ELIMIT, contract_one(c, op_set("/a", text, 1)));
    /* Armed within the limit the session outlives a loss, beyond it it does not. */
    CHECK_OK(contract_read(c, NULL, GET, "/a", true));
    CHECK_OK(contract_read(c, NULL, GET, "/b", true));
    CHECK_OK(avout__mem_suspend(c->store));
    sessions(c, 3, AVOUT_EVENT_SUSPENDED, AVOUT_EVENT_RESUMED);
    CHECK_STATUS(AVOUT_ENOTFOUND, contract_read(c, NULL, EXISTS, "/cc", true));
    CHECK_OK(avout__mem_suspend(c->store));
    sessions(c, 6, AVOUT_EVENT_LOST, AVOUT_EVENT_REESTABLISHED);
    contract_close(c);
}

TEST(counters_and_handles)
{
    contract_client *c = open_with_nodes(), *other = contract_open();
    avout__mem_counters counters;
    CHECK(avout__mem_handle("faults", 0) == c->store);
    CHECK(avout__mem_handle("faults", 1) == other->store);
    CHECK(!avout__mem_handle("faults", 2) && !avout__mem_handle("elsewhere", 0));
    CHECK_OK(contract_read(c, NULL, GET, "/a", true));
    CHECK_OK(contract_read(c, NULL, EXISTS, "/b", true));
    CHECK_OK(contract_read(c, NULL, AVOUT_REQUEST_LIST, "/", false));
    CHECK_OK(contract_read(c, NULL, AVOUT_REQUEST_SYNC, "/", false));
    CHECK_OK(contract_one(c, op_set("/a", "", 0)));
    CHECK_STATUS(AVOUT_EVERSION, contract_one(c, op_set("/a", "", 0)));
    avout__mem_counters_of(c->store, &counters);
    CHECK_INT(7, counters.requests);
    CHECK_INT(3, counters.multis);
    CHECK_INT(1, counters.refused);
    CHECK_INT(2, counters.reads);
    CHECK_INT(1, counters.lists);
    CHECK_INT(1, counters.syncs);
    CHECK_INT(1, counters.events);
    CHECK_INT(1, counters.armed);
    CHECK_INT(2, counters.armed_bytes);
    CHECK_INT(4, counters.armed_bytes_most);
    avout__mem_counters_of(other->store, &counters);
    CHECK_INT(0, counters.requests);
    contract_close(c);
    CHECK(!avout__mem_handle("faults", 0));
    CHECK(avout__mem_handle("faults", 1) == other->store);
    contract_close(other);
    CHECK(!avout__mem_handle("faults", 1));
    c = contract_open();
    CHECK_STATUS(AVOUT_ENOTFOUND, contract_read(c, NULL, GET, "/a", false));
    contract_close(c);
}

static void ignore_session(avout_event event, void *payload)
{
    (void)event, (void)payload;
}

static avout_status whole_life(void *payload)
{
    (void)payload;
    avout_store *store = NULL;
    avout__reply reply = AVOUT__REPLY_INIT;
    avout_listener listener = {.on_session = ignore_session};
    avout_op ops[] = {op_create("/n", "x"), op_sequential("/n/s"), op_set("/n", "y", 0)};
    avout_request requests[] = {request_multi(ops, 3), request_read(GET, "/n", true),
                                request_read(AVOUT_REQUEST_LIST, "/n", true)};
    avout_status status = avout__store_open(&store, "mem:life", NULL, &listener);
    for (int i = 0; i < 3 && !status; i++) {
        avout__reply_release(&reply);
        status = avout__store_call(&reply, store, &requests[i], patience());
    }
    avout__reply_release(&reply);
    avout__store_close(store);
    return status;
}

TEST(no_memory)
{
    CHECK_OK(avout__store_register(&avout__mem_ops));
    test_each_allocation_fails(whole_life, NULL);
}
