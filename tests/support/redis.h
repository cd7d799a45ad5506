/* A real Redis server for tests, that syncs each write. */
#ifndef TESTS_SUPPORT_REDIS_H
#define TESTS_SUPPORT_REDIS_H

#include "support/server.h"

/* Skips the test where there is none. */
test_server *test_redis_start(void);
/* The same without a file: what it confirms is in memory only. */
test_server *test_redis_start_forgetful(void);
const char *test_redis_place(const test_server *server, const char *prefix);

#endif
