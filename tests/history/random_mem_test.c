/* Random transactions of several clients and threads under random faults; the history they leave is
 * checked for strict serializability. AVOUT_TEST_SEED repeats a run.
 *
 * Every write's value is [number-of-the-writer number-it-read padding]: unique, and it names the version it
 * replaced. So the versions of each ref form one chain from the value now back to the first. A
 * transaction that is not known to be committed (AVOUT_UNKNOWN) is, if the chain has its writes. From
 * the chains follows the order any serial execution must have:
 *
 *     ww  a version's writer is before that of the next
 *     wr  a version's writer is before its readers
 *     rw  a version's readers are before the writer of the next
 *     rt  who had ended before another began is before it (update and strict transactions)
 *
 * and it exists if there is no circle (Adya, 1999). Reads that send nothing need not be fresh: they have
 * no rt, but each is one cut, and for one client they never go back (I5, I6).
 * Test-tags: threads */
#include <pthread.h>
#include <sched.h>

#include "base/clock.h"
#include "support/suite.h"
#include "support/trouble.h"

enum { LIMIT = 5000, SIZE = 6000 };
enum { REFS = 4, CLIENTS = 3, THREADS = 2, TIMES = 150, MOST = CLIENTS * THREADS * TIMES + 1 };

/* What one transaction did; number 0 made the refs. */
typedef struct record {
    int number, client;
    bool known, writes_something, fresh; /* fresh: has a place in real time */
    bool read[REFS], wrote[REFS];
    int seen[REFS]; /* writer of the version read (or replaced) */
    int64_t begin_ns, end_ns;
    int64_t next[REFS]; /* checking: writer of the version after this one's; 0: none */
    int place[REFS];    /* checking: how many versions are before this one's */
    bool committed;
} record;

typedef struct member {
    avout_client *client;
    avout_ref *refs[REFS];
    uint64_t random;
    int index, first, count;
} member;

static record records[MOST];

static const char *url(void)
{
    return "mem:random";
}

__attribute__((constructor)) static void use(void)
{
    suite_use(url);
}

/* Then every other version does not fit into its node. */
static bool large;

static char padding[SIZE];

static avout_value version(int writer, int replaced)
{
    size_t size = large && writer % 2 ? SIZE : 0;
    return avout_vector(
        3, (avout_value[]){avout_int(writer), avout_int(replaced), avout_string_n(padding, size)});
}

static int number_at(avout_value pair, int place)
{
    int64_t number;
    CHECK_OK(avout_value_to_int(&number, avout_value_nth(pair, (size_t)place)));
    return (int)number;
}

/* ---- running -------------------------------------------------------------------------------- */

typedef struct plan {
    member *me;
    record *record;
    uint8_t action[REFS];
    int pause;
} plan;

enum { NOTHING, READ, WRITE, CHANGE };

static avout_status change(avout_value *value, void *payload)
{
    plan *p = payload;
    int seen = number_at(*value, 0);
    avout_release(*value);
    *value = version(p->record->number, seen);
    return avout_is_none(*value) ? avout_none_status() : AVOUT_OK;
}

static avout_status one_ref(avout_txn *txn, plan *p, int i)
{
    avout_value value;
    avout_status status = avout_txn_deref(&value, txn, p->me->refs[i]);
    if (status) return status;
    int seen = number_at(value, 0);
    avout_release(value);
    p->record->seen[i] = seen;
    p->record->read[i] = true;
    if (p->action[i] == READ) return AVOUT_OK;
    p->record->wrote[i] = true;
    if (p->action[i] == CHANGE) return avout_alter(txn, p->me->refs[i], change, p);
    return avout_ref_set(txn, p->me->refs[i], version(p->record->number, seen));
}

static avout_status body(avout_txn *txn, void *payload)
{
    plan *p = payload;
    for (int i = 0; i < REFS; i++) p->record->read[i] = p->record->wrote[i] = false;
    for (int i = 0; i < REFS; i++) {
        avout_status status = p->action[i] ? one_ref(txn, p, i) : AVOUT_OK;
        if (status) return status;
        for (int n = 0; n < p->pause; n++) sched_yield();
    }
    return AVOUT_OK;
}

static void transact(member *me, record *r)
{
    plan p = {.me = me, .record = r, .pause = (int)trouble_draw(&me->random, 3)};
    bool strict = trouble_draw(&me->random, 8) == 0;
    for (int i = 0; i < REFS; i++) {
        uint64_t dice = trouble_draw(&me->random, 8);
        p.action[i] = dice < 3 ? NOTHING : dice < 5 ? READ : dice < 7 ? WRITE : CHANGE;
        r->writes_something = r->writes_something || p.action[i] > READ;
    }
    avout_call_options options = {.strict = strict,
                                  .timeout_ms = trouble_draw(&me->random, 10) ? 20000 : 5};
    r->client = me->index;
    r->begin_ns = avout__now_ns();
    avout_status status = avout_dosync(me->client, body, &p, &options);
    r->end_ns = avout__now_ns();
    r->fresh = r->writes_something || strict;
    r->known = status == AVOUT_OK;
    if (status == AVOUT_UNKNOWN) {
        CHECK(options.timeout_ms == 5 && r->end_ns - r->begin_ns >= 5000000);
    } else if (status == AVOUT_ETIMEOUT) {
        CHECK(options.timeout_ms == 5);
        r->number = -1; /* no effect: must be in no chain */
    } else {
        CHECK_OK(status);
    }
}

static void *live(void *payload)
{
    member *me = payload;
    for (int i = 0; i < me->count; i++) transact(me, &records[me->first + i]);
    return NULL;
}

/* ---- checking ------------------------------------------------------------------------------- */

static uint64_t seed;

#define WRONG(...)                                                                                 \
    do {                                                                                           \
        fprintf(stderr, "# AVOUT_TEST_SEED=%" PRIu64 "\n", seed);                                  \
        test_failed(__FILE__, __LINE__, __VA_ARGS__);                                              \
    } while (0)

/* The chain of a ref from its last version back; checks that each is there once. The versions between
 * are known from what their writers say they replaced. */
static void follow_chain(int ref, int last)
{
    int64_t after = 0;
    int length = 0;
    for (int at = last;; length++) {
        record *r = &records[at];
        if (r->number != at) WRONG("ref %d: has a version of %d, which had no effect", ref, at);
        if (at && !r->wrote[ref]) WRONG("ref %d: has a version of %d, which wrote none", ref, at);
        if (length > MOST) WRONG("ref %d: the versions go round in a circle", ref);
        r->next[ref] = after;
        r->committed = true;
        if (!at) break;
        after = at;
        at = r->seen[ref];
    }
    for (int at = last; at; at = records[at].seen[ref]) records[at].place[ref] = length--;
}

static void check_effects(member *some)
{
    int last[REFS];
    for (int i = 0; i < REFS; i++) {
        avout_value value;
        CHECK_OK(avout_ref_deref_strict(&value, some->refs[i], 20000));
        last[i] = number_at(value, 0);
        avout_release(value);
        follow_chain(i, last[i]);
    }
    for (int n = 1; n < MOST; n++) {
        record *r = &records[n];
        if (r->number < 0) continue;
        if (r->known && !r->writes_something) r->committed = true;
        for (int i = 0; i < REFS; i++) {
            bool there = r->next[i] || last[i] == n;
            if (r->wrote[i] && r->committed && !there)
                WRONG("%d is half done: ref %d has no version of it", n, i);
            if (r->wrote[i] && r->known && !there)
                WRONG("%d was confirmed and is lost (ref %d)", n, i);
            if (r->read[i] && r->committed && records[r->seen[i]].number < 0)
                WRONG("%d has read ref %d of %d, which had no effect", n, i, r->seen[i]);
        }
    }
}

static bool before[MOST][MOST];

static void order_by_versions(int n)
{
    record *r = &records[n];
    for (int i = 0; i < REFS; i++) {
        if (r->wrote[i] && r->next[i]) before[n][r->next[i]] = true;
        if (!r->read[i] || !r->committed) continue;
        int64_t next = records[r->seen[i]].next[i];
        if (!records[r->seen[i]].committed)
            WRONG("%d has read of %d: not committed", n, r->seen[i]);
        if (r->seen[i] != n) before[r->seen[i]][n] = true;
        if (next && next != n) before[n][next] = true;
    }
}

static uint8_t mark[MOST]; /* 1: on the way, 2: done */

static void visit(int n)
{
    mark[n] = 1;
    for (int m = 0; m < MOST; m++) {
        if (!before[n][m] || mark[m] == 2) continue;
        if (mark[m] == 1) WRONG("no serial order: %d before %d and the other way round", n, m);
        visit(m);
    }
    mark[n] = 2;
}

static void check_order(void)
{
    for (int n = 0; n < MOST; n++)
        if (records[n].committed) order_by_versions(n);
    for (int n = 0; n < MOST; n++)
        for (int m = 0; m < MOST; m++)
            if (records[n].committed && records[m].committed && records[n].known &&
                records[n].fresh && records[m].fresh && records[n].end_ns < records[m].begin_ns)
                before[n][m] = true;
    for (int n = 0; n < MOST; n++)
        if (records[n].committed && !mark[n]) visit(n);
}

static void check_client(int client)
{
    for (int n = 1; n < MOST; n++)
        for (int m = 1; m < MOST; m++) {
            const record *first = &records[n], *then = &records[m];
            if (first->client != client || then->client != client) continue;
            if (!first->committed || !then->committed || first->end_ns >= then->begin_ns) continue;
            if (!first->known) continue;
            for (int i = 0; i < REFS; i++)
                if (first->read[i] && then->read[i] &&
                    records[then->seen[i]].place[i] < records[first->seen[i]].place[i])
                    WRONG("client %d: ref %d went back between %d and %d", client, i, n, m);
        }
}

/* ---- the test ------------------------------------------------------------------------------- */

static void open_all(member *members)
{
    avout_client *clients[CLIENTS];
    for (int i = 0; i < CLIENTS; i++) clients[i] = suite_connect();
    for (int i = 0; i < CLIENTS * THREADS; i++) {
        member *me = &members[i];
        *me = (member){.client = clients[i % CLIENTS], .index = i % CLIENTS};
        me->random = seed * 1000003 + (uint64_t)i * 7919 + 1;
        me->first = 1 + i * TIMES;
        me->count = TIMES;
        for (int r = 0; r < REFS; r++) {
            char name[16];
            snprintf(name, sizeof name, "/r%d", r);
            const avout_codec *codec = r % 2 ? avout_codec_json() : avout_codec_edn();
            CHECK_OK(
                avout_ref_create_coded(&me->refs[r], me->client, name, codec, version(0, 0), NULL));
        }
    }
}

static void close_all(member *members)
{
    for (int i = 0; i < CLIENTS * THREADS; i++)
        for (int r = 0; r < REFS; r++) avout_ref_close(members[i].refs[r]);
    for (int i = 0; i < CLIENTS; i++) suite_close(members[i].client);
    if (!large) suite_check_memory(); /* else a witness is left */
}

static void one_history(bool troubled)
{
    static const avout__mem_fault_kind kinds[] = {
        AVOUT__MEM_DELAY,        AVOUT__MEM_DELAY,         AVOUT__MEM_LOSE_BEFORE,
        AVOUT__MEM_LOSE_AFTER,   AVOUT__MEM_LOSE_LATE,     AVOUT__MEM_LOSE_LATE,
        AVOUT__MEM_EXPIRE_AFTER, AVOUT__MEM_EXPIRE_BEFORE, AVOUT__MEM_FAIL};
    member members[CLIENTS * THREADS];
    pthread_t threads[CLIENTS * THREADS];
    seed = trouble_seed();
    trouble faults = {.store = "random",
                      .clients = CLIENTS,
                      .kinds = kinds,
                      .kind_count = sizeof kinds / sizeof *kinds,
                      .random = seed * 2 + 1};
    if (large) faults.kind_count--; /* what staging is refused with is no conflict */
    for (int n = 0; n < MOST; n++) records[n].number = n;
    records[0].committed = records[0].known = true;
    open_all(members);
    if (troubled) trouble_start(&faults);
    for (int i = 0; i < CLIENTS * THREADS; i++)
        CHECK(!pthread_create(&threads[i], NULL, live, &members[i]));
    for (int i = 0; i < CLIENTS * THREADS; i++) pthread_join(threads[i], NULL);
    if (troubled) trouble_end(&faults);
    check_effects(&members[0]);
    check_order();
    for (int i = 0; i < CLIENTS; i++) check_client(i);
    int unknown = 0, nothing = 0;
    for (int n = 1; n < MOST; n++) {
        unknown += !records[n].known && records[n].number > 0;
        nothing += records[n].number < 0;
    }
    fprintf(stderr, "# %d transactions, %d unknown, %d without effect\n", MOST - 1, unknown,
            nothing);
    close_all(members);
}

TEST_WITHIN(a_quiet_history, 120)
{
    one_history(false);
}

TEST_WITHIN(a_troubled_history, 120)
{
    one_history(true);
}

TEST_WITHIN(another_troubled_history, 120)
{
    one_history(true);
}

TEST_WITHIN(one_more_troubled_history, 120)
{
    one_history(true);
}

static void one_history_of_large_values(bool troubled)
{
    avout_client *witness = suite_connect();
    large = true;
    memset(padding, 'x', sizeof padding);
    avout__mem_limits(avout__mem_handle("random", 0), LIMIT, 0);
    one_history(troubled);
    suite_close(witness);
    suite_check_memory();
}

TEST_WITHIN(a_quiet_history_of_large_values, 120)
{
    one_history_of_large_values(false);
}

TEST_WITHIN(a_troubled_history_of_large_values, 120)
{
    one_history_of_large_values(true);
}
