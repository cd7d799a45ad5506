/* A container on a real server in bad times: the server killed under load, stopped, gone, behind a network
 * that breaks anything anywhere, or none at all. Calls keep their deadlines and say what they know; what
 * was answered with AVOUT_OK is there; transactions that do not touch the container go on.
 *
 * Who includes it has said which store, and defines
 *
 *     static test_server *database_start(void)
 *     static avout_status database_open(avout_versioned_container **container, int port,
 *                                       const char *options)      with a password in its address, if it can
 *     DATABASE_KIND, DATABASE_PLACE        the container's kind, a part of its place
 *     DATABASE_ONE, DATABASE_SOON          options: one connection; a server is waited for a second at most
 *     DATABASE_SETS                        what is in each request of set_state_at, and in no other
 *     static const impostor_answer database_nonsense[]      what servers of other kinds might answer */
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "avout/sys/container.h"
#include "support/proxy.h"
#include "support/server.h"
#include "support/suite.h"

enum { TIMEOUT_MS = 20000, WRITERS = 4 };

static avout_versioned_container *open_at(int port, const char *options)
{
    avout_versioned_container *container;
    CHECK_OK(database_open(&container, port, options));
    CHECK_OK(container->ops->init(container, TIMEOUT_MS));
    return container;
}

static avout_status set_int(avout_versioned_container *c, const char *version, int64_t number,
                            int64_t timeout_ms)
{
    avout_value value = avout_int(number);
    avout_status status = c->ops->set_state_at(c, version, value, timeout_ms);
    avout_release(value);
    return status;
}

/* -1: it is not there, for sure. */
static int64_t get_int(avout_versioned_container *c, const char *version)
{
    avout_value value;
    int64_t number;
    avout_status status = c->ops->get_state_at(&value, c, version, TIMEOUT_MS);
    if (status == AVOUT_ENOTFOUND) return -1;
    CHECK_OK(status);
    CHECK_OK(avout_value_to_int(&number, value));
    avout_release(value);
    return number;
}

/* ---- many writers, and what they were told --------------------------------------------------------- */

typedef struct writer {
    avout_versioned_container *container;
    pthread_t thread;
    int number, failed;
    _Atomic int written, task;
    int64_t timeout_ms;
} writer;

static _Atomic bool done;

static void name_of(char name[32], const writer *w, int n)
{
    snprintf(name, 32, "w%d-%d", w->number, n);
}

/* Sets, reads back, and deletes each second one. */
static void *write_on(void *payload)
{
    writer *w = payload;
    char name[32];
    w->task = test_task();
    while (!atomic_load(&done)) {
        name_of(name, w, w->written);
        avout_status status = set_int(w->container, name, w->written, w->timeout_ms);
        if (status) {
            CHECK(status == AVOUT_ECONNECTION || status == AVOUT_ETIMEOUT);
            w->failed++;
            break; /* nobody knows of this one, and it is the last */
        }
        CHECK_INT(w->written, get_int(w->container, name));
        if (w->written % 2)
            CHECK_OK(w->container->ops->delete_state_at(w->container, name, TIMEOUT_MS));
        w->written++;
    }
    return NULL;
}

static void start_writers(writer writers[WRITERS], avout_versioned_container *c)
{
    atomic_store(&done, false);
    for (int i = 0; i < WRITERS; i++) {
        writers[i] = (writer){.container = c, .number = i, .timeout_ms = TIMEOUT_MS};
        CHECK(!pthread_create(&writers[i].thread, NULL, write_on, &writers[i]));
    }
}

static int end_writers(writer writers[WRITERS])
{
    int written = 0;
    atomic_store(&done, true);
    for (int i = 0; i < WRITERS; i++) pthread_join(writers[i].thread, NULL);
    for (int i = 0; i < WRITERS; i++) {
        char name[32];
        for (int n = 0; n < writers[i].written; n++) {
            name_of(name, &writers[i], n);
            CHECK_INT(n % 2 ? -1 : n, get_int(writers[i].container, name));
        }
        CHECK_INT(0, writers[i].failed);
        written += writers[i].written;
    }
    fprintf(stderr, "# %d written\n", written);
    return written;
}

TEST_WITHIN(a_server_that_is_killed_under_load_loses_nothing, 90)
{
    test_server *server = database_start();
    avout_versioned_container *c = open_at(test_server_port(server), "");
    writer writers[WRITERS];
    CHECK_OK(
        set_int(c, "first-1", 1, TIMEOUT_MS)); /* FerretDB may not survive if killed in that one */
    start_writers(writers, c);
    for (int i = 0; i < 4; i++) {
        test_pause_ms(150 + rand() % 100);
        test_server_kill(server);
        test_pause_ms(rand() % 300);
        test_server_restart(server);
        test_server_wait(server);
    }
    int before = writers[0].written;
    TEST_AWAIT(writers[0].written > before);
    CHECK(end_writers(writers) > 10);
    c->ops->close(c);
}

/* Also answers that never come: the write may be there, and is known by its number. */
TEST_WITHIN(a_network_that_breaks_loses_nothing, 120)
{
    test_server *server = database_start();
    test_proxy *proxy = proxy_start(test_server_port(server));
    avout_versioned_container *c = open_at(proxy_port(proxy), "");
    writer writers[WRITERS];
    proxy_set(proxy, PROXY_CHAOS);
    start_writers(writers, c);
    for (int i = 0; i < 500 && proxy_broken(proxy) < 30; i++) test_pause_ms(20);
    proxy_set(proxy, PROXY_PASS);
    int broken = (int)proxy_broken(proxy), written = end_writers(writers);
    fprintf(stderr, "# %d connections broke\n", broken);
    CHECK(broken > 5 && written > 10);
    c->ops->close(c);
}

/* ---- answers that are lost ------------------------------------------------------------------------ */

/* Passes everything on, but hangs up instead of the answer to the first `losses` inserts. */
typedef struct relay {
    int listener, port, to_port;
    const char *sets; /* what an insert has in it */
    _Atomic int losses;
    pthread_t thread;
    pthread_t carriers[64];
    int fds[64][2], count;
} relay;

typedef struct carrier {
    relay *of;
    int fds[2];
} carrier;

static bool carry(int from, int to, const char *sets, bool *inserts)
{
    char bytes[65536];
    ssize_t got = recv(from, bytes, sizeof bytes, 0);
    if (got <= 0) return false;
    *inserts = memmem(bytes, (size_t)got, sets, strlen(sets)) != NULL;
    return send(to, bytes, (size_t)got, MSG_NOSIGNAL) == got;
}

static void *carry_on(void *payload)
{
    carrier c = *(carrier *)payload;
    free(payload);
    struct pollfd polled[2] = {{c.fds[0], POLLIN, 0}, {c.fds[1], POLLIN, 0}};
    bool flows = true, inserts = false, unused;
    while (flows && poll(polled, 2, -1) > 0) {
        bool answers = polled[1].revents != 0;
        if (answers && inserts && atomic_fetch_sub(&c.of->losses, 1) > 0) break;
        flows = answers ? carry(c.fds[1], c.fds[0], c.of->sets, &unused)
                        : carry(c.fds[0], c.fds[1], c.of->sets, &inserts);
    }
    shutdown(c.fds[0], SHUT_RDWR);
    shutdown(c.fds[1], SHUT_RDWR);
    return NULL;
}

static void *accept_on(void *payload)
{
    relay *r = payload;
    for (int fd; r->count < 64 && (fd = accept(r->listener, NULL, NULL)) >= 0; r->count++) {
        carrier *c = malloc(sizeof *c);
        CHECK(c);
        *c = (carrier){r, {fd, test_connect(r->to_port)}};
        memcpy(r->fds[r->count], c->fds, sizeof c->fds);
        CHECK(!pthread_create(&r->carriers[r->count], NULL, carry_on, c));
    }
    return NULL;
}

static void start_relay(relay *r, const test_server *server, const char *sets)
{
    r->to_port = test_server_port(server);
    r->sets = sets;
    r->listener = test_listen(&r->port);
    CHECK(!pthread_create(&r->thread, NULL, accept_on, r));
}

static void end_relay(relay *r)
{
    shutdown(r->listener, SHUT_RDWR);
    pthread_join(r->thread, NULL);
    for (int i = 0; i < r->count; i++) {
        shutdown(r->fds[i][0], SHUT_RDWR);
        pthread_join(r->carriers[i], NULL);
        close(r->fds[i][0]);
        close(r->fds[i][1]);
    }
    close(r->listener);
}

/* It is there because of the call that was not told, which finds that out; and is not another's. Closes it. */
static void lose_answers(relay *r, avout_versioned_container *c)
{
    CHECK_OK(set_int(c, "other-1", 1, TIMEOUT_MS));
    for (int losses = 1; losses < 3; losses++) {
        char name[32];
        snprintf(name, sizeof name, "lost-%d", losses);
        atomic_store(&r->losses, losses);
        CHECK_OK(set_int(c, name, losses, TIMEOUT_MS));
        CHECK(atomic_load(&r->losses) <= 0);
        CHECK_INT(losses, get_int(c, name));
        atomic_store(&r->losses, losses);
        CHECK_STATUS(AVOUT_EEXISTS, set_int(c, "other-1", losses, TIMEOUT_MS));
        CHECK(atomic_load(&r->losses) <= 0);
    }
    CHECK_INT(1, get_int(c, "other-1"));
    c->ops->close(c);
}

TEST(a_lost_answer_is_asked_for_again)
{
    relay r = {0};
    start_relay(&r, database_start(), DATABASE_SETS);
    lose_answers(&r, open_at(r.port, ""));
    end_relay(&r);
}

/* ---- deadlines ----------------------------------------------------------------------------------------- */

static avout_status never(const char *version, void *payload)
{
    (void)version, (void)payload;
    return AVOUT_OK;
}

typedef struct late_call {
    avout_versioned_container *container;
    pthread_t thread;
    int number;
    int64_t timeout_ms;
} late_call;

static void *call_late(void *payload)
{
    late_call *l = payload;
    avout_versioned_container *c = l->container;
    avout_value value = AVOUT_NONE;
    avout_status status = AVOUT_OK;
    double start = test_seconds(), limit = (double)l->timeout_ms / 1000 + 0.7;
    if (l->number == 0) status = c->ops->init(c, l->timeout_ms);
    if (l->number == 1) status = set_int(c, "late-1", 1, l->timeout_ms);
    if (l->number == 2) status = c->ops->get_state_at(&value, c, "late-1", l->timeout_ms);
    if (l->number == 3) status = c->ops->delete_state_at(c, "late-1", l->timeout_ms);
    if (l->number == 4) status = c->ops->list_versions(c, never, NULL, l->timeout_ms);
    double took = test_seconds() - start;
    if (status != AVOUT_ETIMEOUT && status != AVOUT_ECONNECTION)
        test_failed(__FILE__, __LINE__, "call %d: %s (%s)", l->number, avout_status_name(status),
                    avout_error_detail());
    CHECK(*avout_error_detail() && !strstr(avout_error_detail(), "sesame"));
    if (took > limit)
        test_failed(__FILE__, __LINE__, "call %d took %.2f s of %d ms", l->number, took,
                    (int)l->timeout_ms);
    return NULL;
}

/* Each call of the table ends in time. They wait side by side. */
static void check_calls_end(avout_versioned_container *c, int64_t timeout_ms)
{
    late_call calls[5];
    for (int i = 0; i < 5; i++) {
        calls[i] = (late_call){.container = c, .number = i, .timeout_ms = timeout_ms};
        CHECK(!pthread_create(&calls[i].thread, NULL, call_late, &calls[i]));
    }
    for (int i = 0; i < 5; i++) pthread_join(calls[i].thread, NULL);
}

TEST(calls_of_a_stopped_server_end_in_time)
{
    test_server *server = database_start();
    avout_versioned_container *c = open_at(test_server_port(server), "");
    CHECK_OK(set_int(c, "kept-1", 5, TIMEOUT_MS));
    test_server_pause(server);
    check_calls_end(c, 150);
    check_calls_end(c, 500);
    test_server_resume(server);
    CHECK_INT(5, get_int(c, "kept-1"));
    c->ops->close(c);
}

/* Who waits for a connection of the pool keeps its deadline, too. */
TEST(calls_without_a_connection_end_in_time)
{
    test_server *server = database_start();
    avout_versioned_container *c = open_at(test_server_port(server), DATABASE_ONE);
    test_server_pause(server);
    writer w = {.container = c, .timeout_ms = 2000};
    CHECK(!pthread_create(&w.thread, NULL, write_on, &w));
    test_await_asleep(&w.task);
    check_calls_end(c, 200);
    pthread_join(w.thread, NULL);
    CHECK_INT(1, w.failed);
    test_server_resume(server);
    CHECK_OK(set_int(c, "after-1", 5, TIMEOUT_MS));
    c->ops->close(c);
}

TEST(a_server_that_is_gone_is_reported_in_time)
{
    avout_versioned_container *c;
    CHECK_OK(database_open(&c, test_free_port(), ""));
    check_calls_end(c, 200);
    CHECK_STATUS(AVOUT_ECONNECTION, set_int(c, "gone-1", 1, 300));
    CHECK(*avout_error_detail());
    c->ops->close(c);
}

TEST(a_server_is_waited_for_no_longer_than_the_address_says)
{
    avout_versioned_container *c;
    CHECK_OK(database_open(&c, test_free_port(), DATABASE_SOON));
    double start = test_seconds();
    CHECK_STATUS(AVOUT_ECONNECTION, c->ops->init(c, AVOUT_FOREVER));
    CHECK(test_seconds() - start < 3);
    c->ops->close(c);
}

/* ---- servers that are none ------------------------------------------------------------------------------ */

typedef struct impostor {
    int listener, port;
    const char *answer; /* NULL: none, ever; "": hangs up */
    size_t length;
    pthread_t thread;
    _Atomic bool ended;
} impostor;

static void *serve_nonsense(void *payload)
{
    impostor *i = payload;
    int open_ones[256], count = 0;
    while (!atomic_load(&i->ended) && count < 256) {
        int fd = accept(i->listener, NULL, NULL);
        if (fd < 0) break;
        open_ones[count++] = fd;
        if (i->answer && i->length) (void)!send(fd, i->answer, i->length, MSG_NOSIGNAL);
        if (i->answer && !i->length) shutdown(fd, SHUT_RDWR);
    }
    while (count) close(open_ones[--count]);
    return NULL;
}

static void check_impostor(const char *answer, size_t length)
{
    impostor i = {.answer = answer, .length = length};
    i.listener = test_listen(&i.port);
    CHECK(!pthread_create(&i.thread, NULL, serve_nonsense, &i));
    avout_versioned_container *c;
    CHECK_OK(database_open(&c, i.port, "password"));
    check_calls_end(c, 150);
    c->ops->close(c);
    atomic_store(&i.ended, true);
    shutdown(i.listener, SHUT_RDWR);
    pthread_join(i.thread, NULL);
    close(i.listener);
}

TEST(what_is_no_such_server_is_reported_in_time)
{
    static const char web[] = "HTTP/1.1 400 Bad Request\r\nContent-Length: 5\r\n\r\nnono\n";
    check_impostor(NULL, 0);
    check_impostor("", 0);
    check_impostor(web, sizeof web - 1);
    for (size_t i = 0; i < sizeof database_nonsense / sizeof *database_nonsense; i++)
        check_impostor(database_nonsense[i].bytes, database_nonsense[i].length);
}

/* ---- transactions ------------------------------------------------------------------------------------------ */

typedef struct site {
    avout_client *client;
    avout_ref *plain, *other, *far;
} site;

static avout_status bump(avout_txn *txn, avout_ref *ref)
{
    return avout_alter(txn, ref, suite_plus, &suite_one);
}

static avout_status bump_far(avout_txn *txn, void *payload)
{
    site *s = payload;
    avout_status status = bump(txn, s->plain);
    return status ? status : bump(txn, s->far);
}

static avout_status bump_near(avout_txn *txn, void *payload)
{
    return bump(txn, ((site *)payload)->other);
}

TEST(who_does_not_touch_the_container_goes_on)
{
    test_server *server = database_start();
    site s = {.client = suite_connect()};
    avout_versioned_container *c = open_at(test_server_port(server), "");
    CHECK_OK(avout_ref_create(&s.plain, s.client, "/plain", avout_int(0), NULL));
    CHECK_OK(avout_ref_create(&s.other, s.client, "/other", avout_int(0), NULL));
    CHECK_OK(avout_distributed_ref(&s.far, s.client, "/far", c, avout_int(0), NULL));
    const avout_call_options within = {.timeout_ms = 700};
    CHECK_OK(avout_dosync(s.client, bump_far, &s, NULL));
    for (int how = 0; how < 2; how++) {
        if (how) test_server_kill(server);
        else test_server_pause(server);
        avout_status status = avout_dosync(s.client, bump_far, &s, &within);
        CHECK(status == AVOUT_ETIMEOUT || status == AVOUT_ECONNECTION);
        CHECK_CONTAINS("/far", avout_error_detail());
        CHECK_CONTAINS(DATABASE_KIND, avout_error_detail());
        CHECK_CONTAINS(DATABASE_PLACE, avout_error_detail());
        for (int i = 0; i < 20; i++) CHECK_OK(avout_dosync(s.client, bump_near, &s, &within));
        CHECK_INT(1, suite_ref_int(s.plain));
        if (how) test_server_restart(server), test_server_wait(server);
        else test_server_resume(server);
    }
    CHECK_OK(avout_dosync(s.client, bump_far, &s, NULL));
    CHECK_INT(2, suite_ref_int(s.plain));
    CHECK_INT(2, suite_ref_int(s.far));
    CHECK_INT(40, suite_ref_int(s.other));
    avout_ref_close(s.plain);
    avout_ref_close(s.other);
    avout_ref_close(s.far);
    suite_close(s.client);
}

TEST(a_ref_is_not_opened_without_its_server)
{
    avout_client *client = suite_connect_with(&(avout_options){.timeout_ms = 800});
    avout_versioned_container *c;
    avout_ref *ref, *other;
    CHECK_OK(database_open(&c, test_free_port(), ""));
    double start = test_seconds();
    CHECK_STATUS(AVOUT_ECONNECTION,
                 avout_distributed_ref(&ref, client, "/far", c, avout_int(0), NULL));
    CHECK(test_seconds() - start < 3);
    CHECK_CONTAINS("/far", avout_error_detail());
    CHECK_CONTAINS(DATABASE_KIND, avout_error_detail());
    /* Its patience is for the server that is not there: a busy machine may take more than that. */
    avout_status status = AVOUT_ETIMEOUT;
    for (int i = 0; i < 20 && status == AVOUT_ETIMEOUT; i++)
        status = avout_ref_create(&other, client, "/far", avout_int(0), NULL);
    CHECK_OK(status);
    avout_ref_close(other);
    suite_close(client);
}
