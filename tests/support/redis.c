#include "support/redis.h"

#include "support/test.h"

static void begin(test_command *command, const char *directory, int port)
{
    if (!test_in_path("redis-server"))
        test_skip("no Redis server: install Debian's package redis-server");
    test_command_add(command, "redis-server");
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
