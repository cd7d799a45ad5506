#include "request.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "common/deadline.h"
#include "common/secret.h"
#include "common/words.h"

enum {
    KEPT = 16, /* idle handles, each with its connection */
    CONNECT_MS = 10000,
    STALLED_S = 60, /* without a byte, where the deadline is later */
    FIRST_PAUSE_MS = 10,
    PAUSE_MOST_MS = 1000,
    REDIRECTIONS = 5,
};

struct avout__http_limit avout__http_limit = {.answer = (size_t)1 << 30, .unreachable_ms = 30000};

/* ---- handles -------------------------------------------------------------------------------------- */

typedef struct handles {
    pthread_mutex_t lock;
    CURL *idle[KEPT];
    size_t count;
} handles;

static pthread_once_t once = PTHREAD_ONCE_INIT;

static void start_libcurl(void)
{
    curl_global_init(CURL_GLOBAL_DEFAULT);
}

static avout_status make_handles(void **object, const char *address, const void *payload)
{
    (void)address, (void)payload;
    handles *made = calloc(1, sizeof *made);
    if (!made) return avout__plugin_no_memory();
    pthread_mutex_init(&made->lock, NULL);
    *object = made;
    return AVOUT_OK;
}

static void destroy_handles(void *object)
{
    handles *all = object;
    for (size_t i = 0; i < all->count; i++) curl_easy_cleanup(all->idle[i]);
    pthread_mutex_destroy(&all->lock);
    free(all);
}

static const avout__plugin_sharing sharing = {make_handles, destroy_handles};

static CURL *take_handle(handles *all)
{
    CURL *handle = NULL;
    pthread_mutex_lock(&all->lock);
    if (all->count) handle = all->idle[--all->count];
    pthread_mutex_unlock(&all->lock);
    return handle ? handle : curl_easy_init();
}

/* Resetting keeps what is alive: connections, sessions of TLS, addresses. */
static void give_back(handles *all, CURL *handle)
{
    curl_easy_reset(handle);
    pthread_mutex_lock(&all->lock);
    bool kept = all->count < KEPT;
    if (kept) all->idle[all->count++] = handle;
    pthread_mutex_unlock(&all->lock);
    if (!kept) curl_easy_cleanup(handle);
}

avout_status avout__http_open(avout__http_server *server, const char *place)
{
    *server = (avout__http_server){0};
    pthread_once(&once, start_libcurl);
    avout_status status = avout__http_address_read(&server->address, place);
    if (status) return status;
    const avout__http_address *at = &server->address;
    const char *user = at->user ? at->user : "", *password = at->password ? at->password : "";
    size_t size = at->root + strlen(user) + strlen(password) + 3;
    char *key = malloc(size);
    if (key) {
        snprintf(key, size, "%.*s %s:%s", (int)at->root, at->base, user, password);
        status = avout__plugin_share(&server->handles, &sharing, key, NULL);
    } else {
        status = avout__plugin_no_memory();
    }
    free(key);
    if (status) avout__http_address_release(&server->address);
    return status;
}

void avout__http_close(avout__http_server *server)
{
    avout__plugin_unshare(server->handles);
    avout__http_address_release(&server->address);
}

/* ---- what goes over a connection ---------------------------------------------------------------------- */

typedef struct transfer {
    const avout__http_request *request;
    avout__http_answer *answer;
    size_t sent, room;
    bool begun;
    bool too_large, no_memory;
    char message[CURL_ERROR_SIZE];
} transfer;

static size_t send_body(char *out, size_t size, size_t count, void *payload)
{
    transfer *t = payload;
    size_t left = t->request->length - t->sent, most = size * count;
    if (left > most) left = most;
    memcpy(out, t->request->body + t->sent, left);
    t->sent += left;
    return left;
}

/* Before the request goes out, each time it does: libcurl sends again on a new connection what may have got lost
 * on an old one. */
static int note_sending(void *payload, char *to, char *from, int to_port, int from_port)
{
    transfer *t = payload;
    (void)to, (void)from, (void)to_port, (void)from_port;
    if (t->begun) t->answer->repeated = t->answer->lost = true;
    t->begun = true;
    return CURL_PREREQFUNC_OK;
}

static int send_again(void *payload, curl_off_t offset, int origin)
{
    transfer *t = payload;
    if (origin != SEEK_SET || offset < 0 || (size_t)offset > t->request->length)
        return CURL_SEEKFUNC_FAIL;
    t->sent = (size_t)offset;
    return CURL_SEEKFUNC_OK;
}

static size_t take_body(char *bytes, size_t size, size_t count, void *payload)
{
    transfer *t = payload;
    avout__http_answer *answer = t->answer;
    size_t more = size * count;
    t->too_large = more > avout__http_limit.answer - answer->length;
    if (t->too_large) return 0;
    if (answer->length + more >= t->room) {
        size_t room = 2 * (answer->length + more) + 256;
        char *larger = realloc(answer->body, room);
        t->no_memory = !larger;
        if (!larger) return 0;
        answer->body = larger;
        t->room = room;
    }
    memcpy(answer->body + answer->length, bytes, more);
    answer->length += more;
    answer->body[answer->length] = '\0';
    return more;
}

static struct curl_slist *headers_of(const avout__http_request *request)
{
    const char *wanted[8];
    char type[80], wants[80], token[80];
    int count = 0;
    /* Waiting for leave to send a body costs a round trip, or a second with who does not know it. */
    wanted[count++] = "Expect:";
    wanted[count++] = "Cache-Control: no-cache";
    if (request->if_absent) wanted[count++] = "If-None-Match: *";
    if (request->children) wanted[count++] = "Depth: 1";
    if (request->body) {
        snprintf(type, sizeof type, "Content-Type: %s", request->type);
        wanted[count++] = type;
    }
    if (request->wants) {
        snprintf(wants, sizeof wants, "Accept: %s", request->wants);
        wanted[count++] = wants;
    }
    if (request->token) {
        snprintf(token, sizeof token, "Avout-Token: %s", request->token);
        wanted[count++] = token;
    }
    struct curl_slist *headers = NULL;
    for (int i = 0; i < count; i++) {
        struct curl_slist *longer = curl_slist_append(headers, wanted[i]);
        if (!longer) {
            curl_slist_free_all(headers);
            return NULL;
        }
        headers = longer;
    }
    return headers;
}

/* As the command curl does; the library does not look by itself. */
static void set_trust(CURL *handle)
{
    const char *bundle = secure_getenv("CURL_CA_BUNDLE"), *directory = NULL;
    if (!bundle || !*bundle) {
        directory = secure_getenv("SSL_CERT_DIR");
        bundle = secure_getenv("SSL_CERT_FILE");
    }
    if (directory && *directory) curl_easy_setopt(handle, CURLOPT_CAPATH, directory);
    if (bundle && *bundle) curl_easy_setopt(handle, CURLOPT_CAINFO, bundle);
}

static void set_body(CURL *handle, transfer *t)
{
    const avout__http_request *request = t->request;
    if (strcmp(request->method, "GET") != 0)
        curl_easy_setopt(handle, CURLOPT_CUSTOMREQUEST, request->method);
    if (!request->body) return;
    curl_easy_setopt(handle, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(handle, CURLOPT_INFILESIZE_LARGE, (curl_off_t)request->length);
    curl_easy_setopt(handle, CURLOPT_READFUNCTION, send_body);
    curl_easy_setopt(handle, CURLOPT_READDATA, t);
    curl_easy_setopt(handle, CURLOPT_SEEKFUNCTION, send_again);
    curl_easy_setopt(handle, CURLOPT_SEEKDATA, t);
}

/* A program that is started must not hold it. */
static curl_socket_t open_socket(void *payload, curlsocktype purpose, struct curl_sockaddr *to)
{
    (void)payload, (void)purpose;
    return socket(to->family, to->socktype | SOCK_CLOEXEC, to->protocol);
}

static void set_answer(CURL *handle, transfer *t, int64_t deadline_ms)
{
    long left_ms = (long)avout__plugin_left_ms(deadline_ms, 1, INT32_MAX);
    curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(handle, CURLOPT_WRITEDATA, t);
    curl_easy_setopt(handle, CURLOPT_PREREQFUNCTION, note_sending);
    curl_easy_setopt(handle, CURLOPT_PREREQDATA, t);
    curl_easy_setopt(handle, CURLOPT_ERRORBUFFER, t->message);
    curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(handle, CURLOPT_OPENSOCKETFUNCTION, open_socket);
    curl_easy_setopt(handle, CURLOPT_TIMEOUT_MS, left_ms);
    curl_easy_setopt(handle, CURLOPT_CONNECTTIMEOUT_MS,
                     left_ms < CONNECT_MS ? left_ms : (long)CONNECT_MS);
    curl_easy_setopt(handle, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(handle, CURLOPT_LOW_SPEED_TIME, (long)STALLED_S);
}

static void set_place(CURL *handle, const avout__http_server *server, const char *url, bool follow)
{
    const avout__http_address *at = &server->address;
    curl_easy_setopt(handle, CURLOPT_URL, url);
    curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, at->secure ? "https" : "http,https");
    curl_easy_setopt(handle, CURLOPT_REDIR_PROTOCOLS_STR, at->secure ? "https" : "http,https");
    curl_easy_setopt(handle, CURLOPT_FOLLOWLOCATION, follow ? 1L : 0L);
    curl_easy_setopt(handle, CURLOPT_MAXREDIRS, (long)REDIRECTIONS);
    curl_easy_setopt(handle, CURLOPT_USERAGENT, "avout");
    if (at->user) {
        curl_easy_setopt(handle, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
        curl_easy_setopt(handle, CURLOPT_USERNAME, at->user);
        curl_easy_setopt(handle, CURLOPT_PASSWORD, at->password);
    }
    if (at->secure) set_trust(handle);
}

static char *url_of(const avout__http_server *server, const avout__http_request *request)
{
    const char *base = server->address.base;
    size_t path = request->path ? request->path : strlen(base);
    size_t size = path + strlen(request->name) + 1;
    char *url = malloc(size);
    if (url) snprintf(url, size, "%.*s%s", (int)path, base, request->name);
    return url;
}

/* ---- failures -------------------------------------------------------------------------------------------- */

static avout_status status_of(const transfer *t, CURLcode code, int64_t deadline_ms)
{
    if (t->too_large) return AVOUT_ELIMIT;
    if (t->no_memory) return AVOUT_ENOMEM;
    switch (code) {
    case CURLE_OPERATION_TIMEDOUT:
        return avout__plugin_left_ms(deadline_ms, 0, INT32_MAX) > 1 ? AVOUT_ECONNECTION
                                                                    : AVOUT_ETIMEOUT;
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_GOT_NOTHING:
    case CURLE_PARTIAL_FILE:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM: return AVOUT_ECONNECTION;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CERTPROBLEM: return AVOUT_EAUTH;
    case CURLE_FILESIZE_EXCEEDED: return AVOUT_ELIMIT;
    case CURLE_OUT_OF_MEMORY: return AVOUT_ENOMEM;
    default: return AVOUT_EIO;
    }
}

static avout_status say(const transfer *t, const avout__http_server *server, avout_status status,
                        CURLcode code)
{
    char text[CURL_ERROR_SIZE + 80];
    if (t->too_large)
        return avout_fail(AVOUT_ELIMIT, "the answer has more than %zu bytes",
                          avout__http_limit.answer);
    const char *message = *t->message ? t->message : curl_easy_strerror(code);
    avout__plugin_hide(text, sizeof text, message, server->address.password);
    /* Also after all attempts: somebody cuts the answers, and there is a connection. */
    return avout_fail(code == CURLE_PARTIAL_FILE ? AVOUT_EIO : status, "%s", text);
}

/* ---- one attempt -------------------------------------------------------------------------------------------- */

typedef struct attempt {
    CURLcode code;
    avout_status status;
    bool begun;      /* the request may have gone out */
    int64_t wait_ms; /* the server puts it off for so long; -1: it does not */
} attempt;

static bool is_put_off(long code)
{
    return code == 429 || code == 502 || code == 503 || code == 504;
}

/* HTTP/2 and later say where answers end. */
static bool is_endless(CURL *handle)
{
    struct curl_header *found;
    curl_off_t length = -1;
    long version = 0;
    curl_easy_getinfo(handle, CURLINFO_HTTP_VERSION, &version);
    curl_easy_getinfo(handle, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
    if (length >= 0 || version > CURL_HTTP_VERSION_1_1) return false;
    return curl_easy_header(handle, "Transfer-Encoding", 0, CURLH_HEADER, -1, &found) != CURLHE_OK;
}

static bool is_gateway(long code)
{
    return code == 502 || code == 504;
}

/* The request may have been carried out, or be yet: whoever answers so, perhaps a proxy in front, fails in the
 * middle of it, or does not say that it is done. 501, 505 and 507 say that it was not. */
static bool is_in_doubt(long code)
{
    if (code >= 500) return code != 501 && code != 505 && code != 507;
    return code == 303 || (code > 200 && code < 300 && code != 201 && code != 204);
}

static void perform(attempt *a, transfer *t, CURL *handle)
{
    curl_off_t seconds = 0;
    a->code = curl_easy_perform(handle);
    curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &t->answer->code);
    t->answer->endless = is_endless(handle);
    if (t->begun && (a->code || is_in_doubt(t->answer->code))) t->answer->lost = true;
    if (a->code || !is_put_off(t->answer->code)) return;
    curl_easy_getinfo(handle, CURLINFO_RETRY_AFTER, &seconds);
    a->wait_ms = seconds > INT32_MAX ? INT32_MAX : seconds * 1000;
}

static void forget_body(avout__http_answer *answer)
{
    free(answer->body);
    answer->body = NULL;
    answer->length = 0;
}

static attempt try_once(avout__http_answer *answer, const avout__http_server *server,
                        const avout__http_request *request, int64_t deadline_ms)
{
    attempt a = {.wait_ms = -1};
    transfer t = {.request = request, .answer = answer};
    handles *all = avout__plugin_shared_object(server->handles);
    CURL *handle = take_handle(all);
    char *url = url_of(server, request);
    struct curl_slist *headers = headers_of(request);
    if (handle && url && headers) {
        set_place(handle, server, url, request->follow);
        set_body(handle, &t);
        set_answer(handle, &t, deadline_ms);
        curl_easy_setopt(handle, CURLOPT_HTTPHEADER, headers);
        perform(&a, &t, handle);
        if (a.code) a.status = say(&t, server, status_of(&t, a.code, deadline_ms), a.code);
    } else {
        a.code = CURLE_OUT_OF_MEMORY;
        a.status = avout__plugin_no_memory();
    }
    a.begun = t.begun;
    if (handle) give_back(all, handle);
    curl_slist_free_all(headers);
    free(url);
    if (a.code || a.wait_ms >= 0) forget_body(answer);
    return a;
}

/* ---- until it is answered -------------------------------------------------------------------------------------- */

/* Those that failed together do not come again together. */
static int64_t spread(int64_t pause_ms)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return pause_ms / 2 + now.tv_nsec / 1000 % pause_ms;
}

static avout_status put_off(long code, int64_t wait_ms, int64_t deadline_ms)
{
    avout_status status = is_gateway(code) ? AVOUT_ECONNECTION : AVOUT_ETIMEOUT;
    if (!wait_ms || avout__plugin_left_ms(deadline_ms, 0, INT64_MAX) > wait_ms)
        return avout_fail(status, "the server answers %ld", code);
    return avout_fail(status, "the server answers %ld, and that it is to be asked again in %lld s",
                      code, (long long)(wait_ms / 1000));
}

void avout__http_answer_release(avout__http_answer *answer)
{
    free(answer->body);
    *answer = (avout__http_answer){0};
}

/* What the attempts before the last one met says more than that the last one had no time left. */
typedef struct trouble {
    avout_status status;
    char detail[CURL_ERROR_SIZE];
} trouble;

static avout_status end_of(const attempt *a, trouble *met)
{
    if (a->status == AVOUT_ETIMEOUT && met->status)
        return avout_fail(met->status, "%s", met->detail);
    return a->status;
}

static bool is_worth_another(const attempt *a)
{
    return !a->code || a->status == AVOUT_ECONNECTION || a->code == CURLE_PARTIAL_FILE;
}

static int64_t time_until_next(const attempt *a, int64_t pause_ms)
{
    int64_t wait_ms = spread(pause_ms);
    return a->wait_ms > wait_ms ? a->wait_ms : wait_ms;
}

/* From when on nobody was reached: a long transfer that breaks did reach somebody until then. */
static int64_t unreached_since(const attempt *a, int64_t begun_ms)
{
    return a->begun ? avout__plugin_now_ms() : begun_ms;
}

/* A server that does answer is asked until the deadline, others are given up before. */
avout_status avout__http_call(avout__http_answer *answer, const avout__http_server *server,
                              const avout__http_request *request, int64_t deadline_ms)
{
    int64_t given_up_ms = 0, begun_ms = avout__plugin_now_ms();
    trouble met = {AVOUT_OK, ""};
    *answer = (avout__http_answer){0};
    for (int64_t pause_ms = FIRST_PAUSE_MS;;) {
        attempt a = try_once(answer, server, request, deadline_ms);
        if (!a.code && a.wait_ms < 0) return AVOUT_OK;
        if (!given_up_ms)
            given_up_ms = unreached_since(&a, begun_ms) + avout__http_limit.unreachable_ms;
        int64_t until_ms = a.code && given_up_ms < deadline_ms ? given_up_ms : deadline_ms;
        int64_t wait_ms = time_until_next(&a, pause_ms);
        if (!is_worth_another(&a) || avout__plugin_left_ms(until_ms, 0, INT64_MAX) <= wait_ms)
            return a.code ? end_of(&a, &met) : put_off(answer->code, a.wait_ms, deadline_ms);
        answer->repeated = answer->repeated || a.begun;
        met.status = a.status;
        if (a.code) snprintf(met.detail, sizeof met.detail, "%s", avout_error_detail());
        avout__plugin_pause(wait_ms, until_ms);
        pause_ms = pause_ms < PAUSE_MOST_MS ? 2 * pause_ms : PAUSE_MOST_MS;
    }
}
