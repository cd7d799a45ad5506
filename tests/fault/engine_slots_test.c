/* Slots, fences and turns in trouble: removed or overwritten by a stranger, refused by the store; a
 * listing without a connection. */
#include "engine_support.h"

static void *add_in_thread(void *payload)
{
    world *w = payload;
    return (void *)(intptr_t)add_to(w, w->x);
}

TEST(a_slot_removed_or_overwritten_by_a_stranger)
{
    world w;
    world_open(&w);
    avout_client *other = suite_connect();
    avout_store *raw = engine_store(1);
    char path[RAW_PATH];
    for (int i = 0; i < 6; i++) {
        raw_child(path, raw, "/avout/slots", RAW_ONLY);
        avout_op op = {i % 2 ? AVOUT_OP_DELETE : AVOUT_OP_SET, .path = path, .version = -1,
                       .bytes = i % 2 ? NULL : "garbage"};
        CHECK_OK(raw_do(raw, op));
        CHECK_OK(add_to(&w, w.x));
        if (i % 2) continue;
        op.kind = AVOUT_OP_DELETE; /* the client has gone on to another */
        CHECK_OK(raw_do(raw, op));
    }
    CHECK_INT(6, suite_ref_int(w.x));
    suite_close(other);
    world_close(&w);
}

/* The node above all slots as well: it is made again, with the next one. */
TEST(the_slots_node_removed_by_a_stranger)
{
    world w;
    world_open(&w);
    avout_client *other = suite_connect();
    avout_store *raw = engine_store(1);
    for (int i = 0; i < 3; i++) {
        engine_remove_slots(raw);
        uint64_t multis = world_multis(&w);
        CHECK_OK(add_to(&w, w.x));
        CHECK(world_multis(&w) <= multis + 4);
    }
    /* A batch that would have made the first slot again, and its fence, find no node above. */
    engine_remove_slots(raw);
    engine_fault(w.store,
                 (avout__mem_fault){.kind = AVOUT__MEM_LOSE_BEFORE, .multis = true, .nth = 2});
    CHECK_OK(add_to(&w, w.x));
    CHECK_INT(0, avout__mem_faults_left(w.store));
    engine_remove_slots(raw);
    engine_fault(w.store, (avout__mem_fault){.kind = AVOUT__MEM_FAIL,
                                             .path = "/avout/slots",
                                             .status = AVOUT_EPERM,
                                             .failed_op = 1});
    CHECK_STATUS(AVOUT_EPERM, add_to(&w, w.x));
    CHECK_CONTAINS("/avout/slots", avout_error_detail());
    CHECK_OK(add_to(&w, w.x));
    CHECK_INT(5, suite_ref_int(w.x));
    suite_close(other);
    world_close(&w);
}

/* The outcome cannot be known any more: that is said, and the client goes on. */
TEST(a_slot_overwritten_while_the_outcome_is_unclear)
{
    for (int removed = 0; removed < 2; removed++) {
        world w;
        world_open(&w);
        avout_client *other = suite_connect();
        avout_store *raw = engine_store(1);
        char path[RAW_PATH];
        raw_child(path, raw, "/avout/slots", RAW_ONLY);
        avout__mem_reconnect_after(w.store, AVOUT_FOREVER);
        engine_fault(w.store, (avout__mem_fault){.kind = AVOUT__MEM_LOSE_BEFORE, .multis = true});
        pthread_t thread;
        CHECK(!pthread_create(&thread, NULL, add_in_thread, &w));
        TEST_AWAIT(!avout__mem_faults_left(w.store));
        CHECK_OK(raw_do(raw, (avout_op){removed ? AVOUT_OP_DELETE : AVOUT_OP_SET, .path = path,
                                        .version = -1, .bytes = removed ? NULL : "garbage"}));
        avout__mem_reconnect_after(w.store, 0);
        CHECK_OK(avout__mem_reconnect(w.store));
        void *status;
        pthread_join(thread, &status);
        CHECK_INT(AVOUT_UNKNOWN, (intptr_t)status);
        CHECK_OK(add_to(&w, w.x));
        CHECK_INT(1, suite_ref_int(w.x));
        suite_close(other);
        world_close(&w);
    }
}

/* A fence that is refused settles nothing, and the outcome is not unknown because of it. */
TEST(refused_fences)
{
    for (int first = 0; first < 2; first++)
        for (int after = 0; after < 2; after++) {
            world w;
            memset(&w, 0, sizeof w);
            w.client = suite_connect();
            w.store = engine_store(0);
            if (!first) CHECK_OK(avout_ref_create(&w.x, w.client, "/x", avout_int(0), NULL));
            engine_fault(w.store, (avout__mem_fault){.kind = after ? AVOUT__MEM_LOSE_AFTER
                                                                   : AVOUT__MEM_LOSE_BEFORE,
                                                     .multis = true});
            for (int i = 0; i < 3; i++)
                engine_fault(w.store, (avout__mem_fault){.kind = AVOUT__MEM_FAIL,
                                                         .multis = true,
                                                         .status = AVOUT_EIO,
                                                         .failed_op = 0,
                                                         .nth = 1 + (size_t)i % 2});
            bool created = true;
            if (first) CHECK_OK(avout_ref_create(&w.x, w.client, "/x", avout_int(0), &created));
            else CHECK_OK(add_to(&w, w.x));
            CHECK(created);
            CHECK_INT(!first, suite_ref_int(w.x));
            avout_ref_close(w.x);
            suite_close(w.client);
            suite_check_memory();
        }
}

/* Contended refs whose queue cannot be entered are written all the same. */
TEST(turns_that_are_refused)
{
    world w;
    world_open(&w);
    enum { ROUNDS = 60 };
    avout_client *other = suite_connect();
    world far = {.client = other};
    CHECK_OK(avout_ref_open(&far.x, other, "/x"));
    for (int i = 0; i < 40; i++)
        engine_fault(w.store, (avout__mem_fault){.kind = AVOUT__MEM_FAIL,
                                                 .everybody = true,
                                                 .path = "/avout/cells/x/q-",
                                                 .status = AVOUT_EIO,
                                                 .failed_op = 0});
    pthread_t threads[4];
    for (int round = 0; round < ROUNDS / 4; round++) {
        for (int i = 0; i < 4; i++)
            CHECK(!pthread_create(&threads[i], NULL, add_in_thread, i % 2 ? &w : &far));
        for (int i = 0; i < 4; i++) {
            void *status;
            pthread_join(threads[i], &status);
            CHECK_INT(AVOUT_OK, (intptr_t)status);
        }
    }
    avout__mem_faults_clear(w.store);
    CHECK_INT(ROUNDS, suite_ref_strict_int(w.x));
    avout_ref_close(far.x);
    suite_close(other);
    world_close(&w);
}

static _Atomic int lister;

static void *connect_again(void *payload)
{
    test_await_asleep(&lister);
    CHECK_OK(avout__mem_reconnect(payload));
    return NULL;
}

TEST(listing_waits_for_the_connection)
{
    world w;
    world_open(&w);
    avout__mem_reconnect_after(w.store, AVOUT_FOREVER);
    CHECK_OK(avout__mem_suspend(w.store));
    pthread_t thread;
    lister = test_task();
    CHECK(!pthread_create(&thread, NULL, connect_again, w.store));
    avout_value names;
    CHECK_OK(avout_ls(&names, w.client, "/"));
    avout_release(names);
    pthread_join(thread, NULL);
    world_close(&w);
}

/* ---- what is known already ---------------------------------------------------------------------------- */

typedef struct story {
    _Atomic int count;
    _Atomic int64_t last;
} story;

static void tell(const char *key, avout_value old_value, avout_value new_value, void *payload)
{
    story *told = payload;
    int64_t number = -1;
    (void)key, (void)old_value;
    CHECK_OK(avout_value_to_int(&number, new_value));
    CHECK(number > atomic_load(&told->last)); /* I7 */
    atomic_store(&told->last, number);
    atomic_fetch_add(&told->count, 1);
}

/* A batch is found committed when somebody else's change of the same ref has been seen: it does not come in the
 * way of that again. */
TEST(a_batch_found_committed_too_late_takes_nothing_back)
{
    world w;
    world_open(&w);
    avout_client *other = suite_connect();
    avout_store *raw = engine_store(1);
    avout_ref *theirs;
    story told = {0};
    char path[RAW_PATH];
    pthread_t thread;
    void *status;
    raw_child(path, raw, "/avout/slots", RAW_ONLY);
    CHECK_OK(avout_ref_open(&theirs, other, "/x"));
    CHECK_OK(avout_ref_add_watch(w.x, "key", tell, &told, NULL));
    avout__mem_reconnect_after(w.store, AVOUT_FOREVER);
    engine_fault(w.store, (avout__mem_fault){.kind = AVOUT__MEM_LOSE_AFTER, .multis = true});
    CHECK(!pthread_create(&thread, NULL, add_in_thread, &w));
    TEST_AWAIT(avout__mem_faults_left(w.store) == 0);
    CHECK_OK(avout_dosync(other, plus_one, theirs, NULL));
    /* The fence, and what is behind it, tells nothing at first: that comes after the refs have been read. */
    for (int i = 0; i < 2; i++)
        engine_fault(w.store, (avout__mem_fault){.kind = AVOUT__MEM_FAIL,
                                                 .path = path,
                                                 .status = AVOUT_EIO,
                                                 .failed_op = SIZE_MAX});
    CHECK_OK(avout__mem_reconnect(w.store));
    TEST_AWAIT(suite_ref_int(w.x) == 2);
    pthread_join(thread, &status);
    CHECK(!status);
    CHECK_INT(0, avout__mem_faults_left(w.store));
    CHECK_INT(2, suite_ref_int(w.x));
    CHECK_OK(add_to(&w, w.x));
    TEST_AWAIT(atomic_load(&told.last) == 3);
    CHECK(atomic_load(&told.count) <= 3);
    avout_ref_close(theirs);
    suite_close(other);
    world_close(&w);
}
