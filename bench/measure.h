/* Two sides of a comparison, measured in one run: after a warm-up of both, slices of the raw side and
 * of ours take turns, so that whatever else the machine does hits both. */
#ifndef BENCH_MEASURE_H
#define BENCH_MEASURE_H

#include <stdint.h>
#include <sys/types.h>

double seconds_now(void);
/* This process's processor time. */
double cpu_now(void);

/* Works for about `seconds`; answers how many operations it did. */
typedef uint64_t (*side_fn)(void *payload, double seconds);

typedef struct side {
    side_fn run;
    void *payload;
} side;

typedef struct comparison {
    double raw, ours; /* operations a second: medians over the slices */
    double ratio;     /* median over pairs of neighbouring slices of ours / raw, of those */
    double raw_cpu_us, ours_cpu_us;       /* this process's, an operation, over all slices */
    double raw_server_us, ours_server_us; /* the server's; 0: there is none */
} comparison;

/* `server`: whose processor time is to be told too; 0: nobody's. */
comparison compare(side raw, side ours, double seconds, pid_t server);

/* One side only, of work without waits: operations a second of processor time, the median over
 * slices. There is nothing beside it that would suffer as much when others use the machine.
 * *aside (may be NULL) is where the side adds up processor time that does not count. */
double measure(side one, double seconds, const double *aside);

double median(double *numbers, int count);

/* Calls `run` in `count` threads at once, with payloads base, base + size ...; answers the sum. */
uint64_t in_threads(int count, side_fn run, void *base, size_t size, double seconds);

#endif
