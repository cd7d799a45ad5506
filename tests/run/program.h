/* One test program, run under a keeper: a process between the runner and the program that reads
 * its output, keeps its time and ends whatever it leaves behind, servers and grandchildren too,
 * however it ended. The keeper is a subreaper: a process whose parent died becomes its child, so
 * nothing can hide from it; it ends itself when the runner is gone.
 */
#ifndef TESTS_RUN_PROGRAM_H
#define TESTS_RUN_PROGRAM_H

#include <stdbool.h>
#include <sys/types.h>

#include "run/tap.h"

typedef struct program {
    const char *const *command; /* ends with NULL */
    const char *log;            /* file that gets all output */
    int limit_seconds;
} program;

typedef struct outcome {
    tap counts; /* with what is wrong with the program itself counted as failed */
    double seconds;
    double user, system; /* processor time of it and of everything it started */
    char note[160];      /* what is wrong with the program itself; "" */
} outcome;

/* Starts a keeper with its program and returns the keeper's process id, or -1. The outcome, in
 * memory shared with the keeper, is complete when the keeper has ended. SIGTERM ends both. */
pid_t program_start(const program *what, outcome *result);

/* The same for a server that all programs use: `line` gets the first line it prints. -1 when none
 * comes in `limit_seconds`. */
pid_t service_start(const char *command, const char *log, int limit_seconds, char *line,
                    size_t size);

double seconds_now(void);

#endif
