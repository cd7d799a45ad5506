/* Requests that are refused, again and again, and what else goes on meanwhile.
 * Test-tags: threads */
#include "lock_support.h"

/* ---- at what pace ------------------------------------------------------------------------------ */

/* A store that has no connection, and has not said so yet, is not asked at the speed of its refusals. */
TEST(permits_are_not_asked_for_at_the_speed_of_refusals)
{
    enum { REFUSALS = 60 };
    side s = open_side(0, NULL);
    avout_semaphore *semaphore;
    avout_lease *lease;
    CHECK_OK(avout_semaphore_open(&semaphore, s.client, "/permits", 1));
    for (int i = 0; i < REFUSALS; i++)
        engine_fault(s.store, (avout__mem_fault){.kind = AVOUT__MEM_FAIL,
                                                 .multis = true,
                                                 .status = AVOUT_ECONNECTION,
                                                 .failed_op = SIZE_MAX});
    CHECK_STATUS(AVOUT_ETIMEOUT, avout_semaphore_acquire(&lease, semaphore, 1,
                                                         &(avout_wait_options){.timeout_ms = 300}));
    size_t refused = REFUSALS - avout__mem_faults_left(s.store);
    fprintf(stderr, "# %zu times\n", refused);
    CHECK(refused >= 1 && refused <= 5);
    avout__mem_faults_clear(s.store);
    CHECK_OK(avout_semaphore_acquire(&lease, semaphore, 1, &PATIENT));
    CHECK_OK(avout_lease_release(lease));
    avout_semaphore_close(semaphore);
    close_side(&s);
    suite_check_memory();
}

typedef struct releaser {
    avout_lock *lock;
    _Atomic bool holds, let_go;
} releaser;

static void *hold_and_release(void *payload)
{
    releaser *r = payload;
    CHECK_OK(avout_lock_acquire(NULL, r->lock, &PATIENT));
    r->holds = true;
    TEST_AWAIT(r->let_go);
    CHECK_OK(avout_lock_release(r->lock));
    return NULL;
}

/* What is refused for good slows down nobody but itself. */
TEST(a_lasting_refusal_is_its_own_delay)
{
    enum { REFUSALS = 40, ENOUGH = 5 };
    char path[RAW_PATH];
    pthread_t thread;
    side s = open_side(0, NULL);
    releaser r = {.lock = s.lock};
    avout_lock *other;
    CHECK_OK(avout_lock_open(&other, s.client, "/other"));
    CHECK_OK(avout_lock_acquire(NULL, other, &PATIENT));
    CHECK_OK(avout_lock_release(other));
    CHECK(!pthread_create(&thread, NULL, hold_and_release, &r));
    TEST_AWAIT(r.holds);
    claim_path(path, &s, "w-");
    for (int i = 0; i < REFUSALS; i++)
        engine_fault(s.store, (avout__mem_fault){.kind = AVOUT__MEM_FAIL,
                                                 .path = path,
                                                 .multis = true,
                                                 .status = AVOUT_EPERM,
                                                 .failed_op = 0});
    r.let_go = true;
    TEST_AWAIT(avout__mem_faults_left(s.store) == REFUSALS - ENOUGH);
    /* That is tried again in 800 ms. */
    engine_fault(s.store, (avout__mem_fault){.kind = AVOUT__MEM_FAIL,
                                             .path = "/avout/locks/other",
                                             .status = AVOUT_EIO});
    CHECK_OK(avout_lock_acquire(NULL, other, &PATIENT));
    CHECK_INT(REFUSALS - ENOUGH, avout__mem_faults_left(s.store));
    CHECK_OK(avout_lock_release(other));
    avout__mem_faults_clear(s.store);
    pthread_join(thread, NULL);
    avout_lock_close(other);
    close_side(&s);
    suite_check_memory();
}

/* ---- not answered in time ---------------------------------------------------------------------- */

/* What the number of permits is becomes known with the giving back of what the change was made with: if that was
 * still there. */
static void change_without_answer(avout__mem_fault_kind kind, uint32_t to, avout_status expected)
{
    side s = open_side(0, NULL);
    avout_semaphore *semaphore;
    uint32_t permits;
    CHECK_OK(avout_semaphore_open(&semaphore, s.client, "/permits", 3));
    avout__mem_reconnect_after(s.store, 500);
    engine_fault(s.store, (avout__mem_fault){
                              .kind = kind, .multis = true, .path = "/avout/semaphores/permits"});
    avout_wait_options soon = {.timeout_ms = 300};
    CHECK_STATUS(expected, avout_semaphore_set_permits(semaphore, to, &soon));
    CHECK(strstr(avout_error_detail(), "deadline"));
    CHECK_OK(avout_semaphore_permits(&permits, semaphore));
    CHECK_INT(expected == AVOUT_UNKNOWN ? to : 3, permits);
    avout_semaphore_close(semaphore);
    close_side(&s);
    suite_check_memory();
}

TEST(permits_that_were_not_changed)
{
    change_without_answer(AVOUT__MEM_LOSE_BEFORE, 1, AVOUT_ETIMEOUT);
}

TEST(permits_of_which_nobody_can_tell)
{
    change_without_answer(AVOUT__MEM_LOSE_AFTER, 1, AVOUT_UNKNOWN);
}

/* With its session goes the request for one more; the next one's, or none, says nothing of the first. */
TEST(permits_of_which_nobody_can_tell_after_a_lost_session)
{
    change_without_answer(AVOUT__MEM_EXPIRE_AFTER, 5, AVOUT_UNKNOWN);
}

/* ---- closing ----------------------------------------------------------------------------------- */

typedef struct victim {
    avout_lock *lock;
    avout_condition *condition;
    avout_store *store;
    _Atomic bool begun;
} victim;

static void *hold_and_wait(void *payload)
{
    victim *v = payload;
    CHECK_OK(avout_lock_acquire(NULL, v->lock, NULL));
    avout__mem_limits(v->store, 100, 0); /* no wait can begin */
    v->begun = true;
    while (avout_condition_wait(v->condition, &PATIENT) != AVOUT_ECLOSED) continue;
    return NULL;
}

/* A wait that could not begin, and has not looked why, when the client is closed. */
TEST_WITHIN(closing_ends_a_wait_that_could_not_begin, 20)
{
    enum { ROUNDS = 60 };
    for (int i = 0; i < ROUNDS; i++) {
        pthread_t thread;
        side s = open_side(0, NULL);
        victim v = {.lock = s.lock, .store = s.store};
        CHECK_OK(avout_condition_open(&v.condition, s.lock, "filled"));
        CHECK(!pthread_create(&thread, NULL, hold_and_wait, &v));
        TEST_AWAIT(v.begun);
        avout_close(s.client);
        pthread_join(thread, NULL);
        avout_condition_close(v.condition);
        avout_lock_close(s.lock);
        suite_check_memory();
    }
}
