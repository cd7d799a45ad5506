/* How a claim or a bid goes that nobody wants any more. Its node is deleted, again and again until the store has
 * confirmed that; who has released it waits for so long as its client says, and no longer. */
#include "lock/lock.h"

#include "base/error.h"
#include "base/banned.h"

bool avout__ending_told(avout_status *status, const char **detail, avout__ending *ending,
                        const avout_reply *reply)
{
    bool missing = reply->status == AVOUT_ENOTFOUND;
    *detail = NULL;
    if (!reply->status || (missing && ending->unclear)) {
        *status = AVOUT_OK;
        if (ending->releaser) ending->releaser->was_there = !missing;
    } else if (missing) {
        *status = AVOUT_ELOST;
        *detail = "its node had been removed by somebody else";
    } else if (reply->status == AVOUT_ECLOSED) {
        *status = AVOUT_ECLOSED;
        *detail = "the client is closed";
    } else {
        ending->unclear = ending->unclear || reply->maybe_done;
        return false;
    }
    return true;
}

void avout__ending_over(avout__ending *ending, avout_status status, const char *detail)
{
    avout__releaser *releaser = ending->releaser;
    ending->releaser = NULL;
    if (!releaser) return;
    releaser->status = status;
    snprintf(releaser->detail, sizeof releaser->detail, "%s", detail ? detail : "");
    avout__latch_open(&releaser->latch);
}

bool avout__releaser_join(avout__releaser *releaser, avout__ending *ending)
{
    if (releaser) *releaser = (avout__releaser){.ending = ending, .latch = AVOUT__LATCH_INIT};
    ending->releaser = releaser;
    return releaser != NULL;
}

avout_status avout__releaser_wait(avout__locks *room, avout__releaser *releaser, const char *name)
{
    bool told = avout__latch_wait(&releaser->latch, avout__deadline_in_ms(room->timeout_ms));
    if (!told) {
        avout__locks_lock(room);
        told = avout__latch_is_open(&releaser->latch);
        if (!told) releaser->ending->releaser = NULL;
        avout__locks_unlock(room);
    }
    if (!told)
        return avout_fail(AVOUT_UNKNOWN,
                          "%s: the store has not confirmed the release before the deadline; it "
                          "goes on in the background",
                          name);
    if (!releaser->status) return AVOUT_OK;
    return avout_fail(releaser->status, "%s: %s", name, releaser->detail);
}
