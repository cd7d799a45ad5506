#include "timed.h"

#include "common/deadline.h"

/* How libmongoc connects by itself (TCP, Unix sockets, TLS). Exported, in the same form since its first
 * release, but declared in no public header: where it is hidden, streams stay untimed. */
extern mongoc_stream_t *mongoc_client_default_stream_initiator(const mongoc_uri_t *uri,
                                                               const mongoc_host_list_t *host,
                                                               void *client, bson_error_t *error)
    __attribute__((weak));

enum { STREAM_TYPE = 0x41564f55 }; /* libmongoc's own are small numbers */

typedef struct timed {
    mongoc_stream_t is; /* first */
    mongoc_stream_t *inner;
} timed;

static _Thread_local int64_t until_ms = INT64_MAX;

int64_t avout__mongo_until(int64_t deadline_ms)
{
    int64_t before = until_ms;
    until_ms = deadline_ms;
    return before;
}

/* Never 0 or less, which would be for ever. */
static int32_t cap(int32_t timeout_ms)
{
    return (int32_t)avout__plugin_left_ms(until_ms, 1, timeout_ms > 0 ? timeout_ms : INT32_MAX);
}

static mongoc_stream_t *inner_of(mongoc_stream_t *stream)
{
    return ((timed *)stream)->inner;
}

static void destroy(mongoc_stream_t *stream)
{
    mongoc_stream_destroy(inner_of(stream));
    bson_free(stream);
}

static void failed(mongoc_stream_t *stream)
{
    mongoc_stream_failed(inner_of(stream));
    bson_free(stream);
}

static int close_stream(mongoc_stream_t *stream)
{
    return mongoc_stream_close(inner_of(stream));
}

static int flush(mongoc_stream_t *stream)
{
    return mongoc_stream_flush(inner_of(stream));
}

static ssize_t writev_timed(mongoc_stream_t *stream, mongoc_iovec_t *parts, size_t count,
                            int32_t timeout_ms)
{
    return mongoc_stream_writev(inner_of(stream), parts, count, cap(timeout_ms));
}

static ssize_t readv_timed(mongoc_stream_t *stream, mongoc_iovec_t *parts, size_t count,
                           size_t at_least, int32_t timeout_ms)
{
    return mongoc_stream_readv(inner_of(stream), parts, count, at_least, cap(timeout_ms));
}

static int set_option(mongoc_stream_t *stream, int level, int name, void *value,
                      mongoc_socklen_t length)
{
    return mongoc_stream_setsockopt(inner_of(stream), level, name, value, length);
}

static bool is_closed(mongoc_stream_t *stream)
{
    return mongoc_stream_check_closed(inner_of(stream));
}

static bool has_timed_out(mongoc_stream_t *stream)
{
    return mongoc_stream_timed_out(inner_of(stream));
}

static bool should_retry(mongoc_stream_t *stream)
{
    return mongoc_stream_should_retry(inner_of(stream));
}

/* libmongoc polls the streams of one client together, and they are all of this kind. */
static ssize_t poll_streams(mongoc_stream_poll_t *streams, size_t count, int32_t timeout_ms)
{
    mongoc_stream_poll_t *inner = bson_malloc0(count * sizeof *inner);
    for (size_t i = 0; i < count; i++)
        inner[i] = (mongoc_stream_poll_t){inner_of(streams[i].stream), streams[i].events, 0};
    ssize_t ready = mongoc_stream_poll(inner, count, cap(timeout_ms));
    for (size_t i = 0; i < count; i++) streams[i].revents = inner[i].revents;
    bson_free(inner);
    return ready;
}

static mongoc_stream_t *connect_timed(const mongoc_uri_t *uri, const mongoc_host_list_t *host,
                                      void *client, bson_error_t *error)
{
    mongoc_uri_t *own = mongoc_uri_copy(uri);
    int32_t timeout_ms = mongoc_uri_get_option_as_int32(own, MONGOC_URI_CONNECTTIMEOUTMS, 0);
    mongoc_uri_set_option_as_int32(own, MONGOC_URI_CONNECTTIMEOUTMS, cap(timeout_ms));
    mongoc_stream_t *inner = mongoc_client_default_stream_initiator(own, host, client, error);
    mongoc_uri_destroy(own);
    if (!inner) return NULL;
    timed *stream = bson_malloc0(sizeof *stream);
    stream->is = (mongoc_stream_t){
        .type = STREAM_TYPE,
        .destroy = destroy,
        .close = close_stream,
        .flush = flush,
        .writev = writev_timed,
        .readv = readv_timed,
        .setsockopt = set_option,
        .get_base_stream = inner_of,
        .check_closed = is_closed,
        .poll = poll_streams,
        .failed = failed,
        .timed_out = has_timed_out,
        .should_retry = should_retry,
    };
    stream->inner = inner;
    return &stream->is;
}

bool avout__mongo_can_time(void)
{
    return mongoc_client_default_stream_initiator != NULL;
}

void avout__mongo_time(mongoc_client_t *client)
{
    if (avout__mongo_can_time()) mongoc_client_set_stream_initiator(client, connect_timed, client);
}
