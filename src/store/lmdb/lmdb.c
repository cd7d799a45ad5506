#include "store/lmdb/lmdb.h"

#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/thread.h"
#include "store/lmdb/handle.h"
#include "base/banned.h"

enum { DEFAULT_CONNECT_MS = 10000, DEFAULT_TIMEOUT_MS = 30000 };

/* ---- fork ----------------------------------------------------------------------------------- */

/* All open handles of the process, for the child of a fork: it has to give up its copies of the
 * session locks, or it would keep its parent's sessions alive. Taken before the environments'. */
static pthread_mutex_t handles_lock = PTHREAD_MUTEX_INITIALIZER;
static avout__link handles = {&handles, &handles};
static pthread_once_t fork_once = PTHREAD_ONCE_INIT;

static void fork_prepare(void)
{
    pthread_mutex_lock(&handles_lock);
    avout__lmdb_env_fork_prepare();
}

static void fork_parent(void)
{
    avout__lmdb_env_fork_parent();
    pthread_mutex_unlock(&handles_lock);
}

static void fork_child(void)
{
    AVOUT__LIST_EACH(link, &handles)
    {
        avout__lmdb_handle *handle = AVOUT__LINK_OF(link, avout__lmdb_handle, link);
        atomic_store(&handle->forked, true);
        avout__lmdb_session_close(&handle->session);
    }
    avout__list_init(&handles);
    avout__lmdb_env_fork_child();
    pthread_mutex_unlock(&handles_lock);
}

static void fork_register(void)
{
    pthread_atfork(fork_prepare, fork_parent, fork_child);
}

/* ---- open and close ------------------------------------------------------------------------- */

/* Under the opening lock. */
static avout_status enter(avout__lmdb_handle *handle, const avout__lmdb_directory *directory,
                          const avout_options *options, int64_t deadline_ns)
{
    avout_status status = avout__lmdb_directory_format(directory);
    if (status) return status;
    bool alone = avout__lmdb_session_alone(&handle->session);
    status = avout__lmdb_env_ref(&handle->env, directory, options, alone);
    if (!status) status = avout__lmdb_session_enter(&handle->session);
    if (!status)
        status = avout__lmdb_slot_claim(&handle->slot, handle->env->shared, handle->session.id,
                                        avout__lmdb_session_dead, &handle->session);
    if (status || (int)options->durability >= atomic_load(&handle->env->durability)) return status;
    status = avout__lmdb_write_lock(handle->env->shared, handle->slot, deadline_ns);
    if (status) return status;
    avout__lmdb_env_strengthen(handle->env, options->durability);
    avout__lmdb_write_unlock(handle->env->shared);
    return AVOUT_OK;
}

/* Where the events begin: what is there now is nobody's news. */
static avout_status start_position(avout__lmdb_handle *handle)
{
    avout__lmdb_head head;
    avout_status status = avout__lmdb_read_begin(handle->env, &handle->reader);
    if (status) return status;
    status = avout__lmdb_head_get(handle->env, handle->reader, &head);
    avout__lmdb_read_end(handle->env, handle->reader);
    if (!status) handle->seen = head.sequence;
    return status;
}

/* A fork sees the session's files open and known to its handler, or not open. */
static avout_status open_session(avout__lmdb_handle *handle, const avout__lmdb_directory *directory)
{
    pthread_mutex_lock(&handles_lock);
    avout_status status = avout__lmdb_session_open(&handle->session, directory);
    avout__list_append(&handles, &handle->link);
    pthread_mutex_unlock(&handles_lock);
    return status;
}

static void close_session(avout__lmdb_handle *handle)
{
    pthread_mutex_lock(&handles_lock);
    avout__lmdb_session_close(&handle->session);
    avout__link_remove(&handle->link);
    pthread_mutex_unlock(&handles_lock);
}

/* Everything but the thread. The session's byte is freed last: until then nobody believes to be
 * alone with the store. */
static void release(avout__lmdb_handle *handle)
{
    avout__lmdb_read_free(handle->reader);
    avout__lmdb_slot_release(handle->slot);
    avout__lmdb_env_unref(handle->env);
    close_session(handle);
    avout__lmdb_armed_release(&handle->armed);
    avout__lmdb_arena_release(&handle->arena);
    avout__buffer_release(&handle->round_events);
    avout__buffer_release(&handle->foreign_events);
    avout__free(handle);
}

/* What was asked for to keep others out must not be passed over in silence. */
static avout_status check_options(const avout_options *options)
{
    if (!options->user && options->acl == AVOUT_ACL_OPEN) return AVOUT_OK;
    return avout_fail(AVOUT_ENOTSUP,
                      "options: the embedded store knows no users; the permissions of "
                      "its directory say who may use it");
}

static avout_status lmdb_open(avout_store **store, const char *address,
                              const avout_options *options, const avout_listener *listener)
{
    avout_status status = check_options(options);
    if (status) return status;
    avout__lmdb_directory directory = AVOUT__LMDB_DIRECTORY_INIT;
    int64_t deadline_ns = avout__deadline_in_ms(
        options->connect_timeout_ms ? options->connect_timeout_ms : DEFAULT_CONNECT_MS);
    pthread_once(&fork_once, fork_register);
    avout__lmdb_handle *handle = avout__calloc(1, sizeof *handle);
    if (!handle) return AVOUT_ENOMEM;
    handle->base.ops = &avout__lmdb_ops;
    handle->listener = *listener;
    handle->session = (avout__lmdb_session)AVOUT__LMDB_SESSION_INIT;
    handle->timeout_ms = options->timeout_ms ? options->timeout_ms : DEFAULT_TIMEOUT_MS;
    handle->last = &handle->first;

    status = avout__lmdb_directory_open(&directory, address);
    if (!status) status = open_session(handle, &directory);
    if (!status) status = avout__lmdb_opening_lock(&handle->session, deadline_ns);
    if (!status) {
        status = enter(handle, &directory, options, deadline_ns);
        avout__lmdb_opening_unlock(&handle->session);
    }
    avout__lmdb_directory_close(&directory);
    if (!status) status = start_position(handle);
    if (!status) status = avout__thread_start(&handle->thread, avout__lmdb_delivery, handle);
    if (status) {
        release(handle);
        return status;
    }
    *store = &handle->base;
    return AVOUT_OK;
}

static void lmdb_close(avout_store *store)
{
    avout__lmdb_handle *handle = (avout__lmdb_handle *)store;
    if (!handle) return;
    if (atomic_load(&handle->forked)) {
        /* What the parent's thread was working on may be half done: it is left alone. */
        avout__free(handle);
        return;
    }
    avout__lmdb_queue_close(handle);
    pthread_join(handle->thread, NULL);
    release(handle);
}

static void lmdb_info(avout_store *store, avout_store_info *info)
{
    const avout__lmdb_handle *handle = (const avout__lmdb_handle *)store;
    *info = (avout_store_info){
        .session = handle->session.id,
        .session_timeout_ms = AVOUT_FOREVER,
        .max_request = AVOUT__LMDB_REQUEST_MOST,
        .op_overhead = AVOUT__LMDB_OP_OVERHEAD,
    };
}

const avout_store_ops avout__lmdb_ops = {
    .version = AVOUT_STORE_OPS_VERSION,
    .size = sizeof(avout_store_ops),
    .scheme = "lmdb",
    .open = lmdb_open,
    .close = lmdb_close,
    .submit = avout__lmdb_submit,
    .info = lmdb_info,
    .unwatch = avout__lmdb_unwatch,
};
