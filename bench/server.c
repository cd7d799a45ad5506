#include "server.h"

#include <math.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "measure.h"
#include "world.h"

enum { START_SECONDS = 60, ATTEMPTS = 3 };

static char zookeeper_jars[] = "/usr/share/java/slf4j-simple.jar:/usr/share/java/zookeeper.jar";

struct server {
    child process;
    int port;
    char address[256];
    char directory[600];
};

/* Connected to the server; -1: nobody is there. */
static int connect_to(const char *address)
{
    char host[256];
    snprintf(host, sizeof host, "%s", address);
    char *colon = strrchr(host, ':');
    const char *port = colon ? colon + 1 : "2181";
    if (colon) *colon = '\0';
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found;
    if (getaddrinfo(host, port, &hints, &found)) return -1;
    int fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, found->ai_addr, found->ai_addrlen)) {
        close(fd);
        fd = -1;
    }
    freeaddrinfo(found);
    return fd;
}

static bool ask(const server *s, const char *command, char *answer, size_t size)
{
    int fd = connect_to(s->address);
    size_t length = 0;
    if (fd < 0) return false;
    struct timeval limit = {5, 0};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    if (send(fd, command, strlen(command), MSG_NOSIGNAL) == (ssize_t)strlen(command)) {
        ssize_t got = 1;
        while (got > 0 && length < size - 1) {
            got = recv(fd, answer + length, size - 1 - length, 0);
            if (got > 0) length += (size_t)got;
        }
    }
    close(fd);
    answer[length] = '\0';
    return length > 0;
}

bool server_answers(const char *address)
{
    int fd = connect_to(address);
    if (fd < 0) return false;
    close(fd);
    return true;
}

/* Below the range of outgoing connections: nobody else gets it while the server is restarted. */
int server_free_port(void)
{
    for (int i = 0; i < 1000; i++) {
        unsigned number = 0;
        char address[32];
        if (getrandom(&number, sizeof number, 0) != sizeof number) break;
        int port = 10000 + (int)(number % 22000);
        snprintf(address, sizeof address, "127.0.0.1:%d", port);
        if (!server_answers(address)) return port;
    }
    fail("no free port on the loopback interface");
}

static void configure(server *s)
{
    char path[700];
    snprintf(s->address, sizeof s->address, "127.0.0.1:%d", s->port);
    snprintf(path, sizeof path, "%s/zoo.cfg", s->directory);
    FILE *file = fopen(path, "w");
    if (!file) fail("%s: cannot be written", path);
    fprintf(file,
            "tickTime=2000\ndataDir=%s\nclientPort=%d\nclientPortAddress=127.0.0.1\n"
            "maxClientCnxns=0\nadmin.enableServer=false\n4lw.commands.whitelist=*\n",
            s->directory, s->port);
    if (fclose(file)) fail("%s: cannot be written", path);
}

static void launch(server *s)
{
    char config[700], log[700];
    snprintf(config, sizeof config, "%s/zoo.cfg", s->directory);
    snprintf(log, sizeof log, "%s/log", s->directory);
    char *arguments[] = {"java",
                         "-Xmx512m",
                         "-XX:-UsePerfData",
                         "-Dzookeeper.forceSync=yes",
                         "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
                         "-cp",
                         zookeeper_jars,
                         "org.apache.zookeeper.server.quorum.QuorumPeerMain",
                         config,
                         NULL};
    s->process = child_start(arguments, log);
}

/* False: it ended by itself. */
static bool wait_until_serving(server *s)
{
    char answer[4096];
    double limit = seconds_now() + START_SECONDS;
    while (!ask(s, "srvr", answer, sizeof answer) || !strstr(answer, "Mode: ")) {
        if (child_has_ended(&s->process)) return false;
        if (seconds_now() > limit) fail("the ZooKeeper server does not serve");
        nanosleep(&(struct timespec){0, 10000000}, NULL);
    }
    return true;
}

static server *use_running(const char *url)
{
    server *s = need_memory(sizeof *s);
    char answer[4096];
    const char *address = strncmp(url, "zk://", 5) ? url : url + 5;
    snprintf(s->address, sizeof s->address, "%.*s", (int)strcspn(address, "/,"), address);
    if (!ask(s, "srvr", answer, sizeof answer)) fail("%s: nobody answers there", s->address);
    return s;
}

server *server_start(const char *url)
{
    if (url) return use_running(url);
    if (access(strchr(zookeeper_jars, ':') + 1, R_OK))
        fail("there is no ZooKeeper server; Debian's package is `zookeeper`");
    server *s = need_memory(sizeof *s);
    snprintf(s->directory, sizeof s->directory, "%s/zookeeper", world_directory());
    if (mkdir(s->directory, 0700)) fail("%s: cannot be made", s->directory);
    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
        s->port = server_free_port();
        configure(s);
        launch(s);
        if (wait_until_serving(s)) return s;
        child_end(&s->process);
    }
    fail("the ZooKeeper server does not start");
}

const char *server_address(const server *s)
{
    return s->address;
}

pid_t server_pid(const server *s)
{
    return s->process.pid;
}

void server_restart(server *s)
{
    child_end(&s->process);
    launch(s);
    if (!wait_until_serving(s)) fail("the ZooKeeper server does not start again");
}

double server_count(const server *s, const char *name)
{
    static char answer[65536];
    size_t length = strlen(name);
    if (!ask(s, "mntr", answer, sizeof answer)) return NAN;
    for (char *line = answer; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (!strncmp(line, name, length) && line[length] == '\t')
            return strtod(line + length + 1, NULL);
    }
    return NAN;
}

unsigned long long server_zxid(const server *s)
{
    char answer[4096];
    if (!ask(s, "srvr", answer, sizeof answer)) return 0;
    const char *at = strstr(answer, "Zxid: ");
    return at ? strtoull(at + strlen("Zxid: "), NULL, 16) : 0;
}
