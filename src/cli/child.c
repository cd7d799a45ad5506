/* A command run by ours: started, told what we are told, ended with all that it has started.
 *
 * One thread waits for the signals that end programs (all others have them blocked). They go to the child
 * while there is one, and who runs it is told. What the terminal sends it has sent to
 * the child as well: the two are in one process group, so that the child may use the terminal.
 *
 * What the child starts and leaves behind becomes ours (we are its reaper), so that a lost lock ends
 * all of it: a shell that dies does not take its commands along. */
#include "cli.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { STEP_MS = 20 };

static const int forwarded[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2};

static sigset_t taken, before;
static const char *ours; /* name of our command */
static cli_child_signal_fn tell;
static void *tell_payload;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards the two below */
static int interrupted, child_fd = -1;

static int trouble(const char *why)
{
    cli_error(CLI_SYSTEM, ours, "%s", why);
    return CLI_LOCK_FAILED;
}

static void *forward(void *payload)
{
    (void)payload;
    for (;;) {
        siginfo_t info;
        int number = sigwaitinfo(&taken, &info);
        if (number < 0) continue;
        pthread_mutex_lock(&lock);
        bool passed_on = child_fd >= 0;
        /* First: who runs the child knows why it ends. */
        tell(number, passed_on, tell_payload);
        if (!passed_on) interrupted = number;
        else if (info.si_code != SI_KERNEL) pidfd_send_signal(child_fd, number, NULL, 0);
        pthread_mutex_unlock(&lock);
    }
    return NULL;
}

/* What came just before there was a child is the child's, too. */
static void set_child(int fd)
{
    pthread_mutex_lock(&lock);
    child_fd = fd;
    if (fd >= 0 && interrupted) pidfd_send_signal(fd, interrupted, NULL, 0);
    if (fd >= 0) interrupted = 0;
    pthread_mutex_unlock(&lock);
}

int cli_child_prepare(const char *command, cli_child_signal_fn on_signal, void *payload)
{
    ours = command;
    tell = on_signal;
    tell_payload = payload;
    sigemptyset(&taken);
    for (size_t i = 0; i < sizeof forwarded / sizeof *forwarded; i++) {
        /* What we were told to ignore (nohup) stays ignored, by the child as well. */
        struct sigaction now;
        if (!sigaction(forwarded[i], NULL, &now) && now.sa_handler != SIG_IGN)
            sigaddset(&taken, forwarded[i]);
    }
    pthread_sigmask(SIG_BLOCK, &taken, &before);
    pthread_t thread;
    int error = pthread_create(&thread, NULL, forward, NULL);
    if (error) return trouble(strerror(error));
    pthread_detach(thread);
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    return 0;
}

int cli_child_interrupted(void)
{
    pthread_mutex_lock(&lock);
    int number = interrupted;
    pthread_mutex_unlock(&lock);
    return number;
}

void cli_child_die(int number)
{
    sigset_t only;
    sigemptyset(&only);
    sigaddset(&only, number);
    fflush(NULL);
    signal(number, SIG_DFL);
    pthread_sigmask(SIG_UNBLOCK, &only, NULL);
    /* To this thread: another one takes what the process gets. */
    raise(number);
}

/* ---- starting -------------------------------------------------------------------------------- */

/* In the child, where only what a signal handler may call may be called. */
static void become(const cli_child *child, const char *const *command, pid_t parent, int report)
{
    /* If we are killed the lock goes with us: so must the command. */
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent) raise(SIGTERM);
    signal(SIGPIPE, SIG_DFL);
    sigprocmask(SIG_SETMASK, &before, NULL);
    if (child->input) dup2(child->input, STDIN_FILENO);
    execvpe(command[0], (char *const *)(uintptr_t)command,
            child->environment ? child->environment : environ);
    int error = errno;
    while (write(report, &error, sizeof error) < 0 && errno == EINTR) continue;
    _exit(CLI_LOCK_NO_EXEC);
}

int cli_child_start(cli_child *child, const char *const *command)
{
    int report[2], error = 0;
    pid_t self = getpid();
    if (pipe2(report, O_CLOEXEC)) return trouble(strerror(errno));
    fflush(NULL);
    child->pid = fork();
    if (child->pid == 0) become(child, command, self, report[1]);
    error = child->pid < 0 ? errno : 0;
    close(report[1]);
    child->fd = error ? -1 : pidfd_open(child->pid, 0);
    if (!error && child->fd < 0) error = errno;
    if (!error) set_child(child->fd);
    int failed = 0;
    while (!error && read(report[0], &failed, sizeof failed) < 0 && errno == EINTR) continue;
    close(report[0]);
    if (!error && !failed) return 0;
    if (child->pid > 0) {
        kill(child->pid, SIGKILL);
        waitpid(child->pid, NULL, 0);
    }
    set_child(-1);
    if (child->fd >= 0) close(child->fd);
    if (error) return trouble(strerror(error));
    cli_error(CLI_SYSTEM, command[0], "%s%s", strerror(failed),
              *command[0] == '-' ? "; avout's own options stand before NAME" : "");
    return failed == ENOENT ? CLI_LOCK_NO_COMMAND : CLI_LOCK_NO_EXEC;
}

int cli_child_wait(cli_child *child)
{
    while (!child->ended && waitpid(child->pid, &child->status, 0) < 0 && errno == EINTR) continue;
    set_child(-1);
    close(child->fd);
    return WIFSIGNALED(child->status) ? CLI_LOCK_SIGNAL + WTERMSIG(child->status)
                                      : WEXITSTATUS(child->status);
}

/* ---- ending ---------------------------------------------------------------------------------- */

static size_t signal_below(pid_t parent, int number);

static size_t signal_children(const char *list, int number)
{
    size_t count = 0;
    int pid;
    FILE *children = fopen(list, "re");
    if (!children) return 0;
    while (fscanf(children, "%d", &pid) == 1) {
        if (number) kill(pid, number);
        count += 1 + signal_below(pid, number);
    }
    fclose(children);
    return count;
}

/* Signals everything below the process, parents first; answers how many there were. A child is listed
 * with the thread that made it. */
static size_t signal_below(pid_t parent, int number)
{
    char path[64];
    size_t count = 0;
    snprintf(path, sizeof path, "/proc/%d/task", (int)parent);
    DIR *tasks = opendir(path);
    for (struct dirent *task; tasks && (task = readdir(tasks));) {
        char list[128];
        if (task->d_name[0] == '.') continue;
        snprintf(list, sizeof list, "%s/%.20s/children", path, task->d_name);
        count += signal_children(list, number);
    }
    if (tasks) closedir(tasks);
    return count;
}

/* Takes away what has ended, the child's orphans included. */
static void reap(cli_child *child)
{
    int status;
    pid_t pid;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        if (pid != child->pid) continue;
        child->status = status;
        child->ended = true;
    }
}

void cli_child_end_all(cli_child *child, int64_t patience_ms)
{
    if (patience_ms > 0) signal_below(getpid(), SIGTERM);
    signal_below(getpid(), SIGCONT); /* who is stopped would not hear of it */
    for (int64_t waited_ms = 0;; waited_ms += STEP_MS) {
        reap(child);
        if (child->ended && !signal_below(getpid(), 0)) return;
        if (waited_ms >= patience_ms) signal_below(getpid(), SIGKILL);
        poll(NULL, 0, STEP_MS);
    }
}
