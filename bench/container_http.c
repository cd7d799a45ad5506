/* Beside the HTTP container: one PUT by libcurl, on a connection that stays. The server is nginx. */
#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "avout/http.h"
#include "container.h"
#include "report.h"
#include "world.h"

#define NGINX "/usr/sbin/nginx"
#define PROPFIND_MODULE "/usr/lib/nginx/modules/ngx_http_dav_ext_module.so"

enum { START_SECONDS = 30 };

typedef struct raw_http {
    CURL *handle;
    char place[100];
    char text[32];
    size_t sent, length;
    unsigned long number;
} raw_http;

static void write_configuration(const char *path, const char *directory, int port)
{
    FILE *file = fopen(path, "w");
    if (!file) fail("%s: cannot be written", path);
    fprintf(file,
            "load_module " PROPFIND_MODULE ";\n%s"
            "daemon off; master_process off; pid %s/pid; error_log %s/log warn;\n"
            "events { }\nhttp {\n  access_log off; root %s/files; keepalive_requests 1000000;\n"
            "  client_body_temp_path %s/body; proxy_temp_path %s/proxy;\n"
            "  fastcgi_temp_path %s/fastcgi; uwsgi_temp_path %s/uwsgi; scgi_temp_path %s/scgi;\n"
            "  server { listen 127.0.0.1:%d; location / { dav_methods PUT DELETE MKCOL;\n"
            "    dav_ext_methods PROPFIND; } }\n}\n",
            geteuid() ? "" : "user root;\n", directory, directory, directory, directory, directory,
            directory, directory, directory, port);
    if (fclose(file)) fail("%s: cannot be written", path);
}

static const char *start(bench *b, char *place, size_t size)
{
    (void)b;
    char directory[700], files[720], configuration[720], log[720], address[32];
    if (access(NGINX, X_OK) || access(PROPFIND_MODULE, R_OK))
        return "no nginx with PROPFIND (nginx, libnginx-mod-http-dav-ext)";
    int port = server_free_port();
    snprintf(directory, sizeof directory, "%s/nginx", world_directory());
    snprintf(files, sizeof files, "%s/files", directory);
    snprintf(log, sizeof log, "%s/log", directory);
    snprintf(configuration, sizeof configuration, "%s/configuration", directory);
    if (mkdir(directory, 0700) || mkdir(files, 0700)) fail("%s: cannot be made", files);
    write_configuration(configuration, directory, port);
    char *nginx[] = {(char[]){NGINX}, (char[]){"-p"}, directory, (char[]){"-e"}, log,
                     (char[]){"-c"},  configuration,  NULL};
    child process = child_start(nginx, log);
    snprintf(address, sizeof address, "127.0.0.1:%d", port);
    for (double limit = seconds_now() + START_SECONDS; !server_answers(address);) {
        if (child_has_ended(&process) || seconds_now() > limit) fail("nginx does not serve");
        nanosleep(&(struct timespec){0, 10000000}, NULL);
    }
    setenv("no_proxy", "127.0.0.1", 1);
    report_note(
        "http: the server is nginx, which syncs nothing and takes two requests for a value");
    snprintf(place, size, "http://%s/", address);
    return NULL;
}

static size_t send_body(char *out, size_t size, size_t count, void *payload)
{
    raw_http *raw = payload;
    size_t left = raw->length - raw->sent, most = size * count;
    if (left > most) left = most;
    memcpy(out, raw->text + raw->sent, left);
    raw->sent += left;
    return left;
}

static void *raw_open(const char *place)
{
    raw_http *raw = need_memory(sizeof *raw);
    snprintf(raw->place, sizeof raw->place, "%s", place);
    raw->handle = curl_easy_init();
    if (!raw->handle) fail("libcurl: no handle");
    return raw;
}

static void raw_write(void *payload)
{
    raw_http *raw = payload;
    char url[160];
    long code = 0;
    snprintf(url, sizeof url, "%sraw-%lu.edn", raw->place, ++raw->number);
    raw->length = (size_t)snprintf(raw->text, sizeof raw->text, "%lu\n", raw->number);
    raw->sent = 0;
    curl_easy_setopt(raw->handle, CURLOPT_URL, url);
    curl_easy_setopt(raw->handle, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(raw->handle, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(raw->handle, CURLOPT_READFUNCTION, send_body);
    curl_easy_setopt(raw->handle, CURLOPT_READDATA, raw);
    curl_easy_setopt(raw->handle, CURLOPT_INFILESIZE_LARGE, (curl_off_t)raw->length);
    CURLcode outcome = curl_easy_perform(raw->handle);
    curl_easy_getinfo(raw->handle, CURLINFO_RESPONSE_CODE, &code);
    if (outcome || code != 201) fail("libcurl: %s, %ld", curl_easy_strerror(outcome), code);
}

static void raw_close(void *payload)
{
    raw_http *raw = payload;
    curl_easy_cleanup(raw->handle);
    free(raw);
}

const container_kind container_http = {"http",   start,     avout_http_container,
                                       raw_open, raw_write, raw_close};
