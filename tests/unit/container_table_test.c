/* What is wrong with a container's table is found before it is used, of both kinds alike: it is said what, and the
 * container is closed, unless its table is not known at all. */
#include "avout.h"
#include "avout/distributed.h"
#include "support/shelf.h"
#include "support/suite.h"
#include "support/vault.h"

__attribute__((constructor)) static void use(void)
{
    suite_use(suite_mem_url);
}

enum { WRONG = 6, UNKNOWN = 2 }; /* the first ones make it unknown */

static const char *const said[WRONG] = {
    "its table is of version 2 and", "bytes, this library's of 1 and", "its kind is not 1 to 31 of",
    "its kind is not 1 to 31 of",    "a slot that must be there",      "its place is NULL",
};

#define SPOIL(ops, container, how, slot)                                                           \
    do {                                                                                           \
        if ((how) == 0) (ops).version++;                                                           \
        if ((how) == 1) (ops).size--;                                                              \
        if ((how) == 2) (ops).kind = NULL;                                                         \
        if ((how) == 3) (ops).kind = "Not_a_word";                                                 \
        if ((how) == 4) (ops).slot = NULL;                                                         \
        (container)->ops = &(ops);                                                                 \
        if ((how) == 5) (container)->place = NULL;                                                 \
    } while (0)

TEST(of_versioned_containers)
{
    avout_client *client = suite_connect();
    for (int how = 0; how < WRONG; how++) {
        avout_versioned_container *c;
        avout_ref *ref;
        CHECK_OK(vault_open(&c, "place"));
        const avout_versioned_container_ops *good = c->ops;
        avout_versioned_container_ops ops = *good;
        SPOIL(ops, c, how, delete_state_at);
        CHECK_STATUS(AVOUT_EINVAL,
                     avout_distributed_ref(&ref, client, "/ref", c, avout_int(1), NULL));
        CHECK_CONTAINS(said[how], avout_error_detail());
        CHECK_INT(how < UNKNOWN, vault_objects());
        if (how < UNKNOWN) good->close(c);
    }
    avout_ref *ref;
    CHECK_STATUS(AVOUT_EINVAL,
                 avout_distributed_ref(&ref, client, "/ref", NULL, avout_int(1), NULL));
    CHECK_CONTAINS("without a table", avout_error_detail());
    suite_close(client);
    suite_check_memory();
    vault_end();
}

TEST(of_unversioned_containers)
{
    avout_client *client = suite_connect();
    for (int how = 0; how < WRONG; how++) {
        avout_container *c;
        avout_atom *atom;
        CHECK_OK(shelf_open(&c, "place"));
        const avout_container_ops *good = c->ops;
        avout_container_ops ops = *good;
        SPOIL(ops, c, how, set_state);
        CHECK_STATUS(AVOUT_EINVAL,
                     avout_unversioned_atom(&atom, client, "/atom", c, avout_int(1), NULL));
        CHECK_CONTAINS(said[how], avout_error_detail());
        CHECK_INT(how < UNKNOWN, shelf_objects());
        if (how < UNKNOWN) good->close(c);
    }
    avout_atom *atom;
    CHECK_STATUS(AVOUT_EINVAL,
                 avout_unversioned_atom(&atom, client, "/atom", NULL, avout_int(1), NULL));
    CHECK_CONTAINS("without a table", avout_error_detail());
    suite_close(client);
    suite_check_memory();
    shelf_end();
}
