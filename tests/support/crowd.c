#include "support/crowd.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static uint64_t seed, state;
static _Atomic uint64_t threads;

/* ---- chance ------------------------------------------------------------------------------------ */

/* SplitMix64 (Steele, Lea, Flood, 2014). */
static uint64_t mix(uint64_t number)
{
    number = (number ^ (number >> 30)) * 0xbf58476d1ce4e5b9u;
    number = (number ^ (number >> 27)) * 0x94d049bb133111ebu;
    return number ^ (number >> 31);
}

static uint64_t next(uint64_t *from)
{
    return mix(*from += 0x9e3779b97f4a7c15u);
}

static void begin(void)
{
    if (seed) return;
    const char *given = getenv("AVOUT_TEST_SEED");
    if (given && *given) seed = strtoull(given, NULL, 10);
    else if (getrandom(&seed, sizeof seed, 0) != sizeof seed) seed = (uint64_t)getpid();
    seed = seed ? seed : 1;
    state = seed;
    fprintf(stderr, "# AVOUT_TEST_SEED=%" PRIu64 "\n", seed);
}

uint32_t crowd_random_of(uint64_t *from, uint32_t below)
{
    return (uint32_t)((next(from) >> 32) * below >> 32);
}

uint32_t crowd_random(uint32_t below)
{
    begin();
    return crowd_random_of(&state, below);
}

uint64_t crowd_thread_seed(void)
{
    return mix(state + (atomic_fetch_add(&threads, 1) + 1) * 0x9e3779b97f4a7c15u);
}

/* ---- processes ------------------------------------------------------------------------------- */

void *crowd_share(size_t size)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(memory != MAP_FAILED);
    return memory;
}

void crowd_start(crowd_process *process, void (*run)(int number), int number)
{
    begin();
    uint64_t own = next(&state);
    *process = (crowd_process){.number = number, .run = run};
    fflush(stdout);
    process->pid = fork();
    if (process->pid < 0) test_failed(__FILE__, __LINE__, "fork: %s", strerror(errno));
    if (process->pid) return;
    state = own;
    run(number);
    exit(0);
}

void crowd_kill(crowd_process *process)
{
    int status;
    CHECK_INT(0, kill(process->pid, SIGKILL));
    CHECK_INT(process->pid, waitpid(process->pid, &status, 0));
    if (!WIFSIGNALED(status))
        test_failed(__FILE__, __LINE__, "process %d had ended by itself, with status %d",
                    process->number, status);
    process->pid = 0;
}

void crowd_replace(crowd_process *process)
{
    crowd_kill(process);
    crowd_start(process, process->run, process->number);
}

void crowd_stop(crowd_process *process)
{
    int status;
    CHECK_INT(0, kill(process->pid, SIGSTOP));
    CHECK_INT(process->pid, waitpid(process->pid, &status, WUNTRACED));
    CHECK(WIFSTOPPED(status));
}

void crowd_go_on(crowd_process *process)
{
    CHECK_INT(0, kill(process->pid, SIGCONT));
}

/* Whether it has ended; fails the test unless that was with status 0. */
static bool has_ended(crowd_process *process)
{
    int status;
    if (!process->pid) return true;
    pid_t ended = waitpid(process->pid, &status, WNOHANG);
    if (ended != process->pid) return false;
    process->pid = 0;
    if (!WIFEXITED(status) || WEXITSTATUS(status))
        test_failed(__FILE__, __LINE__, "process %d ended with %s %d", process->number,
                    WIFEXITED(status) ? "status" : "signal",
                    WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
    return true;
}

void crowd_check(crowd_process *processes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (processes[i].pid && has_ended(&processes[i]))
            test_failed(__FILE__, __LINE__, "process %d has ended", processes[i].number);
}

void crowd_finish(crowd_process *processes, size_t count, int seconds)
{
    int64_t limit = crowd_now_ms() + seconds * 1000;
    for (size_t i = 0; i < count; i++) {
        while (!has_ended(&processes[i])) {
            if (crowd_now_ms() > limit)
                test_failed(__FILE__, __LINE__, "process %d has not ended after %d s",
                            processes[i].number, seconds);
            test_pause_ms(5);
        }
    }
}

/* ---- time -------------------------------------------------------------------------------------- */

int64_t crowd_now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}
