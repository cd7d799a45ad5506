#include "state/held.h"

#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "state/answer.h"
#include "state/foreign.h"
#include "base/banned.h"

/* ---- life --------------------------------------------------------------------------------------- */

static avout_status check_table(avout_container *container)
{
    static const avout__table known = {AVOUT_CONTAINER_OPS_VERSION, sizeof(avout_container_ops)};
    const avout_container_ops *ops = container ? container->ops : NULL;
    avout_status status =
        avout__table_known(ops ? &(avout__table){ops->version, ops->size} : NULL, known);
    if (status) return status;
    bool slots = ops->init && ops->destroy && ops->get_state && ops->set_state && ops->close;
    status = avout__table_whole(ops->kind, slots, container->place);
    if (status && ops->close) ops->close(container);
    return status;
}

avout_status avout__held_new(avout__held **out, avout_container *container, const char *name)
{
    avout_status status = check_table(container);
    if (status) return status;
    size_t size = strlen(name) + 1;
    avout__held *held = avout__calloc(1, sizeof *held + size);
    if (!held) {
        container->ops->close(container);
        return AVOUT_ENOMEM;
    }
    held->is = (avout__container){.name = container->ops->kind, .in_store = true, .held = true};
    atomic_init(&held->refs, 1);
    held->container = container;
    memcpy(held->name, name, size);
    *out = held;
    return AVOUT_OK;
}

avout__held *avout__held_ref(avout__held *held)
{
    atomic_fetch_add_explicit(&held->refs, 1, memory_order_relaxed);
    return held;
}

void avout__held_unref(avout__held *held)
{
    if (!held || atomic_fetch_sub(&held->refs, 1) != 1) return;
    held->container->ops->close(held->container);
    if (held->close_guard) held->close_guard(held->guard);
    avout__free(held);
}

avout__held *avout__held_of(const avout__container *container)
{
    if (!container->held) return NULL;
    return (avout__held *)(uintptr_t)container;
}

const void *avout__held_kind(const avout__held *held)
{
    return held->container->ops;
}

bool avout__held_same(const avout__held *one, const avout__held *other)
{
    const avout_container *a = one->container, *b = other->container;
    return a->ops == b->ops && !strcmp(a->place, b->place);
}

/* ---- calls ---------------------------------------------------------------------------------------- */

static avout__asked asked(const avout__held *held)
{
    return (avout__asked){held->name, held->is.name, held->container->place};
}

static avout_status failed(const avout__held *held, avout_status status, const char *doing)
{
    return avout__answer_failed(status, asked(held), doing);
}

avout_status avout__held_init(avout__held *held, int64_t deadline_ns)
{
    int64_t timeout_ms;
    avout_status status = avout__answer_time(&timeout_ms, asked(held), deadline_ns);
    if (status) return status;
    status = held->container->ops->init(held->container, timeout_ms);
    return status ? failed(held, status, "opening") : AVOUT_OK;
}

avout_status avout__held_destroy(avout__held *held, int64_t deadline_ns)
{
    int64_t timeout_ms;
    avout_status status = avout__answer_time(&timeout_ms, asked(held), deadline_ns);
    if (status) return status;
    status = held->container->ops->destroy(held->container, timeout_ms);
    return status ? failed(held, status, "destroying") : AVOUT_OK;
}

avout_status avout__held_get(avout_value *value, avout__held *held, int64_t deadline_ns)
{
    int64_t timeout_ms;
    avout_status status = avout__answer_time(&timeout_ms, asked(held), deadline_ns);
    if (status) return status;
    *value = AVOUT_NONE;
    status = held->container->ops->get_state(value, held->container, timeout_ms);
    if (status == AVOUT_ENOTFOUND)
        return avout_fail(status, "%s: container %s at %s: there is no value", held->name,
                          held->is.name, held->container->place);
    if (!status && avout_is_none(*value)) status = AVOUT_EDATA;
    return status ? failed(held, status, "reading") : AVOUT_OK;
}

avout_status avout__held_set(avout__held *held, avout_value value, avout_token token,
                             int64_t deadline_ns)
{
    int64_t timeout_ms;
    avout_status status = avout__answer_time(&timeout_ms, asked(held), deadline_ns);
    if (status) return status;
    status = held->container->ops->set_state(held->container, value, token, timeout_ms);
    if (!status) return AVOUT_OK;
    if (status != AVOUT_UNKNOWN && status != AVOUT_EVERSION) return failed(held, status, "writing");
    failed(held, status, "writing");
    return status;
}

/* ---- marks ---------------------------------------------------------------------------------------- */

#define BEGIN "#avout/state {:kind \"%s\", :held :"

void avout__mark_clean(avout__mark *mark, const avout__held *held, uint64_t change)
{
    mark->dirty = false;
    mark->change = change;
    snprintf(mark->text, sizeof mark->text, BEGIN "clean, :change %llu}", held->is.name,
             (unsigned long long)change);
}

void avout__mark_dirty(avout__mark *mark, const avout__held *held, uint64_t change,
                       avout_token token)
{
    char text[AVOUT_TOKEN_SIZE];
    mark->dirty = true;
    mark->change = change;
    snprintf(mark->text, sizeof mark->text, BEGIN "dirty, :change %llu, :token \"%s\"}",
             held->is.name, (unsigned long long)change, avout_token_text(text, token));
}

/* What was understood must be what is there: it is written again and compared. */
bool avout__mark_read(avout__mark *mark, const avout__held *held, const void *bytes, size_t length)
{
    char text[AVOUT__MARK_SIZE], begin[80];
    if (!length || length >= sizeof text) return false;
    memcpy(text, bytes, length);
    text[length] = '\0';
    int start = snprintf(begin, sizeof begin, BEGIN, held->is.name);
    if (strncmp(text, begin, (size_t)start)) return false;
    unsigned long long change = 0;
    char token[AVOUT_TOKEN_SIZE] = "", end;
    avout_token parsed = {0, 0};
    if (sscanf(text + start, "clean, :change %llu%c", &change, &end) == 2) {
        avout__mark_clean(mark, held, change);
    } else if (sscanf(text + start, "dirty, :change %llu, :token \"%33[0-9a-f-]\"%c", &change,
                      token, &end) == 3 &&
               !avout_token_parse(&parsed, token)) {
        avout__mark_dirty(mark, held, change, parsed);
    } else {
        return false;
    }
    return !strcmp(mark->text, text);
}

bool avout__mark_is_dirty(const avout__held *held, const void *bytes, size_t length)
{
    avout__mark mark;
    return avout__mark_read(&mark, held, bytes, length) && mark.dirty;
}

avout_status avout__mark_refused(const avout__held *held, const void *bytes, size_t length)
{
    char why[256];
    avout__pointer_tell(why, sizeof why, bytes, length);
    return avout_fail(AVOUT_EDATA, "%s: it is not kept in the unversioned container %s at %s: %s",
                      held->name, held->is.name, held->container->place, why);
}
