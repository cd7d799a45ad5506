/* Containers on servers, and fork: a child has connections of its own, also where it is forked in the middle
 * of its parent's calls, and the parent does not notice it, nor its end.
 * Test-tags: single */
#include <pthread.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

#include "avout/http.h"
#include "avout/memory.h"
#include "avout/mongo.h"
#include "avout/postgres.h"
#include "avout/redis.h"
#include "avout/sys/container.h"
#include "support/mongodb.h"
#include "support/postgres.h"
#include "support/redis.h"
#include "support/test.h"
#include "support/webdav.h"

enum { TIMEOUT_MS = 20000, CHILDREN = 3, THREADS = 2 };

/* A sanitizer's own locks are not made for a fork while other threads allocate. */
#if defined(__SANITIZE_ADDRESS__)
enum { BUSY = 0 };
#else
enum { BUSY = THREADS };
#endif

typedef avout_status open_fn(avout_versioned_container **container, const char *place);

typedef struct forking {
    open_fn *open;
    const char *place;
} forking;

static avout_versioned_container *open_one(const forking *f)
{
    avout_versioned_container *c;
    CHECK_OK(f->open(&c, f->place));
    CHECK_OK(c->ops->init(c, TIMEOUT_MS));
    return c;
}

static void check_text(avout_versioned_container *c, const char *version)
{
    avout_value value;
    const char *text;
    CHECK_OK(c->ops->get_state_at(&value, c, version, TIMEOUT_MS));
    CHECK_OK(avout_value_to_text(&text, NULL, value));
    CHECK_TEXT(version, text);
    avout_release(value);
}

static void use(avout_versioned_container *c, const char *version)
{
    avout_value value = avout_string(version);
    CHECK_OK(c->ops->set_state_at(c, version, value, TIMEOUT_MS));
    avout_release(value);
    check_text(c, version);
}

/* As a child does that leaves by main: what it has of its parent is given back, too. */
static void live_as_child(const forking *f, avout_versioned_container *parents, int number)
{
    char version[32];
    avout_versioned_container *own = open_one(f);
    snprintf(version, sizeof version, "child-%d", number);
    use(own, version);
    own->ops->close(own);
    parents->ops->close(parents);
}

/* ---- the parent's threads, which go on ---------------------------------------------------------------- */

typedef struct user {
    avout_versioned_container *container;
    _Atomic bool *over;
    pthread_t thread;
    int number;
    _Atomic int uses;
} user;

static void *use_on(void *payload)
{
    user *u = payload;
    char version[32];
    for (; !atomic_load(u->over); atomic_fetch_add(&u->uses, 1)) {
        snprintf(version, sizeof version, "parent-%d-%d", u->number, atomic_load(&u->uses));
        use(u->container, version);
    }
    return NULL;
}

static void fork_children(const forking *f, avout_versioned_container *c)
{
    pid_t children[CHILDREN];
    for (int i = 0; i < CHILDREN; i++) {
        children[i] = fork();
        CHECK(children[i] >= 0);
        if (children[i]) continue;
        live_as_child(f, c, i);
        _exit(0);
    }
    for (int i = 0; i < CHILDREN; i++) {
        int status;
        CHECK(waitpid(children[i], &status, 0) == children[i]);
        CHECK_INT(0, status);
    }
}

static void check_children(open_fn *open, const char *place)
{
    const forking f = {open, place};
    avout_versioned_container *c = open_one(&f);
    _Atomic bool over = false;
    user users[THREADS];
    for (int i = 0; i < BUSY; i++) {
        users[i] = (user){.container = c, .over = &over, .number = i};
        CHECK(!pthread_create(&users[i].thread, NULL, use_on, &users[i]));
    }
    /* Whoever connects may hold locks of libraries (names, users, Kerberos) that no child gets back. */
    for (int i = 0; i < BUSY; i++)
        while (atomic_load(&users[i].uses) < 3) test_pause_ms(1);
    fork_children(&f, c);
    atomic_store(&over, true);
    for (int i = 0; i < BUSY; i++) pthread_join(users[i].thread, NULL);
    use(c, "parent-last");
    for (int i = 0; i < CHILDREN; i++) {
        char version[32];
        snprintf(version, sizeof version, "child-%d", i);
        check_text(c, version);
    }
    c->ops->close(c);
    CHECK_INT(0, avout_memory_blocks());
}

TEST(children_of_mongo)
{
    check_children(avout_mongo_container, test_mongo_place(test_mongo_start(), "fork"));
}

TEST(children_of_postgres)
{
    check_children(avout_postgres_container, test_postgres_place(test_postgres_start(), "fork"));
}

TEST(children_of_redis)
{
    check_children(avout_redis_container, test_redis_place(test_redis_start(), "fork:"));
}

TEST(children_of_http)
{
    char place[TEST_PLACE];
    check_children(avout_http_container, test_webdav_place(place, test_webdav_start(), "dav/fork"));
}
