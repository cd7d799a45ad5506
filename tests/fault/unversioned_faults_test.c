/* Atoms in unversioned containers in bad times: whatever happens to whichever request while the lock is not
 * lost in the middle of a change, every change takes effect once or is reported; and where one dies in the
 * middle, the next goes on (I3, I10, I12; H1 to H3 in src/stm/held.h).
 *
 * Test-tags: threads */
#include "engine_support.h"
#include "excuse.h"
#include "support/shelf.h"

enum { TIMES = 4 };

static avout_status try_open(avout_atom **atom, avout_client *client)
{
    avout_container *container;
    CHECK_OK(shelf_open(&container, "shelf"));
    return avout_unversioned_atom(atom, client, "/a", container, avout_int(0), NULL);
}

static avout_client *try_connect(void)
{
    avout_client *client = NULL;
    avout_options options = {.timeout_ms = 20000, .connect_timeout_ms = 20000};
    (void)avout_connect(engine_url(), &options, &client);
    return client;
}

/* As a stranger sees it. */
static int64_t judge(void)
{
    avout_client *client = suite_connect();
    avout_atom *atom;
    CHECK_OK(try_open(&atom, client));
    int64_t number = suite_atom_strict_int(atom);
    /* And it goes on. */
    CHECK_OK(avout_swap(atom, suite_plus, &suite_one, NULL, NULL, NULL));
    CHECK_INT(number + 1, suite_atom_strict_int(atom));
    avout_atom_close(atom);
    avout_close(client);
    return number;
}

typedef struct tally {
    excuse excuse;
    int confirmed, unknown;
} tally;

static void add(tally *t, avout_atom *atom)
{
    avout_call_options options = {.timeout_ms = 20000};
    avout_status status = avout_swap(atom, suite_plus, &suite_one, NULL, NULL, &options);
    t->unknown += status == AVOUT_UNKNOWN;
    if (status != AVOUT_UNKNOWN) t->confirmed += !EXCUSED(&t->excuse, status);
}

static bool live_with(avout__mem_fault fault, size_t n)
{
    avout_client *witness = suite_connect();
    avout_store *store = engine_store(0);
    shelf_put("shelf", NULL);
    engine_fault_of_all(fault, n);
    tally t = {.excuse = excuse_of(&fault)};
    t.excuse.of_containers = true;
    avout_client *clients[2] = {try_connect(), try_connect()};
    avout_atom *atoms[2] = {0};
    for (int i = 0; i < 2; i++)
        for (int try = 0; clients[i] && !atoms[i] && try < 3; try++)
            (void)try_open(&atoms[i], clients[i]);
    for (int i = 0; i < TIMES; i++)
        if (atoms[i % 2]) add(&t, atoms[i % 2]);
    bool happened = !avout__mem_faults_left(store);
    engine_calm(1);
    for (int i = 0; i < 2; i++) {
        avout_atom_close(atoms[i]);
        avout_close(clients[i]);
    }
    int64_t number = judge();
    CHECK(number >= t.confirmed && number <= t.confirmed + t.unknown);
    /* A lost session loses the lock: only then it may be unknown. */
    if (!t.excuse.may_lose && fault.kind != AVOUT__MEM_FAIL) CHECK_INT(0, t.unknown);
    avout_close(witness);
    suite_check_memory();
    return happened;
}

TEST_WITHIN(every_request_meets_every_fault, 120)
{
    engine_every_fault(live_with);
    shelf_end();
}

/* ---- one who dies in the middle ------------------------------------------------------------------------ */

typedef struct late {
    avout_atom *atom;
    avout_status status;
} late;

static void *add_one(void *payload)
{
    late *l = payload;
    l->status = avout_swap(l->atom, suite_plus, &suite_one, NULL, NULL,
                           &(avout_call_options){.timeout_ms = 3000});
    return NULL;
}

typedef void (*overtaking)(avout_client *client, avout_atom **atom);

static void add_three(avout_client *client, avout_atom **atom)
{
    (void)client;
    for (int i = 0; i < 3; i++)
        CHECK_OK(avout_swap(*atom, suite_plus, &suite_one, NULL, NULL, NULL));
}

/* With as many changes as the first one had. */
static void make_anew(avout_client *client, avout_atom **atom)
{
    CHECK_OK(avout_atom_destroy(*atom));
    avout_atom_close(*atom);
    CHECK_OK(try_open(atom, client));
    CHECK_OK(avout_swap(*atom, suite_plus, &suite_one, NULL, NULL, NULL));
}

/* Its session ends while the container works; then another one changes it. */
static avout_status overtake(int64_t expected, avout_status answer, overtaking meanwhile)
{
    avout_client *slow = suite_connect(), *fast = suite_connect();
    avout_store *store = engine_store(0);
    late l = {0};
    avout_atom *next;
    pthread_t thread;
    CHECK_OK(try_open(&l.atom, slow));
    CHECK_OK(try_open(&next, fast));
    int called = shelf_called("shelf", SHELF_SET);
    shelf_break("shelf", (shelf_fault){.call = SHELF_SET, .delay_ms = 500, .status = answer});
    CHECK(!pthread_create(&thread, NULL, add_one, &l));
    TEST_AWAIT(shelf_called("shelf", SHELF_SET) > called);
    avout__mem_expire(store);
    meanwhile(fast, &next);
    pthread_join(thread, NULL);
    CHECK_INT(expected, judge());
    avout_atom_close(l.atom);
    avout_atom_close(next);
    avout_close(fast);
    suite_close(slow);
    suite_check_memory();
    shelf_end();
    return l.status;
}

TEST(a_container_that_checks_tokens_refuses_who_lost_the_lock)
{
    shelf_checks_tokens("shelf");
    /* Three, and the late one once more, on what they had made. */
    CHECK_OK(overtake(4, AVOUT_OK, add_three));
}

/* What it wrote over theirs is lost to them, as is said of such containers; but it is not called done. */
TEST(who_lost_the_lock_is_not_told_that_it_changed_anything)
{
    CHECK_STATUS(AVOUT_UNKNOWN, overtake(1, AVOUT_OK, add_three));
}

/* Whose writing was not answered asks for the lock before it writes again. */
TEST(who_lost_the_lock_does_not_write_again_over_what_is_confirmed)
{
    CHECK_STATUS(AVOUT_UNKNOWN, overtake(3, AVOUT_UNKNOWN, add_three));
}

/* The count of an atom that is made again goes on, so that no mark of it is taken for one of the first's. */
TEST(what_was_left_of_an_atom_that_was_made_again_is_unknown)
{
    CHECK_STATUS(AVOUT_UNKNOWN, overtake(1, AVOUT_UNKNOWN, make_anew));
}

/* The store gives smaller tokens than it did. To try again would be in vain for ever. */
TEST(a_container_that_has_seen_greater_tokens_is_named_at_once)
{
    avout_client *client = suite_connect();
    avout_atom *atom;
    shelf_checks_tokens("shelf");
    CHECK_OK(try_open(&atom, client));
    shelf_saw("shelf", (avout_token){.point = UINT64_MAX});
    int called = shelf_called("shelf", SHELF_SET);
    CHECK_STATUS(AVOUT_EIO, avout_swap(atom, suite_plus, &suite_one, NULL, NULL, NULL));
    CHECK_CONTAINS("container shelf at shelf", avout_error_detail());
    CHECK_CONTAINS("begun anew", avout_error_detail());
    CHECK_INT(called + 1, shelf_called("shelf", SHELF_SET));
    CHECK_INT(0, suite_atom_strict_int(atom));
    shelf_saw("shelf", (avout_token){0});
    CHECK_OK(avout_swap(atom, suite_plus, &suite_one, NULL, NULL, NULL));
    CHECK_INT(1, suite_atom_strict_int(atom));
    avout_atom_close(atom);
    suite_close(client);
    suite_check_memory();
    shelf_end();
}

/* What was written is known to be there: with the lock again, only the mark is left to be made. */
TEST(who_lost_the_lock_behind_the_writing_finds_out_what_became_of_it)
{
    for (uint64_t nth = 1; nth <= 4; nth++) {
        avout_client *client = suite_connect(), *other = suite_connect();
        avout_atom *atom;
        CHECK_OK(try_open(&atom, client));
        engine_fault(
            engine_store(0),
            (avout__mem_fault){.kind = AVOUT__MEM_EXPIRE_BEFORE, .nth = nth, .multis = true});
        CHECK_OK(avout_swap(atom, suite_plus, &suite_one, NULL, NULL, NULL));
        avout__mem_faults_clear(engine_store(0));
        CHECK_INT(1, judge());
        avout_atom_close(atom);
        avout_close(other);
        suite_close(client);
        suite_check_memory();
        shelf_end();
    }
}

/* ---- reading between the marks -------------------------------------------------------------------------- */

static _Atomic bool returned;
static _Atomic int reader;

static void *read_it(void *payload)
{
    avout_value value;
    reader = test_task();
    CHECK_OK(avout_atom_deref(&value, payload));
    atomic_store(&returned, true);
    avout_release(value);
    return NULL;
}

/* The reader's mark is clean and its value not read yet; the reader has not heard of what follows. What the
 * container has by then is not the value of that mark (H2). */
TEST(a_value_that_came_after_the_mark_is_not_the_marks)
{
    avout_client *client = suite_connect(), *other = suite_connect();
    avout_store *store = engine_store(1);
    avout_atom *atom, *seen;
    pthread_t thread;
    CHECK_OK(try_open(&atom, client));
    CHECK_OK(try_open(&seen, other));
    int asked = shelf_called("shelf", SHELF_GET);
    avout__mem_hold(store, AVOUT__MEM_REPLIES);
    shelf_break(
        "shelf",
        (shelf_fault){.call = SHELF_SET, .status = AVOUT_UNKNOWN, .after = true, .lasting = true});
    CHECK_STATUS(AVOUT_UNKNOWN, avout_swap(atom, suite_plus, &suite_one, NULL, NULL,
                                           &(avout_call_options){.timeout_ms = 100}));
    CHECK(!pthread_create(&thread, NULL, read_it, seen));
    TEST_AWAIT(shelf_called("shelf", SHELF_GET) > asked);
    test_await_asleep(&reader);
    CHECK(!atomic_load(&returned));
    avout__mem_release(store);
    pthread_join(thread, NULL);
    shelf_mend("shelf");
    avout_atom_close(atom);
    avout_atom_close(seen);
    avout_close(other);
    suite_close(client);
    suite_check_memory();
    shelf_end();
}

/* The reader's mark is dirty, and it has not heard of what follows: what the container has by then is newer than
 * what the reader shows next (I6). */
TEST(a_value_that_came_after_a_dirty_mark_is_not_shown_before_it)
{
    avout_client *client = suite_connect(), *other = suite_connect();
    avout_store *store = engine_store(1);
    avout_atom *atom, *seen;
    pthread_t thread;
    avout_call_options soon = {.timeout_ms = 100};
    CHECK_OK(try_open(&atom, client));
    CHECK_OK(try_open(&seen, other));
    shelf_break(
        "shelf",
        (shelf_fault){.call = SHELF_SET, .status = AVOUT_UNKNOWN, .after = true, .lasting = true});
    CHECK_STATUS(AVOUT_UNKNOWN, avout_swap(atom, suite_plus, &suite_one, NULL, NULL, &soon));
    CHECK_INT(1, suite_atom_strict_int(seen)); /* read through */
    shelf_mend("shelf");
    avout__mem_hold(store, AVOUT__MEM_REPLIES);
    CHECK_OK(avout_swap(atom, suite_plus, &suite_one, NULL, NULL, NULL));
    int before = shelf_called("shelf", SHELF_GET);
    CHECK(!pthread_create(&thread, NULL, read_it, seen));
    TEST_AWAIT(shelf_called("shelf", SHELF_GET) > before);
    test_await_asleep(&reader);
    CHECK(!atomic_load(&returned));
    avout__mem_release(store);
    pthread_join(thread, NULL);
    CHECK_INT(2, suite_atom_strict_int(seen));
    avout_atom_close(atom);
    avout_atom_close(seen);
    avout_close(other);
    suite_close(client);
    suite_check_memory();
    shelf_end();
}

/* ---- creations that fail ------------------------------------------------------------------------------------ */

static void create_after_all(avout_client *client)
{
    avout_atom *atom;
    CHECK_OK(try_open(&atom, client));
    CHECK_INT(0, suite_atom_strict_int(atom));
    avout_atom_close(atom);
    suite_close(client);
    suite_check_memory();
    shelf_end();
}

/* There is no value, so there must be no clean mark that says so. */
TEST(a_creation_that_the_container_refuses_has_not_happened)
{
    avout_client *client = suite_connect();
    avout_atom *atom;
    shelf_break("shelf", (shelf_fault){.call = SHELF_SET, .status = AVOUT_ENOSPACE});
    CHECK_STATUS(AVOUT_ENOSPACE, try_open(&atom, client));
    create_after_all(client);
}

static avout_status refuse_when_told(avout_value value, void *payload)
{
    (void)value;
    return !*(bool *)payload ? AVOUT_OK : avout_fail(AVOUT_EVALIDATOR, "on purpose");
}

/* Neither has one that a validator refuses: another handle's, of an atom that was destroyed. */
TEST(a_creation_that_a_validator_refuses_has_not_happened)
{
    avout_client *client = suite_connect();
    avout_atom *atom, *again;
    bool refuses = false;
    CHECK_OK(try_open(&atom, client));
    CHECK_OK(avout_atom_set_validator(atom, refuse_when_told, &refuses, NULL));
    refuses = true;
    CHECK_OK(avout_atom_destroy(atom));
    CHECK_STATUS(AVOUT_EVALIDATOR, try_open(&again, client));
    CHECK(shelf_is("shelf", NULL));
    avout_atom_close(atom);
    create_after_all(client);
}

/* ---- within a transaction ---------------------------------------------------------------------------------- */

typedef struct inner {
    avout_client *client;
    avout_atom *atom;
    _Atomic int runs;
    int64_t saw;
    pthread_t thread;
} inner;

static avout_status read_within(avout_txn *txn, void *payload)
{
    (void)txn;
    inner *i = payload;
    avout_value value;
    atomic_fetch_add(&i->runs, 1);
    avout_status status = avout_atom_deref(&value, i->atom);
    if (status) return status;
    CHECK_OK(avout_value_to_int(&i->saw, value));
    avout_release(value);
    return AVOUT_OK;
}

static void *read_in_transaction(void *payload)
{
    inner *i = payload;
    CHECK_OK(avout_dosync(i->client, read_within, i, &(avout_call_options){.timeout_ms = 20000}));
    return NULL;
}

/* It waits until the mark is clean, as for a change of what it reads, and sees no value that is not confirmed. */
TEST(a_transaction_that_reads_a_dirty_one_sleeps)
{
    avout_client *client = suite_connect();
    inner i = {.client = suite_connect()};
    avout_atom *atom;
    avout_call_options soon = {.timeout_ms = 100};
    CHECK_OK(try_open(&atom, client));
    CHECK_OK(try_open(&i.atom, i.client));
    shelf_break(
        "shelf",
        (shelf_fault){.call = SHELF_SET, .status = AVOUT_UNKNOWN, .after = true, .lasting = true});
    CHECK_STATUS(AVOUT_UNKNOWN, avout_swap(atom, suite_plus, &suite_one, NULL, NULL, &soon));
    CHECK_INT(1, suite_atom_strict_int(i.atom)); /* read through */
    CHECK(!pthread_create(&i.thread, NULL, read_in_transaction, &i));
    TEST_AWAIT(atomic_load(&i.runs));
    test_pause_ms(100); /* time is the subject: so many runs there are in it */
    CHECK(atomic_load(&i.runs) <= 3);
    shelf_mend("shelf");
    CHECK_OK(avout_swap(atom, suite_plus, &suite_one, NULL, NULL, NULL));
    pthread_join(i.thread, NULL);
    CHECK_INT(2, i.saw);
    avout_atom_close(atom);
    avout_atom_close(i.atom);
    avout_close(i.client);
    suite_close(client);
    suite_check_memory();
    shelf_end();
}
