/* The results of a run: a table, or JSON. Lines of the table appear as soon as they are known. */
#ifndef BENCH_REPORT_H
#define BENCH_REPORT_H

#include <stdbool.h>

#include "measure.h"

typedef enum bound { AT_MOST, AT_LEAST, NO_GOAL } bound;

/* What a row of the table says. Of numbers that do not exist NAN is given. */
typedef struct result {
    const char *row, *what;
    const char *unit; /* of raw and ours: "ms", "/s" ... */
    double raw, ours;
    bool absolute; /* the goal is for `ours`, not for the ratio */
    double ratio;
    bound bound;
    double goal;
    comparison *costs; /* processor time; NULL: not told */
} result;

void report_open(bool json);
void report(const result *r);
/* The two usual ones: time of one operation, at most; operations a second, at least. */
void report_latency(const char *row, const char *what, comparison *c, double goal);
void report_rate(const char *row, const char *what, comparison *c, double goal);
/* A line of text below the table (JSON: in "notes"). */
void report_note(const char *format, ...) __attribute__((format(printf, 1, 2)));
void report_close(void);

#endif
