/* Locks and sessions, on command: what is lost and who is told, what waits on, what it costs.
 * Test-tags: threads */
#include <sys/wait.h>
#include <unistd.h>

#include "lock_support.h"

typedef struct lost {
    _Atomic int calls;
    avout_token token;
    avout_lock *close; /* in the callback */
} lost;

static void on_lost(const char *name, avout_token token, void *payload)
{
    lost *l = payload;
    CHECK_TEXT(NAME, name);
    l->token = token;
    if (l->close) avout_lock_close(l->close);
    l->calls++;
}

TEST(the_holder_learns_that_its_session_has_ended)
{
    side a = open_side(0, NULL), b = open_side(1, NULL);
    lost told = {0}, other_handle = {0};
    avout_lock *second;
    CHECK_OK(avout_lock_open(&second, a.client, NAME));
    CHECK_OK(avout_lock_on_lost(a.lock, on_lost, &told));
    CHECK_OK(avout_lock_on_lost(second, on_lost, &other_handle));
    avout_token first, again, theirs;
    CHECK_OK(avout_lock_acquire(&first, a.lock, NULL));
    CHECK_OK(avout_lock_acquire(NULL, second, NULL));
    locks_waiter local;
    locks_start(&local, a.lock, PATIENT); /* waits for this thread: it is not lost with it */
    locks_waiter w;
    TEST_AWAIT(queue_length(&b) == 1);
    locks_start(&w, b.lock, PATIENT);
    TEST_AWAIT(queue_length(&a) == 2);
    CHECK_OK(avout__mem_expire(a.store));
    CHECK_OK(locks_finish(&w));
    theirs = w.token;
    CHECK_OK(w.released);
    CHECK_OK(locks_finish(&local));
    CHECK_OK(local.released);
    CHECK(avout_token_compare(first, theirs) < 0);
    CHECK(avout_token_compare(theirs, local.token) < 0);
    TEST_AWAIT(told.calls == 1);
    CHECK_INT(0, avout_token_compare(first, told.token));
    CHECK_INT(0, other_handle.calls);
    CHECK(!avout_lock_is_held(a.lock));
    CHECK_INT(2, avout_lock_hold_count(a.lock));
    CHECK_STATUS(AVOUT_ELOST, avout_lock_token(&again, a.lock));
    CHECK_STATUS(AVOUT_ELOST, avout_lock_acquire(&again, a.lock, NULL));
    CHECK_CONTAINS(NAME, avout_error_detail());
    CHECK_STATUS(AVOUT_ELOST, avout_lock_try(&again, a.lock));
    CHECK_STATUS(AVOUT_ELOST, avout_lock_release(a.lock));
    CHECK_STATUS(AVOUT_ELOST, avout_lock_release(second));
    CHECK_STATUS(AVOUT_ENOTHELD, avout_lock_release(a.lock));
    CHECK_OK(avout_lock_acquire(&again, a.lock, NULL));
    CHECK(avout_token_compare(theirs, again) < 0);
    CHECK_OK(avout_lock_release(a.lock));
    CHECK_INT(1, told.calls);
    avout_lock_close(second);
    close_side(&a);
    close_side(&b);
    suite_check_memory();
}

/* A callback is told of acquisitions made after it was set, a condition's included. */
TEST(callbacks_are_for_later_acquisitions)
{
    side a = open_side(0, NULL);
    lost early = {0}, late = {0};
    CHECK_OK(avout_lock_on_lost(a.lock, on_lost, &early));
    CHECK_OK(avout_lock_acquire(NULL, a.lock, NULL));
    CHECK_OK(avout_lock_on_lost(a.lock, on_lost, &late));
    CHECK_OK(avout__mem_expire(a.store));
    TEST_AWAIT(!avout_lock_is_held(a.lock));
    CHECK_STATUS(AVOUT_ELOST, avout_lock_release(a.lock));

    avout_condition *condition = locks_open_condition(a.lock, "c");
    CHECK_OK(avout_lock_on_lost(a.lock, NULL, NULL));
    CHECK_OK(avout_lock_acquire(NULL, a.lock, NULL));
    CHECK_OK(avout_lock_on_lost(a.lock, on_lost, &late));
    CHECK_STATUS(AVOUT_ETIMEOUT,
                 avout_condition_wait(condition, &(avout_wait_options){.timeout_ms = 1}));
    avout_token token;
    CHECK_OK(avout_lock_token(&token, a.lock));
    CHECK_OK(avout__mem_expire(a.store));
    TEST_AWAIT(late.calls);
    CHECK_INT(0, avout_token_compare(token, late.token));
    CHECK_STATUS(AVOUT_ELOST, avout_lock_release(a.lock));
    avout_condition_close(condition);
    close_side(&a); /* all that were to be told have been */
    CHECK_INT(1, late.calls);
    CHECK_INT(0, early.calls);
    suite_check_memory();
}

/* What was acquired through another handle, closed during the wait, is the condition's handle's after it. */
typedef struct closer {
    side *s;
    avout_lock *second;
    avout_cancel *cancel;
} closer;

static void *close_while_waited_for(void *payload)
{
    closer *c = payload;
    locks_await_queue(c->s->client, NAME, 0); /* the other waits for the signal */
    avout_lock_close(c->second);
    avout_cancel_set(c->cancel);
    return NULL;
}

TEST(a_wait_outlives_the_handle_of_the_acquisition)
{
    side a = open_side(0, NULL);
    lost told = {0}, closed = {0};
    closer c = {.s = &a};
    pthread_t thread;
    avout_condition *condition = locks_open_condition(a.lock, "c");
    CHECK_OK(avout_cancel_new(&c.cancel));
    CHECK_OK(avout_lock_open(&c.second, a.client, NAME));
    CHECK_OK(avout_lock_on_lost(a.lock, on_lost, &told));
    CHECK_OK(avout_lock_on_lost(c.second, on_lost, &closed));
    CHECK_OK(avout_lock_acquire(NULL, c.second, NULL));
    CHECK(!pthread_create(&thread, NULL, close_while_waited_for, &c));
    CHECK_STATUS(AVOUT_ECANCELLED,
                 avout_condition_wait(condition, &(avout_wait_options){.cancel = c.cancel}));
    pthread_join(thread, NULL);
    avout_cancel_free(c.cancel);
    CHECK_OK(avout__mem_expire(a.store));
    TEST_AWAIT(told.calls == 1);
    CHECK_INT(0, closed.calls);
    CHECK_STATUS(AVOUT_ELOST, avout_lock_release(a.lock));
    avout_condition_close(condition);
    close_side(&a);
    suite_check_memory();
}

TEST(callbacks_end_with_their_handle)
{
    side a = open_side(0, NULL);
    lost told = {0}, closing = {0}, replaced = {0};
    avout_lock *second;
    CHECK_OK(avout_lock_open(&second, a.client, NAME));
    CHECK_OK(avout_lock_on_lost(a.lock, on_lost, &replaced));
    CHECK_OK(avout_lock_on_lost(a.lock, on_lost, &told));
    CHECK_OK(avout_lock_on_lost(second, on_lost, &closing));
    closing.close = second;
    CHECK_OK(avout_lock_acquire(NULL, second, NULL));
    CHECK_OK(avout__mem_expire(a.store));
    TEST_AWAIT(closing.calls == 1);
    CHECK_STATUS(AVOUT_ELOST, avout_lock_release(a.lock));
    CHECK_OK(avout_lock_acquire(NULL, a.lock, NULL));
    CHECK_OK(avout_lock_on_lost(a.lock, NULL, NULL));
    CHECK_OK(avout__mem_expire(a.store));
    TEST_AWAIT(!avout_lock_is_held(a.lock));
    CHECK_STATUS(AVOUT_ELOST, avout_lock_release(a.lock));
    /* Acquired through a handle that is closed by then. */
    CHECK_OK(avout_lock_open(&second, a.client, NAME));
    CHECK_OK(avout_lock_on_lost(second, on_lost, &told));
    CHECK_OK(avout_lock_acquire(NULL, second, NULL));
    avout_lock_close(second);
    CHECK(avout_lock_is_held(a.lock));
    CHECK_OK(avout__mem_expire(a.store));
    TEST_AWAIT(!avout_lock_is_held(a.lock));
    CHECK_STATUS(AVOUT_ELOST, avout_lock_release(a.lock));
    close_side(&a);
    CHECK_INT(0, told.calls);
    CHECK_INT(0, replaced.calls);
    suite_check_memory();
}

/* Who waits, waits on: at the queue's end, with a claim of the new session. */
TEST(waiting_goes_on_when_the_session_ends)
{
    side a = open_side(0, NULL), b = open_side(1, NULL), c = open_side(2, NULL);
    locks_waiter first, second;
    CHECK_OK(avout_lock_acquire(NULL, a.lock, NULL));
    locks_start(&first, b.lock, PATIENT);
    TEST_AWAIT(queue_length(&a) == 2);
    locks_start(&second, c.lock, PATIENT);
    TEST_AWAIT(armed(&b) == 2 && armed(&c) == 2);
    CHECK_OK(avout__mem_expire(b.store));
    avout_lock_report *report;
    for (bool moved = false; !moved;) {
        CHECK_OK(avout_lock_inspect(&report, c.client, NAME));
        moved = report->count == 3 && report->entries[1].mine;
        avout_lock_report_free(report);
    }
    CHECK_OK(avout_lock_release(a.lock));
    CHECK_OK(locks_finish(&first));
    CHECK_OK(locks_finish(&second));
    CHECK(avout_token_compare(second.token, first.token) < 0);
    CHECK_INT(0, queue_length(&a));
    close_side(&a);
    close_side(&b);
    close_side(&c);
    suite_check_memory();
}

/* The claim's creation is still on its way when nobody wants it any more: it must not come later. */
TEST(what_arrives_late_blocks_nobody)
{
    for (int kind = 0; kind < 3; kind++) {
        side a = open_side(0, NULL), b = open_side(1, NULL);
        CHECK_OK(avout_lock_acquire(NULL, a.lock, NULL)); /* the directories are there */
        CHECK_OK(avout_lock_release(a.lock));
        avout__mem_reconnect_after(a.store, AVOUT_FOREVER);
        engine_fault(a.store, (avout__mem_fault){.kind = kind == 0   ? AVOUT__MEM_LOSE_LATE
                                                         : kind == 1 ? AVOUT__MEM_LOSE_AFTER
                                                                     : AVOUT__MEM_LOSE_BEFORE,
                                                 .multis = true});
        CHECK_STATUS(AVOUT_ETIMEOUT,
                     avout_lock_acquire(NULL, a.lock, &(avout_wait_options){.timeout_ms = 30}));
        CHECK_INT(kind == 1, queue_length(&b));
        uint64_t multis = multis_of(&a);
        CHECK_OK(avout__mem_reconnect(a.store));
        TEST_AWAIT(multis_of(&a) > multis); /* the fence */
        TEST_AWAIT(!queue_length(&b));
        avout__mem_release_late(a.store);
        TEST_AWAIT(!queue_length(&a));
        CHECK_OK(avout_lock_try(NULL, b.lock));
        CHECK_OK(avout_lock_release(b.lock));
        close_side(&a);
        close_side(&b);
        suite_check_memory();
    }
}

/* Neither does the client's own, on its way for a thread that has given up. */
TEST(what_nobody_wants_keeps_nobody_out)
{
    side a = open_side(0, NULL);
    CHECK_OK(avout_lock_acquire(NULL, a.lock, NULL));
    CHECK_OK(avout_lock_release(a.lock));
    engine_fault(a.store,
                 (avout__mem_fault){.kind = AVOUT__MEM_DELAY, .multis = true, .delay_ms = 100});
    CHECK_STATUS(AVOUT_ETIMEOUT,
                 avout_lock_acquire(NULL, a.lock, &(avout_wait_options){.timeout_ms = 1}));
    CHECK_OK(avout_lock_try(NULL, a.lock));
    CHECK_OK(avout_lock_release(a.lock));
    close_side(&a);
    suite_check_memory();
}

TEST(releasing_without_a_connection)
{
    side a = open_side(0, &(avout_options){.timeout_ms = 40}), b = open_side(1, NULL);
    for (int expires = 0; expires < 2; expires++) {
        CHECK_OK(avout_lock_acquire(NULL, a.lock, NULL));
        avout__mem_reconnect_after(a.store, AVOUT_FOREVER);
        CHECK_OK(avout__mem_suspend(a.store));
        CHECK(avout_lock_is_held(a.lock)); /* mem's sessions do not time out */
        CHECK_STATUS(AVOUT_ETIMEOUT,
                     avout_lock_acquire(NULL, b.lock, &(avout_wait_options){.timeout_ms = 5}));
        CHECK_STATUS(AVOUT_UNKNOWN, avout_lock_release(a.lock));
        CHECK(!avout_lock_is_held(a.lock));
        CHECK_STATUS(AVOUT_ENOTHELD, avout_lock_release(a.lock));
        CHECK_STATUS(AVOUT_ETIMEOUT, avout_lock_acquire(NULL, a.lock, NULL));
        CHECK_CONTAINS("connection", avout_error_detail());
        if (expires) CHECK_OK(avout__mem_expire(a.store));
        CHECK_OK(avout__mem_reconnect(a.store));
        CHECK_OK(avout_lock_acquire(NULL, b.lock, NULL));
        CHECK_OK(avout_lock_release(b.lock));
    }
    close_side(&a);
    close_side(&b);
    suite_check_memory();
}

/* ---- what it costs ------------------------------------------------------------------------------------ */

typedef struct cost {
    uint64_t multis, lists, reads, events;
} cost;

static cost cost_of(side *s)
{
    avout__mem_counters c;
    avout__mem_counters_of(s->store, &c);
    return (cost){c.multis, c.lists, c.reads, c.events};
}

#define CHECK_COST(before, s, multis_, lists_, reads_, events_)                                    \
    do {                                                                                           \
        cost now_ = cost_of(s);                                                                    \
        CHECK_INT((before).multis + (multis_), now_.multis);                                       \
        CHECK_INT((before).lists + (lists_), now_.lists);                                          \
        CHECK_INT((before).reads + (reads_), now_.reads);                                          \
        CHECK_INT((before).events + (events_), now_.events);                                       \
    } while (0)

TEST(one_run_to_acquire_and_one_multi_to_release)
{
    side a = open_side(0, NULL);
    CHECK_OK(avout_lock_acquire(NULL, a.lock, NULL));
    CHECK_OK(avout_lock_release(a.lock));
    cost before = cost_of(&a);
    CHECK_OK(avout_lock_acquire(NULL, a.lock, NULL));
    CHECK_COST(before, &a, 1, 1, 0, 0);
    CHECK_OK(avout_lock_acquire(NULL, a.lock, NULL));
    CHECK_OK(avout_lock_release(a.lock));
    CHECK_COST(before, &a, 1, 1, 0, 0);
    /* Ten threads of the client: handed on without the store. */
    locks_waiter w[10];
    for (int i = 0; i < 10; i++) locks_start(&w[i], a.lock, PATIENT);
    locks_await_waiting(a.lock, 10);
    CHECK_OK(avout_lock_release(a.lock));
    for (int i = 0; i < 10; i++) CHECK_OK(locks_finish(&w[i]));
    CHECK(cost_of(&a).multis <= before.multis + 6);
    close_side(&a);
    suite_check_memory();
}

TEST(a_release_wakes_one)
{
    enum { SIDES = 6 };
    side s[SIDES];
    locks_waiter w[SIDES];
    cost before[SIDES];
    for (size_t i = 0; i < SIDES; i++) s[i] = open_side(i, NULL);
    CHECK_OK(avout_lock_acquire(NULL, s[0].lock, NULL));
    for (size_t i = 1; i < SIDES; i++) {
        locks_start(&w[i], s[i].lock, PATIENT);
        TEST_AWAIT(queue_length(&s[0]) == i + 1);
        TEST_AWAIT(armed(&s[i]) == 2);
    }
    for (size_t i = 1; i < SIDES; i++) before[i] = cost_of(&s[i]);
    CHECK_OK(avout_lock_release(s[0].lock));
    for (size_t i = 1; i < SIDES; i++) CHECK_OK(locks_finish(&w[i]));
    /* One event of the one before it, one of its own end; who was second had it with the event. */
    for (size_t i = 1; i < SIDES; i++) CHECK_INT(before[i].events + 2, cost_of(&s[i]).events);
    CHECK_INT(before[1].lists, cost_of(&s[1]).lists);
    for (size_t i = 2; i < SIDES; i++) CHECK_INT(before[i].lists + 1, cost_of(&s[i]).lists);
    for (size_t i = 0; i < SIDES; i++) close_side(&s[i]);
    suite_check_memory();
}

/* A child of the process that opened them has no locks: not even to give up. */
TEST(locks_in_a_forked_child)
{
    side a = open_side(0, NULL);
    avout_condition *condition;
    avout_lock_report *report;
    CHECK_OK(avout_condition_open(&condition, a.lock, "c"));
    CHECK_OK(avout_lock_acquire(NULL, a.lock, NULL));
    pid_t child = fork();
    CHECK(child >= 0);
    if (!child) {
        avout_token token;
        avout_lock *lock;
        bool good = avout_lock_acquire(NULL, a.lock, NULL) == AVOUT_EFORK &&
                    avout_lock_try(NULL, a.lock) == AVOUT_EFORK &&
                    avout_lock_release(a.lock) == AVOUT_EFORK &&
                    avout_lock_token(&token, a.lock) == AVOUT_EFORK &&
                    avout_lock_open(&lock, a.client, NAME) == AVOUT_EFORK &&
                    avout_condition_wait(condition, NULL) == AVOUT_EFORK &&
                    avout_condition_signal(condition) == AVOUT_EFORK &&
                    avout_lock_inspect(&report, a.client, NAME) == AVOUT_EFORK &&
                    avout_lock_remove(a.client, NAME) == AVOUT_EFORK &&
                    !avout_lock_is_held(a.lock) && !avout_lock_hold_count(a.lock);
        avout_condition_close(condition);
        avout_lock_close(a.lock);
        avout_close(a.client);
        _exit(good ? 0 : 1);
    }
    int status;
    CHECK_INT(child, waitpid(child, &status, 0));
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    CHECK(avout_lock_is_held(a.lock));
    CHECK_OK(avout_lock_release(a.lock));
    avout_condition_close(condition);
    close_side(&a);
    suite_check_memory();
}
