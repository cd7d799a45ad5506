/* Waiting for what happens elsewhere, on another thread or in another process: for the thing itself, looked at
 * again and again until it is there, never for a time in which it should have happened. The test ends when a
 * wait takes 20 s. */
#ifndef TESTS_SUPPORT_AWAIT_H
#define TESTS_SUPPORT_AWAIT_H

#include <stdatomic.h>
#include <stdint.h>

#define TEST_AWAIT(condition)                                                                      \
    do {                                                                                           \
        int64_t until_ = test_patience_ns();                                                       \
        while (!(condition)) test_look_again(until_, __FILE__, __LINE__, #condition);              \
    } while (0)

/* The time at which patience that begins now ends. */
int64_t test_patience_ns(void);
/* A moment (0.1 ms) between two looks. */
void test_look_again(int64_t until_ns, const char *file, int line, const char *condition);

/* For chance, and where time itself is what is tested. */
void test_pause_us(int64_t us);
void test_pause_ms(int ms);

/* Where nothing tells that a thread waits, the kernel knows that it sleeps. */

/* The number of the calling thread. */
int test_task(void);
/* Waits until *task is set (from 0, by the thread itself) and that thread sleeps at several looks in a row: then
 * it waits. The test ends, too, when the thread ends instead, unless it has set *task to -1 before. */
void test_await_asleep(const _Atomic int *task);

#endif
