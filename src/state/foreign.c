#include "state/foreign.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "state/answer.h"
#include "base/text.h"
#include "base/banned.h"

/* ---- life --------------------------------------------------------------------------------------- */

static avout_status check_table(avout_versioned_container *container)
{
    static const avout__table known = {AVOUT_VERSIONED_CONTAINER_OPS_VERSION,
                                       sizeof(avout_versioned_container_ops)};
    const avout_versioned_container_ops *ops = container ? container->ops : NULL;
    avout_status status =
        avout__table_known(ops ? &(avout__table){ops->version, ops->size} : NULL, known);
    if (status) return status;
    bool slots = ops->init && ops->destroy && ops->get_state_at && ops->set_state_at &&
                 ops->delete_state_at && ops->close;
    status = avout__table_whole(ops->kind, slots, container->place);
    if (status && ops->close) ops->close(container);
    return status;
}

uint64_t avout__foreign_hash(const char *name)
{
    return avout__hash64_text(AVOUT__HASH64_BASIS, name, strlen(name));
}

avout_status avout__foreign_new(avout__foreign **out, avout_versioned_container *container,
                                const char *name)
{
    avout_status status = check_table(container);
    if (status) return status;
    size_t size = strlen(name) + 1;
    avout__foreign *foreign = avout__calloc(1, sizeof *foreign + size);
    if (!foreign) {
        container->ops->close(container);
        return AVOUT_ENOMEM;
    }
    foreign->is =
        (avout__container){.name = container->ops->kind, .in_store = true, .foreign = true};
    atomic_init(&foreign->refs, 1);
    foreign->container = container;
    memcpy(foreign->name, name, size);
    snprintf(foreign->prefix, sizeof foreign->prefix, "%016llx-",
             (unsigned long long)avout__foreign_hash(name));
    pthread_mutex_init(&foreign->lock, NULL);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&foreign->loaded, &monotonic);
    pthread_condattr_destroy(&monotonic);
    *out = foreign;
    return AVOUT_OK;
}

avout__foreign *avout__foreign_ref(avout__foreign *foreign)
{
    atomic_fetch_add_explicit(&foreign->refs, 1, memory_order_relaxed);
    return foreign;
}

void avout__foreign_unref(avout__foreign *foreign)
{
    if (!foreign || atomic_fetch_sub(&foreign->refs, 1) != 1) return;
    foreign->container->ops->close(foreign->container);
    avout_release(foreign->known);
    pthread_mutex_destroy(&foreign->lock);
    pthread_cond_destroy(&foreign->loaded);
    avout__free(foreign);
}

avout__foreign *avout__foreign_of(const avout__container *container)
{
    if (!container->foreign) return NULL;
    return (avout__foreign *)(uintptr_t)container;
}

const void *avout__foreign_kind(const avout__foreign *foreign)
{
    return foreign->container->ops;
}

bool avout__foreign_same(const avout__foreign *one, const avout__foreign *other)
{
    const avout_versioned_container *a = one->container, *b = other->container;
    return a->ops == b->ops && !strcmp(a->place, b->place);
}

/* ---- failures ------------------------------------------------------------------------------------- */

static avout__asked asked(const avout__foreign *foreign)
{
    return (avout__asked){foreign->name, foreign->is.name, foreign->container->place};
}

static avout_status failed(const avout__foreign *foreign, avout_status status, const char *doing)
{
    return avout__answer_failed(status, asked(foreign), doing);
}

/* ---- pointers ------------------------------------------------------------------------------------- */

#define BEGIN "#avout/state {:kind \""
#define MIDDLE "\", :version \""
#define END "\"}"

bool avout__pointer_is(const char *bytes, size_t length)
{
    return length >= strlen(BEGIN) && !memcmp(bytes, BEGIN, strlen(BEGIN));
}

bool avout__pointer_is_of(const char *bytes, size_t length, const char *kind)
{
    size_t begin = strlen(BEGIN), size = strlen(kind);
    return avout__pointer_is(bytes, length) && length > begin + size &&
           !memcmp(bytes + begin, kind, size) && bytes[begin + size] == '"';
}

static bool skip(const char **at, const char *end, const char *text)
{
    size_t length = strlen(text);
    if ((size_t)(end - *at) < length || memcmp(*at, text, length)) return false;
    *at += length;
    return true;
}

bool avout__pointer_kind(char kind[AVOUT_KIND_SIZE], const char *bytes, size_t length)
{
    kind[0] = '\0';
    if (!avout__pointer_is(bytes, length)) return false;
    const char *at = bytes + strlen(BEGIN), *end = memchr(at, '"', length - strlen(BEGIN));
    if (!end || end - at > AVOUT__KIND_MAX) return false;
    snprintf(kind, AVOUT_KIND_SIZE, "%.*s", (int)(end - at), at);
    return skip(&end, bytes + length, MIDDLE);
}

avout_status avout__pointer_refused(const char *bytes, size_t length)
{
    char kind[AVOUT_KIND_SIZE];
    (void)avout__pointer_kind(kind, bytes, length);
    return avout_fail(AVOUT_EDATA,
                      "its value is in a state container (%s), with which it has to be opened",
                      kind);
}

void avout__pointer_tell(char *why, size_t size, const char *bytes, size_t length)
{
    bool is = avout__pointer_is(bytes, length);
    if (is) avout__pointer_refused(bytes, length);
    snprintf(why, size, "%s", is ? avout_error_detail() : "there is a value in the store itself");
}

static avout_status add_pointer(avout__buffer *bytes, const avout__foreign *foreign,
                                const char *version)
{
    return avout__buffer_add_format(bytes, BEGIN "%s" MIDDLE "%s" END, foreign->is.name, version);
}

bool avout__pointer_version(char version[AVOUT__VERSION_SIZE], const avout__foreign *foreign,
                            const void *bytes, size_t length)
{
    const char *at = bytes, *end = at + length;
    if (!length || !skip(&at, end, BEGIN) || !skip(&at, end, foreign->is.name) ||
        !skip(&at, end, MIDDLE))
        return false;
    const char *quote = memchr(at, '"', (size_t)(end - at));
    if (!quote || quote - at > AVOUT_VERSION_MAX) return false;
    memcpy(version, at, (size_t)(quote - at));
    version[quote - at] = '\0';
    return avout__answer_is_word(version, AVOUT_VERSION_MAX) && skip(&quote, end, END) &&
           quote == end;
}

avout_status avout__pointer_check(const avout__foreign *foreign, const void *bytes, size_t length)
{
    char version[AVOUT__VERSION_SIZE];
    if (avout__pointer_version(version, foreign, bytes, length)) return AVOUT_OK;
    char why[256];
    avout__pointer_tell(why, sizeof why, bytes, length);
    return avout_fail(AVOUT_EDATA, "%s: its values are not in container %s at %s: %s",
                      foreign->name, foreign->is.name, foreign->container->place, why);
}

/* ---- values --------------------------------------------------------------------------------------- */

avout_status avout__foreign_init(avout__foreign *foreign, int64_t deadline_ns)
{
    int64_t timeout_ms = 0;
    avout_status status = avout__answer_time(&timeout_ms, asked(foreign), deadline_ns);
    if (status) return status;
    status = foreign->container->ops->init(foreign->container, timeout_ms);
    return status ? failed(foreign, status, "opening") : AVOUT_OK;
}

avout_status avout__foreign_destroy(avout__foreign *foreign, int64_t deadline_ns)
{
    int64_t timeout_ms = 0;
    avout_status status = avout__answer_time(&timeout_ms, asked(foreign), deadline_ns);
    if (status) return status;
    status = foreign->container->ops->destroy(foreign->container, timeout_ms);
    return status ? failed(foreign, status, "destroying") : AVOUT_OK;
}

avout_status avout__foreign_stage(avout__buffer *bytes, avout__foreign *foreign, avout_value value,
                                  const char *client_id, uint64_t number, int64_t deadline_ns)
{
    char version[AVOUT__VERSION_SIZE];
    snprintf(version, sizeof version, "%s%s-%llx", foreign->prefix, client_id,
             (unsigned long long)number);
    /* First: what has been written must not be forgotten for want of memory. */
    avout_status status = add_pointer(bytes, foreign, version);
    int64_t timeout_ms = 0;
    if (!status) status = avout__answer_time(&timeout_ms, asked(foreign), deadline_ns);
    if (status) return status;
    avout_versioned_container *container = foreign->container;
    status = container->ops->set_state_at(container, version, value, timeout_ms);
    return status ? failed(foreign, status, "writing") : AVOUT_OK;
}

/* Whether it is known now; waits while somebody else reads the same. */
static bool find_known(avout_value *value, avout__foreign *foreign, const char *version,
                       int64_t deadline_ns)
{
    bool found = false;
    pthread_mutex_lock(&foreign->lock);
    for (;;) {
        found = !strcmp(foreign->known_version, version) && !avout_is_none(foreign->known);
        if (found) *value = avout_share(foreign->known);
        if (found || !foreign->loading || strcmp(foreign->loading_version, version)) break;
        if (deadline_ns == AVOUT__NEVER) {
            pthread_cond_wait(&foreign->loaded, &foreign->lock);
            continue;
        }
        struct timespec until = {(time_t)(deadline_ns / 1000000000),
                                 (long)(deadline_ns % 1000000000)};
        if (pthread_cond_timedwait(&foreign->loaded, &foreign->lock, &until) == ETIMEDOUT) break;
    }
    if (!found && !foreign->loading) {
        foreign->loading = true;
        snprintf(foreign->loading_version, sizeof foreign->loading_version, "%s", version);
    }
    pthread_mutex_unlock(&foreign->lock);
    return found;
}

static void now_known(avout__foreign *foreign, const char *version, avout_value value)
{
    avout_value old = AVOUT_NONE;
    pthread_mutex_lock(&foreign->lock);
    if (!avout_is_none(value)) {
        old = foreign->known;
        foreign->known = avout_share(value);
        snprintf(foreign->known_version, sizeof foreign->known_version, "%s", version);
    }
    if (foreign->loading && !strcmp(foreign->loading_version, version)) {
        foreign->loading = false;
        pthread_cond_broadcast(&foreign->loaded);
    }
    pthread_mutex_unlock(&foreign->lock);
    avout_release(old);
}

static avout_status read_version(avout_value *value, avout__foreign *foreign, const char *version,
                                 int64_t deadline_ns)
{
    int64_t timeout_ms = 0;
    avout_status status = avout__answer_time(&timeout_ms, asked(foreign), deadline_ns);
    if (status) return status;
    avout_versioned_container *container = foreign->container;
    *value = AVOUT_NONE;
    status = container->ops->get_state_at(value, container, version, timeout_ms);
    if (status == AVOUT_ENOTFOUND)
        return avout_fail(status, "%s: container %s at %s: version %s is not there", foreign->name,
                          container->ops->kind, container->place, version);
    if (!status && avout_is_none(*value)) status = AVOUT_EDATA;
    return status ? failed(foreign, status, "reading") : AVOUT_OK;
}

avout_status avout__foreign_load(avout_value *value, avout__foreign *foreign, const char *bytes,
                                 size_t length, int64_t deadline_ns)
{
    char version[AVOUT__VERSION_SIZE];
    if (!avout__pointer_version(version, foreign, bytes, length))
        return avout__pointer_check(foreign, bytes, length);
    if (find_known(value, foreign, version, deadline_ns)) return AVOUT_OK;
    avout_value read = AVOUT_NONE;
    avout_status status = read_version(&read, foreign, version, deadline_ns);
    now_known(foreign, version, status ? AVOUT_NONE : read);
    if (!status) *value = read;
    return status;
}

avout_status avout__foreign_delete(avout__foreign *foreign, const char *version,
                                   int64_t deadline_ns)
{
    int64_t timeout_ms = 0;
    avout_status status = avout__answer_time(&timeout_ms, asked(foreign), deadline_ns);
    if (status) return status;
    avout_versioned_container *container = foreign->container;
    status = container->ops->delete_state_at(container, version, timeout_ms);
    return status ? failed(foreign, status, "deleting") : AVOUT_OK;
}

/* ---- listing -------------------------------------------------------------------------------------- */

typedef struct listing {
    const avout__foreign *foreign;
    avout_version_fn found;
    void *payload;
} listing;

static avout_status own_version(const char *version, void *payload)
{
    const listing *list = payload;
    if (!avout__answer_is_word(version, AVOUT_VERSION_MAX) ||
        strncmp(version, list->foreign->prefix, strlen(list->foreign->prefix)))
        return AVOUT_OK;
    return list->found(version, list->payload);
}

avout_status avout__foreign_list(avout__foreign *foreign, avout_version_fn found, void *payload,
                                 int64_t deadline_ns)
{
    avout_versioned_container *container = foreign->container;
    if (!container->ops->list_versions)
        return avout_fail(AVOUT_ENOTSUP, "%s: container %s cannot list its versions", foreign->name,
                          container->ops->kind);
    int64_t timeout_ms = 0;
    avout_status status = avout__answer_time(&timeout_ms, asked(foreign), deadline_ns);
    if (status) return status;
    listing list = {foreign, found, payload};
    status = container->ops->list_versions(container, own_version, &list, timeout_ms);
    return status ? failed(foreign, status, "listing") : AVOUT_OK;
}
