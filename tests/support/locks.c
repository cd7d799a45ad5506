#include "support/locks.h"

#include "base/clock.h"
#include "client/handles.h"

int64_t locks_now_ms(void)
{
    return avout__now_ns() / 1000000;
}

avout_lock *locks_open(avout_client *client, const char *name)
{
    avout_lock *lock;
    CHECK_OK(avout_lock_open(&lock, client, name));
    return lock;
}

avout_rwlock *locks_open_rw(avout_client *client, const char *name)
{
    avout_rwlock *lock;
    CHECK_OK(avout_rwlock_open(&lock, client, name));
    return lock;
}

avout_condition *locks_open_condition(avout_lock *lock, const char *name)
{
    avout_condition *condition;
    CHECK_OK(avout_condition_open(&condition, lock, name));
    return condition;
}

size_t locks_queue(avout_client *client, const char *name)
{
    avout_lock_report *report;
    CHECK_OK(avout_lock_inspect(&report, client, name));
    size_t count = report->count;
    avout_lock_report_free(report);
    return count;
}

void locks_await_queue(avout_client *client, const char *name, size_t length)
{
    TEST_AWAIT(locks_queue(client, name) == length);
}

static size_t count_waiting(avout__lock *lock)
{
    size_t count = 0;
    avout__locks_lock(lock->room);
    AVOUT__LIST_EACH(link, &lock->claims)
    {
        avout__claim *claim = AVOUT__LINK_OF(link, avout__claim, link);
        AVOUT__LIST_EACH(want, &claim->wants) count++;
    }
    avout__locks_unlock(lock->room);
    return count;
}

void locks_await_waiting(avout_lock *lock, size_t count)
{
    TEST_AWAIT(count_waiting(lock->handle.lock) == count);
}

static void *acquire_and_release(void *payload)
{
    locks_waiter *w = payload;
    w->begun = true;
    w->status = avout_lock_acquire(&w->token, w->lock, &w->options);
    if (!w->status) w->released = avout_lock_release(w->lock);
    return NULL;
}

void locks_start(locks_waiter *w, avout_lock *lock, avout_wait_options options)
{
    *w = (locks_waiter){.lock = lock, .options = options};
    CHECK(!pthread_create(&w->thread, NULL, acquire_and_release, w));
    TEST_AWAIT(w->begun);
}

avout_status locks_finish(locks_waiter *w)
{
    pthread_join(w->thread, NULL);
    return w->status ? w->status : w->released;
}
