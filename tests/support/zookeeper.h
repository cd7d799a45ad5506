/* Real ZooKeeper servers for tests: one, or an ensemble, on free loopback ports, with their files
 * in the test's directory. They are in the test's process group and die with the thread that
 * started them (start them on the test's main thread), however it ends.
 *
 * AVOUT_TEST_ZOOKEEPER_ARCHIVE in the environment names a file in which a Java machine has left the
 * server's classes (see tests/run/zookeeper.c): with it a start takes half the time.
 *
 * A single server does not sync to disk: killed it loses nothing, a machine that is would.
 *
 *     test_zk *zk = test_zk_start(1);
 *     avout_connect(test_zk_url(zk), ...);
 */
#ifndef TESTS_SUPPORT_ZOOKEEPER_H
#define TESTS_SUPPORT_ZOOKEEPER_H

#include <stdbool.h>
#include <stddef.h>

typedef struct test_zk test_zk;

typedef struct test_zk_options {
    int servers;        /* 0: 1 */
    int tick_ms;        /* granularity of session expiry; 0: 200. Sessions: 2 ticks to 60 s */
    const char *config; /* more lines for zoo.cfg, or NULL */
    const char *java;   /* one more argument for the JVM ("-Djute.maxbuffer=..."), or NULL */
} test_zk_options;

/* Starts servers and waits until all serve. Skips the test where there is no Java or no server's
 * jar; fails it, with the end of the log, when a server does not come up. */
test_zk *test_zk_start(int servers);
test_zk *test_zk_start_with(const test_zk_options *options);
/* Kills the servers and frees. Not needed at a test's end. NULL is accepted. */
void test_zk_end(test_zk *zk);

/* "127.0.0.1:p1,127.0.0.1:p2". Valid as long as zk. */
const char *test_zk_servers(const test_zk *zk);
int test_zk_port(const test_zk *zk, int server);
/* "zk://" servers "/" and a name never used before: a world of its own. A string of its own for
 * each call, valid to the end of the process. */
const char *test_zk_url(const test_zk *zk);

/* The same on a server shared by all test programs, where the environment names one
 * (AVOUT_TEST_ZOOKEEPER=host:port); else on one started for this process at the first call. */
const char *test_zk_shared_url(void);

void test_zk_kill(test_zk *zk, int server);   /* SIGKILL, and waits for its end */
void test_zk_stop(test_zk *zk, int server);   /* SIGTERM, and waits for its end */
void test_zk_pause(test_zk *zk, int server);  /* SIGSTOP: accepts connections, answers nothing */
void test_zk_resume(test_zk *zk, int server); /* SIGCONT */
/* Starts a killed one again, on its port and with its data; does not wait until it serves. */
void test_zk_restart(test_zk *zk, int server);
/* Waits until the server serves. */
void test_zk_wait(test_zk *zk, int server);
/* Number of the server that leads (a single one: 0); waits until there is one. */
int test_zk_leader(test_zk *zk);
/* What the server answers to a four letter command ("srvr", "cons", "wchp" ...), cut at size - 1;
 * false when it does not answer within two seconds. */
bool test_zk_ask(const test_zk *zk, int server, const char *command, char *answer, size_t size);

#endif
