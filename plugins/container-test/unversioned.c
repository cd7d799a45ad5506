#include "conformance.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "checks.h"

enum { READERS = 4, WRITES = 50 };

typedef struct suite {
    conformance_open_unversioned_fn open;
    const char *place;
    avout_container *container;
    uint64_t count; /* of tokens given out */
    checks checks;
} suite;

/* ---- the calls --------------------------------------------------------------------------------- */

/* With the next token. */
static avout_status set(suite *s, avout_value value)
{
    avout_token token = {1, ++s->count};
    return s->container->ops->set_state(s->container, value, token, TIMEOUT_MS);
}

static avout_status set_int(suite *s, int64_t number)
{
    avout_value value = avout_int(number);
    avout_status status = set(s, value);
    avout_release(value);
    return status;
}

/* -1: something else is there, or nothing. */
static int64_t get_int(avout_container *c)
{
    avout_value value = AVOUT_NONE;
    int64_t number = -1;
    if (c->ops->get_state(&value, c, TIMEOUT_MS)) return -1;
    if (avout_value_to_int(&number, value)) number = -1;
    avout_release(value);
    return number;
}

static bool is_empty(suite *s)
{
    avout_value value = AVOUT_NONE;
    avout_status status = s->container->ops->get_state(&value, s->container, TIMEOUT_MS);
    if (!status) avout_release(value);
    return checks_answers(&s->checks, AVOUT_ENOTFOUND, status, "get_state where nothing was set");
}

/* ---- the checks --------------------------------------------------------------------------------- */

static bool the_table_is_complete(suite *s)
{
    const avout_container_ops *ops = s->container->ops;
    if (!ops || !s->container->place) return checks_no(&s->checks, "no table, or no place");
    if (ops->version != AVOUT_CONTAINER_OPS_VERSION || ops->size != sizeof *ops)
        return checks_no(&s->checks, "version %u, size %u", (unsigned)ops->version,
                         (unsigned)ops->size);
    size_t length = ops->kind ? strspn(ops->kind, "abcdefghijklmnopqrstuvwxyz0123456789-") : 0;
    if (!length || length > 31 || ops->kind[length])
        return checks_no(&s->checks, "the kind is not 1 to 31 of [a-z0-9-]");
    if (!ops->init || !ops->destroy || !ops->get_state || !ops->set_state || !ops->close)
        return checks_no(&s->checks, "a slot that must be there is NULL");
    return true;
}

static bool init_may_be_repeated(suite *s)
{
    for (int i = 0; i < 3; i++)
        if (!checks_answers(&s->checks, AVOUT_OK, s->container->ops->init(s->container, TIMEOUT_MS),
                            "init"))
            return false;
    return true;
}

static bool comes_back(void *payload, avout_value value)
{
    suite *s = payload;
    avout_value read = AVOUT_NONE;
    avout_container *c = s->container;
    bool ok = checks_answers(&s->checks, AVOUT_OK, set(s, value), "set_state") &&
              checks_answers(&s->checks, AVOUT_OK, c->ops->get_state(&read, c, TIMEOUT_MS),
                             "get_state") &&
              checks_same(&s->checks, value, read);
    avout_release(read);
    return ok;
}

static bool values_of_all_kinds_come_back_exactly(suite *s)
{
    return checks_values(&s->checks, comes_back, s);
}

static bool large_and_deep_values_come_back(suite *s)
{
    return checks_large_values(&s->checks, comes_back, s);
}

static bool a_value_is_replaced(suite *s)
{
    for (int64_t i = 0; i < 10; i++) {
        if (!checks_answers(&s->checks, AVOUT_OK, set_int(s, i), "set_state")) return false;
        if (get_int(s->container) != i)
            return checks_no(&s->checks, "%d was set, %d is there", (int)i,
                             (int)get_int(s->container));
    }
    return true;
}

/* What lost the lock without knowing: refused without effect, or taken. */
static bool a_smaller_token_is_refused_or_taken(suite *s)
{
    avout_value value = avout_int(8);
    if (set_int(s, 7)) return checks_no(&s->checks, "%s", avout_error_detail());
    avout_status status =
        s->container->ops->set_state(s->container, value, (avout_token){0, 1}, TIMEOUT_MS);
    avout_release(value);
    int64_t expected = status ? 7 : 8;
    if (status && status != AVOUT_EVERSION)
        return checks_answers(&s->checks, AVOUT_EVERSION, status, "set_state with an old token");
    return get_int(s->container) == expected ||
           checks_no(&s->checks, "%s, and %d is there", status ? "refused" : "taken",
                     (int)get_int(s->container));
}

static bool objects_of_one_place_see_the_same(suite *s)
{
    avout_container *other;
    if (!checks_answers(&s->checks, AVOUT_OK, s->open(&other, s->place), "opening again"))
        return false;
    bool ok = checks_answers(&s->checks, AVOUT_OK, other->ops->init(other, TIMEOUT_MS), "init") &&
              checks_answers(&s->checks, AVOUT_OK, set_int(s, 11), "set_state");
    if (ok && get_int(other) != 11) ok = checks_no(&s->checks, "the other one does not see it");
    other->ops->close(other);
    return ok;
}

static bool a_value_outlives_the_object(suite *s)
{
    if (!checks_answers(&s->checks, AVOUT_OK, set_int(s, 12), "set_state")) return false;
    s->container->ops->close(s->container);
    avout_status status = s->open(&s->container, s->place);
    if (!status) status = s->container->ops->init(s->container, TIMEOUT_MS);
    return checks_answers(&s->checks, AVOUT_OK, status, "opening again") &&
           (get_int(s->container) == 12 || checks_no(&s->checks, "it is gone"));
}

typedef struct reader {
    suite *s;
    _Atomic bool *done;
    bool ok;
} reader;

/* Whole values, and never an older one than before. */
static void *read_on(void *payload)
{
    reader *r = payload;
    int64_t last = 0;
    for (r->ok = true; r->ok && !*r->done;) {
        int64_t now = get_int(r->s->container);
        r->ok = now >= last;
        last = now;
    }
    return NULL;
}

static bool readers_see_whole_values_in_order(suite *s)
{
    _Atomic bool done = false;
    pthread_t threads[READERS];
    reader readers[READERS];
    bool ok = checks_answers(&s->checks, AVOUT_OK, set_int(s, 0), "set_state");
    for (int i = 0; i < READERS; i++) {
        readers[i] = (reader){s, &done, false};
        if (pthread_create(&threads[i], NULL, read_on, &readers[i])) return false;
    }
    for (int64_t i = 1; ok && i <= WRITES; i++)
        ok = checks_answers(&s->checks, AVOUT_OK, set_int(s, i), "set_state");
    done = true;
    for (int i = 0; i < READERS; i++) {
        pthread_join(threads[i], NULL);
        if (ok && !readers[i].ok) ok = checks_no(&s->checks, "one saw none, or an older one");
    }
    return ok;
}

static bool after_destroying_nothing_is_there_and_all_goes_on(suite *s)
{
    avout_container *c = s->container;
    for (int i = 0; i < 2; i++)
        if (!checks_answers(&s->checks, AVOUT_OK, c->ops->destroy(c, TIMEOUT_MS), "destroy"))
            return false;
    if (!is_empty(s) || !checks_answers(&s->checks, AVOUT_OK, set_int(s, 13), "set_state"))
        return false;
    if (get_int(c) != 13) return checks_no(&s->checks, "what was set afterwards is not there");
    return checks_answers(&s->checks, AVOUT_OK, c->ops->destroy(c, TIMEOUT_MS), "destroy");
}

int conformance_run_unversioned(conformance_open_unversioned_fn open, const char *place)
{
    suite s = {.open = open, .place = place};
    avout_status status = open(&s.container, place);
    if (status) {
        printf("Bail out! %s: %s (%s)\n", place, avout_error_detail(), avout_status_name(status));
        return 1;
    }
#define RUN(check)                                                                                 \
    do {                                                                                           \
        checks_begin(&s.checks);                                                                   \
        checks_end(&s.checks, #check, check(&s));                                                  \
    } while (0)
    RUN(the_table_is_complete);
    if (!s.checks.failures) RUN(init_may_be_repeated);
    if (s.checks.failures) {
        printf("Bail out! nothing else can be tried\n");
        return s.checks.failures;
    }
    RUN(is_empty);
    RUN(values_of_all_kinds_come_back_exactly);
    RUN(large_and_deep_values_come_back);
    RUN(a_value_is_replaced);
    RUN(a_smaller_token_is_refused_or_taken);
    RUN(objects_of_one_place_see_the_same);
    RUN(a_value_outlives_the_object);
    RUN(readers_see_whole_values_in_order);
    RUN(after_destroying_nothing_is_there_and_all_goes_on);
#undef RUN
    s.container->ops->close(s.container);
    printf("1..%d\n", s.checks.number);
    return s.checks.failures;
}
