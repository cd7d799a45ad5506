/* avout-demo: what transactions are good for, in a few seconds.
 *
 *     avout-demo [--seconds N] [--processes N] [--kill] [--fresh] [STORE]
 *
 * Part 1 runs one transaction over two refs. In part 2 several processes move members between three
 * groups, all at the same time, while one more process looks at the groups. Part 3 checks that nobody
 * was lost, nobody was in two groups, and every move happened exactly once.
 *
 * The parent starts the other processes as new programs (fork and exec of itself), with their standard
 * input as the sign to stop: when it closes, whoever closed it, they end. They report on a pipe. No
 * client is open in the parent while it forks.
 *
 * Everything lives below /avout-demo and stays there: the next run goes on from it, and several runs
 * can share a store. Exit status 0: everything held. */
#define _GNU_SOURCE 1 /* pipe2, rand_r */

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <avout.h>

enum { MEMBERS = 60, GROUPS = 3, MOST_PROCESSES = 64 };
/* Statuses of our own that transaction bodies return. */
enum { LOST = 1, TWICE = 2, NOT_A_SET = 3 };

static const char *const group_names[GROUPS] = {"/avout-demo/red", "/avout-demo/green",
                                                "/avout-demo/blue"};
static const char moves_name[] = "/avout-demo/moves";

/* ---- small things -------------------------------------------------------------------------------- */

static volatile sig_atomic_t interrupted;

static void on_interrupt(int number)
{
    (void)number;
    interrupted = 1;
}

static double seconds_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int complain(const char *who, const char *what, avout_status status)
{
    const char *detail = avout_error_detail();
    fprintf(stderr, "%s: %s: %s\n", who, what, *detail ? detail : avout_status_text(status));
    return 1;
}

/* Of a vector that has grown long in many runs only the end. */
static void print_value(const char *name, avout_value value)
{
    char *text = NULL;
    size_t length;
    if (avout_edn_text(&text, &length, value)) return;
    const char *end = length > 70 ? strchr(text + length - 60, ' ') : NULL;
    printf("   %s = %s%s\n", name, end ? "[..." : "", end ? end : text);
    avout_edn_free(text);
}

/* ---- the groups ---------------------------------------------------------------------------------- */

/* 1 ... MEMBERS, all in the first group at the beginning of time. */
static avout_value first_members(int group)
{
    avout_value members[MEMBERS];
    size_t count = group ? 0 : MEMBERS;
    for (size_t i = 0; i < count; i++) members[i] = avout_int((int64_t)i + 1);
    return avout_set(count, members);
}

/* Every member in exactly one group? Answers LOST, TWICE or NOT_A_SET, with what it saw. */
static avout_status check_groups(const avout_value *groups)
{
    size_t total = 0;
    for (int g = 0; g < GROUPS; g++) {
        size_t count;
        if (avout_value_type(groups[g]) != AVOUT_TYPE_SET || avout_value_count(&count, groups[g]))
            return avout_fail(NOT_A_SET, "%s is no set", group_names[g]);
        total += count;
    }
    for (int m = 1; m <= MEMBERS; m++) {
        avout_value member = avout_int(m);
        int seen = 0;
        for (int g = 0; g < GROUPS; g++) seen += !avout_is_none(avout_value_get(groups[g], member));
        if (seen == 0) return avout_fail(LOST, "member %d is in no group", m);
        if (seen > 1) return avout_fail(TWICE, "member %d is in %d groups", m, seen);
    }
    if (total != MEMBERS) return avout_fail(TWICE, "%zu members instead of %d", total, MEMBERS);
    return AVOUT_OK;
}

static avout_status open_groups(avout_ref **groups, avout_client *client)
{
    avout_status st = AVOUT_OK;
    for (int g = 0; g < GROUPS && !st; g++)
        st = avout_ref_create(&groups[g], client, group_names[g], first_members(g), NULL);
    return st;
}

static void close_groups(avout_ref **groups)
{
    for (int g = 0; g < GROUPS; g++) avout_ref_close(groups[g]);
}

static avout_status look(avout_ref *const *groups, size_t sizes[GROUPS])
{
    avout_value values[GROUPS];
    avout_status st = avout_refs_deref(values, groups, GROUPS);
    if (st) return st;
    st = check_groups(values);
    for (int g = 0; g < GROUPS; g++) {
        sizes[g] = 0;
        avout_value_count(&sizes[g], values[g]);
        avout_release(values[g]);
    }
    return st;
}

/* ---- what the processes tell the parent ---------------------------------------------------------- */

/* Written in one piece, smaller than a pipe's atomic size. Each replaces the one before. */
typedef struct report {
    uint64_t moves;   /* confirmed */
    uint64_t retries; /* runs of the function that were thrown away */
    uint64_t looks;
    uint64_t changes; /* heard of */
    uint64_t sizes[GROUPS];
} report;

static bool tell(const report *r)
{
    return write(STDOUT_FILENO, r, sizeof *r) == (ssize_t)sizeof *r;
}

static bool told_to_stop(int timeout_ms)
{
    struct pollfd in = {.fd = STDIN_FILENO, .events = POLLIN};
    return poll(&in, 1, timeout_ms) > 0;
}

/* ---- a process that moves members ---------------------------------------------------------------- */

typedef struct mover {
    avout_ref *groups[GROUPS];
    avout_ref *moves;
    avout_value run; /* whose moves they are, in the map of moves */
    int64_t member;
    int step; /* how many groups further */
} mover;

/* The transaction: may run several times, and touches nothing but refs. */
static avout_status move(avout_txn *txn, void *payload)
{
    mover *m = payload;
    avout_value member = avout_int(m->member);
    avout_value groups[GROUPS] = {AVOUT_NONE};
    avout_status st = AVOUT_OK;
    for (int g = 0; g < GROUPS && !st; g++) st = avout_txn_deref(&groups[g], txn, m->groups[g]);
    /* Not even in the middle of others' work may a transaction see somebody lost. */
    if (!st) st = check_groups(groups);
    int from = 0;
    while (!st && from < GROUPS && avout_is_none(avout_value_get(groups[from], member))) from++;
    int to = (from + m->step) % GROUPS;
    if (!st) st = avout_disj(&groups[from], avout_share(member));
    if (!st) st = avout_conj(&groups[to], avout_share(member));
    if (!st) st = avout_ref_set(txn, m->groups[from], avout_share(groups[from]));
    if (!st) st = avout_ref_set(txn, m->groups[to], avout_share(groups[to]));
    avout_value moves = AVOUT_NONE;
    if (!st) st = avout_txn_deref(&moves, txn, m->moves);
    if (!st) st = avout_update_in(&moves, 1, &m->run, avout_inc_fn, NULL);
    if (!st) st = avout_ref_set(txn, m->moves, avout_share(moves));
    avout_release(moves);
    for (int g = 0; g < GROUPS; g++) avout_release(groups[g]);
    return st;
}

static avout_status move_until_told(avout_client *client, mover *m, unsigned seed)
{
    report r = {0};
    avout_statistics statistics;
    avout_status st = AVOUT_OK;
    double next = 0;
    while (!st && !told_to_stop(0)) {
        m->member = 1 + rand_r(&seed) % MEMBERS;
        m->step = 1 + rand_r(&seed) % (GROUPS - 1);
        st = avout_dosync(client, move, m, NULL);
        if (!st) r.moves++;
        if (seconds_now() < next) continue;
        next = seconds_now() + 0.1;
        avout_client_statistics(client, &statistics);
        r.retries = statistics.retries;
        if (!tell(&r)) break;
    }
    avout_client_statistics(client, &statistics);
    r.retries = statistics.retries;
    tell(&r);
    return st;
}

static int run_mover(const char *store, const char *run, int number)
{
    avout_client *client = NULL;
    mover m = {.run = avout_string(run)};
    char who[32];
    snprintf(who, sizeof who, "process %d", number);
    avout_status st = avout_connect(store, NULL, &client);
    if (!st) st = open_groups(m.groups, client);
    if (!st) st = avout_ref_open(&m.moves, client, moves_name);
    if (!st) st = move_until_told(client, &m, (unsigned)number + (unsigned)getpid());
    if (st) complain(who, "stopped", st);
    avout_ref_close(m.moves);
    close_groups(m.groups);
    avout_release(m.run);
    avout_close(client);
    return st != AVOUT_OK;
}

/* ---- the process that watches --------------------------------------------------------------------- */

typedef struct watcher {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    uint64_t changes;
} watcher;

/* On a thread of the client's: only takes note. */
static void on_change(const char *key, avout_value old_value, avout_value new_value, void *payload)
{
    watcher *w = payload;
    (void)key, (void)old_value, (void)new_value;
    pthread_mutex_lock(&w->lock);
    w->changes++;
    pthread_cond_signal(&w->changed);
    pthread_mutex_unlock(&w->lock);
}

static uint64_t wait_for_change(watcher *w, uint64_t known)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += 50 * 1000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_mutex_lock(&w->lock);
    int late = 0;
    while (w->changes == known && !late)
        late = pthread_cond_timedwait(&w->changed, &w->lock, &until);
    known = w->changes;
    pthread_mutex_unlock(&w->lock);
    return known;
}

static int run_watcher(const char *store)
{
    watcher w = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0};
    avout_client *client = NULL;
    avout_ref *groups[GROUPS] = {NULL};
    report r = {0};
    size_t sizes[GROUPS] = {0};
    double next = 0;
    avout_status st = avout_connect(store, NULL, &client);
    if (!st) st = open_groups(groups, client);
    for (int g = 0; g < GROUPS && !st; g++)
        st = avout_ref_add_watch(groups[g], "demo", on_change, &w, NULL);
    while (!st && !told_to_stop(0)) {
        r.changes = wait_for_change(&w, r.changes);
        st = look(groups, sizes);
        r.looks += !st;
        for (int g = 0; g < GROUPS; g++) r.sizes[g] = sizes[g];
        if (seconds_now() < next) continue;
        next = seconds_now() + 0.1;
        if (!tell(&r)) break;
    }
    tell(&r);
    if (st) complain("watching process", "stopped", st);
    close_groups(groups);
    avout_close(client); /* no watch runs after it, so *w may go */
    return st != AVOUT_OK;
}

/* ---- the parent: its processes --------------------------------------------------------------------- */

typedef struct child {
    pid_t pid; /* 0: ended */
    int out;   /* its reports */
    int in;    /* closing it tells it to stop; -1: closed */
    report last;
    uint64_t before; /* moves of the one whose place it took */
    bool expected;   /* we killed it */
} child;

typedef struct demo {
    const char *store; /* NULL: the default one */
    char url[512];     /* what that was */
    char run[64];
    double seconds;
    int processes;
    bool kill_one;
    bool fresh;
    child children[MOST_PROCESSES + 1]; /* the last one watches */
    double started;
    double took;
    bool exact;   /* no process died before it could tell its last count */
    bool watched; /* the watching process saw all of it, and nothing wrong */
    bool failed;
    bool line_open; /* a progress line stands on the terminal without its end */
} demo;

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

static report sum_of(const demo *d)
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

static void run_processes(demo *d)
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

/* ---- part 1: one transaction over two refs --------------------------------------------------------- */

typedef struct two_refs {
    avout_ref *r0, *r1;
} two_refs;

/* Increment r0, append r0's new value to r1. */
static avout_status count_and_remember(avout_txn *txn, void *payload)
{
    two_refs *refs = payload;
    avout_value r0;
    avout_status st = avout_alter(txn, refs->r0, avout_inc_fn, NULL);
    if (!st) st = avout_txn_deref(&r0, txn, refs->r0);
    if (st) return st;
    st = avout_alter(txn, refs->r1, avout_conj_fn, &r0);
    avout_release(r0);
    return st;
}

static avout_status show_two_refs(avout_client *client)
{
    two_refs refs = {NULL, NULL};
    avout_value values[2] = {AVOUT_NONE, AVOUT_NONE};
    bool created = false;
    avout_status st = avout_ref_create(&refs.r0, client, "/avout-demo/r0", avout_int(0), &created);
    if (!st) st = avout_ref_create(&refs.r1, client, "/avout-demo/r1", avout_vector(0, NULL), NULL);
    if (!st) st = avout_dosync(client, count_and_remember, &refs, NULL);
    if (!st) st = avout_refs_deref(values, (avout_ref *[]){refs.r0, refs.r1}, 2);
    if (!st) {
        print_value("r0", values[0]);
        print_value("r1", values[1]);
        puts(created ? "   Run the demo again: they go on from here, the store keeps them."
                     : "   They went on from where an earlier run had left them in the store.");
    }
    avout_release(values[0]);
    avout_release(values[1]);
    avout_ref_close(refs.r0);
    avout_ref_close(refs.r1);
    return st;
}

/* ---- parts 2 and 3 in the store --------------------------------------------------------------------- */

typedef struct entry {
    avout_value run;
    int64_t moves;
} entry;

static avout_status add_entry(avout_value *moves, void *payload)
{
    const entry *e = payload;
    return avout_assoc(moves, avout_share(e->run), avout_int(0));
}

/* Takes this run's count away again, telling what it was. */
static avout_status take_entry(avout_value *moves, void *payload)
{
    entry *e = payload;
    avout_status st = avout_value_to_int(&e->moves, avout_value_get(*moves, e->run));
    return st ? st : avout_dissoc(moves, avout_share(e->run));
}

static avout_status prepare(demo *d, avout_client *client)
{
    avout_ref *groups[GROUPS] = {NULL};
    avout_atom *moves = NULL;
    entry e = {.run = avout_string(d->run)};
    avout_status st = AVOUT_OK;
    for (int g = 0; g < GROUPS && !st && d->fresh; g++) {
        st = avout_ref_create_or_reset(&groups[g], client, group_names[g], first_members(g));
        avout_ref_close(groups[g]);
        groups[g] = NULL;
    }
    if (!st) st = open_groups(groups, client);
    size_t sizes[GROUPS];
    if (!st) st = look(groups, sizes);
    if (st > 0) fputs("the store's demo data is damaged; --fresh starts over\n", stderr);
    if (!st) st = avout_atom_create(&moves, client, moves_name, avout_map(0, NULL), NULL);
    if (!st) st = avout_swap(moves, add_entry, &e, NULL, NULL, NULL);
    avout_atom_close(moves);
    close_groups(groups);
    avout_release(e.run);
    return st;
}

static void verdict(demo *d, bool held, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static void verdict(demo *d, bool held, const char *format, ...)
{
    va_list arguments;
    printf("   %s  ", held ? "ok    " : "FAILED");
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    putchar('\n');
    d->failed = d->failed || !held;
}

static avout_status conclude(demo *d, avout_client *client)
{
    avout_ref *groups[GROUPS] = {NULL};
    avout_atom *moves = NULL;
    entry e = {.run = avout_string(d->run)};
    size_t sizes[GROUPS] = {0};
    report sum = sum_of(d);
    avout_status st = open_groups(groups, client);
    if (!st) st = avout_atom_open(&moves, client, moves_name);
    if (!st) st = avout_swap(moves, take_entry, &e, NULL, NULL, NULL);
    if (!st) {
        avout_status seen = look(groups, sizes);
        if (seen < 0) st = seen;
        verdict(d, seen == AVOUT_OK, "nobody lost, nobody in two groups: %zu + %zu + %zu = %d%s%s",
                sizes[0], sizes[1], sizes[2], MEMBERS, seen ? "; " : "",
                seen ? avout_error_detail() : "");
        verdict(d, d->watched && sum.looks > 0,
                "nor at any of %" PRIu64 " looks while they moved (%" PRIu64 " changes heard of)",
                sum.looks, sum.changes);
        uint64_t counted = (uint64_t)e.moves;
        if (d->exact)
            verdict(d, counted == sum.moves,
                    "moves counted in the store %" PRIu64 ", confirmed to the processes %" PRIu64
                    ": each happened exactly once",
                    counted, sum.moves);
        else
            verdict(d, counted >= sum.moves,
                    "moves counted in the store %" PRIu64 ", last told by the processes %" PRIu64
                    ": nothing confirmed was lost",
                    counted, sum.moves);
        printf("\n   %" PRIu64 " transactions by %d processes in %.1f s: %.0f a second;\n"
               "   %" PRIu64
               " runs were thrown away because another process was faster (retries).\n",
               counted, d->processes, d->took, (double)counted / d->took, sum.retries);
    }
    avout_atom_close(moves);
    close_groups(groups);
    avout_release(e.run);
    return st;
}

/* ---- all of it ------------------------------------------------------------------------------------- */

static int with_client(demo *d, bool first)
{
    avout_client *client = NULL;
    avout_status st = avout_connect(d->store, NULL, &client);
    if (!st && first) {
        snprintf(d->url, sizeof d->url, "%s", avout_client_url(client));
        printf("Avout: values that processes share and change together.\nStore: %s\n\n"
               "1. One transaction over two refs: increment r0, append its new value to r1.\n"
               "   Both change or none does.\n",
               d->url);
        st = show_two_refs(client);
        if (!st) st = prepare(d, client);
    } else if (!st) {
        st = conclude(d, client);
    }
    if (st) complain("avout-demo", first ? "start" : "check", st);
    avout_close(client);
    return st != AVOUT_OK;
}

static int run_demo(demo *d)
{
    snprintf(d->run, sizeof d->run, "%ld-%ld", (long)time(NULL), (long)getpid());
    struct sigaction action = {.sa_handler = on_interrupt};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
    if (with_client(d, true)) return 1;
    printf(
        "\n2. %d processes move %d members between three groups, for %g seconds. Each move is one\n"
        "   transaction: take a member out of its group, put it into another, count the move.\n"
        "   One more process looks at all groups at one point in time, at every change it hears "
        "of.\n",
        d->processes, MEMBERS, d->seconds);
    run_processes(d);
    printf("\n3. Checked%s:\n",
           interrupted ? " (interrupted, but all moves begun are finished)" : "");
    if (with_client(d, false)) return 1;
    if (d->failed) puts("\nThe demo has FAILED.");
    else printf("\nLook around: avout -s %s tree /avout-demo\n", d->url);
    return d->failed ? 1 : interrupted ? 130 : 0;
}

static int usage(void)
{
    fputs("usage: avout-demo [--seconds N] [--processes N] [--kill] [--fresh] [STORE]\n"
          "  --seconds N    how long the processes move members (5)\n"
          "  --processes N  how many do (4)\n"
          "  --kill         kill -9 one of them at half time; another takes its place\n"
          "  --fresh        begin with fresh groups; not while another demo runs on the store\n"
          "STORE: lmdb:PATH, zk://HOST:PORT; else AVOUT_STORE, else a store in your state "
          "directory\n",
          stderr);
    return 2;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"seconds", required_argument, NULL, 's'},
        {"processes", required_argument, NULL, 'p'},
        {"kill", no_argument, NULL, 'k'},
        {"fresh", no_argument, NULL, 'f'},
        {"as", required_argument, NULL, 'a'},
        {"run", required_argument, NULL, 'r'},
        {NULL, 0, NULL, 0},
    };
    static demo d = {.seconds = 5, .processes = 4};
    const char *as = NULL, *run = "";
    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        char *end = NULL;
        switch (c) {
        case 's': d.seconds = strtod(optarg, &end); break;
        case 'p': d.processes = (int)strtol(optarg, &end, 10); break;
        case 'k': d.kill_one = true; break;
        case 'f': d.fresh = true; break;
        case 'a': as = optarg; break;
        case 'r': run = optarg; break;
        default: return usage();
        }
        if (end && (end == optarg || *end)) return usage();
    }
    if (argc - optind > 1 || !(d.seconds > 0 && d.seconds <= 86400)) return usage();
    if (d.processes < 1 || d.processes > MOST_PROCESSES) return usage();
    d.store = argv[optind];
    if (as) signal(SIGPIPE, SIG_IGN);
    if (as && !strcmp(as, "watcher")) return run_watcher(d.store);
    if (as) return run_mover(d.store, run, (int)strtol(as, NULL, 10));
    return run_demo(&d);
}
