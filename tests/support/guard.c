#include "support/guard.h"

#include <errno.h>

enum { PATIENCE_MS = 40000 }; /* nobody waits for ever */

/* ---- the guard ----------------------------------------------------------------------------------- */

guard *guard_new(void)
{
    guard *g = crowd_share(sizeof *g);
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
    CHECK(!pthread_mutex_init(&g->mutex, &attributes));
    pthread_mutexattr_destroy(&attributes);
    g->threads = 2;
    g->options = (avout_options){.durability = AVOUT_DURABLE_NONE, .timeout_ms = PATIENCE_MS};
    return g;
}

static void guard_lock(guard *g)
{
    int code = pthread_mutex_lock(&g->mutex);
    if (code == EOWNERDEAD) code = pthread_mutex_consistent(&g->mutex);
    CHECK_INT(0, code);
}

static void guard_unlock(guard *g)
{
    pthread_mutex_unlock(&g->mutex);
}

static void supersede(guard *g, const guard_entry *by)
{
    for (int i = 0; i < GUARD_WORKERS * GUARD_THREADS; i++) {
        guard_entry *other = &g->entries[i / GUARD_THREADS][i % GUARD_THREADS];
        if (other == by || !other->inside) continue;
        if (by->shared && other->shared) atomic_fetch_add(&g->beside, 1);
        else other->superseded = true;
    }
}

static bool is_newer(avout_token token, avout_token than)
{
    return avout_token_compare(token, than) > 0;
}

bool guard_enter(guard *g, int worker, int thread, avout_token token, bool shared)
{
    guard_entry *mine = &g->entries[worker][thread];
    guard_lock(g);
    bool accepted = is_newer(token, shared ? g->greatest_writer : g->greatest);
    if (accepted) {
        *mine = (guard_entry){.token = token, .inside = true, .shared = shared, .read = g->number};
        supersede(g, mine);
        if (is_newer(token, g->greatest)) g->greatest = token;
        if (!shared) g->greatest_writer = token;
    }
    guard_unlock(g);
    return accepted;
}

bool guard_leave(guard *g, int worker, int thread)
{
    guard_entry *mine = &g->entries[worker][thread];
    guard_lock(g);
    bool accepted = mine->inside && !mine->superseded;
    mine->inside = false;
    if (accepted && !mine->shared) {
        g->number = mine->read + 1;
        g->increments++;
    }
    if (accepted && mine->shared) CHECK_INT(mine->read, g->number);
    guard_unlock(g);
    return accepted;
}

/* ---- one acquisition ------------------------------------------------------------------------------- */

typedef struct locker {
    guard *g;
    int worker, thread;
    avout_lock *lock;
    avout_rwlock *rwlock;
    uint64_t random;
    pthread_mutex_t mutex; /* of `cancel`: another thread sets it */
    avout_cancel *cancel;
    _Atomic bool *ended;
} locker;

static bool is_held(locker *l, bool shared)
{
    return shared ? avout_rwlock_is_read(l->rwlock) : avout_lock_is_held(l->lock);
}

static avout_status release(locker *l, bool shared)
{
    return shared ? avout_rwlock_release_read(l->rwlock) : avout_lock_release(l->lock);
}

/* It has been told that it has the lock. */
static void hold(locker *l, avout_token token, bool shared)
{
    guard *g = l->g;
    bool accepted = guard_enter(g, l->worker, l->thread, token, shared);
    if (accepted) {
        if (g->hold_ms) test_pause_ms((int)crowd_random_of(&l->random, (uint32_t)g->hold_ms));
        accepted = guard_leave(g, l->worker, l->thread);
    }
    bool held = is_held(l, shared);
    avout_status status = release(l, shared);
    if (accepted) {
        atomic_fetch_add(&g->acquired[l->worker], 1);
    } else {
        atomic_fetch_add(&g->refused, 1);
        if (!g->loses)
            test_failed(__FILE__, __LINE__, "a holder's token was refused: two had the lock");
        if (held || status != AVOUT_ELOST)
            test_failed(__FILE__, __LINE__, "a holder's token was refused, its release: %s",
                        avout_status_name(status));
    }
    if (status == AVOUT_ELOST && g->loses) atomic_fetch_add(&g->lost, 1);
    else CHECK_OK(status);
    if (!g->loses) CHECK(held);
}

/* Sets *status to what the wait answered; some are given up. */
static avout_status acquire(locker *l, avout_token *token, bool shared)
{
    avout_wait_options options = {.timeout_ms = PATIENCE_MS};
    uint32_t how = l->g->gives_up ? crowd_random_of(&l->random, 6) : 3;
    avout_status status, allowed = AVOUT_OK;
    if (how == 0) {
        status = shared ? avout_rwlock_try_read(token, l->rwlock) : avout_lock_try(token, l->lock);
        allowed = AVOUT_EBUSY;
    } else {
        if (how == 1) {
            options.timeout_ms = 1 + crowd_random_of(&l->random, 20);
            allowed = AVOUT_ETIMEOUT;
        } else if (how == 2) {
            CHECK_OK(avout_cancel_new(&options.cancel));
            pthread_mutex_lock(&l->mutex);
            l->cancel = options.cancel;
            pthread_mutex_unlock(&l->mutex);
            allowed = AVOUT_ECANCELLED;
        }
        status = shared ? avout_rwlock_read(token, l->rwlock, &options)
                        : avout_lock_acquire(token, l->lock, &options);
        pthread_mutex_lock(&l->mutex);
        l->cancel = NULL;
        pthread_mutex_unlock(&l->mutex);
        avout_cancel_free(options.cancel);
    }
    if (status && status != allowed)
        test_failed(__FILE__, __LINE__, "acquiring: %s (%s)", avout_status_name(status),
                    avout_error_detail());
    return status;
}

static void *lock_and_release(void *payload)
{
    locker *l = payload;
    while (!atomic_load(&l->g->over)) {
        bool shared = (int)crowd_random_of(&l->random, 10) < l->g->readers;
        avout_token token;
        avout_status status = acquire(l, &token, shared);
        if (!status) hold(l, token, shared);
        else atomic_fetch_add(&l->g->given_up, 1);
        atomic_fetch_add(&l->g->tried[l->worker], 1);
        /* Trying again at once would be all that is done while somebody else holds it. */
        if (status) test_pause_ms(1);
    }
    return NULL;
}

/* ---- a process --------------------------------------------------------------------------------------- */

typedef struct canceller {
    guard *g;
    locker *lockers;
    uint64_t random;
    _Atomic bool over;
} canceller;

static void *cancel_some(void *payload)
{
    canceller *c = payload;
    while (!atomic_load(&c->over)) {
        test_pause_ms((int)crowd_random_of(&c->random, 8));
        locker *l = &c->lockers[crowd_random_of(&c->random, (uint32_t)c->g->threads)];
        pthread_mutex_lock(&l->mutex);
        avout_cancel_set(l->cancel);
        pthread_mutex_unlock(&l->mutex);
    }
    return NULL;
}

void guard_live(guard *g, int worker, const char *url)
{
    avout_client *client;
    locker lockers[GUARD_THREADS];
    pthread_t threads[GUARD_THREADS], cancelling;
    canceller c = {.g = g, .lockers = lockers, .random = crowd_thread_seed()};
    CHECK_OK(avout_connect(url ? url : suite_url(), &g->options, &client));
    for (int i = 0; i < g->threads; i++) {
        locker *l = &lockers[i];
        *l = (locker){.g = g, .worker = worker, .thread = i, .random = crowd_thread_seed()};
        pthread_mutex_init(&l->mutex, NULL);
        CHECK_OK(avout_lock_open(&l->lock, client, GUARD_LOCK));
        CHECK_OK(avout_rwlock_open(&l->rwlock, client, GUARD_LOCK));
    }
    for (int i = 0; i < g->threads; i++)
        CHECK(!pthread_create(&threads[i], NULL, lock_and_release, &lockers[i]));
    if (g->gives_up) CHECK(!pthread_create(&cancelling, NULL, cancel_some, &c));
    for (int i = 0; i < g->threads; i++) pthread_join(threads[i], NULL);
    atomic_store(&c.over, true);
    if (g->gives_up) pthread_join(cancelling, NULL);
    for (int i = 0; i < g->threads; i++) {
        avout_lock_close(lockers[i].lock);
        avout_rwlock_close(lockers[i].rwlock);
        pthread_mutex_destroy(&lockers[i].mutex);
    }
    suite_close(client);
    suite_check_memory();
}

/* ---- who looks on -------------------------------------------------------------------------------------- */

void guard_hold(_Atomic bool *held, _Atomic bool *over)
{
    avout_client *client = suite_connect();
    avout_lock *lock;
    CHECK_OK(avout_lock_open(&lock, client, GUARD_LOCK));
    CHECK_OK(avout_lock_acquire(NULL, lock, NULL));
    atomic_store(held, true);
    while (!atomic_load(over)) test_pause_ms(2);
    CHECK_OK(avout_lock_release(lock));
    avout_lock_close(lock);
    suite_close(client);
}

void guard_await_progress(guard *g, int count, int seconds, crowd_process *processes)
{
    int64_t before[GUARD_WORKERS], limit = crowd_now_ms() + seconds * 1000;
    for (int i = 0; i < count; i++) before[i] = atomic_load(&g->acquired[i]);
    for (int i = 0; i < count; i++) {
        while (atomic_load(&g->acquired[i]) == before[i]) {
            if (crowd_now_ms() > limit)
                test_failed(__FILE__, __LINE__, "process %d has not got the lock for %d s", i,
                            seconds);
            crowd_check(processes, (size_t)count);
            test_pause_ms(2);
        }
    }
}

static struct {
    size_t length;
    int seconds;
} awaited;

static void look(int number)
{
    (void)number;
    avout_client *client = suite_connect();
    int64_t limit = crowd_now_ms() + awaited.seconds * 1000;
    for (;;) {
        avout_lock_report *report;
        CHECK_OK(avout_lock_inspect(&report, client, GUARD_LOCK));
        size_t count = report->count;
        CHECK_INT(0, report->foreign_count);
        avout_lock_report_free(report);
        if (count == awaited.length) break;
        if (crowd_now_ms() > limit) CHECK_INT(awaited.length, count);
        test_pause_ms(5);
    }
    suite_close(client);
}

void guard_await_queue(size_t length, int seconds)
{
    crowd_process looker;
    awaited.length = length;
    awaited.seconds = seconds;
    crowd_start(&looker, look, -2);
    crowd_finish(&looker, 1, seconds + 20);
}

void guard_audit(guard *g)
{
    int64_t sum = 0;
    for (int i = 0; i < GUARD_WORKERS; i++) sum += atomic_load(&g->acquired[i]);
    fprintf(stderr,
            "# %" PRId64 " acquisitions, %" PRId64 " waits given up, %" PRId64 " losses, %" PRId64
            " refused, %" PRId64 " readers beside others\n",
            sum, atomic_load(&g->given_up), atomic_load(&g->lost), atomic_load(&g->refused),
            atomic_load(&g->beside));
    CHECK(g->number >= g->increments); /* equal, but for those killed between the two */
    CHECK(sum > 0);
    /* The claims of killed processes go when the server finds that their sessions have ended. */
    int64_t session_ms = g->options.session_timeout_ms;
    guard_await_queue(0, (int)(session_ms ? 2 * session_ms / 1000 + 5 : 30));
}
