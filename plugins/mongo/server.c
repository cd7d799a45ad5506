#include "server.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/deadline.h"
#include "common/secret.h"
#include "common/words.h"
#include "timed.h"

/* A server is waited for in slices, so that each call can keep its own deadline. */
enum { SLICE_MS = 250, CONNECT_MS = 5000, SELECTION_MS = 30000, CLOSE_MS = 1000, PAUSE_MS = 200 };

typedef struct pool {
    mongoc_client_pool_t *clients;
    int64_t selection_ms;
} pool;

/* ---- libmongoc in the process -------------------------------------------------------------------- */

static pthread_once_t once = PTHREAD_ONCE_INIT;

static void start_libmongoc(void)
{
    mongoc_init();
    mongoc_log_set_handler(NULL, NULL);
}

/* ---- addresses ------------------------------------------------------------------------------------ */

typedef struct parts {          /* of "mongodb://AUTHORITY/DATABASE.COLLECTION?QUERY" */
    size_t authority, hosts;    /* where they begin */
    size_t authority_end, path; /* path == authority_end: there is none */
    size_t path_end;
} parts;

static bool split(parts *at, const char *place)
{
    const char *start = strstr(place, "://");
    if (!start || (strncmp(place, "mongodb://", 10) && strncmp(place, "mongodb+srv://", 14)))
        return false;
    start += 3;
    at->authority = at->hosts = (size_t)(start - place);
    at->authority_end = at->authority + strcspn(start, "/?");
    for (size_t i = at->authority; i < at->authority_end; i++)
        if (place[i] == '@') at->hosts = i + 1;
    at->path = at->authority_end + (place[at->authority_end] == '/');
    at->path_end = at->path + strcspn(place + at->path, "?");
    return at->hosts < at->authority_end;
}

/* A password with one of these ends there, and what follows would be shown. */
static bool splits_password(const char *place, const parts *at)
{
    const char *found = strchr(place + at->path, '@');
    return found && (found < place + at->path_end || at->hosts == at->authority);
}

static bool is_database(const char *name)
{
    return *name && strlen(name) < 64 && !strpbrk(name, "/\\. \"$*<>:|?");
}

static bool is_collection(const char *name)
{
    return *name && !strchr(name, '$') && strncmp(name, "system.", 7);
}

/* The names in the path; *stem is the length of the database's text. */
static bool read_names(avout__mongo_server *server, size_t *stem, const char *path, size_t length)
{
    const char *dot = memchr(path, '.', length);
    *stem = dot ? (size_t)(dot - path) : length;
    strcpy(server->database, "avout");
    strcpy(server->collection, "avout");
    if (*stem && !avout__plugin_unescape(server->database, sizeof server->database, path, *stem))
        return false;
    if (dot && !avout__plugin_unescape(server->collection, sizeof server->collection, dot + 1,
                                       length - *stem - 1))
        return false;
    return is_database(server->database) && is_collection(server->collection);
}

static avout_status say(avout_status status, const char *message, const char *password)
{
    char text[600];
    avout__plugin_hide(text, sizeof text, message, password);
    return avout_fail(status, "%s", text);
}

/* Of an address that cannot be read nobody knows what of it is the password. */
static avout_status refuse(const char *place, const char *message)
{
    size_t length;
    const char *password = avout__plugin_password(&length, place);
    char *secret = password ? strndup(password, length) : NULL;
    char text[640];
    snprintf(text, sizeof text, "place: %s", message);
    avout_status status =
        secret && strstr(message, secret)
            ? avout_fail(AVOUT_EINVAL, "place: is no connection string of MongoDB's")
            : say(AVOUT_EINVAL, text, secret);
    free(secret);
    return status;
}

/* ---- the pool --------------------------------------------------------------------------------------- */

static void set_if_absent(mongoc_uri_t *uri, const char *option, int32_t number)
{
    if (!mongoc_uri_has_option(uri, option)) mongoc_uri_set_option_as_int32(uri, option, number);
}

static avout_status make_pool(void **object, const char *address, const void *payload)
{
    (void)address;
    mongoc_uri_t *uri = mongoc_uri_copy(payload);
    bson_error_t error = {0};
    pool *made = malloc(sizeof *made);
    if (!made || !uri) {
        free(made);
        mongoc_uri_destroy(uri);
        return avout__plugin_no_memory();
    }
    made->selection_ms =
        mongoc_uri_get_option_as_int32(uri, MONGOC_URI_SERVERSELECTIONTIMEOUTMS, SELECTION_MS);
    mongoc_uri_set_option_as_int32(uri, MONGOC_URI_SERVERSELECTIONTIMEOUTMS, SLICE_MS);
    mongoc_uri_set_option_as_int32(uri, MONGOC_URI_WAITQUEUETIMEOUTMS, SLICE_MS);
    set_if_absent(uri, MONGOC_URI_CONNECTTIMEOUTMS, CONNECT_MS);
    if (!avout__mongo_can_time()) set_if_absent(uri, MONGOC_URI_SOCKETTIMEOUTMS, SELECTION_MS);
    if (!mongoc_uri_has_option(uri, MONGOC_URI_APPNAME)) mongoc_uri_set_appname(uri, "avout");
    made->clients = mongoc_client_pool_new_with_error(uri, &error);
    if (made->clients) mongoc_client_pool_set_error_api(made->clients, MONGOC_ERROR_API_VERSION_2);
    avout_status status = made->clients
                              ? AVOUT_OK
                              : say(AVOUT_ECONNECTION, error.message, mongoc_uri_get_password(uri));
    mongoc_uri_destroy(uri);
    if (status) free(made);
    else *object = made;
    return status;
}

/* Tells the server that the sessions have ended, if it listens. */
static void destroy_pool(void *object)
{
    pool *p = object;
    int64_t before = avout__mongo_until(avout__plugin_deadline(CLOSE_MS));
    mongoc_client_pool_destroy(p->clients);
    avout__mongo_until(before);
    free(p);
}

static const avout__plugin_sharing sharing = {make_pool, destroy_pool};

/* ---- opening ------------------------------------------------------------------------------------------ */

static avout_status open_uri(avout__mongo_server *server, const char *address,
                             const mongoc_uri_t *uri)
{
    const char *password = mongoc_uri_get_password(uri);
    if (password && !(server->password = strdup(password))) return avout__plugin_no_memory();
    return avout__plugin_share(&server->pool, &sharing, address, uri);
}

/* The connection string without the collection. To be freed; NULL: no memory. */
static char *address_of(const char *place, const parts *at, size_t stem)
{
    size_t size = strlen(place) + 2;
    char *text = malloc(size);
    if (text)
        snprintf(text, size, "%.*s/%.*s%s", (int)at->authority_end, place, (int)stem,
                 place + at->path, place + at->path_end);
    return text;
}

static char *shown_of(const avout__mongo_server *server, const char *place, const parts *at)
{
    size_t length = at->authority_end - at->hosts;
    size_t size = length + strlen(server->database) + strlen(server->collection) + 3;
    char *text = malloc(size);
    if (text)
        snprintf(text, size, "%.*s/%s.%s", (int)length, place + at->hosts, server->database,
                 server->collection);
    return text;
}

avout_status avout__mongo_open(avout__mongo_server *server, const char *place)
{
    parts at;
    size_t stem;
    bson_error_t error = {0};
    *server = (avout__mongo_server){0};
    if (!split(&at, place)) return refuse(place, "mongodb://[USER:PASSWORD@]HOST... is expected");
    if (splits_password(place, &at))
        return refuse(place,
                      "/ and ? in a password, and @ behind it, are written %2F, %3F and %40");
    if (!read_names(server, &stem, place + at.path, at.path_end - at.path))
        return refuse(place, "/DATABASE.COLLECTION: these names cannot be");
    pthread_once(&once, start_libmongoc);
    char *address = address_of(place, &at, stem);
    server->shown = shown_of(server, place, &at);
    mongoc_uri_t *uri = address ? mongoc_uri_new_with_error(address, &error) : NULL;
    avout_status status = !address || !server->shown ? avout__plugin_no_memory()
                          : !uri                     ? refuse(place, error.message)
                                                     : open_uri(server, address, uri);
    if (uri) mongoc_uri_destroy(uri);
    free(address);
    if (status) avout__mongo_close(server);
    return status;
}

void avout__mongo_close(avout__mongo_server *server)
{
    avout__plugin_unshare(server->pool);
    free(server->shown);
    free(server->password);
    *server = (avout__mongo_server){0};
}

/* ---- calls ---------------------------------------------------------------------------------------------- */

static avout_status call_once(avout__mongo_step *step, mongoc_client_pool_t *clients)
{
    mongoc_client_t *client;
    do {
        client = mongoc_client_pool_pop(clients);
        if (!client && avout__plugin_passed(step->deadline_ms))
            return avout_fail(AVOUT_ETIMEOUT, "all connections of the pool are in use");
    } while (!client);
    avout__mongo_time(client);
    avout_status status = step->run(step, client);
    mongoc_client_pool_push(clients, client);
    return status;
}

avout_status avout__mongo_call(avout__mongo_step *step)
{
    pool *p = avout__plugin_shared_object(step->server->pool);
    int64_t given_up = avout__plugin_deadline(p->selection_ms);
    if (given_up > step->deadline_ms) given_up = step->deadline_ms;
    int64_t outer = avout__mongo_until(step->deadline_ms);
    avout_status status;
    for (int64_t pause_ms = 10;; pause_ms = pause_ms < PAUSE_MS ? pause_ms * 2 : PAUSE_MS) {
        status = call_once(step, p->clients);
        if (status != AVOUT_ECONNECTION || avout__plugin_passed(given_up)) break;
        avout__plugin_pause(pause_ms, given_up);
    }
    avout__mongo_until(outer);
    return status;
}

/* ---- failures ------------------------------------------------------------------------------------------- */

/* Numbers as in MongoDB's list of error codes. */
static avout_status status_of_server(uint32_t code)
{
    switch (code) {
    case 11000:
    case 11001: return AVOUT_EEXISTS;
    case 13: /* Unauthorized */
    case 8000: /* AtlasError */ return AVOUT_EPERM;
    case 18: /* AuthenticationFailed */
    case 11: /* UserNotFound */ return AVOUT_EAUTH;
    case 24:  /* LockTimeout */
    case 50:  /* MaxTimeMSExpired */
    case 64:  /* WriteConcernFailed */
    case 202: /* NetworkInterfaceExceededTimeLimit */
    case 262: /* ExceededTimeLimit */ return AVOUT_ETIMEOUT;
    case 6:     /* HostUnreachable */
    case 7:     /* HostNotFound */
    case 89:    /* NetworkTimeout */
    case 91:    /* ShutdownInProgress */
    case 112:   /* WriteConflict */
    case 133:   /* FailedToSatisfyReadPreference */
    case 134:   /* ReadConcernMajorityNotAvailableYet */
    case 189:   /* PrimarySteppedDown */
    case 9001:  /* SocketException */
    case 10058: /* LegacyNotPrimary */
    case 10107: /* NotWritablePrimary */
    case 11600: /* InterruptedAtShutdown */
    case 11602: /* InterruptedDueToReplStateChange */
    case 13435: /* NotPrimaryNoSecondaryOk */
    case 13436: /* NotPrimaryOrSecondary */ return AVOUT_ECONNECTION;
    case 10334: /* BSONObjectTooLarge */
    case 17419:
    case 17420: return AVOUT_ELIMIT;
    case 12501: /* QuotaExceeded */
    case 14031: /* OutOfDiskSpace */ return AVOUT_ENOSPACE;
    case 59:  /* CommandNotFound */
    case 100: /* UnsatisfiableWriteConcern */
    case 115: /* CommandNotSupported */
    case 148: /* ReadConcernMajorityNotEnabled */ return AVOUT_ENOTSUP;
    default: return AVOUT_EIO;
    }
}

/* No server was found; [what each of them failed with] stands in the message. Refused: all of them by TLS, for
 * their certificate or name, or because one of our files cannot be used. Otherwise another one might come up. */
static bool is_refused_by_tls(const char *message)
{
    const char *at = strchr(message, '[');
    for (const char *start; (start = at); at = strchr(start + 1, '[')) {
        size_t length = strcspn(start, "]");
        if (!memmem(start, length, "certificate verify failed", 25) &&
            !memmem(start, length, "initialize TLS", 14))
            return false;
    }
    return strchr(message, '[') != NULL;
}

static avout_status broken(const avout__mongo_step *step)
{
    return avout__plugin_passed(step->deadline_ms) ? AVOUT_ETIMEOUT : AVOUT_ECONNECTION;
}

static avout_status status_of(const avout__mongo_step *step, const bson_error_t *error)
{
    switch (error->domain) {
    case MONGOC_ERROR_SERVER_SELECTION:
        return is_refused_by_tls(error->message) ? AVOUT_EAUTH : AVOUT_ECONNECTION;
    case MONGOC_ERROR_STREAM: return broken(step);
    case MONGOC_ERROR_CLIENT:
        /* So it calls a connection that broke while it introduced itself, too. */
        if (error->code == MONGOC_ERROR_CLIENT_AUTHENTICATE &&
            !strncmp(error->message, "Failed to send \"", 16))
            return broken(step);
        return error->code == MONGOC_ERROR_CLIENT_AUTHENTICATE ? AVOUT_EAUTH
               : error->code == MONGOC_ERROR_CLIENT_TOO_BIG    ? AVOUT_ELIMIT
                                                               : AVOUT_EIO;
    case MONGOC_ERROR_SCRAM:
        /* After a connection that broke under it libmongoc may take the answer to one of its messages for
         * that to another. That is nobody's refusal, and over with the next connection. */
        return strstr(error->message, "unknown key") ? broken(step) : AVOUT_EAUTH;
    case MONGOC_ERROR_SASL: return AVOUT_EAUTH;
    case MONGOC_ERROR_SERVER:
    case MONGOC_ERROR_WRITE_CONCERN: return status_of_server(error->code);
    default: return AVOUT_EIO;
    }
}

avout_status avout__mongo_failed(const avout__mongo_step *step, const bson_error_t *error)
{
    const char *message = *error->message ? error->message : "libmongoc does not say why";
    return say(status_of(step, error), message, step->server->password);
}
