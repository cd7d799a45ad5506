/* avout lock: runs a command while holding a lock.
 *
 * The main thread acquires, runs and releases; a thread of child.c waits for signals; the library
 * tells of a lost lock on a thread of its own, which wakes the main thread through a descriptor. */
#include "cli.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { KILL_AFTER_MS = 10000 };

typedef struct locking {
    cli_session *session;
    const char *name;
    avout_rwlock *lock;
    avout_cancel *cancel;
    avout_token token;
    int lost; /* eventfd */
} locking;

static void on_lost(const char *name, avout_token token, void *payload)
{
    locking *l = payload;
    (void)name;
    (void)token;
    uint64_t one = 1;
    while (write(l->lost, &one, sizeof one) < 0 && errno == EINTR) continue;
}

/* Before there is a command, a signal ends the wait for the lock. */
static void on_signal(int number, bool passed_on, void *cancel)
{
    (void)number;
    if (!passed_on) avout_cancel_set(cancel);
}

/* Whatever is not the command's own end. */
static int failed(locking *l, avout_status status)
{
    cli_failed(l->session, l->name, status);
    return CLI_LOCK_FAILED;
}

/* ---- obtaining ------------------------------------------------------------------------------- */

/* "held by host 123 since 12:30:05" for the message; empty when that cannot be told. */
static void describe_holder(char *text, size_t size, locking *l)
{
    avout_lock_report *report = NULL;
    *text = '\0';
    if (avout_lock_inspect(&report, l->session->client, l->name)) return;
    for (size_t i = 0; i < report->count && !*text; i++) {
        const avout_lock_entry *entry = &report->entries[i];
        char since[40];
        if (entry->holds && !entry->mine)
            snprintf(text, size, "; process %lld on %s has%s it since %s", (long long)entry->pid,
                     entry->host, entry->shared ? " (with others, to read)" : "",
                     cli_time_text(since, entry->since_ms));
    }
    avout_lock_report_free(report);
}

static int not_obtained(locking *l, avout_status status)
{
    const cli_settings *s = &l->session->settings;
    char holder[300];
    describe_holder(holder, sizeof holder, l);
    if (status == AVOUT_EBUSY) cli_error(CLI_NO, "lock", "%s: is held%s", l->name, holder);
    else
        cli_error(CLI_NO, "lock", "%s: not obtained within %.9g s%s", l->name,
                  (double)s->timeout_ms / 1000, holder);
    return (int)s->busy_status;
}

/* 0: held. */
static int obtain(locking *l)
{
    const cli_settings *s = &l->session->settings;
    avout_wait_options options = {.timeout_ms = s->timeout_ms ? s->timeout_ms : AVOUT_FOREVER,
                                  .cancel = l->cancel};
    avout_status st;
    if (s->try_only)
        st = s->read ? avout_rwlock_try_read(&l->token, l->lock)
                     : avout_rwlock_try_write(&l->token, l->lock);
    else
        st = s->read ? avout_rwlock_read(&l->token, l->lock, &options)
                     : avout_rwlock_write(&l->token, l->lock, &options);
    if (st == AVOUT_EBUSY || st == AVOUT_ETIMEOUT) return not_obtained(l, st);
    if (st == AVOUT_ECANCELLED) return CLI_LOCK_SIGNAL; /* main ends by that signal */
    return st ? failed(l, st) : 0;
}

/* ---- holding --------------------------------------------------------------------------------- */

/* Waits for the child's end or the lock's. */
static int attend(locking *l, cli_child *child)
{
    struct pollfd waits[] = {{.fd = child->fd, .events = POLLIN},
                             {.fd = l->lost, .events = POLLIN}};
    while (poll(waits, 2, -1) < 0 && errno == EINTR) continue;
    if (!waits[1].revents) return cli_child_wait(child);
    cli_error(CLI_NO, "lock", "%s: was lost; ending %s", l->name, l->session->words.at[1]);
    int64_t patience_ms = l->session->settings.kill_after_ms;
    cli_child_end_all(child, patience_ms ? patience_ms : KILL_AFTER_MS);
    cli_child_wait(child);
    return CLI_LOCK_LOST;
}

static int run_holding(locking *l)
{
    char token[AVOUT_TOKEN_SIZE];
    cli_child child = {0};
    if (setenv("AVOUT_LOCK_TOKEN", avout_token_text(token, l->token), 1))
        return failed(l, AVOUT_ENOMEM);
    int status = cli_child_start(&child, &l->session->words.at[1]);
    if (!status) status = attend(l, &child);
    avout_status st = l->session->settings.read ? avout_rwlock_release_read(l->lock)
                                                : avout_rwlock_release_write(l->lock);
    /* The command has ended: who waits for the lock has waited long enough, and the session's end
     * gives it back where the store did not answer. */
    if (st == AVOUT_ELOST && status != CLI_LOCK_LOST) {
        cli_error(CLI_NO, "lock", "%s: was lost while the command ended", l->name);
        return CLI_LOCK_LOST;
    }
    return status;
}

static int lock_and_run(locking *l)
{
    if (cli_open(l->session)) return CLI_LOCK_FAILED;
    avout_status st = avout_rwlock_open(&l->lock, l->session->client, l->name);
    if (!st) st = avout_rwlock_on_lost(l->lock, on_lost, l);
    if (st) return failed(l, st);
    int status = obtain(l);
    return status ? status : run_holding(l);
}

cli_exit cli_lock(cli_session *session)
{
    cli_settings *s = &session->settings;
    locking l = {.session = session, .name = session->words.at[0], .lost = -1};
    if (s->read && s->write)
        return cli_error(CLI_USAGE, "lock", "--read and --write exclude each other");
    if (s->try_only && s->timeout_ms)
        return cli_error(CLI_USAGE, "lock", "--try and --timeout exclude each other");
    int status = CLI_LOCK_FAILED;
    l.lost = eventfd(0, EFD_CLOEXEC);
    if (l.lost < 0 || avout_cancel_new(&l.cancel))
        cli_error(CLI_SYSTEM, "lock", "%s", strerror(errno));
    else if (!cli_child_prepare("lock", on_signal, l.cancel)) status = lock_and_run(&l);
    avout_rwlock_close(l.lock);
    avout_close(session->client);
    session->client = NULL;
    int number = cli_child_interrupted();
    if (number) cli_child_die(number);
    /* The thread that waits for signals may be using it. */
    if (l.lost >= 0) close(l.lost);
    return (cli_exit)status;
}
