/* Waiting for values that are not in their node: a connection that breaks is waited for, an interruption ends
 * every wait, on all threads that wait for the same call (I3, I12; src/base/interrupt.h).
 *
 * Test-tags: threads */
#include "base/interrupt.h"
#include "engine_support.h"
#include "support/shelf.h"
#include "support/vault.h"

enum { LIMIT = 5000, SIZE = 9000 };

/* A call on a thread of its own that will be interrupted. */
typedef struct caller {
    avout_client *witness, *client;
    avout_ref *one, *other;
    avout_status (*call)(struct caller *c);
    avout__interrupts source;
    avout__interruptible by; /* named before it begins: it may be interrupted at once */
    avout_status status;
    char detail[600];
    _Atomic bool over;
    pthread_t thread;
} caller;

static void *run(void *payload)
{
    caller *c = payload;
    avout__interrupt_use(c->by);
    c->status = c->call(c);
    snprintf(c->detail, sizeof c->detail, "%s", avout_error_detail());
    atomic_store(&c->over, true);
    return NULL;
}

static void start(caller *c, avout_status (*call)(caller *c))
{
    c->call = call;
    avout__interrupts_init(&c->source);
    c->by = avout__interruptible_by(&c->source);
    CHECK(!pthread_create(&c->thread, NULL, run, c));
}

/* Long before its deadline. */
static void interrupt(caller *c)
{
    CHECK(!atomic_load(&c->over));
    int64_t began = avout__now_ns();
    avout__interrupt(&c->source);
    pthread_join(c->thread, NULL);
    CHECK(avout__now_ns() - began < (int64_t)5000 * 1000000);
    CHECK_STATUS(AVOUT_ECANCELLED, c->status);
    CHECK_CONTAINS("interrupted", c->detail);
}

static avout_status read_one(caller *c)
{
    avout_value value;
    avout_status status = avout_ref_deref_within(&value, c->one, 20000);
    if (!status) avout_release(value);
    return status;
}

static avout_value large(char letter)
{
    static char text[SIZE];
    memset(text, letter, sizeof text);
    return avout_string_n(text, sizeof text);
}

static avout_status set_both(avout_txn *txn, void *payload)
{
    const caller *c = payload;
    avout_status status = avout_ref_set(txn, c->one, large('c'));
    return status ? status : avout_ref_set(txn, c->other, large('d'));
}

static avout_status write_both(caller *c)
{
    return avout_dosync(c->client, set_both, c, &(avout_call_options){.timeout_ms = 20000});
}

static void open_large(caller *c)
{
    c->witness = suite_connect();
    avout__mem_limits(engine_store(0), LIMIT, 0);
    c->client = suite_connect();
    CHECK_OK(avout_ref_create(&c->one, c->client, "/one", large('a'), NULL));
    CHECK_OK(avout_ref_create(&c->other, c->client, "/other", large('b'), NULL));
}

static void close_large(caller *c)
{
    avout_ref_close(c->one);
    avout_ref_close(c->other);
    avout_close(c->client);
    suite_close(c->witness);
    suite_check_memory();
}

/* ---- interruptions ------------------------------------------------------------------------------------ */

TEST(an_interruption_ends_the_search_for_a_version)
{
    caller c = {.client = suite_connect()};
    avout_versioned_container *container;
    avout_client *writer = suite_connect();
    avout_ref *ref;
    CHECK_OK(vault_open(&container, "place"));
    CHECK_OK(avout_distributed_ref(&ref, writer, "/ref", container, avout_int(0), NULL));
    vault_lose("place");
    CHECK_OK(vault_open(&container, "place"));
    CHECK_OK(avout_distributed_ref(&c.one, c.client, "/ref", container, avout_int(0), NULL));
    int asked = vault_called("place", VAULT_GET);
    start(&c, read_one);
    TEST_AWAIT(vault_called("place", VAULT_GET) > asked + 3);
    interrupt(&c);
    avout_ref_close(ref);
    avout_close(writer);
    avout_ref_close(c.one);
    suite_close(c.client);
    suite_check_memory();
    vault_end();
}

static uint64_t reads_of(avout_store *store)
{
    avout__mem_counters counters;
    avout__mem_counters_of(store, &counters);
    return counters.reads;
}

TEST(an_interruption_ends_the_reading_of_pieces)
{
    caller writer = {0}, c = {0};
    open_large(&writer);
    c.client = suite_connect();
    avout_store *store = engine_store(2);
    CHECK_OK(avout_ref_open(&c.one, c.client, "/one"));
    uint64_t reads = reads_of(store);
    CHECK_OK(avout_dosync(writer.client, set_both, &writer, NULL));
    TEST_AWAIT(reads_of(store) > reads && avout_is_none(avout_ref_peek(c.one)));
    suite_settle(c.client); /* the pointer is there, its pieces are not */
    avout__mem_hold(store, AVOUT__MEM_REQUESTS);
    start(&c, read_one);
    CHECK(avout__mem_wait_held(store, avout__deadline_in_ms(20000)));
    interrupt(&c);
    avout__mem_release(store);
    avout_ref_close(c.one);
    avout_close(c.client);
    close_large(&writer);
}

/* They are written side by side, each on a thread of its own. */
TEST(an_interruption_ends_all_writings_of_a_transaction)
{
    caller c = {0};
    open_large(&c);
    avout_store *store = engine_store(1);
    avout__mem_hold(store, AVOUT__MEM_REQUESTS);
    start(&c, write_both);
    CHECK(avout__mem_wait_held(store, avout__deadline_in_ms(20000)));
    interrupt(&c);
    avout__mem_release(store);
    close_large(&c);
}

/* ---- a connection that breaks --------------------------------------------------------------------------- */

/* A reader that has not read the value yet. */
typedef struct reader {
    avout_client *writer, *client;
    avout_store *store;
    avout_atom *atom, *seen;
} reader;

static avout_atom *open_shelf(avout_client *client)
{
    avout_container *container;
    avout_atom *atom;
    CHECK_OK(shelf_open(&container, "shelf"));
    CHECK_OK(avout_unversioned_atom(&atom, client, "/atom", container, avout_int(5), NULL));
    return atom;
}

static void reader_open(reader *r)
{
    r->writer = suite_connect();
    r->client = suite_connect();
    r->store = engine_store(1);
    r->atom = open_shelf(r->writer);
    r->seen = open_shelf(r->client);
}

static void reader_close(reader *r)
{
    avout_atom_close(r->atom);
    avout_atom_close(r->seen);
    avout_close(r->client);
    suite_close(r->writer);
    suite_check_memory();
    shelf_end();
}

static const avout__mem_fault breaks[] = {{.kind = AVOUT__MEM_LOSE_BEFORE, .multis = true},
                                          {.kind = AVOUT__MEM_LOSE_AFTER, .multis = true},
                                          {.kind = AVOUT__MEM_EXPIRE_BEFORE, .multis = true},
                                          {.kind = AVOUT__MEM_EXPIRE_AFTER, .multis = true}};

/* The question whether the mark is still there is asked again. */
TEST(a_read_survives_a_connection_that_breaks)
{
    for (int strict = 0; strict < 2; strict++)
        for (size_t i = 0; i < sizeof breaks / sizeof *breaks; i++) {
            reader r;
            avout_value value;
            reader_open(&r);
            engine_fault(r.store, breaks[i]);
            CHECK_OK(strict ? avout_atom_deref_strict(&value, r.seen, 20000)
                            : avout_atom_deref_within(&value, r.seen, 20000));
            CHECK(avout_value_equal(value, avout_int(5)));
            avout_release(value);
            CHECK_INT(0, avout__mem_faults_left(r.store));
            reader_close(&r);
        }
}

/* Neither is nothing known of a read, nor is a read refused for want of a connection before its time is over. */
TEST(a_read_without_a_connection_takes_its_time_and_says_so)
{
    reader r;
    avout_value value;
    reader_open(&r);
    avout__mem_reconnect_after(r.store, AVOUT_FOREVER);
    CHECK_OK(avout__mem_suspend(r.store));
    int64_t began = avout__now_ns();
    CHECK_STATUS(AVOUT_ETIMEOUT, avout_atom_deref_within(&value, r.seen, 200));
    CHECK(avout__now_ns() - began >= (int64_t)190 * 1000000);
    CHECK_CONTAINS("/atom", avout_error_detail());
    CHECK_OK(avout__mem_reconnect(r.store));
    CHECK_OK(avout_atom_deref_within(&value, r.seen, 20000));
    avout_release(value);
    reader_close(&r);
}
