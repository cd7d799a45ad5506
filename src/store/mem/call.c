/* One request: its copy, what serving it does, and its reply. */
#include "store/mem/world.h"

#include <stdint.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/banned.h"

static void op_release(mem_op *op)
{
    avout__free(op->path);
    avout__mem_blob_unref(op->blob);
    avout__mem_node_free(op->fresh);
}

void avout__mem_body_free(mem_body *body)
{
    if (!body) return;
    for (size_t i = 0; i < body->op_count; i++) op_release(&body->ops[i]);
    avout__free(body->ops);
    avout__free(body->results);
    avout__free(body);
}

void avout__mem_call_free(mem_call *call)
{
    if (!call) return;
    avout__mem_body_free(call->body);
    avout__free(call->path);
    avout__free(call->detail);
    avout__free(call->names);
    avout__mem_blob_unref(call->blob);
    if (call->watch) avout__mem_item_free(&call->watch->item);
    avout__free(call);
}

static avout_status op_copy(mem_op *to, const avout_op *from)
{
    to->kind = from->kind;
    to->version = from->version;
    to->base_length = strlen(from->path);
    to->path = avout__alloc(to->base_length + MEM_SEQUENCE_DIGITS + 1);
    if (!to->path) return AVOUT_ENOMEM;
    memcpy(to->path, from->path, to->base_length + 1);
    if (from->kind == AVOUT_OP_CREATE) {
        to->ephemeral = from->ephemeral;
        to->sequential = from->sequential;
        to->fresh = avout__mem_node_new(from->path, MEM_SEQUENCE_DIGITS);
        if (!to->fresh) return AVOUT_ENOMEM;
    }
    if (from->kind == AVOUT_OP_CREATE || from->kind == AVOUT_OP_SET) {
        to->blob = avout__mem_blob_new(from->bytes, from->length);
        if (!to->blob) return AVOUT_ENOMEM;
    }
    return AVOUT_OK;
}

static mem_body *body_new(const avout_request *request)
{
    mem_body *body = avout__calloc(1, sizeof *body);
    if (!body) return NULL;
    body->ops = avout__calloc(request->op_count, sizeof *body->ops);
    body->results = avout__calloc(request->op_count, sizeof *body->results);
    if (!body->ops || !body->results) goto failed;
    for (size_t i = 0; i < request->op_count; i++) {
        body->op_count = i + 1; /* what op_copy leaves half done is released too */
        if (op_copy(&body->ops[i], &request->ops[i])) goto failed;
    }
    return body;
failed:
    avout__mem_body_free(body);
    return NULL;
}

static mem_watch *watch_new(const avout_request *request)
{
    size_t length = strlen(request->path);
    mem_watch *watch = avout__calloc(1, sizeof *watch + length + 1);
    if (!watch) return NULL;
    watch->item.kind = MEM_NODE_EVENT;
    watch->children = request->kind == AVOUT_REQUEST_LIST;
    watch->entry.path = (char *)(watch + 1);
    memcpy(watch->entry.path, request->path, length + 1);
    return watch;
}

mem_call *avout__mem_call_new(const avout_request *request)
{
    mem_call *call = avout__calloc(1, sizeof *call);
    if (!call) return NULL;
    call->item.kind = MEM_REPLY;
    call->kind = request->kind;
    call->done = request->done;
    call->payload = request->payload;
    call->reply.failed_op = SIZE_MAX;
    bool whole;
    if (request->kind == AVOUT_REQUEST_MULTI) {
        call->body = body_new(request);
        whole = call->body != NULL;
    } else {
        call->path = request->path ? avout__strdup(request->path) : NULL;
        bool watch = request->watch && request->kind != AVOUT_REQUEST_SYNC;
        whole = call->path || !request->path;
        if (whole && watch) whole = (call->watch = watch_new(request)) != NULL;
    }
    if (whole) return call;
    avout__mem_call_free(call);
    return NULL;
}

size_t avout__mem_request_size(const avout_request *request)
{
    size_t size = 0;
    if (request->kind != AVOUT_REQUEST_MULTI) return request->path ? strlen(request->path) : 0;
    for (size_t i = 0; i < request->op_count; i++)
        size += MEM_OP_OVERHEAD + strlen(request->ops[i].path) + request->ops[i].length;
    return size;
}

bool avout__mem_call_names(const mem_call *call, const char *path)
{
    if (call->path) return !strcmp(call->path, path);
    for (size_t i = 0; call->body && i < call->body->op_count; i++)
        if (!strcmp(call->body->ops[i].path, path)) return true;
    return false;
}

/* ---- serving ------------------------------------------------------------------------------------- */

void avout__mem_call_fail(mem_call *call, avout_status status, bool maybe_done)
{
    avout__free(call->detail);
    call->detail = NULL;
    call->reply = (avout_reply){
        .status = status,
        .maybe_done = maybe_done && call->kind == AVOUT_REQUEST_MULTI,
        .failed_op = SIZE_MAX,
    };
}

static void serve_multi(mem_handle *handle, mem_call *call)
{
    mem_world *world = handle->world;
    avout_reply *reply = &call->reply;
    call->body->session = handle->session;
    reply->status = avout__mem_apply(world, call->body, &reply->failed_op, &call->detail);
    reply->detail = call->detail;
    if (reply->status) {
        handle->counters.refused++;
        return;
    }
    reply->results = call->body->results;
    reply->result_count = call->body->op_count;
    for (size_t i = 0; i < reply->result_count; i++)
        if (reply->results[i].has_stat) reply->point = world->point;
}

static avout_status list_names(mem_call *call, const mem_node *node)
{
    size_t count = (size_t)node->child_count, size = count * sizeof(char *);
    AVOUT__LIST_EACH(link, &node->children)
    size += strlen(AVOUT__LINK_OF(link, mem_node, sibling)->entry.path) + 1;
    call->names = avout__alloc(size);
    if (!call->names) return AVOUT_ENOMEM;
    char *at = (char *)(call->names + count);
    size_t i = 0;
    AVOUT__LIST_EACH(link, &node->children)
    {
        const char *name = strrchr(AVOUT__LINK_OF(link, mem_node, sibling)->entry.path, '/') + 1;
        size_t length = strlen(name) + 1;
        call->names[i++] = memcpy(at, name, length);
        at += length;
    }
    call->reply.names = call->names;
    call->reply.name_count = count;
    return AVOUT_OK;
}

static void serve_read(mem_handle *handle, mem_call *call)
{
    avout_reply *reply = &call->reply;
    mem_node *node = avout__mem_find(handle->world, call->path);
    if (!node) {
        reply->status = AVOUT_ENOTFOUND;
        reply->detail = call->detail = avout__format("%s: does not exist", call->path);
    } else {
        avout__mem_stat(node, &reply->stat);
        reply->stat.watchers = avout__mem_watchers(handle->world, call->path);
        if (call->kind == AVOUT_REQUEST_LIST) reply->status = list_names(call, node);
        if (call->kind == AVOUT_REQUEST_GET) {
            call->blob = node->blob;
            atomic_fetch_add(&call->blob->references, 1);
            reply->bytes = call->blob->bytes;
            reply->length = call->blob->length;
        }
    }
    bool arms = reply->status == AVOUT_OK ||
                (reply->status == AVOUT_ENOTFOUND && call->kind == AVOUT_REQUEST_EXISTS);
    if (!call->watch || !arms) return;
    /* The reply is queued next, so this will be its number. */
    call->watch->armed_by = handle->next_sequence;
    avout__mem_arm(handle, call->watch);
    call->watch = NULL;
}

void avout__mem_serve(mem_handle *handle, mem_call *call)
{
    if (call->kind == AVOUT_REQUEST_MULTI) serve_multi(handle, call);
    else if (call->kind != AVOUT_REQUEST_SYNC) serve_read(handle, call);
}
