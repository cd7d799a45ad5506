/* A client in a forked child: every handle of the parent's answers AVOUT_EFORK there, a client of its
 * own works, and the parent does not notice (I10).
 * Test-tags: single */
#include <pthread.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/await.h"
#include "support/shelf.h"
#include "support/suite.h"
#include "support/vault.h"
#include "support/zookeeper.h"

typedef struct handles {
    avout_client *client;
    avout_atom *atom;
    avout_ref *ref, *local;
} handles;

/* What is elsewhere: in its place, in versions, in pieces, in another format. */
typedef struct elsewhere {
    avout_client *client;
    avout_atom *held;
    avout_ref *versioned, *pieces, *coded;
} elsewhere;

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

/* ---- what is elsewhere --------------------------------------------------------------------------------------- */

enum { LARGE = 1200000 };

static avout_value large(char letter)
{
    static char text[LARGE];
    memset(text, letter, sizeof text);
    return avout_string_n(text, sizeof text);
}

static avout_status touch_elsewhere(avout_txn *txn, void *payload)
{
    const elsewhere *e = payload;
    avout_status status = avout_alter(txn, e->versioned, suite_plus, &suite_one);
    if (!status) status = avout_alter(txn, e->coded, suite_plus, &suite_one);
    return status ? status : avout_ref_set(txn, e->pieces, large('b'));
}

static void open_elsewhere(elsewhere *e)
{
    avout_container *shelf;
    avout_versioned_container *vault;
    e->client = suite_connect();
    CHECK_OK(shelf_open(&shelf, "shelf"));
    CHECK_OK(avout_unversioned_atom(&e->held, e->client, "/held", shelf, avout_int(0), NULL));
    CHECK_OK(vault_open(&vault, "vault"));
    CHECK_OK(avout_distributed_ref(&e->versioned, e->client, "/v", vault, avout_int(0), NULL));
    CHECK_OK(avout_ref_create(&e->pieces, e->client, "/pieces", large('a'), NULL));
    CHECK_OK(avout_ref_create_coded(&e->coded, e->client, "/coded", avout_codec_json(),
                                    avout_int(0), NULL));
}

static void close_elsewhere(elsewhere *e)
{
    avout_atom_close(e->held);
    avout_ref_close(e->versioned);
    avout_ref_close(e->pieces);
    avout_ref_close(e->coded);
    avout_close(e->client);
}

static void inherited_elsewhere(const elsewhere *e)
{
    avout_value value;
    avout_ref *ref;
    size_t orphans;
    CHECK_STATUS(AVOUT_EFORK, avout_atom_deref(&value, e->held));
    CHECK_STATUS(AVOUT_EFORK, avout_atom_deref_strict(&value, e->held, 0));
    CHECK_STATUS(AVOUT_EFORK, avout_swap(e->held, suite_plus, &suite_one, NULL, NULL, NULL));
    CHECK_STATUS(AVOUT_EFORK, avout_reset(e->held, avout_int(0), NULL));
    CHECK_STATUS(AVOUT_EFORK, avout_atom_destroy(e->held));
    CHECK_STATUS(AVOUT_EFORK, avout_ref_deref(&value, e->versioned));
    CHECK_STATUS(AVOUT_EFORK, avout_ref_deref(&value, e->pieces));
    CHECK_STATUS(AVOUT_EFORK, avout_ref_deref_strict(&value, e->pieces, 0));
    CHECK_STATUS(AVOUT_EFORK, avout_ref_deref(&value, e->coded));
    CHECK_STATUS(AVOUT_EFORK, avout_dosync(e->client, touch_elsewhere, (void *)(uintptr_t)e, NULL));
    CHECK_STATUS(AVOUT_EFORK, avout_distributed_collect(&orphans, e->client, "/v", true, 0));
    CHECK_STATUS(AVOUT_EFORK, avout_distributed_collect(&orphans, e->client, "/pieces", true, 0));
    CHECK_STATUS(AVOUT_EFORK, avout_ref_open_coded(&ref, e->client, "/coded", avout_codec_json()));
}

/* The tests' containers have locks that must not be held when the process forks. */
static void inherited_containers(const elsewhere *e)
{
    avout_container *shelf;
    avout_versioned_container *vault;
    avout_atom *atom;
    avout_ref *ref;
    CHECK_OK(shelf_open(&shelf, "shelf"));
    CHECK_STATUS(AVOUT_EFORK,
                 avout_unversioned_atom(&atom, e->client, "/o", shelf, avout_int(0), NULL));
    CHECK_OK(vault_open(&vault, "vault"));
    CHECK_STATUS(AVOUT_EFORK,
                 avout_distributed_ref(&ref, e->client, "/o", vault, avout_int(0), NULL));
}

static _Atomic bool enough;

/* So that locks are held and calls are under way when the process forks. */
static void *keep_busy(void *payload)
{
    elsewhere *e = payload;
    while (!atomic_load(&enough)) {
        CHECK_OK(avout_swap(e->held, suite_plus, &suite_one, NULL, NULL, NULL));
        CHECK_OK(avout_dosync(e->client, touch_elsewhere, e, NULL));
    }
    return NULL;
}

static void check_child(pid_t child);

static void fork_with_values_elsewhere(void)
{
    enum { CHILDREN = 3 };
    elsewhere e;
    pthread_t busy;
    open_elsewhere(&e);
    for (int i = 0; i < CHILDREN; i++) {
        if (i == 1) CHECK(!pthread_create(&busy, NULL, keep_busy, &e));
        test_pause_ms(10); /* the fork comes somewhere in its work */
        pid_t child = fork();
        CHECK(child >= 0);
        if (!child) {
            inherited_elsewhere(&e);
            if (!i) inherited_containers(&e);
            close_elsewhere(&e);
            _exit(0);
        }
        check_child(child);
    }
    atomic_store(&enough, true);
    pthread_join(busy, NULL);
    CHECK_INT(suite_ref_strict_int(e.coded), suite_ref_strict_int(e.versioned));
    CHECK(suite_atom_strict_int(e.held) >= suite_ref_strict_int(e.coded));
    close_elsewhere(&e);
    suite_check_memory();
    shelf_end();
    vault_end();
}

/* ---- children ------------------------------------------------------------------------------------------------ */

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

TEST(embedded_with_values_elsewhere)
{
    suite_use(suite_lmdb_url);
    fork_with_values_elsewhere();
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

TEST(in_memory_with_values_elsewhere)
{
    suite_use(suite_mem_url);
    fork_with_values_elsewhere();
}
