/* Changes of an atom in an unversioned container that are made together have each a time of their own: whose
 * is over is told so, and the others go on (I3, I12; H4 in src/stm/held.h).
 *
 * Test-tags: threads waits */
#include "base/interrupt.h"
#include "engine_support.h"
#include "support/shelf.h"

typedef struct caller {
    avout_atom *atom;
    int64_t timeout_ms;
    avout_change_fn change; /* NULL: plus one */
    avout__interrupts *source;
    _Atomic int task;
    _Atomic bool over;
    avout_status status;
    pthread_t thread;
} caller;

static _Atomic bool inside, may_leave;

static avout_status until_told(avout_value *value, void *payload)
{
    atomic_store(&inside, true);
    TEST_AWAIT(atomic_load(&may_leave));
    return suite_plus(value, payload);
}

static void *call(void *payload)
{
    caller *c = payload;
    c->task = test_task();
    if (c->source) avout__interrupt_use(avout__interruptible_by(c->source));
    c->status = avout_swap(c->atom, c->change ? c->change : suite_plus, &suite_one, NULL, NULL,
                           &(avout_call_options){.timeout_ms = c->timeout_ms});
    atomic_store(&c->over, true);
    c->task = -1;
    return NULL;
}

static void start(caller *c)
{
    CHECK(!pthread_create(&c->thread, NULL, call, c));
}

/* They queue in this order. */
static void start_next(caller *c)
{
    start(c);
    test_await_asleep(&c->task);
}

static void finish(caller *c)
{
    pthread_join(c->thread, NULL);
}

static avout_client *open_one(avout_atom **atom)
{
    avout_client *client = suite_connect();
    avout_container *container;
    CHECK_OK(shelf_open(&container, "shelf"));
    CHECK_OK(avout_unversioned_atom(atom, client, "/a", container, avout_int(0), NULL));
    atomic_store(&inside, false);
    atomic_store(&may_leave, false);
    return client;
}

static void close_one(avout_client *client, avout_atom *atom, int64_t expected)
{
    CHECK_INT(expected, suite_atom_strict_int(atom));
    avout_atom_close(atom);
    suite_close(client);
    suite_check_memory();
    shelf_end();
}

/* The first keeps the lock until the others are all in the queue; the next round is theirs. */
static void start_behind(caller *first, caller *others, int count)
{
    start(first);
    TEST_AWAIT(atomic_load(&inside));
    for (int i = 0; i < count; i++) start_next(&others[i]);
}

/* On a machine that is busy its time may be over before its function has run. */
static int64_t may_count(const caller *c)
{
    if (c->status != AVOUT_ETIMEOUT) CHECK_STATUS(AVOUT_UNKNOWN, c->status);
    return c->status == AVOUT_UNKNOWN;
}

TEST(a_container_that_does_not_answer_is_unknown_to_whose_time_is_over)
{
    avout_atom *atom;
    avout_client *client = open_one(&atom);
    caller first = {.atom = atom, .timeout_ms = 20000, .change = until_told};
    caller others[] = {{.atom = atom, .timeout_ms = 20000}, {.atom = atom, .timeout_ms = 400}};
    start_behind(&first, others, 2);
    shelf_break(
        "shelf",
        (shelf_fault){
            .call = SHELF_SET, .nth = 2, .status = AVOUT_UNKNOWN, .after = true, .lasting = true});
    atomic_store(&may_leave, true);
    finish(&first);
    finish(&others[1]);
    CHECK_OK(first.status);
    int64_t counts = may_count(&others[1]);
    test_await_asleep(&others[0].task);
    CHECK(!atomic_load(&others[0].over));
    shelf_mend("shelf");
    finish(&others[0]);
    CHECK_OK(others[0].status);
    close_one(client, atom, 2 + counts);
}

/* Whichever request of theirs it is that takes long. */
TEST(a_store_that_does_not_answer_costs_only_whose_time_is_over)
{
    for (uint64_t nth = 1; nth <= 6; nth++) {
        avout_atom *atom;
        avout_client *client = open_one(&atom);
        caller first = {.atom = atom, .timeout_ms = 20000, .change = until_told};
        caller others[] = {{.atom = atom, .timeout_ms = 20000}, {.atom = atom, .timeout_ms = 200}};
        start_behind(&first, others, 2);
        engine_fault(engine_store(0),
                     (avout__mem_fault){
                         .kind = AVOUT__MEM_DELAY, .nth = nth, .multis = true, .delay_ms = 400});
        atomic_store(&may_leave, true);
        finish(&first);
        finish(&others[0]);
        finish(&others[1]);
        CHECK_OK(first.status);
        CHECK_OK(others[0].status);
        avout_status late = others[1].status;
        CHECK(late == AVOUT_OK || late == AVOUT_ETIMEOUT || late == AVOUT_UNKNOWN);
        avout__mem_faults_clear(engine_store(0));
        int64_t expected = late == AVOUT_ETIMEOUT ? 2 : 3;
        close_one(client, atom, expected);
    }
}

TEST(a_value_that_is_not_to_be_read_costs_only_whose_time_is_over)
{
    avout_atom *atom;
    avout_client *client = open_one(&atom);
    caller first = {.atom = atom, .timeout_ms = 20000, .change = until_told};
    caller others[] = {{.atom = atom, .timeout_ms = 20000}, {.atom = atom, .timeout_ms = 200}};
    start_behind(&first, others, 2);
    avout_client *other = suite_connect();
    /* What the first has written stays unknown: the next must read. */
    shelf_break("shelf",
                (shelf_fault){.call = SHELF_GET, .delay_ms = 400, .status = AVOUT_ETIMEOUT});
    avout__mem_fault lost = {.kind = AVOUT__MEM_FAIL, .status = AVOUT_EIO, .multis = true};
    lost.nth = 1;
    engine_fault(engine_store(0), lost);
    atomic_store(&may_leave, true);
    finish(&first);
    finish(&others[0]);
    finish(&others[1]);
    CHECK_STATUS(AVOUT_UNKNOWN, first.status);
    CHECK_OK(others[0].status);
    CHECK_STATUS(AVOUT_ETIMEOUT, others[1].status);
    avout_close(other);
    close_one(client, atom, 2);
}

TEST(a_function_that_takes_long_keeps_nobody_beyond_his_time)
{
    avout_atom *atom;
    avout_client *client = open_one(&atom);
    caller first = {.atom = atom, .timeout_ms = 20000};
    caller others[] = {{.atom = atom, .timeout_ms = 20000, .change = until_told},
                       {.atom = atom, .timeout_ms = 300},
                       {.atom = atom, .timeout_ms = 20000}};
    shelf_break("shelf", (shelf_fault){.call = SHELF_SET, .delay_ms = 150});
    start_next(&first);
    for (int i = 0; i < 3; i++) start_next(&others[i]);
    TEST_AWAIT(atomic_load(&inside));
    TEST_AWAIT(atomic_load(&others[1].over));
    CHECK_STATUS(AVOUT_ETIMEOUT, others[1].status);
    CHECK(!atomic_load(&others[2].over));
    atomic_store(&may_leave, true);
    finish(&first);
    for (int i = 0; i < 3; i++) finish(&others[i]);
    CHECK_OK(others[0].status);
    CHECK_OK(others[2].status);
    close_one(client, atom, 3);
}

/* Also when it is the one whose thread does the work, and whatever it is doing: how its own ends it does not
 * find out when the container has been written. */
TEST(an_interruption_is_of_one_caller_alone)
{
    int cancelled = 0, unknown = 0;
    for (uint64_t nth = 4; nth <= 5; nth++) {
        avout__interrupts source;
        avout__interrupts_init(&source);
        avout_atom *atom;
        avout_client *client = open_one(&atom);
        caller first = {.atom = atom, .timeout_ms = 20000, .change = until_told};
        caller others[] = {{.atom = atom, .timeout_ms = 20000, .source = &source},
                           {.atom = atom, .timeout_ms = 20000}};
        start_behind(&first, others, 2);
        engine_fault(engine_store(0),
                     (avout__mem_fault){
                         .kind = AVOUT__MEM_DELAY, .nth = nth, .multis = true, .delay_ms = 1200});
        atomic_store(&may_leave, true);
        TEST_AWAIT(!avout__mem_faults_left(engine_store(0))); /* the delay has begun */
        avout__interrupt(&source);
        finish(&first);
        finish(&others[0]);
        finish(&others[1]);
        CHECK_OK(first.status);
        unknown += others[0].status == AVOUT_UNKNOWN;
        cancelled += others[0].status == AVOUT_ECANCELLED;
        if (others[0].status != AVOUT_ECANCELLED) CHECK_STATUS(AVOUT_UNKNOWN, others[0].status);
        CHECK_OK(others[1].status);
        avout__mem_faults_clear(engine_store(0));
        close_one(client, atom, others[0].status == AVOUT_ECANCELLED ? 2 : 3);
    }
    CHECK(cancelled && unknown);
}

/* ---- whose thread does the work --------------------------------------------------------------------------- */

static const shelf_fault no_answer = {
    .call = SHELF_SET, .nth = 2, .status = AVOUT_UNKNOWN, .after = true, .lasting = true};

static avout_status refuse(avout_value *value, void *payload)
{
    (void)value, (void)payload;
    return avout_fail(AVOUT_ETYPE, "on purpose");
}

/* The second round's driver is the first of them. */
TEST(whose_own_change_is_done_works_for_nobody_else)
{
    avout_atom *atom;
    avout_client *client = open_one(&atom);
    caller first = {.atom = atom, .timeout_ms = 20000, .change = until_told};
    caller others[] = {{.atom = atom, .timeout_ms = 20000, .change = refuse},
                       {.atom = atom, .timeout_ms = 20000},
                       {.atom = atom, .timeout_ms = 20000}};
    start_behind(&first, others, 3);
    shelf_break("shelf", no_answer);
    int64_t began = avout__now_ns();
    atomic_store(&may_leave, true);
    finish(&others[0]);
    CHECK_STATUS(AVOUT_ETYPE, others[0].status);
    CHECK(avout__now_ns() - began < (int64_t)5000 * 1000000);
    CHECK(!atomic_load(&others[1].over) && !atomic_load(&others[2].over));
    shelf_mend("shelf");
    finish(&first);
    finish(&others[1]);
    finish(&others[2]);
    CHECK_OK(others[1].status);
    CHECK_OK(others[2].status);
    close_one(client, atom, 3);
}

TEST(whose_time_is_over_leaves_the_work_to_the_next)
{
    avout_atom *atom;
    avout_client *client = open_one(&atom);
    caller first = {.atom = atom, .timeout_ms = 20000, .change = until_told};
    caller others[] = {{.atom = atom, .timeout_ms = 400},
                       {.atom = atom, .timeout_ms = 600},
                       {.atom = atom, .timeout_ms = 20000}};
    start_behind(&first, others, 3);
    shelf_break("shelf", no_answer);
    atomic_store(&may_leave, true);
    finish(&others[0]);
    finish(&others[1]);
    CHECK(!atomic_load(&others[2].over));
    shelf_mend("shelf");
    finish(&first);
    finish(&others[2]);
    CHECK_OK(others[2].status);
    close_one(client, atom, 2 + may_count(&others[0]) + may_count(&others[1]));
}

/* Whichever request of the next one it is that breaks, too. */
TEST(what_was_left_is_gone_on_with_in_bad_times)
{
    for (uint64_t nth = 1; nth <= 2; nth++)
        for (int lost = 0; lost < 2; lost++) {
            avout_atom *atom;
            avout_client *client = open_one(&atom), *other = suite_connect();
            caller first = {.atom = atom, .timeout_ms = 20000, .change = until_told};
            caller others[] = {{.atom = atom, .timeout_ms = 300},
                               {.atom = atom, .timeout_ms = 20000}};
            start_behind(&first, others, 2);
            shelf_break("shelf", no_answer);
            atomic_store(&may_leave, true);
            finish(&first);
            int called = shelf_called("shelf", SHELF_SET);
            TEST_AWAIT(shelf_called("shelf", SHELF_SET) > called);
            engine_fault(
                engine_store(0),
                (avout__mem_fault){.kind = lost ? AVOUT__MEM_LOSE_AFTER : AVOUT__MEM_EXPIRE_BEFORE,
                                   .nth = nth,
                                   .multis = true});
            finish(&others[0]);
            shelf_mend("shelf");
            finish(&others[1]);
            if (lost) CHECK_OK(others[1].status);
            else if (others[1].status) CHECK_STATUS(AVOUT_UNKNOWN, others[1].status);
            avout__mem_faults_clear(engine_store(0));
            avout_close(other);
            close_one(client, atom, 2 + may_count(&others[0]));
        }
}

/* The next driver gets the lock behind another client, which has found a mark that is dirty and gone on from the
 * old value. */
TEST(what_was_left_is_unknown_when_others_come_between)
{
    avout_atom *atom, *theirs;
    avout_client *client = open_one(&atom), *other = suite_connect();
    avout_container *container;
    CHECK_OK(shelf_open(&container, "shelf"));
    CHECK_OK(avout_unversioned_atom(&theirs, other, "/a", container, avout_int(0), NULL));
    caller first = {.atom = atom, .timeout_ms = 20000, .change = until_told};
    caller others[] = {{.atom = atom, .timeout_ms = 700}, {.atom = atom, .timeout_ms = 20000}};
    caller between = {.atom = theirs, .timeout_ms = 20000};
    start_behind(&first, others, 2);
    shelf_fault lost = no_answer;
    lost.after = false;
    shelf_break("shelf", lost);
    atomic_store(&may_leave, true);
    finish(&first);
    start_next(&between);
    finish(&others[0]);
    shelf_mend("shelf");
    finish(&between);
    finish(&others[1]);
    CHECK_OK(between.status);
    bool left = may_count(&others[0]);
    CHECK_STATUS(left ? AVOUT_UNKNOWN : AVOUT_OK, others[1].status);
    avout_atom_close(theirs);
    avout_close(other);
    close_one(client, atom, left ? 2 : 3);
}

static _Atomic int slow_calls;
static _Atomic bool slow_may_leave;

static avout_status slowly(avout_value *value, void *payload)
{
    atomic_fetch_add(&slow_calls, 1);
    TEST_AWAIT(atomic_load(&slow_may_leave));
    return suite_plus(value, payload);
}

/* Whether the one who waits for the slow one still did when that was called: on a machine that is busy its time may
 * be over before. */
static bool leave_the_slow_one(int64_t timeout_ms)
{
    avout_atom *atom;
    avout_client *client = open_one(&atom);
    caller first = {.atom = atom, .timeout_ms = 20000, .change = until_told};
    caller others[] = {{.atom = atom, .timeout_ms = timeout_ms},
                       {.atom = atom, .timeout_ms = 20000, .change = slowly},
                       {.atom = atom, .timeout_ms = 20000}};
    atomic_store(&slow_calls, 0);
    atomic_store(&slow_may_leave, false);
    start_behind(&first, others, 3);
    atomic_store(&may_leave, true);
    TEST_AWAIT(atomic_load(&slow_calls));
    bool in_time = !atomic_load(&others[0].over);
    finish(&others[0]);
    CHECK_STATUS(AVOUT_ETIMEOUT, others[0].status);
    if (!in_time) atomic_store(&slow_may_leave, true);
    finish(&others[2]);
    CHECK_OK(others[2].status);
    if (in_time) CHECK(!atomic_load(&others[1].over)); /* made without it */
    atomic_store(&slow_may_leave, true);
    finish(&first);
    finish(&others[1]);
    CHECK_OK(others[1].status);
    if (in_time) CHECK_INT(2, atomic_load(&slow_calls));
    close_one(client, atom, 3);
    return in_time;
}

TEST(a_function_that_takes_long_keeps_not_even_who_waits_for_it)
{
    int64_t timeout_ms = 500;
    while (!leave_the_slow_one(timeout_ms)) CHECK((timeout_ms *= 2) < 16000);
}

/* Its change has not happened, and that is known. */
TEST(whose_function_has_failed_leaves_with_its_error)
{
    avout__interrupts source;
    avout__interrupts_init(&source);
    avout_atom *atom;
    avout_client *client = open_one(&atom);
    atomic_store(&slow_calls, 0);
    atomic_store(&slow_may_leave, false);
    caller first = {.atom = atom, .timeout_ms = 20000, .change = until_told};
    caller others[] = {{.atom = atom, .timeout_ms = 20000},
                       {.atom = atom, .timeout_ms = 20000, .change = refuse, .source = &source},
                       {.atom = atom, .timeout_ms = 20000, .change = slowly}};
    start_behind(&first, others, 3);
    atomic_store(&may_leave, true);
    TEST_AWAIT(atomic_load(&slow_calls));
    avout__interrupt(&source);
    finish(&others[1]);
    CHECK_STATUS(AVOUT_ETYPE, others[1].status);
    atomic_store(&slow_may_leave, true);
    finish(&first);
    finish(&others[0]);
    finish(&others[2]);
    close_one(client, atom, 3);
}

static _Atomic int calls_of_once;

static avout_status plus_once(avout_value *value, void *payload)
{
    return atomic_fetch_add(&calls_of_once, 1) ? refuse(value, payload)
                                               : suite_plus(value, payload);
}

static avout_status plus_to_one(avout_value *value, void *payload)
{
    int64_t number;
    CHECK_OK(avout_value_to_int(&number, *value));
    return number == 1 ? suite_plus(value, payload) : refuse(value, payload);
}

/* The container refuses what the others had made when it failed: for all that anybody knows that has never been. */
TEST(nobody_fails_for_what_has_never_been_confirmed)
{
    avout_atom *atom;
    avout_client *client = open_one(&atom);
    caller first = {.atom = atom, .timeout_ms = 20000, .change = until_told};
    caller others[] = {{.atom = atom, .timeout_ms = 20000, .change = plus_once},
                       {.atom = atom, .timeout_ms = 20000, .change = plus_to_one}};
    start_behind(&first, others, 2);
    shelf_break("shelf", (shelf_fault){.call = SHELF_SET, .nth = 2, .status = AVOUT_ENOSPACE});
    atomic_store(&may_leave, true);
    finish(&first);
    finish(&others[0]);
    finish(&others[1]);
    CHECK_OK(first.status);
    CHECK_STATUS(AVOUT_ETYPE, others[0].status);
    CHECK_OK(others[1].status);
    close_one(client, atom, 2);
}

/* ---- changes within changes ---------------------------------------------------------------------------------- */

typedef struct nest {
    avout_atom *outer, *inner;
} nest;

static avout_status change_outer(avout_value *value, void *payload)
{
    nest *n = payload;
    avout_call_options soon = {.timeout_ms = 2000}; /* nobody waits that long for himself */
    CHECK_STATUS(AVOUT_EDEADLOCK, avout_swap(n->outer, suite_plus, &suite_one, NULL, NULL, &soon));
    CHECK_STATUS(AVOUT_EDEADLOCK, avout_atom_destroy(n->outer));
    return suite_plus(value, &suite_one);
}

static avout_status change_inner(avout_value *value, void *payload)
{
    nest *n = payload;
    avout_status status = avout_swap(n->inner, change_outer, n, NULL, NULL, NULL);
    return status ? status : suite_plus(value, &suite_one);
}

/* However many others are between. */
TEST(nobody_waits_for_a_change_in_whose_function_he_is)
{
    nest n;
    avout_container *container;
    avout_client *client = open_one(&n.outer);
    CHECK_OK(shelf_open(&container, "second"));
    CHECK_OK(avout_unversioned_atom(&n.inner, client, "/b", container, avout_int(0), NULL));
    CHECK_OK(avout_swap(n.outer, change_inner, &n, NULL, NULL, NULL));
    CHECK_INT(1, suite_atom_strict_int(n.inner));
    avout_atom_close(n.inner);
    close_one(client, n.outer, 1);
}

/* ---- tokens ------------------------------------------------------------------------------------------------ */

/* The first's value is written again and called done; then the second's is written. */
TEST(a_writing_that_comes_late_is_refused_by_its_token)
{
    avout_atom *atom;
    avout_client *client = open_one(&atom);
    shelf_checks_tokens("shelf");
    caller first = {.atom = atom, .timeout_ms = 20000, .change = until_told};
    caller others[] = {{.atom = atom, .timeout_ms = 20000}};
    start_behind(&first, others, 1);
    shelf_break("shelf", (shelf_fault){.call = SHELF_SET, .status = AVOUT_UNKNOWN});
    atomic_store(&may_leave, true);
    finish(&first);
    finish(&others[0]);
    CHECK_OK(first.status);
    CHECK_OK(others[0].status);
    CHECK(!shelf_arrive("shelf"));
    CHECK(shelf_is("shelf", "2"));
    close_one(client, atom, 2);
}
