/* A TCP proxy in a process of its own that breaks connections: at random bytes, in one direction or
 * both, at once or after having swallowed what came in between. Start it before any client. */
#ifndef TESTS_SUPPORT_PROXY_H
#define TESTS_SUPPORT_PROXY_H

#include <stdint.h>

typedef enum proxy_mode {
    PROXY_PASS,
    PROXY_CHAOS, /* every connection breaks sooner or later */
    PROXY_CUT,   /* none survives, none is made */
} proxy_mode;

typedef struct test_proxy test_proxy;

/* To a port of the loopback interface. It ends with the process that started it. */
test_proxy *proxy_start(int to_port);
int proxy_port(const test_proxy *proxy);
void proxy_set(test_proxy *proxy, proxy_mode mode);
int64_t proxy_broken(const test_proxy *proxy); /* connections so far */

#endif
