/* What the public lock promises, one thing after the other, on every store. */
#include <time.h>
#include <unistd.h>

#include "support/locks.h"

/* ---- tokens ---------------------------------------------------------------------------------- */

TEST(tokens_are_text_and_have_an_order)
{
    avout_token tokens[] = {
        {0, 0}, {0, 9}, {1, 0}, {1, 1}, {255, 3}, {256, 0}, {UINT64_MAX, UINT64_MAX}};
    char last[AVOUT_TOKEN_SIZE] = "";
    for (size_t i = 0; i < sizeof tokens / sizeof *tokens; i++) {
        char text[AVOUT_TOKEN_SIZE];
        avout_token parsed;
        CHECK(avout_token_text(text, tokens[i]) == text);
        CHECK_INT(33, strlen(text));
        CHECK(strcmp(last, text) < 0);
        CHECK_OK(avout_token_parse(&parsed, text));
        CHECK_INT(0, avout_token_compare(parsed, tokens[i]));
        if (i) CHECK(avout_token_compare(tokens[i - 1], tokens[i]) < 0);
        if (i) CHECK(avout_token_compare(tokens[i], tokens[i - 1]) > 0);
        memcpy(last, text, sizeof last);
    }
    static const char *bad[] = {"",
                                "1",
                                "0000000000000001",
                                "0000000000000001-",
                                "x",
                                "0000000000000001-000000000000000G",
                                "0000000000000001-00000000000000011",
                                "0000000000000001_0000000000000001",
                                "\xff\x01"};
    avout_token same = {1, 2};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CHECK_STATUS(AVOUT_ESYNTAX, avout_token_parse(&same, bad[i]));
    CHECK_STATUS(AVOUT_EINVAL, avout_token_parse(&same, NULL));
    CHECK(same.point == 1 && same.count == 2);
}

/* ---- one thread ------------------------------------------------------------------------------- */

TEST(a_lock_from_opening_to_closing)
{
    avout_client *client = suite_connect();
    avout_lock *lock = locks_open(client, "/a/b"), *same = locks_open(client, "/a/b");
    avout_token first, again, second;
    CHECK_TEXT("/a/b", avout_lock_name(lock));
    CHECK(!avout_lock_is_held(lock));
    CHECK_INT(0, avout_lock_hold_count(lock));
    CHECK_STATUS(AVOUT_ENOTHELD, avout_lock_release(lock));
    CHECK_CONTAINS("/a/b", avout_error_detail());
    CHECK_STATUS(AVOUT_ENOTHELD, avout_lock_token(&first, lock));

    CHECK_OK(avout_lock_acquire(&first, lock, NULL));
    CHECK(first.point > 0);
    CHECK(avout_lock_is_held(lock));
    CHECK_OK(avout_lock_acquire(&again, same, NULL));
    CHECK_OK(avout_lock_try(NULL, lock));
    CHECK_INT(0, avout_token_compare(first, again));
    CHECK_INT(3, avout_lock_hold_count(same));
    CHECK_INT(1, locks_queue(client, "/a/b"));
    CHECK_OK(avout_lock_release(lock));
    CHECK_OK(avout_lock_release(same));
    CHECK_INT(1, avout_lock_hold_count(lock));
    CHECK(avout_lock_is_held(same));
    CHECK_OK(avout_lock_token(&again, lock));
    CHECK_INT(0, avout_token_compare(first, again));
    CHECK_OK(avout_lock_release(lock));
    CHECK(!avout_lock_is_held(lock));
    CHECK_INT(0, locks_queue(client, "/a/b"));
    CHECK_STATUS(AVOUT_ENOTHELD, avout_lock_release(lock));

    CHECK_OK(avout_lock_try(&second, same));
    CHECK(avout_token_compare(first, second) < 0);
    CHECK_OK(avout_lock_release(lock));
    avout_lock_close(lock);
    avout_lock_close(same);
    avout_lock_close(NULL);
    suite_close(client);
    suite_check_memory();
}

TEST(bad_arguments)
{
    avout_client *client = suite_connect();
    avout_lock *lock;
    CHECK_STATUS(AVOUT_EINVAL, avout_lock_open(&lock, client, NULL));
    for (size_t i = 0; i < SUITE_NO_NAMES; i++) {
        avout_lock_report *report;
        CHECK_STATUS(AVOUT_ENAME, avout_lock_open(&lock, client, suite_no_names[i]));
        CHECK_STATUS(AVOUT_ENAME, avout_lock_inspect(&report, client, suite_no_names[i]));
        CHECK_STATUS(AVOUT_ENAME, avout_lock_remove(client, suite_no_names[i]));
    }
    lock = locks_open(client, "/a");
    CHECK_STATUS(AVOUT_EINVAL,
                 avout_lock_acquire(NULL, lock, &(avout_wait_options){.timeout_ms = -2}));
    CHECK_STATUS(AVOUT_EINVAL,
                 avout_lock_acquire(NULL, lock, &(avout_wait_options){.until_unix_ms = -1}));
    CHECK_STATUS(
        AVOUT_EINVAL,
        avout_lock_acquire(NULL, lock, &(avout_wait_options){.until_unix_ms = 1, .timeout_ms = 1}));
    CHECK_INT(0, locks_queue(client, "/a"));
    avout_lock_close(lock);
    suite_close(client);
    suite_check_memory();
}

/* Names with what the layout escapes, deep ones, long ones; a lock's node never has another's below. */
TEST(names)
{
    avout_client *client = suite_connect();
    char longest[1025] = "/";
    memset(longest + 1, '%', 1023);
    char deep[256] = "";
    for (int i = 0; i < 58; i++) strcat(deep, "/d");
    const char *names[] = {"/a", "/a/b", "/a:", "/a%3A", "/%", "/a/b/c", "/w-1", longest, deep};
    enum { COUNT = sizeof names / sizeof *names };
    avout_lock *locks[COUNT];
    for (size_t i = 0; i < COUNT; i++) {
        locks[i] = locks_open(client, names[i]);
        CHECK_OK(avout_lock_try(NULL, locks[i]));
    }
    for (size_t i = 0; i < COUNT; i++) {
        CHECK_INT(1, locks_queue(client, names[i]));
        CHECK_OK(avout_lock_release(locks[i]));
        avout_lock_close(locks[i]);
        CHECK_OK(avout_lock_remove(client, names[i]));
    }
    char deeper[512];
    CHECK_INT(strlen(deep) + 6, snprintf(deeper, sizeof deeper, "%s/x/y/z", deep));
    avout_lock *lock = locks_open(client, deeper);
    CHECK_STATUS(AVOUT_ELIMIT, avout_lock_try(NULL, lock));
    avout_lock_close(lock);
    suite_close(client);
    suite_check_memory();
}

/* ---- two clients ------------------------------------------------------------------------------- */

TEST(who_has_it_keeps_others_out)
{
    avout_client *client = suite_connect(), *other = suite_connect();
    avout_lock *mine = locks_open(client, "/l"), *theirs = locks_open(other, "/l");
    avout_token first, second;
    CHECK_OK(avout_lock_acquire(&first, mine, NULL));
    CHECK_STATUS(AVOUT_EBUSY, avout_lock_try(NULL, theirs));
    CHECK_CONTAINS("/l", avout_error_detail());
    int64_t begun = locks_now_ms();
    CHECK_STATUS(AVOUT_ETIMEOUT,
                 avout_lock_acquire(NULL, theirs, &(avout_wait_options){.timeout_ms = 50}));
    CHECK(locks_now_ms() - begun >= 50);
    struct timespec wall;
    clock_gettime(CLOCK_REALTIME, &wall);
    int64_t until = wall.tv_sec * 1000 + wall.tv_nsec / 1000000 + 60;
    begun = locks_now_ms();
    CHECK_STATUS(AVOUT_ETIMEOUT,
                 avout_lock_acquire(NULL, theirs, &(avout_wait_options){.until_unix_ms = until}));
    CHECK(locks_now_ms() - begun >= 50);
    CHECK(!avout_lock_is_held(theirs));
    CHECK_STATUS(AVOUT_ENOTHELD, avout_lock_release(theirs));
    locks_await_queue(client, "/l", 1); /* nothing is left behind */
    CHECK(avout_lock_is_held(mine));
    CHECK_OK(avout_lock_release(mine));
    CHECK_OK(avout_lock_acquire(&second, theirs, NULL));
    CHECK(avout_token_compare(first, second) < 0);
    CHECK_STATUS(AVOUT_EBUSY, avout_lock_try(NULL, mine));
    CHECK_OK(avout_lock_release(theirs));
    avout_lock_close(mine);
    avout_lock_close(theirs);
    suite_close(client);
    suite_close(other);
    suite_check_memory();
}

TEST(a_closed_client_gives_up_what_it_held)
{
    avout_client *client = suite_connect(), *other = suite_connect();
    avout_lock *mine = locks_open(client, "/l"), *theirs = locks_open(other, "/l");
    avout_token token;
    CHECK_OK(avout_lock_acquire(NULL, theirs, NULL));
    CHECK_STATUS(AVOUT_EBUSY, avout_lock_try(NULL, mine));
    suite_close(other);
    CHECK_STATUS(AVOUT_ECLOSED, avout_lock_release(theirs));
    CHECK_STATUS(AVOUT_ECLOSED, avout_lock_acquire(NULL, theirs, NULL));
    CHECK_STATUS(AVOUT_ECLOSED, avout_lock_try(NULL, theirs));
    CHECK_STATUS(AVOUT_ECLOSED, avout_lock_token(&token, theirs));
    CHECK_STATUS(AVOUT_ECLOSED, avout_lock_on_lost(theirs, NULL, NULL));
    CHECK(!avout_lock_is_held(theirs));
    CHECK_OK(avout_lock_acquire(NULL, mine, NULL));
    avout_lock_close(theirs);
    avout_lock_close(mine); /* what is held stays held: the client's end takes it */
    suite_close(client);
    suite_check_memory();
}

TEST(closing_ends_waits)
{
    avout_client *client = suite_connect(), *other = suite_connect();
    avout_lock *mine = locks_open(client, "/l"), *theirs = locks_open(other, "/l");
    CHECK_OK(avout_lock_acquire(NULL, mine, NULL));
    locks_waiter w[3];
    for (int i = 0; i < 3; i++)
        locks_start(&w[i], theirs, (avout_wait_options){.timeout_ms = AVOUT_FOREVER});
    locks_await_queue(client, "/l", 2);
    suite_close(other);
    for (int i = 0; i < 3; i++) CHECK_INT(AVOUT_ECLOSED, locks_finish(&w[i]));
    locks_await_queue(client, "/l", 1);
    CHECK_OK(avout_lock_release(mine));
    avout_lock_close(theirs);
    avout_lock_close(mine);
    suite_close(client);
    suite_check_memory();
}

TEST(cancelled_waits)
{
    avout_client *client = suite_connect(), *other = suite_connect();
    avout_lock *mine = locks_open(client, "/l"), *theirs = locks_open(other, "/l");
    avout_cancel *cancel;
    CHECK_OK(avout_cancel_new(&cancel));
    CHECK(!avout_cancel_is_set(cancel));
    CHECK_OK(avout_lock_acquire(NULL, mine, NULL));
    avout_wait_options options = {.timeout_ms = AVOUT_FOREVER, .cancel = cancel};
    locks_waiter w[3];
    locks_start(&w[0], theirs, options);
    locks_await_queue(client, "/l", 2);
    locks_start(&w[1], theirs, options);
    locks_start(&w[2], mine, options);
    locks_await_waiting(theirs, 2);
    locks_await_waiting(mine, 1);
    avout_cancel_set(cancel);
    CHECK(avout_cancel_is_set(cancel));
    for (int i = 0; i < 3; i++) CHECK_INT(AVOUT_ECANCELLED, locks_finish(&w[i]));
    CHECK_STATUS(AVOUT_ECANCELLED, avout_lock_acquire(NULL, theirs, &options));
    locks_await_queue(client, "/l", 1);
    CHECK_OK(avout_lock_release(mine));
    /* What can be had at once may be had. */
    avout_status status = avout_lock_acquire(NULL, mine, &options);
    CHECK(!status || status == AVOUT_ECANCELLED);
    if (!status) CHECK_OK(avout_lock_release(mine));
    avout_cancel_free(cancel);
    avout_cancel_free(NULL);
    avout_cancel_set(NULL);
    locks_await_queue(client, "/l", 0);
    avout_lock_close(theirs);
    avout_lock_close(mine);
    suite_close(client);
    suite_close(other);
    suite_check_memory();
}

/* ---- many ---------------------------------------------------------------------------------------- */

enum { CLIENTS = 3, THREADS = 3, ROUNDS = 40 };

/* What the lock guards lies outside of it: anybody who is not alone here shows. */
typedef struct guarded {
    _Atomic int inside;
    int64_t count;
    avout_token last;
} guarded;

typedef struct worker {
    avout_lock *lock;
    guarded *what;
    pthread_t thread;
    int64_t done;
} worker;

static void *work(void *payload)
{
    worker *w = payload;
    for (int i = 0; i < ROUNDS; i++) {
        avout_token token;
        CHECK_OK(avout_lock_acquire(&token, w->lock, &(avout_wait_options){.timeout_ms = 50000}));
        CHECK_INT(0, atomic_fetch_add(&w->what->inside, 1));
        CHECK(avout_token_compare(w->what->last, token) < 0);
        w->what->last = token;
        w->what->count++;
        if (i % 8 == 0) sched_yield();
        CHECK(avout_lock_is_held(w->lock));
        CHECK_INT(1, atomic_fetch_sub(&w->what->inside, 1));
        CHECK_OK(avout_lock_release(w->lock));
        w->done++;
    }
    return NULL;
}

TEST(one_at_a_time)
{
    avout_client *clients[CLIENTS];
    avout_lock *locks[CLIENTS];
    worker workers[CLIENTS * THREADS];
    guarded what = {0};
    for (int i = 0; i < CLIENTS; i++) {
        clients[i] = suite_connect();
        locks[i] = locks_open(clients[i], "/busy");
    }
    for (int i = 0; i < CLIENTS * THREADS; i++) {
        workers[i] = (worker){.lock = locks[i % CLIENTS], .what = &what};
        CHECK(!pthread_create(&workers[i].thread, NULL, work, &workers[i]));
    }
    for (int i = 0; i < CLIENTS * THREADS; i++) pthread_join(workers[i].thread, NULL);
    CHECK_INT(CLIENTS * THREADS * ROUNDS, what.count);
    CHECK_INT(0, locks_queue(clients[0], "/busy"));
    for (int i = 0; i < CLIENTS; i++) {
        avout_lock_close(locks[i]);
        suite_close(clients[i]);
    }
    suite_check_memory();
}

/* ---- looking ---------------------------------------------------------------------------------------- */

static avout_status stop_at_once(const char *name, bool directory, void *payload)
{
    (void)name, (void)directory, (void)payload;
    return 7;
}

TEST(inspection)
{
    avout_client *client = suite_connect(), *other = suite_connect();
    char names[256] = "";
    CHECK_OK(avout_locks_each(client, "/", suite_add_name, names));
    CHECK_TEXT("", names);
    CHECK_STATUS(AVOUT_ENOTFOUND, avout_locks_each(client, "/a", suite_add_name, names));
    CHECK_STATUS(AVOUT_ENOTFOUND, avout_lock_remove(client, "/a"));
    avout_lock *mine = locks_open(client, "/a"), *theirs = locks_open(other, "/a");
    avout_lock *below = locks_open(client, "/a/b");
    avout_lock_report *report;
    CHECK_OK(avout_lock_inspect(&report, client, "/a"));
    CHECK_INT(0, report->count);
    avout_lock_report_free(report);
    avout_lock_report_free(NULL);

    avout_token token;
    CHECK_OK(avout_lock_acquire(&token, mine, NULL));
    CHECK_OK(avout_lock_acquire(NULL, below, NULL));
    locks_waiter w;
    locks_start(&w, theirs, (avout_wait_options){.timeout_ms = AVOUT_FOREVER});
    locks_await_queue(client, "/a", 2);
    CHECK_OK(avout_lock_inspect(&report, client, "/a"));
    CHECK_INT(2, report->count);
    CHECK_INT(0, report->foreign_count);
    const avout_lock_entry *first = &report->entries[0], *second = &report->entries[1];
    CHECK(first->holds && first->mine && !first->shared);
    CHECK(!second->holds && !second->mine && !second->shared);
    CHECK_INT(getpid(), first->pid);
    CHECK_INT(getpid(), second->pid);
    char host[256];
    gethostname(host, sizeof host);
    CHECK_CONTAINS(first->host, host);
    CHECK(first->session && second->session && first->session != second->session);
    CHECK_INT(token.point, first->token.point);
    CHECK(second->token.point > token.point);
    CHECK(first->since_ms > 0 && first->since_ms <= second->since_ms);
    avout_lock_report_free(report);

    CHECK_OK(avout_locks_each(client, "/", suite_add_name, names));
    CHECK_TEXT("/a /a/ ", names);
    names[0] = '\0';
    CHECK_OK(avout_locks_each(other, "/a", suite_add_name, names));
    CHECK_TEXT("/a/b ", names);
    CHECK_INT(7, avout_locks_each(other, "/a", stop_at_once, names));
    CHECK_STATUS(AVOUT_EBUSY, avout_lock_remove(client, "/a"));
    CHECK_OK(avout_lock_release(mine));
    CHECK_INT(AVOUT_OK, locks_finish(&w));
    CHECK_OK(avout_lock_remove(other, "/a"));
    CHECK_STATUS(AVOUT_ENOTFOUND, avout_lock_remove(client, "/a"));
    /* It comes back by itself, and its tokens go on growing. */
    avout_token later;
    CHECK_OK(avout_lock_acquire(&later, mine, NULL));
    CHECK(avout_token_compare(w.token, later) < 0);
    CHECK_OK(avout_lock_release(mine));
    avout_lock_close(mine);
    avout_lock_close(theirs);
    avout_lock_close(below);
    suite_close(client);
    suite_close(other);
    suite_check_memory();
}
