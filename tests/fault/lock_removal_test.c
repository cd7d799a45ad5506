/* Removing what somebody makes anew before its removal has been heard of: it is removed once, and what was made
 * since stays.
 * Test-tags: threads */
#include "engine_support.h"

#define NAME "/thing"

typedef struct removal {
    avout_client *client;
    avout_status (*remove)(avout_client *client, const char *name);
    avout_status status;
    pthread_t thread;
} removal;

static void *remove_it(void *payload)
{
    removal *r = payload;
    r->status = r->remove(r->client, NAME);
    return NULL;
}

/* The store of the first client does not hear that it was removed until another has been made. */
static void remove_and_make(avout_status (*remove)(avout_client *client, const char *name),
                            const char *node, void (*make)(avout_client *client, uint32_t number),
                            uint32_t (*number)(avout_client *client))
{
    avout_client *client = suite_connect(), *other = suite_connect();
    avout_store *store = engine_store(0);
    avout_request exists = {.kind = AVOUT_REQUEST_EXISTS, .path = node};
    removal r = {.client = client, .remove = remove};
    make(other, 3);
    avout__mem_reconnect_after(store, AVOUT_FOREVER);
    engine_fault(store,
                 (avout__mem_fault){.kind = AVOUT__MEM_LOSE_AFTER, .path = node, .multis = true});
    CHECK(!pthread_create(&r.thread, NULL, remove_it, &r));
    TEST_AWAIT(avout__store_call(NULL, engine_store(1), &exists, avout__deadline_in_ms(20000)) ==
               AVOUT_ENOTFOUND);
    make(other, 5);
    CHECK_OK(avout__mem_reconnect(store));
    pthread_join(r.thread, NULL);
    CHECK_INT(AVOUT_OK, r.status);
    CHECK_INT(5, number(other));
    CHECK_OK(remove(client, NAME));
    CHECK_STATUS(AVOUT_ENOTFOUND, remove(client, NAME));
    suite_close(client);
    suite_close(other);
    suite_check_memory();
}

/* ---- latches, barriers, semaphores -------------------------------------------------------------- */

static void make_latch(avout_client *client, uint32_t number)
{
    avout_latch *latch;
    CHECK_OK(avout_latch_create(&latch, client, NAME, number));
    avout_latch_close(latch);
}

static uint32_t total_of_latch(avout_client *client)
{
    avout_latch *latch;
    CHECK_OK(avout_latch_open(&latch, client, NAME));
    uint32_t total = avout_latch_total(latch);
    avout_latch_close(latch);
    return total;
}

TEST(of_a_latch)
{
    remove_and_make(avout_latch_remove, "/avout/latches" NAME, make_latch, total_of_latch);
}

static void make_barrier(avout_client *client, uint32_t number)
{
    avout_barrier *barrier;
    CHECK_OK(avout_barrier_create(&barrier, client, NAME, number));
    avout_barrier_close(barrier);
}

static uint32_t parties_of_barrier(avout_client *client)
{
    avout_barrier *barrier;
    CHECK_OK(avout_barrier_open(&barrier, client, NAME));
    uint32_t parties = avout_barrier_parties(barrier);
    avout_barrier_close(barrier);
    return parties;
}

TEST(of_a_barrier)
{
    remove_and_make(avout_barrier_remove, "/avout/barriers" NAME, make_barrier, parties_of_barrier);
}

static void make_semaphore(avout_client *client, uint32_t number)
{
    avout_semaphore *semaphore;
    CHECK_OK(avout_semaphore_open(&semaphore, client, NAME, number));
    avout_semaphore_close(semaphore);
}

static uint32_t permits_of_semaphore(avout_client *client)
{
    avout_semaphore *semaphore;
    uint32_t permits;
    CHECK_OK(avout_semaphore_open(&semaphore, client, NAME, 0));
    CHECK_OK(avout_semaphore_permits(&permits, semaphore));
    avout_semaphore_close(semaphore);
    return permits;
}

TEST(of_a_semaphore)
{
    remove_and_make(avout_semaphore_remove, "/avout/semaphores" NAME, make_semaphore,
                    permits_of_semaphore);
}
