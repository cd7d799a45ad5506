/* The embedded adapter among several processes: events, deaths, stops.
 * Test-tags: threads */
#include "support/lmdb.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "support/await.h"

#define GET AVOUT_REQUEST_GET
#define EXISTS AVOUT_REQUEST_EXISTS
#define LIST AVOUT_REQUEST_LIST

/* ---- events --------------------------------------------------------------------------------- */

enum { ROUNDS = 50 };

/* Answers each change of /ping by one of /pong. */
static void echo(struct lmdb_shared *shared)
{
    lmdb_client c;
    lmdb_open(&c, lmdb_path("store"), NULL);
    CHECK_OK(contract_one(&c.client, op_create("/ping", "")));
    CHECK_OK(contract_one(&c.client, op_create("/pong", "")));
    CHECK_OK(contract_read(&c.client, NULL, GET, "/ping", true));
    lmdb_step(shared, 1);
    for (int i = 0; i < ROUNDS; i++) {
        lmdb_wait_events(&c, i + 1);
        atomic_store(&shared->numbers[0], atomic_load(&c.last_event_ns));
        CHECK_OK(contract_read(&c.client, NULL, GET, "/ping", true));
        CHECK_INT(i + 1, contract_version(&c.client, "/ping"));
        CHECK_OK(contract_one(&c.client, op_set("/pong", "x", i)));
    }
    lmdb_wait_step(shared, 2);
    lmdb_close(&c);
}

static int by_size(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

TEST(two_processes_see_each_others_changes)
{
    lmdb_process other;
    lmdb_client c;
    int64_t wakes_ns[ROUNDS];
    lmdb_path("store");
    lmdb_start(&other, echo);
    lmdb_wait_step(other.shared, 1);
    lmdb_open(&c, lmdb_path("store"), NULL);
    for (int i = 0; i < ROUNDS; i++) {
        CHECK_OK(contract_read(&c.client, NULL, GET, "/pong", true));
        CHECK_OK(contract_one(&c.client, op_set("/ping", "x", i)));
        int64_t confirmed_ns = avout__now_ns();
        lmdb_wait_events(&c, i + 1);
        CHECK_INT(i + 1, contract_version(&c.client, "/pong"));
        wakes_ns[i] = atomic_load(&other.shared->numbers[0]) - confirmed_ns;
    }
    lmdb_step(other.shared, 2);
    qsort(wakes_ns, ROUNDS, sizeof *wakes_ns, by_size);
    printf("# the other process's event, after the own confirmation: median %" PRId64 " ns\n",
           wakes_ns[ROUNDS / 2]);
    lmdb_finish(&other);
    lmdb_close(&c);
}

/* ---- deaths --------------------------------------------------------------------------------- */

static void hold_ephemerals(struct lmdb_shared *shared)
{
    lmdb_client c;
    lmdb_open(&c, lmdb_path("store"), NULL);
    CHECK_OK(contract_multi(&c.client, NULL,
                            OPS(op_create("/dir", ""), op_ephemeral("/dir/a"),
                                op_ephemeral("/dir/b"), op_create("/dir/stays", ""))));
    lmdb_step(shared, 1);
    for (;;) pause();
}

TEST(the_ephemerals_of_a_killed_process_go_at_once)
{
    lmdb_process other;
    lmdb_client c;
    lmdb_path("store");
    lmdb_start(&other, hold_ephemerals);
    lmdb_wait_step(other.shared, 1);
    lmdb_open(&c, lmdb_path("store"), NULL);
    CHECK_OK(contract_read(&c.client, NULL, EXISTS, "/dir/a", true));
    CHECK_OK(contract_read(&c.client, NULL, LIST, "/dir", true));
    test_pause_ms(250); /* several ticks: who lives is left alone */
    CHECK_INT(0, atomic_load(&c.events));
    int64_t start_ns = avout__now_ns();
    lmdb_kill(&other);
    lmdb_wait_events(&c, 2);
    printf("# noticed %" PRId64 " us after the kill\n",
           (atomic_load(&c.last_event_ns) - start_ns) / 1000);
    CHECK_INT(1, atomic_load(&c.deleted));
    CHECK_STATUS(AVOUT_ENOTFOUND, contract_read(&c.client, NULL, EXISTS, "/dir/a", false));
    CHECK_STATUS(AVOUT_ENOTFOUND, contract_read(&c.client, NULL, EXISTS, "/dir/b", false));
    CHECK_OK(contract_read(&c.client, NULL, EXISTS, "/dir/stays", false));
    lmdb_close(&c);
}

TEST(an_opening_removes_what_the_dead_left)
{
    lmdb_process other;
    lmdb_client c;
    lmdb_path("store");
    lmdb_start(&other, hold_ephemerals);
    lmdb_wait_step(other.shared, 1);
    lmdb_kill(&other);
    lmdb_open(&c, lmdb_path("store"), NULL);
    CHECK_STATUS(AVOUT_ENOTFOUND, contract_read(&c.client, NULL, EXISTS, "/dir/a", false));
    CHECK_OK(contract_read(&c.client, NULL, EXISTS, "/dir/stays", false));
    lmdb_close(&c);
}

/* A child made by fork and not exec inherits the locks; its handler gives them up. */
static void fork_and_hold(struct lmdb_shared *shared)
{
    lmdb_client c;
    lmdb_open(&c, lmdb_path("store"), NULL);
    CHECK_OK(contract_one(&c.client, op_ephemeral("/mine")));
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        CHECK_STATUS(AVOUT_EFORK, contract_one(&c.client, op_create("/never", "")));
        lmdb_close(&c);
        lmdb_step(shared, 1);
        for (;;) pause();
    }
    atomic_store(&shared->numbers[0], child);
    for (;;) pause();
}

TEST(a_forked_child_does_not_keep_its_dead_parent_alive)
{
    lmdb_process other;
    lmdb_client c;
    lmdb_path("store");
    lmdb_start(&other, fork_and_hold);
    lmdb_wait_step(other.shared, 1);
    lmdb_open(&c, lmdb_path("store"), NULL);
    CHECK_OK(contract_read(&c.client, NULL, EXISTS, "/mine", true));
    lmdb_kill(&other);
    lmdb_wait_events(&c, 1);
    CHECK_INT(1, atomic_load(&c.deleted));
    pid_t grandchild = (pid_t)atomic_load(&other.shared->numbers[0]);
    CHECK_INT(0, kill(grandchild, 0));
    kill(grandchild, SIGKILL);
    CHECK_STATUS(AVOUT_ENOTFOUND, contract_read(&c.client, NULL, EXISTS, "/never", false));
    lmdb_close(&c);
}

/* Sets /x and /y to one number again and again; the number of the last confirmed is shared. */
static void write_pairs(struct lmdb_shared *shared)
{
    lmdb_client c;
    char text[24];
    lmdb_open(&c, lmdb_path("store"), NULL);
    for (int64_t i = atomic_load(&shared->numbers[0]) + 1;; i++) {
        snprintf(text, sizeof text, "%" PRId64, i);
        CHECK_OK(contract_multi(
            &c.client, NULL,
            OPS(op_set("/x", text, AVOUT_VERSION_ANY), op_set("/y", text, AVOUT_VERSION_ANY))));
        atomic_store(&shared->numbers[0], i);
        lmdb_step(shared, 1);
    }
}

static int64_t number_in(lmdb_client *c, const char *path)
{
    avout__reply reply;
    char text[24] = "";
    CHECK_OK(contract_read(&c->client, &reply, GET, path, false));
    CHECK(reply.is.length < sizeof text);
    memcpy(text, reply.is.bytes, reply.is.length);
    avout__reply_release(&reply);
    return strtoll(text, NULL, 10);
}

/* Both are what they were at one point, or somebody came in between. */
static void check_equal(lmdb_client *c)
{
    int64_t versions[2] = {contract_version(&c->client, "/x"), contract_version(&c->client, "/y")};
    int64_t x = number_in(c, "/x"), y = number_in(c, "/y");
    avout_op ops[] = {op_check("/x", versions[0]), op_check("/y", versions[1])};
    avout_status status = contract_multi(&c->client, NULL, ops, 2);
    if (!status) CHECK_INT(x, y);
    else CHECK_INT(AVOUT_EVERSION, status);
}

static void check_pairs(lmdb_client *c, int64_t confirmed)
{
    int64_t x = number_in(c, "/x"), y = number_in(c, "/y");
    CHECK_INT(x, y);
    if (x < confirmed || x > confirmed + 1)
        test_failed(__FILE__, __LINE__, "the store has %" PRId64 ", confirmed was %" PRId64, x,
                    confirmed);
    CHECK_OK(contract_one(&c->client, op_set("/z", "x", AVOUT_VERSION_ANY)));
}

static void make_pairs(void)
{
    lmdb_client c;
    lmdb_open(&c, lmdb_path("store"), NULL);
    CHECK_OK(contract_multi(&c.client, NULL,
                            OPS(op_create("/x", "0"), op_create("/y", "0"), op_create("/z", ""))));
    lmdb_close(&c);
}

/* Nobody else has it open when the writer is killed. */
TEST(a_writer_killed_alone_leaves_whole_changes)
{
    make_pairs();
    for (int round = 0; round < 15; round++) {
        lmdb_process writer;
        lmdb_client c;
        lmdb_start(&writer, write_pairs);
        lmdb_wait_step(writer.shared, 1);
        test_pause_ms(round); /* the kill comes somewhere in its writing */
        lmdb_kill(&writer);
        lmdb_open(&c, lmdb_path("store"), NULL);
        check_pairs(&c, atomic_load(&writer.shared->numbers[0]));
        CHECK_OK(contract_multi(
            &c.client, NULL,
            OPS(op_set("/x", "0", AVOUT_VERSION_ANY), op_set("/y", "0", AVOUT_VERSION_ANY))));
        lmdb_close(&c);
    }
}

/* Another process goes on writing and reading while writers die. */
static void go_on(struct lmdb_shared *shared)
{
    lmdb_client c;
    lmdb_open(&c, lmdb_path("store"), NULL);
    lmdb_step(shared, 1);
    while (atomic_load(&shared->step) < 2) {
        check_equal(&c);
        CHECK_OK(contract_one(&c.client, op_set("/z", "y", AVOUT_VERSION_ANY)));
        atomic_fetch_add(&shared->numbers[0], 1);
    }
    lmdb_close(&c);
}

TEST(writers_are_killed_while_others_go_on)
{
    lmdb_process other, writers[10];
    make_pairs();
    lmdb_start(&other, go_on);
    lmdb_wait_step(other.shared, 1);
    for (int round = 0; round < 10; round++) {
        lmdb_start(&writers[round], write_pairs);
        lmdb_wait_step(writers[round].shared, 1);
        test_pause_ms(round * 2); /* the kill comes somewhere in its writing */
        int64_t before = atomic_load(&other.shared->numbers[0]);
        lmdb_kill(&writers[round]);
        for (int i = 0; i < 5000 && atomic_load(&other.shared->numbers[0]) < before + 3; i++)
            test_pause_ms(1);
        CHECK(atomic_load(&other.shared->numbers[0]) >= before + 3);
    }
    lmdb_step(other.shared, 2);
    lmdb_finish(&other);
    lmdb_client c;
    lmdb_open(&c, lmdb_path("store"), NULL);
    check_pairs(&c, atomic_load(&writers[9].shared->numbers[0]));
    lmdb_close(&c);
}

/* ---- stops ---------------------------------------------------------------------------------- */

TEST(a_stopped_writer_costs_others_a_timeout_and_no_more)
{
    lmdb_process writer;
    lmdb_client c;
    avout__reply reply;
    avout_options options = {.timeout_ms = 300};
    make_pairs();
    lmdb_start(&writer, write_pairs);
    lmdb_wait_step(writer.shared, 1);
    lmdb_open(&c, lmdb_path("store"), &options);
    int attempt = 0;
    for (;; attempt++) {
        CHECK(attempt < 200);
        CHECK_INT(0, kill(writer.pid, SIGSTOP));
        CHECK_INT(writer.pid, waitpid(writer.pid, NULL, WUNTRACED));
        avout_op op = op_set("/z", "late", AVOUT_VERSION_ANY);
        int64_t start_ns = avout__now_ns();
        avout_status status = contract_multi(&c.client, &reply, &op, 1);
        if (status) {
            /* It was stopped inside the write lock. */
            CHECK_INT(AVOUT_ETIMEOUT, status);
            CHECK(!reply.is.maybe_done);
            CHECK_CONTAINS("lock", avout_error_detail());
            CHECK(avout__now_ns() - start_ns >= 290 * (int64_t)1000000);
            avout__reply_release(&reply);
            break;
        }
        avout__reply_release(&reply);
        CHECK_INT(0, kill(writer.pid, SIGCONT));
        test_pause_ms(1); /* it writes on, to be stopped elsewhere */
    }
    CHECK_INT(number_in(&c, "/x"), number_in(&c, "/y")); /* readers are not held up */
    /* Neither is a closing handle, with a multi of half a minute waiting. */
    lmdb_client patient;
    avout_options half_a_minute = {.timeout_ms = 30000};
    lmdb_open(&patient, lmdb_path("store"), &half_a_minute);
    avout_op op = op_set("/z", "never", AVOUT_VERSION_ANY);
    avout_request request = request_multi(&op, 1);
    int64_t start_ns = avout__now_ns();
    contract_client noted = {.store = patient.client.store};
    pthread_mutex_init(&noted.lock, NULL);
    pthread_cond_init(&noted.changed, NULL);
    uint64_t tag = 1;
    contract_submit(&noted, &request, 1, &tag);
    lmdb_close(&patient);
    CHECK(avout__now_ns() - start_ns < (int64_t)5 * 1000000000);
    CHECK_INT(AVOUT_ECLOSED, contract_nth(&noted, CONTRACT_REPLY, 0).status);
    free(noted.notes);
    CHECK_INT(0, kill(writer.pid, SIGCONT));
    CHECK_OK(contract_one(&c.client, op_set("/z", "now", AVOUT_VERSION_ANY)));
    lmdb_kill(&writer);
    check_pairs(&c, atomic_load(&writer.shared->numbers[0]));
    lmdb_close(&c);
}

/* ---- turns ---------------------------------------------------------------------------------- */

/* Never without something to write: each reply brings the next request. */
typedef struct busy {
    lmdb_client *client;
    struct lmdb_shared *shared;
    _Atomic int in_flight;
} busy;

static void write_again(const avout_reply *reply, void *payload)
{
    busy *mine = payload;
    avout_store *store = mine->client->client.store;
    avout_op op = op_set("/x", "x", AVOUT_VERSION_ANY);
    avout_request request = request_multi(&op, 1);
    request.done = write_again;
    request.payload = mine;
    if (reply) {
        CHECK_OK(reply->status);
        atomic_fetch_add(&mine->shared->numbers[0], 1);
    }
    if (atomic_load(&mine->shared->step) < 3) CHECK_OK(store->ops->submit(store, &request, 1));
    else atomic_fetch_sub(&mine->in_flight, 1);
}

static void count_writes(struct lmdb_shared *shared)
{
    enum { IN_FLIGHT = 16 };
    lmdb_client c;
    busy mine = {&c, shared, IN_FLIGHT};
    lmdb_open(&c, lmdb_path("store"), NULL);
    lmdb_step(shared, 1);
    lmdb_wait_step(shared, 2);
    for (int i = 0; i < IN_FLIGHT; i++) write_again(NULL, &mine);
    while (atomic_load(&mine.in_flight)) test_pause_ms(1);
    lmdb_close(&c);
}

TEST(no_process_starves)
{
    enum { PROCESSES = 4 };
    lmdb_process all[PROCESSES];
    make_pairs();
    for (int i = 0; i < PROCESSES; i++) lmdb_start(&all[i], count_writes);
    for (int i = 0; i < PROCESSES; i++) lmdb_wait_step(all[i].shared, 1);
    for (int i = 0; i < PROCESSES; i++) lmdb_step(all[i].shared, 2);
    test_pause_ms(1500); /* the time that is shared */
    for (int i = 0; i < PROCESSES; i++) lmdb_step(all[i].shared, 3);
    int64_t total = 0, least = INT64_MAX;
    for (int i = 0; i < PROCESSES; i++) {
        lmdb_finish(&all[i]);
        int64_t count = atomic_load(&all[i].shared->numbers[0]);
        total += count;
        if (count < least) least = count;
    }
    printf("# %d processes, %" PRId64 " writes, the slowest process %.2f of the mean\n", PROCESSES,
           total, (double)least * PROCESSES / (double)total);
    CHECK(least > 0);
    CHECK(least * PROCESSES * 5 > total);
}
