/* Transactions that travel together: one of them is refused, fails for good, is too large, comes too
 * late or is given up, and the others are as if it had travelled alone (I2, I3). And what waits for a
 * change, through the end of a session (I7, I12).
 * Test-tags: threads */
#include "engine_support.h"

/* ---- transactions of one group ------------------------------------------------------------------ */

enum { BUSY = 4, TIMEOUT_MS = 20000 }; /* BUSY: as many groups as can be on their way */

/* One asynchronous transaction over up to two refs. */
typedef struct member {
    avout_ref *first, *second;
    avout_ref *looked_at; /* read only */
    _Atomic int runs;
    int64_t saw; /* first, in the last run */
    _Atomic bool over;
    avout_status status;
    char detail[200];
} member;

static avout_status add_one_each(avout_txn *txn, void *payload)
{
    member *m = payload;
    avout_status status = suite_txn_int(&m->saw, txn, m->first);
    m->runs += !status; /* a run that has to wait for a state to be fetched does not count */
    int64_t seen;
    if (!status && m->looked_at) status = suite_txn_int(&seen, txn, m->looked_at);
    if (!status) status = plus_one(txn, m->first);
    if (!status && m->second) status = plus_one(txn, m->second);
    return status;
}

static void member_ends(avout_status status, const char *detail, void *payload)
{
    member *m = payload;
    m->status = status;
    snprintf(m->detail, sizeof m->detail, "%s", detail);
    m->over = true;
}

static void member_start_within(member *m, world *w, int64_t timeout_ms)
{
    avout_call_options options = {.timeout_ms = timeout_ms};
    CHECK_OK(avout_dosync_async(w->client, add_one_each, m, &options, member_ends, m));
}

static void member_start(member *m, world *w)
{
    member_start_within(m, w, TIMEOUT_MS);
}

static void member_check(member *m, avout_status status, int most_runs)
{
    TEST_AWAIT(m->over);
    if (m->status != status)
        test_failed(__FILE__, __LINE__, "%s (%s), expected %s", avout_status_name(m->status),
                    m->detail, avout_status_name(status));
    if (m->runs > most_runs)
        test_failed(__FILE__, __LINE__, "%s: %d runs, expected %d", avout_ref_name(m->first),
                    m->runs, most_runs);
}

/* While as many groups are held on their way as can be, what is committed gathers in the next. */
typedef struct crowd {
    avout_client *witness;
    world w;
    avout_ref *busy_refs[BUSY];
    member busy[BUSY];
    avout_statistics before;
} crowd;

static avout_statistics statistics(avout_client *client)
{
    avout_statistics all;
    avout_client_statistics(client, &all);
    return all;
}

static void crowd_open(crowd *c, size_t max_request)
{
    memset(c, 0, sizeof *c);
    c->witness = suite_connect();
    if (max_request) avout__mem_limits(engine_store(0), max_request, 0);
    world *w = &c->w;
    w->client = suite_connect();
    w->store = engine_store(1);
    CHECK_OK(avout_ref_create(&w->x, w->client, "/x", avout_int(0), NULL));
    CHECK_OK(avout_ref_create(&w->y, w->client, "/y", avout_int(0), NULL));
    CHECK_OK(avout_ref_create(&w->z, w->client, "/z", avout_int(0), NULL));
    CHECK_OK(avout_atom_create(&w->atom, w->client, "/atom", avout_int(0), NULL));
    for (int i = 0; i < BUSY; i++) {
        char name[24];
        snprintf(name, sizeof name, "/busy-%d", i);
        CHECK_OK(avout_ref_create(&c->busy_refs[i], w->client, name, avout_int(0), NULL));
    }
}

static void crowd_hold(crowd *c)
{
    avout_statistics now = c->before = statistics(c->w.client);
    avout__mem_hold(c->w.store, AVOUT__MEM_REQUESTS);
    for (int i = 0; i < BUSY; i++) {
        c->busy[i] = (member){.first = c->busy_refs[i]};
        member_start(&c->busy[i], &c->w);
        TEST_AWAIT((now = statistics(c->w.client)).multis == c->before.multis + (uint64_t)i + 1);
    }
}

/* Once all have committed here; the executor runs them in the order in which they were started. */
static void crowd_release(crowd *c, member *last)
{
    TEST_AWAIT(last->runs);
    member behind = {.first =
                         c->busy_refs[0]}; /* its run says that the last one's commit is done */
    member_start(&behind, &c->w);
    TEST_AWAIT(behind.runs);
    avout__mem_release(c->w.store);
    TEST_AWAIT(behind.over);
    CHECK_OK(behind.status);
    for (int i = 0; i < BUSY; i++) member_check(&c->busy[i], AVOUT_OK, 1);
}

static void crowd_close(crowd *c)
{
    for (int i = 0; i < BUSY; i++) avout_ref_close(c->busy_refs[i]);
    avout_ref_close(c->w.x);
    avout_ref_close(c->w.y);
    avout_ref_close(c->w.z);
    avout_atom_close(c->w.atom);
    avout_close(c->w.client);
    suite_close(c->witness);
    suite_check_memory();
}

static int64_t witnessed(crowd *c, const char *name)
{
    avout_ref *ref;
    CHECK_OK(avout_ref_open(&ref, c->witness, name));
    int64_t number = suite_ref_strict_int(ref);
    avout_ref_close(ref);
    return number;
}

static void check_world(crowd *c, int64_t x, int64_t y, int64_t z)
{
    CHECK_INT(x, witnessed(c, "/x"));
    CHECK_INT(y, witnessed(c, "/y"));
    CHECK_INT(z, witnessed(c, "/z"));
    CHECK_INT(x, suite_ref_int(c->w.x));
    CHECK_INT(y, suite_ref_int(c->w.y));
    CHECK_INT(z, suite_ref_int(c->w.z));
}

TEST(what_gathers_travels_together)
{
    crowd c;
    crowd_open(&c, 0);
    crowd_hold(&c);
    member all[] = {{.first = c.w.x}, {.first = c.w.y}, {.first = c.w.x, .second = c.w.z}};
    for (int i = 0; i < 3; i++) member_start(&all[i], &c.w);
    crowd_release(&c, &all[2]);
    for (int i = 0; i < 3; i++) member_check(&all[i], AVOUT_OK, 1);
    CHECK_INT(1, all[2].saw); /* it stands on the first */
    /* The group, and the one behind the first of the busy: perhaps in one. */
    CHECK(statistics(c.w.client).multis <= c.before.multis + BUSY + 2);
    check_world(&c, 2, 1, 1);
    crowd_close(&c);
}

/* x is refused: who touched it, who stands on one of those, and who has nothing to do with either. */
typedef struct company {
    member on_x, innocent, on_both, behind_both, innocent_too;
} company;

static void company_start(company *all, crowd *c)
{
    *all = (company){.on_x = {.first = c->w.x},
                     .innocent = {.first = c->w.y},
                     .on_both = {.first = c->w.x, .second = c->w.z},
                     .behind_both = {.first = c->w.z},
                     .innocent_too = {.first = c->w.y}};
    member_start(&all->on_x, &c->w);
    member_start(&all->innocent, &c->w);
    member_start(&all->on_both, &c->w);
    member_start(&all->behind_both, &c->w);
    member_start(&all->innocent_too, &c->w);
}

TEST(a_conflict_runs_those_again_that_it_concerns)
{
    crowd c;
    company all;
    crowd_open(&c, 0);
    crowd_hold(&c);
    company_start(&all, &c);
    engine_fault(c.w.store, (avout__mem_fault){.kind = AVOUT__MEM_FAIL,
                                               .multis = true,
                                               .path = "/avout/cells/x",
                                               .status = AVOUT_EVERSION});
    crowd_release(&c, &all.innocent_too);
    /* Who finds that nothing has changed after all commits again without a run. */
    member_check(&all.on_x, AVOUT_OK, 2);
    member_check(&all.on_both, AVOUT_OK, 2);
    member_check(&all.behind_both, AVOUT_OK, 2);
    member_check(&all.innocent, AVOUT_OK, 1);
    member_check(&all.innocent_too, AVOUT_OK, 1);
    CHECK_INT(c.before.refused + 1, statistics(c.w.client).refused);
    check_world(&c, 2, 2, 2);
    crowd_close(&c);
}

TEST(a_lasting_error_reaches_those_who_touched_the_node)
{
    static const avout_status lasting[] = {AVOUT_EPERM, AVOUT_ENOSPACE, AVOUT_ELIMIT};
    for (size_t i = 0; i < sizeof lasting / sizeof *lasting; i++) {
        crowd c;
        company all;
        crowd_open(&c, 0);
        crowd_hold(&c);
        company_start(&all, &c);
        engine_fault(c.w.store, (avout__mem_fault){.kind = AVOUT__MEM_FAIL,
                                                   .multis = true,
                                                   .path = "/avout/cells/x",
                                                   .status = lasting[i]});
        crowd_release(&c, &all.innocent_too);
        member_check(&all.on_x, lasting[i], 1);
        member_check(&all.on_both, lasting[i], 1);
        CHECK_CONTAINS("/x", all.on_x.detail);
        CHECK_CONTAINS("/x", all.on_both.detail);
        member_check(&all.behind_both, AVOUT_OK, 2);
        CHECK_INT(0, all.behind_both.saw); /* as if what it had seen had never been */
        member_check(&all.innocent, AVOUT_OK, 1);
        member_check(&all.innocent_too, AVOUT_OK, 1);
        CHECK_INT(c.before.refused, statistics(c.w.client).refused);
        check_world(&c, 0, 2, 1);
        crowd_close(&c);
    }
}

static char large_text[3000];

static avout_status set_large(avout_txn *txn, void *payload)
{
    member *m = payload;
    m->runs++;
    return avout_ref_set(txn, m->first, avout_string_n(large_text, sizeof large_text));
}

/* The store's limit is for all that travel in a multi: a group beyond it is sent in parts. */
TEST(a_group_too_large_for_one_multi_is_split)
{
    enum { MEMBERS = 12, LIMIT = 10000, AT_ONCE = 2 };
    crowd c;
    crowd_open(&c, LIMIT);
    avout_ref *refs[MEMBERS];
    memset(large_text, 'a', sizeof large_text);
    for (int i = 0; i < MEMBERS; i++) {
        char name[24];
        snprintf(name, sizeof name, "/large-%d", i);
        CHECK_OK(avout_ref_create(&refs[i], c.w.client, name, avout_int(0), NULL));
    }
    crowd_hold(&c);
    member all[MEMBERS];
    for (int i = 0; i < MEMBERS; i++) {
        all[i] = (member){.first = refs[i]};
        CHECK_OK(avout_dosync_async(c.w.client, set_large, &all[i], NULL, member_ends, &all[i]));
    }
    crowd_release(&c, &all[MEMBERS - 1]);
    for (int i = 0; i < MEMBERS; i++) member_check(&all[i], AVOUT_OK, 1);
    uint64_t multis = statistics(c.w.client).multis - c.before.multis - BUSY;
    fprintf(stderr, "# %d multis for %d transactions\n", (int)multis, MEMBERS);
    CHECK(multis <= MEMBERS / AT_ONCE + 1);
    for (int i = 0; i < MEMBERS; i++) {
        char name[24];
        avout_ref *seen;
        avout_value value;
        snprintf(name, sizeof name, "/large-%d", i);
        CHECK_OK(avout_ref_open(&seen, c.witness, name));
        CHECK_OK(avout_ref_deref(&value, seen));
        CHECK_INT(AVOUT_TYPE_STRING, avout_value_type(value));
        avout_release(value);
        avout_ref_close(seen);
        avout_ref_close(refs[i]);
    }
    crowd_close(&c);
}

/* ---- deadlines -------------------------------------------------------------------------------------- */

/* One waits behind a group that is on its way until its deadline; another stands on it. */
TEST(withdrawn_at_its_deadline_before_it_was_sent)
{
    crowd c;
    crowd_open(&c, 0);
    avout__mem_hold(c.w.store, AVOUT__MEM_REQUESTS);
    member ahead = {.first = c.w.x}, late = {.first = c.w.x, .second = c.w.y};
    member behind = {.first = c.w.y, .second = c.w.z};
    member_start(&ahead, &c.w);
    member_start_within(&late, &c.w, 60);
    member_start(&behind, &c.w);
    TEST_AWAIT(late.over);
    CHECK(!ahead.over);
    avout__mem_release(c.w.store);
    member_check(&ahead, AVOUT_OK, 1);
    member_check(&late, AVOUT_ETIMEOUT, 1);
    member_check(&behind, AVOUT_OK, 2);
    CHECK_INT(0, behind.saw);
    check_world(&c, 1, 1, 1);
    crowd_close(&c);
}

/* The same on threads of the callers'. */
typedef struct caller {
    world *w;
    member m;
    int64_t timeout_ms;
    pthread_t thread;
} caller;

static void *call_dosync(void *payload)
{
    caller *mine = payload;
    avout_call_options options = {.timeout_ms = mine->timeout_ms};
    avout_status status = avout_dosync(mine->w->client, add_one_each, &mine->m, &options);
    member_ends(status, avout_error_detail(), &mine->m);
    return NULL;
}

static void caller_start(caller *mine)
{
    CHECK(!pthread_create(&mine->thread, NULL, call_dosync, mine));
}

/* What it had only looked at was kept from others: they travel as soon as it is withdrawn. */
static avout_status look_at_x(avout_txn *txn, void *payload)
{
    member *m = payload;
    avout_status status = suite_txn_int(&m->saw, txn, m->first);
    return status ? status : avout_fail(9, "only looked");
}

/* Waits until x is so for transactions: until who makes it so has committed here. */
static void await_pending_x(crowd *c, int64_t wanted)
{
    member look = {.first = c->w.x};
    avout_call_options brief = {.timeout_ms = 2};
    while (look.saw != wanted) CHECK(avout_dosync(c->w.client, look_at_x, &look, &brief));
}

static void withdraw_in_front(bool asynchronous)
{
    crowd c;
    crowd_open(&c, 0);
    c.before = statistics(c.w.client);
    avout__mem_hold(c.w.store, AVOUT__MEM_REQUESTS);
    member ahead = {.first = c.w.x}, behind = {.first = c.w.z};
    caller late = {&c.w, {.first = c.w.x, .looked_at = c.w.z}, 200, 0};
    member_start(&ahead, &c.w);
    await_pending_x(&c, 1);
    if (asynchronous) member_start_within(&late.m, &c.w, late.timeout_ms);
    else caller_start(&late);
    await_pending_x(&c, 2);
    member_start(&behind, &c.w);
    TEST_AWAIT(late.m.over);
    if (!asynchronous) pthread_join(late.thread, NULL);
    TEST_AWAIT(statistics(c.w.client).multis == c.before.multis + 2);
    avout__mem_release(c.w.store);
    member_check(&ahead, AVOUT_OK, 1);
    member_check(&late.m, AVOUT_ETIMEOUT, 1);
    member_check(&behind, AVOUT_OK, 1);
    check_world(&c, 1, 0, 1);
    crowd_close(&c);
}

TEST(withdrawn_it_stands_in_nobodys_way)
{
    withdraw_in_front(false);
    withdraw_in_front(true);
}

TEST(a_caller_withdraws_at_its_deadline)
{
    crowd c;
    crowd_open(&c, 0);
    avout__mem_hold(c.w.store, AVOUT__MEM_REQUESTS);
    caller ahead = {&c.w, {.first = c.w.x}, TIMEOUT_MS, 0};
    caller late = {&c.w, {.first = c.w.x, .second = c.w.y}, 60, 0};
    caller_start(&ahead);
    TEST_AWAIT(avout__mem_wait_held(c.w.store, avout__deadline_in_ms(10)));
    caller_start(&late);
    pthread_join(late.thread, NULL);
    member_check(&late.m, AVOUT_ETIMEOUT, 1);
    CHECK_CONTAINS("nothing was changed", late.m.detail);
    avout__mem_release(c.w.store);
    pthread_join(ahead.thread, NULL);
    member_check(&ahead.m, AVOUT_OK, 1);
    check_world(&c, 1, 0, 0);
    /* No connection: the same. */
    avout__mem_reconnect_after(c.w.store, AVOUT_FOREVER);
    CHECK_OK(avout__mem_suspend(c.w.store));
    caller away = {&c.w, {.first = c.w.x}, 60, 0};
    caller_start(&away);
    pthread_join(away.thread, NULL);
    member_check(&away.m, AVOUT_ETIMEOUT, 1);
    CHECK_CONTAINS("no connection", away.m.detail);
    CHECK_OK(avout__mem_reconnect(c.w.store));
    CHECK_OK(add_to(&c.w, c.w.z));
    check_world(&c, 1, 0, 1);
    crowd_close(&c);
}

/* Given up while its group was on its way, without a connection: the outcome is settled later, and when
 * it has not happened it does not happen then. */
static void give_up_under_way(avout__mem_fault fault, bool asynchronous, int64_t happened)
{
    crowd c;
    crowd_open(&c, 0);
    avout__mem_reconnect_after(c.w.store, AVOUT_FOREVER);
    fault.multis = true;
    fault.path = "/avout/cells/x";
    engine_fault(c.w.store, fault);
    caller given_up = {&c.w, {.first = c.w.x, .second = c.w.y}, 60, 0};
    caller stays = {&c.w, {.first = c.w.y, .second = c.w.z}, TIMEOUT_MS, 0};
    if (asynchronous) member_start_within(&given_up.m, &c.w, 60);
    else caller_start(&given_up);
    TEST_AWAIT(!avout__mem_faults_left(c.w.store));
    caller_start(&stays);
    TEST_AWAIT(given_up.m.over);
    member_check(&given_up.m, AVOUT_UNKNOWN, 1);
    if (!asynchronous) pthread_join(given_up.thread, NULL);
    CHECK(!stays.m.over);
    CHECK_OK(avout__mem_reconnect(c.w.store));
    pthread_join(stays.thread, NULL);
    CHECK_OK(stays.m.status);
    CHECK_INT(happened, stays.m.saw);
    check_world(&c, happened, happened + 1, 1);
    avout__mem_release_late(c.w.store);
    check_world(&c, happened, happened + 1, 1);
    crowd_close(&c);
}

TEST(given_up_under_way_it_does_not_travel_again)
{
    for (int asynchronous = 0; asynchronous < 2; asynchronous++) {
        give_up_under_way((avout__mem_fault){.kind = AVOUT__MEM_LOSE_BEFORE}, asynchronous, 0);
        give_up_under_way((avout__mem_fault){.kind = AVOUT__MEM_LOSE_LATE}, asynchronous, 0);
        give_up_under_way((avout__mem_fault){.kind = AVOUT__MEM_EXPIRE_BEFORE}, asynchronous, 0);
        give_up_under_way((avout__mem_fault){.kind = AVOUT__MEM_LOSE_AFTER}, asynchronous, 1);
        give_up_under_way((avout__mem_fault){.kind = AVOUT__MEM_EXPIRE_AFTER}, asynchronous, 1);
    }
}

/* ---- waiting through the end of a session --------------------------------------------------------------- */

typedef struct waiting {
    world *w;
    _Atomic int runs;
    _Atomic int64_t told;
    _Atomic bool over;
    int64_t until;
} waiting;

static avout_status wait_until(avout_txn *txn, void *payload)
{
    waiting *mine = payload;
    int64_t seen;
    avout_status status = suite_txn_int(&seen, txn, mine->w->x);
    if (!status && seen < mine->until) {
        mine->runs++;
        return avout_retry(txn);
    }
    return status ? status : avout_alter(txn, mine->w->y, suite_plus, &suite_one);
}

static void *block_until(void *payload)
{
    waiting *mine = payload;
    avout_call_options options = {.timeout_ms = TIMEOUT_MS};
    CHECK_OK(avout_dosync(mine->w->client, wait_until, mine, &options));
    mine->over = true;
    return NULL;
}

static void waiting_ends(avout_status status, const char *detail, void *payload)
{
    if (status) test_failed(__FILE__, __LINE__, "%s (%s)", avout_status_name(status), detail);
    ((waiting *)payload)->over = true;
}

static void note_told(const char *key, avout_value old_value, avout_value new_value, void *payload)
{
    (void)key;
    waiting *mine = payload;
    int64_t before, after;
    CHECK_OK(avout_value_to_int(&before, old_value));
    CHECK_OK(avout_value_to_int(&after, new_value));
    CHECK_INT(mine->told, before);
    CHECK(after > before);
    mine->told = after;
}

/* The change comes while there is no session (`away`), or when there is a new one. */
static void wait_through_expiry(bool away)
{
    crowd c;
    crowd_open(&c, 0);
    waiting blocked = {.w = &c.w, .until = 1}, job = {.w = &c.w, .until = 1}, watched = {.w = &c.w};
    CHECK_OK(avout_ref_add_watch(c.w.x, "k", note_told, &watched, NULL));
    pthread_t thread;
    CHECK(!pthread_create(&thread, NULL, block_until, &blocked));
    avout_call_options options = {.timeout_ms = TIMEOUT_MS};
    CHECK_OK(avout_dosync_async(c.w.client, wait_until, &job, &options, waiting_ends, &job));
    TEST_AWAIT(blocked.runs && job.runs);
    avout_ref *other;
    CHECK_OK(avout_ref_open(&other, c.witness, "/x"));
    if (away) avout__mem_reconnect_after(c.w.store, AVOUT_FOREVER);
    CHECK_OK(avout__mem_expire(c.w.store));
    CHECK_OK(avout_dosync(c.witness, plus_one, other, NULL));
    if (away) {
        CHECK(!blocked.over && !job.over && !watched.told);
        CHECK_OK(avout__mem_reconnect(c.w.store));
    }
    TEST_AWAIT(watched.told == 1);
    TEST_AWAIT(job.over);
    CHECK(!pthread_join(thread, NULL));
    /* And of the next change, when the session has long been another. */
    CHECK_OK(avout_dosync(c.witness, plus_one, other, NULL));
    TEST_AWAIT(watched.told == 2);
    avout_ref_close(other);
    check_world(&c, 2, 2, 0);
    crowd_close(&c);
}

TEST(blocked_and_watching_through_the_end_of_a_session)
{
    for (int i = 0; i < 10; i++) wait_through_expiry(false);
    wait_through_expiry(true);
}
