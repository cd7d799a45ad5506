#include "support/shelf.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "avout/edn.h"
#include "support/await.h"
#include "support/test.h"

enum { PLACES = 4, NAME = 32 };

typedef struct place {
    char name[NAME];
    char *text;
    size_t length;
    bool checks_tokens;
    avout_token greatest, late_token;
    char *late;
    bool broken;
    shelf_fault fault;
    int called[SHELF_CALLS];
} place;

typedef struct shelf {
    avout_container is;
    place *at;
} shelf;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static place places[PLACES];
static int objects;

/* Lock held. */
static place *find(const char *name)
{
    for (int i = 0; i < PLACES; i++) {
        if (!*places[i].name) snprintf(places[i].name, NAME, "%s", name);
        if (!strcmp(places[i].name, name)) return &places[i];
    }
    test_failed(__FILE__, __LINE__, "no shelf is left for %s", name);
}

static place *locked(const char *name)
{
    pthread_mutex_lock(&lock);
    return find(name);
}

static void unlock(void)
{
    pthread_mutex_unlock(&lock);
}

static void keep(place *at, const char *text, size_t length)
{
    free(at->text);
    at->text = NULL;
    at->length = length;
    if (!text) return;
    at->text = malloc(length + 1);
    memcpy(at->text, text, length + 1);
}

/* Lock held; whether the call fails, and whether it has its effect. */
static bool fails(bool *effect, avout_status *status, place *at, shelf_call call)
{
    at->called[call]++;
    *effect = true;
    if (!at->broken || at->fault.call != call || --at->fault.nth > 0) return false;
    shelf_fault fault = at->fault;
    at->broken = fault.lasting;
    if (fault.delay_ms) {
        unlock();
        test_pause_ms((int)fault.delay_ms);
        pthread_mutex_lock(&lock);
    }
    *status = fault.status;
    *effect = !fault.status || fault.after;
    return fault.status;
}

static avout_status answer(avout_status status)
{
    unlock();
    return status ? avout_fail(status, "the shelf is broken") : AVOUT_OK;
}

static avout_status simple(avout_container *container, shelf_call call)
{
    place *at = ((shelf *)container)->at;
    bool effect;
    avout_status status = AVOUT_OK;
    pthread_mutex_lock(&lock);
    fails(&effect, &status, at, call);
    if (effect && call == SHELF_DESTROY) {
        free(at->text);
        at->text = NULL;
    }
    return answer(status);
}

static avout_status init(avout_container *container, int64_t timeout_ms)
{
    (void)timeout_ms;
    return simple(container, SHELF_INIT);
}

static avout_status destroy(avout_container *container, int64_t timeout_ms)
{
    (void)timeout_ms;
    return simple(container, SHELF_DESTROY);
}

static avout_status get_state(avout_value *value, avout_container *container, int64_t timeout_ms)
{
    (void)timeout_ms;
    place *at = ((shelf *)container)->at;
    bool effect;
    avout_status status = AVOUT_OK;
    pthread_mutex_lock(&lock);
    if (fails(&effect, &status, at, SHELF_GET)) return answer(status);
    if (!at->text) {
        unlock();
        return avout_fail(AVOUT_ENOTFOUND, "the shelf is empty");
    }
    status = avout_edn_read(value, at->text, at->length, NULL, NULL);
    unlock();
    return status;
}

static bool accepts(const place *at, avout_token token)
{
    return !at->checks_tokens || avout_token_compare(token, at->greatest) >= 0;
}

static avout_status set_state(avout_container *container, avout_value value, avout_token token,
                              int64_t timeout_ms)
{
    (void)timeout_ms;
    place *at = ((shelf *)container)->at;
    char *text;
    size_t length;
    bool effect;
    avout_status status = avout_edn_text(&text, &length, value);
    if (status) return status;
    pthread_mutex_lock(&lock);
    fails(&effect, &status, at, SHELF_SET);
    if (effect && !accepts(at, token)) {
        effect = false;
        status = AVOUT_EVERSION;
    }
    if (effect) {
        at->greatest = token;
        keep(at, text, length);
    } else if (status == AVOUT_UNKNOWN) {
        free(at->late);
        at->late = strdup(text);
        at->late_token = token;
    }
    avout_edn_free(text);
    return answer(status);
}

static void close_shelf(avout_container *container)
{
    pthread_mutex_lock(&lock);
    objects--;
    unlock();
    free(container);
}

static const avout_container_ops ops = {AVOUT_CONTAINER_OPS_VERSION,
                                        sizeof ops,
                                        "shelf",
                                        init,
                                        destroy,
                                        get_state,
                                        set_state,
                                        close_shelf};

avout_status shelf_open(avout_container **container, const char *name)
{
    shelf *made = calloc(1, sizeof *made);
    if (!made) return AVOUT_ENOMEM;
    made->at = locked(name);
    objects++;
    unlock();
    made->is = (avout_container){&ops, made->at->name};
    *container = &made->is;
    return AVOUT_OK;
}

void shelf_checks_tokens(const char *name)
{
    locked(name)->checks_tokens = true;
    unlock();
}

void shelf_saw(const char *name, avout_token token)
{
    locked(name)->greatest = token;
    unlock();
}

void shelf_break(const char *name, shelf_fault fault)
{
    place *at = locked(name);
    at->fault = fault;
    at->broken = true;
    unlock();
}

void shelf_mend(const char *name)
{
    locked(name)->broken = false;
    unlock();
}

void shelf_put(const char *name, const char *text)
{
    place *at = locked(name);
    keep(at, text, text ? strlen(text) : 0);
    unlock();
}

bool shelf_is(const char *name, const char *text)
{
    const place *at = locked(name);
    bool is = text && at->text ? !strcmp(at->text, text) : text == at->text;
    unlock();
    return is;
}

bool shelf_arrive(const char *name)
{
    place *at = locked(name);
    CHECK(at->late);
    bool effect = accepts(at, at->late_token);
    if (effect) keep(at, at->late, strlen(at->late));
    unlock();
    return effect;
}

int shelf_called(const char *name, shelf_call call)
{
    int called = locked(name)->called[call];
    unlock();
    return called;
}

int shelf_objects(void)
{
    pthread_mutex_lock(&lock);
    int count = objects;
    unlock();
    return count;
}

void shelf_end(void)
{
    CHECK_INT(0, shelf_objects());
    for (int i = 0; i < PLACES; i++) {
        free(places[i].text);
        free(places[i].late);
    }
    memset(places, 0, sizeof places);
}
