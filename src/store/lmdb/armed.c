#include "store/lmdb/armed.h"

#include <string.h>

#include "base/alloc.h"
#include "base/text.h"
#include "base/banned.h"

enum { FIRST_BUCKETS = 64 };

static uint32_t hash_of(const char *path, size_t length)
{
    uint32_t hash = avout__hash_text(path, length);
    return hash ^ hash >> 15;
}

static avout__lmdb_watch **find(const avout__lmdb_armed *armed, const char *path, size_t length,
                                uint32_t hash)
{
    avout__lmdb_watch **place = &armed->buckets[hash & (armed->bucket_count - 1)];
    while (*place && ((*place)->hash != hash || strncmp((*place)->path, path, length) ||
                      (*place)->path[length]))
        place = &(*place)->next;
    return place;
}

/* Without memory for more buckets the chains just get longer. */
static avout_status grow(avout__lmdb_armed *armed)
{
    size_t count = armed->bucket_count ? armed->bucket_count * 2 : FIRST_BUCKETS;
    avout__lmdb_watch **buckets = avout__calloc(count, sizeof(void *));
    if (!buckets) return armed->bucket_count ? AVOUT_OK : AVOUT_ENOMEM;
    for (size_t i = 0; i < armed->bucket_count; i++) {
        for (avout__lmdb_watch *watch = armed->buckets[i], *next; watch; watch = next) {
            next = watch->next;
            watch->next = buckets[watch->hash & (count - 1)];
            buckets[watch->hash & (count - 1)] = watch;
        }
    }
    avout__free(armed->buckets);
    armed->buckets = buckets;
    armed->bucket_count = count;
    return AVOUT_OK;
}

avout_status avout__lmdb_armed_add(avout__lmdb_armed *armed, const char *path, uint32_t kind)
{
    if (armed->count >= armed->bucket_count && grow(armed)) return AVOUT_ENOMEM;
    size_t length = strlen(path);
    uint32_t hash = hash_of(path, length);
    avout__lmdb_watch **place = find(armed, path, length, hash);
    if (!*place) {
        avout__lmdb_watch *watch = avout__alloc(sizeof *watch + length + 1);
        if (!watch) return AVOUT_ENOMEM;
        *watch = (avout__lmdb_watch){.hash = hash};
        memcpy(watch->path, path, length + 1);
        *place = watch;
        armed->count++;
    }
    (*place)->kinds |= kind;
    return AVOUT_OK;
}

uint32_t avout__lmdb_armed_take(avout__lmdb_armed *armed, const char *path, size_t length,
                                uint32_t kinds)
{
    if (armed->count == 0) return 0;
    avout__lmdb_watch **place = find(armed, path, length, hash_of(path, length));
    avout__lmdb_watch *watch = *place;
    if (!watch) return 0;
    uint32_t taken = watch->kinds & kinds;
    watch->kinds &= ~kinds;
    if (watch->kinds == 0) {
        *place = watch->next;
        armed->count--;
        avout__free(watch);
    }
    return taken;
}

avout__lmdb_watch *avout__lmdb_armed_take_all(avout__lmdb_armed *armed)
{
    avout__lmdb_watch *all = NULL;
    for (size_t i = 0; i < armed->bucket_count; i++) {
        while (armed->buckets[i]) {
            avout__lmdb_watch *watch = armed->buckets[i];
            armed->buckets[i] = watch->next;
            watch->next = all;
            all = watch;
        }
    }
    armed->count = 0;
    return all;
}

void avout__lmdb_armed_release(avout__lmdb_armed *armed)
{
    for (avout__lmdb_watch *watch = avout__lmdb_armed_take_all(armed), *next; watch; watch = next) {
        next = watch->next;
        avout__free(watch);
    }
    avout__free(armed->buckets);
    *armed = (avout__lmdb_armed)AVOUT__LMDB_ARMED_INIT;
}
