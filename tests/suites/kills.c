/* kill -9 at every step of transactions over the store and two places of a container: before and after
 * each call of the container (staged, not staged; deleted, not deleted), and at random times (the multi on
 * its way, a value half written). Nothing is ever half visible, also to a reader in another process, and the collector finds what was left (I1,
 * I2, F2, F3).
 *
 * Who includes it has said which store, and defines
 *
 *     enum { MOVES, DEATHS }             transactions in a life; lives that end at any time
 *     static void kills_prepare(void)    in the test's process, before there are others
 *     static avout_status kills_open(avout_versioned_container **container, const char *name) */
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "avout/sys/container.h"
#include "support/crowd.h"
#include "support/suite.h"

enum { SUM = 1000 };

/* ---- a container that kills the process ---------------------------------------------------------- */

typedef struct deadly {
    avout_versioned_container is, *inner;
    avout_versioned_container_ops ops;
} deadly;

static int deadly_call, calls; /* 0: none; odd: before a call, even: after it */

static void step(void)
{
    if (++calls == deadly_call) kill(getpid(), SIGKILL);
}

static avout_status init(avout_versioned_container *c, int64_t timeout_ms)
{
    deadly *at = (deadly *)c;
    return at->inner->ops->init(at->inner, timeout_ms);
}

static avout_status destroy(avout_versioned_container *c, int64_t timeout_ms)
{
    deadly *at = (deadly *)c;
    return at->inner->ops->destroy(at->inner, timeout_ms);
}

static avout_status get(avout_value *value, avout_versioned_container *c, const char *version,
                        int64_t timeout_ms)
{
    deadly *at = (deadly *)c;
    return at->inner->ops->get_state_at(value, at->inner, version, timeout_ms);
}

static avout_status set(avout_versioned_container *c, const char *version, avout_value value,
                        int64_t timeout_ms)
{
    deadly *at = (deadly *)c;
    step();
    avout_status status = at->inner->ops->set_state_at(at->inner, version, value, timeout_ms);
    step();
    return status;
}

static avout_status drop(avout_versioned_container *c, const char *version, int64_t timeout_ms)
{
    deadly *at = (deadly *)c;
    step();
    avout_status status = at->inner->ops->delete_state_at(at->inner, version, timeout_ms);
    step();
    return status;
}

static avout_status list(avout_versioned_container *c, avout_version_fn found, void *payload,
                         int64_t timeout_ms)
{
    deadly *at = (deadly *)c;
    return at->inner->ops->list_versions(at->inner, found, payload, timeout_ms);
}

static void give_back(avout_versioned_container *c)
{
    deadly *at = (deadly *)c;
    at->inner->ops->close(at->inner);
    free(at);
}

static avout_ref *open_ref(avout_client *client, const char *name)
{
    char full[64];
    avout_ref *ref;
    deadly *at = calloc(1, sizeof *at);
    CHECK(at);
    CHECK_OK(kills_open(&at->inner, name));
    at->ops = (avout_versioned_container_ops){AVOUT_VERSIONED_CONTAINER_OPS_VERSION,
                                              sizeof at->ops,
                                              at->inner->ops->kind,
                                              init,
                                              destroy,
                                              get,
                                              set,
                                              drop,
                                              list,
                                              give_back};
    at->is = (avout_versioned_container){&at->ops, at->inner->place};
    snprintf(full, sizeof full, "/%s", name);
    CHECK_OK(avout_distributed_ref(&ref, client, full, &at->is, avout_int(0), NULL));
    return ref;
}

/* ---- a life, and what is left of it ---------------------------------------------------------------- */

typedef struct bank {
    avout_client *client;
    avout_ref *plain, *left, *right;
} bank;

static void bank_open(bank *b)
{
    b->client = suite_connect();
    CHECK_OK(avout_ref_create(&b->plain, b->client, "/plain", avout_int(SUM), NULL));
    b->left = open_ref(b->client, "left");
    b->right = open_ref(b->client, "right");
}

static void bank_close(bank *b)
{
    avout_ref_close(b->plain);
    avout_ref_close(b->left);
    avout_ref_close(b->right);
    avout_close(b->client);
}

static int64_t minus_two = -2;

static avout_status move(avout_txn *txn, void *payload)
{
    bank *b = payload;
    avout_status status = avout_alter(txn, b->plain, suite_plus, &minus_two);
    if (!status) status = avout_alter(txn, b->left, suite_plus, &suite_one);
    return status ? status : avout_alter(txn, b->right, suite_plus, &suite_one);
}

static avout_status count_one(const char *version, void *payload)
{
    (void)version;
    ++*(int *)payload;
    return AVOUT_OK;
}

static int versions(const char *name)
{
    avout_versioned_container *c;
    int count = 0;
    CHECK_OK(kills_open(&c, name));
    CHECK_OK(c->ops->init(c, 20000));
    CHECK_OK(c->ops->list_versions(c, count_one, &count, 20000));
    c->ops->close(c);
    return count;
}

/* Runs it in a process of its own; whether that was killed. */
static bool apart(void (*what)(void))
{
    int status;
    pid_t child = fork();
    CHECK(child >= 0);
    if (!child) {
        what();
        _exit(0);
    }
    CHECK(waitpid(child, &status, 0) == child);
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) return true;
    CHECK(WIFEXITED(status) && !WEXITSTATUS(status));
    return false;
}

static void live(void)
{
    bank b;
    bank_open(&b);
    for (int i = 0; i < MOVES; i++) CHECK_OK(avout_dosync(b.client, move, &b, NULL));
    bank_close(&b);
}

static void live_long(void)
{
    bank b;
    bank_open(&b);
    for (;;) CHECK_OK(avout_dosync(b.client, move, &b, NULL));
}

/* What the dead one has sent a server may get there after it, and after the collector has looked, however often
 * it does. */
static void collect(bank *b, const char *name)
{
    char full[64];
    int there;
    snprintf(full, sizeof full, "/%s", name);
    for (int i = 0; i < 50; i++) {
        CHECK_OK(avout_distributed_collect(NULL, b->client, full, true, 20000));
        there = versions(name);
        if (there == 1) return;
        test_pause_ms(20);
    }
    CHECK_INT(1, there);
}

static void judge(void)
{
    bank b;
    deadly_call = 0;
    bank_open(&b);
    int64_t plain = suite_ref_int(b.plain), left = suite_ref_int(b.left),
            right = suite_ref_int(b.right);
    CHECK_INT(left, right); /* I2 */
    CHECK_INT(SUM, plain + 2 * left);
    collect(&b, "left");
    collect(&b, "right");
    CHECK_OK(avout_dosync(b.client, move, &b, NULL));
    CHECK_INT(left + 1, suite_ref_int(b.left));
    bank_close(&b);
    if (versions("left") == 1 && versions("right") == 1) return;
    /* It got there only now. */
    bank_open(&b);
    collect(&b, "left");
    collect(&b, "right");
    bank_close(&b);
}

/* ---- who looks all the time --------------------------------------------------------------------------- */

typedef struct sights {
    _Atomic bool over;
    _Atomic int64_t looks, changes;
} sights;

static sights *seen;
static crowd_process reader;

/* One cut of the three, whoever dies meanwhile; it never goes back (I2, I6). */
static void look(int number)
{
    bank b;
    int64_t before = -1, sums[3];
    (void)number;
    bank_open(&b);
    while (!atomic_load(&seen->over)) {
        avout_value values[3];
        CHECK_OK(avout_refs_deref(values, (avout_ref *[]){b.plain, b.left, b.right}, 3));
        for (int i = 0; i < 3; i++) {
            CHECK_OK(avout_value_to_int(&sums[i], values[i]));
            avout_release(values[i]);
        }
        CHECK_INT(sums[1], sums[2]);
        CHECK_INT(SUM, sums[0] + 2 * sums[1]);
        CHECK(sums[1] >= before);
        atomic_fetch_add(&seen->looks, 1);
        atomic_fetch_add(&seen->changes, sums[1] != before);
        before = sums[1];
        test_pause_ms(1);
    }
    bank_close(&b);
}

static void start_reader(void)
{
    kills_prepare();
    seen = crowd_share(sizeof *seen);
    crowd_start(&reader, look, 1);
}

static void end_reader(void)
{
    atomic_store(&seen->over, true);
    crowd_finish(&reader, 1, 35);
    fprintf(stderr, "# %" PRId64 " looks, %" PRId64 " changes seen\n", atomic_load(&seen->looks),
            atomic_load(&seen->changes));
    CHECK(atomic_load(&seen->changes) > 5);
}

TEST_WITHIN(a_process_dies_before_and_after_every_call_of_a_container, 120)
{
    int lives = 0;
    start_reader();
    for (deadly_call = 1; apart(live); deadly_call++, lives++) CHECK(!apart(judge));
    fprintf(stderr, "# %d lives\n", lives);
    CHECK(lives >= 4 * MOVES);
    CHECK(!apart(judge));
    end_reader();
}

TEST_WITHIN(a_process_dies_at_any_time, 120)
{
    start_reader();
    CHECK(!apart(judge)); /* so that it is all there */
    for (int i = 0; i < DEATHS; i++) {
        pid_t child = fork();
        CHECK(child >= 0);
        if (!child) {
            live_long();
            _exit(0);
        }
        int status;
        test_pause_ms(5 + rand() % 60);
        CHECK(!kill(child, SIGKILL));
        CHECK(waitpid(child, &status, 0) == child);
        CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        CHECK(!apart(judge));
    }
    end_reader();
}
