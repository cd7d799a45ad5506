/* Locks where the store is not as they left it: numbers that come to their end, nodes that strangers make
 * and remove.
 * Test-tags: threads */
#include "lock_support.h"

/* ---- at the end of the store's numbers -------------------------------------------------------------------- */

static void acquire_at(side *s, int32_t sequence, avout_token *token)
{
    CHECK_OK(avout__mem_set_sequence(s->store, NODE, sequence));
    CHECK_OK(avout_lock_acquire(token, s->lock, NULL));
}

TEST(numbers_begin_anew_long_before_they_end)
{
    side a = open_side(0, NULL), b = open_side(1, NULL);
    avout_token tokens[3];
    char path[RAW_PATH];
    locks_waiter w;
    CHECK_OK(avout_lock_acquire(&tokens[0], a.lock, NULL));
    CHECK_OK(avout_lock_release(a.lock));
    acquire_at(&a, 1 << 30, &tokens[1]);
    CHECK(avout_token_compare(tokens[0], tokens[1]) < 0);
    locks_start(&w, b.lock, PATIENT);
    TEST_AWAIT(queue_length(&a) == 2);
    CHECK_OK(avout_lock_release(a.lock));
    CHECK_OK(locks_finish(&w));
    CHECK(avout_token_compare(tokens[1], w.token) < 0);
    settle(&b);
    CHECK_OK(avout_lock_acquire(&tokens[2], a.lock, NULL));
    CHECK(avout_token_compare(w.token, tokens[2]) < 0);
    claim_path(path, &a, "-0000000000");
    CHECK_OK(avout_lock_release(a.lock));
    close_side(&a);
    close_side(&b);
    suite_check_memory();
}

/* A stranger's node keeps the lock's from being made anew: numbers repeat, and nobody can tell who was
 * first. Better nobody than two. */
TEST(a_number_given_twice_gives_the_lock_to_nobody)
{
    side a = open_side(0, NULL), b = open_side(1, NULL);
    avout_rwlock *reader, *other_reader;
    CHECK_OK(avout_rwlock_open(&reader, a.client, NAME));
    CHECK_OK(avout_rwlock_open(&other_reader, b.client, NAME));
    CHECK_OK(avout_lock_acquire(NULL, a.lock, NULL));
    CHECK_OK(avout_lock_release(a.lock));
    CHECK_OK(raw_do(a.store, (avout_op){.kind = AVOUT_OP_CREATE, .path = NODE "/notes"}));
    acquire_at(&a, INT32_MAX, NULL);
    CHECK_STATUS(AVOUT_ELIMIT, avout_lock_acquire(NULL, b.lock, NULL));
    CHECK_CONTAINS("used up", avout_error_detail());
    CHECK_STATUS(AVOUT_ELIMIT, avout_lock_try(NULL, b.lock));
    CHECK_STATUS(AVOUT_ELIMIT, avout_rwlock_read(NULL, other_reader, NULL));
    TEST_AWAIT(queue_length(&a) == 1);
    CHECK_OK(avout_lock_release(a.lock));
    CHECK_OK(avout_lock_acquire(NULL, b.lock, NULL));
    CHECK_OK(avout_lock_release(b.lock));
    CHECK_OK(avout_rwlock_read(NULL, reader, NULL));
    CHECK_OK(avout_rwlock_read(NULL, other_reader, NULL));
    CHECK_OK(avout_rwlock_release_read(reader));
    CHECK_OK(avout_rwlock_release_read(other_reader));
    settle(&a);
    settle(&b);
    CHECK_OK(
        raw_do(a.store, (avout_op){.kind = AVOUT_OP_DELETE, .path = NODE "/notes", .version = -1}));
    CHECK_OK(avout_lock_acquire(NULL, b.lock, NULL));
    CHECK_OK(avout_lock_release(b.lock));
    settle(&b);
    CHECK_OK(avout_lock_acquire(NULL, a.lock, NULL));
    char path[RAW_PATH];
    claim_path(path, &a, "-0000000000");
    CHECK_OK(avout_lock_release(a.lock));
    avout_rwlock_close(reader);
    avout_rwlock_close(other_reader);
    close_side(&a);
    close_side(&b);
    suite_check_memory();
}

/* Conditions are in nobody's way: who waits for one does not keep the lock's numbers from beginning anew. */
typedef struct sleeper {
    side *s;
    avout_condition *condition;
    avout_status status;
    pthread_t thread;
} sleeper;

static void *wait_once(void *payload)
{
    sleeper *s = payload;
    CHECK_OK(avout_lock_acquire(NULL, s->s->lock, NULL));
    s->status = avout_condition_wait(s->condition, &PATIENT);
    CHECK_OK(avout_lock_release(s->s->lock));
    return NULL;
}

#define CONDITION NODE "%c-c"

static int64_t waiters(side *s)
{
    int64_t count = raw_children(s->store, CONDITION);
    return count < 0 ? 0 : count;
}

TEST(numbers_begin_anew_beside_conditions)
{
    side a = open_side(0, NULL), b = open_side(1, NULL);
    sleeper s = {.s = &b, .condition = locks_open_condition(b.lock, "c")};
    avout_condition *mine = locks_open_condition(a.lock, "c");
    char path[RAW_PATH];
    CHECK(!pthread_create(&s.thread, NULL, wait_once, &s));
    TEST_AWAIT(waiters(&a) == 1 && !queue_length(&a));
    acquire_at(&a, 1 << 30, NULL);
    CHECK_OK(avout_lock_release(a.lock));
    settle(&a);
    CHECK_OK(avout_lock_acquire(NULL, a.lock, NULL));
    claim_path(path, &a, "-0000000000");
    /* The condition's own begin anew with the last that leaves. */
    CHECK_OK(avout__mem_set_sequence(a.store, CONDITION, 1 << 30));
    CHECK_STATUS(AVOUT_ETIMEOUT,
                 avout_condition_wait(mine, &(avout_wait_options){.timeout_ms = 1}));
    settle(&a);
    CHECK_INT(1, waiters(&a)); /* not while there is another */
    CHECK_OK(avout_condition_signal(mine));
    CHECK_OK(avout_lock_release(a.lock));
    pthread_join(s.thread, NULL);
    CHECK_OK(s.status);
    CHECK_OK(avout_lock_acquire(NULL, a.lock, NULL));
    CHECK_STATUS(AVOUT_ETIMEOUT,
                 avout_condition_wait(mine, &(avout_wait_options){.timeout_ms = 1}));
    settle(&a);
    TEST_AWAIT(raw_children(a.store, CONDITION) < 0);
    /* Beyond them nobody could tell whose a signal is. */
    CHECK_STATUS(AVOUT_ETIMEOUT,
                 avout_condition_wait(mine, &(avout_wait_options){.timeout_ms = 1}));
    CHECK_OK(avout__mem_set_sequence(a.store, CONDITION, INT32_MAX));
    CHECK_STATUS(AVOUT_ELIMIT, avout_condition_wait(mine, &PATIENT));
    CHECK_INT(1, avout_lock_hold_count(a.lock));
    settle(&a);
    TEST_AWAIT(!waiters(&a));
    CHECK_STATUS(AVOUT_ETIMEOUT,
                 avout_condition_wait(mine, &(avout_wait_options){.timeout_ms = 1}));
    CHECK_OK(avout_lock_release(a.lock));
    avout_condition_close(mine);
    avout_condition_close(s.condition);
    close_side(&a);
    close_side(&b);
    suite_check_memory();
}

/* ---- strangers ------------------------------------------------------------------------------------------- */

TEST(foreign_nodes_are_reported_and_left_alone)
{
    side a = open_side(0, NULL);
    CHECK_OK(avout_lock_acquire(NULL, a.lock, NULL));
    static const char *strangers[] = {NODE "/notes",
                                      NODE "/w-1",
                                      NODE "/w-0123456789abcdef-1-x",
                                      NODE "/w-0123456789abcdef-1-00000000",
                                      NODE "/w-0123456789abcdef--0000000001",
                                      NODE "/w-0123456789abcdeg-1-0000000001",
                                      NODE "/x-0123456789abcdef-1-0000000001"};
    enum { COUNT = sizeof strangers / sizeof *strangers };
    for (size_t i = 0; i < COUNT; i++)
        CHECK_OK(raw_do(a.store, (avout_op){.kind = AVOUT_OP_CREATE, .path = strangers[i]}));
    /* A claim by its name, whatever it says. */
    CHECK_OK(raw_do(a.store, (avout_op){.kind = AVOUT_OP_CREATE,
                                        .path = NODE "/r-0123456789abcdef-7-0000009999",
                                        .bytes = "{:host \"x\xff:pid 99999999999999999999999"}));
    avout_lock_report *report;
    CHECK_OK(avout_lock_inspect(&report, a.client, NAME));
    CHECK_INT(2, report->count);
    CHECK_INT(0, report->entries[1].pid);
    CHECK_TEXT("", report->entries[1].host);
    CHECK_INT(COUNT, report->foreign_count);
    avout_lock_report_free(report);
    CHECK_STATUS(AVOUT_ENOTEMPTY, avout_lock_remove(a.client, NAME));
    CHECK_OK(avout_lock_release(a.lock));
    CHECK_OK(avout_lock_acquire(NULL, a.lock, NULL));
    CHECK_OK(avout_lock_release(a.lock));
    CHECK_OK(avout_lock_inspect(&report, a.client, NAME));
    CHECK_INT(COUNT, report->foreign_count);
    avout_lock_report_free(report);
    close_side(&a);
    suite_check_memory();
}

TEST(claims_removed_by_a_stranger)
{
    side a = open_side(0, NULL), b = open_side(1, NULL);
    char path[RAW_PATH];
    CHECK_OK(avout_lock_acquire(NULL, a.lock, NULL));
    claim_path(path, &a, "/w-");
    CHECK_OK(raw_delete(b.store, path));
    CHECK_OK(avout_lock_acquire(NULL, b.lock, NULL));
    CHECK_STATUS(AVOUT_ELOST, avout_lock_release(a.lock));
    CHECK_STATUS(AVOUT_ENOTHELD, avout_lock_release(a.lock));
    /* Of one that waits behind another that waits: it makes a new one when it is its turn. */
    locks_waiter w, v;
    locks_start(&w, a.lock, PATIENT);
    TEST_AWAIT(queue_length(&b) == 2);
    side c = open_side(2, NULL);
    locks_start(&v, c.lock, PATIENT);
    TEST_AWAIT(queue_length(&b) == 3);
    claim_path(path, &a, "/w-");
    CHECK_OK(raw_delete(b.store, path));
    CHECK_OK(avout_lock_release(b.lock));
    CHECK_OK(locks_finish(&w));
    CHECK_OK(locks_finish(&v));
    CHECK(avout_token_compare(w.token, v.token) < 0);
    close_side(&a);
    close_side(&b);
    close_side(&c);
    suite_check_memory();
}

typedef struct holding {
    avout_lock *lock;
    avout_token token;
    _Atomic bool held;
} holding;

static void *hold_until_lost(void *payload)
{
    holding *h = payload;
    CHECK_OK(avout_lock_acquire(&h->token, h->lock, NULL));
    h->held = true;
    TEST_AWAIT(!avout_lock_is_held(h->lock));
    CHECK_STATUS(AVOUT_ELOST, avout_lock_release(h->lock));
    return NULL;
}

/* Together with the one before it: it must not take the one's end for its own turn. */
TEST(a_claim_removed_together_with_the_one_before_it)
{
    for (int one_multi = 0; one_multi < 2; one_multi++) {
        side a = open_side(0, NULL), b = open_side(1, NULL), c = open_side(2, NULL);
        char holder[RAW_PATH], waiter[RAW_PATH];
        locks_waiter w, v;
        CHECK_OK(avout_lock_acquire(NULL, a.lock, NULL));
        claim_path(holder, &a, "/w-");
        locks_start(&w, b.lock, PATIENT);
        TEST_AWAIT(queue_length(&a) == 2 && armed(&b) == 2);
        claim_path(waiter, &a, "/w-");
        locks_start(&v, c.lock, PATIENT);
        TEST_AWAIT(queue_length(&a) == 3 && armed(&c) == 2);
        avout_op ops[2] = {{.kind = AVOUT_OP_DELETE, .path = waiter, .version = -1},
                           {.kind = AVOUT_OP_DELETE, .path = holder, .version = -1}};
        avout_request both = {.kind = AVOUT_REQUEST_MULTI, .ops = ops, .op_count = 2};
        if (one_multi) {
            CHECK_OK(avout__store_call(NULL, a.store, &both, avout__deadline_in_ms(20000)));
        } else {
            avout__mem_hold(b.store, AVOUT__MEM_REPLIES); /* hears of both at once */
            CHECK_OK(raw_do(a.store, ops[0]));
            CHECK_OK(raw_do(a.store, ops[1]));
            avout__mem_release(b.store);
        }
        CHECK_OK(locks_finish(&v));
        CHECK_OK(locks_finish(&w));
        CHECK(avout_token_compare(v.token, w.token) < 0);
        CHECK_STATUS(AVOUT_ELOST, avout_lock_release(a.lock));
        close_side(&a);
        close_side(&b);
        close_side(&c);
        suite_check_memory();
    }
}

/* Who has it for more than a moment watches its node, and learns that it is gone: asked for nothing, and on a
 * thread that has other things to do. */
static void note_loss(const char *name, avout_token token, void *payload)
{
    holding *h = payload;
    CHECK_TEXT(NAME, name);
    CHECK_INT(0, avout_token_compare(token, h->token));
    h->held = false;
}

TEST(the_node_of_a_holder_is_removed)
{
    for (int lost_before = 0; lost_before < 2; lost_before++) {
        side a = open_side(0, NULL), b = open_side(1, NULL);
        char path[RAW_PATH];
        holding h = {.held = true};
        avout_token next;
        CHECK_OK(avout_lock_on_lost(a.lock, note_loss, &h));
        CHECK_OK(avout_lock_acquire(&h.token, a.lock, NULL));
        if (lost_before) CHECK_OK(avout__mem_suspend(a.store)); /* before it is watched */
        claim_path(path, &b, "/w-");
        if (lost_before) TEST_AWAIT(armed(&a) == 1);
        CHECK_OK(raw_delete(b.store, path));
        TEST_AWAIT(!h.held);
        CHECK(!avout_lock_is_held(a.lock));
        CHECK_OK(avout_lock_acquire(&next, b.lock, NULL));
        CHECK(avout_token_compare(h.token, next) < 0);
        CHECK_STATUS(AVOUT_ELOST, avout_lock_release(a.lock));
        CHECK_OK(avout_lock_release(b.lock));
        close_side(&a);
        close_side(&b);
        suite_check_memory();
    }
}

/* Who has it for a moment only does not pay for that. */
TEST(a_short_hold_is_not_watched)
{
    side a = open_side(0, NULL);
    avout__mem_counters before, after;
    CHECK_OK(avout_lock_acquire(NULL, a.lock, NULL));
    CHECK_OK(avout_lock_release(a.lock));
    avout__mem_counters_of(a.store, &before);
    int64_t begun = avout__now_ns();
    for (int i = 0; i < 200; i++) {
        CHECK_OK(avout_lock_acquire(NULL, a.lock, NULL));
        CHECK_OK(avout_lock_release(a.lock));
    }
    int64_t tenths = (avout__now_ns() - begun) / 100000000;
    avout__mem_counters_of(a.store, &after);
    CHECK((int64_t)(after.reads - before.reads) <= 1 + tenths);
    close_side(&a);
    suite_check_memory();
}

/* Who had to wait for it has watched its node before. */
TEST(the_node_of_a_holder_that_waited_is_removed)
{
    side a = open_side(0, NULL), b = open_side(1, NULL);
    char path[RAW_PATH];
    avout_token first;
    CHECK_OK(avout_lock_acquire(NULL, b.lock, NULL));
    pthread_t thread;
    holding h = {.lock = a.lock};
    CHECK(!pthread_create(&thread, NULL, hold_until_lost, &h));
    TEST_AWAIT(queue_length(&b) == 2 && armed(&a) >= 2);
    CHECK_OK(avout_lock_release(b.lock));
    TEST_AWAIT(h.held);
    claim_path(path, &b, "/w-");
    CHECK_OK(raw_delete(b.store, path));
    pthread_join(thread, NULL);
    CHECK_OK(avout_lock_acquire(&first, a.lock, NULL));
    CHECK(avout_token_compare(h.token, first) < 0);
    CHECK_OK(avout_lock_release(a.lock));
    close_side(&a);
    close_side(&b);
    suite_check_memory();
}

/* A condition whose node cannot be made is told about: a wait that just ended would be begun again at once. */
TEST(a_condition_that_cannot_be_made)
{
    side a = open_side(0, NULL);
    avout_condition *condition = locks_open_condition(a.lock, "c");
    CHECK_OK(avout_lock_acquire(NULL, a.lock, NULL));
    engine_fault(a.store, (avout__mem_fault){.kind = AVOUT__MEM_FAIL,
                                             .path = CONDITION,
                                             .status = AVOUT_EPERM,
                                             .failed_op = 0});
    CHECK_STATUS(AVOUT_EPERM, avout_condition_wait(condition, &PATIENT));
    CHECK_INT(1, avout_lock_hold_count(a.lock));
    CHECK_STATUS(AVOUT_ETIMEOUT,
                 avout_condition_wait(condition, &(avout_wait_options){.timeout_ms = 1}));
    CHECK_OK(avout_lock_release(a.lock));
    avout_condition_close(condition);
    close_side(&a);
    suite_check_memory();
}

/* ---- the slots' node --------------------------------------------------------------------------------------- */

TEST(the_slots_node_removed_by_a_stranger)
{
    side a = open_side(0, NULL), b = open_side(1, NULL);
    CHECK_OK(avout_lock_acquire(NULL, a.lock, NULL)); /* the directories are there */
    CHECK_OK(avout_lock_release(a.lock));
    for (int i = 0; i < 3; i++) {
        engine_remove_slots(b.store);
        uint64_t multis = multis_of(&a);
        CHECK_OK(avout_lock_acquire(NULL, a.lock, NULL));
        CHECK(multis_of(&a) <= multis + 3);
        CHECK_OK(avout_lock_release(a.lock));
        CHECK_OK(avout_lock_acquire(NULL, b.lock, NULL)); /* the other finds it there again */
        CHECK_OK(avout_lock_release(b.lock));
    }
    /* Gone while an outcome is unclear. */
    for (int after = 0; after < 2; after++) {
        avout__mem_reconnect_after(a.store, AVOUT_FOREVER);
        engine_fault(a.store, (avout__mem_fault){.kind = after ? AVOUT__MEM_LOSE_AFTER
                                                               : AVOUT__MEM_LOSE_BEFORE,
                                                 .multis = true});
        locks_waiter w;
        locks_start(&w, a.lock, PATIENT);
        TEST_AWAIT(!avout__mem_faults_left(a.store));
        engine_remove_slots(b.store);
        CHECK_OK(avout__mem_reconnect(a.store));
        CHECK_OK(locks_finish(&w));
        CHECK_OK(w.released);
    }
    /* It cannot be made again: that is said, and the next time it is tried again. */
    engine_remove_slots(b.store);
    engine_fault(a.store, (avout__mem_fault){.kind = AVOUT__MEM_FAIL,
                                             .path = "/avout/slots",
                                             .status = AVOUT_EPERM,
                                             .failed_op = 1});
    CHECK_STATUS(AVOUT_EPERM, avout_lock_acquire(NULL, a.lock, NULL));
    CHECK_CONTAINS("/avout/slots", avout_error_detail());
    CHECK_OK(avout_lock_acquire(NULL, a.lock, NULL));
    CHECK_OK(avout_lock_release(a.lock));
    CHECK_INT(0, queue_length(&a));
    close_side(&a);
    close_side(&b);
    suite_check_memory();
}
