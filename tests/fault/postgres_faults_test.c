/* tests/suites/database_faults.c on PostgreSQL, and what only PostgreSQL can do.
 * Test-tags: threads waits */
#include "avout/postgres.h"
#include "support/impostor.h"
#include "support/postgres.h"
#include "support/sql.h"
#include "support/suite.h"

#define DATABASE_KIND "postgres"
#define DATABASE_PLACE "/postgres.faults"
#define DATABASE_ONE "pool_size=1"
#define DATABASE_SOON "connect_timeout=1"
#define DATABASE_SETS "INSERT"

/* To a request for TLS: no, and then of a message of 2 GB; one that is half; a password asked for in a way
 * that does not exist; a failure without an end. */
static const impostor_answer database_nonsense[] = {
    {"NR\x7f\xff\xff\xff\0\0\0\0", 10},
    {"NR\0\0\0\x08\0\0", 8},
    {"NR\0\0\0\x08\0\0\0\x63", 10},
    {"NE\0\0\0\x20SFATAL\0C28", 15},
};

__attribute__((constructor)) static void use(void)
{
    suite_use(suite_mem_url);
}

static test_server *database_start(void)
{
    return test_postgres_start();
}

static avout_status database_open(avout_versioned_container **container, int port,
                                  const char *options)
{
    return avout_postgres_container(
        container,
        test_server_text("postgresql://postgres:sesame@127.0.0.1:%d/postgres?table=faults&%s", port,
                         strcmp(options, "password") ? options : "sslmode=prefer"));
}

#include "suites/database_faults.c"

/* ---- PostgreSQL's own -------------------------------------------------------------------------------------- */

TEST(failures_of_the_server_are_told_as_what_they_are)
{
    static const struct {
        const char *code;
        avout_status status;
    } cases[] = {
        {"53100", AVOUT_ENOSPACE},    {"42501", AVOUT_EPERM},      {"54000", AVOUT_ELIMIT},
        {"22P02", AVOUT_EIO},         {"57014", AVOUT_ETIMEOUT},   {"0A000", AVOUT_ENOTSUP},
        {"28000", AVOUT_EAUTH},       {"XX001", AVOUT_EDATA},      {"P0001", AVOUT_EIO},
        {"53300", AVOUT_ECONNECTION}, {"40001", AVOUT_ECONNECTION}};
    test_server *server = database_start();
    avout_versioned_container *c = open_at(test_server_port(server), "");
    PGconn *pg = sql_open(server);
    sql_run(pg, "CREATE TABLE wanted (code text)");
    sql_run(pg, "INSERT INTO wanted VALUES ('')");
    sql_run(pg,
            "CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION "
            "'as asked' USING ERRCODE = (SELECT code FROM wanted); END $$");
    sql_run(pg, "CREATE TRIGGER fail BEFORE INSERT ON faults FOR EACH ROW EXECUTE FUNCTION fail()");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        sql_run(pg, test_server_text("UPDATE wanted SET code = '%s'", cases[i].code));
        avout_status status = set_int(c, "v-1", 1, 200);
        /* What may go over is tried again, and the time may be over in the middle of a try. */
        if (cases[i].status == AVOUT_ECONNECTION && status == AVOUT_ETIMEOUT) continue;
        CHECK_STATUS(cases[i].status, status);
        CHECK_TEXT("as asked", avout_error_detail());
    }
    sql_run(pg, "DROP TRIGGER fail ON faults");
    CHECK_OK(set_int(c, "v-1", 1, TIMEOUT_MS));
    PQfinish(pg);
    c->ops->close(c);
}

/* Neither the caller nor the server goes on with what has taken too long. */
TEST(a_locked_table_ends_in_time_on_both_sides)
{
    test_server *server = database_start();
    avout_versioned_container *c = open_at(test_server_port(server), "");
    PGconn *pg = sql_open(server), *other = sql_open(server);
    sql_run(pg, "BEGIN");
    sql_run(pg, "LOCK TABLE faults");
    check_calls_end(c, 200);
    static const char busy[] = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND "
                               "application_name = 'avout'";
    for (int i = 0; strcmp(sql_ask(other, busy), "0"); i++) {
        CHECK(i < 500);
        test_pause_ms(10);
    }
    sql_run(pg, "ROLLBACK");
    CHECK_INT(-1, get_int(c, "late-1"));
    PQfinish(other);
    PQfinish(pg);
    c->ops->close(c);
}

#define WAITING "pg_stat_activity WHERE wait_event = 'SyncRep'"

/* Until one waits for its standby. */
static void await_waiting(PGconn *pg)
{
    for (int i = 0; strcmp(sql_ask(pg, "SELECT count(*) FROM " WAITING), "1"); i++) {
        CHECK(i < 500);
        test_pause_ms(10);
    }
}

static _Atomic int confirmed;

static void *set_many(void *container)
{
    while (!atomic_load(&done)) {
        char name[32];
        snprintf(name, sizeof name, "v-%d", atomic_load(&confirmed));
        CHECK_OK(set_int(container, name, 1, TIMEOUT_MS));
        atomic_fetch_add(&confirmed, 1);
    }
    return NULL;
}

/* The server calls it done, with a warning, when somebody ends the wait for its standby. Nor does it count
 * what the server is told of commits when we are connected. */
TEST(a_write_that_no_standby_has_confirmed_is_not_called_done)
{
    test_server *server = database_start();
    avout_versioned_container *c = open_at(test_server_port(server), "");
    PGconn *pg = sql_open(server);
    pthread_t thread;
    atomic_store(&done, false);
    sql_run(pg, "ALTER SYSTEM SET synchronous_commit = off");
    sql_run(pg, "ALTER SYSTEM SET synchronous_standby_names = 'nobody'");
    sql_run(pg, "SELECT pg_reload_conf()");
    CHECK(!pthread_create(&thread, NULL, set_many, c));
    await_waiting(pg);
    int before = atomic_load(&confirmed);
    for (int i = 0; i < 3; i++) {
        sql_run(pg, "SELECT pg_cancel_backend(pid) FROM " WAITING);
        test_pause_ms(100);
        await_waiting(pg);
    }
    CHECK_INT(before, atomic_load(&confirmed));
    atomic_store(&done, true);
    sql_run(pg, "ALTER SYSTEM RESET synchronous_standby_names");
    sql_run(pg, "SELECT pg_reload_conf()");
    pthread_join(thread, NULL);
    PQfinish(pg);
    c->ops->close(c);
}

TEST(connections_that_the_server_ended_are_made_again)
{
    test_server *server = database_start();
    avout_versioned_container *c = open_at(test_server_port(server), "");
    PGconn *pg = sql_open(server);
    for (int i = 0; i < 5; i++) {
        char name[32];
        snprintf(name, sizeof name, "v-%d", i);
        sql_run(pg, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE "
                    "application_name = 'avout'");
        CHECK_OK(set_int(c, name, i, TIMEOUT_MS));
        CHECK_INT(i, get_int(c, name));
    }
    PQfinish(pg);
    c->ops->close(c);
}

/* A standby, or what was the primary, answers nothing: it would not know what is there. */
TEST(only_servers_that_take_writes_are_asked)
{
    test_server *server = database_start();
    avout_versioned_container *c;
    PGconn *pg = sql_open(server);
    int port = test_server_port(server);
    CHECK_OK(avout_postgres_container(
        &c, test_server_text("host=127.0.0.1,127.0.0.1 port=%d,%d user=postgres table=faults",
                             test_silent_port(true), port)));
    CHECK_OK(c->ops->init(c, TIMEOUT_MS));
    CHECK_OK(set_int(c, "v-1", 1, TIMEOUT_MS));
    c->ops->close(c);
    sql_run(pg, "ALTER DATABASE postgres SET default_transaction_read_only = on");
    CHECK_OK(database_open(&c, port, ""));
    check_calls_end(c, 200);
    sql_run(pg, "SET default_transaction_read_only = off");
    sql_run(pg, "ALTER DATABASE postgres RESET default_transaction_read_only");
    CHECK_INT(1, get_int(c, "v-1"));
    PQfinish(pg);
    c->ops->close(c);
}
