/* The ways to a torn state (I4), each with its faults written down: somebody else's change that comes
 * between a multi and the gets behind it, with or without another batch sent meanwhile; a batch that is found committed, or without effect, after the
 * connection was lost, when what it and its successors stand on has changed meanwhile.
 *
 * x + y + z is 0 in every state. */
#include "engine_support.h"
#include "stm/handles.h"

#define X_PATH "/avout/cells/x"
#define Y_PATH "/avout/cells/y"

typedef struct scene {
    avout_client *near, *far;
    avout_store *store; /* near's */
    avout_ref *refs[3], *far_refs[3];
    _Atomic int64_t seen[3]; /* by the last look */
    _Atomic int looks;
} scene;

static const char *const names[3] = {"/x", "/y", "/z"};

static void scene_open(scene *s)
{
    memset(s, 0, sizeof *s);
    s->near = suite_connect();
    s->far = suite_connect();
    s->store = engine_store(0);
    for (int i = 0; i < 3; i++) {
        CHECK_OK(avout_ref_create(&s->refs[i], s->near, names[i], avout_int(0), NULL));
        CHECK_OK(avout_ref_open(&s->far_refs[i], s->far, names[i]));
        CHECK_INT(0, suite_ref_int(s->refs[i]));
        CHECK_INT(0, suite_ref_int(s->far_refs[i]));
    }
}

static void scene_close(scene *s)
{
    for (int i = 0; i < 3; i++) {
        avout_ref_close(s->refs[i]);
        avout_ref_close(s->far_refs[i]);
    }
    suite_close(s->near);
    suite_close(s->far);
    suite_check_memory();
}

/* ---- transactions --------------------------------------------------------------------------- */

typedef struct transfer {
    avout_client *client;
    avout_ref *from, *to;
    int64_t amount;
    pthread_t thread;
    _Atomic int runs;
} transfer;

static avout_status move(avout_txn *txn, void *payload)
{
    transfer *t = payload;
    int64_t back = -t->amount;
    avout_status status = avout_alter(txn, t->from, suite_plus, &back);
    if (!status) status = avout_alter(txn, t->to, suite_plus, &t->amount);
    atomic_fetch_add(&t->runs, 1);
    return status;
}

static void *run_move(void *payload)
{
    transfer *t = payload;
    CHECK_OK(avout_dosync(t->client, move, t, &(avout_call_options){.timeout_ms = 20000}));
    return NULL;
}

static void begin(transfer *t)
{
    CHECK(!pthread_create(&t->thread, NULL, run_move, t));
}

static void end(transfer *t)
{
    pthread_join(t->thread, NULL);
}

/* Something of the client's is on its way to the store. */
static bool is_sending(avout_client *client)
{
    avout__stm *stm = client->stm;
    avout__stm_lock(stm);
    bool sending = !avout__list_empty(&stm->batches);
    avout__stm_unlock(stm);
    return sending;
}

static avout_status look(avout_txn *txn, void *payload)
{
    scene *s = payload;
    int64_t numbers[3];
    for (int i = 0; i < 3; i++) {
        avout_status status = suite_txn_int(&numbers[i], txn, s->refs[i]);
        if (status) return status;
    }
    if (numbers[0] + numbers[1] + numbers[2])
        test_failed(__FILE__, __LINE__, "torn: %d %d %d", (int)numbers[0], (int)numbers[1],
                    (int)numbers[2]);
    for (int i = 0; i < 3; i++) atomic_store(&s->seen[i], numbers[i]);
    atomic_fetch_add(&s->looks, 1);
    return AVOUT_OK;
}

static void *run_look(void *payload)
{
    scene *s = payload;
    CHECK_OK(avout_dosync(s->near, look, s, &(avout_call_options){.timeout_ms = 20000}));
    return NULL;
}

/* Looks again and again, for a while, whatever becomes of the looks before; then everything held goes on.
 * Answers whether one has seen the number. */
static bool see_and_release(scene *s, int ref, int64_t number)
{
    enum { LOOKS = 40 };
    pthread_t lookers[LOOKS];
    int count = 0;
    bool seen = false;
    while (!seen && count < LOOKS) {
        CHECK(!pthread_create(&lookers[count++], NULL, run_look, s));
        /* Those that cannot go on before the release are the ones that must not see anything. */
        for (int i = 0; i < 50 && atomic_load(&s->looks) < count; i++) test_pause_us(100);
        seen = atomic_load(&s->seen[ref]) == number;
    }
    avout__mem_faults_clear(s->store);
    avout__mem_release(s->store);
    while (count--) pthread_join(lookers[count], NULL);
    return seen;
}

/* ---- the ways -------------------------------------------------------------------------------- */

TEST(a_change_between_a_multi_and_the_gets_behind_it)
{
    scene s;
    scene_open(&s);
    transfer ours = {.client = s.near, .from = s.refs[0], .to = s.refs[1], .amount = 1};
    transfer theirs = {.client = s.far, .from = s.far_refs[0], .to = s.far_refs[1], .amount = 10};
    /* near: [multi][get x], and theirs before it, and slowly [get y] */
    engine_fault(s.store,
                 (avout__mem_fault){.kind = AVOUT__MEM_HOLD_REQUEST, .path = X_PATH, .nth = 2});
    engine_fault(s.store, (avout__mem_fault){
                              .kind = AVOUT__MEM_DELAY, .path = Y_PATH, .nth = 2, .delay_ms = 100});
    run_move(&ours);
    CHECK(avout__mem_wait_held(s.store, avout__deadline_in_ms(20000)));
    CHECK_INT(-1, suite_ref_int(s.refs[0])); /* trusted */
    run_move(&theirs);
    avout__mem_release(s.store);
    while (atomic_load(&s.seen[0]) != -11) run_look(&s);
    scene_close(&s);
}

TEST(the_same_with_another_batch_behind_it)
{
    scene s;
    scene_open(&s);
    transfer first = {.client = s.near, .from = s.refs[0], .to = s.refs[1], .amount = 1};
    transfer second = {.client = s.near, .from = s.refs[0], .to = s.refs[2], .amount = 1};
    transfer theirs = {.client = s.far, .from = s.far_refs[0], .to = s.far_refs[1], .amount = 10};
    engine_fault(s.store,
                 (avout__mem_fault){.kind = AVOUT__MEM_HOLD_REQUEST, .path = X_PATH, .nth = 2});
    engine_fault(s.store,
                 (avout__mem_fault){
                     .kind = AVOUT__MEM_HOLD_REQUEST, .path = X_PATH, .multis = true, .nth = 2});
    run_move(&first);
    CHECK(avout__mem_wait_held(s.store, avout__deadline_in_ms(20000)));
    begin(&second); /* stands on what is trusted, and is sent behind the gets */
    TEST_AWAIT(is_sending(s.near));
    run_move(&theirs);
    avout__mem_release(s.store);
    TEST_AWAIT(suite_ref_int(s.refs[1]) == 11);
    CHECK(!see_and_release(&s, 1, 11));
    end(&second);
    CHECK_INT(-12, suite_ref_strict_int(s.refs[0]));
    scene_close(&s);
}

/* Has the first of two transactions on x in flight when the connection goes, the other behind it,
 * and somebody else's change while it is gone. */
static void lose_connection(scene *s, transfer *first, transfer *second, transfer *theirs,
                            avout__mem_fault_kind kind)
{
    avout__mem_reconnect_after(s->store, AVOUT_FOREVER);
    avout__mem_hold(s->store, AVOUT__MEM_REQUESTS);
    engine_fault(s->store, (avout__mem_fault){.kind = kind, .multis = true});
    begin(first);
    CHECK(avout__mem_wait_held(s->store, avout__deadline_in_ms(20000)));
    if (second) {
        begin(second);
        TEST_AWAIT(atomic_load(&second->runs) == 1);
    }
    avout__mem_release(s->store);
    TEST_AWAIT(avout__mem_faults_left(s->store) == 0);
    run_move(theirs);
    /* What comes of it will be seen: nothing of ours is sent any more but the fence. */
    engine_fault(s->store, (avout__mem_fault){
                               .kind = AVOUT__MEM_HOLD_REQUEST, .multis = true, .path = X_PATH});
}

TEST(a_batch_found_committed_with_others_standing_on_it)
{
    scene s;
    scene_open(&s);
    transfer first = {.client = s.near, .from = s.refs[0], .to = s.refs[1], .amount = 1};
    transfer second = {.client = s.near, .from = s.refs[0], .to = s.refs[2], .amount = 1};
    transfer theirs = {.client = s.far, .from = s.far_refs[0], .to = s.far_refs[1], .amount = 10};
    lose_connection(&s, &first, &second, &theirs, AVOUT__MEM_LOSE_AFTER);
    CHECK_OK(avout__mem_reconnect(s.store));
    CHECK(see_and_release(&s, 1, 11));
    end(&first);
    end(&second);
    CHECK_INT(-12, suite_ref_strict_int(s.refs[0]));
    CHECK_INT(1, suite_ref_strict_int(s.refs[2]));
    scene_close(&s);
}

TEST(a_batch_without_effect_whose_ground_has_moved)
{
    scene s;
    scene_open(&s);
    transfer ours = {.client = s.near, .from = s.refs[0], .to = s.refs[1], .amount = 1};
    transfer theirs = {.client = s.far, .from = s.far_refs[0], .to = s.far_refs[2], .amount = 10};
    lose_connection(&s, &ours, NULL, &theirs, AVOUT__MEM_LOSE_BEFORE);
    /* The fence fails at first, so that the new states are there before it tells. */
    engine_fault(s.store, (avout__mem_fault){.kind = AVOUT__MEM_FAIL,
                                             .multis = true,
                                             .status = AVOUT_EIO,
                                             .failed_op = SIZE_MAX});
    CHECK_OK(avout__mem_reconnect(s.store));
    CHECK(see_and_release(&s, 2, 10));
    end(&ours);
    CHECK_INT(-11, suite_ref_strict_int(s.refs[0]));
    scene_close(&s);
}

/* ---- on top of what is in doubt --------------------------------------------------------------------------------
 * x may become 1 only while y is 0, and y is changed together with w; z is what a transaction under snapshot
 * isolation has made of x. So z is never 1 where w is. */

typedef struct doubt {
    scene s;
    avout_ref *w, *far_w;
    _Atomic int looked;
    _Atomic bool may_go_on;
} doubt;

static avout_status set_x_while_y_is_0(avout_txn *txn, void *payload)
{
    const doubt *d = payload;
    int64_t y;
    avout_status status = suite_txn_int(&y, txn, d->s.refs[1]);
    return status || y ? status : avout_ref_set(txn, d->s.refs[0], avout_int(1));
}

static void *set_x(void *payload)
{
    doubt *d = payload;
    CHECK_OK(
        avout_dosync(d->s.near, set_x_while_y_is_0, d, &(avout_call_options){.timeout_ms = 20000}));
    return NULL;
}

static avout_status copy_x_to_z(avout_txn *txn, void *payload)
{
    doubt *d = payload;
    int64_t x;
    avout_status status = suite_txn_int(&x, txn, d->s.refs[0]);
    if (status) return status;
    atomic_fetch_add(&d->looked, 1);
    TEST_AWAIT(atomic_load(&d->may_go_on));
    return avout_ref_set(txn, d->s.refs[2], avout_int(x));
}

static void *copy_x(void *payload)
{
    doubt *d = payload;
    CHECK_OK(avout_dosync(d->s.near, copy_x_to_z, d,
                          &(avout_call_options){.timeout_ms = 20000, .isolation = AVOUT_SNAPSHOT}));
    return NULL;
}

static avout_status look_at_z_and_w(avout_txn *txn, void *payload)
{
    const doubt *d = payload;
    int64_t z, w;
    avout_status status = suite_txn_int(&z, txn, d->s.refs[2]);
    if (!status) status = suite_txn_int(&w, txn, d->w);
    if (!status && z && w) test_failed(__FILE__, __LINE__, "torn: what was made of x, and w");
    return status;
}

static void *look_at_both(void *payload)
{
    doubt *d = payload;
    for (int i = 0; i < 20; i++)
        CHECK_OK(avout_dosync(d->s.near, look_at_z_and_w, d,
                              &(avout_call_options){.timeout_ms = 20000}));
    return NULL;
}

static avout_status set_y_and_w(avout_txn *txn, void *payload)
{
    const doubt *d = payload;
    avout_status status = avout_ref_set(txn, d->s.far_refs[1], avout_int(1));
    return status ? status : avout_ref_set(txn, d->far_w, avout_int(1));
}

static avout_status touch_w(avout_txn *txn, void *payload)
{
    return avout_ref_set(txn, ((doubt *)payload)->far_w, avout_int(0));
}

static uint64_t multis_of(avout_client *client)
{
    avout_statistics all;
    avout_client_statistics(client, &all);
    return all.multis;
}

static void *deref_w(void *payload)
{
    CHECK_INT(1, suite_ref_int(((doubt *)payload)->w));
    return NULL;
}

TEST(nothing_stands_visibly_on_what_came_into_doubt_while_it_ran)
{
    doubt d = {0};
    pthread_t setting, copying, looking, waiting;
    scene_open(&d.s);
    CHECK_OK(avout_ref_create(&d.far_w, d.s.far, "/w", avout_int(0), NULL));
    CHECK_OK(avout_ref_open(&d.w, d.s.near, "/w"));
    avout_store *store = d.s.store;
    /* near: [get w], which is answered after the others' change, and [set x, check y] behind it, which waits. */
    avout__mem_hold(store, AVOUT__MEM_REQUESTS);
    CHECK_OK(avout_dosync(d.s.far, touch_w, &d, NULL));
    CHECK(avout__mem_wait_held(store, avout__deadline_in_ms(20000)));
    CHECK(!pthread_create(&waiting, NULL, deref_w, &d));
    engine_fault(
        store, (avout__mem_fault){.kind = AVOUT__MEM_HOLD_REQUEST, .multis = true, .path = X_PATH});
    uint64_t multis = multis_of(d.s.near);
    CHECK(!pthread_create(&setting, NULL, set_x, &d));
    TEST_AWAIT(multis_of(d.s.near) > multis);
    CHECK(!pthread_create(&copying, NULL, copy_x, &d));
    TEST_AWAIT(atomic_load(&d.looked) == 1);
    CHECK_OK(avout_dosync(d.s.far, set_y_and_w, &d, NULL));
    avout__mem_release(store);
    pthread_join(waiting, NULL);
    atomic_store(&d.may_go_on, true);
    CHECK(!pthread_create(&looking, NULL, look_at_both, &d));
    test_pause_ms(30); /* time to see what must not be seen */
    avout__mem_release(store);
    pthread_join(setting, NULL);
    pthread_join(copying, NULL);
    pthread_join(looking, NULL);
    CHECK_INT(0, suite_ref_strict_int(d.s.refs[2]));
    avout_ref_close(d.w);
    avout_ref_close(d.far_w);
    scene_close(&d.s);
}
