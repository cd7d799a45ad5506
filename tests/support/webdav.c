#include "support/webdav.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/certificates.h"
#include "support/test.h"

#define NGINX "/usr/sbin/nginx" /* not in everybody's PATH */
#define PROPFIND_MODULE "/usr/lib/nginx/modules/ngx_http_dav_ext_module.so"
#define METHODS "dav_methods PUT DELETE MKCOL COPY MOVE;"
#define WITH_LIST METHODS " dav_ext_methods PROPFIND;"

/* One process, so that it can be stopped and killed as one; its files are its user's alone. */
static void write_head(FILE *file, const char *directory)
{
    fprintf(file,
            "load_module " PROPFIND_MODULE ";\n%s"
            "daemon off; master_process off; pid %s/pid; error_log %s/log notice;\n"
            "events { worker_connections 512; }\n"
            "http {\n"
            "  access_log off; client_max_body_size 0; root %s/files; keepalive_requests 100000;\n",
            geteuid() ? "" : "user root;\n", directory, directory, directory);
    static const char *const uses[] = {"client_body", "proxy", "fastcgi", "uwsgi", "scgi"};
    for (size_t i = 0; i < sizeof uses / sizeof *uses; i++)
        fprintf(file, "  %s_temp_path %s/%s;\n", uses[i], directory, uses[i]);
}

static void write_places(FILE *file, const char *directory)
{
    fprintf(file,
            "    location /dav/ { " WITH_LIST " }\n"
            "    location /secret/ { " WITH_LIST
            " auth_basic here; auth_basic_user_file %s/users; }\n"
            "    location /small/ { " WITH_LIST " client_max_body_size 1000; }\n"
            "    location /reading/ { limit_except GET { deny all; } }\n"
            "    location /plain/ { " METHODS " }\n"
            "    location /moved/ { rewrite ^/moved/(.*)$ /dav/$1 redirect; }\n",
            directory);
}

static void make_files(const char *directory)
{
    static const char *const places[] = {"", "dav", "secret", "small", "reading", "plain"};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        char path[512];
        snprintf(path, sizeof path, "%s/files/%s", directory, places[i]);
        mkdir(path, 0700);
    }
    test_write_file(directory, "users", "ann:{PLAIN}open sesame\n");
}

static void add_command(test_command *command, const char *directory, int port, const char *listen,
                        const char *more)
{
    char path[512];
    if (access(NGINX, X_OK) || access(PROPFIND_MODULE, R_OK))
        test_skip("no nginx, or none with PROPFIND: install nginx and libnginx-mod-http-dav-ext");
    make_files(directory);
    snprintf(path, sizeof path, "%s/configuration", directory);
    FILE *file = fopen(path, "w");
    CHECK(file);
    write_head(file, directory);
    fprintf(file, "  server {\n    listen 127.0.0.1:%d%s;\n%s", port, listen, more);
    write_places(file, directory);
    fprintf(file, "  }\n}\n");
    CHECK(!fclose(file));
    test_command_add(command, NGINX);
    test_command_add(command, "-p");
    test_command_add(command, "%s", directory);
    test_command_add(command, "-e");
    test_command_add(command, "%s/log", directory);
    test_command_add(command, "-c");
    test_command_add(command, "%s", path);
    /* What the machine says of proxies is not for the loopback interface. */
    setenv("no_proxy", "127.0.0.1", 1);
}

static void command(test_command *command, const char *directory, int port)
{
    add_command(command, directory, port, "", "");
}

static void command_tls(test_command *command, const char *directory, int port)
{
    char more[800];
    test_certificates_make(directory, "IP:127.0.0.1");
    snprintf(more, sizeof more,
             "    ssl_certificate %s/server;\n    ssl_certificate_key %s/server.key;\n", directory,
             directory);
    add_command(command, directory, port, " ssl", more);
}

test_server *test_webdav_start(void)
{
    static const test_server_kind kind = {.name = "nginx", .command = command};
    return test_server_start(&kind);
}

test_server *test_webdav_start_tls(void)
{
    static const test_server_kind kind = {.name = "nginx", .command = command_tls};
    return test_server_start(&kind);
}

const char *test_webdav_place(char place[TEST_PLACE], const test_server *server, const char *path)
{
    snprintf(place, TEST_PLACE, "http://127.0.0.1:%d/%s", test_server_port(server), path);
    return place;
}
