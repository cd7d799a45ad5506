#include "world.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <linux/magic.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CHILDREN_MAX = 48 };

static char directory[512];
static pid_t owner;
static _Atomic pid_t children[CHILDREN_MAX];

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *place)
{
    (void)status, (void)kind, (void)place;
    return remove(path) && errno != ENOENT ? -1 : 0;
}

void world_close(void)
{
    /* A worker shares the code of fail(), but not the directory. */
    if (owner != getpid()) return;
    for (int i = 0; i < CHILDREN_MAX; i++) {
        pid_t pid = atomic_exchange(&children[i], 0);
        if (pid <= 0) continue;
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
    }
    if (directory[0]) nftw(directory, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    directory[0] = '\0';
}

static void signals(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGHUP);
}

/* The one thread that signals reach: removing a directory is nothing for a signal handler. */
static void *wait_for_signal(void *unused)
{
    (void)unused;
    sigset_t set;
    int signal_number;
    signals(&set);
    sigwait(&set, &signal_number);
    world_close();
    _exit(128 + signal_number);
}

static bool syncs(const char *path)
{
    struct statfs about;
    return !statfs(path, &about) && about.f_type != TMPFS_MAGIC && about.f_type != RAMFS_MAGIC &&
           !access(path, W_OK);
}

void world_open(const char *place)
{
    if (!place) place = syncs("/var/tmp") ? "/var/tmp" : ".";
    snprintf(directory, sizeof directory, "%s/avout-bench-XXXXXX", place);
    if (!mkdtemp(directory)) {
        fprintf(stderr, "avout-bench: %s: %s\n", directory, strerror(errno));
        exit(1);
    }
    owner = getpid();
    sigset_t set;
    pthread_t thread;
    signals(&set);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    if (pthread_create(&thread, NULL, wait_for_signal, NULL)) fail("cannot start a thread");
    pthread_detach(thread);
}

const char *world_directory(void)
{
    return directory;
}

void fail(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("avout-bench: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    world_close();
    _exit(1);
}

void need(avout_status status, const char *what)
{
    if (status) fail("%s: %s: %s", what, avout_status_name(status), avout_error_detail());
}

void *need_memory(size_t size)
{
    void *block = calloc(1, size);
    if (!block) fail("no memory");
    return block;
}

/* ---- children --------------------------------------------------------------------------------- */

static _Noreturn void become(char *const *arguments, const char *log, int in, int out, pid_t parent)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(1);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    if (log) {
        in = open("/dev/null", O_RDONLY);
        out = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
    }
    if (in < 0 || out < 0) _exit(1);
    dup2(in, 0);
    dup2(out, 1);
    if (log) dup2(out, 2);
    for (int fd = 3; fd < 256; fd++) close(fd);
    execvp(arguments[0], arguments);
    _exit(127);
}

static void adopt(pid_t pid)
{
    for (int i = 0; i < CHILDREN_MAX; i++) {
        pid_t none = 0;
        if (atomic_compare_exchange_strong(&children[i], &none, pid)) return;
    }
    kill(pid, SIGKILL);
    fail("too many child processes");
}

child child_start(char *const *arguments, const char *log)
{
    int in[2] = {-1, -1}, out[2] = {-1, -1};
    if (!log && (pipe2(in, O_CLOEXEC) || pipe2(out, O_CLOEXEC))) fail("pipe: %s", strerror(errno));
    pid_t parent = getpid(), pid = fork();
    if (pid < 0) fail("fork: %s", strerror(errno));
    if (!pid) become(arguments, log, in[0], out[1], parent);
    adopt(pid);
    child started = {.pid = pid};
    if (log) return started;
    close(in[0]);
    close(out[1]);
    started.to = fdopen(in[1], "w");
    started.from = fdopen(out[0], "r");
    if (!started.to || !started.from) fail("fdopen: %s", strerror(errno));
    return started;
}

void child_tell(child *c, const char *line)
{
    if (fprintf(c->to, "%s\n", line) < 0 || fflush(c->to)) fail("a child process has ended");
}

void child_hear(child *c, char *line, size_t size)
{
    if (!fgets(line, (int)size, c->from)) fail("a child process has ended");
    line[strcspn(line, "\n")] = '\0';
}

void child_end(child *c)
{
    if (c->pid <= 0) return;
    for (int i = 0; i < CHILDREN_MAX; i++) {
        pid_t pid = c->pid;
        if (!atomic_compare_exchange_strong(&children[i], &pid, 0)) continue;
        kill(c->pid, SIGKILL);
        waitpid(c->pid, NULL, 0);
    }
    if (c->to) fclose(c->to);
    if (c->from) fclose(c->from);
    *c = (child){0};
}

bool child_has_ended(const child *c)
{
    siginfo_t info = {0};
    return waitid(P_PID, (id_t)c->pid, &info, WEXITED | WNOHANG | WNOWAIT) || info.si_pid == c->pid;
}
