/* Beside the PostgreSQL container: one INSERT by libpq, committed synchronously. */
#include <libpq-fe.h>
#include <stdlib.h>
#include <unistd.h>

#include "avout/postgres.h"
#include "container.h"
#include "world.h"

typedef struct raw_postgres {
    PGconn *pg;
    int64_t number;
} raw_postgres;

/* The server does not run as root. */
#define FIND                                                                                       \
    "set -e; cd /; bin=$(ls -d /usr/lib/postgresql/*/bin | tail -n 1); as=; "                      \
    "[ $(id -u) != 0 ] || as='setpriv --reuid=postgres --regid=postgres --clear-groups "           \
    "--pdeathsig=KILL'; "

static const char *start(bench *b, char *place, size_t size)
{
    (void)b;
    const char *world = world_directory();
    char command[4096], log[740], address[32];
    int number = server_free_port();
    if (system("ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1"))
        return "no PostgreSQL server";
    snprintf(command, sizeof command, FIND "[ -z \"$as\" ] || { chmod a+x %s; $as test -x %s/.; }",
             world, world);
    if (system(command))
        return "the server's user may not enter the benchmark's directory (TMPDIR)";
    snprintf(command, sizeof command,
             FIND
             "mkdir %s/postgres; [ -z \"$as\" ] || { chmod a+x %s; chown postgres %s/postgres; }; "
             "$as $bin/initdb -D %s/postgres/data -A trust -U postgres -E UTF8 --locale=C -N "
             ">/dev/null",
             world, world, world, world);
    if (system(command)) fail("initdb failed");
    snprintf(command, sizeof command,
             FIND "exec $as $bin/postgres -D %s/postgres/data -p %d -h 127.0.0.1 -k ''", world,
             number);
    snprintf(log, sizeof log, "%s/postgres.log", world);
    char *shell[] = {(char[]){"sh"}, (char[]){"-c"}, command, NULL};
    child process = child_start(shell, log);
    snprintf(address, sizeof address, "127.0.0.1:%d", number);
    container_await(&process, address, "PostgreSQL");
    snprintf(place, size, "postgresql://postgres@%s/postgres", address);
    return NULL;
}

static void *raw_open(const char *place)
{
    raw_postgres *raw = need_memory(sizeof *raw);
    raw->pg = PQconnectdb(place);
    PGresult *made = PQexec(raw->pg, "CREATE TABLE raw (version text PRIMARY KEY, value text)");
    if (PQresultStatus(made) != PGRES_COMMAND_OK) fail("libpq: %s", PQerrorMessage(raw->pg));
    PQclear(made);
    return raw;
}

static void raw_write(void *payload)
{
    raw_postgres *raw = payload;
    char version[80], value[24];
    snprintf(version, sizeof version, "0123456789abcdef-0123456789abcdef0123456789abcdef-%llx",
             (unsigned long long)++raw->number);
    snprintf(value, sizeof value, "%lld", (long long)raw->number);
    PGresult *done = PQexecParams(raw->pg, "INSERT INTO raw VALUES ($1, $2)", 2, NULL,
                                  (const char *[]){version, value}, NULL, NULL, 0);
    if (PQresultStatus(done) != PGRES_COMMAND_OK) fail("libpq: %s", PQerrorMessage(raw->pg));
    PQclear(done);
}

static void raw_close(void *payload)
{
    raw_postgres *raw = payload;
    PQfinish(raw->pg);
    free(raw);
}

const container_kind container_postgres = {"postgres", start,     avout_postgres_container,
                                           raw_open,   raw_write, raw_close};
