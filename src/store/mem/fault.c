/* The mem adapter's bad times, and the connection's states:
 *
 *     CONNECTED --lose--> SUSPENDED --reconnect--> CONNECTED     SUSPENDED, RESUMED
 *         |                   |
 *         +------expire-------+----> EXPIRED --reconnect--> CONNECTED     LOST, REESTABLISHED
 *
 * While SUSPENDED the session lives: its ephemeral nodes stay, its watches fire into `missed`.
 * Every arrow needs an item to tell it; without memory for that it is tried again shortly. */
#include "store/mem/world.h"

#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/banned.h"

enum { TRY_AGAIN_NS = 1000000 };

static mem_session_item *session_item(avout_event event)
{
    mem_session_item *item = avout__calloc(1, sizeof *item);
    if (!item) return NULL;
    item->item.kind = MEM_SESSION_EVENT;
    item->event = event;
    return item;
}

void avout__mem_forget_watches(mem_handle *handle)
{
    AVOUT__LIST_EACH(link, &handle->watches)
    {
        mem_watch *watch = AVOUT__LINK_OF(link, mem_watch, link);
        avout__mem_disarm(watch);
        avout__mem_item_free(&watch->item);
    }
    AVOUT__LIST_EACH(link, &handle->missed)
    avout__mem_item_free(AVOUT__LINK_OF(link, mem_item, link));
    avout__list_init(&handle->missed);
}

/* ---- CONNECTED -> SUSPENDED, EXPIRED ------------------------------------------------------------- */

/* What was held had not reached the client: replies turn into failures, events into missed ones.
 * A watch that only a held reply would have told of was never armed as far as the client knows. */
static void lose_held(mem_handle *handle)
{
    uint64_t from = handle->hold_from;
    handle->hold_from = UINT64_MAX;
    handle->hold_requests = false;
    if (from == UINT64_MAX) return;
    AVOUT__LIST_EACH(link, &handle->watches)
    {
        mem_watch *watch = AVOUT__LINK_OF(link, mem_watch, link);
        if (watch->armed_by < from) continue;
        avout__mem_disarm(watch);
        avout__mem_item_free(&watch->item);
    }
    AVOUT__LIST_EACH(link, &handle->outbound)
    {
        mem_item *item = AVOUT__LINK_OF(link, mem_item, link);
        if (item->sequence < from) continue;
        if (item->kind == MEM_REPLY) {
            avout__mem_call_fail((mem_call *)item, AVOUT_ECONNECTION, true);
        } else if (item->kind == MEM_NODE_EVENT) {
            avout__link_remove(link);
            if (((mem_watch *)item)->armed_by < from) avout__list_append(&handle->missed, link);
            else avout__mem_item_free(item);
        }
    }
    pthread_cond_signal(&handle->wake);
}

static void fail_inbound(mem_handle *handle, avout_status status)
{
    AVOUT__LIST_EACH(link, &handle->inbound)
    {
        mem_call *call = AVOUT__LINK_OF(link, mem_call, item.link);
        avout__link_remove(link);
        avout__mem_call_fail(call, status, true);
        avout__mem_enqueue(handle, &call->item);
    }
}

static void plan_reconnect(mem_handle *handle)
{
    handle->reconnect_ns = handle->reconnect_after_ms == AVOUT_FOREVER
                               ? AVOUT__NEVER
                               : avout__deadline_in_ms(handle->reconnect_after_ms);
    pthread_cond_signal(&handle->world->wake);
}

/* The first of the waiting multis takes effect, or all of them, unseen by the client. */
static void apply_unseen(mem_handle *handle, bool all)
{
    AVOUT__LIST_EACH(link, &handle->inbound)
    {
        mem_call *call = AVOUT__LINK_OF(link, mem_call, item.link);
        if (call->kind == AVOUT_REQUEST_MULTI) avout__mem_serve(handle, call);
        if (!all) return;
    }
}

static void make_late(mem_handle *handle, mem_call *call)
{
    mem_body *body = call->body;
    if (!body) return;
    body->session = handle->session;
    body->late = call->fault.late;
    call->body = NULL;
    avout__list_append(&handle->world->late, &body->link);
}

/* `call`: the first waiting request, with the fault that brings this about, or NULL. */
static avout_status lose(mem_handle *handle, mem_call *call)
{
    if (handle->state != MEM_CONNECTED) return AVOUT_OK;
    mem_session_item *suspended = session_item(AVOUT_EVENT_SUSPENDED);
    if (!suspended) return AVOUT_ENOMEM;
    lose_held(handle);
    handle->state = MEM_SUSPENDED;
    avout__mem_fault_kind kind = call ? call->fault.kind : AVOUT__MEM_LOSE_BEFORE;
    if (kind == AVOUT__MEM_LOSE_AFTER || kind == AVOUT__MEM_EXPIRE_AFTER)
        apply_unseen(handle, call->fault.behind);
    if (kind == AVOUT__MEM_LOSE_LATE) make_late(handle, call);
    avout__mem_enqueue(handle, &suspended->item);
    fail_inbound(handle, AVOUT_ECONNECTION);
    plan_reconnect(handle);
    return AVOUT_OK;
}

static avout_status expire(mem_handle *handle, mem_call *call)
{
    if (handle->state == MEM_EXPIRED) return AVOUT_OK;
    mem_session_item *lost = session_item(AVOUT_EVENT_LOST);
    avout_status status = lost ? lose(handle, call) : AVOUT_ENOMEM;
    if (status) {
        avout__free(lost);
        return status;
    }
    handle->state = MEM_EXPIRED;
    avout__mem_forget_watches(handle);
    int64_t session = handle->session;
    handle->session = 0;
    avout__mem_end_session(handle->world, session);
    avout__mem_enqueue(handle, &lost->item);
    plan_reconnect(handle);
    return AVOUT_OK;
}

/* ---- back to CONNECTED --------------------------------------------------------------------------- */

static avout_status reconnect(mem_handle *handle)
{
    if (handle->state == MEM_CONNECTED) return AVOUT_OK;
    size_t max = handle->world->max_armed;
    if (handle->state == MEM_SUSPENDED && max && handle->counters.armed_bytes > max)
        return expire(handle, NULL);
    bool resumed = handle->state == MEM_SUSPENDED;
    mem_session_item *item =
        session_item(resumed ? AVOUT_EVENT_RESUMED : AVOUT_EVENT_REESTABLISHED);
    if (!item) return AVOUT_ENOMEM;
    if (!resumed) handle->session = handle->world->next_session++;
    handle->state = MEM_CONNECTED;
    handle->reconnect_ns = AVOUT__NEVER;
    avout__mem_enqueue(handle, &item->item);
    AVOUT__LIST_EACH(link, &handle->missed)
    {
        avout__link_remove(link);
        avout__mem_enqueue(handle, AVOUT__LINK_OF(link, mem_item, link));
    }
    return AVOUT_OK;
}

/* ---- the script ------------------------------------------------------------------------------------ */

void avout__mem_scripted_free(mem_scripted *scripted)
{
    avout__free(scripted->path);
    avout__free(scripted);
}

static bool counts_for(const mem_scripted *scripted, const mem_handle *handle, const mem_call *call)
{
    if (scripted->handle && scripted->handle != handle) return false;
    if (scripted->fault.multis && call->kind != AVOUT_REQUEST_MULTI) return false;
    return !scripted->path || avout__mem_call_names(call, scripted->path);
}

/* Lets the request count, once, for each fault that waits for its like. */
static void meet_faults(mem_handle *handle, mem_call *call)
{
    AVOUT__LIST_EACH(link, &handle->world->faults)
    {
        mem_scripted *scripted = AVOUT__LINK_OF(link, mem_scripted, link);
        avout__mem_fault *fault = &scripted->fault;
        if (!counts_for(scripted, handle, call)) continue;
        if (fault->nth > 1) {
            fault->nth--;
            continue;
        }
        if (fault->kind == AVOUT__MEM_DELAY) {
            if (call->due_ns) continue;
            call->due_ns = avout__deadline_in_ms(fault->delay_ms);
        } else {
            if (call->fault.kind) continue;
            call->fault = *fault;
        }
        avout__link_remove(link);
        avout__mem_scripted_free(scripted);
    }
}

static void count(avout__mem_counters *counters, avout_request_kind kind)
{
    counters->requests++;
    switch (kind) {
    case AVOUT_REQUEST_MULTI: counters->multis++; break;
    case AVOUT_REQUEST_GET:
    case AVOUT_REQUEST_EXISTS: counters->reads++; break;
    case AVOUT_REQUEST_LIST: counters->lists++; break;
    case AVOUT_REQUEST_SYNC: counters->syncs++; break;
    }
}

/* ---- late multis ----------------------------------------------------------------------------------- */

static void arrive(mem_world *world, mem_body *body)
{
    size_t failed_op;
    char *detail = NULL;
    avout__link_remove(&body->link);
    avout__mem_apply(world, body, &failed_op, &detail);
    avout__free(detail);
    avout__mem_body_free(body);
}

static bool share_a_path(const mem_body *body, const mem_call *call)
{
    for (size_t i = 0; i < body->op_count; i++)
        if (avout__mem_call_names(call, body->ops[i].path)) return true;
    return false;
}

static void let_arrive(mem_world *world, const mem_call *call, avout__mem_late when)
{
    AVOUT__LIST_EACH(link, &world->late)
    {
        mem_body *body = AVOUT__LINK_OF(link, mem_body, link);
        if (body->late == when && share_a_path(body, call)) arrive(world, body);
    }
}

/* ---- one step of the server ------------------------------------------------------------------------ */

static void answer(mem_handle *handle, mem_call *call)
{
    mem_world *world = handle->world;
    if (call->fault.kind == AVOUT__MEM_HOLD_REPLY && handle->hold_from == UINT64_MAX)
        handle->hold_from = handle->next_sequence;
    avout__link_remove(&call->item.link);
    let_arrive(world, call, AVOUT__MEM_LATE_BEFORE_NEXT);
    if (call->fault.kind == AVOUT__MEM_FAIL) {
        avout__mem_call_fail(call, call->fault.status, false);
        call->reply.failed_op = call->fault.failed_op;
    } else {
        avout__mem_serve(handle, call);
    }
    avout__mem_enqueue(handle, &call->item);
    if (call->kind == AVOUT_REQUEST_MULTI) let_arrive(world, call, AVOUT__MEM_LATE_AFTER_NEXT);
}

static bool later(int64_t due_ns, int64_t *due)
{
    if (due_ns < *due) *due = due_ns;
    return false;
}

static bool step_reconnect(mem_handle *handle, int64_t now_ns, int64_t *due_ns)
{
    if (handle->reconnect_ns > now_ns) return later(handle->reconnect_ns, due_ns);
    if (reconnect(handle)) return later(now_ns + TRY_AGAIN_NS, due_ns);
    return true;
}

static bool step_request(mem_handle *handle, mem_call *call, int64_t now_ns, int64_t *due_ns)
{
    avout_status status = AVOUT_OK;
    switch (call->fault.kind) {
    case AVOUT__MEM_HOLD_REQUEST:
        call->fault.kind = 0;
        handle->hold_requests = true;
        pthread_cond_broadcast(&handle->world->changed);
        break;
    case AVOUT__MEM_LOSE_BEFORE:
    case AVOUT__MEM_LOSE_AFTER:
    case AVOUT__MEM_LOSE_LATE: status = lose(handle, call); break;
    case AVOUT__MEM_EXPIRE_BEFORE:
    case AVOUT__MEM_EXPIRE_AFTER: status = expire(handle, call); break;
    default: answer(handle, call); break;
    }
    return status ? later(now_ns + TRY_AGAIN_NS, due_ns) : true;
}

bool avout__mem_step(mem_handle *handle, int64_t now_ns, int64_t *due_ns)
{
    if (handle->state != MEM_CONNECTED) return step_reconnect(handle, now_ns, due_ns);
    if (handle->hold_requests || avout__list_empty(&handle->inbound)) return false;
    mem_call *call = AVOUT__LINK_OF(handle->inbound.next, mem_call, item.link);
    if (!call->counted) {
        call->counted = true;
        count(&handle->counters, call->kind);
        meet_faults(handle, call);
    }
    if (call->due_ns > now_ns) return later(call->due_ns, due_ns);
    return step_request(handle, call, now_ns, due_ns);
}

/* ---- what tests call ------------------------------------------------------------------------------- */

static mem_handle *enter(avout_store *store)
{
    AVOUT__ASSERT(store && store->ops == &avout__mem_ops);
    mem_handle *handle = (mem_handle *)store;
    pthread_mutex_lock(&handle->world->lock);
    return handle;
}

static void leave(mem_handle *handle)
{
    pthread_cond_signal(&handle->world->wake);
    pthread_mutex_unlock(&handle->world->lock);
}

avout_status avout__mem_fault_add(avout_store *store, const avout__mem_fault *fault)
{
    mem_scripted *scripted = avout__calloc(1, sizeof *scripted);
    if (!scripted) return AVOUT_ENOMEM;
    scripted->fault = *fault;
    scripted->fault.path = NULL;
    if (fault->path && !(scripted->path = avout__strdup(fault->path))) {
        avout__mem_scripted_free(scripted);
        return AVOUT_ENOMEM;
    }
    mem_handle *handle = enter(store);
    if (!fault->everybody) scripted->handle = handle;
    avout__list_append(&handle->world->faults, &scripted->link);
    leave(handle);
    return AVOUT_OK;
}

void avout__mem_faults_clear(avout_store *store)
{
    mem_handle *handle = enter(store);
    AVOUT__LIST_EACH(link, &handle->world->faults)
    {
        avout__link_remove(link);
        avout__mem_scripted_free(AVOUT__LINK_OF(link, mem_scripted, link));
    }
    leave(handle);
}

static size_t list_length(const avout__link *head)
{
    size_t length = 0;
    AVOUT__LIST_EACH(link, head) length++;
    return length;
}

size_t avout__mem_faults_left(avout_store *store)
{
    mem_handle *handle = enter(store);
    size_t left = list_length(&handle->world->faults);
    leave(handle);
    return left;
}

void avout__mem_reconnect_after(avout_store *store, int64_t delay_ms)
{
    mem_handle *handle = enter(store);
    handle->reconnect_after_ms = delay_ms;
    if (handle->state != MEM_CONNECTED) plan_reconnect(handle);
    leave(handle);
}

avout_status avout__mem_suspend(avout_store *store)
{
    mem_handle *handle = enter(store);
    avout_status status = lose(handle, NULL);
    leave(handle);
    return status;
}

avout_status avout__mem_reconnect(avout_store *store)
{
    mem_handle *handle = enter(store);
    avout_status status = reconnect(handle);
    leave(handle);
    return status;
}

avout_status avout__mem_expire(avout_store *store)
{
    mem_handle *handle = enter(store);
    avout_status status = expire(handle, NULL);
    leave(handle);
    return status;
}

void avout__mem_hold(avout_store *store, avout__mem_gate gates)
{
    mem_handle *handle = enter(store);
    if (gates & AVOUT__MEM_REQUESTS) handle->hold_requests = true;
    if ((gates & AVOUT__MEM_REPLIES) && handle->hold_from == UINT64_MAX)
        handle->hold_from = handle->next_sequence;
    leave(handle);
}

void avout__mem_release(avout_store *store)
{
    mem_handle *handle = enter(store);
    handle->hold_requests = false;
    handle->hold_from = UINT64_MAX;
    pthread_cond_signal(&handle->wake);
    leave(handle);
}

static bool is_held(const mem_handle *handle)
{
    if (handle->hold_requests && !avout__list_empty(&handle->inbound)) return true;
    if (avout__list_empty(&handle->outbound)) return false;
    return AVOUT__LINK_OF(handle->outbound.prev, mem_item, link)->sequence >= handle->hold_from;
}

bool avout__mem_wait_held(avout_store *store, int64_t deadline_ns)
{
    mem_handle *handle = enter(store);
    struct timespec until = {.tv_sec = (time_t)(deadline_ns / 1000000000),
                             .tv_nsec = (long)(deadline_ns % 1000000000)};
    bool held;
    while (!(held = is_held(handle)) && avout__now_ns() < deadline_ns)
        pthread_cond_timedwait(&handle->world->changed, &handle->world->lock, &until);
    leave(handle);
    return held;
}

size_t avout__mem_late_count(avout_store *store)
{
    mem_handle *handle = enter(store);
    size_t late = list_length(&handle->world->late);
    leave(handle);
    return late;
}

void avout__mem_release_late(avout_store *store)
{
    mem_handle *handle = enter(store);
    AVOUT__LIST_EACH(link, &handle->world->late)
    arrive(handle->world, AVOUT__LINK_OF(link, mem_body, link));
    leave(handle);
}

void avout__mem_drop_late(avout_store *store)
{
    mem_handle *handle = enter(store);
    AVOUT__LIST_EACH(link, &handle->world->late)
    avout__mem_body_free(AVOUT__LINK_OF(link, mem_body, link));
    avout__list_init(&handle->world->late);
    leave(handle);
}

void avout__mem_counters_of(avout_store *store, avout__mem_counters *counters)
{
    mem_handle *handle = enter(store);
    *counters = handle->counters;
    leave(handle);
}

void avout__mem_limits(avout_store *store, size_t max_request, size_t max_armed)
{
    mem_handle *handle = enter(store);
    handle->world->max_request = max_request ? max_request : AVOUT__MEM_MAX_REQUEST;
    handle->world->max_armed = max_armed;
    leave(handle);
}

avout_status avout__mem_set_sequence(avout_store *store, const char *path, int32_t sequence)
{
    mem_handle *handle = enter(store);
    mem_node *node = avout__mem_find(handle->world, path);
    if (node) node->sequence = sequence;
    leave(handle);
    return node ? AVOUT_OK : avout_fail(AVOUT_ENOTFOUND, "%s: does not exist", path);
}

avout_status avout__mem_set_version(avout_store *store, const char *path, int32_t version)
{
    mem_handle *handle = enter(store);
    mem_node *node = avout__mem_find(handle->world, path);
    if (node) node->version = version;
    leave(handle);
    return node ? AVOUT_OK : avout_fail(AVOUT_ENOTFOUND, "%s: does not exist", path);
}
