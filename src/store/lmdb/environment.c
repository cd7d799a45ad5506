#include "store/lmdb/environment.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/banned.h"

/* Held while an environment is opened or closed, so that no directory is open twice for a moment. */
static pthread_mutex_t registry_lock = PTHREAD_MUTEX_INITIALIZER;
static avout__link registry = {&registry, &registry};

enum {
    MIN_MAP = 256 * 1024,
    LOG_SLOTS_MOST = 16384,
    LOG_SLOTS_LEAST = 32,
    BYTES_A_LOG_SLOT = 8192
};
static const size_t DEFAULT_MAP = (size_t)64 << 30;

void avout__lmdb_env_fork_prepare(void)
{
    pthread_mutex_lock(&registry_lock);
}

void avout__lmdb_env_fork_parent(void)
{
    pthread_mutex_unlock(&registry_lock);
}

void avout__lmdb_env_fork_child(void)
{
    avout__list_init(&registry);
    pthread_mutex_unlock(&registry_lock);
}

avout_status avout__lmdb_fail(int code, const char *what)
{
    avout_status status = AVOUT_EIO;
    switch (code) {
    case MDB_MAP_FULL:
        return avout_fail(AVOUT_ENOSPACE,
                          "%s: the embedded store is full (options.map_size is its limit)", what);
    case MDB_TXN_FULL: status = AVOUT_ELIMIT; break;
    case MDB_READERS_FULL: status = AVOUT_ELIMIT; break;
    case MDB_INVALID:
    case MDB_VERSION_MISMATCH:
    case MDB_INCOMPATIBLE: status = AVOUT_EFORMAT; break;
    case ENOMEM: status = AVOUT_ENOMEM; break;
    case ENOSPC:
    case EDQUOT:
    case EFBIG: status = AVOUT_ENOSPACE; break;
    case EACCES:
    case EPERM:
    case EROFS: status = AVOUT_EPERM; break;
    case MDB_PANIC:
        return avout_fail(AVOUT_EIO,
                          "%s: an earlier write failed half way; close the store and open it again",
                          what);
    }
    /* mdb_strerror knows its own codes; for the system's it is not safe among threads. */
    if (code < 0) return avout_fail(status, "%s: %s", what, mdb_strerror(code));
    return avout__fail_errno(status, code, "%s", what);
}

/* ---- transactions --------------------------------------------------------------------------- */

/* Another process, opened with a larger map, let the store grow beyond ours. */
static int adopt_map(avout__lmdb_env *env)
{
    pthread_rwlock_wrlock(&env->map_lock);
    int code = mdb_env_set_mapsize(env->env, 0);
    pthread_rwlock_unlock(&env->map_lock);
    return code;
}

avout_status avout__lmdb_read_begin(avout__lmdb_env *env, MDB_txn **txn)
{
    for (;;) {
        pthread_rwlock_rdlock(&env->map_lock);
        int code = *txn ? mdb_txn_renew(*txn) : mdb_txn_begin(env->env, NULL, MDB_RDONLY, txn);
        if (!code) return AVOUT_OK;
        pthread_rwlock_unlock(&env->map_lock);
        if (code == MDB_MAP_RESIZED) code = adopt_map(env);
        if (code) return avout__lmdb_fail(code, "cannot read the store");
    }
}

void avout__lmdb_read_end(avout__lmdb_env *env, MDB_txn *txn)
{
    mdb_txn_reset(txn);
    pthread_rwlock_unlock(&env->map_lock);
}

void avout__lmdb_read_free(MDB_txn *txn)
{
    if (txn) mdb_txn_abort(txn);
}

avout_status avout__lmdb_write_begin(avout__lmdb_env *env, MDB_txn **txn)
{
    for (;;) {
        pthread_rwlock_rdlock(&env->map_lock);
        int code = mdb_txn_begin(env->env, NULL, 0, txn);
        if (!code) return AVOUT_OK;
        pthread_rwlock_unlock(&env->map_lock);
        if (code == MDB_MAP_RESIZED) code = adopt_map(env);
        if (code) return avout__lmdb_fail(code, "cannot write to the store");
    }
}

/* Whether the step of a commit that puts the new state in force has failed: LMDB goes on no more. */
static bool has_given_up(avout__lmdb_env *env)
{
    MDB_txn *probe = NULL;
    int code = mdb_txn_begin(env->env, NULL, MDB_RDONLY, &probe);
    if (!code) mdb_txn_abort(probe);
    return code == MDB_PANIC;
}

avout_status avout__lmdb_write_commit(avout__lmdb_env *env, MDB_txn *txn)
{
    static const char what[] = "cannot write to the store";
    errno = 0;
    int code = mdb_txn_commit(txn);
    /* LMDB calls a write that was cut short an EIO; it is how a full disk begins. */
    if (code == EIO && errno != EIO) code = ENOSPC;
    bool given_up = code && has_given_up(env);
    pthread_rwlock_unlock(&env->map_lock);
    if (!code) return AVOUT_OK;
    if (given_up)
        return avout_fail(AVOUT_EIO, "%s: it failed half way (error %d); open it again", what,
                          code);
    return avout__lmdb_fail(code, what);
}

void avout__lmdb_write_abort(avout__lmdb_env *env, MDB_txn *txn)
{
    mdb_txn_abort(txn);
    pthread_rwlock_unlock(&env->map_lock);
}

/* ---- the head ------------------------------------------------------------------------------- */

static bool is_lazy(const avout__lmdb_env *env)
{
    return atomic_load(&env->durability) != AVOUT_DURABLE;
}

static MDB_val head_key(void)
{
    static char name[] = "head";
    return (MDB_val){sizeof name - 1, name};
}

avout_status avout__lmdb_head_get(avout__lmdb_env *env, MDB_txn *txn, avout__lmdb_head *head)
{
    MDB_val key = head_key(), value;
    int code = mdb_get(txn, env->main, &key, &value);
    if (code == MDB_NOTFOUND) return AVOUT_ENOTFOUND;
    if (code) return avout__lmdb_fail(code, "cannot read the store");
    if (value.mv_size != sizeof *head)
        return avout_fail(AVOUT_EFORMAT, "the store's head has %zu bytes, not %zu", value.mv_size,
                          sizeof *head);
    memcpy(head, value.mv_data, sizeof *head);
    if (head->format != AVOUT__LMDB_FORMAT || head->log_slots == 0)
        return avout_fail(AVOUT_EFORMAT, "the store's head is not of format %d",
                          AVOUT__LMDB_FORMAT);
    return AVOUT_OK;
}

int avout__lmdb_head_put(avout__lmdb_env *env, MDB_txn *txn, const avout__lmdb_head *head)
{
    avout__lmdb_head copy = *head;
    if (is_lazy(env)) copy.lazy = 1;
    MDB_val key = head_key(), value = {sizeof copy, &copy};
    return mdb_put(txn, env->main, &key, &value, 0);
}

/* ---- opening -------------------------------------------------------------------------------- */

static size_t map_size(const avout_options *options)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t size = options->map_size ? options->map_size : DEFAULT_MAP;
    if (size < MIN_MAP) size = MIN_MAP;
    return size / page * page;
}

static unsigned lmdb_flags(avout_durability durability)
{
    switch (durability) {
    case AVOUT_DURABLE_LAZY: return MDB_NOMETASYNC;
    case AVOUT_DURABLE_NONE: return MDB_NOSYNC;
    case AVOUT_DURABLE: break;
    }
    return 0;
}

static avout_status open_files(avout__lmdb_env *env, const avout__lmdb_directory *directory,
                               const avout_options *options)
{
    unsigned flags = MDB_NOTLS | lmdb_flags(options->durability);
    int file, code = 0;
    /* A limit on the address space (ulimit -v) may forbid the default. */
    for (size_t size = map_size(options);; size /= 2) {
        code = mdb_env_create(&env->env);
        if (code) break;
        mdb_env_set_maxdbs(env->env, 8);
        mdb_env_set_maxreaders(env->env, AVOUT__LMDB_SLOTS + 16);
        code = mdb_env_set_mapsize(env->env, size);
        if (!code) code = mdb_env_open(env->env, directory->path, flags, 0600);
        if (!code) break;
        mdb_env_close(env->env);
        env->env = NULL;
        if (code != ENOMEM || options->map_size || size <= (size_t)1 << 30) break;
    }
    if (code) {
        char what[512];
        snprintf(what, sizeof what, "cannot open the store in %s", directory->path);
        return avout__lmdb_fail(code, what);
    }
    if (!mdb_env_get_fd(env->env, &file)) fcntl(file, F_SETFD, FD_CLOEXEC);
    int dead;
    mdb_reader_check(env->env, &dead);
    atomic_store(&env->durability, (int)options->durability);
    return AVOUT_OK;
}

/* MDB_NOTFOUND when `create` is 0 and the store is new. */
static int open_tables(avout__lmdb_env *env, MDB_txn *txn, unsigned create)
{
    int code = mdb_dbi_open(txn, NULL, 0, &env->main);
    if (!code) code = mdb_dbi_open(txn, "node", MDB_INTEGERKEY | create, &env->node);
    if (!code) code = mdb_dbi_open(txn, "child", create, &env->child);
    if (!code) code = mdb_dbi_open(txn, "eph", create, &env->eph);
    if (!code) code = mdb_dbi_open(txn, "log", MDB_INTEGERKEY | create, &env->log);
    return code;
}

/* What tells that sequence numbers may be about to repeat. */
static void origin(const avout__lmdb_env *env, avout__lmdb_head *head)
{
    struct stat about;
    int file;
    memset(head->boot, 0, sizeof head->boot);
    int boot = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    ssize_t length = boot < 0 ? -1 : read(boot, head->boot, 36);
    if (length < 0) memset(head->boot, 0, sizeof head->boot);
    if (boot >= 0) close(boot);
    if (!mdb_env_get_fd(env->env, &file) && !fstat(file, &about)) {
        head->device = about.st_dev;
        head->inode = about.st_ino;
    }
}

static int create_root(avout__lmdb_env *env, MDB_txn *txn, avout__lmdb_head *head,
                       const avout_options *options)
{
    size_t slots = map_size(options) / BYTES_A_LOG_SLOT;
    *head = (avout__lmdb_head){
        .format = AVOUT__LMDB_FORMAT,
        .next_id = AVOUT__LMDB_ROOT + 1,
        .log_slots = slots > LOG_SLOTS_MOST    ? LOG_SLOTS_MOST
                     : slots < LOG_SLOTS_LEAST ? LOG_SLOTS_LEAST
                                               : slots,
        .hash_key = {avout__random64(), avout__random64()},
    };
    avout__lmdb_node root = {.changed_ms = avout__unix_ms()};
    size_t id = AVOUT__LMDB_ROOT;
    MDB_val key = {sizeof id, &id}, value = {sizeof root, &root};
    return mdb_put(txn, env->node, &key, &value, MDB_NOOVERWRITE);
}

/* Creates what is missing and begins a new epoch, in one durable transaction. */
static avout_status write_head(avout__lmdb_env *env, const avout_options *options)
{
    MDB_txn *txn = NULL;
    avout__lmdb_head head;
    avout_status status = avout__lmdb_write_begin(env, &txn);
    if (status) return status;
    int code = open_tables(env, txn, MDB_CREATE);
    if (!code) {
        status = avout__lmdb_head_get(env, txn, &head);
        if (status == AVOUT_ENOTFOUND) {
            status = AVOUT_OK;
            code = create_root(env, txn, &head, options);
        }
    }
    if (!status && !code) {
        head.epoch++;
        head.lazy = 0;
        origin(env, &head);
        code = avout__lmdb_head_put(env, txn, &head);
    }
    if (!status && code) status = avout__lmdb_fail(code, "cannot set up the store");
    if (status) {
        avout__lmdb_write_abort(env, txn);
        return status;
    }
    status = avout__lmdb_write_commit(env, txn);
    if (status) return status;
    code = is_lazy(env) ? mdb_env_sync(env->env, 1) : 0;
    return code ? avout__lmdb_fail(code, "cannot set up the store") : AVOUT_OK;
}

static bool needs_epoch(avout__lmdb_env *env, const avout__lmdb_head *head)
{
    avout__lmdb_head now = *head;
    origin(env, &now);
    return is_lazy(env) || head->lazy || memcmp(&now, head, sizeof now) != 0;
}

static avout_status read_head(avout__lmdb_env *env, const avout_options *options, bool alone)
{
    MDB_txn *txn = NULL;
    avout__lmdb_head head = {0};
    int code = mdb_txn_begin(env->env, NULL, MDB_RDONLY, &txn);
    if (code == MDB_MAP_RESIZED && !(code = mdb_env_set_mapsize(env->env, 0)))
        code = mdb_txn_begin(env->env, NULL, MDB_RDONLY, &txn);
    if (code) return avout__lmdb_fail(code, "cannot read the store");
    avout_status status = AVOUT_OK;
    code = open_tables(env, txn, 0);
    if (!code) status = avout__lmdb_head_get(env, txn, &head);
    /* Only a committed transaction leaves the tables' handles open. */
    bool there = !code && !status;
    if (there) code = mdb_txn_commit(txn);
    else mdb_txn_abort(txn);
    if (code && code != MDB_NOTFOUND) return avout__lmdb_fail(code, "cannot open the store");
    if (status && status != AVOUT_ENOTFOUND) return status;
    if (there && !(alone && needs_epoch(env, &head))) return AVOUT_OK;
    /* Nobody else has it open, or nobody has finished creating it: no need of the write lock. */
    return write_head(env, options);
}

static avout_status env_new(avout__lmdb_env **out, const avout__lmdb_directory *directory,
                            const avout_options *options, bool alone)
{
    avout__lmdb_env *env = avout__calloc(1, sizeof *env);
    if (!env) return AVOUT_ENOMEM;
    pthread_rwlock_init(&env->map_lock, NULL);
    env->device = directory->device;
    env->inode = directory->inode;
    env->references = 1;
    avout_status status =
        avout__lmdb_shared_map(&env->shared, directory->file, directory->path, alone);
    if (!status) status = open_files(env, directory, options);
    if (!status) status = read_head(env, options, alone);
    if (status) {
        if (env->env) mdb_env_close(env->env);
        avout__lmdb_shared_unmap(env->shared);
        pthread_rwlock_destroy(&env->map_lock);
        avout__free(env);
        return status;
    }
    *out = env;
    return AVOUT_OK;
}

avout_status avout__lmdb_env_ref(avout__lmdb_env **out, const avout__lmdb_directory *directory,
                                 const avout_options *options, bool alone)
{
    avout_status status = AVOUT_OK;
    avout__lmdb_env *env = NULL;
    pthread_mutex_lock(&registry_lock);
    AVOUT__LIST_EACH(link, &registry)
    {
        avout__lmdb_env *candidate = AVOUT__LINK_OF(link, avout__lmdb_env, link);
        if (candidate->device == directory->device && candidate->inode == directory->inode)
            env = candidate;
    }
    if (env) {
        env->references++;
    } else {
        status = env_new(&env, directory, options, alone);
        if (!status) avout__list_append(&registry, &env->link);
    }
    pthread_mutex_unlock(&registry_lock);
    if (!status) *out = env;
    return status;
}

void avout__lmdb_env_unref(avout__lmdb_env *env)
{
    if (!env) return;
    pthread_mutex_lock(&registry_lock);
    bool last = --env->references == 0;
    if (last) {
        avout__link_remove(&env->link);
        mdb_env_close(env->env);
    }
    pthread_mutex_unlock(&registry_lock);
    if (!last) return;
    avout__lmdb_shared_unmap(env->shared);
    pthread_rwlock_destroy(&env->map_lock);
    avout__free(env);
}

void avout__lmdb_env_strengthen(avout__lmdb_env *env, avout_durability durability)
{
    if ((int)durability >= atomic_load(&env->durability)) return;
    mdb_env_set_flags(env->env, MDB_NOSYNC | MDB_NOMETASYNC, 0);
    mdb_env_set_flags(env->env, lmdb_flags(durability), 1);
    atomic_store(&env->durability, (int)durability);
}
