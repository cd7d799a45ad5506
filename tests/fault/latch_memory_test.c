/* Latches and barriers without memory, at each allocation in turn, on whatever thread it is made. A call
 * succeeds or answers AVOUT_ENOMEM and has had no effect; nobody hangs, no entry is left, and the client goes
 * on as if nothing had been (I8, I10, I12).
 * Test-tags: single slow */
#include "engine_support.h"
#include "support/no_memory.h"

enum { TOTAL = 20, PARTIES = 3, SIDES = 2 };

typedef struct scene {
    avout_client *clients[SIDES];
    avout_latch *latches[SIDES];
    avout_barrier *barriers[SIDES];
    _Atomic uint32_t counted;
    _Atomic int released;
    no_memory_calls calls;
    bool loses;
} scene;

typedef struct helper {
    scene *s;
    int side;
    pthread_t thread;
} helper;

#define DONE(call) NO_MEMORY_DONE(&s->calls, call)

/* Until the barrier is released once; who cannot arrive breaks it for the others. */
static void meet(scene *s, int side)
{
    for (;;) {
        avout_barrier_report *report;
        avout_pass pass;
        avout_wait_options patient = {.timeout_ms = 20000};
        avout_status status = avout_barrier_await(&pass, s->barriers[side], &patient);
        if (status != AVOUT_EBROKEN && status != AVOUT_ELOST && DONE(status)) {
            if (pass.generation == 1) s->released++;
            return;
        }
        if (status == AVOUT_ELOST) CHECK(s->loses);
        if (!DONE(avout_barrier_inspect(&report, s->clients[side], "/b"))) continue;
        bool over = report->generation > 0, broken = report->broken;
        avout_barrier_report_free(report);
        if (over) return;
        if (broken) DONE(avout_barrier_reset(s->barriers[side]));
    }
}

static void *live(void *payload)
{
    helper *h = payload;
    scene *s = h->s;
    for (int i = 0; i < 2; i++)
        s->counted += DONE(avout_latch_count_down(NULL, s->latches[h->side], 1));
    meet(s, h->side);
    DONE(avout_latch_await(s->latches[h->side], NULL));
    return NULL;
}

/* Two clients and three threads, one of them this. */
static void act(scene *s)
{
    avout_latch *another;
    avout_barrier *one;
    if (DONE(avout_latch_open(&another, s->clients[0], "/l"))) avout_latch_close(another);
    if (DONE(avout_barrier_open(&one, s->clients[0], "/b"))) avout_barrier_close(one);
    if (DONE(avout_latch_create(&another, s->clients[1], "/new/l", 1))) avout_latch_close(another);
    if (DONE(avout_barrier_create(&one, s->clients[1], "/new/b", 1))) avout_barrier_close(one);
    helper helpers[PARTIES];
    for (int i = 0; i < PARTIES; i++) {
        helpers[i] = (helper){.s = s, .side = i % SIDES};
        CHECK(!pthread_create(&helpers[i].thread, NULL, live, &helpers[i]));
    }
    uint32_t left = 1;
    while (left) DONE(avout_latch_count_down(&left, s->latches[0], 1));
    for (int i = 0; i < PARTIES; i++) pthread_join(helpers[i].thread, NULL);
}

static bool play(int64_t succeed, int64_t fail, void *payload)
{
    scene all = {.loses = payload != NULL}, *s = &all;
    for (int i = 0; i < SIDES; i++) {
        s->clients[i] = suite_connect();
        CHECK_OK(avout_latch_create(&s->latches[i], s->clients[i], "/l", TOTAL));
        CHECK_OK(avout_barrier_create(&s->barriers[i], s->clients[i], "/b", PARTIES));
    }
    avout_store *store = engine_store(1);
    if (s->loses) engine_lose_session(store, 3, 5);
    no_memory_begin(succeed, fail);
    act(s);
    int64_t happened = no_memory_end();
    avout__mem_faults_clear(store);
    if (!happened) CHECK_INT(0, s->calls.refused);
    CHECK(s->loses || s->released == PARTIES);
    TEST_AWAIT(!raw_children(engine_store(0), "/avout/barriers/b"));
    for (int i = 0; i < SIDES; i++) {
        avout_latch_close(s->latches[i]);
        avout_barrier_close(s->barriers[i]);
    }
    for (int i = 0; i < SIDES; i++) suite_close(s->clients[i]);
    no_memory_check(succeed);
    return happened;
}

TEST_WITHIN(parties_and_counts, 90)
{
    no_memory_sweep(play, NULL, 60);
}

TEST_WITHIN(over_lost_connections, 90)
{
    bool loses = true;
    no_memory_sweep(play, &loses, 60);
}
