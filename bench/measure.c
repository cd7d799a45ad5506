#include "measure.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "world.h"

enum { PAIRS = 9, THREADS_MAX = 256 };

static double seconds_of(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

double seconds_now(void)
{
    return seconds_of(CLOCK_MONOTONIC);
}

double cpu_now(void)
{
    return seconds_of(CLOCK_PROCESS_CPUTIME_ID);
}

/* Of another process, in seconds: fields 14 and 15 of its stat, behind the name in parentheses. */
static double cpu_of(pid_t pid)
{
    char path[64], text[1024];
    unsigned long user = 0, system = 0;
    if (!pid) return 0;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "r");
    if (!file) return 0;
    size_t length = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[length] = '\0';
    char *at = text;
    for (char *c = text; *c; c++)
        if (*c == ')') at = c + 1;
    if (sscanf(at, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system) != 2)
        return 0;
    return (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double median(double *numbers, int count)
{
    qsort(numbers, (size_t)count, sizeof *numbers, ascending);
    return count % 2 ? numbers[count / 2] : (numbers[count / 2 - 1] + numbers[count / 2]) / 2;
}

typedef struct account {
    double rates[PAIRS], cpu, server_cpu;
    uint64_t operations;
} account;

static double slice(account *a, int index, side one, double seconds, pid_t server)
{
    double cpu = cpu_now(), server_cpu = cpu_of(server), start = seconds_now();
    uint64_t operations = one.run(one.payload, seconds);
    double took = seconds_now() - start;
    a->cpu += cpu_now() - cpu;
    a->server_cpu += cpu_of(server) - server_cpu;
    a->operations += operations;
    a->rates[index] = (double)operations / took;
    return a->rates[index];
}

comparison compare(side raw, side ours, double seconds, pid_t server)
{
    account of_raw = {0}, of_ours = {0};
    double ratios[PAIRS], length = seconds / (2 * PAIRS);
    raw.run(raw.payload, length);
    ours.run(ours.payload, length);
    for (int i = 0; i < PAIRS; i++) {
        double a = slice(&of_raw, i, raw, length, server);
        double b = slice(&of_ours, i, ours, length, server);
        ratios[i] = b / a;
    }
    return (comparison){
        .raw = median(of_raw.rates, PAIRS),
        .ours = median(of_ours.rates, PAIRS),
        .ratio = median(ratios, PAIRS),
        .raw_cpu_us = of_raw.cpu / (double)of_raw.operations * 1e6,
        .ours_cpu_us = of_ours.cpu / (double)of_ours.operations * 1e6,
        .raw_server_us = of_raw.server_cpu / (double)of_raw.operations * 1e6,
        .ours_server_us = of_ours.server_cpu / (double)of_ours.operations * 1e6,
    };
}

double measure(side one, double seconds, const double *aside)
{
    double rates[PAIRS];
    one.run(one.payload, seconds / PAIRS);
    for (int i = 0; i < PAIRS; i++) {
        double cpu = cpu_now(), before = aside ? *aside : 0;
        uint64_t operations = one.run(one.payload, seconds / PAIRS);
        double counted = cpu_now() - cpu - (aside ? *aside - before : 0);
        rates[i] = (double)operations / counted;
    }
    return median(rates, PAIRS);
}

typedef struct thread_job {
    side_fn run;
    void *payload;
    double seconds;
    uint64_t operations;
} thread_job;

static void *run_job(void *payload)
{
    thread_job *job = payload;
    job->operations = job->run(job->payload, job->seconds);
    return NULL;
}

uint64_t in_threads(int count, side_fn run, void *base, size_t size, double seconds)
{
    pthread_t threads[THREADS_MAX];
    thread_job jobs[THREADS_MAX];
    if (count > THREADS_MAX) fail("%d threads are too many", count);
    for (int i = 0; i < count; i++) {
        jobs[i] = (thread_job){run, (char *)base + (size_t)i * size, seconds, 0};
        if (pthread_create(&threads[i], NULL, run_job, &jobs[i])) fail("cannot start a thread");
    }
    uint64_t sum = 0;
    for (int i = 0; i < count; i++) {
        pthread_join(threads[i], NULL);
        sum += jobs[i].operations;
    }
    return sum;
}
