/* ZooKeeper sessions under fire: expiry, servers killed, stopped and started again, a request that a
 * living server never answers, a fork.
 * Test-tags: threads waits */
#include <arpa/inet.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "store/zk/internal.h"
#include "support/await.h"
#include "support/contract.h"
#include "support/zookeeper.h"

#define GET AVOUT_REQUEST_GET
#define EXISTS AVOUT_REQUEST_EXISTS

static const char *url;
static int64_t session_timeout_ms = 4000;

static const char *get_url(void)
{
    return url;
}

static void get_options(avout_options *options)
{
    options->session_timeout_ms = session_timeout_ms;
    options->connect_timeout_ms = 30000;
}

static const contract_adapter adapter = {&avout__zk_ops, get_url, get_options};

static contract_client *open_on(const char *where)
{
    url = where;
    contract_reach(&adapter);
    return contract_open();
}

static avout_event nth_session_event(contract_client *c, size_t n)
{
    contract_wait(c, CONTRACT_SESSION, n + 1);
    return contract_nth(c, CONTRACT_SESSION, n).session;
}

/* The position of the n-th note of a kind among all; SIZE_MAX: there is none. */
static size_t place_of(contract_client *c, contract_kind kind, size_t n)
{
    size_t place = SIZE_MAX;
    pthread_mutex_lock(&c->lock);
    for (size_t i = 0; i < c->note_count && place == SIZE_MAX; i++)
        if (c->notes[i].kind == kind && !n--) place = i;
    pthread_mutex_unlock(&c->lock);
    return place;
}

static size_t fill(uint64_t *tags, avout_request *requests, size_t count, const avout_op *op)
{
    for (size_t i = 0; i < count; i++) {
        tags[i] = i;
        requests[i] = request_multi(op, 1);
    }
    return count;
}

/* ---- expiry --------------------------------------------------------------------------------------- */

static void ignore_event(zhandle_t *zh, int type, int state, const char *path, void *context)
{
    (void)zh, (void)type, (void)path;
    if (state == ZOO_CONNECTED_STATE) atomic_store((_Atomic int *)context, 1);
}

static void ignore_line(const char *line)
{
    (void)line;
}

static size_t count_of(contract_client *c, avout_event event)
{
    size_t count = 0;
    pthread_mutex_lock(&c->lock);
    for (size_t i = 0; i < c->note_count; i++)
        count += c->notes[i].kind == CONTRACT_SESSION && c->notes[i].session == event;
    pthread_mutex_unlock(&c->lock);
    return count;
}

static bool comes_to(contract_client *c, avout_event event, size_t count, int64_t ms)
{
    int64_t deadline_ns = avout__deadline_in_ms(ms);
    while (count_of(c, event) < count && avout__now_ns() < deadline_ns) test_pause_ms(1);
    return count_of(c, event) >= count;
}

/* Ends the session as its server would at expiry: by another connection with its id and password.
 * The two take the session from each other until one is closed while it has it. */
static void expire(contract_client *c)
{
    avout__zk *zk = (avout__zk *)c->store;
    size_t lost = count_of(c, AVOUT_EVENT_LOST) + 1;
    pthread_mutex_lock(&zk->lock);
    CHECK_INT(ZK_UP, zk->phase);
    clientid_t id = *zoo_client_id(zk->zh);
    pthread_mutex_unlock(&zk->lock);
    for (int i = 0; i < 20 && count_of(c, AVOUT_EVENT_LOST) < lost; i++) {
        _Atomic int connected = 0;
        zhandle_t *zh = zookeeper_init2(zk->servers, ignore_event, 4000, &id, &connected,
                                        ZOO_NO_LOG_CLIENTENV, ignore_line);
        CHECK(zh);
        int64_t deadline_ns = avout__deadline_in_ms(1000);
        while (!atomic_load(&connected) && avout__now_ns() < deadline_ns) test_pause_us(100);
        zookeeper_close(zh);
        comes_to(c, AVOUT_EVENT_LOST, lost, 500);
    }
    CHECK_INT(lost, count_of(c, AVOUT_EVENT_LOST));
    CHECK(comes_to(c, AVOUT_EVENT_REESTABLISHED, lost, 20000));
}

/* SUSPENDED comes before RESUMED or LOST, REESTABLISHED after LOST, and nothing else. */
static void check_session_events(contract_client *c)
{
    size_t count = contract_count(c, CONTRACT_SESSION);
    CHECK_INT(AVOUT_EVENT_CONNECTED, nth_session_event(c, 0));
    for (size_t i = 1; i < count; i++) {
        avout_event before = nth_session_event(c, i - 1), now = nth_session_event(c, i);
        bool was_up = before == AVOUT_EVENT_CONNECTED || before == AVOUT_EVENT_RESUMED ||
                      before == AVOUT_EVENT_REESTABLISHED;
        if (was_up) CHECK_INT(AVOUT_EVENT_SUSPENDED, now);
        else if (before == AVOUT_EVENT_LOST) CHECK_INT(AVOUT_EVENT_REESTABLISHED, now);
        else CHECK(now == AVOUT_EVENT_RESUMED || now == AVOUT_EVENT_LOST);
    }
}

TEST(an_expired_session_is_replaced)
{
    contract_client *c = open_on(test_zk_shared_url());
    avout_store_info before, after;
    c->store->ops->info(c->store, &before);
    CHECK_OK(contract_one(c, op_create("/x", "0")));
    CHECK_OK(contract_one(c, op_ephemeral("/mine")));
    CHECK_OK(contract_read(c, NULL, GET, "/x", true));
    expire(c);
    check_session_events(c);
    c->store->ops->info(c->store, &after);
    CHECK(before.session != after.session);
    CHECK_STATUS(AVOUT_ENOTFOUND, contract_read(c, NULL, EXISTS, "/mine", false));
    CHECK_OK(contract_one(c, op_set("/x", "1", 0)));
    CHECK_INT(0, contract_events(c, "/x")); /* LOST disarmed it */
    CHECK_OK(contract_read(c, NULL, GET, "/x", true));
    CHECK_OK(contract_one(c, op_set("/x", "2", 1)));
    CHECK_INT(1, contract_events(c, "/x"));
    contract_close(c);
    CHECK_INT(0, avout_memory_blocks());
}

/* Submits all the time while the session ends again and again. */
typedef struct writer {
    contract_client *c;
    _Atomic bool stop;
    size_t submitted;
} writer;

static void *write_on(void *payload)
{
    writer *w = payload;
    avout_op op = op_set("/n", "", AVOUT_VERSION_ANY);
    avout_request requests[4];
    uint64_t tags[4];
    fill(tags, requests, 4, &op);
    while (!atomic_load(&w->stop)) {
        contract_submit(w->c, requests, 4, tags);
        w->submitted += 4;
        test_pause_us(500); /* the notes are counted one by one */
    }
    return NULL;
}

/* Every request is answered once; what was confirmed is there, and what is there was confirmed or
 * may have been done. */
static void check_sum(writer *w, contract_client *judge)
{
    contract_wait(w->c, CONTRACT_REPLY, w->submitted);
    CHECK_INT(w->submitted, contract_count(w->c, CONTRACT_REPLY));
    int64_t done = 0, maybe = 0;
    for (size_t i = 0; i < w->c->note_count; i++) {
        const contract_note *note = &w->c->notes[i];
        if (note->kind != CONTRACT_REPLY) continue;
        done += note->status == AVOUT_OK;
        maybe += note->maybe_done;
        if (!note->status) CHECK(!note->maybe_done);
        else if (note->status != AVOUT_ESESSION) CHECK_STATUS(AVOUT_ECONNECTION, note->status);
    }
    int64_t version = contract_version(judge, "/n");
    CHECK(done > 0);
    CHECK(version >= done);
    CHECK(version <= done + maybe);
}

TEST_WITHIN(each_is_answered_once_while_sessions_end, 90)
{
    contract_client *c = open_on(test_zk_shared_url());
    CHECK_OK(contract_one(c, op_create("/n", "")));
    writer w = {.c = c};
    pthread_t thread;
    CHECK(!pthread_create(&thread, NULL, write_on, &w));
    for (size_t i = 0; i < 5; i++) { expire(c); }
    check_session_events(c);
    atomic_store(&w.stop, true);
    pthread_join(thread, NULL);
    check_sum(&w, c);
    contract_close(c);
    CHECK_INT(0, avout_memory_blocks());
}

/* ---- servers ---------------------------------------------------------------------------------------- */

TEST_WITHIN(a_server_restarts_under_load, 170)
{
    test_zk *zk = test_zk_start(1);
    session_timeout_ms = 30000;
    contract_client *c = open_on(test_zk_url(zk));
    CHECK_OK(contract_one(c, op_create("/n", "")));
    writer w = {.c = c};
    pthread_t thread;
    CHECK(!pthread_create(&thread, NULL, write_on, &w));
    for (size_t i = 0; i < 2; i++) {
        contract_wait(c, CONTRACT_REPLY, contract_count(c, CONTRACT_REPLY) + 20);
        test_zk_kill(zk, 0);
        CHECK_INT(AVOUT_EVENT_SUSPENDED, nth_session_event(c, 1 + 2 * i));
        test_zk_restart(zk, 0);
        test_zk_wait(zk, 0);
        CHECK_INT(AVOUT_EVENT_RESUMED, nth_session_event(c, 2 + 2 * i));
    }
    atomic_store(&w.stop, true);
    pthread_join(thread, NULL);
    check_sum(&w, c);
    contract_close(c);
}

TEST_WITHIN(watches_tell_what_happened_meanwhile, 170)
{
    test_zk *zk = test_zk_start(3);
    session_timeout_ms = 30000;
    const char *root = strrchr(test_zk_url(zk), '/');
    int mine = test_zk_leader(zk) ? 0 : 1, its = 3 - mine - test_zk_leader(zk);
    char my_url[128], its_url[128];
    snprintf(my_url, sizeof my_url, "zk://127.0.0.1:%d%s", test_zk_port(zk, mine), root);
    snprintf(its_url, sizeof its_url, "zk://127.0.0.1:%d%s", test_zk_port(zk, its), root);
    contract_client *other = open_on(its_url), *c;
    CHECK_OK(contract_one(other, op_create("/changed", "0")));
    CHECK_OK(contract_one(other, op_create("/deleted", "0")));
    CHECK_OK(contract_one(other, op_create("/same", "0")));
    contract_close(other);
    c = open_on(my_url);
    CHECK_OK(contract_read(c, NULL, AVOUT_REQUEST_SYNC, "/", false));
    CHECK_OK(contract_read(c, NULL, GET, "/changed", true));
    CHECK_OK(contract_read(c, NULL, GET, "/deleted", true));
    CHECK_OK(contract_read(c, NULL, GET, "/same", true));
    CHECK_STATUS(AVOUT_ENOTFOUND, contract_read(c, NULL, EXISTS, "/created", true));
    CHECK_OK(contract_read(c, NULL, AVOUT_REQUEST_LIST, "/changed", true));
    test_zk_kill(zk, mine);
    CHECK_INT(AVOUT_EVENT_SUSPENDED, nth_session_event(c, 1));
    other = open_on(its_url);
    CHECK_OK(contract_one(other, op_set("/changed", "1", 0)));
    CHECK_OK(contract_one(other, op_create("/changed/child", "")));
    CHECK_OK(contract_one(other, op_delete("/deleted", 0)));
    CHECK_OK(contract_one(other, op_create("/created", "")));
    test_zk_restart(zk, mine);
    test_zk_wait(zk, mine);
    CHECK_INT(AVOUT_EVENT_RESUMED, nth_session_event(c, 2));
    contract_wait(c, CONTRACT_EVENT, 4);
    /* P6: after RESUMED, before any reply that shows it, each once. */
    size_t resumed = place_of(c, CONTRACT_SESSION, 2);
    CHECK(place_of(c, CONTRACT_EVENT, 0) > resumed);
    contract_check_text(c, "/changed", "1");
    CHECK_INT(2, contract_events(c, "/changed")); /* the bytes, and the children */
    CHECK_INT(1, contract_events(c, "/deleted"));
    CHECK_INT(1, contract_events(c, "/created"));
    CHECK_INT(0, contract_events(c, "/same"));
    CHECK_OK(contract_one(c, op_set("/same", "1", 0)));
    CHECK_INT(1, contract_events(c, "/same"));
    contract_close(other);
    contract_close(c);
}

TEST_WITHIN(a_stopped_server_is_noticed, 90)
{
    test_zk *zk = test_zk_start(1);
    contract_client *c = open_on(test_zk_url(zk));
    avout_op op = op_create("/x", "1");
    avout_request request = request_multi(&op, 1);
    uint64_t tag = 1;
    test_zk_pause(zk, 0);
    int64_t start_ns = avout__now_ns();
    contract_submit(c, &request, 1, &tag);
    contract_wait(c, CONTRACT_REPLY, 1);
    int64_t ms = (avout__now_ns() - start_ns) / 1000000;
    CHECK(ms >= 2200 && ms < 20000);
    contract_note note = contract_nth(c, CONTRACT_REPLY, 0);
    CHECK_INT(AVOUT_ECONNECTION, note.status);
    CHECK(note.maybe_done);
    CHECK_INT(AVOUT_EVENT_SUSPENDED, nth_session_event(c, 1));
    /* P7: not connected. */
    contract_submit(c, &request, 1, &tag);
    contract_wait(c, CONTRACT_REPLY, 2);
    note = contract_nth(c, CONTRACT_REPLY, 1);
    CHECK_INT(AVOUT_ECONNECTION, note.status);
    CHECK(!note.maybe_done);
    test_zk_resume(zk, 0);
    avout_event event = nth_session_event(c, 2);
    if (event == AVOUT_EVENT_LOST) event = nth_session_event(c, 3);
    CHECK(event == AVOUT_EVENT_RESUMED || event == AVOUT_EVENT_REESTABLISHED);
    CHECK_INT(0, contract_version(c, "/"));
    contract_close(c);
}

TEST(close_does_not_wait_for_a_stopped_server)
{
    test_zk *zk = test_zk_start(1);
    contract_client *c = open_on(test_zk_url(zk));
    avout_op op = op_create("/x", "1");
    avout_request request = request_multi(&op, 1);
    uint64_t tag = 1;
    test_zk_pause(zk, 0);
    contract_submit(c, &request, 1, &tag);
    int64_t start_ns = avout__now_ns();
    contract_close_only(c);
    CHECK((avout__now_ns() - start_ns) / 1000000 < 20000);
    contract_note note = contract_nth(c, CONTRACT_REPLY, 0);
    CHECK_INT(AVOUT_ECLOSED, note.status);
    CHECK(note.maybe_done);
    contract_free(c);
}

/* ---- a server that never answers a request ------------------------------------------------------------ */

/* Stands between client and server. When told to, it swallows the replies to requests and lets
 * everything else pass, with a watch event now and then: the connection looks alive. */
typedef struct proxy {
    int listener, port, server_port;
    _Atomic bool swallow;
    _Atomic int swallowed;
} proxy;

static bool read_all(int fd, void *bytes, size_t length)
{
    for (size_t at = 0; at < length;) {
        ssize_t got = recv(fd, (char *)bytes + at, length - at, 0);
        if (got <= 0) return false;
        at += (size_t)got;
    }
    return true;
}

static int32_t big_endian(const unsigned char *at)
{
    return (int32_t)ntohl((uint32_t)at[3] << 24 | (uint32_t)at[2] << 16 | (uint32_t)at[1] << 8 |
                          at[0]);
}

/* One packet of the server's. */
static bool pass_packet(proxy *p, int from, int to, bool first)
{
    static unsigned char packet[1 << 20];
    if (!read_all(from, packet, 4)) return false;
    int32_t length = big_endian(packet);
    CHECK(length > 0 && length < (int32_t)sizeof packet - 4);
    if (!read_all(from, packet + 4, (size_t)length)) return false;
    bool reply = !first && big_endian(packet + 4) > 0; /* special ones have negative numbers */
    if (reply && atomic_load(&p->swallow)) {
        atomic_fetch_add(&p->swallowed, 1);
        return true;
    }
    return send(to, packet, (size_t)length + 4, MSG_NOSIGNAL) == length + 4;
}

static bool send_event(int to)
{
    static const unsigned char event[] = {0,   0,   0,   32,  255, 255, 255, 255,
                                          255, 255, 255, 255, 255, 255, 255, 255, /* xid, zxid */
                                          0,   0,   0,   0,                       /* no error */
                                          0,   0,   0,   3,   0,   0,   0,   3,   /* changed */
                                          0,   0,   0,   4,   '/', 'n', 'o', 't'};
    return send(to, event, sizeof event, MSG_NOSIGNAL) == sizeof event;
}

static void serve_one(proxy *p, int client)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)p->server_port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool alive = server >= 0 && !connect(server, (struct sockaddr *)&address, sizeof address);
    bool first = true;
    while (alive) {
        struct pollfd fds[] = {{client, POLLIN, 0}, {server, POLLIN, 0}};
        int ready = poll(fds, 2, 200);
        char bytes[65536];
        if (!ready && atomic_load(&p->swallow)) alive = send_event(client);
        if (alive && fds[0].revents) {
            ssize_t got = recv(client, bytes, sizeof bytes, 0);
            alive = got > 0 && send(server, bytes, (size_t)got, MSG_NOSIGNAL) == got;
        }
        if (alive && fds[1].revents) {
            alive = pass_packet(p, server, client, first);
            first = false;
        }
    }
    close(server);
    close(client);
}

static void *run_proxy(void *payload)
{
    proxy *p = payload;
    for (;;) {
        int client = accept(p->listener, NULL, NULL);
        if (client < 0) return NULL;
        serve_one(p, client);
    }
}

static void start_proxy(proxy *p, int server_port)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    p->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(p->listener >= 0 && !bind(p->listener, (struct sockaddr *)&address, sizeof address));
    CHECK(!listen(p->listener, 16));
    CHECK(!getsockname(p->listener, (struct sockaddr *)&address, &length));
    p->port = ntohs(address.sin_port);
    p->server_port = server_port;
    pthread_t thread;
    CHECK(!pthread_create(&thread, NULL, run_proxy, p));
    pthread_detach(thread);
}

TEST_WITHIN(a_request_never_answered_ends_the_connection, 90)
{
    static proxy p;
    test_zk *zk = test_zk_start(1);
    start_proxy(&p, test_zk_port(zk, 0));
    char where[64];
    snprintf(where, sizeof where, "zk://127.0.0.1:%d/p", p.port);
    contract_client *c = open_on(where);
    avout_store_info before, after;
    c->store->ops->info(c->store, &before);
    for (int round = 0; round < 2; round++) {
        char path[16];
        snprintf(path, sizeof path, "/x%d", round);
        avout_op op = op_create(path, "1");
        avout_request requests[] = {request_multi(&op, 1), request_read(GET, path, false)};
        uint64_t tags[] = {1, 2};
        atomic_store(&p.swallow, true);
        int64_t start_ns = avout__now_ns();
        contract_submit(c, requests, 2, tags);
        contract_wait(c, CONTRACT_REPLY, 2 + 2 * (size_t)round);
        int64_t ms = (avout__now_ns() - start_ns) / 1000000;
        CHECK(ms >= 2300);
        CHECK(ms < 20000); /* the client library itself would wait for ever */
        atomic_store(&p.swallow, false);
        CHECK(atomic_load(&p.swallowed) >= 2);
        contract_note note = contract_nth(c, CONTRACT_REPLY, 2 * (size_t)round);
        CHECK_INT(AVOUT_ECONNECTION, note.status);
        CHECK(note.maybe_done);
        note = contract_nth(c, CONTRACT_REPLY, 1 + 2 * (size_t)round);
        CHECK_INT(AVOUT_ECONNECTION, note.status);
        CHECK(!note.maybe_done);
        CHECK_INT(AVOUT_EVENT_SUSPENDED, nth_session_event(c, 1 + 2 * (size_t)round));
        CHECK_INT(AVOUT_EVENT_RESUMED, nth_session_event(c, 2 + 2 * (size_t)round));
        contract_check_text(c, path, "1"); /* it had been done */
    }
    c->store->ops->info(c->store, &after);
    CHECK(before.session == after.session);
    CHECK_INT(0, contract_events(c, NULL)); /* not told of paths that were never watched */
    contract_close(c);
    CHECK_INT(0, avout_memory_blocks());
}

/* ---- fork --------------------------------------------------------------------------------------------- */

TEST(a_child_closes_without_harm_to_its_parent)
{
    contract_client *c = open_on(test_zk_shared_url());
    CHECK_OK(contract_one(c, op_ephemeral("/mine")));
    pid_t child = fork();
    CHECK(child >= 0);
    if (!child) {
        avout_request request = request_read(GET, "/mine", false);
        if (c->store->ops->submit(c->store, &request, 1) != AVOUT_EFORK) _exit(1);
        c->store->ops->close(c->store);
        _exit(0);
    }
    int status;
    CHECK_INT(child, waitpid(child, &status, 0));
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    CHECK_OK(contract_read(c, NULL, EXISTS, "/mine", false));
    CHECK_OK(contract_one(c, op_create("/x", "")));
    CHECK_INT(1, contract_count(c, CONTRACT_SESSION));
    contract_close(c);
}
