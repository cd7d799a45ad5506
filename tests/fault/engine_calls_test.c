/* User functions that call back into the library, fail, or close handles; the end of a client with
 * everything in flight; a forked child. */
#include <sys/wait.h>
#include <unistd.h>

#include "engine_support.h"

/* ---- functions that call back --------------------------------------------------------------- */

enum { WIDE = 40 };

static avout_ref *wide[WIDE];

/* Adds the sum of all the others to the value: reads far more refs than the transaction had. */
static avout_status add_all(avout_value *value, void *payload)
{
    world *w = payload;
    w->calls++;
    for (int i = 0; i < WIDE; i++) {
        avout_value other;
        avout_status status = avout_ref_deref(&other, wide[i]);
        if (!status) status = avout_add(value, other);
        if (status) return status;
    }
    return AVOUT_OK;
}

static avout_status alter_with_all(avout_txn *txn, void *payload)
{
    world *w = payload;
    return avout_alter(txn, w->x, add_all, w);
}

static avout_status commute_with_all(avout_txn *txn, void *payload)
{
    world *w = payload;
    int64_t seen;
    avout_status status = avout_commute(txn, w->x, add_all, w);
    if (!status) status = avout_commute(txn, w->x, add_all, w);
    if (!status && w->answer) status = suite_txn_int(&seen, txn, w->x);
    if (!status && w->answer) CHECK_INT(5 * WIDE, seen);
    return status;
}

TEST(changes_that_read_many_other_refs)
{
    world w;
    world_open(&w);
    for (int i = 0; i < WIDE; i++) {
        char name[32];
        snprintf(name, sizeof name, "/wide-%d", i);
        CHECK_OK(avout_ref_create(&wide[i], w.client, name, avout_int(1), NULL));
    }
    CHECK_OK(avout_dosync(w.client, alter_with_all, &w, NULL));
    CHECK_INT(WIDE, suite_ref_int(w.x));
    CHECK_OK(avout_dosync(w.client, commute_with_all, &w, NULL));
    CHECK_INT(3 * WIDE, suite_ref_int(w.x));
    w.answer = 1;
    CHECK_OK(avout_dosync(w.client, commute_with_all, &w, NULL));
    CHECK_INT(5 * WIDE, suite_ref_int(w.x));
    for (int i = 0; i < WIDE; i++) avout_ref_close(wide[i]);
    world_close(&w);
}

static void swap_in_watch(const char *key, avout_value old_value, avout_value new_value,
                          void *payload)
{
    (void)key, (void)old_value, (void)new_value;
    world *w = payload;
    CHECK_OK(avout_swap(w->atom, suite_plus, &suite_one, NULL, NULL, NULL));
    w->calls++;
}

TEST(a_watch_that_swaps)
{
    world w;
    world_open(&w);
    CHECK_OK(avout_ref_add_watch(w.x, "k", swap_in_watch, &w, NULL));
    for (int i = 1; i <= 20; i++) {
        CHECK_OK(add_to(&w, w.x));
        TEST_AWAIT(w.calls == i);
    }
    CHECK_INT(20, suite_atom_int(w.atom));
    world_close(&w);
}

static void count_end(void *payload)
{
    ((world *)payload)->ends++;
}

/* Replaces itself, and at the third call closes the ref's only handle. */
static void changing_watch(const char *key, avout_value old_value, avout_value new_value,
                           void *payload)
{
    (void)old_value, (void)new_value;
    world *w = payload;
    int calls = w->calls + 1;
    if (calls % 2) {
        CHECK_OK(avout_ref_add_watch(w->x, key, changing_watch, w, count_end));
    } else if (calls < 8) {
        CHECK_OK(avout_ref_remove_watch(w->x, key));
        CHECK_STATUS(AVOUT_ENOTFOUND, avout_ref_remove_watch(w->x, key));
        CHECK_OK(avout_ref_add_watch(w->x, key, changing_watch, w, count_end));
    } else {
        avout_ref_close(w->x);
        w->x = NULL;
    }
    w->calls = calls; /* a watch starts from the value at its setting: changes wait for this */
}

TEST(a_watch_that_removes_replaces_and_closes)
{
    world w;
    world_open(&w);
    CHECK_OK(avout_ref_add_watch(w.x, "k", changing_watch, &w, count_end));
    for (int i = 1; i <= 7; i++) {
        CHECK_OK(add_to(&w, w.x));
        TEST_AWAIT(w.calls == i);
    }
    avout_ref *other;
    CHECK_OK(avout_ref_open(&other, w.client, "/x"));
    CHECK_OK(add_to(&w, other));
    TEST_AWAIT(w.calls == 8);
    avout_ref_close(other);
    TEST_AWAIT(w.ends == 8); /* each exactly once */
    world_close(&w);
    CHECK_INT(8, w.ends);
}

static avout_status dosync_in_validator(avout_value value, void *payload)
{
    world *w = payload;
    int64_t number;
    avout_status status = avout_value_to_int(&number, value);
    if (!status) status = add_to(w, w->y);
    if (!status && number > 2) return avout_fail(AVOUT_EVALIDATOR, "more than two");
    return status;
}

TEST(a_validator_that_transacts_and_refuses)
{
    world w;
    world_open(&w);
    CHECK_OK(avout_ref_set_validator(w.x, dosync_in_validator, &w, count_end));
    CHECK_OK(add_to(&w, w.x));
    CHECK_OK(add_to(&w, w.x));
    CHECK_STATUS(AVOUT_EVALIDATOR, add_to(&w, w.x));
    CHECK_CONTAINS("more than two", avout_error_detail());
    CHECK_CONTAINS("/x", avout_error_detail());
    CHECK_INT(2, suite_ref_int(w.x));
    CHECK_INT(4, suite_ref_int(w.y));
    CHECK_OK(avout_ref_set_validator(w.x, NULL, NULL, NULL));
    CHECK_INT(1, w.ends);
    CHECK_OK(add_to(&w, w.x));
    CHECK_INT(3, suite_ref_int(w.x));
    world_close(&w);
}

static avout_status fail_after(avout_value *value, void *payload)
{
    world *w = payload;
    avout_status status = avout_inc(value);
    return status ? status : avout_fail(w->answer, "not today");
}

static avout_status alter_and_fail(avout_txn *txn, void *payload)
{
    world *w = payload;
    avout_status status = plus_one(txn, w->y);
    return status ? status : avout_alter(txn, w->x, fail_after, w);
}

static avout_status commute_and_fail(avout_txn *txn, void *payload)
{
    world *w = payload;
    avout_status status = plus_one(txn, w->y);
    return status ? status : avout_commute(txn, w->x, fail_after, w);
}

TEST(changes_that_fail)
{
    world w;
    world_open(&w);
    static const avout_status answers[] = {3, AVOUT_ERANGE, AVOUT_ENOTFOUND};
    for (size_t i = 0; i < 3; i++) {
        w.answer = answers[i];
        CHECK_STATUS(w.answer, avout_swap(w.atom, fail_after, &w, NULL, NULL, NULL));
        CHECK_STATUS(w.answer, avout_dosync(w.client, alter_and_fail, &w, NULL));
        CHECK_STATUS(w.answer, avout_dosync(w.client, commute_and_fail, &w, NULL));
        CHECK_CONTAINS("not today", avout_error_detail());
    }
    CHECK_INT(0, suite_atom_int(w.atom));
    CHECK_INT(0, suite_ref_int(w.x));
    CHECK_INT(0, suite_ref_int(w.y));
    world_close(&w);
}

/* ---- ends ----------------------------------------------------------------------------------- */

typedef struct worker {
    world *w;
    int confirmed, unknown;
    bool entered;
} worker;

static avout_status add_to_both(avout_txn *txn, void *payload)
{
    worker *mine = payload;
    if (!mine->entered) mine->w->calls++;
    mine->entered = true;
    avout_status status = plus_one(txn, mine->w->x);
    if (!status) status = plus_one(txn, mine->w->y);
    return status;
}

static void *add_once(void *payload)
{
    worker *mine = payload;
    avout_status status = avout_dosync(mine->w->client, add_to_both, mine, NULL);
    if (status == AVOUT_ECLOSED) return NULL;
    if (status == AVOUT_UNKNOWN) mine->unknown++;
    else CHECK_OK(status);
    mine->confirmed += !status;
    return NULL;
}

/* Uses its handle alone: that may be used when the client has been closed. */
static void *swap_until_closed(void *payload)
{
    worker *mine = payload;
    for (;;) {
        avout_status status = avout_swap(mine->w->atom, suite_plus, &suite_one, NULL, NULL, NULL);
        if (status == AVOUT_ECLOSED) return NULL;
        if (status == AVOUT_UNKNOWN) mine->unknown++;
        else CHECK_OK(status);
        mine->confirmed += !status;
    }
}

static avout_status wait_for_ever(avout_txn *txn, void *payload)
{
    int64_t seen;
    avout_status status = suite_txn_int(&seen, txn, payload);
    return status ? status : avout_retry(txn);
}

static avout_status enter_and_wait(avout_txn *txn, void *payload)
{
    worker *mine = payload;
    if (!mine->entered) mine->w->calls++;
    mine->entered = true;
    return wait_for_ever(txn, mine->w->z);
}

static void *block_until_closed(void *payload)
{
    worker mine = {.w = payload};
    avout_call_options patient = {.timeout_ms = AVOUT_FOREVER};
    CHECK_STATUS(AVOUT_ECLOSED, avout_dosync(mine.w->client, enter_and_wait, &mine, &patient));
    return NULL;
}

static void *deref_until_closed(void *payload)
{
    world *w = payload;
    for (;;) {
        avout_value value;
        avout_status status = avout_ref_deref(&value, w->x);
        if (status == AVOUT_ECLOSED) return NULL;
        CHECK_OK(status);
    }
}

static void count_finished(avout_status status, const char *detail, void *payload)
{
    (void)detail;
    if (status && status != AVOUT_ECLOSED && status != AVOUT_UNKNOWN)
        test_failed(__FILE__, __LINE__, "%s (%s)", avout_status_name(status), detail);
    ((world *)payload)->ends++;
}

static void swap_or_closed(const char *key, avout_value old_value, avout_value new_value,
                           void *payload)
{
    (void)key, (void)old_value, (void)new_value;
    avout_atom *atom = ((world *)payload)->atom;
    avout_status status = avout_swap(atom, suite_plus, &suite_one, NULL, NULL, NULL);
    if (status != AVOUT_ECLOSED && status != AVOUT_UNKNOWN) CHECK_OK(status);
}

/* `trouble`: what the store is doing meanwhile. */
static void close_in_flight(void (*trouble)(avout_store *store))
{
    enum { ADDERS = 4, JOBS = 50 };
    avout_client *witness = suite_connect();
    world w;
    memset(&w, 0, sizeof w);
    w.client = suite_connect();
    w.store = engine_store(1);
    CHECK_OK(avout_ref_create(&w.x, w.client, "/x", avout_int(0), NULL));
    CHECK_OK(avout_ref_create(&w.y, w.client, "/y", avout_int(0), NULL));
    CHECK_OK(avout_ref_create(&w.z, w.client, "/z", avout_int(0), NULL));
    CHECK_OK(avout_atom_create(&w.atom, w.client, "/atom", avout_int(0), NULL));
    CHECK_OK(avout_ref_add_watch(w.z, "z", swap_or_closed, &w, count_end));
    worker workers[ADDERS] = {{0}}, swapper = {.w = &w};
    pthread_t threads[ADDERS], blocked, reader, swapping;
    if (trouble) trouble(w.store);
    for (int i = 0; i < ADDERS; i++) {
        workers[i].w = &w;
        CHECK(!pthread_create(&threads[i], NULL, add_once, &workers[i]));
    }
    CHECK(!pthread_create(&blocked, NULL, block_until_closed, &w));
    CHECK(!pthread_create(&reader, NULL, deref_until_closed, &w));
    CHECK(!pthread_create(&swapping, NULL, swap_until_closed, &swapper));
    TEST_AWAIT(w.calls == ADDERS + 1);
    int jobs = 0;
    for (int i = 0; i < JOBS; i++)
        jobs += !avout_dosync_async(w.client, i % 5 ? plus_one : wait_for_ever, w.z, NULL,
                                    count_finished, &w);
    int64_t begin_ns = avout__now_ns();
    avout_close(w.client);
    CHECK(avout__now_ns() - begin_ns < (int64_t)15 * 1000000000);
    for (int i = 0; i < ADDERS; i++) pthread_join(threads[i], NULL);
    pthread_join(blocked, NULL);
    pthread_join(reader, NULL);
    pthread_join(swapping, NULL);
    CHECK_INT(jobs, w.ends);
    avout_ref_close(w.x);
    avout_ref_close(w.y);
    avout_ref_close(w.z);
    avout_atom_close(w.atom);
    CHECK_INT(jobs + 1, w.ends); /* the watch's */
    int confirmed = 0, unknown = 0;
    for (int i = 0; i < ADDERS; i++) {
        confirmed += workers[i].confirmed;
        unknown += workers[i].unknown;
    }
    CHECK_OK(avout_ref_open(&w.x, witness, "/x"));
    CHECK_OK(avout_ref_open(&w.y, witness, "/y"));
    int64_t x = suite_ref_strict_int(w.x);
    CHECK_INT(x, suite_ref_strict_int(w.y));
    CHECK(confirmed <= x && x <= confirmed + unknown);
    avout_ref_close(w.x);
    avout_ref_close(w.y);
    CHECK_OK(avout_atom_open(&w.atom, witness, "/atom"));
    int64_t swapped = suite_atom_int(w.atom);
    CHECK(swapped >= swapper.confirmed);
    avout_atom_close(w.atom);
    suite_close(witness);
    suite_check_memory();
}

TEST(close_with_everything_in_flight)
{
    for (int i = 0; i < 20; i++) close_in_flight(NULL);
}

static void stay_away(avout_store *store)
{
    avout__mem_reconnect_after(store, AVOUT_FOREVER);
    CHECK_OK(avout__mem_suspend(store));
}

static void hold_requests(avout_store *store)
{
    avout__mem_hold(store, AVOUT__MEM_REQUESTS);
}

static void hold_replies(avout_store *store)
{
    avout__mem_hold(store, AVOUT__MEM_REPLIES);
}

static void expire(avout_store *store)
{
    CHECK_OK(avout__mem_expire(store));
}

TEST(close_while_suspended)
{
    for (int i = 0; i < 5; i++) close_in_flight(stay_away);
}

TEST(close_while_the_store_is_silent)
{
    close_in_flight(hold_requests);
    close_in_flight(hold_replies);
}

TEST(close_at_expiry)
{
    for (int i = 0; i < 10; i++) close_in_flight(expire);
}

/* ---- fork ----------------------------------------------------------------------------------- */

static int in_child(world *w)
{
    avout_value value, values[2];
    avout_ref *ref = NULL;
    avout_client *fresh = NULL;
    alarm(20);
    avout_guard_enter();
    int wrong = !avout_is_none(avout_ref_peek(w->x)) << 0;
    avout_guard_leave();
    wrong |= (avout_ref_deref(&value, w->x) != AVOUT_EFORK) << 1;
    wrong |= (avout_refs_deref(values, (avout_ref *[]){w->x, w->y}, 2) != AVOUT_EFORK) << 2;
    wrong |= (add_to(w, w->x) != AVOUT_EFORK) << 3;
    wrong |= (avout_ref_open(&ref, w->client, "/x") != AVOUT_EFORK) << 4;
    wrong |= (avout_ref_add_watch(w->x, "a", swap_or_closed, w, NULL) != AVOUT_EFORK) << 5;
    wrong |= (avout_ref_remove_watch(w->x, "k") != AVOUT_EFORK) << 6;
    wrong |= (avout_ref_set_validator(w->x, NULL, NULL, NULL) != AVOUT_EFORK) << 7;
    wrong |= (avout_ls(&value, w->client, "/") != AVOUT_EFORK) << 8;
    wrong |= (avout_destroy(w->client, "/x") != AVOUT_EFORK) << 9;
    wrong |= (avout_ref_local(&ref, w->client, avout_int(1)) != AVOUT_EFORK) << 10;
    wrong |= (avout_dosync_async(w->client, plus_one, w->x, NULL, count_finished, w) != AVOUT_EFORK)
             << 11;
#if !defined(__SANITIZE_THREAD__) /* which lets no forked child start threads */
    wrong |= (avout_connect("mem:child", NULL, &fresh) != AVOUT_OK) << 12;
#endif
    avout_close(fresh);
    /* Before the client and after it: neither may wait for the parent's threads. */
    avout_ref_close(w->x);
    avout_close(w->client);
    avout_ref_close(w->y);
    if (wrong) fprintf(stderr, "# wrong: %x\n", (unsigned)wrong);
    return wrong != 0;
}

/* The sanitizers' own locks are not made for a fork while other threads allocate. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { BUSY = 0 };
#else
enum { BUSY = 2 };
#endif

TEST(a_forked_child_is_told_and_the_parent_goes_on)
{
    world w;
    world_open(&w);
    CHECK_OK(avout_ref_add_watch(w.x, "k", swap_or_closed, &w, NULL));
    worker workers[2] = {{.w = &w}, {.w = &w}};
    pthread_t threads[2];
    for (int i = 0; i < BUSY; i++)
        CHECK(!pthread_create(&threads[i], NULL, swap_until_closed, &workers[i]));
    for (int i = 0; i < 20; i++) {
        pid_t child = fork();
        CHECK(child >= 0);
        if (!child) _exit(in_child(&w));
        int status;
        CHECK_INT(child, waitpid(child, &status, 0));
        CHECK_INT(0, status);
    }
    avout_close(w.client);
    for (int i = 0; i < BUSY; i++) pthread_join(threads[i], NULL);
    avout_ref_close(w.x);
    avout_ref_close(w.y);
    avout_ref_close(w.z);
    avout_atom_close(w.atom);
    suite_check_memory();
}
