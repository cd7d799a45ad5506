/* Barriers: making, opening, closing and resetting them. What happens at them is in barrier.c. */
#include "lock/barrier.h"

#include <inttypes.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/banned.h"

/* ---- opening --------------------------------------------------------------------------------------- */

static avout_status barrier_new(avout_barrier **out, const avout__watcher *watcher,
                                const avout__barrier_state *state)
{
    avout_barrier *barrier = avout__named_new(sizeof *barrier, watcher);
    if (!barrier) return AVOUT_ENOMEM;
    barrier->parties = state->parties;
    barrier->generation = state->generation;
    *out = barrier;
    return AVOUT_OK;
}

void avout_barrier_close(avout_barrier *barrier)
{
    if (barrier) avout__named_free(&barrier->is);
}

const char *avout_barrier_name(const avout_barrier *barrier)
{
    return barrier->is.name;
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

static avout_status make_barrier(avout__barrier_state *state, avout__watcher *watcher)
{
    char text[AVOUT__BARRIER_TEXT];
    bool made;
    avout__barrier_write(text, state);
    avout_op op = {
        .kind = AVOUT_OP_CREATE, .path = watcher->path, .bytes = text, .length = strlen(text)};
    return avout__named_make(state, &made, watcher, &avout__barriers, &op, 1);
}

avout_status avout__barrier_create(avout_barrier **out, avout__locks *room, const char *name,
                                   uint32_t parties)
{
    char path[AVOUT__NODE_MAX];
    avout__watcher watcher;
    avout__barrier_state state = {.parties = parties, .through = -1};
    avout_status status = avout__named_begin(&watcher, path, room, &avout__barriers, name);
    if (status) return status;
    status = check_size(&watcher, parties);
    if (!status) status = make_barrier(&state, &watcher);
    if (!status && state.parties != parties)
        status =
            avout_fail(AVOUT_ECONFLICT, "%s: there is one for %" PRIu32 " parties, not %" PRIu32,
                       name, state.parties, parties);
    if (!status) status = barrier_new(out, &watcher, &state);
    avout__watcher_end(&watcher);
    return status;
}

avout_status avout__barrier_open(avout_barrier **out, avout__locks *room, const char *name)
{
    char path[AVOUT__NODE_MAX];
    avout__watcher watcher;
    avout__barrier_state state;
    avout_status status = avout__named_begin(&watcher, path, room, &avout__barriers, name);
    if (status) return status;
    status = avout__named_read(&state, &watcher, &avout__barriers);
    if (!status) status = barrier_new(out, &watcher, &state);
    avout__watcher_end(&watcher);
    return status;
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
    avout_status status = avout__locks_usable(barrier->is.room);
    if (status) return status;
    avout__watcher_begin(&watcher, barrier->is.room, barrier->is.path, barrier->is.name, NULL,
                         avout__deadline_in_ms(barrier->is.room->timeout_ms));
    do status = reset_once(&watcher);
    while (status == AVOUT_EVERSION || avout__watcher_again(&watcher, &status));
    avout__watcher_end(&watcher);
    return status;
}
