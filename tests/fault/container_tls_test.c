/* Containers on servers that want TLS and a password: who has the right authority and password gets in; with
 * another authority, another host name or another password a ref is refused with a status and a message
 * that names the container, and has nothing secret in it.
 * Test-tags: single */
#include <pthread.h>
#include <stdlib.h>

#include "avout/http.h"
#include "avout/mongo.h"
#include "avout/postgres.h"
#include "avout/redis.h"
#include "avout/sys/container.h"
#include "support/mongodb.h"
#include "support/postgres.h"
#include "support/proxy.h"
#include "support/redis.h"
#include "support/sql.h"
#include "support/suite.h"
#include "support/webdav.h"

enum { TIMEOUT_MS = 5000, BROKEN_MS = 1000, BREAKS = 30 };

__attribute__((constructor)) static void use(void)
{
    suite_use(suite_mem_url);
}

typedef avout_status open_fn(avout_versioned_container **container, const char *place);

static avout_status open_ref(avout_ref **ref, avout_client *client, open_fn *open,
                             const char *place)
{
    avout_versioned_container *c;
    CHECK_OK(open(&c, place));
    CHECK(!strstr(c->place, "sesame") && !strchr(c->place, '@'));
    return avout_distributed_ref(ref, client, "/far", c, avout_int(0), NULL);
}

static avout_status bump(avout_txn *txn, void *payload)
{
    return avout_alter(txn, payload, suite_plus, &suite_one);
}

static void check_works(open_fn *open, const char *place)
{
    avout_client *client = suite_connect();
    avout_ref *ref;
    CHECK_OK(open_ref(&ref, client, open, place));
    for (int i = 0; i < 3; i++) CHECK_OK(avout_dosync(client, bump, ref, NULL));
    CHECK_INT(3, suite_ref_int(ref));
    avout_ref_close(ref);
    CHECK_OK(avout_destroy(client, "/far"));
    suite_close(client);
}

/* At once: what is refused stays refused. */
static void check_refused(open_fn *open, const char *kind, const char *place, const char *why)
{
    const avout_options within = {.timeout_ms = TIMEOUT_MS};
    avout_client *client = suite_connect_with(&within);
    avout_ref *ref;
    double start = test_seconds();
    CHECK_STATUS(AVOUT_EAUTH, open_ref(&ref, client, open, place));
    CHECK(test_seconds() - start < 4);
    const char *detail = avout_error_detail();
    fprintf(stderr, "# %s\n", detail);
    CHECK_CONTAINS(test_server_text("/far: container %s at ", kind), detail);
    CHECK_CONTAINS(why, detail);
    CHECK(!strstr(detail, "sesame"));
    suite_close(client);
}

/* As on every machine whose administrator has added an authority. */
static void trust(const test_server *server)
{
    unsetenv("CURL_CA_BUNDLE");
    setenv("SSL_CERT_FILE", test_server_text("%s/ca", test_server_directory(server)), 1);
}

/* ---- Redis ---------------------------------------------------------------------------------------------- */

static const char *redis_place(const test_server *server, const char *user, const char *host,
                               const char *files)
{
    return test_server_text("rediss://%s@%s:%d?db=0%s", user, host, test_server_port(server),
                            files);
}

static void refuse_redis(const char *place, const char *why)
{
    check_refused(avout_redis_container, "redis", place, why);
}

TEST(redis_with_certificates_of_both)
{
    test_server *server = test_redis_start_tls("IP:127.0.0.1", true);
    const char *at = test_server_directory(server);
    const char *good =
        test_server_text("&cacert=%s/ca&cert=%s/client&cert_key=%s/client.key", at, at, at);
    check_works(avout_redis_container, redis_place(server, "ann:open%25sesame", "127.0.0.1", good));
    refuse_redis(redis_place(server, "ann:close%25sesame", "127.0.0.1", good), "WRONGPASS");
    refuse_redis(redis_place(server, "ben:open%25sesame", "127.0.0.1", good), "WRONGPASS");
    refuse_redis(redis_place(server, "ann:open%25sesame", "localhost", good), "mismatch");
    refuse_redis(redis_place(server, "ann:open%25sesame", "127.0.0.1",
                             test_server_text("&cacert=%s/stranger", at)),
                 "certificate");
    refuse_redis(redis_place(server, "ann:open%25sesame", "127.0.0.1", ""), "certificate");
    refuse_redis(redis_place(server, "ann:open%25sesame", "127.0.0.1",
                             test_server_text("&cacert=%s/ca", at)),
                 "certificate");
    refuse_redis(redis_place(server, "ann:open%25sesame", "127.0.0.1",
                             test_server_text("&cacert=%s/ca&cert=%s/client&cert_key=%s/ca.key", at,
                                              at, at)),
                 "key");
    refuse_redis(redis_place(server, "ann:open%25sesame", "127.0.0.1",
                             test_server_text("&cacert=%s/none", at)),
                 "cacert");
}

TEST(redis_by_its_name)
{
    test_server *server = test_redis_start_tls("DNS:localhost", false);
    const char *good = test_server_text("&cacert=%s/ca", test_server_directory(server));
    check_works(avout_redis_container, redis_place(server, "ann:open%25sesame", "localhost", good));
    refuse_redis(redis_place(server, "ann:open%25sesame", "127.0.0.1", good), "mismatch");
    trust(server);
    check_works(avout_redis_container, redis_place(server, "ann:open%25sesame", "localhost", ""));
}

static avout_value large_value(void)
{
    size_t size = 5 << 20;
    char *text = malloc(size);
    CHECK(text);
    for (size_t i = 0; i < size; i++) text[i] = (char)('a' + i % 23);
    avout_value value = avout_string_n(text, size);
    free(text);
    return value;
}

/* What is more than goes at once; who hangs up, stops or never shakes hands. */
TEST(redis_in_bad_times)
{
    test_server *server = test_redis_start_tls("DNS:localhost", false);
    avout_value large = large_value(), back;
    avout_versioned_container *c;
    trust(server);
    CHECK_OK(avout_redis_container(&c, redis_place(server, "ann:open%25sesame", "localhost", "")));
    CHECK_OK(c->ops->set_state_at(c, "large-1", large, TIMEOUT_MS));
    CHECK_OK(c->ops->get_state_at(&back, c, "large-1", TIMEOUT_MS));
    CHECK(avout_value_equal(large, back));
    avout_release(back);
    test_server_pause(server);
    CHECK_STATUS(AVOUT_ETIMEOUT, c->ops->set_state_at(c, "large-2", large, 150));
    test_server_kill(server);
    avout_status status = c->ops->set_state_at(c, "large-3", large, 150);
    CHECK(status == AVOUT_ECONNECTION || status == AVOUT_ETIMEOUT); /* in the middle of a try */
    test_server_restart(server);
    CHECK_OK(c->ops->set_state_at(c, "large-4", large, TIMEOUT_MS));
    avout_release(large);
    c->ops->close(c);
    CHECK_OK(avout_redis_container(
        &c, test_server_text("rediss://ann:sesame@127.0.0.1:%d", test_silent_port(true))));
    double start = test_seconds();
    CHECK_STATUS(AVOUT_ETIMEOUT, c->ops->init(c, 150));
    CHECK(test_seconds() - start < 1);
    c->ops->close(c);
}

/* ---- PostgreSQL ------------------------------------------------------------------------------------------- */

static const char *postgres_place(const test_server *server, const char *password, const char *host,
                                  const char *authority)
{
    return test_server_text(
        "postgresql://ann:%s@%s:%d/postgres?sslmode=verify-full&sslrootcert=%s/%s", password, host,
        test_server_port(server), test_server_directory(server), authority);
}

static void refuse_postgres(const char *place, const char *why)
{
    check_refused(avout_postgres_container, "postgres", place, why);
}

static test_server *start_postgres(void)
{
    test_server *server = test_postgres_start_tls();
    PGconn *pg = sql_open(server);
    sql_run(pg, "CREATE ROLE ann LOGIN PASSWORD 'open%sesame'");
    sql_run(pg, "GRANT CREATE ON SCHEMA public TO ann");
    PQfinish(pg);
    return server;
}

TEST(postgres_with_tls_and_a_password)
{
    test_server *server = start_postgres();
    PGconn *pg = sql_open(server);
    check_works(avout_postgres_container,
                postgres_place(server, "open%25sesame", "127.0.0.1", "ca"));
    CHECK_TEXT("1", sql_ask(pg, "SELECT count(*) FROM pg_authid WHERE rolname = 'ann' AND "
                                "rolpassword LIKE 'SCRAM-SHA-256$%'"));
    refuse_postgres(postgres_place(server, "close%25sesame", "127.0.0.1", "ca"), "password");
    refuse_postgres(postgres_place(server, "open%25sesame", "127.0.0.1", "stranger"),
                    "certificate");
    refuse_postgres(postgres_place(server, "open%25sesame", "localhost", "ca"), "host name");
    refuse_postgres(postgres_place(server, "open%25sesame", "127.0.0.1", "none"), "certificate");
    PQfinish(pg);
}

/* As with libpq: others are for a server that is away, not for one that says no. */
TEST(postgres_tries_no_other_host_where_one_refuses)
{
    test_server *server = start_postgres();
    refuse_postgres(test_server_text("host=127.0.0.1,127.0.0.1 port=%d,%d user=ann "
                                     "password=close%%sesame",
                                     test_server_port(server), test_silent_port(false)),
                    "password");
}

static const char *postgres_places(const test_server *server, const char *hosts, int port,
                                   int other)
{
    return test_server_text("host=%s port=%d,%d user=ann password=open%%sesame dbname=postgres "
                            "sslmode=verify-full sslrootcert=%s/ca",
                            hosts, port, other, test_server_directory(server));
}

/* One has a certificate that is not for its name (or too old), which says nothing of the others. */
TEST(postgres_tries_the_others_where_tls_refuses_one)
{
    test_server *server = start_postgres();
    int port = test_server_port(server), nobody = test_silent_port(false);
    check_works(avout_postgres_container,
                postgres_places(server, "localhost,127.0.0.1", port, port));
    refuse_postgres(postgres_places(server, "localhost,localhost", port, port), "host name");
    const char *const away[] = {postgres_places(server, "localhost,127.0.0.1", port, nobody),
                                postgres_places(server, "127.0.0.1,localhost", nobody, port)};
    for (int i = 0; i < 2; i++) {
        avout_versioned_container *c;
        CHECK_OK(avout_postgres_container(&c, away[i]));
        /* It is tried until the time is over, which may be in the middle of a try. */
        avout_status status = c->ops->init(c, TIMEOUT_MS);
        if (status != AVOUT_ETIMEOUT) {
            CHECK_STATUS(AVOUT_ECONNECTION, status);
            CHECK_CONTAINS("127.0.0.1", avout_error_detail());
        }
        c->ops->close(c);
    }
}

/* What is said of it is no word of TLS. */
TEST(postgres_hosts_may_be_called_as_they_like)
{
    avout_versioned_container *c;
    CHECK_OK(avout_postgres_container(&c, "host=certificates.invalid"));
    CHECK_STATUS(AVOUT_ECONNECTION, c->ops->init(c, TIMEOUT_MS));
    CHECK_CONTAINS("certificates.invalid", avout_error_detail());
    c->ops->close(c);
}

/* ---- HTTP --------------------------------------------------------------------------------------------------- */

static const char *http_place(const test_server *server, const char *user, const char *host)
{
    return test_server_text("https://%s%s:%d/secret/", user, host, test_server_port(server));
}

static void refuse_http(const char *place, const char *why)
{
    check_refused(avout_http_container, "http", place, why);
}

TEST(http_with_tls_and_a_password)
{
    test_server *server = test_webdav_start_tls();
    const char *at = test_server_directory(server);
    unsetenv("CURL_CA_BUNDLE");
    setenv("no_proxy", "127.0.0.1,localhost", 1);
    refuse_http(http_place(server, "ann:open%20sesame@", "127.0.0.1"), "certificate");
    setenv("SSL_CERT_FILE", test_server_text("%s/stranger", at), 1);
    refuse_http(http_place(server, "ann:open%20sesame@", "127.0.0.1"), "certificate");
    trust(server);
    check_works(avout_http_container, http_place(server, "ann:open%20sesame@", "127.0.0.1"));
    refuse_http(http_place(server, "ann:open%20sesame@", "localhost"), "certificate");
    refuse_http(http_place(server, "ann:close%20sesame@", "127.0.0.1"), "401");
    refuse_http(http_place(server, "", "127.0.0.1"), "401");
}

/* ---- MongoDB ------------------------------------------------------------------------------------------------ */

static const char *mongo_place(const test_server *server, const char *password, const char *host,
                               const char *authority)
{
    return test_server_text("mongodb://ann:%s@%s:%d/test.tls?authSource=admin&tls=true"
                            "&tlsCAFile=%s/%s",
                            password, host, test_server_port(server), test_server_directory(server),
                            authority);
}

static void refuse_mongo(const char *place, const char *why)
{
    check_refused(avout_mongo_container, "mongo", place, why);
}

TEST(mongo_with_tls_and_a_password)
{
    test_server *server = test_mongo_start_guarded();
    const char *good = mongo_place(server, "open%20sesame", "127.0.0.1", "ca");
    check_works(avout_mongo_container, good);
    check_works(avout_mongo_container, test_server_text("%s&replicaSet=rs0", good));
    refuse_mongo(mongo_place(server, "close%20sesame", "127.0.0.1", "ca"), "uthentication");
    refuse_mongo(mongo_place(server, "open%20sesame", "127.0.0.1", "stranger"), "ertificate");
    refuse_mongo(mongo_place(server, "open%20sesame", "localhost", "ca"), "ertificate");
    refuse_mongo(mongo_place(server, "open%20sesame", "127.0.0.1", "none"), "TLS");
}

/* ---- a network that breaks ------------------------------------------------------------------------------------ */

typedef struct broken {
    open_fn *open;
    const char *place;
    test_proxy *proxy;
    pthread_t thread;
} broken;

/* Wherever a handshake or an answer breaks off: that is no refusal. */
static void *use_broken(void *payload)
{
    broken *b = payload;
    avout_versioned_container *c;
    avout_value value = avout_int(5);
    double start = test_seconds();
    CHECK_OK(b->open(&c, b->place));
    for (int i = 0; proxy_broken(b->proxy) < BREAKS && test_seconds() - start < 6; i++) {
        char version[32];
        snprintf(version, sizeof version, "v-%d", i);
        avout_status status = c->ops->set_state_at(c, version, value, BROKEN_MS);
        if (status && status != AVOUT_ECONNECTION && status != AVOUT_ETIMEOUT)
            test_failed(__FILE__, __LINE__, "%s: %s: %s", c->ops->kind, avout_status_name(status),
                        avout_error_detail());
    }
    fprintf(stderr, "# %s: %d connections broke\n", c->ops->kind, (int)proxy_broken(b->proxy));
    CHECK(proxy_broken(b->proxy) > 5);
    avout_release(value);
    c->ops->close(c);
    return NULL;
}

static broken break_network(const test_server *server, open_fn *open)
{
    broken b = {.open = open, .proxy = proxy_start(test_server_port(server))};
    proxy_set(b.proxy, PROXY_CHAOS);
    return b;
}

TEST_WITHIN(networks_that_break_refuse_nobody, 60)
{
    test_server *redis = test_redis_start_tls("IP:127.0.0.1", false), *postgres = start_postgres(),
                *webdav = test_webdav_start_tls(), *mongo = test_mongo_start_guarded();
    const char *ca = test_server_text("%s/ca", test_server_directory(postgres));
    avout_versioned_container *c;
    CHECK_OK(
        avout_postgres_container(&c, postgres_place(postgres, "open%25sesame", "127.0.0.1", "ca")));
    CHECK_OK(c->ops->init(c, TIMEOUT_MS)); /* the table, in peace */
    c->ops->close(c);
    broken all[] = {break_network(redis, avout_redis_container),
                    break_network(postgres, avout_postgres_container),
                    break_network(webdav, avout_http_container),
                    break_network(mongo, avout_mongo_container)};
    trust(webdav);
    all[0].place = test_server_text("rediss://ann:open%%25sesame@127.0.0.1:%d?cacert=%s/ca",
                                    proxy_port(all[0].proxy), test_server_directory(redis));
    all[1].place = test_server_text(
        "host=127.0.0.1 port=%d user=ann dbname=postgres sslmode=verify-full password=open%%sesame "
        "sslrootcert=%s",
        proxy_port(all[1].proxy), ca);
    all[2].place = test_server_text("https://ann:open%%20sesame@127.0.0.1:%d/secret/",
                                    proxy_port(all[2].proxy));
    all[3].place =
        test_server_text("mongodb://ann:open%%20sesame@127.0.0.1:%d/test?authSource=admin&"
                         "tls=true&tlsCAFile=%s/ca&directConnection=true",
                         proxy_port(all[3].proxy), test_server_directory(mongo));
    for (int i = 0; i < 4; i++) CHECK(!pthread_create(&all[i].thread, NULL, use_broken, &all[i]));
    for (int i = 0; i < 4; i++) pthread_join(all[i].thread, NULL);
}
