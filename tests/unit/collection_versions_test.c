/* Who counts what among versions of one collection (src/value/kin.h): many versions held, changed,
 * copied and let go in any order, with boxes for items. A box has to live exactly as long as a version
 * has it: not a step less, and not one more. */
#include "unit/collection_support.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { VERSIONS = 7, KEYS = 700, STEPS = 30000, LOOKS = 50, BOXES = 300000 };

/* How often each box was destroyed. */
static _Atomic unsigned char ended[BOXES];
static _Atomic uint32_t made;

static void end_box(void *pointer)
{
    atomic_fetch_add(&ended[(uintptr_t)pointer], 1);
}

static avout_value new_box(uint32_t *id)
{
    *id = atomic_fetch_add(&made, 1) + 1;
    CHECK(*id < BOXES);
    return avout_box((void *)(uintptr_t)*id, end_box); /* NOLINT: a number is all it needs */
}

static uint32_t id_of(avout_value box)
{
    void *pointer;
    CHECK_OK(avout_value_to_box(&pointer, box));
    return (uint32_t)(uintptr_t)pointer;
}

static avout_value keys[KEYS];

/* Keys that collide in all of their hash, in the lower levels, in the upper ones, and not at all. */
static void keys_make(void)
{
    for (uint32_t i = 0; i < KEYS; i++) {
        char text[32];
        snprintf(text, sizeof text, "key-%u", i);
        if (i < 12) keys[i] = I(int_with_hash(0xabcdef12, i));
        else if (i < 40) keys[i] = I(int_with_hash(0xabcdef12 ^ (i << 30), i));
        else if (i < 70) keys[i] = I(int_with_hash((i << 20) | 0xdef12, i));
        else if (i < 300) keys[i] = STR(text);
        else keys[i] = I(i);
    }
}

static void keys_release(void)
{
    for (uint32_t i = 0; i < KEYS; i++) avout_release(keys[i]);
}

typedef struct version {
    avout_value value;
    size_t count;
    uint32_t boxes[KEYS]; /* by key or index; 0: none, or nil */
} version;

static version versions[VERSIONS];
static uint64_t seed;

static uint32_t below(uint32_t limit)
{
    return next_random(&seed) % limit;
}

static avout_status put_box(avout_value *item, void *payload)
{
    return avout_put(item, avout_share(*(avout_value *)payload));
}

/* ---- changes ---------------------------------------------------------------------------------- */

static void set(version *v, bool vector, uint32_t at)
{
    uint32_t from = below(VERSIONS), id;
    avout_value box = AVOUT_NONE, key = vector ? I(at) : avout_share(keys[at]);
    if (!below(8) && (id = versions[from].boxes[at])) /* what another version has there */
        box = avout_share(avout_value_get(versions[from].value, key));
    else if (vector && !below(4)) box = NIL, id = 0;
    else box = new_box(&id);
    if (below(3)) {
        CHECK_OK(avout_assoc(&v->value, avout_share(key), box));
    } else {
        CHECK_OK(avout_update_in(&v->value, 1, &key, put_box, &box));
        avout_release(box);
    }
    avout_release(key);
    if (!vector) v->count += !v->boxes[at];
    v->boxes[at] = id;
}

static void change_map(version *v)
{
    uint32_t at = below(4) ? below(KEYS) : below(70);
    if (below(3)) {
        set(v, false, at);
        return;
    }
    CHECK_OK(avout_dissoc(&v->value, avout_share(keys[at])));
    v->count -= !!v->boxes[at];
    v->boxes[at] = 0;
}

/* Over times vectors grow, and over times they shrink, to nothing. */
static void change_vector(version *v)
{
    static uint32_t changes;
    bool grow = changes++ / 6000 % 2 == 0;
    uint32_t what = below(10);
    if (what < (grow ? 6 : 1) && v->count < KEYS) {
        /* Every other leaf is mostly without boxes. */
        bool nil = v->count / 32 % 2 && below(60);
        CHECK_OK(avout_conj(&v->value, nil ? NIL : new_box(&v->boxes[v->count])));
        v->count++;
    } else if (what < (grow ? 8 : 3) && v->count) {
        set(v, true, below((uint32_t)v->count));
    } else if (v->count) {
        CHECK_OK(avout_pop(&v->value));
        v->boxes[--v->count] = 0;
    }
}

static void copy(version *to, const version *from)
{
    avout_value old = to->value;
    if (to == from) return;
    *to = *from;
    to->value = avout_share(from->value);
    avout_release(old);
}

/* ---- looking ---------------------------------------------------------------------------------- */

static void look_at_contents(const version *v, bool vector)
{
    CHECK_INT(v->count, count_of(v->value));
    for (uint32_t i = 0; i < KEYS; i++) {
        avout_value key = vector ? I(i) : keys[i], got = avout_value_get(v->value, key);
        bool none = avout_is_none(got) || avout_value_type(got) == AVOUT_TYPE_NIL;
        CHECK_INT(v->boxes[i], none ? 0 : id_of(got));
    }
}

static void look_at_boxes(uint32_t from)
{
    static unsigned char held[BOXES];
    memset(held, 0, sizeof held);
    for (int i = 0; i < VERSIONS; i++)
        for (uint32_t k = 0; k < KEYS; k++) held[versions[i].boxes[k]] = 1;
    for (uint32_t id = from + 1; id <= atomic_load(&made); id++)
        if (atomic_load(&ended[id]) != !held[id]) CHECK_INT(!held[id], atomic_load(&ended[id]));
}

static void run_versions(bool vector)
{
    uint32_t first = atomic_load(&made);
    keys_make();
    size_t blocks = avout_memory_blocks();
    memset(versions, 0, sizeof versions);
    for (int i = 0; i < VERSIONS; i++) versions[i].value = vector ? V0 : M0;
    for (int step = 0; step < STEPS; step++) {
        version *v = &versions[below(VERSIONS)];
        if (!below(vector ? 60 : 30)) copy(v, &versions[below(VERSIONS)]);
        /* Several changes of one version: the first makes nodes anew, the others meet them. */
        for (uint32_t more = below(4); more; more--) {
            if (vector) change_vector(v);
            else change_map(v);
        }
        if (step % LOOKS) continue;
        look_at_boxes(first);
        look_at_contents(v, vector);
    }
    for (int i = 0; i < VERSIONS; i++) {
        avout_release(versions[i].value);
        memset(versions[i].boxes, 0, sizeof versions[i].boxes);
        look_at_boxes(first);
    }
    CHECK_INT(blocks, avout_memory_blocks());
    keys_release();
}

TEST(boxes_in_versions_of_maps_live_as_long_as_one_has_them)
{
    seed = 1;
    run_versions(false);
}

TEST(boxes_in_versions_of_vectors_live_as_long_as_one_has_them)
{
    seed = 2;
    run_versions(true);
}

static void look_alive(avout_value collection)
{
    avout_iterator it = avout_value_iterate(collection);
    while (avout_iterator_next(&it)) CHECK_INT(0, atomic_load(&ended[id_of(it.item)]));
}

/* Where a trie loses a level or a branch, the old version goes on with what it had. */
TEST(a_vector_shrinks_below_a_level_beside_its_old_version)
{
    static const int sizes[] = {33, 65, 66, 97, 1057, 1058, 1089};
    for (size_t n = 0; n < 4 * sizeof sizes / sizeof *sizes; n++) {
        uint32_t first = atomic_load(&made), id;
        avout_value vector = V0, old;
        for (int i = 0; i < sizes[n / 4]; i++) CHECK_OK(avout_conj(&vector, new_box(&id)));
        old = avout_share(vector);
        if (n & 1) CHECK_OK(avout_assoc(&vector, I(0), new_box(&id)));
        for (int i = 0; i < 33; i++) CHECK_OK(avout_pop(&vector));
        for (int i = 0; i < 3; i++) CHECK_OK(avout_conj(&vector, new_box(&id)));
        look_alive(old);
        look_alive(vector);
        avout_release(n & 2 ? old : vector);
        look_alive(n & 2 ? vector : old);
        avout_release(n & 2 ? vector : old);
        for (id = first + 1; id <= atomic_load(&made); id++) CHECK_INT(1, atomic_load(&ended[id]));
        CHECK_INT(0, avout_memory_blocks());
    }
}

/* ---- threads ---------------------------------------------------------------------------------- */

enum { THREADS = 4, PLACES = 5, ROUNDS = 1000 };

static struct {
    pthread_mutex_t lock;
    avout_value map, vector;
} places[PLACES];

static void change_both(avout_value *map, avout_value *vector, uint64_t *random)
{
    uint32_t id, at = next_random(random) % KEYS;
    size_t count = count_of(*vector);
    avout_value box = new_box(&id);
    CHECK_OK(avout_assoc(map, avout_share(keys[at]), avout_share(box)));
    CHECK_INT(id, id_of(avout_value_get(*map, keys[at])));
    CHECK_OK(avout_dissoc(map, avout_share(keys[next_random(random) % KEYS])));
    if (count > 200) CHECK_OK(avout_pop(vector));
    else CHECK_OK(avout_conj(vector, avout_share(box)));
    if (count) CHECK_OK(avout_assoc(vector, I(next_random(random) % count), box));
    else avout_release(box);
}

static void *pass_around(void *number)
{
    uint64_t random = (uintptr_t)number;
    for (int round = 0; round < ROUNDS; round++) {
        uint32_t from = next_random(&random) % PLACES, to = next_random(&random) % PLACES;
        pthread_mutex_lock(&places[from].lock);
        avout_value map = avout_share(places[from].map);
        avout_value vector = avout_share(places[from].vector);
        pthread_mutex_unlock(&places[from].lock);
        for (uint32_t more = next_random(&random) % 5; more; more--)
            change_both(&map, &vector, &random);
        if (round % 16 == 0) {
            look_alive(map);
            look_alive(vector);
        }
        pthread_mutex_lock(&places[to].lock);
        avout_value old_map = places[to].map, old_vector = places[to].vector;
        places[to].map = map;
        places[to].vector = vector;
        pthread_mutex_unlock(&places[to].lock);
        avout_release(old_map);
        avout_release(old_vector);
    }
    return NULL;
}

TEST(threads_pass_versions_around)
{
    pthread_t threads[THREADS];
    uint32_t first = atomic_load(&made);
    keys_make();
    size_t blocks = avout_memory_blocks();
    for (int i = 0; i < PLACES; i++) {
        CHECK(!pthread_mutex_init(&places[i].lock, NULL));
        places[i].map = M0;
        places[i].vector = V0;
    }
    for (uintptr_t i = 0; i < THREADS; i++)
        CHECK(!pthread_create(&threads[i], NULL, pass_around, (void *)(i + 1))); /* NOLINT */
    for (int i = 0; i < THREADS; i++) CHECK(!pthread_join(threads[i], NULL));
    for (int i = 0; i < PLACES; i++) {
        look_alive(places[i].map);
        look_alive(places[i].vector);
        avout_release(places[i].map);
        avout_release(places[i].vector);
    }
    for (uint32_t id = first + 1; id <= atomic_load(&made); id++)
        if (atomic_load(&ended[id]) != 1) CHECK_INT(1, atomic_load(&ended[id]));
    CHECK_INT(blocks, avout_memory_blocks());
    keys_release();
}

/* ---- neighbours in time ----------------------------------------------------------------------- */

enum { NEIGHBOURS = 3, MEETINGS = 1000, ENTRIES = 40 };

static struct {
    _Alignas(64) avout_value map, vector;
    uint64_t random;
} owners[NEIGHBOURS];
static _Atomic int arrived, round_now;

/* Changes its version, or lets go at once. */
static void end_version(int mine)
{
    avout_value map = owners[mine].map, vector = owners[mine].vector;
    uint64_t *random = &owners[mine].random;
    for (uint32_t more = next_random(random) % 3; more; more--) {
        avout_value before = next_random(random) % 2 ? avout_share(map) : AVOUT_NONE;
        avout_value older = next_random(random) % 2 ? avout_share(vector) : AVOUT_NONE;
        uint32_t id, at = next_random(random) % ENTRIES;
        CHECK_OK(avout_assoc(&map, I(at), new_box(&id)));
        CHECK_OK(avout_assoc(&vector, I(at), new_box(&id)));
        CHECK_INT(id, id_of(avout_value_nth(vector, at)));
        avout_release(before);
        avout_release(older);
    }
    look_alive(map);
    look_alive(vector);
    avout_release(map);
    avout_release(vector);
}

static void *meet(void *number)
{
    for (int round = 1; round <= MEETINGS; round++) {
        while (atomic_load(&round_now) < round) sched_yield();
        end_version((int)(uintptr_t)number);
        atomic_fetch_add(&arrived, 1);
    }
    return NULL;
}

/* Each thread has one version; each version is made of the one before it. */
TEST(neighbours_change_and_let_go_together)
{
    pthread_t threads[NEIGHBOURS];
    uint32_t first = atomic_load(&made), id;
    size_t blocks = avout_memory_blocks();
    for (uintptr_t i = 0; i < NEIGHBOURS; i++) {
        owners[i].random = i;
        CHECK(!pthread_create(&threads[i], NULL, meet, (void *)i)); /* NOLINT */
    }
    avout_value map = M0, vector = V0;
    for (int i = 0; i < ENTRIES; i++) {
        CHECK_OK(avout_assoc(&map, I(i), new_box(&id)));
        CHECK_OK(avout_conj(&vector, new_box(&id)));
    }
    for (int round = 1; round <= MEETINGS; round++) {
        for (int i = 0; i < NEIGHBOURS; i++) {
            owners[i].map = avout_share(map);
            owners[i].vector = avout_share(vector);
            CHECK_OK(avout_assoc(&map, I((round + i) % ENTRIES), new_box(&id)));
            CHECK_OK(avout_assoc(&vector, I((round + i) % ENTRIES), new_box(&id)));
        }
        atomic_store(&arrived, 0);
        atomic_store(&round_now, round);
        while (atomic_load(&arrived) < NEIGHBOURS) sched_yield();
    }
    for (int i = 0; i < NEIGHBOURS; i++) CHECK(!pthread_join(threads[i], NULL));
    look_alive(map);
    avout_release(map);
    avout_release(vector);
    for (id = first + 1; id <= atomic_load(&made); id++)
        if (atomic_load(&ended[id]) != 1) CHECK_INT(1, atomic_load(&ended[id]));
    CHECK_INT(blocks, avout_memory_blocks());
}

/* ---- fork -------------------------------------------------------------------------------------
 * Not with the sanitizers: their own allocators are not made for a child that is forked while another
 * thread allocates, and wait in it for ever, now and then. */
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)

static _Atomic bool enough;

static void *keep_changing(void *number)
{
    avout_value map = avout_share(places[0].map);
    for (int64_t i = 0; !atomic_load(&enough); i++) {
        avout_value before = avout_share(map);
        CHECK_OK(avout_assoc(&map, I(i % 50), I(i)));
        avout_release(before);
    }
    avout_release(map);
    return number;
}

static int change_in_child(void)
{
    alarm(60);
    for (int i = 0; i < 100; i++) { /* of many locks, one at least is the one that was held */
        avout_value map = M0, before;
        for (int k = 0; k < 9; k++)
            if (avout_assoc(&map, I(k), I(k))) return 1;
        before = avout_share(map);
        if (avout_assoc(&map, I(3), I(i))) return 1;
        avout_release(before);
        avout_release(map);
    }
    avout_value map = avout_share(places[0].map);
    if (avout_assoc(&map, I(3), I(-1))) return 1;
    avout_release(map);
    return 0;
}

TEST(a_forked_child_finds_no_lock_held)
{
    pthread_t thread;
    places[0].map = M0;
    for (int64_t i = 0; i < 50; i++) CHECK_OK(avout_assoc(&places[0].map, I(i), I(i)));
    CHECK(!pthread_create(&thread, NULL, keep_changing, NULL));
    for (int i = 0; i < 100; i++) {
        pid_t child = fork();
        CHECK(child >= 0);
        if (!child) _exit(change_in_child());
        int status;
        CHECK_INT(child, waitpid(child, &status, 0));
        CHECK_INT(0, status);
    }
    atomic_store(&enough, true);
    CHECK(!pthread_join(thread, NULL));
    avout_release(places[0].map);
}

#endif
