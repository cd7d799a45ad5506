/* avout watch: prints a value whenever it changes.
 *
 * Changes arrive on a thread of the client's and are queued; the main thread alone writes. It waits
 * in poll for changes, for signals and for the reader to go away, and writes no more at a time than
 * a pipe takes without waiting: so it can always end, however slow the reader is. A full queue holds
 * the client's thread up, and what changes meanwhile is shown as one change.
 *
 * A signal while it follows the value ends it in order; before (while it connects) and after (while
 * the session is closed) it ends at once.
 *
 * With --exec a command is run for each change, one at a time (watch_run.c), and nothing is written; the
 * signals are then child.c's, and go to the command as well. */
#include "cli.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { QUEUE_SIZE = 256, CHUNK = 4096 };

/* Both owned; AVOUT_NONE: the name was not there. */
typedef struct change {
    avout_value old_value, new_value;
} change;

typedef struct watching {
    cli_session *session;
    const char *name;
    avout_atom *atom;
    int wake; /* eventfd: changes are queued, or a signal has come */

    pthread_mutex_t lock; /* guards the four below; nothing is called while it is held */
    pthread_cond_t room;
    change queue[QUEUE_SIZE];
    size_t first, count;
    bool deaf; /* what comes is dropped, and nobody waits for room */

    int64_t left; /* changes still to be shown; < 0: no limit */
    char *text;   /* what is being written */
    size_t length, written;
    cli_run run; /* with --exec */
} watching;

static volatile sig_atomic_t following, interrupted;
static int signal_wake;

static void on_signal(int number)
{
    (void)number;
    int saved = errno;
    if (!following || interrupted) _exit(CLI_DONE);
    interrupted = 1;
    uint64_t one = 1;
    if (write(signal_wake, &one, sizeof one) < 0) _exit(CLI_DONE);
    errno = saved;
}

/* With --exec, on a thread of child.c's. Some signals mean something to the command alone. The first one
 * that ends us gives the command its time to end; more of them do not shorten it. */
static void on_child_signal(int number, bool passed_on, void *payload)
{
    (void)payload;
    if (passed_on && (number == SIGUSR1 || number == SIGUSR2)) return;
    if (!interrupted) on_signal(number);
}

static void release(change *one)
{
    avout_release(one->old_value);
    avout_release(one->new_value);
}

static avout_value share(avout_value value)
{
    return avout_is_none(value) ? AVOUT_NONE : avout_share(value);
}

static void on_change(const char *key, avout_value old_value, avout_value new_value, void *payload)
{
    watching *w = payload;
    (void)key;
    change kept = {share(old_value), share(new_value)};
    pthread_mutex_lock(&w->lock);
    while (w->count == QUEUE_SIZE && !w->deaf) pthread_cond_wait(&w->room, &w->lock);
    bool deaf = w->deaf;
    if (!deaf) w->queue[(w->first + w->count++) % QUEUE_SIZE] = kept;
    pthread_mutex_unlock(&w->lock);
    if (deaf) release(&kept);
    uint64_t one = 1;
    if (write(w->wake, &one, sizeof one) < 0) return; /* full: the reader is awake anyway */
}

static bool next_change(watching *w, change *one)
{
    pthread_mutex_lock(&w->lock);
    bool there = w->count > 0;
    if (there) {
        *one = w->queue[w->first];
        w->first = (w->first + 1) % QUEUE_SIZE;
        w->count--;
        pthread_cond_signal(&w->room);
    }
    pthread_mutex_unlock(&w->lock);
    return there;
}

static void drop_changes(watching *w)
{
    change one;
    while (next_change(w, &one)) release(&one);
}

/* A callback must not wait for room while the thread that makes room waits for the callback. */
static void set_deaf(watching *w, bool deaf)
{
    pthread_mutex_lock(&w->lock);
    w->deaf = deaf;
    pthread_cond_broadcast(&w->room);
    pthread_mutex_unlock(&w->lock);
}

static cli_exit print(watching *w, avout_value value)
{
    char *text;
    const char *shown;
    size_t length;
    avout_status st = cli_shown_text(&shown, &text, &length, &w->session->settings, value);
    if (st) return cli_failed(w->session, w->name, st);
    w->text = malloc(length + 1);
    if (w->text) {
        memcpy(w->text, shown, length);
        w->text[length] = '\n';
        w->length = length + !cli_is_binary(&w->session->settings, value);
        w->written = 0;
    }
    avout_edn_free(text);
    return w->text ? CLI_DONE : cli_error(CLI_SYSTEM, "watch", "out of memory");
}

static cli_exit show(watching *w, const change *one)
{
    if (w->session->settings.exec) return cli_run_start(&w->run, one->old_value, one->new_value);
    return print(w, one->new_value);
}

/* *end: the reader is gone. */
static cli_exit write_some(watching *w, bool *end)
{
    size_t rest = w->length - w->written;
    ssize_t n = write(STDOUT_FILENO, w->text + w->written, rest < CHUNK ? rest : CHUNK);
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) return CLI_DONE;
    if (n < 0) {
        *end = true;
        if (errno == EPIPE) return CLI_DONE;
        return cli_error(CLI_SYSTEM, "standard output", "%s", strerror(errno));
    }
    w->written += (size_t)n;
    if (w->written < w->length) return CLI_DONE;
    free(w->text);
    w->text = NULL;
    return CLI_DONE;
}

/* What was shown last is still being written, or the command runs. */
static bool is_busy(const watching *w)
{
    return w->text || w->run.running;
}

/* Takes changes until there is one to show. */
static cli_exit take_changes(watching *w)
{
    change one;
    while (!is_busy(w) && w->left && next_change(w, &one)) {
        cli_exit status = CLI_DONE;
        if (avout_is_none(one.new_value)) {
            fprintf(stderr, "avout: watch: %s was removed; waiting for it to come back\n", w->name);
        } else {
            if (w->left > 0) w->left--;
            status = show(w, &one);
        }
        release(&one);
        if (status) return status;
    }
    return CLI_DONE;
}

/* What else is waited for: that more can be written and that somebody reads; or the command's end. */
static struct pollfd other_wait(const watching *w)
{
    if (w->session->settings.exec)
        return (struct pollfd){.fd = w->run.running ? w->run.child.fd : -1, .events = POLLIN};
    return (struct pollfd){.fd = STDOUT_FILENO, .events = w->text ? POLLOUT : 0};
}

static cli_exit go_on(watching *w, short events, bool *end)
{
    if (w->run.running && events && !interrupted) cli_run_ended(&w->run);
    else if (w->text && events) return write_some(w, end);
    else *end = events & (POLLERR | POLLHUP | POLLNVAL);
    return CLI_DONE;
}

static cli_exit follow(watching *w)
{
    bool end = false;
    cli_exit status = CLI_DONE;
    following = 1;
    while (!status && !end && !interrupted) {
        status = take_changes(w);
        if (status || (!is_busy(w) && !w->left)) break;
        struct pollfd waits[] = {{.fd = w->wake, .events = POLLIN}, other_wait(w)};
        if (poll(waits, 2, -1) < 0) {
            if (errno == EINTR) continue;
            return cli_error(CLI_SYSTEM, "watch", "poll: %s", strerror(errno));
        }
        uint64_t wakes;
        if (waits[0].revents && read(w->wake, &wakes, sizeof wakes) < 0) continue;
        status = go_on(w, waits[1].revents, &end);
    }
    return status;
}

/* Adds the watch so that the value shown first and the changes after it leave no gap and show
 * nothing twice: the same value before and after the watch was added is the one it started from.
 * A value that changes all the time is given up on after some rounds; its next change comes soon. */
static avout_status start(watching *w, avout_value *initial)
{
    for (int round = 0;; round++) {
        avout_value before = AVOUT_NONE, after = AVOUT_NONE;
        avout_status st = avout_atom_deref(&before, w->atom);
        if (!st) st = avout_atom_add_watch(w->atom, "watch", on_change, w, NULL);
        if (!st) st = avout_atom_deref(&after, w->atom);
        bool same = !st && avout_value_equal(before, after);
        avout_release(before);
        if (st || same || round == 20) {
            *initial = after;
            return st;
        }
        avout_release(after);
        set_deaf(w, true);
        avout_atom_remove_watch(w->atom, "watch");
        drop_changes(w);
        set_deaf(w, false);
    }
}

static cli_exit watch(watching *w)
{
    avout_value initial = AVOUT_NONE;
    cli_exit status = cli_open(w->session);
    if (status) return status;
    avout_status st = cli_atom_open(&w->atom, w->session, w->name);
    if (!st) st = start(w, &initial);
    if (st) status = cli_failed(w->session, w->name, st);
    else if (w->session->settings.initial) status = show(w, &(change){AVOUT_NONE, initial});
    avout_release(initial);
    if (!status) status = follow(w);
    set_deaf(w, true);
    cli_run_end(&w->run);
    interrupted = 1;
    avout_atom_close(w->atom);
    /* Ends the callbacks, so that nothing uses *w any more. */
    avout_close(w->session->client);
    w->session->client = NULL;
    return status;
}

static void take_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
}

cli_exit cli_watch(cli_session *session)
{
    watching w = {
        .session = session,
        .name = session->words.at[0],
        .lock = PTHREAD_MUTEX_INITIALIZER,
        .room = PTHREAD_COND_INITIALIZER,
        .left = session->settings.count ? session->settings.count : -1,
    };
    const cli_settings *settings = &session->settings;
    if (!settings->exec && session->words.count > 1)
        return cli_error(CLI_USAGE, "watch",
                         "too many arguments: without --exec there is nothing that takes them");
    if (settings->exec && !settings->exec[strspn(settings->exec, " \t\n")])
        return cli_error(CLI_USAGE, "watch", "--exec: the command is empty");
    if (!settings->exec && settings->kill_after_ms)
        return cli_error(CLI_USAGE, "watch", "--kill-after needs --exec");
    w.wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (w.wake < 0) return cli_error(CLI_SYSTEM, "watch", "%s", strerror(errno));
    w.run = (cli_run){.session = session, .name = w.name};
    signal_wake = w.wake;
    if (!settings->exec) take_signals();
    else if (cli_child_prepare("watch", on_child_signal, NULL)) return CLI_SYSTEM;
    cli_exit status = watch(&w);
    drop_changes(&w);
    free(w.text);
    /* With --exec a thread may be using it, until the process ends. */
    if (!settings->exec) close(w.wake);
    return status ? status : w.run.failed ? CLI_NO : CLI_DONE;
}
