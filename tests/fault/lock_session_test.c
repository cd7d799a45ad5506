/* Locks and sessions, on command: what is lost and who is told, what waits on, what it costs, and what
 * strangers do.
 * Test-tags: threads */
#include <sys/wait.h>
#include <unistd.h>

#include "engine_support.h"

#define NAME "/dir/lock"
#define NODE "/avout/locks/dir:/lock"

typedef struct side {
    avout_client *client;
    avout_store *store;
    avout_lock *lock;
} side;

static side open_side(size_t index, const avout_options *options)
{
    side s = {0};
    CHECK_OK(avout_connect(engine_url(), options, &s.client));
    s.store = engine_store(index);
    CHECK_OK(avout_lock_open(&s.lock, s.client, NAME));
    return s;
}

static void close_side(side *s)
{
    avout_lock_close(s->lock);
    avout_close(s->client);
}

static size_t queue_length(side *s)
{
    avout_lock_report *report;
    CHECK_OK(avout_lock_inspect(&report, s->client, NAME));
    size_t count = report->count;
    avout_lock_report_free(report);
    return count;
}

static size_t armed(side *s)
{
    avout__mem_counters c;
    avout__mem_counters_of(s->store, &c);
    return c.armed;
}

static uint64_t multis_of(side *s)
{
    avout__mem_counters c;
    avout__mem_counters_of(s->store, &c);
    return c.multis;
}

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

typedef struct waiter {
    avout_lock *lock;
    avout_wait_options options;
    avout_token token;
    avout_status status;
    avout_status released;
    pthread_t thread;
} waiter;

static void *acquire_and_release(void *payload)
{
    waiter *w = payload;
    w->status = avout_lock_acquire(&w->token, w->lock, &w->options);
    if (!w->status) w->released = avout_lock_release(w->lock);
    return NULL;
}

static void start(waiter *w, avout_lock *lock, int64_t timeout_ms)
{
    *w = (waiter){.lock = lock, .options = {.timeout_ms = timeout_ms}};
    CHECK(!pthread_create(&w->thread, NULL, acquire_and_release, w));
}

static avout_status finish(waiter *w)
{
    pthread_join(w->thread, NULL);
    return w->status;
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
    waiter local;
    start(&local, a.lock, 20000); /* waits for this thread: it is not lost with it */
    waiter w;
    ENGINE_AWAIT(queue_length(&b) == 1);
    start(&w, b.lock, 20000);
    ENGINE_AWAIT(queue_length(&a) == 2);
    CHECK_OK(avout__mem_expire(a.store));
    CHECK_OK(finish(&w));
    theirs = w.token;
    CHECK_OK(w.released);
    CHECK_OK(finish(&local));
    CHECK_OK(local.released);
    CHECK(avout_token_compare(first, theirs) < 0);
    CHECK(avout_token_compare(theirs, local.token) < 0);
    ENGINE_AWAIT(told.calls == 1);
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
    ENGINE_AWAIT(closing.calls == 1);
    CHECK_STATUS(AVOUT_ELOST, avout_lock_release(a.lock));
    CHECK_OK(avout_lock_acquire(NULL, a.lock, NULL));
    CHECK_OK(avout_lock_on_lost(a.lock, NULL, NULL));
    CHECK_OK(avout__mem_expire(a.store));
    ENGINE_AWAIT(!avout_lock_is_held(a.lock));
    CHECK_STATUS(AVOUT_ELOST, avout_lock_release(a.lock));
    /* Acquired through a handle that is closed by then. */
    CHECK_OK(avout_lock_open(&second, a.client, NAME));
    CHECK_OK(avout_lock_on_lost(second, on_lost, &told));
    CHECK_OK(avout_lock_acquire(NULL, second, NULL));
    avout_lock_close(second);
    CHECK(avout_lock_is_held(a.lock));
    CHECK_OK(avout__mem_expire(a.store));
    ENGINE_AWAIT(!avout_lock_is_held(a.lock));
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
    waiter first, second;
    CHECK_OK(avout_lock_acquire(NULL, a.lock, NULL));
    start(&first, b.lock, 20000);
    ENGINE_AWAIT(queue_length(&a) == 2);
    start(&second, c.lock, 20000);
    ENGINE_AWAIT(armed(&b) == 1 && armed(&c) == 1);
    CHECK_OK(avout__mem_expire(b.store));
    avout_lock_report *report;
    for (bool moved = false; !moved;) {
        CHECK_OK(avout_lock_inspect(&report, c.client, NAME));
        moved = report->count == 3 && report->entries[1].mine;
        avout_lock_report_free(report);
    }
    CHECK_OK(avout_lock_release(a.lock));
    CHECK_OK(finish(&first));
    CHECK_OK(finish(&second));
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
        ENGINE_AWAIT(multis_of(&a) > multis); /* the fence */
        ENGINE_AWAIT(!queue_length(&b));
        avout__mem_release_late(a.store);
        ENGINE_AWAIT(!queue_length(&a));
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
    waiter w[10];
    for (int i = 0; i < 10; i++) start(&w[i], a.lock, 20000);
    nanosleep(&(struct timespec){0, 20000000}, NULL);
    CHECK_OK(avout_lock_release(a.lock));
    for (int i = 0; i < 10; i++) CHECK_OK(finish(&w[i]));
    CHECK(cost_of(&a).multis <= before.multis + 6);
    close_side(&a);
    suite_check_memory();
}

TEST(a_release_wakes_one)
{
    enum { SIDES = 6 };
    side s[SIDES];
    waiter w[SIDES];
    cost before[SIDES];
    for (size_t i = 0; i < SIDES; i++) s[i] = open_side(i, NULL);
    CHECK_OK(avout_lock_acquire(NULL, s[0].lock, NULL));
    for (size_t i = 1; i < SIDES; i++) {
        start(&w[i], s[i].lock, 20000);
        ENGINE_AWAIT(queue_length(&s[0]) == i + 1);
        ENGINE_AWAIT(armed(&s[i]) == 1);
    }
    for (size_t i = 1; i < SIDES; i++) before[i] = cost_of(&s[i]);
    CHECK_OK(avout_lock_release(s[0].lock));
    for (size_t i = 1; i < SIDES; i++) CHECK_OK(finish(&w[i]));
    /* One event each, of the one before it; who was second had it with the event. */
    for (size_t i = 1; i < SIDES; i++) CHECK_INT(before[i].events + 1, cost_of(&s[i]).events);
    CHECK_INT(before[1].lists, cost_of(&s[1]).lists);
    for (size_t i = 2; i < SIDES; i++) CHECK_INT(before[i].lists + 1, cost_of(&s[i]).lists);
    for (size_t i = 0; i < SIDES; i++) close_side(&s[i]);
    suite_check_memory();
}

/* The last claim in the queue. */
static void claim_path(char *path, size_t size, side *s, const char *kind)
{
    avout_request list = {.kind = AVOUT_REQUEST_LIST, .path = NODE};
    avout__reply reply = AVOUT__REPLY_INIT;
    CHECK_OK(avout__store_call(&reply, s->store, &list, avout__deadline_in_ms(20000)));
    const char *last = "";
    size_t best = 0;
    for (size_t i = 0; i < reply.is.name_count; i++) {
        const char *number = strrchr(reply.is.names[i], '-');
        if (strcmp(number, last) <= 0) continue;
        last = number;
        best = i;
    }
    snprintf(path, size, NODE "/%s", reply.is.names[best]);
    CHECK(strstr(path, kind));
    avout__reply_release(&reply);
}

/* ---- at the end of the store's numbers -------------------------------------------------------------------- */

static void acquire_at(side *s, int32_t sequence, avout_token *token)
{
    CHECK_OK(avout__mem_set_sequence(s->store, NODE, sequence));
    CHECK_OK(avout_lock_acquire(token, s->lock, NULL));
}

/* What its client sent before has reached the store. */
static void settle(side *s)
{
    CHECK_OK(
        engine_raw(s->store, (avout_op){.kind = AVOUT_OP_CHECK, .path = "/avout", .version = -1}));
}

TEST(numbers_begin_anew_long_before_they_end)
{
    side a = open_side(0, NULL), b = open_side(1, NULL);
    avout_token tokens[3];
    char path[256];
    waiter w;
    CHECK_OK(avout_lock_acquire(&tokens[0], a.lock, NULL));
    CHECK_OK(avout_lock_release(a.lock));
    acquire_at(&a, 1 << 30, &tokens[1]);
    CHECK(avout_token_compare(tokens[0], tokens[1]) < 0);
    start(&w, b.lock, 20000);
    ENGINE_AWAIT(queue_length(&a) == 2);
    CHECK_OK(avout_lock_release(a.lock));
    CHECK_OK(finish(&w));
    CHECK(avout_token_compare(tokens[1], w.token) < 0);
    settle(&b);
    CHECK_OK(avout_lock_acquire(&tokens[2], a.lock, NULL));
    CHECK(avout_token_compare(w.token, tokens[2]) < 0);
    claim_path(path, sizeof path, &a, "-0000000000");
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
    CHECK_OK(engine_raw(a.store, (avout_op){.kind = AVOUT_OP_CREATE, .path = NODE "/notes"}));
    acquire_at(&a, INT32_MAX, NULL);
    CHECK_STATUS(AVOUT_ELIMIT, avout_lock_acquire(NULL, b.lock, NULL));
    CHECK_CONTAINS("used up", avout_error_detail());
    CHECK_STATUS(AVOUT_ELIMIT, avout_lock_try(NULL, b.lock));
    CHECK_STATUS(AVOUT_ELIMIT, avout_rwlock_read(NULL, other_reader, NULL));
    ENGINE_AWAIT(queue_length(&a) == 1);
    CHECK_OK(avout_lock_release(a.lock));
    CHECK_OK(avout_lock_acquire(NULL, b.lock, NULL));
    CHECK_OK(avout_lock_release(b.lock));
    CHECK_OK(avout_rwlock_read(NULL, reader, NULL));
    CHECK_OK(avout_rwlock_read(NULL, other_reader, NULL));
    CHECK_OK(avout_rwlock_release_read(reader));
    CHECK_OK(avout_rwlock_release_read(other_reader));
    settle(&a);
    settle(&b);
    CHECK_OK(engine_raw(a.store,
                        (avout_op){.kind = AVOUT_OP_DELETE, .path = NODE "/notes", .version = -1}));
    CHECK_OK(avout_lock_acquire(NULL, b.lock, NULL));
    CHECK_OK(avout_lock_release(b.lock));
    settle(&b);
    CHECK_OK(avout_lock_acquire(NULL, a.lock, NULL));
    char path[256];
    claim_path(path, sizeof path, &a, "-0000000000");
    CHECK_OK(avout_lock_release(a.lock));
    avout_rwlock_close(reader);
    avout_rwlock_close(other_reader);
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
        CHECK_OK(engine_raw(a.store, (avout_op){.kind = AVOUT_OP_CREATE, .path = strangers[i]}));
    /* A claim by its name, whatever it says. */
    CHECK_OK(
        engine_raw(a.store, (avout_op){.kind = AVOUT_OP_CREATE,
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
    char path[256];
    CHECK_OK(avout_lock_acquire(NULL, a.lock, NULL));
    claim_path(path, sizeof path, &a, "/w-");
    CHECK_OK(engine_raw(b.store, (avout_op){.kind = AVOUT_OP_DELETE, .path = path, .version = -1}));
    CHECK_OK(avout_lock_acquire(NULL, b.lock, NULL));
    CHECK_STATUS(AVOUT_ELOST, avout_lock_release(a.lock));
    CHECK_STATUS(AVOUT_ENOTHELD, avout_lock_release(a.lock));
    /* Of one that waits behind another that waits: it makes a new one when it is its turn. */
    waiter w, v;
    start(&w, a.lock, 20000);
    ENGINE_AWAIT(queue_length(&b) == 2);
    side c = open_side(2, NULL);
    start(&v, c.lock, 20000);
    ENGINE_AWAIT(queue_length(&b) == 3);
    claim_path(path, sizeof path, &a, "/w-");
    CHECK_OK(engine_raw(b.store, (avout_op){.kind = AVOUT_OP_DELETE, .path = path, .version = -1}));
    CHECK_OK(avout_lock_release(b.lock));
    CHECK_OK(finish(&w));
    CHECK_OK(finish(&v));
    CHECK(avout_token_compare(w.token, v.token) < 0);
    close_side(&a);
    close_side(&b);
    close_side(&c);
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
