/* What the store tells of names: avout_stat_names. */
#include "base/clock.h"
#include "store/store.h"
#include "support/raw.h"
#include "support/suite.h"

static avout_name_stat stat_one(avout_client *client, const char *name)
{
    avout_name_stat stat = {0};
    CHECK_OK(avout_stat_names(&stat, client, &name, 1, 0));
    return stat;
}

TEST(a_name_grows_older_with_each_change)
{
    avout_client *client = suite_connect(), *other = suite_connect();
    avout_atom *atom;
    int64_t before_ms = avout__unix_ms() - 60000;
    CHECK_OK(avout_atom_create(&atom, client, "/s/a", avout_int(1234), NULL));
    avout_name_stat first = stat_one(other, "/s/a");
    CHECK_INT(AVOUT_OK, first.status);
    CHECK_INT(4, first.size);
    CHECK_INT(0, first.queued);
    CHECK(first.changed_ms > before_ms && first.changed_ms < before_ms + 600000);
    CHECK(first.created && first.created <= first.changed);
    for (int i = 0; i < 3; i++) CHECK_OK(avout_reset(atom, avout_int(5), NULL));
    avout_name_stat later = stat_one(other, "/s/a");
    CHECK_INT(first.version + 3, later.version);
    CHECK(later.created == first.created && later.changed > first.changed);
    CHECK(later.changed_ms >= first.changed_ms);
    CHECK_INT(1, later.size);
    CHECK_OK(avout_atom_destroy(atom));
    avout_name_stat gone = stat_one(other, "/s/a");
    CHECK_INT(AVOUT_ENOTFOUND, gone.status);
    CHECK_INT(0, gone.version);
    avout_atom_close(atom);
    suite_close(other);
    suite_close(client);
}

/* More than go in one request, some of them absent; directories are no names. */
TEST(many_names_at_once)
{
    enum { NAMES = 1200 };
    avout_client *client = suite_connect();
    avout_atom *atom;
    static char texts[NAMES][32];
    static const char *names[NAMES];
    static avout_name_stat stats[NAMES];
    for (int i = 0; i < NAMES; i++) {
        snprintf(texts[i], sizeof texts[i], "/many/n%d", i);
        names[i] = texts[i];
        if (i % 400) continue;
        CHECK_OK(avout_atom_create(&atom, client, names[i], avout_int(i), NULL));
        avout_atom_close(atom);
    }
    names[1] = "/many";
    CHECK_OK(avout_stat_names(stats, client, names, NAMES, 0));
    for (int i = 0; i < NAMES; i++)
        CHECK_INT(i % 400 ? AVOUT_ENOTFOUND : AVOUT_OK, stats[i].status);
    CHECK_INT(3, stats[400].size);
    CHECK_OK(avout_stat_names(NULL, client, NULL, 0, 0));
    suite_close(client);
    suite_check_memory();
}

TEST(names_that_are_none)
{
    avout_client *client = suite_connect();
    avout_name_stat stats[2];
    const char *names[] = {"/fine", "not fine"};
    CHECK_STATUS(AVOUT_ENAME, avout_stat_names(stats, client, names, 2, 0));
    CHECK_CONTAINS("not fine", avout_error_detail());
    names[1] = NULL;
    CHECK_STATUS(AVOUT_EINVAL, avout_stat_names(stats, client, names, 2, 0));
    suite_close(client);
    suite_check_memory();
}

/* Whoever reads a value has it watched; stores that do not tell say so, and never a number. */
TEST(watchers_are_counted_or_not_told)
{
    avout_client *asking = suite_connect(), *client[3];
    avout_atom *atom[3];
    bool told = !strncmp(suite_url(), "mem:", 4);
    for (int i = 0; i < 3; i++) {
        client[i] = suite_connect();
        CHECK_OK(avout_atom_create(&atom[i], client[i], "/watched", avout_int(1), NULL));
        avout_value value = AVOUT_NONE;
        CHECK_OK(avout_atom_deref_strict(&value, atom[i], 0));
        avout_release(value);
    }
    CHECK_INT(told ? 3 : -1, stat_one(asking, "/watched").watchers);
    CHECK_INT(-1, stat_one(asking, "/nobody").watchers);
    for (int i = 0; i < 3; i++) {
        avout_atom_close(atom[i]);
        suite_close(client[i]);
    }
    CHECK_INT(told ? 0 : -1, stat_one(asking, "/watched").watchers);
    suite_close(asking);
}

static void ignore_node(avout_node_event event, const char *path, void *payload)
{
    (void)event, (void)path, (void)payload;
}
static void ignore_session(avout_event event, void *payload)
{
    (void)event, (void)payload;
}

TEST(who_queues_to_write_is_counted)
{
    avout_client *client = suite_connect();
    avout_atom *atom;
    CHECK_OK(avout_atom_create(&atom, client, "/s/q", avout_int(1), NULL));
    avout_listener listener = {.on_node = ignore_node, .on_session = ignore_session};
    avout_store *store;
    CHECK_OK(avout__store_open(&store, suite_url(), NULL, &listener));
    avout_op op = {.kind = AVOUT_OP_CREATE,
                   .ephemeral = true,
                   .sequential = true,
                   .path = "/avout/cells/s:/q/q-test-"};
    int64_t version = stat_one(client, "/s/q").version;
    for (int i = 0; i < 2; i++) CHECK_OK(raw_do(store, op));
    CHECK_INT(2, stat_one(client, "/s/q").queued);
    CHECK_INT(version, stat_one(client, "/s/q").version);
    avout__store_close(store);
    avout_atom_close(atom);
    suite_close(client);
}
