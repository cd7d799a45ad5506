#include "support/server.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "support/test.h"

enum { START_SECONDS = 40, ATTEMPTS = 5 };

/* ---- pieces ---------------------------------------------------------------------------------------- */

double test_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static int loopback_socket(int port, struct sockaddr_in *address)
{
    *address = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    address->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

int test_connect(int port)
{
    struct sockaddr_in address;
    int fd = loopback_socket(port, &address);
    if (fd < 0 || !connect(fd, (struct sockaddr *)&address, sizeof address)) return fd;
    close(fd);
    return -1;
}

int test_listen(int *port)
{
    struct sockaddr_in address;
    socklen_t size = sizeof address;
    int fd = loopback_socket(0, &address);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, size) || listen(fd, 128) ||
        getsockname(fd, (struct sockaddr *)&address, &size))
        test_failed(__FILE__, __LINE__, "listening: %s", strerror(errno));
    *port = ntohs(address.sin_port);
    return fd;
}

/* Below the range the kernel takes ports of outgoing connections from: a port must still be free
 * when its server is started again, and a client that tries a closed port in that range can even
 * get connected to itself. */
int test_free_port(void)
{
    for (int i = 0; i < 1000; i++) {
        unsigned number = 0;
        if (getrandom(&number, sizeof number, 0) != sizeof number) break;
        int port = 10000 + (int)(number % 22000);
        struct sockaddr_in address;
        int fd = loopback_socket(port, &address);
        if (fd < 0) break;
        int busy = bind(fd, (struct sockaddr *)&address, sizeof address);
        close(fd);
        if (!busy) return port;
    }
    test_failed(__FILE__, __LINE__, "no free port on the loopback interface");
}

int test_silent_port(bool listening)
{
    struct sockaddr_in address;
    socklen_t length = sizeof address;
    int fd = loopback_socket(0, &address);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, length) || (listening && listen(fd, 64)) ||
        getsockname(fd, (struct sockaddr *)&address, &length))
        test_failed(__FILE__, __LINE__, "a port that is silent: %s", strerror(errno));
    return ntohs(address.sin_port);
}

bool test_in_path(const char *program)
{
    const char *path = getenv("PATH");
    while (path && *path) {
        size_t length = strcspn(path, ":");
        char full[512];
        snprintf(full, sizeof full, "%.*s/%s", (int)length, path, program);
        if (!access(full, X_OK)) return true;
        path += length + (path[length] == ':');
    }
    return false;
}

void test_write_file(const char *directory, const char *name, const char *text)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    FILE *file = fopen(path, "w");
    if (!file || fputs(text, file) < 0 || fclose(file))
        test_failed(__FILE__, __LINE__, "%s: %s", path, strerror(errno));
}

const char *test_log_tail(char *buffer, size_t size, const char *directory)
{
    char path[512];
    snprintf(path, sizeof path, "%s/log", directory);
    FILE *file = fopen(path, "r");
    size_t length = 0;
    if (file) {
        if (fseek(file, -(long)(size - 1), SEEK_END)) rewind(file);
        length = fread(buffer, 1, size - 1, file);
        fclose(file);
    }
    buffer[length] = '\0';
    return buffer;
}

void test_command_add(test_command *command, const char *format, ...)
{
    va_list arguments;
    CHECK(command->count < TEST_SERVER_ARGUMENTS);
    char *text = command->texts[command->count];
    va_start(arguments, format);
    int length = vsnprintf(text, TEST_SERVER_TEXT, format, arguments);
    va_end(arguments);
    CHECK(length >= 0 && length < TEST_SERVER_TEXT);
    command->arguments[command->count++] = text;
    command->arguments[command->count] = NULL;
}

static void become_server(const char *directory, char *const arguments[], pid_t parent)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(1);
    char log[512];
    snprintf(log, sizeof log, "%s/log", directory);
    int out = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600), in = open("/dev/null", O_RDONLY);
    if (out < 0 || in < 0) _exit(1);
    dup2(in, 0);
    dup2(out, 1);
    dup2(out, 2);
    /* The runner may hold pipes of its own open in us. */
    for (int fd = 3; fd < 256; fd++) close(fd);
    execvp(arguments[0], arguments);
    _exit(127);
}

pid_t test_spawn(const char *directory, char *const arguments[])
{
    pid_t parent = getpid(), child = fork();
    if (child < 0) test_failed(__FILE__, __LINE__, "fork: %s", strerror(errno));
    if (!child) become_server(directory, arguments, parent);
    return child;
}

void test_stop_process(pid_t pid)
{
    kill(pid, SIGSTOP);
    /* A process stops thread by thread; one that still runs could answer. */
    siginfo_t stopped;
    waitid(P_PID, (id_t)pid, &stopped, WSTOPPED | WEXITED | WNOWAIT);
}

/* ---- servers ---------------------------------------------------------------------------------------- */

struct test_server {
    test_server *next; /* in `started`: reachable, so that the leak checker sees them as ours */
    const test_server_kind *kind;
    pid_t pid; /* 0: not running */
    int port;
    char directory[256];
};

static test_server *started;

static void launch(test_server *server)
{
    test_command command = {0};
    server->kind->command(&command, server->directory, server->port);
    server->pid = test_spawn(server->directory, command.arguments);
}

static bool serves(const test_server *server)
{
    int fd = test_connect(server->port);
    if (fd < 0) return false;
    close(fd);
    return !server->kind->serves || server->kind->serves(server);
}

static bool has_ended(test_server *server)
{
    if (server->pid && waitpid(server->pid, NULL, WNOHANG) == server->pid) server->pid = 0;
    return !server->pid;
}

/* False: it ended by itself. */
static bool wait_until_serving(test_server *server)
{
    double limit = test_seconds() + START_SECONDS;
    while (!has_ended(server)) {
        if (serves(server)) return true;
        if (test_seconds() > limit) return false;
        test_pause_ms(10);
    }
    return false;
}

static _Noreturn void failed_to_serve(const test_server *server)
{
    char tail[2048];
    test_failed(__FILE__, __LINE__, "the %s server does not serve; its log ends:\n%s",
                server->kind->name, test_log_tail(tail, sizeof tail, server->directory));
}

void test_server_wait(test_server *server)
{
    if (!wait_until_serving(server)) failed_to_serve(server);
}

static bool works_in(const char *process, const char *directory)
{
    char link[64], path[512];
    snprintf(link, sizeof link, "/proc/%.20s/cwd", process);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return false;
    path[length] = '\0';
    return !strncmp(path, directory, strlen(directory));
}

/* Sends the signal to its processes besides the first; how many there are. */
static int signal_others(const test_server *server, int number)
{
    int count = 0;
    DIR *processes = server->kind->has_processes ? opendir("/proc") : NULL;
    for (struct dirent *entry; processes && (entry = readdir(processes));) {
        pid_t pid = atoi(entry->d_name);
        if (pid <= 0 || pid == server->pid || !works_in(entry->d_name, server->directory)) continue;
        kill(pid, number);
        count++;
    }
    if (processes) closedir(processes);
    return count;
}

void test_server_kill(test_server *server)
{
    if (!server->pid) return;
    kill(server->pid, SIGKILL);
    waitpid(server->pid, NULL, 0);
    server->pid = 0;
    for (int i = 0; signal_others(server, SIGKILL); i++) {
        CHECK(i < 1000);
        test_pause_ms(5);
    }
}

test_server *test_server_start(const test_server_kind *kind)
{
    static int number;
    test_server *server = calloc(1, sizeof *server);
    CHECK(server);
    server->kind = kind;
    server->next = started;
    started = server;
    for (int attempt = 0;; attempt++) {
        server->port = test_free_port();
        snprintf(server->directory, sizeof server->directory, "%s/%s-%d", test_directory(),
                 kind->name, ++number);
        if (mkdir(server->directory, 0700))
            test_failed(__FILE__, __LINE__, "mkdir %s: %s", server->directory, strerror(errno));
        launch(server);
        if (wait_until_serving(server)) return server;
        /* Somebody may have taken the port since we looked. */
        if (server->pid || attempt == ATTEMPTS) failed_to_serve(server);
    }
}

void test_server_end(test_server *server)
{
    if (!server) return;
    test_server **at = &started;
    while (*at != server) at = &(*at)->next;
    *at = server->next;
    test_server_kill(server);
    free(server);
}

int test_server_port(const test_server *server)
{
    return server->port;
}

const char *test_server_directory(const test_server *server)
{
    return server->directory;
}

/* Reachable, so that the leak checker sees them as ours. */
typedef struct kept_text {
    struct kept_text *next;
    char text[1024]; /* several paths */
} kept_text;

const char *test_server_text(const char *format, ...)
{
    static kept_text *kept;
    kept_text *made = calloc(1, sizeof *made);
    va_list arguments;
    CHECK(made);
    made->next = kept;
    kept = made;
    va_start(arguments, format);
    int length = vsnprintf(made->text, sizeof made->text, format, arguments);
    va_end(arguments);
    CHECK(length >= 0 && length < (int)sizeof made->text);
    return made->text;
}

void test_server_pause(test_server *server)
{
    CHECK(server->pid);
    test_stop_process(server->pid); /* first: it makes no others then */
    signal_others(server, SIGSTOP);
}

void test_server_resume(test_server *server)
{
    CHECK(server->pid);
    signal_others(server, SIGCONT);
    kill(server->pid, SIGCONT);
}

void test_server_restart(test_server *server)
{
    CHECK(!server->pid);
    launch(server);
}
