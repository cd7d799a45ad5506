#include "support/proxy.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "support/crowd.h"

enum { CONNECTIONS = 64, CLIENT = 0, SERVER = 1 };

struct test_proxy {
    int port, to_port, listener;
    crowd_process process;
    _Atomic int mode;
    _Atomic int64_t broken;
};

/* What becomes of a connection when its bytes are used up. */
typedef enum fate {
    FLOWS,
    SWALLOWS_REPLIES,  /* requests get through, nobody learns what came of them */
    SWALLOWS_REQUESTS, /* the other way round */
    STALLS,            /* nothing moves for a while; then goes on, or breaks */
    HALF_CLOSED,       /* the server sees the end; replies still come */
    FATES,
} fate;

typedef struct connection {
    int fd[2]; /* -1: free */
    fate fate;
    int64_t bytes;    /* until something happens */
    int64_t until_ms; /* then it breaks, or flows again */
    bool goes_on;
} connection;

static test_proxy *serving;
static connection connections[CONNECTIONS];

static struct sockaddr_in loopback(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

static void begin_flow(connection *c)
{
    c->fate = FLOWS;
    c->bytes = 100 + crowd_random(crowd_random(3) ? 12000 : 600);
}

static void break_connection(connection *c)
{
    /* Half of them without a good-bye. */
    struct linger abort_it = {1, 0};
    for (int i = 0; i < 2; i++) {
        if (crowd_random(2))
            setsockopt(c->fd[i], SOL_SOCKET, SO_LINGER, &abort_it, sizeof abort_it);
        close(c->fd[i]);
        c->fd[i] = -1;
    }
    atomic_fetch_add(&serving->broken, 1);
}

static void accept_one(void)
{
    int client = accept(serving->listener, NULL, NULL);
    if (client < 0) return;
    connection *c = connections;
    while (c < connections + CONNECTIONS && c->fd[CLIENT] >= 0) c++;
    struct sockaddr_in address = loopback(serving->to_port);
    int server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c == connections + CONNECTIONS || atomic_load(&serving->mode) == PROXY_CUT ||
        connect(server, (struct sockaddr *)&address, sizeof address)) {
        close(client);
        close(server);
        return;
    }
    c->fd[CLIENT] = client;
    c->fd[SERVER] = server;
    begin_flow(c);
}

static void meet_fate(connection *c)
{
    c->fate = (fate)crowd_random(FATES); /* FLOWS: breaks right here */
    c->until_ms = crowd_now_ms() + crowd_random(crowd_random(3) ? 10 : 500);
    c->goes_on = c->fate == STALLS && crowd_random(2);
    if (c->fate == FLOWS) break_connection(c);
    else if (c->fate == HALF_CLOSED) shutdown(c->fd[SERVER], SHUT_WR);
}

static bool swallows(const connection *c, int from)
{
    return from == SERVER ? c->fate == SWALLOWS_REPLIES
                          : c->fate == SWALLOWS_REQUESTS || c->fate == HALF_CLOSED;
}

static void pump(connection *c, int from)
{
    char bytes[4096];
    bool chaos = atomic_load(&serving->mode) == PROXY_CHAOS && c->fate == FLOWS;
    size_t most = chaos && c->bytes < (int64_t)sizeof bytes ? (size_t)c->bytes : sizeof bytes;
    ssize_t got = recv(c->fd[from], bytes, most, 0);
    if (got <= 0) {
        break_connection(c);
        return;
    }
    if (!swallows(c, from) &&
        send(c->fd[!from], bytes, (size_t)got, MSG_NOSIGNAL | MSG_DONTWAIT) != got) {
        break_connection(c);
        return;
    }
    if (chaos && (c->bytes -= got) <= 0) meet_fate(c);
}

static void look_at_time(connection *c)
{
    if (c->fate == FLOWS || crowd_now_ms() < c->until_ms) return;
    if (c->goes_on) begin_flow(c);
    else break_connection(c);
}

static void serve_once(void)
{
    struct pollfd polled[1 + 2 * CONNECTIONS];
    connection *of[1 + 2 * CONNECTIONS];
    int side[1 + 2 * CONNECTIONS];
    nfds_t count = 1;
    polled[0] = (struct pollfd){serving->listener, POLLIN, 0};
    for (connection *c = connections; c < connections + CONNECTIONS; c++) {
        if (c->fd[CLIENT] >= 0) look_at_time(c);
        if (c->fd[CLIENT] >= 0 && atomic_load(&serving->mode) == PROXY_CUT) break_connection(c);
        if (c->fd[CLIENT] < 0 || c->fate == STALLS) continue;
        for (int i = 0; i < 2; i++) {
            of[count] = c;
            side[count] = i;
            polled[count++] = (struct pollfd){c->fd[i], POLLIN, 0};
        }
    }
    if (poll(polled, count, 5) <= 0) return;
    for (nfds_t i = 1; i < count; i++)
        if (polled[i].revents && of[i]->fd[side[i]] == polled[i].fd) pump(of[i], side[i]);
    if (polled[0].revents) accept_one();
}

static void serve(int number)
{
    (void)number;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (int i = 0; i < CONNECTIONS; i++)
        connections[i].fd[CLIENT] = connections[i].fd[SERVER] = -1;
    for (;;) serve_once();
}

test_proxy *proxy_start(int to_port)
{
    test_proxy *proxy = crowd_share(sizeof *proxy);
    proxy->to_port = to_port;
    proxy->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = loopback(0);
    socklen_t length = sizeof address;
    if (bind(proxy->listener, (struct sockaddr *)&address, length) ||
        listen(proxy->listener, CONNECTIONS) ||
        getsockname(proxy->listener, (struct sockaddr *)&address, &length))
        test_failed(__FILE__, __LINE__, "proxy: %s", strerror(errno));
    proxy->port = ntohs(address.sin_port);
    serving = proxy;
    crowd_start(&proxy->process, serve, -1);
    return proxy;
}

int proxy_port(const test_proxy *proxy)
{
    return proxy->port;
}

void proxy_set(test_proxy *proxy, proxy_mode mode)
{
    atomic_store(&proxy->mode, (int)mode);
}

int64_t proxy_broken(const test_proxy *proxy)
{
    return atomic_load(&proxy->broken);
}
