/* What the public conditions promise, on every store. */

#include "base/clock.h"
#include "stm/handles.h"
#include "store/store.h"
#include "support/await.h"
#include "support/locks.h"
#include "support/raw.h"

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

/* Three clients that mean the same condition. */
typedef struct trio {
    avout_client *clients[3];
    avout_lock *locks[3];
    avout_condition *conditions[3];
} trio;

static trio trio_open(void)
{
    trio t;
    for (int i = 0; i < 3; i++) {
        t.clients[i] = suite_connect();
        t.locks[i] = locks_open(t.clients[i], "/q");
        t.conditions[i] = locks_open_condition(t.locks[i], "ticket");
    }
    return t;
}

/* Closes the first one's client, whatever its threads do. */
static void trio_kill(trio *t)
{
    suite_close(t->clients[0]);
    t->clients[0] = NULL;
}

static void trio_close(trio *t)
{
    for (int i = 0; i < 3; i++) {
        avout_condition_close(t->conditions[i]);
        avout_lock_close(t->locks[i]);
        if (t->clients[i]) suite_close(t->clients[i]);
    }
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

/* One that is patient; the numbers are those of tickets, of those who wait, of those who had one. */
static sleeper sleeper_of(avout_lock *lock, avout_condition *condition, _Atomic int *numbers[3])
{
    return (sleeper){.lock = lock,
                     .condition = condition,
                     .options = {.timeout_ms = 50000},
                     .tickets = numbers[0],
                     .waiting = numbers[1],
                     .order = numbers[2]};
}

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
    sleeper s[COUNT];
    _Atomic int tickets = 0, waiting = 0, order = 0;
    trio t = trio_open();
    for (int i = 0; i < COUNT; i++) {
        s[i] = sleeper_of(t.locks[i % 3], t.conditions[i % 3],
                          (_Atomic int *[]){&tickets, &waiting, &order});
        CHECK(!pthread_create(&s[i].thread, NULL, sleep_for_ticket, &s[i]));
        /* Has it and gives it up by waiting: whoever has it then knows that it waits. */
        TEST_AWAIT(waiting == i + 1);
        CHECK_OK(avout_lock_acquire(NULL, t.locks[2], NULL));
        CHECK_OK(avout_lock_release(t.locks[2]));
    }
    for (int i = 0; i < COUNT / 2; i++) {
        CHECK_OK(avout_lock_acquire(NULL, t.locks[i % 3], NULL));
        tickets++;
        CHECK_OK(avout_condition_signal(t.conditions[i % 3]));
        CHECK_INT(i, order);
        CHECK_OK(avout_lock_release(t.locks[i % 3]));
        pthread_join(s[i].thread, NULL);
        CHECK_OK(s[i].status);
        CHECK_INT(i, s[i].place);
    }
    CHECK_OK(avout_lock_acquire(NULL, t.locks[0], NULL));
    tickets = COUNT / 2;
    CHECK_OK(avout_condition_signal_all(t.conditions[0]));
    CHECK_OK(avout_condition_signal_all(t.conditions[0])); /* no more than there are waiters */
    CHECK_OK(avout_lock_release(t.locks[0]));
    for (int i = COUNT / 2; i < COUNT; i++) pthread_join(s[i].thread, NULL);
    CHECK_INT(0, tickets);
    CHECK_INT(COUNT, order);
    locks_await_queue(t.clients[0], "/q", 0);
    trio_close(&t);
}

/* ---- signals that nobody waits for ------------------------------------------------------------------------ */

/* One that its waiter has left behind, as the store has it. */
static void leave_signal(avout_client *client)
{
    CHECK_OK(raw_do(&client->stm->door, (avout_op){.kind = AVOUT_OP_CREATE,
                                                   .sequential = true,
                                                   .path = "/avout/locks/q%c-ticket/s-"}));
}

static void await_nodes(avout_client *client, int64_t count)
{
    TEST_AWAIT(raw_children(&client->stm->door, "/avout/locks/q%c-ticket") == count);
}

TEST(a_signal_left_over_is_for_nobody)
{
    avout_client *client = suite_connect(), *other = suite_connect();
    avout_lock *lock = locks_open(client, "/q"), *theirs = locks_open(other, "/q");
    avout_condition *condition = locks_open_condition(lock, "ticket");
    avout_condition *of_theirs = locks_open_condition(theirs, "ticket");
    avout_wait_options shortly = {.timeout_ms = 30};
    CHECK_OK(avout_lock_acquire(NULL, lock, NULL));
    CHECK_STATUS(AVOUT_ETIMEOUT, avout_condition_wait(condition, &shortly));
    for (int i = 0; i < 3; i++) leave_signal(client);
    /* A later wait does not end because of it, and sweeps it. */
    CHECK_STATUS(AVOUT_ETIMEOUT, avout_condition_wait(condition, &shortly));
    await_nodes(client, 0);
    /* A signal to nobody sweeps as well. */
    leave_signal(client);
    CHECK_OK(avout_condition_signal(condition));
    await_nodes(client, 0);
    /* And it does not count for those who wait now. */
    _Atomic int tickets = 0, waiting = 0, order = 0;
    sleeper s = sleeper_of(theirs, of_theirs, (_Atomic int *[]){&tickets, &waiting, &order});
    CHECK(!pthread_create(&s.thread, NULL, sleep_for_ticket, &s));
    leave_signal(client); /* it is before the other's node: this thread has the lock */
    CHECK_OK(avout_lock_release(lock));
    TEST_AWAIT(waiting);
    CHECK_OK(avout_lock_acquire(NULL, lock, &(avout_wait_options){.timeout_ms = 50000}));
    tickets = 1;
    CHECK_OK(avout_condition_signal(condition));
    CHECK_OK(avout_lock_release(lock));
    pthread_join(s.thread, NULL);
    CHECK_OK(s.status);
    /* It does not keep the lock from being removed. */
    leave_signal(client);
    CHECK_OK(avout_lock_remove(client, "/q"));
    CHECK_STATUS(AVOUT_ENOTFOUND, avout_lock_remove(client, "/q"));
    char names[64] = "";
    CHECK_OK(avout_locks_each(client, "/", suite_add_name, names));
    CHECK_TEXT("", names);
    avout_condition_close(condition);
    avout_condition_close(of_theirs);
    avout_lock_close(lock);
    avout_lock_close(theirs);
    suite_close(client);
    suite_close(other);
    suite_check_memory();
}

TEST(who_waits_keeps_the_lock_from_being_removed)
{
    avout_client *client = suite_connect();
    avout_lock *lock = locks_open(client, "/q");
    avout_condition *condition = locks_open_condition(lock, "ticket");
    _Atomic int tickets = 0, waiting = 0, order = 0;
    sleeper s = sleeper_of(lock, condition, (_Atomic int *[]){&tickets, &waiting, &order});
    CHECK(!pthread_create(&s.thread, NULL, sleep_for_ticket, &s));
    TEST_AWAIT(waiting);
    locks_await_queue(client, "/q", 0);
    CHECK_STATUS(AVOUT_EBUSY, avout_lock_remove(client, "/q"));
    CHECK_OK(avout_lock_acquire(NULL, lock, NULL));
    tickets = 1;
    CHECK_OK(avout_condition_signal_all(condition));
    CHECK_OK(avout_lock_release(lock));
    pthread_join(s.thread, NULL);
    CHECK_OK(s.status);
    await_nodes(client, 0);
    CHECK_OK(avout_lock_remove(client, "/q"));
    avout_condition_close(condition);
    avout_lock_close(lock);
    suite_close(client);
    suite_check_memory();
}

/* Two wait, one signal, and the first gives up, is cancelled or dies at any moment around it: the ticket is
 * taken by the one that the signal woke, always. */
enum { FATES = 3, TIMES = 8 };

typedef struct frail {
    avout_lock *lock;
    avout_condition *condition;
    avout_wait_options options;
    _Atomic int *tickets;
    _Atomic bool begun;
    pthread_t thread;
} frail;

/* Takes a ticket only when it was woken: one that gives up leaves it to the other. */
static void *wait_frailly(void *payload)
{
    frail *f = payload;
    avout_status status =
        avout_lock_acquire(NULL, f->lock, &(avout_wait_options){.timeout_ms = 50000});
    f->begun = true;
    while (!status && !*f->tickets) status = avout_condition_wait(f->condition, &f->options);
    if (!status) atomic_fetch_sub(f->tickets, 1);
    if (status != AVOUT_ECLOSED) status = avout_lock_release(f->lock);
    if (status != AVOUT_ECLOSED) CHECK_OK(status);
    return NULL;
}

static void one_fate(int fate, int64_t delay_us)
{
    frail f[2];
    _Atomic int tickets = 0;
    avout_cancel *cancel;
    CHECK_OK(avout_cancel_new(&cancel));
    trio t = trio_open();
    for (int i = 0; i < 2; i++) {
        f[i] = (frail){.lock = t.locks[i],
                       .condition = t.conditions[i],
                       .options = {.timeout_ms = 50000},
                       .tickets = &tickets};
        if (i == 0 && fate == 0) f[i].options.timeout_ms = 1 + delay_us / 500;
        if (i == 0 && fate == 1) f[i].options.cancel = cancel;
        CHECK(!pthread_create(&f[i].thread, NULL, wait_frailly, &f[i]));
        TEST_AWAIT(f[i].begun);
    }
    CHECK_OK(avout_lock_acquire(NULL, t.locks[2], &(avout_wait_options){.timeout_ms = 50000}));
    tickets = 1;
    CHECK_OK(avout_condition_signal(t.conditions[2]));
    CHECK_OK(avout_lock_release(t.locks[2]));
    test_pause_us(delay_us); /* the end may come at any moment of the wait */
    if (fate == 1) avout_cancel_set(cancel);
    if (fate == 2) trio_kill(&t);
    pthread_join(f[0].thread, NULL);
    /* The second has it now, or will have: unless the first one has had it. */
    TEST_AWAIT(!tickets);
    CHECK_OK(avout_lock_acquire(NULL, t.locks[2], &(avout_wait_options){.timeout_ms = 50000}));
    tickets = 1;
    CHECK_OK(avout_condition_signal_all(t.conditions[2]));
    CHECK_OK(avout_lock_release(t.locks[2]));
    pthread_join(f[1].thread, NULL);
    avout_cancel_free(cancel);
    trio_close(&t);
}

TEST(a_signal_finds_who_still_waits)
{
    for (int i = 0; i < TIMES; i++)
        for (int fate = 0; fate < FATES; fate++) one_fate(fate, i * 250);
}

/* Woken, but not in time to have the lock: the signal goes on to the next. */
static void *give_up_the_lock(void *payload)
{
    sleeper *s = payload;
    CHECK_OK(avout_lock_acquire(NULL, s->lock, NULL));
    atomic_fetch_add(s->waiting, 1);
    s->status = avout_condition_wait(s->condition, &s->options);
    return NULL;
}

TEST(who_is_woken_and_cannot_have_the_lock_leaves_the_signal)
{
    for (int dies = 0; dies < 2; dies++) {
        sleeper s[2];
        _Atomic int tickets = 0, waiting = 0, order = 0;
        trio t = trio_open();
        for (int i = 0; i < 2; i++) {
            s[i] = sleeper_of(t.locks[i], t.conditions[i],
                              (_Atomic int *[]){&tickets, &waiting, &order});
            if (i == 0 && !dies) s[i].options.reacquire_ms = 20;
            CHECK(!pthread_create(&s[i].thread, NULL, i ? sleep_for_ticket : give_up_the_lock,
                                  &s[i]));
            TEST_AWAIT(waiting == i + 1);
            locks_await_queue(t.clients[2], "/q", 0); /* it waits for the signal */
        }
        CHECK_OK(avout_lock_acquire(NULL, t.locks[2], NULL));
        tickets = 1;
        CHECK_OK(avout_condition_signal(t.conditions[2]));
        locks_await_queue(t.clients[2], "/q", 2); /* it has heard it, and waits for the lock */
        if (dies) trio_kill(&t);
        pthread_join(s[0].thread, NULL);
        CHECK_INT(dies ? AVOUT_ECLOSED : AVOUT_ELOST, s[0].status);
        CHECK_OK(avout_lock_release(t.locks[2]));
        pthread_join(s[1].thread, NULL);
        CHECK_OK(s[1].status);
        CHECK_INT(0, tickets);
        trio_close(&t);
        suite_check_memory();
    }
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
    sleeper s = sleeper_of(lock, condition, (_Atomic int *[]){&tickets, &waiting, &order});
    s.options.timeout_ms = AVOUT_FOREVER;
    CHECK(!pthread_create(&s.thread, NULL, sleep_for_ticket, &s));
    TEST_AWAIT(waiting);
    locks_await_queue(client, "/q", 0); /* it has given the lock up, and waits */
    suite_close(client);
    pthread_join(s.thread, NULL);
    CHECK_INT(AVOUT_ECLOSED, s.status);
    avout_condition_close(condition);
    avout_lock_close(lock);
    suite_check_memory();
}
