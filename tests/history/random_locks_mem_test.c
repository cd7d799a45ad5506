/* Locks, permits, terms, latches, conditions and barriers while connections break at random, in threads of several
 * clients. Where no session ends nothing is ever lost and nobody is inside with somebody it excludes. In any case no
 * two acquisitions have the same token, each count counts once, each place at a barrier is taken once, and when all
 * is over no request is left (I8, I10, I12). AVOUT_TEST_MS: how long; AVOUT_TEST_SEED.
 * Test-tags: threads */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/interrupt.h"
#include "store/mem/mem.h"
#include "support/await.h"
#include "support/suite.h"
#include "support/trouble.h"

#define WORLD "random-locks"

enum { CLIENTS = 3, EACH = 3, THREADS = CLIENTS * EACH, PERMITS = 3, PARTIES = 3, COUNT = 1000000 };

static const avout_wait_options patient = {.timeout_ms = 30000};

enum { TOKENS = 1 << 20 };

typedef struct place {
    bool may_lose;
    pthread_mutex_t mutex;
    avout_token tokens[TOKENS]; /* of those who wrote */
    size_t token_count;
    int items;           /* under the lock /q */
    _Atomic int limit;   /* of permits: more are not out */
    _Atomic int changes; /* of that */
    _Atomic int ended, readers, writers, permits, leaders, signals;
    _Atomic uint32_t counted;
    _Atomic uint64_t done, released[4096]; /* by generation */
    avout_client *clients[CLIENTS];
    avout_rwlock *locks[CLIENTS];
    avout_lock *exclusive[CLIENTS];
    avout_condition *conditions[CLIENTS];
    avout_lock *queues[CLIENTS];
    avout_condition *filled[CLIENTS];
    avout_semaphore *semaphores[CLIENTS];
    avout_latch *latches[CLIENTS];
    avout_barrier *barriers[CLIENTS];
    int64_t until_ns;
} place;

typedef struct actor {
    place *p;
    int number, client;
    uint64_t random;
    avout_election *election;
    pthread_t thread;
} actor;

static bool often(actor *a, uint64_t one_in)
{
    return !trouble_draw(&a->random, one_in);
}

/* Short, or as long as it takes. */
static avout_wait_options patience(actor *a)
{
    if (often(a, 2)) return patient;
    return (avout_wait_options){.timeout_ms = 1 + (int64_t)trouble_draw(&a->random, 4)};
}

static void linger(actor *a)
{
    if (often(a, 4)) test_pause_us((int64_t)trouble_draw(&a->random, 400));
}

static bool had(avout_status status)
{
    if (status && status != AVOUT_ETIMEOUT && status != AVOUT_EBUSY)
        test_failed(__FILE__, __LINE__, "%s (%s)", avout_status_name(status), avout_error_detail());
    return !status;
}

/* Of what may be lost by the end of a session. */
static void kept(actor *a, avout_status status)
{
    if (status && !(a->p->may_lose && status == AVOUT_ELOST))
        test_failed(__FILE__, __LINE__, "%s (%s)", avout_status_name(status), avout_error_detail());
}

/* So many of these may be inside. */
static void enter(actor *a, _Atomic int *inside, int count, int most)
{
    int now = atomic_fetch_add(inside, count) + count;
    CHECK(a->p->may_lose || now <= most);
}

static void note(place *p, avout_token token)
{
    pthread_mutex_lock(&p->mutex);
    if (p->token_count < TOKENS) p->tokens[p->token_count++] = token;
    pthread_mutex_unlock(&p->mutex);
}

static void write_alone(actor *a)
{
    place *p = a->p;
    avout_token token;
    avout_wait_options options = patience(a);
    avout_rwlock *lock = p->locks[a->client];
    if (!had(often(a, 4) ? avout_rwlock_try_write(&token, lock)
                         : avout_rwlock_write(&token, lock, &options)))
        return;
    note(p, token);
    enter(a, &p->writers, 1, 1);
    CHECK(p->may_lose || !p->readers);
    linger(a);
    CHECK(p->may_lose || avout_rwlock_is_written(lock));
    if (often(a, 3)) {
        atomic_fetch_sub(&p->writers, 1);
        options.timeout_ms = 1 + (int64_t)trouble_draw(&a->random, 5);
        avout_status status = avout_condition_wait(p->conditions[a->client], &options);
        if (status == AVOUT_ELOST) kept(a, status);
        else had(status);
        enter(a, &p->writers, 1, 1);
        CHECK(p->may_lose || !p->readers);
    } else if (often(a, 2)) {
        kept(a, often(a, 2) ? avout_condition_signal(p->conditions[a->client])
                            : avout_condition_signal_all(p->conditions[a->client]));
    }
    atomic_fetch_sub(&p->writers, 1);
    kept(a, avout_rwlock_release_write(lock));
}

static void read_together(actor *a)
{
    place *p = a->p;
    avout_wait_options options = patience(a);
    avout_rwlock *lock = p->locks[a->client];
    if (!had(often(a, 4) ? avout_rwlock_try_read(NULL, lock)
                         : avout_rwlock_read(NULL, lock, &options)))
        return;
    atomic_fetch_add(&p->readers, 1);
    CHECK(p->may_lose || !p->writers);
    linger(a);
    CHECK(p->may_lose || !p->writers);
    atomic_fetch_sub(&p->readers, 1);
    kept(a, avout_rwlock_release_read(lock));
}

static void take_permits(actor *a)
{
    place *p = a->p;
    avout_lease *lease;
    avout_wait_options options = patience(a);
    avout_semaphore *semaphore = p->semaphores[a->client];
    uint32_t permits = 1 + (uint32_t)trouble_draw(&a->random, PERMITS);
    if (!had(often(a, 4) ? avout_semaphore_try(&lease, semaphore, permits)
                         : avout_semaphore_acquire(&lease, semaphore, permits, &options)))
        return;
    int changes = p->changes, limit = p->limit;
    int now = atomic_fetch_add(&p->permits, (int)permits) + (int)permits;
    CHECK(p->may_lose || now <= limit || p->changes != changes);
    linger(a);
    atomic_fetch_sub(&p->permits, (int)permits);
    kept(a, avout_lease_release(lease));
}

/* Only one does. */
static void resize(actor *a)
{
    place *p = a->p;
    avout_wait_options options = patience(a);
    bool more = p->limit == PERMITS;
    if (more) p->limit = PERMITS + 1;
    p->changes++;
    avout_status status = avout_semaphore_set_permits(
        p->semaphores[a->client], (uint32_t)p->limit - !more, more ? &patient : &options);
    if (more) kept(a, status);
    else if (status != AVOUT_UNKNOWN && had(status)) p->limit = PERMITS;
    p->changes++;
}

/* A consumer whose waking is lost waits until its deadline. */
static void produce(place *p, int client)
{
    CHECK_OK(avout_lock_acquire(NULL, p->queues[client], &patient));
    p->items++;
    CHECK_OK(avout_condition_signal(p->filled[client]));
    CHECK_OK(avout_lock_release(p->queues[client]));
}

static void consume(actor *a)
{
    place *p = a->p;
    CHECK_OK(avout_lock_acquire(NULL, p->queues[a->client], &patient));
    while (!p->items) CHECK_OK(avout_condition_wait(p->filled[a->client], &patient));
    p->items--;
    CHECK_OK(avout_lock_release(p->queues[a->client]));
}

static void lead(actor *a)
{
    place *p = a->p;
    avout_wait_options options = patience(a);
    CHECK_OK(avout_election_enrol(a->election, "me", 2));
    if (had(avout_election_await_term(NULL, a->election, &options))) {
        enter(a, &p->leaders, 1, 1);
        linger(a);
        CHECK(p->may_lose || avout_election_leads(a->election));
        atomic_fetch_sub(&p->leaders, 1);
    }
    CHECK_OK(avout_election_resign(a->election));
}

static void count_down(actor *a)
{
    uint32_t by = 1 + (uint32_t)trouble_draw(&a->random, 3);
    CHECK_OK(avout_latch_count_down(NULL, a->p->latches[a->client], by));
    atomic_fetch_add(&a->p->counted, by);
}

static void meet(actor *a)
{
    avout_pass pass;
    avout_wait_options options = patience(a);
    avout_barrier *barrier = a->p->barriers[a->client];
    avout_status status = avout_barrier_await(&pass, barrier, &options);
    if (status == AVOUT_EBROKEN) {
        CHECK_OK(avout_barrier_reset(barrier));
    } else if (status == AVOUT_ELOST) {
        kept(a, status);
    } else if (had(status)) {
        CHECK(pass.arrival < PARTIES);
        _Atomic uint64_t *who = &a->p->released[pass.generation % 4096];
        uint64_t bit = (uint64_t)1 << pass.arrival;
        CHECK(!(atomic_fetch_or(who, bit) & bit));
    }
}

static void *act(void *payload)
{
    actor *a = payload;
    while (avout__now_ns() < a->p->until_ns) {
        switch (trouble_draw(&a->random, 10)) {
        case 0:
        case 1: write_alone(a); break;
        case 2: read_together(a); break;
        case 3:
        case 4: take_permits(a); break;
        case 5: lead(a); break;
        case 6: count_down(a); break;
        case 7:
            if (!a->number) resize(a);
            break;
        case 8:
            if (a->p->may_lose) break; /* what the lock guards is not the store's */
            if (a->number % 2) consume(a);
            else produce(a->p, a->client);
            break;
        default: meet(a); break;
        }
        a->p->done++;
    }
    a->p->ended++;
    return NULL;
}

static void open_all(place *p, int i)
{
    CHECK_OK(avout_connect("mem:" WORLD, NULL, &p->clients[i]));
    CHECK_OK(avout_rwlock_open(&p->locks[i], p->clients[i], "/l"));
    CHECK_OK(avout_lock_open(&p->exclusive[i], p->clients[i], "/l"));
    CHECK_OK(avout_condition_open(&p->conditions[i], p->exclusive[i], "c"));
    CHECK_OK(avout_lock_open(&p->queues[i], p->clients[i], "/q"));
    CHECK_OK(avout_condition_open(&p->filled[i], p->queues[i], "filled"));
    CHECK_OK(avout_semaphore_open(&p->semaphores[i], p->clients[i], "/s", PERMITS));
    CHECK_OK(avout_latch_create(&p->latches[i], p->clients[i], "/d", COUNT));
    CHECK_OK(avout_barrier_create(&p->barriers[i], p->clients[i], "/b", PARTIES));
}

static void close_all(place *p, int i)
{
    avout_rwlock_close(p->locks[i]);
    avout_condition_close(p->conditions[i]);
    avout_condition_close(p->filled[i]);
    avout_lock_close(p->queues[i]);
    avout_lock_close(p->exclusive[i]);
    avout_semaphore_close(p->semaphores[i]);
    avout_latch_close(p->latches[i]);
    avout_barrier_close(p->barriers[i]);
    avout_close(p->clients[i]);
}

static size_t requests(avout_client *client)
{
    avout_lock_report *lock;
    avout_semaphore_report *semaphore;
    avout_election_report *election;
    avout_barrier_report *barrier;
    CHECK_OK(avout_lock_inspect(&lock, client, "/l"));
    CHECK_OK(avout_semaphore_inspect(&semaphore, client, "/s"));
    CHECK_OK(avout_election_inspect(&election, client, "/e"));
    CHECK_OK(avout_barrier_inspect(&barrier, client, "/b"));
    size_t all = lock->count + semaphore->count + election->count + barrier->count;
    avout_lock_report_free(lock);
    avout_semaphore_report_free(semaphore);
    avout_election_report_free(election);
    avout_barrier_report_free(barrier);
    return all;
}

static int by_token(const void *a, const void *b)
{
    return avout_token_compare(*(const avout_token *)a, *(const avout_token *)b);
}

static void check_tokens(place *p)
{
    qsort(p->tokens, p->token_count, sizeof *p->tokens, by_token);
    for (size_t i = 1; i < p->token_count; i++)
        CHECK(avout_token_compare(p->tokens[i - 1], p->tokens[i]) < 0);
}

/* So late that whoever goes as the last makes the node anew. Not where there is none. */
static void use_up_numbers(int times)
{
    static const char *const nodes[] = {"/avout/locks/l", "/avout/locks/q", "/avout/semaphores/s",
                                        "/avout/elections/e", "/avout/barriers/b"};
    for (size_t i = 0; i < sizeof nodes / sizeof *nodes; i++)
        (void)avout__mem_set_sequence(avout__mem_handle(WORLD, 0), nodes[i],
                                      (1 << 30) + times * 100000);
}

static void run(bool may_lose, const avout__mem_fault_kind *kinds, size_t kind_count)
{
    static place p = {.mutex = PTHREAD_MUTEX_INITIALIZER};
    static actor actors[THREADS];
    const char *ms = getenv("AVOUT_TEST_MS");
    p.may_lose = may_lose;
    p.limit = PERMITS;
    for (int i = 0; i < CLIENTS; i++) open_all(&p, i);
    p.until_ns = avout__deadline_in_ms(ms ? atoi(ms) : 400);
    trouble t = {.store = WORLD,
                 .clients = CLIENTS,
                 .kinds = kinds,
                 .kind_count = kind_count,
                 .random = trouble_seed() + 1};
    for (int i = 0; i < THREADS; i++) {
        actors[i] = (actor){
            .p = &p, .number = i, .client = i % CLIENTS, .random = t.random * 31 + (uint64_t)i};
        CHECK_OK(avout_election_open(&actors[i].election, p.clients[i % CLIENTS], "/e"));
        CHECK(!pthread_create(&actors[i].thread, NULL, act, &actors[i]));
    }
    trouble_start(&t);
    for (int times = 0; avout__now_ns() < p.until_ns; times++) {
        avout__sleep_until(avout__deadline_in_ms(20));
        use_up_numbers(times);
    }
    trouble_end(&t);
    /* Some wait for parties and items that do not come any more. */
    for (; p.ended < THREADS; sched_yield()) {
        CHECK_OK(avout_barrier_reset(p.barriers[0]));
        if (!may_lose) produce(&p, 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(actors[i].thread, NULL);
        avout_election_close(actors[i].election);
    }
    fprintf(stderr, "# %d done\n", (int)p.done);
    check_tokens(&p);
    uint32_t left;
    CHECK_OK(avout_latch_count(&left, p.latches[0]));
    CHECK_INT(COUNT - p.counted, left);
    int64_t deadline = avout__deadline_in_ms(20000);
    while (requests(p.clients[0])) CHECK(avout__now_ns() < deadline);
    for (int i = 0; i < CLIENTS; i++) close_all(&p, i);
    suite_check_memory();
}

TEST_WITHIN(connections_break, 120)
{
    static const avout__mem_fault_kind kinds[] = {AVOUT__MEM_DELAY, AVOUT__MEM_LOSE_BEFORE,
                                                  AVOUT__MEM_LOSE_AFTER, AVOUT__MEM_LOSE_LATE};
    run(false, kinds, sizeof kinds / sizeof *kinds);
}

TEST_WITHIN(sessions_end, 120)
{
    static const avout__mem_fault_kind kinds[] = {AVOUT__MEM_DELAY, AVOUT__MEM_LOSE_AFTER,
                                                  AVOUT__MEM_LOSE_LATE, AVOUT__MEM_EXPIRE_BEFORE,
                                                  AVOUT__MEM_EXPIRE_AFTER};
    run(true, kinds, sizeof kinds / sizeof *kinds);
}
