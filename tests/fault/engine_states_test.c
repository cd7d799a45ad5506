/* Which states a transaction may see and tell of: none that stands on what has failed, the newest where
 * that was asked for, the past as it was, and of two changes both or none (I4, I5, I6).
 * Test-tags: threads */
#include "engine_support.h"

enum { TIMEOUT_MS = 20000, SOON_MS = 5000 };

/* ---- on top of what is not confirmed ----------------------------------------------------------------------- */

typedef struct dependent {
    world *w;
    avout_isolation isolation;
    avout_status answer; /* of the body */
    bool writes;
    _Atomic int runs;
    int64_t saw, result;
    _Atomic bool over;
    avout_status status;
} dependent;

/* In its first run it waits until what it has read has failed. */
static avout_status read_what_fails(avout_txn *txn, void *payload)
{
    dependent *mine = payload;
    world *w = mine->w;
    avout_status status = AVOUT_OK;
    if (mine->writes) status = avout_ref_set(txn, w->y, avout_int(77));
    if (!status) status = suite_txn_int(&mine->saw, txn, w->x);
    if (status) return status;
    if (!mine->runs++) {
        CHECK_INT(1, mine->saw);
        avout__mem_release(w->store);
        TEST_AWAIT(w->ends == 1);
        CHECK_STATUS(AVOUT_EPERM, w->answer);
    }
    mine->result = mine->saw;
    return mine->answer;
}

static avout_status add_x(avout_txn *txn, void *payload)
{
    return plus_one(txn, ((world *)payload)->x);
}

static void *dependent_main(void *payload)
{
    dependent *mine = payload;
    avout_call_options options = {.timeout_ms = TIMEOUT_MS, .isolation = mine->isolation};
    mine->status = avout_dosync(mine->w->client, read_what_fails, mine, &options);
    mine->over = true;
    return NULL;
}

static void depend(avout_isolation isolation, avout_status answer, bool writes)
{
    world w;
    world_open(&w);
    engine_fault(w.store, (avout__mem_fault){.kind = AVOUT__MEM_FAIL,
                                             .multis = true,
                                             .path = "/avout/cells/x",
                                             .status = AVOUT_EPERM});
    avout__mem_hold(w.store, AVOUT__MEM_REQUESTS);
    uint64_t before = world_multis(&w);
    CHECK_OK(avout_dosync_async(w.client, add_x, &w, NULL, world_finish, &w));
    TEST_AWAIT(world_multis(&w) > before);
    dependent mine = {.w = &w, .isolation = isolation, .answer = answer, .writes = writes};
    dependent_main(&mine);
    CHECK_STATUS(answer, mine.status);
    CHECK_INT(2, mine.runs);
    CHECK_INT(0, mine.result); /* what it saw at first has never been */
    CHECK_INT(writes && !answer ? 77 : 0, suite_ref_int(w.y));
    world_close(&w);
}

TEST(nothing_comes_of_a_run_whose_base_has_failed)
{
    for (int isolation = AVOUT_SERIALIZABLE; isolation <= AVOUT_SNAPSHOT; isolation++)
        for (int answer = 0; answer <= 3; answer += 3)
            for (int writes = 0; writes < 2; writes++)
                depend((avout_isolation)isolation, answer, writes);
}

/* ---- strict reads ------------------------------------------------------------------------------------------- */

static avout_status read_strictly(avout_txn *txn, void *payload)
{
    dependent *mine = payload;
    return suite_txn_int(&mine->saw, txn, mine->w->x);
}

static void *read_strictly_main(void *payload)
{
    dependent *mine = payload;
    avout_call_options options = {
        .timeout_ms = TIMEOUT_MS, .isolation = mine->isolation, .strict = true};
    mine->status = avout_dosync(mine->w->client, read_strictly, mine, &options);
    mine->over = true;
    return NULL;
}

/* Somebody has changed it, and the event has not come. */
TEST(a_strict_read_is_fresh_under_either_isolation)
{
    for (int isolation = AVOUT_SERIALIZABLE; isolation <= AVOUT_SNAPSHOT; isolation++) {
        world w;
        world_open(&w);
        avout_client *other = suite_connect();
        avout_ref *x;
        CHECK_OK(avout_ref_open(&x, other, "/x"));
        CHECK_INT(0, suite_ref_int(w.x));
        avout__mem_hold(w.store, AVOUT__MEM_REPLIES);
        CHECK_OK(avout_dosync(other, plus_one, x, NULL));
        dependent mine = {.w = &w, .isolation = (avout_isolation)isolation};
        uint64_t before = world_multis(&w);
        pthread_t thread;
        CHECK(!pthread_create(&thread, NULL, read_strictly_main, &mine));
        TEST_AWAIT(mine.over || world_multis(&w) > before);
        avout__mem_release(w.store);
        pthread_join(thread, NULL);
        CHECK_OK(mine.status);
        CHECK_INT(1, mine.saw);
        avout_ref_close(x);
        avout_close(other);
        world_close(&w);
    }
}

static avout_status read_x(avout_txn *txn, void *payload)
{
    int64_t seen;
    return suite_txn_int(&seen, txn, ((world *)payload)->x);
}

static avout_status read_y(avout_txn *txn, void *payload)
{
    int64_t seen;
    return suite_txn_int(&seen, txn, ((world *)payload)->y);
}

/* It has changed nothing, whatever became of it. */
TEST(a_strict_read_without_an_answer_is_not_of_unknown_outcome)
{
    world w;
    world_open(&w);
    avout__mem_hold(w.store, AVOUT__MEM_REPLIES);
    avout_call_options soon = {.timeout_ms = 40, .strict = true};
    CHECK_STATUS(AVOUT_ETIMEOUT, avout_dosync(w.client, read_x, &w, &soon));
    CHECK_OK(avout_dosync_async(w.client, read_y, &w, &soon, world_finish, &w));
    TEST_AWAIT(w.ends);
    CHECK_STATUS(AVOUT_ETIMEOUT, w.answer);
    avout__mem_release(w.store);
    world_close(&w);
}

/* ---- size ------------------------------------------------------------------------------------------------------ */

enum { REFS = 40 };

/* Large values go elsewhere (chunks.c); these are small, and too many. */
static avout_status set_many(avout_txn *txn, void *payload)
{
    avout_ref **refs = payload;
    avout_status status = AVOUT_OK;
    for (int i = 0; !status && i < REFS; i++)
        status = avout_ref_set(txn, refs[i], avout_string("small"));
    return status;
}

TEST(what_cannot_fit_is_not_sent)
{
    avout_client *first = suite_connect();
    avout__mem_limits(engine_store(0), 5000, 0);
    world w;
    memset(&w, 0, sizeof w);
    w.client = suite_connect();
    avout_ref *refs[REFS];
    for (int i = 0; i < REFS; i++) {
        char name[16];
        snprintf(name, sizeof name, "/x%d", i);
        CHECK_OK(avout_ref_create(&refs[i], w.client, name, avout_int(0), NULL));
    }
    uint64_t before = world_multis(&w);
    CHECK_STATUS(AVOUT_ELIMIT, avout_dosync(w.client, set_many, refs, NULL));
    CHECK_CONTAINS("/x", avout_error_detail());
    CHECK_CONTAINS("(this value 7)", avout_error_detail());
    CHECK_CONTAINS("5000", avout_error_detail());
    CHECK_INT(before, world_multis(&w));
    CHECK_INT(0, suite_ref_int(refs[0]));
    for (int i = 0; i < REFS; i++) avout_ref_close(refs[i]);
    avout_close(w.client);
    suite_close(first);
    suite_check_memory();
}

/* ---- the past ---------------------------------------------------------------------------------------------------- */

typedef struct history {
    world *w;
    avout_ref *c, *d; /* local, and always equal */
    _Atomic int runs, later_runs;
    _Atomic bool registered, let_go;
} history;

static avout_status add_to_c_and_d(avout_txn *txn, void *payload)
{
    history *mine = payload;
    avout_status status = plus_one(txn, mine->c);
    return status ? status : plus_one(txn, mine->d);
}

/* A transaction that was thrown away once has what it may need kept. This one needs what is oldest. */
static avout_status stay_in_the_past(avout_txn *txn, void *payload)
{
    history *mine = payload;
    if (!mine->runs++) return AVOUT_RETRY;
    int64_t c, d;
    avout_status status = suite_txn_int(&c, txn, mine->c);
    mine->registered = true;
    TEST_AWAIT(mine->let_go);
    if (!status) status = suite_txn_int(&d, txn, mine->d);
    if (!status) CHECK_INT(c, d);
    if (!status) CHECK_INT(0, c);
    return status;
}

static void *stay_main(void *payload)
{
    history *mine = payload;
    CHECK_OK(avout_dosync(mine->w->client, stay_in_the_past, mine, NULL));
    return NULL;
}

/* What is closed takes along what was kept of it. */
static void change_and_close(world *w)
{
    avout_ref *brief;
    CHECK_OK(avout_ref_local(&brief, w->client, avout_int(0)));
    for (int i = 0; i < 3; i++) CHECK_OK(add_to(w, brief));
    avout_ref_close(brief);
}

static void *change_c_and_d(void *payload)
{
    history *mine = payload;
    change_and_close(mine->w);
    CHECK_OK(avout_dosync(mine->w->client, add_to_c_and_d, mine, NULL));
    return NULL;
}

static avout_status read_later_past(avout_txn *txn, void *payload)
{
    history *mine = payload;
    if (!mine->later_runs++) return AVOUT_RETRY;
    int64_t c, d;
    avout_status status = suite_txn_int(&d, txn, mine->d);
    pthread_t changing;
    CHECK(!pthread_create(&changing, NULL, change_c_and_d, mine));
    CHECK(!pthread_join(changing, NULL));
    if (!status) status = suite_txn_int(&c, txn, mine->c);
    if (!status) CHECK_INT(d, c); /* I4: not what the other one needs */
    if (!status) CHECK_INT(1, c);
    return status;
}

TEST(two_read_at_different_points_of_the_past)
{
    world w;
    world_open(&w);
    history mine = {.w = &w};
    CHECK_OK(avout_ref_local(&mine.c, w.client, avout_int(0)));
    CHECK_OK(avout_ref_local(&mine.d, w.client, avout_int(0)));
    pthread_t staying;
    CHECK(!pthread_create(&staying, NULL, stay_main, &mine));
    TEST_AWAIT(mine.registered);
    change_c_and_d(&mine);
    CHECK_OK(avout_dosync(w.client, read_later_past, &mine, NULL));
    CHECK_INT(2, mine.later_runs); /* neither had to begin again */
    mine.let_go = true;
    pthread_join(staying, NULL);
    CHECK_INT(2, mine.runs);
    CHECK_INT(2, suite_ref_int(mine.c));
    avout_ref_close(mine.c);
    avout_ref_close(mine.d);
    world_close(&w);
}

/* ---- states that change while they are read --------------------------------------------------------------------- */

typedef struct reader {
    avout_client *client;
    avout_ref *first, *second; /* written together; the first before the second in a batch */
    bool local;
    pthread_t thread;
    int64_t looks;
} reader;

static _Atomic bool over;

static avout_status read_both(avout_txn *txn, void *payload)
{
    reader *mine = payload;
    int64_t first, second;
    avout_status status = suite_txn_int(&first, txn, mine->first);
    if (!status) status = suite_txn_int(&second, txn, mine->second);
    if (!status) CHECK_INT(first, second); /* I4 */
    return status;
}

static int64_t peeked(avout_ref *ref)
{
    avout_value value = avout_ref_peek(ref);
    int64_t number = -1;
    if (!avout_is_none(value)) CHECK_OK(avout_value_to_int(&number, value));
    return number;
}

/* What is looked at later is not older: all that is shown is one cut (I5, I6). */
static void peek_both(const reader *mine)
{
    avout_guard_enter();
    int64_t before = peeked(mine->first), then = peeked(mine->second), after = peeked(mine->first);
    avout_guard_leave();
    if (before >= 0 && then >= 0) CHECK(then >= before);
    if (then >= 0 && after >= 0) CHECK(after >= then);
}

static void *read_main(void *payload)
{
    reader *mine = payload;
    while (!over) {
        CHECK_OK(avout_dosync(mine->client, read_both, mine, NULL));
        for (int i = 0; i < 20; i++) peek_both(mine);
        avout_value value;
        CHECK_OK(avout_ref_deref_within(&value, mine->second, SOON_MS));
        avout_release(value);
        mine->looks++;
    }
    return NULL;
}

/* Waits whenever the newest state is on its way, and is woken each time. */
static void *deref_main(void *payload)
{
    reader *mine = payload;
    while (!over) {
        avout_value value;
        CHECK_OK(avout_ref_deref_within(&value, mine->first, SOON_MS));
        avout_release(value);
    }
    return NULL;
}

static avout_status write_both(avout_txn *txn, void *payload)
{
    reader *mine = payload;
    avout_status status = plus_one(txn, mine->first);
    return status ? status : plus_one(txn, mine->second);
}

/* For half a second each, over local refs and over refs in the store. */
TEST(readers_see_both_of_two_changes_or_none)
{
    world w;
    world_open(&w);
    for (int local = 0; local < 2; local++) {
        reader mine = {.client = w.client, .first = w.x, .second = w.y, .local = local};
        if (local) {
            CHECK_OK(avout_ref_local(&mine.first, w.client, avout_int(0)));
            CHECK_OK(avout_ref_local(&mine.second, w.client, avout_int(0)));
        }
        over = false;
        pthread_t dereferencing;
        CHECK(!pthread_create(&mine.thread, NULL, read_main, &mine));
        CHECK(!pthread_create(&dereferencing, NULL, deref_main, &mine));
        int64_t end_ns = avout__deadline_in_ms(500), writes = 0;
        for (; avout__now_ns() < end_ns; writes++)
            CHECK_OK(avout_dosync(w.client, write_both, &mine, NULL));
        over = true;
        pthread_join(mine.thread, NULL);
        pthread_join(dereferencing, NULL);
        fprintf(stderr, "# %d looks at %d writes\n", (int)mine.looks, (int)writes);
        if (!local) continue;
        avout_ref_close(mine.first);
        avout_ref_close(mine.second);
    }
    world_close(&w);
}

enum { READERS = 4, WRITERS = 2, PARTS = 8 };

typedef struct crowd {
    avout_client *client;
    avout_ref *parts[PARTS]; /* local, and always equal */
    _Atomic int64_t looks, writes;
} crowd;

static avout_status read_parts(avout_txn *txn, void *payload)
{
    crowd *all = payload;
    int64_t first, next;
    avout_status status = suite_txn_int(&first, txn, all->parts[0]);
    for (int i = 1; !status && i < PARTS; i++) {
        status = suite_txn_int(&next, txn, all->parts[i]);
        if (!status) CHECK_INT(first, next); /* I4 */
    }
    return status;
}

static avout_status write_parts(avout_txn *txn, void *payload)
{
    crowd *all = payload;
    avout_status status = AVOUT_OK;
    for (int i = 0; !status && i < PARTS; i++) status = plus_one(txn, all->parts[i]);
    return status;
}

static void *read_parts_main(void *payload)
{
    crowd *all = payload;
    for (; !over; all->looks++) CHECK_OK(avout_dosync(all->client, read_parts, all, NULL));
    return NULL;
}

static void *write_parts_main(void *payload)
{
    crowd *all = payload;
    for (; !over; all->writes++) CHECK_OK(avout_dosync(all->client, write_parts, all, NULL));
    return NULL;
}

/* More threads than processors: some are stopped between looking at the counter and reading. */
TEST(a_reader_that_is_stopped_in_the_middle_sees_one_state)
{
    world w;
    world_open(&w);
    crowd all = {.client = w.client};
    pthread_t threads[READERS + WRITERS];
    for (int i = 0; i < PARTS; i++)
        CHECK_OK(avout_ref_local(&all.parts[i], w.client, avout_int(0)));
    over = false;
    for (int i = 0; i < READERS + WRITERS; i++)
        CHECK(!pthread_create(&threads[i], NULL, i < READERS ? read_parts_main : write_parts_main,
                              &all));
    test_pause_ms(400); /* meanwhile they are stopped anywhere */
    over = true;
    for (int i = 0; i < READERS + WRITERS; i++) pthread_join(threads[i], NULL);
    fprintf(stderr, "# %d looks at %d writes\n", (int)all.looks, (int)all.writes);
    for (int i = 0; i < PARTS; i++) avout_ref_close(all.parts[i]);
    world_close(&w);
}
