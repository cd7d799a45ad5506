#include "support/postgres.h"

#include <glob.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/certificates.h"
#include "support/test.h"

/* ---- programs ---------------------------------------------------------------------------------------- */

/* The directory of the server's programs; "" where there is none. */
static const char *programs(void)
{
    static char path[PATH_MAX];
    glob_t found;
    if (!glob("/usr/lib/postgresql/*/bin/postgres", 0, NULL, &found)) {
        snprintf(path, sizeof path, "%s", found.gl_pathv[found.gl_pathc - 1]);
        *strrchr(path, '/') = '\0';
    }
    globfree(&found);
    return path;
}

/* The server does not run as root. */
static bool as_other(void)
{
    return !geteuid();
}

/* BUILD/postgres-template, where this program is BUILD/VARIANT/tests/FOLDER/NAME. */
static void name_template(char path[PATH_MAX])
{
    ssize_t length = readlink("/proc/self/exe", path, PATH_MAX - 32);
    CHECK(length > 0);
    path[length] = '\0';
    for (int up = 0; up < 4; up++) {
        char *slash = strrchr(path, '/');
        CHECK(slash);
        *slash = '\0';
    }
    strcat(path, "/postgres-template");
}

/* ---- its files --------------------------------------------------------------------------------------- */

/* initdb takes half a second of a processor: it is run once, and copied. $1 programs, $2 data, $3 template,
 * $4... what makes us another user. */
static const char make_files[] =
    "programs=$1 data=$2 template=$3 own=$3.$$; shift 3; set -e; cd /\n"
    "[ ! -d $template ] || { cp -a $template $data; exit; }\n"
    "\"$@\" $programs/initdb -D $data -A trust -U postgres -E UTF8 --locale=C -N --wal-segsize=1\n"
    "printf 'host all ann all scram-sha-256\\nhost all all all trust\\n' >$data/pg_hba.conf\n"
    "cp -a $data $own && mv -T $own $template || rm -rf $own\n";

static void add_user(test_command *command)
{
    if (!as_other()) return;
    test_command_add(command, "setpriv");
    test_command_add(command, "--reuid=postgres");
    test_command_add(command, "--regid=postgres");
    test_command_add(command, "--clear-groups");
    test_command_add(command,
                     "--pdeathsig=KILL"); /* becoming another user forgets the one there was */
}

static void make_data(const char *directory, const char *data)
{
    char template[PATH_MAX], tail[2048];
    test_command command = {0};
    int status;
    name_template(template);
    if (as_other()) {
        const struct passwd *user = getpwnam("postgres");
        CHECK(user && !chmod(test_directory(), 0711));
        CHECK(!chown(directory, user->pw_uid, user->pw_gid));
    }
    test_command_add(&command, "sh");
    test_command_add(&command, "-c");
    test_command_add(&command, "%s", make_files);
    test_command_add(&command, "sh");
    test_command_add(&command, "%s", programs());
    test_command_add(&command, "%s", data);
    test_command_add(&command, "%s", template);
    test_command_add(&command, "env");
    add_user(&command);
    pid_t child = test_spawn(directory, command.arguments);
    CHECK(waitpid(child, &status, 0) == child);
    if (status)
        test_failed(__FILE__, __LINE__, "initdb: %s", test_log_tail(tail, sizeof tail, directory));
}

/* ---- the server ------------------------------------------------------------------------------------- */

static void command(test_command *command, const char *directory, int port)
{
    char data[300];
    if (!*programs()) test_skip("no PostgreSQL server: install Debian's package postgresql");
    snprintf(data, sizeof data, "%s/data", directory);
    if (access(data, F_OK)) make_data(directory, data);
    static const char *const settings[] = {
        "listen_addresses=127.0.0.1",
        "unix_socket_directories=",
        "shared_buffers=16MB",
        "max_connections=40",
        "autovacuum=off",
        "fsync=off",
        "max_wal_size=32MB",
        "dynamic_shared_memory_type=mmap"}; /* else killed ones leave files in /dev/shm */
    add_user(command);
    test_command_add(command, "%s/postgres", programs());
    test_command_add(command, "-D%s", data);
    test_command_add(command, "-p%d", port);
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++)
        test_command_add(command, "--%s", settings[i]);
}

/* Its key is its user's alone. */
static void give_key(const char *directory)
{
    char key[300];
    const struct passwd *user = as_other() ? getpwnam("postgres") : NULL;
    snprintf(key, sizeof key, "%s/server.key", directory);
    CHECK(!chmod(key, 0600) && (!user || !chown(key, user->pw_uid, user->pw_gid)));
}

static void command_tls(test_command *given, const char *directory, int port)
{
    command(given, directory, port);
    test_certificates_make(directory, "IP:127.0.0.1");
    give_key(directory);
    test_command_add(given, "--ssl=on");
    test_command_add(given, "--ssl_cert_file=%s/server", directory);
    test_command_add(given, "--ssl_key_file=%s/server.key", directory);
}

/* It takes connections before it can use them: asks for a session, and looks whether that is refused. */
static bool serves(const test_server *server)
{
    static const char hello[] = "\0\0\0\x29\0\3\0\0user\0postgres\0database\0postgres\0";
    char answer = 0;
    int fd = test_connect(test_server_port(server));
    if (fd < 0) return false;
    const struct timeval limit = {1, 0};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    bool told = send(fd, hello, sizeof hello, MSG_NOSIGNAL) == (ssize_t)sizeof hello &&
                recv(fd, &answer, 1, 0) == 1;
    close(fd);
    return told && answer == 'R';
}

test_server *test_postgres_start(void)
{
    static const test_server_kind kind = {"PostgreSQL", command, serves, true};
    return test_server_start(&kind);
}

test_server *test_postgres_start_tls(void)
{
    static const test_server_kind kind = {"PostgreSQL", command_tls, serves, true};
    return test_server_start(&kind);
}

const char *test_postgres_place(const test_server *server, const char *table)
{
    return test_server_text("postgresql://postgres@127.0.0.1:%d/postgres?table=%s",
                            test_server_port(server), table);
}
