/* Cancel tokens, and the deadlines of waits. A token knows the latches of the threads that wait with it;
 * its mutex is taken alone. */
#include "lock/lock.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/banned.h"

struct avout_cancel {
    pthread_mutex_t mutex;
    _Atomic bool set;
    avout__link entries;
};

avout_status avout_cancel_new(avout_cancel **out)
{
    avout_cancel *cancel = avout__calloc(1, sizeof *cancel);
    if (!cancel) return AVOUT_ENOMEM;
    pthread_mutex_init(&cancel->mutex, NULL);
    avout__list_init(&cancel->entries);
    *out = cancel;
    return AVOUT_OK;
}

void avout_cancel_set(avout_cancel *cancel)
{
    if (!cancel) return;
    pthread_mutex_lock(&cancel->mutex);
    atomic_store(&cancel->set, true);
    AVOUT__LIST_EACH(link, &cancel->entries)
    avout__latch_open(AVOUT__LINK_OF(link, avout__cancel_entry, link)->latch);
    pthread_mutex_unlock(&cancel->mutex);
}

bool avout_cancel_is_set(const avout_cancel *cancel)
{
    return cancel && atomic_load(&cancel->set);
}

void avout_cancel_free(avout_cancel *cancel)
{
    if (!cancel) return;
    AVOUT__ASSERT(avout__list_empty(&cancel->entries));
    pthread_mutex_destroy(&cancel->mutex);
    avout__free(cancel);
}

void avout__cancel_enter(avout_cancel *cancel, avout__cancel_entry *entry, avout__latch *latch)
{
    *entry = (avout__cancel_entry){.latch = latch};
    if (!cancel) return;
    pthread_mutex_lock(&cancel->mutex);
    avout__list_append(&cancel->entries, &entry->link);
    if (atomic_load(&cancel->set)) avout__latch_open(latch);
    pthread_mutex_unlock(&cancel->mutex);
}

void avout__cancel_leave(avout_cancel *cancel, avout__cancel_entry *entry)
{
    if (!cancel) return;
    pthread_mutex_lock(&cancel->mutex);
    avout__link_remove(&entry->link);
    pthread_mutex_unlock(&cancel->mutex);
}

avout_status avout__wait_deadline(int64_t *deadline_ns, const avout_wait_options *options,
                                  int64_t timeout_ms)
{
    static const avout_wait_options defaults = {0};
    if (!options) options = &defaults;
    if (options->timeout_ms < AVOUT_FOREVER || options->until_unix_ms < 0)
        return avout_fail(AVOUT_EINVAL, "wait: a negative time");
    if (options->timeout_ms && options->until_unix_ms)
        return avout_fail(AVOUT_EINVAL, "wait: both timeout_ms and until_unix_ms");
    if (options->until_unix_ms) {
        int64_t left = options->until_unix_ms - avout__unix_ms();
        *deadline_ns = avout__deadline_in_ms(left > 0 ? left : 0);
    } else {
        *deadline_ns =
            avout__deadline_in_ms(options->timeout_ms ? options->timeout_ms : timeout_ms);
    }
    return AVOUT_OK;
}
