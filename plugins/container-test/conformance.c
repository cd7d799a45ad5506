#include "conformance.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "checks.h"

enum { CROWD = 8, ROUNDS = 8 };

typedef struct suite {
    conformance_open_fn open;
    const char *place;
    avout_versioned_container *container;
    checks checks;
} suite;

typedef bool (*check_fn)(suite *s);

/* ---- the calls --------------------------------------------------------------------------------- */

static avout_status set(avout_versioned_container *c, const char *version, avout_value value)
{
    return c->ops->set_state_at(c, version, value, TIMEOUT_MS);
}

static avout_status set_int(avout_versioned_container *c, const char *version, int64_t number)
{
    avout_value value = avout_int(number);
    avout_status status = set(c, version, value);
    avout_release(value);
    return status;
}

static avout_status drop(avout_versioned_container *c, const char *version)
{
    return c->ops->delete_state_at(c, version, TIMEOUT_MS);
}

/* -1: something else is there, or nothing. */
static int64_t get_int(avout_versioned_container *c, const char *version)
{
    avout_value value = AVOUT_NONE;
    int64_t number = -1;
    if (c->ops->get_state_at(&value, c, version, TIMEOUT_MS)) return -1;
    if (avout_value_to_int(&number, value)) number = -1;
    avout_release(value);
    return number;
}

static bool is_gone(suite *s, const char *version)
{
    avout_value value = AVOUT_NONE;
    avout_status status =
        s->container->ops->get_state_at(&value, s->container, version, TIMEOUT_MS);
    if (!status) avout_release(value);
    return checks_answers(&s->checks, AVOUT_ENOTFOUND, status,
                          "get_state_at of a version that is not there");
}

/* ---- the table ----------------------------------------------------------------------------------- */

static bool the_table_is_complete(suite *s)
{
    const avout_versioned_container_ops *ops = s->container->ops;
    if (ops->version != AVOUT_VERSIONED_CONTAINER_OPS_VERSION || ops->size != sizeof *ops)
        return checks_no(&s->checks, "version %u, size %u", (unsigned)ops->version,
                         (unsigned)ops->size);
    if (!ops->kind || !*ops->kind || strlen(ops->kind) > 31 ||
        ops->kind[strspn(ops->kind, "abcdefghijklmnopqrstuvwxyz0123456789-")])
        return checks_no(&s->checks, "kind is not 1 to 31 characters of [a-z0-9-]");
    if (!s->container->place) return checks_no(&s->checks, "place is NULL");
    return (ops->init && ops->destroy && ops->get_state_at && ops->set_state_at &&
            ops->delete_state_at && ops->close) ||
           checks_no(&s->checks, "a slot that must be there is NULL");
}

static bool init_may_be_repeated(suite *s)
{
    avout_versioned_container *c = s->container;
    for (int i = 0; i < 3; i++)
        if (!checks_answers(&s->checks, AVOUT_OK, c->ops->init(c, TIMEOUT_MS), "init"))
            return false;
    return true;
}

/* ---- values ---------------------------------------------------------------------------------------- */

static bool comes_back(void *payload, avout_value value)
{
    suite *s = payload;
    const char *version = "value-1";
    avout_value read = AVOUT_NONE;
    avout_versioned_container *c = s->container;
    bool ok = checks_answers(&s->checks, AVOUT_OK, set(c, version, value), "set_state_at") &&
              checks_answers(&s->checks, AVOUT_OK,
                             c->ops->get_state_at(&read, c, version, TIMEOUT_MS), "get_state_at") &&
              checks_same(&s->checks, value, read);
    avout_release(read);
    return checks_answers(&s->checks, AVOUT_OK, drop(c, version), "delete_state_at") && ok;
}

static bool values_of_all_kinds_come_back_exactly(suite *s)
{
    return checks_values(&s->checks, comes_back, s);
}

static bool large_and_deep_values_come_back(suite *s)
{
    return checks_large_values(&s->checks, comes_back, s);
}

/* ---- versions ---------------------------------------------------------------------------------------- */

static bool a_version_that_was_never_set_is_not_found(suite *s)
{
    return is_gone(s, "never-1");
}

static bool a_version_is_set_once(suite *s)
{
    avout_versioned_container *c = s->container;
    bool ok = checks_answers(&s->checks, AVOUT_OK, set_int(c, "once-1", 1), "set_state_at") &&
              checks_answers(&s->checks, AVOUT_EEXISTS, set_int(c, "once-1", 2),
                             "set_state_at of what is there") &&
              checks_answers(&s->checks, AVOUT_EEXISTS, set_int(c, "once-1", 1),
                             "set_state_at of what is there");
    if (ok && get_int(c, "once-1") != 1) ok = checks_no(&s->checks, "it is not what was set first");
    return checks_answers(&s->checks, AVOUT_OK, drop(c, "once-1"), "delete_state_at") && ok;
}

static bool deleting_takes_one_version_and_may_be_repeated(suite *s)
{
    avout_versioned_container *c = s->container;
    bool ok = checks_answers(&s->checks, AVOUT_OK, set_int(c, "gone-1", 1), "set_state_at") &&
              checks_answers(&s->checks, AVOUT_OK, set_int(c, "gone-10", 2), "set_state_at");
    for (int i = 0; ok && i < 2; i++)
        ok = checks_answers(&s->checks, AVOUT_OK, drop(c, "gone-1"), "delete_state_at");
    ok = ok && is_gone(s, "gone-1");
    if (ok && get_int(c, "gone-10") != 2)
        ok = checks_no(&s->checks, "deleting gone-1 touched gone-10");
    return checks_answers(&s->checks, AVOUT_OK, drop(c, "gone-10"), "delete_state_at") && ok;
}

static bool names_have_79_characters(suite *s)
{
    char longest[AVOUT_VERSION_MAX + 1];
    memset(longest, '0', AVOUT_VERSION_MAX);
    memcpy(longest, "-az9-", 5);
    longest[AVOUT_VERSION_MAX] = '\0';
    avout_versioned_container *c = s->container;
    bool ok = checks_answers(&s->checks, AVOUT_OK, set_int(c, longest, 7), "set_state_at");
    if (ok && get_int(c, longest) != 7) ok = checks_no(&s->checks, "it is not read back");
    return checks_answers(&s->checks, AVOUT_OK, drop(c, longest), "delete_state_at") && ok;
}

static bool objects_of_one_place_see_the_same(suite *s)
{
    avout_versioned_container *c = s->container, *other;
    if (!checks_answers(&s->checks, AVOUT_OK, s->open(&other, s->place), "opening again"))
        return false;
    bool ok = checks_answers(&s->checks, AVOUT_OK, other->ops->init(other, TIMEOUT_MS), "init") &&
              checks_answers(&s->checks, AVOUT_OK, set_int(c, "both-1", 1), "set_state_at");
    if (ok && get_int(other, "both-1") != 1)
        ok = checks_no(&s->checks, "the other one does not see it");
    ok = ok &&
         checks_answers(&s->checks, AVOUT_EEXISTS, set_int(other, "both-1", 2),
                        "set_state_at of the other") &&
         checks_answers(&s->checks, AVOUT_OK, drop(other, "both-1"), "delete_state_at") &&
         is_gone(s, "both-1");
    other->ops->close(other);
    return ok;
}

static bool values_outlive_the_object(suite *s)
{
    avout_versioned_container *c = s->container;
    if (!checks_answers(&s->checks, AVOUT_OK, set_int(c, "stays-1", 5), "set_state_at"))
        return false;
    c->ops->close(c);
    if (s->open(&s->container, s->place)) {
        printf("Bail out! the place cannot be opened again\n");
        exit(1);
    }
    c = s->container;
    bool ok = checks_answers(&s->checks, AVOUT_OK, c->ops->init(c, TIMEOUT_MS), "init");
    if (ok && get_int(c, "stays-1") != 5) ok = checks_no(&s->checks, "it is gone");
    return checks_answers(&s->checks, AVOUT_OK, drop(c, "stays-1"), "delete_state_at") && ok;
}

static bool destroying_takes_no_version_along(suite *s)
{
    avout_versioned_container *c = s->container;
    bool ok = checks_answers(&s->checks, AVOUT_OK, set_int(c, "kept-1", 5), "set_state_at");
    c->ops->destroy(c, TIMEOUT_MS);
    if (ok && get_int(c, "kept-1") != 5)
        ok = checks_no(&s->checks, "it took what somebody had just set");
    return checks_answers(&s->checks, AVOUT_OK, drop(c, "kept-1"), "delete_state_at") && ok;
}

static bool after_destroying_all_goes_on(suite *s)
{
    avout_versioned_container *c = s->container;
    if (!checks_answers(&s->checks, AVOUT_OK, c->ops->destroy(c, TIMEOUT_MS), "destroy") ||
        !is_gone(s, "new-1") ||
        !checks_answers(&s->checks, AVOUT_OK, drop(c, "new-1"), "delete_state_at"))
        return false;
    bool ok =
        checks_answers(&s->checks, AVOUT_OK, set_int(c, "new-1", 5), "set_state_at after destroy");
    if (ok && get_int(c, "new-1") != 5) ok = checks_no(&s->checks, "it is not read back");
    return checks_answers(&s->checks, AVOUT_OK, drop(c, "new-1"), "delete_state_at") && ok;
}

/* ---- listing ------------------------------------------------------------------------------------------- */

typedef struct seen {
    int ours, others;
} seen;

static avout_status look(const char *version, void *payload)
{
    seen *so_far = payload;
    if (!strncmp(version, "list-", 5)) so_far->ours++;
    else so_far->others++;
    return AVOUT_OK;
}

static avout_status stop(const char *version, void *payload)
{
    (void)version;
    ++*(int *)payload;
    return AVOUT_ELIMIT;
}

static bool listing_names_what_is_there(suite *s)
{
    avout_versioned_container *c = s->container;
    char version[32];
    seen so_far = {0};
    bool ok = true;
    int calls = 0;
    if (!c->ops->list_versions) return true;
    for (int i = 0; ok && i < 20; i++) {
        snprintf(version, sizeof version, "list-%d", i);
        ok = checks_answers(&s->checks, AVOUT_OK, set_int(c, version, i), "set_state_at");
    }
    ok = ok && checks_answers(&s->checks, AVOUT_OK, drop(c, "list-7"), "delete_state_at") &&
         checks_answers(&s->checks, AVOUT_OK, c->ops->list_versions(c, look, &so_far, TIMEOUT_MS),
                        "list_versions");
    if (ok && (so_far.ours != 19 || so_far.others))
        ok = checks_no(&s->checks, "19 are there; it names %d, and %d others", so_far.ours,
                       so_far.others);
    ok = ok && checks_answers(&s->checks, AVOUT_ELIMIT,
                              c->ops->list_versions(c, stop, &calls, TIMEOUT_MS),
                              "list_versions whose function answers AVOUT_ELIMIT");
    if (ok && calls != 1) ok = checks_no(&s->checks, "it goes on after that");
    for (int i = 0; i < 20; i++) {
        snprintf(version, sizeof version, "list-%d", i);
        ok = checks_answers(&s->checks, AVOUT_OK, drop(c, version), "delete_state_at") && ok;
    }
    return ok;
}

/* ---- crowds ---------------------------------------------------------------------------------------------- */

typedef struct member {
    avout_versioned_container *container;
    pthread_t thread;
    int number, round, failures, wins;
} member;

static void *live_alone(void *payload)
{
    member *m = payload;
    char version[32];
    for (int i = 0; i < ROUNDS; i++) {
        snprintf(version, sizeof version, "crowd-%d-%d", m->number, i);
        m->failures += set_int(m->container, version, i) != AVOUT_OK;
        m->failures += get_int(m->container, version) != i;
        m->failures += drop(m->container, version) != AVOUT_OK;
        m->failures += get_int(m->container, version) != -1;
    }
    return NULL;
}

static void *race(void *payload)
{
    member *m = payload;
    char version[32];
    snprintf(version, sizeof version, "race-%d", m->round);
    avout_status status = set_int(m->container, version, m->number);
    m->wins = !status;
    m->failures = status && status != AVOUT_EEXISTS;
    return NULL;
}

static bool gather(suite *s, member members[CROWD], int round, void *(*live)(void *payload))
{
    for (int i = 0; i < CROWD; i++) {
        members[i] = (member){.container = s->container, .number = i, .round = round};
        if (pthread_create(&members[i].thread, NULL, live, &members[i]))
            return checks_no(&s->checks, "no thread could be started");
    }
    for (int i = 0; i < CROWD; i++) pthread_join(members[i].thread, NULL);
    return true;
}

static bool many_threads_use_one_object(suite *s)
{
    member members[CROWD];
    int failures = 0;
    if (!gather(s, members, 0, live_alone)) return false;
    for (int i = 0; i < CROWD; i++) failures += members[i].failures;
    return !failures ||
           checks_no(&s->checks, "%d calls of %d failed", failures, CROWD * ROUNDS * 4);
}

static bool of_many_who_set_one_version_one_wins(suite *s)
{
    member members[CROWD];
    for (int round = 0; round < ROUNDS; round++) {
        int wins = 0, winner = -1, failures = 0;
        char version[32];
        if (!gather(s, members, round, race)) return false;
        for (int i = 0; i < CROWD; i++) {
            if (members[i].wins) winner = i;
            wins += members[i].wins;
            failures += members[i].failures;
        }
        snprintf(version, sizeof version, "race-%d", round);
        int64_t there = get_int(s->container, version);
        drop(s->container, version);
        if (failures)
            return checks_no(&s->checks, "%d answered neither AVOUT_OK nor AVOUT_EEXISTS",
                             failures);
        if (wins != 1)
            return checks_no(&s->checks, "%d of %d were told that they did", wins, CROWD);
        if (there != winner) return checks_no(&s->checks, "what is there is not the winner's");
    }
    return true;
}

static bool nothing_is_left(suite *s)
{
    avout_versioned_container *c = s->container;
    seen so_far = {0};
    if (!c->ops->list_versions) return true;
    c->ops->list_versions(c, look, &so_far, TIMEOUT_MS);
    return !(so_far.ours + so_far.others) ||
           checks_no(&s->checks, "%d versions", so_far.ours + so_far.others);
}

/* ---- all of them ------------------------------------------------------------------------------------------- */

static void run(suite *s, const char *name, check_fn check)
{
    checks_begin(&s->checks);
    checks_end(&s->checks, name, check(s));
}

int conformance_run(conformance_open_fn open, const char *place)
{
    suite s = {.open = open, .place = place};
    avout_status status = open(&s.container, place);
    if (status) {
        printf("Bail out! %s: %s (%s)\n", place, avout_error_detail(), avout_status_name(status));
        return 1;
    }
#define RUN(check) run(&s, #check, check)
    RUN(the_table_is_complete);
    if (!s.checks.failures) RUN(init_may_be_repeated);
    if (s.checks.failures) {
        printf("Bail out! nothing else can be tried\n");
        if (s.container->ops->close) s.container->ops->close(s.container);
        return s.checks.failures;
    }
    RUN(a_version_that_was_never_set_is_not_found);
    RUN(values_of_all_kinds_come_back_exactly);
    RUN(large_and_deep_values_come_back);
    RUN(a_version_is_set_once);
    RUN(deleting_takes_one_version_and_may_be_repeated);
    RUN(names_have_79_characters);
    RUN(objects_of_one_place_see_the_same);
    RUN(values_outlive_the_object);
    RUN(listing_names_what_is_there);
    RUN(many_threads_use_one_object);
    RUN(of_many_who_set_one_version_one_wins);
    RUN(destroying_takes_no_version_along);
    RUN(after_destroying_all_goes_on);
    RUN(nothing_is_left);
#undef RUN
    s.container->ops->close(s.container);
    printf("1..%d\n", s.checks.number);
    return s.checks.failures;
}
