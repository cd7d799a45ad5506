#include "support/faulty.h"

#include <pthread.h>
#include <stdlib.h>

#include "store/store.h"
#include "support/await.h"
#include "support/test.h"

enum { SCRIPT_MAX = 64 };

static pthread_mutex_t script_lock = PTHREAD_MUTEX_INITIALIZER;
static test_faulty script[SCRIPT_MAX];
static size_t script_count, opened;

_Atomic int64_t test_faulty_session_ms;

typedef struct kept_event {
    struct kept_event *next;
    avout_node_event event;
    char path[];
} kept_event;

typedef struct faulty {
    avout_store store; /* first */
    avout_store *below;
    avout_listener listener;
    size_t index;
    pthread_mutex_t lock; /* of all below, and held from numbering to submitting */
    uint64_t submitted;   /* requests passed on, in order */
    uint64_t answered;
    bool down;
    uint64_t down_until; /* the requests up to this number are lost; then RESUMED */
    kept_event *kept, **kept_last;
} faulty;

typedef struct passed {
    faulty *handle;
    avout_request_kind kind;
    avout_done_fn done;
    void *payload;
    test_faulty fault; /* kind 0: none */
    bool cut_off;      /* submitted while down */
} passed;

void test_faulty_add(const test_faulty *fault)
{
    pthread_mutex_lock(&script_lock);
    CHECK(script_count < SCRIPT_MAX);
    script[script_count++] = *fault;
    pthread_mutex_unlock(&script_lock);
}

size_t test_faulty_left(void)
{
    pthread_mutex_lock(&script_lock);
    size_t left = script_count;
    pthread_mutex_unlock(&script_lock);
    return left;
}

/* The fault that the request meets, which is taken off the script. */
static test_faulty meet(const faulty *handle, avout_request_kind kind)
{
    test_faulty met = {0};
    pthread_mutex_lock(&script_lock);
    for (size_t i = 0; i < script_count; i++) {
        test_faulty *fault = &script[i];
        if (fault->handle && fault->handle != handle->index) continue;
        if (fault->multis && kind != AVOUT_REQUEST_MULTI) continue;
        if (fault->nth > 1) {
            fault->nth--;
        } else if (!met.kind) {
            met = *fault;
            memmove(fault, fault + 1, (--script_count - i) * sizeof *fault);
            i--;
        }
    }
    pthread_mutex_unlock(&script_lock);
    return met;
}

/* ---- delivery ------------------------------------------------------------------------------------ */

static void on_node(avout_node_event event, const char *path, void *payload)
{
    faulty *handle = payload;
    pthread_mutex_lock(&handle->lock);
    bool keep = handle->down;
    if (keep) {
        kept_event *kept = malloc(sizeof *kept + strlen(path) + 1);
        CHECK(kept);
        kept->next = NULL;
        kept->event = event;
        memcpy(kept->path, path, strlen(path) + 1);
        *handle->kept_last = kept;
        handle->kept_last = &kept->next;
    }
    pthread_mutex_unlock(&handle->lock);
    if (!keep) handle->listener.on_node(event, path, handle->listener.payload);
}

static void on_session(avout_event event, void *payload)
{
    faulty *handle = payload;
    handle->listener.on_session(event, handle->listener.payload);
}

static void on_log(avout_log_level level, const char *message, void *payload)
{
    faulty *handle = payload;
    if (handle->listener.on_log) handle->listener.on_log(level, message, handle->listener.payload);
}

static void suspend(faulty *handle)
{
    pthread_mutex_lock(&handle->lock);
    bool already = handle->down;
    if (!already) {
        handle->down = true;
        handle->down_until = handle->submitted;
    }
    pthread_mutex_unlock(&handle->lock);
    if (!already) on_session(AVOUT_EVENT_SUSPENDED, handle);
}

/* Behind each reply: when the last one that was lost has been told, the connection is back. */
static void resume_if_last(faulty *handle)
{
    pthread_mutex_lock(&handle->lock);
    handle->answered++;
    bool back = handle->down && handle->answered >= handle->down_until;
    kept_event *kept = NULL;
    if (back) {
        kept = handle->kept;
        handle->kept = NULL;
        handle->kept_last = &handle->kept;
        handle->down = false;
    }
    pthread_mutex_unlock(&handle->lock);
    if (back) on_session(AVOUT_EVENT_RESUMED, handle);
    for (kept_event *next; kept; kept = next) {
        next = kept->next;
        handle->listener.on_node(kept->event, kept->path, handle->listener.payload);
        free(kept);
    }
}

static bool is_lost(faulty *handle)
{
    pthread_mutex_lock(&handle->lock);
    bool lost = handle->down && handle->answered < handle->down_until;
    pthread_mutex_unlock(&handle->lock);
    return lost;
}

static void done(const avout_reply *reply, void *payload)
{
    passed *call = payload;
    faulty *handle = call->handle;
    const test_faulty *fault = &call->fault;
    avout_reply failure = {.status = fault->status ? fault->status : AVOUT_ECONNECTION,
                           .failed_op = SIZE_MAX,
                           .detail = "lost on purpose"};
    bool multi = call->kind == AVOUT_REQUEST_MULTI;
    bool drops = fault->kind == TEST_FAULTY_DROP_BEFORE || fault->kind == TEST_FAULTY_DROP_AFTER;
    bool closing = reply->status == AVOUT_ECLOSED;
    if (fault->kind == TEST_FAULTY_DELAY) test_pause_ms((int)fault->delay_ms);
    if (closing) {
        /* What was not passed on is not what the store below answers. */
        failure.status = AVOUT_ECLOSED;
        failure.maybe_done = multi && (reply->maybe_done || drops);
        reply = &failure;
    } else if (call->cut_off) {
        failure.status = AVOUT_ECONNECTION;
        reply = &failure;
    } else if (fault->kind == TEST_FAULTY_REFUSE) {
        reply = &failure;
    } else if (drops || is_lost(handle)) {
        if (!drops) failure.status = AVOUT_ECONNECTION;
        failure.maybe_done = multi;
        if (drops && fault->suspends) suspend(handle);
        reply = &failure;
    }
    call->done(reply, call->payload);
    resume_if_last(handle);
    free(call);
}

/* ---- the table ----------------------------------------------------------------------------------- */

static avout_status faulty_open(avout_store **store, const char *address,
                                const avout_options *options, const avout_listener *listener)
{
    faulty *handle = calloc(1, sizeof *handle);
    CHECK(handle);
    handle->store.ops = &test_faulty_ops;
    handle->listener = *listener;
    handle->kept_last = &handle->kept;
    pthread_mutex_init(&handle->lock, NULL);
    pthread_mutex_lock(&script_lock);
    handle->index = ++opened;
    pthread_mutex_unlock(&script_lock);
    avout_listener mine = {on_node, on_session, on_log, handle};
    avout_status status = avout__store_open(&handle->below, address, options, &mine);
    if (status) {
        pthread_mutex_destroy(&handle->lock);
        free(handle);
        return status;
    }
    *store = &handle->store;
    return AVOUT_OK;
}

static void faulty_close(avout_store *store)
{
    faulty *handle = (faulty *)store;
    avout__store_close(handle->below);
    for (kept_event *kept = handle->kept, *next; kept; kept = next) {
        next = kept->next;
        free(kept);
    }
    pthread_mutex_destroy(&handle->lock);
    free(handle);
}

/* A request that is not passed on becomes a sync, so that its failure comes at its place. */
static void wrap(faulty *handle, avout_request *request, const avout_request *original)
{
    passed *call = malloc(sizeof *call);
    CHECK(call);
    *call = (passed){.handle = handle,
                     .kind = original->kind,
                     .done = original->done,
                     .payload = original->payload,
                     .cut_off = handle->down};
    if (!call->cut_off) call->fault = meet(handle, original->kind);
    *request = *original;
    request->done = done;
    request->payload = call;
    bool keep_back = call->cut_off || call->fault.kind == TEST_FAULTY_REFUSE ||
                     call->fault.kind == TEST_FAULTY_DROP_BEFORE;
    if (keep_back)
        *request =
            (avout_request){.kind = AVOUT_REQUEST_SYNC, .path = "/", .done = done, .payload = call};
}

static avout_status faulty_submit(avout_store *store, const avout_request *requests, size_t count)
{
    faulty *handle = (faulty *)store;
    avout_request *copies = calloc(count ? count : 1, sizeof *copies);
    CHECK(copies);
    /* The lock keeps the numbers in the order of submission. */
    pthread_mutex_lock(&handle->lock);
    for (size_t i = 0; i < count; i++) wrap(handle, &copies[i], &requests[i]);
    avout_status status = handle->below->ops->submit(handle->below, copies, count);
    if (!status) handle->submitted += count;
    pthread_mutex_unlock(&handle->lock);
    for (size_t i = 0; status && i < count; i++) free(copies[i].payload);
    free(copies);
    return status;
}

static void faulty_info(avout_store *store, avout_store_info *info)
{
    avout_store *below = ((faulty *)store)->below;
    below->ops->info(below, info);
    if (test_faulty_session_ms) info->session_timeout_ms = test_faulty_session_ms;
}

static void faulty_unwatch(avout_store *store, const char *path)
{
    avout_store *below = ((faulty *)store)->below;
    if (below->ops->unwatch) below->ops->unwatch(below, path);
}

const avout_store_ops test_faulty_ops = {
    .version = AVOUT_STORE_OPS_VERSION,
    .size = sizeof(avout_store_ops),
    .scheme = "faulty",
    .open = faulty_open,
    .close = faulty_close,
    .submit = faulty_submit,
    .info = faulty_info,
    .unwatch = faulty_unwatch,
};
