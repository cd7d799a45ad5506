#include "support/vault.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "avout/edn.h"
#include "support/test.h"

typedef struct kept {
    struct kept *next;
    char *text;
    size_t length; /* strings may have a NUL in them */
    char version[AVOUT_VERSION_MAX + 1];
} kept;

enum { FAULTS = 8 };

typedef struct place {
    struct place *next;
    char *name;
    kept *versions;
    int called[VAULT_CALLS];
    vault_fault faults[FAULTS];
    int fault_count, mendings;
} place;

typedef struct vault {
    avout_versioned_container is;
    place *at;
} vault;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t mended = PTHREAD_COND_INITIALIZER;
static place *places;
static int objects;

static place *place_of(const char *name)
{
    for (place *at = places; at; at = at->next)
        if (!strcmp(at->name, name)) return at;
    place *fresh = calloc(1, sizeof *fresh);
    fresh->name = strdup(name);
    fresh->next = places;
    return places = fresh;
}

static kept **find(place *at, const char *version)
{
    kept **found = &at->versions;
    while (*found && strcmp((*found)->version, version)) found = &(*found)->next;
    return found;
}

/* With the lock given back. */
static void wait_out(place *at, vault_fault *due, int64_t timeout_ms)
{
    if (!due->delay_ms) return;
    bool whole = due->delay_ms == AVOUT_FOREVER || due->delay_ms >= timeout_ms;
    int64_t ms = whole ? timeout_ms : due->delay_ms;
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    int64_t ns = until.tv_nsec + ms % 1000 * 1000000;
    until.tv_sec += ms / 1000 + ns / 1000000000;
    until.tv_nsec = ns % 1000000000;
    int mendings = at->mendings, timed_out = 0;
    while (at->mendings == mendings && !timed_out)
        timed_out = pthread_cond_timedwait(&mended, &lock, &until);
    if (timed_out && whole && !due->status) due->status = AVOUT_ETIMEOUT;
}

static vault_fault begin(place *at, vault_call call, int64_t timeout_ms)
{
    pthread_mutex_lock(&lock);
    at->called[call]++;
    vault_fault due = {0};
    for (int i = 0; i < at->fault_count; i++) {
        vault_fault *fault = &at->faults[i];
        if (fault->call != call || --fault->nth > 0) continue;
        due = *fault;
        if (!fault->lasting) at->faults[i] = at->faults[--at->fault_count];
        break;
    }
    due.timeout_ms = timeout_ms;
    if (!due.late) wait_out(at, &due, timeout_ms);
    return due;
}

static avout_status end(place *at, vault_fault *fault, avout_status status)
{
    if (fault->late) wait_out(at, fault, fault->timeout_ms);
    pthread_mutex_unlock(&lock);
    if (fault->status) return avout_fail(fault->status, "the vault was told to fail");
    return status;
}

static bool acts(const vault_fault *fault)
{
    return !fault->status || fault->after;
}

static avout_status init(avout_versioned_container *container, int64_t timeout_ms)
{
    place *at = ((vault *)container)->at;
    vault_fault fault = begin(at, VAULT_INIT, timeout_ms);
    return end(at, &fault, AVOUT_OK);
}

static avout_status destroy(avout_versioned_container *container, int64_t timeout_ms)
{
    place *at = ((vault *)container)->at;
    vault_fault fault = begin(at, VAULT_DESTROY, timeout_ms);
    return end(at, &fault, AVOUT_OK);
}

static char *copy(const char *text, size_t length)
{
    return memcpy(malloc(length + 1), text, length);
}

static avout_status get_state_at(avout_value *value, avout_versioned_container *container,
                                 const char *version, int64_t timeout_ms)
{
    place *at = ((vault *)container)->at;
    vault_fault fault = begin(at, VAULT_GET, timeout_ms);
    kept *found = *find(at, version);
    size_t length = found ? found->length : 0;
    char *text = found ? copy(found->text, length) : NULL;
    avout_status status = end(at, &fault, AVOUT_OK);
    if (!status && !text) status = avout_fail(AVOUT_ENOTFOUND, "no %s", version);
    if (!status) status = avout_edn_read(value, text, length, NULL, NULL);
    free(text);
    return status;
}

static void put(place *at, const char *version, const char *text, size_t length)
{
    kept *fresh = calloc(1, sizeof *fresh);
    fresh->text = copy(text, length);
    fresh->length = length;
    snprintf(fresh->version, sizeof fresh->version, "%s", version);
    fresh->next = at->versions;
    at->versions = fresh;
}

static avout_status set_state_at(avout_versioned_container *container, const char *version,
                                 avout_value value, int64_t timeout_ms)
{
    place *at = ((vault *)container)->at;
    char *text;
    size_t length;
    avout_status status = avout_edn_text(&text, &length, value);
    if (status) return status;
    vault_fault fault = begin(at, VAULT_SET, timeout_ms);
    if (*find(at, version)) status = avout_fail(AVOUT_EEXISTS, "%s is there", version);
    else if (acts(&fault)) put(at, version, text, length);
    status = end(at, &fault, status);
    avout_edn_free(text);
    return status;
}

static void drop(kept **at)
{
    kept *gone = *at;
    *at = gone->next;
    free(gone->text);
    free(gone);
}

static avout_status delete_state_at(avout_versioned_container *container, const char *version,
                                    int64_t timeout_ms)
{
    place *at = ((vault *)container)->at;
    vault_fault fault = begin(at, VAULT_DELETE, timeout_ms);
    kept **found = find(at, version);
    if (*found && acts(&fault)) drop(found);
    return end(at, &fault, AVOUT_OK);
}

static avout_status list_versions(avout_versioned_container *container, avout_version_fn found,
                                  void *payload, int64_t timeout_ms)
{
    place *at = ((vault *)container)->at;
    vault_fault fault = begin(at, VAULT_LIST, timeout_ms);
    avout_status status = AVOUT_OK;
    for (kept *one = at->versions; acts(&fault) && one && !status; one = one->next)
        status = found(one->version, payload);
    return end(at, &fault, status);
}

static void close_vault(avout_versioned_container *container)
{
    pthread_mutex_lock(&lock);
    objects--;
    pthread_mutex_unlock(&lock);
    free(container);
}

#define TABLE(kind)                                                                                \
    {                                                                                              \
        AVOUT_VERSIONED_CONTAINER_OPS_VERSION, sizeof(avout_versioned_container_ops), kind, init,  \
            destroy, get_state_at, set_state_at, delete_state_at, list_versions, close_vault       \
    }
static const avout_versioned_container_ops vault_ops = TABLE("vault");
static const avout_versioned_container_ops other_ops = TABLE("other");

static avout_status open_with(avout_versioned_container **container, const char *name,
                              const avout_versioned_container_ops *ops)
{
    vault *fresh = calloc(1, sizeof *fresh);
    pthread_mutex_lock(&lock);
    fresh->at = place_of(name);
    objects++;
    pthread_mutex_unlock(&lock);
    fresh->is.ops = ops;
    fresh->is.place = fresh->at->name;
    *container = &fresh->is;
    return AVOUT_OK;
}

avout_status vault_open(avout_versioned_container **container, const char *name)
{
    return open_with(container, name, &vault_ops);
}

avout_status vault_open_other(avout_versioned_container **container, const char *name)
{
    return open_with(container, name, &other_ops);
}

void vault_break(const char *name, vault_fault fault)
{
    pthread_mutex_lock(&lock);
    place *at = place_of(name);
    CHECK(at->fault_count < FAULTS);
    at->faults[at->fault_count++] = fault;
    pthread_mutex_unlock(&lock);
}

void vault_mend(const char *name)
{
    pthread_mutex_lock(&lock);
    place_of(name)->fault_count = 0;
    place_of(name)->mendings++;
    pthread_cond_broadcast(&mended);
    pthread_mutex_unlock(&lock);
}

void vault_lose(const char *name)
{
    pthread_mutex_lock(&lock);
    place *at = place_of(name);
    while (at->versions) drop(&at->versions);
    pthread_mutex_unlock(&lock);
}

void vault_put(const char *name, const char *version, const char *text)
{
    pthread_mutex_lock(&lock);
    put(place_of(name), version, text, strlen(text));
    pthread_mutex_unlock(&lock);
}

size_t vault_count(const char *name)
{
    size_t count = 0;
    pthread_mutex_lock(&lock);
    for (kept *one = place_of(name)->versions; one; one = one->next) count++;
    pthread_mutex_unlock(&lock);
    return count;
}

bool vault_has(const char *name, const char *version)
{
    pthread_mutex_lock(&lock);
    bool has = *find(place_of(name), version) != NULL;
    pthread_mutex_unlock(&lock);
    return has;
}

int vault_called(const char *name, vault_call call)
{
    pthread_mutex_lock(&lock);
    int called = place_of(name)->called[call];
    pthread_mutex_unlock(&lock);
    return called;
}

int vault_objects(void)
{
    pthread_mutex_lock(&lock);
    int open = objects;
    pthread_mutex_unlock(&lock);
    return open;
}

void vault_end(void)
{
    CHECK_INT(0, vault_objects());
    while (places) {
        place *gone = places;
        places = gone->next;
        while (gone->versions) drop(&gone->versions);
        free(gone->name);
        free(gone);
    }
}
