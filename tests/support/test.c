#include "support/test.h"

#include <errno.h>
#include <ftw.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "support/no_memory.h"

enum { SKIPPED = 77 };

static test_case *first, **last = &first;
static char directory[64];

void test_register(test_case *test)
{
    *last = test;
    last = &test->next;
}

void test_failed(const char *file, int line, const char *format, ...)
{
    fflush(stdout);
    fprintf(stderr, "# %s:%d: ", file, line);
    va_list arguments;
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    _exit(1);
}

void test_skip(const char *format, ...)
{
    fprintf(stderr, "# skipped: ");
    va_list arguments;
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    _exit(SKIPPED);
}

const char *test_directory(void)
{
    if (mkdir(directory, 0700) && errno != EEXIST)
        test_failed(__FILE__, __LINE__, "mkdir %s: %s", directory, strerror(errno));
    return directory;
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *where)
{
    (void)status, (void)kind, (void)where;
    remove(path);
    return 0;
}

/* The parent chooses the name, so that it can remove what a killed child left behind. The time is in
 * it because process ids come again: what somebody's killed parent left must not be found here. */
static void choose_directory(void)
{
    static int number;
    const char *base = getenv("TMPDIR");
    if (!base || strlen(base) > 24) base = "/tmp";
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    snprintf(directory, sizeof directory, "%s/avout-test-%d-%d-%lx", base, (int)getpid(), number++,
             (unsigned long)now.tv_sec);
}

static int limit_seconds(const test_case *test)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    return test->seconds * 4;
#else
    return test->seconds;
#endif
}

static volatile sig_atomic_t interrupted;

static void note_signal(int signal_number)
{
    interrupted = signal_number;
}

/* The test and whatever processes it started are one process group, which ends with it. */
static int run_in_child(const test_case *test)
{
    choose_directory();
    fflush(stdout);
    fflush(stderr);
    pid_t child = fork();
    if (child == 0) {
        setpgid(0, 0);
        signal(SIGINT, SIG_DFL);
        signal(SIGTERM, SIG_DFL);
        test->run();
        exit(0);
    }
    if (child < 0) return -1;
    setpgid(child, child);
    int status = 0;
    bool late = false;
    struct timespec start, now;
    clock_gettime(CLOCK_MONOTONIC, &start);
    for (;;) {
        pid_t ended = waitpid(child, &status, WNOHANG);
        if (ended == child) break;
        clock_gettime(CLOCK_MONOTONIC, &now);
        if (!late && now.tv_sec - start.tv_sec > limit_seconds(test)) {
            late = true;
            kill(-child, SIGKILL);
        }
        if (interrupted) kill(-child, SIGKILL);
        nanosleep(&(struct timespec){0, 2000000}, NULL);
    }
    kill(-child, SIGKILL);
    nftw(directory, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    if (interrupted) exit(128 + interrupted);
    if (late) {
        fprintf(stderr, "# no end after %d s\n", limit_seconds(test));
        return 1;
    }
    if (WIFSIGNALED(status)) {
        fprintf(stderr, "# ended by signal %d (%s)\n", WTERMSIG(status),
                strsignal(WTERMSIG(status)));
        return 1;
    }
    return WEXITSTATUS(status);
}

static bool chosen(const test_case *test, int count, char **names)
{
    for (int i = 0; i < count; i++)
        if (!strcmp(names[i], test->name)) return true;
    return count == 0;
}

int main(int argc, char **argv)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc > 1 && !strcmp(argv[1], "--list")) {
        for (test_case *test = first; test; test = test->next) puts(test->name);
        return 0;
    }
    if (argc > 2 && !strcmp(argv[1], "--here")) {
        choose_directory();
        for (test_case *test = first; test; test = test->next)
            if (chosen(test, argc - 2, argv + 2)) test->run();
        return 0;
    }
    signal(SIGINT, note_signal);
    signal(SIGTERM, note_signal);
    int number = 0, failures = 0;
    for (test_case *test = first; test; test = test->next) {
        if (!chosen(test, argc - 1, argv + 1)) continue;
        int result = run_in_child(test);
        number++;
        if (result == SKIPPED) {
            printf("ok %d %s # SKIP\n", number, test->name);
        } else {
            printf("%s %d %s\n", result ? "not ok" : "ok", number, test->name);
            failures += result != 0;
        }
    }
    if (argc > 1 && number == 0) {
        fprintf(stderr, "# no test of that name\n");
        return 2;
    }
    printf("1..%d\n", number);
    return failures ? 1 : 0;
}

/* ---- failing allocations ------------------------------------------------------------------ */

void test_each_allocation_fails(avout_status (*call)(void *payload), void *payload)
{
    bool failed = true;
    no_memory_use(true);
    for (int64_t n = 0; failed; n++) {
        no_memory_begin(n, 1);
        avout_status status = call(payload);
        failed = no_memory_end();
        no_memory_check(n);
        CHECK(failed || n > 0);
        if (status != (failed ? AVOUT_ENOMEM : AVOUT_OK))
            test_failed(__FILE__, __LINE__, "allocation %" PRId64 ": status %s (%s)", n,
                        avout_status_name(status), avout_error_detail());
    }
    no_memory_use(false);
}
