#include "store/lmdb/handle.h"

#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/banned.h"

avout__lmdb_batch avout__lmdb_queue_closed;

/* ---- copying -------------------------------------------------------------------------------- */

static avout_status check_path(const char *path, size_t *length)
{
    *length = strlen(path);
    if (*length <= AVOUT__LMDB_PATH_MOST) return AVOUT_OK;
    return avout_fail(AVOUT_ELIMIT, "a path of %zu bytes is longer than the limit of %d", *length,
                      AVOUT__LMDB_PATH_MOST);
}

static size_t bytes_of(const avout_op *op)
{
    return op->kind == AVOUT_OP_CREATE || op->kind == AVOUT_OP_SET ? op->length : 0;
}

/* Adds what the copy of a request's parts takes. */
static avout_status measure(const avout_request *request, size_t *total)
{
    size_t length = 0, size = 0;
    avout_status status = AVOUT_OK;
    if (request->kind != AVOUT_REQUEST_MULTI) {
        if (request->path) status = check_path(request->path, &length);
        *total += length + 1;
        return status;
    }
    for (size_t i = 0; i < request->op_count; i++) {
        status = check_path(request->ops[i].path, &length);
        if (status) return status;
        if (__builtin_add_overflow(size, bytes_of(&request->ops[i]), &size)) size = SIZE_MAX / 2;
        size += length + AVOUT__LMDB_OP_OVERHEAD;
        if (size > AVOUT__LMDB_REQUEST_MOST)
            return avout_fail(AVOUT_ELIMIT,
                              "a multi of %zu bytes or more is larger than the limit of %d", size,
                              (int)AVOUT__LMDB_REQUEST_MOST);
    }
    *total += size; /* the overhead is more than the NULs */
    return AVOUT_OK;
}

static char *copy(char **room, const void *bytes, size_t length)
{
    char *at = *room;
    if (length) memcpy(at, bytes, length);
    *room += length;
    return at;
}

static void copy_request(avout__lmdb_item *item, const avout_request *request, avout_op **ops,
                         char **room)
{
    item->request = *request;
    if (request->kind != AVOUT_REQUEST_MULTI) {
        if (request->path)
            item->request.path = copy(room, request->path, strlen(request->path) + 1);
        return;
    }
    item->request.path = NULL;
    item->request.ops = *ops;
    for (size_t i = 0; i < request->op_count; i++) {
        avout_op *op = (*ops)++;
        *op = request->ops[i];
        op->path = copy(room, op->path, strlen(op->path) + 1);
        op->length = bytes_of(op);
        op->bytes = copy(room, op->bytes, op->length);
    }
}

static avout_status batch_new(avout__lmdb_batch **out, const avout__lmdb_handle *handle,
                              const avout_request *requests, size_t count)
{
    size_t bytes = 0, ops = 0;
    for (size_t i = 0; i < count; i++) {
        avout_status status = measure(&requests[i], &bytes);
        if (status) return status;
        if (requests[i].kind == AVOUT_REQUEST_MULTI) ops += requests[i].op_count;
    }
    size_t items_size = sizeof(avout__lmdb_batch) + count * sizeof(avout__lmdb_item);
    size_t ops_size = ops * sizeof(avout_op);
    avout__lmdb_batch *batch = avout__alloc(items_size + ops_size + bytes);
    if (!batch) return AVOUT_ENOMEM;
    memset(batch, 0, items_size);
    batch->count = batch->undelivered = count;
    avout_op *next_op = (avout_op *)(void *)((char *)batch + items_size);
    char *room = (char *)batch + items_size + ops_size;
    int64_t deadline_ns = avout__deadline_in_ms(handle->timeout_ms);
    for (size_t i = 0; i < count; i++) {
        batch->items[i].batch = batch;
        batch->items[i].deadline_ns = deadline_ns;
        copy_request(&batch->items[i], &requests[i], &next_op, &room);
    }
    *out = batch;
    return AVOUT_OK;
}

/* ---- the queue ------------------------------------------------------------------------------ */

static bool push(avout__lmdb_handle *handle, avout__lmdb_batch *batch)
{
    avout__lmdb_batch *head = atomic_load(&handle->queue);
    do {
        if (head == &avout__lmdb_queue_closed) return false;
        batch->next = head;
    } while (!atomic_compare_exchange_weak(&handle->queue, &head, batch));
    /* Who finds others waiting need not wake: whoever came first has. */
    if (!head) avout__lmdb_slot_wake(handle->slot);
    return true;
}

avout_status avout__lmdb_submit(avout_store *store, const avout_request *requests, size_t count)
{
    avout__lmdb_handle *handle = (avout__lmdb_handle *)store;
    if (atomic_load_explicit(&handle->forked, memory_order_relaxed))
        return avout_fail(AVOUT_EFORK, "the embedded store was opened by the parent process");
    if (count == 0) return AVOUT_OK;
    avout__lmdb_batch *batch;
    avout_status status = batch_new(&batch, handle, requests, count);
    if (status) return status;
    if (push(handle, batch)) return AVOUT_OK;
    avout__free(batch);
    return avout_fail(AVOUT_ECLOSED, "the embedded store is closed");
}

void avout__lmdb_unwatch(avout_store *store, const char *path)
{
    avout_request request = {.kind = (avout_request_kind)AVOUT__LMDB_UNWATCH, .path = path};
    /* Best effort: a watch that stays is a callback too many. */
    if (avout__lmdb_submit(store, &request, 1)) avout__error_clear();
}

void avout__lmdb_queue_close(avout__lmdb_handle *handle)
{
    atomic_store(&handle->closing, true);
    avout__lmdb_slot_wake(handle->slot);
}

bool avout__lmdb_closing(avout__lmdb_handle *handle)
{
    return atomic_load(&handle->closing);
}

static void append(avout__lmdb_handle *handle, avout__lmdb_batch *newest_first)
{
    avout__lmdb_batch *oldest = NULL;
    while (newest_first) {
        avout__lmdb_batch *next = newest_first->next;
        newest_first->next = oldest;
        oldest = newest_first;
        newest_first = next;
    }
    for (avout__lmdb_batch *batch = oldest; batch; batch = batch->next) {
        for (size_t i = 0; i < batch->count; i++) {
            *handle->last = &batch->items[i];
            handle->last = &batch->items[i].next;
        }
    }
}

bool avout__lmdb_queue_take(avout__lmdb_handle *handle)
{
    bool closing = avout__lmdb_closing(handle);
    append(handle, atomic_exchange(&handle->queue, closing ? &avout__lmdb_queue_closed : NULL));
    return !closing;
}
