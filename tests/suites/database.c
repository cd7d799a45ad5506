/* A container on a real server: the contract, and values of any kind and size; and what tests of one server's own
 * ways do with such a container.
 *
 * Who includes it defines before
 *
 *     static test_server *database_start(void)
 *     static const char *database_place(const test_server *server, const char *name)
 *                                  of a container of that name there, to the end of the process
 *     DATABASE_CONTAINER           the function that makes one: avout_mongo_container */
#include <pthread.h>
#include <stdlib.h>

#include "../../plugins/container-test/conformance.h"
#include "avout/memory.h"
#include "avout/sys/container.h"
#include "support/edn_random.h"
#include "support/output.h"
#include "support/server.h"
#include "support/test.h"
#include "support/value.h"

enum { TIMEOUT_MS = 20000 };

static avout_versioned_container *open_at(const char *place)
{
    avout_versioned_container *container;
    CHECK_OK(DATABASE_CONTAINER(&container, place));
    CHECK_OK(container->ops->init(container, TIMEOUT_MS));
    return container;
}

static void set(avout_versioned_container *c, const char *version, const char *text)
{
    avout_value value = test_edn(text);
    CHECK_OK(c->ops->set_state_at(c, version, value, TIMEOUT_MS));
    avout_release(value);
}

static void check_value(avout_versioned_container *c, const char *version, avout_value expected)
{
    avout_value value;
    CHECK_OK(c->ops->get_state_at(&value, c, version, TIMEOUT_MS));
    test_check_same(expected, value);
    avout_release(value);
}

static avout_status count_version(const char *version, void *payload)
{
    CHECK(*version);
    ++*(int *)payload;
    return AVOUT_OK;
}

static int versions_in(avout_versioned_container *c)
{
    int count = 0;
    CHECK_OK(c->ops->list_versions(c, count_version, &count, TIMEOUT_MS));
    return count;
}

static avout_value large_value(size_t size)
{
    char *text = malloc(size);
    CHECK(text);
    for (size_t i = 0; i < size; i++) text[i] = (char)('a' + i % 23);
    avout_value value = avout_string_n(text, size);
    free(text);
    return value;
}

/* What is no address is refused, and no password is shown. */
static void check_refused(const char *place)
{
    avout_versioned_container *c;
    if (DATABASE_CONTAINER(&c, place) != AVOUT_EINVAL)
        test_failed(__FILE__, __LINE__, "%s is accepted", place);
    if (strstr(avout_error_detail(), "sesame"))
        test_failed(__FILE__, __LINE__, "%s: %s", place, avout_error_detail());
}

/* ---- what holds for every server ------------------------------------------------------------------- */

TEST(it_conforms)
{
    test_server *server = database_start();
    output turned = output_to_stderr();
    int failures = conformance_run(DATABASE_CONTAINER, database_place(server, "conformance"));
    output_back(&turned);
    CHECK_INT(0, failures);
    CHECK_INT(0, avout_memory_blocks());
}

TEST(random_values_come_back)
{
    test_server *server = database_start();
    avout_versioned_container *c = open_at(database_place(server, "random"));
    edn_random random = {.seed = 7};
    for (int i = 0; i < 150; i++) {
        char version[32], *text = edn_random_text(&random);
        snprintf(version, sizeof version, "random-%d", i);
        avout_value value = test_edn(text);
        CHECK_OK(c->ops->set_state_at(c, version, value, TIMEOUT_MS));
        check_value(c, version, value);
        CHECK_OK(c->ops->delete_state_at(c, version, TIMEOUT_MS));
        avout_release(value);
        free(text);
    }
    c->ops->close(c);
    CHECK_INT(0, avout_memory_blocks());
}

TEST(a_value_of_17_mib_comes_back)
{
    test_server *server = database_start();
    avout_versioned_container *c = open_at(database_place(server, "large"));
    avout_value value = large_value(17 << 20);
    CHECK_OK(c->ops->set_state_at(c, "large-1", value, TIMEOUT_MS));
    check_value(c, "large-1", value);
    CHECK_STATUS(AVOUT_EEXISTS, c->ops->set_state_at(c, "large-1", value, TIMEOUT_MS));
    avout_release(value);
    c->ops->close(c);
}

TEST(what_has_no_text_is_refused)
{
    test_server *server = database_start();
    avout_versioned_container *c = open_at(database_place(server, "boxes"));
    avout_value boxes[] = {avout_int(1), avout_box(c, NULL)};
    avout_value value = avout_vector(2, boxes);
    CHECK_STATUS(AVOUT_ENOPRINT, c->ops->set_state_at(c, "box-1", value, TIMEOUT_MS));
    CHECK_INT(0, versions_in(c));
    avout_release(value);
    c->ops->close(c);
}

static void *come_and_go(void *payload)
{
    for (int i = 0; i < 10; i++) {
        avout_versioned_container *c = open_at(payload);
        char version[40];
        snprintf(version, sizeof version, "t-%lx-%d", (unsigned long)pthread_self(), i);
        set(c, version, "{:a 1}");
        CHECK_OK(c->ops->delete_state_at(c, version, TIMEOUT_MS));
        c->ops->close(c);
    }
    return NULL;
}

/* Beginning with what has to be made there, which all of them want to make. */
TEST(containers_come_and_go_in_many_threads)
{
    test_server *server = database_start();
    char *place = strdup(database_place(server, "threads"));
    pthread_t threads[6];
    for (int i = 0; i < 6; i++) CHECK(!pthread_create(&threads[i], NULL, come_and_go, place));
    for (int i = 0; i < 6; i++) pthread_join(threads[i], NULL);
    free(place);
    CHECK_INT(0, avout_memory_blocks());
}
