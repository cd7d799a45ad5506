/* SQL as people use it, on a PostgreSQL server of tests; what fails fails the test. */
#ifndef TESTS_SUPPORT_SQL_H
#define TESTS_SUPPORT_SQL_H

#include <libpq-fe.h>

#include "support/server.h"

PGconn *sql_open(const test_server *server); /* for PQfinish */
void sql_run(PGconn *pg, const char *sql);
/* The one row's first column, until the next call; "NULL" for a null. */
const char *sql_ask(PGconn *pg, const char *sql);

#endif
