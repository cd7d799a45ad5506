/* distributed-lock and its kin. */
#include "lang/lock.h"

#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "lang/state.h"
#include "lang/wait.h"
#include "base/banned.h"

/* ---- units of time ------------------------------------------------------------------------------------------ */

static const struct {
    const char *name, *value;
    int64_t ns;
} units[] = {
    {"NANOSECONDS", "nanoseconds", 1},         {"MICROSECONDS", "microseconds", 1000},
    {"MILLISECONDS", "milliseconds", 1000000}, {"SECONDS", "seconds", 1000000000},
    {"MINUTES", "minutes", 60000000000},       {"HOURS", "hours", 3600000000000},
    {"DAYS", "days", 86400000000000},
};

enum { NS_PER_MS = 1000000 };

const char *avout__lang_unit_of(const char *name)
{
    static const char package[] = "java.util.concurrent.", class[] = "TimeUnit/";
    if (!strncmp(name, package, sizeof package - 1)) name += sizeof package - 1;
    if (strncmp(name, class, sizeof class - 1) != 0) return NULL;
    name += sizeof class - 1;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (!strcmp(units[i].name, name)) return units[i].value;
    return NULL;
}

static bool unit_ns(lang_run *run, const char *name, int64_t *ns, avout_value unit)
{
    const char *text;
    if (avout_value_type(unit) == AVOUT_TYPE_KEYWORD && !avout_value_to_text(&text, NULL, unit))
        for (size_t i = 0; i < sizeof units / sizeof *units; i++)
            if (!strcmp(units[i].value, text)) {
                *ns = units[i].ns;
                return true;
            }
    return avout__lang_wrong(run, name, "a unit of time, as TimeUnit/SECONDS", unit).bits;
}

bool avout__lang_milliseconds(lang_run *run, const char *name, int64_t *ms, avout_value count,
                              avout_value unit)
{
    int64_t number, ns = 1;
    if (!avout__lang_integer(run, name, &number, count) || !unit_ns(run, name, &ns, unit))
        return false;
    if (number <= 0) *ms = 0;
    else if (ns >= NS_PER_MS)
        *ms = number > INT64_MAX / (ns / NS_PER_MS) ? INT64_MAX : number * (ns / NS_PER_MS);
    else *ms = number / (NS_PER_MS / ns) + (number % (NS_PER_MS / ns) != 0);
    return true;
}

/* (method object), (method object 10 TimeUnit/SECONDS): without a time *ms stays. False: the error is set. */
static bool time_of(lang_run *run, const char *name, int64_t *ms, size_t count,
                    const avout_value *args)
{
    if (count == 2)
        return avout__lang_fail(run, AVOUT_EINVAL,
                                "%s: expected a unit behind the time, as TimeUnit/SECONDS", name)
            .bits;
    return count == 1 || avout__lang_milliseconds(run, name, ms, args[1], args[2]);
}

/* ---- opening --------------------------------------------------------------------------------------------- */

void avout__lang_lock_destroy(lang_lock *lock)
{
    avout_lock_close(lock->lock);
    avout_rwlock_close(lock->rw);
    avout_release(lock->client);
}

void avout__lang_condition_destroy(lang_condition *condition)
{
    avout_condition_close(condition->condition);
    avout__free(condition->name);
    avout_release(condition->lock);
}

const char *avout__lang_lock_name(const lang_lock *lock)
{
    return lock->lock ? avout_lock_name(lock->lock) : avout_rwlock_name(lock->rw);
}

static avout_value open_lock(lang_run *run, const char *function, avout_value box, const char *name,
                             lang_lock_mode mode)
{
    avout_client *client = avout__lang_client(run, function, box);
    lang_lock *lock = client ? avout__calloc(1, sizeof *lock) : NULL;
    if (!client) return AVOUT_NONE;
    if (!lock) return avout__lang_failed(run, AVOUT_ENOMEM);
    lock->object.kind = LANG_LOCK;
    lock->mode = mode;
    lock->client = avout_share(box);
    avout_value made = avout__lang_made(run, avout__lang_box(lock));
    if (!made.bits) return AVOUT_NONE;
    return lang_done(run,
                     mode == LOCK_ALL ? avout_lock_open(&lock->lock, client, name)
                                      : avout_rwlock_open(&lock->rw, client, name),
                     made);
}

/* (distributed-lock client :lock-node "/lock"), or the name alone */
static avout_value distributed(lang_run *run, const char *function, const char *name,
                               lang_lock_mode mode, size_t count, avout_value *args)
{
    const char *word;
    size_t length, at = 1;
    bool keyword = count > 1 && avout_value_type(args[1]) == AVOUT_TYPE_KEYWORD &&
                   !avout_value_to_text(&word, &length, args[1]);
    if (count > 3 || (keyword && !strcmp(word, "request-id")))
        return avout__lang_fail(
            run, AVOUT_ENOTSUP,
            "%s: only :lock-node can be said; :request-id is of no use, as a lock "
            "is given back by the thread that has it and goes with its process",
            function);
    if (count == 3) {
        if (!keyword || strcmp(word, "lock-node") != 0)
            return avout__lang_wrong(run, function, ":lock-node", args[1]);
        at = 2;
    }
    if (count > 1 && !avout__lang_text_of(run, function, &name, &length, args[at]))
        return AVOUT_NONE;
    return open_lock(run, function, args[0], name, mode);
}

CORE(distributed_lock)
{
    return distributed(run, "distributed-lock", "/lock", LOCK_ALL, count, args);
}

CORE(distributed_read_write_lock)
{
    return distributed(run, "distributed-read-write-lock", "/read-write-lock", LOCK_WHICH, count,
                       args);
}

static avout_value one_of_two(lang_run *run, const char *name, lang_lock_mode mode,
                              avout_value value)
{
    const lang_lock *lock = avout__lang_object_of(value, LANG_LOCK);
    if (!lock || lock->mode != LOCK_WHICH)
        return avout__lang_wrong(run, name, "a read-write lock", value);
    return open_lock(run, name, lock->client, avout_rwlock_name(lock->rw), mode);
}

CORE(read_lock)
{
    return one_of_two(run, ".readLock", LOCK_READ, args[0]);
}

CORE(write_lock)
{
    return one_of_two(run, ".writeLock", LOCK_ALL, args[0]);
}

static lang_lock *lock_of(lang_run *run, const char *name, avout_value value)
{
    lang_lock *lock = avout__lang_object_of(value, LANG_LOCK);
    if (lock && lock->mode != LOCK_WHICH) return lock;
    avout__lang_wrong(run, name, lock ? "one of its two locks, .readLock or .writeLock" : "a lock",
                      value);
    return NULL;
}

/* ---- waiting ----------------------------------------------------------------------------------------------- */

static void begin_wait(lang_run *run, lang_wait *wait, avout_wait_options *options,
                       int64_t timeout_ms)
{
    avout__lang_wait_begin(run, wait, avout__deadline_in_ms(timeout_ms));
    int64_t left = AVOUT_FOREVER;
    if (wait->limit_ns != AVOUT__NEVER) left = avout__deadline_left_ms(wait->limit_ns);
    /* 0 would be the client's. */
    *options = (avout_wait_options){.timeout_ms = left ? left : 1};
}

/* 1 it is there, 0 not in time, -1 the error is set. */
static int end_wait(lang_run *run, const lang_wait *wait, avout_status status)
{
    switch (avout__lang_wait_end(run, wait, status)) {
    case WAIT_OVER: return 1;
    case WAIT_LATE: return 0;
    case WAIT_FAILED: break;
    }
    return -1;
}

static avout_status try_now(const lang_lock *lock)
{
    return lock->mode == LOCK_ALL ? avout_lock_try(NULL, lock->lock)
                                  : avout_rwlock_try_read(NULL, lock->rw);
}

/* 1: this thread has it; 0: not in time; -1: the error is set. */
static int acquire(lang_run *run, const lang_lock *lock, int64_t timeout_ms)
{
    lang_wait wait;
    avout_wait_options options;
    if (!timeout_ms) {
        avout_status status = try_now(lock);
        if (status && status != AVOUT_EBUSY) avout__lang_failed(run, status);
        return status ? (status == AVOUT_EBUSY ? 0 : -1) : 1;
    }
    begin_wait(run, &wait, &options, timeout_ms);
    avout_status status = lock->mode == LOCK_ALL ? avout_lock_acquire(NULL, lock->lock, &options)
                                                 : avout_rwlock_read(NULL, lock->rw, &options);
    return end_wait(run, &wait, status);
}

static avout_status release(const lang_lock *lock)
{
    return lock->mode == LOCK_ALL ? avout_lock_release(lock->lock)
                                  : avout_rwlock_release_read(lock->rw);
}

CORE(lock_it)
{
    const lang_lock *lock = lock_of(run, ".lock", args[0]);
    return lock && acquire(run, lock, AVOUT_FOREVER) > 0 ? avout_nil() : AVOUT_NONE;
}

CORE(unlock)
{
    const lang_lock *lock = lock_of(run, ".unlock", args[0]);
    return lock ? lang_done(run, release(lock), avout_nil()) : AVOUT_NONE;
}

/* (.tryLock lock), (.tryLock lock 10 TimeUnit/SECONDS) */
CORE(try_lock)
{
    const lang_lock *lock = lock_of(run, ".tryLock", args[0]);
    int64_t ms = 0;
    if (!lock) return AVOUT_NONE;
    if (!time_of(run, ".tryLock", &ms, count, args)) return AVOUT_NONE;
    int got = acquire(run, lock, ms);
    return got < 0 ? AVOUT_NONE : avout_bool(got);
}

/* ---- with-lock and its kin ---------------------------------------------------------------------------------- */

/* Calls the function and releases the lock, whatever became of the call. */
static avout_value call_and_release(lang_run *run, const lang_lock *lock, avout_value function)
{
    avout_value value = avout__lang_call(run, function, 0, NULL);
    if (value.bits) return lang_done(run, release(lock), value);
    /* What interrupted the body does not keep the store from being told; the error that ended it tells more
     * than one that follows from it. */
    lang_aside aside = avout__lang_put_aside(run);
    (void)release(lock);
    avout__lang_put_back(run, &aside);
    return AVOUT_NONE;
}

/* (with-lock* lock f) */
CORE(with_lock)
{
    const lang_lock *lock = lock_of(run, "with-lock", args[0]);
    if (!lock || acquire(run, lock, AVOUT_FOREVER) < 0) return AVOUT_NONE;
    return call_and_release(run, lock, args[1]);
}

/* (if-lock* lock then else time? unit?) */
CORE(if_lock)
{
    const lang_lock *lock = lock_of(run, count == 3 ? "if-lock" : "if-lock-with-timeout", args[0]);
    int64_t ms = 0;
    if (!lock || (count == 5 &&
                  !avout__lang_milliseconds(run, "if-lock-with-timeout", &ms, args[3], args[4])))
        return AVOUT_NONE;
    int got = acquire(run, lock, ms);
    if (got < 0) return AVOUT_NONE;
    return got ? call_and_release(run, lock, args[1]) : avout__lang_call(run, args[2], 0, NULL);
}

/* ---- looking ------------------------------------------------------------------------------------------------- */

CORE(hold_count)
{
    const lang_lock *lock = lock_of(run, ".getHoldCount", args[0]);
    if (!lock) return AVOUT_NONE;
    return avout_int(lock->mode == LOCK_ALL ? avout_lock_hold_count(lock->lock)
                                            : avout_rwlock_read_count(lock->rw));
}

CORE(has_lock)
{
    const lang_lock *lock = lock_of(run, ".hasLock", args[0]);
    if (!lock) return AVOUT_NONE;
    return avout_bool(lock->mode == LOCK_ALL ? avout_lock_is_held(lock->lock)
                                             : avout_rwlock_is_read(lock->rw));
}

/* The fencing token, as text: later ones sort behind earlier ones. */
CORE(lock_token)
{
    const lang_lock *lock = lock_of(run, "lock-token", args[0]);
    avout_token token;
    char text[AVOUT_TOKEN_SIZE];
    if (!lock) return AVOUT_NONE;
    avout_status status = lock->mode == LOCK_ALL ? avout_lock_token(&token, lock->lock)
                                                 : avout_rwlock_token(&token, lock->rw);
    if (status) return avout__lang_failed(run, status);
    return avout__lang_made(run, avout_string(avout_token_text(text, token)));
}

static avout_lock_report *inspect(lang_run *run, const char *function, const lang_lock *lock)
{
    avout_lock_report *report = NULL;
    avout_client *client = avout__lang_client(run, function, lock->client);
    avout_status status =
        client ? avout_lock_inspect(&report, client, avout__lang_lock_name(lock)) : AVOUT_OK;
    if (status) avout__lang_failed(run, status);
    return report;
}

/* PID@HOST, as Java names processes. */
static avout_value process_of(lang_run *run, const avout_lock_entry *entry)
{
    char text[300];
    snprintf(text, sizeof text, "%lld@%.270s", (long long)entry->pid, entry->host);
    return avout__lang_made(run, avout_string(text));
}

CORE(get_owner)
{
    const lang_lock *lock = lock_of(run, ".getOwner", args[0]);
    avout_lock_report *report = lock ? inspect(run, ".getOwner", lock) : NULL;
    if (!report) return AVOUT_NONE;
    avout_value owner = avout_nil();
    if (report->count && report->entries[0].holds) owner = process_of(run, &report->entries[0]);
    avout_lock_report_free(report);
    return owner;
}

CORE(queued_requests)
{
    const lang_lock *lock = lock_of(run, ".queuedRequests", args[0]);
    avout_lock_report *report = lock ? inspect(run, ".queuedRequests", lock) : NULL;
    lang_items items = {0};
    if (!report) return AVOUT_NONE;
    bool fine = true;
    for (size_t i = 0; i < report->count && fine; i++) {
        avout_value process = process_of(run, &report->entries[i]);
        fine = process.bits && avout__lang_add(run, &items, process);
    }
    avout_lock_report_free(report);
    avout_value list = fine ? avout__lang_list(run, &items) : AVOUT_NONE;
    avout__lang_drop(&items);
    return list;
}

CORE(delete_lock)
{
    const lang_lock *lock = lock_of(run, ".deleteLock", args[0]);
    avout_client *client = lock ? avout__lang_client(run, ".deleteLock", lock->client) : NULL;
    if (!client) return AVOUT_NONE;
    avout_status status = avout_lock_remove(client, avout__lang_lock_name(lock));
    return lang_done(run, status == AVOUT_ENOTFOUND ? AVOUT_OK : status, avout_nil());
}

/* ---- conditions ---------------------------------------------------------------------------------------------- */

static avout_value open_condition(lang_run *run, const char *function, avout_value box,
                                  const char *name)
{
    const lang_lock *lock = lock_of(run, function, box);
    if (!lock) return AVOUT_NONE;
    if (lock->mode != LOCK_ALL)
        return avout__lang_fail(run, AVOUT_ENOTSUP, "%s: a read lock has no conditions", function);
    lang_condition *condition = avout__calloc(1, sizeof *condition);
    if (!condition) return avout__lang_failed(run, AVOUT_ENOMEM);
    condition->object.kind = LANG_CONDITION;
    condition->name = avout__strdup(name);
    condition->lock = avout_share(box);
    avout_value made = avout__lang_made(run, avout__lang_box(condition));
    if (!made.bits) return AVOUT_NONE;
    return lang_done(run,
                     condition->name ? avout_condition_open(&condition->condition, lock->lock, name)
                                     : AVOUT_ENOMEM,
                     made);
}

/* One that only those have who are given it. */
CORE(new_condition)
{
    char name[32];
    snprintf(name, sizeof name, "new-%016llx", (unsigned long long)avout__random64());
    return open_condition(run, ".newCondition", args[0], name);
}

/* The one of that name, in whatever process. */
CORE(get_condition)
{
    const char *name;
    size_t length;
    if (!avout__lang_text_of(run, ".getCondition", &name, &length, args[1])) return AVOUT_NONE;
    return open_condition(run, ".getCondition", args[0], name);
}

static const lang_condition *condition_of(lang_run *run, const char *name, avout_value value)
{
    const lang_condition *condition = avout__lang_object_of(value, LANG_CONDITION);
    if (!condition) avout__lang_wrong(run, name, "a condition, as (.newCondition lock)", value);
    return condition;
}

/* 1: signalled, perhaps; 0: not in time; -1: the error is set. The lock is held again. */
static int await(lang_run *run, const lang_condition *condition, int64_t timeout_ms)
{
    lang_wait wait;
    avout_wait_options options;
    begin_wait(run, &wait, &options, timeout_ms);
    return end_wait(run, &wait, avout_condition_wait(condition->condition, &options));
}

/* (.await condition), (.await condition 10 TimeUnit/SECONDS): whether it was signalled in time */
CORE(await_signal)
{
    const lang_condition *condition = condition_of(run, ".await", args[0]);
    int64_t ms = AVOUT_FOREVER;
    if (!condition) return AVOUT_NONE;
    if (!time_of(run, ".await", &ms, count, args)) return AVOUT_NONE;
    int signalled = await(run, condition, ms);
    if (signalled < 0) return AVOUT_NONE;
    return count == 3 ? avout_bool(signalled) : avout_nil();
}

/* (.awaitNanos condition n): what is left of the time */
CORE(await_nanos)
{
    const lang_condition *condition = condition_of(run, ".awaitNanos", args[0]);
    int64_t ns;
    if (!condition || !avout__lang_integer(run, ".awaitNanos", &ns, args[1])) return AVOUT_NONE;
    int64_t began = avout__now_ns(), ms = ns / NS_PER_MS + (ns % NS_PER_MS > 0);
    if (await(run, condition, ms > 0 ? ms : 0) < 0) return AVOUT_NONE;
    return avout__lang_made(run, avout_int(ns - (avout__now_ns() - began)));
}

/* (.awaitUntil condition milliseconds-since-1970): whether it was signalled before */
CORE(await_until)
{
    const lang_condition *condition = condition_of(run, ".awaitUntil", args[0]);
    int64_t until;
    if (!condition || !avout__lang_integer(run, ".awaitUntil", &until, args[1])) return AVOUT_NONE;
    int64_t left = until - avout__unix_ms();
    int signalled = await(run, condition, left > 0 ? left : 0);
    return signalled < 0 ? AVOUT_NONE : avout_bool(signalled);
}

CORE(signal_one)
{
    const lang_condition *condition = condition_of(run, ".signal", args[0]);
    return condition ? lang_done(run, avout_condition_signal(condition->condition), avout_nil())
                     : AVOUT_NONE;
}

CORE(signal_all)
{
    const lang_condition *condition = condition_of(run, ".signalAll", args[0]);
    return condition ? lang_done(run, avout_condition_signal_all(condition->condition), avout_nil())
                     : AVOUT_NONE;
}

const lang_core avout__lang_locks[] = {
    {"distributed-lock", "client :lock-node \"/name\"",
     "the lock of that name, for the threads, processes and machines of a store", 1, 5,
     distributed_lock, NULL},
    {"distributed-read-write-lock", "client :lock-node \"/name\"",
     "the read-write lock of that name: .readLock and .writeLock", 1, 5,
     distributed_read_write_lock, NULL},
    {".readLock", "lock", "the lock of a read-write lock that readers share", 1, 1, read_lock,
     NULL},
    {".writeLock", "lock", "the lock of a read-write lock that one writer has", 1, 1, write_lock,
     NULL},
    {".lock", "lock", "waits until this thread has the lock", 1, 1, lock_it, NULL},
    {".lockInterruptibly", "lock", ".lock, which can be interrupted, too", 1, 1, lock_it, NULL},
    {".unlock", "lock", "gives it back, as many times as it was acquired", 1, 1, unlock, NULL},
    {".tryLock", "lock time? unit?", "whether this thread has the lock: now, or within a time", 1,
     3, try_lock, NULL},
    {".getHoldCount", "lock", "how many times this thread has acquired it", 1, 1, hold_count, NULL},
    {".hasLock", "lock", "whether this thread has it, as far as can be known", 1, 1, has_lock,
     NULL},
    {".isHeldByCurrentThread", "lock", ".hasLock", 1, 1, has_lock, NULL},
    {".getOwner", "lock", "the process that has it, as \"PID@HOST\", or nil", 1, 1, get_owner,
     NULL},
    {".queuedRequests", "lock", "the processes that have it or wait for it, in their order", 1, 1,
     queued_requests, NULL},
    {".deleteLock", "lock", "removes a lock that nobody has or waits for", 1, 1, delete_lock, NULL},
    {"lock-token", "lock", "the fencing token of this thread's acquisition; later ones are greater",
     1, 1, lock_token, NULL},
    {".newCondition", "lock", "a condition of the lock, for those who are given it", 1, 1,
     new_condition, NULL},
    {".getCondition", "lock name", "the lock's condition of that name, in whatever process", 2, 2,
     get_condition, NULL},
    {".await", "condition time? unit?",
     "waits for a signal, without the lock; with a time: whether there was one", 1, 3, await_signal,
     NULL},
    {".awaitUninterruptibly", "condition", ".await", 1, 1, await_signal, NULL},
    {".awaitNanos", "condition nanoseconds", ".await; the nanoseconds that are left", 2, 2,
     await_nanos, NULL},
    {".awaitUntil", "condition milliseconds", ".await, until that time since 1970", 2, 2,
     await_until, NULL},
    {".signal", "condition", "wakes one who waits", 1, 1, signal_one, NULL},
    {".signalAll", "condition", "wakes all who wait", 1, 1, signal_all, NULL},
    {"with-lock*", "lock f", "", 2, 2, with_lock, NULL},
    {"if-lock*", "lock then else time? unit?", "", 3, 5, if_lock, NULL},
    LANG_END,
};
