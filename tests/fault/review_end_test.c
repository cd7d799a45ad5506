/* The end of things at the wrong moment: clients that are closed while their store is away, handles
 * closed while an answer is on its way, callbacks that never come to an end, commit records that cannot
 * be written.
 * Test-tags: threads */
#include "history/review_support.h"

typedef struct creation {
    avout_client *client;
    avout_status status;
    _Atomic int task;
    pthread_t thread;
} creation;

static void *create_deep(void *payload)
{
    creation *c = payload;
    avout_ref *ref;
    c->task = test_task();
    c->status = avout_ref_create(&ref, c->client, "/a/b/c", avout_int(1), NULL);
    return NULL;
}

/* A creation that waits for its directories lets go of the store when the client is closed. */
TEST(a_client_is_closed_while_directories_are_made)
{
    avout_client *other = suite_connect();
    creation c = {.client = suite_connect()};
    avout_store *store = review_store(1);
    avout__mem_reconnect_after(store, AVOUT_FOREVER);
    review_fault(store,
                 (avout__mem_fault){.kind = AVOUT__MEM_LOSE_BEFORE, .path = "/avout/cells/a:/b:"});
    CHECK(!pthread_create(&c.thread, NULL, create_deep, &c));
    TEST_AWAIT(!review_connected(c.client));
    test_await_asleep(&c.task); /* it is in the middle of it, and nobody answers */
    int64_t began = avout__now_ns();
    avout_close(c.client);
    pthread_join(c.thread, NULL);
    CHECK(avout__now_ns() - began < 10000000000);
    CHECK_STATUS(AVOUT_ECLOSED, c.status);
    suite_close(other);
    suite_check_memory();
}

/* ---- whose thread calls ---------------------------------------------------------------------------- */

typedef struct witness {
    _Atomic int destroyed;
    bool delivering;
    avout_atom *atom;
} witness;

static void watch_nothing(const char *key, avout_value old_value, avout_value new_value,
                          void *payload)
{
    (void)key, (void)old_value, (void)new_value, (void)payload;
}

static void witness_destroyed(void *payload)
{
    witness *w = payload;
    w->delivering = avout__store_delivering;
    atomic_fetch_add(&w->destroyed, 1);
}

/* The watch ends with the last handle, on the closer's thread, though the cell stays until the answer
 * to a read is there (I9). */
TEST(a_watch_is_not_destroyed_on_the_delivery_thread)
{
    avout_client *near = suite_connect(), *far = suite_connect();
    avout_store *store = review_store(0);
    avout_atom *theirs, *ours;
    witness w = {0};
    CHECK_OK(avout_atom_create(&ours, near, "/x", avout_int(0), NULL));
    CHECK_OK(avout_atom_open(&theirs, far, "/x"));
    CHECK_OK(avout_atom_add_watch(ours, "k", watch_nothing, &w, witness_destroyed));
    review_fault(store,
                 (avout__mem_fault){.kind = AVOUT__MEM_HOLD_REQUEST, .path = "/avout/cells/x"});
    CHECK_OK(avout_swap(theirs, suite_plus, &suite_one, NULL, NULL, NULL));
    review_await_held(store);
    avout_atom_close(ours);
    CHECK_INT(1, w.destroyed);
    avout__mem_release(store);
    CHECK(!w.delivering);
    avout_atom_close(theirs);
    suite_close(near);
    suite_close(far);
    suite_check_memory();
}

static void swap_again(const char *key, avout_value old_value, avout_value new_value, void *payload)
{
    witness *w = payload;
    (void)key, (void)old_value, (void)new_value;
    if (!atomic_load(&w->destroyed))
        CHECK_OK(avout_swap(w->atom, suite_plus, &suite_one, NULL, NULL, NULL));
}

static void tell(const char *key, avout_value old_value, avout_value new_value, void *payload)
{
    (void)key, (void)old_value, (void)new_value;
    atomic_store((_Atomic int *)payload, 1);
}

/* A state that never stands still is told of for ever; others are told of as well (I7). */
TEST_WITHIN(a_watch_without_end_leaves_room_for_others, 20)
{
    avout_client *client = suite_connect();
    witness w = {0};
    avout_atom *y;
    _Atomic int told = 0;
    CHECK_OK(avout_atom_create(&w.atom, client, "/x", avout_int(0), NULL));
    CHECK_OK(avout_atom_create(&y, client, "/y", avout_int(0), NULL));
    CHECK_OK(avout_atom_add_watch(w.atom, "k", swap_again, &w, NULL));
    CHECK_OK(avout_atom_add_watch(y, "k", tell, &told, NULL));
    CHECK_OK(avout_swap(w.atom, suite_plus, &suite_one, NULL, NULL, NULL));
    CHECK_OK(avout_swap(y, suite_plus, &suite_one, NULL, NULL, NULL));
    TEST_AWAIT(atomic_load(&told));
    atomic_store(&w.destroyed, 1);
    CHECK_OK(avout_atom_remove_watch(w.atom, "k"));
    avout_atom_close(w.atom);
    avout_atom_close(y);
    suite_close(client);
    suite_check_memory();
}

/* ---- commit records ------------------------------------------------------------------------------------ */

/* The first multi of a client is in doubt, and the fence cannot be written either: not yet. */
TEST(a_fence_that_cannot_be_written_is_tried_again)
{
    avout_client *maker = suite_connect();
    avout_atom *made, *atom;
    CHECK_OK(avout_atom_create(&made, maker, "/x", avout_int(0), NULL));
    avout_client *client = suite_connect();
    avout_store *store = review_store(1);
    CHECK_OK(avout_atom_open(&atom, client, "/x"));
    review_fault(store, (avout__mem_fault){.kind = AVOUT__MEM_LOSE_BEFORE, .multis = true});
    for (size_t nth = 2; nth < 5; nth++)
        review_fault(store, (avout__mem_fault){.kind = AVOUT__MEM_FAIL,
                                               .multis = true,
                                               .nth = nth,
                                               .status = AVOUT_ENOSPACE});
    CHECK_OK(avout_swap(atom, suite_plus, &suite_one, NULL, NULL, NULL));
    CHECK_INT(0, avout__mem_faults_left(store));
    CHECK_INT(1, suite_atom_strict_int(made));
    avout_atom_close(atom);
    avout_atom_close(made);
    suite_close(client);
    suite_close(maker);
    suite_check_memory();
}

typedef struct strict_read {
    avout_atom *atom;
    avout_status status;
    pthread_t thread;
} strict_read;

static void *read_strictly(void *payload)
{
    strict_read *read = payload;
    avout_value value;
    read->status = avout_atom_deref_strict(&value, read->atom, 0);
    return NULL;
}

/* A transaction that only read, in a group whose outcome nobody knows, has not changed anything. */
TEST(who_only_read_is_never_told_that_the_outcome_is_unknown)
{
    avout_client *other = suite_connect();
    avout_client *client = suite_connect();
    avout_store *store = review_store(1);
    avout_atom *x, *theirs;
    CHECK_OK(avout_atom_create(&theirs, other, "/x", avout_int(0), NULL));
    CHECK_OK(avout_atom_open(&x, client, "/x"));
    review_fault(store, (avout__mem_fault){.kind = AVOUT__MEM_HOLD_REQUEST, .multis = true});
    review_swap first = {.atom = x}, one = {.atom = x};
    review_swap_start(&first);
    review_await_held(store);
    review_swap_start(&one);
    TEST_AWAIT(review_pending(client) == 1);
    strict_read read = {.atom = x};
    CHECK(!pthread_create(&read.thread, NULL, read_strictly, &read));
    TEST_AWAIT(review_pending(client) == 2);
    review_fault(store, (avout__mem_fault){.kind = AVOUT__MEM_LOSE_BEFORE, .multis = true});
    avout__mem_reconnect_after(store, AVOUT_FOREVER);
    avout__mem_release(store);
    CHECK_OK(review_swap_end(&first));
    TEST_AWAIT(!review_connected(client));
    CHECK_INT(0, review_pending(client)); /* both on their way */
    avout_close(client);
    pthread_join(read.thread, NULL);
    CHECK_STATUS(AVOUT_ECLOSED, read.status);
    CHECK_STATUS(AVOUT_UNKNOWN, review_swap_end(&one));
    avout_atom_close(x);
    avout_atom_close(theirs);
    suite_close(other);
    suite_check_memory();
}

/* ---- closing from a destructor ------------------------------------------------------------------- */

typedef struct closer {
    avout_client *client;
    pthread_t main;
    _Atomic int calls;
    _Atomic bool logged;
} closer;

static closer closing;

static void close_from_elsewhere(void *payload)
{
    (void)payload;
    if (pthread_equal(closing.main, pthread_self())) return;
    avout_close(closing.client);
    atomic_fetch_add(&closing.calls, 1);
}

static void note_log(avout_log_level level, const char *message, void *payload)
{
    (void)payload;
    if (level == AVOUT_LOG_ERROR && strstr(message, "avout_close"))
        atomic_store(&closing.logged, true);
}

typedef struct both {
    avout_ref *local, *stored;
} both;

static avout_status set_box(avout_txn *txn, void *payload)
{
    both *b = payload;
    avout_status status = avout_ref_set(txn, b->local, avout_box(&closing, close_from_elsewhere));
    return status ? status : avout_alter(txn, b->stored, suite_plus, &suite_one);
}

/* A value that is freed by the client's own housekeeping closes the client: it is told not to. */
TEST(a_destructor_that_closes_its_client)
{
    both b;
    closing.main = pthread_self();
    closing.client = suite_connect_with(&(avout_options){.on_log = note_log});
    CHECK_OK(avout_ref_local(&b.local, closing.client, avout_int(0)));
    CHECK_OK(avout_ref_create(&b.stored, closing.client, "/x", avout_int(0), NULL));
    /* What the delivery thread retires is freed by the keeper, sooner or later. */
    int64_t patience = avout__deadline_in_ms(20000);
    while (!atomic_load(&closing.calls) && avout__now_ns() < patience)
        CHECK_OK(avout_dosync(closing.client, set_box, &b, NULL));
    CHECK(atomic_load(&closing.calls) > 0);
    TEST_AWAIT(atomic_load(&closing.logged));
    avout_ref_close(b.local);
    avout_ref_close(b.stored);
    suite_close(closing.client);
    suite_check_memory();
}
