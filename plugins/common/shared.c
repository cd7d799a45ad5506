/* Invariant: `all` holds the objects with users in this process; `lock` guards it and all `users`. An
 * object is made under the lock, so that there are never two, and destroyed outside of it: whoever asks
 * meanwhile gets a new one. */
#include "common/shared.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/words.h"

struct avout__plugin_shared {
    avout__plugin_shared *next;
    const avout__plugin_sharing *sharing;
    void *object;
    size_t users;
    pid_t process;
    char address[];
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static avout__plugin_shared *all;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void before_fork(void)
{
    pthread_mutex_lock(&lock);
}

static void after_fork(void)
{
    pthread_mutex_unlock(&lock);
}

/* A child must not find the lock held by a thread that it does not have. */
static void prepare(void)
{
    pthread_atfork(before_fork, after_fork, after_fork);
}

static avout__plugin_shared *find(const avout__plugin_sharing *sharing, const char *address)
{
    pid_t here = getpid();
    for (avout__plugin_shared *one = all; one; one = one->next)
        if (one->sharing == sharing && one->process == here && !strcmp(one->address, address))
            return one;
    return NULL;
}

static avout_status make(avout__plugin_shared **shared, const avout__plugin_sharing *sharing,
                         const char *address, const void *payload)
{
    size_t size = strlen(address) + 1;
    avout__plugin_shared *made = malloc(sizeof *made + size);
    if (!made) return avout__plugin_no_memory();
    *made = (avout__plugin_shared){.next = all, .sharing = sharing, .process = getpid()};
    memcpy(made->address, address, size);
    avout_status status = sharing->make(&made->object, address, payload);
    if (status) {
        free(made);
        return status;
    }
    *shared = all = made;
    return AVOUT_OK;
}

avout_status avout__plugin_share(avout__plugin_shared **shared,
                                 const avout__plugin_sharing *sharing, const char *address,
                                 const void *payload)
{
    pthread_once(&once, prepare);
    pthread_mutex_lock(&lock);
    avout__plugin_shared *found = find(sharing, address);
    avout_status status = found ? AVOUT_OK : make(&found, sharing, address, payload);
    if (!status) {
        found->users++;
        *shared = found;
    }
    pthread_mutex_unlock(&lock);
    return status;
}

void *avout__plugin_shared_object(const avout__plugin_shared *shared)
{
    return shared->object;
}

void avout__plugin_unshare(avout__plugin_shared *shared)
{
    if (!shared) return;
    pthread_mutex_lock(&lock);
    bool last = !--shared->users;
    if (last) {
        avout__plugin_shared **at = &all;
        while (*at != shared) at = &(*at)->next;
        *at = shared->next;
    }
    pthread_mutex_unlock(&lock);
    if (!last) return;
    if (shared->process == getpid()) shared->sharing->destroy(shared->object);
    free(shared);
}
