/* Random changes of one atom in an unversioned container, by several clients and threads, under random faults of
 * the store and of the container, which checks tokens; with deadlines and interruptions of all lengths. The
 * history they leave is checked: each change that was confirmed is there once, none that had no effect is, in an
 * order that agrees with real time; reads are of that order, go back for no client, and strict ones are fresh (I3,
 * I5, I6, I8; H1 to H4 in src/stm/held.h). AVOUT_TEST_SEED repeats a run.
 *
 * Every value is [number-of-the-writer number-it-replaced]: so the versions form one chain from the last one back.
 *
 * Test-tags: threads */
#include <pthread.h>

#include "base/clock.h"
#include "base/interrupt.h"
#include "support/await.h"
#include "support/shelf.h"
#include "support/suite.h"
#include "support/trouble.h"

enum { CLIENTS = 3, THREADS = 3, MEMBERS = CLIENTS * THREADS, TIMES = 60 };
enum { MOST = MEMBERS * TIMES + 1 };

typedef enum fate { READ, CONFIRMED, UNKNOWN, NOTHING } fate;

typedef struct record {
    int client;
    fate fate;
    bool strict;
    int seen;  /* the writer of what was read, or replaced; -1: nothing was read */
    int place; /* checking: in the chain, from 1; 0: not there */
    int64_t begin_ns, end_ns;
} record;

typedef struct member {
    avout_client *client;
    avout_atom *atom;
    avout__interrupts source;
    uint64_t random;
    int index, first;
    pthread_t thread;
} member;

static record records[MOST];
static member members[MEMBERS];
static uint64_t seed;
static _Atomic bool over;

static const char *url(void)
{
    return "mem:random-unversioned";
}

__attribute__((constructor)) static void use(void)
{
    suite_use(url);
}

#define WRONG(...)                                                                                 \
    do {                                                                                           \
        fprintf(stderr, "# AVOUT_TEST_SEED=%" PRIu64 "\n", seed);                                  \
        test_failed(__FILE__, __LINE__, __VA_ARGS__);                                              \
    } while (0)

static int writer_of(avout_value value)
{
    int64_t number;
    CHECK_OK(avout_value_to_int(&number, avout_value_nth(value, 0)));
    return (int)number;
}

static avout_value version(int writer, int replaced)
{
    return avout_vector(2, (avout_value[]){avout_int(writer), avout_int(replaced)});
}

/* ---- running -------------------------------------------------------------------------------- */

typedef struct plan {
    record *record;
    int number;
    uint64_t pause_ms;
} plan;

static avout_status change(avout_value *value, void *payload)
{
    const plan *p = payload;
    if (p->pause_ms) test_pause_ms((int)p->pause_ms);
    p->record->seen = writer_of(*value);
    return avout_put(value, version(p->number, p->record->seen));
}

/* What may come of it, by its deadline and the faults. */
static fate fate_of(avout_status status)
{
    switch (status) {
    case AVOUT_OK: return CONFIRMED;
    case AVOUT_UNKNOWN: return UNKNOWN;
    case AVOUT_ETIMEOUT:
    case AVOUT_ECANCELLED:
    case AVOUT_EIO: return NOTHING;
    default: WRONG("%s (%s)", avout_status_name(status), avout_error_detail());
    }
}

static void change_it(member *me, record *r, int number)
{
    plan p = {.record = r, .number = number};
    if (!trouble_draw(&me->random, 8)) p.pause_ms = 1 + trouble_draw(&me->random, 20);
    avout_call_options options = {.timeout_ms = trouble_draw(&me->random, 4)
                                                    ? 20000
                                                    : 1 + (int64_t)trouble_draw(&me->random, 40)};
    avout__interrupt_use(avout__interruptible_by(&me->source));
    avout_status status = avout_swap(me->atom, change, &p, NULL, NULL, &options);
    avout__interrupt_use((avout__interruptible){0});
    r->fate = fate_of(status);
}

static void read_it(member *me, record *r)
{
    avout_value value;
    r->strict = !trouble_draw(&me->random, 3);
    avout_status status = r->strict ? avout_atom_deref_strict(&value, me->atom, 20000)
                                    : avout_atom_deref_within(&value, me->atom, 20000);
    r->seen = -1;
    if (status) {
        CHECK_STATUS(AVOUT_EIO, status);
        return;
    }
    r->seen = writer_of(value);
    avout_release(value);
}

static void *live(void *payload)
{
    member *me = payload;
    for (int i = 0; i < TIMES; i++) {
        record *r = &records[me->first + i];
        *r = (record){.client = me->index % CLIENTS};
        r->begin_ns = avout__now_ns();
        if (trouble_draw(&me->random, 3)) change_it(me, r, me->first + i);
        else read_it(me, r);
        r->end_ns = avout__now_ns();
    }
    return NULL;
}

static void *disturb(void *payload)
{
    static const avout_status answers[] = {AVOUT_UNKNOWN, AVOUT_UNKNOWN, AVOUT_EIO, AVOUT_OK};
    uint64_t *random = payload;
    while (!atomic_load(&over)) {
        shelf_fault fault = {.call = trouble_draw(random, 4) ? SHELF_SET : SHELF_GET,
                             .nth = 1 + (int)trouble_draw(random, 3),
                             .status = answers[trouble_draw(random, 4)]};
        fault.delay_ms = (int64_t)trouble_draw(random, 10);
        if (fault.call == SHELF_GET && fault.status) fault.status = AVOUT_EIO;
        fault.after = fault.status == AVOUT_UNKNOWN && trouble_draw(random, 2);
        fault.lasting = fault.status == AVOUT_UNKNOWN && !trouble_draw(random, 4);
        shelf_break("shelf", fault);
        if (!trouble_draw(random, 4))
            avout__interrupt(&members[trouble_draw(random, MEMBERS)].source);
        test_pause_ms(1 + (int)trouble_draw(random, 20));
        if (fault.lasting) shelf_mend("shelf");
    }
    shelf_mend("shelf");
    return NULL;
}

/* ---- checking ------------------------------------------------------------------------------- */

static int follow_chain(int last)
{
    int length = 0;
    for (int at = last; at; at = records[at].seen) {
        if (at < 0 || at >= MOST || length++ > MOST) WRONG("the versions go round in a circle");
        if (records[at].fate == NOTHING) WRONG("%d had no effect, and is there", at);
        if (records[at].fate == READ) WRONG("%d has only read", at);
    }
    int place = length + 1;
    for (int at = last; at; at = records[at].seen) {
        if (records[at].place) WRONG("%d is there twice", at);
        records[at].place = place--;
    }
    records[0].place = 1;
    for (int n = 1; n < MOST; n++)
        if (records[n].fate == CONFIRMED && !records[n].place) WRONG("%d is lost", n);
    return length;
}

/* In which state of the chain it took place. 0: it has read what somebody wrote who had lost the lock, which was
 * overwritten (H3) and not confirmed to him. */
static int place_of(const record *r)
{
    return r->fate == READ ? records[r->seen].place : r->place;
}

static void check_pair(int n, int m)
{
    const record *first = &records[n], *then = &records[m];
    if (first->end_ns >= then->begin_ns || !place_of(first) || !place_of(then)) return;
    bool ordered = first->fate == CONFIRMED && (then->fate != READ || then->strict);
    bool own = first->client == then->client && first->fate != UNKNOWN && then->fate != UNKNOWN;
    if ((ordered || own) && place_of(first) > place_of(then))
        WRONG("%d was over before %d began, and comes after it", n, m);
}

static void check_order(void)
{
    for (int n = 1; n < MOST; n++) {
        record *r = &records[n];
        if (r->fate != READ) continue;
        if (r->seen < 0) r->fate = NOTHING;
        else if (!records[r->seen].place && records[r->seen].fate != UNKNOWN)
            WRONG("%d has read %d, which is not there", n, r->seen);
    }
    for (int n = 1; n < MOST; n++)
        for (int m = 1; m < MOST; m++)
            if (records[n].fate != NOTHING && records[m].fate != NOTHING) check_pair(n, m);
}

/* ---- the test ------------------------------------------------------------------------------- */

static avout_atom *open_atom(avout_client *client)
{
    avout_container *container;
    avout_atom *atom;
    CHECK_OK(shelf_open(&container, "shelf"));
    CHECK_OK(avout_unversioned_atom(&atom, client, "/a", container, version(0, 0), NULL));
    return atom;
}

static void one_history(bool troubled)
{
    static const avout__mem_fault_kind kinds[] = {
        AVOUT__MEM_DELAY,        AVOUT__MEM_DELAY,        AVOUT__MEM_LOSE_BEFORE,
        AVOUT__MEM_LOSE_AFTER,   AVOUT__MEM_LOSE_LATE,    AVOUT__MEM_LOSE_LATE,
        AVOUT__MEM_EXPIRE_AFTER, AVOUT__MEM_EXPIRE_BEFORE};
    seed = trouble_seed();
    uint64_t random = seed * 3 + 1;
    pthread_t disturbing;
    trouble faults = {.store = "random-unversioned",
                      .clients = CLIENTS,
                      .kinds = kinds,
                      .kind_count = sizeof kinds / sizeof *kinds,
                      .random = seed * 2 + 1};
    shelf_checks_tokens("shelf");
    for (int i = 0; i < MEMBERS; i++) {
        member *me = &members[i];
        me->client = i < CLIENTS ? suite_connect() : members[i % CLIENTS].client;
        me->atom = open_atom(me->client);
        me->index = i;
        me->first = 1 + i * TIMES;
        me->random = seed * 1000003 + (uint64_t)i * 7919 + 1;
        avout__interrupts_init(&me->source);
    }
    if (troubled) {
        trouble_start(&faults);
        CHECK(!pthread_create(&disturbing, NULL, disturb, &random));
    }
    for (int i = 0; i < MEMBERS; i++)
        CHECK(!pthread_create(&members[i].thread, NULL, live, &members[i]));
    for (int i = 0; i < MEMBERS; i++) pthread_join(members[i].thread, NULL);
    atomic_store(&over, true);
    if (troubled) {
        trouble_end(&faults);
        pthread_join(disturbing, NULL);
    }
    avout_value value;
    CHECK_OK(avout_atom_deref_strict(&value, members[0].atom, 20000));
    int length = follow_chain(writer_of(value));
    avout_release(value);
    check_order();
    int counts[4] = {0};
    for (int n = 1; n < MOST; n++) counts[records[n].fate]++;
    fprintf(stderr, "# %d changes: %d confirmed, %d unknown, %d without effect; %d reads\n", length,
            counts[CONFIRMED], counts[UNKNOWN], counts[NOTHING], counts[READ]);
    for (int i = 0; i < MEMBERS; i++) avout_atom_close(members[i].atom);
    for (int i = 0; i < CLIENTS; i++) suite_close(members[i].client);
    suite_check_memory();
    shelf_end();
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
