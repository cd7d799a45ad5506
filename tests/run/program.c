#include "run/program.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* A program gone wild must not fill the disk. */
enum { LOG_BYTES_MAX = 8 << 20, LINE_MAX_BYTES = 1024 };

/* The program's own two streams, read apart, so that half a line on one cannot spoil a result on
 * the other, and written to one log. */
typedef struct stream {
    int fd; /* -1: at its end */
    char line[LINE_MAX_BYTES];
    size_t length;
} stream;

typedef struct keeper {
    pid_t program;
    int status; /* of the program, once it has ended */
    bool ended, late, stopped;
    int left; /* processes it left behind */
    int signals;
    int log;
    size_t logged;
    stream out, err;
    tap counts;
} keeper;

double seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* ---- output -------------------------------------------------------------------------------- */

static void write_all(int fd, const char *bytes, size_t length)
{
    while (length) {
        ssize_t written = write(fd, bytes, length);
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) return;
        bytes += written;
        length -= (size_t)written;
    }
}

static void log_bytes(keeper *k, const char *bytes, size_t length)
{
    static const char cut[] = "\n# the rest of the output was cut\n";
    if (k->logged > LOG_BYTES_MAX) return;
    write_all(k->log, bytes, length);
    k->logged += length;
    if (k->logged > LOG_BYTES_MAX) write_all(k->log, cut, sizeof cut - 1);
}

static void end_line(keeper *k, stream *s)
{
    if (!s->length) return;
    log_bytes(k, s->line, s->length);
    if (s->line[s->length - 1] != '\n') log_bytes(k, "\n", 1);
    s->line[s->length - (s->line[s->length - 1] == '\n')] = '\0';
    if (s == &k->out) tap_line(&k->counts, s->line);
    s->length = 0;
}

static void take_bytes(keeper *k, stream *s, const char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        s->line[s->length++] = bytes[i];
        if (bytes[i] == '\n' || s->length == sizeof s->line - 1) end_line(k, s);
    }
}

static void read_stream(keeper *k, stream *s)
{
    char bytes[16384];
    while (s->fd >= 0) {
        ssize_t got = read(s->fd, bytes, sizeof bytes);
        if (got > 0) {
            take_bytes(k, s, bytes, (size_t)got);
            continue;
        }
        if (got < 0 && errno == EINTR) continue;
        if (got < 0 && errno == EAGAIN) return;
        close(s->fd);
        s->fd = -1;
    }
}

/* ---- processes ----------------------------------------------------------------------------- */

/* Parent of a process, or -1; `zombie` tells whether it has ended already. */
static pid_t parent_of(const char *pid, bool *zombie)
{
    char path[64], text[512];
    snprintf(path, sizeof path, "/proc/%.20s/stat", pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return -1;
    ssize_t got = read(fd, text, sizeof text - 1);
    close(fd);
    if (got <= 0) return -1;
    text[got] = '\0';
    /* The name in parentheses may itself contain any character. */
    const char *behind_name = strrchr(text, ')');
    char state;
    int parent;
    if (!behind_name || sscanf(behind_name + 1, " %c %d", &state, &parent) != 2) return -1;
    *zombie = state == 'Z' || state == 'X';
    return parent;
}

/* Kills all children; their children become ours and die in the next round. Returns how many. */
static int kill_children(void)
{
    DIR *proc = opendir("/proc");
    if (!proc) return 0;
    int killed = 0;
    for (struct dirent *entry; (entry = readdir(proc));) {
        bool zombie;
        int pid = atoi(entry->d_name);
        if (pid <= 0 || parent_of(entry->d_name, &zombie) != getpid() || zombie) continue;
        kill(pid, SIGKILL);
        killed++;
    }
    closedir(proc);
    return killed;
}

static void reap(keeper *k, int options)
{
    int status;
    for (pid_t pid; (pid = waitpid(-1, &status, options)) > 0;) {
        if (pid != k->program) continue;
        k->ended = true;
        k->status = status;
    }
}

static void end_everything(keeper *k)
{
    bool program_ran = !k->ended;
    do {
        int killed = kill_children();
        k->left += killed;
        if (!killed) break;
        struct timespec moment = {0, 2000000};
        nanosleep(&moment, NULL);
        reap(k, WNOHANG);
    } while (true);
    reap(k, 0);
    if (program_ran && k->left) k->left--;
}

static void take_signals(keeper *k)
{
    struct signalfd_siginfo info;
    while (read(k->signals, &info, sizeof info) == sizeof info)
        if (info.ssi_signo == SIGTERM) k->stopped = true;
    reap(k, WNOHANG);
}

/* ---- the keeper ---------------------------------------------------------------------------- */

static void watch(keeper *k, double end)
{
    while (!k->ended && !k->stopped && !k->late) {
        double left = end - seconds_now();
        struct pollfd ready[] = {
            {k->err.fd, POLLIN, 0}, {k->out.fd, POLLIN, 0}, {k->signals, POLLIN, 0}};
        poll(ready, 3, left > 0 ? (int)(left * 1000) + 1 : 0);
        /* A failure's explanation is printed before its result line and is read before it. */
        read_stream(k, &k->err);
        read_stream(k, &k->out);
        take_signals(k);
        k->late = !k->ended && seconds_now() >= end;
    }
    end_everything(k);
    read_stream(k, &k->err);
    read_stream(k, &k->out);
    end_line(k, &k->err);
    end_line(k, &k->out);
}

/* What is wrong with the program as a whole counts as one failure at least, and as many as results
 * are missing. */
static void judge(const keeper *k, int limit_seconds, outcome *result)
{
    result->counts = k->counts;
    tap *counts = &result->counts;
    int missing = counts->planned < 0 ? 0 : counts->planned - tap_seen(counts);
    size_t size = sizeof result->note;
    if (k->stopped) snprintf(result->note, size, "interrupted");
    else if (k->late) snprintf(result->note, size, "no end after %d s", limit_seconds);
    else if (WIFSIGNALED(k->status))
        snprintf(result->note, size, "ended by signal %d (%s)", WTERMSIG(k->status),
                 strsignal(WTERMSIG(k->status)));
    else if (counts->planned < 0)
        snprintf(result->note, size, "printed no plan, exit status %d", WEXITSTATUS(k->status));
    else if (missing)
        snprintf(result->note, size, "planned %d results, printed %d", counts->planned,
                 tap_seen(counts));
    else if (WEXITSTATUS(k->status) && !counts->failed)
        snprintf(result->note, size, "exit status %d though no test failed",
                 WEXITSTATUS(k->status));
    if (result->note[0]) counts->failed += missing > 1 ? missing : 1;
}

static int pipe_to(stream *s)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC)) return -1;
    s->fd = ends[0];
    fcntl(s->fd, F_SETFL, O_NONBLOCK);
    return ends[1];
}

static _Noreturn void become_program(const char *const *command, int out, int err)
{
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    int in = open("/dev/null", O_RDONLY | O_CLOEXEC);
    dup2(in, 0);
    dup2(out, 1);
    dup2(err, 2);
    execvp(command[0], (char *const *)(uintptr_t)command);
    fprintf(stderr, "# cannot run %s: %s\n", command[0], strerror(errno));
    _exit(127);
}

/* A subreaper reaps everything, so what its children used is what the program used, its servers
 * included. */
static void count_processor_time(outcome *result)
{
    struct rusage used;
    if (getrusage(RUSAGE_CHILDREN, &used)) return;
    result->user = (double)used.ru_utime.tv_sec + (double)used.ru_utime.tv_usec / 1e6;
    result->system = (double)used.ru_stime.tv_sec + (double)used.ru_stime.tv_usec / 1e6;
}

/* In the new process: signals that mean something to a keeper arrive through a descriptor. */
static void become_keeper(keeper *k, pid_t runner)
{
    signal(SIGINT, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
    sigset_t mine;
    sigemptyset(&mine);
    sigaddset(&mine, SIGTERM);
    sigaddset(&mine, SIGCHLD);
    sigprocmask(SIG_SETMASK, &mine, NULL);
    k->signals = signalfd(-1, &mine, SFD_NONBLOCK | SFD_CLOEXEC);
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != runner) _exit(1);
}

static void keep(keeper *k, const program *what, outcome *result)
{
    double start = seconds_now();
    k->log = open(what->log, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    int out = pipe_to(&k->out), err = pipe_to(&k->err);
    k->program = fork();
    if (k->program == 0) become_program(what->command, out, err);
    close(out);
    close(err);
    if (k->program < 0) k->ended = true;
    watch(k, start + what->limit_seconds);
    judge(k, what->limit_seconds, result);
    result->seconds = seconds_now() - start;
    count_processor_time(result);
    char text[320];
    snprintf(text, sizeof text, "# %.1f s: %.1f s of processor time and %.1f s of the system's\n",
             result->seconds, result->user, result->system);
    if (result->note[0])
        snprintf(text + strlen(text), sizeof text - strlen(text), "# %s\n", result->note);
    if (k->left)
        snprintf(text + strlen(text), sizeof text - strlen(text),
                 "# %d processes it left behind were ended\n", k->left);
    log_bytes(k, text, strlen(text));
}

/* A signal that comes before the keeper can take it must wait, not be lost. */
static pid_t fork_with_signals_blocked(void)
{
    sigset_t all, before;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &before);
    pid_t pid = fork();
    if (pid) sigprocmask(SIG_SETMASK, &before, NULL);
    return pid;
}

pid_t program_start(const program *what, outcome *result)
{
    pid_t runner = getpid(), pid = fork_with_signals_blocked();
    if (pid) return pid;
    keeper k = {.counts = TAP_INIT, .out = {.fd = -1}, .err = {.fd = -1}};
    become_keeper(&k, runner);
    keep(&k, what, result);
    _exit(0);
}

/* ---- services ------------------------------------------------------------------------------ */

static _Noreturn void keep_service(const char *command, const char *log, int out, pid_t runner)
{
    keeper k = {.out = {.fd = -1}, .err = {.fd = -1}};
    become_keeper(&k, runner);
    const char *const shell[] = {"/bin/sh", "-c", command, NULL};
    int err = open(log, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    k.program = fork();
    if (k.program == 0) become_program(shell, out, err);
    close(out);
    struct pollfd ready = {k.signals, POLLIN, 0};
    while (!k.ended && !k.stopped) {
        poll(&ready, 1, -1);
        take_signals(&k);
    }
    end_everything(&k);
    _exit(0);
}

static bool read_line(int fd, double end, char *line, size_t size)
{
    size_t length = 0;
    while (length < size - 1) {
        double left = end - seconds_now();
        struct pollfd ready = {fd, POLLIN, 0};
        if (left <= 0 || (poll(&ready, 1, (int)(left * 1000) + 1) < 0 && errno != EINTR)) break;
        if (!ready.revents) continue;
        if (read(fd, line + length, 1) != 1) break;
        if (line[length] == '\n') {
            line[length] = '\0';
            return length > 0;
        }
        length++;
    }
    return false;
}

pid_t service_start(const char *command, const char *log, int limit_seconds, char *line,
                    size_t size)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC)) return -1;
    pid_t runner = getpid(), pid = fork_with_signals_blocked();
    if (pid == 0) {
        close(ends[0]);
        keep_service(command, log, ends[1], runner);
    }
    close(ends[1]);
    bool serves = pid > 0 && read_line(ends[0], seconds_now() + limit_seconds, line, size);
    close(ends[0]);
    if (serves || pid < 0) return pid;
    kill(pid, SIGTERM);
    waitpid(pid, NULL, 0);
    return -1;
}
