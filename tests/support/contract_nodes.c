/* The contract suite: nodes, versions, multis (P4), sizes. */
#include "support/contract.h"

#include <stdlib.h>

#include "base/clock.h"

#define GET AVOUT_REQUEST_GET
#define EXISTS AVOUT_REQUEST_EXISTS
#define LIST AVOUT_REQUEST_LIST

CONTRACT(create_get_set_delete)
{
    contract_client *c = contract_open();
    avout__reply reply;
    CHECK_STATUS(AVOUT_ENOTFOUND, contract_read(c, NULL, GET, "/a", false));
    CHECK_CONTAINS("/a", avout_error_detail());
    CHECK_STATUS(AVOUT_ENOTFOUND, contract_read(c, NULL, EXISTS, "/a", false));
    CHECK_STATUS(AVOUT_ENOTFOUND, contract_read(c, NULL, LIST, "/a", false));
    CHECK_OK(contract_one(c, op_create("/a", "one")));
    contract_check_text(c, "/a", "one");
    CHECK_OK(contract_one(c, op_set("/a", "second", 0)));
    contract_check_text(c, "/a", "second");
    CHECK_OK(contract_read(c, &reply, EXISTS, "/a", false));
    CHECK_INT(6, reply.is.stat.length);
    avout__reply_release(&reply);
    CHECK_OK(contract_one(c, op_delete("/a", 1)));
    CHECK_STATUS(AVOUT_ENOTFOUND, contract_read(c, NULL, EXISTS, "/a", false));
    contract_close(c);
}

CONTRACT(versions_start_at_0_and_grow_by_1_P4)
{
    contract_client *c = contract_open();
    CHECK_OK(contract_one(c, op_create("/a", "")));
    for (int version = 0; version < 10; version++) {
        CHECK_INT(version, contract_version(c, "/a"));
        CHECK_STATUS(AVOUT_EVERSION, contract_one(c, op_set("/a", "x", version + 1)));
        CHECK_STATUS(AVOUT_EVERSION, contract_one(c, op_check("/a", version + 1)));
        CHECK_STATUS(AVOUT_EVERSION, contract_one(c, op_delete("/a", version + 1)));
        CHECK_INT(version, contract_version(c, "/a"));
        CHECK_OK(contract_one(c, op_set("/a", "x", version % 2 ? AVOUT_VERSION_ANY : version)));
    }
    /* Neither a child nor a check counts, and a new node starts over. */
    CHECK_OK(contract_multi(c, NULL, OPS(op_create("/a/b", ""), op_check("/a", 10))));
    CHECK_INT(10, contract_version(c, "/a"));
    CHECK_OK(
        contract_multi(c, NULL, OPS(op_delete("/a/b", 0), op_delete("/a", AVOUT_VERSION_ANY))));
    CHECK_OK(contract_one(c, op_create("/a", "")));
    CHECK_INT(0, contract_version(c, "/a"));
    contract_close(c);
}

/* The multi is refused with the status at the index, and left nothing. */
static void refused(contract_client *c, avout_status status, size_t failed_op, const char *names,
                    const avout_op *ops, size_t count)
{
    avout__reply reply;
    avout_status got = contract_multi(c, &reply, ops, count);
    if (got != status)
        test_failed(__FILE__, __LINE__, "%s (%s), expected %s", avout_status_name(got),
                    avout_error_detail(), avout_status_name(status));
    CHECK_CONTAINS(names, avout_error_detail());
    CHECK_INT(failed_op, reply.is.failed_op);
    CHECK_INT(0, reply.is.result_count);
    CHECK(!reply.is.maybe_done);
    avout__reply_release(&reply);
}

CONTRACT(a_multi_is_all_or_nothing_and_names_the_failed_operation_P4)
{
    contract_client *c = contract_open();
    CHECK_OK(contract_multi(c, NULL, OPS(op_create("/a", "a"), op_create("/b", "b"))));
    refused(c, AVOUT_ENOTFOUND, 2, "/none",
            OPS(op_set("/a", "changed", 0), op_create("/new", ""), op_set("/none", "", 0),
                op_set("/other", "", 0)));
    refused(c, AVOUT_EVERSION, 1, "/b", OPS(op_delete("/a", 0), op_check("/b", 7)));
    refused(
        c, AVOUT_EEXISTS, 3, "/a",
        OPS(op_delete("/b", 0), op_create("/b", ""), op_set("/b", "x", 0), op_create("/a", "")));
    refused(c, AVOUT_ENOTFOUND, 0, "/none",
            OPS(op_check("/none", AVOUT_VERSION_ANY), op_set("/a", "changed", 0)));
    refused(c, AVOUT_ENOTFOUND, 1, "/none", OPS(op_set("/a", "changed", 0), op_delete("/none", 0)));
    refused(c, AVOUT_EVERSION, 4, "/a",
            OPS(op_set("/a", "1", 0), op_set("/a", "2", 1), op_create("/a/x", ""),
                op_delete("/a/x", 0), op_set("/a", "3", 1)));
    contract_check_text(c, "/a", "a");
    contract_check_text(c, "/b", "b");
    CHECK_INT(0, contract_version(c, "/a"));
    CHECK_INT(0, contract_version(c, "/b"));
    CHECK_STATUS(AVOUT_ENOTFOUND, contract_read(c, NULL, EXISTS, "/new", false));
    CHECK_STATUS(AVOUT_ENOTFOUND, contract_read(c, NULL, EXISTS, "/a/x", false));
    contract_close(c);
}

CONTRACT(a_multi_builds_on_its_own_operations_P4)
{
    contract_client *c = contract_open();
    avout__reply reply;
    CHECK_OK(contract_multi(c, &reply,
                            OPS(op_create("/a", "0"), op_create("/a/b", ""), op_set("/a", "1", 0),
                                op_set("/a", "22", 1), op_check("/a", 2), op_delete("/a/b", 0))));
    CHECK_INT(6, reply.is.result_count);
    CHECK_TEXT("/a", reply.is.results[0].path);
    CHECK_TEXT("/a/b", reply.is.results[1].path);
    CHECK(!reply.is.results[2].path && reply.is.results[2].has_stat);
    CHECK_INT(1, reply.is.results[2].stat.version);
    CHECK_INT(1, reply.is.results[2].stat.length);
    CHECK_INT(2, reply.is.results[3].stat.version);
    CHECK_INT(2, reply.is.results[3].stat.length);
    CHECK(!reply.is.results[4].path && !reply.is.results[5].path);
    avout__reply_release(&reply);
    contract_check_text(c, "/a", "22");
    CHECK_INT(2, contract_version(c, "/a"));
    CHECK_STATUS(AVOUT_ENOTFOUND, contract_read(c, NULL, EXISTS, "/a/b", false));
    CHECK_OK(contract_multi(c, NULL, OPS(op_delete("/a", 2), op_create("/a", "again"))));
    CHECK_INT(0, contract_version(c, "/a"));
    contract_close(c);
}

CONTRACT(a_multi_may_be_long_P4)
{
    enum { COUNT = 500 };
    contract_client *c = contract_open();
    static char paths[COUNT][16];
    static avout_op ops[COUNT];
    avout__reply reply;
    CHECK_OK(contract_one(c, op_create("/m", "")));
    for (int i = 0; i < COUNT; i++) {
        snprintf(paths[i], sizeof paths[i], "/m/%d", i);
        ops[i] = op_create(paths[i], "");
    }
    ops[COUNT - 1] = op_check("/none", 0);
    refused(c, AVOUT_ENOTFOUND, COUNT - 1, "/none", ops, COUNT);
    CHECK_OK(contract_multi(c, &reply, ops, COUNT - 1));
    for (int i = 0; i < COUNT - 1; i++) CHECK_TEXT(paths[i], reply.is.results[i].path);
    avout__reply_release(&reply);
    CHECK_OK(contract_read(c, &reply, LIST, "/m", false));
    CHECK_INT(COUNT - 1, reply.is.name_count);
    CHECK_INT(COUNT - 1, reply.is.stat.children);
    avout__reply_release(&reply);
    contract_close(c);
}

CONTRACT(refusals_of_create_and_delete)
{
    contract_client *c = contract_open();
    refused(c, AVOUT_ENOTFOUND, 0, "/no/child", OPS(op_create("/no/child", "")));
    CHECK_OK(contract_multi(c, NULL,
                            OPS(op_create("/a", ""), op_create("/a/b", ""), op_ephemeral("/e"))));
    refused(c, AVOUT_EEXISTS, 1, "/a", OPS(op_check("/a", 0), op_create("/a", "")));
    refused(c, AVOUT_ENOTEMPTY, 0, "/a", OPS(op_delete("/a", 0)));
    refused(c, AVOUT_EEPHEMERAL, 1, "/e/x", OPS(op_check("/a", 0), op_create("/e/x", "")));
    refused(c, AVOUT_ENOTFOUND, 0, "/a/b/c/d", OPS(op_create("/a/b/c/d", "")));
    refused(c, AVOUT_ENOTEMPTY, 1, "/a", OPS(op_create("/a/c", ""), op_delete("/a", 0)));
    CHECK_OK(contract_multi(c, NULL, OPS(op_delete("/a/b", 0), op_delete("/a", 0))));
    contract_close(c);
}

static int by_name(const void *one, const void *other)
{
    return strcmp(*(char *const *)one, *(char *const *)other);
}

CONTRACT(list_names_the_children)
{
    contract_client *c = contract_open();
    avout__reply reply;
    CHECK_OK(
        contract_multi(c, NULL,
                       OPS(op_create("/l", "bytes"), op_create("/l/b", ""), op_create("/l/a", ""),
                           op_create("/l/c", ""), op_create("/l/a/x", ""), op_create("/lx", ""))));
    CHECK_OK(contract_read(c, &reply, LIST, "/l", false));
    CHECK_INT(3, reply.is.name_count);
    const char *names[3] = {reply.is.names[0], reply.is.names[1], reply.is.names[2]};
    qsort(names, 3, sizeof *names, by_name);
    CHECK_TEXT("a", names[0]);
    CHECK_TEXT("b", names[1]);
    CHECK_TEXT("c", names[2]);
    CHECK_INT(3, reply.is.stat.children);
    CHECK_INT(0, reply.is.stat.version);
    CHECK_INT(5, reply.is.stat.length);
    avout__reply_release(&reply);
    CHECK_OK(contract_read(c, &reply, LIST, "/l/b", false));
    CHECK_INT(0, reply.is.name_count);
    avout__reply_release(&reply);
    CHECK_OK(contract_read(c, &reply, LIST, "/", false));
    int found = 0;
    for (size_t i = 0; i < reply.is.name_count; i++) found += !strcmp("l", reply.is.names[i]);
    CHECK_INT(1, found);
    avout__reply_release(&reply);
    contract_close(c);
}

CONTRACT(sequential_names_grow)
{
    contract_client *c = contract_open();
    avout__reply reply;
    char before[64] = "/q/n-";
    CHECK_OK(contract_one(c, op_create("/q", "")));
    for (int round = 0; round < 20; round++) {
        CHECK_OK(contract_multi(c, &reply, OPS(op_sequential("/q/n-"), op_sequential("/q/n-"))));
        for (int i = 0; i < 2; i++) {
            const char *path = reply.is.results[i].path;
            CHECK_INT(strlen("/q/n-") + 10, strlen(path));
            CHECK_INT(10, strspn(path + strlen("/q/n-"), "0123456789"));
            CHECK(strcmp(before, path) < 0);
            snprintf(before, sizeof before, "%s", path);
        }
        avout__reply_release(&reply);
        if (round == 10) CHECK_OK(contract_one(c, op_delete(before, AVOUT_VERSION_ANY)));
    }
    CHECK_OK(contract_read(c, &reply, EXISTS, before, false));
    avout__reply_release(&reply);
    CHECK_OK(contract_read(c, &reply, LIST, "/q", false));
    CHECK_INT(39, reply.is.name_count);
    avout__reply_release(&reply);
    contract_close(c);
}

CONTRACT(stats_tell_points_and_times)
{
    contract_client *c = contract_open();
    avout__reply made, set, got;
    int64_t start = avout__unix_ms();
    CHECK_OK(contract_multi(c, NULL, OPS(op_create("/a", "1"), op_create("/b", ""))));
    CHECK_OK(contract_read(c, &made, GET, "/a", false));
    CHECK(made.is.stat.created != 0);
    CHECK_INT(made.is.stat.created, made.is.stat.changed);
    CHECK_INT(0, made.is.stat.owner);
    CHECK(made.is.stat.changed_ms >= start - 2000 && made.is.stat.changed_ms <= start + 30000);
    CHECK_OK(contract_multi(c, &set, OPS(op_set("/b", "b", 0), op_set("/a", "22", 0))));
    avout_stat stat = set.is.results[1].stat;
    CHECK(stat.changed > made.is.stat.changed);
    CHECK_INT(stat.changed, set.is.results[0].stat.changed);
    if (set.is.point) CHECK_INT(stat.changed, set.is.point);
    CHECK_OK(contract_read(c, &got, GET, "/a", false));
    CHECK_INT(stat.changed, got.is.stat.changed);
    CHECK_INT(stat.version, got.is.stat.version);
    CHECK_INT(stat.created, got.is.stat.created);
    CHECK_INT(stat.length, got.is.stat.length);
    CHECK_INT(made.is.stat.created, got.is.stat.created);
    avout__reply_release(&made);
    avout__reply_release(&got);
    /* A child changes its parent's count, not its bytes' point. */
    CHECK_OK(contract_one(c, op_create("/a/x", "")));
    CHECK_OK(contract_read(c, &got, GET, "/a", false));
    CHECK_INT(stat.changed, got.is.stat.changed);
    CHECK_INT(1, got.is.stat.children);
    avout__reply_release(&got);
    avout__reply_release(&set);
    contract_close(c);
}

CONTRACT(bytes_are_bytes)
{
    contract_client *c = contract_open();
    char all[512];
    avout__reply reply;
    for (size_t i = 0; i < sizeof all; i++) all[i] = (char)i;
    avout_op create = op_create("/bytes", "");
    create.bytes = all;
    create.length = sizeof all;
    CHECK_OK(contract_one(c, create));
    CHECK_OK(contract_read(c, &reply, GET, "/bytes", false));
    CHECK_INT(sizeof all, reply.is.length);
    CHECK(!memcmp(all, reply.is.bytes, sizeof all));
    avout__reply_release(&reply);
    avout_op empty = {.kind = AVOUT_OP_SET, .path = "/bytes", .version = 0};
    CHECK_OK(contract_one(c, empty));
    contract_check_text(c, "/bytes", "");
    CHECK_OK(contract_one(c, op_set("/bytes", "x", 1)));
    contract_check_text(c, "/bytes", "x");
    contract_close(c);
}

CONTRACT(long_and_strange_paths)
{
    contract_client *c = contract_open();
    char path[AVOUT__NAME_MAX + 1] = "";
    avout__reply reply;
    /* Deep, to the limit. */
    size_t length = 0;
    while (length + 8 <= 1000) {
        length += (size_t)snprintf(path + length, sizeof path - length, "/segment");
        CHECK_OK(contract_one(c, op_create(path, path)));
    }
    contract_check_text(c, path, path);
    /* One long segment. */
    memset(path, 'x', sizeof path - 1);
    path[0] = '/';
    CHECK_OK(contract_one(c, op_create(path, "long")));
    contract_check_text(c, path, "long");
    path[AVOUT__NAME_MAX - 1] = 'y';
    CHECK_STATUS(AVOUT_ENOTFOUND, contract_read(c, NULL, GET, path, false));
    CHECK_OK(contract_one(c, op_create(path, "other")));
    contract_check_text(c, path, "other");
    static const char *const strange[] = {"/a b", "/\xc3\xa4\xe2\x82\xac", "/%s%n", "/a:b", "/..a"};
    for (size_t i = 0; i < sizeof strange / sizeof *strange; i++) {
        CHECK_OK(contract_one(c, op_create(strange[i], strange[i])));
        contract_check_text(c, strange[i], strange[i]);
    }
    CHECK_OK(contract_read(c, &reply, LIST, "/", false));
    int found = 0;
    for (size_t i = 0; i < reply.is.name_count; i++)
        found += !strcmp("\xc3\xa4\xe2\x82\xac", reply.is.names[i]);
    CHECK_INT(1, found);
    avout__reply_release(&reply);
    contract_close(c);
}

static size_t set_room(const avout_store_info *info, const char *path)
{
    return info->max_request - info->op_overhead - strlen(path);
}

static void must_not_come(const avout_reply *reply, void *payload)
{
    (void)payload;
    test_failed(__FILE__, __LINE__, "done of a refused submit, %s",
                avout_status_name(reply->status));
}

CONTRACT(sizes_up_to_the_limit_and_beyond)
{
    contract_client *c = contract_open();
    avout_store_info info;
    avout__reply reply;
    c->store->ops->info(c->store, &info);
    CHECK(info.max_request >= 64 * 1024 && info.max_request <= 1024u * 1024 * 1024);
    CHECK_OK(contract_one(c, op_create("/big", "")));
    avout_op set = op_set("/big", "", AVOUT_VERSION_ANY);
    size_t room = set_room(&info, "/big");
    if (room > 4 * 1024 * 1024) room = 4 * 1024 * 1024; /* where the limit is far off */
    char *bytes = malloc(info.max_request + 1);
    CHECK(bytes);
    for (size_t i = 0; i <= info.max_request; i++) bytes[i] = (char)(i * 31 + i / 251);
    set.bytes = bytes;
    set.length = room;
    CHECK_OK(contract_one(c, set));
    CHECK_OK(contract_read(c, &reply, GET, "/big", false));
    CHECK_INT(room, reply.is.length);
    CHECK(!memcmp(bytes, reply.is.bytes, room));
    avout__reply_release(&reply);
    /* One byte more, in one operation and in two; P3: no done then. */
    set.length = set_room(&info, "/big") + 1;
    avout_op pair[] = {set, op_set("/big", "", AVOUT_VERSION_ANY)};
    pair[0].length = set_room(&info, "/big") - info.op_overhead - strlen("/big");
    pair[1].bytes = bytes;
    pair[1].length = 1;
    avout_request requests[] = {request_read(GET, "/big", false), request_multi(&set, 1)};
    for (int i = 0; i < 2; i++) {
        if (i == 1) requests[1] = request_multi(pair, 2);
        requests[0].done = requests[1].done = must_not_come;
        CHECK_STATUS(AVOUT_ELIMIT, c->store->ops->submit(c->store, requests, 2));
        char limit[32];
        snprintf(limit, sizeof limit, "%zu", info.max_request);
        CHECK_CONTAINS(limit, avout_error_detail());
    }
    CHECK_INT(1, contract_version(c, "/big"));
    free(bytes);
    contract_close(c);
    CHECK_INT(0, avout_memory_blocks());
}
