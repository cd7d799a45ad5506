/* Atoms in unversioned containers, on any store: no change is lost, everybody sees them, and what fails has
 * not happened (H1 to H4 in src/stm/held.h). Containers are of this process; where processes die, see
 * tests/fault. */
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "support/await.h"
#include "support/shelf.h"
#include "support/suite.h"

static avout_atom *open_atom(avout_client *client, const char *name, int64_t initial)
{
    avout_container *container;
    avout_atom *atom;
    CHECK_OK(shelf_open(&container, "shelf"));
    CHECK_OK(avout_unversioned_atom(&atom, client, name, container, avout_int(initial), NULL));
    return atom;
}

static avout_status plus_one(avout_atom *atom)
{
    return avout_swap(atom, suite_plus, &suite_one, NULL, NULL, NULL);
}

static void finish(avout_client *client)
{
    suite_close(client);
    suite_check_memory();
    shelf_end();
}

/* ---- as any atom -------------------------------------------------------------------------------------- */

static avout_status refuse_odd(avout_value value, void *payload)
{
    (void)payload;
    int64_t number;
    avout_status status = avout_value_to_int(&number, value);
    return status || number % 2 == 0 ? status : avout_fail(AVOUT_EVALIDATOR, "odd");
}

static avout_status fail_on_purpose(avout_value *value, void *payload)
{
    (void)value, (void)payload;
    return avout_fail(AVOUT_ETYPE, "on purpose");
}

TEST(it_is_changed_as_any_atom)
{
    avout_client *client = suite_connect();
    avout_atom *atom = open_atom(client, "/dir/a", 5);
    avout_value before, after;
    int64_t number;
    CHECK_INT(5, suite_atom_int(atom));
    CHECK(shelf_is("shelf", "5"));
    CHECK_OK(avout_swap(atom, suite_plus, &suite_one, &before, &after, NULL));
    CHECK_OK(avout_value_to_int(&number, before));
    CHECK_INT(5, number);
    CHECK_OK(avout_value_to_int(&number, after));
    CHECK_INT(6, number);
    CHECK_INT(6, suite_atom_int(atom));
    CHECK(shelf_is("shelf", "6"));
    CHECK_STATUS(AVOUT_ECONFLICT, avout_compare_and_set(atom, avout_int(5), avout_int(7), NULL));
    CHECK_OK(avout_compare_and_set(atom, avout_int(6), avout_int(8), NULL));
    CHECK_INT(8, suite_atom_int(atom));
    CHECK_STATUS(AVOUT_ETYPE, avout_swap(atom, fail_on_purpose, NULL, NULL, NULL, NULL));
    CHECK_CONTAINS("on purpose", avout_error_detail());
    CHECK_OK(avout_atom_set_validator(atom, refuse_odd, NULL, NULL));
    CHECK_STATUS(AVOUT_EVALIDATOR, plus_one(atom));
    CHECK_OK(avout_reset(atom, avout_int(10), NULL));
    CHECK_INT(10, suite_atom_int(atom));
    CHECK_INT(10, suite_atom_strict_int(atom));
    CHECK(shelf_is("shelf", "10"));
    avout_atom_close(atom);
    finish(client);
}

TEST(reads_are_reads_of_memory)
{
    avout_client *client = suite_connect(), *other = suite_connect();
    avout_atom *atom = open_atom(client, "/a", 5), *seen = open_atom(other, "/a", 0);
    CHECK_INT(5, suite_atom_int(seen));
    int asked = shelf_called("shelf", SHELF_GET);
    for (int i = 0; i < 100; i++) {
        CHECK_INT(5, suite_atom_int(atom));
        CHECK_INT(5, suite_atom_int(seen));
    }
    CHECK_INT(asked, shelf_called("shelf", SHELF_GET));
    CHECK_OK(plus_one(atom));
    CHECK_INT(6, suite_atom_strict_int(seen));
    avout_atom_close(atom);
    avout_atom_close(seen);
    avout_close(other);
    finish(client);
}

/* ---- many --------------------------------------------------------------------------------------------- */

enum { CLIENTS = 2, THREADS = 4, TIMES = 10 };

static avout_status plus_one_seldom(avout_value *value, void *payload)
{
    (void)payload;
    test_pause_us(200); /* so that the others wait */
    return suite_plus(value, &suite_one);
}

static void *add(void *payload)
{
    for (int i = 0; i < TIMES; i++)
        CHECK_OK(avout_swap(payload, plus_one_seldom, NULL, NULL, NULL, NULL));
    return NULL;
}

static _Atomic bool done;

static void *look(void *payload)
{
    int64_t last = 0, now;
    for (; !atomic_load(&done); last = now) CHECK((now = suite_atom_int(payload)) >= last); /* I6 */
    return NULL;
}

TEST_WITHIN(many_threads_of_two_clients_lose_nothing, 60)
{
    avout_client *clients[CLIENTS];
    avout_atom *atoms[CLIENTS];
    pthread_t threads[CLIENTS * THREADS], lookers[CLIENTS];
    for (int i = 0; i < CLIENTS; i++) {
        clients[i] = suite_connect();
        atoms[i] = open_atom(clients[i], "/a", 0);
    }
    for (int i = 0; i < CLIENTS * THREADS; i++)
        CHECK(!pthread_create(&threads[i], NULL, add, atoms[i % CLIENTS]));
    for (int i = 0; i < CLIENTS; i++) CHECK(!pthread_create(&lookers[i], NULL, look, atoms[i]));
    for (int i = 0; i < CLIENTS * THREADS; i++) pthread_join(threads[i], NULL);
    atomic_store(&done, true);
    for (int i = 0; i < CLIENTS; i++) pthread_join(lookers[i], NULL);
    for (int i = 0; i < CLIENTS; i++)
        CHECK_INT(CLIENTS * THREADS * TIMES, suite_atom_strict_int(atoms[i]));
    /* H4: what waited was written together. */
    CHECK(shelf_called("shelf", SHELF_SET) < CLIENTS * THREADS * TIMES * 3 / 4);
    for (int i = 0; i < CLIENTS; i++) avout_atom_close(atoms[i]);
    avout_close(clients[1]);
    finish(clients[0]);
}

/* ---- watches ------------------------------------------------------------------------------------------ */

typedef struct told {
    _Atomic int64_t from, to;
} told;

static void tell(const char *key, avout_value old_value, avout_value new_value, void *payload)
{
    told *t = payload;
    int64_t number = -1;
    (void)key;
    avout_value_to_int(&number, old_value);
    atomic_store(&t->from, number);
    number = -1;
    avout_value_to_int(&number, new_value);
    atomic_store(&t->to, number);
}

TEST(watches_are_told_of_what_is_confirmed)
{
    avout_client *client = suite_connect(), *other = suite_connect();
    avout_atom *atom = open_atom(client, "/a", 1), *watched = open_atom(other, "/a", 0);
    told t = {0}, own = {0};
    CHECK_OK(avout_atom_add_watch(watched, "key", tell, &t, NULL));
    CHECK_OK(avout_atom_add_watch(atom, "key", tell, &own, NULL));
    CHECK_OK(plus_one(atom));
    while (atomic_load(&t.to) != 2 || atomic_load(&own.to) != 2) sched_yield();
    CHECK_INT(1, atomic_load(&t.from));
    CHECK_INT(1, atomic_load(&own.from));
    CHECK_OK(plus_one(watched));
    while (atomic_load(&t.to) != 3 || atomic_load(&own.to) != 3) sched_yield();
    CHECK_INT(2, atomic_load(&t.from));
    avout_atom_close(atom);
    avout_atom_close(watched);
    avout_close(other);
    finish(client);
}

/* ---- beginning and end -------------------------------------------------------------------------------- */

static avout_status open_with(bool *created, avout_atom **atom, avout_client *client,
                              const char *name, int64_t initial)
{
    avout_container *container;
    CHECK_OK(shelf_open(&container, "shelf"));
    return avout_unversioned_atom(atom, client, name, container, avout_int(initial), created);
}

TEST(what_the_container_has_is_taken_over_once)
{
    avout_client *client = suite_connect(), *other = suite_connect();
    avout_atom *atom, *seen;
    avout_value value;
    bool created = true;
    shelf_put("shelf", "41");
    CHECK_OK(open_with(&created, &atom, client, "/a", 0));
    CHECK(!created);
    CHECK_OK(plus_one(atom));
    CHECK_INT(42, suite_atom_int(atom));
    CHECK_OK(open_with(&created, &seen, other, "/a", 7));
    CHECK(!created);
    CHECK_INT(42, suite_atom_strict_int(seen));
    CHECK_OK(avout_atom_destroy(atom));
    CHECK(shelf_is("shelf", NULL));
    CHECK_STATUS(AVOUT_ENOTFOUND, avout_atom_deref_strict(&value, seen, 0));
    CHECK_STATUS(AVOUT_ENOTFOUND, plus_one(seen));
    CHECK_STATUS(AVOUT_ENOTFOUND, avout_atom_destroy(seen));
    avout_atom_close(seen);
    /* What somebody left there after the end is not the atom's. */
    shelf_put("shelf", "1000");
    CHECK_OK(open_with(&created, &seen, other, "/a", 7));
    CHECK(created);
    CHECK_INT(7, suite_atom_strict_int(seen));
    CHECK_INT(7, suite_atom_strict_int(atom));
    avout_atom_close(atom);
    avout_atom_close(seen);
    avout_close(other);
    finish(client);
}

TEST(it_is_opened_in_one_way_only)
{
    avout_client *client = suite_connect(), *other = suite_connect();
    avout_atom *atom = open_atom(client, "/a", 1), *again;
    avout_ref *ref;
    avout_value value;
    CHECK_STATUS(AVOUT_ESTATE, avout_atom_open(&again, client, "/a"));
    CHECK_STATUS(AVOUT_ESTATE, avout_ref_open(&ref, client, "/a"));
    CHECK_STATUS(AVOUT_ESTATE, avout_atom_create_or_reset(&again, client, "/a", avout_int(1)));
    avout_container *container;
    CHECK_OK(shelf_open(&container, "another"));
    CHECK_STATUS(AVOUT_ESTATE,
                 avout_unversioned_atom(&again, client, "/a", container, avout_int(1), NULL));
    CHECK_OK(avout_atom_open(&again, other, "/a"));
    CHECK_STATUS(AVOUT_EDATA, avout_atom_deref(&value, again));
    CHECK_CONTAINS("container (shelf)", avout_error_detail());
    CHECK_STATUS(AVOUT_EDATA, avout_reset(again, avout_int(3), NULL));
    avout_atom_close(again);
    CHECK_OK(avout_atom_create(&again, other, "/plain", avout_int(1), NULL));
    avout_atom_close(again);
    CHECK_OK(shelf_open(&container, "shelf"));
    CHECK_STATUS(AVOUT_EDATA,
                 avout_unversioned_atom(&again, client, "/plain", container, avout_int(1), NULL));
    CHECK_CONTAINS("a value in the store itself", avout_error_detail());
    CHECK_INT(1, suite_atom_strict_int(atom));
    CHECK_STATUS(AVOUT_ENOTSUP, avout_swap_async(atom, suite_plus, &suite_one, NULL, NULL, NULL));
    avout_atom_close(atom);
    avout_close(other);
    finish(client);
}

static avout_status change_itself(avout_value *value, void *payload)
{
    (void)value;
    return plus_one(payload);
}

TEST(a_function_cannot_change_its_own_atom)
{
    avout_client *client = suite_connect();
    avout_atom *atom = open_atom(client, "/a", 1);
    CHECK_STATUS(AVOUT_EDEADLOCK, avout_swap(atom, change_itself, atom, NULL, NULL, NULL));
    CHECK_INT(1, suite_atom_int(atom));
    CHECK_OK(plus_one(atom));
    avout_atom_close(atom);
    finish(client);
}

/* ---- failures ------------------------------------------------------------------------------------------ */

TEST(what_the_container_refuses_has_not_happened)
{
    static const avout_status said[][2] = {{AVOUT_EIO, AVOUT_EIO},
                                           {AVOUT_ENOSPACE, AVOUT_ENOSPACE},
                                           {AVOUT_RETRY, AVOUT_EIO},
                                           {AVOUT_ENOTFOUND, AVOUT_EIO}};
    avout_client *client = suite_connect();
    avout_atom *atom = open_atom(client, "/a", 1);
    for (int i = 0; i < 4; i++) {
        shelf_break("shelf", (shelf_fault){.call = SHELF_SET, .status = said[i][0]});
        CHECK_STATUS(said[i][1], plus_one(atom));
        CHECK_CONTAINS("/a: container shelf at shelf: writing: the shelf is broken",
                       avout_error_detail());
        CHECK_INT(1 + i, suite_atom_strict_int(atom));
        CHECK_OK(plus_one(atom));
        CHECK_INT(2 + i, suite_atom_strict_int(atom));
    }
    avout_atom_close(atom);
    finish(client);
}

TEST(what_may_have_happened_is_written_again)
{
    avout_client *client = suite_connect();
    avout_atom *atom = open_atom(client, "/a", 1);
    for (int after = 0; after < 2; after++) {
        shelf_break("shelf",
                    (shelf_fault){.call = SHELF_SET, .status = AVOUT_UNKNOWN, .after = after});
        CHECK_OK(plus_one(atom));
    }
    CHECK_INT(3, suite_atom_strict_int(atom));
    avout_call_options soon = {.timeout_ms = 200};
    shelf_break(
        "shelf",
        (shelf_fault){.call = SHELF_SET, .status = AVOUT_UNKNOWN, .after = true, .lasting = true});
    CHECK_STATUS(AVOUT_UNKNOWN, avout_swap(atom, suite_plus, &suite_one, NULL, NULL, &soon));
    CHECK_INT(4, suite_atom_int(atom)); /* H2: read through */
    shelf_mend("shelf");
    CHECK_OK(plus_one(atom));
    CHECK_INT(5, suite_atom_int(atom));
    avout_atom_close(atom);
    finish(client);
}

TEST(what_cannot_be_read_says_so)
{
    avout_client *client = suite_connect(), *other = suite_connect();
    avout_atom *atom = open_atom(client, "/a", 1), *seen = open_atom(other, "/a", 1);
    avout_value value;
    shelf_break("shelf", (shelf_fault){.call = SHELF_GET, .status = AVOUT_ECONNECTION});
    CHECK_STATUS(AVOUT_ECONNECTION, avout_atom_deref(&value, seen));
    CHECK_CONTAINS("/a: container shelf at shelf: reading", avout_error_detail());
    CHECK_INT(1, suite_atom_int(seen));
    CHECK_OK(plus_one(atom));
    shelf_put("shelf", NULL);
    avout_atom_close(seen);
    avout_close(other);
    other = suite_connect();
    seen = open_atom(other, "/a", 1);
    CHECK_STATUS(AVOUT_EIO, avout_atom_deref(&value, seen));
    CHECK_CONTAINS("there is no value", avout_error_detail());
    avout_atom_close(atom);
    avout_atom_close(seen);
    avout_close(other);
    finish(client);
}

/* Somebody holds the lock by hand: changes wait for it, and say so when they cannot any longer. */
TEST(the_lock_can_be_held_by_hand)
{
    avout_client *client = suite_connect(), *other = suite_connect();
    avout_atom *atom = open_atom(client, "/a", 1);
    avout_lock *lock;
    CHECK_OK(avout_lock_open(&lock, other, "/avout-atoms/a"));
    CHECK_OK(avout_lock_acquire(NULL, lock, NULL));
    avout_call_options soon = {.timeout_ms = 100};
    CHECK_STATUS(AVOUT_ETIMEOUT, avout_swap(atom, suite_plus, &suite_one, NULL, NULL, &soon));
    CHECK_INT(1, suite_atom_int(atom));
    CHECK_OK(avout_lock_release(lock));
    CHECK_OK(plus_one(atom));
    avout_lock_close(lock);
    avout_atom_close(atom);
    avout_close(other);
    finish(client);
}
