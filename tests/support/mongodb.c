#include "support/mongodb.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

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

static void command(test_command *command, const char *directory, int port)
{
    const char *program = ferretdb();
    if (test_in_path("mongod")) {
        test_command_add(command, "mongod");
        test_command_add(command, "--dbpath=%s", directory);
        test_command_add(command, "--port=%d", port);
        test_command_add(command, "--bind_ip=127.0.0.1");
        test_command_add(command, "--nounixsocket");
        test_command_add(command, "--wiredTigerCacheSizeGB=0.25");
        return;
    }
    if (!*program)
        test_skip("no MongoDB server: there is no mongod in PATH, and FerretDB is not built: make "
                  "build/ferretdb/ferretdb needs Go 1.21 or newer (golang-go, or https://go.dev/dl "
                  "in /usr/local/go) and the network");
    test_command_add(command, "%s", program);
    test_command_add(command, "%s", directory);
    test_command_add(command, "%d", port);
}

test_server *test_mongo_start(void)
{
    static const test_server_kind kind = {"MongoDB", command, NULL, false};
    return test_server_start(&kind);
}

const char *test_mongo_place(const test_server *server, const char *name)
{
    return test_server_text("mongodb://127.0.0.1:%d/test.%s", test_server_port(server), name);
}
