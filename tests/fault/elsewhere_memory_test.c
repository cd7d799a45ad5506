/* No memory, at each allocation in turn, on whatever thread it is made: of values in pieces and in other formats, and
 * of what is overwritten in its place. Each call succeeds or answers AVOUT_ENOMEM and changes nothing; nothing is
 * left behind that the collector does not find (I2, I3, I10, F3; H1 to H4 in src/stm/held.h).
 * Test-tags: single */
#include "engine_support.h"
#include "support/no_memory.h"
#include "support/shelf.h"

enum { LIMIT = 5000, SIZE = 9000, TIMES = 2 };

/* ---- in pieces, in EDN and in JSON ---------------------------------------------------------------------------- */

typedef struct pair {
    avout_client *client;
    avout_ref *edn, *json;
    int confirmed;
    no_memory_calls calls;
} pair;

static avout_value text_of(int64_t number)
{
    char text[SIZE + TIMES + 1];
    memset(text, 'x', sizeof text);
    return avout_string_n(text, (size_t)(SIZE + number));
}

static avout_status grow_one(avout_txn *txn, avout_ref *ref)
{
    avout_value value;
    const char *text;
    size_t length;
    avout_status status = avout_txn_deref(&value, txn, ref);
    if (status) return status;
    CHECK_OK(avout_value_to_text(&text, &length, value));
    avout_release(value);
    return avout_ref_set(txn, ref, text_of((int64_t)length + 1 - SIZE));
}

static avout_status grow(avout_txn *txn, void *payload)
{
    const pair *p = payload;
    avout_status status = grow_one(txn, p->edn);
    return status ? status : grow_one(txn, p->json);
}

static avout_status create(avout_ref **ref, pair *p, const char *name, const avout_codec *codec)
{
    return avout_ref_create_coded(ref, p->client, name, codec, text_of(0), NULL);
}

static void pair_close(pair *p)
{
    avout_ref_close(p->edn);
    avout_ref_close(p->json);
    avout_close(p->client);
}

static void check_length(int64_t expected, avout_ref *ref)
{
    avout_value value;
    const char *text;
    size_t length;
    CHECK_OK(avout_ref_deref_strict(&value, ref, 20000));
    CHECK_OK(avout_value_to_text(&text, &length, value));
    CHECK_INT(SIZE + expected, length);
    avout_release(value);
}

static void judge_pair(int confirmed)
{
    pair p = {.client = suite_connect()};
    size_t orphans;
    CHECK_OK(create(&p.edn, &p, "/edn", avout_codec_edn()));
    CHECK_OK(create(&p.json, &p, "/json", avout_codec_json()));
    check_length(confirmed, p.edn);
    check_length(confirmed, p.json);
    for (int i = 0; i < 2; i++) {
        const char *name = i ? "/json" : "/edn";
        CHECK_OK(avout_distributed_collect(&orphans, p.client, name, true, 20000));
        CHECK_OK(avout_distributed_collect(&orphans, p.client, name, true, 20000));
        CHECK_INT(0, orphans);
    }
    check_length(confirmed, p.edn);
    check_length(confirmed, p.json);
    pair_close(&p);
}

static bool play_pair(int64_t succeed, int64_t fail, void *payload)
{
    (void)payload;
    avout_client *witness = suite_connect(); /* keeps the store */
    avout__mem_limits(engine_store(0), LIMIT, 0);
    pair p = {.client = suite_connect()};
    avout_call_options options = {.timeout_ms = 20000};
    no_memory_begin(succeed, fail);
    bool opened = NO_MEMORY_DONE(&p.calls, create(&p.edn, &p, "/edn", avout_codec_edn()));
    opened = NO_MEMORY_DONE(&p.calls, create(&p.json, &p, "/json", avout_codec_json())) && opened;
    for (int i = 0; opened && i < TIMES; i++)
        p.confirmed += NO_MEMORY_DONE(&p.calls, avout_dosync(p.client, grow, &p, &options));
    int64_t happened = no_memory_end();
    if (!happened) CHECK_INT(0, p.calls.refused);
    pair_close(&p);
    judge_pair(p.confirmed);
    suite_close(witness);
    no_memory_check(succeed);
    return happened;
}

TEST_WITHIN(pieces_in_two_formats, 120)
{
    no_memory_sweep(play_pair, NULL, 60);
}

/* ---- in its place ---------------------------------------------------------------------------------------------- */

static avout_status open_shelf(avout_atom **atom, avout_client *client)
{
    avout_container *container;
    CHECK_OK(shelf_open(&container, "shelf"));
    return avout_unversioned_atom(atom, client, "/a", container, avout_int(0), NULL);
}

typedef struct adder {
    avout_atom *atom;
    no_memory_calls *calls;
    _Atomic int *confirmed;
    pthread_t thread;
} adder;

static void *add(void *payload)
{
    adder *a = payload;
    avout_call_options options = {.timeout_ms = 20000};
    for (int i = 0; i < TIMES; i++)
        *a->confirmed += NO_MEMORY_DONE(
            a->calls, avout_swap(a->atom, suite_plus, &suite_one, NULL, NULL, &options));
    return NULL;
}

/* Two threads, whose changes are made together or one after the other. */
static bool play_held(int64_t succeed, int64_t fail, void *payload)
{
    (void)payload;
    enum { ADDERS = 2 };
    no_memory_calls calls = {0};
    _Atomic int confirmed = 0;
    adder adders[ADDERS];
    avout_atom *atom = NULL;
    avout_client *witness = suite_connect(), *client = suite_connect();
    shelf_put("shelf", NULL);
    no_memory_begin(succeed, fail);
    bool opened = NO_MEMORY_DONE(&calls, open_shelf(&atom, client));
    for (int i = 0; opened && i < ADDERS; i++) {
        adders[i] = (adder){.atom = atom, .calls = &calls, .confirmed = &confirmed};
        CHECK(!pthread_create(&adders[i].thread, NULL, add, &adders[i]));
    }
    for (int i = 0; opened && i < ADDERS; i++) pthread_join(adders[i].thread, NULL);
    int64_t happened = no_memory_end();
    if (!happened) CHECK_INT(0, calls.refused);
    avout_atom_close(atom);
    avout_close(client);
    client = suite_connect();
    CHECK_OK(open_shelf(&atom, client));
    CHECK_INT(confirmed, suite_atom_strict_int(atom));
    CHECK_OK(avout_swap(atom, suite_plus, &suite_one, NULL, NULL, NULL));
    CHECK_INT(confirmed + 1, suite_atom_strict_int(atom));
    avout_atom_close(atom);
    avout_close(client);
    suite_close(witness);
    no_memory_check(succeed);
    return happened;
}

TEST_WITHIN(what_is_overwritten_in_its_place, 120)
{
    no_memory_sweep(play_held, NULL, 60);
    shelf_end();
}
