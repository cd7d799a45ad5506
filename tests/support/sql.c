#include "support/sql.h"

#include <stdio.h>

#include "support/test.h"

PGconn *sql_open(const test_server *server)
{
    PGconn *pg = PQconnectdb(
        test_server_text("postgresql://postgres@127.0.0.1:%d/postgres", test_server_port(server)));
    if (PQstatus(pg) != CONNECTION_OK)
        test_failed(__FILE__, __LINE__, "connecting: %s", PQerrorMessage(pg));
    return pg;
}

static PGresult *run(PGconn *pg, const char *sql)
{
    PGresult *result = PQexec(pg, sql);
    ExecStatusType status = PQresultStatus(result);
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
        test_failed(__FILE__, __LINE__, "%s: %s", sql, PQerrorMessage(pg));
    return result;
}

void sql_run(PGconn *pg, const char *sql)
{
    PQclear(run(pg, sql));
}

const char *sql_ask(PGconn *pg, const char *sql)
{
    static char answer[200];
    PGresult *result = run(pg, sql);
    if (PQntuples(result) != 1)
        test_failed(__FILE__, __LINE__, "%s: %d rows", sql, PQntuples(result));
    snprintf(answer, sizeof answer, "%s",
             PQgetisnull(result, 0, 0) ? "NULL" : PQgetvalue(result, 0, 0));
    PQclear(result);
    return answer;
}
