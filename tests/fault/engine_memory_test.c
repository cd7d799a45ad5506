/* No memory, at each allocation of a call in turn, on whatever thread it is made: the caller's, the
 * client's own, the store's. The call succeeds or answers AVOUT_ENOMEM, and has taken effect exactly
 * once or not at all; nothing leaks, nobody hangs, watches are told in the end and of nothing that
 * never was, and the client goes on as if nothing had been (I3, I7, I10, I12).
 * Test-tags: threads */
#include "engine_support.h"

/* ---- the allocator ---------------------------------------------------------------------------- */

static _Atomic int64_t until_failure, failures_left, happened, memory_back_ns;
static _Atomic bool failing;

enum { ALL_FOR_MS = 10 };

static bool fails_now(void)
{
    if (!atomic_load(&failing) || atomic_fetch_sub(&until_failure, 1) > 0) return false;
    if (atomic_fetch_sub(&failures_left, 1) <= 0) return false;
    int64_t now = avout__now_ns();
    if (!atomic_fetch_add(&happened, 1))
        atomic_store(&memory_back_ns, now + (int64_t)ALL_FOR_MS * 1000000);
    return now < atomic_load(&memory_back_ns);
}

static void *allocate(size_t size, void *payload)
{
    (void)payload;
    return fails_now() ? NULL : malloc(size);
}

static void *reallocate(void *block, size_t size, void *payload)
{
    (void)payload;
    return fails_now() ? NULL : realloc(block, size);
}

static void release(void *block, void *payload)
{
    (void)payload;
    free(block);
}

/* ---- a scene: a client, a witness, an act ------------------------------------------------------- */

typedef struct scene {
    avout_client *witness, *client;
    avout_store *store; /* the client's */
    avout_ref *x, *y, *z, *new_ref, *witness_x;
    avout_atom *atom;
    int64_t x_is, y_is, atom_is; /* as confirmed */
    int unknown;                 /* not known whether they were */
    int refused;                 /* calls that answered AVOUT_ENOMEM */
    int expected_hooks;
    _Atomic int hooks, runs, finished, finished_ok;
    _Atomic int64_t told;
    bool watched;
} scene;

/* Whether a call has taken effect. */
static bool done(scene *s, avout_status status)
{
    if (!status) return true;
    if (status != AVOUT_ENOMEM)
        test_failed(__FILE__, __LINE__, "%s (%s)", avout_status_name(status), avout_error_detail());
    CHECK(*avout_error_detail());
    s->refused++;
    return false;
}

static void scene_open(scene *s)
{
    *s = (scene){.witness = suite_connect()};
    s->client = suite_connect();
    s->store = engine_store(1);
    CHECK_OK(avout_ref_create(&s->x, s->client, "/x", avout_int(0), NULL));
    CHECK_OK(avout_ref_create(&s->y, s->client, "/deep/y", avout_int(0), NULL));
    CHECK_OK(avout_ref_create(&s->z, s->client, "/z", avout_int(0), NULL));
    CHECK_OK(avout_atom_create(&s->atom, s->client, "/atom", avout_int(0), NULL));
}

static void scene_close_handles(scene *s)
{
    avout_ref_close(s->x);
    avout_ref_close(s->y);
    avout_ref_close(s->z);
    avout_ref_close(s->new_ref);
    avout_ref_close(s->witness_x);
    avout_atom_close(s->atom);
}

static int64_t seen_by(avout_client *client, const char *name)
{
    avout_ref *ref;
    CHECK_OK(avout_ref_open(&ref, client, name));
    int64_t number = engine_strict_int(ref);
    avout_ref_close(ref);
    return number;
}

static void check_between(const scene *s, int64_t confirmed, int64_t seen)
{
    if (seen < confirmed || seen > confirmed + s->unknown)
        test_failed(__FILE__, __LINE__, "confirmed %d, unknown %d, seen %d", (int)confirmed,
                    s->unknown, (int)seen);
}

static void scene_judge(scene *s)
{
    int64_t x = seen_by(s->witness, "/x"), y = seen_by(s->witness, "/deep/y");
    CHECK_INT(s->x_is - s->y_is, x - y); /* I2: what is unknown is so for both */
    check_between(s, s->x_is, x);
    check_between(s, s->atom_is, seen_by(s->witness, "/atom"));
    CHECK_INT(s->expected_hooks, s->hooks);
}

static void scene_go_on(scene *s)
{
    if (!s->client) return;
    CHECK_OK(avout_dosync(s->client, plus_one, s->x, NULL));
    CHECK_OK(avout_dosync(s->client, plus_one, s->y, NULL));
    CHECK_OK(avout_swap(s->atom, suite_plus, &suite_one, NULL, NULL, NULL));
    CHECK_INT(s->x_is + 1, suite_ref_int(s->x));
    CHECK_INT(s->y_is + 1, suite_ref_int(s->y));
    CHECK_INT(s->atom_is + 1, suite_atom_int(s->atom));
    CHECK_INT(s->x_is + 1, seen_by(s->witness, "/x"));
    if (s->watched) ENGINE_AWAIT(s->told == s->x_is + 1);
}

typedef void (*part)(scene *s);

/* Whether the act, with `count` allocations failing from number n on, made as many. */
static bool play(part prepare, part act, part judge, int64_t n, int64_t count)
{
    scene s;
    scene_open(&s);
    if (prepare) prepare(&s);
    atomic_store(&happened, 0);
    atomic_store(&failures_left, count);
    atomic_store(&until_failure, n);
    atomic_store(&failing, true);
    act(&s);
    atomic_store(&failing, false);
    if (!happened) CHECK_INT(0, s.refused);
    if (judge) judge(&s);
    scene_judge(&s);
    scene_go_on(&s);
    scene_close_handles(&s);
    avout_close(s.client);
    suite_close(s.witness);
    if (avout_memory_blocks())
        test_failed(__FILE__, __LINE__, "allocation %d: %zu blocks are left", (int)n,
                    avout_memory_blocks());
    return happened;
}

/* One failure; a few, so that what is done about one fails as well; and nothing but failures for a
 * while. */
static void sweep(part prepare, part act, part judge, int64_t least)
{
    static const avout_allocator allocator = {allocate, reallocate, release, NULL};
    static const int64_t counts[] = {1, 3, INT64_MAX};
    CHECK_OK(avout_allocator_set(&allocator));
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        int64_t n = 0, step = counts[i] < INT64_MAX ? 1 : 5;
        while (play(prepare, act, judge, n, counts[i])) n += step;
        fprintf(stderr, "# %d allocations\n", (int)n);
        CHECK(n >= least);
    }
    CHECK_OK(avout_allocator_set(NULL));
}

/* Readers bring back what the act has left unknown: their allocations fail in turn, too. */
static void look(scene *s)
{
    avout_value values[2], value;
    for (int i = 0; i < 2; i++) {
        if (done(s, avout_refs_deref(values, (avout_ref *[]){s->x, s->y}, 2))) {
            avout_release(values[0]);
            avout_release(values[1]);
        }
        if (done(s, avout_atom_deref(&value, s->atom))) avout_release(value);
    }
}

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

static void hook(void *payload)
{
    ((scene *)payload)->hooks++;
}

static avout_status block_at_once(avout_txn *txn, void *payload)
{
    scene *s = payload;
    avout_status status = avout_commute(txn, s->y, suite_plus, &suite_one);
    return status ? status : avout_retry(txn);
}

static avout_status set_x(avout_txn *txn, void *payload)
{
    scene *s = payload;
    int64_t seen;
    avout_status status = suite_txn_int(&seen, txn, s->x);
    return status ? status : avout_ref_set(txn, s->x, avout_int(seen + 1));
}

/* Every operation; and more cells than a transaction has room for at first. */
static avout_status add_to_both(avout_txn *txn, void *payload)
{
    scene *s = payload;
    int64_t seen;
    s->runs++;
    avout_status status = avout_commute(txn, s->y, suite_plus, &suite_one);
    if (!status) status = avout_ensure(txn, s->z);
    if (!status) status = avout_or_else(txn, block_at_once, s, set_x, s);
    avout_value value;
    if (!status) status = avout_atom_deref(&value, s->atom); /* no part of it */
    if (!status) avout_release(value);
    avout_ref *local = NULL;
    if (!status) status = avout_ref_local(&local, s->client, avout_int(1));
    if (!status) status = suite_txn_int(&seen, txn, local);
    if (!status) status = avout_alter(txn, local, suite_plus, &suite_one);
    if (!status) status = avout_on_commit(txn, hook, s);
    avout_ref_close(local);
    return status;
}

static bool both(scene *s, avout_status status)
{
    bool did = done(s, status);
    s->x_is += did;
    s->y_is += did;
    s->expected_hooks += did;
    return did;
}

static void dosync(scene *s)
{
    for (int i = 0; i < 2; i++) {
        avout_call_options options = {.isolation = i ? AVOUT_SNAPSHOT : AVOUT_SERIALIZABLE};
        both(s, avout_dosync(s->client, add_to_both, s, &options));
    }
    look(s);
}

TEST(transactions_over_two_refs)
{
    sweep(NULL, dosync, NULL, 40);
}

static void finished(avout_status status, const char *detail, void *payload)
{
    scene *s = payload;
    if (status && status != AVOUT_ENOMEM)
        test_failed(__FILE__, __LINE__, "%s (%s)", avout_status_name(status), detail);
    s->finished_ok += !status;
    s->finished++;
}

static void start_some(scene *s, int count)
{
    int jobs = 0;
    for (int i = 0; i < count; i++)
        jobs += done(s, avout_dosync_async(s->client, add_to_both, s, NULL, finished, s));
    ENGINE_AWAIT(s->finished == jobs);
    s->x_is += s->finished_ok;
    s->y_is += s->finished_ok;
    s->expected_hooks += s->finished_ok;
    s->refused += jobs - s->finished_ok;
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

static void *dosync_beside(void *payload)
{
    scene *s = payload;
    avout_status status = avout_dosync(s->client, add_to_both, s, NULL);
    finished(status, avout_error_detail(), s);
    return NULL;
}

/* Groups: an allocation that fails for one may concern all that travel with it. */
static void dosync_together(scene *s)
{
    enum { THREADS = 4 };
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) CHECK(!pthread_create(&threads[i], NULL, dosync_beside, s));
    for (int i = 0; i < THREADS; i++) CHECK(!pthread_join(threads[i], NULL));
    s->x_is += s->finished_ok;
    s->y_is += s->finished_ok;
    s->expected_hooks += s->finished_ok;
    s->refused += THREADS - s->finished_ok;
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
    ENGINE_AWAIT(s->told == s->x_is);
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
    ENGINE_AWAIT(is_vector(s->z));
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
    ENGINE_AWAIT(s->told == s->runs);
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

/* ---- bad times ------------------------------------------------------------------------------------------ */

static void refuse_next(scene *s)
{
    engine_fault(s->store, (avout__mem_fault){.kind = AVOUT__MEM_FAIL,
                                              .multis = true,
                                              .status = AVOUT_EVERSION,
                                              .failed_op = 0});
    engine_fault(s->store, (avout__mem_fault){.kind = AVOUT__MEM_FAIL,
                                              .multis = true,
                                              .nth = 2,
                                              .status = AVOUT_EVERSION,
                                              .failed_op = 1});
}

static void forget_faults(scene *s)
{
    avout__mem_faults_clear(s->store);
}

TEST(a_refused_multi)
{
    sweep(refuse_next, dosync, forget_faults, 40);
    sweep(refuse_next, dosync_together, forget_faults, 60);
}

/* Somebody else changes x, and nobody tells before the commit is on its way. */
static avout_status add_overtaken(avout_txn *txn, void *payload)
{
    scene *s = payload;
    if (!s->runs++) {
        avout__mem_hold(s->store, AVOUT__MEM_REPLIES);
        s->x_is += done(s, avout_dosync(s->witness, plus_one, s->witness_x, NULL));
    }
    avout_status status = set_x(txn, s);
    if (!status) status = avout_alter(txn, s->y, suite_plus, &suite_one);
    return status;
}

static void overtake(scene *s)
{
    avout__mem_counters before, now;
    avout__mem_counters_of(s->store, &before);
    int jobs = done(s, avout_dosync_async(s->client, add_overtaken, s, NULL, finished, s));
    while (s->finished < jobs) {
        avout__mem_counters_of(s->store, &now);
        if (now.multis > before.multis) avout__mem_release(s->store);
        nanosleep(&(struct timespec){0, 50000}, NULL);
    }
    avout__mem_release(s->store);
    s->x_is += s->finished_ok;
    s->y_is += s->finished_ok;
    s->refused += jobs - s->finished_ok;
}

static void open_for_witness(scene *s)
{
    CHECK_OK(avout_ref_open(&s->witness_x, s->witness, "/x"));
}

TEST(a_conflict_with_another_client)
{
    sweep(open_for_witness, overtake, NULL, 40);
}

static avout__mem_fault loss;

static void lose_next(scene *s)
{
    engine_fault(s->store, loss);
}

static void sweep_loss(avout__mem_fault fault)
{
    loss = fault;
    loss.multis = true;
    sweep(lose_next, dosync, forget_faults, 40);
}

TEST(the_connection_lost_before_a_batch)
{
    sweep_loss((avout__mem_fault){.kind = AVOUT__MEM_LOSE_BEFORE});
}

TEST(the_connection_lost_after_a_batch)
{
    sweep_loss((avout__mem_fault){.kind = AVOUT__MEM_LOSE_AFTER});
}

TEST(a_batch_that_arrives_late)
{
    sweep_loss(
        (avout__mem_fault){.kind = AVOUT__MEM_LOSE_LATE, .late = AVOUT__MEM_LATE_BEFORE_NEXT});
    sweep_loss(
        (avout__mem_fault){.kind = AVOUT__MEM_LOSE_LATE, .late = AVOUT__MEM_LATE_AFTER_NEXT});
}

TEST(the_session_lost_with_a_batch)
{
    sweep_loss((avout__mem_fault){.kind = AVOUT__MEM_EXPIRE_BEFORE});
    sweep_loss((avout__mem_fault){.kind = AVOUT__MEM_EXPIRE_AFTER});
}

/* ---- blocking, closing ------------------------------------------------------------------------------------ */

static avout_status wait_for_x(avout_txn *txn, void *payload)
{
    scene *s = payload;
    int64_t seen;
    s->runs++;
    avout_status status = suite_txn_int(&seen, txn, s->x);
    if (!status && !seen) return avout_retry(txn);
    return status ? status : avout_alter(txn, s->y, suite_plus, &suite_one);
}

static void *block_beside(void *payload)
{
    scene *s = payload;
    finished(avout_dosync(s->client, wait_for_x, s, NULL), avout_error_detail(), s);
    return NULL;
}

/* One blocks on a thread of its own, one asynchronously; another client changes what they wait for. */
static void block_both(scene *s)
{
    pthread_t blocked;
    CHECK(!pthread_create(&blocked, NULL, block_beside, s));
    int jobs = 1 + done(s, avout_dosync_async(s->client, wait_for_x, s, NULL, finished, s));
    ENGINE_AWAIT(s->runs + s->finished >= jobs);
    while (!done(s, avout_dosync(s->witness, plus_one, s->witness_x, NULL)))
        atomic_store(&failing, false); /* they would wait for it for ever */
    s->x_is++;
    CHECK(!pthread_join(blocked, NULL));
    ENGINE_AWAIT(s->finished == jobs);
    s->y_is += s->finished_ok;
    s->refused += jobs - s->finished_ok;
}

TEST(blocked_transactions)
{
    sweep(open_for_witness, block_both, NULL, 30);
}

static void finished_or_closed(avout_status status, const char *detail, void *payload)
{
    scene *s = payload;
    if (status == AVOUT_UNKNOWN) s->unknown++;
    else if (status && status != AVOUT_ENOMEM && status != AVOUT_ECLOSED)
        test_failed(__FILE__, __LINE__, "%s (%s)", avout_status_name(status), detail);
    s->finished_ok += !status;
    s->finished++;
}

static int closing_jobs;

static void start_before_close(scene *s)
{
    closing_jobs = 0;
    for (int i = 0; i < 3; i++)
        closing_jobs += !avout_dosync_async(s->client, add_to_both, s, NULL, finished_or_closed, s);
}

static void close_client(scene *s)
{
    avout_close(s->client);
    s->client = NULL;
    CHECK_INT(closing_jobs, s->finished);
}

static void judge_closed(scene *s)
{
    s->x_is = s->y_is = s->expected_hooks = s->finished_ok;
}

TEST(closing)
{
    sweep(start_before_close, close_client, judge_closed, 1);
}
