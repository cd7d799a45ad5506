/* Processes for tests of many clients: forked before the test's own process opens a client (so that
 * sanitizers can follow them), killed, stopped and replaced at random moments. The moments come from
 * a seed that is printed; AVOUT_TEST_SEED sets it. */
#ifndef TESTS_SUPPORT_CROWD_H
#define TESTS_SUPPORT_CROWD_H

#include <stdatomic.h>
#include <sys/types.h>

#include "support/await.h"
#include "support/test.h"

typedef struct crowd_process {
    pid_t pid; /* 0: not running */
    int number;
    void (*run)(int number);
} crowd_process;

/* Of this process: each has its own sequence, made from the one seed and its number. */
uint32_t crowd_random(uint32_t below);
/* The same for a thread of its own: *state begins with crowd_thread_seed(). */
uint32_t crowd_random_of(uint64_t *state, uint32_t below);
uint64_t crowd_thread_seed(void);

/* Zeroed memory common to this process and those forked later. */
void *crowd_share(size_t size);

/* Starts a process that ends with status 0 when `run` returns. */
void crowd_start(crowd_process *process, void (*run)(int number), int number);
void crowd_kill(crowd_process *process);                  /* SIGKILL; waits for its end */
void crowd_replace(crowd_process *process);               /* kills it and starts it again */
void crowd_stop(crowd_process *process);                  /* SIGSTOP; waits for it */
void crowd_go_on(crowd_process *process);                 /* SIGCONT */
void crowd_check(crowd_process *processes, size_t count); /* none has ended by itself */
void crowd_finish(crowd_process *processes, size_t count, int seconds); /* all end, with status 0 */

int64_t crowd_now_ms(void);

#endif
