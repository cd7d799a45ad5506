/* A client in a forked child: every handle of the parent's answers AVOUT_EFORK there, a client of its
 * own works, and the parent does not notice (I10).
 * Test-tags: single */
#include <sys/wait.h>
#include <unistd.h>

#include "support/suite.h"
#include "support/zookeeper.h"

typedef struct handles {
    avout_client *client;
    avout_atom *atom;
    avout_ref *ref, *local;
} handles;

static avout_status touch(avout_txn *txn, void *payload)
{
    return avout_alter(txn, ((handles *)payload)->ref, suite_plus, &suite_one);
}

static void ignore(const char *key, avout_value old_value, avout_value new_value, void *payload)
{
    (void)key, (void)old_value, (void)new_value, (void)payload;
}

static void finished(avout_status status, const char *detail, void *payload)
{
    (void)status, (void)detail, (void)payload;
    test_failed(__FILE__, __LINE__, "ran in the child");
}

static void use_inherited(handles *all)
{
    avout_value value;
    avout_atom *atom;
    CHECK_STATUS(AVOUT_EFORK, avout_atom_deref(&value, all->atom));
    CHECK_CONTAINS("fork", avout_error_detail());
    CHECK_STATUS(AVOUT_EFORK, avout_atom_deref_strict(&value, all->atom, 0));
    CHECK_STATUS(AVOUT_EFORK, avout_swap(all->atom, suite_plus, &suite_one, NULL, NULL, NULL));
    CHECK_STATUS(AVOUT_EFORK, avout_reset(all->atom, avout_int(0), NULL));
    CHECK_STATUS(AVOUT_EFORK, avout_dosync(all->client, touch, all, NULL));
    CHECK_STATUS(AVOUT_EFORK, avout_dosync_async(all->client, touch, all, NULL, finished, NULL));
    CHECK_STATUS(AVOUT_EFORK, avout_ref_deref(&value, all->ref));
    CHECK_STATUS(AVOUT_EFORK, avout_ref_deref(&value, all->local));
    CHECK_STATUS(AVOUT_EFORK, avout_refs_deref(&value, &all->ref, 1));
    CHECK_STATUS(AVOUT_EFORK, avout_atom_open(&atom, all->client, "/other"));
    CHECK_STATUS(AVOUT_EFORK, avout_atom_add_watch(all->atom, "k", ignore, NULL, NULL));
    CHECK_STATUS(AVOUT_EFORK, avout_ls(&value, all->client, "/"));
    avout_guard_enter();
    CHECK(avout_is_none(avout_atom_peek(all->atom)));
    avout_guard_leave();
}

static void close_all(handles *all)
{
    avout_atom_close(all->atom);
    avout_ref_close(all->ref);
    avout_ref_close(all->local);
    avout_close(all->client);
}

static void open_all(handles *all)
{
    all->client = suite_connect();
    CHECK_OK(avout_atom_create(&all->atom, all->client, "/a", avout_int(0), NULL));
    CHECK_OK(avout_ref_create(&all->ref, all->client, "/r", avout_int(0), NULL));
    CHECK_OK(avout_ref_local(&all->local, all->client, avout_int(0)));
}

static void in_child(handles *inherited)
{
    handles own;
    use_inherited(inherited);
    open_all(&own);
    use_inherited(inherited);
    CHECK_OK(avout_swap(own.atom, suite_plus, &suite_one, NULL, NULL, NULL));
    CHECK_OK(avout_dosync(own.client, touch, &own, NULL));
    close_all(inherited);
    CHECK_OK(avout_swap(own.atom, suite_plus, &suite_one, NULL, NULL, NULL));
    close_all(&own);
}

static void check_child(pid_t child)
{
    int status;
    CHECK_INT(child, waitpid(child, &status, 0));
    CHECK(WIFEXITED(status));
    CHECK_INT(0, WEXITSTATUS(status));
}

static void fork_with_client_open(bool shared)
{
    enum { CHILDREN = 3 };
    handles all;
    open_all(&all);
    for (int i = 0; i < CHILDREN; i++) {
        CHECK_OK(avout_swap(all.atom, suite_plus, &suite_one, NULL, NULL, NULL));
        pid_t child = fork();
        CHECK(child >= 0);
        if (!child) {
            in_child(&all);
            _exit(0);
        }
        /* Both at a time. */
        for (int n = 0; n < 10; n++) CHECK_OK(avout_dosync(all.client, touch, &all, NULL));
        check_child(child);
    }
    int64_t by_children = shared ? CHILDREN : 0;
    avout_value value;
    CHECK_OK(avout_atom_deref_strict(&value, all.atom, 0));
    CHECK(avout_value_equal(value, avout_int(CHILDREN + 2 * by_children)));
    CHECK_OK(avout_ref_deref_strict(&value, all.ref, 0));
    CHECK(avout_value_equal(value, avout_int(10 * CHILDREN + by_children)));
    close_all(&all);
    suite_check_memory();
}

TEST(embedded)
{
    suite_use(suite_lmdb_url);
    fork_with_client_open(true);
}

static const char *one_zookeeper_url(void)
{
    static const char *url;
    if (!url) url = test_zk_shared_url();
    return url;
}

TEST(zookeeper)
{
    suite_use(one_zookeeper_url);
    fork_with_client_open(true);
}

/* The child has a copy of the store. */
TEST(in_memory)
{
    suite_use(suite_mem_url);
    fork_with_client_open(false);
}
