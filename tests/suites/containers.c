/* Refs whose values are in containers, on any store: as all others, in one transaction with them, and
 * nothing left behind. The containers are of this process; where they are files and processes die, see
 * tests/fault. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "support/await.h"
#include "support/suite.h"
#include "support/vault.h"

enum { SUM = 100 };

typedef struct site {
    avout_client *client;
    avout_ref *plain, *left, *right;
} site;

static avout_ref *open_ref(avout_client *client, const char *name, const char *place,
                           avout_value initial)
{
    avout_versioned_container *container;
    avout_ref *ref;
    CHECK_OK(vault_open(&container, place));
    CHECK_OK(avout_distributed_ref(&ref, client, name, container, initial, NULL));
    return ref;
}

static void site_open(site *s)
{
    s->client = suite_connect();
    CHECK_OK(avout_ref_create(&s->plain, s->client, "/dir/plain", avout_int(SUM), NULL));
    s->left = open_ref(s->client, "/dir/left", "left", avout_int(0));
    s->right = open_ref(s->client, "/right", "right", avout_int(0));
}

static void site_close(site *s)
{
    avout_ref_close(s->plain);
    avout_ref_close(s->left);
    avout_ref_close(s->right);
    avout_close(s->client);
}

static void finish(void)
{
    suite_check_memory();
    vault_end();
}

static avout_status move(avout_txn *txn, void *payload)
{
    site *s = payload;
    int64_t plain, left, right;
    avout_status status = suite_txn_int(&plain, txn, s->plain);
    if (!status) status = suite_txn_int(&left, txn, s->left);
    if (!status) status = suite_txn_int(&right, txn, s->right);
    if (!status) CHECK_INT(SUM, plain + left + right); /* I4 */
    if (!status) status = avout_alter(txn, s->plain, suite_plus, &suite_minus_one);
    avout_ref *to = plain % 2 ? s->left : s->right;
    if (!status) status = avout_alter(txn, to, suite_plus, &suite_one);
    return status;
}

static void check_sum(site *s)
{
    avout_value values[3];
    int64_t sum = 0, one;
    CHECK_OK(avout_refs_deref(values, (avout_ref *[]){s->plain, s->left, s->right}, 3));
    for (int i = 0; i < 3; i++) {
        CHECK_OK(avout_value_to_int(&one, values[i]));
        avout_release(values[i]);
        sum += one;
    }
    CHECK_INT(SUM, sum); /* I2 */
}

TEST(one_transaction_spans_the_store_and_two_containers)
{
    site s, other;
    site_open(&s);
    site_open(&other);
    for (int i = 0; i < 10; i++) {
        CHECK_OK(avout_dosync(s.client, move, &s, NULL));
        CHECK_OK(avout_dosync(other.client, move, &other, NULL));
        check_sum(&other);
        check_sum(&s);
    }
    CHECK_INT(SUM - 20, suite_ref_int(other.plain));
    CHECK_INT(10, suite_ref_int(other.left));
    CHECK_INT(10, suite_ref_int(s.right));
    site_close(&s);
    site_close(&other);
    /* What was replaced went with the clients; only what counts is left. */
    CHECK_INT(1, vault_count("left"));
    CHECK_INT(1, vault_count("right"));
    finish();
}

static _Atomic bool done;

static void *mover(void *payload)
{
    for (int i = 0; i < 10; i++)
        CHECK_OK(avout_dosync(((site *)payload)->client, move, payload, NULL));
    return NULL;
}

static void *looker(void *payload)
{
    while (!atomic_load(&done)) check_sum(payload);
    return NULL;
}

TEST_WITHIN(many_threads_of_two_clients_never_see_half_of_one, 60)
{
    site s[2];
    pthread_t threads[6];
    for (int i = 0; i < 2; i++) site_open(&s[i]);
    for (int i = 0; i < 4; i++) CHECK(!pthread_create(&threads[i], NULL, mover, &s[i % 2]));
    for (int i = 0; i < 2; i++) CHECK(!pthread_create(&threads[4 + i], NULL, looker, &s[i]));
    for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
    atomic_store(&done, true);
    for (int i = 4; i < 6; i++) pthread_join(threads[i], NULL);
    for (int i = 0; i < 2; i++) check_sum(&s[i]);
    avout_value value;
    int64_t number;
    CHECK_OK(avout_ref_deref_strict(&value, s[0].plain, 20000));
    CHECK_OK(avout_value_to_int(&number, value));
    avout_release(value);
    CHECK_INT(SUM - 40, number);
    for (int i = 0; i < 2; i++) site_close(&s[i]);
    CHECK_INT(1, vault_count("left"));
    CHECK_INT(1, vault_count("right"));
    finish();
}

static avout_status bump_both(avout_txn *txn, void *payload)
{
    site *s = payload;
    avout_status status = avout_commute(txn, s->left, suite_plus, &suite_one);
    return status ? status : avout_commute(txn, s->right, suite_plus, &suite_one);
}

static void *commuter(void *payload)
{
    for (int i = 0; i < 25; i++)
        CHECK_OK(avout_dosync(((site *)payload)->client, bump_both, payload, NULL));
    return NULL;
}

TEST_WITHIN(commutes_of_two_clients_all_count, 60)
{
    site s[2];
    pthread_t threads[8];
    for (int i = 0; i < 2; i++) site_open(&s[i]);
    for (int i = 0; i < 8; i++) CHECK(!pthread_create(&threads[i], NULL, commuter, &s[i % 2]));
    for (int i = 0; i < 8; i++) pthread_join(threads[i], NULL);
    avout_value value;
    int64_t number;
    CHECK_OK(avout_ref_deref_strict(&value, s[1].left, 20000));
    CHECK_OK(avout_value_to_int(&number, value));
    avout_release(value);
    CHECK_INT(200, number);
    for (int i = 0; i < 2; i++) site_close(&s[i]);
    CHECK_INT(1, vault_count("left"));
    CHECK_INT(1, vault_count("right"));
    finish();
}

/* Blind writes: what was staged on one base is not committed on another's. */
static avout_status set_left(avout_txn *txn, void *payload)
{
    return avout_ref_set(txn, ((site *)payload)->left, avout_int(rand() % 1000));
}

static void *setter(void *payload)
{
    for (int i = 0; i < 25; i++)
        CHECK_OK(avout_dosync(((site *)payload)->client, set_left, payload, NULL));
    return NULL;
}

TEST_WITHIN(blind_writes_of_many_all_end, 60)
{
    site s[2];
    pthread_t threads[8];
    for (int i = 0; i < 2; i++) site_open(&s[i]);
    for (int i = 0; i < 8; i++) CHECK(!pthread_create(&threads[i], NULL, setter, &s[i % 2]));
    for (int i = 0; i < 8; i++) {
        size_t orphans;
        CHECK_OK(avout_distributed_collect(&orphans, s[0].client, "/dir/left", true, 20000));
        pthread_join(threads[i], NULL);
    }
    suite_ref_int(s[0].left);
    for (int i = 0; i < 2; i++) site_close(&s[i]);
    CHECK_INT(1, vault_count("left"));
    finish();
}

TEST(an_atom_has_its_value_in_a_container)
{
    avout_client *client = suite_connect();
    avout_versioned_container *container;
    avout_atom *atom;
    avout_value before, after;
    bool created;
    int64_t number;
    CHECK_OK(vault_open(&container, "place"));
    CHECK_OK(avout_distributed_atom(&atom, client, "/atom", container, avout_int(5), &created));
    CHECK(created);
    CHECK_OK(avout_swap(atom, suite_plus, &suite_one, &before, &after, NULL));
    CHECK_OK(avout_value_to_int(&number, after));
    CHECK_INT(6, number);
    CHECK_OK(avout_reset(atom, avout_int(40), NULL));
    CHECK_OK(avout_compare_and_set(atom, avout_int(40), avout_int(41), NULL));
    CHECK_INT(41, suite_atom_int(atom));
    avout_atom_close(atom);
    CHECK_OK(vault_open(&container, "place"));
    CHECK_OK(avout_distributed_atom(&atom, client, "/atom", container, avout_int(7), &created));
    CHECK(!created);
    CHECK_INT(41, suite_atom_int(atom));
    avout_release(before);
    avout_release(after);
    avout_atom_close(atom);
    avout_close(client);
    CHECK_INT(1, vault_count("place"));
    finish();
}

TEST(a_large_value_is_the_containers_matter)
{
    avout_client *client = suite_connect();
    char *text = malloc(3 << 20);
    memset(text, 'x', 3 << 20);
    avout_ref *ref = open_ref(client, "/large", "place", avout_string_n(text, 3 << 20));
    avout_value value;
    avout_client *other = suite_connect();
    avout_ref *same = open_ref(other, "/large", "place", avout_nil());
    CHECK_OK(avout_ref_deref(&value, same));
    size_t count;
    CHECK_OK(avout_value_count(&count, value));
    CHECK_INT(3 << 20, count);
    avout_release(value);
    free(text);
    avout_ref_close(ref);
    avout_ref_close(same);
    avout_close(client);
    avout_close(other);
    finish();
}

TEST(destroying_takes_the_values_along)
{
    avout_client *client = suite_connect();
    avout_ref *ref = open_ref(client, "/gone", "place", avout_int(1));
    avout_value value;
    CHECK_OK(avout_ref_destroy(ref));
    CHECK_STATUS(AVOUT_ENOTFOUND, avout_ref_deref(&value, ref));
    avout_ref_close(ref);
    avout_close(client);
    CHECK_INT(0, vault_count("place"));
    CHECK_INT(1, vault_called("place", VAULT_DESTROY));
    client = suite_connect();
    ref = open_ref(client, "/gone", "place", avout_int(2));
    CHECK_INT(2, suite_ref_int(ref));
    avout_ref_close(ref);
    avout_close(client);
    CHECK_INT(1, vault_count("place"));
    finish();
}

TEST(who_opens_it_without_its_container_does_not_harm_it)
{
    avout_client *client = suite_connect(), *other = suite_connect();
    avout_ref *ref = open_ref(client, "/ref", "place", avout_int(1)), *plain;
    avout_value value;
    CHECK_OK(avout_ref_open(&plain, other, "/ref"));
    CHECK_STATUS(AVOUT_EDATA, avout_ref_deref(&value, plain));
    CHECK_CONTAINS("state container (vault)", avout_error_detail());
    avout_ref_close(plain);
    CHECK_STATUS(AVOUT_EDATA, avout_ref_create_or_reset(&plain, other, "/ref", avout_int(2)));
    avout_atom *atom;
    CHECK_OK(avout_atom_open(&atom, other, "/ref"));
    CHECK_STATUS(AVOUT_EDATA, avout_reset(atom, avout_int(3), NULL));
    CHECK_STATUS(AVOUT_EDATA, avout_swap(atom, suite_plus, &suite_one, NULL, NULL, NULL));
    CHECK_INT(1, suite_ref_int(ref));
    /* In another way at the same time, in the same client. */
    avout_versioned_container *container;
    CHECK_OK(vault_open(&container, "place"));
    CHECK_STATUS(AVOUT_ESTATE,
                 avout_distributed_ref(&plain, other, "/ref", container, avout_nil(), NULL));
    avout_atom_close(atom);
    /* Not any more. */
    CHECK_OK(vault_open(&container, "place"));
    CHECK_OK(avout_distributed_ref(&plain, other, "/ref", container, avout_nil(), NULL));
    CHECK_INT(1, suite_ref_int(plain));
    avout_ref_close(plain);
    avout_ref_close(ref);
    avout_close(client);
    avout_close(other);
    finish();
}

TEST(a_ref_is_in_one_kind_of_container)
{
    avout_client *client = suite_connect();
    avout_ref *ref = open_ref(client, "/ref", "place", avout_int(1)), *plain;
    avout_ref_close(ref);
    avout_versioned_container *container;
    CHECK_OK(vault_open_other(&container, "place"));
    CHECK_STATUS(AVOUT_EDATA,
                 avout_distributed_ref(&ref, client, "/ref", container, avout_int(2), NULL));
    CHECK_CONTAINS("vault", avout_error_detail());
    CHECK_CONTAINS("other", avout_error_detail());
    CHECK_OK(avout_ref_create(&plain, client, "/plain", avout_int(3), NULL));
    avout_ref_close(plain);
    CHECK_OK(vault_open(&container, "place"));
    CHECK_STATUS(AVOUT_EDATA,
                 avout_distributed_ref(&ref, client, "/plain", container, avout_int(2), NULL));
    CHECK_CONTAINS("in the store itself", avout_error_detail());
    avout_close(client);
    finish();
}

/* ---- watches, asynchronous --------------------------------------------------------------------- */

static _Atomic int64_t told;
static _Atomic int tellings;

static void watch(const char *key, avout_value before, avout_value after, void *payload)
{
    int64_t from, to;
    (void)key, (void)payload;
    CHECK_OK(avout_value_to_int(&from, before));
    CHECK_OK(avout_value_to_int(&to, after));
    CHECK(from < to);
    atomic_store(&told, to);
    atomic_fetch_add(&tellings, 1);
}

TEST(watches_are_told_of_the_last_change)
{
    site s, other;
    site_open(&s);
    site_open(&other);
    CHECK_OK(avout_ref_add_watch(other.left, "key", watch, NULL, NULL));
    for (int i = 0; i < 20; i++) CHECK_OK(avout_dosync(s.client, bump_both, &s, NULL));
    TEST_AWAIT(atomic_load(&told) == 20);
    /* The collector moves the pointer, which is no change. */
    int before = atomic_load(&tellings);
    site_close(&s);
    CHECK_OK(avout_distributed_collect(NULL, other.client, "/dir/left", true, 20000));
    suite_ref_int(other.left);
    CHECK_INT(before, atomic_load(&tellings));
    site_close(&other);
    finish();
}

static _Atomic int finished;

static void count_finished(avout_status status, const char *detail, void *payload)
{
    (void)detail, (void)payload;
    CHECK_OK(status);
    atomic_fetch_add(&finished, 1);
}

TEST(asynchronous_transactions_reach_containers)
{
    site s;
    site_open(&s);
    for (int i = 0; i < 50; i++)
        CHECK_OK(avout_dosync_async(s.client, move, &s, NULL, count_finished, NULL));
    TEST_AWAIT(atomic_load(&finished) == 50);
    CHECK_INT(SUM - 50, suite_ref_int(s.plain));
    site_close(&s);
    CHECK_INT(1, vault_count("left"));
    finish();
}
