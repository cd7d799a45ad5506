#include "support/redis.h"

#include <stdio.h>

#include "support/certificates.h"
#include "support/test.h"

static void begin_command(test_command *command)
{
    if (!test_in_path("redis-server"))
        test_skip("no Redis server: install Debian's package redis-server");
    test_command_add(command, "redis-server");
}

static void begin(test_command *command, const char *directory, int port)
{
    begin_command(command);
    test_command_add(command, "--port");
    test_command_add(command, "%d", port);
    test_command_add(command, "--bind");
    test_command_add(command, "127.0.0.1");
    test_command_add(command, "--dir");
    test_command_add(command, "%s", directory);
    test_command_add(command, "--unixsocket");
    test_command_add(command, "%s/socket", directory);
    test_command_add(command, "--save");
    test_command_add(command, "%s", "");
}

static void command(test_command *command, const char *directory, int port)
{
    begin(command, directory, port);
    test_command_add(command, "--appendonly");
    test_command_add(command, "yes");
    test_command_add(command, "--appendfsync");
    test_command_add(command, "always");
}

static const char *tls_names, *tls_clients;

static void command_tls(test_command *command, const char *directory, int port)
{
    char text[2048];
    begin_command(command);
    test_certificates_make(directory, tls_names);
    snprintf(text, sizeof text,
             "port 0\ntls-port %d\nbind 127.0.0.1\ndir %s\nsave \"\"\nappendonly yes\n"
             "tls-cert-file %s/server\ntls-key-file %s/server.key\ntls-ca-cert-file %s/ca\n"
             "tls-auth-clients %s\nappendfsync always\nuser ann on >open%%sesame ~* +@all\n"
             "user default off\n",
             port, directory, directory, directory, directory, tls_clients);
    test_write_file(directory, "configuration", text);
    test_command_add(command, "%s/configuration", directory);
}

test_server *test_redis_start_tls(const char *names, bool asks_clients)
{
    static const test_server_kind kind = {"Redis", command_tls, NULL, false};
    tls_names = names;
    tls_clients = asks_clients ? "yes" : "no";
    return test_server_start(&kind);
}

test_server *test_redis_start(void)
{
    static const test_server_kind kind = {"Redis", command, NULL, false};
    return test_server_start(&kind);
}

test_server *test_redis_start_forgetful(void)
{
    static const test_server_kind kind = {"Redis", begin, NULL, false};
    return test_server_start(&kind);
}

const char *test_redis_place(const test_server *server, const char *prefix)
{
    return test_server_text("redis://127.0.0.1:%d/0?prefix=%s", test_server_port(server), prefix);
}
