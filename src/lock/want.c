/* Wants: what threads ask for, which claim serves them, and how a claim goes from one to the next. */
#include "lock/claim.h"

#include <string.h>

#include "base/banned.h"

/* An exclusive claim is handed on within the client, a granted shared one joined, at most so often and
 * for so long: then others that wait in the store have their turn. */
enum { HAND_ON_MAX = 16, HAND_ON_MS = 50 };

/* ---- what becomes of them ------------------------------------------------------------------------- */

static void want_end(avout__want *want)
{
    avout__link_remove(&want->link);
    want->claim = NULL;
    avout__latch_open(&want->latch);
}

void avout__want_fail(avout__want *want, avout_status status, const char *detail)
{
    want->status = status;
    snprintf(want->detail, sizeof want->detail, "%s", detail ? detail : avout_status_text(status));
    want_end(want);
}

void avout__wants_fail(avout__claim *claim, avout_status status, const char *detail)
{
    while (!avout__list_empty(&claim->wants))
        avout__want_fail(AVOUT__LINK_OF(claim->wants.next, avout__want, link), status, detail);
}

void avout__wants_fail_tries(avout__claim *claim)
{
    AVOUT__LIST_EACH(link, &claim->wants)
    {
        avout__want *want = AVOUT__LINK_OF(link, avout__want, link);
        if (want->only_now) avout__want_fail(want, AVOUT_EBUSY, NULL);
    }
}

static void want_join(avout__want *want, avout__claim *claim)
{
    avout__list_append(&claim->wants, &want->link);
    want->claim = claim;
}

/* To the front of the other's, in their order. */
void avout__wants_move(avout__claim *from, avout__claim *to)
{
    avout__link *front = to->wants.next;
    while (!avout__list_empty(&from->wants)) {
        avout__want *want = AVOUT__LINK_OF(from->wants.next, avout__want, link);
        avout__link_remove(&want->link);
        avout__link_insert_before(front, &want->link);
        want->claim = to;
    }
}

static void give(avout__claim *claim, avout__want *want)
{
    avout__hold *hold = want->hold;
    want->hold = NULL;
    hold->claim = claim;
    hold->era = hold->handle ? hold->handle->era : 0;
    hold->token = (avout_token){claim->point, claim->handed_on++};
    if (claim->shared) hold->reads = 1;
    else hold->writes = 1;
    claim->lock->refs++;
    avout__list_append(&claim->lock->holds, &hold->link);
    claim->holds++;
    want->granted = true;
    want_end(want);
}

void avout__want_give_first(avout__claim *claim)
{
    give(claim, AVOUT__LINK_OF(claim->wants.next, avout__want, link));
}

static bool within_bounds(const avout__claim *claim)
{
    return claim->served < HAND_ON_MAX &&
           avout__now_ns() - claim->granted_ns < (int64_t)HAND_ON_MS * 1000000;
}

static avout__claim *last_claim(avout__lock *lock)
{
    for (avout__link *link = lock->claims.prev; link != &lock->claims; link = link->prev) {
        avout__claim *claim = AVOUT__LINK_OF(link, avout__claim, link);
        if (claim->state != AVOUT__CLAIM_ENDING) return claim;
    }
    return NULL;
}

/* Whether the client's last claim tells that a try would fail. One among readers is for the store to
 * answer, unless they are known to wait; and so is one behind a claim that nobody wants any more. */
static bool keeps_out(const avout__claim *last, bool shared)
{
    if (last->shared && shared) return last->state == AVOUT__CLAIM_PLACED && last->watching;
    return last->holds || !avout__list_empty(&last->wants);
}

void avout__want_add(avout__lock *lock, avout__want *want, bool shared)
{
    avout__claim *last = last_claim(lock);
    bool granted = last && last->state == AVOUT__CLAIM_GRANTED;
    if (last && shared && last->shared && granted && within_bounds(last) &&
        avout__lease_holds(lock->room)) {
        last->served++;
        give(last, want);
        return;
    }
    last = last_claim(lock); /* the lease may have ended it */
    if (last && want->only_now && keeps_out(last, shared)) {
        avout__want_fail(want, AVOUT_EBUSY, NULL);
        return;
    }
    granted = last && last->state == AVOUT__CLAIM_GRANTED;
    if (last && last->shared == shared && !(shared && granted)) {
        want_join(want, last);
        return;
    }
    avout__claim *claim = avout__claim_new(lock, shared);
    if (!claim) {
        avout__want_fail(want, AVOUT_ENOMEM, NULL);
        return;
    }
    want_join(want, claim);
    avout__claim_send(claim);
}

/* What nobody wants and nobody holds goes; while the name is not known, as soon as it is. */
static void end_unwanted(avout__claim *claim)
{
    if (!avout__list_empty(&claim->wants) || claim->holds) return;
    if (claim->state == AVOUT__CLAIM_NEW) avout__claim_gone(claim);
    else if ((claim->state == AVOUT__CLAIM_PLACED && *claim->name) ||
             claim->state == AVOUT__CLAIM_GRANTED)
        avout__claim_end(claim);
}

void avout__want_leave(avout__want *want)
{
    avout__claim *claim = want->claim;
    if (!claim) return;
    avout__link_remove(&want->link);
    want->claim = NULL;
    end_unwanted(claim);
}

/* ---- releasing ------------------------------------------------------------------------------------ */

/* The claim ends; who still wants the lock goes to the end of the queue, in the same multi. False: there
 * is no memory for that. */
bool avout__claim_hand_back(avout__claim *claim)
{
    avout__claim *last = last_claim(claim->lock);
    if (last != claim && !last->shared && last->state != AVOUT__CLAIM_GRANTED) {
        avout__wants_move(claim, last);
        avout__claim_end(claim);
        return true;
    }
    avout__claim *again = avout__claim_new(claim->lock, false);
    if (!again) return false;
    avout__wants_move(claim, again);
    avout__claim_leave_granted(claim);
    claim->state = AVOUT__CLAIM_ENDING;
    if (claim->lock->room->connected) again->replaces = claim;
    avout__claim_send(again);
    return true;
}

bool avout__claim_release(avout__claim *claim, bool may_hand_on, avout__releaser *releaser)
{
    claim->holds--;
    if (claim->holds) return false;
    bool wanted = !avout__list_empty(&claim->wants);
    if (wanted && may_hand_on && within_bounds(claim)) {
        claim->served++;
        avout__want_give_first(claim);
        return false;
    }
    bool waits = avout__releaser_join(releaser, &claim->ending);
    if (!wanted) {
        avout__claim_end(claim);
    } else if (!avout__claim_hand_back(claim)) {
        avout__wants_fail(claim, AVOUT_ENOMEM, NULL);
        avout__claim_end(claim);
    }
    return waits;
}
