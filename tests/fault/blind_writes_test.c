/* Writes that are made without reading, over what somebody else has put there just before they are sent: what
 * is not ours is not destroyed (I11).
 *
 * Test-tags: threads */
#include "avout/distributed.h"
#include "engine_support.h"
#include "support/vault.h"

typedef struct scene {
    avout_client *other;
    avout_ref *mine; /* of the one who writes blindly */
    bool armed, played;
} scene;

static void move_into_a_vault(scene *s)
{
    avout_versioned_container *container;
    avout_ref *ref;
    CHECK_OK(avout_destroy(s->other, "/r"));
    CHECK_OK(vault_open(&container, "vault"));
    CHECK_OK(avout_distributed_ref(&ref, s->other, "/r", container, avout_int(7), NULL));
    avout_ref_close(ref);
}

/* The client knows what there is now. */
static void *look(void *ref)
{
    avout_value value;
    if (!avout_ref_deref_strict(&value, ref, 0)) avout_release(value);
    return NULL;
}

/* It is called between the look at what is written over and the commit. */
static avout_status play(avout_value value, void *payload)
{
    scene *s = payload;
    int64_t number;
    if (!s->armed || s->played || avout_value_to_int(&number, value)) return AVOUT_OK;
    s->played = true;
    move_into_a_vault(s);
    pthread_t thread; /* not this one's transaction */
    CHECK(!pthread_create(&thread, NULL, look, s->mine));
    pthread_join(thread, NULL);
    return AVOUT_OK;
}

static avout_status set_two(avout_txn *txn, void *payload)
{
    return avout_ref_set(txn, payload, avout_int(2));
}

static avout_status write_after_that(void)
{
    avout_client *client = suite_connect();
    scene s = {.other = suite_connect()};
    CHECK_OK(avout_ref_create(&s.mine, client, "/r", avout_int(1), NULL));
    CHECK_OK(avout_ref_set_validator(s.mine, play, &s, NULL));
    s.armed = true;
    avout_status status = avout_dosync(client, set_two, s.mine, NULL);
    CHECK(s.played);
    avout_ref_close(s.mine);
    avout_close(client);
    avout_close(s.other);
    return status;
}

TEST(a_pointer_into_a_container_is_not_written_over)
{
    avout_client *witness = suite_connect();
    CHECK_STATUS(AVOUT_EDATA, write_after_that());
    suite_close(witness);
    suite_check_memory();
    vault_end();
}
