/* A real MongoDB server for tests: `mongod`, where the machine has one, else FerretDB, which speaks its
 * protocol and keeps the documents in SQLite (tests/ferretdb, built by make). */
#ifndef TESTS_SUPPORT_MONGODB_H
#define TESTS_SUPPORT_MONGODB_H

#include "support/server.h"

/* Skips the test where there is neither. */
test_server *test_mongo_start(void);
/* With TLS and nothing else, for 127.0.0.1, certificates (support/certificates.h) in its directory, as the one
 * member of the replica set rs0, and to one user alone: ann, "open sesame". */
test_server *test_mongo_start_guarded(void);
/* "mongodb://127.0.0.1:PORT/test.NAME". A string of its own for each call, valid to the end of the
 * process. */
const char *test_mongo_place(const test_server *server, const char *name);

#endif
