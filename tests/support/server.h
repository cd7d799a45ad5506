/* Real servers for tests: what their fixtures share. A fixture says with which command its server is
 * started; here it gets a free loopback port, a directory of its own in the test's, a log, and an end.
 * Servers are in the test's process group and die with the thread that started them (start them on the
 * test's main thread), however it ends.
 *
 *     static const test_server_kind kind = {"Redis", command, NULL};
 *     test_server *server = test_server_start(&kind);
 *
 * tests/support/mongodb.c is the smallest one. */
#ifndef TESTS_SUPPORT_SERVER_H
#define TESTS_SUPPORT_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "support/await.h"

enum { TEST_SERVER_ARGUMENTS = 24, TEST_SERVER_TEXT = 512 };

/* The command that starts a server: arguments are added one by one, as printf does. */
typedef struct test_command {
    char *arguments[TEST_SERVER_ARGUMENTS + 1];
    char texts[TEST_SERVER_ARGUMENTS][TEST_SERVER_TEXT];
    int count;
} test_command;
void test_command_add(test_command *command, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

typedef struct test_server test_server;

typedef struct test_server_kind {
    const char *name; /* for messages */
    /* Fills in the command (found in PATH); may also write files into the directory. Skips the test
     * where there is no such server. */
    void (*command)(test_command *command, const char *directory, int port);
    bool (*serves)(const test_server *server); /* NULL: when it accepts connections */
    /* It has several processes, with their working directories in its own: all are killed and paused. */
    bool has_processes;
} test_server_kind;

/* Starts one and waits until it serves; fails the test, with the end of the log, when it does not. */
test_server *test_server_start(const test_server_kind *kind);
/* Kills and frees. Not needed at a test's end. NULL is accepted. */
void test_server_end(test_server *server);

int test_server_port(const test_server *server);
const char *test_server_directory(const test_server *server);

/* A text of its own for each call, kept to the end of the process: addresses, mostly. */
const char *test_server_text(const char *format, ...) __attribute__((format(printf, 1, 2)));

void test_server_kill(test_server *server);   /* SIGKILL, and waits for its end */
void test_server_pause(test_server *server);  /* SIGSTOP: accepts connections, answers nothing */
void test_server_resume(test_server *server); /* SIGCONT */
/* Starts a killed one again, on its port and with its files; does not wait until it serves. */
void test_server_restart(test_server *server);
void test_server_wait(test_server *server); /* until it serves */

/* ---- pieces, for fixtures of another shape --------------------------------------------------------- */

bool test_in_path(const char *program);
/* A port of the loopback interface that is free, and is not given to outgoing connections. */
int test_free_port(void);
/* A port where connections are taken, as by a stopped server's kernel, and nothing is ever answered; or
 * (not `listening`) refused. It stays so to the end of the process. */
int test_silent_port(bool listening);
/* A connection to a port of the loopback interface; -1: nobody accepts. */
int test_connect(int port);
/* A socket that listens on a free port of it. */
int test_listen(int *port);
double test_seconds(void);
void test_write_file(const char *directory, const char *name, const char *text);
/* Runs the command with its output in the file `log` of the directory. */
pid_t test_spawn(const char *directory, char *const arguments[]);
/* The end of that file. */
const char *test_log_tail(char *buffer, size_t size, const char *directory);
/* SIGSTOP, and waits until all of its threads stand. */
void test_stop_process(pid_t pid);

#endif
