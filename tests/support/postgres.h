/* A real PostgreSQL server for tests, of Debian's package or in PATH. Its superuser is `postgres` and needs
 * no password; every role named `ann` needs one. Killed, it takes its processes along before it is started
 * again. */
#ifndef TESTS_SUPPORT_POSTGRES_H
#define TESTS_SUPPORT_POSTGRES_H

#include "support/server.h"

/* Skips the test where there is none. */
test_server *test_postgres_start(void);
/* The same, also with TLS, for 127.0.0.1, and certificates (support/certificates.h) in its directory. */
test_server *test_postgres_start_tls(void);
/* The address of a table there; kept to the process's end. */
const char *test_postgres_place(const test_server *server, const char *table);

#endif
