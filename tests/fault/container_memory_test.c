/* No memory, at each allocation in the life of refs in containers in turn, on whatever thread it is made:
 * each call succeeds or answers AVOUT_ENOMEM and changes nothing, no version that counts is deleted, and the
 * collector finds the others (I2, I3, I10, F3).
 * Test-tags: threads */
#include "engine_support.h"
#include "support/no_memory.h"
#include "support/vault.h"

enum { SUM = 100, TIMES = 3 };

typedef struct bank {
    avout_client *client;
    avout_ref *left, *right;
    int confirmed;
} bank;

static no_memory_calls calls;
#define DONE(call) NO_MEMORY_DONE(&calls, call)

static bool open_ref(avout_ref **ref, bank *b, const char *name, const char *place, int64_t initial)
{
    avout_versioned_container *container;
    CHECK_OK(vault_open(&container, place));
    return DONE(avout_distributed_ref(ref, b->client, name, container, avout_int(initial), NULL));
}

static avout_status move(avout_txn *txn, void *payload)
{
    bank *b = payload;
    avout_status status = avout_alter(txn, b->left, suite_plus, &suite_minus_one);
    return status ? status : avout_alter(txn, b->right, suite_plus, &suite_one);
}

/* Whether there were as many allocations. */
static bool live(bank *b, int64_t n)
{
    b->client = suite_connect();
    no_memory_begin(n, 1);
    bool opened = open_ref(&b->left, b, "/left", "left", SUM);
    opened = open_ref(&b->right, b, "/dir/right", "right", 0) && opened;
    for (int i = 0; opened && i < TIMES; i++)
        b->confirmed += DONE(avout_dosync(b->client, move, b, NULL));
    size_t orphans;
    if (opened) (void)DONE(avout_distributed_collect(&orphans, b->client, "/left", true, 20000));
    avout_ref_close(b->left);
    avout_ref_close(b->right);
    avout_close(b->client);
    return no_memory_end();
}

static void judge(const bank *lived)
{
    bank b = {.client = suite_connect()};
    size_t orphans;
    CHECK(open_ref(&b.left, &b, "/left", "left", SUM));
    CHECK(open_ref(&b.right, &b, "/dir/right", "right", 0));
    CHECK_INT(SUM - lived->confirmed, suite_ref_strict_int(b.left));
    CHECK_INT(lived->confirmed, suite_ref_strict_int(b.right));
    CHECK_OK(avout_distributed_collect(&orphans, b.client, "/left", true, 20000));
    CHECK_OK(avout_distributed_collect(&orphans, b.client, "/dir/right", true, 20000));
    CHECK_INT(1, vault_count("left"));
    CHECK_INT(1, vault_count("right"));
    avout_ref_close(b.left);
    avout_ref_close(b.right);
    avout_close(b.client);
}

static bool live_without(int64_t n)
{
    bank b = {0};
    avout_client *witness = suite_connect(); /* keeps the store */
    vault_lose("left");
    vault_lose("right");
    bool happened = live(&b, n);
    judge(&b);
    avout_close(witness);
    suite_check_memory();
    return happened;
}

TEST_WITHIN(every_allocation_fails, 120)
{
    no_memory_use(true);
    int64_t n = 0;
    /* How many there are differs a little from life to life. */
    for (int without = 0; without < 3; n++) without = live_without(n) ? 0 : without + 1;
    fprintf(stderr, "# %d allocations\n", (int)n);
    CHECK(n > 100);
    vault_end();
}
