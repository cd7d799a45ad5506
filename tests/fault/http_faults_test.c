/* The HTTP container in bad times: the server killed under load, stopped, gone, behind a network that breaks;
 * answers that are lost, late, cut short, endless or nonsense. Calls keep their deadlines and say what they
 * know; what was answered with AVOUT_OK is there; who does not touch the container goes on.
 * Test-tags: threads waits */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "avout/http.h"
#include "avout/sys/container.h"
#include "http/request.h"
#include "support/http_script.h"
#include "support/proxy.h"
#include "support/suite.h"
#include "support/webdav.h"

enum { TIMEOUT_MS = 20000, WRITERS = 4, CALLS = 5 };

__attribute__((constructor)) static void use(void)
{
    suite_use(suite_mem_url);
}

static avout_versioned_container *new_at(const char *place)
{
    avout_versioned_container *container;
    CHECK_OK(avout_http_container(&container, place));
    return container;
}

static avout_versioned_container *new_on(int port)
{
    char place[100];
    snprintf(place, sizeof place, "http://ann:sesame@127.0.0.1:%d/dav/faults/", port);
    return new_at(place);
}

static avout_versioned_container *init(avout_versioned_container *c)
{
    CHECK_OK(c->ops->init(c, TIMEOUT_MS));
    return c;
}

static avout_status set(avout_versioned_container *c, const char *version, int64_t number,
                        int64_t timeout_ms)
{
    avout_value value = avout_int(number);
    return c->ops->set_state_at(c, version, value, timeout_ms);
}

static avout_status get(int64_t *number, avout_versioned_container *c, const char *version,
                        int64_t timeout_ms)
{
    avout_value value;
    avout_status status = c->ops->get_state_at(&value, c, version, timeout_ms);
    if (status) return status;
    CHECK_OK(avout_value_to_int(number, value));
    avout_release(value);
    return AVOUT_OK;
}

static void check(avout_versioned_container *c, const char *version, int64_t expected)
{
    int64_t number;
    CHECK_OK(get(&number, c, version, TIMEOUT_MS));
    CHECK_INT(expected, number);
}

static avout_status list(avout_versioned_container *c, int64_t timeout_ms);

/* ---- many writers ------------------------------------------------------------------------------------ */

typedef struct load {
    avout_versioned_container *container;
    _Atomic bool done;
    pthread_t threads[WRITERS];
    int written[WRITERS];
} load;

typedef struct hand {
    load *of;
    int number;
} hand;

static void *work(void *payload)
{
    hand *h = payload;
    load *l = h->of;
    avout_versioned_container *c = l->container;
    for (int i = 0; !atomic_load(&l->done); i++) {
        char version[40];
        snprintf(version, sizeof version, "hand-%d-%d", h->number, i);
        CHECK_OK(set(c, version, i, TIMEOUT_MS));
        if (i % 3 == 0) CHECK_OK(c->ops->delete_state_at(c, version, TIMEOUT_MS));
        l->written[h->number] = i + 1;
    }
    free(h);
    return NULL;
}

static void begin(load *l, avout_versioned_container *c)
{
    *l = (load){.container = c};
    for (int i = 0; i < WRITERS; i++) {
        hand *h = malloc(sizeof *h);
        CHECK(h);
        *h = (hand){l, i};
        CHECK(!pthread_create(&l->threads[i], NULL, work, h));
    }
}

/* Everything that was answered is as it was answered. */
static void end(load *l)
{
    int64_t number, all = 0;
    atomic_store(&l->done, true);
    for (int i = 0; i < WRITERS; i++) pthread_join(l->threads[i], NULL);
    for (int i = 0; i < WRITERS; i++) {
        for (int n = 0; n < l->written[i]; n++) {
            char version[40];
            snprintf(version, sizeof version, "hand-%d-%d", i, n);
            if (n % 3) check(l->container, version, n);
            else CHECK_STATUS(AVOUT_ENOTFOUND, get(&number, l->container, version, TIMEOUT_MS));
        }
        all += l->written[i];
    }
    fprintf(stderr, "# %d written\n", (int)all);
    CHECK(all > 10);
}

TEST_WITHIN(a_server_that_is_killed_under_load_loses_nothing, 90)
{
    load l;
    test_server *server = test_webdav_start();
    avout_versioned_container *c = init(new_on(test_server_port(server)));
    begin(&l, c);
    for (int i = 0; i < 4; i++) {
        test_pause_ms(100 + rand() % 100);
        test_server_kill(server);
        test_pause_ms(rand() % 200);
        test_server_restart(server);
        test_server_wait(server);
    }
    end(&l);
    c->ops->close(c);
}

TEST_WITHIN(a_network_that_breaks_loses_nothing, 120)
{
    load l;
    test_server *server = test_webdav_start();
    test_proxy *proxy = proxy_start(test_server_port(server));
    avout_versioned_container *c = init(new_on(proxy_port(proxy)));
    proxy_set(proxy, PROXY_CHAOS);
    begin(&l, c);
    for (int i = 0; i < 500 && proxy_broken(proxy) < 30; i++) test_pause_ms(20);
    proxy_set(proxy, PROXY_PASS);
    CHECK(proxy_broken(proxy) > 5);
    end(&l);
    c->ops->close(c);
}

/* ---- answers that are lost --------------------------------------------------------------------------- */

static _Atomic int losses;
static const char *lossy; /* the method */

static http_script_deed lose(int fd, const http_script_request *request)
{
    (void)fd;
    if (strcmp(request->method, lossy) != 0 || atomic_load(&losses) <= 0) return HTTP_SERVE;
    return atomic_fetch_sub(&losses, 1) % 2 ? HTTP_SERVE_AND_HANG_UP : HTTP_HANG_UP;
}

static void lose_answers(const avout_codec *codec)
{
    avout_versioned_container *c;
    lossy = "PUT";
    http_script *script = http_script_start(lose);
    CHECK_OK(avout_http_container_coded(&c, http_script_place(script), codec));
    init(c);
    CHECK_OK(set(c, "other-1", 1, TIMEOUT_MS));
    for (int lost = 1; lost < 5; lost++) {
        char version[20];
        snprintf(version, sizeof version, "lost-%d", lost);
        atomic_store(&losses, lost);
        CHECK_OK(set(c, version, lost, TIMEOUT_MS));
        check(c, version, lost);
        /* The same value; but it is another's. */
        atomic_store(&losses, lost);
        CHECK_STATUS(AVOUT_EEXISTS, set(c, "other-1", 1, TIMEOUT_MS));
        CHECK(atomic_load(&losses) <= 0);
    }
    lossy = "DELETE";
    atomic_store(&losses, 3);
    CHECK_OK(c->ops->delete_state_at(c, "other-1", TIMEOUT_MS));
    CHECK(atomic_load(&losses) <= 0);
    c->ops->close(c);
    http_script_end(script);
}

TEST(a_write_whose_answer_got_lost_is_known_again)
{
    lose_answers(NULL);
}

/* Of two resources, each may get lost. */
TEST(a_write_whose_answer_got_lost_is_known_again_with_a_codec)
{
    lose_answers(avout_codec_json());
}

/* ---- one value -------------------------------------------------------------------------------------------- */

static avout_container *one_at(const char *base)
{
    char place[200];
    avout_container *c;
    snprintf(place, sizeof place, "%sone", base);
    CHECK_OK(avout_http_value_container(&c, place, NULL));
    return c;
}

static avout_status set_one(avout_container *c, int64_t number, int64_t timeout_ms)
{
    avout_value value = avout_int(number);
    return c->ops->set_state(c, value, (avout_token){1, (uint64_t)number}, timeout_ms);
}

static int64_t get_one(avout_container *c)
{
    avout_value value;
    int64_t number = -1;
    if (c->ops->get_state(&value, c, TIMEOUT_MS)) return -1;
    CHECK_OK(avout_value_to_int(&number, value));
    avout_release(value);
    return number;
}

static _Atomic int answer_with;

static http_script_deed act_on_one(int fd, const http_script_request *request)
{
    int code = atomic_load(&answer_with);
    if (!code || strcmp(request->method, "PUT") != 0) return HTTP_SERVE;
    if (code == 1) return HTTP_KEEP_SILENT;
    http_script_answer(fd, code, code == 503 || code == 429 ? "Retry-After: 60\r\n" : "", "");
    return HTTP_ANSWERED;
}

/* What is not known is told as that, and what is known, too. */
TEST(one_value_that_may_be_written_is_told_as_unknown)
{
    static const struct {
        int answer;
        avout_status status;
    } cases[] = {
        {1, AVOUT_UNKNOWN},    {500, AVOUT_UNKNOWN},  {502, AVOUT_UNKNOWN}, {503, AVOUT_UNKNOWN},
        {504, AVOUT_UNKNOWN},  {506, AVOUT_UNKNOWN},  {508, AVOUT_UNKNOWN}, {520, AVOUT_UNKNOWN},
        {524, AVOUT_UNKNOWN},  {599, AVOUT_UNKNOWN},  {202, AVOUT_UNKNOWN}, {203, AVOUT_UNKNOWN},
        {205, AVOUT_UNKNOWN},  {207, AVOUT_UNKNOWN},  {226, AVOUT_UNKNOWN}, {303, AVOUT_UNKNOWN},
        {429, AVOUT_ETIMEOUT}, {403, AVOUT_EPERM},    {501, AVOUT_ENOTSUP}, {505, AVOUT_EIO},
        {507, AVOUT_ENOSPACE}, {412, AVOUT_EVERSION}, {307, AVOUT_EIO}};
    http_script *script = http_script_start(act_on_one);
    avout_container *c = one_at(http_script_place(script));
    CHECK_OK(set_one(c, 1, TIMEOUT_MS));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        atomic_store(&answer_with, cases[i].answer);
        CHECK_STATUS(cases[i].status, set_one(c, 2, cases[i].status == AVOUT_UNKNOWN ? 100 : 5000));
        CHECK(*avout_error_detail());
        atomic_store(&answer_with, 0);
        CHECK_INT(1, get_one(c));
    }
    c->ops->close(c);
    http_script_end(script);
    /* Where nobody was asked nothing was written. */
    char base[40];
    snprintf(base, sizeof base, "http://127.0.0.1:%d/", test_free_port());
    c = one_at(base);
    CHECK_STATUS(AVOUT_ECONNECTION, set_one(c, 1, 100));
    c->ops->close(c);
}

TEST(one_value_whose_answer_got_lost_is_written_again)
{
    lossy = "PUT";
    http_script *script = http_script_start(lose);
    avout_container *c = one_at(http_script_place(script));
    for (int lost = 1; lost < 5; lost++) {
        atomic_store(&losses, lost);
        CHECK_OK(set_one(c, lost, TIMEOUT_MS));
        CHECK(atomic_load(&losses) <= 0);
        CHECK_INT(lost, get_one(c));
    }
    /* Written, and not told; then refused. */
    atomic_store(&losses, 1000);
    CHECK_STATUS(AVOUT_UNKNOWN, set_one(c, 5, 300));
    atomic_store(&losses, 0);
    CHECK_INT(5, get_one(c));
    c->ops->close(c);
    http_script_end(script);
}

/* ---- deadlines ------------------------------------------------------------------------------------------ */

static avout_status pass_over(const char *version, void *payload)
{
    (void)version, (void)payload;
    return AVOUT_OK;
}

static avout_status list(avout_versioned_container *c, int64_t timeout_ms)
{
    return c->ops->list_versions(c, pass_over, NULL, timeout_ms);
}

static avout_status call(avout_versioned_container *c, int number, int64_t timeout_ms)
{
    int64_t value;
    switch (number) {
    case 0: return c->ops->init(c, timeout_ms);
    case 1: return set(c, "v-1", 1, timeout_ms);
    case 2: return get(&value, c, "v-1", timeout_ms);
    case 3: return c->ops->delete_state_at(c, "v-1", timeout_ms);
    default: return list(c, timeout_ms);
    }
}

static void check_late(avout_versioned_container *c, int64_t timeout_ms)
{
    for (int i = 0; i < CALLS; i++) {
        double start = test_seconds();
        avout_status status = call(c, i, timeout_ms);
        CHECK(status == AVOUT_ETIMEOUT || status == AVOUT_ECONNECTION);
        CHECK(*avout_error_detail() && !strstr(avout_error_detail(), "sesame"));
        CHECK(test_seconds() - start < (double)timeout_ms / 1000 + 3); /* on a busy machine */
    }
}

TEST(calls_end_in_time_whatever_the_server_does)
{
    test_server *server = test_webdav_start();
    avout_versioned_container *c = init(new_on(test_server_port(server)));
    CHECK_OK(set(c, "kept-1", 5, TIMEOUT_MS));
    test_server_pause(server);
    check_late(c, 150);
    test_server_resume(server);
    check(c, "kept-1", 5);
    c->ops->close(c);
    c = new_on(test_silent_port(true));
    check_late(c, 150);
    c->ops->close(c);
    c = new_on(test_free_port());
    check_late(c, 150);
    /* For ever is half a minute where nobody is. */
    avout__http_limit.unreachable_ms = 200;
    CHECK_STATUS(AVOUT_ECONNECTION, call(c, 0, AVOUT_FOREVER));
    c->ops->close(c);
}

/* ---- servers that put off ---------------------------------------------------------------------------------- */

static _Atomic int refusals;
static const char *_Atomic refusal; /* a call that was given up may still be served */
static _Atomic int refusal_code;

static http_script_deed put_off(int fd, const http_script_request *request)
{
    (void)request;
    if (atomic_load(&refusals) <= 0) return HTTP_SERVE;
    atomic_fetch_sub(&refusals, 1);
    http_script_answer(fd, refusal_code, refusal, "later\n");
    return HTTP_ANSWERED;
}

TEST(a_server_that_is_busy_is_asked_again)
{
    static const int codes[] = {429, 502, 503, 504};
    http_script *script = http_script_start(put_off);
    char place[100];
    snprintf(place, sizeof place, "%sbelow/", http_script_place(script));
    avout_versioned_container *c = new_at(place);
    CHECK_OK(c->ops->init(c, TIMEOUT_MS));
    for (int i = 0; i < 4; i++) {
        char version[20];
        snprintf(version, sizeof version, "busy-%d", i);
        refusal = "";
        refusal_code = codes[i];
        atomic_store(&refusals, 3);
        CHECK_OK(set(c, version, i, TIMEOUT_MS));
        check(c, version, i);
        atomic_store(&refusals, 1000000);
        check_late(c, 100);
        atomic_store(&refusals, 0);
    }
    /* As long as it wishes; and not at all if that is too long. */
    refusal = "Retry-After: 1\r\n";
    refusal_code = 503;
    atomic_store(&refusals, 1);
    double start = test_seconds();
    CHECK_OK(set(c, "asked-1", 1, TIMEOUT_MS));
    CHECK(test_seconds() - start >= 0.99);
    refusal = "Retry-After: 60\r\n";
    atomic_store(&refusals, 1);
    start = test_seconds();
    CHECK_STATUS(AVOUT_ETIMEOUT, set(c, "asked-2", 1, TIMEOUT_MS));
    CHECK_CONTAINS("60 s", avout_error_detail());
    CHECK(test_seconds() - start < 5);
    c->ops->close(c);
    http_script_end(script);
}

/* ---- what it answers ------------------------------------------------------------------------------------- */

TEST(answers_are_told_as_what_they_are)
{
    static const struct {
        int code;
        avout_status set, get;
    } cases[] = {{400, AVOUT_EIO, AVOUT_EIO},         {401, AVOUT_EAUTH, AVOUT_EAUTH},
                 {403, AVOUT_EPERM, AVOUT_EPERM},     {404, AVOUT_EIO, AVOUT_ENOTFOUND},
                 {405, AVOUT_ENOTSUP, AVOUT_ENOTSUP}, {409, AVOUT_EIO, AVOUT_EIO},
                 {410, AVOUT_EIO, AVOUT_ENOTFOUND},   {412, AVOUT_EEXISTS, AVOUT_EEXISTS},
                 {413, AVOUT_ELIMIT, AVOUT_ELIMIT},   {418, AVOUT_EIO, AVOUT_EIO},
                 {202, AVOUT_EIO, AVOUT_EIO},         {301, AVOUT_EIO, AVOUT_EIO},
                 {500, AVOUT_EIO, AVOUT_EIO},         {507, AVOUT_ENOSPACE, AVOUT_ENOSPACE}};
    http_script *script = http_script_start(put_off);
    avout_versioned_container *c = init(new_at(http_script_place(script)));
    refusal = "";
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t number;
        refusal_code = cases[i].code;
        atomic_store(&refusals, 1000);
        CHECK_STATUS(cases[i].set, set(c, "v-1", 1, TIMEOUT_MS));
        CHECK_STATUS(cases[i].get, get(&number, c, "v-1", TIMEOUT_MS));
        CHECK(*avout_error_detail());
        atomic_store(&refusals, 0);
        CHECK_STATUS(AVOUT_ENOTFOUND, get(&number, c, "v-1", TIMEOUT_MS));
    }
    c->ops->close(c);
    http_script_end(script);
}

static const char *_Atomic raw;
static _Atomic bool raw_now;

static http_script_deed send_raw(int fd, const http_script_request *request)
{
    (void)request;
    if (!atomic_load(&raw_now)) return HTTP_SERVE;
    const char *bytes = raw;
    (void)!send(fd, bytes, strlen(bytes), MSG_NOSIGNAL);
    return HTTP_HANG_UP;
}

TEST(nonsense_is_an_error_and_never_a_value)
{
    static const char *const nonsense[] = {
        "SSH-2.0-OpenSSH_9.2\r\n",
        "\x15\x03\x03\x02\x02(",
        "HTTP/9.9 999 sesame\r\n\r\n1\n",
        "HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n1\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n1\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzzz\r\n1\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<html>please log in</html>",
        "HTTP/1.1 200 OK\r\n\r\n1\n; avout 0000000000000000 0000000000000000\n",
        "HTTP/1.1 207 Multi-Status\r\n\r\n<multistatus><response><href>/v-1.edn</href>",
        "HTTP/1.1 207 Multi-Status\r\nContent-Length: 4\r\n\r\n<<<<",
    };
    http_script *script = http_script_start(send_raw);
    avout_versioned_container *c = init(new_at(http_script_place(script)));
    for (size_t i = 0; i < sizeof nonsense / sizeof *nonsense; i++) {
        raw = nonsense[i];
        atomic_store(&raw_now, true);
        for (int n = 2; n < CALLS; n += 2) { /* get, list */
            avout_status status = call(c, n, 300);
            if (!status || status == AVOUT_ENOTFOUND)
                test_failed(__FILE__, __LINE__, "call %d: %s", n, nonsense[i]);
            CHECK(*avout_error_detail());
        }
        atomic_store(&raw_now, false);
    }
    avout_versioned_container *other = new_at(http_script_place(script));
    CHECK_OK(other->ops->init(other, TIMEOUT_MS));
    other->ops->close(other);
    c->ops->close(c);
    /* One that answers everything with a page is not opened. */
    raw = "HTTP/1.1 200 OK\r\n\r\n<html>please log in</html>";
    atomic_store(&raw_now, true);
    c = new_at(http_script_place(script));
    CHECK_STATUS(AVOUT_EIO, c->ops->init(c, TIMEOUT_MS));
    CHECK_CONTAINS("does not keep", avout_error_detail());
    c->ops->close(c);
    http_script_end(script);
}

TEST(what_was_cut_short_is_asked_for_again)
{
    int64_t number;
    http_script *script = http_script_start(send_raw);
    avout_versioned_container *c = init(new_at(http_script_place(script)));
    CHECK_OK(set(c, "v-1", 1, TIMEOUT_MS));
    raw = "HTTP/1.1 200 OK\r\nContent-Length: 44\r\n\r\n1\n; avout";
    atomic_store(&raw_now, true);
    CHECK_STATUS(AVOUT_EIO, get(&number, c, "v-1", 200));
    atomic_store(&raw_now, false);
    check(c, "v-1", 1);
    c->ops->close(c);
    http_script_end(script);
}

/* One digit of two is a number, too. */
TEST(one_value_is_not_read_from_an_answer_without_a_length)
{
    static const char *const whole[] = {
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: close\r\n\r\n4",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
        "1\r\n4\r\n0\r\n\r\n"};
    http_script *script = http_script_start(send_raw);
    avout_container *c = one_at(http_script_place(script));
    avout_value value;
    atomic_store(&raw_now, true);
    for (int i = 0; i < 2; i++) {
        raw = whole[i];
        CHECK_INT(4, get_one(c));
    }
    raw = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n4";
    CHECK_STATUS(AVOUT_EIO, c->ops->get_state(&value, c, TIMEOUT_MS));
    CHECK_CONTAINS("how long", avout_error_detail());
    atomic_store(&raw_now, false);
    c->ops->close(c);
    http_script_end(script);
}

static _Atomic int cuts;

/* Begins, and goes away when the time in which a server has to be reached is over. */
static http_script_deed cut_late(int fd, const http_script_request *request)
{
    static const char begun[] = "HTTP/1.1 200 OK\r\nContent-Length: 44\r\n\r\n1\n; ";
    if (strcmp(request->method, "GET") != 0 || atomic_fetch_sub(&cuts, 1) <= 0) return HTTP_SERVE;
    (void)!send(fd, begun, sizeof begun - 1, MSG_NOSIGNAL);
    test_pause_ms(400);
    return HTTP_HANG_UP;
}

TEST(a_long_answer_that_breaks_is_asked_for_again)
{
    http_script *script = http_script_start(cut_late);
    avout_versioned_container *c = init(new_at(http_script_place(script)));
    CHECK_OK(set(c, "v-1", 1, TIMEOUT_MS));
    avout__http_limit.unreachable_ms = 200;
    atomic_store(&cuts, 1);
    check(c, "v-1", 1);
    CHECK(atomic_load(&cuts) < 1);
    c->ops->close(c);
    http_script_end(script);
}

static http_script_deed send_for_ever(int fd, const http_script_request *request)
{
    static const char head[] = "HTTP/1.1 200 OK\r\n\r\n";
    char bytes[4096];
    if (!atomic_load(&raw_now) || strcmp(request->method, "GET") != 0) return HTTP_SERVE;
    memset(bytes, ' ', sizeof bytes);
    (void)!send(fd, head, sizeof head - 1, MSG_NOSIGNAL);
    while (send(fd, bytes, sizeof bytes, MSG_NOSIGNAL) > 0) continue;
    return HTTP_HANG_UP;
}

TEST(an_endless_answer_has_an_end)
{
    int64_t number;
    http_script *script = http_script_start(send_for_ever);
    avout_versioned_container *c = init(new_at(http_script_place(script)));
    avout__http_limit.answer = 100000;
    atomic_store(&raw_now, true);
    CHECK_STATUS(AVOUT_ELIMIT, get(&number, c, "v-1", TIMEOUT_MS));
    CHECK_CONTAINS("100000", avout_error_detail());
    atomic_store(&raw_now, false);
    CHECK_STATUS(AVOUT_ENOTFOUND, get(&number, c, "v-1", TIMEOUT_MS));
    c->ops->close(c);
    http_script_end(script);
}

/* ---- transactions ------------------------------------------------------------------------------------------ */

typedef struct pair {
    avout_ref *near, *far;
} pair;

static avout_status bump_near(avout_txn *txn, void *payload)
{
    return avout_alter(txn, ((pair *)payload)->near, suite_plus, &suite_one);
}

static avout_status bump_both(avout_txn *txn, void *payload)
{
    avout_status status = bump_near(txn, payload);
    if (status) return status;
    return avout_alter(txn, ((pair *)payload)->far, suite_plus, &suite_one);
}

TEST(transactions_fail_as_a_whole_while_the_server_is_away)
{
    test_server *server = test_webdav_start();
    avout_client *client = suite_connect();
    pair p;
    CHECK_OK(avout_ref_create(&p.near, client, "/near", avout_int(0), NULL));
    CHECK_OK(avout_distributed_ref(&p.far, client, "/far", new_on(test_server_port(server)),
                                   avout_int(0), NULL));
    CHECK_OK(avout_dosync(client, bump_both, &p, NULL));
    test_server_pause(server);
    avout_call_options soon = {.timeout_ms = 300};
    CHECK_STATUS(AVOUT_ETIMEOUT, avout_dosync(client, bump_both, &p, &soon));
    CHECK_CONTAINS("/far: container http at http://127.0.0.1:", avout_error_detail());
    CHECK(!strstr(avout_error_detail(), "sesame"));
    CHECK_OK(avout_dosync(client, bump_near, &p, NULL));
    test_server_resume(server);
    CHECK_OK(avout_dosync(client, bump_both, &p, NULL));
    CHECK_INT(3, suite_ref_int(p.near));
    CHECK_INT(2, suite_ref_int(p.far));
    CHECK_OK(avout_distributed_collect(NULL, client, "/far", true, TIMEOUT_MS));
    avout_ref_close(p.near);
    avout_ref_close(p.far);
    suite_close(client);
}

/* ---- atoms over one value --------------------------------------------------------------------------------- */

TEST(what_is_no_json_is_told_with_its_container)
{
    char place[TEST_PLACE], path[400];
    test_server *server = test_webdav_start();
    avout_client *client = suite_connect(), *other = suite_connect();
    avout_container *c;
    avout_atom *atom, *seen;
    test_webdav_place(place, server, "dav/one.json");
    CHECK_OK(avout_http_value_container(&c, place, avout_codec_json()));
    CHECK_OK(avout_unversioned_atom(&atom, client, "/one", c, avout_int(1), NULL));
    CHECK_OK(avout_swap(atom, suite_plus, &suite_one, NULL, NULL, NULL));
    CHECK_STATUS(AVOUT_ENOPRINT, avout_reset(atom, avout_keyword("k"), NULL));
    CHECK_CONTAINS("/one: container http at http://127.0.0.1:", avout_error_detail());
    CHECK_CONTAINS("/dav/one.json (json): writing: codec json: encoding: ", avout_error_detail());
    CHECK_INT(2, suite_atom_int(atom));
    snprintf(path, sizeof path, "%s/files/dav/one.json", test_server_directory(server));
    FILE *file = fopen(path, "w");
    CHECK(file && fputs("[1,", file) >= 0 && !fclose(file));
    CHECK_OK(avout_http_value_container(&c, place, avout_codec_json()));
    avout_value value;
    avout_status status = avout_unversioned_atom(&seen, other, "/one", c, avout_int(1), NULL);
    if (!status) {
        status = avout_atom_deref(&value, seen);
        avout_atom_close(seen);
    }
    CHECK_STATUS(AVOUT_EDATA, status);
    CHECK_CONTAINS("/one: container http at http://127.0.0.1:", avout_error_detail());
    CHECK_CONTAINS("/dav/one.json (json): reading: codec json: decoding: ", avout_error_detail());
    avout_atom_close(atom);
    avout_close(other);
    suite_close(client);
}
