/* Opening a ZooKeeper handle where something is wrong: no server, a silent one, credentials, access
 * lists, what the library cannot do, sessions that are none, no memory.
 * Test-tags: threads waits */
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "store/zk/zk.h"
#include "support/contract.h"
#include "support/server.h"
#include "support/output.h"
#include "support/zookeeper.h"

static const char *url;
static avout_options options;

static const char *get_url(void)
{
    return url;
}

static void get_options(avout_options *wanted)
{
    *wanted = options;
}

static const contract_adapter adapter = {&avout__zk_ops, get_url, get_options};

static void on_node(avout_node_event event, const char *path, void *payload)
{
    (void)event, (void)path, (void)payload;
}

static void on_session(avout_event event, void *payload)
{
    (void)event, (void)payload;
}

static _Atomic int log_lines;

static void on_log(avout_log_level level, const char *message, void *payload)
{
    (void)level, (void)payload;
    CHECK(*message && !strchr(message, '\n'));
    atomic_fetch_add(&log_lines, 1);
}

static avout_status try_open(avout_store **store, const char *where)
{
    static const avout_listener listener = {on_node, on_session, on_log, NULL};
    CHECK_OK(avout__store_register(&avout__zk_ops));
    return avout__store_open(store, where, &options, &listener);
}

/* Leaves no block. No other handle is open meanwhile: its threads free what belongs to an answer
 * after the caller has got it. */
static void check_refused(avout_status expected, const char *where, const char *part)
{
    avout_store *store;
    CHECK_INT(0, avout_memory_blocks());
    CHECK_STATUS(expected, try_open(&store, where));
    CHECK(!store);
    CHECK_CONTAINS(part, avout_error_detail());
    CHECK_INT(0, avout_memory_blocks());
}

TEST(no_server_is_told_in_time_and_by_name)
{
    for (int listening = 0; listening < 2; listening++) {
        char where[64], part[64];
        int port = test_silent_port(listening);
        snprintf(where, sizeof where, "zk://127.0.0.1:%d", port);
        snprintf(part, sizeof part, "127.0.0.1:%d", port);
        options.connect_timeout_ms = 700;
        int64_t start_ns = avout__now_ns();
        check_refused(AVOUT_ECONNECTION, where, part);
        int64_t ms = (avout__now_ns() - start_ns) / 1000000;
        CHECK(ms >= 650);
        CHECK(ms < 20000);
    }
}

TEST(a_server_that_comes_late_is_waited_for)
{
    test_zk *zk = test_zk_start(1);
    const char *where = test_zk_url(zk);
    test_zk_kill(zk, 0);
    test_zk_restart(zk, 0);
    avout_store *store;
    options.connect_timeout_ms = 30000;
    CHECK_OK(try_open(&store, where));
    avout__store_close(store);
}

TEST(bad_options_are_refused)
{
    const char *where = "zk://127.0.0.1:1";
    options = (avout_options){.acl = AVOUT_ACL_OWNER};
    check_refused(AVOUT_EINVAL, where, "user");
    options = (avout_options){.password = "secret"};
    check_refused(AVOUT_EINVAL, where, "user");
    options = (avout_options){.user = "a:b", .password = "secret"};
    check_refused(AVOUT_EINVAL, where, "colon");
    CHECK(!strstr(avout_error_detail(), "secret"));
    options = (avout_options){.tls = true};
    check_refused(AVOUT_ENOTSUP, where, "TLS");
}

TEST(the_root_node_is_made_with_its_parents)
{
    test_zk *zk = test_zk_start(1);
    char deep[256];
    snprintf(deep, sizeof deep, "%s/b/c", test_zk_url(zk));
    url = deep;
    contract_reach(&adapter);
    for (int i = 0; i < 2; i++) {
        contract_client *c = contract_open();
        CHECK_STATUS(i ? AVOUT_EEXISTS : AVOUT_OK, contract_one(c, op_create("/x", "1")));
        avout__reply reply;
        CHECK_OK(contract_read(c, &reply, AVOUT_REQUEST_LIST, "/", false));
        CHECK_INT(1, reply.is.name_count);
        CHECK_TEXT("x", reply.is.names[0]);
        avout__reply_release(&reply);
        contract_close(c);
    }
}

TEST(only_the_owner_gets_in)
{
    test_zk *zk = test_zk_start(1);
    url = test_zk_url(zk);
    contract_reach(&adapter);
    options = (avout_options){.user = "ann", .password = "right", .acl = AVOUT_ACL_OWNER};
    contract_client *c = contract_open();
    CHECK_OK(contract_one(c, op_create("/x", "1")));
    contract_close(c);
    options.password = "wrong";
    check_refused(AVOUT_EPERM, url, "ann");
    CHECK(!strstr(avout_error_detail(), "wrong"));
    options = (avout_options)AVOUT_OPTIONS_INIT;
    check_refused(AVOUT_EPERM, url, "without credentials");
}

TEST(others_may_read_and_not_write)
{
    test_zk *zk = test_zk_start(1);
    url = test_zk_url(zk);
    contract_reach(&adapter);
    options = (avout_options){.user = "ann", .password = "right", .acl = AVOUT_ACL_OWNER_WRITES};
    contract_client *c = contract_open();
    CHECK_OK(contract_one(c, op_create("/x", "1")));
    options = (avout_options)AVOUT_OPTIONS_INIT;
    contract_client *other = contract_open();
    contract_check_text(other, "/x", "1");
    CHECK_STATUS(AVOUT_EPERM, contract_one(other, op_set("/x", "2", 0)));
    CHECK_CONTAINS("/x", avout_error_detail());
    CHECK_OK(contract_one(c, op_set("/x", "2", 0)));
    contract_close(other);
    contract_close(c);
}

TEST_WITHIN(local_sessions_are_refused, 90)
{
    test_zk *zk = test_zk_start_with(
        &(test_zk_options){.servers = 3, .config = "localSessionsEnabled=true\n"});
    options.connect_timeout_ms = 20000;
    check_refused(AVOUT_ENOTSUP, test_zk_url(zk), "local sessions");
}

TEST_WITHIN(a_server_without_quorum_is_not_enough, 90)
{
    test_zk *zk =
        test_zk_start_with(&(test_zk_options){.servers = 3, .java = "-Dreadonlymode.enabled=true"});
    test_zk_kill(zk, 0);
    test_zk_kill(zk, 1);
    char answer[64], where[64];
    int64_t deadline_ns = avout__deadline_in_ms(30000);
    do {
        CHECK(avout__now_ns() < deadline_ns);
        test_pause_ms(20);
        test_zk_ask(zk, 2, "isro", answer, sizeof answer);
    } while (strcmp(answer, "ro"));
    snprintf(where, sizeof where, "zk://127.0.0.1:%d", test_zk_port(zk, 2));
    options.connect_timeout_ms = 1500;
    check_refused(AVOUT_ECONNECTION, where, "127.0.0.1");
}

TEST(the_library_talks_to_the_listener_and_not_to_stderr)
{
    const char *where = test_zk_shared_url();
    output turned = output_keep();
    avout_store *store;
    avout_status status = try_open(&store, where);
    if (!status) avout__store_close(store);
    options.connect_timeout_ms = 300;
    avout_status refused = try_open(&store, "zk://127.0.0.1:1");
    size_t printed = output_back(&turned);
    CHECK_OK(status);
    CHECK_STATUS(AVOUT_ECONNECTION, refused);
    CHECK_INT(0, printed);
    CHECK(atomic_load(&log_lines) > 0);
}

static avout_status open_write_close(void *payload)
{
    avout_store *store;
    avout__reply reply = AVOUT__REPLY_INIT;
    avout_status status = try_open(&store, payload);
    if (status) return status;
    avout_op ops[] = {op_create("/x", "1"), op_delete("/x", 0)};
    avout_request request = request_multi(ops, 2);
    status = avout__store_call(&reply, store, &request, avout__deadline_in_ms(20000));
    avout__reply_release(&reply);
    avout__store_close(store);
    return status;
}

TEST_WITHIN(no_memory_is_an_error, 120)
{
    char where[256];
    snprintf(where, sizeof where, "%s", test_zk_shared_url());
    options.user = "ann";
    options.password = "right";
    avout_store *store;
    CHECK_OK(try_open(&store, where)); /* registers, makes the root node */
    avout__store_close(store);
    test_each_allocation_fails(open_write_close, where);
}
