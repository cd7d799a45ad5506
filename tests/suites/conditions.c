/* What the public conditions promise, on every store. */
#include <time.h>

#include "support/locks.h"

TEST(a_condition_alone)
{
    avout_client *client = suite_connect();
    avout_lock *lock = locks_open(client, "/q");
    avout_condition *condition;
    static const char *bad[] = {
        "",
        "a/b",
        "/",
        ".",
        "..",
        "\n",
        "01234567890123456789012345678901234567890123456789012345678901234"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CHECK_STATUS(AVOUT_ENAME, avout_condition_open(&condition, lock, bad[i]));
    CHECK_STATUS(AVOUT_EINVAL, avout_condition_open(&condition, lock, NULL));
    condition = locks_open_condition(lock, "not-empty");
    CHECK_STATUS(AVOUT_ENOTHELD, avout_condition_wait(condition, NULL));
    CHECK_STATUS(AVOUT_ENOTHELD, avout_condition_signal(condition));
    CHECK_STATUS(AVOUT_ENOTHELD, avout_condition_signal_all(condition));
    avout_token before, after;
    CHECK_OK(avout_lock_acquire(&before, lock, NULL));
    CHECK_OK(avout_lock_acquire(NULL, lock, NULL));
    CHECK_OK(avout_condition_signal(condition)); /* to nobody: it is not kept */
    CHECK_OK(avout_condition_signal_all(condition));
    int64_t begun = locks_now_ms();
    CHECK_STATUS(AVOUT_ETIMEOUT,
                 avout_condition_wait(condition, &(avout_wait_options){.timeout_ms = 30}));
    CHECK(locks_now_ms() - begun >= 30);
    CHECK(avout_lock_is_held(lock));
    CHECK_INT(2, avout_lock_hold_count(lock));
    CHECK_OK(avout_lock_token(&after, lock));
    CHECK(avout_token_compare(before, after) < 0);
    avout_cancel *cancel;
    CHECK_OK(avout_cancel_new(&cancel));
    avout_cancel_set(cancel);
    CHECK_STATUS(AVOUT_ECANCELLED,
                 avout_condition_wait(condition, &(avout_wait_options){.cancel = cancel}));
    CHECK_INT(2, avout_lock_hold_count(lock));
    avout_cancel_free(cancel);
    CHECK_OK(avout_lock_release(lock));
    CHECK_OK(avout_lock_release(lock));
    avout_condition_close(condition);
    avout_condition_close(NULL);
    avout_lock_close(lock);
    suite_close(client);
    suite_check_memory();
}

typedef struct sleeper {
    avout_lock *lock;
    avout_condition *condition;
    avout_wait_options options;
    _Atomic int *tickets; /* what is waited for: guarded by the lock */
    _Atomic int *waiting;
    avout_status status;
    int place;
    _Atomic int *order;
    pthread_t thread;
} sleeper;

static void *sleep_for_ticket(void *payload)
{
    sleeper *s = payload;
    CHECK_OK(avout_lock_acquire(NULL, s->lock, &(avout_wait_options){.timeout_ms = 50000}));
    atomic_fetch_add(s->waiting, 1);
    while (!*s->tickets && !s->status) s->status = avout_condition_wait(s->condition, &s->options);
    if (*s->tickets) {
        atomic_fetch_sub(s->tickets, 1);
        s->place = atomic_fetch_add(s->order, 1);
    }
    if (s->status != AVOUT_ECLOSED) CHECK_OK(avout_lock_release(s->lock));
    return NULL;
}

/* Who has acquired it for reading as well has it back in both ways. */
TEST(a_condition_of_one_who_reads_and_writes)
{
    avout_client *client = suite_connect();
    avout_lock *lock = locks_open(client, "/l");
    avout_rwlock *same = locks_open_rw(client, "/l");
    avout_condition *condition;
    CHECK_OK(avout_condition_open(&condition, lock, "ready"));
    for (int i = 0; i < 3; i++) CHECK_OK(avout_lock_acquire(NULL, lock, NULL));
    for (int i = 0; i < 2; i++) CHECK_OK(avout_rwlock_read(NULL, same, NULL));
    CHECK_STATUS(AVOUT_ETIMEOUT,
                 avout_condition_wait(condition, &(avout_wait_options){.timeout_ms = 1}));
    CHECK_INT(3, avout_lock_hold_count(lock));
    CHECK_INT(2, avout_rwlock_read_count(same));
    for (int i = 0; i < 3; i++) CHECK_OK(avout_lock_release(lock));
    for (int i = 0; i < 2; i++) CHECK_OK(avout_rwlock_release_read(same));
    CHECK(!avout_lock_is_held(lock));
    avout_condition_close(condition);
    avout_rwlock_close(same);
    avout_lock_close(lock);
    suite_close(client);
    suite_check_memory();
}

/* Waiters of three clients; each ticket wakes one, in their order; the last ones all at once. */
TEST(signals_wake_in_order)
{
    enum { COUNT = 6 };
    avout_client *clients[3];
    avout_lock *locks[3];
    avout_condition *conditions[3];
    sleeper s[COUNT];
    _Atomic int tickets = 0, waiting = 0, order = 0;
    for (int i = 0; i < 3; i++) {
        clients[i] = suite_connect();
        locks[i] = locks_open(clients[i], "/q");
        conditions[i] = locks_open_condition(locks[i], "ticket");
    }
    for (int i = 0; i < COUNT; i++) {
        s[i] = (sleeper){.lock = locks[i % 3],
                         .condition = conditions[i % 3],
                         .options = {.timeout_ms = 50000},
                         .tickets = &tickets,
                         .waiting = &waiting,
                         .order = &order};
        CHECK(!pthread_create(&s[i].thread, NULL, sleep_for_ticket, &s[i]));
        /* Has it and gives it up by waiting: whoever has it then knows that it waits. */
        while (waiting != i + 1) nanosleep(&(struct timespec){0, 100000}, NULL);
        CHECK_OK(avout_lock_acquire(NULL, locks[2], NULL));
        CHECK_OK(avout_lock_release(locks[2]));
    }
    for (int i = 0; i < COUNT / 2; i++) {
        CHECK_OK(avout_lock_acquire(NULL, locks[i % 3], NULL));
        tickets++;
        CHECK_OK(avout_condition_signal(conditions[i % 3]));
        CHECK_INT(i, order);
        CHECK_OK(avout_lock_release(locks[i % 3]));
        pthread_join(s[i].thread, NULL);
        CHECK_OK(s[i].status);
        CHECK_INT(i, s[i].place);
    }
    CHECK_OK(avout_lock_acquire(NULL, locks[0], NULL));
    tickets = COUNT / 2;
    CHECK_OK(avout_condition_signal_all(conditions[0]));
    CHECK_OK(avout_condition_signal_all(conditions[0])); /* no more than there are waiters */
    CHECK_OK(avout_lock_release(locks[0]));
    for (int i = COUNT / 2; i < COUNT; i++) pthread_join(s[i].thread, NULL);
    CHECK_INT(0, tickets);
    CHECK_INT(COUNT, order);
    locks_await_queue(clients[0], "/q", 0);
    for (int i = 0; i < 3; i++) {
        avout_condition_close(conditions[i]);
        avout_lock_close(locks[i]);
        suite_close(clients[i]);
    }
    suite_check_memory();
}

/* The one that was signalled dies before it hears of it: the next one gets the signal. */
TEST(a_signal_is_not_lost_with_its_waiter)
{
    avout_client *first = suite_connect(), *second = suite_connect(), *client = suite_connect();
    avout_lock *locks[3] = {locks_open(first, "/q"), locks_open(second, "/q"),
                            locks_open(client, "/q")};
    avout_condition *conditions[3];
    sleeper s[2];
    _Atomic int tickets = 0, waiting = 0, order = 0;
    for (int i = 0; i < 3; i++) conditions[i] = locks_open_condition(locks[i], "ticket");
    for (int i = 0; i < 2; i++) {
        s[i] = (sleeper){.lock = locks[i],
                         .condition = conditions[i],
                         .options = {.timeout_ms = 50000},
                         .tickets = &tickets,
                         .waiting = &waiting,
                         .order = &order};
        if (i == 0) s[i].options.timeout_ms = 20; /* gives up, or is closed */
        CHECK(!pthread_create(&s[i].thread, NULL, sleep_for_ticket, &s[i]));
        while (waiting != i + 1) nanosleep(&(struct timespec){0, 100000}, NULL);
        CHECK_OK(avout_lock_acquire(NULL, locks[2], &(avout_wait_options){.timeout_ms = 50000}));
        if (i == 0) CHECK_OK(avout_lock_release(locks[2]));
    }
    /* Has the lock, so nobody comes back from waiting before it is released. */
    CHECK_OK(avout_condition_signal(conditions[2]));
    locks_await_waiting(locks[0], 1); /* has given up: it wants the lock back */
    tickets = 1;
    CHECK_OK(avout_lock_release(locks[2]));
    pthread_join(s[0].thread, NULL);
    if (s[0].status) CHECK_INT(AVOUT_ETIMEOUT, s[0].status);
    CHECK_OK(avout_lock_acquire(NULL, locks[2], &(avout_wait_options){.timeout_ms = 50000}));
    tickets = 1;
    CHECK_OK(avout_condition_signal(conditions[2]));
    CHECK_OK(avout_lock_release(locks[2]));
    pthread_join(s[1].thread, NULL);
    CHECK_OK(s[1].status);
    for (int i = 0; i < 3; i++) {
        avout_condition_close(conditions[i]);
        avout_lock_close(locks[i]);
    }
    suite_close(first);
    suite_close(second);
    suite_close(client);
    suite_check_memory();
}

/* A bounded buffer of one place between producers and consumers of several clients: every item arrives
 * once, and nobody sleeps through a signal. */
enum { ITEMS = 60 };
typedef struct buffer {
    _Atomic bool full;
    _Atomic int item, sent, received;
    _Atomic int64_t sum;
} buffer;

typedef struct party {
    avout_lock *lock;
    avout_condition *filled, *emptied;
    buffer *b;
    bool produces;
    pthread_t thread;
} party;

static void *take_part(void *payload)
{
    party *p = payload;
    buffer *b = p->b;
    avout_wait_options patient = {.timeout_ms = 50000};
    _Atomic int *done = p->produces ? &b->sent : &b->received;
    CHECK_OK(avout_lock_acquire(NULL, p->lock, &patient));
    for (;;) {
        while (b->full == p->produces && *done < ITEMS)
            CHECK_OK(avout_condition_wait(p->produces ? p->emptied : p->filled, &patient));
        if (*done >= ITEMS) break;
        if (p->produces) {
            b->item = ++b->sent;
        } else {
            b->sum += b->item;
            b->received++;
        }
        b->full = p->produces;
        if (*done >= ITEMS)
            CHECK_OK(avout_condition_signal_all(p->produces ? p->emptied : p->filled));
        CHECK_OK(avout_condition_signal(p->produces ? p->filled : p->emptied));
    }
    /* Who ends may have had the signal that was another's. */
    CHECK_OK(avout_condition_signal(p->produces ? p->emptied : p->filled));
    CHECK_OK(avout_lock_release(p->lock));
    return NULL;
}

TEST(producers_and_consumers)
{
    enum { PARTIES = 6 };
    avout_client *clients[3];
    avout_lock *locks[3];
    party p[PARTIES];
    buffer b = {0};
    for (int i = 0; i < 3; i++) {
        clients[i] = suite_connect();
        locks[i] = locks_open(clients[i], "/buffer");
    }
    for (int i = 0; i < PARTIES; i++) {
        avout_lock *lock = locks[i / 2];
        p[i] = (party){.lock = lock,
                       .filled = locks_open_condition(lock, "filled"),
                       .emptied = locks_open_condition(lock, "emptied"),
                       .b = &b,
                       .produces = i % 2};
        CHECK(!pthread_create(&p[i].thread, NULL, take_part, &p[i]));
    }
    for (int i = 0; i < PARTIES; i++) {
        pthread_join(p[i].thread, NULL);
        avout_condition_close(p[i].filled);
        avout_condition_close(p[i].emptied);
    }
    CHECK_INT(ITEMS, b.sent);
    CHECK_INT(ITEMS, b.received);
    CHECK_INT(ITEMS * (ITEMS + 1) / 2, b.sum);
    for (int i = 0; i < 3; i++) {
        avout_lock_close(locks[i]);
        suite_close(clients[i]);
    }
    suite_check_memory();
}

TEST(closing_ends_waits_for_conditions)
{
    avout_client *client = suite_connect();
    avout_lock *lock = locks_open(client, "/q");
    avout_condition *condition = locks_open_condition(lock, "ticket");
    _Atomic int tickets = 0, waiting = 0, order = 0;
    sleeper s = {.lock = lock,
                 .condition = condition,
                 .options = {.timeout_ms = AVOUT_FOREVER},
                 .tickets = &tickets,
                 .waiting = &waiting,
                 .order = &order};
    CHECK(!pthread_create(&s.thread, NULL, sleep_for_ticket, &s));
    while (!waiting) nanosleep(&(struct timespec){0, 100000}, NULL);
    locks_await_queue(client, "/q", 0); /* it has given the lock up, and waits */
    suite_close(client);
    pthread_join(s.thread, NULL);
    CHECK_INT(AVOUT_ECLOSED, s.status);
    avout_condition_close(condition);
    avout_lock_close(lock);
    suite_check_memory();
}
