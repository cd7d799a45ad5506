/* The view in bad times: what is shown is one cut and never stays behind, whatever fails on the way;
 * cells changed, removed, recreated and filled with garbage behind the engine's back. */
#include "engine_support.h"

#define X_PATH "/avout/cells/x"
#define Y_PATH "/avout/cells/y"

typedef struct pair {
    avout_client *near, *far;
    avout_store *store; /* near's */
    avout_ref *x, *y, *far_x, *far_y;
} pair;

static void pair_open(pair *p, const avout_options *options)
{
    memset(p, 0, sizeof *p);
    p->near = suite_connect_with(options);
    p->far = suite_connect();
    p->store = engine_store(0);
    CHECK_OK(avout_ref_create(&p->x, p->near, "/x", avout_int(0), NULL));
    CHECK_OK(avout_ref_create(&p->y, p->near, "/y", avout_int(0), NULL));
    CHECK_OK(avout_ref_open(&p->far_x, p->far, "/x"));
    CHECK_OK(avout_ref_open(&p->far_y, p->far, "/y"));
}

static void pair_close(pair *p)
{
    avout_ref_close(p->x);
    avout_ref_close(p->y);
    avout_ref_close(p->far_x);
    avout_ref_close(p->far_y);
    suite_close(p->near);
    suite_close(p->far);
    suite_check_memory();
}

typedef struct setting {
    avout_ref *ref[2];
    avout_value value[2];
} setting;

static avout_status set_both(avout_txn *txn, void *payload)
{
    setting *s = payload;
    avout_status status = AVOUT_OK;
    for (int i = 0; i < 2 && !status; i++)
        if (s->ref[i]) status = avout_ref_set(txn, s->ref[i], avout_share(s->value[i]));
    return status;
}

static avout_status set(avout_client *client, avout_ref *ref, avout_value value, avout_ref *other,
                        avout_value other_value, int64_t timeout_ms)
{
    setting s = {{ref, other}, {value, other_value}};
    avout_call_options options = {.timeout_ms = timeout_ms};
    avout_status status = avout_dosync(client, set_both, &s, &options);
    avout_release(value);
    avout_release(other_value);
    return status;
}

static avout_status put(avout_client *client, avout_ref *ref, int64_t number)
{
    return set(client, ref, avout_int(number), NULL, AVOUT_NONE, 0);
}

/* Fails while the get that arms the watch again is refused: what is shown may be old for a moment,
 * but not for ever. */
TEST(a_refused_arming_leaves_nothing_stale)
{
    pair p;
    pair_open(&p, NULL);
    for (int i = 1; i < 10; i++) {
        engine_fault(p.store, (avout__mem_fault){.kind = AVOUT__MEM_FAIL,
                                                 .status = AVOUT_EIO,
                                                 .path = X_PATH,
                                                 .nth = 2}); /* behind the multi */
        CHECK_OK(put(p.near, p.x, 10 * i));
        TEST_AWAIT(!avout__mem_faults_left(p.store));
        CHECK_OK(put(p.far, p.far_x, 10 * i + 1));
        TEST_AWAIT(suite_ref_int(p.x) == 10 * i + 1);
    }
    pair_close(&p);
}

static bool is_shown(avout_ref *ref)
{
    avout_guard_enter();
    bool shown = !avout_is_none(avout_ref_peek(ref));
    avout_guard_leave();
    return shown;
}

/* A large value is armed by exists: when that tells of a newer one, the old one is out of date at
 * once, though its successor has yet to be fetched (I2). */
TEST(a_large_value_overtaken_by_another_client_is_not_shown_with_newer_ones)
{
    pair p;
    pair_open(&p, NULL);
    static char text[5000];
    memset(text, 'a', sizeof text - 1);
    suite_ref_int(p.y);
    /* near: [multi x][exists x], with far's multi between, and what follows slow. */
    engine_fault(p.store,
                 (avout__mem_fault){.kind = AVOUT__MEM_HOLD_REQUEST, .path = X_PATH, .nth = 2});
    CHECK_OK(set(p.near, p.x, avout_string(text), NULL, AVOUT_NONE, 0));
    CHECK(avout__mem_wait_held(p.store, avout__deadline_in_ms(20000)));
    text[0] = 'b';
    CHECK_OK(set(p.far, p.far_x, avout_string(text), p.far_y, avout_int(7), 0));
    /* y's event is there; its get is sent before the exists is answered, the get of x after that and
     * slowly: between their replies y is new. */
    avout_value values[2];
    engine_fault(p.store, (avout__mem_fault){
                              .kind = AVOUT__MEM_DELAY, .path = X_PATH, .nth = 2, .delay_ms = 200});
    TEST_AWAIT(!is_shown(p.y));
    avout__mem_release(p.store);
    for (bool both = false; !both;) {
        CHECK_OK(avout_refs_deref(values, (avout_ref *[]){p.x, p.y}, 2));
        const char *seen;
        CHECK_OK(avout_value_to_text(&seen, NULL, values[0]));
        both = seen[0] == 'b';
        CHECK_INT(both, avout_value_equal(values[1], avout_int(7)));
        avout_release(values[0]);
        avout_release(values[1]);
    }
    pair_close(&p);
}

TEST(a_room_for_one_watch_is_enough)
{
    pair p;
    pair_open(&p, NULL);
    avout__mem_limits(p.store, 0, 1); /* not even one */
    CHECK_OK(avout__mem_suspend(p.store));
    CHECK_OK(put(p.near, p.y, 1)); /* the limit is known now */
    for (int i = 1; i < 20; i++) {
        CHECK_OK(put(p.near, p.x, 10 * i));
        CHECK_OK(put(p.near, p.y, 10 * i));
        CHECK_OK(put(p.far, p.far_x, 10 * i + 1));
        CHECK_OK(put(p.far, p.far_y, 10 * i + 1));
        TEST_AWAIT(suite_ref_int(p.x) == 10 * i + 1);
        TEST_AWAIT(suite_ref_int(p.y) == 10 * i + 1);
    }
    pair_close(&p);
}

/* Opening does not drive out what is cached, and needs one answer each. */
TEST(opening_beyond_the_room_caches_nothing)
{
    pair p;
    avout_ref *late;
    avout__mem_counters before, after;
    pair_open(&p, NULL);
    CHECK_OK(avout_ref_create(&late, p.far, "/late", avout_int(5), NULL));
    avout_ref_close(late);
    CHECK_OK(avout_ref_create(&late, p.far, "/later", avout_int(6), NULL));
    avout_ref_close(late);
    avout__mem_limits(p.store, 0, sizeof X_PATH + sizeof Y_PATH + 16);
    CHECK_OK(avout__mem_suspend(p.store));
    CHECK_OK(put(p.near, p.y, 1)); /* the limit is known now */
    CHECK_INT(0, suite_ref_int(p.x));
    CHECK_INT(1, suite_ref_strict_int(p.y)); /* nothing is on its way any more */
    avout__mem_counters_of(p.store, &before);
    CHECK_OK(avout_ref_open(&late, p.near, "/late"));
    avout__mem_counters_of(p.store, &after);
    CHECK_INT(1, after.requests - before.requests);
    CHECK(is_shown(p.x) && is_shown(p.y));
    CHECK_INT(5, suite_ref_int(late));
    avout_ref_close(late);
    /* Another: the cell of the first goes with its last reference, perhaps later. */
    engine_fault(p.store,
                 (avout__mem_fault){.kind = AVOUT__MEM_LOSE_BEFORE, .path = "/avout/cells/later"});
    CHECK_OK(avout_ref_open(&late, p.near, "/later"));
    CHECK_INT(0, avout__mem_faults_left(p.store));
    CHECK_OK(avout_ref_destroy(late));
    avout_ref_close(late);
    CHECK_STATUS(AVOUT_ENOTFOUND, avout_ref_open(&late, p.near, "/later"));
    CHECK_CONTAINS("/later: was destroyed", avout_error_detail());
    CHECK_STATUS(AVOUT_ENOTFOUND, avout_ref_open(&late, p.near, "/never"));
    CHECK_CONTAINS("/never: there is no atom or ref", avout_error_detail());
    pair_close(&p);
}

enum { MANY = 1000, ROOM = 100 };

/* More cells than can be watched: all can be read, none is stale, and the connection can come back. */
TEST(a_thousand_refs_with_room_for_a_hundred)
{
    avout_client *near = suite_connect(), *far = suite_connect();
    avout_store *store = engine_store(0);
    static avout_ref *refs[MANY], *far_refs[MANY];
    avout__mem_limits(store, 0, ROOM * 32);
    CHECK_OK(avout__mem_suspend(store));
    for (int i = 0; i < MANY; i++) {
        char name[32];
        snprintf(name, sizeof name, "/many-%d", i);
        CHECK_OK(avout_ref_create(&refs[i], near, name, avout_int(i), NULL));
        CHECK_OK(avout_ref_open(&far_refs[i], far, name));
    }
    for (int i = 0; i < MANY; i++) CHECK_INT(i, suite_ref_int(refs[i]));
    for (int i = 0; i < MANY; i++) {
        if (i % 10 == 0) CHECK_OK(avout__mem_suspend(store));
        CHECK_OK(put(far, far_refs[i], -i));
        TEST_AWAIT(suite_ref_int(refs[i]) == -i);
    }
    avout__mem_counters counters;
    avout__mem_counters_of(store, &counters);
    CHECK(counters.armed_bytes_most <= ROOM * 32 + 64);
    for (int i = 0; i < MANY; i++) {
        avout_ref_close(refs[i]);
        avout_ref_close(far_refs[i]);
    }
    suite_close(near);
    suite_close(far);
    suite_check_memory();
}

/* ---- behind the engine's back --------------------------------------------------------------- */

TEST(removed_recreated_and_overwritten_by_a_stranger)
{
    pair p;
    pair_open(&p, NULL);
    avout_store *raw = engine_store(1);
    avout_value value;
    for (int i = 0; i < 5; i++) {
        avout__mem_set_version(raw, X_PATH, 0);
        CHECK_OK(raw_do(raw, (avout_op){AVOUT_OP_DELETE, .path = X_PATH, .version = -1}));
        TEST_AWAIT(avout_ref_deref(&value, p.x) == AVOUT_ENOTFOUND);
        CHECK_CONTAINS("/x", avout_error_detail());
        CHECK_STATUS(AVOUT_ENOTFOUND, put(p.near, p.x, 1));
        CHECK_OK(raw_do(raw, (avout_op){AVOUT_OP_CREATE, .path = X_PATH, .bytes = "41"}));
        TEST_AWAIT(!avout_ref_deref(&value, p.x) && avout_value_equal(value, avout_int(41)));
        CHECK_OK(raw_do(
            raw, (avout_op){AVOUT_OP_SET, .path = X_PATH, .version = 0, .bytes = "{:no value"}));
        avout_status status;
        TEST_AWAIT((status = avout_ref_deref(&value, p.x)) != AVOUT_OK);
        CHECK_STATUS(AVOUT_EDATA, status);
        CHECK_CONTAINS("/x", avout_error_detail());
        CHECK_OK(put(p.near, p.x, 42)); /* a blind write heals it */
        CHECK_INT(42, suite_ref_int(p.x));
        /* The other client may have heard of the bytes that are no value, and not yet of this. */
        TEST_AWAIT(!avout_ref_deref(&value, p.far_x) && avout_value_equal(value, avout_int(42)));
    }
    pair_close(&p);
}

TEST(destroyed_and_created_again)
{
    pair p;
    pair_open(&p, NULL);
    avout_value value;
    for (int i = 0; i < 20; i++) {
        CHECK_OK(avout_ref_destroy(p.x));
        CHECK_STATUS(AVOUT_ENOTFOUND, avout_ref_deref(&value, p.x));
        TEST_AWAIT(avout_ref_deref(&value, p.far_x) == AVOUT_ENOTFOUND);
        CHECK_STATUS(AVOUT_ENOTFOUND, put(p.far, p.far_x, 1));
        CHECK_STATUS(AVOUT_ENOTFOUND, avout_ref_destroy(p.far_x));
        bool created;
        avout_ref *again;
        CHECK_OK(avout_ref_create(&again, p.far, "/x", avout_int(i), &created));
        CHECK(created);
        CHECK_INT(i, suite_ref_int(p.far_x));
        TEST_AWAIT(!avout_ref_deref(&value, p.x) && avout_value_equal(value, avout_int(i)));
        avout_ref_close(again);
    }
    pair_close(&p);
}

/* Versions are 32 bits and wrap; -1 means "any" and must never be left behind (I2). */
TEST(versions_that_wrap)
{
    pair p;
    pair_open(&p, NULL);
    static char text[600 * 1024];
    memset(text, 'a', sizeof text - 1);
    for (int large = 0; large < 2; large++)
        for (int32_t version = -4; version <= 1; version++) {
            if (version == -1) continue;
            int64_t number = 100 * large + version;
            CHECK_OK(put(p.far, p.far_x, number));
            CHECK_OK(avout__mem_set_version(p.store, X_PATH, version));
            CHECK_OK(raw_do(p.store, (avout_op){AVOUT_OP_SET, .path = X_PATH,
                                                .version = AVOUT_VERSION_ANY, .bytes = "7"}));
            CHECK_OK(avout__mem_set_version(p.store, X_PATH, version));
            avout_ref *x;
            avout_client *fresh = suite_connect();
            CHECK_OK(avout_ref_open(&x, fresh, "/x"));
            for (int i = 0; i < 3; i++) {
                avout_value wanted = large ? avout_string(text) : avout_int(i);
                CHECK_OK(set(fresh, x, wanted, NULL, AVOUT_NONE, 0));
                avout_request look = {.kind = AVOUT_REQUEST_EXISTS, .path = X_PATH};
                avout__reply found = AVOUT__REPLY_INIT;
                CHECK_OK(avout__store_call(&found, p.store, &look, avout__deadline_in_ms(20000)));
                CHECK(found.is.stat.version != -1);
                avout__reply_release(&found);
                avout_value seen;
                CHECK_OK(avout_ref_deref(&seen, x));
                CHECK_INT(large, avout_value_type(seen) == AVOUT_TYPE_STRING);
                avout_release(seen);
            }
            avout_ref_close(x);
            suite_close(fresh);
        }
    pair_close(&p);
}

/* ---- staleness ------------------------------------------------------------------------------ */

TEST(old_reads_are_refused_where_that_was_asked_for)
{
    pair p;
    pair_open(&p, &(avout_options){.max_staleness_ms = 50});
    avout_value values[2];
    avout__mem_reconnect_after(p.store, AVOUT_FOREVER);
    CHECK_INT(0, suite_ref_int(p.x));
    CHECK_INT(0, suite_ref_int(p.y));
    CHECK_OK(avout__mem_suspend(p.store));
    TEST_AWAIT(avout_ref_deref(values, p.x) == AVOUT_ECONNECTION);
    avout_guard_enter();
    CHECK(avout_is_none(avout_ref_peek(p.x)));
    avout_guard_leave();
    CHECK_STATUS(AVOUT_ECONNECTION, avout_refs_deref(values, (avout_ref *[]){p.x, p.y}, 2));
    CHECK_OK(put(p.far, p.far_x, 5));
    /* A change waits for the connection, until its deadline, and is then withdrawn. */
    CHECK_STATUS(AVOUT_ETIMEOUT, set(p.near, p.x, avout_int(9), NULL, AVOUT_NONE, 30));
    CHECK_OK(avout__mem_reconnect(p.store));
    TEST_AWAIT(!avout_ref_deref(values, p.x) && avout_value_equal(values[0], avout_int(5)));
    CHECK_INT(5, suite_ref_strict_int(p.far_x));
    pair_close(&p);
}
