/* The embedded adapter's limits: the log's ring, a full store, a map that grows, batches.
 * Test-tags: threads */
#include "support/lmdb.h"

#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "avout/memory.h"
#include "base/clock.h"
#include "base/futex.h"

#define GET AVOUT_REQUEST_GET
#define EXISTS AVOUT_REQUEST_EXISTS

static char block[64 * 1024];

static avout_op set_block(const char *path, size_t length)
{
    return (avout_op){.kind = AVOUT_OP_SET,
                      .path = path,
                      .version = AVOUT_VERSION_ANY,
                      .bytes = block,
                      .length = length};
}

/* ---- the log -------------------------------------------------------------------------------- */

static avout__latch entered = AVOUT__LATCH_INIT, proceed = AVOUT__LATCH_INIT;

static void hold_up(const avout_reply *reply, void *payload)
{
    (void)reply, (void)payload;
    avout__latch_open(&entered);
    avout__latch_wait(&proceed, AVOUT__NEVER);
}

TEST(who_falls_behind_the_log_is_told_for_every_path)
{
    enum { ARMED = 20, CHANGES = 100 }; /* a store made with the smallest map logs 32 */
    lmdb_client slow, fast;
    char paths[ARMED][16];
    avout_options options = {.map_size = 1};
    lmdb_open(&slow, lmdb_path("store"), &options);
    lmdb_open(&fast, lmdb_path("store"), NULL);
    CHECK_OK(contract_one(&fast.client, op_create("/other", "")));
    for (int i = 0; i < ARMED; i++) {
        snprintf(paths[i], sizeof paths[i], "/n%d", i);
        CHECK_STATUS(AVOUT_ENOTFOUND, contract_read(&slow.client, NULL, EXISTS, paths[i], true));
    }
    avout_request request = {.kind = AVOUT_REQUEST_SYNC, .done = hold_up};
    CHECK_OK(slow.client.store->ops->submit(slow.client.store, &request, 1));
    CHECK(avout__latch_wait(&entered, avout__deadline_in_ms(10000)));
    for (int i = 0; i < CHANGES; i++)
        CHECK_OK(contract_one(&fast.client, op_set("/other", "x", i)));
    avout__latch_open(&proceed);
    lmdb_wait_events(&slow, ARMED);
    CHECK_INT(ARMED, atomic_load(&slow.unknown));
    /* Nothing is armed any more; armed again it works as before. */
    CHECK_OK(contract_one(&fast.client, op_create(paths[0], "")));
    CHECK_OK(contract_read(&slow.client, NULL, GET, paths[0], true));
    CHECK_INT(ARMED, atomic_load(&slow.events));
    CHECK_OK(contract_one(&fast.client, op_set(paths[0], "", 0)));
    lmdb_wait_events(&slow, ARMED + 1);
    CHECK_INT(ARMED, atomic_load(&slow.unknown));
    lmdb_close(&slow);
    lmdb_close(&fast);
}

TEST(a_change_too_large_for_a_record_is_told_as_unknown)
{
    enum { COUNT = 200 };
    static char paths[COUNT][520];
    static avout_op ops[COUNT];
    lmdb_client a, b;
    lmdb_open(&a, lmdb_path("store"), NULL);
    lmdb_open(&b, lmdb_path("store"), NULL);
    CHECK_STATUS(AVOUT_ENOTFOUND, contract_read(&a.client, NULL, EXISTS, "/far", true));
    for (int i = 0; i < COUNT; i++) {
        memset(paths[i], 'p', sizeof paths[i] - 1);
        snprintf(paths[i], 16, "/%d", i);
        paths[i][strlen(paths[i])] = '-';
        ops[i] = op_create(paths[i], "");
    }
    /* One's own are known in any case. */
    CHECK_STATUS(AVOUT_ENOTFOUND, contract_read(&b.client, NULL, EXISTS, paths[7], true));
    CHECK_OK(contract_multi(&b.client, NULL, ops, COUNT));
    CHECK_INT(1, atomic_load(&b.events));
    CHECK_INT(0, atomic_load(&b.unknown));
    lmdb_wait_events(&a, 1);
    CHECK_INT(1, atomic_load(&a.unknown));
    lmdb_close(&a);
    lmdb_close(&b);
}

/* ---- full ----------------------------------------------------------------------------------- */

/* Fills the store with blocks; answers how many found room. The last refusal changed nothing. */
static int fill(lmdb_client *c)
{
    avout__reply reply;
    char path[16];
    CHECK_OK(contract_one(&c->client, op_create("/count", "")));
    for (int i = 0;; i++) {
        CHECK(i < 10000);
        snprintf(path, sizeof path, "/b%d", i);
        avout_op create = {.kind = AVOUT_OP_CREATE, .path = path, .bytes = block, .length = 20000};
        avout_op ops[] = {op_set("/count", "x", i), create};
        avout_status status = contract_multi(&c->client, &reply, ops, 2);
        CHECK_INT(0, reply.is.maybe_done);
        avout__reply_release(&reply);
        if (!status) continue;
        CHECK_INT(AVOUT_ENOSPACE, status);
        CHECK_INT(i, contract_version(&c->client, "/count"));
        CHECK_STATUS(AVOUT_ENOTFOUND, contract_read(&c->client, NULL, EXISTS, path, false));
        return i;
    }
}

TEST(a_full_store_refuses_and_is_whole)
{
    lmdb_client c;
    avout_options small = {.map_size = 1 << 20};
    lmdb_open(&c, lmdb_path("store"), &small);
    int count = fill(&c);
    CHECK(count > 10);
    /* With a larger map it goes on. */
    lmdb_close(&c);
    lmdb_open(&c, lmdb_path("store"), NULL);
    CHECK_INT(count, contract_version(&c.client, "/count"));
    CHECK_OK(contract_one(&c.client, set_block("/b0", sizeof block)));
    lmdb_close(&c);
}

/* The disk rather than the map: the kernel refuses to let the file grow. */
TEST(a_full_disk_refuses_and_is_whole)
{
    lmdb_client c;
    signal(SIGXFSZ, SIG_IGN);
    lmdb_open(&c, lmdb_path("store"), NULL);
    struct rlimit limit = {1 << 20, RLIM_INFINITY}, none = {RLIM_INFINITY, RLIM_INFINITY};
    CHECK_INT(0, setrlimit(RLIMIT_FSIZE, &limit));
    int count = fill(&c);
    CHECK(count > 10);
    contract_check_text(&c.client, "/count", "x");
    CHECK_INT(0, setrlimit(RLIMIT_FSIZE, &none));
    CHECK_OK(contract_one(&c.client, op_set("/count", "y", count)));
    lmdb_close(&c);
    CHECK_INT(0, avout_memory_blocks());
}

/* One of several multis that travel together asks for too much: the others are done. */
TEST(who_fits_is_done_though_a_neighbour_does_not_fit)
{
    enum { COUNT = 9 };
    contract_client noted = {0};
    lmdb_client c;
    avout_options small = {.map_size = 512 * 1024};
    lmdb_open(&c, lmdb_path("store"), &small);
    CHECK_OK(contract_multi(&c.client, NULL, OPS(op_create("/a", ""), op_create("/b", ""))));
    static char huge[1 << 20];
    avout_op big = {.kind = AVOUT_OP_SET, .path = "/b", .bytes = huge, .length = sizeof huge};
    big.version = AVOUT_VERSION_ANY;
    avout_op little = op_set("/a", "x", AVOUT_VERSION_ANY);
    avout_request requests[COUNT];
    uint64_t tags[COUNT];
    for (int i = 0; i < COUNT; i++) {
        requests[i] = request_multi(i % 3 == 1 ? &big : &little, 1);
        tags[i] = (uint64_t)i;
    }
    noted.store = c.client.store;
    pthread_mutex_init(&noted.lock, NULL);
    pthread_cond_init(&noted.changed, NULL);
    contract_submit(&noted, requests, COUNT, tags);
    contract_wait(&noted, CONTRACT_REPLY, COUNT);
    for (int i = 0; i < COUNT; i++) {
        contract_note note = contract_nth(&noted, CONTRACT_REPLY, (size_t)i);
        CHECK_INT(i, note.tag);
        CHECK_INT(i % 3 == 1 ? AVOUT_ENOSPACE : AVOUT_OK, note.status);
        CHECK(!note.maybe_done);
    }
    CHECK_INT(6, contract_version(&c.client, "/a"));
    CHECK_INT(0, contract_version(&c.client, "/b"));
    lmdb_close(&c);
    free(noted.notes);
}

/* Multis that are refused half way spoil a transaction for the others, again and again. */
TEST(refused_multis_among_others_have_no_part_in_them)
{
    enum { COUNT = 60 };
    contract_client noted = {0};
    lmdb_client c;
    lmdb_open(&c, lmdb_path("store"), NULL);
    CHECK_OK(contract_one(&c.client, op_create("/a", "")));
    /* Nothing before the last operation tells that it will fail: it depends on the first. */
    avout_op spoilt[] = {op_create("/t", ""), op_create("/t/u", ""), op_delete("/t", 0)};
    avout_op good = op_set("/a", "x", AVOUT_VERSION_ANY);
    avout_request requests[COUNT];
    uint64_t tags[COUNT];
    for (int i = 0; i < COUNT; i++) {
        requests[i] = i % 2 ? request_multi(spoilt, 3) : request_multi(&good, 1);
        tags[i] = (uint64_t)i;
    }
    noted.store = c.client.store;
    pthread_mutex_init(&noted.lock, NULL);
    pthread_cond_init(&noted.changed, NULL);
    contract_submit(&noted, requests, COUNT, tags);
    contract_wait(&noted, CONTRACT_REPLY, COUNT);
    for (int i = 0; i < COUNT; i++)
        CHECK_INT(i % 2 ? AVOUT_ENOTEMPTY : AVOUT_OK,
                  contract_nth(&noted, CONTRACT_REPLY, (size_t)i).status);
    CHECK_INT(COUNT / 2, contract_version(&c.client, "/a"));
    CHECK_STATUS(AVOUT_ENOTFOUND, contract_read(&c.client, NULL, EXISTS, "/t", false));
    lmdb_close(&c);
    free(noted.notes);
}

/* ---- the map -------------------------------------------------------------------------------- */

static void grow(struct lmdb_shared *shared)
{
    lmdb_client c;
    lmdb_wait_step(shared, 1);
    lmdb_open(&c, lmdb_path("store"), NULL);
    for (int i = 0; i < 64; i++) {
        char path[16];
        snprintf(path, sizeof path, "/n%d", i);
        avout_op ops[] = {op_create(path, ""), set_block(path, sizeof block)};
        CHECK_OK(contract_multi(&c.client, NULL, ops, 2));
    }
    CHECK_OK(contract_one(&c.client, op_set("/a", "grown", 0)));
    lmdb_close(&c);
}

TEST(a_store_that_outgrows_the_own_map_is_followed)
{
    lmdb_process other;
    lmdb_client c, reader;
    avout_options small = {.map_size = 512 * 1024};
    lmdb_path("store");
    lmdb_start(&other, grow);
    lmdb_open(&c, lmdb_path("store"), &small);
    lmdb_open(&reader, lmdb_path("store"), &small);
    CHECK_OK(contract_one(&c.client, op_create("/a", "small")));
    CHECK_OK(contract_read(&reader.client, NULL, GET, "/a", true));
    lmdb_step(other.shared, 1);
    lmdb_finish(&other);
    lmdb_wait_events(&reader, 1);
    contract_check_text(&reader.client, "/a", "grown");
    CHECK_OK(contract_one(&c.client, set_block("/n3", 100)));
    avout__reply reply;
    CHECK_OK(contract_read(&c.client, &reply, GET, "/n40", false));
    CHECK_INT(sizeof block, reply.is.length);
    avout__reply_release(&reply);
    lmdb_close(&reader);
    lmdb_close(&c);
}

/* ---- names ---------------------------------------------------------------------------------- */

TEST(sequential_names_pass_over_names_that_are_taken)
{
    lmdb_client c;
    avout__reply reply;
    lmdb_open(&c, lmdb_path("store"), NULL);
    CHECK_OK(contract_one(&c.client, op_create("/q", "")));
    CHECK_OK(contract_one(&c.client, op_create("/q/n-0000000000", "")));
    CHECK_OK(contract_one(&c.client, op_create("/q/0000000002", "")));
    avout_op ops[] = {op_sequential("/q/n-"), op_sequential("/q/"), op_sequential("/r")};
    CHECK_OK(contract_multi(&c.client, &reply, ops, 3));
    CHECK_TEXT("/q/n-0000000001", reply.is.results[0].path);
    CHECK_TEXT("/q/0000000003", reply.is.results[1].path);
    CHECK_TEXT("/r0000000000", reply.is.results[2].path);
    avout__reply_release(&reply);
    lmdb_close(&c);
}

TEST(names_of_every_length_are_told_apart)
{
    lmdb_client c;
    avout__reply reply;
    char path[4097];
    lmdb_open(&c, lmdb_path("store"), NULL);
    int count = 0;
    for (int length = 480; length <= 520; length++, count += 2) {
        memset(path, 'x', sizeof path);
        path[0] = '/';
        path[length + 1] = '\0';
        CHECK_OK(contract_one(&c.client, op_create(path, path)));
        path[length] = 'y';
        CHECK_OK(contract_one(&c.client, op_create(path, path)));
        contract_check_text(&c.client, path, path);
    }
    memset(path, 'z', sizeof path);
    path[0] = '/';
    path[4096] = '\0';
    CHECK_OK(contract_one(&c.client, op_create(path, "longest")));
    contract_check_text(&c.client, path, "longest");
    CHECK_OK(contract_read(&c.client, &reply, AVOUT_REQUEST_LIST, "/", false));
    CHECK_INT(count + 1, reply.is.name_count);
    int longest = 0;
    for (size_t i = 0; i < reply.is.name_count; i++)
        longest += !strcmp(reply.is.names[i], path + 1);
    CHECK_INT(1, longest);
    avout__reply_release(&reply);
    CHECK_OK(contract_one(&c.client, op_delete(path, 0)));
    CHECK_STATUS(AVOUT_ENOTFOUND, contract_read(&c.client, NULL, EXISTS, path, false));
    lmdb_close(&c);
}
