/* What the engine's tests without memory share: a scene with a client and a witness, and the sweep that
 * plays an act with each of its allocations failing in turn. */
#ifndef TESTS_FAULT_ENGINE_MEMORY_H
#define TESTS_FAULT_ENGINE_MEMORY_H

#include "engine_support.h"
#include "support/no_memory.h"

/* ---- a scene: a client, a witness, an act ------------------------------------------------------- */

typedef struct scene {
    avout_client *witness, *client;
    avout_store *store; /* the client's */
    avout_ref *x, *y, *z, *new_ref, *witness_x;
    avout_atom *atom;
    int64_t x_is, y_is, atom_is; /* as confirmed */
    int unknown;                 /* not known whether they were */
    no_memory_calls calls;
    int expected_hooks;
    _Atomic int hooks, runs, finished, finished_ok;
    _Atomic int64_t told;
    bool watched;
} scene;

/* Whether a call has taken effect. */
static inline bool done(scene *s, avout_status status)
{
    return NO_MEMORY_DONE(&s->calls, status);
}

static inline void scene_open(scene *s)
{
    *s = (scene){.witness = suite_connect()};
    s->client = suite_connect();
    s->store = engine_store(1);
    CHECK_OK(avout_ref_create(&s->x, s->client, "/x", avout_int(0), NULL));
    CHECK_OK(avout_ref_create(&s->y, s->client, "/deep/y", avout_int(0), NULL));
    CHECK_OK(avout_ref_create(&s->z, s->client, "/z", avout_int(0), NULL));
    CHECK_OK(avout_atom_create(&s->atom, s->client, "/atom", avout_int(0), NULL));
}

static inline void scene_close_handles(scene *s)
{
    avout_ref_close(s->x);
    avout_ref_close(s->y);
    avout_ref_close(s->z);
    avout_ref_close(s->new_ref);
    avout_ref_close(s->witness_x);
    avout_atom_close(s->atom);
}

static int64_t seen_by(avout_client *client, const char *name)
{
    avout_ref *ref;
    CHECK_OK(avout_ref_open(&ref, client, name));
    int64_t number = suite_ref_strict_int(ref);
    avout_ref_close(ref);
    return number;
}

static inline void check_between(const scene *s, int64_t confirmed, int64_t seen)
{
    if (seen < confirmed || seen > confirmed + s->unknown)
        test_failed(__FILE__, __LINE__, "confirmed %d, unknown %d, seen %d", (int)confirmed,
                    s->unknown, (int)seen);
}

static inline void scene_judge(scene *s)
{
    int64_t x = seen_by(s->witness, "/x"), y = seen_by(s->witness, "/deep/y");
    CHECK_INT(s->x_is - s->y_is, x - y); /* I2: what is unknown is so for both */
    check_between(s, s->x_is, x);
    check_between(s, s->atom_is, seen_by(s->witness, "/atom"));
    CHECK_INT(s->expected_hooks, s->hooks);
}

static inline void scene_go_on(scene *s)
{
    if (!s->client) return;
    CHECK_OK(avout_dosync(s->client, plus_one, s->x, NULL));
    CHECK_OK(avout_dosync(s->client, plus_one, s->y, NULL));
    CHECK_OK(avout_swap(s->atom, suite_plus, &suite_one, NULL, NULL, NULL));
    CHECK_INT(s->x_is + 1, suite_ref_int(s->x));
    CHECK_INT(s->y_is + 1, suite_ref_int(s->y));
    CHECK_INT(s->atom_is + 1, suite_atom_int(s->atom));
    CHECK_INT(s->x_is + 1, seen_by(s->witness, "/x"));
    if (s->watched) TEST_AWAIT(s->told == s->x_is + 1);
}

typedef void (*part)(scene *s);
typedef struct movie {
    part prepare, act, judge;
} movie;

/* Whether the act, with `count` allocations failing from number n on, made as many. */
static inline bool play(int64_t n, int64_t count, void *payload)
{
    const movie *m = payload;
    scene s;
    scene_open(&s);
    if (m->prepare) m->prepare(&s);
    no_memory_begin(n, count);
    m->act(&s);
    int64_t happened = no_memory_end();
    if (!happened) CHECK_INT(0, s.calls.refused);
    if (m->judge) m->judge(&s);
    scene_judge(&s);
    scene_go_on(&s);
    scene_close_handles(&s);
    avout_close(s.client);
    suite_close(s.witness);
    no_memory_check(n);
    return happened;
}

static inline void sweep(part prepare, part act, part judge, int64_t least)
{
    no_memory_sweep(play, &(movie){prepare, act, judge}, least);
}

/* Readers bring back what the act has left unknown: their allocations fail in turn, too. */
static inline void look(scene *s)
{
    avout_value values[2], value;
    for (int i = 0; i < 2; i++) {
        if (done(s, avout_refs_deref(values, (avout_ref *[]){s->x, s->y}, 2))) {
            avout_release(values[0]);
            avout_release(values[1]);
        }
        if (done(s, avout_atom_deref(&value, s->atom))) avout_release(value);
    }
}

/* ---- transactions over two refs ------------------------------------------------------------------ */

static inline void hook(void *payload)
{
    ((scene *)payload)->hooks++;
}

static inline avout_status block_at_once(avout_txn *txn, void *payload)
{
    scene *s = payload;
    avout_status status = avout_commute(txn, s->y, suite_plus, &suite_one);
    return status ? status : avout_retry(txn);
}

static inline avout_status set_x(avout_txn *txn, void *payload)
{
    scene *s = payload;
    int64_t seen;
    avout_status status = suite_txn_int(&seen, txn, s->x);
    return status ? status : avout_ref_set(txn, s->x, avout_int(seen + 1));
}

/* Every operation; and more cells than a transaction has room for at first. */
static inline avout_status add_to_both(avout_txn *txn, void *payload)
{
    scene *s = payload;
    int64_t seen;
    s->runs++;
    avout_status status = avout_commute(txn, s->y, suite_plus, &suite_one);
    if (!status) status = avout_ensure(txn, s->z);
    if (!status) status = avout_or_else(txn, block_at_once, s, set_x, s);
    avout_value value;
    if (!status) status = avout_atom_deref(&value, s->atom); /* no part of it */
    if (!status) avout_release(value);
    avout_ref *local = NULL;
    if (!status) status = avout_ref_local(&local, s->client, avout_int(1));
    if (!status) status = suite_txn_int(&seen, txn, local);
    if (!status) status = avout_alter(txn, local, suite_plus, &suite_one);
    if (!status) status = avout_on_commit(txn, hook, s);
    avout_ref_close(local);
    return status;
}

static inline bool both(scene *s, avout_status status)
{
    bool did = done(s, status);
    s->x_is += did;
    s->y_is += did;
    s->expected_hooks += did;
    return did;
}

static inline void dosync(scene *s)
{
    for (int i = 0; i < 2; i++) {
        avout_call_options options = {.isolation = i ? AVOUT_SNAPSHOT : AVOUT_SERIALIZABLE};
        both(s, avout_dosync(s->client, add_to_both, s, &options));
    }
    look(s);
}

static inline void finished(avout_status status, const char *detail, void *payload)
{
    scene *s = payload;
    if (status && status != AVOUT_ENOMEM)
        test_failed(__FILE__, __LINE__, "%s (%s)", avout_status_name(status), detail);
    s->finished_ok += !status;
    s->finished++;
}

static inline void *dosync_beside(void *payload)
{
    scene *s = payload;
    avout_status status = avout_dosync(s->client, add_to_both, s, NULL);
    finished(status, avout_error_detail(), s);
    return NULL;
}

/* Groups: an allocation that fails for one may concern all that travel with it. */
static inline void dosync_together(scene *s)
{
    enum { THREADS = 4 };
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) CHECK(!pthread_create(&threads[i], NULL, dosync_beside, s));
    for (int i = 0; i < THREADS; i++) CHECK(!pthread_join(threads[i], NULL));
    s->x_is += s->finished_ok;
    s->y_is += s->finished_ok;
    s->expected_hooks += s->finished_ok;
    s->calls.refused += THREADS - s->finished_ok;
}

#endif
