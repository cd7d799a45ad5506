#include "support/zookeeper.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "support/server.h"
#include "support/test.h"

enum { SERVERS_MAX = 9, START_SECONDS = 40, ATTEMPTS = 5 };

static const char zookeeper_jar[] = "/usr/share/java/zookeeper.jar";
static const char logger_jar[] = "/usr/share/java/slf4j-simple.jar";

typedef struct server {
    pid_t pid; /* 0: not running */
    int client_port, quorum_port, election_port;
    char directory[256];
} server;

struct test_zk {
    struct test_zk *next; /* in `started`: reachable, so that the leak checker sees them as ours */
    test_zk_options options;
    int count;
    server servers[SERVERS_MAX];
    char addresses[SERVERS_MAX * 32];
};

static test_zk *started;

static uint64_t random_number(void)
{
    uint64_t number = 0;
    if (getrandom(&number, sizeof number, 0) != sizeof number)
        test_failed(__FILE__, __LINE__, "getrandom: %s", strerror(errno));
    return number;
}

static void configure(test_zk *zk, int number)
{
    server *s = &zk->servers[number];
    int tick_ms = zk->options.tick_ms ? zk->options.tick_ms : 200;
    char text[4096], id[16];
    int n = snprintf(text, sizeof text,
                     "tickTime=%d\nminSessionTimeout=%d\nmaxSessionTimeout=60000\n"
                     "dataDir=%s/data\nclientPort=%d\nclientPortAddress=127.0.0.1\n"
                     "maxClientCnxns=0\nadmin.enableServer=false\n4lw.commands.whitelist=*\n%s\n",
                     tick_ms, 2 * tick_ms, s->directory, s->client_port,
                     zk->options.config ? zk->options.config : "");
    if (zk->count > 1) {
        /* Generous limits: a loaded test machine is not a broken network. But an election that fails
         * costs initLimit, and some fail: see sync_to_disk(). The leader must give up first. */
        n += snprintf(text + n, sizeof text - (size_t)n, "initLimit=%d\nsyncLimit=%d\n",
                      4000 / tick_ms, 8000 / tick_ms);
        for (int i = 0; i < zk->count; i++)
            n += snprintf(text + n, sizeof text - (size_t)n, "server.%d=127.0.0.1:%d:%d\n", i + 1,
                          zk->servers[i].quorum_port, zk->servers[i].election_port);
    }
    CHECK(n < (int)sizeof text);
    test_write_file(s->directory, "zoo.cfg", text);
    snprintf(id, sizeof id, "%d\n", number + 1);
    test_write_file(s->directory, "data/myid", id);
}

/* An ensemble needs it to elect leaders. A follower that lacks some of its new leader's changes logs
 * them and acknowledges the leader on two threads. Where logging takes no time its acknowledgement of
 * a change often comes first; the leader takes it for that of itself, "from a different epoch", and
 * leads nobody until initLimit (ZOOKEEPER-4685, in 3.8.0; 9 of 24 such elections here, none of 24 with
 * the log synced). */
static const char *sync_to_disk(const test_zk *zk)
{
    return zk->count > 1 ? "-Dzookeeper.forceSync=yes" : "-Dzookeeper.forceSync=no";
}

static void launch(test_zk *zk, int number)
{
    server *s = &zk->servers[number];
    test_command command = {0};
    static const char *const options[] = {"java",
                                          "-Xmx128m",
                                          "-XX:+UseSerialGC",
                                          "-XX:TieredStopAtLevel=1",
                                          "-XX:-UsePerfData",
                                          "-Dzookeeper.preAllocSize=1024",
                                          "-Dorg.slf4j.simpleLogger.defaultLogLevel=info",
                                          "-Dorg.slf4j.simpleLogger.showDateTime=true"};
    for (size_t i = 0; i < sizeof options / sizeof *options; i++)
        test_command_add(&command, "%s", options[i]);
    test_command_add(&command, "%s", sync_to_disk(zk));
    test_command_add(&command, "%s", zk->options.java ? zk->options.java : "-Davout=test");
    const char *archive = getenv("AVOUT_TEST_ZOOKEEPER_ARCHIVE");
    if (archive && !access(archive, R_OK))
        test_command_add(&command, "-XX:SharedArchiveFile=%s", archive);
    test_command_add(&command, "-cp");
    test_command_add(&command, "%s:%s", logger_jar, zookeeper_jar);
    test_command_add(&command, "org.apache.zookeeper.server.quorum.QuorumPeerMain");
    test_command_add(&command, "%s/zoo.cfg", s->directory);
    s->pid = test_spawn(s->directory, command.arguments);
}

static bool has_ended(server *s)
{
    if (s->pid && waitpid(s->pid, NULL, WNOHANG) == s->pid) s->pid = 0;
    return !s->pid;
}

bool test_zk_ask(const test_zk *zk, int number, const char *command, char *answer, size_t size)
{
    int fd = test_connect(zk->servers[number].client_port);
    if (fd < 0) return false;
    struct timeval limit = {2, 0};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    size_t length = 0;
    bool ended = false;
    if (send(fd, command, strlen(command), MSG_NOSIGNAL) == (ssize_t)strlen(command)) {
        while (length < size - 1) {
            ssize_t got = recv(fd, answer + length, size - 1 - length, 0);
            ended = got == 0;
            if (got <= 0) break;
            length += (size_t)got;
        }
    }
    close(fd);
    answer[length] = '\0';
    return length > 0 && (ended || length == size - 1);
}

/* NULL: does not serve. */
static const char *mode_of(const test_zk *zk, int number, char *buffer, size_t size)
{
    if (!zk->servers[number].pid || !test_zk_ask(zk, number, "srvr", buffer, size)) return NULL;
    char *mode = strstr(buffer, "Mode: ");
    if (!mode) return NULL;
    mode += strlen("Mode: ");
    mode[strcspn(mode, "\r\n")] = '\0';
    return mode;
}

static _Noreturn void failed_to_serve(const test_zk *zk, int number)
{
    char tail[2048];
    test_failed(__FILE__, __LINE__, "ZooKeeper server %d does not serve; its log ends:\n%s", number,
                test_log_tail(tail, sizeof tail, zk->servers[number].directory));
}

/* False: it ended by itself. */
static bool wait_until_serving(test_zk *zk, int number)
{
    char buffer[2048];
    double limit = test_seconds() + START_SECONDS;
    while (!mode_of(zk, number, buffer, sizeof buffer)) {
        if (has_ended(&zk->servers[number])) return false;
        if (test_seconds() > limit) failed_to_serve(zk, number);
        test_pause_ms(10);
    }
    return true;
}

void test_zk_wait(test_zk *zk, int number)
{
    if (!wait_until_serving(zk, number)) failed_to_serve(zk, number);
}

static void end_server(server *s)
{
    if (!s->pid) return;
    kill(s->pid, SIGKILL);
    waitpid(s->pid, NULL, 0);
    s->pid = 0;
}

static void choose_places(test_zk *zk)
{
    static int places;
    int number = places++;
    size_t n = 0;
    zk->addresses[0] = '\0';
    for (int i = 0; i < zk->count; i++) {
        server *s = &zk->servers[i];
        s->client_port = test_free_port();
        s->quorum_port = test_free_port();
        s->election_port = test_free_port();
        char data[300];
        snprintf(s->directory, sizeof s->directory, "%s/zk%d-%d", test_directory(), number, i + 1);
        snprintf(data, sizeof data, "%s/data", s->directory);
        if (mkdir(s->directory, 0700) || mkdir(data, 0700))
            test_failed(__FILE__, __LINE__, "mkdir %s: %s", data, strerror(errno));
        n += (size_t)snprintf(zk->addresses + n, sizeof zk->addresses - n, "%s127.0.0.1:%d",
                              i ? "," : "", s->client_port);
    }
}

test_zk *test_zk_start_with(const test_zk_options *options)
{
    if (!test_in_path("java")) test_skip("no ZooKeeper server: there is no java in PATH");
    if (access(zookeeper_jar, R_OK)) test_skip("no ZooKeeper server: %s is missing", zookeeper_jar);
    test_zk *zk = calloc(1, sizeof *zk);
    CHECK(zk);
    zk->next = started;
    started = zk;
    zk->options = *options;
    zk->count = options->servers ? options->servers : 1;
    CHECK(zk->count > 0 && zk->count <= SERVERS_MAX);
    for (int attempt = 0;; attempt++) {
        choose_places(zk);
        for (int i = 0; i < zk->count; i++) configure(zk, i);
        for (int i = 0; i < zk->count; i++) launch(zk, i);
        int i = 0;
        while (i < zk->count && wait_until_serving(zk, i)) i++;
        if (i == zk->count) return zk;
        /* Somebody may have taken a port since we looked. */
        if (attempt == ATTEMPTS) failed_to_serve(zk, i);
        for (i = 0; i < zk->count; i++) end_server(&zk->servers[i]);
    }
}

test_zk *test_zk_start(int servers)
{
    return test_zk_start_with(&(test_zk_options){.servers = servers});
}

void test_zk_end(test_zk *zk)
{
    if (!zk) return;
    test_zk **at = &started;
    while (*at != zk) at = &(*at)->next;
    *at = zk->next;
    for (int i = 0; i < zk->count; i++) end_server(&zk->servers[i]);
    free(zk);
}

const char *test_zk_servers(const test_zk *zk)
{
    return zk->addresses;
}

int test_zk_port(const test_zk *zk, int number)
{
    return zk->servers[number].client_port;
}

/* Kept reachable, so that the leak checker sees them as ours. */
typedef struct kept_text {
    struct kept_text *next;
    char text[512];
} kept_text;

static const char *fresh_url(const char *servers)
{
    static kept_text *kept;
    kept_text *url = calloc(1, sizeof *url);
    CHECK(url);
    url->next = kept;
    kept = url;
    snprintf(url->text, sizeof url->text, "zk://%s/test-%016" PRIx64, servers, random_number());
    return url->text;
}

const char *test_zk_url(const test_zk *zk)
{
    return fresh_url(zk->addresses);
}

const char *test_zk_shared_url(void)
{
    static test_zk *own;
    const char *servers = getenv("AVOUT_TEST_ZOOKEEPER");
    if (servers && *servers) return fresh_url(servers);
    if (!own) own = test_zk_start(1);
    return test_zk_url(own);
}

void test_zk_kill(test_zk *zk, int number)
{
    end_server(&zk->servers[number]);
}

void test_zk_stop(test_zk *zk, int number)
{
    CHECK(zk->servers[number].pid && !kill(zk->servers[number].pid, SIGTERM));
    CHECK(waitpid(zk->servers[number].pid, NULL, 0) == zk->servers[number].pid);
    zk->servers[number].pid = 0;
}

void test_zk_pause(test_zk *zk, int number)
{
    CHECK(zk->servers[number].pid);
    test_stop_process(zk->servers[number].pid);
}

void test_zk_resume(test_zk *zk, int number)
{
    CHECK(zk->servers[number].pid);
    kill(zk->servers[number].pid, SIGCONT);
}

void test_zk_restart(test_zk *zk, int number)
{
    CHECK(!zk->servers[number].pid);
    launch(zk, number);
}

int test_zk_leader(test_zk *zk)
{
    if (zk->count == 1) return 0;
    char buffer[2048];
    double limit = test_seconds() + START_SECONDS;
    for (;;) {
        for (int i = 0; i < zk->count; i++) {
            const char *mode = mode_of(zk, i, buffer, sizeof buffer);
            if (mode && !strcmp(mode, "leader")) return i;
        }
        if (test_seconds() > limit) failed_to_serve(zk, 0);
        test_pause_ms(20);
    }
}
