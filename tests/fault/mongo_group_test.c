/* The group move of Avout's tutorial: members that are in one of two groups, one a ref in ZooKeeper, one a
 * ref in MongoDB, and move between them. Processes move them and are killed at random moments; readers in
 * other processes never see a member in neither group or in both (I2, I4, I6).
 *
 * Test-tags: single slow waits */
#include <stdlib.h>

#include "avout/mongo.h"
#include "avout/sys/container.h"
#include "support/crowd.h"
#include "support/mongodb.h"
#include "support/suite.h"
#include "support/zookeeper.h"

enum { MOVERS = 3, READERS = 2, MEMBERS = 5, SECONDS = 4 };

__attribute__((constructor)) static void use(void)
{
    suite_use(test_zk_shared_url);
}

typedef struct shared {
    _Atomic bool over;
    _Atomic int64_t moves, looks, changes;
} shared;

static shared *all;
static const char *place;

typedef struct groups {
    avout_client *client;
    avout_ref *here, *there; /* sets of names; in ZooKeeper, in MongoDB */
    avout_value member;
} groups;

static avout_value member_name(int number)
{
    char name[16];
    snprintf(name, sizeof name, "member-%d", number);
    return avout_keyword(name);
}

static avout_value everybody(void)
{
    avout_value set = avout_set(0, NULL);
    for (int i = 0; i < MEMBERS; i++) CHECK_OK(avout_conj(&set, member_name(i)));
    return set;
}

static void open_groups(groups *g)
{
    avout_versioned_container *container;
    g->client = suite_connect_with(&(avout_options){.timeout_ms = 30000});
    CHECK_OK(avout_ref_create(&g->here, g->client, "/groups/here", everybody(), NULL));
    CHECK_OK(avout_mongo_container(&container, place));
    CHECK_OK(avout_distributed_ref(&g->there, g->client, "/groups/there", container,
                                   avout_set(0, NULL), NULL));
}

static void close_groups(groups *g)
{
    avout_ref_close(g->here);
    avout_ref_close(g->there);
    avout_close(g->client);
}

/* Everybody is in exactly one; which of them are in the first, as bits. */
static unsigned check_groups(avout_value here, avout_value there)
{
    unsigned bits = 0;
    size_t in_here, in_there;
    CHECK_OK(avout_value_count(&in_here, here));
    CHECK_OK(avout_value_count(&in_there, there));
    CHECK_INT(MEMBERS, in_here + in_there);
    for (int i = 0; i < MEMBERS; i++) {
        bool is_here, is_there;
        avout_value member = member_name(i);
        CHECK_OK(avout_value_contains(&is_here, here, member));
        CHECK_OK(avout_value_contains(&is_there, there, member));
        CHECK(is_here != is_there);
        bits |= (unsigned)is_here << i;
        avout_release(member);
    }
    return bits;
}

/* ---- who moves them ---------------------------------------------------------------------------------- */

static avout_status move(avout_txn *txn, void *payload)
{
    groups *g = payload;
    avout_value here = AVOUT_NONE, there = AVOUT_NONE;
    bool is_here = false;
    avout_status status = avout_txn_deref(&here, txn, g->here);
    if (!status) status = avout_txn_deref(&there, txn, g->there);
    if (!status) {
        check_groups(here, there); /* I4 */
        status = avout_value_contains(&is_here, here, g->member);
    }
    avout_release(here);
    avout_release(there);
    avout_ref *from = is_here ? g->here : g->there, *to = is_here ? g->there : g->here;
    if (!status) status = avout_alter(txn, from, avout_disj_fn, &g->member);
    return status ? status : avout_alter(txn, to, avout_conj_fn, &g->member);
}

static void run_mover(int number)
{
    groups g;
    (void)number;
    open_groups(&g);
    while (!atomic_load(&all->over)) {
        g.member = member_name((int)crowd_random(MEMBERS));
        CHECK_OK(avout_dosync(g.client, move, &g, NULL));
        avout_release(g.member);
        atomic_fetch_add(&all->moves, 1);
    }
    close_groups(&g);
}

/* ---- who looks --------------------------------------------------------------------------------------- */

static avout_status look(avout_txn *txn, void *payload)
{
    groups *g = payload;
    avout_value here = AVOUT_NONE, there = AVOUT_NONE;
    avout_status status = avout_txn_deref(&here, txn, g->here);
    if (!status) status = avout_txn_deref(&there, txn, g->there);
    if (!status) check_groups(here, there);
    avout_release(here);
    avout_release(there);
    return status;
}

static void run_reader(int number)
{
    groups g;
    unsigned before = 0;
    open_groups(&g);
    for (int i = 0; !atomic_load(&all->over); i++) {
        avout_value values[2];
        const avout_call_options strict = {.strict = true};
        CHECK_OK(avout_refs_deref(values, (avout_ref *[]){g.here, g.there}, 2));
        unsigned now = check_groups(values[0], values[1]);
        for (int j = 0; j < 2; j++) avout_release(values[j]);
        CHECK_OK(avout_dosync(g.client, look, &g, i % 16 == number ? &strict : NULL));
        atomic_fetch_add(&all->looks, 1);
        atomic_fetch_add(&all->changes, now != before);
        before = now;
        if (i % 8 == 0) test_pause_ms(1);
    }
    close_groups(&g);
}

static avout_status count_one(const char *version, void *payload)
{
    (void)version;
    ++*(int *)payload;
    return AVOUT_OK;
}

static void audit(int number)
{
    groups g;
    int count = 0;
    avout_versioned_container *c;
    (void)number;
    open_groups(&g);
    CHECK_OK(avout_dosync(g.client, look, &g, &(avout_call_options){.strict = true}));
    CHECK_OK(avout_distributed_collect(NULL, g.client, "/groups/there", true, 20000));
    close_groups(&g);
    CHECK_OK(avout_mongo_container(&c, place));
    CHECK_OK(c->ops->list_versions(c, count_one, &count, 20000));
    c->ops->close(c);
    CHECK_INT(1, count);
}

/* A database that is killed while it makes the files for the first value may not come back (FerretDB's
 * SQLite): that is not what is tested here. */
static void begin(int number)
{
    groups g;
    (void)number;
    open_groups(&g);
    close_groups(&g);
}

static void move_with(test_server *server, bool kill_server)
{
    crowd_process movers[MOVERS], readers[READERS], auditor, beginner;
    crowd_start(&beginner, begin, 98);
    crowd_finish(&beginner, 1, 35);
    for (int i = 0; i < READERS; i++) crowd_start(&readers[i], run_reader, MOVERS + i);
    for (int i = 0; i < MOVERS; i++) crowd_start(&movers[i], run_mover, i);
    int64_t end = crowd_now_ms() + SECONDS * 1000, killed = 0;
    for (; crowd_now_ms() < end; killed++) {
        test_pause_ms(150 + (int)crowd_random(300));
        crowd_check(readers, READERS);
        if (kill_server) {
            test_server_kill(server);
            test_pause_ms((int)crowd_random(300));
            test_server_restart(server);
            test_server_wait(server);
        } else {
            crowd_replace(&movers[crowd_random(MOVERS)]);
        }
    }
    test_pause_ms(500);
    atomic_store(&all->over, true);
    crowd_finish(movers, MOVERS, 35);
    crowd_finish(readers, READERS, 35);
    crowd_start(&auditor, audit, 99);
    crowd_finish(&auditor, 1, 35);
    fprintf(stderr, "# %d killed, %" PRId64 " moves, %" PRId64 " looks, %" PRId64 " changes seen\n",
            (int)killed, atomic_load(&all->moves), atomic_load(&all->looks),
            atomic_load(&all->changes));
    CHECK(atomic_load(&all->moves) > 20 && atomic_load(&all->changes) > 10);
}

static test_server *prepare(void)
{
    test_server *server = test_mongo_start();
    all = crowd_share(sizeof *all);
    place = test_mongo_place(server, "groups");
    suite_url();
    return server;
}

TEST(members_are_in_one_group_whoever_dies)
{
    test_server *server = prepare();
    move_with(server, false);
}

TEST(members_are_in_one_group_while_the_database_dies)
{
    test_server *server = prepare();
    move_with(server, true);
}
