/* What the files of the demo share.
 *
 *   main.c       the two refs of part 1, the checks of part 3, the command line
 *   processes.c  starting, following and stopping the processes of part 2; the progress shown
 *   workers.c    what those processes do: the transaction, and the watching
 *   groups.c     the three groups and the rule that must hold */
#ifndef AVOUT_EXAMPLES_DEMO_H
#define AVOUT_EXAMPLES_DEMO_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <avout.h>

enum { MEMBERS = 60, GROUPS = 3, MOST_PROCESSES = 64 };
/* Statuses of our own that transaction bodies return. */
enum { LOST = 1, TWICE = 2, NOT_A_SET = 3 };

#define MOVES_NAME "/avout-demo/moves" /* a map: run -> moves */

/* ---- groups.c ---------------------------------------------------------------------------------- */

extern const char *const group_names[GROUPS];
avout_value first_members(int group);
/* Every member in exactly one group? Answers LOST, TWICE or NOT_A_SET, with what it saw. */
avout_status check_groups(const avout_value *groups);
avout_status open_groups(avout_ref **groups, avout_client *client);
void close_groups(avout_ref **groups);
/* Reads all groups at one point in time and checks them. */
avout_status look(avout_ref *const *groups, size_t sizes[GROUPS]);
int complain(const char *who, const char *what, avout_status status);

/* ---- workers.c --------------------------------------------------------------------------------- */

/* What a process tells the parent. Written in one piece, smaller than a pipe's atomic size. Each
 * replaces the one before. */
typedef struct report {
    uint64_t moves;   /* confirmed */
    uint64_t retries; /* runs of the function that were thrown away */
    uint64_t looks;
    uint64_t changes; /* heard of */
    uint64_t sizes[GROUPS];
} report;

int run_mover(const char *store, const char *run, int number);
int run_watcher(const char *store);

/* ---- processes.c ------------------------------------------------------------------------------- */

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

extern volatile sig_atomic_t interrupted;
double seconds_now(void);
void run_processes(demo *d);
/* What all of them told. */
report sum_of(const demo *d);

#endif
