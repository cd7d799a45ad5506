#include "crew.h"

#include <math.h>
#include <stdlib.h>

void crew_start(crew *c, int count, bench *b, const char *kind, const char *url, const char *name,
                int threads)
{
    char kind_copy[32], url_copy[700], name_copy[64], threads_text[16], line[64];
    if (count > CREW_MAX) fail("%d processes are too many", count);
    snprintf(kind_copy, sizeof kind_copy, "%s", kind);
    snprintf(url_copy, sizeof url_copy, "%s", url);
    snprintf(name_copy, sizeof name_copy, "%s", name);
    snprintf(threads_text, sizeof threads_text, "%d", threads);
    char *arguments[] = {b->program, kind_copy, url_copy, name_copy, threads_text, NULL};
    *c = (crew){.count = count};
    for (int i = 0; i < count; i++) c->members[i] = child_start(arguments, NULL);
    for (int i = 0; i < count; i++) child_hear(&c->members[i], line, sizeof line);
}

void crew_end(crew *c)
{
    for (int i = 0; i < c->count; i++) child_end(&c->members[i]);
}

uint64_t crew_run(void *payload, double seconds)
{
    crew *c = payload;
    char line[64];
    uint64_t sum = 0;
    snprintf(line, sizeof line, "%.6f", seconds);
    for (int i = 0; i < c->count; i++) child_tell(&c->members[i], line);
    for (int i = 0; i < c->count; i++) {
        child_hear(&c->members[i], line, sizeof line);
        uint64_t done = strtoull(line, NULL, 10);
        c->done[i] += done;
        sum += done;
    }
    return sum;
}

double crew_slowest_share(const crew *c)
{
    double sum = 0, least = INFINITY;
    for (int i = 0; i < c->count; i++) {
        sum += (double)c->done[i];
        least = fmin(least, (double)c->done[i]);
    }
    return least / (sum / c->count);
}

void crew_serve(side work)
{
    char line[64];
    printf("ready\n");
    fflush(stdout);
    while (fgets(line, sizeof line, stdin)) {
        uint64_t done = work.run(work.payload, strtod(line, NULL));
        printf("%llu\n", (unsigned long long)done);
        fflush(stdout);
    }
}
