/* The test runner.
 *
 *     run-tests [options] VARIANT:SOURCE ...
 *
 * Runs the program built from each source (BUILD/VARIANT/SOURCE without .c; a .sh is run by sh),
 * several at a time, prints a line a program, then the output of those that failed, and last
 *
 *     N passed, N failed[, N skipped]
 *
 * Of many programs, the few that failed are run once more at the end, each alone: on a machine that is busy with
 * the others a test may wait in vain for what is only late. What they print then counts, what they printed
 * first is shown all the same, and said to be of the first time. What a sanitizer has reported is not forgiven.
 *
 * Exit status: 0 nothing failed, 1 something did, 2 it could not run, 130 interrupted.
 *
 *     -b BUILD              where the programs are (build)
 *     -j N                  programs at a time (4; 2 on one processor), and as many of those that wait
 *     -l SECONDS            how long a program may run (180; sanitizer builds twice that)
 *     -s                    skipped tests count as failed
 *     -e NAME=COMMAND       a server for all programs: the first line it prints becomes the
 *                           environment variable NAME; ended at the end
 *
 * A source says in its first lines what the runner must know:
 *
 *     Test-tags: serial     runs while no other program runs
 *     Test-tags: slow       takes long: started first (and not built with sanitizers, see Makefile)
 *     Test-tags: waits      takes long and leaves the processors to others: run beside them, with
 *                           others of its kind, from the beginning
 *
 * Programs find their variant's build folder in AVOUT_TEST_BUILD, and in TMPDIR a folder that is
 * removed at the end.
 */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "run/program.h"

enum {
    PATH_BYTES = 512,
    HEAD_BYTES = 4096,
    SHOWN_BYTES = 24 << 10,
    SERVICES_MAX = 4,
    COSTLY_SHOWN = 20, /* of at least so many programs; fewer are seen at a glance */
    /* Of more than so many programs so many at the most are run again: more is not the machine's fault. */
    AGAIN_AMONG = 20,
    AGAIN_MOST = 3,
};

typedef struct job {
    char variant[32];
    const char *source;
    bool serial, slow, waits;
    bool started, ended;
    pid_t keeper;
    char log[PATH_BYTES], first_log[PATH_BYTES];
    outcome *result;
} job;

/* How many run. */
typedef struct crowd {
    int working, waiting;
} crowd;

typedef struct options {
    const char *build;
    int at_once, limit_seconds;
    bool no_skips;
    const char *services[SERVICES_MAX];
    int service_count;
} options;

static volatile sig_atomic_t interrupted;
static pid_t services[SERVICES_MAX];
static char temporary[PATH_BYTES];

static void note_signal(int number)
{
    if (number != SIGCHLD) interrupted = number;
}

/* ---- what is to be run --------------------------------------------------------------------- */

static bool has_tag(const char *head, const char *tag)
{
    const char *tags = strstr(head, "Test-tags:");
    if (!tags) return false;
    size_t end = strcspn(tags, "\n");
    const char *found = strstr(tags, tag);
    return found && found < tags + end;
}

static bool job_init(job *j, const char *argument)
{
    const char *colon = strchr(argument, ':');
    if (!colon || (size_t)(colon - argument) >= sizeof j->variant) {
        fprintf(stderr, "run-tests: %s: not VARIANT:SOURCE\n", argument);
        return false;
    }
    snprintf(j->variant, sizeof j->variant, "%.*s", (int)(colon - argument), argument);
    j->source = colon + 1;
    char head[HEAD_BYTES];
    FILE *file = fopen(j->source, "r");
    if (!file) {
        fprintf(stderr, "run-tests: %s: %s\n", j->source, strerror(errno));
        return false;
    }
    head[fread(head, 1, sizeof head - 1, file)] = '\0';
    fclose(file);
    j->serial = has_tag(head, "serial");
    j->slow = has_tag(head, "slow");
    j->waits = has_tag(head, "waits");
    return true;
}

static bool ends_with(const char *text, const char *end)
{
    size_t length = strlen(text), part = strlen(end);
    return length >= part && !strcmp(text + length - part, end);
}

static job *first_of(job *jobs, int count, bool (*fits)(const job *j))
{
    for (int i = 0; i < count; i++)
        if (!jobs[i].started && fits(&jobs[i])) return &jobs[i];
    return NULL;
}

static bool is_waiting(const job *j)
{
    return j->waits && !j->serial;
}

static bool is_slow(const job *j)
{
    return j->slow && !j->serial && !j->waits;
}

static bool is_ordinary(const job *j)
{
    return !j->serial && !j->waits;
}

static bool is_any(const job *j)
{
    (void)j;
    return true;
}

/* Next to start, or NULL: what waits and what is slow first, those that want the machine for themselves
 * last. */
static job *next_job(job *jobs, int count, const crowd *running, int at_once)
{
    job *next = NULL;
    if (running->waiting < at_once) next = first_of(jobs, count, is_waiting);
    if (!next && running->working < at_once) next = first_of(jobs, count, is_slow);
    if (!next && running->working < at_once) next = first_of(jobs, count, is_ordinary);
    if (!next && running->working + running->waiting == 0) next = first_of(jobs, count, is_any);
    return next;
}

/* ---- running ------------------------------------------------------------------------------- */

static void make_folders(char *path)
{
    for (char *slash = path + 1; (slash = strchr(slash, '/')); slash++) {
        *slash = '\0';
        mkdir(path, 0777);
        *slash = '/';
    }
}

static int base_length(const char *source)
{
    const char *dot = strrchr(source, '.');
    return dot ? (int)(dot - source) : (int)strlen(source);
}

static bool job_start(job *j, const options *o)
{
    char path[PATH_BYTES], build[3 * PATH_BYTES];
    int length = base_length(j->source);
    const char *shell[] = {"/bin/sh", j->source, NULL}, *binary[] = {path, NULL};
    char here[PATH_BYTES] = "";
    if (o->build[0] != '/' && !getcwd(here, sizeof here - 1)) return false;
    snprintf(build, sizeof build, "%s%s%s/%s", here, here[0] ? "/" : "", o->build, j->variant);
    snprintf(path, sizeof path, "%s/%s/%.*s", o->build, j->variant, length, j->source);
    snprintf(j->log, sizeof j->log, "%s/log/%s/%.*s.log", o->build, j->variant, length, j->source);
    make_folders(j->log);
    setenv("AVOUT_TEST_BUILD", build, 1);
    program what = {
        .command = ends_with(j->source, ".sh") ? shell : binary,
        .log = j->log,
        .limit_seconds = o->limit_seconds * (strcmp(j->variant, "release") ? 2 : 1),
    };
    j->started = true;
    j->keeper = program_start(&what, j->result);
    return j->keeper > 0;
}

static void short_name(const job *j, char *name, size_t size)
{
    const char *shown = strncmp(j->source, "tests/", 6) ? j->source : j->source + 6;
    snprintf(name, size, "%.*s", base_length(shown), shown);
}

static void show_line(const job *j)
{
    const outcome *r = j->result;
    char name[PATH_BYTES], counts[96];
    short_name(j, name, sizeof name);
    int length = snprintf(counts, sizeof counts, "%d passed", r->counts.passed);
    if (r->counts.failed)
        length += snprintf(counts + length, sizeof counts - (size_t)length, ", %d failed",
                           r->counts.failed);
    if (r->counts.skipped)
        snprintf(counts + length, sizeof counts - (size_t)length, ", %d skipped",
                 r->counts.skipped);
    printf("%s %-8s%-36s %7.1f s  %s%s%s\n", r->counts.failed ? "FAIL" : "  ok", j->variant, name,
           r->seconds, counts, r->note[0] ? ": " : "", r->note);
}

/* Signals are let in only while we sleep, so that none can come between looking and sleeping. */
static pid_t wait_for_child(int *status, bool may_interrupt)
{
    sigset_t ours, before;
    sigemptyset(&ours);
    sigaddset(&ours, SIGCHLD);
    sigaddset(&ours, SIGINT);
    sigaddset(&ours, SIGTERM);
    sigaddset(&ours, SIGHUP);
    sigprocmask(SIG_BLOCK, &ours, &before);
    pid_t pid;
    while ((pid = waitpid(-1, status, WNOHANG)) == 0 && !(may_interrupt && interrupted))
        sigsuspend(&before);
    sigprocmask(SIG_SETMASK, &before, NULL);
    return pid;
}

static int *place_of(crowd *running, const job *j)
{
    return is_waiting(j) ? &running->waiting : &running->working;
}

static void wait_for_one(job *jobs, int count, crowd *running, bool may_interrupt)
{
    int status;
    pid_t pid = wait_for_child(&status, may_interrupt);
    for (int i = 0; i < count && pid > 0; i++) {
        job *j = &jobs[i];
        if (j->keeper != pid || j->ended) continue;
        j->ended = true;
        --*place_of(running, j);
        if (!WIFEXITED(status) || WEXITSTATUS(status)) {
            j->result->counts.failed++;
            snprintf(j->result->note, sizeof j->result->note, "its keeper died");
        }
        show_line(j);
    }
}

static bool run_all(job *jobs, int count, const options *o)
{
    crowd running = {0};
    bool alone = false, told = false;
    for (;;) {
        job *next = interrupted || alone ? NULL : next_job(jobs, count, &running, o->at_once);
        if (next) {
            if (!job_start(next, o)) return false;
            alone = next->serial;
            ++*place_of(&running, next);
            continue;
        }
        if (!running.working && !running.waiting) return true;
        if (interrupted && !told) {
            told = true;
            for (int i = 0; i < count; i++)
                if (jobs[i].started && !jobs[i].ended) kill(jobs[i].keeper, SIGTERM);
        }
        wait_for_one(jobs, count, &running, !told);
        if (!running.working && !running.waiting) alone = false;
    }
}

static bool may_run_again(const job *j)
{
    char line[1024];
    bool may = true;
    FILE *file = fopen(j->log, "r");
    while (file && may && fgets(line, sizeof line, file))
        may = !strstr(line, "Sanitizer") && !strstr(line, "runtime error:");
    if (file) fclose(file);
    return file && may;
}

static bool run_failed_again(job *jobs, int count, const options *o)
{
    int failed = 0;
    for (int i = 0; i < count; i++) failed += jobs[i].result->counts.failed != 0;
    if (interrupted || !failed || failed > AGAIN_MOST || count <= AGAIN_AMONG) return true;
    for (int i = 0; i < count; i++) {
        job *j = &jobs[i];
        if (!j->result->counts.failed || !may_run_again(j)) continue;
        int length = snprintf(j->first_log, sizeof j->first_log, "%s.first", j->log);
        if ((size_t)length >= sizeof j->first_log || rename(j->log, j->first_log)) return false;
        memset(j->result, 0, sizeof *j->result);
        j->started = j->ended = j->waits = false;
        j->serial = true;
    }
    return run_all(jobs, count, o);
}

/* ---- servers and places shared by all ------------------------------------------------------ */

/* Programs that find no such server start one of their own: a failure costs time, no test. */
static void start_services(const options *o)
{
    for (int i = 0; i < o->service_count && !interrupted; i++) {
        char name[64], line[256], log[PATH_BYTES];
        const char *equals = strchr(o->services[i], '=');
        if (!equals || (size_t)(equals - o->services[i]) >= sizeof name) continue;
        snprintf(name, sizeof name, "%.*s", (int)(equals - o->services[i]), o->services[i]);
        snprintf(log, sizeof log, "%s/log/%s.log", o->build, name);
        make_folders(log);
        services[i] = service_start(equals + 1, log, 60, line, sizeof line);
        if (services[i] > 0) setenv(name, line, 1);
        else printf("# no %s: the server for all tests did not start, see %s\n", name, log);
    }
}

static void end_services(void)
{
    for (int i = 0; i < SERVICES_MAX; i++) {
        if (services[i] <= 0) continue;
        kill(services[i], SIGTERM);
        waitpid(services[i], NULL, 0);
    }
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *where)
{
    (void)status, (void)kind, (void)where;
    remove(path);
    return 0;
}

static void set_environment(void)
{
    setenv("TMPDIR", temporary, 1);
    setenv("LC_ALL", "C.UTF-8", 1);
    setenv("ASAN_OPTIONS", "detect_leaks=1:detect_stack_use_after_return=1:strict_string_checks=1",
           0);
    setenv("UBSAN_OPTIONS", "print_stacktrace=1", 0);
    setenv("TSAN_OPTIONS", "halt_on_error=1:second_deadlock_stack=1", 0);
    /* Tests start threads by the ten thousand. glibc keeps 40 MB of stacks for reuse, five of the usual
     * size, and what the system has to map and clear for the others (with it, under the thread sanitizer,
     * 760 KB a thread) was half of the system's time in some programs. */
    setenv("GLIBC_TUNABLES", "glibc.pthread.stack_cache_size=1073741824", 0);
    unsetenv("AVOUT_STORE");
    /* A test that calls make is no part of the make that called us. */
    unsetenv("MAKEFLAGS");
    unsetenv("MFLAGS");
    unsetenv("MAKELEVEL");
}

/* ---- the result ---------------------------------------------------------------------------- */

/* The end of it, where the failure is. */
static void show_log(const job *j, const char *when, const char *log)
{
    char *text = malloc(SHOWN_BYTES);
    FILE *file = fopen(log, "r");
    printf("\n---- %s %s%s (all of it: %s)\n", j->variant, j->source, when, log);
    if (file && text) {
        if (fseek(file, -SHOWN_BYTES, SEEK_END)) rewind(file);
        size_t length = fread(text, 1, SHOWN_BYTES, file);
        fwrite(text, 1, length, stdout);
    }
    if (file) fclose(file);
    free(text);
}

static double cost(const job *j)
{
    return j->result->user + j->result->system;
}

static int compare_cost(const void *a, const void *b)
{
    double x = cost(*(job *const *)a), y = cost(*(job *const *)b);
    return (x < y) - (x > y);
}

/* Where the processors were: the programs with their servers that took most of them, and the sum of
 * all. What a run costs is decided by a few. */
static void show_costs(const job *jobs, int count, double seconds)
{
    const job **order = calloc((size_t)count, sizeof(job *));
    double user = 0, system = 0;
    if (!order) return;
    for (int i = 0; i < count; i++) {
        order[i] = &jobs[i];
        user += jobs[i].result->user;
        system += jobs[i].result->system;
    }
    qsort(order, (size_t)count, sizeof(job *), compare_cost);
    printf("\nmost processor time                              user   system  elapsed\n");
    for (int i = 0; i < COSTLY_SHOWN; i++) {
        char name[PATH_BYTES];
        const outcome *r = order[i]->result;
        short_name(order[i], name, sizeof name);
        printf("     %-8s%-32s %7.1f  %7.1f  %7.1f\n", order[i]->variant, name, r->user, r->system,
               r->seconds);
    }
    printf("     %-40s %7.1f  %7.1f  %7.1f\n", "all programs", user, system, seconds);
    free(order);
}

static int conclude(const job *jobs, int count, bool no_skips)
{
    int passed = 0, failed = 0, skipped = 0, forgiven = 0;
    for (int i = 0; i < count; i++) {
        if (!jobs[i].ended) continue;
        const tap *counts = &jobs[i].result->counts;
        passed += counts->passed;
        failed += counts->failed;
        skipped += counts->skipped;
        if (jobs[i].first_log[0]) show_log(&jobs[i], ", the first time", jobs[i].first_log);
        if (counts->failed || (no_skips && counts->skipped)) show_log(&jobs[i], "", jobs[i].log);
        forgiven += jobs[i].first_log[0] && !counts->failed;
    }
    if (forgiven)
        printf("\n%d of the programs failed beside the others, and passed alone\n", forgiven);
    if (no_skips && skipped) {
        printf("\n%d skipped tests count as failed here\n", skipped);
        failed += skipped;
        skipped = 0;
    }
    printf("\n%d passed, %d failed", passed, failed);
    if (skipped) printf(", %d skipped", skipped);
    printf("\n");
    return failed ? 1 : 0;
}

static bool read_options(options *o, int argc, char **argv)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    const char *ci = getenv("CI");
    *o = (options){.build = "build",
                   .at_once = processors < 2 ? 2 : 4, /* most of them wait most of the time */
                   .limit_seconds = 180,
                   .no_skips = ci && !strcmp(ci, "true")};
    for (int c; (c = getopt(argc, argv, "b:j:l:e:s")) != -1;) {
        if (c == 'b') o->build = optarg;
        else if (c == 'j') o->at_once = atoi(optarg);
        else if (c == 'l') o->limit_seconds = atoi(optarg);
        else if (c == 's') o->no_skips = true;
        else if (c == 'e' && o->service_count < SERVICES_MAX)
            o->services[o->service_count++] = optarg;
        else return false;
    }
    return o->at_once > 0 && o->limit_seconds > 0;
}

/* Memory that is a file system, where there is plenty and programs may be run from it. What tests prove
 * of a process that dies is proved there as well: the system keeps what it has written; of a machine that
 * dies they prove nothing anywhere. Waiting for a disk is what many of them did most. */
static bool memory_will_do(const char *path)
{
    struct statvfs place;
    uint64_t plenty = (uint64_t)4 << 30;
    uint64_t memory = (uint64_t)sysconf(_SC_AVPHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
    return !statvfs(path, &place) && !(place.f_flag & ST_NOEXEC) && !access(path, W_OK | X_OK) &&
           (uint64_t)place.f_bavail * place.f_frsize >= plenty && memory >= plenty;
}

static bool make_temporary(void)
{
    const char *base = getenv("TMPDIR");
    if (!base || !*base || strlen(base) > PATH_BYTES / 2)
        base = memory_will_do("/dev/shm") ? "/dev/shm" : "/tmp";
    snprintf(temporary, sizeof temporary, "%s/avout-XXXXXX", base);
    /* As open as /tmp: some tests become another user. */
    if (mkdtemp(temporary) && !chmod(temporary, 01777)) return true;
    fprintf(stderr, "run-tests: %s: %s\n", temporary, strerror(errno));
    return false;
}

static void watch_signals(void)
{
    struct sigaction action = {.sa_handler = note_signal};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
    sigaction(SIGCHLD, &action, NULL);
}

/* NULL: a source is missing, or there is no memory. */
static job *jobs_new(int count, char **sources)
{
    job *jobs = calloc((size_t)count, sizeof *jobs);
    outcome *results = mmap(NULL, (size_t)count * sizeof *results, PROT_READ | PROT_WRITE,
                            MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    bool fine = jobs && results != MAP_FAILED;
    for (int i = 0; i < count && jobs && results != MAP_FAILED; i++) {
        fine = job_init(&jobs[i], sources[i]) && fine;
        jobs[i].result = &results[i];
    }
    if (fine) return jobs;
    free(jobs);
    return NULL;
}

int main(int argc, char **argv)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    options o;
    int count = read_options(&o, argc, argv) ? argc - optind : 0;
    if (count <= 0) {
        fprintf(stderr, "usage: run-tests [-b BUILD] [-j N] [-l SECONDS] [-s] [-e NAME=COMMAND] "
                        "VARIANT:SOURCE ...\n");
        return 2;
    }
    job *jobs = jobs_new(count, argv + optind);
    if (!jobs || !make_temporary()) return 2;
    watch_signals();
    set_environment();
    double start = seconds_now();
    start_services(&o);
    bool ran = run_all(jobs, count, &o) && run_failed_again(jobs, count, &o);
    end_services();
    if (ran && count > COSTLY_SHOWN) show_costs(jobs, count, seconds_now() - start);
    nftw(temporary, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    int result = ran ? conclude(jobs, count, o.no_skips) : 2;
    free(jobs);
    if (interrupted) fprintf(stderr, "run-tests: interrupted\n");
    return interrupted ? 130 : result;
}
