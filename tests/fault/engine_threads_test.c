/* What the client's own threads owe: the one that tells of changes and events, and the one that runs
 * asynchronous transactions (I7, I10, I12).
 * Test-tags: threads */
#include "engine_support.h"

enum { SOON_MS = 5000 };

/* ---- telling ------------------------------------------------------------------------------------ */

typedef struct slow_watch {
    world *w;
    _Atomic bool inside, let_out, left, removed;
    _Atomic int destroyed, remover; /* how often; the number of that thread */
} slow_watch;

static void stay(const char *key, avout_value old_value, avout_value new_value, void *payload)
{
    (void)key, (void)old_value, (void)new_value;
    slow_watch *mine = payload;
    mine->inside = true;
    TEST_AWAIT(mine->let_out);
    mine->left = true;
}

static void note_destroyed(void *payload)
{
    slow_watch *mine = payload;
    CHECK(mine->left);
    mine->destroyed++;
}

static void *remove_it(void *payload)
{
    slow_watch *mine = payload;
    mine->remover = test_task();
    CHECK_OK(avout_ref_remove_watch(mine->w->x, "k"));
    CHECK(mine->left); /* from here on its payload may be freed */
    mine->removed = true;
    return NULL;
}

TEST(removing_a_watch_waits_for_its_call)
{
    world w;
    world_open(&w);
    slow_watch mine = {.w = &w};
    CHECK_OK(avout_ref_add_watch(w.x, "k", stay, &mine, note_destroyed));
    CHECK_OK(add_to(&w, w.x));
    TEST_AWAIT(mine.inside);
    pthread_t remover;
    CHECK(!pthread_create(&remover, NULL, remove_it, &mine));
    test_await_asleep(&mine.remover);
    CHECK(!mine.removed && !mine.destroyed);
    mine.let_out = true;
    CHECK(!pthread_join(remover, NULL));
    CHECK_INT(1, mine.destroyed);
    world_close(&w);
}

static void count_destroyed(void *payload)
{
    ++*(int *)payload;
}

static void ignore(const char *key, avout_value old_value, avout_value new_value, void *payload)
{
    (void)key, (void)old_value, (void)new_value, (void)payload;
}

TEST(a_watch_that_is_not_set_gives_its_payload_back)
{
    world w;
    world_open(&w);
    int destroyed = 0;
    CHECK_STATUS(AVOUT_EINVAL, avout_ref_add_watch(w.x, NULL, ignore, &destroyed, count_destroyed));
    CHECK_INT(1, destroyed);
    CHECK_STATUS(AVOUT_EINVAL, avout_ref_add_watch(w.x, "k", NULL, &destroyed, count_destroyed));
    CHECK_INT(2, destroyed);
    world_close(&w);
}

typedef struct listener {
    _Atomic bool blocked, let_go;
    _Atomic int count;
    _Atomic int last;
} listener;

static void note_event(avout_event event, void *payload)
{
    listener *mine = payload;
    mine->blocked = true;
    TEST_AWAIT(mine->let_go);
    mine->last = (int)event;
    mine->count++;
}

/* More events than are kept while the callback takes its time: the last one is what counts. */
TEST(the_last_event_is_told)
{
    enum { TIMES = 100 };
    listener mine = {.last = -1};
    avout_options options = {.on_event = note_event, .on_event_payload = &mine};
    avout_client *client = suite_connect_with(&options);
    avout_store *store = engine_store(0);
    TEST_AWAIT(mine.blocked);
    avout_ref *x;
    for (int i = 0; i < TIMES; i++) {
        CHECK_OK(avout__mem_suspend(store));
        CHECK_OK(avout_ref_create(&x, client, "/x", avout_int(0), NULL)); /* it is back */
        avout_value value;
        CHECK_OK(avout_ref_deref_strict(&value, x, 0));
        avout_release(value);
        avout_ref_close(x);
    }
    avout__mem_reconnect_after(store, AVOUT_FOREVER);
    CHECK_OK(avout__mem_suspend(store));
    CHECK_OK(avout__mem_expire(store));
    CHECK_OK(avout__mem_reconnect(store));
    CHECK_OK(avout_ref_create(&x, client, "/x", avout_int(0), NULL));
    mine.let_go = true;
    TEST_AWAIT(mine.last == AVOUT_EVENT_REESTABLISHED);
    CHECK(mine.count < 2 * TIMES);
    avout_ref_close(x);
    suite_close(client);
    suite_check_memory();
}

/* ---- watches in the store -------------------------------------------------------------------------- */

static size_t armed(const world *w)
{
    avout__mem_counters counters;
    avout__mem_counters_of(w->store, &counters);
    return counters.armed;
}

TEST(a_closed_ref_leaves_no_watch_in_the_store)
{
    world w;
    world_open(&w);
    TEST_AWAIT(armed(&w) == 4);
    avout_ref *ref;
    CHECK_OK(avout_ref_create(&ref, w.client, "/more", avout_int(0), NULL));
    TEST_AWAIT(armed(&w) == 5);
    avout_ref_close(ref);
    /* The creation's transaction has it until it is freed. */
    TEST_AWAIT(!add_to(&w, w.x) && suite_ref_strict_int(w.y) == 0 && armed(&w) == 4);
    world_close(&w);
}

/* What is closed takes no room from what is open. */
TEST(closed_refs_leave_their_room_to_others)
{
    enum { TIMES = 100, ROOM = 600 };
    avout_client *first = suite_connect();
    avout__mem_limits(engine_store(0), 0, ROOM);
    world w = {.client = suite_connect()};
    CHECK_OK(avout_ref_create(&w.x, w.client, "/x", avout_int(0), NULL));
    CHECK_OK(avout_ref_create(&w.y, w.client, "/y", avout_int(0), NULL));
    for (int i = 0; i < TIMES; i++) {
        avout_ref *ref;
        char name[24];
        snprintf(name, sizeof name, "/closed-%d", i);
        CHECK_OK(avout_ref_create(&ref, w.client, name, avout_int(0), NULL));
        avout_ref_close(ref);
    }
    avout_statistics before, after;
    CHECK_INT(0, suite_ref_int(w.x) + suite_ref_int(w.y));
    avout_client_statistics(w.client, &before);
    for (int i = 0; i < TIMES; i++) CHECK_INT(0, suite_ref_int(w.x) + suite_ref_int(w.y));
    avout_client_statistics(w.client, &after);
    /* Both are in the cache, as soon as the last of the closed ones is gone. */
    CHECK(after.fetches - before.fetches < TIMES / 2);
    avout_ref_close(w.x);
    avout_ref_close(w.y);
    avout_close(w.client);
    suite_close(first);
    suite_check_memory();
}

/* ---- asynchronous transactions ------------------------------------------------------------------------ */

typedef struct job {
    world *w;
    _Atomic bool over;
    _Atomic int runs, hooks;
    int number;
    avout_status status;
    char detail[80];
} job;

static void job_ends(avout_status status, const char *detail, void *payload)
{
    job *mine = payload;
    mine->status = status;
    snprintf(mine->detail, sizeof mine->detail, "%s", detail);
    mine->over = true;
}

static void hook(void *payload)
{
    ((job *)payload)->hooks++;
}

static avout_status block(avout_txn *txn, void *payload)
{
    job *mine = payload;
    mine->runs++;
    return avout_retry(txn);
}

static avout_status add_with_hook(avout_txn *txn, void *payload)
{
    job *mine = payload;
    mine->runs++;
    avout_status status = avout_on_commit(txn, hook, mine);
    return status ? status : plus_one(txn, mine->w->x);
}

static void job_start(job *mine, avout_txn_fn body, int64_t timeout_ms)
{
    avout_call_options options = {.timeout_ms = timeout_ms};
    CHECK_OK(avout_dosync_async(mine->w->client, body, mine, &options, job_ends, mine));
}

TEST(each_job_ends_at_its_own_deadline)
{
    enum { JOBS = 5 };
    world w;
    world_open(&w);
    job jobs[JOBS];
    int64_t begin_ns = avout__now_ns();
    for (int i = 0; i < JOBS; i++) {
        jobs[i] = (job){.w = &w};
        job_start(&jobs[i], block, 20 + 20 * ((i + 2) % JOBS));
    }
    for (int i = 0; i < JOBS; i++) {
        TEST_AWAIT(jobs[i].over);
        CHECK_STATUS(AVOUT_ETIMEOUT, jobs[i].status);
    }
    CHECK(avout__now_ns() - begin_ns < (int64_t)SOON_MS * 1000000);
    world_close(&w);
}

TEST(a_job_that_waits_for_nothing_ends_with_the_client)
{
    world w;
    world_open(&w);
    job mine = {.w = &w};
    job_start(&mine, block, AVOUT_FOREVER);
    TEST_AWAIT(mine.runs);
    avout_close(w.client);
    CHECK(mine.over);
    CHECK_STATUS(AVOUT_ECLOSED, mine.status);
    w.client = NULL;
    avout_ref_close(w.x);
    avout_ref_close(w.y);
    avout_ref_close(w.z);
    avout_atom_close(w.atom);
    suite_check_memory();
}

TEST(hooks_of_a_job_that_did_not_commit_are_not_called)
{
    world w;
    world_open(&w);
    job refused = {.w = &w}, late = {.w = &w}, done = {.w = &w};
    engine_fault(w.store, (avout__mem_fault){.kind = AVOUT__MEM_FAIL,
                                             .multis = true,
                                             .path = "/avout/cells/x",
                                             .status = AVOUT_EPERM});
    job_start(&refused, add_with_hook, SOON_MS);
    TEST_AWAIT(refused.over);
    CHECK_STATUS(AVOUT_EPERM, refused.status);
    avout__mem_hold(w.store, AVOUT__MEM_REQUESTS);
    job_start(&late, add_with_hook, 40);
    TEST_AWAIT(late.over);
    CHECK_STATUS(AVOUT_UNKNOWN, late.status);
    avout__mem_release(w.store);
    job_start(&done, add_with_hook, SOON_MS);
    TEST_AWAIT(done.over);
    CHECK_OK(done.status);
    CHECK_INT(0, refused.hooks);
    CHECK_INT(0, late.hooks);
    CHECK_INT(1, done.hooks);
    world_close(&w);
}

static avout_status fail_with(avout_txn *txn, void *payload)
{
    job *mine = payload;
    int64_t seen;
    avout_status status = suite_txn_int(&seen, txn, mine->w->x);
    return status ? status : avout_fail(5, "job of %d", mine->number);
}

/* The error of one that saw what was not confirmed waits for that; others have theirs meanwhile. */
TEST(each_job_has_its_own_detail)
{
    world w;
    world_open(&w);
    job ahead = {.w = &w}, one = {.w = &w, .number = 1}, two = {.w = &w, .number = 2};
    avout__mem_hold(w.store, AVOUT__MEM_REQUESTS);
    job_start(&ahead, add_with_hook, 4 * SOON_MS);
    job_start(&one, fail_with, 4 * SOON_MS);
    job_start(&two, fail_with, 4 * SOON_MS);
    avout__mem_release(w.store);
    TEST_AWAIT(ahead.over && one.over && two.over);
    CHECK_OK(ahead.status);
    CHECK_STATUS(5, one.status);
    CHECK_STATUS(5, two.status);
    CHECK_TEXT("job of 1", one.detail);
    CHECK_TEXT("job of 2", two.detail);
    world_close(&w);
}

static uint64_t live(const world *w)
{
    avout_statistics all;
    avout_client_statistics(w->client, &all);
    return all.live;
}

/* Others have changed it while nobody here used it: it is not known, and not being fetched. */
TEST(a_job_fetches_what_it_reads)
{
    world w;
    world_open(&w);
    avout_client *other = suite_connect();
    avout_ref *x;
    CHECK_OK(avout_ref_open(&x, other, "/x"));
    for (int i = 0; live(&w) == 4; i++) {
        CHECK(i < 1000);
        CHECK_OK(avout_dosync(other, plus_one, x, NULL));
        CHECK_INT(0, suite_ref_strict_int(w.y)); /* what was asked before is answered */
    }
    job mine = {.w = &w};
    int64_t begin_ns = avout__now_ns();
    job_start(&mine, add_with_hook, 4 * SOON_MS);
    TEST_AWAIT(mine.over);
    CHECK_OK(mine.status);
    CHECK(avout__now_ns() - begin_ns < (int64_t)SOON_MS * 1000000);
    avout_ref_close(x);
    avout_close(other);
    world_close(&w);
}
