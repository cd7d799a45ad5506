/* Processes that work side by side. They are this program again, as workers: each works for as long as a
 * line on its standard input says and answers with a line that says how much it got done. */
#ifndef BENCH_CREW_H
#define BENCH_CREW_H

#include "rows.h"
#include "world.h"

enum { CREW_MAX = 32 };

typedef struct crew {
    int count;
    child members[CREW_MAX];
    uint64_t done[CREW_MAX]; /* since the start */
} crew;

/* `kind`: the option that makes the program such a worker; it is given the other three as arguments. */
void crew_start(crew *c, int count, bench *b, const char *kind, const char *url, const char *name,
                int threads);
void crew_end(crew *c);

/* A side, of a crew: all work. */
uint64_t crew_run(void *crew, double seconds);
/* Of what the members have done: the least as a part of the mean. */
double crew_slowest_share(const crew *c);

/* In a worker: does what the lines say until they end. */
void crew_serve(side work);

#endif
