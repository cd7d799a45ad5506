/* What surrounds a run: its temporary directory, its child processes, and their end, however the run
 * ends: normally, by an error, or by SIGINT, SIGTERM or SIGHUP. Children also end with the parent
 * when it is killed outright. */
#ifndef BENCH_WORLD_H
#define BENCH_WORLD_H

#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>

#include "avout.h"

/* `place`: where the temporary directory is made; NULL: a directory on a disk that syncs. */
void world_open(const char *place);
void world_close(void);
/* The temporary directory; static. */
const char *world_directory(void);

/* Ends the run with a message and exit status 1. */
_Noreturn void fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The same when an operation that had to succeed did not. */
void need(avout_status status, const char *what);
void *need_memory(size_t size);

/* A child that answers each line with a line. */
typedef struct child {
    pid_t pid;
    FILE *to, *from;
} child;

/* Starts arguments[0], found in PATH. With `log` the child's output goes there (append), and to and
 * from are NULL; without, they are its standard input and output. */
child child_start(char *const *arguments, const char *log);
void child_tell(child *c, const char *line);
/* Waits for the child's line. */
void child_hear(child *c, char *line, size_t size);
/* Kills it and waits for its end. */
void child_end(child *c);
/* It has ended by itself. */
bool child_has_ended(const child *c);

#endif
