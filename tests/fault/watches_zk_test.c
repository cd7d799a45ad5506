/* Watches over lost connections and expired sessions: the last change is told always, old and new
 * follow on each other, in order (I7).
 * Test-tags: single slow waits */
#include <stdlib.h>

#include "avout.h"
#include "support/crowd.h"
#include "support/proxy.h"
#include "support/zookeeper.h"

enum { CELLS = 3, SESSION_MS = 1000, PATIENCE_MS = 20000, GONE = -1 };

typedef struct told {
    avout_atom *atom; /* the watching client's */
    _Atomic int64_t last;
    _Atomic int64_t calls;
    _Atomic bool inside;
} told;

static _Atomic int64_t events[AVOUT_EVENT_REESTABLISHED + 1];

static void on_event(avout_event event, void *payload)
{
    (void)payload;
    atomic_fetch_add(&events[event], 1);
}

static int64_t number_of(avout_value value)
{
    int64_t number = GONE;
    if (!avout_is_none(value)) CHECK_OK(avout_value_to_int(&number, value));
    return number;
}

static void on_change(const char *key, avout_value old_value, avout_value new_value, void *payload)
{
    told *mine = payload;
    CHECK_TEXT("watch", key);
    CHECK(!atomic_exchange(&mine->inside, true));
    CHECK_INT(atomic_load(&mine->last), number_of(old_value));
    int64_t now = number_of(new_value), before = number_of(old_value);
    /* The numbers only grow; one may have been gone and come back in between. */
    if (now != GONE && before != GONE && now <= before)
        test_failed(__FILE__, __LINE__, "told of %" PRId64 " after %" PRId64, now, before);
    atomic_store(&mine->last, now);
    atomic_fetch_add(&mine->calls, 1);
    atomic_store(&mine->inside, false);
}

static avout_client *connect_to(int port, bool watches)
{
    char url[64];
    avout_client *client;
    avout_options options = {.session_timeout_ms = SESSION_MS};
    if (watches) options.on_event = on_event;
    snprintf(url, sizeof url, "zk://127.0.0.1:%d/watched", port);
    CHECK_OK(avout_connect(url, &options, &client));
    return client;
}

static void await(const char *what, _Atomic int64_t *number, int64_t wanted)
{
    int64_t limit = crowd_now_ms() + PATIENCE_MS;
    while (atomic_load(number) != wanted) {
        if (crowd_now_ms() > limit)
            test_failed(__FILE__, __LINE__, "%s: %" PRId64 ", expected %" PRId64, what,
                        atomic_load(number), wanted);
        test_pause_ms(2);
    }
}

static void await_event(avout_event event, int64_t before)
{
    int64_t limit = crowd_now_ms() + PATIENCE_MS;
    while (atomic_load(&events[event]) <= before) {
        if (crowd_now_ms() > limit)
            test_failed(__FILE__, __LINE__, "no event \"%s\"", avout_event_name(event));
        test_pause_ms(2);
    }
}

/* Changes everything a few times; answers what each is in the end. */
static void change_all(avout_client *client, int64_t *next, int64_t final[CELLS])
{
    for (int i = 0; i < CELLS; i++) {
        char name[16];
        avout_atom *atom;
        snprintf(name, sizeof name, "/w/%d", i);
        for (uint32_t times = 1 + crowd_random(4); times; times--) {
            final[i] = ++*next;
            CHECK_OK(avout_atom_create_or_reset(&atom, client, name, avout_int(final[i])));
            if (crowd_random(4) == 0) {
                CHECK_OK(avout_atom_destroy(atom));
                final[i] = GONE;
            }
            avout_atom_close(atom);
        }
    }
}

/* The server counts a session out some time after its timeout. The watcher cannot have a new one. */
static void await_expiry(const test_zk *zk)
{
    static const char what[] = "zk_global_sessions\t";
    int64_t limit = crowd_now_ms() + PATIENCE_MS;
    char answer[16384];
    for (const char *at = NULL; !at || atoi(at + strlen(what)) > 1; test_pause_ms(5)) {
        CHECK(crowd_now_ms() < limit);
        at = test_zk_ask(zk, 0, "mntr", answer, sizeof answer) ? strstr(answer, what) : NULL;
    }
}

static void cut_for(const test_zk *zk, test_proxy *proxy, avout_client *writer, bool expires,
                    int64_t *next, int64_t final[CELLS])
{
    int64_t resumed = atomic_load(&events[AVOUT_EVENT_RESUMED]);
    int64_t suspended = atomic_load(&events[AVOUT_EVENT_SUSPENDED]);
    int64_t reestablished = atomic_load(&events[AVOUT_EVENT_REESTABLISHED]);
    proxy_set(proxy, PROXY_CUT);
    await_event(AVOUT_EVENT_SUSPENDED, suspended);
    change_all(writer, next, final);
    if (expires) await_expiry(zk);
    proxy_set(proxy, PROXY_PASS);
    if (expires) {
        await_event(AVOUT_EVENT_REESTABLISHED, reestablished);
        return;
    }
    /* The server may be slow: then the session is a new one after all. */
    int64_t limit = crowd_now_ms() + PATIENCE_MS;
    while (atomic_load(&events[AVOUT_EVENT_RESUMED]) == resumed &&
           atomic_load(&events[AVOUT_EVENT_REESTABLISHED]) == reestablished) {
        CHECK(crowd_now_ms() < limit);
        test_pause_ms(2);
    }
}

TEST(the_last_change_is_told)
{
    test_zk *zk = test_zk_start(1);
    test_proxy *proxy = proxy_start(test_zk_port(zk, 0));
    avout_client *writer = connect_to(test_zk_port(zk, 0), false);
    avout_client *watcher = connect_to(proxy_port(proxy), true);
    told all[CELLS] = {0};
    int64_t next = 0, final[CELLS];
    for (int i = 0; i < CELLS; i++) {
        char name[16];
        snprintf(name, sizeof name, "/w/%d", i);
        CHECK_OK(avout_atom_create(&all[i].atom, watcher, name, avout_int(0), NULL));
        CHECK_OK(avout_atom_add_watch(all[i].atom, "watch", on_change, &all[i], NULL));
    }
    for (int round = 0; round < 8; round++) {
        bool expires = round % 2;
        change_all(writer, &next, final);
        /* Or else the connection is cut while it is being told. */
        for (int i = 0; round < 4 && i < CELLS; i++) await("connected", &all[i].last, final[i]);
        cut_for(zk, proxy, writer, expires, &next, final);
        for (int i = 0; i < CELLS; i++) await("after a cut", &all[i].last, final[i]);
    }
    CHECK(atomic_load(&events[AVOUT_EVENT_LOST]) >= 4);
    CHECK_INT(atomic_load(&events[AVOUT_EVENT_LOST]),
              atomic_load(&events[AVOUT_EVENT_REESTABLISHED]));
    fprintf(stderr, "# %" PRId64 " resumed, %" PRId64 " expired, %" PRId64 " calls of one watch\n",
            atomic_load(&events[AVOUT_EVENT_RESUMED]), atomic_load(&events[AVOUT_EVENT_LOST]),
            atomic_load(&all[0].calls));
    for (int i = 0; i < CELLS; i++) avout_atom_close(all[i].atom);
    avout_close(watcher);
    avout_close(writer);
    CHECK_INT(0, avout_memory_blocks());
}
