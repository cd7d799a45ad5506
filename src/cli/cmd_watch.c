/* avout watch: prints a value whenever it changes.
 *
 * Changes arrive on a thread of the client's and are queued; the main thread alone writes. It waits
 * in poll for changes, for signals and for the reader to go away, and writes no more at a time than
 * a pipe takes without waiting: so it can always end, however slow the reader is. A full queue holds
 * the client's thread up, and what changes meanwhile is shown as one change.
 *
 * A signal while it follows the value ends it in order; before (while it connects) and after (while
 * the session is closed) it ends at once. */
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

typedef struct watching {
    cli_session *session;
    const char *name;
    avout_atom *atom;
    int wake; /* eventfd: changes are queued, or a signal has come */

    pthread_mutex_t lock; /* guards the four below; nothing is called while it is held */
    pthread_cond_t room;
    avout_value queue[QUEUE_SIZE]; /* owned; AVOUT_NONE: the name was removed */
    size_t first, count;
    bool deaf; /* what comes is dropped, and nobody waits for room */

    int64_t left; /* changes still to be shown; < 0: no limit */
    char *text;   /* what is being written */
    size_t length, written;
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

static void on_change(const char *key, avout_value old_value, avout_value new_value, void *payload)
{
    watching *w = payload;
    (void)key;
    (void)old_value;
    avout_value kept = avout_is_none(new_value) ? AVOUT_NONE : avout_share(new_value);
    pthread_mutex_lock(&w->lock);
    while (w->count == QUEUE_SIZE && !w->deaf) pthread_cond_wait(&w->room, &w->lock);
    bool deaf = w->deaf;
    if (!deaf) w->queue[(w->first + w->count++) % QUEUE_SIZE] = kept;
    pthread_mutex_unlock(&w->lock);
    if (deaf) avout_release(kept);
    uint64_t one = 1;
    if (write(w->wake, &one, sizeof one) < 0) return; /* full: the reader is awake anyway */
}

static bool next_change(watching *w, avout_value *value)
{
    pthread_mutex_lock(&w->lock);
    bool there = w->count > 0;
    if (there) {
        *value = w->queue[w->first];
        w->first = (w->first + 1) % QUEUE_SIZE;
        w->count--;
        pthread_cond_signal(&w->room);
    }
    pthread_mutex_unlock(&w->lock);
    return there;
}

/* A callback must not wait for room while the thread that makes room waits for the callback. */
static void set_deaf(watching *w, bool deaf)
{
    pthread_mutex_lock(&w->lock);
    w->deaf = deaf;
    pthread_cond_broadcast(&w->room);
    pthread_mutex_unlock(&w->lock);
}

/* Takes the ownership of `value`. */
static cli_exit show(watching *w, avout_value value)
{
    const cli_settings *settings = &w->session->settings;
    char *text = NULL;
    const char *raw = NULL;
    size_t length = 0;
    avout_status st = AVOUT_OK;
    if (!settings->raw || avout_value_to_text(&raw, &length, value) ||
        avout_value_type(value) != AVOUT_TYPE_STRING) {
        st = cli_text_of(&text, &length, settings, value);
        raw = text;
    }
    if (!st) {
        w->text = malloc(length + 1);
        if (w->text) {
            memcpy(w->text, raw, length);
            w->text[length] = '\n';
            w->length = length + 1;
            w->written = 0;
        }
    }
    avout_edn_free(text);
    avout_release(value);
    if (st) return cli_failed(w->session, w->name, st);
    return w->text ? CLI_DONE : cli_error(CLI_SYSTEM, "watch", "out of memory");
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

/* Takes changes until there is one to write. */
static cli_exit take_changes(watching *w)
{
    avout_value value;
    while (!w->text && w->left && next_change(w, &value)) {
        if (avout_is_none(value)) {
            fprintf(stderr, "avout: watch: %s was removed; waiting for it to come back\n", w->name);
            continue;
        }
        if (w->left > 0) w->left--;
        cli_exit status = show(w, value);
        if (status) return status;
    }
    return CLI_DONE;
}

static cli_exit follow(watching *w)
{
    bool end = false;
    cli_exit status = CLI_DONE;
    following = 1;
    while (!status && !end && !interrupted) {
        status = take_changes(w);
        if (status || (!w->text && !w->left)) break;
        struct pollfd waits[] = {
            {.fd = w->wake, .events = POLLIN},
            {.fd = STDOUT_FILENO, .events = w->text ? POLLOUT : 0},
        };
        if (poll(waits, 2, -1) < 0) {
            if (errno == EINTR) continue;
            return cli_error(CLI_SYSTEM, "watch", "poll: %s", strerror(errno));
        }
        uint64_t wakes;
        if (waits[0].revents && read(w->wake, &wakes, sizeof wakes) < 0) continue;
        if (w->text && waits[1].revents) status = write_some(w, &end);
        else end = waits[1].revents & (POLLERR | POLLHUP | POLLNVAL);
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
        avout_value missed;
        while (next_change(w, &missed)) avout_release(missed);
        set_deaf(w, false);
    }
}

static cli_exit watch(watching *w)
{
    avout_value initial = AVOUT_NONE;
    cli_exit status = cli_open(w->session);
    if (status) return status;
    avout_status st = avout_atom_open(&w->atom, w->session->client, w->name);
    if (!st) st = start(w, &initial);
    if (st) status = cli_failed(w->session, w->name, st);
    else if (w->session->settings.initial) status = show(w, avout_share(initial));
    avout_release(initial);
    if (!status) status = follow(w);
    set_deaf(w, true);
    interrupted = 1;
    avout_atom_close(w->atom);
    /* Ends the callbacks, so that nothing uses *w any more. */
    avout_close(w->session->client);
    w->session->client = NULL;
    return status;
}

static void take_signals(int wake)
{
    signal_wake = wake;
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
    w.wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (w.wake < 0) return cli_error(CLI_SYSTEM, "watch", "%s", strerror(errno));
    take_signals(w.wake);
    cli_exit status = watch(&w);
    avout_value value;
    while (next_change(&w, &value)) avout_release(value);
    free(w.text);
    close(w.wake);
    return status;
}
