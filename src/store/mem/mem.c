/* The mem adapter's handles: opening and closing, submitting, the server's thread of a tree and the
 * delivery thread of a handle. */
#include "store/mem/mem.h"

#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/thread.h"
#include "store/mem/world.h"
#include "store/store.h"
#include "base/banned.h"

enum { FIRST_SESSION = 0x1000, FIRST_POINT = 100 };

/* The trees of this process, and of those it was forked from, which are not touched. */
static pthread_mutex_t registry = PTHREAD_MUTEX_INITIALIZER;
static avout__link worlds;
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* ---- delivery ------------------------------------------------------------------------------------ */

void avout__mem_item_free(mem_item *item)
{
    if (item->kind == MEM_REPLY) avout__mem_call_free((mem_call *)item);
    else avout__free(item);
}

void avout__mem_enqueue(mem_handle *handle, mem_item *item)
{
    item->sequence = handle->next_sequence++;
    avout__list_append(&handle->outbound, &item->link);
    pthread_cond_signal(&handle->wake);
    pthread_cond_broadcast(&handle->world->changed);
}

static void deliver(mem_handle *handle, mem_item *item)
{
    const avout_listener *listener = &handle->listener;
    switch (item->kind) {
    case MEM_REPLY: {
        mem_call *call = (mem_call *)item;
        call->done(&call->reply, call->payload);
        break;
    }
    case MEM_NODE_EVENT: {
        mem_watch *watch = (mem_watch *)item;
        if (listener->on_node)
            listener->on_node(watch->event, watch->entry.path, listener->payload);
        break;
    }
    case MEM_SESSION_EVENT:
        if (listener->on_session)
            listener->on_session(((mem_session_item *)item)->event, listener->payload);
        break;
    }
}

static mem_item *next_item(mem_handle *handle)
{
    if (avout__list_empty(&handle->outbound)) return NULL;
    mem_item *item = AVOUT__LINK_OF(handle->outbound.next, mem_item, link);
    return item->sequence < handle->hold_from ? item : NULL;
}

static void *deliver_all(void *payload)
{
    mem_handle *handle = payload;
    pthread_mutex_t *lock = &handle->world->lock;
    avout__store_delivering = true;
    pthread_mutex_lock(lock);
    for (;;) {
        mem_item *item = next_item(handle);
        if (item) {
            avout__link_remove(&item->link);
            pthread_mutex_unlock(lock);
            deliver(handle, item);
            avout__mem_item_free(item);
            pthread_mutex_lock(lock);
        } else if (handle->closing) {
            break;
        } else {
            pthread_cond_wait(&handle->wake, lock);
        }
    }
    pthread_mutex_unlock(lock);
    return NULL;
}

/* ---- the server ------------------------------------------------------------------------------------ */

static void wait_until(mem_world *world, int64_t due_ns)
{
    if (due_ns == AVOUT__NEVER) {
        pthread_cond_wait(&world->wake, &world->lock);
        return;
    }
    struct timespec until = {.tv_sec = (time_t)(due_ns / 1000000000),
                             .tv_nsec = (long)(due_ns % 1000000000)};
    pthread_cond_timedwait(&world->wake, &world->lock, &until);
}

/* One request of each handle in turn: the handles' requests interleave as on a real server. */
static void *serve_all(void *payload)
{
    mem_world *world = payload;
    pthread_mutex_lock(&world->lock);
    while (!world->stop) {
        int64_t now = avout__now_ns(), due = AVOUT__NEVER;
        bool busy = false;
        AVOUT__LIST_EACH(link, &world->handles)
        busy |= avout__mem_step(AVOUT__LINK_OF(link, mem_handle, link), now, &due);
        if (busy) {
            /* Let others in between. */
            pthread_mutex_unlock(&world->lock);
            pthread_mutex_lock(&world->lock);
        } else {
            wait_until(world, due);
        }
    }
    pthread_mutex_unlock(&world->lock);
    return NULL;
}

/* ---- worlds ------------------------------------------------------------------------------------------ */

static void before_fork(void)
{
    pthread_mutex_lock(&registry);
}

static void after_fork(void)
{
    pthread_mutex_unlock(&registry);
}

static void begin(void)
{
    avout__list_init(&worlds);
    pthread_atfork(before_fork, after_fork, after_fork);
}

static void world_free(mem_world *world)
{
    AVOUT__LIST_EACH(link, &world->faults)
    avout__mem_scripted_free(AVOUT__LINK_OF(link, mem_scripted, link));
    AVOUT__LIST_EACH(link, &world->late) avout__mem_body_free(AVOUT__LINK_OF(link, mem_body, link));
    avout__mem_tree_release(world);
    pthread_cond_destroy(&world->wake);
    pthread_cond_destroy(&world->changed);
    pthread_mutex_destroy(&world->lock);
    avout__free(world->name);
    avout__free(world);
}

static void init_clocked(pthread_cond_t *condition)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(condition, &attributes);
    pthread_condattr_destroy(&attributes);
}

static avout_status world_new(mem_world **out, const char *name)
{
    avout_status status = AVOUT_ENOMEM;
    mem_world *world = avout__calloc(1, sizeof *world);
    if (!world) return status;
    pthread_mutex_init(&world->lock, NULL);
    init_clocked(&world->wake);
    init_clocked(&world->changed);
    avout__list_init(&world->handles);
    avout__list_init(&world->faults);
    avout__list_init(&world->late);
    world->pid = getpid();
    world->users = 1;
    world->point = FIRST_POINT;
    world->next_session = FIRST_SESSION;
    world->max_request = AVOUT__MEM_MAX_REQUEST;
    world->name = avout__strdup(name);
    if (!world->name || avout__mem_tree_init(world)) goto failed;
    status = avout__thread_start(&world->thread, serve_all, world);
    if (status) goto failed;
    *out = world;
    return AVOUT_OK;
failed:
    world_free(world);
    return status;
}

static mem_world *find_world(const char *name)
{
    AVOUT__LIST_EACH(link, &worlds)
    {
        mem_world *world = AVOUT__LINK_OF(link, mem_world, link);
        if (world->pid == getpid() && !strcmp(world->name, name)) return world;
    }
    return NULL;
}

static avout_status world_get(mem_world **out, const char *name)
{
    avout_status status = AVOUT_OK;
    pthread_once(&once, begin);
    pthread_mutex_lock(&registry);
    *out = find_world(name);
    if (*out) (*out)->users++;
    else if (!(status = world_new(out, name))) avout__list_append(&worlds, &(*out)->link);
    pthread_mutex_unlock(&registry);
    return status;
}

static void world_put(mem_world *world)
{
    pthread_mutex_lock(&registry);
    bool last = --world->users == 0;
    if (last) avout__link_remove(&world->link);
    pthread_mutex_unlock(&registry);
    if (!last) return;
    pthread_mutex_lock(&world->lock);
    world->stop = true;
    pthread_cond_signal(&world->wake);
    pthread_mutex_unlock(&world->lock);
    pthread_join(world->thread, NULL);
    world_free(world);
}

avout_store *avout__mem_handle(const char *name, size_t index)
{
    avout_store *found = NULL;
    pthread_once(&once, begin);
    pthread_mutex_lock(&registry);
    mem_world *world = find_world(name);
    if (world) {
        pthread_mutex_lock(&world->lock);
        AVOUT__LIST_EACH(link, &world->handles)
        {
            mem_handle *handle = AVOUT__LINK_OF(link, mem_handle, link);
            if (handle->index == index) found = &handle->store;
        }
        pthread_mutex_unlock(&world->lock);
    }
    pthread_mutex_unlock(&registry);
    return found;
}

/* ---- handles ------------------------------------------------------------------------------------------- */

static mem_handle *handle_new(mem_world *world, const avout_listener *listener)
{
    mem_handle *handle = avout__calloc(1, sizeof *handle);
    mem_session_item *connected = avout__calloc(1, sizeof *connected);
    if (!handle || !connected) {
        avout__free(handle);
        avout__free(connected);
        return NULL;
    }
    handle->store.ops = &avout__mem_ops;
    handle->world = world;
    handle->pid = getpid();
    if (listener) handle->listener = *listener;
    pthread_cond_init(&handle->wake, NULL);
    avout__list_init(&handle->inbound);
    avout__list_init(&handle->outbound);
    avout__list_init(&handle->missed);
    avout__list_init(&handle->watches);
    handle->hold_from = UINT64_MAX;
    handle->reconnect_ns = AVOUT__NEVER;
    connected->item.kind = MEM_SESSION_EVENT;
    connected->event = AVOUT_EVENT_CONNECTED;
    avout__list_append(&handle->outbound, &connected->item.link);
    return handle;
}

static void free_items(avout__link *list)
{
    AVOUT__LIST_EACH(link, list) avout__mem_item_free(AVOUT__LINK_OF(link, mem_item, link));
    avout__list_init(list);
}

static void handle_free(mem_handle *handle)
{
    free_items(&handle->inbound);
    free_items(&handle->outbound);
    free_items(&handle->missed);
    pthread_cond_destroy(&handle->wake);
    avout__free(handle);
}

static avout_status mem_open(avout_store **store, const char *address, const avout_options *options,
                             const avout_listener *listener)
{
    (void)options; /* nothing in them can matter to a store without a wire or a disk */
    mem_world *world;
    *store = NULL;
    avout_status status = world_get(&world, address);
    if (status) return status;
    mem_handle *handle = handle_new(world, listener);
    if (!handle) {
        world_put(world);
        return AVOUT_ENOMEM;
    }
    handle->next_sequence = 1; /* behind CONNECTED */
    pthread_mutex_lock(&world->lock);
    avout_status started = avout__thread_start(&handle->thread, deliver_all, handle);
    if (!started) {
        handle->index = world->next_index++;
        handle->session = world->next_session++;
        avout__list_append(&world->handles, &handle->link);
    }
    pthread_mutex_unlock(&world->lock);
    if (started) {
        handle_free(handle);
        world_put(world);
        return started;
    }
    *store = &handle->store;
    return AVOUT_OK;
}

static void forget_scripts(mem_handle *handle)
{
    AVOUT__LIST_EACH(link, &handle->world->faults)
    {
        mem_scripted *scripted = AVOUT__LINK_OF(link, mem_scripted, link);
        if (scripted->handle != handle) continue;
        avout__link_remove(link);
        avout__mem_scripted_free(scripted);
    }
}

static void mem_close(avout_store *store)
{
    mem_handle *handle = (mem_handle *)store;
    mem_world *world = handle->world;
    if (handle->pid != getpid()) {
        /* The threads are not here and may have been in the middle of the lists. */
        avout__free(handle);
        return;
    }
    AVOUT__ASSERT(!pthread_equal(pthread_self(), handle->thread));
    pthread_mutex_lock(&world->lock);
    handle->closing = true;
    handle->hold_from = UINT64_MAX;
    AVOUT__LIST_EACH(link, &handle->inbound)
    {
        mem_call *call = AVOUT__LINK_OF(link, mem_call, item.link);
        avout__link_remove(link);
        avout__mem_call_fail(call, AVOUT_ECLOSED, false);
        avout__mem_enqueue(handle, &call->item);
    }
    avout__mem_forget_watches(handle);
    int64_t session = handle->session;
    handle->session = 0;
    avout__link_remove(&handle->link);
    if (session) avout__mem_end_session(world, session);
    forget_scripts(handle);
    pthread_cond_signal(&handle->wake);
    pthread_mutex_unlock(&world->lock);
    pthread_join(handle->thread, NULL);
    handle_free(handle);
    world_put(world);
}

static avout_status check_sizes(const mem_world *world, const avout_request *requests, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const avout_request *request = &requests[i];
        size_t size = avout__mem_request_size(request);
        if (size <= world->max_request) continue;
        const char *path = request->path ? request->path : request->ops[0].path;
        return avout_fail(AVOUT_ELIMIT, "%s: request of %zu bytes, the store's limit is %zu", path,
                          size, world->max_request);
    }
    return AVOUT_OK;
}

static avout_status mem_submit(avout_store *store, const avout_request *requests, size_t count)
{
    mem_handle *handle = (mem_handle *)store;
    if (handle->pid != getpid())
        return avout_fail(AVOUT_EFORK, "mem: the handle was opened by process %ld",
                          (long)handle->pid);
    mem_world *world = handle->world;
    avout__link run;
    avout__list_init(&run);
    avout_status status = AVOUT_OK;
    for (size_t i = 0; i < count && !status; i++) {
        mem_call *call = avout__mem_call_new(&requests[i]);
        if (call) avout__list_append(&run, &call->item.link);
        else status = AVOUT_ENOMEM;
    }
    pthread_mutex_lock(&world->lock);
    if (!status && handle->closing) status = avout_fail(AVOUT_ECLOSED, "mem: the handle is closed");
    if (!status) status = check_sizes(world, requests, count);
    if (!status && handle->state == MEM_CONNECTED) {
        avout__list_splice(&handle->inbound, &run);
        pthread_cond_signal(&world->wake);
        if (handle->hold_requests) pthread_cond_broadcast(&world->changed);
    } else if (!status) {
        AVOUT__LIST_EACH(link, &run)
        {
            mem_call *call = AVOUT__LINK_OF(link, mem_call, item.link);
            avout__link_remove(link);
            avout__mem_call_fail(call, AVOUT_ECONNECTION, false);
            avout__mem_enqueue(handle, &call->item);
        }
    }
    pthread_mutex_unlock(&world->lock);
    free_items(&run);
    return status;
}

static void mem_info(avout_store *store, avout_store_info *info)
{
    mem_handle *handle = (mem_handle *)store;
    pthread_mutex_lock(&handle->world->lock);
    *info = (avout_store_info){
        .session = handle->session,
        .session_timeout_ms = AVOUT_FOREVER,
        .max_request = handle->world->max_request,
        .max_armed = handle->world->max_armed,
        .op_overhead = MEM_OP_OVERHEAD,
    };
    pthread_mutex_unlock(&handle->world->lock);
}

static void mem_unwatch(avout_store *store, const char *path)
{
    mem_handle *handle = (mem_handle *)store;
    pthread_mutex_lock(&handle->world->lock);
    for (int children = 0; children < 2; children++) {
        mem_watch *watch = avout__mem_armed(handle, path, children);
        if (!watch) continue;
        avout__mem_disarm(watch);
        avout__mem_item_free(&watch->item);
    }
    pthread_mutex_unlock(&handle->world->lock);
}

const avout_store_ops avout__mem_ops = {
    .version = AVOUT_STORE_OPS_VERSION,
    .size = sizeof(avout_store_ops),
    .scheme = "mem",
    .open = mem_open,
    .close = mem_close,
    .submit = mem_submit,
    .info = mem_info,
    .unwatch = mem_unwatch,
};
