/* The public condition: a name on a lock's handle. */
#include "avout/lock.h"

#include <string.h>

#include "base/alloc.h"
#include "client/handles.h"
#include "base/banned.h"

struct avout_condition {
    avout_lock *lock;
    char name[];
};

avout_status avout_condition_open(avout_condition **out, avout_lock *lock, const char *name)
{
    avout_status status = avout__locks_usable(lock->handle.lock->room);
    if (!status) status = avout__condition_check(name);
    if (status) return status;
    size_t size = strlen(name) + 1;
    avout_condition *condition = avout__alloc(sizeof *condition + size);
    if (!condition) return AVOUT_ENOMEM;
    condition->lock = lock;
    memcpy(condition->name, name, size);
    *out = condition;
    return AVOUT_OK;
}

void avout_condition_close(avout_condition *condition)
{
    avout__free(condition);
}

avout_status avout_condition_wait(avout_condition *condition, const avout_wait_options *options)
{
    return avout__condition_wait(&condition->lock->handle, condition->name, options);
}

avout_status avout_condition_signal(avout_condition *condition)
{
    return avout__condition_signal(&condition->lock->handle, condition->name, false);
}

avout_status avout_condition_signal_all(avout_condition *condition)
{
    return avout__condition_signal(&condition->lock->handle, condition->name, true);
}
