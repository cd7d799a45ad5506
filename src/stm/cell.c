/* Cells: the table by name, counting, reading without coordination. */
#include "stm/held.h"

#include <sched.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/fork.h"
#include "base/interrupt.h"
#include "base/text.h"
#include "base/banned.h"

/* What transactions that have ended may hold on to a cell that is to be opened in another way. */
enum { IDLE_MS = 1000 };

static uint32_t hash_name(const char *name)
{
    return avout__hash_text(name, strlen(name));
}

static avout__cell *find(avout__stm *stm, const char *name, uint32_t hash)
{
    if (!stm->bucket_count) return NULL;
    avout__cell *cell = stm->buckets[hash & (stm->bucket_count - 1)];
    while (cell && (cell->hash != hash || strcmp(cell->name, name))) cell = cell->next;
    return cell;
}

avout__cell *avout__cell_find(avout__stm *stm, const char *path)
{
    char name[AVOUT__PATH_MAX];
    return avout__layout_name(name, path) ? find(stm, name, hash_name(name)) : NULL;
}

static avout_status grow_table(avout__stm *stm)
{
    if (stm->cell_count < stm->bucket_count) return AVOUT_OK;
    size_t count = stm->bucket_count ? 2 * stm->bucket_count : 64;
    avout__cell **buckets = avout__calloc(count, sizeof(avout__cell *));
    if (!buckets) return AVOUT_ENOMEM;
    for (size_t i = 0; i < stm->bucket_count; i++) {
        for (avout__cell *cell = stm->buckets[i], *next; cell; cell = next) {
            next = cell->next;
            avout__cell **bucket = &buckets[cell->hash & (count - 1)];
            cell->next = *bucket;
            *bucket = cell;
        }
    }
    avout__free(stm->buckets);
    stm->buckets = buckets;
    stm->bucket_count = count;
    return AVOUT_OK;
}

static avout__cell *cell_new(avout__stm *stm, const char *name, const avout__container *container)
{
    size_t length = strlen(name);
    avout__cell *cell = avout__calloc(1, sizeof *cell + length + 1);
    if (!cell) return NULL;
    cell->stm = stm;
    cell->container = container;
    atomic_init(&cell->refs, 1);
    cell->hash = hash_name(name);
    cell->name_length = (uint32_t)length;
    memcpy(cell->name, name, length + 1);
    avout__list_init(&cell->waiters);
    avout__stm_ref(stm);
    return cell;
}

/* Who opens a name without saying where its values are gets it as it is open. *idle: nobody has it open
 * any more, only transactions that have ended. */
static avout_status same_container(bool *idle, const avout__cell *cell,
                                   const avout__container *container)
{
    const avout__container *known = cell->container;
    if (container == known || (!container && !known->held)) return AVOUT_OK;
    if (!container)
        return avout_fail(AVOUT_ESTATE,
                          "%s: is open in this client with its value in an unversioned container",
                          cell->name);
    if (known->foreign && container->foreign &&
        avout__foreign_same(avout__foreign_of(known), avout__foreign_of(container)))
        return AVOUT_OK;
    if (known->held && container->held &&
        avout__held_same(avout__held_of(known), avout__held_of(container)))
        return AVOUT_OK;
    bool elsewhere = known->foreign || known->held;
    *idle = !atomic_load(&cell->handles);
    return avout_fail(AVOUT_ESTATE, "%s: is open in this client with its values %s", cell->name,
                      elsewhere                               ? "in another container"
                      : container->foreign || container->held ? "in the store itself"
                                                              : "in another codec");
}

static avout_status open_in(avout__cell **out, bool *idle, avout__stm *stm, const char *name,
                            const avout__container *container)
{
    avout_status status = avout__stm_usable(stm);
    if (!status) status = avout__name_check(name);
    if (status) return status;
    uint32_t hash = hash_name(name);
    avout__stm_lock(stm);
    avout__cell *cell = find(stm, name, hash);
    if (cell) {
        status = same_container(idle, cell, container);
        if (!status) avout__cell_ref(cell);
    } else {
        status = grow_table(stm);
        cell =
            status ? NULL : cell_new(stm, name, container ? container : &avout__inline_container);
        if (cell && cell->container->foreign)
            avout__foreign_ref(avout__foreign_of(cell->container));
        if (cell && cell->container->held) avout__held_ref(avout__held_of(cell->container));
        if (!cell) {
            status = AVOUT_ENOMEM;
        } else {
            avout__cell **bucket = &stm->buckets[hash & (stm->bucket_count - 1)];
            cell->next = *bucket;
            *bucket = cell;
            stm->cell_count++;
        }
    }
    avout__stm_unlock(stm);
    if (!status) *out = cell;
    return status;
}

avout_status avout__cell_open(avout__cell **cell, avout__stm *stm, const char *name,
                              const avout__container *container)
{
    for (int64_t deadline_ns = avout__deadline_in_ms(IDLE_MS);;) {
        bool idle = false;
        avout_status status = open_in(cell, &idle, stm, name, container);
        if (status != AVOUT_ESTATE || !idle || avout__deadline_passed(deadline_ns)) return status;
        avout__epoch_collect();
        sched_yield();
    }
}

avout_status avout__cell_local(avout__cell **out, avout__stm *stm, avout_value initial)
{
    if (avout_is_none(initial)) return avout_none_status();
    avout_status status = avout__stm_usable(stm);
    avout__record *record = NULL;
    avout__cell *cell = NULL;
    if (status) {
        avout_release(initial);
        return status;
    }
    record = avout__record_new(AVOUT__RECORD_VALUE, initial, NULL);
    cell = record ? cell_new(stm, "", &avout__local_container) : NULL;
    if (!cell) {
        avout__record_unref(record);
        return AVOUT_ENOMEM;
    }
    record->version = 0;
    avout__stm_lock(stm);
    avout__confirmed_set(cell, record, true);
    avout__stm_unlock(stm);
    *out = cell;
    return AVOUT_OK;
}

avout__cell_extra *avout__cell_extra_get(avout__cell *cell)
{
    if (cell->extra) return cell->extra;
    avout__cell_extra *extra = avout__calloc(1, sizeof *extra);
    if (!extra) return NULL;
    extra->cell = cell;
    avout__list_init(&extra->history);
    avout__list_init(&extra->watches);
    cell->extra = extra;
    return extra;
}

static void leave_table(avout__cell *cell)
{
    avout__stm *stm = cell->stm;
    if (!cell->container->in_store) return;
    avout__cell **at = &stm->buckets[cell->hash & (stm->bucket_count - 1)];
    while (*at != cell) at = &(*at)->next;
    *at = cell->next;
    stm->cell_count--;
    avout__cell_untrust(cell);
    if (!cell->armed) return;
    char path[AVOUT__PATH_MAX];
    size_t length = avout__layout_path(path, cell->name);
    (void)length;
    cell->armed = false;
    stm->armed_bytes -= cell->name_length + sizeof AVOUT__CELLS + 8;
    avout__link_remove(&cell->armed_link);
    if (stm->connected && !atomic_load(&stm->closed) && stm->store->ops->unwatch)
        stm->store->ops->unwatch(stm->store, path);
}

/* Takes the cell's records out; with the lock held, when nobody can reach the cell any more. */
static void drop_records(avout__cell *cell)
{
    avout__past_clear(cell);
    avout__record_retire(cell->last);
    atomic_store_explicit(&cell->live, NULL, memory_order_relaxed);
    atomic_store_explicit(&cell->head, NULL, memory_order_relaxed);
    cell->last = NULL;
}

void avout__cell_unref(avout__cell *cell)
{
    if (!cell) return;
    /* The last reference goes under the lock, or a finder could revive what is being freed. */
    uint32_t refs = atomic_load_explicit(&cell->refs, memory_order_relaxed);
    while (refs > 1)
        if (atomic_compare_exchange_weak(&cell->refs, &refs, refs - 1)) return;
    avout__stm *stm = cell->stm;
    if (avout__stm_forked(stm)) return; /* the child keeps the memory */
    avout__stm_lock(stm);
    if (avout__store_delivering && atomic_load(&cell->refs) == 1) {
        avout__list_append(&stm->orphans, &cell->orphan);
        avout__keeper_wake(stm);
        avout__stm_unlock(stm);
        return;
    }
    if (atomic_fetch_sub(&cell->refs, 1) != 1) {
        avout__stm_unlock(stm);
        return;
    }
    cell->closed = true;
    leave_table(cell);
    drop_records(cell);
    avout__turn_free(cell);
    avout__cell_extra *extra = cell->extra;
    if (extra) avout__link_remove(&extra->notify);
    avout__stm_unlock(stm);
    if (extra) { avout__extra_free(cell); }
    /* Of one container, which is one or the other: it is looked at before it may be gone. */
    avout__foreign *foreign = avout__foreign_of(cell->container);
    avout__held *held = avout__held_of(cell->container);
    avout__foreign_unref(foreign);
    avout__held_unref(held);
    avout__foreign_unref(atomic_load_explicit(&cell->chunks, memory_order_relaxed));
    avout__free(cell);
    avout__stm_unref(stm);
}

void avout__orphans_free(avout__stm *stm)
{
    for (;;) {
        avout__stm_lock(stm);
        avout__cell *cell = NULL;
        if (!avout__list_empty(&stm->orphans)) {
            cell = AVOUT__LINK_OF(stm->orphans.next, avout__cell, orphan);
            avout__link_remove(&cell->orphan);
        }
        avout__stm_unlock(stm);
        if (!cell) return;
        avout__cell_unref(cell);
    }
}

/* ---- reading ------------------------------------------------------------------------------------------- */

bool avout__stm_forked(const avout__stm *stm)
{
    return atomic_load_explicit(&avout__forks, memory_order_relaxed) != stm->forks;
}

avout_status avout__stm_usable(avout__stm *stm)
{
    if (avout__stm_forked(stm))
        return avout_fail(AVOUT_EFORK, "the client was opened before fork, by the parent process");
    if (atomic_load_explicit(&stm->closed, memory_order_acquire))
        return avout_fail(AVOUT_ECLOSED, "the client is closed");
    return AVOUT_OK;
}

avout_status avout__stm_fresh(avout__stm *stm)
{
    avout_status status = avout__stm_usable(stm);
    if (status) return status;
    avout__stm_lock(stm);
    int64_t since = stm->connected ? 0 : stm->suspended_ns;
    avout__stm_unlock(stm);
    int64_t age_ms = since ? (avout__now_ns() - since) / 1000000 : 0;
    if (since && stm->max_staleness_ms && age_ms > stm->max_staleness_ms)
        return avout_fail(AVOUT_ECONNECTION,
                          "no connection to the store for %lld ms, reads may be %lld ms old",
                          (long long)age_ms, (long long)stm->max_staleness_ms);
    return AVOUT_OK;
}

/* Only who has to wait looks at the clock: deadline_ns 0 is timeout_ms from then on. */
static avout_status deref(avout_value *value, avout__cell *cell, int64_t deadline_ns,
                          int64_t timeout_ms)
{
    avout__stm *stm = cell->stm;
    for (;;) {
        if (atomic_load_explicit(&stm->degraded, memory_order_relaxed) ||
            atomic_load_explicit(&avout__forks, memory_order_relaxed) != stm->forks) {
            avout_status status = avout__stm_fresh(stm);
            if (status) return status;
        }
        if (!atomic_load_explicit(&cell->used, memory_order_relaxed))
            atomic_store_explicit(&cell->used, 1, memory_order_relaxed);
        avout__epoch_enter();
        avout__record *record = atomic_load_explicit(&cell->live, memory_order_acquire);
        if (record) {
            avout_value seen = {atomic_load_explicit(&record->value, memory_order_acquire)};
            if (seen.bits) {
                *value = avout_share(seen);
                avout__epoch_leave();
                return AVOUT_OK;
            }
            avout__record_ref(record);
        }
        avout__epoch_leave();
        if (record) {
            if (!deadline_ns && record->elsewhere) deadline_ns = avout__deadline_in_ms(timeout_ms);
            avout_status status;
            if (record->dirty) {
                status = avout__held_read(value, cell, record, deadline_ns);
            } else {
                status = avout__cell_value(value, cell, record, deadline_ns);
                if (!status) *value = avout_share(*value);
            }
            avout__record_unref(record);
            if (status == AVOUT_RETRY) continue;
            return status;
        }
        if (!deadline_ns) deadline_ns = avout__deadline_in_ms(timeout_ms);
        avout_status status = avout__cell_wait(cell, false, deadline_ns);
        if (status) return status;
    }
}

avout_status avout__cell_deref(avout_value *value, avout__cell *cell, int64_t deadline_ns)
{
    return deref(value, cell, deadline_ns, 0);
}

avout_status avout__cell_deref_within(avout_value *value, avout__cell *cell, int64_t timeout_ms)
{
    return deref(value, cell, 0, timeout_ms);
}
