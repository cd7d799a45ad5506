/* What the public operations of elections promise, one by one, on every store. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "stm/handles.h"
#include "store/store.h"
#include "support/await.h"
#include "support/crowd.h"
#include "support/raw.h"
#include "support/suite.h"

static const avout_wait_options patient = {.timeout_ms = 20000}, hasty = {.timeout_ms = 30};

static avout_election *open_election(avout_client *client, const char *name)
{
    avout_election *election;
    CHECK_OK(avout_election_open(&election, client, name));
    return election;
}

static avout_election *enrol(avout_client *client, const char *name, const char *data)
{
    avout_election *election = open_election(client, name);
    CHECK_OK(avout_election_enrol(election, data, strlen(data)));
    return election;
}

static void check_leader(avout_election *election, const char *data)
{
    avout_candidate *leader;
    CHECK_OK(avout_election_leader(&leader, election));
    CHECK_TEXT(data, leader->data);
    CHECK(leader->leads);
    avout_candidate_free(leader);
}

static size_t candidates(avout_client *client, const char *name)
{
    avout_election_report *report;
    CHECK_OK(avout_election_inspect(&report, client, name));
    size_t count = report->count;
    avout_election_report_free(report);
    return count;
}

/* ---- one ---------------------------------------------------------------------------------------- */

TEST(one_candidate)
{
    avout_client *client = suite_connect();
    avout_election *election = open_election(client, "/a/b");
    avout_candidate *leader;
    avout_token term, second;
    CHECK_TEXT("/a/b", avout_election_name(election));
    CHECK(!avout_election_leads(election));
    CHECK_STATUS(AVOUT_ENOTHELD, avout_election_token(&term, election));
    CHECK_STATUS(AVOUT_ENOTHELD, avout_election_resign(election));
    CHECK_STATUS(AVOUT_ENOTHELD, avout_election_await_term(&term, election, &patient));
    CHECK_STATUS(AVOUT_ENOTFOUND, avout_election_leader(&leader, election));
    CHECK_CONTAINS("/a/b", avout_error_detail());
    CHECK_STATUS(AVOUT_ETIMEOUT, avout_election_await_leader(&leader, election, &hasty));
    CHECK_STATUS(AVOUT_EINVAL, avout_election_enrol(election, NULL, 1));
    CHECK_STATUS(AVOUT_ELIMIT, avout_election_enrol(election, "", AVOUT_CANDIDATE_MAX + 1));

    CHECK_OK(avout_election_enrol(election, "[1 \"two\"]", 9));
    CHECK_STATUS(AVOUT_ESTATE, avout_election_enrol(election, "x", 1));
    CHECK_OK(avout_election_await_term(&term, election, &patient));
    CHECK(avout_election_leads(election));
    CHECK(term.point > 0);
    CHECK_OK(avout_election_token(&second, election));
    CHECK_INT(0, avout_token_compare(term, second));
    CHECK_OK(avout_election_leader(&leader, election));
    CHECK_TEXT("[1 \"two\"]", leader->data);
    CHECK_INT(9, leader->length);
    CHECK_INT(getpid(), leader->pid);
    CHECK(*leader->host && leader->mine && leader->leads && leader->session && leader->since_ms);
    CHECK_INT(0, avout_token_compare(term, leader->token));
    avout_candidate_free(leader);
    CHECK_OK(avout_election_await_leader(&leader, election, &patient));
    CHECK_TEXT("[1 \"two\"]", leader->data);
    avout_candidate_free(leader);
    avout_candidate_free(NULL);

    CHECK_OK(avout_election_resign(election));
    CHECK(!avout_election_leads(election));
    CHECK_STATUS(AVOUT_ENOTHELD, avout_election_resign(election));
    CHECK_INT(0, candidates(client, "/a/b"));
    char *large = calloc(1, AVOUT_CANDIDATE_MAX);
    memset(large, '\n', AVOUT_CANDIDATE_MAX);
    CHECK_OK(avout_election_enrol(election, large, AVOUT_CANDIDATE_MAX));
    CHECK_OK(avout_election_await_term(&second, election, &patient));
    CHECK(avout_token_compare(term, second) < 0);
    CHECK_OK(avout_election_leader(&leader, election));
    CHECK_INT(AVOUT_CANDIDATE_MAX, leader->length);
    CHECK(!memcmp(large, leader->data, AVOUT_CANDIDATE_MAX));
    avout_candidate_free(leader);
    free(large);
    avout_election_close(election); /* resigns */
    TEST_AWAIT(!candidates(client, "/a/b"));
    avout_election_close(NULL);
    suite_close(client);
    suite_check_memory();
}

TEST(bad_names)
{
    avout_client *client = suite_connect();
    avout_election *election;
    CHECK_STATUS(AVOUT_EINVAL, avout_election_open(&election, client, NULL));
    for (size_t i = 0; i < SUITE_NO_NAMES; i++) {
        avout_election_report *report;
        CHECK_STATUS(AVOUT_ENAME, avout_election_open(&election, client, suite_no_names[i]));
        CHECK_STATUS(AVOUT_ENAME, avout_election_inspect(&report, client, suite_no_names[i]));
        CHECK_STATUS(AVOUT_ENAME, avout_election_remove(client, suite_no_names[i]));
    }
    suite_close(client);
    suite_check_memory();
}

/* ---- one after the other ----------------------------------------------------------------------------- */

TEST(one_leads_after_the_other)
{
    enum { COUNT = 4 };
    avout_client *clients[COUNT], *witness = suite_connect();
    avout_election *elections[COUNT], *observer = open_election(witness, "/e");
    avout_token tokens[COUNT];
    char data[2] = "a";
    for (int i = 0; i < COUNT; i++, data[0]++) {
        clients[i] = suite_connect();
        elections[i] = enrol(clients[i], "/e", data);
    }
    CHECK_OK(avout_election_await_term(&tokens[0], elections[0], &patient));
    avout_election_report *report;
    CHECK_OK(avout_election_inspect(&report, clients[2], "/e"));
    CHECK_INT(COUNT, report->count);
    CHECK_INT(0, report->foreign_count);
    for (int i = 0; i < COUNT; i++) {
        CHECK_INT('a' + i, *(const char *)report->candidates[i].data);
        CHECK_INT(i == 0, report->candidates[i].leads);
        CHECK_INT(i == 2, report->candidates[i].mine);
        CHECK_INT(getpid(), report->candidates[i].pid);
    }
    avout_election_report_free(report);
    CHECK_STATUS(AVOUT_EBUSY, avout_election_remove(witness, "/e"));
    check_leader(observer, "a");
    for (int i = 1; i < COUNT; i++) CHECK(!avout_election_leads(elections[i]));
    CHECK_STATUS(AVOUT_ETIMEOUT, avout_election_await_term(NULL, elections[1], &hasty));
    CHECK_OK(avout_election_resign(elections[0]));
    CHECK_OK(avout_election_await_term(&tokens[1], elections[1], &patient));
    check_leader(observer, "b");
    CHECK_OK(avout_election_resign(elections[2])); /* who does not lead resigns, too */
    CHECK(avout_election_leads(elections[1]));
    suite_close(clients[1]);
    CHECK(!avout_election_leads(elections[1]));
    CHECK_STATUS(AVOUT_ECLOSED, avout_election_resign(elections[1]));
    CHECK_STATUS(AVOUT_ECLOSED, avout_election_enrol(elections[1], "x", 1));
    CHECK_STATUS(AVOUT_ECLOSED, avout_election_await_term(NULL, elections[1], NULL));
    CHECK_STATUS(AVOUT_ECLOSED, avout_election_await_leader(NULL, elections[1], NULL));
    CHECK_OK(avout_election_await_term(&tokens[3], elections[3], &patient));
    check_leader(observer, "d");
    CHECK(avout_token_compare(tokens[0], tokens[1]) < 0);
    CHECK(avout_token_compare(tokens[1], tokens[3]) < 0);
    avout_election_close(elections[3]);
    TEST_AWAIT(!candidates(witness, "/e"));
    for (int i = 0; i < 3; i++) avout_election_close(elections[i]);
    for (int i = 0; i < COUNT; i++)
        if (i != 1) suite_close(clients[i]);
    CHECK_OK(avout_election_remove(witness, "/e"));
    CHECK_STATUS(AVOUT_ENOTFOUND, avout_election_remove(witness, "/e"));
    CHECK_OK(avout_election_enrol(observer, "z", 1)); /* it comes back by itself */
    CHECK_OK(avout_election_await_term(NULL, observer, &patient));
    avout_election_close(observer);
    suite_close(witness);
    suite_check_memory();
}

typedef struct waiter {
    avout_election *election;
    avout_wait_options options;
    bool leader;
    avout_status status;
    _Atomic int task;
    pthread_t thread;
} waiter;

static void *wait_for_election(void *payload)
{
    waiter *w = payload;
    w->task = test_task();
    w->status = w->leader ? avout_election_await_leader(NULL, w->election, &w->options)
                          : avout_election_await_term(NULL, w->election, &w->options);
    return NULL;
}

TEST(waits_that_are_cancelled_or_closed)
{
    avout_client *client = suite_connect(), *other = suite_connect();
    avout_election *leading = enrol(client, "/e", "l"), *second = enrol(other, "/e", "s");
    avout_election *observer = open_election(other, "/nobody");
    avout_cancel *cancel;
    CHECK_OK(avout_cancel_new(&cancel));
    avout_wait_options options = {.timeout_ms = AVOUT_FOREVER, .cancel = cancel};
    waiter w[2] = {{.election = second, .options = options},
                   {.election = observer, .options = options, .leader = true}};
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 2; i++) {
            w[i].task = 0;
            CHECK(!pthread_create(&w[i].thread, NULL, wait_for_election, &w[i]));
        }
        for (int i = 0; i < 2; i++) test_await_asleep(&w[i].task);
        if (round) suite_close(other);
        else avout_cancel_set(cancel);
        for (int i = 0; i < 2; i++) {
            pthread_join(w[i].thread, NULL);
            CHECK_INT(round ? AVOUT_ECLOSED : AVOUT_ECANCELLED, w[i].status);
            w[i].options.cancel = NULL;
        }
        if (!round) CHECK_INT(2, candidates(client, "/e")); /* it goes on being one */
    }
    avout_cancel_free(cancel);
    avout_election_close(leading);
    avout_election_close(second);
    avout_election_close(observer);
    suite_close(client);
    suite_check_memory();
}

/* ---- callbacks ------------------------------------------------------------------------------------------ */

typedef struct told {
    pthread_mutex_t mutex;
    char text[512];
    avout_token last;
    _Atomic int calls;
    avout_election *election;
} told;

static void told_add(told *t, const char *text)
{
    pthread_mutex_lock(&t->mutex);
    strcat(t->text, text);
    pthread_mutex_unlock(&t->mutex);
    t->calls++;
}

static void on_term(const char *name, bool elected, avout_token token, void *payload)
{
    told *t = payload;
    CHECK_TEXT("/e", name);
    if (elected) CHECK(avout_token_compare(t->last, token) < 0);
    else CHECK_INT(0, avout_token_compare(t->last, token));
    t->last = token;
    told_add(t, elected ? "+" : "-");
}

static void on_leader(const char *name, const avout_candidate *leader, void *payload)
{
    CHECK_TEXT("/e", name);
    told_add(payload, leader ? leader->data : "0");
}

static bool was_told(told *t, const char *text)
{
    pthread_mutex_lock(&t->mutex);
    bool same = !strcmp(t->text, text);
    pthread_mutex_unlock(&t->mutex);
    return same;
}

static void check_told(told *t, const char *text)
{
    int64_t until = test_patience_ns();
    while (!was_told(t, text)) test_look_again(until, __FILE__, __LINE__, text);
}

TEST(callbacks)
{
    avout_client *client = suite_connect(), *other = suite_connect();
    avout_election *mine = open_election(client, "/e"), *theirs = open_election(other, "/e");
    told term = {.mutex = PTHREAD_MUTEX_INITIALIZER}, leader = {.mutex = PTHREAD_MUTEX_INITIALIZER};
    CHECK_OK(avout_election_on_term(mine, on_term, &term));
    CHECK_OK(avout_election_on_leader(theirs, on_leader, &leader)); /* there is no node yet */
    CHECK_OK(avout_election_enrol(mine, "a", 1));
    check_told(&term, "+");
    check_told(&leader, "a");
    CHECK_OK(avout_election_resign(mine));
    check_told(&term, "+-");
    check_told(&leader, "a0");
    CHECK_OK(avout_election_enrol(theirs, "b", 1));
    check_told(&leader, "a0b");
    CHECK_OK(avout_election_enrol(mine, "c", 1));
    suite_settle(other);
    check_told(&leader, "a0b"); /* that one came is no change */
    check_told(&term, "+-");
    CHECK_OK(avout_election_resign(theirs));
    check_told(&term, "+-+");
    check_told(&leader, "a0bc");
    /* Set when it leads, it is told so. */
    told late = {.mutex = PTHREAD_MUTEX_INITIALIZER}, seen = {.mutex = PTHREAD_MUTEX_INITIALIZER};
    CHECK_OK(avout_election_on_term(mine, on_term, &late));
    CHECK_OK(avout_election_on_leader(mine, on_leader, &seen));
    check_told(&late, "+");
    check_told(&seen, "c");
    CHECK_OK(avout_election_on_term(mine, NULL, NULL));
    CHECK_OK(avout_election_on_leader(theirs, NULL, NULL));
    CHECK_OK(avout_election_resign(mine));
    check_told(&seen, "c0");
    check_told(&late, "+");
    check_told(&term, "+-+");
    check_told(&leader, "a0bc");
    /* Observing again after a pause begins with what is so now. */
    CHECK_OK(avout_election_on_leader(mine, NULL, NULL));
    CHECK_OK(avout_election_enrol(theirs, "d", 1));
    CHECK_OK(avout_election_on_leader(mine, on_leader, &seen));
    check_told(&seen, "c0d");
    avout_election_close(mine);
    avout_election_close(theirs);
    suite_close(client);
    suite_close(other);
    suite_check_memory();
}

static void resign_at_once(const char *name, bool elected, avout_token token, void *payload)
{
    told *t = payload;
    (void)token;
    CHECK_TEXT("/e", name);
    told_add(t, elected ? "+" : "-");
    if (t->calls < 6) {
        if (elected) CHECK_OK(avout_election_resign(t->election));
        else CHECK_OK(avout_election_enrol(t->election, "x", 1));
    } else {
        avout_election_close(t->election);
        t->calls++;
    }
}

/* A callback may do with the handle what it likes, close it as well. */
TEST(callbacks_that_use_the_handle)
{
    avout_client *client = suite_connect();
    told t = {.mutex = PTHREAD_MUTEX_INITIALIZER, .election = open_election(client, "/e")};
    avout_election *election = t.election;
    CHECK_OK(avout_election_on_term(election, resign_at_once, &t));
    CHECK_OK(avout_election_enrol(election, "x", 1));
    TEST_AWAIT(t.calls == 7);
    CHECK_TEXT("+-+-+-", t.text);
    TEST_AWAIT(!candidates(client, "/e"));
    suite_close(client);
    suite_check_memory();
}

/* ---- many ---------------------------------------------------------------------------------------------- */

enum { CLIENTS = 3, HANDLES = 2, TERMS = 12 };

/* What the leader has lies outside of the election: two at a time show. */
typedef struct worker {
    avout_election *election;
    _Atomic int *inside;
    pthread_mutex_t *mutex;
    avout_token *greatest;
    pthread_t thread;
} worker;

static void *lead(void *payload)
{
    worker *w = payload;
    for (int i = 0; i < TERMS; i++) {
        avout_token token;
        CHECK_OK(avout_election_enrol(w->election, "x", 1));
        CHECK_OK(avout_election_await_term(&token, w->election, &patient));
        CHECK_INT(0, atomic_fetch_add(w->inside, 1));
        pthread_mutex_lock(w->mutex);
        CHECK(avout_token_compare(*w->greatest, token) < 0);
        *w->greatest = token;
        pthread_mutex_unlock(w->mutex);
        if (i % 3 == 0) sched_yield();
        CHECK(avout_election_leads(w->election));
        CHECK_INT(1, atomic_fetch_sub(w->inside, 1));
        CHECK_OK(avout_election_resign(w->election));
    }
    return NULL;
}

TEST(one_leads_at_a_time)
{
    avout_client *clients[CLIENTS];
    worker workers[CLIENTS * HANDLES];
    _Atomic int inside = 0;
    avout_token greatest = {0, 0};
    pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    for (int i = 0; i < CLIENTS; i++) clients[i] = suite_connect();
    for (int i = 0; i < CLIENTS * HANDLES; i++) {
        workers[i] = (worker){.election = open_election(clients[i % CLIENTS], "/busy"),
                              .inside = &inside,
                              .mutex = &mutex,
                              .greatest = &greatest};
        CHECK(!pthread_create(&workers[i].thread, NULL, lead, &workers[i]));
    }
    for (int i = 0; i < CLIENTS * HANDLES; i++) pthread_join(workers[i].thread, NULL);
    CHECK_INT(0, candidates(clients[0], "/busy"));
    for (int i = 0; i < CLIENTS * HANDLES; i++) avout_election_close(workers[i].election);
    for (int i = 0; i < CLIENTS; i++) suite_close(clients[i]);
    suite_check_memory();
}

/* ---- strangers, transactions ------------------------------------------------------------------------------- */

/* Of the only candidate, behind its back. */
static void remove_candidate(avout_client *client)
{
    char path[RAW_PATH];
    raw_child(path, &client->stm->door, "/avout/elections/e", RAW_ONLY);
    CHECK_OK(raw_delete(&client->stm->door, path));
}

typedef struct conditional {
    avout_election *election;
    avout_token token;
    avout_ref *ref;
} conditional;

static avout_status write_conditional(avout_txn *txn, void *payload)
{
    conditional *c = payload;
    avout_status status = avout_txn_require_leader(txn, c->election, c->token);
    return status ? status : avout_ref_set(txn, c->ref, avout_int(1));
}

TEST(transactions_conditional_on_leading)
{
    avout_client *client = suite_connect(), *other = suite_connect();
    conditional c = {.election = enrol(client, "/e", "x")};
    CHECK_OK(avout_ref_create(&c.ref, client, "/r", avout_int(0), NULL));
    CHECK_OK(avout_election_await_term(&c.token, c.election, &patient));
    CHECK_OK(avout_dosync(client, write_conditional, &c, NULL));
    CHECK_STATUS(AVOUT_EINVAL, avout_dosync(other, write_conditional, &c, NULL));
    avout_token term = c.token;
    c.token.point--;
    CHECK_STATUS(AVOUT_ELOST, avout_dosync(client, write_conditional, &c, NULL));
    c.token = term;
    remove_candidate(other);
    CHECK_STATUS(AVOUT_ELOST, avout_dosync(client, write_conditional, &c, NULL));
    CHECK_OK(avout_election_resign(c.election));
    CHECK_STATUS(AVOUT_ELOST, avout_dosync(client, write_conditional, &c, NULL));
    CHECK_OK(avout_election_enrol(c.election, "y", 1));
    CHECK_OK(avout_election_await_term(&c.token, c.election, &patient));
    CHECK_OK(avout_dosync(client, write_conditional, &c, NULL));
    avout_ref_close(c.ref);
    avout_election_close(c.election);
    suite_close(client);
    suite_close(other);
    suite_check_memory();
}

TEST(what_strangers_leave)
{
    avout_client *client = suite_connect(), *other = suite_connect();
    avout_election *election = enrol(client, "/e", "x"), *observer = open_election(other, "/e");
    static const char *strange[] = {"x", "e-0123456789abcdef-1-1",
                                    "e-0123456789ABCDEF-1-0000000001",
                                    "1e-0123456789abcdef-1-0000000001"};
    char names[64] = "";
    CHECK_OK(avout_elections_each(client, "/", suite_add_name, names));
    CHECK_TEXT("/e ", names);
    for (size_t i = 0; i < sizeof strange / sizeof *strange; i++) {
        avout_election_report *report;
        char path[128];
        snprintf(path, sizeof path, "/avout/elections/e/%s", strange[i]);
        CHECK_OK(raw_do(&client->stm->door, (avout_op){.kind = AVOUT_OP_CREATE, .path = path}));
        CHECK_OK(avout_election_resign(election));
        CHECK_STATUS(AVOUT_ENOTEMPTY, avout_election_remove(other, "/e"));
        CHECK_OK(avout_election_enrol(election, "x", 1));
        CHECK_OK(avout_election_await_term(NULL, election, &patient));
        check_leader(observer, "x");
        CHECK_OK(avout_election_inspect(&report, other, "/e"));
        CHECK_INT(1, report->count);
        CHECK_INT(1, report->foreign_count);
        CHECK_TEXT(strange[i], report->foreign[0]);
        avout_election_report_free(report);
        CHECK_OK(raw_delete(&client->stm->door, path));
    }
    /* One that waits and is removed by a stranger is enrolled again. */
    CHECK_OK(avout_election_enrol(observer, "y", 1));
    TEST_AWAIT(candidates(client, "/e") == 2);
    CHECK_OK(avout_election_resign(election));
    CHECK_OK(avout_election_await_term(NULL, observer, &patient));
    avout_election_close(observer);
    avout_election_close(election);
    suite_close(client);
    suite_close(other);
    suite_check_memory();
}
