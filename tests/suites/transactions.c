/* What the public operations promise, one by one. */
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "support/suite.h"

/* ---- atoms ---------------------------------------------------------------------------------- */

TEST(an_atom_from_creation_to_destruction)
{
    avout_client *client = suite_connect();
    avout_atom *atom, *again;
    bool created;
    CHECK_STATUS(AVOUT_ENOTFOUND, avout_atom_open(&atom, client, "/a"));
    CHECK_CONTAINS("/a", avout_error_detail());
    CHECK_OK(avout_atom_create(&atom, client, "/a", avout_int(1), &created));
    CHECK(created);
    CHECK_INT(1, suite_atom_int(atom));
    CHECK_OK(avout_atom_create(&again, client, "/a", avout_int(7), &created));
    CHECK(!created);
    CHECK_INT(1, suite_atom_int(again));
    avout_value before, after;
    CHECK_OK(avout_swap(atom, suite_plus, &suite_one, &before, &after, NULL));
    CHECK(avout_value_equal(before, avout_int(1)));
    CHECK(avout_value_equal(after, avout_int(2)));
    CHECK_INT(2, suite_atom_int(again));
    CHECK_OK(avout_reset(atom, avout_int(40), NULL));
    CHECK_STATUS(AVOUT_ECONFLICT, avout_compare_and_set(atom, avout_int(2), avout_int(3), NULL));
    CHECK_OK(avout_compare_and_set(atom, avout_int(40), avout_int(41), NULL));
    avout_value strict;
    CHECK_OK(avout_atom_deref_strict(&strict, atom, 0));
    CHECK(avout_value_equal(strict, avout_int(41)));
    CHECK_OK(avout_atom_destroy(atom));
    avout_value none;
    CHECK_STATUS(AVOUT_ENOTFOUND, avout_atom_deref(&none, atom));
    CHECK_CONTAINS("destroyed", avout_error_detail());
    CHECK_STATUS(AVOUT_ENOTFOUND, avout_swap(atom, suite_plus, &suite_one, NULL, NULL, NULL));
    CHECK_STATUS(AVOUT_ENOTFOUND, avout_reset(atom, avout_int(1), NULL));
    CHECK_STATUS(AVOUT_ENOTFOUND, avout_atom_destroy(atom));
    avout_atom_close(again);
    CHECK_STATUS(AVOUT_ENOTFOUND, avout_atom_open(&again, client, "/a"));
    CHECK_OK(avout_atom_create_or_reset(&again, client, "/a", avout_int(5)));
    CHECK_INT(5, suite_atom_int(atom));
    avout_atom_close(atom);
    avout_atom_close(again);
    suite_close(client);
    suite_check_memory();
}

TEST(what_one_client_writes_another_reads)
{
    avout_client *writer = suite_connect(), *reader = suite_connect();
    avout_atom *written, *read;
    CHECK_OK(avout_atom_create(&written, writer, "/deep/er/name", avout_int(1), NULL));
    CHECK_OK(avout_atom_open(&read, reader, "/deep/er/name"));
    for (int i = 2; i < 30; i++) {
        CHECK_OK(avout_reset(written, avout_int(i), NULL));
        avout_value strict;
        CHECK_OK(avout_atom_deref_strict(&strict, read, 0));
        CHECK(avout_value_equal(strict, avout_int(i)));
        CHECK_INT(i, suite_atom_int(read)); /* never older than what was seen */
    }
    avout_value names;
    CHECK_OK(avout_ls(&names, reader, "/"));
    const char *text;
    CHECK_OK(avout_value_to_text(&text, NULL, avout_value_nth(names, 0)));
    CHECK_TEXT("deep/", text);
    size_t count;
    CHECK_OK(avout_value_count(&count, names));
    CHECK_INT(1, count);
    avout_release(names);
    CHECK_OK(avout_ls(&names, reader, "/deep/er"));
    CHECK_OK(avout_value_to_text(&text, NULL, avout_value_nth(names, 0)));
    CHECK_TEXT("name", text);
    avout_release(names);
    CHECK_STATUS(AVOUT_ENOTFOUND, avout_ls(&names, reader, "/nowhere"));
    avout_atom_close(written);
    avout_atom_close(read);
    suite_close(writer);
    suite_close(reader);
}

TEST(names_that_are_none)
{
    avout_client *client = suite_connect();
    static const char *const bad[] = {"",       "a",   "/",    "//",    "/a/",   "/a//b",
                                      "/a/./b", "/..", "/a\n", "/\xff", "/a\x01"};
    avout_ref *ref;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        CHECK_STATUS(AVOUT_ENAME, avout_ref_open(&ref, client, bad[i]));
        CHECK_STATUS(AVOUT_ENAME,
                     avout_ref_create(&ref, client, bad[i], avout_string("kept by nobody"), NULL));
    }
    suite_close(client);
    suite_check_memory();
}

TEST(names_side_by_side_and_one_below_the_other)
{
    avout_client *client = suite_connect();
    static const char *const names[] = {
        "/a", "/a/b", "/a/b/c", "/a:", "/a%", "/a%3A", "/b:c/d:", "/\xc3\xa4/\xe2\x82\xac"};
    enum { COUNT = sizeof names / sizeof *names };
    avout_ref *refs[COUNT];
    for (int i = 0; i < COUNT; i++)
        CHECK_OK(avout_ref_create(&refs[i], client, names[i], avout_int(i), NULL));
    for (int i = 0; i < COUNT; i++) {
        CHECK_INT(i, suite_ref_int(refs[i]));
        CHECK_TEXT(names[i], avout_ref_name(refs[i]));
        avout_ref_close(refs[i]);
        CHECK_OK(avout_ref_open(&refs[i], client, names[i]));
        CHECK_INT(i, suite_ref_int(refs[i]));
        avout_ref_close(refs[i]);
    }
    suite_close(client);
}

/* ---- transactions ------------------------------------------------------------------------------ */

typedef struct world {
    avout_client *client;
    avout_ref *x, *y;
    int runs, hooks;
    avout_status answer;
    pthread_t other;
    _Atomic int go;
} world;

static void world_open(world *w)
{
    memset(w, 0, sizeof *w);
    w->client = suite_connect();
    CHECK_OK(avout_ref_create(&w->x, w->client, "/x", avout_int(0), NULL));
    CHECK_OK(avout_ref_create(&w->y, w->client, "/y", avout_int(0), NULL));
}

/* The client first: a transaction that still runs on a thread of its own uses the refs. */
static void world_close(world *w)
{
    suite_close(w->client);
    avout_ref_close(w->x);
    avout_ref_close(w->y);
    suite_check_memory();
}

static void count_hook(void *payload)
{
    ((world *)payload)->hooks++;
}

static avout_status set_then_fail(avout_txn *txn, void *payload)
{
    world *w = payload;
    avout_status status = avout_on_commit(txn, count_hook, w);
    if (!status) status = avout_ref_set(txn, w->x, avout_int(99));
    int64_t seen;
    if (!status) status = suite_txn_int(&seen, txn, w->x);
    if (!status) CHECK_INT(99, seen); /* reads its own writes */
    return status ? status : w->answer;
}

TEST(an_error_of_the_body_changes_nothing_and_reaches_the_caller)
{
    world w;
    world_open(&w);
    w.answer = 7; /* the user's own */
    CHECK_INT(7, avout_dosync(w.client, set_then_fail, &w, NULL));
    w.answer = AVOUT_ERANGE;
    CHECK_STATUS(AVOUT_ERANGE, avout_dosync(w.client, set_then_fail, &w, NULL));
    CHECK_INT(0, suite_ref_int(w.x));
    CHECK_INT(0, w.hooks);
    w.answer = AVOUT_OK;
    CHECK_OK(avout_dosync(w.client, set_then_fail, &w, NULL));
    CHECK_INT(99, suite_ref_int(w.x));
    CHECK_INT(1, w.hooks);
    world_close(&w);
}

/* Changes /x through another client, waiting for it, at the first run. */
static void disturb(world *w, const char *name)
{
    avout_client *other = suite_connect();
    avout_atom *atom;
    CHECK_OK(avout_atom_open(&atom, other, name));
    CHECK_OK(avout_swap(atom, suite_plus, &(int64_t){10}, NULL, NULL, NULL));
    avout_atom_close(atom);
    suite_close(other);
    (void)w;
}

static avout_status alter_disturbed(avout_txn *txn, void *payload)
{
    world *w = payload;
    avout_status status = avout_alter(txn, w->x, suite_plus, &suite_one);
    if (!status && w->runs++ == 0) disturb(w, "/x");
    return status;
}

TEST(a_conflict_runs_the_body_again)
{
    world w;
    world_open(&w);
    CHECK_OK(avout_dosync(w.client, alter_disturbed, &w, NULL));
    CHECK(w.runs >= 2);
    CHECK_INT(11, suite_ref_int(w.x));
    world_close(&w);
}

static avout_status alter_always_disturbed(avout_txn *txn, void *payload)
{
    world *w = payload;
    avout_status status = avout_alter(txn, w->x, suite_plus, &suite_one);
    w->runs++;
    if (!status) disturb(w, "/x");
    return status;
}

TEST(a_retry_limit_ends_it)
{
    world w;
    world_open(&w);
    avout_call_options twice = {.max_retries = 2};
    CHECK_STATUS(AVOUT_ERETRIES, avout_dosync(w.client, alter_always_disturbed, &w, &twice));
    CHECK_INT(3, w.runs);
    avout_value strict;
    CHECK_OK(avout_ref_deref_strict(&strict, w.x, 0));
    CHECK(avout_value_equal(strict, avout_int(30)));
    world_close(&w);
}

static avout_status commute_disturbed(avout_txn *txn, void *payload)
{
    world *w = payload;
    avout_status status = avout_commute(txn, w->x, suite_plus, &suite_one);
    if (!status) status = avout_commute(txn, w->x, suite_plus, &suite_one);
    if (w->runs++ == 0) disturb(w, "/x");
    return status;
}

TEST(a_commute_never_runs_the_body_again)
{
    world w;
    world_open(&w);
    CHECK_OK(avout_dosync(w.client, commute_disturbed, &w, NULL));
    CHECK_INT(1, w.runs);
    CHECK_INT(12, suite_ref_int(w.x));
    world_close(&w);
}

/* Overtaken between its change and the commit: the newest value is changed again, the body not run. */
static avout_status plus_overtaken(avout_value *value, void *payload)
{
    world *w = payload;
    avout_atom *atom;
    if (w->hooks++ == 0) {
        CHECK_OK(avout_atom_open(&atom, w->client, "/x"));
        CHECK_OK(avout_swap(atom, suite_plus, &(int64_t){10}, NULL, NULL, NULL));
        avout_atom_close(atom);
    }
    return suite_plus(value, &suite_one);
}

static avout_status commute_overtaken(avout_txn *txn, void *payload)
{
    world *w = payload;
    w->runs++;
    return avout_commute(txn, w->x, plus_overtaken, w);
}

TEST(a_commute_that_is_overtaken_is_applied_again)
{
    world w;
    world_open(&w);
    CHECK_OK(avout_dosync(w.client, commute_overtaken, &w, NULL));
    CHECK_INT(1, w.runs);
    CHECK_INT(2, w.hooks);
    CHECK_INT(11, suite_ref_int(w.x));
    world_close(&w);
}

TEST(a_strict_read_asks_the_store)
{
    world w;
    world_open(&w);
    avout_statistics before, after;
    avout_value value;
    CHECK_INT(0, suite_ref_int(w.x));
    avout_client_statistics(w.client, &before);
    CHECK_OK(avout_ref_deref(&value, w.x));
    avout_client_statistics(w.client, &after);
    CHECK_INT(before.multis, after.multis);
    CHECK_OK(avout_ref_deref_strict(&value, w.x, 0));
    avout_client_statistics(w.client, &after);
    CHECK_INT(before.multis + 1, after.multis);
    world_close(&w);
}

static avout_status commute_then_read(avout_txn *txn, void *payload)
{
    world *w = payload;
    int64_t seen;
    avout_status status = avout_commute(txn, w->x, suite_plus, &suite_one);
    if (!status) status = suite_txn_int(&seen, txn, w->x);
    if (!status) status = avout_commute(txn, w->x, suite_plus, &suite_one);
    if (!status) status = avout_ref_set(txn, w->y, avout_int(seen));
    if (!status && w->runs++ == 0) disturb(w, "/x");
    return status;
}

TEST(a_commuted_ref_that_is_read_is_an_altered_one)
{
    world w;
    world_open(&w);
    CHECK_OK(avout_dosync(w.client, commute_then_read, &w, NULL));
    CHECK(w.runs >= 2);
    CHECK_INT(12, suite_ref_int(w.x));
    CHECK_INT(11, suite_ref_int(w.y));
    world_close(&w);
}

/* Reads x, writes y: write skew, unless x is checked. */
static avout_status read_x_write_y(avout_txn *txn, void *payload)
{
    world *w = payload;
    int64_t seen;
    avout_status status = w->answer ? avout_ensure(txn, w->x) : suite_txn_int(&seen, txn, w->x);
    if (!status) status = suite_txn_int(&seen, txn, w->x);
    if (!status) status = avout_ref_set(txn, w->y, avout_int(seen));
    if (!status && w->runs++ == 0) disturb(w, "/x");
    return status;
}

TEST(what_a_serializable_transaction_read_is_checked)
{
    world w;
    world_open(&w);
    CHECK_OK(avout_dosync(w.client, read_x_write_y, &w, NULL));
    CHECK(w.runs >= 2);
    CHECK_INT(10, suite_ref_int(w.y));
    world_close(&w);
}

TEST(under_snapshot_isolation_only_writes_and_ensured_refs_conflict)
{
    world w;
    world_open(&w);
    avout_call_options snapshot = {.isolation = AVOUT_SNAPSHOT};
    CHECK_OK(avout_dosync(w.client, read_x_write_y, &w, &snapshot));
    CHECK_INT(1, w.runs);
    CHECK_INT(0, suite_ref_int(w.y));
    w.runs = 0;
    w.answer = 1;
    CHECK_OK(avout_dosync(w.client, read_x_write_y, &w, &snapshot));
    CHECK(w.runs >= 2);
    CHECK_INT(20, suite_ref_int(w.y));
    world_close(&w);
}

static avout_status inner(avout_txn *txn, void *payload)
{
    return avout_alter(txn, ((world *)payload)->y, suite_plus, &suite_one);
}

static avout_status outer(avout_txn *txn, void *payload)
{
    world *w = payload;
    avout_status status = avout_alter(txn, w->x, suite_plus, &suite_one);
    if (!status) status = avout_dosync(w->client, inner, w, NULL);
    avout_value seen;
    if (!status) status = avout_ref_deref(&seen, w->y); /* inside a body: the transaction's */
    if (!status) CHECK(avout_value_equal(seen, avout_int(1)));
    return status ? status : w->answer;
}

TEST(a_nested_dosync_joins_the_outer_one)
{
    world w;
    world_open(&w);
    w.answer = 3;
    CHECK_INT(3, avout_dosync(w.client, outer, &w, NULL));
    CHECK_INT(0, suite_ref_int(w.y));
    w.answer = 0;
    CHECK_OK(avout_dosync(w.client, outer, &w, NULL));
    CHECK_INT(1, suite_ref_int(w.x));
    CHECK_INT(1, suite_ref_int(w.y));
    world_close(&w);
}

/* ---- retry, or-else ------------------------------------------------------------------------------ */

static avout_status take_one(avout_txn *txn, void *payload)
{
    world *w = payload;
    int64_t number;
    avout_status status = suite_txn_int(&number, txn, w->x);
    if (!status && number == 0) {
        atomic_store(&w->go, 1);
        return avout_retry(txn);
    }
    return status ? status : avout_alter(txn, w->x, suite_plus, &suite_minus_one);
}

static void *take_in_thread(void *payload)
{
    world *w = payload;
    w->answer = avout_dosync(w->client, take_one, w, NULL);
    return NULL;
}

static void wait_for_go(world *w)
{
    while (!atomic_load(&w->go)) sched_yield();
}

TEST(retry_waits_for_a_change_of_this_client)
{
    world w;
    world_open(&w);
    CHECK(!pthread_create(&w.other, NULL, take_in_thread, &w));
    wait_for_go(&w);
    CHECK_OK(avout_dosync(w.client, inner, &w, NULL)); /* /y: nothing it read */
    avout_atom *x;
    CHECK_OK(avout_atom_open(&x, w.client, "/x"));
    CHECK_OK(avout_reset(x, avout_int(5), NULL));
    pthread_join(w.other, NULL);
    CHECK_OK(w.answer);
    CHECK_INT(4, suite_ref_int(w.x));
    avout_atom_close(x);
    world_close(&w);
}

TEST(retry_waits_for_a_change_of_another_client)
{
    world w;
    world_open(&w);
    CHECK(!pthread_create(&w.other, NULL, take_in_thread, &w));
    wait_for_go(&w);
    disturb(&w, "/x");
    pthread_join(w.other, NULL);
    CHECK_OK(w.answer);
    CHECK_INT(9, suite_ref_int(w.x));
    world_close(&w);
}

TEST(retry_ends_at_the_deadline)
{
    world w;
    world_open(&w);
    avout_call_options soon = {.timeout_ms = 50};
    CHECK_STATUS(AVOUT_ETIMEOUT, avout_dosync(w.client, take_one, &w, &soon));
    CHECK_INT(0, suite_ref_int(w.x));
    world_close(&w);
}

static avout_status take_y(avout_txn *txn, void *payload)
{
    world *w = payload;
    int64_t number, x;
    avout_status status = suite_txn_int(&x, txn, w->x);
    if (!status) CHECK_INT(0, x); /* what the first wrote is undone */
    if (!status) status = suite_txn_int(&number, txn, w->y);
    if (!status && number == 0) return avout_retry(txn);
    return status ? status : avout_alter(txn, w->y, suite_plus, &suite_minus_one);
}

static avout_status write_then_block(avout_txn *txn, void *payload)
{
    world *w = payload;
    avout_status status = avout_ref_set(txn, w->x, avout_int(77));
    if (!status) status = avout_on_commit(txn, count_hook, w);
    return status ? status : avout_retry(txn);
}

static avout_status either(avout_txn *txn, void *payload)
{
    return avout_or_else(txn, write_then_block, payload, take_y, payload);
}

TEST(or_else_undoes_the_first_and_runs_the_second)
{
    world w;
    world_open(&w);
    avout_call_options soon = {.timeout_ms = 50};
    CHECK_STATUS(AVOUT_ETIMEOUT, avout_dosync(w.client, either, &w, &soon));
    CHECK_OK(avout_dosync(w.client, inner, &w, NULL));
    CHECK_OK(avout_dosync(w.client, either, &w, NULL));
    CHECK_INT(0, suite_ref_int(w.x));
    CHECK_INT(0, suite_ref_int(w.y));
    CHECK_INT(0, w.hooks);
    world_close(&w);
}

/* ---- local refs ------------------------------------------------------------------------------------ */

static avout_status both_plus(avout_txn *txn, void *payload)
{
    avout_ref **refs = payload;
    avout_status status = avout_alter(txn, refs[0], suite_plus, &suite_one);
    if (!status) status = avout_alter(txn, refs[1], suite_plus, &suite_one);
    return status;
}

TEST(local_refs_take_part_and_alone_send_nothing)
{
    world w;
    world_open(&w);
    avout_ref *refs[2];
    CHECK_OK(avout_ref_local(&refs[0], w.client, avout_int(0)));
    CHECK_OK(avout_ref_local(&refs[1], w.client, avout_int(0)));
    avout_statistics before, after;
    avout_client_statistics(w.client, &before);
    for (int i = 0; i < 10; i++) CHECK_OK(avout_dosync(w.client, both_plus, refs, NULL));
    avout_client_statistics(w.client, &after);
    CHECK_INT(before.multis, after.multis);
    CHECK_INT(before.fetches, after.fetches);
    CHECK_INT(10, suite_ref_int(refs[0]));
    avout_ref *mixed[2] = {refs[1], w.x};
    CHECK_OK(avout_dosync(w.client, both_plus, mixed, NULL));
    CHECK_INT(11, suite_ref_int(refs[1]));
    CHECK_INT(1, suite_ref_int(w.x));
    avout_ref_close(refs[0]);
    avout_ref_close(refs[1]);
    world_close(&w);
}

static void destroy_box(void *pointer)
{
    (*(int *)pointer)++;
}

static avout_status set_box(avout_txn *txn, void *payload)
{
    return avout_ref_set(txn, *(avout_ref **)payload, avout_box(payload, NULL));
}

TEST(a_box_stays_in_its_process)
{
    world w;
    world_open(&w);
    int destroyed = 0;
    avout_ref *local;
    CHECK_OK(avout_ref_local(&local, w.client, avout_box(&destroyed, destroy_box)));
    CHECK_OK(avout_dosync(w.client, set_box, &local, NULL));
    CHECK_STATUS(AVOUT_ENOPRINT, avout_dosync(w.client, set_box, &w.x, NULL));
    CHECK_INT(0, suite_ref_int(w.x));
    avout_ref_close(local);
    world_close(&w);
    CHECK_INT(1, destroyed);
}

/* ---- validators and watches ---------------------------------------------------------------------------- */

static avout_status not_over_three(avout_value value, void *payload)
{
    int64_t number;
    (void)payload;
    avout_status status = avout_value_to_int(&number, value);
    if (status) return status;
    return number <= 3 ? AVOUT_OK : avout_fail(AVOUT_EVALIDATOR, "%d is over three", (int)number);
}

TEST(a_validator_refuses_before_anything_is_sent)
{
    world w;
    world_open(&w);
    CHECK_OK(avout_ref_set_validator(w.x, not_over_three, NULL, NULL));
    avout_ref *refs[2] = {w.y, w.x};
    for (int i = 0; i < 3; i++) CHECK_OK(avout_dosync(w.client, both_plus, refs, NULL));
    CHECK_STATUS(AVOUT_EVALIDATOR, avout_dosync(w.client, both_plus, refs, NULL));
    CHECK_CONTAINS("/x", avout_error_detail());
    CHECK_CONTAINS("4 is over three", avout_error_detail());
    CHECK_INT(3, suite_ref_int(w.y));
    CHECK_OK(avout_ref_set_validator(w.x, NULL, NULL, NULL));
    CHECK_OK(avout_dosync(w.client, both_plus, refs, NULL));
    CHECK_STATUS(AVOUT_EVALIDATOR, avout_ref_set_validator(w.x, not_over_three, NULL, NULL));
    CHECK_OK(avout_dosync(w.client, both_plus, refs, NULL));
    world_close(&w);
}

typedef struct seen {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int64_t last;
    int calls;
    bool running;
    int destroyed;
} seen;

static void watch_numbers(const char *key, avout_value old_value, avout_value new_value,
                          void *payload)
{
    seen *s = payload;
    int64_t old_number, new_number;
    CHECK_TEXT("k", key);
    CHECK_OK(avout_value_to_int(&old_number, old_value));
    CHECK_OK(avout_value_to_int(&new_number, new_value));
    pthread_mutex_lock(&s->lock);
    CHECK(!s->running); /* I7: never concurrently with itself */
    s->running = true;
    CHECK_INT(s->last, old_number); /* I7: in order, nothing twice */
    CHECK(new_number > old_number);
    s->last = new_number;
    s->calls++;
    s->running = false;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
}

static void watch_destroyed(void *payload)
{
    ((seen *)payload)->destroyed++;
}

static void wait_for_last(seen *s, int64_t last)
{
    pthread_mutex_lock(&s->lock);
    while (s->last != last) pthread_cond_wait(&s->changed, &s->lock);
    pthread_mutex_unlock(&s->lock);
}

TEST(a_watch_is_told_of_the_last_change_in_order)
{
    world w;
    world_open(&w);
    avout_client *other = suite_connect();
    avout_atom *theirs, *ours;
    CHECK_OK(avout_atom_open(&theirs, other, "/x"));
    CHECK_OK(avout_atom_open(&ours, w.client, "/x"));
    seen s = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
    CHECK_OK(avout_atom_add_watch(ours, "k", watch_numbers, &s, watch_destroyed));
    for (int i = 0; i < 50; i++)
        CHECK_OK(avout_swap(i % 3 ? theirs : ours, suite_plus, &suite_one, NULL, NULL, NULL));
    wait_for_last(&s, 50);
    CHECK(s.calls > 0 && s.calls <= 50);
    CHECK_OK(avout_atom_remove_watch(ours, "k"));
    CHECK_INT(1, s.destroyed);
    CHECK_STATUS(AVOUT_ENOTFOUND, avout_atom_remove_watch(ours, "k"));
    CHECK_OK(avout_swap(theirs, suite_plus, &suite_one, NULL, NULL, NULL));
    avout_atom_close(theirs);
    avout_atom_close(ours);
    suite_close(other);
    world_close(&w);
    CHECK_INT(50, s.last);
}

static void watch_once(const char *key, avout_value old_value, avout_value new_value, void *payload)
{
    (void)key, (void)old_value, (void)new_value;
    atomic_fetch_add((_Atomic int *)payload, 1);
}

TEST(every_watch_of_a_ref_is_told)
{
    enum { WATCHES = 3 };
    world w;
    world_open(&w);
    _Atomic int told[WATCHES] = {0};
    char key[] = "0";
    for (int i = 0; i < WATCHES; i++, key[0]++)
        CHECK_OK(avout_ref_add_watch(w.y, key, watch_once, &told[i], NULL));
    CHECK_OK(avout_dosync(w.client, inner, &w, NULL));
    for (int i = 0; i < WATCHES; i++)
        while (!atomic_load(&told[i])) sched_yield();
    world_close(&w);
    for (int i = 0; i < WATCHES; i++) CHECK_INT(1, told[i]);
}

/* ---- asynchronous ---------------------------------------------------------------------------------------- */

typedef struct counted {
    _Atomic int finished, failed;
} counted;

static void swap_finished(avout_status status, avout_value old_value, avout_value new_value,
                          const char *detail, void *payload)
{
    counted *c = payload;
    int64_t before, after;
    (void)detail;
    if (status || avout_value_to_int(&before, old_value) || avout_value_to_int(&after, new_value) ||
        after != before + 1)
        atomic_fetch_add(&c->failed, 1);
    atomic_fetch_add(&c->finished, 1);
}

TEST(one_thread_keeps_thousands_in_flight)
{
    enum { SWAPS = 3000 };
    world w;
    world_open(&w);
    avout_atom *x;
    counted c = {0};
    CHECK_OK(avout_atom_open(&x, w.client, "/x"));
    for (int i = 0; i < SWAPS; i++)
        CHECK_OK(avout_swap_async(x, suite_plus, &suite_one, NULL, swap_finished, &c));
    while (atomic_load(&c.finished) < SWAPS) sched_yield();
    CHECK_INT(0, c.failed);
    CHECK_INT(SWAPS, suite_atom_int(x));
    avout_statistics did;
    avout_client_statistics(w.client, &did);
    CHECK(did.multis < SWAPS / 2); /* they travelled together */
    avout_atom_close(x);
    world_close(&w);
}

static void dosync_finished(avout_status status, const char *detail, void *payload)
{
    counted *c = payload;
    (void)detail;
    if (status) atomic_fetch_add(&c->failed, 1);
    atomic_fetch_add(&c->finished, 1);
}

TEST(asynchronous_transactions_block_fail_and_end_with_the_client)
{
    world w;
    world_open(&w);
    counted c = {0}, taken = {0};
    CHECK_OK(avout_dosync_async(w.client, take_one, &w, NULL, dosync_finished, &taken));
    wait_for_go(&w);
    CHECK_INT(0, taken.finished);
    disturb(&w, "/x");
    while (!atomic_load(&taken.finished)) sched_yield();
    CHECK_INT(0, taken.failed);
    avout_call_options soon = {.timeout_ms = 50};
    w.answer = 5;
    CHECK_OK(avout_dosync_async(w.client, set_then_fail, &w, NULL, dosync_finished, &c));
    CHECK_OK(avout_dosync_async(w.client, write_then_block, &w, &soon, dosync_finished, &c));
    while (atomic_load(&c.finished) < 2) sched_yield();
    CHECK_INT(2, c.failed);
    CHECK_OK(avout_dosync_async(w.client, write_then_block, &w, NULL, dosync_finished, &c));
    world_close(&w);
    CHECK_INT(3, c.finished);
}

/* ---- limits and the end -------------------------------------------------------------------------------------- */

TEST(handles_outlive_their_client)
{
    avout_client *client = suite_connect();
    avout_ref *ref;
    avout_value value;
    CHECK_OK(avout_ref_create(&ref, client, "/x", avout_int(0), NULL));
    avout_close(client);
    CHECK_STATUS(AVOUT_ECLOSED, avout_ref_deref(&value, ref));
    CHECK_STATUS(AVOUT_ECLOSED, avout_ref_deref_strict(&value, ref, 0));
    CHECK_STATUS(AVOUT_ECLOSED, avout_ref_destroy(ref));
    CHECK_TEXT("/x", avout_ref_name(ref));
    avout_ref_close(ref);
    suite_check_memory();
}

TEST(the_programs_signals_are_not_for_the_librarys_threads)
{
    sigset_t usr1, pending;
    sigemptyset(&usr1);
    sigaddset(&usr1, SIGUSR1);
    world w;
    world_open(&w);
    counted c = {0};
    w.answer = 5;
    CHECK_OK(avout_dosync_async(w.client, set_then_fail, &w, NULL, dosync_finished, &c));
    while (!atomic_load(&c.finished)) sched_yield();
    CHECK(!pthread_sigmask(SIG_BLOCK, &usr1, NULL));
    /* It would end the process if any other thread took it. */
    CHECK(!kill(getpid(), SIGUSR1));
    CHECK(!sigpending(&pending));
    CHECK(sigismember(&pending, SIGUSR1));
    world_close(&w);
}
