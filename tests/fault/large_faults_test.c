/* Values that do not fit into a node, in bad times: whatever happens to whichever request, a change is
 * there as a whole or not at all, and nothing is left behind that the collector does not find (I1, I2,
 * I3, I10; F1 to F3 in src/stm/foreign.c, src/stm/chunks.c).
 *
 * Test-tags: threads */
#include "engine_support.h"
#include "excuse.h"

enum { LIMIT = 5000, SIZE = 9000, TIMES = 4 };

typedef struct pair {
    avout_client *client;
    avout_ref *number, *text;
} pair;

static size_t length_of(avout_value value)
{
    const char *text;
    size_t length = 0;
    return avout_value_to_text(&text, &length, value) ? 0 : length;
}

static char letters[SIZE + 1000];

/* Letters, because what needs a look for each byte takes the thread sanitizer half of this test's time. */
__attribute__((constructor)) static void fill(void)
{
    memset(letters, 'x', sizeof letters);
}

static avout_value text_of(int64_t number)
{
    return avout_string_n(letters, (size_t)(SIZE + number));
}

static avout_status read_pair(int64_t *number, avout_txn *txn, const pair *p)
{
    avout_value text;
    avout_status status = suite_txn_int(number, txn, p->number);
    if (!status) status = avout_txn_deref(&text, txn, p->text);
    if (status) return status;
    CHECK_INT(SIZE + *number, (int64_t)length_of(text)); /* I4 */
    avout_release(text);
    return AVOUT_OK;
}

static avout_status grow(avout_txn *txn, void *payload)
{
    const pair *p = payload;
    int64_t number;
    avout_status status = read_pair(&number, txn, p);
    if (!status) status = avout_ref_set(txn, p->number, avout_int(number + 1));
    if (!status) status = avout_ref_set(txn, p->text, text_of(number + 1));
    return status;
}

static bool try_open(pair *p)
{
    avout_options options = {.timeout_ms = 20000, .connect_timeout_ms = 20000};
    if (avout_connect(engine_url(), &options, &p->client)) return false;
    for (int i = 0; i < 3 && !p->number; i++)
        (void)avout_ref_create(&p->number, p->client, "/number", avout_int(0), NULL);
    for (int i = 0; i < 3 && !p->text; i++)
        (void)avout_ref_create(&p->text, p->client, "/text", text_of(0), NULL);
    return p->number && p->text;
}

static void pair_close(pair *p)
{
    avout_ref_close(p->number);
    avout_ref_close(p->text);
    avout_close(p->client);
}

/* ---- what there is in the end --------------------------------------------------------------------------- */

/* The nodes of one version and no more. */
static void check_nodes(avout_store *store)
{
    avout__reply places, nodes;
    CHECK_INT(1, (int64_t)raw_list(&places, store, "/avout/chunks"));
    char path[200];
    snprintf(path, sizeof path, "/avout/chunks/%s", places.is.names[0]);
    size_t count = raw_list(&nodes, store, path);
    CHECK(count >= 3);
    size_t heads = 0;
    for (size_t i = 0; i < count; i++) heads += !strchr(nodes.is.names[i], '.');
    CHECK_INT(1, (int64_t)heads);
    size_t length = strcspn(nodes.is.names[0], ".");
    for (size_t i = 1; i < count; i++)
        CHECK(!strncmp(nodes.is.names[0], nodes.is.names[i], length));
    avout__reply_release(&places);
    avout__reply_release(&nodes);
}

/* As a stranger sees it: how often it grew. */
static int64_t judge(avout_store *store)
{
    pair p = {0};
    size_t orphans;
    CHECK(try_open(&p));
    int64_t number = suite_ref_strict_int(p.number);
    avout_value text;
    CHECK_OK(avout_ref_deref_strict(&text, p.text, 20000));
    CHECK_INT(SIZE + number, (int64_t)length_of(text)); /* I2 */
    avout_release(text);
    CHECK_OK(avout_distributed_collect(&orphans, p.client, "/text", true, 20000));
    check_nodes(store);
    CHECK_OK(avout_ref_deref_strict(&text, p.text, 20000));
    CHECK_INT(SIZE + number, (int64_t)length_of(text));
    avout_release(text);
    pair_close(&p);
    return number;
}

/* ---- everything at every place ------------------------------------------------------------------------------ */

static int live(pair *p, pair *other, const excuse *why)
{
    int confirmed = 0;
    for (int i = 0; i < TIMES; i++) {
        pair *who = i % 2 && other->text ? other : p;
        avout_call_options options = {.timeout_ms = 20000};
        confirmed += !EXCUSED(why, avout_dosync(who->client, grow, who, &options));
    }
    return confirmed;
}

/* Whether the fault happened. */
static bool live_with(avout__mem_fault fault, size_t n)
{
    excuse why = excuse_of(&fault);
    why.of_containers = true;
    avout_client *witness = suite_connect();
    avout_store *store = engine_store(0);
    avout__mem_limits(store, LIMIT, 0);
    engine_fault_of_all(fault, n);
    pair p = {0}, other = {0};
    bool opened = try_open(&p);
    if (opened && !try_open(&other)) {
        pair_close(&other);
        other = (pair){0};
    }
    int confirmed = opened ? live(&p, &other, &why) : 0;
    bool happened = !avout__mem_faults_left(store);
    if (other.client) pair_close(&other);
    pair_close(&p);
    engine_calm(1);
    if (opened) CHECK_INT(confirmed, judge(store)); /* I3 */
    avout_close(witness);
    suite_check_memory();
    return happened;
}

TEST_WITHIN(every_request_meets_every_fault, 120)
{
    engine_every_fault(live_with);
}

/* ---- damage ------------------------------------------------------------------------------------------------ */

static avout_status put(avout_store *store, const char *path, const char *bytes)
{
    if (!bytes) return raw_delete(store, path);
    avout_op set = {AVOUT_OP_SET, .path = path, .version = AVOUT_VERSION_ANY, .bytes = bytes};
    return raw_do(store, set);
}

static avout_status look(avout_value *value, pair *reader)
{
    avout_status status =
        reader->text ? AVOUT_OK : avout_ref_open(&reader->text, reader->client, "/text");
    return status ? status : avout_ref_deref(value, reader->text);
}

/* What a stranger's hands have done to the head, or to a piece. */
static void damage(const char *bytes, bool head, avout_status expected, const char *said)
{
    avout_client *witness = suite_connect();
    avout_store *store = engine_store(0);
    avout__mem_limits(store, LIMIT, 0);
    pair p = {0}, reader = {0};
    CHECK(try_open(&p));
    avout__reply places, nodes;
    char path[300] = "/avout/chunks";
    raw_list(&places, store, path);
    snprintf(path, sizeof path, "/avout/chunks/%s", places.is.names[0]);
    size_t count = raw_list(&nodes, store, path);
    for (size_t i = 0; i < count; i++) {
        if (head != !strchr(nodes.is.names[i], '.')) continue;
        snprintf(path, sizeof path, "/avout/chunks/%s/%s", places.is.names[0], nodes.is.names[i]);
        CHECK_OK(put(store, path, bytes));
        break;
    }
    avout__reply_release(&places);
    avout__reply_release(&nodes);
    reader.client = suite_connect_with(&(avout_options){.timeout_ms = 300});
    avout_value value;
    avout_status status;
    /* What is missing is looked for until the deadline: the last look may not be answered before that. */
    TEST_AWAIT((status = look(&value, &reader)) != AVOUT_ETIMEOUT);
    CHECK_STATUS(expected, status);
    CHECK_CONTAINS(said, avout_error_detail());
    CHECK_CONTAINS("/text", avout_error_detail());
    /* Who has it in memory can write it anew. */
    CHECK_OK(avout_dosync(p.client, grow, &p, NULL));
    if (!reader.text) CHECK_OK(avout_ref_open(&reader.text, reader.client, "/text"));
    CHECK_OK(avout_ref_deref_strict(&value, reader.text, 20000));
    CHECK_INT(SIZE + 1, (int64_t)length_of(value));
    avout_release(value);
    avout_ref_close(reader.text);
    avout_close(reader.client);
    pair_close(&p);
    avout_close(witness);
    suite_check_memory();
}

TEST(damage_is_reported_and_can_be_written_over)
{
    static const char *const heads[] = {"",
                                        "hello",
                                        "{:chunks 3}",
                                        "{:chunks -3, :bytes 9002}",
                                        "{:chunks 03, :bytes 9002}",
                                        "{:chunks 99999999999999999999, :bytes 1}",
                                        "{:chunks 200000, :bytes 9002}"};
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++)
        damage(heads[i], true, AVOUT_EDATA, "is not what this library writes there");
    damage("{:chunks 1, :bytes 9002}", true, AVOUT_EDATA, "bytes are there of 9002");
    damage("short", false, AVOUT_EDATA, "bytes are there of 9002");
    damage(NULL, true, AVOUT_EIO, "though the store's pointer names it");
    damage(NULL, false, AVOUT_EIO, "though the store's pointer names it");
}

/* An orphan's name may be the beginning of that of the version that counts. */
TEST(a_version_is_collected_and_no_other_whose_name_begins_with_its_own)
{
    avout_client *other = suite_connect();
    avout_store *store = engine_store(0);
    avout_ref *ref, *seen;
    avout_value value;
    avout__reply names;
    size_t orphans;
    char home[RAW_PATH], orphan[RAW_PATH + 64];
    avout__mem_limits(store, LIMIT, 0);
    avout_client *client = suite_connect(); /* it knows of that limit */
    CHECK_OK(avout_ref_create(&ref, client, "/text", text_of(0), NULL));
    raw_child(home, store, "/avout/chunks", RAW_ONLY);
    CHECK_INT(4, raw_list(&names, store, home)); /* three pieces, and what tells of them */
    const char *name = names.is.names[0];
    snprintf(orphan, sizeof orphan, "%s/%.*s", home, (int)strcspn(name, ".") - 1, name);
    avout__reply_release(&names);
    CHECK_OK(raw_do(store, (avout_op){.kind = AVOUT_OP_CREATE, .path = orphan}));
    CHECK_OK(avout_distributed_collect(&orphans, client, "/text", true, 20000));
    CHECK_INT(1, (int64_t)orphans);
    CHECK_INT(4, raw_children(store, home));
    CHECK_OK(avout_ref_open(&seen, other, "/text"));
    CHECK_OK(avout_ref_deref(&value, seen));
    CHECK_INT(SIZE, (int64_t)length_of(value));
    avout_release(value);
    avout_ref_close(ref);
    avout_ref_close(seen);
    suite_close(client);
    suite_close(other);
    suite_check_memory();
}

TEST(a_value_of_too_many_pieces_is_refused)
{
    enum { SMALL = 800, PIECES = 100000 };
    avout_client *other = suite_connect();
    avout_atom *atom;
    size_t length = (size_t)PIECES * SMALL / 2 + 1;
    char *text = malloc(length);
    CHECK(text);
    memset(text, 'x', length);
    avout__mem_limits(engine_store(0), SMALL, 0);
    avout_client *client = suite_connect(); /* it knows of that limit */
    CHECK_OK(avout_atom_create(&atom, client, "/text", avout_nil(), NULL));
    CHECK_STATUS(AVOUT_ELIMIT, avout_reset(atom, avout_string_n(text, length), NULL));
    CHECK_CONTAINS("bytes, the limit is", avout_error_detail());
    free(text);
    avout_atom_close(atom);
    suite_close(client);
    suite_close(other);
    suite_check_memory();
}
