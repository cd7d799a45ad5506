/* A real Redis server for tests, that syncs each write. */
#ifndef TESTS_SUPPORT_REDIS_H
#define TESTS_SUPPORT_REDIS_H

#include "support/server.h"

/* Skips the test where there is none. */
test_server *test_redis_start(void);
/* The same without a file: what it confirms is in memory only. */
test_server *test_redis_start_forgetful(void);
/* The same with TLS and nothing else, certificates (support/certificates.h) for its names in its directory, and
 * one user: ann, "open%sesame". asks_clients: they need a certificate, too. */
test_server *test_redis_start_tls(const char *names, bool asks_clients);
const char *test_redis_place(const test_server *server, const char *prefix);

#endif
