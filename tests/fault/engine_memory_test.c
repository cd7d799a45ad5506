/* No memory, at each allocation of a call in turn, on whatever thread it is made: the caller's, the
 * client's own, the store's. The call succeeds or answers AVOUT_ENOMEM, and has taken effect exactly
 * once or not at all; nothing leaks, nobody hangs, watches are told in the end and of nothing that
 * never was, and the client goes on as if nothing had been (I3, I7, I10, I12).
 * Test-tags: single */
#include "engine_memory.h"

/* ---- opening, creating ---------------------------------------------------------------------------- */

static void open_another(scene *s)
{
    avout_client *another = NULL;
    if (!done(s, avout_connect(engine_url(), NULL, &another))) return;
    avout_ref *ref;
    if (done(s, avout_ref_open(&ref, another, "/x"))) avout_ref_close(ref);
    avout_close(another);
}

TEST(opening)
{
    sweep(NULL, open_another, NULL, 20);
}

static void create(scene *s)
{
    bool created = false;
    if (done(s, avout_ref_create(&s->new_ref, s->client, "/new/dir/n", avout_int(5), &created)))
        CHECK(created);
}

static void judge_created(scene *s)
{
    avout_ref *ref;
    avout_status status = avout_ref_open(&ref, s->witness, "/new/dir/n");
    CHECK_STATUS(s->new_ref ? AVOUT_OK : AVOUT_ENOTFOUND, status);
    if (!s->new_ref) return;
    CHECK_INT(5, suite_ref_int(ref));
    avout_ref_close(ref);
}

TEST(creating)
{
    sweep(NULL, create, judge_created, 20);
}

static void create_or_reset(scene *s)
{
    if (done(s, avout_ref_create_or_reset(&s->new_ref, s->client, "/z", avout_int(7))))
        s->unknown++;
}

static void judge_reset(scene *s)
{
    CHECK_INT(s->new_ref ? 7 : 0, seen_by(s->witness, "/z"));
    s->unknown = 0;
}

TEST(resetting_by_create)
{
    sweep(NULL, create_or_reset, judge_reset, 8);
}

static void destroy(scene *s)
{
    if (done(s, avout_ref_destroy(s->z))) s->unknown++;
}

static void judge_destroyed(scene *s)
{
    avout_value value;
    avout_status status = avout_ref_deref_strict(&value, s->z, 20000);
    CHECK_STATUS(s->unknown ? AVOUT_ENOTFOUND : AVOUT_OK, status);
    s->unknown = 0;
}

TEST(destroying)
{
    sweep(NULL, destroy, judge_destroyed, 8);
}

/* ---- changing --------------------------------------------------------------------------------------- */

static void swap(scene *s)
{
    avout_value before = AVOUT_NONE, after = AVOUT_NONE;
    if (done(s, avout_swap(s->atom, suite_plus, &suite_one, &before, &after, NULL))) {
        s->atom_is++;
        CHECK(avout_value_equal(before, avout_int(0)) && avout_value_equal(after, avout_int(1)));
    }
    s->atom_is += done(
        s, avout_compare_and_set(s->atom, avout_int(s->atom_is), avout_int(s->atom_is + 1), NULL));
    s->atom_is += done(s, avout_reset(s->atom, avout_int(s->atom_is + 1), NULL));
    look(s);
}

TEST(swapping)
{
    sweep(NULL, swap, NULL, 30);
}

TEST(transactions_over_two_refs)
{
    sweep(NULL, dosync, NULL, 40);
}

static void start_some(scene *s, int count)
{
    int jobs = 0;
    for (int i = 0; i < count; i++)
        jobs += done(s, avout_dosync_async(s->client, add_to_both, s, NULL, finished, s));
    TEST_AWAIT(s->finished == jobs);
    s->x_is += s->finished_ok;
    s->y_is += s->finished_ok;
    s->expected_hooks += s->finished_ok;
    s->calls.refused += jobs - s->finished_ok;
}

static void dosync_async(scene *s)
{
    start_some(s, 3);
    look(s);
}

TEST(asynchronous_transactions)
{
    sweep(NULL, dosync_async, NULL, 40);
}

TEST(transactions_of_several_threads)
{
    sweep(NULL, dosync_together, NULL, 60);
}

static void read_otherwise(scene *s)
{
    avout_value value;
    if (done(s, avout_ref_deref_strict(&value, s->x, 0))) avout_release(value);
    if (done(s, avout_ls(&value, s->client, "/"))) avout_release(value);
    avout_ref *local;
    if (done(s, avout_ref_local(&local, s->client, avout_int(0)))) {
        done(s, avout_dosync(s->client, plus_one, local, NULL));
        avout_ref_close(local);
    }
}

TEST(other_calls)
{
    sweep(NULL, read_otherwise, NULL, 20);
}

/* ---- watches, validators ------------------------------------------------------------------------------ */

/* Numbers that only grow, with the one told before as the old value: nothing is made up. */
static void tell(const char *key, avout_value old_value, avout_value new_value, void *payload)
{
    (void)key;
    scene *s = payload;
    int64_t before, after;
    CHECK_OK(avout_value_to_int(&before, old_value));
    CHECK_OK(avout_value_to_int(&after, new_value));
    CHECK_INT(s->told, before);
    CHECK(after > before);
    atomic_store(&s->told, after);
}

static void watch(scene *s)
{
    if (done(s, avout_ref_add_watch(s->x, "k", tell, s, NULL))) {
        s->watched = true;
        s->told = s->x_is;
    }
    both(s, avout_dosync(s->client, add_to_both, s, NULL));
    look(s);
}

TEST(watching_own_changes)
{
    sweep(NULL, watch, NULL, 30);
}

static void watch_before(scene *s)
{
    CHECK_OK(avout_ref_add_watch(s->x, "k", tell, s, NULL));
    CHECK_OK(avout_ref_open(&s->witness_x, s->witness, "/x"));
    s->watched = true;
}

/* Who only watches asks nobody again: what fails in telling is the client's to make good. */
static void change_by_others(scene *s)
{
    for (int i = 0; i < 3; i++)
        s->x_is += done(s, avout_dosync(s->witness, plus_one, s->witness_x, NULL));
    int64_t patience_ns = avout__deadline_in_ms(5);
    while (s->told < s->x_is && avout__now_ns() < patience_ns) sched_yield();
}

static void judge_told(scene *s)
{
    TEST_AWAIT(s->told == s->x_is);
}

TEST(watching_the_changes_of_others)
{
    sweep(watch_before, change_by_others, judge_told, 20);
}

/* The same with values that take memory to be read. */
static int64_t length_of(avout_value value)
{
    CHECK_INT(AVOUT_TYPE_VECTOR, avout_value_type(value));
    size_t count;
    CHECK_OK(avout_value_count(&count, value));
    return (int64_t)count;
}

static void tell_length(const char *key, avout_value old_value, avout_value new_value,
                        void *payload)
{
    (void)key;
    scene *s = payload;
    CHECK_INT(s->told, length_of(old_value));
    CHECK(length_of(new_value) > s->told);
    atomic_store(&s->told, length_of(new_value));
}

static avout_status append(avout_value *value, void *payload)
{
    (void)payload;
    return avout_conj(value, avout_string("a string that is no small value"));
}

static avout_status append_to(avout_txn *txn, void *payload)
{
    return avout_alter(txn, payload, append, NULL);
}

static avout_status empty(avout_txn *txn, void *payload)
{
    return avout_ref_set(txn, payload, avout_vector(0, NULL));
}

static bool is_vector(avout_ref *ref)
{
    avout_value value;
    CHECK_OK(avout_ref_deref(&value, ref));
    bool is = avout_value_type(value) == AVOUT_TYPE_VECTOR;
    avout_release(value);
    return is;
}

static void watch_vector(scene *s)
{
    CHECK_OK(avout_ref_open(&s->witness_x, s->witness, "/z"));
    CHECK_OK(avout_dosync(s->witness, empty, s->witness_x, NULL));
    TEST_AWAIT(is_vector(s->z));
    CHECK_OK(avout_ref_add_watch(s->z, "k", tell_length, s, NULL));
}

static void append_by_others(scene *s)
{
    for (int i = 0; i < 3; i++)
        s->runs += done(s, avout_dosync(s->witness, append_to, s->witness_x, NULL));
    int64_t patience_ns = avout__deadline_in_ms(5);
    while (s->told < s->runs && avout__now_ns() < patience_ns) sched_yield();
}

static void judge_length(scene *s)
{
    TEST_AWAIT(s->told == s->runs);
}

TEST(watching_values_that_take_memory)
{
    sweep(watch_vector, append_by_others, judge_length, 20);
}

static avout_status accept_small(avout_value value, void *payload)
{
    (void)payload;
    int64_t number;
    avout_status status = avout_value_to_int(&number, value);
    return !status && number > 100 ? avout_fail(AVOUT_EVALIDATOR, "too large") : status;
}

static avout_status add_much(avout_txn *txn, void *payload)
{
    static int64_t much = 1000;
    return avout_alter(txn, payload, suite_plus, &much);
}

/* Without memory to tell whether a value is accepted, it is not. */
static void validate(scene *s)
{
    bool set = done(s, avout_ref_set_validator(s->x, accept_small, s, NULL));
    both(s, avout_dosync(s->client, add_to_both, s, NULL));
    if (!set) return;
    avout_status status = avout_dosync(s->client, add_much, s->x, NULL);
    if (status != AVOUT_EVALIDATOR) CHECK(!done(s, status));
}

TEST(validators)
{
    sweep(NULL, validate, NULL, 20);
}
