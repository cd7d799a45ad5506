/* Transactions in interleavings that chance does not bring about: what is read is one cut of the
 * store's history, whoever commits when (I4, I5); nothing confirmed is lost (I1, I3); deadlines hold
 * (I12); user functions may use the transaction they run in.
 * Test-tags: threads */
#include "history/review_support.h"

typedef struct duo {
    avout_client *near, *far;
    avout_ref *x, *z;
    avout_atom *near_x, *far_x, *far_z;
    review_swap swap;
    int runs;
    int64_t seen_x, seen_z;
} duo;

static void duo_open(duo *d)
{
    memset(d, 0, sizeof *d);
    d->near = suite_connect();
    d->far = suite_connect();
    CHECK_OK(avout_ref_create(&d->x, d->near, "/x", avout_int(0), NULL));
    CHECK_OK(avout_ref_create(&d->z, d->near, "/z", avout_int(0), NULL));
    CHECK_OK(avout_atom_open(&d->near_x, d->near, "/x"));
    CHECK_OK(avout_atom_open(&d->far_x, d->far, "/x"));
    CHECK_OK(avout_atom_open(&d->far_z, d->far, "/z"));
    suite_ref_int(d->x);
    suite_ref_int(d->z);
}

static void duo_close(duo *d)
{
    avout_ref_close(d->x);
    avout_ref_close(d->z);
    avout_atom_close(d->near_x);
    avout_atom_close(d->far_x);
    avout_atom_close(d->far_z);
    suite_close(d->near);
    suite_close(d->far);
    suite_check_memory();
}

/* ---- reads ------------------------------------------------------------------------------------ */

/* Reads x, on its way to the store, and z; then another client changes z, and only then x arrives. */
static avout_status read_both_with_a_change_between(avout_txn *txn, void *payload)
{
    duo *d = payload;
    avout_status status = suite_txn_int(&d->seen_x, txn, d->x);
    if (!status) status = suite_txn_int(&d->seen_z, txn, d->z);
    if (status || d->runs++) return status;
    CHECK_INT(1, d->seen_x);
    CHECK_INT(0, d->seen_z);
    CHECK_OK(avout_swap(d->far_z, suite_plus, &suite_one, NULL, NULL, NULL));
    CHECK_INT(0, suite_atom_strict_int(d->far_x)); /* z was first, for all to see */
    avout__mem_release(review_store(0));
    CHECK_OK(review_swap_end(&d->swap));
    return AVOUT_OK;
}

TEST(a_transaction_that_only_reads_shows_a_cut_although_it_saw_the_unconfirmed)
{
    duo d;
    duo_open(&d);
    d.swap.atom = d.near_x;
    avout__mem_hold(review_store(0), AVOUT__MEM_REQUESTS);
    review_swap_start(&d.swap);
    review_await_held(review_store(0));
    CHECK_OK(avout_dosync(d.near, read_both_with_a_change_between, &d, NULL));
    CHECK_INT(1, d.seen_x);
    CHECK_INT(1, d.seen_z); /* x = 1 with z = 0 never was */
    CHECK_INT(2, d.runs);
    duo_close(&d);
}

/* ---- nothing is lost ---------------------------------------------------------------------------- */

typedef struct both_writes {
    duo *d;
    pthread_t thread;
    avout_ref *y;
    avout_status status;
} both_writes;

static avout_status plus_both(avout_txn *txn, void *payload)
{
    both_writes *b = payload;
    avout_status status = avout_alter(txn, b->y, suite_plus, &suite_one);
    return status ? status : avout_alter(txn, b->d->x, suite_plus, &suite_one);
}

static void *plus_both_main(void *payload)
{
    both_writes *b = payload;
    b->status = avout_dosync(b->d->near, plus_both, b, NULL);
    return NULL;
}

/* Four changes of y build on each other: the first is on its way, the next three travel together, of
 * which one's caller gives up and one is refused because of x. What remains of them must go on
 * standing on the second, not on the first. */
TEST(a_refusal_and_a_caller_who_gave_up_lose_no_other_change)
{
    duo d;
    duo_open(&d);
    avout_store *store = review_store(0);
    avout_atom *y;
    both_writes refused = {.d = &d};
    CHECK_OK(avout_atom_create(&y, d.near, "/y", avout_int(0), NULL));
    CHECK_OK(avout_ref_open(&refused.y, d.near, "/y"));
    TEST_AWAIT(suite_atom_int(y) == 0);
    review_fault(store, (avout__mem_fault){.kind = AVOUT__MEM_HOLD_REQUEST, .multis = true});
    review_swap first = {.atom = y}, innocent = {.atom = y}, given_up = {.atom = y},
                last = {.atom = y};
    review_swap_start(&first);
    review_await_held(store);
    review_swap_start(&innocent);
    TEST_AWAIT(review_pending(d.near) == 1);
    given_up.timeout_ms = 300;
    review_swap_start(&given_up);
    TEST_AWAIT(review_pending(d.near) == 2);
    CHECK(!pthread_create(&refused.thread, NULL, plus_both_main, &refused));
    TEST_AWAIT(review_pending(d.near) == 3);
    review_fault(store, (avout__mem_fault){.kind = AVOUT__MEM_HOLD_REQUEST, .multis = true});
    review_fault(store,
                 (avout__mem_fault){.kind = AVOUT__MEM_LOSE_BEFORE, .multis = true, .nth = 2});
    avout__mem_reconnect_after(store, AVOUT_FOREVER);
    avout__mem_release(store);
    CHECK_OK(review_swap_end(&first));
    CHECK_STATUS(AVOUT_UNKNOWN, review_swap_end(&given_up));
    CHECK_OK(avout_swap(d.far_x, suite_plus, &suite_one, NULL, NULL, NULL));
    avout__mem_release(store);
    TEST_AWAIT(!review_connected(d.near));
    review_swap_start(&last);
    TEST_AWAIT(review_pending(d.near) == 2 || review_awaited(d.near, y));
    avout__mem_reconnect_after(store, 0);
    CHECK_OK(avout__mem_reconnect(store));
    CHECK_OK(review_swap_end(&innocent));
    CHECK_OK(review_swap_end(&last));
    pthread_join(refused.thread, NULL);
    CHECK_OK(refused.status);
    CHECK_INT(4, suite_atom_strict_int(y)); /* not the one of which nobody knew */
    CHECK_INT(2, suite_atom_strict_int(d.far_x));
    avout_ref_close(refused.y);
    avout_atom_close(y);
    duo_close(&d);
}

/* ---- user functions that use the transaction ------------------------------------------------------ */

enum { MANY = 12 };

typedef struct crowd {
    avout_client *client;
    avout_ref *ref[MANY];
} crowd;

static void crowd_open(crowd *c)
{
    c->client = suite_connect();
    for (int i = 0; i < MANY; i++) CHECK_OK(avout_ref_local(&c->ref[i], c->client, avout_int(i)));
}

static void crowd_close(crowd *c)
{
    for (int i = 0; i < MANY; i++) avout_ref_close(c->ref[i]);
    suite_close(c->client);
    suite_check_memory();
}

/* Adds all the others, and what it commutes itself. */
static avout_status plus_all_others(avout_value *value, void *payload)
{
    crowd *c = payload;
    avout_status status = AVOUT_OK;
    for (int i = 1; !status && i < MANY; i++) {
        avout_value other;
        status = avout_ref_deref(&other, c->ref[i]);
        if (!status) status = avout_add(value, other);
    }
    return status;
}

static avout_status commute_then_read_all(avout_txn *txn, void *payload)
{
    crowd *c = payload;
    int64_t sum;
    avout_status status = avout_commute(txn, c->ref[0], plus_all_others, c);
    if (!status) status = avout_commute(txn, c->ref[0], suite_plus, &suite_one);
    if (!status) status = suite_txn_int(&sum, txn, c->ref[0]);
    if (!status) CHECK_INT(MANY * (MANY - 1) / 2 + 1, sum);
    return status;
}

TEST(a_commute_that_is_read_may_read_other_refs)
{
    crowd c;
    crowd_open(&c);
    CHECK_OK(avout_dosync(c.client, commute_then_read_all, &c, NULL));
    CHECK_INT(MANY * (MANY - 1) / 2 + 1, suite_ref_int(c.ref[0]));
    crowd_close(&c);
}

static avout_status read_and_block(avout_txn *txn, void *payload)
{
    crowd *c = payload;
    int64_t seen;
    avout_status status = avout_commute(txn, c->ref[0], suite_plus, &suite_one);
    if (!status) status = suite_txn_int(&seen, txn, c->ref[0]);
    if (!status) CHECK_INT(12, seen);
    return status ? status : avout_retry(txn);
}

static avout_status read_again(avout_txn *txn, void *payload)
{
    crowd *c = payload;
    int64_t seen;
    avout_status status = suite_txn_int(&seen, txn, c->ref[0]);
    if (!status) CHECK_INT(11, seen);
    return status;
}

static avout_status leave_alone(avout_txn *txn, void *payload)
{
    (void)txn, (void)payload;
    return AVOUT_OK;
}

static int64_t ten = 10;
static avout_txn_fn alternative;

static avout_status commute_then_either(avout_txn *txn, void *payload)
{
    crowd *c = payload;
    avout_status status = avout_commute(txn, c->ref[0], suite_plus, &suite_one);
    if (!status) status = avout_commute(txn, c->ref[0], suite_plus, &ten);
    return status ? status : avout_or_else(txn, read_and_block, c, alternative, c);
}

/* The first alternative turns the commutes into a write, and blocks: the commutes are back. */
TEST(or_else_brings_back_commutes_that_the_first_has_read)
{
    crowd c;
    avout_call_options soon = {.timeout_ms = 2000, .max_retries = 5};
    crowd_open(&c);
    alternative = leave_alone;
    CHECK_OK(avout_dosync(c.client, commute_then_either, &c, &soon));
    CHECK_INT(11, suite_ref_int(c.ref[0]));
    CHECK_OK(avout_dosync(c.client, leave_alone, &c, NULL));
    crowd_close(&c);
    crowd_open(&c);
    alternative = read_again;
    CHECK_OK(avout_dosync(c.client, commute_then_either, &c, &soon));
    CHECK_INT(11, suite_ref_int(c.ref[0]));
    crowd_close(&c);
}

/* ---- deadlines ---------------------------------------------------------------------------------------- */

typedef struct busy {
    avout_atom *atom;
    avout_ref *ref;
    int runs;
} busy;

/* A change that finds, each time, that somebody else was quicker. */
static avout_status plus_while_changed(avout_value *value, void *payload)
{
    busy *b = payload;
    b->runs++;
    CHECK_OK(avout_swap(b->atom, suite_plus, &suite_one, NULL, NULL, NULL));
    return suite_plus(value, &suite_one);
}

static avout_status commute_while_changed(avout_txn *txn, void *payload)
{
    busy *b = payload;
    return avout_commute(txn, b->ref, plus_while_changed, b);
}

static avout_status alter_slowly_while_changed(avout_txn *txn, void *payload)
{
    busy *b = payload;
    b->runs++;
    avout_status status = avout_alter(txn, b->ref, suite_plus, &suite_one);
    if (!status) CHECK_OK(avout_swap(b->atom, suite_plus, &suite_one, NULL, NULL, NULL));
    test_pause_ms(60); /* two runs use up the deadline */
    return status;
}

TEST_WITHIN(conflicts_end_at_the_deadline, 20)
{
    busy b = {0};
    avout_client *client = suite_connect();
    CHECK_OK(avout_ref_create(&b.ref, client, "/x", avout_int(0), NULL));
    CHECK_OK(avout_atom_open(&b.atom, client, "/x"));
    avout_call_options soon = {.timeout_ms = 100};
    CHECK_STATUS(AVOUT_ETIMEOUT, avout_dosync(client, commute_while_changed, &b, &soon));
    CHECK_INT(b.runs, suite_atom_strict_int(b.atom));
    b.runs = 0;
    CHECK_STATUS(AVOUT_ETIMEOUT, avout_dosync(client, alter_slowly_while_changed, &b, &soon));
    CHECK(b.runs <= 3);
    avout_ref_close(b.ref);
    avout_atom_close(b.atom);
    suite_close(client);
    suite_check_memory();
}

/* ---- what comes out of the unconfirmed --------------------------------------------------------------------- */

static avout_status at_most_three(avout_value value, void *payload)
{
    int64_t number;
    (void)payload;
    avout_status status = avout_value_to_int(&number, value);
    if (status) return status;
    return number <= 3 ? AVOUT_OK : avout_fail(AVOUT_EVALIDATOR, "%d is too much", (int)number);
}

static avout_status commute_x(avout_txn *txn, void *payload)
{
    duo *d = payload;
    return avout_commute(txn, d->x, suite_plus, &suite_one);
}

static void *commute_x_main(void *payload)
{
    duo *d = payload;
    d->swap.status = avout_dosync(d->near, commute_x, d, NULL);
    atomic_store(&d->swap.done, 1);
    return NULL;
}

/* x = 3 is on its way, and will be refused; 4 is too much, but 3 never will have been. */
TEST(a_validator_judges_nothing_unconfirmed)
{
    duo d;
    duo_open(&d);
    avout_store *store = review_store(0);
    avout_ref *local;
    CHECK_OK(avout_ref_local(&local, d.near, avout_int(0)));
    CHECK_OK(avout_reset(d.near_x, avout_int(2), NULL));
    CHECK_OK(avout_atom_set_validator(d.near_x, at_most_three, NULL, NULL));
    CHECK_OK(avout_reset(d.near_x, avout_int(2), NULL));
    avout__mem_hold(store, AVOUT__MEM_REQUESTS);
    review_swap on_its_way = {.atom = d.near_x, .timeout_ms = 20000};
    review_swap_start(&on_its_way);
    review_await_held(store);
    CHECK_OK(avout_reset(d.far_x, avout_int(0), NULL));
    CHECK(!pthread_create(&d.swap.thread, NULL, commute_x_main, &d));
    TEST_AWAIT(review_pending(d.near) == 1 || atomic_load(&d.swap.done));
    CHECK(!atomic_load(&d.swap.done));
    avout__mem_release(store);
    CHECK_OK(review_swap_end(&on_its_way));
    CHECK_OK(review_swap_end(&d.swap));
    CHECK_INT(2, suite_atom_strict_int(d.far_x));
    avout_ref_close(local);
    duo_close(&d);
}
