/* The PostgreSQL container on a real server: the contract, what SQL sees, values of any size and kind, and
 * addresses.
 * Test-tags: threads */

#include "avout/edn.h"
#include "avout/postgres.h"
#include "support/postgres.h"
#include "support/sql.h"

#define DATABASE_CONTAINER avout_postgres_container

static test_server *database_start(void)
{
    return test_postgres_start();
}

static const char *database_place(const test_server *server, const char *name)
{
    return test_postgres_place(server, name);
}

#include "suites/database.c"

/* ---- SQL ----------------------------------------------------------------------------------------------- */

TEST(rows_can_be_queried)
{
    test_server *server = test_postgres_start();
    avout_versioned_container *c = open_at(test_postgres_place(server, "people"));
    CHECK_CONTAINS("127.0.0.1:", c->place);
    CHECK_CONTAINS("/postgres.people", c->place);
    CHECK(!strchr(c->place, '@'));
    set(c, "ann-1", "{:name \"Ann\" :age 42}");
    set(c, "ben-1", "{:name \"Ben\" :age 7N :state :asleep :tags #{\"y\"}}");
    PGconn *pg = sql_open(server);
    CHECK_TEXT("ann-1", sql_ask(pg, "SELECT version FROM people WHERE doc->>'name' = 'Ann'"));
    CHECK_TEXT("ann-1", sql_ask(pg, "SELECT version FROM people WHERE (doc->'age')::int > 10"));
    CHECK_TEXT("ben-1",
               sql_ask(pg, "SELECT version FROM people WHERE doc @> '{\"tags\":[\"y\"]}'"));
    CHECK_TEXT("{:name \"Ann\", :age 42}",
               sql_ask(pg, "SELECT edn FROM people WHERE version='ann-1'"));
    CHECK_TEXT("t", sql_ask(pg, "SELECT bool_and(written <= now()) FROM people"));
    PQfinish(pg);
    c->ops->close(c);
}

/* What jsonb cannot hold is there all the same. */
TEST(what_jsonb_cannot_hold_is_kept_as_text)
{
    test_server *server = test_postgres_start();
    avout_versioned_container *c = open_at(test_postgres_place(server, "odd"));
    PGconn *pg = sql_open(server);
    static const char *const odd[] = {"\"a\\u0000b\"", "{\"\\u0000\" 1}", "[1 {:a \\u0000}]",
                                      "[\"\\\\\\u0000\" \\\\ \"\\u0000\\u0000\"]"};
    for (int i = 0; i < 4; i++) {
        avout_value value = test_edn(odd[i]);
        CHECK_OK(c->ops->set_state_at(c, "odd-1", value, TIMEOUT_MS));
        check_value(c, "odd-1", value);
        CHECK_TEXT("NULL", sql_ask(pg, "SELECT doc FROM odd"));
        CHECK_OK(c->ops->delete_state_at(c, "odd-1", TIMEOUT_MS));
        avout_release(value);
    }
    char deep[20001];
    memset(deep, '[', 10000);
    memset(deep + 10000, ']', 10000);
    deep[20000] = '\0';
    /* For connections from now on. */
    sql_run(pg, "ALTER ROLE postgres SET max_stack_depth = '100kB'");
    c->ops->close(c);
    c = open_at(test_postgres_place(server, "odd"));
    avout_edn_read_options any_depth = {.max_depth = 20000};
    avout_value value;
    CHECK_OK(avout_edn_read(&value, deep, 20000, &any_depth, NULL));
    CHECK_OK(c->ops->set_state_at(c, "odd-1", value, TIMEOUT_MS));
    CHECK_TEXT("20000", sql_ask(pg, "SELECT length(edn) FROM odd"));
    CHECK_TEXT("NULL", sql_ask(pg, "SELECT doc FROM odd"));
    avout_release(value);
    PQfinish(pg);
    c->ops->close(c);
}

TEST(the_default_table_is_avout)
{
    test_server *server = test_postgres_start();
    PGconn *pg = sql_open(server);
    avout_versioned_container *c = open_at(test_server_text(
        "host=127.0.0.1 port = %d user='postgres' dbname='postgres'", test_server_port(server)));
    CHECK_CONTAINS("/postgres.avout", c->place);
    set(c, "a-1", "1");
    CHECK_TEXT("a-1", sql_ask(pg, "SELECT version FROM avout"));
    c->ops->close(c);
    PQfinish(pg);
}

/* Whatever a name has in it is a name. */
TEST(hostile_names_are_names)
{
    test_server *server = test_postgres_start();
    PGconn *pg = sql_open(server);
    sql_run(pg, "CREATE SCHEMA \"my \"\"schema\"");
    int port = test_server_port(server);
    const char *const places[] = {
        test_postgres_place(server, "x%22;DROP%20TABLE%20victim;--"),
        test_postgres_place(server, "my%20%22schema.%25s%22"),
        test_server_text("host=127.0.0.1 port=%d user=postgres table='x''", port),
        test_server_text("host=127.0.0.1 port=%d user=postgres table='a \\'\\\\b' pool_size=2",
                         port),
        test_postgres_place(server, "Select"),
        test_postgres_place(server,
                            "n23456789012345678901234567890123456789012345678901234567890123"),
    };
    sql_run(pg, "CREATE TABLE victim ()");
    for (int i = 0; i < 6; i++) {
        if (i == 2) continue; /* see what_is_no_address_is_refused */
        avout_versioned_container *c = open_at(places[i]);
        avout_value value = avout_int(i);
        set(c, "v-1", test_server_text("%d", i));
        check_value(c, "v-1", value);
        c->ops->close(c);
    }
    CHECK_TEXT("5",
               sql_ask(pg, "SELECT count(*) FROM pg_tables WHERE tablename NOT LIKE 'victim' AND "
                           "schemaname IN ('public', 'my \"schema')"));
    CHECK_TEXT("0", sql_ask(pg, "SELECT count(*) FROM victim"));
    CHECK_TEXT("1",
               sql_ask(pg, "SELECT count(*) FROM pg_tables WHERE schemaname = 'my \"schema' AND "
                           "tablename = '%s\"'"));
    CHECK_TEXT("1", sql_ask(pg, "SELECT count(*) FROM pg_tables WHERE tablename = 'a ''\\b'"));
    PQfinish(pg);
}

/* ---- listings ---------------------------------------------------------------------------------------- */

typedef struct names {
    int count, pages_tenth;
    char last[AVOUT_VERSION_MAX + 1];
} names;

static avout_status note_name(const char *version, void *payload)
{
    names *seen = payload;
    CHECK(strcmp(version, seen->last) > 0);
    snprintf(seen->last, sizeof seen->last, "%s", version);
    return ++seen->count == seen->pages_tenth ? AVOUT_ECANCELLED : AVOUT_OK;
}

TEST(thousands_of_versions_are_listed_in_pages)
{
    test_server *server = test_postgres_start();
    avout_versioned_container *c = open_at(test_postgres_place(server, "many"));
    PGconn *pg = sql_open(server);
    sql_run(
        pg,
        "INSERT INTO many SELECT 'v-' || n, gen_random_uuid(), '1' FROM generate_series(1,3000) n");
    sql_run(pg,
            "INSERT INTO many SELECT v, gen_random_uuid(), '1' FROM unnest(ARRAY['', 'Not', 'a b', "
            "'z_', repeat('a', 80)]) v");
    names seen = {.count = 0};
    CHECK_OK(c->ops->list_versions(c, note_name, &seen, TIMEOUT_MS));
    CHECK_INT(3000, seen.count);
    seen = (names){.pages_tenth = 1500};
    CHECK_STATUS(AVOUT_ECANCELLED, c->ops->list_versions(c, note_name, &seen, TIMEOUT_MS));
    CHECK_INT(1500, seen.count);
    sql_run(
        pg,
        "DELETE FROM many WHERE version IN (SELECT 'v-' || n FROM generate_series(1001,3000) n)");
    seen = (names){.count = 0};
    CHECK_OK(c->ops->list_versions(c, note_name, &seen, TIMEOUT_MS));
    CHECK_INT(1000, seen.count);
    PQfinish(pg);
    c->ops->close(c);
}

TEST(foreign_rows_and_tables_are_reported)
{
    test_server *server = test_postgres_start();
    avout_versioned_container *c = open_at(test_postgres_place(server, "ours"));
    PGconn *pg = sql_open(server);
    avout_value value;
    sql_run(pg, "INSERT INTO ours VALUES ('v-1', gen_random_uuid(), E'{:a\\n 1 :b}')");
    CHECK_STATUS(AVOUT_EDATA, c->ops->get_state_at(&value, c, "v-1", TIMEOUT_MS));
    CHECK_CONTAINS("line 2", avout_error_detail());
    c->ops->close(c);
    sql_run(pg, "CREATE TABLE theirs (version text, edn text)");
    CHECK_OK(avout_postgres_container(&c, test_postgres_place(server, "theirs")));
    CHECK_STATUS(AVOUT_EFORMAT, c->ops->init(c, TIMEOUT_MS));
    CHECK_CONTAINS("put", avout_error_detail());
    c->ops->close(c);
    sql_run(pg, "CREATE UNLOGGED TABLE fleeting (LIKE ours)");
    CHECK_OK(avout_postgres_container(&c, test_postgres_place(server, "fleeting")));
    CHECK_STATUS(AVOUT_ENOTSUP, c->ops->init(c, TIMEOUT_MS));
    c->ops->close(c);
    sql_run(pg, "CREATE DATABASE latin ENCODING LATIN1 TEMPLATE template0");
    CHECK_OK(avout_postgres_container(
        &c, test_server_text("postgres://postgres@127.0.0.1:%d/latin", test_server_port(server))));
    CHECK_STATUS(AVOUT_ENOTSUP, c->ops->init(c, TIMEOUT_MS));
    CHECK_CONTAINS("LATIN1", avout_error_detail());
    c->ops->close(c);
    PQfinish(pg);
}

/* ---- addresses ----------------------------------------------------------------------------------------- */

TEST(what_is_no_address_is_refused)
{
    check_refused(NULL);
    check_refused("127.0.0.1:5432");
    check_refused("redis://127.0.0.1/");
    check_refused("postgres://user:sesame@host:port/db");
    check_refused("postgres://user:ses@sesame@host/db");
    check_refused("postgres://user:1234/sesame@host/db");
    check_refused("postgres://user:sesame%zz@host/db");
    check_refused("postgres://user:sesame@host/db?nonsense=sesame");
    check_refused("postgres://user:sesame@host/db?table=");
    check_refused("postgres://user:sesame@host/db?table=a.");
    check_refused("postgres://user:sesame@host/db?table=.a");
    check_refused("postgres://user:sesame@host/db?table=a.b.c");
    check_refused("postgres://user:sesame@host/db?table=%zz");
    check_refused("postgres://user:sesame@host/db?table=%00");
    check_refused("postgres://user:sesame@host/db?table="
                  "n234567890123456789012345678901234567890123456789012345678901234");
    check_refused("postgres://user:sesame@host/db?pool_size=0");
    check_refused("postgres://user:sesame@host/db?pool_size=1001");
    check_refused("postgres://user:sesame@host/db?pool_size=many");
    check_refused("host=h password = 'sesame");
    check_refused("host=h table='x''' password=sesame sesame");
    check_refused("password=open sesame");
}

TEST(parameters_of_ours_are_found_anywhere)
{
    static const struct {
        const char *place, *shown;
    } cases[] = {
        {"postgres://h?table=a", "h:5432/u.a"},
        {"postgres://h/d?table=a.b&sslmode=disable", "h:5432/d.a.b"},
        {"postgres://h/d?sslmode=disable&table=a&connect_timeout=3", "h:5432/d.a"},
        {"postgres://u:p?table=x@h:1,i:2/d?pool_size=3&table=%61", "h,i:1,2/d.a"},
        {"postgresql:///d?host=/run/pg&table=a", "/run/pg:5432/d.a"},
        {"host=h table=a dbname=d", "h:5432/d.a"},
        {"host = h table = 'a b' dbname = d", "h:5432/d.a b"},
        {"password='table=x' host=h dbname='d' table=a\\ b", "h:5432/d.a b"},
    };
    setenv("PGUSER", "u", 1);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        avout_versioned_container *c;
        CHECK_OK(avout_postgres_container(&c, cases[i].place));
        if (i) CHECK_TEXT(cases[i].shown, c->place);
        c->ops->close(c);
    }
}

/* Nothing is written anywhere, and details show no password, whatever fails. */
TEST(passwords_are_never_shown)
{
    test_server *server = test_postgres_start();
    PGconn *pg = sql_open(server);
    sql_run(pg, "CREATE ROLE ann LOGIN PASSWORD 'open sesame'");
    int port = test_server_port(server);
    char details[4][512];
    avout_versioned_container *c[4];
    const char *const places[] = {
        test_server_text("postgres://ann:sesame@127.0.0.1:%d/postgres", port),
        test_server_text("postgres://ann@127.0.0.1:%d/postgres", port),
        test_server_text("postgres://ann:open%%20sesame@127.0.0.1:%d/postgres", port),
        test_server_text("postgres://ann:open%%20sesame@127.0.0.1:%d/open%%20sesame", port)};
    static const avout_status expected[] = {AVOUT_EAUTH, AVOUT_EAUTH, AVOUT_EPERM, AVOUT_EIO};
    avout_status got[4];
    output printed = output_keep();
    for (int i = 0; i < 4; i++) {
        got[i] = avout_postgres_container(&c[i], places[i]);
        if (!got[i]) got[i] = c[i]->ops->init(c[i], TIMEOUT_MS);
        snprintf(details[i], sizeof details[i], "%s", avout_error_detail());
    }
    CHECK_INT(0, output_back(&printed));
    for (int i = 0; i < 4; i++) {
        if (got[i] != expected[i])
            test_failed(__FILE__, __LINE__, "%d: %s (%s)", i, avout_status_name(got[i]),
                        details[i]);
        CHECK(!strstr(details[i], "sesame"));
        CHECK(!strchr(c[i]->place, '@') && (i == 3 || !strstr(c[i]->place, "sesame")));
        c[i]->ops->close(c[i]);
    }
    CHECK_CONTAINS("ann", details[0]); /* what the server says, with nothing of libpq's around it */
    CHECK(!strstr(details[0], "LOCATION") && !strstr(details[0], "28P01"));
    PQfinish(pg);
}

/* Who may only use the table needs no leave to make one. */
TEST(rights_on_the_table_are_enough)
{
    test_server *server = test_postgres_start();
    PGconn *pg = sql_open(server);
    avout_versioned_container *c = open_at(test_postgres_place(server, "ours"));
    c->ops->close(c);
    sql_run(pg, "CREATE ROLE ben LOGIN");
    const char *place = test_server_text("postgres://ben@127.0.0.1:%d/postgres?table=ours",
                                         test_server_port(server));
    CHECK_OK(avout_postgres_container(&c, place));
    CHECK_STATUS(AVOUT_EPERM, c->ops->init(c, TIMEOUT_MS));
    sql_run(pg, "GRANT SELECT, INSERT, UPDATE, DELETE ON ours TO ben");
    CHECK_OK(c->ops->init(c, TIMEOUT_MS));
    set(c, "v-1", "1");
    CHECK_OK(c->ops->delete_state_at(c, "v-1", TIMEOUT_MS));
    c->ops->close(c);
    PQfinish(pg);
}

/* ---- sessions --------------------------------------------------------------------------------------------- */

/* Whatever the role and the database were given, a write waits for the disk. */
TEST(writes_are_durable_whatever_the_settings_say)
{
    test_server *server = test_postgres_start();
    PGconn *pg = sql_open(server);
    sql_run(pg, "ALTER DATABASE postgres SET synchronous_commit = off");
    sql_run(pg, "CREATE TABLE noted (setting text)");
    avout_versioned_container *c = open_at(test_postgres_place(server, "ours"));
    sql_run(pg, "CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE WARNING "
                "'printed'; INSERT INTO noted VALUES (current_setting('synchronous_commit')); "
                "RETURN NEW; END $$");
    sql_run(pg, "CREATE TRIGGER note BEFORE INSERT ON ours FOR EACH ROW EXECUTE FUNCTION note()");
    output printed = output_keep();
    set(c, "v-1", "1");
    CHECK_INT(0, output_back(&printed));
    CHECK_TEXT("on", sql_ask(pg, "SELECT setting FROM noted"));
    c->ops->close(c);
    sql_run(pg, "ALTER DATABASE postgres SET synchronous_commit = remote_apply");
    sql_run(pg, "DELETE FROM noted");
    c = open_at(test_postgres_place(server, "ours"));
    set(c, "v-2", "1");
    CHECK_TEXT("remote_apply", sql_ask(pg, "SELECT setting FROM noted"));
    c->ops->close(c);
    PQfinish(pg);
}

static int connections_now(PGconn *pg)
{
    return atoi(
        sql_ask(pg, "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'avout'"));
}

TEST(containers_of_one_server_share_their_connections)
{
    test_server *server = test_postgres_start();
    PGconn *pg = sql_open(server);
    avout_versioned_container *c[20];
    for (int i = 0; i < 20; i++) {
        c[i] = open_at(test_postgres_place(server, test_server_text("c%d", i)));
        set(c[i], "v-1", "1");
    }
    CHECK_INT(1, connections_now(pg));
    for (int i = 0; i < 20; i++) c[i]->ops->close(c[i]);
    for (int i = 0; connections_now(pg) > 0; i++) {
        CHECK(i < 500);
        test_pause_ms(10);
    }
    PQfinish(pg);
}
