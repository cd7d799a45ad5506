/* Barriers: making, opening, closing and resetting them. What happens at them is in barrier.c. */
#include "lock/barrier.h"

#include <inttypes.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/banned.h"

/* ---- opening --------------------------------------------------------------------------------------- */

static avout_barrier *barrier_new(avout__locks *room, const char *name, const char *path,
                                  const avout__barrier_state *state)
{
    size_t size = strlen(name) + 1;
    avout_barrier *barrier = avout__calloc(1, sizeof *barrier + size);
    char *copy = barrier ? avout__strdup(path) : NULL;
    if (!copy) {
        avout__free(barrier);
        return NULL;
    }
    atomic_fetch_add(&room->refs, 1);
    barrier->room = room;
    barrier->path = copy;
    barrier->parties = state->parties;
    barrier->generation = state->generation;
    memcpy(barrier->name, name, size);
    return barrier;
}

void avout_barrier_close(avout_barrier *barrier)
{
    if (!barrier) return;
    avout__locks_unref(barrier->room);
    avout__free(barrier->path);
    avout__free(barrier);
}

const char *avout_barrier_name(const avout_barrier *barrier)
{
    return barrier->name;
}

uint32_t avout_barrier_parties(const avout_barrier *barrier)
{
    return barrier->parties;
}

/* Whether the store can carry the multi that releases so many. */
static avout_status check_size(avout__watcher *watcher, uint32_t parties)
{
    avout_store_info info = {0};
    avout__locks *room = watcher->room;
    avout__locks_lock(room);
    if (!atomic_load(&room->closed)) room->store->ops->info(room->store, &info);
    avout__locks_unlock(room);
    size_t each =
        strlen(watcher->path) + AVOUT__CLAIM_NAME + AVOUT__BARRIER_TEXT / 2 + info.op_overhead;
    size_t most = info.max_request / each;
    if (!parties)
        return avout_fail(AVOUT_ERANGE, "%s: a barrier takes one party at least", watcher->name);
    if (info.max_request && parties >= most)
        return avout_fail(AVOUT_ELIMIT,
                          "%s: %" PRIu32 " parties; the store can release %zu at once",
                          watcher->name, parties, most - 1);
    return AVOUT_OK;
}

static avout_status make_or_join(avout__barrier_state *state, avout__watcher *watcher)
{
    char text[AVOUT__BARRIER_TEXT];
    avout__barrier_state mine = *state;
    avout__barrier_write(text, &mine);
    avout_op op = {
        .kind = AVOUT_OP_CREATE, .path = watcher->path, .bytes = text, .length = strlen(text)};
    for (;;) {
        size_t failed;
        avout_status status = avout__watcher_make(watcher, AVOUT__BARRIERS_PATH, &op, 1, &failed);
        if (status == AVOUT_UNKNOWN)
            return avout_fail(AVOUT_ETIMEOUT, "%s: could not be made before the deadline",
                              watcher->name);
        if (status != AVOUT_EEXISTS) return status;
        status = avout__barrier_look(state, watcher, false);
        if (status != AVOUT_ENOTFOUND) return status; /* else it was removed meanwhile */
    }
}

avout_status avout__barrier_create(avout_barrier **out, avout__locks *room, const char *name,
                                   uint32_t parties)
{
    char path[AVOUT__NODE_MAX];
    avout__watcher watcher;
    avout__barrier_state state = {.parties = parties, .through = -1};
    avout_status status = avout__barrier_begin(&watcher, path, room, name);
    if (status) return status;
    status = check_size(&watcher, parties);
    if (!status) status = make_or_join(&state, &watcher);
    avout__watcher_end(&watcher);
    if (status) return status;
    if (state.parties != parties)
        return avout_fail(AVOUT_ECONFLICT, "%s: there is one for %" PRIu32 " parties, not %" PRIu32,
                          name, state.parties, parties);
    *out = barrier_new(room, name, path, &state);
    return *out ? AVOUT_OK : AVOUT_ENOMEM;
}

avout_status avout__barrier_open(avout_barrier **out, avout__locks *room, const char *name)
{
    char path[AVOUT__NODE_MAX];
    avout__watcher watcher;
    avout__barrier_state state;
    avout_status status = avout__barrier_begin(&watcher, path, room, name);
    if (status) return status;
    status = avout__barrier_look(&state, &watcher, false);
    avout__watcher_end(&watcher);
    if (status) return status;
    *out = barrier_new(room, name, path, &state);
    return *out ? AVOUT_OK : AVOUT_ENOMEM;
}

/* ---- beginning anew ------------------------------------------------------------------------------------------ */

static avout_status reset_once(avout__watcher *watcher)
{
    avout__barrier_state state;
    avout__reply list = AVOUT__REPLY_INIT;
    avout__arrival *arrivals = NULL;
    char text[AVOUT__BARRIER_TEXT];
    size_t count = 0, failed;
    avout_status status = avout__barrier_read(&state, &list, watcher);
    if (!status) status = avout__barrier_arrivals(&arrivals, &count, &list.is, state.through);
    if (!status && (state.broken || count)) {
        state.broken = false;
        if (count) state.through = arrivals[count - 1].sequence;
        avout__barrier_write(text, &state);
        avout_op op = {.kind = AVOUT_OP_SET,
                       .path = watcher->path,
                       .version = state.version,
                       .bytes = text,
                       .length = strlen(text)};
        status = avout__watcher_multi(watcher, &op, 1, &failed);
    }
    avout__free(arrivals);
    avout__reply_release(&list);
    return status;
}

avout_status avout_barrier_reset(avout_barrier *barrier)
{
    avout__watcher watcher;
    avout_status status = avout__locks_usable(barrier->room);
    if (status) return status;
    avout__watcher_begin(&watcher, barrier->room, barrier->path, barrier->name, NULL,
                         avout__deadline_in_ms(barrier->room->timeout_ms));
    do status = reset_once(&watcher);
    while (status == AVOUT_EVERSION || avout__watcher_again(&watcher, &status));
    avout__watcher_end(&watcher);
    return status;
}
