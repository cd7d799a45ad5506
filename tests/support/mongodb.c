#include "support/mongodb.h"

#include <limits.h>
#include <mongoc/mongoc.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/certificates.h"
#include "support/test.h"

/* BUILD/ferretdb/ferretdb, where this program is BUILD/VARIANT/tests/...; "" where it is not. */
static const char *ferretdb(void)
{
    static char path[PATH_MAX + 32];
    char self[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    if (length <= 0) return "";
    self[length] = '\0';
    for (int up = 0; up < 4; up++) {
        char *slash = strrchr(self, '/');
        if (!slash) return "";
        *slash = '\0';
        snprintf(path, sizeof path, "%s/ferretdb/ferretdb", self);
        if (!access(path, X_OK)) return path;
    }
    return "";
}

/* Whether it is a mongod. */
static bool begin(test_command *command, const char *directory, int port)
{
    const char *program = ferretdb();
    if (test_in_path("mongod")) {
        test_command_add(command, "mongod");
        test_command_add(command, "--dbpath=%s", directory);
        test_command_add(command, "--port=%d", port);
        test_command_add(command, "--bind_ip=127.0.0.1");
        test_command_add(command, "--nounixsocket");
        test_command_add(command, "--wiredTigerCacheSizeGB=0.25");
        return true;
    }
    if (!*program)
        test_skip("no MongoDB server: there is no mongod in PATH, and FerretDB is not built: make "
                  "build/ferretdb/ferretdb needs Go 1.21 or newer (golang-go, or https://go.dev/dl "
                  "in /usr/local/go) and the network");
    test_command_add(command, "%s", program);
    test_command_add(command, "%s", directory);
    test_command_add(command, "%d", port);
    return false;
}

static void command(test_command *command, const char *directory, int port)
{
    begin(command, directory, port);
}

test_server *test_mongo_start(void)
{
    static const test_server_kind kind = {"MongoDB", command, NULL, false};
    return test_server_start(&kind);
}

/* ---- with TLS and a user, as a replica set ------------------------------------------------------------- */

#define USER "ann"
#define PASSWORD "open sesame"

/* Of its members among themselves, of whom there is one; without it mongod lets everybody in. */
static void write_key(const char *directory)
{
    char path[300];
    test_write_file(directory, "members.key", "bWVtYmVycyBvZiBhIHRlc3Q=\n");
    snprintf(path, sizeof path, "%s/members.key", directory);
    CHECK(!chmod(path, 0600));
}

/* mongod wants both in one file. */
static void join_certificate(const char *directory)
{
    char line[1000];
    snprintf(line, sizeof line, "cd '%s' && cat server server.key >server.pem", directory);
    CHECK(!system(line));
}

static void command_guarded(test_command *command, const char *directory, int port)
{
    bool is_mongod = begin(command, directory, port);
    test_certificates_make(directory, "IP:127.0.0.1");
    if (!is_mongod) {
        test_command_add(command, USER);
        test_command_add(command, PASSWORD);
        test_command_add(command, "%s/server", directory);
        test_command_add(command, "%s/server.key", directory);
        return;
    }
    write_key(directory);
    join_certificate(directory);
    test_command_add(command, "--replSet=rs0");
    test_command_add(command, "--keyFile=%s/members.key", directory);
    test_command_add(command, "--tlsMode=requireTLS");
    test_command_add(command, "--tlsCertificateKeyFile=%s/server.pem", directory);
    test_command_add(command, "--tlsCAFile=%s/ca", directory);
    test_command_add(command, "--tlsAllowConnectionsWithoutCertificates");
}

static bool tell(const test_server *server, const char *user, const char *json)
{
    bson_t *command = bson_new_from_json((const uint8_t *)json, -1, NULL);
    mongoc_client_t *client = mongoc_client_new(test_server_text(
        "mongodb://%s127.0.0.1:%d/admin?tls=true&tlsCAFile=%s/ca&serverSelectionTimeoutMS=2000",
        user, test_server_port(server), test_server_directory(server)));
    CHECK(command && client);
    bool done = mongoc_client_command_simple(client, "admin", command, NULL, NULL, NULL);
    mongoc_client_destroy(client);
    bson_destroy(command);
    return done;
}

/* When the user is let in, and that not before it is told to write. Who comes from the same machine may make the set and
 * the first user; whatever of it fails is to come yet, or done. */
static bool serves_guarded(const test_server *server)
{
    mongoc_init();
    mongoc_log_set_handler(NULL, NULL);
    if (tell(server, USER ":open%20sesame@",
             "{\"insert\": \"ready\", \"documents\": [{\"a\": 1}]}"))
        return true;
    if (!test_in_path("mongod")) return false;
    tell(server, "",
         test_server_text("{\"replSetInitiate\": {\"_id\": \"rs0\", \"members\": [{\"_id\": 0, "
                          "\"host\": \"127.0.0.1:%d\"}]}}",
                          test_server_port(server)));
    tell(server, "",
         "{\"createUser\": \"" USER "\", \"pwd\": \"" PASSWORD "\", \"roles\": [\"root\"]}");
    return false;
}

test_server *test_mongo_start_guarded(void)
{
    static const test_server_kind kind = {"MongoDB", command_guarded, serves_guarded, false};
    return test_server_start(&kind);
}

const char *test_mongo_place(const test_server *server, const char *name)
{
    return test_server_text("mongodb://127.0.0.1:%d/test.%s", test_server_port(server), name);
}
