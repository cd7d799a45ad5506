/* Containers in bad times: a container that fails, is slow or loses what it kept touches only the
 * transactions that touch it, and says so; and whatever happens to it and to the store at the same time,
 * all of a transaction is there or nothing, and nothing is left behind that the collector does not find
 * (I1, I2, I3, I10, I12, F1 to F3 in src/stm/foreign.c).
 *
 * Test-tags: threads waits */
#include "engine_support.h"
#include "support/vault.h"

enum { SUM = 100 };

typedef struct bank {
    avout_client *client;
    avout_ref *plain, *left, *right;
} bank;

static avout_ref *open_ref(avout_client *client, const char *name, const char *place,
                           int64_t initial)
{
    avout_versioned_container *container;
    avout_ref *ref;
    CHECK_OK(vault_open(&container, place));
    CHECK_OK(avout_distributed_ref(&ref, client, name, container, avout_int(initial), NULL));
    return ref;
}

static void bank_open_with(bank *b, const avout_options *options)
{
    b->client = suite_connect_with(options);
    CHECK_OK(avout_ref_create(&b->plain, b->client, "/plain", avout_int(SUM), NULL));
    b->left = open_ref(b->client, "/dir/left", "left", 0);
    b->right = open_ref(b->client, "/right", "right", 0);
}

static void bank_open(bank *b)
{
    bank_open_with(b, &(avout_options){.timeout_ms = 20000});
}

static void bank_close(bank *b)
{
    avout_ref_close(b->plain);
    avout_ref_close(b->left);
    avout_ref_close(b->right);
    avout_close(b->client);
}

static void finish(void)
{
    suite_check_memory();
    vault_end();
}

static avout_status move(avout_txn *txn, void *payload)
{
    bank *b = payload;
    int64_t plain, left, right;
    avout_status status = suite_txn_int(&plain, txn, b->plain);
    if (!status) status = suite_txn_int(&left, txn, b->left);
    if (!status) status = suite_txn_int(&right, txn, b->right);
    if (!status) CHECK_INT(SUM, plain + left + right); /* I4 */
    if (!status) status = avout_alter(txn, b->plain, suite_plus, &suite_minus_one);
    avout_ref *to = plain % 2 ? b->left : b->right;
    if (!status) status = avout_alter(txn, to, suite_plus, &suite_one);
    return status;
}

static avout_status move_within(bank *b, int64_t timeout_ms)
{
    return avout_dosync(b->client, move, b, &(avout_call_options){.timeout_ms = timeout_ms});
}

/* As a stranger sees it: what was moved. Nothing is left in the containers but what counts. */
static int64_t judge(void)
{
    bank b;
    size_t orphans;
    bank_open(&b);
    int64_t plain = suite_ref_strict_int(b.plain), left = suite_ref_strict_int(b.left),
            right = suite_ref_strict_int(b.right);
    CHECK_INT(SUM, plain + left + right); /* I2 */
    CHECK_OK(avout_distributed_collect(&orphans, b.client, "/dir/left", true, 20000));
    CHECK_OK(avout_distributed_collect(&orphans, b.client, "/right", true, 20000));
    CHECK_INT(1, vault_count("left"));
    CHECK_INT(1, vault_count("right"));
    CHECK_INT(left, suite_ref_strict_int(b.left));
    bank_close(&b);
    return SUM - plain;
}

/* ---- failures --------------------------------------------------------------------------------------- */

TEST(a_failure_reaches_who_touches_the_container_and_says_where)
{
    static const avout_status said[][2] = {{AVOUT_ECONNECTION, AVOUT_ECONNECTION},
                                           {AVOUT_ENOSPACE, AVOUT_ENOSPACE},
                                           {AVOUT_EPERM, AVOUT_EPERM},
                                           {AVOUT_RETRY, AVOUT_EIO},
                                           {AVOUT_BLOCK, AVOUT_EIO},
                                           {AVOUT_ENOTFOUND, AVOUT_EIO},
                                           {AVOUT_UNKNOWN, AVOUT_ETIMEOUT},
                                           {17, AVOUT_EIO}};
    bank b;
    bank_open(&b);
    for (int i = 0; i < 16; i++) {
        vault_break("right",
                    (vault_fault){.call = VAULT_SET, .status = said[i / 2][0], .after = i % 2});
        CHECK_STATUS(said[i / 2][1], avout_dosync(b.client, plus_one, b.right, NULL));
        CHECK_CONTAINS("/right: container vault at right: writing", avout_error_detail());
        CHECK_OK(avout_dosync(b.client, plus_one, b.left, NULL));
        CHECK_OK(avout_dosync(b.client, plus_one, b.plain, NULL));
        CHECK_OK(avout_dosync(b.client, plus_one, b.right, NULL));
    }
    CHECK_INT(16, suite_ref_int(b.right));
    bank_close(&b);
    CHECK_INT(1, vault_count("right"));
    finish();
}

TEST(a_container_that_cannot_be_opened_opens_nothing)
{
    avout_client *client = suite_connect();
    avout_versioned_container *container;
    avout_ref *ref;
    vault_break("left", (vault_fault){.call = VAULT_INIT, .status = AVOUT_EAUTH});
    CHECK_OK(vault_open(&container, "left"));
    avout_versioned_container_ops bad = *container->ops;
    CHECK_STATUS(AVOUT_EAUTH,
                 avout_distributed_ref(&ref, client, "/ref", container, avout_int(1), NULL));
    CHECK_OK(vault_open(&container, "left"));
    CHECK_STATUS(AVOUT_ENAME,
                 avout_distributed_ref(&ref, client, "ref", container, avout_int(1), NULL));
    CHECK_OK(vault_open(&container, "left"));
    CHECK_STATUS(AVOUT_EINVAL,
                 avout_distributed_ref(&ref, client, "/ref", container, AVOUT_NONE, NULL));
    avout_versioned_container none = {&bad, "nowhere"};
    bad.size--;
    CHECK_STATUS(AVOUT_EINVAL,
                 avout_distributed_ref(&ref, client, "/ref", &none, avout_int(1), NULL));
    CHECK_INT(0, vault_objects());
    CHECK_STATUS(AVOUT_ENOTFOUND, avout_ref_open(&ref, client, "/ref"));
    avout_close(client);
    finish();
}

/* ---- slowness ---------------------------------------------------------------------------------------- */

static void *add_late(void *payload)
{
    bank *b = payload;
    avout_call_options options = {.timeout_ms = 400};
    CHECK_STATUS(AVOUT_ETIMEOUT, avout_dosync(b->client, plus_one, b->left, &options));
    CHECK_CONTAINS("container vault at left", avout_error_detail());
    return NULL;
}

static _Atomic int ended, failed;

static void count_end(avout_status status, const char *detail, void *payload)
{
    (void)detail, (void)payload;
    atomic_fetch_add(status ? &failed : &ended, 1);
}

TEST(a_slow_container_holds_up_nobody_else)
{
    bank b;
    bank_open(&b);
    vault_break("left",
                (vault_fault){.call = VAULT_SET, .lasting = true, .delay_ms = AVOUT_FOREVER});
    pthread_t thread;
    CHECK(!pthread_create(&thread, NULL, add_late, &b));
    avout_call_options late = {.timeout_ms = 400};
    CHECK_OK(avout_dosync_async(b.client, plus_one, b.left, &late, count_end, NULL));
    TEST_AWAIT(vault_called("left", VAULT_SET) >= 3);
    int64_t began = avout__now_ns();
    for (int i = 0; i < 20; i++) {
        CHECK_OK(avout_dosync_async(b.client, plus_one, b.plain, NULL, count_end, NULL));
        CHECK_OK(avout_dosync(b.client, plus_one, b.plain, NULL));
        CHECK_OK(avout_dosync(b.client, plus_one, b.right, NULL));
        CHECK_INT(0, suite_ref_int(b.left));
    }
    TEST_AWAIT(atomic_load(&ended) == 20);
    CHECK_INT(0, atomic_load(&failed));
    CHECK(avout__now_ns() - began < (int64_t)300 * 1000000);
    pthread_join(thread, NULL);
    TEST_AWAIT(atomic_load(&failed) == 1);
    vault_mend("left");
    CHECK_OK(avout_dosync(b.client, plus_one, b.left, NULL));
    bank_close(&b);
    CHECK_INT(1, vault_count("left"));
    finish();
}

static void count_told(const char *key, avout_value old_value, avout_value new_value, void *payload)
{
    (void)key, (void)old_value, (void)new_value;
    atomic_fetch_add((_Atomic int *)payload, 1);
}

/* What nobody waits for waits for one kind of container only. */
TEST(a_container_that_hangs_keeps_no_news_of_others_back)
{
    bank b;
    bank_open(&b);
    avout_client *client = suite_connect();
    avout_versioned_container *container;
    avout_ref *hanging = open_ref(client, "/dir/left", "left", 0), *news, *own;
    _Atomic int told = 0, told_late = 0;
    CHECK_OK(vault_open_other(&container, "other"));
    CHECK_OK(avout_distributed_ref(&own, b.client, "/other", container, avout_int(0), NULL));
    CHECK_OK(vault_open_other(&container, "other"));
    CHECK_OK(avout_distributed_ref(&news, client, "/other", container, avout_int(0), NULL));
    CHECK_OK(avout_ref_add_watch(hanging, "key", count_told, &told_late, NULL));
    CHECK_OK(avout_ref_add_watch(news, "key", count_told, &told, NULL));
    int asked = vault_called("left", VAULT_GET);
    vault_break("left",
                (vault_fault){.call = VAULT_GET, .lasting = true, .delay_ms = AVOUT_FOREVER});
    CHECK_OK(avout_dosync(b.client, plus_one, b.left, NULL));
    TEST_AWAIT(vault_called("left", VAULT_GET) > asked);
    int64_t began = avout__now_ns();
    CHECK_OK(avout_dosync(b.client, plus_one, own, NULL));
    TEST_AWAIT(atomic_load(&told) == 1);
    CHECK(avout__now_ns() - began < (int64_t)2000 * 1000000); /* a call that hangs takes 3 s */
    CHECK_INT(0, atomic_load(&told_late));
    vault_mend("left");
    TEST_AWAIT(atomic_load(&told_late) == 1);
    avout_ref_close(hanging);
    avout_ref_close(news);
    avout_ref_close(own);
    avout_close(client);
    bank_close(&b);
    finish();
}

/* A container that is down is asked for the newest value, not for each that there was meanwhile. */
TEST(a_container_that_is_down_is_asked_once_for_all_news)
{
    enum { NEWS = 20 };
    bank b;
    bank_open(&b);
    avout_client *client = suite_connect();
    avout_ref *news = open_ref(client, "/dir/left", "left", 0);
    _Atomic int told = 0;
    CHECK_OK(avout_ref_add_watch(news, "key", count_told, &told, NULL));
    vault_break("left",
                (vault_fault){.call = VAULT_GET, .lasting = true, .status = AVOUT_ECONNECTION});
    int asked = vault_called("left", VAULT_GET);
    for (int i = 0; i < NEWS; i++) {
        CHECK_OK(avout_dosync(b.client, plus_one, b.left, NULL));
        TEST_AWAIT(avout_is_none(avout_ref_peek(news)));
    }
    TEST_AWAIT(vault_called("left", VAULT_GET) >= asked + 3);
    test_pause_ms(300); /* the others would be due with it */
    CHECK(vault_called("left", VAULT_GET) <= asked + 5);
    CHECK_INT(0, atomic_load(&told));
    vault_mend("left");
    TEST_AWAIT(atomic_load(&told) == 1);
    CHECK_INT(NEWS, suite_ref_int(news));
    avout_ref_close(news);
    avout_close(client);
    bank_close(&b);
    finish();
}

static void note_value(const char *key, avout_value old_value, avout_value new_value, void *payload)
{
    (void)key, (void)old_value;
    atomic_store((_Atomic bool *)payload, avout_is_none(new_value));
    atomic_fetch_add(&ended, 1);
}

/* It is told as no value, once, and not asked for again and again. */
TEST(news_that_are_no_value_are_told_as_none)
{
    bank b;
    bank_open(&b);
    avout_client *client = suite_connect();
    avout_ref *news = open_ref(client, "/dir/left", "left", 0);
    _Atomic bool none = false;
    atomic_store(&ended, 0);
    CHECK_OK(avout_ref_add_watch(news, "key", note_value, &none, NULL));
    vault_break("left", (vault_fault){.call = VAULT_GET, .lasting = true, .status = AVOUT_EDATA});
    int asked = vault_called("left", VAULT_GET);
    CHECK_OK(avout_dosync(b.client, plus_one, b.left, NULL));
    TEST_AWAIT(atomic_load(&ended) == 1);
    CHECK(atomic_load(&none));
    CHECK(vault_called("left", VAULT_GET) <= asked + 2);
    vault_mend("left");
    CHECK_OK(avout_dosync(b.client, plus_one, b.left, NULL));
    TEST_AWAIT(atomic_load(&ended) == 2);
    CHECK(!atomic_load(&none));
    avout_ref_close(news);
    avout_close(client);
    bank_close(&b);
    finish();
}

/* ---- versions that are not there ------------------------------------------------------------------------ */

/* A machine may be too busy for a single look within the deadline: then nothing was learned. */
static avout_status learned(avout_status (*read)(bank *reader), bank *reader)
{
    avout_status status;
    do {
        status = read(reader);
    } while (status == AVOUT_ETIMEOUT);
    return status;
}

static avout_status deref_left(bank *reader)
{
    avout_value value;
    avout_status status = avout_ref_deref(&value, reader->left);
    if (!status) avout_release(value);
    return status;
}

static avout_status add_one_left(bank *reader)
{
    return avout_dosync(reader->client, plus_one, reader->left, NULL);
}

TEST(a_version_that_is_lost_is_reported_and_can_be_replaced)
{
    bank b, reader;
    bank_open(&b);
    vault_lose("left");
    bank_open_with(&reader, &(avout_options){.timeout_ms = 200});
    CHECK_STATUS(AVOUT_EIO, learned(deref_left, &reader));
    CHECK_CONTAINS("/dir/left: container vault at left: version", avout_error_detail());
    CHECK_STATUS(AVOUT_EIO, learned(add_one_left, &reader));
    CHECK_INT(SUM, suite_ref_int(reader.plain));
    CHECK_INT(0, suite_ref_int(reader.right));
    /* Who has it in memory goes on from there. */
    CHECK_OK(avout_dosync(b.client, plus_one, b.left, NULL));
    CHECK_INT(1, suite_ref_strict_int(reader.left));
    bank_close(&b);
    bank_close(&reader);
    finish();
}

static void *read_left(void *payload)
{
    CHECK_INT(1, suite_ref_int(((bank *)payload)->left));
    return NULL;
}

static void *add_to_left(void *payload)
{
    CHECK_OK(avout_dosync(((bank *)payload)->client, plus_one, ((bank *)payload)->left, NULL));
    CHECK_INT(2, suite_ref_int(((bank *)payload)->left));
    return NULL;
}

/* Right between the pointer and the value everything is replaced and deleted. */
static void overtake(void *(*read)(void *payload))
{
    bank b, reader;
    pthread_t thread;
    bank_open(&b);
    bank_open(&reader);
    int asked = vault_called("left", VAULT_GET);
    vault_break("left", (vault_fault){.call = VAULT_GET, .delay_ms = AVOUT_FOREVER});
    CHECK(!pthread_create(&thread, NULL, read, &reader));
    TEST_AWAIT(vault_called("left", VAULT_GET) > asked);
    CHECK_OK(avout_dosync(b.client, plus_one, b.left, NULL));
    size_t orphans;
    CHECK_OK(avout_distributed_collect(&orphans, b.client, "/dir/left", true, 20000));
    CHECK(orphans >= 1);
    vault_mend("left");
    pthread_join(thread, NULL);
    bank_close(&b);
    bank_close(&reader);
    finish();
}

TEST(a_reader_whose_version_is_gone_goes_on_with_the_new_one)
{
    overtake(read_left);
}

TEST(a_transaction_whose_version_is_gone_runs_again)
{
    overtake(add_to_left);
}

/* ---- the collector and those who commit ------------------------------------------------------------------- */

static void *add_left(void *payload)
{
    bank *b = payload;
    CHECK_OK(avout_dosync(b->client, plus_one, b->left, NULL));
    return NULL;
}

static avout_status set_left(avout_txn *txn, void *payload)
{
    return avout_ref_set(txn, ((bank *)payload)->left, avout_int(7));
}

static void *put_left(void *payload)
{
    CHECK_OK(avout_dosync(((bank *)payload)->client, set_left, payload, NULL));
    return NULL;
}

static int64_t read_anew(void)
{
    bank b;
    bank_open(&b);
    int64_t left = suite_ref_strict_int(b.left);
    bank_close(&b);
    return left;
}

/* Staged, sent and held back on the way; meanwhile its version is collected. */
TEST(a_commit_whose_version_was_collected_is_refused_and_stages_again)
{
    bank b, other;
    pthread_t thread;
    size_t orphans;
    bank_open(&b);
    avout_store *store = engine_store(0);
    bank_open(&other);
    avout__mem_hold(store, AVOUT__MEM_REQUESTS);
    CHECK(!pthread_create(&thread, NULL, add_left, &b));
    CHECK(avout__mem_wait_held(store, avout__deadline_in_ms(20000)));
    CHECK_OK(avout_distributed_collect(&orphans, other.client, "/dir/left", true, 20000));
    CHECK_INT(1, orphans);
    avout__mem_release(store);
    pthread_join(thread, NULL);
    CHECK_INT(1, read_anew());
    bank_close(&b);
    bank_close(&other);
    CHECK_INT(1, vault_count("left"));
    finish();
}

/* Staged on a base that is exchanged for the collector's before the commit: written blindly, it would not
 * conflict. */
TEST(a_blind_write_does_not_take_a_collected_version_to_a_newer_base)
{
    bank b, other;
    pthread_t thread;
    size_t orphans;
    bank_open(&b);
    bank_open(&other);
    int asked = vault_called("left", VAULT_SET);
    vault_break("left", (vault_fault){.call = VAULT_SET, .delay_ms = AVOUT_FOREVER, .late = true});
    CHECK(!pthread_create(&thread, NULL, put_left, &b));
    TEST_AWAIT(vault_called("left", VAULT_SET) > asked && vault_count("left") == 2);
    CHECK_OK(avout_distributed_collect(&orphans, other.client, "/dir/left", true, 20000));
    CHECK_INT(1, orphans);
    CHECK_INT(0, suite_ref_strict_int(b.left)); /* knows the new base */
    vault_mend("left");
    pthread_join(thread, NULL);
    CHECK_INT(7, read_anew());
    bank_close(&b);
    bank_close(&other);
    CHECK_INT(1, vault_count("left"));
    finish();
}

TEST(the_collector_takes_what_dead_clients_left_and_nothing_else)
{
    bank b;
    size_t orphans;
    char version[AVOUT_VERSION_MAX + 1];
    avout_client *witness = suite_connect(); /* keeps the store */
    bank_open(&b);
    CHECK_OK(avout_distributed_collect(&orphans, b.client, "/plain", true, 0));
    CHECK_INT(0, orphans);
    /* Another cell's, and what is no version. */
    vault_put("left", "not-one-of-ours", "1");
    snprintf(version, sizeof version, "%016llx-0123-1", 0x1234ULL);
    vault_put("left", version, "2");
    CHECK_OK(avout_distributed_collect(&orphans, b.client, "/dir/left", true, 20000));
    CHECK_INT(0, orphans);
    vault_break("left", (vault_fault){.call = VAULT_DELETE, .lasting = true, .status = AVOUT_EIO});
    CHECK_OK(avout_dosync(b.client, plus_one, b.left, NULL));
    bank_close(&b); /* as if it had died: it could not delete */
    vault_mend("left");
    CHECK_INT(4, vault_count("left"));
    bank_open(&b);
    CHECK_OK(avout_distributed_collect(&orphans, b.client, "/dir/left", false, 20000));
    CHECK_INT(1, orphans);
    CHECK_INT(4, vault_count("left"));
    CHECK_OK(avout_distributed_collect(&orphans, b.client, "/dir/left", true, 20000));
    CHECK_INT(1, orphans);
    CHECK_INT(3, vault_count("left"));
    CHECK(vault_has("left", "not-one-of-ours") && vault_has("left", version));
    CHECK_INT(1, suite_ref_strict_int(b.left));
    bank_close(&b);
    avout_close(witness);
    finish();
}

/* ---- everything at every place ------------------------------------------------------------------------------ */

enum { TIMES = 4 };

typedef struct life {
    bool has_store_fault, has_vault_fault, begun;
    avout__mem_fault store;
    vault_fault vault;
    int confirmed, unknown;
} life;

static bool try_open(bank *b)
{
    avout_options options = {.timeout_ms = 20000, .connect_timeout_ms = 20000};
    if (avout_connect(engine_url(), &options, &b->client)) return false;
    avout_versioned_container *container;
    for (int i = 0; i < 3 && !b->plain; i++)
        (void)avout_ref_create(&b->plain, b->client, "/plain", avout_int(SUM), NULL);
    for (int i = 0; i < 3 && !b->left; i++) {
        CHECK_OK(vault_open(&container, "left"));
        (void)avout_distributed_ref(&b->left, b->client, "/dir/left", container, avout_int(0),
                                    NULL);
    }
    for (int i = 0; i < 3 && !b->right; i++) {
        CHECK_OK(vault_open(&container, "right"));
        (void)avout_distributed_ref(&b->right, b->client, "/right", container, avout_int(0), NULL);
    }
    return b->plain && b->left && b->right;
}

static bool may_fail(const life *l, avout_status status)
{
    return (l->has_vault_fault && status == l->vault.status) ||
           (l->has_store_fault && l->store.kind == AVOUT__MEM_FAIL && status == l->store.status);
}

static void live(life *l)
{
    bank b = {0}, other = {0};
    /* The other one moves in between, so that there is something to read. */
    if (!try_open(&b)) goto done;
    l->begun = true;
    bool reads = try_open(&other);
    for (int i = 0; i < TIMES; i++) {
        bank *who = i % 2 && reads ? &other : &b;
        avout_status status = move_within(who, 20000);
        if (!status) l->confirmed++;
        else if (!may_fail(l, status))
            test_failed(__FILE__, __LINE__, "%s (%s)", avout_status_name(status),
                        avout_error_detail());
    }
done:
    bank_close(&b);
    bank_close(&other);
}

/* One life with its faults; whether all of them happened. */
static bool live_with(life l)
{
    avout_client *witness = suite_connect();
    avout_store *store = engine_store(0);
    vault_lose("left"); /* what an earlier life has kept */
    vault_lose("right");
    if (l.has_store_fault) {
        l.store.everybody = true;
        engine_fault(store, l.store);
    }
    if (l.has_vault_fault) vault_break("right", l.vault);
    int calls = vault_called("right", l.vault.call);
    live(&l);
    bool happened = true;
    if (l.has_store_fault) happened = !avout__mem_faults_left(store);
    if (l.has_vault_fault)
        happened = happened && vault_called("right", l.vault.call) - calls >= l.vault.nth;
    avout__mem_faults_clear(store);
    avout__mem_release_late(store);
    vault_mend("right");
    if (l.begun) CHECK_INT(l.confirmed, judge());
    avout_close(witness);
    suite_check_memory();
    return happened;
}

static const avout_status broken[] = {AVOUT_ECONNECTION, AVOUT_EIO};

TEST_WITHIN(every_call_of_a_container_fails, 120)
{
    for (int call = VAULT_INIT; call < VAULT_LIST; call++)
        for (int after = 0; after < 2; after++)
            for (int nth = 1;
                 call != VAULT_DESTROY &&
                 live_with((life){
                     .has_vault_fault = true,
    .vault = {.call = (vault_call)call, .nth = nth, .status = broken[nth % 2], .after = after}});
                 nth++)
                continue;
    vault_end();
}

TEST_WITHIN(every_request_and_every_writing_fail_together, 120)
{
    int lives = 0;
    for (size_t kind = 0; kind < ENGINE_FAULTS; kind++)
        for (int set = 0; set < 4; set++) {
            life l = {.has_store_fault = true,
                      .store = engine_faults[kind],
                      .has_vault_fault = set > 0,
                      .vault = {.call = set % 2 ? VAULT_SET : VAULT_GET,
                                .nth = 1 + set / 2,
                                .status = AVOUT_ECONNECTION,
                                .after = set % 2}};
            for (l.store.nth = 1; live_with(l) || l.store.nth < 20; l.store.nth++) lives++;
        }
    fprintf(stderr, "# %d lives\n", lives);
    CHECK(lives > 500);
    vault_end();
}
