/* A call that waits. What the delivery thread writes to is reference-counted, not on the caller's
 * stack: a reply may come long after the caller's deadline.
 *
 * A multi that took effect must not be reported as failed for want of memory afterwards, so the
 * room for its results is allocated before it is submitted. */
#include "store/store.h"

#include <stdatomic.h>
#include <stdint.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/futex.h"
#include "base/interrupt.h"
#include "base/banned.h"

_Thread_local bool avout__store_delivering;

typedef struct pending {
    _Atomic uint32_t references;
    avout__latch latch;
    avout__reply reply;
    size_t room; /* of reply.memory; 0 for all but multis */
} pending;

enum { SEQUENCE_DIGITS = 10, DETAIL_ROOM = 1024 };

void avout__reply_release(avout__reply *reply)
{
    avout__free(reply->memory);
    *reply = (avout__reply){0};
}

static void unref(pending *call)
{
    if (atomic_fetch_sub(&call->references, 1) != 1) return;
    avout__reply_release(&call->reply);
    avout__free(call);
}

static size_t text_size(const char *text)
{
    return text ? strlen(text) + 1 : 0;
}

static size_t copy_size(const avout_reply *reply)
{
    size_t size = text_size(reply->detail) + reply->length + 1;
    size += reply->name_count * sizeof(char *);
    for (size_t i = 0; i < reply->name_count; i++) size += text_size(reply->names[i]);
    size += reply->result_count * sizeof(avout_op_result);
    for (size_t i = 0; i < reply->result_count; i++) size += text_size(reply->results[i].path);
    return size;
}

static char *put(char **at, const void *bytes, size_t size)
{
    char *copy = *at;
    if (size) memcpy(copy, bytes, size);
    *at += size;
    return copy;
}

/* Arrays first, for their alignment. */
static void copy_into(avout_reply *to, void *memory, const avout_reply *from)
{
    char *at = memory;
    *to = *from;
    avout_op_result *results = (avout_op_result *)memory;
    put(&at, from->results, from->result_count * sizeof *results);
    const char **names = (const char **)(void *)at;
    at += from->name_count * sizeof *names;
    for (size_t i = 0; i < from->result_count; i++)
        if (from->results[i].path)
            results[i].path = put(&at, from->results[i].path, text_size(from->results[i].path));
    for (size_t i = 0; i < from->name_count; i++)
        names[i] = put(&at, from->names[i], text_size(from->names[i]));
    if (from->detail) to->detail = put(&at, from->detail, text_size(from->detail));
    if (from->bytes) {
        to->bytes = put(&at, from->bytes, from->length);
        *at = '\0';
    }
    to->results = from->result_count ? results : NULL;
    to->names = from->name_count ? names : NULL;
}

static void keep(pending *call, const avout_reply *reply)
{
    size_t size = copy_size(reply);
    if (size > call->room) {
        void *larger = avout__realloc(call->reply.memory, size);
        if (!larger) {
            bool took_effect = call->room > 0; /* a multi */
            avout_status status = reply->status || took_effect ? reply->status : AVOUT_ENOMEM;
            call->reply.is = (avout_reply){.status = status,
                                           .maybe_done = reply->maybe_done,
                                           .failed_op = reply->failed_op,
                                           .stat = reply->stat,
                                           .point = reply->point};
            return;
        }
        call->reply.memory = larger;
    }
    copy_into(&call->reply.is, call->reply.memory, reply);
}

static void done(const avout_reply *reply, void *payload)
{
    pending *call = payload;
    keep(call, reply);
    avout__latch_open(&call->latch);
    unref(call);
}

static pending *new_call(const avout_request *request)
{
    pending *call = avout__calloc(1, sizeof *call);
    if (!call) return NULL;
    atomic_store(&call->references, 1);
    if (request->kind != AVOUT_REQUEST_MULTI) return call;
    size_t room = DETAIL_ROOM + request->op_count * sizeof(avout_op_result);
    for (size_t i = 0; i < request->op_count; i++)
        room += strlen(request->ops[i].path) + SEQUENCE_DIGITS + 1;
    call->reply.memory = avout__alloc(room);
    if (!call->reply.memory) {
        unref(call);
        return NULL;
    }
    call->room = room;
    return call;
}

/* What to name when the adapter has no detail: the operation that failed, else the first. */
static const char *what(const avout_request *request, size_t failed_op)
{
    if (request->path) return request->path;
    if (failed_op < request->op_count) return request->ops[failed_op].path;
    return request->op_count ? request->ops[0].path : "store";
}

avout_status avout__store_call(avout__reply *reply, avout_store *store,
                               const avout_request *request, int64_t deadline_ns)
{
    AVOUT__ASSERT(!avout__store_delivering);
    bool multi = request->kind == AVOUT_REQUEST_MULTI;
    avout_status status;
    if (reply) *reply = (avout__reply){.is = {.failed_op = SIZE_MAX}};
    pending *call = new_call(request);
    if (!call) {
        if (reply) reply->is.status = AVOUT_ENOMEM;
        return AVOUT_ENOMEM;
    }
    avout_request mine = *request;
    mine.done = done;
    mine.payload = call;
    atomic_store(&call->references, 2);
    status = store->ops->submit(store, &mine, 1);
    if (status) {
        atomic_store(&call->references, 1);
        if (reply) reply->is.status = status;
        goto done;
    }
    if (!avout__latch_wait(&call->latch, deadline_ns)) {
        status =
            avout_fail(multi ? AVOUT_UNKNOWN : avout__late(), "%s: %s", what(request, SIZE_MAX),
                       avout__late_text("no answer from the store before the deadline"));
        if (reply) {
            reply->is.status = status;
            reply->is.maybe_done = multi;
        }
        goto done;
    }
    status = call->reply.is.status;
    if (status) {
        const char *detail = call->reply.is.detail;
        avout_fail(status, detail ? "%s" : "%s: %s",
                   detail ? detail : what(request, call->reply.is.failed_op),
                   avout_status_text(status));
    }
    if (reply) {
        *reply = call->reply;
        call->reply = (avout__reply){0};
    }
done:
    unref(call);
    return status;
}

void avout__reply_ignored(const avout_reply *reply, void *payload)
{
    (void)reply, (void)payload;
}
