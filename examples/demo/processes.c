/* The parent's side of part 2. The processes are new programs (fork and exec of this one), and no client
 * is open in the parent while it forks. */
#define _GNU_SOURCE 1 /* pipe2 */

#include "demo.h"

#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

volatile sig_atomic_t interrupted;

double seconds_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static bool start_child(demo *d, int number)
{
    int in[2], out[2];
    char text[16];
    child *c = &d->children[number];
    snprintf(text, sizeof text, "%d", number);
    const char *arguments[] = {"avout-demo", "--as", number == d->processes ? "watcher" : text,
                               "--run",      d->run, d->store,
                               NULL};
    if (pipe2(in, O_CLOEXEC) || pipe2(out, O_CLOEXEC)) return false;
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        signal(SIGINT, SIG_IGN); /* the terminal sends it to everybody; the parent decides */
        dup2(in[0], STDIN_FILENO);
        dup2(out[1], STDOUT_FILENO);
        execv("/proc/self/exe", (char *const *)(uintptr_t)arguments);
        _exit(127);
    }
    close(in[0]);
    close(out[1]);
    fcntl(out[0], F_SETFL, O_NONBLOCK);
    c->pid = pid;
    c->in = in[1];
    c->out = out[0];
    return pid > 0;
}

static void read_reports(child *c)
{
    report r;
    while (read(c->out, &r, sizeof r) == (ssize_t)sizeof r) c->last = r;
}

static void note(demo *d, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void note(demo *d, const char *format, ...)
{
    if (d->line_open) putchar('\n');
    d->line_open = false;
    va_list arguments;
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    fflush(stdout);
}

static const char *name_of(const demo *d, int number)
{
    static char name[32];
    if (number == d->processes) return "the watching process";
    snprintf(name, sizeof name, "process %d", number);
    return name;
}

/* A process that was killed is part of the game: the others go on, and nothing may be half done. One
 * that ended by itself has found something wrong, and has said what. */
static void child_ended(demo *d, int number, int how)
{
    child *c = &d->children[number];
    read_reports(c);
    c->pid = 0;
    close(c->out);
    if (c->in >= 0) close(c->in);
    bool watching = number == d->processes;
    if (WIFSIGNALED(how) && (WTERMSIG(how) == SIGKILL || WTERMSIG(how) == SIGTERM)) {
        if (!c->expected)
            note(d, "   %s was killed from outside (signal %d); the others go on\n",
                 name_of(d, number), WTERMSIG(how));
        d->exact = false;
        d->watched = d->watched && !watching;
    } else if (how || c->in >= 0) {
        note(d, "   %s ended by itself (%s %d): the demo has failed\n", name_of(d, number),
             WIFSIGNALED(how) ? "signal" : "status",
             WIFSIGNALED(how) ? WTERMSIG(how) : WEXITSTATUS(how));
        d->watched = d->watched && !watching;
        d->failed = true;
    }
    c->in = -1;
}

static int collect(demo *d)
{
    int running = 0;
    for (int i = 0; i <= d->processes; i++) {
        child *c = &d->children[i];
        if (!c->pid) continue;
        read_reports(c);
        int how;
        if (waitpid(c->pid, &how, WNOHANG) == c->pid) child_ended(d, i, how);
        else running++;
    }
    return running;
}

static void stop_children(demo *d)
{
    for (int i = 0; i <= d->processes; i++) {
        child *c = &d->children[i];
        if (c->pid && c->in >= 0) close(c->in);
        c->in = -1;
    }
    /* Longer than any call of theirs waits for the store. */
    double until = seconds_now() + 45;
    while (collect(d) && seconds_now() < until) poll(NULL, 0, 20);
    for (int i = 0; i <= d->processes; i++) {
        child *c = &d->children[i];
        if (!c->pid) continue;
        note(d, "   %s does not end; killing it\n", name_of(d, i));
        d->failed = true;
        kill(c->pid, SIGKILL);
        int how;
        waitpid(c->pid, &how, 0);
        c->expected = true;
        child_ended(d, i, how);
    }
}

/* ---- the parent: showing it ------------------------------------------------------------------------ */

report sum_of(const demo *d)
{
    report sum = d->children[d->processes].last;
    for (int i = 0; i < d->processes; i++) {
        sum.moves += d->children[i].last.moves + d->children[i].before;
        sum.retries += d->children[i].last.retries;
    }
    return sum;
}

static void show_progress(demo *d, double rate)
{
    report sum = sum_of(d);
    bool terminal = isatty(STDOUT_FILENO);
    /* Less than 80 columns, or a terminal breaks the line and "\r" goes to the wrong place. */
    printf("%s   %4.1f s %7" PRIu64 " moves, %5.0f/s, %" PRIu64 " retries; %2" PRIu64 " + %2" PRIu64
           " + %2" PRIu64 " = %" PRIu64 "; %" PRIu64 " looks%s",
           terminal ? "\r" : "", seconds_now() - d->started, sum.moves, rate, sum.retries,
           sum.sizes[0], sum.sizes[1], sum.sizes[2], sum.sizes[0] + sum.sizes[1] + sum.sizes[2],
           sum.looks, terminal ? "\033[K" : "\n");
    d->line_open = terminal;
    fflush(stdout);
}

static void kill_first(demo *d)
{
    child *c = &d->children[0];
    if (!c->pid) return;
    note(d, "   kill -9 of process 0, whatever it is doing; a new one takes its place\n");
    c->expected = true;
    kill(c->pid, SIGKILL);
    int how;
    waitpid(c->pid, &how, 0);
    child_ended(d, 0, how);
    uint64_t moves = c->last.moves;
    *c = (child){.before = moves};
    if (!start_child(d, 0)) d->failed = true;
}

void run_processes(demo *d)
{
    d->started = seconds_now();
    d->exact = d->watched = true;
    for (int i = 0; i <= d->processes && !d->failed; i++) d->failed = !start_child(d, i);
    double interval = isatty(STDOUT_FILENO) ? 0.2 : 1.0;
    double next = d->started + interval, shown_at = d->started;
    uint64_t shown = 0;
    bool killed = !d->kill_one;
    while (!interrupted && !d->failed && seconds_now() < d->started + d->seconds) {
        poll(NULL, 0, 20);
        if (collect(d) < 2) break;
        double now = seconds_now();
        if (!killed && now > d->started + d->seconds / 2) {
            killed = true;
            kill_first(d);
        }
        if (now < next) continue;
        next = now + interval;
        uint64_t moves = sum_of(d).moves;
        show_progress(d, (double)(moves - shown) / (now - shown_at));
        shown = moves;
        shown_at = now;
    }
    d->took = seconds_now() - d->started;
    stop_children(d);
    note(d, "%s", "");
}
