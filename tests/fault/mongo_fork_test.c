/* MongoDB's containers and fork: a child has connections of its own, and the parent does not notice.
 * Test-tags: single */
#include <sys/wait.h>
#include <unistd.h>

#include "avout/memory.h"
#include "avout/mongo.h"
#include "avout/sys/container.h"
#include "support/mongodb.h"
#include "support/test.h"

enum { TIMEOUT_MS = 20000, CHILDREN = 3 };

static void use_one(const char *place, const char *version)
{
    avout_versioned_container *c;
    avout_value value = avout_string(version), read;
    CHECK_OK(avout_mongo_container(&c, place));
    CHECK_OK(c->ops->init(c, TIMEOUT_MS));
    CHECK_OK(c->ops->set_state_at(c, version, value, TIMEOUT_MS));
    CHECK_OK(c->ops->get_state_at(&read, c, version, TIMEOUT_MS));
    CHECK(avout_value_equal(value, read));
    avout_release(value);
    avout_release(read);
    c->ops->close(c);
}

TEST(a_child_has_connections_of_its_own)
{
    test_server *server = test_mongo_start();
    const char *place = test_mongo_place(server, "fork");
    avout_versioned_container *c;
    pid_t children[CHILDREN];
    CHECK_OK(avout_mongo_container(&c, place));
    CHECK_OK(c->ops->init(c, TIMEOUT_MS));
    for (int i = 0; i < CHILDREN; i++) {
        char version[32];
        snprintf(version, sizeof version, "child-%d", i);
        children[i] = fork();
        CHECK(children[i] >= 0);
        if (children[i]) continue;
        use_one(place, version);
        _exit(0);
    }
    use_one(place, "parent-1");
    for (int i = 0; i < CHILDREN; i++) {
        int status;
        CHECK(waitpid(children[i], &status, 0) == children[i]);
        CHECK_INT(0, status);
    }
    for (int i = 0; i < CHILDREN; i++) {
        char version[32];
        avout_value value;
        const char *text;
        snprintf(version, sizeof version, "child-%d", i);
        CHECK_OK(c->ops->get_state_at(&value, c, version, TIMEOUT_MS));
        CHECK_OK(avout_value_to_text(&text, NULL, value));
        CHECK_TEXT(version, text);
        avout_release(value);
    }
    c->ops->close(c);
    CHECK_INT(0, avout_memory_blocks());
}
