/* The tests' frame. A test program is one file x_test.c with TEST(name) { ... } blocks; each test
 * runs in a process of its own with a time limit, and the program prints TAP.
 *
 *     x_test                 all tests of the program
 *     x_test name ...        those only
 *     x_test --list          their names
 *     x_test --here name     in this process, without limit: for a debugger
 *
 * A line `Test-tags: ...` in the file's first comment tells the runner more:
 *
 *     serial    while no other program runs
 *     slow      takes long: started first, and not run with sanitizers
 *     waits     takes long and mostly waits: run beside others from the beginning
 *     threads   run with the thread sanitizer too (so is a file that names pthread_...)
 *     single    not run with the thread sanitizer
 */
#ifndef TESTS_SUPPORT_TEST_H
#define TESTS_SUPPORT_TEST_H

#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "avout/status.h"

typedef struct test_case {
    const char *name;
    void (*run)(void);
    int seconds;
    struct test_case *next;
} test_case;

void test_register(test_case *test);

#define TEST(name) TEST_WITHIN(name, 60)
/* A test with a time limit of its own, in seconds. Sanitizer builds get four times as long. */
#define TEST_WITHIN(name_, seconds_)                                                               \
    static void test_##name_(void);                                                                \
    static test_case case_##name_ = {#name_, test_##name_, seconds_, NULL};                        \
    __attribute__((constructor)) static void register_##name_(void)                                \
    {                                                                                              \
        test_register(&case_##name_);                                                              \
    }                                                                                              \
    static void test_##name_(void)

/* Ends the test's process as failed, with file, line and message. */
_Noreturn void test_failed(const char *file, int line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Ends it as skipped: only where the machine cannot run it, never to hide a failure. */
_Noreturn void test_skip(const char *format, ...) __attribute__((format(printf, 1, 2)));

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) test_failed(__FILE__, __LINE__, "%s", #condition);                       \
    } while (0)
#define CHECK_OK(call) CHECK_STATUS(AVOUT_OK, call)
#define CHECK_STATUS(expected, call)                                                               \
    do {                                                                                           \
        avout_status got_ = (call);                                                                \
        if (got_ != (expected))                                                                    \
            test_failed(__FILE__, __LINE__, "%s: %s (%s), expected %s", #call,                     \
                        avout_status_name(got_), avout_error_detail(),                             \
                        avout_status_name(expected));                                              \
    } while (0)
#define CHECK_INT(expected, expression)                                                            \
    do {                                                                                           \
        int64_t want_ = (int64_t)(expected), got_ = (int64_t)(expression);                         \
        if (want_ != got_)                                                                         \
            test_failed(__FILE__, __LINE__, "%s is %" PRId64 ", expected %" PRId64, #expression,   \
                        got_, want_);                                                              \
    } while (0)
#define CHECK_TEXT(expected, expression)                                                           \
    do {                                                                                           \
        const char *want_ = (expected), *got_ = (expression);                                      \
        if (!got_ || strcmp(want_, got_))                                                          \
            test_failed(__FILE__, __LINE__, "%s is \"%s\", expected \"%s\"", #expression,          \
                        got_ ? got_ : "(null)", want_);                                            \
    } while (0)
/* For the detail of the last error and the like. */
#define CHECK_CONTAINS(part, expression)                                                           \
    do {                                                                                           \
        const char *part_ = (part), *got_ = (expression);                                          \
        if (!got_ || !strstr(got_, part_))                                                         \
            test_failed(__FILE__, __LINE__, "%s is \"%s\", expected to contain \"%s\"",            \
                        #expression, got_ ? got_ : "(null)", part_);                               \
    } while (0)

/* A new empty directory, removed when the test's process has ended, however it ended. Static. */
const char *test_directory(void);

/* Runs `call` with allocation n failing for n = 0, 1, 2 ... until it runs through without a failure
 * injected. `call` answers a status: AVOUT_ENOMEM while one failed. Checks that no block is left
 * each time `call` returns. */
void test_each_allocation_fails(avout_status (*call)(void *payload), void *payload);

#endif
